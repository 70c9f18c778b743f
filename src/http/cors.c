/* Other sites' pages and our API: the CORS protocol (WHATWG Fetch, 3.2). */
#include "base/config.h"
#include "base/text.h"
#include "http/http_priv.h"

/* What CORS_ORIGINS says of this origin: "*", the origin itself, or NULL. The
 * header is never made from what the client sent, only from the setting. */
static const char *
allowed(struct op *op, const char *origin)
{
	const char *list = config_get(CONFIG_CORS_ORIGINS);

	while (*list) {
		size_t n = strcspn(list, ",");

		if ((n == 1 && *list == '*') ||
		    (n == strlen(origin) && strncmp(list, origin, n) == 0))
			return mem_dup_n(op, list, n);
		list += n + (list[n] == ',');
	}
	return NULL;
}

void
http__cors(struct op *op, const struct http_req *rq, struct http_resp *rs)
{
	const char *origin = *rq->origin ? allowed(op, rq->origin) : NULL;

	if (!*config_get(CONFIG_CORS_ORIGINS))
		return;
	http_header(rs, "Vary", "Origin");
	if (!origin)
		return;
	http_header(rs, "Access-Control-Allow-Origin", "%s", origin);
	http_header(rs, "Access-Control-Expose-Headers",
	    "ETag, Retry-After, X-Request-Id, Idempotent-Replayed, "
	    "RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset");
}

void
http__options(struct op *op, const struct http_req *rq, struct http_resp *rs,
    const char *allow)
{
	rs->status = 204;
	http_header(rs, "Allow", "%s, OPTIONS", allow);
	if (!*rq->origin || !*rq->cors_method || !allowed(op, rq->origin))
		return;
	http_header(rs, "Access-Control-Allow-Methods", "%s", allow);
	http_header(rs, "Access-Control-Allow-Headers",
	    "Authorization, Content-Type, Idempotency-Key, If-Match, "
	    "If-None-Match, X-Request-Id");
	http_header(rs, "Access-Control-Max-Age", "600");
}
