/* One operation: memory, connection, and how it failed. */
#include "base/op.h"

#include <json-c/json.h>
#include <stdarg.h>

struct op *
op_new(void *owner, const char *id, struct db *db)
{
	struct op *op = mem_new(owner, struct op);

	op->id = mem_dup(op, id);
	op->trace = "";
	op->db = db;
	return op;
}

enum err
op_fail(struct op *op, enum err e, const char *fmt, ...)
{
	va_list ap;

	if (op->err)
		return op->err;
	va_start(ap, fmt);
	op->why = mem_vfmt(op, fmt, ap);
	va_end(ap);
	op->err = e;
	return e;
}

static void
put(void *value)
{
	json_object_put(value);
}

struct json_object *
op_json(void *owner, struct json_object *value)
{
	return mem_adopt(owner, value, put);
}

enum err
op_invalid(struct op *op, const char *pointer, const char *fmt, ...)
{
	struct json_object *row = json_object_new_object();
	struct json_object *errors;
	va_list ap;
	char *message;

	va_start(ap, fmt);
	message = mem_vfmt(op, fmt, ap);
	va_end(ap);
	if (!op->details) {
		op->details = op_json(op, json_object_new_object());
		json_object_object_add(
		    op->details, "errors", json_object_new_array());
	}
	errors = json_object_object_get(op->details, "errors");
	json_object_object_add(row, "pointer", json_object_new_string(pointer));
	json_object_object_add(row, "message", json_object_new_string(message));
	json_object_array_add(errors, row);
	return op_fail(op, ERR_VALIDATION_FAILED, "%s: %s", pointer, message);
}
