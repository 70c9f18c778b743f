/*
 * The Markdown writer at the end of a pipe, for suites of cases.
 *
 * Reads one JSON object a line, {"markdown"}, and answers each with one line:
 * a JSON string that is the HTML, or that begins with "error " and says what
 * was wrong. The HTML is CommonMark's, as cmark-gfm writes it in safe mode, so
 * that the examples of the specification can be compared; where one of them
 * has HTML of its own, <!-- raw HTML omitted --> stands instead, and links to
 * javascript: and its like lead nowhere.
 *
 *   --page    the HTML that pages show instead (view/markdown.h)
 *   --codes   the fenced code blocks instead, as a list of objects
 */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/op.h"
#include "view/markdown.h"

enum { ANSWER_MAX = 64 << 20 };

enum form { PLAIN, PAGE, CODES };

static struct json_object *
list_codes(void *owner, const char *text, size_t n)
{
	struct json_object *list = op_json(owner, json_object_new_array());
	struct markdown_code *codes;
	size_t n_codes = markdown_codes(owner, text, n, &codes);

	for (size_t i = 0; i < n_codes; i++) {
		const struct markdown_code *code = &codes[i];
		const struct {
			const char *name;
			size_t value;
		} numbers[] = {
		    {"startLine", code->start_line},
		    {"endLine", code->end_line},
		    {"startIndex", code->start_index},
		    {"endIndex", code->end_index},
		};
		struct json_object *row = json_object_new_object();

		json_object_object_add(
		    row, "language", json_object_new_string(code->language));
		json_object_object_add(
		    row, "code", json_object_new_string(code->code));
		for (size_t k = 0; k < nitems(numbers); k++)
			json_object_object_add(row, numbers[k].name,
			    json_object_new_int64((int64_t)numbers[k].value));
		json_object_array_add(list, row);
	}
	return list;
}

static void
answer(const char *line, enum form form)
{
	void *owner = mem_scope(NULL, "case");
	struct buf *out = buf_new(owner, ANSWER_MAX);
	struct buf *reply = buf_new(owner, 6 * (size_t)ANSWER_MAX);
	struct json_object *test = op_json(owner, json_tokener_parse(line));
	struct json_object *markdown = NULL;
	const char *text;
	enum err e = ERR_OK;
	size_t n;

	if (!json_object_is_type(test, json_type_object) ||
	    !json_object_object_get_ex(test, "markdown", &markdown) ||
	    !json_object_is_type(markdown, json_type_string)) {
		puts("\"error the line is not {\\\"markdown\\\": text}\"");
		fflush(stdout);
		mem_drop(&owner);
		return;
	}
	text = json_object_get_string(markdown);
	n = (size_t)json_object_get_string_len(markdown);
	if (form == CODES) {
		puts(json_object_to_json_string_ext(
		    list_codes(owner, text, n), JSON_C_TO_STRING_PLAIN));
	} else {
		e = form == PAGE ? markdown_render(text, n, out)
				 : markdown_render_plain(text, n, out);
		if (e) {
			buf_reset(out);
			buf_text(out, "error the HTML is too long");
		}
		buf_json_text(reply, out->data, out->len);
		puts(reply->data);
	}
	fflush(stdout);
	mem_drop(&owner);
}

int
main(int argc, char **argv)
{
	enum form form = PLAIN;
	char *line = NULL;
	size_t cap = 0;

	if (argc == 2 && strcmp(argv[1], "--page") == 0)
		form = PAGE;
	else if (argc == 2 && strcmp(argv[1], "--codes") == 0)
		form = CODES;
	else if (argc != 1)
		return 2;
	while (getline(&line, &cap, stdin) > 0)
		answer(line, form);
	free(line);
	return 0;
}
