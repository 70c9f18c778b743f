// Signing in with another service, against an issuer on this machine.
import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import { after, before, describe, test } from 'node:test'
import { assert, BIN, call, get, lit, newUser, ok, password, post, refused, rows, sql, unique } from './lib.mjs'
import { ownServer, until } from './server.mjs'

const client = 'gnomon-test', secret = 'a secret: with & signs'
const part = json => Buffer.from(JSON.stringify(json)).toString('base64url')

/** An OpenID Connect issuer, and a GitHub, that let in whoever is `next`. */
async function issuer() {
	const codes = new Map()
	const seen = { tokens: [] }
	const who = { claims: {}, github: null, hangs: false }
	const server = http.createServer(async (rq, rs) => {
		const url = new URL(rq.url, me.url)
		const json = (body, status = 200) => rs.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
		if (url.pathname === '/.well-known/openid-configuration')
			return json({ issuer: me.url, authorization_endpoint: `${me.url}/authorize?kind=x`, token_endpoint: `${me.url}/token` })
		if (url.pathname === '/authorize' || url.pathname === '/login/oauth/authorize') {
			const q = url.searchParams
			const code = randomBytes(12).toString('hex')
			codes.set(code, { ...Object.fromEntries(q), used: false })
			const back = new URL(q.get('redirect_uri'))
			back.search = new URLSearchParams({ code, state: q.get('state') })
			return rs.writeHead(302, { Location: back.href }).end()
		}
		if (url.pathname === '/token' || url.pathname === '/login/oauth/access_token') {
			if (who.hangs) return
			let text = ''
			for await (const chunk of rq) text += chunk
			const f = new URLSearchParams(text)
			seen.tokens.push({ form: Object.fromEntries(f), authorization: rq.headers.authorization })
			const c = codes.get(f.get('code'))
			const basic = `Basic ${Buffer.from(`${client}:${encodeURIComponent(secret)}`).toString('base64')}`
			const isGithub = url.pathname !== '/token'
			const good = c && !c.used && f.get('redirect_uri') === c.redirect_uri && f.get('grant_type') === 'authorization_code'
				&& createHash('sha256').update(f.get('code_verifier') ?? '').digest('base64url') === c.code_challenge
				&& (isGithub ? f.get('client_secret') === secret && f.get('client_id') === client : rq.headers.authorization === basic)
			if (!good) return json({ error: 'invalid_grant' }, isGithub ? 200 : 400)
			c.used = true
			if (isGithub) return json({ access_token: 'gho_x', token_type: 'bearer' })
			const now = Math.floor(Date.now() / 1000)
			return json({ access_token: 'x', token_type: 'Bearer',
				id_token: `${part({ alg: 'RS256' })}.${part({ iss: me.url, aud: client, iat: now, exp: now + 300, nonce: c.nonce, ...who.claims })}.signature` })
		}
		if (rq.headers.authorization !== 'Bearer gho_x') return json({}, 401)
		if (url.pathname === '/user') return json({ id: who.github.id, login: who.github.login, name: null })
		if (url.pathname === '/user/emails') return json(who.github.emails)
		json({}, 404)
	})
	server.listen(0, '127.0.0.1')
	await once(server, 'listening')
	const me = { url: `http://127.0.0.1:${server.address().port}`, who, codes, seen, close: () => { server.closeAllConnections(); server.close() } }
	return me
}

let op, own, worker
before(async () => {
	op = await issuer()
	const env = {
		GNOMON_SECRET_FILE: process.env.GNOMON_SECRET_FILE, REQUIRE_VERIFICATION: 'off', PUBLIC_URL: '', OAUTH_OIDC_ISSUER: op.url, OAUTH_OIDC_CLIENT_ID: client,
		OAUTH_OIDC_CLIENT_SECRET: secret, OAUTH_OIDC_NAME: 'Example Works', OAUTH_GITHUB_CLIENT_ID: client, OAUTH_GITHUB_CLIENT_SECRET: secret,
		OAUTH_GITHUB_URL: op.url, OAUTH_GITHUB_API_URL: op.url,
	}
	own = await ownServer({ slow: 4, env })
	worker = spawn(`${BIN}/gnomon-worker`, ['follow'], { env: own.settings, stdio: 'ignore' })
	assert.ok(await until(() => sql(`SELECT count(*) FROM oauth_issuers WHERE issuer = ${lit(op.url)}`) === '1'), 'the worker found no issuer')
})
after(async () => {
	worker.kill('SIGTERM')
	await once(worker, 'exit')
	await own.close()
	op.close()
})

