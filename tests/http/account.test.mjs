// One's own account: tokens that turn, sessions, API keys, the profile, its end.
import { createHash } from 'node:crypto'
import { before, describe, test } from 'node:test'
import { assert, browser, call, csrf, get, join, lit, newUser, ok, origin, password, patch, post, refused, rows, session, sql, tenant, unique } from './lib.mjs'
import { ownServer, sleep, until } from './server.mjs'

const me = token => get('/api/v1/users/me', { token })
const del = (path, options) => call('DELETE', path, options)
const login = (email, word = password, headers = {}) => ok(post('/api/v1/auth/login', { json: { email, password: word }, headers }))
const refresh = refreshToken => post('/api/v1/auth/refresh', { json: { refreshToken } })
const page = async (path, cookie) => {
	const r = await get(path, { cookie })
	assert.equal(r.status, 200, r.text.slice(0, 300))
	return r.text
}
const submit = async (path, cookie, form, from = path) =>
	post(path, { cookie, form: { csrf: await csrf(cookie, from), ...form }, headers: { Origin: origin } })

let user
before(async () => {
	user = await newUser('Ada Test')
})

describe('refresh tokens', () => {
	test('001-034 001-035: login gives two tokens, and the second makes a new pair of which the old one is refused', async () => {
		const first = await login(user.email)
		assert.match(first.refreshToken, /^gnr_[\w-]{43}$/)
		const second = await ok(refresh(first.refreshToken))
		assert.notEqual(second.refreshToken, first.refreshToken)
		await ok(me(second.accessToken))
		await refused(refresh(first.refreshToken), 401, 'unauthenticated')
	})
	test('001-012: reuse of a rotated token ends the family: the newest token, too, and every access token', async () => {
		const first = await login(user.email)
		const second = await ok(refresh(first.refreshToken))
		const third = await ok(refresh(second.refreshToken))
		await ok(me(third.accessToken))
		await refused(refresh(first.refreshToken), 401, 'unauthenticated')
		await refused(refresh(third.refreshToken), 401, 'unauthenticated')
		for (const t of [first, second, third]) await refused(me(t.accessToken), 401, 'unauthenticated')
		await ok(me(user.token)) // another family lives on
	})
	test('eight who use one token at once, as tabs do, get one and the same next token, and nobody is signed out', async () => {
		const { refreshToken } = await login(user.email)
		const held = session()
		await held.say(`BEGIN; SELECT 1 FROM refresh_tokens WHERE token_hash = sha256(${lit(refreshToken)}) FOR UPDATE`)
		const asked = Array.from({ length: 8 }, () => refresh(refreshToken))
		await sleep(1000) // all of them are there before one is answered
		await held.say('COMMIT')
		held.end()
		const replies = await Promise.all(asked)
		assert.deepEqual(replies.map(r => r.status), Array(8).fill(200))
		const next = new Set(replies.map(r => r.json.refreshToken))
		assert.equal(next.size, 1)
		const third = await ok(refresh([...next][0]))
		await ok(me(third.accessToken))
		await refused(refresh(refreshToken), 401, 'unauthenticated') // later, it is a copy
		await refused(refresh(third.refreshToken), 401, 'unauthenticated')
	})
	test('001-036: logout kills the refresh token', async () => {
		const t = await login(user.email)
		assert.equal((await post('/api/v1/auth/logout', { token: t.accessToken })).status, 204)
		await refused(refresh(t.refreshToken), 401, 'unauthenticated')
	})
	test('what is no refresh token is refused, and only its hash is kept', async () => {
		const t = await login(user.email)
		for (const bad of ['x', `gnr_${'A'.repeat(43)}`, t.accessToken.slice(0, 200), t.refreshToken.slice(0, -1), `${t.refreshToken}A`, t.refreshToken.replace('gnr_', 'gnk_')])
			await refused(refresh(bad), 401, 'unauthenticated')
		await refused(get('/api/v1/users/me', { headers: { Authorization: `Bearer ${t.refreshToken}` } }), 401)
		const hash = createHash('sha256').update(t.refreshToken).digest('hex')
		assert.equal(sql(`SELECT count(*) FROM refresh_tokens WHERE token_hash = '\\x${hash}'`), '1')
		await ok(refresh(t.refreshToken))
	})
	test('a refresh token lives for 30 days from its last use, and not longer', async () => {
		const t = await login(user.email)
		const { sid } = JSON.parse(Buffer.from(t.accessToken.split('.')[1], 'base64url'))
		const left = () => Number(sql(`SELECT extract(epoch FROM expires_at - now()) FROM sessions WHERE id = ${lit(sid)}`))
		assert.ok(Math.abs(left() - 30 * 86400) < 60)
		sql(`UPDATE sessions SET expires_at = now() + interval '1 minute' WHERE id = ${lit(sid)}`)
		const next = await ok(refresh(t.refreshToken))
		assert.ok(Math.abs(left() - 30 * 86400) < 60)
		sql(`UPDATE sessions SET expires_at = now() WHERE id = ${lit(sid)}`)
		await refused(refresh(next.refreshToken), 401, 'unauthenticated')
	})
})

