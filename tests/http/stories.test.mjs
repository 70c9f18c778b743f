// Stories: moved, put in order, changed together, deleted, filtered and sorted.
import { before, describe, test } from 'node:test'
import { assert, call, get, lit, ok, patch, pointers, post, randomUUID, refused, revision, rows, session, sprint, sql, state, tenant } from './lib.mjs'

const del = (path, options) => call('DELETE', path, options)
const story = (t, i) => `${t.path}/stories/${t.stories[i].id}`
const order = async (t, status = 'backlog') =>
	(await ok(get(`${t.path}/board`, t.owner))).columns.find(c => c.status === status).stories.map(s => s.number)
const events = (t, rev) => rows(`SELECT rev, entity_type, entity_id, action, changes FROM events
	WHERE workspace_id = ${lit(t.id)} AND scope_id = ${lit(t.project.id)} AND rev > ${rev} ORDER BY rev, entity_id`)
const current = (t, i) => ok(get(story(t, i), t.owner))
const move = async (t, i, json) => ok(patch(`${story(t, i)}/move`, { ...t.owner, json: { version: (await current(t, i)).version, ...json } }))

describe('001-063: a story is moved', () => {
	let t
	before(async () => {
		t = await tenant({ roles: ['member'], stories: 6 })
	})
	test('to another column, at its bottom; the event says moved', async () => {
		const from = revision(t)
		const moved = await move(t, 0, { status: 'ready' })
		assert.equal(moved.status, 'ready')
		assert.equal(moved.version, 2)
		assert.deepEqual(await ok(get(story(t, 0), t.owner)), moved)
		const [e, ...more] = events(t, from)
		assert.deepEqual(more, [])
		assert.deepEqual([e.rev, e.entity_type, e.entity_id, e.action], [from + 1, 'story', moved.id, 'moved'])
		assert.deepEqual(e.changes.status, ['backlog', 'ready'])
		await move(t, 1, { status: 'ready' })
		assert.deepEqual(await order(t, 'ready'), [1, 2])
	})
	test('into an epic and out of it', async () => {
		const epic = await ok(post(`${t.path}/epics`, { ...t.owner, json: { title: 'Epic' } }), 201)
		const from = revision(t)
		assert.equal((await move(t, 2, { epicId: epic.id })).epicId, epic.id)
		assert.equal((await move(t, 2, { epicId: null })).epicId, null)
		assert.deepEqual(events(t, from).map(e => [e.action, e.changes]), [['moved', { epic_id: [null, epic.id] }], ['moved', { epic_id: [epic.id, null] }]])
	})
	test('before or after another, said by id or key', async () => {
		assert.deepEqual(await order(t), [3, 4, 5, 6])
		await move(t, 5, { before: t.stories[2].id })
		assert.deepEqual(await order(t), [6, 3, 4, 5])
		await move(t, 5, { after: `${t.project.key}-4` })
		assert.deepEqual(await order(t), [3, 4, 6, 5])
		await move(t, 4, { place: 'top' })
		assert.deepEqual(await order(t), [5, 3, 4, 6])
		await move(t, 4, { place: 'bottom' })
		assert.deepEqual(await order(t), [3, 4, 6, 5])
		await move(t, 0, { status: 'backlog', before: '4' })
		assert.deepEqual(await order(t), [3, 1, 4, 6, 5])
	})
	test('a new place alone is no edit: who has its form open may save', async () => {
		const { version } = await current(t, 3)
		const moved = await move(t, 3, { place: 'top' })
		assert.equal(moved.version, version)
		await move(t, 3, { before: '6' })
		assert.deepEqual(await order(t), [3, 1, 4, 6, 5])
	})
	test('where it is already: nothing happens', async () => {
		const [was, one] = [state(t), await current(t, 3)]
		for (const json of [{}, { status: 'backlog' }, { after: `${t.project.key}-1` }, { before: `${t.project.key}-6` }, { epicId: null }])
			assert.deepEqual(await move(t, 3, json), one)
		assert.equal(state(t), was)
	})
	test('a place in another column, of itself, of nothing is refused by name', async () => {
		const { version } = await current(t, 3)
		const was = state(t)
		for (const [json, pointer] of [[{ before: t.stories[1].id }, '/before'], [{ after: t.stories[3].id }, '/after'], [{ after: randomUUID() }, '/after'],
			[{ before: `${t.project.key}-999` }, '/before'], [{ before: 'X-1' }, '/before'], [{ status: 'ready', after: t.stories[2].id }, '/after'],
			[{ status: 'open' }, '/status'], [{ place: 'middle' }, '/place']])
			assert.deepEqual(pointers(await refused(patch(`${story(t, 3)}/move`, { ...t.owner, json: { version, ...json } }), 422, 'validation_failed')), [pointer])
		assert.equal(state(t), was)
	})
	test('a stale version is refused with the current copy', async () => {
		const error = await refused(patch(`${story(t, 3)}/move`, { ...t.member, json: { version: 99, status: 'done' } }), 409, 'version_conflict')
		assert.deepEqual(error.details, { current: await current(t, 3) })
	})
	test('a hundred times into one gap: the order holds, and nobody else is edited', async () => {
		const u = await tenant({ stories: 5 })
		const others = () => sql(`SELECT string_agg(version::text, ',' ORDER BY number) FROM stories WHERE workspace_id = ${lit(u.id)} AND number IN (1, 2, 5)`)
		const was = others()
		for (let i = 0; i < 50; i++) {
			await move(u, 3, { after: u.stories[0].id })
			await move(u, 2, { after: u.stories[0].id })
			if (i % 10 === 9) assert.deepEqual(await order(u), [1, 3, 4, 2, 5])
		}
		assert.equal(others(), was)
		assert.equal(sql(`SELECT count(DISTINCT position) FROM stories WHERE workspace_id = ${lit(u.id)}`), '5')
		// the gaps had run out and were made anew: all of it in one revision
		assert.notEqual(sql(`SELECT count(*) FROM events WHERE workspace_id = ${lit(u.id)} AND entity_id = ${lit(u.stories[4].id)} AND action = 'moved'`), '0')
	})
})

