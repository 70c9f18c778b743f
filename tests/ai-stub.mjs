// Stands in for providers of models, for tests: it speaks OpenAI's chat
// completions and embeddings and Anthropic's messages, whole and streamed, on a
// real socket, and does wrong whatever it is asked to.
//
//   node tests/ai-stub.mjs            serves; the first line says where
//
//   POST /v1/chat/completions, /v1/embeddings, /v1/messages
//   GET  /log                         the requests so far, oldest first
//
// How it behaves is chosen by the model's name (or the header x-stub, or a path
// that begins with /=NAME/): "NAME" or "NAME:ARGUMENT". Any other model name is
// answered well. `faults` lists all names; what is said is the last message,
// with "echo:" before it, or what the schema wants.
import { randomUUID } from 'node:crypto'
import http from 'node:http'
import net from 'node:net'
import { gzipSync } from 'node:zlib'
import { pathToFileURL } from 'node:url'

const wait = ms => new Promise(r => setTimeout(r, ms))

// ---- what is answered

/** A value that a schema accepts: good enough for the schemas of tests. */
export function valueOf(schema, root = schema) {
	if (schema.$ref) return valueOf(root.$defs[schema.$ref.split('/').pop()], root)
	if ('const' in schema) return schema.const
	if (schema.enum) return schema.enum[0]
	const type = [schema.type].flat()[0]
	if (type === 'object' || schema.properties)
		return Object.fromEntries(Object.entries(schema.properties ?? {}).map(([k, s]) => [k, valueOf(s, root)]))
	if (type === 'array') return Array.from({ length: schema.minItems ?? 1 }, () => valueOf(schema.items ?? {}, root))
	if (type === 'string') return 'said by the stub'.padEnd(schema.minLength ?? 0, '.').slice(0, schema.maxLength ?? 1000)
	if (type === 'integer' || type === 'number') return schema.minimum ?? 1
	return type === 'boolean' ? true : null
}

/** The schema that a request of either kind asks for, or nothing. */
const schemaOf = body => body.response_format?.json_schema?.schema ?? body.output_config?.format?.schema ?? body.tools?.[0]?.input_schema

const words = text => text.match(/\s*\S+|\s+$/gu) ?? [text]
const tokens = text => Math.ceil(Buffer.byteLength(text) / 4)

/** What to say, and the figures that go with it. */
function answerOf(body, mode) {
	const last = body.messages?.at(-1)?.content ?? ''
	const schema = schemaOf(body)
	const promptTokens = tokens(JSON.stringify(body.messages ?? '') + JSON.stringify(body.system ?? ''))
	let text = schema ? JSON.stringify(valueOf(schema)) : `echo: ${last}`
	if (mode.name === 'schema') text = JSON.stringify({ not: 'what was asked for' })
	if (mode.name === 'not_json') text = 'I would rather talk.'
	if (mode.name === 'fenced') text = '```json\n' + text + '\n```'
	if (mode.name === 'zero_byte') text = 'before\u0000after'
	if (mode.name === 'nothing') text = ''
	if (mode.name === 'long_text') text = 'x'.repeat(Number(mode.argument ?? 300000))
	if (mode.name === 'say') text = mode.argument
	if (mode.name === 'max_tokens') text = text.slice(0, Math.max(1, text.length >> 1))
	return { text, schema, promptTokens, cached: 3, outputTokens: tokens(text) }
}

// ---- the two formats

const openai = {
	whole(body, a, mode) {
		const refused = mode.name === 'refusal'
		return {
			id: 'chatcmpl-1', object: 'chat.completion', created: 1795165302, model: `${body.model}-2026`,
			choices: [{
				index: 0,
				message: { role: 'assistant', content: refused ? null : a.text, refusal: refused ? 'I cannot help with that.' : null },
				logprobs: null,
				finish_reason: mode.name === 'max_tokens' ? 'length' : mode.name === 'filtered' ? 'content_filter' : 'stop',
			}],
			...(mode.name === 'no_usage' ? {} : { usage: this.usage(a) }),
		}
	},
	usage: a => ({
		prompt_tokens: a.promptTokens, completion_tokens: a.outputTokens, total_tokens: a.promptTokens + a.outputTokens,
		prompt_tokens_details: { cached_tokens: a.cached },
	}),
	/** Events of a stream, as they are written. */
	events(body, a, mode) {
		const chunk = (choices, more = {}) =>
			`data: ${JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1795165302, model: `${body.model}-2026`, choices, ...more })}\n\n`
		const piece = (delta, finish_reason = null) => chunk([{ index: 0, delta, finish_reason }], { usage: null })
		const refused = mode.name === 'refusal'
		return [
			piece({ role: 'assistant', content: '', refusal: null }),
			...(refused ? [piece({ refusal: 'I cannot ' }), piece({ refusal: 'help with that.' })] : words(a.text).map(content => piece({ content }))),
			piece({}, mode.name === 'max_tokens' ? 'length' : mode.name === 'filtered' ? 'content_filter' : 'stop'),
			...(mode.name === 'no_usage' ? [] : [chunk([], { usage: this.usage(a) })]),
			'data: [DONE]\n\n',
		]
	},
	ping: ': keep-alive\n\n',
	unknown: 'event: weather\ndata: {"object":"weather","sun":true}\n\n',
	error: (type, message, code = null) => ({ error: { message, type, param: null, code } }),
	inStream: (type, message) => `data: ${JSON.stringify({ error: { message, type, code: null } })}\n\n`,
}

