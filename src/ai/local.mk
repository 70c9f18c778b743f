# src/ai: sources, unit tests and fuzz targets of this room.
libgnomon_a_SOURCES += \
	src/ai/ai.h src/ai/ai_priv.h src/ai/fault.def \
	src/ai/ask.c src/ai/breaker.c src/ai/call.c src/ai/chain.c \
	src/ai/providers/anthropic.c src/ai/providers/openai.c \
	src/ai/providers/sandbox.c \
	src/ai/redact.c src/ai/redact.h src/ai/shape.c src/ai/wire.c

# Driven by tests/drivers/run-ai against tests/ai-stub.mjs.
noinst_PROGRAMS += tests/drivers/ai
tests_drivers_ai_SOURCES = tests/drivers/ai.c
tests_drivers_ai_LDADD = $(LIBS_ALL)
EXTRA_DIST += tests/drivers/run-ai tests/drivers/ai.test.mjs tests/ai-stub.mjs

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_ai
tests_unit_test_ai_SOURCES = tests/unit/test_ai.c tests/unit/unit.h
tests_unit_test_ai_LDADD = $(UNIT_LIBS)
endif

if FUZZ
fuzz_programs += tests/fuzz/fuzz_sse tests/fuzz/fuzz_openai \
	tests/fuzz/fuzz_anthropic tests/fuzz/fuzz_redact
tests_fuzz_fuzz_sse_SOURCES = tests/fuzz/fuzz_sse.c
tests_fuzz_fuzz_sse_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_sse_LDADD = $(LIBS_ALL)
tests_fuzz_fuzz_openai_SOURCES = tests/fuzz/fuzz_openai.c tests/fuzz/ai_answer.h
tests_fuzz_fuzz_openai_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_openai_LDADD = $(LIBS_ALL)
tests_fuzz_fuzz_anthropic_SOURCES = tests/fuzz/fuzz_anthropic.c tests/fuzz/ai_answer.h
tests_fuzz_fuzz_anthropic_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_anthropic_LDADD = $(LIBS_ALL)
tests_fuzz_fuzz_redact_SOURCES = tests/fuzz/fuzz_redact.c
tests_fuzz_fuzz_redact_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_redact_LDADD = $(LIBS_ALL)
endif
