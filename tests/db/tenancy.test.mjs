// Tenancy by SQL, under the API: what each role can see and do, and what must
// hold of every table and function from the first migration on (design §10).
import { before, describe, test } from 'node:test'
import { assert, insights, lit, rows, session, sprint, sql, sqlRefused, tenant } from '../http/lib.mjs'

// Tables without a tenant, each for a reason; a new one must be named here.
const globals = {
	users: 'a person may belong to several workspaces',
	sessions: 'belongs to a user',
	refresh_tokens: 'belongs to a session',
	account_tokens: 'belongs to a user',
	account_mails: 'belongs to a user, who may be in no workspace',
	second_factors: 'belongs to a user',
	recovery_codes: 'belongs to a user',
	identities: 'belongs to a user',
	sign_in_failures: 'belongs to nobody yet',
	oauth_flows: 'belongs to a browser, before anybody is signed in',
	oauth_issuers: 'belongs to the installation',
	migration_versions: 'belongs to the database',
	ml_models: 'models and their prices are the same for all',
	ai_features: 'what the product can use a model for',
	ai_stops: 'the kill switch of the installation',
}
// Keys without workspace_id, each for a reason.
const keyExceptions = {
	workspaces_pkey: 'the tenant itself',
	workspaces_slug_key: 'the address of a tenant, before one is known',
	projects_id_key: 'scope anchor, for look-up only',
}
// Walls that hide more than other tenants.
const narrower = {
	workspace_members: /^\(\(workspace_id = gnomon\.workspace\(\)\) AND \(removed_at IS NULL\)\)$/,
	teams: /^\(\(workspace_id = gnomon\.workspace\(\)\) AND \(deleted_at IS NULL\)\)$/,
	insight_sightings: /^\(\(workspace_id = gnomon\.workspace\(\)\) AND \(\(\( SELECT gnomon\.hidden\(\) AS hidden\) = '\{\}'::uuid\[\]\) OR \(EXISTS \( SELECT\s+FROM agent_insights i\s+WHERE \(\(i\.workspace_id = insight_sightings\.workspace_id\) AND \(i\.id = insight_sightings\.insight_id\)\)\)\)\)\)$/,
	agent_packets: /^\(\(workspace_id = gnomon\.workspace\(\)\) AND \(\( SELECT gnomon\.hidden\(\) AS hidden\) = '\{\}'::uuid\[\]\)\)$/,
}
const tables = rows(`
	SELECT c.oid::regclass::text AS name, c.relrowsecurity AS walled, c.relispartition AS part,
	       pg_get_userbyid(c.relowner) AS owner,
	       EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'workspace_id' AND NOT a.attisdropped) AS tenant
	  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	 WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_'
	 ORDER BY 1`)
const tenantTables = tables.filter(t => t.tenant && !t.part).map(t => t.name)
const delivery = ['projects', 'epics', 'stories', 'sprints', 'sprint_items', 'dependencies', 'story_sources', 'comments', 'objectives', 'key_results', 'check_ins',
	'burndown_snapshots', 'metrics_daily', 'story_tallies', 'labels', 'story_labels', 'tasks', 'saved_filters']

let a, b

/** Statements in a transaction of a role that entered as somebody. */
const entered = (user, workspace, text, role = 'gnomon_web') => {
	const { sid } = JSON.parse(Buffer.from(user.token.split('.')[1], 'base64url'))
	return sql(`BEGIN; SELECT 1 FROM gnomon.enter(NULL, ${lit(sid)}, ${lit(workspace)}, NULL, NULL, 1, false) \\g /dev/null
		${text}; COMMIT`, role)
}

