/*
 * A value against a compiled schema. Nothing here can meet a broken schema;
 * what can go wrong is a value too deep or too costly, and both end the run.
 *
 * Errors are told only where they decide the outcome: inside anyOf, not, if
 * and contains a schema may fail in peace, so the run is quiet there and
 * stops at the first failure.
 */
#include "schema/schema_priv.h"

#include <math.h>
#include <stdlib.h>

#include "base/text.h"

/*
 * Which members or items of one value were evaluated, by their position.
 * Kept only while something above wants to know (unevaluated*).
 */
struct marks {
	uint64_t *bits;
	size_t n;
	bool unsure; /* a choice failed: what it would have seen is unknown */
	uint64_t few; /* the bits, when 64 are enough */
};

/* A value where it stands. */
struct spot {
	struct place at;
	struct json_object *json;
	enum schema_type type;
	struct marks *marks; /* or NULL */
};

/* The resources entered on the way here, the innermost first. */
struct scope {
	const struct scope *outer;
	const struct resource *resource;
};

struct run {
	const struct schema_set *set;
	void *owner; /* of the errors */
	void *scratch; /* made when needed */
	struct schema_errors *errors; /* NULL: nobody asks why */
	unsigned quiet; /* above 0: a failure here may not matter */
	unsigned nesting;
	uint64_t steps; /* left */
	const struct scope *scope;
	bool stopped; /* nothing more needs to be found out */
};

static bool
check(struct run *run, const struct node *node, const struct spot *spot);

/* Records an error at a spot, or at its field when key is not NULL; false. */
__attribute__((format(printf, 4, 5))) static bool
refuse(struct run *run, const struct spot *spot, const char *key,
    const char *fmt, ...)
{
	struct schema_errors *errors = run->errors;
	va_list ap;

	if (run->quiet || run->stopped || !errors)
		return false;
	if (errors->n == SCHEMA_MAX_ERRORS) {
		errors->more = true;
		run->stopped = true;
		return false;
	}
	va_start(ap, fmt);
	errors->item[errors->n++] = (struct schema_error){
	    .pointer = schema__pointer(run->owner, &spot->at, key),
	    .message = mem_vfmt(run->owner, fmt, ap),
	};
	va_end(ap);
	return false;
}

/* Ends the run with an error that even a quiet place has to tell. */
static bool
stop(struct run *run, const struct spot *spot, const char *why)
{
	unsigned quiet = run->quiet;

	run->quiet = 0;
	refuse(run, spot, NULL, "%s", why);
	run->quiet = quiet;
	run->stopped = true;
	return false;
}

static bool
spend(struct run *run, const struct spot *spot, uint64_t steps)
{
	if (run->steps >= steps) {
		run->steps -= steps;
		return true;
	}
	run->steps = 0;
	return stop(
	    run, spot, "This takes too long to check. Send less at once.");
}

/* After a failure: is looking on a waste? */
static bool
hurries(const struct run *run)
{
	return run->quiet || run->stopped || !run->errors;
}

static struct spot
child(const struct spot *spot, const char *key, size_t index,
    struct json_object *json)
{
	return (struct spot){
	    .at = {.up = &spot->at, .key = key, .index = index},
	    .json = json,
	    .type = schema__type_of(json),
	};
}

/* The steps one keyword costs: text is long, the rest is counted apart. */
static uint64_t
cost(struct json_object *json, enum schema_type type)
{
	if (type != SCHEMA_STRING)
		return 1;
	return 1 + (uint64_t)json_object_get_string_len(json) / 64;
}

static size_t
size_of(const struct spot *spot)
{
	if (spot->type == SCHEMA_ARRAY)
		return json_object_array_length(spot->json);
	if (spot->type == SCHEMA_OBJECT)
		return (size_t)json_object_object_length(spot->json);
	return 0;
}

static void *
scratch(struct run *run)
{
	if (!run->scratch)
		run->scratch = mem_scope(run->owner, "check");
	return run->scratch;
}

/*
 * Marks
 */
