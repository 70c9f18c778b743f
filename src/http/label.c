/*
 * What fields and their values are called, for people: "Assignee: Mira Okafor"
 * where programs say assigneeId=0193….
 */
#include <ctype.h>
#include <inttypes.h>
#include <json-c/json.h>

#include "auth/auth.h"
#include "base/text.h"
#include "gen/queries.h"
#include "http/http_priv.h"
#include "view/humane.h"

enum { IDS_MAX = 64 << 10, VALUE_MAX = 256 << 10, BEHIND_MAX = 1000 };

char *
http__label(void *owner, const char *name)
{
	struct buf *b = buf_new(owner, 200);
	size_t n = strlen(name);

	if (strcmp(name, "q") == 0)
		return mem_dup(owner, "Words");
	if (n > 2 && text_ends(name, "Id"))
		n -= 2;
	else if (n > 3 && text_ends(name, "Ids"))
		n -= 3;
	for (size_t i = 0; i < n; i++) {
		char c = name[i];

		if (i == 0) {
			buf_char(b, (char)toupper((unsigned char)c));
			continue;
		}
		if (isupper((unsigned char)c))
			buf_char(b, ' ');
		buf_char(b, (char)tolower((unsigned char)c));
	}
	return b->data;
}

static void
put_id(struct buf *ids, struct json_object *value)
{
	const char *text;

	if (json_object_is_type(value, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(value); i++)
			put_id(ids, json_object_array_get_idx(value, i));
		return;
	}
	text = json_object_get_string(value);
	if (text && text_is_uuid(text))
		buf_fmt(ids, "%s%s", ids->len > 1 ? "," : "", text);
}

struct json_object *
http__names(struct op *op, const struct http_req *rq, struct json_object *of)
{
	struct json_object *names = op_json(op, json_object_new_object());
	struct buf *ids = buf_new(op, IDS_MAX);
	struct op *apart = op_new(op, op->id, op->db);
	struct db_call calls[2] = {{.stmt = NULL}, {.stmt = &stmt_names_of}};
	const char *values[1];

	buf_char(ids, '{');
	json_object_object_foreach (of, name, value) {
		(void)name;
		put_id(ids, value);
	}
	buf_char(ids, '}');
	if (ids->len == 2 || ids->full || rq->endpoint->role < ROLE_VIEWER)
		return names;
	values[0] = ids->data;
	calls[1].values = values;
	if (http__enter_call(apart, rq, rq->endpoint, &calls[0]) ||
	    db_run(apart, calls, 2, true))
		return names;
	for (size_t i = 0; i < rows_count(calls[1].rows); i++)
		json_object_object_add(names,
		    rows_text(op, calls[1].rows, i, 0),
		    json_object_new_string(rows_text(op, calls[1].rows, i, 1)));
	return names;
}

/* A value as people read it; a list's items on lines of their own. */
static void
put_value(struct buf *b, struct json_object *value, struct json_object *names)
{
	struct json_object *name = NULL;
	const char *text;

	if (json_object_is_type(value, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(value); i++) {
			buf_text(b, i ? "\n" : "");
			put_value(
			    b, json_object_array_get_idx(value, i), names);
		}
		return;
	}
	if (json_object_is_type(value, json_type_object)) {
		if (!json_object_object_get_ex(value, "name", &name) &&
		    !json_object_object_get_ex(value, "title", &name))
			return;
		value = name;
	}
	text = json_object_get_string(value);
	if (text && json_object_object_get_ex(names, text, &name))
		text = json_object_get_string(name);
	buf_text(b, text ? text : "");
}

char *
http__value_text(
    void *owner, struct json_object *value, struct json_object *names)
{
	struct buf *b = buf_new(owner, VALUE_MAX);

	put_value(b, value, names);
	return b->data;
}

/* What stands in the copy under a field's name: assigneeId is in assignee,
 * too, with a name. False: the copy has no such field. */
static bool
in_copy(struct op *op, struct json_object *copy, const char *name,
    struct json_object **out_value)
{
	char *whole = mem_dup(op, name);

