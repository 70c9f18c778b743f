/* What must not leave the house becomes a placeholder, and comes back. */
#include <config.h>

#include "ai/redact.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

enum {
	BUCKETS = 1024, /* a power of two */
	LOCAL_MAX = 64, /* of an address, RFC 5321 */
	DOMAIN_MAX = 255,
	WORDS_MAX = 6, /* of a name */
	WORD_MAX = 96, /* bytes of one, folded */
	GAP_MAX = 4, /* bytes between two words of a name */
	PART_MIN = 3, /* letters of a word that stands for a person */
	VARIANTS_MAX = 26 * 27, /* of a person: A to Z, AA to ZZ */
	DIGITS_MAX = 6, /* of a placeholder's number */
};

enum label { EMAIL, PHONE, PERSON, SECRET, LITERAL, LABELS };

static const char *const labels[LABELS] = {
    "EMAIL", "PHONE", "PERSON", "SECRET", "LITERAL"};

/* One thing hidden, as it was written. */
struct hidden {
	const char *value;
	size_t n;
	char label[REDACT_LABEL_MAX + 1];
	size_t next, next_label; /* in its buckets, plus one; 0: none */
};

/* A name, or one word of it; words are folded. */
struct name {
	const char *words[WORDS_MAX];
	size_t n_words;
	bool is_part; /* one word of a name: not where it begins small */
	size_t person; /* number of the placeholder, from 1 */
};

struct redactor {
	struct hidden *hidden;
	size_t n_hidden;
	size_t buckets[BUCKETS]; /* by value; index plus one */
	size_t by_label[BUCKETS]; /* by placeholder */
	size_t next_of[LABELS]; /* last number given */
	size_t *variants; /* of each person */
	struct name *names;
	size_t n_names, n_persons;
	bool is_sorted;
};

/* What a matcher found. */
struct found {
	enum label label;
	size_t at, n;
	size_t person; /* of PERSON */
};

struct reading {
	const char *text;
	size_t n;
};

struct redactor *
redact_new(void *owner)
{
	return mem_new(owner, struct redactor);
}

bool
redact_has_hidden(const struct redactor *r)
{
	return r->n_hidden > 0;
}

/* ---- characters */

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Of a word: letters of any script count, and what is no UTF-8 with them. */
static bool
is_word(char c)
{
	return is_alpha(c) || is_digit(c) || (unsigned char)c >= 0x80;
}

static bool
is_key(char c)
{
	return is_alpha(c) || is_digit(c) || c == '_' || c == '-';
}

static bool
is_token(char c)
{
	return is_key(c) || (c && strchr(".~+/=", c) != NULL);
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static uint32_t
fold_point(uint32_t c)
{
	if (c >= 0xc0 && c <= 0xde && c != 0xd7)
		return c + 0x20;
	if ((c >= 0x100 && c <= 0x137) || (c >= 0x14a && c <= 0x177))
		return c | 1;
	if ((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17e))
		return c + (c & 1);
	if ((c >= 0x391 && c <= 0x3a9) || (c >= 0x410 && c <= 0x42f))
		return c + 0x20;
	if (c >= 0x400 && c <= 0x40f)
		return c + 0x50;
	return c;
}

/* Lower case of the scripts that have one and two bytes a letter. */
static size_t
fold(char *out, const char *word, size_t n)
{
	size_t length = 0;

	for (size_t i = 0; i < n && length + 2 < WORD_MAX; i++) {
		unsigned char c = (unsigned char)word[i];
		unsigned char d = i + 1 < n ? (unsigned char)word[i + 1] : 0;

		if (c >= 0xc2 && c <= 0xdf && (d & 0xc0) == 0x80) {
			uint32_t p =
			    fold_point((uint32_t)(c & 0x1f) << 6 | (d & 0x3f));

			out[length++] = (char)(0xc0 | p >> 6);
			out[length++] = (char)(0x80 | (p & 0x3f));
			i++;
		} else {
			out[length++] = lower(word[i]);
		}
	}
	out[length] = '\0';
	return length;
}

/* The bytes of an escape sequence of JSON that ends before at, such as the n of
 * \n, belong to no word. The first byte from at on that may begin one. */
static size_t
after_escape(const struct reading *t, size_t at)
{
	if (at == 0 || t->text[at - 1] != '\\' || at >= t->n)
		return at;
	if (t->text[at] == 'u' && at + 5 <= t->n)
		return at + 5;
	return strchr("nrtbf", t->text[at]) ? at + 1 : at;
}

/* ---- names */

/* A space, a hyphen, an apostrophe (of both kinds), a point, a no-break space. */
static bool
is_gap(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strchr(" -'.\xe2\x80\x99\xc2\xa0", text[i]) || !text[i])
			return false;
	return n > 0;
}

