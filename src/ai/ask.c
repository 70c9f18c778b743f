/* A model is asked, and waited for: the chain, the tries, what is hidden and
 * what is checked. */
#include <assert.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "ai/ai_priv.h"
#include "ai/redact.h"
#include "base/config.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/text.h"
#include "schema/schema.h"

enum {
	NAP_MS = 200, /* between two looks whether it is over */
	SHARE_OF = 3, /* a provider with others behind it gets all of the time
			 that is left but one part in so many */
	TOKEN_BYTES = 2, /* no text has shorter tokens, nearly */
	MESSAGE_TOKENS = 16, /* around a message */
	DOUBLINGS_MAX = 10,
};

struct asking {
	struct op *op;
	const struct ai_request *given;
	struct ai_request rq; /* the same, hidden, for the provider */
	const char *const *texts; /* hidden; NULL: a prompt */
	size_t n_texts;
	const struct ai_target *targets;
	size_t n_targets;
	struct redactor *redactor;
	const struct schema *schema;
	struct buf *held; /* of a stream: what may begin a placeholder */
	bool has_given; /* some of the answer was passed on, */
	size_t given_n; /* so many bytes */
	int64_t begun_ms, until_ms;
	struct ai_result *out;
	struct ai_vectors *vectors; /* NULL: a prompt */
};

/* ---- what is hidden */

/* Restores as much as is certain, and hands it on. */
static bool
pass_on(struct asking *a, bool is_last)
{
	size_t keep =
	    is_last ? 0 : redact_unfinished(a->held->data, a->held->len);
	size_t n = a->held->len - keep;
	struct buf *out = buf_new(a->op, AI_TEXT_MAX);
	char *rest = mem_dup_n(a->op, a->held->data + n, keep);
	bool goes_on;

	redact_restore(a->redactor, a->held->data, n, out);
	buf_reset(a->held);
	buf_add(a->held, rest, keep);
	a->has_given = a->has_given || out->len > 0;
	a->given_n += out->len;
	goes_on = !out->full && a->given_n <= AI_TEXT_MAX &&
	    (out->len == 0 ||
		a->given->on_text(a->given->data, out->data, out->len));
	mem_drop(&rest);
	mem_drop(&out);
	return goes_on;
}

static bool
take_text(void *data, const char *text, size_t n)
{
	struct asking *a = data;

	buf_add(a->held, text, n);
	return pass_on(a, false);
}

static bool
is_over(void *data)
{
	struct asking *a = data;

	return a->given->is_over && a->given->is_over(a->given->data);
}

static char *
hide(struct asking *a, const char *text)
{
	size_t n = strlen(text);
	/* were every byte hidden by itself */
	struct buf *out = buf_new(a->op, (n + 1) * REDACT_LABEL_MAX);

	redact_text(a->redactor, text, n, out);
	return out->data;
}

static const char *
system_text(struct asking *a)
{
	static const char note[] =
	    "Texts in square brackets such as [PERSON_1] or [EMAIL_2] stand "
	    "for what is not shown. Use them as they are.";
	const char *system =
	    a->given->system ? hide(a, a->given->system) : NULL;

	if (!redact_has_hidden(a->redactor))
		return system;
	return system ? mem_fmt(a->op, "%s\n\n%s", system, note) : note;
}

static void
hide_all(struct asking *a)
{
	const struct ai_request *rq = a->given;
	struct ai_message *messages =
	    mem_array(a->op, struct ai_message, rq->n_messages);
	const char **texts = mem_array(a->op, const char *, a->n_texts);

	a->redactor = redact_new(a->op);
	for (size_t i = 0; i < rq->n_names; i++)
		redact_name(a->redactor, rq->names[i]);
	for (size_t i = 0; i < rq->n_messages; i++) {
		messages[i] = rq->messages[i];
		messages[i].text = hide(a, rq->messages[i].text);
	}
	for (size_t i = 0; i < a->n_texts; i++)
		texts[i] = hide(a, a->texts[i]);
	if (a->texts)
		a->texts = texts;
	a->rq = *rq;
	a->rq.max_tokens = ai_output_tokens_most(rq);
	a->rq.messages = messages;
	a->rq.system = system_text(a);
	a->rq.on_text = rq->on_text ? take_text : NULL;
	a->rq.is_over = rq->is_over ? is_over : NULL;
	a->rq.data = a;
}

