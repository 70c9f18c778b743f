// Search across everything that has words (requirements 000-017, 000-051, 001-133).
import { before, describe, test } from 'node:test'
import { assert, browser, call, get, insights, join, lit, newKey, newUser, ok, patch, post, refused, sprint, sql, sqlRefused, tenant, unique } from './lib.mjs'

let t, other, word // a word nobody else has
const search = async (q, { who = t.viewer, more = '', base = t.base } = {}) =>
	(await ok(get(`${base}/search?q=${encodeURIComponent(q)}${more}`, who))).items
const titles = hits => hits.map(h => h.title)
const story = (json, who = t.member, path = t.path) => ok(post(`${path}/stories`, { ...who, json }), 201)
const shown = hit => hit.snippet.map(p => (p.isMatch ? `[${p.text}]` : p.text)).join('')

before(async () => {
	[t, other] = await Promise.all([tenant({ roles: ['member', 'viewer'] }), tenant()])
	word = `zq${unique()}`
})

describe('000-051: everything with words is found', () => {
	test('each type, with key, path and the place of the words', async () => {
		const s = await story({ title: `Story ${word}`, description: 'x', acceptanceCriteria: ['Criterion plinth'] })
		const o = await ok(post(`${t.base}/objectives`, { ...t.member, json: { title: `Objective ${word}`, startDate: '2026-10-01', endDate: '2026-12-31' } }), 201)
		await ok(post(`${t.base}/objectives/${o.key}/key-results`, { ...t.member, json: { title: `Measure ${word}`, startValue: 0, targetValue: 1 } }), 201)
		const c = await ok(post(`${t.path}/stories/${s.key}/comments`, { ...t.member, json: { body: `Said about ${word} here` } }), 201)
		const { list: [i] } = insights(t, 1, { title: `Insight ${word}` })
		const { number, id: sprintId } = sprint(t)
		sql(`UPDATE sprints SET goal = 'Goal ${word}' WHERE id = ${lit(sprintId)};
		     INSERT INTO epics (workspace_id, project_id, title) VALUES (${lit(t.id)}, ${lit(t.project.id)}, 'Epic ${word}');
		     UPDATE projects SET description = 'Project of ${word}' WHERE id = ${lit(t.project.id)};
		     UPDATE users SET name = 'Person ${word}' WHERE id = ${lit(t.member.id)}`)
		const hits = await search(word)
		const at = Object.fromEntries(hits.map(h => [h.type, h]))
		assert.deepEqual(Object.keys(at).sort(), ['comment', 'epic', 'insight', 'key_result', 'objective', 'person', 'project', 'sprint', 'story'])
		assert.equal(hits.length, 9)
		const p = `/w/${t.slug}/p/${t.project.key}`
		assert.deepEqual([at.story.key, at.story.path], [s.key, `${p}/stories/${s.key}`])
		assert.deepEqual([at.comment.key, at.comment.title, at.comment.path, at.comment.author.id], [s.key, s.title, `${p}/stories/${s.key}#c-${c.id}`, t.member.id])
		assert.equal(shown(at.comment), `Said about [${word}] here`)
		assert.deepEqual([at.objective.key, at.objective.path], [o.key, `/w/${t.slug}/objectives/${o.key}`])
		assert.equal(at.key_result.path, `/w/${t.slug}/objectives/${o.key}`)
		assert.equal(at.insight.path, `/w/${t.slug}/insights/I-${i.number}`)
		assert.equal(at.sprint.path, `${p}/sprints/${number}`)
		assert.equal(shown(at.sprint), `Goal [${word}]`)
		assert.equal(at.project.path, p)
		assert.equal(at.person.title, `Person ${word}`)
		for (const type of Object.keys(at)) assert.deepEqual((await search(word, { more: `&type=${type}` })).map(h => h.type), [type])
		assert.deepEqual((await search(word, { more: '&type=story,epic' })).map(h => h.type).sort(), ['epic', 'story'])
		assert.deepEqual(titles(await search('plinth')), [s.title])
	})
	test('what is changed is found by its new words, what is deleted no longer', async () => {
		const [old, now] = [`zo${unique()}`, `zn${unique()}`]
		const s = await story({ title: old })
		const c = await ok(post(`${t.path}/stories/${s.key}/comments`, { ...t.member, json: { body: `${old} said` } }), 201)
		assert.equal((await search(old)).length, 2)
		await ok(patch(`${t.path}/stories/${s.key}`, { ...t.member, json: { version: 1, title: now } }))
		assert.deepEqual((await search(old)).map(h => h.type), ['comment'])
		assert.deepEqual(titles(await search(now)), [now])
		await ok(patch(`${t.path}/stories/${s.key}/comments/${c.id}`, { ...t.member, json: { version: 1, body: now } }))
		assert.deepEqual(await search(old), [])
		sql(`UPDATE stories SET deleted_at = now() WHERE id = ${lit(s.id)}`)
		assert.deepEqual(await search(now), [], 'its comments go with it')
		sql(`UPDATE stories SET deleted_at = NULL WHERE id = ${lit(s.id)}`)
		assert.equal((await search(now)).length, 2, 'and come back with it')
		await call('DELETE', `${t.path}/stories/${s.key}/comments/${c.id}`, t.member)
		assert.deepEqual((await search(now)).map(h => h.type), ['story'])
	})
	test('a key typed in full comes first, in any case, and its page is where the search leads', async () => {
		const s = await story({ title: 'Known by its key' })
		await story({ title: `See ${s.key} for more` })
		const [first] = await search(s.key.toLowerCase())
		assert.equal(first.id, s.id)
		const cookie = await browser(t.viewer)
		const page = await get(`/w/${t.slug}/search?q=${s.key}`, { cookie })
		assert.equal(page.status, 303)
		assert.equal(page.headers.location, `/w/${t.slug}/p/${t.project.key}/stories/${s.key}`)
		const { list: [i] } = insights(t)
		assert.equal((await get(`/w/${t.slug}/search?q=i-${i.number}`, { cookie })).headers.location, `/w/${t.slug}/insights/I-${i.number}`)
		assert.equal((await get(`/w/${t.slug}/search?q=${t.project.key}-999999`, { cookie })).status, 200)
	})
})

