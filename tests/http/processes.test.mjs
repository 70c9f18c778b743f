// Processes and the database come and go: what a client notices of it. All of
// it happens to a server of this file's own.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import http from 'node:http'
import { after, before, describe, test } from 'node:test'
import { assert, BIN, insights, lit, ok, refused, sql, sqlLater, tenant, unique, password } from './lib.mjs'
import { ownServer, sleep, until } from './server.mjs'

let t, s, board, token
const count = () => Number(sql(`SELECT count(*) FROM stories WHERE workspace_id = ${lit(t.id)}`))

before(async () => {
	t = await tenant({ stories: 3 })
	s = await ownServer({ workers: 3, slow: 2 })
	token = (await ok(s.call('POST', '/api/v1/auth/login', { json: { email: t.owner.email, password } }))).accessToken
	board = `${t.path}/board`
})
after(() => s.close())

/**
 * Clients ask and ask while something is broken again and again, though never
 * before all that was asked when it last broke has its answer: so nothing is met
 * twice, however busy the machine.
 */
async function broken(rounds, clients, breakIt) {
	let going = true
	const asked = new Set()
	const all = clients.map(async client => {
		while (going) {
			const one = client()
			asked.add(one)
			const over = () => asked.delete(one)
			one.then(over, over)
			await one
		}
	})
	for (let i = 0; i < rounds; i++) {
		await sleep(150)
		await breakIt(i)
		await Promise.allSettled(asked)
	}
	going = false
	await Promise.all(all)
}

const ask = (path = board, options = {}) => s.call('GET', path, { token, ...options })
const settle = async () => assert.ok(await until(async () => (await ask()).status === 200), 'the server is back')

test('a form that is shown again was a form all the same', async () => {
	const form = { email: `${unique()}@example.org`, password: 'x' }
	const r = await s.call('POST', '/login', { form, headers: { Origin: s.at.origin } })
	assert.equal(r.status, 401)
	const told = s.log().split('\n').find(l => l.includes(r.headers['x-request-id']))
	assert.match(told, /"route":"form_login"/)
})

