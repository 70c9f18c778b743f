# src/agents: the pipeline; the agents themselves are folders (gen/agents.c).
libgnomon_a_SOURCES += src/agents/agents.h src/agents/pipeline.c
