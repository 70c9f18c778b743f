/* The API as an OpenAPI 3.1 document, and GET /api/v1/openapi.json. */
#include "http/openapi.h"

#include <assert.h>
#include <json-c/json.h>
#include <stdio.h>

#include "base/text.h"
#include "config.h"
#include "gen/embed.h"
#include "http/http_priv.h"

enum {
	ERRORS_MAX = 16, /* words of one status */
	NAME_MAX_BYTES = 200,
};

endpoint_handler openapi_show;

/* Writing JSON */

static void
put(struct json_object *o, const char *key, const char *text)
{
	json_object_object_add(o, key, json_object_new_string(text));
}

static void
put_int(struct json_object *o, const char *key, int64_t value)
{
	json_object_object_add(o, key, json_object_new_int64(value));
}

static void
put_bool(struct json_object *o, const char *key, bool value)
{
	json_object_object_add(o, key, json_object_new_boolean(value));
}

static struct json_object *
put_object(struct json_object *o, const char *key)
{
	struct json_object *child = json_object_new_object();

	json_object_object_add(o, key, child);
	return child;
}

static struct json_object *
put_array(struct json_object *o, const char *key)
{
	struct json_object *child = json_object_new_array();

	json_object_object_add(o, key, child);
	return child;
}

static void
add(struct json_object *array, const char *text)
{
	json_object_array_add(array, json_object_new_string(text));
}

static struct json_object *
add_object(struct json_object *array)
{
	struct json_object *child = json_object_new_object();

	json_object_array_add(array, child);
	return child;
}

static struct json_object *
get(struct json_object *o, const char *key)
{
	return json_object_object_get(o, key);
}

/* {"$ref": "#/components/<kind>/<name>"} */
static void
put_ref(struct json_object *o, const char *kind, const char *name)
{
	char ref[NAME_MAX_BYTES + 40];

	snprintf(ref, sizeof(ref), "#/components/%s/%s", kind, name);
	put(o, "$ref", ref);
}

static void
add_ref(struct json_object *array, const char *kind, const char *name)
{
	put_ref(add_object(array), kind, name);
}

/* Schemas */

/* "#/$defs/X" and "other.schema.json#/$defs/X" lead to the components. */
static void
rewrite_refs(void *owner, struct json_object *value)
{
	static const char defs[] = "#/$defs/";

	if (json_object_is_type(value, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(value); i++)
			rewrite_refs(
			    owner, json_object_array_get_idx(value, i));
	} else if (json_object_is_type(value, json_type_object)) {
		const char *ref = json_object_get_string(get(value, "$ref"));
		const char *name = ref ? strstr(ref, defs) : NULL;

		if (name)
			put_ref(value, "schemas",
			    mem_dup(owner, name + strlen(defs)));
		json_object_object_foreach (value, key, member) {
			(void)key;
			rewrite_refs(owner, member);
		}
	}
}

/* What says nothing, but readers of such documents miss: the items of any list,
 * and a property for every name that is required. */
static void
spell_out(struct json_object *schema)
{
	struct json_object *required = get(schema, "required"), *properties;
	struct json_object *type = get(schema, "type");
	bool is_list = false;

	if (json_object_is_type(type, json_type_string))
		is_list = strcmp(json_object_get_string(type), "array") == 0;
	else if (json_object_is_type(type, json_type_array))
		for (size_t i = 0; i < json_object_array_length(type); i++)
			is_list |=
			    strcmp(json_object_get_string(
				       json_object_array_get_idx(type, i)),
				"array") == 0;
	if (is_list && !get(schema, "items"))
		put_object(schema, "items");
	if (!json_object_is_type(required, json_type_array))
		return;
	properties = get(schema, "properties");
	if (!properties)
		properties = put_object(schema, "properties");
	for (size_t i = 0; i < json_object_array_length(required); i++) {
		const char *name = json_object_get_string(
		    json_object_array_get_idx(required, i));

		if (!get(properties, name))
			put_object(properties, name);
	}
}

static void
spell_out_all(struct json_object *value)
{
	if (json_object_is_type(value, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(value); i++)
			spell_out_all(json_object_array_get_idx(value, i));
	} else if (json_object_is_type(value, json_type_object)) {
		json_object_object_foreach (value, key, member) {
			(void)key;
			spell_out_all(member);
		}
		spell_out(value);
	}
}

