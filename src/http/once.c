/*
 * Keyed writes: a client that did not hear the answer asks again with the same
 * Idempotency-Key (a form with the same `once`) and gets the first answer.
 *
 * The key is stored in the transaction of the effect: trip one opens it, lets
 * the key pass (gnomon.once) and runs the statements; trip two stores the
 * answer and commits. A refused write stores nothing and may be tried again.
 */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>

#include "auth/auth.h"
#include "base/text.h"
#include "gen/queries.h"
#include "http/http_priv.h"

enum { KEY_MAX = 200 };

/* What the key belongs to: endpoint, address and body, as a hash. */
static const char *
request_hash(struct op *op, const struct http_req *rq)
{
	unsigned char hash[AUTH_STAMP_BYTES];
	const char *body = rq->json
	    ? json_object_to_json_string_ext(rq->json, JSON_C_TO_STRING_PLAIN)
	    : "";

	auth_stamp(hash, mem_fmt(op, "%s %s", rq->endpoint->name, rq->path),
	    body, strlen(body));
	return text_hex(op, hash, sizeof(hash));
}

enum err
http__once_open(struct op *op, struct http_req *rq, const char *key)
{
	const struct endpoint *e =
	    rq->is_form ? rq->endpoint->form_of : rq->endpoint;
	size_t n = strlen(key);

	/* only what belongs to a workspace has a place to store the key */
	if (!n || e->method == METHOD_GET || e->handler ||
	    !(rq->endpoint->has_workspace || rq->endpoint->has_project))
		return ERR_OK;
	if (n > KEY_MAX ||
	    strspn(key,
		"!#$%&'*+-.^_`|~=:/"
		"0123456789abcdefghijklmnopqrstuvwxyz"
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ") != n)
		return op_invalid(op, "Idempotency-Key",
		    "Send 1 to %d visible ASCII characters.", KEY_MAX);
	rq->once = mem_new(op, struct http_once);
	rq->once->request = request_hash(op, rq);
	/* the forms of a page share one `once`: each is a request of its own */
	rq->once->key = rq->is_form
	    ? mem_fmt(op, "form:%s:%s", key, rq->once->request)
	    : mem_dup(op, key);
	return ERR_OK;
}

struct db_call
http__once_call(struct op *op, const struct http_once *once)
{
	const char **values = mem_array(op, const char *, 2);

	values[0] = once->key;
	values[1] = once->request;
	return (struct db_call){.stmt = &stmt_once, .values = values};
}

enum err
http__once_store(struct op *op, struct http_req *rq, const struct http_resp *rs,
    const char *reply)
{
	struct http_once *once = rq->once;
	const char *const values[] = {
	    once->key, once->request, mem_fmt(op, "%d", rs->status), reply};
	struct db_call call = {.stmt = &stmt_remember_once, .values = values};

	return db_run_commit(op, &once->tx, &call, 1);
}

void
http__once_drop(struct http_req *rq)
{
	if (rq->once && rq->once->tx)
		db_rollback(&rq->once->tx);
	rq->once = NULL;
}

enum err
http__once_recall(struct op *op, struct http_req *rq, struct http_resp *rs,
    struct db_call enter, const char **out_reply)
{
	const char *const values[] = {rq->once->key};
	struct db_call calls[2] = {
	    enter, {.stmt = &stmt_recall_once, .values = values}};
	enum err e;

	op->err = ERR_OK; /* "replayed" was an answer, not a failure */
	op->why = NULL;
	e = db_run(op, calls, 2, true);
	if (e)
		return e;
	if (rows_count(calls[1].rows) == 0)
		return op_fail(op, ERR_IN_FLIGHT, "the key was just dropped");
	rs->status = (int)rows_int(calls[1].rows, 0, 0);
	*out_reply = rows_text(op, calls[1].rows, 0, 1);
	http_header(rs, "Idempotent-Replayed", "true");
	return ERR_OK;
}
