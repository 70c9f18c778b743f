-- POST /api/v1/auth/register                                          register
-- Makes an account and a workspace of its own.
-- role:    public
-- body:    Register
-- pool:    slow
-- handler: account_register
-- errors:  conflict
-- reply:   201 Registered

-- POST /api/v1/auth/login                                                login
-- Signs in: an access token for programs, a session cookie for the sign-in form.
-- role:    public
-- body:    Login
-- pool:    slow
-- handler: account_login
-- errors:  bad_credentials
-- reply:   200 Tokens

-- POST /api/v1/auth/logout                                              logout
-- Ends the session the access token or cookie belongs to.
-- role:    user
-- handler: account_logout
-- reply:   204

-- GET /api/v1/users/me                                                  get_me
-- The profile of the user who asks.
-- role:    user
-- reply:   200 Me
SELECT id, email, name, avatar, preferences, created_at AS "createdAt", updated_at AS "updatedAt" FROM gnomon.me()
