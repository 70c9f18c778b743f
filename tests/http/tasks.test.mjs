// Tasks: the steps of a story.
import { before, test } from 'node:test'
import { assert, call, get, lit, ok, patch, pointers, post, randomUUID, refused, revision, rows, sql, tenant } from './lib.mjs'

const del = (path, options) => call('DELETE', path, options)
let t, tasks
const create = (json, user = t.owner) => post(`${t.path}/tasks`, { ...user, json })
const one = i => `${t.path}/tasks/${tasks[i].id}`
const story = async i => ok(get(`${t.path}/stories/${t.stories[i].id}`, t.owner))
const titles = async () => (await story(0)).tasks.map(x => x.title)

before(async () => {
	t = await tenant({ roles: ['member', 'viewer'], stories: 2 })
	tasks = []
	for (const title of ['First', 'Second', 'Third']) tasks.push(await ok(create({ storyId: t.stories[0].id, title }), 201))
})

test('001-065, 001-060: a task is made below its story, which shows it', async () => {
	assert.deepEqual(tasks[0].story, { id: t.stories[0].id, key: `${t.project.key}-1` })
	const whole = await story(0)
	assert.deepEqual(whole.tasks.map(x => [x.title, x.status]), [['First', 'todo'], ['Second', 'todo'], ['Third', 'todo']])
	assert.deepEqual([whole.taskCount, whole.taskDoneCount, whole.version], [3, 0, 1]) // no edit of the story
	await refused(create({ storyId: t.stories[0].id, title: 'x' }, t.viewer), 403, 'forbidden')
	const u = await tenant({ stories: 1 })
	for (const [json, pointer] of [[{ storyId: randomUUID(), title: 'x' }, '/storyId'], [{ storyId: u.stories[0].id, title: 'x' }, '/storyId'], [{ storyId: t.stories[0].id, title: '' }, '/title'],
		[{ title: 'x' }, '/storyId'], [{ storyId: t.stories[0].id, title: 'x', status: 'review' }, '/status']])
		assert.deepEqual(pointers(await refused(create(json), 422, 'validation_failed')), [pointer])
})

test('001-066: tasks are filtered by story, status, assignee', async () => {
	await ok(create({ storyId: t.stories[1].id, title: 'Elsewhere', assigneeId: t.member.id, status: 'in_progress' }), 201)
	const list = async query => (await ok(get(`${t.path}/tasks?${query}`, t.owner))).items.map(x => x.title)
	assert.deepEqual(await list(''), ['First', 'Second', 'Third', 'Elsewhere'])
	assert.deepEqual(await list(`storyId=${t.stories[1].id}`), ['Elsewhere'])
	assert.deepEqual(await list('status=todo,done'), ['First', 'Second', 'Third'])
	assert.deepEqual(await list(`assigneeId=${t.member.id}`), ['Elsewhere'])
	assert.deepEqual(await list('assigneeId=none&order=newest'), ['Third', 'Second', 'First'])
})

test('001-067: a change is sparse and versioned; the cards count it', async () => {
	const changed = await ok(patch(one(0), { ...t.member, json: { version: 1, status: 'done', estimate: 2 } }))
	assert.deepEqual([changed.title, changed.status, changed.estimate, changed.version], ['First', 'done', 2, 2])
	const error = await refused(patch(one(0), { ...t.owner, json: { version: 1, title: 'Mine' } }), 409, 'version_conflict')
	assert.deepEqual(error.details, { current: await ok(get(one(0), t.owner)) })
	const card = (await ok(get(`${t.path}/board`, t.owner))).columns[0].stories[0]
	assert.deepEqual([card.taskCount, card.taskDoneCount], [3, 1])
})

test('001-069: a moved task changes status and place; the event says moved', async () => {
	const from = revision(t)
	await ok(patch(`${one(2)}/move`, { ...t.owner, json: { version: 1, status: 'in_progress' } }))
	assert.deepEqual(rows(`SELECT entity_type, action, changes FROM events WHERE scope_id = ${lit(t.project.id)} AND rev > ${from}`),
		[{ entity_type: 'task', action: 'moved', changes: { status: ['todo', 'in_progress'] } }])
	await ok(patch(`${one(2)}/move`, { ...t.owner, json: { version: 2, before: tasks[0].id } }))
	assert.deepEqual(await titles(), ['Third', 'First', 'Second'])
	await ok(patch(`${one(2)}/move`, { ...t.owner, json: { version: 2, after: tasks[0].id } }))
	assert.deepEqual(await titles(), ['First', 'Third', 'Second'])
	await refused(patch(`${one(2)}/move`, { ...t.owner, json: { version: 1, status: 'done' } }), 409, 'version_conflict')
	assert.deepEqual(pointers(await refused(patch(`${one(2)}/move`, { ...t.owner, json: { version: 2, after: randomUUID() } }), 422)), ['/after'])
})

test('001-068: a deleted task is gone and no longer counted; its row stays', async () => {
	assert.equal((await del(one(0), t.owner)).status, 204)
	await refused(get(one(0), t.owner), 404, 'not_found')
	await refused(del(one(0), t.owner), 404, 'not_found')
	assert.deepEqual([(await story(0)).taskCount, (await story(0)).taskDoneCount], [2, 0])
	assert.equal(sql(`SELECT count(*) FROM tasks WHERE id = ${lit(tasks[0].id)} AND deleted_at IS NOT NULL`), '1')
})

test('twenty who tick at once are all counted', async () => {
	const made = await Promise.all(Array.from({ length: 20 }, (_, i) => ok(create({ storyId: t.stories[1].id, title: `T${i}` }), 201)))
	await Promise.all(made.map(x => ok(patch(`${t.path}/tasks/${x.id}`, { ...t.member, json: { version: 1, status: 'done' } }))))
	const { taskCount, taskDoneCount, version } = await story(1)
	assert.deepEqual([taskCount, taskDoneCount, version], [21, 20, 1])
})

test('below a deleted story nothing is left to change', async () => {
	const gone = await ok(post(`${t.path}/stories`, { ...t.owner, json: { title: 'Gone' } }), 201)
	const task = await ok(create({ storyId: gone.id, title: 'Below' }), 201)
	const path = `${t.path}/tasks/${task.id}`
	assert.equal((await del(`${t.path}/stories/${gone.id}`, t.owner)).status, 204)
	const was = revision(t)
	await refused(patch(path, { ...t.owner, json: { version: 1, title: 'x' } }), 404, 'not_found')
	await refused(patch(`${path}/move`, { ...t.owner, json: { version: 1, status: 'done' } }), 404, 'not_found')
	await refused(del(path, t.owner), 404, 'not_found')
	assert.equal(revision(t), was)
})

test('a task is given to members only; the refusal names the field', async () => {
	const u = await tenant({ stories: 0 })
	sql(`UPDATE workspace_members SET removed_at = now(), role = 'viewer' WHERE workspace_id = ${lit(t.id)} AND user_id = ${lit(t.viewer.id)}`)
	for (const assigneeId of [u.owner.id, randomUUID(), t.viewer.id]) {
		assert.deepEqual(pointers(await refused(create({ storyId: t.stories[0].id, title: 'x', assigneeId }), 422)), ['/assigneeId'])
		assert.deepEqual(pointers(await refused(patch(one(1), { ...t.owner, json: { version: 1, assigneeId } }), 422)), ['/assigneeId'])
	}
})
