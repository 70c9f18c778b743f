# src/auth: sources and unit tests of this room.
