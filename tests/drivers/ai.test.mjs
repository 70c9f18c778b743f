// src/ai over real sockets: its driver asks the stub of providers, which does
// wrong in every way it knows. Each fault must end in one typed error, within
// its deadline, with the figures that arrived.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { createInterface } from 'node:readline'
import { faults, open, ports } from '../ai-stub.mjs'

let stub
let port
const drivers = []

/** A driver: a process that answers lines in turn. */
function driver(env = {}) {
	const child = spawn(process.env.GNOMON_DRIVER, [], { env: { LOG_LEVEL: 'warn', ...env }, stdio: ['pipe', 'pipe', 'pipe'] })
	const waiting = []
	let log = ''
	child.stderr.on('data', d => (log += d))
	createInterface({ input: child.stdout }).on('line', line => waiting.shift().resolve(JSON.parse(line)))
	const ended = new Promise(resolve => child.on('exit', (code, signal) => {
		for (const w of waiting) w.reject(new Error(`the driver ended: ${code ?? signal}\n${log}`))
		resolve(code ?? signal)
	}))
	const d = {
		ask: line => new Promise((resolve, reject) => {
			waiting.push({ resolve, reject })
			child.stdin.write(`${JSON.stringify(line)}\n`)
		}),
		get log() {
			return log
		},
		kill: () => child.kill('SIGKILL'),
		end: () => (child.stdin.end(), ended),
	}
	drivers.push(d)
	return d
}

/** One line to a driver of its own, with these settings. */
async function one(line, env) {
	const d = driver(env)
	try {
		return await d.ask(line)
	} finally {
		assert.equal(await d.end(), 0, d.log)
	}
}

const kinds = ['openai', 'anthropic']
const target = (kind, model, more = {}) => ({ kind, model, key: 'sk-test-key', url: kind === 'anthropic' ? stub.url : `${stub.url}/v1`, ...more })
const line = (kind, model, more = {}) => ({ targets: [target(kind, model)], ...more })

before(async () => {
	stub = await open()
	port = await ports()
})
after(async () => {
	try {
		// a leak or a sanitizer's complaint is a failure
		for (const d of drivers) assert.equal(await d.end(), 0, d.log)
	} finally {
		for (const d of drivers) d.kill()
		port.close()
		await stub.close()
	}
})

/** Figures that a good answer of the stub comes with. */
function counted(r) {
	assert.equal(r.usage.counted, 'yes')
	assert.ok(r.usage.input > 3 && r.usage.output > 0, JSON.stringify(r.usage))
	assert.equal(r.usage.cached, 3)
}

// ---- what is right

for (const kind of kinds)
	for (const stream of [0, 1]) {
		const how = `${kind}, ${stream ? 'streamed' : 'whole'}`
		test(`000-010, 001-090: a question is answered (${how})`, async () => {
			const d = driver()
			const r = await d.ask(line(kind, 'good', { ask: 'Grüße 👋, what is due?', system: 'Be brief.', stream, temperature: 0.5, maxTokens: 77 }))
			assert.equal(r.error, 'ok')
			assert.equal(r.text, 'echo: Grüße 👋, what is due?')
			assert.equal(r.finish, 'stop')
			assert.equal(r.model, 'good-2026')
			assert.equal(r.kind, kind)
			assert.equal(r.attempts, 1)
			assert.ok(r.latencyMs >= r.firstMs && r.firstMs > 0 === Boolean(r.text))
			counted(r)
			assert.deepEqual(r.spends, [{ kind, model: 'good', attempts: 1, uncounted: 0, usage: r.usage }])
			assert.equal(r.pieces.join(''), stream ? r.text : '')
			if (stream) assert.ok(r.pieces.length > 3)
			const { body, headers, path: where } = stub.of('good').at(-1)
			assert.equal(body.temperature, 0.5)
			assert.equal(body.stream ?? false, Boolean(stream))
			if (kind === 'openai') {
				assert.equal(where, '/v1/chat/completions')
				assert.equal(headers.authorization, 'Bearer sk-test-key')
				assert.equal(body.max_completion_tokens, 77)
				assert.deepEqual(body.messages, [{ role: 'system', content: 'Be brief.' }, { role: 'user', content: 'Grüße 👋, what is due?' }])
				assert.deepEqual(body.stream_options, stream ? { include_usage: true } : undefined)
			} else {
				assert.equal(where, '/v1/messages')
				assert.equal(headers['x-api-key'], 'sk-test-key')
				assert.equal(headers['anthropic-version'], '2023-06-01')
				assert.equal(body.max_tokens, 77)
				assert.equal(body.system, 'Be brief.')
				assert.equal(r.usage.written, 2)
			}
		})
	}

