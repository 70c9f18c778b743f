/*
 * The cache: memcached, which may be away, slow, emptied or lying.
 *
 * libmemcached says which server of the ring a key belongs to. The talking is
 * done here, for libmemcached waits anew for every byte, takes a body of any
 * size, and takes the answer to an earlier question for that to the present
 * one: here a question with its answer has one deadline, a body has a bound, and
 * what does not answer the question ends the connection.
 */
#include "cache/cache.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmemcached/memcached.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/text.h"

enum {
	TIMEOUT_MS =
	    50, /* of a question with its answer, connecting included */
	REST_MS = 2000, /* a server that failed is left alone so long */
	SERVERS_MAX = 64,
	REMARK_MAX = 1000, /* bytes of text in an answer that is no value */
};

/* memcached's binary protocol: a head, extras, key, value. Numbers are in
 * network order. */
struct head {
	uint8_t magic, opcode;
	uint16_t key_length;
	uint8_t extras_length, data_type;
	uint16_t status; /* in a request: 0 */
	uint32_t length; /* of everything after the head */
	uint32_t opaque; /* comes back as it was sent */
	uint64_t cas;
};
_Static_assert(sizeof(struct head) == 24, "the head has no gaps");

enum { MAGIC_ASK = 0x80, MAGIC_ANSWER = 0x81, GET = 0x00, SET = 0x01 };
enum { STATUS_FOUND = 0, STATUS_MISSING = 1 };

/* Made by cache_open, used by one thread; a process connects for itself. */
struct server {
	const char *host; /* or a socket's path */
	char port[8];
	int fd; /* -1: not connected */
	int64_t rests_until_ms;
};
static struct server servers[SERVERS_MAX];
static size_t n_servers;
static memcached_st *ring;

enum outcome {
	DONE,
	MISSING,
	AWAY, /* nobody there, or no answer in time */
	BAD, /* what came was no answer to the question */
};

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void
add(const char *host, unsigned port)
{
	struct server *s = &servers[n_servers++];

	*s = (struct server){.host = mem_dup(NULL, host), .fd = -1};
	snprintf(s->port, sizeof(s->port), "%u", port);
}

/* host:port,… as libmemcached reads them. */
static bool
add_ring(const char *names)
{
	memcached_server_st *list = memcached_servers_parse(names);
	uint32_t n = list ? memcached_server_list_count(list) : 0;
	bool good;

	ring = memcached_create(NULL);
	/* servers come and go without moving every key */
	memcached_behavior_set(ring, MEMCACHED_BEHAVIOR_KETAMA, 1);
	good = n > 0 && n <= SERVERS_MAX &&
	    memcached_server_push(ring, list) == MEMCACHED_SUCCESS;
	for (uint32_t i = 0; good && i < n; i++) {
		const struct memcached_instance_st *one =
		    memcached_server_instance_by_position(ring, i);

		add(memcached_server_name(one), memcached_server_port(one));
	}
	if (list)
		memcached_server_list_free(list);
	return good;
}

bool
cache_open(const char *names, char **out_why)
{
	if (!*names)
		return true;
	if (*names == '/') {
		struct sockaddr_un longest;

		if (strlen(names) < sizeof(longest.sun_path)) {
			add(names, 0);
			return true;
		}
	} else if (add_ring(names)) {
		return true;
	}
	*out_why = mem_fmt(NULL,
	    "MEMCACHED must be a socket's path or host:port,…, not \"%s\".",
	    names);
	return false;
}

static struct server *
server_of(const char *key)
{
	uint32_t i = ring ? memcached_generate_hash(ring, key, strlen(key)) : 0;

	return &servers[i < n_servers ? i : 0];
}

/* False when the descriptor is not ready by then. */
static bool
await(int fd, short events, int64_t until_ms)
{
	for (;;) {
		struct pollfd p = {.fd = fd, .events = events};
		int64_t left = until_ms - now_ms();
		int n = left > 0 ? poll(&p, 1, (int)left) : 0;

		if (n > 0)
			return true;
		if (n == 0 || errno != EINTR) {
			errno = ETIMEDOUT;
			return false;
		}
	}
}

static bool
finish_connect(
    int fd, const struct sockaddr *address, socklen_t n, int64_t until_ms)
{
	int e = 0;
	socklen_t size = sizeof(e);

	if (connect(fd, address, n) == 0)
		return true;
	if (errno != EINPROGRESS || !await(fd, POLLOUT, until_ms))
		return false;
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &size);
	errno = e;
	return e == 0;
}

