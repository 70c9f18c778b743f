// Lists: pages forward and back, orders, limits, cursors, filters and counts.
import { before, describe, test } from 'node:test'
import { assert, browser, get, insights, lit, newKey, ok, pointers, post, randomUUID, refused, rows, sprint, sql, tenant } from './lib.mjs'

const N = 237
const orders = { newest: (x, y) => (x.id < y.id ? 1 : -1), oldest: (x, y) => (x.id < y.id ? -1 : 1), number: (x, y) => x.number - y.number }
const statuses = ['backlog', 'ready', 'in_progress', 'review', 'done']
const priorities = ['low', 'medium', 'high', 'urgent']
let t, all, stories, epic, team

const list = (query = '') => get(`${stories}?${query}`, t.owner)
const page = async query => ok(list(query))

before(async () => {
	t = await tenant({ roles: ['member'], stories: 0 })
	stories = `${t.path}/stories`
	epic = sql(`INSERT INTO epics (workspace_id, project_id, title) VALUES (${lit(t.id)}, ${lit(t.project.id)}, 'Epic') RETURNING id`)
	// a shuffled position, so that no order is the order of insertion by chance
	sql(`INSERT INTO stories (workspace_id, project_id, title, status, priority, estimate, assignee_id, epic_id, id)
	     SELECT ${lit(t.id)}, ${lit(t.project.id)}, CASE WHEN g % 10 = 0 THEN 'Zebra 100% _' || g ELSE 'Story ' || g END,
	            (ARRAY[${statuses.map(lit)}])[1 + g % 5], (ARRAY[${priorities.map(lit)}])[1 + g % 4], CASE WHEN g % 3 = 0 THEN g % 13 END,
	            CASE g % 3 WHEN 0 THEN ${lit(t.owner.id)}::uuid WHEN 1 THEN ${lit(t.member.id)}::uuid END, CASE WHEN g % 7 = 0 THEN ${lit(epic)}::uuid END,
	            gen_random_uuid()
	       FROM generate_series(1, ${N}) g`)
	all = rows(`SELECT id, number, title, status, priority, estimate, assignee_id, epic_id FROM stories WHERE workspace_id = ${lit(t.id)}`)
})

describe('walking', () => {
	for (const [order, by] of Object.entries(orders))
		for (const limit of [1, 7, 50, 118, 119, 200])
			if (limit > 1 || order === 'newest')
				test(`${order}, ${limit} at a time, forward and back`, async () => {
					const wanted = [...all].sort(by).map(s => s.id)
					const forward = [], starts = []
					let cursor = ''
					for (let i = 0; ; i++) {
						const p = await page(`order=${order}&limit=${limit}${cursor}`)
						assert.equal(p.previous === null, i === 0)
						forward.push(...p.items.map(s => s.id))
						starts.push(p)
						assert.ok(p.items.length === limit || p.next === null)
						if (!p.next) break
						cursor = `&cursor=${encodeURIComponent(p.next)}`
						assert.ok(i < N)
					}
					assert.deepEqual(forward, wanted)
					// and from the last page back to the first
					let p = starts.at(-1)
					const back = p.items.map(s => s.id)
					while (p.previous) {
						p = await page(`order=${order}&limit=${limit}&cursor=${encodeURIComponent(p.previous)}`)
						assert.ok(p.next, 'whoever goes back can go forward')
						back.unshift(...p.items.map(s => s.id))
						assert.ok(back.length <= N)
					}
					assert.deepEqual(back, wanted)
				})
	test('an order may be named by its column', async () => {
		assert.deepEqual(await page('sort=number:asc'), await page('order=number'))
		assert.deepEqual(await page('sort=number'), await page('order=number'))
		assert.deepEqual(await page('sort=id:desc'), await page('order=newest'))
		assert.deepEqual((await page('sort=id:asc')).items, (await page('order=oldest')).items)
	})
	test('limits that divide the list evenly end without an empty page', async () => {
		const first = await page('order=number&limit=79')
		const second = await page(`order=number&limit=79&cursor=${encodeURIComponent(first.next)}`)
		const third = await page(`order=number&limit=79&cursor=${encodeURIComponent(second.next)}`)
		assert.equal(third.items.length, 79)
		assert.equal(third.next, null)
	})
	test('there and back again is where one was', async () => {
		const first = await page('limit=20')
		const second = await page(`limit=20&cursor=${encodeURIComponent(first.next)}`)
		const again = await page(`limit=20&cursor=${encodeURIComponent(second.previous)}`)
		assert.deepEqual(again.items, first.items)
		assert.equal(again.previous, null)
		assert.deepEqual((await page(`limit=20&cursor=${encodeURIComponent(again.next)}`)).items, second.items)
	})
	test('what is added meanwhile moves nothing that was seen', async () => {
		const u = await tenant({ stories: 5 })
		const one = await ok(get(`${u.path}/stories?order=newest&limit=2`, u.owner))
		await ok(post(`${u.path}/stories`, { ...u.owner, json: { title: 'New' } }), 201)
		const two = await ok(get(`${u.path}/stories?order=newest&limit=2&cursor=${encodeURIComponent(one.next)}`, u.owner))
		assert.deepEqual([...one.items, ...two.items].map(s => s.number), [5, 4, 3, 2])
		const back = await ok(get(`${u.path}/stories?order=newest&limit=2&cursor=${encodeURIComponent(two.previous)}`, u.owner))
		assert.deepEqual(back.items.map(s => s.number), [5, 4])
		assert.ok(back.previous) // there is a newer one now
	})
	test('a list of nothing is a page of nothing', async () => {
		assert.deepEqual(await page('q=no-such-words'), { items: [], next: null, previous: null })
	})
})

