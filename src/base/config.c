/* Configuration: the environment, validated once at start. */
#include "base/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"

enum { VALUE_MAX = 16384, SHOWN_MAX = 64 };

enum kind { TEXT, SECRET, INT, BOOL, DURATION, WORD, LIST };

struct setting {
	enum kind kind;
	const char *name;
	const char *fallback;
	const char *meaning;
	int64_t low, high; /* INT */
	const char *words; /* WORD: separated by spaces */
};

/* Initialisers of the kinds that config.def names. */
#define KIND_TEXT .kind = TEXT
#define KIND_SECRET .kind = SECRET
#define KIND_INT(l, h) .kind = INT, .low = (l), .high = (h)
#define KIND_BOOL .kind = BOOL
#define KIND_DURATION .kind = DURATION
#define KIND_LEVEL .kind = WORD, .words = "debug info warn error"
#define KIND_WORD(w) .kind = WORD, .words = (w)
#define KIND_LIST .kind = LIST

static const struct setting settings[CONFIG_COUNT] = {
#define CFG(type, variable, value, prose) \
	[CONFIG_##variable] = {KIND_##type, .name = #variable, \
	    .fallback = value, .meaning = prose},
#include "base/config.def"
#undef CFG
};

enum source { FROM_DEFAULT, FROM_ENVIRONMENT, FROM_CREDENTIAL, FROM_FILE };

static struct {
	const char *text; /* NULL: not loaded, the default */
	enum source source;
} values[CONFIG_COUNT];

/* Owns what was read from files, for the life of the process. */
static void *owner;

