// Agents, runs, insights, jobs.
import { insights, lit, sql } from '../lib.mjs'

export const bodies = {
	update_insight: () => ({ version: 1, action: 'acknowledge' }),
	run_agent: () => undefined,
	update_agent_config: () => ({ enabled: false }),
	redrive_job: () => undefined,
}
export function make(t) {
	const { run, list: [insight] } = insights(t, 1)
	return {
		agent: { id: 'sprint_risk', none: 'no_such_agent', shared: true },
		run: { id: run.id, word: `R-${run.number}`, counted: true },
		insight: { id: insight.id, word: `I-${insight.number}`, counted: true },
		job: { id: sql(`INSERT INTO jobs (workspace_id, queue, kind, state) VALUES (${lit(t.id)}, 'automation', 'test:dead', 'dead') RETURNING id`) },
	}
}
