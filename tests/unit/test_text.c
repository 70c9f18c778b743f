/* text/: words, near-duplicates, CSV. */
#include "unit.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "text/csv.h"
#include "text/similar.h"
#include "text/tokens.h"

/* ---- words -------------------------------------------------------------- */

/* The tokens of text in one line; quiet ones in brackets. */
static const char *
words(void *owner, const char *text)
{
	struct buf *b = buf_new(owner, 4096);
	struct tokens t = tokens_of(text, strlen(text), 100);
	struct token w;

	while (tokens_next(&t, &w)) {
		if (b->len)
			buf_char(b, ' ');
		buf_fmt(b, w.quiet ? "(%s)" : "%s", w.text);
	}
	return b->data;
}

struct wording {
	const char *text, *tokens;
};

static void
assert_words(void *owner, const struct wording *cases, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_string_equal(
		    words(owner, cases[i].text), cases[i].tokens);
}

static void
identifiers_come_apart_where_a_reader_pauses(void **state)
{
	static const struct wording cases[] = {
	    {"HdfsItemWriter", "hdfs item writer"},
	    {"HTTPServer", "http server"},
	    {"parseURLs", "pars url"},
	    {"user_name", "user name"},
	    {"sprint12", "sprint 12"},
	    {"Sha256Sum", "sha 256 sum"},
	    {"log4j s3 S3Bucket k8s", "log4j s3 s3 bucket k8s"},
	    {"UTF-8, utf8", "utf 8 utf 8"},
	    {"version 4.1.2.", "version 4.1.2"},
	    {"XD-626", "xd 626"},
	    {"e-mail E-Mail s-c-s B-6 left-hand",
		"email email scs b 6 left hand"},
	    {"", ""},
	    {"... -- !", ""},
	};

	assert_words(*state, cases, nitems(cases));
}

static void
words_are_folded_stemmed_and_rid_of_stop_words(void **state)
{
	static const struct wording cases[] = {
	    {"The user shouldn't be asked for it", "user shouldn ask"},
	    {"not without", "not without"},
	    {"caresses ponies caress cats", "caress poni caress cat"},
	    {"agreed plastered motoring sing", "agre plaster motor sing"},
	    {"conflated troubled sized", "conflat troubl size"},
	    {"hopping falling failing filing", "hop fall fail file"},
	    {"happy sky", "happi sky"},
	    {"matches match cache caching", "match match cach cach"},
	    {"https status", "https statu"},
	    {"\xC3\x89t\xC3\xA9 \xC5\xA0KODA",
		"\xC3\xA9t\xC3\xA9 \xC5\xA1koda"},
	    {"\xE2\x80\x9Cquoted\xE2\x80\x9D \xE2\x86\x92 go", "quot go"},
	    {"bad \xFF\xC3 bytes", "bad byte"},
	};

	assert_words(*state, cases, nitems(cases));
}

static void
what_is_not_prose_comes_out_quiet(void **state)
{
	static const struct wording cases[] = {
	    {"see {code:java}new Foo(){code} stop", "see (new) (foo) stop"},
	    {"{noformat}x1 {code} y1{noformat} z1", "(x1) (y1) z1"},
	    {"```go fmt``` done", "(go) (fmt) done"},
	    {"{code}never closed", "(never) (close)"},
	    {"read https://a.example/x?y=1 now",
		"read (https) (exampl) (x) (y) (1) now"},
	    {"fails at org.x.Foo$1.run(Foo.java:12) twice",
		"fail (org) (x) (foo) (1) (run) (foo) (java) (12) twice"},
	    {"at noon (local)", "noon local"},
	    {"java.lang.IllegalStateException",
		"(java) (lang) illegal state exception"},
	    {"10:15:07,123 WARN pool\nnext",
		"(10) (15) (07) (123) (warn) (pool) next"},
	    {"{color:red}bold{color} {{mono}} h2. Title", "bold mono titl"},
	    {"!screen.png|width=3! [~bob] done!", "done"},
	    {"PUT /users/{id}", "put user id"},
	};

	assert_words(*state, cases, nitems(cases));
}