/** A browser: keeps cookies, follows nothing by itself. */
function browser() {
	const jar = new Map()
	return {
		jar,
		async get(path, more = {}) {
			const r = await get(path, { at: own.at, cookie: [...jar].map(([k, v]) => `${k}=${v}`).join('; '), headers: { Accept: 'text/html' }, ...more })
			for (const c of r.headers['set-cookie'] ?? []) {
				const [, name, value] = /^([^=]+)=([^;]*)/.exec(c)
				if (value) jar.set(name, value)
				else jar.delete(name)
			}
			return r
		},
		isSignedIn() {
			return jar.has('s')
		},
	}
}
/** To the issuer and back: the address the browser is sent to, as a path. */
async function away(b, provider = 'oidc', next = '') {
	const r = await b.get(`/api/v1/auth/oauth/${provider}${next && `?next=${encodeURIComponent(next)}`}`)
	assert.equal(r.status, 302, r.text.slice(0, 300))
	const to = new URL(r.headers.location)
	const back = await fetch(to, { redirect: 'manual' })
	const url = new URL(back.headers.get('location'))
	assert.equal(url.origin, own.at.origin)
	return { to, back: `${url.pathname}${url.search}` }
}
/** All of it, as far as the page that says how it went. */
async function signIn(b = browser(), provider = 'oidc', next = '') {
	const { back } = await away(b, provider, next)
	const r = await b.get(back)
	assert.equal(r.status, 302, r.text.slice(0, 300))
	return { b, end: await b.get(r.headers.location), back }
}
const claims = more => (op.who.claims = { sub: unique(), email: `${unique()}@example.org`, email_verified: true, name: 'Oda Outside', ...more })
const userOf = email => rows(`SELECT id, name, email_verified_at IS NOT NULL AS verified, password_hash FROM users WHERE email = ${lit(email)}`)[0]
const refusedAs = async (failure, more) => {
	const { email } = claims(more)
	const { b, end } = await signIn()
	assert.equal(end.status, 200)
	assert.match(end.text, /You are not signed in/)
	assert.equal(b.isSignedIn(), false)
	assert.equal(userOf(email), undefined)
	assert.equal(sql(`SELECT failure FROM oauth_flows ORDER BY id DESC LIMIT 1`), failure)
}

