// What models may do in a workspace: the policy, its features, the kill switch, and
// what is used, over the API and by its pages.
import { execFileSync } from 'node:child_process'
import { before, describe, test } from 'node:test'
import { assert, BIN, browser, call, csrf, DB, get, lit, newUser, ok, origin, pointers, post, refused, rows, sql, tenant } from './lib.mjs'

const put = (path, options) => call('PUT', path, options)
let t
const path = what => `${t.base}/ai/${what}`
const change = (json, who = t.owner) => put(path('policy'), { ...who, json })
const audits = action => rows(`SELECT actor_id, details FROM audit_log WHERE workspace_id = ${lit(t.id)} AND action = ${lit(action)} ORDER BY number`)
const gnomonctl = (...args) => {
	try {
		return { out: execFileSync(`${BIN}/gnomonctl`, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, DATABASE_URL: DB } }), code: 0 }
	} catch (error) {
		return { out: error.stdout + error.stderr, code: error.status }
	}
}
/** A call from begin to end, for somebody and a project, as the worker makes it. */
function use(feature, { input = 100, output = 50, user = null, project = null, model = 'sandbox/one', outcome = 'succeeded' } = {}) {
	const inside = text => sql(`SELECT set_config('gnomon.workspace', ${lit(t.id)}, false) \\g /dev/null\n${text}`, 'gnomon_worker')
	const r = JSON.parse(inside(`SELECT row_to_json(x) FROM gnomon.ai_begin(${lit(feature)}, 1000, 1000, ${lit(`{${model}}`)}, true, true, '30 s', ${lit(project)}, ${lit(user)}) x`))
	if (r.refused) return r.refused
	const [provider, name] = model.split('/')
	inside(`SELECT gnomon.ai_send(${lit(r.run)}, 1, ${lit(provider)}, ${lit(name)}, true)`)
	return JSON.parse(inside(`SELECT row_to_json(x) FROM gnomon.ai_end(${lit(r.run)}, 1, ${lit(outcome)}, ${input}, ${output}, NULL, 5, ${lit(provider)}, ${lit(name)}, NULL, NULL) x`))
}

before(async () => { t = await tenant({ roles: ['admin', 'member', 'viewer'], stories: 0 }) })