/* The shape of a refusal with one of these words. */
static void
put_error_shape(struct json_object *top, const enum err *errs, size_t n)
{
	static const char *const names[] = {
	    "code", "message", "details", "requestId"};
	struct json_object *error, *properties, *o, *list;

	put(top, "type", "object");
	add(put_array(top, "required"), "error");
	error = put_object(put_object(top, "properties"), "error");
	put_bool(top, "additionalProperties", false);
	put(error, "type", "object");
	list = put_array(error, "required");
	for (size_t i = 0; i < nitems(names); i++)
		add(list, names[i]);
	properties = put_object(error, "properties");
	put_bool(error, "additionalProperties", false);
	o = put_object(properties, "code");
	put(o, "type", "string");
	list = put_array(o, "enum");
	for (size_t i = 0; i < n; i++)
		add(list, err_info(errs[i])->word);
	put(put_object(properties, "message"), "type", "string");
	o = put_object(properties, "details");
	list = put_array(o, "type");
	add(list, "object");
	add(list, "null");
	put(put_object(properties, "requestId"), "type", "string");
}

static void
put_error_example(struct json_object *o, enum err e)
{
	o = put_object(o, "error");
	put(o, "code", err_info(e)->word);
	put(o, "message", err_info(e)->sentence);
	json_object_object_add(o, "details", NULL);
	put(o, "requestId", "83df5b0d139e107489a604d48f863495");
}

static void
put_error_schema(struct json_object *schemas)
{
	struct json_object *o = put_object(schemas, "Error");
	enum err all[ERR_COUNT];
	size_t n = 0;

	for (enum err e = ERR_OK + 1; e < ERR_COUNT; e++)
		all[n++] = e;
	put(o, "description",
	    "What every refusal looks like: a code for programs (/help/errors), "
	    "a message for people, and details. Those are `errors`, a list of "
	    "`pointer` and `message`, for validation_failed, and `current`, the "
	    "copy in force, for version_conflict. The request id names the "
	    "request in the server's log.");
	put_error_shape(o, all, n);
	put_error_example(
	    add_object(put_array(o, "examples")), ERR_UNAUTHENTICATED);
}

static void
put_schemas(void *owner, struct json_object *components)
{
	struct json_object *schemas = put_object(components, "schemas");

	for (const struct embedded *f = embedded_schemas; f->name; f++) {
		struct json_object *file =
		    op_json(owner, json_tokener_parse(f->text));

		json_object_object_foreach (get(file, "$defs"), name, schema) {
			assert(!json_object_object_get_ex(schemas, name, NULL));
			rewrite_refs(owner, schema);
			spell_out_all(schema);
			json_object_object_add(
			    schemas, name, json_object_get(schema));
		}
	}
	assert(!json_object_object_get_ex(schemas, "Error", NULL));
	put_error_schema(schemas);
	json_object_object_foreach (schemas, name, schema) {
		struct json_object *example;

		if (get(schema, "examples"))
			continue;
		example = http__example(schemas, schema, name);
		json_object_array_add(put_array(schema, "examples"), example);
	}
}

/* Parameters */

static void
put_words(struct json_object *schema, const char *const *words)
{
	struct json_object *list = put_array(schema, "enum");

	put(schema, "type", "string");
	for (; *words; words++)
		add(list, *words);
}

/* A key is an id, a number, or what people say. */
static void
put_key_schema(struct json_object *schema, const struct param *p)
{
	struct json_object *any = put_array(schema, "anyOf"), *o;
	char pattern[64];

	put(schema, "type", "string");
	put(add_object(any), "format", "uuid");
	o = add_object(any);
	if (!p->prefix)
		snprintf(pattern, sizeof(pattern), "^[1-9][0-9]{0,9}$");
	else if (strcmp(p->prefix, "story") == 0)
		snprintf(pattern, sizeof(pattern),
		    "^([A-Z][A-Z0-9]{0,9}-)?[1-9][0-9]{0,9}$");
	else
		snprintf(pattern, sizeof(pattern), "^(%s-)?[1-9][0-9]{0,9}$",
		    p->prefix);
	put(o, "pattern", pattern);
}

static void
put_uuid_or(struct json_object *schema, const char *word)
{
	char pattern[100];

	snprintf(pattern, sizeof(pattern),
	    "^(%s|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$", word);
	put(schema, "pattern", pattern);
}

