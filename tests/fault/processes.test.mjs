// Processes die, are replaced and are reloaded; PostgreSQL goes and returns;
// clients are slow and many. What people notice of it.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import fs from 'node:fs'
import net from 'node:net'
import { after, before, test } from 'node:test'
import { ask, failures, load, now, privateStack, pss, sleep, until } from './lib.mjs'

let s, lib, t, auth
const sanitized = spawnSync('grep', ['-q', '__asan_init', `${process.env.GNOMON_BIN}/gnomon-web`]).status === 0
const long = process.env.GNOMON_LONG ? 3 : 1

before(async () => {
	s = await privateStack()
	process.env.GNOMON_URL = s.url
	process.env.GNOMON_DB = s.db
	lib = await import('../http/lib.mjs')
	t = await lib.tenant({ stories: 5 })
	auth = { Authorization: `Bearer ${t.owner.token}` }
})
after(() => s?.close())

// A board of some thousand stories; what it says is not kept, or thousands of them fill the memory.
const board = async agent => {
	const { text, ...r } = await ask(s, 'GET', `${t.path}/board`, { agent, headers: auth })
	return { ...r, bytes: text.length }
}
const serves = () => until(async () => (await ask(s, 'GET', '/health')).status === 200)
const stories = () => Number(lib.sql(`SELECT count(*) FROM stories WHERE workspace_id = ${lib.lit(t.id)}`))

/**
 * Writes a story under a key, again and again until it is done, as a client that was cut off does. Until then it
 * is told that nobody could answer, or that the first try is still at work.
 */
async function write(agent) {
	const headers = { ...auth, 'Idempotency-Key': randomUUID() }
	for (let tries = 1; ; tries++) {
		const r = await ask(s, 'POST', `${t.path}/stories`, { agent, headers, body: '{"title":"Kept once"}' })
		if (r.status === 201 || tries === 50) return { ...r, tries }
		assert.ok([503, 409].includes(r.status), `${r.status} ${r.text}`)
		await sleep(20)
	}
}

/** Each write was told of one story, each of another, and there are no more. */
function happenedOnce(test, writes, before) {
	assert.deepEqual(failures(writes, 201), {})
	assert.equal(new Set(writes.map(r => JSON.parse(r.text).id)).size, writes.length)
	assert.equal(stories(), before + writes.length)
	test.diagnostic(`${writes.length} POST, ${writes.filter(r => r.tries > 1).length} of them asked again by their key`)
}

/** A reload that came to its end; one that was given up because the machine gave the new version no time is asked for again. */
async function reload() {
	const done = s.events('reloaded').length
	let given = s.events('reload_failed').length
	s.reload()
	assert.ok(await until(() => {
		const failed = s.events('reload_failed').slice(given)
		for (const line of failed) assert.equal(line.why, 'the new version was not ready in time')
		if (failed.length) s.reload()
		given += failed.length
		return s.events('reloaded').length > done
	}, 120000), 'reloaded')
}

test('004-054: the web pools are ready soon after they are started, and /health answers within 5 s', async test => {
	test.diagnostic(`ready after ${s.firstStart.toFixed(0)} ms`)
	assert.ok(s.firstStart < (sanitized ? 5000 : 2000), `${s.firstStart} ms`)
	await s.end()
	const begun = now()
	await s.start()
	assert.ok(await serves())
	test.diagnostic(`healthy after ${(now() - begun).toFixed(0)} ms`)
	assert.ok(now() - begun < 5000, `${now() - begun} ms`)
})

test('everything but PostgreSQL fits in 100 MB', async test => {
	for (let i = 0; i < 200; i++) await board()
	const pidOf = name => Number(fs.readFileSync(`${s.home}/data/pid/${name}`, 'utf8').split(' ')[0])
	const parts = { web: [s.web.pid], nginx: [pidOf('nginx')], memcached: [pidOf('memcached')] }
	let sum = 0
	for (const [name, pids] of Object.entries(parts)) {
		const mb = pss(pids)
		sum += mb
		test.diagnostic(`${name} ${mb.toFixed(1)} MB`)
	}
	if (sanitized) return test.skip('a build with sanitizers needs more')
	assert.ok(sum < 100, `${sum} MB`)
})

