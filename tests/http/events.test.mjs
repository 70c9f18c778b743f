// Revisions and events: every write leaves one row of history per changed row,
// and the revision grows by one per statement and project, in commit order.
import { before, describe, test } from 'node:test'
import { assert, get, insights, lit, newKey, newUser, ok, patch, post, refused, revision, rows, session, sql, sqlLater, state, tenant } from './lib.mjs'

let t
const since = (t_, rev, scope = t_.project.id) =>
	rows(`SELECT rev, entity_type, entity_id, action, changes, actor_id, ai_triggered FROM events
	       WHERE workspace_id = ${lit(t_.id)} AND scope_id = ${lit(scope)} AND rev > ${rev} ORDER BY rev, entity_id`)

before(async () => {
	t = await tenant({ roles: ['member'] })
})

describe('one write, one event', () => {
	test('a project begins its own history', async () => {
		const workspace = revision(t, t.id)
		const made = await ok(post(`${t.base}/projects`, { ...t.member, json: { key: newKey(), name: 'History', description: 'Begins' } }), 201)
		const events = since(t, 0, made.id)
		assert.equal(events.length, 1)
		const [e] = events
		assert.equal(revision(t, made.id), 1)
		assert.equal(revision(t, t.id), workspace)
		assert.deepEqual([e.rev, e.entity_type, e.entity_id, e.action, e.actor_id, e.ai_triggered], [1, 'project', made.id, 'created', t.member.id, false])
		assert.deepEqual(e.changes.name, [null, 'History'])
		assert.deepEqual(e.changes.key, [null, made.key])
		assert.deepEqual(e.changes.description, [null, 'Begins'])
		assert.deepEqual(e.changes.owner_id, [null, t.member.id])
		assert.equal('archived_at' in e.changes, false)
	})
	test('001-029: a story is created once', async () => {
		const from = revision(t)
		const made = await ok(post(`${t.path}/stories`, { ...t.member, json: { title: 'New', estimate: 3, dueDate: '2027-01-31', acceptanceCriteria: ['a', 'b'] } }), 201)
		const [e, ...more] = since(t, from)
		assert.deepEqual(more, [])
		assert.equal(revision(t), from + 1)
		assert.deepEqual([e.rev, e.entity_type, e.entity_id, e.action, e.actor_id], [from + 1, 'story', made.id, 'created', t.member.id])
		for (const [field, value] of Object.entries({ title: 'New', estimate: 3, due_date: '2027-01-31', acceptance_criteria: ['a', 'b'], status: 'backlog',
			priority: 'medium', number: made.number, description: '' }))
			assert.deepEqual(e.changes[field], [null, value], field)
	})
	const changes = [
		[{ title: 'Renamed' }, 'updated', { title: ['Story 1', 'Renamed'] }],
		[{ description: 'Said' }, 'updated', { description: ['', 'Said'] }],
		[{ estimate: 2.5 }, 'updated', { estimate: [null, 2.5] }],
		[{ estimate: null }, 'updated', { estimate: [2.5, null] }],
		[{ dueDate: '2028-02-29' }, 'updated', { due_date: [null, '2028-02-29'] }],
		[{ dueDate: null }, 'updated', { due_date: ['2028-02-29', null] }],
		[{ priority: 'urgent' }, 'updated', { priority: ['medium', 'urgent'] }],
		[{ acceptanceCriteria: ['one'] }, 'updated', { acceptance_criteria: [[], ['one']] }],
		[{ priority: 'low', title: 'Both' }, 'updated', { priority: ['urgent', 'low'], title: ['Renamed', 'Both'] }],
	]
	test('001-029: a change says what was and what is', async () => {
		let { version } = t.stories[0]
		for (const [change, action, diff] of changes) {
			const from = revision(t)
			const changed = await ok(patch(`${t.path}/stories/${t.stories[0].id}`, { ...t.owner, json: { version, ...change } }))
			const events = since(t, from)
			assert.equal(events.length, 1)
			assert.deepEqual(events[0].changes, diff)
			assert.equal(events[0].action, action)
			assert.equal(events[0].actor_id, t.owner.id)
			assert.equal(revision(t), from + 1)
			assert.equal(changed.version, version + 1)
			version = changed.version
		}
	})
	test('a change of status is a move, and says when', async () => {
		const from = revision(t)
		const story = t.stories[1]
		const moved = await ok(patch(`${t.path}/stories/${story.id}`, { ...t.owner, json: { version: 1, status: 'in_progress' } }))
		const [e, ...more] = since(t, from)
		assert.deepEqual(more, [])
		assert.equal(e.action, 'moved')
		assert.deepEqual(Object.keys(e.changes).sort(), ['position', 'status', 'status_since'])
		assert.deepEqual(e.changes.status, ['backlog', 'in_progress'])
		assert.equal(new Date(e.changes.status_since[1]).getTime(), new Date(moved.statusSince).getTime())
		assert.ok(new Date(moved.statusSince) > new Date(story.statusSince))
	})
	test('giving and taking a story is an update', async () => {
		const from = revision(t)
		const one = await ok(patch(`${t.path}/stories/${t.stories[1].id}`, { ...t.owner, json: { version: 2, assigneeId: t.member.id } }))
		assert.equal(one.assignee.id, t.member.id)
		await ok(patch(`${t.path}/stories/${t.stories[1].id}`, { ...t.owner, json: { version: 3, assigneeId: null } }))
		assert.deepEqual(since(t, from).map(e => [e.rev - from, e.action, e.changes]),
			[[1, 'updated', { assignee_id: [null, t.member.id] }], [2, 'updated', { assignee_id: [t.member.id, null] }]])
	})
	test('a change of nothing leaves nothing', async () => {
		const story = await ok(get(`${t.path}/stories/${t.stories[0].id}`, t.owner))
		const was = state(t)
		for (const json of [{}, { title: story.title }, { title: story.title, description: story.description, status: story.status, priority: story.priority,
			estimate: story.estimate, dueDate: story.dueDate, acceptanceCriteria: story.acceptanceCriteria, assigneeId: null, epicId: null }]) {
			const same = await ok(patch(`${t.path}/stories/${t.stories[0].id}`, { ...t.owner, json: { version: story.version, ...json } }))
			assert.deepEqual(same, story)
		}
		assert.equal(state(t), was)
	})
	test('a refused change leaves nothing', async () => {
		const story = await ok(get(`${t.path}/stories/${t.stories[0].id}`, t.owner))
		const was = state(t)
		await refused(patch(`${t.path}/stories/${story.id}`, { ...t.owner, json: { version: story.version + 1, title: 'x' } }), 409, 'version_conflict')
		await refused(patch(`${t.path}/stories/${story.id}`, { ...t.owner, json: { version: story.version, assigneeId: (await newUser()).id } }), 422)
		await refused(patch(`${t.path}/stories/${story.id}`, { ...t.owner, json: { version: story.version, title: '' } }), 422)
		await refused(post(`${t.path}/stories`, { ...t.owner, json: { title: 'x', epicId: story.id } }), 422)
		await refused(post(`${t.base}/projects`, { ...t.owner, json: { key: t.project.key, name: 'Again' } }), 409, 'conflict')
		assert.equal(state(t), was)
		assert.equal((await ok(get(`${t.path}/stories/${story.id}`, t.owner))).version, story.version)
	})
	test('an insight writes into the history of its project', async () => {
		const { list: [insight] } = insights(t)
		const from = revision(t)
		await ok(patch(`${t.base}/insights/${insight.id}`, { ...t.member, json: { version: 1, action: 'acknowledge' } }))
		assert.deepEqual(since(t, from).map(e => [e.rev, e.entity_type, e.entity_id, e.action, e.changes, e.actor_id]),
			[[from + 1, 'insight', insight.id, 'updated', { state: ['open', 'acknowledged'], owner_user_id: [null, t.member.id] }, t.member.id]])
	})
	test('one without a project into that of the workspace', async () => {
		const { list: [insight] } = insights(t, 1, { project_id: null })
		const [project, workspace] = [revision(t), revision(t, t.id)]
		await ok(patch(`${t.base}/insights/${insight.id}`, { ...t.member, json: { version: 1, action: 'dismiss' } }))
		assert.equal(revision(t), project)
		assert.equal(revision(t, t.id), workspace + 1)
	})
})

