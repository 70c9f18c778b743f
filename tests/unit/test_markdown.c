/* Markdown: what passes, what does not, where code stands, what it costs. */
#include "unit.h"

#include <time.h>

#include "base/buf.h"
#include "view/markdown.h"

struct pair {
	const char *markdown, *html;
};

static void
check(void **state, const struct pair *pairs, size_t n)
{
	struct buf *out = buf_new(*state, 1 << 20);

	for (size_t i = 0; i < n; i++) {
		buf_reset(out);
		assert_int_equal(markdown_render(pairs[i].markdown,
				     strlen(pairs[i].markdown), out),
		    ERR_OK);
		assert_string_equal(out->data, pairs[i].html);
	}
}

static void
prose_is_what_commonmark_says(void **state)
{
	static const struct pair pairs[] = {
	    {"", ""},
	    {"a *b* **c** `d`",
		"<p>a <em>b</em> <strong>c</strong> "
		"<code>d</code></p>\n"},
	    {"a\nb\n\nc", "<p>a<br />\nb</p>\n<p>c</p>\n"},
	    {"1. a\n2. b", "<ol>\n<li>a</li>\n<li>b</li>\n</ol>\n"},
	    {"> a", "<blockquote>\n<p>a</p>\n</blockquote>\n"},
	    {"``` c\nx < y\n```",
		"<pre><code class=\"language-c\">x &lt; y\n</code></pre>\n"},
	    {"~~a~~ www.a.example", "<p>~~a~~ www.a.example</p>\n"},
	};

	check(state, pairs, nitems(pairs));
}

static void
html_is_shown_and_takes_no_effect(void **state)
{
	static const struct pair pairs[] = {
	    {"a <b onclick=x>c</b>",
		"<p>a &lt;b onclick=x&gt;c&lt;/b&gt;</p>\n"},
	    {"<script>alert(1)</script>",
		"<p>&lt;script&gt;alert(1)&lt;/script&gt;\n</p>\n"},
	    {"<!-- note -->", "<p>&lt;!-- note --&gt;\n</p>\n"},
	    {"> <div>", "<blockquote>\n<p>&lt;div&gt;\n</p>\n</blockquote>\n"},
	    {"[<b>](/w)",
		"<p><a rel=\"nofollow noopener\" href=\"/w\">"
		"&lt;b&gt;</a></p>\n"},
	    {"```\"><script>\n```",
		"<pre><code class=\"language-&quot;&gt;&lt;script&gt;\">"
		"</code></pre>\n"},
	    {"\\<a href=\"x\">", "<p>&lt;a href=&quot;x&quot;&gt;</p>\n"},
	    {"`<table>`", "<p><code>&lt;table&gt;</code></p>\n"},
	};

	check(state, pairs, nitems(pairs));
}

static void
links_lead_only_where_they_may(void **state)
{
	static const struct {
		const char *url;
		bool may;
	} cases[] = {
	    {"https://a.example/?b=c", true},
	    {"HTTP://a.example", true},
	    {"mailto:mira@acme.example", true},
	    {"/w/acme", true},
	    {"//evil.example", false},
	    {"/\\\\evil.example", false},
	    {"javascript:alert(1)", false},
	    {"JaVaScRiPt:alert(1)", false},
	    {"&#106;avascript:alert(1)", false},
	    {"data:text/html,x", false},
	    {"file:///etc/passwd", false},
	    {"vbscript:x", false},
	    {"ftp://a.example", false},
	    {"httpx:a", false},
	    {"page", false},
	    {"", false},
	};

	for (size_t i = 0; i < nitems(cases); i++) {
		struct buf *out = buf_new(*state, 1 << 16);
		char *text = mem_fmt(*state, "[a](<%s>)", cases[i].url);

		assert_int_equal(
		    markdown_render(text, strlen(text), out), ERR_OK);
		if (cases[i].may)
			assert_non_null(strstr(
			    out->data, "<a rel=\"nofollow noopener\" href=\""));
		else
			assert_string_equal(out->data, "<p>a</p>\n");
	}
}

