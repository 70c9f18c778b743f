// The activity feed and the history of one entity: every row of the history,
// once and in order, in words, with what was before and after.
import { before, describe, test } from 'node:test'
import { assert, browser, call, get, join, lit, newUser, ok, patch, post, randomUUID, refused, revision, sql, sqlLater, tenant } from './lib.mjs'

let t

/** Every page of a list, by its cursor. */
async function walk(path, who, query = '') {
	const items = []
	let next = ''
	for (let pages = 0; pages < 2000; pages++) {
		const page = await ok(get(`${path}?${query}${next && `&cursor=${encodeURIComponent(next)}`}`, who))
		items.push(...page.items)
		if (!page.next) return items
		next = page.next
	}
	return assert.fail('the walk does not end')
}
const inHistory = (t_, more = '') => sql(`SELECT string_agg(rev || ' ' || entity_id, ',' ORDER BY rev, entity_id) FROM events
	WHERE workspace_id = ${lit(t_.id)} AND scope_id = ${lit(t_.project.id)} ${more}`).split(',')
const found = items => items.map(i => `${i.revision} ${i.entity.id}`)

before(async () => {
	t = await tenant({ roles: ['member', 'viewer'], stories: 3 })
	const [one, two] = t.stories
	await ok(patch(`${t.path}/stories/${one.id}`, { ...t.owner, json: { version: 1, status: 'ready', assigneeId: t.member.id } }))
	await ok(patch(`${t.path}/stories/${one.id}`, { ...t.member, json: { version: 2, estimate: 5, title: 'Ring the bell' } }))
	await ok(patch(`${t.path}/stories/${two.id}`, { ...t.member, json: { version: 1, priority: 'urgent' } }))
	sql(`INSERT INTO sprints (workspace_id, project_id, name, start_date, end_date) VALUES (${lit(t.id)}, ${lit(t.project.id)}, 'Sprint 1', '2026-11-01', '2026-11-14');
	     INSERT INTO sprint_items (workspace_id, project_id, sprint_id, story_id) SELECT workspace_id, project_id, id, ${lit(one.id)} FROM sprints WHERE workspace_id = ${lit(t.id)};
	     UPDATE sprints SET status = 'active' WHERE workspace_id = ${lit(t.id)};
	     INSERT INTO dependencies (workspace_id, project_id, source_id, target_id, dependency_type) VALUES (${lit(t.id)}, ${lit(t.project.id)}, ${lit(one.id)}, ${lit(two.id)}, 'blocks')`)
})

