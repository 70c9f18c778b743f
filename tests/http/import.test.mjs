// Stories from a CSV file: what would come of each line, then all of it at once,
// and the same file again changes nothing.
import { before, describe, test } from 'node:test'
import { assert, browser, call, csrf, get, ok, post, refused, revision, rows, lit, sql, state, tenant, unique } from './lib.mjs'

let t
const send = (csv, query = '', who = t.member, headers = {}) =>
	call('POST', `${t.path}/stories/import${query}`, { ...who, body: csv, headers: { 'Content-Type': 'text/csv', ...headers } })
const file = `Issue key,Summary,Story Points,Status,Assignee,Colour\r
X-1,"Ring, the bell",3,To Do,Person member,red\r
X-2,Paint,,In Progress,Nobody Here,blue\r
X-3,,1,Done,,\r
X-1,Again,1,Done,,\r
X-4,"Two
lines",1,Sleeping,,\r
X-5,"=HYPERLINK(""x"")",2.5,Done,,\r
`

before(async () => {
	t = await tenant({ roles: ['member', 'viewer'], stories: 1 })
})

describe('a dry run', () => {
	test('tells each line, names unused columns, and keeps nothing', async () => {
		const was = [state(t), revision(t)]
		const report = await ok(send(file, '?dryRun=true'))
		assert.deepEqual([report.dryRun, report.made, report.changed, report.kept, report.refused, report.strangers], [true, 3, 0, 0, 3, 1])
		assert.deepEqual(report.unknownColumns, ['Colour'])
		assert.deepEqual(report.columns.map(c => `${c.column}=${c.field}`), ['Issue key=key', 'Summary=title', 'Story Points=estimate', 'Status=status', 'Assignee=assignee'])
		assert.deepEqual(report.rows.map(r => [r.line, r.key, r.outcome, r.why]), [
			[2, 'X-1', 'made', null],
			[3, 'X-2', 'made', 'its assignee is no member'],
			[4, null, 'refused', 'it has no title'],
			[5, 'X-1', 'refused', 'its key stood on line 2 already'],
			[6, null, 'refused', 'its status "Sleeping" is not known; name it in the statuses'],
			[8, 'X-5', 'made', null],
		])
		assert.deepEqual([state(t), revision(t)], was)
	})
})

describe('an import', () => {
	test('does what the dry run said, in one transaction', async () => {
		const report = await ok(send(file))
		assert.deepEqual([report.dryRun, report.made, report.refused], [false, 3, 3])
		const made = rows(`SELECT s.title, s.status, s.estimate, s.assignee_id, f.source_key FROM stories s JOIN story_sources f ON f.story_id = s.id WHERE s.workspace_id = ${lit(t.id)} ORDER BY f.source_key`)
		assert.deepEqual(made, [
			{ title: 'Ring, the bell', status: 'backlog', estimate: 3, assignee_id: t.member.id, source_key: 'X-1' },
			{ title: 'Paint', status: 'in_progress', estimate: null, assignee_id: null, source_key: 'X-2' },
			{ title: '=HYPERLINK("x")', status: 'done', estimate: 2.5, assignee_id: null, source_key: 'X-5' },
		])
		assert.equal(sql(`SELECT count(DISTINCT transaction) FROM events e JOIN story_sources f ON f.story_id = e.entity_id WHERE e.workspace_id = ${lit(t.id)} AND e.action = 'created'`), '1')
	})
	test('of the same file again changes nothing', async () => {
		const was = revision(t)
		const report = await ok(send(file))
		assert.deepEqual([report.made, report.changed, report.kept], [0, 0, 3])
		assert.equal(revision(t), was)
	})
	test('with update changes what differs, and only that', async () => {
		const report = await ok(send(file.replace('Paint', 'Paint it'), '?update=true'))
		assert.deepEqual([report.made, report.changed, report.kept], [0, 1, 2])
		assert.equal(report.rows.find(r => r.key === 'X-2').outcome, 'changed')
		assert.deepEqual((await ok(send(file.replace('Paint', 'Paint it'), '?update=true'))).changed, 0)
	})
	test('what went out as CSV comes in elsewhere', async () => {
		const { text } = await get(`${t.path}/stories.csv`, t.owner)
		const u = await tenant({ stories: 0 })
		const report = await ok(call('POST', `${u.path}/stories/import`, { ...u.owner, body: text, headers: { 'Content-Type': 'text/csv' } }))
		assert.deepEqual([report.made, report.refused], [4, 0])
	})
	test('finds columns by the map and statuses by theirs', async () => {
		const report = await ok(send('Nr;What;Where\nM-1;Mapped;Doing\n', '?map=key=Nr,title=What,status=Where&statuses=Doing=review'))
		assert.equal(report.made, 1)
		assert.equal(sql(`SELECT status FROM stories WHERE workspace_id = ${lit(t.id)} AND title = 'Mapped'`), 'review')
	})
	const wrong = [
		['an empty file', '', 422, /The file is empty\./],
		['no key', 'Summary\nx\n', 422, /No column holds the key\. Name it in the map; the columns are: Summary\./],
		['too many rows', `key,title\n${Array.from({ length: 5001 }, (_, i) => `K${i},x`).join('\n')}\n`, 422, /may have 5000 rows here\. gnomonctl import takes longer ones\./],
	]
	for (const [name, csv, status, message] of wrong)
		test(`${name} is refused with the reason`, async () => {
			const was = state(t)
			const error = await refused(send(csv), status, 'validation_failed')
			assert.match(error.details.errors[0].message, message)
			assert.equal(state(t), was)
		})
	test('a file of more than 1 MB is refused', async () => {
		const error = await refused(send(`key,title\n${'x'.repeat(1 << 20)}\n`), 413, 'body_too_large')
		assert.ok(error.message)
	})
	test('JSON is no file, a viewer may not, a stranger finds nothing', async () => {
		await refused(send('{}', '', t.member, { 'Content-Type': 'application/json' }), 422, 'validation_failed')
		await refused(send(file, '', t.viewer), 403, 'forbidden')
		await refused(send(file, '', (await tenant()).owner), 404, 'not_found')
	})
	test('2,000 rows in one go', async () => {
		const u = await tenant({ stories: 0 })
		const csv = `key,title\n${Array.from({ length: 2000 }, (_, i) => `B-${i},Story ${i}`).join('\n')}\n`
		const report = await ok(call('POST', `${u.path}/stories/import`, { ...u.owner, body: csv, headers: { 'Content-Type': 'text/csv' } }))
		assert.equal(report.made, 2000)
		assert.equal(revision(u), 2)
	})
})

