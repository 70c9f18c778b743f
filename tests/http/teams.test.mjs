// Teams: people, leads, projects.
import { before, describe, test } from 'node:test'
import { assert, browser, call, csrf, get, join, lit, newUser, ok, origin, patch, post, refused, rows, sql, tenant, unique } from './lib.mjs'

const del = (path, options) => call('DELETE', path, options)
let t, at
before(async () => {
	t = await tenant({ roles: ['viewer', 'member', 'admin'] })
	at = `${t.base}/teams`
})

describe('000-051: teams', () => {
	test('are made, read, changed and deleted', async () => {
		const name = `Crew ${unique()}`
		const made = await ok(post(at, { ...t.admin, json: { name, description: 'Looks after boats.' } }), 201)
		assert.deepEqual([made.name, made.description, made.memberCount, made.version], [name, 'Looks after boats.', 0, 1])
		await refused(post(at, { ...t.admin, json: { name: name.toUpperCase() } }), 409, 'conflict')
		const is = await ok(patch(`${at}/${made.id}`, { ...t.admin, json: { version: 1, description: 'Ships.' } }))
		assert.deepEqual([is.name, is.description, is.version], [name, 'Ships.', 2])
		const error = await refused(patch(`${at}/${made.id}`, { ...t.admin, json: { version: 1, name: 'Late' } }), 409, 'version_conflict')
		assert.equal(error.details.current.description, 'Ships.')
		assert.ok((await ok(get(at, t.viewer))).items.some(x => x.id === made.id))
		assert.equal((await del(`${at}/${made.id}`, t.admin)).status, 204)
		await refused(get(`${at}/${made.id}`, t.admin), 404)
		await ok(post(at, { ...t.admin, json: { name } }), 201) // the name is free again
		assert.deepEqual(rows(`SELECT action FROM audit_log WHERE workspace_id = ${lit(t.id)} AND entity_id = ${lit(made.id)} ORDER BY number`).map(r => r.action),
			['team.created', 'team.changed', 'team.deleted'])
	})
	test('have members and leads of the workspace, and nobody else', async () => {
		const team = await ok(post(at, { ...t.owner, json: { name: `L ${unique()}` } }), 201)
		await ok(post(`${at}/${team.id}/members`, { ...t.owner, json: { userId: t.member.id } }), 201)
		await ok(call('PUT', `${at}/${team.id}/members/${t.viewer.id}`, { ...t.owner, json: { isLead: true } }))
		const detail = await ok(get(`${at}/${team.id}`, t.viewer))
		assert.deepEqual(detail.members.map(m => [m.id, m.isLead]), [[t.viewer.id, true], [t.member.id, false]])
		assert.deepEqual((await ok(get(`${t.base}/members?teamId=${team.id}`, t.owner))).items.map(m => m.id).sort(), [t.member.id, t.viewer.id].sort())
		assert.deepEqual((await ok(get(`${t.base}/members/${t.viewer.id}`, t.owner))).teams, [{ id: team.id, name: team.name, isLead: true }])
		await ok(call('PUT', `${at}/${team.id}/members/${t.viewer.id}`, { ...t.owner, json: { isLead: false } }))
		assert.equal((await del(`${at}/${team.id}/members/${t.member.id}`, t.owner)).status, 204)
		await refused(del(`${at}/${team.id}/members/${t.member.id}`, t.owner), 404)
		const stranger = await newUser()
		await refused(post(`${at}/${team.id}/members`, { ...t.owner, json: { userId: stranger.id } }), 404)
		await refused(call('PUT', `${at}/${team.id}/members/${stranger.id}`, { ...t.owner, json: { isLead: false } }), 404)
	})
	test('a project names a team, whose deletion takes it off projects and stories', async () => {
		const team = await ok(post(at, { ...t.owner, json: { name: `P ${unique()}` } }), 201)
		const { version } = await ok(get(t.path, t.owner))
		await ok(patch(t.path, { ...t.owner, json: { version, teamId: team.id } }))
		sql(`UPDATE stories SET team_id = ${lit(team.id)} WHERE id = ${lit(t.stories[0].id)}`)
		assert.deepEqual((await ok(get(`${at}/${team.id}`, t.viewer))).projects.map(p => p.id), [t.project.id])
		assert.equal((await del(`${at}/${team.id}`, t.owner)).status, 204)
		assert.equal((await ok(get(t.path, t.owner))).team, null)
		assert.equal(sql(`SELECT team_id IS NULL FROM stories WHERE id = ${lit(t.stories[0].id)}`), 't')
		assert.equal(sql(`SELECT count(*) FROM events WHERE workspace_id = ${lit(t.id)} AND entity_id = ${lit(t.stories[0].id)} AND changes ? 'team_id' AND actor_id = ${lit(t.owner.id)}`), '1')
	})
	test('000-017: a member of team A gets no insight of private team B’s project', async () => {
		const [a, b] = [await ok(post(at, { ...t.owner, json: { name: `A ${unique()}` } }), 201), await ok(post(at, { ...t.owner, json: { name: `B ${unique()}` } }), 201)]
		await ok(post(`${at}/${a.id}/members`, { ...t.owner, json: { userId: t.member.id } }), 201)
		const { insights, newKey } = await import('./lib.mjs')
		const p = await ok(post(`${t.base}/projects`, { ...t.owner, json: { key: newKey(), name: 'Of B', teamId: b.id, isPrivate: true } }), 201)
		insights({ ...t, project: p }, 1, { title: 'Only for B' })
		for (const who of [t.member, t.viewer])
			for (const query of ['', `?teamId=${b.id}`, '?q=Only']) assert.deepEqual((await ok(get(`${t.base}/insights${query}`, who))).items, [])
		assert.equal((await ok(get(`${t.base}/insights?teamId=${b.id}`, t.admin))).items.length, 1)
		const lead = await newUser()
		join(t.id, lead, 'viewer')
		await ok(post(`/api/v1/projects/${p.id}/members`, { ...t.owner, json: { userId: lead.id, role: 'viewer' } }), 201)
		assert.equal((await ok(get(`${t.base}/insights`, lead))).items.length, 1)
	})
	test('the list pages by name', async () => {
		const names = []
		let cursor = ''
		do {
			const page = await ok(get(`${at}?limit=2${cursor && `&cursor=${encodeURIComponent(cursor)}`}`, t.viewer))
			names.push(...page.items.map(x => x.name))
			cursor = page.next
		} while (cursor)
		assert.equal(new Set(names).size, Number(sql(`SELECT count(*) FROM teams WHERE workspace_id = ${lit(t.id)} AND deleted_at IS NULL`)))
	})
	test('pages: made, filled, led, emptied and deleted without script', async () => {
		const cookie = await browser(t.admin)
		const page = `/w/${t.slug}/admin/teams`
		const token = await csrf(cookie, page)
		const send = (path, form) => post(path, { cookie, form: { csrf: token, ...form }, headers: { Origin: origin } })
		const made = await send(page, { name: `Page ${unique()}` })
		assert.equal(made.status, 303)
		const here = made.headers.location
		assert.match(here, /\/admin\/teams\/[0-9a-f-]{36}$/)
		assert.equal((await send(`${here}/members`, { userId: t.member.id })).status, 303)
		assert.equal((await send(`${here}/members/${t.member.id}`, { isLead: 'true' })).status, 303)
		assert.match((await get(here, { cookie })).text, /Make plain member/)
		assert.equal((await send(here, { version: '1', name: 'Paged' })).status, 303)
		assert.equal((await send(here, { version: '1', name: 'Late' })).status, 409)
		assert.equal((await send(`${here}/members/${t.member.id}/remove`, {})).status, 303)
		assert.match((await get(here, { cookie })).text, /Nobody is in this team yet/)
		assert.equal((await send(`${here}/delete`, {})).status, 303)
		assert.equal((await get(here, { cookie })).status, 404)
	})
})
