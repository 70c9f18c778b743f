// Labels, and filters saved under a name.
import { before, describe, test } from 'node:test'
import { assert, browser, call, get, lit, newKey, ok, patch, pointers, post, refused, revision, rows, session, sql, tenant, waiting } from './lib.mjs'

const del = (path, options) => call('DELETE', path, options)
let t
const label = (json, base = t.path, user = t.owner) => post(`${base}/labels`, { ...user, json })

before(async () => {
	t = await tenant({ roles: ['member', 'viewer'], stories: 3 })
})

describe('labels', () => {
	let bug, debt
	const story = i => `${t.path}/stories/${t.stories[i].id}`
	test('are of a project or of the workspace, each name once', async () => {
		bug = await ok(label({ name: 'Bug', colour: 'red' }), 201)
		debt = await ok(label({ name: 'Debt' }, t.base), 201)
		assert.deepEqual([bug.projectId, debt.projectId, debt.colour], [t.project.id, null, 'grey'])
		assert.deepEqual((await ok(get(`${t.path}/labels`, t.viewer))).items.map(l => l.name), ['Bug', 'Debt'])
		assert.deepEqual((await ok(get(`${t.base}/labels`, t.viewer))).items.map(l => l.name), ['Debt'])
		await refused(label({ name: 'bUG' }), 409, 'conflict')
		assert.deepEqual(pointers(await refused(label({ name: 'x', colour: 'pink' }), 422)), ['/colour'])
		await refused(label({ name: 'x' }, t.path, t.viewer), 403, 'forbidden')
	})
	test('are set on a story with its version, and are history', async () => {
		const from = revision(t)
		const set = await ok(patch(story(0), { ...t.owner, json: { version: 1, labelIds: [debt.id, bug.id] } }))
		assert.deepEqual(set.labels, [{ id: bug.id, name: 'Bug', colour: 'red' }, { id: debt.id, name: 'Debt', colour: 'grey' }])
		assert.equal(set.version, 2)
		const [e] = rows(`SELECT action, changes FROM events WHERE entity_id = ${lit(t.stories[0].id)} AND rev > ${from}`)
		assert.deepEqual(e, { action: 'updated', changes: { label_ids: [[], [bug.id, debt.id].sort()] } })
		await refused(patch(story(0), { ...t.owner, json: { version: 1, labelIds: [] } }), 409, 'version_conflict')
		assert.deepEqual((await ok(get(`${t.path}/stories?labelId=${bug.id}`, t.owner))).items.map(s => s.number), [1])
		const board = await ok(get(`${t.path}/board`, t.owner))
		assert.deepEqual(board.labels.map(l => l.name), ['Bug', 'Debt'])
		assert.equal(board.columns[0].stories[0].labelIds.length, 2)
	})
	test('of another project are refused', async () => {
		const other = await ok(post(`${t.base}/projects`, { ...t.owner, json: { key: newKey(), name: 'Other' } }), 201)
		const theirs = await ok(label({ name: 'Theirs' }, `/api/v1/projects/${other.id}`), 201)
		assert.deepEqual(pointers(await refused(patch(story(1), { ...t.owner, json: { version: 1, labelIds: [theirs.id] } }), 422)), ['/labelIds'])
	})
	test('renamed, they are a change of the board', async () => {
		const was = await get(`${t.path}/board`, t.owner)
		for (const l of [bug, debt]) {
			await ok(patch(`${t.path}/labels/${l.id}`, { ...t.owner, json: { version: 1, name: `${l.name}s` } }))
			await refused(patch(`${t.path}/labels/${l.id}`, { ...t.owner, json: { version: 1, name: 'x' } }), 409, 'version_conflict')
			assert.equal((await get(`${t.path}/board`, { ...t.owner, headers: { 'If-None-Match': was.headers.etag } })).status, 200)
		}
	})
	test('deleted, they leave every story', async () => {
		assert.equal((await del(`${t.path}/labels/${bug.id}`, t.owner)).status, 204)
		assert.deepEqual((await ok(get(story(0), t.owner))).labels.map(l => l.name), ['Debts'])
		assert.deepEqual((await ok(get(`${t.path}/stories?labelId=${bug.id}`, t.owner))).items, [])
		await refused(del(`${t.path}/labels/${bug.id}`, t.owner), 404, 'not_found')
		await ok(label({ name: 'Bugs' }), 201) // the name is free again
	})
})

