/* The rows of a result, read by type: binary PostgreSQL to C, text and JSON. */
#include "db/rows.h"

#include <assert.h>
#include <endian.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "base/text.h"
#include "db/db_priv.h"

struct rows {
	PGresult *result;
};

enum {
	/* days and microseconds from 1970-01-01 to 2000-01-01, where
	 * PostgreSQL begins to count */
	EPOCH_DAYS = 10957,
	UUID_TEXT = 36,
	VALUE_MAX = 64 << 20,
};
#define EPOCH_MICROS (INT64_C(86400000000) * EPOCH_DAYS)

static void
clear(void *result)
{
	PQclear(result);
}

struct rows *
db__rows(void *owner, PGresult *result)
{
	struct rows *r = mem_new(owner, struct rows);

	r->result = mem_adopt(r, result, clear);
	return r;
}

size_t
rows_count(const struct rows *r)
{
	return (size_t)PQntuples(r->result);
}

size_t
rows_width(const struct rows *r)
{
	return (size_t)PQnfields(r->result);
}

const char *
rows_name(const struct rows *r, size_t col)
{
	return PQfname(r->result, (int)col);
}

unsigned
rows_type(const struct rows *r, size_t col)
{
	return PQftype(r->result, (int)col);
}

int
rows_find(const struct rows *r, const char *name)
{
	for (size_t i = 0; i < rows_width(r); i++)
		if (strcmp(rows_name(r, i), name) == 0)
			return (int)i;
	return -1;
}

bool
rows_is_null(const struct rows *r, size_t row, size_t col)
{
	return PQgetisnull(r->result, (int)row, (int)col);
}

static const char *
bytes(const struct rows *r, size_t row, size_t col)
{
	return PQgetvalue(r->result, (int)row, (int)col);
}

static size_t
length(const struct rows *r, size_t row, size_t col)
{
	return (size_t)PQgetlength(r->result, (int)row, (int)col);
}

static int16_t
int16_at(const char *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return (int16_t)be16toh(v);
}

static int32_t
int32_at(const char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return (int32_t)be32toh(v);
}

static int64_t
int64_at(const char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return (int64_t)be64toh(v);
}

static double
float8_at(const char *p)
{
	int64_t bits = int64_at(p);
	double v;

	memcpy(&v, &bits, sizeof(v));
	return v;
}

int64_t
rows_int(const struct rows *r, size_t row, size_t col)
{
	if (rows_is_null(r, row, col))
		return 0;
	switch (rows_type(r, col)) {
	case SQL_BOOL:
		return *bytes(r, row, col) != 0;
	case SQL_INT2:
		return int16_at(bytes(r, row, col));
	case SQL_INT4:
		return int32_at(bytes(r, row, col));
	case SQL_INT8:
		return int64_at(bytes(r, row, col));
	default:
		assert(!"rows_int of another type");
		return 0;
	}
}

double
rows_float(const struct rows *r, size_t row, size_t col)
{
	assert(rows_type(r, col) == SQL_FLOAT8);
	return rows_is_null(r, row, col) ? 0 : float8_at(bytes(r, row, col));
}

bool
rows_bool(const struct rows *r, size_t row, size_t col)
{
	return rows_int(r, row, col) != 0;
}

int64_t
rows_time(const struct rows *r, size_t row, size_t col)
{
	assert(rows_type(r, col) == SQL_TIME);
	return rows_is_null(r, row, col)
	    ? 0
	    : int64_at(bytes(r, row, col)) + EPOCH_MICROS;
}

int64_t
rows_date(const struct rows *r, size_t row, size_t col)
{
	assert(rows_type(r, col) == SQL_DATE);
	return rows_is_null(r, row, col)
	    ? 0
	    : int32_at(bytes(r, row, col)) + (int64_t)EPOCH_DAYS;
}

/* A number that is not negative, in n digits. */
static void
put_digits(struct buf *out, int64_t value, size_t n)
{
	char *room = buf_room(out, n);

	if (!room)
		return;
	for (size_t i = n; i-- > 0; value /= 10)
		room[i] = (char)('0' + value % 10);
	buf_used(out, n);
}

/* The civil date of a day number (Hinnant, "chrono-compatible low-level date
 * algorithms", civil_from_days). */
