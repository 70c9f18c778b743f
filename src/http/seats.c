/* Seats: who works here, in memory that the master and its workers share. */
#include "config.h"

#include "http/seats.h"

#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

int64_t
seats_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct seat *
seats_open(int *fd)
{
	size_t size = SEATS_MAX * sizeof(struct seat);
	void *memory;

	if (*fd < 0) {
		*fd = memfd_create("gnomon-seats", MFD_CLOEXEC);
		if (*fd < 0 || ftruncate(*fd, (off_t)size) != 0)
			return NULL;
	}
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
	return memory == MAP_FAILED ? NULL : memory;
}

struct seat *
seats_take(struct seat *seats)
{
	struct seat *seat = seats_of(seats, 0);

	if (seat)
		memset(seat, 0, sizeof(*seat));
	return seat;
}

struct seat *
seats_of(struct seat *seats, pid_t pid)
{
	for (size_t i = 0; i < SEATS_MAX; i++)
		if (seats[i].pid == pid)
			return &seats[i];
	return NULL;
}

int64_t
seats_count(const struct seat *seats, uint32_t generation, uint32_t pool,
    bool only_ready)
{
	int64_t n = 0;

	for (size_t i = 0; i < SEATS_MAX; i++)
		n += seats[i].pid && seats[i].generation == generation &&
		    seats[i].pool == pool &&
		    (!only_ready || atomic_load(&seats[i].is_ready));
	return n;
}

void
seat_begin(struct seat *seat)
{
	seat->request[0] = '\0';
	atomic_store(&seat->busy_ms, seats_now_ms());
}

void
seat_name(struct seat *seat, const char *request)
{
	size_t n = strnlen(request, SEAT_REQUEST_MAX);

	memcpy(seat->request, request, n);
	seat->request[n] = '\0';
}

void
seat_end(struct seat *seat)
{
	atomic_store_explicit(&seat->busy_ms, 0, memory_order_relaxed);
}
