/* gnomonctl import: brings the stories of another tracker in. */
#include "import/import.h"

#include <errno.h>
#include <getopt.h>
#include <json-c/json.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/config.h"
#include "base/text.h"
#include "ctl/ctl.h"
#include "ctl/workspace_file.h"
#include "db/db.h"
#include "gen/queries.h"
#include "view/humane.h"

enum { BATCH = 500, BAR = 30, FIRST_FAULTS = 20 };

struct import {
	const char *workspace, *preset, *map, *statuses, *email;
	const char *path, *session;
	char project[IMPORT_PROJECT_SIZE];
	bool has_project, create, update, dry_run;
	bool is_whole; /* the file of a workspace, not of stories */
	struct op *op; /* lives as long as the import */
	FILE *file;
	int64_t file_size;
	struct csv *csv;
	struct import_columns columns;
	struct json_object *batch; /* rows not sent yet */
	struct json_object *keys; /* key → line, of all rows so far */
	int64_t place, refused, made, changed, kept, strangers;
	bool shows_bar;
};

static void
show_bar(const struct import *im)
{
	long at = ftell(im->file);
	int share = im->file_size && at > 0
	    ? (int)(100 * (int64_t)at / im->file_size)
	    : 100;

	if (!im->shows_bar)
		return;
	fprintf(stderr, "\r[%-*.*s] %3d%%  %s rows", BAR, share * BAR / 100,
	    "##############################", share,
	    humane_count(im->op, im->place));
	fflush(stderr);
}

static void
clear_bar(const struct import *im)
{
	if (im->shows_bar)
		fprintf(stderr, "\r%70s\r", "");
}

/* A refused row: all are counted, the first ones told one by one. */
static void
refuse(struct import *im, size_t line, const char *why)
{
	im->refused++;
	clear_bar(im);
	if (im->refused <= FIRST_FAULTS)
		fprintf(stderr, "%s:%zu: refused: %s\n", im->path, line, why);
	else if (im->refused == FIRST_FAULTS + 1)
		fprintf(stderr, "Further refused rows are only counted.\n");
}

static enum err
enter(const struct import *im, struct op *op, const char *project)
{
	return q_enter(op, NULL, im->session, im->workspace, project, NULL, "2",
	    "false", NULL);
}

static void
count(struct import *im, struct op *op, const struct rows *rows)
{
	int stranger = rows_find(rows, "stranger");

	for (size_t i = 0; i < rows_count(rows); i++) {
		const char *outcome = rows_get(op, rows, i, "outcome");

		im->made += strcmp(outcome, "made") == 0;
		im->changed += strcmp(outcome, "changed") == 0;
		im->kept += strcmp(outcome, "kept") == 0;
		im->strangers += rows_bool(rows, i, (size_t)stranger);
	}
}

/* Sends the rows gathered so far, in a transaction of their own. */
static enum err
flush(struct import *im)
{
	struct op *op = op_new(im->op, "import", im->op->db);
	struct rows *rows;
	struct db_tx *tx;
	enum err e;

	if (json_object_array_length(im->batch) == 0)
		return ERR_OK;
	e = db_begin(op, &tx);
	if (!e)
		e = enter(im, op, im->project);
	if (!e)
		e = q_import_stories(op,
		    json_object_to_json_string_ext(
			im->batch, JSON_C_TO_STRING_PLAIN),
		    im->update ? "true" : "false", &rows);
	if (!e) {
		count(im, op, rows);
		if (im->dry_run)
			db_rollback(&tx);
		else
			e = db_commit(op, &tx);
	}
	if (e)
		return op_fail(im->op, e, "%s", op->why);
	mem_drop(&op);
	json_object_put(im->batch);
	im->batch = json_object_new_array();
	show_bar(im);
	return ERR_OK;
}

