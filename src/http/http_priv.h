/* Shared inside http/ only. */
#ifndef GNOMON_HTTP_PRIV_H
#define GNOMON_HTTP_PRIV_H

#include "db/db.h"
#include "http/http.h"

/* route.c */

/* The endpoint for method and path, filling rq->segments; on failure the op
 * has ERR_NOT_FOUND or ERR_METHOD_NOT_ALLOWED and *out_allow the methods. */
enum err http__route(struct op *op, struct http_req *rq, const char *path,
    const struct endpoint **out_endpoint, const char **out_allow) MUST_CHECK;

/* Percent-decodes n bytes ('+' is a space in forms); NULL unless the result is
 * text that PostgreSQL stores. */
char *http__decode(void *owner, const char *text, size_t n, bool is_form);

/* args.c: an endpoint's parameters, typed */

enum {
	HTTP_LIST_MAX = 100, /* values of one parameter */
	HTTP_LIMIT_DEFAULT = 50, /* items of a page */
	HTTP_LIMIT_MAX = 200,
	HTTP_CSV_MAX = 2000, /* rows of a list as CSV, unless told fewer */
};

struct http_args {
	const struct endpoint *endpoint;
	const char *values[HTTP_SLOTS]; /* by slot; NULL: not given */
	uint32_t given; /* bit per slot */
	/* lists with {page} */
	const struct order *order;
	int64_t limit;
	bool backwards;
	const char *const *keys; /* the cursor's values, or NULL */
	const char *filter; /* what the cursor must have been made for */
	const char *known; /* revisions the reader holds, {12,14}, or NULL */
};

/* One name=value pair of a query or form, decoded. */
struct http_pair {
	const char *name, *value;
};

/* Splits "a=1&b=2". At most 200 pairs. */
enum err http__pairs(struct op *op, const char *text,
    struct http_pair **out_pairs, size_t *out_n) MUST_CHECK;

/* The same of the body of a form with a file: multipart/form-data. Files come
 * last, so that one counts before a text of its name; one that was not chosen is
 * left out. At most 200 parts. */
enum err http__parts(struct op *op, const struct http_req *rq,
    struct http_pair **out_pairs, size_t *out_n) MUST_CHECK;
bool http__is_multipart(const struct http_req *rq);

/* Types the endpoint's parameters out of path and query. Every fault is told
 * (op_invalid). Pairs whose names the endpoint knows are marked in used. */
enum err http__args(struct op *op, const struct http_req *rq,
    const struct endpoint *e, const struct http_pair *pairs, size_t n,
    bool *used, struct http_args **out_args) MUST_CHECK;

/* A keyed hash of name and values, 32 hexadecimal digits. Each value goes in
 * with its place and length, and NULL is not "": who chooses one value cannot
 * make it look like others, nor find two that look the same. At most
 * HTTP_BODY_MAX bytes. */
const char *http__digest(
    struct op *op, const char *name, const char *const *values, size_t n);

/* The PREFIX of a story key in the path ("AC" of AC-311), or NULL. */
const char *http__story_prefix(
    struct op *op, const struct http_req *rq, const struct endpoint *e);

/* variant.c: the statement of a part for the parameters given */

/* Fills in the call; the statement is kept for the process's life. */
void http__call(struct op *op, const struct http_args *args, size_t part,
    struct db_call *call);

enum { HTTP_COUNT_MAX = 1000 }; /* "1,000+" is as far as people count */

/* The statement that counts the rows of the endpoint's paged part, up to one
 * more than HTTP_COUNT_MAX. */
void http__call_count(
    struct op *op, const struct http_args *args, struct db_call *call);

/* The part with {page}; n_parts when there is none. */
size_t http__paged_part(const struct endpoint *e);

/* The address that continues a page after its last row (or before its first
 * one): a sealed cursor. Belongs to op. */
char *http__cursor(struct op *op, const struct http_args *args,
    const struct rows *rows, size_t row, bool backwards);

/* Reads a cursor into args; false when it is not ours or not for this list. */
bool
http__cursor_read(struct op *op, struct http_args *args, const char *sealed);

/* reply.c: rows to documents */

struct http_result { /* of one endpoint's statements */
	const struct http_args *args;
	struct rows **rows; /* per part */
	struct rows *count; /* of a page's list; NULL for the API */
};

struct http_style {
	const char *zone; /* also write values as people read them, in this
			     time zone; NULL: the API's plain document */
	int64_t now; /* microseconds since 1970 */
};

/* Writes the document of a result as JSON. */
enum err http__document(struct op *op, const struct http_result *result,
    const struct http_style *style, struct buf *out) MUST_CHECK;

/* The cursors of the pages before and after; NULL where there is none. */
void http__page_edges(struct op *op, const struct http_result *result,
    char **out_previous, char **out_next);

/* Answers a list as CSV with a header line: its first part's rows. The query
 * may ask for a byte order mark (bom=true); where there is more, a Link header
 * says where. */
enum err http__csv(struct op *op, const struct http_req *rq,
    struct http_resp *rs, const struct http_result *result) MUST_CHECK;

/* The outcome a statement tells by its rows: "!" and no row at all. */
enum err
http__outcome(struct op *op, const struct http_result *result) MUST_CHECK;

