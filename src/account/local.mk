# src/account: sources and unit tests of this room.
libgnomon_a_SOURCES += src/account/account_api.c
