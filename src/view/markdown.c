/* Markdown made into HTML that is safe to show. The only file that sees
 * cmark-gfm. */
#include "view/markdown.h"

#include <assert.h>
#include <cmark-gfm-core-extensions.h>
#include <cmark-gfm.h>
#include <strings.h>

#include "base/mem.h"
#include "base/text.h"

enum {
	HEADING_TOP = 3,
	HEADING_MAX = 6,
	TAB = 4,
};

/* What is hard for the parser, counted before it sees the text: nesting costs
 * it lines × depth, a table fills up every short row, and a link by reference
 * copies its definition. */

struct survey {
	size_t lines, pipes; /* of the block so far; pipes in its widest line */
	size_t bytes; /* of the block so far */
	bool defines; /* the block so far has a "]:" */
	size_t cells, closers, definitions; /* of the whole text */
};

static void
end_block(struct survey *s)
{
	s->cells += s->lines * s->pipes;
	if (s->defines && s->bytes > s->definitions)
		s->definitions = s->bytes;
	s->lines = s->pipes = s->bytes = 0;
	s->defines = false;
}

/* The length of a list marker or of '>' at s, 0 when there is none. */
static size_t
marker_length(const char *s, size_t n)
{
	size_t k = 0;

	if (*s == '>')
		return 1;
	if (*s != '-' && *s != '+' && *s != '*') {
		while (k < n && k < 9 && s[k] >= '0' && s[k] <= '9')
			k++;
		if (k == 0 || k == n || (s[k] != '.' && s[k] != ')'))
			return 0;
	}
	k++;
	return k == n || s[k] == ' ' || s[k] == '\t' ? k : 0;
}

/* Whether the containers a line begins with are few and not far indented. */
static bool
is_shallow(const char *s, size_t n)
{
	size_t column = 0, depth = 0;

	for (size_t i = 0; i < n;) {
		size_t k = marker_length(s + i, n - i);

		if (s[i] == ' ') {
			column++;
			i++;
		} else if (s[i] == '\t') {
			column += TAB;
			i++;
		} else if (k == 0) {
			return true;
		} else if (++depth > MARKDOWN_DEPTH_MAX ||
		    column > MARKDOWN_COLUMN_MAX) {
			return false;
		} else {
			column += k;
			i += k;
		}
	}
	return true;
}

static void
count_line(struct survey *s, const char *line, size_t n)
{
	size_t pipes = 1;

	for (size_t i = 0; i < n; i++) {
		pipes += line[i] == '|';
		if (line[i] == ']') {
			s->closers++;
			s->defines |= i + 1 < n && line[i + 1] == ':';
		}
	}
	s->lines++;
	s->bytes += n;
	if (pipes > 1 && pipes > s->pipes)
		s->pipes = pipes;
}

/* Where the line that begins at i ends, its end not included. */
static size_t
line_end(const char *text, size_t n, size_t i)
{
	while (i < n && text[i] != '\n' && text[i] != '\r')
		i++;
	return i;
}

/* Where the next line begins: behind \n, \r or \r\n, as in CommonMark. */
static size_t
next_line(const char *text, size_t n, size_t end)
{
	if (end + 1 < n && text[end] == '\r' && text[end + 1] == '\n')
		return end + 2;
	return end < n ? end + 1 : n;
}

static bool
is_easy(const char *text, size_t n)
{
	struct survey s = {.lines = 0};

	if (n > MARKDOWN_MAX)
		return false;
	for (size_t i = 0, end; i < n; i = next_line(text, n, end)) {
		end = line_end(text, n, i);
		if (!is_shallow(text + i, end - i))
			return false;
		if (end == i)
			end_block(&s);
		else
			count_line(&s, text + i, end - i);
	}
	end_block(&s);
	return s.cells <= MARKDOWN_CELLS_MAX &&
	    (s.definitions == 0 ||
		s.closers <= MARKDOWN_LINKS_MAX / s.definitions);
}

static void
put_as_typed(const char *text, size_t n, struct buf *out)
{
	buf_text(out, "<p class=\"pre\">");
	buf_html_text(out, text, n);
	buf_text(out, "</p>\n");
}

static cmark_parser *
parse(const char *text, size_t n, cmark_node **out_document)
{
	cmark_parser *parser;

	cmark_gfm_core_extensions_ensure_registered();
	parser = cmark_parser_new(CMARK_OPT_VALIDATE_UTF8);
	cmark_parser_attach_syntax_extension(
	    parser, cmark_find_syntax_extension("table"));
	cmark_parser_feed(parser, text, n);
	*out_document = cmark_parser_finish(parser);
	return parser;
}

