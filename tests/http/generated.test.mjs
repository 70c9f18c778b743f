// Tests made from what the API says of itself: each route with a body is sent
// wrong values, each list is walked, sorted and filtered, every refusal has its
// one shape. A route that is added is in here by itself.
import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { before, describe, test } from 'node:test'
import { assert, BIN, browser, call, get, insights, lit, newUser, join, ok, pointers, refused, sql, state, tenant } from './lib.mjs'

const nouns = await Promise.all(readdirSync(new URL('walk', import.meta.url)).map(file => import(`./walk/${file}`)))
const bodies = Object.assign({}, ...nouns.map(noun => noun.bodies))
const doc = await ok(get('/api/v1/openapi.json'))
const resolve = o => (o?.$ref ? resolve(o.$ref.slice(2).split('/').reduce((at, key) => at[key], doc)) : o)
const operations = Object.entries(doc.paths).flatMap(([path, item]) => Object.entries(item).map(([method, o]) => ({
	...o, path, method: method.toUpperCase(), title: `${method.toUpperCase()} ${path}`,
	queries: (o.parameters ?? []).map(resolve).filter(p => p.in === 'query'),
	body: resolve(o.requestBody?.content?.['application/json']?.schema),
})))
let t, values
const fill = path => path.replace(/\{(\w+)\}/g, (_, name) => {
	assert.ok(values[name], `walk/ knows no value for {${name}}`)
	return encodeURIComponent(values[name].id)
})

before(async () => {
	t = await tenant({ roles: ['member', 'viewer'], stories: 4 })
	values = Object.assign({}, ...await Promise.all(nouns.map(noun => noun.make(t))))
})

test('001-162: every address of the API begins with /api/v1, but those of probes', () => {
	assert.deepEqual(operations.map(o => o.path).filter(path => !path.startsWith('/api/v1/')).sort(), ['/health', '/metrics', '/ready'])
	const keyed = operations.filter(o => o.method === 'POST' && /\{(ws|project)\}/.test(o.path)).filter(o => !o.parameters.map(resolve).some(p => p.name === 'Idempotency-Key'))
	// what shows a secret once keeps no copy of its answer
	assert.deepEqual(keyed.map(o => o.operationId).sort(), ['create_webhook', 'import_stories_csv', 'rotate_webhook_secret'])
})

// ---- 001-131: what is wrong is refused, by name, and changes nothing

/** The types a schema allows, through $ref and alternatives; empty: any. */
function types(schema) {
	const s = resolve(schema)
	if (!s || typeof s !== 'object') return []
	if (s.type) return [s.type].flat()
	if (s.enum) return [...new Set(s.enum.map(v => (v === null ? 'null' : typeof v)))]
	if ('const' in s) return [s.const === null ? 'null' : typeof s.const]
	return [...s.anyOf ?? [], ...s.oneOf ?? []].flatMap(types)
}
const samples = { object: { wrong: 'type' }, array: [{ wrong: 'type' }], boolean: true, number: 1.5, string: 'wrong', null: null }
/** Values of types the schema does not allow. */
const ofOtherTypes = schema => {
	const allowed = types(schema)
	if (!allowed.length) return []
	return Object.entries(samples).filter(([type]) => !allowed.includes(type)).map(([, value]) => value)
}
/** Values beyond the schema's bounds. */
const tooMuch = schema => {
	const s = resolve(schema)
	const found = []
	for (const one of [s, ...s.anyOf ?? [], ...s.oneOf ?? []].map(resolve)) {
		if (one.maxLength !== undefined) found.push('x'.repeat(one.maxLength + 1))
		if (one.maxItems !== undefined) found.push(Array(one.maxItems + 1).fill('x'))
		if (one.maximum !== undefined) found.push(one.maximum + 1)
		if (one.minimum !== undefined) found.push(one.minimum - 1)
	}
	return found
}

