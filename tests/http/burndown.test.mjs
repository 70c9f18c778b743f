// What is said of a sprint and of a project's flow, against tables made by hand.
// The history is written with the clock held (gnomon.clock), so every time is known.
import { before, describe, test } from 'node:test'
import { assert, get, lit, ok, rows, sql, tenant, refused } from './lib.mjs'

/** The rows of a table drawn with bars, by the names in its head; - is null. */
const table = text => {
	const [head, , ...lines] = text.trim().split('\n').map(line => line.split('|').map(cell => cell.trim()))
	return lines.map(line => Object.fromEntries(head.map((name, i) => [name, line[i] === '-' ? null : /^-?[\d.]+$/.test(line[i]) ? Number(line[i]) : line[i]])))
}
const pick = (list, like) => list.map(row => Object.fromEntries(Object.keys(like[0]).map(k => [k, row[k]])))

/**
 * A tenant in a zone whose story n is `n`, with a history: [time there, what
 * happens as SQL]. Stories: estimates by number, all ready on the first day.
 */
async function told(zone, made, estimates, history) {
	const t = await tenant({ stories: 0 })
	const at = (moment, text) => `SELECT set_config('gnomon.clock', (timestamp '${moment}' AT TIME ZONE '${zone}')::text, true); ${text};`
	sql(`BEGIN; UPDATE workspaces SET timezone = '${zone}', created_at = '2026-01-01' WHERE id = ${lit(t.id)};
	SELECT set_config('gnomon.workspace', ${lit(t.id)}, true), set_config('gnomon.project', ${lit(t.project.id)}, true), set_config('gnomon.actor', ${lit(t.owner.id)}, true);
	UPDATE projects SET created_at = '2026-01-01' WHERE id = ${lit(t.project.id)};
	CREATE FUNCTION pg_temp.s(n integer) RETURNS uuid LANGUAGE sql AS $$ SELECT id FROM stories WHERE workspace_id = gnomon.workspace() AND number = n $$;
	CREATE FUNCTION pg_temp.sprint(n integer) RETURNS uuid LANGUAGE sql AS $$ SELECT id FROM sprints WHERE workspace_id = gnomon.workspace() AND number = n $$;
	CREATE FUNCTION pg_temp.seen(n integer) RETURNS integer LANGUAGE sql AS $$ SELECT version FROM sprints WHERE workspace_id = gnomon.workspace() AND number = n $$;
	CREATE FUNCTION pg_temp.plan(first date, last date) RETURNS void LANGUAGE sql AS $$
	  INSERT INTO sprints (workspace_id, project_id, name, start_date, end_date) SELECT gnomon.workspace(), gnomon.project(), 'Sprint', first, last $$;
	CREATE FUNCTION pg_temp.add(sprint integer, VARIADIC ns integer[]) RETURNS void LANGUAGE sql AS $$
	  SELECT gnomon.add_to_sprint(pg_temp.sprint(sprint), ARRAY(SELECT pg_temp.s(n) FROM unnest(ns) n)) $$;
	CREATE FUNCTION pg_temp.take(sprint integer, n integer) RETURNS void LANGUAGE sql AS $$ SELECT gnomon.take_from_sprint(pg_temp.sprint(sprint), pg_temp.s(n)) $$;
	CREATE FUNCTION pg_temp.start(sprint integer) RETURNS void LANGUAGE sql AS $$ SELECT gnomon.start_sprint(pg_temp.sprint(sprint), pg_temp.seen(sprint)) $$;
	CREATE FUNCTION pg_temp.complete(sprint integer) RETURNS void LANGUAGE sql AS $$
	  SELECT gnomon.complete_sprint(pg_temp.sprint(sprint), pg_temp.seen(sprint), 'backlog', NULL, NULL) $$;
	CREATE FUNCTION pg_temp.move(n integer, new_status text) RETURNS void LANGUAGE sql AS $$ UPDATE stories SET status = new_status WHERE id = pg_temp.s(n) $$;
	CREATE FUNCTION pg_temp.size(n integer, points float8) RETURNS void LANGUAGE sql AS $$ UPDATE stories SET estimate = points WHERE id = pg_temp.s(n) $$;
	CREATE FUNCTION pg_temp.drop(n integer) RETURNS void LANGUAGE sql AS $$ UPDATE stories SET deleted_at = gnomon.now() WHERE id = pg_temp.s(n) $$;
	${at(made, estimates.map(e => `INSERT INTO stories (workspace_id, project_id, title, status, estimate) VALUES (${lit(t.id)}, ${lit(t.project.id)}, 'Story', 'ready', ${e ?? 'NULL'})`).join(';'))}
	${history.map(([moment, ...calls]) => at(moment, calls.map(c => `SELECT pg_temp.${c}`).join(';'))).join('\n')}
	COMMIT`)
	t.sprints = rows(`SELECT id, number FROM sprints WHERE workspace_id = ${lit(t.id)} ORDER BY number`)
	/** SQL with the clock held, in the tenant, as a role. */
	t.at = (moment, text, role = 'gnomon_web') => sql(`BEGIN; SELECT set_config('gnomon.workspace', ${lit(t.id)}, true), set_config('gnomon.project', ${lit(t.project.id)}, true),
		set_config('gnomon.clock', (timestamp '${moment}' AT TIME ZONE '${zone}')::text, true) \\g /dev/null
		${text}; COMMIT`, role)
	t.days = (moment, sprint) => JSON.parse(t.at(moment, `SELECT json_agg(b) FROM gnomon.burndown(${lit(sprint.id)}) b`))
	return t
}

