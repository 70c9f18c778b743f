/*
 * gnomon-worker: the work nobody waits for. A timer calls tick and run;
 * follow is the service that works the queue.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/config.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/notify.h"
#include "base/text.h"
#include "db/db.h"
#include "jobs/jobs.h"

enum { IDLE_MS = 1000, LOST_MS = 2000, TICK_SECONDS = 60, PARALLEL_MAX = 64 };

static const char usage[] =
    "usage: gnomon-worker tick\n"
    "       gnomon-worker run JOB\n"
    "       gnomon-worker follow [--tick]\n"
    "\n"
    "  tick     queue every job that is due, and end\n"
    "  run JOB  queue JOB where it is due, do all that is queued of it, and end\n"
    "  follow   work the queue until SIGTERM; with --tick also queue what is\n"
    "           due each minute, where no timer does\n"
    "  --help, --version\n"
    "\n"
    "Settings come from the environment: see gnomonctl config.\n";

static struct db *db;

static int
fail(struct op *op)
{
	log_error("failed", LOG_S("error", err_info(op->err)->word),
	    LOG_S("why", op->why));
	mem_drop(&op);
	return 1;
}

static int
tick(const char *kind)
{
	struct op *op = op_new(NULL, "tick", db);

	if (jobs_tick(op, kind))
		return fail(op);
	mem_drop(&op);
	return 0;
}

static int
run(const char *kind)
{
	bool done, good = true, all_good = true;

	if (!jobs_is_kind(kind)) {
		fprintf(stderr, "No job is called %s. There are:\n%s", kind,
		    jobs_kinds(NULL));
		return 2;
	}
	if (tick(kind))
		return 1;
	do {
		struct op *op = op_new(NULL, kind, db);

		if (jobs_work_one(op, kind, &done, &good))
			return fail(op);
		all_good = all_good && (!done || good);
		mem_drop(&op);
	} while (done);
	return all_good ? 0 : 1;
}

/* Sleeps until a signal or the time is over; true: stop. */
static bool
wait_for_signal(int signals, int ms)
{
	struct pollfd fd = {.fd = signals, .events = POLLIN};

	return poll(&fd, 1, ms) > 0;
}

static int
follow(bool ticks)
{
	struct timespec now;
	time_t next_tick = 0;
	sigset_t set;
	int signals;
	bool stop = false;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	log_info("started", LOG_I("ticks", ticks));
	notify_send("READY=1\nSTATUS=Working the queue.");
	while (!stop) {
		struct op *op = op_new(NULL, "follow", db);
		bool done = false, good;
		enum err e;

		notify_send("WATCHDOG=1");
		metrics_pulse();
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (ticks && now.tv_sec >= next_tick) {
			(void)tick(NULL);
			next_tick = now.tv_sec + TICK_SECONDS;
		}
		e = jobs_work_one(op, NULL, &done, &good);
		if (e)
			log_warn("queue", LOG_S("why", op->why));
		stop = wait_for_signal(signals,
		    e          ? LOST_MS
			: done ? 0
			       : IDLE_MS);
		mem_drop(&op);
	}
	notify_send("STOPPING=1");
	log_info("stopped", LOG_I("ticks", ticks));
	return 0;
}

int
main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "";
	int status = 2, no_file = -1;

	if (strcmp(command, "--help") == 0) {
		fputs(usage, stdout);
		return 0;
	}
	if (strcmp(command, "--version") == 0) {
		puts("gnomon-worker " PACKAGE_VERSION);
		return 0;
	}
	if (!config_load(stderr))
		return 1;
	if (!*config_get(CONFIG_DATABASE_URL)) {
		fputs("DATABASE_URL must be set.\n", stderr);
		return 1;
	}
	log_open("gnomon-worker", log_level(config_get(CONFIG_LOG_LEVEL)));
	if (*config_get(CONFIG_GNOMON_METRICS) &&
	    !metrics_open(config_get(CONFIG_GNOMON_METRICS), &no_file))
		log_warn("metrics_off", LOG_S("why", strerror(errno)));
	metrics_join("gnomon-worker");
	db = db_new(NULL, config_get(CONFIG_DATABASE_URL), "gnomon_worker");
	if (strcmp(command, "tick") == 0 && argc == 2)
		status = tick(NULL);
	else if (strcmp(command, "run") == 0 && argc == 3)
		status = run(argv[2]);
	else if (strcmp(command, "follow") == 0 &&
	    (argc == 2 || (argc == 3 && strcmp(argv[2], "--tick") == 0)))
		status = follow(argc == 3);
	else
		fputs(usage, stderr);
	mem_drop(&db);
	metrics_gone(getpid());
	return status;
}
