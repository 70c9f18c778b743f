// Objectives, key results and check-ins (requirements 000-051, 000-056, U30).
import { before, describe, test } from 'node:test'
import { assert, call, get, lit, newKey, ok, patch, post, refused, rows, session, sql, sqlRefused, tenant, waiting } from './lib.mjs'

let t
const frame = { startDate: '2026-10-01', endDate: '2026-12-31' }
const make = async (json = {}, who = t.member) => {
	const made = await ok(post(`${t.base}/objectives`, { ...who, json: { title: 'Orders arrive on time', ...frame, ...json } }), 201)
	return { ...made, path: `${t.base}/objectives/${made.key}` }
}
const measure = (o, json, who = t.member) => ok(post(`${o.path}/key-results`, { ...who, json: { title: 'K', startValue: 0, targetValue: 100, ...json } }), 201)
const checkIn = (o, k, value, more = {}, who = t.member) =>
	ok(post(`${o.path}/key-results/${k.id}/check-ins`, { ...who, json: { value, confidence: 70, ...more } }), 201)
const close = (a, b) => assert.ok(Math.abs(a - b) < 1e-9, `${a} is not ${b}`)

before(async () => {
	t = await tenant({ roles: ['member', 'viewer'] })
})

describe('000-051: objectives', () => {
	test('are made, read by id and key, listed, changed and deleted', async () => {
		const o = await make({ description: 'Why', ownerId: t.viewer.id, status: 'at_risk', projectId: t.project.id })
		assert.deepEqual([o.key, o.description, o.owner.id, o.status, o.project.key, o.startDate, o.progressShare, o.keyResultCount],
			[`O-${o.number}`, 'Why', t.viewer.id, 'at_risk', t.project.key, '2026-10-01', null, 0])
		assert.deepEqual(await ok(get(`${t.base}/objectives/${o.id}`, t.viewer)), await ok(get(o.path, t.viewer)))
		const changed = await ok(patch(o.path, { ...t.member, json: { version: 1, status: 'on_track', ownerId: null, endDate: '2027-03-31' } }))
		assert.deepEqual([changed.status, changed.owner, changed.endDate, changed.title, changed.version], ['on_track', null, '2027-03-31', o.title, 2])
		const error = await refused(patch(o.path, { ...t.member, json: { version: 1, title: 'Late' } }), 409, 'version_conflict')
		assert.deepEqual(error.details.current, changed)
		assert.ok((await ok(get(`${t.base}/objectives`, t.viewer))).items.some(x => x.id === o.id))
		assert.equal((await call('DELETE', o.path, t.member)).status, 204)
		await refused(get(o.path, t.viewer), 404, 'not_found')
		await refused(get(`${o.path}/key-results`, t.viewer), 404, 'not_found')
		assert.ok(!(await ok(get(`${t.base}/objectives`, t.viewer))).items.some(x => x.id === o.id))
	})
	test('are filtered by status, owner, project and words, and ordered by their end', async () => {
		const a = await make({ title: 'Filter alpha', status: 'off_track', ownerId: t.owner.id, endDate: '2026-10-31' })
		const b = await make({ title: 'Filter beta', status: 'done', projectId: t.project.id, endDate: '2026-11-30' })
		const keys = async query => (await ok(get(`${t.base}/objectives?q=filter&${query}`, t.viewer))).items.map(o => o.key)
		assert.deepEqual(await keys(''), [b.key, a.key])
		assert.deepEqual(await keys('order=ends'), [a.key, b.key])
		assert.deepEqual(await keys('status=off_track'), [a.key])
		assert.deepEqual(await keys('status=off_track,done'), [b.key, a.key])
		assert.deepEqual(await keys(`ownerId=${t.owner.id}`), [a.key])
		assert.deepEqual(await keys(`projectId=${t.project.id}`), [b.key])
		assert.deepEqual(await keys('status=cancelled'), [])
	})
	const wrong = [
		[{ endDate: '2026-09-30' }, 'ends before it starts'],
		[{ ownerId: '00000000-0000-4000-8000-000000000000' }, 'its owner is no member'],
		[{ teamId: '00000000-0000-4000-8000-000000000000' }, 'its team is none'],
		[{ projectId: '00000000-0000-4000-8000-000000000000' }, 'its project is none'],
		[{ title: '' }, 'it has no title'],
		[{ status: 'fine' }, 'its status is none'],
	]
	for (const [json, why] of wrong)
		test(`are refused when ${why}`, () => refused(post(`${t.base}/objectives`, { ...t.member, json: { title: 'x', ...frame, ...json } }), 422, 'validation_failed'))
	test('need a member to write, a viewer to read', async () => {
		await refused(post(`${t.base}/objectives`, { ...t.viewer, json: { title: 'x', ...frame } }), 403, 'forbidden')
		await ok(get(`${t.base}/objectives`, t.viewer))
	})
	test('of a private project are there for its members only', async () => {
		const p = await ok(post(`${t.base}/projects`, { ...t.owner, json: { key: newKey(), name: 'Private' } }), 201)
		sql(`UPDATE projects SET is_private = true WHERE id = ${lit(p.id)}`)
		const o = await make({ projectId: p.id, title: 'Secret aim' }, t.owner)
		const k = await measure(o, {}, t.owner)
		await checkIn(o, k, 5, {}, t.owner)
		for (const path of [o.path, `${o.path}/key-results`, `${o.path}/key-results/${k.id}/check-ins`, `${o.path}/comments`])
			await refused(get(path, t.member), 404, 'not_found')
		await refused(post(`${t.base}/objectives`, { ...t.member, json: { title: 'x', ...frame, projectId: p.id } }), 422, 'validation_failed')
		assert.ok(!(await get(`${t.base}/objectives?limit=200`, t.member)).text.includes('Secret aim'))
		assert.equal((await ok(get(o.path, t.owner))).keyResultCount, 1)
	})
})

