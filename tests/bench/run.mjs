// Measures the cases of scripts/bench on the stack it made, prints a table.
//
//   GNOMON_URL, GNOMON_DB, GNOMON_BIN      where things are (stack env)
//   GNOMON_STACK, GNOMON_STACK_DATA        the stack's script and folder
import { execFile, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, openSync, readdirSync, readFileSync, readSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import os from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const here = dirname(fileURLToPath(import.meta.url))
const api = '/api/v1/workspaces/bench'
const THREADS = 2            // of wrk and of pgbench
const TICK_US = 10_000       // of /proc/*/stat (USER_HZ is 100 on every Linux)
const PATCHED = 8000         // stories that one run of PATCH walks through

// A case: `path`, and either what pgbench runs (an endpoint with its query, and
// the values of its parameters) or the address nginx answers by itself. What is
// kept in memcached is measured twice: `uncached` while memcached is away, and
// with it; `unchanged` asks with the ETag and wants a 304. pgbench runs the whole
// statements in all three.
const list = (name, query, values = {}) => ({
	name, path: `${api}/insights${query && `?${query}`}`, endpoint: 'list_insights', query,
	values: { workspace: 'bench', limit: 51, ...values }, needed: 1,
})
const board = (name, key, more) => ({
	name, path: `/api/v1/projects/${key}/board`, endpoint: 'get_board', query: '',
	values: { project: key, known: '{}' }, needed: 1, ...more,
})
const cases = [
	list('insights', ''),
	list('insights_filtered', 'state=open,acknowledged&severity=high,critical',
		{ state: '{open,acknowledged}', severity: '{high,critical}' }),
	list('insights_rare', 'severity=critical', { severity: '{critical}' }),
	list('insights_rare_pair', 'state=dismissed&severity=high', { state: '{dismissed}', severity: '{high}' }),
	list('insights_rare_agent', 'agentKey=rarely', { agentKey: 'rarely' }),
	board('board', 'MID', { uncached: true }),
	board('board_cached', 'MID'),
	board('board_unchanged', 'MID', { unchanged: true }),
	board('board_small', 'SMALL', { uncached: true }),
	{
		name: 'story_patch', path: '/api/v1/projects/BIG/stories/BIG-', endpoint: 'update_story', query: '',
		values: { project: 'BIG', story_prefix: 'BIG' }, needed: 2, writes: true,
	},
	{ name: 'health', path: '/health', nginx: '/bench/nginx' },
	{ name: 'ready', path: '/ready', nginx: '/bench/nginx' },
]

// ---- the command line

const args = process.argv.slice(2)
const take = flag => {
	const at = args.indexOf(flag)
	return at < 0 ? false : args.splice(at, flag === '--json' ? 2 : 1)
}
const listOnly = take('--list')
const quick = take('--quick')
const json = take('--json')
const chosen = cases.filter(c => !args.length || args.some(name => c.name.includes(name)))
if (!chosen.length) {
	console.error(`No case is called ${args.join(' or ')}. There are: ${cases.map(c => c.name).join(' ')}`)
	process.exit(2)
}
if (listOnly) {
	console.log(chosen.map(c => c.name).join('\n'))
	process.exit(0)
}
const rounds = quick ? 1 : 3
const seconds = quick ? 2 : 5

// ---- the stack

const { GNOMON_URL: url, GNOMON_DB: db, GNOMON_BIN: bin, GNOMON_STACK: stack, GNOMON_STACK_DATA: data } = process.env
const socket = /host=(\S+)/.exec(db)[1]
const accessLog = join(data, 'nginx/access.log')
const scratch = mkdtempSync(join(os.tmpdir(), 'gnomon-bench-'))

const psql = sql => execFileSync('psql', ['-qAtX', '-d', db, '-c', sql], { encoding: 'utf8' }).trim()
const pidOf = service => Number(readFileSync(join(data, 'pid', service), 'utf8').split(' ')[0])

function get(path, { method = 'GET', body, token } = {}) {
	const headers = { ...(body && { 'Content-Type': 'application/json' }), ...(token && { Authorization: `Bearer ${token}` }) }
	return new Promise((good, bad) => {
		const rq = http.request(url + path, { method, headers, agent: false }, rs => {
			let text = ''
			rs.setEncoding('utf8').on('data', s => { text += s }).on('end', () => good({ status: rs.statusCode, headers: rs.headers, text }))
		}).on('error', bad)
		rq.end(body)
	})
}

async function signIn() {
	const password = readFileSync(join(data, 'password'), 'utf8').trim()
	const { status, text } = await get('/api/v1/auth/login',
		{ method: 'POST', body: JSON.stringify({ email: 'bench@bench.example', password }) })
	if (status !== 200) throw new Error(`signing in: ${status} ${text}`)
	await sleep(1100)                         // until nginx has logged it
	const token = JSON.parse(text).accessToken
	return { token, session: JSON.parse(Buffer.from(token.split('.')[1], 'base64url')).sid }
}

// ---- processes

// utime, stime, cutime, cstime and parent (proc(5)), after the name, which may hold anything.
function stat(pid) {
	try {
		const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ').map(Number)
		return { pid, parent: fields[1], used: fields[11] + fields[12], reaped: fields[13] + fields[14], began: fields[19] }
	} catch {
		return null
	}
}

function family(root) {
	const all = readdirSync('/proc').filter(name => /^\d+$/.test(name)).map(Number).map(stat).filter(Boolean)
	const mine = new Set([root])
	for (let before = 0; before !== mine.size;) {
		before = mine.size
		for (const p of all) if (mine.has(p.parent)) mine.add(p.pid)
	}
	return all.filter(p => mine.has(p.pid))
}

// Microseconds of processor used so far by the services and all they started,
// those included that have ended.
const cpu = (...services) => services.flatMap(name => {
	const root = pidOf(name)
	return family(root).map(p => p.used + (p.pid === root ? p.reaped : 0))
}).reduce((a, b) => a + b, 0) * TICK_US

// Resident memory, a shared page counted once (proportional set size), in bytes.
const resident = service => family(pidOf(service)).map(({ pid }) => {
	const found = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))
	return Number(found[1]) * 1024
}).reduce((a, b) => a + b, 0)

