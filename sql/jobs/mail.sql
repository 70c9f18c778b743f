-- Mail, as the worker sends it (src/jobs/mail_job.c).

-- name: mail_address
-- Where mail for a user goes; no row for an account that is gone.
-- args: user uuid
SELECT email, name FROM gnomon.mail_address(:user)

-- name: claim_account_mail
-- Takes the next mail of an account that is due.
-- args:
SELECT id, payload FROM gnomon.claim_account_mail()

-- name: end_account_mail
-- It was sent or never will be; or it is tried again.
-- args: mail uuid, again bool
SELECT gnomon.end_account_mail(:mail, :again)
