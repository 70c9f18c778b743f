/*
 * Chat completions and embeddings as OpenAI has them, and as Ollama, llama.cpp
 * and vLLM have them after it (platform.openai.com/docs/api-reference/chat,
 * /chat-streaming, /embeddings).
 */
#include <math.h>
#include <string.h>

#include "ai/ai_priv.h"

static void
write_format(struct ai_call *call)
{
	struct json_object *schema = call->rq->schema;
	const char *name = call->rq->schema_name;
	struct buf *b = call->body;

	call->form = AI__FORMAT;
	buf_text(b,
	    ",\"response_format\":{\"type\":\"json_schema\","
	    "\"json_schema\":{\"name\":");
	ai__write_text(b, name ? name : "answer");
	buf_fmt(b, ",\"strict\":%s,\"schema\":",
	    ai__is_strict(schema) ? "true" : "false");
	ai__write_json(b, schema);
	buf_text(b, "}}");
}

static void
write_message(struct buf *b, const char *role, const char *text)
{
	buf_fmt(b, "{\"role\":\"%s\",\"content\":", role);
	ai__write_text(b, text);
	buf_char(b, '}');
}

static void
write_chat(struct ai_call *call)
{
	const struct ai_request *rq = call->rq;
	struct buf *b = call->body;

	buf_text(b, "{\"model\":");
	ai__write_text(b, call->target.model);
	buf_text(b, ",\"messages\":[");
	if (rq->system)
		write_message(b, "system", rq->system);
	for (size_t i = 0; i < rq->n_messages; i++) {
		if (i || rq->system)
			buf_char(b, ',');
		write_message(b,
		    rq->messages[i].role == AI_USER ? "user" : "assistant",
		    rq->messages[i].text);
	}
	/* newer models of OpenAI's take no other name; others not this one */
	buf_fmt(b, "],\"%s\":%lld",
	    call->target.kind == AI_OPENAI ? "max_completion_tokens"
					   : "max_tokens",
	    (long long)ai_output_tokens_most(rq));
	if (rq->has_temperature)
		buf_fmt(b, ",\"temperature\":%g", rq->temperature);
	if (call->is_streamed)
		buf_text(b,
		    ",\"stream\":true,\"stream_options\":"
		    "{\"include_usage\":true}");
	if (rq->schema)
		write_format(call);
	buf_char(b, '}');
}

static void
write_texts(struct ai_call *call)
{
	struct buf *b = call->body;

	buf_text(b, "{\"model\":");
	ai__write_text(b, call->target.model);
	buf_text(b, ",\"encoding_format\":\"float\",\"input\":[");
	for (size_t i = 0; i < call->n_texts; i++) {
		if (i)
			buf_char(b, ',');
		ai__write_text(b, call->texts[i]);
	}
	buf_text(b, "]}");
}

static void
write_call(struct ai_call *call)
{
	const char *url = call->target.url;
	size_t n = strlen(url);

	n -= n > 0 && url[n - 1] == '/';
	call->http.url = mem_fmt(call, "%.*s/%s", (int)n, url,
	    call->texts ? "embeddings" : "chat/completions");
	if (*call->target.key)
		ai__header(call, "Authorization: Bearer %s", call->target.key);
	if (call->texts)
		write_texts(call);
	else
		write_chat(call);
}

/* ---- answers */

static void
read_usage(struct ai_call *call, struct json_object *json)
{
	struct json_object *usage = ai__object(json, "usage");
	struct ai_usage found = {.counted = AI_COUNTED};

	if (!ai__count(usage, "prompt_tokens", &found.input))
		return;
	/* vectors have no output */
	if (!ai__count(usage, "completion_tokens", &found.output) &&
	    !call->texts)
		return;
	ai__count(ai__object(usage, "prompt_tokens_details"), "cached_tokens",
	    &found.cached);
	if (found.cached > found.input)
		found.cached = found.input;
	call->usage = found;
}

