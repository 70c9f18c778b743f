// Webhooks: what happens reaches another server, signed, at least once.
import { createHmac } from 'node:crypto'
import fs from 'node:fs'
import http from 'node:http'
import { after, describe, test } from 'node:test'
import { assert, browser, call, get, lit, ok, patch, post, refused, rows, sql, tenant } from './lib.mjs'
import { until } from './server.mjs'

// ---- a receiver: keeps what it gets, answers what it is told to

const receivers = []
async function receiver(answer = () => 200) {
	const got = []
	const server = http.createServer((rq, rs) => {
		const chunks = []
		rq.on('data', c => chunks.push(c)).on('end', () => {
			const m = { headers: rq.headers, body: Buffer.concat(chunks).toString('utf8'), at: Date.now(), path: rq.url }
			m.json = JSON.parse(m.body)
			got.push(m)
			const status = answer(m, got.length)
			if (status === 'hang') return
			if (status.wait) return rs.writeHead(status.status, { 'Retry-After': status.wait }).end()
			if (status === 'redirect') rs.writeHead(302, { Location: 'http://169.254.169.254/' }).end()
			else rs.writeHead(status).end('the answer')
		})
	})
	await new Promise(r => server.listen(0, '127.0.0.1', r))
	receivers.push(server)
	return { got, url: `http://127.0.0.1:${server.address().port}/hook` }
}
after(() => receivers.forEach(s => { s.closeAllConnections(); s.close() }))

const newHook = (t, url, eventTypes = ['*']) => ok(post(`${t.base}/webhooks`, { ...t.owner, json: { url, eventTypes } }), 201)
const deliveries = async (t, hook) => (await ok(get(`${t.base}/webhooks/${hook.id}/deliveries?limit=100`, t.owner))).items
const rename = (t, story, title) => ok(patch(`${t.path}/stories/${story.id}`, { ...t.owner, json: { version: story.version, title } }))
/** Makes everything of a webhook that waits due now. */
const hurry = hook =>
	sql(`UPDATE webhook_deliveries SET next_try = now() WHERE webhook_id = ${lit(hook.id)} AND state = 'pending';
	     UPDATE webhooks SET rests_until = NULL WHERE id = ${lit(hook.id)}`)
/** Standard Webhooks: one of the signatures is ours. */
const verifies = (secret, m) => {
	const key = Buffer.from(secret.slice('whsec_'.length), 'base64')
	const mac = createHmac('sha256', key).update(`${m.headers['webhook-id']}.${m.headers['webhook-timestamp']}.${m.body}`).digest('base64')
	return m.headers['webhook-signature'].split(' ').includes(`v1,${mac}`)
}

test('an event reaches its webhook within two seconds, signed as Standard Webhooks has it', async () => {
	const t = await tenant()
	const r = await receiver()
	const hook = await newHook(t, r.url, ['story.updated'])
	assert.match(hook.secret, /^whsec_[A-Za-z0-9+/]{43}=$/)
	const begun = Date.now()
	await rename(t, t.stories[0], 'Heard')
	assert.ok(await until(() => r.got.length))
	const [m] = r.got
	assert.ok(m.at - begun < 2000, `${m.at - begun} ms`)
	assert.ok(verifies(hook.secret, m))
	assert.ok(!verifies(hook.secret, { ...m, body: `${m.body} ` }))
	assert.ok(Math.abs(Number(m.headers['webhook-timestamp']) - Date.now() / 1000) < 10)
	assert.equal(m.headers['content-type'], 'application/json')
	assert.deepEqual(Object.keys(m.json).sort(), ['data', 'timestamp', 'type'])
	assert.equal(m.json.type, 'story.updated')
	assert.deepEqual(m.json.data.changes, { title: ['Story 1', 'Heard'] })
	assert.deepEqual([m.json.data.entityId, m.json.data.project.key, m.json.data.workspace.slug, m.json.data.actor.name],
		[t.stories[0].id, t.project.key, t.slug, 'Olga Owner'])
	assert.ok(await until(async () => (await deliveries(t, hook))[0].state === 'delivered'))
	const [d] = await deliveries(t, hook)
	assert.deepEqual([d.id, d.attempts, d.statusCode, d.error, d.nextTry], [m.headers['webhook-id'], 1, 200, null, null])
	const whole = await ok(get(`${t.base}/webhooks/${hook.id}/deliveries/${d.id}`, t.owner))
	assert.deepEqual(whole.payload, m.json)
})

