/* What a schema says about its properties, without a value at hand. */
#include "schema/schema_priv.h"

/* Schemas looked into for one question: references may lead in a circle.
 * Beyond this anything is possible. */
enum { INSPECT_MOST = 200 };

static enum schema_type types(const struct node *node, int *left);

static enum schema_type
types_of_any(const struct nodes *nodes, int *left)
{
	enum schema_type all = SCHEMA_NONE;

	for (size_t i = 0; i < nodes->n; i++)
		all |= types(nodes->node[i], left);
	return all;
}

static enum schema_type
types_of_values(struct json_object *list)
{
	enum schema_type all = SCHEMA_NONE;

	for (size_t i = 0; i < json_object_array_length(list); i++)
		all |= schema__type_of(json_object_array_get_idx(list, i));
	return all;
}

static enum schema_type
types(const struct node *node, int *left)
{
	enum schema_type all = SCHEMA_ANY;

	if (node->kind == NODE_FALSE)
		return SCHEMA_NONE;
	if (--*left < 0)
		return SCHEMA_ANY;
	for (size_t i = 0; i < node->n_rules; i++) {
		const struct rule *r = &node->rules[i];

		if (r->op == OP_TYPE)
			all &= r->types;
		else if (r->op == OP_ENUM)
			all &= types_of_values(r->value);
		else if (r->op == OP_CONST)
			all &= schema__type_of(r->value);
		else if (r->op == OP_REF)
			all &= types(r->node, left);
		else if (r->op == OP_ANY_OF || r->op == OP_ONE_OF)
			all &= types_of_any(&r->nodes, left);
		else if (r->op == OP_ALL_OF)
			for (size_t j = 0; j < r->nodes.n; j++)
				all &= types(r->nodes.node[j], left);
	}
	return all;
}

enum schema_type
schema__types(const struct node *node)
{
	int left = INSPECT_MOST;

	return types(node, &left);
}

static const struct node *
named(const struct members *m, const char *property)
{
	for (size_t i = 0; i < m->n_named; i++)
		if (strcmp(m->named[i].name, property) == 0)
			return m->named[i].node;
	return NULL;
}

/* What a search through a schema and those it applies in place is after. */
struct question {
	const char *property;
	bool of_items; /* of the property's items, rather than its own */
	enum schema_type types; /* what is left of SCHEMA_ANY */
	bool declared; /* properties names it */
	bool required;
};

static void ask(struct question *q, const struct node *node, int *left);

/* The same for an array's items, once the property is found. */
static void
ask_items(struct question *q, const struct node *node, int *left)
{
	if (--*left < 0)
		return;
	for (size_t i = 0; i < node->n_rules; i++) {
		const struct rule *r = &node->rules[i];

		if (r->op == OP_LIST && r->list.rest)
			q->types &= schema__types(r->list.rest);
		else if (r->op == OP_REF)
			ask_items(q, r->node, left);
		else if (r->op == OP_ALL_OF || r->op == OP_ANY_OF ||
		    r->op == OP_ONE_OF)
			for (size_t j = 0; j < r->nodes.n; j++)
				ask_items(q, r->nodes.node[j], left);
	}
}

static void
ask_members(struct question *q, const struct rule *r, int *left)
{
	const struct node *node = named(&r->members, q->property);

	if (!node)
		return;
	q->declared = true;
	if (q->of_items)
		ask_items(q, node, left);
	else
		q->types &= schema__types(node);
}

static void
ask_any(struct question *q, const struct rule *r, int *left)
{
	enum schema_type sum = SCHEMA_NONE;
	bool declared = false;

	for (size_t i = 0; i < r->nodes.n; i++) {
		struct question branch = *q;

		branch.declared = false;
		branch.types = SCHEMA_ANY;
		ask(&branch, r->nodes.node[i], left);
		if (branch.declared)
			sum |= branch.types;
		declared |= branch.declared;
	}
	if (declared) {
		q->declared = true;
		q->types &= sum;
	}
}

static void
ask(struct question *q, const struct node *node, int *left)
{
	if (--*left < 0)
		return;
	for (size_t i = 0; i < node->n_rules; i++) {
		const struct rule *r = &node->rules[i];

		if (r->op == OP_MEMBERS)
			ask_members(q, r, left);
		else if (r->op == OP_REF)
			ask(q, r->node, left);
		else if (r->op == OP_ANY_OF || r->op == OP_ONE_OF)
			ask_any(q, r, left);
		else if (r->op == OP_ALL_OF)
			for (size_t j = 0; j < r->nodes.n; j++)
				ask(q, r->nodes.node[j], left);
		else if (r->op == OP_REQUIRED)
			for (size_t j = 0; j < r->names.n; j++)
				q->required |=
				    strcmp(r->names.name[j], q->property) == 0;
	}
}

enum schema_type
schema_property_type(const struct schema *schema, const char *property)
{
	struct question q = {.property = property, .types = SCHEMA_ANY};
	int left = INSPECT_MOST;

	ask(&q, schema->root, &left);
	return q.declared ? q.types : SCHEMA_NONE;
}

enum schema_type
schema_property_item_type(const struct schema *schema, const char *property)
{
	struct question q = {
	    .property = property, .of_items = true, .types = SCHEMA_ANY};
	int left = INSPECT_MOST;

	ask(&q, schema->root, &left);
	return q.declared ? q.types : SCHEMA_NONE;
}

bool
schema_property_required(const struct schema *schema, const char *property)
{
	struct question q = {.property = property, .types = SCHEMA_ANY};
	int left = INSPECT_MOST;

	ask(&q, schema->root, &left);
	return q.required;
}
