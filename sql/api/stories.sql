-- GET /api/v1/projects/{project}/stories                          list_stories
-- The project's stories, newest first. assigneeId, epicId and sprintId take the word none: nobody's,
-- in no epic, in no sprint that is not over.
-- role:   viewer
-- query:  status story_status[], priority priority[], assigneeId uuid(none), epicId uuid(none), sprintId uuid(none), labelId uuid[], dueBefore date, q text(1..200)
-- order:  newest = s.id uuid desc; oldest = s.id uuid asc; number = s.number int4 asc; updated = s.updated_at time desc, s.id uuid desc; priority = gnomon.priority_rank(s.priority)~priorityRank int4 desc, s.id uuid desc; due = coalesce(s.due_date,'infinity')~dueOrder date asc, s.id uuid asc; position = s.status text asc, s.position int asc, s.id uuid asc
-- cache:  project
-- reply:  200 page of StoryLine
SELECT s.id, s.number, p.key || '-' || s.number AS key, s.title, s.status, s.priority, s.estimate,
       s.due_date AS "dueDate", s.epic_id AS "epicId", u.id AS "assignee.id", u.name AS "assignee.name",
       CASE WHEN s.label_ids = '{}' THEN '[]'::jsonb ELSE gnomon.labels_of(s.label_ids) END AS labels,
       s.task_count AS "taskCount", s.task_done_count AS "taskDoneCount",
       s.created_at AS "createdAt", s.updated_at AS "updatedAt", s.version,
       gnomon.priority_rank(s.priority) AS "~priorityRank", coalesce(s.due_date, 'infinity') AS "~dueOrder", s.position AS "~position"
  FROM projects p
 CROSS JOIN LATERAL (SELECT s.* FROM
   {status: (SELECT DISTINCT unnest(:status)) AS status (value) CROSS JOIN LATERAL}
   {priority: (SELECT DISTINCT unnest(:priority)) AS priority (value) CROSS JOIN LATERAL} (
   SELECT * FROM stories s
    WHERE s.workspace_id = gnomon.workspace() AND s.project_id = p.id AND s.deleted_at IS NULL AND {changed}
      {status: AND s.status = status.value} {priority: AND gnomon.priority_rank(s.priority) = gnomon.priority_rank(priority.value)}
      {assigneeId: AND s.assignee_id = :assigneeId | AND s.assignee_id IS NULL}
      {epicId: AND s.epic_id = :epicId | AND s.epic_id IS NULL}
      {sprintId: AND EXISTS (SELECT FROM sprint_items i WHERE i.workspace_id = gnomon.workspace() AND i.story_id = s.id
                               AND i.sprint_id = :sprintId AND i.removed_at IS NULL)
       | AND NOT EXISTS (SELECT FROM sprint_items i JOIN sprints n ON n.workspace_id = i.workspace_id AND n.id = i.sprint_id AND n.status <> 'completed'
                          WHERE i.workspace_id = gnomon.workspace() AND i.story_id = s.id AND i.removed_at IS NULL)}
      {labelId: AND EXISTS (SELECT FROM story_labels l WHERE l.workspace_id = gnomon.workspace() AND l.story_id = s.id AND l.label_id = ANY(:labelId))}
      {dueBefore: AND s.due_date < :dueBefore}
      {q: AND strpos(lower(s.title), lower(:q)) > 0}
    {page}) s
   WHERE true {page}) s
  LEFT JOIN users u ON u.id = s.assignee_id
 WHERE p.workspace_id = gnomon.workspace() AND p.id = gnomon.project() {page}

-- POST /api/v1/projects/{project}/stories                         create_story
-- Adds a story at the end of its column.
-- role:   member
-- body:   StoryCreate
-- reply:  201 Story
WITH b AS (
  SELECT * FROM jsonb_to_record(:body) AS b (title text, description text, status text, priority text, estimate float8, confidence smallint,
    due_date date, assignee_id uuid, epic_id uuid, acceptance_criteria jsonb, label_ids uuid[])
), s AS (
  INSERT INTO stories (workspace_id, project_id, title, description, status, priority, estimate, confidence, due_date,
                       assignee_id, epic_id, acceptance_criteria, label_ids, position)
  SELECT gnomon.workspace(), gnomon.project(), b.title, coalesce(b.description, ''), coalesce(b.status, 'backlog'),
         coalesce(b.priority, 'medium'), b.estimate, b.confidence, b.due_date, b.assignee_id, b.epic_id,
         coalesce(b.acceptance_criteria, '[]'), coalesce(b.label_ids, '{}'), NULL
    FROM b
  RETURNING *)