// Berlin puts its clocks forward on Sunday 29 March 2026: that day has 23 hours.
const sprintOfSpring = [
	['2026-03-23 08:00', `plan('2026-03-23', '2026-04-03')`, 'add(1, 1, 2, 3, 4, 5)'],
	['2026-03-23 09:00', 'start(1)'],                    // committed: 5 + 3 + 8 + 2 + none = 18
	['2026-03-23 15:00', `move(1, 'in_progress')`],
	['2026-03-24 11:00', `move(1, 'done')`],              // -5
	['2026-03-24 12:00', 'add(1, 6)'],                    // + 3
	['2026-03-25 10:00', 'size(3, 13)'],                  // + 5: 8 becomes 13
	['2026-03-26 10:00', 'take(1, 4)'],                   // - 2
	['2026-03-27 23:59:59', `move(2, 'done')`],           // -3, in the last second of Friday
	['2026-03-28 00:00', 'size(5, 1)'],                   // + 1, in the first of Saturday
	['2026-03-29 23:30', `move(1, 'in_progress')`],       // reopened late on the short Sunday: + 5 open
	['2026-03-30 00:15', 'add(1, 4)'],                    // the 2 come back, before it would be midnight in winter time
	['2026-03-31 10:00', `move(1, 'done')`, 'drop(6)'],   // done again; a story of 3 is deleted
	['2026-04-01 10:00', `move(3, 'in_progress')`],
	['2026-04-02 10:00', 'add(1, 7)', 'take(1, 7)'],      // in and out on one day
]
const wanted = table(`
	day        | remaining | total | done | stories | done_stories | scope | ideal
	-----------|-----------|-------|------|---------|--------------|-------|------
	2026-03-23 |        18 |    18 |    0 |       5 |            0 |     - |  16.2
	2026-03-24 |        16 |    21 |    5 |       6 |            1 |     3 |  14.4
	2026-03-25 |        21 |    26 |    5 |       6 |            1 |     5 |  12.6
	2026-03-26 |        19 |    24 |    5 |       5 |            1 |    -2 |  10.8
	2026-03-27 |        16 |    24 |    8 |       5 |            2 |     - |     9
	2026-03-28 |        17 |    25 |    8 |       5 |            2 |     1 |     9
	2026-03-29 |        22 |    25 |    3 |       5 |            1 |     - |     9
	2026-03-30 |        24 |    27 |    3 |       6 |            1 |     2 |   7.2
	2026-03-31 |        16 |    24 |    8 |       5 |            2 |    -3 |   5.4
	2026-04-01 |        16 |    24 |    8 |       5 |            2 |     - |   3.6
	2026-04-02 |        16 |    24 |    8 |       5 |            2 |     - |   1.8
	2026-04-03 |        16 |    24 |    8 |       5 |            2 |     - |     0`)

