/*
 * gnomon-web: the JSON API and the pages. A master that holds the sockets and
 * two pools of pre-forked processes: the main one, and the slow one for what
 * may take longer than 20 ms (a kept connection waits for its busy process).
 */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "auth/auth.h"
#include "base/config.h"
#include "base/log.h"
#include "base/text.h"
#include "cache/cache.h"
#include "db/db.h"
#include "http/fcgi.h"
#include "http/http.h"

enum { WORKERS_MAX = 64, STOP_SECONDS = 10, RESPAWN_PAUSE_MS = 200 };

static const char usage[] =
    "usage: gnomon-web --socket PATH [--workers N]\n"
    "                  [--slow-socket PATH [--slow-workers N]]\n"
    "\n"
    "Serves FastCGI on unix sockets for nginx.\n"
    "\n"
    "  --socket PATH        the main pool (nginx: fastcgi_keep_conn on)\n"
    "  --workers N          its processes, 1 to 64 (default 4)\n"
    "  --slow-socket PATH   the pool for sign-in and other slow work\n"
    "  --slow-workers N     its processes (default 2)\n"
    "  --help, --version\n"
    "\n"
    "Settings come from the environment: see gnomonctl config.\n"
    "SIGTERM finishes what is under way and ends.\n";

struct pool {
	const char *socket;
	int64_t n;
	int fd;
	bool keeps;
	pid_t pids[WORKERS_MAX];
};

/* Everything this process and its workers keep until they end. */
static void *scope;

static struct pool pools[2] = {
    {.n = 4, .fd = -1, .keeps = true},
    {.n = 2, .fd = -1},
};

static bool
read_options(int argc, char **argv)
{
	static const struct option options[] = {
	    {"socket", required_argument, NULL, 's'},
	    {"workers", required_argument, NULL, 'w'},
	    {"slow-socket", required_argument, NULL, 'S'},
	    {"slow-workers", required_argument, NULL, 'W'},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'v'},
	    {NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		struct pool *pool = &pools[c == 'S' || c == 'W'];

		switch (c) {
		case 's':
		case 'S':
			pool->socket = optarg;
			break;
		case 'w':
		case 'W':
			if (!text_int(optarg, &pool->n) || pool->n < 1 ||
			    pool->n > WORKERS_MAX) {
				fprintf(stderr,
				    "The number of processes is 1 to %d.\n",
				    WORKERS_MAX);
				return false;
			}
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		case 'v':
			puts("gnomon-web " PACKAGE_VERSION);
			exit(0);
		default:
			fputs(usage, stderr);
			return false;
		}
	}
	if (!pools[0].socket || optind < argc) {
		fputs(usage, stderr);
		return false;
	}
	return true;
}

static _Noreturn void
be_worker(const struct pool *pool, int lifeline)
{
	struct fcgi_worker w = {.listen_fd = pool->fd,
	    .lifeline_fd = lifeline,
	    .keeps = pool->keeps};

	w.db = db_new(scope, config_get(CONFIG_DATABASE_URL), "gnomon_web");
	fcgi_serve(&w);
	mem_drop(&scope);
	exit(0);
}

/* The master keeps the writing end of the lifeline and nobody else has it:
 * when the master goes, however it goes, the workers see its end. */
static pid_t
spawn(const struct pool *pool, const int lifeline[2])
{
	pid_t pid = fork();

	if (pid == 0) {
		close(lifeline[1]);
		be_worker(pool, lifeline[0]);
	}
	if (pid < 0)
		log_error("fork_failed", LOG_S("why", strerror(errno)));
	return pid;
}

static void
pause_ms(long ms)
{
	struct timespec t = {
	    .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&t, NULL);
}

/* Collects dead workers; replaces them unless we are stopping. The number of
 * those alive. */
static int
tend(const int lifeline[2], bool stopping)
{
	int status, alive = 0;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (size_t i = 0; i < nitems(pools); i++)
			for (int64_t k = 0; k < pools[i].n; k++)
				if (pools[i].pids[k] == pid)
					pools[i].pids[k] = 0;
		if (stopping)
			continue;
		log_error("worker_died", LOG_I("worker", pid),
		    LOG_I("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0),
		    LOG_I(
			"status", WIFEXITED(status) ? WEXITSTATUS(status) : 0));
	}
	for (size_t i = 0; i < nitems(pools); i++) {
		for (int64_t k = 0; pools[i].fd >= 0 && k < pools[i].n; k++) {
			if (!pools[i].pids[k] && !stopping) {
				pid = spawn(&pools[i], lifeline);
				pools[i].pids[k] = pid > 0 ? pid : 0;
			}
			alive += pools[i].pids[k] != 0;
		}
	}
	return alive;
}

static void
stop(int lifeline[2])
{
	close(lifeline[1]);
	for (int tenths = 0; tenths < STOP_SECONDS * 10; tenths++) {
		if (tend(lifeline, true) == 0)
			return;
		pause_ms(100);
	}
	for (size_t i = 0; i < nitems(pools); i++)
		for (int64_t k = 0; k < pools[i].n; k++)
			if (pools[i].pids[k])
				kill(pools[i].pids[k], SIGKILL);
	log_warn("workers_killed", LOG_I("after_s", STOP_SECONDS));
}

static bool
listen_all(void)
{
	for (size_t i = 0; i < nitems(pools); i++) {
		if (!pools[i].socket)
			continue;
		pools[i].fd = fcgi_listen(pools[i].socket);
		if (pools[i].fd < 0) {
			fprintf(stderr, "%s: %s\n", pools[i].socket,
			    strerror(errno));
			return false;
		}
	}
	return true;
}

int
main(int argc, char **argv)
{
	struct signalfd_siginfo info;
	int lifeline[2], signals;
	sigset_t set;
	char *why = NULL;

	if (!read_options(argc, argv) || !config_load(stderr))
		return 1;
	if (!*config_get(CONFIG_DATABASE_URL) ||
	    !*config_get(CONFIG_GNOMON_SECRET_FILE)) {
		fputs("DATABASE_URL and GNOMON_SECRET_FILE must be set.\n",
		    stderr);
		return 1;
	}
	log_open("gnomon-web", log_level(config_get(CONFIG_LOG_LEVEL)));
	scope = mem_scope(NULL, "gnomon-web");
	if (!auth_open(config_get(CONFIG_GNOMON_SECRET_FILE), &why) ||
	    !http_open(scope, config_get(CONFIG_GNOMON_SHARE), &why) ||
	    !cache_open(config_get(CONFIG_MEMCACHED), &why)) {
		fprintf(stderr, "%s\n", why);
		return 1;
	}
	if (!listen_all() || pipe(lifeline) != 0)
		return 1;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	tend(lifeline, false);
	log_info("started", LOG_S("socket", pools[0].socket),
	    LOG_I("workers", pools[0].n));
	while (read(signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo != SIGCHLD)
			break;
		/* a worker that dies at once must not keep us busy */
		pause_ms(RESPAWN_PAUSE_MS);
		tend(lifeline, false);
	}
	stop(lifeline);
	for (size_t i = 0; i < nitems(pools); i++)
		if (pools[i].socket)
			unlink(pools[i].socket);
	log_info("stopped", LOG_S("socket", pools[0].socket));
	mem_drop(&scope);
	return 0;
}
