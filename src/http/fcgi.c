/* FastCGI: how requests get into the process. The only file that sees libfcgi. */
#include "http/fcgi.h"

#include <errno.h>
#include <fastcgi.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "auth/auth.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/text.h"
#include "http/http.h"

enum {
	LINES = 64, /* times processes: above nginx's kept connections */
	BACKLOG = 4096, /* with 8, nginx answers 502 under load */
	ID_MAX = 64,
	TRACE_DIGITS = 32,
	ROOMY = 100000, /* bytes that fit into any socket's buffer */
	/* A connection idle for so long is not the one nginx takes next: it
	 * prefers those just used. After a while any pause will do. */
	DRAIN_IDLE_MS = 1000,
	DRAIN_PATIENCE_MS = 3000,
	DRAIN_IMPATIENT_MS = 10,
};

int
fcgi_listen(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0) {
		close(fd);
		errno = EADDRINUSE;
		return -1;
	}
	unlink(path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    chmod(path, 0660) != 0 || listen(fd, BACKLOG) != 0) {
		int why = errno;

		close(fd);
		errno = why;
		return -1;
	}
	return fd;
}

static const char *
param(struct op *op, FCGX_Request *slot, const char *name)
{
	const char *value = FCGX_GetParam(name, slot->envp);

	return value ? mem_dup(op, value) : "";
}

static enum method
method_of(const char *name)
{
	static const struct {
		const char *name;
		enum method method;
	} methods[] = {
	    {"GET", METHOD_GET},
	    {"HEAD", METHOD_HEAD},
	    {"POST", METHOD_POST},
	    {"PUT", METHOD_PUT},
	    {"PATCH", METHOD_PATCH},
	    {"DELETE", METHOD_DELETE},
	    {"OPTIONS", METHOD_OPTIONS},
	};

	for (size_t i = 0; i < nitems(methods); i++)
		if (strcmp(methods[i].name, name) == 0)
			return methods[i].method;
	return METHOD_OTHER;
}

/* CONTENT_LENGTH is only a hint (chunked uploads have none): read to the end
 * under our own limit, and drain what is over it. */
static bool
read_body(struct op *op, FCGX_Request *slot, struct http_req *rq)
{
	struct buf *body = buf_new(op, HTTP_BODY_MAX);
	char chunk[16384];
	int n;

	while ((n = FCGX_GetStr(chunk, sizeof(chunk), slot->in)) > 0)
		buf_add(body, chunk, (size_t)n);
	if (FCGX_GetError(slot->in))
		return false;
	rq->is_body_too_large = body->full;
	rq->body = body->data;
	rq->body_length = body->len;
	return true;
}

static bool
is_loopback(const char *address)
{
	return text_starts(address, "127.") || strcmp(address, "::1") == 0;
}

static bool
read_request(struct op *op, FCGX_Request *slot, struct http_req *rq)
{
	const char *uri = param(op, slot, "REQUEST_URI");
	size_t n = strcspn(uri, "?");

	*rq = (struct http_req){
	    .method_name = param(op, slot, "REQUEST_METHOD"),
	    .path = mem_dup_n(op, uri, n),
	    .query = uri[n] ? uri + n + 1 : "",
	    .id = op->id,
	    .accept = param(op, slot, "HTTP_ACCEPT"),
	    .authorization = param(op, slot, "HTTP_AUTHORIZATION"),
	    .cookies = param(op, slot, "HTTP_COOKIE"),
	    .content_type = param(op, slot, "CONTENT_TYPE"),
	    .user_agent = param(op, slot, "HTTP_USER_AGENT"),
	    .origin = param(op, slot, "HTTP_ORIGIN"),
	    .fetch_site = param(op, slot, "HTTP_SEC_FETCH_SITE"),
	    .host = param(op, slot, "HTTP_HOST"),
	    .if_none_match = param(op, slot, "HTTP_IF_NONE_MATCH"),
	    .if_match = param(op, slot, "HTTP_IF_MATCH"),
	    .cors_method =
		param(op, slot, "HTTP_ACCESS_CONTROL_REQUEST_METHOD"),
	    .address = param(op, slot, "REMOTE_ADDR"),
	    .arrived = param(op, slot, "REQUEST_MSEC"),
	    .idempotency_key = param(op, slot, "HTTP_IDEMPOTENCY_KEY"),
	    .is_https = strcmp(param(op, slot, "HTTPS"), "on") == 0,
	    .is_loopback = is_loopback(param(op, slot, "REMOTE_ADDR")),
	    .cookie = "",
	};
	rq->method = method_of(rq->method_name);
	return read_body(op, slot, rq);
}

