-- GET /api/v1/projects/{project}/sprints                          list_sprints
-- The project's sprints, latest first.
-- role:   viewer
-- query:  status sprint_status[]
-- order:  latest = s.number int4 desc
-- reply:  200 page of Sprint
SELECT s.id, s.number, s.name, s.goal, s.status, s.start_date AS "startDate", s.end_date AS "endDate", s.capacity,
       s.started_at AS "startedAt", s.completed_at AS "completedAt", s.version
  FROM sprints s
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project()
   {status: AND s.status = ANY(:status)}
 {page}

-- GET /api/v1/projects/{project}/sprints/{sprint}                   get_sprint
-- A sprint with its stories and totals.
-- role:   viewer
-- path:   {sprint} key
-- query:  asOf moment
-- reply:  200 SprintDetail
SELECT s.id, s.number, s.name, s.goal, s.status, s.start_date AS "startDate", s.end_date AS "endDate", s.capacity,
       s.started_at AS "startedAt", s.completed_at AS "completedAt", s.version
  FROM {asOf: asof.}sprints s
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project()
   AND {sprint: s.id = :sprint | s.number = :sprint_number}
-- part: totals one
SELECT count(*) AS stories,
       coalesce(sum(coalesce(i.final_estimate, t.estimate)), 0) AS points,
       count(*) FILTER (WHERE t.status = 'done') AS "doneStories",
       coalesce(sum(coalesce(i.final_estimate, t.estimate)) FILTER (WHERE t.status = 'done'), 0) AS "donePoints",
       count(*) FILTER (WHERE i.added_at > s.started_at) AS "addedStories"
  FROM {asOf: asof.}sprints s
  JOIN {asOf: asof.}sprint_items i ON i.workspace_id = s.workspace_id AND i.sprint_id = s.id AND i.removed_at IS NULL
  JOIN {asOf: asof.}stories t ON t.workspace_id = i.workspace_id AND t.id = i.story_id
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project()
   AND {sprint: s.id = :sprint | s.number = :sprint_number}
-- part: items list
SELECT t.id, t.number, p.key || '-' || t.number AS key, t.title, t.status, t.priority, t.estimate,
       i.original_estimate AS "originalEstimate", i.final_estimate AS "finalEstimate",
       i.added_at AS "addedAt", i.completed_at AS "completedAt", u.id AS "assignee.id", u.name AS "assignee.name"
  FROM {asOf: asof.}sprints s
  JOIN {asOf: asof.}sprint_items i ON i.workspace_id = s.workspace_id AND i.sprint_id = s.id AND i.removed_at IS NULL
  JOIN {asOf: asof.}stories t ON t.workspace_id = i.workspace_id AND t.id = i.story_id
  JOIN projects p ON p.workspace_id = t.workspace_id AND p.id = t.project_id
  LEFT JOIN users u ON u.id = t.assignee_id
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project()
   AND {sprint: s.id = :sprint | s.number = :sprint_number}
 ORDER BY t.number
