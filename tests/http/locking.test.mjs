// Optimistic locking: whoever saw an old version is refused with the new one.
import { before, describe, test } from 'node:test'
import { assert, get, insights, lit, ok, patch, pointers, refused, revision, session, tenant } from './lib.mjs'

let t
const path = i => `${t.path}/stories/${t.stories[i].id}`
const change = (i, json, user = t.owner) => patch(path(i), { ...user, json })

before(async () => {
	t = await tenant({ roles: ['member'], stories: 6 })
})

describe('a stale version', () => {
	test('001-061: is refused with the current copy', async () => {
		await ok(change(0, { version: 1, title: 'Second' }))
		for (const version of [1, 3, 99, 2147483647]) {
			const error = await refused(change(0, { version, title: 'Third' }, t.member), 409, 'version_conflict')
			assert.deepEqual(error.details, { current: await ok(get(path(0), t.member)) })
			assert.equal(error.details.current.title, 'Second')
		}
	})
	test('is refused even when nothing would change', async () => {
		await refused(change(0, { version: 1 }), 409, 'version_conflict')
		await refused(change(0, { version: 1, title: 'Second' }), 409, 'version_conflict')
	})
	const raw = (version, i = 0) => patch(path(i), { ...t.owner, body: `{"version":${version},"title":"x"}`, headers: { 'Content-Type': 'application/json' } })

	test('too large for any version is refused by name', async () => {
		for (const version of ['2147483648', '9223372036854775807', '99999999999999999999', '2147483648.0', '1e300', '1.5', '0', '-1', '0.0']) {
			const error = await refused(raw(version), 422, 'validation_failed')
			assert.deepEqual(pointers(error), ['/version'], version)
		}
	})
	test('is a number however it is written', async () => {
		await refused(raw('1.0'), 409, 'version_conflict')
		await refused(raw('2147483647.0'), 409, 'version_conflict')
		const { version } = await ok(get(path(0), t.owner))
		assert.equal((await ok(raw(`${version}.0`))).version, version + 1)
		assert.equal((await ok(raw(`${version + 1}e0`))).title, 'x')
		const { list: [insight] } = insights(t)
		await ok(patch(`${t.base}/insights/${insight.id}`, { ...t.owner, body: '{"version":1.0,"action":"acknowledge"}', headers: { 'Content-Type': 'application/json' } }))
	})
	test('of an insight is refused with the current copy', async () => {
		const { list: [insight] } = insights(t)
		const one = `${t.base}/insights/${insight.id}`
		await ok(patch(one, { ...t.owner, json: { version: 1, action: 'acknowledge' } }))
		const error = await refused(patch(one, { ...t.owner, json: { version: 1, action: 'resolve' } }), 409, 'version_conflict')
		assert.deepEqual(error.details, { current: await ok(get(one, t.owner)) })
		assert.equal(error.details.current.state, 'acknowledged')
	})
})

test('003-011: of twelve who race with one version exactly one wins', async () => {
	for (let round = 0, version = 1; round < 10; round++, version++) {
		const from = revision(t)
		const replies = await Promise.all(Array.from({ length: 12 }, (_, i) =>
			change(1, { version, title: `Round ${round} by ${i}` }, i % 2 ? t.owner : t.member)))
		const won = replies.filter(r => r.status === 200)
		assert.equal(won.length, 1)
		assert.equal(won[0].json.version, version + 1)
		for (const r of replies.filter(x => x.status !== 200)) {
			const error = await refused(r, 409, 'version_conflict')
			assert.equal(error.details.current.title, won[0].json.title)
		}
		assert.equal(revision(t), from + 1)
		assert.equal((await ok(get(path(1), t.owner))).title, won[0].json.title)
	}
})

test('of eight who race to acknowledge an insight one becomes its owner', async () => {
	const { list: [insight] } = insights(t)
	const replies = await Promise.all(Array.from({ length: 8 }, (_, i) =>
		patch(`${t.base}/insights/${insight.id}`, { ...(i % 2 ? t.owner : t.member), json: { version: 1, action: 'acknowledge' } })))
	assert.deepEqual(replies.map(r => r.status).sort(), [200, ...Array(7).fill(409)])
	const owner = (await ok(get(`${t.base}/insights/${insight.id}`, t.owner))).owner.id
	assert.equal(owner, replies.find(r => r.status === 200).json.owner.id)
})

test('a change that waited for another keeps what that one wrote', async () => {
	const s = session()
	await s.say(`BEGIN; UPDATE stories SET title = 'Theirs', estimate = 8 WHERE id = ${lit(t.stories[2].id)};`)
	// right only once the other has committed; sent before it has
	const mine = change(2, { version: 2, priority: 'high' })
	const stale = change(2, { version: 1, priority: 'low' })
	await new Promise(r => setTimeout(r, 300))
	await s.say('COMMIT;')
	s.end()
	const story = await ok(mine)
	assert.deepEqual([story.title, story.estimate, story.priority, story.version], ['Theirs', 8, 'high', 3])
	const error = await refused(stale, 409, 'version_conflict')
	assert.ok(error.details.current.version >= 2)
	assert.equal(error.details.current.title, 'Theirs')
})

test('a change that waited for one undone goes ahead', async () => {
	const s = session()
	await s.say(`BEGIN; UPDATE stories SET title = 'Undone' WHERE id = ${lit(t.stories[3].id)};`)
	const mine = change(3, { version: 1, priority: 'high' })
	await new Promise(r => setTimeout(r, 200))
	await s.say('ROLLBACK;')
	s.end()
	const story = await ok(mine)
	assert.deepEqual([story.title, story.version], ['Story 4', 2])
})

test('twenty changes in a row by two people lose nothing', async () => {
	const append = async user => {
		for (let done = 0; done < 10;) {
			const story = await ok(get(path(4), user))
			const r = await change(4, { version: story.version, description: `${story.description}x` }, user)
			if (r.status === 200) done++
			else await refused(r, 409, 'version_conflict')
		}
	}
	await Promise.all([append(t.owner), append(t.member)])
	const story = await ok(get(path(4), t.owner))
	assert.equal(story.description, 'x'.repeat(20))
	assert.equal(story.version, 21)
})
