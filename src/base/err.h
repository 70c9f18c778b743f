/*
 * The ways an operation can fail (err.def), as an enum and as facts.
 *
 * Functions return enum err, ERR_OK (zero) for success. The detail is recorded
 * once, by whoever knows it, with op_fail (op.h).
 */
#ifndef GNOMON_BASE_ERR_H
#define GNOMON_BASE_ERR_H

enum err {
	ERR_OK = 0,
#define ERR(name, status, word, sentence, remedy) ERR_##name,
#include "base/err.def"
#undef ERR
	ERR_COUNT
};

struct err_info {
	int status; /* HTTP */
	const char *word; /* on the wire: error.code */
	const char *sentence; /* for people: what happened */
	const char *remedy; /* for people: what to do; sentences */
};

const struct err_info *err_info(enum err e);

/* The error with this word, or ERR_INTERNAL when there is none. */
enum err err_of_word(const char *word);

#define MUST_CHECK __attribute__((warn_unused_result))

#endif