test('only what it asked for, in the order in which it happened; names are camelCase', async () => {
	const t = await tenant()
	const r = await receiver()
	const all = await newHook(t, r.url, ['story.*'])
	const none = await newHook(t, `${r.url}/none`, ['epic.created'])
	let story = t.stories[0]
	for (let i = 1; i <= 20; i++) story = await rename(t, story, `Title ${i}`)
	await ok(patch(`${t.path}/stories/${story.id}`, { ...t.owner, json: { version: story.version, dueDate: '2030-01-01' } }))
	assert.ok(await until(() => r.got.filter(m => m.json.type === 'story.updated').length === 21))
	const revisions = r.got.map(m => m.json.data.revision)
	assert.deepEqual(revisions, [...revisions].sort((a, b) => a - b))
	assert.deepEqual(r.got.at(-1).json.data.changes, { dueDate: [null, '2030-01-01'] })
	assert.equal((await deliveries(t, all)).length, 21)
	assert.equal((await deliveries(t, none)).length, 0)
	assert.ok(r.got.every(m => m.path === '/hook'))
})

test('the secret is shown once; nobody finds it in the database, and a new one signs beside the former', async () => {
	const t = await tenant()
	const r = await receiver()
	const hook = await newHook(t, r.url, ['story.*'])
	const shown = await get(`${t.base}/webhooks/${hook.id}`, t.owner)
	assert.ok(!shown.text.includes('whsec_'))
	assert.ok(!(await get(`${t.base}/webhooks`, t.owner)).text.includes('whsec_'))
	const kept = sql(`SELECT secret FROM webhook_secrets WHERE webhook_id = ${lit(hook.id)}`)
	assert.ok(kept.length > 40 && !kept.includes(hook.secret.slice(6, 30)))
	const { secret } = await ok(post(`${t.base}/webhooks/${hook.id}/secret`, t.owner), 201)
	assert.notEqual(secret, hook.secret)
	await rename(t, t.stories[0], 'Both')
	assert.ok(await until(() => r.got.length))
	assert.ok(verifies(secret, r.got[0]) && verifies(hook.secret, r.got[0]))
	sql(`UPDATE webhook_secrets SET made_at = now() - interval '2 days' WHERE webhook_id = ${lit(hook.id)}`)
	await rename(t, { ...t.stories[0], version: 2 }, 'One')
	assert.ok(await until(() => r.got.length === 2))
	assert.ok(verifies(secret, r.got[1]) && !verifies(hook.secret, r.got[1]))
	const actions = rows(`SELECT action FROM audit_log WHERE workspace_id = ${lit(t.id)} AND entity_type = 'webhook' ORDER BY number`)
	assert.deepEqual(actions.map(a => a.action), ['webhook.created', 'webhook.secret_rotated'])
})

