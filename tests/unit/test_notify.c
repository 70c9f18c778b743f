/* What systemd is told, and the sockets it gives. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/notify.h"
#include "unit.h"

/* A datagram socket under this path; '@' is the abstract name space. */
static int
listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	size_t n = strlen(path);

	memcpy(address.sun_path, path, n);
	if (*path == '@')
		address.sun_path[0] = '\0';
	assert_int_equal(
	    bind(fd, (struct sockaddr *)&address,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)),
	    0);
	return fd;
}

static void
messages_arrive_by_path_and_by_abstract_name(void **state)
{
	const char *const paths[] = {
	    mem_fmt(*state, "/tmp/gnomon-notify.%d", (int)getpid()),
	    mem_fmt(*state, "@gnomon-notify.%d", (int)getpid()),
	};

	for (size_t i = 0; i < nitems(paths); i++) {
		int fd = listen_at(paths[i]);
		char text[100] = "";

		setenv("NOTIFY_SOCKET", paths[i], 1);
		notify_send("READY=1\nSTATUS=Serving %d.", 7);
		assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
		assert_string_equal(text, "READY=1\nSTATUS=Serving 7.");
		close(fd);
	}
	unlink(paths[0]);
	notify_send("READY=1"); /* nobody listens: nothing happens */
	unsetenv("NOTIFY_SOCKET");
	notify_send("READY=1");
}

static void
sockets_are_found_by_their_names(void **state)
{
	static const struct {
		const char *names, *wanted;
		int fd;
	} cases[] = {
	    {"main:slow", "main", 3},
	    {"main:slow", "slow", 4},
	    {"slow:main", "main", 4},
	    {"mainly:slow", "main", -1},
	    {"main", "slow", -1},
	    {"", "main", -1},
	};

	(void)state;
	setenv("LISTEN_FDS", "2", 1);
	for (size_t i = 0; i < nitems(cases); i++) {
		char pid[20];

		/* the descriptors may be anything: flags are all that is set */
		dup2(STDERR_FILENO, 3);
		dup2(STDERR_FILENO, 4);
		setenv("LISTEN_FDNAMES", cases[i].names, 1);
		setenv("LISTEN_PID", "1", 1);
		assert_int_equal(notify_listen_fd(cases[i].wanted), -1);
		snprintf(pid, sizeof(pid), "%d", (int)getpid());
		setenv("LISTEN_PID", pid, 1);
		assert_int_equal(
		    notify_listen_fd(cases[i].wanted), cases[i].fd);
		if (cases[i].fd > 0)
			assert_int_equal(
			    fcntl(cases[i].fd, F_GETFD), FD_CLOEXEC);
	}
	close(3);
	close(4);
	fcntl(STDERR_FILENO, F_SETFL,
	    fcntl(STDERR_FILENO, F_GETFL) & ~O_NONBLOCK);
	unsetenv("LISTEN_FDS");
	assert_int_equal(notify_listen_fd("main"), -1);
}

static void
the_watchdog_is_fed_twice_as_often_as_it_asks(void **state)
{
	(void)state;
	assert_int_equal(notify_watchdog_ms(), 0);
	setenv("WATCHDOG_USEC", "30000000", 1);
	assert_int_equal(notify_watchdog_ms(), 15000);
	setenv("WATCHDOG_PID", "1", 1);
	assert_int_equal(notify_watchdog_ms(), 0);
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    unit(messages_arrive_by_path_and_by_abstract_name),
	    unit(sockets_are_found_by_their_names),
	    unit(the_watchdog_is_fed_twice_as_often_as_it_asks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