describe('the policy', () => {
	test('000-026, 000-028: an admin reads it, everything is off; a member may not', async () => {
		const p = await ok(get(path('policy'), t.admin))
		assert.deepEqual({ ...p, updatedAt: undefined }, { enabled: false, monthlyTokenBudget: 0, monthlyRunBudget: 0, monthlyCostBudgetMicros: -1, allowedFeatures: {},
			warnAt: [50, 80, 100], runDays: 395, isStopped: false, stoppedAt: null, stoppedBy: null, stoppedWhy: '', version: 1, updatedAt: undefined })
		for (const who of [t.member, t.viewer]) await refused(get(path('policy'), who), 403, 'forbidden')
		await refused(get(path('policy'), await newUser()), 404, 'not_found')
	})
	test('000-029, 000-040: a change is read back, the audit log has old and new, a member may not', async () => {
		const p = await ok(change({ enabled: true, monthlyTokenBudget: 100000, monthlyRunBudget: -1, monthlyCostBudget: 12.5, allowedFeatures: { 'agent.sprint_risk': true }, warnAt: [80], version: 1 }))
		assert.equal(p.monthlyCostBudgetMicros, 12500000)
		assert.equal(p.version, 2)
		assert.deepEqual(await ok(get(path('policy'), t.admin)), p)
		assert.deepEqual(audits('ai.policy_changed').at(-1), { actor_id: t.owner.id, details: { enabled: [false, true], monthly_token_budget: [0, 100000], monthly_run_budget: [0, -1],
			monthly_micros_budget: [-1, 12500000], allowed_features: [{}, { 'agent.sprint_risk': true }], warn_at: [[50, 80, 100], [80]] } })
		const before_ = audits('ai.policy_changed').length
		for (const who of [t.member, t.viewer]) await refused(change({ enabled: false }, who), 403, 'forbidden')
		assert.deepEqual(await ok(change({ enabled: true })), p, 'a change of nothing is none')
		assert.equal(audits('ai.policy_changed').length, before_)
	})
	test('a stale version is refused with the copy in force', async () => {
		const e = await refused(change({ enabled: false, version: 1 }), 409, 'version_conflict')
		assert.equal(e.details.current.monthlyTokenBudget, 100000)
		assert.equal((await ok(get(path('policy'), t.owner))).enabled, true)
	})
	test('what is no policy is refused by its fields', async () => {
		const cases = [[{ monthlyTokenBudget: -2 }, '/monthlyTokenBudget'], [{ warnAt: [0] }, '/warnAt/0'], [{ allowedFeatures: { 'chat.general': 'yes' } }, '/allowedFeatures/chat.general'],
			[{ runDays: 0 }, '/runDays'], [{ monthlyRunBudget: 2147483648 }, '/monthlyRunBudget'], [{ allowedFeatures: { 'agent.no_such': true } }, '/allowedFeatures']]
		for (const [json, pointer] of cases) {
			const e = await refused(change(json), 422, 'validation_failed')
			assert.deepEqual(pointers(e), [pointer], JSON.stringify(json))
		}
	})
	test('000-004: a feature goes off, on and off again: no row and no column more or less, no restart', async () => {
		const all = () => sql(`SELECT (SELECT count(*) FROM pg_attribute), (SELECT count(*) FROM ai_feature_settings WHERE workspace_id = ${lit(t.id)}), (SELECT count(*) FROM ai_policy_settings WHERE workspace_id = ${lit(t.id)})`)
		const set = is => ok(put(path('features/chat.general'), { ...t.owner, json: { isAllowed: is } }))
		await set(false)
		const was = all()
		assert.equal(use('chat.general'), 'feature_not_allowed')
		await set(true)
		assert.equal(use('chat.general').status, 'succeeded')
		await set(false)
		assert.equal(use('chat.general'), 'feature_not_allowed')
		assert.equal(all(), was)
	})
	test('a feature has its own budgets and models; what there is not is not found', async () => {
		const f = await ok(put(path('features/ops.changelog'), { ...t.owner, json: { isAllowed: true, monthlyTokenBudget: 2500, models: ['sandbox/one', 'openai/gpt-4.1'] } }))
		assert.deepEqual([f.isAllowed, f.monthlyTokenBudget, f.monthlyRunBudget, f.models], [true, 2500, -1, ['sandbox/one', 'openai/gpt-4.1']])
		assert.equal(use('ops.changelog').status, 'succeeded')
		assert.equal(use('ops.changelog', { input: 1000, output: 900 }).status, 'succeeded')
		assert.equal(use('ops.changelog'), 'budget_exceeded')
		const { items } = await ok(get(path('features'), t.admin))
		assert.equal(items.length, 18)
		const mine = items.find(x => x.key === 'ops.changelog')
		assert.deepEqual([mine.usedTokens, mine.usedRuns, mine.isAllowed], [2050, 2, true])
		assert.deepEqual(audits('ai.feature_changed').at(-1).details.models, [[], ['sandbox/one', 'openai/gpt-4.1']])
		await refused(put(path('features/no.such'), { ...t.owner, json: { isAllowed: true } }), 404, 'not_found')
		for (const json of [{ models: ['nothing'] }, { models: ['a/b', 'a/b'] }, { isAllowed: 1 }])
			await refused(put(path('features/ops.changelog'), { ...t.owner, json }), 422, 'validation_failed')
	})
	test('002-015: every price has its source', async () => {
		const { items } = await ok(get(path('models'), t.viewer))
		assert.ok(items.length >= 15)
		assert.ok(items.every(m => m.source && m.inputMicros >= 0))
		assert.equal(items.find(m => m.name === 'anthropic/claude-sonnet-4').outputMicros, 15000000)
	})
})

