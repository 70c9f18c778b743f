// Accounts, help: what the walk over all routes (routes.test.mjs) needs of them.
import { unique } from '../lib.mjs'

export const bodies = {
	register: () => ({ email: `${unique()}@example.org`, name: 'N', password: 'long enough it is' }),
	login: () => ({ email: 'nobody@example.org', password: 'x' }),
	logout: () => undefined,
}
export const make = () => ({ code: { id: 'csrf', none: 'no_such_error', shared: true } })
