/* ctl/import_row.c: rows of other trackers' exports as stories, or refused. */
#include "unit.h"

#include <json-c/json.h>

#include "base/op.h"
#include "import/import.h"

/* The story of the row below the header; NULL when it is refused. */
static struct json_object *
story_of(void *owner, const char *text, const char *statuses, char **out_why)
{
	struct csv *csv = csv_of_memory(owner, text, strlen(text), NULL);
	struct import_columns columns;
	struct json_object *story;
	struct csv_record r;

	assert_int_equal(csv_next(csv, &r), CSV_RECORD);
	assert_true(import_columns(owner, &r, "auto", "", &columns, out_why));
	assert_int_equal(csv_next(csv, &r), CSV_RECORD);
	story = import_story(owner, &r, &columns, statuses, out_why);
	return story ? op_json(owner, story) : NULL;
}

static void
a_date_is_a_day_of_the_calendar_or_the_row_is_refused(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
	    {"2026-11-20", "2026-11-20"},
	    {"2026-11-20 10:11", "2026-11-20"},
	    {"2024-02-29", "2024-02-29"},
	    {"20/Nov/26 8:00 AM", "2026-11-20"},
	    {"2/Feb/2026", "2026-02-02"},
	    {"2026-02-31", NULL},
	    {"31/Feb/26", NULL},
	    {"29/Feb/2025", NULL},
	    {"0/Jan/26", NULL},
	    {"-1/Jan/26", NULL},
	    {"20/Foo/26", NULL},
	    {"soon", NULL},
	};

	for (size_t i = 0; i < nitems(cases); i++) {
		char *why = NULL;
		struct json_object *story = story_of(*state,
		    mem_fmt(*state, "key,title,due\nA-1,One,%s\n", cases[i].in),
		    "", &why);

		if (cases[i].out)
			assert_string_equal(
			    json_object_get_string(
				json_object_object_get(story, "due_date")),
			    cases[i].out);
		else
			assert_non_null(
			    strstr(why, "is no date like 2026-11-20"));
		assert_int_equal(story != NULL, cases[i].out != NULL);
	}
}

static void
a_status_is_translated_or_the_row_is_refused(void **state)
{
	static const struct {
		const char *in, *statuses, *out;
	} cases[] = {
	    {"To Do", "", "backlog"},
	    {"IN REVIEW", "", "review"},
	    {"Doing", "", NULL},
	    {"Doing", "Waiting=ready,Doing=in_progress", "in_progress"},
	    {"Done", "Done=review", "review"},
	};

	for (size_t i = 0; i < nitems(cases); i++) {
		char *why = NULL;
		struct json_object *story = story_of(*state,
		    mem_fmt(
			*state, "key,title,status\nA-1,One,%s\n", cases[i].in),
		    cases[i].statuses, &why);

		if (cases[i].out)
			assert_string_equal(
			    json_object_get_string(
				json_object_object_get(story, "status")),
			    cases[i].out);
		else
			assert_non_null(strstr(why, "name it in the statuses"));
	}
}

static void
a_project_key_is_a_letter_and_letters_and_digits(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
	    {"AC", "AC"},
	    {"ac2", "AC2"},
	    {"abcdefghij", "ABCDEFGHIJ"},
	    {"abcdefghijk", NULL},
	    {"2AC", NULL},
	    {"A-C", NULL},
	    {"\xC3\x84", NULL},
	    {"", NULL},
	};

	for (size_t i = 0; i < nitems(cases); i++) {
		char key[IMPORT_PROJECT_SIZE] = "";

		assert_int_equal(
		    import_project_key(cases[i].in, key), cases[i].out != NULL);
		assert_string_equal(key, cases[i].out ? cases[i].out : "");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    unit(a_date_is_a_day_of_the_calendar_or_the_row_is_refused),
	    unit(a_status_is_translated_or_the_row_is_refused),
	    unit(a_project_key_is_a_letter_and_letters_and_digits),
	};

	return cmocka_run_group_tests_name("ctl", tests, NULL, NULL);
}