static void
put_param_schema(struct json_object *schema, const struct param *p)
{
	put(schema, "type", "string");
	switch (p->kind) {
	case PARAM_TEXT:
		put_int(schema, "minLength", p->min);
		put_int(schema, "maxLength", p->max);
		break;
	case PARAM_INT:
		put(schema, "type", "integer");
		put_int(schema, "minimum", p->min);
		put_int(schema, "maximum", p->max);
		break;
	case PARAM_BOOL:
		put(schema, "type", "boolean");
		break;
	case PARAM_UUID:
		if (p->prefix)
			put_uuid_or(schema, p->prefix);
		else
			put(schema, "format", "uuid");
		break;
	case PARAM_DATE:
		put(schema, "format", "date");
		break;
	case PARAM_TIME:
		put(schema, "format", "date-time");
		break;
	case PARAM_ENUM:
		put_words(schema, p->words);
		break;
	case PARAM_MOMENT:
		put(schema, "description",
		    "A revision of the project, a time, or a day: what is shown "
		    "is as it was then.");
		break;
	case PARAM_KEY:
		put_key_schema(schema, p);
		break;
	}
}

static void
put_example(struct json_object *examples, const char *name, const char *value)
{
	put(put_object(examples, name), "value", value);
}

static void
put_key_examples(struct json_object *o, const char *prefix)
{
	struct json_object *examples = put_object(o, "examples");
	char key[32];

	put_example(examples, "id", HTTP_EXAMPLE_ID);
	if (!prefix) {
		put(o, "description", "An id or a number.");
		put_example(examples, "number", "7");
		return;
	}
	snprintf(key, sizeof(key), "%s",
	    strcmp(prefix, "story") == 0 ? "AC-311" : "");
	if (!*key)
		snprintf(key, sizeof(key), "%s-1042", prefix);
	put(o, "description", "An id, a number, or the key people say.");
	put_example(examples, "number", strrchr(key, '-') + 1);
	put_example(examples, "key", key);
}

static void
put_param(struct json_object *list, const struct param *p)
{
	struct json_object *o = add_object(list), *schema;

	put(o, "name", p->name);
	put(o, "in", p->in_path ? "path" : "query");
	put_bool(o, "required", p->in_path);
	if (p->kind == PARAM_KEY)
		put_key_examples(o, p->prefix);
	schema = put_object(o, "schema");
	if (!p->list) {
		put_param_schema(schema, p);
		if (p->in_path && p->kind != PARAM_KEY)
			json_object_object_add(
			    o, "example", http__example(NULL, schema, p->name));
		return;
	}
	put(o, "description", "One or several, separated by commas.");
	put(o, "style", "form");
	put_bool(o, "explode", false);
	put(schema, "type", "array");
	put_int(schema, "minItems", 1);
	put_int(schema, "maxItems", HTTP_LIST_MAX);
	put_param_schema(put_object(schema, "items"), p);
}

/* The order asked for, by name or by its first column. */
static void
put_orders(struct json_object *list, const struct endpoint *e)
{
	struct json_object *o = add_object(list), *schema, *words;

	put(o, "name", "order");
	put(o, "in", "query");
	put_bool(o, "required", false);
	schema = put_object(o, "schema");
	put(schema, "type", "string");
	words = put_array(schema, "enum");
	for (size_t i = 0; i < e->n_orders; i++)
		add(words, e->orders[i].name);
	put(schema, "default", e->orders[0].name);
	o = add_object(list);
	put(o, "name", "sort");
	put(o, "in", "query");
	put_bool(o, "required", false);
	put(o, "description", "The same by column, in place of `order`.");
	schema = put_object(o, "schema");
	put(schema, "type", "string");
	words = put_array(schema, "enum");
	for (size_t i = 0; i < e->n_orders; i++) {
		char sort[NAME_MAX_BYTES];

		snprintf(sort, sizeof(sort), "%s:%s",
		    e->orders[i].columns[0].alias,
		    e->orders[i].descending ? "desc" : "asc");
		add(words, sort);
	}
}

static bool
is_keyed(const struct endpoint *e)
{
	return e->method != METHOD_GET && !e->handler &&
	    (e->has_workspace || e->has_project);
}

/* Whether the body carries the version that If-Match may stand for. */
static bool
has_version(struct json_object *schemas, const struct endpoint *e)
{
	struct json_object *schema = e->body ? get(schemas, e->body) : NULL;

	return get(get(schema, "properties"), "version") != NULL;
}

