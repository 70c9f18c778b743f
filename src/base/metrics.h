/*
 * Metrics: counters that all processes of all programs share, in one mapped
 * file, so that one scrape shows the whole and nothing falls when a process is
 * replaced, killed or executes a newer version. What there is to measure is in
 * metrics.def.
 *
 * A series is a metric with the values of its labels. Its cells are atomic and
 * only ever added to, so a process may die at any instruction without a trace
 * but the counts it made. Whoever may write the file is trusted not to shorten
 * it. Before metrics_open nothing is counted and nothing fails.
 */
#ifndef GNOMON_BASE_METRICS_H
#define GNOMON_BASE_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

enum metric {
#define COUNTER(name, ...) METRIC_##name,
#define GAUGE(name, ...) METRIC_##name,
#define HISTOGRAM(name, ...) METRIC_##name,
#include "base/metrics.def"
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM
	METRIC_COUNT
};

/*
 * Maps the file, which is made (mode 0660) when it is not there. Without a
 * path, the memory behind *fd, or new memory that *fd then stands for: shared
 * with forked processes, and with another version through the descriptor. False
 * and errno on failure; then this program alone counts nothing.
 */
bool metrics_open(const char *path, int *fd);

/* This process counts under the name of its program from now on. Call it after
 * forking. */
void metrics_join(const char *program);

/* Notes how much memory this process uses; cheap, at most once a second. */
void metrics_pulse(void);

/* A process is gone (a parent says so of its child). */
void metrics_gone(pid_t pid);

/* Adds to a counter. As many values as the metric has labels. */
void metrics_add(enum metric m, uint64_t n, const char *const *values);
#define metrics_count(m, ...) \
	metrics_add((m), 1, (const char *const[]){__VA_ARGS__})

/* Observes microseconds. */
void metrics_observe(enum metric m, int64_t us, const char *const *values);
#define metrics_time(m, us, ...) \
	metrics_observe((m), (us), (const char *const[]){__VA_ARGS__})

/*
 * Words that all programs share beside the counts, zero at first: for what
 * every process must know at once, such as that a provider is down. Where no
 * file is open they are this process's own. Whoever uses one says so here.
 */
enum metrics_word {
	METRICS_AI_BREAKERS, /* one for each kind of provider, ai/breaker.c */
	METRICS_WORDS = 16
};
_Atomic uint64_t *metrics_word(size_t index);

/* Everything counted, and what is known of the processes, in Prometheus's text
 * format 0.0.4. */
void metrics_write(struct buf *out);

/* A gauge that somebody else read: its head once, then its samples. */
void metrics_head(struct buf *out, enum metric m);
void metrics_sample(
    struct buf *out, enum metric m, double value, const char *const *values);
#define metrics_gauge(out, m, value, ...) \
	metrics_sample((out), (m), (value), (const char *const[]){__VA_ARGS__})

#endif
