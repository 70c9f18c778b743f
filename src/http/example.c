/*
 * Examples for the OpenAPI document: of a schema a value that it accepts, as
 * telling as the names of its fields allow. A schema that this cannot guess
 * carries "examples" of its own; a unit test holds every example to its schema.
 */
#include <json-c/json.h>

#include "http/http_priv.h"

enum { EXAMPLE_DEPTH = 8 };

static struct json_object *example_of(struct json_object *schemas,
    struct json_object *schema, const char *name, int depth);

static struct json_object *
get(struct json_object *o, const char *key)
{
	return json_object_object_get(o, key);
}

static struct json_object *
example_text(struct json_object *schema, const char *name)
{
	static const struct {
		const char *name, *text;
	} known[] = {
	    {"email", "mira@acme.example"},
	    {"password", "the-sundial-stands-still"},
	    {"key", "AC"},
	    {"slug", "acme"},
	    {"name", "Atlas"},
	    {"title", "Pay by card"},
	    {"timezone", "Europe/Berlin"},
	    {"plan", "free"},
	    {"agentKey", "sprint_risk"},
	    {"agent", "sprint_risk"},
	    {"scheduleCron", "0 8 * * *"},
	    {"accessToken", "eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl"},
	    {"description", "Customers **pay** without an account."},
	    {"goal", "Customers can pay by card."},
	    {"body", "At 2.4 points a day 7 of 49 points can be finished."},
	    {"kind", "agent:sprint_risk:run"},
	    {"feature", "sprint_risk"},
	};
	static const struct {
		const char *format, *text;
	} formats[] = {
	    {"uuid", HTTP_EXAMPLE_ID},
	    {"date-time", "2026-11-20T08:14:02Z"},
	    {"date", "2026-11-20"},
	    {"email", "mira@acme.example"},
	    {"uri", "https://acme.example/"},
	};
	const char *format = json_object_get_string(get(schema, "format"));
	int64_t min = json_object_get_int64(get(schema, "minLength"));
	struct json_object *text;
	char padded[256];
	size_t n;

	for (size_t i = 0; format && i < nitems(formats); i++)
		if (strcmp(formats[i].format, format) == 0)
			return json_object_new_string(formats[i].text);
	for (size_t i = 0; i < nitems(known); i++)
		if (strcmp(known[i].name, name) == 0)
			return json_object_new_string(known[i].text);
	n = strlen(name);
	text = json_object_new_string(name);
	if ((int64_t)n >= min || min >= (int64_t)sizeof(padded))
		return text;
	json_object_put(text);
	memset(padded, 'x', (size_t)min);
	memcpy(padded, name, n);
	return json_object_new_string_len(padded, (int)min);
}

static struct json_object *
example_number(struct json_object *schema, const char *name)
{
	static const struct {
		const char *name;
		int64_t value;
	} known[] = {
	    {"number", 1042},
	    {"version", 3},
	    {"costMicros", 21000},
	    {"expiresIn", 3600},
	    {"inputTokens", 3912},
	    {"outputTokens", 641},
	    {"durationMs", 2300},
	    {"confidence", 80},
	    {"estimate", 5},
	    {"points", 34},
	    {"schemaVersion", 9},
	};
	struct json_object *min = NULL;

	for (size_t i = 0; i < nitems(known); i++)
		if (strcmp(known[i].name, name) == 0)
			return json_object_new_int64(known[i].value);
	if (json_object_object_get_ex(schema, "minimum", &min))
		return json_object_get(min);
	return json_object_new_int64(1);
}

/* The first branch that is not null. */
static struct json_object *
first_branch(struct json_object *schema)
{
	static const char *const choices[] = {"anyOf", "oneOf"};

	for (size_t c = 0; c < nitems(choices); c++) {
		struct json_object *list = get(schema, choices[c]);

		for (size_t i = 0; list && i < json_object_array_length(list);
		     i++) {
			struct json_object *branch =
			    json_object_array_get_idx(list, i);
			const char *type =
			    json_object_get_string(get(branch, "type"));

			if (!type || strcmp(type, "null") != 0)
				return branch;
		}
	}
	return NULL;
}

