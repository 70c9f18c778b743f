/*
 * From documents to rules: keywords are read once, references resolved,
 * patterns compiled, so that checking a value never meets a broken schema.
 *
 * Nodes are compiled from a list of work, not by recursion: schemas refer to
 * one another in circles. Each schema in a document is one node, found again
 * by its JSON value.
 */
#include "schema/schema_priv.h"

#include <math.h>
#include <stdlib.h>

struct compiler {
	struct schema_set *set;
	void *owner; /* of what is compiled; dropped when something is wrong */
	void *scratch; /* of what nobody needs afterwards */
	struct node **work; /* every node made, compiled or about to be */
	size_t n;
	struct resource **reached; /* first reached now */
	size_t n_reached;
	const char *why; /* NULL while all is well */
};

struct keyword {
	const char *name;
	enum vocabulary vocabulary;
	enum takes takes;
	enum opcode op;
	enum schema_type applies;
	/* Fills the rule in; NULL when a node of its subschemas is all. */
	void (*compile)(struct compiler *c, struct node *node,
	    struct rule *rule, const struct keyword *k,
	    struct json_object *value);
};

static void
fail(struct compiler *c, const struct node *node, const char *keyword,
    const char *why)
{
	if (!c->why)
		c->why =
		    mem_fmt(c->set, "%s/%s: %s", node->where, keyword, why);
}

static void
insert(struct lh_table *t, const void *key, const void *value)
{
	if (lh_table_insert(t, key, value) != 0)
		abort(); /* out of memory, as in base/mem.c */
}

/* The node of a schema; compiled later when it is new. */
static const struct node *
node_at(struct compiler *c, struct json_object *json, struct resource *resource,
    const char *where)
{
	struct node *node;
	void *found;

	if (json && lh_table_lookup_ex(c->set->nodes, json, &found))
		return found;
	node = mem_new(c->owner, struct node);
	node->json = json;
	node->resource = resource;
	node->where = mem_dup(node, where);
	if (json)
		insert(c->set->nodes, json, node);
	c->work = mem_grow(c->scratch, c->work, c->n, sizeof(*c->work));
	c->work[c->n++] = node;
	return node;
}

static struct resource *
resource_of(
    struct compiler *c, struct json_object *json, struct resource *enclosing)
{
	void *found;

	return json && lh_table_lookup_ex(c->set->roots, json, &found)
	    ? found
	    : enclosing;
}

/* The node of a schema below a keyword of another; the step is the key, or
 * the index, or nothing. */
static const struct node *
below(struct compiler *c, const struct node *node, const char *keyword,
    const char *key, const size_t *index, struct json_object *json)
{
	struct resource *r = resource_of(c, json, node->resource);
	struct place root = {0}, at = {.up = &root, .key = keyword};
	struct place step = {
	    .up = &at, .key = key, .index = index ? *index : 0};
	const char *where;

	if (r != node->resource)
		where = mem_fmt(c->scratch, "%s#", r->uri);
	else
		where = mem_fmt(c->scratch, "%s%s", node->where,
		    schema__pointer(
			c->scratch, key || index ? &step : &at, NULL));
	return node_at(c, json, r, where);
}

/*
 * References
 */
struct target {
	struct json_object *json;
	struct resource *resource;
	const char *where;
	const struct anchor *anchor; /* when one was named */
};

static bool
array_index(const char *token, size_t *out)
{
	size_t n = 0;

	if (token[0] == '\0' || (token[0] == '0' && token[1] != '\0') ||
	    strlen(token) > 9)
		return false;
	for (; *token; token++) {
		if (*token < '0' || *token > '9')
			return false;
		n = n * 10 + (size_t)(*token - '0');
	}
	*out = n;
	return true;
}

/* One step of a JSON Pointer. */
static bool
step(struct json_object *json, const char *token, struct json_object **out)
{
	size_t i;

	if (json_object_is_type(json, json_type_object))
		return json_object_object_get_ex(json, token, out);
	if (!json_object_is_type(json, json_type_array) ||
	    !array_index(token, &i) || i >= json_object_array_length(json))
		return false;
	*out = json_object_array_get_idx(json, i);
	return true;
}

