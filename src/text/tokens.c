/* Words: what people write, as small tokens that can be compared. */
#include "text/tokens.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

/* English function words, sorted; what is left of don't after its apostrophe
 * is among them. */
static const char *const stop_words[] = {"a", "about", "after", "again", "all",
    "also", "am", "an", "and", "any", "are", "as", "at", "be", "because",
    "been", "before", "being", "but", "by", "can", "could", "d", "did", "didn",
    "do", "does", "doesn", "doing", "don", "each", "every", "for", "from",
    "had", "has", "have", "having", "he", "her", "here", "him", "his", "how",
    "i", "if", "in", "into", "is", "isn", "it", "its", "just", "ll", "me", "my",
    "of", "on", "or", "our", "re", "s", "she", "should", "so", "some", "such",
    "t", "than", "that", "the", "their", "them", "then", "there", "these",
    "they", "this", "those", "to", "too", "us", "ve", "very", "via", "was",
    "we", "were", "what", "when", "where", "which", "while", "who", "why",
    "will", "with", "would", "you", "your"};

/* How far a macro or a dotted name may reach, so that a long run of { or of _
 * costs no more than its length. */
#define LOOK 200

enum class { OTHER, LOWER, UPPER, DIGIT };

struct tokens
tokens_of(const char *text, size_t n, size_t max)
{
	return (struct tokens){.text = text, .len = n, .left = max};
}

/* ---- characters -------------------------------------------------------- */

/* The code point at text[at] and its width; bytes that are not UTF-8 are a
 * space one byte wide. */
static unsigned
code_at(const struct tokens *t, size_t at, size_t *out_width)
{
	const unsigned char *s = (const unsigned char *)t->text + at;
	size_t width = text_utf8_width(t->text + at, t->len - at);

	*out_width = width ? width : 1;
	switch (width) {
	case 1:
		return s[0];
	case 2:
		return (s[0] & 0x1Fu) << 6 | (s[1] & 0x3Fu);
	case 3:
		return (s[0] & 0x0Fu) << 12 | (s[1] & 0x3Fu) << 6 |
		    (s[2] & 0x3Fu);
	case 4:
		return (s[0] & 0x07u) << 18 | (s[1] & 0x3Fu) << 12 |
		    (s[2] & 0x3Fu) << 6 | (s[3] & 0x3Fu);
	default:
		return ' ';
	}
}

/* Latin-1 and Latin Extended-A, whose capitals stand 32 before, or one before,
 * their small letters; the rest of the world is left alone. */
static unsigned
fold(unsigned c)
{
	if (c < 0x80)
		return (unsigned)tolower((int)c);
	if (c >= 0xC0 && c <= 0xDE && c != 0xD7)
		return c + 32;
	if (c == 0x130)
		return 'i';
	if (c == 0x178)
		return 0xFF;
	if ((c >= 0x100 && c <= 0x137) || (c >= 0x14A && c <= 0x177))
		return c | 1;
	if ((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17E))
		return c & 1 ? c + 1 : c;
	return c;
}

/* Beyond ASCII everything is a letter except these: spaces, punctuation,
 * signs, arrows, boxes, private use and pictures. */
static bool
is_sign(unsigned c)
{
	static const struct {
		unsigned first, last;
	} signs[] = {{0x80, 0xA9}, {0xAB, 0xB4}, {0xB6, 0xB9}, {0xBB, 0xBF},
	    {0xD7, 0xD7}, {0xF7, 0xF7}, {0x2000, 0x206F}, {0x20A0, 0x20CF},
	    {0x2190, 0x2BFF}, {0x2E00, 0x2E7F}, {0x3000, 0x3004},
	    {0x3008, 0x3020}, {0xE000, 0xF8FF}, {0xFE00, 0xFE6F},
	    {0xFEFF, 0xFF0F}, {0xFF1A, 0xFF20}, {0xFF3B, 0xFF40},
	    {0xFF5B, 0xFF65}, {0xFFE0, 0xFFFF}, {0x1F000, 0x1FAFF},
	    {0xE0000, 0x10FFFF}};

	for (size_t i = 0; i < nitems(signs); i++)
		if (c >= signs[i].first && c <= signs[i].last)
			return true;
	return false;
}

static enum class class_of(unsigned c) {
	if (c < 0x80) return isdigit((int)c) ? DIGIT
	    : isupper((int)c)                ? UPPER
	    : islower((int)c)                ? LOWER
					     : OTHER;
	if (is_sign(c)) return OTHER;
	return fold(c) == c ? LOWER : UPPER;
}

