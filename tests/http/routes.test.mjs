// The route table, walked: whatever gnomonctl routes prints is asked without a
// token, by strangers, by viewers, wrongly and by every method. A route this
// file cannot fill in is a failure: add what it needs below.
import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { before, describe, test } from 'node:test'
import { assert, BIN, browser, call, csrf, get, newUser, ok, post, randomUUID, refused, state, tenant, unique } from './lib.mjs'

const routes = execFileSync(`${BIN}/gnomonctl`, ['routes'], { encoding: 'utf8' }).trim().split('\n')
	.map(line => line.split(/\s+/))
	.map(([method, path, role, name, source]) => ({
		method, path, role, name, source,
		title: `${method} ${path}`,
		isPage: !path.startsWith('/api/') && path !== '/health' && path !== '/ready',
	}))
const ranks = { public: -1, user: 0, viewer: 1, member: 2, admin: 3, owner: 4 }
const secured = routes.filter(r => r.role !== 'public')
const api = secured.filter(r => !r.isPage)

let a, b, viewer, member

// What the routes need of a tenant stands by noun in walk/: `bodies`, what a write
// sends by the endpoint's name ({} where it takes no body), and make(t), the values
// of path parameters: id, and word when people say it otherwise. A word that
// others have as well (I-1) is `counted`; a value that all have is `shared`.
const nouns = await Promise.all(readdirSync(new URL('walk', import.meta.url)).map(file => import(`./walk/${file}`)))
const bodies = Object.assign({}, ...nouns.map(noun => noun.bodies))
const parting = new Set(nouns.flatMap(noun => noun.parting ?? []))
const kinds = new Map() // of a path parameter: {shared, counted}

async function furnish(t) {
	const made = {}
	for (const values of await Promise.all(nouns.map(noun => noun.make(t))))
		for (const [name, value] of Object.entries(values)) {
			assert.ok(!(name in made), `two nouns have a {${name}}`)
			made[name] = value
		}
	const pick = get => Object.fromEntries(Object.entries(made).map(([name, value]) => [name, get(value)]))
	for (const [name, { shared = false, counted = false }] of Object.entries(made)) kinds.set(name, { shared, counted })
	t.ids = pick(v => v.id)
	t.words = pick(v => v.word ?? v.id)
	t.missing = {
		ids: pick(v => (v.shared ? v.none : randomUUID())),
		words: pick(v => v.none ?? (v.word ? v.word.replace(/^[A-Z0-9]{6,}-/, `N${unique().toUpperCase()}-`).replace(/\d+$/, '2147483647') : randomUUID())),
	}
}
const ids = t => t.ids
const words = t => t.words
const shared = name => kinds.get(name).shared
const names = route => [...route.path.matchAll(/\{(\w+)\}/g)].map(m => m[1])
const fill = (route, values) =>
	route.path.replace(/\{(\w+)\}/g, (_, name) => {
		assert.ok(values[name], `this test knows no value for {${name}} of ${route.title} (${route.source})`)
		return encodeURIComponent(values[name])
	})
const bodyOf = route => {
	if (route.method === 'GET') return undefined
	assert.ok(bodies[route.name], `this test knows no body for ${route.title} (${route.source})`)
	return bodies[route.name]()
}

/** Asks a route as somebody would: API with a token, pages with a cookie. */
async function ask(route, path, who, extra = {}) {
	const body = bodyOf(route)
	if (!route.isPage) return call(route.method, path, { token: who?.token, json: body, ...extra })
	if (route.method === 'GET') return get(path, { cookie: who?.cookie, ...extra })
	return post(path, { cookie: who?.cookie, form: { ...body, csrf: who?.csrf ?? '' }, ...extra })
}

async function dress(t, user) {
	user.cookie = await browser(user)
	user.csrf = await csrf(user.cookie, `/w/${t.slug}/insights`)
}

before(async () => {
	[a, b] = await Promise.all([tenant({ roles: ['viewer', 'member'] }), tenant()])
	await Promise.all([furnish(a), furnish(b)])
	viewer = a.viewer
	member = a.member
	await Promise.all([dress(a, a.owner), dress(a, viewer), dress(a, member), dress(b, b.owner)])
})

test('the table has routes', () => {
	assert.ok(routes.length > 20)
	for (const r of routes) assert.ok(r.role in ranks, `${r.title}: role ${r.role}`)
})

// Behind a wall that is taken away only this is asked: does a stranger see anything?
const isolation = process.env.GNOMON_WALK === 'isolation'
const also = isolation ? () => {} : describe

