/* One attempt at one target: what is sent, and what comes back in whatever
 * pieces. No transport in here. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "ai/ai_priv.h"
#include "base/text.h"
#include "net/sse.h"

enum { WIRE_DEPTH = 32, ANSWER_DEPTH = 64 };

#define AGAIN 1
#define NEXT 2
#define TRIPS 4

static const struct ai_fault_info faults[AI_FAULTS] = {
    [AI_GOOD] = {.word = "good", .sentence = "It answered."},
#define FAULT(id, text, error, remedy, prose) \
	[AI_##id] = {.word = text, \
	    .err = ERR_##error, \
	    .is_tried_again = ((remedy)&AGAIN) != 0, \
	    .is_passed_on = ((remedy)&NEXT) != 0, \
	    .speaks_against = ((remedy)&TRIPS) != 0, \
	    .sentence = prose},
#include "ai/fault.def"
#undef FAULT
};

static const char *const kinds[AI_KINDS] = {
    [AI_OPENAI] = "openai",
    [AI_ANTHROPIC] = "anthropic",
    [AI_COMPATIBLE] = "compatible",
    [AI_SANDBOX] = "sandbox",
};

static const struct ai__driver *const drivers[AI_KINDS] = {
    [AI_OPENAI] = &ai__openai,
    [AI_ANTHROPIC] = &ai__anthropic,
    [AI_COMPATIBLE] = &ai__openai,
    [AI_SANDBOX] = &ai__sandbox,
};

const struct ai_fault_info *
ai_fault_info(enum ai_fault fault)
{
	return &faults[fault];
}

const char *
ai_kind_word(enum ai_kind kind)
{
	return kinds[kind];
}

enum ai_kind
ai_kind_of_word(const char *word)
{
	enum ai_kind kind = 0;

	while (kind < AI_KINDS && strcmp(kinds[kind], word) != 0)
		kind++;
	return kind;
}

int64_t
ai__now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- what is sent */

void
ai__header(struct ai_call *call, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	/* the last stays NULL */
	if (call->n_headers + 1 < AI__HEADERS_MAX)
		call->headers[call->n_headers++] = mem_vfmt(call, fmt, ap);
	va_end(ap);
}

static bool
is_over(void *data)
{
	struct ai_call *call = data;

	return call->rq->is_over(call->rq->data);
}

struct ai_call *
ai__call_new(void *owner, const struct ai_request *rq,
    const struct ai_target *target, const char *const *texts, size_t n_texts)
{
	struct ai_call *call = mem_new(owner, struct ai_call);

	call->rq = rq;
	call->target = *target;
	call->driver = drivers[target->kind];
	call->texts = texts;
	call->n_texts = n_texts;
	call->begun_ms = ai__now_ms();
	call->tool_index = -1;
	call->text = buf_new(call, AI_TEXT_MAX);
	call->tool = buf_new(call, AI_TEXT_MAX);
	if (call->driver->answer) {
		call->driver->answer(call);
		return call;
	}
	call->is_streamed = rq->on_text && !texts;
	call->raw = buf_new(call, AI_REPLY_MAX);
	call->body = buf_new(call, AI__BODY_MAX);
	ai__header(call, "Content-Type: application/json");
	ai__header(call, "Accept: %s",
	    call->is_streamed ? "text/event-stream" : "application/json");
	call->driver->write(call);
	call->http.method = "POST";
	call->http.headers = call->headers;
	call->http.body = call->body->data;
	call->http.body_n = call->body->len;
	call->http.reply_max = AI_REPLY_MAX;
	call->http.take = ai_call_take;
	call->http.is_over = rq->is_over ? is_over : NULL;
	call->http.data = call;
	return call;
}

struct ai_call *
ai_call_new(
    void *owner, const struct ai_request *rq, const struct ai_target *target)
{
	return ai__call_new(owner, rq, target, NULL, 0);
}

const struct net_request *
ai_call_http(const struct ai_call *call)
{
	return call->driver->answer ? NULL : &call->http;
}

/* ---- what comes back */

