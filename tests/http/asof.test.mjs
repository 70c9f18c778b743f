// ?asOf=: board, story and sprint as they were, by revision and by time.
import { before, describe, test } from 'node:test'
import { assert, browser, get, lit, ok, patch, post, refused, revision, sprint, sql, tenant } from './lib.mjs'

let t, made
const states = [] // of the board, the story and the sprint: {rev, at, board, story, sprint}

/** What everybody sees now, without what is not history (names of people). */
async function look(query = '') {
	const [board, story, theSprint] = await Promise.all([
		get(`${t.path}/board${query}`, t.owner), get(`${t.path}/stories/${t.stories[0].id}${query}`, t.owner), get(`${t.path}/sprints/${made.id}${query}`, t.owner)])
	for (const r of [board, story, theSprint]) assert.equal(r.status, 200, r.text.slice(0, 300))
	return { board: board.json, story: story.json, sprint: theSprint.json }
}
const note = async () => states.push({ rev: revision(t), at: sql('SELECT clock_timestamp()'), ...await look() })

before(async () => {
	t = await tenant({ roles: ['member', 'viewer'], stories: 4 })
	made = sprint(t)
	await note()
	const [one, two] = t.stories
	const steps = [
		() => patch(`${t.path}/stories/${one.id}`, { ...t.owner, json: { version: 1, status: 'in_progress', assigneeId: t.member.id } }),
		() => patch(`${t.path}/stories/${one.id}`, { ...t.owner, json: { version: 2, title: 'Another', estimate: 8, dueDate: '2027-03-01', acceptanceCriteria: ['x'] } }),
		() => post(`${t.path}/stories`, { ...t.owner, json: { title: 'A late one' } }),
		() => sql(`UPDATE stories SET deleted_at = now() WHERE id = ${lit(two.id)}`),
		() => sql(`INSERT INTO dependencies (workspace_id, project_id, source_id, target_id, dependency_type)
		           VALUES (${lit(t.id)}, ${lit(t.project.id)}, ${lit(t.stories[2].id)}, ${lit(one.id)}, 'blocks')`),
		() => sql(`UPDATE sprint_items SET removed_at = now() WHERE story_id = ${lit(t.stories[3].id)}`),
		() => sql(`UPDATE stories SET position = 1000000 - position WHERE workspace_id = ${lit(t.id)}`),
		() => post(`${t.path}/tasks`, { ...t.owner, json: { storyId: one.id, title: 'A step' } }),
		() => sql(`UPDATE tasks SET status = 'done' WHERE workspace_id = ${lit(t.id)}`),
		() => sql(`INSERT INTO tasks (workspace_id, project_id, story_id, title) SELECT workspace_id, project_id, id, 'Another' FROM stories WHERE id = ${lit(one.id)}`),
		() => sql(`UPDATE tasks SET deleted_at = now() WHERE workspace_id = ${lit(t.id)} AND status = 'done'`),
		() => sql(`UPDATE dependencies SET removed_at = now() WHERE workspace_id = ${lit(t.id)}`),
		() => sql(`UPDATE sprints SET goal = 'Ship it', status = 'completed', completed_at = now() WHERE id = ${lit(made.id)}`),
	]
	for (const step of steps) {
		await step()
		await note()
	}
})

