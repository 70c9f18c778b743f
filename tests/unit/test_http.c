/* http/: routing, parameters by type, statements by what was given, documents. */
#include "unit.h"

#include <json-c/json.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "auth/auth.h"
#include "db/db_priv.h"
#include "http/http_priv.h"
#include "http/limit.h"

static int
open_keys(void **state)
{
	char folder[] = "/tmp/gnomon-test-http.XXXXXX";
	char *path, *why = NULL;

	(void)state;
	assert_non_null(mkdtemp(folder));
	path = mem_fmt(NULL, "%s/secret", folder);
	assert_true(auth_open(path, &why));
	unlink(path);
	rmdir(folder);
	mem_drop(&path);
	return 0;
}

static struct http_req
request(const char *method_name, enum method method, const char *path)
{
	return (struct http_req){.method_name = method_name,
	    .method = method,
	    .path = path,
	    .query = "",
	    .cookies = "",
	    .cookie = ""};
}

static void
text_is_decoded_once_and_kept_storable(void **state)
{
	static const struct {
		const char *in, *out; /* NULL: refused */
		bool is_form;
	} cases[] = {
	    {"plain", "plain", false},
	    {"", "", false},
	    {"a%20b", "a b", false},
	    {"a+b", "a+b", false},
	    {"a+b", "a b", true},
	    {"a%2Bb", "a+b", true},
	    {"%2525", "%25", false},
	    {"%c3%A9", "\xC3\xA9", false},
	    {"%F0%9F%99%82", "\xF0\x9F\x99\x82", false},
	    {"%", NULL, false},
	    {"%4", NULL, false},
	    {"%zz", NULL, false},
	    {"%4g", NULL, false},
	    {"a%", NULL, false},
	    {"%00", NULL, false},
	    {"%ff", NULL, false},
	    {"%c0%80", NULL, false},
	    {"%ed%a0%80", NULL, false},
	    {"\xff", NULL, false},
	};

	for (size_t i = 0; i < nitems(cases); i++) {
		char *out = http__decode(
		    *state, cases[i].in, strlen(cases[i].in), cases[i].is_form);

		if (cases[i].out)
			assert_string_equal(out, cases[i].out);
		else
			assert_null(out);
	}
	/* no further than asked for */
	assert_string_equal(http__decode(*state, "ab%41%42", 2, false), "ab");
	assert_null(http__decode(*state, "ab%41", 4, false));
}

static void
pairs_are_split_and_decoded(void **state)
{
	struct op *op = op_new(*state, "test", NULL);
	struct http_pair *pairs;
	size_t n;
	char *many = mem_array(op, char, 201 * 4 + 1);

	assert_int_equal(
	    http__pairs(op, "a=1&b=&c&=x&&d=%3D%26&a=2=3&e+f=g+h", &pairs, &n),
	    ERR_OK);
	assert_int_equal(n, 6);
	assert_string_equal(pairs[0].name, "a");
	assert_string_equal(pairs[0].value, "1");
	assert_string_equal(pairs[1].value, "");
	assert_string_equal(pairs[2].name, "c");
	assert_string_equal(pairs[2].value, "");
	assert_string_equal(pairs[3].value, "=&");
	assert_string_equal(pairs[4].value, "2=3");
	assert_string_equal(pairs[5].name, "e f");
	assert_string_equal(pairs[5].value, "g h");
	assert_int_equal(http__pairs(op, "", &pairs, &n), ERR_OK);
	assert_int_equal(n, 0);
	for (int i = 0; i < 200; i++)
		memcpy(many + (ptrdiff_t)i * 4, "a=1&", 4);
	assert_int_equal(http__pairs(op, many, &pairs, &n), ERR_OK);
	assert_int_equal(n, 200);
	memcpy(many + 800, "a=1", 3);
	assert_int_equal(http__pairs(op, many, &pairs, &n), ERR_BAD_REQUEST);
	op = op_new(*state, "test", NULL);
	assert_int_equal(http__pairs(op, "a=%zz", &pairs, &n), ERR_BAD_REQUEST);
	op = op_new(*state, "test", NULL);
	assert_int_equal(http__pairs(op, "%00=1", &pairs, &n), ERR_BAD_REQUEST);
}

