/*
 * A request as a handler sees it, and the reply it fills in.
 *
 * By the time a handler runs, the dispatcher has found the endpoint, typed and
 * bounded the parameters, validated the body and run the block's statements.
 */
#ifndef GNOMON_HTTP_HTTP_H
#define GNOMON_HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/op.h"
#include "http/endpoint.h"

struct json_object;
struct http_args;
struct rows;

enum {
	HTTP_BODY_MAX = 1 << 20, /* bytes of a request body */
	HTTP_REPLY_MAX = 64 << 20, /* bytes of a reply */
	HTTP_SLOTS = 32,
};

/* Strings are never NULL ("" when absent) and live as long as the op. */
struct http_req {
	const char *method_name;
	enum method method;
	const char *path; /* as sent, without the query, still encoded */
	const char *query; /* after the '?', still encoded */
	const char *id; /* request id */
	const char *accept, *authorization, *cookies, *content_type;
	const char *user_agent, *origin, *fetch_site, *host;
	const char *if_none_match, *if_match, *idempotency_key;
	const char *cors_method; /* Access-Control-Request-Method */
	const char *address; /* the client's */
	const char *arrived; /* at nginx, in seconds since 1970; or "" */
	bool is_https;
	bool is_loopback; /* the client sits on this machine */
	const char *body;
	size_t body_length;
	bool is_body_too_large;

	/* filled in by the dispatcher */
	const struct endpoint *endpoint;
	const char *segments[16]; /* decoded values of the path's {names} */
	const char *cookie; /* the session cookie, or "" */
	bool is_form; /* a page's form, not the JSON API */
	bool wants_csv; /* a list, as CSV */
	const char *next; /* where a form wants to go: a local path, or NULL */
	struct json_object *json; /* the validated body, or NULL */
	const struct rows *who; /* gnomon.enter's row, or NULL */
	const struct rows *past; /* the moment looked back to, or NULL */
	struct http_once *once; /* a keyed write, or NULL */
};

struct http_resp {
	int status;
	const char *type; /* Content-Type */
	struct buf *headers; /* further header lines, each with \r\n */
	struct buf *body;
	const char *location; /* where a form goes that has succeeded, when it
				 is not where its block says; or NULL */
};

/* The value of a {name} in the path; "" when the path has none. */
const char *http_segment(const struct http_req *rq, const char *name);

/* A parameter of the query, decoded; "" when it has none. For what a
 * handler answers. Belongs to op. */
const char *
http_query(struct op *op, const struct http_req *rq, const char *name);

/*
 * Runs one more statement as whoever sent this request, in the place it
 * entered: for handlers. out_rows may be NULL.
 */
struct stmt;
enum err
http_run_as(struct op *op, const struct http_req *rq, const struct stmt *stmt,
    const char *const *values, struct rows **out_rows) MUST_CHECK;

/* A string member of the body; "" when it has none. */
const char *http_text(const struct http_req *rq, const char *name);

/* The body as bound to :body: snake_case keys. Belongs to op. */
const char *http_body_text(struct op *op, struct json_object *body);

/* The call that lets a handler's own statements in by the door the request came
 * through, with its credential, tenant and role: it goes before them, in the
 * same run. */
struct db_call;
enum err http_enter(struct op *op, const struct http_req *rq,
    struct db_call *out_call) MUST_CHECK;

/* Adds a header line. The value must not come from a client. */
void http_header(struct http_resp *rs, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Sets a cookie of this site for so many seconds; 0 ends it. Only the server
 * reads it, and over TLS no neighbouring site can plant it (__Host-). The value
 * must not come from a client. */
void http_set_cookie(const struct http_req *rq, struct http_resp *rs,
    const char *name, const char *value, int seconds);

/* Text as part of a query, percent-encoded. Belongs to owner. */
char *http_encode(void *owner, const char *text);

/* A path on this site and nothing else: "/x", never "//host" or "/\\host". */
bool http_is_local(const char *path);

/* Where the site is for those outside: PUBLIC_URL, or as the request calls it.
 * Belongs to owner. */
char *http_site(void *owner, const struct http_req *rq);

/* 303 to a local path. */
enum err http_see_other(struct http_resp *rs, const char *path);

/* Signs a browser in or out: sets the session cookie (Secure and __Host-
 * unless the request came over plain HTTP from this machine); "" ends it. */
void http_set_session(
    const struct http_req *rq, struct http_resp *rs, const char *cookie);

/* True when cookies are safe here: TLS, or plain HTTP on loopback. */
bool http_may_sign_in(const struct http_req *rq);

/* Value of a cookie that http_set_cookie set; NULL when absent. Belongs to
 * owner. */
char *http_cookie(void *owner, const struct http_req *rq, const char *name);

/* Answers a request: the whole of dispatching. Always fills in a reply. */
void http_serve(struct op *op, struct http_req *rq, struct http_resp *rs);

/*
 * What an endpoint asks PostgreSQL for a query string, for people and their
 * tools: every part's statement as it is prepared, with :name::type in place of
 * $n, a line "-- part: name" before each but the first. The query may also name
 * the values in {braces} of the path, for a key has two statements: one by id,
 * one by number (the default). "enter" is what goes before every statement.
 * ERR_NOT_FOUND when there is no such endpoint.
 */
enum err http_sql(struct op *op, const char *name, const char *query,
    struct buf *out) MUST_CHECK;

/*
 * Loads what serving needs: schemas and templates (below share). Call once,
 * before forking. False: *out_why names what is wrong.
 */
bool http_open(void *owner, const char *share, char **out_why);

#endif
