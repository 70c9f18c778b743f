// What is sent: bodies of every kind, size and content. Data stays data.
import net from 'node:net'
import { before, describe, test } from 'node:test'
import { assert, browser, call, csrf, get, lit, newKey, ok, origin, patch, pointers, post, refused, sql, tenant, unique, URL_ } from './lib.mjs'

const MB = 1 << 20
let t, stories
const json = { 'Content-Type': 'application/json' }
const create = body => post(stories, { ...t.owner, json: body })
const send = (body, headers = json) => post(stories, { ...t.owner, body, headers })

before(async () => {
	t = await tenant({ roles: ['viewer'] })
	stories = `${t.path}/stories`
})

describe('size', () => {
	test('a megabyte is taken, a byte more is not', async () => {
		const body = size => {
			const text = '{"title":"x"}'
			return text.slice(0, -1) + ' '.repeat(size - text.length) + '}'
		}
		await ok(send(body(MB)), 201)
		const r = await send(body(MB + 1))
		assert.equal(r.status, 413)
		assert.equal(r.json.error.code, 'body_too_large')
		assert.equal(r.json.error.requestId, r.headers['x-request-id'])
	})
	test('so it is in pieces, without a length', async () => {
		const chunked = size => call('POST', stories, { ...t.owner, body: `{"title":"${'x'.repeat(size)}"}`, headers: { ...json, 'Transfer-Encoding': 'chunked' } })
		await ok(chunked(100), 201)
		await refused(chunked(1000), 422)
		assert.equal((await chunked(MB)).status, 413)
	})
	test('a form, too', async () => {
		assert.equal((await post('/login', { form: { email: 'a', password: 'x'.repeat(MB) } })).status, 413)
	})
	test('fewer bytes than promised are no request', async () => {
		const before_ = sql(`SELECT count(*) FROM stories WHERE workspace_id = ${lit(t.id)}`)
		await new Promise((resolve, reject) => {
			const s = net.connect(URL_.port, URL_.hostname, () => {
				s.write(`POST ${stories} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${t.owner.token}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"title":"short"}`)
				setTimeout(() => s.destroy(), 200)
			})
			s.on('close', resolve)
			s.on('error', reject)
		})
		assert.equal(sql(`SELECT count(*) FROM stories WHERE workspace_id = ${lit(t.id)}`), before_)
	})
})

