-- GET /api/v1/projects/{project}/epics                              list_epics
-- The project's epics in their order, each with how many stories and points it has and how
-- many of them are done.
-- role:   viewer
-- query:  status epic_status[], q text(1..200)
-- order:  position = e.position int asc, e.id uuid asc; number = e.number int4 asc; updated = e.updated_at time desc, e.id uuid desc
-- reply:  200 page of EpicLine
SELECT e.id, e.number, 'E-' || e.number AS key, e.title, e.status, e.priority, e.ai_generated AS "aiGenerated",
       t.n AS "storyCount", t.done AS "doneCount", t.points, t.done_points AS "donePoints",
       e.created_at AS "createdAt", e.updated_at AS "updatedAt", e.version, e.position AS "~position"
  FROM (SELECT e.*
          FROM {status: (SELECT DISTINCT unnest(:status)) AS status (value),}
               LATERAL (SELECT * FROM epics e
                         WHERE e.workspace_id = gnomon.workspace() AND e.project_id = gnomon.project() AND e.deleted_at IS NULL
                           {status: AND e.status = status.value} {q: AND strpos(lower(e.title), lower(:q)) > 0}
                         {page}) e
         WHERE true {page}) e
 CROSS JOIN LATERAL (
   SELECT count(*) AS n, count(*) FILTER (WHERE s.status = 'done') AS done, coalesce(sum(s.estimate), 0) AS points,
          coalesce(sum(s.estimate) FILTER (WHERE s.status = 'done'), 0) AS done_points
     FROM stories s WHERE s.workspace_id = gnomon.workspace() AND s.epic_id = e.id AND s.deleted_at IS NULL) t
 WHERE true {page}

-- POST /api/v1/projects/{project}/epics                            create_epic
-- Adds an epic behind the last.
-- role:   member
-- body:   EpicCreate
-- reply:  201 Epic
INSERT INTO epics AS e (workspace_id, project_id, title, description, status, priority, position)
SELECT gnomon.workspace(), gnomon.project(), b.title, coalesce(b.description, ''), coalesce(b.status, 'draft'), coalesce(b.priority, 'medium'), NULL
  FROM jsonb_to_record(:body) AS b (title text, description text, status text, priority text)
RETURNING e.id, e.number, 'E-' || e.number AS key, e.title, e.description, e.status, e.priority, e.ai_generated AS "aiGenerated",
          e.created_at AS "createdAt", e.updated_at AS "updatedAt", e.version

-- PATCH /api/v1/projects/{project}/epics/reorder                 reorder_epics
-- Puts epics into the order given: they take each other's places and nobody
-- else's. All of them or none; one entry of history; versions stay.
-- role:   member
-- body:   EpicOrder
-- reply:  200 list of EpicPlace
SELECT e.id, e.number, 'E-' || e.number AS key, e.version
  FROM gnomon.reorder_epics((SELECT b.ids FROM jsonb_to_record(:body) AS b (ids uuid[]))) e
 ORDER BY e.position

-- GET /api/v1/projects/{project}/epics/{epic}                          get_epic
-- An epic with its stories, in the order of the board.
-- role:   viewer
-- path:   {epic} key(E)
-- reply:  200 EpicDetail
SELECT e.id, e.number, 'E-' || e.number AS key, e.title, e.description, e.status, e.priority, e.ai_generated AS "aiGenerated",
       e.created_at AS "createdAt", e.updated_at AS "updatedAt", e.version
  FROM epics e
 WHERE e.workspace_id = gnomon.workspace() AND e.project_id = gnomon.project() AND e.deleted_at IS NULL
   AND {epic: e.id = :epic | e.number = :epic_number}
-- part: totals one
SELECT count(s.id) AS "storyCount", count(s.id) FILTER (WHERE s.status = 'done') AS "doneCount", coalesce(sum(s.estimate), 0) AS points,
       coalesce(sum(s.estimate) FILTER (WHERE s.status = 'done'), 0) AS "donePoints"
  FROM epics e
  LEFT JOIN stories s ON s.workspace_id = e.workspace_id AND s.epic_id = e.id AND s.deleted_at IS NULL
 WHERE e.workspace_id = gnomon.workspace() AND e.project_id = gnomon.project() AND e.deleted_at IS NULL
   AND {epic: e.id = :epic | e.number = :epic_number}
-- part: stories list
SELECT s.id, s.number, p.key || '-' || s.number AS key, s.title, s.status, s.priority, s.estimate, s.due_date AS "dueDate",
       u.id AS "assignee.id", u.name AS "assignee.name", s.version
  FROM epics e
  JOIN stories s ON s.workspace_id = e.workspace_id AND s.epic_id = e.id AND s.deleted_at IS NULL
  JOIN projects p ON p.workspace_id = s.workspace_id AND p.id = s.project_id
  LEFT JOIN users u ON u.id = s.assignee_id
 WHERE e.workspace_id = gnomon.workspace() AND e.project_id = gnomon.project() AND e.deleted_at IS NULL
   AND {epic: e.id = :epic | e.number = :epic_number}
 ORDER BY array_position('{in_progress,review,ready,backlog,done}', s.status), s.position, s.id

-- PATCH /api/v1/projects/{project}/epics/{epic}                    update_epic
-- Changes the fields given; a stale version is refused with the current copy.
-- role:   member
-- path:   {epic} key(E)
-- body:   EpicPatch
-- reply:  200 Epic
WITH old AS MATERIALIZED (
  SELECT e.* FROM epics e
   WHERE e.workspace_id = gnomon.workspace() AND e.project_id = gnomon.project() AND e.deleted_at IS NULL
     AND {epic: e.id = :epic | e.number = :epic_number}
     FOR NO KEY UPDATE
), new AS (
  UPDATE epics e SET (title, description, status, priority) =
         (SELECT b.title, b.description, b.status, b.priority FROM jsonb_populate_record(e, :body - 'version') b)
    FROM old
   WHERE e.workspace_id = gnomon.workspace() AND e.id = old.id AND old.version = (:body ->> 'version')::integer
  RETURNING e.*
), e AS (
  SELECT NULL AS refused, new.* FROM new
  UNION ALL
  SELECT 'version_conflict', old.* FROM old WHERE NOT EXISTS (SELECT FROM new)
)
SELECT e.refused AS "!", e.id, e.number, 'E-' || e.number AS key, e.title, e.description, e.status, e.priority, e.ai_generated AS "aiGenerated",
       e.created_at AS "createdAt", e.updated_at AS "updatedAt", e.version
  FROM e

-- DELETE /api/v1/projects/{project}/epics/{epic}                   delete_epic
-- Marks an epic deleted. Its stories stay, in no epic.
-- role:   member
-- path:   {epic} key(E)
-- reply:  204
SELECT d AS id
  FROM epics e CROSS JOIN LATERAL gnomon.delete_epic(e.id) d
 WHERE e.workspace_id = gnomon.workspace() AND e.project_id = gnomon.project() AND e.deleted_at IS NULL
   AND {epic: e.id = :epic | e.number = :epic_number}
