// Accounts, help: what the walk over all routes (routes.test.mjs) needs of them.
import { lit, sql, unique } from '../lib.mjs'

// what ends the walker's own sessions: routes.test.mjs sends these no nonsense
export const parting = ['logout', 'end_other_sessions']

export const bodies = {
	register: () => ({ email: `${unique()}@example.org`, name: 'N', password: 'long enough it is' }),
	login: () => ({ email: 'nobody@example.org', password: 'x' }),
	login_second: () => ({ ticket: 'none', code: '123456' }),
	refresh: () => ({ refreshToken: 'none' }),
	logout: () => undefined,
	verify: () => ({ token: 'none' }),
	verify_send: () => ({ email: 'nobody@example.org' }),
	forgot_password: () => ({ email: 'nobody@example.org' }),
	reset_password: () => ({ token: 'none', password: 'long enough it is' }),
	update_me: () => ({ name: 'Walked' }),
	delete_me: () => ({ password: 'not the password' }),
	update_preferences: () => ({ theme: 'system' }),
	change_password: () => ({ password: 'not the password', newPassword: 'long enough it is' }),
	end_other_sessions: () => undefined,
	end_session: () => undefined,
	create_token: () => ({ name: 'Walked', scope: 'read' }),
	delete_token: () => undefined,
	begin_second_factor: () => ({ password: 'not the password' }),
	confirm_second_factor: () => ({ code: '000000' }),
	new_recovery_codes: () => ({ code: '000000' }),
	end_second_factor: () => ({ code: '000000' }),
}
const session = (t, kind) => sql(`INSERT INTO sessions (user_id, kind, expires_at) VALUES (${lit(t.owner.id)}, ${lit(kind)}, now() + interval '1 hour') RETURNING id`)
export const make = t => ({
	code: { id: 'csrf', none: 'no_such_error', shared: true },
	provider: { id: 'github', none: 'no_such_service', shared: true },
	session: { id: session(t, 'api') },
	token: { id: session(t, 'key') },
})
