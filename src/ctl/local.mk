# src/ctl: gnomonctl's commands.
libgnomon_a_SOURCES += src/ctl/admin.c src/ctl/agent.c src/ctl/ctl.h \
	src/ctl/import.c src/ctl/import.h src/ctl/import_row.c src/ctl/sql.c
