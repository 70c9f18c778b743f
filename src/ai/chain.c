/* Who is asked, in which order: what the settings say. */
#include <string.h>

#include "ai/ai_priv.h"
#include "base/config.h"

/* What the settings say of each kind; -1: nothing to set. */
static const struct {
	int key, url, model;
	bool needs_key, needs_url;
} settings[AI_KINDS] = {
    [AI_OPENAI] = {.key = CONFIG_APP_AI_OPENAI_API_KEY,
	.url = CONFIG_APP_AI_OPENAI_URL,
	.model = CONFIG_APP_AI_OPENAI_MODEL,
	.needs_key = true,
	.needs_url = true},
    [AI_ANTHROPIC] = {.key = CONFIG_CLAUDE_API_KEY,
	.url = CONFIG_CLAUDE_URL,
	.model = CONFIG_CLAUDE_MODEL,
	.needs_key = true,
	.needs_url = true},
    [AI_COMPATIBLE] = {.key = CONFIG_APP_AI_COMPATIBLE_API_KEY,
	.url = CONFIG_APP_AI_COMPATIBLE_URL,
	.model = CONFIG_APP_AI_COMPATIBLE_MODEL,
	.needs_url = true},
    [AI_SANDBOX] = {.key = -1, .url = -1, .model = -1},
};

static const char *
setting(int key, const char *otherwise)
{
	return key < 0 ? otherwise : config_get((enum config_key)key);
}

static bool
is_listed(const struct ai_target *list, size_t n, enum ai_kind kind)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].kind == kind)
			return true;
	return false;
}

static void
add(void *owner, enum ai_kind kind, struct ai_target *out, size_t *n)
{
	const char *model;

	if (kind == AI_KINDS || *n == AI_CHAIN_MAX || is_listed(out, *n, kind))
		return;
	model = setting(settings[kind].model, "sandbox");
	if (kind == ai_kind_of_word(config_get(CONFIG_APP_AI_PROVIDER)) &&
	    *config_get(CONFIG_APP_AI_DEFAULT_MODEL))
		model = config_get(CONFIG_APP_AI_DEFAULT_MODEL);
	out[(*n)++] = (struct ai_target){.kind = kind,
	    .model = mem_dup(owner, model),
	    .url = mem_dup(owner, setting(settings[kind].url, "")),
	    .key = mem_dup(owner, setting(settings[kind].key, ""))};
}

size_t
ai_targets(void *owner, const char *provider, const char *model,
    struct ai_target out[AI_CHAIN_MAX])
{
	const char *list = config_get(CONFIG_APP_AI_FALLBACK);
	size_t n = 0;

	if (!config_is(CONFIG_APP_AI_ENABLED))
		return 0;
	if (provider)
		add(owner, ai_kind_of_word(provider), out, &n);
	add(owner, ai_kind_of_word(config_get(CONFIG_APP_AI_PROVIDER)), out,
	    &n);
	while (*list) {
		size_t length = strcspn(list, ",");
		char *word = mem_dup_n(owner, list, length);

		add(owner, ai_kind_of_word(word), out, &n);
		list += length + (list[length] == ',');
	}
	if (model && n)
		out[0].model = mem_dup(owner, model);
	return n;
}

bool
ai_is_ready(const struct ai_target *target)
{
	return (!settings[target->kind].needs_key || *target->key) &&
	    (!settings[target->kind].needs_url || *target->url);
}
