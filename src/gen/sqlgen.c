/*
 * sqlgen: turns the blocks of sql/ into C at build time.
 *
 *   sqlgen endpoints types.def schema.json… -- block.sql…   the route table
 *   sqlgen queries header|source file.sql…                  q_<name> functions
 *   sqlgen agents folder…                                   the agents
 *   sqlgen embed symbol file…                               files as strings
 *
 * Writes to standard output. The languages are described in sql/README.md.
 * What it does not understand is an error with file and line, exit status 1.
 */
#include <ctype.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "db/stmt.h"
#include "http/endpoint.h"

enum { SQL_MAX = 1 << 20 };

static void *root; /* everything lives until exit */

static const char usage[] =
    "usage: sqlgen endpoints types.def schema.json... -- block.sql...\n"
    "       sqlgen queries header|source file.sql...\n"
    "       sqlgen agents folder...\n"
    "       sqlgen embed symbol file...\n";

static struct {
	const char *file;
	int line;
} at;

static _Noreturn void __attribute__((format(printf, 1, 2)))
fail(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s:%d: ", at.file, at.line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

/* Reading */

static char *
read_file(const char *path, size_t *out_n)
{
	struct buf *b = buf_new(root, 16 << 20);
	char chunk[65536];
	FILE *in = fopen(path, "r");
	size_t n;

	at.file = path;
	at.line = 0;
	if (!in)
		fail("cannot be read");
	while ((n = fread(chunk, 1, sizeof(chunk), in)) > 0)
		buf_add(b, chunk, n);
	if (ferror(in) || b->full)
		fail("cannot be read");
	fclose(in);
	if (out_n)
		*out_n = b->len;
	return b->data;
}

/* The next line of *text without its end, or NULL; counts lines. */
static char *
next_line(char **text)
{
	char *line = *text, *end;

	if (!*line)
		return NULL;
	end = strchr(line, '\n');
	*text = end ? end + 1 : line + strlen(line);
	if (end)
		*end = '\0';
	at.line++;
	return line;
}

static char *
trim(char *s)
{
	size_t n;

	while (isspace((unsigned char)*s))
		s++;
	n = strlen(s);
	while (n && isspace((unsigned char)s[n - 1]))
		s[--n] = '\0';
	return s;
}

/* The next word of *s up to one of `ends`, trimmed; NULL at the end. */
static char *
cut(char **s, const char *ends)
{
	char *word = *s;
	size_t n;

	while (*word && (isspace((unsigned char)*word)))
		word++;
	if (!*word)
		return NULL;
	n = strcspn(word, ends);
	*s = word[n] ? word + n + 1 : word + n;
	word[n] = '\0';
	return trim(word);
}

static bool
is_name(const char *s)
{
	if (!isalpha((unsigned char)*s))
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && *s != '_')
			return false;
	return true;
}

static const char *
camel(const char *snake)
{
	struct buf *b = buf_new(root, 256);

	for (; *snake; snake++) {
		if (*snake == '_' && snake[1])
			buf_char(b, (char)toupper((unsigned char)*++snake));
		else
			buf_char(b, *snake);
	}
	return b->data;
}

/* Writing C */

static void
put_string(const char *s)
{
	if (!s) {
		printf("NULL");
		return;
	}
	putchar('"');
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '\n')
			printf("\\n\"\n\t    \"");
		else if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < 0x20 || c == 0x7f || c == '?')
			printf("\\%03o", c);
		else
			putchar(c);
	}
	putchar('"');
}

/* What blocks hold, as read */

struct words {
	const char *name;
	const char **words;
	size_t n;
};

static struct words *enums;
static size_t n_enums;

static const char **schemas;
static size_t n_schemas;

/* What a block, or a part it shares, says in its own words. */
struct row {
	const char *name;
	const char **keys, **values;
	size_t n;
};

static struct row *rows;
static size_t n_rows;

struct g_slot {
	const char *name;
	unsigned type;
};

struct g_part {
	struct part p;
	struct piece *pieces;
	const char *parent; /* by name until all parts are known */
	const char
	    *of; /* the block whose part of this name it shares, or NULL */
	struct buf *sql; /* as it stands in the file */
	char *text; /* in the words of the block */
	int line;
};

struct g_order {
	const char *name;
	bool descending;
	struct order_column *columns;
	size_t n;
};

struct g_use {
	const char *name, *as;
};

struct block {
	const char *file;
	int line;
	struct endpoint e;
	const struct row *row; /* NULL: it has no words of its own */
	const char *handler, *check, *form_of, *again;
	const struct words **param_words;
	struct param *params;
	struct g_slot *slots;
	struct g_part *parts;
	struct g_order *orders;
	struct g_use *uses;
	const char **errors;
	size_t n_errors;
	const char *metric; /* what a success counts in, or NULL */
	const char *counted[4];
	bool has_role;
	struct buf *doc;
};

static struct block *blocks;
static size_t n_blocks;

static const char *const method_names[] = {
    [METHOD_GET] = "GET",
    [METHOD_POST] = "POST",
    [METHOD_PUT] = "PUT",
    [METHOD_PATCH] = "PATCH",
    [METHOD_DELETE] = "DELETE",
};

static size_t
add_slot(struct block *b, const char *name, unsigned type)
{
	size_t n = b->e.n_slots;

	if (n == 32)
		fail("more than 32 parameters");
	b->slots = mem_grow(root, b->slots, n, sizeof(*b->slots));
	b->slots[n] = (struct g_slot){.name = name, .type = type};
	b->e.n_slots++;
	return n;
}

static bool
find_slot(const struct block *b, const char *name, size_t n, size_t *out)
{
	for (size_t i = 0; i < b->e.n_slots; i++) {
		if (strlen(b->slots[i].name) == n &&
		    memcmp(b->slots[i].name, name, n) == 0) {
			*out = i;
			return true;
		}
	}
	return false;
}

static struct param *
find_param(const struct block *b, const char *name)
{
	for (size_t i = 0; i < b->e.n_params; i++)
		if (strcmp(b->params[i].name, name) == 0)
			return &b->params[i];
	return NULL;
}

static void
range(char *text, int64_t *min, int64_t *max)
{
	char *dots = text ? strstr(text, "..") : NULL;

	if (!dots)
		fail("a range (min..max) is required");
	*dots = '\0';
	if (!text_int(trim(text), min) || !text_int(trim(dots + 2), max) ||
	    *min > *max)
		fail("the range is not min..max");
}

static const struct words *
find_enum(const char *name)
{
	for (size_t i = 0; i < n_enums; i++)
		if (strcmp(enums[i].name, name) == 0)
			return &enums[i];
	return NULL;
}

