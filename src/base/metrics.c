/* Metrics: counters that all processes share, in one mapped file. */
#include <config.h> /* of the build, not config.h beside this file */

#include "base/metrics.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"

enum {
	SERIES_MAX = 4096, /* a power of two */
	PROBES_MAX = 64,
	KEY_MAX = 112, /* label values, each with an end of its own */
	CELLS = 16,
	BOUNDS_MAX = CELLS - 2, /* further: beyond the last bound; the sum */
	PROCESSES_MAX = 512,
	NAME_MAX_BYTES = 24,
	LABELS_MAX = 4,
};

enum state { FREE, TAKEN, READY };

/* A series moves from FREE to TAKEN, when one process writes its name, to
 * READY. Two processes may make the same series at the same time, and one may
 * die in between: readers add up equal ones and pass over the unfinished. */
struct series {
	_Atomic uint32_t state;
	uint16_t metric;
	uint16_t key_length;
	char key[KEY_MAX];
	_Atomic uint64_t cells[CELLS]; /* counter: the first. Histogram: one a
					  bound, one beyond, the sum */
};

struct process {
	_Atomic pid_t pid; /* 0: free */
	char program[NAME_MAX_BYTES];
	int64_t started; /* seconds since 1970 */
	_Atomic int64_t resident; /* bytes */
};

struct file {
	_Atomic uint64_t layout;
	_Atomic uint64_t words[METRICS_WORDS];
	struct process processes[PROCESSES_MAX];
	struct series series[SERIES_MAX];
};

enum kind { KIND_COUNTER, KIND_HISTOGRAM, KIND_GAUGE };

struct definition {
	enum kind kind;
	const char *name, *labels, *help;
	const int64_t *bounds; /* microseconds, up to a 0 */
};

#define REQUEST_BOUNDS \
	1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, \
	    1000000, 2500000, 10000000
#define CALL_BOUNDS \
	100000, 250000, 500000, 1000000, 2000000, 3000000, 5000000, 10000000, \
	    20000000, 30000000, 60000000
#define JOB_BOUNDS \
	10000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, \
	    10000000, 30000000, 60000000, 300000000

