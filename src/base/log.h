/*
 * Logs: one JSON object a line on standard error, where systemd or the
 * supervisor reads it. Every line has time (RFC 3339, UTC), level, event and
 * process; what else it says is up to the caller.
 *
 *   log_info("started", LOG_S("pool", name), LOG_I("workers", n));
 */
#ifndef GNOMON_BASE_LOG_H
#define GNOMON_BASE_LOG_H

#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log_field {
	const char *key;
	const char *text; /* NULL: the field is the number */
	int64_t number;
};

#define LOG_S(k, v) ((struct log_field){.key = (k), .text = (v) ? (v) : ""})
#define LOG_I(k, v) ((struct log_field){.key = (k), .number = (v)})

/* The level of a word: debug, info, warn, error; info for any other. */
enum log_level log_level(const char *word);

/* The process name in every line, and the lowest level written. */
void log_open(const char *process, enum log_level lowest);

void log_write(enum log_level level, const char *event,
    const struct log_field *fields, size_t n);

#define log_at(level, event, ...) \
	log_write((level), (event), (const struct log_field[]){__VA_ARGS__}, \
	    sizeof((const struct log_field[]){__VA_ARGS__}) / \
		sizeof(struct log_field))
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_at(LOG_INFO, __VA_ARGS__)
#define log_warn(...) log_at(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)

#endif
