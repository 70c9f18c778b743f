// Notifications: events become what concerns somebody, in the product and by mail.
import { execFileSync } from 'node:child_process'
import { describe, test } from 'node:test'
import { sink } from '../smtp-sink.mjs'
import { assert, BIN, browser, call, get, insights, lit, ok, patch, post, refused, rows, sql, tenant } from './lib.mjs'
import { until } from './server.mjs'

const box = sink()
const list = async (t, user, query = '') => (await ok(get(`${t.base}/notifications${query}`, user))).items
/** Waits until somebody has a notification that fits. */
async function heard(t, user, fits) {
	let found
	await until(async () => (found = (await list(t, user)).find(fits)))
	return found ?? assert.fail(`not among ${JSON.stringify(await list(t, user))}`)
}
const change = (t, user, story, fields) => ok(patch(`${t.path}/stories/${story.id}`, { ...user, json: { version: story.version, ...fields } }))
const watch = (t, user, story) =>
	sql(`INSERT INTO watchers (workspace_id, user_id, entity_type, entity_id, project_id)
	     VALUES (${lit(t.id)}, ${lit(user.id)}, 'story', ${lit(story.id)}, ${lit(t.project.id)}) ON CONFLICT DO NOTHING`)
const prefer = (t, user, kind, inApp, mail) =>
	ok(call('PUT', `${t.base}/notification-preferences/${kind}`, { ...user, json: { inApp, mail } }))
/** Waits until the worker has read all events of a tenant. */
const followed = t =>
	until(() => sql(`SELECT count(*) FROM events e LEFT JOIN event_cursors c USING (workspace_id, scope_id)
		WHERE e.workspace_id = ${lit(t.id)} AND e.rev > coalesce(c.rev, 0)`) === '0')
const tick = () => execFileSync(`${BIN}/gnomon-worker`, ['tick'], { stdio: 'pipe' })

test('what is assigned to somebody is a notification for them, within two seconds, and counts in the navigation', async () => {
	const t = await tenant({ roles: ['member'] })
	const begun = Date.now()
	await change(t, t.owner, t.stories[0], { assigneeId: t.member.id })
	const n = await heard(t, t.member, x => x.kind === 'assigned')
	assert.ok(Date.now() - begun < 2000, `${Date.now() - begun} ms`)
	assert.equal(n.text, 'Olga Owner assigned it to you')
	assert.match(n.title, /^T\w+-1 Story 1$/)
	assert.equal(n.path, `/w/${t.slug}/p/${t.project.key}/stories/${t.stories[0].key}`)
	assert.equal(n.actor.id, t.owner.id)
	assert.deepEqual([n.isUnread, n.times, n.isGrouped], [true, 1, false])
	const cookie = await browser(t.member)
	const page = await get(`/w/${t.slug}/notifications`, { cookie })
	assert.match(page.text, /1 notification is unread\./)
	assert.match(page.text, /Notifications <span>1<span class="vh"> unread/)
	assert.ok(page.text.includes(`<a href="${n.path}">`))
	assert.equal((await get(n.path, { cookie })).status, 200)
})

test('nobody hears of what they did themselves', async () => {
	const t = await tenant({ roles: ['member'] })
	watch(t, t.owner, t.stories[0])
	watch(t, t.member, t.stories[0])
	await change(t, t.owner, t.stories[0], { assigneeId: t.owner.id })
	await heard(t, t.member, x => x.kind === 'watching')
	await followed(t)
	assert.deepEqual(await list(t, t.owner), [])
})

test('ten changes of one story are one line with their number; read, it begins anew', async () => {
	const t = await tenant({ roles: ['member'] })
	watch(t, t.member, t.stories[0])
	let story = t.stories[0]
	for (let i = 1; i <= 10; i++) story = await change(t, t.owner, story, { title: `Title ${i}` })
	const n = await heard(t, t.member, x => x.times === 10)
	assert.equal((await list(t, t.member)).length, 1)
	assert.match(n.title, /Title 10$/)
	assert.equal(n.text, 'Olga Owner changed title')
	assert.equal(n.isGrouped, true)
	const read = await ok(patch(`${t.base}/notifications/${n.id}`, { ...t.member, json: { isUnread: false } }))
	assert.equal(read.isUnread, false)
	await change(t, t.owner, story, { status: 'review' })
	const again = await heard(t, t.member, x => x.isUnread)
	assert.deepEqual([again.id, again.times, again.text], [n.id, 1, 'Olga Owner moved it to review'])
})

