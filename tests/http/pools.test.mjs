// Which pool answers what: nginx decides by a table of its own, which must say what
// the endpoints say of themselves (pool: slow), and send every look into the past
// to the slow one.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { assert, BIN, get, ok, revision, tenant } from './lib.mjs'

const conf = readFileSync(new URL('../../nginx/gnomon-http.conf', import.meta.url), 'utf8')
const [, table] = /^map "\$request_method \$uri\?\$arg_asOf" \$gnomon_pool \{\n(.*?)^\}/ms.exec(conf)
const patterns = [...table.matchAll(/^\t"~(.*)" gnomon_slow;$/gm)].map(([, pattern]) => new RegExp(pattern))
const isSlow = (method, path, asOf = '') => patterns.some(p => p.test(`${method} ${path}?${asOf}`))

const listed = args => execFileSync(`${BIN}/gnomonctl`, ['routes', ...args], { encoding: 'utf8' }).trim().split('\n').map(line => line.split(/\s+/))
const all = listed([]), slow = listed(['--pool', 'slow'])
const filled = path => path.replace(/\{\w+\}/g, 'x1')

test('every line of the table is one the test understands', () => {
	assert.equal(patterns.length, table.trim().split('\n').length - 1)
	assert.ok(patterns.length > 5)
})

test('what says pool: slow goes to the slow pool, with every ending a list has', () => {
	for (const [method, path] of slow) {
		assert.ok(isSlow(method, filled(path)), `${method} ${path}`)
		if (method === 'GET' && !/oauth|wait/.test(path)) for (const ending of ['.json', '.csv']) assert.ok(isSlow(method, filled(path) + ending), `${method} ${path}${ending}`)
	}
})

test('nothing else does, but the page of a slow form', () => {
	const pages = new Set(slow.map(([, path]) => path))
	for (const [method, path] of all)
		if (!slow.some(s => s[0] === method && s[1] === path) && !path.startsWith('/api/v1/auth/') && !(method === 'GET' && pages.has(path) && !path.startsWith('/api/')))
			assert.ok(!isSlow(method, filled(path)), `${method} ${path}`)
})

test('003-015: the past goes to the slow pool, and is answered there', async () => {
	const t = await tenant({ stories: 1 })
	for (const path of ['board', `stories/${t.stories[0].id}`]) {
		assert.ok(isSlow('GET', `${t.path}/${path}`, '1'))
		assert.ok(!isSlow('GET', `${t.path}/${path}`))
		await ok(get(`${t.path}/${path}?asOf=${revision(t)}`, t.owner))
	}
})