/* The unit of a duration in milliseconds; 0 when it is none. */
static int64_t
unit_ms(const char *unit)
{
	static const struct {
		const char *name;
		int64_t ms;
	} units[] = {
	    {"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};

	for (size_t i = 0; i < nitems(units); i++)
		if (strcmp(unit, units[i].name) == 0)
			return units[i].ms;
	return 0;
}

/* From a millisecond to a day. */
static bool
duration(const char *text, int64_t *out_ms)
{
	enum { DAY_MS = 24 * 3600 * 1000, DIGITS = 8 };
	char digits[DIGITS + 1] = "";
	size_t n = strspn(text, "0123456789");
	int64_t number, ms = unit_ms(text + n);

	if (n == 0 || n > DIGITS || ms == 0)
		return false;
	memcpy(digits, text, n);
	if (!text_int(digits, &number) || number == 0 || number > DAY_MS / ms)
		return false;
	*out_ms = number * ms;
	return true;
}

static bool
is_word(const char *words, const char *value)
{
	size_t n = strlen(value);

	for (; *words; words += strcspn(words, " "), words += *words == ' ')
		if (n && strcspn(words, " ") == n &&
		    strncmp(words, value, n) == 0)
			return true;
	return false;
}

static bool
is_list(const char *value)
{
	if (strpbrk(value, " \t\r\n\"'"))
		return false;
	return !*value ||
	    (value[0] != ',' && !strstr(value, ",,") && !text_ends(value, ","));
}

static bool
fits(const struct setting *s, const char *value)
{
	int64_t number;

	switch (s->kind) {
	case TEXT:
	case SECRET:
		return true;
	case INT:
		return text_int(value, &number) && number >= s->low &&
		    number <= s->high;
	case BOOL:
		return is_word("true false 1 0", value);
	case DURATION:
		return duration(value, &number);
	case WORD:
		return is_word(s->words, value);
	case LIST:
		return is_list(value);
	}
	return false;
}

/* "debug, info, warn or error" */
static void
print_words(const char *words, FILE *out)
{
	while (*words) {
		size_t n = strcspn(words, " ");
		const char *next = words + n + (words[n] == ' ');

		fprintf(out, "%.*s%s", (int)n, words,
		    !*next                  ? ""
			: strchr(next, ' ') ? ", "
					    : " or ");
		words = next;
	}
}

static void
print_allowed(const struct setting *s, FILE *out)
{
	switch (s->kind) {
	case TEXT:
	case SECRET:
		fputs("text", out);
		break;
	case INT:
		fprintf(out, "a whole number from %lld to %lld",
		    (long long)s->low, (long long)s->high);
		break;
	case BOOL:
		print_words("true false 1 0", out);
		break;
	case DURATION:
		fputs(
		    "a time of up to a day such as 30s, 1500ms, 2m or 1h", out);
		break;
	case WORD:
		print_words(s->words, out);
		break;
	case LIST:
		fputs("words separated by commas, without spaces", out);
		break;
	}
}

static void
set(enum config_key key, const char *text, enum source source)
{
	if (!text || !*text)
		return;
	values[key].text = text;
	values[key].source = source;
}

/* The text of a small file without the newline at its end; NULL: none. */
static char *
read_file(const char *path)
{
	FILE *in = fopen(path, "re");
	char *text;
	size_t n;

	if (!in)
		return NULL;
	text = mem_array(owner, char, VALUE_MAX + 1);
	n = fread(text, 1, VALUE_MAX, in);
	fclose(in);
	while (n && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		n--;
	text[n] = '\0';
	return text;
}

static void
read_credential(enum config_key key)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");

	if (folder && settings[key].kind == SECRET)
		set(key,
		    read_file(
			mem_fmt(owner, "%s/%s", folder, settings[key].name)),
		    FROM_CREDENTIAL);
}

/* NAME=value, as systemd's EnvironmentFile: quotes around the value are taken
 * off. False when the line is none. */
static bool
read_line(char *line)
{
	char *value = strchr(line, '=');
	size_t n;

	if (!value)
		return false;
	*value++ = '\0';
	n = strlen(value);
	if (n >= 2 && (*value == '"' || *value == '\'') &&
	    value[n - 1] == *value) {
		value[n - 1] = '\0';
		value++;
	}
	for (size_t i = 0; i < CONFIG_COUNT; i++) {
		if (strcmp(settings[i].name, line) != 0)
			continue;
		set((enum config_key)i, mem_dup(owner, value), FROM_FILE);
		return true;
	}
	return false;
}

/* A line that is no setting is a mistake, and worth a word before it is
 * missed. The line itself may be a secret: only its number is told. */
static bool
read_settings(FILE *out)
{
	const char *path = getenv(settings[CONFIG_GNOMON_SETTINGS].name);
	char line[VALUE_MAX];
	unsigned number = 0;
	bool good = true;
	FILE *in;

	if (!path || !*path)
		return true;
	in = fopen(path, "re");
	if (!in && errno == ENOENT)
		return true;
	if (!in) {
		fprintf(
		    out, "GNOMON_SETTINGS, %s: %s.\n", path, strerror(errno));
		return false;
	}
	while (fgets(line, sizeof(line), in)) {
		char *text = line + strspn(line, " \t");

		number++;
		text[strcspn(text, "\r\n")] = '\0';
		if (!*text || *text == '#' || *text == ';' || read_line(text))
			continue;
		fprintf(out, "%s, line %u: not the name of a setting and =.\n",
		    path, number);
		good = false;
	}
	fclose(in);
	return good;
}

/* Where the master key lies when nobody said: with systemd's credentials, else
 * in the folder for what programs keep (systemd.exec, XDG base directories). */
static const char *
secret_file(void)
{
	static const struct {
		const char *variable, *below;
		bool must_exist;
	} places[] = {
	    {"CREDENTIALS_DIRECTORY", "secret", true},
	    {"STATE_DIRECTORY", "secret", false},
	    {"XDG_STATE_HOME", "gnomon/secret", false},
	    {"HOME", ".local/state/gnomon/secret", false},
	};

	for (size_t i = 0; i < nitems(places); i++) {
		const char *folder = getenv(places[i].variable);
		const char *path;

		if (!folder || *folder != '/')
			continue;
		path = mem_fmt(owner, "%.*s/%s", (int)strcspn(folder, ":"),
		    folder, places[i].below);
		if (!places[i].must_exist || access(path, R_OK) == 0)
			return path;
	}
	return "";
}

bool
config_load(FILE *out)
{
	bool good;

	mem_drop(&owner);
	memset(values, 0, sizeof(values));
	owner = mem_scope(NULL, "config");
	good = read_settings(out);
	for (size_t i = 0; i < CONFIG_COUNT; i++) {
		enum config_key key = (enum config_key)i;
		const struct setting *s = &settings[i];

		read_credential(key);
		set(key, getenv(s->name), FROM_ENVIRONMENT);
		if (!values[i].text && key == CONFIG_GNOMON_SECRET_FILE)
			values[i].text = secret_file();
		if (fits(s, config_get(key)))
			continue;
		fprintf(out, "%s must be ", s->name);
		print_allowed(s, out);
		fprintf(out, ", not \"%.*s\".\n", SHOWN_MAX, config_get(key));
		good = false;
	}
	return good;
}

const char *
config_get(enum config_key key)
{
	return values[key].text ? values[key].text : settings[key].fallback;
}

bool
config_is(enum config_key key)
{
	const char *value = config_get(key);

	return strcmp(value, "true") == 0 || strcmp(value, "1") == 0;
}

int64_t
config_int(enum config_key key)
{
	int64_t number = 0;

	(void)text_int(config_get(key), &number);
	return number;
}

int64_t
config_ms(enum config_key key)
{
	int64_t ms = 0;

	(void)duration(config_get(key), &ms);
	return ms;
}

void
config_print(FILE *out)
{
	static const char *const sources[] = {
	    [FROM_DEFAULT] = "default",
	    [FROM_ENVIRONMENT] = "environment",
	    [FROM_CREDENTIAL] = "credential",
	    [FROM_FILE] = "file",
	};

	for (size_t i = 0; i < CONFIG_COUNT; i++) {
		const struct setting *s = &settings[i];
		const char *value = config_get((enum config_key)i);
		bool hidden = s->kind == SECRET && *value;

		fprintf(out, "%-26s %-32s # %s\n", s->name,
		    hidden       ? "(set, not shown)"
			: *value ? value
				 : "(none)",
		    sources[values[i].source]);
		fprintf(out, "    %s; ", s->meaning);
		print_allowed(s, out);
		fprintf(out, "; default: %s\n",
		    *s->fallback ? s->fallback : "none");
	}
}
