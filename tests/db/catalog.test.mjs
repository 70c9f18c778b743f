// The tables that the documents describe, as PostgreSQL has them: columns with
// type and default, what their values may be, and that nothing is switched on by
// itself. What is ours beside it is none of this file's business.
import { execFileSync } from 'node:child_process'
import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { assert, BIN, DB, get, lit, ok, post, rows, sql, sqlRefused, tenant } from '../http/lib.mjs'

const time = 'timestamp with time zone'
const now = `${time} not null gnomon.now()`
const id = 'uuid not null gnomon.uuid7()'
const words = "jsonb not null '{}'::jsonb"
const no = 'boolean not null false'
const text = "text not null ''::text"
const state = word => `text not null '${word}'::text`

// Row: what it is, the table, its columns by the names the documents give them (in SQL's spelling).
const documented = {
	'001-019': ['User', 'users', { id, email: 'text', name: 'text not null', avatar: 'text', password_hash: 'text', created_at: now, updated_at: now, preferences: words }],
	'001-020': ['Organization', 'workspaces', { id, name: 'text not null', slug: 'text not null', plan: state('free'), created_at: now, timezone: state('UTC') }],
	'001-021': ['ProjectMember', 'project_members', { user_id: 'uuid not null', project_id: 'uuid not null', role: 'text not null', joined_at: now }],
	'001-022': ['Project', 'projects', { id, name: 'text not null', description: text, slug: 'text not null', workspace_id: 'uuid not null', settings: words, created_at: now, updated_at: now, archived_at: time, owner_id: 'uuid' }],
	'001-023': ['Epic', 'epics', { id, project_id: 'uuid not null', title: 'text not null', description: text, status: state('draft'), priority: state('medium'), position: 'bigint not null', ai_generated: no, created_at: now, updated_at: now, version: 'integer not null 1' }],
	'001-024': ['Story', 'stories', { id, epic_id: 'uuid', project_id: 'uuid not null', title: 'text not null', description: text, acceptance_criteria: "jsonb not null '[]'::jsonb", status: state('backlog'), priority: state('medium'), position: 'bigint not null', estimate: 'double precision', confidence: 'smallint', assignee_id: 'uuid', ai_generated: no, ai_suggestions: 'jsonb', due_date: 'date', team_id: 'uuid', created_at: now, updated_at: now }],
	'001-025': ['Task', 'tasks', { id, story_id: 'uuid not null', project_id: 'uuid not null', title: 'text not null', description: text, status: state('todo'), estimate: 'double precision', position: 'bigint not null', assignee_id: 'uuid', ai_generated: no, created_at: now, updated_at: now }],
	'001-026': ['Sprint', 'sprints', { id, project_id: 'uuid not null', name: 'text not null', goal: text, start_date: 'date not null', end_date: 'date not null', status: state('planning'), capacity: words, created_at: now, updated_at: now }],
	'001-027': ['SprintItem', 'sprint_items', { sprint_id: 'uuid not null', story_id: 'uuid not null', added_at: now, completed_at: time, original_estimate: 'double precision', final_estimate: 'double precision' }],
	'001-028': ['Dependency', 'dependencies', { id, project_id: 'uuid not null', source_type: state('story'), source_id: 'uuid not null', target_type: state('story'), target_id: 'uuid not null', dependency_type: 'text not null', created_at: now }],
	// an event is named by its scope, revision and entity; the project is the scope
	'001-029': ['EventLog', 'events', { scope_id: 'uuid not null', rev: 'bigint not null', entity_type: 'text not null', entity_id: 'uuid not null', action: 'text not null', changes: 'jsonb not null', actor_id: 'uuid', ai_triggered: no, created_at: `${time} not null` }],
	'000-107': ['job', 'jobs', { queue: 'text not null', state: state('queued'), attempts: 'integer not null 0', error: 'text' }],
}
// Words a column may have, all of them.
const allowed = {
	'001-021': { role: ['owner', 'admin', 'member', 'viewer'] },
	'001-023': { status: ['draft', 'active', 'done'] },
	'001-024': { status: ['backlog', 'ready', 'in_progress', 'review', 'done'] },
	'001-025': { status: ['todo', 'in_progress', 'done'] },
	'001-026': { status: ['planning', 'active', 'completed'] },
	'001-028': { dependency_type: ['blocks', 'requires'] },
	'001-029': { action: ['created', 'updated', 'deleted', 'moved'] },
	'000-107': { queue: ['automation', 'notifications', 'cleanup', 'ai-low'] },
}
let t
before(async () => {
	t = await tenant({ roles: ['viewer'], stories: 2 })
	sql(`INSERT INTO project_members (workspace_id, project_id, user_id, role) VALUES (${lit(t.id)}, ${lit(t.project.id)}, ${lit(t.viewer.id)}, 'viewer');
	     INSERT INTO epics (workspace_id, project_id, title) VALUES (${lit(t.id)}, ${lit(t.project.id)}, 'E');
	     INSERT INTO tasks (workspace_id, project_id, story_id, title) VALUES (${lit(t.id)}, ${lit(t.project.id)}, ${lit(t.stories[0].id)}, 'T');
	     INSERT INTO sprints (workspace_id, project_id, name, start_date, end_date) VALUES (${lit(t.id)}, ${lit(t.project.id)}, 'S', '2026-01-01', '2026-01-14');
	     INSERT INTO dependencies (workspace_id, project_id, source_id, target_id, dependency_type) VALUES (${lit(t.id)}, ${lit(t.project.id)}, ${lit(t.stories[0].id)}, ${lit(t.stories[1].id)}, 'blocks');
	     INSERT INTO jobs (workspace_id, queue, kind, state) VALUES (${lit(t.id)}, 'automation', 'none', 'dead')`)
})

