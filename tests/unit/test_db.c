/* db/: what PostgreSQL sends in binary, read as numbers, text and JSON. */
#include "unit.h"

#include <endian.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "db/db_priv.h"

struct value {
	const char *bytes;
	int n; /* -1: NULL */
};

static struct value
text(const char *s)
{
	return (struct value){.bytes = s, .n = (int)strlen(s)};
}

static const struct value null = {.n = -1};

static void
put16(struct buf *b, int v)
{
	uint16_t n = htobe16((uint16_t)v);

	buf_add(b, &n, sizeof(n));
}

static void
put32(struct buf *b, int32_t v)
{
	uint32_t n = htobe32((uint32_t)v);

	buf_add(b, &n, sizeof(n));
}

static void
put64(struct buf *b, int64_t v)
{
	uint64_t n = htobe64((uint64_t)v);

	buf_add(b, &n, sizeof(n));
}

static struct value
done(const struct buf *b)
{
	return (struct value){.bytes = b->data, .n = (int)b->len};
}

static struct value
int2(void *owner, int v)
{
	struct buf *b = buf_new(owner, 8);

	put16(b, v);
	return done(b);
}

static struct value
int4(void *owner, int32_t v)
{
	struct buf *b = buf_new(owner, 8);

	put32(b, v);
	return done(b);
}

static struct value
int8(void *owner, int64_t v)
{
	struct buf *b = buf_new(owner, 8);

	put64(b, v);
	return done(b);
}

static struct value
float8(void *owner, double v)
{
	int64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	return int8(owner, bits);
}

/* A result of one row. */
static struct rows *
row(void *owner, size_t n, const char *const *names, const unsigned *types,
    const struct value *values)
{
	PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	PGresAttDesc *columns = mem_array(owner, PGresAttDesc, n);

	for (size_t i = 0; i < n; i++)
		columns[i] = (PGresAttDesc){
		    .name = mem_dup(owner, names ? names[i] : "c"),
		    .format = 1,
		    .typid = types[i],
		    .typlen = -1,
		    .atttypmod = -1,
		};
	assert_true(PQsetResultAttrs(result, (int)n, columns));
	for (size_t i = 0; i < n; i++)
		assert_true(PQsetvalue(result, 0, (int)i,
		    mem_copy(owner, values[i].bytes ? values[i].bytes : "",
			values[i].n > 0 ? (size_t)values[i].n : 1),
		    values[i].n));
	return db__rows(owner, result);
}

static struct rows *
cell(void *owner, unsigned type, struct value value)
{
	return row(owner, 1, NULL, &type, &value);
}

static const char *
json(void *owner, unsigned type, struct value value)
{
	struct buf *b = buf_new(owner, 1 << 16);

	return rows_json(cell(owner, type, value), 0, 0, b) ? b->data : NULL;
}

#define assert_json(type, value, wanted) \
	assert_string_equal(json(*state, type, value), wanted)

static void
whole_numbers_keep_their_sign_and_size(void **state)
{
	assert_json(SQL_INT2, int2(*state, -32768), "-32768");
	assert_json(SQL_INT2, int2(*state, 32767), "32767");
	assert_json(SQL_INT4, int4(*state, INT32_MIN), "-2147483648");
	assert_json(SQL_INT4, int4(*state, 0), "0");
	assert_json(SQL_INT8, int8(*state, INT64_MIN), "-9223372036854775808");
	assert_json(SQL_INT8, int8(*state, INT64_MAX), "9223372036854775807");
	assert_json(SQL_INT8, null, "null");
	assert_int_equal(
	    rows_int(cell(*state, SQL_INT2, int2(*state, -7)), 0, 0), -7);
	assert_int_equal(rows_int(cell(*state, SQL_INT8, null), 0, 0), 0);
	assert_true(
	    rows_bool(cell(*state, SQL_BOOL, (struct value){"\1", 1}), 0, 0));
	assert_json(SQL_BOOL, ((struct value){"\0", 1}), "false");
	assert_json(SQL_BOOL, ((struct value){"\1", 1}), "true");
}

static void
floats_read_back_as_themselves(void **state)
{
	static const double values[] = {0.1, 0.2, 0.1 + 0.2, 1.0 / 3, 1e300,
	    5e-324, 1.7976931348623157e308, 123456789012345680.0, -2.5, 1e22,
	    4503599627370497.5};
	static const struct {
		double v;
		const char *wanted;
	} cases[] = {
	    {0, "0"},
	    {-0.0, "-0"},
	    {0.1, "0.1"},
	    {0.5, "0.5"},
	    {100, "100"},
	    {0.30000000000000004, "0.30000000000000004"},
	    {NAN, "null"},
	    {INFINITY, "null"},
	    {-INFINITY, "null"},
	};

	for (size_t i = 0; i < nitems(values); i++) {
		const char *s =
		    json(*state, SQL_FLOAT8, float8(*state, values[i]));

		assert_true(strtod(s, NULL) == values[i]);
	}
	for (size_t i = 0; i < nitems(cases); i++)
		assert_json(
		    SQL_FLOAT8, float8(*state, cases[i].v), cases[i].wanted);
}

