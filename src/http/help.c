/*
 * The help pages about the API and its errors, made from the OpenAPI document
 * and err.def: pages whose document a C function writes.
 */
#include <json-c/json.h>

#include "base/text.h"
#include "http/http_priv.h"
#include "http/openapi.h"

enum { FIELD_DEPTH = 4, LINE_MAX_BYTES = 16 << 10, HELP_MAX = 8 << 20 };

endpoint_handler help_api;
endpoint_handler help_errors;
endpoint_handler help_error;

static struct {
	const char *text;
	size_t n;
} api; /* the document of /help/api, made once */

static void
put(struct json_object *o, const char *key, const char *text)
{
	json_object_object_add(o, key, json_object_new_string(text));
}

static struct json_object *
put_array(struct json_object *o, const char *key)
{
	struct json_object *child = json_object_new_array();

	json_object_object_add(o, key, child);
	return child;
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

static const char *
get_text(struct json_object *o, const char *key)
{
	const char *text = json_object_get_string(get(o, key));

	return text ? text : "";
}

static size_t
count(struct json_object *array)
{
	return array ? json_object_array_length(array) : 0;
}

static struct json_object *
at(struct json_object *array, size_t i)
{
	return json_object_array_get_idx(array, i);
}

static const char *
last_segment(const char *ref)
{
	const char *slash = strrchr(ref, '/');

	return slash ? slash + 1 : ref;
}

/* What a "$ref" names: "#/components/<kind>/<name>"; else the value itself. */
static struct json_object *
resolve(struct json_object *doc, struct json_object *o)
{
	const char *ref = get_text(o, "$ref");

	json_object_object_foreach (get(doc, "components"), kind, members) {
		const char *of = strstr(ref, kind);

		if (of && of[strlen(kind)] == '/')
			return get(members, last_segment(ref));
	}
	return o;
}

/* What a value is, in words */

static void put_type(struct buf *b, struct json_object *schema);

static void
put_joined(struct buf *b, struct json_object *words)
{
	for (size_t i = 0; i < count(words); i++)
		buf_fmt(b, "%s%s", i ? ", " : "",
		    json_object_get_string(at(words, i)));
}

/* ", 1 to 120 characters", ", at least 1": how far a value may go. */
static void
put_range(struct buf *b, struct json_object *schema, const char *low,
    const char *high, const char *unit)
{
	struct json_object *min = get(schema, low), *max = get(schema, high);

	if (min && max && json_object_get_double(min) > 0)
		buf_fmt(b, ", %s to %s%s", json_object_get_string(min),
		    json_object_get_string(max), unit);
	else if (max)
		buf_fmt(b, ", at most %s%s", json_object_get_string(max), unit);
	else if (min)
		buf_fmt(
		    b, ", at least %s%s", json_object_get_string(min), unit);
}

static void
put_text_type(struct buf *b, struct json_object *schema)
{
	static const struct {
		const char *format, *words;
	} formats[] = {
	    {"uuid", "id"},
	    {"date-time", "time"},
	    {"date", "date"},
	    {"email", "e-mail address"},
	};
	const char *format = get_text(schema, "format");

	for (size_t i = 0; i < nitems(formats); i++) {
		if (strcmp(formats[i].format, format) == 0) {
			buf_text(b, formats[i].words);
			return;
		}
	}
	buf_text(b, "text");
	put_range(b, schema, "minLength", "maxLength", " characters");
	if (*get_text(schema, "pattern"))
		buf_fmt(b, ", matching %s", get_text(schema, "pattern"));
}

static void
put_one_type(struct buf *b, struct json_object *schema, const char *type)
{
	if (strcmp(type, "null") == 0) {
		buf_text(b, "null");
	} else if (strcmp(type, "array") == 0) {
		buf_text(b, "list");
		if (get(schema, "items")) {
			buf_text(b, " of ");
			put_type(b, get(schema, "items"));
		}
	} else if (strcmp(type, "integer") == 0) {
		buf_text(b, "whole number");
		put_range(b, schema, "minimum", "maximum", "");
	} else if (strcmp(type, "number") == 0) {
		buf_text(b, "number");
		put_range(b, schema, "minimum", "maximum", "");
	} else if (strcmp(type, "boolean") == 0) {
		buf_text(b, "true or false");
	} else if (strcmp(type, "object") == 0) {
		buf_text(b, "object");
	} else {
		put_text_type(b, schema);
	}
}

static void
put_branches(struct buf *b, struct json_object *any)
{
	const char * or = "";

	/* null comes last, as in the types */
	for (size_t i = 0; i < count(any); i++) {
		struct json_object *branch = at(any, i);

		if (strcmp(get_text(branch, "type"), "null") == 0)
			continue;
		buf_text(b, or);
		put_type(b, branch);
		or = " or ";
	}
	for (size_t i = 0; i < count(any); i++)
		if (strcmp(get_text(at(any, i), "type"), "null") == 0)
			buf_text(b, " or null");
}

static void
put_type(struct buf *b, struct json_object *schema)
{
	struct json_object *type = get(schema, "type"), *word = NULL;

	if (*get_text(schema, "$ref")) {
		buf_text(b, last_segment(get_text(schema, "$ref")));
	} else if (get(schema, "anyOf")) {
		put_branches(b, get(schema, "anyOf"));
	} else if (get(schema, "enum")) {
		buf_text(b, "one of ");
		put_joined(b, get(schema, "enum"));
	} else if (json_object_object_get_ex(schema, "const", &word)) {
		buf_fmt(b, "always %s", json_object_get_string(word));
	} else if (json_object_is_type(type, json_type_array)) {
		for (size_t i = 0; i < count(type); i++) {
			buf_text(b, i ? " or " : "");
			put_one_type(
			    b, schema, json_object_get_string(at(type, i)));
		}
	} else if (type) {
		put_one_type(b, schema, json_object_get_string(type));
	} else {
		buf_text(b, "any value");
	}
}

static void
put_type_at(void *owner, struct json_object *row, struct json_object *schema)
{
	struct buf *b = buf_new(owner, LINE_MAX_BYTES);

	put_type(b, schema);
	put(row, "type", b->data);
}

/* Shapes: the fields of a schema, nested ones behind a dot */

static bool
is_required(struct json_object *schema, const char *name)
{
	struct json_object *required = get(schema, "required");

	for (size_t i = 0; i < count(required); i++)
		if (strcmp(json_object_get_string(at(required, i)), name) == 0)
			return true;
	return false;
}

/* The object inside a value that may also be null, or a list of it. */
static struct json_object *
object_in(struct json_object *schema, const char **out_suffix)
{
	struct json_object *any = get(schema, "anyOf");

	*out_suffix = "";
	if (get(schema, "items")) {
		schema = get(schema, "items");
		*out_suffix = "[]";
	}
	for (size_t i = 0; i < count(any); i++)
		if (get(at(any, i), "properties"))
			schema = at(any, i);
	return get(schema, "properties") ? schema : NULL;
}

static void
put_fields(void *owner, struct json_object *list, struct json_object *schema,
    const char *prefix, int depth)
{
	struct json_object *properties;

	if (!json_object_object_get_ex(schema, "properties", &properties) ||
	    depth > FIELD_DEPTH)
		return;
	json_object_object_foreach (properties, key, value) {
		struct json_object *row = add_object(list), *inner;
		char *name = mem_fmt(owner, "%s%s", prefix, key);
		const char *suffix;

		put(row, "name", name);
		put_type_at(owner, row, value);
		if (!is_required(schema, key))
			put(row, "optional", "yes");
		if (*get_text(value, "description"))
			put(row, "note", get_text(value, "description"));
		inner = object_in(value, &suffix);
		if (inner)
			put_fields(owner, list, inner,
			    mem_fmt(owner, "%s%s.", name, suffix), depth + 1);
	}
}

static void
put_shapes(void *owner, struct json_object *page, struct json_object *doc)
{
	struct json_object *list = put_array(page, "shapes");

	json_object_object_foreach (
	    get(get(doc, "components"), "schemas"), name, schema) {
		struct json_object *shape = add_object(list);

		put(shape, "name", name);
		if (*get_text(schema, "description"))
			put(shape, "about", get_text(schema, "description"));
		put_fields(owner, put_array(shape, "fields"), schema, "", 0);
	}
}

/* Endpoints */

static void
put_params(void *owner, struct json_object *row, struct json_object *doc,
    struct json_object *operation)
{
	struct json_object *params = get(operation, "parameters"), *list;

	if (!count(params))
		return;
	list = put_array(row, "params");
	for (size_t i = 0; i < count(params); i++) {
		struct json_object *p = resolve(doc, at(params, i));
		struct json_object *line = add_object(list);
		const char *in = get_text(p, "in");

		put(line, "name", get_text(p, "name"));
		put(line, "in", strcmp(in, "query") == 0 ? "after ?" : in);
		if (*get_text(p, "description"))
			put(line, "note", get_text(p, "description"));
		put_type_at(owner, line, get(p, "schema"));
	}
}

/* The schema of a JSON body or reply. */
static struct json_object *
json_of(struct json_object *o)
{
	return get(get(get(o, "content"), "application/json"), "schema");
}

/* "200", "a page of Insight": what success looks like. */
static void
put_reply(struct json_object *row, struct json_object *operation)
{
	json_object_object_foreach (
	    get(operation, "responses"), status, reply) {
		struct json_object *schema, *items;

		if (*status != '2')
			continue;
		put(row, "status", status);
		schema = json_of(reply);
		if (!schema) {
			if (get(reply, "content"))
				put(row, "text", "yes");
			continue;
		}
		items = get(get(get(schema, "properties"), "items"), "items");
		if (items)
			put(row, "many",
			    get(get(schema, "properties"), "next") ? "page"
								   : "list");
		put(row, "reply",
		    last_segment(get_text(items ? items : schema, "$ref")));
	}
}

/* What every address can answer is said once, at the top of the page. */
static bool
is_common(const char *code, size_t n)
{
	static const enum err common[] = {ERR_BAD_REQUEST, ERR_UNAUTHENTICATED,
	    ERR_VALIDATION_FAILED, ERR_RATE_LIMITED, ERR_INTERNAL,
	    ERR_UNAVAILABLE, ERR_TIMEOUT};

	for (size_t i = 0; i < nitems(common); i++) {
		const char *word = err_info(common[i])->word;

		if (strlen(word) == n && strncmp(word, code, n) == 0)
			return true;
	}
	return false;
}

static void
put_errors(struct json_object *row, struct json_object *operation)
{
	struct json_object *list = put_array(row, "errors");

	json_object_object_foreach (
	    get(operation, "responses"), status, reply) {
		const char *words = last_segment(get_text(reply, "$ref"));

		for (size_t n; *words; words += n + (words[n] == '.')) {
			struct json_object *line;

			n = strcspn(words, ".");
			if (is_common(words, n))
				continue;
			if (count(list))
				put(at(list, count(list) - 1), "comma", ",");
			line = add_object(list);
			json_object_object_add(line, "code",
			    json_object_new_string_len(words, (int)n));
			put(line, "status", status);
		}
	}
}

/* What stands for {name} in the example: what people say, if anything. */
static const char *
example_for(struct json_object *doc, struct json_object *operation,
    const char *name, size_t n)
{
	struct json_object *params = get(operation, "parameters");
	const char *value = "";

	for (size_t i = 0; i < count(params); i++) {
		struct json_object *p = resolve(doc, at(params, i)), *all;

		if (strlen(get_text(p, "name")) != n ||
		    strncmp(get_text(p, "name"), name, n) != 0)
			continue;
		value = get_text(p, "example");
		if (!json_object_object_get_ex(p, "examples", &all))
			return value;
		json_object_object_foreach (all, which, example) {
			(void)which;
			value = get_text(example, "value");
		}
	}
	return value;
}

/* The example of the body for a shell's '…': an apostrophe is escaped. */
static void
put_shell_json(struct buf *b, struct json_object *example)
{
	const char *s = json_object_to_json_string_ext(
	    example, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);

	for (; *s; s++) {
		if (*s == '\'')
			buf_text(b, "\\u0027");
		else
			buf_char(b, *s);
	}
}

static void
put_curl(void *owner, struct json_object *row, struct json_object *doc,
    const char *method, const char *path, struct json_object *operation)
{
	struct buf *b = buf_new(owner, LINE_MAX_BYTES);
	struct json_object *body = json_of(get(operation, "requestBody"));

	buf_text(b, "curl");
	if (strcmp(method, "GET") != 0)
		buf_fmt(b, " -X %s", method);
	buf_text(b, " \"$GNOMON");
	while (*path) {
		size_t n = strcspn(path, "{"), k;

		buf_add(b, path, n);
		path += n;
		if (!*path)
			break;
		k = strcspn(++path, "}");
		buf_text(b, example_for(doc, operation, path, k));
		path += k + 1;
	}
	buf_char(b, '"');
	if (count(get(operation, "security")))
		buf_text(b, " -H \"Authorization: Bearer $TOKEN\"");
	if (body) {
		buf_text(b, " -H 'Content-Type: application/json' -d '");
		put_shell_json(b, at(get(resolve(doc, body), "examples"), 0));
		buf_char(b, '\'');
	}
	put(row, "curl", b->data);
}

static void
put_endpoint(void *owner, struct json_object *list, struct json_object *doc,
    const char *key, const char *path, struct json_object *operation)
{
	static const struct {
		const char *role, *who;
	} roles[] = {
	    {"public", "Anyone"},
	    {"user", "Whoever is signed in"},
	    {"viewer", "Viewer or higher"},
	    {"member", "Member or higher"},
	    {"admin", "Admin or owner"},
	    {"owner", "Owner"},
	};
	struct json_object *row = add_object(list);
	const char *body =
	    get_text(json_of(get(operation, "requestBody")), "$ref");
	char *method = mem_dup(owner, key);

	for (char *c = method; *c; c++)
		*c = (char)(*c - 'a' + 'A');
	put(row, "name", get_text(operation, "operationId"));
	put(row, "method", method);
	put(row, "path", path);
	put(row, "about", get_text(operation, "description"));
	for (size_t i = 0; i < nitems(roles); i++)
		if (strcmp(roles[i].role, get_text(operation, "x-role")) == 0)
			put(row, "who", roles[i].who);
	put_params(owner, row, doc, operation);
	if (*body)
		put(row, "body", last_segment(body));
	put_reply(row, operation);
	put_errors(row, operation);
	put_curl(owner, row, doc, method, path, operation);
}

static void
put_groups(void *owner, struct json_object *page, struct json_object *doc)
{
	struct json_object *groups = put_array(page, "groups");
	struct json_object *tags = get(doc, "tags");
	int64_t n = 0;

	for (size_t i = 0; i < count(tags); i++) {
		const char *tag = get_text(at(tags, i), "name");
		struct json_object *group = add_object(groups), *list;
		char *title = mem_dup(owner, tag);

		*title = (char)(*title - 'a' + 'A');
		put(group, "tag", tag);
		put(group, "title", title);
		list = put_array(group, "endpoints");
		json_object_object_foreach (get(doc, "paths"), path, item) {
			json_object_object_foreach (item, key, operation) {
				struct json_object *own =
				    at(get(operation, "tags"), 0);

				if (strcmp(json_object_get_string(own), tag) !=
				    0)
					continue;
				put_endpoint(
				    owner, list, doc, key, path, operation);
				n++;
			}
		}
	}
	json_object_object_add(page, "endpointCount", json_object_new_int64(n));
	json_object_object_add(
	    page, "groupCount", json_object_new_int64((int64_t)count(groups)));
}

void
http__help_open(void *owner)
{
	void *scratch = mem_scope(owner, "help");
	struct json_object *page = op_json(scratch, json_object_new_object());
	struct json_object *doc = http__openapi_open(owner);

	put_groups(scratch, page, doc);
	put_shapes(scratch, page, doc);
	api.text = mem_dup(owner,
	    json_object_to_json_string_ext(page, JSON_C_TO_STRING_PLAIN));
	api.n = strlen(api.text);
	mem_drop(&scratch);
}

/* GET /help/api; the lines for curl begin with the address people used */
enum err
help_api(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	const char *origin =
	    mem_fmt(op, "%s://%s", rq->is_https ? "https" : "http", rq->host);

	buf_text(rs->body, "{\"origin\":");
	buf_json_text(rs->body, origin, strlen(origin));
	buf_char(rs->body, ',');
	buf_add(rs->body, api.text + 1, api.n - 1);
	return ERR_OK;
}

static void
put_error(struct json_object *o, enum err e)
{
	const struct err_info *info = err_info(e);

	put(o, "code", info->word);
	json_object_object_add(o, "status", json_object_new_int(info->status));
	put(o, "sentence", info->sentence);
	put(o, "remedy", info->remedy);
}

static void
write(struct http_resp *rs, struct json_object *page)
{
	buf_text(rs->body,
	    json_object_to_json_string_ext(page, JSON_C_TO_STRING_PLAIN));
}

/* GET /help/errors, in order of status */
enum err
help_errors(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	struct json_object *page = op_json(op, json_object_new_object());
	struct json_object *list = put_array(page, "list");

	(void)rq;
	for (int status = 400; status < 600; status++)
		for (enum err e = ERR_OK + 1; e < ERR_COUNT; e++)
			if (err_info(e)->status == status)
				put_error(add_object(list), e);
	write(rs, page);
	return ERR_OK;
}

/* GET /help/errors/{code} */
enum err
help_error(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	struct json_object *page = op_json(op, json_object_new_object());
	const char *code = http_segment(rq, "code");
	enum err e = err_of_word(code);

	if (strcmp(err_info(e)->word, code) != 0)
		return op_fail(op, ERR_NOT_FOUND, "error %s", code);
	put_error(page, e);
	write(rs, page);
	return ERR_OK;
}
