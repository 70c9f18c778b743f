/* Requests to other servers. */
#include "net/net.h"

#include <curl/curl.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/net_priv.h"

enum { URL_MAX = 4000, RETRY_AFTER_MAX = 7 * 86400 };

/* One request under way. */
struct exchange {
	const struct net_request *rq;
	CURL *curl;
	struct op *op;
	char *host;
	struct buf *body;
	size_t got; /* bytes of the body */
	size_t max;
	struct net_reply *head;
	char error[CURL_ERROR_SIZE];
	bool was_refused; /* an address that is not public was met */
	bool was_stopped; /* by take or is_over */
};

bool
net__begin(void)
{
	static bool is_up;

	/* from one thread, once; processes are single-threaded here */
	if (!is_up)
		is_up = curl_global_init(CURL_GLOBAL_DEFAULT) == 0;
	return is_up;
}

void
net__close(void *curl)
{
	curl_easy_cleanup(curl);
}

static void
free_list(void *list)
{
	curl_slist_free_all(list);
}

static void
free_url(void *url)
{
	curl_url_cleanup(url);
}

char *
net__host(void *owner, const char *url, const char *schemes)
{
	CURLU *parts = mem_adopt(owner, curl_url(), free_url);
	char *found = NULL, *host = NULL;

	if (!parts || strlen(url) > URL_MAX ||
	    curl_url_set(parts, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) !=
		CURLUE_OK ||
	    curl_url_get(parts, CURLUPART_SCHEME, &found, 0) != CURLUE_OK)
		return NULL;
	for (size_t n; !host && *schemes; schemes += n + (schemes[n] == ' ')) {
		n = strcspn(schemes, " ");
		if (strlen(found) == n && strncasecmp(found, schemes, n) == 0)
			host = found;
	}
	if (host) {
		char *name;

		host = NULL;
		if (curl_url_get(parts, CURLUPART_HOST, &name, 0) ==
		    CURLUE_OK) {
			/* [::1] is written in brackets */
			size_t n = strlen(name);

			host = *name == '[' && n > 2
			    ? mem_dup_n(owner, name + 1, n - 2)
			    : mem_dup(owner, name);
			curl_free(name);
		}
	}
	curl_free(found);
	return host;
}

/* After the name was resolved, before anything is sent. */
static curl_socket_t
open_socket(void *data, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct exchange *x = data;

	(void)purpose;
	if (x->rq->is_public && !net_is_public(&a->addr) &&
	    !net_is_listed(x->rq->allowed, x->host, &a->addr)) {
		x->was_refused = true;
		return CURL_SOCKET_BAD;
	}
	return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* What the head of the answer says. */
static void
read_head(struct exchange *x)
{
	const char *type = NULL;
	curl_off_t wait = 0, first = 0;
	long status = 0;

	curl_easy_getinfo(x->curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(x->curl, CURLINFO_CONTENT_TYPE, &type);
	curl_easy_getinfo(x->curl, CURLINFO_RETRY_AFTER, &wait);
	curl_easy_getinfo(x->curl, CURLINFO_STARTTRANSFER_TIME_T, &first);
	x->head->status = (int)status;
	x->head->content_type = mem_dup(x->op, type ? type : "");
	x->head->retry_after_s = wait < 0 ? 0
	    : wait > RETRY_AFTER_MAX      ? RETRY_AFTER_MAX
					  : wait;
	x->head->first_ms = first / 1000;
}

static size_t
hand_on(struct exchange *x, const char *bytes, size_t n)
{
	if (x->rq->take(x->rq->data, x->head, bytes, n))
		return n;
	x->was_stopped = true;
	return 0;
}

/* curl says size is always 1. */
static size_t
take(char *bytes, size_t size, size_t n, void *data)
{
	struct exchange *x = data;
	size_t room = x->max - x->got;

	if (x->got == 0)
		read_head(x);
	if (n > room && !x->rq->is_cut) {
		x->got = x->max + 1;
		return 0;
	}
	if (x->rq->take) {
		x->got += n;
		return hand_on(x, bytes, n);
	}
	buf_add(x->body, bytes, n < room ? n : room);
	x->got += n < room ? n : room;
	return size * n;
}

static int
look_on(void *data, curl_off_t total, curl_off_t now, curl_off_t out_total,
    curl_off_t out_now)
{
	struct exchange *x = data;

	(void)total;
	(void)now;
	(void)out_total;
	(void)out_now;
	x->was_stopped = x->was_stopped || x->rq->is_over(x->rq->data);
	return x->was_stopped;
}

/* False: a line that would be two. */
static bool
add_headers(void *owner, CURL *curl, const struct net_request *rq)
{
	struct curl_slist *list = curl_slist_append(NULL, "Expect:");

	for (size_t i = 0; rq->headers && rq->headers[i]; i++) {
		if (strpbrk(rq->headers[i], "\r\n")) {
			curl_slist_free_all(list);
			return false;
		}
		list = curl_slist_append(list, rq->headers[i]);
	}
	mem_adopt(owner, list, free_list);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
	return true;
}

static int64_t
time_limit_ms(const struct net_request *rq)
{
	return rq->timeout_ms ? rq->timeout_ms : NET_TIMEOUT_MS;
}

static void
set_up(CURL *curl, struct exchange *x)
{
	const struct net_request *rq = x->rq;
	int64_t ms = time_limit_ms(rq);

	curl_easy_setopt(curl, CURLOPT_URL, rq->url);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, x->error);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, rq->redirects ? 1L : 0L);
	curl_easy_setopt(curl, CURLOPT_MAXREDIRS, (long)rq->redirects);
	/* a proxy would resolve the name itself, where we cannot look */
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)ms);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS,
	    (long)(ms < NET_CONNECT_MS ? ms : NET_CONNECT_MS));
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "Gnomon");
	curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, x);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, x);
	if (rq->is_over) {
		curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
		curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, look_on);
		curl_easy_setopt(curl, CURLOPT_XFERINFODATA, x);
	}
	if (rq->body) {
		curl_easy_setopt(
		    curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)rq->body_n);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, rq->body);
	}
	if (rq->method && strcmp(rq->method, "HEAD") == 0)
		curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
	else if (rq->method)
		curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, rq->method);
}