// Milliseconds from the start of gnomon-web to the first 200, its clock being
// the one the kernel starts processes by (hundredths of a second).
async function startTime() {
	await run(stack, ['stop', data, 'web'])
	const starting = run(stack, ['start', data, 'web'])
	let first
	while (!first) {
		const { status } = await get('/ready')
		if (status === 200) first = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1000
	}
	await starting
	return Math.max(0, first - stat(pidOf('web')).began * 10)
}

// ---- load

// How nginx's log of this run counts the statuses; it is written within 1 s.
async function logged(atLeast) {
	const counts = {}
	let at = 0, rest = '', total = 0
	const fd = openSync(accessLog, 'r')
	const chunk = Buffer.alloc(1 << 20)
	for (let tries = 0; tries < 30 && (total < atLeast || tries < 12); tries++) {
		for (let n; (n = readSync(fd, chunk, 0, chunk.length, at)) > 0; at += n) {
			const lines = (rest + chunk.latin1Slice(0, n)).split('\n')
			rest = lines.pop()
			total += lines.length
			for (const line of lines) {
				const status = line.slice(line.indexOf('"status":') + 9).slice(0, 3)
				counts[status] = (counts[status] ?? 0) + 1
			}
		}
		await sleep(100)
	}
	return counts
}

async function wrk(path, connections, { token, first, etag, time = seconds }) {
	truncateSync(accessLog)
	const env = { ...process.env, TOKEN: token, THREADS: String(THREADS), ...(etag && { ETAG: etag }), ...(first && { FIRST: String(first), STORIES: String(PATCHED) }) }
	const web = cpu('nginx', 'web'), postgres = cpu('postgres')
	const { stdout } = await run('wrk', [`-t${THREADS}`, `-c${connections}`, `-d${time}s`, '--timeout', '10s', '--latency',
		'-s', join(here, 'request.lua'), url + path], { env })
	const r = JSON.parse(/^result (.*)$/m.exec(stdout)[1])
	r.cpuWeb = (cpu('nginx', 'web') - web) / r.requests
	r.cpuPostgres = (cpu('postgres') - postgres) / r.requests
	r.rate = r.requests / r.seconds
	// What was on its way when wrk stopped is not counted by wrk, and is logged
	// as answered or as left by the client (499).
	const { [etag ? 304 : 200]: good = 0, 499: left = 0, ...others } = await logged(r.requests)
	if (r.refused || r.broken || Object.keys(others).length || good < r.requests || good + left > r.requests + connections)
		throw new Error(`${path}: not every reply was as wanted: ${JSON.stringify({ ...r, good, left, others })}`)
	return { ...r, good, left }
}

const percentile = (sorted, p) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))]