test('whoever is named in a comment hears of it, once', async () => {
	const t = await tenant({ roles: ['member'] })
	watch(t, t.member, t.stories[0])
	await ok(post(`${t.path}/stories/${t.stories[0].id}/comments`, { ...t.owner, json: { body: 'Look' } }), 201)
	await heard(t, t.member, x => x.kind === 'watching' && /commented/.test(x.text))
	await ok(post(`${t.path}/stories/${t.stories[1].id}/comments`, { ...t.owner, json: { body: 'What does @Person member say?' } }), 201)
	const n = await heard(t, t.member, x => x.kind === 'mention')
	assert.equal(n.entityId, t.stories[1].id)
	await followed(t)
	assert.equal((await list(t, t.member)).filter(x => x.entityId === t.stories[1].id).length, 1)
})

test('who is named by an edit of a comment hears of it; who was named before does not again', async () => {
	const t = await tenant({ roles: ['member', 'admin'] })
	const at = `${t.path}/stories/${t.stories[0].id}/comments`
	const mentions = async who => (await list(t, who)).filter(x => x.kind === 'mention').map(x => x.times)
	const c = await ok(post(at, { ...t.owner, json: { body: 'Ask @Person member' } }), 201)
	await heard(t, t.member, x => x.kind === 'mention')
	const edited = await ok(patch(`${at}/${c.id}`, { ...t.owner, json: { version: c.version, body: 'Ask @Person member, and @Person admin' } }))
	const n = await heard(t, t.admin, x => x.kind === 'mention')
	assert.equal(n.text, 'Olga Owner mentioned you')
	await ok(patch(`${at}/${c.id}`, { ...t.owner, json: { version: edited.version, body: 'Now ask @Person member and @Person admin' } }))
	await followed(t)
	assert.deepEqual([await mentions(t.member), await mentions(t.admin)], [[1], [1]])
})

test('what happens to a story’s tasks reaches those who watch the story; who is given a task hears of that alone', async () => {
	const t = await tenant({ roles: ['member', 'admin'] })
	watch(t, t.member, t.stories[0])
	watch(t, t.admin, t.stories[0])
	const at = `${t.path}/tasks`
	const said = text => heard(t, t.member, x => x.kind === 'watching' && x.entityId === t.stories[0].id && x.text === text)
	const task = await ok(post(at, { ...t.owner, json: { storyId: t.stories[0].id, title: 'Paint it' } }), 201)
	assert.match((await said('Olga Owner added the task Paint it')).title, /Story 1$/)
	let now = await ok(patch(`${at}/${task.id}`, { ...t.owner, json: { version: task.version, status: 'in_progress' } }))
	await said('Olga Owner moved the task Paint it to in progress')
	now = await ok(patch(`${at}/${task.id}`, { ...t.owner, json: { version: now.version, description: 'Blue' } }))
	await said('Olga Owner changed description of the task Paint it')
	await ok(post(`${t.base}/notifications/read-all`, t.admin))
	await ok(patch(`${at}/${task.id}`, { ...t.owner, json: { version: now.version, assigneeId: t.admin.id } }))
	await heard(t, t.admin, x => x.kind === 'assigned' && x.isUnread)
	await followed(t)
	assert.deepEqual((await list(t, t.admin, '?unread=true')).map(x => x.kind), ['assigned'])
	assert.equal((await call('DELETE', `${at}/${task.id}`, t.owner)).status, 204)
	await said('Olga Owner deleted the task Paint it')
})

