/* The connection to PostgreSQL: one per process, in pipeline mode. */
#include "db/db.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/text.h"
#include "db/db_priv.h"
#include "gen/queries.h"

enum {
	TRIES = 3,
	NAME_MAX_BYTES = 64, /* of a table, a key */
	/* Statements a connection keeps prepared. Each costs the server some
	 * 200 KB, and the combinations of a list's filters are hundreds: what
	 * comes later is planned each time. */
	KEPT_MAX = 300,
	FRESH_MS = 1000,
};

struct db {
	PGconn *conn; /* NULL while not connected */
	const char *conninfo;
	const char *role;
	bool is_patient; /* statements may take as long as they take */
	bool was_connected; /* once, at least */
	int64_t answered_ms; /* when a run last went well, monotonic */
	bool in_tx; /* an explicit transaction: nothing may be tried again */
	bool *prepared; /* by stmt id */
	size_t n_prepared;
	unsigned n_kept; /* how many of the flags are set */
};

/* The flags belong to the db, too, and may be gone before this runs. */
static void
finish(void *handle)
{
	const struct db *db = handle;

	if (db->conn)
		PQfinish(db->conn);
}

struct db *
db_new(void *owner, const char *conninfo, const char *role)
{
	struct db *db = mem_new(owner, struct db);

	db->conninfo = mem_dup(db, conninfo);
	db->role = mem_dup(db, role);
	mem_adopt(db, db, finish);
	return db;
}

void
db_be_patient(struct db *db)
{
	db->is_patient = true;
}

void
db_close(struct db *db)
{
	if (db->conn)
		PQfinish(db->conn);
	db->conn = NULL;
	db->in_tx = false;
	mem_drop(&db->prepared);
	db->n_prepared = 0;
	db->n_kept = 0;
}

int
db_socket(const struct db *db)
{
	return db->conn ? PQsocket(db->conn) : -1;
}

bool
db_is_connected(const struct db *db)
{
	return db->conn && PQstatus(db->conn) == CONNECTION_OK;
}

/* The parameters of the connection: ours, then what DATABASE_URL says. */
static PGconn *
dial(const struct db *db)
{
	/* user first: a later dbname given as a URL or string wins over it */
	const char *const keys[] = {"user", "connect_timeout",
	    "application_name", "client_encoding", "options", "dbname", NULL};
	char options[200];
	const char *const values[] = {
	    db->role, "2", "gnomon", "UTF8", options, db->conninfo, NULL};

	snprintf(options, sizeof(options),
	    "-c plan_cache_mode=force_generic_plan -c jit=off"
	    " -c search_path=public -c timezone=UTC"
	    " -c statement_timeout=%s"
	    " -c idle_in_transaction_session_timeout=60s",
	    db->is_patient ? "0" : "30s");
	return PQconnectdbParams(keys, values, 1);
}

enum err
db_connect(struct op *op, struct db *db)
{
	if (db_is_connected(db))
		return ERR_OK;
	db_close(db);
	db->conn = dial(db);
	if (PQstatus(db->conn) != CONNECTION_OK) {
		const char *why = mem_dup(op, PQerrorMessage(db->conn));

		db_close(db);
		return op_fail(op, ERR_UNAVAILABLE, "%s", why);
	}
	if (!PQenterPipelineMode(db->conn)) {
		db_close(db);
		return op_fail(op, ERR_UNAVAILABLE, "no pipeline mode");
	}
	if (db->was_connected)
		metrics_count(METRIC_DB_RECONNECTS, NULL);
	db->was_connected = true;
	return ERR_OK;
}

/* Between two runs nothing may come in. What does is a farewell or the end of
 * the line; a write sent down it would be lost. */
