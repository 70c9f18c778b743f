/* Commands about the installation: migrate, routes, config, doctor, user, demo. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#include "ai/ai.h"
#include "auth/auth.h"
#include "base/buf.h"
#include "base/config.h"
#include "base/text.h"
#include "ctl/ctl.h"
#include "db/db.h"
#include "db/migrate.h"
#include "gen/embed.h"
#include "gen/queries.h"
#include "http/endpoint.h"

enum { PASSWORD_MAX = 200 };

struct op *
ctl_open(const char *role)
{
	const char *url = config_get(CONFIG_DATABASE_URL);
	struct op *op;

	if (!*url) {
		fputs("DATABASE_URL must be set, "
		      "for example postgresql:///gnomon.\n",
		    stderr);
		return NULL;
	}
	op = op_new(NULL, "gnomonctl", NULL);
	op->db = db_new(op, url, role);
	db_be_patient(op->db);
	return op;
}

enum err
ctl_session(struct op *op, const char *workspace, const char *email,
    const char **out_session)
{
	struct op *root = ctl_open(NULL);
	struct rows *rows;
	enum err e;

	if (!root)
		return op_fail(op, ERR_UNAVAILABLE, "no DATABASE_URL");
	e = q_operator_session(root, workspace, email, &rows);
	if (!e)
		*out_session = rows_get(op, rows, 0, "session");
	else if (e == ERR_NOT_FOUND && *email)
		op_fail(op, e, "There is no workspace %s with a member %s.",
		    workspace, email);
	else if (e == ERR_NOT_FOUND)
		op_fail(op, e, "There is no workspace %s.", workspace);
	else
		op_fail(op, e, "%s", root->why);
	mem_drop(&root);
	return e;
}

/* Where the detail is a sentence, that is what people need; else it is for
 * those who mend, and the sentence of the error goes before it. */
int
ctl_failed(const struct op *op)
{
	const char *why = op->why ? op->why : "";

	if (text_starts(why, ": "))
		why += 2; /* a fault of no field in particular */
	if (!text_ends(why, "."))
		fprintf(stderr, "%s\n", err_info(op->err)->sentence);
	fprintf(stderr, "%s%s", why, text_ends(why, "\n") ? "" : "\n");
	return 1;
}

int
ctl_migrate(int argc, char **argv)
{
	struct op *op = ctl_open(NULL);
	unsigned applied;
	int status = 0;

	(void)argc;
	(void)argv;
	if (!op)
		return 1;
	if (db_migrate(op, stdout, &applied))
		status = ctl_failed(op);
	else if (applied == 0)
		puts("The database is up to date.");
	mem_drop(&op);
	return status;
}

static const char *
role_word(enum role role)
{
	switch (role) {
	case ROLE_PUBLIC:
		return "public";
	case ROLE_USER:
		return "user";
	case ROLE_VIEWER:
		return "viewer";
	case ROLE_MEMBER:
		return "member";
	case ROLE_ADMIN:
		return "admin";
	case ROLE_OWNER:
		return "owner";
	}
	return "";
}

int
ctl_routes(int argc, char **argv)
{
	static const char *const methods[] = {
	    "GET", "POST", "PUT", "PATCH", "DELETE"};
	bool slow_only = argc == 3 && strcmp(argv[1], "--pool") == 0 &&
	    strcmp(argv[2], "slow") == 0;

	if (argc > 1 && !slow_only) {
		fputs("usage: gnomonctl routes [--pool slow]\n", stderr);
		return 2;
	}
	for (size_t i = 0; i < n_endpoints; i++) {
		const struct endpoint *e = &endpoints[i];

		if (slow_only && !e->slow)
			continue;
		printf("%-6s %-52s %-7s %-22s %s\n", methods[e->method],
		    e->path, role_word(e->role),
		    e->form_of ? e->form_of->name : e->name, e->source);
	}
	return 0;
}

int
ctl_config(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	config_print(stdout);
	return 0;
}