/* False: with what was hidden it is longer than we take. */
static bool
restore_json(const struct redactor *r, void *owner, struct json_object *json,
    size_t *total)
{
	bool good = true;

	if (json_object_is_type(json, json_type_string)) {
		size_t n = (size_t)json_object_get_string_len(json);
		struct buf *out = buf_new(owner, AI_TEXT_MAX);

		redact_restore(r, json_object_get_string(json), n, out);
		json_object_set_string_len(json, out->data, (int)out->len);
		*total += out->len;
		good = !out->full && *total <= AI_TEXT_MAX;
		mem_drop(&out);
	} else if (json_object_is_type(json, json_type_array)) {
		for (size_t i = 0; good && i < json_object_array_length(json);
		     i++)
			good = restore_json(r, owner,
			    json_object_array_get_idx(json, i), total);
	} else if (json_object_is_type(json, json_type_object)) {
		json_object_object_foreach (json, key, value) {
			(void)key;
			good = good && restore_json(r, owner, value, total);
		}
	}
	return good;
}

/* What a provider says about a failure, without keys. */
static const char *
safe_message(struct asking *a, const char *message, const char *key)
{
	struct redactor *r = redact_new(a->op);
	struct buf *out = buf_new(a->op, AI__MESSAGE_MAX * 4);

	if (*key && strstr(message, key))
		return ai_fault_info(a->out->fault)->sentence;
	redact_text(r, message, strlen(message), out);
	return mem_dup(a->op, out->data);
}

/* The result is the op's own and as it was before anything was hidden. */
static void
keep_result(struct asking *a, const struct ai_result *found,
    const struct ai_target *target)
{
	struct ai_result *out = a->out;
	struct buf *text = buf_new(a->op, AI_TEXT_MAX);
	size_t total = 0;

	out->fault = found->fault;
	out->message = safe_message(a, found->message, target->key);
	redact_restore(a->redactor, found->text, found->text_n, text);
	out->text = text->data;
	out->text_n = text->len;
	out->json = NULL;
	if (found->json)
		out->json = op_json(a->op, json_object_get(found->json));
	if (text->full ||
	    !restore_json(a->redactor, a->op, out->json, &total)) {
		out->fault = AI_TOO_LARGE;
		out->message = ai_fault_info(AI_TOO_LARGE)->sentence;
		out->json = NULL;
	}
	out->finish = found->finish;
	out->kind = found->kind;
	out->model = mem_dup(a->op, found->model);
	out->usage = found->usage;
	out->first_ms = found->first_ms;
	out->status = found->status;
}

/* ---- one attempt */

static void
check_schema(struct asking *a, struct ai_result *found)
{
	struct schema_errors errors;

	if (found->fault != AI_GOOD || !a->schema ||
	    schema_accepts(a->schema, found->json, a->op, &errors))
		return;
	found->fault = AI_SCHEMA;
	found->message = mem_fmt(a->op, "%s: %s",
	    *errors.item[0].pointer ? errors.item[0].pointer : "/",
	    errors.item[0].message);
	found->json = NULL;
}

static void
note_spend(struct ai_spend *spend, const struct ai_result *found, bool was_sent)
{
	spend->attempts += was_sent;
	spend->uncounted += was_sent && found->usage.counted != AI_COUNTED;
	spend->usage.counted = found->usage.counted;
	spend->usage.input += found->usage.input;
	spend->usage.cached += found->usage.cached;
	spend->usage.written += found->usage.written;
	spend->usage.output += found->usage.output;
}