static void
routes_are_found_by_method_and_path(void **state)
{
	static const struct {
		const char *method_name;
		enum method method;
		const char *path, *name; /* NULL: not found; "": not allowed */
	} cases[] = {
	    {"GET", METHOD_GET, "/api/v1/projects", "list_my_projects"},
	    {"HEAD", METHOD_HEAD, "/api/v1/projects", "list_my_projects"},
	    {"POST", METHOD_POST, "/api/v1/projects", "open_project"},
	    {"PATCH", METHOD_PATCH, "/api/v1/projects", ""},
	    {"BREW", METHOD_OTHER, "/api/v1/projects", ""},
	    {"GET", METHOD_GET, "/api/v1/projects/AC", "get_project"},
	    {"GET", METHOD_GET, "/api/v1/projects/a%2Fb", "get_project"},
	    {"GET", METHOD_GET, "/api/v1/projects/", NULL},
	    {"GET", METHOD_GET, "/api/v1/projects//", NULL},
	    {"GET", METHOD_GET, "/api/v1//projects", NULL},
	    {"GET", METHOD_GET, "//api/v1/projects", NULL},
	    {"GET", METHOD_GET, "/api/v1/projects/%zz", NULL},
	    {"GET", METHOD_GET, "/api/v1/projects/%00", NULL},
	    {"GET", METHOD_GET, "/api/v1/projects/%ff", NULL},
	    {"GET", METHOD_GET, "/API/v1/projects", NULL},
	    {"GET", METHOD_GET, "/api/v1/project", NULL},
	    {"GET", METHOD_GET, "/api/v1/projectsx", NULL},
	    {"GET", METHOD_GET, "", NULL},
	    {"GET", METHOD_GET, "*", NULL},
	    {"GET", METHOD_GET, "/api/v1/workspaces/a/agents/runs",
		"list_agent_runs"},
	    {"GET", METHOD_GET, "/api/v1/workspaces/a/agents/runs/run",
		"get_agent_run"},
	    {"POST", METHOD_POST, "/api/v1/workspaces/a/agents/runs/run",
		"run_agent"},
	    {"GET", METHOD_GET, "/api/v1/workspaces/a/agents/x/run", ""},
	    {"PATCH", METHOD_PATCH, "/api/v1/projects/a/stories/b",
		"update_story"},
	};

	for (size_t i = 0; i < nitems(cases); i++) {
		struct op *op = op_new(*state, "test", NULL);
		struct http_req rq = request(
		    cases[i].method_name, cases[i].method, cases[i].path);
		const struct endpoint *e = NULL;
		const char *allow = NULL;
		enum err err = http__route(op, &rq, rq.path, &e, &allow);

		if (!cases[i].name) {
			assert_int_equal(err, ERR_NOT_FOUND);
		} else if (!*cases[i].name) {
			assert_int_equal(err, ERR_METHOD_NOT_ALLOWED);
			assert_true(*allow);
		} else {
			assert_int_equal(err, ERR_OK);
			assert_string_equal(e->name, cases[i].name);
		}
	}
}

static void
the_path_gives_its_names(void **state)
{
	struct op *op = op_new(*state, "test", NULL);
	struct http_req rq =
	    request("GET", METHOD_GET, "/api/v1/projects/a%2Fb/stories/%C3%A9");
	const char *allow;

	assert_int_equal(
	    http__route(op, &rq, rq.path, &rq.endpoint, &allow), ERR_OK);
	assert_string_equal(http_segment(&rq, "project"), "a/b");
	assert_string_equal(http_segment(&rq, "story"), "\xC3\xA9");
	assert_string_equal(http_segment(&rq, "proj"), "");
	assert_string_equal(http_segment(&rq, "nothing"), "");
	assert_string_equal(http_segment(&rq, ""), "");
}

/* No two routes could answer the same address, whatever stands in {names}. */
static void
every_route_can_be_reached(void **state)
{
	for (size_t i = 0; i < n_endpoints; i++) {
		struct op *op = op_new(*state, "test", NULL);
		struct buf *path = buf_new(op, 1000);
		struct http_req rq;
		const struct endpoint *e;
		const char *allow;

		for (const char *s = endpoints[i].path; *s; s++) {
			if (*s == '{') {
				buf_text(path, "zz");
				s += strcspn(s, "}");
			} else {
				buf_char(path, *s);
			}
		}
		rq = request("?", endpoints[i].method, path->data);
		assert_int_equal(
		    http__route(op, &rq, rq.path, &e, &allow), ERR_OK);
		assert_ptr_equal(e, &endpoints[i]);
	}
}

