# src/db: sources and unit tests of this room.
libgnomon_a_SOURCES += \
	src/db/db.c src/db/db.h src/db/db_priv.h \
	src/db/migrate.c src/db/migrate.h \
	src/db/rows.c src/db/rows.h src/db/stmt.h
