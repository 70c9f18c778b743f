-- GET /w/{ws}/runs                                                show_runs
-- What the agents did, newest first, and when each runs next.
-- role:   viewer
-- page:   runs
-- use:    list_agent_runs as runs
-- query:  agentKey text(1..64)
-- part: agents list
SELECT c.agent_key AS key, upper(left(c.agent_key, 1)) || replace(substr(c.agent_key, 2), '_', ' ') AS name,
       {agentKey: c.agent_key = :agentKey OR} false AS "isChosen", c.enabled AS "isOn", c.schedule_cron AS schedule, gnomon.say_schedule(c.schedule_cron) AS "scheduleWords",
       CASE WHEN c.enabled THEN gnomon.cron_next(c.schedule_cron, w.timezone, gnomon.now()) END AS "nextAt"
  FROM agent_configs c
  JOIN workspaces w ON w.id = c.workspace_id
 WHERE c.workspace_id = gnomon.workspace()
 ORDER BY name

-- part: week one
SELECT count(*) AS "runCount", count(*) = 1 AS "isOne",
       count(*) FILTER (WHERE r.status = 'failed') AS "failedCount", count(*) FILTER (WHERE r.status = 'partial') AS "partialCount",
       count(*) FILTER (WHERE r.status IN ('queued', 'running')) AS "waitingCount"
  FROM agent_runs r
 WHERE r.workspace_id = gnomon.workspace() AND r.created_at >= gnomon.now() - interval '7 days'

-- part: waiting list
-- Runs asked for that no worker has begun.
SELECT upper(left(k.key, 1)) || replace(substr(k.key, 2), '_', ' ') AS name, j.created_at AS "queuedAt"
  FROM jobs j CROSS JOIN LATERAL (SELECT split_part(j.kind, ':', 2) AS key) k
 WHERE j.workspace_id = gnomon.workspace() AND j.kind LIKE 'agent:%' AND j.state = 'queued'
 ORDER BY j.created_at
 LIMIT 20

-- GET /w/{ws}/runs/{run}                                          show_run
-- One run: what the agent concluded, and from which facts.
-- role:   viewer
-- path:   {run} key(R)
-- page:   run
SELECT r.id, r.number, r.status, r.summary, r.error, r.trigger_type AS "triggerType", r.agent_key AS "agentKey",
       upper(left(r.agent_key, 1)) || replace(substr(r.agent_key, 2), '_', ' ') AS "agentName",
       r.started_at AS "startedAt", r.completed_at AS "completedAt", r.created_at AS "queuedAt",
       (extract(epoch FROM r.completed_at - r.started_at) * 1000)::bigint AS "durationMs",
       r.status = 'queued' AS "isQueued", r.status = 'running' AS "isRunning", r.status = 'failed' AS "isFailed",
       r.status = 'partial' AS "isPartial", r.status IN ('succeeded', 'partial') AS "hasResult",
       n.found AS "foundCount", n.found = 1 AS "isOneFound", n.fresh AS "newCount", n.again AS "againCount", n.quiet AS "quietCount",
       CASE WHEN jsonb_typeof(r.stats -> 'resolved') = 'number' THEN (r.stats ->> 'resolved')::bigint END AS "goneCount",
       coalesce(c.enabled, false) AS "isAgentOn", k.as_of AS "factsAt", length(k.facts::text)::bigint AS "packetCount", u.name AS "by.name"
  FROM agent_runs r
  LEFT JOIN agent_packets k ON k.workspace_id = r.workspace_id AND k.agent_run_id = r.id
  LEFT JOIN agent_configs c ON c.workspace_id = r.workspace_id AND c.agent_key = r.agent_key
  LEFT JOIN users u ON u.id = r.triggered_by
 CROSS JOIN LATERAL (
   SELECT count(*) FILTER (WHERE s.outcome <> 'suppressed') AS found, count(*) FILTER (WHERE s.outcome = 'new') AS fresh,
          count(*) FILTER (WHERE s.outcome IN ('updated', 'unchanged')) AS again, count(*) FILTER (WHERE s.outcome = 'suppressed') AS quiet
     FROM insight_sightings s WHERE s.workspace_id = r.workspace_id AND s.agent_run_id = r.id) n
 WHERE r.workspace_id = gnomon.workspace() {run: AND r.id = :run | AND r.number = :run_number}

-- part: conclusions list
SELECT i.id, i.number, i.title, i.severity, i.state, i.version, s.outcome, s.origin = 'model' AS "isDraft",
       i.state = 'open' AS "isOpen", i.agent_run_id <> r.id AS "isOlder"
  FROM agent_runs r
  JOIN insight_sightings s ON s.workspace_id = r.workspace_id AND s.agent_run_id = r.id AND s.outcome <> 'suppressed'
  JOIN agent_insights i ON i.workspace_id = s.workspace_id AND i.id = s.insight_id
 WHERE r.workspace_id = gnomon.workspace() {run: AND r.id = :run | AND r.number = :run_number}
 ORDER BY gnomon.severity_rank(i.severity) DESC, i.id
 LIMIT 20

