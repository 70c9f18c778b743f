/*
 * gnomon-web: the JSON API and the pages. A master that holds the sockets and
 * two pools of pre-forked processes: the main one, and the slow one for what
 * may take longer than 20 ms (a kept connection waits for its busy process).
 *
 * Reload (SIGHUP): the program as it now lies on disk, with the settings and
 * templates of now, is tried in a process of its own (--check). When that goes
 * well the master executes it in its own place, so its process id, its sockets
 * and its workers stay; it forks a new generation, and when all of that is
 * ready, lets go of the lifeline of the old one, which finishes what it has.
 * Until then the old generation serves.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "auth/auth.h"
#include "base/config.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/notify.h"
#include "base/text.h"
#include "cache/cache.h"
#include "db/db.h"
#include "gen/queries.h"
#include "http/fcgi.h"
#include "http/http.h"

enum {
	WORKERS_MAX = 64,
	POOLS = 2,
	STOP_MS = 12000, /* below TimeoutStopSec= */
	RELOAD_MS = 10000, /* for each half: the trial, the new workers */
	RESPAWN_MIN_MS = 100, /* for those that die before they are ready */
	RESPAWN_MAX_MS = 5000,
	LOOK_MS = 1000, /* how often the master looks around */
	SOON_MS = 20, /* the same while it waits for something */
	WHY_MAX = 500,
};

static const char usage[] =
    "usage: gnomon-web [--socket PATH] [--workers N]\n"
    "                  [--slow-socket PATH] [--slow-workers N]\n"
    "                  [--limit SECONDS] [--check]\n"
    "\n"
    "Serves FastCGI on unix sockets for nginx: those named here, or those that\n"
    "systemd opened under the names main and slow.\n"
    "\n"
    "  --socket PATH        the main pool (nginx: fastcgi_keep_conn on)\n"
    "  --workers N          its processes, 1 to 64 (default 4)\n"
    "  --slow-socket PATH   the pool for sign-in and other slow work\n"
    "  --slow-workers N     its processes (default 2)\n"
    "  --limit SECONDS      a process that works longer than this at one\n"
    "                       request is stuck and is killed (default 120)\n"
    "  --check              try settings, templates and the database, and end\n"
    "  --help, --version\n"
    "\n"
    "Settings come from the environment: see gnomonctl config.\n"
    "SIGTERM finishes what is under way and ends. SIGHUP takes up a new version\n"
    "of program, settings and templates without losing a request.\n";

/* What one version of the program hands to the next: change the number when
 * the meaning of the rest, or struct seat, changes. */
static const char inherit_name[] = "GNOMON_WEB_INHERIT";
static const char inherit_format[] = "1 %d %d %d %d %d %d %d %u";
enum { INHERITED = 8 };

/* As systemd's socket units and the metrics name them. */
static const char *const pool_names[POOLS] = {"main", "slow"};

struct pool {
	const char *socket;
	int64_t n;
	int fd; /* -1: there is no such pool */
	int64_t pause_ms, next_ms; /* after a death before readiness */
};

/* Workers of one generation hold the reading end and leave at its end of
 * file; the master alone holds the writing end. */
struct generation {
	uint32_t number; /* 0: there is none */
	int lifeline[2];
};

struct master {
	char **argv;
	struct pool pools[POOLS];
	int64_t limit_ms;
	bool is_check; /* try, and end */
	bool owns_sockets; /* made here, not by systemd */
	struct seat *seats;
	int seats_fd;
	int metrics_fd; /* where the counts are in no file */
	struct generation now, next; /* next: while a reload is under way */
	int signals;
	int ready[2]; /* a worker that is ready writes a byte */
	pid_t checker; /* tries the new version; 0: nobody does */
	int checker_says; /* its standard error */
	int64_t reload_until_ms; /* 0: no reload is under way */
	bool wants_reload; /* asked while one was */
	bool is_announced; /* systemd knows that we serve */
	int64_t watchdog_ms, last_watchdog_ms;
};

