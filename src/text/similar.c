/* Near-duplicates: which stories of a backlog say the same thing twice. */
#include "text/similar.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/mem.h"
#include "text/tokens.h"

#define TITLE_WORDS 64 /* of a title that are read */
#define TITLE_WEIGHT 3.0
#define QUIET_WEIGHT 0.2
#define MEET 0.30 /* cosine below which a pair is not looked at */
#define PROSE 4 /* bodies that say less than this aloud are not compared */
#define MAX_PAIRS 10000
#define NO_TERM UINT32_MAX

/*
 * Words that mean the same in a backlog; a line stands for its first word. The
 * verbs of the first line say no more than that there is something to do.
 */
static const char *const synonyms[] = {
    ("create add build develop generate implement introduce make new "
     "provide write"),
    "admin administrator",
    "application app",
    "cannot broken break fail unable",
    "change alter edit modify",
    "clean cleanup",
    "config configuration configure",
    "database db",
    "delete remove",
    "directory folder dir",
    "display show",
    "document documentation docs",
    "email mail",
    "error bug defect failure",
    "export download",
    "fast quick quickly",
    "fix correct repair resolve",
    "image picture",
    "information info",
    "investigate explore research",
    "login logon signin",
    "logout logoff signout",
    "message msg",
    "page screen",
    "parameter param",
    "repository repo",
    "retrieve fetch get",
    "slow slowly sluggish",
    "specification spec",
    "update bump upgrade",
    "user customer people person",
};

/* What a title may say or leave out without becoming another story. */
static const char optional[] =
    "create support fix send display use enable need ability able allow want "
    "must please story task issue";

struct term {
	uint32_t name; /* its place in corpus.names */
	uint32_t same; /* the term that stands for it and its synonyms */
	uint32_t df; /* documents that have it */
	uint32_t first, posted; /* its postings, so far */
	float idf;
	bool digits, optional;
};

struct title_word {
	uint32_t term;
	uint32_t at; /* which word of the title it is */
};

struct body_word {
	uint32_t term;
	float times; /* said; a quiet time counts QUIET_WEIGHT */
	float weight; /* damped times x idf */
};

/* Both arrays ascend by term, each term once. */
struct story {
	struct title_word *title;
	struct body_word *body;
	uint32_t title_n, body_n;
	uint32_t prose; /* words that the body says aloud */
	uint32_t source; /* what the title comes "from"; or NO_TERM */
};

struct posting {
	uint32_t story;
	float weight;
};

struct corpus {
	struct story *stories;
	size_t n;
	struct term *terms;
	size_t n_terms;
	double top_idf; /* of a word that no more than two stories have */
	struct buf *names; /* of all terms, each with its NUL */
	uint32_t *slots; /* hash table: term + 1, or 0 */
	size_t n_slots; /* a power of two, at least twice n_terms */
	struct posting *postings;
};

/* ---- terms -------------------------------------------------------------- */

static const char *
name_of(const struct corpus *c, uint32_t term)
{
	return c->names->data + c->terms[term].name;
}

static double
idf(const struct corpus *c, uint32_t term)
{
	return (double)c->terms[term].idf;
}

static uint32_t *
slot_of(const struct corpus *c, const char *text, size_t n)
{
	uint64_t hash = 14695981039346656037u; /* FNV-1a */
	size_t i;

	for (i = 0; i < n; i++)
		hash = (hash ^ (unsigned char)text[i]) * 1099511628211u;
	i = (hash ^ hash >> 32) & (c->n_slots - 1);
	while (c->slots[i] && strcmp(name_of(c, c->slots[i] - 1), text) != 0)
		i = (i + 1) & (c->n_slots - 1);
	return &c->slots[i];
}

static void
grow_slots(struct corpus *c)
{
	c->n_slots = c->n_slots ? c->n_slots * 2 : 1024;
	mem_drop(&c->slots);
	c->slots = mem_array(c, uint32_t, c->n_slots);
	for (uint32_t t = 0; t < c->n_terms; t++) {
		const char *name = name_of(c, t);

		*slot_of(c, name, strlen(name)) = t + 1;
	}
}

