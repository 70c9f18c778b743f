-- name: enter
-- Opens the way into a tenant for the rest of the transaction (0010_rights.sql).
-- args: credential bytea, session uuid, workspace text, project text, story_prefix text, needed int4, with_nav bool
SELECT * FROM gnomon.enter(:credential, :session, :workspace, :project, :story_prefix, :needed, :with_nav)

-- name: key_may
-- Refuses an API key whose scope does not reach: read, write, admin.
-- args: credential bytea, needed text
SELECT gnomon.key_may(:credential, :needed)

-- name: register
-- Makes an account and its workspace; refuses an address in use. asks: mails a link.
-- args: email text, name text, hash text, verified bool, asks bool
SELECT id, workspace_slug FROM gnomon.register(:email, :name, :hash, :verified, :asks)

-- name: begin_sign_in
-- What a sign-in compares the password with, and how long it has to wait.
-- args: email text, network text, free int4, network_free int4
SELECT wait, id, password_hash, is_verified, has_second_factor, theme
  FROM gnomon.begin_sign_in(:email, :network, :free, :network_free)

-- name: forget_tries
-- The try was good.
-- args: what text, whose text, network text
SELECT gnomon.forget_tries(:what, :whose, :network)

-- name: renew_hash
-- Replaces a hash of an older kind.
-- args: user uuid, old text, new text
SELECT gnomon.renew_hash(:user, :old, :new)

-- name: open_session
-- Remembers a sign-in; cookie is NULL for access tokens, proof where no password was
-- asked for. NULL: the account is gone, or its password another by now.
-- args: user uuid, kind text, cookie bytea, agent text, lifetime interval, network text, proof text
SELECT gnomon.open_session(:user, :kind, :cookie, :agent, :lifetime, :network, :proof) AS id

-- name: add_refresh
-- The first refresh token of a session.
-- args: session uuid, hash bytea
SELECT gnomon.add_refresh(:session, :hash)

-- name: rotate_refresh
-- Replaces a refresh token; one that was used before this request came ends its session.
-- args: given bytea, next bytea, lifetime interval, network text, arrived text, settles interval
SELECT outcome, session_id, user_id
  FROM gnomon.rotate_refresh(:given, :next, :lifetime, :network, coalesce(to_timestamp(nullif(:arrived, '')::double precision), now()), :settles)

-- name: make_key
-- An API key of the user who entered. Only together with enter.
-- args: hash bytea, name text, scope text, days int4
SELECT id, name, scope, created_at AS "createdAt", last_used_at AS "lastUsedAt", expires_at AS "expiresAt"
  FROM gnomon.make_key(:hash, :name, :scope, :days)

-- name: my_proof
-- What the user who entered proves a change with. Only together with enter.
-- args: free int4
SELECT wait, id, email, name, password_hash, is_fresh FROM gnomon.my_proof(:free)

-- name: update_me
-- Of the user who entered. Only together with enter.
-- args: body jsonb
SELECT preferences FROM gnomon.update_me(:body)

-- name: change_password
-- Of the user who entered; other sessions end. Only together with enter.
-- args: hash text
SELECT gnomon.change_password(:hash)

-- name: delete_me
-- Deletes the account of the user who entered, or names the workspaces that
-- would be left without an owner. Only together with enter.
-- args:
SELECT slug, name FROM gnomon.delete_me()

-- name: ask_again
-- Mails the link that confirms an address once more.
-- args: email text
SELECT gnomon.ask_again(:email)

-- name: forgot_password
-- Mails a link to choose a new password, where there is an account.
-- args: email text
SELECT gnomon.forgot_password(:email)

-- name: verify_address
-- The link came back.
-- args: token uuid
SELECT email FROM gnomon.verify_address(:token)

-- name: reset_of
-- Whose password a link may set.
-- args: token uuid
SELECT id, email, name FROM gnomon.reset_of(:token)

-- name: reset_password
-- Uses the link.
-- args: token uuid, hash text
SELECT gnomon.reset_password(:token, :hash) AS done

-- name: my_second_factor
-- Of the user who entered; counts a try unless free is below 0. Only together with
-- enter.
-- args: free int4
SELECT wait, user_id, secret, confirmed_at, last_step, codes_left FROM gnomon.my_second_factor(:free)

-- name: begin_second_factor
-- Of the user who entered; false where one is in force. Only together with enter.
-- args: secret text
SELECT gnomon.begin_second_factor(:secret) AS begun

-- name: confirm_second_factor
-- Puts it in force. Only together with enter.
-- args: step int, codes text[]
SELECT gnomon.confirm_second_factor(:step, :codes::bytea[]) AS done

-- name: new_recovery_codes
-- In place of those there are. Only together with enter.
-- args: codes text[]
SELECT gnomon.new_recovery_codes(:codes::bytea[])

-- name: end_second_factor
-- Of the user who entered. Only together with enter.
-- args:
SELECT gnomon.end_second_factor()

-- name: ask_second_factor
-- A ticket for the second step of a sign-in.
-- args: user uuid
SELECT gnomon.ask_second_factor(:user) AS ticket

-- name: second_factor_of
-- Whose second step it is; counts the try.
-- args: ticket uuid, network text, free int4, network_free int4
SELECT wait, id, secret, last_step, theme FROM gnomon.second_factor_of(:ticket, :network, :free, :network_free)

-- name: use_code
-- Uses up a code; false when it was used before.
-- args: ticket uuid, user uuid, step int, code bytea
SELECT gnomon.use_code(:ticket, :user, :step, :code) AS done

-- name: begin_oauth
-- An attempt to sign in with another service.
-- args: provider text, issuer text, browser bytea, nonce text, verifier text, back text, token_url text, next text
SELECT gnomon.begin_oauth(:provider, :issuer, :browser, :nonce, :verifier, :back, :token_url, :next) AS flow

-- name: receive_oauth
-- The browser is back; NULL: without a code. False: not this browser, or not the first time.
-- args: flow uuid, provider text, browser bytea, code text
SELECT gnomon.receive_oauth(:flow, :provider, :browser, :code) AS taken

-- name: take_oauth
-- How the attempt stands.
-- args: flow uuid, browser bytea
SELECT state, user_id, next, failure, has_second_factor, theme FROM gnomon.take_oauth(:flow, :browser)

-- name: oauth_issuer
-- Where an issuer has its addresses.
-- args: issuer text
SELECT authorize_url, token_url, is_fresh FROM gnomon.oauth_issuer(:issuer)

-- name: remember_issuer
-- Where an issuer says that it has them.
-- args: issuer text, authorize_url text, token_url text
SELECT gnomon.remember_issuer(:issuer, :authorize_url, :token_url)

-- name: claim_oauth
-- The next attempt whose code waits to be exchanged.
-- args:
SELECT id, provider, issuer, nonce, verifier, redirect_uri, token_url, code FROM gnomon.claim_oauth()

-- name: fail_oauth
-- It came to nothing.
-- args: flow uuid, why text
SELECT gnomon.fail_oauth(:flow, :why)

-- name: finish_oauth
-- It is known who it is.
-- args: flow uuid, subject text, email text, is_confirmed bool, name text
SELECT gnomon.finish_oauth(:flow, :subject, :email, :is_confirmed, :name) AS outcome

-- name: close_session
-- Ends a session of the user who entered. Only together with enter.
-- args: session uuid
SELECT gnomon.close_session(:session) AS closed

-- name: schema_version
-- The version the database is at; answers at all only when it works.
SELECT max(version) AS version FROM migration_versions
