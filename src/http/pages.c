/*
 * Pages and forms: the same statements as the API, poured into a template.
 *
 * A page's context is the document of its own parts, the documents it uses
 * under their names, and what every page has (sql/README.md). A form runs the
 * endpoint it is a form of and redirects; refused values show the page again.
 */
#include <assert.h>
#include <json-c/json.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "auth/auth.h"
#include "base/log.h"
#include "base/text.h"
#include "http/http_priv.h"
#include "schema/schema.h"
#include "view/humane.h"
#include "view/templates.h"

enum { UNITS_MAX = 8, FLASH_SECONDS = 60, UUID_TEXT = 36 };

static struct templates *templates;

static bool
check_templates(void *owner, char **out_why)
{
	for (size_t i = 0; i < n_endpoints; i++) {
		const struct endpoint *e = &endpoints[i];

		if (e->page &&
		    !templates_has(
			templates, mem_fmt(owner, "pages/%s", e->page))) {
			*out_why = mem_fmt(owner,
			    "%s: there is no templates/pages/%s.html",
			    e->source, e->page);
			return false;
		}
	}
	return true;
}

bool
http__pages_open(void *owner, const char *share, char **out_why)
{
	return !templates_load(owner, mem_fmt(owner, "%s/templates", share),
		   &templates, out_why) &&
	    check_templates(owner, out_why);
}

static void
put(struct json_object *o, const char *key, const char *text)
{
	if (text)
		json_object_object_add(o, key, json_object_new_string(text));
}

static void
put_true(struct json_object *o, const char *key)
{
	json_object_object_add(o, key, json_object_new_boolean(true));
}

/* A new object under a key. */
static struct json_object *
put_object(struct json_object *o, const char *key)
{
	struct json_object *child = json_object_new_object();

	json_object_object_add(o, key, child);
	return child;
}

static char *
who(struct op *op, const struct http_req *rq, const char *column)
{
	return rq->who ? rows_get(op, rq->who, 0, column) : NULL;
}

/* What every page has: me, workspace, project, nav, here, at, theme. */
static void
put_common(struct op *op, const struct http_req *rq, struct json_object *c)
{
	const char *theme = http_cookie(op, rq, "theme");
	struct json_object *o;
	const char *role, *nav;

	o = put_object(c, "here");
	put(o, "path", rq->path);
	put(o, "query", rq->query);
	if (*rq->query)
		put(o, "address", mem_fmt(op, "%s?%s", rq->path, rq->query));
	else
		put(o, "address", rq->path);
	if (rq->endpoint && rq->endpoint->page)
		put_true(put_object(c, "at"), rq->endpoint->page);
	if (theme &&
	    (strcmp(theme, "light") == 0 || strcmp(theme, "dark") == 0))
		put(c, "theme", theme);
	if (!rq->who)
		return;
	o = put_object(c, "me");
	put(o, "id", who(op, rq, "user_id"));
	put(o, "name", who(op, rq, "user_name"));
	role = who(op, rq, "role");
	put(o, "role", role);
	if (*rq->cookie)
		put(o, "csrf", auth_csrf_new(op, rq->cookie));
	put(o, "once", auth_random_id(op));
	if (role && !rq->past && /* nobody acts in the past */
	    (strcmp(role, "admin") == 0 || strcmp(role, "owner") == 0))
		put_true(o, "isAdmin");
	if (role && !rq->past && strcmp(role, "viewer") != 0)
		put_true(o, "isMember");
	if (role) {
		o = put_object(c, "workspace");
		put(o, "slug", who(op, rq, "workspace_slug"));
		put(o, "name", who(op, rq, "workspace_name"));
		put(o, "timezone", who(op, rq, "timezone"));
	}
	if (who(op, rq, "project_id")) {
		o = put_object(c, "project");
		put(o, "key", who(op, rq, "project_key_"));
		put(o, "name", who(op, rq, "project_name"));
	}
	nav = who(op, rq, "nav");
	if (nav)
		json_object_object_add(c, "nav", json_tokener_parse(nav));
}

/* The one-off message a form left: its name in a cookie, its text ours. */
static void
put_message(struct op *op, const struct http_req *rq, struct http_resp *rs,
    struct json_object *c)
{
	const char *name = http_cookie(op, rq, "m");
	const struct endpoint *form = name ? endpoint_find(name) : NULL;

	if (!name)
		return;
	if (form)
		put(c, "message", form->message);
	http_set_cookie(rq, rs, "m", "", 0);
}

static bool
is_unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || strchr("-._~,:", c);
}

static void
put_encoded(struct buf *b, const char *text)
{
	for (; *text; text++) {
		if (is_unreserved(*text))
			buf_char(b, *text);
		else
			buf_fmt(b, "%%%02X", (unsigned char)*text);
	}
}

char *
http_encode(void *owner, const char *text)
{
	struct buf *b = buf_new(owner, 64 << 10);

	for (; *text; text++) {
		if (is_unreserved(*text) && *text != ',' && *text != ':')
			buf_char(b, *text);
		else
			buf_fmt(b, "%%%02X", (unsigned char)*text);
	}
	return b->data;
}