static void
marks_begin(struct run *run, struct marks *m, size_t n)
{
	*m = (struct marks){.n = n};
	m->bits = n <= 64 ? &m->few
			  : mem_array(scratch(run), uint64_t, (n + 63) / 64);
}

static void
marks_end(struct marks *m)
{
	if (m->bits != &m->few)
		mem_drop(&m->bits);
}

static void
mark(const struct spot *spot, size_t i)
{
	if (spot->marks)
		spot->marks->bits[i / 64] |= UINT64_C(1) << i % 64;
}

static bool
is_marked(const struct spot *spot, size_t i)
{
	return spot->marks->bits[i / 64] >> i % 64 & 1;
}

static void
marks_join(struct marks *into, const struct marks *from)
{
	for (size_t i = 0; i < (from->n + 63) / 64; i++)
		into->bits[i] |= from->bits[i];
	into->unsure |= from->unsure;
}

/* Applies a schema in place whose failure may not matter: quietly, and what
 * it evaluated counts only when it passes. */
static bool
try(struct run *run, const struct node *node, const struct spot *spot)
{
	struct spot same = *spot;
	struct marks marks;
	bool good;

	if (spot->marks) {
		marks_begin(run, &marks, spot->marks->n);
		same.marks = &marks;
	}
	run->quiet++;
	good = check(run, node, &same);
	run->quiet--;
	if (spot->marks) {
		if (good)
			marks_join(spot->marks, &marks);
		marks_end(&marks);
	}
	return good;
}

/*
 * Text and numbers
 */
static const char *
plural(size_t n)
{
	return n == 1 ? "" : "s";
}

static bool
check_length(struct run *run, const struct rule *r, const struct spot *spot)
{
	size_t n = text_utf8_length(json_object_get_string(spot->json),
	    (size_t)json_object_get_string_len(spot->json));

	if (r->op == OP_MAX_LENGTH && n > r->count)
		return refuse(run, spot, NULL, "Enter at most %zu character%s.",
		    r->count, plural(r->count));
	if (r->op == OP_MIN_LENGTH && n < r->count)
		return refuse(run, spot, NULL,
		    "Enter at least %zu character%s.", r->count,
		    plural(r->count));
	return true;
}

static bool
matches(struct run *run, const struct pattern *pattern, const struct spot *spot,
    const char *text, size_t n)
{
	enum match m =
	    schema__pattern_match(pattern, run->set->matcher, text, n);

	if (m == MATCH_TOO_COSTLY)
		return stop(run, spot,
		    "This text takes too long to check. Shorten it.");
	return m == MATCH_YES;
}

static bool
check_pattern(struct run *run, const struct rule *r, const struct spot *spot)
{
	if (matches(run, r->pattern, spot, json_object_get_string(spot->json),
		(size_t)json_object_get_string_len(spot->json)))
		return true;
	return refuse(run, spot, NULL, "%s",
	    schema__say_pattern(
		scratch(run), json_object_get_string(r->value)));
}

static bool
check_format(struct run *run, const struct rule *r, const struct spot *spot)
{
	if (r->format->accepts(json_object_get_string(spot->json),
		(size_t)json_object_get_string_len(spot->json)))
		return true;
	return refuse(run, spot, NULL, "%s", r->format->message);
}

static bool
check_number(struct run *run, const struct rule *r, const struct spot *spot)
{
	struct num n = schema__num_of(spot->json);
	const char *before = "", *after = NULL;
	int order = schema__num_compare(n, r->num);

	if (r->op == OP_MINIMUM && order < 0)
		after = " or more";
	else if (r->op == OP_MAXIMUM && order > 0)
		after = " or less";
	else if (r->op == OP_EXCLUSIVE_MINIMUM && order <= 0)
		before = "more than ", after = "";
	else if (r->op == OP_EXCLUSIVE_MAXIMUM && order >= 0)
		before = "less than ", after = "";
	else if (r->op == OP_MULTIPLE_OF && !schema__num_is_multiple(n, r->num))
		before = "a multiple of ", after = "";
	if (!after)
		return true;
	return refuse(run, spot, NULL, "Enter %s%s%s.", before,
	    json_object_to_json_string(r->value), after);
}