/* numeric_send: digits of base 10000, the first worth 10000^weight. */
static void
numerics_are_written_digit_by_digit(void **state)
{
	static const struct {
		int n, weight, sign, scale, digits[8];
		const char *wanted;
	} cases[] = {
	    {0, 0, 0, 0, {0}, "0"}, {0, 0, 0, 2, {0}, "0.00"},
	    {1, 0, 0, 0, {1}, "1"}, {1, 0, 0x4000, 0, {42}, "-42"},
	    {2, 0, 0x4000, 1, {1, 5000}, "-1.5"}, {1, 1, 0, 0, {1}, "10000"},
	    {1, 5, 0, 0, {1}, "100000000000000000000"},
	    {2, 1, 0, 0, {1, 1}, "10001"},
	    {3, 1, 0, 2, {1, 2345, 6000}, "12345.60"},
	    {4, 2, 0, 4, {1, 2345, 6789, 123}, "123456789.0123"},
	    {1, -1, 0, 1, {1000}, "0.1"}, {1, -1, 0, 4, {1}, "0.0001"},
	    {1, -2, 0, 8, {1234}, "0.00001234"},
	    {1, -3, 0x4000, 12, {7}, "-0.000000000007"},
	    {1, 0, 0, 6, {3}, "3.000000"}, {2, 0, 0, 7, {3, 1415}, "3.1415000"},
	    {0, 0, 0xC000, 0, {0}, "null"}, /* NaN */
	    {0, 0, 0xD000, 0, {0}, "null"}, /* infinity */
	    {0, 0, 0xF000, 0, {0}, "null"}, /* -infinity */
	};

	for (size_t i = 0; i < nitems(cases); i++) {
		struct buf *b = buf_new(*state, 100);

		put16(b, cases[i].n);
		put16(b, cases[i].weight);
		put16(b, cases[i].sign);
		put16(b, cases[i].scale);
		for (int k = 0; k < cases[i].n; k++)
			put16(b, cases[i].digits[k]);
		assert_json(SQL_NUMERIC, done(b), cases[i].wanted);
	}
}

static void
days_and_instants_reach_from_year_1_to_9999(void **state)
{
	static const struct {
		int32_t days;
		const char *wanted;
	} dates[] = {
	    {0, "\"2000-01-01\""},
	    {-1, "\"1999-12-31\""},
	    {59, "\"2000-02-29\""},
	    {60, "\"2000-03-01\""},
	    {-10957, "\"1970-01-01\""},
	    {-36465, "\"1900-03-01\""}, /* 1900 was no leap year */
	    {-36466, "\"1900-02-28\""},
	    {-730119, "\"0001-01-01\""},
	    {2921939, "\"9999-12-31\""},
	    {INT32_MAX, "null"}, /* infinity */
	    {INT32_MIN, "null"},
	};
	static const struct {
		int64_t micros;
		const char *wanted;
	} times[] = {
	    {0, "\"2000-01-01T00:00:00Z\""},
	    {1, "\"2000-01-01T00:00:00.000001Z\""},
	    {-1, "\"1999-12-31T23:59:59.999999Z\""},
	    {-1000000, "\"1999-12-31T23:59:59Z\""},
	    {INT64_C(86399) * 1000000, "\"2000-01-01T23:59:59Z\""},
	    {INT64_C(-946684800) * 1000000, "\"1970-01-01T00:00:00Z\""},
	    {INT64_C(-946684801) * 1000000 + 500000,
		"\"1969-12-31T23:59:59.500000Z\""},
	    {INT64_C(-63082281600) * 1000000, "\"0001-01-01T00:00:00Z\""},
	    {INT64_MAX, "null"}, /* infinity */
	    {INT64_MIN, "null"},
	};

	for (size_t i = 0; i < nitems(dates); i++)
		assert_json(
		    SQL_DATE, int4(*state, dates[i].days), dates[i].wanted);
	for (size_t i = 0; i < nitems(times); i++)
		assert_json(
		    SQL_TIME, int8(*state, times[i].micros), times[i].wanted);
	assert_int_equal(
	    rows_time(cell(*state, SQL_TIME, int8(*state, -1)), 0, 0),
	    INT64_C(946684800) * 1000000 - 1);
	assert_int_equal(
	    rows_date(cell(*state, SQL_DATE, int4(*state, 0)), 0, 0), 10957);
	assert_int_equal(rows_date(cell(*state, SQL_DATE, null), 0, 0), 0);
}