const closed = {
	type: 'object', additionalProperties: false, required: ['summary', 'risks'],
	properties: {
		summary: { type: 'string', minLength: 3 },
		risks: { type: 'array', items: { type: 'object', additionalProperties: false, required: ['severity', 'n'], properties: { severity: { enum: ['low', 'high'] }, n: { const: 4 } } } },
	},
}

for (const [kind, model] of [['openai', 'good'], ['compatible', 'good'], ['anthropic', 'claude-opus-5-5'], ['anthropic', 'claude-sonnet-4-20250514']])
	for (const stream of [0, 1])
		test(`JSON comes as its schema says (${kind}, ${model}, ${stream ? 'streamed' : 'whole'})`, async () => {
			const d = driver()
			const r = await d.ask(line(kind, model, { schema: closed, schemaName: 'risks', stream }))
			assert.equal(r.error, 'ok', r.message)
			assert.deepEqual(r.json, { summary: 'said by the stub', risks: [{ severity: 'low', n: 4 }] })
			assert.deepEqual(r.pieces, [])
			counted(r)
			const { body } = stub.of(model).at(-1)
			if (kind !== 'anthropic') {
				assert.deepEqual(body.response_format, { type: 'json_schema', json_schema: { name: 'risks', strict: false, schema: closed } })
				assert.equal(kind === 'openai' ? body.max_completion_tokens : body.max_tokens, 100)
			} else if (model === 'claude-opus-5-5') {
				// minLength is not known to the format; we check it
				assert.equal(body.output_config.format.type, 'json_schema')
				assert.ok(!JSON.stringify(body.output_config).includes('minLength'))
				assert.equal(body.tools, undefined)
			} else {
				assert.deepEqual(body.tools[0].input_schema, closed)
				assert.deepEqual(body.tool_choice, { type: 'tool', name: 'answer' })
				assert.equal(body.output_config, undefined)
			}
		})

test('a schema that can be held to strictly is', async () => {
	const strict = structuredClone(closed)
	delete strict.properties.summary.minLength
	const r = await driver().ask(line('openai', 'strict', { schema: strict }))
	assert.equal(r.error, 'ok')
	assert.equal(stub.of('strict')[0].body.response_format.json_schema.strict, true)
})

