// What the HTTP and database tests share: requests as bytes go over the wire,
// SQL as any role, and tenants made through the API.
//
//   GNOMON_URL   where nginx listens
//   GNOMON_DB    the superuser's connection to the same database
//   GNOMON_BIN   the folder of the programs
import assert from 'node:assert/strict'
import { execFile, execFileSync, spawn } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import http from 'node:http'

const need = name => {
	if (!process.env[name]) throw new Error(`${name} is not set; scripts/test sets it`)
	return process.env[name]
}
export const URL_ = new URL(need('GNOMON_URL'))
export const DB = need('GNOMON_DB')
export const BIN = need('GNOMON_BIN')
export const origin = URL_.origin

// ---- requests

const agent = new http.Agent({ keepAlive: true, maxSockets: 64 })

/** 001-159: whatever the API refuses, and whoever says it, has one shape. */
function checkEnvelope({ status, headers, text, json }, what) {
	const wrong = why => new Error(`${what}: ${status} is no error of ours (${why}): ${text.slice(0, 300)}`)
	if (!/^application\/json/.test(headers['content-type'] ?? '')) throw wrong('it is not JSON')
	if (Object.keys(json ?? {}).join() !== 'error' || Object.keys(json.error).join() !== 'code,message,details,requestId') throw wrong('its keys')
	const { code, message, details, requestId } = json.error
	if (!/^[a-z_]+$/.test(code) || typeof message !== 'string' || !message || typeof details !== 'object' || Array.isArray(details)) throw wrong('its values')
	if (requestId !== headers['x-request-id']) throw wrong('its request id')
}

/**
 * One request, to the server under test or to `at`. `json` is sent as JSON, `form` as a form, `body` as it is. A
 * redirect is not followed. Answers {status, headers, text, json}; json is
 * undefined when the reply is none.
 */
export function call(method, path, { token, cookie, json, form, body, headers = {}, via = agent, at = URL_ } = {}) {
	const out = { ...headers }
	if (token) out.Authorization = `Bearer ${token}`
	if (cookie) out.Cookie = cookie
	if (json !== undefined) {
		body = JSON.stringify(json)
		out['Content-Type'] ??= 'application/json'
	}
	if (form) {
		body = new URLSearchParams(form).toString()
		out['Content-Type'] ??= 'application/x-www-form-urlencoded'
	}
	// node would chunk the body of a DELETE; every body has a length here
	if (body !== undefined && !out['Transfer-Encoding']) out['Content-Length'] = Buffer.byteLength(body)
	return new Promise((resolve, reject) => {
		const rq = http.request({ host: at.hostname, port: at.port, method, path, headers: out, agent: via }, rs => {
			const chunks = []
			rs.on('data', chunk => chunks.push(chunk))
			rs.on('error', reject)
			rs.on('end', () => {
				const text = Buffer.concat(chunks).toString('utf8')
				const reply = { status: rs.statusCode, headers: rs.headers, text }
				try {
					reply.json = JSON.parse(text)
				} catch {
					// not JSON
				}
				try {
					// people who come back from another service get a page
					const isPage = /text\/html/.test(out.Accept ?? '')
					if (reply.status >= 400 && path.startsWith('/api/') && method !== 'HEAD' && !isPage) checkEnvelope(reply, `${method} ${path.slice(0, 200)}`)
					resolve(reply)
				} catch (error) {
					reject(error)
				}
			})
		})
		// nginx closes a line that idles, perhaps just when it is used again: then nobody has read the request
		rq.on('error', error => (rq.reusedSocket && error.code === 'ECONNRESET'
			? resolve(call(method, path, { body, headers: out, via: new http.Agent({ keepAlive: false }), at })) : reject(error)))
		rq.setTimeout(60000, () => rq.destroy(new Error(`${method} ${path}: no answer in 60 s`)))
		if (body !== undefined) rq.write(body)
		rq.end()
	})
}

export const get = (path, options) => call('GET', path, options)
export const post = (path, options) => call('POST', path, options)
export const patch = (path, options) => call('PATCH', path, options)

/** Asserts success and gives the document. */
export async function ok(reply, status = 200) {
	const r = await reply
	assert.equal(r.status, status, `${r.status} ${r.text.slice(0, 500)}`)
	return r.json
}

/** Asserts the error envelope; gives the error. */
export async function refused(reply, status, code) {
	const r = await reply
	assert.equal(r.status, status, `${r.status} ${r.text.slice(0, 500)}`)
	assert.match(r.headers['content-type'], /^application\/json/)
	assert.deepEqual(Object.keys(r.json), ['error'])
	assert.deepEqual(Object.keys(r.json.error), ['code', 'message', 'details', 'requestId'])
	assert.match(r.json.error.code, /^[a-z_]+$/)
	assert.ok(r.json.error.message.length > 0)
	assert.equal(r.json.error.requestId, r.headers['x-request-id'])
	if (code) assert.equal(r.json.error.code, code)
	return r.json.error
}