static void
images_become_their_description(void **state)
{
	static const struct pair pairs[] = {
	    {"![a *b*](https://x.example/i.png)", "<p>a <em>b</em></p>\n"},
	    {"[![a](x.png)](/w)",
		"<p><a rel=\"nofollow noopener\" "
		"href=\"/w\">a</a></p>\n"},
	    {"[![](x.png)](/w)", "<p></p>\n"},
	    {"|![a](b)|\n|-|",
		"<div class=\"scroll\" role=\"group\" tabindex=\"0\" "
		"aria-label=\"Table\"><table>\n<thead>\n<tr>\n<th scope="
		"\"col\">a</th>\n</tr>\n</thead>\n</table></div>\n"},
	};

	check(state, pairs, nitems(pairs));
}

static void
headings_begin_at_h3_and_skip_no_level(void **state)
{
	static const struct pair pairs[] = {
	    {"# a", "<h3>a</h3>\n"},
	    {"### a\n# b\n#### c", "<h3>a</h3>\n<h3>b</h3>\n<h4>c</h4>\n"},
	    {"# a\n## b\n### c\n#### d\n##### e\n## f",
		"<h3>a</h3>\n<h4>b</h4>\n<h5>c</h5>\n<h6>d</h6>\n"
		"<h6>e</h6>\n<h4>f</h4>\n"},
	};

	check(state, pairs, nitems(pairs));
}

static void
tables_have_scope_and_align_by_class(void **state)
{
	static const struct pair pairs[] = {
	    {"|a|b|c|\n|-|-:|:-:|\n|1|2|3|",
		"<div class=\"scroll\" role=\"group\" tabindex=\"0\" "
		"aria-label=\"Table\"><table>\n<thead>\n<tr>\n"
		"<th scope=\"col\">a</th>\n<th scope=\"col\" class=\"n\">b"
		"</th>\n<th scope=\"col\">c</th>\n</tr>\n</thead>\n<tbody>\n"
		"<tr>\n<td>1</td>\n<td class=\"n\">2</td>\n<td>3</td>\n</tr>"
		"\n</tbody>\n</table></div>\n"},
	};

	check(state, pairs, nitems(pairs));
}

static void
code_blocks_are_slices_of_the_text(void **state)
{
	static const struct {
		const char *text, *language, *code;
		size_t start_line, end_line;
	} cases[] = {
	    {"a\n\n```python\nx = 1\ny = 2\n```\nb", "python", "x = 1\ny = 2",
		4, 5},
	    {"```\nx\n```", "", "x", 2, 2},
	    {"~~~ C++ {.x}\nx\n~~~", "C++", "x", 2, 2},
	    {"```sh\nx\n\n", "sh", "x\n", 2, 3},
	    {"```sh\nx", "sh", "x", 2, 2},
	    {"```sh", "sh", "", 2, 1},
	    {"```\n```", "", "", 2, 1},
	    {"````md\n```c\nx\n```\n````", "md", "```c\nx\n```", 2, 4},
	    {"```c\r\nx\r\ny\r\n```\r\n", "c", "x\r\ny", 2, 3},
	    {"- a\n\n  ```c\n  x\n  ```", "c", "x", 4, 4},
	    {"- a\n\n  ```c\n  x\n  y\n  ```", "c", "  x\n  y", 4, 5},
	    {"> ```c\n> x\n> y\n> ```", "c", "> x\n> y", 2, 3},
	    {"> ```c\n> x\n\ny", "c", "x", 2, 2},
	    {"ä\n```c\nß\n```", "c", "ß", 3, 3},
	    {"```c\n\n```", "c", "", 2, 2},
	    {"\tno\n\n```\nyes\n```", "", "yes", 4, 4},
	};

	for (size_t i = 0; i < nitems(cases); i++) {
		const char *text = cases[i].text;
		struct markdown_code *codes;
		size_t n = markdown_codes(*state, text, strlen(text), &codes);

		assert_int_equal(n, 1);
		assert_string_equal(codes->language, cases[i].language);
		assert_string_equal(codes->code, cases[i].code);
		assert_memory_equal(text + codes->start_index, codes->code,
		    codes->end_index - codes->start_index);
		assert_int_equal(
		    codes->end_index - codes->start_index, strlen(codes->code));
		assert_int_equal(codes->start_line, cases[i].start_line);
		assert_int_equal(codes->end_line, cases[i].end_line);
	}
}

