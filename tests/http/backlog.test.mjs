// The pages of the work as forms, without script: backlog, story, epics, labels.
import { before, describe, test } from 'node:test'
import { assert, browser, csrf, get, lit, ok, origin, patch, post, sql, tenant } from './lib.mjs'

let t, cookie, token, base
const send = (path, form) => post(`${base}${path}`, { cookie, form: { csrf: token, ...form }, headers: { Origin: origin } })
const sends = (path, fields) => post(`${base}${path}`, { cookie, body: new URLSearchParams([['csrf', token], ...fields]).toString(),
	headers: { Origin: origin, 'Content-Type': 'application/x-www-form-urlencoded' } })
const goes = async (reply, to) => {
	const r = await reply
	assert.equal(r.status, 303, r.text.slice(0, 2000))
	if (to) assert.equal(r.headers.location, to)
	return r
}
const story = n => ok(get(`${t.path}/stories/${t.project.key}-${n}`, t.owner))
const page = async path => (await get(`${base}${path}`, { cookie })).text

before(async () => {
	t = await tenant({ roles: ['member'], stories: 4 })
	base = `/w/${t.slug}/p/${t.project.key}`
	cookie = await browser(t.owner)
	token = await csrf(cookie, `${base}/stories`)
})

describe('the backlog', () => {
	const keys = async query => [...(await page(`/backlog${query ?? ''}`)).matchAll(/<tr id="[A-Z0-9]+-(\d+)"/g)].map(m => Number(m[1]))
	test('has what is not begun, the ready first, in the order of the board', async () => {
		await ok(patch(`${t.path}/stories/${t.stories[2].id}`, { ...t.owner, json: { version: 1, status: 'ready' } }))
		assert.deepEqual(await keys(), [3, 1, 2, 4])
		assert.deepEqual(await keys('?order=epic'), [3, 1, 2, 4])
		assert.deepEqual(await keys('?limit=2'), [3, 1])
	})
	test('moves a story up and down', async () => {
		await goes(send(`/backlog/${t.project.key}-4/move`, { version: 1, before: `${t.project.key}-2`, next: `${base}/backlog` }), `${base}/backlog#${t.project.key}-4`)
		assert.deepEqual(await keys(), [3, 1, 4, 2])
	})
	test('adds quickly', async () => {
		await goes(send('/backlog/stories', { title: 'Quick', estimate: '3', next: `${base}/backlog` }))
		assert.deepEqual(await keys(), [3, 1, 4, 2, 5])
		assert.equal((await story(5)).estimate, 3)
	})
	test('changes several at once, and leaves what is not chosen', async () => {
		await goes(sends('/backlog', [['ids', t.stories[0].id], ['ids', t.stories[1].id], ['priority', 'urgent'], ['assigneeId', t.member.id], ['sprintId', ''], ['status', ''], ['epicId', ''], ['next', `${base}/backlog`]]))
		assert.deepEqual([(await story(1)).priority, (await story(2)).assignee.id, (await story(4)).priority], ['urgent', t.member.id, 'medium'])
		await goes(sends('/backlog', [['ids', t.stories[0].id], ['assigneeId', 'null'], ['next', `${base}/backlog`]]))
		assert.equal((await story(1)).assignee, null)
	})
	test('says so when nothing is chosen', async () => {
		const r = await sends('/backlog', [['priority', 'low'], ['next', `${base}/backlog`]])
		assert.equal(r.status, 422)
		assert.match(r.text, /There is a problem/)
	})
	test('plans into a sprint', async () => {
		const id = sql(`INSERT INTO sprints (workspace_id, project_id, name, start_date, end_date) VALUES (${lit(t.id)}, ${lit(t.project.id)}, 'Next', current_date, current_date + 7) RETURNING id`)
		await goes(sends('/backlog', [['ids', t.stories[0].id], ['sprintId', id], ['next', `${base}/backlog`]]))
		assert.deepEqual(await keys(`?sprintId=${id}`), [1])
	})
})