static bool
check_type(struct run *run, const struct rule *r, const struct spot *spot)
{
	if (spot->type & r->types)
		return true;
	if (hurries(run))
		return false;
	return refuse(
	    run, spot, NULL, "%s", schema__say_type(scratch(run), r->types));
}

static bool
check_enum(struct run *run, const struct rule *r, const struct spot *spot)
{
	size_t n = json_object_array_length(r->value);

	/* Sixteen comparisons of small values take as long as one keyword. */
	if (!spend(run, spot, n / 16))
		return false;
	for (size_t i = 0; i < n; i++)
		if (schema__equal(json_object_array_get_idx(r->value, i),
			spot->json, &run->steps))
			return true;
	if (!spend(run, spot, 1) || hurries(run))
		return false;
	return refuse(
	    run, spot, NULL, "%s", schema__say_choices(scratch(run), r->value));
}

static bool
check_const(struct run *run, const struct rule *r, const struct spot *spot)
{
	if (schema__equal(r->value, spot->json, &run->steps))
		return true;
	if (!spend(run, spot, 1) || hurries(run))
		return false;
	return refuse(
	    run, spot, NULL, "%s", schema__say_value(scratch(run), r->value));
}

/*
 * Sizes
 */
static bool
check_size(struct run *run, const struct rule *r, const struct spot *spot)
{
	size_t n = size_of(spot);
	const char *noun = spot->type == SCHEMA_ARRAY ? "item" : "field";
	bool most = r->op == OP_MAX_ITEMS || r->op == OP_MAX_PROPERTIES;

	if (most && n > r->count)
		return refuse(run, spot, NULL, "Give at most %zu %s%s.",
		    r->count, noun, plural(r->count));
	if (!most && n < r->count)
		return refuse(run, spot, NULL, "Give at least %zu %s%s.",
		    r->count, noun, plural(r->count));
	return true;
}

struct hashed {
	uint64_t hash;
	size_t index;
};

static int
by_hash(const void *a, const void *b)
{
	const struct hashed *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return (x->index > y->index) - (x->index < y->index);
}

static bool
tell_repeated(
    struct run *run, const struct spot *spot, size_t first, size_t again)
{
	struct spot item = child(spot, NULL, again, NULL);

	return refuse(run, &item, NULL,
	    "This repeats item %zu. Remove one of them.", first + 1);
}

/* Items with equal hashes stand together once sorted; only those are compared.
 * Values made to collide are paid for in steps. */
static bool
check_unique(struct run *run, const struct rule *r, const struct spot *spot)
{
	size_t n = size_of(spot);
	struct hashed *items;
	bool unique = true;

	if (n < 2)
		return true;
	items = mem_array(scratch(run), struct hashed, n);
	for (size_t i = 0; i < n; i++)
		items[i] = (struct hashed){
		    schema__hash(json_object_array_get_idx(spot->json, i)), i};
	qsort(items, n, sizeof(*items), by_hash);
	for (size_t i = 0; unique && i < n; i++) {
		for (size_t j = i + 1;
		     unique && j < n && items[j].hash == items[i].hash; j++) {
			size_t a = items[i].index, b = items[j].index;

			if (!spend(run, spot, 1))
				unique = false;
			else if (schema__equal(
				     json_object_array_get_idx(spot->json, a),
				     json_object_array_get_idx(spot->json, b),
				     &run->steps))
				unique = tell_repeated(run, spot, a, b);
		}
	}
	mem_drop(&items);
	return unique && spend(run, spot, 1);
}

/*
 * Objects
 */
static bool
has(const struct spot *spot, const char *name)
{
	return json_object_object_get_ex(spot->json, name, NULL);
}

static bool
check_required(struct run *run, const struct rule *r, const struct spot *spot)
{
	bool good = true;

	for (size_t i = 0; i < r->names.n; i++) {
		if (has(spot, r->names.name[i]))
			continue;
		good = refuse(
		    run, spot, r->names.name[i], "This field is missing.");
		if (hurries(run))
			break;
	}
	return good;
}

static bool
check_dependent_required(
    struct run *run, const struct rule *r, const struct spot *spot)
{
	bool good = true;

