/*
 * Markdown as people and models write it, made into HTML that is safe to show:
 * CommonMark 0.29 with the tables of GitHub (cmark-gfm), and nothing else of
 * GitHub's: no strikethrough, no bare addresses made into links.
 *
 * Whatever the text: HTML in it is shown as it was typed and never takes
 * effect, images become their description, and a link stays one only when it
 * leads to http, https, mailto or a path on this site ("/w/acme"); it gets
 * rel="nofollow noopener". Headings begin at h3 and never skip a level, for
 * they stand in a card whose heading is an h2. The end of a line stays one, for
 * much of what is shown was typed, or imported, as plain text.
 *
 * Work is linear in the length of the text. Text longer than MARKDOWN_MAX, and
 * text made to be hard (containers more than MARKDOWN_DEPTH_MAX deep, tables or
 * link definitions that grow far beyond their source), is shown as it was
 * typed instead, and has no code blocks.
 */
#ifndef GNOMON_VIEW_MARKDOWN_H
#define GNOMON_VIEW_MARKDOWN_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

enum {
	MARKDOWN_MAX = 256 << 10, /* bytes of a text */
	MARKDOWN_DEPTH_MAX = 32, /* quotations and lists begun in one line */
	MARKDOWN_COLUMN_MAX = 100, /* how far indented they may begin */
	MARKDOWN_CELLS_MAX = 100000, /* of tables, the empty ones included */
	MARKDOWN_LINKS_MAX = 16 << 20, /* bytes of link definitions, repeated */
};

/* Appends the n bytes at text as HTML to out. ERR_INTERNAL: out is full; what
 * stands in it is then a beginning. */
enum err
markdown_render(const char *text, size_t n, struct buf *out) MUST_CHECK;

/*
 * The same as cmark-gfm writes it in its safe mode, for the suites of the
 * specification: line ends are white space, headings keep their level, images and links their form (but
 * for javascript: and its like, which lead nowhere), and where HTML was there
 * stands <!-- raw HTML omitted -->.
 */
enum err
markdown_render_plain(const char *text, size_t n, struct buf *out) MUST_CHECK;

/*
 * A fenced code block. The code is the slice of the text from start_index up
 * to end_index, in bytes, without the end of its last line; so lines
 * start_line to end_line (from 1) hold it, and end_line is start_line - 1 when
 * there is none. In a list or quotation the slice is the code itself where
 * that stands in one piece, else whole lines, with what each begins with.
 */
struct markdown_code {
	const char *language; /* as written behind the fence; "" when not */
	const char *code;
	size_t start_line, end_line;
	size_t start_index, end_index;
};

/* The fenced code blocks of a text in order, closed or not; returns how many.
 * *out_codes and all in it belong to owner. */
size_t markdown_codes(
    void *owner, const char *text, size_t n, struct markdown_code **out_codes);

#endif
