/*
 * JSON Schema, draft 2020-12: is this value what it should be, and if not,
 * where is it wrong and what should its author do? One validator for request
 * bodies, for the outputs of models and for our own replies.
 *
 * Documents are registered in a set under their URIs, a schema is compiled
 * from one of them once (every reference resolved, every pattern compiled),
 * and then accepts or refuses any number of values. Nothing is ever fetched:
 * what is not registered cannot be referred to. The metaschemas of the draft
 * (https://json-schema.org/draft/2020-12/schema and its vocabularies) are
 * built in.
 *
 * Every vocabulary is implemented: core, applicator, unevaluated, validation,
 * meta-data, content and format. A document whose $schema names a registered
 * metaschema uses the vocabularies that one lists in $vocabulary; a required
 * vocabulary that is unknown here is refused when compiling.
 *
 * A set and its schemas serve one thread.
 *
 * Specification: JSON Schema Core and Validation, 2020-12; RFC 3986 for URIs,
 * RFC 6901 for pointers. Patterns are ECMA-262 (pattern.c says how close).
 * Numbers are what json-c keeps: integers of 64 bits, beyond them doubles;
 * 1 and 1.0 are the same number. NaN and numbers a double cannot hold are
 * refused everywhere.
 */
#ifndef GNOMON_SCHEMA_SCHEMA_H
#define GNOMON_SCHEMA_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct json_object;
struct schema;
struct schema_set;

enum {
	/* Errors told about one value; more are counted as `more`. */
	SCHEMA_MAX_ERRORS = 32,
	/* Levels of arrays and objects in a document or a value. */
	SCHEMA_MAX_DEPTH = 128,
	/* Schemas inside one another while checking one value, references
	 * included: where a reference that leads to itself ends. */
	SCHEMA_MAX_NESTING = 1000,
	/* The budget of one check, in steps (a step is one keyword against one
	 * value or 64 bytes of its text, some 20 ns): a fixed part, and so
	 * many for every value and every 64 bytes of text inside the one
	 * checked. The draft's own metaschema needs about 30 a value. A check
	 * that needs more ends, and the value is refused. Patterns have
	 * limits of their own (pattern.c): 1 MB of text made against the
	 * worst of them takes 2 s. */
	SCHEMA_STEPS = 100000,
	SCHEMA_STEPS_PER_VALUE = 200,
};

/* What a schema set is told at birth. */
enum schema_flags {
	SCHEMA_PLAIN = 0,
	/* `format` asserts, not only annotates. Unknown formats accept all. */
	SCHEMA_ASSERT_FORMAT = 1,
};

/* A set with no documents of its own; owns everything compiled from it. */
struct schema_set *schema_set_new(void *owner, enum schema_flags flags);

/*
 * Registers a copy of the document under an absolute URI, and under its $id
 * when it has one; every $id and anchor inside becomes known too. False when
 * something in it cannot be registered (an identifier that is taken or
 * malformed, too many levels): the set is unchanged, and *out_why says what
 * and where, owned by the set.
 */
bool schema_set_add(struct schema_set *set, const char *uri,
    struct json_object *document, const char **out_why) MUST_CHECK;

/*
 * Compiles the schema at a URI whose fragment may be empty, a JSON Pointer or
 * an anchor. False when it or anything it refers to is broken (a reference to
 * nothing, a keyword of the wrong type, a pattern that does not compile):
 * *out_why begins with the URI of the place, owned by the set. The schema
 * belongs to the set and never changes.
 */
bool schema_compile(struct schema_set *set, const char *uri,
    const struct schema **out_schema, const char **out_why) MUST_CHECK;

/* One thing to change. */
struct schema_error {
	const char *pointer; /* JSON Pointer into the value; "" is all of it */
	const char *message; /* a sentence for people, "Enter 0 or more." */
};

struct schema_errors {
	struct schema_error item[SCHEMA_MAX_ERRORS];
	size_t n; /* items used */
	bool more; /* there were more than fit */
};

/*
 * Whether the value is valid. When it is not and errors is not NULL, errors
 * says why, its texts owned by owner; *errors is written in any case. A
 * missing field is told at the pointer it would have. Values nested too deep
 * or too costly to check are refused, with an error that says so. What the
 * check itself needs is freed before it returns; the value is only read.
 */
bool schema_accepts(const struct schema *schema, struct json_object *value,
    void *owner, struct schema_errors *errors);

/* Kinds of JSON values, as bits. A whole number is SCHEMA_INTEGER, any other
 * SCHEMA_NUMBER; a schema that says "number" has both bits. */
enum schema_type {
	SCHEMA_NONE = 0,
	SCHEMA_NULL = 1,
	SCHEMA_BOOLEAN = 2,
	SCHEMA_INTEGER = 4,
	SCHEMA_NUMBER = 8,
	SCHEMA_STRING = 16,
	SCHEMA_ARRAY = 32,
	SCHEMA_OBJECT = 64,
	SCHEMA_ANY = 127
};

/*
 * What a property of the objects this schema describes may be, found through
 * $ref, allOf, anyOf and oneOf; so an HTML form's text can be made into JSON.
 * SCHEMA_NONE when no `properties` names it, SCHEMA_ANY when nothing limits
 * it. Conditions (if, dependentSchemas, not) are not looked into.
 */
enum schema_type
schema_property_type(const struct schema *schema, const char *property);

/* The same for the items of a property that is an array. */
enum schema_type
schema_property_item_type(const struct schema *schema, const char *property);

/* Whether `required` names it, here or through $ref and allOf. */
bool
schema_property_required(const struct schema *schema, const char *property);

#endif
