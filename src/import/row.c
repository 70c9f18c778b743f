/* Reading the exports of other trackers: columns, words, dates. */
#include "import/import.h"

#include <ctype.h>
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"

enum {
	TITLE_MAX = 300,
	DESCRIPTION_MAX = 100000,
	KEY_MAX = 200,
	ESTIMATE_MAX = 1000,
	ALIASES = 6
};

/* How trackers head their columns. Jira: "Export CSV (all fields)"; Linear:
 * "Export issues". The last column of names is anybody else's. */
static const struct {
	const char *name; /* as --map says it */
	const char *jira[ALIASES], *linear[ALIASES], *other[ALIASES];
} fields[IMPORT_FIELDS] = {
    [IMPORT_KEY] = {"key", {"Issue key"}, {"ID"},
	{"issuekey", "key", "issue id", "number"}},
    [IMPORT_TITLE] = {"title", {"Summary"}, {"Title"},
	{"name", "subject", "story"}},
    [IMPORT_DESCRIPTION] = {"description", {"Description"}, {"Description"},
	{"body", "details"}},
    [IMPORT_STATUS] = {"status", {"Status"}, {"Status"}, {"state"}},
    [IMPORT_PRIORITY] = {"priority", {"Priority"}, {"Priority"}, {NULL}},
    [IMPORT_ESTIMATE] = {"estimate",
	{"Custom field (Story Points)", "Custom field (Story point estimate)",
	    "Story Points"},
	{"Estimate"}, {"storypoint", "storypoints", "points", "sp"}},
    [IMPORT_DUE_DATE] = {"dueDate", {"Due date"}, {"Due Date"},
	{"due", "deadline"}},
    [IMPORT_CREATED] = {"created", {"Created"}, {"Created"},
	{"created at", "createdat"}},
    [IMPORT_ASSIGNEE] = {"assignee", {"Assignee"}, {"Assignee"}, {"owner"}},
};

struct word {
	const char *theirs, *ours;
};

static const struct word status_words[] = {
    {"backlog", "backlog"},
    {"to do", "backlog"},
    {"todo", "backlog"},
    {"open", "backlog"},
    {"new", "backlog"},
    {"reopened", "backlog"},
    {"triage", "backlog"},
    {"unstarted", "backlog"},
    {"ready", "ready"},
    {"selected for development", "ready"},
    {"in progress", "in_progress"},
    {"in_progress", "in_progress"},
    {"started", "in_progress"},
    {"in review", "review"},
    {"review", "review"},
    {"pull request", "review"},
    {"done", "done"},
    {"closed", "done"},
    {"resolved", "done"},
    {"completed", "done"},
    {"complete", "done"},
    {"canceled", "done"},
    {"cancelled", "done"},
    {"duplicate", "done"},
};

static const struct word priority_words[] = {
    {"no priority", "low"},
    {"lowest", "low"},
    {"trivial", "low"},
    {"low", "low"},
    {"minor", "low"},
    {"medium", "medium"},
    {"normal", "medium"},
    {"major", "medium"},
    {"high", "high"},
    {"critical", "high"},
    {"highest", "urgent"},
    {"blocker", "urgent"},
    {"urgent", "urgent"},
};

bool
import_project_key(const char *text, char out_key[static IMPORT_PROJECT_SIZE])
{
	char key[IMPORT_PROJECT_SIZE];
	size_t n = 0;

	for (; text[n]; n++) {
		unsigned char c = (unsigned char)text[n];

		if (n == sizeof(key) - 1 || !isalnum(c) || (!n && isdigit(c)))
			return false;
		key[n] = (char)toupper(c);
	}
	key[n] = '\0';
	if (n)
		memcpy(out_key, key, n + 1);
	return n > 0;
}

bool
import_is_preset(const char *preset)
{
	return strcmp(preset, "jira") == 0 || strcmp(preset, "linear") == 0 ||
	    strcmp(preset, "auto") == 0;
}

static int
find_column(const struct csv_record *header, const char *name)
{
	for (size_t i = 0; name && i < header->n; i++)
		if (strcasecmp(header->fields[i].text, name) == 0)
			return (int)i;
	return -1;
}

static int
find_alias(const struct csv_record *header, const char *const aliases[ALIASES])
{
	int at = -1;

	for (size_t i = 0; i < ALIASES && at < 0; i++)
		at = find_column(header, aliases[i]);
	return at;
}

