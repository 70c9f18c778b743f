/*
 * Any bytes as Markdown: rendering ends, nothing but our own tags comes out,
 * and every code block is the slice of the text it says it is.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "view/markdown.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
is_own_tag(const char *html)
{
	static const char *const tags[] = {"p>", "p class=\"pre\">", "em>",
	    "strong>", "code>", "code class=\"language-", "pre>",
	    "a rel=\"nofollow noopener\" href=\"", "a>", "ul>", "ol>",
	    "ol start=\"", "li>", "blockquote>", "h3>", "h4>", "h5>", "h6>",
	    "hr />", "br />", "div>", "table>", "thead>", "tbody>", "tr>",
	    "td>", "td class=\"n\">", "th>", "th scope=\"col\">",
	    "th scope=\"col\" class=\"n\">",
	    ("div class=\"scroll\" role=\"group\" tabindex=\"0\" "
	     "aria-label=\"Table\">")};

	html += *html == '/';
	for (size_t i = 0; i < nitems(tags); i++)
		if (text_starts(html, tags[i]))
			return true;
	return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	void *owner = mem_scope(NULL, "fuzz");
	const char *text = (const char *)data;
	struct buf *out = buf_new(owner, 64 << 20);
	struct markdown_code *codes;
	enum err e = markdown_render(text, size, out);
	size_t n = markdown_codes(owner, text, size, &codes), at = 0;

	assert(!e);
	for (const char *s = out->data; (s = strchr(s, '<')); s++)
		assert(is_own_tag(s + 1));
	for (size_t i = 0; i < n; i++) {
		const struct markdown_code *c = &codes[i];

		assert(at <= c->start_index && c->start_index <= c->end_index &&
		    c->end_index <= size && c->start_line <= c->end_line + 1);
		assert(memcmp(c->code, text + c->start_index,
			   c->end_index - c->start_index) == 0);
		at = c->end_index;
	}
	buf_reset(out);
	e = markdown_render_plain(text, size, out);
	assert(!e);
	mem_drop(&owner);
	return 0;
}
