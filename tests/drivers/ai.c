/*
 * Drives src/ai from a pipe: each line of standard input is a request and the
 * targets it is for, each line of the answer all that came of it. See read_line
 * for the names.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ai/ai.h"
#include "base/config.h"
#include "base/log.h"
#include "base/metrics.h"

enum { LINE_DEPTH = 64 };

/* One line under way. */
struct run {
	struct json_object *in, *out;
	struct json_object *pieces, *piece_ms, *admitted;
	struct ai_target targets[AI_CHAIN_MAX];
	size_t n_targets;
	struct ai_request rq;
	int64_t begun_ms;
};

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static const char *
text(struct json_object *o, const char *key, const char *otherwise)
{
	struct json_object *found;

	return json_object_object_get_ex(o, key, &found)
	    ? json_object_get_string(found)
	    : otherwise;
}

static int64_t
number(struct json_object *o, const char *key, int64_t otherwise)
{
	struct json_object *found;

	return json_object_object_get_ex(o, key, &found)
	    ? json_object_get_int64(found)
	    : otherwise;
}

static bool
on_text(void *data, const char *piece, size_t n)
{
	struct run *r = data;
	size_t stop = (size_t)number(r->in, "stopAfter", 1 << 30);

	json_object_array_add(
	    r->pieces, json_object_new_string_len(piece, (int)n));
	json_object_array_add(
	    r->piece_ms, json_object_new_int64(now_ms() - r->begun_ms));
	return json_object_array_length(r->pieces) < stop;
}

static bool
is_over(void *data)
{
	struct run *r = data;

	return now_ms() - r->begun_ms >=
	    number(r->in, "cancelAfterMs", 1 << 30);
}

static enum err
admit(void *data, struct op *op, const struct ai_target *target,
    int64_t input_tokens_most)
{
	struct run *r = data;
	struct json_object *o = json_object_new_object();

	json_object_object_add(
	    o, "kind", json_object_new_string(ai_kind_word(target->kind)));
	json_object_object_add(
	    o, "model", json_object_new_string(target->model));
	json_object_object_add(
	    o, "tokens", json_object_new_int64(input_tokens_most));
	json_object_array_add(r->admitted, o);
	if (strcmp(text(r->in, "refuse", ""), ai_kind_word(target->kind)) == 0)
		return op_fail(op, ERR_RATE_LIMITED, "the test says so");
	return ERR_OK;
}

static void
read_targets(struct run *r)
{
	struct json_object *list = json_object_object_get(r->in, "targets");

	if (!list) {
		r->n_targets = ai_targets(r, text(r->in, "provider", NULL),
		    text(r->in, "model", NULL), r->targets);
		return;
	}
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);

		r->targets[r->n_targets++] = (struct ai_target){
		    .kind = ai_kind_of_word(text(o, "kind", "openai")),
		    .model = text(o, "model", "gpt-test"),
		    .url = text(o, "url", ""),
		    .key = text(o, "key", "")};
	}
}

static const char **
texts(void *owner, struct json_object *list, size_t *out_n)
{
	const char **out;

	*out_n = list ? json_object_array_length(list) : 0;
	out = mem_array(owner, const char *, *out_n);
	for (size_t i = 0; i < *out_n; i++)
		out[i] =
		    json_object_get_string(json_object_array_get_idx(list, i));
	return out;
}

static void
read_line(struct run *r)
{
	struct json_object *list = json_object_object_get(r->in, "messages");
	size_t n = list ? json_object_array_length(list) : 0;
	struct ai_message *messages = mem_array(r, struct ai_message, n + 1);

	read_targets(r);
	for (size_t i = 0; i < n; i++) {
		struct json_object *o = json_object_array_get_idx(list, i);

		messages[i] = (struct ai_message){.text = text(o, "text", ""),
		    .role = strcmp(text(o, "role", "user"), "user") == 0
			? AI_USER
			: AI_ASSISTANT};
	}
	if (n == 0)
		messages[n++].text = text(r->in, "ask", "Hello");
	r->rq = (struct ai_request){.system = text(r->in, "system", NULL),
	    .messages = messages,
	    .n_messages = n,
	    .max_tokens = number(r->in, "maxTokens", 100),
	    .has_temperature =
		json_object_object_get_ex(r->in, "temperature", NULL),
	    .temperature = json_object_get_double(
		json_object_object_get(r->in, "temperature")),
	    .schema = json_object_object_get(r->in, "schema"),
	    .schema_name = text(r->in, "schemaName", NULL),
	    .deadline_ms = number(r->in, "deadlineMs", 5000),
	    .retries = (int)number(r->in, "retries", 0),
	    .backoff_ms = number(r->in, "backoffMs", 20),
	    .on_text = number(r->in, "stream", 0) ? on_text : NULL,
	    .is_over = number(r->in, "cancelAfterMs", 0) ? is_over : NULL,
	    .admit = admit,
	    .data = r};
	r->rq.names =
	    texts(r, json_object_object_get(r->in, "names"), &r->rq.n_names);
}

