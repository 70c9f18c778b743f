// When a schedule fires: crontab's fields in a time zone, over clock changes.
import { describe, test } from 'node:test'
import { assert, lit, sql, sqlRefused } from '../http/lib.mjs'

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
	['the hour that is skipped fires after it', '30 2 * * *', 'Europe/Berlin', '2026-03-28T23:00Z', '2026-03-29T22:00Z', ['2026-03-29T01:30 2026-03-29T02:30']],
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