const anthropic = {
	content: (body, a) => (body.tools ? [{ type: 'tool_use', id: 'toolu_1', name: body.tools[0].name, input: JSON.parse(a.text) }] : [{ type: 'text', text: a.text }]),
	whole(body, a, mode) {
		let content
		try {
			content = this.content(body, a)
		} catch {
			content = [{ type: 'text', text: a.text }]
		}
		return {
			id: 'msg_1', type: 'message', role: 'assistant', model: `${body.model}-2026`,
			content: mode.name === 'refusal' || mode.name === 'nothing' ? [] : [{ type: 'thinking', thinking: 'hmm', signature: 'x' }, ...content],
			stop_reason: this.stop(body, mode), stop_sequence: null,
			...(mode.name === 'no_usage' ? {} : { usage: { ...this.usage(a), output_tokens: a.outputTokens } }),
		}
	},
	usage: a => ({ input_tokens: a.promptTokens - a.cached - 2, cache_read_input_tokens: a.cached, cache_creation_input_tokens: 2 }),
	stop: (body, mode) => (mode.name === 'max_tokens' ? 'max_tokens' : mode.name === 'refusal' || mode.name === 'filtered' ? 'refusal' : body.tools ? 'tool_use' : 'end_turn'),
	events(body, a, mode) {
		const event = o => `event: ${o.type}\ndata: ${JSON.stringify(o)}\n\n`
		const usage = mode.name === 'no_usage' ? {} : { usage: { ...this.usage(a), output_tokens: 1 } }
		const isTool = Boolean(body.tools)
		const block = isTool ? { type: 'tool_use', id: 'toolu_1', name: body.tools[0].name, input: {} } : { type: 'text', text: '' }
		const delta = text => (isTool ? { type: 'input_json_delta', partial_json: text } : { type: 'text_delta', text })
		const pieces = mode.name === 'refusal' ? [] : words(a.text)
		return [
			event({ type: 'message_start', message: { id: 'msg_1', type: 'message', role: 'assistant', model: `${body.model}-2026`, content: [], stop_reason: null, stop_sequence: null, ...usage } }),
			event({ type: 'content_block_start', index: 0, content_block: { type: 'thinking', thinking: '' } }),
			event({ type: 'ping' }),
			event({ type: 'content_block_delta', index: 0, delta: { type: 'thinking_delta', thinking: 'hmm' } }),
			event({ type: 'content_block_stop', index: 0 }),
			event({ type: 'content_block_start', index: 1, content_block: block }),
			...pieces.map(t => event({ type: 'content_block_delta', index: 1, delta: delta(t) })),
			event({ type: 'content_block_stop', index: 1 }),
			event({ type: 'message_delta', delta: { stop_reason: this.stop(body, mode), stop_sequence: null }, ...(mode.name === 'no_usage' ? {} : { usage: { output_tokens: a.outputTokens } }) }),
			event({ type: 'message_stop' }),
		]
	},
	ping: 'event: ping\ndata: {"type": "ping"}\n\n',
	unknown: 'event: weather\ndata: {"type":"weather","sun":true}\n\n',
	error: (type, message) => ({ type: 'error', error: { type, message }, request_id: 'req_1' }),
	inStream: (type, message) => `event: error\ndata: ${JSON.stringify({ type: 'error', error: { type, message } })}\n\n`,
}