char *
http__address(struct op *op, const char *path, const struct http_pair *pairs,
    size_t n, const struct http_pair *without, const char *more)
{
	struct buf *b = buf_new(op, 64 << 10);
	char glue = '?';

	buf_text(b, path);
	for (size_t i = 0; i < n; i++) {
		if (!*pairs[i].value || &pairs[i] == without ||
		    strcmp(pairs[i].name, "cursor") == 0)
			continue;
		buf_char(b, glue);
		glue = '&';
		put_encoded(b, pairs[i].name);
		buf_char(b, '=');
		put_encoded(b, pairs[i].value);
	}
	if (more) {
		buf_char(b, glue);
		buf_text(b, "cursor=");
		put_encoded(b, more);
	}
	return b->data;
}

/* asOf: the moment a page of the past shows, and the way back to now. */
static void
put_past(struct op *op, const struct http_req *rq,
    const struct http_pair *pairs, size_t n, struct json_object *c)
{
	const struct http_pair *asked = NULL;
	const char *zone = who(op, rq, "timezone");
	struct json_object *o;
	int at;

	if (!rq->past)
		return;
	at = rows_find(rq->past, "at");
	for (size_t i = 0; i < n; i++)
		if (strcmp(pairs[i].name, "asOf") == 0)
			asked = &pairs[i];
	o = put_object(c, "asOf");
	put(o, "revision", rows_get(op, rq->past, 0, "rev"));
	put(o, "at", rows_get(op, rq->past, 0, "at"));
	put(o, "atText",
	    humane_time(op, rows_time(rq->past, 0, (size_t)at), zone));
	put(o, "nowHref", http__address(op, rq->path, pairs, n, asked, NULL));
}

endpoint_check http_check_saved_query;

/* The first fault of a query, told as one of the body's field. */
static enum err
tell_query(struct op *op, const struct op *apart, const char *name)
{
	struct json_object *errors = NULL, *first;

	if (!json_object_object_get_ex(apart->details, "errors", &errors))
		return op_invalid(op, "/query", "%s: %s", http__label(op, name),
		    "There is no such filter.");
	first = json_object_array_get_idx(errors, 0);
	return op_invalid(op, "/query", "%s: %s",
	    http__label(op,
		json_object_get_string(
		    json_object_object_get(first, "pointer"))),
	    json_object_get_string(json_object_object_get(first, "message")));
}

/*
 * A saved filter's query must be one its list takes, and says nothing of how
 * far the list was read. The lists are those of sql/api/filters.schema.json.
 */
enum err
http_check_saved_query(struct op *op, struct http_req *rq)
{
	static const struct {
		const char *list, *endpoint;
	} lists[] = {
	    {"stories", "list_stories"},
	    {"backlog", "show_backlog"},
	    {"board", "show_board"},
	};
	const struct endpoint *e = NULL;
	struct op *apart = op_new(op, op->id, op->db);
	struct http_pair *pairs = NULL, *kept;
	struct http_args *args;
	size_t n = 0, n_kept = 0;
	bool *used;
	const char *query;

	for (size_t i = 0; i < nitems(lists); i++)
		if (strcmp(lists[i].list, http_text(rq, "list")) == 0)
			e = endpoint_find(lists[i].endpoint);
	assert(e);
	if (http__pairs(apart, http_text(rq, "query"), &pairs, &n))
		return op_invalid(op, "/query", "Give a list's query.");
	kept = mem_array(op, struct http_pair, n + 1);
	for (size_t i = 0; i < n; i++)
		if (*pairs[i].value && strcmp(pairs[i].name, "cursor") != 0 &&
		    strcmp(pairs[i].name, "limit") != 0)
			kept[n_kept++] = pairs[i];
	if (n_kept == 0)
		return op_invalid(op, "/query", "Choose at least one filter.");
	used = mem_array(op, bool, n_kept);
	if (http__args(apart, rq, e, kept, n_kept, used, &args))
		return tell_query(op, apart, "query");
	for (size_t i = 0; i < n_kept; i++)
		if (!used[i])
			return tell_query(op, apart, kept[i].name);
	query = http__address(op, "", kept, n_kept, NULL, NULL);
	json_object_object_add(
	    rq->json, "query", json_object_new_string(query + 1));
	return ERR_OK;
}

/* What a filter's value is called: the page's part `names` knows ids. */
static const char *
chosen_text(struct op *op, struct json_object *c, const char *value)
{
	struct json_object *names = NULL, *map = NULL, *name = NULL;

	if (!text_is_uuid(value))
		return humane_word(op, value);
	if (json_object_object_get_ex(c, "names", &names) &&
	    json_object_object_get_ex(names, "map", &map) &&
	    json_object_object_get_ex(map, value, &name))
		return json_object_get_string(name);
	return "one";
}