describe('001-064: stories are put in order', () => {
	let t
	const N = 500
	const reorder = (ids, user = t.owner) => patch(`${t.path}/stories/reorder`, { ...user, json: { ids } })
	before(async () => {
		t = await tenant({ roles: ['member'], stories: 0 })
		sql(`INSERT INTO stories (workspace_id, project_id, title) SELECT ${lit(t.id)}, ${lit(t.project.id)}, 'S' || g FROM generate_series(1, ${N + 3}) g`)
		t.all = rows(`SELECT id, number FROM stories WHERE workspace_id = ${lit(t.id)} ORDER BY number`)
	})
	test('500 ids in one call: one revision, each place once', async () => {
		const from = revision(t)
		const ids = t.all.slice(0, N).map(s => s.id).reverse()
		const answered = await ok(reorder(ids))
		assert.deepEqual(answered.items.map(s => s.id), ids)
		assert.deepEqual(await order(t), [...t.all.slice(0, N).map(s => s.number).reverse(), N + 1, N + 2, N + 3])
		assert.equal(revision(t), from + 1)
		assert.equal(sql(`SELECT count(*) FROM events WHERE workspace_id = ${lit(t.id)} AND rev = ${from + 1} AND action = 'moved'`), String(N))
		assert.equal(sql(`SELECT count(DISTINCT transaction) FROM events WHERE workspace_id = ${lit(t.id)} AND rev = ${from + 1}`), '1')
		assert.equal(sql(`SELECT count(DISTINCT position) FROM stories WHERE workspace_id = ${lit(t.id)}`), String(N + 3))
		assert.equal(sql(`SELECT max(version) FROM stories WHERE workspace_id = ${lit(t.id)}`), '1') // no edit
	})
	test('some of them take each other\'s places', async () => {
		await ok(reorder([t.all[1].id, t.all[N].id, t.all[0].id]))
		const now = await order(t)
		assert.deepEqual([now[N - 2], now[N - 1], now[N]], [2, N + 1, 1])
		assert.deepEqual(now.slice(0, N - 2), t.all.slice(2, N).map(s => s.number).reverse())
	})
	test('stories that share a place get places of their own', async () => {
		const u = await tenant({ stories: 5 })
		sql(`UPDATE stories SET position = 7 WHERE workspace_id = ${lit(u.id)} AND number BETWEEN 2 AND 5`)
		const was = await order(u)
		const ids = [was[3], was[1]].map(n => u.stories[n - 1].id)
		await ok(patch(`${u.path}/stories/reorder`, { ...u.owner, json: { ids } }))
		assert.deepEqual(await order(u), [was[0], was[3], was[2], was[1], was[4]])
		assert.equal(sql(`SELECT count(DISTINCT position) FROM stories WHERE workspace_id = ${lit(u.id)}`), '5')
	})
	test('so do those given, when nobody else shares it', async () => {
		const u = await tenant({ stories: 3 })
		sql(`UPDATE stories SET position = 7 WHERE workspace_id = ${lit(u.id)} AND number BETWEEN 2 AND 3`)
		for (let i = 0; i < 2; i++) {
			const was = await order(u)
			const both = was.filter(n => n !== 1)
			await ok(patch(`${u.path}/stories/reorder`, { ...u.owner, json: { ids: both.toReversed().map(n => u.stories[n - 1].id) } }))
			assert.deepEqual((await order(u)).filter(n => n !== 1), both.toReversed())
		}
	})
	test('what cannot be ordered is refused whole', async () => {
		const u = await tenant({ stories: 3 })
		await move(u, 2, { status: 'done' })
		const was = state(u)
		const ids = u.stories.map(s => s.id)
		for (const [wrong, pointer] of [[[ids[1], randomUUID(), ids[0]], '/ids/1'], [[ids[0], t.all[0].id], '/ids/1'], [[ids[0], ids[2]], '/ids'],
			[[ids[0], ids[0]], '/ids/1'], [[], '/ids'], [Array.from({ length: 501 }, () => randomUUID()), '/ids'], ['x', '/ids'], [['x'], '/ids/0']])
			assert.deepEqual(pointers(await refused(patch(`${u.path}/stories/reorder`, { ...u.owner, json: { ids: wrong } }), 422, 'validation_failed')), [pointer])
		assert.equal(state(u), was)
	})
	test('twenty at once leave one of their orders, whole', async () => {
		const ids = t.all.slice(0, 60).map(s => s.id)
		const wanted = Array.from({ length: 20 }, (_, i) => [...ids.slice(i * 3), ...ids.slice(0, i * 3)])
		const replies = await Promise.all(wanted.map((w, i) => reorder(w, i % 2 ? t.owner : t.member)))
		for (const r of replies) assert.equal(r.status, 200, r.text)
		const now = rows(`SELECT id FROM stories WHERE workspace_id = ${lit(t.id)} AND id = ANY (ARRAY[${ids.map(lit)}]::uuid[]) ORDER BY position, id`).map(s => s.id)
		assert.ok(wanted.some(w => w.join() === now.join()), 'the order is none of those asked for')
		assert.equal(sql(`SELECT count(DISTINCT position) FROM stories WHERE workspace_id = ${lit(t.id)}`), String(N + 3))
	})
})

