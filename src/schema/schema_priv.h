/* What the files of schema/ share: documents, compiled schemas, numbers. */
#ifndef GNOMON_SCHEMA_SCHEMA_PRIV_H
#define GNOMON_SCHEMA_SCHEMA_PRIV_H

#include <json-c/json.h>
#include <stdint.h>

#include "base/mem.h"
#include "schema/schema.h"

/*
 * Documents (set.c)
 *
 * A resource is a schema with a URI of its own: the root of a document, or a
 * subschema with $id. A document is a tree of them.
 */
struct anchor {
	const char *name;
	struct json_object *json;
	bool dynamic; /* $dynamicAnchor */
	const struct node *node; /* of a dynamic one, once compiled */
};

struct resource {
	const char *uri; /* absolute, no fragment */
	struct json_object *root;
	const struct resource *parent; /* that encloses it; NULL: none */
	struct anchor *anchors;
	size_t n_anchors;
	bool reached; /* its dynamic anchors are compiled */
};

struct schema_set {
	enum schema_flags flags;
	struct lh_table *uris; /* URI -> struct resource */
	struct lh_table *roots; /* its json -> struct resource */
	struct lh_table *nodes; /* json -> struct node, what is compiled */
	struct matcher *matcher;
};

/* The registered resource, or a built-in metaschema; NULL for neither. */
struct resource *schema__resource(struct schema_set *set, const char *uri);

/* Bits of enum vocabulary that hold in this resource; 0 when its dialect is
 * unknown, and why. */
unsigned schema__vocabularies(
    struct schema_set *set, const struct resource *r, const char **out_why);

/* Where a value stands: one step from the place above, NULL for the root. */
struct place {
	const struct place *up;
	const char *key; /* NULL: the step is the index */
	size_t index;
};

/* The JSON Pointer of a place (RFC 6901), and of a field below it when key is
 * not NULL. */
char *schema__pointer(void *owner, const struct place *place, const char *key);

/*
 * Keywords (compile.c)
 */
enum vocabulary {
	VOCAB_CORE = 1,
	VOCAB_APPLICATOR = 2,
	VOCAB_UNEVALUATED = 4,
	VOCAB_VALIDATION = 8,
	VOCAB_META_DATA = 16,
	VOCAB_FORMAT_ANNOTATION = 32,
	VOCAB_FORMAT_ASSERTION = 64,
	VOCAB_CONTENT = 128
};

/* What the value of a keyword must be. */
enum takes {
	TAKES_ANYTHING,
	TAKES_STRING,
	TAKES_BOOLEAN,
	TAKES_NUMBER,
	TAKES_COUNT, /* a whole number, 0 or more */
	TAKES_ARRAY,
	TAKES_OBJECT,
	TAKES_NAMES, /* an array of strings */
	TAKES_NAMES_MAP,
	TAKES_SCHEMA,
	TAKES_SCHEMAS, /* an array of them, not empty */
	TAKES_SCHEMA_MAP
};

/* What the value of this keyword must be; TAKES_ANYTHING for unknown ones.
 * Says where subschemas are, whose identifiers count. */
enum takes schema__keyword_takes(const char *name);

/*
 * Compiled schemas
 *
 * A node is a schema: true, false, or rules in the order in which they run.
 * Keywords that only mean something together (properties and
 * additionalProperties, if and then) are one rule.
 */
enum opcode {
	OP_NONE, /* annotates, or only holds subschemas */
	OP_REF,
	OP_DYNAMIC_REF,
	OP_TYPE,
	OP_ENUM,
	OP_CONST,
	OP_MAX_LENGTH,
	OP_MIN_LENGTH,
	OP_PATTERN,
	OP_FORMAT,
	OP_MAXIMUM,
	OP_EXCLUSIVE_MAXIMUM,
	OP_MINIMUM,
	OP_EXCLUSIVE_MINIMUM,
	OP_MULTIPLE_OF,
	OP_MAX_ITEMS,
	OP_MIN_ITEMS,
	OP_UNIQUE_ITEMS,
	OP_MAX_PROPERTIES,
	OP_MIN_PROPERTIES,
	OP_REQUIRED,
	OP_DEPENDENT_REQUIRED,
	OP_PROPERTY_NAMES,
	OP_MEMBERS, /* properties, patternProperties, additionalProperties */
	OP_LIST, /* prefixItems, items */
	OP_CONTAINS, /* contains, minContains, maxContains */
	OP_DEPENDENT_SCHEMAS,
	OP_ALL_OF,
	OP_ANY_OF,
	OP_ONE_OF,
	OP_NOT,
	OP_CHOICE, /* if, then, else */
	OP_UNEVALUATED_ITEMS,
	OP_UNEVALUATED_PROPERTIES
};