describe('001-131: wrong type, oversize and unknown field are 422 and change nothing', () => {
	const told = { fields: 0, values: 0 }
	for (const o of operations.filter(x => x.body && Object.keys(x.body.properties ?? {}).length))
		test(o.title, async () => {
			const good = bodies[o.operationId]?.() ?? {}
			const was = state(t)
			const send = json => call(o.method, fill(o.path), { token: o.security.length ? t.owner.token : undefined, json })
			const unknown = await refused(send({ ...good, noSuchField: 1 }), 422, 'validation_failed')
			assert.ok(pointers(unknown).includes('/noSuchField'), `unknown field: ${pointers(unknown)}`)
			for (const [name, schema] of Object.entries(o.body.properties)) {
				told.fields++
				for (const value of [...ofOtherTypes(schema), ...tooMuch(schema)]) {
					told.values++
					const what = `${name} = ${JSON.stringify(value)?.slice(0, 60)}`
					const r = await send({ ...good, [name]: value })
					assert.equal(r.status, 422, `${what}: ${r.status} ${r.text.slice(0, 300)}`)
					const error = await refused(r, 422, 'validation_failed')
					assert.ok(pointers(error).some(p => p === `/${name}` || p.startsWith(`/${name}/`)), `${what}: ${pointers(error)}`)
				}
			}
			assert.equal(state(t), was)
		})
	for (const o of operations.filter(x => x.queries.length))
		test(`${o.title}, its query`, async () => {
			const ask = (name, value) => call(o.method, `${fill(o.path)}?${name}=${encodeURIComponent(value)}`, { token: o.security.length ? t.owner.token : undefined })
			const error = await refused(ask('noSuchParameter', '1'), 422, 'validation_failed')
			assert.deepEqual(pointers(error), ['?noSuchParameter'])
			for (const p of o.queries) {
				const schema = resolve(p.schema)
				const item = resolve(schema.items) ?? schema
				const wrong = []
				if (item.enum) wrong.push('no-such-word')
				if (types(item).includes('integer')) wrong.push('x', '1.5', ...tooMuch(item).map(String))
				if (types(item).includes('boolean')) wrong.push('maybe')
				if (item.format === 'uuid' && types(item).length === 1) wrong.push('x')
				if (item.format === 'date') wrong.push('x', '2026-02-30')
				if (item.maxLength !== undefined && !item.enum && !item.format) wrong.push('x'.repeat(item.maxLength + 1))
				for (const value of wrong) {
					told.values++
					const e = await refused(ask(p.name, value), 422, 'validation_failed')
					assert.deepEqual(pointers(e), [p.name], `${p.name}=${value.slice(0, 40)}`)
				}
			}
		})
	test('and those were many', () => assert.ok(told.fields > 100 && told.values > 600, JSON.stringify(told)))
})

// ---- lists

const lists = operations.filter(o => o.method === 'GET' && o.queries.some(p => p.name === 'cursor'))

/** So much that each list has several rows: what can be made by POST is, the rest by SQL. */
async function plenty() {
	for (const o of operations.filter(x => x.method === 'POST' && lists.some(list => list.path === x.path) && bodies[x.operationId]))
		for (let i = 0; i < 3; i++) {
			const text = JSON.stringify(bodies[o.operationId]()).replaceAll('Walked', `Walked ${i}`)
			await call('POST', fill(o.path), { ...t.owner, json: JSON.parse(text) }) // some refuse: what they refer to is none
		}
	for (let i = 0; i < 3; i++) {
		join(t.id, await newUser(`Walked Person ${i}`), 'viewer')
		insights(t, 1, { title: `Walked ${i}`, severity: ['low', 'high', 'critical'][i] })
	}
	const [ws, project] = [lit(t.id), lit(t.project.id)]
	const [one, ...others] = t.stories.map(s => lit(s.id))
	sql(`INSERT INTO jobs (workspace_id, queue, kind, state) SELECT ${ws}, q, 'test:walked', 'dead' FROM unnest('{automation,cleanup,ai-low}'::text[]) q;
	     INSERT INTO notifications (workspace_id, user_id, kind, title, entity_type, entity_id) SELECT ${ws}, ${lit(t.owner.id)}, 'assigned', 'Walked', 'story', id FROM unnest(ARRAY[${others}]::uuid[]) id;
	     INSERT INTO webhook_deliveries (workspace_id, webhook_id, event_type, payload, next_try, state) SELECT ${ws}, ${lit(values.webhook.id)}, 'story.moved', '{}', NULL, 'delivered' FROM generate_series(1, 3);
	     INSERT INTO tasks (workspace_id, project_id, story_id, title) SELECT ${ws}, ${project}, ${one}, 'Walked' FROM generate_series(1, 3);
	     INSERT INTO invitations (workspace_id, email, role, invited_by, sent_at) SELECT ${ws}, 'walked-' || g || '@example.org', 'viewer', ${lit(t.owner.id)}, now() FROM generate_series(1, 3) g;
	     INSERT INTO dependencies (workspace_id, project_id, source_id, target_id, dependency_type) VALUES (${ws}, ${project}, ${others[0]}, ${others[1]}, 'blocks'), (${ws}, ${project}, ${others[1]}, ${others[2]}, 'requires');
	     INSERT INTO watchers (workspace_id, user_id, entity_type, entity_id) SELECT ${ws}, m.user_id, e.type, e.id FROM workspace_members m,
	       (VALUES ('story', ${lit(values.story?.id ?? t.stories[0].id)}::uuid), ('epic', ${lit(values.epic.id)}), ('sprint', ${lit(values.sprint.id)}), ('objective', ${lit(values.objective.id)})) e (type, id)
	       WHERE m.workspace_id = ${ws} ON CONFLICT DO NOTHING`)
	for (let version = 1; version < 4; version++) await call('PATCH', `${t.path}/stories/${t.stories[0].id}`, { ...t.owner, json: { version, title: `Walked ${version}` } })
	for (let i = 0; i < 3; i++) await call('POST', '/api/v1/workspaces', { ...t.owner, json: bodies.create_workspace() })
}
// what a list must be asked with, to have rows
const needs = { search_workspace: 'q=walked' }

