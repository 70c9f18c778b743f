/* A reader of server-sent events. */
#include "net/sse.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

enum { NAME_MAX_BYTES = 63 }; /* no event that anyone waits for is longer */

struct net_sse {
	struct buf *line; /* the beginning of a line that has not ended */
	struct buf *data; /* of the event that has not ended */
	char name[NAME_MAX_BYTES + 1];
	enum net_sse_state state;
	bool has_data; /* a data line came, if only an empty one */
	bool has_begun; /* the first line is over */
	bool skips_lf; /* the last byte was a CR: an LF belongs to it */
};

struct net_sse *
net_sse_new(void *owner, size_t max)
{
	struct net_sse *sse = mem_new(owner, struct net_sse);

	sse->line = buf_new(sse, max);
	sse->data = buf_new(sse, max);
	return sse;
}

static void
dispatch(struct net_sse *sse, net_take_event *take, void *data)
{
	struct net_event event = {.name = *sse->name ? sse->name : "message",
	    .data = sse->data->len ? sse->data->data : "",
	    .n = sse->data->len};

	if (sse->has_data && !take(data, &event))
		sse->state = NET_SSE_STOPPED;
	sse->has_data = false;
	sse->name[0] = '\0';
	buf_reset(sse->data);
}

static bool
is(const char *field, size_t n, const char *name)
{
	return n == strlen(name) && memcmp(field, name, n) == 0;
}

/* id and retry are for readers that connect again by themselves. */
static void
take_field(struct net_sse *sse, const char *field, size_t field_n,
    const char *value, size_t n)
{
	if (is(field, field_n, "data")) {
		if (sse->has_data)
			buf_char(sse->data, '\n');
		buf_add(sse->data, value, n);
		sse->has_data = true;
		if (sse->data->full)
			sse->state = NET_SSE_TOO_LONG;
	} else if (is(field, field_n, "event")) {
		n = n < NAME_MAX_BYTES ? n : NAME_MAX_BYTES;
		memcpy(sse->name, value, n);
		sse->name[n] = '\0';
	}
}

static void
take_line(struct net_sse *sse, const char *line, size_t n, net_take_event *take,
    void *data)
{
	const char *colon;

	if (!sse->has_begun && n >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0) {
		line += 3;
		n -= 3;
	}
	sse->has_begun = true;
	if (n == 0) {
		dispatch(sse, take, data);
		return;
	}
	colon = memchr(line, ':', n);
	if (!colon) {
		take_field(sse, line, n, "", 0);
	} else if (colon != line) { /* else it is a comment */
		size_t at = (size_t)(colon - line) + 1;

		at += at < n && line[at] == ' ';
		take_field(
		    sse, line, (size_t)(colon - line), line + at, n - at);
	}
}

/* Bytes before the end of the line, or all. */
static size_t
to_line_end(const char *bytes, size_t n)
{
	const char *lf = memchr(bytes, '\n', n);
	const char *cr = memchr(bytes, '\r', lf ? (size_t)(lf - bytes) : n);
	const char *end = cr ? cr : lf;

	return end ? (size_t)(end - bytes) : n;
}

enum net_sse_state
net_sse_feed(struct net_sse *sse, const char *bytes, size_t n,
    net_take_event *take, void *data)
{
	while (n > 0 && sse->state == NET_SSE_GOOD) {
		size_t length;

		if (sse->skips_lf && *bytes == '\n') {
			bytes++;
			n--;
		}
		sse->skips_lf = false;
		length = to_line_end(bytes, n);
		if (length == n || sse->line->len)
			buf_add(sse->line, bytes, length);
		if (sse->line->full || length > sse->line->max) {
			sse->state = NET_SSE_TOO_LONG;
		} else if (length < n) {
			bool was_kept = sse->line->len > 0;

			sse->skips_lf = bytes[length] == '\r';
			take_line(sse, was_kept ? sse->line->data : bytes,
			    was_kept ? sse->line->len : length, take, data);
			buf_reset(sse->line);
			length++;
		}
		bytes += length;
		n -= length;
	}
	return sse->state;
}