/* Of text in another's hand what a person can read in one line. */
static char *
clean(void *owner, const char *text)
{
	char *out = mem_array(owner, char, AI__MESSAGE_MAX + 1);
	size_t n = 0, length = strlen(text);

	for (size_t i = 0, width; i < length; i += width) {
		width = text_utf8_width(text + i, length - i);
		if (n + (width ? width : 1) > AI__MESSAGE_MAX)
			break;
		if (width == 0 || (unsigned char)text[i] < ' ') {
			out[n++] = ' ';
			width = 1;
		} else {
			memcpy(out + n, text + i, width);
			n += width;
		}
	}
	return out;
}

void
ai__fail(struct ai_call *call, enum ai_fault fault, const char *message)
{
	if (call->fault != AI_GOOD)
		return;
	call->fault = fault;
	call->message = message ? clean(call, message) : NULL;
}

void
ai__add_text(struct ai_call *call, const char *text, size_t n)
{
	const struct ai_request *rq = call->rq;

	if (n == 0 || call->fault != AI_GOOD)
		return;
	if (call->first_ms == 0)
		call->first_ms = ai__now_ms();
	if (!text_is_storable(text, n)) {
		ai__fail(call, AI_ENCODING, NULL);
		return;
	}
	buf_add(call->text, text, n);
	if (call->text->full)
		ai__fail(call, AI_TOO_LARGE, NULL);
	else if (rq->on_text && !rq->schema && !rq->on_text(rq->data, text, n))
		ai__fail(call, AI_CANCELLED, NULL);
}

static bool
take_event(void *data, const struct net_event *event)
{
	struct ai_call *call = data;
	enum ai_fault fault = AI_GARBAGE;
	struct json_object *json;
	void *scope;

	if (event->n == 6 && memcmp(event->data, "[DONE]", 6) == 0) {
		call->is_done = true;
		return false;
	}
	scope = mem_scope(call, "event");
	json = ai__parse(scope, event->data, event->n, WIRE_DEPTH, &fault);
	if (!json)
		ai__fail(call, fault, NULL);
	else if (!json_object_is_type(json, json_type_object))
		ai__fail(call, AI_GARBAGE, NULL);
	else
		call->driver->event(call, json);
	mem_drop(&scope);
	return call->fault == AI_GOOD && !call->is_done;
}

/* A Content-Type, whatever its parameters. */
static bool
is_type(const struct net_reply *head, const char *type)
{
	size_t n = strcspn(head->content_type, "; ");

	return n == strlen(type) &&
	    strncasecmp(head->content_type, type, n) == 0;
}

bool
ai_call_take(
    void *data, const struct net_reply *head, const char *bytes, size_t n)
{
	struct ai_call *call = data;
	bool is_good = head->status >= 200 && head->status < 300;

	if (is_good && is_type(head, "text/event-stream")) {
		if (!call->sse)
			call->sse = net_sse_new(call, AI_EVENT_MAX);
		if (net_sse_feed(call->sse, bytes, n, take_event, call) ==
		    NET_SSE_TOO_LONG)
			ai__fail(call, AI_TOO_LARGE, NULL);
		return call->fault == AI_GOOD && !call->is_done;
	}
	buf_add(call->raw, bytes, n);
	if (call->raw->full && is_good)
		ai__fail(call, AI_TOO_LARGE, NULL);
	return !call->raw->full;
}

/* An answer that came in one piece. */
static void
read_whole(struct ai_call *call, const struct net_reply *reply)
{
	enum ai_fault fault = AI_GARBAGE;
	struct json_object *json = NULL;
	bool is_good = reply->status >= 200 && reply->status < 300;

	if (call->raw->len && is_type(reply, "application/json"))
		json = ai__parse(
		    call, call->raw->data, call->raw->len, WIRE_DEPTH, &fault);
	if (!is_good && json)
		ai__read_error(call, reply->status, json);
	else if (!is_good)
		ai__fail(call, ai__fault_of_status(reply->status), NULL);
	else if (!json)
		ai__fail(call, fault, NULL);
	else if (json_object_object_get(json, "error"))
		ai__read_error(call, 0, json);
	else
		call->driver->read(call, json);
	call->is_done = call->is_done || is_good;
}

