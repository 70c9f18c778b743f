/*
 * The shape of the route table. sqlgen writes it from the blocks in sql/api
 * and sql/pages (sql/README.md says what a block may hold); nothing else makes
 * one of these.
 */
#ifndef GNOMON_HTTP_ENDPOINT_H
#define GNOMON_HTTP_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct op;
struct http_req;
struct http_resp;

enum method {
	METHOD_GET,
	METHOD_POST,
	METHOD_PUT,
	METHOD_PATCH,
	METHOD_DELETE,
	METHOD_HEAD,
	METHOD_OPTIONS,
	METHOD_OTHER,
};

/* The lowest role that may pass; the values are gnomon.rank(). */
enum role {
	ROLE_PUBLIC = -1,
	ROLE_USER = 0,
	ROLE_VIEWER = 1,
	ROLE_MEMBER = 2,
	ROLE_ADMIN = 3,
	ROLE_OWNER = 4,
};

enum param_kind {
	PARAM_TEXT, /* min..max code points */
	PARAM_INT, /* min..max */
	PARAM_BOOL,
	PARAM_UUID,
	PARAM_DATE,
	PARAM_TIME,
	PARAM_ENUM,
	PARAM_KEY, /* an id, a number, or PREFIX-number */
	PARAM_MOMENT, /* a revision or a time: the past of the project */
};

/* What a parameter's value is bound to. A key has two slots: its id, and the
 * next one, its number. */
struct slot {
	const char *name;
	unsigned type; /* enum sql_type */
};

struct param {
	const char *name;
	bool in_path; /* else in the query */
	enum param_kind kind;
	bool list;
	int64_t min, max;
	const char *const *words; /* PARAM_ENUM: up to a NULL */
	const char *prefix; /* PARAM_KEY: "I"; "story": the project's key;
				     NULL: a bare number. PARAM_UUID: the word
				     that stands for no id, whose slot is the
				     next one; or NULL */
	size_t slot;
};

/* A statement is literal text with holes, filled per variant, never from
 * input. */
enum piece_kind {
	PIECE_TEXT,
	PIECE_SLOT, /* $n of the slot */
	PIECE_IF, /* skip to piece `to` when the slot has no value */
	PIECE_PAGE, /* cursor predicate, ORDER BY, LIMIT */
	PIECE_CHANGED, /* false when the reader has this revision */
};

struct piece {
	enum piece_kind kind;
	const char *text;
	size_t slot, to;
};

enum part_kind {
	PART_DOCUMENT, /* unnamed: its row or rows are the document */
	PART_ONE, /* an object under its name, or null */
	PART_LIST, /* a list under its name */
	PART_NESTED, /* lists in the rows of another part */
	PART_NEEDED, /* not shown: without a row nothing is here */
};

struct part {
	const char *name;
	enum part_kind kind;
	size_t parent; /* PART_NESTED: index of the other part */
	const char *by; /* PART_NESTED: the column both have */
	const char *chart; /* kind of chart drawn of the rows, or NULL */
	const char *source;
	const struct piece *pieces;
	size_t n_pieces;
};

/* One column of an order: the expression in the statement, the alias under
 * which its value comes back, its type. */
struct order_column {
	const char *expression;
	const char *alias;
	unsigned type;
};

struct order {
	const char *name;
	bool descending;
	const struct order_column *columns;
	size_t n_columns;
};

enum reply_kind { REPLY_NONE, REPLY_ONE, REPLY_LIST, REPLY_PAGE };

struct endpoint;

struct use {
	const struct endpoint *endpoint;
	const char *as;
};

/* What a success counts in, and the columns whose values are its labels. */
struct tally {
	unsigned metric; /* enum metric */
	const char *columns[4];
};

typedef enum err
endpoint_handler(struct op *op, struct http_req *rq, struct http_resp *rs);

/* What a body must be beyond its schema, looked at before the statements; may
 * put what it holds in order. */
typedef enum err endpoint_check(struct op *op, struct http_req *rq);

struct endpoint {
	const char *name;
	enum method method;
	const char *path;
	const char *source; /* "sql/api/insights.sql:3" */
	const char *doc;
	enum role role;
	bool has_workspace, has_project; /* {ws}, {project} in the path */
	bool slow;
	bool cached; /* by the revision of its project or workspace */
	const struct param *params;
	size_t n_params;
	const struct slot *slots;
	size_t n_slots;
	size_t body_slot; /* of :body; n_slots when not bound */
	const char *body; /* schema name, or NULL */
	const struct part *parts;
	size_t n_parts;
	const struct order *orders; /* not empty: the document is a page */
	size_t n_orders;
	int status; /* of success */
	enum reply_kind reply;
	const char *reply_type; /* schema name, or NULL */
	endpoint_check *check; /* or NULL */
	endpoint_handler *handler;
	const char *const *errors; /* words a handler gives, up to a NULL;
				      NULL: none of its own */
	const struct tally *tally; /* or NULL */
	/* pages and forms */
	const char *page; /* template below pages/, or NULL */
	const struct use *uses;
	size_t n_uses;
	const struct endpoint *form_of; /* the endpoint a form runs */
	const char *then; /* where success goes */
	const struct endpoint *again; /* the page shown when refused */
	const char *message; /* what the next page says */
};

/* The generated table, ordered by path and method. */
extern const struct endpoint endpoints[];
extern const size_t n_endpoints;

/* A hash of the blocks the table was made from: part of every ETag. */
extern const char endpoints_build[];

/* The endpoint with this name, or NULL. */
const struct endpoint *endpoint_find(const char *name);

#endif