before(async () => {
	[a, b] = await Promise.all([tenant(), tenant()])
	for (const t of [a, b]) {
		insights(t)
		sprint(t)
		sql(`INSERT INTO teams (workspace_id, name) VALUES (${lit(t.id)}, 'Team');
		     INSERT INTO team_members SELECT workspace_id, id, ${lit(t.owner.id)} FROM teams WHERE workspace_id = ${lit(t.id)};
		     INSERT INTO epics (workspace_id, project_id, title) VALUES (${lit(t.id)}, ${lit(t.project.id)}, 'Epic');
		     INSERT INTO dependencies (workspace_id, project_id, source_id, target_id, dependency_type)
		     VALUES (${lit(t.id)}, ${lit(t.project.id)}, ${lit(t.stories[0].id)}, ${lit(t.stories[1].id)}, 'blocks');
		     INSERT INTO burndown_snapshots (workspace_id, project_id, sprint_id, day, remaining, total, done, stories, done_stories)
		     SELECT workspace_id, project_id, id, start_date, 5, 5, 0, 1, 0 FROM sprints WHERE workspace_id = ${lit(t.id)};
		     INSERT INTO metrics_daily VALUES (${lit(t.id)}, ${lit(t.project.id)}, current_date, 1, 0, 0, 1, 0, 0, 0, 0, 5);
		     WITH l AS (INSERT INTO labels (workspace_id, project_id, name) VALUES (${lit(t.id)}, ${lit(t.project.id)}, 'Label') RETURNING id)
		     UPDATE stories SET label_ids = ARRAY[l.id] FROM l WHERE stories.id = ${lit(t.stories[0].id)};
		     INSERT INTO tasks (workspace_id, project_id, story_id, title) VALUES (${lit(t.id)}, ${lit(t.project.id)}, ${lit(t.stories[0].id)}, 'Task');
		     INSERT INTO saved_filters (workspace_id, project_id, user_id, list, name, query)
		     VALUES (${lit(t.id)}, ${lit(t.project.id)}, ${lit(t.owner.id)}, 'stories', 'Mine', 'status=done');
		     INSERT INTO story_sources VALUES (${lit(t.id)}, ${lit(t.project.id)}, 'X-1', ${lit(t.stories[0].id)});
		     INSERT INTO ai_runs (workspace_id, feature, provider, model) VALUES (${lit(t.id)}, 'f', 'p', 'm');
		     INSERT INTO ai_usage_daily (workspace_id, day, feature) VALUES (${lit(t.id)}, current_date, 'f');
		     INSERT INTO ai_usage_split (workspace_id, day, feature, provider, model, project_id, user_id)
		     VALUES (${lit(t.id)}, current_date, 'f', 'p', 'm', ${lit(t.project.id)}, ${lit(t.owner.id)});
		     INSERT INTO ai_policy_settings (workspace_id) VALUES (${lit(t.id)});
		     INSERT INTO ai_feature_settings (workspace_id, feature) VALUES (${lit(t.id)}, 'chat.general');
		     INSERT INTO ai_ledger (workspace_id, month, scope) VALUES (${lit(t.id)}, '2020-01-01', '*');
		     INSERT INTO ai_reservations (workspace_id, run_id, feature, day, month, chain, prompt_tokens, max_tokens, tokens, micros, state, lease_until)
		     SELECT workspace_id, id, 'f', '2020-01-01', '2020-01-01', '{p/m}', 0, 0, 0, 0, 'settled', now() FROM ai_runs WHERE workspace_id = ${lit(t.id)};
		     INSERT INTO ai_refusals VALUES (${lit(t.id)}, '2020-01-01', 'f', 'policy_disabled', 1, now());
		     INSERT INTO ai_rates VALUES (${lit(t.id)}, ${lit(t.owner.id)}, 'chat');
		     INSERT INTO ai_payloads (workspace_id, run_id, part, sealed) SELECT workspace_id, id, 'request', 's' FROM ai_runs WHERE workspace_id = ${lit(t.id)};
		     INSERT INTO jobs (workspace_id, queue, kind, run_at) VALUES (${lit(t.id)}, 'automation', 'test:never', now() + interval '10 years');
		     INSERT INTO agent_run_periods SELECT workspace_id, agent_key, 'test', id FROM agent_runs WHERE workspace_id = ${lit(t.id)};
		     INSERT INTO agent_packets SELECT workspace_id, id, '[]', '{}', now() FROM agent_runs WHERE workspace_id = ${lit(t.id)};
		     INSERT INTO webhooks (workspace_id, url, event_types) VALUES (${lit(t.id)}, 'https://hooks.example.org/', '{*}');
		     INSERT INTO webhook_secrets (workspace_id, webhook_id, secret) SELECT workspace_id, id, 's' FROM webhooks WHERE workspace_id = ${lit(t.id)};
		     INSERT INTO webhook_deliveries (workspace_id, webhook_id, event_type, payload, next_try)
		     SELECT workspace_id, id, 'ping', '{}', now() + interval '10 years' FROM webhooks WHERE workspace_id = ${lit(t.id)};
		     INSERT INTO notification_preferences (workspace_id, user_id, kind) VALUES (${lit(t.id)}, ${lit(t.owner.id)}, 'assigned');
		     INSERT INTO event_cursors VALUES (${lit(t.id)}, ${lit(t.id)}, 0) ON CONFLICT DO NOTHING;
		     INSERT INTO idempotency_keys VALUES (${lit(t.id)}, ${lit(t.owner.id)}, 'k', 'r', 200, '{}');
		     INSERT INTO comments (workspace_id, entity_type, entity_id, author_id, body)
		     VALUES (${lit(t.id)}, 'story', ${lit(t.stories[0].id)}, ${lit(t.owner.id)}, '@Olga Owner look');
		     INSERT INTO objectives (workspace_id, title, start_date, end_date) VALUES (${lit(t.id)}, 'O', '2026-10-01', '2026-12-31');
		     INSERT INTO key_results (workspace_id, objective_id, title, direction, start_value, current_value, target_value)
		     SELECT workspace_id, id, 'K', 'increase', 0, 0, 1 FROM objectives WHERE workspace_id = ${lit(t.id)};
		     INSERT INTO check_ins (workspace_id, key_result_id, value, confidence, author_id)
		     SELECT workspace_id, id, 1, 50, ${lit(t.owner.id)} FROM key_results WHERE workspace_id = ${lit(t.id)};
		     SELECT set_config('gnomon.workspace', ${lit(t.id)}, false), gnomon.audit('test', 'story', NULL);
		     INSERT INTO invitations (workspace_id, email, role, invited_by) VALUES (${lit(t.id)}, 'x@example.org', 'viewer', ${lit(t.owner.id)});
		     INSERT INTO notifications (workspace_id, user_id, kind, title, entity_type, entity_id)
		     VALUES (${lit(t.id)}, ${lit(t.owner.id)}, 'k', 't', 'story', ${lit(t.stories[0].id)})`)
	}
})

