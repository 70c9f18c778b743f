/* How often somebody may ask: fixed windows of a minute, in shared memory. */
#include "http/limit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "auth/auth.h"
#include "base/mem.h"

enum { CELLS = 1 << 15, PROBES = 8 }; /* CELLS of each kind */

/* A cell belongs to `who` during `window`; after that anybody may take it. */
struct cell {
	_Atomic uint64_t who;
	_Atomic uint32_t window;
	_Atomic uint32_t count;
};

static struct cell *cells;

bool
limit_open(void)
{
	void *p = mmap(NULL, LIMIT_KINDS * CELLS * sizeof(struct cell),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	cells = p == MAP_FAILED ? NULL : p;
	return cells != NULL;
}

/* Keyed: nobody may choose whose neighbour to be, and take all the room. */
static uint64_t
hash(const char *s)
{
	unsigned char stamp[AUTH_STAMP_BYTES];
	uint64_t h;

	auth_stamp(stamp, "limit", s, strlen(s));
	memcpy(&h, stamp, sizeof(h));
	return h ? h : 1;
}

/* The cell of who in this window, taking an old one over when there is none.
 * Two processes may take the same cell at once: then one of the two loses a
 * few counts, which a guard can bear. */
static struct cell *
find(enum limit_kind kind, uint64_t who, uint32_t window)
{
	struct cell *free_cell = NULL;

	for (size_t i = 0; i < PROBES; i++) {
		struct cell *c = &cells[kind * CELLS + (who + i) % CELLS];

		if (c->window != window) {
			free_cell = free_cell ? free_cell : c;
			continue;
		}
		if (c->who == who)
			return c;
	}
	if (free_cell) {
		free_cell->count = 0;
		free_cell->who = who;
		free_cell->window = window;
	}
	return free_cell;
}

/* Counted from 1: a cell that nobody ever took has window 0. */
static uint32_t
window_of(const struct timespec *now)
{
	return (uint32_t)(now->tv_sec / LIMIT_WINDOW_S) + 1;
}

bool
limit_knows(enum limit_kind kind, const char *who)
{
	uint64_t h = hash(who);
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	for (size_t i = 0; cells && i < PROBES; i++) {
		struct cell *c = &cells[kind * CELLS + (h + i) % CELLS];

		if (c->who == h && c->window + 1 >= window_of(&now))
			return true;
	}
	return false;
}

const char *
limit_network(void *owner, const char *address)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr a;

	if (inet_pton(AF_INET6, address, &a) != 1)
		return address;
	if (IN6_IS_ADDR_V4MAPPED(&a)) {
		inet_ntop(AF_INET, &a.s6_addr[12], text, sizeof(text));
	} else {
		memset(&a.s6_addr[8], 0, 8);
		inet_ntop(AF_INET6, &a, text, sizeof(text));
	}
	return mem_dup(owner, text);
}

bool
limit_take(enum limit_kind kind, const char *who, int64_t limit,
    struct limit_state *out)
{
	struct timespec now;
	struct cell *cell;
	int64_t count;

	*out = (struct limit_state){.limit = limit, .remaining = limit};
	if (limit == 0 || !cells)
		return true;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	out->reset_s = LIMIT_WINDOW_S - now.tv_sec % LIMIT_WINDOW_S;
	cell = find(kind, hash(who), window_of(&now));
	if (!cell)
		return true;
	count = (int64_t)atomic_fetch_add(&cell->count, 1) + 1;
	out->remaining = count < limit ? limit - count : 0;
	return count <= limit;
}
