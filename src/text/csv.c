/* CSV: records out of foreign bytes, and fields into ours. */
#include "text/csv.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"

#define BLOCK (64u * 1024) /* of a file, read at once; sniffing sees one */
#define BOM "\xEF\xBB\xBF"

struct csv {
	FILE *file; /* NULL when all bytes are in memory */
	char *block; /* where the file is read into */
	const char *in; /* in[at..len) is still to be parsed */
	size_t at, len;
	bool begun;
	bool over; /* reading failed, and that has been told */
	struct csv_options opt;

	size_t line; /* of the next byte, from 1 */
	bool after_cr; /* an LF would belong to the line break before */

	/* The record being read. */
	struct buf *text; /* its fields, each with a NUL after it */
	size_t *ends; /* of field i in text, at its NUL */
	struct csv_field *fields;
	size_t n;
	size_t bytes; /* in the file, so far */
	char *fault; /* once there is one, nothing more is kept */
};

static struct csv *
reader(void *owner, const struct csv_options *opt)
{
	struct csv *c = mem_new(owner, struct csv);

	if (opt)
		c->opt = *opt;
	if (!c->opt.max_field)
		c->opt.max_field = 1024u * 1024;
	if (!c->opt.max_fields)
		c->opt.max_fields = 1000;
	if (!c->opt.max_record)
		c->opt.max_record = 4u * 1024 * 1024;
	assert(!memchr("\"\r\n", c->opt.separator, 3));
	c->line = 1;
	c->text = buf_new(c, c->opt.max_record + c->opt.max_fields);
	return c;
}

struct csv *
csv_of_file(void *owner, FILE *file, const struct csv_options *opt)
{
	struct csv *c = reader(owner, opt);

	c->file = file;
	c->block = mem_array(c, char, BLOCK);
	c->in = c->block;
	return c;
}

struct csv *
csv_of_memory(
    void *owner, const char *bytes, size_t n, const struct csv_options *opt)
{
	struct csv *c = reader(owner, opt);

	c->in = bytes;
	c->len = n;
	return c;
}

/* ---- bytes -------------------------------------------------------------- */

/* The next byte without taking it; -1 at the end. */
static int
peek(struct csv *c)
{
	if (c->at == c->len && c->file) {
		c->at = 0;
		c->len = fread(c->block, 1, BLOCK, c->file);
	}
	return c->at < c->len ? (unsigned char)c->in[c->at] : -1;
}

static void
take(struct csv *c)
{
	char byte = c->in[c->at++];

	if (byte == '\r' || (byte == '\n' && !c->after_cr))
		c->line++;
	c->after_cr = byte == '\r';
	c->bytes++;
}

static bool
is_line_end(int byte)
{
	return byte == '\r' || byte == '\n' || byte == -1;
}

/* The separator that the first line which says anything has most of. */
static char
sniff(const char *bytes, size_t n)
{
	static const char candidates[] = ",;\t";
	size_t count[3] = {0}, best = 0;
	bool quoted = false, empty = true;

	for (size_t i = 0; i < n; i++) {
		const char *hit = memchr(candidates, bytes[i], 3);
		bool ends_line = is_line_end((unsigned char)bytes[i]);

		if (ends_line && !quoted && !empty)
			break;
		empty = empty && ends_line;
		if (bytes[i] == '"')
			quoted = !quoted;
		else if (hit && !quoted)
			count[hit - candidates]++;
	}
	for (size_t i = 1; i < 3; i++)
		if (count[i] > count[best])
			best = i;
	return candidates[best];
}

static void
begin(struct csv *c)
{
	c->begun = true;
	if (peek(c) == 0xEF && c->len - c->at >= 3 &&
	    memcmp(c->in + c->at, BOM, 3) == 0)
		c->at += 3;
	if (!c->opt.separator)
		c->opt.separator = sniff(c->in + c->at,
		    c->len - c->at < BLOCK ? c->len - c->at : BLOCK);
}

/* ---- records ------------------------------------------------------------ */

