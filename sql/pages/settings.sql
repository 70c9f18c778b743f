-- GET /workspaces/new                                       show_new_workspace
-- role:   user
-- page:   workspace_new
SELECT u.name AS "myName" FROM gnomon.me() u

-- POST /workspaces     form of create_workspace, then /w/{slug}
-- message: The workspace is made. Make a project, and invite your team.
-- page:   show_new_workspace

-- GET /w/{ws}/leave                                                 show_leave
-- What leaving the workspace means.
-- role:   viewer
-- page:   leave
SELECT m.role = 'owner' AND NOT EXISTS (SELECT FROM workspace_members o WHERE o.workspace_id = m.workspace_id AND o.role = 'owner' AND o.user_id <> m.user_id) AS "isLastOwner",
       (SELECT count(*) FROM project_members pm WHERE pm.workspace_id = m.workspace_id AND pm.user_id = m.user_id) AS "projectCount",
       (SELECT count(*) FROM team_members tm WHERE tm.workspace_id = m.workspace_id AND tm.user_id = m.user_id) AS "teamCount"
  FROM workspace_members m WHERE m.workspace_id = gnomon.workspace() AND m.user_id = gnomon.actor()

-- POST /w/{ws}/leave     form of leave_workspace, then /
-- message: You have left the workspace.
-- page:   show_leave

-- GET /w/{ws}/projects                                           show_projects
-- Every project of the workspace, with those that are archived.
-- role:   viewer
-- page:   projects
-- use:    list_projects as projects
-- part: totals one
SELECT count(*) FILTER (WHERE p.archived_at IS NULL) AS "projectCount", count(*) FILTER (WHERE p.archived_at IS NULL) = 1 AS "isOne",
       count(p.archived_at) AS "archivedCount"
  FROM projects p WHERE p.workspace_id = gnomon.workspace()

-- GET /w/{ws}/projects/new                                    show_new_project
-- role:   member
-- page:   project_new
-- part: teams list
SELECT t.id, t.name FROM teams t WHERE t.workspace_id = gnomon.workspace() ORDER BY t.name LIMIT 200

-- POST /w/{ws}/projects     form of create_project, then /w/{ws}/p/{key}
-- message: The project is made.
-- page:   show_new_project

-- GET /w/{ws}/p/{project}/settings                       show_project_settings
-- A project's name, team and privacy, who has a role in it, and its archive.
-- role:   admin
-- page:   project_settings
SELECT p.name, p.description, p.slug, p.version, p.is_private AS "isPrivate", p.archived_at AS "archivedAt",
       w.role IN ('admin', 'owner') AS "mayInvite"
  FROM projects p
  JOIN workspace_members w ON w.workspace_id = p.workspace_id AND w.user_id = gnomon.actor()
 WHERE p.workspace_id = gnomon.workspace() AND p.id = gnomon.project()

-- part: teams list
SELECT t.id, t.name, t.id = p.team_id AS "isChosen"
  FROM teams t JOIN projects p ON p.workspace_id = t.workspace_id AND p.id = gnomon.project()
 WHERE t.workspace_id = gnomon.workspace() ORDER BY t.name LIMIT 200

-- part: roles list
-- The roles whoever looks may give here.
SELECT r.word, r.name, r.word = 'member' AS "isUsual"
  FROM (VALUES (1, 'viewer', 'Viewer'), (2, 'member', 'Member'), (3, 'admin', 'Admin'), (4, 'owner', 'Owner')) AS r (rank, word, name)
  JOIN workspace_members m ON m.workspace_id = gnomon.workspace() AND m.user_id = gnomon.actor()
  LEFT JOIN project_members pm ON pm.workspace_id = m.workspace_id AND pm.project_id = gnomon.project() AND pm.user_id = m.user_id
 WHERE 'owner' IN (m.role, pm.role) OR r.rank < 3
 ORDER BY r.rank

-- part: people list
SELECT u.id, u.name, initcap(pm.role) AS "roleName", initcap(m.role) AS "workspaceRoleName", pm.version
  FROM project_members pm
  JOIN workspace_members m ON m.workspace_id = pm.workspace_id AND m.user_id = pm.user_id
  JOIN users u ON u.id = pm.user_id
 WHERE pm.workspace_id = gnomon.workspace() AND pm.project_id = gnomon.project()
 ORDER BY gnomon.rank(pm.role) DESC, u.name, u.id
 LIMIT 500

-- part: others list
SELECT u.id, u.name
  FROM workspace_members m JOIN users u ON u.id = m.user_id
 WHERE m.workspace_id = gnomon.workspace()
   AND NOT EXISTS (SELECT FROM project_members pm WHERE pm.workspace_id = m.workspace_id AND pm.project_id = gnomon.project() AND pm.user_id = m.user_id)
 ORDER BY u.name, u.id
 LIMIT 500

-- part: open list
SELECT i.id, i.email, initcap(i.project_role) AS "roleName", i.expires_at AS "expiresAt", i.expires_at <= gnomon.now() AS "isOver"
  FROM invitations i
  JOIN workspace_members m ON m.workspace_id = i.workspace_id AND m.user_id = gnomon.actor() AND m.role IN ('admin', 'owner')
 WHERE i.workspace_id = gnomon.workspace() AND i.project_id = gnomon.project() AND i.accepted_at IS NULL AND i.revoked_at IS NULL
 ORDER BY i.id DESC
 LIMIT 100

-- POST /w/{ws}/p/{project}/settings     form of update_project, then /w/{ws}/p/{project}/settings
-- message: The project is changed.
-- page:   show_project_settings

-- POST /w/{ws}/p/{project}/settings/members     form of add_project_member, then /w/{ws}/p/{project}/settings#members
-- message: The project has one more, or an invitation is on its way.
-- page:   show_project_settings

-- POST /w/{ws}/p/{project}/settings/members/{user}     form of update_project_member, then /w/{ws}/p/{project}/settings#members
-- message: The role is changed.
-- path:   {user} uuid
-- page:   show_project_settings

-- POST /w/{ws}/p/{project}/settings/members/{user}/remove     form of remove_project_member, then /w/{ws}/p/{project}/settings#members
-- message: The role in the project is taken away.
-- path:   {user} uuid
-- page:   show_project_settings
