-- GET /w/{ws}/admin/members                                       show_members
-- Who is in the workspace, and who is invited.
-- role:   admin
-- page:   members
-- use:    list_members as members
-- part: totals one
SELECT count(*) AS "memberCount", count(*) = 1 AS "isOne", count(*) FILTER (WHERE m.role IN ('admin', 'owner')) AS "adminCount"
  FROM workspace_members m WHERE m.workspace_id = gnomon.workspace()

-- part: roles list
-- The roles whoever looks may give.
SELECT r.word, r.name, r.word = 'member' AS "isUsual"
  FROM (VALUES (1, 'viewer', 'Viewer'), (2, 'member', 'Member'), (3, 'admin', 'Admin'), (4, 'owner', 'Owner')) AS r (rank, word, name)
  JOIN workspace_members m ON m.workspace_id = gnomon.workspace() AND m.user_id = gnomon.actor()
 WHERE m.role = 'owner' OR r.rank < 3
 ORDER BY r.rank

-- part: open list
SELECT i.id, i.email, initcap(i.role) AS "roleName", p.name AS "project.name", initcap(i.project_role) AS "project.roleName",
       u.name AS "inviter.name", i.expires_at AS "expiresAt", i.expires_at <= gnomon.now() AS "isOver"
  FROM invitations i
  JOIN users u ON u.id = i.invited_by
  LEFT JOIN projects p ON p.workspace_id = i.workspace_id AND p.id = i.project_id
 WHERE i.workspace_id = gnomon.workspace() AND i.accepted_at IS NULL AND i.revoked_at IS NULL
 ORDER BY i.id DESC
 LIMIT 100

-- POST /w/{ws}/admin/invitations     form of create_invitation, then /w/{ws}/admin/members#invited
-- message: The invitation is on its way. Its link lasts 7 days.
-- page:   show_members

-- POST /w/{ws}/admin/invitations/{invitation}/send     form of send_invitation, then /w/{ws}/admin/members#invited
-- message: The invitation is sent again.
-- path:   {invitation} uuid
-- page:   show_members

-- POST /w/{ws}/admin/invitations/{invitation}/revoke     form of revoke_invitation, then /w/{ws}/admin/members#invited
-- message: The invitation is taken back.
-- path:   {invitation} uuid
-- page:   show_members

-- POST /w/{ws}/admin/members/{user}/role     form of update_member, then /w/{ws}/admin/members
-- message: The role is changed.
-- path:   {user} uuid
-- page:   show_members

-- GET /w/{ws}/admin/members/{user}                                 show_member
-- One member: role, data scopes, teams, projects, and the way out.
-- role:   admin
-- path:   {user} uuid
-- page:   member
SELECT u.id, u.name, a.email, initcap(m.role) AS "roleName", m.version, m.joined_at AS "joinedAt",
       'ops' = ANY (m.scopes) AS "hasOps", 'hr' = ANY (m.scopes) AS "hasHr", m.user_id = gnomon.actor() AS "isMe",
       me.role = 'owner' OR gnomon.rank(m.role) < gnomon.rank(me.role) AS "isBelow",
       m.role = 'owner' AND NOT EXISTS (SELECT FROM workspace_members o WHERE o.workspace_id = m.workspace_id AND o.role = 'owner' AND o.user_id <> m.user_id) AS "isLastOwner",
       (SELECT count(*) FROM stories s WHERE s.workspace_id = m.workspace_id AND s.assignee_id = m.user_id AND s.deleted_at IS NULL AND s.status <> 'done') AS "storyCount"
  FROM workspace_members m
  JOIN workspace_members me ON me.workspace_id = m.workspace_id AND me.user_id = gnomon.actor()
  JOIN users u ON u.id = m.user_id
  JOIN gnomon.member_addresses() a ON a.user_id = m.user_id
 WHERE m.workspace_id = gnomon.workspace() AND m.user_id = :user

-- part: roles list
SELECT r.word, r.name, r.word = m.role AS "isChosen"
  FROM (VALUES (1, 'viewer', 'Viewer'), (2, 'member', 'Member'), (3, 'admin', 'Admin'), (4, 'owner', 'Owner')) AS r (rank, word, name)
  JOIN workspace_members me ON me.workspace_id = gnomon.workspace() AND me.user_id = gnomon.actor()
  JOIN workspace_members m ON m.workspace_id = me.workspace_id AND m.user_id = :user
 WHERE me.role = 'owner' OR r.rank < 3 OR r.word = m.role
 ORDER BY r.rank

-- part: teams list
SELECT t.id, t.name, tm.is_lead AS "isLead"
  FROM team_members tm JOIN teams t ON t.workspace_id = tm.workspace_id AND t.id = tm.team_id
 WHERE tm.workspace_id = gnomon.workspace() AND tm.user_id = :user
 ORDER BY t.name

-- part: projects list
SELECT p.key, p.name, initcap(pm.role) AS "roleName",
       pm.role = 'owner' AND NOT EXISTS (SELECT FROM project_members o WHERE o.workspace_id = pm.workspace_id AND o.project_id = pm.project_id
                                            AND o.role = 'owner' AND o.user_id <> pm.user_id) AS "isOnlyOwner"
  FROM project_members pm JOIN projects p ON p.workspace_id = pm.workspace_id AND p.id = pm.project_id
 WHERE pm.workspace_id = gnomon.workspace() AND pm.user_id = :user
 ORDER BY p.key
 LIMIT 100