describe('000-051: key results', () => {
	test('are made, listed, changed and deleted', async () => {
		const o = await make()
		const k = await measure(o, { title: 'Late orders', unit: '%', startValue: 12, targetValue: 4, weight: 3 })
		assert.deepEqual([k.direction, k.currentValue, k.progressShare, k.confidence, k.checkedInAt], ['decrease', 12, 0, null, null])
		const one = `${o.path}/key-results/${k.id}`
		const changed = await ok(patch(one, { ...t.member, json: { version: 1, targetValue: 20, title: 'More orders' } }))
		assert.deepEqual([changed.direction, changed.targetValue, changed.startValue, changed.version], ['increase', 20, 12, 2])
		const error = await refused(patch(one, { ...t.member, json: { version: 1, title: 'x' } }), 409, 'version_conflict')
		assert.deepEqual(error.details.current, changed)
		assert.deepEqual((await ok(get(`${o.path}/key-results`, t.viewer))).items, [changed])
		assert.equal((await call('DELETE', one, t.member)).status, 204)
		assert.deepEqual((await ok(get(`${o.path}/key-results`, t.viewer))).items, [])
		await refused(post(`${one}/check-ins`, { ...t.member, json: { value: 1, confidence: 1 } }), 404, 'not_found')
	})
	test('go from a start to another place', async () => {
		const o = await make()
		await refused(post(`${o.path}/key-results`, { ...t.member, json: { title: 'K', startValue: 5, targetValue: 5 } }), 422, 'validation_failed')
		await refused(post(`${o.path}/key-results`, { ...t.member, json: { title: 'K', startValue: 5, targetValue: 1e300 } }), 422, 'validation_failed')
		const k = await measure(o, {})
		await refused(patch(`${o.path}/key-results/${k.id}`, { ...t.member, json: { version: 1, targetValue: 0 } }), 422, 'validation_failed')
	})
	test('current is said by a check-in only', async () => {
		const o = await make()
		const k = await measure(o, {})
		await refused(patch(`${o.path}/key-results/${k.id}`, { ...t.member, json: { version: 1, currentValue: 9 } }), 422, 'validation_failed')
	})
})

describe('000-051: check-ins', () => {
	test('are listed newest first, and the key result follows the last', async () => {
		const o = await make()
		const k = await measure(o, {})
		for (const [value, confidence] of [[10, 80], [5, 60], [30, 40]]) await checkIn(o, k, value, { confidence, note: `At ${value}` })
		const list = (await ok(get(`${o.path}/key-results/${k.id}/check-ins`, t.viewer))).items
		assert.deepEqual(list.map(c => [c.value, c.confidence, c.note, c.author.id]), [[30, 40, 'At 30', t.member.id], [5, 60, 'At 5', t.member.id], [10, 80, 'At 10', t.member.id]])
		const [now] = (await ok(get(`${o.path}/key-results`, t.viewer))).items
		assert.deepEqual([now.currentValue, now.confidence, now.checkedInAt], [30, 40, list[0].createdAt])
	})
	test('that come late do not undo a later one', async () => {
		const o = await make()
		const k = await measure(o, {})
		await checkIn(o, k, 50)
		sql(`INSERT INTO check_ins (workspace_id, key_result_id, value, confidence, author_id, created_at)
		     VALUES (${lit(t.id)}, ${lit(k.id)}, 1, 50, ${lit(t.owner.id)}, now() - interval '1 day')`)
		assert.equal((await ok(get(`${o.path}/key-results`, t.viewer))).items[0].currentValue, 50)
	})
	test('are never changed or removed', () => {
		for (const role of ['gnomon_web', 'gnomon_worker'])
			for (const text of ['UPDATE check_ins SET value = 1', 'DELETE FROM check_ins']) assert.match(sqlRefused(text, role), /permission denied/)
	})
	for (const json of [{ value: 1 }, { confidence: 50 }, { value: 1, confidence: 101 }, { value: 1, confidence: -1 }, { value: 'x', confidence: 5 }, { value: 1, confidence: 5, note: 'x'.repeat(2001) }])
		test(`refuse ${JSON.stringify(json).slice(0, 40)}`, async () => {
			const o = await make()
			const k = await measure(o, {})
			await refused(post(`${o.path}/key-results/${k.id}/check-ins`, { ...t.member, json }), 422, 'validation_failed')
		})
})

