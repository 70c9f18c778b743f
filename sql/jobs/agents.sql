-- What the agent pipeline writes. All of it after enter_job.

-- name: begin_agent_run
-- Finds the run of this period or makes it. A run that ended stays as it is:
-- is_over then says that there is nothing to do.
-- args: agent text, period text, trigger text, user uuid, at text
WITH clock AS (
  SELECT set_config('gnomon.clock', coalesce(:at, ''), true), set_config('gnomon.as_of', coalesce(:at, ''), true)
), known AS (
  SELECT p.agent_run_id AS id
    FROM agent_run_periods p, clock
   WHERE p.workspace_id = gnomon.workspace() AND p.agent_key = :agent AND p.period_bucket = :period
), made AS (
  INSERT INTO agent_runs (workspace_id, agent_key, status, trigger_type, triggered_by, started_at)
  SELECT gnomon.workspace(), :agent, 'running', :trigger, :user, clock_timestamp() - pg_catalog.now() + gnomon.now()
    FROM clock WHERE NOT EXISTS (SELECT FROM known)
  RETURNING id
), locked AS (
  INSERT INTO agent_run_periods (workspace_id, agent_key, period_bucket, agent_run_id)
  SELECT gnomon.workspace(), :agent, :period, id FROM made
), again AS (
  UPDATE agent_runs r SET status = 'running', error = NULL
    FROM known WHERE r.workspace_id = gnomon.workspace() AND r.id = known.id AND r.status IN ('queued', 'running', 'failed')
  RETURNING r.id
)
SELECT coalesce(m.id, k.id) AS id, m.id IS NULL AND a.id IS NULL AS is_over,
       c.enabled, coalesce(c.thresholds, '{}') AS thresholds, coalesce(nullif(c.delivery, '{}'), '{}') AS delivery
  FROM (SELECT 1) one
  LEFT JOIN made m ON true LEFT JOIN known k ON true LEFT JOIN again a ON true
  LEFT JOIN agent_configs c ON c.workspace_id = gnomon.workspace() AND c.agent_key = :agent

-- name: take_turn
-- One agent at a time in a workspace.
-- args:
SELECT pg_advisory_xact_lock(hashtextextended('agents ' || gnomon.workspace(), 0))

-- name: lock_insights
-- Locks an agent's live insights before any revision is locked: the order in
-- which people's edits take their locks, so that neither waits for the other.
-- args: agent text
SELECT i.id FROM agent_insights i
 WHERE i.workspace_id = gnomon.workspace() AND i.agent_key = :agent AND i.state IN ('open', 'acknowledged')
 ORDER BY i.id
   FOR NO KEY UPDATE

-- name: set_clock
-- Holds the clock still at a past time ('' lets it run) for this transaction.
-- args: at text
SELECT set_config('gnomon.clock', :at, true), set_config('gnomon.as_of', :at, true)

-- name: savepoint
-- args:
SAVEPOINT subject

-- name: rollback_to_savepoint
-- args:
ROLLBACK TO SAVEPOINT subject