/* In place: ~1 is a slash, ~0 a tilde. */
static void
unescape(char *token)
{
	char *out = token;

	for (; *token; token++) {
		*out = *token;
		if (token[0] == '~' && (token[1] == '0' || token[1] == '1'))
			*out = *++token == '0' ? '~' : '/';
		out++;
	}
	*out = '\0';
}

static bool
follow_pointer(struct compiler *c, char *pointer, struct target *t)
{
	char *token = pointer + 1;

	while (token) {
		char *end = strchr(token, '/');

		if (end)
			*end++ = '\0';
		unescape(token);
		if (!step(t->json, token, &t->json))
			return false;
		t->resource = resource_of(c, t->json, t->resource);
		token = end;
	}
	return true;
}

static bool
follow_anchor(const char *name, struct target *t)
{
	for (size_t i = 0; i < t->resource->n_anchors; i++) {
		const struct anchor *a = &t->resource->anchors[i];

		if (strcmp(a->name, name) != 0)
			continue;
		/* A schema may have both kinds by one name. */
		if (!t->anchor || a->dynamic)
			t->anchor = a;
	}
	if (t->anchor)
		t->json = t->anchor->json;
	return t->anchor != NULL;
}

/* What a URI points at; false when that is nothing, and *out_why. */
static bool
find(struct compiler *c, struct resource *base, const char *ref,
    struct target *out, const char **out_why)
{
	char *uri = base ? schema__uri_resolve(c->scratch, base->uri, ref)
			 : mem_dup(c->scratch, ref);
	const char *fragment = schema__uri_cut_fragment(uri);
	char *decoded = schema__uri_decode(c->scratch, fragment);
	struct target t = {0};

	t.resource = base && strcmp(base->uri, uri) == 0
	    ? base
	    : schema__resource(c->set, uri);
	if (!t.resource) {
		*out_why = mem_fmt(c->scratch, "Nothing is known as %s.", uri);
		return false;
	}
	t.json = t.resource->root;
	t.where = mem_fmt(c->scratch, "%s#%s", t.resource->uri, fragment);
	if (!decoded ||
	    (decoded[0] == '/' && !follow_pointer(c, decoded, &t)) ||
	    (decoded[0] != '/' && decoded[0] != '\0' &&
		!follow_anchor(decoded, &t))) {
		*out_why = mem_fmt(
		    c->scratch, "There is no #%s in %s.", fragment, uri);
		return false;
	}
	*out = t;
	return true;
}

static bool
refer(struct compiler *c, struct node *node, const char *keyword,
    const char *ref, struct target *out)
{
	const char *why = NULL;

	if (find(c, node->resource, ref, out, &why))
		return true;
	fail(c, node, keyword, why);
	return false;
}

static void
compile_ref(struct compiler *c, struct node *node, struct rule *rule,
    const struct keyword *k, struct json_object *value)
{
	struct target t;

	if (refer(c, node, k->name, json_object_get_string(value), &t))
		rule->node = node_at(c, t.json, t.resource, t.where);
}

/* Dynamic only when it names a $dynamicAnchor to begin with (Core, 8.2.3.2). */
static void
compile_dynamic_ref(struct compiler *c, struct node *node, struct rule *rule,
    const struct keyword *k, struct json_object *value)
{
	const struct node *target;
	struct target t;

	if (!refer(c, node, k->name, json_object_get_string(value), &t))
		return;
	target = node_at(c, t.json, t.resource, t.where);
	if (t.anchor && t.anchor->dynamic) {
		rule->dynamic.node = target;
		rule->dynamic.name = t.anchor->name;
	} else {
		rule->op = OP_REF;
		rule->node = target;
	}
}

/*
 * Keywords that assert
 */
static enum schema_type
type_named(struct json_object *name)
{
	static const struct {
		const char *name;
		enum schema_type types;
	} names[] = {
	    {"string", SCHEMA_STRING},
	    {"integer", SCHEMA_INTEGER},
	    {"number", SCHEMA_NUMBER | SCHEMA_INTEGER},
	    {"boolean", SCHEMA_BOOLEAN},
	    {"object", SCHEMA_OBJECT},
	    {"array", SCHEMA_ARRAY},
	    {"null", SCHEMA_NULL},
	};

	if (!json_object_is_type(name, json_type_string))
		return SCHEMA_NONE;
	for (size_t i = 0; i < nitems(names); i++)
		if (strcmp(json_object_get_string(name), names[i].name) == 0)
			return names[i].types;
	return SCHEMA_NONE;
}

