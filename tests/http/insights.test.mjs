// What people may do with an insight, and who may do it.
import { before, describe, test } from 'node:test'
import { assert, browser, get, insights, lit, newUser, ok, patch, post, randomUUID, refused, rows, sql, tenant } from './lib.mjs'

let t
const at = insight => `${t.base}/insights/I-${insight.number}`
const act = (insight, action, user = t.member, more = {}) => patch(at(insight), { ...user, json: { version: insight.version, action, ...more } })
const one = (columns = {}) => insights(t, 1, columns).list[0]

before(async () => {
	t = await tenant({ roles: ['admin', 'member', 'viewer'] })
	const [second] = [await newUser('Second Member')]
	t.second = second
	sql(`INSERT INTO workspace_members VALUES (${lit(t.id)}, ${lit(second.id)}, 'member')`)
})

describe('moves', () => {
	const states = ['open', 'acknowledged', 'dismissed', 'resolved']
	const actions = { acknowledge: 'acknowledged', dismiss: 'dismissed', resolve: 'resolved', reopen: 'open' }
	const legal = { open: ['acknowledged', 'dismissed', 'resolved'], acknowledged: ['dismissed', 'resolved'], dismissed: ['open'], resolved: ['open'] }

	for (const from of states)
		for (const [action, to] of Object.entries(actions))
			test(`${action} of one that is ${from}`, async () => {
				const insight = one({ state: from })
				if (from === to) {
					// asked twice: nothing happens, nothing is wrong
					const same = await ok(act(insight, action))
					assert.equal(same.state, from)
					if (action !== 'acknowledge') assert.equal(same.version, insight.version)
				} else if (legal[from].includes(to)) {
					const moved = await ok(act(insight, action))
					assert.deepEqual([moved.state, moved.version], [to, insight.version + 1])
					assert.deepEqual(await ok(get(at(insight), t.member)), moved)
				} else {
					await refused(act(insight, action), 409, 'illegal_state')
					assert.equal((await ok(get(at(insight), t.member))).state, from)
				}
			})
	test('the database itself refuses what is illegal', () => {
		const insight = one({ state: 'resolved' })
		assert.throws(() => sql(`UPDATE agent_insights SET state = 'dismissed' WHERE id = ${lit(insight.id)}`), /illegal_state/)
	})
	test('an action that is none, or misses its owner, is refused', async () => {
		const insight = one()
		for (const json of [{ version: 1 }, { action: 'resolve' }, { version: 1, action: 'close' }, { version: 1, action: 'Resolve' }, { version: 0, action: 'resolve' },
			{ version: '1', action: 'resolve' }, { version: 1, action: 'assign_owner' }, { version: 1, action: 'resolve', state: 'open' }, { version: 1, action: null },
			{ version: 1, action: 'assign_owner', ownerId: 'me' }, { version: 1.5, action: 'resolve' }])
			await refused(patch(at(insight), { ...t.owner, json }), 422, 'validation_failed')
		assert.equal((await ok(get(at(insight), t.member))).version, 1)
	})
})

describe('owners', () => {
	test('whoever acknowledges first becomes the owner', async () => {
		const insight = one()
		const mine = await ok(act(insight, 'acknowledge', t.member))
		assert.deepEqual(mine.owner, { id: t.member.id, name: t.member.name })
	})
	test('unless there is one', async () => {
		const insight = one({ owner_user_id: t.admin.id })
		assert.equal((await ok(act(insight, 'acknowledge', t.member))).owner.id, t.admin.id)
	})
	test('a member is made the owner, and nobody is', async () => {
		const insight = one()
		const given = await ok(act(insight, 'assign_owner', t.member, { ownerId: t.second.id }))
		assert.equal(given.owner.id, t.second.id)
		assert.equal(given.state, 'open')
		const taken = await ok(patch(at(insight), { ...t.member, json: { version: given.version, action: 'assign_owner', ownerId: null } }))
		assert.equal(taken.owner, null)
	})
	test('a viewer can be the owner', async () => {
		assert.equal((await ok(act(one(), 'assign_owner', t.member, { ownerId: t.viewer.id }))).owner.id, t.viewer.id)
	})
	test('somebody outside cannot', async () => {
		const insight = one()
		for (const ownerId of [(await newUser()).id, randomUUID()])
			await refused(act(insight, 'assign_owner', t.owner, { ownerId }), 422, 'validation_failed')
		assert.equal((await ok(get(at(insight), t.member))).owner, null)
	})
	test('an owner given with another action is ignored or refused, never taken', async () => {
		const insight = one({ state: 'acknowledged' })
		const r = await act(insight, 'resolve', t.member, { ownerId: t.second.id })
		assert.ok([200, 422].includes(r.status))
		assert.equal((await ok(get(at(insight), t.member))).owner, null)
	})
})

