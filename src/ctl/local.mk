# src/ctl: gnomonctl's commands.
libgnomon_a_SOURCES += src/ctl/admin.c src/ctl/ctl.h
