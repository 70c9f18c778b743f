// The gate before models and the ledger behind it, as whoever calls them sees them:
// the order of refusals, what is reserved and settled, and, from many processes of
// which some are killed, that money cannot leak.
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { assert, lit, rows, session, sql, sqlRefused, unique } from '../http/lib.mjs'

const long = Boolean(process.env.GNOMON_LONG)
const FEATURES = ['agent.sprint_risk', 'chat.general', 'ops.changelog']
const MODEL = 'sandbox/penny'             // 1 micro a token in, 2 a token out
const DEAR = 'sandbox/pound'              // ten times that

/** A workspace with people and a project: by SQL, for nobody here signs in. */
async function tenant({ roles = [] } = {}) {
	const slug = `l-${unique()}`
	const [t] = rows(`WITH x AS MATERIALIZED (SELECT gnomon.uuid7() AS id)
		SELECT x.id, gen_random_uuid() AS project, json_object_agg(role, gnomon.uuid7()) AS people FROM x, unnest(ARRAY[${['owner', ...roles].map(lit)}]) role GROUP BY x.id`)
	const people = Object.entries(t.people)
	sql(`INSERT INTO workspaces (id, name, slug) VALUES (${lit(t.id)}, 'Ledger', ${lit(slug)});
	     SELECT gnomon.seed_workspace(${lit(t.id)});
	     ${people.map(([role, id]) => `INSERT INTO users (id, email, name) VALUES (${lit(id)}, ${lit(`${id}@example.org`)}, ${lit(role)});
	     INSERT INTO workspace_members (workspace_id, user_id, role) VALUES (${lit(t.id)}, ${lit(id)}, ${lit(role)});`).join('')}
	     INSERT INTO projects (workspace_id, id, key, name, slug) VALUES (${lit(t.id)}, ${lit(t.project)}, 'LE', 'Ledger', 'ledger')`)
	return { id: t.id, slug, project: { id: t.project }, ...Object.fromEntries(people.map(([role, id]) => [role, { id }])) }
}

/** Sets what a policy says, past its door. */
function policy(t, { tokens = -1, runs = -1, micros = -1, features = FEATURES, enabled = true } = {}) {
	sql(`UPDATE ai_workspace_policies SET enabled = ${enabled}, monthly_token_budget = ${tokens}, monthly_run_budget = ${runs},
	            allowed_features = ${lit(JSON.stringify(Object.fromEntries(features.map(f => [f, true]))))} WHERE workspace_id = ${lit(t.id)};
	     INSERT INTO ai_policy_settings (workspace_id, monthly_micros_budget) VALUES (${lit(t.id)}, ${micros})
	     ON CONFLICT (workspace_id) DO UPDATE SET monthly_micros_budget = excluded.monthly_micros_budget, stopped_at = NULL;
	     UPDATE agent_configs SET enabled = true WHERE workspace_id = ${lit(t.id)}`)
}
const featureBudget = (t, feature, { tokens = -1, runs = -1, micros = -1, models = [] }) =>
	sql(`INSERT INTO ai_feature_settings (workspace_id, feature, monthly_token_budget, monthly_run_budget, monthly_micros_budget, models)
	     VALUES (${lit(t.id)}, ${lit(feature)}, ${tokens}, ${runs}, ${micros}, ${lit(`{${models}}`)})
	     ON CONFLICT (workspace_id, feature) DO UPDATE SET monthly_token_budget = excluded.monthly_token_budget, monthly_run_budget = excluded.monthly_run_budget,
	            monthly_micros_budget = excluded.monthly_micros_budget, models = excluded.models`)

const beginText = ({ feature = FEATURES[0], prompt = 100, most = 100, offers = [MODEL], on = true, enforced = true, within = '30 s', project = null, behalf = null, parent = null } = {}) =>
	`SELECT row_to_json(x) FROM gnomon.ai_begin(${lit(feature)}, ${prompt}, ${lit(most)}, ${lit(`{${offers}}`)}, ${on}, ${enforced}, ${lit(within)}, ${lit(project)}, ${lit(behalf)}, NULL, ${lit(parent)}) x;`
const sendText = (r, { model = MODEL, enforced = true, lost = false, fence = r.fence } = {}) =>
	`SELECT row_to_json(x) FROM gnomon.ai_send(${lit(r.run)}, ${fence}, ${lit(model.split('/')[0])}, ${lit(model.split('/')[1])}, ${enforced}, ${lost}) x;`
const endText = (r, { outcome = 'succeeded', input = 0, output = 0, micros = null, fence = r.fence, model = null, code = null } = {}) =>
	`SELECT row_to_json(x) FROM gnomon.ai_end(${lit(r.run)}, ${fence}, ${lit(outcome)}, ${lit(input)}, ${lit(output)}, ${lit(micros)}, 7, ${lit(model && model.split('/')[0])}, ${lit(model && model.split('/')[1])}, ${lit(code)}, NULL) x;`
const inside = (t, user, text) =>
	`SELECT set_config('gnomon.workspace', ${lit(t.id)}, false), set_config('gnomon.actor', ${lit(user?.id ?? '')}, false) \\g /dev/null\n${text}`
const ask = (t, text, { user, role = 'gnomon_worker' } = {}) => JSON.parse(sql(inside(t, user, text), role))
const begin = (t, given, who) => ask(t, beginText(given), who)
const send = (t, r, given) => ask(t, sendText(r, given))
const end = (t, r, given) => ask(t, endText(r, given))
/** Begins, sends and ends at once. */
function use(t, { input = 100, output = 100, ...given } = {}, who) {
	const r = begin(t, given, who)
	if (r.refused) return r
	assert.equal(send(t, r).refused, null)
	return { ...r, ...end(t, r, { input, output }) }
}
const ledger = (t, scope = '*') => rows(`SELECT * FROM ai_ledger WHERE workspace_id = ${lit(t.id)} AND scope = ${lit(scope)} ORDER BY month DESC LIMIT 1`)[0]
const audits = (t, action) => rows(`SELECT * FROM audit_log WHERE workspace_id = ${lit(t.id)} AND action = ${lit(action)} ORDER BY number`)
const told = t => rows(`SELECT user_id, title, times FROM notifications WHERE workspace_id = ${lit(t.id)} AND kind = 'ai_budget' ORDER BY title, user_id`)
const expire = r => sql(`UPDATE ai_reservations SET lease_until = now() - interval '1 s' WHERE run_id = ${lit(r.run)}`)

