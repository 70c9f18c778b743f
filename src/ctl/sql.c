/* The statement behind an endpoint: gnomonctl sql. */
#include <stdio.h>

#include "ctl/ctl.h"
#include "http/http.h"

enum { TEXT_MAX = 1 << 20 };

int
ctl_sql(int argc, char **argv)
{
	struct op *op = op_new(NULL, "gnomonctl", NULL);
	struct buf *out = buf_new(op, TEXT_MAX);
	int status = 0;

	if (argc < 2 || argc > 3) {
		fputs("usage: gnomonctl sql ENDPOINT [QUERY]\n", stderr);
		status = 2;
	} else if (http_sql(op, argv[1], argc > 2 ? argv[2] : "", out)) {
		status = ctl_failed(op);
	} else {
		fwrite(out->data, 1, out->len, stdout);
	}
	mem_drop(&op);
	return status;
}
