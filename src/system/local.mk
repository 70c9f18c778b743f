# src/system: sources and unit tests of this room.
libgnomon_a_SOURCES += src/system/system_api.c