describe('001-161: several stories are changed at once', () => {
	let t, ids
	const bulk = json => patch(`${t.path}/stories`, { ...t.owner, json })
	before(async () => {
		t = await tenant({ roles: ['member'], stories: 4 })
		ids = t.stories.map(s => s.id)
	})
	test('in one revision', async () => {
		const from = revision(t)
		const { items } = await ok(bulk({ ids: ids.slice(0, 3), priority: 'urgent', assigneeId: t.member.id }))
		assert.deepEqual(items.map(s => [s.number, s.version]), [[1, 2], [2, 2], [3, 2]])
		assert.equal(revision(t), from + 1)
		assert.deepEqual(events(t, from).map(e => e.changes), Array(3).fill({ priority: ['medium', 'urgent'], assignee_id: [null, t.member.id] }))
		assert.equal((await current(t, 0)).assignee.id, t.member.id)
		assert.equal((await current(t, 3)).assignee, null)
	})
	test('labels are added and taken, the others stay', async () => {
		const [a, b] = await Promise.all(['a', 'b'].map(name => ok(post(`${t.path}/labels`, { ...t.owner, json: { name } }), 201)))
		await ok(bulk({ ids, addLabelIds: [a.id] }))
		await ok(bulk({ ids: [ids[0]], addLabelIds: [b.id, a.id] }))
		await ok(bulk({ ids, removeLabelIds: [a.id] }))
		assert.deepEqual((await current(t, 0)).labels.map(l => l.name), ['b'])
		assert.deepEqual((await current(t, 1)).labels, [])
	})
	test('into a sprint, into another, and out', async () => {
		const { id, number } = sprint(t)
		sql(`UPDATE sprint_items SET removed_at = now() WHERE sprint_id = ${lit(id)}`)
		const next = sql(`INSERT INTO sprints (workspace_id, project_id, name, start_date, end_date) VALUES (${lit(t.id)}, ${lit(t.project.id)}, 'Next', current_date, current_date + 7) RETURNING id`)
		const members = async s => (await ok(get(`${t.path}/stories?order=number&sprintId=${s}`, t.owner))).items.map(x => x.number)
		assert.ok(number)
		await ok(bulk({ ids: ids.slice(0, 2), sprintId: id }))
		assert.deepEqual(await members(id), [1, 2])
		assert.deepEqual(await members('none'), [3, 4])
		await ok(bulk({ ids: ids.slice(1, 3), sprintId: next }))
		assert.deepEqual([await members(id), await members(next)], [[1], [2, 3]])
		await ok(bulk({ ids, sprintId: null }))
		assert.deepEqual([await members(id), await members(next), await members('none')], [[], [], [1, 2, 3, 4]])
		sql(`UPDATE sprints SET status = 'completed' WHERE id = ${lit(next)}`)
		assert.deepEqual(pointers(await refused(bulk({ ids, sprintId: next }), 422)), ['/sprintId'])
	})
	test('all of them or none', async () => {
		const was = state(t)
		for (const wrong of [[...ids, randomUUID()], [randomUUID()]])
			assert.deepEqual(pointers(await refused(bulk({ ids: wrong, priority: 'low' }), 422, 'validation_failed')), ['/ids'])
		assert.deepEqual(pointers(await refused(bulk({ ids, assigneeId: randomUUID() }), 422, 'validation_failed')), ['/assigneeId'])
		assert.equal(state(t), was)
	})
})