describe('words', () => {
	let x
	const one = async q => titles(await search(q))
	before(async () => {
		x = `zw${unique()}`
		await story({ title: `${x} Capture the payment on dispatch`, description: `Refunding ${x}a ${x}b` })
		await story({ title: `${x} Dispatch captures`, description: `${x}b ${x}a payment` })
		await story({ title: `Unrelated`, description: `mentions ${x} Zahlung für Übergröße` })
	})
	test('are all needed', async () => {
		assert.equal((await one(`${x} payment`)).length, 2)
		assert.deepEqual(await one(`${x} payment refunding the`), [`${x} Capture the payment on dispatch`])
	})
	test('match by their stem', async () => assert.deepEqual(await one(`refunds ${x}`), [`${x} Capture the payment on dispatch`]))
	test('the last one may be a beginning, the others not', async () => {
		assert.equal((await one(`${x} paym`)).length, 2)
		assert.equal((await one(`paym ${x}`)).length, 0)
		assert.equal((await one(x.slice(0, -2))).length, 3)
	})
	test('in quotes stand in a row', async () => {
		assert.deepEqual(await one(`"${x}a ${x}b"`), [`${x} Capture the payment on dispatch`])
		assert.deepEqual(await one(`"${x}b ${x}a"`), [`${x} Dispatch captures`])
	})
	test('with a minus are not there', async () => assert.deepEqual(await one(`${x} -payment`), ['Unrelated']))
	test('either of two', async () => assert.equal((await one(`zahlung or ${x}a`)).length, 3))
	test('in a title weigh more than in a text', async () => assert.equal((await one(x)).at(-1), 'Unrelated'))
	test('of other languages keep their letters', async () => assert.deepEqual(await one('ÜBERgröße'), ['Unrelated']))
	test('that are few and common find nothing rather than everything', async () => {
		for (const q of ['', ' ', 'the', '-', '""', '!!!', '😀', '*']) assert.ok((await get(`${t.base}/search?q=${encodeURIComponent(q)}`, t.viewer)).status < 500)
		assert.deepEqual((await ok(get(`${t.base}/search`, t.viewer))).items, [])
	})
})

test('pages of a search go through every hit once, best first', async () => {
	const x = `zp${unique()}`
	for (let i = 0; i < 45; i++) await story({ title: i % 3 ? `Number ${i} ${x}` : `Number ${i}`, description: i % 3 ? '' : `${x} ${'filler '.repeat(i)}` })
	const seen = []
	for (let next = ''; next !== null;) {
		const page = await ok(get(`${t.base}/search?q=${x}&limit=10${next && `&cursor=${encodeURIComponent(next)}`}`, t.viewer))
		seen.push(...titles(page.items))
		next = page.next
	}
	assert.equal(new Set(seen).size, 45)
	assert.ok(seen.slice(0, 30).every(title => title.endsWith(x)))
})

