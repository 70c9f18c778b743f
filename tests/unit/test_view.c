/* view/: Mustache, the set of templates, charts, values for people. */
#include "unit.h"

#include <ctype.h>
#include <dirent.h>
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/op.h"
#include "base/text.h"
#include "view/charts.h"
#include "view/humane.h"
#include "view/mustache.h"
#include "view/templates.h"

/* --- Mustache ---------------------------------------------------------- */

/* Partials of a test: a JSON object of name and text, parsed when called. */
struct given {
	void *owner;
	struct json_object *texts;
};

static const struct mustache *
find_given(const void *data, const char *name)
{
	const struct given *given = data;
	struct json_object *text;
	struct mustache *m;
	char *why;

	if (!json_object_object_get_ex(given->texts, name, &text))
		return NULL;
	assert_int_equal(
	    mustache_parse(given->owner, json_object_get_string(text),
		(size_t)json_object_get_string_len(text), &m, &why),
	    ERR_OK);
	return m;
}

static struct json_object *
json(void *owner, const char *text)
{
	struct json_object *value = json_tokener_parse(text);

	assert_true(value || strcmp(text, "null") == 0);
	return value ? op_json(owner, value) : NULL;
}

/* What the template becomes; a sentence that begins with ! when it fails. */
static const char *
poured(void *owner, const char *template, struct json_object *context,
    struct json_object *partials)
{
	struct buf *out = buf_new(owner, 1 << 20);
	struct given given = {.owner = owner, .texts = partials};
	struct mustache_partials lookup = {.find = find_given, .data = &given};
	struct mustache *m;
	char *why;

	if (mustache_parse(owner, template, strlen(template), &m, &why))
		return mem_fmt(owner, "!%s", why);
	if (mustache_render(m, context, partials ? &lookup : NULL, out))
		return "!render";
	return out->data;
}

static void
a_template_is_poured_as_the_specification_says(void **state)
{
	static const struct {
		const char *template, *context, *expected;
	} cases[] = {
	    {"Hi {{name}}", "{\"name\":\"<Mira & \\\"Jon\\\">\"}",
		"Hi &lt;Mira &amp; &quot;Jon&quot;&gt;"},
	    {"{{{x}}}{{&x}}", "{\"x\":\"<>\"}", "<><>"},
	    {"{{ a . b }}", "{}",
		"!line 1: the name \"a . b\" has a space in it"},
	    {"({{missing}})({{a.missing}})", "{\"a\":{}}", "()()"},
	    /* The first part decides; the rest must be found in it. */
	    {"{{#a}}{{b.c}}{{/a}}", "{\"a\":{\"b\":{}},\"b\":{\"c\":\"no\"}}",
		""},
	    {"{{#a}}{{x.y}}{{/a}}", "{\"a\":{\"b\":1},\"x\":{\"y\":\"up\"}}",
		"up"},
	    {"{{#a}}[{{b}}]{{/a}}", "{\"a\":{\"b\":null},\"b\":\"no\"}", "[]"},
	    {"{{#a.b.c}}yes{{/a.b.c}}{{^a.b.c}}no{{/a.b.c}}", "{\"a\":{}}",
		"no"},
	    {"{{#a.b}}{{c}}{{/a.b}}", "{\"a\":{\"b\":{\"c\":3}}}", "3"},
	    {"{{#a}}{{b.c.d}}{{/a}}", "{\"a\":{\"b\":\"text\"}}", ""},
	    {"{{#.}}{{#.}}{{.}},{{/.}};{{/.}}", "[[1,2],[\"a\"],[]]",
		"1,2,;a,;;"},
	    {"{{#l}}{{n}}{{.}}{{/l}}", "{\"l\":[1,2],\"n\":\"#\"}", "#1#2"},
	    {"{{#l}}x{{/l}}{{^l}}none{{/l}}", "{\"l\":[]}", "none"},
	    {"{{#o}}object{{/o}}", "{\"o\":{}}", "object"},
	    {"{{^z}}0{{/z}}{{^e}}empty{{/e}}{{#n}}n{{/n}}",
		"{\"z\":0,\"e\":\"\",\"n\":0.5}", "0emptyn"},
	    {"{{#t}}{{.}}{{/t}}", "{\"t\":true}", "true"},
	    {"{{x}}", "{\"x\":{\"a\":[1]}}", "{&quot;a&quot;:[1]}"},
	    /* Standalone tags take their line along, whatever ends it. */
	    {"a\n  {{#t}}  \nb\n\t{{/t}}\t\nc", "{\"t\":1}", "a\nb\nc"},
	    {"a\r\n{{! b }}\r\nc", "{}", "a\r\nc"},
	    {"a\r\n  {{=<% %>=}}\r\n<%x%>{{x}}", "{\"x\":1}", "a\r\n1{{x}}"},
	    {"{{#t}}\n{{/t}}", "{\"t\":1}", ""},
	    {"{{#t}} {{/t}}\n", "{\"t\":1}", " \n"},
	    {"{{!\na\n}} {{!b}}\nc", "{}", " \nc"},
	    {" {{! a }} x\n", "{}", "  x\n"},
	    {"  {{x}}  \n", "{\"x\":1}", "  1  \n"},
	    /* Delimiters */
	    {"{{=| |=}}|x||{x}||&x|{{x}}", "{\"x\":\"&\"}", "&amp;&&{{x}}"},
	    {"{{=[[  ]]=}}[[#t]][[x]][[/t]][[={{ }}=]]{{x}}",
		"{\"t\":1,\"x\":2}", "22"},
	    {"{{x}}}", "{\"x\":1}", "1}"},
	    {"{ {{{ x }}} }", "{\"x\":1}", "{ 1 }"},
	    {"a } b }} c", "{}", "a } b }} c"},
	    {"", "null", ""},
	    {"{{.}}", "null", ""},
	};

	for (size_t i = 0; i < nitems(cases); i++)
		assert_string_equal(poured(*state, cases[i].template,
					json(*state, cases[i].context), NULL),
		    cases[i].expected);
}