describe('001-062: a story is deleted', () => {
	let t
	before(async () => {
		t = await tenant({ roles: ['viewer'], stories: 4 })
	})
	test('softly: gone from the board, its lists and its open sprint; its history stays', async () => {
		const { id } = sprint(t)
		const from = revision(t)
		const r = await del(story(t, 1), t.owner)
		assert.equal(r.status, 204)
		assert.equal(r.text, '')
		await refused(get(story(t, 1), t.owner), 404, 'not_found')
		assert.deepEqual(await order(t), [1, 3, 4])
		assert.deepEqual((await ok(get(`${t.path}/stories?order=number`, t.owner))).items.map(s => s.number), [1, 3, 4])
		assert.deepEqual((await ok(get(`${t.path}/sprints/${id}`, t.owner))).items.map(s => s.number), [1, 3, 4])
		assert.equal(sql(`SELECT count(*) FROM stories WHERE id = ${lit(t.stories[1].id)} AND deleted_at IS NOT NULL`), '1')
		assert.deepEqual(events(t, from).map(e => [e.entity_type, e.action]).sort(), [['sprint_item', 'deleted'], ['story', 'deleted']])
	})
	test('once', async () => {
		await refused(del(story(t, 1), t.owner), 404, 'not_found')
		await refused(patch(story(t, 1), { ...t.owner, json: { version: 2, title: 'x' } }), 404, 'not_found')
		await refused(patch(`${story(t, 1)}/move`, { ...t.owner, json: { version: 2, status: 'done' } }), 404, 'not_found')
	})
	test('of a sprint that is over it stays part', async () => {
		const { id } = sprint(await tenant({ stories: 0 }).then(u => (t.other = u)))
		const made = await ok(post(`${t.other.path}/stories`, { ...t.other.owner, json: { title: 'Done then' } }), 201)
		sql(`INSERT INTO sprint_items (workspace_id, project_id, sprint_id, story_id) VALUES (${lit(t.other.id)}, ${lit(t.other.project.id)}, ${lit(id)}, ${lit(made.id)});
		     UPDATE sprints SET status = 'completed' WHERE id = ${lit(id)}`)
		assert.equal((await del(`${t.other.path}/stories/${made.key}`, t.other.owner)).status, 204)
		assert.equal(sql(`SELECT count(*) FROM sprint_items WHERE story_id = ${lit(made.id)} AND removed_at IS NULL`), '1')
	})
	test('by no viewer', () => refused(del(story(t, 0), t.viewer), 403, 'forbidden'))
	test('its number is not given again', async () => {
		assert.equal((await ok(post(`${t.path}/stories`, { ...t.owner, json: { title: 'Next' } }), 201)).number, 5)
	})
})