also('without a credential', () => {
	for (const route of secured)
		test(`${route.title} asks who you are`, async () => {
			for (const values of [ids(a), words(a)]) {
				const r = await ask(route, fill(route, values), null)
				if (route.isPage) {
					assert.equal(r.status, 303, r.text.slice(0, 300))
					assert.match(r.headers.location, /^\/login(\?next=|$)/)
				} else {
					await refused(r, 401, 'unauthenticated')
					assert.equal(r.headers['www-authenticate'], 'Bearer')
				}
			}
		})
	for (const route of api)
		test(`${route.title} does not look at the rest first`, async () => {
			await refused(call(route.method, `${fill(route, ids(a))}?no_such_parameter=1`, { body: '{', headers: { 'Content-Type': 'text/plain' } }),
				401, 'unauthenticated')
		})
})

describe('for a stranger', () => {
	/** The body without what must differ: the request's id and what was asked. */
	const blank = (reply, values, title) => {
		assert.equal(reply.status, 404, `${title}: ${reply.status} ${reply.text.slice(0, 300)}`)
		let text = reply.text.replaceAll(reply.headers['x-request-id'], '').replace(/name="csrf" value="[^"]+"/g, '')
		for (const value of Object.values(values)) if (value.length > 3) text = text.replaceAll(value, '…')
		return text
	}
	const same = (x, y) => assert.ok(x === y, `differs:\n${x.slice(0, 3000)}\n${y.slice(0, 3000)}`)

	for (const route of secured.filter(r => names(r).length))
		test(`${route.title} is as if it were not there`, async () => {
			// another's place by id and by name, or one's own place with another's things
			for (const [theirs, mine, none] of [[ids(a), ids(b), b.missing.ids], [words(a), words(b), b.missing.words]]) {
				const before_ = state(a)
				const common = Object.fromEntries(Object.entries(theirs).filter(([name]) => shared(name)))
				for (const name of names(route)) {
					if (shared(name)) continue // every workspace has the same agents
					const hidden = { ...mine, [name]: theirs[name] }
					const absent = { ...mine, [name]: none[name] }
					// numbers are counted per tenant: 1 is somebody's own, too
					if (theirs[name] === mine[name]) continue
					const [x, y] = [await ask(route, fill(route, hidden), b.owner), await ask(route, fill(route, absent), b.owner)]
					// R-1 of one's own is no secret
					if (kinds.get(name).counted && theirs === words(a)) continue
					same(blank(x, hidden, name), blank(y, absent, name))
				}
				const x = await ask(route, fill(route, theirs), b.owner)
				const y = await ask(route, fill(route, { ...none, ...common }), b.owner)
				same(blank(x, theirs, 'all of it'), blank(y, { ...none, ...common }, 'all of it'))
				assert.equal(state(a), before_)
			}
		})
})

also('a role too low', () => {
	const check = (who, rank) => {
		for (const route of secured.filter(r => ranks[r.role] > rank))
			test(`${route.title} needs ${route.role}`, async () => {
				const user = who()
				const before_ = state(a)
				const r = await ask(route, fill(route, ids(a)), user)
				if (route.isPage) assert.equal(r.status, 403, r.text.slice(0, 300))
				else await refused(r, 403, 'forbidden')
				assert.equal(state(a), before_)
			})
	}
	describe('viewer', () => check(() => viewer, 1))
	describe('member', () => check(() => member, 2))
})

describe('somebody who may', () => {
	for (const route of secured.filter(r => r.method === 'GET' && r.path !== '/'))
		test(`${route.title} answers, and HEAD answers the same without the body`, async () => {
			for (const values of [ids(a), words(a)]) {
				const path = fill(route, values)
				const r = await ask(route, path, a.owner)
				assert.equal(r.status, 200, `${path}: ${r.text.slice(0, 500)}`)
				if (!route.isPage) assert.ok(r.json)
				assert.match(r.headers['x-request-id'], /^[0-9a-f]{32}$/)
				const head = await call('HEAD', path, route.isPage ? { cookie: a.owner.cookie } : { token: a.owner.token })
				assert.equal(head.status, 200)
				assert.equal(head.text, '')
				assert.equal(head.headers['content-type'], r.headers['content-type'])
				assert.ok(head.headers['x-request-id'])
			}
		})
	for (const route of secured.filter(r => r.method === 'GET'))
		test(`${route.title} shows nothing of another tenant`, async () => {
			const r = await ask(route, fill(route, ids(b)), b.owner)
			for (const [name, value] of Object.entries(ids(a)))
				if (/^[0-9a-f-]{36}$/.test(value)) assert.ok(!r.text.includes(value), `${name} of another tenant: ${r.text.slice(0, 300)}`)
		})
	test('a request may bring its own id', async () => {
		const r = await get('/api/v1/users/me', { token: a.owner.token, headers: { 'X-Request-Id': 'my-own_Name-1' } })
		assert.equal(r.headers['x-request-id'], 'my-own_Name-1')
	})
	for (const id of ['short', 'x'.repeat(65), 'evil id with spaces', '"},"x":"', '<script>alert</script>'])
		test(`but not the id ${id.slice(0, 20)}`, async () => {
			const r = await get('/api/v1/nothing', { headers: { 'X-Request-Id': id } })
			assert.match(r.headers['x-request-id'], /^[0-9a-f]{32}$/)
			assert.equal(r.json.error.requestId, r.headers['x-request-id'])
		})
})

