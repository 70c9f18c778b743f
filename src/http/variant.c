/*
 * The statement of a part for the parameters given: the pieces that stand, in
 * order, with $n for each value. Built once per process and combination, never
 * from input; prepared once per connection.
 */
#include <assert.h>
#include <ctype.h>
#include <json-c/json.h>
#include <stdlib.h>

#include "auth/auth.h"
#include "gen/queries.h"
#include "http/http_priv.h"

enum { SQL_MAX = 256 << 10, VARIANTS_MAX = 4096, HASHES = 1024 };

/* Where the value of $n comes from: a slot, the limit, a key of the cursor. */
enum { REF_LIMIT = 1000, REF_KNOWN = 1001, REF_KEY = 2000 };

struct variant {
	const struct part *part;
	const struct order *order;
	uint32_t given;
	bool backwards, has_keys;
	bool counts; /* the number of rows instead of the rows */
	struct stmt stmt;
	size_t refs[HTTP_SLOTS + 8];
	struct variant *next;
};

/* Grows up to VARIANTS_MAX; what comes after that is built for its request
 * only and never prepared. Filters multiply: nobody shall fill the memory by
 * asking for every combination of them. */
static struct variant *table[HASHES];
static unsigned n_variants;

static size_t
hash(const struct part *part, const struct http_args *args)
{
	uint64_t h = (uintptr_t)part / sizeof(*part);

	h = h * 31 + args->given;
	h = h * 31 + (uintptr_t)args->order / sizeof(*args->order);
	h = h * 4 + (args->backwards ? 2U : 0U) + (args->keys ? 1U : 0U);
	return (h * UINT64_C(0x9E3779B97F4A7C15)) >> 32 & (HASHES - 1);
}

static const char *
name_of_ref(const struct variant *v, const struct endpoint *e, size_t ref)
{
	return ref >= REF_KEY  ? v->order->columns[ref - REF_KEY].alias
	    : ref == REF_LIMIT ? "limit"
	    : ref == REF_KNOWN ? "known"
			       : e->slots[ref].name;
}

static void
put_ref(struct variant *v, struct buf *sql, unsigned *types, size_t ref,
    unsigned type)
{
	size_t n = 0;

	while (n < v->stmt.n_types && v->refs[n] != ref)
		n++;
	if (n == v->stmt.n_types) {
		assert(n < nitems(v->refs));
		v->refs[n] = ref;
		types[n] = type;
		v->stmt.n_types++;
	}
	buf_fmt(sql, "$%zu", n + 1);
}

/* How many rows there are, counted no further than people care. */
static void
put_count(struct buf *sql)
{
	buf_fmt(sql, " LIMIT %d", HTTP_COUNT_MAX + 1);
}

/* AND (a, b) < ($1, $2) ORDER BY a DESC, b DESC LIMIT $3 */
static void
put_page(struct variant *v, struct buf *sql, unsigned *types)
{
	const struct order *o = v->order;
	bool descending = o->descending != v->backwards;

	if (v->has_keys) {
		buf_text(sql, "AND (");
		for (size_t i = 0; i < o->n_columns; i++)
			buf_fmt(sql, "%s%s", i ? ", " : "",
			    o->columns[i].expression);
		buf_text(sql, descending ? ") < (" : ") > (");
		for (size_t i = 0; i < o->n_columns; i++) {
			buf_text(sql, i ? ", " : "");
			put_ref(v, sql, types, REF_KEY + i, o->columns[i].type);
		}
		buf_text(sql, ")");
	}
	buf_text(sql, " ORDER BY ");
	for (size_t i = 0; i < o->n_columns; i++)
		buf_fmt(sql, "%s%s%s", i ? ", " : "", o->columns[i].expression,
		    descending ? " DESC" : "");
	buf_text(sql, " LIMIT ");
	put_ref(v, sql, types, REF_LIMIT, SQL_INT8);
}

