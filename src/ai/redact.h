/*
 * What must not leave the house: e-mail addresses, telephone numbers, secrets,
 * and the names of people that are given. Each becomes a placeholder such as
 * [PERSON_1], the same one each time, and comes back in the answer.
 *
 * A name is found in any case; each of its words of three letters or more also
 * stands for the person, unless it begins small ("Will" is hidden, "will" is
 * not). The first way to write a person is [PERSON_1], others are [PERSON_1A]
 * and so on. A secret is what begins like a known kind of key (sk-, ghp_,
 * AKIA, eyJ…), follows a word like password, or stands in the PEM format of
 * private keys. Text that looks like a placeholder is hidden behind one, so
 * that nothing in a text can be turned into what was hidden elsewhere.
 *
 * Kept readable: time is linear in the text; what is inside JSON stays JSON.
 */
#ifndef GNOMON_AI_REDACT_H
#define GNOMON_AI_REDACT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct redactor;

enum {
	REDACT_MAX = 10000, /* things hidden; further ones become [HIDDEN] */
	REDACT_NAMES_MAX = 5000, /* names that are looked for */
	REDACT_VALUE_MAX = 8192, /* bytes of one secret */
	REDACT_LABEL_MAX = 24, /* bytes of a placeholder */
};

struct redactor *redact_new(void *owner);

/* A name to hide from now on. Copied. */
void redact_name(struct redactor *r, const char *name);

/* The text with placeholders, appended to out. */
void
redact_text(struct redactor *r, const char *text, size_t n, struct buf *out);

/* Whether anything was hidden so far. */
bool redact_has_hidden(const struct redactor *r);

/* The text with what was hidden in its place, appended to out. */
void redact_restore(
    const struct redactor *r, const char *text, size_t n, struct buf *out);

/* How many bytes at the end may be the beginning of a placeholder: whoever
 * restores a text that comes in pieces keeps them for the next. */
size_t redact_unfinished(const char *text, size_t n);

#endif
