// Mail from a transaction to the mailbox: what queue_mail leaves, the worker sends.
import { test } from 'node:test'
import { sink } from '../smtp-sink.mjs'
import { assert, lit, newUser, rows, sql, unique } from './lib.mjs'
import { until } from './server.mjs'

const box = sink()
const { slug } = await newUser()
const queue = (user, to, template, data) =>
	sql(`SELECT set_config('gnomon.workspace', (SELECT id::text FROM workspaces WHERE slug = ${lit(slug)}), false) \\g /dev/null
	     SELECT gnomon.queue_mail(${lit(user)}, ${lit(to)}, ${lit(template)}, ${lit(JSON.stringify(data))})`)
const jobOf = to => rows(`SELECT state, attempts, error, run_at > now() AS later FROM jobs WHERE kind = 'mail:send' AND payload ->> 'to' = ${lit(to)}`)[0]
const address = (what = 'ann') => `${what}.${unique()}@example.org`

test('001 mail: what a transaction queues is in the mailbox within two seconds, as text and HTML', async () => {
	const user = await newUser('Ann Ålund')
	const to = address()
	const begun = Date.now()
	queue(user.id, to, 'verify', { link: { path: '/verify', seal: 'u1|verify' } })
	const mail = await box.waitFor(to)
	assert.ok(Date.now() - begun < 2000, `${Date.now() - begun} ms`)
	assert.equal(mail.subject, 'Verify your e-mail address')
	assert.match(mail.headers.to, /^Ann Ålund <ann\./)
	assert.match(mail.headers['message-id'], /^<[0-9a-f-]{36}@/)
	assert.match(mail.headers['auto-submitted'], /auto-generated/)
	assert.match(mail.headers.date, /^\w{3}, \d+ \w{3} \d{4} \d\d:\d\d:\d\d \+0000$/)
	const link = new RegExp(`${process.env.GNOMON_URL}/verify\\?token=[\\w.-]+`)
	assert.match(mail.text, link)
	assert.match(mail.text, /Hello Ann Ålund,/)
	assert.match(mail.html, link)
	assert.equal(link.exec(mail.text)[0], link.exec(mail.html)[0])
	assert.ok(await until(() => jobOf(to).state === 'succeeded'))
})

test('every template is a mail with a subject, a complete text and HTML', async () => {
	const data = { name: 'Ann', inviter: 'Bob', workspace: 'Works', role: 'member', title: 'A title', text: 'A text', reason: 'you watch it',
		link: { path: '/p', seal: 'x' }, unsubscribe: { path: '/unsubscribe', seal: 'y' }, countText: '2 notifications', inbox: '/w/x/notifications',
		items: [{ title: 'One', path: '/one', times: 3 }, { title: 'Two' }] }
	for (const template of ['verify', 'reset', 'invitation', 'notification', 'digest']) {
		const to = address(template)
		queue(null, to, template, data)
		const mail = await box.waitFor(to)
		assert.ok(mail.subject.length > 3, template)
		for (const text of [mail.text, mail.html]) {
			assert.doesNotMatch(text, /\{\{|undefined|null|\[object/, template)
			assert.match(text, new RegExp(process.env.GNOMON_URL), template)
		}
		assert.match(mail.html, /prefers-color-scheme:dark/)
		assert.ok(mail.text.length > 60 && !/<[a-z]/.test(mail.text), template)
		if (template === 'digest') {
			assert.match(mail.text, /- One \(3 times\)\n.*\/one/)
			assert.match(mail.headers['list-unsubscribe'], /^<http.*\/api\/v1\/unsubscribe\/[\w-]+\.[\w-]+>$/)
			assert.equal(mail.headers['list-unsubscribe-post'], 'List-Unsubscribe=One-Click')
		}
	}
})

test('nothing that people wrote becomes a header or markup', async () => {
	const to = address()
	queue(null, to, 'invitation', { inviter: 'Eve\r\nBcc: evil@example.org', workspace: '<b>x</b>', link: { path: '/i', seal: 's' } })
	const mail = await box.waitFor(to)
	assert.deepEqual(mail.to, [to])
	assert.equal(mail.headers.bcc, undefined)
	assert.match(mail.subject, /^Eve {2}Bcc: evil@example.org invites you to <b>x<\/b>$/)
	assert.match(mail.html, /&lt;b&gt;x/)
	const long = address()
	queue(null, long, 'notification', { title: 'Title\n\nPay here: http://evil.example', reason: 'it is assigned to you', workspace: 'Acme' })
	const other = await box.waitFor(long)
	assert.match(other.subject, /^Title {2}Pay here/)
	assert.match(other.text, /^Title\n\nPay here: [^\n]*\n+You get this because/, 'what somebody wrote stands where it belongs')
})

test('a refusal for good is dead at once; one for now is tried again', async () => {
	const [never, text, later, once] = ['refuse550', 'data554', 'busy451', 'once451'].map(address)
	for (const to of [never, text, later, once]) queue(null, to, 'verify', { link: { path: '/v', seal: 's' } })
	assert.ok(await until(() => jobOf(never).state === 'dead'))
	assert.equal(jobOf(never).attempts, 1)
	assert.match(jobOf(never).error, /mail_refused: 550/)
	assert.ok(await until(() => jobOf(text).state === 'dead'))
	assert.match(jobOf(text).error, /554/)
	assert.ok(await until(() => jobOf(later).attempts === 1 && jobOf(later).state === 'queued'))
	assert.equal(jobOf(later).later, true)
	assert.match(jobOf(later).error, /451/)
	assert.ok(await until(() => jobOf(once).state === 'queued'))
	sql(`UPDATE jobs SET run_at = now() WHERE payload ->> 'to' = ${lit(once)}`)
	await box.waitFor(once)
	assert.deepEqual(box.mails(never), [])
	sql(`UPDATE jobs SET state = 'dead' WHERE payload ->> 'to' = ${lit(later)}`)
})

test('a server that hangs up costs a try; the next mail goes on', async () => {
	const [bad, good] = ['drop', 'fine'].map(address)
	queue(null, bad, 'verify', { link: { path: '/v', seal: 's' } })
	queue(null, good, 'verify', { link: { path: '/v', seal: 's' } })
	await box.waitFor(good)
	assert.ok(await until(() => jobOf(bad).state === 'queued' && jobOf(bad).attempts === 1))
	sql(`UPDATE jobs SET state = 'dead' WHERE payload ->> 'to' = ${lit(bad)}`)
})

test('an address that is none, and an account that is gone, hold nobody up', async () => {
	const user = await newUser()
	const bad = `a b@${unique()}`
	queue(null, bad, 'verify', { link: { path: '/v' } })
	assert.ok(await until(() => jobOf(bad).state === 'dead'))
	queue(user.id, null, 'reset', { link: { path: '/r', seal: 's' } })
	assert.equal((await box.waitFor(user.email)).subject, 'Choose a new password')
})
