-- GET /                                                           show_workspaces
-- The workspaces of whoever is signed in.
-- role:   user
-- page:   workspaces
-- use:    list_workspaces as workspaces
-- query:  all bool
-- part: only list
-- Who has one workspace is sent there, unless they want to see all of it.
SELECT '/w/' || min(w.slug) AS "!redirect" FROM gnomon.my_workspaces() w HAVING count(*) = 1 {all: AND NOT :all}

-- GET /login                                                      show_login
-- Sign-in.
-- role:   public
-- query:  next text(1..500)
-- page:   login
-- handler: account_providers

-- GET /login/wait                                                  show_wait
-- Waits until the worker knows who came back from another service.
-- role:    public
-- query:   flow text(1..500)
-- pool:    slow
-- page:    login_wait
-- handler: account_oauth_wait

-- POST /login     form of login, then {next}
-- page:   show_login

-- GET /login/second                                              show_second
-- The second step of signing in.
-- role:   public
-- query:  ticket text(1..200), next text(1..500)
-- page:   login_second

-- POST /login/second     form of login_second, then {next}
-- page:   show_second

-- POST /logout     form of logout, then /login
-- message: You are signed out.

-- GET /register                                                show_register
-- Sign-up.
-- role:   public
-- query:  next text(1..500)
-- page:   register
-- handler: account_providers

-- POST /register     form of register, then /
-- page:   show_register

-- GET /verify                                                    show_verify
-- Confirms an address by the link of a mail, or sends the mail again.
-- role:   public
-- query:  token text(1..200), email text(1..254)
-- page:   verify

-- POST /verify     form of verify, then /login
-- message: Your e-mail address is confirmed. Sign in.
-- page:   show_verify

-- POST /verify/send     form of verify_send, then /verify
-- message: If the address waits to be confirmed, the mail is on its way.
-- page:   show_verify

-- GET /forgot                                                    show_forgot
-- Asks for a link that sets a new password.
-- role:   public
-- page:   forgot

-- POST /forgot     form of forgot_password, then /forgot
-- message: If there is an account with this address, the mail is on its way.
-- page:   show_forgot

-- GET /reset                                                      show_reset
-- Sets a new password by the link of a mail.
-- role:   public
-- query:  token text(1..200)
-- page:   reset

-- POST /reset     form of reset_password, then /login
-- message: Your password is changed. Sign in with the new one.
-- page:   show_reset

-- GET /account                                                  show_account
-- The profile of whoever is signed in.
-- role:   user
-- page:   account
-- use:    get_me as profile
-- part: chosen one
SELECT m.preferences ->> 'theme' = 'light' AS "isLight", m.preferences ->> 'theme' = 'dark' AS "isDark" FROM gnomon.me() m

-- POST /account     form of update_me, then /account
-- message: Your profile is up to date.
-- page:   show_account

-- POST /account/preferences     form of update_preferences, then /account
-- message: Your preferences are up to date.
-- page:   show_account

-- POST /account/password     form of change_password, then /account
-- message: Your password is changed. You are signed out everywhere else.
-- page:   show_account

-- GET /account/delete                                      show_account_end
-- What it means to delete the account, and the form that does.
-- role:   user
-- page:   account_delete
-- use:    get_me as profile

-- POST /account/delete     form of delete_me, then /login
-- message: Your account is deleted.
-- page:   show_account_end

-- GET /account/sessions                                        show_sessions
-- Where whoever is signed in is signed in.
-- role:   user
-- page:   account_sessions
-- use:    list_sessions as sessions

-- POST /account/sessions     form of end_other_sessions, then /account/sessions
-- message: You are signed out everywhere else.
-- page:   show_sessions

-- POST /account/sessions/{session}     form of end_session, then /account/sessions
-- message: The session is signed out.
-- path:   {session} uuid
-- page:   show_sessions

-- GET /account/tokens                                            show_tokens
-- The API keys of whoever is signed in.
-- role:    user
-- page:    account_tokens
-- use:     list_tokens as tokens
-- handler: account_show_keys

-- POST /account/tokens     form of create_token, then /account/tokens
-- page:   show_tokens

-- POST /account/tokens/{token}     form of delete_token, then /account/tokens
-- message: The key is deleted.
-- path:   {token} uuid
-- page:   show_tokens

-- GET /account/security                                        show_security
-- Two-step sign-in of whoever is signed in.
-- role:    user
-- page:    account_security
-- use:     get_second_factor as factor, get_me as profile
-- handler: account_show_factor

-- POST /account/security     form of begin_second_factor, then /account/security
-- page:   show_security

-- POST /account/security/confirm     form of confirm_second_factor, then /account/security
-- message: Two-step sign-in is on.
-- page:   show_security

-- POST /account/security/codes     form of new_recovery_codes, then /account/security
-- message: The old recovery codes are worth nothing any more.
-- page:   show_security

-- POST /account/security/end     form of end_second_factor, then /account/security
-- message: Two-step sign-in is off.
-- page:   show_security