static const struct definition definitions[METRIC_COUNT] = {
#define COUNTER(id, n, l, h) \
	[METRIC_##id] = { \
	    .kind = KIND_COUNTER, .name = n, .labels = l, .help = h},
#define GAUGE(id, n, l, h) \
	[METRIC_##id] = {.kind = KIND_GAUGE, .name = n, .labels = l, .help = h},
#define HISTOGRAM(id, n, l, b, h) \
	[METRIC_##id] = {.kind = KIND_HISTOGRAM, \
	    .name = n, \
	    .labels = l, \
	    .help = h, \
	    .bounds = (const int64_t[]){b, 0}},
#include "base/metrics.def"
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM
};

/* The mapping, and this process in it; NULL while nothing is counted. */
static struct file *file;
static struct process *self;

static void *
map(int fd)
{
	void *memory = mmap(NULL, sizeof(struct file), PROT_READ | PROT_WRITE,
	    MAP_SHARED, fd, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

/* FNV-1a, 32 bits (draft-eastlake-fnv). */
static uint32_t
hash(uint32_t h, const void *bytes, size_t n)
{
	const unsigned char *b = bytes;

	while (n--)
		h = (h ^ *b++) * UINT32_C(16777619);
	return h;
}

/* What the file means: the layout of struct file, which changes with the first
 * number, and every metric with its labels and bounds. */
static uint64_t
layout(void)
{
	uint32_t h = UINT32_C(2166136261);

	for (size_t i = 0; i < METRIC_COUNT; i++) {
		const struct definition *d = &definitions[i];

		h = hash(h, d->name, strlen(d->name) + 1);
		h = hash(h, d->labels, strlen(d->labels) + 1);
		for (const int64_t *b = d->bounds; b && *b; b++)
			h = hash(h, b, sizeof(*b));
	}
	return UINT64_C(2) << 32 | h;
}

/* Zeros are a valid, empty file, so whoever comes first only says what it is. */
static bool
adopt(int fd)
{
	uint64_t empty = 0, ours = layout();
	struct stat st;
	struct file *f;
	int e;

	if (fstat(fd, &st) != 0)
		return false;
	if (st.st_size != 0 && (size_t)st.st_size != sizeof(struct file)) {
		errno = EINVAL;
		return false;
	}
	/* every page must have its place before it is touched: on a full disk
	 * the first touch of a page without one ends the process */
	e = posix_fallocate(fd, 0, sizeof(struct file));
	if (e) {
		errno = e;
		return false;
	}
	f = map(fd);
	if (!f)
		return false;
	if (!atomic_compare_exchange_strong(&f->layout, &empty, ours) &&
	    empty != ours) {
		munmap(f, sizeof(*f));
		errno = EINVAL;
		return false;
	}
	file = f;
	return true;
}

static bool
open_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0660);
	bool good;
	int e;

	if (fd < 0)
		return false;
	/* whatever the umask; only the owner may, and that is enough */
	(void)fchmod(fd, 0660);
	good = adopt(fd);
	e = errno;
	close(fd);
	errno = e;
	return good;
}

bool
metrics_open(const char *path, int *fd)
{
	file = NULL;
	self = NULL;
	if (*path) {
		if (open_file(path))
			return true;
		/* of another version: those who have it keep it */
		return errno == EINVAL && unlink(path) == 0 && open_file(path);
	}
	if (*fd >= 0 && adopt(*fd))
		return true;
	if (*fd >= 0)
		close(*fd);
	*fd = memfd_create("gnomon-metrics", MFD_CLOEXEC);
	return *fd >= 0 && adopt(*fd);
}

static bool
is_alive(pid_t pid)
{
	return kill(pid, 0) == 0 || errno == EPERM;
}

/* Seats of the dead are taken again. */
void
metrics_join(const char *program)
{
	pid_t me = getpid();

	self = NULL;
	for (size_t i = 0; file && i < PROCESSES_MAX; i++) {
		struct process *p = &file->processes[i];
		pid_t pid = atomic_load(&p->pid);

		if (pid && pid != me && is_alive(pid))
			continue;
		if (!atomic_compare_exchange_strong(&p->pid, &pid, me))
			continue;
		snprintf(p->program, sizeof(p->program), "%s", program);
		p->started = time(NULL);
		atomic_store(&p->resident, 0);
		self = p;
		metrics_pulse();
		return;
	}
}

void
metrics_gone(pid_t pid)
{
	for (size_t i = 0; file && i < PROCESSES_MAX; i++) {
		pid_t expected = pid;

		if (atomic_compare_exchange_strong(
			&file->processes[i].pid, &expected, 0))
			return;
	}
}

/* proc(5): the second number of statm is resident pages. */
static int64_t
resident_bytes(void)
{
	char text[128] = "";
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	const char *second;

	if (fd < 0)
		return 0;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	second = strchr(text, ' ');
	return second ? strtol(second, NULL, 10) * sysconf(_SC_PAGESIZE) : 0;
}

void
metrics_pulse(void)
{
	static time_t last;
	struct timespec now;

	if (!self)
		return;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	if (now.tv_sec == last && atomic_load(&self->resident))
		return;
	last = now.tv_sec;
	atomic_store(&self->resident, resident_bytes());
}

static size_t
count_labels(enum metric m)
{
	const char *s = definitions[m].labels;
	size_t n = *s != '\0';

	for (; *s; s++)
		n += *s == ',';
	assert(n <= LABELS_MAX);
	return n;
}

/* The values one after the other, each with its NUL; those that do not fit are
 * cut. The length. */
static size_t
make_key(char *key, enum metric m, const char *const *values)
{
	size_t n = count_labels(m), length = 0;

	for (size_t i = 0; i < n; i++) {
		size_t room = KEY_MAX - length - (n - i);
		size_t bytes = strnlen(values[i], room);

		memcpy(key + length, values[i], bytes);
		key[length + bytes] = '\0';
		length += bytes + 1;
	}
	return length;
}

static bool
is_series(const struct series *s, enum metric m, const char *key, size_t n)
{
	return s->metric == m && s->key_length == n &&
	    memcmp(s->key, key, n) == 0;
}

static struct series *
find(enum metric m, const char *const *values)
{
	char key[KEY_MAX];
	size_t n = make_key(key, m, values);
	uint32_t h = hash(UINT32_C(2166136261) ^ (uint32_t)m, key, n);

	for (uint32_t i = 0; i < PROBES_MAX; i++) {
		struct series *s = &file->series[(h + i) % SERIES_MAX];
		uint32_t state =
		    atomic_load_explicit(&s->state, memory_order_acquire);

		if (state == READY && is_series(s, m, key, n))
			return s;
		if (state != FREE ||
		    !atomic_compare_exchange_strong(&s->state, &state, TAKEN))
			continue;
		s->metric = (uint16_t)m;
		s->key_length = (uint16_t)n;
		memcpy(s->key, key, n);
		atomic_store_explicit(&s->state, READY, memory_order_release);
		return s;
	}
	return NULL;
}

static void
bump(struct series *s, size_t cell, uint64_t n)
{
	atomic_fetch_add_explicit(&s->cells[cell], n, memory_order_relaxed);
}

static struct series *
find_or_lose(enum metric m, const char *const *values)
{
	struct series *s = find(m, values);

	if (!s && (s = find(METRIC_LOST, NULL))) {
		bump(s, 0, 1);
		s = NULL;
	}
	return s;
}

void
metrics_add(enum metric m, uint64_t n, const char *const *values)
{
	struct series *s;

	assert(definitions[m].kind == KIND_COUNTER);
	if (file && (s = find_or_lose(m, values)))
		bump(s, 0, n);
}

void
metrics_observe(enum metric m, int64_t us, const char *const *values)
{
	const int64_t *bounds = definitions[m].bounds;
	struct series *s;
	size_t cell = 0, sum = 1;

	assert(definitions[m].kind == KIND_HISTOGRAM);
	if (!file || !(s = find_or_lose(m, values)))
		return;
	while (bounds[cell] && us > bounds[cell])
		cell++;
	while (bounds[sum - 1])
		sum++;
	assert(sum <= BOUNDS_MAX + 1);
	bump(s, cell, 1);
	bump(s, sum, us > 0 ? (uint64_t)us : 0);
}

_Atomic uint64_t *
metrics_word(size_t index)
{
	static _Atomic uint64_t own[METRICS_WORDS];

	assert(index < METRICS_WORDS);
	return file ? &file->words[index] : &own[index];
}

/* Text format 0.0.4: backslash, quote and newline are escaped. */
static void
write_value(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '\\' || *text == '"')
			buf_char(out, '\\');
		buf_char(out, (unsigned char)*text < ' ' ? '?' : *text);
	}
}

