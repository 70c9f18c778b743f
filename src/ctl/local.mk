# src/ctl: gnomonctl's commands.
libgnomon_a_SOURCES += src/ctl/admin.c src/ctl/agent.c src/ctl/ai.c src/ctl/audit.c src/ctl/ctl.h \
	src/ctl/export.c \
	src/ctl/import.c src/ctl/import_workspace.c src/ctl/workspace_file.h src/ctl/sql.c

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_ctl
tests_unit_test_ctl_SOURCES = tests/unit/test_ctl.c tests/unit/unit.h
tests_unit_test_ctl_LDADD = $(UNIT_LIBS)
endif
