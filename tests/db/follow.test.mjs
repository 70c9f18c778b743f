// What the follower of the event log costs, in a database of its own: what has
// changed, not what there is.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { assert, DB } from '../http/lib.mjs'

const name = `gnomon_follow_${process.pid}`
const psql = (text, on = name) => execFileSync('psql', ['-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', `${DB} dbname=${on}`], {
	input: text, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'],
	env: { ...process.env, PGOPTIONS: '-c client_min_messages=warning -c timezone=UTC' },
}).trim()
/** A look of the follower: what it did, and the rows and pages it read for it. */
const look = (known, most = 500) => JSON.parse(psql(`
	BEGIN;
	CREATE TEMP TABLE look ON COMMIT DROP AS SELECT * FROM gnomon.follow_events('${known}', ${most});
	SELECT row_to_json(x) FROM (SELECT l.*,
	       (SELECT sum(pg_stat_get_xact_tuples_returned(c.oid) + pg_stat_get_xact_tuples_fetched(c.oid)) FROM pg_class c
	         WHERE c.relnamespace = 'public'::regnamespace) AS rows,
	       (SELECT sum(pg_stat_get_xact_blocks_fetched(c.oid)) FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace) AS pages
	  FROM look l) x;
	COMMIT`))
/** Scopes with events that nobody was told of. */
const behind = () => Number(psql(`SELECT count(DISTINCT e.scope_id) FROM events e LEFT JOIN event_cursors c USING (workspace_id, scope_id) WHERE e.rev > coalesce(c.rev, 0)`))
/** Adds projects; to follow from here on. */
const projects = (from, to) => psql(`
	INSERT INTO projects (workspace_id, key, name, slug)
	SELECT w.id, 'P' || n, 'P' || n, 'p' || n FROM workspaces w CROSS JOIN generate_series(${from}, ${to}) n;
	INSERT INTO event_cursors (workspace_id, scope_id, rev) SELECT workspace_id, scope_id, rev FROM revisions ON CONFLICT DO NOTHING;
	VACUUM ANALYZE`)
/** Follows to the end; gives what is known then. */
const catchUp = known => {
	for (;;) {
		const l = look(known)
		known = l.snapshot
		if (!l.has_more) return known
	}
}
const change = key => psql(`UPDATE projects SET name = name || '.' WHERE key = '${key}'`)

before(() => {
	psql(`CREATE DATABASE ${name} OWNER gnomon_owner TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'`, 'postgres')
	psql('ALTER SCHEMA public OWNER TO gnomon_owner; SET ROLE gnomon_owner; CREATE TABLE migration_versions (version integer PRIMARY KEY)')
	const folder = new URL('../../sql/migrations/', import.meta.url)
	for (const file of readdirSync(folder).sort()) psql(`BEGIN; SET ROLE gnomon_owner; ${readFileSync(new URL(file, folder), 'utf8')}; COMMIT`)
	psql(`INSERT INTO workspaces (name, slug) VALUES ('W', 'w')`)
})
after(() => psql(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`, 'postgres'))

test('a look after one change reads as much among 5,000 projects as among 50, and next to nothing when nothing was written', () => {
	const costs = []
	for (const [from, to] of [[1, 50], [51, 5000]]) {
		projects(from, to)
		let known = catchUp('')
		assert.equal(behind(), 0)
		change('P7')
		const l = look(known)
		assert.equal(l.handled, 1)
		assert.equal(behind(), 0)
		costs.push(l)
		known = catchUp(l.snapshot)
		// nobody writes to this database, but the cluster may be busy
		const idle = look(known)
		assert.equal(idle.handled, 0)
		assert.ok(idle.rows < 200 && idle.pages < 400, `${idle.rows} rows, ${idle.pages} pages for nothing`)
	}
	const [few, many] = costs
	assert.ok(many.rows < 200, `${many.rows} rows among 5,000, ${few.rows} among 50`)
	assert.ok(many.pages <= few.pages * 1.5 && many.pages < 1000, `${many.pages} pages among 5,000, ${few.pages} among 50`)
	// whereas looking anew compares them all: the measure sees it
	assert.ok(look('').rows > 5000)
})

test('what was written while a transaction was under way is found when it commits', () => {
	const known = catchUp('')
	// the first snapshot sees it under way, the second has it behind its beginning
	const out = psql(`
		BEGIN; UPDATE projects SET name = 'Late' WHERE key = 'P8';
		\\! psql -XAtq -d "${DB} dbname=${name}" -c "SELECT snapshot FROM gnomon.follow_events('${known}', 500)"
		COMMIT`)
	assert.equal(behind(), 1)
	change('P9')
	assert.equal(look(out.split('\n').at(-1)).handled, 2)
	assert.equal(behind(), 0)
})

test('more than a round takes is left marked, and taken by the next ones, each scope its share', () => {
	const known = catchUp('')
	for (const name of ['One', 'Two']) psql(`UPDATE projects SET name = '${name}' WHERE substr(key, 2)::integer <= 300`)
	const l = look(known, 20)
	assert.deepEqual([l.handled, l.has_more], [80, true])
	assert.equal(psql('SELECT count(*) FROM event_cursors WHERE is_behind'), '260')
	assert.equal(behind(), 260)
	catchUp(l.snapshot)
	assert.equal(behind(), 0)
})

test('a scope that cannot be followed holds up no other and is tried again when all are compared', () => {
	const known = catchUp('')
	psql(`CREATE FUNCTION gnomon.broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF NEW.scope_id = (SELECT id FROM public.projects WHERE key = 'P11') THEN RAISE 'broken'; END IF; RETURN NEW; END $$;
		CREATE TRIGGER broken BEFORE UPDATE OF rev ON event_cursors FOR EACH ROW EXECUTE FUNCTION gnomon.broken()`)
	change('P10'), change('P11'), change('P12')
	const l = look(known)
	assert.deepEqual([l.handled, l.has_more], [2, false])
	psql('DROP TRIGGER broken ON event_cursors')
	assert.equal(look(l.snapshot).handled, 0)
	assert.equal(look('').handled, 1)
})