static bool
is_stale(const struct db *db)
{
	char byte;
	ssize_t n = recv(PQsocket(db->conn), &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	return n >= 0 || (errno != EAGAIN && errno != EINTR);
}

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool
db_is_fresh(const struct db *db)
{
	return db_is_connected(db) && now_ms() - db->answered_ms < FRESH_MS &&
	    !is_stale(db);
}

static bool *
prepared_flag(struct db *db, unsigned id)
{
	if (id >= db->n_prepared) {
		size_t n = id + 64;

		db->prepared =
		    mem_resize(db, db->prepared, n, sizeof(*db->prepared));
		memset(db->prepared + db->n_prepared, 0,
		    (n - db->n_prepared) * sizeof(*db->prepared));
		db->n_prepared = n;
	}
	return &db->prepared[id];
}

static void
keep(struct db *db, unsigned id)
{
	bool *flag = prepared_flag(db, id);

	db->n_kept += !*flag;
	*flag = true;
}

static bool
send_call(struct db *db, const struct db_call *call, bool *out_prepares)
{
	const struct stmt *stmt = call->stmt;
	char name[16];

	*out_prepares = false;
	if (stmt->id == 0 ||
	    (!*prepared_flag(db, stmt->id) && db->n_kept >= KEPT_MAX))
		return PQsendQueryParams(db->conn, stmt->sql,
		    (int)stmt->n_types, stmt->types, call->values, NULL, NULL,
		    1);
	snprintf(name, sizeof(name), "s%u", stmt->id);
	*out_prepares = !*prepared_flag(db, stmt->id);
	if (*out_prepares &&
	    !PQsendPrepare(
		db->conn, name, stmt->sql, (int)stmt->n_types, stmt->types))
		return false;
	return PQsendQueryPrepared(
	    db->conn, name, (int)stmt->n_types, call->values, NULL, NULL, 1);
}

/* Our own sentence; "/field: sentence" names what it is about. */
static enum err
invalid(struct op *op, const char *detail)
{
	const char *colon = *detail == '/' ? strstr(detail, ": ") : NULL;
	char *pointer;

	if (!colon)
		return op_invalid(op, "", "%s", detail);
	pointer = mem_dup_n(op, detail, (size_t)(colon - detail));
	return op_invalid(op, pointer, "%s", colon + 2);
}

/* A foreign key that points at nothing. Which field it is of stands in the name of
 * the key, <table>_[workspace_id_][project_id_]<column>_fkey: "/assigneeId". */
static enum err
dangling(struct op *op, const PGresult *result)
{
	static const char *const scopes[] = {"_workspace_id", "_project_id"};
	const char *s = PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
	const char *table = PQresultErrorField(result, PG_DIAG_TABLE_NAME);
	const char *end = s ? strstr(s, "_fkey") : NULL;
	struct buf *b = buf_new(op, NAME_MAX_BYTES + 1);

	s = end && table && text_starts(s, table) ? s + strlen(table) : end;
	for (size_t i = 0; s && i < nitems(scopes); i++)
		if (text_starts(s, scopes[i]))
			s += strlen(scopes[i]);
	if (s == end)
		return op_fail(op, ERR_VALIDATION_FAILED, "a foreign key");
	buf_char(b, '/');
	for (s++; s < end; s++)
		if (*s == '_' && s + 1 < end)
			buf_char(b, (char)toupper((unsigned char)*++s));
		else
			buf_char(b, *s);
	return op_invalid(
	    op, b->data, "There is no such one here. Choose another.");
}

/* What the server's refusal means to us (PostgreSQL manual, appendix A). */
static enum err
refusal(struct op *op, const PGresult *result, const char *source)
{
	static const struct {
		const char *state; /* or its class, two characters */
		enum err e;
	} map[] = {
	    {"40001", ERR_CONFLICT},
	    {"40P01", ERR_CONFLICT},
	    {"23505", ERR_CONFLICT},
	    {"23", ERR_VALIDATION_FAILED},
	    {"22", ERR_VALIDATION_FAILED},
	    {"57014", ERR_TIMEOUT},
	    {"57", ERR_UNAVAILABLE},
	    {"53", ERR_UNAVAILABLE}, /* a full disk is 53100 */
	    {"58", ERR_UNAVAILABLE}, /* or a broken one */
	    {"25006", ERR_UNAVAILABLE}, /* read only: a standby takes over */
	    {"08", ERR_UNAVAILABLE},
	};
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *message =
	    PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);

	if (!state)
		return op_fail(
		    op, ERR_UNAVAILABLE, "%s: connection lost", source);
	if (strcmp(state, "GN000") == 0 && detail && *detail &&
	    err_of_word(message) == ERR_VALIDATION_FAILED)
		return invalid(op, detail);
	if (strcmp(state, "GN000") == 0 && detail && text_ends(detail, ".")) {
		(void)op_invalid(op, "", "%s", detail); /* likewise */
		return op->err = err_of_word(message);
	}
	if (strcmp(state, "GN000") == 0)
		return op_fail(op, err_of_word(message), "%s: %s %s", source,
		    message, detail ? detail : "");
	if (strcmp(state, "23503") == 0)
		return dangling(op, result);
	for (size_t i = 0; i < nitems(map); i++)
		if (text_starts(state, map[i].state))
			return op_fail(
			    op, map[i].e, "%s: %s %s", source, state, message);
	return op_fail(op, ERR_INTERNAL, "%s: %s %s", source, state, message);
}

/* The server ended the connection, and this run with it (57P01 to 57P03). */
static bool
is_farewell(const PGresult *result)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	return state && text_starts(state, "57P0") && state[4] <= '3';
}