describe('a story\'s page', () => {
	const edit = { title: 'Edited', description: 'Some *words*', acceptanceCriteria: 'one\r\n\r\n two \r\nthree', estimate: '5', priority: 'high', assigneeId: 'null', epicId: 'null',
		dueDate: '2026-12-24', confidence: '80', labelIds: '', clear: 'description acceptanceCriteria estimate dueDate confidence labelIds' }
	test('edits every field, one criterion a line', async () => {
		const { version } = await story(2)
		await goes(send(`/stories/${t.project.key}-2`, { version, ...edit }), `${base}/stories/${t.project.key}-2`)
		const s = await story(2)
		assert.deepEqual([s.title, s.description, s.acceptanceCriteria, s.estimate, s.priority, s.assignee, s.dueDate, s.confidence],
			['Edited', 'Some *words*', ['one', 'two', 'three'], 5, 'high', null, '2026-12-24', 80])
	})
	test('empties what came empty', async () => {
		const { version } = await story(2)
		await goes(send(`/stories/${t.project.key}-2`, { version, ...edit, description: '', acceptanceCriteria: '', estimate: '', dueDate: '', confidence: '' }))
		const s = await story(2)
		assert.deepEqual([s.title, s.description, s.acceptanceCriteria, s.estimate, s.dueDate, s.confidence], ['Edited', '', [], null, null, null])
	})
	test('keeps the input when it is refused', async () => {
		const { version } = await story(2)
		const r = await send(`/stories/${t.project.key}-2`, { version, ...edit, title: 'Kept', confidence: '101' })
		assert.equal(r.status, 422)
		assert.match(r.text, /name="title"[^>]*value="Kept"/)
		assert.match(r.text, /name="confidence"[^>]*value="101"/)
		assert.match(r.text, /<option value="high" selected>/)
		assert.match(r.text, />one\r?\n\r?\n two \r?\nthree<\/textarea>/)
	})
	test('shows both versions when someone was quicker, and applies mine again', async () => {
		const { version } = await story(2)
		await ok(patch(`${t.path}/stories/${t.stories[1].id}`, { ...t.owner, json: { version, title: 'Theirs', assigneeId: t.member.id } }))
		const r = await send(`/stories/${t.project.key}-2`, { version, ...edit, title: 'Mine' })
		assert.equal(r.status, 409)
		assert.match(r.text, /<th scope="row">Title<\/th><td class="pre">Theirs<\/td><td class="pre">Mine<\/td>/)
		assert.match(r.text, /<th scope="row">Assignee<\/th><td class="pre">Person member<\/td>/)
		const again = [...r.text.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)">/g)].map(m => [m[1], m[2]])
		await goes(post(`${base}/stories/${t.project.key}-2`, { cookie, body: new URLSearchParams(again).toString(), headers: { Origin: origin, 'Content-Type': 'application/x-www-form-urlencoded' } }))
		assert.equal((await story(2)).title, 'Mine')
	})
	test('tells what others changed of it when the form sends none of it', async () => {
		const path = `${t.path}/stories/${t.stories[1].id}`
		const was = await story(2)
		await ok(patch(path, { ...t.owner, json: { version: was.version, title: 'Renamed', assigneeId: t.member.id, acceptanceCriteria: ['one', 'two'] } }))
		await ok(patch(path, { ...t.owner, json: { version: was.version + 1, title: 'Renamed again', acceptanceCriteria: was.acceptanceCriteria } }))
		const r = await send(`/stories/${t.project.key}-2`, { version: was.version, priority: 'urgent' })
		assert.equal(r.status, 409)
		const rows = [...r.text.matchAll(/<tr( class="changed")?><th scope="row">([^<]*)<\/th><td[^>]*>([^<]*)<\/td><td[^>]*>([^<]*)<\/td><\/tr>/g)].map(m => [Boolean(m[1]), ...m.slice(2)])
		assert.deepEqual(rows, [[true, 'Assignee', 'Person member', was.assignee?.name ?? ''], [true, 'Title', 'Renamed again', was.title],
			[true, 'Priority', was.priority[0].toUpperCase() + was.priority.slice(1), 'Urgent'], [false, 'Version', String(was.version + 2), String(was.version)]])
	})
	test('has tasks to add, tick and delete', async () => {
		await goes(send(`/stories/${t.project.key}-2/tasks`, { storyId: t.stories[1].id, title: 'Step' }))
		const [task] = (await story(2)).tasks
		await goes(send(`/tasks/${task.id}`, { version: task.version, status: 'done', next: `${base}/stories/${t.project.key}-2#tasks` }), `${base}/stories/${t.project.key}-2#tasks`)
		assert.match(await page(`/stories/${t.project.key}-2`), /1 of 1 task done/)
		await goes(send(`/tasks/${task.id}/delete`, { next: base }))
		assert.deepEqual((await story(2)).tasks, [])
	})
	test('has dependencies by key; a circle is told', async () => {
		const add = (n, targetId) => send(`/stories/${t.project.key}-${n}/dependencies`, { sourceId: t.stories[n - 1].id, targetId, dependencyType: 'requires' })
		await goes(add(1, `${t.project.key}-2`))
		assert.match(await page(`/stories/${t.project.key}-1`), /Waits for/)
		const r = await add(2, `${t.project.key}-1`)
		assert.equal(r.status, 422)
		assert.match(r.text, new RegExp(`circle: ${t.project.key}-2 → ${t.project.key}-1 → ${t.project.key}-2`))
	})
	test('asks before it is deleted', async () => {
		assert.match(await page(`/stories/${t.project.key}-4/delete`), /Delete story/)
		await goes(send(`/stories/${t.project.key}-4/delete`, {}), `${base}/stories`)
		assert.equal((await get(`${base}/stories/${t.project.key}-4`, { cookie })).status, 404)
	})
})

