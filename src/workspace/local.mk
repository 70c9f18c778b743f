# src/workspace: sources of this room.
libgnomon_a_SOURCES += src/workspace/invitation_api.c
