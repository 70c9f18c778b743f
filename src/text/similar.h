/*
 * Near-duplicates: which stories of a backlog say the same thing twice, so that
 * somebody can close one of them.
 *
 * How it is found. Titles and bodies become tokens (text/tokens.h); quiet ones
 * (code, logs, URLs) weigh a fifth, title words three times. Each document is
 * a vector of (1 + ln tf) x ln(1 + N / max(df, 2)), of length one (TF-IDF and
 * cosine: G. Salton, C. Buckley, "Term-weighting approaches in automatic text
 * retrieval", IPM 24(5), 1988). Pairs meet in an inverted index, a document's
 * rarest words first, until what is left of it could no longer matter (the
 * prefix bound of R. Bayardo et al., "Scaling up all pairs similarity search",
 * WWW 2007) or SIMILAR_WALK postings have been read. The best SIMILAR_TRIES
 * partners are then looked at closely.
 *
 * How it is judged. A pair scores only on evidence that a reader would accept
 * (judge() and may_differ() in similar.c have the figures):
 *   - the titles say the same, in any order, but for typing errors, words run
 *     together, synonyms (a short list in similar.c), translate/translation,
 *     and what "add" or "support" adds;
 *   - numbers and versions in them are the same ones, and so is what comes
 *     "from" where;
 *   - where one title says more, or something else, it is a word or two that
 *     neither body repeats, and the bodies agree without being copies. So a
 *     series of parallel work ("Create twitter source", "Create mail source")
 *     is no pair: its bodies speak of that word, or differ in nothing else;
 *   - the rarer the words that the titles share, the less the bodies matter.
 *     Bodies that say hardly anything aloud are not compared.
 * It would rather miss a pair than show one that is not.
 *
 * Costs. Time O(n x (SIMILAR_WORDS + SIMILAR_WALK)), never n x n; memory about
 * 400 bytes a document, 30 bytes for each different word in it, 60 for each
 * different word of all, 80 a pair. 3,526 stories of 560 letters: 0.15 s and
 * 9 MB; four times as many 0.8 s, sixteen times 3.8 s and 95 MB (a story's walk
 * grows with the backlog until it meets its bound). The answer depends on the
 * documents and their order, and on nothing else.
 */
#ifndef GNOMON_TEXT_SIMILAR_H
#define GNOMON_TEXT_SIMILAR_H

#include <stddef.h>

#include "base/err.h"

#define SIMILAR_DOCS 200000 /* at most, in one call */
#define SIMILAR_WORDS 600 /* of a document; the rest is not read */
#define SIMILAR_WALK 8192 /* postings read on behalf of one document */
#define SIMILAR_TRIES 48 /* partners of one document looked at closely */
#define SIMILAR_THRESHOLD 0.60 /* what a reader calls the same */

struct similar_doc {
	const char *id; /* for the caller's use; not looked at */
	const char *title; /* UTF-8; NULL reads as "" */
	const char *body; /* UTF-8; NULL reads as "" */
};

struct similar_pair {
	size_t a, b; /* places in docs, a < b */
	double score; /* 0..1 */
	double title, body; /* the parts, 0..1; body is -1 when not compared */
};

/* A zero means the default. */
struct similar_options {
	double threshold; /* lowest score given, SIMILAR_THRESHOLD */
	size_t max_pairs; /* most pairs given, the best ones; 10,000 */
};

/*
 * The pairs of docs[0..n) at or above the threshold, best first, then by a,
 * then by b; an array below owner. ERR_VALIDATION_FAILED when n exceeds
 * SIMILAR_DOCS. opt may be NULL.
 */
MUST_CHECK enum err similar_pairs(void *owner, const struct similar_doc *docs,
    size_t n, const struct similar_options *opt,
    struct similar_pair **out_pairs, size_t *out_n);

/* One document to keep and the others that repeat it. */
struct similar_group {
	size_t *
	    docs; /* ascending: docs[0], first in the caller's order, is kept */
	size_t n; /* at least 2 */
	double score; /* of the least similar pair within */
};

/*
 * Joins pairs (as similar_pairs gives them) into groups that share no
 * document, best first; an array below owner. Complete linkage: two groups are
 * joined only when every document of one forms a pair with every document of
 * the other, so A ~ B ~ C without A ~ C never becomes one group of three. Time
 * O(n log n) for the small groups of a backlog, O(n^2 log n) were all pairs to
 * lie in one.
 */
void similar_groups(void *owner, const struct similar_pair *pairs, size_t n,
    struct similar_group **out_groups, size_t *out_n);

#endif
