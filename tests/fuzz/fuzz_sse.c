/*
 * Any bytes as a stream of events: what comes out is the same whatever pieces
 * the bytes come in, within its bounds, and each event ends with a NUL. The
 * first two bytes choose the greatest event and the pieces.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "net/sse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct heard {
	struct buf *all;
	size_t max, stop_after, n;
};

static bool
hear(void *data, const struct net_event *e)
{
	struct heard *h = data;

	assert(e->n <= h->max && e->data[e->n] == '\0' && *e->name);
	buf_text(h->all, e->name);
	buf_char(h->all, '\0');
	buf_add(h->all, e->data, e->n);
	buf_char(h->all, '\0');
	return ++h->n < h->stop_after;
}

static enum net_sse_state
read_in(void *owner, const char *bytes, size_t n, size_t step, struct heard *h)
{
	struct net_sse *sse = net_sse_new(owner, h->max);
	enum net_sse_state state = NET_SSE_GOOD, last;

	for (size_t at = 0; at < n; at += step) {
		last = net_sse_feed(
		    sse, bytes + at, at + step < n ? step : n - at, hear, h);
		assert(state == NET_SSE_GOOD || state == last);
		state = last;
	}
	return state;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	void *owner = mem_scope(NULL, "fuzz");
	struct heard a = {.stop_after = SIZE_MAX}, b;
	size_t step;

	if (size >= 2) {
		const char *bytes = (const char *)data + 2;
		size_t n = size - 2;

		a.max = data[0] & 1 ? 16 : 4096;
		if (data[0] & 2)
			a.stop_after = 2;
		step = (size_t)data[1] + 1;
		a.all = buf_new(owner, 1 << 22);
		b = a;
		b.all = buf_new(owner, 1 << 22);
		assert(read_in(owner, bytes, n, n ? n : 1, &a) ==
		    read_in(owner, bytes, n, step, &b));
		assert(a.n == b.n && a.all->len == b.all->len);
		assert(memcmp(a.all->data, b.all->data, a.all->len) == 0);
	}
	mem_drop(&owner);
	return 0;
}
