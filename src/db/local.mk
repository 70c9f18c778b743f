# src/db: sources and unit tests of this room.
