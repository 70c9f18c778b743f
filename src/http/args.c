/* An endpoint's parameters: out of path and query, typed and bounded. */
#include <assert.h>
#include <ctype.h>

#include "auth/auth.h"
#include "base/text.h"
#include "http/http_priv.h"

enum { PAIRS_MAX = 200 };

enum err
http__pairs(struct op *op, const char *text, struct http_pair **out_pairs,
    size_t *out_n)
{
	struct http_pair *pairs = NULL;
	size_t n = 0;

	while (*text) {
		size_t whole = strcspn(text, "&"), name = strcspn(text, "=&");
		struct http_pair pair;

		if (n == PAIRS_MAX)
			return op_fail(op, ERR_BAD_REQUEST, "too many pairs");
		pair.name = http__decode(op, text, name, true);
		pair.value = name < whole
		    ? http__decode(op, text + name + 1, whole - name - 1, true)
		    : "";
		if (!pair.name || !pair.value)
			return op_fail(op, ERR_BAD_REQUEST, "bad encoding");
		text += whole;
		text += *text == '&';
		if (!*pair.name)
			continue;
		pairs = mem_grow(op, pairs, n, sizeof(*pairs));
		pairs[n++] = pair;
	}
	*out_pairs = pairs;
	*out_n = n;
	return ERR_OK;
}

static bool
is_word(const struct param *p, const char *value)
{
	for (const char *const *w = p->words; *w; w++)
		if (strcmp(*w, value) == 0)
			return true;
	return false;
}

static char *
words_of(struct op *op, const struct param *p)
{
	struct buf *b = buf_new(op, 1000);

	for (const char *const *w = p->words; *w; w++)
		buf_fmt(b, "%s%s", w == p->words ? "" : ", ", *w);
	return b->data;
}

/* Whether v begins like the shape, in which 0 stands for any digit. */
static bool
has_shape(const char *v, const char *shape)
{
	for (; *shape; v++, shape++)
		if (*shape == '0' ? !isdigit((unsigned char)*v) : *v != *shape)
			return false;
	return true;
}

static int
digits(const char *v, int n)
{
	int value = 0;

	for (int i = 0; i < n; i++)
		value = value * 10 + (v[i] - '0');
	return value;
}

/* RFC 3339 with Z or an offset. */
static bool
is_time(const char *v)
{
	if (!text_is_date(v) || (v[10] | 0x20) != 't' ||
	    !has_shape(v + 11, "00:00:00") || digits(v + 11, 2) > 23 ||
	    digits(v + 14, 2) > 59 || digits(v + 17, 2) > 59)
		return false;
	v += 19;
	if (*v == '.') {
		size_t n = strspn(v + 1, "0123456789");

		if (n < 1 || n > 9)
			return false;
		v += 1 + n;
	}
	if ((*v | 0x20) == 'z')
		return !v[1];
	return (*v == '+' || *v == '-') && has_shape(v + 1, "00:00") && !v[6] &&
	    digits(v + 1, 2) <= 23 && digits(v + 4, 2) <= 59;
}

/* A revision; a time; a day, or a day and time in the workspace's zone. */
static bool
is_moment(struct op *op, const char *v)
{
	size_t n = strlen(v);

	if (strspn(v, "0123456789") == n)
		return n > 0 && n < 16;
	if (n == 10)
		return text_is_date(v);
	return is_time(v) || is_time(mem_fmt(op, "%sZ", v)) ||
	    (n == 16 && is_time(mem_fmt(op, "%s:00Z", v)));
}

/* What is wrong with a value, as a sentence; NULL when it is right. */
static const char *
fault(struct op *op, const struct param *p, const char *v)
{
	int64_t number;
	size_t length;

	switch (p->kind) {
	case PARAM_TEXT:
		length = text_utf8_length(v, strlen(v));
		if ((int64_t)length < p->min || (int64_t)length > p->max)
			return mem_fmt(op, "Enter %lld to %lld characters.",
			    (long long)p->min, (long long)p->max);
		return NULL;
	case PARAM_INT:
		if (!text_int(v, &number) || number < p->min || number > p->max)
			return mem_fmt(op,
			    "Enter a whole number from %lld to %lld.",
			    (long long)p->min, (long long)p->max);
		return NULL;
	case PARAM_BOOL:
		return strcmp(v, "true") == 0 || strcmp(v, "false") == 0
		    ? NULL
		    : "Enter true or false.";
	case PARAM_UUID:
		return text_is_uuid(v) ? NULL
		    : p->prefix
		    ? mem_fmt(op, "Enter an id (uuid) or %s.", p->prefix)
		    : "Enter an id (uuid).";
	case PARAM_DATE:
		return text_is_date(v) && !v[10]
		    ? NULL
		    : "Enter a date like 2026-11-20.";
	case PARAM_TIME:
		return is_time(v) ? NULL
				  : "Enter a time like 2026-11-20T08:00:00Z.";
	case PARAM_ENUM:
		return is_word(p, v)
		    ? NULL
		    : mem_fmt(op, "Choose one of: %s.", words_of(op, p));
	case PARAM_MOMENT:
		return is_moment(op, v)
		    ? NULL
		    : "Enter a revision like 812, or a time like "
		      "2026-11-20T08:00:00Z.";
	case PARAM_KEY:
		return NULL;
	}
	return NULL;
}

