// memcached goes away in mid-traffic, comes back empty, and lies: nobody ever
// gets a document that is not true or not theirs, and nobody waits for it.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import net from 'node:net'
import { after, before, test } from 'node:test'
import { ask, failures, load, privateStack, sleep, until } from './lib.mjs'

let s, lib, tenants, liar, socket

before(async () => {
	s = await privateStack()
	socket = `${s.run}/memcached.sock`
	process.env.GNOMON_URL = s.url
	process.env.GNOMON_DB = s.db
	lib = await import('../http/lib.mjs')
	// alike but for names and ids: what one has would fit another
	tenants = await Promise.all([1, 2].map(() => lib.tenant({ stories: 8 })))
	s.stack('stop', 'memcached')
	for (const t of tenants) {
		t.auth = { Authorization: `Bearer ${t.owner.token}` }
		t.board = await truth(t)
	}
	s.stack('start', 'memcached')
})
after(async () => {
	liar?.close()
	await s?.close()
})

const board = (t, agent) => ask(s, 'GET', `${t.path}/board`, { agent, headers: t.auth })

/** The board as PostgreSQL has it; there is no cache to ask. */
async function truth(t) {
	const r = await board(t)
	assert.equal(r.status, 200)
	assert.equal(r.headers['x-cache'], undefined)
	return r.text
}

const reads = async outcome => {
	const { text } = await ask(s, 'GET', '/metrics')
	return Number(new RegExp(`^gnomon_cache_reads_total\\{outcome="${outcome}"\\} (\\d+)$`, 'm').exec(text)?.[1] ?? 0)
}

/** Both tenants ask for a while; what they got. No answer may be wrong. */
async function traffic(clients, work) {
	let turn = 0
	const replies = await load(clients, async agent => {
		const t = tenants[turn++ % tenants.length]
		return { ...await board(t, agent), truth: t.board }
	}, work)
	assert.deepEqual(failures(replies), {})
	for (const r of replies) assert.equal(r.text, r.truth)
	return { n: replies.length, slowest: Math.max(...replies.map(r => r.ms)), hits: replies.filter(r => r.headers['x-cache'] === 'hit').length }
}
const say = (test, what, { n, slowest, hits }) => test.diagnostic(`${what}: ${n} GET, ${hits} from the cache, slowest ${slowest.toFixed(0)} ms`)

/** Until every process has found memcached again. */
const kept = () => until(async () => {
	const replies = await Promise.all(Array.from({ length: 24 }, (_, i) => board(tenants[i % 2])))
	return replies.every(r => r.headers['x-cache'] === 'hit')
}, 30000)

test('memcached that is killed in mid-traffic, and comes back empty, is not noticed', async test => {
	assert.ok(await kept())
	const pid = Number(fs.readFileSync(`${s.home}/data/pid/memcached`, 'utf8').split(' ')[0])
	const away = await reads('away')
	const found = await traffic(4, async () => {
		for (let i = 0; i < 2; i++) {
			await sleep(300)
			process.kill(i ? Number(fs.readFileSync(`${s.home}/data/pid/memcached`, 'utf8').split(' ')[0]) : pid, 'SIGKILL')
			await sleep(700)
			s.stack('start', 'memcached')
			await sleep(2500)
		}
	})
	say(test, 'killed twice', found)
	assert.ok(await kept(), 'it is used again')
	assert.ok(await reads('away') > away)
})

test('memcached that stands still costs one short wait, not one a request', async test => {
	assert.ok(await kept())
	const pid = Number(fs.readFileSync(`${s.home}/data/pid/memcached`, 'utf8').split(' ')[0])
	process.kill(pid, 'SIGSTOP')
	const from = s.log().length
	const found = await traffic(4, () => sleep(4000))
	process.kill(pid, 'SIGCONT')
	say(test, 'stopped', found)
	const waits = s.log().slice(from).filter(line => line.event === 'cache_away')
	assert.ok(waits.length > 0 && waits.length <= 6 * 4, `${waits.length} waits`)
	assert.ok(found.slowest < 1000)
	assert.ok(await kept())
})