static void
text_and_documents_pass_through(void **state)
{
	static const char id[16] = {0x01, (char)0xa1, (char)0xf8, 0x38, 0x4f,
	    (char)0xfc, 0x78, 0x64, (char)0xa8, 0x20, 0x7b, 0x0b, (char)0x98,
	    (char)0xef, (char)0xc9, (char)0xb1};
	const struct value uuid = {id, 16};

	assert_json(SQL_TEXT, text("a\"b\n\xC3\xA9"), "\"a\\\"b\\n\xC3\xA9\"");
	assert_json(SQL_TEXT, text(""), "\"\"");
	assert_json(SQL_TEXT, null, "null");
	assert_json(SQL_NAME, text("x"), "\"x\"");
	assert_json(SQL_JSONB, text("\1{\"a\": [1]}"), "{\"a\": [1]}");
	assert_json(SQL_JSON, text("[1, 2]"), "[1, 2]");
	assert_json(SQL_VOID, text(""), "null");
	assert_json(SQL_UUID, uuid, "\"01a1f838-4ffc-7864-a820-7b0b98efc9b1\"");
	assert_string_equal(
	    rows_text(*state, cell(*state, SQL_UUID, uuid), 0, 0),
	    "01a1f838-4ffc-7864-a820-7b0b98efc9b1");
	assert_string_equal(
	    rows_text(*state, cell(*state, SQL_TEXT, text("a\"b")), 0, 0),
	    "a\"b");
	assert_null(rows_text(*state, cell(*state, SQL_TEXT, null), 0, 0));
	assert_null(json(*state, 600, text("point"))); /* has no JSON form */
}

/* array_send with one dimension; items NULL where n is -1. */
static struct value
list(void *owner, unsigned type, size_t n, const struct value *items)
{
	struct buf *b = buf_new(owner, 1000);

	put32(b, n != 0);
	put32(b, 1);
	put32(b, (int32_t)type);
	if (n) {
		put32(b, (int32_t)n);
		put32(b, 1);
	}
	for (size_t i = 0; i < n; i++) {
		put32(b, items[i].n);
		if (items[i].n > 0)
			buf_add(b, items[i].bytes, (size_t)items[i].n);
	}
	return done(b);
}

static void
lists_hold_nulls_and_nothing(void **state)
{
	const struct value words[] = {text("a,b"), null, text("")};
	const struct value numbers[] = {int4(*state, -1), null};
	struct buf *b = buf_new(*state, 100);

	assert_json(SQL_TEXT_LIST, list(*state, SQL_TEXT, 3, words),
	    "[\"a,b\",null,\"\"]");
	assert_json(
	    SQL_INT4_LIST, list(*state, SQL_INT4, 2, numbers), "[-1,null]");
	assert_json(SQL_TEXT_LIST, list(*state, SQL_TEXT, 0, NULL), "[]");
	put32(b, 2); /* a table has no form here */
	put32(b, 0);
	put32(b, SQL_INT4);
	for (int i = 0; i < 4; i++)
		put32(b, 1);
	put32(b, 4);
	put32(b, 7);
	assert_null(json(*state, SQL_INT4_LIST, done(b)));
}

static void
columns_are_found_by_name(void **state)
{
	const char *const names[] = {"id", "owner.id", "~key"};
	const unsigned types[] = {SQL_INT4, SQL_TEXT, SQL_TEXT};
	const struct value values[] = {int4(*state, 5), null, text("x")};
	struct rows *r = row(*state, 3, names, types, values);
	size_t n;

	assert_int_equal(rows_count(r), 1);
	assert_int_equal(rows_width(r), 3);
	assert_int_equal(rows_find(r, "owner.id"), 1);
	assert_int_equal(rows_find(r, "owner"), -1);
	assert_int_equal(rows_find(r, ""), -1);
	assert_string_equal(rows_get(*state, r, 0, "id"), "5");
	assert_null(rows_get(*state, r, 0, "owner.id"));
	assert_null(rows_get(*state, r, 0, "nothing"));
	assert_true(rows_is_null(r, 0, 1));
	assert_memory_equal(rows_bytes(r, 0, 2, &n), "x", 1);
	assert_int_equal(n, 1);
	assert_true(rows_same(r, 0, 2, r, 0, 2));
	assert_false(rows_same(r, 0, 0, r, 0, 2));
}

static void
a_dead_server_is_unavailable_and_nothing_leaks(void **state)
{
	struct db *db = db_new(*state,
	    "host=/nonexistent dbname=nothing connect_timeout=1", "nobody");
	struct op *op = op_new(*state, "test", db);

	assert_int_equal(db_connect(op, db), ERR_UNAVAILABLE);
	assert_false(db_is_connected(db));
	assert_int_equal(db_socket(db), -1);
	db_close(db);
	db_close(db);
	mem_drop(&db); /* with nothing prepared, and twice closed */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    unit(whole_numbers_keep_their_sign_and_size),
	    unit(floats_read_back_as_themselves),
	    unit(numerics_are_written_digit_by_digit),
	    unit(days_and_instants_reach_from_year_1_to_9999),
	    unit(text_and_documents_pass_through),
	    unit(lists_hold_nulls_and_nothing),
	    unit(columns_are_found_by_name),
	    unit(a_dead_server_is_unavailable_and_nothing_leaks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