-- part: words in conclusions by id
-- Each text, cut before its marks [n], as on the insight's own page.
SELECT i.id AS "~id", CASE WHEN m.n BETWEEN 1 AND jsonb_array_length(i.evidence) THEN m.n END AS n,
       CASE WHEN m.n BETWEEN 1 AND jsonb_array_length(i.evidence)
            THEN regexp_replace(t.text, '^\[\d+\]', '') ELSE t.text END AS text
  FROM (SELECT i.*
          FROM agent_runs r
          JOIN insight_sightings s ON s.workspace_id = r.workspace_id AND s.agent_run_id = r.id AND s.outcome <> 'suppressed'
          JOIN agent_insights i ON i.workspace_id = s.workspace_id AND i.id = s.insight_id
         WHERE r.workspace_id = gnomon.workspace() {run: AND r.id = :run | AND r.number = :run_number}
         ORDER BY gnomon.severity_rank(i.severity) DESC, i.id
         LIMIT 20) i
 CROSS JOIN LATERAL regexp_split_to_table(i.body, '(?=\[\d{1,3}\])') WITH ORDINALITY AS t (text, place)
 CROSS JOIN LATERAL (SELECT substring(t.text FROM '^\[(\d{1,3})\]')::integer AS n) m
 ORDER BY gnomon.severity_rank(i.severity) DESC, i.id, t.place

-- part: facts in conclusions by id
SELECT i.id AS "~id", i.number AS insight, f.place AS n, f.fact ->> 'id' AS fact, f.fact ->> 'label' AS label,
       f.fact ->> 'value' AS value, f.fact #>> '{ref,key}' AS "refKey",
       CASE f.fact #>> '{ref,type}'
            WHEN 'story' THEN format('/w/%s/p/%s/stories/%s', w.slug, split_part(f.fact #>> '{ref,key}', '-', 1), f.fact #>> '{ref,key}')
            WHEN 'sprint' THEN format('/w/%s/p/%s', w.slug, p.key)
            WHEN 'project' THEN format('/w/%s/p/%s', w.slug, f.fact #>> '{ref,key}') END AS href
  FROM (SELECT i.*
          FROM agent_runs r
          JOIN insight_sightings s ON s.workspace_id = r.workspace_id AND s.agent_run_id = r.id AND s.outcome <> 'suppressed'
          JOIN agent_insights i ON i.workspace_id = s.workspace_id AND i.id = s.insight_id
         WHERE r.workspace_id = gnomon.workspace() {run: AND r.id = :run | AND r.number = :run_number}
         ORDER BY gnomon.severity_rank(i.severity) DESC, i.id
         LIMIT 20) i
  JOIN workspaces w ON w.id = i.workspace_id
  LEFT JOIN projects p ON p.workspace_id = i.workspace_id AND p.id = i.project_id
 CROSS JOIN LATERAL jsonb_array_elements(i.evidence) WITH ORDINALITY AS f (fact, place)
 WHERE f.place <= 12
 ORDER BY gnomon.severity_rank(i.severity) DESC, i.id, f.place

-- part: timeline list
-- The steps of the run in order, each with the time at which it had ended.
SELECT k.step, (sum((r.stats ->> k.key)::bigint) OVER (ORDER BY k.place))::bigint AS "endMs"
  FROM agent_runs r
 CROSS JOIN LATERAL (VALUES
   (1, 'factsMs', format('facts gathered about %s', CASE r.stats ->> 'subjects' WHEN '1' THEN 'one subject' ELSE coalesce(r.stats ->> 'subjects', 'all') || ' subjects' END)),
   (2, 'nativeMs', 'texts compared'),
   (3, 'findingsMs', format('rules applied, %s findings', r.stats ->> 'findings')),
   (4, 'publishMs', format('insights saved, %s messages left', coalesce(r.stats ->> 'notifications', 'no')))) AS k (place, key, step)
 WHERE r.workspace_id = gnomon.workspace() {run: AND r.id = :run | AND r.number = :run_number}
   AND jsonb_typeof(r.stats -> k.key) = 'number'
 ORDER BY k.place

-- part: packet list
-- The beginning of the facts as they were, for whoever wants to see them raw.
SELECT left(jsonb_pretty(k.facts), 4000) AS text, jsonb_pretty(k.thresholds) AS thresholds
  FROM agent_runs r JOIN agent_packets k ON k.workspace_id = r.workspace_id AND k.agent_run_id = r.id
 WHERE r.workspace_id = gnomon.workspace() {run: AND r.id = :run | AND r.number = :run_number}

-- POST /w/{ws}/agents/{agent}/run     form of run_agent, then /w/{ws}/runs
-- message: The run is queued. A worker takes it up within seconds.
-- path:   {agent} text(1..64)
-- page:   show_runs