also('a method that is not there', () => {
	const paths = [...new Set(routes.map(r => r.path))]
	for (const path of paths)
		test(`${path} says which there are`, async () => {
			const here = routes.filter(r => r.path === path).map(r => r.method) // a word hides the {name} it could be
			for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND'].filter(m => !here.includes(m))) {
				const r = await call(method, fill({ path, title: path }, ids(a)), { token: a.owner.token, cookie: a.owner.cookie })
				assert.equal(r.status, 405, `${method} ${path}: ${r.text.slice(0, 200)}`)
				const allowed = r.headers.allow.split(', ')
				for (const m of here) assert.ok(allowed.includes(m), `${m} in Allow: ${r.headers.allow}`)
				assert.equal(allowed.includes('HEAD'), allowed.includes('GET'))
				assert.equal(new Set(allowed).size, allowed.length)
				if (path.startsWith('/api/')) await refused(r, 405, 'method_not_allowed')
			}
			const asked = await call('OPTIONS', fill({ path, title: path }, ids(a)))
			assert.equal(asked.status, 204)
			for (const m of here) assert.ok(asked.headers.allow.split(', ').includes(m))
		})
})

also('nonsense', () => {
	const garbage = ['0', '-1', '99999999999999999999', 'AC--1', '--', '-', ' ', "' OR 1=1 --", '%', 'ünïcödé', '𝕏', '\u007f', '\u0001',
		'..', '.', '{ws}', 'a'.repeat(3000), '1e9', '0x1', '+1', '١', 'null', 'I-0', 'I-', '-1042', 'R-1.5', '00000000-0000-0000-0000-00000000000g']
	for (const route of routes.filter(r => names(r).length))
		test(`${route.title} survives nonsense in its path`, async () => {
			const good = ids(a)
			for (const name of names(route))
				for (const bad of garbage) {
					const r = await ask(route, fill(route, { ...good, [name]: bad }), a.owner)
					assert.ok(r.status >= 300 && r.status < 500, `${name} = ${bad}: ${r.status} ${r.text.slice(0, 300)}`)
					if (!route.isPage && r.headers['content-type']?.includes('json')) await refused(r, r.status)
				}
		})
	const queries = ['?', '?&&&', '?=', '?a', '?a=%zz', '?a=%', '?a=%00', '?a=%ff%fe', '?a=%ed%a0%80', `?${'a=1&'.repeat(300)}`, '?limit=', '?limit=0',
		'?limit=-1', '?limit=201', '?limit=1e2', '?limit=99999999999999999999', '?cursor=x', '?cursor=x.y', '?cursor=.', '?order=none', "?q='", '?q=%25', '?state=,',
		'?status=open,,', '?severity=worst', '?assigneeId=me', '?from=2026-02-30', '?from=0000-00-00', '?from=2026-+1-01', '?from=+026-01-01', '?from=infinity', '?to=%20',
		`?q=${'x'.repeat(201)}`, '?q=1&q=2', `?status=${'done,'.repeat(200)}`, '?limit=1&limit=2', '?%00=1', '?%71=x']
	for (const route of routes.filter(r => r.method === 'GET'))
		test(`${route.title} survives nonsense in its query`, async () => {
			for (const query of queries) {
				const r = await ask(route, fill(route, ids(a)) + query, a.owner)
				assert.ok(r.status < 500, `${query}: ${r.status} ${r.text.slice(0, 300)}`)
				if (!route.isPage && r.status !== 200) await refused(r, r.status)
			}
		})
	for (const route of api)
		test(`${route.title} refuses a parameter it does not have`, async () => {
			const path = `${fill(route, ids(a))}?no_such_parameter=1`
			const error = await refused(call(route.method, path, { token: a.owner.token, json: bodyOf(route) }), 422, 'validation_failed')
			assert.ok(error.details.errors.some(e => e.pointer.includes('no_such_parameter')))
		})
	// json-c would take the last of two values, and U+FFFD for half a character
	const wrong = ['{"title":"a","title":"b"}', '{"title":"\\ud800\\u0041"}', '{"title":"\\udc00"}', '{"title":"\\\\","\\ud83d":""}', '', ' ', 'null', 'true', '0', '"x"', '[]', '{}', '[[[', '{"a":', '{"a":1}}', "{'a':1}", '{"a":1,}', '\u0000', '{"\\u0000":1}',
		'{"title":"\\ud800"}', '{"title":NaN}', '{"title":1e400}', `${'['.repeat(100)}${']'.repeat(100)}`, `${'{"a":'.repeat(100)}1${'}'.repeat(100)}`]
	for (const route of routes.filter(r => r.method !== 'GET' && !r.isPage && !parting.has(r.name)))
		test(`${route.title} survives a body that is none`, async () => {
			for (const body of wrong) {
				const r = await call(route.method, fill(route, ids(a)), { token: a.owner.token, body, headers: { 'Content-Type': 'application/json' } })
				assert.ok(r.status < 500, `${body.slice(0, 40)}: ${r.status} ${r.text.slice(0, 300)}`)
				if (bodyOf(route) === undefined) continue
				await refused(r, 422, 'validation_failed')
			}
		})
	for (const route of routes.filter(r => r.method === 'POST' && r.isPage && !parting.has(r.name)))
		test(`${route.title} survives a form that is none`, async () => {
			for (const body of ['', '&&&', '=', '=&=', 'a', '%', 'csrf', '%00=1', 'version=x', 'version=1&version=2', 'a=%ff', 'x=1&'.repeat(300), '{"a":1}']) {
				const r = await post(fill(route, ids(a)), { cookie: a.owner.cookie, body: `csrf=${encodeURIComponent(a.owner.csrf)}&${body}`,
					headers: { 'Content-Type': 'application/x-www-form-urlencoded' } })
				assert.ok(r.status >= 300 && r.status < 500 || bodyOf(route) === undefined, `${body}: ${r.status} ${r.text.slice(0, 300)}`)
				assert.ok(r.status < 500)
			}
		})
})

