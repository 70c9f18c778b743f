# src/http: sources and unit tests of this room.
libgnomon_a_SOURCES += \
	src/http/args.c src/http/cors.c src/http/dispatch.c src/http/endpoint.h src/http/etag.c \
	src/http/fcgi.c src/http/fcgi.h src/http/seats.c src/http/seats.h src/http/http.h src/http/http_priv.h \
	src/http/example.c src/http/help.c src/http/label.c src/http/openapi.c src/http/openapi.h \
	src/http/limit.c src/http/limit.h src/http/once.c src/http/pages.c src/http/parts.c src/http/reply.c src/http/route.c src/http/variant.c

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_http
tests_unit_test_http_SOURCES = tests/unit/test_http.c tests/unit/unit.h
tests_unit_test_http_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_openapi
tests_unit_test_openapi_SOURCES = tests/unit/test_openapi.c tests/unit/unit.h
tests_unit_test_openapi_CPPFLAGS = $(AM_CPPFLAGS) \
	-DSOURCE_DIR='"$(abs_srcdir)"'
tests_unit_test_openapi_LDADD = $(UNIT_LIBS)
EXTRA_DIST += tests/unit/openapi-3.1.schema.json
endif

if FUZZ
fuzz_programs += tests/fuzz/fuzz_params tests/fuzz/fuzz_request
tests_fuzz_fuzz_params_SOURCES = tests/fuzz/fuzz_params.c
tests_fuzz_fuzz_params_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_params_LDADD = $(LIBS_ALL)
tests_fuzz_fuzz_request_SOURCES = tests/fuzz/fuzz_request.c
tests_fuzz_fuzz_request_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_request_LDADD = $(LIBS_ALL)
tests_fuzz_fuzz_request_CPPFLAGS = $(AM_CPPFLAGS) \
	-DSOURCE_DIR='"$(abs_srcdir)"'
endif