const columns = table => Object.fromEntries(rows(`
	SELECT a.attname AS name, concat_ws(' ', format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'not null' END, pg_get_expr(d.adbin, d.adrelid)) AS kind
	  FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
	 WHERE a.attrelid = ${lit(table)}::regclass AND a.attnum > 0 AND NOT a.attisdropped`).map(c => [c.name, c.kind]))

describe('the catalog', () => {
	for (const [row, [what, table, wanted]] of Object.entries(documented)) {
		test(`${row}: ${what} has the columns of the document, with their types and defaults`, () => {
			const found = columns(table)
			assert.deepEqual(Object.fromEntries(Object.keys(wanted).map(name => [name, found[name]])), wanted)
		})
		for (const [column, list] of Object.entries(allowed[row] ?? {}))
			test(`${row}: ${what}.${column} is ${list.join(', ')} and nothing else`, () => {
				const mine = `workspace_id = ${lit(t.id)}`
				// undone each time: a transaction may hold what must not stay
				const set = word => `BEGIN; SET LOCAL session_replication_role = replica; UPDATE ${table} SET ${column} = ${lit(word)} WHERE ${mine}; ROLLBACK`
				assert.notEqual(sql(`SELECT count(*) FROM ${table} WHERE ${mine}`), '0', 'there is a row to try it on')
				for (const word of list) sql(set(word))
				for (const word of ['', 'other', list[0].toUpperCase(), `${list[0]} `]) assert.match(sqlRefused(set(word)), /check constraint/, word)
			})
	}
	test('001-023: an epic is changed with its version, like every row people edit', () => {
		const editable = ['workspaces', 'projects', 'project_members', 'workspace_members', 'epics', 'stories', 'tasks', 'sprints', 'objectives', 'key_results', 'comments', 'labels', 'teams', 'webhooks']
		for (const table of editable) assert.equal(columns(table).version, 'integer not null 1', table)
	})
	test('001-024: a confidence of 101 is refused, by the table, too', () => {
		for (const bad of [101, -1]) assert.match(sqlRefused(`UPDATE stories SET confidence = ${bad} WHERE id = ${lit(t.stories[0].id)}`), /check constraint/)
		sql(`UPDATE stories SET confidence = 100 WHERE id = ${lit(t.stories[0].id)}`)
	})
	test('001-019: no document of the API has a password hash', async () => {
		const doc = await get('/api/v1/openapi.json')
		const named = []
		const look = (o, path) => {
			if (o && typeof o === 'object') for (const [key, value] of Object.entries(o)) {
				if (/hash/i.test(key)) named.push(`${path}/${key}`)
				look(value, `${path}/${key}`)
			}
		}
		look(doc.json.components.schemas, '')
		assert.deepEqual(named.filter(path => !/AuditEntry|AuditLog/.test(path)), []) // the audit log has hashes of its own
		for (const path of ['/api/v1/users/me', `${t.base}/members`, `${t.path}/members`, t.base, t.path]) {
			const { status, text } = await get(path, t.owner)
			assert.equal(status, 200, path)
			assert.doesNotMatch(text, /argon2|password_?hash/i, path)
		}
	})
})

