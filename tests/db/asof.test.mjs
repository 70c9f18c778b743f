// The past, proved: a random history of 10,000 events, looked at live 100 times,
// is seen again as it was from its end; and what looking back costs.
import { before, describe, test } from 'node:test'
import { assert, BIN, lit, rows, sql, tenant } from '../http/lib.mjs'
import { execFileSync } from 'node:child_process'

const EVENTS = 10000
const LOOKS = 100
const seed = Number(process.env.GNOMON_SEED ?? 20261120)

/** Numbers that look random and are the same for the same seed (mulberry32). */
function random(from) {
	let a = from >>> 0
	return () => {
		a = (a + 0x6d2b79f5) >>> 0
		let x = Math.imul(a ^ (a >>> 15), 1 | a)
		x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x
		return ((x ^ (x >>> 14)) >>> 0) / 4294967296
	}
}

const tables = ['projects', 'epics', 'stories', 'sprints', 'sprint_items', 'dependencies']
/** One line for the state of everything, as it is or as of a revision. */
const looked = (t, schema, rev) => `
	${rev === undefined ? '' : `SET gnomon.as_of_rev = ${rev};`}
	SELECT string_agg(x.line, ' ' ORDER BY x.place) FROM (
	  ${tables.map((name, i) => `SELECT ${i} AS place, '${name}:' || count(*) || ':' || coalesce(md5(string_agg(s::text, E'\\n' ORDER BY s.id)), '') AS line
	    FROM ${schema}.${name} s WHERE s.workspace_id = ${lit(t.id)} AND s.${name === 'projects' ? 'id' : 'project_id'} = ${lit(t.project.id)}`).join('\n UNION ALL ')}) x;`

let t, board
before(async () => { // at once: what follows lets no connection live
	[t, board] = await Promise.all([tenant({ roles: ['member'], stories: 3 }), tenant({ stories: 0 })])
})

