// Forms that change something, without script: what came empty is emptied where the
// field may be empty, and left as it is where it may not.
import { before, describe, test } from 'node:test'
import { assert, browser, csrf, get, ok, origin, post, tenant } from './lib.mjs'

let t, cookie, token, base
const send = async (path, form) => {
	const r = await post(path, { cookie, form: { csrf: token, ...form }, headers: { Origin: origin } })
	assert.equal(r.status, 303, r.text.slice(0, 2000))
}
const made = async (path, json) => ok(post(path, { ...t.owner, json }), 201)
const now = path => ok(get(path, t.owner))

before(async () => {
	t = await tenant({ stories: 1 })
	base = `/w/${t.slug}/p/${t.project.key}`
	cookie = await browser(t.owner)
	token = await csrf(cookie, `${base}/stories`)
})

describe('an emptied text is empty', () => {
	const texts = [
		['the description of an epic', 'description', async () => {
			const e = await made(`${t.path}/epics`, { title: 'Epic', description: 'Much to say' })
			return [`${base}/epics/${e.key}`, `${t.path}/epics/${e.key}`, { title: 'Epic', status: 'active' }]
		}],
		['the description of a story', 'description', async () => [`${base}/stories/${t.project.key}-1`, `${t.path}/stories/${t.project.key}-1`, { title: 'Story' }]],
		['the description of an objective', 'description', async () => {
			const o = await made(`${t.base}/objectives`, { title: 'Aim', description: 'Why', startDate: '2026-01-01', endDate: '2026-03-31' })
			return [`/w/${t.slug}/objectives/${o.key}`, `${t.base}/objectives/${o.key}`, { title: 'Aim', status: 'at_risk' }]
		}],
		['the goal of a sprint', 'goal', async () => {
			const s = await made(`${t.path}/sprints`, { name: 'First', goal: 'Ship it' })
			return [`${base}/sprints/${s.number}`, `${t.path}/sprints/${s.number}`, { name: 'First' }]
		}],
		['the description of a project', 'description', async () => [`${base}/settings`, t.path, { name: 'Renamed' }]],
		['the description of a team', 'description', async () => {
			const { id } = await made(`${t.base}/teams`, { name: 'Web', description: 'Of the web' })
			return [`/w/${t.slug}/admin/teams/${id}`, `${t.base}/teams/${id}`, { name: 'Web' }]
		}],
	]
	for (const [name, field, make] of texts)
		test(name, async () => {
			const [form, path, rest] = await make()
			let { version } = await now(path)
			await send(form, { version, ...rest, [field]: 'Something' })
			;({ version } = await now(path))
			assert.equal((await now(path))[field], 'Something')
			await send(form, { version, ...rest, [field]: '' })
			assert.equal((await now(path))[field], '')
		})
	test('the unit of a key result', async () => {
		const o = await made(`${t.base}/objectives`, { title: 'Another', startDate: '2026-01-01', endDate: '2026-03-31' })
		const at = `${t.base}/objectives/${o.key}`
		const r = await made(`${at}/key-results`, { title: 'Sheets', unit: 'sheets', startValue: 9, targetValue: 0 })
		await send(`/w/${t.slug}/objectives/${o.key}/key-results/${r.id}`, { version: r.version, title: 'Sheets', unit: '', startValue: '9', targetValue: '0' })
		assert.equal((await now(`${at}/key-results`)).items[0].unit, '')
	})
})

test('what may not be empty stays as it is: a name, a choice, a date', async () => {
	const s = await made(`${t.path}/sprints`, { name: 'Second', goal: 'Keep' })
	await send(`${base}/sprints/${s.number}`, { version: s.version, name: '', startDate: '', endDate: '' })
	const after = await now(`${t.path}/sprints/${s.number}`)
	assert.deepEqual([after.name, after.goal, after.startDate, after.endDate], [s.name, 'Keep', s.startDate, s.endDate])
	const story = await now(`${t.path}/stories/${t.project.key}-1`)
	await send(`${base}/stories/${story.key}`, { version: story.version, status: '', priority: '', assigneeId: '' })
	assert.deepEqual(['status', 'priority'].map(k => story[k]), (({ status, priority }) => [status, priority])(await now(`${t.path}/stories/${story.key}`)))
})

test('a sprint whose capacity is emptied for everybody has none; refused, the form shows what was typed', async () => {
	const s = await made(`${t.path}/sprints`, { name: 'Third' })
	const form = `${base}/sprints/${s.number}`
	const field = `capacity.${t.owner.id}`
	const capacity = async () => (await now(`${t.path}/sprints/${s.number}`)).people.find(p => p.id === t.owner.id)?.capacity
	await send(form, { version: 1, [field]: '8' })
	assert.equal(await capacity(), 8)
	const r = await post(form, { cookie, form: { csrf: token, version: 2, [field]: 'eight' }, headers: { Origin: origin } })
	assert.equal(r.status, 422)
	assert.match(r.text, new RegExp(`name="${field}"[^>]* value="eight"`))
	await send(form, { version: 2, [field]: '' })
	assert.equal(await capacity(), undefined)
})