/* filters: what is chosen, for the form; active: what can be removed. */
static void
put_filters(struct op *op, const struct http_req *rq,
    const struct http_pair *pairs, size_t n, struct json_object *c)
{
	struct json_object *filters = put_object(c, "filters");
	struct json_object *active = json_object_new_array();

	json_object_object_add(c, "active", active);
	for (size_t i = 0; i < n; i++) {
		struct json_object *row, *chosen = NULL;

		if (!*pairs[i].value || strcmp(pairs[i].name, "cursor") == 0 ||
		    strcmp(pairs[i].name, "limit") == 0)
			continue;
		/* {"state":{"value":"open","open":true}}: usable for text
		 * fields and for options alike */
		if (!json_object_object_get_ex(filters, pairs[i].name, &chosen))
			chosen = put_object(filters, pairs[i].name);
		for (const char *rest = pairs[i].value; *rest;) {
			size_t k = strcspn(rest, ",");

			if (k)
				put_true(chosen, mem_dup_n(op, rest, k));
			rest += k + (rest[k] == ',');
		}
		put(chosen, "value", pairs[i].value); /* last: q=value */
		if (strcmp(pairs[i].name, "order") == 0 ||
		    strcmp(pairs[i].name, "group") == 0 ||
		    strcmp(pairs[i].name, "asOf") == 0)
			continue; /* how it is shown, not what */
		row = json_object_new_object();
		put(row, "name", pairs[i].name);
		put(row, "value", pairs[i].value);
		put(row, "label", http__label(op, pairs[i].name));
		put(row, "text", chosen_text(op, c, pairs[i].value));
		put(row, "removeHref",
		    http__address(op, rq->path, pairs, n, &pairs[i], NULL));
		json_object_array_add(active, row);
	}
	if (json_object_array_length(active)) {
		put(c, "clearHref", rq->path);
		put_true(c, "isFiltered");
	}
}

static void
put_pager(struct op *op, const struct http_req *rq,
    const struct http_pair *pairs, size_t n, const struct http_result *result,
    struct json_object *c)
{
	struct json_object *o = put_object(c, "page");
	size_t shown =
	    rows_count(result->rows[http__paged_part(result->args->endpoint)]);
	int64_t n_rows = rows_int(result->count, 0, 0);
	bool more = n_rows > HTTP_COUNT_MAX;
	char *previous, *next;

	if (shown > (size_t)result->args->limit)
		shown = (size_t)result->args->limit;
	put(o, "shownText", humane_count(op, (int64_t)shown));
	put(o, "countText",
	    mem_fmt(op, "%s%s",
		humane_count(op, more ? HTTP_COUNT_MAX : n_rows),
		more ? "+" : ""));
	http__page_edges(op, result, &previous, &next);
	if (previous)
		put(o, "previousHref",
		    http__address(op, rq->path, pairs, n, NULL, previous));
	if (next)
		put(o, "nextHref",
		    http__address(op, rq->path, pairs, n, NULL, next));
	if (previous || next)
		put_true(o, "isNeeded");
}

const char *
http_query(struct op *op, const struct http_req *rq, const char *name)
{
	struct http_pair *pairs;
	size_t n;

	if (http__pairs(op, rq->query, &pairs, &n))
		return "";
	for (size_t i = 0; i < n; i++)
		if (strcmp(pairs[i].name, name) == 0)
			return pairs[i].value;
	return "";
}

/* One run of a page: its endpoint and those it uses. */
struct pour {
	struct http_pair *pairs;
	size_t n_pairs, n_units;
	struct http_args *args[UNITS_MAX];
	struct http_result results[UNITS_MAX];
};

/* Types the query for the page and all it uses; a form shown again has none.
 * Unlike the API a page leaves out what it does not know: old bookmarks and
 * trackers' parameters must not break it. */
static enum err
prepare(
    struct op *op, struct http_req *rq, const char *query, struct pour *pour)
{
	const struct endpoint *e = rq->endpoint;
	enum err err = http__pairs(op, query, &pour->pairs, &pour->n_pairs);
	bool *used;

	if (err)
		return err;
	assert(e->n_uses < UNITS_MAX);
	used = mem_array(op, bool, pour->n_pairs);
	pour->n_units = 1 + e->n_uses;
	for (size_t i = 0; i < pour->n_units && !err; i++)
		err = http__args(op, rq, i ? e->uses[i - 1].endpoint : e,
		    pour->pairs, pour->n_pairs, used, &pour->args[i]);
	return err;
}

/* All statements in one round trip; then each one's own verdict. */
static enum err
run(struct op *op, struct http_req *rq, struct pour *pour)
{
	enum err e = http__run(
	    op, rq, rq->endpoint, pour->args, pour->n_units, pour->results);

	for (size_t i = 0; !e && i < pour->n_units; i++)
		e = http__outcome(op, &pour->results[i]);
	return e;
}

