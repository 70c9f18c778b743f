-- GET /api/v1/workspaces/{ws}/teams                                 list_teams
-- role:   viewer
-- order:  name = t.name text asc, t.id uuid asc
-- reply:  200 page of Team
SELECT t.id, t.name, t.description, n.members AS "memberCount", t.created_at AS "createdAt", t.version
  FROM teams t
 CROSS JOIN LATERAL (SELECT count(*) AS members FROM team_members tm WHERE tm.workspace_id = t.workspace_id AND tm.team_id = t.id) n
 WHERE t.workspace_id = gnomon.workspace() {page}

-- POST /api/v1/workspaces/{ws}/teams                               create_team
-- role:   admin
-- body:   TeamCreate
-- reply:  201 Team
SELECT t.id, t.name, t.description, 0::int8 AS "memberCount", t.created_at AS "createdAt", t.version FROM gnomon.make_team(:body) t

-- GET /api/v1/workspaces/{ws}/teams/{team}                            get_team
-- A team with its people, leads first, and its projects.
-- role:   viewer
-- path:   {team} uuid
-- reply:  200 TeamDetail
SELECT t.id, t.name, t.description, t.created_at AS "createdAt", t.version
  FROM teams t WHERE t.workspace_id = gnomon.workspace() AND t.id = :team
-- part: members list
SELECT u.id, u.name, tm.is_lead AS "isLead"
  FROM team_members tm JOIN users u ON u.id = tm.user_id
 WHERE tm.workspace_id = gnomon.workspace() AND tm.team_id = :team
 ORDER BY tm.is_lead DESC, u.name, u.id
-- part: projects list
SELECT p.id, p.key, p.name FROM projects p
 WHERE p.workspace_id = gnomon.workspace() AND p.team_id = :team AND p.archived_at IS NULL
 ORDER BY p.key

-- PATCH /api/v1/workspaces/{ws}/teams/{team}                       update_team
-- role:   admin
-- path:   {team} uuid
-- body:   TeamPatch
-- reply:  200 Team
SELECT c.refused AS "!", c.id, c.name, c.description, n.members AS "memberCount", c.created_at AS "createdAt", c.version
  FROM gnomon.change_team(:team, :body) c
 CROSS JOIN LATERAL (SELECT count(*) AS members FROM team_members tm WHERE tm.workspace_id = gnomon.workspace() AND tm.team_id = c.id) n

-- DELETE /api/v1/workspaces/{ws}/teams/{team}                      delete_team
-- Its projects and stories belong to no team then.
-- role:   admin
-- path:   {team} uuid
-- reply:  204
SELECT c.id FROM gnomon.remove_team(:team) c

-- POST /api/v1/workspaces/{ws}/teams/{team}/members            add_team_member
-- Puts a member of the workspace into the team.
-- role:   admin
-- path:   {team} uuid
-- body:   TeamAdd
-- reply:  201 TeamMember
SELECT u.id, u.name, c.is_lead AS "isLead"
  FROM gnomon.seat_in_team(:team, (:body ->> 'user_id')::uuid, coalesce((:body ->> 'is_lead')::boolean, false)) c JOIN users u ON u.id = c.id

-- PUT /api/v1/workspaces/{ws}/teams/{team}/members/{user}      set_team_member
-- Puts somebody into the team, as a lead or not.
-- role:   admin
-- path:   {team} uuid, {user} uuid
-- body:   TeamSeat
-- reply:  200 TeamMember
SELECT u.id, u.name, c.is_lead AS "isLead"
  FROM gnomon.seat_in_team(:team, :user, (:body ->> 'is_lead')::boolean) c JOIN users u ON u.id = c.id

-- DELETE /api/v1/workspaces/{ws}/teams/{team}/members/{user} remove_team_member
-- role:   admin
-- path:   {team} uuid, {user} uuid
-- reply:  204
SELECT c.id FROM gnomon.unseat_from_team(:team, :user) c
