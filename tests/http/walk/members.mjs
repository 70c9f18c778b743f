// Members, invitations, teams, the audit log.
import { lit, sql, unique } from '../lib.mjs'

const address = () => `walk-${unique()}@example.org`
export const bodies = {
	create_workspace: () => ({ name: 'Walked', slug: `walked-${unique()}` }),
	update_workspace: () => ({ version: 1, name: 'Walked' }),
	leave_workspace: () => undefined,
	update_member: () => ({ version: 1, role: 'member' }),
	remove_member: () => undefined,
	create_invitation: () => ({ email: address() }),
	send_invitation: () => undefined,
	revoke_invitation: () => undefined,
	accept_invitation: () => ({ token: 'none' }),
	register_invited: () => ({ token: 'none', name: 'N', password: 'long enough it is' }),
	open_project: () => ({ key: `K${unique().slice(0, 8).toUpperCase()}`, name: `Walk ${unique()}` }),
	update_project: () => ({ version: 1, name: 'Walked' }),
	archive_project: () => undefined,
	add_project_member: () => ({ userId: '00000000-0000-7000-8000-000000000000', role: 'viewer' }),
	update_project_member: () => ({ version: 1, role: 'member' }),
	remove_project_member: () => undefined,
	create_team: () => ({ name: `Walk ${unique()}` }),
	update_team: () => ({ version: 1, description: 'Walked' }),
	delete_team: () => undefined,
	add_team_member: () => ({ userId: '00000000-0000-7000-8000-000000000000' }),
	set_team_member: () => ({ isLead: false }),
	remove_team_member: () => undefined,
}
export function make(t) {
	const [user, team, invitation] = sql(`
		WITH person AS (INSERT INTO users (email, name) VALUES (${lit(address())}, 'Walked Person') RETURNING id),
		     member AS (INSERT INTO workspace_members (workspace_id, user_id, role) SELECT ${lit(t.id)}, id, 'viewer' FROM person RETURNING user_id),
		     team AS (INSERT INTO teams (workspace_id, name) VALUES (${lit(t.id)}, ${lit(`Team ${unique()}`)}) RETURNING id),
		     invitation AS (INSERT INTO invitations (workspace_id, email, role, invited_by, sent_at)
		                    VALUES (${lit(t.id)}, ${lit(address())}, 'viewer', ${lit(t.owner.id)}, now() - interval '1 hour') RETURNING id)
		SELECT concat_ws(' ', person.id, team.id, invitation.id) FROM person, member, team, invitation`).split(' ')
	sql(`INSERT INTO project_members (workspace_id, project_id, user_id, role) VALUES (${lit(t.id)}, ${lit(t.project.id)}, ${lit(user)}, 'viewer');
	     INSERT INTO team_members (workspace_id, team_id, user_id) VALUES (${lit(t.id)}, ${lit(team)}, ${lit(user)})`)
	return { user: { id: user }, team: { id: team }, invitation: { id: invitation } }
}
