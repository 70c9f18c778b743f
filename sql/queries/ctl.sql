-- What gnomonctl asks.

-- name: demo_is_loaded
-- args:
SELECT EXISTS (SELECT FROM workspaces WHERE slug = 'acme') AS there

-- name: demo_settings
-- What the files of sql/demo read; today is '' for the current date.
-- args: password_hash text, today text
SELECT set_config('role', 'gnomon_owner', true), set_config('gnomon.demo_password_hash', :password_hash, true),
       set_config('gnomon.demo_today', :today, true)

-- name: doctor_role
-- The role we are, and whether it is as weak as a running process should be.
-- args:
SELECT r.rolname::text AS name,
       NOT r.rolsuper AND NOT r.rolbypassrls
       AND NOT EXISTS (SELECT FROM pg_class c WHERE c.relowner = r.oid AND c.relkind IN ('r', 'p')) AS good
  FROM pg_roles r WHERE r.rolname = current_user

-- name: doctor_schema
-- args:
SELECT (SELECT count(*) FROM migration_versions) AS version,
       to_regclass('events_' || to_char(now() + interval '1 month', 'YYYYMM')) IS NOT NULL AS covered,
       gnomon.late_jobs() AS late
