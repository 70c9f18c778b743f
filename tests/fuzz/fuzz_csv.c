/*
 * Any bytes as a CSV file: reading ends; records are within their bounds and
 * storable; memory and a file give the same; and what was read, written out
 * and read again, is what was read. The first byte chooses the options.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "text/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct csv_options
options(uint8_t choice)
{
	static const char separators[] = {0, ',', ';', '\t'};
	struct csv_options o = {.separator = separators[choice & 3]};

	if (choice & 4)
		o.max_field = 7;
	if (choice & 8)
		o.max_fields = 3;
	if (choice & 16)
		o.max_record = 20;
	return o;
}

static void
same(const struct csv_record *a, const struct csv_record *b)
{
	assert(a->n == b->n);
	for (size_t i = 0; i < a->n; i++) {
		assert(a->fields[i].len == b->fields[i].len);
		assert(memcmp(a->fields[i].text, b->fields[i].text,
			   a->fields[i].len) == 0);
	}
}

static void
check(const struct csv_record *r, const struct csv_options *o)
{
	assert(r->n >= 1);
	assert(!o->max_fields || r->n <= o->max_fields);
	for (size_t i = 0; i < r->n; i++) {
		const struct csv_field *f = &r->fields[i];

		assert(!o->max_field || f->len <= o->max_field);
		assert(!o->max_record || f->len <= o->max_record);
		assert(f->text[f->len] == '\0');
		assert(text_is_storable(f->text, f->len));
	}
}

static void
write_record(struct buf *out, const struct csv_record *r)
{
	for (size_t i = 0; i < r->n; i++) {
		if (i)
			buf_char(out, ',');
		csv_write_field(
		    out, r->fields[i].text, r->fields[i].len, false);
	}
	buf_text(out, "\r\n");
}

static void
reads_back(void *owner, const struct csv_record *r)
{
	static const struct csv_options commas = {.separator = ','};
	struct buf *out = buf_new(owner, 1 << 24);
	struct csv_record again;
	struct csv *c;

	write_record(out, r);
	c = csv_of_memory(owner, out->data, out->len, &commas);
	assert(csv_next(c, &again) == CSV_RECORD);
	same(r, &again);
	assert(csv_next(c, &again) == CSV_END);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	void *owner = mem_scope(NULL, "fuzz");
	struct csv_options o = options(size ? data[0] : 0);
	const char *bytes = size > 1 ? (const char *)data + 1 : "";
	size_t n = size > 1 ? size - 1 : 0, line = 0;
	char *copy = mem_dup_n(owner, bytes, n); /* fmemopen wants to write */
	FILE *file = n ? fmemopen(copy, n, "r") : NULL;
	struct csv *c = csv_of_memory(owner, bytes, n, &o), *f = NULL;
	enum csv_found found;
	struct csv_record r, s;

	if (file)
		f = csv_of_file(owner, file, &o);
	do {
		found = csv_next(c, &r);
		if (f) {
			assert(csv_next(f, &s) == found);
			assert(s.line == r.line);
			if (found == CSV_RECORD)
				same(&r, &s);
		}
		if (found == CSV_RECORD) {
			void *pass = mem_scope(owner, "pass");

			check(&r, &o);
			reads_back(pass, &r);
			mem_drop(&pass);
		}
		assert(found == CSV_END || r.line > line);
		assert((found == CSV_FAULT) == (r.fault != NULL));
		line = r.line;
	} while (found != CSV_END);
	if (file)
		fclose(file);
	mem_drop(&owner);
	return 0;
}