also('the other doors of a page', () => {
	for (const route of routes.filter(r => r.method === 'GET' && r.isPage))
		for (const door of ['json', 'csv'])
			test(`${route.path}.${door} is data or not found`, async () => {
				const path = route.path === '/' ? '/.' + door : `${fill(route, ids(a))}.${door}`
				const mine = await get(path, { cookie: a.owner.cookie })
				assert.ok([200, 303, 404].includes(mine.status), `${mine.status} ${mine.text.slice(0, 300)}`)
				if (route.role === 'public') return
				await refused(get(path), 401, 'unauthenticated')
				if (names(route).length === 0) return
				await refused(get(path, { cookie: b.owner.cookie }), 404, 'not_found')
			})
})

also('no address', () => {
	for (const path of ['/api', '/api/', '/api/v1', '/api/v2/projects', '/api/v1/projects/', '//api/v1/projects', '/api//v1/projects', '/API/v1/projects', '/w', '/w/',
		'/nothing', '/login/', '/health/', '/static/nothing.css', '/.git/config', '/..%2f..%2fetc/passwd', '/static/..%2fpages/login.html', '/_gnomon/unavailable.json'])
		test(`${path} is not found`, async () => {
			const r = await get(path, { token: a.owner.token })
			// nginx itself refuses what climbs above the root
			assert.ok(r.status === 404 || (r.status === 400 && path.startsWith('/..')), r.text.slice(0, 200))
			assert.ok(r.headers['x-request-id'])
			if (path.startsWith('/api/')) await refused(r, 404, 'not_found')
		})
	test('everybody may ask for health and readiness', async () => {
		assert.equal((await ok(get('/health'))).status, 'healthy')
		assert.equal((await ok(get('/ready'))).status, 'ready')
	})
	test('a new user sees nothing of others', async () => {
		const c = await newUser()
		assert.deepEqual((await ok(get('/api/v1/projects', c))).items, [])
		assert.deepEqual((await ok(get('/api/v1/workspaces', c))).items.map(w => w.slug), [c.slug])
	})
})