/* curl ends a connection that does not come about in time, and the whole, with
 * the same code. */
static enum net_end
how_it_ended(const struct exchange *x, CURLcode rc)
{
	if (rc == CURLE_OK)
		return NET_WHOLE;
	if (x->was_stopped)
		return NET_STOPPED;
	if (x->got > x->max)
		return NET_TOO_LONG;
	if (rc == CURLE_OPERATION_TIMEDOUT &&
	    (x->head->was_sent || x->head->took_ms >= time_limit_ms(x->rq)))
		return NET_LATE;
	return x->head->was_sent ? NET_CUT : NET_NO_CONNECTION;
}

static void
note_end(struct exchange *x, CURLcode rc)
{
	curl_off_t us = 0;
	long sent = 0;

	curl_easy_getinfo(x->curl, CURLINFO_TOTAL_TIME_T, &us);
	curl_easy_getinfo(x->curl, CURLINFO_REQUEST_SIZE, &sent);
	x->head->took_ms = us / 1000;
	x->head->was_sent = sent > 0;
	x->head->end = how_it_ended(x, rc);
}

static enum err
perform(struct exchange *x)
{
	CURLcode rc = curl_easy_perform(x->curl);

	note_end(x, rc);
	if (rc != CURLE_OK && x->was_refused)
		return op_fail(x->op, ERR_ADDRESS_REFUSED,
		    "%s is not a public address", x->host);
	if (rc != CURLE_OK)
		return op_fail(x->op, ERR_UNREACHABLE, "%s",
		    *x->error ? x->error : curl_easy_strerror(rc));
	if (x->got == 0) {
		read_head(x);
		x->head->first_ms = 0;
	}
	x->head->body = x->body->data;
	x->head->body_n = x->body->len;
	return ERR_OK;
}

enum err
net_http(
    struct op *op, const struct net_request *rq, struct net_reply *out_reply)
{
	struct exchange *x = mem_new(op, struct exchange);
	enum err e;

	*out_reply = (struct net_reply){
	    .content_type = "", .body = "", .end = NET_NO_CONNECTION};
	x->rq = rq;
	x->op = op;
	x->head = out_reply;
	x->max = rq->reply_max ? rq->reply_max : NET_REPLY_MAX;
	x->body = buf_new(op, x->max);
	x->host = net__host(x, rq->url, "http https");
	if (!x->host)
		return op_fail(op, ERR_VALIDATION_FAILED,
		    "not an address of http or https");
	if (net__begin())
		x->curl = mem_adopt(x, curl_easy_init(), net__close);
	if (!x->curl)
		return op_fail(op, ERR_INTERNAL, "libcurl does not start");
	set_up(x->curl, x);
	if (!add_headers(x, x->curl, rq))
		return op_fail(
		    op, ERR_VALIDATION_FAILED, "a header of several lines");
	e = perform(x);
	mem_drop(&x);
	return e;
}