/* An endpoint with one parameter of every kind. */
static const char *const shades[] = {"light", "dark", NULL};
static const struct param params[] = {
    {.name = "text", .kind = PARAM_TEXT, .min = 2, .max = 3, .slot = 0},
    {.name = "int", .kind = PARAM_INT, .min = -5, .max = 5, .slot = 1},
    {.name = "bool", .kind = PARAM_BOOL, .slot = 2},
    {.name = "uuid", .kind = PARAM_UUID, .slot = 3},
    {.name = "date", .kind = PARAM_DATE, .slot = 4},
    {.name = "time", .kind = PARAM_TIME, .slot = 5},
    {.name = "shade", .kind = PARAM_ENUM, .words = shades, .slot = 6},
    {.name = "key", .kind = PARAM_KEY, .prefix = "I", .slot = 7},
    {.name = "shades",
	.kind = PARAM_ENUM,
	.words = shades,
	.list = true,
	.slot = 9},
    {.name = "texts",
	.kind = PARAM_TEXT,
	.min = 1,
	.max = 9,
	.list = true,
	.slot = 10},
};
static const struct slot slots[] = {
    {"text", SQL_TEXT},
    {"int", SQL_INT8},
    {"bool", SQL_BOOL},
    {"uuid", SQL_UUID},
    {"date", SQL_DATE},
    {"time", SQL_TIME},
    {"shade", SQL_TEXT},
    {"key", SQL_UUID},
    {"key_number", SQL_INT4},
    {"shades", SQL_TEXT_LIST},
    {"texts", SQL_TEXT_LIST},
};
static const struct order_column by_id[] = {{"t.id", "id", SQL_UUID}};
static const struct order_column by_rank[] = {
    {"t.rank", "rank", SQL_INT8}, {"t.id", "id", SQL_UUID}};
static const struct order orders[] = {
    {.name = "newest", .descending = true, .columns = by_id, .n_columns = 1},
    {.name = "rank", .columns = by_rank, .n_columns = 2},
};
static const struct piece pieces[] = {
    {.kind = PIECE_TEXT, .text = "SELECT t.id FROM t WHERE true "},
    {.kind = PIECE_IF, .slot = 0, .to = 4},
    {.kind = PIECE_TEXT, .text = "AND a = "},
    {.kind = PIECE_SLOT, .slot = 0},
    {.kind = PIECE_IF, .slot = 6, .to = 8},
    {.kind = PIECE_TEXT, .text = " AND s = "},
    {.kind = PIECE_SLOT, .slot = 6},
    {.kind = PIECE_TEXT, .text = " "},
    {.kind = PIECE_PAGE},
};
static const struct part parts[] = {{.kind = PART_DOCUMENT,
    .source = "test:1",
    .pieces = pieces,
    .n_pieces = nitems(pieces)}};
static const struct endpoint all = {
    .name = "all",
    .path = "/all",
    .source = "test:1",
    .params = params,
    .n_params = nitems(params),
    .slots = slots,
    .n_slots = nitems(slots),
    .body_slot = nitems(slots),
    .parts = parts,
    .n_parts = 1,
    .orders = orders,
    .n_orders = nitems(orders),
    .reply = REPLY_PAGE,
};

static struct http_args *
args_of(struct op *op, const char *query)
{
	struct http_req rq = request("GET", METHOD_GET, "/all");
	struct http_pair *pairs;
	struct http_args *args = NULL;
	bool *used;
	size_t n;

	rq.endpoint = &all;
	if (http__pairs(op, query, &pairs, &n))
		return NULL;
	used = mem_array(op, bool, n);
	if (http__args(op, &rq, &all, pairs, n, used, &args)) {
		assert_int_equal(op->err, ERR_VALIDATION_FAILED);
		return NULL;
	}
	return args;
}