/* "text(1..64)", "insight_state[]", "key(I)": sets the kind and the slot. */
static void
set_type(struct block *b, size_t index, char *spec)
{
	struct param *p = &b->params[index];
	char *open, *argument = NULL;
	unsigned type = SQL_TEXT;

	p->list = text_ends(spec, "[]");
	if (p->list)
		spec[strlen(spec) - 2] = '\0';
	open = strchr(spec, '(');
	if (open) {
		*open = '\0';
		argument = open + 1;
		argument[strcspn(argument, ")")] = '\0';
	}
	b->param_words[index] = NULL;
	if (strcmp(spec, "text") == 0) {
		p->kind = PARAM_TEXT;
		range(argument, &p->min, &p->max);
	} else if (strcmp(spec, "int") == 0) {
		p->kind = PARAM_INT;
		range(argument, &p->min, &p->max);
		type = SQL_INT8;
	} else if (strcmp(spec, "bool") == 0) {
		p->kind = PARAM_BOOL;
		type = SQL_BOOL;
	} else if (strcmp(spec, "uuid") == 0) {
		p->kind = PARAM_UUID;
		p->prefix = argument; /* the word that stands for no id */
		type = SQL_UUID;
	} else if (strcmp(spec, "date") == 0) {
		p->kind = PARAM_DATE;
		type = SQL_DATE;
	} else if (strcmp(spec, "time") == 0) {
		p->kind = PARAM_TIME;
		type = SQL_TIME;
	} else if (strcmp(spec, "moment") == 0) {
		p->kind = PARAM_MOMENT;
	} else if (strcmp(spec, "key") == 0) {
		p->kind = PARAM_KEY;
		p->prefix = argument;
		type = SQL_UUID;
	} else {
		p->kind = PARAM_ENUM;
		b->param_words[index] = find_enum(spec);
		if (!b->param_words[index])
			fail("unknown type \"%s\"", spec);
	}
	if (p->list) {
		if (type == SQL_TEXT)
			type = SQL_TEXT_LIST;
		else if (type == SQL_UUID && p->kind == PARAM_UUID)
			type = SQL_UUID_LIST;
		else if (type == SQL_INT8)
			type = SQL_INT8_LIST;
		else
			fail("there is no list of %s", spec);
	}
	p->slot = add_slot(b, p->name, type);
	if (p->kind == PARAM_KEY)
		add_slot(b, mem_fmt(root, "%s_number", p->name), SQL_INT4);
	if (p->kind == PARAM_UUID && p->prefix)
		add_slot(b, mem_fmt(root, "%s_none", p->name), SQL_BOOL);
}

static void
add_param(struct block *b, const char *name, char *spec, bool in_path)
{
	size_t n = b->e.n_params;

	if (!is_name(name))
		fail("\"%s\" is no parameter name", name);
	if (find_param(b, name))
		fail("parameter %s is declared twice", name);
	b->params = mem_grow(root, b->params, n, sizeof(*b->params));
	b->param_words =
	    mem_grow(root, b->param_words, n, sizeof(*b->param_words));
	b->params[n] = (struct param){.name = name, .in_path = in_path};
	b->e.n_params++;
	set_type(b, n, spec);
}

/* Types contain no commas outside their parentheses. */
static char *
next_declaration(char **rest)
{
	char *start = *rest;
	int depth = 0;

	while (isspace((unsigned char)*start) || *start == ',')
		start++;
	if (!*start)
		return NULL;
	for (char *c = start;; c++) {
		depth += (*c == '(') - (*c == ')');
		if (*c == '\0' || (*c == ',' && depth == 0)) {
			*rest = *c ? c + 1 : c;
			*c = '\0';
			return trim(start);
		}
	}
}

static void
head_path(struct block *b, char *value)
{
	char *item;

	while ((item = next_declaration(&value))) {
		char *close = strchr(item, '}');

		if (*item != '{' || !close)
			fail("expected {name} type");
		*close = '\0';
		if (!strstr(b->e.path, mem_fmt(root, "{%s}", item + 1)))
			fail("{%s} is not in the path", item + 1);
		add_param(b, item + 1, trim(close + 1), true);
	}
}

static void
head_query(struct block *b, char *value)
{
	char *item;

	while ((item = next_declaration(&value))) {
		char *space = strchr(item, ' ');

		if (!space)
			fail("\"%s\" has no type", item);
		*space = '\0';
		add_param(b, item, trim(space + 1), false);
	}
}

static unsigned
type_of_word(const char *word)
{
	static const struct {
		const char *word;
		unsigned type;
	} types[] = {
	    {"uuid", SQL_UUID},
	    {"text", SQL_TEXT},
	    {"int", SQL_INT8},
	    {"int4", SQL_INT4},
	    {"bool", SQL_BOOL},
	    {"float", SQL_FLOAT8},
	    {"time", SQL_TIME},
	    {"date", SQL_DATE},
	    {"jsonb", SQL_JSONB},
	    {"bytea", SQL_BYTEA},
	    {"interval", SQL_INTERVAL},
	    {"text[]", SQL_TEXT_LIST},
	    {"uuid[]", SQL_UUID_LIST},
	    {"int[]", SQL_INT8_LIST},
	};

	for (size_t i = 0; i < nitems(types); i++)
		if (strcmp(types[i].word, word) == 0)
			return types[i].type;
	fail("unknown type \"%s\"", word);
}

/* order: newest = i.id uuid desc; severity = i.rank int desc, i.id uuid desc */
static void
head_order(struct block *b, char *value)
{
	char *one;

	while ((one = cut(&value, ";"))) {
		size_t n = b->e.n_orders++;
		struct g_order *o;
		char *name = cut(&one, "="), *column;

		b->orders = mem_grow(root, b->orders, n, sizeof(*b->orders));
		o = &b->orders[n];
		*o = (struct g_order){.name = name};
		while ((column = next_declaration(&one))) {
			char *expression = cut(&column, " ");
			char *type = cut(&column, " ");
			char *way = cut(&column, " ");
			char *named = strchr(expression, '~');
			const char *dot = strrchr(expression, '.');
			bool descending = way && strcmp(way, "desc") == 0;

			if (named)
				*named = '\0';
			if (!type || (!descending && way && strcmp(way, "asc")))
				fail("expected: expression type asc|desc");
			if (o->n && descending != o->descending)
				fail("an order has one direction");
			o->descending = descending;
			o->columns = mem_grow(
			    root, o->columns, o->n, sizeof(*o->columns));
			o->columns[o->n++] = (struct order_column){
			    .expression = expression,
			    .alias = named ? named + 1
					   : camel(dot ? dot + 1 : expression),
			    .type = type_of_word(type),
			};
		}
		if (!o->n)
			fail("order %s has no columns", name);
	}
}

static const char *
schema_name(const char *name)
{
	for (size_t i = 0; i < n_schemas; i++)
		if (strcmp(schemas[i], name) == 0)
			return schemas[i];
	fail("unknown schema \"%s\"", name);
}

/* reply: 200 page of Insight */
static void
head_reply(struct block *b, char *value)
{
	char *status = cut(&value, " "), *word = cut(&value, " ");
	int64_t number;

	if (!status || !text_int(status, &number) || number < 200 ||
	    (number > 299 && number != 302))
		fail("a reply begins with a status of success");
	b->e.status = (int)number;
	if (!word)
		return;
	b->e.reply = REPLY_ONE;
	if (strcmp(word, "page") == 0 || strcmp(word, "list") == 0) {
		b->e.reply = *word == 'p' ? REPLY_PAGE : REPLY_LIST;
		word = cut(&value, " ");
		if (!word || strcmp(word, "of") != 0)
			fail("expected: %d page of Name", b->e.status);
		word = cut(&value, " ");
	}
	b->e.reply_type = schema_name(word);
}

