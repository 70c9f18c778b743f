/*
 * Rows to documents: the one writer of JSON and CSV.
 *
 * Aliases are the keys, a dotted alias nests, jsonb is copied as it is. For
 * pages the same writer adds how people read a value, beside it, by its type
 * and the unit its name ends in (sql/README.md).
 */
#include <assert.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/metrics.h"
#include "base/text.h"
#include "http/http_priv.h"
#include "text/csv.h"
#include "view/charts.h"
#include "view/humane.h"
#include "view/markdown.h"

enum { HTML_MAX = 4 << 20 };

static bool
is_hidden(const char *name)
{
	return *name == '~' || *name == '!';
}

/* A column as the writer needs it for every row. */
struct column {
	const char *name; /* NULL: not shown */
	const char *key; /* what stands behind its last dot, n bytes */
	size_t n;
	size_t depth; /* dots in the name: objects around the value */
	size_t shared; /* how many of these the column before is in, too */
};

static const struct column *
columns_of(void *owner, const struct rows *r)
{
	size_t width = rows_width(r);
	struct column *columns = mem_array(owner, struct column, width);
	const char *before = "";

	for (size_t col = 0; col < width; col++) {
		const char *name = rows_name(r, col);
		bool same = true;

		if (is_hidden(name))
			continue;
		columns[col].name = columns[col].key = name;
		for (size_t i = 0; name[i]; i++) {
			same = same && name[i] == before[i];
			if (name[i] != '.')
				continue;
			columns[col].key = name + i + 1;
			columns[col].depth++;
			columns[col].shared += same;
		}
		columns[col].n = strlen(columns[col].key);
		before = name;
	}
	return columns;
}

/* Past the last column that is in the same object as this one, depth objects
 * further in than the row; *out_null when every one of them is NULL. */
static size_t
object_end(const struct rows *r, const struct column *columns, size_t row,
    size_t col, size_t depth, bool *out_null)
{
	size_t end = col;

	*out_null = true;
	do {
		if (columns[end].name && !rows_is_null(r, row, end))
			*out_null = false;
		end++;
	} while (end < rows_width(r) &&
	    (!columns[end].name || columns[end].shared >= depth));
	return end;
}

static void
put_key(struct buf *out, const char *name, size_t n, const char *suffix)
{
	size_t more = strlen(suffix);
	char *to = buf_room(out, n + more + 4);
	bool first = !out->len || out->data[out->len - 1] == '{';

	if (!to)
		return;
	if (!first)
		*to++ = ',';
	*to++ = '"';
	memcpy(to, name, n);
	memcpy(to + n, suffix, more);
	memcpy(to + n + more, "\":", 2);
	buf_used(out, n + more + 3 + !first);
}

static void
put_twin(struct buf *out, const char *name, const char *suffix, char *text)
{
	put_key(out, name, strlen(name), suffix);
	buf_json_text(out, text, strlen(text));
	mem_drop(&text);
}

