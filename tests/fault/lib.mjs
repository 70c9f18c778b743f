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

const mount = (folder, size) => spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'gnomon', folder]).status === 0

/**
 * Goes on in a mount namespace of this file's own, so that what it mounts goes
 * with it; as an ordinary user in a user namespace. True when mounting works
 * here. Called first, at the top of a file.
 */
export function ownMounts() {
	if (!process.env.GNOMON_OWN_MOUNTS) {
		const user = process.getuid() === 0 ? [] : ['--user', '--map-current-user', '--keep-caps']
		const again = spawnSync('unshare', [...user, '--mount', '--', process.execPath, ...process.execArgv, ...process.argv.slice(1)],
			{ stdio: 'inherit', env: { ...process.env, GNOMON_OWN_MOUNTS: '1' } })
		// 1 may be unshare's own refusal, or that of the tests: they say so
		if (!again.error && spawnSync('unshare', [...user, '--mount', 'true']).status === 0) process.exit(again.status ?? 1)
		return false
	}
	const folder = fs.mkdtempSync('/tmp/gnomon-mount.')
	const can = mount(folder, '1m')
	if (can) spawnSync('umount', [folder])
	fs.rmdirSync(folder)
	return can
}

/** Leaves no byte free on the disk of a folder; gives it back when called. */
export function fill(folder) {
	const filler = `${folder}/filler`
	const fd = fs.openSync(filler, 'w')
	const grow = bytes => {
		try {
			for (const chunk = Buffer.alloc(bytes, 'x'); ;) if (fs.writeSync(fd, chunk) < bytes) return
		} catch (error) {
			if (error.code !== 'ENOSPC') throw error
		}
	}
	for (const bytes of [1 << 20, 4096, 1]) grow(bytes)
	fs.closeSync(fd)
	return () => fs.rmSync(filler, { force: true })
}

/** Proportional set size in MB of processes and all their descendants. */
export const pss = pids =>
	pids.reduce((sum, pid) => {
		const found = /^Pss:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))
		return sum + Number(found[1]) / 1024 + pss(children(pid))
	}, 0)

/** `disks` are file systems of their own for folders of the stack: { run: '8m', 'data/nginx/tmp': '2m' } */
export async function privateStack({ disks = {} } = {}) {
	const home = fs.mkdtempSync('/tmp/gnomon-fault.')
	const data = `${home}/data`
	const run = `${home}/run`
	for (const folder of [data, run]) fs.mkdirSync(folder, { mode: 0o700 })
	fs.chmodSync(home, 0o755)
	for (const [folder, size] of Object.entries(disks)) {
		fs.mkdirSync(`${home}/${folder}`, { recursive: true })
		mount(`${home}/${folder}`, size)
		fs.chmodSync(`${home}/${folder}`, 0o700)
	}
	const owned = [data, run, ...Object.keys(disks).map(folder => `${home}/${folder}`), `${data}/nginx`].filter(fs.existsSync)
	if (process.getuid() === 0)
		for (const folder of owned) assert.equal(spawnSync('chown', ['gnomon:gnomon', folder]).status, 0, 'there is no user gnomon')
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
	/** The same while the test goes on. */
	const stackLater = (command, ...rest) =>
		new Promise(resolve => spawn(STACK, [command, data, ...rest], { env: environment, stdio: ['ignore', out, out] }).once('exit', resolve))
	const s = {
		more: [], // NAME=value, for the next start
		home, data, run, settings, stack, stackLater, environment,
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
			s.spawn(`${home}/web.log`, ...options)
			assert.ok(await until(() => s.events('ready').length > ready), fs.readFileSync(`${home}/web.log`, 'utf8'))
			return now() - begun
		},
		/** The same without waiting, with its log elsewhere. */
		spawn(log, ...options) {
			const fd = fs.openSync(log, 'a')
			s.web = spawn(STACK, ['run', data, 'env', ...s.more, 'gnomon-web', '--socket', `${run}/web.sock`, '--slow-socket', `${run}/slow.sock`, ...options],
				{ env: environment, stdio: ['ignore', 'ignore', fd] })
			fs.closeSync(fd)
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
			for (const folder of Object.keys(disks).reverse()) spawnSync('umount', ['-l', `${home}/${folder}`])
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
	try {
		await work()
	} finally { // or they would ask on through the tests that follow
		going = false
		await all
		agent.destroy()
	}
	return replies
}

/** The replies that are not as they should be, counted by status. */
export const failures = (replies, good = 200) => {
	const found = {}
	for (const r of replies) if (r.status !== good) found[r.status] = (found[r.status] ?? 0) + 1
	return found
}