static void
put_params(struct json_object *operation, struct json_object *schemas,
    const struct endpoint *e)
{
	struct json_object *list = json_object_new_array();

	if (e->has_workspace)
		add_ref(list, "parameters", "ws");
	if (e->has_project)
		add_ref(list, "parameters", "project");
	for (size_t i = 0; i < e->n_params; i++)
		put_param(list, &e->params[i]);
	if (e->n_orders) {
		put_orders(list, e);
		add_ref(list, "parameters", "limit");
		add_ref(list, "parameters", "cursor");
	}
	if (e->cached)
		add_ref(list, "parameters", "ifNoneMatch");
	if (has_version(schemas, e))
		add_ref(list, "parameters", "ifMatch");
	if (is_keyed(e))
		add_ref(list, "parameters", "idempotencyKey");
	if (json_object_array_length(list))
		json_object_object_add(operation, "parameters", list);
	else
		json_object_put(list);
}

/* A parameter that several endpoints share; returns its schema. */
static struct json_object *
put_shared(struct json_object *parameters, const char *key, const char *name,
    const char *in, const char *description)
{
	struct json_object *o = put_object(parameters, key), *schema;

	put(o, "name", name);
	put(o, "in", in);
	put_bool(o, "required", strcmp(in, "path") == 0);
	put(o, "description", description);
	schema = put_object(o, "schema");
	put(schema, "type", "string");
	return schema;
}

static void
put_shared_params(struct json_object *components)
{
	struct json_object *all = put_object(components, "parameters"), *o;

	put_shared(
	    all, "ws", "ws", "path", "The workspace: its id or its slug.");
	o = put_object(get(all, "ws"), "examples");
	put_example(o, "id", HTTP_EXAMPLE_ID);
	put_example(o, "slug", "acme");
	put_shared(all, "project", "project", "path",
	    "The project: its id, or its key where only one of your workspaces "
	    "has such a project.");
	o = put_object(get(all, "project"), "examples");
	put_example(o, "id", HTTP_EXAMPLE_ID);
	put_example(o, "key", "AC");
	o = put_shared(
	    all, "limit", "limit", "query", "How many items a page has.");
	put(o, "type", "integer");
	put_int(o, "minimum", 1);
	put_int(o, "maximum", HTTP_LIMIT_MAX);
	put_int(o, "default", HTTP_LIMIT_DEFAULT);
	put_shared(all, "cursor", "cursor", "query",
	    "`next` or `previous` of another page of the same list.");
	put_shared(all, "ifNoneMatch", "If-None-Match", "header",
	    "The ETag you hold: 304 when nothing has changed since.");
	put_shared(all, "ifMatch", "If-Match", "header",
	    "The ETag of what you change, in place of the body's `version`.");
	o = put_shared(all, "idempotencyKey", "Idempotency-Key", "header",
	    "Makes the write safe to repeat: the same key gets the first "
	    "answer again.");
	put_int(o, "minLength", 1);
	put_int(o, "maxLength", 200);
}

/* Errors: which ones an endpoint can give */

/* Whether a statement of the endpoint may answer with the word: in column "!"
 * or otherwise, it stands there in quotes. */
static bool
says(const struct endpoint *e, const char *word)
{
	char quoted[NAME_MAX_BYTES];

	snprintf(quoted, sizeof(quoted), "'%s'", word);
	for (size_t i = 0; i < e->n_parts; i++)
		for (size_t k = 0; k < e->parts[i].n_pieces; k++) {
			const struct piece *piece = &e->parts[i].pieces[k];

			if (piece->kind == PIECE_TEXT &&
			    strstr(piece->text, quoted))
				return true;
		}
	return false;
}

static bool
declares(const struct endpoint *e, const char *word)
{
	for (const char *const *w = e->errors; w && *w; w++)
		if (strcmp(*w, word) == 0)
			return true;
	return false;
}