/** What the books must say when nothing is under way. */
function balanced(t) {
	assert.deepEqual(rows(`
		SELECT l.scope, l.month FROM ai_ledger l
		  LEFT JOIN LATERAL (
		    SELECT coalesce(sum(r.tokens) FILTER (WHERE r.state = 'held'), 0) AS tokens, coalesce(sum(r.micros) FILTER (WHERE r.state = 'held'), 0) AS micros,
		           count(*) FILTER (WHERE r.state = 'held') AS runs,
		           coalesce(sum(a.input_tokens + a.output_tokens) FILTER (WHERE r.state <> 'held'), 0) AS used_tokens,
		           coalesce(sum(a.cost_micros) FILTER (WHERE r.state <> 'held'), 0) AS used_micros,
		           count(*) FILTER (WHERE r.state <> 'held' AND r.sent_at IS NOT NULL) AS used_runs
		      FROM ai_reservations r JOIN ai_runs a ON a.workspace_id = r.workspace_id AND a.id = r.run_id
		     WHERE r.workspace_id = l.workspace_id AND r.month = l.month AND l.scope IN ('*', r.feature)) s ON true
		 WHERE l.workspace_id = ${lit(t.id)}
		   AND (l.reserved_tokens, l.reserved_runs, l.reserved_micros, l.spent_tokens + l.overrun_tokens, l.spent_runs, l.spent_micros + l.overrun_micros)
		       IS DISTINCT FROM (s.tokens, s.runs, s.micros, s.used_tokens, s.used_runs, s.used_micros)`), [], 'the ledger is the sum of its runs')
	const day = (table, more = '') => sql(`SELECT coalesce(json_agg(x ORDER BY day, feature), '[]') FROM (SELECT day, feature, sum(run_count)::int8 AS runs, sum(input_tokens)::int8 AS i, sum(output_tokens)::int8 AS o, sum(cost_micros)::int8 AS c
		FROM ${table} WHERE workspace_id = ${lit(t.id)} ${more} GROUP BY day, feature) x`)
	const runs = sql(`SELECT coalesce(json_agg(x ORDER BY day, feature), '[]') FROM (SELECT (a.created_at AT TIME ZONE w.timezone)::date AS day, a.feature, count(*) AS runs, sum(a.input_tokens)::int8 AS i, sum(a.output_tokens)::int8 AS o, sum(a.cost_micros)::int8 AS c
		FROM ai_runs a JOIN workspaces w ON w.id = a.workspace_id WHERE a.workspace_id = ${lit(t.id)} AND a.started_at IS NOT NULL AND a.completed_at IS NOT NULL GROUP BY 1, 2) x`)
	assert.equal(day('ai_usage_daily'), runs)
	assert.equal(day('ai_usage_split'), runs)
}

before(() => sql(`INSERT INTO ml_models (name, version, config) VALUES
	(${lit(MODEL)}, '2026-01-01', '{"kind": "llm", "inputMicros": 1000000, "outputMicros": 2000000, "contextTokens": 100000, "maxOutputTokens": 50000, "source": "a test"}'),
	(${lit(DEAR)}, '2026-01-01', '{"kind": "llm", "inputMicros": 10000000, "outputMicros": 20000000, "contextTokens": 100000, "maxOutputTokens": 50000, "source": "a test"}')
	ON CONFLICT DO NOTHING`))
after(() => sql(`DELETE FROM ml_models WHERE config ->> 'source' = 'a test'`))

const catalog = table => rows(`SELECT a.attname AS name, format_type(a.atttypid, NULL) AS type, pg_get_expr(d.adbin, d.adrelid) AS given
	FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
	WHERE a.attrelid = ${lit(table)}::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`)
	.map(c => `${c.name} ${c.type}${c.given && !/now|uuid7/.test(c.given) ? ` ${c.given}` : ''}`)

describe('documented tables', () => {
	test('000-019: ai_workspace_policies is as the documents say, defaults included', () => {
		assert.deepEqual(catalog('ai_workspace_policies'), ['workspace_id uuid', 'enabled boolean false', 'monthly_token_budget bigint 0', 'monthly_run_budget integer 0',
			"allowed_features jsonb '{}'::jsonb", 'created_at timestamp with time zone', 'updated_at timestamp with time zone'])
	})
	test('000-021, 000-025: ai_runs and ai_usage_daily are as the documents say', () => {
		assert.deepEqual(catalog('ai_runs').map(c => c.split(' ')[0]), ['workspace_id', 'id', 'feature', 'provider', 'model', 'status', 'prompt_id', 'input_tokens', 'output_tokens',
			'cost_micros', 'latency_ms', 'error_code', 'error_message', 'started_at', 'completed_at', 'created_at'])
		assert.deepEqual(catalog('ai_usage_daily').map(c => c.split(' ')[0]), ['workspace_id', 'day', 'feature', 'run_count', 'input_tokens', 'output_tokens', 'cost_micros'])
	})
	test('002-015: ml_models has a name and version once, and every price its source', () => {
		assert.deepEqual(catalog('ml_models').map(c => c.split(' ')[0]), ['id', 'name', 'version', 'config', 'created_at', 'updated_at'])
		assert.match(sqlRefused(`INSERT INTO ml_models (name, version) SELECT name, version FROM ml_models LIMIT 1`), /ml_models_name_version_key/)
		assert.match(sqlRefused(`INSERT INTO ml_models (name, version, config) VALUES ('x/y', '1', '{"kind": "llm", "inputMicros": 1, "outputMicros": 1}')`), /check constraint/)
	})
	test('U18: every feature of the registry is there', () => {
		assert.deepEqual(rows('SELECT key FROM ai_features ORDER BY place').map(f => f.key), ['agent.sprint_risk', 'agent.objective_health', 'agent.workload_capacity', 'agent.backlog_hygiene',
			'agent.weekly_digest', 'agent.spec_to_backlog', 'agent.sprint_planner', 'agent.project_analyst', 'ops.log_summary', 'ops.ticket_triage', 'ops.changelog', 'chat.project',
			'chat.general', 'chat.title', 'predict.estimate', 'predict.priority', 'predict.assignee', 'predict.category'])
	})
	test('a price is that of the model, its undated name, its provider, or the dearest there is', () => {
		const cost = (name, i, o) => Number(sql(`SELECT gnomon.ai_cost(${lit(name)}, ${i}, ${o})`))
		assert.equal(cost('openai/gpt-4.1-mini', 1000000, 1000000), 2000000)
		assert.equal(cost('openai/gpt-4.1-mini-2025-04-14', 1000000, 0), 400000)
		assert.equal(cost('anthropic/claude-sonnet-4-20250514', 1000, 1000), 18000)
		assert.equal(cost('sandbox/anything', 1000000, 1000000), 0)
		assert.equal(cost('openai/gpt-4.1-nano', 1, 0), 1, 'rounded up')
		assert.equal(cost('openai/gpt-4.1-nano', 0, 0), 0)
		assert.equal(cost('openai/unheard-of', 1000000, 1000000), 15000000 + 75000000)
	})
})