describe('the way there and back', () => {
	test('001-039: 302 to the service with state, nonce, PKCE S256 and our address', async () => {
		const r = await browser().get('/api/v1/auth/oauth/oidc')
		assert.equal(r.status, 302)
		const to = new URL(r.headers.location), q = to.searchParams
		assert.equal(to.origin + to.pathname, `${op.url}/authorize`)
		assert.equal(q.get('kind'), 'x')
		assert.equal(q.get('response_type'), 'code')
		assert.equal(q.get('client_id'), client)
		assert.equal(q.get('redirect_uri'), `${own.at.origin}/api/v1/auth/oauth/oidc/callback`)
		assert.equal(q.get('scope'), 'openid email profile')
		assert.equal(q.get('code_challenge_method'), 'S256')
		assert.match(q.get('code_challenge'), /^[\w-]{43}$/)
		assert.match(q.get('nonce'), /^[\w-]{43}$/)
		assert.ok(q.get('state').length > 40)
		const other = new URL((await browser().get('/api/v1/auth/oauth/oidc')).headers.location).searchParams
		for (const name of ['state', 'nonce', 'code_challenge']) assert.notEqual(other.get(name), q.get(name))
		assert.match(r.headers['set-cookie'][0], /^o=.*HttpOnly; SameSite=Lax/)
	})
	test('001-013 001-040: a good one creates the user, logs in, and goes where it was to go', async () => {
		const { email } = claims()
		const { b, end } = await signIn(browser(), 'oidc', '/account/tokens')
		assert.equal(end.status, 303, end.text.slice(0, 500))
		assert.equal(end.headers.location, '/account/tokens')
		const page = await b.get('/account')
		assert.match(page.text, new RegExp(email))
		const user = userOf(email)
		assert.deepEqual([user.name, user.verified, user.password_hash], ['Oda Outside', true, null])
		const again = await signIn()
		assert.equal(again.end.status, 303)
		assert.equal(sql(`SELECT count(*) FROM users WHERE email = ${lit(email)}`), '1')
		assert.equal(sql(`SELECT count(*) FROM workspace_members WHERE user_id = ${lit(user.id)}`), '1')
	})
	test('the same subject is the same person, whatever the address is now', async () => {
		const first = claims()
		await signIn()
		const { id } = userOf(first.email)
		claims({ sub: first.sub })
		const { b } = await signIn()
		assert.match((await b.get('/account')).text, new RegExp(first.email))
		assert.equal(sql(`SELECT count(*) FROM identities WHERE user_id = ${lit(id)}`), '1')
	})
	test('a person with a second factor is asked for it', async () => {
		const { email } = claims()
		await signIn()
		sql(`INSERT INTO second_factors (user_id, secret, confirmed_at) VALUES (${lit(userOf(email).id)}, 'x', now())`)
		const { b, end } = await signIn()
		assert.equal(end.status, 303)
		assert.match(end.headers.location, /^\/login\/second\?ticket=/)
		assert.equal(b.isSignedIn(), false)
	})
	test('the sign-in page names the services there are, and only those', async () => {
		const page = (await browser().get('/login')).text
		assert.match(page, /Sign in with Example Works/)
		assert.match(page, /Sign in with GitHub/)
		assert.doesNotMatch(page, /Google/)
		assert.doesNotMatch((await get('/login')).text, /Sign in with/)
		await refused(call('GET', '/api/v1/auth/oauth/google', { at: own.at }), 404, 'not_found')
		await refused(call('GET', '/api/v1/auth/oauth/oidc'), 404, 'not_found')
	})
	for (const next of ['//evil.example', 'https://evil.example', '/\\evil'])
		test(`next=${next} does not lead away`, async () => {
			claims()
			assert.equal((await signIn(browser(), 'oidc', next)).end.headers.location, '/')
		})
	test('neither code, verifier nor secret is readable in the database', async () => {
		claims()
		await signIn()
		const { form } = op.seen.tokens.at(-1)
		for (const text of [form.code, form.code_verifier, secret])
			assert.equal(sql(`SELECT count(*) FROM oauth_flows f WHERE f::text LIKE ${lit(`%${text}%`)}`), '0')
	})
})

