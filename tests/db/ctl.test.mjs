// gnomonctl, as an operator types it: what it makes, what it refuses, its exit
// statuses.
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { assert, BIN, lit, newKey, rows, signIn, sql, tenant, unique } from '../http/lib.mjs'

const folder = mkdtempSync('/tmp/gnomon-ctl.')
after(() => rmSync(folder, { recursive: true }))

const owner = { DATABASE_URL: process.env.DATABASE_URL.replace('///', '//postgres@/') }

/** {status, out, err}; input goes to its standard input. */
const ctl = (args, input = '', env = {}) =>
	new Promise(resolve => {
		const child = execFile(`${BIN}/gnomonctl`, args, { env: { ...process.env, ...owner, ...env } }, (error, out, err) =>
			resolve({ status: error ? error.code : 0, out, err }))
		child.stdin.on('error', () => {}) // it may have ended before it read any
		child.stdin.end(input)
	})
const done = async (args, input) => {
	const r = await ctl(args, input)
	assert.equal(r.status, 0, `${args.join(' ')}: ${r.err}`)
	return r.out
}

test('what is misspelt is told, and nothing happens', async () => {
	for (const args of [[], ['nothing'], ['user'], ['user', 'add'], ['user', 'add', 'x@example.org'], ['user', 'take', 'x@example.org', '--name', 'X'],
		['import'], ['import', '--workspace', 'acme'], ['import', '--workspace', 'acme', '--project', '1', 'x.csv'], ['import', '--format', 'xml'],
		['import', '--preset', 'trello'], ['agent', 'run', 'x'], ['agent', 'walk', 'x', '--workspace', 'acme'], ['sql'],
		['routes', '--pool', 'fast'], ['demo', 'now'], ['demo', '--today', 'tomorrow']]) {
		const r = await ctl(args)
		assert.equal(r.status, 2, `${args.join(' ')}: ${r.status} ${r.err}`)
		assert.ok(r.err.length > 0, args.join(' '))
	}
})

test('a database that is away is said in a sentence', async () => {
	for (const args of [['migrate'], ['doctor'], ['agent', 'run', 'sprint_risk', '--workspace', 'acme']]) {
		const r = await ctl(args, '', { DATABASE_URL: 'postgresql:///gnomon?host=/tmp/nowhere' })
		assert.equal(r.status, 1, args.join(' '))
		assert.match(r.out + r.err, /cannot be reached|connection to server/)
	}
})

test('doctor says which model cannot be asked, and no key', async () => {
	const ai = { APP_AI_ENABLED: 'true', APP_AI_PROVIDER: 'anthropic', APP_AI_FALLBACK: 'openai,sandbox', APP_AI_OPENAI_API_KEY: 'canary-of-a-key' }
	const r = await ctl(['doctor'], '', ai)
	assert.equal(r.status, 1)
	assert.match(r.out, /^BAD {2}the model claude-sonnet-4-20250514 of anthropic can be asked: set its key/m)
	assert.match(r.out, /^ok {3}the model gpt-4\.1-mini of openai can be asked$/m)
	assert.match(r.out, /^ok {3}the model sandbox of sandbox can be asked$/m)
	assert.ok(!(r.out + r.err).includes('canary'))
	assert.ok(!(await ctl(['doctor'], '', { ...ai, APP_AI_ENABLED: 'false' })).out.includes('can be asked'))
	// 000-085: nor does config
	const config = await ctl(['config'], '', ai)
	assert.match(config.out, /APP_AI_OPENAI_API_KEY/)
	assert.ok(!config.out.includes('canary'))
})

test('a user is made once, and can sign in', async () => {
	const email = `${unique()}@example.org`
	const password = 'a long enough phrase'
	const out = await done(['user', 'add', email, '--name', 'Ctl Person'], `${password}\n`)
	assert.match(out, /^Made \S+ with the workspace \S+\.$/m)
	assert.ok((await signIn(email)).token)
	const again = await ctl(['user', 'add', email, '--name', 'Ctl Person'], `${password}\n`)
	assert.equal(again.status, 1)
	assert.match(again.err, /has an account already/)
	for (const [name, bad, phrase] of [['X', 'x', password], ['', `${unique()}@example.org`, password], ['X', `${unique()}@example.org`, 'short']])
		assert.equal((await ctl(['user', 'add', bad, '--name', name], `${phrase}\n`)).status, 1, `${name} ${bad} ${phrase}`)
})