/* The hyphen of e-mail and s-c-s: after a single letter, before another. */
static bool
is_hyphen(const struct tokens *t, size_t at)
{
	return t->text[at] == '-' && at > 0 && at + 1 < t->len &&
	    isalpha((unsigned char)t->text[at - 1]) &&
	    isalpha((unsigned char)t->text[at + 1]) &&
	    (at < 2 || !isalnum((unsigned char)t->text[at - 2]));
}

/* The class of the character at `at`. Such a hyphen counts as the letter
 * before it, and a point between two digits as a digit, so that 4.1.2 stays
 * whole. */
static enum class class_at(
    const struct tokens *t, size_t at, size_t *out_width) {
	    *out_width = 1; if (at >= t->len) return OTHER;
	    if (is_hyphen(t, at)) return isupper((unsigned char)t->text[at - 1])
		? UPPER
		: LOWER;
	    if (t->text[at] == '.' && at > 0 && at + 1 < t->len &&
		isdigit((unsigned char)t->text[at - 1]) &&
		isdigit((unsigned char)t->text[at + 1])) return DIGIT;
	    return class_of(code_at(t, at, out_width));
}

/* ---- markup, and matter that is quoted ---------------------------------- */

static bool
here(const struct tokens *t, size_t at, const char *what)
{
	size_t n = strlen(what);

	return at <= t->len && t->len - at >= n &&
	    memcmp(t->text + at, what, n) == 0;
}

/* Where `what` next stands, or the end of the text. */
static size_t
find(const struct tokens *t, size_t at, const char *what)
{
	while (at < t->len && !here(t, at, what))
		at++;
	return at;
}

static size_t
skip_any(const struct tokens *t, size_t at, const char *bytes)
{
	while (at < t->len && t->text[at] && strchr(bytes, t->text[at]))
		at++;
	return at;
}

static size_t
skip_until(const struct tokens *t, size_t at, const char *bytes)
{
	while (at < t->len && (!t->text[at] || !strchr(bytes, t->text[at])))
		at++;
	return at;
}

static size_t
line_end(const struct tokens *t, size_t at)
{
	while (at < t->len && t->text[at] != '\n' && !here(t, at, "  "))
		at++;
	return at;
}

static void
hush(struct tokens *t, size_t end)
{
	if (t->quiet_end < end)
		t->quiet_end = end;
}

/* The end of a {macro:with=parameters} that Jira would act upon, or 0. What
 * stands between two {code} or {noformat} becomes quiet. */
static size_t
macro_end(struct tokens *t, size_t at)
{
	static const char *const macros[] = {"anchor", "code", "color",
	    "column", "excerpt", "info", "noformat", "note", "panel", "quote",
	    "section", "tip", "toc", "warning"};
	size_t end = at;

	while (end < t->len && end - at < LOOK && t->text[end] != '}')
		end++;
	if (end == t->len || t->text[end] != '}')
		return 0;
	for (size_t i = 0; i < nitems(macros); i++) {
		size_t n = strlen(macros[i]);

		if (!here(t, at + 1, macros[i]) ||
		    (t->text[at + 1 + n] != '}' && t->text[at + 1 + n] != ':'))
			continue;
		if (at >= t->quiet_end) {
			if (strcmp(macros[i], "code") == 0)
				hush(t, find(t, end, "{code}") + 1);
			if (strcmp(macros[i], "noformat") == 0)
				hush(t, find(t, end, "{noformat}") + 1);
		}
		return end + 1;
	}
	return 0;
}

/* Past the markup that begins at a character which is no letter; at least one
 * character further. */
static size_t
skip_markup(struct tokens *t, size_t at, size_t width)
{
	size_t end;

	switch (t->text[at]) {
	case '{':
		end = macro_end(t, at);
		return end ? end : at + 1;
	case '`':
		if (!here(t, at, "```"))
			return at + 1;
		if (at >= t->quiet_end)
			hush(t, find(t, at + 3, "```") + 1);
		return at + 3;
	case '!': /* !picture.png|width=300! */
		end = skip_until(t, at + 1, "! \n");
		return end < t->len && t->text[end] == '!' && end - at < 120 &&
			memchr(t->text + at, '.', end - at)
		    ? end + 1
		    : at + 1;
	case '[':
		if (!here(t, at, "[~"))
			return at + 1;
		return skip_until(t, at, "] \n");
	default:
		return at + width;
	}
}

/* at java.lang.Thread.run(Thread.java:745) */
static size_t
frame_end(const struct tokens *t, size_t at)
{
	size_t name = skip_any(t, at + 2, " \t"), end = name;
	bool dotted = false;

	if (!here(t, at, "at ") && !here(t, at, "at\t"))
		return 0;
	while (end < t->len &&
	    (isalnum((unsigned char)t->text[end]) ||
		(t->text[end] && strchr("._$<>/", t->text[end])))) {
		dotted |= t->text[end] == '.';
		end++;
	}
	if (!dotted || end == t->len || t->text[end] != '(')
		return 0;
	return skip_until(t, end, ")\n");
}