static void
numbers_print_as_json_would(void **state)
{
	static const struct {
		const char *json, *expected;
	} cases[] = {
	    {"85", "85"},
	    {"85.0", "85"},
	    {"1.21", "1.21"},
	    {"1.10", "1.1"},
	    {"-0.0", "0"},
	    {"-12.5", "-12.5"},
	    {"0.1", "0.1"},
	    {"0.30000000000000004", "0.30000000000000004"},
	    {"100.0", "100"},
	    {"1e20", "100000000000000000000"},
	    {"1e21", "1e+21"},
	    {"-1.5e300", "-1.5e+300"},
	    {"0.000001", "0.000001"},
	    {"1.5e-7", "1.5e-7"},
	    {"5e-324", "5e-324"},
	    {"9223372036854775807", "9223372036854775807"},
	    {"18446744073709551615", "18446744073709551615"},
	    {"-9223372036854775808", "-9223372036854775808"},
	};

	for (size_t i = 0; i < nitems(cases); i++)
		assert_string_equal(
		    poured(*state, "{{.}}", json(*state, cases[i].json), NULL),
		    cases[i].expected);
}

static void
partials_keep_their_place(void **state)
{
	static const struct {
		const char *template, *context, *partials, *expected;
	} cases[] = {
	    {"[{{>p}}]", "{}", "{}", "[]"},
	    {"| {{> p }} |", "{}", "{\"p\":\"\\t|\\t\"}", "| \t|\t |"},
	    {"  {{x}}  {{> p}}\n", "{\"x\":\"|\"}", "{\"p\":\">\\n>\"}",
		"  |  >\n>\n"},
	    {"{{>o}}", "{\"a\":1,\"b\":2}",
		"{\"o\":\"*{{a}} {{>i}}*\",\"i\":\"{{b}}!\"}", "*1 2!*"},
	    /* What a value brings along is not indented; every line is. */
	    {" {{>p}}\n/", "{\"x\":\"<\\n->\"}",
		"{\"p\":\"|\\n{{{x}}}\\n\\n|\\n\"}", " |\n <\n->\n \n |\n/"},
	    /* Indentation adds up, and goes before the tag that is first. */
	    {" {{>a}}\n", "{\"x\":1}",
		"{\"a\":\"a\\n  {{>b}}\\nz\\n\",\"b\":\"{{x}}\\n{{x}}\\n\"}",
		" a\n   1\n   1\n z\n"},
	    {" {{>p}}\n", "{\"l\":[1,2]}",
		"{\"p\":\"{{#l}}\\n<{{.}}>\\n{{/l}}\\n{{#l}}{{.}}{{/l}}\\n\"}",
		" <1>\n <2>\n 12\n"},
	    {" {{>p}}\n", "{\"t\":1}",
		"{\"p\":\"{{#t}}a\\n{{/t}} b\\n{{! c }} d\\n\"}",
		" a\n  b\n  d\n"},
	    {"  {{>a}}\n", "{}", "{\"a\":\"[{{>b}}]\\n\",\"b\":\"1\\n2\"}",
		"  [1\n2]\n"},
	    /* Delimiters stay at home. */
	    {"{{=| |=}}|>p|{{x}}", "{\"x\":1}", "{\"p\":\"{{x}}|x|\"}",
		"1|x|{{x}}"},
	    {"{{>p}}{{x}}|x|", "{\"x\":1}", "{\"p\":\"{{=| |=}}|x|\"}",
		"11|x|"},
	    {"{{>n}}", "{\"c\":\"X\",\"l\":[{\"c\":\"Y\",\"l\":[]}]}",
		"{\"n\":\"{{c}}<{{#l}}{{>n}}{{/l}}>\"}", "X<Y<>>"},
	    {"|\r\n {{>p}}\r\n|", "{}", "{\"p\":\">\\r\\n>\"}",
		"|\r\n >\r\n >|"},
	};

	for (size_t i = 0; i < nitems(cases); i++)
		assert_string_equal(poured(*state, cases[i].template,
					json(*state, cases[i].context),
					json(*state, cases[i].partials)),
		    cases[i].expected);
}