describe('001-040: what is refused', () => {
	test('bad state: 400, as JSON for programs and as a page for people', async () => {
		claims()
		const b = browser()
		const { back } = await away(b)
		const url = new URL(back, own.at)
		for (const state of ['', 'x', `${url.searchParams.get('state')}x`, Buffer.from('oauth:00000000-0000-7000-8000-000000000000').toString('base64url') + '.x']) {
			const bad = new URL(url)
			bad.searchParams.set('state', state)
			const r = await b.get(bad.pathname + bad.search)
			assert.ok([400, 422].includes(r.status), `${state}: ${r.status}`)
			assert.match(r.headers['content-type'], /html/)
		}
		url.searchParams.set('state', 'x')
		await refused(call('GET', url.pathname + url.search, { at: own.at }), 400, 'bad_state')
		url.searchParams.delete('state')
		await refused(call('GET', url.pathname + url.search, { at: own.at }), 400, 'bad_state')
		assert.equal(b.isSignedIn(), false)
		assert.equal((await b.get(back)).status, 302, 'the right one is still good')
	})
	test('bad state: of another browser, or another service', async () => {
		claims()
		const b = browser(), thief = browser()
		const { back } = await away(b)
		await away(thief)
		assert.equal((await thief.get(back)).status, 400)
		assert.equal((await browser().get(back)).status, 400)
		assert.equal((await b.get(back.replace('/oidc/', '/github/'))).status, 400)
		assert.equal((await b.get(`${back}&iss=https%3A%2F%2Fevil.example`)).status, 400)
		const done = await b.get(`${back}&iss=${encodeURIComponent(op.url)}`)
		assert.equal(done.status, 302)
		assert.equal((await thief.get(done.headers.location)).status, 400, 'nor does another browser get the session')
		assert.equal((await b.get(done.headers.location)).status, 303)
	})
	test('bad nonce', () => refusedAs('nonce', { nonce: 'of another attempt' }))
	test('no nonce', () => refusedAs('nonce', { nonce: undefined }))
	test('bad audience', () => refusedAs('audience', { aud: 'another client' }))
	test('bad audience: several, and none says for whom', () => refusedAs('audience', { aud: [client, 'another client'] }))
	test('bad audience: another party', () => refusedAs('audience', { azp: 'another client' }))
	test('bad issuer', () => refusedAs('issuer', { iss: 'https://evil.example' }))
	test('expired', () => refusedAs('expired', { exp: Math.floor(Date.now() / 1000) - 1 }))
	test('no expiry', () => refusedAs('expired', { exp: undefined }))
	test('no subject', () => refusedAs('subject', { sub: undefined }))
	test('an address that is not confirmed', () => refusedAs('unverified', { email_verified: false }))
	test('an address nobody says is confirmed', () => refusedAs('unverified', { email_verified: undefined }))
	test('an address that folds to that of another: no letter but ASCII', async () => {
		const user = await newUser('Kate')
		const email = `kate-${user.email}`
		sql(`UPDATE users SET email = ${lit(email)}, email_verified_at = now() WHERE id = ${lit(user.id)}`)
		const kelvin = email.replace('k', '\u212a')
		assert.equal(sql(`SELECT lower(${lit(kelvin)}) = ${lit(email)}`), 't')
		await refusedAs('unverified', { email: kelvin })
		assert.equal(sql(`SELECT count(*) FROM identities WHERE user_id = ${lit(user.id)}`), '0')
	})
	test('a name of several lines is one', async () => {
		const { email } = claims({ name: 'Oda\nOutside' })
		await signIn()
		assert.equal(userOf(email).name, 'Oda Outside')
	})
	test('replayed code: with its state', async () => {
		claims()
		const { b, back } = await signIn()
		assert.equal((await b.get(back)).status, 400)
	})
	test('replayed code: with the state of another attempt', async () => {
		claims()
		const { back } = await signIn()
		const code = new URL(back, own.at).searchParams.get('code')
		const b = browser()
		const fresh = new URL((await away(b)).back, own.at)
		fresh.searchParams.set('code', code)
		const r = await b.get(fresh.pathname + fresh.search)
		assert.equal(r.status, 302)
		assert.match((await b.get(r.headers.location)).text, /You are not signed in/)
		assert.equal(b.isSignedIn(), false)
	})
	test('a code another client got: PKCE', async () => {
		claims()
		const b = browser()
		const { back } = await away(b)
		op.codes.get(new URL(back, own.at).searchParams.get('code')).code_challenge = 'another'
		const r = await b.get(back)
		assert.match((await b.get(r.headers.location)).text, /You are not signed in/)
	})
	test('an expired attempt', async () => {
		claims()
		const b = browser()
		const { back } = await away(b)
		sql(`UPDATE oauth_flows SET expires_at = now() WHERE state = 'begun'`)
		assert.equal((await b.get(back)).status, 400)
	})
	test('what the service itself refused', async () => {
		const b = browser()
		const { back } = await away(b)
		const state = new URL(back, own.at).searchParams.get('state')
		const r = await b.get(`/api/v1/auth/oauth/oidc/callback?error=access_denied&state=${encodeURIComponent(state)}`)
		assert.equal(r.status, 302)
		assert.match((await b.get(r.headers.location)).text, /refused it/)
	})
	test('of eight who bring one code at once one is taken', async () => {
		claims()
		const b = browser()
		const { back } = await away(b)
		const replies = await Promise.all(Array.from({ length: 8 }, () => b.get(back)))
		assert.deepEqual(replies.map(r => r.status).sort(), [302, 400, 400, 400, 400, 400, 400, 400])
	})
})

