/* ai/ and the reader of event streams, without a network: whatever pieces the
 * bytes come in, wherever they break off; what is hidden; what a schema
 * becomes; the breaker. tests/drivers/run-ai holds the rest to real sockets. */
#include "unit.h"

#include <json-c/json.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>

#include "ai/ai_priv.h"
#include "ai/redact.h"
#include "base/metrics.h"
#include "net/sse.h"

/* ---- events */

static bool
note_event(void *data, const struct net_event *e)
{
	struct buf *out = data;

	buf_fmt(out, "<%s|", e->name);
	buf_add(out, e->data, e->n);
	buf_char(out, '>');
	return !strstr(e->data, "stop");
}

static void
events_are_read_as_the_standard_says(void **state)
{
	static const struct {
		const char *bytes, *events;
	} cases[] = {
	    {"", ""},
	    {"data: a\n\n", "<message|a>"},
	    {"data:a\n\ndata: b\n\n", "<message|a><message|b>"},
	    {"data:  a\n\n", "<message| a>"},
	    {"data: a\ndata: b\n\n", "<message|a\nb>"},
	    {"data\n\n", "<message|>"},
	    {"data\ndata\n\n", "<message|\n>"},
	    {"event: x\ndata: a\n\ndata: b\n\n", "<x|a><message|b>"},
	    {"event: x\n\ndata: b\n\n", "<message|b>"},
	    {": comment\n\ndata: a\n\n", "<message|a>"},
	    {"id: 1\nretry: 5\nfoo: bar\ndata: a\n\n", "<message|a>"},
	    {"data: a\r\n\r\ndata: b\r\rdata: c\n\n",
		"<message|a><message|b><message|c>"},
	    {"data: a\r\ndata: b\r\n\r\n", "<message|a\nb>"},
	    {"\xef\xbb\xbf"
	     "data: a\n\n",
		"<message|a>"},
	    {"data: a\n\n\xef\xbb\xbf"
	     "data: b\n\n",
		"<message|a>"},
	    {"data: a\n", ""},
	    {"data: a\n\ndata: b", "<message|a>"},
	    {"data: a: b\n\n", "<message|a: b>"},
	    {"DATA: a\n\n", ""},
	    {"data: stop\n\ndata: b\n\n", "<message|stop>"},
	};

	for (size_t i = 0; i < nitems(cases); i++)
		for (size_t step = 1; step <= strlen(cases[i].bytes) + 1;
		     step++) {
			struct net_sse *sse = net_sse_new(*state, 1000);
			struct buf *out = buf_new(*state, 1000);
			size_t n = strlen(cases[i].bytes);

			for (size_t at = 0; at < n; at += step)
				net_sse_feed(sse, cases[i].bytes + at,
				    at + step < n ? step : n - at, note_event,
				    out);
			assert_string_equal(out->data, cases[i].events);
		}
}

static void
an_event_is_bounded(void **state)
{
	static const struct {
		const char *bytes;
		enum net_sse_state end;
	} cases[] = {
	    {"data: 0123456789012\n\n", NET_SSE_GOOD},
	    {"data: 01234567890123456789\n\n", NET_SSE_TOO_LONG},
	    {"data: 0123456789\ndata: 0123456789\n\n", NET_SSE_TOO_LONG},
	    {"01234567890123456789", NET_SSE_TOO_LONG},
	    {"data: 012345678\n\ndata: 0123456789\n\n", NET_SSE_GOOD},
	};

	for (size_t i = 0; i < nitems(cases); i++)
		for (size_t step = 1; step < 30; step++) {
			struct net_sse *sse = net_sse_new(*state, 19);
			struct buf *out = buf_new(*state, 1000);
			size_t n = strlen(cases[i].bytes);
			enum net_sse_state end = NET_SSE_GOOD;

			for (size_t at = 0; at < n; at += step)
				end = net_sse_feed(sse, cases[i].bytes + at,
				    at + step < n ? step : n - at, note_event,
				    out);
			assert_int_equal(end, cases[i].end);
		}
}

/* ---- answers in pieces */