describe('the burndown', () => {
	let t
	before(async () => {
		t = await told('Europe/Berlin', '2026-03-20 10:00', [5, 3, 8, 2, null, 3, 4], sprintOfSpring)
	})
	test('001-116: equals the table made by hand, with scope changes, a weekend and a day of 23 hours', () => {
		assert.deepEqual(pick(t.days('2026-04-03 18:00', t.sprints[0]), wanted), wanted)
	})
	test('001-116: on any of its days it shows that day as it was, and nothing later', () => {
		for (const [i, { day }] of wanted.entries()) {
			const days = pick(t.days(`${day} 23:59:59.999999`, t.sprints[0]), wanted)
			assert.deepEqual(days.slice(0, i + 1), wanted.slice(0, i + 1), day)
			for (const later of days.slice(i + 1)) assert.deepEqual([later.remaining, later.total, later.scope], [null, null, null])
		}
	})
	test('seen from the past it is what it was then', () => {
		const days = JSON.parse(t.at('2026-04-20 12:00', `SELECT set_config('gnomon.as_of', '2026-03-26 22:59:59+00', true) \\g /dev/null
			SELECT json_agg(b) FROM gnomon.burndown(${lit(t.sprints[0].id)}) b`))
		assert.deepEqual(pick(days, wanted).slice(0, 4), wanted.slice(0, 4))
		assert.deepEqual(days.slice(4).map(d => d.remaining), Array(8).fill(null))
	})
	// On 1 April seven working days are gone; 8 points done: 8/7 a day. Open 16. Three to come.
	test('the forecast is the pace so far, a quarter slower or faster', () => {
		const days = t.days('2026-04-01 12:00', t.sprints[0])
		const band = days.filter(d => d.forecast_low !== null).map(d => [d.day, d.forecast_low, d.forecast_high])
		const at = (n, share) => Math.round((16 - share * n * 8 / 7) * 10) / 10
		assert.deepEqual(band, [['2026-04-01', at(1, 1.25), at(1, 0.75)], ['2026-04-02', at(2, 1.25), at(2, 0.75)], ['2026-04-03', at(3, 1.25), at(3, 0.75)]])
		assert.deepEqual(days.filter(d => d.is_today).map(d => d.day), ['2026-04-01'])
	})
	test('001-116, 001-127: what each night kept equals the events, and so does what is kept anew', async () => {
		for (const { day } of wanted) t.at(`${day} 00:05`, 'SELECT gnomon.snapshot_sprints($$infinity$$)', 'gnomon_worker')
		const kept = () => rows(`SELECT day, remaining, total, done, stories, done_stories, scope, ideal FROM burndown_snapshots WHERE sprint_id = ${lit(t.sprints[0].id)} ORDER BY day`)
		assert.deepEqual(kept(), wanted.slice(0, 11)) // the last day is not over
		t.at('2026-04-06 00:05', 'SELECT gnomon.snapshot_sprints($$infinity$$)', 'gnomon_worker')
		assert.deepEqual(kept().slice(0, 12), wanted)
		assert.equal(t.at('2026-04-20 12:00', `SELECT gnomon.recompute_days(${lit(t.sprints[0].id)})`, 'gnomon_worker'), '0')
		sql(`UPDATE burndown_snapshots SET remaining = remaining + 1 WHERE sprint_id = ${lit(t.sprints[0].id)} AND day < '2026-03-26'`)
		assert.equal(t.at('2026-04-20 12:00', `SELECT gnomon.recompute_days(${lit(t.sprints[0].id)})`, 'gnomon_worker'), '3')
		assert.deepEqual(kept().slice(0, 12), wanted)
	})
	test('001-127: the address answers the same days, and what changed the scope', async () => {
		const { days, changes } = await ok(get(`${t.path}/sprints/1/burndown`, t.owner))
		const kept = rows(`SELECT day, remaining, total, done, stories, done_stories AS "doneStories", scope, ideal FROM burndown_snapshots WHERE sprint_id = ${lit(t.sprints[0].id)} ORDER BY day`)
		assert.deepEqual(pick(days, kept).slice(0, kept.length), kept)
		assert.deepEqual(changes.map(c => [c.what, Number(c.key.split('-')[1]), c.points]), [
			['added', 6, 3], ['estimated', 3, 5], ['removed', 4, -2], ['estimated', 5, 1], ['added', 4, 2], ['removed', 6, -3], ['added', 7, 4], ['removed', 7, -4]])
	})
	// committed 18; added 3 + 2 + 4; removed 2 + 3 + 4; estimated 5 + 1: 18 + 9 - 9 + 6 = 24
	test('001-121, 001-128: committed, done, added, removed and the ratio', async () => {
		const m = await ok(get(`${t.path}/sprints/1/metrics`, t.owner))
		assert.deepEqual([m.committedPoints, m.committedStories, m.addedPoints, m.addedStories, m.removedPoints, m.removedStories, m.reestimatedPoints, m.points, m.stories],
			[18, 5, 9, 3, 9, 3, 6, 24, 5])
		assert.deepEqual([m.donePoints, m.doneStories, m.ratio], [8, 2, 0.4444]) // 8 / 18
	})
	test('completed it stays, to the day', () => {
		const before_ = t.days('2026-04-03 18:00', t.sprints[0])
		t.at('2026-04-03 18:00', `SELECT gnomon.complete_sprint(${lit(t.sprints[0].id)}, (SELECT version FROM sprints WHERE id = ${lit(t.sprints[0].id)}), 'backlog', NULL, NULL)`)
		t.at('2026-04-10 18:00', `UPDATE stories SET status = 'done', estimate = 100`)
		assert.deepEqual(pick(t.days('2026-05-01 12:00', t.sprints[0]), wanted), pick(before_, wanted))
		assert.equal(t.at('2026-05-01 12:00', `SELECT gnomon.recompute_days(${lit(t.sprints[0].id)})`, 'gnomon_worker'), '0')
	})
})