/* ---- what came of it */

static void
put_text(struct json_object *o, const char *key, const char *value)
{
	json_object_object_add(
	    o, key, value ? json_object_new_string(value) : NULL);
}

static void
put_int(struct json_object *o, const char *key, int64_t value)
{
	json_object_object_add(o, key, json_object_new_int64(value));
}

static struct json_object *
usage(const struct ai_usage *u)
{
	static const char *const counted[] = {"no", "partly", "yes"};
	struct json_object *o = json_object_new_object();

	put_text(o, "counted", counted[u->counted]);
	put_int(o, "input", u->input);
	put_int(o, "cached", u->cached);
	put_int(o, "written", u->written);
	put_int(o, "output", u->output);
	return o;
}

static struct json_object *
spends(const struct ai_result *res)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < res->n_spends; i++) {
		const struct ai_spend *s = &res->spends[i];
		struct json_object *o = json_object_new_object();

		put_text(o, "kind", ai_kind_word(s->target.kind));
		put_text(o, "model", s->target.model);
		put_int(o, "attempts", s->attempts);
		put_int(o, "uncounted", s->uncounted);
		json_object_object_add(o, "usage", usage(&s->usage));
		json_object_array_add(list, o);
	}
	return list;
}

static void
write_result(struct run *r, const struct ai_result *res, enum err e)
{
	static const char *const finishes[] = {
	    "none", "stop", "length", "refused", "other"};
	struct json_object *o = r->out;

	put_text(o, "error", e ? err_info(e)->word : "ok");
	put_text(o, "fault", ai_fault_info(res->fault)->word);
	put_text(o, "message", res->message);
	json_object_object_add(
	    o, "text", json_object_new_string_len(res->text, (int)res->text_n));
	json_object_object_add(
	    o, "json", res->json ? json_object_get(res->json) : NULL);
	put_text(o, "finish", finishes[res->finish]);
	put_text(o, "kind", ai_kind_word(res->kind));
	put_text(o, "model", res->model);
	json_object_object_add(o, "usage", usage(&res->usage));
	put_int(o, "latencyMs", res->latency_ms);
	put_int(o, "firstMs", res->first_ms);
	put_int(o, "status", res->status);
	put_int(o, "attempts", res->attempts);
	json_object_object_add(o, "spends", spends(res));
	if (r->n_targets)
		put_text(o, "breaker", ai_breaker_word(r->targets[0].kind));
}

static void
write_vectors(struct run *r, const struct ai_vectors *v)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < v->n; i++) {
		struct json_object *one = json_object_new_array();

		for (size_t k = 0; k < v->dimensions; k++)
			json_object_array_add(one,
			    json_object_new_double(
				(double)v->numbers[i * v->dimensions + k]));
		json_object_array_add(list, one);
	}
	json_object_object_add(r->out, "vectors", list);
}

static void
answer(const char *line)
{
	struct run *r = mem_new(NULL, struct run);
	struct op *op = op_new(r, "driver", NULL);
	struct json_tokener *t = json_tokener_new_ex(LINE_DEPTH);
	struct json_object *list;
	struct ai_vectors vectors;
	struct ai_result res;
	enum err e;
	size_t n;

	r->in = op_json(r, json_tokener_parse_ex(t, line, -1));
	json_tokener_free(t);
	r->out = op_json(r, json_object_new_object());
	r->pieces = json_object_new_array();
	r->piece_ms = json_object_new_array();
	r->admitted = json_object_new_array();
	json_object_object_add(r->out, "pieces", r->pieces);
	json_object_object_add(r->out, "pieceMs", r->piece_ms);
	json_object_object_add(r->out, "admitted", r->admitted);
	r->begun_ms = now_ms();
	read_line(r);
	for (size_t i = 0; number(r->in, "forget", 0) && i < r->n_targets; i++)
		ai_breaker_note(r->targets[i].kind, AI_GOOD);
	list = json_object_object_get(r->in, "texts");
	if (list) {
		const char **all = texts(r, list, &n);

		e = ai_embed(
		    op, &r->rq, all, n, r->targets, r->n_targets, &vectors);
		res = vectors.result;
		write_vectors(r, &vectors);
	} else {
		e = ai_ask(op, &r->rq, r->targets, r->n_targets, &res);
	}
	write_result(r, &res, e);
	puts(json_object_to_json_string_ext(r->out, JSON_C_TO_STRING_PLAIN));
	fflush(stdout);
	mem_drop(&r);
}

int
main(void)
{
	char *line = NULL;
	size_t cap = 0;
	int fd = -1;

	if (!config_load(stderr))
		return 1;
	log_open("driver", log_level(config_get(CONFIG_LOG_LEVEL)));
	if (*config_get(CONFIG_GNOMON_METRICS) &&
	    !metrics_open(config_get(CONFIG_GNOMON_METRICS), &fd))
		return 1;
	metrics_join("driver");
	while (getline(&line, &cap, stdin) > 0)
		answer(line);
	free(line);
	return 0;
}