/** The pointers of a refusal that names fields. */
export const pointers = error => (error.details?.errors ?? []).map(e => e.pointer)

// ---- SQL

const conninfo = user => {
	if (!user) return DB
	if (/^postgres(ql)?:/.test(DB)) return `${DB}${DB.includes('?') ? '&' : '?'}user=${user}`
	return `${DB} user=${user}`
}
const psqlArguments = user => ['-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', conninfo(user)]
const psqlOptions = { encoding: 'utf8', maxBuffer: 1 << 26, env: { ...process.env, PGOPTIONS: '-c timezone=UTC' } }

/** A value as an SQL literal. */
export const lit = value =>
	value === null || value === undefined ? 'NULL'
	: typeof value === 'number' || typeof value === 'boolean' ? String(value)
	: `'${String(value).replaceAll("'", "''")}'`

/** Runs statements; the output of the last, as psql prints it. */
export function sql(text, user) {
	return execFileSync('psql', psqlArguments(user), { ...psqlOptions, input: text, stdio: ['pipe', 'pipe', 'pipe'] }).trim()
}

/** The same without waiting for it. */
export const sqlLater = (text, user) =>
	new Promise((resolve, reject) => {
		const child = execFile('psql', psqlArguments(user), psqlOptions, (error, out) =>
			error ? reject(error) : resolve(out.trim()))
		child.stdin.end(text)
	})

/** The rows of a query, as objects. */
export const rows = (query, user) => JSON.parse(sql(`SELECT coalesce(json_agg(t), '[]') FROM (${query}) t`, user))

/** The message of the refusal that SQL must end in. */
export function sqlRefused(text, user) {
	try {
		sql(text, user)
	} catch (error) {
		return String(error.stderr)
	}
	return assert.fail(`not refused: ${text}`)
}

/** An interactive psql: say(text) resolves to what it printed. */
export function session(user) {
	const child = spawn('psql', psqlArguments(user), { env: psqlOptions.env, stdio: ['pipe', 'pipe', 'pipe'] })
	let seen = ''
	let wake = () => {}
	const listen = chunk => {
		seen += chunk
		wake()
	}
	child.stdout.on('data', listen)
	child.stderr.on('data', listen)
	child.on('close', () => {
		seen += '\n=closed='
		wake()
	})
	return {
		async say(text) {
			const mark = `=${randomBytes(6).toString('hex')}=`
			seen = ''
			child.stdin.write(`${text}\n\\echo ${mark}\n`)
			while (!seen.includes(mark) && !seen.includes('=closed=')) await new Promise(r => (wake = r))
			return seen.split(mark)[0].trim()
		},
		end: () => child.stdin.end(),
		/** Ends the process in the middle of whatever it does. */
		kill: () => child.kill('SIGKILL'),
	}
}

/** Resolves when somebody waits for a lock in a statement that names `what`. */
export async function waiting(what = '') {
	for (let i = 0; i < 200; i++) {
		if (sql(`SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ~ ${lit(what)} AND pid <> pg_backend_pid()`) !== '0') return
		await new Promise(r => setTimeout(r, 20))
	}
	assert.fail(`nobody waits in ${what}`)
}

// ---- people and tenants

export const unique = () => randomBytes(5).toString('hex')
export const password = 'a long enough phrase'

/** An account with a workspace of its own, and an access token. */
export async function newUser(name = 'Test Person') {
	const email = `${unique()}@example.org`
	const made = await ok(post('/api/v1/auth/register', { json: { email, name, password } }), 201)
	return { ...(await signIn(email)), email, name, id: made.id, slug: made.workspace.slug }
}

export async function signIn(email) {
	const { accessToken } = await ok(post('/api/v1/auth/login', { json: { email, password } }))
	return { token: accessToken }
}

/** Makes a user a member of a workspace, without an invitation. */
export function join(workspace, user, role) {
	sql(`INSERT INTO workspace_members (workspace_id, user_id, role)
	     VALUES (${lit(workspace)}, ${lit(user.id)}, ${lit(role)})
	     ON CONFLICT (workspace_id, user_id) DO UPDATE SET role = excluded.role, removed_at = NULL`)
}

/** A key no other project of this database has. */
export const newKey = () => `T${unique().slice(0, 8).toUpperCase()}`