/* Columns that hold a word of an enumeration. */
static bool
is_word(const char *name)
{
	static const char *const names[] = {"status", "state", "severity",
	    "priority", "outcome", "role", "type"};

	if (text_ends(name, "Key") || text_ends(name, "Type"))
		return true;
	for (size_t i = 0; i < nitems(names); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static void
put_markdown(struct buf *out, const char *name, char *text)
{
	struct buf *html = buf_new(out, HTML_MAX);

	if (*text && !markdown_render(text, strlen(text), html))
		put_twin(out, name, "Html", mem_dup(out, html->data));
	mem_drop(&html);
	mem_drop(&text);
}

/* The value as people read it, by type and by the unit in the name. */
static void
put_twins(struct buf *out, const struct rows *r, size_t row, size_t col,
    const char *name, const struct http_style *style)
{
	unsigned type = rows_type(r, col);

	if (rows_is_null(r, row, col))
		return;
	if (type == SQL_TIME) {
		int64_t at = rows_time(r, row, col);

		put_twin(out, name, "Text", humane_time(out, at, style->zone));
		put_twin(out, name, "Day",
		    humane_day(out, at, style->zone, style->now));
	} else if (type == SQL_DATE) {
		char *date = rows_text(out, r, row, col);

		put_twin(out, name, "Text",
		    humane_date(
			out, date, humane_year(style->now, style->zone)));
		mem_drop(&date);
	} else if (type == SQL_TEXT && is_word(name)) {
		char *word = rows_text(out, r, row, col);

		put_twin(out, name, "Text", humane_word(out, word));
		mem_drop(&word);
	} else if (type == SQL_TEXT && text_ends(name, "Markdown")) {
		put_markdown(out, name, rows_text(out, r, row, col));
	} else if (type == SQL_FLOAT8 && text_ends(name, "Share")) {
		put_twin(out, name, "Text",
		    humane_share(out, rows_float(r, row, col)));
	} else if (type == SQL_INT8 || type == SQL_INT4) {
		int64_t n = rows_int(r, row, col);

		if (text_ends(name, "Micros"))
			put_twin(out, name, "Text", humane_money(out, n));
		else if (text_ends(name, "Tokens"))
			put_twin(out, name, "Text", humane_tokens(out, n));
		else if (text_ends(name, "Ms"))
			put_twin(out, name, "Text", humane_duration(out, n));
		else if (type == SQL_INT8)
			put_twin(out, name, "Text", humane_count(out, n));
	}
}

/* The members of a row, without the braces around them. */
static bool
put_members(struct buf *out, const struct rows *r, size_t row,
    const struct column *columns, const struct http_style *style)
{
	size_t width = rows_width(r), open = 0; /* objects open */

	for (size_t col = 0, next; col < width; col = next) {
		const struct column *c = &columns[col];
		const char *name = c->name;
		bool is_null = false;

		next = col + 1;
		if (!name)
			continue;
		for (; open > c->shared; open--)
			buf_char(out, '}');
		for (size_t d = 0; d < c->depth && !is_null; d++) {
			size_t n = strcspn(name, "."), end;

			if (d == open) { /* an object begins */
				end = object_end(
				    r, columns, row, col, d + 1, &is_null);
				put_key(out, name, n, "");
				buf_text(out, is_null ? "null" : "{");
				open += !is_null;
				next = is_null ? end : next;
			}
			name += n + 1;
		}
		if (is_null)
			continue;
		put_key(out, c->key, c->n, "");
		if (!rows_json(r, row, col, out))
			return false;
		if (style->zone)
			put_twins(out, r, row, col, c->key, style);
	}
	for (; open > 0; open--)
		buf_char(out, '}');
	return true;
}

struct writer {
	const struct http_result *result;
	const struct endpoint *e;
	const struct http_style *style;
	struct buf *out;
	size_t at[HTTP_SLOTS]; /* next row of each nested part */
	const struct column
	    *columns[HTTP_SLOTS]; /* of each part, once needed */
};

static bool put_list(struct writer *w, size_t part, size_t from, size_t to);
static bool
put_chart(struct writer *w, const struct part *p, size_t from, const char *id);

/* The rows of nested parts that belong to this row follow it in their order. */
static bool
put_children(struct writer *w, size_t parent, size_t row)
{
	const struct rows *rows = w->result->rows[parent];

	for (size_t i = 0; i < w->e->n_parts; i++) {
		const struct part *p = &w->e->parts[i];
		const struct rows *below = w->result->rows[i];
		size_t from = w->at[i], to = from, text;
		int key, own;

		if (p->kind != PART_NESTED || p->parent != parent)
			continue;
		key = rows_find(below, mem_fmt(w->out, "~%s", p->by));
		if (key < 0)
			key = rows_find(below, p->by);
		own = rows_find(rows, p->by);
		assert(key >= 0 && own >= 0);
		while (to < rows_count(below) &&
		    rows_same(rows, row, (size_t)own, below, to, (size_t)key))
			to++;
		w->at[i] = to;
		put_key(w->out, p->name, strlen(p->name), "");
		text = w->out->len;
		if (!put_list(w, i, from, to) ||
		    !put_chart(
			w, p, text, mem_fmt(w->out, "%s-%zu", p->name, row)))
			return false;
	}
	return true;
}

static bool
put_row(struct writer *w, size_t part, size_t row)
{
	const struct rows *rows = w->result->rows[part];

	if (!w->columns[part])
		w->columns[part] = columns_of(w->out, rows);
	return put_members(w->out, rows, row, w->columns[part], w->style);
}

static bool
put_object(struct writer *w, size_t part, size_t row)
{
	buf_char(w->out, '{');
	if (!put_row(w, part, row) || !put_children(w, part, row))
		return false;
	buf_char(w->out, '}');
	return true;
}

static bool
put_list(struct writer *w, size_t part, size_t from, size_t to)
{
	buf_char(w->out, '[');
	for (size_t row = from; row < to; row++) {
		if (row > from)
			buf_char(w->out, ',');
		if (!put_object(w, part, row))
			return false;
	}
	buf_char(w->out, ']');
	return true;
}

/* A chart of a part's rows, which stand in the text from there on, as
 * "<name>Svg", for pages. */
static bool
put_chart(struct writer *w, const struct part *p, size_t from, const char *id)
{
	struct json_object *rows;
	struct buf *svg;
	bool drawn;

	if (!p->chart || !w->style->zone)
		return true;
	rows = json_tokener_parse(w->out->data + from);
	svg = buf_new(w->out, 256 << 10);
	drawn = !chart_draw(p->chart, rows, id, svg);
	json_object_put(rows);
	if (drawn) {
		put_key(w->out, p->name, strlen(p->name), "Svg");
		buf_json_text(w->out, svg->data, svg->len);
	}
	mem_drop(&svg);
	return drawn;
}

size_t
http__paged_part(const struct endpoint *e)
{
	for (size_t i = 0; i < e->n_parts; i++)
		for (size_t k = 0; k < e->parts[i].n_pieces; k++)
			if (e->parts[i].pieces[k].kind == PIECE_PAGE)
				return i;
	return e->n_parts;
}

/* The rows of the page asked for: one more was fetched to know whether there
 * is more, and a backward page came in reverse. */
static bool
put_page(struct writer *w, size_t part)
{
	const struct http_args *args = w->result->args;
	size_t n = rows_count(w->result->rows[part]);

	if (n > (size_t)args->limit)
		n = (size_t)args->limit;
	buf_char(w->out, '[');
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_char(w->out, ',');
		if (!put_object(w, part, args->backwards ? n - 1 - i : i))
			return false;
	}
	buf_char(w->out, ']');
	return true;
}

void
http__page_edges(struct op *op, const struct http_result *result,
    char **out_previous, char **out_next)
{
	const struct http_args *args = result->args;
	size_t part = http__paged_part(args->endpoint);
	const struct rows *rows = result->rows[part];
	size_t n = rows_count(rows), last;
	bool more = n > (size_t)args->limit;

	*out_previous = *out_next = NULL;
	if (more)
		n = (size_t)args->limit;
	if (n == 0)
		return;
	last = n - 1;
	if (args->backwards || more)
		*out_next = http__cursor(
		    op, args, rows, args->backwards ? 0 : last, false);
	if (args->backwards ? more : args->keys != NULL)
		*out_previous = http__cursor(
		    op, args, rows, args->backwards ? last : 0, true);
}

static bool
put_named_part(struct writer *w, size_t i)
{
	const struct part *p = &w->e->parts[i];
	size_t n = rows_count(w->result->rows[i]), from;

	if (p->kind != PART_ONE && p->kind != PART_LIST)
		return true;
	put_key(w->out, p->name, strlen(p->name), "");
	from = w->out->len;
	if (p->kind == PART_ONE) {
		if (n)
			return put_object(w, i, 0);
		buf_text(w->out, "null");
		return true;
	}
	if (i == http__paged_part(w->e) ? !put_page(w, i)
					: !put_list(w, i, 0, n))
		return false;
	return put_chart(w, p, from, p->name);
}

static void
put_cursor(struct writer *w, const char *key, const char *cursor)
{
	put_key(w->out, key, strlen(key), "");
	if (cursor)
		buf_json_text(w->out, cursor, strlen(cursor));
	else
		buf_text(w->out, "null");
}

static bool
put_document(struct writer *w, struct op *op)
{
	const struct endpoint *e = w->e;
	bool has_document = e->n_parts && e->parts[0].kind == PART_DOCUMENT;

	if (has_document &&
	    (e->reply == REPLY_LIST || e->reply == REPLY_PAGE)) {
		bool paged = http__paged_part(e) == 0;
		char *previous, *next;

		buf_text(w->out, "{\"items\":");
		if (paged ? !put_page(w, 0)
			  : !put_list(w, 0, 0, rows_count(w->result->rows[0])))
			return false;
		if (paged) {
			http__page_edges(op, w->result, &previous, &next);
			put_cursor(w, "next", next);
			put_cursor(w, "previous", previous);
		}
		buf_char(w->out, '}');
		return true;
	}
	buf_char(w->out, '{');
	if (has_document && !put_row(w, 0, 0))
		return false;
	for (size_t i = 0; i < e->n_parts; i++)
		if (!put_named_part(w, i))
			return false;
	buf_char(w->out, '}');
	return true;
}

/* Rows of a nested part that found no parent are a fault of the block. */
static bool
all_placed(const struct writer *w)
{
	for (size_t i = 0; i < w->e->n_parts; i++)
		if (w->e->parts[i].kind == PART_NESTED &&
		    w->at[i] != rows_count(w->result->rows[i]))
			return false;
	return true;
}

enum err
http__document(struct op *op, const struct http_result *result,
    const struct http_style *style, struct buf *out)
{
	struct writer w = {.result = result,
	    .e = result->args->endpoint,
	    .style = style,
	    .out = out};

	if (!put_document(&w, op))
		return op_fail(op, ERR_INTERNAL,
		    "%s selects a type that has no JSON form", w.e->source);
	if (!all_placed(&w))
		return op_fail(op, ERR_INTERNAL,
		    "%s: nested rows without a parent", w.e->source);
	if (out->full)
		return op_fail(op, ERR_INTERNAL, "the reply is too large");
	return ERR_OK;
}

/* Counts a success, unless the hidden column says that nothing changed. */
static void
tally(struct op *op, const struct tally *t, const struct rows *rows)
{
	const char *values[nitems(t->columns)];
	int changed = rows_find(rows, "~changed");

	if (changed >= 0 && !rows_bool(rows, 0, (size_t)changed))
		return;
	for (size_t i = 0; i < nitems(t->columns) && t->columns[i]; i++)
		values[i] = rows_get(op, rows, 0, t->columns[i]);
	metrics_add(t->metric, 1, values);
}

enum err
http__outcome(struct op *op, const struct http_result *result)
{
	const struct endpoint *e = result->args->endpoint;
	const struct http_style plain = {.zone = NULL};
	const struct rows *rows;
	char *word;

	for (size_t i = 0; i < e->n_parts; i++)
		if (e->parts[i].kind == PART_NEEDED &&
		    rows_count(result->rows[i]) == 0)
			return op_fail(
			    op, ERR_NOT_FOUND, "no %s", e->parts[i].name);
	if (!e->n_parts || e->parts[0].kind != PART_DOCUMENT)
		return ERR_OK;
	rows = result->rows[0];
	if (e->reply == REPLY_LIST || e->reply == REPLY_PAGE)
		return ERR_OK;
	if (rows_count(rows) == 0)
		return rows_width(rows) ? op_fail(op, ERR_NOT_FOUND, "no row")
					: ERR_OK;
	word = rows_get(op, rows, 0, "!");
	if (!word) {
		if (e->tally)
			tally(op, e->tally, rows);
		return ERR_OK;
	}
	if (err_of_word(word) == ERR_VERSION_CONFLICT) {
		struct buf *current = buf_new(op, HTTP_REPLY_MAX);

		buf_char(current, '{');
		if (put_members(
			current, rows, 0, columns_of(current, rows), &plain)) {
			buf_char(current, '}');
			op->details = op_json(op, json_object_new_object());
			json_object_object_add(op->details, "current",
			    json_tokener_parse(current->data));
		}
	}
	return op_fail(op, err_of_word(word), "%s: %s", e->source, word);
}

/* The last word of the endpoint's path: stories of …/{project}/stories. */
static const char *
file_name(struct op *op, const struct endpoint *e)
{
	const char *word = "list";

	for (const char *s = strchr(e->path, '/'); s; s = strchr(s, '/')) {
		size_t n = strcspn(++s, "/");

		if (*s != '{' && n > 0)
			word = mem_dup_n(op, s, n);
	}
	return word;
}

/* What describes the CSV beside it: its name, and where more of it is. */
static enum err
put_csv_headers(struct op *op, const struct http_req *rq, struct http_resp *rs,
    const struct http_result *result)
{
	struct http_pair *pairs;
	size_t n;
	char *previous, *next = NULL;
	enum err e = http__pairs(op, rq->query, &pairs, &n);

	if (e)
		return e;
	for (size_t i = 0; i < n; i++)
		if (strcmp(pairs[i].name, "bom") == 0 &&
		    strcmp(pairs[i].value, "true") == 0)
			buf_text(rs->body, "\xEF\xBB\xBF");
	rs->type = "text/csv; charset=utf-8; header=present";
	http_header(rs, "Content-Disposition",
	    "attachment; filename=\"%s.csv\"", file_name(op, rq->endpoint));
	if (result->args->order)
		http__page_edges(op, result, &previous, &next);
	if (next)
		http_header(rs, "Link", "<%s>; rel=\"next\"",
		    http__address(op, rq->path, pairs, n, NULL, next));
	return ERR_OK;
}

enum err
http__csv(struct op *op, const struct http_req *rq, struct http_resp *rs,
    const struct http_result *result)
{
	const struct rows *r = result->rows[0];
	const struct http_args *args = result->args;
	struct buf *out = rs->body;
	size_t n = rows_count(r);
	enum err e = put_csv_headers(op, rq, rs, result);

	if (e)
		return e;

	if (args->order && n > (size_t)args->limit)
		n = (size_t)args->limit;
	for (size_t row = 0; row <= n; row++) {
		bool first = true;

		for (size_t col = 0; col < rows_width(r); col++) {
			const char *name = rows_name(r, col);
			char *text = NULL;

			if (is_hidden(name))
				continue;
			if (!first)
				buf_char(out, ',');
			first = false;
			if (row)
				text = rows_text(out, r,
				    args->backwards ? n - row : row - 1, col);
			if (!row)
				csv_write_field(out, name, strlen(name), true);
			else
				csv_write_field(
				    out, text, text ? strlen(text) : 0, true);
			mem_drop(&text);
		}
		buf_text(out, "\r\n");
	}
	if (out->full)
		return op_fail(op, ERR_INTERNAL, "the reply is too large");
	return ERR_OK;
}