static void
what_does_not_parse_says_where(void **state)
{
	static const struct {
		const char *template, *why;
	} cases[] = {
	    {"\n\n{{#x}}\n", "!line 3: section {{#x}} is never closed"},
	    {"{{^a.b}}", "!line 1: section {{^a.b}} is never closed"},
	    {"{{#x}}\n{{/y}}",
		"!line 2: {{/y}} closes section {{#x}} of line 1"},
	    {"{{/y}}",
		"!line 1: {{/y}} closes a section that was never opened"},
	    {"a\n{{b", "!line 2: a tag is never closed"},
	    {"{{{b}}", "!line 1: a tag is never closed"},
	    {"{{=<% %>}}", "!line 1: a tag is never closed"},
	    {"{{=<%=}}", "!line 1: {{=<%=}} does not name two delimiters"},
	    {"{{=a b c=}}",
		"!line 1: {{=a b c=}} does not name two delimiters"},
	    {"{{}}", "!line 1: a tag has no name"},
	    {"{{# }}", "!line 1: a tag has no name"},
	    {"{{!\n\n}}{{a..b}}",
		"!line 3: the name \"a..b\" has an empty part"},
	    {"{{.a}}", "!line 1: the name \".a\" has an empty part"},
	    {"{{>*x}}",
		"!line 1: {{>*x}} belongs to an optional module that is not "
		"here"},
	    {"{{<x}}{{/x}}",
		"!line 1: {{<x}} belongs to an optional module that is not "
		"here"},
	};

	for (size_t i = 0; i < nitems(cases); i++)
		assert_string_equal(
		    poured(*state, cases[i].template, NULL, NULL),
		    cases[i].why);
}

/* n times what is before, then middle, then n times what is after. */
static const char *
nested(void *owner, const char *before, const char *middle, const char *after,
    int n)
{
	struct buf *text = buf_new(owner, 1 << 20);

	for (int i = 0; i < n; i++)
		buf_text(text, before);
	buf_text(text, middle);
	for (int i = 0; i < n; i++)
		buf_text(text, after);
	return text->data;
}

static void
nothing_in_a_template_is_without_end(void **state)
{
	struct json_object *yes = json(*state, "{\"t\":{\"t\":1},\"l\":[1,2]}");
	struct json_object *deep = json_object_new_object();
	const char *text;

	text = nested(*state, "{{#t}}", "x", "{{/t}}", 64);
	assert_string_equal(poured(*state, text, yes, NULL), "x");
	text = nested(*state, "{{#t}}", "x", "{{/t}}", 65);
	assert_string_equal(poured(*state, text, yes, NULL),
	    "!line 1: more than 64 sections inside one another");

	/* 64 partials, each inside 64 sections. */
	text = nested(*state, "{{#t}}", "{{>p}}", "{{/t}}", 64);
	op_json(*state, deep);
	json_object_object_add(deep, "p", json_object_new_string(text));
	assert_string_equal(poured(*state, "{{>p}}", yes, deep), "!render");

	/* Quiet, but two to the power of 64 steps. */
	assert_string_equal(poured(*state, "{{>p}}", yes,
				json(*state, "{\"p\":\"{{#l}}{{>p}}{{/l}}\"}")),
	    "!render");
	/* Loud: the buffer is full first. */
	assert_string_equal(
	    poured(*state, "{{>p}}", yes,
		json(*state, "{\"p\":\"{{#l}}loud {{>p}}{{/l}}\"}")),
	    "!render");
}

static void
a_name_or_template_has_a_greatest_length(void **state)
{
	char *text = mem_array(*state, char, MUSTACHE_TEXT_MAX + 2);
	struct mustache *m = NULL;
	char *why = NULL;

	memset(text, 'x', MUSTACHE_TEXT_MAX + 1);
	assert_int_equal(
	    mustache_parse(*state, text, MUSTACHE_TEXT_MAX, &m, &why), ERR_OK);
	mem_drop(&m);
	assert_int_equal(
	    mustache_parse(*state, text, MUSTACHE_TEXT_MAX + 1, &m, &why),
	    ERR_VALIDATION_FAILED);
	assert_string_equal(
	    why, "line 1: the template is longer than 1048576 bytes");
	memcpy(text, "{{", 2);
	memcpy(text + 302, "}}", 2);
	assert_int_equal(
	    mustache_parse(*state, text, 304, &m, &why), ERR_VALIDATION_FAILED);
	assert_true(text_ends(why, "...\" is longer than 255 bytes"));
	assert_null(m);
}

static const char *
test_data(void *owner, const char *name)
{
	const char *folder = getenv("GNOMON_TEST_DATA");

	if (!folder || !*folder)
		folder = SOURCE_DIR "/../shared/data";
	return mem_fmt(owner, "%s/%s", folder, name);
}

static size_t
run_cases(void *owner, const char *path)
{
	struct json_object *suite = op_json(owner, json_object_from_file(path));
	struct json_object *tests = json_object_object_get(suite, "tests");
	size_t n = json_object_array_length(tests);

	for (size_t i = 0; i < n; i++) {
		struct json_object *t = json_object_array_get_idx(tests, i);
		const char *expected = json_object_get_string(
		    json_object_object_get(t, "expected"));
		const char *got = poured(owner,
		    json_object_get_string(
			json_object_object_get(t, "template")),
		    json_object_object_get(t, "data"),
		    json_object_object_get(t, "partials"));

		if (strcmp(got, expected) != 0)
			print_error("%s: %s\n", path,
			    json_object_get_string(
				json_object_object_get(t, "name")));
		assert_string_equal(got, expected);
	}
	return n;
}

static void
the_cases_of_the_specification_pass(void **state)
{
	const char *folder = test_data(*state, "mustache");
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	size_t n = 0;

	if (!dir) {
		print_message("SKIPPED: no Mustache cases at %s\n", folder);
		skip();
	}
	while ((entry = readdir(dir)))
		if (text_ends(entry->d_name, ".json"))
			n += run_cases(*state,
			    mem_fmt(*state, "%s/%s", folder, entry->d_name));
	closedir(dir);
	assert_true(n > 0);
}

/* --- Templates --------------------------------------------------------- */