/* The number of "I-1042", "AC-311", "42"; false when v is none of these. */
static bool
key_number(const struct param *p, const char *v, int64_t *out)
{
	const char *digits = strrchr(v, '-');
	size_t prefix;

	if (!digits)
		return text_int(v, out) && *out > 0 && *out <= INT32_MAX;
	prefix = (size_t)(digits - v);
	if (!p->prefix || prefix == 0)
		return false;
	if (strcmp(p->prefix, "story") != 0 &&
	    (strlen(p->prefix) != prefix ||
		strncasecmp(p->prefix, v, prefix) != 0))
		return false;
	return text_int(digits + 1, out) && *out > 0 && *out <= INT32_MAX;
}

static const char *
story_prefix(const char *v)
{
	const char *dash = strrchr(v, '-');

	return dash && dash != v && !text_is_uuid(v) ? dash : NULL;
}

const char *
http__story_prefix(
    struct op *op, const struct http_req *rq, const struct endpoint *e)
{
	for (size_t i = 0; i < e->n_params; i++) {
		const struct param *p = &e->params[i];
		const char *value, *dash;

		if (p->kind != PARAM_KEY || !p->in_path || !p->prefix ||
		    strcmp(p->prefix, "story") != 0)
			continue;
		value = http_segment(rq, p->name);
		dash = story_prefix(value);
		if (dash)
			return mem_dup_n(op, value, (size_t)(dash - value));
	}
	return NULL;
}

static void
give(struct http_args *args, size_t slot, const char *value)
{
	args->values[slot] = value;
	args->given |= UINT32_C(1) << slot;
}

/* A path parameter that cannot be anything is not found rather than invalid. */
static enum err
path_arg(struct op *op, const struct http_req *rq, const struct param *p,
    struct http_args *args)
{
	const char *value = http_segment(rq, p->name);
	int64_t number;

	if (p->kind == PARAM_KEY && !text_is_uuid(value)) {
		if (!key_number(p, value, &number))
			return op_fail(op, ERR_NOT_FOUND, "no key");
		give(args, p->slot + 1, mem_fmt(op, "%lld", (long long)number));
		return ERR_OK;
	}
	if (fault(op, p, value))
		return op_fail(op, ERR_NOT_FOUND, "no %s", p->name);
	give(args, p->slot, value);
	return ERR_OK;
}

/* A PostgreSQL array literal of text items. */
static void
add_item(struct buf *list, const char *item)
{
	buf_text(list, list->len > 1 ? ",\"" : "\"");
	for (; *item; item++) {
		if (*item == '"' || *item == '\\')
			buf_char(list, '\\');
		buf_char(list, *item);
	}
	buf_char(list, '"');
}

/* state=open,acknowledged or state=open&state=acknowledged. An empty value
 * stands for the parameter not being there, as forms send it. */
static void
list_arg(struct op *op, const struct param *p, const struct http_pair *pairs,
    size_t n, bool *used, struct http_args *args)
{
	struct buf *list = buf_new(op, 64 << 10);
	size_t count = 0;

	buf_char(list, '{');
	for (size_t i = 0; i < n; i++) {
		const char *rest = pairs[i].value;

		if (strcmp(pairs[i].name, p->name) != 0)
			continue;
		used[i] = true;
		while (*rest) {
			size_t k = strcspn(rest, ",");
			const char *item = mem_dup_n(op, rest, k);
			const char *why = fault(op, p, item);

			rest += k + (rest[k] == ',');
			if (why)
				op_invalid(op, p->name, "%s", why);
			if (++count > HTTP_LIST_MAX) {
				op_invalid(op, p->name,
				    "Give at most %d values.", HTTP_LIST_MAX);
				return;
			}
			add_item(list, item);
		}
	}
	buf_char(list, '}');
	if (count)
		give(args, p->slot, list->data);
}

