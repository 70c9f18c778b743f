// Measures the cases of scripts/bench on the stacks it made, prints a table.
//
//   GNOMON_STACK         the stacks' script
//   GNOMON_STACK_DATA    the stack's folder
//   GNOMON_STACK_MANY    with --scale: that of the one with many stories
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
const PATCHED = 8000         // stories that one run of PATCH walks through, at most
const DEEP = 1000            // the page of the story list that is compared with the first
const DEEP_MOST = 1.2        // and what it may cost of it
const SCALE_MOST = 1.3       // what a case may cost with many stories, of its cost with few

// A case: `path`, and either what pgbench runs (an endpoint with its query, and
// the values of its parameters) or the address nginx answers by itself. What is
// kept in memcached is measured twice: `uncached` while memcached is away, and
// with it; `unchanged` asks with the ETag and wants a 304. pgbench runs the whole
// statements in all three. `body` is what pgbench sends of one, as SQL; `prepare`
// finds out what is different in each stack (`after` turns the first page's statement
// into that of a later one). --scale measures those marked so.
const list = (name, query, values = {}) => ({
	name, path: `${api}/insights${query && `?${query}`}`, endpoint: 'list_insights', query,
	values: { workspace: 'bench', limit: 51, ...values }, needed: 1,
})
const board = (name, key, more) => ({
	name, path: `/api/v1/projects/${key}/board`, endpoint: 'get_board', query: '',
	values: { project: key, known: '{}' }, needed: 1, ...more,
})
// One page at a time, as it is without memcached.
const stories = (name, more, query = '') => ({
	name, path: `/api/v1/projects/BIG/stories${query && `?${query}`}`, endpoint: 'list_stories', query,
	values: { project: 'BIG', limit: 51, known: '{}' }, needed: 1, uncached: true, ...more,
})
const search = (name, q) => ({
	name, path: `${api}/search?q=${encodeURIComponent(q)}`, endpoint: 'search_workspace', query: `q=${encodeURIComponent(q)}`,
	values: { workspace: 'bench', q, limit: 51 }, needed: 1, scale: true,
})
// Page 1,000 of 50, or the last whole one there is: reached by pages of 200.
async function deepPage(at, who) {
	const pages = Math.min(DEEP, Math.floor(at.big / 50) - 1)
	let cursor = '', items
	for (let left = (pages - 1) * 50; left > 0; left -= items.length) {
		const page = await at.get(`/api/v1/projects/BIG/stories?limit=${Math.min(left, 200)}${cursor && `&cursor=${cursor}`}`, who)
		if (page.status !== 200) throw new Error(`page ${pages}: ${page.status} ${page.text}`)
		;({ items } = JSON.parse(page.text))
		cursor = encodeURIComponent(JSON.parse(page.text).next)
	}
	// pgbench goes on from the same story; a cursor is the server's own
	const after = sql => sql.replaceAll(' ORDER BY s.id DESC', ' AND (s.id) < (:id::uuid) ORDER BY s.id DESC')
	return { path: `/api/v1/projects/BIG/stories?cursor=${cursor}`, after, values: { id: items.at(-1).id } }
}
const cases = [
	list('insights', ''),
	list('insights_filtered', 'state=open,acknowledged&severity=high,critical',
		{ state: '{open,acknowledged}', severity: '{high,critical}' }),
	list('insights_rare', 'severity=critical', { severity: '{critical}' }),
	list('insights_rare_pair', 'state=dismissed&severity=high', { state: '{dismissed}', severity: '{high}' }),
	list('insights_rare_agent', 'agentKey=rarely', { agentKey: 'rarely' }),
	board('board', 'MID', { uncached: true, scale: true }),
	board('board_cached', 'MID'),
	board('board_unchanged', 'MID', { unchanged: true }),
	board('board_small', 'SMALL', { uncached: true }),
	stories('stories', { scale: true }),
	stories('stories_deep', { scale: true, prepare: deepPage }),
	stories('stories_by_update', { scale: true }, 'order=updated'),
	{
		name: 'activity', path: '/api/v1/projects/BIG/events?group=transaction', endpoint: 'list_events', query: 'group=transaction',
		values: { project: 'BIG', limit: 51 }, needed: 1, scale: true,
	},
	search('search', '1407 "asks for something"'),
	search('search_common', 'something'),
	{
		name: 'burndown', path: '/api/v1/projects/BIG/sprints/1/burndown', endpoint: 'get_burndown', query: '',
		values: { project: 'BIG', sprint_number: 1 }, needed: 1, scale: true,
	},
	{
		name: 'story_patch', path: '/api/v1/projects/BIG/stories/BIG-', endpoint: 'update_story', query: '',
		values: { project: 'BIG', story_prefix: 'BIG' }, needed: 2, writes: true, scale: true,
		// the body changes with each write, and pgbench's variables are numbers
		body: "jsonb_build_object('version', :version::integer, 'estimate', 100 + :version::integer)",
	},
	{
		name: 'reorder_500', path: '/api/v1/projects/BIG/stories/reorder', endpoint: 'reorder_stories', query: '',
		values: { project: 'BIG' }, needed: 2, reorders: true, scale: true,
		body: `(SELECT jsonb_build_object('ids', jsonb_agg(s.id ORDER BY random())) FROM stories s
			WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.status = 'backlog' AND s.number <= 2500)`,
	},
	// the gate before models: ai_begin and ai_end at 200 calls a second, spread over so
	// many workspaces, beside commits of one row at the same rate
	{ name: 'ai_gate', gate: 20 },
	{ name: 'ai_gate_one', gate: 1 },
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
const scale = take('--scale')
const json = take('--json')
const chosen = cases.filter(c => (!scale || c.scale) && (!args.length || args.some(name => c.name.includes(name))))
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

// ---- the stacks

const { GNOMON_STACK: stack } = process.env
const scratch = mkdtempSync(join(os.tmpdir(), 'gnomon-bench-'))

class Stack {
	constructor(data) {
		this.data = data
		const env = execFileSync(stack, ['env', data], { encoding: 'utf8' })
		this.env = { ...process.env, ...Object.fromEntries([...env.matchAll(/^export (\w+)='(.*)'$/gm)].map(([, k, v]) => [k, v])) }
		this.db = this.env.GNOMON_DB
		this.socket = /host=(\S+)/.exec(this.db)[1]
		this.accessLog = join(data, 'nginx/access.log')
		this.big = Number(this.psql("SELECT max(s.number) FROM stories s JOIN projects p ON p.id = s.project_id WHERE p.key = 'BIG'"))
		// The first story that nobody has written to yet (a kept stack may have been measured before).
		this.fresh = Number(this.psql(`SELECT coalesce(max(s.number) FILTER (WHERE s.version > 1), 0) + 1
			FROM stories s JOIN projects p ON p.id = s.project_id WHERE p.key = 'BIG'`))
	}
	psql(sql) {
		return execFileSync('psql', ['-qAtX', '-d', this.db, '-c', sql], { encoding: 'utf8' }).trim()
	}
	pidOf(service) {
		return Number(readFileSync(join(this.data, 'pid', service), 'utf8').split(' ')[0])
	}
	service(verb, name) {
		return run(stack, [verb, this.data, name])
	}
	get(path, { method = 'GET', body, token } = {}) {
		const headers = { ...(body && { 'Content-Type': 'application/json' }), ...(token && { Authorization: `Bearer ${token}` }) }
		return new Promise((good, bad) => {
			const rq = http.request(this.env.GNOMON_URL + path, { method, headers, agent: false }, rs => {
				let text = ''
				rs.setEncoding('utf8').on('data', s => { text += s }).on('end', () => good({ status: rs.statusCode, headers: rs.headers, text }))
			}).on('error', bad)
			rq.end(body)
		})
	}
	async signIn() {
		const password = readFileSync(join(this.data, 'password'), 'utf8').trim()
		const { status, text } = await this.get('/api/v1/auth/login',
			{ method: 'POST', body: JSON.stringify({ email: 'bench@bench.example', password }) })
		if (status !== 200) throw new Error(`signing in: ${status} ${text}`)
		await sleep(1100)                         // until nginx has logged it
		const token = JSON.parse(text).accessToken
		return { token, session: JSON.parse(Buffer.from(token.split('.')[1], 'base64url')).sid }
	}
}
const home = new Stack(process.env.GNOMON_STACK_DATA)
const many = scale && new Stack(process.env.GNOMON_STACK_MANY)
// So many runs of PATCH find stories that nobody has written to.
const patched = Math.min(PATCHED, Math.floor((home.big - 100) / 12))

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
const cpu = (at, ...services) => services.flatMap(name => {
	const root = at.pidOf(name)
	return family(root).map(p => p.used + (p.pid === root ? p.reaped : 0))
}).reduce((a, b) => a + b, 0) * TICK_US

// Resident memory, a shared page counted once (proportional set size), in bytes.
const resident = service => family(home.pidOf(service)).map(({ pid }) => {
	const found = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))
	return Number(found[1]) * 1024
}).reduce((a, b) => a + b, 0)