/* 23:22:31 begins a line of a log. */
static bool
is_time(const struct tokens *t, size_t at)
{
	static const char shape[] = "00:00:00";

	if (t->len - at < 8)
		return false;
	for (size_t i = 0; i < 8; i++)
		if (shape[i] == ':' ? t->text[at + i] != ':'
				    : !isdigit((unsigned char)t->text[at + i]))
			return false;
	return true;
}

/* Where the last part of a name such as org.example.HttpClient begins, when
 * at least two others stand before it; else 0. */
static size_t
package_end(const struct tokens *t, size_t at)
{
	size_t last = 0, dots = 0;

	if (!islower((unsigned char)t->text[at]))
		return 0;
	for (size_t i = at; i < t->len && i - at < LOOK; i++) {
		if (t->text[i] == '.' && i + 1 < t->len &&
		    isalpha((unsigned char)t->text[i + 1])) {
			last = i + 1;
			dots++;
		} else if (!isalnum((unsigned char)t->text[i]) &&
		    t->text[i] != '_' && t->text[i] != '$') {
			break;
		}
	}
	return dots >= 2 ? last : 0;
}

/* Looks at a word about to be read, [t->at, t->word_end): hushes what it
 * begins, and says whether it is itself only markup. */
static bool
begins_markup(struct tokens *t)
{
	size_t at = t->at, end = t->word_end;

	if (at >= t->quiet_end) {
		if (here(t, end, "://") || here(t, at, "www.") ||
		    here(t, at, "mailto:"))
			hush(t, skip_until(t, at, " \t\r\n|]>\"'{}"));
		else if (is_time(t, at))
			hush(t, line_end(t, at));
		hush(t, package_end(t, at));
		hush(t, frame_end(t, at));
	}
	return end - at == 2 && t->text[at] == 'h' && t->text[at + 1] >= '1' &&
	    t->text[at + 1] <= '6' && here(t, end, ". ");
}

/* ---- words ------------------------------------------------------------- */

static size_t
run_end(const struct tokens *t, size_t at)
{
	size_t width;

	while (class_at(t, at, &width) != OTHER)
		at += width;
	return at;
}

/* A capital that opens a word: it is followed by a small letter, which is not
 * just the plural of an acronym (URLs). */
static bool
opens_word(const struct tokens *t, size_t at, size_t width)
{
	size_t w, w2;

	if (class_at(t, at + width, &w) != LOWER)
		return false;
	return t->text[at + width] != 's' ||
	    class_at(t, at + width + w, &w2) == LOWER;
}

/* Digits from `at` to the end of the word, or to a capital that opens another:
 * the 12 of sprint12 and the 256 of Sha256Sum, not the 4 of log4j. */
static bool
ends_in_digits(const struct tokens *t, size_t at)
{
	size_t width;
	enum class k;

	while ((k = class_at(t, at, &width)) == DIGIT)
		at += width;
	return k == OTHER || (k == UPPER && opens_word(t, at, width));
}

/* The end of the part of a word that begins at `at`. */
static size_t
part_end(const struct tokens *t, size_t at)
{
	size_t start = at, width;
	enum class before = class_at(t, at, &width);

	for (at += width; at < t->word_end; at += width) {
		enum class k = class_at(t, at, &width);

		if (k == UPPER && t->text[at - 1] != '-' &&
		    (before == LOWER || opens_word(t, at, width)))
			break;
		if (k == DIGIT && before != DIGIT && at - start > 1 &&
		    ends_in_digits(t, at))
			break;
		before = k;
	}
	return at;
}

/* URLs, PDFs: an acronym and its s. */
static bool
is_plural(const struct tokens *t, size_t at, size_t end)
{
	return end - at > 2 && t->text[end - 1] == 's' &&
	    isupper((unsigned char)t->text[end - 2]);
}

static size_t
put_code(char *out, unsigned c)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	out[0] = (char)(0xC0 | c >> 6); /* folding only makes two bytes */
	out[1] = (char)(0x80 | (c & 0x3F));
	return 2;
}