describe('limits', () => {
	test('fifty are the default, 200 the most', async () => {
		assert.equal((await page()).items.length, 50)
		assert.equal((await page('limit=')).items.length, 50)
		assert.equal((await page('limit=200')).items.length, 200)
		assert.equal((await page('limit=1')).items.length, 1)
	})
	for (const limit of ['0', '-1', '201', '1e2', '1.5', '0x10', 'all', ' 5', '+5', '99999999999999999999'])
		test(`limit=${limit} is refused`, async () => {
			const error = await refused(get(`${stories}?limit=${encodeURIComponent(limit)}`, t.owner), 422, 'validation_failed')
			assert.deepEqual(pointers(error), ['limit'])
		})
})

describe('cursors', () => {
	let cursor
	before(async () => {
		cursor = (await page('limit=10&status=done')).next
	})
	const tries = {
		'another filter': () => `limit=10&status=ready&cursor=${encodeURIComponent(cursor)}`,
		'no filter': () => `limit=10&cursor=${encodeURIComponent(cursor)}`,
		'one filter more': () => `limit=10&status=done&priority=low&cursor=${encodeURIComponent(cursor)}`,
		'another order': () => `limit=10&status=done&order=number&cursor=${encodeURIComponent(cursor)}`,
		'its first letter changed': () => `limit=10&status=done&cursor=${cursor[0] === 'A' ? 'B' : 'A'}${cursor.slice(1)}`,
		'its last letter gone': () => `limit=10&status=done&cursor=${cursor.slice(0, -1)}`,
		'a letter more': () => `limit=10&status=done&cursor=${cursor}A`,
		'no seal': () => `limit=10&status=done&cursor=${cursor.split('.')[0]}`,
		'an empty seal': () => `limit=10&status=done&cursor=${cursor.split('.')[0]}.`,
		"a seal of one's own": () => `limit=10&status=done&cursor=${Buffer.from('["newest",false,"x","y"]').toString('base64url')}.${'A'.repeat(43)}`,
		'the access token': () => `limit=10&status=done&cursor=${t.owner.token}`,
		'a number': () => 'limit=10&status=done&cursor=10',
		'a long one': () => `limit=10&status=done&cursor=${'A'.repeat(5000)}.${'A'.repeat(43)}`,
	}
	test('are good for their list with another limit', async () => {
		assert.equal((await page(`limit=5&status=done&cursor=${encodeURIComponent(cursor)}`)).items.length, 5)
	})
	for (const [what, query] of Object.entries(tries))
		test(`${what}: refused`, async () => {
			const error = await refused(list(query()), 422, 'validation_failed')
			assert.deepEqual(pointers(error), ['cursor'])
		})
	test('of another list are refused', async () => {
		insights(t, 3)
		const other = (await ok(get(`${t.base}/insights?limit=1`, t.owner))).next
		await refused(list(`limit=10&cursor=${encodeURIComponent(other)}`), 422)
	})
	test("show nothing of another's project", async () => {
		const u = await tenant({ stories: 3 })
		const any = (await page('limit=10&order=oldest')).next
		const r = await get(`${u.path}/stories?order=oldest&limit=200&cursor=${encodeURIComponent(any)}`, u.owner)
		if (r.status === 200) for (const s of r.json.items) assert.ok(u.stories.some(x => x.id === s.id))
		else await refused(r, 422)
	})
})

