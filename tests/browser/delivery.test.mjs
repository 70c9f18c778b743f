// A team's first sprint, as two people meet it: one signs up, confirms the address by
// the mail, makes a workspace and a project and invites the other; together they plan a
// sprint, work, talk, complete it and read what came of it. Everything goes through the
// browser and real mails; once with script switched off, once with script and keyboard.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { chromium } from 'playwright-core'
import { ownServer } from '../http/server.mjs'
import { sink } from '../smtp-sink.mjs'
import { unique, URL_ } from '../http/lib.mjs'

const box = sink()
const word = 'green kettle on the moon'
let chrome
let own // asks for confirmed addresses, which the stack's own server does not

before(async () => {
	own = await ownServer({ env: { REQUIRE_VERIFICATION: 'on', GNOMON_SECRET_FILE: process.env.GNOMON_SECRET_FILE, MEMCACHED: process.env.MEMCACHED } })
	chrome = await chromium.launch({
		executablePath: process.env.GNOMON_CHROMIUM ?? '/usr/bin/chromium',
		args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
	})
})
after(async () => {
	await chrome?.close()
	await own?.close()
})

/** The address a mail sends its reader to. Mails name the stack's address; ours is the other server. */
async function link(to, subject) {
	const mail = await box.waitFor(m => m.to.includes(to) && subject.test(m.subject))
	return mail.text.match(/^\s*(https?:\S+)$/m)[1].replace(URL_.origin, own.at.origin)
}

/** Somebody at a browser of their own: what they press, fill and read. */
async function somebody({ script, name }) {
	const page = await (await chrome.newContext({ baseURL: own.at.origin, javaScriptEnabled: script })).newPage()
	const inside = scope => (scope ? page.locator(scope) : page)
	const go = async what => {
		if (!script) return what.click()
		await what.focus()
		return Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')])
	}
	return {
		page, name,
		email: `${name.toLowerCase().replace(/\W+/g, '.')}.${unique()}@example.org`,
		press: (button, scope) => go(inside(scope).getByRole('button', { name: button })),
		follow: (text, scope = 'main') => go(inside(scope).getByRole('link', { name: text, exact: typeof text === 'string' })),
		fill: (label, text, scope) => inside(scope).getByLabel(label, { exact: true }).fill(text),
		choose: async (label, option, scope) => {
			const list = inside(scope).getByLabel(label, { exact: true })
			if (!script) return list.selectOption({ label: option })
			await list.focus()
			await page.keyboard.type(option)
			return assert.equal(await list.evaluate(s => s.selectedOptions[0].label), option)
		},
		tick: box => (script ? box.focus().then(() => page.keyboard.press('Space')) : box.check()),
		says: () => page.getByRole('status').innerText(),
		lead: () => page.locator('.lead').first().innerText(),
		at: () => new URL(page.url()).pathname,
		row: text => page.getByRole('row').filter({ hasText: text }).first().locator('th, td').allInnerTexts(),
	}
}