static void
a_reading_is_bounded(void **state)
{
	char *text = mem_array(*state, char, 100001);
	struct tokens t;
	struct token w;
	size_t n = 0;

	memset(text, 'x', 100000);
	t = tokens_of(text, 100000, 10);
	assert_true(tokens_next(&t, &w));
	assert_int_equal(w.len, TOKENS_WIDTH);
	assert_false(tokens_next(&t, &w));
	for (size_t i = 0; i < 100000; i++)
		text[i] = "ab "[i % 3];
	t = tokens_of(text, 100000, 10);
	while (tokens_next(&t, &w))
		n++;
	assert_int_equal(n, 10);
}

/* Each of these once made the reader look ahead from every byte. */
static void
no_text_takes_more_than_its_length(void **state)
{
	static const char *const runs[] = {"{", "a_", "[~", "!a", "a://",
	    "a.b.", "`", "12:00:00 ", "{code}", "at a.", "Aa1", "1."};
	size_t size = 1u << 20;

	for (size_t i = 0; i < nitems(runs); i++) {
		char *text = mem_array(*state, char, size);
		struct tokens t = tokens_of(text, size, SIZE_MAX);
		struct token w;

		for (size_t k = 0; k < size; k++)
			text[k] = runs[i][k % strlen(runs[i])];
		while (tokens_next(&t, &w))
			assert_true(w.len > 0);
		mem_drop(&text);
	}
}

/* ---- near-duplicates ---------------------------------------------------- */

/* A small backlog: series of parallel work, templates, and ordinary stories. */
static const struct similar_doc backlog[] = {
    {"G-1", "Reset a forgotten password by e-mail",
	"As a customer I want a link sent to my e-mail address, so that I can "
	"choose a new password when I have forgotten the old one. The link "
	"expires after one hour and works once."},
    {"G-2", "Create twitter source module",
	"As a user I would like a twitter source so that I can ingest tweets "
	"into a stream."},
    {"G-3", "Create mail source module",
	"As a user I would like a mail source so that I can ingest mails into "
	"a stream."},
    {"G-4", "Sprint 12 planning", ""},
    {"G-5", "Sprint 13 planning", ""},
    {"G-6", "Upgrade to PostgreSQL 15.2", "Bring the server up to date."},
    {"G-7", "Upgrade to PostgreSQL 15.3", "Bring the server up to date."},
    {"G-8", "Export the weekly report as PDF", ""},
    {"G-9", "Board loads slowly for projects with many stories",
	"Opening the board of a project with more than two thousand stories "
	"takes about nine seconds. The query for the columns reads every "
	"story although only the open ones are shown. Add an index and page "
	"the closed column."},
    {"G-10", "Invite a person to the workspace", "By e-mail, with a role."},
    {"G-11", "Copy files from HDFS to a local directory", ""},
    {"G-12", "Copy files from a local directory to HDFS", ""},
    {"G-13", "Documentation", "Write the chapter about sources."},
    {"G-14", "Documentation", "The installation guide lacks pictures."},
    {"G-15", "Support pagination in the list command for jobs", "See G-477"},
    {"G-16", "Support pagination in the list command for taps", "See G-477"},
    {"G-17", "Retrieve information for a gauge",
	"Get rid of the service layer in the analytics project. Have all "
	"controllers depend on the repository in every case instead."},
    {"G-18", "Retrieve information for a rich gauge",
	"Get rid of the service layer in the analytics project. Have all "
	"controllers depend on the repository in every case instead."},
    {"G-19", "Show the burndown of a sprint", "A line chart, one day a point."},
    {"G-20", "Archive finished epics",
	"Epics whose stories are all closed clutter the roadmap."},
    {"G-21", "Notify watchers when a story is blocked",
	"People who watch a story get a notification as soon as it is marked "
	"as blocked, with the reason."},
    {"G-22", "Keyboard shortcuts on the board", "Arrow keys move the focus."},
};

/* The same stories as G-1, G-8 and G-9, told again by somebody else. */
static const struct similar_doc planted[] = {
    {"G-31", "Forgotten password: reset it via email",
	"A user should get a link by e-mail so they can set a new passwrod "
	"when the old one is forgotten. The link works once and expires after "
	"an hour."},
    {"G-32", "Export PDF of the weekly reprot", NULL},
    {"G-33", "Slow loading of board for projects with many stories",
	"The board of a project with over two thousand stories needs nine "
	"seconds to open. Every story is read by the columns query, although "
	"just the open ones are shown. We should add an index and page the "
	"closed column."},
};

static bool
has_pair(const struct similar_pair *pairs, size_t n, size_t a, size_t b)
{
	for (size_t i = 0; i < n; i++)
		if (pairs[i].a == a && pairs[i].b == b)
			return true;
	return false;
}

