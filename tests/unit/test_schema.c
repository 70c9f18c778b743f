/* schema/: what is accepted, what is said of the rest, and how long it may
 * take. The official suite is run by tests/drivers/run-schema. */
#include "unit.h"

#include <json-c/json.h>
#include <time.h>

#include "base/buf.h"
#include "base/op.h"
#include "schema/schema.h"

static const char URI[] = "https://gnomon.test/schema";

static struct json_object *
parse(void *owner, const char *text)
{
	struct json_tokener *t = json_tokener_new_ex(20000);
	struct json_object *json =
	    json_tokener_parse_ex(t, text, (int)strlen(text) + 1);

	assert_int_equal(json_tokener_get_error(t), json_tokener_success);
	json_tokener_free(t);
	return op_json(owner, json);
}

static const struct schema *
compile_with(void *owner, const char *text, enum schema_flags flags)
{
	struct schema_set *set = schema_set_new(owner, flags);
	const struct schema *schema = NULL;
	const char *why = "";

	if (!schema_set_add(set, URI, parse(owner, text), &why) ||
	    !schema_compile(set, URI, &schema, &why))
		fail_msg("%s: %s", text, why);
	return schema;
}

static const struct schema *
compile(void *owner, const char *text)
{
	return compile_with(owner, text, SCHEMA_PLAIN);
}

static bool
accepts(void *owner, const char *schema, const char *value)
{
	return schema_accepts(
	    compile(owner, schema), parse(owner, value), owner, NULL);
}

/* Text of n times the same. */
static char *
repeat(void *owner, const char *text, size_t n)
{
	struct buf *b = buf_new(owner, strlen(text) * n);

	for (size_t i = 0; i < n; i++)
		buf_text(b, text);
	return b->data;
}

static void
every_error_says_where_and_what_to_do(void **state)
{
	static const struct {
		const char *schema, *value, *pointer, *message;
	} cases[] = {
	    {"{'type':'string'}", "1", "", "Enter text."},
	    {"{'type':['integer','null']}", "'x'", "",
		"Enter a whole number or null."},
	    {"{'type':['string','number','boolean']}", "[]", "",
		"Enter text, a number or true or false."},
	    {"{'properties':{'a':{'maxLength':200}}}",
		"{'a':'"
		"..................................................."
		"..................................................."
		"..................................................."
		"...................................................'}",
		"/a", "Enter at most 200 characters."},
	    {"{'minLength':1}", "''", "", "Enter at least 1 character."},
	    {"{'enum':['backlog','ready','done']}", "'x'", "",
		"Choose one of: backlog, ready, done."},
	    {"{'enum':[1,null]}", "2", "", "Choose one of: 1, null."},
	    {"{'enum':[]}", "2", "", "Nothing fits here. Remove this."},
	    {"{'const':'v1'}", "'v2'", "", "This must be v1."},
	    {"{'required':['a','b/c']}", "{'a':1}", "/b~1c",
		"This field is missing."},
	    {"{'dependentRequired':{'a':['b']}}", "{'a':1}", "/b",
		"This field is missing. It belongs to a."},
	    {"{'minimum':0}", "-1", "", "Enter 0 or more."},
	    {"{'maximum':0.5}", "1", "", "Enter 0.5 or less."},
	    {"{'exclusiveMinimum':0}", "0", "", "Enter more than 0."},
	    {"{'exclusiveMaximum':9}", "9", "", "Enter less than 9."},
	    {"{'multipleOf':5}", "7", "", "Enter a multiple of 5."},
	    {"{'pattern':'^[a-z]+$'}", "'A'", "",
		"Enter text that matches ^[a-z]+$."},
	    {"{'pattern':'\\\\S'}", "'  '", "", "Enter some text."},
	    {"{'items':{'type':'integer'}}", "[1,'x']", "/1",
		"Enter a whole number."},
	    {"{'maxItems':1}", "[1,2]", "", "Give at most 1 item."},
	    {"{'minProperties':2}", "{}", "", "Give at least 2 fields."},
	    {"{'uniqueItems':true}", "[1,2,1.0]", "/2",
		"This repeats item 1. Remove one of them."},
	    {"{'additionalProperties':false}", "{'x~y':1}", "/x~0y",
		"This field is not known. Remove it."},
	    {"{'unevaluatedProperties':false}", "{'x':1}", "/x",
		"This field is not known. Remove it."},
	    {"{'prefixItems':[true],'items':false}", "[1,2]", "/1",
		"There are too many items. Remove this."},
	    {"{'propertyNames':{'maxLength':1}}", "{'ab':1}", "/ab",
		"This field has a name that does not fit. Rename it."},
	    {"{'contains':{'type':'null'}}", "[1]", "",
		"Include at least 1 item of the kind wanted here."},
	    {"{'anyOf':[{'type':'null'},{'type':'string','maxLength':1}]}",
		"'ab'", "", "Enter at most 1 character."},
	    {"{'anyOf':[{'type':'null'},{'type':'integer'}]}", "'ab'", "",
		"Enter a whole number or null."},
	    {"{'oneOf':[{'properties':{'k':{'const':'a'},'n':{'minimum':1}}},"
	     "{'properties':{'k':{'const':'b'}}}]}",
		"{'k':'a','n':0}", "/n", "Enter 1 or more."},
	    {"{'oneOf':[{'minimum':1},{'minimum':2}]}", "2", "",
		"This has more than one of the forms that fit here."},
	    {"{'not':{'const':1}}", "1", "", "Use a different value here."},
	    {"{'if':{'required':['a']},'then':{'required':['b']}}", "{'a':1}",
		"/b", "This field is missing."},
	};

	for (size_t i = 0; i < nitems(cases); i++) {
		struct schema_errors errors;

		assert_false(schema_accepts(compile(*state, cases[i].schema),
		    parse(*state, cases[i].value), *state, &errors));
		assert_int_equal(errors.n, 1);
		assert_string_equal(errors.item[0].pointer, cases[i].pointer);
		assert_string_equal(errors.item[0].message, cases[i].message);
	}
}

