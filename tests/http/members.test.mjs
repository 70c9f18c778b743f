// Members of workspaces and projects: roles, scopes, addresses, coming and going.
import { before, describe, test } from 'node:test'
import { assert, browser, call, csrf, get, join, lit, newKey, newUser, ok, origin, patch, post, refused, revision, rows, signIn, sql, tenant, unique } from './lib.mjs'

const del = (path, options) => call('DELETE', path, options)
const last = t => rows(`SELECT action, actor_id AS actor, entity_id AS entity, details FROM audit_log WHERE workspace_id = ${lit(t.id)} ORDER BY number DESC LIMIT 1`)[0]
const of = (t, user) => `${t.base}/members/${user.id}`
let t
before(async () => {
	t = await tenant({ roles: ['viewer', 'member', 'admin'] })
})

describe('members of a workspace', () => {
	test('003-008: the same member read with three scopes shows three addresses', async () => {
		const [hr, ops] = [await newUser(), await newUser()]
		for (const [who, scope] of [[hr, 'hr'], [ops, 'ops']]) {
			join(t.id, who, 'viewer')
			const { version } = await ok(get(of(t, who), t.owner))
			assert.deepEqual((await ok(patch(of(t, who), { ...t.owner, json: { version, scopes: [scope] } }))).scopes, [scope])
		}
		const seen = async who => [(await ok(get(of(t, t.member), who))).email, (await ok(get(`${t.base}/members`, who))).items.find(m => m.id === t.member.id).email]
		const whole = t.member.email
		const cut = `${whole[0]}…@example.org`
		for (const [who, email] of [[t.owner, whole], [t.admin, whole], [hr, whole], [t.member, whole], [ops, cut], [t.viewer, null]])
			assert.deepEqual(await seen(who), [email, email])
		// nor do pages, tables or errors say it
		assert.ok(!(await get(`${t.base}/members?q=Person`, t.viewer)).text.includes(whole))
	})
	test('001-051: a change of role counts from the next request on, is versioned and audited', async () => {
		const who = await newUser('Rita Role')
		join(t.id, who, 'viewer')
		const make = () => post(`${t.base}/projects`, { ...who, json: { key: newKey(), name: 'By role' } })
		await refused(make(), 403, 'forbidden')
		const { version } = await ok(get(of(t, who), t.admin))
		const is = await ok(patch(of(t, who), { ...t.admin, json: { version, role: 'member' } }))
		assert.deepEqual([is.role, is.version], ['member', version + 1])
		await ok(make(), 201)
		const entry = rows(`SELECT * FROM audit_log WHERE workspace_id = ${lit(t.id)} AND action = 'member.role_changed' AND entity_id = ${lit(who.id)}`)[0]
		assert.deepEqual([entry.actor_id, entry.details], [t.admin.id, { role: ['viewer', 'member'] }])
		const error = await refused(patch(of(t, who), { ...t.admin, json: { version, role: 'viewer' } }), 409, 'version_conflict')
		assert.deepEqual([error.details.current.role, error.details.current.name], ['member', 'Rita Role'])
	})
	test('only who is below one’s own rank may be changed, and only to what is below it', async () => {
		const [other, second] = [await newUser(), await newUser()]
		join(t.id, other, 'admin')
		join(t.id, second, 'owner')
		const set = async (by, who, role) => patch(of(t, who), { ...by, json: { version: (await ok(get(of(t, who), t.owner))).version, role } })
		await refused(set(t.admin, other, 'member'), 403, 'forbidden')
		await refused(set(t.admin, t.owner, 'member'), 403, 'forbidden')
		await refused(set(t.admin, t.member, 'admin'), 403, 'forbidden')
		await refused(set(t.admin, t.admin, 'owner'), 403, 'forbidden')
		await refused(del(of(t, other), t.admin), 403, 'forbidden')
		await refused(del(of(t, second), t.admin), 403, 'forbidden')
		await ok(set(t.owner, other, 'owner'))
		await ok(set(t.owner, other, 'admin'))
		await ok(set(other, other, 'member')) // everybody may step down
		assert.equal((await del(of(t, second), t.owner)).status, 204)
	})
	test('the last owner stays, whatever two owners try at once', async () => {
		for (let round = 0; round < 6; round++) {
			const w = await tenant({ stories: 0 })
			const second = await newUser()
			join(w.id, second, 'owner')
			const rs = round % 2
				? await Promise.all([del(of(w, second), w.owner), del(of(w, w.owner), second)])
				: await Promise.all([[w.owner, w.owner], [second, second]].map(([by, who]) => patch(of(w, who), { ...by, json: { version: 1, role: 'viewer' } })))
			assert.equal(sql(`SELECT count(*) FROM workspace_members WHERE workspace_id = ${lit(w.id)} AND role = 'owner' AND removed_at IS NULL`), '1')
			assert.equal(rs.filter(r => r.status < 300).length, 1, rs.map(r => `${r.status} ${r.text}`).join('\n'))
			assert.ok(rs.every(r => r.status < 300 || ['last_owner', 'forbidden', 'not_found'].includes(r.json.error.code)))
		}
		await refused(del(of(t, t.owner), t.owner), 409, 'last_owner')
		await refused(patch(of(t, t.owner), { ...t.owner, json: { version: 1, role: 'admin' } }), 409, 'last_owner')
	})
	test('removal ends access at once and takes project roles, places in teams and invitations along', async () => {
		const who = await newUser('Gil Gone')
		join(t.id, who, 'admin')
		const team = await ok(post(`${t.base}/teams`, { ...t.owner, json: { name: `T ${unique()}` } }), 201)
		await ok(call('PUT', `${t.base}/teams/${team.id}/members/${who.id}`, { ...t.owner, json: { isLead: true } }))
		const own = await ok(post(`${t.base}/projects`, { ...who, json: { key: newKey(), name: 'Orphan' } }), 201)
		const story = await ok(post(`${t.path}/stories`, { ...t.owner, json: { title: 'Theirs', assigneeId: who.id } }), 201)
		const sent = await ok(post(`${t.base}/invitations`, { ...who, json: { email: `i-${unique()}@example.org`, role: 'viewer' } }), 201)
		const cookie = await browser(who)
		sql(`INSERT INTO watchers (workspace_id, user_id, entity_type, entity_id) VALUES (${lit(t.id)}, ${lit(who.id)}, 'story', ${lit(story.id)}) ON CONFLICT DO NOTHING`)
		const found = async () => (await get(`${t.base}/search?q=Gil`, t.owner)).text.includes(who.id)
		assert.equal(await found(), true)
		assert.equal((await del(of(t, who), t.owner)).status, 204)
		assert.equal(await found(), false)
		assert.equal(sql(`SELECT count(*) FROM watchers WHERE user_id = ${lit(who.id)} AND workspace_id = ${lit(t.id)}`), '0')
		const told = () => sql(`SELECT count(*) FROM notifications WHERE user_id = ${lit(who.id)} AND workspace_id = ${lit(t.id)} AND read_at IS NULL`)
		sql(`INSERT INTO notifications (workspace_id, user_id, kind, title, entity_type, entity_id) VALUES (${lit(t.id)}, ${lit(who.id)}, 'k', 't', 'story', ${lit(story.id)})`)
		await ok(post(`${t.path}/stories/${story.key}/comments`, { ...t.owner, json: { body: '@Gil Gone are you there' } }), 201)
		assert.equal(told(), '0')
		assert.equal(sql(`SELECT count(*) FROM comment_mentions WHERE user_id = ${lit(who.id)}`), '0')
		for (const path of [t.base, t.path, `${t.path}/board`, `${t.base}/members`]) await refused(get(path, who), 404, 'not_found')
		assert.equal((await get(`/w/${t.slug}`, { cookie })).status, 404)
		assert.ok(!(await ok(get('/api/v1/workspaces', who))).items.some(w => w.id === t.id))
		assert.ok(!(await get(`${t.base}/members`, t.owner)).text.includes(who.id))
		await refused(get(of(t, who), t.owner), 404)
		assert.equal(sql(`SELECT count(*) FROM project_members WHERE user_id = ${lit(who.id)} AND workspace_id = ${lit(t.id)}`), '0')
		assert.equal(sql(`SELECT count(*) FROM team_members WHERE user_id = ${lit(who.id)} AND workspace_id = ${lit(t.id)}`), '0')
		assert.equal(sql(`SELECT revoked_at IS NOT NULL FROM invitations WHERE id = ${lit(sent.id)}`), 't')
		// the project they alone owned belongs to who removed them, and what they did keeps their name
		assert.equal((await ok(get(`/api/v1/projects/${own.id}`, t.owner))).owner.id, t.owner.id)
		assert.deepEqual(rows(`SELECT user_id, role FROM project_members WHERE project_id = ${lit(own.id)}`), [{ user_id: t.owner.id, role: 'owner' }])
		const kept = await ok(get(`${t.path}/stories/${story.key}`, t.owner))
		assert.equal(kept.assignee.name, 'Gil Gone')
		await ok(patch(`${t.path}/stories/${story.key}`, { ...t.owner, json: { version: kept.version, title: 'Still editable' } }))
		assert.deepEqual([last(t).action, last(t).details.role], ['member.removed', ['admin', null]])
		// nothing new for who is gone
		const r = await post(`${t.path}/stories`, { ...t.owner, json: { title: 'x', assigneeId: who.id } })
		assert.ok(r.status >= 400 && r.status < 500, r.text)
		await refused(call('PUT', `${t.base}/teams/${team.id}/members/${who.id}`, { ...t.owner, json: { isLead: true } }), 404)
		await refused(post(`${t.path}/members`, { ...t.owner, json: { userId: who.id, role: 'viewer' } }), 422)
	})
	test('another name of a member moves the revision of every board that shows it', async () => {
		const before_ = [revision(t), revision(t, t.id)]
		const tag = (await get(`${t.path}/board`, t.owner)).headers.etag
		sql(`UPDATE users SET name = 'Mem Renamed' WHERE id = ${lit(t.member.id)}`)
		assert.ok(revision(t) > before_[0] && revision(t, t.id) > before_[1])
		assert.equal((await get(`${t.path}/board`, { ...t.owner, headers: { 'If-None-Match': tag } })).status, 200)
	})
	test('the list pages by name and filters by role, team and words', async () => {
		const names = []
		let cursor = ''
		do {
			const page = await ok(get(`${t.base}/members?limit=2${cursor && `&cursor=${encodeURIComponent(cursor)}`}`, t.viewer))
			names.push(...page.items.map(m => m.name))
			cursor = page.next
		} while (cursor)
		assert.equal(names.length, Number(sql(`SELECT count(*) FROM workspace_members WHERE workspace_id = ${lit(t.id)} AND removed_at IS NULL`)))
		assert.ok((await ok(get(`${t.base}/members?role=owner`, t.viewer))).items.every(m => m.role === 'owner'))
		assert.deepEqual((await ok(get(`${t.base}/members?q=renamed`, t.viewer))).items.map(m => m.id), [t.member.id])
	})
	test('pages: roles and scopes by form, removal by its own section', async () => {
		const cookie = await browser(t.owner)
		const page = `/w/${t.slug}/admin/members`
		const token = await csrf(cookie, page)
		const who = await newUser('Form Person')
		join(t.id, who, 'viewer')
		const send = (path, form) => post(path, { cookie, body: new URLSearchParams([['csrf', token], ...form]).toString(), headers: { Origin: origin, 'Content-Type': 'application/x-www-form-urlencoded' } })
		assert.equal((await send(`${page}/${who.id}/role`, [['version', '1'], ['role', 'member']])).status, 303)
		assert.equal((await send(`${page}/${who.id}`, [['version', '2'], ['role', 'member'], ['scopes', '[]'], ['scopes', 'ops'], ['scopes', 'hr']])).status, 303)
		assert.deepEqual(rows(`SELECT role, scopes FROM workspace_members WHERE workspace_id = ${lit(t.id)} AND user_id = ${lit(who.id)}`), [{ role: 'member', scopes: ['hr', 'ops'] }])
		assert.match((await get(`${page}/${who.id}`, { cookie })).text, /value="ops" checked/)
		assert.equal((await send(`${page}/${who.id}`, [['version', '3'], ['scopes', '[]']])).status, 303)
		assert.deepEqual(rows(`SELECT scopes FROM workspace_members WHERE workspace_id = ${lit(t.id)} AND user_id = ${lit(who.id)}`), [{ scopes: [] }])
		assert.equal((await send(`${page}/${who.id}`, [['version', '3'], ['role', 'admin']])).status, 409)
		assert.equal((await send(`${page}/${who.id}/remove`, [])).status, 303)
		assert.equal((await get(`${page}/${who.id}`, { cookie })).status, 404)
		const stuck = await send(`${page}/${t.owner.id}/remove`, [])
		assert.equal(stuck.status, 409)
		assert.match(stuck.text, /last owner stays/)
		// whoever is no admin sees no Administration, and is told so at its door
		const plain = await browser(await signIn(t.member.email).then(() => t.member))
		assert.ok(!(await get(`/w/${t.slug}`, { cookie: plain })).text.includes('Administration'))
		assert.equal((await get(page, { cookie: plain })).status, 403)
		assert.ok((await get(`/w/${t.slug}`, { cookie })).text.includes('Administration'))
	})
})

