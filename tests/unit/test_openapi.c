/* The OpenAPI document: complete, and its examples are what they show. */
#include "unit.h"

#include <json-c/json.h>

#include "base/op.h"
#include "gen/embed.h"
#include "http/endpoint.h"
#include "http/openapi.h"
#include "schema/schema.h"

static struct json_object *
at(struct json_object *o, const char *key)
{
	struct json_object *found = NULL;

	assert_true(json_object_object_get_ex(o, key, &found));
	return found;
}

static void
every_route_is_in_it_and_no_other(void **state)
{
	struct json_object *paths = at(openapi_make(*state), "paths");
	size_t n = 0, listed = 0;

	for (size_t i = 0; i < n_endpoints; i++) {
		static const char *const methods[] = {
		    "get", "post", "put", "patch", "delete"};
		const struct endpoint *e = &endpoints[i];
		struct json_object *o;

		if (!openapi_has(e))
			continue;
		o = at(at(paths, e->path), methods[e->method]);
		assert_string_equal(
		    json_object_get_string(at(o, "operationId")), e->name);
		n++;
	}
	json_object_object_foreach (paths, path, item) {
		(void)path;
		listed += (size_t)json_object_object_length(item);
	}
	assert_int_equal(listed, n);
}

static void
every_schema_accepts_its_example(void **state)
{
	struct json_object *doc = openapi_make(*state);
	struct json_object *schemas = at(at(doc, "components"), "schemas");
	struct schema_set *set = schema_set_new(*state, SCHEMA_ASSERT_FORMAT);
	const char *why = NULL;

	assert_true(schema_set_add(set, "gnomon:/openapi", doc, &why));
	json_object_object_foreach (schemas, name, value) {
		struct json_object *examples = at(value, "examples");
		struct schema_errors errors;
		const struct schema *schema;

		if (!schema_compile(set,
			mem_fmt(*state,
			    "gnomon:/openapi#/components/schemas/%s", name),
			&schema, &why))
			fail_msg("%s: %s", name, why);
		for (size_t i = 0; i < json_object_array_length(examples); i++)
			if (!schema_accepts(schema,
				json_object_array_get_idx(examples, i), *state,
				&errors))
				fail_msg("%s: the example is wrong at %s: %s",
				    name, errors.item[0].pointer,
				    errors.item[0].message);
	}
}

/* The schema of the OpenAPI Initiative for 3.1 documents, as published at
 * https://spec.openapis.org/oas/3.1/schema/ (Apache licence 2.0). */
static void
it_is_an_openapi_document(void **state)
{
	struct json_object *doc = openapi_make(*state);
	struct schema_set *set = schema_set_new(*state, SCHEMA_ASSERT_FORMAT);
	struct json_object *published = op_json(*state,
	    json_object_from_file(
		SOURCE_DIR "/tests/unit/openapi-3.1.schema.json"));
	const struct schema *schema;
	struct schema_errors errors;
	const char *why = NULL;

	assert_non_null(published);
	assert_true(schema_set_add(set, "gnomon:/published", published, &why));
	if (!schema_compile(set, "gnomon:/published", &schema, &why))
		fail_msg("%s", why);
	if (!schema_accepts(schema, doc, *state, &errors))
		fail_msg(
		    "%s: %s", errors.item[0].pointer, errors.item[0].message);
}

/* What "$ref" leads to, or NULL. */
static struct json_object *
follow(void *owner, struct json_object *doc, const char *ref)
{
	char *rest = mem_dup(owner, ref);

	assert_memory_equal(rest, "#/", 2);
	for (char *part = rest + 2; part && doc;) {
		char *slash = strchr(part, '/');

		if (slash)
			*slash = '\0';
		doc = json_object_object_get(doc, part);
		part = slash ? slash + 1 : NULL;
	}
	return doc;
}

static void
check_refs(void *owner, struct json_object *doc, struct json_object *value)
{
	if (json_object_is_type(value, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(value); i++)
			check_refs(
			    owner, doc, json_object_array_get_idx(value, i));
	} else if (json_object_is_type(value, json_type_object)) {
		json_object_object_foreach (value, key, member) {
			if (strcmp(key, "$ref") == 0)
				assert_non_null(follow(owner, doc,
				    json_object_get_string(member)));
			check_refs(owner, doc, member);
		}
	}
}

static void
every_reference_leads_somewhere(void **state)
{
	struct json_object *doc = openapi_make(*state);

	check_refs(*state, doc, doc);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    unit(every_route_is_in_it_and_no_other),
	    unit(it_is_an_openapi_document),
	    unit(every_schema_accepts_its_example),
	    unit(every_reference_leads_somewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
