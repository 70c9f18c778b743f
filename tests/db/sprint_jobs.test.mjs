// What happens to sprints by itself, in a database of its own and with the clock
// held: 001-122. The programs get the clock with the database, as everything reads it.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { assert, BIN, DB, lit } from '../http/lib.mjs'

const name = `gnomon_sprint_jobs_${process.pid}`
const psql = (text, { at, user, on = name } = {}) => execFileSync('psql', ['-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', `${DB} dbname=${on}${user ? ` user=${user}` : ''}`], {
	input: text, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'],
	env: { ...process.env, PGOPTIONS: `-c client_min_messages=warning -c timezone=UTC${at ? ` -c gnomon.clock=${at}` : ''}` },
}).trim()
const worker = (at, ...args) => {
	psql(`ALTER DATABASE ${name} SET gnomon.clock = '${at}'`, { on: 'postgres' })
	try {
		return execFileSync(`${BIN}/gnomon-worker`, args, {
			encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'],
			env: { ...process.env, DATABASE_URL: `${DB.replace(/ ?user=\S+| ?dbname=\S+/g, '')} dbname=${name}` },
		})
	} finally {
		psql(`ALTER DATABASE ${name} RESET gnomon.clock`, { on: 'postgres' })
	}
}
const rows = query => JSON.parse(psql(`SELECT coalesce(json_agg(t), '[]') FROM (${query}) t`))
const ids = {}
const queued = kind => rows(`SELECT w.slug, j.payload ->> 'period' AS period, j.state FROM jobs j JOIN workspaces w ON w.id = j.workspace_id WHERE j.kind = ${lit(kind)} ORDER BY 1, 2`)

before(() => {
	psql(`CREATE DATABASE ${name} OWNER gnomon_owner TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'`, { on: 'postgres' })
	psql(`ALTER SCHEMA public OWNER TO gnomon_owner; SET ROLE gnomon_owner; CREATE TABLE migration_versions (version integer PRIMARY KEY)`)
	const folder = new URL('../../sql/migrations/', import.meta.url)
	for (const file of readdirSync(folder).sort()) psql(`BEGIN; SET ROLE gnomon_owner; ${readFileSync(new URL(file, folder), 'utf8')}; COMMIT`)
	// Two workspaces, half a day apart; in each a sprint of Monday 2 to Friday 6 March 2026.
	for (const [slug, zone, settings] of [['west', 'America/Los_Angeles', '{"autoComplete":"new"}'], ['east', 'Asia/Tokyo', '{"autoComplete":"backlog"}'], ['plain', 'UTC', '{}']])
		ids[slug] = JSON.parse(psql(`
			INSERT INTO workspaces (name, slug, timezone) VALUES ('${slug}', '${slug}', '${zone}') RETURNING set_config('gnomon.workspace', id::text, false) \\g /dev/null
			INSERT INTO projects (workspace_id, key, name, slug, settings) VALUES (gnomon.workspace(), 'P', 'P', 'p', '${settings}') RETURNING set_config('gnomon.project', id::text, false) \\g /dev/null
			INSERT INTO stories (workspace_id, project_id, title, status, estimate) SELECT gnomon.workspace(), gnomon.project(), 'S', 'ready', n FROM generate_series(1, 3) n ORDER BY n;
			INSERT INTO sprints (workspace_id, project_id, name, start_date, end_date) VALUES (gnomon.workspace(), gnomon.project(), 'Sprint 9', '2026-03-02', '2026-03-06');
			SELECT count(*) FROM gnomon.add_to_sprint((SELECT id FROM sprints WHERE workspace_id = gnomon.workspace()), ARRAY(SELECT id FROM stories WHERE workspace_id = gnomon.workspace())) \\g /dev/null
			SELECT count(*) FROM gnomon.start_sprint((SELECT id FROM sprints WHERE workspace_id = gnomon.workspace()), 1) \\g /dev/null
			SELECT json_build_object('ws', gnomon.workspace(), 'sprint', (SELECT id FROM sprints WHERE workspace_id = gnomon.workspace()))`, { at: '2026-03-02T06:00:00Z' }))
	psql(`UPDATE stories SET status = 'done' WHERE number = 1`, { at: '2026-03-03T12:00:00Z' })
})
after(() => psql(`DROP DATABASE IF EXISTS ${name}`, { on: 'postgres' }))

test('001-122: they are listed', () => {
	let list = ''
	try {
		worker('2026-03-02T06:00:00Z', 'run', 'no:such')
	} catch (error) {
		list = error.stderr
	}
	for (const kind of ['sprints:snapshot', 'sprints:auto_complete', 'metrics:aggregate', 'agent:sprint_risk:run']) assert.ok(list.split('\n').includes(kind), list)
})

test('001-122: after midnight there, and once, the day that ended is queued', () => {
	worker('2026-03-03T07:30:00Z', 'tick') // 3 March in UTC and Tokyo, still 2 March in Los Angeles
	worker('2026-03-03T07:40:00Z', 'tick')
	const days = kind => queued(kind).map(j => `${j.slug} ${j.period}`)
	assert.deepEqual(days('sprints:snapshot'), ['east 2026-03-02', 'plain 2026-03-02', 'west 2026-03-01'])
	worker('2026-03-03T08:00:00Z', 'tick') // midnight in Los Angeles
	assert.deepEqual(days('sprints:snapshot'), ['east 2026-03-02', 'plain 2026-03-02', 'west 2026-03-01', 'west 2026-03-02'])
	assert.deepEqual(days('metrics:aggregate').filter(d => d.startsWith('plain')), ['plain 2026-03-02'])
	assert.deepEqual(days('sprints:auto_complete'), [])
})

