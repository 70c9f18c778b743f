-- The past: what goes between enter and the statements of a request with asOf.

-- name: look_back
-- Turns the transaction to a moment of the project entered; one: to look at one
-- thing of it rather than at lists.
-- args: moment text, one bool
SELECT rev, at FROM gnomon.look_back(:moment, :one)
