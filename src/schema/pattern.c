/*
 * Regular expressions as JSON Schema means them, ECMA-262 with the u flag,
 * said again in the language of PCRE2.
 *
 * What the two languages read differently is translated: `.`, \s and \S know
 * the line ends and spaces of Unicode, \d \w \b are ASCII, \v is one
 * character, \uXXXX, \u{X} and surrogate pairs are code points, \p{Letter} has
 * its short name. `$` is the very end. What only PCRE2 knows is refused:
 * verbs, recursion, inline options, possessive quantifiers, \A \Z \K. Kinder
 * than the u flag: a punctuation mark may be escaped without need, and a brace
 * that opens no quantifier is itself. Lookbehind must have a fixed length in
 * each of its branches.
 *
 * Matching is interpreted, not compiled to machine code, so that a process
 * without writable and executable memory can do it, and every match has a
 * limit in proportion to its text: (a+)+$ ends at once.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "schema/schema_priv.h"

#include <ctype.h>
#include <pcre2.h>
#include <stdlib.h>

#include "base/buf.h"

enum {
	MATCH_STEPS = 2000, /* backtracking a match may do, at least, */
	MATCH_STEPS_PER_BYTE = 50, /* more for every byte of its text, */
	MATCH_STEPS_MOST = 2000000, /* and at most */
	MATCH_HEAP_KIB = 16384,
	PATTERN_MAX = 100000 /* bytes once translated */
};

/* ECMA-262 WhiteSpace and LineTerminator, and all the rest. */
#define SPACES \
	"\\x{9}-\\x{d}\\x{20}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}" \
	"\\x{2029}\\x{202f}\\x{205f}\\x{3000}\\x{feff}"
#define NOT_SPACES \
	"\\x{0}-\\x{8}\\x{e}-\\x{1f}\\x{21}-\\x{9f}\\x{a1}-\\x{167f}" \
	"\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}" \
	"\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{fefe}" \
	"\\x{ff00}-\\x{10ffff}"

struct pattern {
	pcre2_code *code;
};

struct matcher {
	pcre2_match_data *data;
	pcre2_match_context *limits;
};

/* Unicode's long names of general categories (PropertyValueAliases.txt). */
static const struct {
	const char *name, *category;
} categories[] = {
    {"Letter", "L"},
    {"Cased_Letter", "L&"},
    {"Uppercase_Letter", "Lu"},
    {"Lowercase_Letter", "Ll"},
    {"Titlecase_Letter", "Lt"},
    {"Modifier_Letter", "Lm"},
    {"Other_Letter", "Lo"},
    {"Mark", "M"},
    {"Combining_Mark", "M"},
    {"Nonspacing_Mark", "Mn"},
    {"Spacing_Mark", "Mc"},
    {"Enclosing_Mark", "Me"},
    {"Number", "N"},
    {"Decimal_Number", "Nd"},
    {"digit", "Nd"},
    {"Letter_Number", "Nl"},
    {"Other_Number", "No"},
    {"Punctuation", "P"},
    {"punct", "P"},
    {"Connector_Punctuation", "Pc"},
    {"Dash_Punctuation", "Pd"},
    {"Open_Punctuation", "Ps"},
    {"Close_Punctuation", "Pe"},
    {"Initial_Punctuation", "Pi"},
    {"Final_Punctuation", "Pf"},
    {"Other_Punctuation", "Po"},
    {"Symbol", "S"},
    {"Math_Symbol", "Sm"},
    {"Currency_Symbol", "Sc"},
    {"Modifier_Symbol", "Sk"},
    {"Other_Symbol", "So"},
    {"Separator", "Z"},
    {"Space_Separator", "Zs"},
    {"Line_Separator", "Zl"},
    {"Paragraph_Separator", "Zp"},
    {"Other", "C"},
    {"Control", "Cc"},
    {"cntrl", "Cc"},
    {"Format", "Cf"},
    {"Surrogate", "Cs"},
    {"Private_Use", "Co"},
    {"Unassigned", "Cn"},
    {"LC", "L&"},
};

