// The second factor: codes by the clock, codes on paper, signing in by two steps.
import { createHmac } from 'node:crypto'
import { before, describe, test } from 'node:test'
import { assert, browser, call, csrf, get, lit, newUser, ok, origin, password, post, refused, sql } from './lib.mjs'

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
const bytes = base32 => {
	let bits = ''
	for (const c of base32) bits += alphabet.indexOf(c).toString(2).padStart(5, '0')
	return Buffer.from(bits.match(/.{8}/g).map(b => parseInt(b, 2)))
}
/** The code of the present 30 seconds, or of those `steps` away. */
const codeOf = (secret, steps = 0) => {
	const counter = Buffer.alloc(8)
	counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30000) + steps))
	const h = createHmac('sha1', bytes(secret)).update(counter).digest()
	return String((h.readUInt32BE(h[19] & 15) & 0x7fffffff) % 1e6).padStart(6, '0')
}
const base = '/api/v1/users/me/second-factor'
const login = email => post('/api/v1/auth/login', { json: { email, password } })
const second = (ticket, code) => post('/api/v1/auth/login/second', { json: { ticket, code } })
const ticketOf = async email => (await refused(login(email), 403, 'second_factor_required')).details.ticket
/** As if this time had passed since the last code: a code works once. */
const later = user => sql(`UPDATE second_factors SET last_step = 0 WHERE user_id = ${lit(user.id)}`)

async function enrolled() {
	const user = await newUser()
	const { secret } = await ok(post(base, { ...user, json: { password } }), 201)
	const { recoveryCodes } = await ok(post(`${base}/confirm`, { ...user, json: { code: codeOf(secret) } }))
	later(user)
	return { ...user, secret, recoveryCodes }
}

let user
before(async () => {
	user = await enrolled()
})

describe('turning it on', () => {
	test('asks for the password, gives secret and address of an app, and is in force when a code has come', async () => {
		const u = await newUser()
		await refused(post(base, { ...u, json: {} }), 422)
		await refused(post(base, { ...u, json: { password: 'not the password' } }), 422)
		const { secret, uri } = await ok(post(base, { ...u, json: { password } }), 201)
		assert.match(secret, /^[A-Z2-7]{32}$/)
		assert.equal(uri, `otpauth://totp/Gnomon:${encodeURIComponent(u.email)}?secret=${secret}&issuer=Gnomon&algorithm=SHA1&digits=6&period=30`)
		assert.deepEqual(await ok(get(base, u)), { isOn: false, confirmedAt: null, codesLeft: 0 })
		await ok(login(u.email)) // not yet
		for (const code of ['000000', codeOf(secret, -3), codeOf(secret, 3), codeOf(secret).slice(0, 5) + 'x'])
			await refused(post(`${base}/confirm`, { ...u, json: { code } }), 401, 'bad_code')
		const { recoveryCodes } = await ok(post(`${base}/confirm`, { ...u, json: { code: codeOf(secret) } }))
		assert.equal(new Set(recoveryCodes).size, 10)
		for (const code of recoveryCodes) assert.match(code, /^[a-z2-7]{5}-[a-z2-7]{5}$/)
		const state = await ok(get(base, u))
		assert.deepEqual([state.isOn, state.codesLeft], [true, 10])
		assert.equal((await ok(get('/api/v1/users/me', u))).hasSecondFactor, true)
		await refused(login(u.email), 403, 'second_factor_required')
		await refused(post(base, { ...u, json: { password } }), 409, 'illegal_state')
		await refused(post(`${base}/confirm`, { ...u, json: { code: codeOf(secret, 1) } }), 409, 'illegal_state')
	})
	test('neither the secret nor a recovery code can be read in the database', () => {
		const told = [user.secret, bytes(user.secret).toString('hex'), ...user.recoveryCodes, user.recoveryCodes[0].replace('-', '')]
		for (const text of told)
			assert.equal(sql(`SELECT (SELECT count(*) FROM second_factors f WHERE f::text ILIKE ${lit(`%${text}%`)})
				+ (SELECT count(*) FROM recovery_codes r WHERE r::text ILIKE ${lit(`%${text}%`)})`), '0')
	})
})