/* Where the next word of a name begins; 0 when something else comes. The
 * typographic apostrophe and the no-break space are words to is_word, so they
 * are looked for first. */
static size_t
next_word(const struct reading *t, size_t at)
{
	size_t n = 0;

	while (n <= GAP_MAX && at + n < t->n) {
		size_t width = text_utf8_width(t->text + at + n, t->n - at - n);

		if (width == 0 || !is_gap(t->text + at + n, width))
			break;
		n += width;
	}
	return n > 0 && n <= GAP_MAX ? at + n : 0;
}

/* The word at a place, folded; its length in the text. */
static size_t
read_word(const struct reading *t, size_t at, char *out)
{
	size_t n = 0;

	while (at + n < t->n && is_word(t->text[at + n]) &&
	    next_word(t, at + n) == 0)
		n++;
	fold(out, t->text + at, n);
	return n;
}

static struct name *
add_name(struct redactor *r, size_t person)
{
	struct name *n;

	r->names = mem_grow(r, r->names, r->n_names, sizeof(*r->names));
	n = &r->names[r->n_names++];
	*n = (struct name){.person = person};
	return n;
}

static bool
begins_like_a_name(const char *word)
{
	return !(word[0] >= 'a' && word[0] <= 'z') && !is_digit(word[0]);
}

static void
add_part(struct redactor *r, const char *word, size_t n, const char *folded,
    size_t person)
{
	struct name *part;

	if (text_utf8_length(word, n) < PART_MIN || !begins_like_a_name(word))
		return;
	part = add_name(r, person);
	part->words[0] = mem_dup(r, folded);
	part->n_words = 1;
	part->is_part = true;
}

void
redact_name(struct redactor *r, const char *name)
{
	struct reading t = {.text = name, .n = strlen(name)};
	struct name whole = {.n_words = 0};
	char folded[WORD_MAX + 1];
	size_t at = 0, length;

	if (r->n_persons >= REDACT_NAMES_MAX || !text_is_storable(name, t.n))
		return;
	while (at < t.n && !is_word(name[at]))
		at++;
	while (at < t.n && whole.n_words < WORDS_MAX &&
	    (length = read_word(&t, at, folded)) > 0) {
		whole.words[whole.n_words++] = mem_dup(r, folded);
		if (whole.n_words > 1 || at + length < t.n)
			add_part(
			    r, name + at, length, folded, r->n_persons + 1);
		at = next_word(&t, at + length);
		if (at == 0)
			break;
	}
	if (whole.n_words == 0 ||
	    (whole.n_words == 1 && strlen(whole.words[0]) < 2))
		return;
	r->n_persons++;
	r->variants =
	    mem_grow(r, r->variants, r->n_persons, sizeof(*r->variants));
	r->variants[r->n_persons] = 0;
	whole.person = r->n_persons;
	*add_name(r, r->n_persons) = whole;
	r->is_sorted = false;
}

static int
by_first_word(const void *a, const void *b)
{
	const struct name *x = a, *y = b;
	int order = strcmp(x->words[0], y->words[0]);

	if (order == 0 && x->n_words != y->n_words)
		order = x->n_words > y->n_words ? -1 : 1;
	return order ? order
		     : (x->person > y->person) - (x->person < y->person);
}

