// What becomes of a job that fails: the row says why, and it is tried again.
import { execFileSync } from 'node:child_process'
import { after, test } from 'node:test'
import { assert, BIN, browser, call, get, lit, ok, origin, post, refused, rows, session as newSession, sql, tenant } from '../http/lib.mjs'

// ended at the end whatever happened: an open one would keep this process
const sessions = []
const session = user => {
	sessions.push(newSession(user))
	return sessions.at(-1)
}
after(() => sessions.forEach(s => s.end()))

const pause = ms => new Promise(resolve => setTimeout(resolve, ms))

test('a job that fails in the middle of a transaction is queued again, with the reason', async () => {
	const t = await tenant({ stories: 0 })
	const job = sql(`INSERT INTO jobs (workspace_id, queue, kind, payload)
		VALUES (${lit(t.id)}, 'automation', 'agent:sprint_risk:run', '{"trigger":"manual","at":"no time"}') RETURNING id`)
	let row
	for (let i = 0; i < 150; i++) {
		row = sql(`SELECT state, attempts, error LIKE '%no time%', run_at > now() FROM jobs WHERE id = ${lit(job)}`)
		if (!/^queued.0|^running/.test(row)) break
		await pause(100)
	}
	sql(`UPDATE jobs SET state = 'dead' WHERE id = ${lit(job)}`)
	assert.equal(row, 'queued|1|t|t')
})

const until = async (what, ms = 60000) => {
	for (const end = Date.now() + ms; Date.now() < end; await pause(100)) if (await what()) return true
	return false
}
const metric = async line => Number(new RegExp(`^${line.replace(/[{}]/g, '\\$&')} (\\d+)`, 'm').exec((await get('/metrics')).text)?.[1] ?? 0)
const kind = 'agent:sprint_risk:run'

test('003-028, 001-145, 003-022: a poison job is tried with growing, jittered pauses, lies among the dead, and is queued again by an admin', async () => {
	const t = await tenant({ roles: ['member'], stories: 0 })
	const poison = '{"trigger":"manual","at":"no time"}'
	const jobs = sql(`INSERT INTO jobs (workspace_id, queue, kind, payload) SELECT ${lit(t.id)}, 'automation', ${lit(kind)}, ${lit(poison)} FROM generate_series(1, 4) RETURNING id`).split('\n')
	const names = { retried: `gnomon_jobs_total{queue="automation",kind="${kind}",outcome="retried"}`, dead: `gnomon_jobs_total{queue="automation",kind="${kind}",outcome="dead"}`,
		done: `gnomon_jobs_total{queue="automation",kind="${kind}",outcome="succeeded"}`, time: `gnomon_job_duration_seconds_count{queue="automation",kind="${kind}"}`, lying: 'gnomon_jobs_queued{queue="automation",state="dead"}' }
	const measured = async () => Object.fromEntries(await Promise.all(Object.entries(names).map(async ([name, line]) => [name, await metric(line)])))
	const was = await measured()
	const pauses = { 1: [30, 37.5], 2: [120, 150] }
	for (const [attempt, [least, most]] of Object.entries(pauses)) {
		const found = () => rows(`SELECT id, attempts, state, extract(epoch FROM run_at - now()) AS pause FROM jobs WHERE workspace_id = ${lit(t.id)} AND attempts = ${attempt} AND state = 'queued' AND run_at > now()`)
		const seen = new Map() // as soon as each is back: the clock runs
		assert.ok(await until(() => found().forEach(j => seen.has(j.id) || seen.set(j.id, j.pause)) || seen.size === jobs.length), `${seen.size} of ${jobs.length}`)
		for (const seconds of seen.values()) assert.ok(seconds <= most && seconds > least - 10, `${seconds} s after attempt ${attempt}`)
		assert.equal(new Set([...seen.values()].map(s => Math.round(s * 1000))).size, jobs.length, 'no two wait alike')
		sql(`UPDATE jobs SET run_at = now() WHERE workspace_id = ${lit(t.id)}`)
	}
	assert.ok(await until(() => sql(`SELECT count(*) FROM jobs WHERE workspace_id = ${lit(t.id)} AND state = 'dead'`) === String(jobs.length)))
	const { items } = await ok(get(`${t.base}/jobs?state=dead`, t.owner))
	assert.deepEqual(items.map(j => [j.id, j.attempts]).sort(), jobs.map(id => [id, 3]).sort())
	for (const j of items) assert.match(j.error, /no time/)
	await refused(get(`${t.base}/jobs?state=dead`, t.member), 403, 'forbidden')
	await refused(post(`${t.base}/jobs/${jobs[0]}/redrive`, t.member), 403, 'forbidden')
	// what was wrong is mended, and it is sent on its way again
	sql(`UPDATE jobs SET payload = '{"trigger":"manual"}' WHERE workspace_id = ${lit(t.id)}`)
	const again = await ok(post(`${t.base}/jobs/${jobs[0]}/redrive`, t.owner), 202)
	assert.deepEqual([again.id, again.state, again.attempts], [jobs[0], 'queued', 0])
	assert.ok(await until(() => stateOf(jobs[0]) === 'succeeded'))
	await refused(post(`${t.base}/jobs/${jobs[0]}/redrive`, t.owner), 409, 'illegal_state')
	const is = await measured()
	assert.ok(is.retried >= was.retried + 8 && is.dead >= was.dead + 4 && is.done > was.done && is.time >= was.time + 13 && is.lying >= was.lying + 3, JSON.stringify({ was, is }))
})

