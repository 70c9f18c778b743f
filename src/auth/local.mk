# src/auth: sources and unit tests of this room.
libgnomon_a_SOURCES += src/auth/auth.c src/auth/auth.h
