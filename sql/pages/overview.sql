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
-- None or one row. Its forecast is its own pace: points finished so far over
-- working days gone, carried on over the working days ahead (today is one).
WITH sprint AS (
  SELECT s.*, w.timezone, (gnomon.now() AT TIME ZONE w.timezone)::date AS today, p.key, p.name AS project
    FROM sprints s
    JOIN workspaces w ON w.id = s.workspace_id
    JOIN projects p ON p.workspace_id = s.workspace_id AND p.id = s.project_id AND p.archived_at IS NULL
   WHERE s.workspace_id = gnomon.workspace() AND s.status = 'active'
   ORDER BY (SELECT sum(4 ^ gnomon.severity_rank(i.severity)) FROM agent_insights i
              WHERE i.workspace_id = gnomon.workspace() AND i.state = 'open' AND i.sprint_id = s.id) DESC NULLS LAST,
            s.end_date, s.id
   LIMIT 1
), points AS (
  SELECT coalesce(sum(y.estimate), 0) AS total, coalesce(sum(y.estimate) FILTER (WHERE y.status <> 'done'), 0) AS remaining,
         count(y.id) AS stories, count(y.id) FILTER (WHERE y.status <> 'done') AS open
    FROM sprint s
    JOIN sprint_items i ON i.workspace_id = s.workspace_id AND i.sprint_id = s.id AND i.removed_at IS NULL
    JOIN stories y ON y.workspace_id = i.workspace_id AND y.id = i.story_id AND y.deleted_at IS NULL
), warning AS (    -- what the agent says of its pace
  SELECT max(gnomon.severity_rank(i.severity)) AS rank
    FROM sprint s
    JOIN agent_insights i ON i.workspace_id = s.workspace_id AND i.sprint_id = s.id
   WHERE i.state IN ('open', 'acknowledged') AND i.insight_type = 'velocity'
), days AS (
  SELECT count(*) FILTER (WHERE x.day < s.today) AS gone, count(*) FILTER (WHERE x.day >= s.today) AS ahead
    FROM sprint s CROSS JOIN LATERAL generate_series(s.start_date, s.end_date, interval '1 day') x (day)
   WHERE extract(isodow FROM x.day) < 6
), forecast AS (
  SELECT *, (total - remaining) / nullif(gone, 0) AS daily,
         greatest(0, remaining - ahead * (total - remaining) / nullif(gone, 0)) AS missing
    FROM points CROSS JOIN days
)
SELECT s.id, s.number, s.name, s.goal, s.start_date AS "startDate", s.end_date AS "endDate",
       s.key AS "projectKey", s.project AS "projectName",
       round(f.total::numeric, 1)::double precision AS total, round(f.remaining::numeric, 1)::double precision AS remaining,
       f.stories AS "storyCount", f.open AS "openCount", f.ahead AS "aheadCount", f.ahead = 1 AS "isLastDay",
       round(f.daily::numeric, 1)::double precision AS daily, round(f.missing::numeric)::double precision AS missing,
       CASE WHEN f.total > 0 THEN (f.total - f.remaining) / f.total END AS "doneShare",
       f.total = 0 AS "isEmpty", f.total > 0 AND f.remaining = 0 AS "isDone",
       f.remaining > 0 AND f.ahead = 0 AS "isLate",
       f.remaining > 0 AND f.ahead > 0 AND f.gone < 2 AND v.rank IS NULL AS "isNew",
       f.remaining > 0 AND f.ahead > 0 AND v.rank > 2 AS "isLikelyToMiss",
       f.remaining > 0 AND f.ahead > 0 AND f.gone > 1 AND (v.rank <= 2 OR v.rank IS NULL AND f.missing > f.total * 0.1) AS "mayMiss",
       f.remaining > 0 AND f.ahead > 0 AND f.gone > 1 AND v.rank IS NULL AND f.missing <= f.total * 0.1 AS "isOnCourse"
  FROM sprint s CROSS JOIN forecast f CROSS JOIN warning v