describe('kind', () => {
	for (const type of ['text/plain', 'text/json', 'application/xml', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', '', 'json', 'application/jsonp', 'application/json-patch+json'])
		test(`${type || 'none'} is refused`, async () => {
			await refused(send('{"title":"x"}', type ? { 'Content-Type': type } : {}), 415, 'unsupported_media_type')
		})
	for (const type of ['application/json', 'application/json; charset=utf-8', 'application/json;charset=UTF-8', 'APPLICATION/JSON', 'Application/Json ; charset=utf-8'])
		test(`${type} is taken`, async () => {
			await ok(send('{"title":"x"}', { 'Content-Type': type }), 201)
		})
	test('white space around it is none of its business', async () => {
		for (const body of ['{"title":"x"}\n', ' \r\n\t{"title":"x"}', '{"title":"x"}\r\n\r\n', '{ "title" : "x" }'])
			await ok(send(body), 201)
	})
	for (const [what, body] of Object.entries({
		nothing: '', 'a space': ' ', 'half': '{"title":"x"', 'two': '{"title":"x"}{"title":"y"}', 'a comma': '{"title":"x",}', 'a comment': '{"title":"x"/**/}',
		'single quotes': "{'title':'x'}", 'single quotes of a name': `{'title':"x"}`, 'no quotes': '{title:"x"}', 'a raw newline in a string': '{"title":"a\nb"}', 'a raw NUL': '{"title":"a\0b"}', 'an escaped NUL': '{"title":"a\\u0000b"}',
		'half a character': '{"title":"\\ud83d"}', 'the other half': '{"title":"\\ude42x"}', 'two first halves': '{"title":"\\ud83d\\ud83d\\ude42"}',
		'NaN': '{"title":"x","estimate":NaN}', 'infinity': '{"title":"x","estimate":Infinity}', '-infinity': '{"title":"x","estimate":-Infinity}', 'too great a number': '{"title":"x","estimate":1e400}',
		'a hexadecimal number': '{"title":"x","estimate":0x10}', 'an octal number': '{"title":"x","estimate":010}', 'a plus': '{"title":"x","estimate":+1}', 'a bare point': '{"title":"x","estimate":.5}',
		'a name twice': '{"title":"x","title":"y"}', 'a name twice, deeper': '{"title":"x","acceptanceCriteria":[{"a":1,"a":2}]}', 'a byte order mark': '\ufeff{"title":"x"}',
		'deep lists': `{"title":${'['.repeat(10000)}`, 'deep objects': '{"a":'.repeat(5000), '32 levels': `{"title":${'['.repeat(40)}${']'.repeat(40)}}`,
		'a list': '[{"title":"x"}]', 'a word': 'null', 'a string': '"title"', 'a huge integer': `{"title":"x","estimate":${'9'.repeat(400)}}`,
		'a tenth of 400 digits': `{"title":"x","estimate":0.${'1'.repeat(400)}e1000}`, 'minus zero, twice': '{"title":"x","estimate":--0}',
	}))
		test(`${what}: refused`, async () => {
			await refused(send(body), 422, 'validation_failed')
		})
	for (const [why, bodies] of Object.entries({
		'it is empty': [''], 'it ends too early': [' ', '{"title":"x"', '{"title":"x', '{"title":', '['],
		'there is something after it': ['{"title":"x"}\0', '{"title":"x"}\0{}'],
	}))
		test(`it is said of JSON that ${why}`, async () => {
			for (const body of bodies) {
				const error = await refused(send(body), 422, 'validation_failed')
				assert.deepEqual(error.details.errors.map(e => e.message), [`The body is not JSON: ${why}.`], body)
			}
		})
	test('bytes that are not UTF-8 are refused', async () => {
		for (const bytes of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82], [0x80]])
			await refused(send(Buffer.concat([Buffer.from('{"title":"'), Buffer.from(bytes), Buffer.from('"}')])), 422, 'validation_failed')
	})
})

