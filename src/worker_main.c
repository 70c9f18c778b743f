/*
 * gnomon-worker: the work nobody waits for. A timer calls tick and run;
 * follow is the service that works the queue.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "auth/auth.h"
#include "base/config.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/notify.h"
#include "base/text.h"
#include "db/db.h"
#include "jobs/jobs.h"

enum {
	LOST_MS = 2000, /* between two tries to reach the database */
	TICK_SECONDS = 60,
	STUCK_SECONDS = 15 * 60, /* a job that takes longer is given up on */
	LANES_MAX = 16, /* processes of all lanes */
};

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
		struct op *op = op_new(NULL, "run", db);

		fprintf(stderr, "No job is called %s. There are:\n%s", kind,
		    jobs_kinds(op));
		mem_drop(&op);
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

/* ---- follow: a parent that does nothing but keep a process per lane */

/* A process that works a lane; the clock is one, too. */
struct hand {
	const struct jobs_lane *lane; /* NULL: it queues what is due */
	pid_t pid; /* 0: to be started */
};

/* Sleeps until a signal or the time is over; true: a signal came. */
static bool
wait_for_signal(int signals, int ms)
{
	struct pollfd fd = {.fd = signals, .events = POLLIN};

	return poll(&fd, 1, ms) > 0;
}

static int
watch(const sigset_t *set)
{
	sigprocmask(SIG_BLOCK, set, NULL);
	return signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static enum err
look(struct op *op, const struct jobs_lane *lane, int *out_wait_ms)
{
	bool done = false, good;
	enum err e = jobs_work_lane(op, lane, &done, &good);

	if (e)
		log_warn(
		    "queue", LOG_S("lane", lane->name), LOG_S("why", op->why));
	*out_wait_ms = e ? LOST_MS : done ? 0 : lane->idle_ms;
	return e;
}

static _Noreturn void
work(const struct jobs_lane *lane, pid_t parent)
{
	const char *name = lane ? lane->name : "tick";
	int signals, wait_ms = TICK_SECONDS * 1000;
	sigset_t set;

	/* a parent that was killed takes its hands with it */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		exit(1);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	signals = watch(&set);
	metrics_join("gnomon-worker");
	db = db_new(NULL, config_get(CONFIG_DATABASE_URL), "gnomon_worker");
	do {
		struct op *op = op_new(NULL, name, db);

		alarm(STUCK_SECONDS);
		metrics_pulse();
		if (lane)
			(void)look(op, lane, &wait_ms);
		else
			(void)tick(NULL);
		mem_drop(&op);
	} while (!wait_for_signal(signals, wait_ms));
	mem_drop(&db);
	exit(0);
}

static void
start(struct hand *h)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0)
		work(h->lane, parent);
	h->pid = pid > 0 ? pid : 0;
}

/* Marks whoever has ended; false when nobody is left. */
static bool
collect(struct hand *hands, size_t n)
{
	bool is_any = false;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		metrics_gone(pid);
		for (size_t i = 0; i < n; i++) {
			if (hands[i].pid != pid)
				continue;
			hands[i].pid = 0;
			if (status)
				log_error("hand_died",
				    LOG_S("lane",
					hands[i].lane ? hands[i].lane->name
						      : "tick"),
				    LOG_I("status", status));
		}
	}
	for (size_t i = 0; i < n; i++)
		is_any = is_any || hands[i].pid;
	return is_any;
}

/* Ends all of them, each after the job it has in hand. */
static void
dismiss(struct hand *hands, size_t n, int signals)
{
	for (size_t i = 0; i < n; i++)
		if (hands[i].pid)
			kill(hands[i].pid, SIGTERM);
	while (collect(hands, n)) {
		struct signalfd_siginfo rubbish;

		(void)wait_for_signal(signals, 1000);
		while (read(signals, &rubbish, sizeof(rubbish)) > 0)
			continue;
	}
}

static bool
is_wanted(const struct jobs_lane *lane)
{
	return !lane->is_wanted || lane->is_wanted();
}

static size_t
hire(struct hand *hands, bool ticks)
{
	size_t n = 0;

	for (size_t i = 0; i < n_jobs_lanes; i++)
		for (int k = 0; is_wanted(&jobs_lanes[i]) &&
		     k < jobs_lanes[i].processes && n < LANES_MAX;
		     k++)
			hands[n++].lane = &jobs_lanes[i];
	if (ticks)
		hands[n++].lane = NULL;
	return n;
}

static int
follow(bool ticks)
{
	struct hand hands[LANES_MAX + 1] = {{.pid = 0}};
	size_t n = hire(hands, ticks);
	struct signalfd_siginfo signal_;
	bool stop = false;
	sigset_t set;
	int signals;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGCHLD);
	signals = watch(&set);
	log_info("started", LOG_I("ticks", ticks));
	notify_send("READY=1\nSTATUS=Working the queue.");
	while (!stop) {
		notify_send("WATCHDOG=1");
		metrics_pulse();
		for (size_t i = 0; i < n; i++)
			if (!hands[i].pid)
				start(&hands[i]);
		/* one that dies at once is not started more than once a
		 * second */
		(void)wait_for_signal(signals, TICK_SECONDS * 1000);
		while (read(signals, &signal_, sizeof(signal_)) > 0)
			stop = stop || signal_.ssi_signo != SIGCHLD;
		(void)collect(hands, n);
		if (!stop)
			sleep(1);
	}
	notify_send("STOPPING=1");
	dismiss(hands, n, signals);
	log_info("stopped", LOG_I("ticks", ticks));
	return 0;
}

/* What a worker needs before it does anything; false: it was said why not. */
static bool
prepare(void)
{
	char *why = NULL;
	int no_file = -1;

	if (!config_load(stderr))
		return false;
	if (!*config_get(CONFIG_DATABASE_URL)) {
		fputs("DATABASE_URL must be set.\n", stderr);
		return false;
	}
	log_open("gnomon-worker", log_level(config_get(CONFIG_LOG_LEVEL)));
	/* links in mails are sealed, secrets of webhooks encrypted */
	if (!*config_get(CONFIG_GNOMON_SECRET_FILE) ||
	    !auth_open(config_get(CONFIG_GNOMON_SECRET_FILE), &why)) {
		fprintf(stderr, "%s\n",
		    why ? why : "GNOMON_SECRET_FILE must be set.");
		return false;
	}
	if (*config_get(CONFIG_GNOMON_METRICS) &&
	    !metrics_open(config_get(CONFIG_GNOMON_METRICS), &no_file))
		log_warn("metrics_off", LOG_S("why", strerror(errno)));
	metrics_join("gnomon-worker");
	/* a connection that ends while we write is an error, not a death */
	(void)signal(SIGPIPE, SIG_IGN);
	return true;
}

int
main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "";
	int status = 2;

	if (strcmp(command, "--help") == 0) {
		fputs(usage, stdout);
		return 0;
	}
	if (strcmp(command, "--version") == 0) {
		puts("gnomon-worker " PACKAGE_VERSION);
		return 0;
	}
	if (!prepare())
		return 1;
	if (strcmp(command, "follow") != 0)
		db = db_new(
		    NULL, config_get(CONFIG_DATABASE_URL), "gnomon_worker");
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