static void
copy_folded(const struct tokens *t, size_t at, size_t end, struct token *out)
{
	out->len = 0;
	out->digits = false;
	while (at < end) {
		size_t width;
		unsigned c = code_at(t, at, &width), small = fold(c);

		if (out->len + width > TOKENS_WIDTH)
			break;
		if (c < 0x80 && isdigit((int)c))
			out->digits = true;
		if (c == '-') {
			at++;
			continue;
		}
		if (small != c) {
			out->len += put_code(out->text + out->len, small);
		} else {
			memcpy(out->text + out->len, t->text + at, width);
			out->len += width;
		}
		at += width;
	}
	out->text[out->len] = '\0';
}

static int
compare_words(const void *a, const void *b)
{
	return strcmp(a, *(const char *const *)b);
}

static bool
is_stop_word(const char *word)
{
	return bsearch(word, stop_words, nitems(stop_words),
		   sizeof(stop_words[0]), compare_words) != NULL;
}

/* ---- Porter's stemmer, steps 1 and 5a ----------------------------------- */

static bool
is_consonant(const char *w, size_t i)
{
	if (strchr("aeiou", w[i]))
		return false;
	return w[i] != 'y' || i == 0 || !is_consonant(w, i - 1);
}

/* m: how many times a vowel is followed by a consonant in w[0..n). */
static size_t
measure(const char *w, size_t n)
{
	size_t m = 0;

	for (size_t i = 1; i < n; i++)
		m += is_consonant(w, i) && !is_consonant(w, i - 1);
	return m;
}

static bool
has_vowel(const char *w, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!is_consonant(w, i))
			return true;
	return false;
}

/* *o: ends consonant, vowel, consonant, the last not w, x or y. */
static bool
ends_cvc(const char *w, size_t n)
{
	return n >= 3 && is_consonant(w, n - 1) && !is_consonant(w, n - 2) &&
	    is_consonant(w, n - 3) && !strchr("wxy", w[n - 1]);
}

static bool
ends(const struct token *k, const char *suffix)
{
	size_t n = strlen(suffix);

	return k->len > n && memcmp(k->text + k->len - n, suffix, n) == 0;
}

static void
cut(struct token *k, size_t n)
{
	k->len -= n;
	k->text[k->len] = '\0';
}

/* What is left of hoping, hopping, sized is made a word again: hope, hop,
 * size. The text has room: a longer suffix has just gone. */
static void
mend(struct token *k)
{
	char last = k->text[k->len - 1];

	if (ends(k, "at") || ends(k, "bl") || ends(k, "iz") ||
	    (measure(k->text, k->len) == 1 && ends_cvc(k->text, k->len))) {
		k->text[k->len++] = 'e';
		k->text[k->len] = '\0';
	} else if (k->len >= 2 && k->text[k->len - 2] == last &&
	    is_consonant(k->text, k->len - 1) && !strchr("lsz", last)) {
		cut(k, 1);
	}
}

static void
stem(struct token *k)
{
	char *w = k->text;

	for (size_t i = 0; i < k->len; i++)
		if (w[i] < 'a' || w[i] > 'z')
			return;
	if (k->len <= 2)
		return;
	/* 1a */
	if (ends(k, "sses") || ends(k, "ies"))
		cut(k, 2);
	else if (ends(k, "s") && !ends(k, "ss") && has_vowel(w, k->len - 1))
		cut(k, 1);
	/* 1b */
	if (ends(k, "eed")) {
		if (measure(w, k->len - 3) > 0)
			cut(k, 1);
	} else if (ends(k, "ed") && has_vowel(w, k->len - 2)) {
		cut(k, 2);
		mend(k);
	} else if (ends(k, "ing") && has_vowel(w, k->len - 3)) {
		cut(k, 3);
		mend(k);
	}
	/* 1c */
	if (ends(k, "y") && has_vowel(w, k->len - 1))
		w[k->len - 1] = 'i';
	/* 5a */
	if (ends(k, "e")) {
		size_t m = measure(w, k->len - 1);

		if (m > 1 || (m == 1 && !ends_cvc(w, k->len - 1)))
			cut(k, 1);
	}
}

bool
tokens_next(struct tokens *t, struct token *out)
{
	while (t->left > 0 && t->at < t->len) {
		size_t width, end;

		if (t->at >= t->word_end) {
			if (class_at(t, t->at, &width) == OTHER) {
				t->at = skip_markup(t, t->at, width);
				continue;
			}
			t->word_end = run_end(t, t->at);
			if (begins_markup(t)) {
				t->at = t->word_end;
				continue;
			}
		}
		end = part_end(t, t->at);
		copy_folded(
		    t, t->at, is_plural(t, t->at, end) ? end - 1 : end, out);
		out->quiet = t->at < t->quiet_end;
		t->at = end;
		if (is_stop_word(out->text))
			continue;
		stem(out);
		t->left--;
		return true;
	}
	return false;
}