static void
a_format_asserts_when_asked(void **state)
{
	static const struct {
		const char *format, *text;
		bool good;
	} cases[] = {
	    {"date", "2024-02-29", true},
	    {"date", "2023-02-29", false},
	    {"date", "2023-2-01", false},
	    {"date-time", "2026-03-31T09:30:00Z", true},
	    {"date-time", "2026-03-31t09:30:00.5+02:00", true},
	    {"date-time", "2026-03-31 09:30:00Z", false},
	    {"date-time", "2026-03-31T09:30:00", false},
	    {"time", "23:59:60Z", true},
	    {"time", "00:29:60+00:30", true},
	    {"time", "22:59:60Z", false},
	    {"time", "24:00:00Z", false},
	    {"duration", "P4DT12H30M5S", true},
	    {"duration", "P3W", true},
	    {"duration", "PT", false},
	    {"duration", "P", false},
	    {"duration", "P1D2W", false},
	    {"duration", "P2D1Y", false},
	    {"email", "mira.okafor@example.org", true},
	    {"email", "\"joe bloggs\"@example.com", true},
	    {"email", "joe@[IPv6:::1]", true},
	    {"email", "joe@[127.0.0.300]", false},
	    {"email", ".joe@example.com", false},
	    {"email", "joe", false},
	    {"idn-email", "실례@실례.테스트", true},
	    {"hostname", "a-b.example", true},
	    {"hostname", "-a.example", false},
	    {"hostname", "a..example", false},
	    {"hostname", "a_b", false},
	    {"idn-hostname", "실례。테스트", true},
	    {"ipv4", "192.0.2.1", true},
	    {"ipv4", "192.0.02.1", false},
	    {"ipv4", "192.0.2", false},
	    {"ipv6", "::ffff:192.0.2.1", true},
	    {"ipv6", "fe80::1%eth0", false},
	    {"uri", "https://a:b@[::1]:80/p%20q?x=/#f?", true},
	    {"uri", "urn:oasis:names", true},
	    {"uri", "/relative", false},
	    {"uri", "https://example.org/a b", false},
	    {"uri", "https://example.org/%zz", false},
	    {"uri", "https://[@example.org/", false},
	    {"uri-reference", "/a?b#c", true},
	    {"uri-reference", "a,b:c", false},
	    {"iri", "https://exämple.org/ß", true},
	    {"uri", "https://exämple.org/ß", false},
	    {"uuid", "0190a3c2-7f00-7abc-8def-0123456789ab", true},
	    {"uuid", "0190a3c27f007abc8def0123456789ab", false},
	    {"uri-template", "/stories/{id}{?q*,n:3}", true},
	    {"uri-template", "/stories/{id", false},
	    {"json-pointer", "/a~0~1/", true},
	    {"json-pointer", "/a~2", false},
	    {"json-pointer", "a", false},
	    {"relative-json-pointer", "1/a", true},
	    {"relative-json-pointer", "0#", true},
	    {"relative-json-pointer", "01/a", false},
	    {"regex", "^(a|b)$", true},
	    {"regex", "^(a|b$", false},
	    {"unheard-of", "anything", true},
	};

	for (size_t i = 0; i < nitems(cases); i++) {
		const char *schema =
		    mem_fmt(*state, "{\"format\":\"%s\"}", cases[i].format);
		struct json_object *text =
		    op_json(*state, json_object_new_string(cases[i].text));

		if (schema_accepts(
			compile_with(*state, schema, SCHEMA_ASSERT_FORMAT),
			text, *state, NULL) != cases[i].good)
			fail_msg("%s: %s", cases[i].format, cases[i].text);
		assert_true(schema_accepts(
		    compile(*state, schema), text, *state, NULL));
	}
}

