// What mails are for: confirming an address, choosing a new password; and how
// long somebody waits who guesses.
import { after, before, describe, test } from 'node:test'
import { sink } from '../smtp-sink.mjs'
import { assert, get, lit, newUser, ok, password, post, refused, rows, sql, unique, URL_ } from './lib.mjs'
import { ownServer, until } from './server.mjs'

const box = sink()
const word = 'green kettle on the moon'
let own // a server that asks for confirmed addresses; its worker is the stack's
const at = () => ({ at: own.at })
const sent = (path, json) => post(path, { json, ...at() })
const login = (email, secret = password, more = at()) => post('/api/v1/auth/login', { json: { email, password: secret }, ...more })
const address = () => `${unique()}@example.org`
/** The token of the link in the newest mail to an address. */
async function link(email, page) {
	const mail = await box.waitFor(m => m.to.includes(email) && m.text.includes(`${page}?`))
	const found = new RegExp(`(http\\S*)${page}\\?token=([\\w.%-]+)`).exec(mail.text)
	assert.ok(found, mail.text)
	return { token: decodeURIComponent(found[2]), base: found[1] }
}
const tokens = (email, purpose) => Number(sql(`SELECT count(*) FROM account_tokens t JOIN users u ON u.id = t.user_id
	WHERE u.email = ${lit(email)} AND t.purpose = ${lit(purpose)}`))
const elapse = (email, minutes) => sql(`UPDATE account_tokens t SET created_at = t.created_at - interval '${minutes} minutes',
	expires_at = t.expires_at - interval '${minutes} minutes' FROM users u WHERE u.id = t.user_id AND u.email = ${lit(email)}`)

before(async () => {
	own = await ownServer({ env: { REQUIRE_VERIFICATION: 'on', GNOMON_SECRET_FILE: process.env.GNOMON_SECRET_FILE } })
})
after(() => own.close())

describe('confirming an address', () => {
	const signUp = async () => {
		const email = address()
		await ok(sent('/api/v1/auth/register', { email, name: 'New Person', password: word }), 201)
		return email
	}
	test('001-014: an unverified sign-in is 403, and the link in the mail verifies', async () => {
		const email = await signUp()
		await refused(login(email, word), 403, 'unverified')
		await refused(login(email, 'not the password'), 401, 'bad_credentials') // tells nothing to others
		const { token, base } = await link(email, '/verify')
		assert.equal(base, process.env.PUBLIC_URL ?? URL_.origin)
		await refused(sent('/api/v1/auth/verify', { token: `${token}x` }), 400, 'link_over')
		assert.equal((await sent('/api/v1/auth/verify', { token })).status, 204)
		const { accessToken } = await ok(login(email, word))
		assert.equal((await ok(get('/api/v1/users/me', { token: accessToken, ...at() }))).isVerified, true)
		assert.equal((await sent('/api/v1/auth/verify', { token })).status, 204, 'a second click is as good')
	})
	test('the page: sign-up says to look at the mail, sign-in offers to send it again, the link confirms', async () => {
		const email = address()
		const made = await post('/register', { form: { email, name: 'Form Person', password: word }, ...at() })
		assert.equal(made.status, 303, made.text.slice(0, 300))
		assert.equal(made.headers['set-cookie']?.some(c => c.startsWith('s=')) ?? false, false)
		assert.match((await get(made.headers.location, at())).text, new RegExp(`We sent a mail to ${email}`))
		const { token } = await link(email, '/verify')
		const early = await post('/login', { form: { email, password: word }, ...at() })
		assert.equal(early.status, 403)
		assert.match(early.text, /Send the mail again/)
		assert.equal(early.headers['set-cookie']?.some(c => c.startsWith('s=')) ?? false, false)
		elapse(email, 2)
		const again = await post('/verify/send', { form: { email }, ...at() })
		assert.equal(again.status, 303)
		assert.equal(tokens(email, 'verify'), 2)
		const page = await get(`/verify?token=${encodeURIComponent(token)}`, at())
		assert.match(page.text, /Confirm address/)
		assert.equal(sql(`SELECT email_verified_at IS NULL FROM users WHERE email = ${lit(email)}`), 't', 'looking confirms nothing: mail programs look')
		const done = await post('/verify', { form: { token }, ...at() })
		assert.equal(done.status, 303)
		assert.equal((await post('/login', { form: { email, password: word }, ...at() })).status, 303)
	})
	test('the mail is sent again at most once a minute, and the answer tells nothing', async () => {
		const email = await signUp()
		const replies = []
		for (const to of [email, email, address(), password]) replies.push(await sent('/api/v1/auth/verify/send', { email: to }))
		assert.deepEqual(replies.map(r => r.status), [202, 202, 202, 422])
		assert.deepEqual(replies.slice(0, 3).map(r => r.text), ['', '', ''])
		assert.equal(tokens(email, 'verify'), 1)
		elapse(email, 2)
		await sent('/api/v1/auth/verify/send', { email })
		assert.equal(tokens(email, 'verify'), 2)
	})
	test('a link lives for three days', async () => {
		const email = await signUp()
		const { token } = await link(email, '/verify')
		elapse(email, 3 * 24 * 60 + 1)
		await refused(sent('/api/v1/auth/verify', { token }), 400, 'link_over')
		await refused(login(email, word), 403, 'unverified')
	})
	test('where mail is not asked for, nobody waits for it', async () => {
		const user = await newUser() // the stack's server: REQUIRE_VERIFICATION=off
		await ok(login(user.email, password, {}))
		await refused(login(user.email), 403, 'unverified')
	})
	test('an operator makes accounts that are confirmed', () => {
		assert.equal(sql(`SELECT email_verified_at IS NOT NULL FROM users WHERE email = 'mira@acme.example'`), 't')
	})
})

