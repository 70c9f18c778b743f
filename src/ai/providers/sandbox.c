/*
 * The provider that is built in: no network, no money, and the same answer to
 * the same question. A text says what it is and repeats the question's first
 * words. JSON is made from its schema: where the prompt holds a packet of JSON
 * that says something under the same name, it is said again, so that ids and
 * numbers are the packet's; where not, the least that the schema allows.
 */
#include <math.h>
#include <string.h>

#include "ai/ai_priv.h"
#include "base/text.h"

enum {
	DEPTH_MAX = 12,
	ITEMS_MAX = 10, /* that are taken over from the packet */
	QUOTE_MAX = 160, /* bytes of the question that are repeated */
	DIMENSIONS = 256,
	BYTES_A_TOKEN = 4,
};

static const char *
last_message(const struct ai_call *call)
{
	return call->rq->messages[call->rq->n_messages - 1].text;
}

/* The longest beginning of at most max bytes that ends with a character. */
static size_t
whole_characters(const char *text, size_t max)
{
	size_t n = 0, length = strlen(text), width;

	while (n < length &&
	    (width = text_utf8_width(text + n, length - n)) > 0 &&
	    n + width <= max)
		n += width;
	return n;
}

/* ---- text */

static bool
asks_for_code(const char *text)
{
	static const char *const words[] = {
	    "code", "Build", "build", "script", "function", "program"};

	for (size_t i = 0; i < nitems(words); i++)
		if (strstr(text, words[i]))
			return true;
	return false;
}

static void
say(struct ai_call *call)
{
	static const char code[] =
	    "\n\n```python\nitems = {}\n\n\ndef add(name, count=1):\n"
	    "    items[name] = items.get(name, 0) + count\n"
	    "    return items[name]\n\n\nprint(add(\"bolt\", 3))\n```\n";
	const char *asked = last_message(call), *at;
	size_t n = whole_characters(asked, QUOTE_MAX);
	char *answer = mem_fmt(call,
	    "This is the sandbox, which has no model behind it. You asked: "
	    "\"%.*s%s\".%s",
	    (int)n, asked, asked[n] ? "…" : "",
	    asks_for_code(asked) ? code : "");

	/* in words, as a stream would bring them */
	for (at = answer; *at && call->fault == AI_GOOD; at += n) {
		n = strcspn(at, " \n");
		n += at[n] != '\0';
		ai__add_text(call, at, n);
	}
}

/* ---- JSON */

static struct json_object *make(struct json_object *root,
    struct json_object *schema, struct json_object *packet,
    struct json_object *known, const char *name, int depth);

/* The packet: what stands between the first { and the last }. */
static struct json_object *
packet_of(struct ai_call *call)
{
	const char *text = last_message(call), *begin = strchr(text, '{');
	const char *end = strrchr(text, '}');
	enum ai_fault fault;

	return begin && end && end > begin
	    ? ai__parse(call, begin, (size_t)(end - begin) + 1, 64, &fault)
	    : NULL;
}

static double
number_of(struct json_object *schema, const char *word, double otherwise)
{
	struct json_object *found;

	return json_object_object_get_ex(schema, word, &found)
	    ? json_object_get_double(found)
	    : otherwise;
}

static struct json_object *
make_number(
    struct json_object *schema, struct json_object *known, bool is_whole)
{
	double low = number_of(schema, "minimum",
	    number_of(schema, "exclusiveMinimum", -INFINITY) + 1);
	double high = number_of(schema, "maximum",
	    number_of(schema, "exclusiveMaximum", INFINITY) - 1);
	double x = low > 0 ? low : high < 0 ? high : 0;
	bool is_int = json_object_is_type(known, json_type_int);

	if ((is_int || json_object_is_type(known, json_type_double)) &&
	    json_object_get_double(known) >= low &&
	    json_object_get_double(known) <= high && (is_int || !is_whole))
		return json_object_get(known);
	return is_whole ? json_object_new_int64((int64_t)ceil(x))
			: json_object_new_double(x);
}

