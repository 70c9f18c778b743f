/* What the files of this room share: a job, and who does which. */
#ifndef GNOMON_JOBS_JOBS_PRIV_H
#define GNOMON_JOBS_JOBS_PRIV_H

#include <stdint.h>

#include "base/op.h"

struct json_object;

/* A job that was claimed. */
struct job {
	const char *id, *kind, *fence;
	struct json_object *payload;
};

/* mail_job.c: sends a mail. ERR_MAIL_REFUSED: never again. */
enum err jobs__send_mail(struct op *op, const struct job *job);

/* mail_job.c: sends what accounts are told of themselves. */
enum err jobs__send_account_mails(struct op *op);

/* sprint_job.c: queues what is due of these, one kind or all (NULL); and each. */
enum err jobs__enqueue_sprint_jobs(struct op *op, const char *kind);
enum err jobs__snapshot_sprints(struct op *op, const struct job *job);
enum err jobs__complete_sprints(struct op *op, const struct job *job);
enum err jobs__aggregate_metrics(struct op *op, const struct job *job);

/* ai_job.c: settles calls to models that were lost. */
enum err jobs__sweep_ai(struct op *op);

/* webhook_job.c: sends what is due for a webhook. */
enum err jobs__deliver(struct op *op, const struct job *job);

/* follow.c: reads on in the event log; the digests of a workspace. */
enum err jobs__follow(struct op *op);
enum err jobs__send_digests(struct op *op, const struct job *job);

#endif