static void
values_are_held_to_their_types(void **state)
{
	static const struct {
		const char *query;
		size_t slot;
		const char *value; /* NULL: refused; "": not given */
	} cases[] = {
	    {"", 0, ""},
	    {"text=", 0, ""},
	    {"text=ab", 0, "ab"},
	    {"text=abc", 0, "abc"},
	    {"text=a", 0, NULL},
	    {"text=abcd", 0, NULL},
	    {"text=%C3%A9%C3%A9%C3%A9", 0, "\xC3\xA9\xC3\xA9\xC3\xA9"},
	    {"text=%F0%9F%99%82", 0, NULL},
	    {"text=ab&text=ab", 0, NULL},
	    {"int=-5", 1, "-5"},
	    {"int=5", 1, "5"},
	    {"int=0", 1, "0"},
	    {"int=6", 1, NULL},
	    {"int=-6", 1, NULL},
	    {"int=+5", 1, NULL},
	    {"int=%205", 1, NULL},
	    {"int=5x", 1, NULL},
	    {"int=0x5", 1, NULL},
	    {"int=5.0", 1, NULL},
	    {"int=-", 1, NULL},
	    {"int=99999999999999999999", 1, NULL},
	    {"bool=true", 2, "true"},
	    {"bool=false", 2, "false"},
	    {"bool=1", 2, NULL},
	    {"bool=TRUE", 2, NULL},
	    {"uuid=01a1f838-4ffc-7864-a820-7b0b98efc9b1", 3,
		"01a1f838-4ffc-7864-a820-7b0b98efc9b1"},
	    {"uuid=01A1F838-4FFC-7864-A820-7B0B98EFC9B1", 3,
		"01A1F838-4FFC-7864-A820-7B0B98EFC9B1"},
	    {"uuid=01a1f8384ffc7864a8207b0b98efc9b1", 3, NULL},
	    {"uuid=%7B01a1f838-4ffc-7864-a820-7b0b98efc9b1%7D", 3, NULL},
	    {"uuid=01a1f838-4ffc-7864-a820-7b0b98efc9bg", 3, NULL},
	    {"uuid=01a1f838-4ffc-7864-a820-7b0b98efc9b1%20", 3, NULL},
	    {"date=2026-11-20", 4, "2026-11-20"},
	    {"date=2028-02-29", 4, "2028-02-29"},
	    {"date=2000-02-29", 4, "2000-02-29"},
	    {"date=0001-01-01", 4, "0001-01-01"},
	    {"date=9999-12-31", 4, "9999-12-31"},
	    {"date=1900-02-29", 4, NULL},
	    {"date=2026-02-29", 4, NULL},
	    {"date=2026-04-31", 4, NULL},
	    {"date=2026-13-01", 4, NULL},
	    {"date=2026-00-01", 4, NULL},
	    {"date=2026-01-00", 4, NULL},
	    {"date=0000-01-01", 4, NULL},
	    {"date=2026-1-1", 4, NULL},
	    {"date=2026-11-20x", 4, NULL},
	    {"date=2026-11-20T00:00:00Z", 4, NULL},
	    {"date=2026-%2B1-01", 4, NULL},
	    {"date=2026-%201-01", 4, NULL},
	    {"date=%2B026-01-01", 4, NULL},
	    {"date=-026-01-01", 4, NULL},
	    {"date=2026--1-01", 4, NULL},
	    {"date=20261120", 4, NULL},
	    {"date=infinity", 4, NULL},
	    {"date=today", 4, NULL},
	    {"time=2026-11-20T08:00:00Z", 5, "2026-11-20T08:00:00Z"},
	    {"time=2026-11-20t08:00:00z", 5, "2026-11-20t08:00:00z"},
	    {"time=2026-11-20T08:00:00.123456Z", 5,
		"2026-11-20T08:00:00.123456Z"},
	    {"time=2026-11-20T08:00:00%2B05:30", 5,
		"2026-11-20T08:00:00+05:30"},
	    {"time=2026-11-20T08:00:00-23:59", 5, "2026-11-20T08:00:00-23:59"},
	    {"time=2026-11-20T08:00:00%2B24:00", 5, NULL},
	    {"time=2026-11-20T08:00:00%2B05:60", 5, NULL},
	    {"time=2026-11-20T08:00:00", 5, NULL},
	    {"time=2026-11-20 08:00:00Z", 5, NULL},
	    {"time=2026-11-20T24:00:00Z", 5, NULL},
	    {"time=2026-11-20T08:60:00Z", 5, NULL},
	    {"time=2026-11-20T08:00:60Z", 5, NULL},
	    {"time=2026-11-20T%2B8:00:00Z", 5, NULL},
	    {"time=2026-11-20T08:00:00.Z", 5, NULL},
	    {"time=2026-11-20T08:00:00%2B0530", 5, NULL},
	    {"time=2026-02-29T08:00:00Z", 5, NULL},
	    {"shade=light", 6, "light"},
	    {"shade=Light", 6, NULL},
	    {"shade=light,dark", 6, NULL},
	    {"shade=dim", 6, NULL},
	    {"key=01a1f838-4ffc-7864-a820-7b0b98efc9b1", 7,
		"01a1f838-4ffc-7864-a820-7b0b98efc9b1"},
	    {"key=I-1042", 8, "1042"},
	    {"key=i-1042", 8, "1042"},
	    {"key=1042", 8, "1042"},
	    {"key=I-01", 8, "1"},
	    {"key=2147483647", 8, "2147483647"},
	    {"key=2147483648", 8, NULL},
	    {"key=I-0", 8, NULL},
	    {"key=0", 8, NULL},
	    {"key=-1", 8, NULL},
	    {"key=I--1", 8, NULL},
	    {"key=R-1", 8, NULL},
	    {"key=II-1", 8, NULL},
	    {"key=I-", 8, NULL},
	    {"key=I-1x", 8, NULL},
	    {"key=I-%2B1", 8, NULL},
	    {"key=I1", 8, NULL},
	    {"shades=light", 9, "{\"light\"}"},
	    {"shades=light,dark", 9, "{\"light\",\"dark\"}"},
	    {"shades=light&shades=dark", 9, "{\"light\",\"dark\"}"},
	    {"shades=light,", 9, "{\"light\"}"},
	    {"shades=", 9, ""},
	    {"shades=,", 9, NULL},
	    {"shades=light,,dark", 9, NULL},
	    {"shades=light,dim", 9, NULL},
	    {"texts=a%22b", 10, "{\"a\\\"b\"}"},
	    {"texts=a%5Cb", 10, "{\"a\\\\b\"}"},
	    {"texts=NULL,%7B%7D", 10, "{\"NULL\",\"{}\"}"},
	};

	for (size_t i = 0; i < nitems(cases); i++) {
		struct op *op = op_new(*state, "test", NULL);
		struct http_args *args = args_of(op, cases[i].query);
		const char *wanted = cases[i].value;

		if (!args != !wanted)
			fail_msg("%s is %s", cases[i].query,
			    args ? "accepted" : "refused");
		if (!wanted)
			continue;
		assert_int_equal(
		    args->given >> cases[i].slot & 1, *wanted != '\0');
		if (*wanted)
			assert_string_equal(
			    args->values[cases[i].slot], wanted);
	}
}