test('a schema that the format cannot say is told in words, and held to all the same', async () => {
	const map = { type: 'object', additionalProperties: { type: 'integer' } }
	const d = driver()
	const r = await d.ask(line('anthropic', 'say:{"a":1}', { schema: map, system: 'Be brief.' }))
	assert.deepEqual(r.json, { a: 1 })
	assert.match(stub.of('say:{"a":1}')[0].body.system, /^Be brief\.\n\n.*JSON Schema:\n\{"type":"object"/s)
	assert.equal((await d.ask(line('anthropic', 'say:{"a":"b"}', { schema: map }))).error, 'output_schema_invalid')
})

test('texts become vectors, in their order', async () => {
	const d = driver()
	const r = await d.ask(line('openai', 'ignored', { texts: ['a', 'bcd'] }))
	assert.equal(r.error, 'ok')
	assert.deepEqual(r.vectors, [[1, 0.5, -1], [3, 0.5, -1]])
	assert.equal(stub.of('text-embedding-3-small').at(-1).path, '/v1/embeddings')
	assert.equal(r.usage.counted, 'yes')
	// Anthropic has none; the next one answers
	const s = await d.ask({ texts: ['the same words', 'the same words', 'others'], targets: [target('anthropic', 'x'), { kind: 'sandbox', model: 'sandbox' }] })
	assert.equal(s.error, 'ok')
	assert.equal(s.kind, 'sandbox')
	assert.deepEqual(s.vectors[0], s.vectors[1])
	assert.notDeepEqual(s.vectors[0], s.vectors[2])
	assert.equal((await d.ask(line('anthropic', 'x', { texts: ['a'] }))).fault, 'no_model')
})

test('000-081: the sandbox answers without a network, always the same', async () => {
	const d = driver()
	const ask = more => d.ask({ targets: [{ kind: 'sandbox', model: 'sandbox' }], ...more })
	const r = await ask({ ask: 'Build me an inventory tracker', stream: 1 })
	assert.equal(r.error, 'ok')
	assert.match(r.text, /sandbox.*```python/s)
	assert.equal(r.pieces.join(''), r.text)
	assert.ok(r.pieces.length > 5)
	assert.deepEqual((await ask({ ask: 'Build me an inventory tracker', stream: 1 })).text, r.text)
	assert.ok(r.usage.input > 0 && r.usage.output > 0)
	const j = await ask({ ask: 'Facts: {"summary":"3 of 9 are late","risks":[{"severity":"high","n":4,"x":1},{"severity":"none","n":2}]}', schema: closed })
	assert.deepEqual(j.json, { summary: '3 of 9 are late', risks: [{ severity: 'high', n: 4 }, { severity: 'low', n: 4 }] })
	assert.equal((await ask({ schema: closed })).error, 'ok')
})

test('004-037: lines split anywhere are the same stream', async () => {
	const d = driver()
	for (const kind of [...kinds, 'compatible'])
		for (const n of [1, 2, 3, 5, 11, 29, 64]) {
			const r = await d.ask(line(kind, `pieces:${n}`, { ask: 'Zeile für Zeile 👋', stream: 1 }))
			assert.equal(r.text, 'echo: Zeile für Zeile 👋', `${kind}, ${n}: ${JSON.stringify(r)}`)
			assert.equal(r.pieces.join(''), r.text)
			counted(r)
		}
})

test('001-093: pieces come before the end', async () => {
	const r = await driver().ask(line('openai', 'slow:60', { ask: 'one two three four five', stream: 1 }))
	assert.equal(r.error, 'ok')
	assert.ok(r.pieceMs[0] < r.latencyMs - 150, JSON.stringify(r.pieceMs))
	assert.ok(r.firstMs > 0 && r.firstMs < r.latencyMs - 150)
})

// ---- what is wrong

const unavailable = 'provider_unavailable'
const bad = 'output_schema_invalid'
/** model: [fault, error, what else]. counted: figures that must have come, of
 * whole answers and streams; both false: either may be what it is. */
const expected = {
	bad_key: ['auth', unavailable], forbidden: ['auth', unavailable], unpaid: ['quota', unavailable],
	no_money: { openai: ['quota', unavailable], anthropic: ['rate_limited', unavailable] },
	no_model: ['no_model', unavailable], bad_request: ['bad_request', unavailable], too_long: ['prompt_too_long', unavailable],
	too_large_request: ['prompt_too_long', unavailable], rate_limit: ['rate_limited', unavailable], rate_limit_after: ['rate_limited', unavailable],
	status_500: ['server', unavailable], status_502: ['server', unavailable], status_503: { openai: ['server', unavailable], anthropic: ['overloaded', unavailable] },
	status_529: { openai: ['server', unavailable], anthropic: ['overloaded', unavailable] },
	'late:900': ['timeout', 'provider_timeout'], no_body: ['timeout', 'provider_timeout'], silent: ['timeout', 'provider_timeout'],
	hang_up: ['cut', unavailable], short: { whole: ['cut', unavailable], stream: ['good', 'ok'] },
	bad_utf8: ['encoding', bad], huge: ['too_large', bad], 'drip:5': ['timeout', 'provider_timeout'],
	doubled: { whole: ['garbage', unavailable], stream: ['good', 'ok'] },
	wrong_type: ['garbage', unavailable], html: ['garbage', unavailable], truncated: ['garbage', unavailable], not_object: ['garbage', unavailable],
	no_choices: ['garbage', unavailable], bad_event: ['garbage', unavailable], no_end: { whole: ['garbage', unavailable], stream: ['cut', unavailable] },
	deep: ['garbage', unavailable], redirect: ['redirect', unavailable], gzip_bomb: ['garbage', unavailable], error_in_200: ['server', unavailable],
	error_in_stream: { stream: ['overloaded', unavailable] }, 'error_in_stream:api_error,1': { stream: ['server', unavailable] },
	huge_error: ['server', unavailable], plain_error: ['overloaded', unavailable], string_error: ['no_model', unavailable],
	not_http: ['cut', unavailable], bad_chunks: ['cut', unavailable],
	zero_byte: ['encoding', bad], nothing: ['empty', bad], long_text: ['too_large', bad], filtered: ['refused', 'model_refused'], refusal: ['refused', 'model_refused'],
	// no faults to the one who asks
	'drip:0': ['good', 'ok'], 'pieces:7': ['good', 'ok'], pings: ['good', 'ok'], odd_lines: ['good', 'ok'], 'slow:1': ['good', 'ok'], unstreamed: ['good', 'ok'],
	max_tokens: ['good', 'ok', { finish: 'length' }], no_usage: ['good', 'ok', { counted: false }], schema: ['good', 'ok'], not_json: ['good', 'ok'], fenced: ['good', 'ok'],
	'fail_then:500,0': ['good', 'ok'],
}
/** The same where JSON was asked for. */
const expectedOfJson = {
	schema: ['schema', bad], not_json: ['schema', bad], zero_byte: ['encoding', bad], fenced: ['good', 'ok'], nothing: ['empty', bad],
	max_tokens: ['cut_short', bad], refusal: ['refused', 'model_refused'], long_text: ['too_large', bad], bad_event: ['garbage', unavailable],
}
const late = new Set(['late:900', 'no_body', 'silent', 'drip:5'])

test('the stub knows at least 24 ways to fail, and each is in this table or in a test of its own', () => {
	const own = ['cut', 'cut_clean', 'say', 'fail_then']
	const here = new Set(Object.keys(expected).map(m => m.split(':')[0]))
	assert.ok(faults.length >= 24)
	assert.deepEqual(faults.filter(f => !here.has(f) && !own.includes(f)), [])
})

/** Asks, and holds the result to what a fault must be. */
async function hold(d, kind, stream, model, [fault, error, more = {}], extra = {}) {
	const deadlineMs = late.has(model) ? 400 : 5000
	const ask = { ask: 'Say it.', stream, deadlineMs, forget: 1, ...extra }
	const before_ = Date.now()
	const r = await d.ask(line(kind, model, ask))
	const took = Date.now() - before_
	const what = `${model} of ${kind}, ${stream ? 'streamed' : 'whole'}: ${JSON.stringify(r)}`
	assert.equal(r.fault, fault, what)
	assert.equal(r.error, error, what)
	assert.equal(r.attempts, 1, what)
	assert.ok(took < deadlineMs + 4000, `${what} took ${took} ms`)
	if (late.has(model)) assert.ok(took >= 380, what)
	assert.ok(r.message.length > 3 && r.message.length <= 300 && !r.message.includes('sk-'), what)
	assert.equal(r.spends[0].attempts, 1, what)
	assert.equal(r.spends[0].uncounted, r.usage.counted === 'yes' ? 0 : 1, what)
	assert.deepEqual({ ...r.spends[0].usage }, r.usage, what)
	if (more.finish) assert.equal(r.finish, more.finish, what)
	if (error === 'ok') assert.equal(r.usage.counted, more.counted === false ? 'no' : 'yes', what)
	if (r.usage.counted === 'no') assert.equal(r.usage.input + r.usage.output, 0, what)
	if (r.status >= 300) assert.equal(r.usage.counted, 'no', what)
	assert.ok(Buffer.byteLength(r.text) <= 1 << 18)
	assert.equal(r.pieces.join(''), stream && !extra.schema ? r.text : '', what)
	return r
}

const rowOf = (row, kind, stream) => (Array.isArray(row) ? row : row[kind] ?? row[stream ? 'stream' : 'whole'])

describe('every fault is one typed error, within its deadline, with the figures that arrived', { concurrency: 4 }, () => {
	for (const kind of kinds)
		for (const stream of [0, 1]) {
			test(`${kind}, ${stream ? 'streamed' : 'whole'}`, async () => {
				const d = driver()
				for (const [model, row] of Object.entries(expected)) {
					const want = rowOf(row, kind, stream)
					if (want) await hold(d, kind, stream, model, want)
				}
				for (const [model, row] of Object.entries(expectedOfJson)) await hold(d, kind, stream, model, rowOf(row, kind, stream), { schema: closed })
			})
		}
})

test('connections: none, one that says nothing, one that is no TLS', async () => {
	const d = driver()
	const at = (url, more) => d.ask({ targets: [target('openai', 'x', { url })], deadlineMs: 500, ...more })
	const refused = await at(`http://127.0.0.1:${port.closed}/v1`)
	assert.equal(refused.fault, 'connect')
	assert.equal(refused.error, unavailable)
	// nothing went out, so nothing can have been spent
	assert.equal(refused.spends[0].attempts, 0)
	assert.ok(refused.latencyMs < 450)
	const quiet = await at(`http://127.0.0.1:${port.quiet}/v1`)
	assert.equal(quiet.fault, 'timeout')
	assert.equal(quiet.spends[0].uncounted, 1)
	assert.ok(quiet.latencyMs >= 480 && quiet.latencyMs < 4000)
	const tls = await at(`https://127.0.0.1:${port.babble}/v1`)
	assert.equal(tls.fault, 'connect')
	assert.equal(tls.spends[0].attempts, 0)
	assert.equal((await at('http://no-such-host.invalid/v1')).fault, 'connect')
	assert.equal((await driver().ask({ targets: [target('openai', 'x', { url: 'file:///etc/passwd' })] })).fault, 'connect')
})

/** Everything the stub says to a request, cut after bytes: of the short form
 * some, others each time; the parsers meet all of them in tests/unit/test_ai.c. */
async function cutEverywhere(kind, stream, mode) {
	const d = driver()
	const ask = model => d.ask(line(kind, model, { ask: 'x y', stream, forget: 1 }))
	const good = await ask('cut:900000')
	const { path: where, headers, raw } = stub.of('cut:900000').at(-1)
	const reply = await fetch(stub.url + where, { method: 'POST', headers: { 'x-api-key': 'k', 'anthropic-version': headers['anthropic-version'] ?? '' }, body: raw.replace('cut:900000', 'as_it_is99') })
	const length = Buffer.byteLength(await reply.text())
	const step = process.env.GNOMON_LONG ? 1 : 23
	assert.ok(length > 100, `${length}`)
	const results = []
	for (let n = Math.floor(Math.random() * step); n < length; n += step) {
		const r = await ask(`${mode}:${n}`)
		const what = `cut at ${n} of ${length}: ${JSON.stringify(r)}`
		results.push(r)
		assert.ok(['cut', 'garbage'].includes(r.fault) || (r.fault === 'good' && n > length - 20), what)
		assert.ok(r.fault === 'good' || r.error === unavailable, what)
		assert.ok(good.text.startsWith(r.text), what)
		assert.equal(r.pieces.join(''), stream ? r.text : '', what)
		assert.equal(r.spends[0].attempts, 1, what)
		// figures only grow towards those of the whole
		assert.ok(r.usage.input <= good.usage.input || !stream, what)
		if (r.usage.counted === 'yes') assert.deepEqual(r.usage, good.usage, what)
	}
	return { good, results }
}

describe('an answer that is cut is never taken for whole', { concurrency: 2 }, () => {
	for (const kind of kinds) {
		test(`${kind}, streamed: the connection breaks`, async () => {
			const { good, results } = await cutEverywhere(kind, 1, 'cut')
			assert.equal(good.fault, 'good') // the end had come
			assert.ok(results.some(r => r.usage.counted === 'no'))
			if (kind === 'anthropic') assert.ok(results.some(r => r.usage.counted === 'partly' && r.usage.input > 0))
		})
		test(`${kind}, whole: the connection breaks`, async () => {
			const { good } = await cutEverywhere(kind, 0, 'cut')
			assert.equal(good.fault, 'cut')
		})
		test(`${kind}, streamed: it ends as if that were all`, () => cutEverywhere(kind, 1, 'cut_clean'))
		test(`${kind}, whole: it ends as if that were all`, () => cutEverywhere(kind, 0, 'cut_clean'))
	}
})

// ---- tries, and others to try

test('000-088: APP_AI_MAX_RETRIES=3 is 1 + 3 calls', async () => {
	const r = await one(line('openai', 'status_500', { retries: -1, backoffMs: 5 }))
	assert.equal(r.attempts, 4)
	assert.equal(r.spends[0].attempts, 4)
	assert.equal(r.fault, 'server')
})

test('001-092: 500 twice then 200 is a success, and the gaps grow', async () => {
	const r = await driver().ask(line('openai', 'fail_then:500,2', { retries: 3, backoffMs: 100 }))
	assert.equal(r.error, 'ok')
	assert.equal(r.attempts, 3)
	const [a, b, c] = stub.of('fail_then:500,2').slice(-3).map(e => e.at)
	// 100 and 200 ms, a quarter more or less
	assert.ok(b - a >= 70 && c - b >= 145, `${b - a}, ${c - b}`)
	assert.equal(r.spends[0].uncounted, 2)
	counted(r)
})

test('Retry-After is waited for, and not when it is longer than the deadline', async () => {
	const d = driver()
	const r = await d.ask(line('anthropic', 'rate_limit_after:1', { retries: 1 }))
	const [a, b] = stub.of('rate_limit_after:1').slice(-2).map(e => e.at)
	assert.equal(r.attempts, 2)
	assert.ok(b - a >= 990, `${b - a}`)
	const s = await d.ask(line('anthropic', 'rate_limit_after:60', { retries: 3 }))
	assert.equal(s.attempts, 1)
	assert.ok(s.latencyMs < 3000)
})

test('what asking again cannot help is not asked again', async () => {
	for (const model of ['bad_key', 'no_money', 'bad_request', 'too_long', 'refusal', 'no_model']) {
		const r = await driver().ask(line('openai', model, { retries: 3, backoffMs: 5 }))
		assert.equal(r.attempts, 1, model)
	}
})

test('000-008: when the first provider is down the next one answers, and each is admitted before', async () => {
	const d = driver()
	const targets = [target('openai', 'x', { url: `http://127.0.0.1:${port.closed}/v1` }), target('compatible', 'status_529'), target('anthropic', 'good')]
	const r = await d.ask({ targets, ask: 'x' })
	assert.equal(r.error, 'ok')
	assert.equal(r.kind, 'anthropic')
	assert.deepEqual(r.admitted.map(a => a.kind), ['openai', 'compatible', 'anthropic'])
	assert.ok(r.admitted.every(a => a.tokens > 10))
	assert.deepEqual(r.spends.map(s => s.attempts), [0, 1, 1])
	// a refusal of the gate ends it: nothing leaves
	const n = stub.log.length
	const s = await d.ask({ targets: [target('compatible', 'status_500'), target('anthropic', 'good')], refuse: 'anthropic' })
	assert.equal(s.error, 'rate_limited')
	assert.equal(stub.log.length, n + 1)
	assert.deepEqual(s.spends.map(x => x.kind), ['compatible'])
})

test('a silent provider leaves time for the next', async () => {
	const r = await driver().ask({ targets: [target('openai', 'silent'), target('anthropic', 'good')], deadlineMs: 1800 })
	assert.equal(r.error, 'ok')
	assert.equal(r.kind, 'anthropic')
	assert.ok(r.latencyMs >= 1190 && r.latencyMs < 1800, `${r.latencyMs}`)
})

test('nobody is asked again once a piece was given', async () => {
	const r = await driver().ask({ targets: [target('openai', 'error_in_stream'), target('anthropic', 'good')], ask: 'a b c d', stream: 1, retries: 3 })
	assert.equal(r.fault, 'overloaded')
	assert.equal(r.attempts, 1)
	assert.equal(r.text, r.pieces.join(''))
	assert.ok(r.text.startsWith('echo:'))
	assert.equal(r.admitted.length, 1)
	// before any text there is no harm in it
	const s = await driver().ask({ targets: [target('openai', 'error_in_stream:server_error,1'), target('anthropic', 'good')], ask: 'a b', stream: 1 })
	assert.equal(s.error, 'ok')
	assert.equal(s.pieces.join(''), 'echo: a b')
})

test('000-085, 004-040: without a key it answers ai_disabled, and nothing leaves', async () => {
	const n = stub.log.length
	for (const t of [target('openai', 'x', { key: '' }), target('anthropic', 'x', { key: '' }), target('compatible', 'x', { url: '' })]) {
		const r = await driver().ask({ targets: [t] })
		assert.equal(r.error, 'ai_disabled')
		assert.equal(r.fault, 'no_key')
		assert.equal(r.attempts, 0)
	}
	assert.equal(stub.log.length, n)
})

test('a compatible server needs no key, and is sent none', async () => {
	const r = await driver().ask(line('compatible', 'keyless', { targets: [target('compatible', 'keyless', { key: '' })] }))
	assert.equal(r.error, 'ok')
	assert.equal(stub.of('keyless')[0].headers.authorization, undefined)
})

test('who asked may stop it: by a piece, by a word, while it waits', async () => {
	const d = driver()
	const r = await d.ask(line('openai', 'slow:30', { ask: 'a b c d e f g h', stream: 1, stopAfter: 2 }))
	assert.equal(r.error, 'ai_cancelled')
	assert.equal(r.pieces.length, 2)
	const s = await d.ask(line('openai', 'silent', { cancelAfterMs: 300 }))
	assert.equal(s.error, 'ai_cancelled')
	assert.ok(s.latencyMs < 3000, `${s.latencyMs}`)
	const t = await d.ask(line('openai', 'status_500', { cancelAfterMs: 300, retries: 1, backoffMs: 4000 }))
	assert.equal(t.error, 'ai_cancelled')
	assert.ok(t.latencyMs < 3000, `${t.latencyMs}`)
})

// ---- the breaker

test('a provider that fails five times is left alone by all processes, and tried again by one', async () => {
	const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'gnomon-ai-'))
	const env = { GNOMON_METRICS: path.join(folder, 'metrics') }
	const [a, b] = [driver(env), driver(env)]
	const dead = more => ({ targets: [target('compatible', 'status_500')], ...more })
	for (let i = 0; i < 4; i++) assert.equal((await a.ask(dead())).breaker, 'closed')
	assert.equal((await b.ask(dead())).breaker, 'open')
	const n = stub.log.length
	const r = await a.ask(dead())
	assert.equal(r.fault, 'breaker_open')
	assert.equal(r.error, unavailable)
	assert.equal(r.attempts, 0)
	assert.equal(stub.log.length, n)
	assert.ok(r.latencyMs < 1000)
	// others are not concerned
	assert.equal((await b.ask({ targets: [target('compatible', 'good'), target('openai', 'good')] })).kind, 'openai')
	fs.rmSync(folder, { recursive: true })
})

