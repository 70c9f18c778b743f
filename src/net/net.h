/*
 * Everything that goes outside: requests to other servers and mail. The only
 * room that sees libcurl.
 *
 * Nobody here waits for ever: every call has a bound in time and in bytes.
 */
#ifndef GNOMON_NET_NET_H
#define GNOMON_NET_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/op.h"

struct net_reply;
struct sockaddr;

enum {
	NET_REPLY_MAX = 1 << 20, /* bytes of a reply, where none is named */
	NET_TIMEOUT_MS = 30000, /* the whole exchange, where none is named */
	NET_CONNECT_MS = 10000, /* name, connection and TLS, at most */
};

struct net_request {
	const char *method; /* NULL: GET, or POST when there is a body */
	const char *url; /* http or https, at most 4,000 bytes */
	/* "Name: value" each, the last one NULL; or NULL. A line that holds
	 * a line break is refused. */
	const char *const *headers;
	const char *body; /* NULL: none */
	size_t body_n;
	size_t reply_max; /* a longer body is a failure; 0: NET_REPLY_MAX */
	bool is_cut; /* a longer body is cut instead */
	int64_t timeout_ms; /* 0: NET_TIMEOUT_MS */
	int redirects; /* how many are followed, to http(s) only; 0: none */
	/* The address came from people: whatever its name resolves to must be
	 * a public address; looked at when the socket is opened, so that a
	 * name that changes its mind gains nothing. */
	bool is_public;
	/* hosts, addresses and blocks (10.1.0.0/16) that is_public lets
	 * through, separated by commas; or NULL */
	const char *allowed;
	/* Takes the body as it comes, instead of it being kept; head has what
	 * is known by then: all but body, took_ms and end. False ends the
	 * exchange. */
	bool (*take)(void *data, const struct net_reply *head,
	    const char *bytes, size_t n);
	/* asked about once a second; true ends the exchange */
	bool (*is_over)(void *data);
	void *data; /* of both */
};

/* How an exchange ended. */
enum net_end {
	NET_WHOLE, /* with the whole answer */
	NET_NO_CONNECTION, /* there was none: no name, no listener, no TLS */
	NET_LATE, /* the time was over */
	NET_CUT, /* the answer broke off, or was not HTTP */
	NET_TOO_LONG, /* its body was longer than reply_max */
	NET_STOPPED, /* take or is_over ended it */
};

struct net_reply {
	int status;
	const char *content_type; /* "" when there is none */
	const char *body; /* belongs to the op; followed by a NUL */
	size_t body_n;
	int64_t retry_after_s; /* what Retry-After asks for, a week at most */
	int64_t took_ms;
	int64_t first_ms; /* until the body's first byte; 0: none came */
	bool was_sent; /* at least a byte of the request went out */
	enum net_end end;
};

/*
 * One request, waited for. Any status is a success here. ERR_UNREACHABLE:
 * there was no whole answer in time; ERR_ADDRESS_REFUSED: not a public address;
 * ERR_VALIDATION_FAILED: no URL, or a header that would be two.
 * out_reply->took_ms, first_ms, was_sent and end are set whatever happened.
 */
enum err net_http(struct op *op, const struct net_request *rq,
    struct net_reply *out_reply) MUST_CHECK;

/* Whether an address is one of the public internet: not this machine, a
 * private or link-local network, a provider's (100.64.0.0/10), multicast,
 * reserved, nor an IPv6 form of one of these. Unknown families are not. */
bool net_is_public(const struct sockaddr *address);

/* Whether a host's name or its address stands in a list as above. address may
 * be NULL. */
bool net_is_listed(
    const char *list, const char *host, const struct sockaddr *address);

struct net_mail {
	const char *from; /* "a@example.org" or "Gnomon <a@example.org>" */
	const char *to; /* an address */
	const char *to_name; /* "" or NULL: none */
	const char *subject;
	const char *text; /* lines end in \n; required */
	const char *html; /* NULL: text alone */
	/* Message-ID is <id@domain of from>: the same mail, tried again, has
	 * the same; of an id 64 bytes count */
	const char *id;
	int64_t date; /* seconds since 1970 */
	/* RFC 8058: an https or http address that takes a POST, of at most 900
	 * bytes; NULL: none */
	const char *unsubscribe;
};

/*
 * Hands a mail to the server at url (smtp://user:password@host:port, or
 * smtps). Off this machine a password travels under TLS only.
 * ERR_UNREACHABLE: may work later; ERR_MAIL_REFUSED: the server will never take
 * this mail; ERR_VALIDATION_FAILED: an address that is none.
 */
enum err net_mail(
    struct op *op, const char *url, const struct net_mail *mail) MUST_CHECK;

/* The mail as it is sent (RFC 5322, MIME), appended to out; false when an
 * address is none. */
bool net_mail_write(void *owner, const struct net_mail *mail, struct buf *out);

/* The bare address of "Gnomon <a@example.org>" or "a@example.org"; NULL when
 * it is none: ASCII, one @, nothing that SMTP or a header would read. */
char *net_mail_address(void *owner, const char *mailbox);

#endif