static void
a_statement_has_what_was_given(void **state)
{
	static const struct {
		const char *query, *sql;
		const char *values[4];
	} cases[] = {
	    {"", "SELECT t.id FROM t WHERE true  ORDER BY t.id DESC LIMIT $1",
		{"51"}},
	    {"limit=7",
		"SELECT t.id FROM t WHERE true  ORDER BY t.id DESC LIMIT $1",
		{"8"}},
	    {"text=ab",
		"SELECT t.id FROM t WHERE true AND a = $1 ORDER BY t.id DESC "
		"LIMIT $2",
		{"ab", "51"}},
	    {"text=ab&shade=dark&order=rank",
		"SELECT t.id FROM t WHERE true AND a = $1 AND s = $2  ORDER BY "
		"t.rank, t.id LIMIT $3",
		{"ab", "dark", "51"}},
	};

	for (size_t i = 0; i < nitems(cases); i++) {
		struct op *op = op_new(*state, "test", NULL);
		struct http_args *args = args_of(op, cases[i].query);
		struct db_call call, again;
		char *sql;

		assert_non_null(args);
		http__call(op, args, 0, &call);
		/* white space is the block's own affair */
		sql = mem_dup(op, call.stmt->sql);
		for (char *c = sql; (c = strstr(c, "  "));)
			memmove(c, c + 1, strlen(c));
		{
			char *wanted = mem_dup(op, cases[i].sql);

			for (char *c = wanted; (c = strstr(c, "  "));)
				memmove(c, c + 1, strlen(c));
			assert_string_equal(sql, wanted);
		}
		for (size_t k = 0; k < call.stmt->n_types; k++)
			assert_string_equal(call.values[k], cases[i].values[k]);
		http__call(op, args, 0, &again); /* built once */
		assert_ptr_equal(again.stmt, call.stmt);
	}
}

