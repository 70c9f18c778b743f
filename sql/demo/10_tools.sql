-- The demo: a workspace with half a year behind it. These files run in the order
-- of their names, in one transaction, as gnomon_owner. 10 to 60 only fill
-- temporary tables; 70 and 80 write, and do so by replaying the history act by
-- act with the clock at the moment and the person of each act, so that events,
-- burndowns and the past are what real use would have left. The same
-- gnomon.demo_today gives the same people, titles, numbers, dates and states.

-- A number from 0 to 1 (exclusive) that depends on the words alone.
CREATE FUNCTION pg_temp.roll(seed text) RETURNS double precision LANGUAGE sql IMMUTABLE AS $$
  SELECT ('x' || left(md5(seed), 8))::bit(32)::bigint / 4294967296.0 $$;

-- The day today is in the demo, and the zone its people work in.
CREATE FUNCTION pg_temp.today() RETURNS date LANGUAGE sql STABLE AS $$
  SELECT coalesce(nullif(current_setting('gnomon.demo_today', true), '')::date,
                  (now() AT TIME ZONE 'Europe/London')::date) $$;

-- The nth working day (0, 1, 2, …) at or after a day.
CREATE FUNCTION pg_temp.workday(since date, n integer) RETURNS date LANGUAGE sql IMMUTABLE AS $$
  SELECT d.first + n + 2 * ((extract(isodow FROM d.first)::integer - 1 + n) / 5)
    FROM (SELECT since + CASE extract(isodow FROM since)::integer WHEN 6 THEN 2 WHEN 7 THEN 1 ELSE 0 END AS first) d $$;

-- A moment in working days after the morning of a day: 2.5 is the middle of the
-- third one. People work from 9:00 to 17:30. Negative is before that morning.
CREATE FUNCTION pg_temp.moment(since date, at double precision) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
  SELECT (pg_temp.workday(since - 7 * m.weeks, floor(m.at)::integer)
          + time '09:00' + (m.at - floor(m.at)) * interval '8 hours 30 minutes') AT TIME ZONE 'Europe/London'
    FROM (SELECT w.weeks, at + 5 * w.weeks AS at FROM (SELECT ceil(greatest(0, -at) / 5)::integer AS weeks) w) m $$;

CREATE TEMP TABLE demo_person (
  place integer PRIMARY KEY, name text, email text, role text, team text, leads boolean, id uuid DEFAULT gnomon.uuid7()
) ON COMMIT DROP;

CREATE TEMP TABLE demo_epic (
  project text, epic integer, title text, description text, priority text,
  criteria text[],          -- what may be asked of any story of the epic
  id uuid, PRIMARY KEY (project, epic)
) ON COMMIT DROP;

CREATE TEMP TABLE demo_story (
  n integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  project text NOT NULL, epic integer,
  title text NOT NULL UNIQUE, description text NOT NULL DEFAULT '',
  kind text NOT NULL DEFAULT 'story' CHECK (kind IN ('story', 'now', 'backlog', 'twin')),
  estimate integer, priority text, assignee integer, id uuid
) ON COMMIT DROP;

-- Nothing is changed where the workspace is there already.
CREATE TEMP TABLE demo_fresh ON COMMIT DROP AS
SELECT NOT EXISTS (SELECT FROM workspaces WHERE slug = 'acme') AS yes;
