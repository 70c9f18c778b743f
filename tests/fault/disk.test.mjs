// Disks are full: PostgreSQL's, the one of logs and counts, nginx's. What can
// be answered is; what cannot, is refused whole; and all of it heals by itself.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import fs from 'node:fs'
import { after, afterEach, before, test } from 'node:test'
import { ask, fill, ownMounts, privateStack, sleep, until } from './lib.mjs'

const skip = ownMounts() ? false : 'this machine lets nobody mount a small disk'
let s, lib, t, auth, free

before(async () => {
	if (skip) return
	// logs and cluster share a disk; nginx's bodies and the sockets have their own
	s = await privateStack({ disks: { data: '320m', 'data/nginx/tmp': '2m', run: '8m' } })
	process.env.GNOMON_URL = s.url
	process.env.GNOMON_DB = s.db
	lib = await import('../http/lib.mjs')
	t = await lib.tenant({ stories: 3 })
	auth = { Authorization: `Bearer ${t.owner.token}` }
})
after(() => s?.close())
afterEach(() => {
	free?.()
	free = null
})

const board = () => ask(s, 'GET', `${t.path}/board`, { headers: auth })
const serves = () => until(async () => (await ask(s, 'GET', '/health')).status === 200, 20000)
const text = bytes => randomBytes(bytes / 2).toString('hex')
const story = (key, description = '') =>
	ask(s, 'POST', `${t.path}/stories`, { headers: { ...auth, 'Idempotency-Key': key }, body: JSON.stringify({ title: 'Kept once', description }) })

/** The envelope of what cannot be done now, with when to try again. */
function unavailable(r, what = '') {
	assert.equal(r.status, 503, `${what} ${r.text.slice(0, 300)}`)
	const { error } = JSON.parse(r.text)
	assert.deepEqual(Object.keys(error), ['code', 'message', 'details', 'requestId'])
	assert.equal(error.code, 'unavailable')
	assert.equal(error.requestId, r.headers['x-request-id'])
	assert.ok(Number(r.headers['retry-after']) > 0)
}

test('counts that have no room are off, with a line in the log, and nothing else is', { skip }, async () => {
	const size = fs.statSync(`${s.run}/metrics`).size
	// what is there from before may have pages without a place
	for (const sparse of [false, true]) {
		await s.end()
		fs.rmSync(`${s.run}/metrics`)
		if (sparse) {
			fs.writeFileSync(`${s.run}/metrics`, '')
			fs.truncateSync(`${s.run}/metrics`, size)
			if (process.getuid() === 0) assert.equal(spawnSync('chown', ['gnomon:gnomon', `${s.run}/metrics`]).status, 0)
		}
		free = fill(s.run)
		const off = s.events('metrics_off').length
		await s.start()
		assert.equal(s.events('metrics_off').length, off + 1)
		assert.equal(s.events('metrics_off').at(-1).why, 'No space left on device')
		const workers = s.workers().sort().join()
		for (let i = 0; i < 40; i++) assert.equal((await board()).status, 200)
		assert.equal((await ask(s, 'GET', '/metrics')).status, 200)
		assert.equal(s.workers().sort().join(), workers, 'nobody died')
		free()
	}
	await s.end()
	await s.start()
	await board()
	assert.match((await ask(s, 'GET', '/metrics')).text, /^gnomon_http_requests_total\{route="get_board",method="GET",status="200"\} \d+$/m)
})

test('the worker goes without counts, too', { skip }, () => {
	fs.rmSync(`${s.run}/metrics`)
	free = fill(s.run)
	const done = spawnSync(`${process.env.GNOMON_BIN}/../libexec/gnomon/stack`, ['run', s.data, 'gnomon-worker', 'tick'], { env: s.environment, encoding: 'utf8' })
	assert.equal(done.status, 0, done.stderr)
	assert.equal(done.stderr.split('\n').filter(line => line.includes('"metrics_off"')).length, 1, done.stderr)
})