/* Everything this process and its workers keep until they end. */
static void *scope;

static bool
read_number(const char *text, int64_t most, int64_t *out)
{
	int64_t n;

	if (!text_int(text, &n) || n < 1 || n > most) {
		fprintf(stderr, "%s: it must be 1 to %lld.\n", text,
		    (long long)most);
		return false;
	}
	*out = n;
	return true;
}

static bool
read_options(int argc, char **argv, struct master *m)
{
	static const struct option options[] = {
	    {"socket", required_argument, NULL, 's'},
	    {"workers", required_argument, NULL, 'w'},
	    {"slow-socket", required_argument, NULL, 'S'},
	    {"slow-workers", required_argument, NULL, 'W'},
	    {"limit", required_argument, NULL, 'l'},
	    {"check", no_argument, NULL, 'c'},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'v'},
	    {NULL, 0, NULL, 0},
	};
	int64_t seconds;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		struct pool *pool = &m->pools[c == 'S' || c == 'W'];

		switch (c) {
		case 's':
		case 'S':
			pool->socket = optarg;
			break;
		case 'w':
		case 'W':
			if (!read_number(optarg, WORKERS_MAX, &pool->n))
				return false;
			break;
		case 'l':
			if (!read_number(optarg, 86400, &seconds))
				return false;
			m->limit_ms = seconds * 1000;
			break;
		case 'c':
			m->is_check = true;
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
	if (optind < argc) {
		fputs(usage, stderr);
		return false;
	}
	return true;
}

/* Everything a worker needs before it is forked. */
static bool
load(void)
{
	char *why = NULL;

	if (!config_load(stderr))
		return false;
	if (!*config_get(CONFIG_DATABASE_URL)) {
		fputs("DATABASE_URL must be set.\n", stderr);
		return false;
	}
	if (!*config_get(CONFIG_GNOMON_SECRET_FILE)) {
		fputs("GNOMON_SECRET_FILE must be set: there is no home "
		      "folder to keep the key in.\n",
		    stderr);
		return false;
	}
	log_open("gnomon-web", log_level(config_get(CONFIG_LOG_LEVEL)));
	scope = mem_scope(NULL, "gnomon-web");
	if (!auth_open(config_get(CONFIG_GNOMON_SECRET_FILE), &why) ||
	    !http_open(scope, config_get(CONFIG_GNOMON_SHARE), &why) ||
	    !cache_open(config_get(CONFIG_MEMCACHED), &why)) {
		fprintf(stderr, "%s\n", why);
		return false;
	}
	return true;
}

/* A connection with what every request needs. It may fail: then each request
 * tries again, and says 503 until one gets through. */
static enum err
warm(struct op *op, struct db **out_db)
{
	static const struct stmt *const stmts[] = {&stmt_enter};

	op->db = *out_db =
	    db_new(scope, config_get(CONFIG_DATABASE_URL), "gnomon_web");
	return db_prepare(op, stmts, nitems(stmts));
}

static int
check(void)
{
	struct op *op;
	struct db *db;
	int status = 0;

	if (!load())
		return 1;
	op = op_new(NULL, "check", NULL);
	if (warm(op, &db)) {
		fprintf(stderr, "%s\n", op->why);
		status = 1;
	} else {
		puts("Settings, templates and the database are good.");
	}
	mem_drop(&op);
	mem_drop(&scope);
	return status;
}

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void
let_go(struct generation *g)
{
	close_fd(&g->lifeline[0]);
	close_fd(&g->lifeline[1]);
	g->number = 0;
}

static _Noreturn void
work(struct master *m, const struct pool *pool, const struct generation *g,
    struct seat *seat)
{
	struct fcgi_worker w = {
	    .listen_fd = pool->fd, .lifeline_fd = g->lifeline[0], .seat = seat};
	struct op *op = op_new(NULL, "warm", NULL);

