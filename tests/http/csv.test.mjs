// Lists of the API as CSV: the same rows behind .csv and by Accept, whole, in
// the shape of RFC 4180, with nothing a spreadsheet would run.
import { before, describe, test } from 'node:test'
import { assert, call, get, lit, ok, post, refused, sql, tenant } from './lib.mjs'

let t
const evil = ['=1+1', '+SUM(A1)', '-2+3', '@x', '\tx', 'plain', 'a,"b"\nc', ' spaces ', 'Zoë 東京']

/** RFC 4180, read strictly. */
function parse(text) {
	const rows = [[]]
	const field = /("(?:[^"]|"")*"|[^",\r\n]*)(,|\r\n)/gy
	while (field.lastIndex < text.length) {
		const found = field.exec(text)
		assert.ok(found, 'no RFC 4180')
		rows.at(-1).push(found[1].startsWith('"') ? found[1].slice(1, -1).replaceAll('""', '"') : found[1])
		if (found[2] === '\r\n') rows.push([])
	}
	assert.deepEqual(rows.pop(), [])
	return rows
}

before(async () => {
	t = await tenant({ roles: ['viewer'], stories: 0 })
	for (const title of evil) await ok(post(`${t.path}/stories`, { ...t.owner, json: { title, estimate: 2.5 } }), 201)
})

describe('a list as CSV', () => {
	test('behind .csv and by Accept, with the headers that name it', async () => {
		for (const r of [await get(`${t.path}/stories.csv`, t.viewer), await get(`${t.path}/stories`, { ...t.viewer, headers: { Accept: 'text/csv' } })]) {
			assert.equal(r.status, 200, r.text)
			assert.equal(r.headers['content-type'], 'text/csv; charset=utf-8; header=present')
			assert.equal(r.headers['content-disposition'], 'attachment; filename="stories.csv"')
			const [header, ...rows] = parse(r.text)
			const { items } = await ok(get(`${t.path}/stories`, t.viewer))
			assert.deepEqual(rows.map(row => row[header.indexOf('id')]), items.map(s => s.id))
			assert.deepEqual(rows.map(row => row[header.indexOf('estimate')]), items.map(() => '2.5'))
			assert.ok(header.includes('assignee.name'))
		}
		assert.match((await get(`${t.path}/stories`, { ...t.viewer, headers: { Accept: 'application/json, text/csv' } })).headers['content-type'], /json/)
	})
	test('with no cell that a spreadsheet would run, and every other as it is', async () => {
		const [header, ...rows] = parse((await get(`${t.path}/stories.csv?order=oldest`, t.viewer)).text)
		assert.deepEqual(rows.map(row => row[header.indexOf('title')]),
			["'=1+1", "'+SUM(A1)", "'-2+3", "'@x", "'\tx", 'plain', 'a,"b"\nc', ' spaces ', 'Zoë 東京'])
	})
	test('with a byte order mark when asked', async () => {
		assert.ok((await get(`${t.path}/stories.csv?bom=true`, t.viewer)).text.startsWith('\ufeffid,'))
		assert.ok((await get(`${t.path}/stories.csv`, t.viewer)).text.startsWith('id,'))
		await refused(get(`${t.path}/stories?bom=true`, t.viewer), 422, 'validation_failed')
	})
	test('whole up to 2,000 rows, then by links, each row once', async () => {
		const u = await tenant({ stories: 0 })
		sql(`INSERT INTO stories (workspace_id, project_id, title) SELECT ${lit(u.id)}, ${lit(u.project.id)}, 'S' || g FROM generate_series(1, 2050) g`)
		const seen = []
		let path = `${u.path}/stories.csv?order=number`
		const sizes = []
		while (path) {
			const r = await get(path, u.owner)
			const [, ...rows] = parse(r.text)
			sizes.push(rows.length)
			seen.push(...rows.map(row => Number(row[1])))
			path = /^<([^>]+)>; rel="next"$/.exec(r.headers.link ?? '')?.[1]
		}
		assert.deepEqual(sizes, [2000, 50])
		assert.deepEqual(seen, Array.from({ length: 2050 }, (_, i) => i + 1))
		await refused(get(`${u.path}/stories.csv?limit=2001`, u.owner), 422, 'validation_failed')
		await refused(get(`${u.path}/stories?limit=201`, u.owner), 422, 'validation_failed')
	})
	test('filtered and refused like the JSON', async () => {
		assert.equal(parse((await get(`${t.path}/stories.csv?status=done`, t.viewer)).text).length, 1)
		await refused(get(`${t.path}/stories.csv?status=finished`, t.viewer), 422, 'validation_failed')
		await refused(get(`${t.path}/stories.csv`), 401, 'unauthenticated')
		await refused(get(`${t.path}/stories.csv`, (await tenant()).owner), 404, 'not_found')
		await refused(call('POST', `${t.path}/stories.csv`, { ...t.owner, json: { title: 'x' } }), 404, 'not_found')
	})
	test('also of events, sprints, members and projects; a thing has none', async () => {
		for (const path of [`${t.path}/events`, `${t.path}/sprints`, `${t.base}/members`, `${t.base}/projects`, `${t.base}/insights`]) {
			const r = await get(`${path}.csv`, t.owner)
			assert.equal(r.status, 200, path)
			assert.ok(parse(r.text)[0].length > 3, path)
		}
		await refused(get(`${t.path}/board.csv`, t.owner), 404, 'not_found')
		await refused(get(`${t.path}.csv`, t.owner), 404, 'not_found')
		assert.equal((await get(`${t.path}/board`, { ...t.owner, headers: { Accept: 'text/csv' } })).json.columns.length, 5)
	})
})