describe('sessions', () => {
	const firefox = { 'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0' }
	test('the list names devices, when they were seen, and which is this one', async () => {
		const u = await newUser()
		const t = await login(u.email, password, firefox)
		const { items } = await ok(get('/api/v1/users/me/sessions', { token: t.accessToken }))
		assert.equal(items.length, 2)
		assert.deepEqual(items.map(s => s.isCurrent), [true, false])
		assert.equal(items[0].device, 'Firefox on Linux')
		assert.equal(items[0].address, '127.0.0.1')
		assert.ok(Date.parse(items[0].lastSeenAt) > Date.now() - 60000)
		assert.deepEqual((await ok(get('/api/v1/users/me/sessions', u))).items.map(s => s.isCurrent), [true, false])
	})
	for (const [agent, device] of [
		['curl/7.88.1', 'curl'], ['', 'Unknown program'], ['python-requests/2.31', 'python-requests'],
		['Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1', 'Safari on iPhone'],
		['Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0', 'Edge on Windows'],
		['Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36', 'Chrome on Android'],
		['Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15', 'Safari on macOS']])
		test(`${agent.slice(0, 40) || 'nothing'} is called ${device}`, () => {
			assert.equal(sql(`SELECT gnomon.device(${lit(agent)})`), device)
		})
	test('one is signed out, and no other', async () => {
		const u = await newUser()
		const [x, y] = [await login(u.email), await login(u.email)]
		const { items } = await ok(get('/api/v1/users/me/sessions', { token: x.accessToken }))
		const id = JSON.parse(Buffer.from(y.accessToken.split('.')[1], 'base64url')).sid
		assert.ok(items.some(s => s.id === id))
		assert.equal((await del(`/api/v1/users/me/sessions/${id}`, { token: x.accessToken })).status, 204)
		await refused(me(y.accessToken), 401)
		await refused(refresh(y.refreshToken), 401)
		await ok(me(x.accessToken))
		await refused(del(`/api/v1/users/me/sessions/${id}`, { token: x.accessToken }), 404, 'not_found')
	})
	test("nobody ends another's session", async () => {
		const u = await newUser()
		const { items: [mine] } = await ok(get('/api/v1/users/me/sessions', u))
		await refused(del(`/api/v1/users/me/sessions/${mine.id}`, user), 404, 'not_found')
		await ok(me(u.token))
	})
	test('everywhere else is signed out, keys stay', async () => {
		const u = await newUser()
		const [x, y, cookie] = [await login(u.email), await login(u.email), await browser(u)]
		const key = await ok(post('/api/v1/users/me/tokens', { ...u, json: { name: 'K', scope: 'read' } }), 201)
		assert.deepEqual(await ok(del('/api/v1/users/me/sessions', { token: x.accessToken })), { ended: 3 })
		await refused(me(y.accessToken), 401)
		assert.equal((await get('/account', { cookie })).status, 303)
		await ok(me(x.accessToken))
		await ok(me(key.token))
	})
	test('the page does it without script', async () => {
		const u = await newUser()
		const [cookie, other] = [await browser(u), await browser(u)]
		const text = await page('/account/sessions', cookie)
		assert.equal(text.match(/This one/g).length, 1)
		const id = /action="\/account\/sessions\/([0-9a-f-]{36})"/.exec(text)[1]
		const r = await submit(`/account/sessions/${id}`, cookie, {}, '/account/sessions')
		assert.equal(r.status, 303)
		assert.equal(r.headers.location, '/account/sessions')
		assert.ok(!(await page('/account/sessions', cookie)).includes(id))
		const all = await submit('/account/sessions', cookie, {})
		assert.equal(all.status, 303)
		assert.equal((await get('/account', { cookie: other })).status, 303)
		assert.ok(!(await page('/account/sessions', cookie)).includes('/account/sessions/'))
	})
})

