// Sprints: planned, started, changed, completed; and what a completed one says
// from then on, whatever happens to its stories.
import { createHash } from 'node:crypto'
import { before, describe, test } from 'node:test'
import { assert, browser, call, get, join, lit, newUser, ok, patch, pointers, post, randomUUID, refused, rows, session, sql, tenant, waiting } from './lib.mjs'

const day = n => new Date(Date.now() + n * 86400000).toISOString().slice(0, 10)
const del = (path, user) => call('DELETE', path, user)
const make = (t, json = {}) => ok(post(`${t.path}/sprints`, { ...t.owner, json: { name: 'Sprint', startDate: day(0), endDate: day(11), ...json } }), 201)
const story = (t, json = {}) => ok(post(`${t.path}/stories`, { ...t.owner, json: { title: 'Something', estimate: 3, ...json } }), 201)
const add = (t, sprint, ...stories) => post(`${t.path}/sprints/${sprint.id}/items`, { ...t.owner, json: { storyIds: stories.map(s => s.id) } })
const start = (t, sprint, user = t.owner) => post(`${t.path}/sprints/${sprint.id}/start`, { ...user, json: { version: sprint.version } })
const complete = (t, sprint, json = {}, user = t.owner) => post(`${t.path}/sprints/${sprint.id}/complete`, { ...user, json: { version: sprint.version, ...json } })
const move = async (t, s, json) => {
	const { version } = await ok(get(`${t.path}/stories/${s.id}`, t.owner))
	return ok(patch(`${t.path}/stories/${s.id}`, { ...t.owner, json: { version, ...json } }))
}
const detail = (t, sprint) => ok(get(`${t.path}/sprints/${sprint.id}`, t.owner))
const metrics = (t, sprint) => ok(get(`${t.path}/sprints/${sprint.id}/metrics`, t.owner))
const sentence = error => error.details.errors.map(e => e.message).join(' ')