static void
compile_type(struct compiler *c, struct node *node, struct rule *rule,
    const struct keyword *k, struct json_object *value)
{
	bool list = json_object_is_type(value, json_type_array);
	size_t n = list ? json_object_array_length(value) : 1;
	bool good = n > 0;

	for (size_t i = 0; i < n; i++) {
		enum schema_type types = type_named(
		    list ? json_object_array_get_idx(value, i) : value);

		good = good && types != SCHEMA_NONE;
		rule->types |= types;
	}
	if (!good)
		fail(c, node, k->name,
		    "This must be array, boolean, integer, null, number, "
		    "object or string, or a list of these.");
}

static void
compile_number(struct compiler *c, struct node *node, struct rule *rule,
    const struct keyword *k, struct json_object *value)
{
	static const struct num zero = {.whole = true};

	rule->num = schema__num_of(value);
	if (k->op == OP_MULTIPLE_OF &&
	    schema__num_compare(rule->num, zero) <= 0)
		fail(c, node, k->name, "This must be more than 0.");
}

static size_t
count_of(struct json_object *value)
{
	struct num n = schema__num_of(value);

	return n.whole ? n.magnitude : SIZE_MAX;
}

static void
compile_count(struct compiler *c, struct node *node, struct rule *rule,
    const struct keyword *k, struct json_object *value)
{
	rule->count = count_of(value);
}

static const struct pattern *
pattern_of(struct compiler *c, const struct node *node, const char *keyword,
    const char *text, size_t n)
{
	const char *why = NULL;
	const struct pattern *p = schema__pattern_new(c->owner, text, n, &why);

	if (!p)
		fail(c, node, keyword,
		    mem_fmt(c->scratch, "%s is no regular expression: %s.",
			text, why));
	return p;
}

static void
compile_pattern(struct compiler *c, struct node *node, struct rule *rule,
    const struct keyword *k, struct json_object *value)
{
	rule->pattern =
	    pattern_of(c, node, k->name, json_object_get_string(value),
		(size_t)json_object_get_string_len(value));
}

/* Says nothing about formats it does not know, or when not asked to. */
static void
compile_format(struct compiler *c, struct node *node, struct rule *rule,
    const struct keyword *k, struct json_object *value)
{
	rule->format = schema__format(json_object_get_string(value));
	if (!rule->format)
		node->n_rules--;
}

static void
compile_as_it_is(struct compiler *c, struct node *node, struct rule *rule,
    const struct keyword *k, struct json_object *value)
{
}

static void
compile_unique(struct compiler *c, struct node *node, struct rule *rule,
    const struct keyword *k, struct json_object *value)
{
	if (!json_object_get_boolean(value))
		node->n_rules--;
}

static struct names
names_of(struct compiler *c, struct json_object *list)
{
	struct names names = {.n = json_object_array_length(list)};

	names.name = mem_array(c->owner, const char *, names.n);
	for (size_t i = 0; i < names.n; i++)
		names.name[i] =
		    json_object_get_string(json_object_array_get_idx(list, i));
	return names;
}

static void
compile_required(struct compiler *c, struct node *node, struct rule *rule,
    const struct keyword *k, struct json_object *value)
{
	rule->names = names_of(c, value);
}

static void
compile_dependencies(struct compiler *c, struct node *node, struct rule *rule,
    const struct keyword *k, struct json_object *value)
{
	struct dependencies d = {0};

	d.item = mem_array(c->owner, struct dependency,
	    (size_t)json_object_object_length(value));
	json_object_object_foreach (value, key, member) {
		struct dependency *item = &d.item[d.n++];

		item->name = key;
		if (k->op == OP_DEPENDENT_REQUIRED)
			item->names = names_of(c, member);
		else
			item->node = below(c, node, k->name, key, NULL, member);
	}
	rule->dependencies = d;
}

