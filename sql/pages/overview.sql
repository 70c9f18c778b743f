-- GET /w/{ws}                                                     show_overview
-- What needs attention in a workspace today.
-- role:   viewer
-- page:   overview
-- part: totals one
WITH open AS MATERIALIZED (
  SELECT i.severity, i.owner_user_id, i.created_at
    FROM agent_insights i
   WHERE i.workspace_id = gnomon.workspace() AND i.state = 'open'
), month AS (
  SELECT coalesce(sum(d.run_count), 0)::bigint AS calls, coalesce(sum(d.cost_micros), 0)::bigint AS cost,
         coalesce(sum(d.input_tokens + d.output_tokens), 0)::bigint AS tokens
    FROM ai_usage_daily d JOIN workspaces w ON w.id = d.workspace_id
   WHERE d.workspace_id = gnomon.workspace()
     AND d.day >= date_trunc('month', gnomon.now() AT TIME ZONE w.timezone)::date
), week AS (
  SELECT count(*) AS runs, count(*) FILTER (WHERE r.status = 'succeeded') AS succeeded,
         count(*) FILTER (WHERE r.status IN ('failed', 'partial')) AS troubled,
         count(*) FILTER (WHERE r.completed_at IS NOT NULL) AS ended
    FROM agent_runs r
   WHERE r.workspace_id = gnomon.workspace() AND r.created_at >= gnomon.now() - interval '7 days'
)
SELECT o.n AS "openCount", o.critical AS "criticalCount", o.recent AS "newCount",
       o.orphans AS "orphanCount", o.orphans = 1 AS "isOneOrphan",
       o.critical > 0 AS "hasCritical", o.recent > 0 AS "hasNew",
       m.calls AS "callCount", m.cost AS "costMicros", m.tokens AS "usedTokens",
       to_char(gnomon.now() AT TIME ZONE w.timezone, 'FMMonth') AS month,
       NOT EXISTS (SELECT FROM projects x WHERE x.workspace_id = w.id AND x.archived_at IS NULL) AS "isBare",
       k.runs AS "runCount", k.troubled AS "troubledCount",
       k.succeeded::double precision / nullif(k.ended, 0) AS "succeededShare",
       coalesce(p.enabled, false) AS "isAiOn",
       CASE WHEN p.monthly_token_budget > 0 THEN p.monthly_token_budget END AS "budgetTokens",
       coalesce(p.monthly_token_budget = -1, false) AS "isUnlimited",
       m.tokens::double precision / nullif(greatest(p.monthly_token_budget, 0), 0) AS "usedShare",
       least(100, m.tokens * 100 / nullif(greatest(p.monthly_token_budget, 0), 0))::integer AS "usedPercent"
  FROM workspaces w
  LEFT JOIN ai_workspace_policies p ON p.workspace_id = w.id
 CROSS JOIN month m
 CROSS JOIN week k
 CROSS JOIN (SELECT count(*) AS n, count(*) FILTER (WHERE severity = 'critical') AS critical,
                    count(*) FILTER (WHERE severity = 'critical' AND owner_user_id IS NULL) AS orphans,
                    count(*) FILTER (WHERE created_at >= gnomon.now() - interval '7 days') AS recent
               FROM open) o
 WHERE w.id = gnomon.workspace()

-- part: openTrend list chart sparkline
-- Insights not closed at the end of each of 14 days: what was there before the
-- first of them, plus what was found, less what was closed, day by day.
WITH first AS (
  SELECT w.id, w.timezone, (gnomon.now() AT TIME ZONE w.timezone)::date - 13 AS day FROM workspaces w WHERE w.id = gnomon.workspace()
), lives AS MATERIALIZED (
  SELECT greatest((i.created_at AT TIME ZONE f.timezone)::date, f.day) AS found_on,
         CASE WHEN i.state IN ('dismissed', 'resolved') THEN greatest((i.updated_at AT TIME ZONE f.timezone)::date, f.day) END AS closed_on
    FROM first f JOIN agent_insights i ON i.workspace_id = f.id
   WHERE i.state IN ('open', 'acknowledged') OR i.updated_at > gnomon.now() - interval '14 days'
), moves AS (
  SELECT m.day, sum(m.n) AS n
    FROM (SELECT found_on AS day, 1 AS n FROM lives UNION ALL SELECT closed_on, -1 FROM lives WHERE closed_on IS NOT NULL) m
   GROUP BY m.day
)
SELECT coalesce(sum(m.n) OVER (ORDER BY d.n), 0)::bigint AS value
  FROM first f CROSS JOIN generate_series(0, 13) d (n) LEFT JOIN moves m ON m.day = f.day + d.n
 ORDER BY d.n

-- part: runTrend list chart sparkline
SELECT count(r.id) AS value
  FROM workspaces w
 CROSS JOIN LATERAL (SELECT (gnomon.now() AT TIME ZONE w.timezone)::date - n AS day FROM generate_series(0, 13) n) d
  LEFT JOIN agent_runs r ON r.workspace_id = w.id AND r.created_at >= gnomon.now() - interval '15 days'
                        AND (r.created_at AT TIME ZONE w.timezone)::date = d.day
 WHERE w.id = gnomon.workspace()
 GROUP BY d.day ORDER BY d.day

