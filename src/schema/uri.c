/* URIs: relative references resolved as RFC 3986 section 5.2 says. */
#include "schema/schema_priv.h"

#include <ctype.h>

#include "base/buf.h"

/* A stretch of a URI; absent is not the same as empty. */
struct part {
	const char *text;
	size_t n;
	bool present;
};

struct uri {
	struct part scheme, authority, path, query, fragment;
};

static size_t
scheme_length(const char *uri)
{
	size_t n = 0;

	if (!isalpha((unsigned char)uri[0]))
		return 0;
	while (isalnum((unsigned char)uri[n]) || uri[n] == '+' ||
	    uri[n] == '-' || uri[n] == '.')
		n++;
	return uri[n] == ':' ? n : 0;
}

bool
schema__uri_is_absolute(const char *uri)
{
	return scheme_length(uri) > 0;
}

static struct part
take(const char **at, size_t n)
{
	struct part p = {*at, n, true};

	*at += n;
	return p;
}

static struct uri
split(const char *at)
{
	struct uri u = {0};
	size_t n = scheme_length(at);

	if (n > 0) {
		u.scheme = take(&at, n);
		at++;
	}
	if (at[0] == '/' && at[1] == '/') {
		at += 2;
		u.authority = take(&at, strcspn(at, "/?#"));
	}
	u.path = take(&at, strcspn(at, "?#"));
	if (*at == '?') {
		at++;
		u.query = take(&at, strcspn(at, "#"));
	}
	if (*at == '#') {
		at++;
		u.fragment = take(&at, strlen(at));
	}
	return u;
}

/* Section 5.2.4, in place: "/a/./b/../c" becomes "/a/c". Returns the length. */
static size_t
remove_dots(char *path, size_t n)
{
	size_t in = 0, out = 0;

	while (in < n) {
		size_t end = in + 1; /* of the segment, its slash included */
		const char *s;
		size_t len;

		while (end < n && path[end] != '/')
			end++;
		s = path + in + (path[in] == '/');
		len = (size_t)(path + end - s);
		if (len == 1 && s[0] == '.') {
			if (end == n)
				path[out++] = '/';
		} else if (len == 2 && s[0] == '.' && s[1] == '.') {
			while (out > 0 && path[--out] != '/')
				;
			if (end == n)
				path[out++] = '/';
		} else {
			memmove(path + out, path + in, end - in);
			out += end - in;
		}
		in = end;
	}
	return out;
}

static void
add(struct buf *b, const char *before, struct part p, const char *after)
{
	if (!p.present)
		return;
	buf_text(b, before);
	buf_add(b, p.text, p.n);
	buf_text(b, after);
}

char *
schema__uri_resolve(void *owner, const char *base, const char *ref)
{
	struct uri b = split(base), r = split(ref), t = r;
	size_t max = strlen(base) + strlen(ref) + 8;
	struct buf *out = buf_new(owner, max), *path = buf_new(owner, max);
	bool dots = true;
	char *result;

	if (!r.scheme.present) {
		t.scheme = b.scheme;
		if (!r.authority.present)
			t.authority = b.authority;
	}
	if (r.scheme.present || r.authority.present ||
	    (r.path.n > 0 && r.path.text[0] == '/')) {
		buf_add(path, r.path.text, r.path.n);
	} else if (r.path.n == 0) {
		buf_add(path, b.path.text, b.path.n);
		if (!r.query.present)
			t.query = b.query;
		dots = false;
	} else {
		size_t keep = b.path.n; /* up to the last slash */

		while (keep > 0 && b.path.text[keep - 1] != '/')
			keep--;
		if (b.path.n == 0 && b.authority.present)
			buf_char(path, '/');
		buf_add(path, b.path.text, keep);
		buf_add(path, r.path.text, r.path.n);
	}
	/* A path without a slash at its front (urn:isbn:…) has no segments. */
	if (dots && path->len > 0 && path->data[0] == '/')
		path->len = remove_dots(path->data, path->len);
	add(out, "", t.scheme, ":");
	add(out, "//", t.authority, "");
	buf_add(out, path->data, path->len);
	add(out, "?", t.query, "");
	add(out, "#", r.fragment, "");
	result = mem_dup(owner, out->data);
	mem_drop(&out);
	mem_drop(&path);
	return result;
}

const char *
schema__uri_cut_fragment(char *uri)
{
	char *hash = strchr(uri, '#');

	if (!hash)
		return "";
	*hash = '\0';
	return hash + 1;
}

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

char *
schema__uri_decode(void *owner, const char *text)
{
	char *result = mem_dup(owner, text), *out = result;

	for (; *text; text++) {
		int high, low;

		if (*text != '%') {
			*out++ = *text;
			continue;
		}
		high = hex(text[1]);
		low = high < 0 ? -1 : hex(text[2]);
		if (low < 0 || high + low == 0)
			return NULL;
		*out++ = (char)(high << 4 | low);
		text += 2;
	}
	*out = '\0';
	return result;
}