test('a refused message is tried again by the table: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 10 h; then the webhook is off and admins are told', async () => {
	const t = await tenant({ roles: ['admin', 'member'] })
	const r = await receiver(() => 500)
	const hook = await newHook(t, r.url, ['story.updated'])
	await rename(t, t.stories[0], 'Refused')
	const waits = [5, 300, 1800, 7200, 18000, 36000, 36000]
	for (let n = 1; n <= 8; n++) {
		assert.ok(await until(async () => (await deliveries(t, hook))[0]?.attempts === n), `attempt ${n}`)
		const [d] = rows(`SELECT state, status_code, error, extract(epoch FROM next_try - tried_at)::float AS wait FROM webhook_deliveries WHERE webhook_id = ${lit(hook.id)}`)
		assert.deepEqual([d.status_code, d.error], [500, 'answered 500'])
		if (n === 8) assert.deepEqual([d.state, d.wait], ['failed', null])
		else assert.ok(d.wait >= waits[n - 1] - 0.1 && d.wait <= waits[n - 1] * 1.11, `${n}: ${d.wait}`)
		hurry(hook)
	}
	assert.equal(r.got.length, 8)
	assert.equal(new Set(r.got.map(m => m.headers['webhook-id'])).size, 1)
	const off = await ok(get(`${t.base}/webhooks/${hook.id}`, t.owner))
	assert.equal(off.active, false)
	assert.match(off.disabledReason, /8 attempts/)
	for (const who of [t.owner, t.admin]) {
		const [n] = (await ok(get(`${t.base}/notifications`, who))).items
		assert.match(n.title, /is switched off/)
		assert.equal(n.path, `/w/${t.slug}/admin/webhooks/${hook.id}`)
	}
	assert.deepEqual((await ok(get(`${t.base}/notifications`, t.member))).items, [])
	// on again: from now on
	await refused(post(`${t.base}/webhooks/${hook.id}/test`, t.owner), 409, 'illegal_state')
	const on = await ok(patch(`${t.base}/webhooks/${hook.id}`, { ...t.owner, json: { version: off.version, active: true } }))
	assert.deepEqual([on.active, on.disabledReason, on.failures], [true, null, 0])
})

test('410 switches it off at once; a success in between keeps it on', async () => {
	const t = await tenant()
	const gone = await receiver(() => 410)
	const hook = await newHook(t, gone.url, ['story.updated'])
	await rename(t, t.stories[0], 'Gone')
	assert.ok(await until(async () => !(await ok(get(`${t.base}/webhooks/${hook.id}`, t.owner))).active))
	assert.equal((await deliveries(t, hook))[0].state, 'failed')
	const moody = await receiver(m => (m.json.data.changes.title?.[1] === 'Bad' ? 500 : 200))
	const other = await newHook(t, moody.url, ['story.updated'])
	let story = await rename(t, { ...t.stories[0], version: 2 }, 'Bad')
	assert.ok(await until(() => moody.got.length === 1))
	story = await rename(t, story, 'Good')
	assert.ok(await until(() => moody.got.some(m => m.json.data.changes.title[1] === 'Good')))
	for (let n = 2; n <= 8; n++) {
		hurry(other)
		assert.ok(await until(() => moody.got.filter(m => m.json.data.changes.title[1] === 'Bad').length === n))
	}
	assert.ok(await until(async () => (await deliveries(t, other)).some(d => d.state === 'failed')))
	assert.equal((await ok(get(`${t.base}/webhooks/${other.id}`, t.owner))).active, true)
})

test('private addresses are refused, also behind a name or a redirect', async () => {
	const t = await tenant()
	const r = await receiver(() => 'redirect')
	const redirected = await newHook(t, r.url, ['ping'].map(() => 'story.*'))
	const hooks = []
	for (const url of ['http://10.1.2.3/', 'http://[::1]:1/', 'http://169.254.169.254/latest/', 'http://localhost6.invalid/', 'http://0.0.0.0:1/'])
		hooks.push(await newHook(t, url, ['epic.created']))
	for (const hook of [redirected, ...hooks]) await ok(post(`${t.base}/webhooks/${hook.id}/test`, t.owner), 202)
	for (const hook of hooks.filter(h => !h.url.includes('invalid'))) {
		assert.ok(await until(async () => (await deliveries(t, hook))[0].attempts === 1))
		assert.match((await deliveries(t, hook))[0].error, /not a public address/)
	}
	assert.ok(await until(async () => (await deliveries(t, redirected))[0].attempts === 1))
	assert.equal((await deliveries(t, redirected))[0].statusCode, 302)
	for (const url of ['ftp://example.org/', 'file:///etc/passwd', 'https://', 'javascript:alert(1)'])
		await refused(post(`${t.base}/webhooks`, { ...t.owner, json: { url, eventTypes: ['*'] } }), 422, 'validation_failed')
	for (const eventTypes of [[], ['story'], ['story.exploded'], ['Story.*']])
		await refused(post(`${t.base}/webhooks`, { ...t.owner, json: { url: 'https://example.org/', eventTypes } }), 422, 'validation_failed')
	for (const hook of [redirected, ...hooks]) assert.equal((await call('DELETE', `${t.base}/webhooks/${hook.id}`, t.owner)).status, 204)
})