describe('001-058: a story is made', () => {
	test('an Idempotency-Key sent again gets the same id', async () => {
		const t = await tenant({ stories: 0 })
		const send = () => post(`${t.path}/stories`, { ...t.owner, json: { title: 'Once' }, headers: { 'Idempotency-Key': 'story-1' } })
		const [one, two] = [await send(), await send()]
		assert.deepEqual([one.status, two.status, two.headers['idempotent-replayed']], [201, 201, 'true'])
		assert.equal(two.json.id, one.json.id)
		assert.equal((await ok(get(`${t.path}/stories`, t.owner))).items.length, 1)
	})
	test('thirty at once have thirty places and numbers', async () => {
		const t = await tenant({ roles: ['member'], stories: 0 })
		const made = await Promise.all(Array.from({ length: 30 }, (_, i) =>
			ok(post(`${t.path}/stories`, { ...(i % 2 ? t.owner : t.member), json: { title: `At once ${i}` } }), 201)))
		assert.equal(new Set(made.map(s => s.number)).size, 30)
		assert.equal(sql(`SELECT count(DISTINCT position) FROM stories WHERE workspace_id = ${lit(t.id)}`), '30')
	})
})

describe('001-024: bounds of a story', () => {
	let t
	before(async () => {
		t = await tenant({ stories: 1 })
	})
	for (const [json, pointer] of [[{ confidence: 101 }, '/confidence'], [{ confidence: -1 }, '/confidence'], [{ confidence: 50.5 }, '/confidence'], [{ estimate: -1 }, '/estimate'],
		[{ estimate: 1001 }, '/estimate'], [{ title: '' }, '/title'], [{ title: 'x'.repeat(301) }, '/title'], [{ acceptanceCriteria: [''] }, '/acceptanceCriteria/0'],
		[{ acceptanceCriteria: Array(101).fill('x') }, '/acceptanceCriteria'], [{ status: 'open' }, '/status'], [{ priority: 'critical' }, '/priority'],
		[{ dueDate: '2026-02-30' }, '/dueDate'], [{ labelIds: [randomUUID()] }, '/labelIds'], [{ position: 1 }, '/position']])
		test(`${JSON.stringify(json).slice(0, 50)} is refused 422`, async () => {
			const was = state(t)
			assert.deepEqual(pointers(await refused(post(`${t.path}/stories`, { ...t.owner, json: { title: 'x', ...json } }), 422, 'validation_failed')), [pointer])
			assert.deepEqual(pointers(await refused(patch(story(t, 0), { ...t.owner, json: { version: 1, ...json } }), 422, 'validation_failed')), [pointer])
			assert.equal(state(t), was)
		})
	test('the edges are taken', async () => {
		for (const json of [{ confidence: 0 }, { confidence: 100 }, { confidence: null }, { estimate: 0 }, { estimate: 1000 }, { estimate: null }]) {
			const { version } = await current(t, 0)
			const changed = await ok(patch(story(t, 0), { ...t.owner, json: { version, ...json } }))
			for (const [k, v] of Object.entries(json)) assert.equal(changed[k], v)
		}
	})
})