// The pair that a request is, as pgbench takes it. What is NULL stays out of the
// parameters, for pgbench has no NULL among its values.
function script(c) {
	const sql = (...words) => execFileSync(join(bin, 'gnomonctl'), ['sql', ...words], { encoding: 'utf8' })
	const given = { ...c.values, session: '', needed: c.needed, with_nav: false }
	const enter = sql('enter').replace(/:(\w+)(?=::)/g, (all, name) => name in given ? all : 'NULL')
	const parts = sql(c.endpoint, c.query).split(/^-- part: .*\n/m)
		// the body changes with each write, and pgbench's variables are numbers
		.map(s => s.replaceAll(/:body::jsonb/g, "jsonb_build_object('version', :version::integer, 'estimate', 100 + :version::integer)"))
	const walk = c.writes
		? '\\set i :i + 1\n\\set story_number :first + :client_id * :each + (:i - 1) % :each\n\\set version 1 + (:i - 1) / :each\n'
		: ''
	return `${walk}\\startpipeline\n${[enter, ...parts].map(s => `${s.trim()};\n`).join('')}\\endpipeline\n`
}

async function pgbench(c, connections, { session, first, time = seconds }) {
	const file = join(scratch, `${c.name}.sql`), log = join(scratch, 'log')
	writeFileSync(file, script(c))
	const values = { ...c.values, session, needed: c.needed, with_nav: 'false',
		...(c.writes && { i: 0, first, each: Math.floor(PATCHED / connections) }) }
	const postgres = cpu('postgres')
	const { stdout } = await run('pgbench', ['-h', socket, '-U', 'gnomon_web', '-n', '-M', 'prepared', '-f', file,
		'-c', String(connections), '-j', String(THREADS), '-T', String(time), '-l', '--log-prefix', log, '--sampling-rate', '0.1',
		...Object.entries(values).flatMap(([k, v]) => ['-D', `${k}=${v}`]), 'gnomon'],
	{ env: { ...process.env, PGOPTIONS: '-c plan_cache_mode=force_generic_plan -c jit=off -c search_path=public -c timezone=UTC' } })
	const requests = Number(/actually processed: (\d+)/.exec(stdout)[1])
	if (!/failed transactions: 0 /.test(stdout)) throw new Error(`pgbench ${c.name}: ${stdout}`)
	const rate = Number(/tps = ([\d.]+)/.exec(stdout)[1])
	await sleep(200)                          // until PostgreSQL has buried the backends
	const us = []
	for (const name of readdirSync(scratch).filter(f => f.startsWith('log.'))) {
		for (const line of readFileSync(join(scratch, name), 'utf8').split('\n')) if (line) us.push(Number(line.split(' ')[2]))
		rmSync(join(scratch, name))
	}
	us.sort((a, b) => a - b)
	return { requests, rate, cpuPostgres: (cpu('postgres') - postgres) / requests, p50: percentile(us, 0.5) / 1000, p99: percentile(us, 0.99) / 1000 }
}

// ---- writes leave their traces

// The first story that nobody has written to yet (a kept stack may have been measured before).
let fresh = Number(psql(`SELECT coalesce(max(s.number) FILTER (WHERE s.version > 1), 0) + 1
	FROM stories s JOIN projects p ON p.id = s.project_id WHERE p.key = 'BIG'`))
const traces = first => psql(`SELECT (SELECT count(*) FROM events e WHERE e.scope_id = p.id),
	(SELECT rev FROM revisions r WHERE r.scope_id = p.id),
	(SELECT sum(version - 1) FROM stories s WHERE s.project_id = p.id AND number BETWEEN ${first} AND ${first + PATCHED - 1})
	FROM projects p WHERE key = 'BIG'`).split('|').map(Number)

async function checked(c, load) {
	if (!c.writes) return load({})
	const first = fresh
	fresh += PATCHED
	if (fresh > 100_001) throw new Error(`${c.name}: every story has been written to; make a new stack`)
	const before = traces(first)
	const r = await load({ first })
	const [events, revs, versions] = traces(first).map((n, i) => n - before[i])
	const good = r.good ?? r.requests, most = good + (r.left ?? 0)
	if (events !== revs || events !== versions || events < good || events > most)
		throw new Error(`${c.name}: ${good} writes succeeded (and ${most - good} may have), ` +
			`yet there are ${events} events, ${revs} revisions, ${versions} versions more`)
	return r
}

// ---- the runs

