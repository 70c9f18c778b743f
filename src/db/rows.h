/*
 * The rows of a result, read by type. Results are binary; what PostgreSQL
 * sends is decoded here and nowhere else (formats: src/backend/utils/adt,
 * the *_send functions).
 */
#ifndef GNOMON_DB_ROWS_H
#define GNOMON_DB_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "db/stmt.h"

struct buf;
struct rows;

size_t rows_count(const struct rows *r);
size_t rows_width(const struct rows *r);
const char *rows_name(const struct rows *r, size_t col);
unsigned rows_type(const struct rows *r, size_t col); /* enum sql_type */

/* The column with this name, or -1. */
int rows_find(const struct rows *r, const char *name);

bool rows_is_null(const struct rows *r, size_t row, size_t col);

/* Numbers; 0 for NULL. int2, int4, int8 and bool; float8. */
int64_t rows_int(const struct rows *r, size_t row, size_t col);
double rows_float(const struct rows *r, size_t row, size_t col);
bool rows_bool(const struct rows *r, size_t row, size_t col);

/* timestamptz: microseconds since 1970-01-01 UTC; date: days since then. */
int64_t rows_time(const struct rows *r, size_t row, size_t col);
int64_t rows_date(const struct rows *r, size_t row, size_t col);

/* Any value as text: belongs to owner; NULL for NULL. uuids are written with
 * dashes, times as RFC 3339 in UTC, jsonb as its text. */
char *rows_text(void *owner, const struct rows *r, size_t row, size_t col);

/* The same by column name; NULL also when there is no such column. */
char *rows_get(void *owner, const struct rows *r, size_t row, const char *name);

/* text, jsonb: lends the bytes as they are. *n is their number. */
const char *rows_bytes(const struct rows *r, size_t row, size_t col, size_t *n);

/* Appends the value as JSON; false when the type has no JSON form here. */
bool rows_json(const struct rows *r, size_t row, size_t col, struct buf *out);

/* Appends all rows as a JSON array of objects, aliases as keys. */
bool rows_json_all(const struct rows *r, struct buf *out);

/* Whether the values in two places are the same bytes. */
bool rows_same(const struct rows *a, size_t row_a, size_t col_a,
    const struct rows *b, size_t row_b, size_t col_b);

#endif