/* The same key twice in a file would be two stories fighting for one. */
static bool
is_repeated(struct import *im, struct json_object *story, size_t line)
{
	const char *key =
	    json_object_get_string(json_object_object_get(story, "key"));
	struct json_object *first = NULL;

	if (json_object_object_get_ex(im->keys, key, &first)) {
		refuse(im, line,
		    mem_fmt(im->op, "its key %s stood on line %lld already",
			key, (long long)json_object_get_int64(first)));
		return true;
	}
	json_object_object_add(
	    im->keys, key, json_object_new_int64((int64_t)line));
	return false;
}

static enum err
take(struct import *im, const struct csv_record *record)
{
	void *scratch = mem_scope(im->op, "row");
	struct json_object *story;
	char *why = NULL;

	story = import_story(scratch, record, &im->columns, im->statuses, &why);
	if (!story) {
		refuse(im, record->line, why);
	} else if (is_repeated(im, story, record->line)) {
		json_object_put(story);
	} else {
		json_object_object_add(
		    story, "place", json_object_new_int64(++im->place));
		json_object_array_add(im->batch, story);
	}
	mem_drop(&scratch);
	return json_object_array_length(im->batch) == BATCH ? flush(im)
							    : ERR_OK;
}

/* The header, then every row. */
static enum err
read_all(struct import *im)
{
	struct csv_record record;
	char *why = NULL;
	enum csv_found found = csv_next(im->csv, &record);
	enum err e = ERR_OK;

	if (found != CSV_RECORD)
		return op_fail(im->op, ERR_BAD_REQUEST, "%s: %s", im->path,
		    found == CSV_END ? "the file is empty" : record.fault);
	if (!import_columns(
		im->op, &record, im->preset, im->map, &im->columns, &why))
		return op_fail(im->op, ERR_BAD_REQUEST, "%s", why);
	while (!e && (found = csv_next(im->csv, &record)) != CSV_END) {
		if (found == CSV_FAULT)
			refuse(im, record.line, record.fault);
		else
			e = take(im, &record);
	}
	return e ? e : flush(im);
}

/* Why the project cannot be entered, for people. */
static enum err
explain(const struct import *im, const struct op *op)
{
	if (op->err == ERR_NOT_FOUND)
		return op_fail(im->op, op->err,
		    "The workspace %s has no project %s; --create makes it.",
		    im->workspace, im->project);
	if (op->err == ERR_FORBIDDEN)
		return op_fail(im->op, op->err,
		    "%s may not write in the workspace %s.", im->email,
		    im->workspace);
	if (op->err == ERR_CONFLICT)
		return op_fail(im->op, op->err,
		    "Another project of the workspace %s has the address %s "
		    "would get.",
		    im->workspace, im->project);
	return op_fail(im->op, op->err, "%s", op->why);
}

static enum err
open_project(struct import *im)
{
	struct op *op = op_new(im->op, "import", im->op->db);
	struct rows *rows;
	struct db_tx *tx;
	enum err e = db_begin(op, &tx);

	if (!e)
		e = enter(im, op, NULL);
	if (!e && im->create)
		e = q_make_project(op, im->project, &rows);
	if (!e)
		e = enter(im, op, im->project);
	if (!e)
		e = db_commit(op, &tx);
	return e ? explain(im, op) : ERR_OK;
}

static void
report(const struct import *im)
{
	void *o = im->op;

	clear_bar(im);
	printf("%s%s stories %s, %s changed, %s here already, %s refused.\n",
	    im->dry_run ? "Dry run, nothing was kept: " : "",
	    humane_count(o, im->made), im->dry_run ? "to make" : "made",
	    humane_count(o, im->changed), humane_count(o, im->kept),
	    humane_count(o, im->refused));
	if (im->strangers)
		printf("%s stories name people who are no members; they are "
		       "unassigned.\n",
		    humane_count(o, im->strangers));
	if (im->kept && !im->update)
		puts("Stories that were here already were left as they are; "
		     "--update changes them.");
}

