// A whole workspace out and in again: the same content, the same digest, the
// same history; nothing secret, and no table forgotten.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { assert, BIN, DB, insights, lit, newUser, ok, patch, post, rows, signIn, sprint, sql, tenant, unique } from '../http/lib.mjs'

const folder = mkdtempSync(join(tmpdir(), 'gnomon-export-'))
after(() => rmSync(folder, { recursive: true }))
const file = name => join(folder, name)
const gnomonctl = (args, url = DB) => {
	try {
		return { out: execFileSync(`${BIN}/gnomonctl`, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, DATABASE_URL: url } }), code: 0 }
	} catch (error) {
		return { out: error.stdout + error.stderr, code: error.status }
	}
}
const done = (args, url) => {
	const { out, code } = gnomonctl(args, url)
	assert.equal(code, 0, out)
	return out
}
/** Exports; the digest. */
const exported = (slug, name, url) => /^[0-9a-f]{64}$/m.exec(done(['export', '--workspace', slug, file(name)], url))[0]
const imported = (slug, name, url) => done(['import', '--workspace', slug, file(name)], url)
const lines = name => readFileSync(file(name), 'utf8').trimEnd().split('\n')

// Every table of a workspace, and whether it travels. A new one must be named here
// or in gnomon.left_out(), with its reason.
const travels = ['agent_configs', 'agent_insights', 'agent_packets', 'agent_run_periods', 'agent_runs', 'ai_feature_settings', 'ai_ledger', 'ai_policy_settings',
	'ai_refusals', 'ai_reservations', 'ai_runs', 'ai_usage_daily', 'ai_usage_split', 'ai_workspace_policies', 'audit_log', 'burndown_snapshots', 'check_ins', 'comment_mentions', 'comments', 'counters', 'dependencies', 'epics', 'events',
	'insight_sightings', 'key_results', 'labels', 'metrics_daily', 'notification_preferences', 'notifications', 'objectives', 'project_members', 'projects', 'revisions', 'saved_filters',
	'sprint_items', 'sprints', 'stories', 'story_labels', 'story_sources', 'story_tallies', 'tasks', 'team_members', 'teams', 'watchers', 'workspace_members']

/** Waits until the worker has told everything that happened: it writes notifications. */
async function quiet(slug) {
	for (let i = 0; i < 300; i++) {
		if (sql(`SELECT count(*) FROM events e JOIN workspaces w ON w.id = e.workspace_id LEFT JOIN event_cursors c USING (workspace_id, scope_id)
			WHERE w.slug = ${lit(slug)} AND e.rev > coalesce(c.rev, 0)`) === '0') return
		await new Promise(r => setTimeout(r, 100))
	}
	assert.fail(`the events of ${slug} are not all told`)
}

let t
const copy = `copy-${unique()}`

before(async () => {
	t = await tenant({ roles: ['member', 'admin'], stories: 5 })
	insights(t)
	sprint(t)
	const [one, two] = t.stories
	await ok(patch(`${t.path}/stories/${one.id}`, { ...t.owner, json: { version: 1, status: 'done', assigneeId: t.member.id, title: 'Ünï “quoted” \\ , {"r": 1, "t": "stories"}' } }))
	await ok(patch(`${t.path}/stories/${two.id}`, { ...t.member, json: { version: 1, description: `See ${t.project.id} and ${t.id}.\n\t\u2028` } }))
	const other = await ok(post(`${t.base}/projects`, { ...t.owner, json: { key: `Z${unique().slice(0, 6).toUpperCase()}`, name: 'Second' } }), 201)
	await ok(post(`/api/v1/projects/${other.id}/stories`, { ...t.owner, json: { title: 'There' } }), 201)
	sql(`UPDATE sprints SET capacity = jsonb_build_object(${lit(t.member.id)}, 12.5) WHERE workspace_id = ${lit(t.id)};
	     INSERT INTO story_sources VALUES (${lit(t.id)}, ${lit(t.project.id)}, 'X-1', ${lit(one.id)});
	     INSERT INTO dependencies (workspace_id, project_id, source_id, target_id, dependency_type)
	     VALUES (${lit(t.id)}, ${lit(t.project.id)}, ${lit(one.id)}, ${lit(two.id)}, 'blocks');
	     SELECT set_config('gnomon.workspace', ${lit(t.id)}, false), set_config('gnomon.actor', ${lit(t.owner.id)}, false), gnomon.audit('test', 'story', ${lit(one.id)}, '{"a": [1, 2]}');
	     SELECT gnomon.audit('test', 'story', NULL)`)
	await Promise.all([quiet(t.slug), quiet('acme')])
})

