/*
 * Words: turns what people write in titles and descriptions into small tokens
 * that can be compared, for near-duplicates, imports and search.
 *
 *   struct tokens t = tokens_of(text, strlen(text), 2000);
 *   struct token w;
 *   while (tokens_next(&t, &w))
 *           use(w.text);
 *
 * A token is a run of letters and digits, lower-cased (ASCII, Latin-1 and
 * Latin Extended-A; other scripts stay as they are, so a language written
 * without spaces gives one token a phrase). Identifiers come apart where a
 * reader would pause:
 *
 *   HdfsItemWriter   hdfs item writer       sprint12   sprint 12
 *   HTTPServer, URLs http server, url       log4j, s3  log4j, s3
 *   user_name        user name              4.1.2      4.1.2
 *   e-mail, s-c-s    email, scs             left-hand  left hand
 *
 * English function words are dropped (the list is in tokens.c; "not", "no" and
 * "without" are kept, for they turn a sentence round). ASCII words are then
 * stemmed by steps 1a, 1b, 1c and 5a of M. F. Porter, "An algorithm for suffix
 * stripping", Program 14(3), 1980: plurals, -ed, -ing, a final y, a final e.
 *
 * What is not the writer's own words comes out `quiet`, to be weighed less:
 * {code}, {noformat} and ``` blocks, URLs, stack frames, log lines (from their
 * time of day to the end of the line; two spaces also end a line, as exports
 * that flatten text leave them), the packages before a.dotted.ClassName.
 * Jira's other markup ({color:red}, h2., !picture.png!, [~someone]) vanishes.
 *
 * No memory is allocated. Bytes that are not UTF-8 separate words. Time is
 * linear in the text that is read.
 */
#ifndef GNOMON_TEXT_TOKENS_H
#define GNOMON_TEXT_TOKENS_H

#include <stdbool.h>
#include <stddef.h>

/* The longest token in bytes; a longer word is cut at a whole character. */
#define TOKENS_WIDTH 48

struct token {
	char text[TOKENS_WIDTH + 1];
	size_t len; /* bytes, 1..TOKENS_WIDTH */
	bool quiet; /* quoted matter rather than prose */
	bool digits; /* has a digit: a number, a version, an s3 */
};

/* A reading in progress; the fields belong to tokens.c. */
struct tokens {
	const char *text;
	size_t len, at;
	size_t left; /* tokens that may still come */
	size_t word_end; /* of the word that is being taken apart */
	size_t quiet_end; /* what stands before it is quiet */
};

/* Begins to read n bytes of text, which must outlive the reading; at most max
 * tokens will come. */
struct tokens tokens_of(const char *text, size_t n, size_t max);

/* The next token; false when there is no more. */
bool tokens_next(struct tokens *t, struct token *out);

#endif
