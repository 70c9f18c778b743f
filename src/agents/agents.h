/*
 * Agents: what each of them is (a folder of SQL and JSON, made into this table
 * at build time), and the one pipeline that runs any of them.
 */
#ifndef GNOMON_AGENTS_AGENTS_H
#define GNOMON_AGENTS_AGENTS_H

#include <stddef.h>

#include "base/op.h"
#include "db/stmt.h"

struct json_object;

enum { AGENT_STMT_IDS = 10000 }; /* above every other statement's id */

/* The statements take $1 subject uuid, $2 thresholds, $3 native, $4 facts. */
struct agent {
	const char *key; /* "sprint_risk": the folder's name */
	const char *config; /* agent.json */
	struct stmt subjects; /* what there is to look at: id, label,
				  project_id, sprint_id */
	struct stmt documents; /* what a native helper reads; no sql: none */
	struct stmt facts; /* one row, one column: the analysis packet */
	struct stmt findings; /* facts and thresholds to findings */
};

extern const struct agent agents[];
extern const size_t n_agents;

/* The agent with this key, or NULL. */
const struct agent *agent_find(const char *key);

/*
 * Runs an agent on behalf of a claimed job: locks the period, gathers facts
 * per subject, turns them into findings, publishes insights, tells people.
 * Everything is written in one transaction under the job's fence; a run whose
 * worker died is found again and continued. A subject that fails makes the run
 * partial and leaves the others' insights standing.
 *   job, fence   the claim
 *   payload      {"trigger":"schedule"|"manual","period":…,"triggeredBy":…,
 *                "at": a past time to run at, for history and back-tests}
 */
enum err agents_run(struct op *op, const struct agent *agent, const char *job,
    const char *fence, struct json_object *payload) MUST_CHECK;

#endif