test('what says nothing of its health does not speak against it', async () => {
	const d = driver()
	for (let i = 0; i < 7; i++) {
		for (const model of ['rate_limit', 'bad_key', 'refusal', 'schema']) await d.ask(line('openai', model, { schema: closed }))
	}
	assert.equal((await d.ask(line('openai', 'good'))).error, 'ok')
})

// ---- settings

test('000-083, 000-084, 000-086, 004-035, 004-041, 004-042: the settings name who is asked, and with which model', async () => {
	const env = {
		APP_AI_ENABLED: 'true', APP_AI_PROVIDER: 'anthropic', APP_AI_FALLBACK: 'openai,sandbox', APP_AI_OPENAI_API_KEY: 'sk-openai', CLAUDE_API_KEY: 'sk-ant',
		CLAUDE_URL: stub.url, APP_AI_OPENAI_URL: `${stub.url}/v1`, APP_AI_OPENAI_MODEL: 'gpt-set',
	}
	const r = await one({}, env)
	assert.equal(r.kind, 'anthropic')
	assert.equal(stub.of('claude-sonnet-4-20250514').at(-1).headers['x-api-key'], 'sk-ant')
	// 004-035, 004-042: the whole of what is sent
	await one({ ask: 'Hi', system: 'Be brief.', stream: 1, maxTokens: 0 }, env)
	assert.deepEqual(stub.of('claude-sonnet-4-20250514').at(-1).body, { model: 'claude-sonnet-4-20250514', max_tokens: 4096, system: 'Be brief.', messages: [{ role: 'user', content: 'Hi' }], stream: true })
	await one({ maxTokens: 0 }, { ...env, CLAUDE_MAX_TOKENS: '77' })
	assert.equal(stub.of('claude-sonnet-4-20250514').at(-1).body.max_tokens, 77)
	const s = await one({ provider: 'openai' }, env)
	assert.equal(s.model, 'gpt-set-2026')
	assert.equal((await one({}, { ...env, APP_AI_DEFAULT_MODEL: 'claude-set' })).model, 'claude-set-2026')
	assert.equal((await one({ model: 'claude-asked' }, { ...env, APP_AI_DEFAULT_MODEL: 'claude-set' })).model, 'claude-asked-2026')
	assert.equal((await one({}, { ...env, CLAUDE_API_KEY: '', APP_AI_OPENAI_API_KEY: '' })).kind, 'sandbox')
	// 000-083: nothing is asked unless it is switched on
	assert.deepEqual([(await one({}, { ...env, APP_AI_ENABLED: 'false' })).error, (await one({}, { ...env, APP_AI_ENABLED: undefined })).attempts], ['ai_disabled', 0])
	const d = driver({ APP_AI_PROVIDER: 'skynet' })
	assert.equal(await d.end(), 1)
	assert.match(d.log, /APP_AI_PROVIDER/)
	drivers.splice(drivers.indexOf(d), 1)
})

