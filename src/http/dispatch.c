/*
 * Dispatching: from a request to its endpoint, one round trip to PostgreSQL,
 * and the reply. The edge of the program: here failures are logged and told.
 */
#include <assert.h>
#include <ctype.h>
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#include "auth/auth.h"
#include "base/config.h"
#include "base/log.h"
#include "base/text.h"
#include "gen/embed.h"
#include "gen/queries.h"
#include "http/http_priv.h"
#include "http/limit.h"
#include "schema/schema.h"

enum { JSON_DEPTH = 32, SCHEMAS_MAX = 500, SESSION_SECONDS = 1209600 };

#define MAX_EXACT 9007199254740992.0 /* 2^53: whole doubles below are exact */

static struct schema_set *schema_set;

/* Every definition of sql/api/<noun>.schema.json by name, compiled. */
static struct {
	const char *name;
	const struct schema *schema;
} schemas[SCHEMAS_MAX];
static size_t n_schemas;

static bool
load_schemas(void *owner, char **out_why)
{
	const struct embedded *file = embedded_schemas;

	schema_set = schema_set_new(owner, SCHEMA_ASSERT_FORMAT);
	for (; file->name; file++) {
		struct json_object *doc =
		    op_json(owner, json_tokener_parse(file->text));
		const char *why;

		if (!schema_set_add(schema_set,
			mem_fmt(owner, "gnomon:/%s", file->name), doc, &why)) {
			*out_why = mem_fmt(owner, "%s: %s", file->name, why);
			return false;
		}
	}
	for (file = embedded_schemas; file->name; file++) {
		struct json_object *doc =
		    op_json(owner, json_tokener_parse(file->text));

		json_object_object_foreach (
		    json_object_object_get(doc, "$defs"), name, definition) {
			const char *why;

			(void)definition;
			assert(n_schemas < SCHEMAS_MAX);
			if (!schema_compile(schema_set,
				mem_fmt(owner, "gnomon:/%s#/$defs/%s",
				    file->name, name),
				&schemas[n_schemas].schema, &why)) {
				*out_why =
				    mem_fmt(owner, "%s: %s", file->name, why);
				return false;
			}
			schemas[n_schemas++].name = mem_dup(owner, name);
		}
	}
	return true;
}

const struct schema *
http__schema(const char *name)
{
	for (size_t i = 0; i < n_schemas; i++)
		if (strcmp(schemas[i].name, name) == 0)
			return schemas[i].schema;
	return NULL;
}

bool
http_open(void *owner, const char *share, char **out_why)
{
	http__help_open(owner);
	return limit_open() && load_schemas(owner, out_why) &&
	    http__pages_open(owner, share, out_why);
}

enum err
http__validate(struct op *op, const char *schema, struct json_object *value)
{
	const struct schema *s = http__schema(schema);
	struct schema_errors errors;

	assert(s);
	if (schema_accepts(s, value, op, &errors))
		return ERR_OK;
	for (size_t i = 0; i < errors.n; i++)
		op_invalid(
		    op, errors.item[i].pointer, "%s", errors.item[i].message);
	return op_fail(op, ERR_VALIDATION_FAILED, "%s", schema);
}

/* PostgreSQL stores no NUL, and json-c lets it through. */
static bool
is_storable(struct json_object *value)
{
	switch (json_object_get_type(value)) {
	case json_type_string:
		return text_is_storable(json_object_get_string(value),
		    (size_t)json_object_get_string_len(value));
	case json_type_array:
		for (size_t i = 0; i < json_object_array_length(value); i++)
			if (!is_storable(json_object_array_get_idx(value, i)))
				return false;
		return true;
	case json_type_object: {
		json_object_object_foreach (value, key, member) {
			if (!text_is_storable(key, strlen(key)) ||
			    !is_storable(member))
				return false;
		}
		return true;
	}
	case json_type_null:
	case json_type_boolean:
	case json_type_double:
	case json_type_int:
		return true;
	}
	return false;
}

static size_t
count_members(struct json_object *value)
{
	size_t n = 0;

	if (json_object_is_type(value, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(value); i++)
			n += count_members(json_object_array_get_idx(value, i));
	} else if (json_object_is_type(value, json_type_object)) {
		json_object_object_foreach (value, key, member) {
			(void)key;
			n += 1 + count_members(member);
		}
	}
	return n;
}

