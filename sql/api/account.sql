-- POST /api/v1/auth/register                                          register
-- Makes an account and a workspace of its own. Where mail is sent, the address has
-- to be confirmed before the first sign-in.
-- role:    public
-- body:    Register
-- pool:    slow
-- handler: account_register
-- errors:  conflict
-- reply:   201 Registered

-- POST /api/v1/auth/login                                                login
-- Signs in: an access token and a refresh token for programs, a session cookie for
-- the sign-in form. After ten wrong passwords an account makes who tries wait. With
-- a second factor the answer is second_factor_required, with a ticket.
-- role:    public
-- body:    Login
-- pool:    slow
-- handler: account_login
-- errors:  bad_credentials, unverified, second_factor_required
-- reply:   200 Tokens

-- POST /api/v1/auth/login/second                                  login_second
-- The second step: the ticket of the first and a code of the app, or a recovery code.
-- role:    public
-- body:    LoginSecond
-- pool:    slow
-- handler: account_login_second
-- errors:  bad_code, link_over
-- reply:   200 Tokens

-- POST /api/v1/auth/refresh                                            refresh
-- New tokens for a refresh token, which is used up. All who use it at once get the same
-- next one; because one that comes back later must have been copied, the session it
-- belongs to ends.
-- role:    public
-- body:    Refresh
-- handler: account_refresh
-- errors:  unauthenticated
-- reply:   200 Tokens

-- POST /api/v1/auth/logout                                              logout
-- Ends the session the access token or cookie belongs to, and its refresh tokens.
-- role:    user
-- handler: account_logout
-- reply:   204

-- POST /api/v1/auth/verify                                              verify
-- Confirms an address by the token of the mail.
-- role:    public
-- body:    LinkToken
-- handler: account_verify
-- errors:  link_over
-- reply:   204

-- POST /api/v1/auth/verify/send                                    verify_send
-- Sends the mail that confirms an address again, where there is one to confirm; the
-- answer is the same where there is not.
-- role:    public
-- body:    AddressOnly
-- pool:    slow
-- handler: account_verify_send
-- reply:   202

-- POST /api/v1/auth/forgot-password                            forgot_password
-- Sends a mail with a link that sets a new password, where there is an account; the
-- answer is the same where there is not.
-- role:    public
-- body:    AddressOnly
-- pool:    slow
-- handler: account_forgot
-- reply:   202

-- POST /api/v1/auth/reset-password                              reset_password
-- Sets a new password by the token of the mail, which works once and for an hour, and
-- ends every session and API key.
-- role:    public
-- body:    PasswordReset
-- pool:    slow
-- handler: account_reset
-- errors:  link_over
-- reply:   204

-- GET /api/v1/auth/oauth/{provider}                                oauth_begin
-- Sends the browser to google, github or oidc to sign in there, with state, nonce and
-- the challenge of PKCE. next is where it goes in the end.
-- role:    public
-- path:    {provider} text(1..20)
-- query:   next text(1..500)
-- pool:    slow
-- handler: account_oauth_begin
-- errors:  not_found, forbidden, sign_in_unavailable
-- reply:   302

-- GET /api/v1/auth/oauth/{provider}/callback                    oauth_callback
-- Where the service sends the browser back to, with a code. A code is taken once, and
-- only in the browser that began.
-- role:    public
-- path:    {provider} text(1..20)
-- query:   code text(1..2000), state text(1..500), error text(1..500), error_description text(1..2000), error_uri text(1..2000), iss text(1..500), scope text(1..2000), authuser text(1..500), prompt text(1..500), hd text(1..500), session_state text(1..500)
-- pool:    slow
-- handler: account_oauth_callback
-- errors:  not_found, bad_state
-- reply:   302

-- GET /api/v1/users/me                                                  get_me
-- The profile of the user who asks.
-- role:    user
-- reply:   200 Me
SELECT id, email, is_verified AS "isVerified", name, avatar, preferences, has_password AS "hasPassword",
       has_second_factor AS "hasSecondFactor", created_at AS "createdAt", updated_at AS "updatedAt"
  FROM gnomon.me()

-- PATCH /api/v1/users/me                                             update_me
-- Changes what is given; a preference that is null is forgotten.
-- role:    user
-- body:    MePatch
-- reply:   200 Me
SELECT id, email, is_verified AS "isVerified", name, avatar, preferences, has_password AS "hasPassword",
       has_second_factor AS "hasSecondFactor", created_at AS "createdAt", updated_at AS "updatedAt"
  FROM gnomon.update_me(:body)

