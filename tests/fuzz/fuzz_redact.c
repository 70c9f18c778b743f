/*
 * Any text with any names: hiding and restoring gives the text again, also in
 * pieces, and what could be stored still can. The first line is the names, separated by commas.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "ai/redact.h"
#include "base/mem.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUT_MAX = 1 << 24, STEP = 3 };

static void
read_names(void *owner, struct redactor *r, const char *line, size_t n)
{
	for (size_t at = 0, length; at < n; at += length + 1) {
		const char *comma = memchr(line + at, ',', n - at);

		length = comma ? (size_t)(comma - line) - at : n - at;
		redact_name(r, mem_dup_n(owner, line + at, length));
	}
}

static void
restored_in_pieces(void *owner, const struct redactor *r,
    const struct buf *hidden, const struct buf *whole)
{
	struct buf *held = buf_new(owner, OUT_MAX),
		   *out = buf_new(owner, OUT_MAX);

	for (size_t at = 0; at < hidden->len; at += STEP) {
		size_t n = hidden->len - at < STEP ? hidden->len - at : STEP;
		size_t keep;
		char *rest;

		buf_add(held, hidden->data + at, n);
		keep = redact_unfinished(held->data, held->len);
		assert(keep <= REDACT_LABEL_MAX);
		redact_restore(r, held->data, held->len - keep, out);
		rest = mem_dup_n(owner, held->data + held->len - keep, keep);
		buf_reset(held);
		buf_add(held, rest, keep);
		mem_drop(&rest);
	}
	redact_restore(r, held->data, held->len, out);
	assert(out->len == whole->len);
	assert(memcmp(out->data, whole->data, whole->len) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	void *owner = mem_scope(NULL, "fuzz");
	struct redactor *r = redact_new(owner);
	const char *line = (const char *)data;
	const char *end = size ? memchr(line, '\n', size) : NULL;
	struct buf *hidden = buf_new(owner, OUT_MAX);
	struct buf *back = buf_new(owner, OUT_MAX);

	if (end) {
		size_t n = size - (size_t)(end - line) - 1;

		read_names(owner, r, line, (size_t)(end - line));
		redact_text(r, end + 1, n, hidden);
		assert(!hidden->full && hidden->len <= n * REDACT_LABEL_MAX);
		redact_restore(r, hidden->data, hidden->len, back);
		assert(back->len == n && memcmp(back->data, end + 1, n) == 0);
		if (text_is_storable(end + 1, n))
			assert(text_is_storable(hidden->data, hidden->len));
		restored_in_pieces(owner, r, hidden, back);
	}
	mem_drop(&owner);
	return 0;
}