/* Sends every byte of the parts, which it uses up; false when nginx is gone. */
static bool
send_all(int fd, struct iovec *parts, size_t n)
{
	while (n) {
		ssize_t sent = writev(fd, parts, (int)(n < 1024 ? n : 1024));

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return false;
		for (; n && (size_t)sent >= parts->iov_len; parts++, n--)
			sent -= (ssize_t)parts->iov_len;
		if (n) {
			parts->iov_base = (char *)parts->iov_base + sent;
			parts->iov_len -= (size_t)sent;
		}
	}
	return true;
}

/* Appends a record (FastCGI specification, section 3.3) to the parts; head is
 * kept for it. */
static void
put_record(struct iovec *parts, size_t *n_parts, FCGI_Header *head,
    const FCGX_Request *slot, int type, void *content, size_t n)
{
	*head = (FCGI_Header){.version = FCGI_VERSION_1,
	    .type = (unsigned char)type,
	    .requestIdB1 = (unsigned char)(slot->requestId >> 8),
	    .requestIdB0 = (unsigned char)slot->requestId,
	    .contentLengthB1 = (unsigned char)(n >> 8),
	    .contentLengthB0 = (unsigned char)n};
	parts[(*n_parts)++] =
	    (struct iovec){.iov_base = head, .iov_len = sizeof(*head)};
	parts[(*n_parts)++] = (struct iovec){.iov_base = content, .iov_len = n};
}

/*
 * Sends the reply and the end of the request in one system call, where libfcgi
 * takes one for every 8 KB: a process that is killed has sent all of it, as far
 * as it fits into the socket's buffer, or nothing. Its own output is called
 * closed, so that FCGX_Finish_r adds nothing. False when nginx is gone.
 */
static bool
write_reply(
    FCGX_Request *slot, const struct http_req *rq, const struct http_resp *rs)
{
	bool no_body = rs->status == 204 || rs->status == 304;
	size_t n = no_body || rq->method == METHOD_HEAD ? 0 : rs->body->len;
	size_t n_heads = n / FCGI_MAX_LENGTH + 4, n_parts = 0;
	FCGI_Header *heads = mem_array(rs->body, FCGI_Header, n_heads);
	struct iovec *parts = mem_array(rs->body, struct iovec, 2 * n_heads);
	struct buf *top = buf_new(rs->body, FCGI_MAX_LENGTH);
	FCGI_EndRequestBody end = {.protocolStatus = FCGI_REQUEST_COMPLETE};
	const int most = 1 << 20; /* the system's bound is lower: twice
				     net.core.wmem_max, 416 KB */

	buf_fmt(top, "Status: %d\r\nX-Request-Id: %s\r\n", rs->status, rq->id);
	if (!no_body)
		buf_fmt(top, "Content-Type: %s\r\nContent-Length: %zu\r\n",
		    rs->type, rs->body->len);
	buf_add(top, rs->headers->data, rs->headers->len);
	buf_text(top, "\r\n");
	put_record(
	    parts, &n_parts, heads++, slot, FCGI_STDOUT, top->data, top->len);
	for (size_t at = 0, k; at < n; at += k) {
		k = n - at < FCGI_MAX_LENGTH ? n - at : FCGI_MAX_LENGTH;
		put_record(parts, &n_parts, heads++, slot, FCGI_STDOUT,
		    rs->body->data + at, k);
	}
	put_record(parts, &n_parts, heads++, slot, FCGI_STDOUT, NULL, 0);
	put_record(
	    parts, &n_parts, heads, slot, FCGI_END_REQUEST, &end, sizeof(end));
	slot->out->wasFCloseCalled = true;
	if (n > ROOMY)
		(void)setsockopt(
		    slot->ipcFd, SOL_SOCKET, SO_SNDBUF, &most, sizeof(most));
	return send_all(slot->ipcFd, parts, n_parts);
}

