/*
 * What a service and systemd tell each other: sockets that were opened for us
 * (sd_listen_fds(3)), our state (sd_notify(3)), and how often we must show
 * that we are alive (sd_watchdog_enabled(3)). Both are a few lines of
 * environment and datagrams, promised to stay, so libsystemd is not linked.
 * Nothing here does anything where systemd did not start the program.
 */
#ifndef GNOMON_BASE_NOTIFY_H
#define GNOMON_BASE_NOTIFY_H

#include <stdint.h>

/* The listening socket with this name (FileDescriptorName= of its unit), not
 * blocking, closed on exec; -1 when there is none. */
int notify_listen_fd(const char *name);

/* Sends lines such as "READY=1\nSTATUS=Serving.". */
void notify_send(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Milliseconds between two signs of life (notify_send("WATCHDOG=1")), half of
 * what systemd allows; 0 when it does not watch. */
int64_t notify_watchdog_ms(void);

#endif