describe('one statement', () => {
	test('over many rows is one revision with an event per changed row', async () => {
		const u = await tenant({ stories: 0 })
		const from = revision(u)
		sql(`INSERT INTO stories (workspace_id, project_id, title, estimate)
		     SELECT ${lit(u.id)}, ${lit(u.project.id)}, 'S' || g, g FROM generate_series(1, 50) g`)
		assert.equal(revision(u), from + 1)
		assert.deepEqual([...new Set(since(u, from).map(e => e.rev))], [from + 1])
		assert.equal(since(u, from).length, 50)
		assert.equal(sql(`SELECT string_agg(number::text, ',' ORDER BY number) FROM stories WHERE workspace_id = ${lit(u.id)}`),
			Array.from({ length: 50 }, (_, i) => i + 1).join())
		sql(`UPDATE stories SET estimate = greatest(estimate, 26) WHERE workspace_id = ${lit(u.id)}`)
		assert.equal(revision(u), from + 2)
		assert.equal(since(u, from + 1).length, 25) // the others did not change
		assert.equal(sql(`SELECT count(*) FROM stories WHERE workspace_id = ${lit(u.id)} AND version = 2`), '25')
		sql(`UPDATE stories SET estimate = estimate WHERE workspace_id = ${lit(u.id)}; UPDATE stories SET estimate = 1 WHERE false;
		     INSERT INTO stories (workspace_id, project_id, title) SELECT ${lit(u.id)}, ${lit(u.project.id)}, 'none' WHERE false`)
		assert.equal(revision(u), from + 2)
	})
	test('over two projects is a revision in each', async () => {
		const other = await ok(post(`${t.base}/projects`, { ...t.owner, json: { key: newKey(), name: `Other ${newKey()}` } }), 201)
		await ok(post(`/api/v1/projects/${other.id}/stories`, { ...t.owner, json: { title: 'There' } }), 201)
		const [here, there] = [revision(t), revision(t, other.id)]
		sql(`UPDATE stories SET confidence = 50 WHERE workspace_id = ${lit(t.id)}`)
		assert.equal(revision(t), here + 1)
		assert.equal(revision(t, other.id), there + 1)
	})
	test('undone leaves nothing', () => {
		const was = state(t)
		sql(`BEGIN; UPDATE stories SET title = 'undone' WHERE workspace_id = ${lit(t.id)}; ROLLBACK`)
		assert.equal(state(t), was)
	})
	test('that marks a row deleted says so', async () => {
		const made = await ok(post(`${t.path}/stories`, { ...t.owner, json: { title: 'To go' } }), 201)
		const from = revision(t)
		sql(`UPDATE stories SET deleted_at = now() WHERE id = ${lit(made.id)}`)
		assert.deepEqual(since(t, from).map(e => e.action), ['deleted'])
		await refused(get(`${t.path}/stories/${made.id}`, t.owner), 404, 'not_found')
		await refused(patch(`${t.path}/stories/${made.id}`, { ...t.owner, json: { version: 2, title: 'x' } }), 404, 'not_found')
		assert.ok(!(await ok(get(`${t.path}/stories?limit=200`, t.owner))).items.some(s => s.id === made.id))
	})
	test('of an agent is marked as such', () => {
		const from = revision(t)
		sql(`BEGIN; SET LOCAL gnomon.ai_triggered = 'on'; UPDATE stories SET confidence = 60 WHERE id = ${lit(t.stories[0].id)}; COMMIT`)
		assert.deepEqual(since(t, from).map(e => [e.ai_triggered, e.actor_id]), [[true, null]])
	})
})