/* The four digits behind a \u; 0 when s begins with no such escape. */
static unsigned
escaped_unit(const char *s)
{
	char digits[5] = "";

	if (s[0] != '\\' || s[1] != 'u')
		return 0;
	memcpy(digits, s + 2, 4);
	return (unsigned)strtoul(digits, NULL, 16);
}

/*
 * What json-c hides of a text it accepted: half a surrogate pair becomes
 * U+FFFD, of a name given twice the last value stays, and strings may run over
 * several lines or stand in single quotes. In valid JSON a backslash stands only in strings, and outside
 * of them every member has exactly one colon.
 */
static const char *
hidden_fault(const char *s, struct json_object *value)
{
	size_t colons = 0;
	bool quoted = false;

	for (; *s; s++) {
		unsigned unit = escaped_unit(s);

		if (unit >= 0xd800 && unit <= 0xdbff) {
			unsigned low = escaped_unit(s + 6);

			if (low < 0xdc00 || low > 0xdfff)
				return "The body holds half a character.";
			s += 11;
		} else if (unit >= 0xdc00 && unit <= 0xdfff) {
			return "The body holds half a character.";
		} else if (*s == '\\') {
			s++;
		} else if (*s == '"') {
			quoted = !quoted;
		} else if (*s == ':' && !quoted) {
			colons++;
		} else if (*s == '\'' && !quoted) {
			return "The body quotes with ' where JSON has \".";
		} else if (quoted && (unsigned char)*s < 0x20) {
			return "The body holds a control character.";
		}
	}
	if (colons != count_members(value))
		return "The body gives a name twice.";
	return NULL;
}

/*
 * If-Match in place of the body's version: the ETag of one thing is W/"v3".
 * (RFC 9110 compares If-Match strongly; our tags are weak because they say
 * nothing of white space, and a version is a version.) Who says both must say
 * the same.
 */
static void
take_if_match(
    struct op *op, const struct http_req *rq, const struct endpoint *e)
{
	const char *tag = strstr(rq->if_match, "\"v");
	struct json_object *said = NULL;
	char *end;
	long version;

	if (!tag || !json_object_is_type(rq->json, json_type_object) ||
	    schema_property_type(http__schema(e->body), "version") ==
		SCHEMA_NONE)
		return;
	version = strtol(tag + 2, &end, 10);
	if (*end != '"' || version <= 0 || version > INT32_MAX)
		return;
	if (!json_object_object_get_ex(rq->json, "version", &said))
		json_object_object_add(
		    rq->json, "version", json_object_new_int64(version));
	else if (json_object_get_int64(said) != version)
		op_invalid(
		    op, "/version", "If-Match names version %ld.", version);
}

static void
put_version_tag(struct http_resp *rs, const struct http_result *result)
{
	const struct endpoint *e = result->args->endpoint;
	int col = e->reply == REPLY_ONE && e->n_parts &&
		e->parts[0].kind == PART_DOCUMENT
	    ? rows_find(result->rows[0], "version")
	    : -1;

	if (col >= 0)
		http_header(rs, "ETag", "W/\"v%lld\"",
		    (long long)rows_int(result->rows[0], 0, (size_t)col));
}

/* Whether a Content-Type is application/json: types have no case, and what
 * follows a semicolon (charset) says nothing about JSON (RFC 8259 section 11). */
static bool
is_json(const char *type)
{
	static const char json[] = "application/json";
	size_t n = strcspn(type, "; \t");

	return n == strlen(json) && strncasecmp(type, json, n) == 0;
}

/* Why a body is not JSON, in words that follow a colon; NULL when it is. */
static const char *
json_fault(struct json_tokener *tok, size_t length)
{
	enum json_tokener_error e = json_tokener_get_error(tok);

	if (length == 0)
		return "it is empty";
	if (e == json_tokener_continue)
		return "it ends too early";
	if (e != json_tokener_success)
		return json_tokener_error_desc(e);
	return json_tokener_get_parse_end(tok) < length
	    ? "there is something after it"
	    : NULL;
}

