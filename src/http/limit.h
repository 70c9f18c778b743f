/*
 * How often somebody may ask: fixed windows of a minute, counted in memory that
 * all processes of the server share. Counts are lost at a restart; they guard
 * the server, not money.
 */
#ifndef GNOMON_HTTP_LIMIT_H
#define GNOMON_HTTP_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

enum { LIMIT_WINDOW_S = 60 };

/* Makes the shared table; once, before forking. */
bool limit_open(void);

struct limit_state {
	int64_t limit, remaining, reset_s;
};

/* Each kind has room of its own, so that one cannot crowd the other out. */
enum limit_kind { LIMIT_ADDRESS, LIMIT_SESSION, LIMIT_KINDS };

/*
 * Counts one request of `who` (a session, an address) against limit per
 * window; false when there are too many. A limit of 0 counts nothing. Who has
 * no room in the table is let through: a guard must not become a fault.
 */
bool limit_take(enum limit_kind kind, const char *who, int64_t limit,
    struct limit_state *out);

/*
 * Whether `who` was counted in this window or the one before. Counted only once
 * it proved to be somebody, it is what tells a session from a made-up cookie
 * before the database is asked.
 */
bool limit_knows(enum limit_kind kind, const char *who);

/* Whose address it is, as it is counted: of IPv6 the first 64 bits, for that is
 * what one household gets, RFC 6177; all of IPv4, mapped into IPv6 or not. */
const char *limit_network(void *owner, const char *address);

#endif