/** memcached's text protocol: one command and its answer, up to the line that ends it. */
const tell = (command, end) => new Promise((resolve, reject) => {
	const line = net.connect(socket)
	let got = ''
	line.setEncoding('latin1')
	line.on('error', reject)
	line.on('data', chunk => {
		got += chunk
		if (end.test(got)) line.end(), resolve(got)
	})
	line.write(command, 'latin1')
})
const keys = async () => [...(await tell('lru_crawler metadump all\r\n', /^END\r?\n/m)).matchAll(/^key=(\S+)/gm)].map(m => decodeURIComponent(m[1]))
const fetch_ = async key => {
	const answer = await tell(`get ${key}\r\n`, /END\r\n$/)
	const head = /^VALUE \S+ \d+ (\d+)\r\n/.exec(answer)
	return answer.substr(head[0].length, Number(head[1]))
}
const store = (key, value) => tell(`set ${key} 0 0 ${value.length}\r\n${value}\r\n`, /\r\n$/)

test('what somebody wrote over in memcached is not believed', async test => {
	assert.ok(await kept())
	const names = await keys()
	const mine = tenants.map(t => names.find(name => name.includes(t.project.id)))
	assert.ok(mine[0] && mine[1], names.join())
	const real = [await fetch_(mine[0]), await fetch_(mine[1])]
	assert.ok(real[0].includes(tenants[0].stories[0].id))
	const flipped = at => real[0].slice(0, at) + String.fromCharCode(real[0].charCodeAt(at) ^ 1) + real[0].slice(at + 1)
	const lies = {
		"another tenant's body": real[1],
		'a stamp of its own for another body': real[0].slice(0, 40) + real[1].slice(40),
		'nothing': '', 'one byte': 'x', 'half of it': real[0].slice(0, real[0].length / 2), 'its head': real[0].slice(0, 40),
		'more than it': `${real[0]}x`, 'random bytes': randomBytes(5000).toString('latin1'), 'a megabyte': 'x'.repeat(1000000),
		'another bit in the stamp': flipped(3), 'another bit in the revision': flipped(33), 'another bit in the body': flipped(200),
	}
	for (const [what, lie] of Object.entries(lies)) {
		const bad = await reads('bad')
		// a process writes the truth over it at once, so it is told often; one
		// that waited too long leaves memcached alone for two seconds
		let n = 0
		assert.ok(await until(async () => {
			await store(mine[0], lie)
			const r = await board(tenants[0])
			assert.equal(r.text, tenants[0].board, what)
			assert.notEqual(r.headers['x-cache'], 'hit', what)
			return ++n >= 12 && await reads('bad') > bad
		}, 15000), what)
	}
	test.diagnostic(`${Object.keys(lies).length} lies, none believed`)
})

/*
 * A memcached that lies, in the binary protocol: it takes what it is given, and
 * answers a get as `lie` says, with what is kept under the key and under others.
 */
const head = (opcode, opaque, length, { status = 0, key = 0, extras = 0, magic = 0x81 } = {}) => {
	const h = Buffer.alloc(24)
	h[0] = magic
	h[1] = opcode
	h.writeUInt16BE(key, 2)
	h[4] = extras
	h.writeUInt16BE(status, 6)
	h.writeUInt32BE(length, 8)
	opaque.copy(h, 12)
	return h
}
const found = (rq, value, more) => Buffer.concat([head(rq.opcode, rq.opaque, 4 + rq.name.length + value.length, { extras: 4, key: rq.name.length, ...more }), Buffer.alloc(4), rq.name, value])

