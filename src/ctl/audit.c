/* gnomonctl audit verify: walks the chains of the audit log. */
#include <getopt.h>
#include <stdio.h>

#include "ctl/ctl.h"
#include "db/db.h"
#include "gen/queries.h"

/* One line a workspace; false when its chain is broken. */
static bool
tell(struct op *op, const struct rows *rows, size_t i)
{
	const char *broken = rows_get(op, rows, i, "broken");
	const char *head = rows_get(op, rows, i, "head");

	if (broken)
		printf("BAD  %s: entry %s: %s.\n",
		    rows_get(op, rows, i, "slug"), broken,
		    rows_get(op, rows, i, "why"));
	else
		printf("ok   %s: %s entries%s%s\n",
		    rows_get(op, rows, i, "slug"),
		    rows_get(op, rows, i, "entries"),
		    head ? ", the last is " : "", head ? head : "");
	return !broken;
}

int
ctl_audit(int argc, char **argv)
{
	static const struct option options[] = {
	    {"workspace", required_argument, NULL, 'w'},
	    {NULL, 0, NULL, 0},
	};
	const char *workspace = "";
	struct rows *rows;
	struct op *op;
	bool good = true;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c != 'w')
			return 2;
		workspace = optarg;
	}
	if (argc - optind != 1 || strcmp(argv[optind], "verify") != 0) {
		fputs(
		    "usage: gnomonctl audit verify [--workspace WS]\n", stderr);
		return 2;
	}
	op = ctl_open(NULL);
	if (!op)
		return 1;
	if (q_audit_verify(op, workspace, &rows))
		return ctl_failed(op);
	if (*workspace && rows_count(rows) == 0) {
		fprintf(stderr, "There is no workspace %s.\n", workspace);
		return 1;
	}
	for (size_t i = 0; i < rows_count(rows); i++)
		good = tell(op, rows, i) && good;
	mem_drop(&op);
	return good ? 0 : 1;
}