describe('saved filters', () => {
	const save = (json, user = t.owner) => post(`${t.path}/filters`, { ...user, json: { list: 'stories', name: 'Mine', query: 'status=done', ...json } })
	const names = async user => (await ok(get(`${t.path}/filters`, user))).items.map(f => f.name)
	let mine
	test('are kept as the list takes them', async () => {
		mine = await ok(save({ query: 'status=done,review&q=a+b&cursor=x&limit=5&epicId=' }), 201)
		assert.equal(mine.query, 'status=done,review&q=a%20b')
		await ok(get(`${t.path}/stories?${mine.query}`, t.owner))
	})
	for (const query of ['status=open', 'nothing=1', 'assigneeId=me', 'dueBefore=soon', 'q=%zz', 'cursor=x', '&&', 'order=random', 'status=done; DROP TABLE stories'])
		test(`${query} is no query of the list`, async () => {
			assert.deepEqual(pointers(await refused(save({ name: 'Wrong', query }), 422, 'validation_failed')), ['/query'])
		})
	test('one list takes what another does not', async () => {
		await refused(save({ name: 'Due', list: 'board', query: 'dueBefore=2026-12-01' }), 422)
		await ok(save({ name: 'Due', list: 'stories', query: 'dueBefore=2026-12-01' }), 201)
	})
	test('are their owner\'s until shared', async () => {
		assert.deepEqual(await names(t.member), [])
		await ok(patch(`${t.path}/filters/${mine.id}`, { ...t.owner, json: { version: 1, isShared: true } }))
		assert.deepEqual(await names(t.member), ['Mine'])
		await refused(patch(`${t.path}/filters/${mine.id}`, { ...t.member, json: { version: 2, name: 'Theirs' } }), 404, 'not_found')
		await refused(del(`${t.path}/filters/${mine.id}`, t.member), 404, 'not_found')
		await refused(save({ name: 'mine' }), 409, 'conflict')
	})
	test('for all projects show in each, one project\'s only there', async () => {
		await ok(save({ name: 'Everywhere', isForAllProjects: true }), 201)
		const other = await ok(post(`${t.base}/projects`, { ...t.owner, json: { key: newKey(), name: 'Third' } }), 201)
		assert.deepEqual((await ok(get(`/api/v1/projects/${other.id}/filters`, t.owner))).items.map(f => f.name), ['Everywhere'])
	})
	test('stand above their list', async () => {
		const page = await get(`/w/${t.slug}/p/${t.project.key}/stories`, { cookie: await browser(t.owner) })
		assert.match(page.text, /href="[^"]+\/stories\?status=done,review&amp;q=a%20b">Mine/)
	})
	test('deleted, they are gone', async () => {
		assert.equal((await del(`${t.path}/filters/${mine.id}`, t.owner)).status, 204)
		assert.ok(!(await names(t.owner)).includes('Mine'))
	})
})

describe('a label of the workspace', () => {
	let wide
	before(async () => {
		wide = await ok(label({ name: 'Wide' }, t.base), 201)
	})
	test('is shaped by its members, not by who is one of a project only', async () => {
		sql(`INSERT INTO project_members (workspace_id, project_id, user_id, role) VALUES (${lit(t.id)}, ${lit(t.project.id)}, ${lit(t.viewer.id)}, 'member')`)
		await ok(label({ name: 'Of the project' }, t.path, t.viewer), 201)
		await refused(patch(`${t.path}/labels/${wide.id}`, { ...t.viewer, json: { version: 1, name: 'Mine' } }), 403, 'forbidden')
		await refused(del(`${t.path}/labels/${wide.id}`, t.viewer), 403, 'forbidden')
	})
	test('is taken off what its deleter does not see, too', async () => {
		const own = await ok(post(`${t.base}/projects`, { ...t.owner, json: { key: newKey(), name: 'Private' } }), 201)
		const hidden = await ok(post(`/api/v1/projects/${own.id}/stories`, { ...t.owner, json: { title: 'Secret', labelIds: [wide.id] } }), 201)
		sql(`UPDATE projects SET is_private = true WHERE id = ${lit(own.id)}`)
		await refused(get(`/api/v1/projects/${own.id}/stories`, t.member), 404)
		assert.equal((await del(`${t.path}/labels/${wide.id}`, t.member)).status, 204)
		assert.deepEqual((await ok(get(`/api/v1/projects/${own.id}/stories/${hidden.id}`, t.owner))).labels, [])
	})
	test('that somebody deletes is given to nobody meanwhile', async () => {
		const late = await ok(label({ name: 'Late' }), 201)
		const deleting = session()
		await deleting.say(`BEGIN; UPDATE labels SET deleted_at = now() WHERE id = ${lit(late.id)};`)
		const made = post(`${t.path}/stories`, { ...t.owner, json: { title: 'Late', labelIds: [late.id] } })
		await waiting('INTO stories')
		await deleting.say('COMMIT;')
		deleting.end()
		assert.deepEqual(pointers(await refused(made, 422)), ['/labelIds'])
		const other = await ok(label({ name: 'Other' }), 201)
		const giving = session() // and the other way round
		await giving.say(`BEGIN; UPDATE stories SET label_ids = ARRAY[${lit(other.id)}::uuid] WHERE id = ${lit(t.stories[2].id)};`)
		const gone = del(`${t.path}/labels/${other.id}`, t.owner)
		await waiting('delete_label')
		await giving.say('COMMIT;')
		giving.end()
		assert.equal((await gone).status, 204)
		assert.deepEqual((await ok(get(`${t.path}/stories/${t.stories[2].id}`, t.owner))).labels, [])
	})
})