describe('the gate', () => {
	let t
	before(async () => { t = await tenant({ roles: ['admin', 'member'] }) })

	test('000-003, 000-091, U16: a fresh workspace is refused, and one entry of the audit log says so', () => {
		for (let i = 0; i < 3; i++) assert.equal(begin(t).refused, 'policy_disabled')
		const [entry, ...more] = audits(t, 'ai.refused')
		assert.deepEqual(more, [])
		assert.equal(entry.details.reason, 'policy_disabled')
		assert.equal(entry.details.feature, FEATURES[0])
		assert.equal(sql(`SELECT refused_count FROM ai_refusals WHERE workspace_id = ${lit(t.id)}`), '3')
		assert.equal(sql(`SELECT count(*) FROM ai_runs WHERE workspace_id = ${lit(t.id)}`), '0')
		assert.equal(sql(`SELECT count(*) FROM ai_ledger WHERE workspace_id = ${lit(t.id)}`), '0')
	})
	test('U16: the switches are looked at in their order', () => {
		const word = given => begin(t, { most: 60, ...given }).refused
		policy(t, { enabled: false, tokens: 0, features: [] })
		assert.equal(word({ on: false }), 'ai_disabled')
		assert.equal(word(), 'policy_disabled')
		policy(t, { tokens: 0, features: [] })
		assert.equal(word(), 'feature_not_allowed')
		policy(t, { tokens: 0 })
		sql(`UPDATE agent_configs SET enabled = false WHERE workspace_id = ${lit(t.id)}`)
		assert.equal(word(), 'feature_not_allowed')
		assert.equal(word({ feature: 'chat.general' }), 'budget_exceeded')
		policy(t, { tokens: 0 })
		assert.equal(word({ offers: [] }), 'ai_disabled')
		assert.equal(word(), 'budget_exceeded')
		assert.equal(word({ feature: 'agent.no_such' }), 'feature_not_allowed')
		policy(t)
		assert.equal(word(), null)
		assert.equal(word({ prompt: 99999999 }), 'validation_failed')
	})
	test('U17: 0 allows nothing, -1 everything, a number that much to the token', () => {
		for (const meter of ['tokens', 'runs', 'micros']) {
			policy(t, { [meter]: 0 })
			const no = begin(t)
			assert.equal(no.refused, 'budget_exceeded', meter)
			assert.match(no.detail, new RegExp(meter))
			assert.ok(no.retry_after > 0 && no.retry_after <= 31 * 86400)
			policy(t, { [meter]: -1 })
			assert.equal(use(t).refused, null, meter)
		}
	})
	test('000-011, U17: two features of one workspace are metered apart, each within its own budget', async () => {
		const u = await tenant()
		policy(u, { tokens: 10000 })
		featureBudget(u, 'ops.changelog', { tokens: 500 })
		assert.equal(use(u, { feature: 'ops.changelog', input: 100, output: 100 }).refused, null)
		assert.equal(use(u, { feature: 'chat.general', input: 50, output: 20 }).refused, null)
		assert.equal(begin(u, { feature: 'ops.changelog', prompt: 301, most: 1 }).refused, 'budget_exceeded')
		assert.equal(begin(u, { feature: 'chat.general', prompt: 301, most: 1 }).refused, null)
		assert.deepEqual(rows(`SELECT feature, run_count, input_tokens, output_tokens, cost_micros FROM ai_usage_daily WHERE workspace_id = ${lit(u.id)} ORDER BY 1`), [
			{ feature: 'chat.general', run_count: 1, input_tokens: 50, output_tokens: 20, cost_micros: 90 },
			{ feature: 'ops.changelog', run_count: 1, input_tokens: 100, output_tokens: 100, cost_micros: 300 }])
		assert.equal(ledger(u, 'ops.changelog').spent_tokens, 200)
		assert.equal(ledger(u).spent_tokens, 270)
		balanced(u)
	})
	test('what is left is exactly what can be reserved', async () => {
		const u = await tenant()
		policy(u, { tokens: 1000 })
		const first = begin(u, { prompt: 500, most: 300 })
		assert.equal(first.reserved_tokens, 800)
		assert.equal(first.reserved_micros, 1100)
		assert.equal(begin(u, { prompt: 200, most: 1 }).refused, 'budget_exceeded')
		const second = begin(u, { prompt: 150, most: 50 })
		assert.equal(second.refused, null)
		send(u, first)
		end(u, first, { input: 500, output: 100 })
		assert.equal(begin(u, { prompt: 100, most: 101 }).refused, 'budget_exceeded')
		assert.equal(begin(u, { prompt: 100, most: 100 }).refused, null)
		balanced(u)
	})
	test('000-090: without enforcement what does not fit passes and is flagged', async () => {
		const u = await tenant()
		policy(u, { tokens: 150 })
		assert.equal(begin(u).refused, 'budget_exceeded')
		const r = begin(u, { enforced: false })
		assert.equal(r.refused, null)
		assert.equal(r.over_budget, true)
		assert.equal(send(u, r, { enforced: false }).refused, null)
		end(u, r, { input: 100, output: 100 })
		assert.equal(ledger(u).spent_tokens, 200)
		assert.equal(sql(`SELECT over_budget FROM ai_reservations WHERE run_id = ${lit(r.run)}`), 't')
		assert.equal(begin(u, { prompt: 1, most: 1 }).refused, 'budget_exceeded')
		assert.equal(begin(u, { prompt: 1, most: 1, enforced: false }).over_budget, true)
	})
	test('002-025: the 11th inference of a person within a minute is refused, kinds counted apart', async () => {
		const u = await tenant({ roles: ['member'] })
		policy(u, { features: [...FEATURES, 'predict.estimate', 'chat.project'] })
		const asks = (feature, user) => begin(u, { feature }, { user, role: 'gnomon_web' })
		for (let i = 0; i < 10; i++) assert.equal(asks(i % 2 ? 'chat.general' : 'chat.project', u.owner).refused, null)
		const no = asks('chat.general', u.owner)
		assert.equal(no.refused, 'rate_limited')
		assert.ok(no.retry_after >= 1 && no.retry_after <= 60, no.retry_after)
		assert.equal(ledger(u).reserved_runs, 10, 'nothing is reserved for it')
		assert.equal(asks('predict.estimate', u.owner).refused, null)
		assert.equal(asks('chat.general', u.member).refused, null)
		assert.equal(begin(u, { feature: 'chat.general', behalf: u.owner.id }).refused, null, 'a schedule is not a person')
		sql(`UPDATE ai_rates SET recent = ARRAY(SELECT t - interval '61 s' FROM unnest(recent) t) WHERE workspace_id = ${lit(u.id)}`)
		assert.equal(asks('chat.general', u.owner).refused, null)
	})
	test('the budget is looked at before the rate', async () => {
		const u = await tenant()
		policy(u, { runs: 10 })
		for (let i = 0; i < 10; i++) assert.equal(begin(u, { feature: 'chat.general' }, { user: u.owner }).refused, null)
		assert.equal(begin(u, { feature: 'chat.general' }, { user: u.owner }).refused, 'budget_exceeded')
	})
	test('a run of another workspace cannot be sent, ended or looked at', async () => {
		const u = await tenant()
		policy(t)
		const r = begin(t)
		assert.equal(send(u, r).refused, 'lease_lost')
		assert.equal(end(u, r).refused, 'lease_lost')
		assert.equal(sql(inside(u, null, `SELECT gnomon.ai_goes_on(${lit(r.run)}, ${r.fence})`), 'gnomon_worker'), 'f')
		assert.equal(sql(inside(t, null, `SELECT gnomon.ai_goes_on(${lit(r.run)}, ${r.fence})`), 'gnomon_worker'), 't')
		assert.equal(end(t, r).refused, null)
	})
	test('who asked, for which project, and after which step is kept; strangers are nobody', async () => {
		const { owner: u } = await tenant()
		policy(t)
		const one = begin(t, { project: t.project.id, behalf: t.member.id })
		const two = begin(t, { parent: one.run, behalf: u.id, project: '00000000-0000-4000-8000-000000000000' })
		const of = r => rows(`SELECT user_id, project_id, parent_id FROM ai_reservations WHERE run_id = ${lit(r.run)}`)[0]
		assert.deepEqual(of(one), { user_id: t.member.id, project_id: t.project.id, parent_id: null })
		assert.deepEqual(of(two), { user_id: null, project_id: null, parent_id: one.run })
	})
	test('003-007: a feature may name its models; providers that are not set up are passed over', async () => {
		const u = await tenant()
		policy(u)
		featureBudget(u, 'ops.changelog', { models: ['nowhere/x', DEAR, MODEL] })
		const r = begin(u, { feature: 'ops.changelog' })
		assert.deepEqual(r.chain, [DEAR, MODEL])
		assert.equal(r.model, 'pound')
		assert.deepEqual(begin(u, { offers: [MODEL, DEAR] }).chain, [MODEL, DEAR])
		featureBudget(u, 'ops.changelog', { models: ['nowhere/x'] })
		assert.equal(begin(u, { feature: 'ops.changelog' }).refused, 'ai_disabled')
	})
})