for (const script of [false, true])
	describe(`a team's first sprint, script ${script ? 'on, by keyboard' : 'off'}`, () => {
		const slug = `bakery-${unique()}`
		const base = `/w/${slug}`
		const here = `${base}/p/BR`
		let ada, ben

		before(async () => {
			ada = await somebody({ script, name: 'Ada Baker' })
			ben = await somebody({ script, name: 'Ben Miller' })
		})
		after(() => Promise.all([ada, ben].map(p => p?.page.context().close())))

		test('001-154, register and login: she signs up, and the mail lets her in', async () => {
			await ada.page.goto('/')
			await ada.follow('Create an account')
			await ada.fill('Your name', ada.name)
			await ada.fill('E-mail address', ada.email)
			await ada.fill('Password', word)
			await ada.press('Create account')
			assert.ok((await ada.lead()).includes(`We sent a mail to ${ada.email}`))
			const signIn = async () => {
				await ada.fill('E-mail address', ada.email)
				await ada.fill('Password', word)
				await ada.press('Sign in')
			}
			await ada.follow('Sign in')
			await signIn()
			assert.match(await ada.page.getByRole('alert').innerText(), /confirm/i)
			assert.equal(await ada.page.getByRole('button', { name: 'Send the mail again' }).count(), 1)
			await ada.page.goto(await link(ada.email, /^Verify your e-mail address$/))
			await ada.press('Confirm address')
			assert.match(await ada.says(), /Your e-mail address is confirmed/)
			await signIn()
			assert.match(ada.at(), /^\/w\//)
			assert.equal(await ada.page.locator('h1').innerText(), 'Overview')
		})

		test('001-154, project and members: she makes a workspace and its first project', async () => {
			await ada.follow('Workspaces', 'nav')
			await ada.follow('New workspace')
			await ada.fill('Name', 'Bakery')
			await ada.fill('Address', slug)
			await ada.fill('Time zone', 'Europe/London')
			await ada.press('Create workspace')
			assert.equal(ada.at(), base)
			assert.match(await ada.says(), /The workspace is made/)
			await ada.follow('New project')
			await ada.fill('Name', 'Bread')
			await ada.fill('Key', 'BR')
			await ada.press('Create project')
			assert.equal(ada.at(), here)
		})

		test('001-154, project and members: she invites him; the mail comes, and he joins by it', async () => {
			await ada.follow('Members', 'nav')
			await ada.fill('E-mail address', ben.email)
			await ada.choose('Role', 'Member', 'section[aria-labelledby=invite]')
			await ada.press('Send invitation')
			assert.match(await ada.says(), /on its way/)
			assert.equal((await ada.row(ben.email))[1], 'Member')
			await ben.page.goto(await link(ben.email, /^Ada Baker invites you to Bakery$/))
			assert.match(await ben.lead(), /Ada Baker invited .* as member/i)
			await ben.fill('Name', ben.name)
			await ben.fill('Password', word)
			await ben.press('Create account and join')
			assert.equal(ben.at(), base)
			assert.match(await ben.says(), /You are in/)
			assert.equal(await ben.page.getByRole('link', { name: 'Members' }).count(), 0, 'a member administers nothing')
		})

		test('they write stories, with estimates', async () => {
			await ada.page.goto(here)
			await ada.follow('Write the first stories')
			for (const [title, points] of [['Bake rye bread', '5'], ['Sell it at the door', '3'], ['Count what is left', '2']]) {
				await ada.fill('New story', title)
				await ada.fill('Points', points)
				await ada.press('Add story')
				assert.match(await ada.says(), /The story is in the backlog/)
			}
			assert.match(await ada.lead(), /3 stories are not begun: 10 points/)
			await ben.follow('Bread', 'nav')
			await ben.follow('Backlog', 'nav')
			assert.deepEqual((await ben.row('BR-2')).slice(1, 6), ['BR-2', 'Sell it at the door', 'Backlog', 'Medium', '3'])
		})

		test('001-154, sprint plan and run: she plans a sprint of two of them and starts it', async () => {
			await ada.follow('Sprints', 'nav')
			await ada.fill('Goal', 'Bread on the street')
			await ada.fill('First day', new Date().toISOString().slice(0, 10))
			await ada.press('Plan sprint')
			assert.match(await ada.says(), /The sprint is planned. Choose its stories/)
			await ada.tick(ada.page.getByRole('checkbox', { name: /^BR-1 / }))
			await ada.tick(ada.page.getByRole('checkbox', { name: /^BR-2 / }))
			await ada.press('Add chosen stories')
			assert.match(await ada.lead(), /2 stories with 8 points are planned/)
			await ada.follow('Start sprint')
			assert.match(await ada.lead(), /2 stories with 8 points become what the sprint commits to/)
			await ada.press('Start sprint')
			assert.match(await ada.says(), /The sprint has started/)
		})

		test('001-154, sprint plan and run: he moves stories over the board', async () => {
			const column = name => ben.page.locator('.board section', { has: ben.page.getByRole('heading', { name, exact: true }) })
			const move = async (key, to) => {
				await ben.choose(`Move ${key} to`, to)
				await ben.press(new RegExp(`^Move ${key}$`))
				assert.match(await ben.says(), /The story has moved/)
				assert.equal(await column(to).locator(`#${key}`).count(), 1)
			}
			await ben.follow('Board', 'nav')
			await move('BR-1', 'In progress')
			await move('BR-2', 'In progress')
			await move('BR-2', 'Done')
			assert.match(await ben.lead(), /^1 story is under way/)
		})

		test('she names him in a comment, and he hears of it', async () => {
			await ben.follow(/^Notifications/, 'nav')
			await ben.follow('Preferences')
			await ben.choose('By mail', 'At once', 'form[aria-labelledby=mention]')
			await ben.press('Save Mentions')
			assert.match(await ben.says(), /saved/)
			await ada.follow('Bake rye bread')
			await ada.fill('New comment', 'The oven is **hot**, @Ben Miller.')
			await ada.press('Add comment')
			assert.match(await ada.page.locator('#comments >> xpath=ancestor::section').innerText(), /Tells Ben Miller[^]*The oven is hot/)
			const mailed = await link(ben.email, /^BR-1 Bake rye bread$/)
			await ben.follow(/^Notifications/, 'nav')
			assert.match(await ben.lead(), /1 notification is unread/)
			assert.match((await ben.row('BR-1'))[0], /Bake rye bread\s+Ada Baker mentioned you/)
			await ben.follow(/Bake rye bread/)
			assert.equal(ben.at(), `${here}/stories/BR-1`)
			assert.match(await ben.page.locator('main').innerText(), /Ada Baker, [^]*The oven is hot/)
			await ben.page.goto(mailed)
			assert.equal(ben.at(), `${here}/stories/BR-1`)
		})

		test('001-154, sprint plan and run: the sprint is completed, and what is not done goes on in the next', async () => {
			await ada.follow('Sprints', 'nav')
			await ada.follow('Sprint 1')
			await ada.follow('Complete sprint')
			assert.match(await ada.lead(), /1 story is done, 3 of 8 committed points. 1 is not, 5 points/)
			assert.equal(await ada.page.getByLabel('To a new sprint, Sprint 2').isChecked(), true)
			await ada.press('Complete sprint')
			assert.match(await ada.says(), /The sprint is completed. Its numbers stay as they are/)
			assert.match((await ada.row('BR-1'))[2], /Carried over Sprint 2/)
			await ada.follow('Sprint 2')
			assert.match(await ada.lead(), /1 story with 5 points is planned/)
			assert.equal((await ada.row('BR-1'))[1], 'Bake rye bread')
		})

		test('they read the burndown and the velocity', async () => {
			await ben.follow('Sprints', 'nav')
			assert.deepEqual((await ben.row('Sprint 1')).slice(4), ['2', '3', '8', '8'])
			await ben.follow('Sprint 1')
			assert.match(await ben.lead(), /It finished 3 of 8 committed points, 38%. 1 story was not done/)
			await ben.page.getByText('Show as table').click()
			// day, open, done, in the sprint, straight line, scope: of the last day that is over or today
			const days = await ben.page.getByRole('region', { name: 'Burndown by day' }).locator('tbody tr').evaluateAll(all => all.map(r => [...r.cells].map(c => c.innerText)))
			assert.deepEqual(days.filter(d => d[1]).at(-1).slice(1, 4), ['5', '3', '8'])
			assert.match(await ben.page.locator('svg.ch desc').first().textContent(), /5/)
			await ben.follow('Velocity', 'nav')
			assert.match(await ben.lead(), /The last sprints completed 3 points each on average/)
			await ben.page.getByText('Show as table').first().click()
			assert.deepEqual(await ben.row('Sprint 1'), ['Sprint 1', '8', '3', '38%', '1 of 2'])
			assert.deepEqual((await ben.row('BR-2')).slice(0, 2), ['BR-2', 'Sell it at the door'])
		})
	})