	/* the lifelines work only when nobody but the master can hold them */
	close_fd(&m->now.lifeline[1]);
	close_fd(&m->next.lifeline[1]);
	close_fd(&m->ready[0]);
	close_fd(&m->signals);
	close_fd(&m->checker_says);
	metrics_join("gnomon-web");
	if (warm(op, &w.db))
		log_warn("no_database", LOG_S("why", op->why));
	mem_drop(&op);
	atomic_store(&seat->is_ready, true);
	if (write(m->ready[1], "", 1) < 0)
		log_debug("master_gone", LOG_I("errno", errno));
	fcgi_serve(&w);
	mem_drop(&scope);
	exit(0);
}

static void
spawn(struct master *m, uint32_t pool, const struct generation *g)
{
	struct seat *seat = seats_take(m->seats);
	pid_t pid;

	if (!seat) {
		log_error("no_seat", LOG_I("most", SEATS_MAX));
		m->pools[pool].next_ms = seats_now_ms() + RESPAWN_MAX_MS;
		return;
	}
	seat->generation = g->number;
	seat->pool = pool;
	seat->begun_ms = seats_now_ms();
	pid = fork();
	if (pid == 0)
		work(m, &m->pools[pool], g, seat);
	if (pid < 0) {
		log_error("fork_failed", LOG_S("why", strerror(errno)));
		m->pools[pool].next_ms = seats_now_ms() + RESPAWN_MAX_MS;
	} else {
		seat->pid = pid;
	}
}

/* Forks whoever is missing of a generation. */
static void
fill(struct master *m, const struct generation *g)
{
	int64_t now = seats_now_ms();

	for (uint32_t i = 0; i < POOLS; i++) {
		struct pool *pool = &m->pools[i];
		int64_t n = seats_count(m->seats, g->number, i, false);

		if (pool->fd < 0 || n >= pool->n || now < pool->next_ms)
			continue;
		for (pool->next_ms = 0; n < pool->n && !pool->next_ms; n++)
			spawn(m, i, g);
	}
}

static bool
is_complete(const struct master *m, const struct generation *g)
{
	for (uint32_t i = 0; i < POOLS; i++)
		if (m->pools[i].fd >= 0 &&
		    seats_count(m->seats, g->number, i, true) < m->pools[i].n)
			return false;
	return true;
}

static void
kill_all(const struct master *m, uint32_t generation)
{
	for (size_t i = 0; i < SEATS_MAX; i++)
		if (m->seats[i].pid &&
		    (!generation || m->seats[i].generation == generation))
			kill(m->seats[i].pid, SIGKILL);
}

/* Opens a generation; its workers follow with fill. */
static bool
begin(struct generation *g, uint32_t number)
{
	if (pipe2(g->lifeline, O_CLOEXEC) != 0)
		return false;
	g->number = number;
	return true;
}

static void
announce(struct master *m)
{
	m->is_announced = true;
	notify_send("READY=1\nSTATUS=Serving, generation %u.", m->now.number);
}

/* The reload came to nothing: what serves, goes on serving. */
static void
give_up(struct master *m, const char *why)
{
	if (m->next.number) {
		kill_all(m, m->next.number);
		let_go(&m->next);
	}
	if (m->checker)
		kill(m->checker, SIGKILL);
	m->reload_until_ms = 0;
	metrics_count(METRIC_RELOADS, "failed");
	log_error("reload_failed", LOG_S("why", why),
	    LOG_I("generation", m->now.number));
	announce(m);
}

static void
succeed(struct master *m)
{
	let_go(&m->now);
	m->now = m->next;
	m->next = (struct generation){.lifeline = {-1, -1}};
	m->reload_until_ms = 0;
	metrics_count(METRIC_RELOADS, "succeeded");
	log_info("reloaded", LOG_I("generation", m->now.number));
	announce(m);
}