static void
read_finish(struct ai_call *call, struct json_object *choice)
{
	static const struct {
		const char *word;
		enum ai_finish finish;
	} words[] = {{"stop", AI_FINISH_STOP}, {"length", AI_FINISH_LENGTH},
	    {"content_filter", AI_FINISH_REFUSED}};
	const char *word = ai__text(choice, "finish_reason", NULL);

	if (!word)
		return;
	if (call->finish == AI_FINISH_NONE)
		call->finish = AI_FINISH_OTHER;
	for (size_t i = 0; i < nitems(words); i++)
		if (strcmp(word, words[i].word) == 0 &&
		    call->finish != AI_FINISH_REFUSED)
			call->finish = words[i].finish;
}

/* A message, or the piece of one that a stream brings. */
static void
read_piece(struct ai_call *call, struct json_object *piece)
{
	size_t n = 0;
	const char *text = ai__text(piece, "content", &n);
	const char *refusal = ai__text(piece, "refusal", NULL);

	if (text)
		ai__add_text(call, text, n);
	if (refusal && *refusal) {
		call->finish = AI_FINISH_REFUSED;
		if (!call->message)
			call->message = mem_dup_n(
			    call, refusal, strnlen(refusal, AI__MESSAGE_MAX));
	}
}

static struct json_object *
first_choice(struct json_object *json)
{
	struct json_object *choices = ai__array(json, "choices");

	return choices && json_object_array_length(choices)
	    ? json_object_array_get_idx(choices, 0)
	    : NULL;
}

static void
read_event(struct ai_call *call, struct json_object *json)
{
	struct json_object *choice = first_choice(json), *error;

	if (json_object_object_get_ex(json, "error", &error) && error) {
		ai__read_error(call, 0, json);
		return;
	}
	ai__read_model(call, json);
	read_usage(call, json);
	read_piece(call, ai__object(choice, "delta"));
	read_finish(call, choice);
}

/* One vector into its place; false when it is none, or of another length. */
static bool
read_vector(struct ai_call *call, struct json_object *item)
{
	struct json_object *list = ai__array(item, "embedding");
	size_t n = list ? json_object_array_length(list) : 0;
	int64_t index;

	if (n == 0 || n > AI_DIMENSIONS_MAX ||
	    !ai__count(item, "index", &index) || (size_t)index >= call->n_texts)
		return false;
	if (!call->numbers) {
		call->dimensions = n;
		call->numbers = mem_array(call, float, call->n_texts *n);
	}
	if (n != call->dimensions)
		return false;
	for (size_t i = 0; i < n; i++) {
		double x =
		    json_object_get_double(json_object_array_get_idx(list, i));

		if (!isfinite(x) || fabs(x) > 1e6)
			return false;
		call->numbers[(size_t)index * n + i] = (float)x;
	}
	return true;
}

static void
read_vectors(struct ai_call *call, struct json_object *json)
{
	struct json_object *data = ai__array(json, "data");
	bool *seen = mem_array(call, bool, call->n_texts);

	if (!data || json_object_array_length(data) != call->n_texts) {
		ai__fail(call, AI_GARBAGE, NULL);
		return;
	}
	for (size_t i = 0; i < call->n_texts; i++) {
		struct json_object *item = json_object_array_get_idx(data, i);
		int64_t index;

		if (!read_vector(call, item) ||
		    !ai__count(item, "index", &index) || seen[index]) {
			ai__fail(call, AI_GARBAGE, NULL);
			return;
		}
		seen[index] = true;
	}
}

static void
read_answer(struct ai_call *call, struct json_object *json)
{
	struct json_object *choice = first_choice(json);
	struct json_object *message = ai__object(choice, "message");

	ai__read_model(call, json);
	read_usage(call, json);
	if (call->texts) {
		read_vectors(call, json);
	} else if (!message) {
		ai__fail(call, AI_GARBAGE, NULL);
	} else {
		read_finish(call, choice);
		read_piece(call, message);
	}
}

const struct ai__driver ai__openai = {
    .write = write_call, .read = read_answer, .event = read_event};
