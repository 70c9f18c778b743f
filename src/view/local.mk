# src/view: sources and unit tests of this room.
libgnomon_a_SOURCES += \
	src/view/charts.c src/view/charts.h \
	src/view/humane.c src/view/humane.h \
	src/view/markdown.c src/view/markdown.h \
	src/view/mustache.c src/view/mustache.h \
	src/view/qr.c src/view/qr.h \
	src/view/templates.c src/view/templates.h

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_view
tests_unit_test_view_SOURCES = tests/unit/test_view.c tests/unit/unit.h
tests_unit_test_view_CPPFLAGS = $(AM_CPPFLAGS) \
	-DSOURCE_DIR='"$(abs_srcdir)"'
tests_unit_test_view_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_markdown
tests_unit_test_markdown_SOURCES = tests/unit/test_markdown.c tests/unit/unit.h
tests_unit_test_markdown_LDADD = $(UNIT_LIBS)
endif

# tests/drivers/run-* hold the drivers to the specifications.
noinst_PROGRAMS += tests/drivers/mustache tests/drivers/markdown
tests_drivers_mustache_SOURCES = tests/drivers/mustache.c
tests_drivers_mustache_LDADD = $(LIBS_ALL)
tests_drivers_markdown_SOURCES = tests/drivers/markdown.c
tests_drivers_markdown_LDADD = $(LIBS_ALL)
EXTRA_DIST += tests/drivers/run-mustache tests/drivers/run-markdown

if FUZZ
fuzz_programs += tests/fuzz/fuzz_mustache tests/fuzz/fuzz_markdown
tests_fuzz_fuzz_mustache_SOURCES = tests/fuzz/fuzz_mustache.c
tests_fuzz_fuzz_mustache_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_mustache_LDADD = $(LIBS_ALL)
tests_fuzz_fuzz_markdown_SOURCES = tests/fuzz/fuzz_markdown.c
tests_fuzz_fuzz_markdown_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_markdown_LDADD = $(LIBS_ALL)
endif
