// The audit log: every change of rights stands in it, in a chain that shows when
// somebody touched it.
import { execFile } from 'node:child_process'
import { before, describe, test } from 'node:test'
import { assert, BIN, browser, call, DB, get, join, lit, newKey, newUser, ok, password, patch, post, refused, rows, signIn, sql, sqlRefused, tenant, unique } from './lib.mjs'

const del = (path, options) => call('DELETE', path, options)
const ctl = (...args) => new Promise(resolve =>
	execFile(`${BIN}/gnomonctl`, args, { env: { ...process.env, DATABASE_URL: DB } }, (error, out, err) => resolve({ status: error?.code ?? 0, out, err })))
const verify = t => ctl('audit', 'verify', '--workspace', t.slug)
let t
/** A tenant with n further entries, after a sign-in and a project. */
async function written(n = 3) {
	const w = await tenant({ stories: 0 })
	for (let i = 0; i < n; i++) await ok(post(`${w.base}/teams`, { ...w.owner, json: { name: `T${i}` } }), 201)
	return w
}
before(async () => {
	t = await tenant({ roles: ['viewer', 'member', 'admin'] })
})

describe('entries', () => {
	test('every act on members, projects, teams and settings leaves one that says it in words', async () => {
		const who = await newUser('Ada Audit')
		join(t.id, who, 'viewer')
		const team = await ok(post(`${t.base}/teams`, { ...t.owner, json: { name: 'Boats' } }), 201)
		const p = await ok(post(`${t.base}/projects`, { ...t.owner, json: { key: newKey(), name: 'Hull' } }), 201)
		const named = `${p.key} Hull`
		const acts = [
			[() => patch(t.base, { ...t.owner, json: { version: 1, timezone: 'Asia/Tokyo' } }), 'changed the workspace: timezone from UTC to Asia/Tokyo'],
			[() => patch(`${t.base}/members/${who.id}`, { ...t.owner, json: { version: 1, role: 'member' } }), 'changed the role of Ada Audit from viewer to member'],
			[() => patch(`${t.base}/members/${who.id}`, { ...t.owner, json: { version: 2, scopes: ['ops', 'hr'] } }), 'changed the data scopes of Ada Audit to hr, ops'],
			[() => post(`${t.base}/invitations`, { ...t.owner, json: { email: 'eva@example.org', role: 'viewer' } }), 'invited eva@example.org as viewer'],
			[() => post(`${t.base}/projects`, { ...t.owner, json: { key: newKey(), name: 'Keel', isPrivate: true } }), /^made the private project \w+ Keel$/],
			[() => patch(`/api/v1/projects/${p.id}`, { ...t.owner, json: { version: 1, isPrivate: true } }), `changed the project ${named}: is private from false to true`],
			[() => post(`/api/v1/projects/${p.id}/members`, { ...t.owner, json: { userId: who.id, role: 'viewer' } }), `added Ada Audit to the project ${named} as viewer`],
			[() => patch(`/api/v1/projects/${p.id}/members/${who.id}`, { ...t.owner, json: { version: 1, role: 'member' } }), `changed the role of Ada Audit in the project ${named} from viewer to member`],
			[() => del(`/api/v1/projects/${p.id}/members/${who.id}`, t.owner), `removed Ada Audit from the project ${named}`],
			[() => del(`/api/v1/projects/${p.id}`, t.owner), `archived the project ${named}`],
			[() => patch(`/api/v1/projects/${p.id}`, { ...t.owner, json: { version: 3, isArchived: false } }), `restored the project ${named}`],
			[() => post(`${t.base}/teams/${team.id}/members`, { ...t.owner, json: { userId: who.id } }), 'put Ada Audit into the team Boats'],
			[() => call('PUT', `${t.base}/teams/${team.id}/members/${who.id}`, { ...t.owner, json: { isLead: true } }), 'made Ada Audit a lead of the team Boats'],
			[() => del(`${t.base}/teams/${team.id}/members/${who.id}`, t.owner), 'took Ada Audit out of the team Boats'],
			[() => patch(`${t.base}/teams/${team.id}`, { ...t.owner, json: { version: 1, name: 'Ships' } }), 'changed the team Ships: name from Boats to Ships'],
			[() => del(`${t.base}/teams/${team.id}`, t.owner), 'deleted the team Ships'],
			[() => call('PUT', `${t.base}/agents/configs/sprint_risk`, { ...t.owner, json: { enabled: true } }), 'changed the agent sprint risk: enabled from false to true'],
			[() => del(`${t.base}/members/${who.id}`, t.owner), 'removed Ada Audit, who was member'],
		]
		for (const [act, words] of acts) {
			const before_ = Number(sql(`SELECT count(*) FROM audit_log WHERE workspace_id = ${lit(t.id)}`))
			const r = await act()
			assert.ok(r.status < 300, r.text)
			const { items } = await ok(get(`${t.base}/audit?limit=1`, t.admin))
			assert.equal(Number(sql(`SELECT count(*) FROM audit_log WHERE workspace_id = ${lit(t.id)}`)), before_ + 1, String(words))
			if (typeof words === 'string') assert.equal(items[0].says, words)
			else assert.match(items[0].says, words)
			assert.deepEqual(items[0].actor, { id: t.owner.id, name: 'Olga Owner' })
		}
	})
	test('001-137: who signed in, whose role changed, and what became of keys and passwords stand in it; the policy of an agent, too', async () => {
		const w = await tenant({ stories: 0 })
		const who = await newUser('Kay Key')
		join(w.id, who, 'member')
		const said = async (by = who) => (await ok(get(`${w.base}/audit?actorId=${by.id}`, w.owner))).items.map(e => e.says)
		const again = await signIn(who.email)
		const key = await ok(post('/api/v1/users/me/tokens', { ...again, json: { name: 'CI', scope: 'write' } }), 201)
		assert.equal((await del(`/api/v1/users/me/tokens/${key.id}`, again)).status, 204)
		await refused(post('/api/v1/auth/login', { json: { email: who.email, password: 'not the password' } }), 401)
		assert.equal((await post('/api/v1/users/me/password', { ...again, json: { password, newPassword: 'another long phrase' } })).status, 204)
		await browser({ email: who.email }).then(() => assert.fail('the old password'), () => {})
		assert.deepEqual(await said(), ['changed their password', 'deleted the API key CI', 'made the API key CI, which may write', 'signed in with Unknown program'])
		await ok(patch(`${w.base}/members/${who.id}`, { ...w.owner, json: { version: 1, role: 'viewer' } }))
		await ok(call('PUT', `${w.base}/agents/configs/sprint_risk`, { ...w.owner, json: { enabled: true } }))
		assert.deepEqual((await said(w.owner)).slice(0, 2), ['changed the agent sprint risk: enabled from false to true', 'changed the role of Kay Key from member to viewer'])
		// people are kept by id, and called as today
		await ok(patch('/api/v1/users/me', { ...again, json: { name: 'Kay Renamed' } }))
		assert.equal((await said(w.owner))[1], 'changed the role of Kay Renamed from member to viewer')
		assert.equal(sql(`SELECT count(*) FROM audit_log WHERE workspace_id = ${lit(w.id)} AND details::text LIKE '%Kay%'`), '0')
		assert.equal((await verify(w)).status, 0)
	})
	test('what changed nothing and what was refused leave none', async () => {
		const count = () => sql(`SELECT count(*) FROM audit_log WHERE workspace_id = ${lit(t.id)}`)
		const before_ = count()
		const member = await ok(get(`${t.base}/members/${t.member.id}`, t.owner))
		await ok(patch(`${t.base}/members/${t.member.id}`, { ...t.owner, json: { version: member.version, role: member.role } }))
		await ok(call('PUT', `${t.base}/agents/configs/sprint_risk`, { ...t.owner, json: { enabled: true } }))
		await refused(call('PUT', `${t.base}/agents/configs/sprint_risk`, { ...t.member, json: { enabled: false } }), 403, 'forbidden')
		await refused(patch(`${t.base}/members/${t.owner.id}`, { ...t.admin, json: { version: 1, role: 'viewer' } }), 403)
		await refused(del(`${t.base}/members/${t.owner.id}`, t.owner), 409)
		assert.equal(count(), before_)
	})
	test('are for admins, filtered, paged, and come as CSV by the page’s other door', async () => {
		await refused(get(`${t.base}/audit`, t.member), 403, 'forbidden')
		const all = await ok(get(`${t.base}/audit?limit=200`, t.admin))
		assert.deepEqual(all.items.map(e => e.number), all.items.map(e => e.number).toSorted((x, y) => y - x))
		const teams = await ok(get(`${t.base}/audit?action=team.created`, t.admin))
		assert.ok(teams.items.length && teams.items.every(e => e.action === 'team.created'))
		assert.equal((await ok(get(`${t.base}/audit?actorId=${t.viewer.id}`, t.admin))).items.length, 0)
		const one = all.items.find(e => e.entityId)
		assert.ok((await ok(get(`${t.base}/audit?entityType=${one.entityType}&entityId=${one.entityId}`, t.admin))).items.every(e => e.entityId === one.entityId))
		assert.equal((await ok(get(`${t.base}/audit?to=2020-01-01`, t.admin))).items.length, 0)
		const seen = []
		let cursor = ''
		do {
			const page = await ok(get(`${t.base}/audit?limit=5${cursor && `&cursor=${cursor}`}`, t.admin))
			seen.push(...page.items.map(e => e.number))
			cursor = page.next
		} while (cursor)
		assert.deepEqual(seen, all.items.map(e => e.number))
		const cookie = await browser(t.admin)
		const page = await get(`/w/${t.slug}/admin/audit`, { cookie })
		assert.match(page.text, /Olga Owner deleted the team Ships/)
		assert.match(page.text, /<option value="team\.created">Team created<\/option>/)
		const csv = await get(`/w/${t.slug}/admin/audit.csv?action=team.created`, { cookie })
		assert.match(csv.headers['content-type'], /^text\/csv/)
		assert.match(csv.text.split('\r\n')[0], /number.*says/)
		assert.equal(csv.text.trim().split('\r\n').length, teams.items.length + 1)
	})
	test('lists find their entries by index, whatever the filter', () => {
		const enter = `BEGIN; SELECT set_config('gnomon.workspace', ${lit(t.id)}, true) \\g /dev/null
			SET LOCAL enable_seqscan = off;`
		for (const where of ['true', `action = 'team.created'`, `actor_id = ${lit(t.owner.id)}`, `entity_id = ${lit(t.project.id)}`]) {
			const plan = sql(`${enter} EXPLAIN SELECT * FROM audit_log WHERE workspace_id = gnomon.workspace() AND ${where} ORDER BY number DESC LIMIT 51; COMMIT`, 'gnomon_web')
			assert.match(plan, /Index Scan/)
		}
	})
	test('no running role writes, changes or removes one but by gnomon.audit', () => {
		for (const role of ['gnomon_web', 'gnomon_worker', 'gnomon_stream'])
			for (const right of ['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'])
				assert.equal(sql(`SELECT has_table_privilege('${role}', 'audit_log', '${right}')`), 'f', `${role} ${right}`)
		const set = `SELECT set_config('gnomon.workspace', ${lit(t.id)}, false) \\g /dev/null\n`
		assert.match(sqlRefused(`${set}DELETE FROM audit_log`, 'gnomon_web'), /permission denied/)
		assert.match(sqlRefused(`${set}UPDATE audit_log SET details = '{}'`, 'gnomon_worker'), /permission denied/)
		assert.match(sqlRefused(`${set}SELECT gnomon.next_number(gnomon.workspace(), gnomon.workspace(), 'audit_log', 99)`, 'gnomon_web'), /permission denied/)
	})
})

