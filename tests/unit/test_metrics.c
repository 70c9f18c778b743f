/* Metrics: nothing is lost, nothing falls, and Prometheus can read it. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/metrics.h"
#include "unit.h"

enum { OUT_MAX = 4 << 20 };

static const char *
scrape(void *owner)
{
	struct buf *out = buf_new(owner, OUT_MAX);

	metrics_write(out);
	assert_false(out->full);
	return out->data;
}

static void
counts_are_shown_with_their_labels(void **state)
{
	int fd = -1;

	assert_true(metrics_open("", &fd));
	metrics_count(METRIC_HTTP_REQUESTS, "get_board", "GET", "200");
	metrics_add(METRIC_HTTP_REQUESTS, 2,
	    (const char *const[]){"get_board", "GET", "200"});
	metrics_count(METRIC_HTTP_REQUESTS, "a\"b\\c\n", "GET", "404");
	metrics_count(METRIC_DB_ROUNDTRIPS, NULL);
	assert_non_null(strstr(scrape(*state),
	    "# HELP gnomon_http_requests_total Requests answered.\n"
	    "# TYPE gnomon_http_requests_total counter\n"
	    "gnomon_http_requests_total{route=\"a\\\"b\\\\c?\",method=\"GET\","
	    "status=\"404\"} 1\n"
	    "gnomon_http_requests_total{route=\"get_board\",method=\"GET\","
	    "status=\"200\"} 3\n"));
	assert_non_null(
	    strstr(scrape(*state), "\ngnomon_db_roundtrips_total 1\n"));
	close(fd);
}

static void
a_histogram_is_cumulative_and_ends_in_infinity(void **state)
{
	static const char *const lines[] = {
	    "_bucket{class=\"api\",le=\"0.001\"} 2\n",
	    "_bucket{class=\"api\",le=\"0.0025\"} 3\n",
	    "_bucket{class=\"api\",le=\"10\"} 3\n",
	    "_bucket{class=\"api\",le=\"+Inf\"} 4\n",
	    "_sum{class=\"api\"} 20.002501\n",
	    "_count{class=\"api\"} 4\n",
	};
	int fd = -1;
	const char *text;

	assert_true(metrics_open("", &fd));
	metrics_time(METRIC_HTTP_DURATION, 0, "api");
	metrics_time(METRIC_HTTP_DURATION, 1000, "api");
	metrics_time(METRIC_HTTP_DURATION, 1501, "api");
	metrics_time(METRIC_HTTP_DURATION, 20000000, "api");
	text = scrape(*state);
	for (size_t i = 0; i < nitems(lines); i++)
		assert_non_null(strstr(text,
		    mem_fmt(*state, "gnomon_http_request_duration_seconds%s",
			lines[i])));
	close(fd);
}

static void
a_value_too_long_is_cut_and_stays_one_series(void **state)
{
	char *route = mem_array(*state, char, 300);
	int fd = -1;

	assert_true(metrics_open("", &fd));
	memset(route, 'r', 299);
	metrics_count(METRIC_HTTP_REQUESTS, route, "GET", "200");
	metrics_count(METRIC_HTTP_REQUESTS, route, "GET", "200");
	assert_non_null(strstr(scrape(*state), ",status=\"\"} 2\n"));
	close(fd);
}

static void
too_many_series_are_counted_as_lost(void **state)
{
	int fd = -1;

	assert_true(metrics_open("", &fd));
	assert_non_null(
	    strstr(scrape(*state), "\ngnomon_metrics_lost_total 0\n"));
	for (int i = 0; i < 6000; i++)
		metrics_count(METRIC_HTTP_REQUESTS,
		    mem_fmt(*state, "route%d", i), "GET", "200");
	assert_null(strstr(scrape(*state), "\ngnomon_metrics_lost_total 0\n"));
	close(fd);
}

/* Four processes count at the same time and are killed for it; a fifth, of
 * another version, maps the same file. */
static void
nothing_falls_when_processes_are_replaced(void **state)
{
	enum { PROCESSES = 4, EACH = 20000 };
	char path[] = "/tmp/gnomon-metrics.XXXXXX";
	int fd = -1;
	struct stat st;

	close(mkstemp(path));
	assert_true(metrics_open(path, &fd));
	assert_int_equal(fd, -1);
	for (int p = 0; p < PROCESSES; p++) {
		if (fork() != 0)
			continue;
		metrics_join("gnomon-web");
		for (int i = 0; i < EACH; i++)
			metrics_count(METRIC_JOBS, "automation",
			    i % 2 ? "one" : "two", "succeeded");
		kill(getpid(), SIGKILL);
	}
	while (wait(NULL) > 0)
		continue;
	assert_true(metrics_open(path, &fd));
	assert_non_null(strstr(scrape(*state),
	    "{queue=\"automation\",kind=\"one\",outcome=\"succeeded\"} 40000\n"));
	assert_non_null(strstr(scrape(*state),
	    "{queue=\"automation\",kind=\"two\",outcome=\"succeeded\"} 40000\n"));
	/* the dead are not counted among the living */
	assert_null(strstr(scrape(*state), "gnomon_processes{"));
	metrics_join("gnomon-worker");
	assert_non_null(strstr(
	    scrape(*state), "gnomon_processes{process=\"gnomon-worker\"} 1\n"));
	assert_non_null(strstr(scrape(*state),
	    "process_resident_memory_bytes{process=\"gnomon-worker\"} "));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	unlink(path);
}

static void
a_file_of_something_else_is_replaced(void **state)
{
	char path[] = "/tmp/gnomon-metrics.XXXXXX";
	int fd = mkstemp(path), unused = -1;

	assert_int_equal(write(fd, "not this", 8), 8);
	close(fd);
	assert_true(metrics_open(path, &unused));
	metrics_count(METRIC_DB_ROUNDTRIPS, NULL);
	assert_non_null(
	    strstr(scrape(*state), "\ngnomon_db_roundtrips_total 1\n"));
	unlink(path);
}

static void
memory_without_a_file_is_passed_on_by_its_descriptor(void **state)
{
	int fd = -1;

	assert_true(metrics_open("", &fd));
	metrics_count(METRIC_DB_RECONNECTS, NULL);
	assert_true(metrics_open("", &fd));
	assert_non_null(
	    strstr(scrape(*state), "\ngnomon_db_reconnects_total 1\n"));
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    unit(counts_are_shown_with_their_labels),
	    unit(a_histogram_is_cumulative_and_ends_in_infinity),
	    unit(a_value_too_long_is_cut_and_stays_one_series),
	    unit(too_many_series_are_counted_as_lost),
	    unit(nothing_falls_when_processes_are_replaced),
	    unit(a_file_of_something_else_is_replaced),
	    unit(memory_without_a_file_is_passed_on_by_its_descriptor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