test('001-144: a reload loses no request, and ten of them none', async test => {
	const before = stories()
	let over = false
	const reloads = async () => {
		try {
			for (let i = 0; i < 10; i++) await reload()
		} finally {
			over = true
		}
	}
	const [reads, writes] = await Promise.all([load(8, board, reloads), load(4, write, () => until(() => over, 1200000))])
	test.diagnostic(`${reads.length} GET`)
	assert.deepEqual(failures(reads), {})
	happenedOnce(test, writes, before)
	assert.ok(await until(() => s.workers().length === 6), `the old generations leave: ${s.workers().length}`)
})

test('a version that cannot start is not taken up, and the log says why', async () => {
	const failed = s.events('reload_failed').length
	const workers = s.workers().sort().join()
	fs.writeFileSync(s.settings, 'LOG_LEVEL=loud\n')
	s.reload()
	assert.ok(await until(() => s.events('reload_failed').length > failed))
	assert.equal(s.events('reload_failed').at(-1).why, 'LOG_LEVEL must be debug, info, warn or error, not "loud".')
	assert.equal(s.workers().sort().join(), workers)
	assert.equal((await board()).status, 200)
})

test('a reload reads the settings again', async () => {
	fs.writeFileSync(s.settings, 'LOG_LEVEL=debug\n')
	await reload()
	// nginx may still hold a connection to the generation that leaves
	assert.ok(await until(async () => {
		const r = await board()
		return s.log().some(line => line.level === 'debug' && line.request_id === r.headers['x-request-id'])
	}))
	fs.writeFileSync(s.settings, '')
	await reload()
})

test('001-144: a worker killed every 200 ms costs no GET, and no write happens twice', async test => {
	const before = stories()
	// whoever was met by the last one has an answer before the next: a read is asked
	// again once, and must not be met twice only because the machine is slow
	const asked = new Set()
	let met
	const read = agent => {
		const one = board(agent)
		asked.add(one)
		one.then(() => asked.delete(one))
		return one
	}
	const kills = async () => {
		for (let i = 0; i < 30 * long; i++) {
			await sleep(200)
			await met
			const workers = s.workers()
			const victim = workers[Math.floor(Math.random() * workers.length)]
			if (victim) process.kill(victim, 'SIGKILL')
			met = Promise.all(asked)
		}
	}
	const died = s.events('worker_died').length
	let over = false
	const [reads, writes] = await Promise.all([
		load(8, read, async () => { await kills(); over = true }),
		load(2, write, () => until(() => over, 600000)),
	])
	test.diagnostic(`${s.events('worker_died').length - died} killed; ${reads.length} GET`)
	assert.deepEqual(failures(reads), {})
	happenedOnce(test, writes, before)
	assert.ok(await until(() => s.workers().length === 6))
})

test('001-007, 004-020: a fault in a request kills one worker; its client and the log are told', async () => {
	const lock = lib.session()
	await lock.say('BEGIN; LOCK TABLE stories IN ACCESS EXCLUSIVE MODE;')
	const api = ask(s, 'PATCH', `${t.path}/stories/${t.stories[0].id}`, { headers: { ...auth, 'X-Request-Id': 'the-request-that-died' }, body: '{"version":1,"title":"x"}' })
	await sleep(500)
	const died = s.events('worker_died').length
	// whoever is at work must be among the main pool; the others just go, too
	for (const pid of s.workers()) process.kill(pid, 'SIGSEGV')
	const r = await api
	await lock.say('ROLLBACK;')
	lock.end()
	assert.equal(r.status, 503)
	assert.equal(JSON.parse(r.text).error.code, 'unavailable')
	assert.equal(JSON.parse(r.text).error.requestId, 'the-request-that-died')
	assert.ok(await until(() => s.events('worker_died').length >= died + 6))
	const told = s.events('worker_died').filter(line => line.request_id === 'the-request-that-died')
	assert.deepEqual(told.map(line => line.signal), ['SEGV'])
	assert.equal((await board()).status, 200)
})

test('001-007, 004-020: what goes wrong within us is a 500 with the envelope and no word of the database; the next request is served', async () => {
	lib.sql('REVOKE SELECT ON stories FROM gnomon_web')
	const r = await ask(s, 'GET', `${t.path}/board`, { headers: { ...auth, 'X-Request-Id': 'the-request-that-failed' } })
	lib.sql('GRANT SELECT ON stories TO gnomon_web')
	assert.equal(r.status, 500, r.text)
	const { error } = JSON.parse(r.text)
	assert.equal(error.requestId, 'the-request-that-failed')
	assert.doesNotMatch(r.text, /stories|permission|SELECT|\.c:/)
	assert.equal((await board()).status, 200)
})

