/*
 * Mustache: text with holes, poured from a JSON value.
 *
 * A template becomes an array of nodes in reading order; a section knows the
 * index after its last node, so rendering is a walk along the array. Pieces of
 * text and indentation point into the template's own copy of its source.
 */
#include "view/mustache.h"

#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

enum node_kind { TEXT, VALUE, RAW, SECTION, INVERTED, PARTIAL };

/* A run of bytes, not ended by NUL. */
struct slice {
	const char *at;
	size_t n;
};

struct node {
	enum node_kind kind;
	bool starts_line; /* TEXT: its first byte begins a line */
	uint32_t line; /* where the tag stands, from 1 */
	uint32_t end; /* SECTION, INVERTED: index after the last node inside */
	uint32_t parts; /* VALUE to INVERTED: parts of the name; "." has none */
	const char *name; /* as written; "person.name" */
	const char *keys; /* the parts, each ended by NUL: "person\0name\0" */
	struct slice
	    text; /* TEXT: itself; PARTIAL: the indentation before it */
};

struct mustache {
	const char *source;
	struct node *nodes;
	uint32_t n;
};

/* --- Parsing ----------------------------------------------------------- */

enum {
	DELIMITER_MAX = 16,
	NAME_MAX_BYTES = 255,
	QUOTE_MAX = 60, /* bytes of a template that a complaint repeats */
};

struct parser {
	struct mustache *m;
	const char *at, *end; /* what is still to be read */
	struct slice open, close; /* the delimiters in force */
	const char *counted; /* newlines before it are in line */
	uint32_t line;
	uint32_t sections[MUSTACHE_SECTIONS_MAX]; /* open ones, as indices */
	unsigned depth;
	char *why; /* NULL while all is well */
};

struct tag {
	char sigil; /* one of # ^ / > & ! { = or 0 for {{name}} */
	struct slice body; /* between sigil and closing delimiter, trimmed */
	const char *start, *after; /* the whole tag, delimiters included */
	uint32_t line;
};