static bool
can_give(const struct endpoint *e, enum err err)
{
	const char *word = err_info(err)->word;
	bool writes = e->method != METHOD_GET;

	if (says(e, word) || declares(e, word))
		return true;
	/* which codes a statement meets in general; every other one is said */
	if (err == ERR_BAD_REQUEST || err == ERR_VALIDATION_FAILED ||
	    err == ERR_INTERNAL || err == ERR_UNAVAILABLE || err == ERR_TIMEOUT)
		return true;
	if (err == ERR_UNAUTHENTICATED)
		return e->role != ROLE_PUBLIC;
	if (err == ERR_FORBIDDEN)
		return e->role > ROLE_VIEWER;
	if (err == ERR_NOT_FOUND)
		return strchr(e->path, '{') != NULL;
	if (err == ERR_AMBIGUOUS_KEY)
		return e->has_project && !e->has_workspace;
	if (err == ERR_CONFLICT)
		return writes && e->n_parts;
	if (err == ERR_IN_FLIGHT || err == ERR_IDEMPOTENCY_KEY_REUSED)
		return is_keyed(e);
	if (err == ERR_BODY_TOO_LARGE || err == ERR_UNSUPPORTED_MEDIA_TYPE)
		return e->body != NULL;
	if (err == ERR_RATE_LIMITED)
		return e->role != ROLE_PUBLIC || e->slow;
	return false;
}

static void
put_header(struct json_object *response, const char *name,
    const char *description, const char *type)
{
	struct json_object *headers = get(response, "headers"), *o;

	if (!headers)
		headers = put_object(response, "headers");
	o = put_object(headers, name);
	put(o, "description", description);
	put(put_object(o, "schema"), "type", type);
}

/* The response of one status and these words, made once. */
static void
put_error_response(void *owner, struct json_object *responses, const char *name,
    const enum err *errs, size_t n)
{
	struct json_object *o, *json;
	struct buf *text = buf_new(owner, 8 << 10);
	int status = err_info(errs[0])->status;

	if (get(responses, name))
		return;
	o = put_object(responses, name);
	json = put_object(put_object(o, "content"), "application/json");
	put_error_shape(put_object(json, "schema"), errs, n);
	for (size_t i = 0; i < n; i++) {
		const struct err_info *info = err_info(errs[i]);

		buf_fmt(text, "%s`%s`: %s", i ? "\n\n" : "", info->word,
		    info->sentence);
	}
	put(o, "description", text->data);
	put_error_example(put_object(json, "example"), errs[0]);
	if (status == 401)
		put_header(o, "WWW-Authenticate", "Bearer.", "string");
	if (status == 429 || status == 503)
		put_header(o, "Retry-After", "Seconds to wait.", "integer");
}

static void
put_errors(void *owner, struct json_object *responses,
    struct json_object *shared, const struct endpoint *e)
{
	static const int statuses[] = {
	    400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 503};

	for (size_t s = 0; s < nitems(statuses); s++) {
		enum err errs[ERRORS_MAX];
		char name[NAME_MAX_BYTES] = "", status[8];
		size_t n = 0, length = 0;

		for (enum err i = ERR_OK + 1; i < ERR_COUNT; i++) {
			if (err_info(i)->status != statuses[s] ||
			    !can_give(e, i))
				continue;
			assert(n < nitems(errs));
			errs[n++] = i;
			length += (size_t)snprintf(name + length,
			    sizeof(name) - length, "%s%s", length ? "." : "",
			    err_info(i)->word);
			assert(length < sizeof(name));
		}
		if (!n)
			continue;
		put_error_response(owner, shared, name, errs, n);
		snprintf(status, sizeof(status), "%d", statuses[s]);
		put_ref(put_object(responses, status), "responses", name);
	}
}

/* Replies */

static void
put_nullable_text(struct json_object *properties, const char *name)
{
	struct json_object *type =
	    put_array(put_object(properties, name), "type");

	add(type, "string");
	add(type, "null");
}

static void
put_reply_schema(struct json_object *schema, const struct endpoint *e)
{
	struct json_object *required, *properties, *items;

	if (e->reply == REPLY_ONE) {
		put_ref(schema, "schemas", e->reply_type);
		return;
	}
	put(schema, "type", "object");
	required = put_array(schema, "required");
	add(required, "items");
	properties = put_object(schema, "properties");
	items = put_object(properties, "items");
	put(items, "type", "array");
	put_ref(put_object(items, "items"), "schemas", e->reply_type);
	if (e->reply == REPLY_PAGE) {
		add(required, "next");
		add(required, "previous");
		put_nullable_text(properties, "next");
		put_nullable_text(properties, "previous");
	}
	put_bool(schema, "additionalProperties", false);
}

