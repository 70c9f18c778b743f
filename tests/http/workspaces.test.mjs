// Workspaces and projects: made, changed, archived, left.
import { before, describe, test } from 'node:test'
import { assert, browser, call, csrf, get, join, lit, newKey, newUser, ok, origin, patch, post, refused, revision, rows, sql, tenant, unique } from './lib.mjs'

const del = (path, options) => call('DELETE', path, options)
const acts = (t, action) => rows(`SELECT actor_id AS actor, entity_id AS entity, details FROM audit_log WHERE workspace_id = ${lit(t.id)} AND action = ${lit(action)} ORDER BY number`)
let t
before(async () => {
	t = await tenant({ roles: ['viewer', 'member', 'admin'] })
})

describe('a workspace', () => {
	test('is made by anybody signed in, who is its owner and starts with everything off', async () => {
		const user = await newUser()
		const slug = `ws-${unique()}`
		const made = await ok(post('/api/v1/workspaces', { ...user, json: { name: 'Northern Light', slug, timezone: 'Europe/Oslo' } }), 201)
		assert.deepEqual([made.slug, made.name, made.timezone, made.role, made.version], [slug, 'Northern Light', 'Europe/Oslo', 'owner', 1])
		assert.deepEqual(await ok(get(`/api/v1/workspaces/${slug}`, user)), made)
		assert.equal(sql(`SELECT enabled FROM ai_workspace_policies WHERE workspace_id = ${lit(made.id)}`), 'f')
		assert.equal(acts(made, 'workspace.created')[0].actor, user.id)
		const { details } = await refused(post('/api/v1/workspaces', { ...t.owner, json: { name: 'Mine', slug } }), 422, 'validation_failed')
		assert.match(details.errors[0].message, /taken/)
	})
	for (const timezone of ['Europe/Nowhere', 'Mars', 'utc+3', 'Foo3Bar', 'posix/Europe/London', "x'; DROP TABLE users", '+03', 'CEST'])
		test(`takes no time zone ${timezone}`, async () => {
			await refused(post('/api/v1/workspaces', { ...t.owner, json: { name: 'N', slug: `z-${unique()}`, timezone } }), 422, 'validation_failed')
			const { version } = await ok(get(t.base, t.owner))
			await refused(patch(t.base, { ...t.admin, json: { version, timezone } }), 422, 'validation_failed')
		})
	test('is changed by admins, with its version, and the change is audited with old and new', async () => {
		const was = await ok(get(t.base, t.admin))
		await refused(patch(t.base, { ...t.member, json: { version: was.version, name: 'No' } }), 403, 'forbidden')
		const is = await ok(patch(t.base, { ...t.admin, json: { version: was.version, name: 'Renamed', timezone: 'Asia/Tokyo' } }))
		assert.deepEqual([is.name, is.timezone, is.version, is.slug], ['Renamed', 'Asia/Tokyo', was.version + 1, was.slug])
		const error = await refused(patch(t.base, { ...t.admin, json: { version: was.version, name: 'Late' } }), 409, 'version_conflict')
		assert.equal(error.details.current.name, 'Renamed')
		const [entry] = acts(t, 'workspace.changed')
		assert.deepEqual(entry.details, { name: [was.name, 'Renamed'], timezone: ['UTC', 'Asia/Tokyo'] })
		assert.equal(entry.actor, t.admin.id)
	})
	test('has pages to make it and to change it, which work without script', async () => {
		const cookie = await browser(t.owner)
		const slug = `page-${unique()}`
		const form = { csrf: await csrf(cookie, '/workspaces/new'), name: 'By page', slug, timezone: 'Europe/London' }
		const again = await post('/workspaces', { cookie, form: { ...form, timezone: 'Nowhere' }, headers: { Origin: origin } })
		assert.equal(again.status, 422)
		assert.match(again.text, /value="By page"/)
		assert.match(again.text, /IANA list/)
		const r = await post('/workspaces', { cookie, form, headers: { Origin: origin } })
		assert.deepEqual([r.status, r.headers.location], [303, `/w/${slug}`])
		const page = await get(`/w/${slug}/admin/workspace`, { cookie })
		assert.match(page.text, /value="Europe\/London"/)
		// who has one workspace is sent there, and may still ask for all
		assert.equal((await get('/?all=true', { cookie })).status, 200)
		const r2 = await post(`/w/${slug}/admin/workspace`, { cookie, form: { csrf: form.csrf, version: '1', name: 'By form', timezone: 'UTC' }, headers: { Origin: origin } })
		assert.equal(r2.status, 303)
		assert.equal(sql(`SELECT name FROM workspaces WHERE slug = ${lit(slug)}`), 'By form')
	})
	test('is left by whoever wants to, but not by its last owner', async () => {
		const guest = await newUser()
		join(t.id, guest, 'member')
		await refused(post(`${t.base}/leave`, t.owner), 409, 'last_owner')
		assert.equal((await post(`${t.base}/leave`, guest)).status, 204)
		await refused(get(t.base, guest), 404, 'not_found')
		assert.equal(acts(t, 'member.left').at(-1).entity, guest.id)
	})
})

