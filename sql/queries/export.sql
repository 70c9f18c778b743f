-- A workspace as a file (0017_history.sql, src/ctl/export.c). As an operator.

-- name: export_snapshot
-- Everything that follows sees one moment.
-- args:
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ

-- name: export_begin
-- args: slug text
SELECT gnomon.export_begin(:slug)

-- name: export_names
-- args:
SELECT id, kind, stand_in, word, name FROM gnomon.export_names()

-- name: export_tables
-- args:
SELECT name FROM gnomon.export_tables()

-- name: export_left_out
-- What does not travel, and the schema's version.
-- args:
SELECT jsonb_object_agg(concat_ws('.', l.name, l.field), l.reason)::text AS left_out,
       (SELECT max(version) FROM migration_versions) AS version
  FROM gnomon.left_out() l

-- name: export_stage
-- args: name text
SELECT gnomon.export_stage(:name) AS n

-- name: export_page
-- args: after int
SELECT n, line FROM gnomon.export_page(:after)

-- name: import_begin
-- args: slug text
SELECT gnomon.import_begin(:slug) AS id

-- name: import_id
-- args: kind text, was uuid, word text, called text
SELECT gnomon.import_id(:kind, :was, :word, :called) AS id

-- name: import_rows
-- args: name text, rows jsonb
SELECT gnomon.import_rows(:name, :rows)

-- name: import_end
-- args:
SELECT gnomon.import_end()