static bool
is_retryable(const PGresult *result)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	return state &&
	    (strcmp(state, "40001") == 0 || strcmp(state, "40P01") == 0);
}

struct run {
	bool prepares; /* this call's Parse travelled, too */
};

/* The next result and the NULL that ends it; NULL when the line went dead. */
static PGresult *
next_result(struct db *db)
{
	PGresult *result = PQgetResult(db->conn), *rest;

	if (!result || PQresultStatus(result) == PGRES_PIPELINE_SYNC)
		return result;
	while ((rest = PQgetResult(db->conn)))
		PQclear(rest);
	return result;
}

enum outcome { RUN_OK, RUN_REFUSED, RUN_AGAIN, RUN_LOST };

/* Reads the answers up to the Sync. The first error is the run's. */
static enum outcome
receive(struct op *op, struct db *db, struct db_call *calls, size_t n,
    const struct run *runs)
{
	enum outcome outcome = RUN_OK;
	size_t i = 0;
	bool parse = n && runs[0].prepares;

	for (;;) {
		PGresult *result = next_result(db);
		ExecStatusType status;

		if (!result)
			return RUN_LOST;
		status = PQresultStatus(result);
		if (status == PGRES_PIPELINE_SYNC) {
			PQclear(result);
			return outcome;
		}
		if (status == PGRES_FATAL_ERROR && outcome == RUN_OK) {
			if (PQstatus(db->conn) == CONNECTION_BAD ||
			    is_farewell(result)) {
				PQclear(result);
				return RUN_LOST;
			}
			outcome =
			    is_retryable(result) ? RUN_AGAIN : RUN_REFUSED;
			if (outcome == RUN_REFUSED)
				(void)refusal(op, result,
				    i < n ? calls[i].stmt->source : "commit");
		}
		if (outcome != RUN_OK) {
			PQclear(result);
			continue;
		}
		if (parse) { /* PostgreSQL keeps it even if the run fails */
			keep(db, calls[i].stmt->id);
			PQclear(result);
			parse = false;
			continue;
		}
		calls[i].rows = db__rows(op, result);
		i++;
		parse = i < n && runs[i].prepares;
	}
}

static enum outcome
run_once(struct op *op, struct db *db, struct db_call *calls, size_t n)
{
	struct run *runs = mem_array(op, struct run, n);
	enum outcome outcome;

	for (size_t i = 0; i < n; i++) {
		/* twice in one run: the second must not be parsed again */
		for (size_t k = 0; k < i; k++)
			assert(calls[k].stmt->id != calls[i].stmt->id ||
			    calls[i].stmt->id == 0 || db->n_kept >= KEPT_MAX ||
			    *prepared_flag(db, calls[i].stmt->id) ||
			    !"the same new statement twice in a run");
		if (!send_call(db, &calls[i], &runs[i].prepares))
			return RUN_LOST;
	}
	if (!PQpipelineSync(db->conn))
		return RUN_LOST;
	outcome = receive(op, db, calls, n, runs);
	mem_drop(&runs);
	return outcome;
}

enum err
db_run(struct op *op, struct db_call *calls, size_t n, bool repeatable)
{
	struct db *db = op->db;

	for (int tries = 1;; tries++) {
		enum err e;
		enum outcome outcome;

		bool in_tx = db->in_tx;

		if (!in_tx && db_is_connected(db) && is_stale(db))
			db_close(db);
		if (in_tx && !db_is_connected(db))
			return op_fail(op, ERR_UNAVAILABLE, "connection lost");
		e = db_connect(op, db);
		if (e)
			return e;
		outcome = run_once(op, db, calls, n);
		metrics_count(METRIC_DB_ROUNDTRIPS, NULL);
		if (outcome == RUN_OK) {
			db->answered_ms = now_ms();
			return ERR_OK;
		}
		if (outcome == RUN_REFUSED)
			return op->err;
		if (outcome == RUN_LOST) {
			log_warn("database_lost", LOG_S("op", op->id));
			db_close(db);
			if (!repeatable || in_tx || tries == 2)
				return op_fail(op, ERR_UNAVAILABLE,
				    "the connection was lost");
		} else if (in_tx || tries == TRIES) {
			return op_fail(
			    op, ERR_CONFLICT, "deadlock, %d times", tries);
		}
	}
}