describe('filters', () => {
	const expect = async (query, keep) => {
		const p = await page(`limit=200&order=number&${query}`)
		const wanted = all.filter(keep).sort(orders.number)
		assert.ok(wanted.length > 0 && wanted.length < N && wanted.length <= 200, `${query}: ${wanted.length} wanted`)
		assert.deepEqual(p.items.map(s => s.number), wanted.map(s => s.number))
		assert.equal(p.next, null)
	}
	for (const status of statuses) test(`status=${status}`, () => expect(`status=${status}`, s => s.status === status))
	for (const priority of priorities) test(`priority=${priority}`, () => expect(`priority=${priority}`, s => s.priority === priority))
	test('two values, with a comma or twice', async () => {
		await expect('status=done,review', s => ['done', 'review'].includes(s.status))
		await expect('status=done&status=review', s => ['done', 'review'].includes(s.status))
		await expect('status=done,done', s => s.status === 'done')
		await expect('status=done%2Creview', s => ['done', 'review'].includes(s.status))
	})
	test('an empty one is none', async () => {
		assert.equal((await page('status=&priority=&q=&assigneeId=&limit=200')).items.length, 200)
	})
	test('by person, by epic, by sprint', async () => {
		await expect(`assigneeId=${t.member.id}`, s => s.assignee_id === t.member.id)
		await expect(`assigneeId=${t.member.id.toUpperCase()}`, s => s.assignee_id === t.member.id)
		await expect(`epicId=${epic}`, s => s.epic_id === epic)
		const { id } = sprint(t)
		sql(`UPDATE sprint_items i SET removed_at = now() FROM stories s WHERE s.id = i.story_id AND s.number % 2 = 0 AND i.sprint_id = ${lit(id)}`)
		await expect(`sprintId=${id}`, s => s.number % 2 === 1)
		for (const name of ['assigneeId', 'epicId', 'sprintId']) assert.deepEqual((await page(`${name}=${randomUUID()}`)).items, [])
	})
	test('words are found whatever their case, and are no pattern', async () => {
		await expect('q=zebra', s => s.title.startsWith('Zebra'))
		await expect('q=ZEBRA', s => s.title.startsWith('Zebra'))
		await expect('q=100%25', s => s.title.includes('100%'))
		await expect('q=%20_1', s => s.title.includes(' _1'))
		for (const q of ['Story%', 'St_ry', 'Story\\', '^Story', "'", '"', '(', '.*', ';', '--', '$1', ':q', '{q}', '%', '\\', '||'])
			assert.equal((await page(`q=${encodeURIComponent(q)}&limit=200`)).items.length, all.filter(s => s.title.includes(q)).length, q)
	})
	test('any combination, page by page', async () => {
		const combinations = []
		for (const status of [null, 'done', 'done,ready'])
			for (const priority of [null, 'low', 'high,urgent'])
				for (const assigneeId of [null, t.owner.id])
					for (const q of [null, 'zebra'])
						for (const epicId of [null, epic]) combinations.push({ status, priority, assigneeId, q, epicId })
		await Promise.all(combinations.map(async c => {
			const query = Object.entries(c).filter(([, v]) => v).map(([k, v]) => `${k}=${encodeURIComponent(v)}`).join('&')
			const wanted = all.filter(s => (!c.status || c.status.split(',').includes(s.status)) && (!c.priority || c.priority.split(',').includes(s.priority))
				&& (!c.assigneeId || s.assignee_id === c.assigneeId) && (!c.q || s.title.toLowerCase().includes(c.q)) && (!c.epicId || s.epic_id === c.epicId))
			const found = []
			for (let cursor = ''; ;) {
				const p = await page(`order=number&limit=23&${query}${cursor}`)
				found.push(...p.items.map(s => s.number))
				if (!p.next) break
				cursor = `&cursor=${encodeURIComponent(p.next)}`
			}
			assert.deepEqual(found, wanted.map(s => s.number).sort((x, y) => x - y), query)
		}))
	})
	for (const [query, pointer] of [['status=closed', 'status'], ['status=done,closed', 'status'], ['status=DONE', 'status'], ['status= done', 'status'], ['priority=1', 'priority'],
		['assigneeId=me', 'assigneeId'], ['epicId=1', 'epicId'], ['q=' + 'x'.repeat(201), 'q'], ['q=a&q=b', 'q'], ['order=random', 'order'], ['order=id; DROP TABLE stories', 'order'],
		['Status=done', '?Status'], ['sort=title', 'sort'], ['sort=number:up', 'sort'], ['sort=number:desc', 'sort'], ['status[]=done', '?status[]']])
		test(`${query.slice(0, 30)} is refused by name`, async () => {
			const error = await refused(get(`${stories}?${encodeURI(query)}`, t.owner), 422, 'validation_failed')
			assert.deepEqual(pointers(error), [pointer])
		})
	test('every fault is told at once', async () => {
		const error = await refused(list('status=x&priority=y&limit=0&order=z&nothing=1'), 422)
		assert.deepEqual(pointers(error).sort(), ['?nothing', 'limit', 'order', 'priority', 'status'])
	})
	test('200 letters are letters, not bytes', async () => {
		assert.deepEqual((await page(`q=${encodeURIComponent('ü'.repeat(200))}`)).items, [])
	})
})