static const char openai_stream[] =
    "data: {\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":{\"role\":"
    "\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n"
    "data: {\"choices\":[{\"delta\":{\"content\":\"Gr\xc3\xbc\xc3\x9f\"}}]}\n\n"
    ": ping\n\n"
    "data: {\"choices\":[{\"delta\":{\"content\":\"e \\ud83d\\udc4b\"}}]}\n\n"
    "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,"
    "\"completion_tokens\":4,\"prompt_tokens_details\":{\"cached_tokens\":2}}}"
    "\n\n"
    "data: [DONE]\n\n";

static const char anthropic_stream[] =
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":"
    "{\"model\":\"m-1\",\"usage\":{\"input_tokens\":6,"
    "\"cache_read_input_tokens\":2,\"cache_creation_input_tokens\":1,"
    "\"output_tokens\":1}}}\n\n"
    "event: ping\ndata: {\"type\":\"ping\"}\n\n"
    "event: content_block_start\ndata: {\"type\":\"content_block_start\","
    "\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\","
    "\"index\":0,\"delta\":{\"type\":\"text_delta\","
    "\"text\":\"Gr\xc3\xbc\xc3\x9f\"}}\n\n"
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\","
    "\"index\":0,\"delta\":{\"type\":\"text_delta\","
    "\"text\":\"e \\ud83d\\udc4b\"}}\n\n"
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\","
    "\"index\":0}\n\n"
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":"
    "{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":4}}\n\n"
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

static const char openai_whole[] =
    "{\"model\":\"m-1\",\"choices\":[{\"index\":0,\"message\":{\"role\":"
    "\"assistant\",\"content\":\"Gr\xc3\xbc\xc3\x9f"
    "e \\ud83d\\udc4b\"},\"finish_reason\":\"stop\"}],\"usage\":"
    "{\"prompt_tokens\":9,\"completion_tokens\":4,"
    "\"prompt_tokens_details\":{\"cached_tokens\":2}}}";

static const char anthropic_whole[] =
    "{\"type\":\"message\",\"model\":\"m-1\",\"content\":["
    "{\"type\":\"thinking\",\"thinking\":\"x\"},"
    "{\"type\":\"text\",\"text\":\"Gr\xc3\xbc\xc3\x9f"
    "e \\ud83d\\udc4b\"}],\"stop_reason\":\"end_turn\",\"usage\":"
    "{\"input_tokens\":6,\"cache_read_input_tokens\":2,"
    "\"cache_creation_input_tokens\":1,\"output_tokens\":4}}";

static const char said[] = "Gr\xc3\xbc\xc3\x9f"
			   "e \xf0\x9f\x91\x8b";

static const struct {
	enum ai_kind kind;
	const char *type, *bytes;
	size_t end; /* the bytes after which nothing can be missed */
} answers[] = {
    {AI_OPENAI, "text/event-stream", openai_stream, sizeof(openai_stream) - 2},
    {AI_ANTHROPIC, "text/event-stream", anthropic_stream,
	sizeof(anthropic_stream) - 2},
    {AI_OPENAI, "application/json", openai_whole, sizeof(openai_whole) - 1},
    {AI_ANTHROPIC, "application/json; charset=utf-8", anthropic_whole,
	sizeof(anthropic_whole) - 1},
};

static const struct ai_message hello = {.text = "Hello"};

static bool
append(void *data, const char *text, size_t n)
{
	buf_add(data, text, n);
	return true;
}

/* The first n bytes in pieces of step; then the connection ends this way. */
static struct ai_result
read_pieces(void *owner, size_t which, size_t n, size_t step, enum net_end end)
{
	struct buf *given = buf_new(owner, 1000);
	struct ai_request rq = {.messages = &hello,
	    .n_messages = 1,
	    .max_tokens = 10,
	    .on_text = append,
	    .data = given};
	struct ai_target target = {.kind = answers[which].kind,
	    .model = "asked",
	    .url = "http://x",
	    .key = "k"};
	struct ai_call *call = ai_call_new(owner, &rq, &target);
	struct net_reply reply = {
	    .status = 200, .content_type = answers[which].type, .end = end};
	struct ai_result out;
	bool goes_on = true;

	for (size_t at = 0; at < n && goes_on; at += step)
		goes_on = ai_call_take(call, &reply, answers[which].bytes + at,
		    at + step < n ? step : n - at);
	ai_call_end(call, &reply, &out);
	assert_int_equal(given->len, out.text_n);
	assert_memory_equal(given->data, out.text, out.text_n);
	return out;
}

