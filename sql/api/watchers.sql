-- GET /api/v1/projects/{project}/stories/{story}/watchers          list_story_watchers
-- Who watches a story, in the order they began.
-- role:   viewer
-- path:   {story} key(story)
-- reply:  200 list of Watcher
SELECT u.id, u.name, w.since
  FROM stories s
  JOIN watchers w ON w.workspace_id = s.workspace_id AND w.entity_id = s.id
  JOIN users u ON u.id = w.user_id
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   AND {story: s.id = :story | s.number = :story_number}
 ORDER BY w.since, u.id
 LIMIT 200

-- part: story needed
SELECT s.id FROM stories s
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   AND {story: s.id = :story | s.number = :story_number}

-- PUT /api/v1/projects/{project}/stories/{story}/watch             watch_story
-- Watches a story: its changes reach you as notifications.
-- role:   viewer
-- path:   {story} key(story)
-- reply:  204
SELECT gnomon.watch('story', s.id) AS "isWatching"
  FROM stories s
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   AND {story: s.id = :story | s.number = :story_number}

-- DELETE /api/v1/projects/{project}/stories/{story}/watch          unwatch_story
-- Stops watching a story.
-- role:   viewer
-- path:   {story} key(story)
-- reply:  204
SELECT gnomon.unwatch(s.id) AS "isWatching"
  FROM stories s
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   AND {story: s.id = :story | s.number = :story_number}

-- GET /api/v1/projects/{project}/epics/{epic}/watchers             list_epic_watchers
-- Who watches an epic, in the order they began.
-- role:   viewer
-- path:   {epic} key(E)
-- reply:  200 list of Watcher
SELECT u.id, u.name, w.since
  FROM epics s
  JOIN watchers w ON w.workspace_id = s.workspace_id AND w.entity_id = s.id
  JOIN users u ON u.id = w.user_id
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   AND {epic: s.id = :epic | s.number = :epic_number}
 ORDER BY w.since, u.id
 LIMIT 200

-- part: epic needed
SELECT s.id FROM epics s
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   AND {epic: s.id = :epic | s.number = :epic_number}

-- PUT /api/v1/projects/{project}/epics/{epic}/watch                watch_epic
-- Watches an epic: its changes reach you as notifications.
-- role:   viewer
-- path:   {epic} key(E)
-- reply:  204
SELECT gnomon.watch('epic', s.id) AS "isWatching"
  FROM epics s
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   AND {epic: s.id = :epic | s.number = :epic_number}

-- DELETE /api/v1/projects/{project}/epics/{epic}/watch             unwatch_epic
-- Stops watching an epic.
-- role:   viewer
-- path:   {epic} key(E)
-- reply:  204
SELECT gnomon.unwatch(s.id) AS "isWatching"
  FROM epics s
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   AND {epic: s.id = :epic | s.number = :epic_number}

-- GET /api/v1/projects/{project}/sprints/{sprint}/watchers         list_sprint_watchers
-- Who watches a sprint, in the order they began.
-- role:   viewer
-- path:   {sprint} key
-- reply:  200 list of Watcher
SELECT u.id, u.name, w.since
  FROM sprints s
  JOIN watchers w ON w.workspace_id = s.workspace_id AND w.entity_id = s.id
  JOIN users u ON u.id = w.user_id
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   AND {sprint: s.id = :sprint | s.number = :sprint_number}
 ORDER BY w.since, u.id
 LIMIT 200

-- part: sprint needed
SELECT s.id FROM sprints s
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   AND {sprint: s.id = :sprint | s.number = :sprint_number}

-- PUT /api/v1/projects/{project}/sprints/{sprint}/watch            watch_sprint
-- Watches a sprint: its changes reach you as notifications.
-- role:   viewer
-- path:   {sprint} key
-- reply:  204
SELECT gnomon.watch('sprint', s.id) AS "isWatching"
  FROM sprints s
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   AND {sprint: s.id = :sprint | s.number = :sprint_number}

-- DELETE /api/v1/projects/{project}/sprints/{sprint}/watch         unwatch_sprint
-- Stops watching a sprint.
-- role:   viewer
-- path:   {sprint} key
-- reply:  204
SELECT gnomon.unwatch(s.id) AS "isWatching"
  FROM sprints s
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   AND {sprint: s.id = :sprint | s.number = :sprint_number}

-- GET /api/v1/workspaces/{ws}/objectives/{objective}/watchers      list_objective_watchers
-- Who watches an objective, in the order they began.
-- role:   viewer
-- path:   {objective} key(O)
-- reply:  200 list of Watcher
SELECT u.id, u.name, w.since
  FROM objectives s
  JOIN watchers w ON w.workspace_id = s.workspace_id AND w.entity_id = s.id
  JOIN users u ON u.id = w.user_id
 WHERE s.workspace_id = gnomon.workspace() AND s.deleted_at IS NULL
   AND {objective: s.id = :objective | s.number = :objective_number}
 ORDER BY w.since, u.id
 LIMIT 200

-- part: objective needed
SELECT s.id FROM objectives s
 WHERE s.workspace_id = gnomon.workspace() AND s.deleted_at IS NULL
   AND {objective: s.id = :objective | s.number = :objective_number}

-- PUT /api/v1/workspaces/{ws}/objectives/{objective}/watch         watch_objective
-- Watches an objective: its changes reach you as notifications.
-- role:   viewer
-- path:   {objective} key(O)
-- reply:  204
SELECT gnomon.watch('objective', s.id) AS "isWatching"
  FROM objectives s
 WHERE s.workspace_id = gnomon.workspace() AND s.deleted_at IS NULL
   AND {objective: s.id = :objective | s.number = :objective_number}

-- DELETE /api/v1/workspaces/{ws}/objectives/{objective}/watch      unwatch_objective
-- Stops watching an objective.
-- role:   viewer
-- path:   {objective} key(O)
-- reply:  204
SELECT gnomon.unwatch(s.id) AS "isWatching"
  FROM objectives s
 WHERE s.workspace_id = gnomon.workspace() AND s.deleted_at IS NULL
   AND {objective: s.id = :objective | s.number = :objective_number}