static bool
read_options(int argc, char **argv, struct import *im)
{
	static const struct option options[] = {
	    {"workspace", required_argument, NULL, 'w'},
	    {"project", required_argument, NULL, 'p'},
	    {"format", required_argument, NULL, 'f'},
	    {"preset", required_argument, NULL, 'P'},
	    {"map", required_argument, NULL, 'm'},
	    {"status", required_argument, NULL, 's'},
	    {"as", required_argument, NULL, 'a'},
	    {"create", no_argument, NULL, 'c'},
	    {"update", no_argument, NULL, 'u'},
	    {"dry-run", no_argument, NULL, 'd'},
	    {NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'w':
			im->workspace = optarg;
			break;
		case 'p':
			im->has_project =
			    import_project_key(optarg, im->project);
			if (!im->has_project) {
				fputs("A project's key is a letter and up to "
				      "nine letters and digits, like AC.\n",
				    stderr);
				return false;
			}
			break;
		case 'f':
			if (strcmp(optarg, "csv") != 0) {
				fputs("The only format is csv.\n", stderr);
				return false;
			}
			break;
		case 'P':
			if (!import_is_preset(optarg)) {
				fputs("The presets are jira, linear and "
				      "auto.\n",
				    stderr);
				return false;
			}
			im->preset = optarg;
			break;
		case 'm':
			im->map = optarg;
			break;
		case 's':
			im->statuses = optarg;
			break;
		case 'a':
			im->email = optarg;
			break;
		case 'c':
			im->create = true;
			break;
		case 'u':
			im->update = true;
			break;
		case 'd':
			im->dry_run = true;
			break;
		default:
			return false;
		}
	}
	im->is_whole = im->workspace && !im->has_project && !im->create &&
	    !im->update && !im->dry_run && !*im->map && !*im->statuses &&
	    !*im->email;
	if (im->workspace && (im->has_project || im->is_whole) &&
	    argc - optind == 1) {
		im->path = argv[optind];
		return true;
	}
	fputs("usage: gnomonctl import --workspace WS --project KEY "
	      "[OPTIONS] FILE\n"
	      "       gnomonctl import --workspace WS FILE\n"
	      "gnomonctl import --help says more.\n",
	    stderr);
	return false;
}

static bool
open_file(struct import *im)
{
	struct stat st;

	im->file = fopen(im->path, "r");
	if (!im->file || fstat(fileno(im->file), &st) != 0) {
		fprintf(stderr, "%s: %s\n", im->path, strerror(errno));
		return false;
	}
	im->file_size = st.st_size;
	im->csv = csv_of_file(im->op, im->file, NULL);
	im->batch = json_object_new_array();
	im->keys = json_object_new_object();
	im->shows_bar = isatty(STDERR_FILENO);
	return true;
}

int
ctl_import(int argc, char **argv)
{
	struct import im = {
	    .preset = "auto", .map = "", .statuses = "", .email = ""};
	int status = 1;
	enum err e;

	if (!read_options(argc, argv, &im))
		return 2;
	if (im.is_whole)
		return ctl_import_workspace(im.workspace, im.path);
	im.op = ctl_open("gnomon_web");
	if (!im.op || !open_file(&im)) {
		mem_drop(&im.op);
		return 1;
	}
	e = ctl_session(im.op, im.workspace, im.email, &im.session);
	if (!e)
		e = open_project(&im);
	if (!e)
		e = read_all(&im);
	clear_bar(&im);
	if (e) {
		ctl_failed(im.op);
		if (im.made || im.changed)
			fputs("What came before stays; run the same command "
			      "again to go on.\n",
			    stderr);
	} else {
		report(&im);
		status = im.refused ? 3 : 0;
	}
	fclose(im.file);
	json_object_put(im.batch);
	json_object_put(im.keys);
	mem_drop(&im.op);
	return status;
}