static void
note_attempt(struct asking *a, const struct ai_target *target,
    const struct ai_result *found, int64_t ms)
{
	const char *kind = ai_kind_word(target->kind);
	const char *fault = ai_fault_info(found->fault)->word;

	a->out->attempts++;
	ai_breaker_note(target->kind, found->fault);
	metrics_count(METRIC_AI_CALLS, kind, fault);
	metrics_time(METRIC_AI_CALL_DURATION, ms * 1000, kind);
	if (found->fault != AI_GOOD)
		log_warn("ai_call", LOG_S("id", a->op->id),
		    LOG_S("provider", kind), LOG_S("model", target->model),
		    LOG_S("fault", fault), LOG_I("status", found->status),
		    LOG_I("ms", ms));
}

static void
take_vectors(struct asking *a, const struct ai_call *call)
{
	size_t n = call->n_texts * call->dimensions;

	a->vectors->numbers =
	    mem_copy(a->op, call->numbers, n * sizeof(*call->numbers));
	a->vectors->n = call->n_texts;
	a->vectors->dimensions = call->dimensions;
}

/* *out_wait_s: what the provider asks to wait for. */
static enum ai_fault
attempt(struct asking *a, const struct ai_target *target,
    struct ai_spend *spend, int64_t ms, int64_t *out_wait_s)
{
	void *scope = mem_scope(a->op, "attempt");
	struct op *op = op_new(scope, a->op->id, NULL);
	int64_t begun = ai__now_ms();
	struct ai_call *call =
	    ai__call_new(scope, &a->rq, target, a->texts, a->n_texts);
	const struct net_request *http = ai_call_http(call);
	struct net_reply reply = {.status = 0};
	struct ai_result found;
	enum ai_fault fault;

	if (http) {
		struct net_request rq = *http;

		rq.timeout_ms = ms;
		(void)!net_http(op, &rq, &reply);
	}
	ai_call_end(call, http ? &reply : NULL, &found);
	if (a->held->len && !pass_on(a, true) && found.fault == AI_GOOD)
		found.fault = AI_CANCELLED;
	buf_reset(a->held);
	check_schema(a, &found);
	found.first_ms += found.first_ms ? begun - a->begun_ms : 0;
	note_spend(spend, &found, !http || reply.was_sent);
	note_attempt(a, target, &found, ai__now_ms() - begun);
	keep_result(a, &found, target);
	fault = a->out->fault;
	if (fault == AI_GOOD && a->vectors)
		take_vectors(a, call);
	*out_wait_s = reply.retry_after_s;
	mem_drop(&scope);
	return fault;
}

/* ---- one target, with its tries */

static void
fail_here(struct asking *a, const struct ai_target *target, enum ai_fault fault)
{
	struct ai_result *out = a->out;

	/* what nobody can be asked about is told only when nothing else is */
	if (out->fault != AI_GOOD && out->fault != AI_NO_KEY)
		return;
	out->fault = fault;
	out->message = ai_fault_info(fault)->sentence;
	out->kind = target->kind;
	out->model = mem_dup(a->op, target->model);
}

/* Doubling, a quarter more or less, and never less than was asked for. */
static int64_t
wait_ms(const struct asking *a, int tries, int64_t asked_s)
{
	int64_t first =
	    a->given->backoff_ms > 0 ? a->given->backoff_ms : AI_BACKOFF_MS;
	int64_t ms = first << (tries < DOUBLINGS_MAX ? tries : DOUBLINGS_MAX);
	uint32_t chance = 0;

	if (getrandom(&chance, sizeof(chance), GRND_NONBLOCK) < 0)
		chance = (uint32_t)a->begun_ms;
	ms += ms / 2 * (chance % 1000) / 1000 - ms / 4;
	return asked_s > 0 && asked_s * 1000 > ms ? asked_s * 1000 : ms;
}

/* False: it was over before. */
static bool
nap(struct asking *a, int64_t ms)
{
	int64_t until = ai__now_ms() + ms, left;

	while ((left = until - ai__now_ms()) > 0) {
		struct timespec t = {.tv_sec = 0};

		if (is_over(a))
			return false;
		left = left < NAP_MS ? left : NAP_MS;
		t.tv_nsec = (long)left * 1000000;
		nanosleep(&t, NULL);
	}
	return !is_over(a);
}

