-- GET /api/v1/workspaces                                       list_workspaces
-- The workspaces the user is a member of.
-- role:   user
-- reply:  200 list of Workspace
SELECT id, slug, name, plan, timezone, role, created_at AS "createdAt", version FROM gnomon.my_workspaces() ORDER BY name, id

-- POST /api/v1/workspaces                                     create_workspace
-- Makes a workspace whose owner is whoever asks. The slug is its address and stays.
-- role:   user
-- body:   WorkspaceCreate
-- reply:  201 Workspace
SELECT w.id, w.slug, w.name, w.plan, w.timezone, 'owner' AS role, w.created_at AS "createdAt", w.version
  FROM gnomon.make_workspace(:body) w

-- GET /api/v1/workspaces/{ws}                                    get_workspace
-- role:   viewer
-- reply:  200 Workspace
SELECT w.id, w.slug, w.name, w.plan, w.timezone, m.role, w.created_at AS "createdAt", w.version
  FROM workspaces w
  JOIN workspace_members m ON m.workspace_id = w.id AND m.user_id = gnomon.actor()
 WHERE w.id = gnomon.workspace()

-- PATCH /api/v1/workspaces/{ws}                               update_workspace
-- Another name or time zone (of the IANA list).
-- role:   admin
-- body:   WorkspacePatch
-- reply:  200 Workspace
SELECT c.refused AS "!", c.id, c.slug, c.name, c.plan, c.timezone, m.role, c.created_at AS "createdAt", c.version
  FROM gnomon.change_workspace(:body) c
  JOIN workspace_members m ON m.workspace_id = c.id AND m.user_id = gnomon.actor()

-- POST /api/v1/workspaces/{ws}/leave                           leave_workspace
-- Leaves the workspace, with all roles and places in it. The last owner stays.
-- role:   viewer
-- reply:  204
SELECT c.id FROM gnomon.remove_member(gnomon.actor()) c

-- GET /api/v1/workspaces/{ws}/members                             list_members
-- Who is in the workspace, by name. E-mail addresses are whole for admins and the
-- data scope hr, cut short for the scope ops, and null for everybody else.
-- role:   viewer
-- query:  role member_role[], teamId uuid, q text(1..100)
-- order:  name = u.name text asc, u.id uuid asc
-- reply:  200 page of Member
SELECT u.id, u.name, a.email, m.role, to_jsonb(m.scopes) AS scopes, x.teams, m.joined_at AS "joinedAt", m.version
  FROM workspace_members m
  JOIN users u ON u.id = m.user_id
  JOIN gnomon.member_addresses() a ON a.user_id = m.user_id
 CROSS JOIN LATERAL (SELECT coalesce(jsonb_agg(jsonb_build_object('id', t.id, 'name', t.name, 'isLead', tm.is_lead) ORDER BY t.name), '[]') AS teams
                       FROM team_members tm JOIN teams t ON t.workspace_id = tm.workspace_id AND t.id = tm.team_id
                      WHERE tm.workspace_id = m.workspace_id AND tm.user_id = m.user_id) x
 WHERE m.workspace_id = gnomon.workspace()
   {role: AND m.role = ANY(:role)} {q: AND strpos(lower(u.name), lower(:q)) > 0}
   {teamId: AND EXISTS (SELECT FROM team_members y WHERE y.workspace_id = m.workspace_id AND y.user_id = m.user_id AND y.team_id = :teamId)}
 {page}

-- GET /api/v1/workspaces/{ws}/members/{user}                        get_member
-- role:   viewer
-- path:   {user} uuid
-- reply:  200 Member
SELECT u.id, u.name, a.email, m.role, to_jsonb(m.scopes) AS scopes, x.teams, m.joined_at AS "joinedAt", m.version
  FROM workspace_members m
  JOIN users u ON u.id = m.user_id
  JOIN gnomon.member_addresses() a ON a.user_id = m.user_id
 CROSS JOIN LATERAL (SELECT coalesce(jsonb_agg(jsonb_build_object('id', t.id, 'name', t.name, 'isLead', tm.is_lead) ORDER BY t.name), '[]') AS teams
                       FROM team_members tm JOIN teams t ON t.workspace_id = tm.workspace_id AND t.id = tm.team_id
                      WHERE tm.workspace_id = m.workspace_id AND tm.user_id = m.user_id) x
 WHERE m.workspace_id = gnomon.workspace() AND m.user_id = :user

