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

/* Whether what was noted as the last entry once is in the chain. */
static enum err
check_holds(struct op *op, const char *workspace, const char *hash, bool *good)
{
	struct rows *rows;
	enum err e = q_audit_holds(op, workspace, hash, &rows);

	if (e || rows_bool(rows, 0, 0))
		return e;
	printf("BAD  %s: no entry has the hash %s.\n", workspace, hash);
	*good = false;
	return ERR_OK;
}

int
ctl_audit(int argc, char **argv)
{
	static const struct option options[] = {
	    {"workspace", required_argument, NULL, 'w'},
	    {"holds", required_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0},
	};
	const char *workspace = "", *noted = "";
	struct rows *rows;
	struct op *op;
	bool good = true;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c != 'w' && c != 'h')
			return 2;
		*(c == 'w' ? &workspace : &noted) = optarg;
	}
	if (argc - optind != 1 || strcmp(argv[optind], "verify") != 0 ||
	    (*noted && !*workspace)) {
		fputs("usage: gnomonctl audit verify "
		      "[--workspace WS [--holds HASH]]\n",
		    stderr);
		return 2;
	}
	op = ctl_open(NULL);
	if (!op)
		return 1;
	if (q_audit_verify(op, workspace, &rows))
		return ctl_failed(op);
	if (*workspace && rows_count(rows) == 0) {
		fprintf(stderr, "There is no workspace %s.\n", workspace);
		mem_drop(&op);
		return 1;
	}
	for (size_t i = 0; i < rows_count(rows); i++)
		good = tell(op, rows, i) && good;
	if (*noted && check_holds(op, workspace, noted, &good))
		return ctl_failed(op);
	mem_drop(&op);
	return good ? 0 : 1;
}
