-- What leaves the server, as the worker does it (src/jobs/follow.c,
-- webhook_job.c, digest_job.c).

-- name: follow_events
-- The next round of the event log: messages for webhooks, notifications.
-- args: known text, most int
SELECT snapshot, handled, has_more FROM gnomon.follow_events(:known, :most::integer)

-- name: queue_deliveries
-- A job for each webhook that has something due.
-- args:
SELECT gnomon.queue_deliveries() AS queued

-- name: mail_notifications
-- Queues the mail of what is wanted by mail at once.
-- args:
SELECT gnomon.mail_notifications() AS queued

-- name: next_delivery
-- The next message due for the webhook of a job.
-- args: job uuid, fence int, webhook uuid
SELECT id, url, secret, former, payload FROM gnomon.next_delivery(:job, :fence, :webhook)

-- name: note_delivery
-- How an attempt went; says whether to go on with the next.
-- args: job uuid, fence int, delivery uuid, status int, ms int, failure text, wait int
SELECT gnomon.note_delivery(:job, :fence, :delivery, :status::integer, :ms::integer, :failure, :wait::integer) AS go

-- name: send_digests
-- Queues the digests of a workspace.
-- args: job uuid, fence int
SELECT gnomon.send_digests(:job, :fence) AS queued

-- name: enqueue_digests
-- Queues the digest job of every workspace where it has struck 08:00.
-- args:
SELECT gnomon.enqueue_digests() AS queued

-- name: forget_deliveries
-- Drops webhook deliveries of 30 days ago.
-- args:
SELECT gnomon.forget_deliveries()

-- name: forget_notifications
-- Drops notifications that were read 90 days ago, or never in a year.
-- args:
SELECT gnomon.forget_notifications()