static bool
keep_open(int fd, bool keep)
{
	return fd < 0 || fcntl(fd, F_SETFD, keep ? 0 : FD_CLOEXEC) == 0;
}

static void
keep_all(const struct master *m, bool keep)
{
	keep_open(m->seats_fd, keep);
	keep_open(m->metrics_fd, keep);
	for (size_t i = 0; i < POOLS; i++)
		keep_open(m->pools[i].fd, keep);
	keep_open(m->now.lifeline[0], keep);
	keep_open(m->now.lifeline[1], keep);
}

static void
tell_next_version(const struct master *m)
{
	char text[200];

	snprintf(text, sizeof(text), inherit_format, m->seats_fd, m->metrics_fd,
	    m->pools[0].fd, m->pools[1].fd, m->now.lifeline[0],
	    m->now.lifeline[1], m->owns_sockets, m->now.number);
	setenv(inherit_name, text, 1);
}

/* Becomes the new version; returns only when that fails. */
static void
become(struct master *m)
{
	tell_next_version(m);
	keep_all(m, true);
	execvp(m->argv[0], m->argv);
	keep_all(m, false);
	give_up(m, strerror(errno));
}

/* Tries the new version in a process of its own. */
static void
reload(struct master *m)
{
	static char option[] = "--check";
	int says[2];

	m->wants_reload = m->reload_until_ms || m->checker;
	if (m->wants_reload)
		return;
	notify_send("RELOADING=1\nSTATUS=Reloading.");
	log_info("reloading", LOG_I("generation", m->now.number));
	if (pipe2(says, O_CLOEXEC | O_NONBLOCK) != 0) {
		give_up(m, strerror(errno));
		return;
	}
	m->reload_until_ms = seats_now_ms() + RELOAD_MS;
	m->checker = fork();
	if (m->checker == 0) {
		char *const argv[] = {m->argv[0], option, NULL};
		sigset_t none;

		tell_next_version(m);
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		dup2(says[1], STDERR_FILENO);
		dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
		execvp(argv[0], argv);
		dprintf(STDERR_FILENO, "%s: %s", argv[0], strerror(errno));
		_exit(127);
	}
	close(says[1]);
	m->checker_says = says[0];
	if (m->checker < 0) {
		m->checker = 0;
		close_fd(&m->checker_says);
		give_up(m, strerror(errno));
	}
}

static void
checked(struct master *m, int status)
{
	char why[WHY_MAX + 1];
	ssize_t n = read(m->checker_says, why, WHY_MAX);

	m->checker = 0;
	close_fd(&m->checker_says);
	why[n > 0 ? n : 0] = '\0';
	why[strcspn(why, "\n")] = '\0';
	if (!m->reload_until_ms)
		return; /* given up meanwhile */
	if (status == 0)
		become(m);
	else
		give_up(m, *why ? why : "the new version does not start");
}

static void
buried(struct master *m, struct seat *seat, int status)
{
	struct pool *pool = &m->pools[seat->pool];
	int64_t now = seats_now_ms();
	bool was_ready = atomic_load(&seat->is_ready);
	const char *name =
	    WIFSIGNALED(status) ? sigabbrev_np(WTERMSIG(status)) : "";

	metrics_gone(seat->pid);
	if (status != 0)
		metrics_count(
		    METRIC_WORKERS_DIED, pool_names[seat->pool], name);

	if (status != 0)
		log_error("worker_died", LOG_I("worker", seat->pid),
		    LOG_S("signal", name),
		    LOG_I(
			"status", WIFEXITED(status) ? WEXITSTATUS(status) : 0),
		    LOG_S("request_id",
			atomic_load(&seat->busy_ms) ? seat->request : ""),
		    LOG_I("lived_ms", now - seat->begun_ms));
	else
		log_info("worker_left", LOG_I("worker", seat->pid),
		    LOG_I("lived_ms", now - seat->begun_ms));
	/* one that served is replaced at once; one that cannot even begin
	 * must not keep the machine busy */
	pool->pause_ms = was_ready             ? 0
	    : pool->pause_ms == 0              ? RESPAWN_MIN_MS
	    : pool->pause_ms >= RESPAWN_MAX_MS ? RESPAWN_MAX_MS
					       : 2 * pool->pause_ms;
	pool->next_ms = pool->pause_ms ? now + pool->pause_ms : 0;
	seat->pid = 0;
	if (m->next.number && seat->generation == m->next.number)
		give_up(m, "a new worker died at once");
}