test('an address holds no password, and a workspace no more than fifty', async () => {
	const t = await tenant()
	for (const url of ['https://user:secret@example.org/', 'https://user@example.org', 'http://example.org@10.0.0.1/'])
		await refused(post(`${t.base}/webhooks`, { ...t.owner, json: { url, eventTypes: ['*'] } }), 422, 'validation_failed')
	const hook = await newHook(t, 'https://example.org/a@b?c=d@e')
	await refused(patch(`${t.base}/webhooks/${hook.id}`, { ...t.owner, json: { version: 1, url: 'https://a:b@example.org/' } }), 422, 'validation_failed')
	sql(`INSERT INTO webhooks (workspace_id, url, event_types) SELECT ${lit(t.id)}, 'https://example.org/', '{*}' FROM generate_series(1, 49)`)
	await refused(post(`${t.base}/webhooks`, { ...t.owner, json: { url: 'https://example.org/', eventTypes: ['*'] } }), 422, 'validation_failed')
})

test('whatever Retry-After says, the next attempt is within a day', async () => {
	const t = await tenant()
	for (const wait of ['99999999999999999', '-5', 'Fri, 31 Dec 9999 23:59:59 GMT', 'x']) {
		const r = await receiver((m, n) => ({ status: 503, wait }))
		const hook = await newHook(t, r.url, ['epic.*'])
		await ok(post(`${t.base}/webhooks/${hook.id}/test`, t.owner), 202)
		assert.ok(await until(async () => (await deliveries(t, hook))[0].attempts === 1), wait)
		const [d] = await deliveries(t, hook)
		assert.equal(d.statusCode, 503)
		const ms = new Date(d.nextTry) - Date.now()
		assert.ok(ms > 0 && ms <= 86400e3, `${wait}: ${d.nextTry}`)
	}
})

test('a message is sent again when somebody asks; a test message is a ping', async () => {
	const t = await tenant({ roles: ['member'] })
	const r = await receiver()
	const hook = await newHook(t, r.url, ['epic.created'])
	const made = await ok(post(`${t.base}/webhooks/${hook.id}/test`, t.owner), 202)
	assert.ok(await until(() => r.got.length === 1))
	assert.equal(r.got[0].json.type, 'ping')
	assert.ok(verifies(hook.secret, r.got[0]))
	assert.ok(await until(async () => (await deliveries(t, hook))[0].state === 'delivered'))
	const again = await ok(post(`${t.base}/webhooks/${hook.id}/deliveries/${made.id}/replay`, t.owner), 202)
	assert.deepEqual([again.id, again.state, again.attempts], [made.id, 'pending', 0])
	assert.ok(await until(() => r.got.length === 2))
	assert.equal(r.got[1].headers['webhook-id'], r.got[0].headers['webhook-id'])
	assert.equal(r.got[1].body, r.got[0].body)
	await refused(post(`${t.base}/webhooks/${hook.id}/test`, t.member), 403, 'forbidden')
})

test('who takes a message slowly rests as long as that took', async () => {
	const t = await tenant({ stories: 1 })
	const hook = await newHook(t, 'https://example.org/', ['story.*'])
	const job = sql(`INSERT INTO jobs (workspace_id, queue, kind, run_at, state, fence, lease_until)
		VALUES (${lit(t.id)}, 'notifications', 'test:never', now(), 'running', 1, now() + interval '1 hour') RETURNING id`)
	const took = ms => {
		const d = sql(`INSERT INTO webhook_deliveries (workspace_id, webhook_id, event_type, payload, next_try)
			VALUES (${lit(t.id)}, ${lit(hook.id)}, 'ping', '{}', now() + interval '1 hour') RETURNING id`)
		return sql(`SELECT gnomon.note_delivery(${lit(job)}, 1, ${lit(d)}, 200, ${ms}, NULL, 0)`)
	}
	const rests = () => Number(sql(`SELECT coalesce(extract(epoch FROM rests_until - now()), 0) FROM webhooks WHERE id = ${lit(hook.id)}`))
	assert.equal(took(14000), 'f')
	assert.ok(rests() > 10 && rests() <= 14, `${rests()}`)
	assert.equal(took(30), 't')
	assert.equal(rests(), 0)
	sql(`UPDATE jobs SET state = 'succeeded', finished_at = now() WHERE id = ${lit(job)}`)
})