struct translation {
	const char *at, *end;
	struct buf *out;
	const char *wrong; /* the first thing that is; NULL while none */
	bool in_class;
	bool repeated; /* what stands before is a quantifier */
};

static void
refuse(struct translation *t, const char *why)
{
	if (!t->wrong)
		t->wrong = why;
	t->at = t->end;
}

static char
peek(const struct translation *t, size_t ahead)
{
	return (size_t)(t->end - t->at) > ahead ? t->at[ahead] : '\0';
}

static bool
take(struct translation *t, const char *text)
{
	size_t n = strlen(text);

	if ((size_t)(t->end - t->at) < n || memcmp(t->at, text, n) != 0)
		return false;
	t->at += n;
	return true;
}

/* Exactly n hexadecimal digits; false takes nothing. */
static bool
take_hex(struct translation *t, size_t n, unsigned *out_value)
{
	unsigned value = 0;

	for (size_t i = 0; i < n; i++) {
		char c = peek(t, i);

		if (!isxdigit((unsigned char)c))
			return false;
		value = value * 16 +
		    (unsigned)(isdigit((unsigned char)c)
			    ? c - '0'
			    : tolower((unsigned char)c) - 'a' + 10);
	}
	t->at += n;
	*out_value = value;
	return true;
}

/* After \u. */
static void
unicode_escape(struct translation *t)
{
	unsigned value = 0, low;

	if (take(t, "{")) {
		size_t n = 0;

		while (isxdigit((unsigned char)peek(t, n)))
			n++;
		if (n == 0 || n > 8 || !take_hex(t, n, &value) ||
		    !take(t, "}")) {
			refuse(t, "\\u{…} needs hexadecimal digits");
			return;
		}
	} else if (!take_hex(t, 4, &value)) {
		refuse(t, "\\u needs four hexadecimal digits");
		return;
	}
	if (value >= 0xD800 && value < 0xDC00 && take(t, "\\u")) {
		if (!take_hex(t, 4, &low) || low < 0xDC00 || low > 0xDFFF) {
			refuse(t, "half of a surrogate pair is missing");
			return;
		}
		value = 0x10000 + ((value - 0xD800) << 10) + (low - 0xDC00);
	}
	buf_fmt(t->out, "\\x{%x}", value);
}

/* After \p or \P: the name in braces, maybe after "Script=" and the like. */
static void
property_escape(struct translation *t, char letter)
{
	static const struct {
		const char *ecma, *pcre;
	} kinds[] = {
	    {"{General_Category=", ""},
	    {"{gc=", ""},
	    {"{Script=", "sc:"},
	    {"{sc=", "sc:"},
	    {"{Script_Extensions=", "scx:"},
	    {"{scx=", "scx:"},
	    {"{", ""},
	};
	const char *kind = NULL, *name;
	size_t n = 0;

	for (size_t i = 0; !kind && i < nitems(kinds); i++)
		if (take(t, kinds[i].ecma))
			kind = kinds[i].pcre;
	name = t->at;
	while (isalnum((unsigned char)peek(t, n)) || peek(t, n) == '_')
		n++;
	t->at += n;
	if (!kind || n == 0 || !take(t, "}")) {
		refuse(t, "\\p needs a property in braces");
		return;
	}
	for (size_t i = 0; i < nitems(categories); i++)
		if (strlen(categories[i].name) == n &&
		    memcmp(categories[i].name, name, n) == 0) {
			name = categories[i].category;
			n = strlen(name);
			break;
		}
	buf_fmt(t->out, "\\%c{%s%.*s}", letter, kind, (int)n, name);
}

/* \s and \S. In a class a hyphen after them is itself, no range. */
static void
spaces(struct translation *t, bool are)
{
	if (!t->in_class)
		buf_text(t->out, are ? "[" SPACES "]" : "[^" SPACES "]");
	else
		buf_text(t->out, are ? SPACES : NOT_SPACES);
	if (t->in_class && take(t, "-"))
		buf_text(t->out, "\\-");
}

