// The programs as an operator meets them: settings that are wrong or missing, the
// log, the headers that nginx and we say on every reply.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import https from 'node:https'
import net from 'node:net'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { assert, BIN, ok, password, tenant, unique } from './lib.mjs'
import { ownServer, until } from './server.mjs'

const root = new URL('../../', import.meta.url).pathname
const programs = { 'gnomon-web': ['--socket', '/tmp/gnomon-none.sock'], 'gnomon-worker': ['tick'], gnomonctl: ['doctor'] }
const start = (name, args, env) => spawnSync(path.join(BIN, name), args, { encoding: 'utf8', timeout: 60000, env: { ...process.env, ...env } })

describe('settings', () => {
	for (const [name, args] of Object.entries(programs)) {
		test(`001-004: ${name} does not start with a bad value, and names it`, () => {
			for (const [setting, value] of [['LOG_LEVEL', 'loud'], ['PORT', '80a'], ['APP_AI_ENABLED', 'perhaps'], ['APP_AI_PROVIDER', 'oracle'], ['APP_AI_REQUEST_TIMEOUT', 'soon']]) {
				const r = start(name, args, { [setting]: value })
				assert.equal(r.status, 1, `${setting}=${value}: ${r.status} ${r.stderr}`)
				assert.ok(r.stderr.includes(`${setting} must be`) && r.stderr.includes(`"${value}"`), r.stderr)
			}
		})
		test(`004-039: ${name} does not start without DATABASE_URL, and names it`, () => {
			const r = start(name, args, { DATABASE_URL: '' })
			assert.equal(r.status, 1, r.stderr)
			assert.match(r.stderr + r.stdout, /DATABASE_URL/)
		})
	}
	test('004-038: PORT is where the development server listens', () => {
		const shown = env => /^PORT\s.*$/m.exec(start('gnomonctl', ['config'], env).stdout)?.[0] ?? ''
		assert.match(shown({ PORT: '8123' }), /\b8123\b.*environment/)
		assert.match(shown({ PORT: '' }), /\b8080\b/)
		const wrong = spawnSync('scripts/quickstart', [], { cwd: root, encoding: 'utf8', env: { ...process.env, PORT: 'eighty' } })
		assert.equal(wrong.status, 2, 'quickstart reads it')
		// and what it listens on is what it was told
		const template = fs.readFileSync(path.join(root, 'nginx/dev.conf.in'), 'utf8')
		assert.deepEqual(template.match(/^\s*listen .*$/gm).map(line => line.trim()), ['listen 127.0.0.1:@PORT@ backlog=4096;'])
	})
})