describe('001-084: the feed', () => {
	test('newest first and oldest first, all of it, once, in order', async () => {
		const all = inHistory(t)
		assert.deepEqual(found(await walk(`${t.path}/events`, t.owner, 'limit=3&order=oldest')), all)
		assert.deepEqual(found(await walk(`${t.path}/events`, t.viewer, 'limit=2')), [...all].reverse())
		assert.equal(new Set(all).size, all.length)
	})
	test('back and forth gives the same pages', async () => {
		const first = await ok(get(`${t.path}/events?limit=3`, t.owner))
		const second = await ok(get(`${t.path}/events?limit=3&cursor=${encodeURIComponent(first.next)}`, t.owner))
		const again = await ok(get(`${t.path}/events?limit=3&cursor=${encodeURIComponent(second.previous)}`, t.owner))
		assert.deepEqual(found(again.items), found(first.items))
	})
	test('while others write: what was there comes once, in order; the newest come last', async () => {
		const u = await tenant({ roles: ['member'], stories: 4 })
		let writing = true
		let written = 0
		const writers = u.stories.slice(0, 3).map(async (story, i) => {
			for (let version = 1; writing; written++)
				({ version } = await ok(patch(`${u.path}/stories/${story.id}`, { ...(i ? u.owner : u.member), json: { version, title: `Title ${version}` } })))
		})
		const bulk = (async () => {
			for (; writing; written++)
				await sqlLater(`UPDATE stories SET position = position + 1 WHERE id = ${lit(u.stories[3].id)}`)
		})()
		await new Promise(r => setTimeout(r, 400))
		for (const [order, sign] of [['oldest', 1], ['newest', -1]]) {
			const begun = inHistory(u)
			const seen = found(await walk(`${u.path}/events`, u.owner, `limit=7&order=${order}`))
			assert.equal(new Set(seen).size, seen.length, 'an event came twice')
			const there = new Set(seen)
			assert.deepEqual(begun.filter(e => !there.has(e)), [], 'an event is missing')
			const revs = seen.map(e => Number(e.split(' ')[0]))
			assert.deepEqual(revs, [...revs].sort((a, b) => sign * (a - b)))
		}
		writing = false
		await Promise.all([...writers, bulk])
		assert.ok(written > 20, `only ${written} writes`)
		assert.deepEqual(found(await walk(`${u.path}/events`, u.owner, 'limit=200&order=oldest')), inHistory(u))
	})
	const filters = [
		['entityType=story', `AND entity_type = 'story'`],
		['entityType=sprint,dependency', `AND entity_type IN ('sprint', 'dependency')`],
		['entityType=story&entityType=story', `AND entity_type = 'story'`],
		['action=moved', `AND action = 'moved'`],
		['action=moved,created&entityType=story', `AND action IN ('moved', 'created') AND entity_type = 'story'`],
		['since=3', 'AND rev > 3'],
		['since=1&action=updated', `AND rev > 1 AND action = 'updated'`],
		['entityType=nothing', 'AND false'],
	]
	for (const [query, condition] of filters)
		test(`${query} gives what the history has`, async () => {
			const all = inHistory(t, condition).filter(Boolean)
			assert.deepEqual(found(await walk(`${t.path}/events`, t.owner, `limit=2&order=oldest&${query}`)), all)
			assert.deepEqual(found(await walk(`${t.path}/events`, t.owner, `limit=2&${query}`)), [...all].reverse())
		})
	test('by actor', async () => {
		const all = await walk(`${t.path}/events`, t.owner, `actorId=${t.member.id}&order=oldest`)
		assert.deepEqual(all.map(e => e.actor), Array(2).fill({ id: t.member.id, name: 'Person member' }))
		assert.deepEqual(found(all), inHistory(t, `AND actor_id = ${lit(t.member.id)}`))
	})
	test('since what one has seen gives what came after, and in the end nothing', async () => {
		const { items: [newest] } = await ok(get(`${t.path}/events?limit=1`, t.owner))
		assert.equal(newest.revision, revision(t))
		assert.deepEqual((await ok(get(`${t.path}/events?since=${newest.revision}`, t.owner))).items, [])
	})
	test('says in words who did what, with names beside ids', async () => {
		const items = await walk(`${t.path}/events`, t.owner, 'order=oldest')
		const key = `${t.project.key}-1`
		assert.deepEqual(items.slice(1).map(i => i.said), [
			`created ${key}`, `created ${t.project.key}-2`, `created ${t.project.key}-3`,
			`moved ${key} from backlog to ready and gave it to Person member`,
			`estimated ${key} at 5 points and renamed it from "Story 1" to "Ring the bell"`,
			`changed the priority of ${t.project.key}-2 from medium to urgent`,
			'created Sprint 1', `added ${key} to Sprint 1`, 'started Sprint 1',
			`noted that ${key} blocks ${t.project.key}-2`,
		])
		const gave = items[4]
		assert.deepEqual(gave.entity, { type: 'story', id: t.stories[0].id, key, name: 'Ring the bell', path: `p/${t.project.key}/stories/${key}` })
		assert.deepEqual(gave.changes.find(c => c.field === 'assigneeId'), { field: 'assigneeId', old: null, new: t.member.id, oldName: null, newName: 'Person member' })
		assert.deepEqual(gave.changes.find(c => c.field === 'status'), { field: 'status', old: 'backlog', new: 'ready' })
		assert.deepEqual(gave.words, { before: 'moved ', after: ' from backlog to ready and gave it to Person member' })
		assert.deepEqual([gave.count, gave.action, gave.aiTriggered, gave.actor.id], [1, 'moved', false, t.owner.id])
		assert.equal(items.at(-1).actor, null)
		assert.deepEqual(items.at(-3).changes.find(c => c.field === 'sprintId').newName, 'Sprint 1')
	})
	test('of another project is not told', async () => {
		const u = await tenant()
		await refused(get(`${t.path}/events`, u.owner), 404, 'not_found')
		assert.deepEqual((await ok(get(`${u.path}/events?actorId=${t.owner.id}`, u.owner))).items, [])
	})
})