describe('rights', () => {
	test('a viewer changes nothing', async () => {
		const insight = one()
		for (const action of ['acknowledge', 'dismiss', 'resolve', 'reopen']) await refused(act(insight, action, t.viewer), 403, 'forbidden')
		await refused(act(insight, 'assign_owner', t.viewer, { ownerId: t.viewer.id }), 403, 'forbidden')
		assert.equal((await ok(get(at(insight), t.viewer))).version, 1)
	})
	test('a member may acknowledge and dismiss what nobody owns', async () => {
		await ok(act(one(), 'acknowledge'))
		await ok(act(one(), 'dismiss'))
	})
	test('a member may dismiss their own', async () => {
		await ok(act(one({ owner_user_id: t.member.id }), 'dismiss'))
	})
	test("a member may not dismiss somebody else's, an admin and an owner may", async () => {
		const insight = one({ owner_user_id: t.second.id, state: 'acknowledged' })
		await refused(act(insight, 'dismiss', t.member), 403, 'forbidden')
		assert.equal((await ok(get(at(insight), t.member))).state, 'acknowledged')
		await ok(act(insight, 'dismiss', t.admin))
		await ok(act(one({ owner_user_id: t.second.id }), 'dismiss', t.owner))
	})
	test('a stale version is told before the right is missing', async () => {
		const insight = one({ owner_user_id: t.second.id })
		await ok(act(insight, 'acknowledge', t.second))
		await refused(act(insight, 'dismiss', t.member), 409, 'version_conflict')
	})
})

describe('runs', () => {
	test('a run shows what it found', async () => {
		const { run, list } = insights(t, 3)
		const detail = await ok(get(`${t.base}/agents/runs/R-${run.number}`, t.viewer))
		assert.equal(detail.id, run.id)
		assert.equal(detail.insightCount, 3)
		assert.deepEqual(detail.insights.map(i => i.id).sort(), list.map(i => i.id).sort())
		assert.ok((await ok(get(`${t.base}/agents/runs`, t.viewer))).items.some(r => r.id === run.id))
	})
	test('an admin queues a run', async () => {
		const job = await ok(post(`${t.base}/agents/sprint_risk/run`, t.admin), 202)
		assert.deepEqual([job.kind, job.state], ['agent:sprint_risk:run', 'queued'])
		const [row] = rows(`SELECT * FROM jobs WHERE id = ${lit(job.jobId)}`)
		assert.deepEqual([row.workspace_id, row.payload.trigger, row.payload.triggeredBy], [t.id, 'manual', t.admin.id])
		await refused(post(`${t.base}/agents/no_such_agent/run`, t.admin), 404, 'not_found')
		// what no worker of this test should take up
		sql(`UPDATE jobs SET state = 'dead' WHERE workspace_id = ${lit(t.id)} AND state = 'queued'`)
	})
})

test('the feed says how many facts an insight rests on', async () => {
	const t = await tenant()
	insights(t, 1)
	const page = await get(`/w/${t.slug}/insights`, { cookie: await browser(t.owner) })
	assert.match(page.text, /facts: [1-9]/)
})