static void
an_answer_is_the_same_in_pieces_of_any_size(void **state)
{
	for (size_t i = 0; i < nitems(answers); i++) {
		size_t n = strlen(answers[i].bytes);

		for (size_t step = 1; step <= n; step++) {
			void *pass = mem_scope(*state, "pass");
			struct ai_result r =
			    read_pieces(pass, i, n, step, NET_WHOLE);

			assert_int_equal(r.fault, AI_GOOD);
			assert_string_equal(r.text, said);
			assert_string_equal(r.model, "m-1");
			assert_int_equal(r.finish, AI_FINISH_STOP);
			assert_int_equal(r.usage.counted, AI_COUNTED);
			assert_int_equal(r.usage.input, 9);
			assert_int_equal(r.usage.cached, 2);
			assert_int_equal(r.usage.output, 4);
			mem_drop(&pass);
		}
	}
}

static void
an_answer_cut_at_any_byte_is_one_fault(void **state)
{
	static const enum net_end ends[] = {
	    NET_WHOLE, NET_CUT, NET_LATE, NET_STOPPED};

	for (size_t i = 0; i < nitems(answers); i++)
		for (size_t n = 0; n < answers[i].end; n++)
			for (size_t k = 0; k < nitems(ends); k++) {
				void *pass = mem_scope(*state, "pass");
				struct ai_result r =
				    read_pieces(pass, i, n, 37, ends[k]);

				assert_int_not_equal(r.fault, AI_GOOD);
				assert_memory_equal(said, r.text, r.text_n);
				if (ends[k] == NET_CUT)
					assert_int_equal(r.fault, AI_CUT);
				if (ends[k] == NET_LATE)
					assert_int_equal(r.fault, AI_TIMEOUT);
				if (r.usage.counted == AI_COUNTED)
					assert_int_equal(r.usage.output, 4);
				assert_true(
				    r.usage.input == 0 || r.usage.input == 9);
				mem_drop(&pass);
			}
}

static void
an_error_says_more_than_its_status(void **state)
{
	static const struct {
		enum ai_kind kind;
		int status;
		const char *body;
		enum ai_fault fault;
	} cases[] = {
	    {AI_OPENAI, 429, "{\"error\":{\"code\":\"insufficient_quota\"}}",
		AI_QUOTA},
	    {AI_OPENAI, 429, "{\"error\":{\"type\":\"tokens\"}}",
		AI_RATE_LIMITED},
	    {AI_OPENAI, 400,
		"{\"error\":{\"type\":\"invalid_request_error\",\"code\":"
		"\"context_length_exceeded\"}}",
		AI_TOO_LONG},
	    {AI_OPENAI, 400,
		"{\"error\":{\"type\":\"invalid_request_error\","
		"\"code\":\"invalid_json_schema\"}}",
		AI_BAD_REQUEST},
	    {AI_ANTHROPIC, 429,
		"{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\","
		"\"details\":{\"error_code\":"
		"\"enforced_spend_limit_reached\"}}}",
		AI_QUOTA},
	    {AI_ANTHROPIC, 400,
		"{\"type\":\"error\",\"error\":{\"type\":"
		"\"invalid_request_error\",\"message\":\"prompt is too long: "
		"9 > 8\"}}",
		AI_TOO_LONG},
	    {AI_ANTHROPIC, 529,
		"{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}"
		"}",
		AI_OVERLOADED},
	    {AI_COMPATIBLE, 404, "{\"error\":\"model not found\"}",
		AI_NO_MODEL},
	    {AI_COMPATIBLE, 503,
		"{\"error\":{\"code\":503,\"message\":\"Loading model\","
		"\"type\":\"unavailable_error\"}}",
		AI_OVERLOADED},
	    {AI_OPENAI, 500, "", AI_SERVER},
	    {AI_OPENAI, 418, "{}", AI_BAD_REQUEST},
	    {AI_OPENAI, 301, "", AI_REDIRECT},
	    {AI_OPENAI, 200, "{\"error\":null}", AI_GARBAGE},
	    {AI_OPENAI, 204, "", AI_GARBAGE},
	};
	struct ai_request rq = {
	    .messages = &hello, .n_messages = 1, .max_tokens = 10};

	for (size_t i = 0; i < nitems(cases); i++) {
		struct ai_target target = {.kind = cases[i].kind,
		    .model = "m",
		    .url = "http://x",
		    .key = ""};
		struct ai_call *call = ai_call_new(*state, &rq, &target);
		struct net_reply reply = {.status = cases[i].status,
		    .content_type = "application/json",
		    .end = NET_WHOLE};
		struct ai_result out;

		ai_call_take(
		    call, &reply, cases[i].body, strlen(cases[i].body));
		ai_call_end(call, &reply, &out);
		if (out.fault != cases[i].fault)
			fail_msg("%s: %s", cases[i].body,
			    ai_fault_info(out.fault)->word);
		assert_true(strlen(out.message) > 0);
	}
}

