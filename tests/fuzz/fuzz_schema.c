/*
 * Foreign bytes as a schema and a value: up to the first newline the schema,
 * after it the value. Whatever they are, the answer comes in bounded time.
 */
#include <json-c/json.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "base/op.h"
#include "schema/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static struct json_object *
parse(void *owner, const char *text, size_t n)
{
	struct json_tokener *t = json_tokener_new_ex(200);
	char *copy = mem_dup_n(owner, text, n);
	struct json_object *json;

	json_tokener_set_flags(t, JSON_TOKENER_VALIDATE_UTF8);
	json = json_tokener_parse_ex(t, copy, (int)n + 1);
	json_tokener_free(t);
	return op_json(owner, json);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static const char uri[] = "https://fuzz.invalid/schema";
	void *owner = mem_scope(NULL, "fuzz");
	struct schema_set *set = schema_set_new(owner, SCHEMA_ASSERT_FORMAT);
	const char *text = (const char *)bytes;
	const char *line = n > 0 ? memchr(text, '\n', n) : NULL;
	const struct schema *schema;
	struct schema_errors errors;
	const char *why;

	if (line) {
		size_t first = (size_t)(line - text);
		struct json_object *value =
		    parse(owner, line + 1, n - first - 1);

		if (schema_set_add(set, uri, parse(owner, text, first), &why) &&
		    schema_compile(set, uri, &schema, &why)) {
			schema_accepts(schema, value, owner, &errors);
			schema_property_type(schema, "a");
			schema_property_item_type(schema, "a");
		}
	}
	mem_drop(&owner);
	return 0;
}