describe('the page', () => {
	test('shows the plan with the text kept, then imports, without script', async () => {
		const cookie = await browser(t.member)
		const path = `/w/${t.slug}/p/${t.project.key}/import`
		const fields = { csrf: await csrf(cookie, path), csv: 'key,title\nP-1,"From <the> page"\nP-2,\n' }
		const was = state(t)
		const plan = await post(path, { cookie, form: { ...fields, once: unique(), dryRun: 'true' } })
		assert.equal(plan.status, 200, plan.text.slice(0, 400))
		assert.match(plan.text, /Nothing is saved yet: 1 to make, 0 to change, 0 here already, 1 refused\./)
		assert.match(plan.text, /From &lt;the&gt; page<\/th>/)
		assert.match(plan.text, /it has no title/)
		assert.match(plan.text, /<textarea[^>]*>key,title\s+P-1/)
		assert.doesNotMatch(plan.text, /There is a problem/)
		assert.equal(state(t), was)
		const done = await post(path, { cookie, form: { ...fields, once: unique() } })
		assert.equal(done.status, 303, done.text.slice(0, 400))
		assert.equal(done.headers.location, `/w/${t.slug}/p/${t.project.key}/stories`)
		assert.equal(sql(`SELECT count(*) FROM stories WHERE workspace_id = ${lit(t.id)} AND title = 'From <the> page'`), '1')
		const bad = await post(path, { cookie, form: { ...fields, csv: 'a,b\n1,2\n', once: unique() } })
		assert.equal(bad.status, 422)
		assert.match(bad.text, /No column holds the key/)
		assert.match(bad.text, /There is a problem/)
	})
	test('takes a file as well, which counts before the text', async () => {
		const cookie = await browser(t.member)
		const path = `/w/${t.slug}/p/${t.project.key}/import`
		const token = await csrf(cookie, path)
		const sendParts = async (csv, file, more = {}) => {
			const parts = new FormData()
			for (const [name, value] of Object.entries({ csrf: token, once: unique(), ...more, csv })) parts.append(name, value)
			parts.append('csv', ...(file === undefined ? [new Blob([]), ''] : [new Blob([file], { type: 'text/csv' }), 'work "1".csv']))
			const whole = new Response(parts)
			return post(path, { cookie, body: Buffer.from(await whole.arrayBuffer()), headers: { 'Content-Type': whole.headers.get('content-type') } })
		}
		const plan = await sendParts('', 'key,title\r\nF-1,"Of a file, näive"\r\n', { dryRun: 'true' })
		assert.equal(plan.status, 200, plan.text.slice(0, 400))
		assert.match(plan.text, /<textarea[^>]*>key,title\s+F-1,&quot;Of a file, näive/)
		assert.equal((await sendParts('key,title\nF-9,Pasted\n', 'key,title\nF-1,Of a file\n')).status, 303)
		assert.deepEqual(rows(`SELECT s.title FROM stories s JOIN story_sources f ON f.story_id = s.id WHERE s.workspace_id = ${lit(t.id)} AND f.source_key LIKE 'F-%'`), [{ title: 'Of a file' }])
		assert.equal((await sendParts('key,title\nF-2,Pasted\n')).status, 303)
		const none = await sendParts('')
		assert.equal(none.status, 422)
		assert.match(none.text, /Choose a file, or paste what is in it/)
		assert.equal((await sendParts('', 'a\0b')).status, 400)
		assert.equal((await sendParts('', `key,title\n${'x'.repeat(1 << 20)}`)).status, 413)
	})
	test('refuses parts that are none', async () => {
		const cookie = await browser(t.member)
		const part = 'Content-Disposition: form-data; name="csv"'
		for (const [type, body] of [['multipart/form-data', '--x--'], ['multipart/form-data; boundary=x', ''], ['multipart/form-data; boundary=x', '--x'],
			['multipart/form-data; boundary=x', `--x\r\n${part}\r\n\r\nno end`], ['multipart/form-data; boundary=x', `--x\r\n${part}\r\n--x--`],
			['multipart/form-data; boundary=x', '--x\r\nContent-Type: a/b\r\n\r\nno name\r\n--x--'],
			['multipart/form-data; boundary=x', `--x${`\r\n${part}\r\n\r\na\r\n--x`.repeat(201)}--`]])
			assert.equal((await post(`/w/${t.slug}/p/${t.project.key}/import`, { cookie, body, headers: { 'Content-Type': type } })).status, 400, body.slice(0, 80))
	})
})

