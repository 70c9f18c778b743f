# src/gen: the build-time generator and what it makes.
noinst_PROGRAMS += src/gen/sqlgen
src_gen_sqlgen_SOURCES = src/gen/sqlgen.c src/gen/embed.h \
	src/base/mem.c src/base/buf.c src/base/text.c
src_gen_sqlgen_LDADD = $(GNOMON_LIBS)

sql_types = sql/api/types.def
sql_schemas = $(wildcard $(srcdir)/sql/api/*.schema.json)
sql_blocks = $(wildcard $(srcdir)/sql/api/*.sql) $(wildcard $(srcdir)/sql/pages/*.sql)
sql_queries = $(wildcard $(srcdir)/sql/queries/*.sql) $(wildcard $(srcdir)/sql/jobs/*.sql)
sql_embedded = $(wildcard $(srcdir)/sql/migrations/*.sql) $(wildcard $(srcdir)/sql/demo/*.sql) \
	$(sql_schemas)
agent_folders = $(sort $(patsubst %/agent.json,%,$(wildcard $(srcdir)/src/agents/*/agent.json)))
agent_files = $(wildcard $(srcdir)/src/agents/*/*.sql) $(wildcard $(srcdir)/src/agents/*/agent.json)
EXTRA_DIST += $(agent_files) $(sql_types) $(sql_blocks) $(sql_queries) $(sql_embedded) sql/README.md

SQLGEN = cd "$(abs_srcdir)" && "$(abs_builddir)/src/gen/sqlgen"
here = $(patsubst $(srcdir)/%,%,$(1))
generated = src/gen/endpoints.c src/gen/queries.h src/gen/queries.c src/gen/agents.c src/gen/embed.c
BUILT_SOURCES += $(generated)
CLEANFILES += $(generated)
nodist_libgnomon_a_SOURCES = $(generated)

src/gen/endpoints.c: src/gen/sqlgen$(EXEEXT) $(srcdir)/$(sql_types) $(sql_schemas) $(sql_blocks)
	@$(MKDIR_P) src/gen
	$(AM_V_GEN)out="$(abs_builddir)/$@"; $(SQLGEN) endpoints $(sql_types) $(call here,$(sql_schemas)) -- \
		$(call here,$(sql_blocks)) >"$$out.new" && mv "$$out.new" "$$out"
src/gen/queries.h: src/gen/sqlgen$(EXEEXT) $(sql_queries)
	@$(MKDIR_P) src/gen
	$(AM_V_GEN)out="$(abs_builddir)/$@"; $(SQLGEN) queries header $(call here,$(sql_queries)) >"$$out.new" && mv "$$out.new" "$$out"
src/gen/queries.c: src/gen/sqlgen$(EXEEXT) $(sql_queries)
	@$(MKDIR_P) src/gen
	$(AM_V_GEN)out="$(abs_builddir)/$@"; $(SQLGEN) queries source $(call here,$(sql_queries)) >"$$out.new" && mv "$$out.new" "$$out"
src/gen/agents.c: src/gen/sqlgen$(EXEEXT) $(agent_files)
	@$(MKDIR_P) src/gen
	$(AM_V_GEN)out="$(abs_builddir)/$@"; $(SQLGEN) agents $(call here,$(agent_folders)) >"$$out.new" && mv "$$out.new" "$$out"
src/gen/embed.c: src/gen/sqlgen$(EXEEXT) $(sql_embedded)
	@$(MKDIR_P) src/gen
	$(AM_V_GEN)out="$(abs_builddir)/$@"; { \
		$(SQLGEN) embed embedded_migrations $(call here,$(filter %.sql,$(filter $(srcdir)/sql/migrations/%,$(sql_embedded)))) && \
		$(SQLGEN) embed embedded_demo $(call here,$(filter $(srcdir)/sql/demo/%,$(sql_embedded))) && \
		$(SQLGEN) embed embedded_schemas $(call here,$(sql_schemas)); } >"$$out.new" && mv "$$out.new" "$$out"

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_gen
tests_unit_test_gen_SOURCES = tests/unit/test_gen.c tests/unit/unit.h
tests_unit_test_gen_LDADD = $(UNIT_LIBS)
endif
