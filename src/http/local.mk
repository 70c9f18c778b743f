# src/http: sources and unit tests of this room.
libgnomon_a_SOURCES += \
	src/http/args.c src/http/cors.c src/http/dispatch.c src/http/endpoint.h src/http/etag.c \
	src/http/fcgi.c src/http/fcgi.h src/http/seats.c src/http/seats.h src/http/http.h src/http/http_priv.h \
	src/http/limit.c src/http/limit.h src/http/once.c src/http/pages.c src/http/reply.c src/http/route.c src/http/variant.c

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_http
tests_unit_test_http_SOURCES = tests/unit/test_http.c tests/unit/unit.h
tests_unit_test_http_LDADD = $(UNIT_LIBS)
endif

if FUZZ
httptoolsdir =
httptools_PROGRAMS = tests/fuzz/fuzz_params
tests_fuzz_fuzz_params_SOURCES = tests/fuzz/fuzz_params.c
tests_fuzz_fuzz_params_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_params_LDADD = $(LIBS_ALL)
endif
