/*
 * The pipeline that runs any agent: period → subjects → facts → findings →
 * insights → people. Rules only: what a model adds comes between findings and
 * insights, and its absence changes words, never facts.
 */
#include <json-c/json.h>
#include <time.h>

#include "agents/agents.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/metrics.h"
#include "db/db.h"
#include "gen/queries.h"
#include "text/similar.h"

enum { PACKET_MAX = 32 << 20 };

/* In the order of the columns in which SQL counts by severity. */
static const char *const severities[] = {"low", "medium", "high", "critical"};
enum { SEVERITIES = nitems(severities) };

static const char quiet_after_dismissal[] = "14 days";

struct run {
	const struct agent *agent;
	const char *job, *fence, *period, *at;
	struct json_object *payload;
	const char *id; /* agent_runs.id */
	const char *thresholds; /* defaults overlaid with the workspace's */
	const char *delivery;
	struct buf *packet; /* JSON array of the subjects' facts */
	struct buf *errors; /* a sentence per subject that failed */
	int64_t subjects, failed;
	int64_t found, new, updated, unchanged, suppressed, notifications;
	int64_t resolved;
	int64_t new_by[SEVERITIES], resolved_by[SEVERITIES];
	int64_t native_ms, facts_ms, findings_ms, publish_ms;
};

const struct agent *
agent_find(const char *key)
{
	for (size_t i = 0; i < n_agents; i++)
		if (strcmp(agents[i].key, key) == 0)
			return &agents[i];
	return NULL;
}

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static const char *
member(struct json_object *o, const char *key)
{
	return json_object_get_string(json_object_object_get(o, key));
}

/* The defaults of agent.json, with what the workspace set laid over them. */
static const char *
overlay(struct op *op, struct json_object *defaults, const char *set)
{
	struct json_object *over = op_json(op, json_tokener_parse(set));
	struct json_object *all = op_json(op, json_object_new_object());

	json_object_object_foreach (defaults, key, value) {
		json_object_object_add(all, key, json_object_get(value));
	}
	if (json_object_is_type(over, json_type_object)) {
		json_object_object_foreach (over, name, changed) {
			json_object_object_add(
			    all, name, json_object_get(changed));
		}
	}
	return json_object_to_json_string_ext(all, JSON_C_TO_STRING_PLAIN);
}

/* Opens the period in a transaction of its own, so that people see a run that
 * is under way. *out_go is false when there is nothing to do. */
static enum err
begin(struct op *op, struct run *r, bool *out_go)
{
	struct json_object *config =
	    op_json(op, json_tokener_parse(r->agent->config));
	const char *trigger = member(r->payload, "trigger");
	bool manual = trigger && strcmp(trigger, "manual") == 0;
	struct rows *rows;
	struct db_tx *tx;
	enum err e = db_begin(op, &tx);

	if (!e)
		e = q_enter_job(op, r->job, r->fence, NULL);
	if (!e)
		e = q_begin_agent_run(op, r->agent->key, r->period,
		    manual ? "manual" : "schedule",
		    member(r->payload, "triggeredBy"), r->at, &rows);
	if (e)
		return e;
	r->id = rows_get(op, rows, 0, "id");
	r->thresholds =
	    overlay(op, json_object_object_get(config, "thresholds"),
		rows_get(op, rows, 0, "thresholds"));
	r->delivery = overlay(op, json_object_object_get(config, "delivery"),
	    rows_get(op, rows, 0, "delivery"));
	*out_go = !rows_bool(rows, 0, (size_t)rows_find(rows, "is_over"));
	/* switched off since it was queued: a schedule stops, a person's
	 * click still counts */
	if (!manual &&
	    !rows_bool(rows, 0, (size_t)rows_find(rows, "enabled"))) {
		*out_go = false;
		db_rollback(&tx);
		return ERR_OK;
	}
	return db_commit(op, &tx);
}

static struct similar_doc *
documents_of(struct op *op, const struct rows *rows)
{
	size_t n = rows_count(rows);
	struct similar_doc *docs = mem_array(op, struct similar_doc, n);

	for (size_t i = 0; i < n; i++) {
		docs[i].id = rows_text(op, rows, i, 0);
		docs[i].title = rows_text(op, rows, i, 1);
		docs[i].body = rows_text(op, rows, i, 2);
	}
	return docs;
}

