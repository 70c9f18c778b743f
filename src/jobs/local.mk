# src/jobs: sources and unit tests of this room.
