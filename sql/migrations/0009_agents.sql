-- What agents read besides the as-of tables, and the few words their SQL is
-- written with: working days, numbers as people read them, lists, citations.

-- The event log up to the point of time.
CREATE VIEW asof.events WITH (security_invoker = true) AS
SELECT * FROM public.events WHERE gnomon.as_of() IS NULL OR created_at <= gnomon.as_of();

-- Names and the time zone have no history: they are read as they are.
CREATE VIEW asof.people WITH (security_invoker = true) AS
SELECT m.workspace_id, m.user_id AS id, u.name
  FROM public.workspace_members m JOIN public.users u ON u.id = m.user_id;

CREATE VIEW asof.workspaces WITH (security_invoker = true) AS
SELECT id, timezone FROM public.workspaces;

GRANT SELECT ON asof.events, asof.people, asof.workspaces TO gnomon_web, gnomon_worker;

-- Days from Monday to Friday, the first day included, the last one not; 0 when
-- they are in the wrong order. 0001-01-01 was a Monday.
CREATE FUNCTION gnomon.working_days(since date, until date) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
SELECT greatest(0, 5 * ((until - date '0001-01-01') / 7) + least((until - date '0001-01-01') % 7, 5)
                 - 5 * ((since - date '0001-01-01') / 7) - least((since - date '0001-01-01') % 7, 5))
$$;

-- 49, 2.4, 1,204: at most one decimal, thousands apart.
CREATE FUNCTION gnomon.say(amount numeric) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT replace(to_char(round(amount, 1), 'FM999,999,999,990.0'), '.0', '') $$;

-- 1 story, 3 stories.
CREATE FUNCTION gnomon.say(amount numeric, one text, many text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT gnomon.say(amount) || ' ' || CASE WHEN round(amount, 1) = 1 THEN one ELSE many END $$;

-- 20 November.
CREATE FUNCTION gnomon.say(day date) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT to_char(day, 'FMDD FMMonth') $$;

-- in progress.
CREATE FUNCTION gnomon.say_status(status text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT CASE status WHEN 'in_progress' THEN 'in progress' WHEN 'review' THEN 'in review'
                         WHEN 'backlog' THEN 'in the backlog' ELSE status END $$;

-- A, B and C; A, B and 4 more when there are more than `most`.
CREATE FUNCTION gnomon.say_list(things text[], most integer DEFAULT 20) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
SELECT CASE
  WHEN n = 1 THEN things[1]
  WHEN n <= most THEN array_to_string(things[:n - 1], ', ') || ' and ' || things[n]
  WHEN n > most THEN array_to_string(things[:most], ', ') || ' and ' || gnomon.say(n - most) || ' more'
END FROM (SELECT cardinality(things) AS n) c
$$;

-- The facts with these keys, in the order of the keys: what a text cites as
-- [1], [2], … A key that is absent is left out, so name only what is there.
CREATE FUNCTION gnomon.pick_facts(facts jsonb, VARIADIC keys text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
SELECT coalesce(jsonb_agg(f.fact ORDER BY k.place, f.place), '[]')
  FROM unnest(keys) WITH ORDINALITY AS k (key, place)
  JOIN jsonb_array_elements(facts) WITH ORDINALITY AS f (fact, place) ON f.fact ->> 'key' = k.key
$$;

GRANT EXECUTE ON FUNCTION gnomon.working_days, gnomon.say(numeric), gnomon.say(numeric, text, text), gnomon.say(date),
  gnomon.say_status, gnomon.say_list, gnomon.pick_facts TO gnomon_web, gnomon_worker;