describe('planning', () => {
	let t
	before(async () => {
		t = await tenant({ roles: ['member'], stories: 0 })
	})
	test('001-070: 201, and an end before the start is 422', async () => {
		const made = await make(t, { name: 'First', goal: 'Get going', capacity: { [t.owner.id]: 12 } })
		assert.equal(made.status, 'planning')
		assert.equal(made.goal, 'Get going')
		assert.deepEqual(made.capacity, { [t.owner.id]: 12 })
		const error = await refused(post(`${t.path}/sprints`, { ...t.owner, json: { name: 'x', startDate: '2026-03-10', endDate: '2026-03-09' } }), 422, 'validation_failed')
		assert.match(sentence(error), /end on or after the day it begins/)
		assert.deepEqual(pointers(await refused(post(`${t.path}/sprints`, { ...t.owner, json: { name: 'x', startDate: '2026-02-30' } }), 422, 'validation_failed')), ['/startDate'])
	})
	test('without dates it follows the latest one, as long, on a working day', async () => {
		const u = await tenant({ stories: 0 })
		await make(u, { name: 'Sprint 7', startDate: '2026-12-07', endDate: '2026-12-18', capacity: { [u.owner.id]: 5 } }) // ends on a Friday
		const next = await ok(post(`${u.path}/sprints`, { ...u.owner, json: { name: 'Sprint 8' } }), 201)
		assert.deepEqual([next.startDate, next.endDate], ['2026-12-21', '2027-01-01'])
		assert.deepEqual(next.capacity, { [u.owner.id]: 5 })
	})
	test('001-074: goal, dates and capacity change; a stale version is refused with the current copy', async () => {
		const made = await make(t, { name: 'Second', startDate: '2026-12-01', endDate: '2026-12-11' })
		const path = `${t.path}/sprints/${made.id}`
		const changed = await ok(patch(path, { ...t.owner, json: { version: 1, goal: 'Ship it', startDate: '2026-12-02', endDate: '2026-12-15', capacity: { [t.member.id]: 8.5 } } }))
		assert.deepEqual([changed.goal, changed.startDate, changed.endDate, changed.capacity, changed.version], ['Ship it', '2026-12-02', '2026-12-15', { [t.member.id]: 8.5 }, 2])
		const stale = await refused(patch(path, { ...t.member, json: { version: 1, goal: 'Mine' } }), 409, 'version_conflict')
		assert.deepEqual(stale.details.current, changed)
		await refused(patch(path, { ...t.owner, json: { version: 2, endDate: '2026-12-01' } }), 422, 'validation_failed')
		for (const capacity of [{ [t.owner.id]: -1 }, { [t.owner.id]: 1001 }, { nobody: 3 }, { [t.owner.id]: 'x' }])
			await refused(patch(path, { ...t.owner, json: { version: 2, capacity } }), 422, 'validation_failed')
		const stranger = await newUser()
		assert.match(sentence(await refused(patch(path, { ...t.owner, json: { version: 2, capacity: { [stranger.id]: 3 } } }), 422, 'validation_failed')), /members of this workspace/)
		assert.equal((await ok(get(path, t.owner))).version, 2)
	})
	test('001-071: the list is by date, and filters by status', async () => {
		const u = await tenant({ stories: 0 })
		for (const [name, startDate, endDate] of [['B', '2026-12-14', '2026-12-18'], ['A', '2026-12-07', '2026-12-11'], ['C', '2026-12-21', '2026-12-24']]) await make(u, { name, startDate, endDate })
		assert.deepEqual((await ok(get(`${u.path}/sprints`, u.owner))).items.map(s => s.name), ['C', 'B', 'A'])
		assert.deepEqual((await ok(get(`${u.path}/sprints?order=earliest`, u.owner))).items.map(s => s.name), ['A', 'B', 'C'])
		assert.deepEqual((await ok(get(`${u.path}/sprints?status=active`, u.owner))).items, [])
		const first = await ok(get(`${u.path}/sprints?limit=2`, u.owner))
		assert.deepEqual((await ok(get(`${u.path}/sprints?limit=2&cursor=${encodeURIComponent(first.next)}`, u.owner))).items.map(s => s.name), ['A'])
		assert.deepEqual(first.items[0].totals, { stories: 0, points: 0, doneStories: 0, donePoints: 0, addedStories: 0, removedStories: 0 })
	})
	test('capacity: planned against room, by member, and who is over it', async () => {
		const u = await tenant({ roles: ['member'], stories: 0 })
		const plan = await make(u, { capacity: { [u.owner.id]: 10, [u.member.id]: 4 } })
		const [a, b, c] = [await story(u, { assigneeId: u.owner.id, estimate: 8 }), await story(u, { assigneeId: u.member.id, estimate: 3 }), await story(u, { assigneeId: u.member.id, estimate: 2 })]
		await ok(add(u, plan, a, b, c), 201)
		const people = (await detail(u, plan)).people.sort((x, y) => y.capacity - x.capacity)
		assert.deepEqual(people.map(p => [p.id, p.capacity, p.planned, p.stories, p.isOver]), [[u.owner.id, 10, 8, 1, false], [u.member.id, 4, 5, 2, true]])
	})
	test('a plan can be dropped, a sprint that has started cannot', async () => {
		const u = await tenant({ stories: 1 })
		const plan = await make(u)
		await ok(add(u, plan, u.stories[0]), 201)
		assert.equal((await del(`${u.path}/sprints/${plan.id}`, u.owner)).status, 204)
		await refused(get(`${u.path}/sprints/${plan.id}`, u.owner), 404, 'not_found')
		assert.deepEqual((await ok(get(`${u.path}/sprints`, u.owner))).items, [])
		assert.equal(sql(`SELECT count(*) FROM sprint_items WHERE sprint_id = ${lit(plan.id)} AND removed_at IS NULL`), '0')
		const other = await make(u)
		await ok(add(u, other, u.stories[0]), 201)
		await ok(start(u, other))
		assert.match(sentence(await refused(del(`${u.path}/sprints/${other.id}`, u.owner), 409, 'illegal_state')), /has started/)
	})
})

