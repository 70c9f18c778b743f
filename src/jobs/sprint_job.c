/*
 * What happens to sprints by itself: the days that have ended are kept, sprints
 * end whose projects want it so, and figures are added up.
 */
#include <json-c/json.h>

#include "base/log.h"
#include "gen/queries.h"
#include "jobs/jobs_priv.h"

enum err
jobs__enqueue_sprint_jobs(struct op *op, const char *kind)
{
	struct rows *rows;
	enum err e = q_enqueue_sprint_jobs(op, kind, &rows);

	if (!e && rows_int(rows, 0, 0))
		log_info("queued", LOG_I("jobs", rows_int(rows, 0, 0)));
	return e;
}

/* One statement, in the tenant and under the fence of its job. */
static enum err
run(struct op *op, const struct job *job,
    enum err (*does)(struct op *op, const char *period, struct rows **out_rows))
{
	const char *period = json_object_get_string(
	    json_object_object_get(job->payload, "period"));
	struct rows *rows;
	struct db_tx *tx = NULL;
	enum err e = db_begin(op, &tx);

	if (!e)
		e = q_enter_job(op, job->id, job->fence, NULL);
	if (!e)
		e = does(op, period, &rows);
	return e ? e : db_commit(op, &tx);
}

enum err
jobs__snapshot_sprints(struct op *op, const struct job *job)
{
	return run(op, job, q_snapshot_sprints);
}

enum err
jobs__complete_sprints(struct op *op, const struct job *job)
{
	return run(op, job, q_complete_due_sprints);
}

enum err
jobs__aggregate_metrics(struct op *op, const struct job *job)
{
	return run(op, job, q_aggregate_metrics);
}