SELECT s.id, s.number, p.key || '-' || s.number AS key, s.title, s.description,
       s.acceptance_criteria AS "acceptanceCriteria", s.status, s.status_since AS "statusSince", s.priority, s.estimate,
       s.confidence, s.due_date AS "dueDate", s.epic_id AS "epicId", u.id AS "assignee.id", u.name AS "assignee.name",
       gnomon.labels_of(s.label_ids) AS labels, s.task_count AS "taskCount", s.task_done_count AS "taskDoneCount", '[]'::jsonb AS tasks,
       s.ai_generated AS "aiGenerated", s.created_at AS "createdAt", s.updated_at AS "updatedAt", s.version
  FROM s JOIN projects p ON p.workspace_id = s.workspace_id AND p.id = s.project_id
  LEFT JOIN users u ON u.id = s.assignee_id

-- PATCH /api/v1/projects/{project}/stories                        update_stories
-- Changes the fields given in up to 500 stories at once: one entry of history. Whatever
-- version they have. addLabelIds and removeLabelIds leave the other labels;
-- sprintId puts them into a sprint (null: takes them out) that is not over.
-- role:   member
-- body:   StoriesPatch
-- reply:  200 list of StoryPlace
WITH b AS (
  SELECT * FROM jsonb_to_record(:body) AS b (ids uuid[], sprint_id uuid, add_label_ids uuid[], remove_label_ids uuid[])
), old AS MATERIALIZED (
  SELECT s.id FROM stories s
   WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
     AND s.id = ANY ((SELECT ids FROM b)::uuid[])
   ORDER BY s.id FOR NO KEY UPDATE
), good AS MATERIALIZED (
  SELECT gnomon.must((SELECT count(*) FROM old) = cardinality(b.ids), '/ids: Some of these stories are not in this project. Load the list again.')
     AND gnomon.must(b.sprint_id IS NULL OR EXISTS (
           SELECT FROM sprints n WHERE n.workspace_id = gnomon.workspace() AND n.project_id = gnomon.project() AND n.id = b.sprint_id AND n.status <> 'completed' AND n.deleted_at IS NULL),
           '/sprintId: Choose a sprint that is not over.') AS yes
    FROM b
), new AS (
  UPDATE stories s
     SET (status, priority, estimate, due_date, assignee_id, epic_id, label_ids) =
         (SELECT n.status, n.priority, n.estimate, n.due_date, n.assignee_id, n.epic_id,
                 ARRAY(SELECT l FROM unnest(s.label_ids || b.add_label_ids) l WHERE l <> ALL (coalesce(b.remove_label_ids, '{}')))
            FROM jsonb_populate_record(s, :body - '{ids,sprint_id,add_label_ids,remove_label_ids}'::text[]) n)
    FROM old, b, good
   WHERE s.workspace_id = gnomon.workspace() AND s.id = old.id
  RETURNING s.*
), taken AS (
  UPDATE sprint_items i SET removed_at = gnomon.now(), final_estimate = s.estimate
    FROM b, good, sprints n, old, stories s
   WHERE :body ? 'sprint_id' AND b.sprint_id IS NULL AND s.workspace_id = gnomon.workspace() AND s.id = old.id
     AND i.workspace_id = gnomon.workspace() AND i.story_id = old.id AND i.removed_at IS NULL
     AND n.workspace_id = i.workspace_id AND n.id = i.sprint_id AND n.status <> 'completed'
), put AS MATERIALIZED (   -- with the estimates they have from now on
  SELECT count(*) AS n
    FROM good CROSS JOIN b CROSS JOIN (SELECT count(*) AS n FROM new) changed
   CROSS JOIN LATERAL gnomon.add_to_sprint(b.sprint_id, CASE WHEN changed.n > 0 THEN b.ids END) a WHERE b.sprint_id IS NOT NULL)
SELECT n.id, n.number, p.key || '-' || n.number AS key, n.status, n.version
  FROM new n JOIN projects p ON p.workspace_id = n.workspace_id AND p.id = n.project_id
 ORDER BY n.number
 LIMIT (SELECT 500 + 0 * (SELECT n FROM put) FROM good WHERE yes)

-- PATCH /api/v1/projects/{project}/stories/reorder                reorder_stories
-- Puts up to 500 stories of one column into the order given: they take each
-- other's places and nobody else's. All of them or none; one entry of history. It is no edit of a
-- single story: versions stay.
-- role:   member
-- body:   StoryOrder
-- reply:  200 list of StoryPlace
SELECT s.id, s.number, p.key || '-' || s.number AS key, s.status, s.version
  FROM gnomon.reorder_stories((SELECT b.ids FROM jsonb_to_record(:body) AS b (ids uuid[]))) s
  JOIN projects p ON p.workspace_id = s.workspace_id AND p.id = s.project_id
 ORDER BY s.position