static void
collect(struct master *m)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct seat *seat = seats_of(m->seats, pid);

		if (seat)
			buried(m, seat, status);
		else if (pid == m->checker)
			checked(m, status);
	}
}

/* A worker that works at one request for so long does not come back. */
static void
find_stuck(const struct master *m)
{
	int64_t now = seats_now_ms();

	for (size_t i = 0; i < SEATS_MAX; i++) {
		struct seat *seat = &m->seats[i];
		int64_t since = atomic_load(&seat->busy_ms);

		if (!seat->pid || !since || now - since < m->limit_ms)
			continue;
		log_error("worker_stuck", LOG_I("worker", seat->pid),
		    LOG_S("request_id", seat->request),
		    LOG_I("seconds", (now - since) / 1000));
		kill(seat->pid, SIGKILL);
	}
}

/* What is due, whatever woke us. */
static void
look_around(struct master *m)
{
	int64_t now = seats_now_ms();

	collect(m);
	find_stuck(m);
	fill(m, m->next.number ? &m->next : &m->now);
	if (m->next.number && is_complete(m, &m->next))
		succeed(m);
	if (m->reload_until_ms && now > m->reload_until_ms)
		give_up(m, "the new version was not ready in time");
	if (m->wants_reload)
		reload(m);
	if (!m->is_announced && !m->next.number && is_complete(m, &m->now)) {
		log_info("ready", LOG_I("generation", m->now.number),
		    LOG_I("workers", m->pools[0].n),
		    LOG_I("slow_workers",
			m->pools[1].fd < 0 ? 0 : m->pools[1].n));
		announce(m);
	}
	if (m->watchdog_ms && now - m->last_watchdog_ms >= m->watchdog_ms) {
		m->last_watchdog_ms = now;
		notify_send("WATCHDOG=1");
	}
}

/* Sleeps until a signal, a ready worker or a time; the signal, or 0. */
static uint32_t
wait_for(struct master *m, int ms)
{
	struct pollfd fds[] = {{.fd = m->signals, .events = POLLIN},
	    {.fd = m->ready[0], .events = POLLIN}};
	struct signalfd_siginfo info;
	char bytes[WORKERS_MAX];

	if (poll(fds, nitems(fds), ms) <= 0)
		return 0;
	if (fds[1].revents && read(m->ready[0], bytes, sizeof(bytes)) < 0)
		log_debug("ready_pipe", LOG_I("errno", errno));
	if (!fds[0].revents ||
	    read(m->signals, &info, sizeof(info)) != sizeof(info))
		return 0;
	return info.ssi_signo;
}

static int
patience(const struct master *m)
{
	bool waits = !m->is_announced || m->reload_until_ms;

	for (size_t i = 0; i < POOLS; i++)
		waits = waits || m->pools[i].next_ms;
	if (waits)
		return SOON_MS;
	return m->watchdog_ms && m->watchdog_ms < LOOK_MS ? (int)m->watchdog_ms
							  : LOOK_MS;
}

static void
serve(struct master *m)
{
	for (;;) {
		look_around(m);
		switch (wait_for(m, patience(m))) {
		case SIGTERM:
		case SIGINT:
			return;
		case SIGHUP:
			reload(m);
			break;
		default:
			break;
		}
	}
}

static bool
anyone(const struct master *m)
{
	for (size_t i = 0; i < SEATS_MAX; i++)
		if (m->seats[i].pid)
			return true;
	return false;
}

