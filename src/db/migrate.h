/*
 * Migrations: the embedded files of sql/migrations, applied in order, once,
 * each in a transaction of its own, under an advisory lock.
 */
#ifndef GNOMON_DB_MIGRATE_H
#define GNOMON_DB_MIGRATE_H

#include <stdio.h>

#include "base/op.h"

/*
 * Makes the roles (gnomon_owner, gnomon_web, gnomon_stream, gnomon_worker)
 * and applies what is missing. op->db must be a superuser's connection, or
 * that of a role with CREATEROLE that owns the database. A file that was
 * applied and has changed since is refused. One line per file goes to
 * progress.
 */
enum err
db_migrate(struct op *op, FILE *progress, unsigned *out_applied) MUST_CHECK;

#endif
