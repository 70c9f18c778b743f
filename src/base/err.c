/* The ways an operation can fail, as facts. */
#include "base/err.h"

#include <assert.h>
#include <string.h>

static const struct err_info infos[ERR_COUNT] = {
    [ERR_OK] = {.status = 200, .word = "ok", .sentence = "Done."},
#define ERR(name, code, text, prose, advice) \
	[ERR_##name] = {.status = code, \
	    .word = text, \
	    .sentence = prose, \
	    .remedy = advice},
#include "base/err.def"
#undef ERR
};

const struct err_info *
err_info(enum err e)
{
	assert(e < ERR_COUNT);
	return &infos[e];
}

enum err
err_of_word(const char *word)
{
	for (enum err e = ERR_OK + 1; e < ERR_COUNT; e++)
		if (strcmp(infos[e].word, word) == 0)
			return e;
	return ERR_INTERNAL;
}
