/*
 * The fields of a form that carries a file: multipart/form-data (RFC 7578), as
 * browsers write it. The body is whole and bounded before we see it.
 *
 *   --boundary CRLF
 *   Content-Disposition: form-data; name="csv"; filename="work.csv" CRLF
 *   Content-Type: text/csv CRLF
 *   CRLF
 *   what the field says CRLF
 *   --boundary--
 */
#include "config.h" /* memmem, strcasestr are GNU's */

#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "http/http_priv.h"

enum { PARTS_MAX = 200, BOUNDARY_MAX = 70, PART_NAME_MAX = 200 };

bool
http__is_multipart(const struct http_req *rq)
{
	return strncasecmp(rq->content_type, "multipart/form-data", 19) == 0;
}

/* What stands between two parts: a line break, two hyphens and the boundary
 * that the content type names. NULL: it names none. */
static char *
delimiter_of(struct op *op, const char *type)
{
	const char *from = strcasestr(type, "boundary=");
	size_t n;

	if (!from)
		return NULL;
	from += strlen("boundary=");
	from += *from == '"';
	n = strcspn(from, "\"; \t\r\n");
	if (n == 0 || n > BOUNDARY_MAX)
		return NULL;
	return mem_fmt(op, "\r\n--%.*s", (int)n, from);
}

/* A parameter of the head's Content-Disposition, such as ` name="`; NULL when it
 * has none. */
static char *
parameter(struct op *op, const char *head, const char *which)
{
	const char *from = strcasestr(head, "content-disposition:"), *end;
	size_t n;

	if (!from)
		return NULL;
	n = strcspn(from, "\r\n");
	end = memmem(from, n, which, strlen(which));
	if (!end)
		return NULL;
	end += strlen(which);
	n = strcspn(end, "\"\r\n");
	return end[n] == '"' && n <= PART_NAME_MAX ? mem_dup_n(op, end, n)
						   : NULL;
}

enum err
http__parts(struct op *op, const struct http_req *rq,
    struct http_pair **out_pairs, size_t *out_n)
{
	const char *delimiter = delimiter_of(op, rq->content_type);
	const char *at = rq->body, *stop = at + rq->body_length;
	struct http_pair *pairs = NULL, *files = NULL;
	size_t n = 0, n_files = 0, length;

	if (!delimiter)
		return op_fail(op, ERR_BAD_REQUEST, "no boundary");
	length = strlen(delimiter);
	/* the first one begins the body, without the line break */
	if ((size_t)(stop - at) < length - 2 ||
	    memcmp(at, delimiter + 2, length - 2) != 0)
		return op_fail(op, ERR_BAD_REQUEST, "no first part");
	at += length - 2;
	while (stop - at >= 2 && memcmp(at, "\r\n", 2) == 0) {
		const char *head = at, *text, *end, *name, *file;

		text = memmem(head, (size_t)(stop - head), "\r\n\r\n", 4);
		end = text ? memmem(text + 4, (size_t)(stop - text) - 4,
				 delimiter, length)
			   : NULL;
		if (!end || n + n_files == PARTS_MAX)
			return op_fail(op, ERR_BAD_REQUEST, "a part's end");
		at = end + length;
		head = mem_dup_n(op, head, (size_t)(text - head));
		text += 4;
		name = parameter(op, head, " name=\"");
		file = parameter(op, head, " filename=\"");
		if (!name || !*name || !text_is_storable(name, strlen(name)) ||
		    !text_is_storable(text, (size_t)(end - text)))
			return op_fail(op, ERR_BAD_REQUEST, "bad encoding");
		if (file && !*file && end == text)
			continue; /* no file was chosen */
		if (file)
			files = mem_grow(op, files, n_files, sizeof(*files));
		else
			pairs = mem_grow(op, pairs, n, sizeof(*pairs));
		*(file ? &files[n_files++] : &pairs[n++]) = (struct http_pair){
		    name, mem_dup_n(op, text, (size_t)(end - text))};
	}
	if (stop - at < 2 || memcmp(at, "--", 2) != 0)
		return op_fail(op, ERR_BAD_REQUEST, "no end");
	for (size_t i = 0; i < n_files; i++) {
		pairs = mem_grow(op, pairs, n, sizeof(*pairs));
		pairs[n++] = files[i];
	}
	*out_pairs = pairs;
	*out_n = n;
	return ERR_OK;
}