test('003-005, 000-107: what takes its time is answered 202 with a job, whose end is asked for; queues are as documented', async () => {
	const t = await tenant({ stories: 2 })
	const { jobId } = await ok(post(`${t.base}/agents/sprint_risk/run`, t.owner), 202)
	const job = () => ok(get(`${t.base}/jobs/${jobId}`, t.owner))
	assert.deepEqual([(await job()).id, (await job()).kind, (await job()).queue], [jobId, kind, 'automation'])
	assert.ok(await until(async () => (await job()).state === 'succeeded'), JSON.stringify(await job()))
	const { items: [run] } = await ok(get(`${t.base}/agents/runs`, t.owner))
	assert.equal(run.agentKey, 'sprint_risk')
	assert.equal((await ok(get(`${t.base}/agents/runs/${run.id}`, t.owner))).triggerType, 'manual')
	// mail is of notifications; the worker takes up whatever queue a job stands in
	await ok(post(`${t.base}/invitations`, { ...t.owner, json: { email: 'queued@example.org', role: 'viewer' } }), 201)
	sql(`INSERT INTO jobs (workspace_id, queue, kind, payload) SELECT ${lit(t.id)}, q, ${lit(kind)}, '{"trigger":"manual"}' FROM unnest('{cleanup,ai-low}'::text[]) q`)
	const seen = () => sql(`SELECT string_agg(DISTINCT queue, ' ' ORDER BY queue) FROM jobs WHERE workspace_id = ${lit(t.id)} AND state = 'succeeded'`)
	assert.ok(await until(() => seen() === 'ai-low automation cleanup notifications'), seen())
	for (const queue of ['automation', 'notifications', 'cleanup', 'ai-low']) assert.ok((await ok(get(`${t.base}/jobs?queue=${queue}`, t.owner))).items.every(j => j.queue === queue))
})

