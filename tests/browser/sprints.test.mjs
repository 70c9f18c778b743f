// A sprint from plan to end as people meet it, with script switched off: planned,
// filled, started, completed with carry-over, and read afterwards.
import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { chromium } from 'playwright-core'
import { assert, browser as signIn, get, lit, ok, patch, post, sql, tenant, URL_ } from '../http/lib.mjs'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
let t, chrome, page, base

before(async () => {
	t = await tenant({ roles: ['member', 'viewer'], stories: 0 })
	for (let i = 1; i <= 12; i++) await ok(post(`${t.path}/stories`, { ...t.owner, json: { title: `Piece of work ${i}`, estimate: i % 5 + 1, status: 'ready', assigneeId: i % 2 ? t.owner.id : t.member.id } }), 201)
	chrome = await chromium.launch({ executablePath: process.env.GNOMON_CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] })
	base = `/w/${t.slug}/p/${t.project.key}`
	page = await open(t.owner, { javaScriptEnabled: false })
})
after(() => chrome?.close())

async function open(user, options = {}) {
	const context = await chrome.newContext({ baseURL: URL_.origin, ...options })
	const [name, value] = (await signIn(user)).split('=')
	await context.addCookies([{ name, value, url: URL_.origin }])
	return context.newPage()
}
const says = () => page.getByRole('status').innerText()
const press = name => page.getByRole('button', { name }).click()

test('001-070 to 001-078, script off: plan, choose, take out, give room, start', async () => {
	await page.goto(`${base}/sprints`)
	assert.match(await page.locator('.lead').innerText(), /No sprint is active/)
	assert.match(await page.locator('main').innerText(), /This project has no sprints yet/)
	await page.getByLabel('Goal').fill('Take payments')
	await press('Plan sprint')
	assert.match(await says(), /is planned/)
	assert.equal(new URL(page.url()).pathname, `${base}/sprints/1`)
	assert.equal(await page.locator('h1').innerText(), 'Sprint 1')
	for (let i = 0; i < 5; i++) await page.locator('input[name=storyIds]').nth(i).check()
	await press('Add chosen stories')
	assert.match(await says(), /in the sprint/)
	assert.equal(await page.locator('#stories').locator('xpath=ancestor::section').locator('tbody tr').count(), 5)
	await page.getByRole('button', { name: /^Take out/ }).first().click()
	assert.match(await says(), /out of the sprint/)
	await page.getByLabel(t.owner.name).fill('1')
	await page.getByLabel(t.member.name).fill('40')
	await press('Save capacity')
	assert.match(await says(), /up to date/)
	const { people, items } = await ok(get(`${t.path}/sprints/1`, t.owner))
	assert.equal(items.length, 4)
	assert.deepEqual(people.map(p => p.capacity).sort((a, b) => a - b), [1, 40])
	assert.match(await page.locator('#room').locator('xpath=ancestor::section').innerText(), /over/)
	await page.getByRole('link', { name: 'Start sprint' }).click()
	assert.match(await page.locator('main').innerText(), /4 stories with \d+ points become what the sprint commits to/)
	await press('Start sprint')
	assert.match(await says(), /has started/)
	assert.equal((await ok(get(`${t.path}/sprints/active`, t.owner))).committedStories, 4)
})

test('001-076, script off: a stale completion shows both versions; then the rest is carried over', async () => {
	const { items, version } = await ok(get(`${t.path}/sprints/active`, t.owner))
	for (const item of items.slice(0, 2)) {
		const story = await ok(get(`${t.path}/stories/${item.id}`, t.owner))
		await ok(patch(`${t.path}/stories/${item.id}`, { ...t.owner, json: { version: story.version, status: 'done' } }))
	}
	await page.goto(`${base}/sprints/1`)
	await page.getByRole('link', { name: 'Complete sprint' }).click()
	assert.match(await page.locator('.lead').innerText(), /2 stories are done.*2 are not/)
	await ok(patch(`${t.path}/sprints/1`, { ...t.member, json: { version, goal: 'Take more payments' } }))
	await press('Complete sprint')
	assert.match(await page.locator('h1').innerText(), /Someone changed this/)
	// the form sends no field of the sprint: what others changed of it is told with what one knew
	const told = await page.locator('tbody tr').allInnerTexts()
	assert.deepEqual(told.map(row => row.split('\t')).slice(0, 1), [['Goal', 'Take more payments', 'Take payments']])
	assert.deepEqual(told.at(-1).split('\t'), ['Version', String(version + 1), String(version)])
	assert.deepEqual(await page.locator('tr.changed th').allInnerTexts(), ['Goal'])
	await press('Apply mine again')
	assert.match(await says(), /is completed/)
	assert.match(await page.locator('.lead').first().innerText(), /2 stories were not done/)
	assert.equal(await page.getByRole('link', { name: 'Sprint 2' }).count(), 2)
	await page.getByRole('link', { name: 'Sprint 2' }).first().click()
	assert.match(await page.locator('.lead').first().innerText(), /2 stories with \d+ points are planned/)
	await page.getByRole('link', { name: 'Velocity' }).click()
	assert.match(await page.locator('.lead').innerText(), /completed \d+ points each on average/)
	assert.equal(await page.locator('svg.ch').count(), 2)
	await page.getByText('Show as table').first().click()
})

