// Comments, watchers, objectives.
import { lit, sql } from '../lib.mjs'

const write = {
	create: () => ({ body: 'Walked by' }),
	update: () => ({ version: 1, body: 'Walked by, again' }),
	delete: () => undefined,
}
const things = ['story', 'epic', 'sprint', 'objective']

export const bodies = {
	create_objective: () => ({ title: 'Walked', startDate: '2026-10-01', endDate: '2026-12-31' }),
	update_objective: () => ({ version: 1, title: 'Walked' }),
	delete_objective: () => undefined,
	create_key_result: () => ({ title: 'Walked', startValue: 0, targetValue: 10 }),
	update_key_result: () => ({ version: 1, title: 'Walked' }),
	delete_key_result: () => undefined,
	create_check_in: () => ({ value: 4, confidence: 70 }),
	...Object.fromEntries(things.flatMap(thing => Object.entries(write).map(([verb, body]) => [`${verb}_${thing}_comment`, body]))),
	...Object.fromEntries(things.flatMap(thing => [`watch_${thing}`, `unwatch_${thing}`]).map(name => [name, () => undefined])),
}
export function make(t) {
	const ws = lit(t.id)
	const made = JSON.parse(sql(`
		WITH o AS (INSERT INTO objectives (workspace_id, title, start_date, end_date)
		           VALUES (${ws}, 'Objective', '2026-10-01', '2026-12-31') RETURNING id, number)
		SELECT json_build_object('o', o) FROM o`))
	const keyResult = sql(`INSERT INTO key_results (workspace_id, objective_id, title, direction, start_value, current_value, target_value)
		VALUES (${ws}, ${lit(made.o.id)}, 'Key result', 'increase', 0, 0, 10) RETURNING id`)
	const comment = sql(`INSERT INTO comments (workspace_id, entity_type, entity_id, author_id, body)
		VALUES (${ws}, 'story', ${lit(t.stories[0].id)}, ${lit(t.owner.id)}, 'Said') RETURNING id`)
	return {
		objective: { id: made.o.id, word: `O-${made.o.number}`, counted: true },
		keyResult: { id: keyResult },
		comment: { id: comment },
	}
}