test('001-147, 003-021: /metrics has what the web processes and the worker count, as Prometheus reads it', async () => {
	const { text } = await get('/metrics')
	for (const name of ['gnomon-web', 'gnomon-worker']) {
		assert.match(text, new RegExp(`^gnomon_processes\\{process="${name}"\\} [1-9]`, 'm'))
		assert.match(text, new RegExp(`^process_resident_memory_bytes\\{process="${name}"\\} [1-9]`, 'm'))
	}
	const kinds = new Map(), helped = new Set(), samples = new Set()
	for (const line of text.trimEnd().split('\n')) {
		const [, what, family, kind] = /^# (TYPE|HELP) ([a-zA-Z_:][\w:]*) (.+)$/.exec(line) ?? []
		if (what === 'TYPE') {
			assert.ok(!kinds.has(family) && ['counter', 'gauge', 'histogram'].includes(kind), line)
			kinds.set(family, kind)
		} else if (what === 'HELP') helped.add(family)
		else {
			const [, name, labels = '', value] = /^([a-zA-Z_:][\w:]*)(\{(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)+\})? (-?[\d.]+(?:e[+-]?\d+)?|\+Inf|NaN)$/i.exec(line) ?? assert.fail(line)
			const of = kinds.has(name) ? name : name.replace(/_(bucket|sum|count)$/, '')
			assert.ok(kinds.has(of) && helped.has(of), `${line}: no TYPE or HELP before it`)
			assert.ok(kinds.get(of) !== 'counter' || (name.endsWith('_total') && Number(value) >= 0), line)
			assert.ok(!samples.has(name + labels), `${line}: twice`)
			samples.add(name + labels)
		}
	}
	assert.ok(kinds.size > 15 && samples.size > 50, `${kinds.size} families, ${samples.size} samples`)
	for (const family of ['gnomon_http_requests_total', 'gnomon_jobs_total', 'gnomon_job_duration_seconds', 'gnomon_jobs_queued']) assert.match(text, new RegExp(`^# TYPE ${family} `, 'm'))
})

/** A job that no worker of the stack knows, as claimed before; gives its id. */
const claimed = (t, columns = {}) => {
	const given = { state: 'running', attempts: 3, fence: 7, run_at: '2020-01-01', lease_until: '2020-01-02', kind: `agent:${t.slug}:run`, ...columns }
	return sql(`INSERT INTO jobs (workspace_id, queue, ${Object.keys(given)}) VALUES (${lit(t.id)}, 'automation', ${Object.values(given).map(lit)}) RETURNING id`)
}
const stateOf = job => sql(`SELECT state FROM jobs WHERE id = ${lit(job)}`)
const claim = kind => sql(`SELECT id, fence FROM gnomon.claim_job(ARRAY[${lit(kind)}], 'test', '5 minutes')`, 'gnomon_worker')

test('a last attempt that outlives its lease holds nobody up, and may succeed', async () => {
	const t = await tenant({ stories: 0 })
	const [late, other] = [t.slug, `${t.slug}x`].map(name => `agent:${name}:run`)
	const job = claimed(t, { kind: late, lease_until: sql("SELECT now() + interval '1 second'") })
	const worker = session('gnomon_worker')
	assert.equal(await worker.say(`BEGIN; SELECT timezone FROM gnomon.enter_job(${lit(job)}, 7);`), 'UTC')
	await pause(1200)
	// in one transaction, or the worker of this server would take it
	const next = sql(`SET statement_timeout = '3s'; BEGIN; INSERT INTO jobs (workspace_id, queue, kind) VALUES (${lit(t.id)}, 'automation', ${lit(other)});
		SELECT id FROM gnomon.claim_job(ARRAY[${lit(other)}], 'test', '5 minutes'); COMMIT`)
	assert.equal(stateOf(next), 'running')
	assert.equal(claim(late), '')
	assert.equal(stateOf(job), 'running')
	await worker.say('COMMIT;')
	assert.equal(claim(late), '')
	// given up on, between its commit and its last word
	assert.equal(stateOf(job), 'dead')
	assert.equal(sql(`SELECT gnomon.finish_job(${lit(job)}, 7, 'too late')`, 'gnomon_worker'), '')
	assert.equal(sql(`SELECT gnomon.finish_job(${lit(job)}, 7, NULL)`, 'gnomon_worker'), 'succeeded')
	assert.equal(sql(`SELECT gnomon.finish_job(${lit(next)}, 1, NULL)`, 'gnomon_worker'), 'succeeded')
})