	for (size_t i = 0; i < r->dependencies.n; i++) {
		const struct dependency *d = &r->dependencies.item[i];

		if (!has(spot, d->name))
			continue;
		for (size_t j = 0; j < d->names.n; j++) {
			if (has(spot, d->names.name[j]))
				continue;
			good = refuse(run, spot, d->names.name[j],
			    "This field is missing. It belongs to %s.",
			    d->name);
			if (hurries(run))
				return false;
		}
	}
	return good;
}

static bool
check_dependent_schemas(
    struct run *run, const struct rule *r, const struct spot *spot)
{
	bool good = true;

	for (size_t i = 0; i < r->dependencies.n; i++) {
		const struct dependency *d = &r->dependencies.item[i];

		if (!has(spot, d->name) || check(run, d->node, spot))
			continue;
		good = false;
		if (hurries(run))
			break;
	}
	return good;
}

static bool
check_property_names(
    struct run *run, const struct rule *r, const struct spot *spot)
{
	bool good = true;

	json_object_object_foreach (spot->json, key, value) {
		struct json_object *name = json_object_new_string(key);
		struct spot field = child(spot, key, 0, name);
		bool fits;

		(void)value;
		if (!name)
			abort(); /* out of memory, as in base/mem.c */
		run->quiet++;
		fits = check(run, r->node, &field);
		run->quiet--;
		json_object_put(name);
		if (fits)
			continue;
		good = refuse(run, &field, NULL,
		    "This field has a name that does not fit. Rename it.");
		if (hurries(run))
			break;
	}
	return good;
}

static int
name_order(const void *key, const void *named)
{
	return strcmp(key, ((const struct named *)named)->name);
}

/* One that is not covered by any other keyword of its schema. */
static bool
check_rest(struct run *run, const struct node *node, const struct spot *spot)
{
	if (node->kind == NODE_FALSE)
		return refuse(run, spot, NULL,
		    spot->at.key ? "This field is not known. Remove it."
				 : "There are too many items. Remove this.");
	return check(run, node, spot);
}

static bool
check_member(struct run *run, const struct members *m, const struct spot *spot,
    bool *out_covered)
{
	const char *key = spot->at.key;
	const struct named *named = m->n_named == 0
	    ? NULL
	    : bsearch(key, m->named, m->n_named, sizeof(*m->named), name_order);
	bool good = true, covered = named != NULL;

	if (named)
		good = check(run, named->node, spot);
	for (size_t i = 0; i < m->n_patterned; i++) {
		if (!spend(run, spot, 1))
			return false;
		if (!matches(
			run, m->patterned[i].pattern, spot, key, strlen(key)))
			continue;
		covered = true;
		good = check(run, m->patterned[i].node, spot) && good;
	}
	if (!covered && m->rest) {
		covered = true;
		good = check_rest(run, m->rest, spot);
	}
	*out_covered = covered;
	return good;
}

static bool
check_members(struct run *run, const struct rule *r, const struct spot *spot)
{
	size_t i = 0;
	bool good = true;

	json_object_object_foreach (spot->json, key, value) {
		struct spot field = child(spot, key, 0, value);
		bool covered = false;

		if (!spend(run, &field, 1))
			return false;
		if (!check_member(run, &r->members, &field, &covered)) {
			good = false;
			if (hurries(run))
				return false;
		}
		if (covered)
			mark(spot, i);
		i++;
	}
	return good;
}

static bool
check_unevaluated_properties(
    struct run *run, const struct rule *r, const struct spot *spot)
{
	size_t i = 0;
	bool good = true;

	if (spot->marks->unsure)
		return true; /* it has failed already */
	json_object_object_foreach (spot->json, key, value) {
		if (!is_marked(spot, i)) {
			struct spot field = child(spot, key, 0, value);

			mark(spot, i);
			good = check_rest(run, r->node, &field) && good;
			if (!good && hurries(run))
				return false;
		}
		i++;
	}
	return good;
}

/*
 * Arrays
 */
