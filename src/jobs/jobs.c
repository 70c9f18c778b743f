/* Jobs: the worker's table of contents. */
#include "jobs/jobs.h"

#include <json-c/json.h>
#include <time.h>
#include <unistd.h>

#include "account/account.h"
#include "agents/agents.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/text.h"
#include "db/db.h"
#include "gen/queries.h"
#include "jobs/jobs_priv.h"

static const char usual_lease[] = "5 minutes";

/* Every kind of job; the agents' are "agent:<key>:run". */
static const struct kind {
	const char *name;
	enum err (*run)(struct op *op, const struct job *job);
} kinds[] = {
    {"mail:send", jobs__send_mail},
    {"sprints:snapshot", jobs__snapshot_sprints},
    {"sprints:auto_complete", jobs__complete_sprints},
    {"metrics:aggregate", jobs__aggregate_metrics},
    {"webhook:deliver", jobs__deliver},
    {"notifications:digest", jobs__send_digests},
};

#define APART "{mail:send,webhook:deliver,notifications:digest}"
const struct jobs_lane jobs_lanes[] = {
    {.name = "events",
	.kinds = "{notifications:digest}",
	.processes = 1,
	.idle_ms = 500,
	.before = jobs__follow},
    {.name = "mail",
	.kinds = "{mail:send}",
	.before = jobs__send_account_mails,
	.processes = 1,
	.idle_ms = 500,
	.lease = "2 minutes"},
    /* two, so that one receiver that is slow does not stop all others */
    {.name = "webhooks",
	.kinds = "{webhook:deliver}",
	.processes = 2,
	.idle_ms = 500,
	.lease = "1 minute"},
    {.name = "rest",
	.except = APART,
	.processes = 1,
	.idle_ms = 1000,
	.before = jobs__sweep_ai},
    /* somebody looks at the page and waits */
    {.name = "sign-in",
	.has_no_jobs = true,
	.is_wanted = account_oauth_is_wanted,
	.before = account_oauth_work,
	.processes = 1,
	.idle_ms = 100},
};
const size_t n_jobs_lanes = nitems(jobs_lanes);

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

static const struct kind *
kind_of(const char *name)
{
	for (size_t i = 0; i < nitems(kinds); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	return NULL;
}

bool
jobs_is_kind(const char *kind)
{
	return agent_of(kind) != NULL || kind_of(kind) != NULL;
}

char *
jobs_kinds(void *owner)
{
	struct buf *b = buf_new(owner, 10000);

	for (size_t i = 0; i < n_agents; i++)
		buf_fmt(b, "agent:%s:run\n", agents[i].key);
	for (size_t i = 0; i < nitems(kinds); i++)
		buf_fmt(b, "%s\n", kinds[i].name);
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
	    {"forget_account_tokens", q_forget_account_tokens},
	    {"forget_jobs", q_forget_jobs},
	    {"enqueue_digests", q_enqueue_digests},
	    {"forget_deliveries", q_forget_deliveries},
	    {"forget_notifications", q_forget_notifications},
	    {"sweep_ai", q_sweep_ai},
	    {"forget_ai", q_forget_ai},
	};
	const struct agent *agent = kind ? agent_of(kind) : NULL;
	struct op *part = op_new(op, op->id, op->db);

	if ((agent || !kind) && enqueue(part, agent ? agent->key : NULL))
		op_fail(op, part->err, "enqueue: %s", part->why);
	mem_drop(&part);
	part = op_new(op, op->id, op->db);
	if (!agent && jobs__enqueue_sprint_jobs(part, kind))
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
run_agent(struct op *op, const struct job *job)
{
	return agents_run(
	    op, agent_of(job->kind), job->id, job->fence, job->payload);
}

static enum err
run(struct op *op, const struct job *job)
{
	const struct kind *kind = kind_of(job->kind);

	if (kind)
		return kind->run(op, job);
	if (agent_of(job->kind))
		return run_agent(op, job);
	return op_fail(op, ERR_INTERNAL, "no job is called %s", job->kind);
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

/* Whether a job that failed like this would fail again. */
static bool
is_final(enum err e)
{
	return e == ERR_MAIL_REFUSED;
}

/* Ends the claim. A failure here leaves the lease to run out: the job is tried
 * again. */
static enum err
finish(struct op *op, const char *queue, const struct job *job,
    const char *failure, bool final, int64_t us)
{
	const char *kind = job->kind;
	struct rows *rows;
	enum err e = final
	    ? q_bury_job(op, job->id, job->fence, failure, &rows)
	    : q_finish_job(op, job->id, job->fence, failure, &rows);
	const char *state =
	    e || rows_count(rows) == 0 ? NULL : rows_text(op, rows, 0, 0);

	metrics_time(METRIC_JOB_DURATION, us, queue, kind);
	metrics_count(METRIC_JOBS, queue, kind,
	    !state                             ? "lost"
		: strcmp(state, "queued") == 0 ? "retried"
					       : state);
	return e;
}

/* A job begins a trace, by its id without the dashes. */
static const char *
trace_of(void *owner, const char *id)
{
	struct buf *b = buf_new(owner, strlen(id) + 1);

	for (; *id; id++)
		if (*id != '-')
			buf_char(b, *id);
	return b->data;
}

static enum err
work(struct op *op, const char *only, const char *except, const char *lease,
    bool *out_done, bool *out_good)
{
	const char *failure = NULL;
	int64_t from = now_us();
	struct op *mine;
	struct job job;
	struct rows *rows;
	enum err e = q_claim_job(
		     op, only, except, worker_name(op), lease, &rows),
		 how;

	*out_done = *out_good = false;
	if (e || rows_count(rows) == 0)
		return e;
	job = (struct job){.id = rows_get(op, rows, 0, "id"),
	    .kind = rows_get(op, rows, 0, "kind"),
	    .fence = rows_get(op, rows, 0, "fence"),
	    .payload = op_json(
		op, json_tokener_parse(rows_get(op, rows, 0, "payload")))};
	mine = op_new(op, job.id, op->db);
	mine->trace = trace_of(mine, job.id);
	how = run(mine, &job);
	*out_good = !how;
	if (how) {
		failure =
		    mem_fmt(op, "%s: %s", err_info(mine->err)->word, mine->why);
		log_error("job_failed", LOG_S("job", job.id),
		    LOG_S("trace_id", mine->trace), LOG_S("kind", job.kind),
		    LOG_S("error", err_info(mine->err)->word),
		    LOG_S("why", mine->why));
	}
	*out_done = true;
	mem_drop(&mine); /* rolls back what the job left open */
	return finish(op, rows_get(op, rows, 0, "queue"), &job, failure,
	    is_final(how), now_us() - from);
}

enum err
jobs_work_one(struct op *op, const char *kind, bool *out_done, bool *out_good)
{
	return work(op, kind ? mem_fmt(op, "{\"%s\"}", kind) : NULL, NULL,
	    usual_lease, out_done, out_good);
}

enum err
jobs_work_lane(
    struct op *op, const struct jobs_lane *lane, bool *out_done, bool *out_good)
{
	struct op *before;

	if (lane->before) {
		before = op_new(op, lane->name, op->db);
		if (lane->before(before))
			log_warn("lane", LOG_S("lane", lane->name),
			    LOG_S("why", before->why));
		mem_drop(&before);
	}
	*out_done = *out_good = false;
	return lane->has_no_jobs
	    ? ERR_OK
	    : work(op, lane->kinds, lane->except,
		  lane->lease ? lane->lease : usual_lease, out_done, out_good);
}
