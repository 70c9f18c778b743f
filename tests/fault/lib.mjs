// A private stack for tests that break things: its own PostgreSQL, nginx and
// gnomon-web, in a folder that goes with the test.
//
//   GNOMON_BIN   the folder of the programs (scripts/stack lies near it)
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import path from 'node:path'

if (!process.env.GNOMON_BIN) throw new Error('GNOMON_BIN is not set; scripts/test sets it')
const BIN = process.env.GNOMON_BIN
const APP = path.dirname(BIN)
const STACK = path.join(APP, 'libexec/gnomon/stack')

export const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))
export const now = () => performance.now()

/** Waits until the question has an answer; false when it never has. */
export async function until(question, ms = 10000) {
	for (const end = now() + ms; now() < end; await sleep(20)) {
		const answer = await question()
		if (answer) return answer
	}
	return false
}

const freePort = () =>
	new Promise(resolve => {
		const server = net.createServer().listen(0, '127.0.0.1', () => {
			const { port } = server.address()
			server.close(() => resolve(port))
		})
	})

const children = pid => {
	try {
		return fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number)
	} catch {
		return []
	}
}

/** Proportional set size in MB of processes and all their descendants. */
export const pss = pids =>
	pids.reduce((sum, pid) => {
		const found = /^Pss:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))
		return sum + Number(found[1]) / 1024 + pss(children(pid))
	}, 0)

export async function privateStack() {
	const home = fs.mkdtempSync('/tmp/gnomon-fault.')
	const data = `${home}/data`
	const run = `${home}/run`
	for (const folder of [data, run]) fs.mkdirSync(folder, { mode: 0o700 })
	fs.chmodSync(home, 0o755)
	if (process.getuid() === 0)
		for (const folder of [data, run]) assert.equal(spawnSync('chown', ['gnomon:gnomon', folder]).status, 0, 'there is no user gnomon')
	const port = await freePort()
	const settings = `${home}/settings`
	fs.writeFileSync(settings, '')
	// a fault that a test makes is a signal with sanitizers, too, and no report
	const sanitizer = [process.env.ASAN_OPTIONS, 'handle_segv=0'].filter(Boolean).join(':')
	const environment = { ...process.env, ASAN_OPTIONS: sanitizer, GNOMON_SETTINGS: settings, GNOMON_METRICS: `${run}/metrics` }
	for (const name of ['DATABASE_URL', 'GNOMON_URL', 'GNOMON_SHARE', 'GNOMON_SECRET_FILE', 'LOG_LEVEL']) delete environment[name]
	const out = fs.openSync(`${home}/stack.log`, 'a')
	const stack = (command, ...rest) => {
		const done = spawnSync(STACK, [command, data, ...rest], { env: environment, stdio: ['ignore', out, out] })
		assert.equal(done.status, 0, `stack ${command} ${rest.join(' ')}:\n${fs.readFileSync(`${home}/stack.log`, 'utf8').slice(-2000)}`)
	}
	const s = {
		home, run, settings, stack, environment,
		url: `http://127.0.0.1:${port}`,
		db: `host=${run} user=postgres dbname=gnomon`,
		log: () => fs.readFileSync(`${home}/web.log`, 'utf8').split('\n').filter(line => line.startsWith('{')).map(line => JSON.parse(line)),
		events: name => s.log().filter(line => line.event === name),
		workers: () => children(s.web.pid),
		reload: () => process.kill(s.web.pid, 'SIGHUP'),
		/** Starts gnomon-web; the milliseconds until it says that it is ready. */
		async start(...options) {
			const begun = now()
			const ready = s.events('ready').length
			s.web = spawn(STACK, ['run', data, 'gnomon-web', '--socket', `${run}/web.sock`, '--slow-socket', `${run}/slow.sock`, ...options],
				{ env: environment, stdio: ['ignore', 'ignore', fs.openSync(`${home}/web.log`, 'a')] })
			assert.ok(await until(() => s.events('ready').length > ready), fs.readFileSync(`${home}/web.log`, 'utf8'))
			return now() - begun
		},
		async end() {
			const gone = new Promise(resolve => s.web.once('exit', resolve))
			s.web.kill('SIGTERM')
			return gone
		},
		async close() {
			if (s.web && s.web.exitCode === null) await s.end()
			stack('stop')
			fs.closeSync(out)
			fs.rmSync(home, { recursive: true })
		},
	}
	fs.writeFileSync(`${home}/web.log`, '')
	stack('init', APP, run, String(port), '--test')
	stack('start', 'postgres', 'memcached')
	stack('admin', 'gnomonctl', 'migrate')
	s.firstStart = await s.start()
	stack('start', 'nginx')
	return s
}

/** One request; {status, text, headers, ms}, status 0 when the line broke. */
export const ask = (s, method, where, { agent, headers = {}, body } = {}) =>
	new Promise(resolve => {
		const begun = now()
		const answer = (status, text = '', more = {}) => resolve({ status, text, headers: more, ms: now() - begun })
		const rq = http.request(s.url + where, { method, agent, headers: { ...headers, ...(body && { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) }) } }, rs => {
			let text = ''
			rs.setEncoding('utf8')
			rs.on('data', chunk => (text += chunk))
			rs.on('end', () => answer(rs.statusCode, text, rs.headers))
			rs.on('error', error => answer(0, error.message))
		})
		rq.on('error', error => answer(0, error.message))
		rq.end(body)
	})

/** Asks again and again, so many at a time, while the work lasts; the replies. */
export async function load(clients, request, work) {
	const agent = new http.Agent({ keepAlive: true, maxSockets: clients })
	const replies = []
	let going = true
	const client = async () => {
		while (going) replies.push(await request(agent))
	}
	const all = Promise.all(Array.from({ length: clients }, client))
	await work()
	going = false
	await all
	agent.destroy()
	return replies
}

/** The replies that are not as they should be, counted by status. */
export const failures = (replies, good = 200) => {
	const found = {}
	for (const r of replies) if (r.status !== good) found[r.status] = (found[r.status] ?? 0) + 1
	return found
}