static uint32_t
term_of(struct corpus *c, const struct token *word)
{
	uint32_t *slot;

	if (2 * c->n_terms >= c->n_slots)
		grow_slots(c);
	slot = slot_of(c, word->text, word->len);
	if (!*slot) {
		c->terms = mem_grow(c, c->terms, c->n_terms, sizeof(*c->terms));
		c->terms[c->n_terms] =
		    (struct term){.name = (uint32_t)c->names->len,
			.same = (uint32_t)c->n_terms,
			.digits = word->digits};
		buf_add(c->names, word->text, word->len + 1);
		*slot = (uint32_t)++c->n_terms;
	}
	return c->terms[*slot - 1].same;
}

static void
learn_words(struct corpus *c)
{
	struct token w;
	struct tokens t;

	for (size_t i = 0; i < nitems(synonyms); i++) {
		uint32_t first = NO_TERM, term;

		t = tokens_of(synonyms[i], strlen(synonyms[i]), TITLE_WORDS);
		while (tokens_next(&t, &w)) {
			term = term_of(c, &w);
			if (first == NO_TERM)
				first = term;
			c->terms[term].same = first;
		}
	}
	t = tokens_of(optional, strlen(optional), TITLE_WORDS);
	while (tokens_next(&t, &w)) {
		uint32_t term = term_of(c, &w);

		c->terms[term].optional = true;
	}
}

/* ---- stories ------------------------------------------------------------ */

static bool
follows(const struct tokens *t, const char *word)
{
	size_t n = strlen(word);

	return t->len - t->at > n && t->text[t->at] == ' ' &&
	    strncasecmp(t->text + t->at + 1, word, n) == 0 &&
	    !isalnum((unsigned char)t->text[t->at + 1 + n]);
}

/* "log in" and "sign on" are login, though "in" alone says nothing. */
static void
join_login(struct tokens *t, struct token *w)
{
	const char *whole = NULL;
	struct token out;

	if (strcmp(w->text, "log") != 0 && strcmp(w->text, "sign") != 0)
		return;
	if (follows(t, "in") || follows(t, "into") || follows(t, "on"))
		whole = "login";
	if (follows(t, "out") || follows(t, "off")) {
		whole = "logout";
		tokens_next(t, &out); /* unlike "in", "out" is a token */
	}
	if (whole) {
		w->len = strlen(whole);
		memcpy(w->text, whole, w->len + 1);
	}
}

static int
compare_title_words(const void *a, const void *b)
{
	const struct title_word *x = a, *y = b;

	if (x->term != y->term)
		return x->term < y->term ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

static int
compare_body_words(const void *a, const void *b)
{
	const struct body_word *x = a, *y = b;

	return x->term < y->term ? -1 : x->term > y->term;
}

static void
read_title(struct corpus *c, const char *title, struct story *out)
{
	struct title_word words[TITLE_WORDS];
	struct tokens t = tokens_of(title, strlen(title), TITLE_WORDS);
	struct token w;
	size_t n = 0, kept = 0;

	while (tokens_next(&t, &w)) {
		join_login(&t, &w);
		words[n] = (struct title_word){term_of(c, &w), (uint32_t)n};
		n++;
	}
	qsort(words, n, sizeof(words[0]), compare_title_words);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || words[i].term != words[i - 1].term)
			words[kept++] = words[i];
	out->title = mem_copy(c->stories, words, kept * sizeof(words[0]));
	out->title_n = (uint32_t)kept;
}

static void
read_body(struct corpus *c, const char *body, struct story *out)
{
	struct body_word words[SIMILAR_WORDS];
	struct tokens t = tokens_of(body, strlen(body), SIMILAR_WORDS);
	struct token w;
	size_t n = 0, kept = 0;

	while (tokens_next(&t, &w)) {
		join_login(&t, &w);
		words[n++] = (struct body_word){.term = term_of(c, &w),
		    .times = w.quiet ? (float)QUIET_WEIGHT : 1.0f};
	}
	qsort(words, n, sizeof(words[0]), compare_body_words);
	for (size_t i = 0; i < n; i++) {
		if (kept && words[kept - 1].term == words[i].term)
			words[kept - 1].times += words[i].times;
		else
			words[kept++] = words[i];
	}
	for (size_t i = 0; i < kept; i++)
		out->prose += words[i].times >= 1;
	out->body = mem_copy(c->stories, words, kept * sizeof(words[0]));
	out->body_n = (uint32_t)kept;
}