-- DELETE /api/v1/users/me                                            delete_me
-- Deletes the account. Nobody signs in with it again, and what it did stays as that
-- of a deleted user. Refused while a workspace with other members would be left
-- without an owner.
-- role:    user
-- body:    PasswordProof
-- pool:    slow
-- handler: account_delete
-- errors:  last_owner
-- reply:   204

-- PATCH /api/v1/users/me/preferences                        update_preferences
-- Changes the preferences given.
-- role:    user
-- body:    Preferences
-- handler: account_preferences
-- reply:   200 Preferences

-- POST /api/v1/users/me/password                               change_password
-- Sets a new password; every other session ends.
-- role:    user
-- body:    PasswordChange
-- pool:    slow
-- handler: account_change_password
-- reply:   204

-- GET /api/v1/users/me/sessions                                  list_sessions
-- Where the user is signed in, this session first; the newest 200.
-- role:    user
-- reply:   200 list of Session
SELECT id, kind, device, address, is_current AS "isCurrent", created_at AS "createdAt", last_seen_at AS "lastSeenAt",
       expires_at AS "expiresAt"
  FROM gnomon.my_sessions()

-- DELETE /api/v1/users/me/sessions                          end_other_sessions
-- Signs out everywhere else.
-- role:    user
-- reply:   200 Ended
SELECT gnomon.end_other_sessions() AS ended

-- DELETE /api/v1/users/me/sessions/{session}                       end_session
-- Signs one session out.
-- role:    user
-- path:    {session} uuid
-- reply:   204
SELECT true AS ended WHERE gnomon.end_session(:session, false)

-- GET /api/v1/users/me/tokens                                      list_tokens
-- The API keys of the user, newest first.
-- role:    user
-- reply:   200 list of Key
SELECT id, name, scope, created_at AS "createdAt", last_used_at AS "lastUsedAt", expires_at AS "expiresAt" FROM gnomon.my_keys()

-- POST /api/v1/users/me/tokens                                    create_token
-- Makes an API key, to be sent as Authorization: Bearer. It is shown here and never
-- again. read may ask, write may do what a member may, admin all that its user may.
-- role:    user
-- body:    KeyCreate
-- handler: account_key
-- reply:   201 KeyCreated

-- DELETE /api/v1/users/me/tokens/{token}                          delete_token
-- Ends an API key.
-- role:    user
-- path:    {token} uuid
-- reply:   204
SELECT true AS ended WHERE gnomon.end_session(:token, true)

-- GET /api/v1/users/me/second-factor                         get_second_factor
-- Whether signing in takes a code, and how many recovery codes are left.
-- role:    user
-- reply:   200 SecondFactor
SELECT f.confirmed_at IS NOT NULL AS "isOn", f.confirmed_at AS "confirmedAt",
       CASE WHEN f.confirmed_at IS NULL THEN 0 ELSE f.codes_left END AS "codesLeft"
  FROM (SELECT) one LEFT JOIN gnomon.my_second_factor(-1) f ON true

-- POST /api/v1/users/me/second-factor                      begin_second_factor
-- A new secret for an authenticator app (RFC 6238). It is in force once a code of the
-- app has confirmed it.
-- role:    user
-- body:    PasswordProof
-- pool:    slow
-- handler: account_factor_begin
-- errors:  illegal_state
-- reply:   201 SecondFactorSecret

-- POST /api/v1/users/me/second-factor/confirm            confirm_second_factor
-- Puts the second factor in force; ten recovery codes are shown here and never again.
-- role:    user
-- body:    CodeProof
-- handler: account_factor_confirm
-- errors:  illegal_state, bad_code
-- reply:   200 RecoveryCodes

-- POST /api/v1/users/me/second-factor/recovery-codes        new_recovery_codes
-- Ten new recovery codes in place of those there are.
-- role:    user
-- body:    CodeProof
-- handler: account_factor_codes
-- errors:  illegal_state, bad_code
-- reply:   200 RecoveryCodes

-- DELETE /api/v1/users/me/second-factor                      end_second_factor
-- Signing in takes the password alone again.
-- role:    user
-- body:    CodeProof
-- handler: account_factor_end
-- errors:  illegal_state, bad_code
-- reply:   204