static void
series_and_templates_are_not_duplicates(void **state)
{
	struct similar_pair *pairs;
	size_t n;

	assert_int_equal(
	    similar_pairs(*state, backlog, nitems(backlog), NULL, &pairs, &n),
	    ERR_OK);
	for (size_t i = 0; i < n; i++)
		print_error("%s ~ %s %.2f\n", backlog[pairs[i].a].id,
		    backlog[pairs[i].b].id, pairs[i].score);
	assert_int_equal(n, 0);
}

static void
planted_duplicates_are_all_found_and_nothing_else(void **state)
{
	static const struct {
		size_t original, planted;
	} expected[] = {{0, 0}, {7, 1}, {8, 2}};
	struct similar_doc docs[nitems(backlog) + nitems(planted)];
	struct similar_group *groups;
	struct similar_pair *pairs;
	size_t n, n_groups;

	memcpy(docs, backlog, sizeof(backlog));
	memcpy(docs + nitems(backlog), planted, sizeof(planted));
	assert_int_equal(
	    similar_pairs(*state, docs, nitems(docs), NULL, &pairs, &n),
	    ERR_OK);
	for (size_t i = 0; i < nitems(expected); i++)
		assert_true(has_pair(pairs, n, expected[i].original,
		    nitems(backlog) + expected[i].planted));
	assert_int_equal(n, nitems(expected));
	similar_groups(*state, pairs, n, &groups, &n_groups);
	assert_int_equal(n_groups, nitems(expected));
	for (size_t i = 0; i < n_groups; i++) {
		assert_int_equal(groups[i].n, 2);
		assert_true(groups[i].docs[0] < nitems(backlog));
	}
}

/* Two stories among others that they share no word with. */
static bool
are_duplicates(
    void *owner, const struct similar_doc *a, const struct similar_doc *b)
{
	struct similar_doc docs[nitems(backlog) + 2];
	struct similar_pair *pairs;
	size_t n;

	memcpy(docs, backlog, sizeof(backlog));
	docs[nitems(backlog)] = *a;
	docs[nitems(backlog) + 1] = *b;
	assert_int_equal(
	    similar_pairs(owner, docs, nitems(docs), NULL, &pairs, &n), ERR_OK);
	return has_pair(pairs, n, nitems(backlog), nitems(backlog) + 1);
}

static void
titles_alone_must_be_the_same_set_of_words(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} cases[] = {
	    {"Add a Sqoop example", "Create Sqoop example", true},
	    {"Add command for deleting a tap", "Command to delete tap", true},
	    {"loadGenerator for brokers", "Load generator for brokers", true},
	    {"Recieve invoices nightly", "Nightly: receive invoices", true},
	    {"Translate menus into German", "German translation of menus",
		true},
	    {"Log in with a passkey", "Passkey login", true},
	    {"Add support for SAML logout", "SAML sign out", true},
	    {"Document kafka broker", "Document kafka broker cluster", false},
	    {"Port rabbit as a sink", "Port redis as a sink", false},
	    {"Enable tracing of tenants", "Disable tracing of tenants", false},
	    {"Create TaskLauncher", "Enhance TaskLauncher", false},
	    {"Placeholder for demo #1", "Placeholder for demo #2", false},
	    {"Gradle 2.2", "Gradle 2.3", false},
	    {"Executor->Framework messages", "Framework->Executor messages",
		false},
	    {"", "", false},
	    {"the", "The", false},
	};

	for (size_t i = 0; i < nitems(cases); i++) {
		struct similar_doc a = {.id = "a", .title = cases[i].a};
		struct similar_doc b = {.id = "b", .title = cases[i].b};

		if (are_duplicates(*state, &a, &b) != cases[i].same)
			fail_msg("\"%s\" and \"%s\"", cases[i].a, cases[i].b);
	}
}

static void
stories_without_a_title_are_not_compared(void **state)
{
	struct similar_doc a = {.id = "a", .body = backlog[8].body};
	struct similar_doc b = {.id = "b", .title = "", .body = a.body};

	assert_false(are_duplicates(*state, &a, &b));
}

