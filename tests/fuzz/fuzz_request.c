/*
 * Any bytes as a request: whatever comes, one reply goes out, with a status, a
 * body within bounds and headers that end their lines. There is no database,
 * so what gets that far is answered with 503 (or an error page).
 *
 * Lines: method, address, content type, cookies, authorization; the rest is
 * the body.
 */
#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include "auth/auth.h"
#include "base/config.h"
#include "base/log.h"
#include "db/db.h"
#include "http/http.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct db *db;

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char folder[] = "/tmp/gnomon-fuzz.XXXXXX";
	void *root = mem_scope(NULL, "fuzz");
	char *path, *why = NULL;

	(void)argc;
	(void)argv;
	log_open("fuzz", LOG_ERROR + 1);
	if (!config_load(stderr) || !mkdtemp(folder))
		abort();
	path = mem_fmt(root, "%s/secret", folder);
	if (!auth_open(path, &why) || !http_open(root, SOURCE_DIR, &why))
		abort();
	unlink(path);
	rmdir(folder);
	db = db_new(root, "host=/nonexistent", "nobody");
	return 0;
}

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

static enum method
method_of(const char *name)
{
	return (enum method)((unsigned char)*name % (METHOD_OTHER + 1));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	void *scratch = mem_scope(NULL, "request");
	struct op *op = op_new(scratch, "fuzz", db);
	struct http_resp rs = {.status = 0};
	struct http_req rq = {.id = "fuzz",
	    .cookie = "",
	    .accept = "",
	    .user_agent = "",
	    .origin = "",
	    .fetch_site = "",
	    .host = "localhost",
	    .if_none_match = "",
	    .if_match = "",
	    .idempotency_key = "key",
	    .cors_method = "",
	    .address = "127.0.0.1",
	    .is_loopback = true};
	char *address;
	size_t n;

	rq.method_name = line(scratch, &data, &size);
	rq.method = method_of(rq.method_name);
	address = line(scratch, &data, &size);
	n = strcspn(address, "?");
	rq.path = mem_dup_n(scratch, address, n);
	rq.query = address[n] ? address + n + 1 : "";
	rq.content_type = line(scratch, &data, &size);
	rq.cookies = line(scratch, &data, &size);
	rq.authorization = line(scratch, &data, &size);
	rq.body = mem_dup_n(scratch, (const char *)data, size);
	rq.body_length = size;
	http_serve(op, &rq, &rs);
	assert(rs.status >= 200 && rs.status < 600);
	assert(rs.body->len <= HTTP_REPLY_MAX && rs.type);
	assert(rs.headers->len == 0 ||
	    strcmp(rs.headers->data + rs.headers->len - 2, "\r\n") == 0);
	mem_drop(&scratch);
	return 0;
}