describe('members of a project', () => {
	const at = user => `${t.path}/members/${user.id}`
	const add = (by, who, role) => post(`${t.path}/members`, { ...by, json: { userId: who.id, role } })
	const story = who => post(`${t.path}/stories`, { ...who, json: { title: 'By role' } })

	test('001-021: roles are owner, admin, member, viewer and nothing else', () => {
		const insert = role => `INSERT INTO project_members (workspace_id, project_id, user_id, role) VALUES (${lit(t.id)}, ${lit(t.project.id)}, ${lit(t.viewer.id)}, '${role}')`
		assert.throws(() => sql(insert('king')), /check constraint/)
		const columns = rows(`SELECT column_name AS name FROM information_schema.columns WHERE table_name = 'project_members'`).map(r => r.name)
		for (const name of ['user_id', 'project_id', 'role', 'joined_at']) assert.ok(columns.includes(name))
	})
	test('001-050, 001-051: a role given, changed and taken counts at once and is audited', async () => {
		await refused(story(t.viewer), 403)
		const made = await ok(add(t.owner, t.viewer, 'member'), 201)
		assert.deepEqual([made.id, made.role, made.invitation], [t.viewer.id, 'member', null])
		await ok(story(t.viewer), 201)
		await refused(add(t.owner, t.viewer, 'viewer'), 409, 'conflict')
		const is = await ok(patch(at(t.viewer), { ...t.owner, json: { version: made.version, role: 'viewer' } }))
		assert.deepEqual([is.role, is.workspaceRole, is.version], ['viewer', 'viewer', made.version + 1])
		await refused(story(t.viewer), 403)
		assert.deepEqual([last(t).action, last(t).details.role, last(t).actor], ['project.member_role_changed', ['member', 'viewer'], t.owner.id])
		await refused(patch(at(t.viewer), { ...t.owner, json: { version: 1, role: 'admin' } }), 409, 'version_conflict')
		// private: the role is all there is, and with it the project goes
		sql(`UPDATE projects SET is_private = true WHERE id = ${lit(t.project.id)}`)
		await ok(get(t.path, t.viewer))
		assert.equal((await del(at(t.viewer), t.owner)).status, 204)
		await refused(get(t.path, t.viewer), 404, 'not_found')
		await refused(del(at(t.viewer), t.owner), 404, 'not_found')
		sql(`UPDATE projects SET is_private = false WHERE id = ${lit(t.project.id)}`)
		assert.equal(last(t).action, 'project.member_removed')
	})
	test('001-021: the last owner of a project cannot be removed or lowered, even by two at once', async () => {
		const [a, b] = [await newUser(), await newUser()]
		for (let round = 0; round < 4; round++) {
			const p = await ok(post(`${t.base}/projects`, { ...t.owner, json: { key: newKey(), name: 'Owned' } }), 201)
			for (const who of [a, b]) {
				join(t.id, who, 'member')
				await ok(post(`/api/v1/projects/${p.id}/members`, { ...t.owner, json: { userId: who.id, role: 'owner' } }), 201)
			}
			assert.equal((await del(`/api/v1/projects/${p.id}/members/${t.owner.id}`, t.owner)).status, 204)
			assert.ok([a.id, b.id].includes((await ok(get(`/api/v1/projects/${p.id}`, t.owner))).owner.id))
			const rs = await Promise.all([[a, b], [b, a]].map(([by, who]) => del(`/api/v1/projects/${p.id}/members/${who.id}`, by)))
			assert.equal(rs.filter(r => r.status === 204).length, 1, rs.map(r => r.text).join('\n'))
			const [{ user_id: left }] = rows(`SELECT user_id FROM project_members WHERE project_id = ${lit(p.id)} AND role = 'owner'`)
			await refused(del(`/api/v1/projects/${p.id}/members/${left}`, t.owner), 409, 'last_owner')
			await refused(patch(`/api/v1/projects/${p.id}/members/${left}`, { ...t.owner, json: { version: 1, role: 'admin' } }), 409, 'last_owner')
		}
	})
	test('an admin of the project gives what is below, and cannot bring strangers in', async () => {
		const lead = await newUser()
		join(t.id, lead, 'viewer')
		await ok(add(t.owner, lead, 'admin'), 201)
		const who = await newUser()
		join(t.id, who, 'viewer')
		await refused(add(lead, who, 'admin'), 403, 'forbidden')
		await ok(add(lead, who, 'member'), 201)
		await refused(del(at(t.owner), lead), 403, 'forbidden')
		await refused(post(`${t.path}/members`, { ...lead, json: { email: 'stranger@example.org', role: 'viewer' } }), 403, 'forbidden')
		await refused(post(`${t.path}/members`, { ...t.owner, json: { role: 'viewer' } }), 422, 'validation_failed')
		await refused(post(`${t.path}/members`, { ...t.owner, json: { role: 'viewer', email: 'a@b.org', userId: who.id } }), 422, 'validation_failed')
		const list = await ok(get(`${t.path}/members`, t.viewer))
		assert.ok(list.items.some(m => m.id === who.id && m.role === 'member' && m.workspaceRole === 'viewer'))
	})
	test('pages: roles of a project by form', async () => {
		const lead = await newUser('Lead Person')
		join(t.id, lead, 'member')
		const cookie = await browser(t.owner)
		const page = `/w/${t.slug}/p/${t.project.key}/settings`
		const token = await csrf(cookie, page)
		const send = (path, form) => post(path, { cookie, form: { csrf: token, ...form }, headers: { Origin: origin } })
		assert.equal((await send(`${page}/members`, { userId: lead.id, role: 'admin' })).status, 303)
		assert.equal((await send(`${page}/members/${lead.id}`, { version: '1', role: 'viewer' })).status, 303)
		assert.equal(sql(`SELECT role FROM project_members WHERE project_id = ${lit(t.project.id)} AND user_id = ${lit(lead.id)}`), 'viewer')
		assert.equal((await send(`${page}/members/${lead.id}/remove`, {})).status, 303)
		const r = await send(`${page}/members/${t.owner.id}/remove`, {})
		assert.equal(r.status, 409)
		assert.match(r.text, /last owner stays/)
	})
})
