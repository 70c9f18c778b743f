/* Schema documents by URI: what is registered can be referred to. */
#include "schema/schema_priv.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/op.h"

#define DRAFT "https://json-schema.org/draft/2020-12/"
#define VOCAB DRAFT "vocab/"

/* The metaschemas, made from src/schema/metaschema by local.mk. */
static const struct {
	const char *uri, *text;
} metaschemas[] = {
#include "schema/metaschema.inc"
};

static const struct {
	const char *uri;
	enum vocabulary bit;
} vocabularies[] = {
    {VOCAB "core", VOCAB_CORE},
    {VOCAB "applicator", VOCAB_APPLICATOR},
    {VOCAB "unevaluated", VOCAB_UNEVALUATED},
    {VOCAB "validation", VOCAB_VALIDATION},
    {VOCAB "meta-data", VOCAB_META_DATA},
    {VOCAB "format-annotation", VOCAB_FORMAT_ANNOTATION},
    {VOCAB "format-assertion", VOCAB_FORMAT_ASSERTION},
    {VOCAB "content", VOCAB_CONTENT},
};

static const unsigned STANDARD = VOCAB_CORE | VOCAB_APPLICATOR |
    VOCAB_UNEVALUATED | VOCAB_VALIDATION | VOCAB_META_DATA |
    VOCAB_FORMAT_ANNOTATION | VOCAB_CONTENT;

static void
table_free(void *table)
{
	lh_table_free(table);
}

static struct lh_table *
table(void *owner, struct lh_table *t)
{
	if (!t)
		abort(); /* out of memory, as in base/mem.c */
	return mem_adopt(owner, t, table_free);
}

struct schema_set *
schema_set_new(void *owner, enum schema_flags flags)
{
	struct schema_set *set = mem_new(owner, struct schema_set);

	set->flags = flags;
	set->uris = table(set, lh_kchar_table_new(32, NULL));
	set->roots = table(set, lh_kptr_table_new(32, NULL));
	set->nodes = table(set, lh_kptr_table_new(64, NULL));
	set->matcher = schema__matcher_new(set);
	return set;
}

static void
put_key(struct buf *b, const char *key)
{
	for (; *key; key++) {
		if (*key == '~')
			buf_text(b, "~0");
		else if (*key == '/')
			buf_text(b, "~1");
		else
			buf_char(b, *key);
	}
}

char *
schema__pointer(void *owner, const struct place *place, const char *key)
{
	const struct place *steps[SCHEMA_MAX_DEPTH + 1];
	size_t n = 0, max = 1 + (key ? 2 * strlen(key) + 1 : 0);
	struct buf *b;
	char *text;

	for (const struct place *p = place; p && p->up; p = p->up) {
		assert(n < nitems(steps));
		max += 1 + (p->key ? 2 * strlen(p->key) : 20);
		steps[n++] = p;
	}
	b = buf_new(owner, max);
	while (n > 0) {
		const struct place *p = steps[--n];

		buf_char(b, '/');
		if (p->key)
			put_key(b, p->key);
		else
			buf_fmt(b, "%zu", p->index);
	}
	if (key) {
		buf_char(b, '/');
		put_key(b, key);
	}
	text = mem_dup(owner, b->data);
	mem_drop(&b);
	return text;
}

/*
 * Registering: the document is searched for identifiers first, and entered
 * only when all of them are good.
 */
struct search {
	struct schema_set *set;
	void *owner; /* of what is found */
	const char *document; /* its URI */
	struct {
		const char *uri;
		struct resource *resource;
	} * found; /* a root with another $id stands here twice */
	size_t n;
	const char *why; /* NULL while all is well */
};

static void
wrong(struct search *s, const struct place *at, const char *keyword,
    const char *why)
{
	if (!s->why)
		s->why = mem_fmt(s->set, "%s#%s: %s", s->document,
		    schema__pointer(s->owner, at, keyword), why);
}

static bool
is_taken(const struct search *s, const char *uri)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->found[i].uri, uri) == 0)
			return true;
	return lh_table_lookup_ex(s->set->uris, uri, NULL);
}

static void
enter_uri(struct search *s, const char *uri, struct resource *r)
{
	r->uri = uri;
	s->found = mem_grow(s->owner, s->found, s->n, sizeof(*s->found));
	s->found[s->n].uri = uri;
	s->found[s->n++].resource = r;
}