static struct slice
slice(const char *from, const char *to)
{
	return (struct slice){from, (size_t)(to - from)};
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
is_space(char c)
{
	return is_blank(c) || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}

static struct slice
trimmed(struct slice s)
{
	while (s.n && is_space(s.at[0])) {
		s.at++;
		s.n--;
	}
	while (s.n && is_space(s.at[s.n - 1]))
		s.n--;
	return s;
}

static int
quoted(struct slice s)
{
	return s.n < QUOTE_MAX ? (int)s.n : QUOTE_MAX;
}

static bool
is_same(struct slice s, const char *text)
{
	return s.n == strlen(text) && memcmp(s.at, text, s.n) == 0;
}

/* Where what begins in [from, to); NULL when it does not. */
static const char *
find(const char *from, const char *to, struct slice what)
{
	while ((size_t)(to - from) >= what.n) {
		from = memchr(from, what.at[0], (size_t)(to - from));
		if (!from || (size_t)(to - from) < what.n)
			return NULL;
		if (memcmp(from, what.at, what.n) == 0)
			return from;
		from++;
	}
	return NULL;
}

static bool __attribute__((format(printf, 3, 4)))
refuse(struct parser *p, uint32_t line, const char *fmt, ...)
{
	va_list ap;
	char *reason;

	va_start(ap, fmt);
	reason = mem_vfmt(p->m, fmt, ap);
	va_end(ap);
	p->why = mem_fmt(p->m, "line %u: %s", line, reason);
	return false;
}

/* Must be asked in rising order of at. */
static uint32_t
line_of(struct parser *p, const char *at)
{
	for (; p->counted < at; p->counted++)
		p->line += *p->counted == '\n';
	return p->line;
}

static bool
begins_line(const struct parser *p, const char *at)
{
	return at == p->m->source || at[-1] == '\n';
}

static struct node *
add_node(struct parser *p, enum node_kind kind, uint32_t line)
{
	struct mustache *m = p->m;
	struct node *node;

	m->nodes = mem_grow(m, m->nodes, m->n, sizeof(*m->nodes));
	node = &m->nodes[m->n++];
	*node = (struct node){.kind = kind, .line = line};
	return node;
}

/* Text that is empty still counts at the start of a line: a partial's
 * indentation goes there, before whatever tag stands first. */
static void
add_text(struct parser *p, const char *from, const char *to, bool is_inline)
{
	bool starts_line = begins_line(p, from);
	struct node *node;

	if (from == to && !(starts_line && is_inline))
		return;
	node = add_node(p, TEXT, 0);
	node->text = slice(from, to);
	node->starts_line = starts_line;
}

/* Splits "a.b.c" into keys; "." alone has none. */
static bool
split_name(struct parser *p, struct node *node)
{
	char *keys;

	if (strcmp(node->name, ".") == 0)
		return true;
	keys = mem_dup(p->m, node->name);
	node->keys = keys;
	for (char *part = keys;; node->parts++) {
		size_t n = strcspn(part, ".");

		if (n == 0)
			return refuse(p, node->line,
			    "the name \"%s\" has an empty part", node->name);
		if (part[n] == '\0')
			break;
		part[n] = '\0';
		part += n + 1;
	}
	node->parts++;
	return true;
}

static bool
add_named(struct parser *p, const struct tag *tag, enum node_kind kind)
{
	struct node *node = add_node(p, kind, tag->line);

	node->name = mem_dup_n(p->m, tag->body.at, tag->body.n);
	return kind == PARTIAL || split_name(p, node);
}

static bool
open_section(struct parser *p, const struct tag *tag)
{
	if (p->depth == MUSTACHE_SECTIONS_MAX)
		return refuse(p, tag->line,
		    "more than %d sections inside one another",
		    MUSTACHE_SECTIONS_MAX);
	p->sections[p->depth++] = p->m->n;
	return add_named(p, tag, tag->sigil == '#' ? SECTION : INVERTED);
}

static bool
close_section(struct parser *p, const struct tag *tag)
{
	struct node *node;

	if (p->depth == 0)
		return refuse(p, tag->line,
		    "{{/%.*s}} closes a section that was never opened",
		    quoted(tag->body), tag->body.at);
	node = &p->m->nodes[p->sections[--p->depth]];
	if (!is_same(tag->body, node->name))
		return refuse(p, tag->line,
		    "{{/%.*s}} closes section {{%c%s}} of line %u",
		    quoted(tag->body), tag->body.at,
		    node->kind == SECTION ? '#' : '^', node->name, node->line);
	node->end = p->m->n;
	return true;
}

/* {{=<% %>=}}: two words without white space or equals signs. */
static bool
set_delimiters(struct parser *p, const struct tag *tag)
{
	const char *at = tag->body.at, *end = at + tag->body.n, *gap = at;
	struct slice open, close;

	while (gap < end && !is_space(*gap))
		gap++;
	open = slice(at, gap);
	close = trimmed(slice(gap, end));
	for (size_t i = 0; i < close.n; i++)
		if (is_space(close.at[i]))
			close.n = 0;
	if (open.n == 0 || close.n == 0 || open.n > DELIMITER_MAX ||
	    close.n > DELIMITER_MAX || memchr(at, '=', tag->body.n))
		return refuse(p, tag->line,
		    "{{=%.*s=}} does not name two delimiters",
		    quoted(tag->body), at);
	p->open = open;
	p->close = close;
	return true;
}

static bool
check_name(struct parser *p, const struct tag *tag)
{
	if (tag->body.n == 0)
		return refuse(p, tag->line, "a tag has no name");
	if (tag->body.n > NAME_MAX_BYTES)
		return refuse(p, tag->line,
		    "the name \"%.*s...\" is longer than %d bytes", QUOTE_MAX,
		    tag->body.at, NAME_MAX_BYTES);
	for (size_t i = 0; i < tag->body.n; i++)
		if (is_space(tag->body.at[i]) || tag->body.at[i] == '\0')
			return refuse(p, tag->line,
			    "the name \"%.*s\" has a space in it",
			    quoted(tag->body), tag->body.at);
	if (tag->sigil == '<' || tag->sigil == '$' ||
	    (tag->sigil == '>' && tag->body.at[0] == '*'))
		return refuse(p, tag->line,
		    "{{%c%.*s}} belongs to an optional module that is not here",
		    tag->sigil, quoted(tag->body), tag->body.at);
	return true;
}

/* Reads the tag whose opening delimiter stands at start. */
static bool
read_tag(struct parser *p, const char *start, struct tag *out)
{
	struct tag tag = {.start = start, .line = line_of(p, start)};
	const char *from = start + p->open.n, *to;
	char close[1 + DELIMITER_MAX];
	size_t n = 0;

	while (from < p->end && is_space(*from))
		from++;
	if (from < p->end && *from && strchr("#^/>&!{=<$", *from))
		tag.sigil = *from++;
	if (tag.sigil == '{' || tag.sigil == '=')
		close[n++] = tag.sigil == '{' ? '}' : '=';
	memcpy(close + n, p->close.at, p->close.n);
	n += p->close.n;
	to = find(from, p->end, (struct slice){close, n});
	if (!to)
		return refuse(p, tag.line, "a tag is never closed");
	tag.body = trimmed(slice(from, to));
	tag.after = to + n;
	*out = tag;
	return true;
}

/*
 * A tag that writes nothing itself and stands alone on its line takes the line
 * with it. True: [*out_from, *out_to) is what goes.
 */
static bool
is_standalone(const struct parser *p, const struct tag *tag,
    const char **out_from, const char **out_to)
{
	const char *from = tag->start, *to = tag->after;

	if (!tag->sigil || strchr("&{", tag->sigil))
		return false;
	while (!begins_line(p, from) && is_blank(from[-1]))
		from--;
	while (to < p->end && is_blank(*to))
		to++;
	if (p->end - to >= 2 && to[0] == '\r' && to[1] == '\n')
		to++;
	if (!begins_line(p, from) || (to < p->end && *to != '\n'))
		return false;
	*out_from = from;
	*out_to = to < p->end ? to + 1 : to;
	return true;
}

static bool
add_tag(struct parser *p, const struct tag *tag)
{
	if (tag->sigil == '!')
		return true;
	if (tag->sigil == '=')
		return set_delimiters(p, tag);
	if (!check_name(p, tag))
		return false;
	switch (tag->sigil) {
	case '#':
	case '^':
		return open_section(p, tag);
	case '/':
		return close_section(p, tag);
	case '>':
		return add_named(p, tag, PARTIAL);
	case '&':
	case '{':
		return add_named(p, tag, RAW);
	default:
		return add_named(p, tag, VALUE);
	}
}

static bool
parse(struct parser *p)
{
	const char *start;

	while ((start = find(p->at, p->end, p->open))) {
		const char *from = start, *to;
		struct tag tag;
		bool alone;

		if (!read_tag(p, start, &tag))
			return false;
		to = tag.after;
		alone = is_standalone(p, &tag, &from, &to);
		add_text(p, p->at, from, false);
		if (!alone && begins_line(p, start))
			add_text(p, start, start, true);
		if (!add_tag(p, &tag))
			return false;
		if (alone && tag.sigil == '>')
			p->m->nodes[p->m->n - 1].text = slice(from, start);
		p->at = to;
	}
	add_text(p, p->at, p->end, false);
	if (p->depth) {
		const struct node *node =
		    &p->m->nodes[p->sections[p->depth - 1]];

		return refuse(p, node->line, "section {{%c%s}} is never closed",
		    node->kind == SECTION ? '#' : '^', node->name);
	}
	return true;
}

enum err
mustache_parse(void *owner, const char *text, size_t n, struct mustache **out,
    char **out_why)
{
	struct mustache *m = mem_new(owner, struct mustache);
	struct parser p = {
	    .m = m,
	    .open = {"{{", 2},
	    .close = {"}}", 2},
	    .line = 1,
	};

	if (n > MUSTACHE_TEXT_MAX) {
		refuse(&p, 1, "the template is longer than %d bytes",
		    MUSTACHE_TEXT_MAX);
	} else {
		m->source = mem_dup_n(m, text, n);
		p.at = p.counted = m->source;
		p.end = m->source + n;
		parse(&p);
	}
	if (p.why) {
		*out_why = mem_move(owner, &p.why);
		mem_drop(&m);
		return ERR_VALIDATION_FAILED;
	}
	m->nodes = mem_resize(m, m->nodes, m->n, sizeof(*m->nodes));
	*out = m;
	return ERR_OK;
}

bool
mustache_next_use(
    const struct mustache *m, size_t *at, struct mustache_use *out_use)
{
	while (*at < m->n) {
		const struct node *node = &m->nodes[(*at)++];

		if (node->kind != PARTIAL && node->kind != RAW)
			continue;
		out_use->kind = node->kind == RAW ? MUSTACHE_USES_RAW
						  : MUSTACHE_USES_PARTIAL;
		out_use->name = node->name;
		out_use->line = node->line;
		return true;
	}
	return false;
}

/* --- Rendering --------------------------------------------------------- */

/* The context stack; it lives on the C stack of the sections it belongs to. */
struct frame {
	struct json_object *value;
	const struct frame *up;
};

/* What goes before each line of a partial, outermost first. */
struct indent {
	struct slice text;
	const struct indent *up;
};

struct renderer {
	const struct mustache_partials *partials; /* NULL: none */
	struct buf *out;
	unsigned steps; /* still allowed */
	unsigned depth; /* partials we are in */
};

/* The first part is looked up along the stack; the rest must be found in what
 * it names, else the whole name is a miss. */
static struct json_object *
look_up(const struct node *node, const struct frame *frame)
{
	const char *key = node->keys;
	struct json_object *value = NULL;

	if (node->parts == 0)
		return frame->value;
	for (; frame; frame = frame->up)
		if (json_object_is_type(frame->value, json_type_object) &&
		    json_object_object_get_ex(frame->value, key, &value))
			break;
	for (uint32_t i = 1; i < node->parts && value; i++) {
		key += strlen(key) + 1;
		if (!json_object_is_type(value, json_type_object) ||
		    !json_object_object_get_ex(value, key, &value))
			return NULL;
	}
	return value;
}

static bool
is_true(struct json_object *value)
{
	double number;

	switch (json_object_get_type(value)) {
	case json_type_null:
		return false;
	case json_type_boolean:
		return json_object_get_boolean(value);
	case json_type_int:
		return json_object_get_int64(value) != 0;
	case json_type_double:
		number = json_object_get_double(value);
		return number != 0 && !isnan(number);
	case json_type_string:
		return json_object_get_string_len(value) != 0;
	case json_type_array:
		return json_object_array_length(value) != 0;
	case json_type_object:
		break;
	}
	return true;
}

/*
 * A number as ECMA-262 Number::toString writes it: the fewest digits that
 * read back as the same number, with an exponent only below 1e-6 and from
 * 1e21 on. Returns the length of what it wrote.
 */
static size_t
write_double(char out[64], double number)
{
	char e_form[40], digits[24], *p = out;
	/* Fifteen digits are always kept, but by the very smallest. */
	int precision = isnormal(number) ? 14 : 0, exponent, n = 0;

	if (!isfinite(number))
		return 0; /* JSON has none */
	if (number == 0)
		return (size_t)snprintf(out, 64, "0");
	do
		snprintf(e_form, sizeof(e_form), "%.*e", precision, number);
	while (strtod(e_form, NULL) != number && ++precision <= 16);
	for (const char *c = e_form; *c != 'e'; c++)
		if (*c >= '0' && *c <= '9')
			digits[n++] = *c;
	while (n > 1 && digits[n - 1] == '0')
		n--;
	exponent = (int)strtol(strchr(e_form, 'e') + 1, NULL, 10);
	if (number < 0)
		*p++ = '-';
	if (exponent < -6 || exponent >= 21) {
		p += snprintf(p, 40, "%c%s%.*se%+d", digits[0],
		    n > 1 ? "." : "", n - 1, digits + 1, exponent);
		return (size_t)(p - out);
	}
	if (exponent < 0) {
		*p++ = '0';
		*p++ = '.';
	}
	for (int i = exponent + 1; i < 0; i++)
		*p++ = '0';
	for (int i = 0; i < n || i <= exponent; i++) {
		if (i > 0 && i == exponent + 1)
			*p++ = '.';
		*p++ = i < n ? digits[i] : '0';
	}
	return (size_t)(p - out);
}

/* The bytes of a value that is not null, lent until it changes. */
static struct slice
text_of(struct json_object *value)
{
	struct slice text;

	if (json_object_is_type(value, json_type_string))
		return (struct slice){json_object_get_string(value),
		    (size_t)json_object_get_string_len(value)};
	text.at = json_object_to_json_string_length(value,
	    JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &text.n);
	return text;
}

static void
write_value(struct buf *out, struct json_object *value, bool is_raw)
{
	char number[64];
	struct slice text;

	if (!value)
		return;
	if (json_object_is_type(value, json_type_double)) {
		buf_add(out, number,
		    write_double(number, json_object_get_double(value)));
		return;
	}
	if (json_object_is_type(value, json_type_int) &&
	    json_object_get_int64(value) < INT64_MAX) {
		buf_int(out, json_object_get_int64(value));
		return;
	}
	text = text_of(value); /* an int beyond that may be unsigned */
	if (is_raw)
		buf_add(out, text.at, text.n);
	else
		buf_html_text(out, text.at, text.n);
}

static void
write_indent(struct buf *out, const struct indent *indent)
{
	if (!indent)
		return;
	write_indent(out, indent->up);
	buf_add(out, indent->text.at, indent->text.n);
}

static void
write_text(
    struct buf *out, const struct node *node, const struct indent *indent)
{
	const char *at = node->text.at, *end = at + node->text.n;

	if (!indent) {
		buf_add(out, at, node->text.n);
		return;
	}
	if (node->starts_line)
		write_indent(out, indent);
	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *to = newline ? newline + 1 : end;

		buf_add(out, at, (size_t)(to - at));
		at = to;
		if (at < end)
			write_indent(out, indent);
	}
}

