# src/import: stories of other trackers.
libgnomon_a_SOURCES += src/import/import.h src/import/import_api.c src/import/row.c