describe('a project', () => {
	test('001-044: POST /projects answers 201 and whoever asked is the owner', async () => {
		const user = await newUser()
		const made = await ok(post('/api/v1/projects', { ...user, json: { key: newKey(), name: 'Only Workspace' } }), 201)
		assert.equal(made.owner.id, user.id)
		assert.equal(made.slug, 'only-workspace')
		assert.deepEqual(rows(`SELECT user_id, role FROM project_members WHERE project_id = ${lit(made.id)}`), [{ user_id: user.id, role: 'owner' }])
		// several workspaces: name one
		join(t.id, user, 'member')
		await refused(post('/api/v1/projects', { ...user, json: { key: newKey(), name: 'Which' } }), 422, 'validation_failed')
		const named = await ok(post('/api/v1/projects', { ...user, json: { workspace: t.slug, key: newKey(), name: 'Named', isPrivate: true } }), 201)
		assert.equal(sql(`SELECT workspace_id FROM projects WHERE id = ${lit(named.id)}`), t.id)
		assert.equal(named.isPrivate, true)
		await refused(post('/api/v1/projects', { ...user, json: { workspace: 'no-such', key: newKey(), name: 'N' } }), 422, 'validation_failed')
		await refused(post('/api/v1/projects', { ...t.viewer, json: { workspace: t.slug, key: newKey(), name: 'N' } }), 403, 'forbidden')
		await refused(post('/api/v1/projects', { ...user, json: { workspace: t.slug, key: named.key, name: 'Twice' } }), 409, 'conflict')
	})
	test('001-045: GET /projects is a list of own projects with a cursor', async () => {
		const user = await newUser()
		for (let i = 0; i < 5; i++) await ok(post('/api/v1/projects', { ...user, json: { key: newKey(), name: `P${i}` } }), 201)
		const seen = []
		let cursor = ''
		do {
			const page = await ok(get(`/api/v1/projects?limit=2${cursor && `&cursor=${cursor}`}`, user))
			seen.push(...page.items)
			cursor = page.next
		} while (cursor)
		assert.equal(seen.length, 5)
		assert.deepEqual(seen.map(p => p.key), seen.map(p => p.key).toSorted())
		assert.ok(seen.every(p => p.role === 'owner' && p.workspace.slug === user.slug))
	})
	test('001-046: GET answers 200 to a member and 404 to others', async () => {
		await ok(get(t.path, t.viewer))
		await refused(get(t.path, await newUser()), 404, 'not_found')
	})
	test('001-047: PATCH answers 200 to an admin and 403 to a viewer; the key stays', async () => {
		const team = await ok(post(`${t.base}/teams`, { ...t.owner, json: { name: `T ${unique()}` } }), 201)
		const { version } = await ok(get(t.path, t.admin))
		await refused(patch(t.path, { ...t.viewer, json: { version, name: 'No' } }), 403, 'forbidden')
		await refused(patch(t.path, { ...t.member, json: { version, name: 'No' } }), 403, 'forbidden')
		await refused(patch(t.path, { ...t.admin, json: { version, key: 'OTHER' } }), 422, 'validation_failed')
		const rev = revision(t)
		const is = await ok(patch(t.path, { ...t.admin, json: { version, name: 'New name', description: 'D', slug: `s-${unique()}`, settings: { wip: 3 }, teamId: team.id } }))
		assert.deepEqual([is.name, is.description, is.settings, is.team.id, is.key, is.version], ['New name', 'D', { wip: 3 }, team.id, t.project.key, version + 1])
		assert.equal(revision(t), rev + 1)
		const entry = acts(t, 'project.changed').at(-1)
		assert.deepEqual(entry.details.name, [t.project.name, 'New name'])
		const error = await refused(patch(t.path, { ...t.admin, json: { version, name: 'Late' } }), 409, 'version_conflict')
		assert.equal(error.details.current.name, 'New name')
		await refused(patch(t.path, { ...t.admin, json: { version: version + 1, teamId: '00000000-0000-7000-8000-000000000000' } }), 422, 'validation_failed')
		assert.equal((await ok(patch(t.path, { ...t.admin, json: { version: version + 1, teamId: null } }))).team, null)
	})
	test('001-048: DELETE archives: archivedAt set, rows kept, hidden from lists, and PATCH restores', async () => {
		const p = await ok(post(`${t.base}/projects`, { ...t.owner, json: { key: newKey(), name: 'Old' } }), 201)
		await ok(post(`/api/v1/projects/${p.id}/stories`, { ...t.owner, json: { title: 'Kept' } }), 201)
		await refused(del(`/api/v1/projects/${p.id}`, t.member), 403, 'forbidden')
		assert.equal((await del(`/api/v1/projects/${p.id}`, t.admin)).status, 204)
		assert.equal((await del(`/api/v1/projects/${p.id}`, t.admin)).status, 204)
		const is = await ok(get(`/api/v1/projects/${p.id}`, t.owner))
		assert.ok(is.archivedAt)
		assert.equal(sql(`SELECT count(*) FROM stories WHERE project_id = ${lit(p.id)}`), '1')
		const listed = async path => (await get(path, t.owner)).text.includes(p.id)
		assert.equal(await listed(`${t.base}/projects`), false)
		assert.equal(await listed('/api/v1/projects'), false)
		assert.equal(await listed(`${t.base}/projects?archived=true`), true)
		const back = await ok(patch(`/api/v1/projects/${p.id}`, { ...t.owner, json: { version: is.version, isArchived: false } }))
		assert.equal(back.archivedAt, null)
		assert.equal(await listed(`${t.base}/projects`), true)
		assert.deepEqual([acts(t, 'project.archived').length, acts(t, 'project.restored').length], [1, 1])
	})
	test('made private by PATCH it is gone for the others, and its revision moved', async () => {
		const p = await ok(post(`${t.base}/projects`, { ...t.owner, json: { key: newKey(), name: 'Secret' } }), 201)
		await ok(get(`/api/v1/projects/${p.id}`, t.viewer))
		const before_ = [revision(t, p.id), revision(t, t.id)]
		await ok(patch(`/api/v1/projects/${p.id}`, { ...t.owner, json: { version: 1, isPrivate: true } }))
		await refused(get(`/api/v1/projects/${p.id}`, t.viewer), 404)
		assert.ok(revision(t, p.id) > before_[0] && revision(t, t.id) > before_[1])
	})
	test('has pages: made, set, archived and restored without script', async () => {
		const cookie = await browser(t.owner)
		const page = `/w/${t.slug}/projects/new`
		const token = await csrf(cookie, page)
		const key = newKey()
		const send = (path, form) => post(path, { cookie, form: { csrf: token, ...form }, headers: { Origin: origin } })
		const wrong = await send(`/w/${t.slug}/projects`, { key: 'lower', name: 'Kept input', isPrivate: 'false' })
		assert.equal(wrong.status, 422)
		assert.match(wrong.text, /value="Kept input"/)
		const made = await send(`/w/${t.slug}/projects`, { key, name: 'By page', isPrivate: 'false' })
		assert.deepEqual([made.status, made.headers.location], [303, `/w/${t.slug}/p/${key}`])
		const settings = `/w/${t.slug}/p/${key}/settings`
		assert.equal((await get(settings, { cookie })).status, 200)
		assert.equal((await send(settings, { version: '1', name: 'By form', slug: `f-${unique()}`, teamId: 'null', isPrivate: 'true' })).status, 303)
		const conflict = await send(settings, { version: '1', name: 'Late' })
		assert.equal(conflict.status, 409)
		assert.equal((await send(settings, { version: '2', isArchived: 'true' })).status, 303)
		assert.deepEqual(rows(`SELECT name, is_private, archived_at IS NOT NULL AS gone FROM projects WHERE workspace_id = ${lit(t.id)} AND key = ${lit(key)}`), [{ name: 'By form', is_private: true, gone: true }])
		assert.match((await get(`/w/${t.slug}/projects?archived=true`, { cookie })).text, /By form/)
		assert.match((await get(settings, { cookie })).text, /Restore By form/)
		assert.equal((await send(settings, { version: '3', isArchived: 'false' })).status, 303)
		assert.equal(sql(`SELECT archived_at IS NULL FROM projects WHERE workspace_id = ${lit(t.id)} AND key = ${lit(key)}`), 't')
	})
})
