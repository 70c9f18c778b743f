-- As-of: the delivery tables as they were at gnomon.as_of(), by laying each
-- field's first old value after that time over the current row. With no point
-- of time set a view is its table (the other branch is a one-time filter).
-- Agents read these and gnomon.now(), never tables or now(): the same agent
-- runs live, in a test with a fixed clock, and over last month.

CREATE SCHEMA asof;
GRANT USAGE ON SCHEMA asof TO gnomon_web, gnomon_worker;

-- The fields of an entity that have changed since, with their values then.
CREATE FUNCTION gnomon.fields_then(entity uuid, at timestamptz) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT coalesce(jsonb_object_agg(f.key, f.value -> 0), '{}')
    FROM (SELECT DISTINCT ON (c.key) c.key, c.value
            FROM public.events e CROSS JOIN LATERAL jsonb_each(e.changes) c
           WHERE e.workspace_id = gnomon.workspace() AND e.entity_id = entity AND e.created_at > at
           ORDER BY c.key, e.rev) f
$$;
GRANT EXECUTE ON FUNCTION gnomon.fields_then TO gnomon_web, gnomon_worker;

-- The overlay is computed once per row (LATERAL; `(f()).*` would call f for
-- every column). What never changes comes from the table itself, so that a
-- condition on it reaches the table before the overlay is paid for. `born` is
-- when the row came to be; a column that can change is read as it was then, and
-- is NULL before the row was made. What an import dated before its time (then
-- its first event says "created" after the point of time) was not there.
CREATE FUNCTION gnomon.make_asof(watched regclass, born text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE name text := (SELECT relname FROM pg_class WHERE oid = watched);
        fixed constant text[] := '{workspace_id,id,project_id,created_at}';
        columns text := (SELECT string_agg(format('%s.%I', CASE WHEN attname = ANY (fixed) THEN 't' ELSE 'r' END, attname), ', ' ORDER BY attnum)
                           FROM pg_attribute WHERE attrelid = watched AND attnum > 0 AND NOT attisdropped);
BEGIN
  EXECUTE format($v$
    CREATE VIEW asof.%1$I WITH (security_invoker = true) AS
    SELECT t.* FROM public.%1$I t WHERE gnomon.as_of() IS NULL
    UNION ALL
    SELECT %2$s
      FROM public.%1$I t
     CROSS JOIN LATERAL jsonb_populate_record(t, gnomon.fields_then(t.id, gnomon.as_of())) r
     WHERE gnomon.as_of() IS NOT NULL AND %3$s.%4$I <= gnomon.as_of()
       AND NOT EXISTS (SELECT FROM public.events e
                        WHERE e.workspace_id = t.workspace_id AND e.entity_id = t.id AND e.action = 'created'
                          AND e.created_at > gnomon.as_of()) $v$,
    name, columns, CASE WHEN born = ANY (fixed) THEN 't' ELSE 'r' END, born);
  EXECUTE format('GRANT SELECT ON asof.%I TO gnomon_web, gnomon_worker', name);
END $$;
SELECT gnomon.make_asof('projects', 'created_at');
SELECT gnomon.make_asof('epics', 'created_at');
SELECT gnomon.make_asof('stories', 'created_at');
SELECT gnomon.make_asof('sprints', 'created_at');
SELECT gnomon.make_asof('sprint_items', 'added_at');
SELECT gnomon.make_asof('dependencies', 'created_at');
