-- Lists and schedules: what is asked of them by filter, and by people.

-- ---- the second wall, estimated as what it is
-- As in 0010, in words that the planner expects to be true of nearly every row. Of
-- `<> ALL` with a list it does not know it expects that one row in twenty passes; with
-- that it takes lists for so short that it reads and sorts them rather than walk
-- an index for a page.
CREATE OR REPLACE FUNCTION gnomon.wall_project(project text, VARIADIC tables regclass[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE t regclass;
BEGIN
  FOREACH t IN ARRAY tables LOOP
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('DROP POLICY IF EXISTS tenant ON %s', t);
    EXECUTE format('CREATE POLICY tenant ON %s USING (workspace_id = gnomon.workspace()
                    AND nullif((%s = ANY ((SELECT gnomon.hidden())::uuid[])) IS TRUE, true) IS NOT NULL)', t, project);
  END LOOP;
END $$;
DO $$
DECLARE p record;
BEGIN
  FOR p IN SELECT format('%I.%I', schemaname, tablename)::regclass AS walled,
                  substring(qual FROM '\(\((\w+) <> ALL \(\( SELECT gnomon\.hidden\(\)') AS project
             FROM pg_policies WHERE policyname = 'tenant' AND qual LIKE '%<> ALL (( SELECT gnomon.hidden()%' LOOP
    PERFORM gnomon.wall_project(p.project, p.walled);
  END LOOP;
END $$;

-- What a run said of an insight is there for whom the insight is there: a count of them
-- must not tell of a private project.
ALTER POLICY tenant ON insight_sightings USING (workspace_id = gnomon.workspace() AND ((SELECT gnomon.hidden()) = '{}'
  OR EXISTS (SELECT FROM agent_insights i WHERE i.workspace_id = insight_sightings.workspace_id AND i.id = insight_sightings.insight_id)));

-- ---- lists
-- What lists are filtered by, in the order of the list: a value that few rows
-- have must not cost a walk past all the others (tests/db/plans.test.mjs). Each costs
-- its table's writes an entry; where lists are short, a column at the end of the
-- index of their order does (it is looked at there, not in the rows).
CREATE INDEX agent_runs_status ON agent_runs (workspace_id, status, id);      -- failed runs among thousands that succeeded
CREATE INDEX agent_runs_made ON agent_runs (workspace_id, created_at);       -- what ran this week
CREATE INDEX jobs_state ON jobs (workspace_id, state, id);                    -- dead letters among what is done
CREATE INDEX jobs_queue ON jobs (workspace_id, queue, id);                    -- a quiet queue beside a busy one
CREATE INDEX jobs_kind ON jobs (workspace_id, kind, id);                      -- a kind that runs once a week
DROP INDEX tasks_assignee;      -- no statement asks so: lists of tasks take the done ones, too
CREATE INDEX projects_team ON projects (workspace_id, team_id) WHERE team_id IS NOT NULL;   -- a team's part of the insights
CREATE INDEX stories_status ON stories (workspace_id, project_id, status, id) WHERE deleted_at IS NULL;        -- the five in review of 5,000 that are done
CREATE INDEX stories_whose ON stories (workspace_id, project_id, assignee_id, id) WHERE deleted_at IS NULL;    -- somebody's stories, and nobody's
CREATE INDEX stories_team ON stories (workspace_id, team_id) WHERE team_id IS NOT NULL AND deleted_at IS NULL;  -- how many a team has
CREATE INDEX audit_log_type ON audit_log (workspace_id, entity_type, number);                                  -- what was done to keys among all sign-ins

DROP INDEX stories_newest;      -- and how soon they are due, for dueBefore
CREATE INDEX stories_newest ON stories (workspace_id, project_id, id, due_date) WHERE deleted_at IS NULL;
DROP INDEX tasks_project;       -- and their state and assignee
CREATE INDEX tasks_project ON tasks (workspace_id, project_id, id, status, assignee_id) WHERE deleted_at IS NULL;
DROP INDEX epics_order;         -- and their state
CREATE INDEX epics_order ON epics (workspace_id, project_id, position, id, status) WHERE deleted_at IS NULL;
DROP INDEX dependencies_project;        -- in the order of the list, and their type
CREATE INDEX dependencies_project ON dependencies (workspace_id, project_id, id, dependency_type) WHERE removed_at IS NULL;
DROP INDEX objectives_newest;   -- and their state, and whose they are
CREATE INDEX objectives_newest ON objectives (workspace_id, id, status, owner_id, team_id, project_id) WHERE deleted_at IS NULL;
DROP INDEX stories_backlog;     -- and their priority, assignee and epic
CREATE INDEX stories_backlog ON stories (workspace_id, project_id, (status <> 'ready'), position, id, gnomon.priority_rank(priority), assignee_id, epic_id)
  WHERE deleted_at IS NULL AND status IN ('backlog', 'ready');

-- ---- how much a project has of what
-- The stories of a project by status, counted where they change: what a page says of all
-- of them must not cost a look at each. Kept below the lock of the project's
-- revision, which every change of a story holds (u_ fires after track_).
CREATE TABLE story_tallies (
  workspace_id uuid NOT NULL,
  project_id   uuid NOT NULL,
  status       text COLLATE "C" NOT NULL CHECK (status IN ('backlog', 'ready', 'in_progress', 'review', 'done')),
  stories      bigint NOT NULL,
  points       numeric NOT NULL,        -- exact: sums of doubles would drift
  unestimated  bigint NOT NULL,
  unassigned   bigint NOT NULL,
  PRIMARY KEY (workspace_id, project_id, status),
  FOREIGN KEY (workspace_id, project_id) REFERENCES projects
) WITH (fillfactor = 50);
INSERT INTO story_tallies
SELECT s.workspace_id, s.project_id, s.status, count(*), coalesce(sum(s.estimate::numeric), 0),
       count(*) FILTER (WHERE s.estimate IS NULL), count(*) FILTER (WHERE s.assignee_id IS NULL)
  FROM stories s WHERE s.deleted_at IS NULL
 GROUP BY 1, 2, 3;

CREATE FUNCTION gnomon.tally_stories() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO public.story_tallies AS k
    SELECT r.workspace_id, r.project_id, r.status, count(*), coalesce(sum(r.estimate::numeric), 0),
           count(*) FILTER (WHERE r.estimate IS NULL), count(*) FILTER (WHERE r.assignee_id IS NULL)
      FROM new_rows r WHERE r.deleted_at IS NULL
     GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
        ON CONFLICT (workspace_id, project_id, status) DO UPDATE
       SET stories = k.stories + excluded.stories, points = k.points + excluded.points,
           unestimated = k.unestimated + excluded.unestimated, unassigned = k.unassigned + excluded.unassigned;
  ELSE
    INSERT INTO public.story_tallies AS k
    SELECT d.*
      FROM (SELECT r.workspace_id, r.project_id, r.status, sum(r.n) AS n, coalesce(sum(r.n * r.estimate::numeric), 0) AS points,
                   sum(r.n * (r.estimate IS NULL)::integer) AS unestimated, sum(r.n * (r.assignee_id IS NULL)::integer) AS unassigned
              FROM (SELECT o.workspace_id, o.project_id, o.status, o.estimate, o.assignee_id, -1 AS n FROM old_rows o WHERE o.deleted_at IS NULL
                    UNION ALL
                    SELECT n.workspace_id, n.project_id, n.status, n.estimate, n.assignee_id, 1 FROM new_rows n WHERE n.deleted_at IS NULL) r
             GROUP BY 1, 2, 3) d
     WHERE (d.n, d.points, d.unestimated, d.unassigned) <> (0, 0, 0, 0)
     ORDER BY 1, 2, 3
        ON CONFLICT (workspace_id, project_id, status) DO UPDATE
       SET stories = k.stories + excluded.stories, points = k.points + excluded.points,
           unestimated = k.unestimated + excluded.unestimated, unassigned = k.unassigned + excluded.unassigned;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER u_tally_insert AFTER INSERT ON stories REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION gnomon.tally_stories();
CREATE TRIGGER u_tally_update AFTER UPDATE ON stories REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION gnomon.tally_stories();
SELECT gnomon.wall_project('project_id', 'story_tallies');
GRANT SELECT ON story_tallies TO gnomon_web, gnomon_worker;

-- A period is one row, and a span's stories are looked up by their index; joined, a
-- function in SQL would be unfolded, and every story that was ever done read (a span
-- computed with AT TIME ZONE, which is not leakproof, is no index condition).
ALTER FUNCTION gnomon.period(date, date) ROWS 1;
CREATE OR REPLACE FUNCTION gnomon.finished_stories(starts timestamptz, ends timestamptz)
RETURNS TABLE (id uuid, number integer, title text, estimate double precision, created_at timestamptz, started_at timestamptz,
               finished_at timestamptz, cycle_days double precision, lead_days double precision)
LANGUAGE plpgsql STABLE ROWS 100 AS $$
BEGIN
  RETURN QUERY
  SELECT t.id, t.number, t.title, t.estimate, t.created_at, b.started_at, t.status_since,
         CASE WHEN b.started_at <= t.status_since THEN round((extract(epoch FROM t.status_since - b.started_at) / 86400)::numeric, 2)::double precision END,
         CASE WHEN t.created_at <= t.status_since THEN round((extract(epoch FROM t.status_since - t.created_at) / 86400)::numeric, 2)::double precision END
    FROM public.stories t
   CROSS JOIN LATERAL (SELECT min(e.created_at) AS started_at FROM public.events e
                        WHERE e.workspace_id = t.workspace_id AND e.entity_id = t.id
                          AND e.created_at >= t.created_at - interval '1 day' AND e.created_at <= t.status_since   -- the months of its life
                          AND e.changes #>> '{status,1}' = 'in_progress') b
   WHERE t.workspace_id = gnomon.workspace() AND t.project_id = gnomon.project() AND t.status = 'done' AND t.deleted_at IS NULL
     AND t.status_since >= starts AND t.status_since < ends;
END $$;

CREATE OR REPLACE FUNCTION gnomon.flow(starts timestamptz, ends timestamptz)
RETURNS TABLE (finished bigint, points double precision, made bigint, cycle double precision, lead double precision)
LANGUAGE plpgsql STABLE ROWS 1 AS $$
BEGIN
  RETURN QUERY
  SELECT count(*), gnomon.points(sum(f.estimate)),
         (SELECT count(*) FROM public.stories t WHERE t.workspace_id = gnomon.workspace() AND t.project_id = gnomon.project() AND t.deleted_at IS NULL
             AND t.created_at >= starts AND t.created_at < ends),
         round((percentile_cont(0.5) WITHIN GROUP (ORDER BY f.cycle_days))::numeric, 2)::double precision,
         round((percentile_cont(0.5) WITHIN GROUP (ORDER BY f.lead_days))::numeric, 2)::double precision
    FROM gnomon.finished_stories(starts, ends) f;
END $$;

-- A sprint's stays are few, and found by their index: unfolded into a burndown, the
-- planner takes them for thousands and reads the project's whole history beside them.
CREATE OR REPLACE FUNCTION gnomon.sprint_stays(of_sprint uuid)
RETURNS TABLE (id uuid, story_id uuid, added_at timestamptz, removed_at timestamptz, completed_at timestamptz, original_estimate double precision,
               final_estimate double precision, carried_to uuid, number integer, title text, status text, priority text,
               estimate double precision, assignee_id uuid, deleted_at timestamptz)
LANGUAGE plpgsql STABLE ROWS 50 SET plan_cache_mode = force_generic_plan AS $$
BEGIN
  RETURN QUERY
  SELECT i.id, i.story_id, i.added_at, i.removed_at, i.completed_at, i.original_estimate, i.final_estimate, i.carried_to,
         t.number, t.title, t.status, t.priority, t.estimate, t.assignee_id, t.deleted_at
    FROM (SELECT * FROM asof.sprint_items i WHERE i.workspace_id = gnomon.workspace() AND i.sprint_id = of_sprint OFFSET 0) i
   CROSS JOIN LATERAL (SELECT * FROM asof.stories t WHERE t.workspace_id = gnomon.workspace() AND t.id = i.story_id OFFSET 0) t;
END $$;

-- ---- the past of a board
-- Later arguments win; of events, newest first, the oldest is what remains of each field.
CREATE AGGREGATE gnomon.laid_over(jsonb) (SFUNC = jsonb_concat, STYPE = jsonb, INITCOND = '{}');
GRANT EXECUTE ON FUNCTION gnomon.laid_over TO gnomon_web, gnomon_worker;

-- As in 0017; an event is one step of merging, and what was found is kept for the
-- transaction, because a board asks for it several times. Who asks after the project has
-- gone on is told anew: rows and events must be of one moment.
CREATE OR REPLACE FUNCTION gnomon.changed_since(type text) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE scope constant uuid := gnomon.project(); since constant bigint := gnomon.as_of_rev();
        question constant text := concat_ws(' ', scope, since, (SELECT r.rev FROM public.revisions r WHERE r.workspace_id = gnomon.workspace() AND r.scope_id = scope)) || ' ';
        known constant text := current_setting('gnomon.since_' || type, true);
        found jsonb; ignored text;
BEGIN
  IF starts_with(known, question) THEN RETURN nullif(substr(known, length(question) + 1), '')::jsonb; END IF;
  SELECT jsonb_object_agg(x.entity_id, jsonb_build_object('f', (SELECT jsonb_object_agg(c.key, c.value -> 0) FROM jsonb_each(x.changes) c), 'n', x.n, 'new', x.new))
    INTO found
    FROM (SELECT e.entity_id, gnomon.laid_over(e.changes ORDER BY e.rev DESC) AS changes, count(*) FILTER (WHERE e.changes - 'position' <> '{}') AS n, bool_or(e.action = 'created') AS new
            FROM public.events e
           WHERE e.workspace_id = gnomon.workspace() AND e.scope_id = scope AND e.rev > since AND e.entity_type = type
           GROUP BY e.entity_id) x;
  ignored := set_config('gnomon.since_' || type, question || coalesce(found::text, ''), true);
  RETURN found;
END $$;

-- A schedule in words, where it is one that people would say: every day, a day of
-- the week, or Monday to Friday, at a time. NULL: only the expression says it.
CREATE FUNCTION gnomon.say_schedule(expression text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
SELECT CASE
    WHEN f.days = '*' THEN 'Every day'
    WHEN f.days = '1-5' THEN 'Monday to Friday'
    ELSE (ARRAY['Sundays', 'Mondays', 'Tuesdays', 'Wednesdays', 'Thursdays', 'Fridays', 'Saturdays', 'Sundays'])[f.days::integer + 1]
  END || format(' at %s:%s', lpad(f.hour, 2, '0'), lpad(f.minute, 2, '0'))
  FROM (SELECT m[1] AS minute, m[2] AS hour, m[3] AS days
          FROM regexp_match(btrim(expression), '^(\d{1,2})\s+(\d{1,2})\s+\*\s+\*\s+(\*|1-5|[0-7])$') m) f
 WHERE f.minute IS NOT NULL
$$;
GRANT EXECUTE ON FUNCTION gnomon.say_schedule TO gnomon_web;
