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
	char *host;
	struct buf *body;
	char error[CURL_ERROR_SIZE];
	bool was_refused; /* an address that is not public was met */
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

static size_t
take(char *bytes, size_t size, size_t n, void *data)
{
	struct exchange *x = data;
	size_t room = x->body->max - x->body->len;

	if (n > room && x->rq->is_cut) {
		buf_add(x->body, bytes, room);
		return size * n;
	}
	buf_add(x->body, bytes, size * n);
	return x->body->full ? 0 : size * n;
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

static void
set_up(CURL *curl, struct exchange *x)
{
	const struct net_request *rq = x->rq;
	int64_t ms = rq->timeout_ms ? rq->timeout_ms : NET_TIMEOUT_MS;

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

static void
read_reply(
    struct op *op, CURL *curl, const struct exchange *x, struct net_reply *out)
{
	const char *type = NULL;
	curl_off_t wait = 0;
	long status = 0;

	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
	curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &wait);
	out->status = (int)status;
	out->content_type = mem_dup(op, type ? type : "");
	out->body = x->body->data;
	out->body_n = x->body->len;
	out->retry_after_s = wait < 0 ? 0
	    : wait > RETRY_AFTER_MAX  ? RETRY_AFTER_MAX
				      : wait;
}

static int64_t
took_ms(CURL *curl)
{
	curl_off_t us = 0;

	curl_easy_getinfo(curl, CURLINFO_TOTAL_TIME_T, &us);
	return us / 1000;
}

static enum err
perform(struct op *op, CURL *curl, struct exchange *x, struct net_reply *out)
{
	CURLcode rc = curl_easy_perform(curl);

	out->took_ms = took_ms(curl);
	if (rc != CURLE_OK && x->was_refused)
		return op_fail(op, ERR_ADDRESS_REFUSED,
		    "%s is not a public address", x->host);
	if (rc != CURLE_OK)
		return op_fail(op, ERR_UNREACHABLE, "%s",
		    *x->error ? x->error : curl_easy_strerror(rc));
	read_reply(op, curl, x, out);
	return ERR_OK;
}

enum err
net_http(
    struct op *op, const struct net_request *rq, struct net_reply *out_reply)
{
	struct exchange *x = mem_new(op, struct exchange);
	CURL *curl;
	enum err e;

	*out_reply = (struct net_reply){.content_type = "", .body = ""};
	x->rq = rq;
	x->body = buf_new(op, rq->reply_max ? rq->reply_max : NET_REPLY_MAX);
	x->host = net__host(x, rq->url, "http https");
	if (!x->host)
		return op_fail(op, ERR_VALIDATION_FAILED,
		    "not an address of http or https");
	curl = net__begin() ? mem_adopt(x, curl_easy_init(), net__close) : NULL;
	if (!curl)
		return op_fail(op, ERR_INTERNAL, "libcurl does not start");
	set_up(curl, x);
	if (!add_headers(x, curl, rq))
		return op_fail(
		    op, ERR_VALIDATION_FAILED, "a header of several lines");
	e = perform(op, curl, x, out_reply);
	mem_drop(&x);
	return e;
}
