-- GET /api/v1/projects/{project}/tasks                              list_tasks
-- The project's tasks, oldest first. assigneeId takes the word none: nobody's.
-- role:   viewer
-- query:  storyId uuid, status task_status[], assigneeId uuid(none)
-- order:  oldest = t.id uuid asc; newest = t.id uuid desc
-- reply:  200 page of Task
SELECT t.id, s.id AS "story.id", p.key || '-' || s.number AS "story.key", t.title, t.description, t.status, t.estimate,
       u.id AS "assignee.id", u.name AS "assignee.name", t.ai_generated AS "aiGenerated",
       t.created_at AS "createdAt", t.updated_at AS "updatedAt", t.version
  FROM projects p
 CROSS JOIN LATERAL (SELECT t.* FROM
   {status: (SELECT DISTINCT unnest(:status)) AS status (value) CROSS JOIN LATERAL} (
   SELECT * FROM tasks t
    WHERE t.workspace_id = gnomon.workspace() AND t.project_id = p.id AND t.deleted_at IS NULL
      {storyId: AND t.story_id = :storyId} {status: AND t.status = status.value}
      {assigneeId: AND t.assignee_id = :assigneeId | AND t.assignee_id IS NULL}
      AND (SELECT s.deleted_at IS NULL FROM stories s WHERE s.workspace_id = gnomon.workspace() AND s.id = t.story_id)
    {page}) t
   WHERE true {page}) t
  JOIN stories s ON s.workspace_id = t.workspace_id AND s.id = t.story_id
  LEFT JOIN users u ON u.id = t.assignee_id
 WHERE p.workspace_id = gnomon.workspace() AND p.id = gnomon.project() {page}

-- POST /api/v1/projects/{project}/tasks                            create_task
-- Adds a task below a story, behind its others.
-- role:   member
-- body:   TaskCreate
-- reply:  201 Task
WITH b AS (
  SELECT * FROM jsonb_to_record(:body) AS b (story_id uuid, title text, description text, status text, estimate float8, assignee_id uuid)
), s AS (
  SELECT s.workspace_id, s.project_id, s.id, s.number FROM stories s, b
   WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.id = b.story_id AND s.deleted_at IS NULL
), good AS MATERIALIZED (
  SELECT gnomon.must(EXISTS (SELECT FROM s), '/storyId: There is no such story in this project.') AS yes
), t AS (
  INSERT INTO tasks (workspace_id, project_id, story_id, title, description, status, estimate, assignee_id, position)
  SELECT s.workspace_id, s.project_id, s.id, b.title, coalesce(b.description, ''), coalesce(b.status, 'todo'), b.estimate, b.assignee_id, NULL
    FROM good CROSS JOIN b CROSS JOIN s
  RETURNING *)
SELECT t.id, s.id AS "story.id", p.key || '-' || s.number AS "story.key", t.title, t.description, t.status, t.estimate,
       u.id AS "assignee.id", u.name AS "assignee.name", t.ai_generated AS "aiGenerated",
       t.created_at AS "createdAt", t.updated_at AS "updatedAt", t.version
  FROM t JOIN s ON s.id = t.story_id
  JOIN projects p ON p.workspace_id = t.workspace_id AND p.id = t.project_id
  LEFT JOIN users u ON u.id = t.assignee_id
 LIMIT (SELECT 1 FROM good WHERE yes)

-- GET /api/v1/projects/{project}/tasks/{task}                          get_task
-- role:   viewer
-- path:   {task} uuid
-- reply:  200 Task
SELECT t.id, s.id AS "story.id", p.key || '-' || s.number AS "story.key", t.title, t.description, t.status, t.estimate,
       u.id AS "assignee.id", u.name AS "assignee.name", t.ai_generated AS "aiGenerated",
       t.created_at AS "createdAt", t.updated_at AS "updatedAt", t.version
  FROM tasks t
  JOIN stories s ON s.workspace_id = t.workspace_id AND s.id = t.story_id AND s.deleted_at IS NULL
  JOIN projects p ON p.workspace_id = t.workspace_id AND p.id = t.project_id
  LEFT JOIN users u ON u.id = t.assignee_id
 WHERE t.workspace_id = gnomon.workspace() AND t.project_id = gnomon.project() AND t.id = :task AND t.deleted_at IS NULL

