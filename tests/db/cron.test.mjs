// When a schedule fires: crontab's fields in a time zone, over clock changes.
import { before, describe, test } from 'node:test'
import { assert, browser, call, get, lit, ok, refused, sql, sqlRefused, tenant } from '../http/lib.mjs'

const fires = (expression, zone, since, until) =>
	sql(`SELECT string_agg(to_char(fires_at, 'YYYY-MM-DD"T"HH24:MI') || ' ' || bucket, ',' ORDER BY fires_at)
	       FROM gnomon.cron_times(${lit(expression)}, ${lit(zone)}, ${lit(since)}, ${lit(until)})`).split(',').filter(Boolean)

const cases = [
	['every day at eight', '0 8 * * *', 'UTC', '2026-11-20T00:00Z', '2026-11-22T00:00Z', ['2026-11-20T08:00 2026-11-20T08:00', '2026-11-21T08:00 2026-11-21T08:00']],
	['both ends count', '0 8 * * *', 'UTC', '2026-11-20T08:00Z', '2026-11-21T08:00Z', ['2026-11-20T08:00 2026-11-20T08:00', '2026-11-21T08:00 2026-11-21T08:00']],
	['in a zone', '30 9 * * *', 'Asia/Kolkata', '2026-11-20T00:00Z', '2026-11-21T00:00Z', ['2026-11-20T04:00 2026-11-20T09:30']],
	['a Tuesday', '0 9 * * 2', 'UTC', '2026-11-20T00:00Z', '2026-12-01T23:00Z', ['2026-11-24T09:00 2026-11-24T09:00', '2026-12-01T09:00 2026-12-01T09:00']],
	['Sunday is 0 and 7', '0 0 * * 7', 'UTC', '2026-11-20T00:00Z', '2026-11-23T00:00Z', ['2026-11-22T00:00 2026-11-22T00:00']],
	['day or weekday', '0 0 21 * 0', 'UTC', '2026-11-20T00:00Z', '2026-11-23T00:00Z', ['2026-11-21T00:00 2026-11-21T00:00', '2026-11-22T00:00 2026-11-22T00:00']],
	['steps, ranges, lists', '*/20 8-9 * * *', 'UTC', '2026-11-20T08:30Z', '2026-11-20T09:15Z', ['2026-11-20T08:40 2026-11-20T08:40', '2026-11-20T09:00 2026-11-20T09:00']],
	['a number twice fires once', '5,5,5 8,8 * * *', 'UTC', '2026-11-20T00:00Z', '2026-11-20T23:00Z', ['2026-11-20T08:05 2026-11-20T08:05']],
	['the hour that is skipped fires after it', '30 2 * * *', 'Europe/Berlin', '2026-03-28T23:00Z', '2026-03-29T22:00Z', ['2026-03-29T01:30 2026-03-29T03:30']],
	['two times that a skipped hour joins fire once', '30 2,3 * * *', 'Europe/Berlin', '2026-03-28T23:00Z', '2026-03-29T22:00Z', ['2026-03-29T01:30 2026-03-29T03:30']],
	['the hour that happens twice fires once', '30 2 * * *', 'Europe/Berlin', '2026-10-24T22:00Z', '2026-10-25T23:00Z', ['2026-10-25T01:30 2026-10-25T02:30']],
	['a day that is not', '0 0 30 2 *', 'UTC', '2026-01-01T00:00Z', '2026-12-31T00:00Z', []],
	['29 February', '0 0 29 2 *', 'UTC', '2027-06-01T00:00Z', '2028-03-01T00:00Z', ['2028-02-29T00:00 2028-02-29T00:00']],
]

describe('times', () => {
	for (const [what, expression, zone, since, until, wanted] of cases)
		test(what, () => assert.deepEqual(fires(expression, zone, since, until), wanted))
	for (const bad of ['', '* * * *', '* * * * * *', '60 * * * *', '* 24 * * *', '* * 0 * *', '* * 32 * *', '* * * 13 *', '* * * * 8', '5-1 * * * *', '*/0 * * * *',
		'a * * * *', '-1 * * * *', '1- * * * *', ', * * * *', '1,,2 * * * *', '@daily', '* * * JAN *', "'; DROP TABLE jobs; -- * * *", '1.5 * * * *', '١ * * * *'])
		test(`${bad || 'nothing'} is no schedule`, () => {
			assert.match(sqlRefused(`SELECT * FROM gnomon.cron_times(${lit(bad)}, 'UTC', now(), now())`), /validation_failed/)
		})
	test('a clumsy expression costs what the plain one does', () => {
		const many = Array(45).fill('*').join()
		assert.equal(sql(`SET statement_timeout = '5s'; SELECT count(*) FROM gnomon.cron_times(${lit(`${many} ${many} * * *`)}, 'UTC', '2026-11-01', '2026-11-30')`), String(29 * 1440 + 1))
	})
})

describe('a schedule in words', () => {
	for (const [expression, words] of [['0 8 * * *', 'Every day at 08:00'], ['5 16 * * 5', 'Fridays at 16:05'], ['0 9 * * 7', 'Sundays at 09:00'],
		['0 9 * * 0', 'Sundays at 09:00'], ['30 7 * * 1-5', 'Monday to Friday at 07:30'], ['*/20 8 * * *', ''], ['0 8 1 * *', ''], ['nonsense', '']])
		test(expression, () => assert.equal(sql(`SELECT gnomon.say_schedule(${lit(expression)})`), words))
	test('is what people and programs are shown', async () => {
		const t = await tenant()
		const list = (await ok(get(`${t.base}/agents/configs`, t.owner))).items
		assert.deepEqual(list.find(c => c.agentKey === 'sprint_risk').scheduleText, 'Every day at 08:00')
		const page = await get(`/w/${t.slug}/runs`, { cookie: await browser(t.owner) })
		assert.match(page.text, /Tuesdays at 09:00 <code>0 9 \* \* 2<\/code>/)
	})
})