static void
every_fault_has_a_word_and_an_error(void **state)
{
	(void)state;
	for (enum ai_fault f = AI_GOOD + 1; f < AI_FAULTS; f++) {
		const struct ai_fault_info *i = ai_fault_info(f);

		assert_non_null(i->word);
		assert_true(i->err != ERR_OK);
		assert_true(err_info(i->err)->status >= 400);
		for (enum ai_fault g = AI_GOOD; g < f; g++)
			assert_string_not_equal(
			    i->word, ai_fault_info(g)->word);
	}
	assert_int_equal(ai_fault_info(AI_TIMEOUT)->err, ERR_PROVIDER_TIMEOUT);
	assert_int_equal(err_info(ERR_PROVIDER_TIMEOUT)->status, 504);
	assert_int_equal(err_info(ERR_PROVIDER_UNAVAILABLE)->status, 503);
	assert_int_equal(err_info(ERR_OUTPUT_SCHEMA_INVALID)->status, 502);
}

/* ---- what is hidden */

static const char *
hide(struct redactor *r, void *owner, const char *text)
{
	struct buf *out = buf_new(owner, 1 << 20),
		   *back = buf_new(owner, 1 << 20);

	redact_text(r, text, strlen(text), out);
	redact_restore(r, out->data, out->len, back);
	assert_string_equal(back->data, text);
	return out->data;
}