/* The first thing that is wrong with a record is the one that is told. */
static void fault(struct csv *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void
fault(struct csv *c, const char *fmt, ...)
{
	va_list ap;

	if (c->fault)
		return;
	va_start(ap, fmt);
	c->fault = mem_vfmt(c, fmt, ap);
	va_end(ap);
}

/* Takes the next byte into the field that began at `start`. */
static void
keep(struct csv *c, size_t start)
{
	char byte = c->in[c->at];

	take(c);
	if (c->bytes > c->opt.max_record)
		fault(c, "The record is longer than %zu bytes.",
		    c->opt.max_record);
	else if (c->text->len - start == c->opt.max_field)
		fault(c, "Field %zu is longer than %zu bytes.", c->n + 1,
		    c->opt.max_field);
	if (!c->fault)
		buf_char(c->text, byte);
}

static void
read_quoted(struct csv *c, size_t start)
{
	size_t line = c->line;
	int byte;

	take(c);
	for (;;) {
		byte = peek(c);
		if (byte == -1) {
			fault(c,
			    "The quote opened on line %zu is never closed, so "
			    "the rest of the file is inside it.",
			    line);
			return;
		}
		if (byte == '"') {
			take(c);
			if (peek(c) != '"')
				break;
		}
		keep(c, start);
	}
	byte = peek(c);
	if (!is_line_end(byte) && byte != (unsigned char)c->opt.separator)
		fault(
		    c, "Field %zu has text after its closing quote.", c->n + 1);
}

static void
read_plain(struct csv *c, size_t start)
{
	int byte;

	while (!is_line_end(byte = peek(c)) &&
	    byte != (unsigned char)c->opt.separator)
		keep(c, start);
}

static void
end_field(struct csv *c, size_t start)
{
	const char *text = c->text->data + start;
	size_t len = c->text->len - start;

	if (c->n == c->opt.max_fields)
		fault(c, "The record has more than %zu fields.",
		    c->opt.max_fields);
	else if (memchr(text, '\0', len))
		fault(c,
		    "Field %zu has a NUL byte in it; the file may be UTF-16 "
		    "rather than UTF-8.",
		    c->n + 1);
	else if (!text_is_storable(text, len))
		fault(c, "Field %zu is not UTF-8 text.", c->n + 1);
	if (c->fault)
		return;
	c->ends = mem_grow(c, c->ends, c->n, sizeof(*c->ends));
	c->ends[c->n++] = c->text->len;
	buf_char(c->text, '\0');
}

/* Reads up to and including the end of the line that ends the record; false
 * when there was nothing on it. */
static bool
read_record(struct csv *c)
{
	bool more = true, quoted = false;

	c->n = 0;
	c->bytes = 0;
	mem_drop(&c->fault);
	buf_reset(c->text);
	while (more) {
		size_t start = c->text->len;

		if (peek(c) == '"') {
			quoted = true;
			read_quoted(c, start);
		}
		read_plain(c, start); /* or what follows a closing quote */
		end_field(c, start);
		more = peek(c) == (unsigned char)c->opt.separator;
		if (more)
			take(c);
	}
	if (peek(c) == '\r')
		take(c);
	if (peek(c) == '\n')
		take(c);
	return c->fault || c->n > 1 || quoted || c->text->len > 1;
}

enum csv_found
csv_next(struct csv *c, struct csv_record *out)
{
	bool something = false;

	*out = (struct csv_record){0};
	if (!c->begun)
		begin(c);
	while (!something) {
		out->line = c->line;
		if (c->over || peek(c) == -1)
			break;
		something = read_record(c);
	}
	if (c->file && ferror(c->file) && !c->over) {
		c->over = true; /* what came last may be half a record */
		out->fault = "The file could not be read to its end.";
		return CSV_FAULT;
	}
	if (!something)
		return CSV_END;
	if (c->fault) {
		out->fault = c->fault;
		return CSV_FAULT;
	}
	c->fields = mem_grow(c, c->fields, c->n, sizeof(*c->fields));
	for (size_t i = 0; i < c->n; i++) {
		size_t start = i ? c->ends[i - 1] + 1 : 0;

		c->fields[i].text = c->text->data + start;
		c->fields[i].len = c->ends[i] - start;
	}
	out->fields = c->fields;
	out->n = c->n;
	return CSV_RECORD;
}

/* ---- writing ------------------------------------------------------------ */

static size_t
digits(const char *text, size_t n, size_t at)
{
	while (at < n && isdigit((unsigned char)text[at]))
		at++;
	return at;
}

/* [+-] digits [. digits] [e [+-] digits] */
static bool
is_number(const char *text, size_t n)
{
	size_t at = n > 0 && (text[0] == '+' || text[0] == '-');
	size_t start = at;

	at = digits(text, n, at);
	if (at == start)
		return false;
	if (at < n && text[at] == '.') {
		start = ++at;
		at = digits(text, n, at);
		if (at == start)
			return false;
	}
	if (at < n && (text[at] == 'e' || text[at] == 'E')) {
		at++;
		if (at < n && (text[at] == '+' || text[at] == '-'))
			at++;
		start = at;
		at = digits(text, n, at);
		if (at == start)
			return false;
	}
	return at == n;
}

static bool
is_formula(const char *text, size_t n)
{
	return n > 0 && memchr("=+-@\t\r\n", text[0], 7) && !is_number(text, n);
}

size_t
csv_guard_length(const char *text, size_t n)
{
	return n > 1 && text[0] == '\'' && is_formula(text + 1, n - 1);
}

static bool
needs_quotes(const char *text, size_t n)
{
	if (n == 0 || text[0] == ' ' || text[n - 1] == ' ')
		return true;
	if (n >= 3 && memcmp(text, BOM, 3) == 0) /* it would be passed over */
		return true;
	for (size_t i = 0; i < n; i++)
		if (memchr("\",;\t\r\n", text[i], 6))
			return true;
	return false;
}

void
csv_write_field(struct buf *out, const char *text, size_t n, bool guard)
{
	bool quoted;

	if (!text)
		return;
	quoted = needs_quotes(text, n);
	if (quoted)
		buf_char(out, '"');
	if (guard && is_formula(text, n))
		buf_char(out, '\'');
	for (size_t i = 0; i < n; i++) {
		if (text[i] == '"')
			buf_char(out, '"');
		buf_char(out, text[i]);
	}
	if (quoted)
		buf_char(out, '"');
}