-- PATCH /api/v1/workspaces/{ws}/members/{user}                   update_member
-- Another role or other data scopes, from the next request on. Below one's own rank
-- only, unless one is an owner; the last owner stays.
-- role:   admin
-- path:   {user} uuid
-- body:   MemberPatch
-- reply:  200 Member
SELECT c.refused AS "!", c.id, u.name, a.email, c.role, to_jsonb(c.scopes) AS scopes, x.teams, c.joined_at AS "joinedAt", c.version
  FROM gnomon.change_member(:user, :body) c
  JOIN users u ON u.id = c.id
  LEFT JOIN gnomon.member_addresses() a ON a.user_id = c.id
 CROSS JOIN LATERAL (SELECT coalesce(jsonb_agg(jsonb_build_object('id', t.id, 'name', t.name, 'isLead', tm.is_lead) ORDER BY t.name), '[]') AS teams
                       FROM team_members tm JOIN teams t ON t.workspace_id = tm.workspace_id AND t.id = tm.team_id
                      WHERE tm.workspace_id = gnomon.workspace() AND tm.user_id = c.id) x

-- DELETE /api/v1/workspaces/{ws}/members/{user}                  remove_member
-- Takes somebody out of the workspace, at once: with their project roles, places in
-- teams and open invitations. What they did keeps their name. Projects that only they
-- owned are yours then.
-- role:   admin
-- path:   {user} uuid
-- reply:  204
SELECT c.id FROM gnomon.remove_member(:user) c

-- GET /api/v1/workspaces/{ws}/invitations                     list_invitations
-- Whom the workspace invited, newest first.
-- role:   admin
-- query:  state invitation_state[]
-- order:  newest = i.id uuid desc
-- reply:  200 page of Invitation
SELECT i.id, i.email, i.role, i.state, p.id AS "project.id", p.key AS "project.key", p.name AS "project.name", i.project_role AS "project.role",
       u.id AS "inviter.id", u.name AS "inviter.name", i.created_at AS "createdAt", i.sent_at AS "sentAt",
       i.expires_at AS "expiresAt", i.accepted_at AS "acceptedAt"
  FROM (SELECT n.*, CASE WHEN n.accepted_at IS NOT NULL THEN 'accepted' WHEN n.revoked_at IS NOT NULL THEN 'revoked'
                         WHEN n.expires_at <= gnomon.now() THEN 'expired' ELSE 'pending' END AS state FROM invitations n) i
  JOIN users u ON u.id = i.invited_by
  LEFT JOIN projects p ON p.workspace_id = i.workspace_id AND p.id = i.project_id
 WHERE i.workspace_id = gnomon.workspace() {state: AND i.state = ANY(:state)} {page}

-- POST /api/v1/workspaces/{ws}/invitations                   create_invitation
-- Sends a link that lets one person in, once, within 7 days. The reply is the same
-- whether or not the address has an account. The same address again: the open
-- invitation is sent once more, with the role given now.
-- role:   admin
-- body:   InvitationCreate
-- reply:  201 Invitation
SELECT i.id, i.email, i.role, 'pending' AS state, p.id AS "project.id", p.key AS "project.key", p.name AS "project.name", i.project_role AS "project.role",
       u.id AS "inviter.id", u.name AS "inviter.name", i.created_at AS "createdAt", i.sent_at AS "sentAt",
       i.expires_at AS "expiresAt", i.accepted_at AS "acceptedAt"
  FROM gnomon.invite(:body) i
  JOIN users u ON u.id = i.invited_by
  LEFT JOIN projects p ON p.workspace_id = i.workspace_id AND p.id = i.project_id

-- POST /api/v1/workspaces/{ws}/invitations/{invitation}/send  send_invitation
-- Sends it again; it lasts another 7 days. Once a minute at most.
-- role:   admin
-- path:   {invitation} uuid
-- reply:  200 Invitation
SELECT i.id, i.email, i.role, 'pending' AS state, p.id AS "project.id", p.key AS "project.key", p.name AS "project.name", i.project_role AS "project.role",
       u.id AS "inviter.id", u.name AS "inviter.name", i.created_at AS "createdAt", i.sent_at AS "sentAt",
       i.expires_at AS "expiresAt", i.accepted_at AS "acceptedAt"
  FROM gnomon.change_invitation(:invitation, 'send') i
  JOIN users u ON u.id = i.invited_by
  LEFT JOIN projects p ON p.workspace_id = i.workspace_id AND p.id = i.project_id

-- DELETE /api/v1/workspaces/{ws}/invitations/{invitation}   revoke_invitation
-- Takes it back: its link is good for nothing.
-- role:   admin
-- path:   {invitation} uuid
-- reply:  204
SELECT i.id FROM gnomon.change_invitation(:invitation, 'revoke') i

-- POST /api/v1/invitations/accept                            accept_invitation
-- Joins the workspace that the link of an invitation leads to. The token is what
-- the link carries.
-- role:    user
-- body:    InvitationAccept
-- handler: invitation_accept
-- errors:  invitation_over
-- reply:   200 InvitationAccepted

-- POST /api/v1/auth/invitation                               register_invited
-- Makes the account of somebody who was invited, with the address the invitation
-- went to, and joins the workspace.
-- role:    public
-- body:    InvitationRegister
-- pool:    slow
-- handler: invitation_register
-- errors:  invitation_over, conflict
-- reply:   201 InvitationAccepted
