-- GET /w/{ws}/p/{project}                                         show_project
-- A project at a glance: its sprint, its columns, its open insights.
-- role:   viewer
-- page:   project
-- part: totals one
SELECT p.description, coalesce(sum(n.n) FILTER (WHERE n.status <> 'done'), 0)::bigint AS "openCount",
       coalesce(sum(n.n) FILTER (WHERE n.status = 'done'), 0)::bigint AS "doneCount",
       coalesce(sum(n.n), 0)::bigint AS "storyCount",
       coalesce(sum(n.n) FILTER (WHERE n.status IN ('in_progress', 'review')), 0)::bigint AS "activeCount",
       round(coalesce(sum(n.points) FILTER (WHERE n.status <> 'done'), 0)::numeric, 1)::double precision AS "openPoints",
       (SELECT count(*) FROM agent_insights i WHERE i.workspace_id = p.workspace_id AND i.state = 'open' AND i.project_id = p.id) AS "insightCount",
       (SELECT count(*) FROM agent_insights i WHERE i.workspace_id = p.workspace_id AND i.state = 'open' AND i.project_id = p.id) = 1 AS "isOneInsight",
       u.name AS "owner.name"
  FROM projects p
  LEFT JOIN users u ON u.id = p.owner_id
  LEFT JOIN LATERAL (SELECT s.status, count(*) AS n, sum(s.estimate) AS points FROM stories s
                      WHERE s.workspace_id = p.workspace_id AND s.project_id = p.id AND s.deleted_at IS NULL GROUP BY s.status) n ON true
 WHERE p.workspace_id = gnomon.workspace() AND p.id = gnomon.project()
 GROUP BY p.workspace_id, p.id, u.name

-- part: sprint list
-- The active sprint; none or one row. Its forecast is its own pace: points finished so far over
-- working days gone, carried on over the working days ahead (today is one).
WITH sprint AS (
  SELECT s.*, w.timezone, (gnomon.now() AT TIME ZONE w.timezone)::date AS today, p.key, p.name AS project
    FROM sprints s
    JOIN workspaces w ON w.id = s.workspace_id
    JOIN projects p ON p.workspace_id = s.workspace_id AND p.id = s.project_id
   WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.status = 'active'
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
-- The sprint, day by day: what was open at the end of each day, by the
-- stories' own history; where the straight line is; and the band in which the
-- pace so far, a quarter slower or faster, would end.
WITH sprint AS (
  SELECT s.*, w.timezone, (gnomon.now() AT TIME ZONE w.timezone)::date AS today
    FROM sprints s
    JOIN workspaces w ON w.id = s.workspace_id
    JOIN projects p ON p.workspace_id = s.workspace_id AND p.id = s.project_id
   WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.status = 'active'
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

-- part: decisions list
SELECT i.number, i.title, i.severity, i.created_at AS "createdAt",
       upper(left(i.agent_key, 1)) || replace(substr(i.agent_key, 2), '_', ' ') AS "agentName",
       jsonb_array_length(i.evidence)::bigint AS "factCount", jsonb_array_length(i.evidence) = 1 AS "isOneFact",
       u.name AS "owner.name"
  FROM agent_insights i LEFT JOIN users u ON u.id = i.owner_user_id
 WHERE i.workspace_id = gnomon.workspace() AND i.project_id = gnomon.project() AND i.state = 'open'
 ORDER BY gnomon.severity_rank(i.severity) DESC, i.id DESC
 LIMIT 5

-- part: sprints list
SELECT s.number, s.name, s.status, s.start_date AS "startDate", s.end_date AS "endDate",
       round(coalesce(t.total, 0)::numeric, 1)::double precision AS total, round(coalesce(t.finished, 0)::numeric, 1)::double precision AS finished
  FROM sprints s
 CROSS JOIN LATERAL (
   SELECT sum(coalesce(i.final_estimate, y.estimate)) AS total,
          sum(coalesce(i.final_estimate, y.estimate)) FILTER (WHERE CASE WHEN s.status = 'completed' THEN i.completed_at IS NOT NULL ELSE y.status = 'done' END) AS finished
     FROM sprint_items i JOIN stories y ON y.workspace_id = i.workspace_id AND y.id = i.story_id AND y.deleted_at IS NULL
    WHERE i.workspace_id = s.workspace_id AND i.sprint_id = s.id AND i.removed_at IS NULL) t
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project()
 ORDER BY s.start_date DESC, s.number DESC
 LIMIT 12
