/*
 * A model is asked something, whoever it is: one request, one result, and
 * behind them the providers' own formats, their ways to fail, and what is done
 * about each. This is the call between ai_begin and ai_end; it knows nothing of
 * policy, budgets or the database. What may be spent is asked of `admit`.
 *
 * What is promised:
 *
 *   - It ends by the deadline, in success or in exactly one fault (fault.def).
 *   - Nothing leaves but what redact.h lets through; answers come back with
 *     what was hidden in its place.
 *   - A text is storable UTF-8 of at most AI_TEXT_MAX bytes; JSON was accepted
 *     by the schema that was asked for.
 *   - Every token that a provider reported is in `spends`, of failed attempts
 *     too; an attempt that went out and reported none is counted there.
 *   - Once a piece of text was given to on_text, nobody is asked again: the
 *     text stands, and how it ended is in the result.
 *   - Keys and texts are in no log line and no message.
 *
 * Blocking: ai_ask. In an event loop: ai_call_* below take bytes from any
 * transport; ai_ask is made of them.
 */
#ifndef GNOMON_AI_AI_H
#define GNOMON_AI_AI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/op.h"

struct json_object;
struct net_reply;
struct net_request;

enum {
	AI_TEXT_MAX = 1 << 18, /* bytes of an answer's text */
	AI_REPLY_MAX = 1 << 22, /* bytes on the wire of one answer */
	AI_EVENT_MAX = 1 << 19, /* bytes of one event of a stream */
	AI_PROMPT_MAX = 1 << 20, /* bytes of system and messages together */
	AI_CHAIN_MAX = 4, /* providers that are asked in turn */
	AI_EMBED_MAX = 256, /* texts made into vectors at a time */
	AI_DIMENSIONS_MAX = 4096, /* numbers of a vector */
};

enum ai_fault {
	AI_GOOD,
#define FAULT(name, word, err, remedy, sentence) AI_##name,
#include "ai/fault.def"
#undef FAULT
	AI_FAULTS
};

struct ai_fault_info {
	const char *word;
	enum err err;
	bool is_tried_again, is_passed_on, speaks_against;
	const char *sentence;
};
const struct ai_fault_info *ai_fault_info(enum ai_fault fault);

/* ---- who is asked */

enum ai_kind {
	AI_OPENAI, /* chat completions */
	AI_ANTHROPIC, /* messages */
	AI_COMPATIBLE, /* chat completions of another server */
	AI_SANDBOX, /* built in: deterministic, without a network */
	AI_KINDS
};

/* "openai"; and back, AI_KINDS for an unknown word. */
const char *ai_kind_word(enum ai_kind kind);
enum ai_kind ai_kind_of_word(const char *word);

struct ai_target {
	enum ai_kind kind;
	const char *model;
	const char *url; /* without the path of the call */
	const char *key; /* secret; "": none */
};

/*
 * The chain that the settings name: APP_AI_PROVIDER and APP_AI_FALLBACK, each
 * once. A provider asked for by name (or NULL) comes first, a model (or NULL)
 * is the first one's. The number of targets, none while APP_AI_ENABLED is
 * false; texts belong to owner.
 */
size_t ai_targets(void *owner, const char *provider, const char *model,
    struct ai_target out[AI_CHAIN_MAX]);

/* Whether a target can be asked at all: it has the key or address it needs. */
bool ai_is_ready(const struct ai_target *target);

/* ---- what is asked */

enum ai_role { AI_USER, AI_ASSISTANT };

struct ai_message {
	enum ai_role role;
	const char *text; /* UTF-8 */
};

struct ai_request {
	const char *system; /* or NULL */
	const struct ai_message *messages; /* at least one; the last: AI_USER */
	size_t n_messages;
	int64_t max_tokens; /* of the answer; 0: CLAUDE_MAX_TOKENS */
	bool has_temperature; /* else the model's own; some take no other */
	double temperature; /* 0 to 2 (Anthropic: to 1) */
	/* What the answer must be, JSON Schema 2020-12 with an object at its
	 * root; NULL: text. */
	struct json_object *schema;
	const char *schema_name; /* a-z, 0-9, _; NULL: "answer" */
	int64_t deadline_ms; /* all of it; 0: APP_AI_REQUEST_TIMEOUT */
	int retries; /* at each provider; negative: APP_AI_MAX_RETRIES */
	int64_t backoff_ms; /* before the first of them; 0: AI_BACKOFF_MS */
	const char *const *names; /* of people, hidden; or NULL */
	size_t n_names;
	/* Whole characters of the answer as they come, with what was hidden
	 * in its place; NULL: not streamed. Not called for JSON. False: stop. */
	bool (*on_text)(void *data, const char *text, size_t n);
	/* Asked about once a second; true ends it as AI_CANCELLED. Or NULL. */
	bool (*is_over)(void *data);
	/* Asked once before a target is called, of what it may cost; an error
	 * ends it all with that error. Or NULL. */
	enum err (*admit)(void *data, struct op *op,
	    const struct ai_target *target, int64_t input_tokens_most);
	void *data; /* of the three */
};

