-- name: enter
-- Opens the way into a tenant for the rest of the transaction (0010_rights.sql).
-- args: credential bytea, session uuid, workspace text, project text, story_prefix text, needed int4, with_nav bool
SELECT * FROM gnomon.enter(:credential, :session, :workspace, :project, :story_prefix, :needed, :with_nav)

-- name: register
-- Makes an account and its workspace; refuses an address in use.
-- args: email text, name text, hash text
SELECT id, workspace_slug FROM gnomon.register(:email, :name, :hash)

-- name: password_of
-- What a sign-in compares the password with.
-- args: email text
SELECT id, password_hash FROM gnomon.password_of(:email)

-- name: open_session
-- Remembers a sign-in; cookie is NULL for access tokens.
-- args: user uuid, kind text, cookie bytea, agent text, lifetime interval
SELECT gnomon.open_session(:user, :kind, :cookie, :agent, :lifetime) AS id

-- name: close_session
-- Ends a session of the user who entered. Only together with enter.
-- args: session uuid
SELECT gnomon.close_session(:session) AS closed

-- name: schema_version
-- The version the database is at; answers at all only when it works.
SELECT max(version) AS version FROM migration_versions
