-- GET /api/v1/workspaces/{ws}/jobs                                   list_jobs
-- The work of the queue, newest first; state=dead lists the dead letters.
-- role:   admin
-- query:  state job_state[], queue job_queue[], kind text(1..100)
-- order:  newest = j.id uuid desc
-- reply:  200 page of Job
SELECT j.id, j.queue, j.kind, j.state, j.attempts, j.max_attempts AS "maxAttempts", j.run_at AS "runAt",
       j.error, j.created_at AS "createdAt", j.finished_at AS "finishedAt"
  FROM {state: (SELECT DISTINCT unnest(:state)) AS state (value),} {queue: (SELECT DISTINCT unnest(:queue)) AS queue (value),}
       LATERAL (SELECT * FROM jobs j
                 WHERE j.workspace_id = gnomon.workspace()
                   {state: AND j.state = state.value} {queue: AND j.queue = queue.value} {kind: AND j.kind = :kind}
                 {page}) j
 WHERE true {page}

-- GET /api/v1/workspaces/{ws}/jobs/{job}                             get_job
-- How far a job is that something queued: its state, and why it failed.
-- role:   admin
-- path:   {job} uuid
-- reply:  200 Job
SELECT j.id, j.queue, j.kind, j.state, j.attempts, j.max_attempts AS "maxAttempts", j.run_at AS "runAt",
       j.error, j.created_at AS "createdAt", j.finished_at AS "finishedAt"
  FROM jobs j
 WHERE j.workspace_id = gnomon.workspace() AND j.id = :job

-- POST /api/v1/workspaces/{ws}/jobs/{job}/redrive                  redrive_job
-- Queues a dead letter again, with all its attempts.
-- role:   admin
-- path:   {job} uuid
-- reply:  202 Job
SELECT j.refused AS "!", j.id, j.queue, j.kind, j.state, j.attempts, j.max_attempts AS "maxAttempts", j.run_at AS "runAt",
       j.error, j.created_at AS "createdAt", j.finished_at AS "finishedAt"
  FROM gnomon.redrive_job(:job) j