describe('one request, one round trip', () => {
	// one process, so that what it does when it connects is done once
	let one, ask_
	before(async () => {
		one = await ownServer({ workers: 1, slow: 1, env: { GNOMON_SECRET_FILE: s.settings.GNOMON_SECRET_FILE } })
		ask_ = (path = board, options = {}) => one.call('GET', path, { token, ...options })
		await ok(ask_())
	})
	after(() => one.close())
	// what begins with a new connection (an old one was lost) is asked anew, and measured again
	const trips = async reply => {
		for (let tries = 0; tries < 5; tries++) {
			const [from, connections] = [one.wire.syncs, one.wire.backends.size]
			await ok(reply())
			if (one.wire.backends.size === connections) return one.wire.syncs - from
		}
		return assert.fail('five connections were lost in a row')
	}
	test('whatever is read or written', async () => {
		const { list: [insight] } = insights(t)
		const reads = ['/api/v1/users/me', '/api/v1/workspaces', '/api/v1/projects', t.base, `${t.base}/insights?state=open&limit=5`, `${t.base}/insights/${insight.id}`, t.path, board,
			`${t.path}/stories?status=done`, `${t.path}/stories/${t.stories[0].id}`, `${t.path}/sprints`, `${t.base}/members`, `${t.base}/agents/configs`, `${t.base}/ai/usage`]
		for (const path of reads) {
			const taken = []
			for (let i = 0; i < 3; i++) taken.push(await trips(() => ask_(path))) // the first prepares
			assert.deepEqual(taken, [1, 1, 1], path)
		}
		const change = json => () => one.call('PATCH', `${t.path}/stories/${t.stories[0].id}`, { token, json })
		assert.equal(await trips(change({ version: 1, title: 'One trip' })), 1)
		assert.equal(await trips(change({ version: 2, title: 'Another', status: 'done' })), 1)
		assert.equal(await trips(() => one.call('PATCH', `${t.base}/insights/${insight.id}`, { token, json: { version: 1, action: 'acknowledge' } })), 1)
	})
	test('001-139: of so many statements as ever, however much there is to read', async () => {
		const u = await tenant({ stories: 2 })
		const mine = (await ok(one.call('POST', '/api/v1/auth/login', { json: { email: u.owner.email, password } }))).accessToken
		const paths = [`${u.path}/board`, `${u.path}/stories?limit=200`, `${u.path}/stories/${u.stories[0].id}`, `${u.path}/epics`, `${u.path}/tasks?limit=200`, `${u.path}/dependencies`,
			`${u.path}/sprints`, `${u.path}/events?limit=200`, `${u.path}/stories/${u.stories[0].id}/comments`, `${u.base}/members`, `${u.base}/insights?limit=200`, `${u.base}/search?q=much`]
		const count_ = async () => {
			const found = {}
			for (const path of paths) {
				let taken
				await trips(async () => {
					const from = one.wire.statements
					const r = await one.call('GET', path, { token: mine })
					taken = one.wire.statements - from
					return r
				})
				found[path] = taken
			}
			return found
		}
		await count_() // prepares
		const few = await count_()
		sql(`WITH made AS (INSERT INTO stories (workspace_id, project_id, title, assignee_id) SELECT ${lit(u.id)}, ${lit(u.project.id)}, 'Much ' || g, ${lit(u.owner.id)} FROM generate_series(1, 150) g RETURNING workspace_id, project_id, id),
		     tasks AS (INSERT INTO tasks (workspace_id, project_id, story_id, title) SELECT workspace_id, project_id, ${lit(u.stories[0].id)}, 'Task' FROM made),
		     epics AS (INSERT INTO epics (workspace_id, project_id, title) SELECT workspace_id, project_id, 'Much' FROM made LIMIT 30),
		     needs AS (INSERT INTO dependencies (workspace_id, project_id, source_id, target_id, dependency_type) SELECT workspace_id, project_id, ${lit(u.stories[0].id)}, id, 'blocks' FROM made)
		     INSERT INTO comments (workspace_id, entity_type, entity_id, author_id, body) SELECT workspace_id, 'story', ${lit(u.stories[0].id)}, ${lit(u.owner.id)}, 'Much' FROM made`)
		insights(u, 40)
		const many = await count_()
		assert.ok((await ok(one.call('GET', `${u.path}/board`, { token: mine }))).columns[0].stories.length > 150)
		assert.deepEqual(many, few)
		// enter, and one statement a part of the document
		assert.ok(Object.values(many).every(n => n >= 2 && n <= 8), JSON.stringify(many))
	})
	test('a refusal, too', async () => {
		const from = one.wire.syncs
		await refused(ask_('/api/v1/projects/NOTHING'), 404)
		await refused(one.call('PATCH', `${t.path}/stories/${t.stories[0].id}`, { token, json: { version: 1, title: 'x' } }), 409)
		assert.equal(one.wire.syncs - from, 2)
	})
	test('what is wrong by itself takes none', async () => {
		const from = one.wire.syncs
		await refused(one.call('GET', board), 401)
		await refused(one.call('GET', board, { token: `${token}x` }), 401)
		await refused(ask_(`${t.path}/stories?limit=0`), 422)
		await refused(one.call('POST', `${t.path}/stories`, { token, json: { title: '' } }), 422)
		await refused(ask_('/api/v1/nothing'), 404)
		assert.equal(one.wire.syncs, from)
	})
	test('every combination of filters is answered, and the server keeps few of them', async () => {
		const filters = ['status=done', 'priority=low', `assigneeId=${t.owner.id}`, `epicId=${t.id}`, `sprintId=${t.id}`, 'q=x']
		for (const order of ['newest', 'oldest', 'number', 'updated', 'newest&limit=1', 'number&limit=1'])
			await Promise.all(Array.from({ length: 1 << filters.length }, (_, bits) =>
				ok(ask_(`${t.path}/stories?order=${order}&${filters.filter((f, i) => bits >> i & 1).join('&')}`))))
		assert.ok(one.wire.kept <= 700, `${one.wire.kept} statements`) // two processes
		assert.ok(one.wire.kept > 100)
		assert.equal(await trips(() => ask_(`${t.path}/stories?${filters.slice(1).join('&')}`)), 1)
	})
	test('a keyed write takes two', async () => {
		const from = one.wire.syncs
		await ok(one.call('POST', `${t.path}/stories`, { token, json: { title: 'Keyed' }, headers: { 'Idempotency-Key': unique() } }), 201)
		assert.equal(one.wire.syncs - from, 2)
	})
})

describe('connections', () => {
	test('sixteen kept ones carry 500 requests without a pause', async () => {
		const via = new http.Agent({ keepAlive: true, maxSockets: 16 })
		const from = Date.now()
		let slowest = 0
		await Promise.all(Array.from({ length: 500 }, async () => {
			await ok(ask(board, { via }))
		}))
		slowest = Date.now() - from
		assert.ok(slowest < 15000, `${slowest} ms`)
		via.destroy()
	})
	test('two hundred new ones, too', async () => {
		await Promise.all(Array.from({ length: 200 }, () => ok(ask('/api/v1/users/me', { via: new http.Agent({ keepAlive: false }) }))))
	})
	test('a client that goes away harms nobody', async () => {
		for (let i = 0; i < 30; i++)
			await new Promise(resolve => {
				const rq = http.request({ host: s.at.hostname, port: s.at.port, path: board, headers: { Authorization: `Bearer ${token}` } })
				rq.on('error', resolve).on('close', resolve)
				rq.end()
				setTimeout(() => rq.destroy(), i)
			})
		await Promise.all(Array.from({ length: 20 }, () => ok(ask())))
	})
})

