/* The cache: memcached, which may be away, slow, emptied or lying. */
#include "cache/cache.h"

#include <libmemcached/memcached.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"

enum { TIMEOUT_MS = 50, REST_SECONDS = 2 };

/* One connection per process; made by cache_open, used by one thread. */
static memcached_st *memc;
static time_t resting_until; /* monotonic: no calls before it */

static bool
add_servers(const char *servers, char **out_why)
{
	memcached_server_st *list;

	if (*servers == '/')
		return memcached_server_add_unix_socket(memc, servers) ==
		    MEMCACHED_SUCCESS;
	list = memcached_servers_parse(servers);
	if (!list || memcached_server_list_count(list) == 0 ||
	    memcached_server_push(memc, list) != MEMCACHED_SUCCESS) {
		*out_why = mem_fmt(NULL,
		    "MEMCACHED must be a socket's path or host:port,…, not "
		    "\"%s\".",
		    servers);
		return false;
	}
	memcached_server_list_free(list);
	return true;
}

bool
cache_open(const char *servers, char **out_why)
{
	if (!*servers)
		return true;
	memc = memcached_create(NULL);
	/* a ring on which servers come and go without moving every key */
	memcached_behavior_set(memc, MEMCACHED_BEHAVIOR_KETAMA, 1);
	memcached_behavior_set(memc, MEMCACHED_BEHAVIOR_BINARY_PROTOCOL, 1);
	memcached_behavior_set(memc, MEMCACHED_BEHAVIOR_TCP_NODELAY, 1);
	memcached_behavior_set(
	    memc, MEMCACHED_BEHAVIOR_CONNECT_TIMEOUT, TIMEOUT_MS);
	memcached_behavior_set(
	    memc, MEMCACHED_BEHAVIOR_POLL_TIMEOUT, TIMEOUT_MS);
	memcached_behavior_set(
	    memc, MEMCACHED_BEHAVIOR_SND_TIMEOUT, TIMEOUT_MS * 1000);
	memcached_behavior_set(
	    memc, MEMCACHED_BEHAVIOR_RCV_TIMEOUT, TIMEOUT_MS * 1000);
	return add_servers(servers, out_why);
}

static time_t
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return t.tv_sec;
}

/* Whether a call makes sense: a server that failed is left alone a while, so
 * that an outage costs a time-out now and then, not one a request. */
static bool
is_worth_it(void)
{
	return memc && now() >= resting_until;
}

static void
note(memcached_return_t rc)
{
	if (rc == MEMCACHED_SUCCESS || rc == MEMCACHED_NOTFOUND ||
	    rc == MEMCACHED_E2BIG)
		return;
	log_warn("cache_away", LOG_S("why", memcached_strerror(memc, rc)));
	memcached_quit(memc);
	resting_until = now() + REST_SECONDS;
}

char *
cache_get(void *owner, const char *key, size_t *out_n)
{
	memcached_return_t rc;
	uint32_t flags;
	char *value, *copy = NULL;

	if (!is_worth_it())
		return NULL;
	value = memcached_get(memc, key, strlen(key), out_n, &flags, &rc);
	if (value) {
		copy = mem_dup_n(owner, value, *out_n);
		free(value);
	} else {
		note(rc);
	}
	return copy;
}

void
cache_put(const char *key, const void *bytes, size_t n, unsigned ttl)
{
	if (n <= CACHE_VALUE_MAX && is_worth_it())
		note(memcached_set(
		    memc, key, strlen(key), bytes, n, (time_t)ttl, 0));
}