describe('starting', () => {
	let t
	before(async () => {
		t = await tenant({ roles: ['member'], stories: 0 })
	})
	test('001-075: planning to active, the baseline is fixed at that moment', async () => {
		const plan = await make(t, { name: 'Sprint 1' })
		const [a, b, c] = [await story(t, { estimate: 5 }), await story(t, { estimate: 3 }), await story(t, { estimate: null })]
		await ok(add(t, plan, a, b, c), 201)
		await move(t, a, { estimate: 8 }) // while it is a plan, the plan changes
		const started = await ok(start(t, plan))
		assert.deepEqual([started.status, started.committedPoints, started.committedStories], ['active', 11, 3])
		assert.ok(Math.abs(new Date(started.startedAt) - Date.now()) < 60000)
		await move(t, b, { estimate: 13 }) // later it does not
		await ok(add(t, started, await story(t, { estimate: 2 })), 201)
		const now = await detail(t, plan)
		assert.deepEqual([now.committedPoints, now.committedStories], [11, 3])
		assert.deepEqual(now.items.map(i => [i.originalEstimate, i.estimate, i.isAdded]), [[8, 8, false], [3, 13, false], [null, null, false], [2, 2, true]])
		t.first = started
	})
	test('001-072: the active one, or 404', async () => {
		assert.equal((await ok(get(`${t.path}/sprints/active`, t.owner))).id, t.first.id)
		const u = await tenant({ stories: 0 })
		await make(u)
		await refused(get(`${u.path}/sprints/active`, u.owner), 404, 'not_found')
	})
	test('001-073: one with its items and totals, by number as well', async () => {
		const one = await ok(get(`${t.path}/sprints/${t.first.number}`, t.owner))
		assert.deepEqual(one, await detail(t, t.first))
		assert.deepEqual(one.totals, { stories: 4, points: 23, doneStories: 0, donePoints: 0, addedStories: 1, removedStories: 0 })
		await refused(get(`${t.path}/sprints/${randomUUID()}`, t.owner), 404, 'not_found')
	})
	test('001-026: a second active sprint is refused in a sentence that names the first', async () => {
		const second = await make(t, { name: 'Sprint 2' })
		await ok(add(t, second, await story(t)), 201)
		assert.equal(sentence(await refused(start(t, second), 409, 'illegal_state')), 'Sprint 1 is active. Complete it before you start Sprint 2.')
		assert.match(sql(`DO $$ BEGIN UPDATE sprints SET status = 'active' WHERE id = ${lit(second.id)}; EXCEPTION WHEN unique_violation THEN RAISE NOTICE 'refused'; END $$; SELECT status FROM sprints WHERE id = ${lit(second.id)}`), /planning/)
		t.second = second
	})
	test('an empty sprint, and one that is over, do not start', async () => {
		const u = await tenant({ stories: 1 })
		assert.match(sentence(await refused(start(u, await make(u)), 409, 'illegal_state')), /holds no stories/)
		const old = await make(u, { startDate: day(-20), endDate: day(-10) })
		await ok(add(u, old, u.stories[0]), 201)
		assert.match(sentence(await refused(start(u, old), 409, 'illegal_state')), /Change its dates/)
	})
	test('of eight who start at once one wins; the others get the current copy', async () => {
		const u = await tenant({ roles: ['member'], stories: 1 })
		const plan = await make(u)
		await ok(add(u, plan, u.stories[0]), 201)
		const replies = await Promise.all(Array.from({ length: 8 }, (_, i) => start(u, plan, i % 2 ? u.owner : u.member)))
		assert.deepEqual(replies.map(r => r.status).sort(), [200, ...Array(7).fill(409)])
		const won = replies.find(r => r.status === 200).json
		for (const r of replies.filter(x => x.status === 409)) assert.deepEqual((await refused(r, 409, 'version_conflict')).details.current, won)
	})
	test('what has started keeps its first day, and may end on another', async () => {
		const { version } = await detail(t, t.first)
		const path = `${t.path}/sprints/${t.first.id}`
		assert.match(sentence(await refused(patch(path, { ...t.owner, json: { version, startDate: day(1) } }), 409, 'illegal_state')), /first day/)
		assert.equal((await ok(patch(path, { ...t.owner, json: { version, endDate: day(13) } }))).endDate, day(13))
	})
})

