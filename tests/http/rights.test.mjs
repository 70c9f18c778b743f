// Who may what: roles of a workspace and of a project, private projects, and every
// route of the table with every role.
import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { before, describe, test } from 'node:test'
import { assert, BIN, browser, call, csrf, get, insights, lit, newKey, ok, patch, post, refused, rows, sprint, sql, state, tenant, unique } from './lib.mjs'

const seat = (t, project, user, role) =>
	sql(`INSERT INTO project_members (workspace_id, project_id, user_id, role) VALUES (${lit(t.id)}, ${lit(project.id)}, ${lit(user.id)}, ${lit(role)})
	     ON CONFLICT (workspace_id, project_id, user_id) DO UPDATE SET role = excluded.role`)
const unseat = (t, project, user) =>
	sql(`DELETE FROM project_members WHERE workspace_id = ${lit(t.id)} AND project_id = ${lit(project.id)} AND user_id = ${lit(user.id)}`)
const close = (project, isPrivate = true) => sql(`UPDATE projects SET is_private = ${isPrivate} WHERE id = ${lit(project.id)}`)

describe('roles in a project', () => {
	let t
	const story = (who, project = t.project) => post(`/api/v1/projects/${project.id}/stories`, { ...who, json: { title: 'By role' } })
	before(async () => {
		t = await tenant({ roles: ['viewer', 'member', 'admin'] })
	})
	test('a viewer of the workspace who is a member of the project may write there, and only there', async () => {
		await refused(story(t.viewer), 403, 'forbidden')
		seat(t, t.project, t.viewer, 'member')
		await ok(story(t.viewer), 201)
		const other = await ok(post(`${t.base}/projects`, { ...t.owner, json: { key: newKey(), name: 'Other' } }), 201)
		await refused(story(t.viewer, other), 403, 'forbidden')
		await refused(post(`${t.base}/projects`, { ...t.viewer, json: { key: newKey(), name: 'No' } }), 403, 'forbidden')
		unseat(t, t.project, t.viewer)
		await refused(story(t.viewer), 403, 'forbidden') // at once: nothing about roles is remembered
	})
	test('a role in the project never lowers that of the workspace', async () => {
		seat(t, t.project, t.member, 'viewer')
		await ok(story(t.member), 201)
		unseat(t, t.project, t.member)
	})
	test('whoever makes a project is its owner', async () => {
		const made = await ok(post(`${t.base}/projects`, { ...t.member, json: { key: newKey(), name: `Mine ${unique()}` } }), 201)
		assert.equal(made.owner.id, t.member.id)
		assert.deepEqual(rows(`SELECT user_id, role FROM project_members WHERE project_id = ${lit(made.id)}`), [{ user_id: t.member.id, role: 'owner' }])
	})
})

