-- GET /api/v1/projects                                          list_my_projects
-- Every project in every workspace of the user that they may see.
-- role:   user
-- order:  workspace = p.workspace_slug~workspaceSlug text asc, p.key text asc
-- reply:  200 page of ProjectLine
SELECT p.id, p.workspace_slug AS "workspace.slug", p.workspace_slug AS "~workspaceSlug", p.key, p.name, p.role,
       p.created_at AS "createdAt", p.updated_at AS "updatedAt"
  FROM gnomon.my_projects() p
 WHERE true {page}

-- POST /api/v1/projects                                             open_project
-- Makes a project in the workspace named by id or slug; nobody with one workspace
-- need name it.
-- role:   user
-- body:   ProjectOpen
-- reply:  201 Project
SELECT p.id, p.key, p.name, p.description, p.slug, p.settings, p.version,
       t.id AS "team.id", t.name AS "team.name", u.id AS "owner.id", u.name AS "owner.name", p.is_private AS "isPrivate",
       p.created_at AS "createdAt", p.updated_at AS "updatedAt", p.archived_at AS "archivedAt"
  FROM gnomon.make_project(:body) p
  LEFT JOIN gnomon.my_teams() t ON t.id = p.team_id
  LEFT JOIN users u ON u.id = p.owner_id

-- GET /api/v1/workspaces/{ws}/projects                           list_projects
-- The projects of the workspace by key; with archived=true those, too, that are
-- archived.
-- role:   viewer
-- query:  archived bool
-- reply:  200 list of Project
SELECT p.id, p.key, p.name, p.description, p.slug, p.settings, p.version,
       t.id AS "team.id", t.name AS "team.name", u.id AS "owner.id", u.name AS "owner.name", p.is_private AS "isPrivate",
       p.created_at AS "createdAt", p.updated_at AS "updatedAt", p.archived_at AS "archivedAt"
  FROM projects p
  LEFT JOIN teams t ON t.workspace_id = p.workspace_id AND t.id = p.team_id
  LEFT JOIN users u ON u.id = p.owner_id
 WHERE p.workspace_id = gnomon.workspace() AND (p.archived_at IS NULL {archived: OR :archived})
 ORDER BY p.key

-- POST /api/v1/workspaces/{ws}/projects                         create_project
-- Makes a project. The key is what its stories are called by: AC gives AC-1.
-- role:   member
-- body:   ProjectCreate
-- reply:  201 Project
SELECT p.id, p.key, p.name, p.description, p.slug, p.settings, p.version,
       t.id AS "team.id", t.name AS "team.name", u.id AS "owner.id", u.name AS "owner.name", p.is_private AS "isPrivate",
       p.created_at AS "createdAt", p.updated_at AS "updatedAt", p.archived_at AS "archivedAt"
  FROM gnomon.make_project(:body) p
  LEFT JOIN teams t ON t.workspace_id = p.workspace_id AND t.id = p.team_id
  LEFT JOIN users u ON u.id = p.owner_id

-- GET /api/v1/projects/{project}                                   get_project
-- role:   viewer
-- reply:  200 Project
SELECT p.id, p.key, p.name, p.description, p.slug, p.settings, p.version,
       t.id AS "team.id", t.name AS "team.name", u.id AS "owner.id", u.name AS "owner.name", p.is_private AS "isPrivate",
       p.created_at AS "createdAt", p.updated_at AS "updatedAt", p.archived_at AS "archivedAt"
  FROM projects p
  LEFT JOIN teams t ON t.workspace_id = p.workspace_id AND t.id = p.team_id
  LEFT JOIN users u ON u.id = p.owner_id
 WHERE p.workspace_id = gnomon.workspace() AND p.id = gnomon.project()

