/* How the server itself is: health, readiness and metrics. */
#include <json-c/json.h>
#include <time.h>

#include "base/metrics.h"
#include "db/rows.h"
#include "gen/queries.h"
#include "http/http.h"

endpoint_handler system_health;
endpoint_handler system_metrics;
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
	/* balancers ask often, and each process asks the database at most once
	 * a second for them */
	bool connected = db_is_fresh(op->db) || !q_schema_version(probe, NULL);

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

/* Samples of one gauge stand together: the rows are gone through once for
 * each. The age of a queue's oldest job stands in its row of state queued. */
static void
write_queues(struct op *op, const struct rows *rows, struct buf *out)
{
	size_t n = rows_count(rows);

	metrics_head(out, METRIC_JOBS_QUEUED);
	for (size_t i = 0; i < n; i++)
		metrics_gauge(out, METRIC_JOBS_QUEUED,
		    (double)rows_int(rows, i, 2), rows_text(op, rows, i, 0),
		    rows_text(op, rows, i, 1));
	metrics_head(out, METRIC_JOBS_OLDEST);
	for (size_t i = 0; i < n; i++)
		if (strcmp(rows_text(op, rows, i, 1), "queued") == 0)
			metrics_gauge(out, METRIC_JOBS_OLDEST,
			    rows_float(rows, i, 3), rows_text(op, rows, i, 0));
}

/* GET /metrics: also while the database is away, then without the queues. */
enum err
system_metrics(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	struct op *probe = op_new(op, op->id, op->db);
	struct rows *rows;
	bool is_up = !q_queue_depth(probe, &rows);

	(void)rq;
	rs->type = "text/plain; version=0.0.4; charset=utf-8";
	metrics_write(rs->body);
	metrics_head(rs->body, METRIC_DATABASE_UP);
	metrics_gauge(rs->body, METRIC_DATABASE_UP, is_up, NULL);
	if (is_up)
		write_queues(op, rows, rs->body);
	return ERR_OK;
}