test('where no process is left to answer, people get a page in words of ours', async () => {
	const web = s.web
	await s.end()
	const page = await ask(s, 'GET', '/login', { headers: { Accept: 'text/html' } })
	assert.equal(page.status, 503)
	assert.match(page.headers['content-type'], /^text\/html/)
	assert.doesNotMatch(page.text, /nginx|Bad Gateway/)
	assert.equal(web.exitCode, 0)
	await s.start('--limit', '3')
	assert.ok(await serves())
})

test('a worker that is stuck is killed, and named', async () => {
	const lock = lib.session()
	await lock.say('BEGIN; LOCK TABLE stories IN ACCESS EXCLUSIVE MODE;')
	const r = await ask(s, 'PATCH', `${t.path}/stories/${t.stories[0].id}`, { headers: { ...auth, 'X-Request-Id': 'the-request-that-hangs' }, body: '{"version":1,"title":"x"}' })
	await lock.say('ROLLBACK;')
	lock.end()
	assert.equal(r.status, 503)
	assert.ok(r.ms > 2500 && r.ms < 8000, `${r.ms} ms`)
	const told = s.events('worker_stuck').map(line => line.request_id)
	assert.ok(told.length > 0 && told.every(id => id === 'the-request-that-hangs'), told.join())
	assert.ok(await serves())
})

test('PostgreSQL away is said within 50 ms, and its return is found at once', async test => {
	const seconds = process.env.GNOMON_LONG ? 20 : 5
	const hung = s.events('worker_stuck').map(line => line.worker)
	assert.ok(await until(() => s.workers().length === 6 && !s.workers().some(pid => hung.includes(pid))), 'the one that hung is replaced')
	const pids = s.workers().sort().join()
	// people keep asking, from before it goes until after it is back; one request in
	// two needs no database, which shows how busy the machine is
	let back, found, turn = 0
	const replies = await load(4, async agent => {
		if (++turn % 2) return { ...await ask(s, 'GET', '/api/v1/nothing', { agent }), needsNone: true }
		const r = await board(agent)
		if (back && r.status === 200) found ??= now()
		return r
	}, async () => {
		await sleep(500)
		await s.stackLater('stop', 'postgres')
		await sleep(seconds * 1000)
		await s.stackLater('start', 'postgres')
		back = now()
		assert.ok(await until(() => found, 5000))
		await sleep(500)
	})
	test.diagnostic(`healthy ${(found - back).toFixed(0)} ms after its return`)
	assert.ok(found - back < 2000)
	const boards = replies.filter(r => !r.needsNone), others = replies.filter(r => r.needsNone)
	assert.deepEqual(failures(boards.filter(r => r.status !== 200), 503), {})
	assert.deepEqual(failures(others, 404), {})
	const away = boards.filter(r => r.status === 503)
	const late = list => list.filter(r => r.ms >= 50).length / list.length
	const slowest = list => list.reduce((a, b) => (a.ms > b.ms ? a : b))
	const ids = new Set(away.map(r => r.headers['x-request-id']))
	const ours = s.log().filter(line => line.event === 'request' && ids.has(line.request_id)).map(line => line.us / 1000).sort((a, b) => a - b)
	const percent = x => `${(x * 100).toFixed(3)} %`
	test.diagnostic(`${away.length} replies of 503 in ${seconds} s: ${percent(1 - late(away))} within 50 ms, slowest ${slowest(away).ms.toFixed(1)} ms; ` +
		`with us half took ${ours[ours.length >> 1]} ms, the slowest ${ours.at(-1)} ms`)
	test.diagnostic(`${others.length} replies that need no database: ${percent(1 - late(others))} within 50 ms, slowest ${slowest(others).ms.toFixed(1)} ms`)
	assert.ok(away.length > 100)
	assert.ok(ours.filter(ms => ms >= 50).length <= ours.length / 1000, `with us ${percent(ours.filter(ms => ms >= 50).length / ours.length)}`)
	// on the way a busy machine makes some late: where those that need none are, too, it is too busy to judge by
	assert.ok(late(away) <= Math.max(0.01, 2 * late(others)), percent(late(away)))
	assert.ok(ours[ours.length >> 1] < 10, 'with us it is a matter of a millisecond')
	assert.equal(s.workers().sort().join(), pids, 'nothing was started again')
	for (let i = 0; i < 20; i++) assert.equal((await board()).status, 200)
})

