/* Configuration: what is accepted, what is refused and how it is said. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/config.h"
#include "unit.h"

enum { OUTPUT_MAX = 20000 };

/* What a function that prints printed. */
static char *
output_of(void *owner, bool (*load)(FILE *), bool *out_good)
{
	char *text = mem_array(owner, char, OUTPUT_MAX);
	FILE *out = fmemopen(text, OUTPUT_MAX, "w");

	assert_non_null(out);
	*out_good = load(out);
	fclose(out);
	return text;
}

static bool
print(FILE *out)
{
	config_print(out);
	return true;
}

static char *
write_file(void *owner, const char *name, const char *text)
{
	char *folder = mem_dup(owner, "/tmp/gnomon-config.XXXXXX");
	char *path;
	FILE *f;

	assert_non_null(mkdtemp(folder));
	path = mem_fmt(owner, "%s/%s", folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	return path;
}

static void
remove_file(void *owner, const char *path)
{
	unlink(path);
	rmdir(mem_dup_n(owner, path, (size_t)(strrchr(path, '/') - path)));
}

static void
a_bad_value_is_named_with_what_is_allowed(void **state)
{
	static const struct {
		const char *name, *value;
		const char *told; /* NULL: accepted */
	} cases[] = {
	    {"LOG_LEVEL", "debug", NULL},
	    {"LOG_LEVEL", "loud",
		"LOG_LEVEL must be debug, info, warn or error, not \"loud\".\n"},
	    {"LOG_LEVEL", "inf",
		"LOG_LEVEL must be debug, info, warn or error, not \"inf\".\n"},
	    {"LOG_LEVEL", "info warn",
		"LOG_LEVEL must be debug, info, warn or error, "
		"not \"info warn\".\n"},
	    {"PORT", "1", NULL},
	    {"PORT", "65535", NULL},
	    {"PORT", "0",
		"PORT must be a whole number from 1 to 65535, not \"0\".\n"},
	    {"PORT", "80a",
		"PORT must be a whole number from 1 to 65535, not \"80a\".\n"},
	    {"PORT", "99999999999999999999",
		"PORT must be a whole number from 1 to 65535, "
		"not \"99999999999999999999\".\n"},
	    {"APP_AI_ENABLED", "1", NULL},
	    {"APP_AI_ENABLED", "yes",
		"APP_AI_ENABLED must be true, false, 1 or 0, not \"yes\".\n"},
	    {"APP_AI_PROVIDER", "sandbox", NULL},
	    {"APP_AI_PROVIDER", "abacus",
		"APP_AI_PROVIDER must be openai, anthropic, compatible or "
		"sandbox, not \"abacus\".\n"},
	    {"APP_AI_REQUEST_TIMEOUT", "1500ms", NULL},
	    {"APP_AI_REQUEST_TIMEOUT", "24h", NULL},
	    {"APP_AI_REQUEST_TIMEOUT", "25h",
		"APP_AI_REQUEST_TIMEOUT must be a time of up to a day such as "
		"30s, 1500ms, 2m or 1h, not \"25h\".\n"},
	    {"APP_AI_REQUEST_TIMEOUT", "0s",
		"APP_AI_REQUEST_TIMEOUT must be a time of up to a day such as "
		"30s, 1500ms, 2m or 1h, not \"0s\".\n"},
	    {"APP_AI_REQUEST_TIMEOUT", "soon",
		"APP_AI_REQUEST_TIMEOUT must be a time of up to a day such as "
		"30s, 1500ms, 2m or 1h, not \"soon\".\n"},
	    {"CORS_ORIGINS", "https://a.example,https://b.example", NULL},
	    {"CORS_ORIGINS", "https://a.example, https://b.example",
		"CORS_ORIGINS must be words separated by commas, without "
		"spaces, not \"https://a.example, https://b.example\".\n"},
	    {"CORS_ORIGINS", "https://a.example,",
		"CORS_ORIGINS must be words separated by commas, without "
		"spaces, not \"https://a.example,\".\n"},
	    {"CLAUDE_MODEL", "any text at all", NULL},
	};

	for (size_t i = 0; i < nitems(cases); i++) {
		bool good;
		const char *told;

		setenv(cases[i].name, cases[i].value, 1);
		told = output_of(*state, config_load, &good);
		unsetenv(cases[i].name);
		assert_int_equal(good, !cases[i].told);
		assert_string_equal(told, cases[i].told ? cases[i].told : "");
	}
}

static void
the_defaults_are_those_of_the_documents(void **state)
{
	bool good;

	(void)output_of(*state, config_load, &good);
	assert_true(good);
	assert_int_equal(config_int(CONFIG_PORT), 8080);
	assert_false(config_is(CONFIG_APP_AI_ENABLED));
	assert_string_equal(config_get(CONFIG_APP_AI_PROVIDER), "openai");
	assert_int_equal(config_ms(CONFIG_APP_AI_REQUEST_TIMEOUT), 30000);
	assert_int_equal(config_int(CONFIG_APP_AI_MAX_RETRIES), 3);
	assert_int_equal(config_int(CONFIG_APP_AI_MAX_PARALLEL_RUNS), 5);
	assert_true(config_is(CONFIG_APP_AI_BUDGET_ENFORCEMENT));
	assert_string_equal(
	    config_get(CONFIG_CLAUDE_MODEL), "claude-sonnet-4-20250514");
	assert_int_equal(config_int(CONFIG_CLAUDE_MAX_TOKENS), 4096);
	assert_int_equal(config_int(CONFIG_CONTEXT_MESSAGE_LIMIT), 20);
	assert_int_equal(config_ms(CONFIG_WS_PING_INTERVAL), 30000);
	assert_int_equal(config_ms(CONFIG_WS_PONG_TIMEOUT), 60000);
}

static void
an_empty_value_is_none(void **state)
{
	bool good;

	setenv("PORT", "", 1);
	(void)output_of(*state, config_load, &good);
	unsetenv("PORT");
	assert_true(good);
	assert_int_equal(config_int(CONFIG_PORT), 8080);
}

static void
secrets_come_from_credentials_and_are_never_shown(void **state)
{
	char *path =
	    write_file(*state, "CLAUDE_API_KEY", "sk-canary-0123456789\n");
	const char *shown;
	bool good;

	setenv("CREDENTIALS_DIRECTORY",
	    mem_dup_n(*state, path, (size_t)(strrchr(path, '/') - path)), 1);
	setenv("APP_AI_OPENAI_API_KEY", "sk-canary-of-the-environment", 1);
	(void)output_of(*state, config_load, &good);
	unsetenv("CREDENTIALS_DIRECTORY");
	unsetenv("APP_AI_OPENAI_API_KEY");
	assert_true(good);
	assert_string_equal(
	    config_get(CONFIG_CLAUDE_API_KEY), "sk-canary-0123456789");
	shown = output_of(*state, print, &good);
	assert_null(strstr(shown, "canary"));
	assert_non_null(strstr(shown, "# credential\n"));
	assert_non_null(strstr(shown, "(set, not shown)"));
	remove_file(*state, path);
}

static void
a_file_gives_what_the_environment_does_not(void **state)
{
	char *path = write_file(*state, "settings",
	    "# of this host\n\nPORT=9000\nLOG_LEVEL=\"warn\"\n"
	    "CLAUDE_MODEL='one two'\n");
	bool good;

	setenv("GNOMON_SETTINGS", path, 1);
	setenv("PORT", "9001", 1);
	(void)output_of(*state, config_load, &good);
	unsetenv("PORT");
	assert_true(good);
	assert_int_equal(config_int(CONFIG_PORT), 9001);
	assert_string_equal(config_get(CONFIG_LOG_LEVEL), "warn");
	assert_string_equal(config_get(CONFIG_CLAUDE_MODEL), "one two");
	remove_file(*state, path);
	(void)output_of(*state, config_load, &good);
	unsetenv("GNOMON_SETTINGS");
	assert_true(good); /* the file may be gone */
	assert_int_equal(config_int(CONFIG_PORT), 8080);
}

static void
a_misspelt_line_in_the_file_is_told_by_its_number(void **state)
{
	char *path = write_file(
	    *state, "settings", "PORT=9000\nCLAUDE_API_KEI=secret\n");
	const char *told;
	bool good;

	setenv("GNOMON_SETTINGS", path, 1);
	told = output_of(*state, config_load, &good);
	unsetenv("GNOMON_SETTINGS");
	assert_false(good);
	assert_non_null(strstr(told, ", line 2: "));
	assert_null(strstr(told, "secret"));
	remove_file(*state, path);
}

static void
the_master_key_has_a_place_when_nobody_names_one(void **state)
{
	static const struct {
		const char *state_directory, *xdg, *path;
	} cases[] = {
	    {"/var/lib/gnomon", "/x", "/var/lib/gnomon/secret"},
	    {"/var/lib/gnomon:/var/lib/other", NULL, "/var/lib/gnomon/secret"},
	    {NULL, "/x", "/x/gnomon/secret"},
	    {NULL, NULL, "/home/someone/.local/state/gnomon/secret"},
	};

	setenv("HOME", "/home/someone", 1);
	for (size_t i = 0; i < nitems(cases); i++) {
		bool good;

		unsetenv("STATE_DIRECTORY");
		unsetenv("XDG_STATE_HOME");
		if (cases[i].state_directory)
			setenv("STATE_DIRECTORY", cases[i].state_directory, 1);
		if (cases[i].xdg)
			setenv("XDG_STATE_HOME", cases[i].xdg, 1);
		(void)output_of(*state, config_load, &good);
		assert_true(good);
		assert_string_equal(
		    config_get(CONFIG_GNOMON_SECRET_FILE), cases[i].path);
	}
}

/* What the machine that runs the tests has set is none of their business. */
static int
forget_the_environment(void **state)
{
	(void)state;
	unsetenv("GNOMON_SETTINGS");
	unsetenv("CREDENTIALS_DIRECTORY");
#define CFG(kind, name, fallback, meaning) unsetenv(#name);
#include "base/config.def"
#undef CFG
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    unit(a_bad_value_is_named_with_what_is_allowed),
	    unit(the_defaults_are_those_of_the_documents),
	    unit(an_empty_value_is_none),
	    unit(secrets_come_from_credentials_and_are_never_shown),
	    unit(a_file_gives_what_the_environment_does_not),
	    unit(a_misspelt_line_in_the_file_is_told_by_its_number),
	    unit(the_master_key_has_a_place_when_nobody_names_one),
	};

	return cmocka_run_group_tests(tests, forget_the_environment, NULL);
}