static const char *
success(const struct endpoint *e)
{
	if (e->status == 201)
		return "Made.";
	if (e->status == 202)
		return "Queued.";
	if (e->status == 302)
		return "The browser goes on to the Location.";
	if (e->status == 204)
		return "Done; there is nothing to say.";
	switch (e->reply) {
	case REPLY_PAGE:
		return "A page of the list, and the cursors of its neighbours.";
	case REPLY_LIST:
		return "The whole list.";
	case REPLY_NONE:
	case REPLY_ONE:
		break;
	}
	return "As asked.";
}

/* What says how the server is says so in its own shape when it is not well. */
static void
put_own_503(struct json_object *responses, const struct endpoint *e)
{
	struct json_object *o = put_object(responses, "503"), *any;

	put(o, "description", "Not well, or not ready.");
	any = put_array(
	    put_object(put_object(put_object(o, "content"), "application/json"),
		"schema"),
	    "anyOf");
	add_ref(any, "schemas", e->reply_type);
	add_ref(any, "schemas", "Error");
}

/* JSON; of a list CSV, too. */
static void
put_content(struct json_object *content, const struct endpoint *e)
{
	put_reply_schema(
	    put_object(put_object(content, "application/json"), "schema"), e);
	if (e->reply == REPLY_LIST || e->reply == REPLY_PAGE)
		put(put_object(put_object(content, "text/csv"), "schema"),
		    "type", "string");
}

static void
put_responses(void *owner, struct json_object *operation,
    struct json_object *components, const struct endpoint *e)
{
	struct json_object *responses = put_object(operation, "responses");
	struct json_object *reply =
	    get(get(components, "schemas"), e->reply_type ? e->reply_type : "");
	struct json_object *o;
	char status[8];

	snprintf(status, sizeof(status), "%d", e->status);
	o = put_object(responses, status);
	put(o, "description", success(e));
	if (e->reply == REPLY_NONE && e->status == 200)
		put(put_object(
			put_object(put_object(o, "content"), "text/plain"),
			"schema"),
		    "type", "string");
	else if (e->reply != REPLY_NONE)
		put_content(put_object(o, "content"), e);
	if (e->cached ||
	    (e->reply == REPLY_ONE && get(get(reply, "properties"), "version")))
		put_header(o, "ETag", "Names this state.", "string");
	if (e->cached)
		put(put_object(responses, "304"), "description",
		    "Nothing has changed since the ETag you hold.");
	put_errors(owner, responses, get(components, "responses"), e);
	if (!text_starts(e->path, "/api/") && e->reply == REPLY_ONE)
		put_own_503(responses, e);
}

/* Operations */

static const char *const method_keys[] = {
    [METHOD_GET] = "get",
    [METHOD_POST] = "post",
    [METHOD_PUT] = "put",
    [METHOD_PATCH] = "patch",
    [METHOD_DELETE] = "delete",
};

static const char *
role_word(enum role role)
{
	static const char *const words[] = {
	    "user", "viewer", "member", "admin", "owner"};

	return role == ROLE_PUBLIC ? "public" : words[role];
}

/* The first sentence of the block's prose; where there is none, the name. */
static void
put_summary(
    void *owner, struct json_object *operation, const struct endpoint *e)
{
	const char *end = strstr(e->doc, ". ");
	size_t n = end ? (size_t)(end - e->doc) : strlen(e->doc);
	char *text;

	if (n && e->doc[n - 1] == '.')
		n--;
	if (n) {
		text = mem_dup_n(owner, e->doc, n);
	} else {
		text = mem_dup(owner, e->name);
		for (char *c = text; *c; c++)
			*c = *c == '_' ? ' ' : *c;
		*text = (char)(*text - 'a' + 'A');
	}
	put(operation, "summary", text);
	put(operation, "description",
	    *e->doc ? e->doc : mem_fmt(owner, "%s.", text));
}

/* "insights" of "sql/api/insights.sql:3" */
static char *
tag_of(void *owner, const struct endpoint *e)
{
	const char *name = strrchr(e->source, '/') + 1;

	return mem_dup_n(owner, name, strcspn(name, "."));
}

