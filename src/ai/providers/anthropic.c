/*
 * The messages API of Anthropic (platform.claude.com/docs/en/api/messages,
 * /build-with-claude/streaming, /structured-outputs, /api/errors).
 *
 * JSON is asked for in the way that the model knows: by output_config.format;
 * of models before 4.5 by a tool that must be used (which models from 5.5 on
 * refuse); and where the format cannot say the schema, in words.
 */
#include <string.h>

#include "ai/ai_priv.h"
#include "base/text.h"

static const char tool_name[] = "answer";

/* Whether the model came before output_config.format. */
static bool
is_old(const char *model)
{
	static const char *const old[] = {"claude-2", "claude-3",
	    "claude-instant", "claude-sonnet-4-0", "claude-sonnet-4-2025",
	    "claude-opus-4-0", "claude-opus-4-1", "claude-opus-4-2025"};

	for (size_t i = 0; i < nitems(old); i++)
		if (text_starts(model, old[i]))
			return true;
	return strcmp(model, "claude-sonnet-4") == 0 ||
	    strcmp(model, "claude-opus-4") == 0;
}

static void
write_system(struct ai_call *call, struct json_object *told)
{
	const char *system = call->rq->system;

	if (!system && !told)
		return;
	buf_text(call->body, ",\"system\":");
	ai__write_text(call->body,
	    told ? mem_fmt(call,
		       "%s%sAnswer with JSON alone, without a fence, that fits "
		       "this JSON Schema:\n%s",
		       system ? system : "", system ? "\n\n" : "",
		       json_object_to_json_string_ext(told,
			   JSON_C_TO_STRING_PLAIN |
			       JSON_C_TO_STRING_NOSLASHESCAPE))
		 : system);
}

static void
write_tool(struct ai_call *call, struct json_object *schema)
{
	struct buf *b = call->body;

	buf_fmt(b,
	    ",\"tools\":[{\"name\":\"%s\",\"description\":"
	    "\"Takes the answer.\",\"input_schema\":",
	    tool_name);
	ai__write_json(b, schema);
	buf_fmt(b, "}],\"tool_choice\":{\"type\":\"tool\",\"name\":\"%s\"}",
	    tool_name);
}

static void
write_schema(struct ai_call *call)
{
	struct json_object *schema = call->rq->schema, *reduced;

	if (is_old(call->target.model)) {
		call->form = AI__TOOL;
		write_system(call, NULL);
		write_tool(call, schema);
		return;
	}
	reduced = ai__reduce(call, schema);
	call->form = reduced ? AI__FORMAT : AI__TOLD;
	write_system(call, reduced ? NULL : schema);
	if (reduced) {
		buf_text(call->body,
		    ",\"output_config\":{\"format\":"
		    "{\"type\":\"json_schema\",\"schema\":");
		ai__write_json(call->body, reduced);
		buf_text(call->body, "}}");
	}
}

static void
write_call(struct ai_call *call)
{
	const struct ai_request *rq = call->rq;
	const char *url = call->target.url;
	struct buf *b = call->body;
	size_t n = strlen(url);

	n -= n > 0 && url[n - 1] == '/';
	call->http.url = mem_fmt(call, "%.*s/v1/messages", (int)n, url);
	ai__header(call, "x-api-key: %s", call->target.key);
	ai__header(call, "anthropic-version: 2023-06-01");
	buf_text(b, "{\"model\":");
	ai__write_text(b, call->target.model);
	buf_fmt(
	    b, ",\"max_tokens\":%lld", (long long)ai_output_tokens_most(rq));
	if (rq->schema)
		write_schema(call);
	else
		write_system(call, NULL);
	buf_text(b, ",\"messages\":[");
	for (size_t i = 0; i < rq->n_messages; i++) {
		buf_fmt(b, "%s{\"role\":\"%s\",\"content\":", i ? "," : "",
		    rq->messages[i].role == AI_USER ? "user" : "assistant");
		ai__write_text(b, rq->messages[i].text);
		buf_char(b, '}');
	}
	buf_char(b, ']');
	if (rq->has_temperature)
		buf_fmt(b, ",\"temperature\":%g", rq->temperature);
	if (call->is_streamed)
		buf_text(b, ",\"stream\":true");
	buf_char(b, '}');
}

/* ---- answers */

/* What was read from the cache or written to it is not in input_tokens. */
static bool
read_usage(struct ai_call *call, struct json_object *usage)
{
	struct ai_usage *u = &call->usage;
	int64_t plain = u->input - u->cached - u->written;
	bool has_output;

	ai__count(usage, "input_tokens", &plain);
	ai__count(usage, "cache_read_input_tokens", &u->cached);
	ai__count(usage, "cache_creation_input_tokens", &u->written);
	has_output = ai__count(usage, "output_tokens", &u->output);
	u->input = plain + u->cached + u->written;
	return has_output;
}

