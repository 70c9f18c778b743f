/*
 * A statement as the generator writes it and as a connection prepares it.
 *
 * The text has $1, $2, … and every parameter's type is fixed, so PostgreSQL
 * never guesses. Parameters travel as text, results come back binary.
 */
#ifndef GNOMON_DB_STMT_H
#define GNOMON_DB_STMT_H

#include <stddef.h>

/* Object ids of pg_type, fixed by PostgreSQL (src/include/catalog/pg_type.dat). */
enum sql_type {
	SQL_BOOL = 16,
	SQL_BYTEA = 17,
	SQL_NAME = 19,
	SQL_INT8 = 20,
	SQL_INT2 = 21,
	SQL_INT4 = 23,
	SQL_TEXT = 25,
	SQL_JSON = 114,
	SQL_FLOAT4 = 700,
	SQL_FLOAT8 = 701,
	SQL_TEXT_LIST = 1009,
	SQL_INT8_LIST = 1016,
	SQL_VARCHAR = 1043,
	SQL_DATE = 1082,
	SQL_TIME = 1184, /* timestamptz */
	SQL_INTERVAL = 1186,
	SQL_NUMERIC = 1700,
	SQL_UUID = 2950,
	SQL_UUID_LIST = 2951,
	SQL_JSONB = 3802,
	SQL_INT4_LIST = 1007,
	SQL_VOID = 2278,
};

struct stmt {
	unsigned id; /* unique in the program: the prepared statement's name;
			0: never prepared */
	const char *source; /* "sql/api/insights.sql:3", for logs */
	const char *sql;
	const unsigned *types; /* enum sql_type of each parameter */
	const char *const *names; /* of each parameter, for people */
	size_t n_types;
};

#endif