static void
head_role(struct block *b, char *value)
{
	static const struct {
		const char *word;
		enum role role;
	} roles[] = {
	    {"public", ROLE_PUBLIC},
	    {"user", ROLE_USER},
	    {"viewer", ROLE_VIEWER},
	    {"member", ROLE_MEMBER},
	    {"admin", ROLE_ADMIN},
	    {"owner", ROLE_OWNER},
	};

	for (size_t i = 0; i < nitems(roles); i++) {
		if (strcmp(roles[i].word, value) == 0) {
			b->e.role = roles[i].role;
			b->has_role = true;
			return;
		}
	}
	fail("unknown role \"%s\"", value);
}

static void
head_body(struct block *b, char *value)
{
	b->e.body = schema_name(value);
	b->e.body_slot = add_slot(b, "body", SQL_JSONB);
}

static void
head_handler(struct block *b, char *value)
{
	if (!is_name(value))
		fail("\"%s\" is no function", value);
	b->handler = value;
}

static void
head_check(struct block *b, char *value)
{
	if (!is_name(value))
		fail("\"%s\" is no function", value);
	b->check = value;
}

/* errors: bad_credentials, conflict */
static void
head_errors(struct block *b, char *value)
{
	static const char *const known[] = {
#define ERR(name, status, word, sentence, remedy) word,
#include "base/err.def"
#undef ERR
	};
	char *word;

	while ((word = next_declaration(&value))) {
		size_t i = 0;

		while (i < nitems(known) && strcmp(known[i], word) != 0)
			i++;
		if (i == nitems(known))
			fail("there is no error \"%s\"", word);
		b->errors =
		    mem_grow(root, b->errors, b->n_errors, sizeof(*b->errors));
		b->errors[b->n_errors++] = word;
	}
}

/* counts: INSIGHTS agentKey, severity, state */
static void
head_counts(struct block *b, char *value)
{
	static const struct {
		const char *metric, *labels;
	} known[] = {
#define COUNTER(id, name, labels, help) {#id, labels},
#define GAUGE(id, name, labels, help)
#define HISTOGRAM(id, name, labels, bounds, help)
#include "base/metrics.def"
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM
	};
	char *metric = cut(&value, " "), *column;
	size_t i = 0, n = 0, labels = 1;

	while (i < nitems(known) &&
	    (!metric || strcmp(known[i].metric, metric) != 0))
		i++;
	if (i == nitems(known))
		fail("there is no counter \"%s\"", metric ? metric : "");
	for (const char *c = known[i].labels; *c; c++)
		labels += *c == ',';
	while (value && (column = next_declaration(&value)))
		if (n < nitems(b->counted))
			b->counted[n++] = column;
	if (n != labels)
		fail("%s has the labels %s", metric, known[i].labels);
	b->metric = metric;
}

static void
head_pool(struct block *b, char *value)
{
	if (strcmp(value, "slow") != 0)
		fail("the only pool to name is slow");
	b->e.slow = true;
}

static void
head_cache(struct block *b, char *value)
{
	if (!(strcmp(value, "project") == 0 && b->e.has_project) &&
	    !(strcmp(value, "workspace") == 0 && !b->e.has_project &&
		b->e.has_workspace))
		fail("cache: names the scope of the path, project or "
		     "workspace");
	b->e.cached = true;
}

static void
head_page(struct block *b, char *value)
{
	if (b->form_of)
		b->again = value;
	else
		b->e.page = value;
}

static void
head_message(struct block *b, char *value)
{
	b->e.message = value;
}

static void
head_use(struct block *b, char *value)
{
	char *item;

	while ((item = next_declaration(&value))) {
		char *name = cut(&item, " "), *as = cut(&item, " "),
		     *alias = cut(&item, " ");

		if (!as || strcmp(as, "as") != 0 || !alias)
			fail("expected: use: endpoint as name");
		b->uses =
		    mem_grow(root, b->uses, b->e.n_uses, sizeof(*b->uses));
		b->uses[b->e.n_uses++] =
		    (struct g_use){.name = name, .as = alias};
	}
}

/* part: name [one | list | needed | in PARENT by COLUMN] [chart KIND] [of BLOCK] */
static struct g_part *
add_part(struct block *b, char *value)
{
	size_t n = b->e.n_parts++;
	struct g_part *part;
	char *word;

	b->parts = mem_grow(root, b->parts, n, sizeof(*b->parts));
	part = &b->parts[n];
	*part = (struct g_part){.sql = buf_new(root, SQL_MAX), .line = at.line};
	part->p.source = mem_fmt(root, "%s:%d", at.file, at.line);
	if (!value)
		return part;
	part->p.name = cut(&value, " ");
	part->p.kind = PART_LIST;
	while ((word = cut(&value, " "))) {
		if (strcmp(word, "one") == 0) {
			part->p.kind = PART_ONE;
		} else if (strcmp(word, "needed") == 0) {
			part->p.kind = PART_NEEDED;
		} else if (strcmp(word, "in") == 0) {
			part->p.kind = PART_NESTED;
			part->parent = cut(&value, " ");
			word = cut(&value, " ");
			part->p.by = cut(&value, " ");
			if (!word || strcmp(word, "by") != 0 || !part->p.by)
				fail("expected: part: name in PART by COLUMN");
		} else if (strcmp(word, "chart") == 0) {
			part->p.chart = cut(&value, " ");
		} else if (strcmp(word, "of") == 0) {
			part->of = cut(&value, " ");
			if (!part->of)
				fail("expected: part: name list of BLOCK");
		} else if (strcmp(word, "list") != 0) {
			fail("unknown word \"%s\"", word);
		}
	}
	return part;
}

static const struct {
	const char *key;
	void (*read)(struct block *b, char *value);
} head_keys[] = {
    {"role", head_role},
    {"path", head_path},
    {"query", head_query},
    {"body", head_body},
    {"order", head_order},
    {"reply", head_reply},
    {"handler", head_handler},
    {"check", head_check},
    {"errors", head_errors},
    {"counts", head_counts},
    {"pool", head_pool},
    {"cache", head_cache},
    {"page", head_page},
    {"use", head_use},
    {"message", head_message},
};

/* "key: value" of a comment line, or false when it is prose. */
static bool
key_line(char *comment, char **key, char **value)
{
	size_t n = strspn(comment, "abcdefghijklmnopqrstuvwxyz");

	if (n == 0 || comment[n] != ':' ||
	    (comment[n + 1] && comment[n + 1] != ' '))
		return false;
	comment[n] = '\0';
	*key = comment;
	*value = trim(comment + n + 1);
	return true;
}

static void
read_head_key(struct block *b, const char *key, char *value)
{
	for (size_t i = 0; i < nitems(head_keys); i++) {
		if (strcmp(head_keys[i].key, key) == 0) {
			head_keys[i].read(b, value);
			return;
		}
	}
	fail("unknown key \"%s\"", key);
}

static bool
is_block_start(const char *comment)
{
	for (size_t i = 0; i < nitems(method_names); i++) {
		size_t n = strlen(method_names[i]);

		if (strncmp(comment, method_names[i], n) == 0 &&
		    comment[n] == ' ' && comment[n + 1] == '/')
			return true;
	}
	return false;
}

static struct row *
find_row(const char *name)
{
	for (size_t i = 0; i < n_rows; i++)
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	return NULL;
}