/* The first line of a file (or of standard input), without its end. */
static char *
read_password(void *owner, const char *path)
{
	FILE *in = path ? fopen(path, "r") : stdin;
	char line[PASSWORD_MAX + 2];
	char *password = NULL;

	if (!in) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return NULL;
	}
	if (!path && isatty(STDIN_FILENO))
		fputs("Password: ", stderr);
	if (fgets(line, sizeof(line), in)) {
		line[strcspn(line, "\r\n")] = '\0';
		if (text_utf8_length(line, strlen(line)) >= 10)
			password = mem_dup(owner, line);
	}
	if (path)
		fclose(in);
	if (!password)
		fputs("The password must have 10 to 200 characters.\n", stderr);
	return password;
}

static bool
open_auth(void)
{
	char *why = NULL;

	/* hashing needs no master key, but the library must be ready */
	if (auth_open(config_get(CONFIG_GNOMON_SECRET_FILE), &why))
		return true;
	fprintf(stderr, "%s\n", why ? why : "GNOMON_SECRET_FILE must be set.");
	return false;
}

int
ctl_user(int argc, char **argv)
{
	static const struct option options[] = {
	    {"name", required_argument, NULL, 'n'},
	    {"password-file", required_argument, NULL, 'p'},
	    {NULL, 0, NULL, 0},
	};
	const char *name = NULL, *file = NULL, *password;
	struct rows *made;
	struct op *op;
	enum err e;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'n')
			name = optarg;
		else if (c == 'p')
			file = optarg;
		else
			return 2;
	}
	if (argc - optind != 2 || strcmp(argv[optind], "add") != 0 || !name) {
		fputs("usage: gnomonctl user add EMAIL --name NAME "
		      "[--password-file FILE]\n",
		    stderr);
		return 2;
	}
	op = ctl_open("gnomon_web");
	password = op && open_auth() ? read_password(op, file) : NULL;
	if (!password) {
		mem_drop(&op);
		return 1;
	}
	e = q_register(op, argv[optind + 1], name,
	    auth_password_hash(op, password), "true", "false", &made);
	if (e == ERR_CONFLICT)
		fprintf(
		    stderr, "%s has an account already.\n", argv[optind + 1]);
	else if (e == ERR_VALIDATION_FAILED)
		fputs("An address has 3 to 254 characters, a name 1 to "
		      "120.\n",
		    stderr);
	else if (e)
		ctl_failed(op);
	else
		printf("Made %s with the workspace %s.\n", argv[optind + 1],
		    rows_get(op, made, 0, "workspace_slug"));
	mem_drop(&op);
	return e ? 1 : 0;
}

int
ctl_demo(int argc, char **argv)
{
	static const struct option options[] = {
	    {"password-file", required_argument, NULL, 'p'},
	    {"today", required_argument, NULL, 't'},
	    {NULL, 0, NULL, 0},
	};
	const char *file = NULL, *today = "", *password;
	struct rows *there;
	struct db_tx *tx;
	struct op *op;
	enum err e;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'p')
			file = optarg;
		else if (c == 't')
			today = optarg;
		else
			return 2;
	}
	if (optind < argc) {
		fputs("usage: gnomonctl demo [--password-file FILE] "
		      "[--today DATE]\n",
		    stderr);
		return 2;
	}
	if (*today && (!text_is_date(today) || today[10])) {
		fputs("--today takes a date like 2026-11-20.\n", stderr);
		return 2;
	}
	op = ctl_open(NULL);
	if (!op || !open_auth())
		return 1;
	if (q_demo_is_loaded(op, &there))
		return ctl_failed(op);
	if (rows_bool(there, 0, 0)) {
		puts("The demo is loaded already.");
		return 0;
	}
	password = read_password(op, file);
	if (!password)
		return 1;
	e = db_begin(op, &tx);
	if (!e)
		e = q_demo_settings(
		    op, auth_password_hash(op, password), today, NULL);
	for (size_t i = 0; !e && embedded_demo[i].name; i++)
		e = db_script(op, embedded_demo[i].text);
	if (!e)
		e = db_commit(op, &tx);
	if (e)
		return ctl_failed(op);
	puts("Loaded the workspaces acme and northwind.");
	mem_drop(&op);
	return 0;
}