static void
same_documents_give_the_same_answer(void **state)
{
	struct similar_doc docs[nitems(backlog) * 3];
	struct similar_pair *one, *two, *best;
	struct similar_options three = {.max_pairs = 3};
	size_t n, m, k;

	for (size_t i = 0; i < nitems(docs); i++)
		docs[i] = backlog[i % nitems(backlog)];
	assert_int_equal(
	    similar_pairs(*state, docs, nitems(docs), NULL, &one, &n), ERR_OK);
	assert_int_equal(
	    similar_pairs(*state, docs, nitems(docs), NULL, &two, &m), ERR_OK);
	assert_int_equal(n, m);
	assert_true(n >= 3 * (nitems(backlog) - 2));
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(one[i].a, two[i].a);
		assert_int_equal(one[i].b, two[i].b);
		assert_true(one[i].a < one[i].b);
		assert_true(one[i].score >= SIMILAR_THRESHOLD);
		assert_true(one[i].score <= 1);
		assert_true(i == 0 || one[i].score <= one[i - 1].score);
	}
	assert_int_equal(
	    similar_pairs(*state, docs, nitems(docs), &three, &best, &k),
	    ERR_OK);
	assert_int_equal(k, 3);
	for (size_t i = 0; i < k; i++)
		assert_int_equal(best[i].b, one[i].b);
}

static void
a_search_leaves_only_its_answer(void **state)
{
	size_t before = mem_weight(*state), n, n_groups;
	struct similar_group *groups;
	struct similar_pair *pairs;

	assert_int_equal(
	    similar_pairs(*state, backlog, nitems(backlog), NULL, &pairs, &n),
	    ERR_OK);
	similar_groups(*state, pairs, n, &groups, &n_groups);
	assert_int_equal(n_groups, 0);
	assert_int_equal(mem_weight(*state), before);
	assert_int_equal(similar_pairs(*state, NULL, 0, NULL, &pairs, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(
	    similar_pairs(*state, backlog, SIMILAR_DOCS + 1, NULL, &pairs, &n),
	    ERR_VALIDATION_FAILED);
}

static void
groups_never_chain(void **state)
{
	static const struct similar_pair pairs[] = {
	    {.a = 0, .b = 1, .score = 0.9}, /* 0 1 2 are each other's */
	    {.a = 1, .b = 2, .score = 0.8},
	    {.a = 0, .b = 2, .score = 0.7},
	    {.a = 2, .b = 3, .score = 0.75}, /* 3 is only like 2 */
	    {.a = 5, .b = 8, .score = 0.95},
	    {.a = 8, .b = 9, .score = 0.65}, /* 9 is only like 8 */
	    {.a = 9, .b = 11, .score = 0.6},
	};
	static const struct {
		size_t docs[3], n;
		double score;
	} expected[] = {
	    {{5, 8}, 2, 0.95},
	    {{0, 1}, 2, 0.9},
	    {{2, 3}, 2, 0.75},
	    {{9, 11}, 2, 0.6},
	};
	struct similar_group *groups;
	size_t n;

	similar_groups(*state, pairs, nitems(pairs), &groups, &n);
	assert_int_equal(n, nitems(expected));
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(groups[i].n, expected[i].n);
		assert_memory_equal(groups[i].docs, expected[i].docs,
		    groups[i].n * sizeof(size_t));
		assert_true(fabs(groups[i].score - expected[i].score) < 1e-9);
	}
}

static void
copies_of_one_story_make_one_group(void **state)
{
	struct similar_doc docs[6];
	struct similar_group *groups;
	struct similar_pair *pairs;
	size_t n, n_groups;

	for (size_t i = 0; i < nitems(docs); i++)
		docs[i] = backlog[8];
	assert_int_equal(
	    similar_pairs(*state, docs, nitems(docs), NULL, &pairs, &n),
	    ERR_OK);
	similar_groups(*state, pairs, n, &groups, &n_groups);
	assert_int_equal(n_groups, 1);
	assert_int_equal(groups[0].n, 6);
	assert_int_equal(groups[0].docs[0], 0);
	assert_int_equal(groups[0].docs[5], 5);
}

/* ---- a real backlog ------------------------------------------------------ */

static size_t
find_key(const struct similar_doc *docs, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(docs[i].id, key) == 0)
			return i;
	fail_msg("%s is not in the backlog", key);
	return 0;
}

