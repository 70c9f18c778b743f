/*
 * Memory: a few words over talloc.
 *
 * Every allocation has an owner and dies with it; whatever is made for a
 * request is owned by its struct op. mem_* never returns NULL: running out of
 * memory ends the process in one place, and the supervisor starts another.
 * Sizes that come from outside are therefore bounded before they get here.
 *
 *   x_new(owner, ...), x_dup(owner, ...)   the result belongs to owner
 *   x_get(...)                             lends: do not keep, do not free
 *   mem_move(owner, &p)                    takes p from the caller, p is NULL
 *   x_open(...), x_close(&x)               hold something of the world outside
 *
 * Any pointer that mem_* returned can be an owner in turn. NULL as owner makes
 * a root; only a main, a test and a worker's item may do that.
 */
#ifndef GNOMON_BASE_MEM_H
#define GNOMON_BASE_MEM_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define nitems(array) (sizeof(array) / sizeof((array)[0]))

/* One zeroed struct, and an array of n zeroed ones (n may be 0). */
#define mem_new(owner, type) ((type *)mem_zero((owner), sizeof(type), #type))
#define mem_array(owner, type, n) \
	((type *)mem_zero_array((owner), sizeof(type), (n), #type "[]"))

/* An owner with a name and nothing else, for a pass that makes rubbish. */
void *mem_scope(void *owner, const char *name);

char *mem_dup(void *owner, const char *text); /* NULL gives NULL */
char *mem_dup_n(void *owner, const char *text, size_t n); /* adds the NUL */
void *mem_copy(void *owner, const void *bytes, size_t n);
char *mem_fmt(void *owner, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
char *mem_vfmt(void *owner, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

/*
 * Grows an array made by mem_array or by an earlier mem_grow (or NULL) so that
 * index n is valid, doubling; new cells are not zeroed.
 *   list->items = mem_grow(list, list->items, list->n, sizeof(*list->items));
 */
void *mem_grow(void *owner, void *array, size_t n, size_t size);

/* The array (or NULL) with room for exactly n cells; new ones not zeroed. */
void *mem_resize(void *owner, void *array, size_t n, size_t size);

/* Gives *p to another owner; *p becomes NULL; returns what it was. */
#define mem_move(owner, p) \
	((__typeof__(*(p)))mem_move_pointer((owner), (void **)(p)))

/* Frees *p with everything it owns, and empties the caller's hand. */
#define mem_drop(p) mem_drop_pointer((void **)(p))

/*
 * Ties a handle of the world outside to an owner: close(handle) runs when the
 * owner goes. Returns the handle; a NULL handle stays NULL and ties nothing.
 */
void *mem_adopt(void *owner, void *handle, void (*close)(void *));

/* Bytes owned by p and below; for leak tests. */
size_t mem_weight(const void *p);

/* The pieces behind the macros. */
void *mem_zero(void *owner, size_t size, const char *name);
void *mem_zero_array(void *owner, size_t size, size_t n, const char *name);
void *mem_move_pointer(void *owner, void **p);
void mem_drop_pointer(void **p);

#endif