describe('001-136: API keys', () => {
	let t
	const make = (scope, more = {}) => ok(post('/api/v1/users/me/tokens', { ...t.owner, json: { name: `Key ${scope}`, scope, ...more } }), 201)
	before(async () => {
		t = await tenant()
	})
	test('a key is shown once, its hash is kept, its last use is seen', async () => {
		const key = await make('read', { expiresInDays: 30 })
		assert.match(key.token, /^gnk_[\w-]{43}$/)
		assert.equal(key.lastUsedAt, null)
		assert.ok(Math.abs(Date.parse(key.expiresAt) - Date.now() - 30 * 86400e3) < 60e3)
		assert.equal(sql(`SELECT count(*) FROM sessions s WHERE s::text LIKE ${lit(`%${key.token}%`)}`), '0')
		assert.equal((await ok(me(key.token))).email, t.owner.email)
		const { items } = await ok(get('/api/v1/users/me/tokens', t.owner))
		const seen = items.find(k => k.id === key.id)
		assert.ok(Date.parse(seen.lastUsedAt) > Date.now() - 60e3)
		assert.equal(seen.token, undefined)
	})
	test('a read key reads and writes nothing: 403', async () => {
		const { token } = await make('read')
		await ok(get(`${t.path}/stories`, { token }))
		await refused(post(`${t.path}/stories`, { token, json: { title: 'x' } }), 403, 'forbidden')
		await refused(patch('/api/v1/users/me', { token, json: { name: 'x' } }), 403, 'forbidden')
		await refused(post('/api/v1/users/me/tokens', { token, json: { name: 'x', scope: 'admin' } }), 403, 'forbidden')
		await refused(del('/api/v1/users/me/sessions', { token }), 403, 'forbidden')
		await refused(del('/api/v1/users/me', { token, json: { password } }), 403, 'forbidden')
		await ok(me(t.owner.token))
		assert.equal((await ok(me(t.owner.token))).name, 'Olga Owner')
	})
	test('a write key does what a member may, and leaves the account alone', async () => {
		const { token } = await make('write')
		await ok(post(`${t.path}/stories`, { token, json: { title: 'By key' } }), 201)
		await refused(call('PUT', `${t.base}/agents/configs/sprint_risk`, { token, json: { enabled: true } }), 403, 'forbidden')
		await refused(post('/api/v1/users/me/tokens', { token, json: { name: 'x', scope: 'admin' } }), 403, 'forbidden')
		await refused(post('/api/v1/users/me/password', { token, json: { password, newPassword: 'another long phrase' } }), 403, 'forbidden')
	})
	test('an admin key does all that its user may', async () => {
		const { token } = await make('admin')
		await ok(call('PUT', `${t.base}/agents/configs/sprint_risk`, { token, json: { enabled: false } }))
		await ok(patch('/api/v1/users/me', { token, json: { preferences: { theme: 'dark' } } }))
	})
	test('a key is refused as a cookie, and a cookie as a key', async () => {
		const { token } = await make('admin')
		const cookie = await browser(t.owner)
		for (const value of [token, token.slice(4)]) assert.equal((await get('/account', { cookie: `s=${value}` })).status, 303)
		for (const value of [cookie.slice(2), `gnk_${cookie.slice(2)}`]) await refused(me(value), 401, 'unauthenticated')
		const { id } = (await ok(get('/api/v1/users/me/tokens', t.owner))).items[0]
		await refused(del(`/api/v1/users/me/sessions/${id}`, t.owner), 404) // a key is no session
	})
	test('a deleted or expired key opens nothing', async () => {
		const [x, y] = [await make('read'), await make('read')]
		assert.equal((await del(`/api/v1/users/me/tokens/${x.id}`, t.owner)).status, 204)
		await refused(me(x.token), 401, 'unauthenticated')
		await refused(del(`/api/v1/users/me/tokens/${x.id}`, t.owner), 404)
		sql(`UPDATE sessions SET expires_at = now() WHERE id = ${lit(y.id)}`)
		await refused(me(y.token), 401, 'unauthenticated')
		for (const bad of ['gnk_', `gnk_${'A'.repeat(43)}`, `${x.token}A`]) await refused(me(bad), 401, 'unauthenticated')
	})
	for (const json of [{ name: '', scope: 'read' }, { name: ' ', scope: 'read' }, { name: 'x' }, { name: 'x', scope: 'owner' }, { name: 'x', scope: 'read', expiresInDays: 0 }, { name: 'x'.repeat(121), scope: 'read' }])
		test(`no key is made of ${JSON.stringify(json).slice(0, 50)}`, () => refused(post('/api/v1/users/me/tokens', { ...t.owner, json }), 422, 'validation_failed'))
	test('001-018: each key has a limit of its own', async () => {
		const own = await ownServer({ env: { RATE_LIMIT: '30', REQUIRE_VERIFICATION: 'off', GNOMON_SECRET_FILE: process.env.GNOMON_SECRET_FILE } })
		try {
			const [x, y] = [await make('read'), await make('read')]
			const ask = token => get('/api/v1/users/me', { token, at: own.at })
			await ok(ask(y.token)) // now it is known to be somebody
			const statuses = []
			for (let i = 0; i < 40; i++) statuses.push((await ask(x.token)).status)
			assert.ok(statuses.includes(429))
			const r = await ask(x.token)
			await refused(r, 429, 'rate_limited')
			assert.ok(Number(r.headers['retry-after']) >= 1)
			await ok(ask(y.token))
		} finally {
			await own.close()
		}
	})
	test('a key made a moment ago is no fresh sign-in: it does not give a stolen session the account', async () => {
		const u = await newUser()
		sql(`UPDATE users SET password_hash = NULL WHERE id = ${lit(u.id)};
		     UPDATE sessions SET created_at = now() - interval '1 hour' WHERE user_id = ${lit(u.id)}`)
		const key = await ok(post('/api/v1/users/me/tokens', { ...u, json: { name: 'K', scope: 'admin' } }), 201)
		for (const who of [u, key])
			await refused(post('/api/v1/users/me/password', { token: who.token, json: { newPassword: 'another long phrase' } }), 422, 'validation_failed')
	})
	test('the page makes one, shows it once, and deletes it', async () => {
		const cookie = await browser(t.owner)
		const r = await submit('/account/tokens', cookie, { name: 'From the page', scope: 'write', expiresInDays: '' })
		assert.equal(r.status, 303, r.text.slice(0, 500))
		const kept = r.headers['set-cookie'].find(c => c.startsWith('k='))
		assert.match(kept, /HttpOnly/)
		assert.ok(!kept.includes('gnk_'))
		const shown = await get('/account/tokens', { cookie: `${cookie}; ${kept.split(';')[0]}` })
		const [token] = /gnk_[\w-]{43}/.exec(shown.text)
		assert.ok(shown.headers['set-cookie'].some(c => /^k=; .*Max-Age=0/.test(c)))
		assert.equal((await ok(me(token))).id, t.owner.id)
		const again = await page('/account/tokens', cookie)
		assert.ok(!again.includes('gnk_'))
		const { items: [newest] } = await ok(get('/api/v1/users/me/tokens', t.owner))
		assert.equal(newest.name, 'From the page')
		assert.equal((await submit(`/account/tokens/${newest.id}`, cookie, {}, '/account/tokens')).status, 303)
		await refused(me(token), 401)
	})
})