describe('the log', () => {
	let s, token
	const lines = () => s.log().split('\n').filter(line => line.startsWith('{'))
	const of = id => lines().map(line => JSON.parse(line)).filter(line => line.request_id === id)
	const ask = async (level, more = {}) => {
		const id = `ask-${unique()}`
		const r = await s.call('GET', level === 'none' ? '/api/v1/nothing' : '/api/v1/users/me', { token, headers: { 'X-Request-Id': id, ...more } })
		assert.equal(r.headers['x-request-id'], id)
		return id
	}
	before(async () => {
		const t = await tenant({ stories: 0 })
		s = await ownServer({ workers: 1, slow: 1, env: { LOG_LEVEL: 'debug' } })
		token = (await ok(s.call('POST', '/api/v1/auth/login', { json: { email: t.owner.email, password } }))).accessToken
	})
	after(() => s?.close())

	test('001-006, 004-052: every line is JSON with time, level, process and event; a request has its id', async () => {
		const id = await ask('good')
		assert.ok(await until(() => of(id).length === 1))
		for (const line of lines()) {
			const { time, level, process: program, pid, event } = JSON.parse(line)
			assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
			assert.ok(['debug', 'info', 'warn', 'error'].includes(level) && /^gnomon-/.test(program) && pid > 0 && event, line)
		}
		const [{ request_id, method, route, status, us }] = of(id)
		assert.deepEqual([request_id, method, route, status], [id, 'GET', 'get_me', 200])
		assert.ok(us > 0)
		// what is no line of ours has no place there
		assert.deepEqual(s.log().split('\n').filter(line => line && !line.startsWith('{')), [])
	})
	test('003-027: a request that comes with a traceparent is logged under its trace; another begins one', async () => {
		const traced = async traceparent => {
			const id = await ask('good', traceparent === undefined ? {} : { traceparent })
			assert.ok(await until(() => of(id).length === 1))
			return of(id)[0].trace_id
		}
		const theirs = '0af7651916cd43dd8448eb211c80319c'
		assert.equal(await traced(`00-${theirs}-b7ad6b7169203331-01`), theirs)
		assert.equal(await traced(`cc-${theirs}-b7ad6b7169203331-01-what-comes-later`), theirs)
		const begun = []
		for (const bad of [undefined, '', 'x', theirs, `00-${theirs}-0000000000000000-01`, `00-${'0'.repeat(32)}-b7ad6b7169203331-01`, `ff-${theirs}-b7ad6b7169203331-01`,
			`00-${theirs.toUpperCase()}-b7ad6b7169203331-01`, `00-${theirs}-b7ad6b7169203331-01x`, `00-${theirs}0-b7ad6b7169203331-01`, '00-"},"level":"x'])
			begun.push(await traced(bad))
		for (const trace of begun) assert.match(trace, /^[0-9a-f]{32}$/)
		assert.ok(!begun.includes(theirs))
		assert.equal(new Set(begun).size, begun.length)
		// nginx says the same of the same request
		const id = await ask('good', { traceparent: `00-${theirs}-b7ad6b7169203331-01` })
		const access = () => fs.readFileSync(path.join(s.run, 'nginx/access.log'), 'utf8').split('\n').find(line => line.includes(id))
		assert.ok(await until(() => access()))
		assert.equal(JSON.parse(access()).traceId, theirs)
	})
	test('004-044, 001-006: LOG_LEVEL leaves out what is below it', async () => {
		const again = async level => {
			s.web.kill('SIGTERM')
			await s.ended
			s.settings.LOG_LEVEL = level
			await s.startWeb()
			assert.ok(await until(async () => (await s.call('GET', '/ready')).status === 200))
			const from = lines().length
			const [good, none] = [await ask('good'), await ask('none')]
			if (level === 'info') assert.ok(await until(() => of(none).length === 1))
			return { good: of(good).length, none: of(none).length, levels: new Set(lines().slice(from).map(line => JSON.parse(line).level)) }
		}
		const info = await again('info')
		assert.deepEqual([info.good, info.none, info.levels.has('debug')], [0, 1, false])
		const warn = await again('warn')
		assert.deepEqual([warn.good, warn.none, warn.levels.size], [0, 0, 0])
	})
	test('001-135: every reply, whoever gives it, has the headers that protect; by TLS it says to come back by TLS', async () => {
		// the production site, with its own paths replaced by those of this test
		const tls = path.join(s.run, 'tls')
		fs.mkdirSync(path.join(tls, 'tmp'), { recursive: true })
		spawnSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=localhost', '-keyout', `${tls}/privkey.pem`, '-out', `${tls}/fullchain.pem`])
		const free = async () => {
			const at = net.createServer().listen(0, '127.0.0.1')
			await once(at, 'listening')
			const { port } = at.address()
			at.close()
			return port
		}
		const [plain, secure] = [await free(), await free()]
		const site = fs.readFileSync(path.join(root, 'nginx/gnomon.conf'), 'utf8')
			.replace(/listen (\[::\]:)\d+.*;/g, '').replace('listen 80;', `listen 127.0.0.1:${plain};`).replace('listen 443 ssl http2;', `listen 127.0.0.1:${secure} ssl;`)
			.replaceAll('/usr/share/gnomon/nginx/gnomon-', `${s.run}/nginx/gnomon-`).replaceAll('/usr/share/gnomon/', `${s.run}/share/`)
			.replaceAll('/etc/gnomon/tls/', `${tls}/`).replaceAll('/var/log/nginx/', `${tls}/`)
		fs.writeFileSync(`${tls}/nginx.conf`, `pid nginx.pid; error_log error.log; events {}\nhttp { include /etc/nginx/mime.types; ${['client_body', 'fastcgi', 'proxy', 'scgi', 'uwsgi'].map(x => `${x}_temp_path tmp/${x};`).join(' ')}\n${site}}`)
		const nginx = spawn('nginx', ['-p', `${tls}/`, '-c', 'nginx.conf', '-e', 'error.log', '-g', `${process.getuid() === 0 ? 'user root; ' : ''}daemon off;`], { env: s.settings, stdio: 'ignore' })
		const ask_ = (method, where, more = {}) => new Promise((resolve, reject) => {
			const rq = https.request({ host: '127.0.0.1', port: secure, method, path: where, rejectUnauthorized: false, ...more }, rs => {
				rs.resume()
				rs.on('end', () => resolve(rs))
			})
			rq.on('error', reject)
			rq.end(more.body)
		})
		try {
			assert.ok(await until(async () => (await ask_('GET', '/ready').catch(() => ({}))).statusCode === 200), fs.readFileSync(`${tls}/error.log`, 'utf8'))
			const authorised = { headers: { Authorization: `Bearer ${token}` } }
			for (const [status, ...how] of [[200, 'GET', '/login'], [200, 'GET', '/api/v1/users/me', authorised], [401, 'GET', '/api/v1/users/me'], [404, 'GET', '/nothing'], [200, 'GET', '/static/gnomon.css'],
				[404, 'GET', '/static/none.css'], [303, 'GET', '/account'], [405, 'PUT', '/health'], [204, 'OPTIONS', '/api/v1/projects'], [413, 'POST', '/api/v1/auth/login', { headers: { 'Content-Length': 5 << 20 } }]]) {
				const { statusCode, headers } = await ask_(...how)
				const what = how.slice(0, 2).join(' ')
				assert.equal(statusCode, status, what)
				assert.equal(headers['x-content-type-options'], 'nosniff', what)
				assert.equal(headers['x-frame-options'], 'DENY', what)
				assert.equal(headers['referrer-policy'], 'same-origin', what)
				assert.match(headers['content-security-policy'], /^default-src 'none';.*frame-ancestors 'none'/, what)
				assert.equal(headers['strict-transport-security'], 'max-age=63072000', what)
				assert.ok(headers['permissions-policy'] && headers['cross-origin-opener-policy'] && headers['x-request-id'], what)
				assert.doesNotMatch(headers.server ?? '', /\d/, what)
			}
			// in clear: readers are sent to TLS, what was sent is refused; and there is nothing to come back by
			const clear = method => s.call(method, '/login?next=/account', { at: new URL(`http://127.0.0.1:${plain}`), headers: { Host: 'gnomon.example.org' } })
			const moved = await clear('GET')
			assert.deepEqual([moved.status, moved.headers.location], [301, 'https://gnomon.example.org/login?next=/account'])
			assert.equal((await clear('POST')).status, 403)
			assert.equal((await s.call('GET', '/login')).headers['strict-transport-security'], undefined)
			// a cookie that was set by TLS is of this host alone and never leaves it in clear
			const page = await ask_('POST', '/login', { headers: { 'Content-Type': 'application/x-www-form-urlencoded' }, body: 'email=a@example.org&password=x' })
			for (const cookie of page.headers['set-cookie'] ?? []) assert.match(cookie, /^__Host-.*; Secure/)
		} finally {
			nginx.kill('SIGTERM')
			await once(nginx, 'exit')
		}
	})
})

