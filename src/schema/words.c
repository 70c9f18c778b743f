/* Sentences about values, as the pages show them beside a field. */
#include "schema/schema_priv.h"

#include "base/buf.h"

enum { SENTENCE_MAX = 400 };

const char *
schema__say_type(void *owner, enum schema_type types)
{
	static const struct {
		enum schema_type type;
		const char *word;
	} words[] = {
	    {SCHEMA_STRING, "text"},
	    {SCHEMA_NUMBER, "a number"},
	    {SCHEMA_INTEGER, "a whole number"},
	    {SCHEMA_BOOLEAN, "true or false"},
	    {SCHEMA_ARRAY, "a list"},
	    {SCHEMA_OBJECT, "an object"},
	    {SCHEMA_NULL, "null"},
	};
	struct buf *b = buf_new(owner, SENTENCE_MAX);

	if (types == SCHEMA_NULL)
		return "Leave this empty: send null.";
	buf_text(b, "Enter ");
	for (size_t i = 0; i < nitems(words); i++) {
		if (!(types & words[i].type))
			continue;
		buf_text(b, words[i].word);
		types &= ~words[i].type;
		if (words[i].type == SCHEMA_NUMBER)
			types &= ~SCHEMA_INTEGER;
		if (types != SCHEMA_NONE)
			buf_text(b, (types & (types - 1)) ? ", " : " or ");
	}
	buf_char(b, '.');
	return b->data;
}

/* Text as it is, everything else as JSON. */
static const char *
plain(struct json_object *value)
{
	if (json_object_is_type(value, json_type_string))
		return json_object_get_string(value);
	return json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN);
}

const char *
schema__say_choices(void *owner, struct json_object *choices)
{
	size_t n = json_object_array_length(choices);
	struct buf *b;

	if (n == 0)
		return "Nothing fits here. Remove this.";
	if (n == 1)
		return schema__say_value(
		    owner, json_object_array_get_idx(choices, 0));
	b = buf_new(owner, SENTENCE_MAX);
	buf_text(b, "Choose one of: ");
	for (size_t i = 0; i < n; i++) {
		const char *word = plain(json_object_array_get_idx(choices, i));

		if (b->len + strlen(word) + 8 > SENTENCE_MAX) {
			buf_text(b, "…");
			return b->data;
		}
		buf_text(b, word);
		buf_text(b, i + 1 < n ? ", " : ".");
	}
	return b->data;
}

const char *
schema__say_pattern(void *owner, const char *pattern)
{
	if (strcmp(pattern, "\\S") == 0)
		return "Enter some text.";
	return mem_fmt(owner, "Enter text that matches %s.", pattern);
}

const char *
schema__say_value(void *owner, struct json_object *value)
{
	const char *word = plain(value);

	if (strlen(word) > SENTENCE_MAX)
		return "This must have the one value the schema gives.";
	return mem_fmt(owner, "This must be %s.", *word ? word : "empty");
}
