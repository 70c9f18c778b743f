/*
 * CSV, as RFC 4180 has it and as spreadsheets write it: a reader for imports
 * that gives one record at a time in bounded memory, and the writing of a
 * field.
 *
 * A field may be quoted; inside, quotes are doubled and line breaks belong to
 * the field. A quote in the middle of an unquoted field is an ordinary
 * character. CRLF, LF and CR each end a record; a line with nothing on it is no
 * record; a byte order mark is passed over. Fields are given as they stand,
 * with their spaces.
 *
 * A record that breaks the rules is a fault, told in a sentence, and reading
 * goes on with the record after it. Where that one begins is decided by the
 * same rules of quoting, so no field's contents are ever mistaken for a
 * record; a quote that is never closed therefore takes the rest of the file.
 */
#ifndef GNOMON_TEXT_CSV_H
#define GNOMON_TEXT_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct buf;

/* A zero means the default. */
struct csv_options {
	char
	    separator; /* default: whichever of , ; TAB the first line has most */
	size_t max_field; /* bytes of one field; 1 MiB */
	size_t max_fields; /* fields of one record; 1,000 */
	size_t max_record; /* bytes of one record in the file; 4 MiB */
};

struct csv_field {
	const char *text; /* UTF-8 without NUL, but NUL-terminated */
	size_t len;
};

/* Lent until the next csv_next. */
struct csv_record {
	size_t line; /* where it starts, counted from 1 */
	const struct csv_field *fields;
	size_t n; /* at least 1; 0 in a fault */
	const char *fault; /* what is wrong with it, a sentence; or NULL */
};

enum csv_found { CSV_END, CSV_RECORD, CSV_FAULT };

/* A reader below owner. The file or the bytes are lent and must outlive it;
 * nothing is read before the first csv_next. opt may be NULL. Memory: the
 * largest record so far, 16 bytes a field and, of a file, 64 KiB. */
struct csv *csv_of_file(void *owner, FILE *file, const struct csv_options *opt);
struct csv *csv_of_memory(
    void *owner, const char *bytes, size_t n, const struct csv_options *opt);

/* The next record, or what is wrong with it. A file that cannot be read is one
 * last fault. */
enum csv_found csv_next(struct csv *c, struct csv_record *out);

/*
 * Appends one field, quoted when it has a quote, a line break, a space at
 * either end, a byte order mark before it, or any of the separators above. NULL text is written as nothing,
 * empty text as "", as PostgreSQL's COPY does. Separators and the CRLF after
 * each record are the caller's.
 *
 * With guard, text that a spreadsheet would take for a formula (it begins with
 * = + - @ TAB CR LF and is not a plain number such as -1.5) gets a leading '
 * (OWASP, "CSV Injection").
 */
void csv_write_field(struct buf *out, const char *text, size_t n, bool guard);

/* How many bytes the guard takes at the beginning of a field that was read: 0, or
 * 1 for the ' before a formula. */
size_t csv_guard_length(const char *text, size_t n);

#endif
