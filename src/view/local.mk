# src/view: sources and unit tests of this room.
libgnomon_a_SOURCES += \
	src/view/mustache.c src/view/mustache.h

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
