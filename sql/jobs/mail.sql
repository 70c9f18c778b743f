-- Mail, as the worker sends it (src/jobs/mail_job.c).

-- name: mail_address
-- Where mail for a user goes; no row for an account that is gone.
-- args: user uuid
SELECT email, name FROM gnomon.mail_address(:user)
