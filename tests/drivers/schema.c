/*
 * Drives the schema validator from a pipe. Each line of standard input is
 * {"schema": …, "instance": …}; each line of the answer is true, false, or a
 * JSON string that begins with "error ".
 *
 * usage: schema [--remotes DIR] [--format] [--explain]
 *   --remotes  registers DIR/a/b.json as http://localhost:1234/a/b.json
 *   --format   lets `format` assert
 *   --explain  writes the errors of what is refused to standard error
 */
#define _XOPEN_SOURCE 700 /* nftw */
#include <ftw.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/op.h"
#include "base/text.h"
#include "schema/schema.h"

enum { DEPTH = 2000, FOLDERS_OPEN = 16, ANSWER_MAX = 10000 };

struct remote {
	const char *uri;
	struct json_object *json;
};

static struct remote *remotes; /* owned by root, as all else */
static size_t n_remotes;
static void *root;

/* JSON-C's tokener, told to keep what a validator must be able to refuse:
 * deep values, and integers of any size (which saturate at 64 bits). */
static struct json_object *
parse(void *owner, const char *text, size_t n, bool *out_good)
{
	struct json_tokener *t = json_tokener_new_ex(DEPTH);
	struct json_object *json;

	json_tokener_set_flags(
	    t, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	json = json_tokener_parse_ex(t, text, (int)n + 1);
	*out_good = json_tokener_get_error(t) == json_tokener_success;
	json_tokener_free(t);
	return op_json(owner, json);
}

static const char *remotes_dir;

static int
load(const char *path, const struct stat *st, int type, struct FTW *where)
{
	struct buf *b;
	FILE *file;
	char chunk[4096];
	size_t n;
	bool good;

	if (type != FTW_F || !text_ends(path, ".json"))
		return 0;
	file = fopen(path, "r");
	if (!file)
		return -1;
	b = buf_new(root, (size_t)st->st_size);
	while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0)
		buf_add(b, chunk, n);
	fclose(file);
	remotes = mem_grow(root, remotes, n_remotes, sizeof(*remotes));
	remotes[n_remotes].uri = mem_fmt(
	    root, "http://localhost:1234%s", path + strlen(remotes_dir));
	remotes[n_remotes].json = parse(root, b->data, b->len, &good);
	if (good)
		n_remotes++;
	return 0;
}

static void
say_error(const char *why)
{
	struct buf *b = buf_new(root, ANSWER_MAX);
	char *text = mem_fmt(root, "error %s", why);

	buf_json_text(b, text, strlen(text));
	puts(b->data);
	mem_drop(&text);
	mem_drop(&b);
}

static void
explain(const struct schema_errors *errors)
{
	for (size_t i = 0; i < errors->n; i++)
		fprintf(stderr, "%s: %s\n", errors->item[i].pointer,
		    errors->item[i].message);
}

/* The document in a fresh set. It comes before the remotes, which are of
 * several drafts and may claim what it claims: those are left out. */
static void
answer(void *owner, struct json_object *json, struct json_object *instance,
    enum schema_flags flags, bool explains)
{
	static const char uri[] = "https://driver.invalid/schema";
	struct schema_set *set = schema_set_new(owner, flags);
	const struct schema *schema;
	struct schema_errors errors;
	const char *why;
	bool good;

	if (!schema_set_add(set, uri, json, &why)) {
		say_error(why);
		return;
	}
	for (size_t i = 0; i < n_remotes; i++) {
		const char *taken;

		(void)!schema_set_add(
		    set, remotes[i].uri, remotes[i].json, &taken);
	}
	if (!schema_compile(set, uri, &schema, &why)) {
		say_error(why);
		return;
	}
	good = schema_accepts(schema, instance, owner, &errors);
	puts(good ? "true" : "false");
	if (explains)
		explain(&errors);
}

static void
answer_line(const char *line, size_t n, enum schema_flags flags, bool explains)
{
	void *owner = mem_scope(root, "line");
	struct json_object *schema = NULL, *instance = NULL;
	bool good;
	struct json_object *json = parse(owner, line, n, &good);

	if (!good || !json_object_object_get_ex(json, "schema", &schema) ||
	    !json_object_object_get_ex(json, "instance", &instance))
		say_error("this is no line of {schema, instance}");
	else
		answer(owner, schema, instance, flags, explains);
	fflush(stdout);
	mem_drop(&owner);
}

int
main(int argc, char **argv)
{
	enum schema_flags flags = SCHEMA_PLAIN;
	bool explains = false;
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	root = mem_scope(NULL, "driver");
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--format") == 0) {
			flags = SCHEMA_ASSERT_FORMAT;
		} else if (strcmp(argv[i], "--explain") == 0) {
			explains = true;
		} else if (strcmp(argv[i], "--remotes") == 0 && i + 1 < argc) {
			remotes_dir = argv[++i];
			if (nftw(remotes_dir, load, FOLDERS_OPEN, 0) != 0) {
				perror(remotes_dir);
				return 2;
			}
		} else {
			fprintf(stderr,
			    "usage: %s [--remotes DIR] [--format] "
			    "[--explain]\n",
			    argv[0]);
			return 2;
		}
	}
	while ((n = getline(&line, &cap, stdin)) > 0) {
		if (line[n - 1] == '\n')
			line[--n] = '\0';
		answer_line(line, (size_t)n, flags, explains);
	}
	free(line);
	mem_drop(&root);
	return 0;
}
