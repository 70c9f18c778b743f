// Asking again: the same document is not sent twice (ETag), the same write does
// not happen twice (Idempotency-Key).
import { before, describe, test } from 'node:test'
import { assert, browser, call, csrf, get, insights, lit, newKey, ok, origin, patch, pointers, post, refused, session, sql, state, tenant, unique } from './lib.mjs'
import { ownServer } from './server.mjs'

let t
const count = () => Number(sql(`SELECT count(*) FROM stories WHERE workspace_id = ${lit(t.id)}`))
const keyed = (key, json, more = {}) => post(`${t.path}/stories`, { ...t.owner, json, headers: { 'Idempotency-Key': key }, ...more })

before(async () => {
	t = await tenant({ roles: ['member', 'viewer'], stories: 3 })
})

describe('a document that did not change', () => {
	const paths = () => [`${t.path}/board`, `${t.path}/stories`, `${t.path}/stories?status=backlog&limit=2`]
	const held = (path, tag, user = t.owner) => get(path, { token: user.token, headers: { 'If-None-Match': tag } })

	test('is not sent again, and changes with every write', async () => {
		for (const path of paths()) {
			const first = await get(path, t.owner)
			const tag = first.headers.etag
			if (!tag) continue
			assert.match(tag, /^W\/"[^"]+"$/)
			assert.match(first.headers['cache-control'], /private, no-cache/)
			for (const asked of [tag, `"x", ${tag}`, `${tag}, W/"y"`]) {
				const r = await held(path, asked)
				assert.equal(r.status, 304, asked)
				assert.equal(r.text, '')
				assert.equal(r.headers.etag, tag)
			}
			const head = await call('HEAD', path, { ...t.owner, headers: { 'If-None-Match': tag } })
			assert.equal(head.status, 304)
			await ok(patch(`${t.path}/stories/${t.stories[0].id}`, { ...t.owner, json: { version: (await ok(get(`${t.path}/stories/${t.stories[0].id}`, t.owner))).version, title: `T ${unique()}` } }))
			const changed = await held(path, tag)
			assert.equal(changed.status, 200)
			assert.notEqual(changed.headers.etag, tag)
			assert.deepEqual(changed.json, (await get(path, t.member)).json)
		}
	})
	test('is not made anew for everybody who holds an old one', async () => {
		const u = await tenant({ stories: 2 })
		const path = `${u.path}/board`
		const tag = (await get(path, u.owner)).headers.etag
		await ok(patch(`${u.path}/stories/${u.stories[0].id}`, { ...u.owner, json: { version: 1, title: 'Anew' } }))
		const fresh = await get(path, u.owner)
		const replies = []
		for (let i = 0; i < 40; i++) replies.push(await get(path, { ...u.owner, headers: { 'If-None-Match': tag } }))
		for (const r of replies) {
			assert.equal(r.status, 200)
			assert.equal(r.headers.etag, fresh.headers.etag)
			assert.equal(r.text, fresh.text)
		}
		// each process makes it at most once before it knows
		assert.ok(replies.filter(r => r.headers['x-cache'] === 'hit').length >= 20)
		assert.equal((await get(path, { ...u.owner, headers: { 'If-None-Match': fresh.headers.etag } })).status, 304)
	})
	test('001-140: who asks for a board again gets what memcached holds, until somebody writes', async () => {
		const u = await tenant({ roles: ['viewer'], stories: 2 })
		// one process: another has to learn first what there is
		const own = await ownServer({ workers: 1, slow: 1, env: { MEMCACHED: process.env.MEMCACHED, GNOMON_SECRET_FILE: process.env.GNOMON_SECRET_FILE } })
		try {
			const ask = user => own.call('GET', `${u.path}/board`, { token: user.token })
			const first = await ask(u.owner)
			assert.notEqual(first.headers['x-cache'], 'hit')
			const second = await ask(u.owner)
			assert.equal(second.headers['x-cache'], 'hit')
			assert.equal(second.text, first.text)
			await ask(u.viewer) // where somebody's address leads is learnt by the first time
			const others = await ask(u.viewer)
			assert.equal(others.headers['x-cache'], 'hit')
			assert.equal(others.text, first.text)
			await ok(patch(`${u.path}/stories/${u.stories[0].id}`, { ...u.owner, json: { version: 1, title: 'Written' } })) // by another server
			const third = await ask(u.owner)
			assert.notEqual(third.headers['x-cache'], 'hit')
			assert.match(third.text, /"Written"/)
			const fourth = await ask(u.viewer)
			assert.equal(fourth.headers['x-cache'], 'hit')
			assert.equal(fourth.text, third.text)
		} finally {
			await own.close()
		}
	})
	test("is not taken for another list's, another order's or another project's", async () => {
		const tag = (await get(`${t.path}/stories?limit=2`, t.owner)).headers.etag
		if (!tag) return
		const u = await tenant({ stories: 3 })
		const other = await ok(post(`${t.base}/projects`, { ...t.owner, json: { key: newKey(), name: `O ${unique()}` } }), 201)
		for (const path of [`${t.path}/stories?limit=3`, `${t.path}/stories?limit=2&order=oldest`, `${t.path}/stories?limit=2&status=done`, `${t.path}/board`, `/api/v1/projects/${other.id}/stories?limit=2`])
			assert.equal((await held(path, tag)).status, 200, path)
		assert.equal((await held(`${u.path}/stories?limit=2`, tag, u.owner)).status, 200)
		// the revision of one project under the name of another
		const theirs = (await get(`${u.path}/stories?limit=2`, u.owner)).headers.etag
		assert.equal((await held(`${t.path}/stories?limit=2`, theirs)).status, 200)
	})
	test('is refused to strangers, however much they know', async () => {
		const tag = (await get(`${t.path}/board`, t.owner)).headers.etag
		const u = await tenant({ stories: 0 })
		await refused(get(`${t.path}/board`, { ...u.owner, headers: { 'If-None-Match': tag ?? 'x' } }), 404, 'not_found')
		await refused(get(`${t.path}/board`, { headers: { 'If-None-Match': tag ?? 'x' } }), 401)
	})
	test('survives tags that are none', async () => {
		const tag = (await get(`${t.path}/board`, t.owner)).headers.etag ?? 'W/"a-b-c-1"'
		for (const bad of ['', '*', 'W/"', '"', '""', 'W/""', tag.slice(0, -1), tag.slice(0, 20), tag.replace(/-\d+"$/, '-"'), tag.replace(/-\d+"$/, '--1"'),
			tag.replace(/-\d+"$/, '-99999999999999999999"'), tag.replace(/-\d+"$/, '-9223372036854775807"'), tag.repeat(20), 'x'.repeat(4000)]) {
			const r = await held(`${t.path}/board`, bad)
			assert.ok([200, 304].includes(r.status), `${bad.slice(0, 50)}: ${r.status}`)
		}
	})
	test('a reader never sees an old board under a new tag', async () => {
		const end = Date.now() + 2000
		const u = await tenant({ stories: 4 })
		let written = 0
		const writer = (async () => {
			const s = session()
			while (Date.now() < end) {
				written++
				await s.say(`UPDATE stories SET title = 'n' || ${written} WHERE workspace_id = ${lit(u.id)};`)
			}
			s.end()
		})()
		const readers = Array.from({ length: 4 }, async (_, i) => {
			let tag = '', last = 0
			while (Date.now() < end) {
				const from = written
				const r = await get(`${u.path}/board`, { ...u.owner, headers: i % 2 && tag ? { 'If-None-Match': tag } : {} })
				if (r.status === 304) continue
				assert.equal(r.status, 200)
				tag = r.headers.etag ?? ''
				const titles = r.json.columns.flatMap(c => c.stories.map(x => x.title))
				const n = Number(titles[0].replace(/\D/g, '')) || 0
				assert.equal(new Set(titles).size <= 1 || from === 0 || titles.some(x => x.startsWith('Story')), true, titles.join())
				assert.ok(n >= last, `${n} after ${last}`)
				assert.ok(n >= from - 1, `${n} when ${from - 1} was committed`)
				last = n
			}
		})
		await Promise.all([writer, ...readers])
		const now = await ok(get(`${u.path}/board`, u.owner))
		assert.equal(now.columns.flatMap(c => c.stories)[0].title, `n${written}`)
	})
	test('what a board shows of dependencies is part of its state', async () => {
		const tag = (await get(`${t.path}/board`, t.owner)).headers.etag
		sql(`INSERT INTO dependencies (workspace_id, project_id, source_id, target_id, dependency_type)
		     VALUES (${lit(t.id)}, ${lit(t.project.id)}, ${lit(t.stories[1].id)}, ${lit(t.stories[2].id)}, 'blocks')`)
		const r = await get(`${t.path}/board`, { ...t.owner, headers: { 'If-None-Match': tag ?? 'x' } })
		assert.equal(r.status, 200)
		assert.ok(r.json.columns.flatMap(c => c.stories).find(s => s.id === t.stories[2].id).isBlocked)
	})
	test('a story is named by its version, and If-Match takes the name', async () => {
		const path = `${t.path}/stories/${t.stories[1].id}`
		const r = await get(path, t.owner)
		if (!r.headers.etag) return
		assert.equal(r.headers.etag, `W/"v${r.json.version}"`)
		const change = (tag, json = { title: 'By tag' }) => patch(path, { ...t.owner, json, headers: { 'If-Match': tag } })
		await refused(change('W/"v99"'), 409, 'version_conflict')
		assert.equal((await ok(change(r.headers.etag))).version, r.json.version + 1)
		for (const bad of ['', '*', 'W/"v"', 'W/"v-1"', 'W/"v1', 'v1', 'W/"v1x"', 'W/"v99999999999999999999"', 'W/"v0"']) await refused(change(bad), 422, 'validation_failed')
		const now = r.json.version + 1
		assert.equal((await ok(change(`W/"v${now}"`, { version: now, title: 'By both' }))).version, now + 1)
		for (const [tag, version] of [[1, now + 1], [now + 1, 1], [now + 1, null], [now + 1, String(now + 1)]]) {
			const error = await refused(change(`W/"v${tag}"`, { version, title: 'By neither' }), 422, 'validation_failed')
			assert.ok(pointers(error).every(p => p === '/version'), `${tag} ${version}: ${pointers(error)}`)
		}
		for (const body of ['null', '[]', '"x"', '1', '{'])
			await refused(patch(path, { ...t.owner, body, headers: { 'Content-Type': 'application/json', 'If-Match': 'W/"v1"' } }), 422, 'validation_failed')
	})
})

describe('001-144, 001-162: a write with a key', () => {
	test('happens once, however often it is sent', async () => {
		const key = unique(), from = count()
		const first = await keyed(key, { title: 'Once' })
		assert.equal(first.status, 201)
		assert.equal(first.headers['idempotent-replayed'], undefined)
		const was = state(t)
		for (let i = 0; i < 3; i++) {
			const again = await keyed(key, { title: 'Once' })
			assert.equal(again.status, 201)
			assert.deepEqual(again.json, first.json)
			assert.equal(again.headers['idempotent-replayed'], 'true')
		}
		assert.equal(state(t), was)
		assert.equal(count(), from + 1)
	})
	test('of ten sent at once one happens; the others are told to wait or get its answer', async () => {
		const key = unique(), from = count()
		const replies = await Promise.all(Array.from({ length: 10 }, () => keyed(key, { title: 'Race' })))
		assert.equal(count(), from + 1)
		for (const r of replies) if (r.status !== 201) await refused(r, 409, 'in_flight')
		const made = replies.filter(r => r.status === 201)
		assert.equal(new Set(made.map(r => r.json.id)).size, 1)
		assert.equal((await keyed(key, { title: 'Race' })).json.id, made[0].json.id)
	})
	test('is refused for another body, another address, another endpoint', async () => {
		const key = unique()
		await ok(keyed(key, { title: 'One' }), 201)
		const from = count()
		const error = await refused(keyed(key, { title: 'Two' }), 422)
		assert.equal(error.code, 'idempotency_key_reused')
		await refused(patch(`${t.path}/stories/${t.stories[0].id}`, { ...t.owner, json: { version: 1, title: 'x' }, headers: { 'Idempotency-Key': key } }), 422, 'idempotency_key_reused')
		assert.equal(count(), from)
	})
	test("is one's own", async () => {
		const key = unique(), from = count()
		await ok(keyed(key, { title: 'Mine' }), 201)
		await ok(keyed(key, { title: 'Mine' }, t.member), 201)
		assert.equal(count(), from + 2)
		const u = await tenant({ stories: 0 })
		await ok(post(`${u.path}/stories`, { ...u.owner, json: { title: 'Mine' }, headers: { 'Idempotency-Key': key } }), 201)
	})
	test('that was refused stores nothing and may be tried again', async () => {
		const key = unique(), from = count()
		await refused(keyed(key, { title: '' }), 422)
		await refused(keyed(key, { title: 'x' }, t.viewer), 403, 'forbidden')
		await refused(keyed(key, { title: 'x', assigneeId: '00000000-0000-7000-8000-000000000000' }), 422)
		await refused(patch(`${t.path}/stories/${t.stories[2].id}`, { ...t.owner, json: { version: 77, title: 'x' }, headers: { 'Idempotency-Key': key } }), 409, 'version_conflict')
		assert.equal(count(), from)
		await ok(keyed(key, { title: 'x' }), 201)
		assert.equal(count(), from + 1)
	})
	test('a refused one leaves no transaction open', async () => {
		for (let i = 0; i < 20; i++)
			await refused(patch(`${t.path}/stories/${t.stories[2].id}`, { ...t.owner, json: { version: 77, title: 'x' }, headers: { 'Idempotency-Key': unique() } }), 409, 'version_conflict')
		assert.equal(sql(`SELECT count(*) FROM pg_stat_activity WHERE usename = 'gnomon_web' AND state LIKE 'idle in transaction%' AND now() - state_change > interval '1 second'`), '0')
		await ok(patch(`${t.path}/stories/${t.stories[2].id}`, { ...t.owner, json: { version: 1, title: 'Free' } }))
	})
	test('is not believed when the right is gone', async () => {
		const key = unique()
		await ok(keyed(key, { title: 'Was allowed' }, t.member), 201)
		sql(`UPDATE workspace_members SET role = 'viewer' WHERE workspace_id = ${lit(t.id)} AND user_id = ${lit(t.member.id)}`)
		await refused(keyed(key, { title: 'Was allowed' }, t.member), 403, 'forbidden')
		sql(`UPDATE workspace_members SET role = 'member' WHERE workspace_id = ${lit(t.id)} AND user_id = ${lit(t.member.id)}`)
	})
	test('has bounds', async () => {
		await ok(keyed('k'.repeat(200 - 10) + unique(), { title: 'x' }), 201)
		for (const key of ['k'.repeat(201), 'a b', 'a"b', 'a,b', 'ä'])
			await refused(keyed(Buffer.from(key).toString('latin1'), { title: 'x' }), 422, 'validation_failed')
	})
	test('of a refused write is free when the refusal is heard', async () => {
		const key = unique()
		const story = `${t.path}/stories/${t.stories[0].id}`
		for (let i = 0; i < 40; i++)
			await refused(patch(story, { ...t.owner, json: { version: 1 << 30, title: 'x' }, headers: { 'Idempotency-Key': key } }), 409, 'version_conflict')
	})
	test('of a form, too', async () => {
		const { list: [insight] } = insights(t)
		const cookie = await browser(t.owner)
		const path = `/w/${t.slug}/insights/I-${insight.number}`
		const form = { action: 'acknowledge', version: '1', once: unique(), csrf: await csrf(cookie, `/w/${t.slug}/insights`) }
		const first = await post(path, { cookie, form, headers: { Origin: origin } })
		assert.equal(first.status, 303)
		const again = await post(path, { cookie, form, headers: { Origin: origin } })
		assert.equal(again.status, 303, again.text.slice(0, 200))
		assert.equal(again.headers.location, first.headers.location)
		assert.equal(sql(`SELECT version FROM agent_insights WHERE id = ${lit(insight.id)}`), '2')
	})
})

test('no origin is let in that nobody named', async () => {
	for (const method of ['GET', 'OPTIONS']) {
		const r = await call(method, `${t.path}/board`, { ...t.owner, headers: { Origin: 'https://evil.example', 'Access-Control-Request-Method': 'GET' } })
		assert.equal(r.headers['access-control-allow-origin'], undefined)
		assert.equal(r.headers['access-control-allow-credentials'], undefined)
	}
})