static struct variant *
build(void *owner, const struct endpoint *e, const struct part *part,
    const struct http_args *args, bool counts)
{
	struct variant *v = mem_new(owner, struct variant);
	unsigned types[HTTP_SLOTS + 8];
	const char **names;
	struct buf *sql = buf_new(v, SQL_MAX);

	v->part = part;
	v->order = args->order;
	v->given = args->given;
	v->backwards = args->backwards;
	v->has_keys = args->keys != NULL;
	v->counts = counts;
	if (counts)
		buf_text(sql, "SELECT count(*) FROM (");
	for (size_t i = 0; i < part->n_pieces; i++) {
		const struct piece *p = &part->pieces[i];

		if (p->kind == PIECE_TEXT)
			buf_text(sql, p->text);
		else if (p->kind == PIECE_SLOT)
			put_ref(v, sql, types, p->slot, e->slots[p->slot].type);
		else if (p->kind == PIECE_PAGE && counts)
			put_count(sql);
		else if (p->kind == PIECE_PAGE)
			put_page(v, sql, types);
		else if (p->kind == PIECE_CHANGED) {
			buf_text(sql, "gnomon.changed(");
			put_ref(v, sql, types, REF_KNOWN, SQL_INT8_LIST);
			buf_char(sql, ')');
		} else if (!(args->given >> p->slot & 1))
			i = p->to - 1;
	}
	if (counts)
		buf_text(sql, ") AS counted");
	assert(!sql->full);
	if (!owner)
		v->stmt.id = N_QUERIES + ++n_variants;
	v->stmt.source = part->source;
	v->stmt.sql = sql->data;
	v->stmt.types = mem_copy(v, types, v->stmt.n_types * sizeof(*types));
	names = mem_array(v, const char *, v->stmt.n_types);
	for (size_t i = 0; i < v->stmt.n_types; i++)
		names[i] = name_of_ref(v, e, v->refs[i]);
	v->stmt.names = names;
	return v;
}

static void
find(struct op *op, const struct http_args *args, size_t part_index,
    bool counts, struct db_call *call)
{
	const struct part *part = &args->endpoint->parts[part_index];
	struct variant **at = &table[hash(part, args)], *v;
	const char **values;

	for (v = *at; v; v = v->next)
		if (v->part == part && v->given == args->given &&
		    v->order == args->order &&
		    v->backwards == args->backwards &&
		    v->has_keys == (args->keys != NULL) && v->counts == counts)
			break;
	if (!v) {
		bool is_full = n_variants == VARIANTS_MAX;

		v = build(
		    is_full ? op : NULL, args->endpoint, part, args, counts);
		if (!is_full) {
			v->next = *at;
			*at = v;
		}
	}
	values = mem_array(op, const char *, v->stmt.n_types + 1);
	for (size_t i = 0; i < v->stmt.n_types; i++) {
		size_t ref = v->refs[i];

		if (ref >= REF_KEY)
			values[i] = args->keys[ref - REF_KEY];
		else if (ref == REF_KNOWN)
			values[i] = args->known ? args->known : "{}";
		else if (ref == REF_LIMIT) /* one more tells if there is more */
			values[i] =
			    mem_fmt(op, "%lld", (long long)args->limit + 1);
		else
			values[i] = args->values[ref];
	}
	call->stmt = &v->stmt;
	call->values = values;
}

void
http__call(struct op *op, const struct http_args *args, size_t part,
    struct db_call *call)
{
	find(op, args, part, false, call);
}

void
http__call_count(
    struct op *op, const struct http_args *args, struct db_call *call)
{
	find(op, args, http__paged_part(args->endpoint), true, call);
}

/* Statements, for people */

static const char *
type_word(unsigned type)
{
	static const struct {
		unsigned type;
		const char *word;
	} words[] = {
	    {SQL_BOOL, "boolean"},
	    {SQL_BYTEA, "bytea"},
	    {SQL_INT8, "bigint"},
	    {SQL_INT4, "integer"},
	    {SQL_TEXT, "text"},
	    {SQL_FLOAT8, "double precision"},
	    {SQL_DATE, "date"},
	    {SQL_TIME, "timestamptz"},
	    {SQL_UUID, "uuid"},
	    {SQL_JSONB, "jsonb"},
	    {SQL_TEXT_LIST, "text[]"},
	    {SQL_UUID_LIST, "uuid[]"},
	    {SQL_INT4_LIST, "integer[]"},
	    {SQL_INT8_LIST, "bigint[]"},
	};

	for (size_t i = 0; i < nitems(words); i++)
		if (words[i].type == type)
			return words[i].word;
	assert(!"a parameter of a type that has no word here");
	return "";
}

/* The text with its parameters by name; a $ in a literal is none. */
static void
put_statement(struct buf *out, const struct stmt *stmt)
{
	bool quoted = false;

	for (const char *s = stmt->sql; *s; s++) {
		char *end;
		size_t n;

		quoted = quoted != (*s == '\'');
		if (quoted || *s != '$' || !isdigit((unsigned char)s[1])) {
			buf_char(out, *s);
			continue;
		}
		n = strtoul(s + 1, &end, 10) - 1;
		assert(n < stmt->n_types);
		buf_fmt(
		    out, ":%s::%s", stmt->names[n], type_word(stmt->types[n]));
		s = end - 1;
	}
	if (out->len && out->data[out->len - 1] != '\n')
		buf_char(out, '\n');
}

/* A value that fits, for a {name} of the path that the query does not give:
 * every value but a key's leads to the same statement. */
