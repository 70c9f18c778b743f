/*
 * Mustache: text with holes, poured from a JSON value.
 *
 * The specification (mustache/spec 1.4: comments, delimiters, interpolation,
 * inverted, partials, sections) without its optional modules; the tags of
 * those, {{<parent}}, {{$block}} and {{>*dynamic}}, do not parse.
 *
 * Where the specification leaves the choice to the language:
 *   - false, null, 0, "" and [] are false, as in JavaScript; {} is true;
 *   - numbers print as ECMAScript prints them (85, 1.21, 1e+21), objects and
 *     lists as JSON, null and what is missing as nothing;
 *   - {{x}} escapes & < > " ' so that it may stand in HTML text and in quoted
 *     attributes; {{{x}}} and {{&x}} do not escape.
 *
 * A template is parsed once and never changes afterwards. Everything is
 * bounded: 1 MiB of template, 64 sections inside one another, 64 partials
 * inside one another, 4 million steps a rendering, and the size of the buffer
 * that is rendered into.
 */
#ifndef GNOMON_VIEW_MUSTACHE_H
#define GNOMON_VIEW_MUSTACHE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

struct json_object;
struct mustache;

enum {
	MUSTACHE_TEXT_MAX = 1 << 20, /* bytes of one template */
	MUSTACHE_SECTIONS_MAX = 64,
	MUSTACHE_PARTIALS_MAX = 64,
	MUSTACHE_STEPS_MAX = 4000000,
};

/*
 * The n bytes at text (copied) as a template that belongs to owner.
 * ERR_VALIDATION_FAILED: it does not parse, and *out_why, which also belongs
 * to owner, says where: "line 12: section {{#x}} is never closed".
 */
enum err mustache_parse(void *owner, const char *text, size_t n,
    struct mustache **out, char **out_why) MUST_CHECK;

/* Where {{>name}} is found. find lends a template, or NULL when there is none
 * of that name; then nothing is written. */
struct mustache_partials {
	const struct mustache *(*find)(const void *data, const char *name);
	const void *data;
};

/*
 * Appends the template, poured from context (NULL is JSON null), to out.
 * partials may be NULL: there are none. ERR_INTERNAL: a bound was reached;
 * what stands in out is then a beginning, not a page.
 */
enum err mustache_render(const struct mustache *m, struct json_object *context,
    const struct mustache_partials *partials, struct buf *out) MUST_CHECK;

/* What a template asks of others, for whoever checks a set of them. */
struct mustache_use {
	enum { MUSTACHE_USES_PARTIAL, MUSTACHE_USES_RAW } kind;
	const char *name; /* lent by the template */
	unsigned line; /* from 1 */
};

/* The next use in a template, in order; false after the last.
 *   for (size_t at = 0; mustache_next_use(m, &at, &use);) … */
bool mustache_next_use(
    const struct mustache *m, size_t *at, struct mustache_use *out_use);

#endif