static int64_t
now_micros(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static enum err
parse_document(struct op *op, const struct http_result *result,
    const struct http_style *style, struct json_object **out)
{
	struct buf *b = buf_new(op, HTTP_REPLY_MAX);
	enum err e = http__document(op, result, style, b);

	if (!e)
		*out = json_tokener_parse(b->data);
	mem_drop(&b);
	return e;
}

/* The document a handler writes, as JSON, in place of the page's statements. */
static enum err
put_own(struct op *op, struct http_req *rq, struct http_resp *rs,
    struct json_object *c)
{
	struct json_object *doc;
	enum err e;

	if (!rq->endpoint->handler)
		return ERR_OK;
	e = rq->endpoint->handler(op, rq, rs);
	if (e)
		return e;
	if (rs->status == 303)
		return ERR_OK;
	doc = op_json(op, json_tokener_parse(rs->body->data));
	assert(doc);
	json_object_object_foreach (doc, key, value) {
		json_object_object_add(c, key, json_object_get(value));
	}
	return ERR_OK;
}

static enum err
put_documents(struct op *op, const struct http_req *rq, const struct pour *pour,
    struct json_object *c)
{
	const char *zone = who(op, rq, "timezone");
	const struct http_style style = {
	    .zone = zone ? zone : "UTC", .now = now_micros()};

	for (size_t i = 0; i < pour->n_units; i++) {
		struct json_object *doc = NULL;
		enum err e =
		    parse_document(op, &pour->results[i], &style, &doc);

		if (e)
			return e;
		if (i) {
			json_object_object_add(
			    c, rq->endpoint->uses[i - 1].as, doc);
			continue;
		}
		json_object_object_foreach (doc, key, value) {
			json_object_object_add(c, key, json_object_get(value));
		}
		json_object_put(doc);
	}
	return ERR_OK;
}

/* A page may send its reader on: a column "!redirect" in its first row. */
static const char *
redirect_of(struct op *op, const struct pour *pour)
{
	const struct http_result *own = &pour->results[0];

	for (size_t i = 0; i < own->args->endpoint->n_parts; i++)
		if (rows_count(own->rows[i]) &&
		    rows_find(own->rows[i], "!redirect") >= 0)
			return rows_get(op, own->rows[i], 0, "!redirect");
	return NULL;
}

static enum err
render(struct op *op, struct http_resp *rs, const char *page,
    struct json_object *context)
{
	buf_reset(rs->body);
	rs->type = "text/html; charset=utf-8";
	if (templates_render(
		templates, mem_fmt(op, "pages/%s", page), context, rs->body))
		return op_fail(op, ERR_INTERNAL, "page %s", page);
	return ERR_OK;
}

/* Marks the rows of a page's lists whose ids the refused form had chosen, and
 * gives them what it said of each. */
static void
mark_typed(struct json_object *c, struct json_object *ids)
{
	json_object_object_foreach (c, key, list) {
		(void)key;
		if (!json_object_is_type(list, json_type_array))
			continue;
		for (size_t i = 0; i < json_object_array_length(list); i++) {
			struct json_object *row =
			    json_object_array_get_idx(list, i);
			struct json_object *id = NULL, *typed = NULL;

			if (!json_object_object_get_ex(row, "id", &id) ||
			    !json_object_object_get_ex(
				ids, json_object_get_string(id), &typed))
				continue;
			if (json_object_is_type(typed, json_type_object))
				json_object_object_add(
				    row, "typed", json_object_get(typed));
			else
				put_true(row, "isTyped");
		}
	}
}

/* Whether a page's own document, or what it uses first, is a list. */
static bool
shows_list(const struct endpoint *e)
{
	if (e->n_uses)
		return e->uses[0].endpoint->reply >= REPLY_LIST;
	return e->n_orders > 0;
}

/* The page for what the request said, with `extra` (input and errors of a
 * refused form) in its context. */
static enum err
show(struct op *op, struct http_req *rq, struct http_resp *rs,
    const char *query, struct json_object *extra)
{
	const struct endpoint *e = rq->endpoint;
	struct json_object *c = op_json(op, json_object_new_object());
	struct pour pour = {.n_units = 0};
	const char *go;
	enum err err = prepare(op, rq, query, &pour);

	if (!err)
		err = run(op, rq, &pour);
	if (err)
		return err;
	go = redirect_of(op, &pour);
	if (go)
		return http_see_other(rs, go);
	err = put_documents(op, rq, &pour, c);
	if (!err)
		err = put_own(op, rq, rs, c);
	if (err)
		return err;
	if (rs->status == 303) /* the page's handler sends its reader on */
		return ERR_OK;
	put_common(op, rq, c);
	put_past(op, rq, pour.pairs, pour.n_pairs, c);
	put_message(op, rq, rs, c);
	put_filters(op, rq, pour.pairs, pour.n_pairs, c);
	for (size_t i = 0; i < pour.n_units; i++)
		if (pour.args[i]->order)
			put_pager(op, rq, pour.pairs, pour.n_pairs,
			    &pour.results[i], c);
	if (shows_list(e)) {
		const char *asked = *query ? mem_fmt(op, "?%s", query) : "";

		put(c, "json", mem_fmt(op, "%s.json%s", rq->path, asked));
		put(c, "csv", mem_fmt(op, "%s.csv%s", rq->path, asked));
	}
	if (extra) {
		mark_typed(c, json_object_object_get(extra, "typed"));
		json_object_object_foreach (extra, name, value) {
			json_object_object_add(c, name, json_object_get(value));
		}
	}
	return render(op, rs, e->page, c);
}

/* The other doors: the list a page shows, as JSON or CSV. */
static enum err
show_data(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	const struct http_style plain = {.zone = NULL};
	struct pour pour = {.n_units = 0};
	enum err err = prepare(op, rq, rq->query, &pour);
	size_t unit = rq->endpoint->n_uses ? 1 : 0;

	if (!err && pour.args[unit]->endpoint->n_parts == 0)
		err = op_fail(op, ERR_NOT_FOUND, "the page shows no data");
	if (!err)
		err = run(op, rq, &pour);
	if (err)
		return err;
	if (rq->wants_csv)
		return http__csv(op, rq, rs, &pour.results[unit]);
	rs->type = "application/json";
	return http__document(op, &pour.results[unit], &plain, rs->body);
}

static void
put_headline(struct json_object *c, enum err e)
{
	static const struct {
		enum err e;
		const char *title;
	} titles[] = {
	    {ERR_NOT_FOUND, "Page not found"},
	    {ERR_FORBIDDEN, "Your role does not allow this"},
	    {ERR_CSRF, "The form has expired"},
	    {ERR_VERSION_CONFLICT, "Someone changed this before you did"},
	    {ERR_UNAVAILABLE, "Gnomon is not available at the moment"},
	    {ERR_METHOD_NOT_ALLOWED, "Page not found"},
	};

	put(c, "title", "The page could not be shown");
	if (err_info(e)->status < 500)
		put(c, "title", err_info(e)->sentence);
	for (size_t i = 0; i < nitems(titles); i++)
		if (titles[i].e == e)
			put(c, "title", titles[i].title);
}

bool
http_is_local(const char *path)
{
	return path[0] == '/' && path[1] != '/' && path[1] != '\\' &&
	    !strpbrk(path, "\r\n\t") && strlen(path) < 2000;
}

/* The path of another endpoint, its {names} as in this request. */
static char *
path_of(struct op *op, const struct http_req *rq, const struct endpoint *e)
{
	struct buf *b = buf_new(op, 8 << 10);

	for (const char *s = e->path; *s;) {
		size_t n = strcspn(s, "{"), k;

		buf_add(b, s, n);
		s += n;
		if (!*s)
			break;
		k = strcspn(++s, "}");
		put_encoded(b, http_segment(rq, mem_dup_n(op, s, k)));
		s += k + 1;
	}
	return b->data;
}

/* What is never shown again, though it was typed. */
static bool
is_secret(const char *name)
{
	return text_ends(name, "assword") || strcmp(name, "code") == 0;
}

/* The fields a form sent. */
static enum err
fields_of(struct op *op, const struct http_req *rq,
    struct http_pair **out_pairs, size_t *out_n)
{
	if (http__is_multipart(rq))
		return http__parts(op, rq, out_pairs, out_n);
	return http__pairs(op, rq->body, out_pairs, out_n);
}

/* What a refused form sent, to be sent again, and where its page is. */
static void
put_again(struct op *op, const struct http_req *rq, struct json_object *c)
{
	struct json_object *sent = json_object_new_array();
	struct http_pair *pairs = NULL;
	size_t n = 0;

	json_object_object_add(c, "sent", sent);
	if (!rq->is_form || fields_of(op, rq, &pairs, &n))
		return;
	for (size_t i = 0; i < n; i++) {
		struct json_object *row;

		if (strcmp(pairs[i].name, "csrf") == 0 ||
		    strcmp(pairs[i].name, "once") == 0 ||
		    strcmp(pairs[i].name, "version") == 0 ||
		    is_secret(pairs[i].name))
			continue;
		row = json_object_new_object();
		put(row, "name", pairs[i].name);
		put(row, "value", pairs[i].value);
		json_object_array_add(sent, row);
	}
	put(c, "keepHref", rq->path);
	if (rq->endpoint->again)
		put(c, "keepHref", path_of(op, rq, rq->endpoint->again));
	for (size_t i = 0; i < n; i++)
		if (strcmp(pairs[i].name, "next") == 0 &&
		    http_is_local(pairs[i].value))
			put(c, "keepHref", pairs[i].value);
}

void
http__error_page(struct op *op, const struct http_req *rq, struct http_resp *rs)
{
	const struct err_info *info = err_info(op->err);
	struct json_object *c = op_json(op, json_object_new_object());
	struct json_object *errors = NULL;

	put_common(op, rq, c);
	put_headline(c, op->err);
	json_object_object_add(c, "status", json_object_new_int(info->status));
	put(c, "code", info->word);
	put(c, "sentence", info->sentence);
	put(c, "requestId", rq->id);
	put_true(c, mem_fmt(op, "is%d", info->status));
	put_true(put_object(c, "refused"), info->word);
	if (op->details && op->err == ERR_VERSION_CONFLICT) {
		json_object_object_add(c, "current",
		    json_object_get(
			json_object_object_get(op->details, "current")));
		json_object_object_add(c, "yours", json_object_get(rq->json));
		http__put_conflict(op, rq, c);
		put_again(op, rq, c);
	}
	if (json_object_object_get_ex(op->details, "errors", &errors))
		json_object_object_add(c, "errors", json_object_get(errors));
	rs->status = info->status;
	http__put_retry(rs);
	if (templates_render(templates,
		op->err == ERR_VERSION_CONFLICT &&
			templates_has(templates, "pages/conflict")
		    ? "pages/conflict"
		    : "pages/error",
		c, rs->body)) {
		buf_reset(rs->body);
		buf_text(rs->body, info->sentence);
		rs->type = "text/plain; charset=utf-8";
		return;
	}
	rs->type = "text/html; charset=utf-8";
}

static void
to_login(struct op *op, const struct http_req *rq, struct http_resp *rs)
{
	struct buf *b = buf_new(op, 16 << 10);

	buf_text(b, "/login");
	if (rq->method == METHOD_GET && strcmp(rq->path, "/") != 0) {
		buf_text(b, "?next=");
		put_encoded(b, rq->path);
	}
	(void)http_see_other(rs, b->data);
}

static void
refuse(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	if (op->err == ERR_UNAUTHENTICATED)
		to_login(op, rq, rs);
	else
		http__error_page(op, rq, rs);
}

static void
open_cookie(struct op *op, struct http_req *rq)
{
	const char *cookie = http_cookie(op, rq, "s");

	rq->cookie = cookie && http_may_sign_in(rq) ? cookie : "";
	rq->authorization = ""; /* pages know cookies only */
}

static void
open_page(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	open_cookie(op, rq);
	http_header(rs, "Vary", "Cookie");
	http_header(rs, "Cache-Control", "private, no-cache");
}

void
http__page(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	open_page(op, rq, rs);
	if (show(op, rq, rs, rq->query, NULL))
		refuse(op, rq, rs);
}

enum err
http__page_data(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	open_page(op, rq, rs);
	return show_data(op, rq, rs);
}

/* Forms */

/* The site the form came from, as browsers tell it; a text browser tells
 * nothing, and then the token alone decides. */
static bool
is_same_site(struct op *op, const struct http_req *rq)
{
	if (*rq->fetch_site)
		return strcmp(rq->fetch_site, "same-origin") == 0;
	if (*rq->origin)
		return strcmp(rq->origin,
			   mem_fmt(op, "%s://%s",
			       rq->is_https ? "https" : "http", rq->host)) == 0;
	return true;
}

static bool
is_ours(const char *name)
{
	return strcmp(name, "csrf") == 0 || strcmp(name, "once") == 0 ||
	    strcmp(name, "next") == 0 || strcmp(name, "clear") == 0;
}

/* A field's text as the JSON its schema asks for. */
static struct json_object *
coerce(enum schema_type type, const char *text)
{
	int64_t number;
	double real;
	char *end;

	if ((type & SCHEMA_INTEGER) && text_int(text, &number))
		return json_object_new_int64(number);
	if (type & SCHEMA_NUMBER) {
		real = strtod(text, &end);
		if (end != text && !*end && isfinite(real))
			return json_object_new_double(real);
	}
	if ((type & SCHEMA_BOOLEAN) && strcmp(text, "true") == 0)
		return json_object_new_boolean(true);
	if ((type & SCHEMA_BOOLEAN) && strcmp(text, "false") == 0)
		return json_object_new_boolean(false);
	if ((type & SCHEMA_NULL) && strcmp(text, "null") == 0)
		return NULL;
	return json_object_new_string(text);
}

/* A member of an object: the field capacity.x is x of capacity, unless it is
 * empty. */
static bool
put_in_object(struct json_object *body, const struct schema *schema,
    const char *name, const char *text)
{
	char first[64];
	const char *dot = strchr(name, '.');
	size_t n = dot ? (size_t)(dot - name) : 0;
	struct json_object *o = NULL;

	if (!n || n >= sizeof(first) || !schema)
		return false;
	memcpy(first, name, n);
	first[n] = '\0';
	if (!(schema_property_type(schema, first) & SCHEMA_OBJECT) ||
	    schema_property_type(schema, first) == SCHEMA_ANY)
		return false;
	if (!json_object_object_get_ex(body, first, &o))
		o = put_object(body, first);
	if (*text)
		json_object_object_add(o, dot + 1, coerce(SCHEMA_NUMBER, text));
	return true;
}

static const char *
field(const struct http_pair *pairs, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(pairs[i].name, name) == 0)
			return pairs[i].value;
	return "";
}

