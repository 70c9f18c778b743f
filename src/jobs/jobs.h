/*
 * Jobs: what the worker does. PostgreSQL is the queue; a job is claimed for the
 * length of a lease, and everything it writes carries the claim's fence, so a
 * worker that was given up on cannot write any more.
 */
#ifndef GNOMON_JOBS_JOBS_H
#define GNOMON_JOBS_JOBS_H

#include <stdbool.h>

#include "base/op.h"

/* Whether this is the name of a job: "agent:sprint_risk:run". */
bool jobs_is_kind(const char *kind);

/* Names of all jobs, one a line, for people. */
char *jobs_kinds(void *owner);

/* Queues what is due: one kind of job, or all (NULL). All also keeps the event
 * log's partitions ahead of time and forgets what is over: idempotency keys,
 * sessions, finished jobs. Each is done even when another failed; the error
 * is that of the first. */
enum err jobs_tick(struct op *op, const char *kind) MUST_CHECK;

/*
 * Claims the next due job of this kind (NULL: of any) and does it. *out_done
 * is false when there was none. The error, if any, is that of claiming; how
 * the job itself went is in *out_good and in the log.
 */
enum err jobs_work_one(
    struct op *op, const char *kind, bool *out_done, bool *out_good) MUST_CHECK;

#endif