/* "-- words epic: one = epic; all = epics": more words for a row. */
static void
read_words(char *line)
{
	char *name = cut(&line, ":"), *pair;
	struct row *row = name && is_name(name) ? find_row(name) : NULL;

	if (!name || !is_name(name))
		fail("expected: words NAME: key = value; key = value");
	if (!row) {
		rows = mem_grow(root, rows, n_rows, sizeof(*rows));
		row = &rows[n_rows++];
		*row = (struct row){.name = name};
	}
	while ((pair = cut(&line, ";"))) {
		char *equal = strchr(pair, '=');

		if (!equal)
			fail("\"%s\" is not key = value", pair);
		*equal = '\0';
		row->keys =
		    mem_grow(root, row->keys, row->n, sizeof(*row->keys));
		row->values =
		    mem_grow(root, row->values, row->n, sizeof(*row->values));
		row->keys[row->n] = trim(pair);
		row->values[row->n++] = trim(equal + 1);
	}
}

/* "… with epic" at the end of a head: taken off, and the row it names. */
static const struct row *
cut_row(char *head)
{
	const struct row *row;
	char *with = NULL;

	for (char *s = head; (s = strstr(s, " with ")); s++)
		with = s;
	if (!with)
		return NULL;
	*with = '\0';
	with = trim(with + strlen(" with "));
	row = find_row(with);
	if (!row)
		fail("there are no words \"%s\"", with);
	return row;
}

static size_t
name_length(const char *s)
{
	size_t n = 0;

	while (isalnum((unsigned char)s[n]) || s[n] == '_')
		n++;
	return n;
}

/* The text with the row's words where their keys stand in <>. */
static char *
fill(const char *text, const struct row *row)
{
	struct buf *b = buf_new(root, SQL_MAX);
	const char *open;

	while (row && (open = strchr(text, '<'))) {
		size_t n = name_length(open + 1), i = 0;
		bool is_key = open[n + 1] == '>';

		while (i < row->n &&
		    (strlen(row->keys[i]) != n ||
			memcmp(row->keys[i], open + 1, n) != 0))
			i++;
		is_key = is_key && i < row->n;
		buf_add(b, text, (size_t)(open - text) + !is_key);
		if (is_key)
			buf_text(b, row->values[i]);
		text = open + (is_key ? n + 2 : 1);
	}
	buf_text(b, text);
	return b->data;
}

/* "POST /path   name" or "POST /path   form of name, then /path" */
static struct block *
begin_block(char *comment)
{
	struct block *b;
	char *method, *path, *rest;

	blocks = mem_grow(root, blocks, n_blocks, sizeof(*blocks));
	b = &blocks[n_blocks++];
	*b = (struct block){.file = at.file, .line = at.line};
	b->row = cut_row(comment);
	method = cut(&comment, " ");
	path = cut(&comment, " ");
	rest = trim(comment);
	for (size_t i = 0; i < nitems(method_names); i++)
		if (strcmp(method_names[i], method) == 0)
			b->e.method = (enum method)i;
	b->e.path = path;
	b->e.source = mem_fmt(root, "%s:%d", at.file, at.line);
	b->e.has_workspace = strstr(path, "{ws}") != NULL;
	b->e.has_project = strstr(path, "{project}") != NULL;
	b->e.body_slot = SIZE_MAX;
	b->doc = buf_new(root, 4000);
	if (text_starts(rest, "form of ")) {
		char *comma = strstr(rest, ", then ");

		if (!comma)
			fail("expected: form of name, then /path");
		*comma = '\0';
		b->form_of = trim(rest + strlen("form of "));
		b->e.then = trim(comma + strlen(", then "));
		b->has_role = true;
	} else if (is_name(rest)) {
		b->e.name = rest;
	} else {
		fail("the block has no name");
	}
	return b;
}

/* SQL into pieces */

static void
add_piece(struct g_part *part, struct piece piece)
{
	size_t n = part->p.n_pieces++;

	part->pieces = mem_grow(root, part->pieces, n, sizeof(*part->pieces));
	part->pieces[n] = piece;
}

static void
flush_text(struct g_part *part, struct buf *text)
{
	if (text->len)
		add_piece(part,
		    (struct piece){
			.kind = PIECE_TEXT, .text = mem_dup(root, text->data)});
	buf_reset(text);
}

/* Where a quoted or dollar-quoted run that begins at s ends; s if none does. */
static const char *
end_of_quote(const char *s)
{
	if (*s == '\'' || *s == '"') {
		const char *end = strchr(s + 1, *s);

		if (!end)
			fail("a quote is never closed");
		return end + 1;
	}
	return s;
}

static size_t
need_slot(const struct block *b, const char *name, size_t n)
{
	size_t slot;

	if (!find_slot(b, name, n, &slot))
		fail("unknown parameter \"%.*s\"", (int)n, name);
	return slot;
}

/* Whether the next slot is the other form of this one. */
static bool
is_other_form(const struct block *b, size_t slot)
{
	const char *name = b->slots[slot].name, *next = b->slots[slot + 1].name;

	return strcmp(next, mem_fmt(root, "%s_number", name)) == 0 ||
	    strcmp(next, mem_fmt(root, "%s_none", name)) == 0;
}

static const char *cut_sql(struct block *b, struct g_part *part, const char *s,
    const char *ends, struct buf *text);

/* Behind the closing brace of the fragment whose inside begins at s. */
static const char *
pass_fragment(const char *s)
{
	for (int depth = 1; depth > 0;) {
		const char *quoted = end_of_quote(s);

		if (!*s)
			fail("a brace is never closed");
		depth += (*s == '{') - (*s == '}');
		s = quoted == s ? s + 1 : quoted;
	}
	return s;
}

/* {name: sql}, {name: a | b}, {page}; s is behind the brace. */
static const char *
cut_fragment(
    struct block *b, struct g_part *part, const char *s, struct buf *text)
{
	size_t n = name_length(s), slot, jump;

	if (strncmp(s, "page}", 5) == 0) {
		if (!b->e.n_orders)
			fail("{page} needs an order:");
		flush_text(part, text);
		add_piece(part, (struct piece){.kind = PIECE_PAGE});
		return s + 5;
	}
	if (strncmp(s, "changed}", 8) == 0) {
		if (!b->e.cached)
			fail("{changed} needs a cache:");
		flush_text(part, text);
		add_piece(part, (struct piece){.kind = PIECE_CHANGED});
		return s + 8;
	}
	if (n == 0 || s[n] != ':')
		fail("expected {name: sql}, {page} or {changed}");
	if (part->of && !find_slot(b, s, n, &slot))
		return pass_fragment(s); /* a parameter never given here */
	slot = need_slot(b, s, n);
	flush_text(part, text);
	jump = part->p.n_pieces;
	add_piece(part, (struct piece){.kind = PIECE_IF, .slot = slot});
	s = cut_sql(b, part, s + n + 1, "|}", text);
	flush_text(part, text);
	part->pieces[jump].to = part->p.n_pieces;
	if (*s == '|') {
		if (slot + 1 == b->e.n_slots || !is_other_form(b, slot))
			fail("only a key and uuid(none) have two forms");
		jump = part->p.n_pieces;
		add_piece(
		    part, (struct piece){.kind = PIECE_IF, .slot = slot + 1});
		s = cut_sql(b, part, s + 1, "}", text);
		flush_text(part, text);
		part->pieces[jump].to = part->p.n_pieces;
	}
	return s + 1;
}