const near = (which, expression, zone, at) =>
	sql(`SELECT to_char(gnomon.cron_${which}(${lit(expression)}, ${lit(zone)}, ${lit(at)}), 'YYYY-MM-DD"T"HH24:MI')`)

describe('the next and the last time', () => {
	for (const [expression, zone, at, next, last] of [
		['0 8 * * *', 'UTC', '2026-11-20T08:00Z', '2026-11-20T08:00', '2026-11-20T08:00'],
		['0 8 * * *', 'UTC', '2026-11-20T08:01Z', '2026-11-21T08:00', '2026-11-20T08:00'],
		['30 9 * * 1', 'Asia/Kolkata', '2026-11-20T00:00Z', '2026-11-23T04:00', '2026-11-16T04:00'],
		['0 0 1 * *', 'UTC', '2026-11-20T00:00Z', '2026-12-01T00:00', '2026-11-01T00:00'],
		['0 0 1 1 *', 'UTC', '2026-11-20T00:00Z', '2027-01-01T00:00', '2026-01-01T00:00'],
		['0 0 29 2 *', 'UTC', '2026-11-20T00:00Z', '2028-02-29T00:00', '2024-02-29T00:00'],
		['30 2 * * *', 'Europe/Berlin', '2026-03-29T01:00Z', '2026-03-29T01:30', '2026-03-28T01:30'],
		['0 0 30 2 *', 'UTC', '2026-11-20T00:00Z', '', ''],
		['bad', 'UTC', '2026-11-20T00:00Z', '', ''],
		['0 8 * * *', 'Mars/Olympus', '2026-11-20T00:00Z', '', ''],
	])
		test(`${expression} in ${zone} around ${at}`, () => {
			assert.equal(near('next', expression, zone, at), next)
			assert.equal(near('last', expression, zone, at), last)
		})
	test('are found in a moment, however often it fires', () => {
		const ms = Number(sql(`SELECT clock_timestamp() AS begun \\gset
			SELECT count(gnomon.cron_next(e, 'Europe/Berlin', now() + n * interval '1 hour')), count(gnomon.cron_last(e, 'Europe/Berlin', now() - n * interval '1 hour'))
			  FROM unnest(ARRAY['* * * * *', '*/15 * * * *', '0 8 * * 1-5', '0 0 29 2 *']) e, generate_series(1, 25) n \\g /dev/null
			SELECT round(extract(epoch FROM clock_timestamp() - :'begun') * 1000 / 200, 2)`))
		assert.ok(ms < 20, `${ms} ms each`)
	})
})

describe('an agent', () => {
	let t
	const put = scheduleCron => call('PUT', `${t.base}/agents/configs/sprint_risk`, { ...t.owner, json: { scheduleCron } })
	before(async () => (t = await tenant({ stories: 0 })))
	for (const often of ['* * * * *', '*/14 * * * *', '0,5 8 * * *', '50,0 * * * *', '0,50 8,9 * * *', '0,55 0,23 * * *'])
		test(`may not run as often as ${often}`, async () => {
			const error = await refused(put(often), 422, 'validation_failed')
			assert.match(JSON.stringify(error), /15 minutes/)
		})
	for (const fine of ['*/15 * * * *', '0,50 8 * * *', '50 * * * *', '0 8 * * 1-5'])
		test(`may run as often as ${fine}`, async () => {
			const made = await ok(put(fine))
			assert.equal(made.scheduleCron, fine)
			assert.ok(Date.parse(made.nextRunAt) > Date.now() - 1000)
		})
	test('whose schedule or zone cannot be read is passed over, and may be mended', async () => {
		const [good, zoneless] = [await tenant({ stories: 0 }), await tenant({ stories: 0 })]
		for (const [{ id }, cron] of [[t, 'bad'], [good, '*/15 * * * *'], [zoneless, '*/15 * * * *']])
			sql(`UPDATE agent_configs SET enabled = true, created_at = now() - interval '1 day', schedule_cron = ${lit(cron)}
			      WHERE workspace_id = ${lit(id)} AND agent_key = 'sprint_risk'`)
		// as when the zones' database drops one: nobody may choose it
		sql(`SET session_replication_role = replica; UPDATE workspaces SET timezone = 'Mars/Olympus' WHERE id = ${lit(zoneless.id)}`)
		try {
			sql('SELECT gnomon.enqueue_due_agents(NULL)', 'gnomon_worker')
			const queued = ({ id }) => sql(`SELECT count(*) FROM jobs WHERE workspace_id = ${lit(id)} AND payload ->> 'trigger' = 'schedule'`)
			assert.deepEqual([t, good, zoneless].map(queued), ['0', '1', '0'])
			const { items } = await ok(get(`${t.base}/agents/configs`, t.owner))
			assert.equal(items.find(c => c.agentKey === 'sprint_risk').nextRunAt, null)
			for (const page of ['', '/runs', '/insights']) assert.equal((await get(`/w/${t.slug}${page}`, { cookie: await browser(t.owner) })).status, 200)
			await ok(put('0 8 * * *'))
		} finally {
			sql(`UPDATE workspaces SET timezone = 'UTC' WHERE id = ${lit(zoneless.id)};
			     UPDATE agent_configs SET enabled = false WHERE workspace_id IN (${[t, good, zoneless].map(x => lit(x.id))})`)
		}
	})
})
