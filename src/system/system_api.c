/* How the server itself is: health and readiness. */
#include <json-c/json.h>
#include <time.h>

#include "gen/queries.h"
#include "http/http.h"

endpoint_handler system_health;
endpoint_handler system_ready;

static const char *
timestamp(struct op *op)
{
	time_t now = time(NULL);
	struct tm utc;
	char text[32];

	gmtime_r(&now, &utc);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
	return mem_dup(op, text);
}

/* GET /health: always this shape, 503 when the database is away. */
enum err
system_health(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	struct op *probe = op_new(op, op->id, op->db);
	bool connected = !q_schema_version(probe, NULL);

	(void)rq;
	rs->status = connected ? 200 : 503;
	rs->type = "application/json";
	buf_fmt(rs->body,
	    "{\"status\":\"%s\",\"database\":\"%s\",\"timestamp\":\"%s\"}",
	    connected ? "healthy" : "unhealthy",
	    connected ? "connected" : "disconnected", timestamp(op));
	return ERR_OK;
}

/* GET /ready */
enum err
system_ready(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	struct rows *rows;
	enum err e = q_schema_version(op, &rows);

	(void)rq;
	if (e)
		return op->err;
	rs->type = "application/json";
	buf_fmt(rs->body, "{\"status\":\"ready\",\"schemaVersion\":%lld}",
	    (long long)rows_int(rows, 0, 0));
	return ERR_OK;
}
