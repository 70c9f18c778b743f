// Dependencies: what waits for what, and never for itself.
import { before, describe, test } from 'node:test'
import { assert, call, get, lit, ok, patch, pointers, post, randomUUID, refused, session, sql, state, tenant } from './lib.mjs'

const del = (path, options) => call('DELETE', path, options)
let t
const key = n => `${t.project.key}-${n}`
const add = (sourceId, targetId, dependencyType = 'requires', user = t.owner) =>
	post(`${t.path}/dependencies`, { ...user, json: { sourceId, targetId, dependencyType } })
/** The circle a refusal names. */
const circle = async reply => {
	const error = await refused(reply, 422, 'validation_failed')
	assert.deepEqual(pointers(error), ['/targetId'])
	const found = /^This would make a circle: (.+)\.$/.exec(error.details.errors[0].message)
	assert.ok(found, error.details.errors[0].message)
	return found[1].split(' → ')
}

before(async () => {
	t = await tenant({ roles: ['member', 'viewer'], stories: 12 })
})

describe('001-079, 001-028: a dependency', () => {
	test('is made by ids or keys, either way round', async () => {
		const d = await ok(add(key(1), key(2)), 201)
		assert.deepEqual([d.dependencyType, d.source.key, d.target.key, d.source.isDone], ['requires', key(1), key(2), false])
		await ok(add(t.stories[2].id, t.stories[1].id, 'blocks'), 201) // 2 waits for 3
		await refused(add(key(1), key(2)), 409, 'conflict')
		await refused(add(key(2), key(1), 'blocks'), 409, 'conflict') // says the same
		await refused(add(key(1), key(3), 'requires', t.viewer), 403, 'forbidden')
	})
	test('that closes a circle is refused with the path', async () => {
		const was = state(t)
		assert.deepEqual(await circle(add(key(2), key(1))), [key(2), key(1), key(2)])
		assert.deepEqual(await circle(add(key(3), key(1))), [key(3), key(1), key(2), key(3)])
		assert.deepEqual(await circle(add(key(1), key(3), 'blocks')), [key(3), key(1), key(2), key(3)])
		assert.equal(state(t), was)
	})
	test('of nothing, of itself, of another project is refused by name', async () => {
		const u = await tenant({ stories: 1 })
		for (const [s, g, pointer] of [[key(1), key(999), '/targetId'], [randomUUID(), key(1), '/sourceId'], [key(1), key(1), '/targetId'], [key(1), u.stories[0].id, '/targetId'], ['x', key(1), '/sourceId']])
			assert.deepEqual(pointers(await refused(add(s, g), 422, 'validation_failed')), [pointer])
	})
	test('of epics counts for their stories', async () => {
		const [a, b] = await Promise.all(['A', 'B'].map(title => ok(post(`${t.path}/epics`, { ...t.owner, json: { title } }), 201)))
		for (const [n, epic] of [[4, a], [5, b]]) await ok(patch(`${t.path}/stories/${key(n)}`, { ...t.owner, json: { version: 1, epicId: epic.id } }))
		assert.ok((await circle(add(key(4), a.key))).includes(key(4))) // a story for its own epic
		await ok(add(a.key, b.key), 201)
		const path = await circle(add(key(5), key(4))) // 5 is in B, for which 4's epic waits
		assert.deepEqual([path[0], path.at(-1)], [key(5), key(5)])
		assert.ok(path.includes(key(4)))
		await ok(add(key(6), a.key), 201)
		await circle(add(b.key, key(6)))
	})
	test('of two that make a circle together, sent at once, one is made', async () => {
		for (let round = 0; round < 5; round++) {
			const replies = await Promise.all([add(key(7), key(8)), add(key(8), key(7), 'requires', t.member)])
			assert.deepEqual(replies.map(r => r.status).sort(), [201, 422])
			await del(`${t.path}/dependencies/${replies.find(r => r.status === 201).json.id}`, t.owner)
		}
	})
	test('that waited for another sees it', async () => {
		const s = session()
		await s.say(`BEGIN; INSERT INTO dependencies (workspace_id, project_id, source_id, target_id, dependency_type)
			VALUES (${lit(t.id)}, ${lit(t.project.id)}, ${lit(t.stories[8].id)}, ${lit(t.stories[9].id)}, 'requires');`)
		const mine = add(key(10), key(9))
		await new Promise(r => setTimeout(r, 300))
		await s.say('COMMIT;')
		s.end()
		assert.deepEqual(await circle(mine), [key(10), key(9), key(10)])
	})
	test('of a ladder with many ways is found as quickly', async () => {
		const u = await tenant({ stories: 0 })
		sql(`INSERT INTO stories (workspace_id, project_id, title) SELECT ${lit(u.id)}, ${lit(u.project.id)}, 'S' || g FROM generate_series(1, 60) g;
		     INSERT INTO dependencies (workspace_id, project_id, source_id, target_id, dependency_type)
		     SELECT a.workspace_id, a.project_id, a.id, b.id, 'requires' FROM stories a JOIN stories b ON b.workspace_id = a.workspace_id AND (b.number + 1) / 2 = (a.number + 1) / 2 + 1
		      WHERE a.workspace_id = ${lit(u.id)}`)
		const begun = Date.now()
		await refused(post(`${u.path}/dependencies`, { ...u.owner, json: { sourceId: `${u.project.key}-60`, targetId: `${u.project.key}-1`, dependencyType: 'requires' } }), 422)
		assert.ok(Date.now() - begun < 3000, `${Date.now() - begun} ms`)
	})
})

