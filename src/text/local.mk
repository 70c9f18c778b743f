# src/text: sources, unit tests and fuzz targets of this room.
libgnomon_a_SOURCES += \
	src/text/csv.c src/text/csv.h \
	src/text/similar.c src/text/similar.h \
	src/text/tokens.c src/text/tokens.h

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_text
tests_unit_test_text_SOURCES = tests/unit/test_text.c tests/unit/unit.h
tests_unit_test_text_CPPFLAGS = $(AM_CPPFLAGS) \
	-DSOURCE_DIR='"$(abs_srcdir)"'
tests_unit_test_text_LDADD = $(UNIT_LIBS)
endif

if FUZZ
fuzz_programs += tests/fuzz/fuzz_csv
tests_fuzz_fuzz_csv_SOURCES = tests/fuzz/fuzz_csv.c
tests_fuzz_fuzz_csv_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_csv_LDADD = $(LIBS_ALL)
endif