describe('the database', () => {
	test('gone: 503 at once, back: 200 within two seconds', async () => {
		await s.wire.down()
		const from = Date.now()
		for (let i = 0; i < 6; i++) {
			const r = await ask()
			const error = await refused(r, 503, 'unavailable')
			assert.ok(!/postgres|socket|libpq|connect/i.test(JSON.stringify(error)), 'nothing of the inside')
			assert.ok(Number(r.headers['retry-after']) > 0)
		}
		assert.ok(Date.now() - from < 3000, 'at once')
		await refused(s.call('POST', '/api/v1/auth/login', { json: { email: t.owner.email, password } }), 503, 'unavailable')
		await refused(s.call('POST', `${t.path}/stories`, { token, json: { title: 'x' } }), 503, 'unavailable')
		assert.equal((await s.call('GET', '/ready')).status, 503)
		const page = await s.call('GET', `/w/${t.slug}`, { cookie: `s=${'x'.repeat(43)}` })
		assert.equal(page.status, 503)
		assert.match(page.headers['content-type'], /^text\/html/)
		assert.equal(page.headers['retry-after'], '2')
		await s.wire.up()
		const back = Date.now()
		await settle()
		assert.ok(Date.now() - back < 2000, `${Date.now() - back} ms`)
		await Promise.all(Array.from({ length: 20 }, () => ok(ask())))
		assert.equal((await s.call('GET', '/ready')).status, 200)
	})
	test('ends its sessions while they are idle: nobody notices', async () => {
		for (let round = 0; round < 3; round++) {
			await Promise.all(Array.from({ length: 20 }, () => ok(ask())))
			const pids = s.wire.pids()
			assert.ok(pids.length > 0)
			sql(`SELECT pg_terminate_backend(p, 5000) FROM unnest(ARRAY[${pids}]) p`) // waits for the end
			await sleep(round * 50)
			const from = count()
			await ok(s.call('POST', `${t.path}/stories`, { token, json: { title: 'After the end' } }), 201)
			assert.equal(count(), from + 1)
			await Promise.all(Array.from({ length: 20 }, () => ok(ask())))
		}
	})
	test('ends them under load: no read fails, no write happens twice', async c => {
		const from = count()
		const failed = []
		let reads = 0, written = 0, lost = 0
		const read = async () => {
			const r = await ask()
			reads++
			if (r.status !== 200) failed.push(`${r.status} ${r.text.slice(0, 100)}`)
		}
		const write = async () => {
			const r = await s.call('POST', `${t.path}/stories`, { token, json: { title: 'Under fire' } })
			if (r.status === 201) return written++
			await refused(r, 503, 'unavailable')
			return lost++
		}
		await broken(8, [...Array(6).fill(read), ...Array(2).fill(write)], async () => {
			const pids = s.wire.pids()
			if (pids.length) await sqlLater(`SELECT pg_terminate_backend(p, 5000) FROM unnest(ARRAY[${pids}]) p`)
		})
		c.diagnostic(`${reads} reads, ${written} writes done and ${lost} unknown`)
		assert.deepEqual(failed, [])
		assert.ok(reads > 20, `${reads} reads`)
		const made = count() - from
		assert.ok(made >= written && made <= written + lost, `${made} made, ${written} told, ${lost} unknown`)
	})
	test('answers and the answer is lost: a read is repeated, a write is not', async () => {
		await settle()
		s.wire.cutAfter = 1
		await ok(ask())
		const from = count()
		s.wire.cutAfter = 1
		await refused(s.call('POST', `${t.path}/stories`, { token, json: { title: 'Lost answer' } }), 503, 'unavailable')
		await sleep(200)
		assert.equal(count(), from + 1, 'it happened, once')
		await settle()
	})
	test('the same with a key: the client asks again and gets the answer', async () => {
		await settle()
		const from = count()
		const write = headers => s.call('POST', `${t.path}/stories`, { token, json: { title: 'Lost and found' }, headers })
		const key = { 'Idempotency-Key': unique() }
		s.wire.cutAfter = 2 // the commit's answer
		await refused(write(key), 503, 'unavailable')
		await sleep(200)
		const made = await ok(write(key), 201)
		assert.equal(made.title, 'Lost and found')
		assert.equal(count(), from + 1)
	})
	test('the answer to sign-in is lost: 503, and the next one works', async () => {
		await settle()
		const login = () => s.call('POST', '/api/v1/auth/login', { json: { email: t.owner.email, password } })
		s.wire.cutAfter = 1
		const r = await login()
		assert.ok([200, 503].includes(r.status), r.text)
		await ok(login())
	})
})