describe('lists', () => {
	before(plenty)
	const at = (o, query) => `${fill(o.path)}?${[needs[o.operationId], query].filter(Boolean).join('&')}`
	const page = (o, query = '') => ok(get(at(o, query), t.owner))
	const enumOf = (o, name) => {
		const schema = resolve(o.queries.find(p => p.name === name)?.schema)
		return (resolve(schema?.items) ?? schema)?.enum ?? []
	}
	const told = { orders: 0, filters: 0 }

	for (const o of lists) {
		test(`001-141, 003-010: ${o.title}: limit and cursor give each row once, forth and back`, async () => {
			const { items: all, next } = await page(o, 'limit=200')
			assert.ok(all.length >= 2, `${all.length} rows: plenty() must make some`)
			assert.equal(next, null)
			const forth = []
			let p = await page(o, 'limit=1')
			assert.equal(p.previous, null)
			for (;;) {
				assert.equal(p.items.length, 1)
				forth.push(...p.items)
				if (!p.next || forth.length > all.length) break
				p = await page(o, `limit=1&cursor=${encodeURIComponent(p.next)}`)
			}
			assert.equal(forth.length, all.length)
			const ids = list => list.map(x => JSON.stringify(x.id ?? x.revision ?? x))
			assert.deepEqual(ids(forth), ids(all))
			const back = await page(o, `limit=1&cursor=${encodeURIComponent(p.previous)}`)
			assert.deepEqual(ids(back.items), ids(all.slice(-2, -1)))
		})
		test(`001-160: ${o.title}: each order is one, and may be named sort=field:direction`, async () => {
			const orders = enumOf(o, 'order'), sorts = enumOf(o, 'sort')
			assert.ok(orders.length && sorts.length, 'a list has an order')
			const known = (await page(o, `limit=200&order=${orders[0]}`)).items.length
			for (const order of orders) {
				const { items } = await page(o, `limit=200&order=${order}`)
				assert.equal(items.length, known, order)
				told.orders++
			}
			for (const sort of sorts) {
				const [field, direction = 'asc'] = sort.split(':')
				const { items } = await page(o, `limit=200&sort=${sort}`)
				assert.equal(items.length, known, sort)
				const seen = items.map(x => x[field]).filter(v => v !== null && v !== undefined)
				if (seen.length !== items.length || !['number', 'string'].includes(typeof seen[0]) || enumOf(o, field).length) continue
				// names are in the order people expect, capitals or not
				const by = (x, y) => (typeof x === 'number' ? x - y : x.toLowerCase() < y.toLowerCase() ? -1 : x.toLowerCase() > y.toLowerCase() ? 1 : 0)
				const sorted = [...seen].sort((x, y) => (direction === 'desc' ? by(y, x) : by(x, y)))
				assert.deepEqual(seen.map(v => v.toString().toLowerCase()), sorted.map(v => v.toString().toLowerCase()), sort)
			}
			await refused(get(at(o, 'order=no_such_order'), t.owner), 422, 'validation_failed')
			await refused(get(at(o, 'sort=no_such_field:asc'), t.owner), 422, 'validation_failed')
		})
		const choices = o.queries.filter(p => !['order', 'sort', 'limit', 'cursor', 'group'].includes(p.name) && enumOf(o, p.name).length)
		if (choices.length)
			test(`001-160: ${o.title}: ${choices.map(p => p.name).join(', ')} choose rows`, async () => {
				const { items: all } = await page(o, 'limit=200')
				for (const { name } of choices) {
					const has = all.every(x => name in x)
					for (const word of enumOf(o, name)) {
						const { items } = await page(o, `limit=200&${name}=${word}`)
						told.filters++
						if (has) assert.deepEqual(items.map(x => x.id), all.filter(x => x[name] === word).map(x => x.id), `${name}=${word}`)
						else assert.ok(items.length <= all.length, `${name}=${word}`)
					}
				}
			})
	}
	test('and those were many', () => {
		assert.ok(lists.length >= 25, `${lists.length} lists`)
		assert.ok(told.orders > 40 && told.filters > 40, JSON.stringify(told))
	})
})