static bool
is_required(struct json_object *schema, const char *name)
{
	struct json_object *list = get(schema, "required");

	for (size_t i = 0; list && i < json_object_array_length(list); i++)
		if (strcmp(json_object_get_string(
			       json_object_array_get_idx(list, i)),
			name) == 0)
			return true;
	return false;
}

/* Every property; where there is a choice of what must be there (oneOf of
 * required), only what must in the first case. */
static struct json_object *
example_object(
    struct json_object *schemas, struct json_object *schema, int depth)
{
	struct json_object *o = json_object_new_object();
	struct json_object *required = get(schema, "required"), *max = NULL;
	struct json_object *properties, *branch = first_branch(schema);
	size_t room = SIZE_MAX;

	if (json_object_object_get_ex(schema, "maxProperties", &max))
		room = (size_t)json_object_get_int64(max);
	if (json_object_object_get_ex(schema, "properties", &properties)) {
		json_object_object_foreach (properties, key, value) {
			if (branch && !is_required(schema, key) &&
			    !is_required(branch, key))
				continue;
			if (room-- == 0)
				return o;
			json_object_object_add(
			    o, key, example_of(schemas, value, key, depth + 1));
		}
	}
	for (size_t i = 0; required && i < json_object_array_length(required);
	     i++) {
		const char *name = json_object_get_string(
		    json_object_array_get_idx(required, i));

		if (!json_object_object_get_ex(o, name, NULL))
			json_object_object_add(
			    o, name, json_object_new_string(name));
	}
	return o;
}

static struct json_object *
example_array(struct json_object *schemas, struct json_object *schema,
    const char *name, int depth)
{
	struct json_object *list = json_object_new_array(), *items = NULL;

	if (json_object_object_get_ex(schema, "items", &items))
		json_object_array_add(
		    list, example_of(schemas, items, name, depth + 1));
	return list;
}

static const char *
first_type(struct json_object *schema)
{
	struct json_object *type = get(schema, "type");

	if (json_object_is_type(type, json_type_array))
		type = json_object_array_get_idx(type, 0);
	if (type)
		return json_object_get_string(type);
	return get(schema, "properties") ? "object" : "string";
}

static struct json_object *
example_of(struct json_object *schemas, struct json_object *schema,
    const char *name, int depth)
{
	struct json_object *value = NULL, *branch = first_branch(schema);
	const char *ref = json_object_get_string(get(schema, "$ref")), *type;

	if (json_object_object_get_ex(schema, "examples", &value) ||
	    json_object_object_get_ex(schema, "enum", &value))
		return json_object_get(json_object_array_get_idx(value, 0));
	if (json_object_object_get_ex(schema, "const", &value))
		return json_object_get(value);
	if (depth > EXAMPLE_DEPTH)
		return NULL;
	if (ref)
		return example_of(schemas, get(schemas, strrchr(ref, '/') + 1),
		    name, depth + 1);
	if (branch && !get(schema, "properties"))
		return example_of(schemas, branch, name, depth + 1);
	type = first_type(schema);
	if (strcmp(type, "object") == 0)
		return example_object(schemas, schema, depth);
	if (strcmp(type, "array") == 0)
		return example_array(schemas, schema, name, depth);
	if (strcmp(type, "integer") == 0 || strcmp(type, "number") == 0)
		return example_number(schema, name);
	if (strcmp(type, "boolean") == 0)
		return json_object_new_boolean(true);
	return example_text(schema, name);
}

struct json_object *
http__example(
    struct json_object *schemas, struct json_object *schema, const char *name)
{
	return example_of(schemas, schema, name, 0);
}
