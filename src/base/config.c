/* Configuration: the environment, validated once at start. */
#include "base/config.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

enum kind { KIND_TEXT, KIND_BOOL, KIND_LEVEL };

struct setting {
	enum kind kind;
	const char *name;
	const char *fallback;
	const char *meaning;
};

static const struct setting settings[CONFIG_COUNT] = {
#define CFG(type, variable, value, prose) \
	[CONFIG_##variable] = {.kind = KIND_##type, \
	    .name = #variable, \
	    .fallback = value, \
	    .meaning = prose},
#include "base/config.def"
#undef CFG
};

static const char *values[CONFIG_COUNT];

static bool
is_one_of(const char *value, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(value, words[i]) == 0)
			return true;
	return false;
}

static const char *
problem(enum kind kind, const char *value)
{
	static const char *const bools[] = {"true", "false", "1", "0"};
	static const char *const levels[] = {"debug", "info", "warn", "error"};

	switch (kind) {
	case KIND_TEXT:
		return NULL;
	case KIND_BOOL:
		return is_one_of(value, bools, nitems(bools))
		    ? NULL
		    : "must be true, false, 1 or 0";
	case KIND_LEVEL:
		return is_one_of(value, levels, nitems(levels))
		    ? NULL
		    : "must be debug, info, warn or error";
	}
	return NULL;
}

bool
config_load(FILE *out)
{
	bool good = true;

	for (size_t i = 0; i < CONFIG_COUNT; i++) {
		const struct setting *s = &settings[i];
		const char *given = getenv(s->name);
		const char *wrong;

		values[i] = given && *given ? given : s->fallback;
		wrong = problem(s->kind, values[i]);
		if (!wrong)
			continue;
		fprintf(
		    out, "%s %s, not \"%.64s\".\n", s->name, wrong, values[i]);
		good = false;
	}
	return good;
}

const char *
config_get(enum config_key key)
{
	return values[key] ? values[key] : settings[key].fallback;
}

bool
config_is(enum config_key key)
{
	const char *value = config_get(key);

	return strcmp(value, "true") == 0 || strcmp(value, "1") == 0;
}

void
config_print(FILE *out)
{
	for (size_t i = 0; i < CONFIG_COUNT; i++) {
		const char *value = config_get((enum config_key)i);
		bool hidden = i == CONFIG_DATABASE_URL && strchr(value, '@');

		fprintf(out, "%-22s %-24s # %s%s\n", settings[i].name,
		    hidden ? "(set, password hidden)" : value,
		    settings[i].meaning,
		    values[i] == settings[i].fallback ? " (default)" : "");
	}
}