/*
 * A number in the one form that makes equal numbers look equal: sign and
 * magnitude when it is whole and below 2^64, else the double, which then has
 * a fraction or is 2^64 and more.
 */
struct num {
	bool whole;
	bool negative; /* of a whole one; never for 0 */
	uint64_t magnitude;
	double real;
};

struct names {
	const char **name;
	size_t n;
};

struct nodes {
	const struct node **node;
	size_t n;
};

struct named {
	const char *name;
	const struct node *node;
};

struct patterned {
	const struct pattern *pattern;
	const struct node *node;
};

struct members {
	struct named *named; /* sorted by name */
	size_t n_named;
	struct patterned *patterned;
	size_t n_patterned;
	const struct node *rest; /* additionalProperties, or NULL */
};

struct list {
	struct nodes prefix;
	const struct node *rest; /* items, or NULL */
};

struct contains {
	const struct node *node; /* NULL: only minContains, means nothing */
	size_t min, max;
};

struct choice {
	const struct node *when, *then, *otherwise; /* each may be NULL */
};

struct dependency { /* when the value has this property ... */
	const char *name;
	struct names names; /* ... it must have these */
	const struct node *node; /* ... it must also be this */
};

struct dependencies {
	struct dependency *item;
	size_t n;
};

struct rule {
	enum opcode op;
	enum schema_type applies; /* to values of these types */
	struct json_object *value; /* the keyword's, for messages */
	union {
		enum schema_type types;
		struct num num;
		size_t count;
		const struct pattern *pattern;
		const struct format *format;
		struct names names;
		const struct node *node;
		struct nodes nodes;
		struct members members;
		struct list list;
		struct contains contains;
		struct choice choice;
		struct dependencies dependencies;
		struct {
			const char *name; /* of the dynamic anchor */
			const struct node *node; /* where none is nearer */
		} dynamic;
	};
};

struct node {
	enum { NODE_RULES, NODE_TRUE, NODE_FALSE } kind;
	const char *where; /* "uri#/pointer" */
	struct json_object *json;
	struct resource *resource;
	struct rule *rules;
	size_t n_rules;
	/* Must know what its other rules evaluated of arrays, of objects. */
	enum schema_type unevaluated;
};

struct schema {
	const struct schema_set *set;
	const struct node *root;
};

/* What a schema lets through by its type, enum and const (inspect.c). */
enum schema_type schema__types(const struct node *node);

/*
 * Values (value.c)
 */
enum schema_type schema__type_of(struct json_object *value);
struct num schema__num_of(struct json_object *number);
int schema__num_compare(struct num a, struct num b);
/* Exactly, in decimal: 0.3 is a multiple of 0.1. The divisor is above 0. */
bool schema__num_is_multiple(struct num n, struct num divisor);

/* Equality as JSON Schema means it (1 is 1.0, members in any order). Each pair
 * inside arrays and objects takes one from *steps; when they run out, *steps
 * is 0 and the answer is false. */
bool
schema__equal(struct json_object *a, struct json_object *b, uint64_t *steps);

/* Equal values have equal hashes. */
uint64_t schema__hash(struct json_object *value);

/* Levels of arrays and objects: at most max + 1 is said of deeper ones. */
size_t schema__depth(struct json_object *value, size_t max);

/*
 * URIs (uri.c, RFC 3986)
 */
bool schema__uri_is_absolute(const char *uri);
char *schema__uri_resolve(void *owner, const char *base, const char *ref);
/* Cuts the fragment off and returns it, without "#"; "" when there is none. */
const char *schema__uri_cut_fragment(char *uri);
/* Without percent-encoding; NULL when that is malformed or hides a NUL. */
char *schema__uri_decode(void *owner, const char *text);

/*
 * Patterns (pattern.c) and formats (format.c)
 */
enum match { MATCH_NO, MATCH_YES, MATCH_TOO_COSTLY };

struct matcher *schema__matcher_new(void *owner);
/* NULL when it is not a regular expression, and *out_why. */
const struct pattern *schema__pattern_new(
    void *owner, const char *text, size_t n, const char **out_why);
enum match schema__pattern_match(const struct pattern *pattern,
    const struct matcher *matcher, const char *text, size_t n);

struct format {
	const char *name;
	bool (*accepts)(const char *text, size_t n);
	const char *message;
};

const struct format *schema__format(const char *name); /* or NULL */

/*
 * Sentences (words.c); they belong to owner.
 */
const char *schema__say_type(void *owner, enum schema_type types);
const char *schema__say_choices(void *owner, struct json_object *choices);
const char *schema__say_pattern(void *owner, const char *pattern);
const char *schema__say_value(void *owner, struct json_object *value);

#endif
