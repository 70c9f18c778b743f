/*
 * Configuration: the environment, validated once at start (config.def lists
 * every name). Reading a setting cannot fail afterwards.
 *
 * A value comes from the environment, else (secrets) from the file of its name
 * in $CREDENTIALS_DIRECTORY, where systemd puts credentials, else from the file
 * GNOMON_SETTINGS, else it is the default. An empty value is none.
 */
#ifndef GNOMON_BASE_CONFIG_H
#define GNOMON_BASE_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum config_key {
#define CFG(kind, name, fallback, meaning) CONFIG_##name,
#include "base/config.def"
#undef CFG
	CONFIG_COUNT
};

/* Reads all settings. False: one line per bad value was written to out, naming
 * the variable, its value and what is allowed; the program must not start. */
bool config_load(FILE *out);

/* The value in force; never NULL, "" when unset with no default. */
const char *config_get(enum config_key key);
bool config_is(enum config_key key); /* BOOL */
int64_t config_int(enum config_key key); /* INT */
int64_t config_ms(enum config_key key); /* DURATION, in milliseconds */

/* Each setting in two lines: name, value and where it came from, then meaning,
 * what is allowed and the default. Secrets are not shown. */
void config_print(FILE *out);

#endif
