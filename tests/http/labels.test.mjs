// Labels, and filters saved under a name.
import { before, describe, test } from 'node:test'
import { assert, browser, call, get, lit, newKey, ok, patch, pointers, post, refused, revision, rows, tenant } from './lib.mjs'

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