test('000-087: APP_AI_REQUEST_TIMEOUT is the deadline of what names none', async () => {
	const r = await one(line('openai', 'late:5000', { deadlineMs: 0 }), { APP_AI_REQUEST_TIMEOUT: '700ms' })
	assert.equal(r.error, 'provider_timeout')
	assert.ok(r.latencyMs >= 690 && r.latencyMs < 4000, `${r.latencyMs}`)
})

// ---- what leaves the house

test('000-069: no address, name or secret leaves, and the answer has them', async () => {
	const d = driver()
	const text = 'Ask Zoë Brontë <zoe.bronte@acme.example> or ZOË, +49 30 901820, key sk-proj-abcdefghij1234567890. password: hunter22 [PERSON_1]'
	const names = ['Zoë Brontë', 'Ilya']
	for (const kind of kinds)
		for (const stream of [0, 1]) {
			const model = `hide-${kind}-${stream}`
			const r = await d.ask(line(kind, model, { ask: text, system: 'Ilya leads.', names, stream }))
			assert.equal(r.text, `echo: ${text}`)
			assert.equal(r.pieces.join(''), stream ? r.text : '')
			const { raw } = stub.of(model)[0]
			for (const word of ['Zoë', 'ZOË', 'Bront', 'Ilya', 'acme', '901820', 'abcdefghij', 'hunter22']) assert.ok(!raw.includes(word), `${word}: ${raw}`)
			assert.match(raw, /\[EMAIL_1\]/)
		}
	const schema = { type: 'object', required: ['t'], properties: { t: { type: 'string' } }, additionalProperties: false }
	const j = await d.ask(line('openai', 'say:{"t":"[EMAIL_1] and [EMAIL_9]"}', { ask: 'mail "a\\b"@x.example or q@x.example', schema }))
	assert.deepEqual(j.json, { t: 'q@x.example and [EMAIL_9]' })
})