describe('what is in it', () => {
	let t, active
	before(async () => {
		t = await tenant({ stories: 0 })
		active = await make(t, { name: 'Running' })
		t.first = await story(t, { estimate: 5 })
		await ok(add(t, active, t.first), 201)
		active = await ok(start(t, active))
	})
	test('001-077: a story is added with its estimate of then; in a running sprint that is growth', async () => {
		const s = await story(t, { estimate: 3 })
		const { items } = await ok(add(t, active, s), 201)
		assert.deepEqual(items.map(i => [i.id, i.originalEstimate, i.movedFrom, i.isNew]), [[s.id, 3, null, true]])
		await move(t, s, { estimate: 8 })
		const m = await metrics(t, active)
		assert.deepEqual([m.committedPoints, m.addedPoints, m.addedStories, m.reestimatedPoints, m.points], [5, 3, 1, 5, 13])
		const events = rows(`SELECT e.action, e.changes #>> '{story_id,1}' AS story FROM events e WHERE e.workspace_id = ${lit(t.id)} AND e.entity_type = 'sprint_item' AND e.changes #>> '{story_id,1}' = ${lit(s.id)}`)
		assert.deepEqual(events, [{ action: 'created', story: s.id }])
	})
	test('once more it stays as it is', async () => {
		const { items } = await ok(add(t, active, t.first), 201)
		assert.equal(items[0].isNew, false)
		assert.equal(sql(`SELECT count(*) FROM sprint_items WHERE sprint_id = ${lit(active.id)} AND story_id = ${lit(t.first.id)}`), '1')
	})
	test('001-078: a story taken out is a scope event; it may come back', async () => {
		const s = await story(t, { estimate: 2 })
		await ok(add(t, active, s), 201)
		const path = `${t.path}/sprints/${active.id}/items/${s.key}`
		assert.equal((await del(path, t.owner)).status, 204)
		await refused(del(path, t.owner), 404, 'not_found')
		const m = await metrics(t, active)
		assert.deepEqual([m.removedStories, m.removedPoints], [1, 2])
		assert.equal(sql(`SELECT count(*) FROM events WHERE workspace_id = ${lit(t.id)} AND entity_type = 'sprint_item' AND action = 'deleted'`), '1')
		await ok(add(t, active, s), 201)
		const again = await metrics(t, active)
		assert.deepEqual([again.removedStories, again.points - m.points, again.addedStories - m.addedStories], [1, 2, 1])
		const { changes } = await ok(get(`${t.path}/sprints/${active.id}/burndown`, t.owner))
		assert.deepEqual(changes.filter(c => c.key === s.key).map(c => [c.what, c.points]), [['added', 2], ['removed', -2], ['added', 2]])
	})
	test('a story of another open sprint moves, and it is said from where', async () => {
		const plan = await make(t, { name: 'The next one', startDate: day(14), endDate: day(25) })
		const s = await story(t, { estimate: 1 })
		await ok(add(t, plan, s), 201)
		const { items } = await ok(add(t, active, s), 201)
		assert.equal(items[0].movedFrom, 'The next one')
		assert.deepEqual((await detail(t, plan)).items, [])
		assert.equal(sql(`SELECT count(*) FROM sprint_items WHERE story_id = ${lit(s.id)} AND removed_at IS NULL`), '1')
	})
	test('added to several sprints at once a story ends in one of them', async () => {
		const plans = await Promise.all([1, 2, 3, 4].map(n => make(t, { name: `Plan ${n}`, startDate: day(20 + n), endDate: day(30 + n) })))
		const s = await story(t)
		const replies = await Promise.all(Array.from({ length: 12 }, (_, i) => add(t, plans[i % 4], s)))
		for (const r of replies) assert.equal(r.status, 201, r.text)
		assert.equal(sql(`SELECT count(*) FROM sprint_items WHERE story_id = ${lit(s.id)} AND removed_at IS NULL`), '1')
	})
	test('a story that is added while its sprint is completed is in one place', async () => {
		for (let round = 0; round < 5; round++) {
			const u = await tenant({ stories: 0 })
			const s = await make(u)
			const [a, b] = [await story(u), await story(u)]
			await ok(add(u, s, a), 201)
			const running = await ok(start(u, s))
			const plan = await make(u, { name: 'Next', startDate: day(14), endDate: day(20) })
			const [added, moved, completed] = await Promise.all([add(u, running, b), add(u, plan, a), complete(u, running, { unfinished: 'new' })])
			assert.equal(completed.status, 200, completed.text)
			assert.equal(moved.status, 201, moved.text)
			assert.ok([201, 409].includes(added.status), added.text)
			for (const x of [a, b])
				assert.ok(Number(sql(`SELECT count(*) FROM sprint_items i JOIN sprints n ON n.id = i.sprint_id WHERE i.story_id = ${lit(x.id)} AND i.removed_at IS NULL AND n.status <> 'completed'`)) <= 1)
			assert.equal(sql(`SELECT count(*) FROM sprint_items i JOIN sprints n ON n.id = i.sprint_id WHERE i.story_id = ${lit(a.id)} AND i.removed_at IS NULL AND n.status <> 'completed'`), '1')
		}
	})
	test('what is done, deleted or of elsewhere is refused', async () => {
		const done = await story(t, { status: 'done' })
		assert.equal(sentence(await refused(add(t, active, done), 409, 'illegal_state')), `${done.key} is done already.`)
		const other = await tenant({ stories: 1 })
		for (const id of [randomUUID(), other.stories[0].id]) assert.match(sentence(await refused(add(t, active, { id }), 422, 'validation_failed')), /Choose stories/)
		const gone = await story(t)
		sql(`UPDATE stories SET deleted_at = now() WHERE id = ${lit(gone.id)}`)
		await refused(add(t, active, gone), 422, 'validation_failed')
		for (const json of [{}, { storyIds: [] }, { storyIds: ['x'] }]) await refused(post(`${t.path}/sprints/${active.id}/items`, { ...t.owner, json }), 422, 'validation_failed')
	})
})