describe('the kill switch', () => {
	test('000-100: an admin pulls it, calls are refused at once, it is in the audit log; a member may not', async () => {
		await refused(put(path('kill-switch'), { ...t.member, json: { stop: true } }), 403, 'forbidden')
		assert.equal(use('agent.sprint_risk'), 'feature_not_allowed', 'the agent is off')
		sql(`UPDATE agent_configs SET enabled = true WHERE workspace_id = ${lit(t.id)}`)
		assert.equal(use('agent.sprint_risk').status, 'succeeded')
		const started = Date.now()
		const p = await ok(put(path('kill-switch'), { ...t.admin, json: { stop: true, why: 'odd answers' } }))
		assert.deepEqual([p.isStopped, p.stoppedBy.id, p.stoppedWhy, p.enabled], [true, t.admin.id, 'odd answers', true])
		assert.equal(use('agent.sprint_risk'), 'ai_disabled')
		assert.ok(Date.now() - started < 30000)
		assert.equal((await ok(put(path('kill-switch'), { ...t.admin, json: { stop: false } }))).isStopped, false)
		assert.equal(use('agent.sprint_risk').status, 'succeeded')
		assert.deepEqual([audits('ai.stopped').length, audits('ai.resumed').length], [1, 1])
		const said = (await ok(get(`${t.base}/audit?limit=100`, t.owner))).items.filter(e => e.action.startsWith('ai.')).map(e => e.says)
		assert.ok(said.includes('pulled the kill switch of AI: odd answers'), said.join('\n'))
		assert.ok(said.some(x => /^changed the AI feature ops\.changelog: .*is allowed from false to true/.test(x)), said.join('\n'))
		assert.ok(said.some(x => /^was refused a model for chat\.general: The policy/.test(x)), said.join('\n'))
		assert.ok(said.some(x => /^changed the AI policy: /.test(x)), said.join('\n'))
	})
	test('000-108: switched off by policy and switch, nothing is lost', async () => {
		const counts = () => rows(`SELECT (SELECT count(*) FROM ai_runs WHERE workspace_id = ${lit(t.id)}) AS runs, (SELECT count(*) FROM agent_insights WHERE workspace_id = ${lit(t.id)}) AS insights,
			(SELECT sum(cost_micros) FROM ai_usage_daily WHERE workspace_id = ${lit(t.id)}) AS cost, (SELECT count(*) FROM agent_configs WHERE workspace_id = ${lit(t.id)}) AS agents`)
		const was = counts()
		await ok(put(path('kill-switch'), { ...t.owner, json: { stop: true } }))
		await ok(change({ enabled: false }))
		assert.deepEqual(counts(), was)
		await ok(change({ enabled: true }))
		await ok(put(path('kill-switch'), { ...t.owner, json: { stop: false } }))
		assert.deepEqual(counts(), was)
	})
	test('gnomonctl: policy show, set and price, kill-switch, check', async () => {
		assert.match(gnomonctl('kill-switch', 'on', '--workspace', t.slug, '--why', 'drill').out, /is pulled\.$/m)
		assert.equal(use('agent.sprint_risk'), 'ai_disabled')
		assert.match(gnomonctl('policy', 'show', '--workspace', t.slug).out, /kill switch is pulled: drill/)
		assert.match(gnomonctl('kill-switch', 'off', '--workspace', t.slug).out, /is back\.$/m)
		const { out, code } = gnomonctl('policy', 'set', '--workspace', t.slug, '--tokens', '777777', '--allow', 'predict.*,chat.title', '--forbid', 'agent.sprint_risk')
		assert.equal(code, 0, out)
		const p = await ok(get(path('policy'), t.owner))
		assert.equal(p.monthlyTokenBudget, 777777)
		assert.deepEqual([p.allowedFeatures['predict.estimate'], p.allowedFeatures['chat.title'], p.allowedFeatures['agent.sprint_risk']], [true, true, false])
		for (const bad of [['policy', 'set', '--workspace', t.slug, '--tokens', 'many'], ['policy', 'set', '--workspace', t.slug, '--allow', 'no.such'], ['policy'], ['kill-switch', 'perhaps'], ['policy', 'price', 'x', '1', '1']])
			assert.notEqual(gnomonctl(...bad).code, 0, bad.join(' '))
		assert.equal(gnomonctl('policy', 'set', '--workspace', t.slug, '--allow', 'agent.sprint_risk').code, 0)
		const priced = gnomonctl('policy', 'price', 'compatible/tested-here', '1000000', '2000000', '--source', 'a test')
		assert.equal(priced.code, 0, priced.out)
		assert.equal(use('agent.sprint_risk', { model: 'compatible/tested-here', input: 10, output: 10 }).cost_micros, 30)
		const fine = gnomonctl('check')
		assert.ok(!fine.out.includes(t.slug), fine.out)
		sql(`UPDATE ai_ledger SET spent_tokens = spent_tokens + 1 WHERE workspace_id = ${lit(t.id)} AND scope = '*'`)
		const wrong = gnomonctl('check')
		assert.equal(wrong.code, 1)
		assert.match(wrong.out, new RegExp(`^BAD  ${t.slug}: the ledger of`, 'm'))
		sql(`UPDATE ai_ledger SET spent_tokens = spent_tokens - 1 WHERE workspace_id = ${lit(t.id)} AND scope = '*'`)
	})
})

