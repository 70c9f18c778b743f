// A mail server that keeps what it gets, for tests: a real one as far as SMTP
// (RFC 5321) goes, one JSON file a mail.
//
//   node tests/smtp-sink.mjs FOLDER     serves; FOLDER/port says where
//
// scripts/test runs one for all tests, and the stack's worker sends to it. What
// it does to a mail is asked for by the address it is for:
//
//   refuse550@…  for good    busy451@…  always later    once451@…  later, once
//   data554@…    for good, after the text    drop@…  hangs up    hang@…  says nothing
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { pathToFileURL } from 'node:url'

// ---- reading a mail

const quoted = text =>
	Buffer.from(text.replace(/=\r\n/g, '').replace(/=([0-9A-F]{2})/g, (_, h) => String.fromCharCode(parseInt(h, 16))), 'latin1').toString('utf8')
const words = text =>
	text.replace(/\?=\s+=\?/g, '?==?').replace(/=\?UTF-8\?B\?([^?]*)\?=/g, (_, b) => Buffer.from(b, 'base64').toString('utf8'))

/** {headers, body}: names in lower case, folded lines joined, words decoded. */
function split(raw) {
	const end = raw.indexOf('\r\n\r\n')
	const headers = {}
	for (const line of raw.slice(0, end).replace(/\r\n[ \t]+/g, ' ').split('\r\n')) {
		const colon = line.indexOf(':')
		headers[line.slice(0, colon).toLowerCase()] = words(line.slice(colon + 1).trim())
	}
	return { headers, body: raw.slice(end + 4) }
}

/** What a mail says: headers, text, html. */
export function read(raw) {
	const mail = split(raw)
	const boundary = /boundary="([^"]+)"/.exec(mail.headers['content-type'])?.[1]
	const parts = boundary ? mail.body.split(`--${boundary}`).slice(1, -1).map(p => split(p.replace(/^\r\n/, ''))) : [mail]
	const part = type => {
		const found = parts.find(p => p.headers['content-type'].startsWith(type))
		return found && quoted(found.body).replaceAll('\r\n', '\n')
	}
	return { headers: mail.headers, subject: mail.headers.subject, text: part('text/plain'), html: part('text/html') }
}

// ---- the server

function serve(keep) {
	const met = new Set()
	return net.createServer(socket => {
		let rest = ''
		let from = ''
		let to = []
		let inData = false
		const say = text => socket.write(`${text}\r\n`)
		const has = word => to.some(a => a.includes(word))
		const recipient = address => {
			if (address.includes('refuse550')) return say('550 5.1.1 No such user here')
			if (address.includes('busy451')) return say('451 4.7.1 Try again later')
			if (address.includes('once451') && !met.has(address)) {
				met.add(address)
				return say('451 4.7.1 Try again later')
			}
			if (address.includes('hang')) return undefined
			to.push(address)
			return say('250 2.1.5 Ok')
		}
		const command = line => {
			const verb = line.slice(0, 4).toUpperCase()
			const address = /<([^>]*)>/.exec(line)?.[1] ?? ''
			if (verb === 'EHLO') return say('250-sink.example\r\n250-SIZE 10000000\r\n250 8BITMIME')
			if (verb === 'HELO' || verb === 'NOOP') return say('250 sink.example')
			if (verb === 'MAIL') {
				;[from, to] = [address, []]
				return say('250 2.1.0 Ok')
			}
			if (verb === 'RCPT') return recipient(address)
			if (verb === 'DATA') {
				if (has('drop')) return socket.destroy()
				inData = true
				return say('354 End with a dot')
			}
			if (verb === 'RSET') return say('250 2.0.0 Ok')
			if (verb === 'QUIT') return socket.end('221 2.0.0 Bye\r\n')
			return say('502 5.5.2 What?')
		}
		const text = raw => {
			if (has('data554')) return say('554 5.7.1 Refused after the text')
			keep({ from, to, raw: raw.replace(/^\./gm, ''), at: Date.now() })
			return say('250 2.0.0 Kept')
		}
		socket.setEncoding('latin1').on('error', () => {})
		socket.on('data', chunk => {
			rest += chunk
			for (;;) {
				const mark = inData ? '\r\n.\r\n' : '\r\n'
				const end = rest.indexOf(mark)
				if (end < 0) return
				const whole = rest.slice(0, end)
				rest = rest.slice(end + mark.length)
				if (!inData) command(whole)
				else {
					inData = false
					text(`${whole}\r\n`)
				}
			}
		})
		say('220 sink.example ESMTP')
	})
}

/** Serves, and keeps each mail as a file of the folder. */
export function open(folder) {
	fs.mkdirSync(folder, { recursive: true })
	const server = serve(mail => {
		const name = path.join(folder, `${Date.now()}-${randomBytes(4).toString('hex')}`)
		fs.writeFileSync(`${name}.new`, JSON.stringify(mail))
		fs.renameSync(`${name}.new`, `${name}.json`)
	})
	return new Promise(resolve => server.listen(0, '127.0.0.1', () => resolve(server)))
}

/**
 * The sink that the stack's worker sends to: {url, mails(), waitFor()}.
 * mails(to) lists what came, oldest first, for an address or for all:
 * {from, to, subject, text, html, headers, at, raw}. waitFor(what) waits until
 * there is one: `what` is an address or a function of a mail.
 */
export function sink(folder = process.env.GNOMON_MAIL) {
	if (!folder) throw new Error('GNOMON_MAIL is not set; scripts/test sets it')
	const known = new Map()
	const mails = to => {
		for (const name of fs.readdirSync(folder))
			if (name.endsWith('.json') && !known.has(name)) {
				const mail = JSON.parse(fs.readFileSync(path.join(folder, name)))
				known.set(name, { ...mail, ...read(mail.raw) })
			}
		return [...known.values()].filter(m => !to || m.to.includes(to)).sort((a, b) => a.at - b.at)
	}
	return {
		url: `smtp://127.0.0.1:${fs.readFileSync(path.join(folder, 'port'), 'utf8').trim()}`,
		mails,
		async waitFor(what, ms = 15000) {
			const fits = typeof what === 'function' ? what : m => m.to.includes(what)
			for (const end = Date.now() + ms; Date.now() < end; await new Promise(r => setTimeout(r, 50))) {
				const found = mails().filter(fits)
				if (found.length) return found.at(-1)
			}
			throw new Error(`no such mail in ${ms} ms; there are ${mails().map(m => `${m.to}: ${m.subject}`).join(', ') || 'none'}`)
		},
	}
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
	const server = await open(process.argv[2])
	fs.writeFileSync(path.join(process.argv[2], 'port.new'), String(server.address().port))
	fs.renameSync(path.join(process.argv[2], 'port.new'), path.join(process.argv[2], 'port'))
}