/* Copying from HDFS to disk is not copying from disk to HDFS: the word after
 * "from", or the one before an arrow. */
static uint32_t
read_source(struct corpus *c, const char *title)
{
	const char *from = title, *arrow = strstr(title, "->");
	uint32_t source = NO_TERM;
	struct tokens t;
	struct token w;

	while (*from && strncasecmp(from, " from ", 6) != 0)
		from++;
	if (*from) {
		t = tokens_of(from + 6, strlen(from + 6), 1);
		return tokens_next(&t, &w) ? term_of(c, &w) : NO_TERM;
	}
	if (!arrow)
		arrow = strstr(title, "\xE2\x86\x92"); /* U+2192 */
	if (arrow) {
		t = tokens_of(title, (size_t)(arrow - title), TITLE_WORDS);
		while (tokens_next(&t, &w))
			source = term_of(c, &w);
	}
	return source;
}

static double
damp(double times)
{
	return times >= 1 ? 1 + log(times) : times;
}

/* A word of a story's vector; the vector is as long as one. */
struct weight {
	uint32_t term, df;
	float weight;
};

/* The vector of a story, into weights[TITLE_WORDS + SIMILAR_WORDS]. */
static size_t
weigh(const struct corpus *c, const struct story *s, struct weight *weights)
{
	size_t n = 0;
	double sum = 0;

	for (uint32_t i = 0, j = 0; i < s->title_n || j < s->body_n; n++) {
		uint32_t in_title = i < s->title_n ? s->title[i].term : NO_TERM;
		uint32_t in_body = j < s->body_n ? s->body[j].term : NO_TERM;
		uint32_t term = in_title < in_body ? in_title : in_body;
		double times = 0, w;

		if (term == in_title) {
			times += TITLE_WEIGHT;
			i++;
		}
		if (term == in_body)
			times += (double)s->body[j++].times;
		w = damp(times) * idf(c, term);
		weights[n].term = term;
		weights[n].df = c->terms[term].df;
		weights[n].weight = (float)w;
		sum += w * w;
	}
	for (size_t i = 0; i < n; i++)
		weights[i].weight /= (float)sqrt(sum);
	return n;
}

/* Counts in how many stories each term is. */
static void
count(struct corpus *c, const struct story *s)
{
	for (uint32_t i = 0, j = 0; i < s->title_n || j < s->body_n;) {
		uint32_t in_title = i < s->title_n ? s->title[i].term : NO_TERM;
		uint32_t in_body = j < s->body_n ? s->body[j].term : NO_TERM;

		c->terms[in_title < in_body ? in_title : in_body].df++;
		i += in_title <= in_body;
		j += in_body <= in_title;
	}
}

static struct corpus *
corpus_new(void *owner, const struct similar_doc *docs, size_t n)
{
	struct corpus *c = mem_new(owner, struct corpus);
	uint32_t postings = 0;

	c->n = n;
	c->stories = mem_array(c, struct story, n);
	c->names = buf_new(c, UINT32_MAX);
	c->top_idf = log(1 + (double)n / 2);
	learn_words(c);
	for (size_t i = 0; i < n; i++) {
		struct story *s = &c->stories[i];
		const char *title = docs[i].title ? docs[i].title : "";

		read_title(c, title, s);
		read_body(c, docs[i].body ? docs[i].body : "", s);
		s->source = read_source(c, title);
		count(c, s);
	}
	for (size_t t = 0; t < c->n_terms; t++) {
		struct term *term = &c->terms[t];

		/* A word used once is no rarer than one that a pair shares,
		 * or a typing error would outweigh all that is typed well. */
		term->idf =
		    (float)log(1 + (double)n / (term->df < 2 ? 2.0 : term->df));
		term->first = postings;
		postings += term->df;
	}
	for (size_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < c->stories[i].body_n; k++) {
			struct body_word *w = &c->stories[i].body[k];

			w->weight =
			    (float)(damp((double)w->times) * idf(c, w->term));
		}
	c->postings = mem_array(c, struct posting, postings);
	return c;
}

/* ---- two words ---------------------------------------------------------- */

/* How many letters must be changed, put in, left out or swapped with their
 * neighbour (optimal string alignment); more than max is max + 1. */