/* The best score of a document with the one that is kept. */
static double
score_with(const struct similar_pair *pairs, size_t n, size_t keep, size_t doc)
{
	for (size_t i = 0; i < n; i++)
		if ((pairs[i].a == keep && pairs[i].b == doc) ||
		    (pairs[i].a == doc && pairs[i].b == keep))
			return pairs[i].score;
	return 0;
}

/* What SQL cannot do well: {"groups":[{"keep":…,"duplicates":[…]}]}. */
static enum err
near_duplicates(struct op *op, const struct rows *rows, const char **out_native)
{
	struct similar_doc *docs = documents_of(op, rows);
	struct buf *out = buf_new(op, PACKET_MAX);
	struct similar_pair *pairs;
	struct similar_group *groups;
	size_t n_pairs, n_groups;
	enum err e =
	    similar_pairs(op, docs, rows_count(rows), NULL, &pairs, &n_pairs);

	if (e)
		return op_fail(op, e, "near duplicates");
	similar_groups(op, pairs, n_pairs, &groups, &n_groups);
	buf_text(out, "{\"groups\":[");
	for (size_t g = 0; g < n_groups; g++) {
		size_t keep = groups[g].docs[0];

		buf_fmt(out, "%s{\"keep\":\"%s\",\"duplicates\":[",
		    g ? "," : "", docs[keep].id);
		for (size_t k = 1; k < groups[g].n; k++)
			buf_fmt(out, "%s{\"id\":\"%s\",\"score\":%.3f}",
			    k > 1 ? "," : "", docs[groups[g].docs[k]].id,
			    score_with(
				pairs, n_pairs, keep, groups[g].docs[k]));
		buf_text(out, "]}");
	}
	buf_text(out, "]}");
	if (out->full)
		return op_fail(op, ERR_INTERNAL, "too many duplicates");
	*out_native = out->data;
	return ERR_OK;
}

static enum err
native_helper(
    struct op *op, struct run *r, const char *subject, const char **out_native)
{
	const char *const values[] = {subject, r->thresholds, NULL, NULL};
	int64_t from = now_ms();
	struct rows *rows;
	enum err e;

	*out_native = NULL;
	if (!r->agent->documents.sql)
		return ERR_OK;
	e = db_query(op, &r->agent->documents, values, &rows);
	if (!e)
		e = near_duplicates(op, rows, out_native);
	r->native_ms += now_ms() - from;
	return e;
}

/* Facts of a subject, added to the packet. */
static enum err
gather(struct op *op, struct run *r, const char *subject, const char *label,
    const char **out_facts)
{
	const char *values[] = {subject, r->thresholds, NULL, NULL};
	struct rows *rows;
	int64_t from;
	enum err e = native_helper(op, r, subject, &values[2]);

	from = now_ms();
	if (!e)
		e = db_query(op, &r->agent->facts, values, &rows);
	r->facts_ms += now_ms() - from;
	if (e)
		return e;
	if (rows_count(rows) != 1 || rows_is_null(rows, 0, 0))
		return op_fail(
		    op, ERR_INTERNAL, "%s: no facts", r->agent->facts.source);
	*out_facts = rows_text(op, rows, 0, 0);
	buf_fmt(r->packet,
	    "%s{\"subject\":\"%s\",\"label\":", r->packet->len > 1 ? "," : "",
	    subject);
	buf_json_text(r->packet, label, strlen(label));
	buf_text(r->packet, ",\"packet\":");
	buf_text(r->packet, *out_facts);
	buf_char(r->packet, '}');
	return r->packet->full ? op_fail(op, ERR_INTERNAL, "packet too large")
			       : ERR_OK;
}

static void
count(struct run *r, const struct rows *rows)
{
	r->found += rows_int(rows, 0, 0);
	r->new += rows_int(rows, 0, 1);
	r->updated += rows_int(rows, 0, 2);
	r->unchanged += rows_int(rows, 0, 3);
	r->suppressed += rows_int(rows, 0, 4);
	r->notifications += rows_int(rows, 0, 5);
	for (size_t i = 0; i < SEVERITIES; i++)
		r->new_by[i] += rows_int(rows, 0, 6 + i);
}