/* Whether the target is tried; notes why not. */
static bool
may_ask(struct asking *a, const struct ai_target *target)
{
	bool can = ai_is_ready(target);

	if (!can)
		fail_here(a, target, AI_NO_KEY);
	else if (a->texts && target->kind == AI_ANTHROPIC)
		fail_here(a, target, AI_NO_MODEL);
	else if (!ai_breaker_would_let(target->kind))
		fail_here(a, target, AI_BREAKER);
	else
		return true;
	return false;
}

static void
ask_target(struct asking *a, const struct ai_target *target,
    struct ai_spend *spend, int64_t until_ms)
{
	int retries = a->given->retries >= 0
	    ? a->given->retries
	    : (int)config_int(CONFIG_APP_AI_MAX_RETRIES);

	for (int tries = 0;; tries++) {
		int64_t left = until_ms - ai__now_ms(), asked_s, wait;
		enum ai_fault fault;

		if (is_over(a)) {
			a->out->fault = AI_CANCELLED;
			a->out->message = ai_fault_info(AI_CANCELLED)->sentence;
			return;
		}
		fault =
		    attempt(a, target, spend, left > 1 ? left : 1, &asked_s);
		if (!ai_fault_info(fault)->is_tried_again || a->has_given ||
		    tries >= retries)
			return;
		wait = wait_ms(a, tries, asked_s);
		if (ai__now_ms() + wait >= until_ms)
			return;
		if (!nap(a, wait))
			continue; /* which ends it */
		if (!ai_breaker_lets(target->kind))
			return;
	}
}

/* ---- the chain */

static bool
has_next(const struct asking *a, size_t i)
{
	for (i++; i < a->n_targets; i++)
		if (ai_is_ready(&a->targets[i]))
			return true;
	return false;
}

static int64_t
tokens_most(const struct asking *a)
{
	int64_t n = ai_input_tokens_most(&a->rq);

	for (size_t i = 0; i < a->n_texts; i++)
		n += (int64_t)strlen(a->texts[i]) / TOKEN_BYTES + 1;
	return n;
}

static enum err
ask_all(struct asking *a)
{
	const struct ai_request *rq = a->given;

	for (size_t i = 0; i < a->n_targets && i < AI_CHAIN_MAX; i++) {
		struct ai_target target = a->targets[i];
		int64_t left = a->until_ms - ai__now_ms();
		struct ai_spend *spend = &a->out->spends[a->out->n_spends];
		enum err e = ERR_OK;

		if (a->texts && target.kind != AI_SANDBOX)
			target.model =
			    config_get(CONFIG_APP_AI_EMBEDDING_MODEL);
		if (!may_ask(a, &target))
			continue;
		if (left <= 0)
			break;
		if (rq->admit)
			e = rq->admit(rq->data, a->op, &target, tokens_most(a));
		if (e)
			return e;
		spend->target = target;
		a->out->n_spends++;
		/* now that it is sure to be called */
		if (!ai_breaker_lets(target.kind)) {
			fail_here(a, &target, AI_BREAKER);
			continue;
		}
		ask_target(a, &target, spend,
		    a->until_ms - (has_next(a, i) ? left / SHARE_OF : 0));
		if (a->out->fault == AI_GOOD || a->has_given ||
		    !ai_fault_info(a->out->fault)->is_passed_on)
			break;
	}
	return ERR_OK;
}

int64_t
ai_input_tokens_most(const struct ai_request *rq)
{
	size_t bytes = rq->system ? strlen(rq->system) : 0;

	for (size_t i = 0; i < rq->n_messages; i++)
		bytes += strlen(rq->messages[i].text);
	if (rq->schema)
		bytes += strlen(json_object_to_json_string_ext(
		    rq->schema, JSON_C_TO_STRING_PLAIN));
	return (int64_t)(bytes / TOKEN_BYTES +
	    (rq->n_messages + 2) * MESSAGE_TOKENS);
}