describe('tenancy', () => {
	test("another tenant's text is never found, nor shown", async () => {
		const x = `zt${unique()}`
		await story({ title: x, description: x })
		const theirs = await ok(post(`${other.path}/stories`, { ...other.owner, json: { title: `${x} theirs` } }), 201)
		assert.deepEqual(titles(await search(x)), [x])
		assert.deepEqual(titles(await search(x, { who: other.owner, base: other.base })), [`${x} theirs`])
		await refused(get(`${t.base}/search?q=${x}`, other.owner), 404, 'not_found')
		assert.deepEqual(await search(theirs.key), [])
		assert.deepEqual(await search(other.owner.name.replace('Owner', x)), [])
		// the tenant's mark in the index is nothing that can be typed
		for (const q of [` ${other.id}`, other.id, `' ${other.id}'`, `${x} or ${other.id}`, `" ${other.id}"`])
			assert.ok(!(await get(`${t.base}/search?q=${encodeURIComponent(q)}`, t.viewer)).text.includes('theirs'), q)
	})
	test('outside a tenant the function finds nothing, and nobody reads its table', () => {
		assert.equal(sql(`SELECT count(*) FROM gnomon.search('story', '{}')`, 'gnomon_web'), '0')
		for (const role of ['gnomon_web', 'gnomon_worker', 'gnomon_stream']) assert.match(sqlRefused('SELECT count(*) FROM search_entries', role), /permission denied/)
	})
	test('000-017: what is private is found by its members and admins only', async () => {
		const x = `zs${unique()}`
		const p = await ok(post(`${t.base}/projects`, { ...t.member, json: { key: newKey(), name: `Private ${x}` } }), 201)
		sql(`UPDATE projects SET is_private = true WHERE id = ${lit(p.id)}`)
		const path = `/api/v1/projects/${p.id}`
		const s = await story({ title: `Secret ${x}` }, t.member, path)
		await ok(post(`${path}/stories/${s.id}/comments`, { ...t.member, json: { body: `Whisper ${x}` } }), 201)
		insights(t, 1, { title: `Insight ${x}`, project_id: p.id })
		const o = await ok(post(`${t.base}/objectives`, { ...t.member, json: { title: `Aim ${x}`, projectId: p.id, startDate: '2026-10-01', endDate: '2026-12-31' } }), 201)
		const all = hits => hits.map(h => h.type).sort()
		assert.deepEqual(all(await search(x, { who: t.member })), ['comment', 'insight', 'objective', 'project', 'story'])
		assert.deepEqual(all(await search(x, { who: t.owner })), ['comment', 'insight', 'objective', 'project', 'story'])
		assert.deepEqual(await search(x), [])
		for (const key of [s.key, o.key]) assert.deepEqual(await search(key), [])
		const guest = await newUser('Guest')
		join(t.id, guest, 'viewer')
		assert.deepEqual(await search(x, { who: guest }), [])
		sql(`INSERT INTO project_members (workspace_id, project_id, user_id, role) VALUES (${lit(t.id)}, ${lit(p.id)}, ${lit(guest.id)}, 'viewer')`)
		assert.equal((await search(x, { who: guest })).length, 5)
	})
})

test('a rare word reads a few pages of 30,000 entries, a common one what is new and no more', async () => {
	const { id, owner } = await tenant({ stories: 0 })
	const { sid } = JSON.parse(Buffer.from(owner.token.split('.')[1], 'base64url'))
	sql(`INSERT INTO search_entries (workspace_id, entity_id, entity_type, document)
	     SELECT ${lit(id)}, gnomon.uuid7(), 'story', gnomon.search_document(${lit(id)}, 'story', 'Everywhere ' || n, 'needle' || n / 10)
	       FROM generate_series(1, 30000) n;
	     VACUUM ANALYZE search_entries`)
	const look = words => {
		const out = sql(`BEGIN; SELECT 1 FROM gnomon.enter(NULL, ${lit(sid)}, ${lit(id)}, NULL, NULL, 1, false) \\g /dev/null
			SELECT count(*) FROM gnomon.search(${lit(words)}, '{}') \\g /dev/null
			SELECT json_build_array(count(*), bool_or(is_partial)) FROM gnomon.search(${lit(words)}, '{}');
			EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT * FROM gnomon.search(${lit(words)}, '{}'); COMMIT`, 'gnomon_web')
		const [counted, ...plan] = out.split('\n')
		return [...JSON.parse(counted), JSON.parse(plan.join('\n'))[0].Plan['Shared Hit Blocks']]
	}
	const pages = Number(sql(`SELECT pg_relation_size('search_entries') / 8192`))
	const [rare, rarePartial, rareBlocks] = look('needle2345')
	assert.deepEqual([rare, rarePartial], [10, false])
	assert.ok(rareBlocks < 150, `${rareBlocks} blocks of ${pages}`)
	const [common, commonPartial, commonBlocks] = look('everywhere')
	assert.ok(common <= 1000 && common > 100, `${common} hits`)
	assert.equal(commonPartial, true)
	assert.ok(commonBlocks < 10000, `${commonBlocks} blocks`)
	assert.deepEqual(look('everywhere needle2345').slice(0, 2), [10, false])
	sql(`DELETE FROM search_entries WHERE workspace_id = ${lit(id)}`)
})