/* Up to one of `ends` outside quotes, or the end of the text for "". */
static const char *
cut_sql(struct block *b, struct g_part *part, const char *s, const char *ends,
    struct buf *text)
{
	while (*s) {
		const char *quoted = end_of_quote(s);

		if (quoted != s) {
			buf_add(text, s, (size_t)(quoted - s));
			s = quoted;
		} else if (s[0] == '|' && s[1] == '|') {
			buf_text(text, "||");
			s += 2;
		} else if (strchr(ends, *s)) {
			return s;
		} else if (s[0] == ':' && s[1] == ':') {
			buf_text(text, "::");
			s += 2;
		} else if (s[0] == ':' && isalpha((unsigned char)s[1])) {
			size_t n = name_length(s + 1);
			size_t slot = need_slot(b, s + 1, n);

			flush_text(part, text);
			add_piece(part,
			    (struct piece){.kind = PIECE_SLOT, .slot = slot});
			s += n + 1;
		} else if (*s == '{') {
			s = cut_fragment(b, part, s + 1, text);
		} else if (*s == '}') {
			fail("a brace too many");
		} else {
			buf_char(text, *s++);
		}
	}
	if (*ends)
		fail("a brace is never closed");
	return s;
}

static bool
has_piece(const struct g_part *part, enum piece_kind kind)
{
	for (size_t i = 0; i < part->p.n_pieces; i++)
		if (part->pieces[i].kind == kind)
			return true;
	return false;
}

static size_t
block_index(const struct block *from, const char *name)
{
	for (size_t i = 0; i < n_blocks; i++)
		if (blocks[i].e.name && strcmp(blocks[i].e.name, name) == 0)
			return i;
	at.file = from->file;
	at.line = from->line;
	fail("there is no endpoint \"%s\"", name);
}

/* A part of this name that has a statement, in the block it is shared with. */
static const char *
shared_sql(const struct block *b, const struct g_part *part)
{
	const struct block *of = &blocks[block_index(b, part->of)];

	if (part->sql->len)
		fail("a part of another block has no statement of its own");
	for (size_t i = 0; i < of->e.n_parts; i++)
		if (of->parts[i].p.name && of->parts[i].sql->len &&
		    strcmp(of->parts[i].p.name, part->p.name) == 0)
			return of->parts[i].sql->data;
	fail("%s has no statement for %s", part->of, part->p.name);
}

static void
cut_parts(struct block *b)
{
	for (size_t i = 0; i < b->e.n_parts; i++) {
		struct g_part *part = &b->parts[i];
		struct buf *text = buf_new(root, SQL_MAX);
		char *sql;
		size_t n;

		at.line = part->line;
		part->text = sql = trim(fill(
		    part->of ? shared_sql(b, part) : part->sql->data, b->row));
		n = strlen(sql);
		if (n && sql[n - 1] == ';')
			sql[n - 1] = '\0';
		if (!*sql)
			fail("part %s has no statement",
			    part->p.name ? part->p.name : "(first)");
		cut_sql(b, part, sql, "", text);
		flush_text(part, text);
		for (size_t k = 0; part->parent && k < i; k++)
			if (b->parts[k].p.name &&
			    strcmp(b->parts[k].p.name, part->parent) == 0) {
				part->p.parent = k;
				part->parent = NULL;
			}
		if (part->parent)
			fail("no part %s stands before", part->parent);
		if (b->e.cached && !has_piece(part, PIECE_CHANGED))
			fail("a cached endpoint needs {changed} in every "
			     "statement");
	}
}

/* Every {name} of the path must be {ws}, {project} or declared. */
static void
check_path(const struct block *b)
{
	const char *s = b->e.path;

	while ((s = strchr(s, '{'))) {
		size_t n = name_length(s + 1);
		char *name = mem_dup_n(root, s + 1, n);

		if (strcmp(name, "ws") != 0 && strcmp(name, "project") != 0 &&
		    !find_param(b, name))
			fail("path: declares no type for {%s}", name);
		s += n;
	}
}

static bool
pages_somewhere(const struct block *b)
{
	for (size_t i = 0; i < b->e.n_parts; i++)
		if (has_piece(&b->parts[i], PIECE_PAGE))
			return true;
	return false;
}

static void
end_block(struct block *b)
{
	at.file = b->file;
	at.line = b->line;
	if (!b->has_role)
		fail("%s has no role", b->e.name);
	check_path(b);
	if (!b->form_of && !b->e.page && !b->e.status)
		fail("%s says neither reply: nor page:", b->e.name);
	if (!b->form_of && !b->e.page && !b->handler && !b->e.n_parts)
		fail("%s has neither a statement nor a handler", b->e.name);
	if (!b->e.page && (b->e.reply == REPLY_PAGE) != (b->e.n_orders > 0))
		fail("order: and a page as reply go together");
	if (b->e.role >= ROLE_VIEWER && !b->e.has_workspace &&
	    !b->e.has_project)
		fail("role %d needs {ws} or {project} in the path",
		    (int)b->e.role);
	if (b->e.body_slot == SIZE_MAX)
		b->e.body_slot = b->e.n_slots;
	b->e.doc = trim(b->doc->data);
	cut_parts(b);
	at.line = b->line;
	if (b->e.n_orders && !pages_somewhere(b))
		fail("a list with orders needs {page} in a statement");
}

struct line {
	char *text;
	int number;
};

struct lines {
	struct line *at;
	size_t n;
};

static void
add_line(struct lines *lines, char *text)
{
	lines->at = mem_grow(root, lines->at, lines->n, sizeof(*lines->at));
	lines->at[lines->n++] = (struct line){text, at.line};
}

static void
read_block(const struct line *head, const struct lines *lines)
{
	struct block *b;
	struct g_part *part = NULL;
	bool in_head = true;

	at.line = head->number;
	b = begin_block(mem_dup(root, head->text));
	for (size_t i = 0; i < lines->n; i++) {
		const char *line = lines->at[i].text;
		char *comment, *key, *value;

		at.line = lines->at[i].number;
		if (!text_starts(line, "--")) {
			if (!*trim(mem_dup(root, line)))
				continue;
			in_head = false;
			if (!part)
				part = add_part(b, NULL);
			buf_fmt(part->sql, "%s\n", line);
			continue;
		}
		comment = trim(fill(line + 2, b->row));
		if (text_starts(comment, "part: "))
			part = add_part(b, comment + 6);
		else if (!in_head)
			continue;
		else if (key_line(comment, &key, &value))
			read_head_key(b, key, value);
		else
			buf_fmt(b->doc, "%s ", comment);
	}
}

/* The blocks that the lines since the last heads are: one for each of them. */
static void
read_source(struct lines *heads, struct lines *lines)
{
	int line = at.line;

	for (size_t i = 0; i < heads->n; i++)
		read_block(&heads->at[i], lines);
	heads->n = lines->n = 0;
	at.line = line;
}

static const char words_line[] = "-- words ";

static void
read_blocks(const char *path)
{
	char *text = read_file(path, NULL), *line;
	struct lines heads = {0}, lines = {0};

	while ((line = next_line(&text))) {
		bool starts =
		    text_starts(line, "-- ") && is_block_start(line + 3);

		if (starts && lines.n)
			read_source(&heads, &lines);
		if (starts)
			add_line(&heads, line + 3);
		else if (heads.n && !text_starts(line, words_line))
			add_line(&lines, line);
	}
	read_source(&heads, &lines);
}