static struct resource *
enter_resource(struct search *s, const char *uri, struct json_object *root,
    const struct resource *parent)
{
	struct resource *r = mem_new(s->owner, struct resource);

	r->root = root;
	r->parent = parent;
	enter_uri(s, uri, r);
	return r;
}

static void
enter_anchor(struct search *s, struct resource *r, struct json_object *json,
    const struct place *at, bool dynamic)
{
	const char *keyword = dynamic ? "$dynamicAnchor" : "$anchor", *name;
	struct json_object *value;

	if (!json_object_object_get_ex(json, keyword, &value))
		return;
	name = json_object_get_string(value);
	if (!json_object_is_type(value, json_type_string) ||
	    (!isalpha((unsigned char)name[0]) && name[0] != '_')) {
		wrong(s, at, keyword, "An anchor begins with a letter or _.");
		return;
	}
	for (const char *c = name; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("-._", *c)) {
			wrong(s, at, keyword,
			    "An anchor has letters, digits, - . and _ only.");
			return;
		}
	for (size_t i = 0; i < r->n_anchors; i++)
		if (strcmp(r->anchors[i].name, name) == 0 &&
		    r->anchors[i].json != json) {
			wrong(s, at, keyword, "This anchor is taken.");
			return;
		}
	r->anchors = mem_grow(r, r->anchors, r->n_anchors, sizeof(*r->anchors));
	r->anchors[r->n_anchors++] =
	    (struct anchor){.name = name, .json = json, .dynamic = dynamic};
}

/* The resource a schema with this $id is the root of, or NULL. */
static struct resource *
enter_id(struct search *s, struct resource *parent, struct json_object *json,
    struct json_object *id, const struct place *at)
{
	char *uri;

	if (!json_object_is_type(id, json_type_string)) {
		wrong(s, at, "$id", "This must be text.");
		return NULL;
	}
	uri = schema__uri_resolve(
	    s->owner, parent->uri, json_object_get_string(id));
	if (*schema__uri_cut_fragment(uri)) {
		wrong(s, at, "$id", "A fragment has no place here.");
		return NULL;
	}
	/* The root may say the URI it is registered under once more. */
	if (json == parent->root && strcmp(uri, parent->uri) == 0)
		return parent;
	if (is_taken(s, uri)) {
		wrong(s, at, "$id", "Another schema has this URI.");
		return NULL;
	}
	if (json != parent->root)
		return enter_resource(s, uri, json, parent);
	enter_uri(s, uri, parent);
	return parent;
}

static void search_schema(struct search *s, struct resource *r,
    struct json_object *json, const struct place *at);

/* The subschemas a keyword holds. Values elsewhere, in enum or in keywords
 * nobody knows, only look like schemas. */
static void
search_keyword(struct search *s, struct resource *r, const char *keyword,
    struct json_object *value, const struct place *at)
{
	enum takes takes = schema__keyword_takes(keyword);
	struct place below = {.up = at, .key = keyword};

	if (takes == TAKES_SCHEMA)
		search_schema(s, r, value, &below);
	if (takes == TAKES_SCHEMAS &&
	    json_object_is_type(value, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(value); i++) {
			struct place item = {.up = &below, .index = i};

			search_schema(
			    s, r, json_object_array_get_idx(value, i), &item);
		}
	}
	if (takes == TAKES_SCHEMA_MAP &&
	    json_object_is_type(value, json_type_object)) {
		json_object_object_foreach (value, key, member) {
			struct place item = {.up = &below, .key = key};

			search_schema(s, r, member, &item);
		}
	}
}

static void
search_schema(struct search *s, struct resource *r, struct json_object *json,
    const struct place *at)
{
	struct json_object *id;

	if (s->why || !json_object_is_type(json, json_type_object))
		return;
	if (json_object_object_get_ex(json, "$id", &id))
		r = enter_id(s, r, json, id, at);
	if (!r)
		return;
	enter_anchor(s, r, json, at, false);
	enter_anchor(s, r, json, at, true);
	json_object_object_foreach (json, keyword, value) {
		search_keyword(s, r, keyword, value, at);
	}
}

static void
insert(struct lh_table *t, const void *key, const void *value)
{
	if (lh_table_insert(t, key, value) != 0)
		abort(); /* out of memory, as in base/mem.c */
}

