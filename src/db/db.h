/*
 * The connection to PostgreSQL: one per process, in pipeline mode.
 *
 * A run of calls travels together and is one implicit transaction: either all
 * of them happened or none. Statements are prepared on first use and again
 * after a reconnect. Values are text, NULL is NULL; results are binary and are
 * read with rows.h.
 */
#ifndef GNOMON_DB_DB_H
#define GNOMON_DB_DB_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/op.h"
#include "db/rows.h"
#include "db/stmt.h"

struct db;

struct db_call {
	const struct stmt *stmt;
	const char *const *values; /* stmt->n_types of them */
	struct rows *rows; /* out: belongs to the op */
};

/*
 * A connection that will be opened on first use. conninfo is what libpq takes
 * (URL or key=value); when it names no user, role is used. Belongs to owner
 * and is closed with it.
 */
struct db *db_new(void *owner, const char *conninfo, const char *role);

/* Statements may take as long as they take, where else 30 seconds are the most:
 * for operators, who wait for a migration or an import and can interrupt it.
 * Before the connection is opened. */
void db_be_patient(struct db *db);

/* Opens the connection now. ERR_UNAVAILABLE when that fails. */
enum err db_connect(struct op *op, struct db *db) MUST_CHECK;

/* Opens the connection anew and prepares statements that every request needs,
 * so that the first one does not wait for it. */
enum err
db_prepare(struct op *op, const struct stmt *const *stmts, size_t n) MUST_CHECK;

/*
 * Runs the calls in one round trip on op->db. On failure the op has the error
 * and no call's rows may be used.
 *   repeatable   nothing is written: a lost connection is tried once more
 * Serialization failures and deadlocks are tried again by themselves, up to
 * three times: nothing of the run has happened then.
 */
enum err db_run(
    struct op *op, struct db_call *calls, size_t n, bool repeatable) MUST_CHECK;

/* One statement; out_rows may be NULL. */
enum err db_query(struct op *op, const struct stmt *stmt,
    const char *const *values, struct rows **out_rows) MUST_CHECK;

/*
 * Explicit transactions, for work of several round trips (the worker, an
 * import). Ends with the op that owns the struct: what was not committed is
 * rolled back.
 */
struct db_tx;
enum err db_begin(struct op *op, struct db_tx **out_tx) MUST_CHECK;
enum err db_commit(struct op *op, struct db_tx **tx) MUST_CHECK;
void db_rollback(struct db_tx **tx);

/* db_begin and db_run in one round trip; and db_run and db_commit in one. On
 * failure nothing is left open. Deadlocks are not tried again. */
enum err db_run_begin(struct op *op, struct db_call *calls, size_t n,
    struct db_tx **out_tx) MUST_CHECK;
enum err db_run_commit(struct op *op, struct db_tx **tx, struct db_call *calls,
    size_t n) MUST_CHECK;

/* Runs a script of several statements as it stands; for migrations. */
enum err db_script(struct op *op, const char *sql) MUST_CHECK;

/* The socket, to watch while idle; -1 while not connected. */
int db_socket(const struct db *db);

/* True while the connection is believed to be good. */
bool db_is_connected(const struct db *db);

/* True when PostgreSQL answered on this connection within the last second and
 * has not closed it since: good enough to call it well without asking. */
bool db_is_fresh(const struct db *db);

/* Closes the connection; the next use opens a new one. */
void db_close(struct db *db);

#endif
