// What becomes of a job that fails: the row says why, and it is tried again.
import { test } from 'node:test'
import { assert, lit, session, sql, tenant } from '../http/lib.mjs'

const pause = ms => new Promise(resolve => setTimeout(resolve, ms))

test('a job that fails in the middle of a transaction is queued again, with the reason', async () => {
	const t = await tenant({ stories: 0 })
	const job = sql(`INSERT INTO jobs (workspace_id, queue, kind, payload)
		VALUES (${lit(t.id)}, 'automation', 'agent:sprint_risk:run', '{"trigger":"manual","at":"no time"}') RETURNING id`)
	let row
	for (let i = 0; i < 150; i++) {
		row = sql(`SELECT state, attempts, error LIKE '%no time%', run_at > now() FROM jobs WHERE id = ${lit(job)}`)
		if (!/^queued.0|^running/.test(row)) break
		await pause(100)
	}
	sql(`UPDATE jobs SET state = 'dead' WHERE id = ${lit(job)}`)
	assert.equal(row, 'queued|1|t|t')
})

/** A job that no worker of the stack knows, as claimed before; gives its id. */
const claimed = (t, columns = {}) => {
	const given = { state: 'running', attempts: 3, fence: 7, run_at: '2020-01-01', lease_until: '2020-01-02', kind: `agent:${t.slug}:run`, ...columns }
	return sql(`INSERT INTO jobs (workspace_id, queue, ${Object.keys(given)}) VALUES (${lit(t.id)}, 'automation', ${Object.values(given).map(lit)}) RETURNING id`)
}
const stateOf = job => sql(`SELECT state FROM jobs WHERE id = ${lit(job)}`)
const claim = kind => sql(`SELECT id, fence FROM gnomon.claim_job(ARRAY[${lit(kind)}], 'test', '5 minutes')`, 'gnomon_worker')

test('a last attempt that outlives its lease holds nobody up, and may succeed', async () => {
	const t = await tenant({ stories: 0 })
	const [late, other] = [t.slug, `${t.slug}x`].map(name => `agent:${name}:run`)
	const job = claimed(t, { kind: late, lease_until: sql("SELECT now() + interval '1 second'") })
	const worker = session('gnomon_worker')
	assert.equal(await worker.say(`BEGIN; SELECT timezone FROM gnomon.enter_job(${lit(job)}, 7);`), 'UTC')
	await pause(1200)
	// in one transaction, or the worker of this server would take it
	const next = sql(`SET statement_timeout = '3s'; BEGIN; INSERT INTO jobs (workspace_id, queue, kind) VALUES (${lit(t.id)}, 'automation', ${lit(other)});
		SELECT id FROM gnomon.claim_job(ARRAY[${lit(other)}], 'test', '5 minutes'); COMMIT`)
	assert.equal(stateOf(next), 'running')
	assert.equal(claim(late), '')
	assert.equal(stateOf(job), 'running')
	await worker.say('COMMIT;')
	assert.equal(claim(late), '')
	// given up on, between its commit and its last word
	assert.equal(stateOf(job), 'dead')
	assert.equal(sql(`SELECT gnomon.finish_job(${lit(job)}, 7, 'too late')`, 'gnomon_worker'), '')
	assert.equal(sql(`SELECT gnomon.finish_job(${lit(job)}, 7, NULL)`, 'gnomon_worker'), 'succeeded')
	assert.equal(sql(`SELECT gnomon.finish_job(${lit(next)}, 1, NULL)`, 'gnomon_worker'), 'succeeded')
	worker.end()
})
