// What must never break, as two people meet it from the first visit on: they sign
// up and confirm their addresses by mail, one invites the other, they plan, run
// and complete a sprint, and they change the same story. Script is switched off;
// --long: once more with it.
import { after, before, describe, test } from 'node:test'
import { chromium } from 'playwright-core'
import { ownServer } from '../http/server.mjs'
import { assert, unique } from '../http/lib.mjs'
import { sink } from '../smtp-sink.mjs'

const box = sink()
const phrase = 'green kettle on the moon'
let s, chrome

before(async () => {
	// this server asks for confirmed addresses; its worker is the stack's
	s = await ownServer({ env: { REQUIRE_VERIFICATION: 'on', GNOMON_SECRET_FILE: process.env.GNOMON_SECRET_FILE } })
	chrome = await chromium.launch({ executablePath: process.env.GNOMON_CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] })
})
after(async () => {
	await chrome?.close()
	await s?.close()
})

for (const javaScriptEnabled of process.env.GNOMON_LONG ? [false, true] : [false])
	describe(`001-154, script ${javaScriptEnabled ? 'on' : 'off'}`, () => {
		const slug = `critical-${unique()}`
		const [ada, ben] = ['Ada Critical', 'Ben Critical'].map(name => ({ name, email: `${unique()}@example.org` }))
		const base = `/w/${slug}/p/CRIT`
		const says = who => who.page.getByRole('status').innerText()
		const press = (who, name) => who.page.getByRole('button', { name }).first().click()
		const follow = (who, name) => who.page.getByRole('link', { name }).first().click()
		const at = who => new URL(who.page.url()).pathname
		/** Opens the link to a page of ours in the newest mail to somebody. */
		async function openMail(who, page) {
			const mail = await box.waitFor(m => m.to.includes(who.email) && m.text.includes(`${page}?`))
			const [link] = new RegExp(`${page}\\?\\S+`).exec(mail.text)
			await who.page.goto(link)
		}
		before(async () => {
			for (const who of [ada, ben]) who.page = await (await chrome.newContext({ baseURL: s.at.origin, javaScriptEnabled })).newPage()
		})

		test('001-154: register and login', async () => {
			await ada.page.goto('/')
			await follow(ada, 'Create an account')
			await ada.page.getByLabel('Your name').fill(ada.name)
			await ada.page.getByLabel('E-mail address').fill(ada.email)
			await ada.page.getByLabel('Password').fill(phrase)
			await press(ada, 'Create account')
			assert.match(await ada.page.locator('.lead').innerText(), new RegExp(`We sent a mail to ${ada.email}`))
			const signIn = async word => {
				await ada.page.goto('/login')
				await ada.page.getByLabel('E-mail address').fill(ada.email)
				await ada.page.getByLabel('Password').fill(word)
				await press(ada, 'Sign in')
			}
			await signIn(phrase)
			assert.match(await ada.page.locator('main').innerText(), /Send the mail again/)
			await openMail(ada, '/verify')
			await press(ada, 'Confirm address')
			await signIn('not this phrase')
			assert.equal(at(ada), '/login')
			await signIn(phrase)
			assert.match(at(ada), /^\/w\//)
		})

		test('001-154: project and members', async () => {
			await ada.page.goto('/workspaces/new')
			await ada.page.getByLabel('Name').fill('Critical')
			await ada.page.getByLabel('Address').fill(slug)
			await press(ada, 'Create workspace')
			assert.equal(at(ada), `/w/${slug}`)
			await ada.page.goto(`/w/${slug}/projects/new`)
			await ada.page.getByLabel('Name').fill('Critical path')
			await ada.page.getByLabel('Key').fill('CRIT')
			await press(ada, 'Create project')
			assert.equal(at(ada), base)
			await ada.page.goto(`/w/${slug}/admin/members`)
			const form = ada.page.locator('section', { has: ada.page.getByRole('heading', { name: 'Invite somebody' }) })
			await form.getByLabel('E-mail address').fill(ben.email)
			await form.getByLabel('Role').selectOption('member')
			await press(ada, 'Send invitation')
			assert.match(await ada.page.locator('main').innerText(), new RegExp(ben.email))

			await openMail(ben, '/invite')
			assert.equal(await ben.page.locator('h1').innerText(), 'Join Critical')
			await ben.page.getByLabel('Name').fill(ben.name)
			await ben.page.getByLabel('Password').fill(phrase)
			await press(ben, 'Create account and join')
			assert.equal(at(ben), `/w/${slug}`, 'who reads the mail has confirmed the address')
			await ben.page.goto(base)
			assert.equal(await ben.page.locator('h1').innerText(), 'Critical path')
			await ada.page.goto(`/w/${slug}/admin/members`)
			assert.match(await ada.page.locator('tbody').first().innerText(), /Ben Critical/)
		})

		test('001-154: sprint plan and run', async () => {
			for (const [title, points, who] of [['Take a payment', '5', ada], ['Send a receipt', '3', ben], ['Refund a payment', '2', ben]]) {
				await who.page.goto(`${base}/stories/new`)
				await who.page.getByLabel('Title').fill(title)
				await who.page.getByLabel('Points').fill(points)
				await who.page.getByLabel('Assignee').selectOption({ label: who.name })
				await press(who, 'Add story')
			}
			await ada.page.goto(`${base}/sprints`)
			await ada.page.getByLabel('Goal').fill('People can pay')
			await press(ada, 'Plan sprint')
			for (const tick of await ada.page.locator('input[name=storyIds]').all()) await tick.check()
			await press(ada, 'Add chosen stories')
			assert.match(await says(ada), /in the sprint/)
			await follow(ada, 'Start sprint')
			assert.match(await ada.page.locator('main').innerText(), /3 stories with 10 points become what the sprint commits to/)
			await press(ada, 'Start sprint')
			assert.match(await says(ada), /has started/)

			const move = async (who, n, column) => {
				await who.page.goto(`${base}/stories/CRIT-${n}`)
				await who.page.getByLabel('Move to').selectOption({ label: column })
				await press(who, 'Move story')
			}
			await move(ada, 1, 'In progress')
			await move(ada, 1, 'Done')
			await move(ben, 2, 'Review')
			await ben.page.getByLabel('New comment').fill(`@${ada.name} the **receipt** needs a number`)
			await press(ben, 'Add comment')
			assert.equal(await ben.page.locator('.md strong').innerText(), 'receipt')
			await ben.page.goto(`${base}/board`)
			for (const [column, key] of [['done', 'CRIT-1'], ['review', 'CRIT-2']])
				assert.match(await ben.page.locator('section', { has: ben.page.locator(`#${column}`) }).innerText(), new RegExp(key))
			await ada.page.goto(`/w/${slug}/notifications`)
			assert.match(await ada.page.locator('main').innerText(), /CRIT-2/)

			await ada.page.goto(`${base}/sprints/1`)
			const left = ada.page.locator('svg.ch desc').first()
			assert.match(await left.textContent(), /5/)
			await follow(ada, 'Complete sprint')
			assert.match(await ada.page.locator('.lead').innerText(), /1 story is done, 5 of 10 committed points. 2 are not, 5 points./)
			await press(ada, 'Complete sprint')
			assert.match(await says(ada), /is completed/)
			await ada.page.getByText('Show as table').first().click()
			assert.match(await ada.page.locator('details[open] table').first().innerText(), /\b5\b/)
			await follow(ada, 'Sprint 2')
			assert.match(await ada.page.locator('.lead').first().innerText(), /2 stories with 5 points are planned/)
			await ada.page.goto(`${base}/velocity`)
			assert.match(await ada.page.locator('main').innerText(), /Sprint 1[\s\S]*\b5\b/)
		})

		test('001-154: concurrent edit', async () => {
			for (const who of [ada, ben]) await who.page.goto(`${base}/stories/CRIT-3`)
			const edit = async (who, title) => {
				const field = who.page.getByLabel('Title')
				if (!(await field.isVisible())) await who.page.locator('details', { has: field }).locator('summary').first().click()
				await field.fill(title)
				await press(who, 'Save story')
			}
			await edit(ada, 'Refund a payment in full')
			assert.match(await ada.page.locator('h1').innerText(), /Refund a payment in full/)
			await edit(ben, 'Refund a payment in part')
			assert.match(await ben.page.locator('h1').innerText(), /Someone changed this/)
			const rows = (await ben.page.locator('tbody tr').allInnerTexts()).map(row => row.split('\t'))
			assert.deepEqual(rows.find(([field]) => field === 'Title'), ['Title', 'Refund a payment in full', 'Refund a payment in part'])
			await press(ben, 'Apply mine again')
			assert.match(await ben.page.locator('h1').innerText(), /Refund a payment in part/)
			await ada.page.reload()
			assert.match(await ada.page.locator('h1').innerText(), /Refund a payment in part/)
			assert.match(await ada.page.locator('main').innerText(), /Ben Critical renamed it from "Refund a payment in full" to "Refund a payment in part"/)
		})
	})