static int
dial_address(
    int family, const struct sockaddr *address, socklen_t n, int64_t until_ms)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const int yes = 1;
	int e;

	if (fd < 0)
		return -1;
	if (finish_connect(fd, address, n, until_ms)) {
		if (family != AF_UNIX)
			(void)setsockopt(
			    fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
		return fd;
	}
	e = errno;
	close(fd);
	errno = e;
	return -1;
}

/* Names are looked up by the system, in its own time: who minds, gives
 * addresses. */
static int
dial(const struct server *s, int64_t until_ms)
{
	struct sockaddr_un local = {.sun_family = AF_UNIX};
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
	int fd = -1;

	if (*s->host == '/') {
		memcpy(local.sun_path, s->host, strlen(s->host));
		return dial_address(AF_UNIX, (const struct sockaddr *)&local,
		    sizeof(local), until_ms);
	}
	if (getaddrinfo(s->host, s->port, &hints, &list) != 0) {
		errno = EHOSTUNREACH;
		return -1;
	}
	for (const struct addrinfo *a = list; a && fd < 0; a = a->ai_next)
		fd = dial_address(
		    a->ai_family, a->ai_addr, a->ai_addrlen, until_ms);
	freeaddrinfo(list);
	return fd;
}

/* Sends every byte of the parts, which it uses up. */
static bool
send_all(int fd, struct iovec *parts, size_t n, int64_t until_ms)
{
	while (n) {
		struct msghdr m = {.msg_iov = parts, .msg_iovlen = n};
		ssize_t sent = sendmsg(fd, &m, MSG_NOSIGNAL);

		if (sent < 0 && errno == EAGAIN) {
			if (!await(fd, POLLOUT, until_ms))
				return false;
			continue;
		}
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return false;
		/* empty parts at the end are done, too */
		for (; n && (size_t)sent >= parts->iov_len; parts++, n--)
			sent -= (ssize_t)parts->iov_len;
		if (n) {
			parts->iov_base = (char *)parts->iov_base + sent;
			parts->iov_len -= (size_t)sent;
		}
	}
	return true;
}

static bool
receive_all(int fd, void *bytes, size_t n, int64_t until_ms)
{
	char *at = bytes;

	while (n) {
		ssize_t got = recv(fd, at, n, 0);

		if (got < 0 && errno == EAGAIN) {
			if (!await(fd, POLLIN, until_ms))
				return false;
			continue;
		}
		if (got == 0) {
			errno = ECONNRESET;
			return false;
		}
		if (got < 0 && errno != EINTR)
			return false;
		at += got > 0 ? got : 0;
		n -= got > 0 ? (size_t)got : 0;
	}
	return true;
}

/* The head of the answer to this very question; its numbers are ours then. */
static enum outcome
receive_head(
    int fd, const struct head *asked, struct head *answer, int64_t until_ms)
{
	if (!await(fd, POLLIN, until_ms) ||
	    !receive_all(fd, answer, sizeof(*answer), until_ms))
		return AWAY;
	answer->key_length = ntohs(answer->key_length);
	answer->status = ntohs(answer->status);
	answer->length = ntohl(answer->length);
	return answer->magic == MAGIC_ANSWER &&
		answer->opcode == asked->opcode &&
		answer->opaque == asked->opaque && answer->key_length == 0 &&
		answer->extras_length <= answer->length
	    ? DONE
	    : BAD;
}

/* Reads over what an answer says besides. */
static enum outcome
skip_remark(int fd, const struct head *answer, int64_t until_ms)
{
	char remark[REMARK_MAX];

	if (answer->length > sizeof(remark))
		return BAD;
	return receive_all(fd, remark, answer->length, until_ms) ? DONE : AWAY;
}

static enum outcome
receive_value(int fd, const struct head *answer, void *owner, char **out_value,
    size_t *out_n, int64_t until_ms)
{
	uint32_t flags;
	size_t n;
	char *value;

	if (answer->extras_length != sizeof(flags) ||
	    answer->length - sizeof(flags) > CACHE_VALUE_MAX)
		return BAD;
	n = answer->length - sizeof(flags);
	value = mem_resize(owner, NULL, n + 1, 1);
	value[n] = '\0';
	if (!receive_all(fd, &flags, sizeof(flags), until_ms) ||
	    !receive_all(fd, value, n, until_ms)) {
		mem_drop(&value);
		return AWAY;
	}
	*out_value = value;
	*out_n = n;
	return DONE;
}

