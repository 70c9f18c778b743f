/*
 * gnomonctl policy, kill-switch and check: what models may do in a workspace,
 * stopping them, and whether the books add up.
 */
#include <errno.h>
#include <getopt.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "ctl/ctl.h"
#include "db/db.h"
#include "gen/queries.h"

/* A transaction that has entered the workspace as its first owner. */
static enum err
enter(struct op *op, const char *workspace, struct db_tx **out_tx)
{
	const char *session;
	enum err e = ctl_session(op, workspace, "", &session);

	if (!e)
		e = db_begin(op, out_tx);
	return e ? e
		 : q_enter(op, NULL, session, workspace, NULL, NULL, "3",
		       "false", NULL);
}

static const char *
limit(struct op *op, const struct rows *rows, const char *column)
{
	const char *budget = rows_get(op, rows, 0, column);

	return strcmp(budget, "-1") == 0 ? "no limit" : budget;
}

static void
show(struct op *op, const struct rows *rows)
{
	const char *allowed = rows_get(op, rows, 0, "allowed");
	const char *why = rows_get(op, rows, 0, "stopped_why");

	printf("AI is switched %s.\n",
	    rows_bool(rows, 0, (size_t)rows_find(rows, "enabled")) ? "on"
								   : "off");
	if (rows_bool(rows, 0, (size_t)rows_find(rows, "is_stopped")))
		printf(
		    "The kill switch is pulled%s%s.\n", *why ? ": " : "", why);
	printf(
	    "%-8s %18s %18s %18s\n", "a month", "budget", "spent", "reserved");
	printf("%-8s %18s %18s %18s\n", "tokens",
	    limit(op, rows, "monthly_token_budget"),
	    rows_get(op, rows, 0, "spent_tokens"),
	    rows_get(op, rows, 0, "reserved_tokens"));
	printf("%-8s %18s %18s %18s\n", "calls",
	    limit(op, rows, "monthly_run_budget"),
	    rows_get(op, rows, 0, "spent_runs"),
	    rows_get(op, rows, 0, "reserved_runs"));
	printf("%-8s %18s %18s %18s\n", "micros",
	    limit(op, rows, "monthly_micros_budget"),
	    rows_get(op, rows, 0, "spent_micros"),
	    rows_get(op, rows, 0, "reserved_micros"));
	printf("Allowed: %s\n", allowed ? allowed : "nothing");
}

/* "a,b" as a list for PostgreSQL; NULL when a word has other letters than
 * features have. */
static const char *
words(struct op *op, const char *list)
{
	if (list[strspn(list, "abcdefghijklmnopqrstuvwxyz_.*,")])
		return NULL;
	return mem_fmt(op, "{%s}", list);
}

static enum err
allow(struct op *op, const char *features, const char *is_allowed)
{
	const char *list = words(op, features);
	struct rows *rows;
	enum err e;

	if (!list)
		return op_fail(op, ERR_VALIDATION_FAILED,
		    "%s is no list of features.", features);
	e = q_allow_ai_features(op, list, is_allowed, &rows);
	if (!e && rows_count(rows) == 0)
		e = op_fail(op, ERR_VALIDATION_FAILED,
		    "There is no feature %s.", features);
	return e;
}

struct policy {
	const char *workspace, *allow, *forbid;
	struct json_object *body;
};

static enum err
change(struct op *op, const struct policy *p)
{
	enum err e = ERR_OK;

	if (json_object_object_length(p->body))
		e = q_put_ai_policy(
		    op, json_object_to_json_string(p->body), NULL);
	if (!e && p->allow)
		e = allow(op, p->allow, "true");
	if (!e && p->forbid)
		e = allow(op, p->forbid, "false");
	return e;
}

static int
policy(struct op *op, const struct policy *p)
{
	struct rows *rows;
	struct db_tx *tx;
	enum err e = enter(op, p->workspace, &tx);

	if (!e)
		e = change(op, p);
	if (!e)
		e = q_ai_policy(op, &rows);
	if (!e)
		show(op, rows);
	if (!e)
		e = db_commit(op, &tx);
	return e ? ctl_failed(op) : 0;
}

/* A whole number of at least -1, into the body. */
static bool
number(struct json_object *body, const char *key, const char *text)
{
	char *end;
	long long n;

	errno = 0;
	n = strtoll(text, &end, 10);
	if (errno || end == text || *end || n < -1 || n > 1000000000000000) {
		fprintf(stderr,
		    "%s is no budget: 0 allows nothing, -1 is no limit.\n",
		    text);
		return false;
	}
	json_object_object_add(body, key, json_object_new_int64(n));
	return true;
}

static int
price(int argc, char **argv, const char *source)
{
	struct op *op;
	int status;

	if (argc != 3 || !source || !strchr(argv[0], '/')) {
		fputs("usage: gnomonctl policy price PROVIDER/MODEL INPUT "
		      "OUTPUT --source WHERE\n",
		    stderr);
		return 2;
	}
	op = ctl_open(NULL);
	if (!op)
		return 1;
	status = q_put_ai_price(op, argv[0], argv[1], argv[2], source, NULL)
	    ? ctl_failed(op)
	    : 0;
	mem_drop(&op);
	return status;
}

