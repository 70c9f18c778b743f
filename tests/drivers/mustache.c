/*
 * The Mustache engine at the end of a pipe, for suites of cases.
 *
 * Reads one JSON object a line, {"template", "data", "partials"}, and answers
 * each with one line: a JSON string that is the rendering, or that begins with
 * "error " and says what was wrong.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/op.h"
#include "view/mustache.h"

enum {
	DEPTH_MAX = 256, /* of the JSON in a line */
	ANSWER_MAX = 64 << 20,
};

/* A case's partials by name, parsed. */
struct named {
	const char *name;
	const struct mustache *mustache;
};

struct partials {
	struct named *items;
	size_t n;
};

static const struct mustache *
find(const void *data, const char *name)
{
	const struct partials *p = data;

	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->items[i].name, name) == 0)
			return p->items[i].mustache;
	return NULL;
}

static enum err
parse(void *owner, struct json_object *text, struct mustache **out, char **why)
{
	const char *bytes = json_object_get_string(text);
	size_t n = (size_t)json_object_get_string_len(text);

	return mustache_parse(owner, bytes, n, out, why);
}

static const char *
run(void *owner, struct json_object *test, struct buf *out)
{
	struct json_object *texts = json_object_object_get(test, "partials");
	struct json_object *text = json_object_object_get(test, "template");
	struct partials known = {0};
	struct mustache_partials partials = {.find = find, .data = &known};
	struct mustache *m;
	char *why;

	if (!json_object_is_type(text, json_type_string))
		return "there is no template";
	if (json_object_is_type(texts, json_type_object)) {
		known.items = mem_array(owner, struct named,
		    (size_t)json_object_object_length(texts));
		json_object_object_foreach (texts, name, partial) {
			if (parse(owner, partial, &m, &why))
				return mem_fmt(
				    owner, "partial %s, %s", name, why);
			known.items[known.n++] = (struct named){name, m};
		}
	}
	if (parse(owner, text, &m, &why))
		return why;
	if (mustache_render(
		m, json_object_object_get(test, "data"), &partials, out))
		return "a bound of rendering was reached";
	return NULL;
}

static void
answer(const char *line, size_t n)
{
	void *owner = mem_scope(NULL, "case");
	struct buf *out = buf_new(owner, ANSWER_MAX);
	struct buf *reply = buf_new(owner, 6 * (size_t)ANSWER_MAX);
	struct json_tokener *reader = json_tokener_new_ex(DEPTH_MAX);
	struct json_object *test =
	    op_json(owner, json_tokener_parse_ex(reader, line, (int)n));
	const char *why = "the line is not a JSON object";

	json_tokener_free(reader);
	if (json_object_is_type(test, json_type_object))
		why = run(owner, test, out);
	if (why) {
		buf_reset(out);
		buf_fmt(out, "error %s", why);
	}
	buf_json_text(reply, out->data, out->len);
	puts(reply->data);
	fflush(stdout);
	mem_drop(&owner);
}

int
main(void)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	while ((n = getline(&line, &cap, stdin)) > 0)
		answer(line, (size_t)n);
	free(line);
	return 0;
}