-- part: burn list chart burndown
-- That sprint, day by day: what was open at the end of each day, by the
-- stories' own history; where the straight line is; and the band in which the
-- pace so far, a quarter slower or faster, would end.
WITH sprint AS (
  SELECT s.*, w.timezone, (gnomon.now() AT TIME ZONE w.timezone)::date AS today
    FROM sprints s
    JOIN workspaces w ON w.id = s.workspace_id
    JOIN projects p ON p.workspace_id = s.workspace_id AND p.id = s.project_id AND p.archived_at IS NULL
   WHERE s.workspace_id = gnomon.workspace() AND s.status = 'active'
   ORDER BY (SELECT sum(4 ^ gnomon.severity_rank(i.severity)) FROM agent_insights i
              WHERE i.workspace_id = gnomon.workspace() AND i.state = 'open' AND i.sprint_id = s.id) DESC NULLS LAST,
            s.end_date, s.id
   LIMIT 1
), items AS MATERIALIZED (
  SELECT y.id, coalesce(y.estimate, 0) AS points, y.status, i.added_at, i.removed_at,
         (i.added_at AT TIME ZONE s.timezone)::date AS added_on, (i.removed_at AT TIME ZONE s.timezone)::date AS removed_on
    FROM sprint s
    JOIN sprint_items i ON i.workspace_id = s.workspace_id AND i.sprint_id = s.id
    JOIN stories y ON y.workspace_id = i.workspace_id AND y.id = i.story_id AND y.deleted_at IS NULL
), stays AS MATERIALIZED (
  SELECT i.id, e.created_at AS since, lead(e.created_at, 1, 'infinity') OVER (PARTITION BY i.id ORDER BY e.rev) AS until,
         e.changes -> 'status' ->> 1 AS status
    FROM items i
    JOIN events e ON e.workspace_id = gnomon.workspace() AND e.entity_id = i.id
   WHERE e.changes ? 'status'
), days AS (
  SELECT x.day::date AS day, x.day::date < s.today AS is_past, x.day::date = s.today AS is_today,
         ((x.day::date + 1)::timestamp AT TIME ZONE s.timezone) AS ends,
         count(*) FILTER (WHERE extract(isodow FROM x.day) < 6) OVER (ORDER BY x.day) AS worked,
         count(*) FILTER (WHERE extract(isodow FROM x.day) < 6) OVER () AS work,
         count(*) FILTER (WHERE extract(isodow FROM x.day) < 6 AND x.day::date < s.today) OVER () AS gone,
         count(*) FILTER (WHERE extract(isodow FROM x.day) < 6 AND x.day::date >= s.today) OVER (ORDER BY x.day) AS coming,
         x.day::date = s.start_date AS is_first
    FROM sprint s CROSS JOIN LATERAL generate_series(s.start_date, s.end_date, interval '1 day') x (day)
), now AS (
  SELECT sum(i.points) FILTER (WHERE i.removed_at IS NULL) AS total,
         sum(i.points) FILTER (WHERE i.removed_at IS NULL AND i.status <> 'done') AS remaining,
         sum(i.points) FILTER (WHERE i.added_on <= s.start_date) AS begun
    FROM sprint s CROSS JOIN items i
)
SELECT d.day, d.is_today AS "isToday",
       CASE WHEN d.is_past OR d.is_today THEN (
         SELECT coalesce(sum(i.points), 0) FROM items i
          WHERE i.added_at < d.ends AND (i.removed_at IS NULL OR i.removed_at >= d.ends)
            AND NOT EXISTS (SELECT FROM stays y WHERE y.id = i.id AND y.status = 'done' AND y.since < d.ends AND y.until >= d.ends))
       END AS remaining,
       round((n.begun * (d.work - d.worked) / nullif(d.work, 0))::numeric, 1)::double precision AS ideal,
       nullif((SELECT coalesce(sum(i.points) FILTER (WHERE i.added_on = d.day), 0) - coalesce(sum(i.points) FILTER (WHERE i.removed_on = d.day), 0)
                 FROM items i WHERE NOT d.is_first), 0) AS scope,
       CASE WHEN NOT d.is_past AND d.gone > 0
            THEN round(greatest(0, n.remaining - 1.25 * d.coming * (n.total - n.remaining) / d.gone)::numeric, 1)::double precision END AS "forecastLow",
       CASE WHEN NOT d.is_past AND d.gone > 0
            THEN round(greatest(0, n.remaining - 0.75 * d.coming * (n.total - n.remaining) / d.gone)::numeric, 1)::double precision END AS "forecastHigh"
  FROM days d CROSS JOIN now n
 ORDER BY d.day

-- part: pointTrend list chart sparkline
-- Points of that sprint not finished at the end of each day so far, for the
-- small line beside the number (a story reopened since counts as open).
WITH sprint AS (
  SELECT s.*, w.timezone, (gnomon.now() AT TIME ZONE w.timezone)::date AS today
    FROM sprints s
    JOIN workspaces w ON w.id = s.workspace_id
    JOIN projects p ON p.workspace_id = s.workspace_id AND p.id = s.project_id AND p.archived_at IS NULL
   WHERE s.workspace_id = gnomon.workspace() AND s.status = 'active'
   ORDER BY (SELECT sum(4 ^ gnomon.severity_rank(i.severity)) FROM agent_insights i
              WHERE i.workspace_id = gnomon.workspace() AND i.state = 'open' AND i.sprint_id = s.id) DESC NULLS LAST,
            s.end_date, s.id
   LIMIT 1
), items AS MATERIALIZED (
  SELECT y.estimate, i.added_at, i.removed_at, CASE WHEN y.status = 'done' THEN y.status_since END AS done_at
    FROM sprint s
    JOIN sprint_items i ON i.workspace_id = s.workspace_id AND i.sprint_id = s.id
    JOIN stories y ON y.workspace_id = i.workspace_id AND y.id = i.story_id AND y.deleted_at IS NULL
)
SELECT coalesce(sum(i.estimate), 0) AS value
  FROM sprint s
 CROSS JOIN LATERAL generate_series(s.start_date, least(s.today, s.end_date), interval '1 day') x (day)
 CROSS JOIN LATERAL (SELECT (x.day::date + 1)::timestamp AT TIME ZONE s.timezone AS ends) d
  LEFT JOIN items i ON i.added_at < d.ends AND (i.removed_at IS NULL OR i.removed_at >= d.ends)
                   AND (i.done_at IS NULL OR i.done_at >= d.ends)
 GROUP BY x.day
 ORDER BY x.day

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
 CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE y.status <> 'done') AS open, count(*) FILTER (WHERE y.status = 'done') AS done
                       FROM stories y WHERE y.workspace_id = p.workspace_id AND y.project_id = p.id AND y.deleted_at IS NULL) t
 WHERE p.workspace_id = gnomon.workspace() AND p.archived_at IS NULL
 ORDER BY p.key
 LIMIT 50
