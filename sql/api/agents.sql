-- GET /api/v1/workspaces/{ws}/agents/runs                      list_agent_runs
-- What the agents did, newest first.
-- role:   viewer
-- query:  agentKey text(1..64), status run_status[]
-- order:  newest = r.id uuid desc
-- reply:  200 page of AgentRun
SELECT r.id, r.number, r.agent_key AS "agentKey", r.status, r.trigger_type AS "triggerType",
       u.id AS "triggeredBy.id", u.name AS "triggeredBy.name", r.summary, r.stats, r.error,
       r.started_at AS "startedAt", r.completed_at AS "completedAt",
       (extract(epoch FROM r.completed_at - r.started_at) * 1000)::int8 AS "durationMs",
       (SELECT count(*) FROM insight_sightings g WHERE g.workspace_id = gnomon.workspace() AND g.agent_run_id = r.id) AS "insightCount",
       r.created_at AS "createdAt"
  FROM {status: (SELECT DISTINCT unnest(:status)) AS status (value),}
       LATERAL (SELECT * FROM agent_runs r
                 WHERE r.workspace_id = gnomon.workspace()
                   {agentKey: AND r.agent_key = :agentKey} {status: AND r.status = status.value}
                 {page}) r
  LEFT JOIN users u ON u.id = r.triggered_by
 WHERE true {page}

-- GET /api/v1/workspaces/{ws}/agents/runs/{run}                  get_agent_run
-- A run with its facts and what it found.
-- role:   viewer
-- path:   {run} key(R)
-- reply:  200 AgentRunDetail
SELECT r.id, r.number, r.agent_key AS "agentKey", r.status, r.trigger_type AS "triggerType",
       u.id AS "triggeredBy.id", u.name AS "triggeredBy.name", r.summary, r.stats, r.error,
       r.started_at AS "startedAt", r.completed_at AS "completedAt",
       (extract(epoch FROM r.completed_at - r.started_at) * 1000)::int8 AS "durationMs",
       (SELECT count(*) FROM insight_sightings g WHERE g.workspace_id = gnomon.workspace() AND g.agent_run_id = r.id) AS "insightCount",
       r.created_at AS "createdAt", k.facts, k.thresholds, k.as_of AS "asOf"
  FROM agent_runs r
  LEFT JOIN users u ON u.id = r.triggered_by
  LEFT JOIN agent_packets k ON k.workspace_id = r.workspace_id AND k.agent_run_id = r.id
 WHERE r.workspace_id = gnomon.workspace() AND {run: r.id = :run | r.number = :run_number}
-- part: insights list
SELECT i.id, i.number, i.severity, i.title, i.body, i.state, i.confidence, g.outcome, g.origin,
       i.recommendations, i.evidence, i.version
  FROM agent_runs r
  JOIN insight_sightings g ON g.workspace_id = r.workspace_id AND g.agent_run_id = r.id
  JOIN agent_insights i ON i.workspace_id = g.workspace_id AND i.id = g.insight_id
 WHERE r.workspace_id = gnomon.workspace() AND {run: r.id = :run | r.number = :run_number}
 ORDER BY gnomon.severity_rank(i.severity) DESC, i.number

-- POST /api/v1/workspaces/{ws}/agents/{agent}/run                    run_agent
-- Queues a run of an agent now, unless one that was asked for waits already: then
-- that is the reply. The worker takes it up within seconds.
-- role:   admin
-- path:   {agent} text(1..64)
-- reply:  202 QueuedJob
SELECT j.id AS "jobId", j.kind, j.state, j.created_at AS "createdAt" FROM gnomon.ask_for_run(:agent) j

-- GET /api/v1/workspaces/{ws}/agents/configs                list_agent_configs
-- The agents of the workspace, their schedules and when they run next.
-- role:   viewer
-- reply:  200 list of AgentConfig
SELECT c.id, c.agent_key AS "agentKey", c.enabled, c.schedule_cron AS "scheduleCron",
       gnomon.say_schedule(c.schedule_cron) AS "scheduleText", c.thresholds, c.delivery,
       gnomon.cron_next(c.schedule_cron, w.timezone, gnomon.now()) AS "nextRunAt"
  FROM agent_configs c JOIN workspaces w ON w.id = c.workspace_id
 WHERE c.workspace_id = gnomon.workspace()
 ORDER BY c.agent_key

-- PUT /api/v1/workspaces/{ws}/agents/configs/{agent}       update_agent_config
-- Switches an agent on or off, and sets when it runs, from which thresholds on it
-- speaks, and whom it tells. The schedule is a cron expression of five fields in
-- the workspace's time zone that fires every 15 minutes at most; fields left out keep
-- their value.
-- role:   admin
-- path:   {agent} text(1..64)
-- body:   AgentConfigPut
-- reply:  200 AgentConfig
WITH o AS MATERIALIZED (
  SELECT * FROM agent_configs c
   WHERE c.workspace_id = gnomon.workspace() AND c.agent_key = :agent
     FOR NO KEY UPDATE
), c AS (
  UPDATE agent_configs c
     SET enabled = b.enabled, thresholds = b.thresholds, delivery = b.delivery, updated_at = gnomon.now(),
         schedule_cron = CASE WHEN b.schedule_cron = o.schedule_cron THEN o.schedule_cron ELSE gnomon.checked_schedule(b.schedule_cron) END
    FROM o
   CROSS JOIN LATERAL jsonb_populate_record(NULL::agent_configs, to_jsonb(o) || :body) b
   WHERE c.workspace_id = gnomon.workspace() AND c.id = o.id
  RETURNING c.*)
SELECT c.id, c.agent_key AS "agentKey", c.enabled, c.schedule_cron AS "scheduleCron",
       gnomon.say_schedule(c.schedule_cron) AS "scheduleText", c.thresholds, c.delivery,
       gnomon.cron_next(c.schedule_cron, w.timezone, gnomon.now()) AS "nextRunAt",
       (SELECT count(*) FROM o
         CROSS JOIN LATERAL gnomon.changed_fields(to_jsonb(o) - 'updated_at', to_jsonb(c) - 'updated_at') d
         CROSS JOIN LATERAL gnomon.audit('agent.configured', 'agent_config', c.id, d || jsonb_build_object('agent', c.agent_key))
         WHERE d <> '{}') AS "~audited"
  FROM c JOIN workspaces w ON w.id = c.workspace_id
