// Who somebody is: passwords, access tokens, the session cookie, form tokens.
import { createHmac } from 'node:crypto'
import { before, describe, test } from 'node:test'
import { assert, browser, call, csrf, get, insights, lit, newUser, ok, origin, password, post, refused, rows, signIn, sql, tenant, unique, URL_ } from './lib.mjs'

let user
const me = token => get('/api/v1/users/me', { token })
const part = json => Buffer.from(JSON.stringify(json)).toString('base64url')

before(async () => {
	user = await newUser('Ada Test')
})

describe('accounts', () => {
	test('a new account has a workspace of its own, with everything off', async () => {
		const { items } = await ok(get('/api/v1/workspaces', user))
		assert.deepEqual(items.map(w => [w.slug, w.role, w.plan]), [[user.slug, 'owner', 'free']])
		const { items: agents } = await ok(get(`/api/v1/workspaces/${user.slug}/agents/configs`, user))
		assert.deepEqual(agents.map(a => a.enabled), [false, false])
		const usage = await ok(get(`/api/v1/workspaces/${user.slug}/ai/usage`, user))
		assert.deepEqual(usage.policy, { enabled: false, monthlyTokenBudget: 0, monthlyRunBudget: 0 })
	})
	test('the profile has no password', async () => {
		const profile = await ok(me(user.token))
		assert.equal(profile.email, user.email)
		assert.deepEqual(Object.keys(profile).sort(), ['avatar', 'createdAt', 'email', 'hasPassword', 'hasSecondFactor', 'id', 'isVerified', 'name', 'preferences', 'updatedAt'])
	})
	test('passwords are kept as argon2id', () => {
		const [{ password_hash: hash }] = rows(`SELECT password_hash FROM users WHERE id = ${lit(user.id)}`)
		assert.match(hash, /^\$argon2id\$v=19\$m=65536,t=2,p=1\$/)
	})
	test('an address is taken once, whatever its case', async () => {
		await refused(post('/api/v1/auth/register', { json: { email: user.email.toUpperCase(), name: 'X', password } }), 409, 'conflict')
		assert.ok((await signIn(user.email.toUpperCase())).token)
	})
	test('of eight sign-ups racing for one address one succeeds, and no workspace is left over', async () => {
		const email = `${unique()}@example.org`, name = `Race ${unique()}`
		const replies = await Promise.all(Array.from({ length: 8 }, () => post('/api/v1/auth/register', { json: { email, name, password } })))
		assert.deepEqual(replies.map(r => r.status).sort(), [201, 409, 409, 409, 409, 409, 409, 409])
		assert.equal(sql(`SELECT count(*) FROM workspaces WHERE name = ${lit(`${name}'s workspace`)}`), '1')
	})
	for (const [what, name] of Object.entries({
		'a name of 120 characters': 'n'.repeat(120),
		'a name whose 50th letter is a space': `${'n'.repeat(49)} end`,
		'a name without a letter for an address': '你好 🙂',
		'a name of one character': '!',
		'a name of quotes': `O'Neil "x" \\ $$ ; --`,
	}))
		test(`${what} can sign up`, async () => {
			const made = await ok(post('/api/v1/auth/register', { json: { email: `${unique()}@example.org`, name, password } }), 201)
			assert.match(made.workspace.slug, /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/)
		})
	test('two of one name get two workspaces', async () => {
		const name = `Twin ${unique()}`
		const [x, y] = [await newUser(name), await newUser(name)]
		assert.notEqual(x.slug, y.slug)
	})
})

describe('signing in', () => {
	test('an unknown address is answered like a wrong password', async () => {
		const answers = await Promise.all([
			post('/api/v1/auth/login', { json: { email: user.email, password: 'not the password' } }),
			post('/api/v1/auth/login', { json: { email: `${unique()}@example.org`, password: 'not the password' } }),
		])
		const [x, y] = answers.map(r => ({ status: r.status, body: r.text.replace(r.headers['x-request-id'], ''), headers: Object.keys(r.headers).join() }))
		assert.equal(x.status, 401)
		assert.deepEqual(x, y)
		await refused(answers[0], 401, 'bad_credentials')
	})
	test('001-034: a wrong password is 401 in equal time', async () => {
		const time = async email => {
			const from = performance.now()
			await post('/api/v1/auth/login', { json: { email, password: 'not the password' } })
			return performance.now() - from
		}
		const known = [], unknown = []
		const other = await newUser() // one of their own: who guesses ten times waits
		for (let i = 0; i < 9; i++) {
			known.push(await time(other.email))
			unknown.push(await time(`${unique()}@example.org`))
		}
		const middle = list => list.sort((p, q) => p - q)[4]
		const [k, u] = [middle(known), middle(unknown)]
		assert.ok(u > k / 2 && u < k * 2, `known ${k} ms, unknown ${u} ms`)
	})
	test('the token says how long it lives', async () => {
		const tokens = await ok(post('/api/v1/auth/login', { json: { email: user.email, password } }))
		assert.equal(tokens.tokenType, 'Bearer')
		assert.equal(tokens.expiresIn, 3600)
	})
	test('a password is compared to its last byte, and is not trimmed', async () => {
		for (const wrong of [`${password} `, ` ${password}`, password.slice(0, -1), password.toUpperCase(), `${password}x`])
			await refused(post('/api/v1/auth/login', { json: { email: user.email, password: wrong } }), 401, 'bad_credentials')
	})
})

describe('access tokens', () => {
	test('ends with its session', async () => {
		const { token } = await signIn(user.email)
		await ok(me(token))
		const r = await post('/api/v1/auth/logout', { token })
		assert.equal(r.status, 204)
		assert.equal(r.text, '')
		await refused(me(token), 401, 'unauthenticated')
		await refused(post('/api/v1/auth/logout', { token }), 401)
		await ok(me(user.token)) // the other session lives on
	})
	test('001-011: an expired session is 401, whatever its token says', async () => {
		const { token } = await signIn(user.email)
		const { sid } = JSON.parse(Buffer.from(token.split('.')[1], 'base64url'))
		sql(`UPDATE sessions SET expires_at = now() WHERE id = ${lit(sid)}`)
		await refused(me(token), 401, 'unauthenticated')
	})
	test('001-011: no tampered token passes', async () => {
		const [header, payload, signature] = user.token.split('.')
		const claims = JSON.parse(Buffer.from(payload, 'base64url'))
		const flip = (text, i) => text.slice(0, i) + (text[i] === 'A' ? 'B' : 'A') + text.slice(i + 1)
		const forged = (h, p, key) => {
			const text = `${part(h)}.${part(p)}`
			return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`
		}
		const tokens = {
			'no signature': `${header}.${payload}.`,
			'no dot': `${header}.${payload}`,
			'two parts': `${header}.${signature}`,
			'alg none': `${part({ alg: 'none', typ: 'JWT' })}.${payload}.`,
			'alg none, signed': `${part({ alg: 'none', typ: 'JWT' })}.${payload}.${signature}`,
			'alg HS512': `${part({ alg: 'HS512', typ: 'JWT' })}.${payload}.${signature}`,
			'longer life': `${header}.${part({ ...claims, exp: claims.exp + 9999 })}.${signature}`,
			'other session': `${header}.${part({ ...claims, sid: '00000000-0000-7000-8000-000000000000' })}.${signature}`,
			'empty key': forged({ alg: 'HS256', typ: 'JWT' }, claims, ''),
			'zero key': forged({ alg: 'HS256', typ: 'JWT' }, claims, Buffer.alloc(32)),
			'a bit of the signature': `${header}.${payload}.${flip(signature, 5)}`,
			'a bit of the payload': `${header}.${flip(payload, 5)}.${signature}`,
			'a bit of the header': `${flip(header, 5)}.${payload}.${signature}`,
			'short signature': `${header}.${payload}.${signature.slice(0, 42)}`,
			'padded signature': `${header}.${payload}.${signature}=`,
			'longer signature': `${header}.${payload}.${signature}AAAA`,
			'four parts': `${header}.${payload}.${signature}.${signature}`,
			'only dots': '..',
			'nothing': '',
			'a long one': 'x'.repeat(5000),
			'the session id': claims.sid,
		}
		for (const [what, token] of Object.entries(tokens))
			await refused(get('/api/v1/users/me', { headers: { Authorization: `Bearer ${token}` } }), 401, 'unauthenticated').catch(e => {
				throw new Error(`${what}: ${e.message}`)
			})
		for (const header_ of ['Basic dXNlcjpwYXNz', `Token ${user.token}`, user.token, 'Bearer', `Bearer${user.token}`])
			await refused(get('/api/v1/users/me', { headers: { Authorization: header_ } }), 401, 'unauthenticated')
	})
	test('a scheme has no case', async () => {
		await ok(get('/api/v1/users/me', { headers: { Authorization: `bearer ${user.token}` } }))
	})
	test('the API takes no cookie', async () => {
		const cookie = await browser(user)
		await refused(get('/api/v1/users/me', { cookie }), 401, 'unauthenticated')
	})
	test('pages take no token', async () => {
		const r = await get(`/w/${user.slug}`, { token: user.token })
		assert.equal(r.status, 303)
	})
})

describe('a browser', () => {
	let t, cookie, other, insight
	before(async () => {
		t = await tenant({ roles: ['member'] })
		cookie = await browser(t.owner)
		other = await browser(t.member)
		insight = insights(t).list[0]
	})
	const path = () => `/w/${t.slug}/insights/I-${insight.number}`
	const acknowledge = (form, headers = {}, as = cookie) =>
		post(path(), { cookie: as, form: { action: 'acknowledge', version: '1', ...form }, headers })
	const stateOf = () => sql(`SELECT state FROM agent_insights WHERE id = ${lit(insight.id)}`)

	test('signs in by a form', async () => {
		const form = await get('/login')
		assert.equal(form.status, 200)
		assert.match(form.text, /<form[^>]+method="?post/)
		const r = await post('/login', { form: { email: t.owner.email, password }, headers: { Origin: origin, 'Sec-Fetch-Site': 'same-origin' } })
		assert.equal(r.status, 303)
		assert.equal(r.headers.location, '/')
		const set = r.headers['set-cookie'].find(c => c.startsWith('s='))
		assert.match(set, /^s=[\w-]{43}; /)
		for (const attribute of ['HttpOnly', 'SameSite=Lax', 'Path=/', 'Max-Age=1209600']) assert.ok(set.includes(`; ${attribute}`), set)
		const page = await get(`/w/${t.slug}`, { cookie: set.split(';')[0] })
		assert.equal(page.status, 200)
		assert.match(page.headers['cache-control'], /private/)
		assert.equal(page.headers.vary?.includes('Cookie'), true)
	})
	test('a wrong password shows the form again, without the password', async () => {
		const r = await post('/login', { form: { email: t.owner.email, password: 'wrong-secret-words' } })
		assert.equal(r.status, 401)
		assert.ok(!r.text.includes('wrong-secret-words'))
		assert.ok(r.text.includes(t.owner.email))
		assert.equal(r.headers['set-cookie'], undefined)
	})
	for (const form of [{}, { email: '' }, { email: 'x' }, { password: 'x' }, { email: 'x'.repeat(300), password: 'x' }, { email: 'x', password: 'x', extra: '1' }, { '': 'x' }])
		test(`a form with ${JSON.stringify(form).slice(0, 40)} is told what is missing`, async () => {
			const r = await post('/login', { form })
			assert.ok([401, 422].includes(r.status), `${r.status}`)
			assert.match(r.text, /<form/)
		})
	test('without the form token nothing happens', async () => {
		const foreign = await csrf(other, `/w/${t.slug}/insights`)
		const mine = await csrf(cookie, `/w/${t.slug}/insights`)
		const bad = ['', 'x', mine.slice(1), `${mine}A`, foreign, 'A'.repeat(mine.length), mine.toLowerCase()]
		for (const csrf_ of bad) {
			const r = await acknowledge({ csrf: csrf_ })
			assert.equal(r.status, 403, csrf_)
		}
		assert.equal((await acknowledge({})).status, 403)
		assert.equal(stateOf(), 'open')
	})
	test('from another site nothing happens', async () => {
		const good = await csrf(cookie, `/w/${t.slug}/insights`)
		for (const headers of [
			{ Origin: 'https://evil.example' }, { Origin: 'null' }, { Origin: `${origin}.evil.example` }, { Origin: origin.replace('http:', 'https:') },
			{ 'Sec-Fetch-Site': 'cross-site' }, { 'Sec-Fetch-Site': 'same-site' }, { 'Sec-Fetch-Site': 'none' },
			{ 'Sec-Fetch-Site': 'cross-site', Origin: origin }]) {
			const r = await acknowledge({ csrf: good }, headers)
			assert.equal(r.status, 403, JSON.stringify(headers))
		}
		assert.equal(stateOf(), 'open')
		const login = await post('/login', { form: { email: t.owner.email, password }, headers: { Origin: 'https://evil.example' } })
		assert.equal(login.status, 403)
		assert.equal(login.headers['set-cookie'], undefined)
	})
	test('with the token the form works, and each page has another one', async () => {
		const [x, y] = [await csrf(cookie, `/w/${t.slug}/insights`), await csrf(cookie, `/w/${t.slug}/insights`)]
		assert.notEqual(x, y)
		const r = await acknowledge({ csrf: x }, { Origin: origin, 'Sec-Fetch-Site': 'same-origin' })
		assert.equal(r.status, 303, r.text.slice(0, 300))
		assert.equal(r.headers.location, `/w/${t.slug}/insights/I-${insight.number}`)
		assert.equal(stateOf(), 'acknowledged')
		const message = r.headers['set-cookie'].find(c => c.startsWith('m=')).split(';')[0]
		assert.equal(message, 'm=form_update_insight')
		const page = await get(path(), { cookie: `${cookie}; ${message}` })
		assert.equal(page.status, 200)
		assert.ok(page.headers['set-cookie'].some(c => c.startsWith('m=;')))
	})
	test('a stale form is shown both versions', async () => {
		const r = await acknowledge({ csrf: await csrf(cookie, `/w/${t.slug}/insights`), action: 'resolve', version: '1' })
		assert.equal(r.status, 409)
		assert.equal(stateOf(), 'acknowledged')
	})
	test('an old cookie of a message says nothing', async () => {
		for (const m of ['nothing', 'get_me', '../../x', '', '%00'])
			assert.equal((await get(`/w/${t.slug}/insights`, { cookie: `${cookie}; m=${m}` })).status, 200)
	})
	for (const next of ['//evil.example', '/\\evil.example', 'https://evil.example', 'http:evil', 'evil.example', '\\/evil', '/\t/evil.example', '/\n/evil',
		' /x', 'javascript:alert(1)', '', '/'.padEnd(2100, 'x'), '\r\nSet-Cookie: x=y', '/a\r\nSet-Cookie: x=y'])
		test(`next=${JSON.stringify(next).slice(0, 40)} does not lead away`, async () => {
			const r = await post('/login', { form: { email: t.owner.email, password, next } })
			assert.equal(r.status, 303)
			assert.equal(r.headers.location, '/')
			assert.equal(new URL(r.headers.location, URL_).host, URL_.host)
			assert.ok(!r.headers['set-cookie'].some(c => c.startsWith('x=')))
		})
	test('next leads to where one wanted to go', async () => {
		const wanted = await get(`/w/${t.slug}/insights`)
		assert.equal(wanted.headers.location, `/login?next=${encodeURIComponent(`/w/${t.slug}/insights`)}`)
		const r = await post('/login', { form: { email: t.owner.email, password, next: `/w/${t.slug}/insights` } })
		assert.equal(r.headers.location, `/w/${t.slug}/insights`)
	})
	test('signs out', async () => {
		const mine = await browser(t.owner)
		const r = await post('/logout', { cookie: mine, form: { csrf: await csrf(mine, `/w/${t.slug}/insights`) } })
		assert.equal(r.status, 303)
		assert.equal(r.headers.location, '/login')
		assert.ok(r.headers['set-cookie'].some(c => /^s=; .*Max-Age=0/.test(c)))
		assert.equal((await get(`/w/${t.slug}`, { cookie: mine })).status, 303)
		assert.equal((await get(`/w/${t.slug}`, { cookie })).status, 200)
	})
	test('cookies that are none', async () => {
		for (const c of ['s=', 's', 's=x', `s=${'A'.repeat(43)}`, `s=${'A'.repeat(5000)}`, 's=\u00e4', ';;;', '=', `x=1; s=${'A'.repeat(43)}; s=B`]) {
			const r = await call('GET', `/w/${t.slug}`, { headers: { Cookie: Buffer.from(c, 'utf8').toString('latin1') } })
			assert.equal(r.status, 303, c)
		}
	})
	test('only the hash of a cookie is kept', () => {
		const value = cookie.slice(2)
		assert.equal(sql(`SELECT count(*) FROM sessions WHERE encode(token_hash, 'escape') LIKE ${lit(`%${value}%`)}`), '0')
		assert.equal(sql(`SELECT count(*) FROM sessions WHERE token_hash = sha256(${lit(value)}::bytea) AND kind = 'web'`), '1')
	})
})
