// What becomes of a job that fails: the row says why, and it is tried again.
import { test } from 'node:test'
import { assert, lit, sql, tenant } from '../http/lib.mjs'

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
