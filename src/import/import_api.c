/* Stories from a CSV file, over HTTP: what would come of each line, and, when that
 * is wanted, all of it in one transaction. */
#include <json-c/json.h>

#include "base/text.h"
#include "db/db.h"
#include "gen/queries.h"
#include "http/http.h"
#include "import/import.h"

enum { ROWS_MAX = 5000 };

endpoint_handler import_csv;

struct intake {
	struct op *op;
	struct import_columns columns;
	struct json_object *stories; /* as import_stories takes them */
	struct json_object *seen; /* key → line */
	struct json_object *lines; /* of the stories, by place */
	struct json_object *rows; /* of the report */
	struct json_object *report;
	int64_t made, changed, kept, refused, strangers;
};

static void
put_text(struct json_object *o, const char *key, const char *text)
{
	json_object_object_add(
	    o, key, text ? json_object_new_string(text) : NULL);
}

static void
put_row(struct intake *in, int64_t line, const char *key, const char *title,
    const char *outcome, const char *why)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "line", json_object_new_int64(line));
	put_text(o, "key", key);
	put_text(o, "title", title);
	put_text(o, "outcome", outcome);
	put_text(o, "why", why);
	json_object_array_add(in->rows, o);
}

static void
refuse(struct intake *in, size_t line, const char *key, const char *why)
{
	in->refused++;
	put_row(in, (int64_t)line, key, NULL, "refused", why);
}

static const char *
text(struct json_object *o, const char *key)
{
	return json_object_get_string(json_object_object_get(o, key));
}

/* One line of the file: a story to bring in, or why not. */
static void
take(struct intake *in, const struct csv_record *record, const char *statuses)
{
	struct json_object *story, *first;
	char *why = NULL;
	size_t place = json_object_array_length(in->stories);

	story = import_story(in->op, record, &in->columns, statuses, &why);
	if (!story) {
		refuse(in, record->line, NULL, why);
		return;
	}
	if (json_object_object_get_ex(in->seen, text(story, "key"), &first)) {
		refuse(in, record->line, text(story, "key"),
		    mem_fmt(in->op, "its key stood on line %lld already",
			(long long)json_object_get_int64(first)));
		json_object_put(story);
		return;
	}
	json_object_object_add(in->seen, text(story, "key"),
	    json_object_new_int64((int64_t)record->line));
	json_object_array_add(
	    in->lines, json_object_new_int64((int64_t)record->line));
	json_object_object_add(
	    story, "place", json_object_new_int64((int64_t)place));
	json_object_array_add(in->stories, story);
}

/* Which column is which, and those that are none. */
static void
put_columns(struct intake *in, const struct csv_record *header)
{
	struct json_object *known = json_object_new_array();
	struct json_object *unknown = json_object_new_array();

	json_object_object_add(in->report, "columns", known);
	json_object_object_add(in->report, "unknownColumns", unknown);
	for (size_t i = 0; i < header->n; i++) {
		struct json_object *o;
		size_t f = 0;

		while (f < IMPORT_FIELDS && in->columns.at[f] != (int)i)
			f++;
		if (f == IMPORT_FIELDS) {
			json_object_array_add(unknown,
			    json_object_new_string(header->fields[i].text));
			continue;
		}
		o = json_object_new_object();
		put_text(o, "column", header->fields[i].text);
		put_text(o, "field", import_field_name((enum import_field)f));
		json_object_array_add(known, o);
	}
}

static enum err
read_file(struct intake *in, const char *bytes, size_t n, const char *map,
    const char *statuses)
{
	struct csv *csv = csv_of_memory(in->op, bytes, n, NULL);
	struct csv_record record;
	enum csv_found found = csv_next(csv, &record);
	char *why = NULL;

	if (found == CSV_END)
		return op_invalid(in->op, "/csv", "The file is empty.");
	if (found == CSV_FAULT)
		return op_invalid(in->op, "/csv", "%s", record.fault);
	if (!import_columns(in->op, &record, "auto", map, &in->columns, &why))
		return op_invalid(in->op, "/csv", "%s", why);
	put_columns(in, &record);
	while ((found = csv_next(csv, &record)) != CSV_END) {
		if (json_object_array_length(in->stories) +
			(size_t)in->refused >=
		    ROWS_MAX)
			return op_invalid(in->op, "/csv",
			    "A file may have %d rows here. gnomonctl import "
			    "takes longer ones.",
			    ROWS_MAX);
		if (found == CSV_FAULT)
			refuse(in, record.line, NULL, record.fault);
		else
			take(in, &record, statuses);
	}
	return ERR_OK;
}