describe('a forgotten password', () => {
	const forgot = email => sent('/api/v1/auth/forgot-password', { email })
	const reset = (token, secret) => sent('/api/v1/auth/reset-password', { token, password: secret })
	test('001-037: 202 for known and unknown, and only the known one gets a mail', async () => {
		const user = await newUser()
		const [x, y] = [await forgot(user.email.toUpperCase()), await forgot(address())]
		assert.equal(x.status, 202)
		assert.deepEqual([x.status, x.text, Object.keys(x.headers)], [y.status, y.text, Object.keys(y.headers)])
		assert.ok((await link(user.email, '/reset')).token)
		assert.equal(tokens(user.email, 'reset'), 1)
	})
	test('somebody who is in no workspace, or was shown out of the last, gets it as well; no workspace learns of it', async () => {
		for (const leave of [id => sql(`UPDATE workspace_members SET removed_at = now() WHERE user_id = ${lit(id)}`),
			id => sql(`DELETE FROM notification_preferences WHERE user_id = ${lit(id)}; DELETE FROM workspace_members WHERE user_id = ${lit(id)}`)]) {
			const user = await newUser()
			leave(user.id)
			await forgot(user.email)
			const { token } = await link(user.email, '/reset')
			assert.equal((await reset(token, word)).status, 204)
			assert.equal(sql(`SELECT count(*) FROM jobs WHERE payload ->> 'to' = ${lit(user.email)} OR payload ->> 'user' = ${lit(user.id)}`), '0')
		}
	})
	test('ten a day: nobody fills another’s mailbox', async () => {
		const user = await newUser()
		sql(`INSERT INTO account_tokens (user_id, purpose, created_at, expires_at, used_at)
		     SELECT ${lit(user.id)}, 'reset', now() - n * interval '2 minutes', now(), now() FROM generate_series(1, 9) n`)
		await forgot(user.email)
		assert.equal(tokens(user.email, 'reset'), 10)
		elapse(user.email, 2)
		assert.equal((await forgot(user.email)).status, 202)
		assert.equal(tokens(user.email, 'reset'), 10)
		elapse(user.email, 24 * 60)
		await forgot(user.email)
		assert.equal(tokens(user.email, 'reset'), 11)
	})
	test('the mail server away, the mail waits; eight tries, then it is given up', async () => {
		const user = { ...await newUser(), email: `busy451.${unique()}@example.org` }
		sql(`UPDATE users SET email = ${lit(user.email)} WHERE id = ${lit(user.id)}`)
		await forgot(user.email)
		const waits = () => rows(`SELECT attempts, next_try > now() AS later FROM account_mails WHERE user_id = ${lit(user.id)}`)
		assert.ok(await until(() => waits()[0]?.attempts === 1 && waits()[0].later))
		sql(`UPDATE account_mails SET attempts = 7, next_try = now() WHERE user_id = ${lit(user.id)}`)
		assert.ok(await until(() => waits().length === 0))
	})
	test('an account is gone before its mail leaves: nothing is sent', async () => {
		const user = await newUser()
		const before_ = box.mails(user.email).length
		sql(`INSERT INTO jobs (workspace_id, queue, kind, payload) SELECT id, 'notifications', 'mail:send', jsonb_build_object('user', gnomon.uuid7(), 'to', ${lit(user.email)},
			'template', 'reset', 'data', '{}'::jsonb) FROM workspaces WHERE slug = ${lit(user.slug)}`)
		assert.ok(await until(() => sql(`SELECT state FROM jobs WHERE payload ->> 'to' = ${lit(user.email)}`) === 'succeeded'))
		assert.equal(box.mails(user.email).length, before_)
	})
	test('who chose a second factor for an address that was not theirs does not keep its owner out', async () => {
		const user = await newUser()
		sql(`UPDATE users SET email_verified_at = NULL WHERE id = ${lit(user.id)};
		     INSERT INTO second_factors (user_id, secret, confirmed_at) VALUES (${lit(user.id)}, 'x', now());
		     INSERT INTO identities (provider, issuer, subject, user_id, email) VALUES ('oidc', 'https://elsewhere.example', ${lit(user.id)}, ${lit(user.id)}, 'x@example.org')`)
		await forgot(user.email)
		const { token } = await link(user.email, '/reset')
		assert.equal((await reset(token, word)).status, 204)
		await ok(login(user.email, word))
		assert.equal(sql(`SELECT count(*) FROM identities WHERE user_id = ${lit(user.id)}`), '0')
	})
	test('001-015, 001-038: the new password works, every session and key ends, and the token is used up: 400', async () => {
		const user = await newUser()
		const signedIn = await ok(login(user.email, password, {}))
		const key = await ok(post('/api/v1/users/me/tokens', { token: user.token, json: { name: 'K', scope: 'read' } }), 201)
		await forgot(user.email)
		const { token } = await link(user.email, '/reset')
		await refused(reset(token, 'password123'), 422, 'validation_failed') // and is still good
		assert.equal((await reset(token, word)).status, 204)
		for (const t of [user.token, signedIn.accessToken, key.token]) await refused(get('/api/v1/users/me', { token: t }), 401)
		await refused(post('/api/v1/auth/refresh', { json: { refreshToken: signedIn.refreshToken } }), 401)
		await refused(login(user.email, password), 401, 'bad_credentials')
		await ok(login(user.email, word)) // who reads the mail has shown that the address is theirs
		await refused(reset(token, 'another long phrase'), 400, 'link_over')
		await ok(login(user.email, word))
	})
	test('of two at once one sets the password', async () => {
		const user = await newUser()
		await forgot(user.email)
		const { token } = await link(user.email, '/reset')
		const replies = await Promise.all(['first long phrase', 'second long phrase'].map(secret => reset(token, secret)))
		assert.deepEqual(replies.map(r => r.status).sort(), [204, 400])
	})
	test('001-015: a newer password ends the older links; an hour ends each', async () => {
		const user = await newUser()
		await forgot(user.email)
		const { token: first } = await link(user.email, '/reset')
		elapse(user.email, 2)
		await forgot(user.email)
		assert.equal(tokens(user.email, 'reset'), 2)
		const id = sql(`SELECT t.id FROM account_tokens t JOIN users u ON u.id = t.user_id WHERE u.email = ${lit(user.email)} ORDER BY t.created_at DESC LIMIT 1`)
		assert.equal((await reset(first, word)).status, 204)
		assert.equal(sql(`SELECT used_at IS NOT NULL FROM account_tokens WHERE id = ${lit(id)}`), 't')
		const other = await newUser()
		await forgot(other.email)
		const { token: late } = await link(other.email, '/reset')
		elapse(other.email, 61)
		await refused(reset(late, word), 400, 'link_over')
	})
	test('no token is made without the master key, and none is good for another purpose', async () => {
		const user = await newUser()
		await forgot(user.email)
		const { token } = await link(user.email, '/reset')
		const id = sql(`SELECT t.id FROM account_tokens t JOIN users u ON u.id = t.user_id WHERE u.email = ${lit(user.email)}`)
		for (const bad of [id, `reset:${id}`, `${Buffer.from(`reset:${id}`).toString('base64url')}.${'A'.repeat(43)}`, 'x', '.'])
			await refused(reset(bad, word), 400, 'link_over')
		await refused(sent('/api/v1/auth/verify', { token }), 400, 'link_over')
		await refused(sent('/api/v1/auth/login/second', { ticket: token, code: '123456' }), 400, 'link_over')
	})
	test('the pages do it without script', async () => {
		const user = await newUser()
		const asked = await post('/forgot', { form: { email: user.email } })
		assert.equal(asked.status, 303)
		const said = await get('/forgot', { cookie: asked.headers['set-cookie'][0].split(';')[0] })
		assert.match(said.text, /the mail is on its way/)
		const { token } = await link(user.email, '/reset')
		assert.ok((await get(`/reset?token=${encodeURIComponent(token)}`)).text.includes(token))
		const weak = await post('/reset', { form: { token, password: 'aaaaaaaaaaaa' } })
		assert.equal(weak.status, 422)
		assert.ok(weak.text.includes(token))
		const done = await post('/reset', { form: { token, password: word } })
		assert.equal(done.status, 303)
		assert.equal(done.headers.location, '/login')
		const late = await post('/reset', { form: { token, password: word } })
		assert.equal(late.status, 400)
		assert.match(late.text, /used before or has expired/)
		assert.equal((await post('/login', { form: { email: user.email, password: word } })).status, 303)
	})
})