describe('the ledger', () => {
	test('only the functions write it', () => {
		assert.deepEqual(rows(`SELECT role, name, priv FROM unnest('{gnomon_web,gnomon_worker,gnomon_stream}'::text[]) role,
			unnest('{ai_ledger,ai_reservations,ai_runs,ai_usage_daily,ai_usage_split,ai_workspace_policies,ai_policy_settings,ai_feature_settings,ai_rates,ai_stops,ml_models,ai_features}'::text[]) name,
			unnest('{INSERT,UPDATE}'::text[]) priv WHERE has_any_column_privilege(role, name, priv)`), [])
	})
	test('spent and reserved above the cap cannot be written by anybody', async () => {
		const t = await tenant()
		policy(t, { tokens: 1000 })
		begin(t)
		assert.match(sqlRefused(`UPDATE ai_ledger SET reserved_tokens = 1001 WHERE workspace_id = ${lit(t.id)} AND scope = '*'`), /tokens_within/)
		assert.match(sqlRefused(`UPDATE ai_ledger SET spent_tokens = 801 WHERE workspace_id = ${lit(t.id)} AND scope = '*'`), /tokens_within/)
		assert.match(sqlRefused(`UPDATE ai_ledger SET reserved_runs = -1 WHERE workspace_id = ${lit(t.id)} AND scope = '*'`), /check/)
	})
	test('000-065: a call whose process is lost before it sent anything costs nothing', async () => {
		const t = await tenant()
		policy(t, { tokens: 1000 })
		const r = begin(t)
		assert.equal(ledger(t).reserved_tokens, 200)
		expire(r)
		sql('SELECT gnomon.sweep_ai()', 'gnomon_worker')
		assert.equal(ledger(t).reserved_tokens, 0)
		assert.equal(ledger(t).spent_tokens, 0)
		assert.deepEqual(rows(`SELECT status, error_code, cost_micros FROM ai_runs WHERE id = ${lit(r.run)}`), [{ status: 'failed', error_code: 'lease_lost', cost_micros: 0 }])
		assert.equal(end(t, r, { input: 1, output: 1 }).refused, 'lease_lost')
		balanced(t)
	})
	test('000-065: one that is lost after it sent is charged in full and flagged', async () => {
		const t = await tenant()
		policy(t, { tokens: 1000 })
		const r = begin(t)
		send(t, r)
		expire(r)
		assert.equal(send(t, r).refused, 'lease_lost')
		sql('SELECT gnomon.sweep_ai()', 'gnomon_worker')
		assert.equal(ledger(t).spent_tokens, 200)
		assert.deepEqual(rows(`SELECT a.status, a.input_tokens, a.output_tokens, a.cost_micros, r.state, r.is_estimated FROM ai_runs a JOIN ai_reservations r ON r.run_id = a.id WHERE a.id = ${lit(r.run)}`),
			[{ status: 'failed', input_tokens: 100, output_tokens: 100, cost_micros: 300, state: 'swept', is_estimated: true }])
		balanced(t)
	})
	test('a budget that only the lost hold is there for who asks', async () => {
		const t = await tenant()
		policy(t, { tokens: 200 })
		const r = begin(t)
		assert.equal(begin(t).refused, 'budget_exceeded')
		expire(r)
		assert.equal(begin(t).refused, null)
	})
	test('what a provider reports beyond its reservation is overrun, told of, and held against the next', async () => {
		const t = await tenant({ roles: ['admin', 'member'] })
		policy(t, { tokens: 1000 })
		const r = begin(t)
		send(t, r)
		const e = end(t, r, { input: 100, output: 850 })
		assert.equal(e.overrun_tokens, 750)
		const l = ledger(t)
		assert.deepEqual([l.spent_tokens, l.overrun_tokens, l.spent_micros, l.overrun_micros], [200, 750, 300, 1500])
		assert.equal(begin(t, { prompt: 50, most: 1 }).refused, 'budget_exceeded')
		assert.equal(begin(t, { prompt: 49, most: 1 }).refused, null)
		assert.equal(told(t).filter(n => /more than was set aside/.test(n.title)).length, 2, 'owner and admin')
		balanced(t)
	})
	test('an end said twice counts once', async () => {
		const t = await tenant()
		policy(t, { tokens: 1000 })
		const r = begin(t)
		send(t, r)
		const one = end(t, r, { input: 10, output: 10 })
		assert.deepEqual(end(t, r, { input: 99, output: 99, outcome: 'failed' }), one)
		assert.equal(ledger(t).spent_tokens, 20)
		assert.equal(end(t, r, { fence: 2 }).refused, 'lease_lost')
	})
	test('000-021: a failed run has tokens, latency and the reason', async () => {
		const t = await tenant()
		policy(t)
		const r = begin(t)
		send(t, r)
		end(t, r, { outcome: 'failed', input: 12, output: 3, code: 'output_schema_invalid' })
		assert.deepEqual(rows(`SELECT status, input_tokens, output_tokens, cost_micros, latency_ms, error_code FROM ai_runs WHERE id = ${lit(r.run)}`),
			[{ status: 'failed', input_tokens: 12, output_tokens: 3, cost_micros: 18, latency_ms: 7, error_code: 'output_schema_invalid' }])
	})
	test('000-008: the budget is looked at again for the model that will answer, and the run says which did', async () => {
		const t = await tenant()
		policy(t, { micros: 400 })
		const r = begin(t, { prompt: 100, most: 100, offers: [MODEL, DEAR] })
		send(t, r)
		const no = send(t, r, { model: DEAR })
		assert.equal(no.refused, 'budget_exceeded')
		assert.equal(ledger(t).reserved_micros, 300, 'the first reservation stands')
		policy(t, { micros: 4000 })
		assert.equal(send(t, r, { model: DEAR }).reserved_micros, 3000)
		assert.equal(end(t, r, { input: 100, output: 10, model: DEAR }).cost_micros, 1200)
		assert.deepEqual(rows(`SELECT provider, model FROM ai_runs WHERE id = ${lit(r.run)}`), [{ provider: 'sandbox', model: 'pound' }])
		balanced(t)
	})
	test('a model nobody knows is reserved at the dearest price; one whose context is too small is refused', async () => {
		const t = await tenant()
		policy(t)
		sql(`INSERT INTO ml_models (name, version, config) VALUES ('sandbox/small', '2026-01-01', '{"kind": "llm", "inputMicros": 0, "outputMicros": 0, "contextTokens": 150, "source": "a test"}') ON CONFLICT DO NOTHING`)
		const r = begin(t)
		assert.equal(send(t, r, { model: 'nobody/knows' }).reserved_micros, 100 * 15 + 100 * 75)
		assert.equal(send(t, r, { model: 'sandbox/small' }).max_tokens, 50)
		const s = begin(t, { prompt: 150 })
		assert.equal(send(t, s, { model: 'sandbox/small' }).refused, 'validation_failed')
		assert.equal(begin(t, { prompt: 150, offers: ['sandbox/small'] }).refused, 'validation_failed')
	})
	test('an attempt that may have been billed stays charged', async () => {
		const t = await tenant()
		policy(t, { tokens: 1000 })
		const r = begin(t)
		send(t, r)
		assert.equal(send(t, r, { lost: true }).reserved_tokens, 400)
		end(t, r, { input: 10, output: 5 })
		assert.equal(ledger(t).spent_tokens, 215)
		balanced(t)
	})
	test('a lower budget takes nothing back: the cap is the larger of it and what is spent and reserved', async () => {
		const t = await tenant()
		policy(t, { tokens: 1000 })
		use(t)
		const r = begin(t, { prompt: 200, most: 100 })
		const put = budget => sql(inside(t, t.owner, `SELECT refused FROM gnomon.put_ai_policy('{"monthly_token_budget": ${budget}}')`), 'gnomon_web')
		put(300)
		assert.equal(ledger(t).cap_tokens, 500)
		assert.equal(begin(t, { prompt: 1, most: 1 }).refused, 'budget_exceeded')
		send(t, r)
		end(t, r, { input: 30, output: 20 })
		assert.equal(begin(t, { prompt: 49, most: 2 }).refused, 'budget_exceeded')
		assert.equal(begin(t, { prompt: 49, most: 1 }).refused, null)
		assert.equal(ledger(t).cap_tokens, 300)
		put(-1)
		assert.equal(ledger(t).cap_tokens, -1)
		put(0)
		assert.equal(ledger(t).cap_tokens, 300)
		balanced(t)
	})
	test('a call that began in one month is settled there', async () => {
		const t = await tenant()
		policy(t, { tokens: 1000 })
		const r = begin(t)
		send(t, r)
		sql(`UPDATE ai_ledger SET month = month - interval '1 month' WHERE workspace_id = ${lit(t.id)};
		     UPDATE ai_reservations SET month = month - interval '1 month', day = day - 31 WHERE workspace_id = ${lit(t.id)};
		     UPDATE ai_runs SET created_at = created_at - interval '31 days' WHERE workspace_id = ${lit(t.id)}`)
		use(t)
		end(t, r, { input: 100, output: 50 })
		assert.deepEqual(rows(`SELECT spent_tokens, reserved_tokens FROM ai_ledger WHERE workspace_id = ${lit(t.id)} AND scope = '*' ORDER BY month`),
			[{ spent_tokens: 150, reserved_tokens: 0 }, { spent_tokens: 200, reserved_tokens: 0 }])
		balanced(t)
	})
	test('000-096: each admin hears once per threshold and month, and once that it is used up', async () => {
		const t = await tenant({ roles: ['admin', 'member', 'viewer'] })
		policy(t, { tokens: 1000 })
		const titles = () => told(t).map(n => n.title)
		use(t, { input: 200, output: 200, most: 200, prompt: 200 })
		assert.deepEqual(titles(), [])
		use(t)
		assert.deepEqual(titles().map(x => x.replace(/of \w+ is/, 'of M is')), Array(2).fill('50% of the AI budget of M is used: tokens'))
		use(t, { prompt: 10, most: 10, input: 10, output: 10 })
		assert.deepEqual(told(t).map(n => n.times), [1, 1], 'the same threshold is not told again')
		use(t)
		assert.match(titles()[0], /^80%/)
		for (let i = 0; i < 3; i++) assert.equal(begin(t).refused, 'budget_exceeded')
		assert.match(titles()[0], /is used up: tokens$/)
		assert.deepEqual(told(t).map(n => [n.user_id, n.times]).sort(), [[t.owner.id, 3], [t.admin.id, 3]].sort(), 'three thresholds, one notification each')
		assert.equal(sql(`SELECT count(*) FROM ai_runs WHERE workspace_id = ${lit(t.id)} AND status = 'failed' AND error_code = 'budget_exceeded'`), '3')
		assert.equal(audits(t, 'ai.refused').length, 1)
		balanced(t)
	})
	test('000-083, 000-100: the kill switch stops what begins and what is under way, at once', async () => {
		const t = await tenant()
		policy(t, { tokens: 10000 })
		const r = begin(t)
		const pull = on => sql(inside(t, t.owner, `SELECT is_stopped FROM gnomon.pull_ai_switch(${on}, 'odd answers')`), 'gnomon_web')
		const on = () => sql(inside(t, null, `SELECT gnomon.ai_goes_on(${lit(r.run)}, ${r.fence})`), 'gnomon_worker')
		assert.equal(on(), 't')
		assert.equal(pull(true), 't')
		assert.equal(on(), 'f')
		assert.equal(begin(t).refused, 'ai_disabled')
		assert.equal(send(t, r).refused, 'ai_disabled')
		assert.equal(end(t, r, { outcome: 'cancelled' }).status, 'cancelled')
		pull(true)
		pull(false)
		assert.equal(begin(t).refused, null)
		assert.deepEqual([audits(t, 'ai.stopped').length, audits(t, 'ai.resumed').length], [1, 1])
		assert.equal(audits(t, 'ai.stopped')[0].details.why, 'odd answers')
		balanced(t)
	})
	test('who switches off waits for nobody but lets none pass afterwards', async () => {
		const t = await tenant()
		policy(t, { tokens: 10000 })
		use(t)
		const one = session('gnomon_worker'), two = session('gnomon_web')
		await one.say(inside(t, null, `BEGIN; ${beginText()}`))
		const put = two.say(inside(t, t.owner, `SELECT enabled FROM gnomon.put_ai_policy('{"enabled": false}');`))
		assert.equal(await Promise.race([put, sleep(300, 'waits')]), 'waits')
		const late = session('gnomon_worker')
		const third = late.say(inside(t, null, beginText()))      // has seen the policy as it was
		assert.equal(await Promise.race([third, sleep(300, 'waits')]), 'waits')
		await one.say('COMMIT;')
		assert.equal(await put, 'f')
		assert.equal(JSON.parse(await third).refused, 'policy_disabled')
		for (const s of [one, two, late]) s.end()
	})
})

