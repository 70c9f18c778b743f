/* What the lane "events" does before each look at the queue: it reads on in the
 * event log, which is the outbox of webhooks and notifications. */
#include <stdio.h>
#include <time.h>

#include "base/log.h"
#include "db/db.h"
#include "gen/queries.h"
#include "jobs/jobs_priv.h"

enum {
	ROUNDS = 50, /* before anything else is done */
	ANEW_S =
	    60, /* between two comparisons of all scopes with their cursors */
	KNOWN_MAX = 4096,
};
static const char round_events[] = "500";

/* What the last round saw of the database: the next looks at what came since. ""
 * compares all scopes, which finds what was missed, whatever the reason. */
static char known[KNOWN_MAX];

static void
forget_now_and_then(void)
{
	static time_t last;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (last && now.tv_sec - last < ANEW_S)
		return;
	last = now.tv_sec;
	known[0] = '\0';
}

enum err
jobs__follow(struct op *op)
{
	bool has_more = true;
	struct rows *rows;
	enum err e = ERR_OK;

	forget_now_and_then();
	for (int i = 0; !e && has_more && i < ROUNDS; i++) {
		e = q_follow_events(op, known, round_events, &rows);
		if (e)
			break;
		has_more = rows_bool(rows, 0, 2);
		if ((size_t)snprintf(known, sizeof(known), "%s",
			rows_get(op, rows, 0, "snapshot")) >= sizeof(known))
			known[0] = '\0'; /* cut it would be another */
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