test('001-122: the nightly snapshot keeps the days that ended, and catches up on those it missed', () => {
	const kept = slug => rows(`SELECT day, remaining, done FROM burndown_snapshots WHERE sprint_id = ${lit(ids[slug].sprint)} ORDER BY day`).map(r => `${r.day} ${r.remaining} ${r.done}`)
	worker('2026-03-03T08:05:00Z', 'run', 'sprints:snapshot')
	assert.deepEqual(kept('plain'), ['2026-03-02 6 0'])
	assert.deepEqual(kept('west'), ['2026-03-02 6 0'])
	assert.deepEqual(queued('sprints:snapshot').map(j => j.state), Array(4).fill('succeeded'))
	worker('2026-03-05T12:00:00Z', 'run', 'sprints:snapshot') // the 4th was missed
	assert.deepEqual(kept('plain'), ['2026-03-02 6 0', '2026-03-03 5 1', '2026-03-04 5 1'])
	worker('2026-03-05T12:30:00Z', 'run', 'sprints:snapshot')
	assert.deepEqual(kept('plain').length, 3)
	assert.equal(psql(`SELECT set_config('gnomon.workspace', ${lit(ids.plain.ws)}, false) \\g /dev/null
		SELECT gnomon.recompute_days(${lit(ids.plain.sprint)})`, { at: '2026-03-05T12:00:00Z' }), '0')
})

test('001-122: figures are added up for each day that ended, those of missed nights too', () => {
	worker('2026-03-05T12:00:00Z', 'run', 'metrics:aggregate')
	assert.deepEqual(rows(`SELECT day, created, finished, ready, done, open_points FROM metrics_daily WHERE workspace_id = ${lit(ids.plain.ws)} ORDER BY day`), [
		{ day: '2026-03-02', created: 3, finished: 0, ready: 3, done: 0, open_points: 6 },
		{ day: '2026-03-03', created: 0, finished: 1, ready: 2, done: 1, open_points: 5 },
		{ day: '2026-03-04', created: 0, finished: 0, ready: 2, done: 1, open_points: 5 },
	])
})

test('001-122: a sprint ends by itself when its last day is over there, as its project says, and not before', () => {
	const status = slug => psql(`SELECT status FROM sprints WHERE id = ${lit(ids[slug].sprint)}`)
	const run = at => worker(at, 'run', 'sprints:auto_complete')
	run('2026-03-06T14:59:00Z') // 23:59 in Tokyo
	assert.deepEqual(['west', 'east', 'plain'].map(status), ['active', 'active', 'active'])
	run('2026-03-06T15:00:00Z') // midnight in Tokyo
	assert.deepEqual(['west', 'east', 'plain'].map(status), ['active', 'completed', 'active'])
	// 'backlog': nothing carried, no new sprint; the numbers are those of the end
	assert.equal(psql(`SELECT count(*) FROM sprints WHERE workspace_id = ${lit(ids.east.ws)}`), '1')
	assert.deepEqual(rows(`SELECT final_estimate, completed_at IS NOT NULL AS done, carried_to FROM sprint_items WHERE sprint_id = ${lit(ids.east.sprint)} ORDER BY final_estimate`), [
		{ final_estimate: 1, done: true, carried_to: null }, { final_estimate: 2, done: false, carried_to: null }, { final_estimate: 3, done: false, carried_to: null }])
	run('2026-03-07T07:59:00Z')
	assert.equal(status('west'), 'active')
	run('2026-03-07T08:00:00Z') // midnight in Los Angeles
	assert.equal(status('west'), 'completed')
	// 'new': carried over into a sprint that follows
	assert.deepEqual(rows(`SELECT s.name, s.status, s.start_date, s.end_date, count(i.id) AS stories FROM sprints s JOIN sprint_items i ON i.sprint_id = s.id AND i.removed_at IS NULL
		WHERE s.workspace_id = ${lit(ids.west.ws)} AND s.id <> ${lit(ids.west.sprint)} GROUP BY s.id, s.workspace_id, s.name, s.status, s.start_date, s.end_date`),
		[{ name: 'Sprint 10', status: 'planning', start_date: '2026-03-09', end_date: '2026-03-13', stories: 2 }])
	// off by default, however late it is
	run('2026-03-20T12:00:00Z')
	assert.equal(status('plain'), 'active')
	// put on later it is seen within the hour
	psql(`UPDATE projects SET settings = '{"autoComplete":"next"}' WHERE workspace_id = ${lit(ids.plain.ws)}`)
	run('2026-03-20T13:00:00Z')
	assert.equal(status('plain'), 'completed')
	assert.equal(psql(`SELECT count(*) FROM burndown_snapshots WHERE sprint_id = ${lit(ids.plain.sprint)} AND day >= '2026-03-05'`), '16') // 5 to 20 March
	assert.equal(psql(`SELECT actor_id IS NULL FROM events WHERE entity_id = ${lit(ids.plain.sprint)} ORDER BY rev DESC LIMIT 1`), 't')
})

test('000-005: the worker itself may change no sprint', () => {
	for (const text of ['UPDATE sprints SET status = status', 'UPDATE sprint_items SET final_estimate = 1', 'DELETE FROM sprints', 'UPDATE burndown_snapshots SET remaining = 0', 'DELETE FROM metrics_daily'])
		assert.throws(() => psql(text, { user: 'gnomon_worker' }), /permission denied/, text)
})