describe('a private project', () => {
	let t, secret, story, insight, words
	const people = ['viewer', 'member', 'admin', 'owner']
	const outsiders = () => [t.viewer, t.member]
	const insiders = () => [t.inside, t.admin, t.owner]
	const at = path => `/api/v1/projects/${secret.id}${path}`
	before(async () => {
		t = await tenant({ roles: people.slice(0, 3), stories: 1 })
		const more = await tenant({ roles: [], stories: 0 })
		t.inside = more.owner
		sql(`INSERT INTO workspace_members (workspace_id, user_id, role) VALUES (${lit(t.id)}, ${lit(t.inside.id)}, 'viewer')`)
		words = `Zanzibar ${unique()}`
		secret = await ok(post(`${t.base}/projects`, { ...t.owner, json: { key: newKey(), name: `${words} project` } }), 201)
		story = await ok(post(at('/stories'), { ...t.owner, json: { title: `${words} story` } }), 201)
		t.sprint = sprint({ ...t, project: secret })
		insight = insights({ ...t, project: secret }, 1, { title: `${words} insight` })
		sql(`INSERT INTO agent_packets VALUES (${lit(t.id)}, ${lit(insight.run.id)}, '[{"label":"${words} fact"}]', '{}', now())`)
		seat(t, secret, t.inside, 'member')
		close(secret)
		for (const who of [...outsiders(), ...insiders()]) who.cookie = await browser(who)
	})
	test('001-017: whoever is not in it gets 404 by id, by key, for its things and its pages', async () => {
		const pages = ['', '/board', '/stories', `/stories/${story.key}`].map(p => `/w/${t.slug}/p/${secret.key}${p}`)
		const apis = ['', '/board', '/stories', `/stories/${story.key}`, '/sprints', `/sprints/${t.sprint.number}`]
			.flatMap(p => [`/api/v1/projects/${secret.id}${p}`, `/api/v1/projects/${secret.key}${p}`])
		for (const who of outsiders()) {
			for (const path of apis) await refused(get(path, who), 404, 'not_found')
			for (const path of pages) assert.equal((await get(path, { cookie: who.cookie })).status, 404, path)
			await refused(post(at('/stories'), { ...who, json: { title: 'x' } }), 404, 'not_found')
			await refused(patch(at(`/stories/${story.key}`), { ...who, json: { version: 1, title: 'x' } }), 404, 'not_found')
			await refused(get(`${t.base}/insights/I-${insight.list[0].number}`, who), 404, 'not_found')
		}
		for (const who of insiders()) {
			for (const path of apis) await ok(get(path, who))
			for (const path of pages) assert.equal((await get(path, { cookie: who.cookie })).status, 200, path)
		}
		await ok(post(at('/stories'), { ...t.inside, json: { title: 'A viewer of the workspace, a member here' } }), 201)
	})
	test('nothing of it stands in any list, page or count of who is not in it', async () => {
		const lists = ['/api/v1/projects', `${t.base}/projects`, `${t.base}/insights`, `${t.base}/insights?projectId=${secret.id}`,
			`${t.base}/insights?q=Zanzibar`, `${t.base}/agents/runs/${insight.run.id}`]
		lists.push(`${t.base}/search?q=Zanzibar`)
		const pages = ['', '/search?q=Zanzibar', '/projects', '/projects?archived=true', '/insights', '/insights?q=Zanzibar', '/runs', `/runs/R-${insight.run.number}`, '/usage'].map(p => `/w/${t.slug}${p}`)
		for (const who of outsiders()) {
			for (const path of lists) {
				const { text, status } = await get(path, who)
				assert.equal(status, 200, path)
				for (const word of [words, secret.id, secret.key, story.id]) assert.ok(!text.includes(word), `${path} says ${word}: ${text.slice(0, 2000)}`)
			}
			for (const path of pages)
				for (const door of ['', '.json', '.csv']) {
					const [p, q = ''] = path.split('?')
					const { text, status } = await get(`${p}${door}${q && `?${q}`}`, { cookie: who.cookie })
					assert.ok(status === 200 || door && status === 404, `${path}${door}: ${status}`)
					for (const word of [words, secret.id, secret.key]) assert.ok(!text.includes(word), `${path}${door} says ${word}`)
				}
			const page = await get(`/w/${t.slug}`, { cookie: who.cookie })
			assert.match(page.text, />Insights <span>0</)
		}
		for (const who of insiders()) {
			for (const path of [`${t.base}/search?q=Zanzibar`, `${t.base}/projects`, `${t.base}/insights`, `${t.base}/agents/runs/${insight.run.id}`])
				assert.ok((await get(path, who)).text.includes(words), path)
			assert.match((await get(`/w/${t.slug}`, { cookie: who.cookie })).text, />Insights <span>1</)
		}
		assert.ok((await get('/api/v1/projects', t.inside)).text.includes(secret.id))
		for (const [people, n] of [[outsiders(), 0], [insiders(), 1]])
			for (const who of people) {
				assert.equal((await ok(get(`${t.base}/agents/runs/${insight.run.id}`, who))).insightCount, n)
				assert.equal((await ok(get(`${t.base}/agents/runs`, who))).items.find(r => r.id === insight.run.id).insightCount, n)
			}
	})
	test('nor in any table, view or event that the web process may read', () => {
		const enter = who => {
			const { sid } = JSON.parse(Buffer.from(who.token.split('.')[1], 'base64url'))
			return `BEGIN; SELECT 1 FROM gnomon.enter(NULL, ${lit(sid)}, ${lit(t.slug)}, NULL, NULL, 1, false) \\g /dev/null\n`
		}
		const tables = rows(`
			SELECT c.oid::regclass::text AS name, a.attname AS col
			  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped
			   AND (a.attname = 'project_id' OR a.attname = 'scope_id' OR a.attname = 'id' AND c.relname = 'projects')
			 WHERE c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition AND c.relnamespace IN ('public'::regnamespace, 'asof'::regnamespace)
			   AND has_table_privilege('gnomon_web', c.oid, 'SELECT') AND a.atttypid = 'uuid'::regtype`)
		assert.ok(tables.length > 15)
		let seen = 0
		for (const { name, col } of tables) {
			const count = who => Number(sql(`${enter(who)}SELECT count(*) FROM ${name} WHERE ${col} = ${lit(secret.id)}; COMMIT`, 'gnomon_web'))
			for (const who of outsiders()) assert.equal(count(who), 0, name)
			seen += count(t.inside) > 0
		}
		assert.ok(seen >= 8, `${seen} tables hold something of it`)
	})
	test('an ETag or a kept body never crosses the wall', async () => {
		for (const path of [at('/board'), at('/stories'), `/api/v1/projects/${secret.key}/board`]) {
			let tag
			for (let i = 0; i < 12; i++) { // every process keeps what it saw
				const r = await get(path, t.inside)
				assert.equal(r.status, 200)
				tag = r.headers.etag
			}
			for (const who of outsiders())
				for (let i = 0; i < 12; i++)
					await refused(get(path, { ...who, headers: { 'If-None-Match': tag } }), 404, 'not_found')
			assert.equal((await get(path, { ...t.inside, headers: { 'If-None-Match': tag } })).status, 304)
		}
	})
	test('closing and opening it, coming and going count at once', async () => {
		const path = at('/board')
		const tag = (await get(path, t.inside)).headers.etag
		unseat(t, secret, t.inside)
		await refused(get(path, { ...t.inside, headers: { 'If-None-Match': tag } }), 404)
		seat(t, secret, t.inside, 'member')
		await ok(get(path, t.inside))
		close(secret, false)
		await ok(get(path, t.viewer))
		assert.ok((await get(`${t.base}/insights`, t.viewer)).text.includes(words))
		close(secret)
		await refused(get(path, t.viewer), 404)
		assert.ok(!(await get(`${t.base}/insights`, t.viewer)).text.includes(words))
	})
	test('a key that only hidden projects have is no secret of theirs', async () => {
		// whoever cannot see the one with the key is told of the other, not that there are two
		const b = await tenant({ stories: 0 })
		sql(`INSERT INTO workspace_members (workspace_id, user_id, role) VALUES (${lit(b.id)}, ${lit(t.viewer.id)}, 'viewer')`)
		const twin = await ok(post(`${b.base}/projects`, { ...b.owner, json: { key: secret.key, name: 'Twin' } }), 201)
		assert.equal((await ok(get(`/api/v1/projects/${secret.key}`, t.viewer))).id, twin.id)
	})
})