enum {
	AI_BACKOFF_MS = 500, /* doubles each time, a quarter more or less */
};

/* ---- what comes back */

enum ai_finish {
	AI_FINISH_NONE, /* none was told */
	AI_FINISH_STOP, /* it was done */
	AI_FINISH_LENGTH, /* max_tokens, or the model's own end, was reached */
	AI_FINISH_REFUSED,
	AI_FINISH_OTHER,
};

enum ai_counted {
	AI_NOT_COUNTED, /* no figures arrived */
	AI_COUNTED_PARTLY, /* a stream broke off before the last ones */
	AI_COUNTED,
};

struct ai_usage {
	enum ai_counted counted;
	int64_t input; /* tokens, cached ones included */
	int64_t cached; /* of the input: read from the provider's cache */
	int64_t written; /* of the input: written to it */
	int64_t output;
};

/* What one target was asked and reported, all attempts together. */
struct ai_spend {
	struct ai_target target;
	int attempts; /* that went out, or may have */
	int uncounted; /* of them: whose figures did not arrive whole */
	struct ai_usage usage; /* counted: of the last attempt */
};

struct ai_result {
	enum ai_fault fault; /* AI_GOOD: the rest is true */
	/* for the operator, at most 300 bytes, without secrets; not for logs,
	 * for a provider may quote the prompt */
	const char *message;
	const char *text; /* never NULL; what came so far, on failure */
	size_t text_n;
	struct json_object *json; /* NULL without a schema */
	enum ai_finish finish;
	enum ai_kind kind; /* who answered, or failed last */
	const char *model; /* the one that answered, by its own account */
	struct ai_usage usage; /* of the attempt that counts */
	int64_t latency_ms; /* all of it, waiting included */
	int64_t first_ms; /* until the answer's first text; 0: none came */
	int status; /* HTTP, of the last attempt; 0: none */
	int attempts; /* at all targets */
	struct ai_spend spends[AI_CHAIN_MAX];
	size_t n_spends;
};

/*
 * Asks the targets in turn, each with its retries, until one answers. The
 * error is that of the fault (or of admit); *out is written whatever happens
 * and belongs to op.
 */
enum err ai_ask(struct op *op, const struct ai_request *rq,
    const struct ai_target *targets, size_t n_targets,
    struct ai_result *out) MUST_CHECK;

/* What to reserve: more tokens than the prompt can be, for nearly every text;
 * and the longest answer that is asked for. */
int64_t ai_input_tokens_most(const struct ai_request *rq);
int64_t ai_output_tokens_most(const struct ai_request *rq);

struct ai_vectors {
	const float *numbers; /* n * dimensions, in the order of the texts */
	size_t n, dimensions;
	struct ai_result result; /* but its text */
};

/* As ai_ask, for vectors: one of each text. Anthropic has none and is passed
 * over. rq gives deadline, retries, names, is_over and admit. */
enum err ai_embed(struct op *op, const struct ai_request *rq,
    const char *const *texts, size_t n, const struct ai_target *targets,
    size_t n_targets, struct ai_vectors *out) MUST_CHECK;

/* ---- one attempt at one target, without a transport */

struct ai_call;

/* The request must outlive it. Texts are taken as they stand: whoever drives
 * calls hides and restores (redact.h). */
struct ai_call *ai_call_new(
    void *owner, const struct ai_request *rq, const struct ai_target *target);

/* What to send; lent. NULL where there is nothing to send (sandbox): the call
 * is at its end already. */
const struct net_request *ai_call_http(const struct ai_call *call);

/* Takes bytes of the answer; fits net_request.take. False: enough. */
bool ai_call_take(
    void *call, const struct net_reply *head, const char *bytes, size_t n);

/* The exchange is over, reply says how (NULL: sandbox). Fills fault, message,
 * text, finish, model, usage, first_ms, status; json where the request has a
 * schema, which was not yet held against it. */
void ai_call_end(
    struct ai_call *call, const struct net_reply *reply, struct ai_result *out);

/* ---- health */

/* Whether a kind of provider may be called now, by what all processes saw. When
 * it may again after failures, one caller is let through to try, and must say
 * how it went. */
bool ai_breaker_lets(enum ai_kind kind);
/* The same, by somebody who does not call yet. */
bool ai_breaker_would_let(enum ai_kind kind);
/* How it went; a fault that says nothing of health changes nothing. */
void ai_breaker_note(enum ai_kind kind, enum ai_fault fault);
/* "closed", "open", "trying". */
const char *ai_breaker_word(enum ai_kind kind);

#endif
