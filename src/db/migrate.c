/* Migrations: the embedded files of sql/migrations, applied in order, once. */
#include "db/migrate.h"

#include <stdlib.h>

#include "base/text.h"
#include "db/db.h"
#include "gen/embed.h"
#include "gen/queries.h"

static const char roles[] =
    "DO $$ DECLARE r text; BEGIN\n"
    "  FOREACH r IN ARRAY '{gnomon_owner,gnomon_web,gnomon_stream,"
    "gnomon_worker}'::text[] LOOP\n"
    "    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) THEN\n"
    "      EXECUTE format('CREATE ROLE %I %s', r,\n"
    "        CASE r WHEN 'gnomon_owner' THEN 'NOLOGIN' ELSE 'LOGIN' END);\n"
    "    END IF;\n"
    "  END LOOP;\n"
    "  EXECUTE format('GRANT CREATE ON DATABASE %I TO gnomon_owner',"
    " current_database());\n"
    "  ALTER SCHEMA public OWNER TO gnomon_owner;\n"
    "END $$";

/* Session scope, so that it outlives the transactions of the single files.
 * That something exists already is no news here. */
static const char lock[] = "SET client_min_messages = warning;"
			   " SELECT pg_advisory_lock(7165741)";
static const char unlock[] = "RESET ROLE; RESET client_min_messages;"
			     " SELECT pg_advisory_unlock(7165741)";

static const char ledger[] =
    "SET ROLE gnomon_owner;\n"
    "CREATE TABLE IF NOT EXISTS migration_versions (\n"
    "  version integer PRIMARY KEY, name text NOT NULL,\n"
    "  phase text NOT NULL DEFAULT 'expand'"
    " CHECK (phase IN ('expand', 'migrate', 'contract')),\n"
    "  checksum text NOT NULL,"
    " applied_at timestamptz NOT NULL DEFAULT now())";

/* Applies one file unless it is there already. */
static enum err
apply(struct op *op, const struct embedded *file, FILE *progress,
    unsigned *applied)
{
	const char *version = mem_fmt(op, "%ld", strtol(file->name, NULL, 10));
	struct rows *rows;
	struct db_tx *tx;
	enum err e = db_begin(op, &tx);

	if (e)
		return e;
	e = q_migration_checksum(op, version, file->text, &rows);
	if (e)
		return e;
	if (rows_count(rows)) {
		if (!rows_bool(rows, 0, 0))
			return op_fail(op, ERR_CONFLICT,
			    "%s was applied and has changed since. A released "
			    "file is never edited: restore it, and put the "
			    "change into a new one. In development, drop the "
			    "database and make it anew.",
			    file->name);
		return db_commit(op, &tx);
	}
	e = db_script(op, file->text);
	if (e) {
		fprintf(progress, "%s failed: %s\n", file->name, op->why);
		return e;
	}
	e = q_migration_done(op, version, file->name, file->text, NULL);
	if (!e)
		e = db_commit(op, &tx);
	if (!e) {
		fprintf(progress, "applied %s\n", file->name);
		++*applied;
	}
	return e;
}

enum err
db_migrate(struct op *op, FILE *progress, unsigned *out_applied)
{
	unsigned applied = 0;
	enum err e = db_script(op, lock);

	if (!e)
		e = db_script(op, roles);
	if (!e)
		e = db_script(op, ledger);
	for (size_t i = 0; !e && embedded_migrations[i].name; i++)
		e = apply(op, &embedded_migrations[i], progress, &applied);
	if (e)
		return e;
	*out_applied = applied;
	return db_script(op, unlock);
}