/* The tree made harmless */

/* A node's children take its place. */
static void
unwrap(cmark_node *node)
{
	cmark_node *child;

	while ((child = cmark_node_first_child(node))) {
		int moved = cmark_node_insert_before(node, child);

		assert(moved);
	}
	cmark_node_free(node);
}

static bool
may_lead_to(const char *url)
{
	return strncasecmp(url, "https://", 8) == 0 ||
	    strncasecmp(url, "http://", 7) == 0 ||
	    strncasecmp(url, "mailto:", 7) == 0 ||
	    (url[0] == '/' && url[1] != '/' && url[1] != '\\');
}

static void
show_html(cmark_node *node)
{
	cmark_node *text = cmark_node_new(CMARK_NODE_TEXT), *put = text;
	int replaced;

	cmark_node_set_literal(text, cmark_node_get_literal(node));
	if (cmark_node_get_type(node) == CMARK_NODE_HTML_BLOCK) {
		put = cmark_node_new(CMARK_NODE_PARAGRAPH);
		cmark_node_append_child(put, text);
	}
	replaced = cmark_node_replace(node, put);
	assert(replaced);
	cmark_node_free(node);
}

/* The headings a heading stands under, by their level in the source. */
struct outline {
	int levels[HEADING_MAX + 1];
	int n;
};

static void
lower(cmark_node *heading, struct outline *outline)
{
	int level = cmark_node_get_heading_level(heading);

	while (outline->n && outline->levels[outline->n - 1] >= level)
		outline->n--;
	outline->levels[outline->n++] = level;
	level = HEADING_TOP + outline->n - 1;
	cmark_node_set_heading_level(
	    heading, level < HEADING_MAX ? level : HEADING_MAX);
}

/* A node may be changed or freed once the iterator has left it; nodes without
 * children are left when they are entered. */
static void
make_harmless(cmark_node *document)
{
	cmark_iter *iter = cmark_iter_new(document);
	struct outline outline = {.n = 0};
	cmark_event_type event;

	while ((event = cmark_iter_next(iter)) != CMARK_EVENT_DONE) {
		cmark_node *node = cmark_iter_get_node(iter);
		cmark_node_type type = cmark_node_get_type(node);

		if (type == CMARK_NODE_HTML_BLOCK ||
		    type == CMARK_NODE_HTML_INLINE)
			show_html(node);
		else if (event != CMARK_EVENT_EXIT)
			continue;
		else if (type == CMARK_NODE_HEADING)
			lower(node, &outline);
		else if (type == CMARK_NODE_IMAGE ||
		    (type == CMARK_NODE_LINK &&
			(!cmark_node_first_child(node) ||
			    !may_lead_to(cmark_node_get_url(node)))))
			unwrap(node);
	}
	cmark_iter_free(iter);
}

/*
 * What cmark cannot say: rel, scope, classes for alignment, and the region a
 * wide table scrolls in. It escapes < and " in every text and attribute, so
 * these strings are its own tags and nothing else.
 */
static const struct {
	const char *from, *to;
} dressing[] = {
    {"<a href=\"", "<a rel=\"nofollow noopener\" href=\""},
    {"<table>",
	"<div class=\"scroll\" role=\"group\" tabindex=\"0\" "
	"aria-label=\"Table\"><table>"},
    {"</table>", "</table></div>"},
    {"<th>", "<th scope=\"col\">"},
    {"<th align=\"left\">", "<th scope=\"col\">"},
    {"<th align=\"center\">", "<th scope=\"col\">"},
    {"<th align=\"right\">", "<th scope=\"col\" class=\"n\">"},
    {"<td align=\"left\">", "<td>"},
    {"<td align=\"center\">", "<td>"},
    {"<td align=\"right\">", "<td class=\"n\">"},
};

static void
put_dressed(const char *html, struct buf *out)
{
	while (*html) {
		size_t n = strcspn(html, "<"), i = 0;

		buf_add(out, html, n);
		html += n;
		if (!*html)
			return;
		while (i < nitems(dressing) &&
		    !text_starts(html, dressing[i].from))
			i++;
		if (i < nitems(dressing)) {
			buf_text(out, dressing[i].to);
			html += strlen(dressing[i].from);
		} else {
			buf_char(out, *html++);
		}
	}
}

