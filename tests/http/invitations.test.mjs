// Invitations: a link by mail that lets one person in, once.
import { before, describe, test } from 'node:test'
import { sink } from '../smtp-sink.mjs'
import { assert, browser, call, csrf, get, join, lit, newKey, newUser, ok, origin, password, patch, post, refused, rows, signIn, sql, tenant, unique } from './lib.mjs'

const box = sink()
const del = (path, options) => call('DELETE', path, options)
const address = () => `guest-${unique()}@example.org`
let t
const invite = (json, by = t.owner) => post(`${t.base}/invitations`, { ...by, json })
/** The token of the link that came by mail, the same in text and HTML. */
async function token(email) {
	const mail = await box.waitFor(email)
	const link = /\/invite\?token=([\w.-]+)/
	assert.equal(link.exec(mail.text)[1], link.exec(mail.html)[1])
	return link.exec(mail.text)[1]
}
const accept = (who, token_) => post('/api/v1/invitations/accept', { ...who, json: { token: token_ } })
const role = who => sql(`SELECT role FROM workspace_members WHERE workspace_id = ${lit(t.id)} AND user_id = ${lit(who.id)} AND removed_at IS NULL`)
before(async () => {
	t = await tenant({ roles: ['viewer', 'member', 'admin'] })
})