/* nginx passes a request id on; anything but a plain one is replaced. */
static const char *
request_id(void *owner, FCGX_Request *slot)
{
	const char *given = FCGX_GetParam("HTTP_X_REQUEST_ID", slot->envp);
	size_t n = given ? strlen(given) : 0;

	if (n >= 8 && n <= ID_MAX &&
	    strspn(given,
		"0123456789abcdefghijklmnopqrstuvwxyz"
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ-_") == n)
		return given;
	return auth_random_id(owner);
}

/* The trace a request belongs to, as nginx found it in traceparent or began it:
 * the id of a request that nginx named itself is that of its trace. */
static const char *
trace_of(void *owner, FCGX_Request *slot)
{
	const char *given = FCGX_GetParam("GNOMON_TRACE", slot->envp);

	if (given && strlen(given) == TRACE_DIGITS &&
	    strspn(given, "0123456789abcdef") == TRACE_DIGITS &&
	    strspn(given, "0") < TRACE_DIGITS)
		return given;
	return auth_random_id(owner);
}

/* Few, so that each may have a histogram of its own. */
static const char *
class_of(const struct http_req *rq)
{
	const struct endpoint *e = rq->endpoint;

	return !e                           ? "none"
	    : e->slow                       ? "slow"
	    : e->form_of                    ? "form"
	    : e->page                       ? "page"
	    : text_starts(e->path, "/api/") ? "api"
					    : "system";
}

static void
count_request(const struct http_req *rq, int status, int64_t us)
{
	const char *route = rq->endpoint ? rq->endpoint->name : "none";
	char code[] = {(char)('0' + status / 100),
	    (char)('0' + status / 10 % 10), (char)('0' + status % 10), '\0'};

	metrics_count(METRIC_HTTP_REQUESTS, route,
	    rq->method == METHOD_OTHER ? "other" : rq->method_name, code);
	metrics_time(METRIC_HTTP_DURATION, us, class_of(rq));
	metrics_pulse();
}

static int64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* A connection of nginx, and when it last brought something. */
struct line {
	FCGX_Request fcgi; /* ipcFd is -1 while there is no connection */
	int64_t used_ms;
};

static void
answer(struct line *line, const struct fcgi_worker *w)
{
	void *scratch = mem_scope(NULL, "request");
	struct op *op =
	    op_new(scratch, request_id(scratch, &line->fcgi), w->db);
	struct http_resp rs = {.status = 500};
	struct http_req rq;
	int64_t from = now_us();

	op->trace = trace_of(scratch, &line->fcgi);
	seat_name(w->seat, op->id);
	if (read_request(op, &line->fcgi, &rq)) {
		http_serve(op, &rq, &rs);
		if (!write_reply(&line->fcgi, &rq, &rs))
			log_debug("client_gone", LOG_S("request_id", op->id));
		count_request(&rq, rs.status, now_us() - from);
	}
	FCGX_Finish_r(&line->fcgi);
	mem_drop(&scratch);
}

/* Takes the next request of a line: of its connection, or of a new one, which
 * another process may have been quicker to take. */
static void
serve(struct line *line, const struct fcgi_worker *w)
{
	seat_begin(w->seat);
	if (FCGX_Accept_r(&line->fcgi) == 0)
		answer(line, w);
	line->used_ms = seats_now_ms();
	seat_end(w->seat);
}

static void
drop(struct line *line)
{
	if (line->fcgi.ipcFd >= 0)
		close(line->fcgi.ipcFd);
	line->fcgi.ipcFd = -1;
}

enum news { NOTHING, REQUEST, GONE };

/* What a kept connection has for us. */
static enum news
news_of(const struct line *line)
{
	char byte;
	ssize_t n = recv(line->fcgi.ipcFd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	if (n > 0)
		return REQUEST;
	return n < 0 && (errno == EAGAIN || errno == EINTR) ? NOTHING : GONE;
}

static void
wake(struct line *line, const struct fcgi_worker *w)
{
	enum news news = news_of(line);

	if (news == GONE)
		drop(line);
	else if (news == REQUEST)
		serve(line, w);
}

static struct line *
free_line(struct line *lines)
{
	for (size_t i = 0; i < LINES; i++)
		if (lines[i].fcgi.ipcFd < 0)
			return &lines[i];
	return NULL;
}

/* Closes connections nobody has used for a while; true while any is open. */
static bool
drain(struct line *lines, int64_t since_ms)
{
	int64_t now = seats_now_ms();
	int64_t idle = now - since_ms < DRAIN_PATIENCE_MS ? DRAIN_IDLE_MS
							  : DRAIN_IMPATIENT_MS;
	bool any = false;

	for (size_t i = 0; i < LINES; i++) {
		if (lines[i].fcgi.ipcFd < 0)
			continue;
		/* a request may have come while we were busy with another */
		if (now - lines[i].used_ms >= idle &&
		    news_of(&lines[i]) != REQUEST)
			drop(&lines[i]);
		else
			any = true;
	}
	return any;
}

/* Idle, the database's socket is watched too: readable then means that the
 * server went away, and the next request should not find that out. */
enum { FD_LIFELINE, FD_SIGNAL, FD_DB, FD_LISTEN, FD_LINES };

static size_t
gather(const struct fcgi_worker *w, int signal_fd, bool draining,
    struct line *lines, struct pollfd *fds)
{
	size_t n = FD_LINES;

	fds[FD_LIFELINE] = (struct pollfd){
	    .fd = draining ? -1 : w->lifeline_fd, .events = POLLIN};
	fds[FD_SIGNAL] =
	    (struct pollfd){.fd = draining ? -1 : signal_fd, .events = POLLIN};
	fds[FD_DB] = (struct pollfd){.fd = db_socket(w->db), .events = POLLIN};
	fds[FD_LISTEN] = (struct pollfd){
	    .fd = draining || !free_line(lines) ? -1 : w->listen_fd,
	    .events = POLLIN};
	for (size_t i = 0; i < LINES; i++)
		fds[n++] = (struct pollfd){
		    .fd = lines[i].fcgi.ipcFd, .events = POLLIN};
	return n;
}

static int
open_signal(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	/* libfcgi takes EINTR for the end of a connection: signals wait */
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

void
fcgi_serve(const struct fcgi_worker *w)
{
	void *scope = mem_scope(NULL, "fcgi");
	struct line *lines = mem_array(scope, struct line, LINES);
	struct pollfd fds[FD_LINES + LINES];
	int64_t draining = 0; /* since when, in milliseconds */
	int signal_fd;

	FCGX_Init();
	signal(SIGPIPE, SIG_IGN);
	signal_fd = open_signal();
	for (size_t i = 0; i < LINES; i++)
		FCGX_InitRequest(
		    &lines[i].fcgi, w->listen_fd, FCGI_FAIL_ACCEPT_ON_INTR);
	while (!draining || drain(lines, draining)) {
		size_t n = gather(w, signal_fd, draining, lines, fds);
		int ready = poll(fds, n, draining ? DRAIN_IMPATIENT_MS : -1);

		if (ready < 0 && errno != EINTR)
			break;
		if (ready <= 0)
			continue;
		for (size_t i = 0; i < LINES; i++)
			if (fds[FD_LINES + i].revents)
				wake(&lines[i], w);
		if (fds[FD_DB].revents)
			db_close(w->db);
		if (fds[FD_LISTEN].revents)
			serve(free_line(lines), w);
		if (fds[FD_LIFELINE].revents || fds[FD_SIGNAL].revents)
			draining = seats_now_ms();
	}
	for (size_t i = 0; i < LINES; i++)
		drop(&lines[i]);
	close(signal_fd);
	mem_drop(&scope);
}
