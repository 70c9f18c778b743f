-- GET /api/v1/projects/{project}/stories                          list_stories
-- The project's stories, newest first.
-- role:   viewer
-- query:  status story_status[], priority priority[], assigneeId uuid, epicId uuid, sprintId uuid, q text(1..200)
-- order:  newest = s.id uuid desc; oldest = s.id uuid asc; number = s.number int4 asc; updated = s.updated_at time desc, s.id uuid desc
-- cache:  project
-- reply:  200 page of StoryLine
SELECT s.id, s.number, p.key || '-' || s.number AS key, s.title, s.status, s.priority, s.estimate,
       s.due_date AS "dueDate", s.epic_id AS "epicId", u.id AS "assignee.id", u.name AS "assignee.name",
       s.created_at AS "createdAt", s.updated_at AS "updatedAt", s.version
  FROM projects p
 CROSS JOIN LATERAL (
   SELECT * FROM stories s
    WHERE s.workspace_id = gnomon.workspace() AND s.project_id = p.id AND s.deleted_at IS NULL AND {changed}
      {status: AND s.status = ANY(:status)} {priority: AND s.priority = ANY(:priority)}
      {assigneeId: AND s.assignee_id = :assigneeId} {epicId: AND s.epic_id = :epicId}
      {sprintId: AND EXISTS (SELECT FROM sprint_items i WHERE i.workspace_id = gnomon.workspace() AND i.story_id = s.id
                               AND i.sprint_id = :sprintId AND i.removed_at IS NULL)}
      {q: AND strpos(lower(s.title), lower(:q)) > 0}
    {page}) s
  LEFT JOIN users u ON u.id = s.assignee_id
 WHERE p.workspace_id = gnomon.workspace() AND p.id = gnomon.project() {page}

-- POST /api/v1/projects/{project}/stories                         create_story
-- Adds a story at the end of its column.
-- role:   member
-- body:   StoryCreate
-- reply:  201 Story
WITH b AS (
  SELECT * FROM jsonb_to_record(:body) AS b (title text, description text, status text, priority text, estimate float8,
    due_date date, assignee_id uuid, epic_id uuid, acceptance_criteria jsonb)
), s AS (
  INSERT INTO stories (workspace_id, project_id, title, description, status, priority, estimate, due_date,
                       assignee_id, epic_id, acceptance_criteria, position)
  SELECT gnomon.workspace(), gnomon.project(), b.title, coalesce(b.description, ''), coalesce(b.status, 'backlog'),
         coalesce(b.priority, 'medium'), b.estimate, b.due_date, b.assignee_id, b.epic_id,
         coalesce(b.acceptance_criteria, '[]'),
         coalesce((SELECT max(x.position) + 65536 FROM stories x
                    WHERE x.workspace_id = gnomon.workspace() AND x.project_id = gnomon.project()
                      AND x.status = coalesce(b.status, 'backlog') AND x.deleted_at IS NULL), 0)
    FROM b
  RETURNING *)
SELECT s.id, s.number, p.key || '-' || s.number AS key, s.title, s.description,
       s.acceptance_criteria AS "acceptanceCriteria", s.status, s.status_since AS "statusSince", s.priority, s.estimate,
       s.confidence, s.due_date AS "dueDate", s.epic_id AS "epicId", u.id AS "assignee.id", u.name AS "assignee.name",
       s.ai_generated AS "aiGenerated", s.created_at AS "createdAt", s.updated_at AS "updatedAt", s.version
  FROM s JOIN projects p ON p.workspace_id = s.workspace_id AND p.id = s.project_id
  LEFT JOIN users u ON u.id = s.assignee_id

-- GET /api/v1/projects/{project}/stories/{story}                     get_story
-- role:   viewer
-- path:   {story} key(story)
-- query:  asOf moment
-- reply:  200 Story
SELECT s.id, s.number, p.key || '-' || s.number AS key, s.title, s.description,
       s.acceptance_criteria AS "acceptanceCriteria", s.status, s.status_since AS "statusSince", s.priority, s.estimate,
       s.confidence, s.due_date AS "dueDate", s.epic_id AS "epicId", u.id AS "assignee.id", u.name AS "assignee.name",
       s.ai_generated AS "aiGenerated", s.created_at AS "createdAt", s.updated_at AS "updatedAt", s.version
  FROM {asOf: asof.}stories s JOIN projects p ON p.workspace_id = s.workspace_id AND p.id = s.project_id
  LEFT JOIN users u ON u.id = s.assignee_id
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   AND {story: s.id = :story | s.number = :story_number}

-- PATCH /api/v1/projects/{project}/stories/{story}                update_story
-- Changes the fields given. The version must be the one you saw: a stale one is
-- refused with the current copy.
-- role:   member
-- path:   {story} key(story)
-- body:   StoryPatch
-- reply:  200 Story
WITH old AS MATERIALIZED (
  SELECT s.* FROM stories s
   WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
     AND {story: s.id = :story | s.number = :story_number}
     FOR NO KEY UPDATE
), new AS (
  UPDATE stories s
     SET (title, description, acceptance_criteria, status, priority, estimate, due_date, assignee_id, epic_id) =
         (SELECT b.title, b.description, b.acceptance_criteria, b.status, b.priority, b.estimate, b.due_date, b.assignee_id, b.epic_id
            FROM jsonb_populate_record(s, :body - 'version') b)
    FROM old
   WHERE s.workspace_id = gnomon.workspace() AND s.id = old.id AND old.version = (:body ->> 'version')::integer
  RETURNING s.*
), s AS (
  SELECT NULL AS refused, new.* FROM new
  UNION ALL
  SELECT 'version_conflict', old.* FROM old WHERE NOT EXISTS (SELECT FROM new)
)
SELECT s.refused AS "!", s.id, s.number, p.key || '-' || s.number AS key, s.title, s.description,
       s.acceptance_criteria AS "acceptanceCriteria", s.status, s.status_since AS "statusSince", s.priority, s.estimate,
       s.confidence, s.due_date AS "dueDate", s.epic_id AS "epicId", u.id AS "assignee.id", u.name AS "assignee.name",
       s.ai_generated AS "aiGenerated", s.created_at AS "createdAt", s.updated_at AS "updatedAt", s.version
  FROM s JOIN projects p ON p.workspace_id = s.workspace_id AND p.id = s.project_id
  LEFT JOIN users u ON u.id = s.assignee_id