test('a sprint that starts late and ends late has days of its own', async () => {
	const t = await told('America/New_York', '2026-06-01 09:00', [4, 6], [
		['2026-06-05 10:00', `plan('2026-06-08', '2026-06-10')`, 'add(1, 1, 2)'],
		['2026-06-09 12:00', 'start(1)'],
		['2026-06-09 13:00', `move(1, 'done')`],
		['2026-06-11 09:00', `move(2, 'done')`],
	])
	const days = table(`
		day        | remaining | done | ideal
		-----------|-----------|------|------
		2026-06-08 |         - |    - |   6.7
		2026-06-09 |         6 |    4 |   3.3
		2026-06-10 |         6 |    4 |     0
		2026-06-11 |         0 |   10 |     0`)
	assert.deepEqual(pick(t.days('2026-06-11 20:00', t.sprints[0]), days), days)
})

describe('velocity', () => {
	let t
	before(async () => {
		// five sprints of a week, one story each of committed and of done points, and one that is running
		const history = []
		const weeks = [['01-05', '01-09', 1, 2], ['01-12', '01-16', 3, 4], ['01-19', '01-23', 5, 6], ['01-26', '01-30', 7, 8], ['02-02', '02-06', 9, 10], ['02-09', '02-13', 11, 12]]
		weeks.forEach(([first, last, a, b], i) => {
			history.push([`2026-${first} 08:00`, `plan('2026-${first}', '2026-${last}')`, `add(${i + 1}, ${a}, ${b})`], [`2026-${first} 09:00`, `start(${i + 1})`])
			history.push([`2026-${last} 10:00`, `move(${a}, 'done')`])
			if (i === 3) history.push([`2026-${last} 11:00`, `move(${b}, 'done')`])
			if (i < 5) history.push([`2026-${last} 17:00`, `complete(${i + 1})`])
		})
		t = await told('Asia/Tokyo', '2026-01-03 10:00', [5, 5, 8, 2, 6, 4, 10, 2, 12, 3, 9, 9], history)
	})
	const five = table(`
		number | committedPoints | completedPoints | committedStories | completedStories | ratio  | meanOfThree
		-------|-----------------|-----------------|------------------|------------------|--------|------------
		1      |              10 |               5 |                2 |                1 | 0.5    |         5
		2      |              10 |               8 |                2 |                1 | 0.8    |       6.5
		3      |              10 |               6 |                2 |                1 | 0.6    |       6.3
		4      |              12 |              12 |                2 |                2 | 1      |       8.7
		5      |              15 |              12 |                2 |                1 | 0.8    |        10`)
	test('001-117, 001-129: five sprints equal the table, the one that runs is not among them', async () => {
		const v = await ok(get(`${t.path}/analytics/velocity`, t.owner))
		assert.deepEqual(pick(v.items, five), five)
		// mean (5 + 8 + 6 + 12 + 12) / 5 = 8.6, median 8; 43 of 57; the last three (6 + 12 + 12) / 3, before them (5 + 8) / 2
		assert.deepEqual(v.summary, { sprints: 5, meanPoints: 8.6, medianPoints: 8, ratio: 0.7544, lastThree: 10, threeBefore: 6.5, trend: 'rising' })
	})
	test('001-129: from and to choose by the day of completion there', async () => {
		const numbers = async query => (await ok(get(`${t.path}/analytics/velocity?${query}`, t.owner))).items.map(i => i.number)
		assert.deepEqual(await numbers('from=2026-01-16&to=2026-01-23'), [2, 3])
		assert.deepEqual(await numbers('to=2026-01-15'), [1])
		assert.deepEqual(await numbers('from=2026-03-01'), [])
		await refused(get(`${t.path}/analytics/velocity?from=2026-03-02&to=2026-03-01`, t.owner), 422, 'validation_failed')
	})
	test('001-121: what was committed and what was done, each in the sprint', async () => {
		for (const want of five) {
			const m = await ok(get(`${t.path}/sprints/${want.number}/metrics`, t.owner))
			assert.deepEqual([m.committedPoints, m.donePoints, m.ratio], [want.committedPoints, want.completedPoints, want.ratio])
		}
	})
})

