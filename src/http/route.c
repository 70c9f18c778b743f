/* From method and path to a line of the route table. */
#include <ctype.h>
#include <stdlib.h>

#include "base/text.h"
#include "http/http_priv.h"

const struct endpoint *
endpoint_find(const char *name)
{
	for (size_t i = 0; i < n_endpoints; i++)
		if (strcmp(endpoints[i].name, name) == 0)
			return &endpoints[i];
	return NULL;
}

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

char *
http__decode(void *owner, const char *text, size_t n, bool is_form)
{
	char *out = mem_array(owner, char, n + 1);
	size_t length = 0;

	for (size_t i = 0; i < n; i++) {
		char c = text[i];

		if (c == '%') {
			int high = i + 2 < n ? hex(text[i + 1]) : -1;
			int low = high >= 0 ? hex(text[i + 2]) : -1;

			if (high < 0 || low < 0)
				return NULL;
			c = (char)(high << 4 | low);
			i += 2;
		} else if (c == '+' && is_form) {
			c = ' ';
		}
		out[length++] = c;
	}
	return text_is_storable(out, length) ? out : NULL;
}

/* Whether a path has the shape of a pattern, whatever its {names} stand for. */
static bool
fits(const char *pattern, const char *path)
{
	for (;;) {
		size_t n;

		for (; *pattern && *pattern == *path; path++)
			pattern++;
		if (*pattern != '{')
			return !*pattern && !*path;
		n = strcspn(path, "/");
		if (n == 0)
			return false;
		path += n;
		pattern += strcspn(pattern, "/");
	}
}

/*
 * Matches a path against a pattern, segment by segment; the values of {names}
 * go to `values`, in order.
 */
static bool
matches(struct op *op, const char *pattern, const char *path,
    const char **values, size_t max)
{
	size_t k = 0;

	if (!fits(pattern, path)) /* most do not: the whole table comes here */
		return false;
	for (;;) {
		size_t m = strcspn(pattern, "/"), n = strcspn(path, "/");

		if (*pattern == '{') {
			if (n == 0 || k == max)
				return false;
			values[k] = http__decode(op, path, n, false);
			if (!values[k++])
				return false;
		} else if (m != n || memcmp(pattern, path, n) != 0) {
			return false;
		}
		pattern += m;
		path += n;
		if (!*pattern || !*path)
			return !*pattern && !*path;
		pattern++;
		path++;
	}
}

/* Static segments win over {names}: /runs/skipped before /runs/{run}. */
static bool
is_more_precise(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a != '{' && *b == '{';
}

/* Whether a says what b leaves open and nothing else: /stories/reorder and
 * /stories/{story}. Then what a matches is never b's, whatever the method. */
static bool
hides(const char *a, const char *b)
{
	bool more = false;

	while (*a && *b) {
		size_t n = strcspn(a, "/"), m = strcspn(b, "/");

		if (*b == '{' && *a != '{')
			more = true;
		else if ((n != m || memcmp(a, b, n) != 0) &&
		    (*a != '{' || *b != '{'))
			return false;
		a += n;
		b += m;
		a += *a == '/';
		b += *b == '/';
	}
	return more && !*a && !*b;
}

static const char *const method_words[] = {
    [METHOD_GET] = "GET, HEAD",
    [METHOD_POST] = "POST",
    [METHOD_PUT] = "PUT",
    [METHOD_PATCH] = "PATCH",
    [METHOD_DELETE] = "DELETE",
};

enum err
http__route(struct op *op, struct http_req *rq, const char *path,
    const struct endpoint **out_endpoint, const char **out_allow)
{
	enum method wanted =
	    rq->method == METHOD_HEAD ? METHOD_GET : rq->method;
	const struct endpoint *best = NULL;
	const char *pattern = NULL; /* that hides others, of any method */
	struct buf *allow = buf_new(op, 200);

	for (size_t i = 0; i < n_endpoints; i++) {
		const struct endpoint *e = &endpoints[i];
		const char *values[nitems(rq->segments)] = {NULL};

		if (!matches(op, e->path, path, values, nitems(values)))
			continue;
		if (pattern && hides(pattern, e->path))
			continue;
		if (!pattern || hides(e->path, pattern)) {
			best = NULL;
			buf_reset(allow);
			pattern = e->path;
		}
		if (e->method != wanted) {
			/* /sprints/active is a /sprints/{sprint}, too */
			if (strstr(allow->data, method_words[e->method]))
				continue;
			if (allow->len)
				buf_text(allow, ", ");
			buf_text(allow, method_words[e->method]);
			continue;
		}
		if (best && !is_more_precise(e->path, best->path))
			continue;
		best = e;
		memcpy(rq->segments, values, sizeof(values));
	}
	if (best) {
		*out_endpoint = best;
		return ERR_OK;
	}
	*out_allow = allow->data;
	return allow->len
	    ? op_fail(op, ERR_METHOD_NOT_ALLOWED, "%s", rq->method_name)
	    : op_fail(op, ERR_NOT_FOUND, "no route");
}

const char *
http_segment(const struct http_req *rq, const char *name)
{
	const char *s = rq->endpoint->path;
	size_t k = 0, n = strlen(name);

	while ((s = strchr(s, '{'))) {
		if (strncmp(s + 1, name, n) == 0 && s[n + 1] == '}')
			return rq->segments[k];
		s++;
		k++;
	}
	return "";
}
