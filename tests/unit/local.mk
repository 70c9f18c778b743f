# One program a room: tests/unit/test_<room>.c, plain cmocka.
if HAVE_CMOCKA
UNIT_LIBS = $(LIBS_ALL) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_base
tests_unit_test_base_SOURCES = tests/unit/test_base.c tests/unit/unit.h
tests_unit_test_base_LDADD = $(UNIT_LIBS)
endif