static int
show_or_set(int argc, char **argv, struct policy *p)
{
	bool shows = argc == 1 && strcmp(argv[0], "show") == 0;
	bool sets = argc == 1 && strcmp(argv[0], "set") == 0;
	bool changes =
	    json_object_object_length(p->body) || p->allow || p->forbid;
	struct op *op;
	int status;

	if (!p->workspace || !(shows || sets) || (shows && changes)) {
		fputs("usage: gnomonctl policy show|set --workspace WS "
		      "[OPTIONS]\n",
		    stderr);
		return 2;
	}
	op = ctl_open("gnomon_web");
	status = op ? policy(op, p) : 1;
	mem_drop(&op);
	return status;
}

int
ctl_policy(int argc, char **argv)
{
	static const struct option options[] = {
	    {"workspace", required_argument, NULL, 'w'},
	    {"enable", no_argument, NULL, 'e'},
	    {"disable", no_argument, NULL, 'd'},
	    {"tokens", required_argument, NULL, 't'},
	    {"runs", required_argument, NULL, 'r'},
	    {"micros", required_argument, NULL, 'm'},
	    {"allow", required_argument, NULL, 'a'},
	    {"forbid", required_argument, NULL, 'f'},
	    {"source", required_argument, NULL, 's'},
	    {NULL, 0, NULL, 0},
	};
	struct policy p = {.body = json_object_new_object()};
	const char *source = NULL;
	bool good = true;
	int c, status = 2;

	while (good && (c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'w')
			p.workspace = optarg;
		else if (c == 'e' || c == 'd')
			json_object_object_add(p.body, "enabled",
			    json_object_new_boolean(c == 'e'));
		else if (c == 't')
			good = number(p.body, "monthly_token_budget", optarg);
		else if (c == 'r')
			good = number(p.body, "monthly_run_budget", optarg);
		else if (c == 'm')
			good = number(p.body, "monthly_micros_budget", optarg);
		else if (c == 'a')
			p.allow = optarg;
		else if (c == 'f')
			p.forbid = optarg;
		else if (c == 's')
			source = optarg;
		else
			good = false;
	}
	argc -= optind;
	argv += optind;
	if (good && argc && strcmp(argv[0], "price") == 0)
		status = price(argc - 1, argv + 1, source);
	else if (good)
		status = show_or_set(argc, argv, &p);
	json_object_put(p.body);
	return status;
}

static int
stop_all(const char *stop, const char *why)
{
	struct op *op = ctl_open(NULL);
	struct rows *rows;

	if (!op)
		return 1;
	if (q_stop_ai(op, stop, why, &rows)) {
		ctl_failed(op);
		mem_drop(&op);
		return 1;
	}
	printf("The kill switch of all workspaces %s %s.\n",
	    rows_bool(rows, 0, 0) ? "was already" : "is",
	    strcmp(stop, "true") == 0 ? "pulled" : "back");
	mem_drop(&op);
	return 0;
}

static int
stop_here(const char *workspace, const char *stop, const char *why)
{
	struct op *op = ctl_open("gnomon_web");
	struct db_tx *tx;
	enum err e;

	if (!op)
		return 1;
	e = enter(op, workspace, &tx);
	if (!e)
		e = q_stop_ai_here(op, stop, why, NULL);
	if (!e)
		e = db_commit(op, &tx);
	if (e) {
		ctl_failed(op);
		mem_drop(&op);
		return 1;
	}
	printf("The kill switch of %s is %s.\n", workspace,
	    strcmp(stop, "true") == 0 ? "pulled" : "back");
	mem_drop(&op);
	return 0;
}

int
ctl_kill_switch(int argc, char **argv)
{
	static const struct option options[] = {
	    {"workspace", required_argument, NULL, 'w'},
	    {"why", required_argument, NULL, 'y'},
	    {NULL, 0, NULL, 0},
	};
	const char *workspace = NULL, *why = "", *act;
	bool on;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'w')
			workspace = optarg;
		else if (c == 'y')
			why = optarg;
		else
			return 2;
	}
	act = argc - optind == 1 ? argv[optind] : "";
	on = strcmp(act, "on") == 0;
	if (!on && strcmp(act, "off") != 0) {
		fputs("usage: gnomonctl kill-switch on|off [--workspace WS] "
		      "[--why TEXT]\n",
		    stderr);
		return 2;
	}
	return workspace ? stop_here(workspace, on ? "true" : "false", why)
			 : stop_all(on ? "true" : "false", why);
}

int
ctl_check(int argc, char **argv)
{
	struct op *op = ctl_open(NULL);
	struct rows *rows;
	size_t n;

	(void)argc;
	(void)argv;
	if (!op)
		return 1;
	if (q_check_ai(op, &rows)) {
		ctl_failed(op);
		mem_drop(&op);
		return 1;
	}
	n = rows_count(rows);
	for (size_t i = 0; i < n; i++)
		printf("BAD  %s: %s\n", rows_get(op, rows, i, "slug"),
		    rows_get(op, rows, i, "what"));
	if (n == 0)
		puts("ok   what models cost adds up");
	mem_drop(&op);
	return n ? 1 : 0;
}