test('001-080: the list has both directions', async () => {
	const of = async (n, query = '') => (await ok(get(`${t.path}/dependencies?of=${t.stories[n - 1].id}${query}`, t.viewer))).items.map(d => [d.source.key, d.dependencyType, d.target.key])
	assert.deepEqual(await of(2), [[key(1), 'requires', key(2)], [key(3), 'blocks', key(2)]])
	assert.deepEqual(await of(2, '&type=blocks'), [[key(3), 'blocks', key(2)]])
	assert.ok((await ok(get(`${t.path}/dependencies`, t.owner))).items.length >= 5)
})

test('001-081: a removed dependency is gone, and what it forbade is possible', async () => {
	const [first] = (await ok(get(`${t.path}/dependencies?of=${t.stories[0].id}`, t.owner))).items
	assert.equal((await del(`${t.path}/dependencies/${first.id}`, t.owner)).status, 204)
	await refused(del(`${t.path}/dependencies/${first.id}`, t.owner), 404, 'not_found')
	assert.equal(sql(`SELECT count(*) FROM dependencies WHERE id = ${lit(first.id)} AND removed_at IS NOT NULL`), '1')
	await ok(add(key(2), key(1)), 201)
})

describe('no circle comes about', () => {
	let u, made
	const said = error => error.details.errors.map(e => `${e.pointer}: ${e.message}`)
	const one = n => ok(get(`${u.path}/stories/${u.project.key}-${n}`, u.owner))
	const waits = (sourceId, targetId, user = u.owner) => post(`${u.path}/dependencies`, { ...user, json: { sourceId, targetId, dependencyType: 'requires' } })
	const join = async (n, epic) => patch(`${u.path}/stories/${u.project.key}-${n}`, { ...u.owner, json: { version: (await one(n)).version, epicId: epic } })
	before(async () => {
		u = await tenant({ stories: 8 })
		made = await Promise.all(['A', 'B'].map(title => ok(post(`${u.path}/epics`, { ...u.owner, json: { title } }), 201)))
	})
	test('by an epic that a story joins later: it waits for the epic, or the epic for it', async () => {
		const k = n => `${u.project.key}-${n}`
		const [a, b] = made
		await ok(waits(k(1), a.key), 201)
		const was = state(u)
		const way = [`/epicId: This would make a circle: ${a.key} → ${k(1)} → ${a.key}.`]
		assert.deepEqual(said(await refused(join(1, a.id), 422)), way)
		assert.deepEqual(said(await refused(patch(`${u.path}/stories/${k(1)}/move`, { ...u.owner, json: { version: 1, epicId: a.id } }), 422)), way)
		assert.deepEqual(said(await refused(patch(`${u.path}/stories`, { ...u.owner, json: { ids: [u.stories[0].id, u.stories[4].id], epicId: a.id } }), 422)), way)
		assert.equal(state(u), was)
		await ok(join(5, a.id))
		await ok(waits(b.key, k(2)), 201) // and 2 waits for 3
		await ok(waits(k(2), k(3)), 201)
		assert.deepEqual(said(await refused(join(3, b.id), 422)), [`/epicId: This would make a circle: ${k(3)} → ${b.key} → ${k(2)} → ${k(3)}.`])
	})
	test('by a story that joins while the dependency is made', async () => {
		for (let i = 0; i < 6; i++) {
			const { id, number } = await ok(post(`${u.path}/stories`, { ...u.owner, json: { title: 'Race' } }), 201)
			const codes = (await Promise.all([waits(id, made[1].id), join(number, made[1].id)])).map(r => r.status)
			assert.ok(codes.includes(422), String(codes))
		}
	})
	test('and none is seen in what was deleted', async () => {
		const [x, y, z] = u.stories.slice(5)
		await ok(waits(x.id, y.id), 201)
		await ok(waits(y.id, z.id), 201)
		await refused(waits(z.id, x.id), 422)
		assert.equal((await del(`${u.path}/stories/${y.id}`, u.owner)).status, 204)
		await ok(waits(z.id, x.id), 201)
	})
})
