/* The pages of the product: every template of a folder, parsed at start-up. */
#include "view/templates.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/text.h"
#include "view/mustache.h"

static const char suffix[] = ".html";

struct template
{
	const char *name;
	const struct mustache *mustache;
};

struct templates {
	struct template *items; /* in order of name once loaded */
	size_t n;
};

/* What one load carries along. */
struct loading {
	struct templates *set;
	const char *folder;
	void *owner; /* of why */
	char *why;
};

static enum err __attribute__((format(printf, 3, 4)))
refuse(struct loading *l, enum err e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	l->why = mem_vfmt(l->owner, fmt, ap);
	va_end(ap);
	return e;
}

static int
by_name(const void *a, const void *b)
{
	const struct template *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static const struct mustache *
find(const void *data, const char *name)
{
	const struct templates *set = data;
	const struct template key = {.name = name}, *found = NULL;

	if (set->n)
		found = bsearch(&key, set->items, set->n, sizeof(key), by_name);
	return found ? found->mustache : NULL;
}

/* The file as a template; path is below the folder. */
static enum err
load_file(struct loading *l, const char *path)
{
	struct templates *set = l->set;
	char *full = mem_fmt(set, "%s/%s", l->folder, path), *why;
	char *text = mem_array(set, char, MUSTACHE_TEXT_MAX + 1);
	FILE *file = fopen(full, "re");
	struct mustache *m;
	size_t n;
	int failed;

	if (!file)
		return refuse(
		    l, ERR_NOT_FOUND, "%s: %s", full, strerror(errno));
	/* One byte more than may be: the parser refuses what is too long. */
	n = fread(text, 1, MUSTACHE_TEXT_MAX + 1, file);
	failed = ferror(file);
	fclose(file);
	if (failed)
		return refuse(l, ERR_NOT_FOUND, "%s: cannot be read", full);
	if (mustache_parse(set, text, n, &m, &why))
		return refuse(l, ERR_VALIDATION_FAILED, "%s, %s", full, why);
	if (set->n == TEMPLATES_MAX)
		return refuse(l, ERR_VALIDATION_FAILED,
		    "%s: more than %d templates", full, TEMPLATES_MAX);
	set->items = mem_grow(set, set->items, set->n, sizeof(*set->items));
	set->items[set->n++] = (struct template){
	    .name = mem_dup_n(set, path, strlen(path) - strlen(suffix)),
	    .mustache = m,
	};
	mem_drop(&text);
	mem_drop(&full);
	return ERR_OK;
}

static enum err load_folder(struct loading *l, const char *path, int depth);

/* One name found in the folder at path ("" is the top). */
static enum err
load_entry(struct loading *l, const char *path, const char *name, int depth)
{
	char *below = mem_fmt(l->set, "%s%s%s", path, *path ? "/" : "", name);
	char *full = mem_fmt(l->set, "%s/%s", l->folder, below);
	struct stat st;
	enum err e = ERR_OK;

	if (stat(full, &st))
		e = refuse(l, ERR_NOT_FOUND, "%s: %s", full, strerror(errno));
	else if (S_ISDIR(st.st_mode) && strcmp(below, "static") != 0)
		e = load_folder(l, below, depth + 1);
	else if (S_ISREG(st.st_mode) && text_ends(name, suffix))
		e = load_file(l, below);
	mem_drop(&full);
	mem_drop(&below);
	return e;
}

static enum err
load_folder(struct loading *l, const char *path, int depth)
{
	char *full =
	    mem_fmt(l->set, "%s%s%s", l->folder, *path ? "/" : "", path);
	const struct dirent *entry;
	enum err e = ERR_OK;
	DIR *dir;

	if (depth > TEMPLATES_DEPTH_MAX)
		return refuse(l, ERR_VALIDATION_FAILED,
		    "%s: more than %d folders inside one another", full,
		    TEMPLATES_DEPTH_MAX);
	dir = opendir(full);
	if (!dir)
		return refuse(
		    l, ERR_NOT_FOUND, "%s: %s", full, strerror(errno));
	while (!e && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			e = load_entry(l, path, entry->d_name, depth);
	closedir(dir);
	mem_drop(&full);
	return e;
}

static enum err
check_uses(struct loading *l, const struct template *t)
{
	struct mustache_use use;

	for (size_t at = 0; mustache_next_use(t->mustache, &at, &use);) {
		if (use.kind == MUSTACHE_USES_PARTIAL &&
		    !find(l->set, use.name))
			return refuse(l, ERR_VALIDATION_FAILED,
			    "%s/%s%s, line %u: there is no partial %s%s",
			    l->folder, t->name, suffix, use.line, use.name,
			    suffix);
		if (use.kind == MUSTACHE_USES_RAW &&
		    !text_ends(use.name, "Svg") && !text_ends(use.name, "Html"))
			return refuse(l, ERR_VALIDATION_FAILED,
			    "%s/%s%s, line %u: {{{%s}}} is raw, but its name "
			    "does not end in Svg or Html",
			    l->folder, t->name, suffix, use.line, use.name);
	}
	return ERR_OK;
}

enum err
templates_load(
    void *owner, const char *folder, struct templates **out, char **out_why)
{
	struct templates *set = mem_new(owner, struct templates);
	struct loading l = {.set = set, .folder = folder, .owner = owner};
	enum err e = load_folder(&l, "", 0);

	if (!e && set->n)
		qsort(set->items, set->n, sizeof(*set->items), by_name);
	for (size_t i = 0; !e && i < set->n; i++)
		e = check_uses(&l, &set->items[i]);
	if (e) {
		*out_why = l.why;
		mem_drop(&set);
		return e;
	}
	*out = set;
	return ERR_OK;
}

bool
templates_has(const struct templates *set, const char *name)
{
	return find(set, name) != NULL;
}

enum err
templates_render(const struct templates *set, const char *name,
    struct json_object *context, struct buf *out)
{
	const struct mustache *m = find(set, name);
	struct mustache_partials partials = {.find = find, .data = set};

	if (!m)
		return ERR_NOT_FOUND;
	return mustache_render(m, context, &partials, out);
}