/* After a backslash. */
static void
escape(struct translation *t)
{
	char c = peek(t, 0);
	unsigned value;

	if (t->at == t->end) {
		refuse(t, "a backslash stands at the end");
		return;
	}
	t->at++;
	switch (c) {
	case 'd':
	case 'D':
	case 'w':
	case 'W':
	case 'b':
	case 'f':
	case 'n':
	case 'r':
	case 't':
		buf_fmt(t->out, "\\%c", c);
		return;
	case 'v':
		buf_text(t->out, "\\x{b}");
		return;
	case 's':
	case 'S':
		spaces(t, c == 's');
		return;
	case 'u':
		unicode_escape(t);
		return;
	case 'x':
		if (take_hex(t, 2, &value))
			buf_fmt(t->out, "\\x{%x}", value);
		else
			refuse(t, "\\x needs two hexadecimal digits");
		return;
	case 'c':
		if (isalpha((unsigned char)peek(t, 0)))
			buf_fmt(t->out, "\\x{%x}", *t->at++ & 31u);
		else
			refuse(t, "\\c needs a letter");
		return;
	case 'p':
	case 'P':
		property_escape(t, c);
		return;
	default:
		break;
	}
	if (c == '0' && !isdigit((unsigned char)peek(t, 0))) {
		buf_text(t->out, "\\x{0}");
	} else if (c == 'B' && !t->in_class) {
		buf_text(t->out, "\\B");
	} else if (c == 'k' && !t->in_class && peek(t, 0) == '<') {
		buf_text(t->out, "\\k"); /* the name follows as it is */
	} else if (c >= '1' && c <= '9' && !t->in_class) {
		buf_fmt(t->out, "\\g{%c", c);
		while (isdigit((unsigned char)peek(t, 0)))
			buf_char(t->out, *t->at++);
		buf_char(t->out, '}');
	} else if (ispunct((unsigned char)c) && c != '_') {
		buf_fmt(t->out, "\\%c", c);
	} else {
		refuse(t, "an escape is unknown");
	}
}

/* A quantifier in braces, or a brace. */
static void
brace(struct translation *t)
{
	size_t n = 1, digits;

	while (isdigit((unsigned char)peek(t, n)))
		n++;
	digits = n - 1;
	if (peek(t, n) == ',')
		for (n++; isdigit((unsigned char)peek(t, n));)
			n++;
	if (digits == 0 || peek(t, n) != '}') {
		buf_text(t->out, "\\{");
		t->at++;
		t->repeated = false;
		return;
	}
	if (t->repeated) {
		refuse(t, "there is nothing to repeat");
		return;
	}
	buf_add(t->out, t->at, n + 1);
	t->at += n + 1;
	t->repeated = true;
}

/* A group's opening: only those that ECMA-262 has. */
static void
group(struct translation *t)
{
	static const char *const openings[] = {
	    "(?:", "(?=", "(?!", "(?<=", "(?<!"};

	for (size_t i = 0; i < nitems(openings); i++)
		if (take(t, openings[i])) {
			buf_text(t->out, openings[i]);
			return;
		}
	if (peek(t, 1) == '*' || (peek(t, 1) == '?' && peek(t, 2) != '<')) {
		refuse(t, "a group of this kind is unknown");
		return;
	}
	buf_char(t->out, *t->at++);
}

static void
outside_class(struct translation *t)
{
	char c = *t->at;
	bool repeated = t->repeated;

	if (c == '{') {
		brace(t);
		return;
	}
	t->repeated = false;
	switch (c) {
	case '\\':
		t->at++;
		escape(t);
		return;
	case '(':
		group(t);
		return;
	case '[':
		t->at++;
		buf_char(t->out, c);
		t->in_class = true;
		if (take(t, "^"))
			buf_char(t->out, '^');
		return;
	case '.':
		t->at++;
		buf_text(t->out, "[^\\n\\r\\x{2028}\\x{2029}]");
		return;
	case '*':
	case '+':
	case '?':
		if (repeated) {
			refuse(t, "there is nothing to repeat");
			return;
		}
		buf_char(t->out, c);
		t->at++;
		t->repeated = true;
		break;
	default:
		buf_char(t->out, c);
		t->at++;
		return;
	}
}