/* The words of a file, which blocks of every file may use. */
static void
read_rows(const char *path)
{
	char *text = read_file(path, NULL), *line;

	while ((line = next_line(&text)))
		if (text_starts(line, words_line))
			read_words(line + strlen(words_line));
}

static void
read_enums(const char *path)
{
	char *text = read_file(path, NULL), *line;

	while ((line = next_line(&text))) {
		struct words *w;
		char *word;

		if (*line == '#' || !*trim(mem_dup(root, line)))
			continue;
		enums = mem_grow(root, enums, n_enums, sizeof(*enums));
		w = &enums[n_enums++];
		*w = (struct words){.name = cut(&line, "=")};
		while ((word = cut(&line, " "))) {
			w->words =
			    mem_grow(root, w->words, w->n, sizeof(*w->words));
			w->words[w->n++] = word;
		}
		if (!w->n)
			fail("enumeration %s has no words", w->name);
	}
}

static void
put(void *doc)
{
	json_object_put(doc);
}

/* The names stay valid: the document lives until exit, too. */
static void
read_schemas(const char *path)
{
	struct json_object *doc =
	    mem_adopt(root, json_tokener_parse(read_file(path, NULL)), put);
	struct json_object *defs = NULL;

	if (!doc || !json_object_object_get_ex(doc, "$defs", &defs))
		fail("is not a JSON document with $defs");
	json_object_object_foreach (defs, name, value) {
		(void)value;
		schemas = mem_grow(root, schemas, n_schemas, sizeof(*schemas));
		schemas[n_schemas++] = name;
	}
}

/* The route table */

static int
by_path(const void *a, const void *b)
{
	const struct block *x = a, *y = b;
	int order = strcmp(x->e.path, y->e.path);

	return order ? order : (int)x->e.method - (int)y->e.method;
}

static void
put_params(const struct block *b)
{
	static const char *const kinds[] = {"PARAM_TEXT", "PARAM_INT",
	    "PARAM_BOOL", "PARAM_UUID", "PARAM_DATE", "PARAM_TIME",
	    "PARAM_ENUM", "PARAM_KEY", "PARAM_MOMENT"};

	printf("\t.params = (const struct param[]){\n");
	for (size_t i = 0; i < b->e.n_params; i++) {
		const struct param *p = &b->params[i];

		printf("\t    {.name = \"%s\", .in_path = %d, .kind = %s, "
		       ".list = %d, .min = %lld, .max = %lld, .slot = %zu",
		    p->name, p->in_path, kinds[p->kind], p->list,
		    (long long)p->min, (long long)p->max, p->slot);
		if (p->prefix)
			printf(", .prefix = \"%s\"", p->prefix);
		if (b->param_words[i])
			printf(", .words = enum_%s", b->param_words[i]->name);
		printf("},\n");
	}
	printf("\t},\n\t.n_params = %zu,\n", b->e.n_params);
	printf("\t.slots = (const struct slot[]){\n");
	for (size_t i = 0; i < b->e.n_slots; i++)
		printf("\t    {.name = \"%s\", .type = %u},\n",
		    b->slots[i].name, b->slots[i].type);
	printf("\t},\n\t.n_slots = %zu,\n\t.body_slot = %zu,\n", b->e.n_slots,
	    b->e.body_slot);
}

static void
put_parts(const struct block *b)
{
	static const char *const kinds[] = {"PART_DOCUMENT", "PART_ONE",
	    "PART_LIST", "PART_NESTED", "PART_NEEDED"};
	static const char *const pieces[] = {"PIECE_TEXT", "PIECE_SLOT",
	    "PIECE_IF", "PIECE_PAGE", "PIECE_CHANGED"};

	printf("\t.parts = (const struct part[]){\n");
	for (size_t i = 0; i < b->e.n_parts; i++) {
		const struct g_part *part = &b->parts[i];

		printf("\t    {.kind = %s, .source = \"%s\", .n_pieces = %zu, "
		       ".parent = %zu,\n\t     .name = ",
		    kinds[part->p.kind], part->p.source, part->p.n_pieces,
		    part->p.parent);
		put_string(part->p.name);
		printf(", .by = ");
		put_string(part->p.by);
		printf(", .chart = ");
		put_string(part->p.chart);
		printf(",\n\t     .pieces = (const struct piece[]){\n");
		for (size_t k = 0; k < part->p.n_pieces; k++) {
			const struct piece *p = &part->pieces[k];

			printf("\t\t{.kind = %s, .slot = %zu, .to = %zu, "
			       ".text = ",
			    pieces[p->kind], p->slot, p->to);
			put_string(p->text);
			printf("},\n");
		}
		printf("\t     }},\n");
	}
	printf("\t},\n\t.n_parts = %zu,\n", b->e.n_parts);
}

static void
put_orders(const struct block *b)
{
	printf("\t.orders = (const struct order[]){\n");
	for (size_t i = 0; i < b->e.n_orders; i++) {
		const struct g_order *o = &b->orders[i];

		printf("\t    {.name = \"%s\", .descending = %d, "
		       ".n_columns = %zu,\n"
		       "\t     .columns = (const struct order_column[]){",
		    o->name, o->descending, o->n);
		for (size_t k = 0; k < o->n; k++)
			printf("\n\t\t{.expression = \"%s\", .alias = \"%s\", "
			       ".type = %u},",
			    o->columns[k].expression, o->columns[k].alias,
			    o->columns[k].type);
		printf("}},\n");
	}
	printf("\t},\n\t.n_orders = %zu,\n", b->e.n_orders);
}

static void
put_block(const struct block *b)
{
	static const char *const replies[] = {
	    "REPLY_NONE", "REPLY_ONE", "REPLY_LIST", "REPLY_PAGE"};
	const struct endpoint *e = &b->e;

	printf("    {\n\t.name = \"%s\",\n\t.method = %d,\n\t.path = \"%s\",\n"
	       "\t.source = \"%s\",\n\t.doc = ",
	    e->name, (int)e->method, e->path, e->source);
	put_string(e->doc);
	printf(",\n\t.role = %d,\n\t.has_workspace = %d,\n"
	       "\t.has_project = %d,\n\t.slow = %d,\n\t.cached = %d,\n",
	    (int)e->role, e->has_workspace, e->has_project, e->slow, e->cached);
	if (e->n_slots)
		put_params(b);
	if (e->n_parts)
		put_parts(b);
	if (e->n_orders)
		put_orders(b);
	printf("\t.body = ");
	put_string(e->body);
	printf(",\n\t.status = %d,\n\t.reply = %s,\n\t.reply_type = ",
	    e->status, replies[e->reply]);
	put_string(e->reply_type);
	if (b->handler)
		printf(",\n\t.handler = %s", b->handler);
	if (b->check)
		printf(",\n\t.check = %s", b->check);
	if (b->n_errors) {
		printf(",\n\t.errors = (const char *const[]){");
		for (size_t i = 0; i < b->n_errors; i++)
			printf("\"%s\", ", b->errors[i]);
		printf("NULL}");
	}
	if (b->metric) {
		printf(",\n\t.tally = &(const struct tally){METRIC_%s, {",
		    b->metric);
		for (size_t i = 0; i < nitems(b->counted); i++)
			if (b->counted[i])
				printf("\"%s\", ", b->counted[i]);
		printf("}}");
	}
	printf(",\n\t.page = ");
	put_string(e->page);
	printf(",\n\t.message = ");
	put_string(e->message);
	if (e->n_uses) {
		printf(",\n\t.uses = (const struct use[]){");
		for (size_t i = 0; i < e->n_uses; i++)
			printf("{.endpoint = &endpoints[%zu], .as = \"%s\"}, ",
			    block_index(b, b->uses[i].name), b->uses[i].as);
		printf("},\n\t.n_uses = %zu", e->n_uses);
	}
	if (b->form_of)
		printf(",\n\t.form_of = &endpoints[%zu],\n\t.then = \"%s\"",
		    block_index(b, b->form_of), e->then);
	if (b->again)
		printf(
		    ",\n\t.again = &endpoints[%zu]", block_index(b, b->again));
	printf(",\n    },\n");
}