describe('accounts there are', () => {
	test('001-013: links by a confirmed address, and the password stays', async () => {
		const user = await newUser('Here Before')
		sql(`UPDATE users SET email_verified_at = now() WHERE id = ${lit(user.id)}`)
		claims({ email: user.email.toUpperCase(), name: 'Other Name' })
		const { b } = await signIn()
		assert.match((await b.get('/account')).text, /Here Before/)
		await ok(post('/api/v1/auth/login', { json: { email: user.email, password } }))
		await ok(get('/api/v1/users/me', user))
	})
	test('who took an address and never confirmed it keeps no way in', async () => {
		const squatter = await newUser('Squatter')
		const key = await ok(post('/api/v1/users/me/tokens', { ...squatter, json: { name: 'K', scope: 'admin' } }), 201)
		claims({ email: squatter.email })
		const { end } = await signIn()
		assert.equal(end.status, 303)
		await refused(get('/api/v1/users/me', squatter), 401)
		await refused(get('/api/v1/users/me', { token: key.token }), 401)
		await refused(post('/api/v1/auth/login', { json: { email: squatter.email, password } }), 401, 'bad_credentials')
	})
	test('without a password the account is changed and deleted after a fresh sign-in only', async () => {
		const { email } = claims()
		const { b } = await signIn()
		const page = (await b.get('/account/delete')).text
		assert.doesNotMatch(page, /type="password"/)
		const csrf = /name="csrf" value="([^"]+)"/.exec(page)[1]
		const send = () => call('POST', '/account/delete', { at: own.at, cookie: `s=${b.jar.get('s')}`, form: { csrf } })
		sql(`UPDATE sessions SET created_at = now() - interval '11 minutes' WHERE user_id = ${lit(userOf(email).id)}`)
		const late = await send()
		assert.equal(late.status, 422)
		assert.match(late.text, /Sign in again/)
		sql(`UPDATE sessions SET created_at = now() WHERE user_id = ${lit(userOf(email).id)}`)
		assert.equal((await send()).status, 303)
		assert.equal(userOf(email), undefined)
	})
})

describe('GitHub', () => {
	test('001-013: the flow creates the user by the primary confirmed address', async () => {
		const email = `${unique()}@example.org`
		op.who.github = { id: Math.floor(Math.random() * 1e9), login: 'octo', emails: [{ email: 'second@example.org', verified: true, primary: false }, { email, verified: true, primary: true }] }
		const { b, end } = await signIn(browser(), 'github')
		assert.equal(end.status, 303, end.text.slice(0, 300))
		assert.match((await b.get('/account')).text, new RegExp(email))
		assert.equal(userOf(email).name, 'octo')
	})
	test('an address that is not confirmed there', async () => {
		op.who.github = { id: Math.floor(Math.random() * 1e9), login: 'octo', emails: [{ email: `${unique()}@example.org`, verified: false, primary: true }] }
		const { b, end } = await signIn(browser(), 'github')
		assert.match(end.text, /has not confirmed your e-mail address/)
		assert.equal(b.isSignedIn(), false)
	})
	test('a code that GitHub does not know', async () => {
		const b = browser()
		const { back } = await away(b, 'github')
		op.codes.clear()
		const r = await b.get(back)
		assert.match((await b.get(r.headers.location)).text, /You are not signed in/)
	})
})

describe('a service that is slow', () => {
	test('the page waits for five seconds and then says "Check again"', async () => {
		claims()
		op.who.hangs = true
		try {
			const b = browser()
			const { back } = await away(b)
			const r = await b.get(back)
			const from = Date.now()
			const page = await b.get(r.headers.location)
			assert.equal(page.status, 200)
			assert.match(page.text, /Check again/)
			assert.ok(Date.now() - from >= 5000 && Date.now() - from < 8000)
			assert.equal(b.isSignedIn(), false)
		} finally {
			op.who.hangs = false
		}
	})
	test('what nobody came back for is forgotten', () => {
		sql(`UPDATE oauth_flows SET expires_at = now() - interval '2 days'; SELECT gnomon.forget_account_tokens()`)
		assert.equal(sql('SELECT count(*) FROM oauth_flows'), '0')
	})
})