describe('gnomonctl audit verify', () => {
	test('says how many entries there are, and the last hash', async () => {
		const w = await written()
		const { status, out } = await verify(w)
		assert.equal(status, 0, out)
		const [{ n, head }] = rows(`SELECT count(*) AS n, (array_agg(encode(hash, 'hex') ORDER BY number DESC))[1] AS head FROM audit_log WHERE workspace_id = ${lit(w.id)}`)
		assert.equal(out, `ok   ${w.slug}: ${n} entries, the last is ${head}\n`)
		assert.equal((await ctl('audit', 'verify', '--workspace', `no-${unique()}`)).status, 1)
		assert.equal((await ctl('audit')).status, 2)
	})
	const faults = [
		['one that was changed', w => `UPDATE audit_log SET details = '{"name": "Other"}' WHERE workspace_id = ${lit(w.id)} AND number = 3`, /entry 3: it is not what was written/],
		['one whose actor was changed', w => `UPDATE audit_log SET actor_id = NULL WHERE workspace_id = ${lit(w.id)} AND number = 2`, /entry 2: it is not what was written/],
		['one whose time was changed', w => `UPDATE audit_log SET at = at - interval '1 second' WHERE workspace_id = ${lit(w.id)} AND number = 4`, /entry 4: it is not what was written/],
		['one that was taken out', w => `DELETE FROM audit_log WHERE workspace_id = ${lit(w.id)} AND number = 2`, /entry 2: it is missing/],
		['the first, taken out', w => `DELETE FROM audit_log WHERE workspace_id = ${lit(w.id)} AND number = 1`, /entry 1: it is missing/],
		['the last, taken out', w => `DELETE FROM audit_log WHERE workspace_id = ${lit(w.id)} AND number = 5`, /entry 5: it is missing/],
		['all, taken out', w => `DELETE FROM audit_log WHERE workspace_id = ${lit(w.id)}`, /entry 1: it is missing/],
		['one put behind the last', w => `INSERT INTO audit_log SELECT workspace_id, number + 1, at, actor_id, action, entity_type, entity_id, details, hash FROM audit_log WHERE workspace_id = ${lit(w.id)} AND number = 5`, /entry 6: it is not what was written/],
		['one put behind the last with a right hash', w => `INSERT INTO audit_log SELECT (e).workspace_id, (e).number, (e).at, (e).actor_id, (e).action, (e).entity_type, (e).entity_id, (e).details, gnomon.audit_hash(h, e)
			FROM (SELECT ROW(workspace_id, 6, at, actor_id, action, entity_type, entity_id, details, hash)::audit_log AS e, hash AS h FROM audit_log WHERE workspace_id = ${lit(w.id)} AND number = 5) x`, /entry 6: it was never counted/],
		['one put in between', w => `UPDATE audit_log SET number = number + 100 WHERE workspace_id = ${lit(w.id)} AND number > 3;
			UPDATE audit_log SET number = number - 99 WHERE workspace_id = ${lit(w.id)} AND number > 100;
			INSERT INTO audit_log SELECT workspace_id, 4, at, actor_id, 'team.deleted', entity_type, entity_id, details, hash FROM audit_log WHERE workspace_id = ${lit(w.id)} AND number = 3`, /entry 4: it is not what was written/],
		['two that changed places', w => `UPDATE audit_log SET number = -number WHERE workspace_id = ${lit(w.id)} AND number IN (2, 3);
			UPDATE audit_log SET number = CASE number WHEN -2 THEN 3 ELSE 2 END WHERE workspace_id = ${lit(w.id)} AND number < 0`, /entry 2: it is not what was written/],
	]
	for (const [what, harm, words] of faults)
		test(`finds ${what}, by a superuser`, async () => {
			const w = await written()
			assert.equal(sql(`SELECT count(*) FROM audit_log WHERE workspace_id = ${lit(w.id)}`), '5')
			sql(`BEGIN; ${harm(w)}; COMMIT`)
			const { status, out } = await verify(w)
			assert.match(out, words)
			assert.match(out, new RegExp(`^BAD  ${w.slug}: `))
			assert.equal(status, 1)
			sql(`DELETE FROM audit_log WHERE workspace_id = ${lit(w.id)}; DELETE FROM counters WHERE workspace_id = ${lit(w.id)} AND kind = 'audit_log'`) // for the others
		})
	test('the last ones taken out and counted back are found by a hash that was noted', async () => {
		const w = await written()
		const [noted, kept] = rows(`SELECT encode(hash, 'hex') AS hash FROM audit_log WHERE workspace_id = ${lit(w.id)} AND number IN (3, 5) ORDER BY number DESC`)
		const holds = ({ hash }) => ctl('audit', 'verify', '--workspace', w.slug, '--holds', hash)
		assert.equal((await holds(noted)).status, 0)
		sql(`DELETE FROM audit_log WHERE workspace_id = ${lit(w.id)} AND number > 3;
		     UPDATE counters SET last = 3 WHERE workspace_id = ${lit(w.id)} AND kind = 'audit_log'`)
		assert.equal((await verify(w)).status, 0)
		assert.equal((await holds(kept)).status, 0)
		const { status, out } = await holds(noted)
		assert.equal(status, 1)
		assert.match(out, new RegExp(`BAD  ${w.slug}: no entry has the hash ${noted.hash}`))
		assert.equal((await ctl('audit', 'verify', '--holds', noted.hash)).status, 2)
	})
	test('50 writers at once leave no gap and one chain', async () => {
		const w = await tenant({ stories: 0 })
		await Promise.all(Array.from({ length: 50 }, (_, i) => ok(post(`${w.base}/teams`, { ...w.owner, json: { name: `C${i}` } }), 201)))
		assert.deepEqual(rows(`SELECT count(*) AS n, max(number) AS last, count(DISTINCT hash) AS hashes FROM audit_log WHERE workspace_id = ${lit(w.id)}`), [{ n: 52, last: 52, hashes: 52 }])
		assert.equal((await verify(w)).status, 0)
	})
	test('the end of a chain is what doctor looks at', async () => {
		const w = await written(1)
		const broken = () => Number(sql('SELECT gnomon.audit_heads_broken()'))
		const before_ = broken()
		sql(`UPDATE audit_log SET details = '{"x": 1}' WHERE workspace_id = ${lit(w.id)} AND number = 3`)
		assert.equal(broken(), before_ + 1)
		const { out } = await ctl('doctor')
		assert.match(out, /BAD {2}the audit log ends as it was written: run gnomonctl audit verify/)
		sql(`DELETE FROM audit_log WHERE workspace_id = ${lit(w.id)}; DELETE FROM counters WHERE workspace_id = ${lit(w.id)} AND kind = 'audit_log'`)
		assert.equal(broken(), before_)
	})
})
