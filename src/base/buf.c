/* A growing run of bytes that was told its greatest size at birth. */
#include "base/buf.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/text.h"

struct buf *
buf_new(void *owner, size_t max)
{
	struct buf *b = mem_new(owner, struct buf);

	b->max = max;
	b->cap = max < 255 ? max + 1 : 256;
	b->data = mem_array(b, char, b->cap);
	return b;
}

char *
buf_room(struct buf *b, size_t n)
{
	if (b->full || n > b->max - b->len) {
		b->full = true;
		return NULL;
	}
	if (b->len + n + 1 > b->cap) {
		b->cap =
		    b->cap * 2 > b->len + n + 1 ? b->cap * 2 : b->len + n + 1;
		b->data = mem_resize(b, b->data, b->cap, 1);
	}
	return b->data + b->len;
}

void
buf_used(struct buf *b, size_t n)
{
	b->len += n;
	b->data[b->len] = '\0';
}

void
buf_add(struct buf *b, const void *bytes, size_t n)
{
	char *room = buf_room(b, n);

	if (!room)
		return;
	if (n)
		memcpy(room, bytes, n);
	buf_used(b, n);
}

void
buf_text(struct buf *b, const char *text)
{
	buf_add(b, text, strlen(text));
}

void
buf_char(struct buf *b, char c)
{
	char *room = buf_room(b, 1);

	if (!room)
		return;
	*room = c;
	buf_used(b, 1);
}

void
buf_fmt(struct buf *b, const char *fmt, ...)
{
	char small[256];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if ((size_t)n < sizeof(small)) {
		buf_add(b, small, (size_t)n);
		return;
	}
	char *room = buf_room(b, (size_t)n);
	if (!room)
		return;
	va_start(ap, fmt);
	vsnprintf(room, (size_t)n + 1, fmt, ap);
	va_end(ap);
	buf_used(b, (size_t)n);
}

void
buf_int(struct buf *b, int64_t value)
{
	char digits[24], *p = digits + sizeof(digits);
	uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;

	do {
		*--p = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest);
	if (value < 0)
		*--p = '-';
	buf_add(b, p, (size_t)(digits + sizeof(digits) - p));
}

void
buf_reset(struct buf *b)
{
	b->len = 0;
	b->full = false;
	b->data[0] = '\0';
}

static const char *
json_escape(unsigned char c)
{
	switch (c) {
	case '"':
		return "\\\"";
	case '\\':
		return "\\\\";
	case '\n':
		return "\\n";
	case '\r':
		return "\\r";
	case '\t':
		return "\\t";
	default:
		return NULL;
	}
}

/* How many bytes from here stand in a JSON string as they are: ASCII but for
 * controls, quote and backslash. Eight at a time: in each byte, subtracting
 * leaves the high bit set where it is too small, or where a match became 0
 * (Hacker's Delight, 6-1; a false alarm after a true one does no harm). */
static size_t
plain_run(const char *text, size_t n)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
	size_t i = 0;

	for (uint64_t w; i + sizeof(w) <= n; i += sizeof(w)) {
		memcpy(&w, text + i, sizeof(w));
		if ((w | (w - ones * 0x20) | ((w ^ ones * '"') - ones) |
			((w ^ ones * '\\') - ones)) &
		    high)
			break;
	}
	for (; i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < 0x20 || c >= 0x80 || c == '"' || c == '\\')
			break;
	}
	return i;
}

void
buf_json_text(struct buf *b, const char *text, size_t n)
{
	size_t from = 0, i = 0;

	buf_char(b, '"');
	while (i += plain_run(text + i, n - i), i < n) {
		unsigned char c = (unsigned char)text[i];
		size_t width;

		width = c < 0x80 ? 0 : text_utf8_width(text + i, n - i);
		if (width) {
			i += width;
			continue;
		}
		buf_add(b, text + from, i - from);
		if (c >= 0x80)
			buf_text(b, "\xEF\xBF\xBD");
		else if (json_escape(c))
			buf_text(b, json_escape(c));
		else
			buf_fmt(b, "\\u%04x", c);
		from = ++i;
	}
	buf_add(b, text + from, n - from);
	buf_char(b, '"');
}

static const char *
html_escape(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

void
buf_html_text(struct buf *b, const char *text, size_t n)
{
	size_t from = 0;

	for (size_t i = 0; i < n; i++) {
		const char *escaped = html_escape(text[i]);

		if (!escaped)
			continue;
		buf_add(b, text + from, i - from);
		buf_text(b, escaped);
		from = i + 1;
	}
	buf_add(b, text + from, n - from);
}
