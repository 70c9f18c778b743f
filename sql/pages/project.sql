-- GET /w/{ws}/p/{project}                                         show_project
-- A project at a glance: its sprint, its columns, its open insights.
-- role:   viewer
-- page:   project
-- part: totals one
SELECT p.description, coalesce(sum(n.stories) FILTER (WHERE n.status <> 'done'), 0)::bigint AS "openCount",
       coalesce(sum(n.stories) FILTER (WHERE n.status = 'done'), 0)::bigint AS "doneCount",
       coalesce(sum(n.stories), 0)::bigint AS "storyCount", coalesce(sum(n.stories), 0) = 1 AS "isOneStory",
       coalesce(sum(n.stories) FILTER (WHERE n.status IN ('in_progress', 'review')), 0)::bigint AS "activeCount",
       round(coalesce(sum(n.points) FILTER (WHERE n.status <> 'done'), 0), 1)::double precision AS "openPoints",
       (SELECT count(*) FROM agent_insights i WHERE i.workspace_id = p.workspace_id AND i.state = 'open' AND i.project_id = p.id) AS "insightCount",
       (SELECT count(*) FROM agent_insights i WHERE i.workspace_id = p.workspace_id AND i.state = 'open' AND i.project_id = p.id) = 1 AS "isOneInsight",
       u.name AS "owner.name"
  FROM projects p
  LEFT JOIN users u ON u.id = p.owner_id
  LEFT JOIN story_tallies n ON n.workspace_id = p.workspace_id AND n.project_id = p.id
 WHERE p.workspace_id = gnomon.workspace() AND p.id = gnomon.project()
 GROUP BY p.workspace_id, p.id, u.name

-- part: sprint list
-- The active sprint; none or one row.
SELECT s.id, s.number, s.name, s.goal, s.start_date AS "startDate", s.end_date AS "endDate", p.key AS "projectKey", p.name AS "projectName",
       c.total, c.remaining, c.story_count AS "storyCount", c.open_count AS "openCount", c.ahead AS "aheadCount", c.ahead = 1 AS "isLastDay",
       c.daily, c.missing, c.done_share AS "doneShare", c.is_empty AS "isEmpty", c.is_done AS "isDone", c.is_late AS "isLate",
       c.is_new AS "isNew", c.is_likely_to_miss AS "isLikelyToMiss", c.may_miss AS "mayMiss", c.is_on_course AS "isOnCourse"
  FROM sprints s
  JOIN projects p ON p.workspace_id = s.workspace_id AND p.id = s.project_id
 CROSS JOIN LATERAL gnomon.sprint_course(s.id) c
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.status = 'active'

-- part: burn list chart burndown
SELECT b.day, b.is_today AS "isToday", b.remaining, b.ideal, b.scope, b.forecast_low AS "forecastLow", b.forecast_high AS "forecastHigh"
  FROM sprints s CROSS JOIN LATERAL gnomon.burndown(s.id) b
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.status = 'active'
 ORDER BY b.day

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
SELECT s.number, s.name, s.status, s.start_date AS "startDate", s.end_date AS "endDate", n.points AS total, n.done_points AS finished
  FROM (SELECT * FROM sprints s
         WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
         ORDER BY s.start_date DESC, s.number DESC LIMIT 12) s
 CROSS JOIN LATERAL gnomon.sprint_numbers(s.id) n
 ORDER BY s.start_date DESC, s.number DESC