/* The items of a list: fields of one name, and lines of one field. "[]" is none,
 * so that boxes none of which is ticked say so. */
static void
add_lines(void *owner, struct json_object *list, enum schema_type item,
    const char *text)
{
	while (*text && strcmp(text, "[]") != 0) {
		size_t n = strcspn(text, "\r\n"), from = strspn(text, " \t");
		size_t end;
		char *line;

		from = from < n ? from : n;
		end = n;
		while (end > from && strchr(" \t", text[end - 1]))
			end--;
		if (end > from) {
			line = mem_dup_n(owner, text + from, end - from);
			json_object_array_add(list, coerce(item, line));
		}
		text += n;
		text += strspn(text, "\r\n");
	}
}

/* A field that came empty and shall be: nothing, where the schema takes it. */
static struct json_object *
emptied(enum schema_type type)
{
	return type & SCHEMA_NULL ? NULL : json_object_new_string("");
}

/* Whether a property may be an empty text. */
static bool
takes_empty(struct op *op, const struct schema *schema, const char *name)
{
	struct json_object *o = op_json(op, json_object_new_object());
	const char *pointer = mem_fmt(op, "/%s", name);
	struct schema_errors errors;

	if (!schema || schema_property_type(schema, name) != SCHEMA_STRING)
		return false;
	put(o, name, "");
	if (schema_accepts(schema, o, op, &errors))
		return true;
	for (size_t i = 0; i < errors.n; i++)
		if (strcmp(errors.item[i].pointer, pointer) == 0)
			return false;
	return true;
}