describe('bounds of a story', () => {
	const good = {
		title: ['x', 'x'.repeat(300), '🙂'.repeat(300)], description: ['', 'x'.repeat(100000)], acceptanceCriteria: [[], Array(100).fill('x'.repeat(1000))],
		status: ['backlog', 'ready', 'in_progress', 'review', 'done'], priority: ['low', 'medium', 'high', 'urgent'],
		estimate: [null, 0, 0.5, 1000, 1e-300, 999.9999999999999], dueDate: [null, '0001-01-01', '2028-02-29', '9999-12-31'], assigneeId: [null], epicId: [null],
	}
	const bad = {
		title: ['', 'x'.repeat(301), '🙂'.repeat(301), null, 1, true, [], {}], description: ['x'.repeat(100001), null, 1], acceptanceCriteria: [Array(101).fill('x'), [''], ['x'.repeat(1001)], [1], [null], 'x', null, {}],
		status: ['', 'Done', 'closed', null, 1], priority: ['', 'highest', null], estimate: [-0.001, 1000.0001, -1e308, '1', true, []],
		dueDate: ['', '2026-02-29', '2026-13-01', '2026-1-1', '20260101', '2026-01-01T00:00:00Z', 'tomorrow', 20260101, '+2026-01-01', '10000-01-01', 'infinity'],
		assigneeId: ['', 'me', 'g'.repeat(36), 1], epicId: ['x', 1],
	}
	const none = { id: 'x', number: 1, version: 1, position: 1, workspace_id: 'x', workspaceId: 'x', project_id: 'x', projectId: 'x', createdAt: 'x', aiGenerated: true, deletedAt: null, acceptance_criteria: [], Title: 'x', '': 1, __proto__x: 1, 'a.b': 1 }
	for (const [field, values] of Object.entries(good))
		test(`${field} takes what it should, and gives it back`, async () => {
			for (const value of values) {
				const made = await ok(create({ title: 'x', [field]: value }), 201)
				const given = field === 'assigneeId' ? made.assignee : made[field]
				assert.deepEqual(given, value)
				assert.deepEqual(await ok(get(`${stories}/${made.id}`, t.owner)), made)
				const changed = await ok(patch(`${stories}/${t.stories[0].id}`, { ...t.owner, json: { version: (await ok(get(`${stories}/${t.stories[0].id}`, t.owner))).version, [field]: value } }))
				assert.deepEqual(field === 'assigneeId' ? changed.assignee : changed[field], value)
			}
		})
	for (const [field, values] of Object.entries(bad))
		test(`${field} refuses what it should, by name`, async () => {
			for (const value of values) {
				for (const reply of [create({ title: 'x', [field]: value }), patch(`${stories}/${t.stories[1].id}`, { ...t.owner, json: { version: 1, [field]: value } })]) {
					const error = await refused(reply, 422, 'validation_failed')
					assert.ok(pointers(error).length && pointers(error).every(p => p.startsWith(`/${field}`)), `${JSON.stringify(value).slice(0, 50)}: ${pointers(error)}`)
				}
			}
		})
	for (const [field, value] of Object.entries(none))
		test(`there is no field ${field || '(empty)'}`, async () => {
			await refused(create({ title: 'x', [field]: value }), 422, 'validation_failed')
		})
	test('nobody who is not here, nothing that is elsewhere', async () => {
		const u = await tenant({ stories: 0 })
		const theirs = sql(`INSERT INTO epics (workspace_id, project_id, title) VALUES (${lit(u.id)}, ${lit(u.project.id)}, 'E') RETURNING id`)
		await refused(create({ title: 'x', assigneeId: u.owner.id }), 422, 'validation_failed')
		await refused(create({ title: 'x', epicId: theirs }), 422, 'validation_failed')
	})
	test('a version is a whole number', async () => {
		for (const version of ['1', 1.5, null, 0, -1, [], true])
			await refused(patch(`${stories}/${t.stories[1].id}`, { ...t.owner, json: { version, title: 'x' } }), 422, 'validation_failed')
		await refused(patch(`${stories}/${t.stories[1].id}`, { ...t.owner, json: { title: 'x' } }), 422, 'validation_failed')
	})
	test('there was no year 0', async () => {
		await refused(create({ title: 'x', dueDate: '0000-01-01' }), 422, 'validation_failed')
	})
	test('all faults are told at once', async () => {
		const error = await refused(create({ title: '', estimate: -1, status: 'x', nothing: 1 }), 422)
		assert.deepEqual(pointers(error).sort(), ['/estimate', '/nothing', '/status', '/title'])
		for (const e of error.details.errors) assert.ok(e.message.length > 3)
	})
})