describe('migrations', () => {
	const made = []
	let whole // the schema when every file was applied to nothing
	const folder = new URL('../../sql/migrations/', import.meta.url)
	const files = readdirSync(folder).sort()
	const on = name => DB.replace(/ ?dbname=\S+/, '') + ` dbname=${name}`
	const psql = (name, query) => execFileSync('psql', ['-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', on(name)], { input: query, encoding: 'utf8' }).trim()
	const ctl = (name, ...args) => execFileSync(`${BIN}/gnomonctl`, args, { encoding: 'utf8', env: { ...process.env, DATABASE_URL: on(name) } })
	const schema = name => execFileSync('pg_dump', ['--schema-only', '-d', on(name)], { encoding: 'utf8', maxBuffer: 1 << 26 }).replace(/^--.*$|^\\(un)?restrict.*$/gm, '')
	const create = what => {
		const name = `gnomon_catalog_${what}_${process.pid}`
		sql(`CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'`)
		made.push(name)
		return name
	}
	after(() => made.forEach(name => sql(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)))

	test('000-026, 001-009: from nothing each file is applied once, then there is nothing to do; the seed makes a demo workspace with everything off', () => {
		const name = create('empty')
		assert.deepEqual(ctl(name, 'migrate').match(/^applied .*$/gm), files.map(file => `applied ${file}`))
		assert.doesNotMatch(ctl(name, 'migrate'), /^applied/m)
		const told = psql(name, 'SELECT name, phase FROM migration_versions ORDER BY version').split('\n').map(line => line.split('|'))
		assert.deepEqual(told.map(([file]) => file), files)
		whole = schema(name)
		const file = `/tmp/${name}`
		writeFileSync(file, 'the sundial stands still\n')
		try {
			ctl(name, 'demo', '--password-file', file)
		} finally {
			rmSync(file)
		}
		const [workspaces, projects, stories, sprints] = psql(name, 'SELECT (SELECT count(*) FROM workspaces), (SELECT count(*) FROM projects), (SELECT count(*) FROM stories), (SELECT count(*) FROM sprints)').split('|').map(Number)
		assert.ok(workspaces >= 1 && projects >= 1 && stories > 50 && sprints > 2, `${workspaces} ${projects} ${stories} ${sprints}`)
		assert.equal(psql(name, 'SELECT count(*) FROM ai_workspace_policies WHERE enabled'), '0')
	})
	test('000-026: from the version before it comes to the same, with what was there', () => {
		const name = create('before')
		// the version before, as gnomonctl of then left it
		psql(name, `GRANT CREATE ON DATABASE ${name} TO gnomon_owner; ALTER SCHEMA public OWNER TO gnomon_owner; SET ROLE gnomon_owner; CREATE TABLE migration_versions (version integer PRIMARY KEY, name text NOT NULL,
			phase text NOT NULL DEFAULT 'expand' CHECK (phase IN ('expand', 'migrate', 'contract')), checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`)
		for (const file of files.slice(0, -1)) {
			execFileSync('psql', ['-Xq1', '-v', 'ON_ERROR_STOP=1', '-d', on(name), '-c', 'SET ROLE gnomon_owner', '-f', new URL(file, folder).pathname], { stdio: 'pipe', env: { ...process.env, PGOPTIONS: '-c client_min_messages=warning' } })
			execFileSync('psql', ['-Xq', '-v', 'ON_ERROR_STOP=1', '-d', on(name), '-v', `text=${execFileSync('cat', [new URL(file, folder).pathname], { encoding: 'utf8' })}`], {
				input: `SET ROLE gnomon_owner; INSERT INTO migration_versions (version, name, checksum) VALUES (${parseInt(file, 10)}, ${lit(file)}, md5(:'text'))` })
		}
		psql(name, `INSERT INTO workspaces (name, slug) VALUES ('Was there', 'was-there')`)
		assert.deepEqual(ctl(name, 'migrate').match(/^applied .*$/gm), [`applied ${files.at(-1)}`])
		const lines = text => text.split('\n').filter(Boolean).sort()
		assert.deepEqual(lines(schema(name)), lines(whole))
		assert.equal(psql(name, `SELECT (SELECT count(*) FROM workspaces WHERE slug = 'was-there'), (SELECT count(*) FROM ai_workspace_policies WHERE enabled) + (SELECT count(*) FROM agent_configs WHERE enabled)`), '1|0')
	})
	test('003-017: migration_versions has a row a migration, with its phase: expand, migrate or contract', () => {
		const found = rows('SELECT version, name, phase, length(checksum) AS sum, applied_at IS NOT NULL AS dated FROM migration_versions ORDER BY version')
		assert.deepEqual(found.map(m => m.name), files)
		for (const m of found) {
			assert.equal(m.version, parseInt(m.name, 10))
			assert.ok(['expand', 'migrate', 'contract'].includes(m.phase) && m.sum === 32 && m.dated, JSON.stringify(m))
		}
		assert.match(sqlRefused(`UPDATE migration_versions SET phase = 'other'`), /check constraint/)
	})
})

test('a new workspace has everything off', async () => {
	const made = await ok(post('/api/v1/workspaces', { ...t.owner, json: { name: 'Off', slug: `off-${t.slug}`.slice(0, 60) } }), 201)
	assert.equal(sql(`SELECT (SELECT count(*) FROM ai_workspace_policies WHERE workspace_id = ${lit(made.id)} AND enabled),
		(SELECT count(*) FROM agent_configs WHERE workspace_id = ${lit(made.id)}) > 0, (SELECT count(*) FROM agent_configs WHERE workspace_id = ${lit(made.id)} AND enabled)`), '0|t|0')
})
