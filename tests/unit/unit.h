/*
 * What every unit test begins with: cmocka, and a context per test that must
 * be empty again when the test ends.
 */
#ifndef GNOMON_TESTS_UNIT_H
#define GNOMON_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"

static inline int
unit_begin(void **state)
{
	*state = mem_scope(NULL, "test");
	return 0;
}

static inline int
unit_end(void **state)
{
	mem_drop(state);
	return 0;
}

#define unit(test) cmocka_unit_test_setup_teardown(test, unit_begin, unit_end)

#endif
