/*
 * FastCGI: how requests get into the process. The only room door to libfcgi.
 *
 * The multi-slot idiom: nginx keeps its connections open, a process owns many
 * and polls them all, so a kept connection never blocks the others. Facts and
 * figures: fastcgi_keep_conn in nginx, libfcgi 2.4.2.
 */
#ifndef GNOMON_HTTP_FCGI_H
#define GNOMON_HTTP_FCGI_H

#include "db/db.h"
#include "http/seats.h"

/* A listening unix socket, mode 0660, backlog 4096; -1 and errno on failure. A
 * stale file of a dead process is replaced. */
int fcgi_listen(const char *path);

struct fcgi_worker {
	int listen_fd;
	int lifeline_fd; /* readable (end of file) means: finish and leave */
	struct db *db;
	struct seat *seat;
};

/*
 * Serves until the lifeline ends or SIGTERM comes: then stops accepting, goes
 * on serving the connections nginx has until it closes them or they are idle
 * for a second, and returns. Blocks SIGTERM for itself.
 */
void fcgi_serve(const struct fcgi_worker *w);

#endif