describe('an invitation', () => {
	test('comes by mail, and whoever has an account accepts it once', async () => {
		const guest = await newUser('Gast Freund')
		const sent = await ok(invite({ email: guest.email.toUpperCase(), role: 'viewer' }), 201)
		assert.deepEqual([sent.email, sent.state, sent.role, sent.inviter.id, sent.project], [guest.email, 'pending', 'viewer', t.owner.id, null])
		const week = (new Date(sent.expiresAt) - new Date(sent.sentAt)) / 86400e3
		assert.equal(week, 7)
		const mail = await box.waitFor(guest.email)
		assert.match(mail.subject, /Olga Owner invites you to/)
		const key = await token(guest.email)
		await refused(get(t.base, guest), 404)
		assert.deepEqual(await ok(accept(guest, key)), { workspace: { slug: t.slug }, project: null })
		assert.equal((await ok(get(t.base, guest))).role, 'viewer')
		await refused(accept(guest, key), 410, 'invitation_over')
		await refused(accept(await newUser(), key), 410, 'invitation_over')
		assert.deepEqual(rows(`SELECT action, actor_id FROM audit_log WHERE workspace_id = ${lit(t.id)} AND entity_id = ${lit(sent.id)} ORDER BY number`),
			[{ action: 'invitation.sent', actor_id: t.owner.id }, { action: 'invitation.accepted', actor_id: guest.id }])
	})
	test('001-049: POST /projects/:id/members invites: the mail comes, accepting adds the role', async () => {
		const guest = await newUser()
		const made = await ok(post(`${t.path}/members`, { ...t.owner, json: { email: guest.email, role: 'member' } }), 201)
		assert.deepEqual([made.id, made.role, made.invitation.email], [null, 'member', guest.email])
		const joined = await ok(accept(guest, await token(guest.email)))
		assert.equal(joined.project.key, t.project.key)
		assert.equal(role(guest), 'viewer')
		assert.equal(sql(`SELECT role FROM project_members WHERE project_id = ${lit(t.project.id)} AND user_id = ${lit(guest.id)}`), 'member')
		await ok(post(`${t.path}/stories`, { ...guest, json: { title: 'Written by a guest' } }), 201)
		// somebody who is in the workspace keeps the higher role there
		await ok(post(`${t.path}/members`, { ...t.owner, json: { email: t.member.email, role: 'admin' } }), 201)
		await ok(accept(t.member, await token(t.member.email)))
		assert.equal(role(t.member), 'member')
		assert.equal(sql(`SELECT role FROM project_members WHERE project_id = ${lit(t.project.id)} AND user_id = ${lit(t.member.id)}`), 'admin')
	})
	test('is worth what whoever wrote it may still give: a demoted owner does not come back by one of theirs', async () => {
		const w = await tenant({ roles: ['owner'] }) // a second one: w.owner
		const write = json => ok(post(`${w.base}/invitations`, { ...w.owner, json }), 201)
		const [high, low] = [await newUser(), await newUser()]
		await write({ email: high.email, role: 'owner' })
		await write({ email: low.email, role: 'viewer' })
		const [asOwner, asViewer] = [await token(high.email), await token(low.email)]
		await ok(patch(`${w.base}/members/${w.owner.id}`, { ...w.owner, json: { version: 1, role: 'admin' } }))
		const { items } = await ok(get(`${w.base}/invitations`, w.owner))
		assert.deepEqual(items.map(i => [i.email, i.state]), [[low.email, 'pending'], [high.email, 'revoked']])
		sql(`UPDATE invitations SET revoked_at = NULL WHERE email = ${lit(high.email)}`) // however it came to be open
		await refused(accept(high, asOwner), 410, 'invitation_over')
		await ok(accept(low, asViewer)) // an admin may let viewers in
		await refused(get(w.base, high), 404)
	})
	test('that was sent before somebody was shown out does not bring them back', async () => {
		const w = await tenant({ roles: ['member'] })
		const two = await ok(post(`${w.base}/projects`, { ...w.owner, json: { key: newKey(), name: 'Two' } }), 201)
		await ok(post(`/api/v1/projects/${two.id}/members`, { ...w.owner, json: { email: w.member.email, role: 'member' } }), 201)
		const elsewhere = address()
		await ok(post(`${w.base}/invitations`, { ...w.owner, json: { email: elsewhere, role: 'member' } }), 201)
		const keys = [await token(w.member.email), await token(elsewhere)]
		assert.equal((await del(`${w.base}/members/${w.member.id}`, w.owner)).status, 204)
		for (const key of keys) await refused(accept(w.member, key), 410, 'invitation_over')
		await refused(get(w.base, w.member), 404)
		await ok(accept(await newUser(), keys[1])) // another person's
	})
	test('100 mails a day, sent again or not, and whoever invites has no more in many workspaces', async () => {
		const w = await tenant()
		const email = address()
		const made = await ok(post(`${w.base}/invitations`, { ...w.owner, json: { email, role: 'viewer' } }), 201)
		sql(`UPDATE invitations SET mails = 99, sent_at = sent_at - interval '2 minutes' WHERE id = ${lit(made.id)}`)
		await ok(post(`${w.base}/invitations/${made.id}/send`, w.owner))
		sql(`UPDATE invitations SET sent_at = sent_at - interval '2 minutes' WHERE id = ${lit(made.id)}`)
		await refused(post(`${w.base}/invitations/${made.id}/send`, w.owner), 429, 'rate_limited')
		const second = await ok(post('/api/v1/workspaces', { ...w.owner, json: { name: 'Second', slug: `second-${unique()}` } }), 201)
		await refused(post(`/api/v1/workspaces/${second.slug}/invitations`, { ...w.owner, json: { email: address(), role: 'viewer' } }), 429, 'rate_limited')
	})
	test('never lowers a role', async () => {
		const guest = await newUser()
		await ok(invite({ email: guest.email, role: 'viewer' }), 201)
		const key = await token(guest.email)
		join(t.id, guest, 'admin')
		await ok(accept(guest, key))
		assert.equal(role(guest), 'admin')
	})
	test('brings back who had left, with the role of the invitation and none of the old rights', async () => {
		const guest = await newUser()
		join(t.id, guest, 'admin')
		sql(`UPDATE workspace_members SET scopes = '{hr}' WHERE workspace_id = ${lit(t.id)} AND user_id = ${lit(guest.id)}`)
		assert.equal((await del(`${t.base}/members/${guest.id}`, t.owner)).status, 204)
		await ok(invite({ email: guest.email, role: 'viewer' }), 201)
		await ok(accept(guest, await token(guest.email)))
		assert.deepEqual(rows(`SELECT role, scopes, removed_at FROM workspace_members WHERE workspace_id = ${lit(t.id)} AND user_id = ${lit(guest.id)}`),
			[{ role: 'viewer', scopes: [], removed_at: null }])
	})
	test('says nothing of whether the address has an account', async () => {
		const known = await newUser()
		const shape = r => JSON.stringify({ ...r, id: 0, email: 0, createdAt: 0, sentAt: 0, expiresAt: 0 })
		const [a, b] = [await ok(invite({ email: known.email, role: 'member' }), 201), await ok(invite({ email: address(), role: 'member' }), 201)]
		assert.equal(shape(a), shape(b))
		const add = email => ok(post(`${t.path}/members`, { ...t.owner, json: { email, role: 'viewer' } }), 201)
		const plain = r => JSON.stringify({ ...r, invitation: { ...r.invitation, id: 0, email: 0, expiresAt: 0 } })
		assert.equal(plain(await add((await newUser()).email)), plain(await add(address())))
		// nor does the page for whoever has no token
		const [x, y] = [await get('/invite?token=none'), await get(`/invite?token=${encodeURIComponent('invite:' + a.id)}`)]
		for (const r of [x, y]) {
			assert.equal(r.status, 200)
			assert.match(r.text, /This invitation is over/)
			assert.ok(!r.text.includes('@example.org'))
		}
	})
	test('again for the same address is the same invitation, with the new role', async () => {
		const email = address()
		const first = await ok(invite({ email, role: 'viewer' }), 201)
		await refused(invite({ email, role: 'member' }), 429, 'rate_limited') // once a minute
		sql(`UPDATE invitations SET sent_at = now() - interval '2 minutes' WHERE id = ${lit(first.id)}`)
		const second = await ok(invite({ email, role: 'member' }), 201)
		assert.deepEqual([second.id, second.role], [first.id, 'member'])
		assert.equal(sql(`SELECT count(*) FROM invitations WHERE workspace_id = ${lit(t.id)} AND email = ${lit(email)}`), '1')
	})
	test('is sent again, lasts another week, and is taken back', async () => {
		const email = address()
		const { id } = await ok(invite({ email, role: 'viewer' }), 201)
		const key = await token(email)
		await refused(post(`${t.base}/invitations/${id}/send`, t.owner), 429, 'rate_limited')
		sql(`UPDATE invitations SET sent_at = now() - interval '8 days', expires_at = now() - interval '1 day' WHERE id = ${lit(id)}`)
		const guest = await newUser()
		await refused(accept(guest, key), 410, 'invitation_over')
		assert.equal((await ok(get(`${t.base}/invitations?state=expired`, t.owner))).items.length, 1)
		const again = await ok(post(`${t.base}/invitations/${id}/send`, t.admin))
		assert.ok(new Date(again.expiresAt) > Date.now() + 6.9 * 86400e3)
		await box.waitFor(mail => mail.to.includes(email) && box.mails(email).length === 2)
		assert.equal((await del(`${t.base}/invitations/${id}`, t.admin)).status, 204)
		await refused(accept(guest, key), 410, 'invitation_over')
		await refused(del(`${t.base}/invitations/${id}`, t.admin), 409, 'illegal_state')
		assert.equal((await ok(get(`${t.base}/invitations?state=revoked`, t.owner))).items[0].id, id)
		assert.match((await get(`/invite?token=${key}`)).text, /Ask Olga Owner to send it again/)
	})
	test('takes an admin, and gives no role that is not below the admin’s', async () => {
		await refused(invite({ email: address(), role: 'viewer' }, t.member), 403, 'forbidden')
		await refused(get(`${t.base}/invitations`, t.member), 403, 'forbidden')
		await refused(invite({ email: address(), role: 'admin' }, t.admin), 403, 'forbidden')
		await refused(invite({ email: address(), role: 'owner' }, t.admin), 403, 'forbidden')
		await ok(invite({ email: address(), role: 'admin' }), 201)
		await refused(invite({ email: t.viewer.email, role: 'member' }), 422, 'validation_failed')
		await refused(invite({ email: 'nobody', role: 'member' }), 422, 'validation_failed')
	})
	test('a sealed text of another kind, a changed one or none opens nothing', async () => {
		const email = address()
		await ok(invite({ email, role: 'viewer' }), 201)
		const key = await token(email)
		const guest = await newUser()
		for (const bad of ['x', key.slice(0, -2), `${key}A`, key.replace(/.$/, c => (c === 'A' ? 'B' : 'A')), 'é', '%00'])
			await refused(accept(guest, bad), 410, 'invitation_over')
		await refused(post('/api/v1/auth/invitation', { json: { token: 'x', name: 'N', password } }), 410, 'invitation_over')
	})
	test('100 a day leave a workspace', async () => {
		const w = await tenant({ stories: 0 })
		sql(`INSERT INTO invitations (workspace_id, email, role, invited_by) SELECT ${lit(w.id)}, 'm' || n || '@example.org', 'viewer', ${lit(w.owner.id)} FROM generate_series(1, 100) n`)
		await refused(post(`${w.base}/invitations`, { ...w.owner, json: { email: address() } }), 429, 'rate_limited')
	})
	test('two who use one link at once: one is in', async () => {
		const email = address()
		await ok(invite({ email, role: 'viewer' }), 201)
		const key = await token(email)
		const people = await Promise.all([newUser(), newUser()])
		const rs = await Promise.all(people.map(who => accept(who, key)))
		assert.deepEqual(rs.map(r => r.status).sort(), [200, 410])
		assert.equal(people.filter(who => role(who)).length, 1)
	})
})