describe('completing', () => {
	/** A running sprint of four stories: two done, two not. */
	async function running(u) {
		const s = await make(u, { name: 'Sprint 41' })
		u.work = [await story(u, { estimate: 5 }), await story(u, { estimate: 3 }), await story(u, { estimate: 2 }), await story(u, { estimate: null })]
		await ok(add(u, s, ...u.work), 201)
		const started = await ok(start(u, s))
		await move(u, u.work[0], { status: 'in_progress' })
		await move(u, u.work[0], { status: 'done' })
		await move(u, u.work[1], { status: 'done' })
		return started
	}
	test('001-076: back to the backlog: in no sprint, and as they were', async () => {
		const u = await tenant({ stories: 0 })
		const s = await running(u)
		assert.equal(sentence(await refused(complete(u, s), 422, 'validation_failed')), 'Say where 2 unfinished stories go.')
		const over = await ok(complete(u, s, { unfinished: 'backlog' }))
		assert.equal(over.status, 'completed')
		assert.ok(over.completedAt)
		assert.equal(over.carriedTo, null)
		assert.deepEqual(over.totals, { stories: 4, points: 10, doneStories: 2, donePoints: 8, addedStories: 0, removedStories: 0 })
		const items = rows(`SELECT completed_at IS NOT NULL AS done, final_estimate FROM sprint_items i JOIN stories s ON s.id = i.story_id WHERE i.sprint_id = ${lit(s.id)} ORDER BY s.number`)
		assert.deepEqual(items, [{ done: true, final_estimate: 5 }, { done: true, final_estimate: 3 }, { done: false, final_estimate: 2 }, { done: false, final_estimate: null }])
		assert.equal(sql(`SELECT count(*) FROM sprint_items WHERE story_id = ${lit(u.work[2].id)}`), '1')
	})
	test('001-076: carried over into the sprint that is named', async () => {
		const u = await tenant({ stories: 0 })
		const s = await running(u)
		const [soon, later] = [await make(u, { name: 'Soon', startDate: day(14), endDate: day(20) }), await make(u, { name: 'Later', startDate: day(21), endDate: day(30) })]
		await refused(complete(u, s, { unfinished: 'next', nextSprintId: s.id }), 422, 'validation_failed')
		await refused(complete(u, s, { unfinished: 'next', nextSprintId: randomUUID() }), 422, 'validation_failed')
		const over = await ok(complete(u, s, { unfinished: 'next', nextSprintId: later.id }))
		assert.deepEqual(over.carriedTo, { id: later.id, number: later.number, name: 'Later', stories: 2 })
		assert.deepEqual((await detail(u, later)).items.map(i => [i.id, i.originalEstimate]), [[u.work[2].id, 2], [u.work[3].id, null]])
		assert.deepEqual((await detail(u, soon)).items, [])
		assert.deepEqual((await detail(u, s)).items.map(i => i.carriedTo?.name ?? null), [null, null, 'Later', 'Later'])
	})
	test('001-076: carried over into a new sprint of the same length, on a working day', async () => {
		const u = await tenant({ stories: 0 })
		const s = await running(u)
		const over = await ok(complete(u, s, { unfinished: 'new' }))
		const next = await detail(u, over.carriedTo)
		assert.equal(next.name, 'Sprint 42')
		assert.equal(next.status, 'planning')
		assert.equal((new Date(next.endDate) - new Date(next.startDate)) / 86400000, 11)
		assert.ok(next.startDate > s.endDate)
		assert.ok(![0, 6].includes(new Date(next.startDate).getUTCDay()))
		assert.deepEqual(next.items.map(i => i.id), [u.work[2].id, u.work[3].id])
	})
	test('of eight who complete at once one wins; the others get the current copy', async () => {
		const u = await tenant({ roles: ['member'], stories: 0 })
		const s = await running(u)
		const replies = await Promise.all(Array.from({ length: 8 }, (_, i) => complete(u, s, { unfinished: 'new' }, i % 2 ? u.owner : u.member)))
		assert.deepEqual(replies.map(r => r.status).sort(), [200, ...Array(7).fill(409)])
		for (const r of replies.filter(x => x.status === 409)) assert.equal((await refused(r, 409, 'version_conflict')).details.current.status, 'completed')
		assert.equal(sql(`SELECT count(*) FROM sprints WHERE project_id = ${lit(u.project.id)}`), '2')
	})
	test('a plan does not complete, nor what is complete', async () => {
		const u = await tenant({ stories: 0 })
		const s = await running(u)
		assert.match(sentence(await refused(complete(u, await make(u)), 409, 'illegal_state')), /has not started/)
		const over = await ok(complete(u, s, { unfinished: 'backlog' }))
		assert.match(sentence(await refused(complete(u, over), 409, 'illegal_state')), /completed already/)
		assert.match(sentence(await refused(add(u, over, u.work[2]), 409, 'illegal_state')), /stay as they were/)
		await refused(del(`${u.path}/sprints/${s.id}/items/${u.work[2].id}`, u.owner), 409, 'illegal_state')
		await refused(patch(`${u.path}/sprints/${s.id}`, { ...u.owner, json: { version: over.version, endDate: day(20) } }), 409, 'illegal_state')
		assert.equal((await ok(patch(`${u.path}/sprints/${s.id}`, { ...u.owner, json: { version: over.version, goal: 'Reached' } }))).goal, 'Reached')
	})
	test('001-076: the history is frozen: no later change of its stories changes a number', async () => {
		const u = await tenant({ stories: 0 })
		const s = await running(u)
		await ok(add(u, s, await story(u, { estimate: 2 })), 201)
		const taken = await story(u, { estimate: 7 })
		await ok(add(u, s, taken), 201)
		assert.equal((await del(`${u.path}/sprints/${s.id}/items/${taken.id}`, u.owner)).status, 204)
		const over = await ok(complete(u, s, { unfinished: 'new' }))
		const numbers = async () => {
			const list = (await ok(get(`${u.path}/sprints?status=completed`, u.owner))).items.map(({ totals, committedPoints, committedStories }) => ({ totals, committedPoints, committedStories }))
			const { totals, items, committedPoints } = await detail(u, s)
			const of = items.map(i => [i.key, i.estimate, i.originalEstimate, i.finalEstimate, i.isDone, i.isAdded, i.addedAt, i.completedAt, i.carriedTo])
			const burndown = await ok(get(`${u.path}/sprints/${s.id}/burndown`, u.owner))
			const velocity = await ok(get(`${u.path}/analytics/velocity`, u.owner))
			const kept = rows(`SELECT * FROM burndown_snapshots WHERE sprint_id = ${lit(s.id)} ORDER BY day`)
			return { list, totals, of, committedPoints, days: burndown.days, changes: burndown.changes.map(({ title, ...c }) => c), metrics: await metrics(u, s), velocity, kept }
		}
		const hash = x => createHash('sha256').update(JSON.stringify(x)).digest('hex')
		const then = await numbers()
		assert.equal(then.of.length, 5)
		assert.ok(then.kept.length > 0)
		// the storm
		for (const w of [...u.work, taken]) {
			await move(u, w, { estimate: 21, title: 'Another' })
			await move(u, w, { status: 'backlog' })
			await move(u, w, { status: 'done' })
			await move(u, w, { status: 'in_progress', estimate: null })
		}
		await ok(add(u, await detail(u, over.carriedTo), u.work[1]), 201)
		sql(`UPDATE stories SET deleted_at = now() WHERE project_id = ${lit(u.project.id)} AND number % 2 = 0;
		     UPDATE sprint_items SET removed_at = now(), final_estimate = 99 WHERE sprint_id = ${lit(s.id)};
		     UPDATE workspaces SET timezone = 'Pacific/Auckland' WHERE id = ${lit(u.id)}`)
		// a change that had begun before the sprint was completed and came to pass afterwards
		sql(`BEGIN; SELECT set_config('gnomon.clock', ${lit(new Date(new Date(over.completedAt) - 1).toISOString())}, true);
		     UPDATE stories SET status = 'done', estimate = 40 WHERE id = ${lit(u.work[2].id)}; COMMIT`)
		const now = await numbers()
		assert.deepEqual(now, then)
		assert.equal(hash(now), hash(then))
	})
})