static void
inside_class(struct translation *t)
{
	char c = *t->at++;

	if (c == '\\') {
		escape(t);
	} else if (c == '[') { /* PCRE2 would look for [:alpha:] */
		buf_text(t->out, "\\[");
	} else {
		buf_char(t->out, c);
		t->in_class = c != ']';
	}
}

static const char *
translate(struct translation *t)
{
	while (t->at < t->end) {
		bool repeated = t->repeated;

		if (t->in_class)
			inside_class(t);
		else
			outside_class(t);
		if (!repeated && t->repeated && take(t, "?"))
			buf_char(t->out, '?');
	}
	if (t->out->full)
		refuse(t, "it is too long");
	return t->wrong;
}

static void
code_free(void *code)
{
	pcre2_code_free(code);
}

const struct pattern *
schema__pattern_new(
    void *owner, const char *text, size_t n, const char **out_why)
{
	struct pattern *pattern = mem_new(owner, struct pattern);
	struct translation t = {
	    .at = text,
	    .end = text + n,
	    .out = buf_new(pattern, PATTERN_MAX),
	};
	const char *wrong = translate(&t);
	char why[128];
	PCRE2_SIZE offset;
	int error;

	if (!wrong) {
		pattern->code =
		    pcre2_compile((PCRE2_SPTR)t.out->data, t.out->len,
			PCRE2_UTF | PCRE2_DOLLAR_ENDONLY |
			    PCRE2_MATCH_UNSET_BACKREF |
			    PCRE2_ALLOW_EMPTY_CLASS | PCRE2_NEVER_BACKSLASH_C,
			&error, &offset, NULL);
		if (!pattern->code) {
			pcre2_get_error_message(
			    error, (PCRE2_UCHAR *)why, sizeof(why));
			wrong = why;
		}
	}
	mem_drop(&t.out);
	if (wrong) {
		*out_why = mem_dup(owner, wrong);
		mem_drop(&pattern);
		return NULL;
	}
	mem_adopt(pattern, pattern->code, code_free);
	return pattern;
}

static void
data_free(void *data)
{
	pcre2_match_data_free(data);
}

static void
limits_free(void *limits)
{
	pcre2_match_context_free(limits);
}

struct matcher *
schema__matcher_new(void *owner)
{
	struct matcher *m = mem_new(owner, struct matcher);

	m->data = mem_adopt(m, pcre2_match_data_create(1, NULL), data_free);
	m->limits = mem_adopt(m, pcre2_match_context_create(NULL), limits_free);
	if (!m->data || !m->limits)
		abort(); /* out of memory, as in base/mem.c */
	pcre2_set_heap_limit(m->limits, MATCH_HEAP_KIB);
	return m;
}

enum match
schema__pattern_match(const struct pattern *pattern,
    const struct matcher *matcher, const char *text, size_t n)
{
	uint32_t limit = MATCH_STEPS_MOST;
	int rc;

	if (n < (MATCH_STEPS_MOST - MATCH_STEPS) / MATCH_STEPS_PER_BYTE)
		limit = MATCH_STEPS + MATCH_STEPS_PER_BYTE * (uint32_t)n;
	pcre2_set_match_limit(matcher->limits, limit);
	pcre2_set_depth_limit(matcher->limits, limit);
	rc = pcre2_match(pattern->code, (PCRE2_SPTR)text, n, 0, 0,
	    matcher->data, matcher->limits);
	if (rc >= 0)
		return MATCH_YES;
	if (rc == PCRE2_ERROR_MATCHLIMIT || rc == PCRE2_ERROR_DEPTHLIMIT ||
	    rc == PCRE2_ERROR_HEAPLIMIT || rc == PCRE2_ERROR_NOMEMORY)
		return MATCH_TOO_COSTLY;
	return MATCH_NO; /* text that is not UTF-8 matches nothing */
}
