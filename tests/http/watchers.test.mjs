// Watchers: who makes, is given or comments on a thing hears of it, and whoever
// asks to; until they stop.
import { before, test } from 'node:test'
import { assert, call, get, lit, ok, patch, post, refused, rows, sprint, sql, tenant } from './lib.mjs'

let t
const watchers = async (path, who = t.owner) => (await ok(get(`${path}/watchers`, who))).items.map(w => w.id)
const story = async (json, who = t.owner) => {
	const made = await ok(post(`${t.path}/stories`, { ...who, json: { title: 'Watched', ...json } }), 201)
	return { ...made, path: `${t.path}/stories/${made.id}` }
}

before(async () => {
	t = await tenant({ roles: ['member', 'viewer'] })
})

test('whoever makes a story watches it, and who is given it', async () => {
	const s = await story({ assigneeId: t.member.id })
	assert.deepEqual((await watchers(s.path)).sort(), [t.owner.id, t.member.id].sort())
	const other = await story({})
	assert.deepEqual(await watchers(other.path), [t.owner.id])
	await ok(patch(other.path, { ...t.owner, json: { version: 1, assigneeId: t.viewer.id } }))
	assert.deepEqual((await watchers(other.path)).sort(), [t.owner.id, t.viewer.id].sort())
	await ok(patch(other.path, { ...t.owner, json: { version: 2, assigneeId: null } }))
	assert.equal((await watchers(other.path)).length, 2, 'taking it away ends nothing')
})

test('whoever comments watches', async () => {
	const s = await story({})
	await ok(post(`${s.path}/comments`, { ...t.member, json: { body: 'Mine too' } }), 201)
	assert.deepEqual((await watchers(s.path)).sort(), [t.owner.id, t.member.id].sort())
})

test('PUT watches, DELETE stops, both as often as one likes, and only for oneself', async () => {
	const { number } = sprint(t)
	const epic = sql(`INSERT INTO epics (workspace_id, project_id, title) VALUES (${lit(t.id)}, ${lit(t.project.id)}, 'Epic') RETURNING number`)
	const objective = await ok(post(`${t.base}/objectives`, { ...t.owner, json: { title: 'O', startDate: '2026-10-01', endDate: '2026-12-31' } }), 201)
	for (const path of [(await story({})).path, `${t.path}/epics/E-${epic}`, `${t.path}/sprints/${number}`, `${t.base}/objectives/${objective.key}`]) {
		const before_ = await watchers(path)
		for (let i = 0; i < 2; i++) assert.equal((await call('PUT', `${path}/watch`, t.viewer)).status, 204)
		assert.deepEqual(await watchers(path), [...before_, t.viewer.id])
		for (let i = 0; i < 2; i++) assert.equal((await call('DELETE', `${path}/watch`, t.viewer)).status, 204)
		assert.deepEqual(await watchers(path), before_)
	}
})

test('an objective is watched by who makes it and by its owner', async () => {
	const made = await ok(post(`${t.base}/objectives`, { ...t.member, json: { title: 'O', startDate: '2026-10-01', endDate: '2026-12-31', ownerId: t.viewer.id } }), 201)
	assert.deepEqual((await watchers(`${t.base}/objectives/${made.key}`)).sort(), [t.member.id, t.viewer.id].sort())
})

test('of what is hidden nobody learns who watches it, nor starts to', async () => {
	const s = await story({})
	sql(`UPDATE projects SET is_private = true WHERE id = ${lit(t.project.id)}`)
	await refused(get(`${s.path}/watchers`, t.viewer), 404, 'not_found')
	await refused(call('PUT', `${s.path}/watch`, t.viewer), 404, 'not_found')
	sql(`UPDATE projects SET is_private = false WHERE id = ${lit(t.project.id)}`)
	assert.deepEqual(rows(`SELECT user_id FROM watchers WHERE entity_id = ${lit(s.id)} AND user_id = ${lit(t.viewer.id)}`), [])
})

test('who leaves the workspace watches nothing there', async () => {
	const s = await story({})
	assert.equal((await call('PUT', `${s.path}/watch`, t.viewer)).status, 204)
	assert.equal((await watchers(s.path)).length, 2)
	assert.ok((await call('DELETE', `${t.base}/members/${t.viewer.id}`, t.owner)).status < 300)
	assert.deepEqual(await watchers(s.path), [t.owner.id])
})

test('who left is named by nobody, and found by no search', async () => {
	const s = await story({})
	const name = `Gone${Date.now().toString(36)}`
	sql(`UPDATE users SET name = ${lit(name)} WHERE id = ${lit(t.viewer.id)}`)
	const made = await ok(post(`${s.path}/comments`, { ...t.owner, json: { body: `@${name}` } }), 201)
	assert.deepEqual(made.mentions, [])
	assert.ok(!(await ok(get(`${t.base}/search?q=${name}`, t.owner))).items.some(h => h.type === 'person'))
})