describe('rows', () => {
	for (const name of tenantTables) {
		test(`${name}: the fixture has rows of both tenants`, () => {
			assert.equal(sql(`SELECT count(DISTINCT workspace_id) FROM ${name} WHERE workspace_id IN (${lit(a.id)}, ${lit(b.id)})`), '2')
		})
		const readable = role => sql(`SELECT has_table_privilege('${role}', '${name}', 'SELECT')`) === 't'
		for (const role of ['gnomon_web', 'gnomon_worker', 'gnomon_stream'])
			test(`${name}: ${role} sees nothing outside a tenant`, () => {
				if (readable(role)) assert.equal(sql(`SELECT count(*) FROM ${name}`, role), '0')
				else assert.match(sqlRefused(`SELECT count(*) FROM ${name}`, role), /permission denied/)
			})
		test(`${name}: inside one tenant gnomon_web sees that one only`, () => {
			if (!readable('gnomon_web')) return
			assert.equal(entered(a.owner, a.slug, `SELECT count(*) FROM ${name} WHERE workspace_id <> ${lit(a.id)}`), '0')
			assert.notEqual(entered(a.owner, a.slug, `SELECT count(*) FROM ${name}`), '0')
		})
	}
	test('workspaces: none outside a tenant, one inside', () => {
		assert.equal(sql('SELECT count(*) FROM workspaces', 'gnomon_web'), '0')
		assert.equal(entered(a.owner, a.slug, 'SELECT string_agg(slug, $$,$$) FROM workspaces'), a.slug)
	})
	test('of users nobody sees address or password', () => {
		for (const column of ['email', 'password_hash', 'preferences'])
			for (const role of ['gnomon_web', 'gnomon_worker', 'gnomon_stream'])
				assert.match(sqlRefused(`SELECT ${column} FROM users`, role), /permission denied/)
		assert.match(sqlRefused('SELECT count(*) FROM sessions', 'gnomon_web'), /permission denied/)
	})
	test('views of the past are walled, too', () => {
		for (const { name } of rows(`SELECT oid::regclass::text AS name FROM pg_class WHERE relkind = 'v' AND relnamespace = 'asof'::regnamespace`)) {
			assert.equal(sql(`SELECT count(*) FROM ${name}`, 'gnomon_web'), '0', name)
			const who = name === 'asof.workspaces' ? 'id' : 'workspace_id'
			assert.equal(entered(a.owner, a.slug, `SELECT count(*) FROM ${name} WHERE ${who} <> ${lit(a.id)}`), '0', name)
		}
	})
})