// ---- from many processes

/** At every commit: what is reserved is what runs hold, and no cap rises above the budget or what cannot be taken back. */
function watch(t) {
	sql(`CREATE SCHEMA IF NOT EXISTS ledger_test;
	     CREATE OR REPLACE FUNCTION ledger_test.holds() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	     DECLARE bad text;
	     BEGIN
	       SELECT l::text INTO bad FROM public.ai_ledger l
	         JOIN public.ai_workspace_policies p ON p.workspace_id = l.workspace_id
	         LEFT JOIN LATERAL (SELECT coalesce(sum(r.tokens), 0) AS tokens, coalesce(sum(r.micros), 0) AS micros, count(*) AS runs FROM public.ai_reservations r
	                             WHERE r.workspace_id = l.workspace_id AND r.month = l.month AND r.state = 'held' AND l.scope IN ('*', r.feature)) h ON true
	        WHERE l.workspace_id = NEW.workspace_id AND l.month = NEW.month AND l.scope = NEW.scope
	          AND ((l.reserved_tokens, l.reserved_runs, l.reserved_micros) <> (h.tokens, h.runs, h.micros)
	               OR l.scope = '*' AND NEW.cap_tokens > OLD.cap_tokens AND p.monthly_token_budget >= 0
	                  AND NEW.cap_tokens > greatest(p.monthly_token_budget, NEW.spent_tokens + NEW.reserved_tokens));
	       IF bad IS NOT NULL THEN RAISE EXCEPTION 'the ledger does not hold: %', bad; END IF;
	       UPDATE ledger_test.seen SET commits = commits + 1 WHERE workspace_id = NEW.workspace_id;
	       RETURN NULL;
	     END $$;
	     CREATE TABLE IF NOT EXISTS ledger_test.seen (workspace_id uuid PRIMARY KEY, commits bigint NOT NULL DEFAULT 0) WITH (fillfactor = 30);
	     INSERT INTO ledger_test.seen VALUES (${lit(t.id)});
	     CREATE CONSTRAINT TRIGGER "holds_${t.slug}" AFTER INSERT OR UPDATE ON ai_ledger DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
	       WHEN (NEW.workspace_id = ${lit(t.id)}) EXECUTE FUNCTION ledger_test.holds()`)
}
after(() => sql('DROP SCHEMA IF EXISTS ledger_test CASCADE'))
const seen = t => Number(sql(`SELECT commits FROM ledger_test.seen WHERE workspace_id = ${lit(t.id)}`))