static void
put_date(struct buf *out, int64_t days)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;
	int64_t month = mp < 10 ? mp + 3 : mp - 9;
	int64_t year = yoe + era * 400 + (month <= 2);

	if (year < 0 || year > 9999)
		buf_fmt(out, "%04" PRId64, year);
	else
		put_digits(out, year, 4);
	buf_char(out, '-');
	put_digits(out, month, 2);
	buf_char(out, '-');
	put_digits(out, doy - (153 * mp + 2) / 5 + 1, 2);
}

static void
put_time(struct buf *out, int64_t micros)
{
	int64_t day = INT64_C(86400000000);
	int64_t days = micros / day - (micros % day < 0);
	int64_t rest = micros - days * day;
	int64_t fraction = rest % 1000000;

	put_date(out, days);
	rest /= 1000000;
	buf_char(out, 'T');
	put_digits(out, rest / 3600, 2);
	buf_char(out, ':');
	put_digits(out, rest / 60 % 60, 2);
	buf_char(out, ':');
	put_digits(out, rest % 60, 2);
	if (fraction) {
		buf_char(out, '.');
		put_digits(out, fraction, 6);
	}
	buf_char(out, 'Z');
}

static void
put_uuid(struct buf *out, const char *p)
{
	static const char digit[] = "0123456789abcdef";
	char *room = buf_room(out, UUID_TEXT), *to = room;

	if (!room)
		return;
	for (int i = 0; i < 16; i++) {
		unsigned char byte = (unsigned char)p[i];

		if (i == 4 || i == 6 || i == 8 || i == 10)
			*to++ = '-';
		*to++ = digit[byte >> 4];
		*to++ = digit[byte & 15];
	}
	buf_used(out, UUID_TEXT);
}

/* The shortest of the two forms that reads back as the same number. */
static void
put_float(struct buf *out, double v)
{
	char text[40];

	if (!isfinite(v)) {
		buf_text(out, "null");
		return;
	}
	if (fabs(v) < 1e15 && v == (double)(int64_t)v && !signbit(v)) {
		buf_int(
		    out, (int64_t)v); /* most are whole, and this is quick */
		return;
	}
	snprintf(text, sizeof(text), "%.15g", v);
	if (strtod(text, NULL) != v)
		snprintf(text, sizeof(text), "%.17g", v);
	buf_text(out, text);
}

/* numeric_send: ndigits, weight, sign, dscale, then base-10000 digits. */
static void
put_numeric(struct buf *out, const char *p)
{
	int n = int16_at(p), weight = int16_at(p + 2);
	unsigned sign = (uint16_t)int16_at(p + 4);
	int scale = int16_at(p + 6);

	if (sign != 0 && sign != 0x4000) { /* NaN and infinities */
		buf_text(out, "null");
		return;
	}
	if (sign)
		buf_char(out, '-');
	if (weight < 0)
		buf_char(out, '0');
	for (int i = 0; i <= weight; i++)
		buf_fmt(out, i ? "%04d" : "%d",
		    i < n ? int16_at(p + 8 + 2 * i) : 0);
	if (scale > 0)
		buf_char(out, '.');
	for (int i = weight + 1; scale > 0; i++, scale -= 4) {
		char four[8];

		snprintf(four, sizeof(four), "%04d",
		    i >= 0 && i < n ? int16_at(p + 8 + 2 * i) : 0);
		buf_add(out, four, scale < 4 ? (size_t)scale : 4);
	}
}

static bool
put_value(struct buf *out, unsigned type, const char *p, size_t n, bool json);

/* array_send: dimensions, flags, element type, then per dimension its length
 * and lower bound, then the elements. One dimension is all we use. */
static bool
put_list(struct buf *out, const char *p)
{
	int dimensions = int32_at(p), count = 0;
	unsigned type = (unsigned)int32_at(p + 8);

	buf_char(out, '[');
	if (dimensions > 1)
		return false;
	if (dimensions == 1)
		count = int32_at(p + 12);
	p += 20;
	for (int i = 0; i < count; i++) {
		int32_t n = int32_at(p);

		p += 4;
		if (i)
			buf_char(out, ',');
		if (n < 0) {
			buf_text(out, "null");
			continue;
		}
		if (!put_value(out, type, p, (size_t)n, true))
			return false;
		p += n;
	}
	buf_char(out, ']');
	return true;
}