	if (text_ends(name, "Id")) {
		whole[strlen(name) - 2] = '\0';
		if (json_object_object_get_ex(copy, whole, out_value))
			return true;
	} else if (text_ends(name, "Ids")) {
		whole[strlen(name) - 3] = 's';
		whole[strlen(name) - 2] = '\0';
		if (json_object_object_get_ex(copy, whole, out_value))
			return true;
	}
	return json_object_object_get_ex(copy, name, out_value);
}

static bool
is_enumeration(const char *name)
{
	return strcmp(name, "status") == 0 || strcmp(name, "priority") == 0 ||
	    strcmp(name, "state") == 0 || strcmp(name, "role") == 0;
}

static void
put_text(struct json_object *o, const char *key, const char *text)
{
	json_object_object_add(o, key, json_object_new_string(text));
}

static void
put_field(struct op *op, struct json_object *fields, const char *name,
    const char *now, const char *mine, bool is_changed)
{
	struct json_object *row = json_object_new_object();
	bool is_word = is_enumeration(name);

	put_text(row, "label", http__label(op, name));
	put_text(row, "now", is_word ? humane_word(op, now) : now);
	put_text(row, "mine", is_word ? humane_word(op, mine) : mine);
	if (is_changed)
		json_object_object_add(
		    row, "isChanged", json_object_new_boolean(true));
	json_object_array_add(fields, row);
}

static int64_t
version_of(struct json_object *o)
{
	return json_object_get_int64(json_object_object_get(o, "version"));
}

/* The fields that others changed and the form does not send, as its sender
 * last saw them: who completes a sprint should know that its goal is another. */
static void
put_changed(struct op *op, const struct http_req *rq, struct json_object *copy,
    struct json_object *c, struct json_object *fields)
{
	struct op *apart = op_new(op, op->id, op->db);
	struct db_call calls[2] = {
	    {.stmt = NULL}, {.stmt = &stmt_changed_fields}};
	const char *id =
	    json_object_get_string(json_object_object_get(copy, "id"));
	int64_t behind = version_of(copy) - version_of(rq->json);
	const char *values[2] = {id, mem_fmt(op, "%" PRId64, behind)};

	if (!id || !text_is_uuid(id) || behind <= 0 || behind > BEHIND_MAX ||
	    rq->endpoint->role < ROLE_VIEWER)
		return;
	calls[1].values = values;
	if (http__enter_call(apart, rq, rq->endpoint, &calls[0]) ||
	    db_run(apart, calls, 2, true))
		return;
	for (size_t i = 0; i < rows_count(calls[1].rows); i++) {
		const char *name = rows_text(op, calls[1].rows, i, 0);

		if (json_object_object_get_ex(rq->json, name, NULL))
			continue;
		if (strcmp(name, "title") == 0)
			json_object_object_add(
			    c, "isRetitled", json_object_new_boolean(true));
		put_field(op, fields, name, rows_text(op, calls[1].rows, i, 2),
		    rows_text(op, calls[1].rows, i, 1), true);
	}
}

void
http__put_conflict(
    struct op *op, const struct http_req *rq, struct json_object *c)
{
	struct json_object *copy = NULL, *both, *names, *fields;

	(void)json_object_object_get_ex(op->details, "current", &copy);
	fields = json_object_new_array();
	json_object_object_add(c, "fields", fields);
	if (!rq->json)
		return;
	put_changed(op, rq, copy, c, fields);
	both = op_json(op, json_object_new_object());
	json_object_object_foreach (rq->json, key, value) {
		json_object_object_add(both, key, json_object_get(value));
	}
	names = http__names(op, rq, both);
	json_object_object_foreach (rq->json, name, yours) {
		struct json_object *current = NULL;
		bool is_there = in_copy(op, copy, name, &current);
		char *there, *here;

		if (strcmp(name, "version") == 0)
			continue;
		there = http__value_text(op, current, names);
		here = http__value_text(op, yours, names);
		put_field(op, fields, name, there, here,
		    is_there && strcmp(there, here) != 0);
	}
}