-- name: publish_findings
-- Makes insights of a subject's findings. By the fingerprint, a risk that is
-- known and open is brought up to date, one that was dismissed less than quiet
-- ago stays away, everything else is new. People are told of what is new and
-- of what got worse.
-- args: run uuid, agent text, project uuid, sprint uuid, findings jsonb, delivery jsonb, quiet interval
WITH found AS MATERIALIZED (
  SELECT DISTINCT ON (f.fingerprint) f.*
    FROM jsonb_to_recordset(:findings) AS f (fingerprint text, insight_type text, severity text, confidence integer, title text,
           body text, recommendations jsonb, evidence jsonb, entity_refs jsonb)
   ORDER BY f.fingerprint
), known AS MATERIALIZED (
  SELECT DISTINCT ON (f.fingerprint) f.fingerprint, i.*
    FROM found f
    JOIN insight_sightings g ON g.workspace_id = gnomon.workspace() AND g.fingerprint = f.fingerprint
    JOIN agent_insights i ON i.workspace_id = g.workspace_id AND i.id = g.insight_id
   ORDER BY f.fingerprint, i.id DESC
), verdict AS MATERIALIZED (
  SELECT f.*, k.severity AS old_severity, coalesce(v.old_id, gnomon.uuid7()) AS id,
         CASE WHEN v.old_id IS NULL THEN 'new'
              WHEN k.state = 'dismissed' THEN 'suppressed'
              WHEN (k.severity, k.title, k.body, k.evidence) IS DISTINCT FROM (f.severity, f.title, f.body, f.evidence) THEN 'updated'
              ELSE 'unchanged' END AS outcome
    FROM found f
    LEFT JOIN known k ON k.fingerprint = f.fingerprint
   CROSS JOIN LATERAL (SELECT CASE WHEN k.state IN ('open', 'acknowledged')
                                     OR k.state = 'dismissed' AND k.updated_at > gnomon.now() - :quiet THEN k.id END AS old_id) v
), made AS (
  INSERT INTO agent_insights (workspace_id, id, agent_run_id, agent_key, project_id, sprint_id, insight_type, severity, confidence,
                              title, body, recommendations, evidence, entity_refs)
  SELECT gnomon.workspace(), v.id, :run, :agent, :project, :sprint, v.insight_type, v.severity, v.confidence,
         v.title, v.body, v.recommendations, v.evidence, v.entity_refs
    FROM verdict v WHERE v.outcome = 'new'
   ORDER BY gnomon.severity_rank(v.severity) DESC, v.fingerprint
  RETURNING id, number
), changed AS (
  UPDATE agent_insights i
     SET agent_run_id = :run, severity = v.severity, confidence = v.confidence, title = v.title, body = v.body,
         recommendations = v.recommendations, evidence = v.evidence, entity_refs = v.entity_refs
    FROM verdict v
   WHERE i.workspace_id = gnomon.workspace() AND i.id = v.id AND v.outcome = 'updated'
), seen AS (
  INSERT INTO insight_sightings (workspace_id, agent_run_id, insight_id, fingerprint, origin, outcome, severity)
  SELECT gnomon.workspace(), :run, v.id, v.fingerprint, 'rules', v.outcome, v.severity FROM verdict v
  ON CONFLICT (workspace_id, agent_run_id, insight_id) DO NOTHING
), people AS (
  SELECT m.user_id
    FROM workspace_members m
   WHERE m.workspace_id = gnomon.workspace()
     AND (:delivery -> 'to' ? 'admins' AND gnomon.rank(m.role) >= 3
          OR :delivery -> 'to' ? 'team_leads' AND EXISTS (
               SELECT FROM projects p JOIN team_members t ON t.workspace_id = p.workspace_id AND t.team_id = p.team_id
                WHERE p.workspace_id = gnomon.workspace() AND p.id = :project AND t.user_id = m.user_id AND t.is_lead))
), told AS (
  INSERT INTO notifications (workspace_id, user_id, kind, title, entity_type, entity_id, project_id, path)
  SELECT gnomon.workspace(), p.user_id, CASE v.outcome WHEN 'new' THEN 'insight' ELSE 'insight_worse:' || v.severity END,
         v.title, 'insight', v.id, :project, '/insights/I-' || m.number
    FROM verdict v CROSS JOIN people p LEFT JOIN made m ON m.id = v.id
   WHERE v.outcome = 'new'
      OR v.outcome = 'updated' AND gnomon.severity_rank(v.severity) > gnomon.severity_rank(v.old_severity)
  ON CONFLICT (workspace_id, user_id, kind, entity_id) DO NOTHING
  RETURNING 1
)
SELECT count(*) AS found, count(*) FILTER (WHERE outcome = 'new') AS new,
       count(*) FILTER (WHERE outcome = 'updated') AS updated,
       count(*) FILTER (WHERE outcome = 'unchanged') AS unchanged,
       count(*) FILTER (WHERE outcome = 'suppressed') AS suppressed,
       (SELECT count(*) FROM told) AS notifications,
       count(*) FILTER (WHERE outcome = 'new' AND severity = 'low') AS new_low,
       count(*) FILTER (WHERE outcome = 'new' AND severity = 'medium') AS new_medium,
       count(*) FILTER (WHERE outcome = 'new' AND severity = 'high') AS new_high,
       count(*) FILTER (WHERE outcome = 'new' AND severity = 'critical') AS new_critical
  FROM verdict

-- name: resolve_gone
-- Resolves what this agent had found and, in a run in which every subject was
-- looked at, finds no more: a feed of yesterday's risks helps nobody.
-- args: run uuid, agent text
WITH gone AS (
  UPDATE agent_insights i SET state = 'resolved'
   WHERE i.workspace_id = gnomon.workspace() AND i.agent_key = :agent AND i.state IN ('open', 'acknowledged')
     AND NOT EXISTS (SELECT FROM insight_sightings g
                      WHERE g.workspace_id = gnomon.workspace() AND g.agent_run_id = :run AND g.insight_id = i.id)
  RETURNING i.severity)
SELECT count(*) AS resolved, count(*) FILTER (WHERE severity = 'low') AS low, count(*) FILTER (WHERE severity = 'medium') AS medium,
       count(*) FILTER (WHERE severity = 'high') AS high, count(*) FILTER (WHERE severity = 'critical') AS critical
  FROM gone

-- name: finish_agent_run
-- Ends a run: its packet, status, counts and timings.
-- args: run uuid, status text, summary text, stats jsonb, error text, facts jsonb, thresholds jsonb
WITH packet AS (
  INSERT INTO agent_packets (workspace_id, agent_run_id, facts, thresholds, as_of)
  SELECT gnomon.workspace(), :run, :facts, :thresholds, gnomon.now()
  ON CONFLICT (workspace_id, agent_run_id) DO UPDATE SET facts = excluded.facts, thresholds = excluded.thresholds
)
UPDATE agent_runs r
   SET status = :status, summary = :summary, stats = :stats, error = :error,
       completed_at = clock_timestamp() - pg_catalog.now() + gnomon.now()
 WHERE r.workspace_id = gnomon.workspace() AND r.id = :run
RETURNING r.number

-- name: fail_agent_run
-- Marks a run as failed, so that people see why while it waits for its retry.
-- args: agent text, period text, error text
UPDATE agent_runs r SET status = 'failed', error = :error, completed_at = gnomon.now()
  FROM agent_run_periods p
 WHERE p.workspace_id = gnomon.workspace() AND p.agent_key = :agent AND p.period_bucket = :period
   AND r.workspace_id = p.workspace_id AND r.id = p.agent_run_id AND r.status = 'running'
