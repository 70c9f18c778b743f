/*
 * What is held for a call to a model whose process was lost comes free, or is
 * charged, when its lease is over.
 */
#include "base/log.h"
#include "db/db.h"
#include "gen/queries.h"
#include "jobs/jobs_priv.h"

enum err
jobs__sweep_ai(struct op *op)
{
	struct rows *rows;
	enum err e = q_sweep_ai(op, &rows);

	if (!e && rows_int(rows, 0, 0))
		log_warn("ai_swept", LOG_I("calls", rows_int(rows, 0, 0)));
	return e;
}
