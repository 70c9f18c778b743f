# src/db: sources and unit tests of this room.
libgnomon_a_SOURCES += \
	src/db/db.c src/db/db.h src/db/db_priv.h \
	src/db/migrate.c src/db/migrate.h \
	src/db/rows.c src/db/rows.h src/db/stmt.h

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_db
tests_unit_test_db_SOURCES = tests/unit/test_db.c tests/unit/unit.h
tests_unit_test_db_LDADD = $(UNIT_LIBS)
endif