static size_t
distance(const char *a, const char *b, size_t max)
{
	size_t n = strlen(a), m = strlen(b);
	size_t rows[3][TOKENS_WIDTH + 1];
	size_t *before = rows[0], *last = rows[1], *row = rows[2];

	if (n > m + max || m > n + max)
		return max + 1;
	for (size_t j = 0; j <= m; j++)
		last[j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t *spare = before;

		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t d = last[j - 1] + (a[i - 1] != b[j - 1]);

			if (d > last[j] + 1)
				d = last[j] + 1;
			if (d > row[j - 1] + 1)
				d = row[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1] && d > before[j - 2] + 1)
				d = before[j - 2] + 1;
			row[j] = d;
		}
		before = last;
		last = row;
		row = spare;
	}
	return last[m] <= max ? last[m] : max + 1;
}

/* One is the other mistyped: one letter of five to eight, two of more; the
 * first is right, and nobody else makes the same mistake. */
static bool
is_slip(const struct corpus *c, uint32_t a, uint32_t b)
{
	const struct term *x = &c->terms[a], *y = &c->terms[b];
	const char *p = name_of(c, a), *q = name_of(c, b);
	size_t n = strlen(p), m = strlen(q), shorter = n < m ? n : m;
	size_t max = shorter >= 9 ? 2 : 1;

	return !x->digits && !y->digits && (x->df == 1 || y->df == 1) &&
	    shorter >= 5 && p[0] == q[0] && distance(p, q, max) <= max;
}

/* translat(e) and translation, notifi (notify) and notification */
static bool
is_noun_of(const struct corpus *c, uint32_t noun, uint32_t verb)
{
	static const char *const endings[] = {"ion", "ation", "cation"};
	const char *n = name_of(c, noun), *v = name_of(c, verb);
	size_t len = strlen(v);

	if (len < 4 || strncmp(n, v, len) != 0)
		return false;
	for (size_t i = 0; i < nitems(endings); i++)
		if (strcmp(n + len, endings[i]) == 0)
			return true;
	return false;
}

/* loadgenerator is load generator */
static bool
is_joined(const struct corpus *c, uint32_t whole, const struct title_word *x,
    const struct title_word *y)
{
	const char *w = name_of(c, whole), *p = name_of(c, x->term);
	size_t n = strlen(p);

	return x->at + 1 == y->at && strncmp(w, p, n) == 0 &&
	    strcmp(w + n, name_of(c, y->term)) == 0;
}

/* ---- two stories -------------------------------------------------------- */

/* The words of a title that the other has no match for. */
struct rest {
	struct title_word words[TITLE_WORDS];
	size_t n;
	double mass; /* of the whole title: the sum of idf^2 */
};

static void
leave(struct rest *r, size_t i)
{
	r->words[i] = r->words[--r->n];
}

static double
match_akin(const struct corpus *c, struct rest *r, const struct story *other,
    struct rest *other_rest)
{
	double dot = 0;

	for (size_t i = 0; i < r->n; i++) {
		uint32_t term = r->words[i].term, to = NO_TERM;

		for (uint32_t j = 0; j < other->title_n; j++)
			if (is_slip(c, term, other->title[j].term) ||
			    is_noun_of(c, term, other->title[j].term) ||
			    is_noun_of(c, other->title[j].term, term))
				to = other->title[j].term;
		if (to == NO_TERM)
			continue;
		leave(r, i--);
		dot += idf(c, term) * idf(c, to);
		for (size_t j = 0; j < other_rest->n; j++)
			if (other_rest->words[j].term == to)
				leave(other_rest, j--);
	}
	return dot;
}

/* The parts of a word of `wholes` among `parts`, both left; false if none. */
static bool
find_parts(const struct corpus *c, uint32_t whole, const struct rest *parts,
    size_t *out_x, size_t *out_y)
{
	for (size_t x = 0; x < parts->n; x++)
		for (size_t y = 0; y < parts->n; y++)
			if (is_joined(
				c, whole, &parts->words[x], &parts->words[y])) {
				*out_x = x;
				*out_y = y;
				return true;
			}
	return false;
}