static void
a_real_backlog_gives_what_a_reader_calls_duplicates(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} cases[] = {
	    {"XD-2183", "XD-2186", true}, /* filed four times */
	    {"XD-2448", "XD-2526", true}, /* "Create" more */
	    {"XD-543", "XD-2291", true}, /* other order */
	    {"XD-323", "XD-374", true},
	    {"XD-259", "XD-373", true}, /* create, creation */
	    {"XD-2544", "XD-2787", true}, /* load generator */
	    {"XD-2757", "XD-2758", true}, /* told in other words */
	    {"XD-3363", "XD-3531", false}, /* module, source */
	    {"XD-330", "XD-331", false}, /* gauge, rich gauge */
	    {"XD-3525", "XD-3536", false}, /* source, sink */
	    {"XD-2559", "XD-2560", false}, /* redis, in memory */
	    {"XD-986", "XD-989", false}, /* to HDFS, from HDFS */
	    {"XD-2749", "XD-2750", false}, /* #1, #2 */
	    {"XD-506", "XD-507", false}, /* jobs, taps */
	    {"XD-2146", "XD-2147", false}, /* snapshot, release */
	};
	const char *folder = getenv("GNOMON_BACKLOGS");
	const char *path = mem_fmt(*state, "%s/springxd.csv",
	    folder ? folder : SOURCE_DIR "/../shared/data/backlogs");
	FILE *file = fopen(path, "r");
	struct similar_doc *docs = NULL;
	struct similar_pair *pairs;
	size_t n = 0, n_pairs;
	struct csv_record r;
	struct csv *c;

	if (!file) {
		print_message(
		    "SKIPPED: there is no %s; set GNOMON_BACKLOGS\n", path);
		skip();
	}
	c = csv_of_file(*state, file, NULL);
	assert_int_equal(csv_next(c, &r), CSV_RECORD);
	assert_string_equal(r.fields[1].text, "title");
	while (csv_next(c, &r) == CSV_RECORD) {
		assert_int_equal(r.n, 5);
		docs = mem_grow(*state, docs, n, sizeof(*docs));
		docs[n].id = mem_dup(*state, r.fields[0].text);
		docs[n].title = mem_dup(*state, r.fields[1].text);
		docs[n++].body = mem_dup(*state, r.fields[2].text);
	}
	fclose(file);
	assert_int_equal(n, 3526);
	assert_int_equal(
	    similar_pairs(*state, docs, n, NULL, &pairs, &n_pairs), ERR_OK);
	for (size_t i = 0; i < nitems(cases); i++)
		if (has_pair(pairs, n_pairs, find_key(docs, n, cases[i].a),
			find_key(docs, n, cases[i].b)) != cases[i].same)
			fail_msg("%s and %s", cases[i].a, cases[i].b);
}

/* ---- CSV ---------------------------------------------------------------- */

/* What a reader gives for the bytes: a line each, "<line>: a|b" for a record,
 * "<line>! sentence" for a fault. */
static const char *
told(void *owner, struct csv *c)
{
	struct buf *b = buf_new(owner, 4096);
	struct csv_record r;

	while (csv_next(c, &r) != CSV_END) {
		if (r.fault) {
			buf_fmt(b, "%zu! %s\n", r.line, r.fault);
			continue;
		}
		buf_fmt(b, "%zu: ", r.line);
		for (size_t i = 0; i < r.n; i++) {
			buf_text(b, i ? "|" : "");
			buf_add(b, r.fields[i].text, r.fields[i].len);
		}
		buf_char(b, '\n');
	}
	return b->data;
}

struct csv_case {
	const char *in, *told;
};

static void
assert_told(void *owner, const struct csv_case *cases, size_t n,
    const struct csv_options *opt)
{
	for (size_t i = 0; i < n; i++) {
		const char *in = cases[i].in;
		size_t len = strlen(in);
		FILE *file = tmpfile();

		assert_non_null(file);
		assert_int_equal(fwrite(in, 1, len, file), len);
		rewind(file);
		assert_string_equal(
		    told(owner, csv_of_memory(owner, in, len, opt)),
		    cases[i].told);
		assert_string_equal(
		    told(owner, csv_of_file(owner, file, opt)), cases[i].told);
		fclose(file);
	}
}

