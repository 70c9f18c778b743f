/* Memory: a few words over talloc, and the one place that runs out of it. */
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <talloc.h>

static _Noreturn void
out_of_memory(size_t size)
{
	fprintf(stderr,
	    "{\"level\":\"error\",\"event\":\"out_of_memory\","
	    "\"bytes\":%zu}\n",
	    size);
	abort();
}

void *
mem_zero(void *owner, size_t size, const char *name)
{
	void *p = talloc_zero_size(owner, size);

	if (!p)
		out_of_memory(size);
	talloc_set_name_const(p, name);
	return p;
}

void *
mem_zero_array(void *owner, size_t size, size_t n, const char *name)
{
	size_t total;

	if (__builtin_mul_overflow(size, n, &total))
		out_of_memory(SIZE_MAX);
	return mem_zero(owner, total, name);
}

/* One byte: the address of a thing without any is past the end of its piece,
 * and the leak sanitizer takes what only such an address leads to for lost. */
void *
mem_scope(void *owner, const char *name)
{
	return mem_zero(owner, 1, name);
}

char *
mem_dup(void *owner, const char *text)
{
	return text ? mem_dup_n(owner, text, strlen(text)) : NULL;
}

char *
mem_dup_n(void *owner, const char *text, size_t n)
{
	char *p = talloc_size(owner, n + 1);

	if (!p)
		out_of_memory(n + 1);
	if (n)
		memcpy(p, text, n);
	p[n] = '\0';
	return p;
}

void *
mem_copy(void *owner, const void *bytes, size_t n)
{
	void *p = talloc_size(owner, n);

	if (!p)
		out_of_memory(n);
	if (n)
		memcpy(p, bytes, n);
	return p;
}

char *
mem_vfmt(void *owner, const char *fmt, va_list ap)
{
	char *p = talloc_vasprintf(owner, fmt, ap);

	if (!p)
		out_of_memory(0);
	return p;
}

char *
mem_fmt(void *owner, const char *fmt, ...)
{
	va_list ap;
	char *p;

	va_start(ap, fmt);
	p = mem_vfmt(owner, fmt, ap);
	va_end(ap);
	return p;
}

void *
mem_resize(void *owner, void *array, size_t n, size_t size)
{
	size_t total;
	void *p;

	if (__builtin_mul_overflow(n, size, &total))
		out_of_memory(SIZE_MAX);
	p = talloc_realloc_size(owner, array, total);
	if (!p && total)
		out_of_memory(total);
	return p;
}

void *
mem_grow(void *owner, void *array, size_t n, size_t size)
{
	size_t have = array ? talloc_get_size(array) / size : 0;
	size_t want = have ? have * 2 : 8;

	if (n < have)
		return array;
	return mem_resize(owner, array, want > n ? want : n + 1, size);
}

void *
mem_move_pointer(void *owner, void **p)
{
	void *moved = *p;

	*p = NULL;
	return moved ? talloc_steal(owner, moved) : NULL;
}

void
mem_drop_pointer(void **p)
{
	if (*p)
		talloc_free(*p);
	*p = NULL;
}

struct adopted {
	void *handle;
	void (*close)(void *);
};

static int
adopted_close(struct adopted *a)
{
	a->close(a->handle);
	return 0;
}

void *
mem_adopt(void *owner, void *handle, void (*close)(void *))
{
	struct adopted *a;

	if (!handle)
		return NULL;
	a = mem_new(owner, struct adopted);
	a->handle = handle;
	a->close = close;
	talloc_set_destructor(a, adopted_close);
	return handle;
}

size_t
mem_weight(const void *p)
{
	return talloc_total_size(p);
}
