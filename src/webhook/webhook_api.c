/* Webhooks and mail subscriptions: what SQL cannot finish, because secrets are
 * encrypted and links sealed by keys that the database does not have. */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <time.h>

#include "auth/auth.h"
#include "base/text.h"
#include "db/db.h"
#include "gen/queries.h"
#include "http/http.h"

endpoint_handler webhook_create;
endpoint_handler webhook_rotate;
endpoint_handler webhook_show_secret;
endpoint_handler notification_show_unsubscribe;
endpoint_handler notification_unsubscribe;

/* A UUID of version 7 (RFC 9562 section 5.7): it is known before the row is. */
static char *
new_id(struct op *op)
{
	struct timespec t;
	const char *r = auth_random_id(op);

	clock_gettime(CLOCK_REALTIME, &t);
	return mem_fmt(op, "%012" PRIx64 "7%.3s%c%.15s",
	    (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000, r,
	    "89ab"[r[31] & 3], r + 3);
}

/* POST /api/v1/workspaces/{ws}/webhooks */
enum err
webhook_create(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	const char *id = new_id(op), *secret = auth_hook_secret_new(op);
	const char *const hook[] = {id, http_body_text(op, rq->json)};
	const char *const sealed[] = {id, auth_encrypt(op, secret)};
	struct db_call calls[] = {{.stmt = NULL},
	    {.stmt = &stmt_create_webhook, .values = hook},
	    {.stmt = &stmt_set_webhook_secret, .values = sealed}};
	enum err e = http_enter(op, rq, &calls[0]);
	struct buf *row = buf_new(op, 64 << 10);

	if (!e)
		e = db_run(op, calls, nitems(calls), false);
	if (e)
		return e;
	if (!rows_json_all(calls[1].rows, row)) /* [{…}] */
		return op_fail(op, ERR_INTERNAL, "create_webhook");
	rs->type = "application/json";
	buf_add(rs->body, row->data + 1, row->len - 3);
	buf_fmt(rs->body, ",\"secret\":\"%s\"}", secret);
	return ERR_OK;
}

/* POST /api/v1/workspaces/{ws}/webhooks/{webhook}/secret */
enum err
webhook_rotate(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	const char *id = http_segment(rq, "webhook");
	const char *secret = auth_hook_secret_new(op);
	const char *const sealed[] = {id, auth_encrypt(op, secret)};
	struct db_call calls[] = {{.stmt = NULL},
	    {.stmt = &stmt_set_webhook_secret, .values = sealed},
	    {.stmt = &stmt_audit_webhook_secret, .values = &id}};
	enum err e = http_enter(op, rq, &calls[0]);

	if (!e)
		e = db_run(op, calls, nitems(calls), false);
	if (e)
		return e;
	if (rows_count(calls[2].rows) == 0)
		return op_fail(op, ERR_NOT_FOUND, "webhook %s", id);
	rs->type = "application/json";
	buf_fmt(rs->body, "{\"secret\":\"%s\"}", secret);
	return ERR_OK;
}

/* GET /w/{ws}/admin/webhooks/{webhook}/secret: while it is new. */
enum err
webhook_show_secret(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	const char *id = http_segment(rq, "webhook");
	struct db_call calls[] = {{.stmt = NULL},
	    {.stmt = &stmt_fresh_webhook_secret, .values = &id}};
	enum err e = http_enter(op, rq, &calls[0]);
	const char *secret = NULL;

	if (!e)
		e = db_run(op, calls, nitems(calls), true);
	if (e)
		return e;
	if (rows_count(calls[1].rows) == 0)
		return op_fail(op, ERR_NOT_FOUND, "webhook %s", id);
	secret = auth_decrypt(op, rows_get(op, calls[1].rows, 0, "secret"));
	buf_fmt(rs->body, "{\"secret\":\"%s\"}", secret ? secret : "");
	return ERR_OK;
}

/* "unsubscribe|workspace|user|what" of a mail's link. */
static bool
read_link(struct op *op, const char *token, const char **out)
{
	char *text = auth_unseal(op, token), *rest = text;

	if (!text || !text_starts(text, "unsubscribe|"))
		return false;
	for (size_t i = 0; i < 4; i++) {
		out[i] = rest;
		rest = rest ? strchr(rest, '|') : NULL;
		if (rest)
			*rest++ = '\0';
	}
	return out[3] && text_is_uuid(out[1]) && text_is_uuid(out[2]);
}

/* GET /unsubscribe/{link} */
enum err
notification_show_unsubscribe(
    struct op *op, struct http_req *rq, struct http_resp *rs)
{
	const char *part[4];

	if (!read_link(op, http_segment(rq, "link"), part))
		return op_fail(op, ERR_NOT_FOUND, "no link of ours");
	buf_text(rs->body, "{\"isGood\":true}");
	return ERR_OK;
}

/* POST /api/v1/unsubscribe/{link}, and the form of /unsubscribe/{link} */
enum err
notification_unsubscribe(
    struct op *op, struct http_req *rq, struct http_resp *rs)
{
	const char *part[4];

	(void)rs;
	if (!read_link(op, http_segment(rq, "link"), part))
		return op_fail(op, ERR_NOT_FOUND, "no link of ours");
	return q_unsubscribe(op, part[1], part[2], part[3], NULL);
}