static enum err
read_body(struct op *op, struct http_req *rq, const struct endpoint *e)
{
	struct json_tokener *tok;
	const char *why;

	if (rq->is_body_too_large)
		return op_fail(
		    op, ERR_BODY_TOO_LARGE, "over %d bytes", HTTP_BODY_MAX);
	if (!e->body)
		return ERR_OK;
	if (!is_json(rq->content_type))
		return op_fail(
		    op, ERR_UNSUPPORTED_MEDIA_TYPE, "%s", rq->content_type);
	tok = json_tokener_new_ex(JSON_DEPTH);
	json_tokener_set_flags(
	    tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	rq->json = op_json(
	    op, json_tokener_parse_ex(tok, rq->body, (int)rq->body_length));
	why = json_fault(tok, rq->body_length);
	if (why)
		op_invalid(op, "", "The body is not JSON: %s.", why);
	else if (!is_storable(rq->json))
		op_invalid(op, "",
		    "The body holds a character that cannot be "
		    "stored.");
	else if ((why = hidden_fault(rq->body, rq->json)))
		op_invalid(op, "", "%s", why);
	json_tokener_free(tok);
	if (!op->err)
		take_if_match(op, rq, e);
	return op->err ? op->err : http__check_body(op, rq, e);
}

enum err
http__check_body(struct op *op, struct http_req *rq, const struct endpoint *e)
{
	enum err err = http__validate(op, e->body, rq->json);

	return !err && e->check ? e->check(op, rq) : err;
}

/* JSON has one kind of number and 1.0 is an integer; PostgreSQL's integers are
 * not written like that. */
static struct json_object *
plain(struct json_object *value)
{
	double real = json_object_is_type(value, json_type_double)
	    ? json_object_get_double(value)
	    : 0.5;

	return real == trunc(real) && fabs(real) < MAX_EXACT
	    ? json_object_new_int64((int64_t)real)
	    : json_object_get(value);
}

static char *
snake(void *owner, const char *camel)
{
	struct buf *b = buf_new(owner, 1000);

	for (; *camel; camel++) {
		if (isupper((unsigned char)*camel))
			buf_char(b, '_');
		buf_char(b, (char)tolower((unsigned char)*camel));
	}
	return b->data;
}

const char *
http_body_text(struct op *op, struct json_object *body)
{
	struct json_object *renamed = op_json(op, json_object_new_object());

	json_object_object_foreach (body, key, value) {
		json_object_object_add(renamed, snake(op, key), plain(value));
	}
	return json_object_to_json_string_ext(
	    renamed, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
}

/* What follows Bearer, or NULL. */
static const char *
bearer(const struct http_req *rq)
{
	static const char scheme[] = "Bearer ";
	size_t n = strlen(scheme);

	/* a scheme's name has no case (RFC 9110 section 11.1) */
	return strncasecmp(rq->authorization, scheme, n) == 0
	    ? rq->authorization + n
	    : NULL;
}

/* The session of an access token that is good, or NULL. */
static const char *
token_session(struct op *op, const struct http_req *rq)
{
	const char *given = bearer(rq);

	return given ? auth_token_session(op, given, time(NULL)) : NULL;
}

/* The API key a request brings, or NULL. */
static const char *
api_key(const struct http_req *rq)
{
	const char *given = bearer(rq);

	return given && auth_is_key(given) ? given : NULL;
}

/*
 * Who asks: the hash of a cookie or of an API key, or the session of an access
 * token. Pages know cookies only and programs the other two; a key is no cookie
 * and a cookie no key, for they differ in form and each hash covers all of it.
 */
static enum err
credential(struct op *op, const struct http_req *rq, const char **out_hash,
    const char **out_session)
{
	*out_hash = NULL;
	*out_session = token_session(op, rq);
	if (*out_session)
		return ERR_OK;
	*out_hash = api_key(rq) ? auth_hash(op, api_key(rq))
				: auth_cookie_hash(op, rq->cookie);
	if (*out_hash)
		return ERR_OK;
	return op_fail(op, ERR_UNAUTHENTICATED, "%s",
	    *rq->authorization ? "the access token is not good"
			       : "no credential");
}

/* gate is the endpoint whose path and role count (a form's own path). */
enum err
http__enter_call(struct op *op, const struct http_req *rq,
    const struct endpoint *gate, struct db_call *call)
{
	const char **values = mem_array(op, const char *, 7);
	enum err e = credential(op, rq, &values[0], &values[1]);

	values[2] = gate->has_workspace ? http_segment(rq, "ws") : NULL;
	values[3] = gate->has_project ? http_segment(rq, "project") : NULL;
	values[4] = http__story_prefix(op, rq, gate);
	values[5] = mem_fmt(op, "%d", gate->role < 0 ? 0 : (int)gate->role);
	values[6] = gate->page || gate->form_of ? "true" : "false";
	call->stmt = &stmt_enter;
	call->values = values;
	return e;
}

enum err
http_enter(struct op *op, const struct http_req *rq, struct db_call *out_call)
{
	return http__enter_call(op, rq, rq->endpoint, out_call);
}

/* Pages say how long their list is; programs count for themselves. */
static bool
counts(const struct endpoint *gate, const struct http_args *args)
{
	return gate->page && args->order;
}

/* The moment of the past that the request asks for; NULL: the present. */
static const char *
moment(struct http_args *const *args, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < args[i]->endpoint->n_params; k++) {
			const struct param *p = &args[i]->endpoint->params[k];

			if (p->kind == PARAM_MOMENT &&
			    args[i]->given >> p->slot & 1)
				return args[i]->values[p->slot];
		}
	return NULL;
}

static bool
is_about_one(const struct endpoint *e)
{
	for (size_t i = 0; i < e->n_params; i++)
		if (e->params[i].in_path)
			return true;
	return false;
}

/*
 * Whether an API key's scope must be looked at besides its role: enter() holds a
 * role against it, but a viewer or a mere user may write some things, too.
 */
static bool
needs_scope(const struct http_req *rq, const struct endpoint *gate)
{
	return api_key(rq) && gate->method != METHOD_GET &&
	    (gate->role == ROLE_USER || gate->role == ROLE_VIEWER);
}

static void
scope_call(struct op *op, const struct http_req *rq,
    const struct endpoint *gate, struct db_call *call)
{
	const char **values = mem_array(op, const char *, 2);

	values[0] = auth_hash(op, api_key(rq));
	values[1] = gate->role == ROLE_USER ? "admin" : "write";
	call->stmt = &stmt_key_may;
	call->values = values;
}

enum err
http_run_as(struct op *op, const struct http_req *rq, const struct stmt *stmt,
    const char *const *values, struct rows **out_rows)
{
	struct db_call calls[2] = {[1] = {.stmt = stmt, .values = values}};
	enum err e = http__enter_call(op, rq, rq->endpoint, &calls[0]);

	if (!e)
		e = db_run(op, calls, 2, false);
	if (!e && out_rows)
		*out_rows = calls[1].rows;
	return e;
}

enum err
http__run(struct op *op, struct http_req *rq, const struct endpoint *gate,
    struct http_args **args, size_t n, struct http_result *out_results)
{
	size_t n_calls = rq->once ? 2 : gate->role != ROLE_PUBLIC;
	const char *back = moment(args, n);
	size_t at = n_calls += back != NULL;
	bool reads = true, scoped = needs_scope(rq, gate);
	struct db_call *calls;
	enum err e;

	for (size_t i = 0; i < n; i++) {
		n_calls += args[i]->endpoint->n_parts + counts(gate, args[i]);
		reads = reads && args[i]->endpoint->method == METHOD_GET;
	}
	n_calls += scoped;
	calls = mem_array(op, struct db_call, n_calls);
	if (at) {
		e = http__enter_call(op, rq, gate, &calls[0]);
		if (e)
			return e;
	}
	if (rq->once)
		calls[1] = http__once_call(op, rq->once);
	if (back) {
		const char *const look[] = {
		    back, is_about_one(gate) ? "true" : "false"};

		calls[at - 1].stmt = &stmt_look_back;
		calls[at - 1].values = mem_copy(op, look, sizeof(look));
	}
	for (size_t i = 0, k = at; i < n; i++) {
		for (size_t p = 0; p < args[i]->endpoint->n_parts; p++)
			http__call(op, args[i], p, &calls[k++]);
		if (counts(gate, args[i]))
			http__call_count(op, args[i], &calls[k++]);
	}
	if (scoped) /* last: what it refuses has not happened */
		scope_call(op, rq, gate, &calls[n_calls - 1]);
	if (n_calls) {
		e = rq->once ? db_run_begin(op, calls, n_calls, &rq->once->tx)
			     : db_run(op, calls, n_calls, reads);
		if (e)
			return e;
	}
	if (at)
		rq->who = calls[0].rows;
	if (back)
		rq->past = calls[at - 1].rows;
	for (size_t i = 0, k = at; i < n; i++) {
		size_t parts = args[i]->endpoint->n_parts;

		out_results[i].args = args[i];
		out_results[i].rows = mem_array(op, struct rows *, parts);
		for (size_t p = 0; p < parts; p++)
			out_results[i].rows[p] = calls[k++].rows;
		out_results[i].count =
		    counts(gate, args[i]) ? calls[k++].rows : NULL;
	}
	return ERR_OK;
}

/* Every parameter in the query must be one that the endpoint declares. */
static enum err
query_args(struct op *op, struct http_req *rq, const struct endpoint *e,
    struct http_args **out_args)
{
	struct http_pair *pairs;
	size_t n;
	bool *used;
	enum err err = http__pairs(op, rq->query, &pairs, &n);

	if (err)
		return err;
	used = mem_array(op, bool, n);
	err = http__args(op, rq, e, pairs, n, used, out_args);
	if (err && err != ERR_VALIDATION_FAILED)
		return err;
	for (size_t i = 0; i < n; i++)
		if (!used[i])
			op_invalid(op, mem_fmt(op, "?%s", pairs[i].name),
			    "There is no such parameter.");
	return op->err;
}

#ifdef GNOMON_CHECK_REPLIES
/* A developer's build holds every reply against its declared schema. */
static enum err
check_reply(struct op *op, const struct endpoint *e, const struct buf *body)
{
	struct json_object *doc = op_json(op, json_tokener_parse(body->data));
	struct json_object *items = json_object_object_get(doc, "items");
	const struct schema *schema =
	    e->reply_type ? http__schema(e->reply_type) : NULL;
	bool list = e->reply == REPLY_LIST || e->reply == REPLY_PAGE;
	size_t n = !schema ? 0 : list ? json_object_array_length(items) : 1;

	for (size_t i = 0; i < n; i++) {
		struct schema_errors errors;
		struct json_object *value =
		    list ? json_object_array_get_idx(items, i) : doc;

		if (!schema_accepts(schema, value, op, &errors))
			return op_fail(op, ERR_INTERNAL,
			    "the reply of %s is no %s: %s %s", e->name,
			    e->reply_type, errors.item[0].pointer,
			    errors.item[0].message);
	}
	return ERR_OK;
}
#endif

/* Which moment a document of the past is of. */
static void
put_moment(struct op *op, const struct http_req *rq, struct http_resp *rs)
{
	if (!rq->past)
		return;
	http_header(
	    rs, "As-Of-Revision", "%s", rows_get(op, rq->past, 0, "rev"));
	http_header(rs, "As-Of-Time", "%s", rows_get(op, rq->past, 0, "at"));
}

/*
 * Runs an endpoint and writes its document; one that is cached may be answered
 * by what the client or the cache holds. The case that they name a revision
 * that is right for a document that is not theirs takes a second trip.
 */
static enum err
run_and_write(struct op *op, struct http_req *rq, struct http_resp *rs,
    struct http_args *args)
{
	const struct endpoint *e = rq->endpoint;
	const struct http_style plain = {.zone = NULL};
	struct http_result result = {.args = NULL};
	struct http_held *held =
	    e->cached && !rq->wants_csv ? http__held(op, rq, args) : NULL;
	enum err err = http__run(op, rq, e, &args, 1, &result);

	rs->status = e->status;
	if (!err)
		put_moment(op, rq, rs);
	if (!err && held && http__answer_held(held, rq, rs))
		return ERR_OK;
	if (!err && held && http__was_skipped(held, rq)) {
		args->known = NULL;
		err = http__run(op, rq, e, &args, 1, &result);
	}
	if (!err)
		err = http__outcome(op, &result);
	if (err)
		return err;
	if (e->handler)
		return e->handler(op, rq, rs);
	if (rq->wants_csv)
		return http__csv(op, rq, rs, &result);
	if (e->reply != REPLY_NONE) {
		rs->type = "application/json";
		err = http__document(op, &result, &plain, rs->body);
	}
#ifdef GNOMON_CHECK_REPLIES
	if (!err && e->reply != REPLY_NONE)
		err = check_reply(op, e, rs->body);
#endif
	if (!err && held)
		http__keep(held, rq, rs);
	else if (!err)
		put_version_tag(rs, &result);
	if (!err && rq->once)
		err = http__once_store(op, rq, rs, rs->body->data);
	return err;
}

/* A key that was used before: the first answer again. */
static enum err
replay(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	struct db_call enter = {.stmt = NULL};
	const char *reply;
	enum err e = http__enter_call(op, rq, rq->endpoint, &enter);

	if (!e || e == ERR_REPLAYED)
		e = http__once_recall(op, rq, rs, enter, &reply);
	if (e)
		return e;
	rs->type = "application/json";
	buf_text(rs->body, reply);
	return ERR_OK;
}

static enum err
answer_api(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	const struct endpoint *e = rq->endpoint;
	const char *cookie, *session;
	struct http_args *args;
	enum err err = ERR_OK;

	if (e->role != ROLE_PUBLIC) /* strangers learn nothing of the rest */
		err = credential(op, rq, &cookie, &session);
	if (!err)
		err = query_args(op, rq, e, &args);
	if (!err)
		err = read_body(op, rq, e);
	if (err)
		return err;
	if (rq->json && e->body_slot < e->n_slots) {
		args->values[e->body_slot] = http_body_text(op, rq->json);
		args->given |= UINT32_C(1) << e->body_slot;
	}
	err = http__once_open(op, rq, rq->idempotency_key);
	if (!err)
		err = run_and_write(op, rq, rs, args);
	if (err == ERR_REPLAYED)
		return replay(op, rq, rs);
	if (err) /* before it is told: who hears of it may ask again at once */
		http__once_drop(rq);
	return err;
}

void
http__put_retry(struct http_resp *rs)
{
	if (rs->status == 503)
		http_header(rs, "Retry-After", "2");
}

/* The error envelope of the API. */
static void
tell_error(struct op *op, const struct http_req *rq, struct http_resp *rs)
{
	const struct err_info *info = err_info(op->err);

	buf_reset(rs->body);
	rs->status = info->status;
	rs->type = "application/json";
	buf_fmt(
	    rs->body, "{\"error\":{\"code\":\"%s\",\"message\":", info->word);
	buf_json_text(rs->body, info->sentence, strlen(info->sentence));
	if (op->details)
		buf_fmt(rs->body, ",\"details\":%s",
		    json_object_to_json_string_ext(op->details,
			JSON_C_TO_STRING_PLAIN |
			    JSON_C_TO_STRING_NOSLASHESCAPE));
	else
		buf_text(rs->body, ",\"details\":null");
	buf_fmt(rs->body, ",\"requestId\":\"%s\"}}", rq->id);
	http_header(rs, "Link", "</help/errors/%s>; rel=\"help\"", info->word);
	if (op->err == ERR_UNAUTHENTICATED)
		http_header(rs, "WWW-Authenticate", "Bearer");
	http__put_retry(rs);
}

static bool
is_api(const struct http_req *rq)
{
	return text_starts(rq->path, "/api/") ||
	    strcmp(rq->path, "/health") == 0 || strcmp(rq->path, "/ready") == 0;
}

/*
 * Whose requests these are. A token proves itself; a cookie or a key is somebody
 * when it opened the door not long ago (remember_asker). What is neither is one of
 * the address: made-up cookies do not multiply whom they come from.
 */
static const char *
asker(struct op *op, const struct http_req *rq)
{
	bool is_page = rq->endpoint->page || rq->endpoint->form_of;
	const char *shown = is_page ? http_cookie(op, rq, "s") : api_key(rq);
	const char *session = is_page ? NULL : token_session(op, rq);

	if (!session && shown && limit_knows(LIMIT_SESSION, shown))
		session = shown;
	return session ? session : limit_network(op, rq->address);
}

/* Counts the first request of a cookie or a key, now that it proved good. */
static void
remember_asker(const struct http_req *rq)
{
	const char *shown = api_key(rq) ? api_key(rq) : rq->cookie;
	struct limit_state state;

	if (rq->who && *shown && !limit_knows(LIMIT_SESSION, shown))
		(void)limit_take(LIMIT_SESSION, shown,
		    config_int(CONFIG_RATE_LIMIT), &state);
}

/*
 * A session may ask RATE_LIMIT times a minute; an address may try to sign in
 * (what goes to the slow pool without a credential) SIGN_IN_LIMIT times.
 */
static bool
is_within_limits(struct op *op, const struct http_req *rq, struct http_resp *rs)
{
	const struct endpoint *e = rq->endpoint;
	bool stranger = e->role == ROLE_PUBLIC, good;
	int64_t limit = stranger ? config_int(CONFIG_SIGN_IN_LIMIT)
				 : config_int(CONFIG_RATE_LIMIT);
	struct limit_state state;

	if ((stranger && !e->slow) || limit == 0)
		return true;
	good = stranger
	    ? limit_take(
		  LIMIT_ADDRESS, limit_network(op, rq->address), limit, &state)
	    : limit_take(LIMIT_SESSION, asker(op, rq), limit, &state);
	http_header(rs, "RateLimit-Limit", "%lld", (long long)state.limit);
	http_header(
	    rs, "RateLimit-Remaining", "%lld", (long long)state.remaining);
	http_header(rs, "RateLimit-Reset", "%lld", (long long)state.reset_s);
	if (good)
		return true;
	http_header(rs, "Retry-After", "%lld", (long long)state.reset_s);
	(void)op_fail(op, ERR_RATE_LIMITED, "%lld a minute", (long long)limit);
	return false;
}

/* The other doors: /w/acme/insights.json and .csv of a page, .csv of a list of
 * the API. */
static const char *
data_door(const struct http_req *rq)
{
	const char *dot = strrchr(rq->path, '.');

	return dot &&
		((strcmp(dot, ".json") == 0 && !is_api(rq)) ||
		    strcmp(dot, ".csv") == 0)
	    ? dot
	    : NULL;
}

static bool
is_list(const struct endpoint *e)
{
	return e->method == METHOD_GET &&
	    (e->reply == REPLY_LIST || e->reply == REPLY_PAGE);
}

/* CSV is asked for by the door, or as what is accepted first. Of the API only
 * lists have it: a thing behind the door .csv is not there. */
static bool
choose_csv(const struct http_req *rq, const char *door, bool *out_csv)
{
	bool by_door = door && strcmp(door, ".csv") == 0;

	*out_csv = by_door ||
	    (is_api(rq) && is_list(rq->endpoint) &&
		strncasecmp(rq->accept, "text/csv", 8) == 0);
	return !by_door || !is_api(rq) || is_list(rq->endpoint);
}

/* Whether a browser goes there by itself, though it is the API's: signing in with
 * another service. */
static bool
is_for_people(const struct http_req *rq)
{
	return text_starts(rq->path, "/api/v1/auth/oauth/") &&
	    strstr(rq->accept, "text/html");
}

/* Tells what went wrong, to a program or to a person. */
static void
tell(struct op *op, const struct http_req *rq, struct http_resp *rs)
{
	if ((is_api(rq) && !is_for_people(rq)) || data_door(rq))
		tell_error(op, rq, rs);
	else
		http__error_page(op, rq, rs);
}

static void
dispatch(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	const char *allow = "", *path = rq->path;
	const char *door = data_door(rq);

	if (door)
		path = mem_dup_n(op, path, (size_t)(door - path));
	if (is_api(rq))
		http__cors(op, rq, rs);
	if (http__route(op, rq, path, &rq->endpoint, &allow)) {
		if (rq->method == METHOD_OPTIONS &&
		    op->err == ERR_METHOD_NOT_ALLOWED) {
			op->err = ERR_OK; /* it was only a question */
			http__options(op, rq, rs, allow);
			return;
		}
		if (op->err == ERR_METHOD_NOT_ALLOWED)
			http_header(rs, "Allow", "%s", allow);
		tell(op, rq, rs);
		return;
	}
	if (!choose_csv(rq, door, &rq->wants_csv)) {
		(void)op_fail(op, ERR_NOT_FOUND, "no list");
		tell(op, rq, rs);
		return;
	}
	if (!is_within_limits(op, rq, rs)) {
		tell(op, rq, rs);
		return;
	}
	if (rq->endpoint->form_of)
		http__form(op, rq, rs);
	else if (rq->endpoint->page && !door)
		http__page(op, rq, rs);
	else if (rq->endpoint->page ? http__page_data(op, rq, rs)
				    : answer_api(op, rq, rs))
		tell(op, rq, rs);
	remember_asker(rq);
}

void
http_serve(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	struct timespec from, to;
	const struct err_info *info;

	clock_gettime(CLOCK_MONOTONIC, &from);
	rs->status = 200;
	rs->type = "text/plain";
	rs->headers = buf_new(op, 16 << 10);
	rs->body = buf_new(op, HTTP_REPLY_MAX);
	dispatch(op, rq, rs);
	clock_gettime(CLOCK_MONOTONIC, &to);
	info = err_info(op->err);
	log_at(rs->status >= 500 ? LOG_ERROR
		: op->err        ? LOG_INFO
				 : LOG_DEBUG,
	    "request", LOG_S("request_id", rq->id),
	    LOG_S("trace_id", op->trace), LOG_S("method", rq->method_name),
	    LOG_S("route", rq->endpoint ? rq->endpoint->name : ""),
	    LOG_I("status", rs->status),
	    LOG_S("error", op->err ? info->word : ""), LOG_S("why", op->why),
	    LOG_I("bytes", (int64_t)rs->body->len),
	    LOG_I("us",
		(to.tv_sec - from.tv_sec) * 1000000 +
		    (to.tv_nsec - from.tv_nsec) / 1000));
}

const char *
http_text(const struct http_req *rq, const char *name)
{
	const char *text =
	    json_object_get_string(json_object_object_get(rq->json, name));

	return text ? text : "";
}

void
http_header(struct http_resp *rs, const char *name, const char *fmt, ...)
{
	va_list ap;
	char *value;

	va_start(ap, fmt);
	value = mem_vfmt(rs->headers, fmt, ap);
	va_end(ap);
	assert(!strpbrk(value, "\r\n"));
	buf_fmt(rs->headers, "%s: %s\r\n", name, value);
}

/* What browsers take over TLS alone, for this host alone (RFC 6265bis 4.1.3.2). */
static const char *
host_only(const struct http_req *rq)
{
	return rq->is_https ? "__Host-" : "";
}

void
http_set_cookie(const struct http_req *rq, struct http_resp *rs,
    const char *name, const char *value, int seconds)
{
	http_header(rs, "Set-Cookie",
	    "%s%s=%s; Path=/; Max-Age=%d; HttpOnly; SameSite=Lax%s",
	    host_only(rq), name, seconds ? value : "", seconds,
	    rq->is_https ? "; Secure" : "");
}

char *
http_site(void *owner, const struct http_req *rq)
{
	const char *public = config_get(CONFIG_PUBLIC_URL);
	size_t n = strlen(public);

	while (n && public[n - 1] == '/')
		n--;
	return n ? mem_dup_n(owner, public, n)
		 : mem_fmt(owner, "%s://%s", rq->is_https ? "https" : "http",
		       rq->host);
}

enum err
http_see_other(struct http_resp *rs, const char *path)
{
	rs->status = 303;
	http_header(rs, "Location", "%s", path);
	return ERR_OK;
}

char *
http_cookie(void *owner, const struct http_req *rq, const char *name)
{
	const char *whole_name = mem_fmt(owner, "%s%s", host_only(rq), name);
	const char *s = rq->cookies;
	size_t n = strlen(whole_name);

	while (*s) {
		size_t whole = strcspn(s, ";");

		if (whole > n && strncmp(s, whole_name, n) == 0 && s[n] == '=')
			return mem_dup_n(owner, s + n + 1, whole - n - 1);
		s += whole;
		s += strspn(s, "; ");
	}
	return NULL;
}

bool
http_may_sign_in(const struct http_req *rq)
{
	return rq->is_https || rq->is_loopback;
}

void
http_set_session(
    const struct http_req *rq, struct http_resp *rs, const char *cookie)
{
	http_set_cookie(rq, rs, "s", cookie, *cookie ? SESSION_SECONDS : 0);
}