describe('what comes in', () => {
	let u
	const into = (csv, query = '') => ok(call('POST', `${u.path}/stories/import${query}`, { ...u.owner, body: csv, headers: { 'Content-Type': 'text/csv' } }))
	const column = async () => (await ok(get(`${u.path}/board`, u.owner))).columns[0].stories.map(s => s.title)
	before(async () => {
		u = await tenant({ stories: 2 })
	})
	test('stands behind what is there, in the order of the file', async () => {
		await into('key,title\nA-9,Third\nA-3,Fourth\nA-5,Fifth\n')
		await into('key,title\nB-2,Sixth\nB-1,Seventh\n')
		assert.deepEqual(await column(), ['Story 1', 'Story 2', 'Third', 'Fourth', 'Fifth', 'Sixth', 'Seventh'])
	})
	test('is what a file of ours says, formulas too', async () => {
		const v = await tenant({ stories: 0 })
		const titles = ['=1+1', '+cmd', '-cmd', '@sum', '-1.5', "'tis", 'say "so", then', 'ünïcode 😀', ' x']
		for (const title of titles) await ok(post(`${v.path}/stories`, { ...v.owner, json: { title } }), 201)
		const out = await get(`${v.path}/stories.csv?order=number&bom=true`, v.owner)
		assert.match(out.text, /,'=1\+1,/)
		const w = await tenant({ stories: 0 })
		const report = await ok(call('POST', `${w.path}/stories/import`, { ...w.owner, body: out.text, headers: { 'Content-Type': 'text/csv' } }))
		assert.equal(report.made, titles.length)
		assert.deepEqual((await ok(get(`${w.path}/stories?order=number`, w.owner))).items.map(s => s.title), titles.map(x => x.trim()))
	})
	test('changes nothing that was deleted', async () => {
		const gone = sql(`UPDATE stories SET deleted_at = now() WHERE project_id = ${lit(u.project.id)} AND title = 'Third' RETURNING id`)
		const was = revision(u)
		assert.deepEqual((await into('key,title\nA-9,Back again\n', '?update=true')).rows.map(r => r.outcome), ['kept'])
		assert.equal(revision(u), was)
		assert.equal(sql(`SELECT title FROM stories WHERE id = ${lit(gone)}`), 'Third')
	})
})