static double
match_joined(const struct corpus *c, struct rest *wholes, struct rest *parts)
{
	double dot = 0;
	size_t x, y;

	for (size_t i = 0; i < wholes->n; i++) {
		double a, b;

		if (!find_parts(c, wholes->words[i].term, parts, &x, &y))
			continue;
		a = idf(c, parts->words[x].term);
		b = idf(c, parts->words[y].term);
		dot += idf(c, wholes->words[i].term) * sqrt(a * a + b * b);
		leave(wholes, i--);
		leave(parts, x > y ? x : y);
		leave(parts, x > y ? y : x);
	}
	return dot;
}

/* "Add support for X" is "X", but "Add X" is not "Enhance X": an optional word
 * may be missing, not replaced. */
static void
forgive_optional(const struct corpus *c, struct rest *r)
{
	for (size_t i = 0; i < r->n; i++) {
		uint32_t term = r->words[i].term;

		if (!c->terms[term].optional)
			continue;
		r->mass -= idf(c, term) * idf(c, term);
		leave(r, i--);
	}
}

/* The cosine of two titles, what remains unmatched of each, and how much they
 * share, in rare words: the words' idf in units of the rarest. */
static double
compare_titles(const struct corpus *c, const struct story *a,
    const struct story *b, struct rest *ra, struct rest *rb, double *out_shared)
{
	double dot = 0, shared = 0;

	ra->n = rb->n = 0;
	ra->mass = rb->mass = 0;
	for (uint32_t i = 0, j = 0; i < a->title_n || j < b->title_n;) {
		uint32_t x = i < a->title_n ? a->title[i].term : NO_TERM;
		uint32_t y = j < b->title_n ? b->title[j].term : NO_TERM;
		double w = idf(c, x < y ? x : y);

		if (x <= y)
			ra->mass += w * w;
		if (y <= x)
			rb->mass += w * w;
		if (x == y) {
			dot += w * w;
			shared += w / c->top_idf;
		} else if (x < y) {
			ra->words[ra->n++] = a->title[i];
		} else {
			rb->words[rb->n++] = b->title[j];
		}
		i += x <= y;
		j += y <= x;
	}
	*out_shared = shared;
	if (dot <= 0 || dot < 0.3 * sqrt(ra->mass * rb->mass))
		return 0; /* no spelling brings these together */
	dot += match_akin(c, ra, b, rb) + match_akin(c, rb, a, ra);
	dot += match_joined(c, ra, rb) + match_joined(c, rb, ra);
	if (rb->n == 0)
		forgive_optional(c, ra);
	else if (ra->n == 0)
		forgive_optional(c, rb);
	return fmin(1, dot / sqrt(ra->mass * rb->mass));
}

static const struct body_word *
in_body(const struct story *s, uint32_t term)
{
	struct body_word key = {.term = term};

	return bsearch(
	    &key, s->body, s->body_n, sizeof(key), compare_body_words);
}

/* The words said aloud in both, and the cosine of two bodies, leaving out of
 * account what remains of their titles when there is any. */
static double
compare_bodies(const struct story *a, const struct story *b,
    const struct rest *ra, const struct rest *rb, size_t *out_common)
{
	double dot = 0, aa = 0, bb = 0;

	*out_common = 0;
	for (uint32_t i = 0, j = 0; i < a->body_n || j < b->body_n;) {
		const struct body_word *x = i < a->body_n ? &a->body[i] : NULL;
		const struct body_word *y = j < b->body_n ? &b->body[j] : NULL;
		double wx, wy;

		if (x && y && x->term != y->term) {
			if (x->term < y->term)
				y = NULL;
			else
				x = NULL;
		}
		i += x != NULL;
		j += y != NULL;
		wx = x ? (double)x->weight : 0;
		wy = y ? (double)y->weight : 0;
		dot += wx * wy;
		aa += wx * wx;
		bb += wy * wy;
		*out_common += x && y && x->times >= 1 && y->times >= 1;
	}
	for (size_t i = 0; i < ra->n + rb->n; i++) {
		uint32_t term =
		    i < ra->n ? ra->words[i].term : rb->words[i - ra->n].term;
		const struct body_word *x = in_body(a, term);
		const struct body_word *y = in_body(b, term);
		double wx = x ? (double)x->weight : 0;
		double wy = y ? (double)y->weight : 0;

		dot -= wx * wy;
		aa -= wx * wx;
		bb -= wy * wy;
	}
	return aa > 1e-6 && bb > 1e-6 ? fmin(1, dot / sqrt(aa * bb)) : 0;
}

