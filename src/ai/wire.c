/* JSON of others, looked at without trust. */
#include <assert.h>
#include <limits.h>
#include <string.h>

#include "ai/ai_priv.h"
#include "base/text.h"

struct json_object *
ai__parse(void *owner, const char *text, size_t n, int depth,
    enum ai_fault *out_fault)
{
	struct json_tokener *t = json_tokener_new_ex(depth);
	struct json_object *json;
	enum json_tokener_error e;
	bool is_whole;

	assert(n < INT_MAX);
	json_tokener_set_flags(
	    t, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	json = op_json(owner, json_tokener_parse_ex(t, text, (int)n));
	e = json_tokener_get_error(t);
	is_whole =
	    e == json_tokener_success && json_tokener_get_parse_end(t) == n;
	json_tokener_free(t);
	if (is_whole && json)
		return json;
	*out_fault = e == json_tokener_error_parse_utf8_string ? AI_ENCODING
							       : AI_GARBAGE;
	return NULL;
}

static struct json_object *
member(struct json_object *o, const char *key, enum json_type type)
{
	struct json_object *found = NULL;

	if (!json_object_is_type(o, json_type_object) ||
	    !json_object_object_get_ex(o, key, &found) ||
	    !json_object_is_type(found, type))
		return NULL;
	return found;
}

struct json_object *
ai__object(struct json_object *o, const char *key)
{
	return member(o, key, json_type_object);
}

struct json_object *
ai__array(struct json_object *o, const char *key)
{
	return member(o, key, json_type_array);
}

const char *
ai__text(struct json_object *o, const char *key, size_t *out_n)
{
	struct json_object *found = member(o, key, json_type_string);

	if (!found)
		return NULL;
	if (out_n)
		*out_n = (size_t)json_object_get_string_len(found);
	return json_object_get_string(found);
}

bool
ai__is_text(struct json_object *o, const char *key, const char *text)
{
	const char *found = ai__text(o, key, NULL);

	return found && strcmp(found, text) == 0;
}

bool
ai__count(struct json_object *o, const char *key, int64_t *out)
{
	struct json_object *found = member(o, key, json_type_int);
	int64_t n = found ? json_object_get_int64(found) : -1;

	if (n < 0 || n > AI__TOKENS_MAX)
		return false;
	*out = n;
	return true;
}

enum ai_fault
ai__fault_of_status(int status)
{
	switch (status) {
	case 401:
	case 403:
		return AI_AUTH;
	case 402:
		return AI_QUOTA;
	case 404:
		return AI_NO_MODEL;
	case 413:
		return AI_TOO_LONG;
	case 429:
		return AI_RATE_LIMITED;
	case 503:
	case 529:
		return AI_OVERLOADED;
	default:
		if (status >= 500 || status == 408)
			return AI_SERVER;
		return status >= 400 ? AI_BAD_REQUEST : AI_REDIRECT;
	}
}

/* Words of both formats: OpenAI's type and code, Anthropic's type and
 * details.error_code. They say more than a status does. */
static enum ai_fault
fault_of_word(const char *word)
{
	static const struct {
		const char *word;
		enum ai_fault fault;
	} words[] = {
	    {"insufficient_quota", AI_QUOTA},
	    {"billing_hard_limit_reached", AI_QUOTA},
	    {"billing_error", AI_QUOTA},
	    {"enforced_spend_limit_reached", AI_QUOTA},
	    {"context_length_exceeded", AI_TOO_LONG},
	    {"request_too_large", AI_TOO_LONG},
	    {"exceed_context_size_error", AI_TOO_LONG}, /* llama.cpp */
	    {"string_above_max_length", AI_TOO_LONG},
	    {"model_not_found", AI_NO_MODEL},
	    {"not_found_error", AI_NO_MODEL},
	    {"invalid_api_key", AI_AUTH},
	    {"authentication_error", AI_AUTH},
	    {"permission_error", AI_AUTH},
	    {"rate_limit_exceeded", AI_RATE_LIMITED},
	    {"rate_limit_error", AI_RATE_LIMITED},
	    {"overloaded_error", AI_OVERLOADED},
	    {"unavailable_error", AI_OVERLOADED}, /* llama.cpp: loading */
	    {"api_error", AI_SERVER},
	    {"server_error", AI_SERVER},
	    {"timeout_error", AI_SERVER},
	    {"content_filter", AI_REFUSED},
	    {"content_policy_violation", AI_REFUSED},
	    {"invalid_request_error", AI_BAD_REQUEST},
	};

	for (size_t i = 0; word && i < nitems(words); i++)
		if (strcmp(word, words[i].word) == 0)
			return words[i].fault;
	return AI_GOOD;
}

void
ai__read_model(struct ai_call *call, struct json_object *json)
{
	size_t n;
	const char *model = ai__text(json, "model", &n);

	if (model && !call->model && n > 0 && n <= 200 &&
	    text_is_storable(model, n))
		call->model = mem_dup_n(call, model, n);
}

void
ai__read_error(struct ai_call *call, int status, struct json_object *json)
{
	struct json_object *error = ai__object(json, "error");
	const char *message = ai__text(error, "message", NULL);
	const char *words[] = {
	    ai__text(ai__object(error, "details"), "error_code", NULL),
	    ai__text(error, "code", NULL), ai__text(error, "type", NULL)};
	enum ai_fault fault = AI_GOOD;

	if (!error)
		message = ai__text(json, "error", NULL); /* Ollama */
	for (size_t i = 0; i < nitems(words) && fault == AI_GOOD; i++)
		fault = fault_of_word(words[i]);
	/* a type that says no more than the status */
	if (fault == AI_BAD_REQUEST && message &&
	    text_starts(message, "prompt is too long")) /* Anthropic */
		fault = AI_TOO_LONG;
	else if (status && (fault == AI_GOOD || fault == AI_BAD_REQUEST))
		fault = ai__fault_of_status(status);
	ai__fail(call, fault == AI_GOOD ? AI_SERVER : fault, message);
}

bool
ai__says_it_lives(enum ai_fault fault)
{
	return fault != AI_CANCELLED && fault != AI_NO_KEY &&
	    fault != AI_BREAKER && !ai_fault_info(fault)->speaks_against;
}

void
ai__write_text(struct buf *out, const char *text)
{
	buf_json_text(out, text, strlen(text));
}

void
ai__write_json(struct buf *out, struct json_object *json)
{
	buf_text(out,
	    json_object_to_json_string_ext(
		json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}