static void
patterns_mean_what_they_mean_in_javascript(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool match;
	} cases[] = {
	    {"^a$", "a\n", false},
	    {"^.$", "\n", false},
	    {"^.$", "\xC2\x85", true},
	    {"^.$", "🐲", true},
	    {"^\\d$", "৪", false},
	    {"^\\w$", "é", false},
	    {"^\\W$", "é", true},
	    {"^\\s$", "\xEF\xBB\xBF", true},
	    {"^[\\s]$", "\xE2\x80\x83", true},
	    {"^[\\s\\S]$", "é", true},
	    {"^\\S$", "\xC2\xA0", false},
	    {"^[^\\S]$", "\xC2\xA0", true},
	    {"^[\\s-x]$", "-", true},
	    {"^\\v$", "\r", false},
	    {"^\\cJ$", "\n", true},
	    {"^\\x41\\u0042\\u{43}$", "ABC", true},
	    {"^\\uD83D\\uDC32$", "🐲", true},
	    {"^\\p{Letter}+$", "né", true},
	    {"^\\p{Script=Greek}$", "λ", true},
	    {"^\\P{Lu}$", "A", false},
	    {"^[[:alpha:]]$", "p]", true},
	    {"^[[]$", "[", true},
	    {"[]", "a", false},
	    {"^[^]$", "\n", true},
	    {"^(?<y>a)\\k<y>\\1$", "aaa", true},
	    {"^(?:(a)|b)\\1$", "b", true},
	    {"^a{2,3}?$", "aaa", true},
	    {"^a{,2}$", "a{,2}", true},
	    {"^(?<=x)?\\@\\/$", "@/", true},
	};
	static const char *const refused[] = {"\\Z", "\\A", "\\a", "\\Qa\\E",
	    "(*ACCEPT)", "(?i)a", "(?R)", "a++", "a{2}+", "*a", "\\u12",
	    "\\p{Nonsense}", "(?>a)", "\\", "[b-a]", "\\1"};

	for (size_t i = 0; i < nitems(cases); i++) {
		struct json_object *json =
		    op_json(*state, json_object_new_object());
		struct schema_set *set = schema_set_new(*state, SCHEMA_PLAIN);
		struct json_object *text =
		    op_json(*state, json_object_new_string(cases[i].text));
		const struct schema *schema = NULL;
		const char *why = "";

		json_object_object_add(
		    json, "pattern", json_object_new_string(cases[i].pattern));
		if (!schema_set_add(set, URI, json, &why) ||
		    !schema_compile(set, URI, &schema, &why) ||
		    schema_accepts(schema, text, *state, NULL) !=
			cases[i].match)
			fail_msg(
			    "%s, %s: %s", cases[i].pattern, cases[i].text, why);
	}
	for (size_t i = 0; i < nitems(refused); i++) {
		struct json_object *text =
		    op_json(*state, json_object_new_string(refused[i]));
		const struct schema *regex = compile_with(
		    *state, "{'format':'regex'}", SCHEMA_ASSERT_FORMAT);

		if (schema_accepts(regex, text, *state, NULL))
			fail_msg("%s", refused[i]);
	}
}