static void
what_must_not_leave_becomes_a_placeholder(void **state)
{
	static const struct {
		const char *text, *hidden;
	} cases[] = {
	    {"", ""},
	    {"nothing to hide: 3 of 9 stories", NULL},
	    {"mail a.b+c@example.org.", "mail [EMAIL_1]."},
	    {"a@b.io, A@b.io, a@b.io", "[EMAIL_1], [EMAIL_2], [EMAIL_1]"},
	    {"<a@b.io>", "<[EMAIL_1]>"},
	    {"a@localhost, @ada, x@, @x.io, 3@4", NULL},
	    {"Anna Nowak", "[PERSON_1]"},
	    {"ANNA  NOWAK and anna nowak", "[PERSON_1] and [PERSON_1A]"},
	    {"Anna, Nowak; anna", "[PERSON_1], [PERSON_1A]; anna"},
	    {"Annabel Nowakowski", NULL},
	    {"Anna's and Anna\xe2\x80\x99s",
		"[PERSON_1]'s and "
		"[PERSON_1]\xe2\x80\x99s"},
	    {"anna_Nowak", "anna_[PERSON_1]"},
	    {"\xc3\x96zil \xc5\x81ukasz-Maria \xd0\x98\xd0\xbb\xd1\x8c\xd1\x8f",
		"\xc3\x96zil [PERSON_2] [PERSON_3]"},
	    {"\xc5\x82ukasz maria \xd0\xb8\xd0\xbb\xd1\x8c\xd1\x8f",
		"[PERSON_2] [PERSON_3]"},
	    {"O'Brien's Jo", "[PERSON_4]'s [PERSON_5]"},
	    {"{\"a\":\"x\\nAnna\\ta@b.io\"}",
		"{\"a\":\"x\\n[PERSON_1]\\t[EMAIL_1]\"}"},
	    {"call +49 (30) 901820 now", "call [PHONE_1] now"},
	    {"555-123-4567 or (555) 123 4567.", "[PHONE_1] or [PHONE_2]."},
	    {"2026-11-20T08:14:02Z, +1, 12-34-56, 1795165302", NULL},
	    {"9f1c2d3e-5551-4234-5678-0123456789ab", NULL},
	    {"key sk-abcdefghijklmnop1234", "key [SECRET_1]"},
	    {"ask-me-anything-about-this-thing", NULL},
	    {"ghp_abcdefghijklmnopqrst1234, AKIAABCDEFGHIJKLMNOP",
		"[SECRET_1], [SECRET_2]"},
	    {"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "[SECRET_1]"},
	    {"password: hunter2, PASSWD=x1y2",
		"password: [SECRET_1], "
		"PASSWD=[SECRET_2]"},
	    {"{\"db_password\":\"s3cret!\",\"n\":1}",
		"{\"db_password\":\"[SECRET_1]\",\"n\":1}"},
	    {"Authorization: Bearer abc123def456ghi",
		"Authorization: Bearer [SECRET_1]"},
	    {"the secret: patience. token: later", NULL},
	    {"postgres://app:pw@db/x", "postgres://[SECRET_1]@db/x"},
	    {"https://example.org/a@b", NULL},
	    {"-----BEGIN RSA PRIVATE KEY-----\nMII\n"
	     "-----END RSA PRIVATE KEY-----\nx",
		"[SECRET_1]\nx"},
	    {"x -----BEGIN PRIVATE KEY-----\nMII", "x [SECRET_1]"},
	    {"[EMAIL_1] [PERSON_2B] [EMAIL_] [X_1]",
		"[LITERAL_1] [LITERAL_2] [EMAIL_] [X_1]"},
	};
	static const char *const names[] = {"Anna Nowak", "\xc5\x81ukasz Maria",
	    "\xd0\x98\xd0\xbb\xd1\x8c\xd1\x8f", "O'Brien", "Jo", "", "-", "x"};

	for (size_t i = 0; i < nitems(cases); i++) {
		struct redactor *r = redact_new(*state);
		const char *hidden;

		for (size_t k = 0; k < nitems(names); k++)
			redact_name(r, names[k]);
		hidden = hide(r, *state, cases[i].text);
		assert_string_equal(
		    hidden, cases[i].hidden ? cases[i].hidden : cases[i].text);
		assert_int_equal(
		    redact_has_hidden(r), strcmp(hidden, cases[i].text) != 0);
	}
}

static void
a_placeholder_is_the_same_in_every_text(void **state)
{
	struct redactor *r = redact_new(*state);

	assert_string_equal(hide(r, *state, "a@b.io"), "[EMAIL_1]");
	assert_string_equal(
	    hide(r, *state, "c@d.io, a@b.io"), "[EMAIL_2], [EMAIL_1]");
}

static void
what_is_unknown_is_not_restored(void **state)
{
	static const char text[] = "[EMAIL_2] [EMAIL_1x] EMAIL_1 [EMAIL_1] [";
	struct redactor *r = redact_new(*state);
	struct buf *out = buf_new(*state, 1000);

	hide(r, *state, "a@b.io");
	redact_restore(r, text, strlen(text), out);
	assert_string_equal(out->data, "[EMAIL_2] [EMAIL_1x] EMAIL_1 a@b.io [");
}

static void
an_unfinished_placeholder_is_kept_back(void **state)
{
	static const struct {
		const char *text;
		size_t n;
	} cases[] = {{"", 0}, {"a", 0}, {"a[", 1}, {"a[PER", 4},
	    {"[PERSON_12", 10}, {"[PERSON_1]", 0}, {"[x", 0}, {"[a[B", 2},
	    {"[AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 0}};

	(void)state;
	for (size_t i = 0; i < nitems(cases); i++)
		assert_int_equal(
		    redact_unfinished(cases[i].text, strlen(cases[i].text)),
		    cases[i].n);
}

/* ---- shapes */

static void
a_schema_is_strict_when_all_is_closed_and_required(void **state)
{
	static const struct {
		const char *schema;
		bool is_strict;
		const char *reduced; /* NULL: it cannot be said */
	} cases[] = {
	    {"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"}}"
	     ",\"required\":[\"a\"],\"additionalProperties\":false}",
		true,
		"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":"
		"\"string\"}},\"required\":[\"a\"],\"additionalProperties\":"
		"false}"},
	    {"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\","
	     "\"maxLength\":9}},\"required\":[\"a\"],"
	     "\"additionalProperties\":false}",
		false,
		"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":"
		"\"string\"}},\"required\":[\"a\"],\"additionalProperties\":"
		"false}"},
	    {"{\"type\":\"object\",\"properties\":{\"a\":{}},"
	     "\"additionalProperties\":false}",
		false,
		"{\"type\":\"object\",\"properties\":{\"a\":{}},"
		"\"additionalProperties\":false}"},
	    {"{\"type\":\"object\",\"properties\":{}}", false,
		"{\"type\":\"object\",\"properties\":{},"
		"\"additionalProperties\":false}"},
	    {"{\"type\":\"object\"}", false, NULL},
	    {"{\"type\":\"object\",\"properties\":{},"
	     "\"additionalProperties\":true}",
		false, NULL},
	    {"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"array\","
	     "\"items\":{\"type\":\"object\"}}}}",
		false, NULL},
	    {"{\"type\":\"array\"}", false, NULL},
	    {"{\"type\":[\"object\",\"null\"],\"properties\":{\"a\":{\"$ref\":"
	     "\"#/$defs/b\"}},\"required\":[\"a\"],\"additionalProperties\":"
	     "false,\"$defs\":{\"b\":{\"anyOf\":[{\"type\":\"null\"},{\"type\":"
	     "\"integer\",\"minimum\":1}]}}}",
		true,
		"{\"type\":[\"object\",\"null\"],\"properties\":{\"a\":{"
		"\"$ref\":\"#/$defs/b\"}},\"required\":[\"a\"],\"$defs\":{"
		"\"b\":{\"anyOf\":[{\"type\":\"null\"},{\"type\":\"integer\"}]"
		"}},\"additionalProperties\":false}"},
	};

	for (size_t i = 0; i < nitems(cases); i++) {
		struct json_object *schema =
		    op_json(*state, json_tokener_parse(cases[i].schema));
		struct json_object *reduced = ai__reduce(*state, schema);
		struct json_object *wanted = op_json(*state,
		    cases[i].reduced ? json_tokener_parse(cases[i].reduced)
				     : NULL);

		assert_int_equal(ai__is_strict(schema), cases[i].is_strict);
		if (!json_object_equal(reduced, wanted))
			fail_msg("%s became %s", cases[i].schema,
			    json_object_to_json_string(reduced));
	}
}

/* ---- the breaker */

static void
note(enum ai_fault fault, int times)
{
	while (times-- > 0)
		ai_breaker_note(AI_OPENAI, fault);
}

static void
a_provider_that_fails_is_left_alone_then_tried_by_one(void **state)
{
	_Atomic uint64_t *word = metrics_word(METRICS_AI_BREAKERS + AI_OPENAI);

	(void)state;
	note(AI_GOOD, 1);
	note(AI_SERVER, 4);
	assert_true(ai_breaker_lets(AI_OPENAI));
	note(AI_GOOD, 1);
	note(AI_TIMEOUT, 4);
	note(AI_RATE_LIMITED, 9);
	assert_true(ai_breaker_lets(AI_OPENAI));
	note(AI_CUT, 1);
	assert_false(ai_breaker_lets(AI_OPENAI));
	assert_string_equal(ai_breaker_word(AI_OPENAI), "open");
	assert_true(ai_breaker_lets(AI_ANTHROPIC));
	/* its rest is over: 1 ms since the machine began */
	atomic_store(word, (UINT64_C(1) << 16) | 5);
	assert_string_equal(ai_breaker_word(AI_OPENAI), "trying");
	assert_true(ai_breaker_would_let(AI_OPENAI));
	assert_true(ai_breaker_lets(AI_OPENAI));
	assert_false(ai_breaker_would_let(AI_OPENAI));
	assert_false(ai_breaker_lets(AI_OPENAI));
	note(AI_CANCELLED, 1); /* tells nothing */
	assert_false(ai_breaker_lets(AI_OPENAI));
	note(AI_SERVER, 1);
	assert_string_equal(ai_breaker_word(AI_OPENAI), "open");
	atomic_store(word, (UINT64_C(1) << 16) | 5);
	assert_true(ai_breaker_lets(AI_OPENAI));
	note(AI_REFUSED, 1); /* it is there */
	assert_string_equal(ai_breaker_word(AI_OPENAI), "closed");
	/* a word of before the machine began anew */
	atomic_store(word, UINT64_C(0xffffffffffff) << 16 | 5);
	assert_true(ai_breaker_lets(AI_OPENAI));
	note(AI_GOOD, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    unit(events_are_read_as_the_standard_says),
	    unit(an_event_is_bounded),
	    unit(an_answer_is_the_same_in_pieces_of_any_size),
	    unit(an_answer_cut_at_any_byte_is_one_fault),
	    unit(an_error_says_more_than_its_status),
	    unit(every_fault_has_a_word_and_an_error),
	    unit(what_must_not_leave_becomes_a_placeholder),
	    unit(a_placeholder_is_the_same_in_every_text),
	    unit(what_is_unknown_is_not_restored),
	    unit(an_unfinished_placeholder_is_kept_back),
	    unit(a_schema_is_strict_when_all_is_closed_and_required),
	    unit(a_provider_that_fails_is_left_alone_then_tried_by_one),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("ai", tests, NULL, NULL);
}