describe('bounds of the others', () => {
	const project = body => post(`${t.base}/projects`, { ...t.owner, json: body })
	test('a project', async () => {
		for (const key of ['', 'a', '1A', 'A'.repeat(11), 'A-B', 'Ä', 'A B', null, 1]) await refused(project({ key, name: 'x' }), 422, 'validation_failed')
		for (const name of ['', 'x'.repeat(121), null]) await refused(project({ key: newKey(), name }), 422, 'validation_failed')
		await refused(project({ key: newKey(), name: 'x', description: 'x'.repeat(20001) }), 422, 'validation_failed')
		await refused(project({ key: newKey(), name: 'x', ownerId: t.owner.id }), 422, 'validation_failed')
		for (const name of ['n'.repeat(120), `${'n'.repeat(62)} x`, '你好', '---', '!', "'; DROP TABLE projects; --"]) {
			const made = await ok(project({ key: newKey(), name, description: 'd'.repeat(20000) }), 201)
			assert.equal(made.name, name)
			assert.match(made.slug, /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/)
		}
	})
	test('two projects may have one name', async () => {
		const name = `Twins ${unique()}`
		await ok(project({ key: newKey(), name }), 201)
		await ok(project({ key: newKey(), name }), 201)
	})
	test('an account', async () => {
		const register = body => post('/api/v1/auth/register', { json: { email: `${unique()}@example.org`, name: 'x', password: 'long enough it is', ...body } })
		for (const email of ['', 'x', 'x@', '@x.org', 'a b@x.org', `${'x'.repeat(250)}@x.org`, 'x@x..org', null, 1, 'x@x.org\n']) await refused(register({ email }), 422, 'validation_failed')
		for (const password of ['', 'x'.repeat(9), 'x'.repeat(201), null, 12345678901]) await refused(register({ password }), 422, 'validation_failed')
		for (const name of ['', ' ', 'x'.repeat(121), 'Ann\n\nYour account is blocked', 'a\rb', 'a\u0007b', 'a\u007fb']) await refused(register({ name }), 422, 'validation_failed')
		for (const name of [' ', 'a\nb']) await refused(post('/api/v1/workspaces', { ...t.owner, json: { name, slug: `s-${unique()}` } }), 422, 'validation_failed')
		await refused(register({ role: 'owner' }), 422, 'validation_failed')
		await refused(register({ password: 'nul\0in the middle' }), 422, 'validation_failed')
	})
	test('a refused password is not repeated', async () => {
		const r = await post('/api/v1/auth/register', { json: { email: 'x', name: 'x', password: 'hunter2xx' } })
		assert.ok(!r.text.includes('hunter2xx'))
	})
})