describe('001-083: what was done at once', () => {
	test('a reorder of 50 is one entry with its count', async () => {
		const u = await tenant({ stories: 0 })
		sql(`INSERT INTO stories (workspace_id, project_id, title, position) SELECT ${lit(u.id)}, ${lit(u.project.id)}, 'S' || g, g FROM generate_series(1, 50) g`)
		const from = revision(u)
		const ids = sql(`SELECT id FROM stories WHERE workspace_id = ${lit(u.id)} ORDER BY position DESC`).split('\n')
		await ok(patch(`${u.path}/stories/reorder`, { ...u.owner, json: { ids } }))
		assert.equal((await walk(`${u.path}/events`, u.owner, `since=${from}`)).length, 50)
		const grouped = await walk(`${u.path}/events`, u.owner, 'group=transaction&limit=2')
		assert.deepEqual(grouped.map(g => [g.count, g.said]), [[50, 'reordered 50 stories'], [50, 'created 50 stories'], [1, `created ${u.project.key}`]])
		assert.deepEqual([grouped[0].entity, grouped[0].action, grouped[0].changes, grouped[0].words], [null, null, [], null])
		assert.equal(grouped[2].entity.type, 'project')
		const shown = await walk(`${u.path}/events`, u.owner, `transaction=${grouped[0].transaction}&limit=20`)
		assert.equal(shown.length, 50)
		assert.ok(shown.every(e => e.action === 'moved' && e.said.startsWith('moved ') && e.said.endsWith(' in the order')))
		assert.deepEqual((await walk(`${u.path}/events`, u.owner, 'group=transaction&limit=1&order=oldest')).map(g => g.count), [1, 50, 50])
	})
	test('several statements of one transaction are one entry, in the words of each', async () => {
		const u = await tenant({ stories: 4 })
		const from = revision(u)
		sql(`BEGIN;
		     UPDATE stories SET status = 'done' WHERE id = ${lit(u.stories[0].id)};
		     UPDATE stories SET estimate = 3 WHERE workspace_id = ${lit(u.id)} AND number > 1;
		     COMMIT`)
		const [entry, ...more] = await walk(`${u.path}/events`, u.owner, `since=${from}&group=transaction`)
		assert.deepEqual(more, [])
		assert.deepEqual([entry.count, entry.revision, entry.said], [4, from + 1, `moved ${u.project.key}-1 from backlog to done and changed 3 stories`])
		const [only] = await walk(`${u.path}/events`, u.owner, `since=${from}&group=transaction&action=updated`)
		assert.deepEqual([only.count, only.said], [3, 'changed 3 stories'])
		const [one] = await walk(`${u.path}/events`, u.owner, `since=${from}&group=transaction&action=moved`)
		assert.deepEqual([one.count, one.entity.key], [1, `${u.project.key}-1`])
	})
	test('the walk over entries is whole in both directions while others write', async () => {
		const u = await tenant({ stories: 2 })
		for (let i = 0; i < 12; i++)
			sql(`BEGIN; UPDATE stories SET position = position + 1 WHERE workspace_id = ${lit(u.id)}; UPDATE stories SET estimate = ${i} WHERE id = ${lit(u.stories[i % 2].id)}; COMMIT`)
		const total = Number(sql(`SELECT count(*) FROM events WHERE workspace_id = ${lit(u.id)} AND scope_id = ${lit(u.project.id)}`))
		for (const order of ['newest', 'oldest']) {
			const seen = await walk(`${u.path}/events`, u.owner, `group=transaction&limit=3&order=${order}`)
			assert.equal(seen.reduce((n, e) => n + e.count, 0), total)
			assert.equal(new Set(seen.map(e => e.transaction)).size, seen.length)
		}
	})
})