function lyingServer(where = socket) {
	const values = new Map()
	const lines = new Set()
	const l = { lie: null, told: 0, values }
	const serve = (line, rq, value) => {
		if (rq.opcode === 0x01 || rq.opcode === 0x11) { // set
			values.set(rq.key, value)
			line.write(head(rq.opcode, rq.opaque, 0))
		} else if ([0x00, 0x09, 0x0c, 0x0d].includes(rq.opcode)) { // get
			const mine = values.get(rq.key)
			const other = [...values].find(([key]) => key !== rq.key)?.[1]
			l.told++
			if (!l.lie && !mine) line.write(head(rq.opcode, rq.opaque, 0, { status: 1 }))
			else if (!l.lie) line.write(found(rq, mine))
			else l.lie(line, rq, mine ?? other ?? randomBytes(500), other ?? mine ?? randomBytes(500))
		} else if (rq.opcode !== 0x07 && rq.opcode !== 0x17) {
			line.write(head(rq.opcode, rq.opaque, 0))
		}
	}
	const server = net.createServer(line => {
		let got = Buffer.alloc(0)
		lines.add(line)
		line.on('error', () => {})
		line.on('close', () => lines.delete(line))
		line.on('data', chunk => {
			got = Buffer.concat([got, chunk])
			while (got.length >= 24 && got.length >= 24 + got.readUInt32BE(8)) {
				const length = got.readUInt32BE(8), keyLength = got.readUInt16BE(2), extras = got[4]
				const rq = { opcode: got[1], opaque: got.subarray(12, 16), name: got.subarray(24 + extras, 24 + extras + keyLength) }
				if (rq.opcode !== 0x09 && rq.opcode !== 0x0d && rq.opcode !== 0x0c) rq.name = Buffer.from(rq.name)
				rq.key = rq.name.toString()
				// only get-with-key is answered with the key
				if (rq.opcode === 0x00 || rq.opcode === 0x09) rq.name = Buffer.alloc(0)
				serve(line, rq, Buffer.from(got.subarray(24 + extras + keyLength, 24 + length)))
				got = got.subarray(24 + length)
			}
		})
	})
	if (where === socket) fs.rmSync(socket, { force: true })
	return new Promise(resolve => server.listen(where, () => {
		if (where === socket) fs.chmodSync(socket, 0o777)
		l.port = server.address().port
		l.close = () => {
			server.close()
			for (const line of lines) line.destroy()
		}
		resolve(l)
	}))
}

const flood = (line, chunk, pause) => {
	const drip = setInterval(() => line.destroyed ? clearInterval(drip) : line.write(chunk()), pause)
	line.on('close', () => clearInterval(drip))
}
const lies = {
	'random bytes': line => line.write(randomBytes(2000)),
	'text where binary belongs': line => line.write('VALUE x 0 5\r\nhello\r\nEND\r\n'.repeat(20)),
	"the body of another's key": (line, rq, mine, other) => line.write(found(rq, other)),
	'another key by name, too': (line, rq, mine, other) => line.write(found({ ...rq, name: Buffer.from('gn:another') }, other)),
	'a body with bits turned': (line, rq, mine) => { const lie = Buffer.from(mine); lie[lie.length >> 1] ^= 1; line.write(found(rq, lie)) },
	'half a body as the whole': (line, rq, mine) => line.write(found(rq, mine.subarray(0, mine.length >> 1))),
	'nothing as the whole': (line, rq) => line.write(found(rq, Buffer.alloc(0))),
	'half an answer, and the end': (line, rq, mine) => line.end(found(rq, mine).subarray(0, mine.length >> 1)),
	'half an answer, and silence': (line, rq, mine) => line.write(found(rq, mine).subarray(0, mine.length >> 1)),
	'half a head': (line, rq) => line.write(head(rq.opcode, rq.opaque, 0).subarray(0, 11)),
	'nothing at all': () => {},
	'the end': line => line.destroy(),
	'the truth, five seconds late': (line, rq, mine) => setTimeout(() => line.destroyed || line.write(found(rq, mine)), 5000),
	'the answer twice': (line, rq, mine, other) => line.write(Buffer.concat([found(rq, other), found(rq, mine), found(rq, other)])),
	'a body of eight megabytes': (line, rq) => line.write(found(rq, Buffer.alloc(8 << 20, 'x'))),
	'a body of four gigabytes, as fast as it goes': (line, rq) => { line.write(head(rq.opcode, rq.opaque, 0xffffffff, { extras: 4 })); flood(line, () => Buffer.alloc(1 << 20), 5) },
	'lengths that contradict each other': (line, rq) => line.write(Buffer.concat([head(rq.opcode, rq.opaque, 3, { extras: 200, key: 60000 }), randomBytes(300)])),
	'a key longer than the answer': (line, rq) => line.write(Buffer.concat([head(rq.opcode, rq.opaque, 4, { extras: 4, key: 65535 }), randomBytes(300)])),
	'an error nobody knows': (line, rq) => line.write(Buffer.concat([head(rq.opcode, rq.opaque, 4, { status: 0x4242 }), Buffer.from('oops')])),
	'a request for an answer': (line, rq, mine) => line.write(found(rq, mine, { magic: 0x80 })),
	'a body byte by byte': (line, rq, mine) => {
		const all = found(rq, mine)
		let at = 0
		flood(line, () => all.subarray(at, ++at), 10)
	},
}