static void
several_code_blocks_come_in_order(void **state)
{
	static const char text[] = "```a\n1\n```\n- ```b\n  2\n  ```\n\n```c";
	struct markdown_code *codes;

	assert_int_equal(markdown_codes(*state, text, strlen(text), &codes), 3);
	assert_string_equal(codes[0].language, "a");
	assert_string_equal(codes[1].code, "2");
	assert_string_equal(codes[2].language, "c");
}

/* Repeats `unit` up to n bytes. */
static char *
repeat(void *owner, const char *unit, size_t n)
{
	struct buf *b = buf_new(owner, n);
	size_t k = strlen(unit);

	while (b->len + k <= n)
		buf_add(b, unit, k);
	return b->data;
}

static void
hard_texts_cost_little(void **state)
{
	static const struct {
		const char *head, *unit, *tail;
	} cases[] = {
	    {"", "> ", "a"},
	    {"", ">", "a"},
	    {"", "- ", "a"},
	    {"", "1. ", "a"},
	    {"", "[", ""},
	    {"", "[a](", ""},
	    {"", "![", ""},
	    {"", "a_ ", ""},
	    {"", "*_", ""},
	    {"a**b", "c* ", ""},
	    {"", "<a ", ""},
	    {"", "<!--", ""},
	    {"", "`a``", ""},
	    {"[a](", "(", ""},
	    {"", "[a]: u 'x\n", ""},
	    {"", "|x|\n", ""},
	    {"", "&", ""},
	    {"|a|b|c|d|e|f|g|h|\n|-|-|-|-|-|-|-|-|\n", "x\n", ""},
	    {"[a]: u\n\n", "[a]", ""},
	    {"", "\n", ""},
	    {"", "> - ```\n", ""},
	};
	struct buf *out = buf_new(*state, 64 << 20);
	struct timespec from, to;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	for (size_t i = 0; i < nitems(cases); i++) {
		char *text = mem_fmt(*state, "%s%s%s", cases[i].head,
		    repeat(*state, cases[i].unit, MARKDOWN_MAX - 100),
		    cases[i].tail);
		struct markdown_code *codes;

		buf_reset(out);
		assert_int_equal(
		    markdown_render(text, strlen(text), out), ERR_OK);
		(void)markdown_codes(*state, text, strlen(text), &codes);
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
	/* some 40 ms each; with the sanitizers four times as much */
	assert_true(to.tv_sec - from.tv_sec < 30);
}

static void
what_grows_too_much_is_shown_as_typed(void **state)
{
	struct buf *out = buf_new(*state, 64 << 20);
	char *columns = repeat(*state, "-|", 4000);
	char *definition = repeat(*state, "u", 60000);
	const char *texts[] = {
	    repeat(*state, "> ", 2 * (MARKDOWN_DEPTH_MAX + 1)),
	    repeat(*state, "a\n", MARKDOWN_MAX + 2),
	    mem_fmt(*state, "%s\n%s\n%s", columns, columns,
		repeat(*state, "x\n", 2000)),
	    mem_fmt(*state, "[a]: %s\n\n%s", definition,
		repeat(*state, "[a]", 3000)),
	    mem_fmt(*state, "%*s- a", MARKDOWN_COLUMN_MAX + 1, ""),
	};

	for (size_t i = 0; i < nitems(texts); i++) {
		buf_reset(out);
		assert_int_equal(
		    markdown_render(texts[i], strlen(texts[i]), out), ERR_OK);
		assert_memory_equal(out->data, "<p class=\"pre\">", 15);
	}
}

static void
a_full_buffer_is_told(void **state)
{
	struct buf *out = buf_new(*state, 10);

	assert_int_equal(markdown_render("a long text", 11, out), ERR_INTERNAL);
	assert_true(out->len <= 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    unit(prose_is_what_commonmark_says),
	    unit(html_is_shown_and_takes_no_effect),
	    unit(links_lead_only_where_they_may),
	    unit(images_become_their_description),
	    unit(headings_begin_at_h3_and_skip_no_level),
	    unit(tables_have_scope_and_align_by_class),
	    unit(code_blocks_are_slices_of_the_text),
	    unit(several_code_blocks_come_in_order),
	    unit(hard_texts_cost_little),
	    unit(what_grows_too_much_is_shown_as_typed),
	    unit(a_full_buffer_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
