/*
 * What the reader has already: weak ETags by revision, and bodies kept in the
 * cache.
 *
 * An ETag names build, statement variant, scope and revision:
 * W/"<build>-<variant>-<scope>-<rev>". The revisions that the client and the
 * cache hold travel to PostgreSQL with the request; when the scope is still at
 * one of them, the statements are skipped (gnomon.changed) and the answer is a
 * 304 or the kept body. One round trip in any case, and never an answer that
 * was not true when the database was asked.
 *
 * The cache is not believed: a kept body carries a keyed hash of itself.
 */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

#include "auth/auth.h"
#include "base/metrics.h"
#include "base/text.h"
#include "cache/cache.h"
#include "http/http_priv.h"

enum {
	UUID_TEXT = 36,
	HINTS = 512,
	KEEP_SECONDS = 3600,
	STAMP = AUTH_STAMP_BYTES,
	HEAD = STAMP + 8, /* of a kept body: stamp, revision */
};

struct http_held {
	struct op *op;
	const char *variant; /* hash of endpoint and parameters */
	uint64_t hint; /* which scope this reader's path meant last */
	int64_t client_rev; /* -1: none */
	const char *client_tag; /* If-None-Match up to the revision */
	char *kept; /* what the cache holds, checked; or NULL */
	size_t kept_n;
	int64_t kept_rev;
};

/*
 * The cache is asked before enter has said which project a path means, so each
 * process remembers what it meant last time. A wrong guess is only a miss: the
 * scope is compared with enter's before anything is used.
 */
static struct {
	uint64_t key;
	char scope[UUID_TEXT + 1];
} hints[HINTS];

/*
 * The revision this process last saw a scope at. A client who holds that one
 * most likely gets a 304, and fetching and checking a kept body would be in
 * vain (30 us of a board); one who holds another is stale, and the first stale
 * client of each process leaves the new body to all the others.
 */
static struct {
	char scope[UUID_TEXT + 1];
	int64_t rev;
} seen[HINTS];

static uint64_t
hash(uint64_t h, const char *s)
{
	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
	return (h ^ 0xff) * UINT64_C(0x100000001b3);
}

static uint64_t
scope_hint(const struct http_req *rq)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	h = hash(h, rq->authorization);
	h = hash(h, rq->cookie);
	h = hash(h, http_segment(rq, "ws"));
	return hash(h, http_segment(rq, "project"));
}

static size_t
seen_at(const char *scope)
{
	return hash(UINT64_C(0xcbf29ce484222325), scope) % HINTS;
}

static bool
is_stale(int64_t rev, const char *scope)
{
	size_t at = seen_at(scope);

	return strcmp(seen[at].scope, scope) == 0 && seen[at].rev != rev;
}

/* The scope entered: the project, or else the workspace. */
static const char *
scope_of(struct op *op, const struct http_req *rq)
{
	const char *project = rows_get(op, rq->who, 0, "project_id");

	return project ? project : rows_get(op, rq->who, 0, "workspace_id");
}

/* Whether everybody who may ask for it gets the same document: of a workspace
 * only those from whom no private project is hidden. */
static bool
is_shared(struct op *op, const struct http_req *rq)
{
	int hides = rows_find(rq->who, "hides");

	return rows_get(op, rq->who, 0, "project_id") ||
	    !rows_bool(rq->who, 0, (size_t)hides);
}

static const char *
variant_of(struct op *op, const struct http_args *args)
{
	const struct order *order = args->order;
	size_t n_keys = args->keys && order ? order->n_columns : 0;
	const char **values = mem_array(op, const char *, 3 + n_keys);

	values[0] = order ? order->name : NULL;
	values[1] = args->backwards ? "back" : NULL;
	values[2] = mem_fmt(op, "%" PRId64, args->limit);
	for (size_t i = 0; i < n_keys; i++)
		values[3 + i] = args->keys[i];
	return http__digest(op, args->filter, values, 3 + n_keys);
}

static const char *
cache_key(const struct http_held *held, const char *scope)
{
	return mem_fmt(
	    held->op, "gn:%s:%s:%s", endpoints_build, scope, held->variant);
}

static void
read_cache(struct http_held *held, const char *scope)
{
	unsigned char stamp[STAMP];
	const char *key = cache_key(held, scope);
	size_t n;
	char *value = cache_get(held->op, key, &n);

	if (!value)
		return;
	if (n >= HEAD)
		auth_stamp(stamp, key, value + STAMP, n - STAMP);
	if (n < HEAD || memcmp(stamp, value, STAMP) != 0) {
		/* not ours: an attacker's, or a fault's */
		metrics_count(METRIC_CACHE_READS, "bad");
		return;
	}
	metrics_count(METRIC_CACHE_READS, "hit");
	memcpy(&held->kept_rev, value + STAMP, sizeof(held->kept_rev));
	held->kept = value + HEAD;
	held->kept_n = n - HEAD;
}