test('a log that has no room stops nobody, and goes on with a whole line', { skip }, async test => {
	await s.end()
	fs.rmSync(`${s.run}/metrics`, { force: true })
	const log = `${s.run}/web.log`
	s.spawn(log)
	test.after(async () => {
		await s.end()
		await s.start()
	})
	assert.ok(await serves())
	free = fill(s.run)
	const lost = async () => Number(/^gnomon_log_lines_lost_total (\d+)$/m.exec((await ask(s, 'GET', '/metrics')).text)[1])
	const before = await lost()
	const refuse = () => ask(s, 'GET', `${t.path}/nothing`, { headers: auth })
	// the last page of the file takes some twenty lines more
	for (let i = 0; i < 90; i++) assert.equal((await refuse()).status, 404)
	assert.equal((await board()).status, 200)
	assert.ok(await lost() >= before + 50, `${await lost()} lines`)
	// a whole start with not a byte for the log
	await s.end()
	s.spawn(log)
	assert.ok(await serves())
	assert.equal((await board()).status, 200)
	free()
	const length = fs.statSync(log).size
	for (let i = 0; i < 30; i++) await refuse()
	const more = fs.readFileSync(log, 'utf8').slice(length).split('\n').filter(line => line.startsWith('{') && line.endsWith('}'))
	assert.ok(more.length >= 24, `${more.length} lines`)
	for (const line of more) JSON.parse(line)
})

test('a body that nginx has no room for is refused in our words', { skip }, async () => {
	const large = key => story(key, text(200000))
	assert.equal((await large(randomUUID())).status, 422, 'the schema refuses it when it arrives')
	free = fill(`${s.data}/nginx/tmp`)
	const count = Number(lib.sql('SELECT count(*) FROM stories'))
	for (let i = 0; i < 5; i++) unavailable(await large(randomUUID()))
	const page = await ask(s, 'POST', `/w/${t.slug}/insights/I-1`, { headers: { Accept: 'text/html', 'Content-Type': 'application/x-www-form-urlencoded' }, body: text(300000) })
	assert.equal(page.status, 503)
	assert.match(page.headers['content-type'], /^text\/html/)
	assert.doesNotMatch(page.text, /nginx|Internal Server Error/)
	const signIn = await ask(s, 'POST', '/api/v1/auth/login', { body: JSON.stringify({ email: t.owner.email, password: text(200000) }) })
	unavailable(signIn)
	assert.equal((await story(randomUUID(), text(2000))).status, 201, 'a small one needs no disk')
	assert.equal((await board()).status, 200)
	assert.equal(Number(lib.sql('SELECT count(*) FROM stories')), count + 1)
	free()
	assert.equal((await large(randomUUID())).status, 422)
})

/** What a story leaves behind, of every story of the tenant. */
const whole = () => lib.sql(`
	SELECT (SELECT count(*) FROM stories WHERE workspace_id = ${lib.lit(t.id)}),
	       (SELECT count(*) FROM events WHERE workspace_id = ${lib.lit(t.id)} AND entity_type = 'story' AND action = 'created'),
	       (SELECT count(DISTINCT entity_id) FROM events WHERE workspace_id = ${lib.lit(t.id)} AND entity_type = 'story' AND action = 'created'),
	       (SELECT max(number) FROM stories WHERE workspace_id = ${lib.lit(t.id)})`)

/** Writes until twenty were refused; the keys that were, and those that were not. */
async function until20() {
	const refused = [], done = []
	for (let i = 0; i < 2000 && refused.length < 20; i++) {
		const key = randomUUID(), description = text(8000)
		const r = await story(key, description)
		if (r.status === 201) done.push({ key, description, id: JSON.parse(r.text).id })
		else unavailable(r), refused.push({ key, description })
	}
	assert.equal(refused.length, 20, `${done.length} written`)
	return { refused, done }
}