describe('001-059: stories are filtered and sorted', () => {
	let t, epic, label, other
	const numbers = async query => (await ok(get(`${t.path}/stories?limit=200&${query}`, t.owner))).items.map(s => s.number)
	before(async () => {
		t = await tenant({ roles: ['member'], stories: 0 })
		epic = (await ok(post(`${t.path}/epics`, { ...t.owner, json: { title: 'Epic' } }), 201)).id
		label = (await ok(post(`${t.path}/labels`, { ...t.owner, json: { name: 'Bug', colour: 'red' } }), 201)).id
		other = (await ok(post(`${t.base}/labels`, { ...t.owner, json: { name: 'Debt' } }), 201)).id
		const priorities = ['low', 'medium', 'high', 'urgent']
		for (let i = 1; i <= 12; i++)
			await ok(post(`${t.path}/stories`, { ...t.owner, json: {
				title: `Story ${i}`, priority: priorities[i % 4], status: i % 3 ? 'backlog' : 'ready', ...(i % 2 ? { assigneeId: t.member.id } : {}),
				...(i % 5 ? {} : { epicId: epic }), ...(i % 4 ? {} : { labelIds: [label] }), ...(i === 7 ? { labelIds: [other] } : {}), ...(i < 6 ? { dueDate: `2026-12-0${6 - i}` } : {}) } }), 201)
	})
	const all = Array.from({ length: 12 }, (_, i) => i + 1)
	for (const [name, query, keep] of [
		['nobody', () => 'assigneeId=none', i => i % 2 === 0],
		['a person', () => `assigneeId=${t.member.id}`, i => i % 2 === 1],
		['no epic', () => 'epicId=none', i => i % 5 !== 0],
		['an epic', () => `epicId=${epic}`, i => i % 5 === 0],
		['a label', () => `labelId=${label}`, i => i % 4 === 0],
		['one of two labels', () => `labelId=${label},${other}`, i => i % 4 === 0 || i === 7],
		['due before', () => 'dueBefore=2026-12-04', i => i > 2 && i < 6],
		['no sprint', () => 'sprintId=none', () => true],
		['all of it', () => `assigneeId=none&epicId=none&labelId=${label}&priority=low&status=backlog,ready&q=story`, i => i % 2 === 0 && i % 5 !== 0 && i % 4 === 0]])
		test(name, async () => assert.deepEqual(await numbers(`order=number&${query()}`), all.filter(keep)))
	test('by due date, those without one last', async () => assert.deepEqual((await numbers('order=due')).slice(0, 6), [5, 4, 3, 2, 1, 6]))
	test('by priority, the most urgent first', async () => {
		const ranks = (await ok(get(`${t.path}/stories?order=priority`, t.owner))).items.map(s => ['urgent', 'high', 'medium', 'low'].indexOf(s.priority))
		assert.deepEqual(ranks, [...ranks].sort((x, y) => x - y))
	})
	test('by place: column by column as on the board', async () => {
		assert.deepEqual(await numbers('order=position'), [...await order(t, 'backlog'), ...await order(t, 'ready')])
	})
	for (const name of ['due', 'priority', 'position', 'updated'])
		test(`order=${name}, page by page, shows each once`, async () => {
			const found = []
			for (let cursor = ''; ;) {
				const page = await ok(get(`${t.path}/stories?order=${name}&limit=5${cursor}`, t.owner))
				found.push(...page.items.map(s => s.number))
				if (!page.next) break
				cursor = `&cursor=${encodeURIComponent(page.next)}`
			}
			assert.deepEqual(found, await numbers(`order=${name}`))
			assert.equal(found.length, 12)
		})
	test('what is no filter is refused by name', async () => {
		for (const [query, pointer] of [['assigneeId=nobody', 'assigneeId'], ['labelId=none', 'labelId'], ['dueBefore=soon', 'dueBefore'], ['order=due:desc', 'order']])
			assert.deepEqual(pointers(await refused(get(`${t.path}/stories?${query}`, t.owner), 422, 'validation_failed')), [pointer])
	})
})

