-- The queue, as the worker sees it (0006_jobs.sql).

-- name: enqueue_due_agents
-- Queues every agent whose scheduled time has passed; NULL: all agents.
-- args: agent text
SELECT gnomon.enqueue_due_agents(:agent) AS queued

-- name: claim_job
-- Takes the next due job of these kinds (NULL: any), but of none of those, for
-- the length of a lease.
-- args: kinds text[], except text[], worker text, lease interval
SELECT workspace_id, id, queue, kind, payload, fence, attempts FROM gnomon.claim_job(:kinds, :except, :worker, :lease)

-- name: enter_job
-- Opens the tenant of a claimed job for this transaction; refused (lease_lost)
-- when another worker took it over.
-- args: job uuid, fence int
SELECT workspace_id, timezone FROM gnomon.enter_job(:job, :fence)

-- name: finish_job
-- Ends a claim: NULL is success; a failure is tried again later, or dead.
-- args: job uuid, fence int, failure text
SELECT gnomon.finish_job(:job, :fence, :failure) AS state

-- name: bury_job
-- Ends a claim whose failure is for good: no further attempt.
-- args: job uuid, fence int, failure text
SELECT gnomon.bury_job(:job, :fence, :failure) AS state

-- name: cover_events
-- Keeps monthly partitions of the event log ahead of time.
-- args:
SELECT gnomon.cover('events', now(), now() + interval '3 months')

-- name: forget_once
-- Drops idempotency keys older than a day.
-- args:
SELECT gnomon.forget_once()

-- name: forget_jobs
-- Drops jobs that succeeded 30 days ago or died 90 days ago.
-- args:
SELECT gnomon.forget_jobs()

-- name: forget_account_tokens
-- Drops links, attempts to sign in and failures that are long over.
-- args:
SELECT gnomon.forget_account_tokens()

-- name: forget_sessions
-- Drops sessions that ended 30 days ago.
-- args:
SELECT gnomon.forget_sessions()

-- name: queue_depth
-- Per queue and state: how many jobs, and the age of the oldest due one.
-- args:
SELECT queue, state, jobs, oldest FROM gnomon.queue_depth()