-- PATCH /api/v1/projects/{project}/tasks/{task}                    update_task
-- Changes the fields given; a stale version is refused with the current copy.
-- role:   member
-- path:   {task} uuid
-- body:   TaskPatch
-- reply:  200 Task
WITH old AS MATERIALIZED (
  SELECT t.* FROM tasks t
    JOIN stories s ON s.workspace_id = t.workspace_id AND s.id = t.story_id AND s.deleted_at IS NULL
   WHERE t.workspace_id = gnomon.workspace() AND t.project_id = gnomon.project() AND t.id = :task AND t.deleted_at IS NULL
     FOR NO KEY UPDATE OF t
), new AS (
  UPDATE tasks t SET (title, description, status, estimate, assignee_id) =
         (SELECT b.title, b.description, b.status, b.estimate, b.assignee_id FROM jsonb_populate_record(t, :body - 'version') b)
    FROM old
   WHERE t.workspace_id = gnomon.workspace() AND t.id = old.id AND old.version = (:body ->> 'version')::integer
  RETURNING t.*
), t AS (
  SELECT NULL AS refused, new.* FROM new
  UNION ALL
  SELECT 'version_conflict', old.* FROM old WHERE NOT EXISTS (SELECT FROM new)
)
SELECT t.refused AS "!", t.id, s.id AS "story.id", p.key || '-' || s.number AS "story.key", t.title, t.description, t.status, t.estimate,
       u.id AS "assignee.id", u.name AS "assignee.name", t.ai_generated AS "aiGenerated",
       t.created_at AS "createdAt", t.updated_at AS "updatedAt", t.version
  FROM t
  JOIN stories s ON s.workspace_id = t.workspace_id AND s.id = t.story_id
  JOIN projects p ON p.workspace_id = t.workspace_id AND p.id = t.project_id
  LEFT JOIN users u ON u.id = t.assignee_id

-- PATCH /api/v1/projects/{project}/tasks/{task}/move                 move_task
-- Moves a task to a status, and before or after another task of its story.
-- role:   member
-- path:   {task} uuid
-- body:   TaskMove
-- reply:  200 Task
WITH t AS (
  SELECT m.refused, (m.task).*
    FROM tasks x
    JOIN stories s ON s.workspace_id = x.workspace_id AND s.id = x.story_id AND s.deleted_at IS NULL
   CROSS JOIN LATERAL gnomon.move_task(x.id, (:body ->> 'version')::integer, :body - 'version') m
   WHERE x.workspace_id = gnomon.workspace() AND x.project_id = gnomon.project() AND x.id = :task
)
SELECT t.refused AS "!", t.id, s.id AS "story.id", p.key || '-' || s.number AS "story.key", t.title, t.description, t.status, t.estimate,
       u.id AS "assignee.id", u.name AS "assignee.name", t.ai_generated AS "aiGenerated",
       t.created_at AS "createdAt", t.updated_at AS "updatedAt", t.version
  FROM t
  JOIN stories s ON s.workspace_id = t.workspace_id AND s.id = t.story_id
  JOIN projects p ON p.workspace_id = t.workspace_id AND p.id = t.project_id
  LEFT JOIN users u ON u.id = t.assignee_id

-- DELETE /api/v1/projects/{project}/tasks/{task}                   delete_task
-- Marks a task deleted; its history stays.
-- role:   member
-- path:   {task} uuid
-- reply:  204
UPDATE tasks t SET deleted_at = gnomon.now()
  FROM stories s
 WHERE t.workspace_id = gnomon.workspace() AND t.project_id = gnomon.project() AND t.id = :task AND t.deleted_at IS NULL
   AND s.workspace_id = t.workspace_id AND s.id = t.story_id AND s.deleted_at IS NULL
RETURNING t.id
