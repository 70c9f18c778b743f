# src/net: sources, unit tests and fuzz targets of this room.
libgnomon_a_SOURCES += \
	src/net/address.c src/net/http.c src/net/mail.c \
	src/net/net.h src/net/net_priv.h src/net/sse.c src/net/sse.h

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_net
tests_unit_test_net_SOURCES = tests/unit/test_net.c tests/unit/unit.h
tests_unit_test_net_LDADD = $(UNIT_LIBS)
endif

if FUZZ
fuzz_programs += tests/fuzz/fuzz_mail
tests_fuzz_fuzz_mail_SOURCES = tests/fuzz/fuzz_mail.c
tests_fuzz_fuzz_mail_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_mail_LDADD = $(LIBS_ALL)
endif
