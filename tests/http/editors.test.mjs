// Ten editors on one board: nothing they were told is saved gets lost, whoever was
// late is told so with the current copy, and all readers see one order.
import { test } from 'node:test'
import { assert, get, join, lit, newUser, ok, patch, refused, rows, sql, tenant } from './lib.mjs'

const SECONDS = process.env.GNOMON_LONG ? 60 : 10

test(`001-165: ten editors for ${SECONDS} s: 0 lost updates, the order stable, each conflict 409 with the current copy`, async () => {
	const t = await tenant({ stories: 0 })
	sql(`INSERT INTO stories (workspace_id, project_id, title) SELECT ${lit(t.id)}, ${lit(t.project.id)}, 'S' || g FROM generate_series(1, 30) g`)
	const stories = rows(`SELECT id, number FROM stories WHERE workspace_id = ${lit(t.id)} ORDER BY number`)
	const people = await Promise.all(Array.from({ length: 10 }, (_, i) => newUser(`Editor ${i}`)))
	for (const p of people) join(t.id, p, 'member')
	const columns = ['backlog', 'ready', 'in_progress']
	const saved = new Map(stories.map(s => [s.id, []])) // the marks that were taken
	const count = { edits: 0, moves: 0, orders: 0, conflicts: 0, refused: 0 }
	const until = Date.now() + SECONDS * 1000
	const pick = list => list[Math.floor(Math.random() * list.length)]
	const conflict = async (reply, id) => {
		const error = await refused(reply, 409, 'version_conflict')
		assert.equal(error.details.current.id, id)
		assert.ok(error.details.current.version > 0 && error.details.current.title)
		count.conflicts++
	}

	async function edit(user, i, n) {
		const { id } = pick(stories.slice(0, 8)) // few, so that they meet
		const seen = await ok(get(`${t.path}/stories/${id}`, user))
		const mark = `${i}.${n}`
		const r = await patch(`${t.path}/stories/${id}`, { ...user, json: { version: seen.version, description: `${seen.description} ${mark}` } })
		if (r.status === 409) return conflict(r, id)
		await ok(r)
		saved.get(id).push(mark)
		count.edits++
	}
	async function move(user) {
		const { id } = pick(stories)
		const seen = await ok(get(`${t.path}/stories/${id}`, user))
		const beside = pick(stories)
		const target = Math.random() < 0.5 ? { status: pick(columns) } : { [pick(['before', 'after'])]: beside.id }
		const r = await patch(`${t.path}/stories/${id}/move`, { ...user, json: { version: seen.version, ...target } })
		if (r.status === 409) return conflict(r, id)
		if (r.status === 422) return void count.refused++ // the other one is elsewhere by now
		await ok(r)
		count.moves++
	}
	async function reorder(user) {
		const column = pick((await ok(get(`${t.path}/board`, user))).columns.filter(c => c.stories.length > 2))
		const ids = column.stories.map(s => s.id).sort(() => Math.random() - 0.5).slice(0, 10)
		const r = await patch(`${t.path}/stories/reorder`, { ...user, json: { ids } })
		if (r.status === 422) return void count.refused++
		await ok(r)
		count.orders++
	}
	await Promise.all(people.map(async (user, i) => {
		for (let n = 0; Date.now() < until; n++) await [edit, edit, move, reorder][n % 4](user, i, n)
	}))

	for (const { id } of stories) {
		const marks = (await ok(get(`${t.path}/stories/${id}`, t.owner))).description.trim().split(' ').filter(Boolean)
		assert.deepEqual(marks.sort(), saved.get(id).sort(), 'an update was lost')
	}
	const board = user => get(`${t.path}/board`, user).then(r => JSON.stringify(r.json.columns.map(c => c.stories.map(s => s.number))))
	const views = await Promise.all(people.map(board))
	assert.equal(new Set(views).size, 1, 'readers see several orders')
	assert.deepEqual(JSON.parse(views[0]).flat().sort((a, b) => a - b), stories.map(s => s.number))
	assert.equal(sql(`SELECT count(*) FROM (SELECT FROM stories WHERE workspace_id = ${lit(t.id)} GROUP BY status, position HAVING count(*) > 1) x`), '0', 'two share a place')
	assert.ok(count.edits > 10 && count.moves > 5 && count.orders > 5 && count.conflicts > 0, JSON.stringify(count))
	console.log(`# ${JSON.stringify(count)}`)
})
