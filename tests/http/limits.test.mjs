// How often one may ask, and from which pages: on a server of this file's own,
// with narrow settings.
import { after, before, describe, test } from 'node:test'
import { assert, ok, password, refused, tenant, unique } from './lib.mjs'
import { ownServer } from './server.mjs'

const friend = 'https://friend.example'
let t, s

before(async () => {
	t = await tenant({ roles: ['member'] })
	s = await ownServer({ env: { RATE_LIMIT: '20', SIGN_IN_LIMIT: '5', CORS_ORIGINS: `${friend},https://other.example` } })
	for (const user of [t.owner, t.member]) // its keys are its own, too
		user.token = (await ok(s.call('POST', '/api/v1/auth/login', { json: { email: user.email, password } }))).accessToken
})
after(() => s.close())

const ask = (user, headers = {}) => s.call('GET', '/api/v1/users/me', { token: user.token, headers })

/** Asks until refused, at most twice the limit (a window may end between). */
async function exhaust(one, limit) {
	const replies = []
	for (let i = 0; i < 2 * limit + 1; i++) {
		replies.push(await one())
		if (replies.at(-1).status === 429) return replies
	}
	return assert.fail('never refused')
}

describe('a session', () => {
	test('is not made by a made-up cookie, and who has one keeps his', async () => {
		const login = await s.call('POST', '/login', { form: { email: t.member.email, password }, headers: { Origin: s.at.origin } })
		assert.equal(login.status, 303)
		const cookie = login.headers['set-cookie'].find(c => c.startsWith('s=')).split(';')[0]
		const page = mine => s.call('GET', `/w/${t.slug}`, { cookie: mine })
		assert.equal((await page(cookie)).status, 200)
		await exhaust(() => page(`s=${unique().repeat(5).slice(0, 43)}`), 20)
		assert.equal((await page(cookie)).status, 200)
		const replies = await exhaust(() => page(cookie), 20)
		assert.ok(replies.at(-1).headers['retry-after'])
	})
	test('is refused when it asks too often, and told when it may again', async () => {
		const replies = await exhaust(() => ask(t.owner), 20)
		const last = replies.at(-1)
		await refused(last, 429, 'rate_limited')
		assert.equal(last.headers['ratelimit-limit'], '20')
		assert.equal(last.headers['ratelimit-remaining'], '0')
		const wait = Number(last.headers['retry-after'])
		assert.ok(wait >= 1 && wait <= 60)
		assert.equal(last.headers['ratelimit-reset'], last.headers['retry-after'])
		const good = replies.filter(r => r.status === 200)
		assert.ok(good.length >= 1 && good.length <= 40)
		assert.ok(good.every(r => Number(r.headers['ratelimit-remaining']) < 20))
	})
	test('takes nothing from another', async () => {
		await ok(ask(t.member))
	})
	test('is the same one however its scheme is written', async () => {
		for (let i = 0; i < 41; i++) {
			const scheme = [...'bearer'].map((c, k) => (i >> k & 1 ? c.toUpperCase() : c)).join('')
			const r = await s.call('GET', '/api/v1/users/me', { headers: { Authorization: `${scheme} ${t.member.token}` } })
			if (r.status === 429) return
		}
		assert.fail('never refused')
	})
	test('is not made by a made-up token', async () => {
		await exhaust(() => s.call('GET', '/api/v1/users/me', { token: unique() }), 20)
	})
	test('may always be asked whether it lives', async () => {
		for (let i = 0; i < 50; i++) await ok(s.call('GET', i % 2 ? '/health' : '/ready'))
	})
})

describe('an address', () => {
	test('may try only so many passwords, by API and by form together', async () => {
		const attempt = i => i % 2
			? s.call('POST', '/login', { form: { email: `${unique()}@example.org`, password: 'x' } })
			: s.call('POST', '/api/v1/auth/login', { json: { email: `${unique()}@example.org`, password: 'x' } })
		let i = 0
		const replies = await exhaust(() => attempt(i++), 5)
		assert.ok(replies.slice(0, -1).every(r => r.status === 401))
		const right = await s.call('POST', '/api/v1/auth/login', { json: { email: t.owner.email, password } })
		assert.ok([200, 429].includes(right.status)) // the right one is no exception
		if (replies.at(-1).json) await refused(replies.at(-1), 429, 'rate_limited')
	})
	test('cannot name another one', async () => {
		const forged = { 'X-Forwarded-For': '10.1.2.3', 'X-Real-IP': '10.1.2.3', Forwarded: 'for=10.1.2.3' }
		await exhaust(() => s.call('POST', '/api/v1/auth/login', { json: { email: 'a', password: 'x' }, headers: forged }), 5)
	})
})

describe('001-134, 004-045: pages of other sites', () => {
	const asked = (origin, more = {}) => s.call('OPTIONS', '/api/v1/projects', { headers: { Origin: origin, 'Access-Control-Request-Method': 'GET', ...more } })

	test('that are named may ask', async () => {
		const r = await asked(friend)
		assert.equal(r.status, 204)
		assert.equal(r.headers['access-control-allow-origin'], friend)
		assert.match(r.headers['access-control-allow-methods'], /GET/)
		assert.match(r.headers['access-control-allow-headers'], /Authorization/)
		assert.match(r.headers.vary, /Origin/)
		const reply = await ask(t.member, { Origin: friend })
		assert.equal(reply.headers['access-control-allow-origin'], friend)
		assert.match(reply.headers['access-control-expose-headers'], /X-Request-Id/)
	})
	test('are never given the cookie', async () => {
		for (const r of [await asked(friend), await ask(t.member, { Origin: friend })]) assert.equal(r.headers['access-control-allow-credentials'], undefined)
	})
	for (const origin of ['https://evil.example', 'null', 'https://friend.example.evil.example', 'http://friend.example', 'https://friend.exampl', 'https://FRIEND.example', 'https://friend.example:444', '*', `${friend},https://other.example`, 'https://other.example/'])
		test(`${origin} may not`, async () => {
			const r = await asked(origin)
			assert.equal(r.headers['access-control-allow-origin'], undefined)
			assert.equal(r.headers['access-control-allow-methods'], undefined)
			assert.match(r.headers.vary ?? '', /Origin/)
		})
	test('pages of ours are not for them', async () => {
		const r = await s.call('GET', '/login', { headers: { Origin: friend } })
		assert.equal(r.headers['access-control-allow-origin'], undefined)
	})
})