describe('001-132: data', () => {
	const corpus = ["'", "''", '"', '\\', "\\'", ';', '--', '/*', "' OR '1'='1", "'; DROP TABLE stories; --", "'); DELETE FROM events; --", "$$; SELECT pg_sleep(10); $$", '$1', '$1$', ':title', ':body', '{page}', '{q: x}',
		"\\x00", '%s%n%x', '${7*7}', '{{7*7}}', '{{{title}}}', '<script>alert(1)</script>', '"><img src=x onerror=alert(1)>', '&lt;', 'javascript:alert(1)', '\u2028\u2029', '\u202e', '\ufeff', '\u0001\u001f\u007f',
		'\t\n\r', 'é', 'e\u0301', 'ﬀ', '你好', '🙂', '👩‍👩‍👧‍👦', '\u{10ffff}', '\ufffd', '\uffff', 'İi', 'ß', ' leading', 'trailing ', 'null', 'true', '{}', '[1]', '{"a":1}', '\\u0041', 'E\'\\\'', '\\N', '{a,b}', '(1,2)']
	test('comes back as it was sent, in every text', async () => {
		for (const text of corpus) {
			const title = /\S/.test(text) ? text : `${text}.` // a title says something
			const made = await ok(create({ title, description: text, acceptanceCriteria: [text] }), 201)
			assert.deepEqual([made.title, made.description, made.acceptanceCriteria], [title, text, [text]])
			const again = await ok(get(`${stories}/${made.key}`, t.owner))
			assert.deepEqual([again.title, again.description, again.acceptanceCriteria], [title, text, [text]])
			const changed = await ok(patch(`${stories}/${made.id}`, { ...t.owner, json: { version: 1, title: title + title } }))
			assert.equal(changed.title, title + title)
			const kept = sql(`SELECT encode(convert_to(description || title, 'UTF8'), 'hex') FROM stories WHERE id = ${lit(made.id)}`)
			assert.equal(kept, Buffer.from(text + title + title).toString('hex'))
		}
	})
	test('in every query is a value', async () => {
		const count = sql(`SELECT count(*) FROM stories WHERE workspace_id = ${lit(t.id)}`)
		for (const text of corpus) {
			const p = await ok(get(`${stories}?limit=200&q=${encodeURIComponent(text)}`, t.owner))
			for (const s of p.items) assert.ok(s.title.toLowerCase().includes(text.toLowerCase()) || /[^\x20-\x7e]/.test(text), `${text} in ${s.title}`)
			for (const path of [`${t.base}/insights?q=`, `${t.base}/insights?agentKey=`, `${t.base}/agents/runs?agentKey=`])
				assert.equal((await ok(get(path + encodeURIComponent(text), t.owner))).items.length, 0, path + text)
			for (const name of ['status', 'priority', 'assigneeId', 'epicId', 'order', 'limit', 'cursor'])
				await refused(get(`${stories}?${name}=${encodeURIComponent(text)}`, t.owner), 422, 'validation_failed')
		}
		assert.equal(sql(`SELECT count(*) FROM stories WHERE workspace_id = ${lit(t.id)}`), count)
	})
	test('in every path is a name', async () => {
		for (const text of corpus.filter(c => !/[\u0000-\u001f]/.test(c))) {
			const name = encodeURIComponent(text)
			for (const path of [`/api/v1/workspaces/${name}`, `/api/v1/projects/${name}`, `${stories}/${name}`, `${t.base}/insights/${name}`, `${t.path}/sprints/${name}`])
				await refused(get(path, t.owner), 404, 'not_found')
		}
	})
	test('on a page is text', async () => {
		const evil = '<script>alert(1)</script>"\'><img src=x onerror=alert(1)>{{me.csrf}}'
		const u = await tenant({ stories: 0 })
		const made = await ok(post(`${u.path}/stories`, { ...u.owner, json: { title: evil, description: evil, acceptanceCriteria: [evil] } }), 201)
		const cookie = await browser(u.owner)
		for (const path of ['stories', `stories/${made.key}`, 'board', `stories?q=${encodeURIComponent(evil)}`]) {
			const page = await get(`/w/${u.slug}/p/${u.project.key}/${path}`, { cookie })
			assert.equal(page.status, 200)
			assert.ok(!page.text.includes('<script>alert') && !page.text.includes('<img src=x'), path)
			assert.ok(page.text.includes('&lt;script&gt;alert(1)'), path)
		}
	})
	test('numbers come back as they were', async () => {
		for (const estimate of [0.1, 0.2, 0.30000000000000004, 1 / 3, 2 ** -30, 123.456, 1e-7, 999.9999999999999, 5e-324, 100, 1e2, 0.1 + 0.7])
			assert.equal((await ok(create({ title: 'n', estimate }), 201)).estimate, estimate)
	})
	test('a rightless body changes nothing, however right', async () => {
		const count = sql(`SELECT count(*) FROM stories WHERE workspace_id = ${lit(t.id)}`)
		await refused(post(stories, { ...t.viewer, json: { title: 'x' } }), 403, 'forbidden')
		assert.equal(sql(`SELECT count(*) FROM stories WHERE workspace_id = ${lit(t.id)}`), count)
	})
})

describe('forms', () => {
	test('what is wrong is told beside its field, and nothing else is', async () => {
		const cookie = await browser(t.owner)
		const path = `/w/${t.slug}/p/${t.project.key}/stories/${t.project.key}-${t.stories[0].number}`
		const token = await csrf(cookie, path)
		const faults = async form => {
			const r = await post(path, { cookie, form: { csrf: token, version: '1', ...form }, headers: { Origin: origin } })
			assert.equal(r.status, 422)
			return [...r.text.matchAll(/<li><a href="#([^"]*)">/g)].map(m => m[1])
		}
		for (const estimate of ['nan', 'inf', '-inf', '1e400', 'x', '-1'])
			assert.deepEqual(await faults({ estimate }), ['estimate'], estimate)
		assert.deepEqual(await faults({ title: 'x', once: 'a b' }), [], 'a key has no field')
	})
})
