# src/cache: sources and unit tests of this room.
libgnomon_a_SOURCES += src/cache/cache.c src/cache/cache.h
