/*
 * The pages of the product: every template of a folder, parsed at start-up, so
 * that one which cannot work is a server that does not start.
 *
 * A template's name is its path below the folder without ".html":
 * pages/insights.html is "pages/insights". Every *.html at any depth is read,
 * but for the folder static/ and what begins with a dot. A partial is called
 * by the same name. A page is plain Mustache that begins with {{>layout/head}}
 * and ends with {{>layout/foot}}; there is no other mechanism.
 *
 * A raw tag, {{{x}}} or {{&x}}, is refused unless its name ends in "Svg" or
 * "Html" (chartSvg, answer.bodyHtml): values of those names are made by the
 * engine, from charts.h and the Markdown writer, and never come from people.
 */
#ifndef GNOMON_VIEW_TEMPLATES_H
#define GNOMON_VIEW_TEMPLATES_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

struct json_object;
struct templates;

enum {
	TEMPLATES_MAX = 1000, /* files in one folder */
	TEMPLATES_DEPTH_MAX = 8, /* folders inside one another */
};

/*
 * Reads the folder; the set belongs to owner. On failure *out_why, which also
 * belongs to owner, is one sentence for the person who starts the server, with
 * file, line and reason; the error is ERR_NOT_FOUND when the folder or a file
 * cannot be read, ERR_VALIDATION_FAILED when a template does not parse, names
 * a partial that does not exist, or has a raw tag it may not have.
 */
enum err templates_load(void *owner, const char *folder, struct templates **out,
    char **out_why) MUST_CHECK;

/* True when there is such a template ("pages/insights"); for checking at
 * start-up whatever names one. */
bool templates_has(const struct templates *set, const char *name);

/* Appends the template, poured from context, to out. ERR_NOT_FOUND: there is
 * none of this name; ERR_INTERNAL: as mustache_render. */
enum err templates_render(const struct templates *set, const char *name,
    struct json_object *context, struct buf *out) MUST_CHECK;

#endif
