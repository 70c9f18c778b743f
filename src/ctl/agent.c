/* gnomonctl agent run: runs an agent of a workspace now and tells how it went. */
#include <getopt.h>
#include <stdio.h>
#include <time.h>

#include "ctl/ctl.h"
#include "db/db.h"
#include "gen/queries.h"

enum { WAIT_TENTHS = 600, DOUBT_TENTHS = 50 };

static enum err
enter(struct op *op, const char *session, const char *workspace)
{
	return q_enter(
	    op, NULL, session, workspace, NULL, NULL, "3", "false", NULL);
}

static enum err
queue(struct op *op, const char *session, const char *workspace,
    const char *agent, const char **out_job)
{
	struct rows *rows;
	struct db_tx *tx;
	enum err e = db_begin(op, &tx);

	if (!e)
		e = enter(op, session, workspace);
	if (!e)
		e = q_queue_agent(op, agent, &rows);
	if (!e && rows_count(rows) == 0)
		e = op_fail(
		    op, ERR_NOT_FOUND, "The workspace has no agent %s.", agent);
	if (e)
		return e;
	*out_job = rows_get(op, rows, 0, "id");
	return db_commit(op, &tx);
}

/* The job's row as it is now. */
static enum err
look(struct op *op, const char *session, const char *workspace, const char *job,
    struct rows **out_rows)
{
	struct db_tx *tx;
	enum err e = db_begin(op, &tx);

	if (!e)
		e = enter(op, session, workspace);
	if (!e)
		e = q_job_state(op, job, out_rows);
	return e ? e : db_commit(op, &tx);
}

static int
await(
    struct op *op, const char *session, const char *workspace, const char *job)
{
	const struct timespec tenth = {.tv_nsec = 100000000};

	for (int i = 0; i < WAIT_TENTHS; i++) {
		struct rows *rows;
		const char *state, *error;

		if (look(op, session, workspace, job, &rows))
			return ctl_failed(op);
		state = rows_get(op, rows, 0, "state");
		error = rows_get(op, rows, 0, "error");
		if (strcmp(state, "succeeded") == 0) {
			printf("R-%s %s. %s\n", rows_get(op, rows, 0, "number"),
			    rows_get(op, rows, 0, "status"),
			    rows_get(op, rows, 0, "summary"));
			return 0;
		}
		if (error || strcmp(state, "dead") == 0) {
			fprintf(stderr, "The run failed: %s\n", error);
			return 1;
		}
		if (i == DOUBT_TENTHS)
			fputs("Still queued. Is gnomon-worker running?\n",
			    stderr);
		nanosleep(&tenth, NULL);
	}
	fputs("The run is queued; a worker will take it up.\n", stderr);
	return 1;
}

int
ctl_agent(int argc, char **argv)
{
	static const struct option options[] = {
	    {"workspace", required_argument, NULL, 'w'},
	    {NULL, 0, NULL, 0},
	};
	const char *workspace = NULL, *job, *session;
	struct op *op;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c != 'w')
			return 2;
		workspace = optarg;
	}
	if (!workspace || argc - optind != 2 ||
	    strcmp(argv[optind], "run") != 0) {
		fputs("usage: gnomonctl agent run AGENT --workspace WS\n",
		    stderr);
		return 2;
	}
	op = ctl_open("gnomon_web");
	if (!op)
		return 1;
	if (ctl_session(op, workspace, "", &session) ||
	    queue(op, session, workspace, argv[optind + 1], &job))
		c = ctl_failed(op);
	else
		c = await(op, session, workspace, job);
	mem_drop(&op);
	return c;
}