/* A form gives its endpoint every part of the path it needs. */
static void
check_form_path(const struct block *form, const struct block *of)
{
	for (size_t i = 0; i < of->e.n_params; i++)
		if (of->params[i].in_path &&
		    !strstr(form->e.path,
			mem_fmt(root, "{%s}", of->params[i].name)))
			fail("%s needs {%s} in the path", of->e.name,
			    of->params[i].name);
}

/* form_login; the further forms of an endpoint are form_update_story_2 and on,
 * by path. Names travel (cookies, logs, metrics) and outlive a line's number. */
static void
name_forms(void)
{
	for (size_t i = 0; i < n_blocks; i++) {
		const char *of = blocks[i].form_of;
		int nth = 1;

		if (!of)
			continue;
		for (size_t k = 0; k < i; k++)
			nth += blocks[k].form_of &&
			    strcmp(blocks[k].form_of, of) == 0;
		blocks[i].e.name = nth == 1
		    ? mem_fmt(root, "form_%s", of)
		    : mem_fmt(root, "form_%s_%d", of, nth);
	}
}

static void
check_table(void)
{
	for (size_t i = 0; i < n_blocks; i++) {
		struct block *b = &blocks[i];

		at.file = b->file;
		at.line = b->line;
		if (i && by_path(b - 1, b) == 0)
			fail("the same address as %s:%d", b[-1].file,
			    b[-1].line);
		for (size_t k = 0; k < i; k++)
			if (strcmp(blocks[k].e.name, b->e.name) == 0)
				fail("%s is the name of %s:%d, too", b->e.name,
				    blocks[k].file, blocks[k].line);
		if (b->form_of) {
			const struct block *of =
			    &blocks[block_index(b, b->form_of)];

			b->e.role = of->e.role;
			b->e.slow = of->e.slow;
			check_form_path(b, of);
		}
	}
}

/* FNV-1a over every statement and schema name: documents change with it. */
static unsigned
build_hash(void)
{
	unsigned h = 2166136261U;

	for (size_t i = 0; i < n_blocks; i++)
		for (size_t k = 0; k < blocks[i].e.n_parts; k++)
			for (const char *s = blocks[i].parts[k].text; *s; s++)
				h = (h ^ (unsigned char)*s) * 16777619U;
	return h;
}

static int
make_endpoints(int argc, char **argv)
{
	int i = 0;

	if (argc < 1)
		return 2;
	read_enums(argv[i++]);
	for (; i < argc && strcmp(argv[i], "--") != 0; i++)
		read_schemas(argv[i]);
	for (int k = i + 1; k < argc; k++)
		read_rows(argv[k]);
	for (i++; i < argc; i++)
		read_blocks(argv[i]);
	for (size_t k = 0; k < n_blocks; k++)
		end_block(&blocks[k]);
	qsort(blocks, n_blocks, sizeof(*blocks), by_path);
	name_forms();
	check_table();
	printf("/* Made by sqlgen from sql/; edit the blocks there. */\n"
	       "#include \"base/metrics.h\"\n"
	       "#include \"http/endpoint.h\"\n\n");
	for (size_t k = 0; k < n_enums; k++) {
		printf("static const char *const enum_%s[] "
		       "__attribute__((unused)) = {",
		    enums[k].name);
		for (size_t w = 0; w < enums[k].n; w++)
			printf("\"%s\", ", enums[k].words[w]);
		printf("NULL};\n");
	}
	for (size_t k = 0; k < n_blocks; k++)
		if (blocks[k].handler)
			printf(
			    "extern endpoint_handler %s;\n", blocks[k].handler);
	for (size_t k = 0; k < n_blocks; k++)
		if (blocks[k].check)
			printf("extern endpoint_check %s;\n", blocks[k].check);
	printf("\nconst struct endpoint endpoints[] = {\n");
	for (size_t k = 0; k < n_blocks; k++)
		put_block(&blocks[k]);
	printf("};\n\nconst size_t n_endpoints = %zu;\n"
	       "const char endpoints_build[] = \"%08x\";\n",
	    n_blocks, build_hash());
	return 0;
}

/*
 * Named queries, for C to call:
 *
 *   -- name: claim_job
 *   -- What it does.
 *   -- args: kinds text[], worker text
 *   SELECT …
 *
 * become q_claim_job(op, kinds, worker, &rows), and stmt_claim_job to send it
 * along with others. Arguments are numbered as declared.
 */
static void
put_query_signature(const struct block *b)
{
	printf("enum err q_%s(struct op *op", b->e.name);
	for (size_t i = 0; i < b->e.n_slots; i++)
		printf(", const char *%s", b->slots[i].name);
	printf(", struct rows **out_rows)");
}

static void
put_query_source(const struct block *b, size_t id)
{
	const struct g_part *part = &b->parts[0];

	printf("\nstatic const unsigned types_%s[] = {", b->e.name);
	for (size_t i = 0; i < b->e.n_slots; i++)
		printf("%u, ", b->slots[i].type);
	printf("0};\nstatic const char *const names_%s[] = {", b->e.name);
	for (size_t i = 0; i < b->e.n_slots; i++)
		printf("\"%s\", ", b->slots[i].name);
	printf("0};\nconst struct stmt stmt_%s = {\n    .id = %zu,\n"
	       "    .source = \"%s\",\n    .types = types_%s,\n"
	       "    .names = names_%s,\n    .n_types = %zu,\n    .sql = ",
	    b->e.name, id, b->e.source, b->e.name, b->e.name, b->e.n_slots);
	for (size_t k = 0; k < part->p.n_pieces; k++) {
		const struct piece *p = &part->pieces[k];

		if (p->kind == PIECE_TEXT)
			put_string(p->text);
		else
			printf(" \"$%zu\" ", p->slot + 1);
	}
	printf("};\n\n");
	put_query_signature(b);
	printf("\n{\n\tconst char *const values[] = {");
	for (size_t i = 0; i < b->e.n_slots; i++)
		printf("%s, ", b->slots[i].name);
	printf("NULL};\n\n\treturn db_query(op, &stmt_%s, values, "
	       "out_rows);\n}\n",
	    b->e.name);
}