test('no mail of what is not there for somebody any more: neither at once nor in a digest', async () => {
	const t = await tenant({ roles: ['member', 'viewer'] })
	const [gone, shut] = [t.member, t.viewer]
	for (const who of [gone, shut]) {
		await prefer(t, who, 'watching', false, 'daily')
		await prefer(t, who, 'assigned', true, 'daily')
		watch(t, who, t.stories[0])
	}
	await change(t, t.owner, t.stories[0], { title: 'The secret of Story 1' })
	const waits = who => Number(sql(`SELECT count(*) FROM notifications WHERE user_id = ${lit(who.id)} AND mail = 'daily' AND mailed_at IS NULL`))
	assert.ok(await until(() => waits(gone) && waits(shut)))
	assert.equal((await call('DELETE', `${t.base}/members/${gone.id}`, t.owner)).status, 204)
	sql(`INSERT INTO notifications (workspace_id, user_id, kind, title, entity_type, entity_id)
	     VALUES (${lit(t.id)}, ${lit(shut.id)}, 'assigned', 'x', 'story', ${lit(t.stories[0].id)})`)
	const count = async () => /"unread": ?(\d+)/.exec(sql(`BEGIN; SELECT nav FROM gnomon.enter(NULL, (SELECT id FROM sessions WHERE user_id = ${lit(shut.id)} LIMIT 1), ${lit(t.slug)}, NULL, NULL, 1, true); COMMIT`))[1]
	assert.equal(await count(), '1')
	const p = await ok(get(t.path, t.owner))
	await ok(patch(t.path, { ...t.owner, json: { version: p.version, isPrivate: true } }))
	assert.equal(await count(), '0', 'what is hidden is not counted either')
	const before_ = box.mails().length
	const job = sql(`INSERT INTO jobs (workspace_id, queue, kind, run_at) VALUES (${lit(t.id)}, 'notifications', 'notifications:digest', now()) RETURNING id`)
	assert.ok(await until(() => sql(`SELECT state FROM jobs WHERE id = ${lit(job)}`) === 'succeeded'))
	assert.equal(sql(`SELECT count(*) FROM jobs WHERE workspace_id = ${lit(t.id)} AND kind = 'mail:send'`), '0')
	assert.equal(box.mails().slice(before_).filter(m => /secret of Story/.test(m.text)).length, 0)
	// and nobody can be told of it in the first place
	assert.equal(sql(`WITH n AS (INSERT INTO notifications (workspace_id, user_id, kind, title, entity_type, entity_id)
		VALUES (${lit(t.id)}, ${lit(shut.id)}, 'insight', 'x', 'story', ${lit(t.stories[1].id)}) RETURNING 1) SELECT count(*) FROM n`), '0')
})

test('a private project tells nobody who may not see it', async () => {
	const t = await tenant({ roles: ['member', 'admin'] })
	watch(t, t.member, t.stories[0])
	watch(t, t.admin, t.stories[0])
	sql(`UPDATE projects SET is_private = true WHERE workspace_id = ${lit(t.id)} AND id = ${lit(t.project.id)}`)
	await change(t, t.owner, t.stories[0], { title: 'A secret', assigneeId: t.member.id })
	await heard(t, t.admin, x => /A secret/.test(x.title))
	await followed(t)
	assert.deepEqual(await list(t, t.member), [])
	assert.equal(sql(`SELECT count(*) FROM notifications WHERE user_id = ${lit(t.member.id)}`), '0')
})

test('a sprint that starts or is completed is told to those of the project', async () => {
	const t = await tenant({ roles: ['member', 'viewer'] })
	sql(`INSERT INTO project_members (workspace_id, project_id, user_id, role) VALUES (${lit(t.id)}, ${lit(t.project.id)}, ${lit(t.member.id)}, 'member')`)
	const id = sql(`INSERT INTO sprints (workspace_id, project_id, name, start_date, end_date) VALUES (${lit(t.id)}, ${lit(t.project.id)}, 'Sprint 9', current_date, current_date + 9) RETURNING id`)
	sql(`UPDATE sprints SET status = 'active', started_at = now() WHERE id = ${lit(id)}`)
	assert.equal((await heard(t, t.member, x => x.kind === 'sprint')).text, 'The sprint has started')
	sql(`UPDATE sprints SET status = 'completed', completed_at = now() WHERE id = ${lit(id)}`)
	await heard(t, t.member, x => x.text === 'The sprint is completed' && x.times === 2)
	assert.deepEqual((await list(t, t.viewer)).filter(x => x.kind === 'sprint'), [])
})