/* Rows of text, as many columns as names. */
static struct rows *
rows_of(void *owner, size_t width, const char *const *names,
    const char *const *cells, size_t n)
{
	PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	PGresAttDesc *columns = mem_array(owner, PGresAttDesc, width);

	for (size_t i = 0; i < width; i++)
		columns[i] = (PGresAttDesc){
		    .name = mem_dup(owner, names[i]),
		    .format = 1,
		    .typid = SQL_TEXT,
		    .typlen = -1,
		    .atttypmod = -1,
		};
	assert_true(PQsetResultAttrs(result, (int)width, columns));
	for (size_t i = 0; i < n; i++)
		assert_true(
		    PQsetvalue(result, (int)(i / width), (int)(i % width),
			cells[i] ? mem_dup(owner, cells[i]) : NULL,
			cells[i] ? (int)strlen(cells[i]) : -1));
	return db__rows(owner, result);
}

static void
a_cursor_is_good_for_its_list_only(void **state)
{
	static const char *const names[] = {"id", "~rank"};
	static const char *const cells[] = {"one", "7", "two", "8"};
	struct op *op = op_new(*state, "test", NULL);
	struct http_args *args = args_of(op, "text=ab&order=rank");
	struct rows *rows = rows_of(op, 2, names, cells, 4);
	char *next = http__cursor(op, args, rows, 1, false);
	char *back = http__cursor(op, args, rows, 0, true);
	struct db_call call;

	args = args_of(op, mem_fmt(op, "text=ab&order=rank&cursor=%s", next));
	assert_non_null(args);
	assert_false(args->backwards);
	assert_string_equal(args->keys[0], "8");
	assert_string_equal(args->keys[1], "two");
	http__call(op, args, 0, &call);
	assert_non_null(strstr(
	    call.stmt->sql, "(t.rank, t.id) > ($2, $3) ORDER BY t.rank, t.id"));
	args = args_of(op, mem_fmt(op, "text=ab&order=rank&cursor=%s", back));
	assert_non_null(args);
	assert_true(args->backwards);
	http__call(op, args, 0, &call);
	assert_non_null(strstr(call.stmt->sql,
	    "(t.rank, t.id) < ($2, $3) ORDER BY t.rank DESC, t.id DESC"));
	assert_null(
	    args_of(op, mem_fmt(op, "text=ac&order=rank&cursor=%s", next)));
	op = op_new(*state, "test", NULL);
	assert_null(args_of(op, mem_fmt(op, "text=ab&cursor=%s", next)));
	op = op_new(*state, "test", NULL);
	assert_null(args_of(
	    op, mem_fmt(op, "text=ab&order=rank&shade=dark&cursor=%s", next)));
}

static const char *
document(struct op *op, const struct endpoint *e, struct rows **rows)
{
	const struct http_style plain = {.zone = NULL};
	struct http_args args = {.endpoint = e};
	struct http_result result = {.args = &args, .rows = rows};
	struct buf *out = buf_new(op, 1 << 16);

	assert_int_equal(http__document(op, &result, &plain, out), ERR_OK);
	return out->data;
}

static void
dotted_names_nest_and_empty_objects_are_null(void **state)
{
	static const char *const names[] = {
	    "id", "a.b.c", "a.b.d", "a.e", "o.id", "o.name", "~hidden", "z"};
	static const struct {
		const char *cells[8], *wanted;
	} cases[] = {
	    {{"1", "2", "3", "4", "5", "6", "7", "8"},
		"{\"id\":\"1\",\"a\":{\"b\":{\"c\":\"2\",\"d\":\"3\"},\"e\":"
		"\"4\"},\"o\":{\"id\":\"5\",\"name\":\"6\"},\"z\":\"8\"}"},
	    {{"1", NULL, NULL, "4", NULL, NULL, "7", NULL},
		"{\"id\":\"1\",\"a\":{\"b\":null,\"e\":\"4\"},\"o\":null,"
		"\"z\":null}"},
	    {{"1", NULL, NULL, NULL, NULL, "6", NULL, "8"},
		"{\"id\":\"1\",\"a\":null,\"o\":{\"id\":null,\"name\":\"6\"},"
		"\"z\":\"8\"}"},
	};
	static const struct part one[] = {
	    {.kind = PART_DOCUMENT, .source = "test:1"}};
	static const struct endpoint e = {.name = "e",
	    .source = "test:1",
	    .parts = one,
	    .n_parts = 1,
	    .reply = REPLY_ONE};

	for (size_t i = 0; i < nitems(cases); i++) {
		struct op *op = op_new(*state, "test", NULL);
		struct rows *rows =
		    rows_of(op, nitems(names), names, cases[i].cells, 8);

		assert_string_equal(document(op, &e, &rows), cases[i].wanted);
	}
}

