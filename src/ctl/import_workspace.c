/* gnomonctl import --workspace WS FILE: a workspace's file (workspace_file.h)
 * into a workspace that is new or empty. */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

#include "auth/auth.h"
#include "base/buf.h"
#include "base/text.h"
#include "ctl/ctl.h"
#include "ctl/workspace_file.h"
#include "db/db.h"
#include "gen/queries.h"
#include "view/humane.h"

enum { BATCH_ROWS = 500, BATCH_BYTES = 4 << 20, TABLE_MAX = 64 };

struct restore {
	struct op *op;
	FILE *file;
	char *line; /* of getline */
	size_t room;
	size_t number; /* of the line */
	struct json_object *ids; /* what stands for it → id here */
	char table[TABLE_MAX]; /* of the rows gathered */
	struct buf *rows; /* "[{…},{…}" */
	int64_t n_gathered, n_rows;
};

/* The next line without its end; false when there is none. */
static bool
next_line(struct restore *r)
{
	ssize_t n = getline(&r->line, &r->room, r->file);

	if (n <= 0)
		return false;
	r->number++;
	if (r->line[n - 1] == '\n')
		r->line[n - 1] = '\0';
	return true;
}

static bool
is_content(const char *line)
{
	return text_starts(line, "{\"people\": ") ||
	    text_starts(line, "{\"r\": ");
}

static enum err
is_wrong(struct restore *r, const char *why)
{
	return op_fail(
	    r->op, ERR_BAD_REQUEST, "Line %zu of the file: %s", r->number, why);
}

/* The whole file, before anything is done: it is one of ours, it has its end,
 * and its content is what the end says. */
static enum err
check_file(struct restore *r)
{
	struct auth_digest *digest = auth_digest_new(r->op);
	const char *end = NULL;
	int64_t rows = 0;

	if (!next_line(r) ||
	    !text_starts(r->line,
		mem_fmt(r->op, "{\"gnomon\": \"workspace\", \"format\": %d, ",
		    WORKSPACE_FORMAT)))
		return is_wrong(r, "this is no export of a workspace.");
	while (next_line(r)) {
		if (is_content(r->line)) {
			auth_digest_add(digest, r->line, strlen(r->line));
			auth_digest_add(digest, "\n", 1);
			rows += r->line[2] == 'r';
		}
		if (end)
			return is_wrong(r, "something stands after the end.");
		if (text_starts(r->line, "{\"end\": "))
			end = mem_dup(r->op, r->line);
	}
	if (!end)
		return is_wrong(r, "the file has no end; it was cut off.");
	if (strcmp(end,
		mem_fmt(r->op,
		    "{\"end\": true, \"rows\": %lld, \"sha256\": \"%s\"}",
		    (long long)rows, auth_digest_hex(r->op, digest))) != 0)
		return is_wrong(r, "the content is not what its digest says.");
	rewind(r->file);
	r->number = 0;
	return ERR_OK;
}

static enum err
flush(struct restore *r)
{
	struct op *op = op_new(r->op, "import", r->op->db);
	enum err e = ERR_OK;

	if (r->n_gathered) {
		buf_char(r->rows, ']');
		e = q_import_rows(op, r->table, r->rows->data, NULL);
	}
	if (e)
		op_fail(r->op, e, "Before line %zu: %s", r->number, op->why);
	mem_drop(&op);
	buf_reset(r->rows);
	r->n_gathered = 0;
	return e;
}

/* {"r": …, "t": "stories"}: the row as it stands, ids swapped, behind those
 * gathered of the same table. */
static enum err
take_row(struct restore *r)
{
	static const char head[] = "{\"r\": ", middle[] = ", \"t\": \"";
	char *row = r->line + strlen(head), *table = NULL, *s = row;
	size_t n;
	enum err e = ERR_OK;

	while ((s = strstr(s, middle))) /* the last one */
		table = s++;
	if (!table)
		return is_wrong(r, "the row names no table.");
	*table = '\0';
	table += strlen(middle);
	n = strcspn(table, "\"");
	if (n == 0 || n >= sizeof(r->table) || strcmp(table + n, "\"}") != 0)
		return is_wrong(r, "the row names no table.");
	table[n] = '\0';
	if (strcmp(table, r->table) != 0 || r->n_gathered == BATCH_ROWS ||
	    r->rows->len > BATCH_BYTES)
		e = flush(r);
	memcpy(r->table, table, n + 1);
	buf_char(r->rows, r->n_gathered ? ',' : '[');
	workspace_swap(r->rows, row, r->ids);
	r->n_gathered++;
	r->n_rows++;
	return e;
}

static const char *
word(struct json_object *o, const char *key)
{
	return json_object_get_string(json_object_object_get(o, key));
}

/* {"stand": …, "kind": …, "id": …}: what it stands for here. */
static enum err
take_name(struct restore *r)
{
	struct json_object *o = op_json(r->op, json_tokener_parse(r->line));
	struct rows *rows;
	enum err e;

	if (!word(o, "stand") || !word(o, "kind") || !word(o, "id"))
		return is_wrong(r, "this is no name.");
	e = q_import_id(r->op, word(o, "kind"), word(o, "id"), word(o, "word"),
	    word(o, "name"), &rows);
	if (!e)
		json_object_object_add(r->ids, word(o, "stand"),
		    json_object_new_string(rows_get(r->op, rows, 0, "id")));
	return e;
}

static enum err
take_all(struct restore *r)
{
	enum err e = ERR_OK;

	while (!e && next_line(r)) {
		if (text_starts(r->line, "{\"r\": "))
			e = take_row(r);
		else if (text_starts(r->line, "{\"stand\": "))
			e = take_name(r);
	}
	return e ? e : flush(r);
}

static enum err
restore(struct restore *r, const char *workspace)
{
	struct db_tx *tx;
	enum err e = check_file(r);

	if (!e)
		e = db_begin(r->op, &tx);
	if (!e)
		e = q_import_begin(r->op, workspace, NULL);
	if (!e)
		e = take_all(r);
	if (!e)
		e = q_import_end(r->op, NULL);
	return e ? e : db_commit(r->op, &tx);
}

int
ctl_import_workspace(const char *workspace, const char *path)
{
	struct restore r = {.op = ctl_open(NULL)};
	int status = 0;

	if (!r.op)
		return 1;
	r.file = fopen(path, "r");
	if (!r.file) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return 1;
	}
	r.ids = json_object_new_object();
	r.rows = buf_new(r.op, WORKSPACE_LINE_MAX);
	if (restore(&r, workspace))
		status = ctl_failed(r.op);
	else
		printf("Imported %s rows into the workspace %s.\n"
		       "Who was new here has an account without a password.\n",
		    humane_count(r.op, r.n_rows), workspace);
	fclose(r.file);
	free(r.line);
	json_object_put(r.ids);
	mem_drop(&r.op);
	return status;
}