test('003-005: a slow receiver stops no other, and one that never answers is a failed attempt', async () => {
	const t = await tenant()
	const slow = await receiver(() => 'hang')
	const quick = await receiver()
	const hooks = [await newHook(t, slow.url, ['story.*']), await newHook(t, quick.url, ['story.*'])]
	let story = t.stories[0]
	for (let i = 0; i < 3; i++) story = await rename(t, story, `Slow ${i}`)
	const begun = Date.now()
	assert.ok(await until(() => quick.got.length === 3))
	assert.ok(Date.now() - begun < 5000)
	assert.ok(await until(async () => (await deliveries(t, hooks[0])).some(d => d.attempts === 1), 25000))
	const tried = (await deliveries(t, hooks[0])).filter(d => d.attempts === 1)
	assert.equal(tried.length, 1)
	assert.match(tried[0].error, /[Tt]imed? ?out|timed out/)
	sql(`UPDATE webhooks SET active = false WHERE id = ${lit(hooks[0].id)}`)
})

describe('a worker that is killed', () => {
	/** The processes of the stack's worker: the parent and its hands. */
	const hands = () => {
		const found = []
		const home = process.env.DATABASE_URL // names this stack's socket and no other's
		for (const pid of fs.readdirSync('/proc').filter(n => /^\d+$/.test(n)))
			try {
				const name = fs.readFileSync(`/proc/${pid}/cmdline`, 'latin1')
				const env = fs.readFileSync(`/proc/${pid}/environ`, 'latin1')
				if (/gnomon-worker\0follow/.test(name) && env.includes(`DATABASE_URL=${home}\0`))
					found.push({ pid: Number(pid), parent: Number(/PPid:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'latin1'))[1]) })
			} catch {
				// gone meanwhile
			}
		return found.filter(p => found.some(q => q.pid === p.parent)).map(p => p.pid)
	}
	test('loses no message and no notification, whenever it was', async () => {
		assert.ok(hands().length >= 4, `${hands()}`)
		const t = await tenant({ roles: ['member'], stories: 6 })
		const r = await receiver()
		const hook = await newHook(t, r.url, ['story.updated'])
		for (const s of t.stories)
			sql(`INSERT INTO watchers (workspace_id, user_id, entity_type, entity_id, project_id)
			     VALUES (${lit(t.id)}, ${lit(t.member.id)}, 'story', ${lit(s.id)}, ${lit(t.project.id)})`)
		let killed = 0
		const stories = [...t.stories]
		for (let i = 0; i < 60; i++) {
			const k = i % stories.length
			stories[k] = await rename(t, stories[k], `Kill ${i}`)
			if (i % 10 !== 9) continue
			assert.ok(await until(() => hands().length >= 4))
			for (const pid of hands()) {
				process.kill(pid, 'SIGKILL')
				killed++
			}
		}
		assert.ok(killed >= 20, `${killed}`)
		// leases of the dead run out; the test does not wait for that
		const expire = () => {
			for (const { id, worker } of rows(`SELECT id, worker FROM jobs WHERE workspace_id = ${lit(t.id)} AND state = 'running'`))
				if (!fs.existsSync(`/proc/${worker.split(':').at(-1)}`)) sql(`UPDATE jobs SET lease_until = now() WHERE id = ${lit(id)} AND worker = ${lit(worker)}`)
			return true
		}
		assert.ok(await until(async () => {
			expire()
			return new Set(r.got.map(m => m.json.data.changes.title[1])).size === 60
		}, 60000), `${r.got.length} messages`)
		assert.ok(await until(async () => expire() && (await deliveries(t, hook)).every(d => d.state === 'delivered'), 30000))
		assert.equal((await deliveries(t, hook)).length, 60)
		// counted once each, however often the worker began anew
		assert.ok(await until(async () => {
			const { items } = await ok(get(`${t.base}/notifications?limit=100`, t.member))
			return items.reduce((sum, n) => sum + n.times, 0) === 60
		}, 30000))
	})
})