/*
 * Keywords that apply schemas
 */
static void
compile_schema(struct compiler *c, struct node *node, struct rule *rule,
    const struct keyword *k, struct json_object *value)
{
	rule->node = below(c, node, k->name, NULL, NULL, value);
	if (k->op == OP_UNEVALUATED_ITEMS)
		node->unevaluated |= SCHEMA_ARRAY;
	if (k->op == OP_UNEVALUATED_PROPERTIES)
		node->unevaluated |= SCHEMA_OBJECT;
}

static struct nodes
nodes_of(struct compiler *c, const struct node *node, const char *keyword,
    struct json_object *list)
{
	struct nodes nodes = {.n = json_object_array_length(list)};

	nodes.node = mem_array(c->owner, const struct node *, nodes.n);
	for (size_t i = 0; i < nodes.n; i++)
		nodes.node[i] = below(c, node, keyword, NULL, &i,
		    json_object_array_get_idx(list, i));
	return nodes;
}

static void
compile_schemas(struct compiler *c, struct node *node, struct rule *rule,
    const struct keyword *k, struct json_object *value)
{
	rule->nodes = nodes_of(c, node, k->name, value);
}

static int
by_name(const void *a, const void *b)
{
	const struct named *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static void
compile_properties(struct compiler *c, struct node *node, struct rule *rule,
    const struct keyword *k, struct json_object *value)
{
	struct members *m = &rule->members;

	m->named = mem_array(
	    c->owner, struct named, (size_t)json_object_object_length(value));
	json_object_object_foreach (value, key, member) {
		m->named[m->n_named++] = (struct named){
		    key, below(c, node, k->name, key, NULL, member)};
	}
	qsort(m->named, m->n_named, sizeof(*m->named), by_name);
}

static void
compile_pattern_properties(struct compiler *c, struct node *node,
    struct rule *rule, const struct keyword *k, struct json_object *value)
{
	struct members *m = &rule->members;

	m->patterned = mem_array(c->owner, struct patterned,
	    (size_t)json_object_object_length(value));
	json_object_object_foreach (value, key, member) {
		m->patterned[m->n_patterned++] = (struct patterned){
		    pattern_of(c, node, k->name, key, strlen(key)),
		    below(c, node, k->name, key, NULL, member)};
	}
}

static void
compile_additional(struct compiler *c, struct node *node, struct rule *rule,
    const struct keyword *k, struct json_object *value)
{
	rule->members.rest = below(c, node, k->name, NULL, NULL, value);
}

static void
compile_prefix(struct compiler *c, struct node *node, struct rule *rule,
    const struct keyword *k, struct json_object *value)
{
	rule->list.prefix = nodes_of(c, node, k->name, value);
}

static void
compile_items(struct compiler *c, struct node *node, struct rule *rule,
    const struct keyword *k, struct json_object *value)
{
	rule->list.rest = below(c, node, k->name, NULL, NULL, value);
}

/* contains comes first of the three in the table, and sets what the others
 * change. */
static void
compile_contains(struct compiler *c, struct node *node, struct rule *rule,
    const struct keyword *k, struct json_object *value)
{
	rule->contains.node = below(c, node, k->name, NULL, NULL, value);
	rule->contains.min = 1;
	rule->contains.max = SIZE_MAX;
}

static void
compile_min_contains(struct compiler *c, struct node *node, struct rule *rule,
    const struct keyword *k, struct json_object *value)
{
	rule->contains.min = count_of(value);
}

static void
compile_max_contains(struct compiler *c, struct node *node, struct rule *rule,
    const struct keyword *k, struct json_object *value)
{
	rule->contains.max = count_of(value);
}

static void
compile_if(struct compiler *c, struct node *node, struct rule *rule,
    const struct keyword *k, struct json_object *value)
{
	rule->choice.when = below(c, node, k->name, NULL, NULL, value);
}

static void
compile_then(struct compiler *c, struct node *node, struct rule *rule,
    const struct keyword *k, struct json_object *value)
{
	rule->choice.then = below(c, node, k->name, NULL, NULL, value);
}

static void
compile_else(struct compiler *c, struct node *node, struct rule *rule,
    const struct keyword *k, struct json_object *value)
{
	rule->choice.otherwise = below(c, node, k->name, NULL, NULL, value);
}

#define NUMBERS (SCHEMA_INTEGER | SCHEMA_NUMBER)

/*
 * Every keyword, in the order in which its rule runs: what is cheap first,
 * unevaluated* last, because they ask what the others have seen.
 */
static const struct keyword keywords[] = {
    {"$id", VOCAB_CORE, TAKES_STRING, OP_NONE, SCHEMA_ANY, NULL},
    {"$schema", VOCAB_CORE, TAKES_STRING, OP_NONE, SCHEMA_ANY, NULL},
    {"$vocabulary", VOCAB_CORE, TAKES_OBJECT, OP_NONE, SCHEMA_ANY, NULL},
    {"$anchor", VOCAB_CORE, TAKES_STRING, OP_NONE, SCHEMA_ANY, NULL},
    {"$dynamicAnchor", VOCAB_CORE, TAKES_STRING, OP_NONE, SCHEMA_ANY, NULL},
    {"$comment", VOCAB_CORE, TAKES_STRING, OP_NONE, SCHEMA_ANY, NULL},
    {"$defs", VOCAB_CORE, TAKES_SCHEMA_MAP, OP_NONE, SCHEMA_ANY, NULL},
    {"title", VOCAB_META_DATA, TAKES_STRING, OP_NONE, SCHEMA_ANY, NULL},
    {"description", VOCAB_META_DATA, TAKES_STRING, OP_NONE, SCHEMA_ANY, NULL},
    {"default", VOCAB_META_DATA, TAKES_ANYTHING, OP_NONE, SCHEMA_ANY, NULL},
    {"deprecated", VOCAB_META_DATA, TAKES_BOOLEAN, OP_NONE, SCHEMA_ANY, NULL},
    {"readOnly", VOCAB_META_DATA, TAKES_BOOLEAN, OP_NONE, SCHEMA_ANY, NULL},
    {"writeOnly", VOCAB_META_DATA, TAKES_BOOLEAN, OP_NONE, SCHEMA_ANY, NULL},
    {"examples", VOCAB_META_DATA, TAKES_ARRAY, OP_NONE, SCHEMA_ANY, NULL},
    {"contentEncoding", VOCAB_CONTENT, TAKES_STRING, OP_NONE, SCHEMA_ANY, NULL},
    {"contentMediaType", VOCAB_CONTENT, TAKES_STRING, OP_NONE, SCHEMA_ANY,
	NULL},
    {"contentSchema", VOCAB_CONTENT, TAKES_SCHEMA, OP_NONE, SCHEMA_ANY, NULL},

    {"type", VOCAB_VALIDATION, TAKES_ANYTHING, OP_TYPE, SCHEMA_ANY,
	compile_type},
    {"enum", VOCAB_VALIDATION, TAKES_ARRAY, OP_ENUM, SCHEMA_ANY,
	compile_as_it_is},
    {"const", VOCAB_VALIDATION, TAKES_ANYTHING, OP_CONST, SCHEMA_ANY,
	compile_as_it_is},
    {"minLength", VOCAB_VALIDATION, TAKES_COUNT, OP_MIN_LENGTH, SCHEMA_STRING,
	compile_count},
    {"maxLength", VOCAB_VALIDATION, TAKES_COUNT, OP_MAX_LENGTH, SCHEMA_STRING,
	compile_count},
    {"pattern", VOCAB_VALIDATION, TAKES_STRING, OP_PATTERN, SCHEMA_STRING,
	compile_pattern},
    {"format", VOCAB_FORMAT_ANNOTATION | VOCAB_FORMAT_ASSERTION, TAKES_STRING,
	OP_FORMAT, SCHEMA_STRING, compile_format},
    {"minimum", VOCAB_VALIDATION, TAKES_NUMBER, OP_MINIMUM, NUMBERS,
	compile_number},
    {"maximum", VOCAB_VALIDATION, TAKES_NUMBER, OP_MAXIMUM, NUMBERS,
	compile_number},
    {"exclusiveMinimum", VOCAB_VALIDATION, TAKES_NUMBER, OP_EXCLUSIVE_MINIMUM,
	NUMBERS, compile_number},
    {"exclusiveMaximum", VOCAB_VALIDATION, TAKES_NUMBER, OP_EXCLUSIVE_MAXIMUM,
	NUMBERS, compile_number},
    {"multipleOf", VOCAB_VALIDATION, TAKES_NUMBER, OP_MULTIPLE_OF, NUMBERS,
	compile_number},
    {"minItems", VOCAB_VALIDATION, TAKES_COUNT, OP_MIN_ITEMS, SCHEMA_ARRAY,
	compile_count},
    {"maxItems", VOCAB_VALIDATION, TAKES_COUNT, OP_MAX_ITEMS, SCHEMA_ARRAY,
	compile_count},
    {"uniqueItems", VOCAB_VALIDATION, TAKES_BOOLEAN, OP_UNIQUE_ITEMS,
	SCHEMA_ARRAY, compile_unique},
    {"minProperties", VOCAB_VALIDATION, TAKES_COUNT, OP_MIN_PROPERTIES,
	SCHEMA_OBJECT, compile_count},
    {"maxProperties", VOCAB_VALIDATION, TAKES_COUNT, OP_MAX_PROPERTIES,
	SCHEMA_OBJECT, compile_count},
    {"required", VOCAB_VALIDATION, TAKES_NAMES, OP_REQUIRED, SCHEMA_OBJECT,
	compile_required},
    {"dependentRequired", VOCAB_VALIDATION, TAKES_NAMES_MAP,
	OP_DEPENDENT_REQUIRED, SCHEMA_OBJECT, compile_dependencies},

    {"$ref", VOCAB_CORE, TAKES_STRING, OP_REF, SCHEMA_ANY, compile_ref},
    {"$dynamicRef", VOCAB_CORE, TAKES_STRING, OP_DYNAMIC_REF, SCHEMA_ANY,
	compile_dynamic_ref},
    {"propertyNames", VOCAB_APPLICATOR, TAKES_SCHEMA, OP_PROPERTY_NAMES,
	SCHEMA_OBJECT, compile_schema},
    {"properties", VOCAB_APPLICATOR, TAKES_SCHEMA_MAP, OP_MEMBERS,
	SCHEMA_OBJECT, compile_properties},
    {"patternProperties", VOCAB_APPLICATOR, TAKES_SCHEMA_MAP, OP_MEMBERS,
	SCHEMA_OBJECT, compile_pattern_properties},
    {"additionalProperties", VOCAB_APPLICATOR, TAKES_SCHEMA, OP_MEMBERS,
	SCHEMA_OBJECT, compile_additional},
    {"prefixItems", VOCAB_APPLICATOR, TAKES_SCHEMAS, OP_LIST, SCHEMA_ARRAY,
	compile_prefix},
    {"items", VOCAB_APPLICATOR, TAKES_SCHEMA, OP_LIST, SCHEMA_ARRAY,
	compile_items},
    {"contains", VOCAB_APPLICATOR, TAKES_SCHEMA, OP_CONTAINS, SCHEMA_ARRAY,
	compile_contains},
    {"minContains", VOCAB_VALIDATION, TAKES_COUNT, OP_CONTAINS, SCHEMA_ARRAY,
	compile_min_contains},
    {"maxContains", VOCAB_VALIDATION, TAKES_COUNT, OP_CONTAINS, SCHEMA_ARRAY,
	compile_max_contains},
    {"dependentSchemas", VOCAB_APPLICATOR, TAKES_SCHEMA_MAP,
	OP_DEPENDENT_SCHEMAS, SCHEMA_OBJECT, compile_dependencies},
    {"allOf", VOCAB_APPLICATOR, TAKES_SCHEMAS, OP_ALL_OF, SCHEMA_ANY,
	compile_schemas},
    {"anyOf", VOCAB_APPLICATOR, TAKES_SCHEMAS, OP_ANY_OF, SCHEMA_ANY,
	compile_schemas},
    {"oneOf", VOCAB_APPLICATOR, TAKES_SCHEMAS, OP_ONE_OF, SCHEMA_ANY,
	compile_schemas},
    {"not", VOCAB_APPLICATOR, TAKES_SCHEMA, OP_NOT, SCHEMA_ANY, compile_schema},
    {"if", VOCAB_APPLICATOR, TAKES_SCHEMA, OP_CHOICE, SCHEMA_ANY, compile_if},
    {"then", VOCAB_APPLICATOR, TAKES_SCHEMA, OP_CHOICE, SCHEMA_ANY,
	compile_then},
    {"else", VOCAB_APPLICATOR, TAKES_SCHEMA, OP_CHOICE, SCHEMA_ANY,
	compile_else},
    {"unevaluatedItems", VOCAB_UNEVALUATED, TAKES_SCHEMA, OP_UNEVALUATED_ITEMS,
	SCHEMA_ARRAY, compile_schema},
    {"unevaluatedProperties", VOCAB_UNEVALUATED, TAKES_SCHEMA,
	OP_UNEVALUATED_PROPERTIES, SCHEMA_OBJECT, compile_schema},
};

enum takes
schema__keyword_takes(const char *name)
{
	for (size_t i = 0; i < nitems(keywords); i++)
		if (strcmp(keywords[i].name, name) == 0)
			return keywords[i].takes;
	return TAKES_ANYTHING;
}

/*
 * The shape of a keyword's value
 */
static bool
are_names(struct json_object *value)
{
	size_t n;

	if (!json_object_is_type(value, json_type_array))
		return false;
	n = json_object_array_length(value);
	for (size_t i = 0; i < n; i++)
		if (!json_object_is_type(
			json_object_array_get_idx(value, i), json_type_string))
			return false;
	return true;
}

static bool
are_names_maps(struct json_object *value)
{
	if (!json_object_is_type(value, json_type_object))
		return false;
	json_object_object_foreach (value, key, names) {
		(void)key;
		if (!are_names(names))
			return false;
	}
	return true;
}

static bool
is_count(struct json_object *value)
{
	return schema__type_of(value) == SCHEMA_INTEGER &&
	    !schema__num_of(value).negative &&
	    json_object_get_double(value) >= 0;
}

/* NULL when the value has the shape, else what it must be. */
static const char *
shape_wanted(enum takes takes, struct json_object *value)
{
	enum schema_type type = schema__type_of(value);

	switch (takes) {
	case TAKES_STRING:
		return type == SCHEMA_STRING ? NULL : "This must be text.";
	case TAKES_BOOLEAN:
		return type == SCHEMA_BOOLEAN ? NULL
					      : "This must be true or false.";
	case TAKES_NUMBER:
		return type & NUMBERS && isfinite(json_object_get_double(value))
		    ? NULL
		    : "This must be a number that can be kept.";
	case TAKES_COUNT:
		return is_count(value)
		    ? NULL
		    : "This must be a whole number, 0 or more.";
	case TAKES_ARRAY:
		return type == SCHEMA_ARRAY ? NULL : "This must be an array.";
	case TAKES_SCHEMAS:
		return type == SCHEMA_ARRAY &&
			json_object_array_length(value) > 0
		    ? NULL
		    : "This must be an array of schemas, not empty.";
	case TAKES_OBJECT:
	case TAKES_SCHEMA_MAP:
		return type == SCHEMA_OBJECT ? NULL : "This must be an object.";
	case TAKES_NAMES:
		return are_names(value) ? NULL
					: "This must be an array of strings.";
	case TAKES_NAMES_MAP:
		return are_names_maps(value)
		    ? NULL
		    : "This must be an object of arrays of strings.";
	case TAKES_ANYTHING:
	case TAKES_SCHEMA: /* looked at when its node is compiled */
		break;
	}
	return NULL;
}

/* The rule a keyword belongs to: the one it shares, or a new one. */
static struct rule *
rule_for(struct compiler *c, struct node *node, const struct keyword *k,
    struct json_object *value)
{
	struct rule *rule =
	    node->n_rules > 0 ? &node->rules[node->n_rules - 1] : NULL;

	if (rule && rule->op == k->op)
		return rule;
	node->rules =
	    mem_grow(node, node->rules, node->n_rules, sizeof(*node->rules));
	rule = &node->rules[node->n_rules++];
	*rule =
	    (struct rule){.op = k->op, .applies = k->applies, .value = value};
	return rule;
}

/* Subschemas of keywords that only hold or annotate: they may be broken too,
 * and may be referred to. */
static void
compile_held(struct compiler *c, struct node *node, const struct keyword *k,
    struct json_object *value)
{
	if (k->takes == TAKES_SCHEMA)
		below(c, node, k->name, NULL, NULL, value);
	if (k->takes != TAKES_SCHEMA_MAP)
		return;
	json_object_object_foreach (value, key, member) {
		below(c, node, k->name, key, NULL, member);
	}
}

/* Whether a keyword means something in this resource. */
static bool
holds(const struct compiler *c, const struct keyword *k, unsigned vocabularies)
{
	if (k->op == OP_FORMAT && !(c->set->flags & SCHEMA_ASSERT_FORMAT))
		return vocabularies & VOCAB_FORMAT_ASSERTION;
	return k->vocabulary & vocabularies;
}

/* Makes the dynamic anchors of a resource ready: any of them may be what a
 * $dynamicRef finds once the resource is in its dynamic scope. */
static void
reach(struct compiler *c, struct resource *r)
{
	if (r->reached)
		return;
	r->reached = true;
	c->reached =
	    mem_grow(c->scratch, c->reached, c->n_reached, sizeof(*c->reached));
	c->reached[c->n_reached++] = r;
	for (size_t i = 0; i < r->n_anchors; i++) {
		struct anchor *a = &r->anchors[i];

		if (a->dynamic)
			a->node = node_at(c, a->json, r,
			    mem_fmt(c->scratch, "%s#%s", r->uri, a->name));
	}
}

static void
compile_node(struct compiler *c, struct node *node)
{
	unsigned vocabularies;
	const char *why = NULL;

	if (json_object_is_type(node->json, json_type_boolean)) {
		node->kind = json_object_get_boolean(node->json) ? NODE_TRUE
								 : NODE_FALSE;
		return;
	}
	if (!json_object_is_type(node->json, json_type_object)) {
		c->why = mem_fmt(c->set,
		    "%s: A schema is an object, true or false.", node->where);
		return;
	}
	reach(c, node->resource);
	vocabularies = schema__vocabularies(c->set, node->resource, &why);
	if (vocabularies == 0) {
		c->why = why;
		return;
	}
	for (size_t i = 0; i < nitems(keywords) && !c->why; i++) {
		const struct keyword *k = &keywords[i];
		struct json_object *value;

		if (!json_object_object_get_ex(node->json, k->name, &value) ||
		    !holds(c, k, vocabularies))
			continue;
		why = shape_wanted(k->takes, value);
		if (why)
			fail(c, node, k->name, why);
		else if (k->compile)
			k->compile(
			    c, node, rule_for(c, node, k, value), k, value);
		else
			compile_held(c, node, k, value);
	}
}

/* Takes back what a failed compilation left in the set. */
static void
forget(struct compiler *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->work[i]->json)
			lh_table_delete(c->set->nodes, c->work[i]->json);
	for (size_t i = 0; i < c->n_reached; i++)
		c->reached[i]->reached = false;
	mem_drop(&c->owner);
}

bool
schema_compile(struct schema_set *set, const char *uri,
    const struct schema **out_schema, const char **out_why)
{
	struct compiler c = {
	    .set = set,
	    .owner = mem_scope(set, "schema"),
	    .scratch = mem_scope(set, "compiling"),
	};
	const struct node *root = NULL;
	struct schema *schema;
	struct target t;

	if (find(&c, NULL, uri, &t, &c.why))
		root = node_at(&c, t.json, t.resource, t.where);
	else
		c.why = mem_fmt(set, "%s: %s", uri, c.why);
	for (size_t i = 0; i < c.n && !c.why; i++)
		compile_node(&c, c.work[i]);
	if (c.why)
		forget(&c);
	mem_drop(&c.scratch);
	if (c.why) {
		*out_why = c.why;
		return false;
	}
	schema = mem_new(set, struct schema);
	schema->set = set;
	schema->root = root;
	*out_schema = schema;
	return true;
}