static enum err
judge(struct op *op, struct run *r, const char *subject, const char *facts,
    const char *project, const char *sprint)
{
	const char *const values[] = {subject, r->thresholds, NULL, facts};
	struct buf *findings = buf_new(op, PACKET_MAX);
	int64_t from = now_ms();
	struct rows *rows;
	enum err e = db_query(op, &r->agent->findings, values, &rows);

	if (e)
		return e;
	if (!rows_json_all(rows, findings))
		return op_fail(op, ERR_INTERNAL, "findings");
	r->findings_ms += now_ms() - from;
	from = now_ms();
	e = q_publish_findings(op, r->id, r->agent->key, project, sprint,
	    findings->data, r->delivery, quiet_after_dismissal, &rows);
	r->publish_ms += now_ms() - from;
	if (!e)
		count(r, rows);
	return e;
}

/* One subject, in a savepoint: what it did is undone when it fails. */
static enum err
examine(
    struct op *parent, struct run *r, const struct rows *subjects, size_t row)
{
	struct op *op = op_new(parent, parent->id, parent->db);
	const char *subject = rows_get(op, subjects, row, "id");
	const char *label = rows_get(op, subjects, row, "label");
	size_t packet = r->packet->len;
	const char *facts = NULL;
	enum err e = q_savepoint(op, NULL);

	if (e)
		return op_fail(parent, e, "%s", op->why);
	e = gather(op, r, subject, label, &facts);
	if (!e)
		e = judge(op, r, subject, facts,
		    rows_get(op, subjects, row, "project_id"),
		    rows_get(op, subjects, row, "sprint_id"));
	r->subjects++;
	/* not the subject's fault: the whole run is tried again */
	if (e == ERR_UNAVAILABLE || e == ERR_CONFLICT || e == ERR_TIMEOUT)
		return op_fail(parent, e, "%s", op->why);
	if (e) {
		r->failed++;
		r->packet->len = packet;
		r->packet->data[packet] = '\0';
		buf_fmt(r->errors, "%s%s: %s", r->errors->len ? "; " : "",
		    label, err_info(e)->sentence);
		log_error("subject_failed", LOG_S("agent_key", r->agent->key),
		    LOG_S("run_id", r->id), LOG_S("subject", subject),
		    LOG_S("why", op->why));
		if (q_rollback_to_savepoint(op_new(op, op->id, op->db), NULL))
			return op_fail(
			    parent, ERR_UNAVAILABLE, "savepoint lost");
	}
	mem_drop(&op);
	return ERR_OK;
}

static const char *
plural(int64_t n)
{
	return n == 1 ? "" : "s";
}

static const char *
summary(struct op *op, const struct run *r)
{
	struct buf *b = buf_new(op, 1000);

	if (r->subjects == 0)
		buf_text(b, "There was nothing to look at.");
	else if (r->found == 0)
		buf_fmt(b, "Looked at %lld subject%s, found nothing.",
		    (long long)r->subjects, plural(r->subjects));
	else
		buf_fmt(b, "%lld finding%s, %lld new and %lld seen before.",
		    (long long)r->found, plural(r->found), (long long)r->new,
		    (long long)(r->updated + r->unchanged));
	if (r->suppressed)
		buf_fmt(b, " %lld kept quiet after a dismissal.",
		    (long long)r->suppressed);
	if (r->resolved)
		buf_fmt(b, " %lld found no more and resolved.",
		    (long long)r->resolved);
	return b->data;
}

static enum err
finish(struct op *op, struct run *r)
{
	const char *status = r->failed == 0 ? "succeeded"
	    : r->failed == r->subjects      ? "failed"
					    : "partial";
	const char *stats = mem_fmt(op,
	    "{\"subjects\":%lld,\"findings\":%lld,\"new\":%lld,"
	    "\"updated\":%lld,\"unchanged\":%lld,\"suppressed\":%lld,"
	    "\"resolved\":%lld,\"notifications\":%lld,\"nativeMs\":%lld,\"factsMs\":%lld,"
	    "\"findingsMs\":%lld,\"publishMs\":%lld}",
	    (long long)r->subjects, (long long)r->found, (long long)r->new,
	    (long long)r->updated, (long long)r->unchanged,
	    (long long)r->suppressed, (long long)r->resolved,
	    (long long)r->notifications, (long long)r->native_ms,
	    (long long)r->facts_ms, (long long)r->findings_ms,
	    (long long)r->publish_ms);
	struct rows *rows;
	enum err e;

	buf_char(r->packet, ']');
	e = q_finish_agent_run(op, r->id, status, summary(op, r), stats,
	    r->errors->len ? r->errors->data : NULL, r->packet->data,
	    r->thresholds, &rows);
	if (e)
		return e;
	log_info("agent_run", LOG_S("trace_id", op->trace),
	    LOG_S("agent_key", r->agent->key), LOG_S("run_id", r->id),
	    LOG_I("number", rows_int(rows, 0, 0)), LOG_S("status", status),
	    LOG_I("findings", r->found), LOG_I("new", r->new),
	    LOG_I("facts_ms", r->facts_ms));
	return r->failed && r->failed == r->subjects
	    ? op_fail(
		  op, ERR_INTERNAL, "every subject failed: %s", r->errors->data)
	    : ERR_OK;
}