/** Numbers that look random and are the same each time (mulberry32). */
const dice = seed => {
	const next = () => {
		seed = (seed + 0x6d2b79f5) | 0
		let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
		t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
		return ((t ^ (t >>> 14)) >>> 0) / 4294967296
	}
	return { next, upTo: n => Math.floor(next() * n), between: (a, b) => a + Math.floor(next() * (b - a + 1)) }
}

/** A psql that has entered the workspace, without a person. */
async function client(t) {
	const s = session('gnomon_worker')
	await s.say(inside(t, null, ''))
	return {
		...s,
		async ask(text) {
			const out = await s.say(text)
			try {
				return JSON.parse(out)
			} catch {
				throw new Error(`${text}\n${out}`)
			}
		},
	}
}

describe('many processes', () => {
	test('000-094: 100 calls at once on a budget for 10: exactly 10 pass', async () => {
		const t = await tenant()
		policy(t, { tokens: 2000 })
		watch(t)
		const clients = await Promise.all(Array.from({ length: 25 }, () => client(t)))
		const all = (await Promise.all(clients.map(async c => {
			const out = []
			for (let i = 0; i < 4; i++) out.push(await c.ask(beginText()))
			return out
		}))).flat()
		for (const c of clients) c.end()
		assert.equal(all.filter(r => r.refused === null).length, 10)
		assert.equal(all.filter(r => r.refused === 'budget_exceeded').length, 90)
		assert.equal(ledger(t).reserved_tokens, 2000)
		balanced(t)
	})

	test('32 processes, 1,000 calls of random size on a budget for 300, killed ones tried again: never over, 95% used, swept within the lease', async () => {
		const t = await tenant()
		const d = dice(20261120)
		const lease = 4000
		const jobs = Array.from({ length: 1000 }, () => ({ prompt: d.between(100, 900), most: d.between(100, 900), after: 0 }))
		const budget = 300 * 1000
		policy(t, { tokens: budget })
		watch(t)
		let killed = 0, passed = 0, refused = 0, late = 0, left = jobs.length, broken = false
		async function work() {
			let c = await client(t)
			while (left > 0 && !broken) {
				const at = jobs.findIndex(j => j.after <= Date.now())
				if (at < 0) {
					await sleep(50)
					continue
				}
				const [job] = jobs.splice(at, 1)
				const fate = job.after ? 1 : d.next()           // who was killed once lives now
				const begins = c.ask(beginText({ ...job, within: `${lease / 2} ms` }))
				const again = () => jobs.push({ ...job, after: Date.now() + lease + 500 })
				const die = async () => {
					c.kill()
					killed++
					again()
					c = await client(t)
				}
				if (fate < 0.03) {                              // in the middle of asking
					begins.catch(() => {})
					await die()
					continue
				}
				const r = await begins
				if (r.refused) {
					assert.equal(r.refused, 'budget_exceeded')
					refused++
					left--
					continue
				}
				if (fate < 0.1) {                               // before sending
					await die()
					continue
				}
				const sent = await c.ask(sendText(r))
				if (sent.refused) {                             // the machine was slower than the lease
					assert.equal(sent.refused, 'lease_lost')
					late++
					again()
					continue
				}
				if (fate < 0.15) {                              // before hearing
					await die()
					continue
				}
				const ended = await c.ask(endText(r, { input: job.prompt, output: job.most }))
				assert.ok([null, 'lease_lost'].includes(ended.refused), ended.refused)
				passed++
				left--
			}
			c.end()
		}
		await Promise.all(Array.from({ length: 32 }, () => work().catch(error => {
			broken = true
			throw error
		})))
		const lastHeld = Date.now()
		for (;;) {
			sql('SELECT gnomon.sweep_ai()', 'gnomon_worker')
			if (ledger(t).reserved_runs === 0) break
			assert.ok(Date.now() - lastHeld < lease + 2000, 'what was held is not swept when its lease is over')
			await sleep(100)
		}
		const l = ledger(t)
		assert.ok(killed > 20 && refused > 300 && passed > 200, `${killed} killed, ${refused} refused, ${passed} passed, ${late} late`)
		assert.equal(l.overrun_tokens, 0)
		assert.ok(l.spent_tokens <= budget, `over: ${l.spent_tokens}`)
		assert.ok(l.spent_tokens >= budget * 0.95, `only ${l.spent_tokens} of ${budget} used`)
		assert.ok(seen(t) > 500)
		balanced(t)
	})

	// One client: every answer is what a model of the ledger says. Several: the sums are.
	const PRICE = { [MODEL]: [1, 2], [DEAR]: [10, 20] }
	const cost = (model, i, o) => i * PRICE[model][0] + o * PRICE[model][1]

	test('a random walk answers as a model of the ledger does, step by step', async () => {
		const t = await tenant()
		const c = await client(t)
		const d = dice(7)
		const budgets = { '*': { tokens: 60000, runs: 60, micros: 300000 } }
		const meters = ['tokens', 'runs', 'micros']
		const zero = () => Object.fromEntries(meters.map(m => [m, { spent: 0, reserved: 0, over: 0 }]))
		const books = { '*': zero(), ...Object.fromEntries(FEATURES.map(f => [f, zero()])) }
		policy(t, budgets['*'])
		featureBudget(t, FEATURES[1], budgets[FEATURES[1]] = { tokens: 9000, runs: 20, micros: -1 })
		watch(t)
		const held = []
		const short = (feature, need) => ['*', feature].some(s => meters.some(m => {
			const b = budgets[s]?.[m] ?? -1, x = books[s][m]
			return b >= 0 && need[m] > 0 && x.spent + x.reserved + x.over + need[m] > b
		}))
		const reserve = (feature, need) => { for (const s of ['*', feature]) for (const m of meters) books[s][m].reserved += need[m] }
		const settle = (r, used) => {
			for (const s of ['*', r.feature]) for (const m of meters) {
				const x = books[s][m], over = Math.max(0, used[m] - r.need[m])
				x.reserved -= r.need[m]
				x.spent += used[m] - over
				x.over += over
			}
			held.splice(held.indexOf(r), 1)
		}
		const steps = { begin: 0, refused: 0, send: 0, end: 0, lost: 0, budget: 0 }
		const walk = long ? 5000 : 400
		for (let i = 0; i < walk; i++) {
			const roll = d.next()
			const r = held[d.upTo(held.length)]
			if (roll < 0.4 || !r && roll < 0.95) {
				const feature = FEATURES[d.upTo(3)], prompt = d.between(0, 1500), most = d.between(1, 1500), model = d.next() < 0.8 ? MODEL : DEAR
				const need = { tokens: prompt + most, runs: 1, micros: cost(model, prompt, most) }
				const got = await c.ask(beginText({ feature, prompt, most, offers: [model] }))
				steps.begin++
				assert.equal(got.refused, short(feature, need) ? 'budget_exceeded' : null, `step ${i}`)
				if (got.refused) {
					steps.refused++
					continue
				}
				assert.deepEqual([got.reserved_tokens, got.reserved_micros], [need.tokens, need.micros])
				reserve(feature, need)
				held.push({ ...got, feature, prompt, most, need, lost: { tokens: 0, micros: 0 }, model, sent: false })
			} else if (roll < 0.55) {
				const model = d.next() < 0.5 ? MODEL : DEAR, lost = d.next() < 0.3
				const base = lost && r.sent ? { tokens: r.need.tokens, micros: r.need.micros } : r.lost
				const need = { tokens: base.tokens + r.prompt + r.most, runs: 1, micros: base.micros + cost(model, r.prompt, r.most) }
				const more = { tokens: need.tokens - r.need.tokens, runs: 0, micros: need.micros - r.need.micros }
				const got = await c.ask(sendText(r, { model, lost }))
				steps.send++
				assert.equal(got.refused, short(r.feature, more) ? 'budget_exceeded' : null, `step ${i}`)
				if (got.refused) continue
				reserve(r.feature, more)
				Object.assign(r, { need, lost: base, model, sent: true })
			} else if (roll < 0.85) {
				const kind = d.next()
				steps.end++
				if (kind < 0.15) {                              // nobody knows
					await c.ask(endText(r, { outcome: 'failed', input: null, output: null }))
					settle(r, r.sent ? r.need : { tokens: 0, runs: 0, micros: 0 })
				} else {
					const input = kind < 0.3 ? 0 : d.between(0, r.prompt), output = kind < 0.3 ? 0 : d.between(0, kind > 0.9 ? r.most * 3 : r.most)
					const sent = r.sent || input + output > 0
					await c.ask(endText(r, { input, output }))
					settle(r, sent ? { tokens: r.lost.tokens + input + output, runs: 1, micros: r.lost.micros + cost(r.model, input, output) } : { tokens: 0, runs: 0, micros: 0 })
				}
			} else if (roll < 0.95) {
				steps.lost++
				sql(`BEGIN; UPDATE ai_reservations SET lease_until = now() - interval '1 s' WHERE run_id = ${lit(r.run)}; SELECT gnomon.sweep_ai(); COMMIT`)
				settle(r, r.sent ? r.need : { tokens: 0, runs: 0, micros: 0 })
				assert.equal((await c.ask(endText(r))).refused, 'lease_lost')
			} else {
				steps.budget++
				const s = d.next() < 0.7 ? '*' : FEATURES[1]
				const near = (m, low, high) => Math.max(0, books[s][m].spent + books[s][m].reserved + books[s][m].over + d.between(low, high))
				const b = budgets[s] = { tokens: near('tokens', -2000, 30000), runs: near('runs', -2, 30), micros: d.next() < 0.3 ? -1 : near('micros', -5000, 200000) }
				const body = JSON.stringify({ monthly_token_budget: b.tokens, monthly_run_budget: b.runs, monthly_micros_budget: b.micros })
				sql(inside(t, t.owner, s === '*' ? `SELECT refused FROM gnomon.put_ai_policy(${lit(body)})` : `SELECT refused FROM gnomon.put_ai_feature(${lit(s)}, ${lit(body)})`), 'gnomon_web')
			}
			if (i % 50 === 0) {
				for (const s of Object.keys(books)) {
					const l = ledger(t, s)
					if (!l) continue
					for (const m of meters)
						assert.deepEqual([l[`spent_${m}`], l[`reserved_${m}`], l[`overrun_${m}`] ?? 0], [books[s][m].spent, books[s][m].reserved, books[s][m].over], `step ${i}, ${s} ${m}`)
				}
			}
		}
		c.end()
		assert.ok(Object.values(steps).every(n => n > walk / 100), JSON.stringify(steps))
		balanced(t)
	})

	const [WALKERS, STEPS] = long ? [64, 1000000 / 64] : [12, 40]
	test(`${WALKERS} clients walk ${WALKERS * STEPS} steps at random: the ledger holds at every commit`, async () => {
		const tenants = await Promise.all(Array.from({ length: long ? 16 : 2 }, () => tenant()))
		for (const t of tenants) {
			policy(t, { tokens: 400000, runs: 2000, micros: 1500000 })
			watch(t)
		}
		let refused = 0, passed = 0
		await Promise.all(Array.from({ length: WALKERS }, async (_, n) => {
			const t = tenants[n % tenants.length], d = dice(n + 1), held = []
			const c = await client(t)
			for (let i = 0; i < STEPS; i++) {
				const roll = d.next(), at = d.upTo(held.length), r = held[at]
				if (roll < 0.45 || !r) {
					const got = await c.ask(beginText({ feature: FEATURES[d.upTo(3)], prompt: d.between(0, 2000), most: d.between(1, 2000), offers: [d.next() < 0.7 ? MODEL : DEAR], within: '2 s' }))
					if (got.refused) {
						assert.equal(got.refused, 'budget_exceeded')
						refused++
					} else {
						passed++
						held.push(got)
					}
				} else if (roll < 0.65) {
					const got = await c.ask(sendText(r, { model: d.next() < 0.5 ? MODEL : DEAR, lost: d.next() < 0.2 }))
					assert.ok([null, 'budget_exceeded', 'lease_lost'].includes(got.refused), got.refused)
				} else if (roll < 0.92) {
					held.splice(at, 1)
					const got = await c.ask(endText(r, d.next() < 0.1 ? { outcome: 'failed', input: null, output: null } : { input: d.between(0, 2000), output: d.between(0, 2500) }))
					assert.ok([null, 'lease_lost'].includes(got.refused), got.refused)
				} else if (roll < 0.95) held.splice(at, 1)          // forgotten: its lease runs out
				else if (roll < 0.97) await c.ask(endText(r, { fence: 99 }))
				else if (roll < 0.98) await c.say('SELECT gnomon.sweep_ai();')
				else if (n < tenants.length)
					sql(inside(t, t.owner, `SELECT refused FROM gnomon.put_ai_policy('{"monthly_token_budget": ${d.between(0, 800000)}, "monthly_run_budget": ${d.between(0, 4000)}}')`), 'gnomon_web')
			}
			c.end()
		}))
		assert.ok(passed > WALKERS && seen(tenants[0]) > 0, `${passed} passed, ${refused} refused`)
		sql(`UPDATE ai_reservations SET lease_until = now() - interval '1 s' WHERE state = 'held' AND workspace_id IN (${tenants.map(t => lit(t.id))})`)
		for (let n = 1; n > 0;) n = Number(sql('SELECT gnomon.sweep_ai()', 'gnomon_worker'))
		for (const t of tenants) {
			assert.equal(ledger(t).reserved_tokens, 0)
			balanced(t)
		}
	})
})