static void
tell(bool good, const char *what, const char *remedy, int *bad)
{
	printf("%-4s %s%s%s\n", good ? "ok" : "BAD", what, good ? "" : ": ",
	    good ? "" : remedy);
	*bad += !good;
}

/* A user in DATABASE_URL goes before the role a program asks for. */
static bool
check_user(int *bad)
{
	struct op *op = ctl_open("gnomon_web");
	struct rows *rows;
	const char *user;
	bool good = true;

	if (!q_doctor_role(op, &rows)) {
		user = rows_get(op, rows, 0, "name");
		good = strcmp(user, "gnomon_web") == 0;
		tell(good, "DATABASE_URL leaves the user to each program",
		    mem_fmt(op,
			"it names %s, and so every program would be %s; "
			"take the user out",
			user, user),
		    bad);
	}
	mem_drop(&op);
	return good;
}

/* One connection as a role, and whether it is as weak as it should be. */
static void
check_role(const char *role, int *bad)
{
	struct op *op = ctl_open(role);
	struct rows *rows;
	const char *what = mem_fmt(op,
	    "%s can connect and cannot bypass row "
	    "security",
	    role);

	if (q_doctor_role(op, &rows))
		tell(false, what, op->why, bad);
	else
		tell(rows_bool(rows, 0, 1), what,
		    "it owns tables, is a superuser or has BYPASSRLS", bad);
	mem_drop(&op);
}

/* Whether everybody whom the settings name can be asked. */
static void
check_models(int *bad)
{
	void *owner = mem_scope(NULL, "models");
	struct ai_target targets[AI_CHAIN_MAX];
	size_t n = ai_targets(owner, NULL, NULL, targets);

	for (size_t i = 0; i < n; i++)
		tell(ai_is_ready(&targets[i]),
		    mem_fmt(owner, "the model %s of %s can be asked",
			targets[i].model, ai_kind_word(targets[i].kind)),
		    "set its key and address (gnomonctl config)", bad);
	mem_drop(&owner);
}

int
ctl_doctor(int argc, char **argv)
{
	const char *share = config_get(CONFIG_GNOMON_SHARE);
	struct op *op = ctl_open("gnomon_web");
	struct rows *rows;
	int bad = 0;

	(void)argc;
	(void)argv;
	if (!op)
		return 1;
	tell(access(mem_fmt(op, "%s/templates/layout", share), R_OK) == 0,
	    mem_fmt(op, "templates are in %s", share),
	    "set GNOMON_SHARE to the folder that holds templates/", &bad);
	tell(access(config_get(CONFIG_GNOMON_SECRET_FILE), R_OK) == 0,
	    "the master key can be read", "set GNOMON_SECRET_FILE", &bad);
	if (check_user(&bad)) {
		check_role("gnomon_web", &bad);
		check_role("gnomon_worker", &bad);
	}
	check_models(&bad);
	if (q_doctor_schema(op, &rows)) {
		tell(false, "the database is migrated", op->why, &bad);
	} else {
		size_t newest = 0;

		while (embedded_migrations[newest].name)
			newest++;
		tell(rows_int(rows, 0, 0) == (int64_t)newest,
		    mem_fmt(op, "the database is at version %zu", newest),
		    "run gnomonctl migrate", &bad);
		tell(rows_bool(rows, 0, 1),
		    "the event log has partitions for next month",
		    "is the gnomon-tick timer running?", &bad);
		tell(rows_int(rows, 0, 2) == 0, "no job waits for ten minutes",
		    "is gnomon-worker running?", &bad);
		if (!q_audit_heads(op, &rows))
			tell(rows_int(rows, 0, 0) == 0,
			    "the audit log ends as it was written",
			    "run gnomonctl audit verify", &bad);
	}
	mem_drop(&op);
	return bad ? 1 : 0;
}
