/*
 * One operation: a request, a job, a command. It owns all memory made on its
 * behalf, carries the connection it may use, and records how it failed.
 */
#ifndef GNOMON_BASE_OP_H
#define GNOMON_BASE_OP_H

#include "base/err.h"
#include "base/mem.h"

struct db;
struct json_object;

struct op {
	struct db *db; /* lent; NULL where no database is needed */
	const char *id; /* request or job id, in every log line; never NULL */
	const char *trace; /* 32 hexadecimal digits, in its log lines; or "" */
	enum err err; /* the first failure; ERR_OK while there is none */
	const char *why; /* its detail for the log; never sent to a client */
	struct json_object *details; /* error.details for the client, or NULL */
};

/* A new operation below owner. The id is copied. */
struct op *op_new(void *owner, const char *id, struct db *db);

/* Records the failure and returns its code; the first one recorded stays. */
enum err op_fail(struct op *op, enum err e, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* As op_fail for ERR_VALIDATION_FAILED, adding one row to the details that
 * the client gets: {"errors":[{"pointer":…,"message":…}]}. May be called
 * several times; every row is kept. */
enum err op_invalid(struct op *op, const char *pointer, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Ties a json-c value to an owner, as mem_adopt. */
struct json_object *op_json(void *owner, struct json_object *value);

#endif