-- PATCH /api/v1/projects/{project}                              update_project
-- Changes the fields given; the key stays for ever. isPrivate hides it from
-- whoever is neither a member of it nor an admin of the workspace; isArchived takes
-- it out of the lists, or back in.
-- role:   admin
-- body:   ProjectPatch
-- reply:  200 Project
WITH old AS MATERIALIZED (
  SELECT p.*,
         CASE WHEN p.version <> (:body ->> 'version')::integer THEN 'version_conflict'
              WHEN :body ->> 'team_id' IS NOT NULL AND p.team_id IS DISTINCT FROM (:body ->> 'team_id')::uuid
                   AND NOT EXISTS (SELECT FROM teams t WHERE t.workspace_id = gnomon.workspace() AND t.id = (:body ->> 'team_id')::uuid)
              THEN 'validation_failed' END AS refused
    FROM projects p
   WHERE p.workspace_id = gnomon.workspace() AND p.id = gnomon.project()
     FOR NO KEY UPDATE
), new AS (
  UPDATE projects p
     SET (name, description, slug, settings, team_id, is_private, archived_at) =
         (SELECT b.name, b.description, b.slug, b.settings, b.team_id, b.is_private,
                 CASE WHEN (:body ->> 'is_archived')::boolean THEN coalesce(p.archived_at, gnomon.now())
                      WHEN NOT :body ? 'is_archived' THEN p.archived_at END
            FROM jsonb_populate_record(p, :body - 'version' - 'is_archived') b)
    FROM old
   WHERE p.workspace_id = gnomon.workspace() AND p.id = old.id AND old.refused IS NULL
  RETURNING p.*
), change AS MATERIALIZED (
  SELECT gnomon.changed_fields(to_jsonb(old) - '{refused,version,updated_at}'::text[], to_jsonb(new) - '{version,updated_at}'::text[]) AS fields
    FROM old, new
), p AS (
  SELECT NULL AS refused, new.* FROM new
  UNION ALL
  SELECT old.refused, old.workspace_id, old.id, old.key, old.name, old.description, old.slug, old.settings, old.team_id, old.owner_id,
         old.created_at, old.updated_at, old.archived_at, old.version, old.is_private FROM old WHERE old.refused IS NOT NULL
)
SELECT p.refused AS "!", p.id, p.key, p.name, p.description, p.slug, p.settings, p.version,
       t.id AS "team.id", t.name AS "team.name", u.id AS "owner.id", u.name AS "owner.name", p.is_private AS "isPrivate",
       p.created_at AS "createdAt", p.updated_at AS "updatedAt", p.archived_at AS "archivedAt",
       (SELECT count(*) FROM change c
         CROSS JOIN LATERAL gnomon.audit(CASE WHEN NOT c.fields ? 'archived_at' THEN 'project.changed'
                                              WHEN p.archived_at IS NULL THEN 'project.restored' ELSE 'project.archived' END,
                                         'project', p.id, c.fields) WHERE c.fields <> '{}') AS "~audited"
  FROM p
  LEFT JOIN teams t ON t.workspace_id = p.workspace_id AND t.id = p.team_id
  LEFT JOIN users u ON u.id = p.owner_id

-- DELETE /api/v1/projects/{project}                            archive_project
-- Archives it: its rows stay, the lists leave it out. PATCH with isArchived false
-- brings it back.
-- role:   admin
-- reply:  204
WITH old AS MATERIALIZED (
  SELECT p.* FROM projects p
   WHERE p.workspace_id = gnomon.workspace() AND p.id = gnomon.project()
     FOR NO KEY UPDATE
), new AS (
  UPDATE projects p SET archived_at = gnomon.now() FROM old
   WHERE p.workspace_id = gnomon.workspace() AND p.id = old.id AND old.archived_at IS NULL
  RETURNING p.archived_at)
SELECT old.id, (SELECT count(*) FROM new CROSS JOIN LATERAL gnomon.audit('project.archived', 'project', old.id,
                  jsonb_build_object('archived_at', jsonb_build_array(NULL, new.archived_at)))) AS "~audited"
  FROM old

-- GET /api/v1/projects/{project}/members                 list_project_members
-- Who has a role in the project of their own, by name. Members of the workspace
-- have theirs besides; the higher one counts.
-- role:   viewer
-- order:  name = u.name text asc, u.id uuid asc
-- reply:  200 page of ProjectMember
SELECT u.id, u.name, pm.role, m.role AS "workspaceRole", pm.joined_at AS "joinedAt", pm.version
  FROM project_members pm
  JOIN workspace_members m ON m.workspace_id = pm.workspace_id AND m.user_id = pm.user_id
  JOIN users u ON u.id = pm.user_id
 WHERE pm.workspace_id = gnomon.workspace() AND pm.project_id = gnomon.project() {page}