static bool
is_among(const char *word, const char *words)
{
	size_t n = strlen(word);

	for (; *words; words += strspn(words, " ")) {
		size_t k = strcspn(words, " ");

		if (k == n && memcmp(words, word, n) == 0)
			return true;
		words += k;
	}
	return false;
}

static struct json_object *
list_of(struct json_object *body, const char *name)
{
	struct json_object *list = json_object_object_get(body, name);

	if (!list) {
		list = json_object_new_array();
		json_object_object_add(body, name, list);
	}
	return list;
}

/* input.title as it was typed; input.is.status.done for what was chosen. */
static void
put_typed(struct json_object *input, struct json_object *is, const char *name,
    const char *value)
{
	struct json_object *chosen = NULL;

	put(input, name, value);
	if (!*value || strlen(value) > UUID_TEXT)
		return;
	if (!json_object_object_get_ex(is, name, &chosen))
		chosen = put_object(is, name);
	put_true(chosen, value);
}

/* The fields as the body of the endpoint; input keeps them as typed. An empty
 * field is left out, unless it empties a text that is changed, or `clear` names
 * it. */
static void
read_fields(struct op *op, const struct endpoint *of,
    const struct http_pair *pairs, size_t n, struct json_object *body,
    struct json_object *input)
{
	const struct schema *schema = of->body ? http__schema(of->body) : NULL;
	const char *clear = field(pairs, n, "clear");
	struct json_object *is = put_object(input, "is");