static void
lists_in_rows_go_to_the_row_with_their_key(void **state)
{
	static const char *const outer[] = {"status"},
				 *const inner[] = {"~status", "title"};
	static const char *const statuses[] = {"a", "b", "c"};
	static const char *const titles[] = {"a", "1", "a", "2", "c", "3"};
	static const struct part two[] = {
	    {.name = "columns", .kind = PART_LIST, .source = "test:1"},
	    {.name = "stories",
		.kind = PART_NESTED,
		.parent = 0,
		.by = "status",
		.source = "test:2"},
	};
	static const struct endpoint e = {.name = "e",
	    .source = "test:1",
	    .parts = two,
	    .n_parts = 2,
	    .reply = REPLY_ONE};
	struct op *op = op_new(*state, "test", NULL);
	struct rows *rows[] = {rows_of(op, 1, outer, statuses, 3),
	    rows_of(op, 2, inner, titles, 6)};
	struct http_args args = {.endpoint = &e};
	struct http_result result = {.args = &args, .rows = rows};
	const struct http_style plain = {.zone = NULL};
	static const char *const stray[] = {"x", "1"};

	assert_string_equal(document(op, &e, rows),
	    "{\"columns\":[{\"status\":\"a\",\"stories\":[{\"title\":\"1\"},{"
	    "\"title\":\"2\"}]},{\"status\":\"b\",\"stories\":[]},{\"status\":"
	    "\"c\",\"stories\":[{\"title\":\"3\"}]}]}");
	/* a row that belongs to none is a fault, not a silence */
	rows[1] = rows_of(op, 2, inner, stray, 2);
	assert_int_equal(http__document(op, &result, &plain, buf_new(op, 1000)),
	    ERR_INTERNAL);
}

static void
the_exclamation_column_tells_the_outcome(void **state)
{
	static const char *const names[] = {"!", "id"};
	static const struct {
		const char *word;
		enum err e;
	} cases[] = {
	    {NULL, ERR_OK},
	    {"forbidden", ERR_FORBIDDEN},
	    {"version_conflict", ERR_VERSION_CONFLICT},
	    {"no such word", ERR_INTERNAL},
	};
	static const struct part one[] = {
	    {.kind = PART_DOCUMENT, .source = "test:1"}};
	static const struct endpoint e = {.name = "e",
	    .source = "test:1",
	    .parts = one,
	    .n_parts = 1,
	    .reply = REPLY_ONE};
	struct http_args args = {.endpoint = &e};

	for (size_t i = 0; i < nitems(cases); i++) {
		struct op *op = op_new(*state, "test", NULL);
		const char *const cells[] = {cases[i].word, "7"};
		struct rows *rows = rows_of(op, 2, names, cells, 2);
		struct http_result result = {.args = &args, .rows = &rows};

		assert_int_equal(http__outcome(op, &result), cases[i].e);
		if (cases[i].e == ERR_VERSION_CONFLICT)
			assert_string_equal(
			    json_object_to_json_string_ext(
				op->details, JSON_C_TO_STRING_PLAIN),
			    "{\"current\":{\"id\":\"7\"}}");
	}
	{
		struct op *op = op_new(*state, "test", NULL);
		struct rows *rows = rows_of(op, 2, names, NULL, 0);
		struct http_result result = {.args = &args, .rows = &rows};

		assert_int_equal(http__outcome(op, &result), ERR_NOT_FOUND);
	}
}

/* What one value says cannot be said by another, or by two. */
static void
no_two_lists_of_values_have_one_digest(void **state)
{
	static const char *const cases[][3] = {
	    {NULL, NULL, NULL},
	    {"", NULL, NULL},
	    {NULL, "", NULL},
	    {"", "", NULL},
	    {"a", "b", NULL},
	    {"ab", NULL, NULL},
	    {"ab", "", NULL},
	    {NULL, "ab", NULL},
	    {"a", NULL, "b"},
	    {"a\x01", "b", NULL},
	    {"a",
		"\x01"
		"b",
		NULL},
	    {"a\x02"
	     "b",
		NULL, NULL},
	    {"a1:1:b", NULL, NULL},
	};
	struct op *op = op_new(*state, "test", NULL);

	for (size_t i = 0; i < nitems(cases); i++) {
		const char *digest = http__digest(op, "list", cases[i], 3);

		assert_int_equal(strlen(digest), 32);
		assert_string_equal(
		    digest, http__digest(op, "list", cases[i], 3));
		assert_string_not_equal(
		    digest, http__digest(op, "tsil", cases[i], 3));
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(
			    digest, http__digest(op, "list", cases[k], 3));
	}
}

