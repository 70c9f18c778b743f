/* What the files of this room share: a call under way, and what a provider's
 * driver does with it. */
#ifndef GNOMON_AI_AI_PRIV_H
#define GNOMON_AI_AI_PRIV_H

#include <json-c/json.h>

#include "ai/ai.h"
#include "net/net.h"

enum {
	AI__BODY_MAX = 1 << 24, /* a prompt, escaped */
	AI__MESSAGE_MAX = 300, /* bytes of what a provider says is wrong */
	AI__TOKENS_MAX = 1000000000, /* no count of tokens is greater */
	AI__HEADERS_MAX = 6,
};

/* How a schema was sent, and so where the answer is looked for. */
enum ai__form { AI__TEXT, AI__FORMAT, AI__TOOL, AI__TOLD };

struct ai_call {
	const struct ai_request *rq;
	struct ai_target target;
	const struct ai__driver *driver;
	const char *const *texts; /* to be made into vectors; NULL: a prompt */
	size_t n_texts;

	/* what is sent */
	struct net_request http;
	const char *headers[AI__HEADERS_MAX];
	size_t n_headers;
	struct buf *body;
	bool is_streamed;
	enum ai__form form;

	/* what has come */
	struct net_sse *sse; /* of a stream */
	struct buf *raw; /* of a whole answer, or an error */
	struct buf *text;
	struct buf *tool; /* the input of the tool that stands for JSON */
	int64_t tool_index; /* of its block; negative: none yet */
	float *numbers;
	size_t dimensions;
	const char *model;
	enum ai_finish finish;
	struct ai_usage usage;
	enum ai_fault fault; /* the first one stays */
	const char *message;
	bool is_done; /* the provider said that this was all */
	int64_t begun_ms, first_ms;
};

struct ai__driver {
	/* Fills http.url, headers and body. */
	void (*write)(struct ai_call *call);
	/* Reads a whole answer. */
	void (*read)(struct ai_call *call, struct json_object *json);
	/* Reads an event of a stream; is_done or fault end it. */
	void (*event)(struct ai_call *call, struct json_object *json);
	/* Answers by itself, instead of all of the above. */
	void (*answer)(struct ai_call *call);
};

extern const struct ai__driver ai__openai, ai__anthropic, ai__sandbox;

/* ---- call.c */

int64_t ai__now_ms(void);

struct ai_call *ai__call_new(void *owner, const struct ai_request *rq,
    const struct ai_target *target, const char *const *texts, size_t n_texts);

/* Notes what is wrong; the first stays. message is cut and cleaned; or NULL. */
void ai__fail(struct ai_call *call, enum ai_fault fault, const char *message);

/* A piece of the answer's text. */
void ai__add_text(struct ai_call *call, const char *text, size_t n);

/* Answer's headers, "Name: value". */
void ai__header(struct ai_call *call, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- wire.c: JSON of others, looked at without trust */

/* NULL and *out_fault when it is no JSON, or not UTF-8. */
struct json_object *ai__parse(void *owner, const char *text, size_t n,
    int depth, enum ai_fault *out_fault);

/* Members by type: NULL, or false leaving *out alone, when it is none. */
struct json_object *ai__object(struct json_object *o, const char *key);
struct json_object *ai__array(struct json_object *o, const char *key);
const char *ai__text(struct json_object *o, const char *key, size_t *out_n);
bool ai__is_text(struct json_object *o, const char *key, const char *text);
/* A count of tokens. */
bool ai__count(struct json_object *o, const char *key, int64_t *out);

/* The model that answers, as the first "model" says it; of at most 200 bytes. */
void ai__read_model(struct ai_call *call, struct json_object *json);

/* What an error of either format says: {"error":{"type","code","message"}},
 * {"error":"…"}; status 0: it came within a stream. */
void ai__read_error(struct ai_call *call, int status, struct json_object *json);

/* The fault of a status that is no success. */
enum ai_fault ai__fault_of_status(int status);

/* Whether a fault shows that the provider is there. */
bool ai__says_it_lives(enum ai_fault fault);

/* Appends JSON: a text, a value. */
void ai__write_text(struct buf *out, const char *text);
void ai__write_json(struct buf *out, struct json_object *json);

/* ---- shape.c: what providers take as a schema */

/* Every object is closed and requires all it has, and no word is used that
 * OpenAI's strict mode does not know. */
bool ai__is_strict(struct json_object *schema);

/* The schema with the words that Anthropic's output format knows, objects
 * closed; NULL when that would be another schema. What is left out is checked
 * by us all the same. */
struct json_object *ai__reduce(void *owner, struct json_object *schema);

#endif
