/* gnomonctl export: a whole workspace as a file (workspace_file.h). */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <json-c/json.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/auth.h"
#include "base/buf.h"
#include "ctl/ctl.h"
#include "ctl/workspace_file.h"
#include "db/db.h"
#include "gen/queries.h"
#include "view/humane.h"

enum { UUID_TEXT = 36 };

/* True when s begins with an id: eight, four, four, four, twelve digits. */
static bool
is_id(const char *s)
{
	for (size_t i = 0; i < UUID_TEXT; i++)
		if (i == 8 || i == 13 || i == 18 || i == 23
			? s[i] != '-'
			: !isxdigit((unsigned char)s[i]))
			return false;
	return true;
}

void
workspace_swap(struct buf *out, const char *line, struct json_object *ids)
{
	const char *from = line, *dash = line;
	char id[UUID_TEXT + 1];
	struct json_object *other;

	while ((dash = strchr(dash, '-'))) {
		const char *s = dash - 8;

		dash++;
		if (s < from || !is_id(s))
			continue;
		memcpy(id, s, UUID_TEXT);
		id[UUID_TEXT] = '\0';
		if (json_object_object_get_ex(ids, id, &other)) {
			buf_add(out, from, (size_t)(s - from));
			buf_text(out, json_object_get_string(other));
			from = s + UUID_TEXT;
		}
		dash = s + UUID_TEXT;
	}
	buf_text(out, from);
}

struct export
{
	struct op *op;
	FILE *file;
	struct json_object *ids; /* id → what stands for it */
	struct auth_digest *digest;
	struct buf *line;
	int64_t rows;
};

/* Writes the line; content counts for the digest. */
static void
put_line(struct export *x, bool is_content)
{
	buf_char(x->line, '\n');
	if (is_content)
		auth_digest_add(x->digest, x->line->data, x->line->len);
	fwrite(x->line->data, 1, x->line->len, x->file);
	buf_reset(x->line);
}

static void
put_text(struct buf *b, const char *key, const char *text)
{
	buf_fmt(b, "%s\"%s\": ", b->len > 1 ? ", " : "", key);
	if (text)
		buf_json_text(b, text, strlen(text));
	else
		buf_text(b, "null");
}

static enum err
put_head(struct export *x)
{
	struct rows *rows;
	enum err e = q_export_left_out(x->op, &rows);

	if (e)
		return e;
	buf_fmt(x->line,
	    "{\"gnomon\": \"workspace\", \"format\": %d, \"schema\": %s, "
	    "\"leftOut\": %s}",
	    WORKSPACE_FORMAT, rows_get(x->op, rows, 0, "version"),
	    rows_get(x->op, rows, 0, "left_out"));
	put_line(x, false);
	return ERR_OK;
}

/* Who and what the stand-ins are; then, as content, the people's addresses. */
static enum err
put_names(struct export *x)
{
	static const char *const keys[] = {
	    "stand", "kind", "id", "word", "name"};
	static const char *const columns[] = {
	    "stand_in", "kind", "id", "word", "name"};
	struct buf *people = buf_new(x->op, WORKSPACE_LINE_MAX);
	struct rows *rows;
	enum err e = q_export_names(x->op, &rows);

	if (e)
		return e;
	for (size_t i = 0; i < rows_count(rows); i++) {
		const char *word = rows_get(x->op, rows, i, "word");

		buf_char(x->line, '{');
		for (size_t k = 0; k < nitems(keys); k++)
			put_text(x->line, keys[k],
			    rows_get(x->op, rows, i, columns[k]));
		buf_char(x->line, '}');
		put_line(x, false);
		json_object_object_add(x->ids, rows_get(x->op, rows, i, "id"),
		    json_object_new_string(
			rows_get(x->op, rows, i, "stand_in")));
		if (strcmp(rows_get(x->op, rows, i, "kind"), "person") != 0 ||
		    !word)
			continue;
		buf_text(people, people->len ? ", " : "");
		buf_json_text(people, word, strlen(word));
	}
	buf_fmt(x->line, "{\"people\": [");
	buf_add(x->line, people->data, people->len);
	buf_text(x->line, "]}");
	put_line(x, true);
	return ERR_OK;
}