describe('000-012, 000-051: in-app notifications', () => {
	test('000-012: an insight is a notification of its targets, listed with where it leads', async () => {
		const t = await tenant({ roles: ['member'] })
		const { list: [insight] } = insights(t)
		sql(`INSERT INTO notifications (workspace_id, user_id, kind, title, entity_type, entity_id)
		     VALUES (${lit(t.id)}, ${lit(t.owner.id)}, 'insight', 'The sprint is late', 'insight', ${lit(insight.id)})`)
		const [n] = await list(t, t.owner)
		assert.deepEqual([n.kind, n.title, n.path, n.entityId], ['insight', 'The sprint is late', `/w/${t.slug}/insights/I-${insight.number}`, insight.id])
		assert.deepEqual(await list(t, t.member), [])
	})
	test('what an agent finds leads to it, and so does what is said of an epic', async () => {
		assert.equal(sql("SELECT count(*) FROM notifications WHERE entity_type = 'insight' AND kind = 'insight' AND path ~ '^/insights/I-[0-9]+$'") > 0, true)
		assert.equal(sql("SELECT count(*) FROM notifications n JOIN workspaces w ON w.id = n.workspace_id WHERE w.slug = 'acme' AND n.path IS NULL"), '0')
		const t = await tenant({ roles: ['member'], stories: 0 })
		const epic = await ok(post(`${t.path}/epics`, { ...t.owner, json: { title: 'A larger goal' } }), 201)
		await ok(post(`${t.path}/epics/${epic.key}/comments`, { ...t.owner, json: { body: `Look at this, @${t.member.name}` } }), 201)
		const n = await heard(t, t.member, x => x.kind === 'mention')
		const cookie = await browser(t.member)
		for (const path of [n.path, /href="([^"]*\/epics\/[^"#]*)/.exec((await get(`/w/${t.slug}/p/${t.project.key}/activity`, { cookie })).text)[1]])
			assert.match((await get(path, { cookie })).text, /<h1>A larger goal<\/h1>/, path)
	})
	test('unread come first, then by time; pages hold together', async () => {
		const t = await tenant({ stories: 0 })
		sql(`INSERT INTO notifications (workspace_id, user_id, kind, title, entity_type, entity_id, latest_at, read_at)
		     SELECT ${lit(t.id)}, ${lit(t.owner.id)}, 'watching', 'N' || i, 'test', gnomon.uuid7(), now() - i * interval '1 minute', CASE WHEN i % 3 = 0 THEN now() END
		       FROM generate_series(1, 30) i`)
		const seen = []
		for (let cursor = ''; cursor !== null;) {
			const page = await ok(get(`${t.base}/notifications?limit=7${cursor && `&cursor=${cursor}`}`, t.owner))
			seen.push(...page.items)
			cursor = page.next ?? null
		}
		assert.deepEqual(seen.map(n => n.title), [...Array(30).keys()].map(i => i + 1)
			.sort((x, y) => (x % 3 === 0) - (y % 3 === 0) || x - y).map(i => `N${i}`))
		assert.equal((await list(t, t.owner, '?unread=true')).length, 20)
		assert.deepEqual(await ok(post(`${t.base}/notifications/read-all`, t.owner)), { read: 20 })
		assert.equal((await list(t, t.owner, '?unread=true')).length, 0)
	})
	test("somebody else's notification is not there", async () => {
		const t = await tenant({ roles: ['member'] })
		await change(t, t.owner, t.stories[0], { assigneeId: t.member.id })
		const n = await heard(t, t.member, x => x.kind === 'assigned')
		await refused(patch(`${t.base}/notifications/${n.id}`, { ...t.owner, json: { isUnread: false } }), 404, 'not_found')
	})
	test('the list is an index scan, however many there are', async () => {
		const t = await tenant({ stories: 0 })
		sql(`INSERT INTO notifications (workspace_id, user_id, kind, title, entity_type, project_id, entity_id, latest_at, read_at)
		     SELECT ${lit(t.id)}, ${lit(t.owner.id)}, 'watching', 'N', 'test', ${lit(t.project.id)}, gnomon.uuid7(), now() - i * interval '1 minute', CASE WHEN i > 50 THEN now() END
		       FROM generate_series(1, 20000) i; ANALYZE notifications`)
		const { sid } = JSON.parse(Buffer.from(t.owner.token.split('.')[1], 'base64url'))
		const plan = sql(`BEGIN; SELECT 1 FROM gnomon.enter(NULL, ${lit(sid)}, ${lit(t.slug)}, NULL, NULL, 1, false) \\g /dev/null
			EXPLAIN SELECT * FROM notifications n WHERE n.workspace_id = gnomon.workspace() AND n.user_id = gnomon.actor() AND n.in_app
			  AND (n.is_unread, n.latest_at, n.id) < (true, now(), 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid) ORDER BY n.is_unread DESC, n.latest_at DESC, n.id DESC LIMIT 51; COMMIT`, 'gnomon_web')
		assert.match(plan, /Index Scan Backward using notifications_inbox/)
		assert.doesNotMatch(plan, /Sort|Seq Scan on notifications/)
	})
})

describe('preferences', () => {
	test('everything is shown and nothing mailed until somebody chooses', async () => {
		const t = await tenant({ stories: 0 })
		const { items } = await ok(get(`${t.base}/notification-preferences`, t.owner))
		assert.deepEqual(items.map(p => p.kind), ['assigned', 'mention', 'watching', 'sprint', 'insight', 'system'])
		for (const p of items) assert.deepEqual([p.inApp, p.mail], [true, 'off'])
		await refused(call('PUT', `${t.base}/notification-preferences/nothing`, { ...t.owner, json: { inApp: true, mail: 'off' } }), 404)
		await refused(call('PUT', `${t.base}/notification-preferences/sprint`, { ...t.owner, json: { inApp: true, mail: 'often' } }), 422, 'validation_failed')
	})
	test('what is not wanted is not shown; at once is a mail with a way out', async () => {
		const t = await tenant({ roles: ['member', 'viewer'] })
		await prefer(t, t.member, 'assigned', false, 'now')
		await prefer(t, t.viewer, 'watching', false, 'off')
		watch(t, t.viewer, t.stories[0])
		await change(t, t.owner, t.stories[0], { assigneeId: t.member.id })
		const mail = await box.waitFor(t.member.email)
		assert.match(mail.subject, /^T\w+-1 Story 1$/)
		assert.match(mail.text, /Olga Owner assigned it to you/)
		assert.ok(mail.text.includes(`${process.env.GNOMON_URL}/w/${t.slug}/p/${t.project.key}/stories/${t.stories[0].key}`))
		assert.deepEqual(await list(t, t.member), [])
		assert.deepEqual(await list(t, t.viewer), [])
		// RFC 8058: one POST, nobody signed in
		const url = /<(.*)>/.exec(mail.headers['list-unsubscribe'])[1]
		assert.match(url, /\/api\/v1\/unsubscribe\//)
		const r = await post(new URL(url).pathname, { form: { 'List-Unsubscribe': 'One-Click' } })
		assert.equal(r.status, 204, r.text)
		const { items } = await ok(get(`${t.base}/notification-preferences`, t.member))
		assert.equal(items.find(p => p.kind === 'assigned').mail, 'off')
		await refused(post(`${new URL(url).pathname}x`), 404, 'not_found')
	})
	test('the pages work: preferences are saved, the link of a mail has a button', async () => {
		const t = await tenant({ roles: ['member'] })
		const cookie = await browser(t.member)
		const page = await get(`/w/${t.slug}/notifications/preferences`, { cookie })
		const form = /<form[^>]*preferences\/watching.*?<\/form>/s.exec(page.text)[0]
		const fields = Object.fromEntries([...form.matchAll(/name="?(\w+)"? value="([^"]*)"/g)].map(m => [m[1], m[2]]))
		const saved = await post(`/w/${t.slug}/notifications/preferences/watching`, { cookie, form: { ...fields, inApp: 'true', mail: 'now' }, headers: { Origin: process.env.GNOMON_URL } })
		assert.equal(saved.status, 303, saved.text.slice(0, 500))
		watch(t, t.member, t.stories[0])
		await change(t, t.owner, t.stories[0], { title: 'Other' })
		const mail = await box.waitFor(t.member.email)
		const link = new URL(/Stop these mails: (\S+)/.exec(mail.text)[1]).pathname
		assert.equal((await get(`${link}x`)).status, 404)
		assert.match((await get(link)).text, /<button class="solid">Stop these mails/)
		const r = await post(link, { form: {}, headers: { Origin: process.env.GNOMON_URL } })
		assert.equal(r.status, 303, r.text.slice(0, 500))
		const { items } = await ok(get(`${t.base}/notification-preferences`, t.member))
		assert.equal(items.find(p => p.kind === 'watching').mail, 'off')
	})
})

test('000-013: the digest leaves at 08:00 of the workspace, once a day, to those who opted in alone', async () => {
	const t = await tenant({ roles: ['member', 'viewer'] })
	await prefer(t, t.member, 'watching', true, 'daily')
	for (const user of [t.member, t.viewer]) watch(t, user, t.stories[0])
	let story = t.stories[0]
	for (let i = 0; i < 3; i++) story = await change(t, t.owner, story, { title: `Digest ${i}` })
	await heard(t, t.member, x => x.times === 3)
	await heard(t, t.viewer, x => x.times === 3)
	// a zone where it has struck 08:00 within the hour
	const zone = sql(`SELECT name FROM pg_timezone_names WHERE name LIKE 'Etc/GMT%' AND extract(hour FROM now() AT TIME ZONE name) = 8 LIMIT 1`)
	const later = sql(`SELECT name FROM pg_timezone_names WHERE name LIKE 'Etc/GMT%' AND extract(hour FROM now() AT TIME ZONE name) BETWEEN 20 AND 21 LIMIT 1`)
	sql(`UPDATE workspaces SET timezone = ${lit(later)} WHERE id = ${lit(t.id)}`)
	tick()
	assert.equal(sql(`SELECT count(*) FROM jobs WHERE workspace_id = ${lit(t.id)} AND kind = 'notifications:digest'`), '0')
	sql(`UPDATE workspaces SET timezone = ${lit(zone)} WHERE id = ${lit(t.id)}`)
	tick()
	tick()
	const mail = await box.waitFor(t.member.email)
	assert.match(mail.subject, /: 1 notification$/)
	assert.match(mail.text, /Digest 2: Olga Owner changed title \(3 times\)/)
	assert.ok(mail.text.includes(`/p/${t.project.key}/stories/${story.key}`))
	assert.match(mail.headers['list-unsubscribe'], /unsubscribe/)
	assert.equal(mail.headers['list-unsubscribe-post'], 'List-Unsubscribe=One-Click')
	assert.equal(rows(`SELECT id FROM jobs WHERE workspace_id = ${lit(t.id)} AND kind = 'notifications:digest'`).length, 1)
	assert.deepEqual([box.mails(t.viewer.email), box.mails(t.owner.email)].flat(), [])
	assert.equal(box.mails(t.member.email).length, 1)
	// the next day, with nothing new, there is none
	sql(`UPDATE jobs SET once = 'digest:before' WHERE workspace_id = ${lit(t.id)} AND kind = 'notifications:digest'`)
	tick()
	assert.ok(await until(() => sql(`SELECT count(*) FROM jobs WHERE workspace_id = ${lit(t.id)} AND kind = 'notifications:digest' AND state = 'succeeded'`) === '2'))
	assert.equal(box.mails(t.member.email).length, 1)
	// the link of the digest ends it
	assert.equal((await post(new URL(/<(.*)>/.exec(mail.headers['list-unsubscribe'])[1]).pathname)).status, 204)
	assert.equal((await ok(get(`${t.base}/notification-preferences`, t.member))).items.find(p => p.kind === 'watching').mail, 'off')
})
