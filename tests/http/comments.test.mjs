// Comments on stories, epics, sprints and objectives: who may say, change and
// delete what, whom they name, and what of it others see.
import { before, describe, test } from 'node:test'
import { assert, call, get, join, lit, newUser, ok, patch, post, refused, rows, sprint, sql, tenant } from './lib.mjs'

let t, on
const del = (path, who) => call('DELETE', path, who)
const say = (body, who = t.member, path = on.story) => ok(post(`${path}/comments`, { ...who, json: { body } }), 201)
const named = comment => comment.mentions.map(m => m.name)

before(async () => {
	t = await tenant({ roles: ['member', 'viewer', 'admin'] })
	const { number } = sprint(t)
	const epic = sql(`INSERT INTO epics (workspace_id, project_id, title) VALUES (${lit(t.id)}, ${lit(t.project.id)}, 'Epic') RETURNING number`)
	const objective = await ok(post(`${t.base}/objectives`, { ...t.owner, json: { title: 'O', startDate: '2026-10-01', endDate: '2026-12-31' } }), 201)
	on = {
		story: `${t.path}/stories/${t.project.key}-${t.stories[0].number}`,
		epic: `${t.path}/epics/E-${epic}`,
		sprint: `${t.path}/sprints/${number}`,
		objective: `${t.base}/objectives/${objective.key}`,
	}
	for (const [user, name] of [[t.member, 'Mira Okafor'], [t.viewer, 'Jon Vale'], [t.admin, 'Jon Ågren']])
		sql(`UPDATE users SET name = ${lit(name)} WHERE id = ${lit(user.id)}`)
})

describe('a comment', () => {
	for (const thing of ['story', 'epic', 'sprint', 'objective'])
		test(`on ${thing}: said, listed newest first, changed, deleted`, async () => {
			const first = await say('First *words*', t.member, on[thing])
			assert.deepEqual([first.body, first.author.name, first.mentions, first.editedAt, first.version], ['First *words*', 'Mira Okafor', [], null, 1])
			const second = await say('Second', t.owner, on[thing])
			const list = await ok(get(`${on[thing]}/comments`, t.viewer))
			assert.deepEqual(list.items.map(c => c.body), ['Second', 'First *words*'])
			assert.deepEqual(list.items[1], first)
			const changed = await ok(patch(`${on[thing]}/comments/${first.id}`, { ...t.member, json: { version: 1, body: 'Other words' } }))
			assert.equal(changed.body, 'Other words')
			assert.equal(changed.version, 2)
			assert.ok(changed.editedAt)
			const placed = await ok(get(`${t.base}/comments/${first.id}`, t.viewer))
			assert.equal(placed.entity.type, thing)
			assert.equal((await del(`${on[thing]}/comments/${first.id}`, t.member)).status, 204)
			assert.deepEqual((await ok(get(`${on[thing]}/comments`, t.viewer))).items.map(c => c.id), [second.id])
			await refused(get(`${t.base}/comments/${first.id}`, t.viewer), 404, 'not_found')
			await refused(del(`${on[thing]}/comments/${first.id}`, t.member), 404, 'not_found')
		})
	test('of one thing is not found below another', async () => {
		const { id } = await say('Here')
		await refused(patch(`${on.epic}/comments/${id}`, { ...t.member, json: { version: 1, body: 'There' } }), 404, 'not_found')
		await refused(del(`${t.path}/stories/${t.stories[1].id}/comments/${id}`, t.member), 404, 'not_found')
	})
	test('is changed by its author only, deleted by its author or an admin', async () => {
		const { id } = await say('Mine')
		const one = `${on.story}/comments/${id}`
		for (const who of [t.owner, t.admin]) await refused(patch(one, { ...who, json: { version: 1, body: 'Not yours' } }), 403, 'forbidden')
		const other = await newUser('Other Member')
		join(t.id, other, 'member')
		await refused(del(one, other), 403, 'forbidden')
		await refused(post(`${on.story}/comments`, { ...t.viewer, json: { body: 'Viewers read' } }), 403, 'forbidden')
		assert.equal((await del(one, t.admin)).status, 204)
	})
	test('changed twice at once: the second sees the first', async () => {
		const { id } = await say('v1')
		const one = `${on.story}/comments/${id}`
		await ok(patch(one, { ...t.member, json: { version: 1, body: 'v2' } }))
		const error = await refused(patch(one, { ...t.member, json: { version: 1, body: 'v3' } }), 409, 'version_conflict')
		assert.equal(error.details.current.body, 'v2')
		assert.equal(error.details.current.version, 2)
	})
	test('has words, 20,000 at most', async () => {
		for (const body of ['', 'x'.repeat(20001)]) await refused(post(`${on.story}/comments`, { ...t.member, json: { body } }), 422, 'validation_failed')
		await refused(post(`${on.story}/comments`, { ...t.member, json: { body: ' \n\t ' } }), 422, 'validation_failed')
		assert.equal((await say('é'.repeat(20000))).body.length, 20000)
	})
	test('keeps its history: what was said, changed and deleted, by whom', async () => {
		const { id } = await say('Before')
		await ok(patch(`${on.story}/comments/${id}`, { ...t.member, json: { version: 1, body: 'After' } }))
		await del(`${on.story}/comments/${id}`, t.admin)
		const events = rows(`SELECT action, changes, actor_id, scope_id FROM events WHERE workspace_id = ${lit(t.id)} AND entity_id = ${lit(id)} ORDER BY rev`)
		assert.deepEqual(events.map(e => e.action), ['created', 'updated', 'deleted'])
		assert.deepEqual(events[1].changes.body, ['Before', 'After'])
		assert.deepEqual(events.map(e => e.actor_id), [t.member.id, t.member.id, t.admin.id])
		assert.ok(events.every(e => e.scope_id === t.project.id))
	})
	test('sent twice with one key is said once', async () => {
		const options = { ...t.member, json: { body: 'Once' }, headers: { 'Idempotency-Key': 'comment-once' } }
		const [a, b] = [await ok(post(`${on.story}/comments`, options), 201), await ok(post(`${on.story}/comments`, options), 201)]
		assert.equal(a.id, b.id)
	})
	test('sixty are read page by page without one lost or seen twice', async () => {
		const path = `${t.path}/stories/${t.stories[1].id}`
		for (let i = 0; i < 60; i++) await say(`Number ${i}`, t.member, path)
		const seen = []
		for (let next = ''; next !== null;) {
			const list = await ok(get(`${path}/comments?limit=25${next && `&cursor=${encodeURIComponent(next)}`}`, t.viewer))
			seen.push(...list.items.map(c => c.body))
			next = list.next
		}
		assert.deepEqual(seen, Array.from({ length: 60 }, (_, i) => `Number ${59 - i}`))
	})
})