describe(`as of a revision, seed ${seed}`, () => {
	const seen = [] // {rev, line}
	before(() => {
		const roll = random(seed)
		const upTo = n => Math.floor(roll() * n)
		const pick = list => list[upTo(list.length)]
		const scope = `workspace_id = ${lit(t.id)} AND project_id = ${lit(t.project.id)}`
		let stories = 3, epics = 0, sprints = 0, salt = 0
		const story = () => `(SELECT id FROM stories WHERE ${scope} AND number = ${1 + upTo(stories)})`
		const one = () => `WHERE ${scope} AND number = ${1 + upTo(stories)}`
		const many = n => `WHERE ${scope} AND number % ${n} = ${upTo(n)}`
		const text = () => `'${pick(['Fix', 'Paint', 'Move', 'Über'])} “${(salt += 1)}”'`
		const some = (...values) => pick(values)
		const sets = () => some(
			`title = ${text()}`, `description = ${text()}`, `estimate = ${some('NULL', '1', '2.5', '13')}`, `priority = ${some("'low'", "'urgent'", "'high'")}`,
			`assignee_id = ${some('NULL', lit(t.owner.id), lit(t.member.id))}`, `due_date = ${some('NULL', "'2027-01-31'", "'1999-12-31'")}`,
			`acceptance_criteria = ${some("'[]'", `'["a", {"text": "${(salt += 1)}"}]'`)}`, `confidence = ${some('NULL', '0', '100')}`,
			`epic_id = ${epics ? some('NULL', `(SELECT id FROM epics WHERE ${scope} AND number = ${1 + upTo(epics)})`) : 'NULL'}`,
			`title = ${text()}, estimate = ${upTo(20)}, priority = 'medium'`, `status = '${pick(['backlog', 'ready', 'in_progress', 'review', 'done'])}'`)
		const insert = (n, more = '', values = '') => {
			stories += n
			return `INSERT INTO stories (workspace_id, project_id, title, position${more})
				SELECT ${lit(t.id)}, ${lit(t.project.id)}, ${text()} || g, g${values} FROM generate_series(1, ${n}) g`
		}
		const acts = [
			[30, () => `UPDATE stories SET ${sets()} ${one()}`],
			[8, () => `UPDATE stories SET status = '${pick(['backlog', 'ready', 'in_progress', 'review', 'done'])}' ${one()}`],
			[5, () => `UPDATE stories SET deleted_at = ${some('now()', 'NULL')} ${one()}`],
			[4, () => insert(1)],
			[1, () => insert(2 + upTo(20))],
			[2, () => insert(1 + upTo(3), ', created_at, status', ", now() - interval '400 days', 'done'")], // an import of old work
			[2, () => `UPDATE stories SET position = (random() * 1000)::integer ${many(2 + upTo(40))}`], // a reorder
			[2, () => `UPDATE stories SET ${sets()} ${many(20 + upTo(30))}`],
			[1, () => `INSERT INTO epics (workspace_id, project_id, title) VALUES (${lit(t.id)}, ${lit(t.project.id)}, ${text()})` + ((epics += 1), '')],
			[2, () => `UPDATE epics SET ${some(`title = ${text()}`, "status = 'active'", "status = 'done'", 'deleted_at = now()', 'deleted_at = NULL')} WHERE ${scope} AND number = ${1 + upTo(epics + 1)}`],
			[1, () => `INSERT INTO sprints (workspace_id, project_id, name, start_date, end_date) VALUES (${lit(t.id)}, ${lit(t.project.id)}, ${text()}, '2026-11-01', '2026-11-14')` + ((sprints += 1), '')],
			[2, () => `UPDATE sprints SET ${some(`goal = ${text()}`, `capacity = '{"${t.owner.id}": ${upTo(20)}}'`, "status = 'completed', completed_at = now()", 'started_at = now()')} WHERE ${scope} AND number = ${1 + upTo(sprints + 1)}`],
			[4, () => `INSERT INTO sprint_items (workspace_id, project_id, sprint_id, story_id, original_estimate)
			           SELECT workspace_id, project_id, id, ${story()}, ${upTo(9)} FROM sprints WHERE ${scope} AND number = ${1 + upTo(sprints + 1)}
			           ON CONFLICT DO NOTHING`],
			[3, () => `UPDATE sprint_items SET ${some('removed_at = now()', 'removed_at = NULL', 'final_estimate = 4, completed_at = now()')} WHERE ${scope} AND story_id = ${story()}`],
			[3, () => `INSERT INTO dependencies (workspace_id, project_id, source_id, target_id, dependency_type)
			           SELECT ${lit(t.id)}, ${lit(t.project.id)}, a, b, '${pick(['blocks', 'requires'])}' FROM (SELECT ${story()} AS a, ${story()} AS b) x WHERE a <> b`],
			[2, () => `UPDATE dependencies SET removed_at = ${some('now()', 'NULL')} WHERE ${scope} AND source_id = ${story()}`],
			[1, () => `UPDATE projects SET ${some(`name = ${text()}`, `description = ${text()}`, `settings = '{"n": ${upTo(99)}}'`, 'archived_at = now()', 'archived_at = NULL')} WHERE id = ${lit(t.project.id)}`],
		]
		const total = acts.reduce((n, [weight]) => n + weight, 0)
		const act = () => {
			let at = upTo(total)
			// what a rule refuses (a circle, a closed sprint, a story twice in one) leaves nothing
			return `DO $act$ BEGIN ${acts.find(([weight]) => (at -= weight) < 0)[1]()};
				EXCEPTION WHEN unique_violation OR SQLSTATE 'GN000' THEN NULL; END $act$;\n`
		}
		const count = () => Number(sql(`SELECT count(*) FROM events WHERE workspace_id = ${lit(t.id)} AND scope_id = ${lit(t.project.id)}`))
		let written = count()
		while (written < EVENTS) {
			let script = ''
			for (let i = 0; i < 36; i++) {
				const way = upTo(20)
				if (way === 0) script += `BEGIN;\n${act()}${act()}${act()}COMMIT;\n`
				else if (way === 1) { // what is undone leaves numbers behind, too; none is used up here
					const [s, e, p] = [stories, epics, sprints]
					script += `BEGIN;\n${act()}${act()}ROLLBACK;\n`;
					[stories, epics, sprints] = [s, e, p]
				} else if (way === 2) // an act of the past, told now
					script += `BEGIN;\nSET LOCAL gnomon.clock = '${2020 + upTo(6)}-06-01 12:00:00+00';\n${act()}COMMIT;\n`
				else script += act()
			}
			// the look of this moment, taken live, and its revision
			const out = sql(`${script}
				SELECT rev FROM revisions WHERE workspace_id = ${lit(t.id)} AND scope_id = ${lit(t.project.id)}; ${looked(t, 'public')}`).split('\n')
			const line = out.at(-1)
			seen.push({ rev: Number(out.at(-2)), line })
			written = count()
		}
		console.log(`# seed ${seed}: ${written} events, ${seen.at(-1).rev} revisions, ${seen.length} looks, ${stories} stories`)
		// more looks than asked for are thinned out by the same dice
		while (seen.length > LOOKS) seen.splice(upTo(seen.length), 1)
	})
	test(`a history of ${EVENTS} events gives back what was seen at ${LOOKS} random revisions`, () => {
		assert.ok(seen.length >= LOOKS, `only ${seen.length} looks`)
		const settings = `SET gnomon.workspace = ${lit(t.id)}; SET gnomon.project = ${lit(t.project.id)};`
		for (const { rev, line } of seen) assert.equal(sql(settings + looked(t, 'asof', rev)), line, `revision ${rev}`)
	})
	test('one by one as well as all at once', () => {
		const settings = `SET gnomon.workspace = ${lit(t.id)}; SET gnomon.project = ${lit(t.project.id)}; SET gnomon.as_of_one = 'on';`
		for (const { rev, line } of seen.filter((_, i) => i % 10 === 0)) assert.equal(sql(settings + looked(t, 'asof', rev)), line, `revision ${rev}`)
	})
	test('the newest revision is the present', () => {
		const rev = sql(`SELECT rev FROM revisions WHERE workspace_id = ${lit(t.id)} AND scope_id = ${lit(t.project.id)}`)
		const settings = `SET gnomon.workspace = ${lit(t.id)}; SET gnomon.project = ${lit(t.project.id)};`
		assert.equal(sql(settings + looked(t, 'asof', rev)), sql(looked(t, 'public')))
		assert.equal(sql(settings + looked(t, 'asof')), sql(looked(t, 'public')))
	})
	test('before its first revision there is nothing', () => {
		const settings = `SET gnomon.workspace = ${lit(t.id)}; SET gnomon.project = ${lit(t.project.id)};`
		assert.equal(sql(settings + looked(t, 'asof', 0)).replaceAll(/:0:/g, ''), tables.join(' '))
	})
})