static bool
check_list(struct run *run, const struct rule *r, const struct spot *spot)
{
	size_t n = size_of(spot);
	bool good = true;

	for (size_t i = 0; i < n; i++) {
		struct spot item = child(
		    spot, NULL, i, json_object_array_get_idx(spot->json, i));

		if (i < r->list.prefix.n)
			good =
			    check(run, r->list.prefix.node[i], &item) && good;
		else if (r->list.rest)
			good = check_rest(run, r->list.rest, &item) && good;
		else
			break;
		mark(spot, i);
		if (!good && hurries(run))
			return false;
	}
	return good;
}

static bool
check_contains(struct run *run, const struct rule *r, const struct spot *spot)
{
	const struct contains *c = &r->contains;
	size_t n = size_of(spot), found = 0;

	if (!c->node)
		return true;
	for (size_t i = 0; i < n; i++) {
		struct spot item = child(
		    spot, NULL, i, json_object_array_get_idx(spot->json, i));

		if (!try(run, c->node, &item))
			continue;
		found++;
		mark(spot, i);
	}
	if (found < c->min)
		return refuse(run, spot, NULL,
		    "Include at least %zu item%s of the kind wanted here.",
		    c->min, plural(c->min));
	if (found > c->max)
		return refuse(run, spot, NULL,
		    "Include at most %zu item%s of the kind counted here.",
		    c->max, plural(c->max));
	return true;
}

static bool
check_unevaluated_items(
    struct run *run, const struct rule *r, const struct spot *spot)
{
	size_t n = size_of(spot);
	bool good = true;

	if (spot->marks->unsure)
		return true; /* it has failed already */
	for (size_t i = 0; i < n; i++) {
		struct spot item = child(
		    spot, NULL, i, json_object_array_get_idx(spot->json, i));

		if (is_marked(spot, i))
			continue;
		mark(spot, i);
		good = check_rest(run, r->node, &item) && good;
		if (!good && hurries(run))
			return false;
	}
	return good;
}

/*
 * Schemas in place
 */
static bool
check_all(struct run *run, const struct rule *r, const struct spot *spot)
{
	bool good = true;

	for (size_t i = 0; i < r->nodes.n; i++) {
		good = check(run, r->nodes.node[i], spot) && good;
		if (!good && hurries(run))
			break;
	}
	return good;
}

/* Could the author have meant this branch? Its type fits, and no field that
 * must have one value has another. */
static bool
is_plausible(struct run *run, const struct node *node, const struct spot *spot)
{
	while (node->n_rules == 1 && node->rules[0].op == OP_REF &&
	    spend(run, spot, 1))
		node = node->rules[0].node;
	if (!(schema__types(node) & spot->type))
		return false;
	for (size_t i = 0; i < node->n_rules; i++) {
		const struct rule *r = &node->rules[i];

		if (r->op != OP_MEMBERS || spot->type != SCHEMA_OBJECT)
			continue;
		for (size_t j = 0; j < r->members.n_named; j++) {
			const struct named *m = &r->members.named[j];
			struct json_object *value;

			if (json_object_object_get_ex(
				spot->json, m->name, &value) &&
			    m->node->n_rules > 0 &&
			    m->node->rules[0].op == OP_CONST &&
			    !schema__equal(
				m->node->rules[0].value, value, &run->steps))
				return false;
		}
	}
	return true;
}

/* No branch passes. When only one was meant, its errors are the helpful ones. */
static bool
tell_none_fits(struct run *run, const struct rule *r, const struct spot *spot)
{
	const struct node *meant = NULL;
	size_t n = 0;

	if (spot->marks)
		spot->marks->unsure = true;
	if (hurries(run))
		return false;
	for (size_t i = 0; i < r->nodes.n; i++)
		if (is_plausible(run, r->nodes.node[i], spot)) {
			meant = r->nodes.node[i];
			n++;
		}
	if (n == 1) {
		struct spot same = *spot;

		same.marks = NULL;
		check(run, meant, &same);
		return false;
	}
	if (n == 0) {
		enum schema_type types = SCHEMA_NONE;

		for (size_t i = 0; i < r->nodes.n; i++)
			types |= schema__types(r->nodes.node[i]);
		if (!(types & spot->type) && types != SCHEMA_NONE)
			return refuse(run, spot, NULL, "%s",
			    schema__say_type(scratch(run), types));
	}
	return refuse(
	    run, spot, NULL, "This has none of the forms that fit here.");
}