describe('a mention', () => {
	const cases = [
		['@Mira Okafor look', ['Mira Okafor']],
		['look, @mira', ['Mira Okafor']],
		['(@mira.okafor)', ['Mira Okafor']],
		['@MiraOkafor!', ['Mira Okafor']],
		['@MIRA OKAFOR', ['Mira Okafor']],
		['@jon', [], 'two are called Jon'],
		['@Jon Vale and @jon.ågren', ['Jon Vale', 'Jon Ågren']],
		['@Jon Valentine', [], 'a longer word is another one'],
		['mail@mira', [], 'after a letter it is an address'],
		['`@mira` and ```\n@mira\n```', [], 'code is code'],
		['@nobody @ @@ @', []],
		['@@mira', ['Mira Okafor']],
		['@mira @mira @mira', ['Mira Okafor'], 'once however often'],
		["@mira's work", ['Mira Okafor']],
		['@mira_x', []],
		["@'; DROP TABLE comments; --", []],
	]
	for (const [body, names, why = ''] of cases)
		test(`${JSON.stringify(body)} names ${names.join(', ') || 'nobody'} ${why}`, async () => {
			assert.deepEqual(named(await say(body)).sort(), [...names].sort())
		})
	test('follows the words when they change', async () => {
		const { id } = await say('@mira')
		const changed = await ok(patch(`${on.story}/comments/${id}`, { ...t.member, json: { version: 1, body: '@Jon Vale' } }))
		assert.deepEqual(named(changed), ['Jon Vale'])
	})
	test('does not reach who does not see the project, nor members of other workspaces', async () => {
		const stranger = await newUser('Strange Outsider')
		assert.deepEqual(named(await say('@Strange Outsider @strange')), [])
		const own = await ok(post(`${t.base}/projects`, { ...t.member, json: { key: `V${Date.now().toString(36).toUpperCase().slice(-8)}`, name: 'Private' } }), 201)
		sql(`UPDATE projects SET is_private = true WHERE id = ${lit(own.id)}`)
		const story = await ok(post(`/api/v1/projects/${own.id}/stories`, { ...t.member, json: { title: 'Secret' } }), 201)
		const made = await say('@Jon Vale @mira @Jon Ågren', t.member, `/api/v1/projects/${own.id}/stories/${story.id}`)
		assert.deepEqual(named(made).sort(), ['Jon Ågren', 'Mira Okafor'], 'the admin sees it, the viewer does not')
		await refused(get(`${t.base}/comments/${made.id}`, t.viewer), 404, 'not_found')
		await refused(get(`${t.base}/comments/${made.id}`, stranger), 404, 'not_found')
	})
	test('20,000 times @ takes no longer than it must', async () => {
		const from = Date.now()
		await say('@'.repeat(20000))
		await say('@mira '.repeat(3000))
		assert.ok(Date.now() - from < 3000, `${Date.now() - from} ms`)
	})
})

test('what was said about something that was deleted is gone with it', async () => {
	const story = await ok(post(`${t.path}/stories`, { ...t.owner, json: { title: 'Gone' } }), 201)
	const made = await say('Not for long', t.member, `${t.path}/stories/${story.id}`)
	await ok(get(`${t.base}/comments/${made.id}`, t.viewer))
	assert.equal((await del(`${t.path}/stories/${story.id}`, t.owner)).status, 204)
	await refused(get(`${t.base}/comments/${made.id}`, t.viewer), 404, 'not_found')
})