/* The first name whose first word is this one. */
static size_t
find_names(const struct redactor *r, const char *word)
{
	size_t low = 0, high = r->n_names;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(r->names[middle].words[0], word) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The bytes that a name takes at a place; 0: it is not there. */
static size_t
name_length(
    const struct name *name, const struct reading *t, size_t at, size_t first)
{
	size_t end = at + first;
	char folded[WORD_MAX + 1];

	if (name->is_part && !begins_like_a_name(t->text + at))
		return 0;
	for (size_t i = 1; i < name->n_words; i++) {
		size_t begin = next_word(t, end);
		size_t n = begin ? read_word(t, begin, folded) : 0;

		if (n == 0 || strcmp(folded, name->words[i]) != 0)
			return 0;
		end = begin + n;
	}
	return end - at;
}

static bool
match_name(
    struct redactor *r, const struct reading *t, size_t at, struct found *out)
{
	char folded[WORD_MAX + 1];
	size_t first;

	if (r->n_names == 0)
		return false;
	first = read_word(t, at, folded);
	if (first == 0)
		return false;
	/* the longest stand first */
	for (size_t i = find_names(r, folded);
	     i < r->n_names && strcmp(r->names[i].words[0], folded) == 0; i++) {
		size_t n = name_length(&r->names[i], t, at, first);

		if (n) {
			*out = (struct found){.label = PERSON,
			    .at = at,
			    .n = n,
			    .person = r->names[i].person};
			return true;
		}
	}
	return false;
}

/* ---- addresses, numbers */

static bool
is_local(char c)
{
	return is_word(c) || (c && strchr("._%+-", c) != NULL);
}

static bool
match_email(const struct reading *t, size_t at, struct found *out)
{
	size_t i = at, domain, end;

	while (i < t->n && i - at <= LOCAL_MAX && is_local(t->text[i]))
		i++;
	if (i == at || i - at > LOCAL_MAX || i >= t->n || t->text[i] != '@')
		return false;
	domain = end = ++i;
	while (i < t->n && i - domain < DOMAIN_MAX &&
	    (is_word(t->text[i]) || t->text[i] == '-' || t->text[i] == '.')) {
		i++;
		if (is_word(t->text[i - 1]))
			end = i;
	}
	if (end == domain || !memchr(t->text + domain, '.', end - domain))
		return false;
	*out = (struct found){.label = EMAIL, .at = at, .n = end - at};
	return true;
}

/* +49 30 1234567, with spaces, points, hyphens, brackets; or 555-123-4567. */
static bool
match_phone(const struct reading *t, size_t at, struct found *out)
{
	bool is_long = t->text[at] == '+';
	size_t i = at + is_long, digits = 0, end = at, groups[3] = {0},
	       group = 0;

	if (!is_long && !is_digit(t->text[at]) && t->text[at] != '(')
		return false;
	for (; i < t->n && i - at < 32 && digits < 16; i++) {
		char c = t->text[i];

		if (is_digit(c)) {
			digits++;
			end = i + 1;
			if (group < 3)
				groups[group]++;
		} else if (!strchr(" .-()", c) || !c) {
			break;
		} else if (digits && is_digit(t->text[i - 1])) {
			group++;
		}
	}
	if (is_long ? digits < 8 || digits > 15
		    : digits != 10 || groups[0] != 3 || groups[1] != 3)
		return false;
	if (end < t->n && (is_word(t->text[end]) || t->text[end] == '-'))
		return false;
	*out = (struct found){.label = PHONE, .at = at, .n = end - at};
	return true;
}

/* ---- secrets */

static bool
starts(const struct reading *t, size_t at, const char *prefix)
{
	size_t n = strlen(prefix);

	return t->n - at >= n && memcmp(t->text + at, prefix, n) == 0;
}

static size_t
run_of(const struct reading *t, size_t at, bool (*belongs)(char))
{
	size_t n = 0;

	while (
	    at + n < t->n && n < REDACT_VALUE_MAX && belongs(t->text[at + n]))
		n++;
	return n;
}

/* How keys of known services begin, and the least that follows. */
static const struct {
	const char *prefix;
	size_t rest;
} keys[] = {
    {"sk-", 16},
    {"sk_live_", 10},
    {"sk_test_", 10},
    {"rk_live_", 10},
    {"ghp_", 20},
    {"gho_", 20},
    {"ghu_", 20},
    {"ghs_", 20},
    {"ghr_", 20},
    {"github_pat_", 20},
    {"glpat-", 16},
    {"xoxa-", 10},
    {"xoxb-", 10},
    {"xoxp-", 10},
    {"xoxr-", 10},
    {"xoxs-", 10},
    {"xapp-", 10},
    {"AKIA", 16},
    {"ASIA", 16},
    {"AIza", 30},
    {"ya29.", 20},
    {"npm_", 30},
    {"pypi-", 30},
    {"hf_", 20},
    {"SG.", 20},
    {"whsec_", 20},
    {"gnk_", 20},
    {"gnr_", 20},
};

static bool
match_key(const struct reading *t, size_t at, struct found *out)
{
	for (size_t i = 0; i < nitems(keys); i++) {
		size_t n = strlen(keys[i].prefix), rest;

		if (!starts(t, at, keys[i].prefix))
			continue;
		rest = run_of(t, at + n, is_token);
		if (rest < keys[i].rest)
			continue;
		*out = (struct found){.label = SECRET, .at = at, .n = n + rest};
		return true;
	}
	return false;
}

static bool
is_base64url(char c)
{
	return is_key(c) || c == '=';
}

/* RFC 7515: three parts, the first of which begins with {" in base64url. */
static bool
match_jwt(const struct reading *t, size_t at, struct found *out)
{
	size_t end = at;

	if (!starts(t, at, "eyJ"))
		return false;
	for (int part = 0; part < 3; part++) {
		size_t n = run_of(t, end, is_base64url);

		if (n < (part < 2 ? 8u : 0u))
			return false;
		end += n;
		if (part < 2 && (end >= t->n || t->text[end++] != '.'))
			return false;
	}
	*out = (struct found){.label = SECRET, .at = at, .n = end - at};
	return true;
}

/* RFC 7468. What has no end is hidden as far as a key reaches at most. */
static bool
match_pem(const struct reading *t, size_t at, struct found *out)
{
	static const char mark[] = "PRIVATE KEY-----", end_mark[] = "-----END ";
	const char *from = t->text + at, *end, *line;
	size_t n = t->n - at < REDACT_VALUE_MAX ? t->n - at : REDACT_VALUE_MAX;

	if (!starts(t, at, "-----BEGIN "))
		return false;
	line = memmem(from, n < 64 ? n : 64, mark, sizeof(mark) - 1);
	if (!line)
		return false;
	end = memmem(
	    line, (size_t)(from + n - line), end_mark, sizeof(end_mark) - 1);
	if (end)
		end = memmem(
		    end, (size_t)(from + n - end), mark, sizeof(mark) - 1);
	if (end)
		n = (size_t)(end - from) + sizeof(mark) - 1;
	while (n > 0 && !end && at + n < t->n &&
	    ((unsigned char)from[n] & 0xc0) == 0x80)
		n--; /* not within a character */
	*out = (struct found){.label = SECRET, .at = at, .n = n};
	return true;
}

static bool
is_of_url(char c)
{
	return c > ' ' && c != '/' && c != '@' && c != '"' && c != '\'' &&
	    c != '<' && c != '>' && c != '\\';
}

/* The user and password of scheme://user:password@host. */
static bool
match_url(const struct reading *t, size_t at, struct found *out)
{
	size_t n;

	if (at < 3 || memcmp(t->text + at - 3, "://", 3) != 0)
		return false;
	n = run_of(t, at, is_of_url);
	if (n == 0 || at + n >= t->n || t->text[at + n] != '@' ||
	    !memchr(t->text + at, ':', n))
		return false;
	*out = (struct found){.label = SECRET, .at = at, .n = n};
	return true;
}

/* Words that a secret follows; the least bytes of it, and whether it must have
 * a digit (as prose after "token:" has not). */
static const struct {
	const char *word;
	size_t least;
	bool has_digit;
} says[] = {
    {"password", 4, false},
    {"passwd", 4, false},
    {"passphrase", 4, false},
    {"pwd", 4, false},
    {"secret", 8, true},
    {"token", 8, true},
    {"apikey", 8, true},
    {"api_key", 8, true},
    {"api-key", 8, true},
    {"access_key", 8, true},
    {"access-key", 8, true},
    {"accesskey", 8, true},
    {"private_key", 8, true},
    {"bearer", 12, true},
    {"basic", 12, true},
};

static bool
ends_with_word(const struct reading *t, size_t at, size_t n, const char *word)
{
	size_t length = strlen(word), from;

	if (length > n)
		return false;
	from = at + n - length;
	for (size_t i = 0; i < length; i++)
		if (lower(t->text[from + i]) != word[i])
			return false;
	return true;
}

static bool
is_value(char c)
{
	return (unsigned char)c > ' ' && c != '"' && c != '\'' && c != ',' &&
	    c != ';' && c != '\\' && c != '<' && c != '>' && c != '`' &&
	    c != '[';
}

/* Where the value begins after name [quote] (: or =) [quote], or after "Bearer
 * "; 0 when nothing is said. */
static size_t
value_after(const struct reading *t, size_t at, bool is_scheme)
{
	size_t i = at, marks = 0;

	for (; i < t->n && i - at < 8; i++) {
		char c = t->text[i];

		if (c == ':' || c == '=')
			marks++;
		else if (c != ' ' && c != '"' && c != '\'' && c != '\\')
			break;
	}
	return i > at && i < t->n && (marks == 1 || (is_scheme && marks == 0))
	    ? i
	    : 0;
}

static bool
has_digit(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (is_digit(text[i]))
			return true;
	return false;
}

static bool
match_said(const struct reading *t, size_t at, struct found *out)
{
	size_t n = run_of(t, at, is_key);

	for (size_t i = 0; i < nitems(says); i++) {
		bool is_scheme = says[i].least == 12;
		size_t begin, length;

		if (!ends_with_word(t, at, n, says[i].word))
			continue;
		begin = value_after(t, at + n, is_scheme);
		length = begin ? run_of(t, begin, is_value) : 0;
		if (length < says[i].least ||
		    (says[i].has_digit && !has_digit(t->text + begin, length)))
			return false;
		*out =
		    (struct found){.label = SECRET, .at = begin, .n = length};
		return true;
	}
	return false;
}

/* ---- placeholders */

/* The bytes of a placeholder at a place: [LABEL_digits] or with one or two
 * letters after the digits; 0 when there is none. */
static size_t
placeholder_length(const char *text, size_t n)
{
	size_t i, from;
	enum label label;

	for (label = 0; label < LABELS; label++) {
		i = strlen(labels[label]);
		if (n > i + 3 && text[0] == '[' &&
		    memcmp(text + 1, labels[label], i) == 0 &&
		    text[i + 1] == '_')
			break;
	}
	if (label == LABELS)
		return 0;
	from = i += 2;
	while (i < n && i - from < DIGITS_MAX && is_digit(text[i]))
		i++;
	if (i == from)
		return 0;
	for (int letters = 0;
	     letters < 2 && i < n && text[i] >= 'A' && text[i] <= 'Z';
	     letters++)
		i++;
	return i < n && text[i] == ']' ? i + 1 : 0;
}

static uint32_t
hash(const char *bytes, size_t n)
{
	uint32_t h = UINT32_C(2166136261); /* FNV-1a, 32 bits */

	while (n--)
		h = (h ^ (unsigned char)*bytes++) * UINT32_C(16777619);
	return h & (BUCKETS - 1);
}

/* [PERSON_1], then [PERSON_1A] to [PERSON_1ZZ] for other ways to write it. */
static bool
name_it(struct redactor *r, const struct found *f, char *out)
{
	const char *label = labels[f->label];
	char letters[3] = "";
	size_t variant;

	if (f->label != PERSON) {
		snprintf(out, REDACT_LABEL_MAX + 1, "[%s_%zu]", label,
		    ++r->next_of[f->label]);
		return true;
	}
	variant = r->variants[f->person]++;
	if (variant > VARIANTS_MAX)
		return false;
	letters[0] = variant > 26 ? (char)('A' + (variant - 27) / 26) : '\0';
	letters[variant > 26] =
	    variant ? (char)('A' + (variant - 1) % 26) : '\0';
	snprintf(
	    out, REDACT_LABEL_MAX + 1, "[%s_%zu%s]", label, f->person, letters);
	return true;
}

static const char *
placeholder(struct redactor *r, const char *text, const struct found *f)
{
	const char *value = text + f->at;
	uint32_t h = hash(value, f->n);
	struct hidden *new;

	for (size_t i = r->buckets[h]; i; i = r->hidden[i - 1].next)
		if (r->hidden[i - 1].n == f->n &&
		    memcmp(r->hidden[i - 1].value, value, f->n) == 0)
			return r->hidden[i - 1].label;
	if (r->n_hidden >= REDACT_MAX)
		return "[HIDDEN]";
	r->hidden = mem_grow(r, r->hidden, r->n_hidden, sizeof(*r->hidden));
	new = &r->hidden[r->n_hidden];
	*new = (struct hidden){.next = r->buckets[h], .n = f->n};
	if (!name_it(r, f, new->label))
		return "[HIDDEN]";
	new->value = mem_dup_n(r, value, f->n);
	r->buckets[h] = ++r->n_hidden;
	h = hash(new->label, strlen(new->label));
	new->next_label = r->by_label[h];
	r->by_label[h] = r->n_hidden;
	return new->label;
}

static bool
match_literal(const struct reading *t, size_t at, struct found *out)
{
	size_t n = t->text[at] == '['
	    ? placeholder_length(t->text + at, t->n - at)
	    : 0;

	*out = (struct found){.label = LITERAL, .at = at, .n = n};
	return n > 0;
}

/* ---- reading a text */

/* Keys begin where no key can be under way, names and addresses with a word. */
static bool
is_key_start(const struct reading *t, size_t at)
{
	return at == 0 ||
	    (!is_word(t->text[at - 1]) && !is_key(t->text[at - 1]));
}

static bool
is_word_start(const struct reading *t, size_t at)
{
	return at == 0 || !is_word(t->text[at - 1]);
}

/* after: here an escape sequence ends, so anything may begin. */
static bool
match(struct redactor *r, const struct reading *t, size_t at, bool after,
    struct found *out)
{
	if (match_literal(t, at, out) || match_pem(t, at, out))
		return true;
	if ((after || is_key_start(t, at)) &&
	    (match_url(t, at, out) || match_key(t, at, out) ||
		match_jwt(t, at, out) || match_said(t, at, out) ||
		match_phone(t, at, out)))
		return true;
	return (after || is_word_start(t, at)) &&
	    (match_email(t, at, out) || match_name(r, t, at, out));
}

void
redact_text(struct redactor *r, const char *text, size_t n, struct buf *out)
{
	struct reading t = {.text = text, .n = n};
	size_t at = 0, copied = 0;
	bool after = false;

	if (!r->is_sorted && r->n_names)
		qsort(r->names, r->n_names, sizeof(*r->names), by_first_word);
	r->is_sorted = true;
	while (at < n) {
		size_t escape = after ? at : after_escape(&t, at);
		struct found f;

		if (escape > at) {
			at = escape;
			after = true;
			continue;
		}
		if (match(r, &t, at, after, &f)) {
			buf_add(out, text + copied, f.at - copied);
			buf_text(out, placeholder(r, text, &f));
			copied = at = f.at + f.n;
		} else {
			at++;
		}
		after = false;
	}
	buf_add(out, text + copied, n - copied);
}

static const struct hidden *
find_label(const struct redactor *r, const char *label, size_t n)
{
	const struct hidden *h;

	for (size_t i = r->by_label[hash(label, n)]; i; i = h->next_label) {
		h = &r->hidden[i - 1];
		if (strlen(h->label) == n && memcmp(h->label, label, n) == 0)
			return h;
	}
	return NULL;
}

void
redact_restore(
    const struct redactor *r, const char *text, size_t n, struct buf *out)
{
	size_t copied = 0;
	const char *open;

	for (size_t at = 0;
	     at < n && (open = memchr(text + at, '[', n - at)) != NULL;) {
		const struct hidden *h;
		size_t length;

		at = (size_t)(open - text);
		length = placeholder_length(open, n - at);
		h = length ? find_label(r, open, length) : NULL;
		if (h) {
			buf_add(out, text + copied, at - copied);
			buf_add(out, h->value, h->n);
			copied = at + length;
		}
		at += length ? length : 1;
	}
	buf_add(out, text + copied, n - copied);
}

size_t
redact_unfinished(const char *text, size_t n)
{
	for (size_t i = 1; i <= n && i < REDACT_LABEL_MAX; i++) {
		char c = text[n - i];

		if (c == '[')
			return i;
		if (!(c >= 'A' && c <= 'Z') && !is_digit(c) && c != '_')
			return 0;
	}
	return 0;
}