test('as-of shows every field as it was', async () => {
	const u = await tenant({ stories: 3 })
	const look = at => sql(`SET gnomon.workspace = ${lit(u.id)}; ${at ? `SET gnomon.as_of = ${lit(at)};` : ''}
		SELECT string_agg(concat_ws('|', number, title, status, estimate), ';' ORDER BY number) FROM asof.stories WHERE project_id = ${lit(u.project.id)}`)
	const moments = []
	const story = u.stories[1]
	let version = 1
	for (const json of [{ title: 'One' }, { estimate: 5 }, { status: 'done', title: 'Two' }, { estimate: null }, { title: 'One' }]) {
		moments.push([sql('SELECT clock_timestamp()'), look()])
		version = (await ok(patch(`${u.path}/stories/${story.id}`, { ...u.owner, json: { version, ...json } }))).version
	}
	moments.push([sql('SELECT clock_timestamp()'), look()])
	await ok(post(`${u.path}/stories`, { ...u.owner, json: { title: 'Later' } }), 201)
	for (const [at, shown] of moments) assert.equal(look(at), shown)
	assert.equal(look('2020-01-01'), '')
})

test('ten writers at once: no revision is missing, doubled or late', async () => {
	const u = await tenant({ roles: ['member'], stories: 10 })
	const from = revision(u)
	const end = Date.now() + 4000
	let written = 0
	// through the API, each with a story of its own
	const api = Array.from({ length: 5 }, async (_, i) => {
		let { version } = u.stories[i]
		while (Date.now() < end) {
			version = (await ok(patch(`${u.path}/stories/${u.stories[i].id}`, { ...(i % 2 ? u.member : u.owner), json: { version, title: `Title ${version}` } }))).version
			written++
		}
	})
	// by SQL: one statement, two in a transaction, one over all, one undone
	const direct = Array.from({ length: 5 }, async (_, i) => {
		const s = session()
		const id = lit(u.stories[5 + i].id)
		const one = `UPDATE stories SET title = 'Direct ' || (position + 1), position = position + 1 WHERE id = ${id};`
		const all = `UPDATE stories SET confidence = (coalesce(confidence, 0) + 1) % 100 WHERE id IN (${u.stories.slice(5).map(x => lit(x.id))});`
		while (Date.now() < end) {
			const out = await s.say(i === 0 ? `BEGIN; ${one} SELECT pg_sleep(0.01) \\g /dev/null\n ${one} COMMIT;`
				: i === 1 ? `BEGIN; ${one} ROLLBACK;` : one)
			assert.equal(out, '')
			written += i === 0 ? 2 : i === 1 ? 0 : 1
		}
		if (i === 4) {
			await s.say(all)
			written++
		}
		s.end()
	})
	// a reader that takes everything above what it knows must see every revision
	const seen = []
	const reader = (async () => {
		let known = from
		const take = async () => {
			const found = await sqlLater(`SELECT DISTINCT rev FROM events WHERE workspace_id = ${lit(u.id)} AND scope_id = ${lit(u.project.id)} AND rev > ${known} ORDER BY rev`)
			for (const rev of found.split('\n').filter(Boolean).map(Number)) seen.push((known = rev))
		}
		while (Date.now() < end + 300) await take()
		await Promise.allSettled([...api, ...direct])
		await take()
	})()
	await Promise.all([...api, ...direct, reader])
	assert.equal(revision(u), from + written)
	assert.deepEqual(seen, Array.from({ length: written }, (_, i) => from + 1 + i))
	assert.ok(written > 200, `only ${written} writes`)
	assert.equal(sql(`SELECT count(*) FROM (SELECT rev, count(DISTINCT transaction) FROM events WHERE workspace_id = ${lit(u.id)}
		AND scope_id = ${lit(u.project.id)} GROUP BY rev HAVING count(DISTINCT transaction) > 1) x`), '0')
})

test('two statements over the same projects in opposite order do not deadlock', async () => {
	const u = await tenant({ stories: 1 })
	const other = await ok(post(`${u.base}/projects`, { ...u.owner, json: { key: newKey(), name: `Other ${newKey()}` } }), 201)
	await ok(post(`/api/v1/projects/${other.id}/stories`, { ...u.owner, json: { title: 'There' } }), 201)
	const update = field => `UPDATE ${field === 'confidence' ? 'stories' : 'projects'} SET ${field === 'confidence' ? 'confidence = (coalesce(confidence, 0) + 1) % 100' : "description = description || '.'"} WHERE workspace_id = ${lit(u.id)};`
	await Promise.all(['confidence', 'description', 'confidence', 'description'].map(f => sqlLater(update(f).repeat(50))))
})
