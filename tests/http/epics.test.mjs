// Epics: made, read with their stories, changed, put in order, deleted.
import { before, describe, test } from 'node:test'
import { assert, call, get, lit, ok, patch, pointers, post, randomUUID, refused, revision, rows, sql, state, tenant } from './lib.mjs'

const del = (path, options) => call('DELETE', path, options)
let t, epics
const create = (json, user = t.owner) => post(`${t.path}/epics`, { ...user, json })
const list = async (query = '') => (await ok(get(`${t.path}/epics${query}`, t.owner))).items

before(async () => {
	t = await tenant({ roles: ['member', 'viewer'], stories: 4 })
	epics = []
	for (const title of ['One', 'Two', 'Three']) epics.push(await ok(create({ title }), 201))
})

test('001-052: an epic is made behind the last, with a key of its own', async () => {
	assert.deepEqual((await list()).map(e => [e.key, e.title, e.status, e.priority]), [['E-1', 'One', 'draft', 'medium'], ['E-2', 'Two', 'draft', 'medium'], ['E-3', 'Three', 'draft', 'medium']])
	const [e] = rows(`SELECT action, entity_type FROM events WHERE entity_id = ${lit(epics[0].id)}`)
	assert.deepEqual(e, { action: 'created', entity_type: 'epic' })
	await refused(create({ title: 'x' }, t.viewer), 403, 'forbidden')
	for (const [json, pointer] of [[{ title: '' }, '/title'], [{}, '/title'], [{ title: 'x', status: 'open' }, '/status'], [{ title: 'x', priority: 'p1' }, '/priority'], [{ title: 'x', number: 9 }, '/number']])
		assert.deepEqual(pointers(await refused(create(json), 422, 'validation_failed')), [pointer])
})

test('001-053, 001-054: the list counts stories and points, the epic has its stories in one call', async () => {
	for (const [i, json] of [[0, { estimate: 3, status: 'done' }], [1, { estimate: 5 }], [2, {}]])
		await ok(patch(`${t.path}/stories/${t.stories[i].id}`, { ...t.owner, json: { version: 1, epicId: epics[0].id, ...json } }))
	const [one, two] = await list()
	assert.deepEqual([one.storyCount, one.doneCount, one.points, one.donePoints], [3, 1, 8, 3])
	assert.deepEqual([two.storyCount, two.doneCount, two.points, two.donePoints], [0, 0, 0, 0])
	for (const key of [epics[0].id, 'E-1', '1']) {
		const epic = await ok(get(`${t.path}/epics/${key}`, t.viewer))
		assert.equal(epic.title, 'One')
		assert.deepEqual(epic.totals, { storyCount: 3, doneCount: 1, points: 8, donePoints: 3 })
		assert.deepEqual(epic.stories.map(s => s.number), [2, 3, 1])
	}
	assert.deepEqual((await list('?status=active')), [])
	assert.deepEqual((await list('?q=tWo')).map(e => e.key), ['E-2'])
})

test('001-055: a change is sparse, a stale version refused with the current copy', async () => {
	const path = `${t.path}/epics/E-2`
	const changed = await ok(patch(path, { ...t.member, json: { version: 1, status: 'active' } }))
	assert.deepEqual([changed.title, changed.status, changed.version], ['Two', 'active', 2])
	const error = await refused(patch(path, { ...t.owner, json: { version: 1, title: 'Mine' } }), 409, 'version_conflict')
	assert.equal(error.details.current.status, 'active')
	assert.equal(error.details.current.version, 2)
	assert.deepEqual((await list('?status=active')).map(e => e.key), ['E-2'])
})

describe('001-057: epics are put in order', () => {
	const reorder = ids => patch(`${t.path}/epics/reorder`, { ...t.owner, json: { ids } })
	test('in one revision; versions stay', async () => {
		const [from, was] = [revision(t), (await list()).map(e => e.version)]
		await ok(reorder([epics[2].id, epics[0].id]))
		assert.deepEqual((await list()).map(e => e.key), ['E-3', 'E-2', 'E-1'])
		assert.equal(revision(t), from + 1)
		assert.deepEqual((await list()).map(e => e.version).sort(), was.sort())
	})
	test('of ten at once one order stands, and no two share a place', async () => {
		const more = await Promise.all(Array.from({ length: 7 }, (_, i) => ok(create({ title: `More ${i}` }), 201)))
		const all = [...epics, ...more].map(e => e.id)
		const wanted = Array.from({ length: 10 }, (_, i) => [...all.slice(i), ...all.slice(0, i)])
		for (const r of await Promise.all(wanted.map(reorder))) assert.equal(r.status, 200, r.text)
		const now = (await list()).map(e => e.id)
		assert.ok(wanted.some(w => w.join() === now.join()))
		assert.equal(sql(`SELECT count(DISTINCT position) FROM epics WHERE workspace_id = ${lit(t.id)}`), '10')
	})
	test('what is no epic here is refused, and nothing moves', async () => {
		const was = state(t)
		assert.deepEqual(pointers(await refused(reorder([epics[0].id, randomUUID()]), 422)), ['/ids/1'])
		assert.equal(state(t), was)
	})
})

test('001-056: a deleted epic is gone, its stories stay in none, with events', async () => {
	const from = revision(t)
	assert.equal((await del(`${t.path}/epics/E-1`, t.owner)).status, 204)
	assert.equal(revision(t), from + 2) // of the stories, and of the epic
	await refused(get(`${t.path}/epics/E-1`, t.owner), 404, 'not_found')
	await refused(del(`${t.path}/epics/E-1`, t.owner), 404, 'not_found')
	for (const i of [0, 1, 2]) assert.equal((await ok(get(`${t.path}/stories/${t.stories[i].id}`, t.owner))).epicId, null)
	const events = rows(`SELECT entity_type, action, changes FROM events WHERE workspace_id = ${lit(t.id)} AND scope_id = ${lit(t.project.id)} AND rev > ${from}`)
	assert.equal(events.filter(e => e.entity_type === 'story' && e.action === 'moved' && e.changes.epic_id[0] === epics[0].id).length, 3)
	assert.equal(events.filter(e => e.entity_type === 'epic' && e.action === 'deleted').length, 1)
	assert.equal(sql(`SELECT count(DISTINCT transaction) FROM events WHERE workspace_id = ${lit(t.id)} AND scope_id = ${lit(t.project.id)} AND rev > ${from}`), '1')
	const story = await ok(get(`${t.path}/stories/${t.stories[0].id}`, t.owner))
	assert.deepEqual(pointers(await refused(patch(`${t.path}/stories/${story.id}`, { ...t.owner, json: { version: story.version, epicId: epics[0].id } }), 422)), ['/epicId'])
})
