/*
 * gnomonctl's commands. Each is told its own arguments and returns an exit
 * status; it speaks to a person on standard output and error.
 */
#ifndef GNOMON_CTL_CTL_H
#define GNOMON_CTL_CTL_H

#include "base/op.h"

struct ctl_command {
	const char *name;
	const char *usage; /* its arguments */
	const char *summary; /* one line */
	const char *help; /* what --help adds; may be NULL */
	int (*run)(int argc, char **argv);
};

int ctl_migrate(int argc, char **argv);
int ctl_routes(int argc, char **argv);
int ctl_sql(int argc, char **argv);
int ctl_config(int argc, char **argv);
int ctl_demo(int argc, char **argv);
int ctl_export(int argc, char **argv);
int ctl_import(int argc, char **argv);
int ctl_user(int argc, char **argv);
int ctl_agent(int argc, char **argv);
int ctl_audit(int argc, char **argv);
int ctl_check(int argc, char **argv);
int ctl_kill_switch(int argc, char **argv);
int ctl_policy(int argc, char **argv);
int ctl_doctor(int argc, char **argv);

/* A new operation with a connection as role (NULL: as DATABASE_URL or the
 * operating system says), owned by the op. NULL, and a line on standard
 * error, when DATABASE_URL is not set. */
struct op *ctl_open(const char *role);

/* A session of one hour as the member of the workspace who has this address;
 * "" is the workspace's first owner. It is opened on a connection of its own,
 * as ctl_open(NULL) makes it; the session belongs to op. A workspace or member
 * that is not there is ERR_NOT_FOUND, with a sentence for people. */
enum err ctl_session(struct op *op, const char *workspace, const char *email,
    const char **out_session) MUST_CHECK;

/* Says why op failed; returns 1. */
int ctl_failed(const struct op *op);

#endif