describe('out, in, out', () => {
	test('a copy in the same installation has the identical digest', () => {
		const digest = exported(t.slug, 'a')
		assert.equal(exported(t.slug, 'again'), digest)
		assert.match(imported(copy, 'a'), /^Imported \d+ rows into the workspace copy-/)
		assert.equal(exported(copy, 'b'), digest)
		const content = name => lines(name).filter(line => /^\{"(r|people)":/.test(line))
		assert.deepEqual(content('b'), content('a'))
		assert.deepEqual(statSync(file('a')).mode & 0o077, 0)
	})
	test('and so has the demo, with half a year of history', () => {
		const digest = exported('acme', 'demo')
		imported(`demo-${unique()}`, 'demo')
		const name = sql(`SELECT slug FROM workspaces WHERE slug LIKE 'demo-%' ORDER BY created_at DESC LIMIT 1`)
		assert.equal(exported(name, 'demo2'), digest)
		assert.ok(lines('demo').length > 1000)
	})
	test('in another installation, too, where ids are kept', () => {
		const name = `other_${unique()}`
		sql(`CREATE DATABASE ${name}`)
		const url = /dbname=/.test(DB) ? DB.replace(/dbname=\S+/, `dbname=${name}`) : DB.replace(/\/[^/?]*(\?|$)/, `/${name}$1`)
		try {
			done(['migrate'], url)
			const digest = exported(t.slug, 'a')
			imported('moved', 'a', url)
			assert.equal(exported('moved', 'c', url), digest)
			const ids = n => lines(n).filter(l => l.startsWith('{"stand"')).map(l => JSON.parse(l)).filter(l => l.kind !== 'workspace')
			assert.deepEqual(ids('c'), ids('a'))
		} finally {
			sql(`DROP DATABASE ${name}`)
		}
	})
	test('the copy has its own ids, its people are found by address, and nothing of it points back', () => {
		const [there] = rows(`SELECT id, name, timezone FROM workspaces WHERE slug = ${lit(copy)}`)
		assert.notEqual(there.id, t.id)
		assert.equal(sql(`SELECT count(*) FROM projects WHERE workspace_id = ${lit(there.id)} AND id IN (SELECT id FROM projects WHERE workspace_id = ${lit(t.id)})`), '0')
		assert.equal(sql(`SELECT string_agg(user_id::text, ',' ORDER BY user_id) FROM workspace_members WHERE workspace_id = ${lit(there.id)}`),
			sql(`SELECT string_agg(user_id::text, ',' ORDER BY user_id) FROM workspace_members WHERE workspace_id = ${lit(t.id)}`))
		const [story] = rows(`SELECT s.description, p.id FROM stories s JOIN projects p ON p.id = s.project_id WHERE s.workspace_id = ${lit(there.id)} AND s.number = 2 AND p.key = ${lit(t.project.key)}`)
		assert.equal(story.description, `See ${story.id} and ${there.id}.\n\t\u2028`)
	})
	test('what is in the copy is found, and is no news to anybody', () => {
		const entries = slug => sql(`SELECT count(*) FROM search_entries e JOIN workspaces w ON w.id = e.workspace_id WHERE w.slug = ${lit(slug)}`)
		assert.notEqual(entries(t.slug), '0')
		assert.equal(entries(copy), entries(t.slug))
		assert.equal(sql(`SELECT count(*) FROM revisions r JOIN workspaces w ON w.id = r.workspace_id LEFT JOIN event_cursors c USING (workspace_id, scope_id)
			WHERE w.slug = ${lit(copy)} AND c.rev IS DISTINCT FROM r.rev`), '0')
	})
	test('history travels: as of each revision the copy is what the original was', () => {
		const looked = (slug, rev) => sql(`SELECT set_config('gnomon.workspace', w.id::text, false), set_config('gnomon.project', p.id::text, false), set_config('gnomon.as_of_rev', '${rev}', false)
			  FROM workspaces w JOIN projects p ON p.workspace_id = w.id AND p.key = ${lit(t.project.key)} WHERE w.slug = ${lit(slug)} \\g /dev/null
			SELECT md5(string_agg(concat_ws('|', s.id, s.title, s.status, s.assignee_id, s.version, s.updated_at), ';' ORDER BY s.id)) FROM asof.stories s WHERE s.project_id = gnomon.project()`)
		const newest = Number(sql(`SELECT rev FROM revisions WHERE scope_id = ${lit(t.project.id)}`))
		assert.ok(newest > 8)
		for (let rev = 1; rev <= newest; rev++) assert.equal(looked(copy, rev), looked(t.slug, rev), `revision ${rev}`)
	})
	test('the copy lives: its numbers and revisions go on, its audit log is a chain', async () => {
		const owner = { ...await signIn(t.owner.email) }
		const path = `/api/v1/workspaces/${copy}/projects`
		const [{ id }] = rows(`SELECT p.id FROM projects p JOIN workspaces w ON w.id = p.workspace_id WHERE w.slug = ${lit(copy)} AND p.key = ${lit(t.project.key)}`)
		const before_ = Number(sql(`SELECT rev FROM revisions WHERE scope_id = ${lit(id)}`))
		const made = await ok(post(`/api/v1/projects/${id}/stories`, { ...owner, json: { title: 'After the move' } }), 201)
		assert.equal(made.number, 6)
		assert.equal(Number(sql(`SELECT rev FROM revisions WHERE scope_id = ${lit(id)}`)), before_ + 1)
		await ok(post(path, { ...owner, json: { key: 'NEWONE', name: 'New' } }), 201)
		assert.match(done(['audit', 'verify', '--workspace', copy]), new RegExp(`^ok +${copy}: \\d+ entries`))
	})
	test('somebody unknown here becomes an account without a password', async () => {
		const gone = await newUser('Gil Gone')
		sql(`INSERT INTO workspace_members (workspace_id, user_id, role) VALUES (${lit(t.id)}, ${lit(gone.id)}, 'viewer')`)
		exported(t.slug, 'gone')
		sql(`DELETE FROM workspace_members WHERE user_id = ${lit(gone.id)} AND workspace_id = ${lit(t.id)}; UPDATE users SET email = ${lit(`moved-${gone.email}`)} WHERE id = ${lit(gone.id)}`)
		const slug = `gone-${unique()}`
		imported(slug, 'gone')
		const [{ id, name, password_hash: hash }] = rows(`SELECT id, name, password_hash FROM users WHERE email = ${lit(gone.email)}`)
		assert.notEqual(id, gone.id)
		assert.deepEqual([name, hash], ['Gil Gone', null])
		assert.equal(sql(`SELECT role FROM workspace_members m JOIN workspaces w ON w.id = m.workspace_id WHERE w.slug = ${lit(slug)} AND user_id = ${lit(id)}`), 'viewer')
	})
})

describe('what is refused, and leaves nothing', () => {
	const refusedWith = (name, slug, message) => {
		const { out, code } = gnomonctl(['import', '--workspace', slug, file(name)])
		assert.notEqual(code, 0)
		assert.match(out, message)
	}
	const altered = (name, change) => writeFileSync(file(name), change(lines('a')).join('\n') + '\n')
	test('a workspace in which somebody works', () => {
		const was = sql(`SELECT count(*) FROM events WHERE workspace_id = ${lit(t.id)}`)
		refusedWith('a', t.slug, /is not empty: it has /)
		assert.equal(sql(`SELECT count(*) FROM events WHERE workspace_id = ${lit(t.id)}`), was)
	})
	const broken = [
		['changed', l => l.map(x => x.replace('"Story 3"', '"Story 33"')), /is not what its digest says/],
		['short', l => l.slice(0, -1), /it was cut off/],
		['fewer', l => l.filter((_, i) => i !== l.length - 3), /is not what its digest says/],
		['longer', l => [...l, l.at(-2)], /something stands after the end/],
		['foreign', l => ['{"hello": "world"}', ...l.slice(1)], /no export of a workspace/],
		['empty', () => [''], /no export of a workspace/],
	]
	for (const [name, change, message] of broken)
		test(`a file that is ${name}`, () => {
			altered(name, change)
			refusedWith(name, `never-${name}`, message)
			assert.equal(sql(`SELECT count(*) FROM workspaces WHERE slug = 'never-${name}'`), '0')
		})
	test('a workspace that is not there', () => {
		const { out, code } = gnomonctl(['export', '--workspace', 'no-such', file('none')])
		assert.notEqual(code, 0)
		assert.match(out, /There is no workspace no-such\./)
	})
	test('any running role', () => {
		for (const role of ['gnomon_web', 'gnomon_worker', 'gnomon_stream'])
			for (const { f } of rows(`SELECT oid::regprocedure::text AS f FROM pg_proc WHERE pronamespace = 'gnomon'::regnamespace AND proname ~ '^(export|import)_(begin|stage|page|names|id|rows|end|tables|columns)$'`))
				assert.equal(sql(`SELECT has_function_privilege('${role}', '${f}', 'EXECUTE')`), 'f', `${role} ${f}`)
	})
})

describe('the catalog', () => {
	const tables = rows(`SELECT c.relname AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'workspace_id' AND NOT a.attisdropped
		WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition`).map(r => r.name)
	const out = rows('SELECT name, field, reason FROM gnomon.left_out()')
	test('every table of a workspace travels or is left out with its reason', () => {
		const left = out.filter(o => !o.field).map(o => o.name)
		assert.deepEqual(tables.filter(name => !travels.includes(name) && !left.includes(name)), [])
		assert.deepEqual(travels.filter(name => left.includes(name)), [])
		for (const o of out) assert.ok(o.reason.length > 10)
		assert.deepEqual(rows('SELECT name FROM gnomon.export_tables()').map(r => r.name).filter(name => name !== 'workspaces').sort(),
			tables.filter(name => !left.includes(name)).sort())
	})
	test('nothing that looks like a secret travels', () => {
		const columns = rows(`SELECT e.name || '.' || c.name AS name, c.type::text AS type FROM gnomon.export_tables() e CROSS JOIN LATERAL gnomon.export_columns(e.name) c`)
		assert.deepEqual(columns.filter(c => c.type === 'bytea' || /password|secret|hash|(^|\.|_)token$/.test(c.name)).map(c => c.name), [])
		const text = readFileSync(file('a'), 'utf8')
		for (const { password_hash: hash } of rows(`SELECT password_hash FROM users WHERE id = ${lit(t.owner.id)}`)) assert.ok(!text.includes(hash))
		assert.ok(lines('a')[0].includes('"idempotency_keys": "'))
	})
})