/* pages.c: addresses. A form whose endpoint fails with "preview" among its
 * details shows its page again with it, as "preview", and is no failure. */

/* path?query with one parameter (or one of its values) left out, without the
 * cursor, and the cursor `more` (or NULL) put behind. Belongs to op. */
char *
http__address(struct op *op, const char *path, const struct http_pair *pairs,
    size_t n, const struct http_pair *without, const char *more);

/* label.c: what fields and values are called */

/* "assigneeId" is "Assignee", "dueBefore" is "Due before". */
char *http__label(void *owner, const char *name);

/* The names of what the ids among the members of an object stand for, by id;
 * one more trip, for pages that show a form's values again. */
struct json_object *
http__names(struct op *op, const struct http_req *rq, struct json_object *of);

/* A value as people read it: ids by name, a list's items on lines. */
char *http__value_text(
    void *owner, struct json_object *value, struct json_object *names);

/* Puts `fields` into a conflict page's context: what the form sent beside what
 * stands there now. */
void http__put_conflict(
    struct op *op, const struct http_req *rq, struct json_object *c);

/* dispatch.c */

/* Runs enter and the statements of the endpoints in one round trip. */
enum err http__run(struct op *op, struct http_req *rq,
    const struct endpoint *gate, struct http_args **args, size_t n,
    struct http_result *out_results) MUST_CHECK;

/* Validates a JSON value against a schema of sql/api/<name>. */
enum err http__validate(
    struct op *op, const char *schema, struct json_object *value) MUST_CHECK;

/* The same for a body and what its endpoint asks beyond the schema. */
enum err http__check_body(
    struct op *op, struct http_req *rq, const struct endpoint *e) MUST_CHECK;

/* Says when to come back, on a 503. */
void http__put_retry(struct http_resp *rs);

/* etag.c: what the reader has already */

struct http_held;

/* What the client (If-None-Match) and the cache hold of a cached endpoint's
 * document; tells args, so that the statements need not run. */
struct http_held *
http__held(struct op *op, const struct http_req *rq, struct http_args *args);

/* Answers from what is held, when it is the state the database is in now. */
bool http__answer_held(const struct http_held *held, const struct http_req *rq,
    struct http_resp *rs);

/* Whether the statements were skipped because of what is held. */
bool http__was_skipped(const struct http_held *held, const struct http_req *rq);

/* Names the state of a document that was made anew, and keeps it. */
void http__keep(const struct http_held *held, const struct http_req *rq,
    struct http_resp *rs);

/* once.c: keyed writes */

struct http_once {
	const char *key;
	const char *request; /* hash of what the key belongs to */
	struct db_tx *tx; /* open between the two trips */
};

/* Makes rq->once when the endpoint is a write that can be keyed and key is not
 * empty. Call when the body has been read. */
enum err
http__once_open(struct op *op, struct http_req *rq, const char *key) MUST_CHECK;

/* The call that lets the key pass; goes between enter and the statements. */
struct db_call http__once_call(struct op *op, const struct http_once *once);

/* Stores the answer and commits. */
enum err http__once_store(struct op *op, struct http_req *rq,
    const struct http_resp *rs, const char *reply) MUST_CHECK;

/* Gives up on a keyed write: rolls back what is open. */
void http__once_drop(struct http_req *rq);

/* After ERR_REPLAYED: the first answer. enter is the call that opens the
 * tenant. */
enum err
http__once_recall(struct op *op, struct http_req *rq, struct http_resp *rs,
    struct db_call enter, const char **out_reply) MUST_CHECK;

/* The call that opens the tenant for a request; gate as in http__run. */
enum err http__enter_call(struct op *op, const struct http_req *rq,
    const struct endpoint *gate, struct db_call *call) MUST_CHECK;

/* cors.c */

/* Lets the pages of the origins named in CORS_ORIGINS read the reply. */
void http__cors(struct op *op, const struct http_req *rq, struct http_resp *rs);

/* Answers OPTIONS; allow is the list of methods of the address. */
void http__options(struct op *op, const struct http_req *rq,
    struct http_resp *rs, const char *allow);

/* example.c */

#define HTTP_EXAMPLE_ID "0193a5b2-7c4e-7b1a-9f00-3d5c8e2a1f00"

/* A value that the schema of a field with this name accepts; "$ref" is looked
 * up in schemas by its last part. The caller owns it. */
struct json_object *http__example(
    struct json_object *schemas, struct json_object *schema, const char *name);

/* openapi.c */

/* Makes the document that is served; call once, before forking. */
struct json_object *http__openapi_open(void *owner);

/* help.c */

/* Makes what the help pages show; call once, before forking. */
void http__help_open(void *owner);

/* pages.c */

bool http__pages_open(void *owner, const char *share, char **out_why);
void http__page(struct op *op, struct http_req *rq, struct http_resp *rs);

/* What a page shows, as JSON or CSV for programs, which are told of errors as
 * the API tells them. */
enum err http__page_data(
    struct op *op, struct http_req *rq, struct http_resp *rs) MUST_CHECK;

void http__form(struct op *op, struct http_req *rq, struct http_resp *rs);
void http__error_page(
    struct op *op, const struct http_req *rq, struct http_resp *rs);

/* The schema with this name, or NULL. */
const struct schema *http__schema(const char *name);

#endif
