/*
 * Any bytes as a template: parsing and rendering end, within their bounds,
 * whatever they are. The template can call itself as a partial.
 */
#include <assert.h>
#include <json-c/json.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/mem.h"
#include "view/mustache.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char context[] =
    "{\"a\":{\"b\":{\"c\":\"<&>\"}},\"l\":[1,2.5,[\"x\"],{\"a\":null}],"
    "\"s\":\"text\\nlines\",\"t\":true,\"f\":false,\"e\":[],\"n\":null}";

static const struct mustache *
find(const void *itself, const char *name)
{
	return *name == 'p' ? itself : NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct json_object *value;
	void *owner = mem_scope(NULL, "fuzz");
	struct buf *out = buf_new(owner, 1 << 16);
	struct mustache *m = NULL;
	char *why = NULL;

	if (!value)
		value = json_tokener_parse(context);
	if (mustache_parse(owner, (const char *)data, size, &m, &why)) {
		assert(!m && why);
	} else {
		struct mustache_partials partials = {.find = find, .data = m};
		struct mustache_use use;
		enum err e = mustache_render(m, value, &partials, out);

		assert(out->len <= out->max && (e || !out->full));
		for (size_t at = 0; mustache_next_use(m, &at, &use);)
			assert(use.name && use.line > 0);
	}
	mem_drop(&owner);
	return 0;
}