const eventOf = (t, at) =>
	`INSERT INTO events (workspace_id, scope_id, rev, entity_type, entity_id, action, changes, transaction, created_at)
	 VALUES (${lit(t.id)}, ${lit(t.id)}, 0, 'test', gnomon.uuid7(), 'created', '{}', 0, ${lit(at)})`

test('a month that is covered late takes over what waited for it', async () => {
	const t = await tenant({ stories: 0 })
	for (const at of ['2151-02-28T23:59:59Z', '2151-03-01T00:00Z', '2151-03-31T23:59:59Z', '2151-04-01T00:00Z']) sql(eventOf(t, at))
	const where = () => rows(`SELECT tableoid::regclass::text AS part, count(*)::int AS n FROM events
		WHERE workspace_id = ${lit(t.id)} AND created_at > '2151-01-01' GROUP BY 1 ORDER BY 1`)
	assert.deepEqual(where(), [{ part: 'events_other', n: 4 }])
	try {
		for (let i = 0; i < 2; i++) {
			sql(`SELECT gnomon.cover('events', '2151-03-01T00:00Z', '2151-03-15T00:00Z')`, 'gnomon_worker')
			assert.deepEqual(where(), [{ part: 'events_215103', n: 2 }, { part: 'events_other', n: 2 }])
		}
		// like every other partition: by name it is nobody's, and its keys are the parent's
		assert.deepEqual(rows(`SELECT relrowsecurity, pg_get_userbyid(relowner) AS owner, relispartition, relacl::text,
				(SELECT count(*)::int FROM pg_policy WHERE polrelid = c.oid) AS policies,
				(SELECT count(*)::int FROM pg_index WHERE indrelid = c.oid AND indisvalid) AS indexes
			FROM pg_class c WHERE oid = 'events_215103'::regclass`),
		[{ relrowsecurity: true, owner: 'gnomon_owner', relispartition: true, relacl: null, policies: 0,
			indexes: Number(sql(`SELECT count(*) FROM pg_index WHERE indrelid = 'events'::regclass`)) }])
	} finally {
		sql('DROP TABLE IF EXISTS events_215103')
		sql(`DELETE FROM events WHERE workspace_id = ${lit(t.id)} AND created_at > '2151-01-01'`)
	}
})

