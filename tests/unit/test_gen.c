/* sqlgen: what it makes of blocks, and what it says of broken ones. */
#include "unit.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"

extern char **environ;

/* make check runs tests in the build folder */
static const char sqlgen[] = "src/gen/sqlgen";

static const char types[] = "# comment\n\nshade = light dark\n";
static const char schemas[] =
    "{\"$defs\": {\"Thing\": {}, \"ThingPatch\": {}}}";

struct made {
	int status;
	const char *out, *err;
};

static const char *
put_file(void *owner, const char *folder, const char *name, const char *text)
{
	char *path = mem_fmt(owner, "%s/%s", folder, name);
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	fputs(text, out);
	assert_int_equal(fclose(out), 0);
	return path;
}

static const char *
take_file(void *owner, const char *path)
{
	struct buf *b = buf_new(owner, 1 << 20);
	FILE *in = fopen(path, "r");
	char chunk[4096];
	size_t n;

	assert_non_null(in);
	while ((n = fread(chunk, 1, sizeof(chunk), in)) > 0)
		buf_add(b, chunk, n);
	fclose(in);
	unlink(path);
	return b->data;
}

static struct made
run(void *owner, const char *folder, char *const argv[])
{
	posix_spawn_file_actions_t actions;
	char *out = mem_fmt(owner, "%s/out", folder);
	char *err = mem_fmt(owner, "%s/err", folder);
	int flags = O_WRONLY | O_CREAT | O_TRUNC, status;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 1, out, flags, 0600);
	posix_spawn_file_actions_addopen(&actions, 2, err, flags, 0600);
	assert_int_equal(
	    posix_spawn(&pid, sqlgen, &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return (struct made){.status = WEXITSTATUS(status),
	    .out = take_file(owner, out),
	    .err = take_file(owner, err)};
}

/* What sqlgen makes of one file of blocks. */
static struct made
generate(void *owner, const char *blocks)
{
	char folder[] = "/tmp/gnomon-test-gen.XXXXXX";
	struct made made;

	assert_non_null(mkdtemp(folder));
	{
		const char *t = put_file(owner, folder, "types.def", types);
		const char *s =
		    put_file(owner, folder, "x.schema.json", schemas);
		const char *b = put_file(owner, folder, "x.sql", blocks);
		char *argv[] = {mem_dup(owner, sqlgen),
		    mem_dup(owner, "endpoints"), mem_dup(owner, t),
		    mem_dup(owner, s), mem_dup(owner, "--"), mem_dup(owner, b),
		    NULL};

		made = run(owner, folder, argv);
		unlink(t);
		unlink(s);
		unlink(b);
	}
	rmdir(folder);
	return made;
}

#define HEAD \
	"-- GET /things/{ws} things\n-- role: viewer\n-- reply: 200 Thing\n"
#define LIST \
	"-- GET /things/{ws} things\n-- role: viewer\n" \
	"-- reply: 200 page of Thing\n-- order: new = t.id uuid desc\n"

static void
a_broken_block_is_an_error_with_its_line(void **state)
{
	static const struct {
		const char *blocks, *where, *why;
	} cases[] = {
	    {"-- GET /a a\n-- reply: 200 Thing\nSELECT 1\n", "x.sql:1",
		"a has no role"},
	    {"-- GET /a a\n-- role: king\n", "x.sql:2",
		"unknown role \"king\""},
	    {"-- GET /a\n-- role: user\n", "x.sql:1", "the block has no name"},
	    {"-- GET /a two words\n", "x.sql:1", "the block has no name"},
	    {"-- GET /a a\n-- role: user\nSELECT 1\n", "x.sql:1",
		"neither reply: nor page:"},
	    {"-- GET /a a\n-- role: user\n-- reply: 200 Thing\n", "x.sql:1",
		"neither a statement nor a handler"},
	    {"-- GET /a a\n-- role: user\n-- reply: 200 Thingy\nSELECT 1\n",
		"x.sql:3", "unknown schema \"Thingy\""},
	    {"-- GET /a a\n-- role: user\n-- reply: 404 Thing\nSELECT 1\n",
		"x.sql:3", "status of success"},
	    {"-- GET /a a\n-- role: user\n-- reply: Thing\nSELECT 1\n",
		"x.sql:3", "status of success"},
	    {"-- GET /a a\n-- role: user\n-- reply: 200 page Thing\nSELECT 1\n",
		"x.sql:3", "page of Name"},
	    {"-- GET /a a\n-- role: viewer\n-- reply: 200 Thing\nSELECT 1\n",
		"x.sql:1", "needs {ws} or {project}"},
	    {"-- GET /a a\n-- role: user\n-- rolle: user\n", "x.sql:3",
		"unknown key \"rolle\""},
	    {"-- GET /a a\n-- role: user\n-- pool: fast\n", "x.sql:3",
		"the only pool"},
	    {"-- GET /a a\n-- role: user\n-- handler: do it\n", "x.sql:3",
		"is no function"},
	    {"-- POST /a a\n-- role: user\n-- body: Other\n", "x.sql:3",
		"unknown schema \"Other\""},
	    {"-- GET /a/{id} a\n-- role: user\n-- reply: 200 Thing\nSELECT 1\n",
		"x.sql:1", "no type for {id}"},
	    {"-- GET /a a\n-- role: user\n-- path: {id} uuid\n", "x.sql:3",
		"{id} is not in the path"},
	    {"-- GET /a/{id} a\n-- role: user\n-- path: id uuid\n", "x.sql:3",
		"expected {name} type"},
	    {"-- GET /a a\n-- role: user\n-- query: q\n", "x.sql:3",
		"has no type"},
	    {"-- GET /a a\n-- role: user\n-- query: q string\n", "x.sql:3",
		"unknown type \"string\""},
	    {"-- GET /a a\n-- role: user\n-- query: q text\n", "x.sql:3",
		"a range"},
	    {"-- GET /a a\n-- role: user\n-- query: q text(9..1)\n", "x.sql:3",
		"min..max"},
	    {"-- GET /a a\n-- role: user\n-- query: q int(1)\n", "x.sql:3",
		"a range"},
	    {"-- GET /a a\n-- role: user\n-- query: d date[]\n", "x.sql:3",
		"there is no list of date"},
	    {"-- GET /a a\n-- role: user\n-- query: q uuid, q uuid\n",
		"x.sql:3", "declared twice"},
	    {"-- GET /a a\n-- role: user\n-- query: a-b uuid\n", "x.sql:3",
		"is no parameter name"},
	    {HEAD "SELECT :nothing\n", "x.sql:4",
		"unknown parameter \"nothing\""},
	    {HEAD "SELECT 1 {nothing: AND true}\n", "x.sql:4",
		"unknown parameter \"nothing\""},
	    {HEAD "SELECT 1 {page}\n", "x.sql:4", "{page} needs an order"},
	    {HEAD "SELECT 1 {1}\n", "x.sql:4", "expected {name: sql}"},
	    {HEAD "SELECT 1 }\n", "x.sql:4", "a brace too many"},
	    {HEAD "SELECT 'it\n", "x.sql:4", "a quote is never closed"},
	    {"-- GET /a a\n-- role: user\n-- reply: 200 Thing\n"
	     "-- query: q uuid\nSELECT 1 {q: AND true\n",
		"x.sql:5", "a brace is never closed"},
	    {"-- GET /a a\n-- role: user\n-- reply: 200 Thing\n"
	     "-- query: q uuid\nSELECT 1 {q: a | b}\n",
		"x.sql:5", "only a key and uuid(none) have two forms"},
	    {LIST "SELECT 1\n", "x.sql:1", "{page}"},
	    {"-- GET /t/{ws} t\n-- role: viewer\n-- reply: 200 page of Thing\n"
	     "SELECT 1\n",
		"x.sql:1", "go together"},
	    {"-- GET /t/{ws} t\n-- role: viewer\n-- order: new = id\n",
		"x.sql:3", "expression type asc|desc"},
	    {"-- GET /t/{ws} t\n-- role: viewer\n"
	     "-- order: new = a int desc, b uuid asc\n",
		"x.sql:3", "one direction"},
	    {"-- GET /t/{ws} t\n-- role: viewer\n-- order: new = a number desc\n",
		"x.sql:3", "unknown type \"number\""},
	    {HEAD "-- part: one\n", "x.sql:4", "has no statement"},
	    {HEAD "-- part: b in a by c\nSELECT 1\n", "x.sql:4",
		"no part a stands before"},
	    {HEAD "-- part: b in a\nSELECT 1\n", "x.sql:4", "expected: part"},
	    {HEAD "-- part: b many\nSELECT 1\n", "x.sql:4",
		"unknown word \"many\""},
	    {HEAD "SELECT 1\n\n" HEAD "SELECT 1\n", "x.sql:6",
		"the same address"},
	    {"-- GET /a a\n-- role: user\n-- reply: 200 Thing\nSELECT 1\n"
	     "-- GET /b a\n-- role: user\n-- reply: 200 Thing\nSELECT 1\n",
		"x.sql:5", "a is the name of"},
	    {"-- POST /b form of nothing, then /c\n", "x.sql:1",
		"no endpoint \"nothing\""},
	    {"-- POST /b form of nothing\n", "x.sql:1", "then /path"},
	    {"-- POST /a/{ws}/{id} a\n-- role: member\n-- path: {id} uuid\n"
	     "-- reply: 200 Thing\nSELECT :id\n"
	     "-- POST /w/{ws}/{id} form of a, then /\n",
		"x.sql:6", "no type for {id}"},
	    {"-- POST /a/{ws}/{id} a\n-- role: member\n-- path: {id} uuid\n"
	     "-- reply: 200 Thing\nSELECT :id\n"
	     "-- POST /w/{ws} form of a, then /\n",
		"x.sql:6", "{id}"},
	    {"-- GET /p p\n-- role: user\n-- page: p\n-- use: nothing as x\n",
		"x.sql:1", "no endpoint \"nothing\""},
	    {"-- GET /p p\n-- role: user\n-- page: p\n-- use: nothing\n",
		"x.sql:4", "endpoint as name"},
	    {"-- GET /a a   with sky\n-- role: user\n", "x.sql:1",
		"no words \"sky\""},
	    {"-- words sky: blue\n", "x.sql:1", "\"blue\" is not key = value"},
	    {"-- words : a = b\n", "x.sql:1", "words NAME: key = value"},
	    {HEAD "-- part: b list of nothing\n", "x.sql:1",
		"no endpoint \"nothing\""},
	    {HEAD "SELECT 1\n-- part: b list of things\n", "x.sql:5",
		"things has no statement for b"},
	    {HEAD "-- part: b list of things\nSELECT 1\n", "x.sql:4",
		"no statement of its own"},
	};

	for (size_t i = 0; i < nitems(cases); i++) {
		struct made made = generate(*state, cases[i].blocks);
		const char *where = mem_fmt(*state, "/%s: ", cases[i].where);

		if (made.status != 1 || !strstr(made.err, where) ||
		    !strstr(made.err, cases[i].why))
			fail_msg("%s\nsays (%d): %s\nnot: %s%s",
			    cases[i].blocks, made.status, made.err, where,
			    cases[i].why);
	}
}

static void
a_good_block_becomes_a_line_of_the_table(void **state)
{
	static const char blocks[] =
	    "-- Prose before the first block is nobody's.\n"
	    "-- PATCH /a/{ws}/things/{thing}   patch_thing\n"
	    "-- What it does,\n"
	    "-- in two lines.\n"
	    "-- role:  member\n"
	    "-- path:  {thing} key(T)\n"
	    "-- query: shade shade[], n int(-5..5)\n"
	    "-- body:  ThingPatch\n"
	    "-- reply: 200 Thing\n"
	    "SELECT 'a:b' || ':shade {x}' AS \"x.y\", :n::int8, a::text -- of\n"
	    " WHERE {thing: id = :thing | n = :thing_number} {shade: AND s = "
	    "ANY(:shade)}\n"
	    "-- part: more list\n"
	    "SELECT :body;\n";
	static const char *const wanted[] = {
	    ".name = \"patch_thing\"",
	    ".path = \"/a/{ws}/things/{thing}\"",
	    ".doc = \"What it does, in two lines.\"",
	    ".role = 2",
	    ".has_workspace = 1",
	    ".has_project = 0",
	    ".prefix = \"T\"",
	    ".words = enum_shade",
	    ".min = -5, .max = 5",
	    ".n_slots = 5",
	    ".body = \"ThingPatch\"",
	    "SELECT 'a:b' || ':shade {x}' AS \\\"x.y\\\", ",
	    "::int8, a::text",
	    ".kind = PART_LIST",
	    "{\"light\", \"dark\", NULL}",
	    "const size_t n_endpoints = 1;",
	};
	struct made made = generate(*state, blocks);

	assert_string_equal(made.err, "");
	assert_int_equal(made.status, 0);
	for (size_t i = 0; i < nitems(wanted); i++)
		if (!strstr(made.out, wanted[i]))
			fail_msg("not there: %s\n%s", wanted[i], made.out);
}

static void
blocks_that_differ_in_words_are_written_once(void **state)
{
	static const char blocks[] =
	    "-- words sky: one = sky; where = AND s.up < 2 <one>\n"
	    "-- words sea: one = sea; where =\n"
	    "\n"
	    "-- GET /sky/{sky}   get_sky   with sky\n"
	    "-- GET /sea/{sea}   get_sea   with sea\n"
	    "-- How the <one> is.\n"
	    "-- role:  user\n"
	    "-- path:  {<one>} uuid\n"
	    "-- reply: 200 Thing\n"
	    "SELECT 1 <> 2, '<what>' FROM <one>s s WHERE s.id = :<one> "
	    "<where>\n"
	    "-- part: <one> needed\n"
	    "SELECT :<one>\n";
	static const char *const wanted[] = {
	    ".name = \"get_sea\"",
	    ".name = \"get_sky\"",
	    ".doc = \"How the sky is.\"",
	    ".doc = \"How the sea is.\"",
	    "\"SELECT 1 <> 2, '<what>' FROM skys s WHERE s.id = \"",
	    "\" AND s.up < 2 <one>\"", /* words are not filled again */
	    "\"SELECT 1 <> 2, '<what>' FROM seas s WHERE s.id = \"",
	    ".name = \"sky\", .by",
	    ".name = \"sea\", .by",
	    "const size_t n_endpoints = 2;",
	};
	struct made made = generate(*state, blocks);

	assert_string_equal(made.err, "");
	for (size_t i = 0; i < nitems(wanted); i++)
		if (!strstr(made.out, wanted[i]))
			fail_msg("not there: %s\n%s", wanted[i], made.out);
}

static void
a_part_is_shared_in_the_words_of_its_block(void **state)
{
	static const char blocks[] =
	    "-- words up: way = up\n"
	    "-- words down: way = down\n"
	    "\n"
	    "-- GET /p/{ws} p   with up\n"
	    "-- role: viewer\n-- page: p\n-- query: n int(1..2)\n"
	    "-- part: rest list\n"
	    "SELECT '<way>' {n: AND n = :n AND '}' {n: OR :n}} WHERE true\n"
	    "-- GET /q/{ws} q   with down\n"
	    "-- role: viewer\n-- page: q\n"
	    "-- part: rest list of p\n";
	struct made made = generate(*state, blocks);

	assert_string_equal(made.err, "");
	assert_non_null(strstr(made.out, "\"SELECT 'up' \""));
	/* a parameter that q does not have is never given there */
	assert_non_null(strstr(made.out, "\"SELECT 'down'  WHERE true\""));
}

static void
no_arguments_print_the_usage(void **state)
{
	char folder[] = "/tmp/gnomon-test-gen.XXXXXX";
	char *argv[] = {mem_dup(*state, sqlgen), NULL};
	struct made made;

	assert_non_null(mkdtemp(folder));
	made = run(*state, folder, argv);
	rmdir(folder);
	assert_int_equal(made.status, 2);
	assert_non_null(strstr(made.err, "usage: sqlgen"));
	assert_string_equal(made.out, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    unit(a_broken_block_is_an_error_with_its_line),
	    unit(a_good_block_becomes_a_line_of_the_table),
	    unit(blocks_that_differ_in_words_are_written_once),
	    unit(a_part_is_shared_in_the_words_of_its_block),
	    unit(no_arguments_print_the_usage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
