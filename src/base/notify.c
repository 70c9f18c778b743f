/* What a service and systemd tell each other. */
#include "base/notify.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/text.h"

enum { FIRST_FD = 3, MESSAGE_MAX = 512 };

/* A number in the environment; 0 when there is none. */
static int64_t
number(const char *name)
{
	const char *text = getenv(name);
	int64_t value = 0;

	if (text)
		(void)text_int(text, &value);
	return value;
}

int
notify_listen_fd(const char *name)
{
	const char *names = getenv("LISTEN_FDNAMES");
	int64_t n = number("LISTEN_FDS");
	size_t length = strlen(name);

	if (!names || number("LISTEN_PID") != getpid())
		return -1;
	for (int fd = FIRST_FD; fd < FIRST_FD + n; fd++) {
		size_t here = strcspn(names, ":");

		if (here == length && strncmp(names, name, here) == 0) {
			fcntl(fd, F_SETFD, FD_CLOEXEC);
			fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
			return fd;
		}
		names += here + (names[here] == ':');
	}
	return -1;
}

void
notify_send(const char *fmt, ...)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = path ? strlen(path) : 0;
	char message[MESSAGE_MAX];
	va_list ap;
	int n, fd;

	if (length < 2 || length >= sizeof(address.sun_path) ||
	    (*path != '/' && *path != '@'))
		return;
	va_start(ap, fmt);
	n = vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	if (n < 0 || n >= MESSAGE_MAX)
		return;
	memcpy(address.sun_path, path, length);
	if (*path == '@') /* the abstract name space */
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	/* nobody to tell when it fails: systemd then tells people itself */
	(void)sendto(fd, message, (size_t)n, MSG_NOSIGNAL,
	    (struct sockaddr *)&address,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
	close(fd);
}

int64_t
notify_watchdog_ms(void)
{
	int64_t pid = number("WATCHDOG_PID");

	if (pid && pid != getpid())
		return 0;
	return number("WATCHDOG_USEC") / 2000;
}
