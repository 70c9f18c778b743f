/* gnomonctl: the tool of those who run Gnomon. */
#include "config.h"

#include <stdio.h>

#include "base/config.h"
#include "base/log.h"
#include "ctl/ctl.h"

static const struct ctl_command commands[] = {
    {.name = "migrate",
	.usage = "",
	.summary = "make the roles and bring the database to this version",
	.help =
	    "Connects as DATABASE_URL says; the user must be a superuser, or\n"
	    "may make roles and owns the database. Safe to run again.\n",
	.run = ctl_migrate},
    {.name = "doctor",
	.usage = "",
	.summary = "check settings, database, roles and folders",
	.run = ctl_doctor},
    {.name = "config",
	.usage = "",
	.summary = "print every setting, its value and where it came from",
	.run = ctl_config},
    {.name = "routes",
	.usage = "[--pool slow]",
	.summary = "print every address, who may use it, and its source",
	.run = ctl_routes},
    {.name = "sql",
	.usage = "ENDPOINT [QUERY...]",
	.summary = "print the statement an endpoint runs for a query string",
	.help =
	    "Prints what is prepared, with :name::type for each parameter, so\n"
	    "that psql, pgbench and EXPLAIN can take it. QUERY may also name\n"
	    "the {values} of the path: a key has two statements.\n"
	    "\n"
	    "  gnomonctl sql list_insights 'state=open&severity=high'\n"
	    "  gnomonctl sql enter          what goes before each of them\n",
	.run = ctl_sql},
    {.name = "user",
	.usage = "add EMAIL --name NAME [--password-file FILE]",
	.summary = "make an account with a workspace of its own",
	.help = "The password is read from FILE, or from standard input.\n",
	.run = ctl_user},
    {.name = "export",
	.usage = "--workspace WS FILE",
	.summary = "write a whole workspace to a file",
	.help =
	    "Writes what the workspace has, history and people's addresses\n"
	    "included, as lines of JSON; secrets (passwords, keys, webhooks) are\n"
	    "left out. Prints the SHA-256 of the content, which is the same for\n"
	    "the same workspace wherever it lives. DATABASE_URL must be a\n"
	    "superuser's.\n",
	.run = ctl_export},
    {.name = "import",
	.usage = "--workspace WS [--project KEY [OPTIONS]] FILE",
	.summary = "bring in stories of another tracker, or a workspace",
	.help =
	    "Without --project: reads what gnomonctl export wrote, into a\n"
	    "workspace that is new or empty; its members become those of the\n"
	    "file, found by their address. DATABASE_URL must be a superuser's.\n"
	    "\n"
	    "With --project: reads a CSV export. Columns are found by their headers; Jira's and\n"
	    "Linear's are known. A story is known by its key in the file, so the\n"
	    "same file may be imported again. Rows that are refused are told\n"
	    "with their line, the others are imported; the exit status is then 3.\n"
	    "\n"
	    "  --create             make the project when it is not there\n"
	    "  --dry-run            do everything, keep nothing\n"
	    "  --update             also change stories that are here already\n"
	    "  --preset NAME        jira, linear, or auto (the default)\n"
	    "  --map FIELD=COLUMN,… name columns: key, title, description,\n"
	    "                       status, priority, estimate, dueDate,\n"
	    "                       created, assignee\n"
	    "  --status THEIRS=OURS,… translate further statuses to backlog,\n"
	    "                       ready, in_progress, review or done\n"
	    "  --as EMAIL           act as this member (default: an owner)\n"
	    "  --format csv         the only one\n",
	.run = ctl_import},
    {.name = "agent",
	.usage = "run AGENT --workspace WS",
	.summary = "run an agent of a workspace now",
	.run = ctl_agent},
    {.name = "audit",
	.usage = "verify [--workspace WS [--holds HASH]]",
	.summary = "check that the audit log is as it was written",
	.help =
	    "Computes the hash of every entry again, in order, and names the\n"
	    "first of each workspace that was changed, taken out or put in;\n"
	    "the exit status is then 1. Keep the last hash elsewhere: who can\n"
	    "write to the database could compute all of them anew. --holds\n"
	    "asks whether an entry still has it.\n",
	.run = ctl_audit},
    {.name = "policy",
	.usage = "show|set --workspace WS [OPTIONS] | price MODEL IN OUT",
	.summary = "show or change what models may do in a workspace",
	.help =
	    "Budgets are a month's: 0 allows nothing, -1 is no limit.\n"
	    "\n"
	    "  --enable, --disable  switch every use of a model on or off\n"
	    "  --tokens N           budget of tokens\n"
	    "  --runs N             budget of calls\n"
	    "  --micros N           budget of money, in micros of a dollar\n"
	    "  --allow FEATURE,…    features that may use a model; agent.*\n"
	    "                       is all of a kind, all is all\n"
	    "  --forbid FEATURE,…   features that may not\n"
	    "\n"
	    "policy price says what a model costs from today on, in micros of\n"
	    "a dollar per million tokens, and where that is from:\n"
	    "\n"
	    "  gnomonctl policy price compatible/llama3 0 0 --source own\n",
	.run = ctl_policy},
    {.name = "kill-switch",
	.usage = "on|off [--workspace WS] [--why TEXT]",
	.summary = "stop every call of a model, or let them happen again",
	.help =
	    "Takes effect at once, for calls under way as well. Without\n"
	    "--workspace it is that of the whole installation (DATABASE_URL\n"
	    "must be a superuser's or the owner's). Policies stay as they are.\n",
	.run = ctl_kill_switch},
    {.name = "check",
	.usage = "",
	.summary = "check that what models cost adds up",
	.help =
	    "Compares the ledger with its runs, and sums with each other, of\n"
	    "this month and the last. DATABASE_URL must be a superuser's or\n"
	    "the owner's. The exit status is 1 when something is wrong.\n",
	.run = ctl_check},
    {.name = "demo",
	.usage = "[--password-file FILE] [--today DATE]",
	.summary = "load the demo workspaces",
	.help = "Loads six months of a believable history into the workspaces\n"
		"acme and northwind. Changes nothing when they are there.\n",
	.run = ctl_demo},
};

static void
print_usage(FILE *out)
{
	fputs("usage: gnomonctl COMMAND [ARGUMENTS]\n\n", out);
	for (size_t i = 0; i < nitems(commands); i++)
		fprintf(
		    out, "  %-11s %s\n", commands[i].name, commands[i].summary);
	fputs("\ngnomonctl COMMAND --help says more. Settings come from the "
	      "environment\n(gnomonctl config).\n",
	    out);
}

static int
run(const struct ctl_command *command, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") != 0)
			continue;
		printf("usage: gnomonctl %s%s%s\n\nTo %s.\n", command->name,
		    *command->usage ? " " : "", command->usage,
		    command->summary);
		if (command->help)
			printf("\n%s", command->help);
		return 0;
	}
	if (!*command->usage && argc > 1) {
		fprintf(stderr, "usage: gnomonctl %s\n", command->name);
		return 2;
	}
	return command->run(argc, argv);
}

int
main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	if (strcmp(name, "--version") == 0) {
		puts("gnomonctl " PACKAGE_VERSION);
		return 0;
	}
	if (strcmp(name, "--help") == 0 || strcmp(name, "help") == 0) {
		print_usage(stdout);
		return 0;
	}
	if (!config_load(stderr))
		return 1;
	log_open("gnomonctl", LOG_WARN);
	for (size_t i = 0; i < nitems(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return run(&commands[i], argc - 1, argv + 1);
	print_usage(stderr);
	return 2;
}