test('a member of another project cannot see or change it', async () => {
	const t = await tenant({ stories: 1 })
	const other = await newUser()
	join(t.id, other, 'member')
	const s = await make(t)
	sql(`UPDATE projects SET is_private = true WHERE id = ${lit(t.project.id)}`)
	await refused(get(`${t.path}/sprints/${s.id}`, other), 404, 'not_found')
	await refused(post(`${t.path}/sprints/${s.id}/items`, { ...other, json: { storyIds: [t.stories[0].id] } }), 404, 'not_found')
})

describe('clocks of transactions', () => {
	// somebody's, who began later than whoever waits, and is done first
	const overtake = async (t, sprint, story, waiter) => {
		const other = session()
		await other.say(`BEGIN; SELECT FROM sprints WHERE id = ${lit(sprint.id)} FOR UPDATE;`)
		const reply = waiter()
		await waiting('gnomon')
		await other.say(`SELECT set_config('gnomon.workspace', ${lit(t.id)}, true), set_config('gnomon.project', ${lit(t.project.id)}, true),
		                        set_config('gnomon.clock', clock_timestamp()::text, true);
		                 SELECT * FROM gnomon.add_to_sprint(${lit(sprint.id)}, ARRAY[${lit(story.id)}::uuid]); COMMIT;`)
		other.end()
		return ok(reply)
	}
	test('do not make growth of what was in at the start, nor lose what came before the end', async () => {
		const t = await tenant({ stories: 0 })
		const [a, b, c] = [await story(t), await story(t), await story(t)]
		const plan = await make(t)
		await ok(add(t, plan, a), 201)
		const running = await overtake(t, plan, b, () => start(t, plan))
		assert.deepEqual([running.committedPoints, running.committedStories], [6, 2])
		const sums = async () => (({ points, addedPoints, reestimatedPoints, addedStories }) => [points, addedPoints, reestimatedPoints, addedStories])(await metrics(t, plan))
		assert.deepEqual(await sums(), [6, 0, 0, 0])
		assert.deepEqual((await detail(t, plan)).items.map(i => i.isAdded), [false, false])
		await overtake(t, plan, c, () => complete(t, running, { unfinished: 'backlog' }))
		assert.deepEqual(await sums(), [9, 3, 0, 1])
		const days = (await ok(get(`${t.path}/sprints/${plan.id}/burndown`, t.owner))).days.filter(d => d.total !== null)
		assert.equal(days.at(-1).total, 9)
	})
})