describe("001-085: an entity's history", () => {
	test('is all of one story, with both values of each field', async () => {
		const items = await walk(`${t.path}/entities/story/${t.stories[0].id}/events`, t.viewer, 'limit=2&order=oldest')
		assert.deepEqual(found(items), inHistory(t, `AND entity_id = ${lit(t.stories[0].id)}`))
		assert.deepEqual(items.map(i => i.action), ['created', 'moved', 'updated'])
		assert.deepEqual(items[2].changes, [{ field: 'estimate', old: null, new: 5 }, { field: 'title', old: 'Story 1', new: 'Ring the bell' }])
		assert.deepEqual(found(await walk(`${t.path}/entities/story/${t.stories[0].id}/events`, t.viewer, 'limit=2')), found(items).reverse())
	})
	test('of a sprint and of the project, too', async () => {
		const id = sql(`SELECT id FROM sprints WHERE workspace_id = ${lit(t.id)}`)
		assert.deepEqual((await walk(`${t.path}/entities/sprint/${id}/events`, t.owner)).map(i => i.said), ['started Sprint 1', 'created Sprint 1'])
		assert.equal((await walk(`${t.path}/entities/project/${t.project.id}/events`, t.owner)).length, 1)
	})
	test('is not found under another type, in another project, or when there is none', async () => {
		for (const path of [`epic/${t.stories[0].id}`, `story/${randomUUID()}`, `project/${t.id}`])
			await refused(get(`${t.path}/entities/${path}/events`, t.owner), 404, 'not_found')
		const u = await tenant()
		await refused(get(`${u.path}/entities/story/${t.stories[0].id}/events`, u.owner), 404, 'not_found')
	})
})

describe('the workspace', () => {
	test('has a feed of what belongs to no project', async () => {
		const u = await tenant()
		await ok(call('PUT', `${u.base}/agents/configs/sprint_risk`, { ...u.owner, json: { enabled: true } }))
		const items = await walk(`${u.base}/events`, u.owner)
		assert.equal(items[0].said, 'switched sprint_risk on')
		assert.ok(items.every(i => i.entity.type !== 'story'))
	})
})

describe('the page', () => {
	test('reads as sentences under headings of days, in the zone of the workspace', async () => {
		const u = await newUser('Nia Night')
		join(t.id, u, 'member')
		sql(`UPDATE workspaces SET timezone = 'Pacific/Auckland' WHERE id = ${lit(t.id)}`)
		sql(`BEGIN; SET LOCAL gnomon.clock = '2026-11-19 11:30:00+00'; SET LOCAL gnomon.actor = ${lit(u.id)};
		     UPDATE stories SET estimate = 8 WHERE id = ${lit(t.stories[2].id)}; COMMIT`)
		const cookie = await browser(t.owner)
		const r = await get(`/w/${t.slug}/p/${t.project.key}/activity`, { cookie })
		assert.equal(r.status, 200)
		assert.match(r.text, new RegExp(`Nia Night estimated <a href="/w/${t.slug}/p/${t.project.key}/stories/${t.project.key}-3">${t.project.key}-3 Story 3</a> at 8 points\\.`))
		assert.match(r.text, /<h3>20 Nov/)
		assert.match(r.text, /<time datetime="2026-11-19T11:30:00Z">20 Nov[^<]* 00:30<\/time>/)
		const only = await get(`/w/${t.slug}/p/${t.project.key}/activity?actorId=${u.id}`, { cookie })
		assert.equal(only.text.match(/<time /g).length, 1)
		sql(`UPDATE workspaces SET timezone = 'UTC' WHERE id = ${lit(t.id)}`)
	})
	test("of a story tells its history in the same words", async () => {
		const cookie = await browser(t.owner)
		const { text } = await get(`/w/${t.slug}/p/${t.project.key}/stories/${t.project.key}-1`, { cookie })
		assert.match(text, /Person member estimated it at 5 points and renamed it from &quot;Story 1&quot; to &quot;Ring the bell&quot;\./)
		assert.match(text, /Olga Owner moved it from backlog to ready and gave it to Person member\./)
		assert.match(text, /Olga Owner created it\./)
	})
})
