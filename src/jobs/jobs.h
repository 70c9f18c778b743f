/*
 * Jobs: what the worker does. PostgreSQL is the queue; a job is claimed for the
 * length of a lease, and everything it writes carries the claim's fence, so a
 * worker that was given up on cannot write any more.
 */
#ifndef GNOMON_JOBS_JOBS_H
#define GNOMON_JOBS_JOBS_H

#include <stdbool.h>

#include "base/op.h"

/* Whether this is the name of a job: "agent:sprint_risk:run", "sprints:snapshot". */
bool jobs_is_kind(const char *kind);

/* Names of all jobs, one a line, for people. */
char *jobs_kinds(void *owner);

/* Queues what is due: one kind of job, or all (NULL). All also keeps the event
 * log's partitions ahead of time and forgets what is over: idempotency keys,
 * sessions, finished jobs, old deliveries and notifications. Each is done even when another failed; the error
 * is that of the first. */
enum err jobs_tick(struct op *op, const char *kind) MUST_CHECK;

/*
 * Lanes: what goes on at the same time, each in a process of its own, so that a
 * mail server that is slow holds up neither an agent nor a webhook.
 */
struct jobs_lane {
	const char *name;
	const char *kinds; /* of jobs, as text[]; NULL: of any, but */
	const char *except; /* these; NULL: none */
	const char *lease; /* how long a claim lasts; NULL: 5 minutes */
	int processes;
	int idle_ms; /* between two looks when there is nothing to do */
	bool has_no_jobs; /* before is all it does */
	bool (*is_wanted)(void); /* NULL: always */
	/* what is done before each look, or NULL */
	enum err (*before)(struct op *op);
};
extern const struct jobs_lane jobs_lanes[];
extern const size_t n_jobs_lanes;

/* As jobs_work_one, of a lane's kinds. */
enum err jobs_work_lane(struct op *op, const struct jobs_lane *lane,
    bool *out_done, bool *out_good) MUST_CHECK;

/*
 * Claims the next due job of this kind (NULL: of any) and does it. *out_done
 * is false when there was none. The error, if any, is that of claiming; how
 * the job itself went is in *out_good and in the log.
 */
enum err jobs_work_one(
    struct op *op, const char *kind, bool *out_done, bool *out_good) MUST_CHECK;

#endif