static const char *
sample(const struct param *p)
{
	switch (p->kind) {
	case PARAM_UUID:
		return "00000000-0000-0000-0000-000000000000";
	case PARAM_ENUM:
		return p->words[0];
	case PARAM_BOOL:
		return "true";
	case PARAM_DATE:
		return "2026-11-20";
	case PARAM_TIME:
	case PARAM_MOMENT:
		return "2026-11-20T08:00:00Z";
	case PARAM_TEXT:
	case PARAM_INT:
	case PARAM_KEY:
		return "1";
	}
	return "";
}

/* Fills the segments as if the path had been asked for. */
static void
fill_segments(
    struct http_req *rq, const struct http_pair *pairs, size_t n, bool *used)
{
	const struct endpoint *e = rq->endpoint;
	const char *s = e->path;

	for (size_t k = 0; (s = strchr(s, '{')); k++) {
		size_t length = strcspn(++s, "}");

		rq->segments[k] = "";
		for (size_t i = 0; i < e->n_params; i++)
			if (strncmp(e->params[i].name, s, length) == 0 &&
			    !e->params[i].name[length])
				rq->segments[k] = sample(&e->params[i]);
		for (size_t i = 0; i < n; i++) {
			if (strncmp(pairs[i].name, s, length) != 0 ||
			    pairs[i].name[length])
				continue;
			rq->segments[k] = pairs[i].value;
			used[i] = true;
		}
	}
}

enum err
http_sql(struct op *op, const char *name, const char *query, struct buf *out)
{
	const struct endpoint *e = endpoint_find(name);
	struct http_req rq = {.endpoint = e};
	struct http_args *args;
	struct http_pair *pairs;
	struct db_call call;
	size_t n;
	bool *used;
	enum err err;

	if (strcmp(name, "enter") == 0) {
		put_statement(out, &stmt_enter);
		return ERR_OK;
	}
	if (!e)
		return op_fail(op, ERR_NOT_FOUND, "no endpoint %s", name);
	err = http__pairs(op, query, &pairs, &n);
	if (err)
		return err;
	used = mem_array(op, bool, n);
	fill_segments(&rq, pairs, n, used);
	err = http__args(op, &rq, e, pairs, n, used, &args);
	for (size_t i = 0; i < n; i++)
		if (!used[i])
			err = op_invalid(
			    op, pairs[i].name, "There is no such parameter.");
	if (err)
		return err;
	if (e->body_slot < e->n_slots)
		args->given |= UINT32_C(1) << e->body_slot;
	for (size_t i = 0; i < e->n_parts; i++) {
		if (i)
			buf_fmt(out, "-- part: %s\n", e->parts[i].name);
		http__call(op, args, i, &call);
		put_statement(out, call.stmt);
	}
	return ERR_OK;
}

/* Cursors: a JSON array [order, direction, filter, key, …], sealed. */

char *
http__cursor(struct op *op, const struct http_args *args,
    const struct rows *rows, size_t row, bool backwards)
{
	struct json_object *a = op_json(op, json_object_new_array());
	const struct order *o = args->order;

	/* order columns are NOT NULL, so every key has a value */
	json_object_array_add(a, json_object_new_string(o->name));
	json_object_array_add(a, json_object_new_boolean(backwards));
	json_object_array_add(a, json_object_new_string(args->filter));
	for (size_t i = 0; i < o->n_columns; i++) {
		int col = rows_find(rows, o->columns[i].alias);

		if (col < 0)
			col = rows_find(
			    rows, mem_fmt(op, "~%s", o->columns[i].alias));
		assert(col >= 0);
		json_object_array_add(a,
		    json_object_new_string(
			rows_text(op, rows, row, (size_t)col)));
	}
	return auth_seal(
	    op, json_object_to_json_string_ext(a, JSON_C_TO_STRING_PLAIN));
}

static const char *
item(const struct json_object *array, size_t i)
{
	return json_object_get_string(json_object_array_get_idx(array, i));
}

bool
http__cursor_read(struct op *op, struct http_args *args, const char *sealed)
{
	char *text = auth_unseal(op, sealed);
	struct json_object *a =
	    text ? op_json(op, json_tokener_parse(text)) : NULL;
	const struct order *o = args->order;
	const char **keys;

	if (!a || json_object_array_length(a) != 3 + o->n_columns ||
	    strcmp(item(a, 0), o->name) != 0 ||
	    strcmp(item(a, 2), args->filter) != 0)
		return false;
	args->backwards =
	    json_object_get_boolean(json_object_array_get_idx(a, 1));
	keys = mem_array(op, const char *, o->n_columns);
	for (size_t i = 0; i < o->n_columns; i++) {
		keys[i] = item(a, 3 + i);
		if (!keys[i])
			return false;
	}
	args->keys = keys;
	return true;
}
