// A server of one's own: gnomon-web and nginx as installed, and between them
// and PostgreSQL a wire that can be counted on, cut and held. What happens here
// happens to nobody else.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { BIN, call, DB } from './lib.mjs'

const sleep = ms => new Promise(r => setTimeout(r, ms))

/** Polls until it is true; false after the time. */
export async function until(what, ms = 10000) {
	for (const end = Date.now() + ms; Date.now() < end; await sleep(20)) if (await what()) return true
	return false
}

const share = () => process.env.GNOMON_SHARE ?? path.join(BIN, '../share/gnomon')
const socketOf = conninfo => {
	const host = /(?:host=)([^ &']+)/.exec(decodeURIComponent(conninfo))?.[1]
	if (!host?.startsWith('/')) throw new Error(`GNOMON_DB has no socket folder: ${conninfo}`)
	const port = /(?:port=)(\d+)/.exec(conninfo)?.[1] ?? '5432'
	return { folder: host, file: path.join(host, `.s.PGSQL.${port}`), database: /dbname=([^ &']+)/.exec(conninfo)?.[1] ?? /\/([\w-]+)\?/.exec(conninfo)[1] }
}

/** A wire to PostgreSQL. It counts round trips (Sync messages of protocol 3). */
class Wire {
	syncs = 0
	kept = 0 // statements prepared under a name
	statements = 0 // executed (Execute messages)
	backends = new Set()
	links = new Set()
	open = true
	hold = null // a function of (bytes): true holds the reply back and cuts

	constructor(file, to) {
		this.file = file
		this.server = net.createServer(client => this.link(client, net.connect(to)))
	}
	start() {
		fs.rmSync(this.file, { force: true })
		this.server.listen(this.file)
		return once(this.server, 'listening')
	}
	link(client, server) {
		const link = { client, server, begun: false, rest: Buffer.alloc(0) }
		const end = () => {
			client.destroy()
			server.destroy()
			this.links.delete(link)
		}
		this.links.add(link)
		for (const s of [client, server]) s.on('error', end).on('close', end)
		client.on('data', bytes => {
			this.read(link, bytes)
			if (!link.cutNext) server.write(bytes)
			else {
				server.write(bytes)
				// the server does its work, and nobody hears of it
				server.removeAllListeners('data')
				setTimeout(end, 100)
			}
		})
		server.on('data', bytes => {
			if (bytes[0] === 0x52) this.key(link, bytes) // R: the first answer
			client.write(bytes)
		})
	}
	/** Counts the Syncs among the messages of a client. */
	read(link, bytes) {
		let b = Buffer.concat([link.rest, bytes])
		if (!link.begun) {
			b = b.subarray(b.readInt32BE(0)) // the start packet has no type
			link.begun = true
		}
		while (b.length >= 5 && b.length > b.readInt32BE(1)) {
			if (b[0] === 0x50 && b[5] !== 0) this.kept++
			if (b[0] === 0x45) this.statements++
			if (b[0] === 0x53) {
				this.syncs++
				if (this.cutAfter > 0 && --this.cutAfter === 0) link.cutNext = true
			}
			b = b.subarray(1 + b.readInt32BE(1))
		}
		link.rest = b
	}
	/** BackendKeyData: who serves this link. */
	key(link, bytes) {
		for (let b = bytes; b.length >= 5; b = b.subarray(1 + b.readInt32BE(1)))
			if (b[0] === 0x4b) this.backends.add((link.backend = b.readInt32BE(5)))
	}
	pids() {
		return [...this.links].map(l => l.backend).filter(Boolean)
	}
	/** The n-th request from now on is done, but its answer never comes. */
	cutAfter = 0
	cut() {
		for (const l of this.links) l.client.destroy()
	}
	async down() {
		await new Promise(r => {
			this.server.close(r)
			this.cut()
		})
	}
	async up() {
		await this.start()
	}
	async close() {
		if (this.server.listening) await this.down()
	}
}

const freePort = async () => {
	const s = net.createServer().listen(0, '127.0.0.1')
	await once(s, 'listening')
	const { port } = s.address()
	s.close()
	await once(s, 'close')
	return port
}

/** Starts all of it; `close()` ends all of it. */
export async function ownServer({ workers = 2, slow = 1, env = {} } = {}) {
	const run = fs.mkdtempSync(path.join(os.tmpdir(), 'gnomon-http-'))
	const to = socketOf(DB)
	const wire = new Wire(path.join(run, '.s.PGSQL.5432'), to.file)
	const port = await freePort()
	const at = new URL(`http://127.0.0.1:${port}`)
	const log = fs.openSync(path.join(run, 'log'), 'a')
	const own = { run, wire, at, port, log: () => fs.readFileSync(path.join(run, 'log'), 'utf8') }
	const nginxRoot = path.join(run, 'nginx')

	await wire.start()
	fs.mkdirSync(path.join(nginxRoot, 'tmp'), { recursive: true })
	fs.symlinkSync(share(), path.join(run, 'share'))
	for (const part of ['gnomon-http.conf', 'gnomon-server.conf'])
		fs.writeFileSync(path.join(nginxRoot, part), fs.readFileSync(path.join(share(), 'nginx', part), 'utf8').replaceAll('/run/gnomon/', `${run}/`))
	fs.writeFileSync(path.join(nginxRoot, 'nginx.conf'),
		fs.readFileSync(path.join(share(), 'nginx/dev.conf.in'), 'utf8').replaceAll('@RUN@', run).replaceAll('@PORT@', String(port)))

	own.settings = {
		...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin`, DATABASE_URL: `postgresql:///${to.database}?host=${run}`, GNOMON_SHARE: share(),
		GNOMON_SECRET_FILE: path.join(run, 'secret'), RATE_LIMIT: '0', SIGN_IN_LIMIT: '0', REQUIRE_VERIFICATION: 'off', MEMCACHED: '', ...env,
	}
	own.arguments = ['--socket', path.join(run, 'web.sock'), '--workers', String(workers), '--slow-socket', path.join(run, 'slow.sock'), '--slow-workers', String(slow)]
	own.startWeb = async () => {
		own.web = spawn(path.join(BIN, 'gnomon-web'), own.arguments, { env: own.settings, stdio: ['ignore', log, log] })
		own.ended = once(own.web, 'exit')
		if (!(await until(() => own.web.exitCode !== null || fs.existsSync(path.join(run, 'slow.sock'))))) throw new Error('gnomon-web does not start')
	}
	await own.startWeb()
	const user = process.getuid() === 0 ? 'user root; ' : ''
	own.nginx = spawn('nginx', ['-p', `${nginxRoot}/`, '-c', 'nginx.conf', '-e', 'nginx-error.log', '-g', `${user}daemon off;`], { env: own.settings, stdio: ['ignore', log, log] })
	if (!(await until(async () => (await call('GET', '/ready', { at }).catch(() => ({}))).status === 200)))
		throw new Error(`the server does not answer:\n${own.log().slice(-3000)}${fs.readFileSync(path.join(nginxRoot, 'nginx-error.log'), 'utf8')}`)

	/** The processes of the pools: grandchildren are none of them. */
	own.workers = () => fs.readFileSync(`/proc/${own.web.pid}/task/${own.web.pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number)
	own.call = (method, where, options = {}) => call(method, where, { at, ...options })
	own.close = async () => {
		if (own.web.exitCode === null && own.web.signalCode === null) {
			own.web.kill('SIGTERM')
			await own.ended
		}
		if (own.nginx.exitCode === null) {
			own.nginx.kill('SIGQUIT')
			setTimeout(() => own.nginx.kill('SIGTERM'), 500).unref()
			await once(own.nginx, 'exit')
		}
		await wire.close()
		fs.closeSync(log)
		fs.rmSync(run, { recursive: true, force: true })
	}
	return own
}

export { sleep }