-- GET /api/v1/projects/{project}/stories/{story}                     get_story
-- A story with its tasks.
-- role:   viewer
-- path:   {story} key(story)
-- query:  asOf moment
-- reply:  200 Story
SELECT s.id, s.number, p.key || '-' || s.number AS key, s.title, s.description,
       s.acceptance_criteria AS "acceptanceCriteria", s.status, s.status_since AS "statusSince", s.priority, s.estimate,
       s.confidence, s.due_date AS "dueDate", s.epic_id AS "epicId", u.id AS "assignee.id", u.name AS "assignee.name",
       gnomon.labels_of(s.label_ids) AS labels, s.task_count AS "taskCount", s.task_done_count AS "taskDoneCount",
       CASE s.task_count WHEN 0 THEN '[]'::jsonb ELSE gnomon.tasks_of(s.id) END AS tasks,
       s.ai_generated AS "aiGenerated", s.created_at AS "createdAt", s.updated_at AS "updatedAt", s.version
  FROM {asOf: asof.}stories s JOIN projects p ON p.workspace_id = s.workspace_id AND p.id = s.project_id
  LEFT JOIN users u ON u.id = s.assignee_id
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   AND {story: s.id = :story | s.number = :story_number}

-- PATCH /api/v1/projects/{project}/stories/{story}                update_story
-- Changes the fields given. The version must be the one you saw: a stale one is
-- refused with the current copy. With another status it goes to the end of that column.
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
     SET (title, description, acceptance_criteria, status, priority, estimate, confidence, due_date, assignee_id, epic_id, label_ids) =
         (SELECT b.title, b.description, b.acceptance_criteria, b.status, b.priority, b.estimate, b.confidence, b.due_date, b.assignee_id,
                 b.epic_id, b.label_ids
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
       gnomon.labels_of(s.label_ids) AS labels, s.task_count AS "taskCount", s.task_done_count AS "taskDoneCount",
       CASE s.task_count WHEN 0 THEN '[]'::jsonb ELSE gnomon.tasks_of(s.id) END AS tasks,
       s.ai_generated AS "aiGenerated", s.created_at AS "createdAt", s.updated_at AS "updatedAt", s.version
  FROM s JOIN projects p ON p.workspace_id = s.workspace_id AND p.id = s.project_id
  LEFT JOIN users u ON u.id = s.assignee_id

-- PATCH /api/v1/projects/{project}/stories/{story}/move           move_story
-- Moves a story to a column (status), an epic, and a place: before or after another story of the
-- column, said by id or key, or to its top or bottom. What is not given stays; into another
-- column without a place it goes to the bottom. A stale version is refused with the current copy.
-- role:   member
-- path:   {story} key(story)
-- body:   StoryMove
-- reply:  200 Story
WITH s AS (
  SELECT m.refused, (m.story).*
    FROM stories x
   CROSS JOIN LATERAL gnomon.move_story(x.id, (:body ->> 'version')::integer, :body - 'version') m
   WHERE x.workspace_id = gnomon.workspace() AND x.project_id = gnomon.project() AND {story: x.id = :story | x.number = :story_number}
)
SELECT s.refused AS "!", s.id, s.number, p.key || '-' || s.number AS key, s.title, s.description,
       s.acceptance_criteria AS "acceptanceCriteria", s.status, s.status_since AS "statusSince", s.priority, s.estimate,
       s.confidence, s.due_date AS "dueDate", s.epic_id AS "epicId", u.id AS "assignee.id", u.name AS "assignee.name",
       gnomon.labels_of(s.label_ids) AS labels, s.task_count AS "taskCount", s.task_done_count AS "taskDoneCount",
       CASE s.task_count WHEN 0 THEN '[]'::jsonb ELSE gnomon.tasks_of(s.id) END AS tasks,
       s.ai_generated AS "aiGenerated", s.created_at AS "createdAt", s.updated_at AS "updatedAt", s.version
  FROM s JOIN projects p ON p.workspace_id = s.workspace_id AND p.id = s.project_id
  LEFT JOIN users u ON u.id = s.assignee_id

-- DELETE /api/v1/projects/{project}/stories/{story}               delete_story
-- Marks a story deleted: it leaves the board, its lists and its open sprint. Its
-- history stays.
-- role:   member
-- path:   {story} key(story)
-- reply:  204
WITH gone AS (
  UPDATE stories s SET deleted_at = gnomon.now()
   WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
     AND {story: s.id = :story | s.number = :story_number}
  RETURNING s.id
), taken AS (
  UPDATE sprint_items i SET removed_at = gnomon.now()
    FROM gone, sprints n
   WHERE i.workspace_id = gnomon.workspace() AND i.story_id = gone.id AND i.removed_at IS NULL
     AND n.workspace_id = i.workspace_id AND n.id = i.sprint_id AND n.status <> 'completed')
SELECT id FROM gone
