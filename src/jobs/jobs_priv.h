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

#endif
