// The board: one meaning of "blocked" for API and page, and an ETag that moves
// with everything the board shows.
import { before, describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { assert, browser, get, join, lit, newUser, ok, patch, post, newKey, sql, tenant } from './lib.mjs'

const card = async (t, number) =>
	(await ok(get(`${t.path}/board`, t.owner))).columns.flatMap(c => c.stories).find(s => s.number === number)

const depend = (t, source, target, type) =>
	sql(`INSERT INTO dependencies (workspace_id, project_id, source_id, target_id, dependency_type)
		VALUES (${lit(t.id)}, ${lit(t.project.id)}, ${lit(source.id)}, ${lit(target.id)}, ${lit(type)})`)

test('a story waits for what blocks it and for what it requires, here and on the page', async () => {
	const t = await tenant({ stories: 4 })
	const [a, b, c, d] = t.stories
	depend(t, a, b, 'blocks')
	depend(t, c, d, 'requires')
	const cookie = await browser(t.owner)
	const page = async () => (await get(`/w/${t.slug}/p/${t.project.key}/board`, { cookie })).text
	assert.deepEqual(await Promise.all(t.stories.map(async s => (await card(t, s.number)).isBlocked)), [false, true, true, false])
	assert.equal((await page()).match(/Waits for/g).length, 2)
	await ok(patch(`${t.path}/stories/${a.id}`, { ...t.owner, json: { version: 1, status: 'done' } }))
	assert.equal((await card(t, b.number)).isBlocked, false)
	assert.equal((await page()).match(/Waits for/g).length, 1)
})

test('an ETag is not good after the blocker is done', async () => {
	const t = await tenant({ stories: 2 })
	depend(t, t.stories[0], t.stories[1], 'blocks')
	const was = await get(`${t.path}/board`, t.owner)
	const again = () => get(`${t.path}/board`, { ...t.owner, headers: { 'If-None-Match': was.headers.etag } })
	assert.equal((await again()).status, 304)
	await ok(patch(`${t.path}/stories/${t.stories[0].id}`, { ...t.owner, json: { version: 1, status: 'done' } }))
	assert.equal((await again()).status, 200)
})

test('a dependency stays inside its project', async () => {
	const t = await tenant({ stories: 1 })
	const other = await ok(post(`${t.base}/projects`, { ...t.owner, json: { key: newKey(), name: 'Another' } }), 201)
	const there = await ok(post(`/api/v1/projects/${other.id}/stories`, { ...t.owner, json: { title: 'There' } }), 201)
	assert.throws(() => depend(t, there, t.stories[0], 'blocks'), /both ends are of its project/)
})

// What a project may hold by the documents, as people use it: ten at a time, and
// somebody always writes, so that no board is the one of before.
describe('a project of 2,000 stories', () => {
	const N = 2000
	let t, cookie, people
	before(async () => {
		t = await tenant({ stories: 1 })
		people = await Promise.all(Array.from({ length: 10 }, (_, i) => newUser(`Reader ${i}`)))
		for (const who of people) join(t.id, who, 'member')
		sql(`INSERT INTO stories (workspace_id, project_id, title, status, priority, estimate, assignee_id)
		     SELECT ${lit(t.id)}, ${lit(t.project.id)}, 'Story of some length that says what is to be done, number ' || g, (ARRAY['backlog','ready','in_progress','review','done'])[1 + g % 5],
		            (ARRAY['low','medium','high','urgent'])[1 + g % 4], g % 13, (ARRAY[${people.map(p => lit(p.id))}]::uuid[])[1 + g % 10]
		       FROM generate_series(2, ${N}) g; ANALYZE stories`)
		cookie = await browser(t.owner)
	})
	test('001-163: ten people at once have the board within 200 ms, 95 times of 100', async c => {
		// what needs no database, in turns: where that is late, too, the machine is too busy to judge by
		const [boards, others] = [[], []]
		const timed = async (list, ask) => {
			const from = performance.now()
			await ask()
			list.push(performance.now() - from)
		}
		let version = 1, going = true
		const writer = (async () => {
			for (; going; version++) await ok(patch(`${t.path}/stories/${t.stories[0].id}`, { ...t.owner, json: { version, title: `Version ${version}` } }))
		})()
		await Promise.all(people.map(async who => {
			for (let i = 0; i < 8; i++) {
				await timed(boards, () => ok(get(`${t.path}/board`, who)))
				await timed(others, () => get('/api/v1/nothing', who))
				await new Promise(r => setTimeout(r, 300)) // people look at what they got
			}
		}))
		going = false
		await writer
		const p95 = list => list.sort((x, y) => x - y)[Math.floor(list.length * 0.95)]
		const [board, other] = [p95(boards), p95(others)]
		c.diagnostic(`p95 of ${boards.length} boards with ${version} writes meanwhile: ${board.toFixed(0)} ms; of what needs no database: ${other.toFixed(0)} ms`)
		assert.ok(board < 200 || other > 40, `${board} ms, ${other} ms`)
	})
	test('001-166: the API has all of them, the page fifty a column and stays small', async () => {
		const { columns } = await ok(get(`${t.path}/board`, t.owner))
		assert.equal(columns.reduce((n, c) => n + c.stories.length, 0), N)
		assert.deepEqual(columns.map(c => c.count), columns.map(c => c.stories.length))
		const base = `/w/${t.slug}/p/${t.project.key}`
		const { status, text } = await get(`${base}/board`, { cookie })
		assert.equal(status, 200)
		assert.equal(text.match(/<li id="/g).length, 250)
		assert.match(text, /Show all 400/)
		for (const path of ['/board', '/backlog', '/stories', '']) {
			const page = await get(`${base}${path}`, { cookie })
			assert.equal(page.status, 200, path)
			const most = path === '/board' ? 20 : 8 // five lists of fifty
			assert.ok(gzipSync(page.text).length <= most * 1024, `${path}: ${gzipSync(page.text).length} bytes`)
		}
		// one more is taken: the number is what is promised, not a wall
		await ok(post(`${t.path}/stories`, { ...t.owner, json: { title: 'One more' } }), 201)
	})
})