describe('doors', () => {
	test('a stranger cannot enter', () => {
		const { sid } = JSON.parse(Buffer.from(b.owner.token.split('.')[1], 'base64url'))
		for (const [ws, project] of [[a.slug, null], [a.id, null], [null, a.project.id], [null, a.project.key], [b.slug, a.project.id], [b.slug, a.project.key]])
			assert.match(sqlRefused(`SELECT * FROM gnomon.enter(NULL, ${lit(sid)}, ${lit(ws)}, ${lit(project)}, NULL, 1, false)`, 'gnomon_web'), /not_found/)
	})
	test('after the commit the door is shut', () => {
		const { sid } = JSON.parse(Buffer.from(a.owner.token.split('.')[1], 'base64url'))
		const out = sql(`SELECT 1 FROM gnomon.enter(NULL, ${lit(sid)}, ${lit(a.slug)}, NULL, NULL, 1, false) \\g /dev/null
			SELECT count(*) FROM stories`, 'gnomon_web')
		assert.equal(out, '0')
	})
	test('a savepoint undone does not leave the other tenant open', async () => {
		const { sid } = JSON.parse(Buffer.from(a.owner.token.split('.')[1], 'base64url'))
		const s = session('gnomon_web')
		await s.say(`BEGIN; SAVEPOINT x; SELECT 1 FROM gnomon.enter(NULL, ${lit(sid)}, ${lit(a.slug)}, NULL, NULL, 1, false);`)
		assert.notEqual(await s.say('SELECT count(*) FROM stories;'), '0')
		await s.say('ROLLBACK TO x;')
		assert.equal(await s.say('SELECT count(*) FROM stories;'), '0')
		await s.say('COMMIT;')
		s.end()
	})
	test('a job opens a tenant only while its lease lasts', () => {
		const job = sql(`SELECT id FROM jobs WHERE workspace_id = ${lit(a.id)} AND kind = 'test:never'`)
		const enter = fence => `BEGIN; SELECT 1 FROM gnomon.enter_job(${lit(job)}, ${fence}) \\g /dev/null
			SELECT count(*) FROM stories; COMMIT`
		assert.match(sqlRefused(enter(0), 'gnomon_worker'), /lease_lost/)
		sql(`UPDATE jobs SET state = 'running', fence = 7, lease_until = now() + interval '1 minute' WHERE id = ${lit(job)}`)
		assert.equal(sql(enter(7), 'gnomon_worker'), '2')
		assert.match(sqlRefused(enter(6), 'gnomon_worker'), /lease_lost/)
		sql(`UPDATE jobs SET lease_until = now() - interval '1 second' WHERE id = ${lit(job)}`)
		assert.match(sqlRefused(enter(7), 'gnomon_worker'), /lease_lost/)
		sql(`UPDATE jobs SET state = 'succeeded' WHERE id = ${lit(job)}`)
		assert.match(sqlRefused(enter(7), 'gnomon_web'), /permission denied/)
	})
})