/** Sends them again: those that were refused happen, once; the others are told what happened. */
async function again({ refused, done }) {
	for (const { key, description } of refused) {
		const first = await story(key, description)
		assert.equal(first.status, 201, first.text)
		assert.equal(first.headers['idempotent-replayed'], undefined)
		const second = await story(key, description)
		assert.equal(second.headers['idempotent-replayed'], 'true')
		assert.equal(JSON.parse(second.text).id, JSON.parse(first.text).id)
	}
	for (const { key, description, id } of done.slice(-20)) {
		const r = await story(key, description)
		assert.equal(JSON.parse(r.text).id, id)
	}
}

test("PostgreSQL's disk is full: writes are refused whole, reads go on, and it heals", { skip }, async test => {
	// a segment of the log ahead, so that it is the tables that find no room
	lib.sql('CHECKPOINT')
	lib.sql('SELECT pg_switch_wal()')
	lib.sql('CHECKPOINT')
	lib.sql(`SELECT pg_logical_emit_message(false, 'x', 'x')`)
	const from = Number(lib.sql(`SELECT count(*) FROM stories WHERE workspace_id = ${lib.lit(t.id)}`))
	free = fill(s.data)
	const tried = await until20()
	test.diagnostic(`${tried.done.length} written into what room there was, 20 refused`)
	const told = s.events('request').filter(line => line.status === 503).at(-1)
	assert.match(told.why, /53100/)
	const [n, created, distinct] = whole().split('|').map(Number)
	assert.equal(n, from + tried.done.length)
	assert.deepEqual([created, distinct], [n, n])
	for (let i = 0; i < 20; i++) assert.equal((await board()).status, 200)
	const page = await ask(s, 'GET', '/login', { headers: { Accept: 'text/html' } })
	assert.equal(page.status, 200)
	for (let i = 0; i < 5; i++) {
		const r = await ask(s, 'POST', '/api/v1/auth/login', { body: JSON.stringify({ email: t.owner.email, password: lib.password }) })
		assert.ok([200, 503].includes(r.status), r.text)
	}
	assert.equal((await ask(s, 'GET', '/health')).status, 200)
	free()
	await again(tried)
	const now = whole().split('|').map(Number)
	assert.deepEqual(now.slice(0, 3), [n + 20, n + 20, n + 20])
	assert.deepEqual(s.events('request').filter(line => line.status === 500), [])
	assert.deepEqual(s.events('worker_died'), [])
})

test("PostgreSQL has no room for its log and falls: all is refused whole, and heals when it stands again", { skip }, async test => {
	free = fill(s.data)
	// its log of writes runs out of segments: PostgreSQL panics
	assert.ok(await until(() => {
		try {
			lib.sql(`SELECT pg_logical_emit_message(false, 'x', repeat('x', 4000000)) FROM generate_series(1, 4)`)
			return false
		} catch {
			return true
		}
	}))
	const key = randomUUID()
	const seen = {}
	for (let i = 0; i < 60; i++) {
		for (const r of [await story(key, 'x'), await board()]) {
			seen[r.status] = (seen[r.status] ?? 0) + 1
			if (r.status === 503) unavailable(r)
		}
		await sleep(20)
	}
	test.diagnostic(`while it was down: ${JSON.stringify(seen)}`)
	assert.ok(seen[503] > 0)
	assert.deepEqual(Object.keys(seen).filter(status => !['200', '201', '503'].includes(status)), [])
	const pids = s.workers().sort().join()
	free()
	s.stack('start', 'postgres')
	assert.ok(await serves())
	const first = await story(key, 'x')
	assert.equal(first.status, 201)
	assert.equal((await story(key, 'x')).headers['idempotent-replayed'], 'true')
	const [n, created, distinct] = whole().split('|').map(Number)
	assert.deepEqual([created, distinct], [n, n])
	assert.equal((await board()).status, 200)
	assert.equal(s.workers().sort().join(), pids, 'nothing of ours was started again')
	assert.deepEqual(s.events('request').filter(line => line.status === 500), [])
})