static void
an_address_of_ipv6_is_its_network(void **state)
{
	static const char *const cases[][2] = {
	    {"192.0.2.7", "192.0.2.7"},
	    {"::ffff:192.0.2.7", "192.0.2.7"},
	    {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"},
	    {"2001:db8:1:2::", "2001:db8:1:2::"},
	    {"2001:0DB8:0001:0002:ffff:ffff:ffff:ffff", "2001:db8:1:2::"},
	    {"2001:db8:1:3::1", "2001:db8:1:3::"},
	    {"::1", "::"},
	    {"", ""},
	    {"unix:", "unix:"},
	};

	for (size_t i = 0; i < nitems(cases); i++)
		assert_string_equal(
		    limit_network(*state, cases[i][0]), cases[i][1]);
}

static void
who_was_counted_is_known(void **state)
{
	struct limit_state now;

	(void)state;
	assert_true(limit_open());
	assert_false(limit_knows(LIMIT_SESSION, "somebody"));
	assert_true(limit_take(LIMIT_SESSION, "somebody", 2, &now));
	assert_true(limit_knows(LIMIT_SESSION, "somebody"));
	assert_false(limit_knows(LIMIT_SESSION, "somebody else"));
	assert_false(limit_knows(LIMIT_ADDRESS, "somebody"));
}

static void
cookies_are_found_by_their_whole_name(void **state)
{
	struct http_req rq = request("GET", METHOD_GET, "/");
	static const struct {
		const char *cookies, *value; /* NULL: none */
	} cases[] = {
	    {"s=abc", "abc"},
	    {"x=1; s=abc; y=2", "abc"},
	    {"x=1;s=abc", "abc"},
	    {"s=a=b", "a=b"},
	    {"s=; t=1", ""},
	    {"ss=abc", NULL},
	    {"xs=abc", NULL},
	    {"S=abc", NULL},
	    {"", NULL},
	    {";;;", NULL},
	    {"s", NULL},
	    {"x=s=1", NULL},
	};

	for (size_t i = 0; i < nitems(cases); i++) {
		char *value;

		rq.cookies = cases[i].cookies;
		value = http_cookie(*state, &rq, "s");
		if (cases[i].value)
			assert_string_equal(value, cases[i].value);
		else
			assert_null(value);
	}
}

/* A neighbouring site can set cookies for ours, but none called __Host-. */
static void
over_tls_a_cookie_is_this_hosts_alone(void **state)
{
	struct http_req rq = request("GET", METHOD_GET, "/");
	struct http_resp rs = {.headers = buf_new(*state, 1000)};

	rq.cookies = "o=planted; __Host-o=ours";
	assert_string_equal(http_cookie(*state, &rq, "o"), "planted");
	rq.is_https = true;
	assert_string_equal(http_cookie(*state, &rq, "o"), "ours");
	http_set_cookie(&rq, &rs, "o", "x", 60);
	http_set_session(&rq, &rs, "");
	assert_string_equal(rs.headers->data,
	    "Set-Cookie: __Host-o=x; Path=/; Max-Age=60; HttpOnly; "
	    "SameSite=Lax; Secure\r\n"
	    "Set-Cookie: __Host-s=; Path=/; Max-Age=0; HttpOnly; "
	    "SameSite=Lax; Secure\r\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    unit(text_is_decoded_once_and_kept_storable),
	    unit(pairs_are_split_and_decoded),
	    unit(routes_are_found_by_method_and_path),
	    unit(the_path_gives_its_names),
	    unit(every_route_can_be_reached),
	    unit(values_are_held_to_their_types),
	    unit(a_statement_has_what_was_given),
	    unit(a_cursor_is_good_for_its_list_only),
	    unit(no_two_lists_of_values_have_one_digest),
	    unit(dotted_names_nest_and_empty_objects_are_null),
	    unit(lists_in_rows_go_to_the_row_with_their_key),
	    unit(the_exclamation_column_tells_the_outcome),
	    unit(cookies_are_found_by_their_whole_name),
	    unit(over_tls_a_cookie_is_this_hosts_alone),
	    unit(an_address_of_ipv6_is_its_network),
	    unit(who_was_counted_is_known),
	};

	return cmocka_run_group_tests(tests, open_keys, NULL);
}