static void
equal_numbers_are_equal_however_written(void **state)
{
	static const struct {
		const char *schema, *value;
		bool good;
	} cases[] = {
	    {"{'const':1}", "1.0", true},
	    {"{'const':0}", "-0.0", true},
	    {"{'const':1}", "true", false},
	    {"{'const':{'a':[1,{}]}}", "{'a':[1e0,{}]}", true},
	    {"{'enum':[9007199254740993]}", "9007199254740992", false},
	    {"{'type':'integer'}", "1e300", true},
	    {"{'type':'integer'}", "1.5", false},
	    {"{'maximum':9223372036854775807}", "9223372036854775808", false},
	    {"{'maximum':18446744073709551614}", "18446744073709551615", false},
	    {"{'minimum':-9223372036854775808}", "-9223372036854775808", true},
	    {"{'exclusiveMinimum':-9223372036854775808}", "-1e19", false},
	    {"{'exclusiveMaximum':9007199254740993}", "9007199254740992.0",
		true},
	    {"{'minimum':-0.5}", "0", true},
	    {"{'maximum':-0.5}", "0", false},
	    {"{'multipleOf':0.1}", "0.3", true},
	    {"{'multipleOf':0.01}", "19.99", true},
	    {"{'multipleOf':0.01}", "19.999", false},
	    {"{'multipleOf':1e-8}", "12391239123", true},
	    {"{'multipleOf':0.123456789}", "1e308", false},
	    {"{'multipleOf':0.5}", "1e308", true},
	    {"{'multipleOf':1e300}", "1e-300", false},
	    {"{'multipleOf':3}", "-9", true},
	    {"{'maxLength':2.0}", "'éé'", true},
	    {"{'maxLength':1}", "'🐲'", true},
	    {"{}", "1e400", false},
	};

	for (size_t i = 0; i < nitems(cases); i++)
		if (accepts(*state, cases[i].schema, cases[i].value) !=
		    cases[i].good)
			fail_msg("%s: %s", cases[i].schema, cases[i].value);
}

