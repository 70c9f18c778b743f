/* What providers take as a schema: each a part of JSON Schema. */
#include <string.h>

#include "ai/ai_priv.h"

enum { DEPTH_MAX = 64 };

static bool
is_one_of(const char *word, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(word, words[i]) == 0)
			return true;
	return false;
}

/* Whose value is an object of schemas, a schema, a list of schemas. */
static bool
holds_many(const char *word)
{
	return strcmp(word, "properties") == 0 || strcmp(word, "$defs") == 0 ||
	    strcmp(word, "definitions") == 0;
}

static bool
holds_list(const char *word)
{
	return strcmp(word, "anyOf") == 0 || strcmp(word, "allOf") == 0;
}

static bool
is_object_schema(struct json_object *schema)
{
	struct json_object *type = json_object_object_get(schema, "type");

	if (json_object_object_get_ex(schema, "properties", NULL))
		return true;
	if (json_object_is_type(type, json_type_string))
		return strcmp(json_object_get_string(type), "object") == 0;
	for (size_t i = 0; json_object_is_type(type, json_type_array) &&
	     i < json_object_array_length(type);
	     i++)
		if (strcmp(json_object_get_string(
			       json_object_array_get_idx(type, i)),
			"object") == 0)
			return true;
	return false;
}

static bool
is_false(struct json_object *schema, const char *word)
{
	struct json_object *found;

	return json_object_object_get_ex(schema, word, &found) &&
	    json_object_is_type(found, json_type_boolean) &&
	    !json_object_get_boolean(found);
}

/* ---- OpenAI's strict mode */

static bool
requires_all(struct json_object *schema)
{
	struct json_object *required = ai__array(schema, "required");
	struct json_object *properties = ai__object(schema, "properties");

	if (!properties || !is_false(schema, "additionalProperties"))
		return false;
	json_object_object_foreach (properties, name, value) {
		bool found = false;

		(void)value;
		for (size_t i = 0; required && !found &&
		     i < json_object_array_length(required);
		     i++)
			found =
			    strcmp(json_object_get_string(
				       json_object_array_get_idx(required, i)),
				name) == 0;
		if (!found)
			return false;
	}
	return true;
}

static bool is_strict(struct json_object *schema, int depth);

static bool
are_strict(const char *word, struct json_object *value, int depth)
{
	if (holds_many(word) && json_object_is_type(value, json_type_object)) {
		json_object_object_foreach (value, name, one) {
			(void)name;
			if (!is_strict(one, depth))
				return false;
		}
	} else if (strcmp(word, "anyOf") == 0) {
		for (size_t i = 0; i < json_object_array_length(value); i++)
			if (!is_strict(
				json_object_array_get_idx(value, i), depth))
				return false;
	} else if (strcmp(word, "items") == 0) {
		return is_strict(value, depth);
	}
	return true;
}

static bool
is_strict(struct json_object *schema, int depth)
{
	static const char *const known[] = {"type", "properties", "required",
	    "additionalProperties", "items", "enum", "const", "anyOf", "$ref",
	    "$defs", "description", "title", "minItems", "maxItems", "minimum",
	    "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
	    "pattern", "format", "$schema"};

	if (!json_object_is_type(schema, json_type_object) || depth > DEPTH_MAX)
		return false;
	if (is_object_schema(schema) && !requires_all(schema))
		return false;
	json_object_object_foreach (schema, word, value) {
		if (!is_one_of(word, known, nitems(known)) ||
		    !are_strict(word, value, depth + 1))
			return false;
	}
	return true;
}

bool
ai__is_strict(struct json_object *schema)
{
	return is_object_schema(schema) && is_strict(schema, 0);
}

/* ---- Anthropic's output format */

static struct json_object *reduce(struct json_object *schema, int depth);

/* NULL: it cannot be said. */
static struct json_object *
reduce_many(struct json_object *schemas, int depth)
{
	struct json_object *out = json_object_new_object();

	json_object_object_foreach (schemas, name, one) {
		struct json_object *reduced = reduce(one, depth);

		if (!reduced) {
			json_object_put(out);
			return NULL;
		}
		json_object_object_add(out, name, reduced);
	}
	return out;
}

static struct json_object *
reduce_list(struct json_object *schemas, int depth)
{
	struct json_object *out = json_object_new_array();

	for (size_t i = 0; i < json_object_array_length(schemas); i++) {
		struct json_object *reduced =
		    reduce(json_object_array_get_idx(schemas, i), depth);

		if (!reduced) {
			json_object_put(out);
			return NULL;
		}
		json_object_array_add(out, reduced);
	}
	return out;
}

static struct json_object *
reduce_value(const char *word, struct json_object *value, int depth)
{
	if (holds_many(word) && json_object_is_type(value, json_type_object))
		return reduce_many(value, depth);
	if (holds_list(word) && json_object_is_type(value, json_type_array))
		return reduce_list(value, depth);
	if (strcmp(word, "items") == 0)
		return reduce(value, depth);
	return json_object_get(value);
}

static struct json_object *
reduce(struct json_object *schema, int depth)
{
	static const char *const kept[] = {"type", "properties", "required",
	    "items", "enum", "const", "anyOf", "allOf", "$ref", "$defs",
	    "definitions", "description", "title", "format", "default"};
	struct json_object *out, *more;

	if (!json_object_is_type(schema, json_type_object) || depth > DEPTH_MAX)
		return NULL;
	/* an object of any names is no closed one */
	if (is_object_schema(schema) &&
	    (!ai__object(schema, "properties") ||
		(json_object_object_get_ex(
		     schema, "additionalProperties", &more) &&
		    !is_false(schema, "additionalProperties"))))
		return NULL;
	out = json_object_new_object();
	json_object_object_foreach (schema, word, value) {
		struct json_object *reduced;

		if (!is_one_of(word, kept, nitems(kept)))
			continue;
		reduced = reduce_value(word, value, depth + 1);
		if (!reduced) {
			json_object_put(out);
			return NULL;
		}
		json_object_object_add(out, word, reduced);
	}
	if (is_object_schema(schema))
		json_object_object_add(out, "additionalProperties",
		    json_object_new_boolean(false));
	return out;
}

struct json_object *
ai__reduce(void *owner, struct json_object *schema)
{
	return is_object_schema(schema) ? op_json(owner, reduce(schema, 0))
					: NULL;
}