bool
schema_set_add(struct schema_set *set, const char *uri,
    struct json_object *document, const char **out_why)
{
	struct search s = {.set = set, .document = uri};
	const struct place root = {0};
	struct json_object *copy = NULL;
	char *known;

	s.owner = mem_scope(set, uri);
	known = mem_dup(s.owner, uri);
	if (!schema__uri_is_absolute(uri) || *schema__uri_cut_fragment(known))
		s.why = mem_fmt(set,
		    "%s: A schema is registered under an absolute URI "
		    "without a fragment.",
		    uri);
	else if (is_taken(&s, known))
		wrong(&s, &root, NULL, "Another schema has this URI.");
	else if (schema__depth(document, SCHEMA_MAX_DEPTH) > SCHEMA_MAX_DEPTH)
		wrong(&s, &root, NULL, "It is nested too deeply.");
	else if (document && json_object_deep_copy(document, &copy, NULL) != 0)
		abort(); /* out of memory, as in base/mem.c */
	op_json(s.owner, copy);
	if (!s.why)
		search_schema(
		    &s, enter_resource(&s, known, copy, NULL), copy, &root);
	if (s.why) {
		mem_drop(&s.owner);
		*out_why = s.why;
		return false;
	}
	for (size_t i = 0; i < s.n; i++) {
		struct resource *r = s.found[i].resource;

		insert(set->uris, s.found[i].uri, r);
		if (r->root && r->uri == s.found[i].uri)
			insert(set->roots, r->root, r);
	}
	return true;
}

/* Registers a metaschema the first time it is wanted. */
static void
add_metaschema(struct schema_set *set, const char *uri)
{
	for (size_t i = 0; i < nitems(metaschemas); i++) {
		struct json_object *json;
		const char *why = NULL;

		if (strcmp(metaschemas[i].uri, uri) != 0)
			continue;
		json = json_tokener_parse(metaschemas[i].text);
		if (!json || !schema_set_add(set, uri, json, &why))
			abort(); /* ours, and tested */
		json_object_put(json);
		return;
	}
}

struct resource *
schema__resource(struct schema_set *set, const char *uri)
{
	void *found;

	if (!lh_table_lookup_ex(set->uris, uri, &found)) {
		add_metaschema(set, uri);
		if (!lh_table_lookup_ex(set->uris, uri, &found))
			return NULL;
	}
	return found;
}

static unsigned
vocabulary_bit(const char *uri)
{
	for (size_t i = 0; i < nitems(vocabularies); i++)
		if (strcmp(vocabularies[i].uri, uri) == 0)
			return vocabularies[i].bit;
	return 0;
}

unsigned
schema__vocabularies(
    struct schema_set *set, const struct resource *r, const char **out_why)
{
	struct json_object *value = NULL, *listed;
	const struct resource *meta;
	unsigned bits = VOCAB_CORE;
	char *uri;

	/* $schema holds for the resource and those inside it. */
	while (r && !json_object_object_get_ex(r->root, "$schema", &value))
		r = r->parent;
	if (!r)
		return STANDARD;
	if (!json_object_is_type(value, json_type_string)) {
		*out_why =
		    mem_fmt(set, "%s#/$schema: This must be text.", r->uri);
		return 0;
	}
	uri = mem_dup(set, json_object_get_string(value));
	schema__uri_cut_fragment(uri);
	meta = strcmp(uri, DRAFT "schema") == 0 ? NULL
						: schema__resource(set, uri);
	if (!meta && strcmp(uri, DRAFT "schema") != 0) {
		*out_why = mem_fmt(set,
		    "%s#/$schema: The metaschema %s is not known here.", r->uri,
		    uri);
		return 0;
	}
	mem_drop(&uri);
	if (!meta ||
	    !json_object_object_get_ex(meta->root, "$vocabulary", &listed) ||
	    !json_object_is_type(listed, json_type_object))
		return STANDARD;
	json_object_object_foreach (listed, name, required) {
		unsigned bit = vocabulary_bit(name);

		if (bit == 0 && json_object_get_boolean(required)) {
			*out_why = mem_fmt(set,
			    "%s#/$schema: Its vocabulary %s is not known here.",
			    r->uri, name);
			return 0;
		}
		bits |= bit;
	}
	return bits;
}