static void
tell(struct intake *in, const struct rows *rows)
{
	int stranger = rows_find(rows, "stranger");
	int place = rows_find(rows, "place");

	for (size_t i = 0; i < rows_count(rows); i++) {
		const char *outcome = rows_get(in->op, rows, i, "outcome");
		bool lost = rows_bool(rows, i, (size_t)stranger);

		in->made += strcmp(outcome, "made") == 0;
		in->changed += strcmp(outcome, "changed") == 0;
		in->kept += strcmp(outcome, "kept") == 0;
		in->strangers += lost;
		put_row(in,
		    json_object_get_int64(json_object_array_get_idx(
			in->lines, (size_t)rows_int(rows, i, (size_t)place))),
		    rows_get(in->op, rows, i, "key"),
		    rows_get(in->op, rows, i, "title"), outcome,
		    lost ? "its assignee is no member" : NULL);
	}
}

static enum err
apply(struct intake *in, const struct http_req *rq, bool update, bool dry_run)
{
	struct db_call call = {.stmt = NULL};
	struct rows *rows;
	struct db_tx *tx;
	enum err e = http_enter(in->op, rq, &call);

	if (!e)
		e = db_run_begin(in->op, &call, 1, &tx);
	if (!e)
		e = q_import_stories(in->op,
		    json_object_to_json_string_ext(
			in->stories, JSON_C_TO_STRING_PLAIN),
		    update ? "true" : "false", &rows);
	if (e)
		return e;
	tell(in, rows);
	if (!dry_run)
		return db_commit(in->op, &tx);
	db_rollback(&tx);
	return ERR_OK;
}

static int
by_line(const void *a, const void *b)
{
	struct json_object *const *x = a, *const *y = b;
	int64_t i = json_object_get_int64(json_object_object_get(*x, "line"));
	int64_t j = json_object_get_int64(json_object_object_get(*y, "line"));

	return (i > j) - (i < j);
}

static void
put_counts(struct intake *in, bool dry_run)
{
	static const char *const names[] = {
	    "made", "changed", "kept", "refused", "strangers"};
	const int64_t counts[] = {
	    in->made, in->changed, in->kept, in->refused, in->strangers};

	json_object_object_add(
	    in->report, "dryRun", json_object_new_boolean(dry_run));
	for (size_t i = 0; i < nitems(names); i++)
		json_object_object_add(
		    in->report, names[i], json_object_new_int64(counts[i]));
	json_object_array_sort(in->rows, by_line);
	json_object_object_add(in->report, "rows", json_object_get(in->rows));
}

static bool
is_true(const char *value)
{
	return strcmp(value, "true") == 0;
}

/* A form's fields, or the body and the query. */
static enum err
run(struct intake *in, const struct http_req *rq, bool *out_dry)
{
	struct op *op = in->op;
	const char *csv = rq->is_form ? http_text(rq, "csv") : rq->body;
	const char *update = rq->is_form ? http_text(rq, "update")
					 : http_query(op, rq, "update");
	const char *dry = rq->is_form ? http_text(rq, "dryRun")
				      : http_query(op, rq, "dryRun");
	size_t n = rq->is_form ? strlen(csv) : rq->body_length;
	enum err e;

	*out_dry = is_true(dry);
	if (!rq->is_form && !text_starts(rq->content_type, "text/csv") &&
	    !text_starts(rq->content_type, "text/plain"))
		return op_invalid(op, "", "Send the file as text/csv.");
	if (rq->is_form && !*csv)
		return op_invalid(
		    op, "/csv", "Choose a file, or paste what is in it.");
	e = read_file(in, csv, n,
	    rq->is_form ? http_text(rq, "map") : http_query(op, rq, "map"),
	    rq->is_form ? http_text(rq, "statuses")
			: http_query(op, rq, "statuses"));
	if (!e)
		e = apply(in, rq, is_true(update), *out_dry);
	if (!e)
		put_counts(in, *out_dry);
	return e;
}

/* POST /api/v1/projects/{project}/stories/import, and the form of the page. */
enum err
import_csv(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	struct intake in = {.op = op,
	    .stories = op_json(op, json_object_new_array()),
	    .seen = op_json(op, json_object_new_object()),
	    .lines = op_json(op, json_object_new_array()),
	    .rows = op_json(op, json_object_new_array()),
	    .report = op_json(op, json_object_new_object())};
	bool dry_run;
	enum err e = run(&in, rq, &dry_run);

	if (e)
		return e;
	if (rq->is_form && dry_run) { /* shown beside the form */
		op->details = op_json(op, json_object_new_object());
		json_object_object_add(
		    op->details, "preview", json_object_get(in.report));
		return op_fail(op, ERR_VALIDATION_FAILED, "a preview");
	}
	if (rq->is_form)
		return ERR_OK;
	rs->type = "application/json";
	buf_text(rs->body,
	    json_object_to_json_string_ext(in.report,
		JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	return ERR_OK;
}