/* title=Summary,estimate=Story Points */
static bool
read_map(void *owner, const struct csv_record *header, const char *map,
    struct import_columns *out, char **out_why)
{
	while (*map) {
		size_t whole = strcspn(map, ","), name = strcspn(map, "=,");
		const char *column;
		size_t f = 0;

		while (f < IMPORT_FIELDS &&
		    (strlen(fields[f].name) != name ||
			strncmp(fields[f].name, map, name) != 0))
			f++;
		if (f == IMPORT_FIELDS || name == whole) {
			*out_why = mem_fmt(owner,
			    "The map knows key, title, description, status, "
			    "priority, estimate, dueDate, created and "
			    "assignee, not \"%.*s\".",
			    (int)whole, map);
			return false;
		}
		column = mem_dup_n(owner, map + name + 1, whole - name - 1);
		out->at[f] = find_column(header, column);
		if (out->at[f] < 0) {
			*out_why = mem_fmt(
			    owner, "The file has no column \"%s\".", column);
			return false;
		}
		map += whole + (map[whole] == ',');
	}
	return true;
}

const char *
import_field_name(enum import_field f)
{
	return fields[f].name;
}

static char *
headers_of(void *owner, const struct csv_record *header)
{
	struct buf *b = buf_new(owner, 4000);

	for (size_t i = 0; i < header->n; i++)
		buf_fmt(b, "%s%s", i ? ", " : "", header->fields[i].text);
	return b->data;
}

bool
import_columns(void *owner, const struct csv_record *header, const char *preset,
    const char *map, struct import_columns *out, char **out_why)
{
	bool any = strcmp(preset, "auto") == 0;
	bool jira = any || strcmp(preset, "jira") == 0;
	bool linear = any || strcmp(preset, "linear") == 0;

	for (size_t f = 0; f < IMPORT_FIELDS; f++)
		out->at[f] = -1;
	if (!read_map(owner, header, map, out, out_why))
		return false;
	for (size_t f = 0; f < IMPORT_FIELDS; f++) {
		if (out->at[f] < 0 && jira)
			out->at[f] = find_alias(header, fields[f].jira);
		if (out->at[f] < 0 && linear)
			out->at[f] = find_alias(header, fields[f].linear);
		if (out->at[f] < 0 && any)
			out->at[f] = find_alias(header, fields[f].other);
	}
	if (out->at[IMPORT_KEY] >= 0 && out->at[IMPORT_TITLE] >= 0)
		return true;
	*out_why = mem_fmt(owner,
	    "No column holds the %s. Name it in the map; the columns are: %s.",
	    out->at[IMPORT_KEY] < 0 ? "key" : "title",
	    headers_of(owner, header));
	return false;
}

/* The field's text without the spaces around it; NULL when empty or absent. */
static const char *
text_of(void *owner, const struct csv_record *r,
    const struct import_columns *columns, enum import_field f)
{
	int at = columns->at[f];
	const char *text;
	size_t n;

	if (at < 0 || (size_t)at >= r->n)
		return NULL;
	text = r->fields[at].text;
	n = r->fields[at].len;
	while (n && strchr(" \t\r\n", *text)) {
		text++;
		n--;
	}
	while (n && strchr(" \t\r\n", text[n - 1]))
		n--;
	if (n) { /* as a file of ours protects it */
		size_t guard = csv_guard_length(text, n);

		text += guard;
		n -= guard;
	}
	return n ? mem_dup_n(owner, text, n) : NULL;
}

static const char *
translate(const struct word *words, size_t n, const char *theirs)
{
	for (size_t i = 0; i < n; i++)
		if (strcasecmp(words[i].theirs, theirs) == 0)
			return words[i].ours;
	return NULL;
}

/* The value of name in "A=x,B=y"; NULL when it is not there. */
static const char *
lookup(void *owner, const char *map, const char *name)
{
	size_t n = strlen(name);

	while (*map) {
		size_t whole = strcspn(map, ",");

		if (whole > n && map[n] == '=' &&
		    strncasecmp(map, name, n) == 0)
			return mem_dup_n(owner, map + n + 1, whole - n - 1);
		map += whole + (map[whole] == ',');
	}
	return NULL;
}