describe('the profile', () => {
	test('001-041: it has no hash of any kind', async () => {
		const r = await me(user.token)
		assert.doesNotMatch(r.text, /argon2|hash/i)
	})
	test('001-042, 001-161: a sparse update is kept, and the rest stays', async () => {
		const u = await newUser('Before')
		const read = () => ok(me(u.token))
		assert.equal((await ok(patch('/api/v1/users/me', { ...u, json: { name: 'After' } }))).name, 'After')
		await ok(patch('/api/v1/users/me', { ...u, json: { avatar: 'https://example.org/a.png' } }))
		await ok(patch('/api/v1/users/me', { ...u, json: { preferences: { theme: 'dark' } } }))
		await ok(patch('/api/v1/users/me/preferences', { ...u, json: { shortcuts: true } }))
		let p = await read()
		assert.deepEqual([p.name, p.avatar, p.preferences], ['After', 'https://example.org/a.png', { theme: 'dark', shortcuts: true }])
		await ok(patch('/api/v1/users/me', { ...u, json: { avatar: null, preferences: { theme: null } } }))
		p = await read()
		assert.deepEqual([p.name, p.avatar, p.preferences], ['After', null, { shortcuts: true }])
	})
	for (const json of [{}, { name: '' }, { name: '  ' }, { email: 'x@example.org' }, { password: 'x' }, { avatar: 'javascript:alert(1)' }, { preferences: { theme: 'pink' } }, { preferences: { other: 1 } }, { id: 'x' }])
		test(`${JSON.stringify(json)} is refused`, () => refused(patch('/api/v1/users/me', { ...user, json }), 422, 'validation_failed'))
	test('a new name changes the board that shows it', async () => {
		const t = await tenant({ stories: 1 })
		sql(`UPDATE stories SET assignee_id = ${lit(t.owner.id)} WHERE id = ${lit(t.stories[0].id)}`)
		const first = await get(`${t.path}/board`, t.owner)
		assert.equal(first.status, 200)
		const again = () => get(`${t.path}/board`, { ...t.owner, headers: { 'If-None-Match': first.headers.etag } })
		assert.equal((await again()).status, 304)
		await ok(patch('/api/v1/users/me', { ...t.owner, json: { preferences: { theme: 'light' } } }))
		assert.equal((await again()).status, 304, 'a preference shows nowhere')
		await ok(patch('/api/v1/users/me', { ...t.owner, json: { name: 'Olga Renamed' } }))
		const second = await again()
		assert.equal(second.status, 200)
		assert.match(second.text, /Olga Renamed/)
	})
	test('the page changes name and theme, and keeps what was typed when it is refused', async () => {
		const u = await newUser()
		const cookie = await browser(u)
		assert.equal((await submit('/account', cookie, { name: 'By Form' })).status, 303)
		assert.match(await page('/account', cookie), /value="By Form"/)
		const theme = await submit('/account/preferences', cookie, { theme: 'dark' }, '/account')
		assert.ok(theme.headers['set-cookie'].some(c => c.startsWith('theme=dark;')))
		assert.match(await page('/account', cookie), /<option value="dark" selected>/)
		const bad = await submit('/account', cookie, { name: 'x'.repeat(121) })
		assert.equal(bad.status, 422)
		assert.match(bad.text, /x{121}/)
		const signedIn = await post('/login', { form: { email: u.email, password } })
		assert.ok(signedIn.headers['set-cookie'].some(c => c.startsWith('theme=dark;')), 'a new browser looks the same')
	})
})