describe('the page of an invitation, without script', () => {
	test('001-033: a weak password makes no account here either', async () => {
		const email = address()
		await ok(invite({ email, role: 'viewer' }), 201)
		const key = await token(email)
		const register = word => post('/api/v1/auth/invitation', { json: { token: key, name: 'Wilhelmina Brown', password: word } })
		for (const word of ['password123', 'aaaaaaaaaaaa', email, 'wilhelmina brown']) {
			const error = await refused(register(word), 422, 'validation_failed')
			assert.equal(error.details.errors[0].pointer, '/password')
		}
		await ok(register('green kettle on the moon'), 201)
	})
	test('makes the account of somebody new with the address invited, who is in and signed in', async () => {
		const email = address()
		await ok(invite({ email, role: 'member' }), 201)
		const key = await token(email)
		const page = await get(`/invite?token=${key}`)
		assert.match(page.text, new RegExp(`value="${email}" readonly`))
		const send = form => post('/invite/register', { form: { token: key, next: `/w/${t.slug}`, ...form }, headers: { Origin: origin } })
		const short = await send({ name: 'Neu Ling', password: 'short' })
		assert.equal(short.status, 422)
		assert.match(short.text, /value="Neu Ling"/)
		assert.match(short.text, new RegExp(`value="${email}" readonly`))
		const r = await send({ name: 'Neu Ling', password, email: 'other@example.org' })
		assert.equal(r.status === 303 || r.status === 422, true)
		const done = r.status === 303 ? r : await send({ name: 'Neu Ling', password })
		assert.deepEqual([done.status, done.headers.location], [303, `/w/${t.slug}`])
		const cookie = done.headers['set-cookie'].find(c => c.startsWith('s=')).split(';')[0]
		assert.equal((await get(`/w/${t.slug}`, { cookie })).status, 200)
		assert.equal((await ok(get('/api/v1/users/me', await signIn(email)))).name, 'Neu Ling') // the address counts as verified
		assert.equal((await send({ name: 'Twice', password })).status, 410)
	})
	test('sends who has an account to sign in, and lets them join with one click', async () => {
		const guest = await newUser('Known Guest')
		await ok(invite({ email: guest.email, role: 'viewer' }), 201)
		const key = await token(guest.email)
		const out = await get(`/invite?token=${key}`)
		assert.match(out.text, /There is an account with this address/)
		const cookie = await browser(guest)
		const page = await get(`/invite?token=${key}`, { cookie })
		assert.match(page.text, /Join as Known Guest/)
		const form = { csrf: await csrf(cookie, `/invite?token=${key}`), token: key, next: `/w/${t.slug}` }
		assert.equal((await post('/invite', { cookie, form: { ...form, csrf: 'x' }, headers: { Origin: origin } })).status, 403)
		const r = await post('/invite', { cookie, form, headers: { Origin: origin } })
		assert.deepEqual([r.status, r.headers.location], [303, `/w/${t.slug}`])
		assert.equal(role(guest), 'viewer')
	})
	test('a registration for an address that has an account since is refused and makes nothing', async () => {
		const email = address()
		await ok(invite({ email, role: 'viewer' }), 201)
		const key = await token(email)
		await ok(post('/api/v1/auth/register', { json: { email, name: 'First', password } }), 201)
		await refused(post('/api/v1/auth/invitation', { json: { token: key, name: 'Second', password } }), 409, 'conflict')
		assert.equal(sql(`SELECT accepted_at IS NULL FROM invitations WHERE email = ${lit(email)}`), 't')
	})
	test('admins send, repeat and take back by form', async () => {
		const cookie = await browser(t.owner)
		const page = `/w/${t.slug}/admin/members`
		const csrf_ = await csrf(cookie, page)
		const email = address()
		const send = (path, form) => post(path, { cookie, form: { csrf: csrf_, ...form }, headers: { Origin: origin } })
		const r = await send(`/w/${t.slug}/admin/invitations`, { email, role: 'viewer' })
		assert.deepEqual([r.status, r.headers.location], [303, `${page}#invited`])
		assert.ok((await get(page, { cookie })).text.includes(email))
		const member = await send(`/w/${t.slug}/admin/invitations`, { email: t.viewer.email, role: 'viewer' })
		assert.equal(member.status, 422)
		assert.match(member.text, /has this address already/)
		const id = sql(`SELECT id FROM invitations WHERE email = ${lit(email)}`)
		sql(`UPDATE invitations SET sent_at = now() - interval '2 minutes' WHERE id = ${lit(id)}`)
		assert.equal((await send(`/w/${t.slug}/admin/invitations/${id}/send`, {})).status, 303)
		assert.equal((await send(`/w/${t.slug}/admin/invitations/${id}/revoke`, {})).status, 303)
		assert.ok(!(await get(page, { cookie })).text.includes(email))
	})
})
