/* Jobs: the worker's table of contents. */
#include "jobs/jobs.h"

#include <json-c/json.h>
#include <time.h>
#include <unistd.h>

#include "agents/agents.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/text.h"
#include "db/db.h"
#include "gen/queries.h"

static const char lease[] = "5 minutes";

/* The agent of "agent:<key>:run", or NULL. */
static const struct agent *
agent_of(const char *kind)
{
	char key[64];
	size_t n = strlen(kind);

	if (!text_starts(kind, "agent:") || !text_ends(kind, ":run") ||
	    n < 11 || n - 10 >= sizeof(key))
		return NULL;
	memcpy(key, kind + 6, n - 10);
	key[n - 10] = '\0';
	return agent_find(key);
}

bool
jobs_is_kind(const char *kind)
{
	return agent_of(kind) != NULL;
}

char *
jobs_kinds(void *owner)
{
	struct buf *b = buf_new(owner, 10000);

	for (size_t i = 0; i < n_agents; i++)
		buf_fmt(b, "agent:%s:run\n", agents[i].key);
	return b->data;
}

static enum err
enqueue(struct op *op, const char *agent)
{
	struct rows *rows;
	enum err e = q_enqueue_due_agents(op, agent, &rows);

	if (!e && rows_int(rows, 0, 0))
		log_info("queued", LOG_I("jobs", rows_int(rows, 0, 0)));
	return e;
}

enum err
jobs_tick(struct op *op, const char *kind)
{
	static const struct {
		const char *name;
		enum err (*does)(struct op *op, struct rows **out_rows);
	} chores[] = {
	    {"cover_events", q_cover_events},
	    {"forget_once", q_forget_once},
	    {"forget_sessions", q_forget_sessions},
	    {"forget_jobs", q_forget_jobs},
	};
	const struct agent *agent = kind ? agent_of(kind) : NULL;
	struct op *part = op_new(op, op->id, op->db);

	if (enqueue(part, agent ? agent->key : NULL))
		op_fail(op, part->err, "enqueue: %s", part->why);
	mem_drop(&part);
	/* each by itself: one that fails must not keep the others from it */
	for (size_t i = 0; !kind && i < nitems(chores); i++) {
		part = op_new(op, op->id, op->db);
		if (chores[i].does(part, NULL)) {
			log_error("chore_failed",
			    LOG_S("chore", chores[i].name),
			    LOG_S("why", part->why));
			op_fail(
			    op, part->err, "%s: %s", chores[i].name, part->why);
		}
		mem_drop(&part);
	}
	return op->err;
}

static enum err
run(struct op *op, const char *kind, const char *id, const char *fence,
    const char *payload)
{
	const struct agent *agent = agent_of(kind);

	if (!agent)
		return op_fail(op, ERR_INTERNAL, "no job is called %s", kind);
	return agents_run(
	    op, agent, id, fence, op_json(op, json_tokener_parse(payload)));
}

static const char *
worker_name(struct op *op)
{
	char host[65] = "";

	gethostname(host, sizeof(host) - 1);
	return mem_fmt(op, "%s:%d", host, (int)getpid());
}

static int64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Ends the claim. A failure here leaves the lease to run out: the job is tried
 * again. */
static enum err
finish(struct op *op, const char *queue, const char *kind, const char *id,
    const char *fence, const char *failure, int64_t us)
{
	struct rows *rows;
	enum err e = q_finish_job(op, id, fence, failure, &rows);
	const char *state =
	    e || rows_count(rows) == 0 ? NULL : rows_text(op, rows, 0, 0);

	metrics_time(METRIC_JOB_DURATION, us, queue, kind);
	metrics_count(METRIC_JOBS, queue, kind,
	    !state                             ? "lost"
		: strcmp(state, "queued") == 0 ? "retried"
					       : state);
	return e;
}

enum err
jobs_work_one(struct op *op, const char *kind, bool *out_done, bool *out_good)
{
	const char *kinds = kind ? mem_fmt(op, "{\"%s\"}", kind) : NULL;
	const char *id, *fence, *what, *failure = NULL;
	int64_t from = now_us();
	struct op *job;
	struct rows *rows;
	enum err e = q_claim_job(op, kinds, worker_name(op), lease, &rows);

	*out_done = *out_good = false;
	if (e || rows_count(rows) == 0)
		return e;
	id = rows_get(op, rows, 0, "id");
	fence = rows_get(op, rows, 0, "fence");
	what = rows_get(op, rows, 0, "kind");
	job = op_new(op, id, op->db);
	*out_good =
	    !run(job, what, id, fence, rows_get(op, rows, 0, "payload"));
	if (!*out_good) {
		failure =
		    mem_fmt(op, "%s: %s", err_info(job->err)->word, job->why);
		log_error("job_failed", LOG_S("job", id), LOG_S("kind", what),
		    LOG_S("error", err_info(job->err)->word),
		    LOG_S("why", job->why));
	}
	*out_done = true;
	mem_drop(&job); /* rolls back what the job left open */
	return finish(op, rows_get(op, rows, 0, "queue"), what, id, fence,
	    failure, now_us() - from);
}