// Milliseconds from the start of gnomon-web to the first 200, its clock being
// the one the kernel starts processes by (hundredths of a second).
async function startTime() {
	await home.service('stop', 'web')
	const starting = home.service('start', 'web')
	let first
	while (!first) {
		const { status } = await home.get('/ready')
		if (status === 200) first = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1000
	}
	await starting
	return Math.max(0, first - stat(home.pidOf('web')).began * 10)
}

// ---- load

// How nginx's log of this run counts the statuses; it is written within 1 s.
async function logged(stackAt, atLeast) {
	const counts = {}
	let at = 0, rest = '', total = 0
	const fd = openSync(stackAt.accessLog, 'r')
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

async function wrk(at, c, path, connections, { token, first, etag, time = seconds }) {
	truncateSync(at.accessLog)
	const env = { ...process.env, TOKEN: token, THREADS: String(THREADS), ...(etag && { ETAG: etag }),
		...(first && { FIRST: String(first), STORIES: String(patched) }), ...(c.reorders && { IDS: idsFile(at) }) }
	const web = cpu(at, 'nginx', 'web'), postgres = cpu(at, 'postgres')
	const { stdout } = await run('wrk', [`-t${THREADS}`, `-c${connections}`, `-d${time}s`, '--timeout', '10s', '--latency',
		'-s', join(here, 'request.lua'), at.env.GNOMON_URL + path], { env })
	const r = JSON.parse(/^result (.*)$/m.exec(stdout)[1])
	r.cpuWeb = (cpu(at, 'nginx', 'web') - web) / r.requests
	r.cpuPostgres = (cpu(at, 'postgres') - postgres) / r.requests
	r.rate = r.requests / r.seconds
	// What was on its way when wrk stopped is not counted by wrk, and is logged
	// as answered or as left by the client (499).
	const { [etag ? 304 : 200]: good = 0, 499: left = 0, ...others } = await logged(at, r.requests)
	if (r.refused || r.broken || Object.keys(others).length || good < r.requests || good + left > r.requests + connections)
		throw new Error(`${path}: not every reply was as wanted: ${JSON.stringify({ ...r, good, left, others })}`)
	return { ...r, good, left }
}

const percentile = (sorted, p) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))]