static enum err
resolve_gone(struct op *op, struct run *r)
{
	struct rows *rows;
	enum err e = q_resolve_gone(op, r->id, r->agent->key, &rows);

	if (e)
		return e;
	r->resolved = rows_int(rows, 0, 0);
	for (size_t i = 0; i < SEVERITIES; i++)
		r->resolved_by[i] = rows_int(rows, 0, 1 + i);
	return ERR_OK;
}

/* Only what was committed is counted. */
static void
measure(const struct run *r)
{
	for (size_t i = 0; i < SEVERITIES; i++) {
		const char *const new[] = {
		    r->agent->key, severities[i], "open"};
		const char *const gone[] = {
		    r->agent->key, severities[i], "resolved"};

		if (r->new_by[i])
			metrics_add(
			    METRIC_INSIGHTS, (uint64_t)r->new_by[i], new);
		if (r->resolved_by[i])
			metrics_add(
			    METRIC_INSIGHTS, (uint64_t)r->resolved_by[i], gone);
	}
}

/* Everything a run writes, in one transaction under the fence. */
static enum err
work(struct op *op, struct run *r)
{
	const char *const values[] = {NULL, r->thresholds, NULL, NULL};
	struct rows *subjects;
	struct db_tx *tx = NULL;
	enum err e = db_begin(op, &tx), verdict;

	if (!e)
		e = q_enter_job(op, r->job, r->fence, NULL);
	if (!e)
		e = q_take_turn(op, NULL);
	if (!e)
		e = q_lock_insights(op, r->agent->key, NULL);
	if (!e)
		e = q_set_clock(op, r->at ? r->at : "", NULL);
	if (!e)
		e = db_query(op, &r->agent->subjects, values, &subjects);
	for (size_t i = 0; !e && i < rows_count(subjects); i++)
		e = examine(op, r, subjects, i);
	if (!e && r->failed == 0)
		e = resolve_gone(op, r);
	verdict = e ? e : finish(op, r);
	if (e || (verdict && r->failed == 0)) {
		db_rollback(&tx); /* what is told of it has one of its own */
		return verdict;
	}
	e = db_commit(op, &tx);
	if (!e)
		measure(r);
	return e ? e : verdict;
}

/* Tells people, in a transaction of its own, why a run came to nothing. */
static void
mark_failed(struct op *parent, const struct run *r)
{
	struct op *op = op_new(parent, parent->id, parent->db);
	struct db_tx *tx;

	if (!db_begin(op, &tx) && !q_enter_job(op, r->job, r->fence, NULL) &&
	    !q_fail_agent_run(op, r->agent->key, r->period,
		err_info(parent->err)->sentence, NULL) &&
	    !db_commit(op, &tx))
		return;
	log_warn(
	    "run_not_marked", LOG_S("run_id", r->id), LOG_S("why", op->why));
}

enum err
agents_run(struct op *op, const struct agent *agent, const char *job,
    const char *fence, struct json_object *payload)
{
	struct run r = {.agent = agent,
	    .job = job,
	    .fence = fence,
	    .payload = payload,
	    .period = member(payload, "period"),
	    .at = member(payload, "at"),
	    .packet = buf_new(op, PACKET_MAX),
	    .errors = buf_new(op, 2000)};
	bool go;
	enum err e;

	if (!r.period) /* every manual run is a period of its own */
		r.period = mem_fmt(op, "manual:%s", job);
	buf_char(r.packet, '[');
	e = begin(op, &r, &go);
	if (e || !go)
		return e;
	e = work(op, &r);
	if (e)
		metrics_count(
		    METRIC_RUN_FAILURES, agent->key, err_info(e)->word);
	if (e && e != ERR_LEASE_LOST)
		mark_failed(op, &r);
	return e;
}