test('the board shows fifty cards a column, then all; filtered, those', async () => {
	const u = await tenant({ stories: 0 })
	sql(`INSERT INTO stories (workspace_id, project_id, title, assignee_id) SELECT ${lit(u.id)}, ${lit(u.project.id)}, 'S' || g, CASE WHEN g % 30 = 0 THEN ${lit(u.owner.id)}::uuid END FROM generate_series(1, 60) g`)
	const mine = await browser(u.owner)
	const cards = async query => ((await get(`/w/${u.slug}/p/${u.project.key}/board${query}`, { cookie: mine })).text.match(/<li id="/g) ?? []).length
	assert.match((await get(`/w/${u.slug}/p/${u.project.key}/board`, { cookie: mine })).text, /all=backlog#backlog">Show all 60</)
	assert.deepEqual([await cards(''), await cards('?all=backlog'), await cards(`?assigneeId=${u.owner.id}`), await cards('?assigneeId=none&all=backlog')], [50, 60, 2, 58])
})

test('epics and labels are made, changed and deleted by their pages', async () => {
	const made = await goes(send('/epics', { title: 'By form' }))
	assert.match(made.headers.location, /\/epics\/E-\d+$/)
	const key = made.headers.location.split('/').at(-1)
	await goes(send(`/epics/${key}`, { version: 1, title: 'By form', status: 'active', priority: 'low', description: '', clear: 'description' }))
	await goes(send('/epics/stories', { epicId: (await ok(get(`${t.path}/epics/${key}`, t.owner))).id, title: 'Inside', next: `${base}/epics/${key}` }))
	assert.match(await page(`/epics/${key}`), /Inside/)
	await goes(send('/epics', { title: 'Second' }))
	const ids = (await ok(get(`${t.path}/epics`, t.owner))).items.map(e => e.id)
	await goes(sends('/epics/order', [['ids', ids[1]], ['ids', ids[0]]]))
	assert.deepEqual((await ok(get(`${t.path}/epics`, t.owner))).items.map(e => e.id), [ids[1], ids[0]])
	await goes(send(`/epics/${key}/delete`, {}), `${base}/epics`)
	await goes(send('/labels', { name: 'Formed', colour: 'green' }))
	const [label] = (await ok(get(`${t.path}/labels`, t.owner))).items
	await goes(send(`/labels/${label.id}`, { version: 1, name: 'Reformed', colour: 'blue' }))
	assert.match(await page('/labels'), /chip as blue">Reformed/)
	await goes(send(`/labels/${label.id}/delete`, {}))
	assert.deepEqual((await ok(get(`${t.path}/labels`, t.owner))).items, [])
})