/* The lines of one table, a few thousand at a time. */
static enum err
put_table(struct export *x, const char *table)
{
	struct op *op = op_new(x->op, "export", x->op->db);
	int64_t last = 0;
	size_t n = 1;
	enum err e = q_export_stage(op, table, NULL);

	while (!e && n > 0) {
		struct op *part = op_new(op, "export", op->db);
		struct rows *rows;

		e = q_export_page(
		    part, mem_fmt(part, "%lld", (long long)last), &rows);
		n = e ? 0 : rows_count(rows);
		for (size_t i = 0; i < n; i++) {
			last = rows_int(rows, i, 0);
			workspace_swap(
			    x->line, rows_text(part, rows, i, 1), x->ids);
			put_line(x, true);
			x->rows++;
		}
		if (e)
			op_fail(x->op, e, "%s", part->why);
		mem_drop(&part);
	}
	if (e && !x->op->err)
		op_fail(x->op, e, "%s", op->why);
	mem_drop(&op);
	return e;
}

static enum err
put_tables(struct export *x)
{
	struct rows *tables;
	enum err e = q_export_tables(x->op, &tables);

	for (size_t i = 0; !e && i < rows_count(tables); i++)
		e = put_table(x, rows_text(x->op, tables, i, 0));
	return e;
}

static enum err
export_all(struct export *x, const char *workspace)
{
	struct db_tx *tx;
	enum err e = db_begin(x->op, &tx);

	if (!e)
		e = q_export_snapshot(x->op, NULL);
	if (!e)
		e = q_export_begin(x->op, workspace, NULL);
	if (!e)
		e = put_head(x);
	if (!e)
		e = put_names(x);
	if (!e)
		e = put_tables(x);
	if (!e)
		db_rollback(&tx); /* it only looked */
	return e;
}

static int
run(struct export *x, const char *workspace, const char *path)
{
	const char *part = mem_fmt(x->op, "%s.part", path);
	const char *digest;
	bool good;

	umask(077); /* it names people */
	x->file = fopen(part, "w");
	if (!x->file) {
		fprintf(stderr, "%s: %s\n", part, strerror(errno));
		return 1;
	}
	if (export_all(x, workspace)) {
		fclose(x->file);
		unlink(part);
		return ctl_failed(x->op);
	}
	digest = auth_digest_hex(x->op, x->digest);
	fprintf(x->file,
	    "{\"end\": true, \"rows\": %lld, \"sha256\": \"%s\"}\n",
	    (long long)x->rows, digest);
	good = !ferror(x->file) && fsync(fileno(x->file)) == 0;
	if (fclose(x->file) != 0 || !good || rename(part, path) != 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		unlink(part);
		return 1;
	}
	printf("Exported %s: %s rows.\n%s\n", workspace,
	    humane_count(x->op, x->rows), digest);
	return 0;
}

int
ctl_export(int argc, char **argv)
{
	static const struct option options[] = {
	    {"workspace", required_argument, NULL, 'w'},
	    {NULL, 0, NULL, 0},
	};
	const char *workspace = NULL;
	struct export x = {.rows = 0};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c != 'w')
			return 2;
		workspace = optarg;
	}
	if (!workspace || argc - optind != 1) {
		fputs("usage: gnomonctl export --workspace WS FILE\n", stderr);
		return 2;
	}
	x.op = ctl_open(NULL);
	if (!x.op)
		return 1;
	x.ids = json_object_new_object();
	x.digest = auth_digest_new(x.op);
	x.line = buf_new(x.op, WORKSPACE_LINE_MAX);
	c = run(&x, workspace, argv[optind]);
	json_object_put(x.ids);
	mem_drop(&x.op);
	return c;
}