static enum err
render(const char *text, size_t n, bool plain, struct buf *out)
{
	cmark_mem *memory = cmark_get_default_mem_allocator();
	cmark_parser *parser;
	cmark_node *document;
	char *html;

	if (!is_easy(text, n)) {
		put_as_typed(text, n, out);
		return out->full ? ERR_INTERNAL : ERR_OK;
	}
	parser = parse(text, n, &document);
	if (!plain)
		make_harmless(document);
	/* without CMARK_OPT_UNSAFE: what HTML there might be is left out */
	html = cmark_render_html(document,
	    plain ? CMARK_OPT_DEFAULT : CMARK_OPT_HARDBREAKS,
	    cmark_parser_get_syntax_extensions(parser));
	if (plain)
		buf_text(out, html);
	else
		put_dressed(html, out);
	memory->free(html);
	cmark_node_free(document);
	cmark_parser_free(parser);
	return out->full ? ERR_INTERNAL : ERR_OK;
}

enum err
markdown_render(const char *text, size_t n, struct buf *out)
{
	return render(text, n, false, out);
}

enum err
markdown_render_plain(const char *text, size_t n, struct buf *out)
{
	return render(text, n, true, out);
}

/* Code blocks */

/* Where each line of a text begins, from line 1; behind the last, its end. */
struct lines {
	size_t *starts;
	size_t n;
};

static struct lines
find_lines(void *owner, const char *text, size_t n)
{
	struct lines l = {.n = 0};

	for (size_t i = 0; i < n;
	     i = next_line(text, n, line_end(text, n, i))) {
		l.starts = mem_grow(owner, l.starts, l.n, sizeof(*l.starts));
		l.starts[l.n++] = i;
	}
	l.starts = mem_grow(owner, l.starts, l.n, sizeof(*l.starts));
	l.starts[l.n] = n;
	return l;
}

/* The parser knows the line of the fence, and the code with a \n behind each
 * of its lines; those come right behind the fence. */
static struct markdown_code
locate(void *owner, cmark_node *node, const char *text, const struct lines *l)
{
	const char *literal = cmark_node_get_literal(node);
	const char *info = cmark_node_get_fence_info(node);
	size_t length = strlen(literal), k = 0;
	size_t fence = (size_t)cmark_node_get_start_line(node);
	struct markdown_code code = {
	    .language = mem_dup_n(owner, info, strcspn(info, " \t")),
	    .start_line = fence + 1,
	    .start_index = l->starts[fence < l->n ? fence : l->n],
	};
	size_t end = code.start_index;

	for (const char *c = literal; *c; c++)
		k += *c == '\n';
	code.end_line = fence + k;
	if (k) {
		assert(fence + k <= l->n);
		end = line_end(text, l->starts[l->n], l->starts[fence + k - 1]);
		length--;
		if (length <= end - code.start_index &&
		    memcmp(text + end - length, literal, length) == 0)
			code.start_index = end - length;
	}
	code.end_index = end;
	code.code =
	    mem_dup_n(owner, text + code.start_index, end - code.start_index);
	return code;
}

size_t
markdown_codes(
    void *owner, const char *text, size_t n, struct markdown_code **out_codes)
{
	struct markdown_code *codes = NULL;
	size_t n_codes = 0;
	cmark_event_type event;
	cmark_node *document;
	cmark_parser *parser;
	cmark_iter *iter;
	struct lines lines;

	*out_codes = NULL;
	if (!is_easy(text, n))
		return 0;
	lines = find_lines(owner, text, n);
	parser = parse(text, n, &document);
	iter = cmark_iter_new(document);
	while ((event = cmark_iter_next(iter)) != CMARK_EVENT_DONE) {
		cmark_node *node = cmark_iter_get_node(iter);
		int length, offset;
		char character;

		if (cmark_node_get_type(node) != CMARK_NODE_CODE_BLOCK ||
		    !cmark_node_get_fenced(node, &length, &offset, &character))
			continue;
		codes = mem_grow(owner, codes, n_codes, sizeof(*codes));
		codes[n_codes++] = locate(owner, node, text, &lines);
	}
	cmark_iter_free(iter);
	cmark_node_free(document);
	cmark_parser_free(parser);
	mem_drop(&lines.starts);
	*out_codes = codes;
	return n_codes;
}