static void
a_broken_schema_is_told_by_its_place(void **state)
{
	static const struct {
		const char *schema, *why;
	} cases[] = {
	    {"[]", "#: A schema is an object, true or false."},
	    {"{'properties':{'a/b':{'$ref':'#/x'}}}",
		"#/properties/a~1b/$ref: There is no #/x in "
		"https://gnomon.test/schema."},
	    {"{'$ref':'other'}",
		"#/$ref: Nothing is known as https://gnomon.test/other."},
	    {"{'$dynamicRef':'#no'}",
		"#/$dynamicRef: There is no #no in "
		"https://gnomon.test/schema."},
	    {"{'$defs':{'unused':{'minLength':-1}}}",
		"#/$defs/unused/minLength: This must be a whole number, 0 or "
		"more."},
	    {"{'allOf':[true,{'multipleOf':0}]}",
		"#/allOf/1/multipleOf: This must be more than 0."},
	    {"{'multipleOf':1e999}",
		"#/multipleOf: This must be a number that can be kept."},
	    {"{'type':['string','text']}",
		"#/type: This must be array, boolean, integer, null, number, "
		"object or string, or a list of these."},
	    {"{'patternProperties':{'(':true}}",
		"#/patternProperties: ( is no regular expression: missing "
		"closing parenthesis."},
	    {"{'required':'a'}",
		"#/required: This must be an array of "
		"strings."},
	    {"{'$defs':{'a':{'$id':'x#y'}}}",
		"#/$defs/a/$id: A fragment has no place here."},
	    {"{'$defs':{'a':{'$anchor':'n'},'b':{'$anchor':'n'}}}",
		"#/$defs/b/$anchor: This anchor is taken."},
	    {"{'$defs':{'a':{'$id':'n'},'b':{'$id':'n'}}}",
		"#/$defs/b/$id: Another schema has this URI."},
	    {"{'$schema':'http://json-schema.org/draft-07/schema#'}",
		"#/$schema: The metaschema "
		"http://json-schema.org/draft-07/schema is not known here."},
	};

	for (size_t i = 0; i < nitems(cases); i++) {
		struct schema_set *set = schema_set_new(*state, SCHEMA_PLAIN);
		struct json_object *json = parse(*state, cases[i].schema);
		const struct schema *schema = NULL;
		const char *why = "accepted";
		bool good = schema_set_add(set, URI, json, &why) &&
		    schema_compile(set, URI, &schema, &why);

		assert_false(good);
		assert_null(schema);
		assert_string_equal(
		    why, mem_fmt(*state, "%s%s", URI, cases[i].why));
	}
}

static void
a_failed_compilation_leaves_the_set_as_it_was(void **state)
{
	struct schema_set *set = schema_set_new(*state, SCHEMA_PLAIN);
	const struct schema *schema = NULL;
	const char *why;

	assert_true(schema_set_add(set, URI,
	    parse(*state,
		"{'$dynamicAnchor':'d','$ref':'late','$defs':"
		"{'a':{'$dynamicRef':'#d'}}}"),
	    &why));
	assert_false(schema_compile(set, URI, &schema, &why));
	assert_true(schema_set_add(set, "https://gnomon.test/late",
	    parse(*state, "{'type':'string'}"), &why));
	assert_false(schema_set_add(set, "https://gnomon.test/late",
	    parse(*state, "{'type':'null'}"), &why));
	assert_false(
	    schema_set_add(set, "relative", parse(*state, "true"), &why));
	assert_true(schema_compile(set, URI, &schema, &why));
	assert_true(schema_accepts(schema, parse(*state, "'x'"), *state, NULL));
	assert_false(schema_accepts(schema, parse(*state, "1"), *state, NULL));
}

static void
only_identifiers_where_schemas_stand_count(void **state)
{
	static const struct {
		const char *schema, *value;
		bool good;
	} cases[] = {
	    {"{'enum':[{'$id':'https://a.test/x','type':'null'}],'$defs':"
	     "{'a':{'$id':'https://a.test/x','type':'string'}},"
	     "'anyOf':[{'$ref':'https://a.test/x'}]}",
		"{'$id':'https://a.test/x','type':'null'}", false},
	    {"{'unknown':{'$id':'https://a.test/y','type':'null'},'$defs':"
	     "{'a':{'$id':'https://a.test/y','type':'string'}},"
	     "'$ref':'https://a.test/y'}",
		"'s'", true},
	    {"{'unknown':{'type':'null'},'$ref':'#/unknown'}", "null", true},
	    {"{'$ref':'#/$defs/a~1b%25~0','$defs':{'a/b%~':{'type':'null'}}}",
		"1", false},
	    {"{'$id':'https://a.test/d/','$ref':'../e#/$defs/0','$defs':"
	     "{'a':{'$id':'/e','$defs':{'0':{'type':'null'}}}}}",
		"null", true},
	    {"{'$id':'urn:x:y','$ref':'#/$defs/a','$defs':{'a':false}}", "1",
		false},
	    {"{'$ref':'#/$defs/a','maximum':3,'$defs':{'a':{'minimum':1}}}",
		"4", false},
	    {"{'$ref':'https://json-schema.org/draft/2020-12/schema'}",
		"{'properties':{'a':{'type':'txt'}}}", false},
	    {"{'$ref':'https://json-schema.org/draft/2020-12/schema'}",
		"{'$schema':'x','properties':{'a':{'type':['null']}}}", true},
	};

	for (size_t i = 0; i < nitems(cases); i++)
		if (accepts(*state, cases[i].schema, cases[i].value) !=
		    cases[i].good)
			fail_msg("%s: %s", cases[i].schema, cases[i].value);
}

