/*
 * Any bytes as a provider's answer: reading ends, the result keeps what ai.h
 * promises, and it is the same whatever pieces the bytes come in. The first
 * byte chooses stream or not, JSON or not, the status and how it ends; the
 * second the pieces.
 */
#ifndef GNOMON_TESTS_AI_ANSWER_H
#define GNOMON_TESTS_AI_ANSWER_H

#include <assert.h>
#include <json-c/json.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "ai/ai.h"
#include "base/text.h"
#include "net/net.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
ai_hear(void *data, const char *text, size_t n)
{
	assert(text_is_storable(text, n));
	buf_add(data, text, n);
	return true;
}

static void
ai_check(const struct ai_result *r, const struct buf *heard, bool has_schema)
{
	const struct ai_usage *u = &r->usage;

	assert(r->fault < AI_FAULTS && r->finish <= AI_FINISH_OTHER);
	assert(r->message && strlen(r->message) <= 300);
	assert(text_is_storable(r->message, strlen(r->message)));
	assert(r->text_n <= AI_TEXT_MAX && r->text[r->text_n] == '\0');
	assert(text_is_storable(r->text, r->text_n));
	assert(text_is_storable(r->model, strlen(r->model)));
	assert(u->input >= 0 && u->output >= 0 && u->cached >= 0);
	assert(u->cached + u->written <= u->input);
	if (u->counted == AI_NOT_COUNTED)
		assert(u->output == 0);
	if (r->fault == AI_GOOD)
		assert(has_schema ? r->json != NULL : r->text_n > 0);
	else
		assert(!r->json);
	if (!has_schema)
		assert(heard->len == r->text_n &&
		    memcmp(heard->data, r->text, r->text_n) == 0);
}

static struct ai_result
ai_read(void *owner, enum ai_kind kind, uint8_t choice, const char *bytes,
    size_t n, size_t step)
{
	static const struct ai_message hello = {.text = "Hello"};
	struct buf *heard = buf_new(owner, AI_TEXT_MAX);
	struct ai_request rq = {.messages = &hello,
	    .n_messages = 1,
	    .max_tokens = 10,
	    .on_text = ai_hear,
	    .data = heard};
	struct ai_target target = {.kind = kind,
	    .model = choice & 2 ? "claude-3" : "claude-5",
	    .url = "http://x",
	    .key = "k"};
	struct net_reply reply = {.status = choice & 4 ? 429 : 200,
	    .content_type =
		choice & 1 ? "application/json" : "text/event-stream",
	    .end = choice & 8 ? NET_CUT : NET_WHOLE};
	struct ai_call *call;
	struct ai_result out;
	bool goes_on = true;

	if (choice & 16)
		rq.schema =
		    op_json(owner, json_tokener_parse("{\"type\":\"object\"}"));
	call = ai_call_new(owner, &rq, &target);
	for (size_t at = 0; at < n && goes_on; at += step)
		goes_on = ai_call_take(
		    call, &reply, bytes + at, at + step < n ? step : n - at);
	ai_call_end(call, &reply, &out);
	ai_check(&out, heard, rq.schema != NULL);
	return out;
}

static int
ai_answer(enum ai_kind kind, const uint8_t *data, size_t size)
{
	void *owner = mem_scope(NULL, "fuzz");

	if (size >= 2) {
		const char *bytes = (const char *)data + 2;
		size_t n = size - 2;
		struct ai_result a =
		    ai_read(owner, kind, data[0], bytes, n, n ? n : 1);
		struct ai_result b = ai_read(
		    owner, kind, data[0], bytes, n, (size_t)data[1] + 1);

		assert(a.fault == b.fault && a.finish == b.finish);
		assert(a.text_n == b.text_n &&
		    memcmp(a.text, b.text, a.text_n) == 0);
		assert(a.usage.input == b.usage.input &&
		    a.usage.output == b.usage.output);
	}
	mem_drop(&owner);
	return 0;
}

#endif
