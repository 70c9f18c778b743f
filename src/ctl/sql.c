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

static int
put(struct op *op, const char *name, const char *query)
{
	struct buf *out = buf_new(op, TEXT_MAX);

	if (http_sql(op, name, query, out))
		return ctl_failed(op);
	fwrite(out->data, 1, out->len, stdout);
	return 0;
}

int
ctl_sql(int argc, char **argv)
{
	struct op *op = op_new(NULL, "gnomonctl", NULL);
	int status = 0;

	if (argc < 2) {
		fputs("usage: gnomonctl sql ENDPOINT [QUERY...]\n", stderr);
		status = 2;
	} else if (!is_known(argv[1])) {
		fprintf(stderr,
		    "There is no endpoint %s; gnomonctl routes lists them.\n",
		    argv[1]);
		status = 1;
	} else if (argc <= 3) {
		status = put(op, argv[1], argc > 2 ? argv[2] : "");
	} else {
		for (int i = 2; i < argc && status == 0; i++) {
			printf("-- query: %s\n", argv[i]);
			status = put(op, argv[1], argv[i]);
		}
	}
	mem_drop(&op);
	return status;
}