describe('who guesses waits', () => {
	const wrong = (email, options) => login(email, 'not the password', options)
	test('001-018: after ten failures an account answers 429 with Retry-After, the right password, too, and forgets after a good one', async () => {
		const user = await newUser()
		for (let i = 0; i < 11; i++) await refused(wrong(user.email, {}), 401, 'bad_credentials')
		const r = await login(user.email, password, {})
		await refused(r, 429, 'rate_limited')
		assert.equal(r.headers['retry-after'], '1')
		await new Promise(go => setTimeout(go, 1100))
		await refused(wrong(user.email, {}), 401) // 12th: now 2 s
		const second = await wrong(user.email, {})
		assert.ok(['1', '2'].includes(second.headers['retry-after']), second.headers['retry-after'])
		await new Promise(go => setTimeout(go, 2100))
		await ok(login(user.email, password, {}))
		await refused(wrong(user.email, {}), 401)
		await ok(login(user.email, password, {}))
	})
	test('the wait doubles up to 15 minutes, and an hour without a failure ends it', async () => {
		const email = address()
		const key = `gnomon.failure_key('account', ${lit(email)})`
		const wait = () => Number(sql(`SELECT round(extract(epoch FROM free_at - last_at)) FROM sign_in_failures WHERE who = ${key}`))
		const waits = []
		for (let i = 0; i < 24; i++) {
			sql(`UPDATE sign_in_failures SET free_at = now() - interval '1 second' WHERE who = ${key}`)
			sql(`SELECT gnomon.count_try('account', ${lit(email)}, 10)`)
			waits.push(wait())
		}
		assert.deepEqual(waits, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900, 900])
		sql(`UPDATE sign_in_failures SET free_at = now(), last_at = now() - interval '61 minutes' WHERE who = ${key}`)
		sql(`SELECT gnomon.count_try('account', ${lit(email)}, 10)`)
		assert.equal(wait(), 0)
	})
	test('of forty tries at once no more than eleven are compared', async () => {
		const user = await newUser()
		const replies = await Promise.all(Array.from({ length: 40 }, () => wrong(user.email, {})))
		const compared = replies.filter(r => r.status === 401).length
		assert.ok(compared <= 12, `${compared}`) // a second may pass meanwhile
		assert.equal(replies.filter(r => r.status === 429).length, 40 - compared)
	})
	test('an address nobody has waits alike, and is answered alike', async () => {
		const user = await newUser(), nobody = address()
		for (let i = 0; i < 11; i++) await Promise.all([wrong(user.email, {}), wrong(nobody, {})])
		const [x, y] = await Promise.all([wrong(user.email, {}), wrong(nobody, {})])
		const blank = r => [r.status, r.text.replace(r.headers['x-request-id'], ''), r.headers['retry-after']]
		assert.equal(x.status, 429)
		assert.deepEqual(blank(x), blank(y))
	})
	test('a network that failed for many accounts waits for all of them', async () => {
		const strict = await ownServer({ env: { SIGN_IN_LIMIT: '1000', REQUIRE_VERIFICATION: 'off' } })
		const key = `gnomon.failure_key('network', '127.0.0.1')`
		try {
			const user = await newUser()
			sql(`INSERT INTO sign_in_failures VALUES (${key}, 105, now(), now()) ON CONFLICT (who) DO UPDATE SET failures = 105, last_at = now(), free_at = now()`)
			await refused(wrong(address(), { at: strict.at }), 401)
			const r = await login(user.email, password, { at: strict.at })
			await refused(r, 429, 'rate_limited')
			assert.ok(Number(r.headers['retry-after']) > 30)
			sql(`UPDATE sign_in_failures SET free_at = now() WHERE who = ${key}`)
			await ok(login(user.email, password, { at: strict.at }))
			assert.ok(Number(sql(`SELECT failures FROM sign_in_failures WHERE who = ${key}`)) < 107)
		} finally {
			sql(`DELETE FROM sign_in_failures WHERE who = ${key}`)
			await strict.close()
		}
	})
	test('the form says how long', async () => {
		const user = await newUser()
		sql(`INSERT INTO sign_in_failures VALUES (gnomon.failure_key('account', ${lit(user.email)}), 20, now(), now() + interval '90 seconds')`)
		const r = await post('/login', { form: { email: user.email, password } })
		assert.equal(r.status, 429)
		assert.match(r.text, /Try again in (90|89) seconds\./)
		assert.match(r.text, /<form/)
	})
	test('neither names nor addresses are in the table', async () => {
		const email = address()
		await wrong(email, {})
		assert.equal(sql(`SELECT count(*) FROM sign_in_failures f WHERE f::text LIKE ${lit(`%${email}%`)}`), '0')
		assert.equal(sql(`SELECT count(*) FROM sign_in_failures WHERE who = gnomon.failure_key('account', ${lit(email.toUpperCase())})`), '1')
	})
	test('guessing the old password by a session that is signed in waits, too', async () => {
		const user = await newUser()
		const guess = () => post('/api/v1/users/me/password', { token: user.token, json: { password: 'not the password', newPassword: word } })
		for (let i = 0; i < 11; i++) await refused(guess(), 422)
		await refused(guess(), 429, 'rate_limited')
	})
})