-- POST /w/{ws}/admin/members/{user}     form of update_member, then /w/{ws}/admin/members/{user}
-- message: The member is changed.
-- path:   {user} uuid
-- page:   show_member

-- POST /w/{ws}/admin/members/{user}/remove     form of remove_member, then /w/{ws}/admin/members
-- message: The member is removed. Access ended with it.
-- path:   {user} uuid
-- page:   show_member

-- GET /w/{ws}/admin/teams                                           show_teams
-- role:   admin
-- page:   teams
-- use:    list_teams as teams

-- POST /w/{ws}/admin/teams     form of create_team, then /w/{ws}/admin/teams/{id}
-- message: The team is made. Put people into it.
-- page:   show_teams

-- GET /w/{ws}/admin/teams/{team}                                     show_team
-- A team: its name, people, leads and projects.
-- role:   admin
-- path:   {team} uuid
-- page:   team
SELECT t.id, t.name, t.description, t.version,
       (SELECT count(*) FROM team_members tm WHERE tm.workspace_id = t.workspace_id AND tm.team_id = t.id) AS "memberCount",
       (SELECT count(*) FROM team_members tm WHERE tm.workspace_id = t.workspace_id AND tm.team_id = t.id) = 1 AS "isOneMember",
       (SELECT count(*) FROM stories s WHERE s.workspace_id = t.workspace_id AND s.team_id = t.id AND s.deleted_at IS NULL) AS "storyCount"
  FROM teams t WHERE t.workspace_id = gnomon.workspace() AND t.id = :team

-- part: people list
SELECT u.id, u.name, tm.is_lead AS "isLead", NOT tm.is_lead AS "leadNext"
  FROM team_members tm JOIN users u ON u.id = tm.user_id
 WHERE tm.workspace_id = gnomon.workspace() AND tm.team_id = :team
 ORDER BY tm.is_lead DESC, u.name, u.id

-- part: others list
SELECT u.id, u.name
  FROM workspace_members m JOIN users u ON u.id = m.user_id
 WHERE m.workspace_id = gnomon.workspace()
   AND NOT EXISTS (SELECT FROM team_members tm WHERE tm.workspace_id = m.workspace_id AND tm.team_id = :team AND tm.user_id = m.user_id)
 ORDER BY u.name, u.id
 LIMIT 500

-- part: projects list
SELECT p.key, p.name FROM projects p
 WHERE p.workspace_id = gnomon.workspace() AND p.team_id = :team AND p.archived_at IS NULL
 ORDER BY p.key
 LIMIT 100

-- POST /w/{ws}/admin/teams/{team}     form of update_team, then /w/{ws}/admin/teams/{team}
-- message: The team is changed.
-- path:   {team} uuid
-- page:   show_team

-- POST /w/{ws}/admin/teams/{team}/delete     form of delete_team, then /w/{ws}/admin/teams
-- message: The team is deleted.
-- path:   {team} uuid
-- page:   show_team

-- POST /w/{ws}/admin/teams/{team}/members     form of add_team_member, then /w/{ws}/admin/teams/{team}
-- message: The team has one more.
-- path:   {team} uuid
-- page:   show_team

-- POST /w/{ws}/admin/teams/{team}/members/{user}     form of set_team_member, then /w/{ws}/admin/teams/{team}
-- message: The leads are changed.
-- path:   {team} uuid, {user} uuid
-- page:   show_team

-- POST /w/{ws}/admin/teams/{team}/members/{user}/remove     form of remove_team_member, then /w/{ws}/admin/teams/{team}
-- message: The team has one less.
-- path:   {team} uuid, {user} uuid
-- page:   show_team

-- GET /w/{ws}/admin/audit                                           show_audit
-- Who was allowed what, by whom.
-- role:   admin
-- page:   audit
-- use:    list_audit as entries
-- query:  actorId uuid, action text(1..100)
-- part: totals one
SELECT count(*) AS "entryCount", count(*) = 1 AS "isOne" FROM (SELECT FROM audit_log a WHERE a.workspace_id = gnomon.workspace() LIMIT 1001) a

-- part: people list
SELECT u.id, u.name, {actorId: u.id = :actorId OR} false AS "isChosen"
  FROM workspace_members m JOIN users u ON u.id = m.user_id
 WHERE m.workspace_id = gnomon.workspace()
 ORDER BY u.name
 LIMIT 200

-- part: acts list
-- The acts there are entries of, found by steps along the index.
WITH RECURSIVE act AS (
  (SELECT a.action FROM audit_log a WHERE a.workspace_id = gnomon.workspace() ORDER BY a.action LIMIT 1)
  UNION ALL
  SELECT (SELECT a.action FROM audit_log a WHERE a.workspace_id = gnomon.workspace() AND a.action > act.action ORDER BY a.action LIMIT 1)
    FROM act WHERE act.action IS NOT NULL
)
SELECT act.action AS word, upper(left(act.action, 1)) || translate(substr(act.action, 2), '._', '  ') AS name,
       {action: act.action = :action OR} false AS "isChosen"
  FROM act WHERE act.action IS NOT NULL

-- GET /w/{ws}/admin/workspace                                   show_workspace
-- Name and time zone of the workspace.
-- role:   admin
-- page:   workspace
SELECT w.name AS "workspaceName", w.slug AS "workspaceSlug", w.timezone AS "zone", w.version, w.created_at AS "createdAt"
  FROM workspaces w WHERE w.id = gnomon.workspace()

-- POST /w/{ws}/admin/workspace     form of update_workspace, then /w/{ws}/admin/workspace
-- message: The workspace is changed.
-- page:   show_workspace