describe('how long stories take', () => {
	let t
	// London's clocks go forward on 29 March: Saturday noon to Monday noon is 47 hours.
	//   story  made             in progress         done                cycle            lead
	//   1      2 Mar 09:00      3 Mar 09:00         5 Mar 09:00         2                3
	//   2      2 Mar 09:00      3 Mar 09:00         4 Mar 21:00         1.5              2.5
	//   3      2 Mar 09:00      9 Mar 09:00         13 Mar 09:00        4                11
	//   4      2 Mar 09:00      28 Mar 12:00        30 Mar 12:00        1.96 (47 h)      28.08 (674 h)
	//   5      2 Mar 09:00      never               10 Mar 09:00        -                8
	//   6      2 Mar 09:00      10 Mar, again 16th  18 Mar 09:00, reopened after the 12th: from the first start: 8; lead 16
	//   7      2 Mar 09:00      4 Mar               done 5 Mar, reopened for good       -                -
	//   8      2 Mar 09:00      4 Mar               done 6 Mar, deleted                 -                -
	before(async () => {
		t = await told('Europe/London', '2026-03-02 09:00', [1, 2, 3, 5, 8, 13, 21, 34], [
			['2026-03-03 09:00', `move(1, 'in_progress')`, `move(2, 'in_progress')`],
			['2026-03-04 09:00', `move(7, 'in_progress')`, `move(8, 'in_progress')`],
			['2026-03-04 21:00', `move(2, 'done')`],
			['2026-03-05 09:00', `move(1, 'done')`, `move(7, 'done')`],
			['2026-03-06 09:00', `move(8, 'done')`, `move(7, 'review')`],
			['2026-03-07 09:00', 'drop(8)'],
			['2026-03-09 09:00', `move(3, 'in_progress')`],
			['2026-03-10 09:00', `move(6, 'in_progress')`, `move(5, 'done')`],
			['2026-03-12 09:00', `move(6, 'done')`],
			['2026-03-13 09:00', `move(3, 'done')`],
			['2026-03-16 09:00', `move(6, 'in_progress')`],
			['2026-03-18 09:00', `move(6, 'done')`],
			['2026-03-28 12:00', `move(4, 'in_progress')`],
			['2026-03-30 12:00', `move(4, 'done')`],
		])
	})
	const march = 'from=2026-03-02&to=2026-04-05'
	const ask = (what, query = march) => ok(get(`${t.path}/analytics/${what}?${query}`, t.owner))
	// Sorted 1.5, 1.96, 2, 4, 8: the median is the third; 85% lies at 0.85 x 4 = 3.4 steps: 4 + 0.4 x (8 - 4) = 5.6.
	test('001-118: median and p85 of cycle time equal the numbers worked out by hand', async () => {
		const { summary, items } = await ask('cycle-time')
		assert.deepEqual(summary, { from: '2026-03-02', to: '2026-04-05', stories: 5, withoutTime: 1, medianDays: 2, p85Days: 5.6, meanDays: 3.49 })
		assert.deepEqual(items.map(i => [i.number, i.days]), [[4, 1.96], [6, 8], [3, 4], [1, 2], [2, 1.5]])
	})
	// Sorted 2.5, 3, 8, 11, 16, 28.08: the median is (8 + 11) / 2; 85% at 0.85 x 5 = 4.25: 16 + 0.25 x 12.08 = 19.02.
	test('001-119: lead time likewise', async () => {
		const { summary, items } = await ask('lead-time')
		assert.deepEqual(summary, { from: '2026-03-02', to: '2026-04-05', stories: 6, withoutTime: 0, medianDays: 9.5, p85Days: 19.02, meanDays: 11.43 })
		assert.deepEqual(items.map(i => [i.number, i.days]), [[4, 28.08], [6, 16], [3, 11], [5, 8], [1, 3], [2, 2.5]])
	})
	const weeks = table(`
		week       | stories | points
		-----------|---------|-------
		2026-03-02 |       2 |      3
		2026-03-09 |       2 |     11
		2026-03-16 |       1 |     13
		2026-03-23 |       0 |      0
		2026-03-30 |       1 |      5`)
	test('001-120: stories and points by week equal the table, the empty week too', async () => {
		const { summary, items } = await ask('throughput')
		assert.deepEqual(items, weeks)
		assert.deepEqual(summary, { from: '2026-03-02', to: '2026-04-05', stories: 6, points: 32, storiesAWeek: 1.2, pointsAWeek: 6.4 }) // 35 days
	})
	test('001-120: a period that begins in mid-week cuts that week', async () => {
		const { items } = await ask('throughput', 'from=2026-03-05&to=2026-03-10')
		assert.deepEqual(items, table(`
			week       | stories | points
			-----------|---------|-------
			2026-03-02 |       1 |      1
			2026-03-09 |       1 |      8`))
	})
	test('001-130: counts, and trends against the span before', async () => {
		const { counts, trends } = await ask('summary', 'from=2026-03-09&to=2026-03-15')
		assert.deepEqual(counts, { stories: 7, backlog: 0, ready: 0, inProgress: 0, review: 1, done: 6, openPoints: 21, unestimated: 0, unassigned: 1 })
		assert.deepEqual(trends, { from: '2026-03-09', to: '2026-03-15', finished: { now: 2, before: 2 }, finishedPoints: { now: 11, before: 3 },
			created: { now: 0, before: 7 }, cycleDays: { now: 4, before: 1.75 }, leadDays: { now: 9.5, before: 2.75 } })
	})
	// At the end of 12 March (6 is done for now) and of 6 March (8 not yet deleted).
	test('001-122, 001-130: a day added up says how it was when it ended', async () => {
		for (const day of ['2026-03-06', '2026-03-12']) t.at('2026-04-10 00:05', `SELECT gnomon.aggregate_metrics('${day}')`, 'gnomon_worker')
		const { days } = await ask('summary')
		assert.deepEqual(days, table(`
			day        | created | finished | finishedPoints | backlog | ready | inProgress | review | done | openPoints
			-----------|---------|----------|----------------|---------|-------|------------|--------|------|-----------
			2026-03-06 |       0 |        1 |             34 |       0 |     4 |          0 |      1 |    3 |         50
			2026-03-12 |       0 |        1 |             13 |       0 |     1 |          1 |      1 |    4 |         29`))
	})
	test('of a project with nothing in it everything is said, too', async () => {
		const u = await tenant({ stories: 0 })
		const { summary } = await ok(get(`${u.path}/analytics/cycle-time?${march}`, u.owner))
		assert.deepEqual(summary, { from: '2026-03-02', to: '2026-04-05', stories: 0, withoutTime: 0, medianDays: null, p85Days: null, meanDays: null })
		assert.equal((await ok(get(`${u.path}/analytics/velocity`, u.owner))).summary.trend, 'unknown')
		assert.equal((await ok(get(`${u.path}/analytics/throughput`, u.owner))).items.length, 12)
		await refused(get(`${u.path}/analytics/throughput?from=2020-01-01`, u.owner), 422, 'validation_failed')
	})
})