const vectors = body => ({
	object: 'list', model: body.model,
	data: body.input.map((text, index) => ({ object: 'embedding', index, embedding: [text.length, 0.5, -1] })),
	usage: { prompt_tokens: tokens(body.input.join('')), total_tokens: tokens(body.input.join('')) },
})

// ---- what can be wrong

const head = (res, status, type, more = {}) => res.writeHead(status, { 'content-type': type, ...more })
const isAnthropic = format => format === anthropic

/** Statuses with the body that the provider sends with them. */
const refusals = {
	bad_key: [401, 'authentication_error', 'invalid_request_error', 'invalid_api_key', 'Incorrect API key provided: sk-proj-abcdefgh12345678.'],
	forbidden: [403, 'permission_error', 'invalid_request_error', null, 'Not yours.'],
	no_money: [429, 'rate_limit_error', 'insufficient_quota', 'insufficient_quota', 'You exceeded your current quota.'],
	unpaid: [402, 'billing_error', 'billing_error', null, 'Pay first.'],
	no_model: [404, 'not_found_error', 'invalid_request_error', 'model_not_found', 'The model does not exist.'],
	bad_request: [400, 'invalid_request_error', 'invalid_request_error', null, 'messages: at least one is required'],
	too_long: [400, 'invalid_request_error', 'invalid_request_error', 'context_length_exceeded', 'prompt is too long: 200001 tokens > 200000 maximum'],
	too_large_request: [413, 'request_too_large', 'invalid_request_error', null, 'Too large.'],
	rate_limit: [429, 'rate_limit_error', 'requests', 'rate_limit_exceeded', 'Slow down.'],
	rate_limit_after: [429, 'rate_limit_error', 'requests', 'rate_limit_exceeded', 'Slow down.'],
	status_500: [500, 'api_error', 'server_error', null, 'Internal server error'],
	status_502: [502, null],
	status_503: [503, 'overloaded_error', 'server_error', null, 'The engine is currently overloaded'],
	status_529: [529, 'overloaded_error', 'server_error', null, 'Overloaded'],
}

async function write(res, text, bytes, ms) {
	const all = Buffer.from(text)
	for (let i = 0; i < all.length && !res.destroyed; i += bytes) {
		res.write(all.subarray(i, i + bytes))
		if (ms) await wait(ms)
	}
}