static bool
check_any(struct run *run, const struct rule *r, const struct spot *spot)
{
	bool good = false;

	/* With marks every branch counts, not only the first that passes. */
	for (size_t i = 0; i < r->nodes.n && (!good || spot->marks); i++)
		good = try(run, r->nodes.node[i], spot) || good;
	return good || tell_none_fits(run, r, spot);
}

static bool
check_one(struct run *run, const struct rule *r, const struct spot *spot)
{
	size_t n = 0;

	for (size_t i = 0; i < r->nodes.n && n < 2; i++)
		n += try(run, r->nodes.node[i], spot);
	if (n == 0)
		return tell_none_fits(run, r, spot);
	return n == 1 ||
	    refuse(run, spot, NULL,
		"This has more than one of the forms that fit here.");
}

static bool
check_not(struct run *run, const struct rule *r, const struct spot *spot)
{
	struct spot same = *spot;

	same.marks = NULL;
	return !try(run, r->node, &same) ||
	    refuse(run, spot, NULL, "Use a different value here.");
}

static bool
check_choice(struct run *run, const struct rule *r, const struct spot *spot)
{
	const struct choice *c = &r->choice;
	const struct node *next;

	if (!c->when)
		return true;
	next = try(run, c->when, spot) ? c->then : c->otherwise;
	return !next || check(run, next, spot);
}

/* The outermost resource on the way here with this dynamic anchor wins (Core,
 * 8.2.3.2). */
static bool
check_dynamic_ref(
    struct run *run, const struct rule *r, const struct spot *spot)
{
	const struct node *node = r->dynamic.node;

	for (const struct scope *s = run->scope; s; s = s->outer)
		for (size_t i = 0; i < s->resource->n_anchors; i++) {
			const struct anchor *a = &s->resource->anchors[i];

			if (a->dynamic && strcmp(a->name, r->dynamic.name) == 0)
				node = a->node;
		}
	return check(run, node, spot);
}

static bool
check_rule(struct run *run, const struct rule *r, const struct spot *spot)
{
	switch (r->op) {
	case OP_TYPE:
		return check_type(run, r, spot);
	case OP_ENUM:
		return check_enum(run, r, spot);
	case OP_CONST:
		return check_const(run, r, spot);
	case OP_MAX_LENGTH:
	case OP_MIN_LENGTH:
		return check_length(run, r, spot);
	case OP_PATTERN:
		return check_pattern(run, r, spot);
	case OP_FORMAT:
		return check_format(run, r, spot);
	case OP_MAXIMUM:
	case OP_EXCLUSIVE_MAXIMUM:
	case OP_MINIMUM:
	case OP_EXCLUSIVE_MINIMUM:
	case OP_MULTIPLE_OF:
		return check_number(run, r, spot);
	case OP_MAX_ITEMS:
	case OP_MIN_ITEMS:
	case OP_MAX_PROPERTIES:
	case OP_MIN_PROPERTIES:
		return check_size(run, r, spot);
	case OP_UNIQUE_ITEMS:
		return check_unique(run, r, spot);
	case OP_REQUIRED:
		return check_required(run, r, spot);
	case OP_DEPENDENT_REQUIRED:
		return check_dependent_required(run, r, spot);
	case OP_PROPERTY_NAMES:
		return check_property_names(run, r, spot);
	case OP_MEMBERS:
		return check_members(run, r, spot);
	case OP_LIST:
		return check_list(run, r, spot);
	case OP_CONTAINS:
		return check_contains(run, r, spot);
	case OP_DEPENDENT_SCHEMAS:
		return check_dependent_schemas(run, r, spot);
	case OP_REF:
		return check(run, r->node, spot);
	case OP_DYNAMIC_REF:
		return check_dynamic_ref(run, r, spot);
	case OP_ALL_OF:
		return check_all(run, r, spot);
	case OP_ANY_OF:
		return check_any(run, r, spot);
	case OP_ONE_OF:
		return check_one(run, r, spot);
	case OP_NOT:
		return check_not(run, r, spot);
	case OP_CHOICE:
		return check_choice(run, r, spot);
	case OP_UNEVALUATED_ITEMS:
		return check_unevaluated_items(run, r, spot);
	case OP_UNEVALUATED_PROPERTIES:
		return check_unevaluated_properties(run, r, spot);
	case OP_NONE:
		break;
	}
	return true;
}