test('the pages: an admin adds, reads the secret while it is new, tests, changes, replays and removes a webhook', async () => {
	const t = await tenant({ roles: ['member'] })
	const r = await receiver()
	const cookie = await browser(t.owner)
	const site = { Origin: process.env.GNOMON_URL }
	const page = async path => {
		const p = await get(path, { cookie })
		assert.equal(p.status, 200, `${path}: ${p.status}`)
		return p.text
	}
	const submit = async (path, action, fields = {}) => {
		const forms = [...(await page(path)).matchAll(/<form[^>]*action="([^"]*)".*?<\/form>/gs)]
		const form = forms.find(f => f[1] === action) ?? assert.fail(`no form ${action} on ${path}: ${forms.map(f => f[1])}`)
		const given = Object.fromEntries([...form[0].matchAll(/<input[^>]*name="?(\w+)"?[^>]*value="([^"]*)"/g)].map(m => [m[1], m[2]]))
		const done = await post(action, { cookie, form: { ...given, ...fields }, headers: site })
		return done
	}
	const base = `/w/${t.slug}/admin/webhooks`
	assert.match(await page(base), /There are no webhooks yet/)
	const wrong = await submit(base, base, { url: 'http://', eventTypes: 'story.*' })
	assert.equal(wrong.status, 422)
	assert.match(wrong.text, /There is a problem/)
	assert.match(wrong.text, /value="story\.\*"/)
	assert.equal((await submit(base, base, { url: r.url, eventTypes: 'story.*, sprint.moved' })).status, 303)
	const [hook] = rows(`SELECT id, event_types FROM webhooks WHERE workspace_id = ${lit(t.id)}`)
	assert.deepEqual(hook.event_types, ['sprint.moved', 'story.*'])
	const one = `${base}/${hook.id}`
	assert.match(await page(one), /No messages yet/)
	const doors = await get(`${one}/secret.json`, { cookie })
	assert.ok(doors.status === 200 && !doors.text.includes('whsec_'), doors.text)
	assert.equal((await get(`${one}/secret.json`)).status, 401)
	assert.equal((await get(`${base}/01a1f838-4ffc-7864-a820-7b0b98efc9b1/secret`, { cookie })).status, 404)
	assert.match(await page(`${one}/secret`), /<code>whsec_[^<]{44}<\/code>/)
	sql(`UPDATE webhook_secrets SET made_at = now() - interval '11 minutes' WHERE webhook_id = ${lit(hook.id)}`)
	assert.match(await page(`${one}/secret`), /cannot be read any more/)
	assert.equal((await submit(one, `${one}/test`)).status, 303)
	assert.ok(await until(() => r.got.length === 1))
	assert.ok(await until(async () => /delivered/i.test(await page(one))))
	const delivery = new RegExp(`${one}/deliveries/([0-9a-f-]{36})`).exec(await page(one))[0]
	assert.match(await page(delivery), /&quot;type&quot;: &quot;ping&quot;/)
	assert.equal((await submit(delivery, `${delivery}/replay`)).status, 303)
	assert.ok(await until(() => r.got.length === 2))
	assert.equal((await submit(one, one, { description: 'Ours', active: 'false' })).status, 303)
	assert.match(await page(one), /It is switched off/)
	assert.equal((await submit(one, `${one}/secret`)).headers.location, `${one}/secret`)
	assert.equal((await submit(one, `${one}/remove`)).status, 303)
	assert.equal((await get(one, { cookie })).status, 404)
	assert.equal((await get(base, { cookie: await browser(t.member) })).status, 403)
})