describe('imported passwords', () => {
	// bcrypt of "Sundial-Casts-Shadow", made by another program (libxcrypt, cost 5)
	test('003-004: a hash column starts $argon2id$; an imported $2b$ hash signs in once and is upgraded', async () => {
		const user = await newUser()
		const hash = () => sql(`SELECT password_hash FROM users WHERE id = ${lit(user.id)}`)
		assert.match(hash(), /^\$argon2id\$/)
		for (const prefix of ['2b', '2a', '2y']) {
			const made = sql(`SELECT '$${prefix}' || substr(h, 4) FROM (SELECT ${lit(bcrypt)} AS h) x`)
			sql(`UPDATE users SET password_hash = ${lit(made)} WHERE id = ${lit(user.id)}`)
			await refused(login(user.email, 'not the password', {}), 401, 'bad_credentials')
			assert.equal(hash(), made)
			await ok(login(user.email, 'Sundial-Casts-Shadow', {}))
			assert.match(hash(), /^\$argon2id\$v=19\$m=65536,t=2,p=1\$/)
			await ok(login(user.email, 'Sundial-Casts-Shadow', {}))
		}
	})
	test('a hash that is none lets nobody in', async () => {
		const user = await newUser()
		for (const bad of ['', '*', '$2b$', '$2b$05$short', '$2b$99$abcdefghijklmnopqrstuv', '$1$x$y', 'Sundial-Casts-Shadow']) {
			sql(`UPDATE users SET password_hash = ${lit(bad)} WHERE id = ${lit(user.id)}`)
			for (const secret of ['Sundial-Casts-Shadow', '*0', '*', bad || 'x'])
				await refused(login(user.email, secret, {}), 401, 'bad_credentials')
			sql(`DELETE FROM sign_in_failures`)
		}
	})
})
const bcrypt = '$2b$05$5hIao1aWQqjotan6owTzBeh.ic727u0IosW1VnrBow8L4dXYnGnny'