describe('as of', () => {
	test('every revision shows board, story and sprint as they were seen then', async () => {
		for (const { rev, board, story, sprint: was } of states) {
			const then = await look(`?asOf=${rev}`)
			assert.deepEqual(then.story, story, `story at ${rev}`)
			assert.deepEqual(then.board, board, `board at ${rev}`)
			assert.deepEqual(then.sprint, was, `sprint at ${rev}`)
		}
	})
	test('every time does, too', async () => {
		for (const { at, board, story, sprint: was } of states) {
			const then = await look(`?asOf=${encodeURIComponent(at.replace(' ', 'T').replace(/\+00$/, 'Z'))}`)
			assert.deepEqual(then, { board, story, sprint: was }, `at ${at}`)
		}
	})
	test('says which moment it shows', async () => {
		const { headers } = await get(`${t.path}/board?asOf=${states[1].rev}`, t.owner)
		assert.equal(headers['as-of-revision'], String(states[1].rev))
		assert.ok(new Date(headers['as-of-time']) <= new Date(states[1].at))
	})
	test('what was not there then is not found', async () => {
		const late = (await look()).board.columns[0].stories.find(s => s.title === 'A late one')
		await ok(get(`${t.path}/stories/${late.id}?asOf=${states[3].rev}`, t.owner))
		await refused(get(`${t.path}/stories/${late.id}?asOf=${states[2].rev}`, t.owner), 404, 'not_found')
		await refused(get(`${t.path}/stories/${t.project.key}-${late.number}?asOf=${states[2].rev}`, t.owner), 404, 'not_found')
	})
	test('what is deleted now is there then', async () => {
		await refused(get(`${t.path}/stories/${t.stories[1].id}`, t.owner), 404, 'not_found')
		assert.equal((await ok(get(`${t.path}/stories/${t.project.key}-2?asOf=${states[0].rev}`, t.viewer))).title, 'Story 2')
	})
	const wrong = [
		[() => 999999999, /names revision 999999999; the newest is \d+\./],
		[() => '2999-01-01T00:00:00Z', /asOf lies in the future\./],
		[() => '2999-01-01', /asOf lies in the future\./],
		[() => 0, /before the project began: that was revision 1, at \d{4}-/],
		[() => '2001-01-01T00:00:00Z', /before the project began/],
		[() => '2001-01-01', /before the project began/],
	]
	for (const [value, message] of wrong)
		test(`${value()} is refused with the reason`, async () => {
			for (const path of ['board', `stories/${t.stories[0].id}`, `sprints/${made.id}`]) {
				const error = await refused(get(`${t.path}/${path}?asOf=${value()}`, t.owner), 422, 'validation_failed')
				assert.match(error.details.errors[0].message, message)
			}
		})
	for (const value of ['yesterday', '-1', '1.5', '2026-13-01', '2026-11-20T25:00', '99999999999999999999', "1'--"])
		test(`${value} is no moment`, async () => {
			const error = await refused(get(`${t.path}/board?asOf=${encodeURIComponent(value)}`, t.owner), 422, 'validation_failed')
			assert.equal(error.details.errors[0].pointer, 'asOf')
		})
	test('a day is its end in the zone of the workspace, today is now', async () => {
		const today = sql(`SELECT (now() AT TIME ZONE 'UTC')::date`)
		const { headers } = await get(`${t.path}/board?asOf=${today}`, t.owner)
		assert.equal(Number(headers['as-of-revision']), revision(t))
	})
	test('a state of the past has one ETag for ever, and another one than the next', async () => {
		const asked = `${t.path}/board?asOf=${states[2].rev}`
		const first = await get(asked, t.owner)
		assert.ok(first.headers.etag)
		assert.equal((await get(asked, { ...t.owner, headers: { 'If-None-Match': first.headers.etag } })).status, 304)
		await ok(post(`${t.path}/stories`, { ...t.owner, json: { title: 'Since then' } }), 201)
		const again = await get(asked, { ...t.owner, headers: { 'If-None-Match': first.headers.etag } })
		assert.equal(again.status, 304)
		assert.equal(again.headers.etag, first.headers.etag)
		const whole = await get(asked, t.owner)
		assert.deepEqual([whole.headers.etag, whole.text], [first.headers.etag, first.text])
		assert.notEqual((await get(`${t.path}/board?asOf=${states[3].rev}`, t.owner)).headers.etag, first.headers.etag)
		assert.notEqual((await get(`${t.path}/board`, { ...t.owner, headers: { 'If-None-Match': first.headers.etag } })).status, 304)
	})
	test('the present is not disturbed by looks into the past', async () => {
		const now = await get(`${t.path}/board`, t.owner)
		await get(`${t.path}/board?asOf=${states[0].rev}`, t.owner)
		const after = await get(`${t.path}/board`, { ...t.owner, headers: { 'If-None-Match': now.headers.etag } })
		assert.equal(after.status, 304)
		assert.deepEqual((await get(`${t.path}/board`, t.owner)).json, now.json)
	})
	test('another project stays hidden', async () => {
		const u = await tenant()
		await refused(get(`${t.path}/board?asOf=1`, u.owner), 404, 'not_found')
	})
})

describe('the pages', () => {
	test('show the past under a banner, without forms, and the way back', async () => {
		const cookie = await browser(t.owner)
		const base = `/w/${t.slug}/p/${t.project.key}`
		for (const [path, then, now] of [[`sprints/${made.number}`, /Story 4/, /Ship it/], ['board', /Story 1/, /Another/], [`stories/${t.project.key}-1`, /<h1>Story 1<\/h1>/, /<h1>Another<\/h1>/]]) {
			const past = await get(`${base}/${path}?asOf=${states[1].rev}`, { cookie })
			assert.equal(past.status, 200, past.text.slice(0, 300))
			assert.match(past.text, then)
			assert.doesNotMatch(past.text, now)
			assert.match(past.text, new RegExp(`As of <time datetime="[^"]+">[^<]+</time>, revision ${states[1].rev}\\. <a href="${base}/${path}">Back to now</a>`))
			assert.doesNotMatch(past.text, new RegExp(`<form[^>]*action="${base}/`))
			const present = await get(`${base}/${path}`, { cookie })
			assert.match(present.text, now)
			assert.doesNotMatch(present.text, /Back to now/)
			assert.match(present.text, new RegExp(`<form[^>]*action="${base}/`))
		}
	})
	test('refuse the future with the reason', async () => {
		const r = await get(`/w/${t.slug}/p/${t.project.key}/board?asOf=2999-01-01`, { cookie: await browser(t.owner) })
		assert.equal(r.status, 422)
		assert.match(r.text, /asOf lies in the future/)
	})
})