static const char *
example_of(const char *format)
{
	static const struct {
		const char *format, *text;
	} examples[] = {
	    {"uuid", "00000000-0000-7000-8000-000000000000"},
	    {"date", "2026-01-01"},
	    {"date-time", "2026-01-01T00:00:00Z"},
	    {"email", "nobody@example.org"},
	    {"uri", "https://example.org/"},
	};

	for (size_t i = 0; format && i < nitems(examples); i++)
		if (strcmp(format, examples[i].format) == 0)
			return examples[i].text;
	return NULL;
}

static struct json_object *
make_text(struct json_object *schema, struct json_object *known)
{
	const char *example = example_of(ai__text(schema, "format", NULL));
	size_t least = (size_t)number_of(schema, "minLength", 0);
	size_t most = (size_t)number_of(schema, "maxLength", 2000);
	const char *text = "Said by the sandbox.";
	struct buf *padded;
	struct json_object *out;
	size_t n;

	if (json_object_is_type(known, json_type_string))
		text = json_object_get_string(known);
	else if (example)
		text = example;
	n = whole_characters(text, most);
	if (n >= least)
		return json_object_new_string_len(text, (int)n);
	padded = buf_new(NULL, least);
	buf_add(padded, text, n);
	while (padded->len < least)
		buf_char(padded, '.');
	out = json_object_new_string_len(padded->data, (int)padded->len);
	mem_drop(&padded);
	return out;
}

/* A required member, or any when none is required. */
static bool
is_wanted(struct json_object *schema, const char *name)
{
	struct json_object *required = ai__array(schema, "required");

	if (!required)
		return true;
	for (size_t i = 0; i < json_object_array_length(required); i++)
		if (strcmp(json_object_get_string(
			       json_object_array_get_idx(required, i)),
			name) == 0)
			return true;
	return false;
}

static struct json_object *
make_object(struct json_object *root, struct json_object *schema,
    struct json_object *packet, struct json_object *known, int depth)
{
	struct json_object *out = json_object_new_object();
	struct json_object *properties = ai__object(schema, "properties");

	if (json_object_is_type(known, json_type_object))
		packet = known;
	if (!properties)
		return out;
	json_object_object_foreach (properties, name, one) {
		struct json_object *said = NULL;

		if (!is_wanted(schema, name))
			continue;
		if (json_object_is_type(packet, json_type_object))
			json_object_object_get_ex(packet, name, &said);
		json_object_object_add(
		    out, name, make(root, one, packet, said, name, depth + 1));
	}
	return out;
}

static struct json_object *
make_list(struct json_object *root, struct json_object *schema,
    struct json_object *packet, struct json_object *known, const char *name,
    int depth)
{
	struct json_object *out = json_object_new_array();
	struct json_object *items = ai__object(schema, "items");
	size_t least = (size_t)number_of(schema, "minItems", 0);
	size_t most = (size_t)number_of(schema, "maxItems", ITEMS_MAX);
	size_t n = json_object_is_type(known, json_type_array)
	    ? json_object_array_length(known)
	    : 0;

	n = n < ITEMS_MAX ? n : ITEMS_MAX;
	n = n < most ? n : most;
	for (size_t i = 0; items && (i < n || i < least) && i < 1000; i++) {
		struct json_object *said =
		    i < n ? json_object_array_get_idx(known, i) : NULL;

		json_object_array_add(
		    out, make(root, items, packet, said, name, depth + 1));
	}
	return out;
}

static struct json_object *
choose(struct json_object *list, struct json_object *known)
{
	for (size_t i = 0; known && i < json_object_array_length(list); i++)
		if (json_object_equal(
			json_object_array_get_idx(list, i), known))
			return json_object_get(known);
	return json_object_get(json_object_array_get_idx(list, 0));
}

/* #/$defs/name, or the first of several ways. */
static struct json_object *
resolve(struct json_object *root, struct json_object *schema)
{
	static const char *const ways[] = {"anyOf", "oneOf", "allOf"};
	const char *ref = ai__text(schema, "$ref", NULL);

	if (ref && text_starts(ref, "#/$defs/"))
		return ai__object(ai__object(root, "$defs"), ref + 8);
	for (size_t i = 0; i < nitems(ways); i++) {
		struct json_object *list = ai__array(schema, ways[i]);

		if (list && json_object_array_length(list))
			return json_object_array_get_idx(list, 0);
	}
	return NULL;
}

