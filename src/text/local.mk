# src/text: sources and unit tests of this room.