/** Answers that are wrong as bytes: (res, text, isStream, mode, all) where text is the right answer. */
const wrong = {
	// says nothing for so many ms, then answers
	late: async (res, t) => {
		await wait(Number(t.mode.argument ?? 3000))
		t.finish()
	},
	// the head, and nothing after it
	no_body: (res, t) => head(res, 200, t.type).flushHeaders(),
	// nothing at all, or only a hang-up
	silent: () => {},
	hang_up: res => res.socket.destroy(),
	// so many bytes of the body, then a hang-up
	cut: (res, t) => {
		head(res, 200, t.type, { 'transfer-encoding': 'chunked' })
		const all = Buffer.from(t.text)
		const n = Number(t.mode.argument)
		if (n > 0) res.write(all.subarray(0, n))
		else res.flushHeaders()
		setTimeout(() => res.socket?.destroy(), 1)
	},
	// the same, but the connection ends as if that were all
	cut_clean: (res, t) => {
		head(res, 200, t.type, { connection: 'close' })
		res.end(Buffer.from(t.text).subarray(0, Number(t.mode.argument)))
	},
	// a Content-Length that promises more
	short: (res, t) => {
		head(res, 200, t.type, { 'content-length': Buffer.byteLength(t.text) + 10 })
		res.write(t.text)
		setTimeout(() => res.socket?.destroy(), 5)
	},
	bad_utf8: (res, t) => {
		head(res, 200, t.type)
		res.end(Buffer.from(t.text.replaceAll('echo', '\u0001')).map(b => (b === 1 ? 0xc3 : b)))
	},
	// complete, and much too large
	huge: async (res, t) => {
		head(res, 200, t.type)
		const block = t.isStream ? 'data: ' + ' '.repeat(65530) : ' '.repeat(65536)
		for (let i = 0; i < 128 && !res.destroyed; i++) if (!res.write(block)) await new Promise(r => res.once('drain', r).once('close', r))
		res.end(t.text)
	},
	// one byte at a time, so many ms apart: fine when there is time
	drip: async (res, t) => {
		res.socket.setNoDelay(true)
		head(res, 200, t.type)
		await write(res, t.text, 1, Number(t.mode.argument ?? 0))
		res.end()
	},
	// pieces of so many bytes
	pieces: async (res, t) => {
		head(res, 200, t.type)
		await write(res, t.text, Number(t.mode.argument ?? 7), 0)
		res.end()
	},
	// everything twice
	doubled: (res, t) => {
		head(res, 200, t.type)
		res.end(t.text + t.text)
	},
	wrong_type: (res, t) => {
		head(res, 200, 'text/html; charset=utf-8')
		res.end(t.text)
	},
	html: res => {
		head(res, 200, 'text/html')
		res.end('<!doctype html><title>Sign in to the hotel</title>')
	},
	truncated: (res, t) => {
		head(res, 200, 'application/json')
		res.end(t.text.slice(0, t.text.length >> 1))
	},
	not_object: (res, t) => {
		head(res, 200, t.type)
		res.end(t.isStream ? 'data: [1]\n\n' : '[1, 2]')
	},
	no_choices: (res, t) => {
		head(res, 200, 'application/json')
		res.end('{"id":"x"}')
	},
	bad_event: (res, t) => {
		head(res, 200, t.type)
		res.end(t.isStream ? `${t.events.slice(0, 2).join('')}data: {"choices": [\n\n` : '{')
	},
	no_end: (res, t) => {
		head(res, 200, t.type)
		res.end(t.isStream ? t.events.slice(0, -1).join('') : '')
	},
	deep: (res, t) => {
		head(res, 200, t.type)
		const deep = '['.repeat(5000) + ']'.repeat(5000)
		res.end(t.isStream ? `data: {"x":${deep}}\n\n` : `{"x":${deep}}`)
	},
	redirect: res => {
		head(res, 302, 'text/plain', { location: 'http://169.254.169.254/latest/meta-data' })
		res.end()
	},
	// compressed, though nobody asked; and a bomb at that
	gzip_bomb: res => {
		head(res, 200, 'application/json', { 'content-encoding': 'gzip' })
		res.end(gzipSync(Buffer.alloc(50_000_000, ' ')))
	},
	error_in_200: (res, t) => {
		head(res, 200, 'application/json')
		res.end(JSON.stringify(t.format.error('server_error', 'It did not work out.')))
	},
	// a stream that fails after its first words
	error_in_stream: (res, t) => {
		head(res, 200, t.type)
		const [type, n] = (t.mode.argument ?? 'overloaded_error,3').split(',')
		res.end(t.events.slice(0, Number(n ?? 3)).join('') + t.format.inStream(type, 'Overloaded'))
	},
	pings: (res, t) => {
		head(res, 200, t.type)
		res.end(t.isStream ? t.events.map(e => t.format.ping + t.format.unknown + e).join('') : t.text)
	},
	// CRLF, a BOM, comments, ids, data without a space
	odd_lines: (res, t) => {
		head(res, 200, t.type)
		res.end(t.isStream ? `\ufeff: hello\r\nretry: 10\r\n\r\n${t.events.join('').replaceAll('data: ', 'id: 7\ndata:').replaceAll('\n', '\r\n')}` : t.text)
	},
	// each event after so many ms
	slow: async (res, t) => {
		head(res, 200, t.type).flushHeaders()
		for (const e of t.isStream ? t.events : [t.text]) {
			await wait(Number(t.mode.argument ?? 50))
			if (res.destroyed) return
			res.write(e)
		}
		res.end()
	},
	// answers JSON though a stream was asked for, as some servers do
	unstreamed: (res, t) => {
		head(res, 200, 'application/json')
		res.end(t.whole)
	},
	huge_error: (res, t) => {
		head(res, 500, 'application/json')
		res.end(`{"error":{"message":"${'x'.repeat(6_000_000)}"}}`)
	},
	plain_error: res => {
		head(res, 503, 'text/plain')
		res.end('upstream connect error')
	},
	string_error: res => {
		head(res, 404, 'application/json')
		res.end('{"error":"model \\"llama3\\" not found, try pulling it first"}')
	},
	// not HTTP, not chunks
	not_http: res => {
		res.socket.end('SSH-2.0-OpenSSH_9.2p1\r\n')
	},
	bad_chunks: (res, t) => {
		res.socket.end(`HTTP/1.1 200 OK\r\ncontent-type: ${t.type}\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n${t.text}`)
	},
	// fails so many times, then answers
	fail_then: (res, t) => {
		const [status, times] = (t.mode.argument ?? '500,2').split(',').map(Number)
		if (t.calls > times) return t.finish()
		head(res, status, 'application/json')
		return res.end(JSON.stringify(t.format.error('api_error', 'Not yet.')))
	},
}