/* {a="1",b="2"}; last is one more label that is written as it stands. */
static void
write_labels(
    struct buf *out, enum metric m, const char *const *values, const char *last)
{
	const char *name = definitions[m].labels;
	size_t n = count_labels(m);

	if (n == 0 && !last)
		return;
	buf_char(out, '{');
	for (size_t i = 0; i < n; i++) {
		size_t length = strcspn(name, ",");

		if (i)
			buf_char(out, ',');
		buf_add(out, name, length);
		buf_text(out, "=\"");
		write_value(out, values[i]);
		buf_char(out, '"');
		name += length + 1;
	}
	if (last)
		buf_fmt(out, "%s%s", n ? "," : "", last);
	buf_char(out, '}');
}

void
metrics_head(struct buf *out, enum metric m)
{
	static const char *const kinds[] = {[KIND_COUNTER] = "counter",
	    [KIND_HISTOGRAM] = "histogram",
	    [KIND_GAUGE] = "gauge"};
	const struct definition *d = &definitions[m];

	buf_fmt(out, "# HELP %s %s\n# TYPE %s %s\n", d->name, d->help, d->name,
	    kinds[d->kind]);
}

void
metrics_sample(
    struct buf *out, enum metric m, double value, const char *const *values)
{
	buf_text(out, definitions[m].name);
	write_labels(out, m, values, NULL);
	buf_fmt(out, " %.15g\n", value);
}

static void
write_histogram(struct buf *out, enum metric m, const char *const *values,
    const uint64_t *cells)
{
	const struct definition *d = &definitions[m];
	uint64_t total = 0;
	size_t i = 0;

	for (; d->bounds[i]; i++) {
		char bound[40];

		total += cells[i];
		snprintf(bound, sizeof(bound), "le=\"%.6g\"",
		    (double)d->bounds[i] / 1e6);
		buf_fmt(out, "%s_bucket", d->name);
		write_labels(out, m, values, bound);
		buf_fmt(out, " %llu\n", (unsigned long long)total);
	}
	total += cells[i];
	buf_fmt(out, "%s_bucket", d->name);
	write_labels(out, m, values, "le=\"+Inf\"");
	buf_fmt(out, " %llu\n%s_sum", (unsigned long long)total, d->name);
	write_labels(out, m, values, NULL);
	buf_fmt(out, " %.6f\n%s_count", (double)cells[i + 1] / 1e6, d->name);
	write_labels(out, m, values, NULL);
	buf_fmt(out, " %llu\n", (unsigned long long)total);
}

