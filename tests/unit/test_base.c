/* base/: memory, growing buffers, text, operations. */
#include "unit.h"

#include <json-c/json.h>

#include "base/buf.h"
#include "base/op.h"
#include "base/text.h"

static void
a_buffer_never_outgrows_what_it_was_told(void **state)
{
	struct buf *b = buf_new(*state, 1000);

	for (int i = 0; i < 100; i++)
		buf_text(b, "0123456789");
	assert_int_equal(b->len, 1000);
	assert_false(b->full);
	buf_char(b, 'x');
	assert_true(b->full);
	assert_int_equal(b->len, 1000);
	assert_int_equal(strlen(b->data), 1000);
}

static void
json_text_is_escaped_and_always_utf8(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
	    {"plain", "\"plain\""},
	    {"a\"b\\c", "\"a\\\"b\\\\c\""},
	    {"\x01\n\t", "\"\\u0001\\n\\t\""},
	    {"\xC3\xA9", "\"\xC3\xA9\""},
	    {"\xC3", "\"\xEF\xBF\xBD\""},
	    {"\xED\xA0\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
	};

	for (size_t i = 0; i < nitems(cases); i++) {
		struct buf *b = buf_new(*state, 100);

		buf_json_text(b, cases[i].in, strlen(cases[i].in));
		assert_string_equal(b->data, cases[i].out);
	}
}

static void
html_text_cannot_leave_its_place(void **state)
{
	struct buf *b = buf_new(*state, 100);
	const char *evil = "<a title=\"x\" y='z'>&";

	buf_html_text(b, evil, strlen(evil));
	assert_string_equal(
	    b->data, "&lt;a title=&quot;x&quot; y=&#39;z&#39;&gt;&amp;");
}

static void
numbers_are_whole_or_refused(void **state)
{
	static const struct {
		const char *text;
		bool good;
		int64_t value;
	} cases[] = {
	    {"0", true, 0},
	    {"-12", true, -12},
	    {"9223372036854775807", true, INT64_MAX},
	    {"9223372036854775808", false, 0},
	    {"", false, 0},
	    {" 1", false, 0},
	    {"1 ", false, 0},
	    {"0x10", false, 0},
	    {"+1", false, 0},
	};

	for (size_t i = 0; i < nitems(cases); i++) {
		int64_t value = -99;

		assert_int_equal(
		    text_int(cases[i].text, &value), cases[i].good);
		assert_int_equal(value, cases[i].good ? cases[i].value : -99);
	}
}

static void
only_uuids_are_uuids(void **state)
{
	assert_true(text_is_uuid("0190a3c2-7f00-7abc-8def-0123456789ab"));
	assert_true(text_is_uuid("0190A3C2-7F00-7ABC-8DEF-0123456789AB"));
	assert_false(text_is_uuid("0190a3c2-7f00-7abc-8def-0123456789a"));
	assert_false(text_is_uuid("0190a3c2-7f00-7abc-8def-0123456789abc"));
	assert_false(text_is_uuid("0190a3c27f00-7abc-8def-0123456789abcd"));
	assert_false(text_is_uuid(""));
}

static void
only_days_of_the_calendar_are_dates(void **state)
{
	static const struct {
		const char *text;
		bool is_date;
	} cases[] = {
	    {"2026-11-20", true},
	    {"2026-11-20T08:00:00Z", true},
	    {"2024-02-29", true},
	    {"2000-02-29", true},
	    {"2026-02-29", false},
	    {"1900-02-29", false},
	    {"2026-02-31", false},
	    {"2026-04-31", false},
	    {"2026-13-01", false},
	    {"2026-00-10", false},
	    {"2026-01-00", false},
	    {"0000-01-01", false},
	    {"2026-1-1", false},
	    {"2026/01/01", false},
	    {"2026-01", false},
	    {"", false},
	};

	for (size_t i = 0; i < nitems(cases); i++)
		assert_int_equal(text_is_date(cases[i].text), cases[i].is_date);
}

static void
the_first_failure_of_an_operation_stays(void **state)
{
	struct op *op = op_new(*state, "r1", NULL);

	assert_int_equal(
	    op_fail(op, ERR_NOT_FOUND, "story %d", 7), ERR_NOT_FOUND);
	assert_int_equal(op_fail(op, ERR_INTERNAL, "later"), ERR_NOT_FOUND);
	assert_string_equal(op->why, "story 7");
}

static void
every_invalid_value_is_told(void **state)
{
	struct op *op = op_new(*state, "r1", NULL);

	op_invalid(op, "/title", "too long");
	op_invalid(op, "/version", "missing");
	assert_string_equal(
	    json_object_to_json_string_ext(op->details,
		JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
	    "{\"errors\":[{\"pointer\":\"/title\",\"message\":\"too long\"},"
	    "{\"pointer\":\"/version\",\"message\":\"missing\"}]}");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    unit(a_buffer_never_outgrows_what_it_was_told),
	    unit(json_text_is_escaped_and_always_utf8),
	    unit(html_text_cannot_leave_its_place),
	    unit(numbers_are_whole_or_refused),
	    unit(only_uuids_are_uuids),
	    unit(only_days_of_the_calendar_are_dates),
	    unit(the_first_failure_of_an_operation_stays),
	    unit(every_invalid_value_is_told),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