describe('nothing that is typed is anything but words', () => {
	const corpus = ["'", "''", '"', '"unclosed', "'; DROP TABLE stories; --", '%', '_', '\\', '\\\\', '&', '|', '!', '&|!', '(', ')', '((', '<->', 'a <-> b', 'a & b', 'a | b',
		'!a', 'a:*', ':*', 'a:A', "a'b", 'a\\b', "\\'", '*', '?', '$1', ':q', '{q: x}', '%s', '%1$s', '😀', '😀 story', '𝕏', '漢字', 'é', '\u202e', '\u0001', '\u0002x', '\t\n', '-', '--', '-story',
		'or', 'or or or', 'story or', '"" ""', '<script>alert(1)</script>', '</b>', '&lt;', 'http://example.org/a?b=c', 'a@b.c', '1e400', '-1', '0x1', 'NULL', 'true', 'x'.repeat(200),
		'a '.repeat(100), '"'.repeat(200), '('.repeat(200), "'".repeat(199), ' '.repeat(200), '😀'.repeat(100), 'AC-', 'AC-0', 'AC-999999999', 'AC-9999999999', 'I-1', 'O-1', 'ac-1 x']
	for (const q of corpus)
		test(`${JSON.stringify(q).slice(0, 40)} answers`, async () => {
			const page = await ok(get(`${t.base}/search?q=${encodeURIComponent(q)}`, t.viewer))
			for (const hit of page.items) assert.ok(hit.title && (hit.path || hit.type === 'person'))
		})
	test('201 characters are refused', () => refused(get(`${t.base}/search?q=${'x'.repeat(201)}`, t.viewer), 422, 'validation_failed'))
})

describe('001-133: a script in any text shows as text', () => {
	const evil = mark => `<script>alert('${mark}')</script><img src=x onerror=alert(1)>"'><svg/onload=alert(2)>`
	test('on every page that shows it, snippets included', async () => {
		const x = `zx${unique()}`
		const text = `${x} ${evil(x)}`
		const cookie = await browser(t.owner)
		const s = await story({ title: text, description: text, acceptanceCriteria: [text] })
		await ok(post(`${t.path}/stories/${s.key}/comments`, { ...t.member, json: { body: `${text} [a](javascript:alert(3)) **b**` } }), 201)
		const o = await ok(post(`${t.base}/objectives`, { ...t.member, json: { title: text, description: text, startDate: '2026-10-01', endDate: '2026-12-31' } }), 201)
		const k = await ok(post(`${t.base}/objectives/${o.key}/key-results`, { ...t.member, json: { title: text, unit: '<b>', startValue: 0, targetValue: 1 } }), 201)
		await ok(post(`${t.base}/objectives/${o.key}/key-results/${k.id}/check-ins`, { ...t.member, json: { value: 1, confidence: 5, note: text } }), 201)
		await ok(post(`${t.base}/objectives/${o.key}/comments`, { ...t.member, json: { body: text } }), 201)
		insights(t, 1, { title: text })
		sql(`UPDATE users SET name = ${lit(`${x} <script>alert(4)</script>`)} WHERE id = ${lit(t.member.id)}`)
		for (const path of [`/search?q=${x}`, `/search?q=${encodeURIComponent(`${x}<script>alert(5)</script>`)}`, `/search?q=script`, '/objectives', `/objectives/${o.key}`, `/p/${t.project.key}/stories/${s.key}`,
			`/objectives?q=${encodeURIComponent('<script>alert(6)</script>')}`]) {
			const page = await get(`/w/${t.slug}${path}`, { cookie })
			assert.equal(page.status, 200, path)
			assert.ok(!/<script|<img|<svg\/|onerror=alert\(1\)>|href="?javascript:/i.test(page.text.replace(/&lt;.*?&gt;/g, '')), `${path}: ${/.{80}(<script|<img|<svg\/|javascript:).{80}/i.exec(page.text)?.[0]}`)
			assert.match(page.headers['content-security-policy'], /script-src 'self'|default-src 'none'/)
		}
		const hits = await search(x, { who: t.owner })
		assert.ok(hits.length >= 7)
		const said = shown(hits.find(h => h.type === 'story'))
		assert.ok(said.includes(`<script>`) && said.includes(`[${x}]`), said)
	})
})