static void
read_stop(struct ai_call *call, struct json_object *o)
{
	static const struct {
		const char *word;
		enum ai_finish finish;
	} words[] = {{"end_turn", AI_FINISH_STOP},
	    {"stop_sequence", AI_FINISH_STOP}, {"tool_use", AI_FINISH_STOP},
	    {"max_tokens", AI_FINISH_LENGTH},
	    {"model_context_window_exceeded", AI_FINISH_LENGTH},
	    {"refusal", AI_FINISH_REFUSED}};
	const char *word = ai__text(o, "stop_reason", NULL);

	if (!word)
		return;
	call->finish = AI_FINISH_OTHER;
	for (size_t i = 0; i < nitems(words); i++)
		if (strcmp(word, words[i].word) == 0)
			call->finish = words[i].finish;
}

static void
add_tool(struct ai_call *call, const char *json, size_t n)
{
	if (n && call->first_ms == 0)
		call->first_ms = ai__now_ms();
	buf_add(call->tool, json, n);
	if (call->tool->full)
		ai__fail(call, AI_TOO_LARGE, NULL);
}

/* Thinking, and whatever else there may be, is passed over. */
static void
read_block(struct ai_call *call, struct json_object *block)
{
	struct json_object *input = ai__object(block, "input");
	size_t n = 0;
	const char *text = ai__text(block, "text", &n);

	if (ai__is_text(block, "type", "text") && text)
		ai__add_text(call, text, n);
	if (!ai__is_text(block, "type", "tool_use") || !input ||
	    call->tool_index >= 0)
		return;
	call->tool_index = 0;
	text = json_object_to_json_string_ext(
	    input, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	add_tool(call, text, strlen(text));
}

static void
read_answer(struct ai_call *call, struct json_object *json)
{
	struct json_object *content = ai__array(json, "content");

	if (!content || !ai__is_text(json, "type", "message")) {
		ai__fail(call, AI_GARBAGE, NULL);
		return;
	}
	ai__read_model(call, json);
	if (read_usage(call, ai__object(json, "usage")))
		call->usage.counted = AI_COUNTED;
	read_stop(call, json);
	for (size_t i = 0; i < json_object_array_length(content); i++)
		read_block(call, json_object_array_get_idx(content, i));
}

static void
read_start(struct ai_call *call, struct json_object *json)
{
	struct json_object *message = ai__object(json, "message");

	ai__read_model(call, message);
	if (read_usage(call, ai__object(message, "usage")))
		call->usage.counted = AI_COUNTED_PARTLY;
}

static void
read_block_start(struct ai_call *call, struct json_object *json)
{
	struct json_object *block = ai__object(json, "content_block");
	size_t n = 0;
	const char *text = ai__text(block, "text", &n);
	int64_t index;

	if (ai__is_text(block, "type", "text") && text)
		ai__add_text(call, text, n);
	if (ai__is_text(block, "type", "tool_use") && call->tool_index < 0 &&
	    ai__count(json, "index", &index))
		call->tool_index = index;
}

static void
read_delta(struct ai_call *call, struct json_object *json)
{
	struct json_object *delta = ai__object(json, "delta");
	size_t n = 0;
	int64_t index;
	const char *text = ai__text(delta, "text", &n);
	const char *part;

	if (ai__is_text(delta, "type", "text_delta") && text)
		ai__add_text(call, text, n);
	part = ai__text(delta, "partial_json", &n);
	if (ai__is_text(delta, "type", "input_json_delta") && part &&
	    ai__count(json, "index", &index) && index == call->tool_index)
		add_tool(call, part, n);
}

static void
read_end(struct ai_call *call, struct json_object *json)
{
	read_stop(call, ai__object(json, "delta"));
	if (read_usage(call, ai__object(json, "usage")))
		call->usage.counted = AI_COUNTED;
}

static void
read_last(struct ai_call *call, struct json_object *json)
{
	(void)json;
	call->is_done = true;
}

static void
read_fault(struct ai_call *call, struct json_object *json)
{
	ai__read_error(call, 0, json);
}

/* Further types may come at any time and are passed over, as ping is. */
static void
read_event(struct ai_call *call, struct json_object *json)
{
	static const struct {
		const char *type;
		void (*read)(struct ai_call *, struct json_object *);
	} events[] = {{"message_start", read_start},
	    {"content_block_start", read_block_start},
	    {"content_block_delta", read_delta}, {"message_delta", read_end},
	    {"message_stop", read_last}, {"error", read_fault}};

	for (size_t i = 0; i < nitems(events); i++)
		if (ai__is_text(json, "type", events[i].type))
			events[i].read(call, json);
}

const struct ai__driver ai__anthropic = {
    .write = write_call, .read = read_answer, .event = read_event};