static enum err
prepare(struct op *op, struct db *db, const struct stmt *const *stmts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!PQsendPrepare(db->conn, mem_fmt(op, "s%u", stmts[i]->id),
			stmts[i]->sql, (int)stmts[i]->n_types, stmts[i]->types))
			return op_fail(op, ERR_UNAVAILABLE, "connection lost");
	if (!PQpipelineSync(db->conn))
		return op_fail(op, ERR_UNAVAILABLE, "connection lost");
	for (size_t i = 0;;) {
		PGresult *result = next_result(db);
		ExecStatusType status;

		if (!result)
			return op_fail(op, ERR_UNAVAILABLE, "connection lost");
		status = PQresultStatus(result);
		if (status == PGRES_COMMAND_OK && i < n)
			keep(db, stmts[i++]->id);
		else if (status == PGRES_FATAL_ERROR)
			(void)refusal(
			    op, result, i < n ? stmts[i]->source : "prepare");
		PQclear(result);
		if (status == PGRES_PIPELINE_SYNC)
			return op->err;
	}
}

enum err
db_prepare(struct op *op, const struct stmt *const *stmts, size_t n)
{
	enum err e;

	db_close(op->db);
	e = db_connect(op, op->db);
	if (!e)
		e = prepare(op, op->db, stmts, n);
	if (e)
		db_close(op->db);
	return e;
}

enum err
db_query(struct op *op, const struct stmt *stmt, const char *const *values,
    struct rows **out_rows)
{
	struct db_call call = {.stmt = stmt, .values = values};
	enum err e = db_run(op, &call, 1, false);

	if (!e && out_rows)
		*out_rows = call.rows;
	return e;
}

enum err
db_script(struct op *op, const char *sql)
{
	struct db *db = op->db;
	PGresult *result;
	enum err e = db_connect(op, db);

	if (e)
		return e;
	PQexitPipelineMode(db->conn);
	result = PQexec(db->conn, sql);
	metrics_count(METRIC_DB_ROUNDTRIPS, NULL);
	if (PQresultStatus(result) != PGRES_COMMAND_OK &&
	    PQresultStatus(result) != PGRES_TUPLES_OK &&
	    PQresultStatus(result) != PGRES_EMPTY_QUERY) {
		const char *where =
		    PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION);

		(void)refusal(op, result, where ? where : "script");
		e = op->err;
	}
	PQclear(result);
	if (!PQenterPipelineMode(db->conn))
		db_close(db);
	return e;
}

/* Transactions */

struct db_tx {
	struct db *db;
	bool done;
};

static void
leave(void *handle)
{
	struct db_tx *tx = handle;
	struct op *op;

	tx->db->in_tx = false;
	if (tx->done || !db_is_connected(tx->db))
		return;
	op = op_new(NULL, "rollback", tx->db);
	if (db_script(op, "ROLLBACK"))
		db_close(tx->db);
	mem_drop(&op);
}

static struct db_tx *
hold(struct op *op)
{
	struct db_tx *tx = mem_new(op, struct db_tx);

	tx->db = op->db;
	tx->db->in_tx = true;
	mem_adopt(tx, tx, leave);
	return tx;
}

enum err
db_begin(struct op *op, struct db_tx **out_tx)
{
	enum err e;

	if (db_is_connected(op->db) && is_stale(op->db))
		db_close(op->db);
	e = db_script(op, "BEGIN");
	if (!e)
		*out_tx = hold(op);
	return e;
}

enum err
db_commit(struct op *op, struct db_tx **tx)
{
	enum err e = db_script(op, "COMMIT");

	if (!e)
		(*tx)->done = true;
	mem_drop(tx);
	return e;
}

void
db_rollback(struct db_tx **tx)
{
	mem_drop(tx);
}

enum err
db_run_begin(
    struct op *op, struct db_call *calls, size_t n, struct db_tx **out_tx)
{
	struct db_call *all = mem_array(op, struct db_call, n + 1);
	struct db_tx *tx;
	enum err e;

	all[0].stmt = &stmt_begin_work;
	memcpy(all + 1, calls, n * sizeof(*calls));
	if (db_is_connected(op->db) && is_stale(op->db))
		db_close(op->db);
	e = db_connect(op, op->db);
	if (e)
		return e;
	tx = hold(op);
	e = db_run(op, all, n + 1, false);
	if (e) {
		db_rollback(&tx);
		return e;
	}
	memcpy(calls, all + 1, n * sizeof(*calls));
	*out_tx = tx;
	return ERR_OK;
}

enum err
db_run_commit(struct op *op, struct db_tx **tx, struct db_call *calls, size_t n)
{
	struct db_call *all = mem_array(op, struct db_call, n + 1);
	enum err e;

	memcpy(all, calls, n * sizeof(*calls));
	all[n].stmt = &stmt_commit_work;
	e = db_run(op, all, n + 1, false);
	if (!e) {
		memcpy(calls, all, n * sizeof(*calls));
		(*tx)->done = true;
	}
	mem_drop(tx);
	return e;
}