describe('000-056: progress is what hand computation says', () => {
	test('the mean of the key results by their weights', async () => {
		const o = await make()
		const a = await measure(o, { startValue: 0, targetValue: 200, weight: 1 })
		const b = await measure(o, { startValue: 12, targetValue: 4, weight: 3 })
		const c = await measure(o, { startValue: -10, targetValue: 10, weight: 2 })
		await checkIn(o, a, 50) // 0.25
		await checkIn(o, b, 6) // 0.75
		await checkIn(o, c, -20) // worse than the start: 0
		close((await ok(get(o.path, t.viewer))).progressShare, (0.25 * 1 + 0.75 * 3 + 0 * 2) / 6)
		await checkIn(o, c, 15) // beyond the target: 1
		close((await ok(get(o.path, t.viewer))).progressShare, (0.25 + 2.25 + 2) / 6)
		await call('DELETE', `${o.path}/key-results/${c.id}`, t.member)
		close((await ok(get(o.path, t.viewer))).progressShare, (0.25 + 2.25) / 4)
	})
	test('what is expected is the share of the days that are over, today included', () => {
		const at = day => Number(sql(`SELECT gnomon.elapsed('2026-10-01', '2026-10-10', ${lit(day)})`))
		assert.deepEqual(['2026-09-01', '2026-09-30', '2026-10-01', '2026-10-05', '2026-10-10', '2026-11-01'].map(at), [0, 0, 0.1, 0.5, 1, 1])
	})
})

test('agents read objectives, key results and check-ins as they were', async () => {
	const o = await make({ title: 'Then' })
	const k = await measure(o, {})
	await checkIn(o, k, 10)
	const then = sql('SELECT clock_timestamp()')
	await checkIn(o, k, 60)
	await ok(patch(o.path, { ...t.member, json: { version: 1, title: 'Now', status: 'off_track' } }))
	const seen = JSON.parse(sql(`BEGIN; SELECT set_config('gnomon.workspace', ${lit(t.id)}, true), set_config('gnomon.as_of', ${lit(then)}, true) \\g /dev/null
		SELECT json_build_object('o', (SELECT json_build_array(title, status) FROM asof.objectives WHERE id = ${lit(o.id)}),
		  'k', (SELECT current_value FROM asof.key_results WHERE id = ${lit(k.id)}),
		  'n', (SELECT count(*) FROM asof.check_ins WHERE key_result_id = ${lit(k.id)})); COMMIT`, 'gnomon_worker'))
	assert.deepEqual(seen, { o: ['Then', 'on_track'], k: 10, n: 1 })
	const events = rows(`SELECT entity_type, action FROM events WHERE workspace_id = ${lit(t.id)} AND scope_id = ${lit(t.id)} AND entity_id IN (${lit(o.id)}, ${lit(k.id)}) ORDER BY rev`)
	assert.deepEqual(events.map(e => `${e.entity_type} ${e.action}`),
		['objective created', 'key_result created', 'key_result updated', 'key_result updated', 'objective moved'])
})

test('a check-in that waited for a later one does not take its place', async () => {
	const o = await make()
	const k = await measure(o, {})
	const later = session()
	await later.say(`BEGIN; INSERT INTO check_ins (workspace_id, objective_id, key_result_id, value, confidence, author_id, created_at)
	                 VALUES (${lit(t.id)}, ${lit(o.id)}, ${lit(k.id)}, 20, 50, ${lit(t.owner.id)}, clock_timestamp() + interval '1 second');`)
	const mine = checkIn(o, k, 10)
	await waiting('check_ins')
	await later.say('COMMIT;')
	later.end()
	await mine
	assert.equal((await ok(get(`${o.path}/key-results`, t.owner))).items[0].currentValue, 20)
})