describe('the password', () => {
	test('who comes with the old one while it changes gets no session', async () => {
		const u = await newUser()
		const open = proof => sql(`SELECT gnomon.open_session(${lit(u.id)}, 'api', NULL, 'test', interval '1 hour', '', ${proof}) IS NULL`)
		const hash = `(SELECT password_hash FROM users WHERE id = ${lit(u.id)})`
		assert.deepEqual([open(hash), open('NULL'), open(`'$argon2id$the one before'`)], ['f', 'f', 't'])
	})
	test('a change asks for the old one, and signs out everywhere else', async () => {
		const u = await newUser()
		const other = await login(u.email)
		const change = json => post('/api/v1/users/me/password', { ...u, json })
		await refused(change({ newPassword: 'another long phrase' }), 422, 'validation_failed')
		const error = await refused(change({ password: 'wrong', newPassword: 'another long phrase' }), 422, 'validation_failed')
		assert.equal(error.details.errors[0].pointer, '/password')
		await ok(me(other.accessToken))
		assert.equal((await change({ password, newPassword: 'another long phrase' })).status, 204)
		await refused(me(other.accessToken), 401)
		await refused(refresh(other.refreshToken), 401)
		await ok(me(u.token))
		await refused(post('/api/v1/auth/login', { json: { email: u.email, password } }), 401, 'bad_credentials')
		await login(u.email, 'another long phrase')
	})
	for (const word of ['1234567890', 'password123', 'Qwerty12345', 'aaaaaaaaaaaa', 'PASSWORD1234', 'iloveyou123', 'P@ssw0rd123', 'too short'])
		test(`001-033: ${word} is too weak: 422`, async () => {
			const error = await refused(post('/api/v1/auth/register', { json: { email: `${unique()}@example.org`, name: 'N', password: word } }), 422, 'validation_failed')
			assert.equal(error.details.errors[0].pointer, '/password')
			await refused(post('/api/v1/users/me/password', { ...user, json: { password, newPassword: word } }), 422, 'validation_failed')
		})
	test('001-033: neither the address nor the name will do', async () => {
		const email = `someone.${unique()}@example.org`
		for (const word of [email, email.toUpperCase(), email.split('@')[0], 'Wilhelmina Brown', 'wilhelminabrown'])
			await refused(post('/api/v1/auth/register', { json: { email, name: 'Wilhelmina Brown', password: word } }), 422, 'validation_failed')
		await ok(post('/api/v1/auth/register', { json: { email, name: 'Wilhelmina Brown', password: 'green kettle on the moon' } }), 201)
		await refused(post('/api/v1/auth/register', { json: { email, name: 'W', password: 'green kettle on the moon' } }), 409, 'conflict')
	})
	test('the form says what is wrong and never shows what was typed', async () => {
		const u = await newUser()
		const cookie = await browser(u)
		const r = await submit('/account/password', cookie, { password: 'wrong secret', newPassword: 'another secret phrase' }, '/account')
		assert.equal(r.status, 422)
		assert.match(r.text, /This is not your password/)
		assert.doesNotMatch(r.text, /wrong secret|another secret phrase/)
		const done = await submit('/account/password', cookie, { password, newPassword: 'another secret phrase' }, '/account')
		assert.equal(done.status, 303)
		assert.equal((await get('/account', { cookie })).status, 200)
	})
})