static void
query_arg(struct op *op, const struct param *p, const struct http_pair *pairs,
    size_t n, bool *used, struct http_args *args)
{
	const char *value = NULL, *why;

	if (p->list) {
		list_arg(op, p, pairs, n, used, args);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (strcmp(pairs[i].name, p->name) != 0)
			continue;
		if (value)
			op_invalid(op, p->name, "Give this once.");
		used[i] = true;
		value = pairs[i].value;
	}
	if (!value || !*value)
		return;
	if (p->kind == PARAM_KEY && !text_is_uuid(value)) {
		int64_t number;

		if (key_number(p, value, &number))
			give(args, p->slot + 1,
			    mem_fmt(op, "%lld", (long long)number));
		else
			op_invalid(op, p->name, "Enter an id or a key.");
		return;
	}
	if (p->kind == PARAM_UUID && p->prefix &&
	    strcmp(value, p->prefix) == 0) {
		give(args, p->slot + 1, "true");
		return;
	}
	why = fault(op, p, value);
	if (why)
		op_invalid(op, p->name, "%s", why);
	else
		give(args, p->slot, value);
}

static const char *
take(const char *name, const struct http_pair *pairs, size_t n, bool *used)
{
	const char *value = "";

	for (size_t i = 0; i < n; i++) {
		if (strcmp(pairs[i].name, name) != 0)
			continue;
		used[i] = true;
		value = pairs[i].value;
	}
	return value;
}

/* sort=number:asc names an order by its first column and direction. */
static const struct order *
find_sort(const struct endpoint *e, const char *sort)
{
	size_t n = strcspn(sort, ":");
	bool descending = strcmp(sort + n, ":desc") == 0;

	if (!descending && sort[n] && strcmp(sort + n, ":asc") != 0)
		return NULL;
	for (size_t i = 0; i < e->n_orders; i++) {
		const struct order *o = &e->orders[i];

		if (o->descending == descending &&
		    strlen(o->columns[0].alias) == n &&
		    strncmp(o->columns[0].alias, sort, n) == 0)
			return o;
	}
	return NULL;
}

/* limit, order or sort, cursor. CSV is the whole list, as far as that goes. */
static void
page_args(struct op *op, const struct http_pair *pairs, size_t n, bool *used,
    bool is_csv, struct http_args *args)
{
	int64_t most = is_csv ? HTTP_CSV_MAX : HTTP_LIMIT_MAX;
	const struct endpoint *e = args->endpoint;
	const char *limit = take("limit", pairs, n, used);
	const char *order = take("order", pairs, n, used);
	const char *sort = take("sort", pairs, n, used);
	const char *cursor = take("cursor", pairs, n, used);

	args->limit = is_csv ? most : HTTP_LIMIT_DEFAULT;
	if (*limit &&
	    (!text_int(limit, &args->limit) || args->limit < 1 ||
		args->limit > most))
		op_invalid(op, "limit", "Enter a whole number from 1 to %lld.",
		    (long long)most);
	args->order = *order || *sort ? NULL : &e->orders[0];
	if (*sort && !*order)
		args->order = find_sort(e, sort);
	for (size_t i = 0; *order && i < e->n_orders && !args->order; i++)
		if (strcmp(e->orders[i].name, order) == 0)
			args->order = &e->orders[i];
	if (!args->order) {
		op_invalid(
		    op, *order ? "order" : "sort", "There is no such order.");
		args->order = &e->orders[0];
	}
	if (*cursor && !http__cursor_read(op, args, cursor))
		op_invalid(op, "cursor", "This cursor is not for this list.");
}

const char *
http__digest(
    struct op *op, const char *name, const char *const *values, size_t n)
{
	unsigned char stamp[AUTH_STAMP_BYTES];
	struct buf *b = buf_new(op, HTTP_BODY_MAX);

	for (size_t i = 0; i < n; i++)
		if (values[i])
			buf_fmt(
			    b, "%zu:%zu:%s", i, strlen(values[i]), values[i]);
	assert(!b->full);
	auth_stamp(stamp, name, b->data, b->len);
	return text_hex(op, stamp, sizeof(stamp));
}

enum err
http__args(struct op *op, const struct http_req *rq, const struct endpoint *e,
    const struct http_pair *pairs, size_t n, bool *used,
    struct http_args **out_args)
{
	struct http_args *args = mem_new(op, struct http_args);

	args->endpoint = e;
	for (size_t i = 0; i < e->n_params; i++) {
		const struct param *p = &e->params[i];

		if (!p->in_path)
			query_arg(op, p, pairs, n, used, args);
		else if (path_arg(op, rq, p, args))
			return op->err;
	}
	args->filter = http__digest(op, e->name, args->values, e->n_slots);
	if (e->n_orders)
		page_args(op, pairs, n, used, rq->wants_csv, args);
	if (rq->wants_csv)
		(void)take("bom", pairs, n, used);
	if (op->err)
		return op->err;
	*out_args = args;
	return ERR_OK;
}