/* A folder that goes with its owner; path names must not need quoting. */
static int
remove_below(const char *folder)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;

	if (!dir)
		return unlink(folder);
	while ((entry = readdir(dir))) {
		char path[512];

		if (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		remove_below(path);
	}
	closedir(dir);
	return rmdir(folder);
}

static void
remove_folder(void *folder)
{
	remove_below(folder);
}

static const char *
new_folder(void *owner)
{
	const char *tmp = getenv("TMPDIR");
	char *folder =
	    mem_fmt(owner, "%s/gnomon-view-XXXXXX", tmp && *tmp ? tmp : "/tmp");

	assert_non_null(mkdtemp(folder));
	return mem_adopt(folder, folder, remove_folder);
}

static void
write_file(void *owner, const char *folder, const char *name, const char *text)
{
	char *path = mem_fmt(owner, "%s/%s", folder, name);
	FILE *file;

	for (char *c = path + strlen(folder) + 1; *c; c++)
		if (*c == '/') {
			*c = '\0';
			mkdir(path, 0700);
			*c = '/';
		}
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void
a_page_is_rendered_inside_its_layout(void **state)
{
	const char *folder = new_folder(*state);
	struct templates *set;
	struct buf *out = buf_new(*state, 1000);
	char *why;

	write_file(
	    *state, folder, "layout/head.html", "<title>{{title}}</title>\n");
	write_file(*state, folder, "layout/foot.html", "<footer>\n");
	write_file(*state, folder, "partials/chip.html", "<b>{{.}}</b>");
	write_file(*state, folder, "pages/insights.html",
	    "{{>layout/head}}\n{{#items}}{{>partials/chip}}{{/items}}\n"
	    "{{{chart.burnSvg}}}{{{bodyHtml}}}\n{{>layout/foot}}\n");
	/* These are no templates and may say what they like. */
	write_file(*state, folder, "static/page.html", "{{{raw}}}");
	write_file(*state, folder, ".hidden.html", "{{#open}}");
	write_file(*state, folder, "pages/notes.txt", "{{#open}}");

	assert_int_equal(templates_load(*state, folder, &set, &why), ERR_OK);
	assert_true(templates_has(set, "pages/insights"));
	assert_false(templates_has(set, "static/page"));
	assert_int_equal(templates_render(set, "pages/insights",
			     json(*state,
				 "{\"title\":\"A&B\",\"items\":[\"x\",\"y\"],"
				 "\"chart\":{\"burnSvg\":\"<svg/>\"}}"),
			     out),
	    ERR_OK);
	assert_string_equal(out->data,
	    "<title>A&amp;B</title>\n<b>x</b><b>y</b>\n<svg/>\n<footer>\n");
	assert_int_equal(
	    templates_render(set, "pages/none", NULL, out), ERR_NOT_FOUND);
}

static void
a_template_that_cannot_work_stops_the_start(void **state)
{
	static const struct {
		const char *file, *text, *why;
	} cases[] = {
	    {"pages/a.html", "x\n{{#open}}\n",
		"pages/a.html, line 2: section {{#open}} is never closed"},
	    {"pages/b.html", "\n\n{{>partials/gone}}",
		"pages/b.html, line 3: there is no partial "
		"partials/gone.html"},
	    {"partials/c.html", "{{{name}}}",
		"partials/c.html, line 1: {{{name}}} is raw, but its name does "
		"not end in Svg or Html"},
	    {"d.html", "\n{{&svg}}",
		"d.html, line 2: {{{svg}}} is raw, but its name does not end "
		"in Svg or Html"},
	};

	for (size_t i = 0; i < nitems(cases); i++) {
		const char *folder = new_folder(*state);
		struct templates *set = NULL;
		char *why = NULL;

		write_file(*state, folder, cases[i].file, cases[i].text);
		assert_int_equal(templates_load(*state, folder, &set, &why),
		    ERR_VALIDATION_FAILED);
		assert_string_equal(
		    why, mem_fmt(*state, "%s/%s", folder, cases[i].why));
		assert_null(set);
	}
}

static void
a_folder_that_is_not_there_is_named(void **state)
{
	struct templates *set;
	char *why;

	assert_int_equal(
	    templates_load(*state, "/nowhere/templates", &set, &why),
	    ERR_NOT_FOUND);
	assert_string_equal(
	    why, "/nowhere/templates: No such file or directory");
}

static void
every_template_of_the_product_can_work(void **state)
{
	struct templates *set;
	char *why = NULL;

	if (access(SOURCE_DIR "/templates", R_OK)) {
		print_message("SKIPPED: there is no templates folder\n");
		skip();
	}
	if (templates_load(*state, SOURCE_DIR "/templates", &set, &why))
		fail_msg("%s", why);
}

/* --- Charts ------------------------------------------------------------ */

static const char *
drawn(void *owner, const char *kind, const char *rows)
{
	struct buf *out = buf_new(owner, 1 << 20);

	assert_int_equal(
	    chart_draw(kind, json(owner, rows), "c1", out), ERR_OK);
	return out->data;
}

static void
assert_has(const char *text, const char *what)
{
	if (!strstr(text, what))
		print_error("%s\nis not in\n%s\n", what, text);
	assert_non_null(strstr(text, what));
}

static const char sprint[] =
    "[{\"day\":\"2026-11-09\",\"remaining\":64,\"ideal\":64},"
    "{\"day\":\"2026-11-10\",\"remaining\":60,\"ideal\":48},"
    "{\"day\":\"2026-11-11\",\"remaining\":52.5,\"ideal\":32,\"scope\":3,"
    "\"isToday\":true},"
    "{\"day\":\"2026-11-12\",\"remaining\":null,\"ideal\":16,"
    "\"forecastLow\":44,\"forecastHigh\":50},"
    "{\"day\":\"2026-11-13\",\"remaining\":null,\"ideal\":0,"
    "\"forecastLow\":30,\"forecastHigh\":48}]";

static void
a_chart_says_its_finding(void **state)
{
	static const struct {
		const char *kind, *rows, *finding;
	} cases[] = {
	    {"burndown", sprint,
		">52.5 points remain on 11 Nov, 20.5 more than the ideal line. "
		"Scope grew by 3 points. The forecast for 13 Nov is 30 to 48 "
		"points.</desc>"},
	    {"burndown", "[{\"day\":\"2026-11-09\",\"remaining\":1}]",
		">1 point remains on 9 Nov.</desc>"},
	    {"burndown",
		"[{\"day\":\"2026-11-09\",\"remaining\":8,\"ideal\":8,"
		"\"scope\":-1}]",
		">8 points remain on 9 Nov, as the ideal line says. Scope "
		"shrank by 1 point.</desc>"},
	    {"bars",
		"[{\"label\":\"1 Nov\",\"value\":37500000,\"unit\":\"micros\","
		"\"pace\":40000000},"
		"{\"label\":\"2 Nov\",\"value\":62400000},"
		"{\"label\":\"3 Nov\",\"value\":41000000,\"forecast\":true}]",
		">$99.90 over 2 days. The highest is $62.40 on 2 Nov. "
		"1 day is above the pace of $40 a day. The forecast for 1 more "
		"day is $41.</desc>"},
	    {"bars", "[{\"label\":\"1 Nov\",\"value\":12.5}]",
		">12.5 over 1 day. The highest is 12.5 on 1 Nov.</desc>"},
	    {"velocity",
		"[{\"label\":\"Sprint 40\",\"committed\":50,\"completed\":48},"
		"{\"label\":\"Sprint 41\",\"committed\":60,\"completed\":54},"
		"{\"label\":\"Sprint 42\",\"committed\":64,"
		"\"completed\":null}]",
		">Sprint 41 completed 54 of 60 points committed, 90%. The mean "
		"of 2 sprints is 51 points.</desc>"},
	    {"velocity", "[{\"label\":\"S1\",\"committed\":5}]",
		">No sprint is complete yet.</desc>"},
	};

	for (size_t i = 0; i < nitems(cases); i++)
		assert_has(drawn(*state, cases[i].kind, cases[i].rows),
		    cases[i].finding);
}

static void
a_burndown_shows_all_it_was_given(void **state)
{
	const char *svg = drawn(*state, "burndown", sprint);

	assert_has(svg,
	    "<svg class=\"ch\" viewBox=\"0 0 640 210\" font-size=\"11\" "
	    "role=\"img\" aria-labelledby=\"c1-t c1-d\">"
	    "<title id=\"c1-t\">Burndown</title><desc id=\"c1-d\">");
	assert_has(svg, ">+3 scope</text>");
	assert_has(svg, ">Today</text>");
	assert_has(svg, ">Forecast</text>");
	assert_has(svg, ">Ideal</text>");
	assert_has(svg, ">52.5 left</text>");
	/* Stepped: from day to day only along, then down. */
	assert_has(svg, "stroke-width=\"2.25\" d=\"M48 55.");
	assert_has(svg, "H180V");
	assert_has(svg, "stroke-dasharray");
	assert_has(svg, "fill-opacity=\".15\"");
}

/* Every day something came in: no two of the labels may stand on each other,
 * nor may one be missing while there is room. Letters are 18 px at most. */
static void
labels_of_neighbouring_days_keep_apart(void **state)
{
	enum { DAYS = 12, WIDE = 80, HIGH = 18 };
	struct buf *rows = buf_new(*state, 10000);
	double x[DAYS], y[DAYS];
	const char *at;
	int n = 0;

	for (int i = 0; i < DAYS; i++)
		buf_fmt(rows,
		    "%s{\"day\":\"2026-11-%02d\",\"remaining\":%d,"
		    "\"ideal\":%d,\"scope\":%d}",
		    i ? "," : "[", i + 9, 40 + i % 3, 40 - 3 * i,
		    i % 2 ? -3 : 3);
	buf_text(rows, "]");
	at = drawn(*state, "burndown", rows->data);
	for (const char *end; (end = strstr(at, " scope</text>"));
	     at = end + 1) {
		const char *from = end;
		char anchor[8];

		while (strncmp(from, "<text", 5) != 0)
			from--;
		assert_int_equal(
		    sscanf(strstr(from, "x=\""),
			"x=\"%lf\" y=\"%lf\" text-anchor=\"%7[a-z]", &x[n],
			&y[n], anchor),
		    3);
		x[n] -= strcmp(anchor, "end") == 0  ? WIDE
		    : strcmp(anchor, "middle") == 0 ? WIDE / 2.0
						    : 0;
		assert_true(y[n] >= 20 && y[n] <= 190);
		for (int k = 0; k < n; k++)
			if (x[n] < x[k] + WIDE && x[k] < x[n] + WIDE)
				assert_true(
				    y[n] >= y[k] + HIGH || y[k] >= y[n] + HIGH);
		n++;
	}
	assert_int_equal(n, DAYS);
}

static void
a_chart_keeps_to_the_policy_of_the_page(void **state)
{
	static const char *const evil =
	    "[{\"title\":\"<script>\",\"label\":\"\\\"><img src=x>\","
	    "\"day\":\"<b>\",\"value\":1,\"remaining\":1,\"committed\":2,"
	    "\"completed\":1,\"unit\":\"'\",\"scope\":1}]";
	static const char *const kinds[] = {
	    "sparkline", "burndown", "bars", "velocity"};

	for (size_t i = 0; i < nitems(kinds); i++) {
		struct buf *out = buf_new(*state, 1 << 20);

		assert_true(chart_is_kind(kinds[i]));
		assert_int_equal(
		    chart_draw(kinds[i], json(*state, evil), "\"><x", out),
		    ERR_OK);
		assert_null(strstr(out->data, "style="));
		assert_null(strstr(out->data, "<script"));
		assert_null(strstr(out->data, "<img"));
		assert_null(strstr(out->data, "<b>"));
		assert_null(strstr(out->data, "<x"));
		assert_true(text_starts(out->data, "<svg class=\"ch\" "));
		assert_true(text_ends(out->data, "</svg>"));
	}
}

static void
a_chart_draws_whatever_it_gets(void **state)
{
	static const char *const kinds[] = {
	    "sparkline", "burndown", "bars", "velocity"};
	static const char *const keys[] = {"value", "remaining", "completed",
	    "committed", "ideal", "scope", "forecastLow", "forecastHigh",
	    "pace"};
	static const char *const values[] = {"null", "0", "-5", "1e308",
	    "-1e308", "1e-300", "\"7\"", "{}", "NaN", "Infinity",
	    "9223372036854775807"};
	struct buf *rows = buf_new(*state, 1 << 20);

	buf_text(rows, "[null,7,{},{\"day\":5,\"label\":[]}");
	for (size_t v = 0; v < nitems(values); v++) {
		buf_fmt(rows, ",{\"day\":\"2026-02-31\",\"label\":\"%zu\"", v);
		for (size_t k = 0; k < nitems(keys); k++)
			buf_fmt(rows, ",\"%s\":%s", keys[k],
			    values[(v + k) % nitems(values)]);
		buf_text(rows, ",\"isToday\":true}");
	}
	buf_char(rows, ']');
	for (size_t i = 0; i < nitems(kinds); i++) {
		const char *svg = drawn(*state, kinds[i], rows->data);

		assert_null(strstr(svg, "nan"));
		assert_null(strstr(svg, "inf"));
		assert_true(text_ends(drawn(*state, kinds[i], "[]"), "</svg>"));
		assert_true(
		    text_ends(drawn(*state, kinds[i], "null"), "</svg>"));
		assert_true(
		    text_ends(drawn(*state, kinds[i], "[{}]"), "</svg>"));
	}
	assert_has(drawn(*state, "bars", "[]"), ">No data yet</text>");
	assert_has(drawn(*state, "bars", "[]"), ">There is no data yet.<");
}

static void
a_chart_of_no_kind_is_refused(void **state)
{
	struct buf *out = buf_new(*state, 100);

	assert_false(chart_is_kind("pie"));
	assert_int_equal(chart_draw("pie", NULL, "c1", out), ERR_INTERNAL);
	assert_int_equal(
	    chart_draw("bars", NULL, "c1", out), ERR_INTERNAL); /* full */
}

static void
a_long_sparkline_shows_its_end(void **state)
{
	struct buf *rows = buf_new(*state, 1 << 20);
	const char *svg;

	buf_text(rows, "[{\"value\":1000000}");
	for (int i = 0; i < CHART_ROWS_MAX; i++)
		buf_fmt(rows, ",{\"value\":%d}", i % 2);
	buf_char(rows, ']');
	svg = drawn(*state, "sparkline", rows->data);
	assert_has(svg, " width=\"96\" height=\"24\" aria-hidden=\"true\">");
	assert_has(svg, "d=\"M3 21L"); /* the million is not in the picture */
	assert_has(svg, "cx=\"93\" cy=\"3\"");
}

/* --- Values for people ------------------------------------------------- */

static void
amounts_read_as_people_write_them(void **state)
{
	static const struct {
		char *(*show)(void *owner, int64_t value);
		int64_t value;
		const char *expected;
	} cases[] = {
	    {humane_count, 0, "0"},
	    {humane_count, 999, "999"},
	    {humane_count, 3526, "3,526"},
	    {humane_count, -1234567, "-1,234,567"},
	    {humane_count, INT64_MIN, "-9,223,372,036,854,775,808"},
	    {humane_tokens, 3912, "3,912"},
	    {humane_tokens, 999999, "999,999"},
	    {humane_tokens, 1000000, "1.0 M"},
	    {humane_tokens, 48230000, "48.2 M"},
	    {humane_tokens, 999949999, "999.9 M"},
	    {humane_tokens, 999950000, "1.0 B"},
	    {humane_tokens, 1250000000, "1.3 B"},
	    {humane_tokens, INT64_MAX, "9,223,372,036.9 B"},
	    {humane_money, 0, "$0.00"},
	    {humane_money, 812400000, "$812.40"},
	    {humane_money, 1204495000, "$1,204.50"},
	    {humane_money, 360000, "$0.36"},
	    {humane_money, 100000, "$0.10"},
	    {humane_money, 99600, "$0.10"},
	    {humane_money, 99499, "$0.099"},
	    {humane_money, 60000, "$0.060"},
	    {humane_money, 21000, "$0.021"},
	    {humane_money, 3849, "$0.004"},
	    {humane_money, 1000, "$0.001"},
	    {humane_money, 420, "$0.00042"},
	    {humane_money, 1, "$0.000001"},
	    {humane_money, -3000000, "-$3.00"},
	    {humane_money, -21000, "-$0.021"},
	    {humane_money, INT64_MIN, "-$9,223,372,036,854.78"},
	    {humane_budget, 1200000000, "$1,200"},
	    {humane_budget, 37500000, "$37.50"},
	    {humane_budget, 0, "$0"},
	    {humane_duration, 0, "0 ms"},
	    {humane_duration, 310, "310 ms"},
	    {humane_duration, 1000, "1.0 s"},
	    {humane_duration, 2310, "2.3 s"},
	    {humane_duration, 59949, "59.9 s"},
	    {humane_duration, 59950, "1 min"},
	    {humane_duration, 252000, "4 min 12 s"},
	    {humane_duration, 3599499, "59 min 59 s"},
	    {humane_duration, 3599500, "1 h"},
	    {humane_duration, 3900000, "1 h 5 min"},
	    {humane_duration, 86399000, "1 d"},
	    {humane_duration, 183600000, "2 d 3 h"},
	    {humane_duration, -310, "-310 ms"},
	};

	for (size_t i = 0; i < nitems(cases); i++)
		assert_string_equal(
		    cases[i].show(*state, cases[i].value), cases[i].expected);
}

static void
shares_are_whole_percent(void **state)
{
	assert_string_equal(humane_share(*state, 0.676), "68%");
	assert_string_equal(humane_share(*state, 0), "0%");
	assert_string_equal(humane_share(*state, -0.001), "0%");
	assert_string_equal(humane_share(*state, 1.25), "125%");
	assert_string_equal(humane_share(*state, NAN), "0%");
	assert_string_equal(humane_share(*state, INFINITY), "0%");
}

static void
days_and_times_are_told_in_the_zone_of_the_reader(void **state)
{
	static const int64_t at = 1795162440000000; /* 2026-11-20T08:14Z */
	static const int64_t new_year = 1798759800000000; /* …-12-31T23:30Z */
	static const struct {
		int64_t at;
		const char *zone, *time, *day;
	} cases[] = {
	    {at, "UTC", "20 Nov 2026, 08:14", "20 Nov"},
	    {at, "Europe/Berlin", "20 Nov 2026, 09:14", "20 Nov"},
	    {at, "America/St_Johns", "20 Nov 2026, 04:44", "20 Nov"},
	    {at, "Pacific/Kiritimati", "20 Nov 2026, 22:14", "20 Nov"},
	    {new_year, "Asia/Tokyo", "1 Jan 2027, 08:30", "1 Jan 2027"},
	    {at, "No/Where", "20 Nov 2026, 08:14", "20 Nov"},
	    {at, "", "20 Nov 2026, 08:14", "20 Nov"},
	    {at, "../../../etc/passwd", "20 Nov 2026, 08:14", "20 Nov"},
	    {at, "Europe/Berlin", "20 Nov 2026, 09:14", "20 Nov"},
	    {-1, "UTC", "31 Dec 1969, 23:59", "31 Dec 1969"},
	};

	for (size_t i = 0; i < nitems(cases); i++) {
		assert_string_equal(
		    humane_time(*state, cases[i].at, cases[i].zone),
		    cases[i].time);
		assert_string_equal(
		    humane_day(*state, cases[i].at, cases[i].zone, at),
		    cases[i].day);
	}
	assert_int_equal(humane_year(new_year, "UTC"), 2026);
	assert_int_equal(humane_year(new_year, "Asia/Tokyo"), 2027);
}

static void
plain_dates_have_no_zone(void **state)
{
	assert_string_equal(humane_date(*state, "2026-11-09", 2026), "9 Nov");
	assert_string_equal(
	    humane_date(*state, "2025-11-09", 2026), "9 Nov 2025");
	assert_string_equal(humane_date(*state, "2025-11-09", 0), "9 Nov");
	assert_string_equal(humane_date(*state, "2026-13-09", 0), "2026-13-09");
	assert_string_equal(humane_date(*state, "soon", 0), "soon");
	assert_string_equal(humane_date(*state, "", 0), "");
}

/* --- Colours ----------------------------------------------------------- */

enum { LIGHT, DARK };

/* "#fff" or "#f6f7f9" as red, green, blue. */
static bool
read_colour(const char *text, double rgb[3])
{
	size_t n = 0;
	char digits[7] = {0};

	if (*text++ != '#')
		return false;
	while (n < 6 && isxdigit((unsigned char)text[n]))
		n++;
	if (n != 3 && n != 6)
		return false;
	for (size_t i = 0; i < 6; i++)
		digits[i] = text[n == 6 ? i : i / 2];
	for (size_t i = 0; i < 3; i++) {
		const char pair[] = {digits[2 * i], digits[2 * i + 1], '\0'};

		rgb[i] = (double)strtol(pair, NULL, 16) / 255;
	}
	return true;
}

/* WCAG 2.2, "relative luminance". */
static double
luminance(const char *colour)
{
	static const double weight[3] = {0.2126, 0.7152, 0.0722};
	double rgb[3], sum = 0;

	assert_true(read_colour(colour, rgb));
	for (size_t i = 0; i < 3; i++)
		sum += weight[i] *
		    (rgb[i] <= 0.04045 ? rgb[i] / 12.92
				       : pow((rgb[i] + 0.055) / 1.055, 2.4));
	return sum;
}

/* WCAG 2.2, "contrast ratio". */
static double
contrast(const char *a, const char *b)
{
	double x = luminance(a), y = luminance(b);

	return (fmax(x, y) + 0.05) / (fmin(x, y) + 0.05);
}

static void
contrast_is_computed_as_wcag_says(void **state)
{
	assert_true(fabs(contrast("#000", "#fff") - 21) < 0.001);
	assert_true(fabs(contrast("#767676", "#ffffff") - 4.54) < 0.01);
	assert_true(fabs(contrast("#fff", "#777777") - 4.48) < 0.01);
}

static const char *
past_space(const char *c)
{
	while (isspace((unsigned char)*c))
		c++;
	return c;
}

/* Where the value of --name:light-dark(a,b) begins, for one theme. */
static const char *
token(const char *css, const char *name, int theme)
{
	size_t n = strlen(name);

	while ((css = strstr(css, name))) {
		const char *c = past_space(css + n);

		css += n;
		if (*c != ':' || !text_starts(past_space(c + 1), "light-dark("))
			continue;
		c = past_space(strchr(c, '(') + 1);
		if (theme == DARK) {
			c = strpbrk(c, ",)");
			assert_true(c && *c == ',');
			c = past_space(c + 1);
		}
		return c;
	}
	fail_msg("the style sheet has no token %s", name);
	return NULL;
}

static void
assert_contrast(const char *css, const char *ink, const char *ground,
    double least, int theme)
{
	const char *paper = *ground == '#' ? ground : token(css, ground, theme);
	const char *paint = token(css, ink, theme);
	double got = contrast(paint, paper);

	/* The table rounds to a tenth. */
	if (got < least - 0.05)
		fail_msg("%s on %s, %s theme: %.2f is less than %.1f", ink,
		    ground, theme == DARK ? "dark" : "light", got, least);
}

static void
colours_stand_out_as_the_design_promises(void **state)
{
	/* ux.md section 5: the least ratio, light and dark; on the ground
	 * named, or on each of the three of a page. */
	static const struct {
		const char *ink, *ground;
		double least[2];
	} rows[] = {
	    {"--ctl", NULL, {3.6, 3.9}},
	    {"--t1", NULL, {15.5, 13.9}},
	    {"--t2", NULL, {7.8, 9.2}},
	    {"--t3", NULL, {5.4, 6.4}},
	    {"--link", NULL, {6.6, 8.3}},
	    {"--solid", "#fff", {7.2, 5.7}},
	    {"--crit", "--crit-bg", {7.5, 8.9}},
	    {"--high", "--high-bg", {7.1, 9.5}},
	    {"--med", "--med-bg", {7.5, 10.8}},
	    {"--low", "--low-bg", {8.0, 9.0}},
	    {"--ok", "--ok-bg", {7.2, 10.0}},
	    {"--info", "--info-bg", {7.8, 9.2}},
	    {"--d1", NULL, {4.7, 6.4}},
	    {"--d2", NULL, {4.7, 6.4}},
	    {"--d3", NULL, {4.7, 6.4}},
	    {"--d4", NULL, {4.7, 6.4}},
	    {"--good", NULL, {4.1, 5.4}},
	    {"--amb", NULL, {4.1, 5.4}},
	    {"--bad", NULL, {4.1, 5.4}},
	};
	static const char *const grounds[] = {"--bg", "--s1", "--s2"};
	const char *path = SOURCE_DIR "/templates/static/gnomon.css";
	char *css = mem_array(*state, char, 1 << 20);
	FILE *file = fopen(path, "r");

	if (!file) {
		print_message("SKIPPED: there is no %s yet\n", path);
		skip();
	}
	assert_true(fread(css, 1, (1 << 20) - 1, file) > 0);
	fclose(file);
	for (size_t i = 0; i < nitems(rows); i++)
		for (int theme = LIGHT; theme <= DARK; theme++)
			for (size_t g = 0; g < nitems(grounds); g++)
				assert_contrast(css, rows[i].ink,
				    rows[i].ground ? rows[i].ground
						   : grounds[g],
				    rows[i].least[theme], theme);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    unit(a_template_is_poured_as_the_specification_says),
	    unit(numbers_print_as_json_would),
	    unit(partials_keep_their_place),
	    unit(what_does_not_parse_says_where),
	    unit(nothing_in_a_template_is_without_end),
	    unit(a_name_or_template_has_a_greatest_length),
	    unit(the_cases_of_the_specification_pass),
	    unit(a_page_is_rendered_inside_its_layout),
	    unit(a_template_that_cannot_work_stops_the_start),
	    unit(a_folder_that_is_not_there_is_named),
	    unit(every_template_of_the_product_can_work),
	    unit(a_chart_says_its_finding),
	    unit(a_burndown_shows_all_it_was_given),
	    unit(labels_of_neighbouring_days_keep_apart),
	    unit(a_chart_keeps_to_the_policy_of_the_page),
	    unit(a_chart_draws_whatever_it_gets),
	    unit(a_chart_of_no_kind_is_refused),
	    unit(a_long_sparkline_shows_its_end),
	    unit(amounts_read_as_people_write_them),
	    unit(shares_are_whole_percent),
	    unit(days_and_times_are_told_in_the_zone_of_the_reader),
	    unit(plain_dates_have_no_zone),
	    unit(contrast_is_computed_as_wcag_says),
	    unit(colours_stand_out_as_the_design_promises),
	};

	return cmocka_run_group_tests_name("view", tests, NULL, NULL);
}
