# src/agents: sources and unit tests of this room.