test('sql prints what PostgreSQL prepares for an endpoint and its filters', async () => {
	assert.match(await done(['sql', 'enter']), /gnomon\.enter/)
	const plain = await done(['sql', 'list_insights'])
	const filtered = await done(['sql', 'list_insights', 'state=open&severity=high'])
	assert.doesNotMatch(plain, /:state/)
	assert.match(filtered, /:state::/)
	assert.match(filtered, /:severity::/)
	assert.match(await done(['sql', 'get_board']), /^-- part: /m)
	const both = await done(['sql', 'list_insights', '', 'state=open&severity=high'])
	assert.equal(both, `-- query: \n${plain}-- query: state=open&severity=high\n${filtered}`)
	for (const args of [['sql', 'nothing'], ['sql', 'list_insights', 'state=never'], ['sql', 'list_insights', 'nothing=1']]) {
		const r = await ctl(args)
		assert.equal(r.status, 1, args.join(' '))
		assert.ok(r.err.length > 0)
	}
})

describe('an import', () => {
	let t, key
	const file = text => {
		const name = `${folder}/${unique()}.csv`
		writeFileSync(name, text)
		return name
	}
	const bring = (text, ...options) => ctl(['import', '--workspace', t.slug, '--project', key, ...options, file(text)])
	const found = () => rows(`SELECT s.title, s.status FROM stories s JOIN projects p ON (p.workspace_id, p.id) = (s.workspace_id, s.project_id)
		WHERE s.workspace_id = ${lit(t.id)} AND p.key = ${lit(key)} ORDER BY s.number`)
	const head = 'Issue key,Summary,Status,Description\n'
	const csv = `${head}A-1,One,To Do,"says ""so"", twice"\nA-2,Two,Done,"over\ntwo lines"\n`

	before(async () => {
		t = await tenant({ stories: 0 })
		key = newKey()
	})
	test('names what is missing before anything is made', async () => {
		const r = await bring(csv)
		assert.equal(r.status, 1)
		assert.match(r.err, /has no project .*--create makes it/)
		assert.equal((await ctl(['import', '--workspace', t.slug, '--project', key, `${folder}/nothing.csv`])).status, 1)
		for (const bad of ['', 'a,b\n1,2\n']) assert.equal((await bring(bad, '--create')).status, 1, bad)
		const stranger = await bring(csv, '--create', '--as', 'nobody@example.org')
		assert.equal(stranger.status, 1)
		assert.equal(found().length, 0)
	})
	test('that is tried keeps nothing', async () => {
		const r = await bring(csv, '--create', '--dry-run')
		assert.equal(r.status, 0, r.err)
		assert.match(r.out, /^Dry run, nothing was kept: 2 stories to make/)
		assert.equal(found().length, 0)
	})
	test('makes the project and its stories, once', async () => {
		const r = await bring(csv, '--create')
		assert.equal(r.status, 0, r.err)
		assert.match(r.out, /^2 stories made, 0 changed, 0 here already, 0 refused\.$/m)
		assert.deepEqual(found(), [{ title: 'One', status: 'backlog' }, { title: 'Two', status: 'done' }])
		const again = await bring(csv)
		assert.match(again.out, /^0 stories made, 0 changed, 2 here already, 0 refused\.$/m)
		assert.equal(found().length, 2)
	})
	test('changes what is here only when it is told to', async () => {
		const changed = csv.replace('One', 'Uno')
		await bring(changed)
		assert.equal(found()[0].title, 'One')
		const r = await bring(changed, '--update')
		assert.match(r.out, /^0 stories made, 1 changed, /m)
		assert.equal(found()[0].title, 'Uno')
	})
	test('refuses rows by line and takes the others; then its status is 3', async () => {
		const r = await bring(`${head}B-1,Good,To Do,\nB-2,,To Do,no title\nB-1,Same key,To Do,\nB-3,Odd,Whatever,\n${',,,\n'.repeat(30)}B-4,Last,Done,\n`)
		assert.equal(r.status, 3, r.err)
		assert.match(r.err, /:3: refused: /)
		assert.match(r.err, /:4: refused: its key B-1 stood on line 2 already/)
		assert.deepEqual(found().slice(2).map(s => s.title).filter(title => title !== 'Odd'), ['Good', 'Last'])
	})
	test('of more rows than a batch holds is whole', async () => {
		const n = found().length
		const many = Array.from({ length: 1203 }, (_, i) => `C-${i},Story ${i},To Do,x\n`).join('')
		const r = await bring(head + many)
		assert.equal(r.status, 0, r.err)
		assert.equal(found().length, n + 1203)
	})
})

test('an agent is run, or it is said why not', async () => {
	const t = await tenant({ stories: 3 })
	const out = await done(['agent', 'run', 'backlog_hygiene', '--workspace', t.slug])
	assert.match(out, /^R-\d+ succeeded\. /)
	assert.equal(sql(`SELECT count(*) FROM agent_runs WHERE workspace_id = ${lit(t.id)} AND status = 'succeeded'`), '1')
	for (const [agent, workspace] of [['nothing', t.slug], ['backlog_hygiene', 'no-such-workspace']])
		assert.equal((await ctl(['agent', 'run', agent, '--workspace', workspace])).status, 1)
})
