/*
 * Any bytes as an address, a query, cookies and tokens: routing and typing end,
 * and what is accepted is what its type says. Lines: path, query, cookies.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "auth/auth.h"
#include "base/text.h"
#include "http/http_priv.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char folder[] = "/tmp/gnomon-fuzz.XXXXXX";
	char *path, *why = NULL;

	(void)argc;
	(void)argv;
	if (!mkdtemp(folder))
		return 1;
	path = mem_fmt(NULL, "%s/secret", folder);
	if (!auth_open(path, &why))
		abort();
	unlink(path);
	rmdir(folder);
	mem_drop(&path);
	return 0;
}

/* A line of the input as a C string: up to a newline, NUL or its end. */
static char *
line(void *owner, const uint8_t **data, size_t *size)
{
	size_t n = 0;
	char *text;

	while (n < *size && (*data)[n] != '\n' && (*data)[n] != '\0')
		n++;
	text = mem_dup_n(owner, (const char *)*data, n);
	n += n < *size;
	*data += n;
	*size -= n;
	return text;
}

static void
check_slot(const struct http_args *args, const struct param *p)
{
	const char *v = args->values[p->slot];
	int64_t number;

	if (!(args->given >> p->slot & 1)) {
		assert(!v);
		return;
	}
	assert(v && text_is_storable(v, strlen(v)));
	if (p->list) {
		assert(v[0] == '{' && text_ends(v, "}"));
		return;
	}
	switch (p->kind) {
	case PARAM_INT:
		assert(text_int(v, &number));
		assert(number >= p->min && number <= p->max);
		break;
	case PARAM_KEY:
	case PARAM_UUID:
		assert(text_is_uuid(v));
		break;
	case PARAM_TEXT:
		assert((int64_t)text_utf8_length(v, strlen(v)) <= p->max);
		break;
	case PARAM_DATE:
		assert(strlen(v) == 10);
		break;
	case PARAM_BOOL:
	case PARAM_TIME:
	case PARAM_ENUM:
		assert(*v);
		break;
	}
}

/* The query typed for one endpoint; its statement built. */
static void
try_endpoint(struct op *op, struct http_req *rq, const struct endpoint *e,
    const struct http_pair *pairs, size_t n)
{
	struct http_args *args = NULL;
	bool *used = mem_array(op, bool, n);
	struct db_call call;

	op->err = ERR_OK;
	if (http__args(op, rq, e, pairs, n, used, &args)) {
		assert(op->err);
		return;
	}
	for (size_t i = 0; i < e->n_params; i++)
		check_slot(args, &e->params[i]);
	assert(!e->n_orders || (args->limit >= 1 && args->limit <= 200));
	assert(!args->keys); /* nobody can guess a seal */
	for (size_t i = 0; i < e->n_parts; i++)
		http__call(op, args, i, &call);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	void *owner = mem_scope(NULL, "fuzz");
	struct op *op = op_new(owner, "fuzz", NULL);
	struct http_req rq = {.method_name = "GET", .method = METHOD_GET};
	const char *allow = NULL, *text;
	struct http_pair *pairs;
	size_t n;

	rq.path = line(op, &data, &size);
	rq.query = line(op, &data, &size);
	text = rq.cookies = line(op, &data, &size);
	rq.cookie = "";
	assert(!auth_token_session(op, text, 0));
	assert(!auth_unseal(op, text));
	assert(!auth_csrf_matches("cookie", text));
	(void)http_cookie(op, &rq, "s");
	if (!http__route(op, &rq, rq.path, &rq.endpoint, &allow))
		for (size_t i = 0; rq.segments[i]; i++)
			assert(text_is_storable(
			    rq.segments[i], strlen(rq.segments[i])));
	op->err = ERR_OK;
	if (!http__pairs(op, rq.query, &pairs, &n)) {
		if (rq.endpoint)
			try_endpoint(op, &rq, rq.endpoint, pairs, n);
		for (size_t i = 0; i < n_endpoints; i++) {
			const struct endpoint *e = &endpoints[i];

			if (!e->n_orders || strchr(e->path, '{') == NULL)
				continue;
			rq.endpoint = e;
			for (size_t k = 0; k < nitems(rq.segments); k++)
				if (!rq.segments[k]) /* its own path has more */
					rq.segments[k] = k % 2 ? "7" : "AC-7";
			try_endpoint(op, &rq, e, pairs, n);
		}
	}
	mem_drop(&owner);
	return 0;
}
