// What the API says of itself: OpenAPI 3.1 for programs, help pages for people.
// That the document is valid and its examples fit is tests/unit/test_openapi.c.
import { execFileSync } from 'node:child_process'
import http from 'node:http'
import { before, describe, test } from 'node:test'
import { assert, BIN, call, get, newUser, ok, post } from './lib.mjs'

const path = '/api/v1/openapi.json'
const methods = ['get', 'post', 'put', 'patch', 'delete']
const operations = doc =>
	Object.entries(doc.paths).flatMap(([address, item]) =>
		Object.entries(item).map(([method, o]) => ({ method: method.toUpperCase(), address, ...o })))
const resolve = (doc, o) => (o.$ref ? o.$ref.slice(2).split('/').reduce((at, key) => at[key], doc) : o)

/** The words an operation may refuse with, by status. */
const refusals = (doc, o) =>
	Object.fromEntries(Object.entries(o.responses).filter(([status]) => status >= '400').map(([status, r]) => [
		status, resolve(doc, r).content['application/json'].schema.properties?.error.properties.code.enum,
	]))

let doc
before(async () => {
	doc = await ok(get(path))
})

test('001-150: every route that is no page is in it, and no other', () => {
	const routes = execFileSync(`${BIN}/gnomonctl`, ['routes'], { encoding: 'utf8' }).trim().split('\n')
		.map(line => line.split(/\s+/))
		.filter(([, , , , source]) => source.startsWith('sql/api/'))
		.map(([method, address, role, name]) => `${method} ${address} ${role} ${name}`)
	const listed = operations(doc).map(o => `${o.method} ${o.address} ${o['x-role']} ${o.operationId}`)
	assert.deepEqual(listed.sort(), routes.sort())
	assert.ok(operations(doc).every(o => methods.includes(o.method.toLowerCase())))
})

test('an unchanged document is not sent twice', async () => {
	const { headers } = await get(path)
	const again = await get(path, { headers: { 'If-None-Match': headers.etag } })
	assert.equal(again.status, 304)
	assert.equal(again.text, '')
	assert.equal((await get(path, { headers: { 'If-None-Match': 'W/"other"' } })).status, 200)
})

test('what is not public asks for a token, and says so', async () => {
	for (const o of operations(doc)) {
		assert.deepEqual(o.security, o['x-role'] === 'public' ? [] : [{ bearer: [] }], o.operationId)
		assert.equal('401' in o.responses, o['x-role'] !== 'public' || ['login', 'login_second', 'refresh'].includes(o.operationId), o.operationId)
	}
})

test('the names in braces are its path parameters', () => {
	for (const o of operations(doc)) {
		const inPath = (o.parameters ?? []).map(p => resolve(doc, p)).filter(p => p.in === 'path').map(p => p.name)
		assert.deepEqual(inPath.sort(), [...o.address.matchAll(/\{(\w+)\}/g)].map(m => m[1]).sort(), o.operationId)
	}
})

describe('it is true:', () => {
	let user
	const operation = name => operations(doc).find(o => o.operationId === name)
	const refuses = async (name, reply) => {
		const r = await reply
		assert.ok(refusals(doc, operation(name))[r.status]?.includes(r.json.error.code), `${name}: ${r.status} ${r.text}`)
	}
	before(async () => {
		user = await newUser('Reader')
	})
	for (const o of ['list_workspaces', 'list_insights', 'get_board', 'update_story'])
		test(`${o} refuses strangers as it says`, async () => {
			const { address, method } = operation(o)
			await refuses(o, call(method, address.replace(/\{\w+\}/g, 'AC-1')))
		})
	test('what is missing, malformed or too much is refused as it says', async () => {
		const { slug, token } = user
		await refuses('get_project', get('/api/v1/projects/NOSUCH', { token }))
		await refuses('list_insights', get(`/api/v1/workspaces/${slug}/insights?severity=loud`, { token }))
		await refuses('list_insights', get(`/api/v1/workspaces/${slug}/insights?q=%zz`, { token }))
		await refuses('create_project', post(`/api/v1/workspaces/${slug}/projects`, { token, body: 'x', headers: { 'Content-Type': 'text/plain' } }))
		await refuses('create_project', post(`/api/v1/workspaces/${slug}/projects`, { token, json: {} }))
		await refuses('login', post('/api/v1/auth/login', { json: { email: 'nobody@example.org', password: 'x' } }))
		await refuses('register', post('/api/v1/auth/register', { json: { email: user.email, name: 'x', password: 'long enough it is' } }))
	})
	test('its examples are taken', async () => {
		// without what names a thing this tenant has not
		const [{ teamId, ...example }] = doc.components.schemas.ProjectCreate.examples
		const made = await ok(post(`/api/v1/workspaces/${user.slug}/projects`, { token: user.token, json: example }), 201)
		const [{ assigneeId, epicId, labelIds, ...rest }] = doc.components.schemas.StoryCreate.examples
		assert.ok(teamId && assigneeId && epicId && labelIds)
		await ok(post(`/api/v1/projects/${made.id}/stories`, { token: user.token, json: rest }), 201)
	})
	test('a list has the orders, limits and filters it says', async () => {
		const list = operation('list_insights').parameters.map(p => resolve(doc, p))
		const of = name => list.find(p => p.name === name).schema
		const at = `/api/v1/workspaces/${user.slug}/insights`
		for (const order of of('order').enum) await ok(get(`${at}?order=${order}`, user))
		for (const sort of of('sort').enum) await ok(get(`${at}?sort=${sort}`, user))
		await ok(get(`${at}?limit=${of('limit').maximum}`, user))
		assert.equal((await get(`${at}?limit=${of('limit').maximum + 1}`, user)).status, 422)
		await ok(get(`${at}?severity=${of('severity').items.enum.join()}`, user))
	})
})

