// What a page says of all stories of a project is counted where they change: after
// any history it is what counting them would give.
import { before, test } from 'node:test'
import { assert, get, lit, ok, sql, tenant } from '../http/lib.mjs'

let t
before(async () => {
	t = await tenant({ roles: ['member'], stories: 3 })
})

const tallied = () => sql(`SELECT status, stories, points::float8, unestimated, unassigned FROM story_tallies
	WHERE workspace_id = ${lit(t.id)} AND project_id = ${lit(t.project.id)} AND (stories, unestimated, unassigned, points) <> (0, 0, 0, 0) ORDER BY status`)
const counted = () => sql(`SELECT status, count(*), coalesce(sum(estimate::numeric), 0)::float8, count(*) - count(estimate), count(*) - count(assignee_id) FROM stories
	WHERE workspace_id = ${lit(t.id)} AND project_id = ${lit(t.project.id)} AND deleted_at IS NULL GROUP BY status ORDER BY status`)

const scope = () => `workspace_id = ${lit(t.id)} AND project_id = ${lit(t.project.id)}`
const steps = [
	['forty more at once', () => `INSERT INTO stories (workspace_id, project_id, title, status, estimate) SELECT ${lit(t.id)}, ${lit(t.project.id)}, 'S', (ARRAY['backlog','ready','done'])[1 + g % 3], nullif(g % 7, 0) / 10.0 FROM generate_series(1, 40) g`],
	['moves', () => `UPDATE stories SET status = CASE status WHEN 'ready' THEN 'in_progress' WHEN 'backlog' THEN 'ready' ELSE status END WHERE ${scope()} AND number % 2 = 0`],
	['estimates that come, change and go', () => `UPDATE stories SET estimate = CASE number % 3 WHEN 0 THEN NULL WHEN 1 THEN 0.3 ELSE coalesce(estimate, 0) + 0.1 END WHERE ${scope()}`],
	['assignees', () => `UPDATE stories SET assignee_id = CASE number % 3 WHEN 0 THEN NULL ELSE ${lit(t.member.id)}::uuid END WHERE ${scope()}`],
	['a title, which is none of its business', () => `UPDATE stories SET title = title || '.' WHERE ${scope()}`],
	['deleted', () => `UPDATE stories SET deleted_at = now(), status = 'review' WHERE ${scope()} AND number % 4 = 1`],
	['changed while deleted', () => `UPDATE stories SET estimate = 5, status = 'done' WHERE ${scope()} AND deleted_at IS NOT NULL`],
	['restored', () => `UPDATE stories SET deleted_at = NULL WHERE ${scope()} AND number % 8 = 1`],
	['undone', () => `BEGIN; UPDATE stories SET status = 'backlog' WHERE ${scope()}; ROLLBACK; SELECT 1`],
	['swapped', () => `UPDATE stories SET status = CASE status WHEN 'done' THEN 'ready' WHEN 'ready' THEN 'done' ELSE status END WHERE ${scope()}`],
]
for (const [what, step] of steps)
	test(`the tally is the count: ${what}`, () => {
		sql(step())
		assert.equal(tallied(), counted())
		assert.notEqual(tallied(), '')
	})

test('the board, counted by them, is the list counted', async () => {
	const { columns } = await ok(get(`${t.path}/board`, t.owner))
	const { counts } = await ok(get(`${t.path}/analytics/summary`, t.owner))
	const n = Object.fromEntries(columns.map(c => [c.status, c.stories.length]))
	assert.deepEqual([counts.backlog, counts.ready, counts.inProgress, counts.review, counts.done], ['backlog', 'ready', 'in_progress', 'review', 'done'].map(s => n[s]))
})

test('one statement over two projects counts in both', async () => {
	const other = await tenant({ stories: 1 })
	sql(`INSERT INTO stories (workspace_id, project_id, title) VALUES (${lit(other.id)}, ${lit(other.project.id)}, 'a'), (${lit(t.id)}, ${lit(t.project.id)}, 'b')`)
	assert.equal(tallied(), counted())
})

test('nobody but the trigger writes it', () => {
	for (const role of ['gnomon_web', 'gnomon_worker', 'gnomon_stream'])
		for (const right of ['INSERT', 'UPDATE', 'DELETE'])
			assert.equal(sql(`SELECT has_table_privilege('${role}', 'story_tallies', '${right}')`), 'f')
})
