-- What happens to sprints and figures by itself (0016_sprints.sql).

-- name: enqueue_sprint_jobs
-- Queues what is due of these jobs; NULL: of all of them.
-- args: kind text
SELECT gnomon.enqueue_sprint_jobs(:kind) AS queued

-- name: snapshot_sprints
-- Keeps the days, up to the period's, of every active sprint of the tenant.
-- args: period text
SELECT gnomon.snapshot_sprints(coalesce(:period, 'infinity')::date) AS days

-- name: complete_due_sprints
-- Completes the tenant's sprints that are over, where its projects want it so. The
-- period names the job only.
-- args: period text
SELECT gnomon.complete_due_sprints() AS sprints WHERE :period IS DISTINCT FROM ''

-- name: aggregate_metrics
-- Adds the period, a day, up for every project of the tenant.
-- args: period text
SELECT gnomon.aggregate_metrics(:period::date) AS projects