static void
errors_are_counted_up_to_a_limit(void **state)
{
	struct schema_errors errors;
	char *many = mem_fmt(*state, "[%snull]", repeat(*state, "1,", 40));

	assert_false(
	    schema_accepts(compile(*state, "{'items':{'type':'string'}}"),
		parse(*state, many), *state, &errors));
	assert_int_equal(errors.n, SCHEMA_MAX_ERRORS);
	assert_true(errors.more);
	assert_string_equal(errors.item[31].pointer, "/31");
	assert_false(schema_accepts(
	    compile(*state, "{'type':'string'}"), NULL, *state, &errors));
	assert_int_equal(errors.n, 1);
	assert_false(errors.more);
}

static const char *
refusal(void *owner, const char *schema, const char *value)
{
	struct schema_errors errors;

	assert_false(schema_accepts(
	    compile(owner, schema), parse(owner, value), owner, &errors));
	assert_int_equal(errors.n, 1);
	return errors.item[0].message;
}

static void
what_never_ends_ends(void **state)
{
	static const char deep[] = "This is nested too deeply to check. Use "
				   "fewer levels.";
	static const char costly[] = "This takes too long to check. Send less "
				     "at once.";
	static const char text[] = "This text takes too long to check. "
				   "Shorten it.";
	char *arrays = mem_fmt(*state, "%s%s", repeat(*state, "[", 10000),
	    repeat(*state, "]", 10000));
	char *as = mem_fmt(*state, "'%sb'", repeat(*state, "a", 5000));
	char *letters = mem_fmt(*state, "['%s']", repeat(*state, "a", 64));
	clock_t start = clock();

	assert_string_equal(refusal(*state, "{'$ref':'#'}", "1"), deep);
	assert_string_equal(refusal(*state, "{'not':{'$ref':'#'}}", "1"), deep);
	assert_string_equal(
	    refusal(*state, "{'$dynamicAnchor':'a','$dynamicRef':'#a'}", "1"),
	    deep);
	assert_string_equal(refusal(*state, "{'items':{'$ref':'#'}}", arrays),
	    "This is nested too deeply. Use fewer levels.");
	assert_string_equal(
	    refusal(*state,
		"{'$defs':{'a':{'allOf':[{'$ref':'#/$defs/b'},"
		"{'$ref':'#/$defs/b'}]},'b':{'allOf':[{'$ref':'#/$defs/c'},"
		"{'$ref':'#/$defs/c'}]},'c':{'properties':{'x':"
		"{'$ref':'#/$defs/a'}}}},'$ref':'#/$defs/a'}",
		mem_fmt(*state, "%s1%s", repeat(*state, "{'x':", 60),
		    repeat(*state, "}", 60))),
	    costly);
	assert_string_equal(refusal(*state, "{'pattern':'^(a+)+$'}", as), text);
	assert_string_equal(
	    refusal(*state, "{'not':{'pattern':'^(a|a)*$'}}", as), text);
	assert_true(
	    accepts(*state, "{'items':{'pattern':'^(?:[a-z]+)$'}}", letters));
	assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 5);
}