int64_t
ai_output_tokens_most(const struct ai_request *rq)
{
	return rq->max_tokens > 0 ? rq->max_tokens
				  : config_int(CONFIG_CLAUDE_MAX_TOKENS);
}

/* ---- what is asked, looked at first */

static enum ai_fault
check_texts(const struct asking *a)
{
	const struct ai_request *rq = a->given;
	size_t bytes = 0;

	for (size_t i = 0; i <= rq->n_messages + a->n_texts; i++) {
		const char *text = i < rq->n_messages ? rq->messages[i].text
		    : i == rq->n_messages             ? rq->system
					  : a->texts[i - rq->n_messages - 1];
		size_t n = text ? strlen(text) : 0;

		if (text && !text_is_storable(text, n))
			return AI_BAD_REQUEST;
		bytes += n;
	}
	return bytes > AI_PROMPT_MAX ? AI_TOO_LONG : AI_GOOD;
}

static enum err
compile_schema(struct asking *a)
{
	static const char uri[] = "https://gnomon.invalid/answer";
	struct schema_set *set = schema_set_new(a->op, SCHEMA_ASSERT_FORMAT);
	const char *why;

	if (!a->given->schema)
		return ERR_OK;
	if (!schema_set_add(set, uri, a->given->schema, &why) ||
	    !schema_compile(set, uri, &a->schema, &why))
		return op_fail(a->op, ERR_INTERNAL, "schema: %s", why);
	return ERR_OK;
}

static enum err
ask(struct asking *a)
{
	struct ai_result *out = a->out;
	int64_t limit = a->given->deadline_ms > 0
	    ? a->given->deadline_ms
	    : config_ms(CONFIG_APP_AI_REQUEST_TIMEOUT);
	enum err e;

	*out = (struct ai_result){.text = "", .message = "", .model = ""};
	a->begun_ms = ai__now_ms();
	a->until_ms = a->begun_ms + limit;
	a->held = buf_new(a->op, AI_TEXT_MAX);
	e = compile_schema(a);
	if (e)
		return e;
	out->fault = check_texts(a);
	if (out->fault == AI_GOOD) {
		out->fault = AI_NO_KEY; /* until somebody is asked */
		hide_all(a);
		e = ask_all(a);
	}
	out->latency_ms = ai__now_ms() - a->begun_ms;
	if (e || out->fault == AI_GOOD)
		return e;
	if (!*out->message)
		out->message = ai_fault_info(out->fault)->sentence;
	return op_fail(a->op, ai_fault_info(out->fault)->err, "%s: %s",
	    ai_kind_word(out->kind), ai_fault_info(out->fault)->word);
}

enum err
ai_ask(struct op *op, const struct ai_request *rq,
    const struct ai_target *targets, size_t n_targets, struct ai_result *out)
{
	struct asking a = {.op = op,
	    .given = rq,
	    .targets = targets,
	    .n_targets = n_targets,
	    .out = out};

	assert(rq->n_messages > 0 && rq->max_tokens >= 0);
	assert(rq->messages[rq->n_messages - 1].role == AI_USER);
	return ask(&a);
}

enum err
ai_embed(struct op *op, const struct ai_request *rq, const char *const *texts,
    size_t n, const struct ai_target *targets, size_t n_targets,
    struct ai_vectors *out)
{
	struct ai_request plain = *rq;
	struct asking a = {.op = op,
	    .given = &plain,
	    .texts = texts,
	    .n_texts = n,
	    .targets = targets,
	    .n_targets = n_targets,
	    .out = &out->result,
	    .vectors = out};

	assert(n > 0 && n <= AI_EMBED_MAX);
	plain.n_messages = 0;
	plain.schema = NULL;
	plain.system = NULL;
	plain.on_text = NULL;
	*out = (struct ai_vectors){.n = 0};
	return ask(&a);
}
