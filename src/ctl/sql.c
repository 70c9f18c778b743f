/* The statement behind an endpoint: gnomonctl sql. */
#include <stdio.h>

#include "ctl/ctl.h"
#include "http/endpoint.h"
#include "http/http.h"

enum { TEXT_MAX = 1 << 20 };

/* "enter" is what goes before each of them. */
static bool
is_known(const char *name)
{
	return strcmp(name, "enter") == 0 || endpoint_find(name);
}

int
ctl_sql(int argc, char **argv)
{
	struct op *op = op_new(NULL, "gnomonctl", NULL);
	struct buf *out = buf_new(op, TEXT_MAX);
	int status = 0;

	if (argc < 2 || argc > 3) {
		fputs("usage: gnomonctl sql ENDPOINT [QUERY]\n", stderr);
		status = 2;
	} else if (!is_known(argv[1])) {
		fprintf(stderr,
		    "There is no endpoint %s; gnomonctl routes lists them.\n",
		    argv[1]);
		status = 1;
	} else if (http_sql(op, argv[1], argc > 2 ? argv[2] : "", out)) {
		status = ctl_failed(op);
	} else {
		fwrite(out->data, 1, out->len, stdout);
	}
	mem_drop(&op);
	return status;
}