	for (size_t i = 0; i < n; i++) {
		const char *name = pairs[i].name, *value = pairs[i].value;
		enum schema_type type;

		if (!is_secret(name) && strcmp(name, "is") != 0)
			put_typed(input, is, name, value);
		if (is_ours(name) || put_in_object(body, schema, name, value))
			continue;
		if (!*value && !is_among(name, clear) &&
		    !(of->method == METHOD_PATCH &&
			takes_empty(op, schema, name)))
			continue;
		type =
		    schema ? schema_property_type(schema, name) : SCHEMA_STRING;
		/* what may be a text as well is given as the text it is */
		if ((type & SCHEMA_ARRAY) && !(type & SCHEMA_STRING))
			add_lines(op, list_of(body, name),
			    schema_property_item_type(schema, name), value);
		else
			json_object_object_add(body, name,
			    *value ? coerce(type, value) : emptied(type));
	}
}

/* `then` with its {names} filled: path, the form's next, a column. */
static char *
destination(struct op *op, const struct http_req *rq, const char *next,
    const struct http_result *result)
{
	struct buf *b = buf_new(op, 8 << 10);

	for (const char *s = rq->endpoint->then; *s;) {
		size_t n = strcspn(s, "{"), k;
		const char *name, *value;

		buf_add(b, s, n);
		s += n;
		if (!*s)
			break;
		k = strcspn(++s, "}");
		name = mem_dup_n(op, s, k);
		s += k + 1;
		if (strcmp(name, "next") == 0) {
			buf_text(b, http_is_local(next) ? next : "/");
			continue;
		}
		value = http_segment(rq, name);
		if (!*value && result->rows && rows_count(result->rows[0]))
			value = rows_get(op, result->rows[0], 0, name);
		put_encoded(b, value ? value : "");
	}
	return b->data;
}

/* Runs the form's endpoint. */
static enum err
submit(struct op *op, struct http_req *rq, struct http_resp *rs,
    struct http_result *out_result)
{
	const struct endpoint *form = rq->endpoint, *of = form->form_of;
	struct http_args *args;
	enum err e = ERR_OK;

	if (of->body)
		e = http__check_body(op, rq, of);
	if (!e)
		e = http__args(op, rq, of, NULL, 0, NULL, &args);
	if (e)
		return e;
	if (of->body && of->body_slot < of->n_slots) {
		args->values[of->body_slot] = http_body_text(op, rq->json);
		args->given |= UINT32_C(1) << of->body_slot;
	}
	e = http__run(op, rq, form, &args, 1, out_result);
	if (!e)
		e = http__outcome(op, out_result);
	if (!e && of->handler)
		e = of->handler(op, rq, rs);
	return e;
}

/* Where a form that was sent before led to. */
static enum err
recall(struct op *op, struct http_req *rq, struct http_resp *rs,
    const char **out_location)
{
	struct db_call enter = {.stmt = NULL};
	enum err e = http__enter_call(op, rq, rq->endpoint, &enter);

	if (e && e != ERR_REPLAYED)
		return e;
	return http__once_recall(op, rq, rs, enter, out_location);
}

/* Does what the form asks, once; *out_location is where to go then. */
static enum err
submit_once(struct op *op, struct http_req *rq, struct http_resp *rs,
    const struct http_pair *pairs, size_t n, const char **out_location)
{
	struct http_result result = {.args = NULL};
	enum err e = http__once_open(op, rq, field(pairs, n, "once"));

	if (!e)
		e = submit(op, rq, rs, &result);
	if (e == ERR_REPLAYED)
		return recall(op, rq, rs, out_location);
	if (e)
		return e;
	*out_location = rs->location
	    ? rs->location
	    : destination(op, rq, field(pairs, n, "next"), &result);
	rs->status = 303;
	return rq->once ? http__once_store(op, rq, rs, *out_location) : ERR_OK;
}