// Asked as the web asks: prepared, with a generic plan, as its role.
test('what is asked of a sprint reads its stories, not all of the project', async () => {
	const t = await told('UTC', '2026-05-01 09:00', [1, 2, 3], [
		['2026-05-04 08:00', `plan('2026-05-04', '2026-05-08')`, 'add(1, 1, 2, 3)'],
		['2026-05-04 09:00', 'start(1)'],
	])
	sql(`INSERT INTO stories (workspace_id, project_id, title, status, status_since) SELECT ${lit(t.id)}, ${lit(t.project.id)}, 'Another', CASE n % 50 WHEN 0 THEN 'done' ELSE 'backlog' END, '2026-05-05' FROM generate_series(1, 5000) n;
	     ANALYZE stories; ANALYZE sprint_items; ANALYZE events`)
	const plan = (name, text) => JSON.parse(t.at('2026-05-06 12:00', `SET LOCAL plan_cache_mode = force_generic_plan; PREPARE ${name}(uuid) AS ${text};
		EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE ${name}(${lit(t.sprints[0].id)})`))
	/** How many rows the plan read of a table, those it threw away as well. */
	const read = (node, table, sum = { n: 0 }) => {
		if (node['Relation Name'] === table) sum.n += (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops']
		for (const child of node.Plans ?? []) read(child, table, sum)
		return sum.n
	}
	for (const [name, text] of Object.entries({
		burndown: 'SELECT b.* FROM sprints s CROSS JOIN LATERAL gnomon.burndown(s.id) b WHERE s.workspace_id = gnomon.workspace() AND s.id = $1',
		numbers: 'SELECT n.* FROM sprints s CROSS JOIN LATERAL gnomon.sprint_numbers(s.id) n WHERE s.workspace_id = gnomon.workspace() AND s.id = $1',
		changes: 'SELECT c.* FROM sprints s CROSS JOIN LATERAL gnomon.scope_changes(s.id) c WHERE s.workspace_id = gnomon.workspace() AND s.id = $1',
	})) {
		const [{ Plan }] = plan(name, text)
		assert.ok(read(Plan, 'stories') <= 12, `${name}: ${read(Plan, 'stories')} stories read`)
	}
	const [{ Plan }] = plan('finished', `SELECT f.* FROM gnomon.finished_stories('2026-05-05', '2026-05-06') f WHERE $1 IS NOT NULL`)
	assert.ok(read(Plan, 'stories') <= 100, `${read(Plan, 'stories')} stories read`)
})