test('who waits for a move sees what it did', async () => {
	const t = await tenant({ stories: 4 })
	const s = session()
	await s.say(`BEGIN; SELECT set_config('gnomon.workspace', ${lit(t.id)}, true), set_config('gnomon.project', ${lit(t.project.id)}, true);
		SELECT gnomon.hold_order(); UPDATE stories SET position = (SELECT max(position) FROM stories WHERE project_id = ${lit(t.project.id)}) + 10 WHERE id = ${lit(t.stories[0].id)};`)
	const mine = patch(`${story(t, 1)}/move`, { ...t.owner, json: { version: 1, after: t.stories[0].id } })
	await new Promise(r => setTimeout(r, 300))
	await s.say('COMMIT;')
	s.end()
	await ok(mine)
	assert.deepEqual(await order(t), [3, 4, 1, 2])
})

test('ids of elsewhere are refused by the name of their field', async () => {
	const [t, u] = [await tenant({ stories: 1 }), await tenant({ stories: 0 })]
	const other = await ok(post(`${t.base}/projects`, { ...t.owner, json: { key: `Z${t.project.key.slice(1)}`, name: 'Other' } }), 201)
	const foreign = []
	for (const [path, user] of [[u.path, u.owner], [`/api/v1/projects/${other.id}`, t.owner]])
		foreign.push({ epicId: (await ok(post(`${path}/epics`, { ...user, json: { title: 'E' } }), 201)).id },
			{ labelIds: [(await ok(post(`${path}/labels`, { ...user, json: { name: 'L' } }), 201)).id] },
			{ sprintId: (await ok(post(`${path}/sprints`, { ...user, json: { name: 'S' } }), 201)).id })
	for (const json of [{ assigneeId: u.owner.id }, { assigneeId: randomUUID() }, ...foreign]) {
		const [[field, value]] = Object.entries(json)
		const was = revision(t)
		const bulk = field === 'labelIds' ? { addLabelIds: value } : json
		assert.deepEqual(pointers(await refused(patch(`${t.path}/stories`, { ...t.owner, json: { ids: [t.stories[0].id], ...bulk } }), 422)), [`/${field}`])
		if (field !== 'sprintId') {
			assert.deepEqual(pointers(await refused(post(`${t.path}/stories`, { ...t.owner, json: { title: 'x', ...json } }), 422)), [`/${field}`])
			assert.deepEqual(pointers(await refused(patch(story(t, 0), { ...t.owner, json: { version: 1, ...json } }), 422)), [`/${field}`])
		}
		if (field === 'epicId') assert.deepEqual(pointers(await refused(patch(`${story(t, 0)}/move`, { ...t.owner, json: { version: 1, ...json } }), 422)), ['/epicId'])
		assert.equal(revision(t), was)
	}
})

test('what is called by spaces only is refused, whatever it is', async () => {
	const t = await tenant({ stories: 1 })
	const blank = '  \t '
	for (const [path, field, more] of [['stories', 'title'], ['epics', 'title'], ['labels', 'name'], ['sprints', 'name'], ['tasks', 'title', { storyId: t.stories[0].id }], ['filters', 'name', { list: 'stories', query: 'status=done' }]]) {
		const error = await refused(post(`${t.path}/${path}`, { ...t.owner, json: { ...more, [field]: blank } }), 422)
		assert.deepEqual(error.details.errors, [{ pointer: `/${field}`, message: 'Enter some text.' }], path)
	}
	await refused(patch(story(t, 0), { ...t.owner, json: { version: 1, title: blank } }), 422)
	await refused(post(`${t.base}/objectives`, { ...t.owner, json: { title: blank, startDate: '2026-10-01', endDate: '2026-12-31' } }), 422)
})