describe('processes', () => {
	test('a killed one is replaced', async () => {
		const old = s.workers()
		assert.equal(old.length, 5)
		for (const pid of old) process.kill(pid, 'SIGKILL')
		assert.ok(await until(() => s.workers().length === 5 && !s.workers().some(pid => old.includes(pid))))
		await settle()
		assert.match(s.log(), /"event":"worker_died"/)
	})
	test('killed under load: no read is lost', async c => {
		await settle()
		const failed = []
		let reads = 0
		await broken(12, Array(8).fill(async () => {
			const r = await ask('/api/v1/users/me')
			reads++
			if (r.status !== 200) failed.push(`${r.status} ${r.text.slice(0, 100)}`)
		}), i => {
			const pids = s.workers()
			if (pids.length) process.kill(pids[i % pids.length], 'SIGKILL')
		})
		c.diagnostic(`${reads} reads`)
		assert.deepEqual(failed, [])
		assert.ok(reads > 20, `${reads} reads`)
		await settle()
	})
	test('SIGHUP under load: new processes, and not a request is lost', async c => {
		await settle()
		const end = Date.now() + 4000
		const failed = []
		let asked = 0
		const clients = Array.from({ length: 6 }, async (_, i) => {
			while (Date.now() < end) {
				const r = i < 4 ? await ask('/api/v1/users/me') : await s.call('POST', `${t.path}/stories`, { token, json: { title: 'Reloaded' } })
				asked++
				if (![200, 201].includes(r.status)) failed.push(`${r.status} ${r.text.slice(0, 100)}`)
			}
		})
		const first = s.workers()
		let reloads = 0
		for (; Date.now() < end - 1000; reloads++) {
			s.web.kill('SIGHUP')
			await sleep(700)
		}
		await Promise.all(clients)
		c.diagnostic(`${failed.length} of ${asked} requests failed in ${reloads} reloads`)
		assert.deepEqual(failed, [])
		assert.equal(s.web.exitCode, null)
		assert.ok(await until(() => s.workers().length === 5 && !s.workers().some(pid => first.includes(pid)), 60000), `${first} became ${s.workers()}`)
		await settle()
	})
	test('a second master does not take the socket', async () => {
		const r = spawnSync(`${BIN}/gnomon-web`, s.arguments, { env: s.settings, encoding: 'utf8', timeout: 20000 })
		assert.notEqual(r.status, 0)
		assert.match(r.stderr, /in use/i)
		await ok(ask())
	})
	test('SIGTERM finishes what is under way, then ends', async () => {
		await Promise.all(Array.from({ length: 20 }, () => ok(ask())))
		const signingIn = s.call('POST', '/api/v1/auth/login', { json: { email: t.owner.email, password } })
		await sleep(30)
		s.web.kill('SIGTERM')
		await ok(signingIn)
		const from = Date.now()
		const [code, signal] = await s.ended
		assert.deepEqual([code, signal], [0, null])
		assert.ok(Date.now() - from < 11000)
		assert.doesNotMatch(s.log(), /workers_killed/)
		const r = await ask()
		assert.equal(r.status, 503)
		assert.equal(r.json.error.code, 'unavailable')
		assert.equal(r.json.error.requestId, r.headers['x-request-id'])
		const page = await s.call('GET', '/login')
		assert.equal(page.status, 503)
		assert.match(page.headers['content-type'], /html/)
		await s.startWeb()
		await settle()
	})
	test('when the master is killed its workers leave', async () => {
		const pids = s.workers()
		s.web.kill('SIGKILL')
		await s.ended
		// ended, though nobody may have asked how: not every first process does
		const gone = pid => {
			try {
				return /^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
			} catch {
				return true
			}
		}
		assert.ok(await until(() => pids.every(gone), 12000), 'workers are left over')
		await s.startWeb()
		await settle()
	})
	test('nothing was wrong inside', () => {
		const bad = s.log().split('\n').filter(l => /Sanitizer|runtime error|"level":"error"|[Aa]ssert/.test(l) && !/worker_died|"unavailable"/.test(l))
		assert.deepEqual(bad, [])
	})
})