static const char *
type_of(struct json_object *schema)
{
	struct json_object *types = ai__array(schema, "type");
	const char *one = ai__text(schema, "type", NULL);

	for (size_t i = 0; types && i < json_object_array_length(types); i++) {
		one =
		    json_object_get_string(json_object_array_get_idx(types, i));
		if (one && strcmp(one, "null") != 0)
			break;
	}
	if (!one && ai__object(schema, "properties"))
		return "object";
	return one ? one : "null";
}

static struct json_object *
make(struct json_object *root, struct json_object *schema,
    struct json_object *packet, struct json_object *known, const char *name,
    int depth)
{
	struct json_object *list, *other;
	const char *type;

	if (depth > DEPTH_MAX)
		return NULL;
	if (json_object_object_get_ex(schema, "const", &other))
		return json_object_get(other);
	list = ai__array(schema, "enum");
	if (list && json_object_array_length(list))
		return choose(list, known);
	other = resolve(root, schema);
	if (other)
		return make(root, other, packet, known, name, depth + 1);
	type = type_of(schema);
	if (strcmp(type, "object") == 0)
		return make_object(root, schema, packet, known, depth);
	if (strcmp(type, "array") == 0)
		return make_list(root, schema, packet, known, name, depth);
	if (strcmp(type, "string") == 0)
		return make_text(schema, known);
	if (strcmp(type, "integer") == 0 || strcmp(type, "number") == 0)
		return make_number(schema, known, *type == 'i');
	if (strcmp(type, "boolean") == 0)
		return json_object_new_boolean(
		    json_object_is_type(known, json_type_boolean) &&
		    json_object_get_boolean(known));
	return NULL;
}

/* ---- vectors: each word's hash says which number it changes, and how */

static void
make_vector(const char *text, float *out)
{
	double length = 0;

	while (*text) {
		uint32_t h = UINT32_C(2166136261);
		size_t n = strcspn(text, " \t\r\n.,;:!?()\"'");

		for (size_t i = 0; i < n; i++) {
			char c = text[i];

			c = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
			h = (h ^ (unsigned char)c) * UINT32_C(16777619);
		}
		if (n)
			out[h % DIMENSIONS] += h & 0x10000 ? 1.0f : -1.0f;
		text += n + (text[n] != '\0');
	}
	for (size_t i = 0; i < DIMENSIONS; i++)
		length += (double)out[i] * out[i];
	for (size_t i = 0; length > 0 && i < DIMENSIONS; i++)
		out[i] = (float)(out[i] / sqrt(length));
}

static int64_t
tokens_of_bytes(size_t n)
{
	return (int64_t)((n + BYTES_A_TOKEN - 1) / BYTES_A_TOKEN);
}

static size_t
input_bytes(const struct ai_call *call)
{
	const struct ai_request *rq = call->rq;
	size_t n = rq->system && !call->texts ? strlen(rq->system) : 0;

	for (size_t i = 0; call->texts && i < call->n_texts; i++)
		n += strlen(call->texts[i]);
	for (size_t i = 0; !call->texts && i < rq->n_messages; i++)
		n += strlen(rq->messages[i].text);
	return n;
}

static void
answer(struct ai_call *call)
{
	call->model = "sandbox";
	call->is_done = true;
	if (call->texts) {
		call->dimensions = DIMENSIONS;
		call->numbers =
		    mem_array(call, float, call->n_texts *DIMENSIONS);
		for (size_t i = 0; i < call->n_texts; i++)
			make_vector(
			    call->texts[i], call->numbers + i * DIMENSIONS);
	} else if (call->rq->schema) {
		struct json_object *schema = call->rq->schema;
		struct json_object *made = op_json(
		    call, make(schema, schema, packet_of(call), NULL, "", 0));
		const char *text = json_object_to_json_string_ext(made,
		    JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);

		ai__add_text(call, text, strlen(text));
	} else {
		say(call);
	}
	call->finish = AI_FINISH_STOP;
	call->usage = (struct ai_usage){.counted = AI_COUNTED,
	    .input = tokens_of_bytes(input_bytes(call)),
	    .output = tokens_of_bytes(call->text->len)};
}

const struct ai__driver ai__sandbox = {.answer = answer};
