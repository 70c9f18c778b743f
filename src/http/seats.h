/*
 * Seats: who works here, in memory that the master and its workers share. The
 * master gives and clears seats; a worker says in its own whether it is ready
 * and what it is doing, so that the master can tell which request a worker
 * died of, and notices one that is stuck. The memory has a descriptor, and so
 * outlives a master that executes a newer version of itself.
 */
#ifndef GNOMON_HTTP_SEATS_H
#define GNOMON_HTTP_SEATS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { SEATS_MAX = 256, SEAT_REQUEST_MAX = 64 };

struct seat {
	pid_t pid; /* 0: free; the master's, as are the next three */
	uint32_t generation;
	uint32_t pool;
	int64_t begun_ms;
	atomic_bool is_ready;
	_Atomic int64_t busy_ms; /* since when; 0: waits for work */
	char request[SEAT_REQUEST_MAX + 1]; /* the request's id while busy */
};

/* Milliseconds of the clock that never jumps; the same in all processes. */
int64_t seats_now_ms(void);

/* All SEATS_MAX of them: new (*fd is -1 and becomes the descriptor), or those
 * behind a descriptor. NULL and errno on failure. */
struct seat *seats_open(int *fd);

/* A free seat, cleared, or NULL. */
struct seat *seats_take(struct seat *seats);

/* The seat of a process, or NULL. */
struct seat *seats_of(struct seat *seats, pid_t pid);

/* How many of a generation sit in a pool; with_ready: only those ready. */
int64_t seats_count(const struct seat *seats, uint32_t generation,
    uint32_t pool, bool only_ready);

/* A worker begins a request (the id may follow, when it is known), ends it. */
void seat_begin(struct seat *seat);
void seat_name(struct seat *seat, const char *request);
void seat_end(struct seat *seat);

#endif