describe('001-003: the rules of the house', () => {
	const folder = fs.mkdtempSync('/tmp/gnomon-lint.')
	const git = (...args) => spawnSync('git', ['-c', 'user.name=T', '-c', 'user.email=t@example.org', ...args], { cwd: folder, encoding: 'utf8', env: { ...process.env, GIT_CONFIG_COUNT: '0' } })
	after(() => fs.rmSync(folder, { recursive: true }))
	const source = 'int\nhalf(int n)\n{\n\treturn n / 2;\n}\n'
	before(() => {
		git('init', '-q')
		fs.mkdirSync(`${folder}/src/base`, { recursive: true })
		fs.cpSync(`${root}.clang-format`, `${folder}/.clang-format`)
		fs.mkdirSync(`${folder}/scripts/hooks`, { recursive: true })
		for (const file of ['scripts/check-style', 'scripts/hooks/pre-commit']) fs.cpSync(root + file, `${folder}/${file}`)
		git('config', 'core.hooksPath', 'scripts/hooks')
	})
	const commit = text => {
		fs.writeFileSync(`${folder}/src/base/half.c`, text)
		git('add', '-A')
		return git('commit', '-qm', 'base: half')
	}
	test('001-003: the hook lets in what keeps them', () => {
		const r = commit(source)
		assert.equal(r.status, 0, r.stdout + r.stderr)
	})
	for (const [what, text] of Object.entries({
		'the format': source.replace('{\n', '{ '), 'banned functions': `#include <stdlib.h>\n\n${source.replace('n / 2', 'atoi("2")')}`,
		'the arrows between rooms': `#include "http/http.h"\n\n${source}`, 'the doors of libraries': `#include <libpq-fe.h>\n\n${source}`, 'the ends of lines': `${source}/* x */ \n`,
	}))
		test(`001-003: the hook keeps out what breaks ${what}`, () => {
			const r = commit(text)
			assert.notEqual(r.status, 0)
			assert.match(r.stdout + r.stderr, /half\.c/)
		})
	test('001-003: make lint compiles every file with -Wall -Wextra -Werror', { skip: process.env.GNOMON_BUILD ? false : 'GNOMON_BUILD names no build' }, () => {
		const r = spawnSync('make', ['-n', '-C', process.env.GNOMON_BUILD, 'lint'], { encoding: 'utf8', maxBuffer: 1 << 26 })
		assert.equal(r.status, 0, r.stderr)
		assert.match(r.stdout, /check-style/)
		const [loop] = r.stdout.split('\n').filter(line => line.includes('-fsyntax-only'))
		for (const flag of ['-Wall', '-Wextra', '-Werror']) assert.ok(loop.split(/\s+/).includes(flag), flag)
		const files = spawnSync('git', ['-c', 'safe.directory=*', 'ls-files', 'src/*.c'], { cwd: root, encoding: 'utf8' }).stdout.trim().split('\n')
		assert.ok(files.length > 50)
		assert.deepEqual(files.filter(file => !r.stdout.includes(file)), [])
	})
})
