/*
 * Reads a stream of server-sent events (WHATWG HTML, section 9.2.6) out of
 * bytes that come in pieces of any size. It knows nothing of where they come
 * from, so it serves a call that is waited for and an event loop alike.
 *
 * What is kept is bounded: by the longest event, which is told at birth. An
 * event that the stream breaks off in is never given.
 */
#ifndef GNOMON_NET_SSE_H
#define GNOMON_NET_SSE_H

#include <stdbool.h>
#include <stddef.h>

struct net_sse;

/* Lent for the length of the call. */
struct net_event {
	const char *name; /* "message" where the event names none */
	const char *data; /* its data lines, \n between them; then a NUL */
	size_t n;
};

/* False: no more events, thanks. */
typedef bool net_take_event(void *data, const struct net_event *event);

enum net_sse_state {
	NET_SSE_GOOD,
	NET_SSE_STOPPED, /* take said so */
	NET_SSE_TOO_LONG, /* an event, or a line, is longer than max bytes */
};

/* A reader of events of at most max bytes. */
struct net_sse *net_sse_new(void *owner, size_t max);

/* Reads on, giving each event that is now whole. A state other than
 * NET_SSE_GOOD stays. */
enum net_sse_state net_sse_feed(struct net_sse *sse, const char *bytes,
    size_t n, net_take_event *take, void *data);

#endif