/* What the transport says was wrong, when the answer was not at its end. */
static void
judge_end(struct ai_call *call, const struct net_reply *reply)
{
	static const enum ai_fault of[] = {
	    [NET_WHOLE] = AI_CUT, /* a stream that ends before its end */
	    [NET_NO_CONNECTION] = AI_CONNECT,
	    [NET_LATE] = AI_TIMEOUT,
	    [NET_CUT] = AI_CUT,
	    [NET_TOO_LONG] = AI_TOO_LARGE,
	    [NET_STOPPED] = AI_CANCELLED,
	};

	if (reply->end == NET_WHOLE && !call->sse)
		read_whole(call, reply);
	else if (reply->end != NET_WHOLE && !call->sse && reply->status &&
	    (reply->status < 200 || reply->status > 299) &&
	    reply->end != NET_LATE)
		ai__fail(call, ai__fault_of_status(reply->status), NULL);
	if (!call->is_done)
		ai__fail(call, of[reply->end], NULL);
}

/* Without white space around it, or the fence that some models put there. */
static void
unwrap(const char **text, size_t *n)
{
	static const char space[] = " \t\r\n";
	const char *line;

	while (*n && strchr(space, **text)) {
		(*text)++;
		(*n)--;
	}
	while (*n && strchr(space, (*text)[*n - 1]))
		(*n)--;
	if (*n < 7 || memcmp(*text, "```", 3) != 0 ||
	    memcmp(*text + *n - 3, "```", 3) != 0)
		return;
	line = memchr(*text, '\n', *n);
	if (!line)
		return;
	*n -= (size_t)(line - *text) + 4;
	*text = line + 1;
}

static bool
is_storable(struct json_object *json)
{
	if (json_object_is_type(json, json_type_string))
		return text_is_storable(json_object_get_string(json),
		    (size_t)json_object_get_string_len(json));
	if (json_object_is_type(json, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(json); i++)
			if (!is_storable(json_object_array_get_idx(json, i)))
				return false;
	} else if (json_object_is_type(json, json_type_object)) {
		json_object_object_foreach (json, key, value) {
			if (!text_is_storable(key, strlen(key)) ||
			    !is_storable(value))
				return false;
		}
	}
	return true;
}

static struct json_object *
read_answer(struct ai_call *call)
{
	enum ai_fault fault;
	struct json_object *json;
	const char *text = call->text->data;
	size_t n = call->text->len;

	if (call->form == AI__TOOL && call->tool_index >= 0) {
		text = call->tool->len ? call->tool->data : "{}";
		n = call->tool->len ? call->tool->len : 2;
	}
	unwrap(&text, &n);
	json = n ? ai__parse(call, text, n, ANSWER_DEPTH, &fault) : NULL;
	if (n == 0)
		ai__fail(call, AI_EMPTY, NULL);
	else if (!json)
		ai__fail(call, fault == AI_ENCODING ? fault : AI_SCHEMA,
		    "The answer is not JSON.");
	else if (!is_storable(json))
		ai__fail(call, AI_ENCODING, NULL);
	return json;
}

static struct json_object *
judge_answer(struct ai_call *call)
{
	if (call->finish == AI_FINISH_REFUSED)
		ai__fail(call, AI_REFUSED, call->message);
	if (call->texts || call->fault != AI_GOOD)
		return NULL;
	if (call->rq->schema && call->finish == AI_FINISH_LENGTH)
		ai__fail(call, AI_CUT_SHORT, NULL);
	else if (call->rq->schema)
		return read_answer(call);
	else if (call->text->len == 0)
		ai__fail(call,
		    call->finish == AI_FINISH_LENGTH ? AI_CUT_SHORT : AI_EMPTY,
		    NULL);
	return NULL;
}

void
ai_call_end(
    struct ai_call *call, const struct net_reply *reply, struct ai_result *out)
{
	struct json_object *json;

	if (reply && call->fault == AI_GOOD && !call->is_done)
		judge_end(call, reply);
	json = judge_answer(call);
	*out = (struct ai_result){.fault = call->fault,
	    .message = call->message ? call->message
				     : ai_fault_info(call->fault)->sentence,
	    .text = call->text->data,
	    .text_n = call->text->len,
	    .json = call->fault == AI_GOOD ? json : NULL,
	    .finish = call->finish,
	    .kind = call->target.kind,
	    .model = call->model ? call->model : call->target.model,
	    .usage = call->usage,
	    .first_ms = call->first_ms ? call->first_ms - call->begun_ms : 0,
	    .status = reply ? reply->status : 0};
}