/* One step; false when there may be no more. */
static bool
step(struct renderer *r)
{
	if (r->out->full || r->steps == 0)
		return false;
	r->steps--;
	return true;
}

static enum err
render(struct renderer *r, const struct mustache *m, uint32_t from, uint32_t to,
    const struct frame *frame, const struct indent *indent);

static enum err
render_section(struct renderer *r, const struct mustache *m, uint32_t from,
    uint32_t to, struct json_object *value, const struct frame *frame,
    const struct indent *indent)
{
	size_t n;

	if (!json_object_is_type(value, json_type_array))
		return render(
		    r, m, from, to, &(struct frame){value, frame}, indent);
	n = json_object_array_length(value);
	for (size_t i = 0; i < n; i++) {
		struct frame item = {
		    json_object_array_get_idx(value, i), frame};
		enum err e = ERR_INTERNAL;

		if (step(r))
			e = render(r, m, from, to, &item, indent);
		if (e)
			return e;
	}
	return ERR_OK;
}

static enum err
render_partial(struct renderer *r, const struct node *node,
    const struct frame *frame, const struct indent *indent)
{
	const struct mustache *m = NULL;
	struct indent deeper = {node->text, indent};
	enum err e;

	if (r->partials)
		m = r->partials->find(r->partials->data, node->name);
	if (!m)
		return ERR_OK;
	if (r->depth == MUSTACHE_PARTIALS_MAX)
		return ERR_INTERNAL;
	r->depth++;
	/* A partial in the middle of a line is left as it is. */
	if (!node->text.at)
		indent = NULL;
	else if (node->text.n)
		indent = &deeper;
	e = render(r, m, 0, m->n, frame, indent);
	r->depth--;
	return e;
}

