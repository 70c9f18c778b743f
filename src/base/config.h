/*
 * Configuration: the environment, validated once at start (config.def lists
 * every name). Reading a setting cannot fail afterwards.
 */
#ifndef GNOMON_BASE_CONFIG_H
#define GNOMON_BASE_CONFIG_H

#include <stdbool.h>
#include <stdio.h>

enum config_key {
#define CFG(kind, name, fallback, meaning) CONFIG_##name,
#include "base/config.def"
#undef CFG
	CONFIG_COUNT
};

/* Reads the environment. False: one line per bad value was written to out,
 * naming the variable, and the program must not start. */
bool config_load(FILE *out);

/* The value in force; never NULL, "" when unset with no default. */
const char *config_get(enum config_key key);
bool config_is(enum config_key key);

/* One line per setting: name, value, whether it came from the environment,
 * meaning. Secrets are not settings, so nothing here needs hiding but the
 * password in DATABASE_URL, which is. */
void config_print(FILE *out);

#endif
