# src/auth: sources and unit tests of this room.
libgnomon_a_SOURCES += src/auth/auth.c src/auth/auth.h src/auth/totp.c

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_auth
tests_unit_test_auth_SOURCES = tests/unit/test_auth.c tests/unit/unit.h
tests_unit_test_auth_LDADD = $(UNIT_LIBS)
endif
