/*
 * Reading the exports of other trackers: which column is which, and one row as
 * the story it describes. No database here.
 */
#ifndef GNOMON_IMPORT_IMPORT_H
#define GNOMON_IMPORT_IMPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "text/csv.h"

struct json_object;

enum import_field {
	IMPORT_KEY,
	IMPORT_TITLE,
	IMPORT_DESCRIPTION,
	IMPORT_STATUS,
	IMPORT_PRIORITY,
	IMPORT_ESTIMATE,
	IMPORT_DUE_DATE,
	IMPORT_CREATED,
	IMPORT_ASSIGNEE,
	IMPORT_FIELDS
};

/* Which column holds each field; -1 where none does. */
struct import_columns {
	int at[IMPORT_FIELDS];
};

/* How a field is called, in maps and reports. */
const char *import_field_name(enum import_field f);

/* A letter and up to nine letters and digits, and the NUL. */
enum { IMPORT_PROJECT_SIZE = 11 };

/* The key of a project, in capitals, as projects.key of sql/migrations has it;
 * false when text is none. */
bool
import_project_key(const char *text, char out_key[static IMPORT_PROJECT_SIZE]);

/* "jira", "linear", or "auto": every header name that is known. */
bool import_is_preset(const char *preset);

/*
 * Finds the columns by the header line: what the map names
 * ("title=Summary,estimate=Points"), then what the preset knows. False:
 * *out_why says what is missing or wrong (owned by owner).
 */
bool
import_columns(void *owner, const struct csv_record *header, const char *preset,
    const char *map, struct import_columns *out, char **out_why);

/*
 * The story of a record, as import_stories of sql/queries/import.sql takes it;
 * to be put (json_object_put). NULL: *out_why says why the row is refused.
 * Statuses are translated ("To Do" is backlog); statuses is a map of further
 * ones ("Doing=in_progress,…").
 */
struct json_object *import_story(void *owner, const struct csv_record *record,
    const struct import_columns *columns, const char *statuses, char **out_why);

#endif