test('a plan that was dropped is offered nowhere, and takes nothing in', async () => {
	const t = await tenant({ stories: 1 })
	const plan = await make(t, { name: 'Dropped plan' })
	assert.equal((await del(`${t.path}/sprints/${plan.id}`, t.owner)).status, 204)
	assert.deepEqual(pointers(await refused(patch(`${t.path}/stories`, { ...t.owner, json: { ids: [t.stories[0].id], sprintId: plan.id } }), 422)), ['/sprintId'])
	const cookie = await browser(t.owner)
	for (const page of ['stories', 'backlog', 'sprints']) assert.doesNotMatch((await get(`/w/${t.slug}/p/${t.project.key}/${page}`, { cookie })).text, /Dropped plan/, page)
})

test('stories estimated and put into a running sprint at once are growth by what they have now', async () => {
	const t = await tenant({ stories: 2 })
	const plan = await make(t)
	await ok(add(t, plan, await story(t)), 201)
	await ok(start(t, plan))
	await ok(patch(`${t.path}/stories`, { ...t.owner, json: { ids: t.stories.map(s => s.id), estimate: 8, sprintId: plan.id } }))
	const { points, addedPoints, reestimatedPoints } = await metrics(t, plan)
	assert.deepEqual([points, addedPoints, reestimatedPoints], [19, 16, 0])
	const { changes } = await ok(get(`${t.path}/sprints/${plan.id}/burndown`, t.owner))
	assert.equal(changes.reduce((sum, c) => sum + c.points, 0), 16)
})
