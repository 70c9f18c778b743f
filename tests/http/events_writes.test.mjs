// Change detection on every write path: the table of routes, walked. Whatever a
// write through an endpoint changed of a tracked row is in the history, and
// nothing else is.
import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { before, describe, test } from 'node:test'
import { assert, BIN, call, lit, newKey, newUser, ok, post, rows, unique } from './lib.mjs'

const nouns = await Promise.all(readdirSync(new URL('walk', import.meta.url)).map(file => import(`./walk/${file}`)))
const bodies = Object.assign({}, ...nouns.map(noun => noun.bodies))
const routes = execFileSync(`${BIN}/gnomonctl`, ['routes'], { encoding: 'utf8' }).trim().split('\n')
	.map(line => line.split(/\s+/)).map(([method, path, role, name]) => ({ method, path, role, name }))
	.filter(r => r.method !== 'GET' && r.path.startsWith('/api/') && /\{(ws|project)\}/.test(r.path))

// The tables whose rows have a history, and the columns that are in it: what
// follows from a change (version, updated_at, a story's count of tasks) and what is never changed is not.
const tracked = rows(`SELECT c.relname AS name, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) AS columns
	  FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
	 WHERE g.tgname = 'track_insert' AND a.attname NOT IN ('version', 'updated_at', 'task_count', 'task_done_count')
	 GROUP BY c.relname ORDER BY 1`)
const look = t => new Map(rows(tracked.map(({ name, columns }) =>
	`SELECT id, md5(ROW(${columns})::text) AS state FROM ${name} WHERE workspace_id = ${lit(t.id)}`).join(' UNION ALL ')).map(r => [r.id, r.state]))
const events = t => rows(`SELECT scope_id, rev, entity_id, entity_type, action, changes, actor_id, transaction FROM events WHERE workspace_id = ${lit(t.id)} ORDER BY created_at, scope_id, rev`)

let owner
const gives = new Map() // what can be named in an address, by the noun that makes it
before(async () => {
	owner = await newUser('Olga Owner')
	const t = await fresh()
	for (const noun of nouns) gives.set(noun, Object.keys(await noun.make(t)))
})
/** The nouns a route's address and body need; making all of them for each would take minutes. */
const needed = route => nouns.filter(noun => noun.bodies?.[route.name] || gives.get(noun).some(name => route.path.includes(`{${name}}`)))
/** A workspace as tenant() makes it, of one and the same owner: quicker by a password's hash. */
async function fresh() {
	const slug = `w-${unique()}`
	const { id } = await ok(post('/api/v1/workspaces', { ...owner, json: { name: 'Writes', slug } }), 201)
	const t = { owner, slug, id, base: `/api/v1/workspaces/${slug}` }
	t.project = await ok(post(`${t.base}/projects`, { ...owner, json: { key: newKey(), name: 'Writes' } }), 201)
	t.path = `/api/v1/projects/${t.project.id}`
	t.stories = []
	for (const title of ['One', 'Two']) t.stories.push(await ok(post(`${t.path}/stories`, { ...owner, json: { title } }), 201))
	return t
}

describe('001-082: a write through each endpoint leaves the events of what it changed', () => {
	assert.ok(tracked.length >= 8, JSON.stringify(tracked.map(x => x.name)))
	let succeeded = 0, changes = 0
	for (const route of routes)
		test(`${route.method} ${route.path}`, async () => {
			const t = await fresh()
			const values = Object.assign({}, ...await Promise.all(needed(route).map(noun => noun.make(t))))
			const path = route.path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(values[name].id))
			const [was, known] = [look(t), events(t).length]
			const r = await call(route.method, path, { ...t.owner, json: bodies[route.name]() })
			assert.ok(r.status < 500, `${r.status} ${r.text.slice(0, 300)}`)
			const after = look(t)
			const changed = [...after].filter(([id, state]) => was.get(id) !== state).map(([id]) => id)
			assert.deepEqual([...was.keys()].filter(id => !after.has(id)), [], 'a row with a history is gone')
			const all = events(t).slice(known)
			const left = all.filter(e => e.actor_id !== null)
			const others = all.filter(e => e.actor_id === null).map(e => e.entity_id) // a worker's, meanwhile
			assert.deepEqual([...new Set(left.map(e => e.entity_id))].sort(), changed.filter(id => !others.includes(id)).sort(), `${r.status} ${JSON.stringify(left)}`)
			for (const e of left) {
				assert.ok(Object.values(e.changes).every(c => Array.isArray(c) && c.length === 2 && JSON.stringify(c[0]) !== JSON.stringify(c[1])), JSON.stringify(e.changes))
				assert.equal(e.action === 'created', !was.has(e.entity_id))
				assert.equal(e.actor_id, t.owner.id)
			}
			if (r.status >= 400) assert.deepEqual(left, [])
			succeeded += r.status < 300
			changes += changed.length
		})
	test('and that was not about nothing', () => {
		assert.ok(succeeded > routes.length / 2, `${succeeded} of ${routes.length} writes succeeded`)
		assert.ok(changes >= 5, `${changes} rows changed`)
	})
})