describe('writes', () => {
	const story = (workspace, project, more = '', values = '') =>
		`INSERT INTO stories (workspace_id, project_id, title${more}) VALUES (${lit(workspace)}, ${lit(project)}, 'x'${values})`
	test('a row of another tenant cannot be made, changed or removed', () => {
		assert.match(sqlRefused(story(a.id, a.project.id), 'gnomon_web'), /row-level security/)
		const in_ = text => () => entered(a.owner, a.slug, text)
		const before_ = sql(`SELECT md5(string_agg(s::text, '' ORDER BY id)) FROM stories s WHERE workspace_id = ${lit(b.id)}`)
		assert.throws(in_(story(b.id, b.project.id)), /row-level security/)
		assert.throws(in_(`UPDATE stories SET workspace_id = ${lit(b.id)}`), /row-level security|foreign key/)
		assert.equal(entered(a.owner, a.slug, `WITH u AS (UPDATE stories SET title = 'taken' WHERE workspace_id = ${lit(b.id)} RETURNING 1) SELECT count(*) FROM u`), '0')
		assert.throws(in_(`DELETE FROM stories`), /permission denied/)
		assert.equal(sql(`SELECT md5(string_agg(s::text, '' ORDER BY id)) FROM stories s WHERE workspace_id = ${lit(b.id)}`), before_)
	})
	test('no reference crosses tenants or projects', () => {
		const epicOf = t => `(SELECT id FROM epics WHERE workspace_id = ${lit(t.id)} LIMIT 1)`
		const cross = [
			story(a.id, b.project.id),
			story(a.id, a.project.id, ', epic_id', `, ${epicOf(b)}`),
			story(a.id, a.project.id, ', assignee_id', `, ${lit(b.owner.id)}`),
			story(a.id, a.project.id, ', team_id', `, (SELECT id FROM teams WHERE workspace_id = ${lit(b.id)})`),
			`UPDATE projects SET owner_id = ${lit(b.owner.id)} WHERE id = ${lit(a.project.id)}`,
			`INSERT INTO sprint_items (workspace_id, project_id, sprint_id, story_id)
			 SELECT ${lit(a.id)}, ${lit(a.project.id)}, id, ${lit(b.stories[0].id)} FROM sprints WHERE workspace_id = ${lit(a.id)}`,
			`INSERT INTO team_members SELECT workspace_id, id, ${lit(b.owner.id)} FROM teams WHERE workspace_id = ${lit(a.id)}`,
			`INSERT INTO agent_insights (workspace_id, agent_run_id, agent_key, severity, title, body, evidence)
			 SELECT ${lit(a.id)}, id, 'k', 'low', 't', 'b', '[1]' FROM agent_runs WHERE workspace_id = ${lit(b.id)}`,
			`UPDATE agent_insights SET owner_user_id = ${lit(b.owner.id)} WHERE workspace_id = ${lit(a.id)}`,
			`UPDATE agent_insights SET project_id = ${lit(b.project.id)} WHERE workspace_id = ${lit(a.id)}`,
			`INSERT INTO notifications (workspace_id, user_id, kind, title, entity_type, entity_id)
			 VALUES (${lit(a.id)}, ${lit(b.owner.id)}, 'k', 't', 'story', ${lit(a.stories[0].id)})`,
		]
		for (const text of cross) assert.match(sqlRefused(text), /violates foreign key constraint/, text)
	})
	test('a dependency joins stories of its own project', () => {
		const text = `INSERT INTO dependencies (workspace_id, project_id, source_id, target_id, dependency_type)
		              VALUES (${lit(a.id)}, ${lit(a.project.id)}, ${lit(a.stories[0].id)}, ${lit(b.stories[0].id)}, 'blocks')`
		assert.match(sqlRefused(text), /violates|refuse|not_found/)
	})
	test("another tenant's numbers cannot be used up", () => {
		const last = () => sql(`SELECT string_agg(last::text, ',' ORDER BY scope_id, kind) FROM counters WHERE workspace_id = ${lit(b.id)}`)
		const before_ = last()
		for (const role of ['gnomon_web', 'gnomon_worker'])
			try {
				sql(`SELECT gnomon.next_number(${lit(b.id)}, ${lit(b.project.id)}, 'stories', NULL)`, role)
			} catch {
				// refused is as good
			}
		assert.equal(last(), before_)
	})
	for (const name of delivery)
		for (const right of ['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'])
			test(`gnomon_worker cannot ${right} ${name}`, () => {
				assert.equal(sql(`SELECT has_table_privilege('gnomon_worker', '${name}', '${right}') OR has_any_column_privilege('gnomon_worker', '${name}', '${right === 'DELETE' || right === 'TRUNCATE' ? 'SELECT' : right}') AND '${right}' IN ('INSERT', 'UPDATE')`), 'f')
			})
	test('no running role removes anything', () => {
		assert.deepEqual(rows(`SELECT table_name, grantee, privilege_type FROM information_schema.table_privileges
			WHERE table_schema IN ('public', 'asof') AND grantee LIKE 'gnomon%' AND grantee <> 'gnomon_owner'
			  AND privilege_type IN ('DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER')`), [])
	})
	test('history cannot be written or changed', () => {
		for (const role of ['gnomon_web', 'gnomon_worker', 'gnomon_stream'])
			for (const name of ['events', 'revisions', 'counters', 'idempotency_keys', 'users', 'sessions', 'workspaces', 'workspace_members', 'migration_versions'])
				for (const right of ['INSERT', 'UPDATE'])
					assert.equal(sql(`SELECT has_any_column_privilege('${role}', '${name}', '${right}')`), 'f', `${role} ${right} ${name}`)
	})
})