const median = values => {
	const sorted = values.toSorted((a, b) => a - b)
	const half = sorted.length >> 1
	return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2
}
const medians = runs => Object.fromEntries(Object.keys(runs[0]).map(k => [k, median(runs.map(r => r[k]))]))

async function measure(c, connections, who) {
	await run(stack, [c.uncached ? 'stop' : 'start', data, 'memcached'])
	if (c.unchanged) who = { ...who, etag: (await get(c.path, who)).headers.etag }
	await sleep(2500)                         // a cache that failed is left alone for 2 s
	const ours = [], theirs = []
	const other = more => c.nginx ? wrk(c.nginx, connections, { ...who, ...more }) : pgbench(c, connections, { ...who, ...more })
	if (!c.writes) {                          // caches warm, statements prepared
		await wrk(c.path, connections, { ...who, time: 1 })
		await other({ time: 1 })
	}
	for (let i = 0; i < rounds; i++) {
		ours.push(await checked(c, more => wrk(c.path, connections, { ...who, ...more })))
		theirs.push(await checked(c, other))
	}
	return { name: c.name, connections, against: c.nginx ? 'nginx' : 'pgbench',
		ours: medians(ours), theirs: medians(theirs), ratio: median(ours.map(r => r.rate)) / median(theirs.map(r => r.rate)),
		rounds: ours.map((r, i) => ({ ours: r, theirs: theirs[i] })) }
}

const columns = [
	['case', 20], ['conn', 4], ['ours/s', 8], ['other/s', 8], ['ratio', 6], ['p50', 7], ['p99', 7], ['other', 7], ['p99', 7],
	['web µs', 7], ['pg µs', 7], ['pgbench', 8],
]
const row = cells => console.log(cells.map((cell, i) => i ? String(cell).padStart(columns[i][1]) : String(cell).padEnd(columns[i][1])).join(' '))
const show = m => row([m.name, m.connections, m.ours.rate.toFixed(0), m.theirs.rate.toFixed(0), m.ratio.toFixed(2),
	...[m.ours.p50, m.ours.p99, m.theirs.p50, m.theirs.p99].map(ms => ms.toFixed(2)),
	m.ours.cpuWeb.toFixed(0), m.ours.cpuPostgres.toFixed(0), m.against === 'pgbench' ? m.theirs.cpuPostgres.toFixed(0) : 'nginx'])

const first = (command, ...words) => execFileSync(command, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split('\n')[0]
const machine = {
	cores: os.cpus().length, processor: os.cpus()[0].model, memoryGb: Math.round(os.totalmem() / 2 ** 30), kernel: os.release(),
	postgres: psql('SHOW server_version'), nginx: /nginx version: (\S+)/.exec((await run('nginx', ['-v'])).stderr)[1],
	gnomon: first(join(bin, 'gnomonctl'), '--version'),
}

try {
	console.log(`${machine.cores} cores, ${machine.processor}, ${machine.memoryGb} GB; Linux ${machine.kernel}, ` +
		`PostgreSQL ${machine.postgres}, ${machine.nginx}`)
	console.log(`${rounds} × ${seconds} s each, in turns; medians; latencies in ms; processor time per request: ` +
		'nginx + gnomon-web, PostgreSQL, PostgreSQL under pgbench\n')
	const who = await signIn()
	const results = []
	row(columns.map(([title]) => title))
	for (const c of chosen) {
		for (const connections of [8, 32]) {
			results.push(await measure(c, connections, who))
			show(results.at(-1))
		}
	}
	await run(stack, ['start', data, 'memcached'])
	const memory = Object.fromEntries(['nginx', 'web', 'worker', 'memcached'].map(name => [name, resident(name)]))
	const total = Object.values(memory).reduce((a, b) => a + b, 0)
	const mb = bytes => `${(bytes / 1e6).toFixed(1)} MB`
	console.log(`\nResident beside PostgreSQL: ${mb(total)} (${Object.entries(memory).map(([k, v]) => `${k} ${mb(v)}`).join(', ')})`)
	const starts = []
	for (let i = 0; i < (quick ? 1 : 5); i++) starts.push(await startTime())
	console.log(`gnomon-web answers ${median(starts).toFixed(0)} ms after it was started`)
	if (json) writeFileSync(json[1], `${JSON.stringify({ machine, rounds, seconds, results, memory, startMs: starts }, null, '\t')}\n`)
} catch (e) {
	console.error(`\n${e.message}`)
	process.exitCode = 1
} finally {
	rmSync(scratch, { recursive: true })
}