test('001-159: every refusal, of whatever status, is the Error of the document', async () => {
	const user = await newUser()
	const { properties, required } = doc.components.schemas.Error.properties.error
	const at = `/api/v1/workspaces/${user.slug}`
	const made = await ok(post(`${at}/projects`, { ...user, json: { key: 'ERR', name: 'Errors' } }), 201)
	const stories = `/api/v1/projects/${made.id}/stories`
	const story = await ok(post(stories, { ...user, json: { title: 'One' } }), 201)
	const json = { 'Content-Type': 'application/json' }
	for (const [status, reply] of [
		[400, post('/api/v1/auth/reset-password', { json: { token: 'none', password: 'long enough it is' } })], [401, get('/api/v1/users/me')],
		[403, post(`${at}/projects`, { token: (await ok(post('/api/v1/users/me/tokens', { ...user, json: { name: 'R', scope: 'read' } }), 201)).token, json: { key: 'NO', name: 'No' } })],
		[404, get('/api/v1/projects/NOTHING', user)], [404, get('/api/v1/no/such/address', user)], [405, call('PUT', '/api/v1/projects', user)],
		[409, call('PATCH', `${stories}/${story.id}`, { ...user, json: { version: 9, title: 'x' } })], [413, post(stories, { ...user, body: ' '.repeat((1 << 20) + 1), headers: json })],
		[415, post(stories, { ...user, body: 'x', headers: { 'Content-Type': 'text/plain' } })], [422, post(stories, { ...user, json: {} })]]) {
		const r = await reply
		assert.equal(r.status, status, r.text)
		assert.deepEqual(Object.keys(r.json.error).sort(), [...required].sort())
		assert.ok(properties.code.enum.includes(r.json.error.code), r.text)
		assert.equal(r.json.error.requestId, r.headers['x-request-id'])
	}
	// all others of the suite are held to it where they are asked: lib.mjs
	await assert.rejects(call('GET', '/api/v1/x', { at: { hostname: '127.0.0.1', port: await notOurs() } }), /is no error of ours/)
})

/** The port of a server that refuses in words of its own. */
const notOurs = () => new Promise(resolve => {
	const other = http.createServer((rq, rs) => rs.writeHead(404, { 'Content-Type': 'text/html' }).end('<h1>Not Found</h1>')).listen(0, '127.0.0.1', () => {
		other.unref()
		resolve(other.address().port)
	})
})

describe('help', () => {
	test('the reference has every operation and every document', async () => {
		const { status, text } = await get('/help/api')
		assert.equal(status, 200)
		for (const o of operations(doc)) assert.ok(text.includes(`id="${o.operationId}"`), o.operationId)
		for (const name of Object.keys(doc.components.schemas)) assert.ok(text.includes(`id="shape-${name}"`), name)
		for (const [, id] of text.matchAll(/href="#([\w-]+)"/g)) assert.ok(text.includes(`id="${id}"`), id)
	})
	test('its lines for curl quote what they send', async () => {
		const { text } = await get('/help/api')
		const lines = [...text.matchAll(/<pre>(curl [^<]*)<\/pre>/g)].map(m => m[1])
		assert.equal(lines.length, operations(doc).length)
		for (const line of lines) {
			assert.ok(!/[{}]/.test(line.split(' -d ')[0]), line)
			assert.equal((line.match(/&#39;|&#x27;|'/g) ?? []).length % 2, 0, line)
		}
	})
	test('every error has a page, which the API names', async () => {
		const { text } = await get('/help/errors')
		for (const code of doc.components.schemas.Error.properties.error.properties.code.enum) {
			const page = await get(`/help/errors/${code}`)
			assert.equal(page.status, 200)
			assert.match(page.text, new RegExp(`<h1><code>${code}</code></h1>`))
			assert.ok(text.includes(`href="/help/errors/${code}"`))
		}
		const refused = await get('/api/v1/users/me')
		assert.equal(refused.headers.link, '</help/errors/unauthenticated>; rel="help"')
		for (const code of ['ok', 'no_such_error', 'internal%20', '%2e%2e'])
			assert.equal((await get(`/help/errors/${code}`)).status, 404, code)
	})
})