describe('001-166: what a look back costs', () => {
	/** The statements of a board as of a revision, explained as gnomon_web: {ms, buffers}. */
	const explain = (t, rev) => {
		const { sid } = JSON.parse(Buffer.from(t.owner.token.split('.')[1], 'base64url'))
		const text = execFileSync(`${BIN}/gnomonctl`, ['sql', 'get_board', 'asOf=1'], { encoding: 'utf8' })
		let ms = 0, buffers = 0
		for (const statement of text.split(/^-- part:.*$/m).map(s => s.trim()).filter(Boolean)) {
			const out = sql(`BEGIN; SELECT 1 FROM gnomon.enter(NULL, ${lit(sid)}, NULL, ${lit(t.project.id)}, NULL, 1, false) \\g /dev/null
				SELECT 1 FROM gnomon.look_back('${rev}', false) \\g /dev/null
				EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${statement.replaceAll(':known::bigint[]', "'{}'::bigint[]").replaceAll(':asOf::text', `'${rev}'`)}; COMMIT`, 'gnomon_web')
			const [plan] = JSON.parse(out)
			ms += plan['Execution Time']
			buffers += plan.Plan['Shared Hit Blocks'] + plan.Plan['Shared Read Blocks']
		}
		return { ms: Math.round(ms), buffers }
	}
	test('a board of 2,000 stories with 100,000 events behind it: by their number, not by its square', () => {
		const t = board
		const scope = `workspace_id = ${lit(t.id)}`
		sql(`INSERT INTO stories (workspace_id, project_id, title, position, status)
		     SELECT ${lit(t.id)}, ${lit(t.project.id)}, 'S' || g, g, (ARRAY['backlog','ready','in_progress','review','done'])[1 + g % 5] FROM generate_series(1, 2000) g`)
		const marks = { 0: 2 }
		for (let round = 1; round <= 50; round++) {
			sql(`UPDATE stories SET ${['position = position + 1', "title = title || '.'", 'estimate = coalesce(estimate, 0) + 1', "priority = CASE priority WHEN 'low' THEN 'high' ELSE 'low' END"][round % 4]} WHERE ${scope}`)
			marks[round] = 2 + round
		}
		sql('ANALYZE events; ANALYZE stories')
		const [{ n }] = rows(`SELECT count(*) AS n FROM events WHERE ${scope}`)
		assert.ok(n > 100000)
		const [near, half, whole] = [explain(t, marks[49]), explain(t, marks[25]), explain(t, marks[0])]
		console.log(`# as of 2,000 events ago ${near.ms} ms, ${near.buffers} pages; 50,000: ${half.ms} ms, ${half.buffers}; 100,000: ${whole.ms} ms, ${whole.buffers}`)
		// an event is found in an index and read in its table; which way round, the planner decides
		for (const look of [near, half, whole]) assert.ok(look.buffers < 5 * n, `${look.buffers} pages for ${n} events`)
		assert.ok(whole.ms < 4 * half.ms + 200, 'time grows faster than events')
		assert.ok(whole.ms < 30000)
	})
})
