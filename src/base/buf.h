/*
 * A growing run of bytes that was told its greatest size at birth.
 *
 * Appending past the maximum appends nothing more and sets `full`; the caller
 * looks once, at the end. The bytes are always followed by a NUL that is not
 * counted, so `data` is a C string when no NUL was appended.
 */
#ifndef GNOMON_BASE_BUF_H
#define GNOMON_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	char *data;
	size_t len; /* bytes appended */
	size_t cap; /* bytes allocated, NUL included */
	size_t max; /* len never exceeds it */
	bool full; /* something did not fit and was left out */
};

/* An empty buffer, owned by owner, for at most max bytes. */
struct buf *buf_new(void *owner, size_t max);

void buf_add(struct buf *b, const void *bytes, size_t n);
void buf_text(struct buf *b, const char *text);
void buf_char(struct buf *b, char c);
void buf_fmt(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void buf_int(struct buf *b, int64_t value);

/* Makes room for n more bytes and returns where they go; NULL when full.
 * Follow with buf_used. */
char *buf_room(struct buf *b, size_t n);
void buf_used(struct buf *b, size_t n);

/* Forgets the contents, keeps the memory. */
void buf_reset(struct buf *b);

/* Appends text as a JSON string with its quotes (RFC 8259 section 7). Bytes
 * that are not UTF-8 become U+FFFD. */
void buf_json_text(struct buf *b, const char *text, size_t n);

/* Appends text for HTML content or a quoted attribute: & < > " ' escaped. */
void buf_html_text(struct buf *b, const char *text, size_t n);

#endif