static void
put_operation(void *owner, struct json_object *doc, const struct endpoint *e)
{
	struct json_object *paths = get(doc, "paths"), *item, *o, *list;
	struct json_object *components = get(doc, "components");

	item = get(paths, e->path);
	if (!item)
		item = put_object(paths, e->path);
	o = put_object(item, method_keys[e->method]);
	put(o, "operationId", e->name);
	put_summary(owner, o, e);
	add(put_array(o, "tags"), tag_of(owner, e));
	put(o, "x-role", role_word(e->role));
	list = put_array(o, "security");
	if (e->role != ROLE_PUBLIC)
		put_array(add_object(list), "bearer");
	put_params(o, get(components, "schemas"), e);
	if (e->body) {
		struct json_object *body = put_object(o, "requestBody");

		put_bool(body, "required", true);
		put_ref(put_object(put_object(put_object(body, "content"),
				       "application/json"),
			    "schema"),
		    "schemas", e->body);
	}
	put_responses(owner, o, components, e);
}

static void
put_tags(void *owner, struct json_object *doc)
{
	struct json_object *tags = put_array(doc, "tags");
	struct json_object *seen = op_json(owner, json_object_new_object());

	for (size_t i = 0; i < n_endpoints; i++) {
		char *tag = tag_of(owner, &endpoints[i]);

		if (!openapi_has(&endpoints[i]) ||
		    json_object_object_get_ex(seen, tag, NULL))
			continue;
		put_bool(seen, tag, true);
		put(add_object(tags), "name", tag);
	}
}

static void
put_info(struct json_object *doc)
{
	struct json_object *o;

	put(doc, "openapi", "3.1.0");
	o = put_object(doc, "info");
	put(o, "title", "Gnomon");
	put(o, "version", PACKAGE_VERSION);
	put(o, "summary", "Delivery work, and what there is to know about it.");
	put(o, "description",
	    "Every request but those that are public carries an access token "
	    "(`POST /api/v1/auth/login`) as `Authorization: Bearer`. What you "
	    "cannot see is `not_found`. Bodies are JSON in UTF-8, at most 1 MB; "
	    "times are RFC 3339 in UTC; money is in millionths of a dollar. "
	    "`x-role` is the lowest role that may ask. Unknown parameters and "
	    "fields are refused. `/help/api` says the same for people, "
	    "`/help/errors` what each error means.");
	put(put_object(o, "contact"), "name", "Whoever runs this server");
	o = add_object(put_array(doc, "servers"));
	put(o, "url", "/");
	put(o, "description", "This server.");
}

bool
openapi_has(const struct endpoint *e)
{
	return !e->page && !e->form_of;
}

struct json_object *
openapi_make(void *owner)
{
	struct json_object *doc = op_json(owner, json_object_new_object()), *o;
	struct json_object *components;
	void *scratch = mem_scope(owner, "openapi");

	put_info(doc);
	put_tags(scratch, doc);
	put_object(doc, "paths");
	components = put_object(doc, "components");
	put_schemas(scratch, components);
	put_shared_params(components);
	put_object(components, "responses");
	o = put_object(put_object(components, "securitySchemes"), "bearer");
	put(o, "type", "http");
	put(o, "scheme", "bearer");
	put(o, "bearerFormat", "JWT");
	put(o, "description",
	    "The `accessToken` of `POST /api/v1/auth/login`.");
	for (size_t i = 0; i < n_endpoints; i++)
		if (openapi_has(&endpoints[i]))
			put_operation(scratch, doc, &endpoints[i]);
	mem_drop(&scratch);
	return doc;
}

/* The document as it is sent. */
static struct {
	const char *text;
	size_t n;
	char tag[24];
} sent;

struct json_object *
http__openapi_open(void *owner)
{
	struct json_object *doc = openapi_make(owner);
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	sent.text = mem_dup(owner,
	    json_object_to_json_string_ext(
		doc, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	sent.n = strlen(sent.text);
	for (const char *s = sent.text; *s; s++)
		h = (h ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
	snprintf(
	    sent.tag, sizeof(sent.tag), "W/\"%016llx\"", (unsigned long long)h);
	return doc;
}

/* GET /api/v1/openapi.json */
enum err
openapi_show(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	(void)op;
	rs->type = "application/json";
	http_header(rs, "ETag", "%s", sent.tag);
	http_header(rs, "Cache-Control", "public, no-cache");
	if (strstr(rq->if_none_match, strchr(sent.tag, '"')))
		rs->status = 304;
	else
		buf_add(rs->body, sent.text, sent.n);
	return ERR_OK;
}