test('a chore that fails does not keep the others from theirs', async () => {
	const t = await tenant({ stories: 0 })
	sql(`INSERT INTO idempotency_keys VALUES (${lit(t.id)}, ${lit(t.owner.id)}, 'old', 'r', 200, '{}', now() - interval '2 days')`)
	const tick = () => execFileSync(`${BIN}/gnomon-worker`, ['tick'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
	sql('REVOKE EXECUTE ON FUNCTION gnomon.cover FROM gnomon_worker')
	try {
		assert.throws(tick, error => /cover/.test(error.stderr + error.stdout))
	} finally {
		sql('GRANT EXECUTE ON FUNCTION gnomon.cover TO gnomon_worker')
	}
	assert.equal(sql(`SELECT count(*) FROM idempotency_keys WHERE workspace_id = ${lit(t.id)}`), '0')
	tick()
})

test('what is long over is forgotten, and nothing else', async () => {
	const t = await tenant({ stories: 0 })
	const ago = days => sql(`SELECT now() - interval '${days} days'`)
	for (const [kind, state, finished_at] of [['gone', 'succeeded', ago(31)], ['kept 1', 'succeeded', ago(29)], ['kept 2', 'dead', ago(89)],
		['gone', 'dead', ago(91)], ['kept 3', 'dead', null], ['kept 4', 'running', null]])
		claimed(t, { kind, state, finished_at, lease_until: '2100-01-01' })
	for (const [name, expires, revoked] of [['gone', 31, null], ['kept 1', 29, null], ['gone', -1, 31], ['kept 2', -1, 29], ['kept 3', -1, null], ['gone', 31, 29]])
		sql(`INSERT INTO sessions (user_id, kind, user_agent, expires_at, revoked_at)
		     VALUES (${lit(t.owner.id)}, 'api', ${lit(name)}, ${lit(ago(expires))}, ${lit(revoked && ago(revoked))})`)
	execFileSync(`${BIN}/gnomon-worker`, ['tick'], { stdio: 'pipe' })
	assert.equal(sql(`SELECT string_agg(kind, ',' ORDER BY kind) FROM jobs WHERE workspace_id = ${lit(t.id)}`), 'kept 1,kept 2,kept 3,kept 4')
	assert.equal(sql(`SELECT string_agg(user_agent, ',' ORDER BY user_agent) FROM sessions
		WHERE user_id = ${lit(t.owner.id)} AND user_agent ~ '^(kept|gone)'`), 'kept 1,kept 2,kept 3')
	sql(`UPDATE jobs SET state = 'dead' WHERE workspace_id = ${lit(t.id)}`)
})

test('however often a run is asked for, one waits', async () => {
	const t = await tenant({ stories: 0 })
	const ask = agent => ok(post(`${t.base}/agents/${agent}/run`, t.owner), 202)
	const manual = `workspace_id = ${lit(t.id)} AND payload ->> 'trigger' = 'manual'`
	// the worker takes up what is due, so one waits for a time that does not come
	const [waits] = rows(`SELECT gnomon.uuid7() AS id`)
	sql(`INSERT INTO jobs (workspace_id, id, queue, kind, payload, run_at)
	     VALUES (${lit(t.id)}, ${lit(waits.id)}, 'automation', 'agent:sprint_risk:run', '{"trigger":"manual"}', '2100-01-01')`)
	const asked = await Promise.all(Array.from({ length: 8 }, () => ask('sprint_risk')))
	assert.deepEqual(new Set(asked.map(j => j.jobId)), new Set([waits.id]))
	assert.notEqual((await ask('backlog_hygiene')).jobId, waits.id)
	assert.equal(sql(`SELECT count(*) FROM jobs WHERE ${manual}`), '2')
	// one at work or over does not stand in the way of the next
	sql(`UPDATE jobs SET state = 'dead' WHERE id = ${lit(waits.id)}`)
	assert.notEqual((await ask('sprint_risk')).jobId, waits.id)
})

test('two at the same time ask for one run', async () => {
	const t = await tenant({ stories: 0 })
	const enter = `BEGIN; SET LOCAL gnomon.workspace = ${lit(t.id)}; SET LOCAL gnomon.actor = ${lit(t.owner.id)};`
	const ask = `SELECT id FROM gnomon.ask_for_run('sprint_risk');`
	const [one, two] = [session(), session()]
	await one.say(enter)
	await two.say(enter)
	const first = await one.say(ask)
	const second = two.say(ask) // waits for the first
	await pause(300)
	await one.say(`UPDATE jobs SET run_at = '2100-01-01' WHERE id = ${lit(first)}; COMMIT;`)
	assert.equal(await second, first)
	await two.say(`UPDATE jobs SET state = 'dead' WHERE id = ${lit(first)}; COMMIT;`)
})

test('a form sent twice is one run', async () => {
	const t = await tenant({ stories: 0 })
	const cookie = await browser(t.owner)
	sql(`UPDATE agent_configs SET enabled = true WHERE workspace_id = ${lit(t.id)} AND agent_key = 'sprint_risk'`)
	const page = (await call('GET', `/w/${t.slug}/insights`, { cookie })).text
	const form = /<form[^>]*agents\/sprint_risk\/run.*?<\/form>/s.exec(page)[0]
	const fields = Object.fromEntries([...form.matchAll(/name="?(\w+)"? value="([^"]*)"/g)].map(m => [m[1], m[2]]))
	assert.ok(fields.once)
	for (let i = 0; i < 2; i++)
		assert.equal((await post(`/w/${t.slug}/agents/sprint_risk/run`, { cookie, form: fields, headers: { Origin: origin } })).status, 303)
	assert.equal(sql(`SELECT count(*) FROM jobs WHERE workspace_id = ${lit(t.id)} AND payload ->> 'trigger' = 'manual'`), '1')
})