/* W/"build-variant-scope-rev" of If-None-Match, when it is for this list. A
 * client may send several; the first that fits is taken. */
static void
read_client(struct http_held *held, const char *header)
{
	const char *ours =
	    mem_fmt(held->op, "\"%s-%s-", endpoints_build, held->variant);
	const char *tag = strstr(header, ours), *end, *rev;
	size_t n;

	held->client_rev = -1;
	if (!tag)
		return;
	tag++;
	end = strchr(tag, '"');
	n = end ? (size_t)(end - tag) : 0;
	held->client_tag = mem_dup_n(held->op, tag, n);
	rev = strrchr(held->client_tag, '-');
	if (!rev || !text_int(rev + 1, &held->client_rev))
		held->client_rev = -1;
	else
		held->client_tag = mem_dup_n(held->op, held->client_tag,
		    (size_t)(rev - held->client_tag));
}

struct http_held *
http__held(struct op *op, const struct http_req *rq, struct http_args *args)
{
	struct http_held *held = mem_new(op, struct http_held);
	size_t at;

	held->op = op;
	held->variant = variant_of(op, args);
	held->hint = scope_hint(rq);
	at = held->hint % HINTS;
	read_client(held, rq->if_none_match);
	if (hints[at].key == held->hint &&
	    (held->client_rev < 0 ||
		is_stale(held->client_rev, hints[at].scope)))
		read_cache(held, hints[at].scope);
	if (held->kept && held->client_rev >= 0)
		args->known = mem_fmt(op, "{%" PRId64 ",%" PRId64 "}",
		    held->kept_rev, held->client_rev);
	else if (held->kept || held->client_rev >= 0)
		args->known = mem_fmt(op, "{%" PRId64 "}",
		    held->kept ? held->kept_rev : held->client_rev);
	return held;
}

static const char *
tag_of(const struct http_held *held, const char *scope)
{
	return mem_fmt(
	    held->op, "%s-%s-%.36s", endpoints_build, held->variant, scope);
}

static int64_t
rev_of(const struct http_req *rq)
{
	const struct rows *rows = rq->past ? rq->past : rq->who;
	int col = rows_find(rows, "rev");

	return rows_int(rows, 0, (size_t)col);
}

static void
put_tag(const struct http_held *held, struct http_resp *rs, const char *scope,
    int64_t rev)
{
	http_header(
	    rs, "ETag", "W/\"%s-%" PRId64 "\"", tag_of(held, scope), rev);
	http_header(rs, "Cache-Control", "private, no-cache");
	http_header(rs, "Vary", "Authorization, Cookie");
}

bool
http__answer_held(const struct http_held *held, const struct http_req *rq,
    struct http_resp *rs)
{
	const char *scope = scope_of(held->op, rq);
	size_t at = held->hint % HINTS;
	bool same =
	    hints[at].key == held->hint && strcmp(hints[at].scope, scope) == 0;
	int64_t rev = rev_of(rq);

	if (!is_shared(held->op, rq))
		return false;
	if (!same) {
		hints[at].key = held->hint;
		memcpy(hints[at].scope, scope, UUID_TEXT);
	}
	at = seen_at(scope);
	if (!rq->past) { /* a state of the past stays what it is */
		memcpy(seen[at].scope, scope, UUID_TEXT);
		seen[at].rev = rev;
	}
	if (held->client_rev == rev &&
	    strcmp(held->client_tag, tag_of(held, scope)) == 0) {
		rs->status = 304;
	} else if (held->kept && held->kept_rev == rev && same) {
		buf_add(rs->body, held->kept, held->kept_n);
		rs->type = "application/json";
		http_header(rs, "X-Cache", "hit");
	} else {
		return false;
	}
	put_tag(held, rs, scope, rev);
	return true;
}

bool
http__was_skipped(const struct http_held *held, const struct http_req *rq)
{
	int64_t rev = rev_of(rq);

	return held->client_rev == rev || (held->kept && held->kept_rev == rev);
}

void
http__keep(const struct http_held *held, const struct http_req *rq,
    struct http_resp *rs)
{
	const char *scope = scope_of(held->op, rq);
	const char *key = cache_key(held, scope);
	size_t n = HEAD + rs->body->len;
	int64_t rev = rev_of(rq);
	char *value;

	if (!is_shared(held->op, rq))
		return;
	put_tag(held, rs, scope, rev);
	if (n > CACHE_VALUE_MAX)
		return;
	value = mem_array(held->op, char, n);
	memcpy(value + STAMP, &rev, sizeof(rev));
	memcpy(value + HEAD, rs->body->data, rs->body->len);
	auth_stamp((unsigned char *)value, key, value + STAMP, n - STAMP);
	cache_put(key, value, n, KEEP_SECONDS);
}
