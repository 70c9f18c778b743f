-- name: migration_checksum
-- Whether an applied migration is the file we carry; no row: not applied.
-- args: version int4, text text
SELECT checksum = md5(:text) AS same FROM migration_versions WHERE version = :version

-- name: migration_done
-- Remembers an applied migration.
-- args: version int4, name text, text text
INSERT INTO migration_versions (version, name, checksum) VALUES (:version, :name, md5(:text))