test('an answer is not longer for what was hidden', async () => {
	const d = driver()
	const pem = `-----BEGIN PRIVATE KEY-----\n${'MIIE'.repeat(1900)}\n-----END PRIVATE KEY-----`
	const schema = { type: 'object', required: ['t'], properties: { t: { type: 'string' } }, additionalProperties: false }
	const say = (n, more) => d.ask(line('openai', `say:${more.schema ? `{"t":"${'[SECRET_1] '.repeat(n)}"}` : '[SECRET_1] '.repeat(n)}`, { ask: pem, forget: 1, ...more }))
	assert.equal((await say(30, {})).text.length, 30 * (pem.length + 1))
	assert.equal((await say(30, { schema })).json.t.length, 30 * (pem.length + 1))
	for (const more of [{}, { stream: 1 }, { schema }]) {
		const r = await say(40, more)
		assert.ok(['too_large', 'cancelled'].includes(r.fault), r.fault)
		assert.equal(r.json, null)
		assert.ok(r.text.length <= 1 << 18)
	}
})

test('000-080, 000-085: no key, prompt or provider\'s words are in the log', async () => {
	const d = driver()
	const key = 'canary-of-a-key-3141592653'
	const r = await d.ask({ targets: [target('openai', 'bad_key', { key })], ask: 'canary of a prompt' })
	assert.equal(r.fault, 'auth')
	assert.ok(!r.message.includes('abcdefgh12345678'), r.message)
	assert.match(d.log, /"event":"ai_call".*"provider":"openai".*"fault":"auth"/)
	assert.ok(!d.log.includes('canary') && !d.log.includes('Incorrect'), d.log)
})