/* What to ask, and where the value belongs if one is asked for. */
struct question {
	struct head head;
	struct iovec parts[4]; /* the head, extras, key, value */
	void *owner;
	char *value;
	size_t n;
};

/* It is only sent; struct iovec serves both ways and has no const. */
static struct iovec
part(const void *bytes, size_t n)
{
	struct iovec v = {.iov_len = n};

	memcpy(&v.iov_base, &bytes, sizeof(bytes));
	return v;
}

static enum outcome
exchange(int fd, struct question *q, int64_t until_ms, bool *out_answered)
{
	struct iovec parts[nitems(q->parts)];
	struct head answer;
	enum outcome outcome;

	memcpy(parts, q->parts, sizeof(parts));
	*out_answered = false;
	if (!send_all(fd, parts, nitems(parts), until_ms))
		return AWAY;
	outcome = receive_head(fd, &q->head, &answer, until_ms);
	*out_answered = outcome == DONE;
	if (outcome != DONE)
		return outcome;
	if (q->head.opcode == GET && answer.status == STATUS_FOUND)
		return receive_value(
		    fd, &answer, q->owner, &q->value, &q->n, until_ms);
	outcome = skip_remark(fd, &answer, until_ms);
	/* a set may be refused, as too large: nobody is told */
	return outcome != DONE || q->head.opcode == SET ? outcome
	    : answer.status == STATUS_MISSING           ? MISSING
							: BAD;
}

static void
hang_up(struct server *s)
{
	int e = errno; /* whose reason is still to be told */

	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	errno = e;
}

static enum outcome
ask(struct server *s, struct question *q)
{
	int64_t until_ms = now_ms() + TIMEOUT_MS;
	enum outcome outcome = AWAY;
	bool answered;

	for (;;) {
		/* one that was restarted has closed what we held */
		bool was_held = s->fd >= 0;

		if (!was_held)
			s->fd = dial(s, until_ms);
		if (s->fd < 0)
			return AWAY;
		outcome = exchange(s->fd, q, until_ms, &answered);
		if (outcome == DONE || outcome == MISSING)
			return outcome;
		hang_up(s);
		if (outcome == BAD || answered || !was_held ||
		    errno == ETIMEDOUT)
			return outcome;
	}
}

/*
 * A server that failed is left alone for a while, so that an outage costs a
 * time-out now and then, not one a request.
 */
static enum outcome
ask_unless_resting(struct question *q, const char *key)
{
	struct server *s = server_of(key);
	static uint32_t opaque;
	enum outcome outcome;
	size_t n = strlen(key);

	if (now_ms() < s->rests_until_ms)
		return AWAY;
	q->head.magic = MAGIC_ASK;
	q->head.key_length = htons((uint16_t)n);
	q->head.opaque = ++opaque;
	q->head.length =
	    htonl((uint32_t)(q->head.extras_length + n + q->parts[3].iov_len));
	q->parts[0] = part(&q->head, sizeof(q->head));
	q->parts[2] = part(key, n);
	outcome = ask(s, q);
	if (outcome == AWAY || outcome == BAD) {
		log_warn("cache_away",
		    LOG_S("why",
			outcome == BAD ? "an answer that is none"
				       : strerror(errno)));
		s->rests_until_ms = now_ms() + REST_MS;
	}
	return outcome;
}

char *
cache_get(void *owner, const char *key, size_t *out_n)
{
	static const char *const words[] = {
	    [MISSING] = "miss", [AWAY] = "away", [BAD] = "bad"};
	struct question q = {.head = {.opcode = GET}, .owner = owner};
	enum outcome outcome;

	if (n_servers == 0)
		return NULL;
	outcome = ask_unless_resting(&q, key);
	if (outcome != DONE)
		metrics_count(METRIC_CACHE_READS, words[outcome]);
	*out_n = q.n;
	return q.value;
}

void
cache_put(const char *key, const void *bytes, size_t n, unsigned ttl)
{
	uint32_t extras[2] = {0, htonl(ttl)}; /* flags, seconds */
	struct question q = {
	    .head = {.opcode = SET, .extras_length = sizeof(extras)}};

	if (n_servers == 0 || n > CACHE_VALUE_MAX)
		return;
	q.parts[1] = part(extras, sizeof(extras));
	q.parts[3] = part(bytes, n);
	(void)ask_unless_resting(&q, key);
}