static bool
says(const struct story *s, uint32_t term)
{
	const struct body_word *w = in_body(s, term);

	return w && w->times >= 1;
}

/* Does a story's body repeat what sets its title apart, while the other's does
 * not? Then that is what the story is about. */
static bool
insists(
    const struct rest *r, const struct story *own, const struct story *other)
{
	for (size_t i = 0; i < r->n; i++)
		if (says(own, r->words[i].term) &&
		    !says(other, r->words[i].term))
			return true;
	return false;
}

/* Are these words of a title in neither body? Then they are a manner of
 * speaking rather than the subject. */
static bool
are_unsaid(
    const struct rest *r, const struct story *own, const struct story *other)
{
	for (size_t i = 0; i < r->n; i++)
		if (says(own, r->words[i].term) ||
		    says(other, r->words[i].term))
			return false;
	return true;
}

/* Words that one story in four has are said or left out without a thought. */
static bool
is_light(const struct corpus *c, const struct rest *r)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct term *t = &c->terms[r->words[i].term];

		if (t->df < 10 || t->df < c->n / 4)
			return false;
	}
	return true;
}

static bool
has_digits(const struct corpus *c, const struct rest *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (c->terms[r->words[i].term].digits)
			return true;
	return false;
}

/*
 * Could two stories whose titles differ still be one? The figures come from
 * reading real backlogs: where titles differ the stories mostly are a series
 * ("Port Rabbit as a source", "Port Rabbit as a sink"), and a series shows in
 * its bodies: they speak of that word, or are copies of each other but for it.
 * A story told twice is told in other words throughout.
 */
static bool
may_differ(const struct corpus *c, const struct story *a, const struct story *b,
    const struct rest *ra, const struct rest *rb,
    const struct similar_pair *pair, size_t common)
{
	bool light = is_light(c, ra) && is_light(c, rb);
	bool rivals = ra->n > 0 && rb->n > 0;

	if (has_digits(c, ra) || has_digits(c, rb))
		return false;
	if (pair->body < 0)
		return light && !rivals && pair->title >= 0.93;
	if (pair->body > 0.95 || insists(ra, a, b) || insists(rb, b, a))
		return false;
	if (light && !rivals && pair->title >= 0.93)
		return true;
	return ra->n <= 2 && rb->n <= 2 && common >= 6 && pair->body >= 0.70 &&
	    are_unsaid(ra, a, b) && are_unsaid(rb, b, a);
}

/*
 * The score: what the titles share counts for itself in so far as it is rare,
 * s = shared / (shared + 1.6), and for the rest as far as the bodies agree.
 * Without bodies it is taken that they half do.
 */
static double
judge(const struct corpus *c, struct similar_pair *pair)
{
	const struct story *a = &c->stories[pair->a], *b = &c->stories[pair->b];
	struct rest ra, rb;
	double shared, alone;
	size_t common = 0;

	pair->body = -1;
	pair->title = compare_titles(c, a, b, &ra, &rb, &shared);
	if (pair->title < 0.60 ||
	    (a->source != NO_TERM && b->source != NO_TERM &&
		a->source != b->source))
		return 0;
	if (a->prose >= PROSE && b->prose >= PROSE)
		pair->body = compare_bodies(a, b, &ra, &rb, &common);
	if (pair->body < 0 && a->title_n < 2 && b->title_n < 2)
		return 0; /* one word is not a story */
	if (ra.n + rb.n > 0 && !may_differ(c, a, b, &ra, &rb, pair, common))
		return 0;
	alone = shared / (shared + 1.6);
	return pair->title *
	    (alone + (1 - alone) * (pair->body < 0 ? 0.5 : pair->body));
}

/* ---- all stories -------------------------------------------------------- */

struct partner {
	uint32_t story;
	float sum; /* of the products of weights, as far as it was followed */
};

/* The search in progress: sum[i] is not zero for stories[0..touched). */
struct search {
	const struct corpus *corpus;
	float *sum;
	uint32_t *touched;
	size_t n_touched;
	struct partner best[SIMILAR_TRIES];
	size_t n_best;
};

static int
compare_weights(const void *a, const void *b)
{
	const struct weight *x = a, *y = b;

	if (x->df != y->df)
		return x->df < y->df ? -1 : 1;
	return x->term < y->term ? -1 : x->term > y->term;
}