/* The same path seen as another endpoint's: its {names} by name. */
static void
see_as(struct http_req *rq, const struct endpoint *e)
{
	const char *segments[nitems(rq->segments)] = {NULL};
	const char *s = e->path;

	for (size_t k = 0; (s = strchr(s, '{')); k++, s++) {
		char name[64];
		size_t n = strcspn(s + 1, "}");

		assert(n < sizeof(name) && k < nitems(segments));
		memcpy(name, s + 1, n);
		name[n] = '\0';
		segments[k] = http_segment(rq, name);
	}
	memcpy(rq->segments, segments, sizeof(segments));
	rq->endpoint = e;
}

/* The field a pointer names; NULL: the form as a whole. */
static const char *
field_of(const char *pointer)
{
	return *pointer == '/' ? pointer + 1 : NULL;
}

/* The ids among what was chosen, as members; of a field x.id what was typed. */
static struct json_object *
typed_ids(struct op *op, struct json_object *input)
{
	struct json_object *ids = json_object_new_object(), *typed;

	json_object_object_foreach (input, name, text) {
		const char *dot = strchr(name, '.');

		if (!dot || !text_is_uuid(dot + 1))
			continue;
		if (!json_object_object_get_ex(ids, dot + 1, &typed))
			typed = put_object(ids, dot + 1);
		json_object_object_add(typed,
		    mem_dup_n(op, name, (size_t)(dot - name)),
		    json_object_get(text));
	}

	json_object_object_foreach (
	    json_object_object_get(input, "is"), key, values) {
		(void)key;
		json_object_object_foreach (values, value, yes) {
			(void)yes;
			if (text_is_uuid(value))
				put_true(ids, value);
		}
	}
	return ids;
}

/* Shows the page again with what was typed and what is wrong with it. */
static void
show_again(struct op *op, struct http_req *rq, struct http_resp *rs,
    struct json_object *input)
{
	const struct endpoint *form = rq->endpoint;
	const struct err_info *info = err_info(op->err);
	struct json_object *extra = op_json(op, json_object_new_object());
	struct json_object *errors = NULL, *preview = NULL, *row;
	struct op *again = op_new(op, op->id, op->db);

	if (json_object_object_get_ex(op->details, "preview", &preview)) {
		json_object_object_add(
		    extra, "preview", json_object_get(preview));
		errors = json_object_new_array();
	} else if (json_object_object_get_ex(op->details, "errors", &errors)) {
		json_object_get(errors);
		for (size_t i = 0; i < json_object_array_length(errors); i++) {
			row = json_object_array_get_idx(errors, i);
			put(row, "field",
			    field_of(json_object_get_string(
				json_object_object_get(row, "pointer"))));
		}
	} else {
		errors = json_object_new_array();
		row = json_object_new_object();
		put(row, "message", info->sentence);
		json_object_array_add(errors, row);
	}
	json_object_object_add(extra, "errors", errors);
	json_object_object_add(extra, "typed", typed_ids(op, input));
	json_object_object_add(extra, "input", json_object_get(input));
	put_true(put_object(extra, "refused"), info->word);
	json_object_object_add(
	    extra, form->form_of->name, json_object_get(input));
	see_as(rq, form->again);
	if (show(again, rq, rs, "", extra))
		refuse(again, rq, rs);
	else
		rs->status = preview ? 200 : info->status;
	rq->endpoint = form; /* what was asked for is counted and logged */
}

static bool
is_correctable(enum err e)
{
	return e == ERR_VALIDATION_FAILED || e == ERR_BAD_CREDENTIALS ||
	    e == ERR_CONFLICT || e == ERR_ILLEGAL_STATE ||
	    e == ERR_LAST_OWNER || e == ERR_UNVERIFIED || e == ERR_LINK_OVER ||
	    e == ERR_BAD_CODE || e == ERR_RATE_LIMITED;
}

void
http__form(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	const struct endpoint *form = rq->endpoint;
	struct json_object *input = op_json(op, json_object_new_object());
	const char *location = "/";
	struct http_pair *pairs = NULL;
	size_t n = 0;

	open_cookie(op, rq);
	rq->is_form = true;
	rq->json = op_json(op, json_object_new_object());
	http_header(rs, "Cache-Control", "no-store");
	if (rq->is_body_too_large)
		(void)op_fail(op, ERR_BODY_TOO_LARGE, "form");
	else if (fields_of(op, rq, &pairs, &n))
		(void)op->err;
	else if (!is_same_site(op, rq))
		(void)op_fail(op, ERR_CSRF, "from %s", rq->origin);
	else if (form->role != ROLE_PUBLIC && !*rq->cookie)
		(void)op_fail(op, ERR_UNAUTHENTICATED, "no cookie");
	else if (form->role != ROLE_PUBLIC &&
	    !auth_csrf_matches(rq->cookie, field(pairs, n, "csrf")))
		(void)op_fail(op, ERR_CSRF, "token");
	else
		read_fields(op, form->form_of, pairs, n, rq->json, input);
	if (pairs && http_is_local(field(pairs, n, "next")))
		rq->next = field(pairs, n, "next");
	if (!op->err && !submit_once(op, rq, rs, pairs, n, &location)) {
		(void)http_see_other(rs, location);
		if (form->message)
			http_set_cookie(rq, rs, "m", form->name, FLASH_SECONDS);
		return;
	}
	http__once_drop(rq);
	if (form->again && is_correctable(op->err))
		show_again(op, rq, rs, input);
	else
		refuse(op, rq, rs);
}