static void
records_are_read_as_rfc_4180_has_them(void **state)
{
	static const struct csv_case cases[] = {
	    {"", ""},
	    {"a,b\r\nc,d\r\n", "1: a|b\n2: c|d\n"},
	    {"a,b\nc,d", "1: a|b\n2: c|d\n"},
	    {"a,b\rc,d\r", "1: a|b\n2: c|d\n"},
	    {"a,,\n", "1: a||\n"},
	    {"\"a,b\",c\n", "1: a,b|c\n"},
	    {"\"a \"\"b\"\" c\"\n", "1: a \"b\" c\n"},
	    {"\"two\r\nlines\",x\ny,z\n", "1: two\r\nlines|x\n3: y|z\n"},
	    {"\"\"\n", "1: \n"},
	    {"\n\r\n\na,b\n\n", "4: a|b\n"},
	    {"a, \"b\" ,c\"d\n", "1: a| \"b\" |c\"d\n"},
	    {"\xEF\xBB\xBFkey,name\n1,\xC3\xA9\n",
		"1: key|name\n2: 1|\xC3\xA9\n"},
	    {",\n", "1: |\n"},
	};

	assert_told(*state, cases, nitems(cases), NULL);
}

static void
the_separator_is_found_out_or_given(void **state)
{
	static const struct csv_case found[] = {
	    {"a;b;c\n1,5;2;3\n", "1: a|b|c\n2: 1,5|2|3\n"},
	    {"a\tb\n1\t2\n", "1: a|b\n2: 1|2\n"},
	    {"\"a,b,c\";d\n", "1: a,b,c|d\n"},
	    {"alone\nx,y\n", "1: alone\n2: x|y\n"},
	    {"\n\na;b\n", "3: a|b\n"},
	};
	static const struct csv_case given[] = {
	    {"a,b;c\n", "1: a,b|c\n"},
	    {"a,b\n", "1: a,b\n"},
	};
	static const struct csv_options semicolon = {.separator = ';'};

	assert_told(*state, found, nitems(found), NULL);
	assert_told(*state, given, nitems(given), &semicolon);
}

static void
a_bad_record_is_told_and_the_next_one_read(void **state)
{
	static const struct csv_options tight = {.separator = ',',
	    .max_field = 6,
	    .max_fields = 3,
	    .max_record = 14};
	static const struct csv_case cases[] = {
	    {"a,\"b\"x,c\nd,e\n",
		"1! Field 2 has text after its closing quote.\n2: d|e\n"},
	    {"a,b\n\"c,d\ne\n",
		"1: a|b\n2! The quote opened on line 2 is never closed, so the "
		"rest of the file is inside it.\n"},
	    {"1234567,x\na,b\n",
		"1! Field 1 is longer than 6 bytes.\n2: a|b\n"},
	    {"123456,x\n", "1: 123456|x\n"},
	    {"\"12\n34567\",x\na,b\n",
		"1! Field 1 is longer than 6 bytes.\n3: a|b\n"},
	    {"a,b,c,d\ne,f,g\n",
		"1! The record has more than 3 fields.\n2: e|f|g\n"},
	    {"123456,12345,123\na\n",
		"1! The record is longer than 14 bytes.\n2: a\n"},
	    {"a,\xC3\x28\nb,c\n", "1! Field 2 is not UTF-8 text.\n2: b|c\n"},
	};

	assert_told(*state, cases, nitems(cases), &tight);
}

static void
a_nul_is_a_fault_of_its_record(void **state)
{
	static const char in[] = "a,b\0c\nd,e\n";
	struct csv *c = csv_of_memory(*state, in, sizeof(in) - 1, NULL);

	assert_string_equal(told(*state, c),
	    "1! Field 2 has a NUL byte in it; the file may be UTF-16 rather "
	    "than UTF-8.\n2: d|e\n");
}

static void
records_cross_the_blocks_of_a_file(void **state)
{
	FILE *file = tmpfile();
	struct csv_record r;
	struct csv *c;
	size_t n = 0;

	assert_non_null(file);
	for (int i = 0; i < 20000; i++)
		fprintf(file, "%d,\"a \"\"quoted\"\"\r\nfield\",end\r\n", i);
	rewind(file);
	c = csv_of_file(*state, file, NULL);
	while (csv_next(c, &r) == CSV_RECORD) {
		assert_int_equal(r.line, 2 * n + 1);
		assert_int_equal(r.n, 3);
		assert_int_equal(strtol(r.fields[0].text, NULL, 10), (long)n);
		assert_string_equal(r.fields[1].text, "a \"quoted\"\r\nfield");
		n++;
	}
	fclose(file);
	assert_int_equal(n, 20000);
}