static enum err
render(struct renderer *r, const struct mustache *m, uint32_t from, uint32_t to,
    const struct frame *frame, const struct indent *indent)
{
	for (uint32_t i = from; i < to; i++) {
		const struct node *node = &m->nodes[i];
		struct json_object *value = NULL;
		enum err e = ERR_OK;

		if (!step(r))
			return ERR_INTERNAL;
		if (node->kind != TEXT && node->kind != PARTIAL)
			value = look_up(node, frame);
		switch (node->kind) {
		case TEXT:
			write_text(r->out, node, indent);
			break;
		case VALUE:
		case RAW:
			write_value(r->out, value, node->kind == RAW);
			break;
		case SECTION:
			if (is_true(value))
				e = render_section(r, m, i + 1, node->end,
				    value, frame, indent);
			i = node->end - 1;
			break;
		case INVERTED:
			if (is_true(value))
				i = node->end - 1;
			break;
		case PARTIAL:
			e = render_partial(r, node, frame, indent);
			break;
		}
		if (e)
			return e;
	}
	return r->out->full ? ERR_INTERNAL : ERR_OK;
}

enum err
mustache_render(const struct mustache *m, struct json_object *context,
    const struct mustache_partials *partials, struct buf *out)
{
	struct renderer r = {
	    .partials = partials, .out = out, .steps = MUSTACHE_STEPS_MAX};
	struct frame root = {context, NULL};

	return render(&r, m, 0, m->n, &root, NULL);
}