describe('signing in', () => {
	test('takes both steps', async () => {
		later(user)
		const ticket = await ticketOf(user.email)
		await refused(get('/api/v1/users/me', { token: ticket }), 401)
		const { accessToken, refreshToken } = await ok(second(ticket, codeOf(user.secret)))
		assert.equal((await ok(get('/api/v1/users/me', { token: accessToken }))).id, user.id)
		await ok(post('/api/v1/auth/refresh', { json: { refreshToken } }))
	})
	test('a wrong password is told as ever', async () => {
		await refused(post('/api/v1/auth/login', { json: { email: user.email, password: 'not the password' } }), 401, 'bad_credentials')
	})
	test('replay of the same code within its window is refused, with any ticket', async () => {
		later(user)
		const [x, y] = [await ticketOf(user.email), await ticketOf(user.email)]
		const code = codeOf(user.secret)
		await ok(second(x, code))
		await refused(second(y, code), 401, 'bad_code')
		await refused(second(y, codeOf(user.secret, -1)), 401, 'bad_code')
		await ok(second(y, codeOf(user.secret, 1))) // the next one is good
	})
	test('of eight who send one code at once one comes in', async () => {
		later(user)
		const tickets = await Promise.all(Array.from({ length: 8 }, () => ticketOf(user.email)))
		const code = codeOf(user.secret)
		const replies = await Promise.all(tickets.map(t => second(t, code)))
		assert.equal(replies.filter(r => r.status === 200).length, 1)
		sql(`DELETE FROM sign_in_failures`)
	})
	test('a ticket works once, for ten minutes, and for its own account', async () => {
		later(user)
		const ticket = await ticketOf(user.email)
		await ok(second(ticket, codeOf(user.secret)))
		later(user)
		await refused(second(ticket, codeOf(user.secret)), 400, 'link_over')
		const late = await ticketOf(user.email)
		sql(`UPDATE account_tokens SET expires_at = now() WHERE purpose = 'second' AND used_at IS NULL AND user_id = ${lit(user.id)}`)
		await refused(second(late, codeOf(user.secret)), 400, 'link_over')
		const other = await enrolled()
		await refused(second(await ticketOf(other.email), codeOf(user.secret)), 401, 'bad_code')
		for (const bad of ['x', `${ticket}x`]) await refused(second(bad, codeOf(user.secret)), 400, 'link_over')
	})
	test('a recovery code works once, however it is typed', async () => {
		const u = await enrolled()
		await ok(second(await ticketOf(u.email), u.recoveryCodes[0]))
		await refused(second(await ticketOf(u.email), u.recoveryCodes[0]), 401, 'bad_code')
		await ok(second(await ticketOf(u.email), ` ${u.recoveryCodes[1].toUpperCase().replace('-', ' ')} `))
		assert.equal((await ok(get(base, u))).codesLeft, 8)
	})
	test('who guesses codes waits', async () => {
		const u = await enrolled()
		const ticket = await ticketOf(u.email)
		for (let i = 0; i < 6; i++) await refused(second(ticket, '00000x'), 401, 'bad_code')
		const r = await second(ticket, codeOf(u.secret))
		await refused(r, 429, 'rate_limited')
		assert.ok(Number(r.headers['retry-after']) >= 1)
	})
	test('the form takes both steps and goes where it was to go', async () => {
		const u = await enrolled()
		const first = await post('/login', { form: { email: u.email, password, next: '/account/tokens' } })
		assert.equal(first.status, 303)
		assert.match(first.headers.location, /^\/login\/second\?ticket=/)
		assert.equal(first.headers['set-cookie']?.some(c => c.startsWith('s=')) ?? false, false)
		const page = await get(first.headers.location)
		const ticket = /name="ticket" value="([^"]+)"/.exec(page.text)[1]
		const next = /name="next" value="([^"]+)"/.exec(page.text)[1]
		const wrong = await post('/login/second', { form: { ticket, next, code: '123123' } })
		assert.equal(wrong.status, 401)
		assert.ok(wrong.text.includes(ticket) && !wrong.text.includes('123123'))
		const done = await post('/login/second', { form: { ticket, next, code: codeOf(u.secret) } })
		assert.equal(done.status, 303)
		assert.equal(done.headers.location, '/account/tokens')
		const cookie = done.headers['set-cookie'].find(c => c.startsWith('s=')).split(';')[0]
		assert.equal((await get('/account', { cookie })).status, 200)
	})
	test('a new password ends tickets that are out', async () => {
		const u = await enrolled()
		const ticket = await ticketOf(u.email)
		assert.equal((await post('/api/v1/users/me/password', { ...u, json: { password, newPassword: 'green kettle on the moon' } })).status, 204)
		await refused(second(ticket, codeOf(u.secret)), 400, 'link_over')
	})
})

describe('changing it', () => {
	test('new recovery codes and the end of it take a code', async () => {
		const u = await enrolled()
		await refused(post(`${base}/recovery-codes`, { ...u, json: { code: '000000' } }), 401, 'bad_code')
		await refused(call('DELETE', base, { token: u.token, json: { code: '000000' } }), 401, 'bad_code')
		const { recoveryCodes } = await ok(post(`${base}/recovery-codes`, { ...u, json: { code: codeOf(u.secret) } }))
		assert.equal(recoveryCodes.length, 10)
		await refused(second(await ticketOf(u.email), u.recoveryCodes[3]), 401, 'bad_code')
		assert.equal((await call('DELETE', base, { token: u.token, json: { code: recoveryCodes[0] } })).status, 204)
		await ok(login(u.email))
		await refused(call('DELETE', base, { token: u.token, json: { code: recoveryCodes[1] } }), 409, 'illegal_state')
	})
	test('the page turns it on with a picture to scan, shows the codes once, and turns it off', async () => {
		const u = await newUser()
		let cookie = await browser(u)
		const page = async () => (await get('/account/security', { cookie })).text
		const submit = async (path, form) => post(path, { cookie, form: { csrf: await csrf(cookie, '/account/security'), ...form }, headers: { Origin: origin } })
		assert.match(await page(), /It is off/)
		assert.equal((await submit('/account/security', { password: 'not the password' })).status, 422)
		assert.equal((await submit('/account/security', { password })).status, 303)
		const text = await page()
		assert.match(text, /<svg class="qr"/)
		const [, secret] = /<code>([A-Z2-7]{32})<\/code>/.exec(text)
		const done = await submit('/account/security/confirm', { code: codeOf(secret) })
		assert.equal(done.status, 303)
		const kept = done.headers['set-cookie'].find(c => c.startsWith('k=')).split(';')[0]
		const codes = (await get('/account/security', { cookie: `${cookie}; ${kept}` })).text.match(/<code>[a-z2-7]{5}-[a-z2-7]{5}<\/code>/g)
		assert.equal(codes.length, 10)
		const after = await page()
		assert.doesNotMatch(after, /<code>[a-z2-7]{5}-/)
		assert.match(after, /It is on/)
		assert.ok(!after.includes(secret))
		assert.equal((await submit('/account/security/end', { code: '000000' })).status, 401)
		assert.equal((await submit('/account/security/end', { code: codes[0].slice(6, -7) })).status, 303)
		assert.match(await page(), /It is off/)
	})
})
