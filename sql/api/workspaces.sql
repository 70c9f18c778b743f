-- GET /api/v1/workspaces                                       list_workspaces
-- The workspaces the user is a member of.
-- role:   user
-- reply:  200 list of Workspace
SELECT id, slug, name, plan, timezone, role, created_at AS "createdAt" FROM gnomon.my_workspaces() ORDER BY name, id

-- GET /api/v1/workspaces/{ws}                                    get_workspace
-- role:   viewer
-- reply:  200 Workspace
SELECT w.id, w.slug, w.name, w.plan, w.timezone, m.role, w.created_at AS "createdAt"
  FROM workspaces w
  JOIN workspace_members m ON m.workspace_id = w.id AND m.user_id = gnomon.actor()
 WHERE w.id = gnomon.workspace()

-- GET /api/v1/workspaces/{ws}/members                             list_members
-- role:   viewer
-- reply:  200 list of Member
SELECT u.id, u.name, m.role, m.joined_at AS "joinedAt"
  FROM workspace_members m JOIN users u ON u.id = m.user_id
 WHERE m.workspace_id = gnomon.workspace()
 ORDER BY u.name, u.id