static void
keep_best(struct search *s, uint32_t story, float sum)
{
	size_t at = s->n_best;

	while (at > 0 &&
	    (s->best[at - 1].sum < sum ||
		(s->best[at - 1].sum == sum && s->best[at - 1].story > story)))
		at--;
	if (at == SIMILAR_TRIES)
		return;
	if (s->n_best < SIMILAR_TRIES)
		s->n_best++;
	memmove(&s->best[at + 1], &s->best[at],
	    (s->n_best - at - 1) * sizeof(s->best[0]));
	s->best[at] = (struct partner){story, sum};
}

/* Leaves in s->best the earlier stories most like the one with these weights,
 * which it puts into rarest-first order. */
static void
find_partners(struct search *s, struct weight *weights, size_t n)
{
	const struct corpus *c = s->corpus;
	double left = 1; /* of the vector's squared length, not yet followed */
	size_t walk = 0;

	qsort(weights, n, sizeof(weights[0]), compare_weights);
	for (size_t i = 0; i < n && left > MEET * MEET; i++) {
		const struct term *t = &c->terms[weights[i].term];
		double w = (double)weights[i].weight;

		/* The latest first: repeats tend to be near in time. */
		for (size_t p = t->posted; p > 0 && walk < SIMILAR_WALK;
		     p--, walk++) {
			const struct posting *q =
			    &c->postings[t->first + p - 1];

			if (s->sum[q->story] == 0)
				s->touched[s->n_touched++] = q->story;
			s->sum[q->story] += q->weight * weights[i].weight;
		}
		if (walk == SIMILAR_WALK)
			break;
		left -= w * w;
	}
	left = left > 0 ? sqrt(left) : 0;
	s->n_best = 0;
	for (size_t i = 0; i < s->n_touched; i++) {
		uint32_t story = s->touched[i];

		if ((double)s->sum[story] + left >= MEET)
			keep_best(s, story, s->sum[story]);
		s->sum[story] = 0;
	}
	s->n_touched = 0;
}

static int
compare_pairs(const void *a, const void *b)
{
	const struct similar_pair *x = a, *y = b;

	if (x->score != y->score)
		return x->score > y->score ? -1 : 1;
	if (x->a != y->a)
		return x->a < y->a ? -1 : 1;
	return x->b < y->b ? -1 : x->b > y->b;
}

/* The best `most` of n pairs, in order, at the front; returns how many. */
static size_t
keep_pairs(struct similar_pair *pairs, size_t n, size_t most)
{
	if (n)
		qsort(pairs, n, sizeof(*pairs), compare_pairs);
	return n < most ? n : most;
}

static void
post(struct corpus *c, uint32_t story, const struct weight *weights, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct term *t = &c->terms[weights[i].term];

		c->postings[t->first + t->posted++] =
		    (struct posting){story, weights[i].weight};
	}
}

enum err
similar_pairs(void *owner, const struct similar_doc *docs, size_t n,
    const struct similar_options *opt, struct similar_pair **out_pairs,
    size_t *out_n)
{
	double threshold =
	    opt && opt->threshold > 0 ? opt->threshold : SIMILAR_THRESHOLD;
	size_t most = opt && opt->max_pairs ? opt->max_pairs : MAX_PAIRS;
	struct similar_pair *pairs = NULL;
	size_t n_pairs = 0;
	struct corpus *c;
	struct search *s;

	if (n > SIMILAR_DOCS)
		return ERR_VALIDATION_FAILED;
	c = corpus_new(owner, docs, n);
	s = mem_new(c, struct search);
	s->corpus = c;
	s->sum = mem_array(s, float, n);
	s->touched = mem_array(s, uint32_t, n);
	for (uint32_t i = 0; i < n; i++) {
		struct weight weights[TITLE_WORDS + SIMILAR_WORDS];
		size_t n_weights = weigh(c, &c->stories[i], weights);

		find_partners(s, weights, n_weights);
		for (size_t k = 0; k < s->n_best; k++) {
			struct similar_pair p = {.a = s->best[k].story, .b = i};

			p.score = judge(c, &p);
			if (p.score < threshold)
				continue;
			if (n_pairs / 2 >= most)
				n_pairs = keep_pairs(pairs, n_pairs, most);
			pairs = mem_grow(c, pairs, n_pairs, sizeof(*pairs));
			pairs[n_pairs++] = p;
		}
		post(c, i, weights, n_weights);
	}
	*out_n = keep_pairs(pairs, n_pairs, most);
	*out_pairs = mem_copy(owner, pairs, *out_n * sizeof(*pairs));
	mem_drop(&c);
	return ERR_OK;
}