/** All names that make the stub do wrong, or at least oddly. */
export const faults = [
	...Object.keys(refusals), ...Object.keys(wrong),
	'schema', 'not_json', 'fenced', 'zero_byte', 'nothing', 'long_text', 'max_tokens', 'filtered', 'refusal', 'no_usage',
]

const modeOf = name => {
	const [, mode, argument] = /^([a-z0-9_]+)(?::(.*))?$/s.exec(name ?? '') ?? [null, name]
	return { name: mode, argument }
}

async function serve(req, res, log) {
	let raw = ''
	for await (const chunk of req.setEncoding('utf8')) raw += chunk
	if (req.url === '/log') {
		head(res, 200, 'application/json')
		return res.end(JSON.stringify(log))
	}
	const [, by_path, path] = /^(?:\/=([^/]*))?(\/.*)$/.exec(req.url)
	let body
	try {
		body = JSON.parse(raw)
	} catch {
		body = null
	}
	const entry = { id: randomUUID(), at: Date.now(), method: req.method, path, headers: req.headers, body, raw }
	log.push(entry)
	const format = path.startsWith('/v1/messages') ? anthropic : openai
	const known = ['/v1/chat/completions', '/v1/embeddings', '/v1/messages'].includes(path)
	const hasKey = isAnthropic(format) ? req.headers['x-api-key'] && req.headers['anthropic-version'] : true
	if (req.method !== 'POST' || !known || !body || !hasKey) {
		head(res, known ? 400 : 404, 'application/json')
		return res.end(JSON.stringify(format.error('invalid_request_error', 'What?')))
	}
	const mode = modeOf(by_path ? decodeURIComponent(by_path) : req.headers['x-stub'] ?? body.model)
	const isVectors = path === '/v1/embeddings'
	const isStream = body.stream === true
	const a = isVectors ? null : answerOf(body, mode)
	const whole = JSON.stringify(isVectors ? vectors(body) : format.whole(body, a, mode))
	const events = isStream ? format.events(body, a, mode) : []
	const type = isStream ? 'text/event-stream; charset=utf-8' : 'application/json'
	const text = isStream ? events.join('') : whole
	const finish = () => {
		head(res, 200, type)
		res.end(text)
	}
	if (refusals[mode.name]) {
		const [status, theirs, ours, code, message] = refusals[mode.name]
		const after = mode.name === 'rate_limit_after' ? { 'retry-after': mode.argument ?? '1' } : {}
		head(res, status, theirs ? 'application/json' : 'text/html', after)
		return res.end(theirs ? JSON.stringify(format.error(isAnthropic(format) ? theirs : ours, message, code)) : '<h1>502 Bad Gateway</h1>')
	}
	if (Object.hasOwn(wrong, mode.name)) {
		const calls = log.filter(e => e.body?.model === body.model && e.path === path).length
		return wrong[mode.name](res, { mode, text, whole, events, isStream, type, format, finish, calls })
	}
	return finish()
}

/** {url, log, close()}: a stub on a free port of this machine. */
export async function open(port = 0) {
	const log = []
	const server = http.createServer({ keepAliveTimeout: 1 }, (req, res) => {
		res.on('error', () => {})
		serve(req, res, log).catch(() => res.destroy())
	})
	server.on('clientError', (_, socket) => socket.destroy())
	await new Promise(resolve => server.listen(port, '127.0.0.1', resolve))
	return {
		url: `http://127.0.0.1:${server.address().port}`,
		log,
		/** The requests that name this model. */
		of: model => log.filter(e => e.body?.model === model),
		close: () => new Promise(resolve => (server.closeAllConnections(), server.close(resolve))),
	}
}

/** A port that nobody listens on; one that takes connections and says nothing; one that talks nonsense at once. */
export async function ports() {
	const quiet = net.createServer(() => {})
	const babble = net.createServer(s => s.on('error', () => {}).end(Buffer.from('15030300020228', 'hex')))
	const listen = s => new Promise(resolve => s.listen(0, '127.0.0.1', () => resolve(s.address().port)))
	const closed = net.createServer()
	const free = await listen(closed)
	await new Promise(resolve => closed.close(resolve))
	const [quietPort, babblePort] = await Promise.all([listen(quiet), listen(babble)])
	return { closed: free, quiet: quietPort, babble: babblePort, close: () => (quiet.close(), babble.close()) }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
	const stub = await open(Number(process.argv[2] ?? 0))
	console.log(stub.url)
}