// The pair that a request is, as pgbench takes it. What is NULL stays out of the
// parameters, for pgbench has no NULL among its values.
function script(c) {
	const sql = (...words) => execFileSync(join(home.env.GNOMON_BIN, 'gnomonctl'), ['sql', ...words], { encoding: 'utf8', env: home.env })
	const given = { ...c.values, session: '', needed: c.needed, with_nav: false }
	const enter = sql('enter').replace(/:(\w+)(?=::)/g, (all, name) => name in given ? all : 'NULL')
	const parts = sql(c.endpoint, c.query).split(/^-- part: .*\n/m)
		.map(s => (c.after ?? String)(s.replaceAll(/:body::jsonb/g, c.body)))
	const walk = c.writes
		? '\\set i :i + 1\n\\set story_number :first + :client_id * :each + (:i - 1) % :each\n\\set version 1 + (:i - 1) / :each\n'
		: ''
	return `${walk}\\startpipeline\n${[enter, ...parts].map(s => `${s.trim()};\n`).join('')}\\endpipeline\n`
}

async function pgbench(c, connections, { session, first, time = seconds }) {
	const file = join(scratch, `${c.name}.sql`), log = join(scratch, 'log')
	writeFileSync(file, script(c))
	const values = { ...c.values, session, needed: c.needed, with_nav: 'false',
		...(c.writes && { i: 0, first, each: Math.floor(patched / connections) }) }
	const postgres = cpu(home, 'postgres')
	const { stdout } = await run('pgbench', ['-h', home.socket, '-U', 'gnomon_web', '-n', '-M', 'prepared', '-f', file,
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
	return { requests, rate, cpuPostgres: (cpu(home, 'postgres') - postgres) / requests, p50: percentile(us, 0.5) / 1000, p99: percentile(us, 0.99) / 1000 }
}

// ---- the gate

const GATE_RATE = 200
const workspaceOf = n => `format('00000000-0000-7000-8000-%s', lpad(${n}::text, 12, '0'))::uuid`

// Two scripts in one run, so that both meet the same disk and the same neighbours: a
// call from begin to end is two commits; the other is one.
async function gate(c) {
	home.psql(`CREATE SCHEMA IF NOT EXISTS bench; CREATE TABLE IF NOT EXISTS bench.commits (id integer PRIMARY KEY, n bigint NOT NULL DEFAULT 0) WITH (fillfactor = 20);
		INSERT INTO bench.commits SELECT generate_series(0, 31) ON CONFLICT DO NOTHING;
		GRANT USAGE ON SCHEMA bench TO gnomon_worker; GRANT SELECT, UPDATE ON bench.commits TO gnomon_worker;
		INSERT INTO workspaces (id, name, slug) SELECT ${workspaceOf('n')}, 'Gate', 'gate-' || n FROM generate_series(1, ${c.gate}) n ON CONFLICT DO NOTHING;
		SELECT gnomon.seed_workspace(id) FROM workspaces WHERE slug LIKE 'gate-%';
		UPDATE ai_workspace_policies SET enabled = true, monthly_token_budget = 1000000000000, monthly_run_budget = 2000000000, allowed_features = '{"chat.general": true}'
		 WHERE workspace_id IN (SELECT id FROM workspaces WHERE slug LIKE 'gate-%')`)
	const call = join(scratch, 'call.sql'), commit = join(scratch, 'commit.sql'), log = join(scratch, 'log')
	const inside = `set_config('gnomon.workspace', format('00000000-0000-7000-8000-%s', lpad((:w::integer)::text, 12, '0')), true) AS s`
	writeFileSync(call, `\\set w random(1, ${c.gate})
SELECT b.run::text AS run, b.fence AS fence FROM ${inside} CROSS JOIN LATERAL gnomon.ai_begin(left('chat.general', length(s)), 500, 500, '{openai/gpt-4.1-mini}', true, true) b \\gset
SELECT e.status FROM ${inside} CROSS JOIN LATERAL gnomon.ai_end(left(:run::text, length(s))::uuid, :fence::bigint, 'succeeded', 400, 100, NULL, 5, 'openai', 'gpt-4.1-mini', NULL, NULL) e;
`)
	writeFileSync(commit, 'UPDATE bench.commits SET n = n + 1 WHERE id = :client_id;\n')
	const time = quick ? 5 : 20
	await run('pgbench', ['-h', home.socket, '-U', 'gnomon_worker', '-n', '-M', 'prepared', '-f', `${call}@1`, '-f', `${commit}@1`, '-c', '16', '-j', String(THREADS),
		'-R', String(2 * GATE_RATE), '-T', String(time), '-l', '--log-prefix', log, 'gnomon'],
	{ env: { ...process.env, PGOPTIONS: '-c plan_cache_mode=force_generic_plan -c jit=off -c search_path=public -c timezone=UTC' } })
	const us = [[], []]
	for (const name of readdirSync(scratch).filter(f => f.startsWith('log.'))) {
		for (const line of readFileSync(join(scratch, name), 'utf8').split('\n').filter(Boolean)) {
			const [, , took, script, , , lag] = line.split(' ').map(Number)
			us[script].push(took - lag)           // what waited for its turn waited for pgbench
		}
		rmSync(join(scratch, name))
	}
	for (const list of us) list.sort((a, b) => a - b)
	const at = p => us.map(list => percentile(list, p) / 1000)
	const [p50, p99] = [at(0.5), at(0.99)]
	const wrong = home.psql('SELECT string_agg(what, $$; $$) FROM gnomon.check_ai()')
	if (wrong) throw new Error(`${c.name}: ${wrong}`)
	console.log(`${c.name}: ${us[0].length} calls over ${c.gate} workspaces in ${time} s: begin and end take ${p50[0].toFixed(2)} ms (p99 ${p99[0].toFixed(2)}), ` +
		`a commit ${p50[1].toFixed(2)} ms (p99 ${p99[1].toFixed(2)}): ${(p50[0] / p50[1]).toFixed(1)} and ${(p99[0] / p99[1]).toFixed(1)} commits, ${(p99[0] / p50[1]).toFixed(1)} of the usual`)
	return { name: c.name, workspaces: c.gate, calls: us[0].length, callMs: { p50: p50[0], p99: p99[0] }, commitMs: { p50: p50[1], p99: p99[1] } }
}

// ---- writes leave their traces

const idsFile = at => {
	const file = join(scratch, `ids-${at === home ? 'home' : 'many'}`)
	writeFileSync(file, at.psql(`SELECT s.id FROM stories s JOIN projects p ON p.workspace_id = s.workspace_id AND p.id = s.project_id
		WHERE p.key = 'BIG' AND s.status = 'backlog' AND s.number <= 2500 ORDER BY s.number`))
	return file
}
const traces = (at, first) => at.psql(`SELECT (SELECT count(*) FROM events e WHERE e.workspace_id = p.workspace_id AND e.scope_id = p.id),
	(SELECT rev FROM revisions r WHERE r.workspace_id = p.workspace_id AND r.scope_id = p.id),
	(SELECT sum(version - 1) FROM stories s WHERE s.workspace_id = p.workspace_id AND s.project_id = p.id AND number BETWEEN ${first} AND ${first + patched - 1})
	FROM projects p WHERE key = 'BIG'`).split('|').map(Number)

// Nothing is under way any more, nor waits to be.
async function settled(at) {
	for (let quiet = 0; quiet < 5; await sleep(200))
		quiet = at.psql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'gnomon_web' AND state <> 'idle'") === '0' ? quiet + 1 : 0
}

async function checked(at, c, load) {
	if (!c.writes && !c.reorders) return load({})
	if (c.reorders) await settled(at)
	const first = at.fresh
	if (c.writes) at.fresh += patched
	if (at.fresh > at.big + 1) throw new Error(`${c.name}: every story has been written to; make a new stack`)
	const before = traces(at, first)
	const r = await load({ ...(c.writes && { first }) })
	if (c.reorders) await settled(at)
	const [events, revs, versions] = traces(at, first).map((n, i) => n - before[i])
	// an order takes so long that some are under way when time is up, whoever asks
	const good = r.good ?? r.requests, most = good + (c.reorders ? 32 : r.left ?? 0)
	// an order made anew leaves a story or two where it was, and makes no new version
	const all = c.writes ? events === revs && events === versions : versions === 0 && events > 400 * revs && events <= 500 * revs
	if (!all || revs < good || revs > most)
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

// A case as it is in this stack, once what it needs is there.
async function ready(at, c, who) {
	const found = c.prepare ? await c.prepare(at, who) : {}
	const own = { ...c, ...found, values: { ...c.values, ...found.values } }
	await at.service(c.uncached ? 'stop' : 'start', 'memcached')
	const etag = c.unchanged && (await at.get(own.path, who)).headers.etag
	return { own, who: { ...who, ...(etag && { etag }) } }
}

async function measure(c, connections, signedIn) {
	const { own, who } = await ready(home, c, signedIn)
	await sleep(2500)                         // a cache that failed is left alone for 2 s
	const ours = [], theirs = []
	const other = more => c.nginx ? wrk(home, c, c.nginx, connections, { ...who, ...more }) : pgbench(own, connections, { ...who, ...more })
	if (!c.writes && !c.reorders) {           // caches warm, statements prepared
		await wrk(home, c, own.path, connections, { ...who, time: 1 })
		await other({ time: 1 })
	}
	for (let i = 0; i < rounds; i++) {
		ours.push(await checked(home, c, more => wrk(home, c, own.path, connections, { ...who, ...more })))
		theirs.push(await checked(home, c, other))
	}
	return { name: c.name, connections, against: c.nginx ? 'nginx' : 'pgbench',
		ours: medians(ours), theirs: medians(theirs), ratio: median(ours.map(r => r.rate)) / median(theirs.map(r => r.rate)),
		rounds: ours.map((r, i) => ({ ours: r, theirs: theirs[i] })) }
}

// The same requests where there are few stories and where there are many, in turns.
async function compare(c, people) {
	const sides = []
	for (const at of [home, many]) sides.push({ at, ...(await ready(at, c, people.get(at))), runs: [] })
	await sleep(2500)
	const once = (s, more) => wrk(s.at, c, s.own.path, 8, { ...s.who, ...more })
	for (const s of sides) if (!c.writes && !c.reorders) await once(s, { time: 1 })
	for (let i = 0; i < rounds; i++)
		for (const s of sides) s.runs.push(await checked(s.at, c, more => once(s, more)))
	const [few, lots] = sides.map(s => medians(s.runs))
	return { name: c.name, few, many: lots, rate: few.rate / lots.rate, postgres: lots.cpuPostgres / few.cpuPostgres,
		rounds: sides[0].runs.map((r, i) => ({ few: r, many: sides[1].runs[i] })) }
}

const columns = [
	['case', 20], ['conn', 4], ['ours/s', 8], ['other/s', 8], ['ratio', 6], ['p50', 7], ['p99', 7], ['other', 7], ['p99', 7],
	['web µs', 7], ['pg µs', 7], ['pgbench', 8],
]
const scaleColumns = [
	['case', 20], ['few/s', 8], ['many/s', 8], ['×', 6], ['p50', 7], ['many', 7], ['pg µs', 7], ['many', 8], ['×', 6], ['', 20],
]
const row = (cells, widths = columns) =>
	console.log(cells.map((cell, i) => i ? String(cell).padStart(widths[i][1]) : String(cell).padEnd(widths[i][1])).join(' ').trimEnd())
const within = m => m.rate <= SCALE_MOST && m.postgres <= SCALE_MOST
const showScale = m => row([m.name, m.few.rate.toFixed(0), m.many.rate.toFixed(0), m.rate.toFixed(2), m.few.p50.toFixed(2), m.many.p50.toFixed(2),
	m.few.cpuPostgres.toFixed(0), m.many.cpuPostgres.toFixed(0), m.postgres.toFixed(2), within(m) ? `within ${SCALE_MOST}` : `MORE THAN ${SCALE_MOST}`], scaleColumns)
const show = m => row([m.name, m.connections, m.ours.rate.toFixed(0), m.theirs.rate.toFixed(0), m.ratio.toFixed(2),
	...[m.ours.p50, m.ours.p99, m.theirs.p50, m.theirs.p99].map(ms => ms.toFixed(2)),
	m.ours.cpuWeb.toFixed(0), m.ours.cpuPostgres.toFixed(0), m.against === 'pgbench' ? m.theirs.cpuPostgres.toFixed(0) : 'nginx'])

const first = (command, ...words) => execFileSync(command, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split('\n')[0]
const machine = {
	cores: os.cpus().length, processor: os.cpus()[0].model, memoryGb: Math.round(os.totalmem() / 2 ** 30), kernel: os.release(),
	postgres: home.psql('SHOW server_version'), nginx: /nginx version: (\S+)/.exec((await run('nginx', ['-v'])).stderr)[1],
	gnomon: first(join(home.env.GNOMON_BIN, 'gnomonctl'), '--version'),
}

try {
	console.log(`${machine.cores} cores, ${machine.processor}, ${machine.memoryGb} GB; Linux ${machine.kernel}, ` +
		`PostgreSQL ${machine.postgres}, ${machine.nginx}`)
	const results = []
	if (scale) {
		const counts = [home, many].map(at => Number(at.psql('SELECT count(*) FROM stories')).toLocaleString('en'))
		console.log(`${counts[0]} stories against ${counts[1]}: ${rounds} × ${seconds} s each, in turns, 8 connections; medians; latencies in ms;\n` +
			`processor time of PostgreSQL per request; × is what a request costs with many of what it costs with few\n`)
		const people = new Map()
		for (const at of [home, many]) people.set(at, await at.signIn())
		row(scaleColumns.map(([title]) => title), scaleColumns)
		for (const c of chosen) {
			results.push(await compare(c, people))
			showScale(results.at(-1))
		}
		for (const at of [home, many]) await at.service('start', 'memcached')
		const good = results.filter(within).length
		console.log(`\n${good} of ${results.length} cases cost at most ${SCALE_MOST} times as much with many stories as with few`)
		if (json) writeFileSync(json[1], `${JSON.stringify({ machine, rounds, seconds, stories: counts, results }, null, '\t')}\n`)
	} else {
		console.log(`${rounds} × ${seconds} s each, in turns; medians; latencies in ms; processor time per request: ` +
			'nginx + gnomon-web, PostgreSQL, PostgreSQL under pgbench\n')
		const who = await home.signIn()
		row(columns.map(([title]) => title))
		for (const c of chosen) {
			if (c.gate) {
				results.push(await gate(c))
				continue
			}
			for (const connections of [8, 32]) {
				results.push(await measure(c, connections, who))
				show(results.at(-1))
			}
		}
		await home.service('start', 'memcached')
		const [one, deep] = ['stories', 'stories_deep'].map(name => results.find(m => m.name === name))
		if (one && deep) {
			const costs = one.ours.rate / deep.ours.rate
			console.log(`\nPage ${DEEP.toLocaleString('en')} of the story list costs ${costs.toFixed(2)} times page 1 ` +
				`(${(deep.ours.cpuPostgres / one.ours.cpuPostgres).toFixed(2)} in PostgreSQL): ${costs <= DEEP_MOST ? 'within' : 'MORE THAN'} ${DEEP_MOST}`)
		}
		const memory = Object.fromEntries(['nginx', 'web', 'worker', 'memcached'].map(name => [name, resident(name)]))
		const total = Object.values(memory).reduce((a, b) => a + b, 0)
		const mb = bytes => `${(bytes / 1e6).toFixed(1)} MB`
		console.log(`\nResident beside PostgreSQL: ${mb(total)} (${Object.entries(memory).map(([k, v]) => `${k} ${mb(v)}`).join(', ')})`)
		const starts = []
		for (let i = 0; i < (quick ? 1 : 5); i++) starts.push(await startTime())
		console.log(`gnomon-web answers ${median(starts).toFixed(0)} ms after it was started`)
		if (json) writeFileSync(json[1], `${JSON.stringify({ machine, rounds, seconds, results, memory, startMs: starts }, null, '\t')}\n`)
	}
} catch (e) {
	console.error(`\n${e.message}`)
	process.exitCode = 1
} finally {
	rmSync(scratch, { recursive: true })
}