describe('usage', () => {
	test('000-037, 000-101, 001-091: month and totals by feature, model, project and person equal the runs, and what is left is shown', async () => {
		use('agent.sprint_risk', { project: t.project.id, user: t.member.id })
		use('agent.sprint_risk', { project: t.project.id, model: 'openai/gpt-4.1', input: 1000, output: 10, outcome: 'failed' })
		use('chat.title', { user: t.member.id, input: 7, output: 3 })
		const u = await ok(get(path('usage'), t.admin))
		const sums = (by, names) => rows(`SELECT ${by}, count(*) AS runs, sum(a.input_tokens)::int8 AS "inputTokens", sum(a.output_tokens)::int8 AS "outputTokens", sum(a.cost_micros)::int8 AS "costMicros"
			FROM ai_runs a JOIN ai_reservations r ON r.workspace_id = a.workspace_id AND r.run_id = a.id
			WHERE a.workspace_id = ${lit(t.id)} AND r.state <> 'held' GROUP BY ${names}`)
		const flat = list => list.map(x => JSON.stringify(x)).sort()
		assert.deepEqual(flat(u.features), flat(sums('a.feature', 'a.feature')))
		assert.deepEqual(flat(u.models), flat(sums('a.provider, a.model', '1, 2')))
		assert.deepEqual(flat(u.projects.map(p => ({ id: p.project?.id ?? null, ...p, project: undefined }))), flat(sums('r.project_id AS id', '1')))
		assert.deepEqual(flat(u.users.map(p => ({ id: p.user?.id ?? null, ...p, user: undefined }))), flat(sums('r.user_id AS id', '1')))
		const all = key => u.features.reduce((n, f) => n + f[key], 0)
		for (const key of ['runs', 'inputTokens', 'outputTokens', 'costMicros']) assert.equal(u.totals[key], all(key), key)
		assert.deepEqual(u.budget.tokens, { budget: 777777, spent: u.totals.inputTokens + u.totals.outputTokens, reserved: 0, left: 777777 - u.totals.inputTokens - u.totals.outputTokens })
		assert.equal(u.budget.runs.left, null)
		assert.ok(u.refusals.some(r => r.feature === 'chat.general' && r.reason === 'feature_not_allowed' && r.count === 2))
	})
	test('people are named to admins, and to themselves', async () => {
		const names = async who => (await ok(get(path('usage'), who))).users.map(u => u.user?.id ?? null).sort()
		assert.deepEqual(await names(t.admin), [null, t.member.id].sort())
		assert.deepEqual(await names(t.member), [null, t.member.id].sort())
		assert.deepEqual(await names(t.viewer), [null])
	})
	test('001-168, 000-071: runs are forgotten when their days are over, sums and what agents did stay', async () => {
		const [{ id }] = rows(`SELECT id FROM ai_runs WHERE workspace_id = ${lit(t.id)} AND status = 'succeeded' ORDER BY id LIMIT 1`)
		const agent = sql(`INSERT INTO agent_runs (workspace_id, agent_key, trigger_type, ai_run_id) VALUES (${lit(t.id)}, 'sprint_risk', 'manual', ${lit(id)}) RETURNING id`)
		await ok(change({ runDays: 40 }))
		sql(`INSERT INTO ai_payloads (workspace_id, run_id, part, sealed, created_at) SELECT workspace_id, id, 'request', 's', now() - interval '31 days' FROM ai_runs WHERE workspace_id = ${lit(t.id)} AND id <> ${lit(id)} LIMIT 1`)
		const before_ = await ok(get(path('usage'), t.admin))
		const runs = () => Number(sql(`SELECT count(*) FROM ai_runs WHERE workspace_id = ${lit(t.id)}`))
		const n = runs()
		sql('SELECT gnomon.forget_ai()', 'gnomon_worker')
		assert.equal(runs(), n)
		assert.equal(sql(`SELECT count(*) FROM ai_payloads WHERE workspace_id = ${lit(t.id)}`), '0', 'what was said goes before the run')
		sql(`UPDATE ai_runs SET created_at = now() - interval '41 days' WHERE id = ${lit(id)}`)
		sql('SELECT gnomon.forget_ai()', 'gnomon_worker')
		assert.equal(runs(), n - 1)
		assert.equal(sql(`SELECT ai_run_id IS NULL FROM agent_runs WHERE id = ${lit(agent)}`), 't')
		assert.deepEqual((await ok(get(path('usage'), t.admin))).totals, before_.totals)
	})
})