describe('the catalog', () => {
	// what belongs to a project, and the scopes of history
	const below = name => ['projects', 'events', 'revisions'].includes(name) || sql(`SELECT EXISTS (SELECT FROM pg_attribute
		WHERE attrelid = '${name}'::regclass AND attname = 'project_id' AND NOT attisdropped)`) === 't'
	test('every table without a tenant is named above', () => {
		assert.deepEqual(tables.filter(t => !t.tenant && t.name !== 'workspaces').map(t => t.name).sort(), Object.keys(globals).sort())
	})
	for (const t of tables.filter(x => x.tenant))
		test(`${t.name} has row-level security and no running owner`, () => {
			assert.equal(t.walled, true)
			assert.equal(t.owner, 'gnomon_owner')
		})
	test('every wall has its policy, for reading and writing', () => {
		for (const name of tenantTables.concat('workspaces')) {
			const policies = rows(`SELECT polcmd, polpermissive, pg_get_expr(polqual, polrelid) AS qual, pg_get_expr(polwithcheck, polrelid) AS checks
				FROM pg_policy WHERE polrelid = '${name}'::regclass`)
			if (sql(`SELECT has_table_privilege('gnomon_web', '${name}', 'SELECT') OR has_table_privilege('gnomon_worker', '${name}', 'SELECT')`) === 'f') continue
			assert.equal(policies.length, 1, name)
			assert.equal(policies[0].polcmd, '*')
			// of the workspace entered; below a project, of one that is not hidden
			assert.match(policies[0].qual, name === 'workspaces' ? /^\(id = gnomon\.workspace\(\)\)$/
				: below(name) ? /^\(\(workspace_id = gnomon\.workspace\(\)\) AND \(NULLIF\(\(\((project_id|scope_id|id) = ANY \(\( SELECT gnomon\.hidden\(\) AS hidden\)::uuid\[\]\)\) IS TRUE\), true\) IS NOT NULL\)\)$/
				: name in narrower ? narrower[name]
				: /^\(workspace_id = gnomon\.workspace\(\)\)$/)
		}
	})
	test("every key of a tenant's table contains workspace_id", () => {
		const bad = rows(`
			SELECT i.indexrelid::regclass::text AS name FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
			 WHERE i.indisunique AND c.relnamespace = 'public'::regnamespace
			   AND (c.relname = 'workspaces' OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'workspace_id'))
			   AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'workspace_id' AND a.attnum = ANY (i.indkey::int2[]))`)
		assert.deepEqual(bad.map(r => r.name).sort(), Object.keys(keyExceptions).sort())
	})
	test("every tenant's table has a primary key, which is its replica identity", () => {
		assert.deepEqual(rows(`
			SELECT c.relname FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
			   AND (NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary) OR c.relreplident <> 'd')`), [])
	})
	test('every foreign key between tenant tables contains workspace_id', () => {
		assert.deepEqual(rows(`
			SELECT k.conrelid::regclass::text AS t, k.conname FROM pg_constraint k
			 WHERE k.contype = 'f' AND k.conrelid::regclass::text = ANY (ARRAY[${tenantTables.map(lit)}])
			   AND k.confrelid::regclass::text NOT IN ('users')
			   AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = k.conrelid AND a.attname = 'workspace_id' AND a.attnum = ANY (k.conkey))`), [])
	})
	test('workspace_id is never null', () => {
		assert.deepEqual(rows(`SELECT attrelid::regclass::text AS t FROM pg_attribute
			WHERE attname = 'workspace_id' AND NOT attnotnull AND attrelid::regclass::text = ANY (ARRAY[${tenantTables.map(lit)}])`), [])
	})
	test('no sequence and no identity feeds any row', () => {
		assert.deepEqual(rows(`SELECT oid::regclass::text AS s FROM pg_class WHERE relkind = 'S' AND relnamespace::regnamespace::text !~ '^pg_|information_schema'`), [])
		assert.deepEqual(rows(`SELECT attrelid::regclass::text AS t FROM pg_attribute WHERE attidentity <> ''`), [])
	})
	test('functions that act for their owner have a fixed search_path', () => {
		assert.deepEqual(rows(`SELECT oid::regprocedure::text AS f FROM pg_proc WHERE prosecdef AND pronamespace::regnamespace::text !~ '^pg_|information_schema'
			AND NOT coalesce(proconfig @> '{"search_path=pg_catalog, pg_temp"}', false)`), [])
	})
	test('nothing of ours is open to PUBLIC', () => {
		const mine = `pronamespace::regnamespace::text IN ('public', 'gnomon', 'asof')`
		assert.deepEqual(rows(`SELECT p.oid::regprocedure::text AS f FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x
			WHERE ${mine} AND x.grantee = 0`), [])
		assert.deepEqual(rows(`SELECT c.oid::regclass::text AS t FROM pg_class c, aclexplode(c.relacl) x
			WHERE c.relnamespace::regnamespace::text IN ('public', 'gnomon', 'asof') AND x.grantee = 0`), [])
		assert.deepEqual(rows(`SELECT n.nspname FROM pg_namespace n, aclexplode(n.nspacl) x
			WHERE n.nspname IN ('public', 'gnomon', 'asof') AND x.grantee = 0`), [])
	})
	test('running roles are weak', () => {
		assert.deepEqual(rows(`SELECT rolname FROM pg_roles WHERE rolname LIKE 'gnomon%' AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication)`), [])
		assert.deepEqual(rows(`SELECT m.member::regrole::text AS who FROM pg_auth_members m WHERE m.member::regrole::text LIKE 'gnomon%'`), [])
		assert.equal(sql(`SELECT rolcanlogin FROM pg_roles WHERE rolname = 'gnomon_owner'`), 'f')
		for (const schema of ['public', 'gnomon', 'asof'])
			for (const role of ['gnomon_web', 'gnomon_worker', 'gnomon_stream'])
				assert.equal(sql(`SELECT has_schema_privilege('${role}', '${schema}', 'CREATE')`), 'f')
	})
	test('what gnomon_web may call to become somebody is known', () => {
		// sign-in itself needs these; a new one must be looked at and named
		const callable = rows(`SELECT oid::regproc::text AS f FROM pg_proc WHERE prosecdef AND pronamespace = 'gnomon'::regnamespace
			AND has_function_privilege('gnomon_web', oid, 'EXECUTE') ORDER BY 1`).map(r => r.f)
		const known = [
			'accept_invitation',
			'add_refresh',
			'add_to_project',
			'add_to_sprint',
			'ai_begin',
			'ai_end',
			'ai_goes_on',
			'ai_send',
			'ask_again',
			'ask_second_factor',
			'audit',
			'audit_heads_broken',
			'begin_oauth',
			'begin_second_factor',
			'begin_sign_in',
			'change_invitation',
			'change_member',
			'change_password',
			'change_project_member',
			'change_team',
			'change_workspace',
			'close_session',
			'complete_sprint',
			'confirm_second_factor',
			'delete_label',
			'delete_me',
			'drop_sprint',
			'end_other_sessions',
			'end_second_factor',
			'end_session',
			'enter',
			'forget_tries',
			'forgot_password',
			'fresh_webhook_secret',
			'invitation_of',
			'invite',
			'key_may',
			'late_jobs',
			'make_key',
			'make_project',
			'make_team',
			'make_workspace',
			'me',
			'member_addresses',
			'my_keys',
			'my_projects',
			'my_proof',
			'my_second_factor',
			'my_sessions',
			'my_teams',
			'my_workspaces',
			'new_recovery_codes',
			'number_in_project',
			'number_in_workspace',
			'oauth_issuer',
			'once',
			'open_session',
			'pull_ai_switch',
			'put_ai_feature',
			'put_ai_policy',
			'queue_depth',
			'queue_mail',
			'recall_once',
			'receive_oauth',
			'redrive_job',
			'register',
			'register_invited',
			'remember_once',
			'renew_hash',
			'reset_of',
			'reset_password',
			'rotate_refresh',
			'search',
			'second_factor_of',
			'start_sprint',
			'take_from_sprint',
			'search',
			'set_webhook_secret',
			'take_oauth',
			'unsubscribe',
			'unwatch',
			'remove_member',
			'remove_project_member',
			'remove_team',
			'seat_in_team',
			'unseat_from_team',
			'update_me',
			'use_code',
			'verify_address',
		].map(name => `gnomon.${name}`)
		assert.deepEqual(callable.filter(f => !known.includes(f)), [])
	})
	test('gnomon_stream may read no table', () => {
		assert.deepEqual(rows(`SELECT table_name FROM information_schema.table_privileges WHERE grantee = 'gnomon_stream' AND table_schema IN ('public', 'asof')`), [])
	})
})
