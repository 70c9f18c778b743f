// The board: one meaning of "blocked" for API and page, and an ETag that moves
// with everything the board shows.
import { test } from 'node:test'
import { assert, browser, get, lit, ok, patch, post, newKey, sql, tenant } from './lib.mjs'

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
