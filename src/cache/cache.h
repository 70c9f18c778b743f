/*
 * The cache: memcached, which may be away, slow, emptied or lying at any time.
 * An outage is a miss, and costs one short time-out every few seconds. What is
 * read back is the caller's to check; nothing here is believed.
 */
#ifndef GNOMON_CACHE_CACHE_H
#define GNOMON_CACHE_CACHE_H

#include <stdbool.h>
#include <stddef.h>

enum {
	CACHE_KEY_MAX = 200, /* bytes, printable, no spaces */
	CACHE_VALUE_MAX = 1000000, /* bytes; larger ones are not kept */
};

/*
 * Names the servers: a unix socket's path, or host:port separated by commas
 * (then a consistent ring). "" means that there is none and every get is a
 * miss. Connects on first use, so call it before or after forking. False:
 * *out_why says what is wrong with the text.
 */
bool cache_open(const char *servers, char **out_why);

/* The bytes kept under a key; belongs to owner. NULL on a miss. */
char *cache_get(void *owner, const char *key, size_t *out_n);

/* Keeps bytes for at most ttl seconds. May be lost; nobody is told. */
void cache_put(const char *key, const void *bytes, size_t n, unsigned ttl);

#endif
