# src/view: sources and unit tests of this room.
