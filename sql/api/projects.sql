-- GET /api/v1/projects                                          list_my_projects
-- Every project in every workspace of the user.
-- role:   user
-- reply:  200 list of ProjectLine
SELECT id, workspace_slug AS "workspace.slug", key, name, created_at AS "createdAt", updated_at AS "updatedAt"
  FROM gnomon.my_projects() ORDER BY workspace_slug, key

-- GET /api/v1/workspaces/{ws}/projects                           list_projects
-- role:   viewer
-- reply:  200 list of Project
SELECT p.id, p.key, p.name, p.description, p.slug, p.settings, p.version,
       t.id AS "team.id", t.name AS "team.name", u.id AS "owner.id", u.name AS "owner.name",
       p.created_at AS "createdAt", p.updated_at AS "updatedAt", p.archived_at AS "archivedAt"
  FROM projects p
  LEFT JOIN teams t ON t.workspace_id = p.workspace_id AND t.id = p.team_id
  LEFT JOIN users u ON u.id = p.owner_id
 WHERE p.workspace_id = gnomon.workspace() AND p.archived_at IS NULL
 ORDER BY p.key

-- POST /api/v1/workspaces/{ws}/projects                         create_project
-- Makes a project. The key is what its stories are called by: AC gives AC-1.
-- role:   member
-- body:   ProjectCreate
-- reply:  201 Project
WITH p AS (
  INSERT INTO projects (workspace_id, key, name, description, slug, owner_id)
  SELECT gnomon.workspace(), b.key, b.name, coalesce(b.description, ''),
         CASE WHEN b.base = '' THEN lower(b.key)
              WHEN EXISTS (SELECT FROM projects x WHERE x.workspace_id = gnomon.workspace() AND x.slug = b.base)
              THEN concat_ws('-', b.base, lower(b.key)) ELSE b.base END,
         gnomon.actor()
    FROM (SELECT *, trim(BOTH '-' FROM left(trim(BOTH '-' FROM regexp_replace(lower(name), '[^a-z0-9]+', '-', 'g')), 50)) AS base
            FROM jsonb_to_record(:body) AS b (key text, name text, description text)) b
  RETURNING *)
SELECT p.id, p.key, p.name, p.description, p.slug, p.settings, p.version,
       NULL::uuid AS "team.id", NULL::text AS "team.name", u.id AS "owner.id", u.name AS "owner.name",
       p.created_at AS "createdAt", p.updated_at AS "updatedAt", p.archived_at AS "archivedAt"
  FROM p LEFT JOIN users u ON u.id = p.owner_id

-- GET /api/v1/projects/{project}                                   get_project
-- role:   viewer
-- reply:  200 Project
SELECT p.id, p.key, p.name, p.description, p.slug, p.settings, p.version,
       t.id AS "team.id", t.name AS "team.name", u.id AS "owner.id", u.name AS "owner.name",
       p.created_at AS "createdAt", p.updated_at AS "updatedAt", p.archived_at AS "archivedAt"
  FROM projects p
  LEFT JOIN teams t ON t.workspace_id = p.workspace_id AND t.id = p.team_id
  LEFT JOIN users u ON u.id = p.owner_id
 WHERE p.workspace_id = gnomon.workspace() AND p.id = gnomon.project()

-- GET /api/v1/projects/{project}/board                               get_board
-- The project's open work by status, in board order.
-- role:   viewer
-- cache:  project
-- reply:  200 Board
-- part: columns list
SELECT c.status, c.name, count(s.id) AS count, coalesce(sum(s.estimate), 0) AS points
  FROM (VALUES (1, 'backlog', 'Backlog'), (2, 'ready', 'Ready'), (3, 'in_progress', 'In progress'),
               (4, 'review', 'Review'), (5, 'done', 'Done')) AS c (rank, status, name)
  LEFT JOIN stories s ON s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project()
       AND s.status = c.status COLLATE "C" AND s.deleted_at IS NULL
 WHERE {changed}
 GROUP BY c.rank, c.status, c.name
 ORDER BY c.rank
-- part: stories in columns by status
SELECT s.id, s.number, p.key || '-' || s.number AS key, s.title, s.status, s.priority, s.estimate,
       s.due_date AS "dueDate", s.status_since AS "statusSince", s.version,
       u.id AS "assignee.id", u.name AS "assignee.name",
       s.status <> 'done' AND s.id IN (
         SELECT w.story_id FROM story_waits w
           JOIN stories b ON b.workspace_id = w.workspace_id AND b.id = w.blocker_id AND b.status <> 'done' AND b.deleted_at IS NULL
          WHERE w.workspace_id = gnomon.workspace() AND w.project_id = gnomon.project()) AS "isBlocked"
  FROM stories s
  JOIN projects p ON p.workspace_id = s.workspace_id AND p.id = s.project_id
  LEFT JOIN users u ON u.id = s.assignee_id
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL AND {changed}
 ORDER BY array_position('{backlog,ready,in_progress,review,done}', s.status), s.position, s.id