/* What is in the shared memory is not believed: it must be so many texts. */
static bool
split_key(const struct series *s, enum metric m, const char **values)
{
	size_t n = count_labels(m), at = 0;

	for (size_t i = 0; i < n; i++) {
		const char *end;

		if (s->key_length > KEY_MAX || at >= s->key_length)
			return false;
		end = memchr(s->key + at, '\0', s->key_length - at);
		if (!end ||
		    !text_is_storable(s->key + at, (size_t)(end - s->key) - at))
			return false;
		values[i] = s->key + at;
		at = (size_t)(end - s->key) + 1;
	}
	return at == s->key_length;
}

static int
by_key(const void *a, const void *b)
{
	const struct series *const *x = a, *const *y = b;
	size_t n = (*x)->key_length < (*y)->key_length ? (*x)->key_length
						       : (*y)->key_length;
	int order = memcmp((*x)->key, (*y)->key, n);

	return order ? order : (*x)->key_length - (*y)->key_length;
}

/* All series of a metric, in order; equal ones are one. */
static void
write_metric(struct buf *out, enum metric m, const struct series **list)
{
	size_t n = 0;

	for (size_t i = 0; i < SERIES_MAX; i++) {
		const struct series *s = &file->series[i];

		if (atomic_load_explicit(&s->state, memory_order_acquire) ==
			READY &&
		    s->metric == m)
			list[n++] = s;
	}
	if (n == 0) {
		if (count_labels(m) == 0) { /* it is there from the start */
			metrics_head(out, m);
			metrics_sample(out, m, 0, NULL);
		}
		return;
	}
	qsort(list, n, sizeof(*list), by_key);
	metrics_head(out, m);
	for (size_t i = 0; i < n; i++) {
		const char *values[LABELS_MAX];
		uint64_t cells[CELLS] = {0};
		size_t first = i;

		if (!split_key(list[i], m, values))
			continue;
		for (; i < n && by_key(&list[first], &list[i]) == 0; i++)
			for (size_t c = 0; c < CELLS; c++)
				cells[c] += atomic_load_explicit(
				    &list[i]->cells[c], memory_order_relaxed);
		i--;
		if (definitions[m].kind == KIND_HISTOGRAM)
			write_histogram(out, m, values, cells);
		else
			metrics_sample(out, m, (double)cells[0], values);
	}
}

/* One of the three gauges of processes, over the processes of each program. */
static void
write_processes(struct buf *out, enum metric m)
{
	static const char *const programs[] = {
	    "gnomon-web", "gnomon-stream", "gnomon-worker"};

	metrics_head(out, m);
	for (size_t k = 0; k < nitems(programs); k++) {
		double value = 0;
		bool any = false;

		for (size_t i = 0; i < PROCESSES_MAX; i++) {
			const struct process *p = &file->processes[i];
			pid_t pid = atomic_load(&p->pid);

			if (!pid || !is_alive(pid) ||
			    strncmp(p->program, programs[k], NAME_MAX_BYTES))
				continue;
			if (m == METRIC_MEMORY)
				value += (double)atomic_load(&p->resident);
			else if (m == METRIC_PROCESSES)
				value++;
			else if (!any || (double)p->started < value)
				value = (double)p->started;
			any = true;
		}
		if (any)
			metrics_gauge(out, m, value, programs[k]);
	}
}

void
metrics_write(struct buf *out)
{
	const struct series **list;

	metrics_head(out, METRIC_BUILD);
	metrics_gauge(out, METRIC_BUILD, 1, PACKAGE_VERSION);
	if (!file)
		return;
	metrics_pulse();
	write_processes(out, METRIC_PROCESSES);
	write_processes(out, METRIC_MEMORY);
	write_processes(out, METRIC_STARTED);
	list = mem_array(NULL, const struct series *, SERIES_MAX);
	for (enum metric m = 0; m < METRIC_COUNT; m++)
		if (definitions[m].kind != KIND_GAUGE)
			write_metric(out, m, list);
	mem_drop(&list);
}
