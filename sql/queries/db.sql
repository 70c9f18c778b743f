-- What db/ itself says.

-- name: begin_work
-- args:
BEGIN

-- name: commit_work
-- args:
COMMIT