/**
 * A workspace with an owner, and as many of the other roles as asked for, a
 * project and `stories` stories in it.
 */
export async function tenant({ roles = [], stories = 2 } = {}) {
	const [owner, ...others] = await Promise.all([newUser('Olga Owner'), ...roles.map(role => newUser(`Person ${role}`))])
	const { id: workspace } = await ok(get(`/api/v1/workspaces/${owner.slug}`, owner))
	const t = { owner, slug: owner.slug, id: workspace, base: `/api/v1/workspaces/${owner.slug}` }
	roles.forEach((role, i) => {
		join(workspace, others[i], role)
		t[role] = others[i]
	})
	t.project = await ok(post(`${t.base}/projects`, { ...owner, json: { key: newKey(), name: `Project ${unique()}` } }), 201)
	t.path = `/api/v1/projects/${t.project.id}`
	t.stories = []
	for (let i = 0; i < stories; i++)
		t.stories.push(await ok(post(`${t.path}/stories`, { ...owner, json: { title: `Story ${i + 1}` } }), 201))
	return t
}

/** An agent's run with insights, as the worker would have left them. */
export function insights(t, n = 1, columns = {}) {
	const given = { severity: 'high', title: 'The sprint is late', state: 'open', project_id: t.project.id, ...columns }
	const names = Object.keys(given)
	return JSON.parse(sql(`
		WITH run AS (
		  INSERT INTO agent_runs (workspace_id, agent_key, status, trigger_type)
		  VALUES (${lit(t.id)}, 'sprint_risk', 'succeeded', 'manual') RETURNING workspace_id, id, number
		), made AS (
		  INSERT INTO agent_insights (workspace_id, agent_run_id, agent_key, body, evidence, ${names.join(', ')})
		  SELECT workspace_id, id, 'sprint_risk', 'Six of nine stories are not done.',
		         '[{"id":"F-1","label":"Open stories","value":6}]', ${names.map(k => lit(given[k])).join(', ')}
		    FROM run, generate_series(1, ${n})
		  RETURNING workspace_id, agent_run_id, id, number, version, state, severity
		), seen AS (
		  INSERT INTO insight_sightings (workspace_id, agent_run_id, insight_id, fingerprint, origin, outcome, severity)
		  SELECT workspace_id, agent_run_id, id, id::text, 'rules', 'new', severity FROM made
		)
		SELECT json_build_object('run', (SELECT row_to_json(run) FROM run),
		                         'list', (SELECT json_agg(made ORDER BY number) FROM made))`))
}

/** An active sprint with every story in it. */
export function sprint(t) {
	const made = JSON.parse(sql(`
		WITH made AS (INSERT INTO sprints (workspace_id, project_id, name, start_date, end_date, status, started_at)
		              VALUES (${lit(t.id)}, ${lit(t.project.id)}, 'Sprint', current_date - 7, current_date + 7, 'active', now() - interval '7 days')
		              RETURNING id, number)
		SELECT to_json(made) FROM made`))
	sql(`INSERT INTO sprint_items (workspace_id, project_id, sprint_id, story_id)
	     SELECT workspace_id, project_id, ${lit(made.id)}, id FROM stories
	      WHERE workspace_id = ${lit(t.id)} AND project_id = ${lit(t.project.id)}`)
	return made
}

/** The revision of a scope: a project's id, or the workspace's. */
export const revision = (t, scope = t.project.id) =>
	Number(sql(`SELECT rev FROM revisions WHERE workspace_id = ${lit(t.id)} AND scope_id = ${lit(scope)}`))

/** Everything a refused write must leave as it was. */
export const state = t =>
	sql(`SELECT (SELECT count(*) FROM events WHERE workspace_id = ${lit(t.id)}),
	            (SELECT sum(rev) FROM revisions WHERE workspace_id = ${lit(t.id)}),
	            (SELECT count(*) FROM jobs WHERE workspace_id = ${lit(t.id)})`)

// ---- a browser

/** Signs in by the form; the cookie header for what follows. */
export async function browser(user) {
	const r = await post('/login', { form: { email: user.email, password }, headers: { Origin: origin } })
	assert.equal(r.status, 303, r.text.slice(0, 300))
	const cookie = r.headers['set-cookie'].find(c => c.startsWith('s='))
	return cookie.split(';')[0]
}

/** The form token of a page. */
export async function csrf(cookie, path) {
	const r = await get(path, { cookie })
	const found = /name="?csrf"?\s+value="([^"]+)"/.exec(r.text)
	assert.ok(found, `no form token on ${path}: ${r.status}`)
	return found[1]
}

export { assert, randomUUID }