/* 2026-11-20…, or Jira's 20/Nov/26…, as 2026-11-20; NULL when it is no day of
 * the calendar. */
static const char *
date_of(void *owner, const char *text)
{
	static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May",
	    "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	int year, day;
	size_t month = 0;
	const char *date;
	char name[4];

	if (text_is_date(text))
		return mem_dup_n(owner, text, 10);
	if (sscanf(text, "%2d/%3s/%4d", &day, name, &year) != 3)
		return NULL;
	while (month < nitems(months) && strcasecmp(months[month], name) != 0)
		month++;
	date = mem_fmt(owner, "%04d-%02zu-%02d", year + (year < 100 ? 2000 : 0),
	    month + 1, day);
	return text_is_date(date) ? date : NULL;
}

struct reading {
	void *owner;
	const struct csv_record *record;
	const struct import_columns *columns;
	struct json_object *story;
	char *why; /* the first thing that is wrong */
};

static const char *
get(struct reading *r, enum import_field f)
{
	return r->why ? NULL : text_of(r->owner, r->record, r->columns, f);
}

static void
set(struct reading *r, const char *key, const char *value)
{
	if (value)
		json_object_object_add(
		    r->story, key, json_object_new_string(value));
}

/* Text of a bounded length in characters. */
static void
read_text(struct reading *r, enum import_field f, const char *key, size_t max,
    bool required)
{
	const char *text = get(r, f);

	if (r->why)
		return;
	if (!text && required)
		r->why = mem_fmt(r->owner, "it has no %s", fields[f].name);
	else if (text && text_utf8_length(text, strlen(text)) > max)
		r->why =
		    mem_fmt(r->owner, "its %s is longer than %zu characters",
			fields[f].name, max);
	else
		set(r, key, text);
}

static void
read_word(struct reading *r, enum import_field f, const char *extra,
    const struct word *words, size_t n)
{
	const char *theirs = get(r, f);
	const char *ours = theirs ? lookup(r->owner, extra, theirs) : NULL;

	if (!theirs)
		return;
	if (!ours)
		ours = translate(words, n, theirs);
	if (!ours)
		r->why = mem_fmt(r->owner, "its %s \"%.40s\" is not known%s",
		    fields[f].name, theirs,
		    f == IMPORT_STATUS ? "; name it in the statuses" : "");
	set(r, fields[f].name, ours);
}

static void
read_estimate(struct reading *r)
{
	const char *text = get(r, IMPORT_ESTIMATE);
	char *end;
	double points;

	if (!text)
		return;
	points = strtod(text, &end);
	if (*end || !isfinite(points) || points < 0 || points > ESTIMATE_MAX)
		r->why = mem_fmt(r->owner,
		    "its estimate \"%.40s\" is no number from 0 to %d", text,
		    ESTIMATE_MAX);
	else
		json_object_object_add(
		    r->story, "estimate", json_object_new_double(points));
}

static void
read_date(struct reading *r, enum import_field f, const char *key)
{
	const char *text = get(r, f);
	const char *date = text ? date_of(r->owner, text) : NULL;

	if (text && !date)
		r->why = mem_fmt(r->owner,
		    "its %s \"%.40s\" is no date like 2026-11-20",
		    fields[f].name, text);
	set(r, key, date);
}

struct json_object *
import_story(void *owner, const struct csv_record *record,
    const struct import_columns *columns, const char *statuses, char **out_why)
{
	struct reading r = {.owner = owner,
	    .record = record,
	    .columns = columns,
	    .story = json_object_new_object()};

	read_text(&r, IMPORT_KEY, "key", KEY_MAX, true);
	read_text(&r, IMPORT_TITLE, "title", TITLE_MAX, true);
	read_text(
	    &r, IMPORT_DESCRIPTION, "description", DESCRIPTION_MAX, false);
	read_word(
	    &r, IMPORT_STATUS, statuses, status_words, nitems(status_words));
	read_word(
	    &r, IMPORT_PRIORITY, "", priority_words, nitems(priority_words));
	read_estimate(&r);
	read_date(&r, IMPORT_DUE_DATE, "due_date");
	read_date(&r, IMPORT_CREATED, "created_at");
	set(&r, "assignee", get(&r, IMPORT_ASSIGNEE));
	if (!r.why)
		return r.story;
	json_object_put(r.story);
	*out_why = r.why;
	return NULL;
}