/* ---- groups ------------------------------------------------------------- */

static int
compare_places(const void *a, const void *b)
{
	const struct similar_pair *x = a, *y = b;

	if (x->a != y->a)
		return x->a < y->a ? -1 : 1;
	return x->b < y->b ? -1 : x->b > y->b;
}

static int
compare_docs(const void *a, const void *b)
{
	const size_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int
compare_groups(const void *a, const void *b)
{
	const struct similar_group *x = a, *y = b;

	if (x->score != y->score)
		return x->score > y->score ? -1 : 1;
	return x->docs[0] < y->docs[0] ? -1 : x->docs[0] > y->docs[0];
}

/* Is every document of x paired with every one of y at `last` or better, in the
 * order of pairs? */
static bool
all_paired(const struct similar_pair *places, size_t n,
    const struct similar_group *x, const struct similar_group *y,
    const struct similar_pair *last)
{
	for (size_t i = 0; i < x->n; i++)
		for (size_t j = 0; j < y->n; j++) {
			size_t p = x->docs[i], q = y->docs[j];
			struct similar_pair key = {
			    .a = p < q ? p : q, .b = p < q ? q : p};
			const struct similar_pair *hit = bsearch(
			    &key, places, n, sizeof(key), compare_places);

			if (!hit || compare_pairs(hit, last) > 0)
				return false;
		}
	return true;
}

static void
join_groups(struct similar_group *groups, struct similar_group *x,
    struct similar_group *y, size_t *group_of)
{
	x->docs = mem_resize(groups, x->docs, x->n + y->n, sizeof(size_t));
	for (size_t i = 0; i < y->n; i++) {
		x->docs[x->n + i] = y->docs[i];
		group_of[y->docs[i]] = (size_t)(x - groups);
	}
	x->n += y->n;
	y->n = 0;
	mem_drop(&y->docs);
}

void
similar_groups(void *owner, const struct similar_pair *pairs, size_t n,
    struct similar_group **out_groups, size_t *out_n)
{
	/* Every document begins as a group of its own. A pair may join two
	 * groups when it is the last of the pairs between them to come. */
	struct similar_pair *order = mem_copy(owner, pairs, n * sizeof(*pairs));
	struct similar_pair *places =
	    mem_copy(owner, pairs, n * sizeof(*pairs));
	size_t docs = 0, kept = 0;
	struct similar_group *groups;
	size_t *group_of;

	for (size_t i = 0; i < n; i++)
		docs = pairs[i].b >= docs ? pairs[i].b + 1 : docs;
	groups = mem_array(owner, struct similar_group, docs);
	group_of = mem_array(order, size_t, docs);
	for (size_t i = 0; i < docs; i++) {
		groups[i].docs = mem_array(groups, size_t, 1);
		groups[i].docs[0] = group_of[i] = i;
		groups[i].n = 1;
	}
	if (n) {
		qsort(order, n, sizeof(*order), compare_pairs);
		qsort(places, n, sizeof(*places), compare_places);
	}
	for (size_t i = 0; i < n; i++) {
		struct similar_group *x = &groups[group_of[order[i].a]];
		struct similar_group *y = &groups[group_of[order[i].b]];

		if (x == y || !all_paired(places, n, x, y, &order[i]))
			continue;
		join_groups(groups, x, y, group_of);
		x->score = order[i].score;
	}
	for (size_t i = 0; i < docs; i++) {
		if (groups[i].n < 2) {
			mem_drop(&groups[i].docs);
			continue;
		}
		qsort(
		    groups[i].docs, groups[i].n, sizeof(size_t), compare_docs);
		groups[kept++] = groups[i];
	}
	if (kept)
		qsort(groups, kept, sizeof(*groups), compare_groups);
	mem_drop(&places);
	mem_drop(&order);
	*out_groups = groups;
	*out_n = kept;
}
