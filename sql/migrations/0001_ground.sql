-- The ground everything stands on: settings of a transaction, ids, clock.
-- Runs as gnomon_owner; gnomonctl migrate made the roles before (roles belong
-- to the cluster, not to a database).

REVOKE ALL ON SCHEMA public FROM PUBLIC;
CREATE SCHEMA gnomon;
GRANT USAGE ON SCHEMA public, gnomon TO gnomon_web, gnomon_stream, gnomon_worker;
-- Without IN SCHEMA: a schema's default privileges can only add to the global
-- ones, and EXECUTE for PUBLIC is a global one (PostgreSQL manual, ALTER DEFAULT
-- PRIVILEGES). With it every role could call every definer function.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

-- What gnomon.enter_… sets for the length of a transaction. After a commit a
-- local setting reads '', hence the nullif. LANGUAGE sql STABLE and never
-- SECURITY DEFINER: these must inline, so that they become index conditions.
CREATE FUNCTION gnomon.workspace() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT nullif(pg_catalog.current_setting('gnomon.workspace', true), '')::uuid $$;

CREATE FUNCTION gnomon.project() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT nullif(pg_catalog.current_setting('gnomon.project', true), '')::uuid $$;

CREATE FUNCTION gnomon.actor() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT nullif(pg_catalog.current_setting('gnomon.actor', true), '')::uuid $$;

-- True while an agent's proposal is being applied: such writes are marked.
CREATE FUNCTION gnomon.ai_triggered() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT coalesce(pg_catalog.current_setting('gnomon.ai_triggered', true), '') = 'on' $$;

-- The clock everybody reads. Tests, the demo and a backtest hold it still.
CREATE FUNCTION gnomon.now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT coalesce(nullif(pg_catalog.current_setting('gnomon.clock', true), '')::timestamptz,
                      pg_catalog.now()) $$;

-- The point of time at which asof.* views show the data; NULL is the present.
CREATE FUNCTION gnomon.as_of() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT nullif(pg_catalog.current_setting('gnomon.as_of', true), '')::timestamptz $$;

-- UUIDv7 (RFC 9562 section 5.7): 48 bits of milliseconds, version, 74 random
-- bits, so that new rows land at the right end of every index.
CREATE FUNCTION gnomon.uuid7() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE
AS $$
SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
         PLACING substring(int8send(floor(extract(epoch FROM
             coalesce(nullif(pg_catalog.current_setting('gnomon.clock', true), '')::timestamptz,
                      clock_timestamp())) * 1000)::bigint) FROM 3)
         FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid
$$;

-- Roles in order; 0 is no role at all.
CREATE FUNCTION gnomon.rank(role text) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT CASE role WHEN 'viewer' THEN 1 WHEN 'member' THEN 2
                       WHEN 'admin' THEN 3 WHEN 'owner' THEN 4 ELSE 0 END $$;

-- Severities in order (requirements U05).
CREATE FUNCTION gnomon.severity_rank(severity text) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT CASE severity WHEN 'low' THEN 1 WHEN 'medium' THEN 2
                           WHEN 'high' THEN 3 WHEN 'critical' THEN 4 ELSE 0 END $$;

-- Refuses the transaction with one of the errors of src/base/err.def. The
-- SQLSTATE is GN000; the word travels as the message.
CREATE FUNCTION gnomon.refuse(word text, detail text DEFAULT '') RETURNS void
LANGUAGE plpgsql AS $$ BEGIN
  RAISE EXCEPTION USING ERRCODE = 'GN000', MESSAGE = word, DETAIL = detail;
END $$;

GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA gnomon TO gnomon_web, gnomon_stream, gnomon_worker;