-- part: costTrend list chart sparkline
SELECT coalesce(sum(u.cost_micros), 0)::bigint AS value
  FROM workspaces w
 CROSS JOIN LATERAL (SELECT (gnomon.now() AT TIME ZONE w.timezone)::date - n AS day FROM generate_series(0, 29) n) d
  LEFT JOIN ai_usage_daily u ON u.workspace_id = w.id AND u.day = d.day
 WHERE w.id = gnomon.workspace()
 GROUP BY d.day ORDER BY d.day

-- part: sprint list
-- The active sprint most at risk: the one with the most severe open insights.
-- None or one row.
SELECT s.id, s.number, s.name, s.goal, s.start_date AS "startDate", s.end_date AS "endDate", p.key AS "projectKey", p.name AS "projectName",
       c.total, c.remaining, c.story_count AS "storyCount", c.open_count AS "openCount", c.ahead AS "aheadCount", c.ahead = 1 AS "isLastDay",
       c.daily, c.missing, c.done_share AS "doneShare", c.is_empty AS "isEmpty", c.is_done AS "isDone", c.is_late AS "isLate",
       c.is_new AS "isNew", c.is_likely_to_miss AS "isLikelyToMiss", c.may_miss AS "mayMiss", c.is_on_course AS "isOnCourse"
  FROM (SELECT gnomon.riskiest_sprint() AS id) r
  JOIN sprints s ON s.workspace_id = gnomon.workspace() AND s.id = r.id
  JOIN projects p ON p.workspace_id = s.workspace_id AND p.id = s.project_id
 CROSS JOIN LATERAL gnomon.sprint_course(s.id) c

-- part: burn list chart burndown
SELECT b.day, b.is_today AS "isToday", b.remaining, b.ideal, b.scope, b.forecast_low AS "forecastLow", b.forecast_high AS "forecastHigh"
  FROM (SELECT gnomon.riskiest_sprint() AS id) r CROSS JOIN LATERAL gnomon.burndown(r.id) b
 ORDER BY b.day

-- part: pointTrend list chart sparkline
-- Points of that sprint not finished at the end of each day so far, for the
-- small line beside the number.
SELECT b.remaining AS value
  FROM (SELECT gnomon.riskiest_sprint() AS id) r CROSS JOIN LATERAL gnomon.burndown(r.id) b
 WHERE b.remaining IS NOT NULL
 ORDER BY b.day

-- part: decisions list
-- What waits for somebody: the most severe open insights, newest first.
SELECT i.number, i.title, i.severity, i.created_at AS "createdAt", upper(left(i.agent_key, 1)) || replace(substr(i.agent_key, 2), '_', ' ') AS "agentName",
       jsonb_array_length(i.evidence)::bigint AS "factCount", jsonb_array_length(i.evidence) = 1 AS "isOneFact",
       u.name AS "owner.name"
  FROM agent_insights i LEFT JOIN users u ON u.id = i.owner_user_id
 WHERE i.workspace_id = gnomon.workspace() AND i.state = 'open'
 ORDER BY gnomon.severity_rank(i.severity) DESC, i.id DESC
 LIMIT 5

-- part: runs list
SELECT r.number, r.status, upper(left(r.agent_key, 1)) || replace(substr(r.agent_key, 2), '_', ' ') AS "agentName", coalesce(r.started_at, r.created_at) AS "startedAt",
       (extract(epoch FROM r.completed_at - r.started_at) * 1000)::bigint AS "durationMs"
  FROM agent_runs r
 WHERE r.workspace_id = gnomon.workspace()
 ORDER BY r.id DESC
 LIMIT 6

-- part: agents list
-- When each agent that is on runs next; for the empty states.
SELECT upper(left(c.agent_key, 1)) || replace(substr(c.agent_key, 2), '_', ' ') AS name, t.fires_at AS "nextAt"
  FROM agent_configs c
  JOIN workspaces w ON w.id = c.workspace_id
 CROSS JOIN LATERAL gnomon.cron_next(c.schedule_cron, w.timezone, gnomon.now()) t (fires_at)
 WHERE c.workspace_id = gnomon.workspace() AND c.enabled AND t.fires_at IS NOT NULL
 ORDER BY t.fires_at

-- part: projects list
SELECT p.key, p.name, s.name AS "sprintName", n.insights AS "insightCount", t.open AS "openCount", t.done AS "doneCount"
  FROM projects p
  LEFT JOIN sprints s ON s.workspace_id = p.workspace_id AND s.project_id = p.id AND s.status = 'active'
 CROSS JOIN LATERAL (SELECT count(*) AS insights FROM agent_insights i
                      WHERE i.workspace_id = p.workspace_id AND i.state = 'open' AND i.project_id = p.id) n
 CROSS JOIN LATERAL (SELECT coalesce(sum(k.stories) FILTER (WHERE k.status <> 'done'), 0)::bigint AS open,
                            coalesce(sum(k.stories) FILTER (WHERE k.status = 'done'), 0)::bigint AS done
                       FROM story_tallies k WHERE k.workspace_id = p.workspace_id AND k.project_id = p.id) t
 WHERE p.workspace_id = gnomon.workspace() AND p.archived_at IS NULL
 ORDER BY p.key
 LIMIT 50
