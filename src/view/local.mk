# src/view: sources and unit tests of this room.
libgnomon_a_SOURCES += \
	src/view/charts.c src/view/charts.h \
	src/view/humane.c src/view/humane.h \
	src/view/mustache.c src/view/mustache.h \
	src/view/templates.c src/view/templates.h

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_view
tests_unit_test_view_SOURCES = tests/unit/test_view.c tests/unit/unit.h
tests_unit_test_view_CPPFLAGS = $(AM_CPPFLAGS) \
	-DSOURCE_DIR='"$(abs_srcdir)"'
tests_unit_test_view_LDADD = $(UNIT_LIBS)
endif

# What suites and fuzzers drive: built, and, as their folder has no name, never
# installed. tests/drivers/run-mustache holds the driver to the specification.
viewtoolsdir =
viewtools_PROGRAMS = tests/drivers/mustache
tests_drivers_mustache_SOURCES = tests/drivers/mustache.c
tests_drivers_mustache_LDADD = $(LIBS_ALL)
EXTRA_DIST += tests/drivers/run-mustache

if FUZZ
viewtools_PROGRAMS += tests/fuzz/fuzz_mustache
tests_fuzz_fuzz_mustache_SOURCES = tests/fuzz/fuzz_mustache.c
tests_fuzz_fuzz_mustache_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_mustache_LDADD = $(LIBS_ALL)
endif