static void
read_queries(const char *path)
{
	char *text = read_file(path, NULL), *line;
	struct block *b = NULL;

	while ((line = next_line(&text))) {
		char *key, *value, *item;

		if (text_starts(line, "-- name: ")) {
			blocks =
			    mem_grow(root, blocks, n_blocks, sizeof(*blocks));
			b = &blocks[n_blocks++];
			*b = (struct block){.file = at.file, .line = at.line};
			b->e.name = trim(line + strlen("-- name: "));
			b->e.source = mem_fmt(root, "%s:%d", at.file, at.line);
			b->doc = buf_new(root, 4000);
			add_part(b, NULL);
		} else if (b && text_starts(line, "--")) {
			char *comment = trim(line + 2);

			if (!key_line(comment, &key, &value)) {
				if (!b->parts[0].sql->len)
					buf_fmt(b->doc, " * %s\n", comment);
				continue;
			}
			if (strcmp(key, "args") != 0)
				fail("unknown key \"%s\"", key);
			while ((item = next_declaration(&value))) {
				char *name = cut(&item, " ");

				add_slot(b, name, type_of_word(trim(item)));
			}
		} else if (b) {
			buf_fmt(b->parts[0].sql, "%s\n", line);
		}
	}
}

static int
make_queries(int argc, char **argv)
{
	bool header = argc > 1 && strcmp(argv[0], "header") == 0;

	for (int i = 1; i < argc; i++)
		read_queries(argv[i]);
	printf("/* Made by sqlgen from sql/; edit the statements there. */\n");
	if (header)
		printf(
		    "#ifndef GNOMON_GEN_QUERIES_H\n"
		    "#define GNOMON_GEN_QUERIES_H\n\n"
		    "#include \"base/op.h\"\n#include \"db/db.h\"\n"
		    "\n/* Arguments are text as PostgreSQL reads it; NULL is "
		    "NULL. */\n"
		    "enum { N_QUERIES = %zu };\n",
		    n_blocks);
	else
		printf("#include \"gen/queries.h\"\n");
	for (size_t i = 0; i < n_blocks; i++) {
		struct block *b = &blocks[i];

		at.file = b->file;
		cut_parts(b);
		if (!header) {
			put_query_source(b, i + 1);
			continue;
		}
		printf("\n/* %s\n%s */\n", b->e.source, b->doc->data);
		put_query_signature(b);
		printf(" MUST_CHECK;\nextern const struct stmt stmt_%s;\n",
		    b->e.name);
	}
	if (header)
		printf("\n#endif\n");
	return 0;
}

/*
 * Agents: a folder with agent.json, facts.sql (parts subjects, facts and,
 * where the agent has a native helper, documents) and findings.sql. Every
 * statement takes the same four parameters, used or not.
 */
static void
agent_slots(struct block *b)
{
	add_slot(b, "subject", SQL_UUID);
	add_slot(b, "thresholds", SQL_JSONB);
	add_slot(b, "native", SQL_JSONB);
	add_slot(b, "facts", SQL_JSONB);
}

/* Parts of a file as statements; a file without parts is one. */
static struct block
read_agent_file(const char *path, const char *only)
{
	struct block b = {.file = path};
	char *text = read_file(path, NULL), *line;
	struct g_part *part = NULL;

	at.file = path;
	agent_slots(&b);
	if (only)
		part = add_part(&b, mem_dup(root, only));
	while ((line = next_line(&text))) {
		if (text_starts(line, "-- part: "))
			part = add_part(&b, line + strlen("-- part: "));
		else if (!text_starts(line, "--") && part)
			buf_fmt(part->sql, "%s\n", line);
	}
	cut_parts(&b);
	return b;
}

static void
put_agent_statement(
    const struct block *b, const char *name, int *id, const char *member)
{
	for (size_t i = 0; i < b->e.n_parts; i++) {
		const struct part *p = &b->parts[i].p;

		if (strcmp(p->name, name) != 0)
			continue;
		printf("\t.%s = {.id = AGENT_STMT_IDS + %d, .source = \"%s\",\n"
		       "\t    .types = types, .n_types = 4, .sql = ",
		    member, ++*id, p->source);
		for (size_t k = 0; k < p->n_pieces; k++) {
			const struct piece *piece = &b->parts[i].pieces[k];

			if (piece->kind == PIECE_TEXT)
				put_string(piece->text);
			else
				printf(" \"$%zu\" ", piece->slot + 1);
		}
		printf("},\n");
		return;
	}
	if (strcmp(name, "documents") != 0)
		fail("has no part %s", name);
}

static int
make_agents(int argc, char **argv)
{
	int id = 0;

	printf("/* Made by sqlgen from src/agents/; edit the files there. */\n"
	       "#include \"agents/agents.h\"\n\n"
	       "static const unsigned types[] = {%d, %d, %d, %d};\n\n"
	       "const struct agent agents[] = {\n",
	    SQL_UUID, SQL_JSONB, SQL_JSONB, SQL_JSONB);
	for (int i = 0; i < argc; i++) {
		const char *key = strrchr(argv[i], '/');
		struct block facts = read_agent_file(
		    mem_fmt(root, "%s/facts.sql", argv[i]), NULL);
		struct block findings = read_agent_file(
		    mem_fmt(root, "%s/findings.sql", argv[i]), "findings");

		printf("    {\n\t.key = \"%s\",\n\t.config = ",
		    key ? key + 1 : argv[i]);
		put_string(
		    read_file(mem_fmt(root, "%s/agent.json", argv[i]), NULL));
		printf(",\n");
		put_agent_statement(&facts, "subjects", &id, "subjects");
		put_agent_statement(&facts, "documents", &id, "documents");
		put_agent_statement(&facts, "facts", &id, "facts");
		put_agent_statement(&findings, "findings", &id, "findings");
		printf("    },\n");
	}
	printf("};\n\nconst size_t n_agents = %d;\n", argc);
	return 0;
}

/* Files as strings: {name, text} up to a NULL name. */
static int
make_embed(int argc, char **argv)
{
	if (argc < 1)
		return 2;
	printf("/* Made by sqlgen embed. */\n#include \"gen/embed.h\"\n\n"
	       "const struct embedded %s[] = {\n",
	    argv[0]);
	for (int i = 1; i < argc; i++) {
		const char *name = strrchr(argv[i], '/');

		printf("    {.name = \"%s\", .path = \"%s\", .text =\n\t    ",
		    name ? name + 1 : argv[i], argv[i]);
		put_string(read_file(argv[i], NULL));
		printf("},\n");
	}
	printf("    {.name = NULL},\n};\n");
	return 0;
}

static int
make(int argc, char **argv)
{
	if (argc > 2 && strcmp(argv[1], "endpoints") == 0)
		return make_endpoints(argc - 2, argv + 2);
	if (argc > 2 && strcmp(argv[1], "queries") == 0)
		return make_queries(argc - 2, argv + 2);
	if (argc > 2 && strcmp(argv[1], "agents") == 0)
		return make_agents(argc - 2, argv + 2);
	if (argc > 2 && strcmp(argv[1], "embed") == 0)
		return make_embed(argc - 2, argv + 2);
	fputs(usage, stderr);
	return 2;
}

int
main(int argc, char **argv)
{
	int status;

	root = mem_scope(NULL, "sqlgen");
	status = make(argc, argv);
	mem_drop(&root);
	return status;
}