test('001-008, 004-021: health and readiness have the keys that were agreed; without PostgreSQL both are 503, and the metrics say so', async () => {
	const probe = async path => {
		const r = await ask(s, 'GET', path)
		const { timestamp, ...rest } = JSON.parse(r.text)
		assert.ok(Math.abs(Date.parse(timestamp) - Date.now()) < 60000, r.text)
		return [r.status, rest]
	}
	assert.deepEqual(await probe('/health'), [200, { status: 'healthy', database: 'connected' }])
	assert.equal((await ask(s, 'GET', '/ready')).status, 200)
	s.stack('stop', 'postgres')
	assert.ok(await until(async () => (await probe('/health'))[0] === 503, 3000), 'each process looks once a second')
	assert.deepEqual(await probe('/health'), [503, { status: 'unhealthy', database: 'disconnected' }])
	assert.equal((await ask(s, 'GET', '/ready')).status, 503)
	const metrics = await ask(s, 'GET', '/metrics')
	assert.equal(metrics.status, 200)
	assert.match(metrics.text, /^gnomon_database_up 0$/m)
	s.stack('start', 'postgres')
	assert.ok(await serves())
})

test('001-144: a connection that PostgreSQL ends in mid-statement costs no GET, and no write happens in part', async () => {
	const before = stories()
	const holding = async (table, ask_) => {
		const lock = lib.session()
		await lock.say(`BEGIN; LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE;`)
		const asked = ask_()
		const waiting = `SELECT count(*) FROM pg_stat_activity WHERE usename = 'gnomon_web' AND wait_event_type = 'Lock'`
		assert.ok(await until(() => lib.sql(waiting) === '1'))
		lib.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'gnomon_web' AND wait_event_type = 'Lock'`)
		await sleep(50)
		await lock.say('ROLLBACK;')
		lock.end()
		return asked
	}
	// no cache knows this list yet
	const list = await holding('stories', () => ask(s, 'GET', `${t.path}/stories?limit=71`, { headers: auth }))
	assert.equal(list.status, 200, list.text)
	const headers = { ...auth, 'Idempotency-Key': randomUUID() }
	const write = () => ask(s, 'POST', `${t.path}/stories`, { headers, body: '{"title":"Cut off"}' })
	for (const table of ['stories', 'events', 'idempotency_keys']) {
		const cut = await holding(table, write)
		assert.equal(cut.status, 503, table)
		assert.equal(JSON.parse(cut.text).error.code, 'unavailable')
		assert.equal(stories(), before)
	}
	assert.equal((await write()).status, 201)
	assert.equal((await write()).headers['idempotent-replayed'], 'true')
	assert.equal(stories(), before + 1)
})

test('clients that send their bodies drop by drop hold nobody up', async test => {
	const { hostname, port } = new URL(s.url)
	const slow = Array.from({ length: 50 }, () => {
		const line = net.connect(port, hostname)
		line.on('error', () => {})
		line.write(`POST ${t.path}/stories HTTP/1.1\r\nHost: x\r\nAuthorization: ${auth.Authorization}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{`)
		const drip = setInterval(() => line.write(' '), 100)
		return () => { clearInterval(drip); line.destroy() }
	})
	await sleep(300)
	const replies = await load(4, board, () => sleep(1500))
	for (const end of slow) end()
	const times = replies.map(r => r.ms).sort((a, b) => a - b)
	test.diagnostic(`${replies.length} GET meanwhile, p99 ${times[Math.floor(times.length * 0.99)].toFixed(1)} ms`)
	assert.deepEqual(failures(replies), {})
	assert.ok(times[Math.floor(times.length * 0.99)] < (sanitized ? 5000 : 2000))
})

test('001-010: two hundred clients need no more connections than there are processes', async test => {
	let most = 0
	const replies = await load(200, board, async () => {
		for (let i = 0; i < 10; i++) {
			await sleep(200)
			most = Math.max(most, Number(await lib.sqlLater(`SELECT count(*) FROM pg_stat_activity WHERE usename = 'gnomon_web'`)))
		}
	})
	test.diagnostic(`${replies.length} GET, ${most} connections`)
	assert.deepEqual(failures(replies), {})
	assert.ok(most <= 6, `${most} connections`)
})

test('an insight that comes into a state is counted once', async () => {
	const { list: [insight] } = lib.insights(t)
	const act = (version, json) => lib.ok(lib.patch(`${t.base}/insights/${insight.id}`, { ...t.owner, json: { version, ...json } }))
	const count = async state => {
		const { text } = await ask(s, 'GET', '/metrics')
		return Number(new RegExp(`^agent_insights_total\\{agentKey="sprint_risk",severity="high",state="${state}"\\} (\\d+)$`, 'm').exec(text)?.[1] ?? 0)
	}
	let { version } = await act(insight.version, { action: 'acknowledge' })
	assert.equal(await count('acknowledged'), 1)
	;({ version } = await act(version, { action: 'assign_owner', ownerId: null }))
	assert.equal(await count('acknowledged'), 1)
	await act(version, { action: 'resolve' })
	assert.equal(await count('resolved'), 1)
	assert.equal((await lib.patch(`${t.base}/insights/${insight.id}`, { ...t.owner, json: { version, action: 'reopen' } })).status, 409)
	assert.equal(await count('open'), 0)
})

test('001-147: metrics are those of all processes, and none of them ever fell', async test => {
	const count = async () => {
		const { text } = await ask(s, 'GET', '/metrics')
		return Number(/^gnomon_http_requests_total\{route="get_board",method="GET",status="200"\} (\d+)$/m.exec(text)?.[1] ?? 0)
	}
	const first = await count()
	await Promise.all(Array.from({ length: 40 }, () => board()))
	assert.equal(await count(), first + 40)
	for (const pid of s.workers()) process.kill(pid, 'SIGKILL')
	assert.ok(await until(() => s.workers().length === 6))
	assert.equal(await count(), first + 40)
	await reload()
	await s.end()
	await s.start()
	assert.ok(await serves())
	assert.equal(await count(), first + 40)
	const { text, headers } = await ask(s, 'GET', '/metrics')
	assert.equal(headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8')
	for (const name of ['gnomon_db_roundtrips_total', 'gnomon_db_reconnects_total', 'gnomon_http_request_duration_seconds_count',
		'gnomon_jobs_queued', 'gnomon_jobs_oldest_seconds', 'process_resident_memory_bytes', 'process_start_time_seconds',
		'gnomon_build_info', 'gnomon_worker_deaths_total', 'gnomon_reloads_total'])
		assert.match(text, new RegExp(`^${name}\\b`, 'm'))
	assert.match(text, /^gnomon_processes\{process="gnomon-web"\} 7$/m)
	// the documents name these labels so; a convention says otherwise
	const theirs = /^agent_\w+ label names should be written in 'snake_case' not 'camelCase'$/
	const lint = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' })
	if (lint.error) return test.skip('promtool is not installed')
	assert.notEqual(lint.status, 1, lint.stderr)
	assert.deepEqual((lint.stdout + lint.stderr).split('\n').filter(line => line && !theirs.test(line)), [])
})

test('sockets that systemd opened are served, and stay when the service goes', async test => {
	const socket = `${s.run}/activated.sock`
	const ended = spawnSync('systemd-socket-activate', ['--version'])
	if (ended.error) return test.skip('systemd-socket-activate is not installed')
	const environment = { GNOMON_SHARE: `${process.env.GNOMON_BIN}/../share/gnomon`, GNOMON_SECRET_FILE: `${s.home}/secret`, DATABASE_URL: `postgresql:///gnomon?host=${s.run}` }
	const held = spawn('systemd-socket-activate', ['-l', socket, '--fdname=main', ...Object.entries(environment).map(([name, value]) => `-E${name}=${value}`),
		`${process.env.GNOMON_BIN}/gnomon-web`, '--workers', '1'], { stdio: ['ignore', 'ignore', fs.openSync(`${s.home}/web.log`, 'a')] })
	assert.ok(await until(() => fs.existsSync(socket)))
	const ready = s.events('ready').length
	const line = net.connect(socket)
	line.on('error', () => {})
	assert.ok(await until(() => s.events('ready').length > ready), fs.readFileSync(`${s.home}/web.log`, 'utf8').slice(-1000))
	line.destroy()
	const gone = new Promise(resolve => held.once('exit', resolve))
	held.kill('SIGTERM')
	assert.equal(await gone, 0)
	assert.ok(fs.existsSync(socket), 'the socket is not ours to remove')
})