describe('the same numbers everywhere', () => {
	test('the board has every story once, in its column', async () => {
		const board = await ok(get(`${t.path}/board`, t.owner))
		assert.deepEqual(board.columns.map(c => c.status), statuses)
		for (const column of board.columns) {
			const wanted = all.filter(s => s.status === column.status)
			assert.equal(column.count, wanted.length)
			assert.equal(column.points, wanted.reduce((sum, s) => sum + (s.estimate ?? 0), 0))
			assert.deepEqual(column.stories.map(s => s.number).sort(), wanted.map(s => s.number).sort())
			for (const s of column.stories) assert.equal(s.key, `${t.project.key}-${s.number}`)
		}
	})
	test('an empty board has its columns', async () => {
		const empty = await ok(post(`${t.base}/projects`, { ...t.owner, json: { key: newKey(), name: `Empty ${newKey()}` } }), 201)
		const board = await ok(get(`/api/v1/projects/${empty.key}/board`, t.owner))
		assert.deepEqual(board.columns.map(c => [c.count, c.points, c.stories]), statuses.map(() => [0, 0, []]))
	})
	test('a line and its story agree', async () => {
		for (const line of (await page('limit=20')).items) {
			const story = await ok(get(`${stories}/${line.key}`, t.owner))
			for (const [field, value] of Object.entries(line)) assert.deepEqual(story[field], value, field)
		}
	})
	test('a page shows what the API lists; its other doors are the same list', async () => {
		const cookie = await browser(t.owner)
		const path = `/w/${t.slug}/p/${t.project.key}/stories`
		const data = await ok(get(`${path}.json?status=done&limit=200&order=number`, { cookie }))
		assert.deepEqual(data.items, (await page('status=done&limit=200&order=number')).items)
		for (const door of ['json', 'csv']) {
			await refused(get(`${path}.${door}?limit=0`, { cookie }), 422, 'validation_failed')
			await refused(get(`${path}x.${door}`, { cookie }), 404, 'not_found')
			await refused(get(`/w/nobody/p/X/stories.${door}`, { cookie }), 404, 'not_found')
			await refused(get(`${path}.${door}`), 401, 'unauthenticated')
			await refused(post(`${path}.${door}`, { cookie }), 405, 'method_not_allowed')
		}
		const csv = await get(`${path}.csv?status=done&limit=200&order=number`, { cookie })
		assert.match(csv.headers['content-type'], /^text\/csv/)
		const lines = csv.text.trimEnd().split('\r\n')
		assert.equal(lines.length, 1 + data.items.length)
		assert.ok(lines[0].startsWith('id,number,key,title'))
		data.items.forEach((s, i) => assert.ok(lines[i + 1].startsWith(`${s.id},${s.number},${s.key},`)))
	})
	test('a page back is the same page through every door', async () => {
		const cookie = await browser(t.owner)
		const door = (kind, cursor) => get(`/w/${t.slug}/p/${t.project.key}/stories.${kind}?limit=3&cursor=${cursor}`, { cookie })
		const second = await ok(door('json', (await ok(door('json', ''))).next))
		const first = await ok(door('json', second.previous))
		const lines = (await door('csv', second.previous)).text.trimEnd().split('\r\n').slice(1)
		assert.deepEqual(lines.map(line => line.split(',')[0]), first.items.map(s => s.id))
	})
	test('a spreadsheet takes nothing for a formula', async () => {
		const u = await tenant({ stories: 0 })
		const evil = ['=1+1', '+1', '-1+1', '@SUM(A1)', '\t=1', '\r=1', '"=1"', 'a,"b"\nc', '=HYPERLINK("http://evil")']
		for (const title of evil) await ok(post(`${u.path}/stories`, { ...u.owner, json: { title } }), 201)
		const { text } = await get(`/w/${u.slug}/p/${u.project.key}/stories.csv`, { cookie: await browser(u.owner) })
		for (const cell of text.match(/("(?:[^"]|"")*"|[^,\r\n]*)(?=,|\r\n)/g))
			assert.ok(!/^"?[=@\t\r]/.test(cell) && !/^"?[+-](?![\d.]+"?$)/.test(cell), JSON.stringify(cell))
		assert.ok(text.includes('"a,""b""\nc"'))
	})
})