-- POST /api/v1/projects/{project}/members                  add_project_member
-- Gives somebody a role in the project: a member of the workspace by userId, or
-- anybody by e-mail address, who gets an invitation. Inviting takes an admin of the
-- workspace, and says nothing of whether the address has an account.
-- role:   admin
-- body:   ProjectMemberAdd
-- reply:  201 ProjectMemberAdded
SELECT a.id, u.name, a.role, a.joined_at AS "joinedAt", a.version,
       a.invitation_id AS "invitation.id", a.email AS "invitation.email", a.expires_at AS "invitation.expiresAt"
  FROM gnomon.add_to_project(:body) a LEFT JOIN users u ON u.id = a.id

-- PATCH /api/v1/projects/{project}/members/{user}       update_project_member
-- Another role, from the next request on. Below one's own rank only, unless one is
-- an owner; the last owner stays.
-- role:   admin
-- path:   {user} uuid
-- body:   ProjectMemberPatch
-- reply:  200 ProjectMember
SELECT c.refused AS "!", c.id, u.name, c.role, m.role AS "workspaceRole", c.joined_at AS "joinedAt", c.version
  FROM gnomon.change_project_member(:user, :body) c
  JOIN workspace_members m ON m.workspace_id = gnomon.workspace() AND m.user_id = c.id
  JOIN users u ON u.id = c.id

-- DELETE /api/v1/projects/{project}/members/{user}      remove_project_member
-- Takes the role in the project away, at once.
-- role:   admin
-- path:   {user} uuid
-- reply:  204
SELECT c.id FROM gnomon.remove_project_member(:user) c

-- GET /api/v1/projects/{project}/board                               get_board
-- The project's open work by status, in board order.
-- role:   viewer
-- query:  asOf moment
-- cache:  project
-- reply:  200 Board
-- part: columns list
SELECT c.status, c.name, count(s.id) AS count, coalesce(sum(s.estimate), 0) AS points
  FROM (VALUES (1, 'backlog', 'Backlog'), (2, 'ready', 'Ready'), (3, 'in_progress', 'In progress'),
               (4, 'review', 'Review'), (5, 'done', 'Done')) AS c (rank, status, name)
  LEFT JOIN {asOf: asof.}stories s ON s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project()
       AND s.status = c.status COLLATE "C" AND s.deleted_at IS NULL
 WHERE {changed}
 GROUP BY c.rank, c.status, c.name
 ORDER BY c.rank
-- part: stories in columns by status
SELECT s.id, s.number, p.key || '-' || s.number AS key, s.title, s.status, s.priority, s.estimate,
       s.due_date AS "dueDate", s.status_since AS "statusSince", s.epic_id AS "epicId", s.label_ids AS "labelIds",
       s.task_count AS "taskCount", s.task_done_count AS "taskDoneCount", s.version,
       u.id AS "assignee.id", u.name AS "assignee.name",
       s.status <> 'done' AND s.id IN (
         SELECT w.story_id FROM {asOf: asof.}story_waits w
           JOIN {asOf: asof.}stories b ON b.workspace_id = w.workspace_id AND b.id = w.blocker_id AND b.status <> 'done' AND b.deleted_at IS NULL
          WHERE w.workspace_id = gnomon.workspace() AND w.project_id = gnomon.project()) AS "isBlocked"
  FROM {asOf: asof.}stories s
  JOIN projects p ON p.workspace_id = s.workspace_id AND p.id = s.project_id
  LEFT JOIN users u ON u.id = s.assignee_id
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL AND {changed}
 ORDER BY array_position('{backlog,ready,in_progress,review,done}', s.status), s.position, s.id
-- part: labels list
-- What the labels of the cards are called.
SELECT l.id, l.name, l.colour
  FROM labels l
 WHERE l.workspace_id = gnomon.workspace() AND (l.deleted_at IS NULL {asOf: OR l.deleted_at > gnomon.now()}) AND coalesce(l.project_id, gnomon.project()) = gnomon.project() AND {changed}
 ORDER BY lower(l.name), l.id