describe('pages', () => {
	let cookie, token
	const form = (where, fields) => post(`/w/${t.slug}/admin/ai${where}`, { cookie, form: { csrf: token, ...fields }, headers: { Origin: origin } })
	before(async () => {
		cookie = await browser(t.owner)
		token = await csrf(cookie, `/w/${t.slug}/admin/ai`)
	})
	test('000-100: the policy changes by its form, without script', async () => {
		const { version } = await ok(get(path('policy'), t.owner))
		const r = await form('', { version, enabled: 'true', monthlyTokenBudget: '5000', monthlyRunBudget: '-1', monthlyCostBudget: '2.75', warnAt: '[]', runDays: '400' })
		assert.equal(r.status, 303, r.text.slice(0, 300))
		const p = await ok(get(path('policy'), t.owner))
		assert.deepEqual([p.monthlyTokenBudget, p.monthlyCostBudgetMicros, p.warnAt, p.runDays], [5000, 2750000, [], 400])
		const page = await get(`/w/${t.slug}/admin/ai`, { cookie })
		assert.match(page.text, /value="2\.75"/)
		const bad = await form('', { version: p.version, enabled: 'true', monthlyTokenBudget: '-5', monthlyRunBudget: '-1', monthlyCostBudget: '2.75', runDays: '400' })
		assert.equal(bad.status, 422)
		assert.match(bad.text, /value="-5"/)
		assert.equal((await form('', { version: 1, enabled: 'false', monthlyTokenBudget: '1', monthlyRunBudget: '1', monthlyCostBudget: '1', runDays: '1' })).status, 409)
	})
	test('a feature is allowed, and gets budget and models, by its forms', async () => {
		assert.equal((await form('/features/chat.project/allow', { isAllowed: 'true' })).status, 303)
		const { version } = await ok(get(path('policy'), t.owner))
		const r = await form('/features/chat.project', { version, isAllowed: 'true', monthlyTokenBudget: '1234', monthlyRunBudget: '-1', monthlyCostBudget: '-1', models: 'openai/gpt-4.1\nsandbox/one' })
		assert.equal(r.status, 303, r.text.slice(0, 300))
		const f = (await ok(get(path('features'), t.owner))).items.find(x => x.key === 'chat.project')
		assert.deepEqual([f.isAllowed, f.monthlyTokenBudget, f.models], [true, 1234, ['openai/gpt-4.1', 'sandbox/one']])
	})
	test('the kill switch is pulled and put back by its form; a member sees no policy', async () => {
		assert.equal((await form('/kill-switch', { stop: 'true', why: 'drill' })).status, 303)
		assert.match((await get(`/w/${t.slug}/admin/ai`, { cookie })).text, /The kill switch is pulled/)
		assert.match((await get(`/w/${t.slug}/usage`, { cookie })).text, /The kill switch is pulled/)
		assert.equal((await form('/kill-switch', { stop: 'false' })).status, 303)
		const other = await browser(t.member)
		assert.equal((await get(`/w/${t.slug}/admin/ai`, { cookie: other })).status, 403)
		const usage = await get(`/w/${t.slug}/usage`, { cookie: other })
		assert.equal(usage.status, 200)
		assert.doesNotMatch(usage.text, /admin\/ai/)
	})
	test('000-101: the usage page shows cost by feature, model, project and person', async () => {
		const { text } = await get(`/w/${t.slug}/usage`, { cookie })
		for (const word of ['Sprint risk', 'gpt-4.1', t.project.name, 'Person member', 'Calls that were refused', 'The policy does not allow it']) assert.ok(text.includes(word), word)
	})
})