static bool
check_rules(struct run *run, const struct node *node, const struct spot *spot)
{
	bool good = true;

	for (size_t i = 0; i < node->n_rules; i++) {
		const struct rule *r = &node->rules[i];

		if (!(r->applies & spot->type))
			continue;
		if (!spend(run, spot, cost(spot->json, spot->type)))
			return false;
		good = check_rule(run, r, spot) && good;
		/* Of a wrong type nothing else is worth saying. */
		if (!good && (hurries(run) || r->op == OP_TYPE))
			return false;
	}
	return good;
}

/* As check_rules, where the schema itself wants to know what it evaluated.
 * What schemas beside it saw is not its concern. */
static bool
check_marking(struct run *run, const struct node *node, const struct spot *spot)
{
	struct spot same = *spot;
	struct marks marks;
	bool good;

	marks_begin(run, &marks, size_of(spot));
	same.marks = &marks;
	good = check_rules(run, node, &same);
	if (spot->marks)
		marks_join(spot->marks, &marks);
	marks_end(&marks);
	return good;
}

static bool
check(struct run *run, const struct node *node, const struct spot *spot)
{
	struct scope scope = {run->scope, node->resource};
	const struct scope *outer = run->scope;
	bool good;

	if (run->stopped)
		return false;
	if (node->kind != NODE_RULES)
		return node->kind == NODE_TRUE ||
		    refuse(run, spot, NULL, "Nothing fits here. Remove this.");
	if (!spend(run, spot, 1))
		return false;
	if (run->nesting == SCHEMA_MAX_NESTING)
		return stop(run, spot,
		    "This is nested too deeply to check. Use fewer levels.");
	run->nesting++;
	if (!outer || outer->resource != node->resource)
		run->scope = &scope;
	good = node->unevaluated & spot->type ? check_marking(run, node, spot)
					      : check_rules(run, node, spot);
	run->scope = outer;
	run->nesting--;
	return good;
}

/* Grants steps for the size of a value; NULL, or why it cannot be checked. */
static const char *
weigh(struct run *run, struct json_object *json, size_t levels)
{
	enum schema_type type = schema__type_of(json);
	const char *why = NULL;

	run->steps += SCHEMA_STEPS_PER_VALUE * cost(json, type);
	if (type & (SCHEMA_ARRAY | SCHEMA_OBJECT) && levels == 0)
		return "This is nested too deeply. Use fewer levels.";
	if (type & (SCHEMA_INTEGER | SCHEMA_NUMBER) &&
	    !isfinite(json_object_get_double(json)))
		return "A number here is larger than can be kept.";
	if (type == SCHEMA_ARRAY)
		for (size_t i = 0; i < json_object_array_length(json) && !why;
		     i++)
			why = weigh(run, json_object_array_get_idx(json, i),
			    levels - 1);
	if (type == SCHEMA_OBJECT) {
		json_object_object_foreach (json, key, value) {
			(void)key;
			if (!why)
				why = weigh(run, value, levels - 1);
		}
	}
	return why;
}

bool
schema_accepts(const struct schema *schema, struct json_object *value,
    void *owner, struct schema_errors *errors)
{
	struct run run = {
	    .set = schema->set,
	    .owner = owner,
	    .errors = errors,
	    .steps = SCHEMA_STEPS,
	};
	struct spot root = {.json = value, .type = schema__type_of(value)};
	const char *why;
	bool good;

	if (errors)
		*errors = (struct schema_errors){0};
	why = weigh(&run, value, SCHEMA_MAX_DEPTH);
	good = why ? stop(&run, &root, why) : check(&run, schema->root, &root);
	mem_drop(&run.scratch);
	return good && !run.stopped;
}
