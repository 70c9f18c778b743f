# src/http: sources and unit tests of this room.
