/* Small questions about text: UTF-8, numbers, identifiers. */
#ifndef GNOMON_BASE_TEXT_H
#define GNOMON_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The length in bytes of the well-formed UTF-8 sequence at text (Unicode
 * table 3-7: no surrogates, no overlong forms); 0 when there is none. */
size_t text_utf8_width(const char *text, size_t n);

/* True when all n bytes are well-formed UTF-8 without NUL: what PostgreSQL
 * takes as text. */
bool text_is_storable(const char *text, size_t n);

/* Code points in well-formed UTF-8. */
size_t text_utf8_length(const char *text, size_t n);

bool text_is_uuid(const char *text);

/* True when text begins with a day of the calendar as ISO 8601 writes it,
 * 0001-01-01 to 9999-12-31, in ten characters; any text may follow. */
bool text_is_date(const char *text);

/* A whole decimal number with nothing around it; false leaves *out alone. */
bool text_int(const char *text, int64_t *out);

bool text_starts(const char *text, const char *prefix);
bool text_ends(const char *text, const char *suffix);

/* Lower-case hexadecimal of n bytes; the result belongs to owner. */
char *text_hex(void *owner, const void *bytes, size_t n);

#endif
