/*
 * webhook:deliver: sends what is due for one webhook, in order. Signed as
 * Standard Webhooks has it (standardwebhooks.com); tried again by its table
 * (gnomon.note_delivery).
 */
#include <json-c/json.h>
#include <time.h>

#include "auth/auth.h"
#include "base/config.h"
#include "db/db.h"
#include "gen/queries.h"
#include "jobs/jobs_priv.h"
#include "net/net.h"

enum {
	TIMEOUT_MS = 15000, /* what a receiver has to answer */
	REPLY_BYTES = 300, /* of an answer that are looked at */
	JOB_SECONDS = 20, /* then another webhook's turn comes */
};

static time_t
now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

/* The secret's signature, and the former one's for a day after a change. */
static char *
signature(struct op *op, const struct rows *rows, const char *id,
    int64_t timestamp, const char *body, size_t n)
{
	char *secret = auth_decrypt(op, rows_get(op, rows, 0, "secret"));
	char *former = auth_decrypt(op, rows_get(op, rows, 0, "former"));
	char *now = auth_hook_sign(op, secret, id, timestamp, body, n);
	char *before = auth_hook_sign(op, former, id, timestamp, body, n);

	if (!now)
		return NULL;
	return before ? mem_fmt(op, "%s %s", now, before) : now;
}

/* One attempt. *out_why is NULL when there was an answer of 2xx. */
static enum err
attempt(struct op *op, const struct rows *rows, struct net_reply *out_reply,
    const char **out_why)
{
	const char *id = rows_get(op, rows, 0, "id");
	const char *body = rows_get(op, rows, 0, "payload");
	int64_t timestamp = time(NULL);
	char *signed_ = signature(op, rows, id, timestamp, body, strlen(body));
	const char *headers[] = {"Content-Type: application/json",
	    mem_fmt(op, "webhook-id: %s", id),
	    mem_fmt(op, "webhook-timestamp: %lld", (long long)timestamp),
	    mem_fmt(op, "webhook-signature: %s", signed_ ? signed_ : ""), NULL};
	struct net_request rq = {.method = "POST",
	    .url = rows_get(op, rows, 0, "url"),
	    .headers = headers,
	    .body = body,
	    .body_n = strlen(body),
	    .reply_max = REPLY_BYTES,
	    .is_cut = true,
	    .timeout_ms = TIMEOUT_MS,
	    .is_public = true,
	    .allowed = config_get(CONFIG_WEBHOOK_ALLOW_PRIVATE)};
	struct op *call = op_new(op, op->id, NULL);

	if (!signed_)
		return op_fail(
		    op, ERR_INTERNAL, "the secret of a webhook is not ours");
	*out_why = NULL;
	if (net_http(call, &rq, out_reply))
		*out_why = call->why;
	else if (out_reply->status < 200 || out_reply->status > 299)
		*out_why = mem_fmt(op, "answered %d", out_reply->status);
	return ERR_OK;
}

/* Sends the next message; *out_go is false when there is none, or when the
 * webhook should wait. */
static enum err
send_next(
    struct op *op, const struct job *job, const char *webhook, bool *out_go)
{
	struct net_reply reply = {.status = 0};
	const char *why;
	struct rows *rows, *verdict;
	enum err e = q_next_delivery(op, job->id, job->fence, webhook, &rows);

	*out_go = false;
	if (e || rows_count(rows) == 0)
		return e;
	e = attempt(op, rows, &reply, &why);
	if (!e)
		e = q_note_delivery(op, job->id, job->fence,
		    rows_get(op, rows, 0, "id"),
		    reply.status ? mem_fmt(op, "%d", reply.status) : NULL,
		    mem_fmt(op, "%lld", (long long)reply.took_ms), why,
		    mem_fmt(op, "%lld", (long long)reply.retry_after_s),
		    &verdict);
	if (!e)
		*out_go = rows_bool(verdict, 0, 0);
	return e;
}

enum err
jobs__deliver(struct op *op, const struct job *job)
{
	const char *webhook = json_object_get_string(
	    json_object_object_get(job->payload, "webhook"));
	time_t until = now_s() + JOB_SECONDS;
	bool go = webhook != NULL;

	while (go && now_s() < until) {
		struct op *one = op_new(op, op->id, op->db);

		if (send_next(one, job, webhook, &go))
			op_fail(op, one->err, "%s", one->why);
		mem_drop(&one);
		go = go && !op->err;
	}
	return op->err;
}
