/* Logs: one JSON object a line on standard error. */
#include "base/log.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/metrics.h"

enum { LINE_MAX_BYTES = 16384 };

/* Set once by main before anything else runs. */
static const char *process_name = "gnomon";
static enum log_level lowest_level = LOG_INFO;

static const char *const level_names[] = {
    [LOG_DEBUG] = "debug",
    [LOG_INFO] = "info",
    [LOG_WARN] = "warn",
    [LOG_ERROR] = "error",
};

enum log_level
log_level(const char *word)
{
	for (size_t i = 0; i < nitems(level_names); i++)
		if (strcmp(level_names[i], word) == 0)
			return (enum log_level)i;
	return LOG_INFO;
}

void
log_open(const char *process, enum log_level lowest)
{
	process_name = process;
	lowest_level = lowest;
}

void
log_write(enum log_level level, const char *event,
    const struct log_field *fields, size_t n)
{
	struct timespec now;
	struct tm utc;
	char stamp[32];
	struct buf *line;
	static bool is_torn; /* the last line has no end */
	ssize_t written;

	if (level < lowest_level)
		return;
	line = buf_new(NULL, LINE_MAX_BYTES);
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &utc);
	if (is_torn)
		buf_char(line, '\n');
	buf_fmt(line,
	    "{\"time\":\"%s.%03ldZ\",\"level\":\"%s\",\"process\":\"%s\","
	    "\"pid\":%d,\"event\":",
	    stamp, now.tv_nsec / 1000000, level_names[level], process_name,
	    (int)getpid());
	buf_json_text(line, event, strlen(event));
	for (size_t i = 0; i < n; i++) {
		size_t before = line->len;

		buf_char(line, ',');
		buf_json_text(line, fields[i].key, strlen(fields[i].key));
		buf_char(line, ':');
		if (fields[i].text)
			buf_json_text(
			    line, fields[i].text, strlen(fields[i].text));
		else
			buf_int(line, fields[i].number);
		if (line->full || line->len > LINE_MAX_BYTES - 3) {
			/* a field that does not fit is left out whole, so the
			 * line stays JSON */
			line->len = before;
			line->full = false;
		}
	}
	buf_text(line, "}\n");
	/* one write, so that lines of several processes never mix; what a full
	 * disk does not take is lost, and counted */
	written = write(STDERR_FILENO, line->data, line->len);
	if (written >= 0 && (size_t)written == line->len) {
		is_torn = false;
	} else {
		is_torn = is_torn || written > 0;
		metrics_count(METRIC_LOG_LOST, NULL);
	}
	mem_drop(&line);
}