/* infinity and -infinity are the ends of the range; 0 for what is neither. */
static int
endless(unsigned type, const char *p)
{
	int64_t v;

	if (type == SQL_TIME) {
		v = int64_at(p);
		return v == INT64_MAX ? 1 : v == INT64_MIN ? -1 : 0;
	}
	if (type != SQL_DATE)
		return 0;
	v = int32_at(p);
	return v == INT32_MAX ? 1 : v == INT32_MIN ? -1 : 0;
}

static bool
put_value(struct buf *out, unsigned type, const char *p, size_t n, bool json)
{
	bool quoted =
	    json && (type == SQL_UUID || type == SQL_TIME || type == SQL_DATE);

	if (endless(type, p)) {
		buf_text(out,
		    json                       ? "null"
			: endless(type, p) < 0 ? "-infinity"
					       : "infinity");
		return true;
	}
	if (quoted)
		buf_char(out, '"');
	switch (type) {
	case SQL_BOOL:
		buf_text(out, *p ? "true" : "false");
		break;
	case SQL_INT2:
		buf_int(out, int16_at(p));
		break;
	case SQL_INT4:
		buf_int(out, int32_at(p));
		break;
	case SQL_INT8:
		buf_int(out, int64_at(p));
		break;
	case SQL_FLOAT8:
		put_float(out, float8_at(p));
		break;
	case SQL_NUMERIC:
		put_numeric(out, p);
		break;
	case SQL_UUID:
		put_uuid(out, p);
		break;
	case SQL_TIME:
		put_time(out, int64_at(p) + EPOCH_MICROS);
		break;
	case SQL_DATE:
		put_date(out, int32_at(p) + (int64_t)EPOCH_DAYS);
		break;
	case SQL_TEXT:
	case SQL_NAME:
	case SQL_VARCHAR:
		if (json)
			buf_json_text(out, p, n);
		else
			buf_add(out, p, n);
		break;
	case SQL_JSONB: /* a version byte, then the text */
		buf_add(out, p + 1, n - 1);
		break;
	case SQL_JSON:
		buf_add(out, p, n);
		break;
	case SQL_TEXT_LIST:
	case SQL_UUID_LIST:
	case SQL_INT4_LIST:
	case SQL_INT8_LIST:
		return put_list(out, p);
	case SQL_VOID:
		if (json)
			buf_text(out, "null");
		break;
	default:
		return false;
	}
	if (quoted)
		buf_char(out, '"');
	return true;
}

bool
rows_json(const struct rows *r, size_t row, size_t col, struct buf *out)
{
	if (rows_is_null(r, row, col)) {
		buf_text(out, "null");
		return true;
	}
	return put_value(out, rows_type(r, col), bytes(r, row, col),
	    length(r, row, col), true);
}

bool
rows_json_all(const struct rows *r, struct buf *out)
{
	buf_char(out, '[');
	for (size_t row = 0; row < rows_count(r); row++) {
		buf_text(out, row ? ",{" : "{");
		for (size_t col = 0; col < rows_width(r); col++) {
			const char *name = rows_name(r, col);

			if (col)
				buf_char(out, ',');
			buf_json_text(out, name, strlen(name));
			buf_char(out, ':');
			if (!rows_json(r, row, col, out))
				return false;
		}
		buf_char(out, '}');
	}
	buf_char(out, ']');
	return !out->full;
}

char *
rows_text(void *owner, const struct rows *r, size_t row, size_t col)
{
	struct buf *b;
	bool known;

	if (rows_is_null(r, row, col))
		return NULL;
	b = buf_new(owner, VALUE_MAX);
	known = put_value(b, rows_type(r, col), bytes(r, row, col),
	    length(r, row, col), false);
	assert(known);
	return b->data;
}

char *
rows_get(void *owner, const struct rows *r, size_t row, const char *name)
{
	int col = rows_find(r, name);

	return col < 0 ? NULL : rows_text(owner, r, row, (size_t)col);
}

const char *
rows_bytes(const struct rows *r, size_t row, size_t col, size_t *n)
{
	const char *p = bytes(r, row, col);
	bool is_jsonb = rows_type(r, col) == SQL_JSONB;

	*n = length(r, row, col);
	if (is_jsonb && *n) {
		p++;
		(*n)--;
	}
	return p;
}

bool
rows_same(const struct rows *a, size_t row_a, size_t col_a,
    const struct rows *b, size_t row_b, size_t col_b)
{
	size_t n = length(a, row_a, col_a);

	return n == length(b, row_b, col_b) &&
	    memcmp(bytes(a, row_a, col_a), bytes(b, row_b, col_b), n) == 0;
}