test('a plan is deleted on a page that says what happens', async () => {
	await page.goto(`${base}/sprints/2`)
	await page.getByRole('link', { name: 'Delete sprint' }).click()
	assert.match(await page.locator('.lead').innerText(), /2 stories are in no sprint afterwards/)
	await press('Delete sprint')
	assert.match(await says(), /is deleted/)
	assert.equal(await page.getByRole('link', { name: 'Sprint 2', exact: true }).count(), 0)
})

test('what is refused keeps what was typed', async () => {
	await page.goto(`${base}/sprints`)
	await page.getByLabel('Name').fill('Backwards')
	await page.getByLabel('First day', { exact: true }).fill('2026-12-10')
	await page.getByLabel('Last day', { exact: true }).fill('2026-12-01')
	await press('Plan sprint')
	assert.match(await page.getByRole('alert').innerText(), /end on or after the day it begins/)
	assert.equal(await page.getByLabel('Name').inputValue(), 'Backwards')
	assert.match(await page.title(), /^Error: /)
})

test('001-122: an admin settles how sprints end, others cannot', async () => {
	await page.goto(`${base}/sprints`)
	await page.getByLabel('When its last day is over').selectOption('next')
	await press('Save choice')
	assert.match(await says(), /settled/)
	assert.deepEqual((await ok(get(`${t.path}/sprints/settings`, t.viewer))).autoComplete, 'next')
	assert.equal(sql(`SELECT settings ->> 'autoComplete' FROM projects WHERE id = ${lit(t.project.id)}`), 'next')
	assert.equal((await patch(`${t.path}/sprints/settings`, { ...t.member, json: { version: 2, autoComplete: 'off' } })).status, 403)
	assert.equal((await patch(`${t.path}/sprints/settings`, { ...t.owner, json: { version: 1, autoComplete: 'off' } })).status, 409)
	const viewer = await open(t.viewer)
	for (const path of ['sprints', 'sprints/1']) {
		await viewer.goto(`${base}/${path}`)
		const forms = await viewer.locator('main form:not([role=search])').evaluateAll(all => all.map(form => form.getAttribute('action')))
		assert.deepEqual(forms.filter(action => !/watch/.test(action)), [], path) // who may read may watch
	}
	assert.equal((await viewer.goto(`${base}/sprints/1/complete`)).status(), 403)
})

test('the pages are accessible, small, and fit a phone, in both themes', async () => {
	const plan = await ok(post(`${t.path}/sprints`, { ...t.owner, json: { name: 'The next' } }), 201)
	for (const colorScheme of ['light', 'dark'])
		for (const path of ['sprints', 'sprints/1', `sprints/${plan.number}`, `sprints/${plan.number}/start`, `sprints/${plan.number}/delete`, 'velocity', 'velocity?from=2020-01-01&to=2020-02-01']) {
			const p = await open(t.owner, { colorScheme, viewport: { width: 390, height: 844 } })
			const reply = await p.goto(`${base}/${path}`)
			assert.equal(reply.status(), 200, path)
			assert.ok(gzipSync(await reply.text()).length <= 8192, path)
			assert.ok(await p.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${path} scrolls sideways`)
			await p.evaluate(axe)
			const { violations } = await p.evaluate(() => globalThis.axe.run(document))
			assert.deepEqual(violations.map(v => `${v.id}: ${v.nodes[0].html}`), [], path)
			await p.context().close()
		}
})
