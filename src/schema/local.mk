# src/schema: sources and unit tests of this room.