// ---- 001-133: whatever people write is text on every page

describe('001-133: a script in every text the API takes', () => {
	const long = `<script>alert(1)</script><img src=x onerror=alert(2)>"'><svg/onload=alert(3)>{{{me.csrf}}}`
	const short = '<script>alert(1)</script>'
	const not = /^(email|password|newPassword|slug|key|token|refreshToken|code|ticket|url|timezone|query|avatar|scheduleCron)$/
	/** The body with a script in each text that takes one; how many did. */
	const poisoned = o => {
		const json = { ...bodies[o.operationId]() }
		let n = 0
		for (const [name, schema] of Object.entries(o.body.properties)) {
			const s = resolve(schema)
			const item = resolve(s.items)
			const free = x => x && types(x).includes('string') && !x.enum && !x.format && (!x.pattern || x.pattern === '\\S')
			const text = x => ((x.maxLength ?? 1e6) >= long.length ? long : (x.maxLength ?? 1e6) >= short.length ? short : undefined)
			if (not.test(name)) continue
			if (free(s) && text(s)) json[name] = text(s)
			else if (item && free(item) && text(item)) json[name] = [text(item)]
			else continue
			n++
		}
		return { json, n }
	}
	let cookie, fields = 0
	before(async () => {
		for (const o of operations.filter(x => x.body?.properties && /\{(ws|project)\}|users\/me$/.test(x.path) && ['POST', 'PATCH', 'PUT'].includes(x.method) && bodies[x.operationId])) {
			const { json, n } = poisoned(o)
			if (!n) continue
			let r = await call(o.method, fill(o.path), { ...t.owner, json })
			// a row that was changed before says which version it has
			if (r.status === 409 && r.json.error.details?.current?.version) r = await call(o.method, fill(o.path), { ...t.owner, json: { ...json, version: r.json.error.details.current.version } })
			if (r.status < 300) fields += n
		}
		cookie = await browser(t.owner)
	})
	const pages = execFileSync(`${BIN}/gnomonctl`, ['routes'], { encoding: 'utf8' }).trim().split('\n').map(line => line.split(/\s+/))
		.filter(([method, path]) => method === 'GET' && /^\/(w|account|workspaces|$)/.test(path)).map(([, path]) => path)
	let shown = 0
	for (const path of pages)
		test(`is text on ${path}`, async () => {
			const { status, text, headers } = await get(fill(path), { cookie })
			assert.ok([200, 303, 403, 404].includes(status), `${status}`)
			assert.doesNotMatch(text, /<script|<img src=x|<svg\/onload/i)
			assert.match(headers['content-security-policy'], /^default-src 'none'.*script-src 'self'/)
			shown += /&lt;script&gt;alert\(1\)/.test(text)
		})
	test('and it was shown on many of them', () => assert.ok(fields >= 20 && shown >= 12, `${fields} fields, ${shown} of ${pages.length} pages`))
})

// ---- compression (001-141)

describe('001-141: compression', () => {
	const raw = path => get(path, { ...t.owner, headers: { 'Accept-Encoding': 'gzip' } })
	test('JSON and CSV of some size are compressed for who takes it, and for nobody else', async () => {
		for (const path of [`${t.path}/stories`, `${t.path}/board`, '/api/v1/openapi.json', `${t.path}/events.csv`]) {
			const r = await raw(path)
			assert.equal(r.status, 200, path)
			assert.equal(r.headers['content-encoding'], 'gzip', path)
			assert.match(r.headers.vary, /Accept-Encoding/i, path)
			assert.equal((await get(path, t.owner)).headers['content-encoding'], undefined, path)
		}
	})
	test('what is small is not', async () => assert.equal((await raw('/health')).headers['content-encoding'], undefined))
})
