/* What the lane "events" does before each look at the queue: it reads on in the
 * event log, which is the outbox of webhooks and notifications. */
#include <stdio.h>

#include "base/log.h"
#include "db/db.h"
#include "gen/queries.h"
#include "jobs/jobs_priv.h"

enum { ROUNDS = 50 };
static const char round_events[] = "500";

enum err
jobs__follow(struct op *op)
{
	/* what the last round saw of the database; "" looks anew */
	static char known[200];
	int64_t handled = 1;
	struct rows *rows;
	enum err e = ERR_OK;

	for (int i = 0; !e && handled && i < ROUNDS; i++) {
		e = q_follow_events(op, known, round_events, &rows);
		if (e)
			break;
		handled = rows_int(rows, 0, 1);
		(void)snprintf(known, sizeof(known), "%s",
		    rows_get(op, rows, 0, "snapshot"));
	}
	if (!e)
		e = q_mail_notifications(op, NULL);
	return e ? e : q_queue_deliveries(op, NULL);
}

enum err
jobs__send_digests(struct op *op, const struct job *job)
{
	struct rows *rows;
	enum err e = q_send_digests(op, job->id, job->fence, &rows);

	if (!e)
		log_info("digests", LOG_S("job", job->id),
		    LOG_I("mails", rows_int(rows, 0, 0)));
	return e;
}