static void
a_file_that_cannot_be_read_is_one_fault(void **state)
{
	FILE *file = fopen("/", "r"); /* reading a folder fails */
	struct csv *c;

	assert_non_null(file);
	c = csv_of_file(*state, file, NULL);
	assert_string_equal(
	    told(*state, c), "1! The file could not be read to its end.\n");
	fclose(file);
}

static void
fields_are_written_so_that_they_read_back(void **state)
{
	static const struct {
		const char *text, *plain, *guarded;
	} cases[] = {
	    {"plain", "plain", "plain"},
	    {NULL, "", ""},
	    {"", "\"\"", "\"\""},
	    {"a,b", "\"a,b\"", "\"a,b\""},
	    {"a;b", "\"a;b\"", "\"a;b\""},
	    {"say \"hi\"", "\"say \"\"hi\"\"\"", "\"say \"\"hi\"\"\""},
	    {"two\r\nlines", "\"two\r\nlines\"", "\"two\r\nlines\""},
	    {" space", "\" space\"", "\" space\""},
	    {"\xEF\xBB\xBFx", "\"\xEF\xBB\xBFx\"", "\"\xEF\xBB\xBFx\""},
	    {"=1+1", "=1+1", "'=1+1"},
	    {"=HYPERLINK(\"x\")", "\"=HYPERLINK(\"\"x\"\")\"",
		"\"'=HYPERLINK(\"\"x\"\")\""},
	    {"+cmd", "+cmd", "'+cmd"},
	    {"-cmd", "-cmd", "'-cmd"},
	    {"@sum", "@sum", "'@sum"},
	    {"\tx", "\"\tx\"", "\"'\tx\""},
	    {"\rx", "\"\rx\"", "\"'\rx\""},
	    {"-1.5", "-1.5", "-1.5"},
	    {"+49", "+49", "+49"},
	    {"-1e-5", "-1e-5", "-1e-5"},
	    {"-", "-", "'-"},
	    {"-1-2", "-1-2", "'-1-2"},
	    {"+1.", "+1.", "'+1."},
	    {"-1e", "-1e", "'-1e"},
	};

	for (size_t i = 0; i < nitems(cases); i++) {
		size_t len = cases[i].text ? strlen(cases[i].text) : 0;
		struct buf *plain = buf_new(*state, 100);
		struct buf *guarded = buf_new(*state, 100);

		csv_write_field(plain, cases[i].text, len, false);
		csv_write_field(guarded, cases[i].text, len, true);
		assert_string_equal(plain->data, cases[i].plain);
		assert_string_equal(guarded->data, cases[i].guarded);
	}
}

static void
the_guard_of_a_formula_is_told_from_text(void **state)
{
	static const struct {
		const char *text;
		size_t guard;
	} cases[] = {
	    {"'=1+1", 1},
	    {"'-cmd", 1},
	    {"'@", 1},
	    {"'-1.5", 0},
	    {"'tis", 0},
	    {"'", 0},
	    {"", 0},
	    {"=1+1", 0},
	    {"''=1", 0},
	};

	(void)state;
	for (size_t i = 0; i < nitems(cases); i++)
		assert_int_equal(
		    csv_guard_length(cases[i].text, strlen(cases[i].text)),
		    cases[i].guard);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    unit(identifiers_come_apart_where_a_reader_pauses),
	    unit(words_are_folded_stemmed_and_rid_of_stop_words),
	    unit(what_is_not_prose_comes_out_quiet),
	    unit(a_reading_is_bounded),
	    unit(no_text_takes_more_than_its_length),
	    unit(series_and_templates_are_not_duplicates),
	    unit(planted_duplicates_are_all_found_and_nothing_else),
	    unit(titles_alone_must_be_the_same_set_of_words),
	    unit(stories_without_a_title_are_not_compared),
	    unit(same_documents_give_the_same_answer),
	    unit(a_search_leaves_only_its_answer),
	    unit(groups_never_chain),
	    unit(copies_of_one_story_make_one_group),
	    unit(a_real_backlog_gives_what_a_reader_calls_duplicates),
	    unit(records_are_read_as_rfc_4180_has_them),
	    unit(the_separator_is_found_out_or_given),
	    unit(a_bad_record_is_told_and_the_next_one_read),
	    unit(a_nul_is_a_fault_of_its_record),
	    unit(records_cross_the_blocks_of_a_file),
	    unit(a_file_that_cannot_be_read_is_one_fault),
	    unit(fields_are_written_so_that_they_read_back),
	    unit(the_guard_of_a_formula_is_told_from_text),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