static void
stop(struct master *m)
{
	int64_t until = seats_now_ms() + STOP_MS;

	notify_send("STOPPING=1\nSTATUS=Finishing what is under way.");
	if (m->next.number || m->checker)
		give_up(m, "the service stops");
	let_go(&m->now);
	for (collect(m); anyone(m); collect(m)) {
		if (seats_now_ms() > until) {
			log_warn("workers_killed", LOG_I("after_ms", STOP_MS));
			kill_all(m, 0);
		}
		(void)wait_for(m, SOON_MS);
	}
	for (size_t i = 0; m->owns_sockets && i < POOLS; i++)
		if (m->pools[i].socket)
			unlink(m->pools[i].socket);
	log_info("stopped", LOG_S("socket", m->pools[0].socket));
}

/* What the version before this one left to us. False: we cannot read it. */
static bool
inherit(struct master *m, bool *out_is_there)
{
	const char *text = getenv(inherit_name);
	int owns, n;

	*out_is_there = text != NULL;
	if (!text)
		return true;
	n = sscanf(text, inherit_format, &m->seats_fd, &m->metrics_fd,
	    &m->pools[0].fd, &m->pools[1].fd, &m->now.lifeline[0],
	    &m->now.lifeline[1], &owns, &m->now.number);
	unsetenv(inherit_name);
	if (n != INHERITED) {
		fputs("This version cannot take over from the one that runs: "
		      "restart it.\n",
		    stderr);
		return false;
	}
	m->owns_sockets = owns;
	return true;
}

static bool
open_sockets(struct master *m)
{
	m->owns_sockets = false;
	for (size_t i = 0; i < POOLS; i++) {
		struct pool *pool = &m->pools[i];

		pool->fd = notify_listen_fd(pool_names[i]);
		if (pool->fd >= 0 || !pool->socket)
			continue;
		pool->fd = fcgi_listen(pool->socket);
		m->owns_sockets = true;
		if (pool->fd < 0) {
			fprintf(
			    stderr, "%s: %s\n", pool->socket, strerror(errno));
			return false;
		}
	}
	if (m->pools[0].fd < 0)
		fputs(usage, stderr);
	return m->pools[0].fd >= 0;
}

static void
block_signals(struct master *m)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	m->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int
main(int argc, char **argv)
{
	struct master m = {
	    .argv = argv,
	    .pools = {{.n = 4, .fd = -1}, {.n = 2, .fd = -1}},
	    .limit_ms = 120000,
	    .seats_fd = -1,
	    .metrics_fd = -1,
	    .now = {.lifeline = {-1, -1}},
	    .next = {.lifeline = {-1, -1}},
	    .checker_says = -1,
	};
	bool inherits;

	if (!read_options(argc, argv, &m) || !inherit(&m, &inherits))
		return 1;
	if (m.is_check)
		return check();
	block_signals(&m);
	/* listening comes first: who asks while we load, waits in the queue */
	if ((!inherits && !open_sockets(&m)) || !load() ||
	    pipe2(m.ready, O_CLOEXEC | O_NONBLOCK) != 0)
		return 1;
	keep_all(&m, false);
	if (!metrics_open(config_get(CONFIG_GNOMON_METRICS), &m.metrics_fd))
		log_warn("metrics_off", LOG_S("why", strerror(errno)));
	metrics_join("gnomon-web");
	m.seats = seats_open(&m.seats_fd);
	if (!m.seats || !begin(&m.next, m.now.number + 1)) {
		log_error("no_memory", LOG_S("why", strerror(errno)));
		return 1;
	}
	if (inherits) {
		m.reload_until_ms = seats_now_ms() + RELOAD_MS;
	} else {
		m.now = m.next;
		m.next = (struct generation){.lifeline = {-1, -1}};
	}
	m.watchdog_ms = notify_watchdog_ms();
	serve(&m);
	stop(&m);
	mem_drop(&scope);
	return 0;
}
