# src/schema: sources and unit tests of this room.
libgnomon_a_SOURCES += \
	src/schema/check.c \
	src/schema/compile.c \
	src/schema/format.c \
	src/schema/inspect.c \
	src/schema/pattern.c \
	src/schema/schema.h src/schema/schema_priv.h \
	src/schema/set.c \
	src/schema/uri.c \
	src/schema/value.c \
	src/schema/words.c

# The metaschemas, as json-schema.org publishes them under
# https://json-schema.org/draft/2020-12/, become lines of C: {URI, text}.
schema_meta = \
	src/schema/metaschema/schema.json \
	src/schema/metaschema/meta/applicator.json \
	src/schema/metaschema/meta/content.json \
	src/schema/metaschema/meta/core.json \
	src/schema/metaschema/meta/format-annotation.json \
	src/schema/metaschema/meta/format-assertion.json \
	src/schema/metaschema/meta/meta-data.json \
	src/schema/metaschema/meta/unevaluated.json \
	src/schema/metaschema/meta/validation.json
EXTRA_DIST += $(schema_meta)
BUILT_SOURCES += src/schema/metaschema.inc
CLEANFILES += src/schema/metaschema.inc

src/schema/metaschema.inc: $(schema_meta) src/schema/local.mk
	$(AM_V_GEN)$(MKDIR_P) src/schema && for f in $(schema_meta); do \
		uri=$${f#src/schema/metaschema/}; \
		printf '{"https://json-schema.org/draft/2020-12/%s",\n' \
			"$${uri%.json}"; \
		sed -e 's/[\\"]/\\&/g' -e 's/.*/"&\\n"/' "$(srcdir)/$$f"; \
		echo '},'; \
	done > $@.tmp && mv $@.tmp $@
src/schema/set.$(OBJEXT): src/schema/metaschema.inc

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_schema
tests_unit_test_schema_SOURCES = tests/unit/test_schema.c tests/unit/unit.h
tests_unit_test_schema_LDADD = $(UNIT_LIBS)
endif

# Driven by the official suite.
noinst_PROGRAMS += tests/drivers/schema
tests_drivers_schema_SOURCES = tests/drivers/schema.c
tests_drivers_schema_LDADD = $(LIBS_ALL)
EXTRA_DIST += tests/drivers/run-schema

if FUZZ
fuzz_programs += tests/fuzz/fuzz_schema
tests_fuzz_fuzz_schema_SOURCES = tests/fuzz/fuzz_schema.c
tests_fuzz_fuzz_schema_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_schema_LDADD = $(LIBS_ALL)
endif
