-- Idempotency keys (0003_history.sql), all after enter.

-- name: once
-- Lets a keyed write pass once.
-- args: key text, request text
SELECT gnomon.once(:key, :request)

-- name: remember_once
-- Stores what it answered, in its own transaction.
-- args: key text, request text, status int4, reply text
SELECT gnomon.remember_once(:key, :request, :status, :reply)

-- name: recall_once
-- What it answered before.
-- args: key text
SELECT status, reply FROM gnomon.recall_once(:key)