static void
long_arrays_of_different_items_are_compared_fast(void **state)
{
	struct buf *b = buf_new(*state, 10000000);
	clock_t start;

	buf_char(b, '[');
	for (int i = 0; i < 100000; i++)
		buf_fmt(b, "{'id':%d,'name':'x'},", i);
	buf_text(b, "{'name':'x','id':99999.0}]");
	start = clock();
	assert_false(accepts(*state, "{'uniqueItems':true}", b->data));
	assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 5);
}

static void
a_check_leaves_nothing_behind(void **state)
{
	const struct schema *schema = compile(*state,
	    "{'unevaluatedProperties':false,'anyOf':[{'properties':"
	    "{'k1':{'uniqueItems':true}}},{'patternProperties':{'^k':true}}],"
	    "'propertyNames':{'maxLength':9}}");
	struct buf *b = buf_new(*state, 10000);
	struct json_object *value;
	size_t before;

	buf_text(b, "{'k0':0");
	for (int i = 1; i < 100; i++)
		buf_fmt(b, ",'k%d':[1,2]", i);
	buf_char(b, '}');
	value = parse(*state, b->data);
	before = mem_weight(*state);
	assert_true(schema_accepts(schema, value, *state, NULL));
	assert_int_equal(mem_weight(*state), before);
}

static void
a_property_tells_its_types(void **state)
{
	static const struct {
		const char *property;
		enum schema_type types, items;
		bool required;
	} cases[] = {
	    {"title", SCHEMA_STRING, SCHEMA_ANY, true},
	    {"points", SCHEMA_INTEGER | SCHEMA_NULL, SCHEMA_ANY, false},
	    {"ratio", SCHEMA_INTEGER | SCHEMA_NUMBER, SCHEMA_ANY, false},
	    {"state", SCHEMA_STRING, SCHEMA_ANY, true},
	    {"tags", SCHEMA_ARRAY, SCHEMA_INTEGER, false},
	    {"open", SCHEMA_BOOLEAN, SCHEMA_ANY, false},
	    {"anything", SCHEMA_ANY, SCHEMA_ANY, false},
	    {"absent", SCHEMA_NONE, SCHEMA_NONE, false},
	};
	const struct schema *schema = compile(*state,
	    "{'$ref':'#/$defs/patch','required':['title'],'properties':"
	    "{'open':{'type':'boolean'},'anything':true},'$defs':{'patch':"
	    "{'allOf':[{'properties':{'title':{'$ref':'#/$defs/text'},"
	    "'state':{'enum':['a','b']},'ratio':{'type':'number'}}},"
	    "{'required':['state'],'properties':{'tags':{'type':'array',"
	    "'items':{'type':'integer'}},'points':{'anyOf':[{'type':'null'},"
	    "{'type':'integer'}]}}}]},'text':{'type':'string'}}}");

	for (size_t i = 0; i < nitems(cases); i++) {
		assert_int_equal(
		    schema_property_type(schema, cases[i].property),
		    cases[i].types);
		assert_int_equal(
		    schema_property_item_type(schema, cases[i].property),
		    cases[i].items);
		assert_int_equal(
		    schema_property_required(schema, cases[i].property),
		    cases[i].required);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    unit(every_error_says_where_and_what_to_do),
	    unit(a_format_asserts_when_asked),
	    unit(patterns_mean_what_they_mean_in_javascript),
	    unit(equal_numbers_are_equal_however_written),
	    unit(a_broken_schema_is_told_by_its_place),
	    unit(a_failed_compilation_leaves_the_set_as_it_was),
	    unit(only_identifiers_where_schemas_stand_count),
	    unit(errors_are_counted_up_to_a_limit),
	    unit(what_never_ends_ends),
	    unit(long_arrays_of_different_items_are_compared_fast),
	    unit(a_check_leaves_nothing_behind),
	    unit(a_property_tells_its_types),
	};

	return cmocka_run_group_tests_name("schema", tests, NULL, NULL);
}
