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
int ctl_import(int argc, char **argv);
int ctl_user(int argc, char **argv);
int ctl_agent(int argc, char **argv);
int ctl_doctor(int argc, char **argv);

/* A new operation with a connection as role (NULL: as DATABASE_URL or the
 * operating system says), owned by the op. NULL, and a line on standard
 * error, when DATABASE_URL is not set. */
struct op *ctl_open(const char *role);

/* Says why op failed; returns 1. */
int ctl_failed(const struct op *op);

#endif