describe('deleting the account', () => {
	const end = (u, json = { password }) => del('/api/v1/users/me', { token: u.token, json })
	test('001-043: sign-in is dead, and history shows a deleted user', async () => {
		const t = await tenant({ roles: ['member'], stories: 1 })
		const path = `${t.path}/stories/${t.stories[0].id}`
		await ok(patch(path, { token: t.member.token, json: { version: 1, title: 'By somebody' } }))
		sql(`UPDATE stories SET assignee_id = ${lit(t.member.id)} WHERE id = ${lit(t.stories[0].id)}`)
		const key = await ok(post('/api/v1/users/me/tokens', { ...t.member, json: { name: 'K', scope: 'admin' } }), 201)
		await refused(end(t.member, {}), 422)
		await refused(end(t.member, { password: 'not the password' }), 422)
		assert.equal((await end(t.member)).status, 204)
		await refused(me(t.member.token), 401)
		await refused(me(key.token), 401)
		await refused(post('/api/v1/auth/login', { json: { email: t.member.email, password } }), 401, 'bad_credentials')
		const cookie = await browser(t.owner)
		const shown = await page(`/w/${t.slug}/p/${t.project.key}/stories/${t.project.key}-${t.stories[0].number}`, cookie)
		assert.match(shown, /Deleted user/)
		assert.doesNotMatch(shown, /Person member/)
		assert.deepEqual(rows(`SELECT email, name, avatar, password_hash, preferences FROM users WHERE id = ${lit(t.member.id)}`),
			[{ email: null, name: 'Deleted user', avatar: null, password_hash: null, preferences: {} }])
		assert.equal(sql(`SELECT count(*) FROM audit_log WHERE workspace_id = ${lit(t.id)} AND action = 'account.deleted' AND entity_id = ${lit(t.member.id)}`), '1')
		assert.equal(sql(`SELECT removed_at IS NOT NULL FROM workspace_members WHERE workspace_id = ${lit(t.id)} AND user_id = ${lit(t.member.id)}`), 't')
		assert.equal(sql(`SELECT count(*) FROM audit_log WHERE workspace_id = ${lit(t.id)} AND details::text LIKE '%Person member%'`), '0')
		await newUserWith(t.member.email) // the address is free again
	})
	const newUserWith = email => ok(post('/api/v1/auth/register', { json: { email, name: 'New', password } }), 201)
	test('nothing that was written for others or waits to be sent keeps name or address', async () => {
		const t = await tenant({ stories: 1 })
		const gone = await newUser('Vera Vanishing')
		join(t.id, gone, 'admin')
		const hook = await ok(post(`${t.base}/webhooks`, { ...t.owner, json: { url: 'https://hooks.example.org/x', eventTypes: ['story.*'] } }), 201)
		await ok(post(`${t.base}/invitations`, { ...gone, json: { email: `${unique()}@example.org`, role: 'viewer' } }), 201)
		await ok(patch(`${t.path}/stories/${t.stories[0].id}`, { token: gone.token, json: { version: 1, assigneeId: t.owner.id } }))
		const told = () => rows(`SELECT text FROM notifications WHERE workspace_id = ${lit(t.id)} AND actor_id = ${lit(gone.id)}`)
		assert.ok(await until(() => told().length > 0))
		assert.equal(told()[0].text, 'Vera Vanishing assigned it to you')
		await post('/api/v1/auth/forgot-password', { json: { email: gone.email } })
		sql(`INSERT INTO invitations (workspace_id, email, role, invited_by, accepted_at, accepted_by)
		     VALUES (${lit(t.id)}, ${lit(gone.email)}, 'viewer', ${lit(t.owner.id)}, now(), ${lit(gone.id)});
		     INSERT INTO notifications (workspace_id, user_id, kind, title, entity_type, entity_id)
		     VALUES (${lit(t.id)}, ${lit(gone.id)}, 'watching', 'x', 'story', ${lit(t.stories[0].id)})`)
		assert.equal((await end(gone)).status, 204)
		assert.equal(told()[0].text, 'Deleted user assigned it to you')
		const query = `SELECT count(*) AS n FROM %s x WHERE x::text LIKE '%%Vera Vanishing%%' OR x::text LIKE '%%${gone.email}%%'`
		assert.deepEqual(rows(`SELECT c.relname FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
			AND (xpath('//n/text()', query_to_xml(format(${lit(query)}, c.oid::regclass), false, false, '')))[1]::text <> '0'`), [])
		assert.equal(sql(`SELECT count(*) FROM notifications WHERE user_id = ${lit(gone.id)}`), '0')
		assert.equal(rows(`SELECT payload #>> '{data,actor,name}' AS who FROM webhook_deliveries WHERE webhook_id = ${lit(hook.id)}`)[0].who, 'Deleted user')
	})
	test('the last owner of a workspace with others is told which, and stays', async () => {
		const t = await tenant({ roles: ['member'] })
		const error = await refused(end(t.owner), 409, 'last_owner')
		assert.match(error.details.errors[0].message, new RegExp(t.slug))
		await ok(me(t.owner.token))
		const second = await newUser()
		join(t.id, second, 'owner')
		assert.equal((await end(t.owner)).status, 204)
		const left = await refused(end(second), 409)
		assert.ok(left.details.errors.length === 1, 'the other owner is the last one now')
	})
	test('two last owners cannot both go at once', async () => {
		const t = await tenant({ roles: ['member'] })
		const second = await newUser()
		join(t.id, second, 'owner')
		const replies = await Promise.all([end(t.owner), end(second)])
		assert.deepEqual(replies.map(r => r.status).sort(), [204, 409])
	})
	test('a workspace of one closes, and its address tells nothing of them', async () => {
		const u = await newUser('Very Private Person')
		const { id } = await ok(get(`/api/v1/workspaces/${u.slug}`, u))
		assert.equal((await end(u)).status, 204)
		assert.deepEqual(rows(`SELECT name, slug ~ 'private' AS told FROM workspaces WHERE id = ${lit(id)}`), [{ name: 'Closed workspace', told: false }])
		assert.equal(sql(`SELECT count(*) FROM workspace_members WHERE workspace_id = ${lit(id)} AND removed_at IS NULL`), '0')
	})
	test('the page says what goes, and the form does it', async () => {
		const u = await newUser()
		const cookie = await browser(u)
		assert.match(await page('/account/delete', cookie), /Deleted user/)
		const wrong = await submit('/account/delete', cookie, { password: 'wrong secret' })
		assert.equal(wrong.status, 422)
		assert.doesNotMatch(wrong.text, /wrong secret/)
		const r = await submit('/account/delete', cookie, { password })
		assert.equal(r.status, 303)
		assert.equal(r.headers.location, '/login')
		assert.equal((await get('/account', { cookie })).status, 303)
	})
})