test('a memcached that lies is not believed, and nobody waits for it', async test => {
	s.stack('stop', 'memcached')
	liar = await lyingServer()
	assert.ok(await kept(), 'it can tell the truth')
	for (const [what, lie] of Object.entries(lies)) {
		const told = liar.told
		const bad = await reads('bad') + await reads('away')
		liar.lie = lie
		const seen = await traffic(4, async () => {
			await until(() => liar.told > told)
			await sleep(400)
		})
		liar.lie = null
		say(test, what, seen)
		assert.ok(seen.slowest < 1000, `${what}: ${seen.slowest} ms`)
		assert.ok(await reads('bad') + await reads('away') > bad, `${what}: not counted`)
		assert.ok(await kept(), `${what}: believed for ever`)
	}
	assert.deepEqual(s.events('worker_died'), [])
	assert.deepEqual(s.events('worker_stuck'), [])
})

test('a ring of servers shares the keys; without one of them the others are used', async () => {
	const address = { host: '127.0.0.1', port: 0 }
	const servers = await Promise.all([1, 2, 3].map(() => lyingServer(address)))
	await s.end()
	s.more = [`MEMCACHED=${servers.map(l => `localhost:${l.port}`).join()}`]
	await s.start()
	assert.ok(await until(async () => (await board(tenants[0])).status === 200))
	const lists = async () => {
		let hits = 0
		for (let limit = 1; limit <= 24; limit++) {
			const r = await ask(s, 'GET', `${tenants[0].path}/stories?limit=${limit}`, { headers: tenants[0].auth })
			assert.equal(r.status, 200)
			assert.equal(JSON.parse(r.text).items.length, Math.min(limit, 8))
			if (r.headers['x-cache'] === 'hit') hits++
		}
		return hits
	}
	for (let i = 0; i < 30 && await lists() < 24; i++);
	assert.equal(await lists(), 24)
	const shares = servers.map(l => l.values.size)
	assert.ok(shares.every(n => n > 0) && shares.reduce((a, b) => a + b) >= 24, shares.join())
	const all = servers.flatMap(l => [...l.values.keys()])
	assert.equal(new Set(all).size, all.length, 'every key has one place')
	servers[0].close()
	await lists()
	assert.ok(await lists() >= 24 - shares[0] - 1, 'those of the others are still there')
	servers[1].close()
	servers[2].close()
	assert.ok((await board(tenants[0])).text === tenants[0].board)
	s.more = []
})