describe('001-016: every route with every role', () => {
	const ranks = { public: -1, user: 0, viewer: 1, member: 2, admin: 3, owner: 4 }
	const routes = execFileSync(`${BIN}/gnomonctl`, ['routes'], { encoding: 'utf8' }).trim().split('\n')
		.map(line => line.split(/\s+/))
		.map(([method, path, role, name, source]) => ({ method, path, role, name, source, isPage: !path.startsWith('/api/'), ofProject: path.includes('{project}') }))
		.filter(r => ranks[r.role] >= ranks.viewer)
	// the workspace's role, and the project's when there is one
	const personas = [['viewer'], ['admin'], ['viewer', 'member'], ['admin', 'viewer'],
		...process.env.GNOMON_LONG ? [['member'], ['owner'], ['viewer', 'admin'], ['viewer', 'owner']] : []]
	// what only its author may change, whatever the role
	const theirs = /^(update|delete)_\w*comment$/
	// each has a tenant of its own: what one uses up is not missed by the next
	let bodies
	const people = new Map()
	before(async () => {
		const nouns = await Promise.all(readdirSync(new URL('walk', import.meta.url)).map(file => import(`./walk/${file}`)))
		bodies = Object.assign({}, ...nouns.map(noun => noun.bodies))
		for (const [role, inProject] of personas) {
			const t = await tenant()
			const made = Object.assign({}, ...await Promise.all(nouns.map(noun => noun.make(t))))
			const { owner: who } = await tenant({ stories: 0 })
			sql(`INSERT INTO workspace_members (workspace_id, user_id, role) VALUES (${lit(t.id)}, ${lit(who.id)}, ${lit(role)})`)
			if (inProject) seat(t, t.project, who, inProject)
			who.cookie = await browser(who)
			who.csrf = await csrf(who.cookie, `/w/${t.slug}/insights`)
			const fill = route => route.path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(made[name].id))
			people.set(`${role} ${inProject ?? ''}`, { t, who, fill })
		}
	})
	const ask = async (route, { who, fill }) => {
		const body = route.method === 'GET' ? undefined : bodies[route.name]()
		return !route.isPage ? call(route.method, fill(route), { token: who.token, json: body })
			: route.method === 'GET' ? get(fill(route), { cookie: who.cookie })
			: post(fill(route), { cookie: who.cookie, form: { ...body, csrf: who.csrf } })
	}
	for (const [role, inProject] of personas)
		describe(`${role}${inProject ? `, ${inProject} of the project` : ''}`, () => {
			const rank = route => Math.max(ranks[role], route.ofProject && inProject ? ranks[inProject] : 0)
			const may = routes.filter(r => rank(r) >= ranks[r.role])
			const me = () => people.get(`${role} ${inProject ?? ''}`)
			for (const route of routes.filter(r => !may.includes(r)))
				test(`may not ${route.method} ${route.path}`, async () => {
					const before_ = state(me().t)
					const r = await ask(route, me())
					assert.equal(r.status, 403, r.text.slice(0, 500))
					assert.equal(state(me().t), before_)
				})
			for (const route of may.filter(r => r.method === 'GET'))
				test(`may GET ${route.path}`, async () => {
					const r = await ask(route, me())
					assert.equal(r.status, 200, r.text.slice(0, 500))
				})
			// leaving comes last; what an earlier one used up is gone or a conflict, and never a matter of rights
			for (const route of may.filter(r => r.method !== 'GET').sort((x, y) => (x.name === 'leave_workspace') - (y.name === 'leave_workspace')))
				test(`may ${route.method} ${route.path}`, async () => {
					const r = await ask(route, me())
					assert.ok(r.status < 500 && ![401, theirs.test(route.name) ? 0 : 403].includes(r.status) && !r.headers.location?.startsWith('/login'), `${r.status} ${r.text.slice(0, 500)}`)
				})
		})
})
