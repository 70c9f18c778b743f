-- Sprints: plan, start, scope, end; what a sprint had promised and what it kept.
-- The numbers of a completed sprint are stamped when it ends, and its days are
-- read up to the revision it ended at: whatever happens to its stories later,
-- they stay.

ALTER TABLE sprints
  ADD timezone          text,              -- whose days its days are; fixed when it starts
  ADD committed_points  double precision,  -- the baseline: what was in it at the start
  ADD committed_stories integer,
  ADD completed_rev     bigint,            -- the project's revision when it ended
  ADD deleted_at        timestamptz;       -- a plan that was dropped
ALTER TABLE sprint_items
  ADD carried_to uuid,                     -- the sprint an unfinished story went on to
  ADD FOREIGN KEY (workspace_id, project_id, carried_to) REFERENCES sprints (workspace_id, project_id, id);

-- A row is one stay: a story that is taken out and comes back has two.
ALTER TABLE sprint_items DROP CONSTRAINT sprint_items_workspace_id_sprint_id_story_id_key;
CREATE UNIQUE INDEX sprint_items_here ON sprint_items (workspace_id, sprint_id, story_id) WHERE removed_at IS NULL;
CREATE INDEX sprint_items_sprint ON sprint_items (workspace_id, sprint_id, story_id);
CREATE INDEX sprints_latest ON sprints (workspace_id, project_id, completed_at) WHERE status = 'completed';
-- What was finished when: cycle time, lead time, throughput.
CREATE INDEX stories_finished ON stories (workspace_id, project_id, status_since) WHERE status = 'done' AND deleted_at IS NULL;
CREATE INDEX stories_made ON stories (workspace_id, project_id, created_at) WHERE deleted_at IS NULL;

SELECT gnomon.retrack('sprints', 'sprint', 'r.project_id',
  '{number,name,goal,start_date,end_date,status,capacity,started_at,completed_at,timezone,committed_points,committed_stories,deleted_at}', '{status}');
SELECT gnomon.retrack('sprint_items', 'sprint_item', 'r.project_id',
  '{sprint_id,story_id,added_at,completed_at,original_estimate,final_estimate,removed_at,carried_to}');
SELECT gnomon.remake_asof('sprints', 'created_at');
SELECT gnomon.remake_asof('sprint_items', 'added_at');

-- A completed sprint's items stay as they were counted.
CREATE FUNCTION gnomon.frozen_item() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM public.sprints s WHERE s.workspace_id = OLD.workspace_id AND s.id = OLD.sprint_id AND s.status = 'completed') THEN
    RETURN OLD;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER frozen BEFORE UPDATE ON sprint_items FOR EACH ROW EXECUTE FUNCTION gnomon.frozen_item();

-- Points without the dust of binary fractions.
CREATE FUNCTION gnomon.points(amount double precision) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT round(coalesce(amount, 0)::numeric, 2)::double precision $$;
GRANT EXECUTE ON FUNCTION gnomon.points TO gnomon_web, gnomon_worker;

-- ---- every stay in a sprint, with the story it is of
-- The OFFSETs keep the conditions where they reach the indexes: joined to a view
-- of the past, a story would be looked for among all of them.
CREATE FUNCTION gnomon.sprint_stays(of_sprint uuid)
RETURNS TABLE (id uuid, story_id uuid, added_at timestamptz, removed_at timestamptz, completed_at timestamptz, original_estimate double precision,
               final_estimate double precision, carried_to uuid, number integer, title text, status text, priority text,
               estimate double precision, assignee_id uuid, deleted_at timestamptz)
LANGUAGE sql STABLE AS $$
  SELECT i.id, i.story_id, i.added_at, i.removed_at, i.completed_at, i.original_estimate, i.final_estimate, i.carried_to,
         t.number, t.title, t.status, t.priority, t.estimate, t.assignee_id, t.deleted_at
    FROM (SELECT * FROM asof.sprint_items i WHERE i.workspace_id = gnomon.workspace() AND i.sprint_id = of_sprint OFFSET 0) i
   CROSS JOIN LATERAL (SELECT * FROM asof.stories t WHERE t.workspace_id = gnomon.workspace() AND t.id = i.story_id OFFSET 0) t
$$;
GRANT EXECUTE ON FUNCTION gnomon.sprint_stays TO gnomon_web, gnomon_worker;

-- ---- one sprint in numbers
-- Every point that was ever in it is one of: committed at the start, added
-- later, taken out again, or the difference an estimate made meanwhile; so
-- points = committed + added - removed + reestimated. A plan that has not begun
-- has committed to nothing. Unestimated stories weigh nothing.
CREATE FUNCTION gnomon.sprint_numbers(of_sprint uuid)
RETURNS TABLE (stories bigint, points double precision, done_stories bigint, done_points double precision,
               committed_stories bigint, committed_points double precision, added_stories bigint, added_points double precision,
               removed_stories bigint, removed_points double precision, reestimated_points double precision,
               carried_stories bigint, unestimated_stories bigint, ratio double precision)
LANGUAGE sql STABLE AS $$
  SELECT n.stories, gnomon.points(n.points), n.done_stories, gnomon.points(n.done_points),
         n.committed_stories, gnomon.points(n.committed_points), n.added_stories, gnomon.points(n.added_points),
         n.removed_stories, gnomon.points(n.removed_points),
         CASE WHEN n.began IS NULL THEN 0
              ELSE gnomon.points(n.points - n.committed_points - n.added_points + n.removed_points) END,
         n.carried_stories, n.unestimated_stories,
         CASE WHEN n.committed_points > 0 THEN round((n.done_points / n.committed_points)::numeric, 4)::double precision END
    FROM (
      SELECT b.began, count(*) FILTER (WHERE x.here) AS stories,
             coalesce(sum(x.points) FILTER (WHERE x.here), 0) AS points,
             count(*) FILTER (WHERE x.here AND x.done) AS done_stories,
             coalesce(sum(x.points) FILTER (WHERE x.here AND x.done), 0) AS done_points,
             coalesce(b.committed_stories, count(*) FILTER (WHERE x.first)) AS committed_stories,
             coalesce(b.committed_points, sum(x.original) FILTER (WHERE x.first), 0) AS committed_points,
             count(*) FILTER (WHERE x.late) AS added_stories,
             coalesce(sum(x.original) FILTER (WHERE x.late), 0) AS added_points,
             count(*) FILTER (WHERE x.gone) AS removed_stories,
             coalesce(sum(x.points) FILTER (WHERE x.gone), 0) AS removed_points,
             count(*) FILTER (WHERE x.here AND x.carried_to IS NOT NULL) AS carried_stories,
             count(*) FILTER (WHERE x.here AND x.unestimated) AS unestimated_stories
        FROM (SELECT s.*, CASE WHEN s.status <> 'planning' THEN coalesce(s.started_at, s.start_date::timestamp AT TIME ZONE coalesce(s.timezone, 'UTC')) END AS began
                FROM asof.sprints s WHERE s.workspace_id = gnomon.workspace() AND s.id = of_sprint) b
        LEFT JOIN LATERAL (
          SELECT y.left_at IS NULL AS here, y.done, y.carried_to, coalesce(y.points, 0) AS points, y.points IS NULL AS unestimated,
                 coalesce(y.original_estimate, 0) AS original,
                 y.added_at <= b.began AND (y.left_at IS NULL OR y.left_at > b.began) AS first,
                 y.added_at > b.began AS late,
                 y.left_at > b.began AS gone
            FROM (SELECT i.added_at, i.original_estimate, i.carried_to,
                         CASE WHEN b.status = 'completed' THEN i.removed_at ELSE least(i.removed_at, i.deleted_at) END AS left_at,
                         CASE WHEN b.status = 'completed' THEN i.completed_at IS NOT NULL ELSE i.status = 'done' END AS done,
                         CASE WHEN b.status = 'completed' THEN i.final_estimate
                              WHEN i.removed_at IS NOT NULL THEN coalesce(i.final_estimate, i.estimate)
                              ELSE i.estimate END AS points
                    FROM gnomon.sprint_stays(b.id) i) y
        ) x ON true
       GROUP BY b.began, b.committed_stories, b.committed_points) n
$$;
GRANT EXECUTE ON FUNCTION gnomon.sprint_numbers TO gnomon_web, gnomon_worker;

-- ---- the burndown, day by day: the one home of it
-- What was open, done and in the sprint at the end of each day, by the history of
-- its items and stories: each field as its first old value after that moment, or
-- as it is. scope is by how much the sprint grew on the day after it had begun;
-- ideal the straight line from what was committed to nothing, over working days;
-- the forecast the pace so far, a quarter slower or faster, carried on. Nothing
-- that came after the revision at which the sprint ended is looked at.
CREATE FUNCTION gnomon.burndown(of_sprint uuid)
RETURNS TABLE (day date, is_today boolean, remaining double precision, total double precision, done double precision,
               stories bigint, done_stories bigint, scope double precision, ideal double precision,
               forecast_low double precision, forecast_high double precision)
LANGUAGE sql STABLE AS $$
WITH sprint AS MATERIALIZED (
  SELECT s.id, s.start_date, s.end_date, s.status, s.completed_rev, s.committed_points, z.zone,
         (z.cut AT TIME ZONE z.zone)::date AS today, z.cut,
         coalesce(s.started_at, s.start_date::timestamp AT TIME ZONE z.zone) AS began
    FROM asof.sprints s
    JOIN asof.workspaces w ON w.id = s.workspace_id
   CROSS JOIN LATERAL (SELECT coalesce(s.timezone, w.timezone) AS zone, least(gnomon.now(), gnomon.as_of(), s.completed_at) AS cut) z
   WHERE s.workspace_id = gnomon.workspace() AND s.id = of_sprint AND s.status <> 'planning'
), days AS MATERIALIZED (     -- the first row is the moment of the start
  SELECT NULL::date AS day, s.began AS at FROM sprint s
  UNION ALL
  SELECT d.day::date, CASE WHEN d.day::date <= s.today AND m.at >= s.began THEN m.at END
    FROM sprint s
   CROSS JOIN LATERAL generate_series(s.start_date::timestamp,
                        greatest(s.end_date, least(s.today, s.end_date + 60))::timestamp, interval '1 day') d (day)
   CROSS JOIN LATERAL (SELECT least((d.day + interval '1 day') AT TIME ZONE s.zone - interval '1 microsecond', s.cut) AS at) m
), items AS MATERIALIZED (
  SELECT i.story_id, i.added_at, i.removed_at, i.status, i.estimate, i.deleted_at
    FROM sprint s CROSS JOIN LATERAL gnomon.sprint_stays(s.id) i
), turns AS MATERIALIZED (    -- when which field of a story changed, from what to what
  SELECT e.entity_id AS story_id, f.field, f.change ->> 0 AS was, f.change ->> 1 AS is, e.rev,
         max(CASE WHEN e.rev > s.completed_rev THEN 'infinity' ELSE e.created_at END) OVER (PARTITION BY e.entity_id, f.field ORDER BY e.rev) AS at
    FROM sprint s
   CROSS JOIN (SELECT DISTINCT story_id FROM items) i
   CROSS JOIN LATERAL (     -- story by story, whatever the planner thinks of them
     SELECT e.entity_id, e.rev, e.created_at, e.changes FROM asof.events e
      WHERE e.workspace_id = gnomon.workspace() AND e.entity_id = i.story_id AND e.action <> 'created'
        AND e.created_at > s.began - interval '1 day'      -- months before it are not looked at
     OFFSET 0) e
   CROSS JOIN LATERAL (VALUES ('status', e.changes -> 'status'), ('estimate', e.changes -> 'estimate'),
                              ('deleted_at', e.changes -> 'deleted_at')) f (field, change)
   WHERE f.change IS NOT NULL AND (e.created_at > s.began OR e.rev > s.completed_rev)
), pasts AS MATERIALIZED (    -- of each story: times in order, and what held from each of them on
  SELECT t.story_id,
         array_agg(t.at ORDER BY t.rev) FILTER (WHERE t.field = 'status') AS status_at,
         array_agg(t.is ORDER BY t.rev) FILTER (WHERE t.field = 'status') AS status_is,
         (array_agg(t.was ORDER BY t.rev) FILTER (WHERE t.field = 'status'))[1] AS status_was,
         array_agg(t.at ORDER BY t.rev) FILTER (WHERE t.field = 'estimate') AS estimate_at,
         array_agg(t.is ORDER BY t.rev) FILTER (WHERE t.field = 'estimate') AS estimate_is,
         (array_agg(t.was ORDER BY t.rev) FILTER (WHERE t.field = 'estimate'))[1] AS estimate_was,
         array_agg(t.at ORDER BY t.rev) FILTER (WHERE t.field = 'deleted_at') AS deleted_at,
         array_agg(t.is ORDER BY t.rev) FILTER (WHERE t.field = 'deleted_at') AS deleted_is,
         (array_agg(t.was ORDER BY t.rev) FILTER (WHERE t.field = 'deleted_at'))[1] AS deleted_was
    FROM turns t
   GROUP BY t.story_id
), tracks AS MATERIALIZED (
  SELECT i.added_at, i.removed_at, i.status, i.estimate::text AS estimate, i.deleted_at::text AS deleted, p.status_at, p.status_is, p.status_was,
         p.estimate_at, p.estimate_is, p.estimate_was, p.deleted_at, p.deleted_is, p.deleted_was
    FROM items i LEFT JOIN pasts p ON p.story_id = i.story_id
), sums AS (
  SELECT d.day, d.at, coalesce(sum(v.points) FILTER (WHERE v.deleted IS NULL), 0) AS total,
         coalesce(sum(v.points) FILTER (WHERE v.deleted IS NULL AND v.status = 'done'), 0) AS done,
         count(v.points) FILTER (WHERE v.deleted IS NULL) AS stories,
         count(v.points) FILTER (WHERE v.deleted IS NULL AND v.status = 'done') AS done_stories
    FROM days d
    LEFT JOIN tracks x ON x.added_at <= d.at AND (x.removed_at IS NULL OR x.removed_at > d.at)
    LEFT JOIN LATERAL (
      SELECT CASE WHEN x.status_at IS NULL THEN x.status WHEN d.at < x.status_at[1] THEN x.status_was
                  ELSE x.status_is[width_bucket(d.at, x.status_at)] END AS status,
             coalesce(CASE WHEN x.estimate_at IS NULL THEN x.estimate WHEN d.at < x.estimate_at[1] THEN x.estimate_was
                           ELSE x.estimate_is[width_bucket(d.at, x.estimate_at)] END::double precision, 0) AS points,
             CASE WHEN x.deleted_at IS NULL THEN x.deleted WHEN d.at < x.deleted_at[1] THEN x.deleted_was
                  ELSE x.deleted_is[width_bucket(d.at, x.deleted_at)] END AS deleted
       WHERE x.added_at IS NOT NULL) v ON true
   GROUP BY d.day, d.at
), begun AS MATERIALIZED (
  SELECT coalesce(s.committed_points, b.total) AS points FROM sprint s JOIN sums b ON b.day IS NULL
), course AS (
  SELECT b.*, w.*, s.status = 'active' AND b.day = s.today AS is_today, s.status = 'active' AND b.day >= s.today AS ahead,
         b.total - coalesce(lag(CASE WHEN b.at IS NOT NULL THEN b.total END) OVER (ORDER BY b.day), g.points) AS grown,
         g.points AS begun
    FROM sprint s
    JOIN sums b ON b.day IS NOT NULL
   CROSS JOIN begun g
   CROSS JOIN LATERAL (
     SELECT gnomon.working_days(s.start_date, s.end_date + 1) AS work,
            gnomon.working_days(s.start_date, least(b.day, s.end_date) + 1) AS worked,
            gnomon.working_days(s.start_date, least(s.today, s.end_date + 1)) AS gone,
            gnomon.working_days(s.today, b.day + 1) AS coming) w
), pace AS MATERIALIZED (
  SELECT max(c.total - c.done) AS remaining, max(c.done) AS done FROM course c JOIN sprint s ON c.day = s.today
)
SELECT c.day, c.is_today,
       CASE WHEN c.at IS NOT NULL THEN gnomon.points(c.total - c.done) END, CASE WHEN c.at IS NOT NULL THEN gnomon.points(c.total) END,
       CASE WHEN c.at IS NOT NULL THEN gnomon.points(c.done) END,
       CASE WHEN c.at IS NOT NULL THEN c.stories END, CASE WHEN c.at IS NOT NULL THEN c.done_stories END,
       CASE WHEN c.at IS NOT NULL THEN nullif(gnomon.points(c.grown), 0) END,
       round((c.begun * (c.work - c.worked) / nullif(c.work, 0))::numeric, 1)::double precision,
       CASE WHEN c.ahead AND c.gone > 0 THEN round(greatest(0, p.remaining - 1.25 * c.coming * p.done / c.gone)::numeric, 1)::double precision END,
       CASE WHEN c.ahead AND c.gone > 0 THEN round(greatest(0, p.remaining - 0.75 * c.coming * p.done / c.gone)::numeric, 1)::double precision END
  FROM course c CROSS JOIN pace p
 ORDER BY c.day
$$;
GRANT EXECUTE ON FUNCTION gnomon.burndown TO gnomon_web, gnomon_worker;

-- ---- where a running sprint stands, in one row
-- Its forecast is its own pace: points finished so far over working days gone,
-- carried on over the working days ahead (today is one).
CREATE FUNCTION gnomon.sprint_course(of_sprint uuid)
RETURNS TABLE (total double precision, remaining double precision, story_count bigint, open_count bigint, ahead bigint,
               daily double precision, missing double precision, done_share double precision, is_empty boolean, is_done boolean,
               is_late boolean, is_new boolean, is_likely_to_miss boolean, may_miss boolean, is_on_course boolean)
LANGUAGE sql STABLE AS $$
  SELECT f.total, f.remaining, f.stories, f.stories - f.done_stories, f.ahead, round(f.daily::numeric, 1)::double precision,
         round(f.missing::numeric)::double precision, f.done_points / nullif(f.total, 0),
         f.total = 0, f.total > 0 AND f.remaining = 0, f.remaining > 0 AND f.ahead = 0,
         f.remaining > 0 AND f.ahead > 0 AND f.gone < 2 AND v.rank IS NULL,
         coalesce(f.remaining > 0 AND f.ahead > 0 AND v.rank > 2, false),
         coalesce(f.remaining > 0 AND f.ahead > 0 AND f.gone > 1 AND (v.rank <= 2 OR v.rank IS NULL AND f.missing > f.total * 0.1), false),
         coalesce(f.remaining > 0 AND f.ahead > 0 AND f.gone > 1 AND v.rank IS NULL AND f.missing <= f.total * 0.1, false)
    FROM (SELECT n.points AS total, n.points - n.done_points AS remaining, n.stories, n.done_stories, n.done_points, d.gone, d.ahead,
                 n.done_points / nullif(d.gone, 0) AS daily,
                 greatest(0, n.points - n.done_points - d.ahead * n.done_points / nullif(d.gone, 0)) AS missing
            FROM asof.sprints s
            JOIN asof.workspaces w ON w.id = s.workspace_id
           CROSS JOIN LATERAL (SELECT (least(gnomon.now(), gnomon.as_of()) AT TIME ZONE coalesce(s.timezone, w.timezone))::date AS today) t
           CROSS JOIN LATERAL (SELECT gnomon.working_days(s.start_date, least(t.today, s.end_date + 1))::bigint AS gone,
                                      gnomon.working_days(greatest(t.today, s.start_date), s.end_date + 1)::bigint AS ahead) d
           CROSS JOIN LATERAL gnomon.sprint_numbers(s.id) n
           WHERE s.workspace_id = gnomon.workspace() AND s.id = of_sprint) f
   CROSS JOIN (SELECT max(gnomon.severity_rank(i.severity)) AS rank    -- what the agent says of its pace
                 FROM agent_insights i
                WHERE i.workspace_id = gnomon.workspace() AND i.sprint_id = of_sprint
                  AND i.state IN ('open', 'acknowledged') AND i.insight_type = 'velocity') v
$$;
GRANT EXECUTE ON FUNCTION gnomon.sprint_course TO gnomon_web, gnomon_worker;

-- The active sprint with the most severe open insights; then the one that ends first.
CREATE FUNCTION gnomon.riskiest_sprint() RETURNS uuid LANGUAGE sql STABLE AS $$
  SELECT s.id
    FROM sprints s
    JOIN projects p ON p.workspace_id = s.workspace_id AND p.id = s.project_id AND p.archived_at IS NULL
   WHERE s.workspace_id = gnomon.workspace() AND s.status = 'active'
   ORDER BY (SELECT sum(4 ^ gnomon.severity_rank(i.severity)) FROM agent_insights i
              WHERE i.workspace_id = gnomon.workspace() AND i.state = 'open' AND i.sprint_id = s.id) DESC NULLS LAST,
            s.end_date, s.id
   LIMIT 1
$$;
GRANT EXECUTE ON FUNCTION gnomon.riskiest_sprint TO gnomon_web, gnomon_worker;

-- ---- the days as they were when they ended
CREATE TABLE burndown_snapshots (
  workspace_id uuid NOT NULL,
  project_id   uuid NOT NULL,
  sprint_id    uuid NOT NULL,
  day          date NOT NULL,
  remaining    double precision NOT NULL,
  total        double precision NOT NULL,
  done         double precision NOT NULL,
  stories      integer NOT NULL,
  done_stories integer NOT NULL,
  scope        double precision,
  ideal        double precision,
  taken_at     timestamptz NOT NULL DEFAULT gnomon.now(),
  PRIMARY KEY (workspace_id, sprint_id, day),
  FOREIGN KEY (workspace_id, project_id, sprint_id) REFERENCES sprints (workspace_id, project_id, id)
);
SELECT gnomon.wall_project('project_id', 'burndown_snapshots');
GRANT SELECT ON burndown_snapshots TO gnomon_web, gnomon_worker;

-- Keeps the days of a sprint up to one; a day that is kept already is left alone.
-- Answers how many days were new.
CREATE FUNCTION gnomon.keep_days(of_sprint uuid, until date) RETURNS integer
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  WITH kept AS (
    INSERT INTO public.burndown_snapshots (workspace_id, project_id, sprint_id, day, remaining, total, done, stories, done_stories, scope, ideal)
    SELECT s.workspace_id, s.project_id, s.id, b.day, b.remaining, b.total, b.done, b.stories, b.done_stories, b.scope, b.ideal
      FROM public.sprints s CROSS JOIN LATERAL gnomon.burndown(s.id) b
     WHERE s.workspace_id = gnomon.workspace() AND s.id = of_sprint AND b.remaining IS NOT NULL AND b.day <= until
    ON CONFLICT DO NOTHING
    RETURNING 1)
  SELECT count(*)::integer FROM kept
$$;

-- Makes the kept days of a sprint anew from the events. Answers how many were
-- not what they are now: none, unless somebody changed rows by hand.
CREATE FUNCTION gnomon.recompute_days(of_sprint uuid) RETURNS integer
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  WITH days AS (
    SELECT s.workspace_id, s.project_id, b.*
      FROM public.sprints s CROSS JOIN LATERAL gnomon.burndown(s.id) b
     WHERE s.workspace_id = gnomon.workspace() AND s.id = of_sprint
  ), kept AS (
    UPDATE public.burndown_snapshots k
       SET (remaining, total, done, stories, done_stories, scope, ideal) = (d.remaining, d.total, d.done, d.stories, d.done_stories, d.scope, d.ideal)
      FROM days d
     WHERE k.workspace_id = d.workspace_id AND k.sprint_id = of_sprint AND k.day = d.day
       AND (k.remaining, k.total, k.done, k.stories, k.done_stories, k.scope, k.ideal)
           IS DISTINCT FROM (d.remaining, d.total, d.done, d.stories, d.done_stories, d.scope, d.ideal)
    RETURNING 1)
  SELECT count(*)::integer FROM kept
$$;
GRANT EXECUTE ON FUNCTION gnomon.recompute_days TO gnomon_worker;

-- ---- planning, starting, ending
-- Whoever changes what is in sprints holds the project's open ones first, then
-- stories, then items; the revision comes last, as it does for every write.
CREATE FUNCTION gnomon.hold_sprints(ws uuid, project uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT count(*) FROM (SELECT FROM public.sprints s
                         WHERE s.workspace_id = ws AND s.project_id = project AND s.status <> 'completed'
                         ORDER BY s.id FOR NO KEY UPDATE) held
$$;

-- What a write made of a sprint: refused is an error's word, or NULL.
CREATE TYPE gnomon.sprint_outcome AS (refused text, sprint public.sprints);

CREATE FUNCTION gnomon.start_sprint(of_sprint uuid, seen integer) RETURNS SETOF gnomon.sprint_outcome
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE s public.sprints; other text; zone text;
BEGIN
  PERFORM gnomon.hold_sprints(gnomon.workspace(), gnomon.project());
  SELECT * INTO s FROM public.sprints x
   WHERE x.workspace_id = gnomon.workspace() AND x.project_id = gnomon.project() AND x.id = of_sprint AND x.deleted_at IS NULL;
  IF NOT FOUND THEN RETURN; END IF;
  IF s.version <> seen THEN RETURN NEXT ROW('version_conflict', s)::gnomon.sprint_outcome; RETURN; END IF;
  IF s.status <> 'planning' THEN PERFORM gnomon.refuse('illegal_state', s.name || ' has started already.'); END IF;
  SELECT x.name INTO other FROM public.sprints x
   WHERE x.workspace_id = s.workspace_id AND x.project_id = s.project_id AND x.status = 'active';
  IF FOUND THEN
    PERFORM gnomon.refuse('illegal_state', format('%s is active. Complete it before you start %s.', other, s.name));
  END IF;
  SELECT w.timezone INTO zone FROM public.workspaces w WHERE w.id = s.workspace_id;
  IF s.end_date < (gnomon.now() AT TIME ZONE zone)::date THEN
    PERFORM gnomon.refuse('illegal_state', format('%s was to end on %s. Change its dates before you start it.', s.name, gnomon.say(s.end_date)));
  END IF;
  -- whose story is gone leaves before it counts
  UPDATE public.sprint_items i SET removed_at = gnomon.now()
    FROM public.stories t
   WHERE i.workspace_id = s.workspace_id AND i.sprint_id = s.id AND i.removed_at IS NULL
     AND t.workspace_id = i.workspace_id AND t.id = i.story_id AND t.deleted_at IS NOT NULL;
  PERFORM FROM public.sprint_items i WHERE i.workspace_id = s.workspace_id AND i.sprint_id = s.id AND i.removed_at IS NULL ORDER BY i.id FOR NO KEY UPDATE;
  IF NOT FOUND THEN PERFORM gnomon.refuse('illegal_state', s.name || ' holds no stories. Add some before it starts.'); END IF;
  PERFORM FROM public.revisions r WHERE r.workspace_id = s.workspace_id AND r.scope_id = s.project_id FOR NO KEY UPDATE;
  UPDATE public.sprint_items i SET original_estimate = t.estimate
    FROM public.stories t
   WHERE i.workspace_id = s.workspace_id AND i.sprint_id = s.id AND i.removed_at IS NULL
     AND t.workspace_id = i.workspace_id AND t.id = i.story_id;
  UPDATE public.sprints x
     SET status = 'active', started_at = gnomon.now(), timezone = zone,
         (committed_points, committed_stories) =
           (SELECT gnomon.points(sum(i.original_estimate)), count(*) FROM public.sprint_items i
             WHERE i.workspace_id = s.workspace_id AND i.sprint_id = s.id AND i.removed_at IS NULL)
   WHERE x.workspace_id = s.workspace_id AND x.id = s.id
  RETURNING * INTO s;
  RETURN NEXT ROW(NULL, s)::gnomon.sprint_outcome;
END $$;

-- The name of the sprint after one: Sprint 42 is followed by Sprint 43.
CREATE FUNCTION gnomon.next_name(name text, number integer) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN name ~ '[0-9]{1,6}$'
              THEN left(regexp_replace(name, '[0-9]{1,6}$', ''), 110) || (substring(name FROM '[0-9]{1,6}$')::integer + 1)
              ELSE 'Sprint ' || number + 1 END
$$;
GRANT EXECUTE ON FUNCTION gnomon.next_name TO gnomon_web, gnomon_worker;

-- Ends a sprint. unfinished says where its unfinished stories go: 'backlog' (they
-- are in no sprint then), 'next' (a sprint being planned: target, or the one that
-- begins first), 'new' (a sprint of the same length that begins on the next working
-- day). Who calls has checked who may.
CREATE FUNCTION gnomon.end_sprint(s public.sprints, unfinished text, target uuid, new_name text) RETURNS public.sprints
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE goes_to uuid; at timestamptz := gnomon.now(); known bigint; open integer; first date;
BEGIN
  PERFORM FROM public.sprint_items i WHERE i.workspace_id = s.workspace_id AND i.sprint_id = s.id ORDER BY i.id FOR NO KEY UPDATE;
  SELECT r.rev INTO known FROM public.revisions r WHERE r.workspace_id = s.workspace_id AND r.scope_id = s.project_id FOR NO KEY UPDATE;
  SELECT count(*) INTO open
    FROM public.sprint_items i JOIN public.stories t ON t.workspace_id = i.workspace_id AND t.id = i.story_id
   WHERE i.workspace_id = s.workspace_id AND i.sprint_id = s.id AND i.removed_at IS NULL AND t.status <> 'done' AND t.deleted_at IS NULL;
  IF open > 0 AND unfinished IS NULL THEN
    PERFORM gnomon.refuse('validation_failed', format('Say where %s unfinished %s.', open, CASE open WHEN 1 THEN 'story goes' ELSE 'stories go' END));
  END IF;
  IF open > 0 AND unfinished = 'next' THEN
    SELECT x.id INTO goes_to FROM public.sprints x
     WHERE x.workspace_id = s.workspace_id AND x.project_id = s.project_id AND x.status = 'planning' AND x.deleted_at IS NULL
       AND (target IS NULL OR x.id = target)
     ORDER BY x.start_date, x.number LIMIT 1;
    IF NOT FOUND AND target IS NOT NULL THEN
      PERFORM gnomon.refuse('validation_failed', 'Choose a sprint of this project that has not started.');
    END IF;
  END IF;
  IF open > 0 AND unfinished <> 'backlog' AND goes_to IS NULL THEN
    first := greatest(s.end_date, (at AT TIME ZONE coalesce(s.timezone, 'UTC'))::date) + 1;
    first := first + CASE extract(isodow FROM first) WHEN 6 THEN 2 WHEN 7 THEN 1 ELSE 0 END;
    INSERT INTO public.sprints (workspace_id, project_id, name, start_date, end_date, capacity)
    VALUES (s.workspace_id, s.project_id, coalesce(new_name, gnomon.next_name(s.name, s.number)), first, first + (s.end_date - s.start_date), s.capacity)
    RETURNING id INTO goes_to;
  END IF;
  UPDATE public.sprint_items i
     SET removed_at = coalesce(i.removed_at, CASE WHEN t.deleted_at IS NOT NULL THEN least(t.deleted_at, at) END),
         final_estimate = CASE WHEN i.removed_at IS NULL THEN t.estimate ELSE coalesce(i.final_estimate, t.estimate) END,
         completed_at = CASE WHEN i.removed_at IS NULL AND t.deleted_at IS NULL AND t.status = 'done' THEN least(t.status_since, at) END,
         carried_to = CASE WHEN i.removed_at IS NULL AND t.deleted_at IS NULL AND t.status <> 'done' THEN goes_to END
    FROM public.stories t
   WHERE i.workspace_id = s.workspace_id AND i.sprint_id = s.id AND t.workspace_id = i.workspace_id AND t.id = i.story_id;
  IF goes_to IS NOT NULL THEN
    INSERT INTO public.sprint_items (workspace_id, project_id, sprint_id, story_id, added_at, original_estimate)
    SELECT i.workspace_id, i.project_id, goes_to, i.story_id, at, i.final_estimate
      FROM public.sprint_items i
     WHERE i.workspace_id = s.workspace_id AND i.sprint_id = s.id AND i.carried_to = goes_to
     ORDER BY i.story_id
    ON CONFLICT DO NOTHING;
  END IF;
  UPDATE public.sprints x SET status = 'completed', completed_at = at, completed_rev = known
   WHERE x.workspace_id = s.workspace_id AND x.id = s.id
  RETURNING * INTO s;
  PERFORM gnomon.keep_days(s.id, 'infinity');
  RETURN s;
END $$;

CREATE FUNCTION gnomon.complete_sprint(of_sprint uuid, seen integer, unfinished text, target uuid, new_name text)
RETURNS SETOF gnomon.sprint_outcome
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE s public.sprints;
BEGIN
  PERFORM gnomon.hold_sprints(gnomon.workspace(), gnomon.project());
  SELECT * INTO s FROM public.sprints x
   WHERE x.workspace_id = gnomon.workspace() AND x.project_id = gnomon.project() AND x.id = of_sprint AND x.deleted_at IS NULL;
  IF NOT FOUND THEN RETURN; END IF;
  IF s.version <> seen THEN RETURN NEXT ROW('version_conflict', s)::gnomon.sprint_outcome; RETURN; END IF;
  IF s.status = 'planning' THEN PERFORM gnomon.refuse('illegal_state', s.name || ' has not started yet.'); END IF;
  IF s.status = 'completed' THEN PERFORM gnomon.refuse('illegal_state', s.name || ' is completed already.'); END IF;
  s := gnomon.end_sprint(s, unfinished, target, new_name);
  RETURN NEXT ROW(NULL, s)::gnomon.sprint_outcome;
END $$;

-- Puts stories into a sprint that is not over. A story that is in another open
-- sprint leaves that one; moved_from says which. One that is here already stays
-- as it is.
CREATE FUNCTION gnomon.add_to_sprint(of_sprint uuid, story_ids uuid[])
RETURNS TABLE (story_id uuid, moved_from text, is_new boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE s public.sprints; done text;
BEGIN
  PERFORM gnomon.hold_sprints(gnomon.workspace(), gnomon.project());
  SELECT * INTO s FROM public.sprints x
   WHERE x.workspace_id = gnomon.workspace() AND x.project_id = gnomon.project() AND x.id = of_sprint AND x.deleted_at IS NULL;
  IF NOT FOUND THEN PERFORM gnomon.refuse('not_found'); END IF;   -- a list of none would look like success
  IF s.status = 'completed' THEN PERFORM gnomon.refuse('illegal_state', s.name || ' is completed: its stories stay as they were.'); END IF;
  PERFORM FROM public.stories t
    WHERE t.workspace_id = s.workspace_id AND t.project_id = s.project_id AND t.id = ANY (story_ids) ORDER BY t.id FOR NO KEY UPDATE;
  IF EXISTS (SELECT FROM unnest(story_ids) g (id)
              WHERE NOT EXISTS (SELECT FROM public.stories t WHERE t.workspace_id = s.workspace_id AND t.project_id = s.project_id
                                   AND t.id = g.id AND t.deleted_at IS NULL)) THEN
    PERFORM gnomon.refuse('validation_failed', 'Choose stories of this project that are not deleted.');
  END IF;
  SELECT p.key || '-' || t.number INTO done
    FROM public.stories t JOIN public.projects p ON p.workspace_id = t.workspace_id AND p.id = t.project_id
   WHERE t.workspace_id = s.workspace_id AND t.id = ANY (story_ids) AND t.status = 'done'
     AND NOT EXISTS (SELECT FROM public.sprint_items i WHERE i.workspace_id = s.workspace_id AND i.sprint_id = s.id AND i.story_id = t.id AND i.removed_at IS NULL)
   ORDER BY t.number LIMIT 1;
  IF FOUND THEN PERFORM gnomon.refuse('illegal_state', done || ' is done already.'); END IF;
  RETURN QUERY
  WITH left_ AS (
    UPDATE public.sprint_items i SET removed_at = gnomon.now(), final_estimate = t.estimate
      FROM public.sprints o, public.stories t
     WHERE i.workspace_id = s.workspace_id AND i.story_id = ANY (story_ids) AND i.sprint_id <> s.id AND i.removed_at IS NULL
       AND o.workspace_id = i.workspace_id AND o.id = i.sprint_id AND o.status <> 'completed'
       AND t.workspace_id = i.workspace_id AND t.id = i.story_id
    RETURNING i.story_id, o.name
  ), put AS (
    INSERT INTO public.sprint_items (workspace_id, project_id, sprint_id, story_id, original_estimate)
    SELECT t.workspace_id, t.project_id, s.id, t.id, t.estimate
      FROM public.stories t
     WHERE t.workspace_id = s.workspace_id AND t.id = ANY (story_ids)
     ORDER BY t.number
    ON CONFLICT (workspace_id, sprint_id, story_id) WHERE removed_at IS NULL DO NOTHING
    RETURNING sprint_items.story_id)
  SELECT g.id, l.name, p.story_id IS NOT NULL
    FROM (SELECT DISTINCT unnest(story_ids) AS id) g
    LEFT JOIN left_ l ON l.story_id = g.id
    LEFT JOIN put p ON p.story_id = g.id;
END $$;

-- Takes a story out. No row: it is not in the sprint.
CREATE FUNCTION gnomon.take_from_sprint(of_sprint uuid, of_story uuid) RETURNS SETOF public.sprint_items
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE s public.sprints;
BEGIN
  PERFORM gnomon.hold_sprints(gnomon.workspace(), gnomon.project());
  SELECT * INTO s FROM public.sprints x
   WHERE x.workspace_id = gnomon.workspace() AND x.project_id = gnomon.project() AND x.id = of_sprint AND x.deleted_at IS NULL;
  IF NOT FOUND THEN RETURN; END IF;
  IF s.status = 'completed' THEN PERFORM gnomon.refuse('illegal_state', s.name || ' is completed: its stories stay as they were.'); END IF;
  PERFORM FROM public.stories t WHERE t.workspace_id = s.workspace_id AND t.id = of_story FOR NO KEY UPDATE;
  RETURN QUERY
  UPDATE public.sprint_items i SET removed_at = gnomon.now(), final_estimate = t.estimate
    FROM public.stories t
   WHERE i.workspace_id = s.workspace_id AND i.sprint_id = s.id AND i.story_id = of_story AND i.removed_at IS NULL
     AND t.workspace_id = i.workspace_id AND t.id = i.story_id
  RETURNING i.*;
END $$;

-- Drops a plan that has not started; its stories are in no sprint then.
CREATE FUNCTION gnomon.drop_sprint(of_sprint uuid, seen integer) RETURNS SETOF gnomon.sprint_outcome
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE s public.sprints;
BEGIN
  PERFORM gnomon.hold_sprints(gnomon.workspace(), gnomon.project());
  SELECT * INTO s FROM public.sprints x
   WHERE x.workspace_id = gnomon.workspace() AND x.project_id = gnomon.project() AND x.id = of_sprint AND x.deleted_at IS NULL;
  IF NOT FOUND THEN RETURN; END IF;
  IF seen IS NOT NULL AND s.version <> seen THEN RETURN NEXT ROW('version_conflict', s)::gnomon.sprint_outcome; RETURN; END IF;
  IF s.status <> 'planning' THEN PERFORM gnomon.refuse('illegal_state', s.name || ' has started. A sprint that has started stays in the history.'); END IF;
  UPDATE public.sprint_items i SET removed_at = gnomon.now()
   WHERE i.workspace_id = s.workspace_id AND i.sprint_id = s.id AND i.removed_at IS NULL;
  UPDATE public.sprints x SET deleted_at = gnomon.now() WHERE x.workspace_id = s.workspace_id AND x.id = s.id RETURNING * INTO s;
  RETURN NEXT ROW(NULL, s)::gnomon.sprint_outcome;
END $$;

-- The capacity, when it is points of members of the workspace.
CREATE FUNCTION gnomon.checked_capacity(capacity jsonb) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF EXISTS (SELECT FROM jsonb_object_keys(capacity) k (id)
              WHERE NOT EXISTS (SELECT FROM public.workspace_members m
                                 WHERE m.workspace_id = gnomon.workspace() AND m.user_id = k.id::uuid)) THEN
    PERFORM gnomon.refuse('validation_failed', 'Capacity belongs to members of this workspace only.');
  END IF;
  RETURN capacity;
END $$;
-- And the dates, in the right order.
CREATE FUNCTION gnomon.checked_end(start_date date, end_date date) RETURNS date LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF end_date < start_date THEN PERFORM gnomon.refuse('validation_failed', 'Let the sprint end on or after the day it begins.'); END IF;
  IF end_date > start_date + 365 THEN PERFORM gnomon.refuse('validation_failed', 'A sprint lasts a year at most.'); END IF;
  RETURN end_date;
END $$;
GRANT EXECUTE ON FUNCTION gnomon.start_sprint, gnomon.complete_sprint, gnomon.add_to_sprint, gnomon.take_from_sprint,
  gnomon.drop_sprint, gnomon.checked_capacity, gnomon.checked_end TO gnomon_web;

-- ---- a project by the day, for trends
CREATE TABLE metrics_daily (
  workspace_id    uuid NOT NULL,
  project_id      uuid NOT NULL,
  day             date NOT NULL,        -- in the workspace's time zone
  created         integer NOT NULL,     -- stories made on the day
  finished        integer NOT NULL,     -- and become done on it, each once
  finished_points double precision NOT NULL,
  backlog         integer NOT NULL,     -- stories by status when it ended
  ready           integer NOT NULL,
  in_progress     integer NOT NULL,
  review          integer NOT NULL,
  done            integer NOT NULL,
  open_points     double precision NOT NULL,
  PRIMARY KEY (workspace_id, project_id, day),
  FOREIGN KEY (workspace_id, project_id) REFERENCES projects
);
SELECT gnomon.wall_project('project_id', 'metrics_daily');
GRANT SELECT ON metrics_daily TO gnomon_web, gnomon_worker;

-- Adds a day up for every project of the workspace entered. Most stories stand as
-- they stood then; only those with events since are looked up. Answers how many
-- projects.
CREATE FUNCTION gnomon.aggregate_metrics(of_day date) RETURNS integer
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  WITH span AS MATERIALIZED (
    SELECT of_day::timestamp AT TIME ZONE w.timezone AS since, (of_day + 1)::timestamp AT TIME ZONE w.timezone AS until
      FROM public.workspaces w WHERE w.id = gnomon.workspace()
  ), later AS MATERIALIZED (   -- the first change of each field after the day
    SELECT DISTINCT ON (e.entity_id, f.field) e.scope_id, e.entity_id, f.field, f.change ->> 0 AS was
      FROM span s
      JOIN public.events e ON e.workspace_id = gnomon.workspace() AND e.created_at >= s.until AND e.entity_type = 'story' AND e.action <> 'created'
     CROSS JOIN LATERAL (VALUES ('status', e.changes -> 'status'), ('estimate', e.changes -> 'estimate'),
                                ('deleted_at', e.changes -> 'deleted_at')) f (field, change)
     WHERE f.change IS NOT NULL
     ORDER BY e.entity_id, f.field, e.rev
  ), moved AS MATERIALIZED (
    SELECT l.entity_id, max(l.was) FILTER (WHERE l.field = 'status') AS status,
           bool_or(l.field = 'estimate') AS has_estimate, max(l.was) FILTER (WHERE l.field = 'estimate') AS estimate,
           bool_or(l.field = 'deleted_at') AS has_deleted, max(l.was) FILTER (WHERE l.field = 'deleted_at') AS deleted
      FROM later l GROUP BY l.entity_id
  ), then_ AS (
    SELECT t.project_id, t.id, t.created_at, coalesce(m.status, t.status) AS status,
           CASE WHEN m.has_estimate THEN m.estimate::double precision ELSE t.estimate END AS estimate
      FROM span s
      JOIN public.stories t ON t.workspace_id = gnomon.workspace() AND t.created_at < s.until
      LEFT JOIN moved m ON m.entity_id = t.id
     WHERE CASE WHEN m.has_deleted THEN m.deleted IS NULL ELSE t.deleted_at IS NULL END
  ), ended AS (
    SELECT DISTINCT e.scope_id, e.entity_id
      FROM span s
      JOIN public.events e ON e.workspace_id = gnomon.workspace() AND e.created_at >= s.since AND e.created_at < s.until
                          AND e.entity_type = 'story' AND e.changes #>> '{status,1}' = 'done' AND e.action <> 'created'
  ), sums AS (
    SELECT p.id, count(t.id) FILTER (WHERE t.created_at >= s.since) AS created,
           count(e.entity_id) FILTER (WHERE t.status = 'done') AS finished,
           coalesce(sum(t.estimate) FILTER (WHERE e.entity_id IS NOT NULL AND t.status = 'done'), 0) AS finished_points,
           count(t.id) FILTER (WHERE t.status = 'backlog') AS backlog, count(t.id) FILTER (WHERE t.status = 'ready') AS ready,
           count(t.id) FILTER (WHERE t.status = 'in_progress') AS in_progress, count(t.id) FILTER (WHERE t.status = 'review') AS review,
           count(t.id) FILTER (WHERE t.status = 'done') AS done,
           coalesce(sum(t.estimate) FILTER (WHERE t.status <> 'done'), 0) AS open_points
      FROM span s
      JOIN public.projects p ON p.workspace_id = gnomon.workspace() AND p.created_at < s.until AND p.archived_at IS NULL
      LEFT JOIN then_ t ON t.project_id = p.id
      LEFT JOIN ended e ON e.scope_id = p.id AND e.entity_id = t.id
     GROUP BY p.id
  ), kept AS (
    INSERT INTO public.metrics_daily AS k (workspace_id, project_id, day, created, finished, finished_points, backlog, ready, in_progress, review, done, open_points)
    SELECT gnomon.workspace(), m.id, of_day, m.created, m.finished, gnomon.points(m.finished_points), m.backlog, m.ready, m.in_progress, m.review, m.done,
           gnomon.points(m.open_points)
      FROM sums m
    ON CONFLICT (workspace_id, project_id, day) DO UPDATE
       SET (created, finished, finished_points, backlog, ready, in_progress, review, done, open_points) =
           (excluded.created, excluded.finished, excluded.finished_points, excluded.backlog, excluded.ready, excluded.in_progress,
            excluded.review, excluded.done, excluded.open_points)
    RETURNING 1)
  SELECT count(*)::integer FROM kept
$$;

-- ---- what happens by itself
-- What settings say about the end of a sprint: 'off', 'backlog', 'next' or 'new'.
CREATE FUNCTION gnomon.auto_complete(settings jsonb) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT CASE WHEN v IN ('backlog', 'next', 'new') THEN v ELSE 'off' END
        FROM (SELECT coalesce(settings ->> 'autoComplete', settings ->> 'auto_complete') AS v) s $$;
GRANT EXECUTE ON FUNCTION gnomon.auto_complete TO gnomon_web, gnomon_worker;

-- Says how the sprints of the project entered end. Other settings stay as they are.
CREATE FUNCTION gnomon.set_auto_complete(seen integer, how text) RETURNS TABLE (refused text, version integer, auto_complete text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE p public.projects;
BEGIN
  SELECT * INTO p FROM public.projects x WHERE x.workspace_id = gnomon.workspace() AND x.id = gnomon.project() FOR NO KEY UPDATE;
  IF p.version <> seen THEN
    RETURN QUERY SELECT 'version_conflict', p.version, gnomon.auto_complete(p.settings);
    RETURN;
  END IF;
  IF gnomon.auto_complete(p.settings) <> how THEN
    PERFORM gnomon.audit('project.auto_complete', 'project', p.id, jsonb_build_object('autoComplete', jsonb_build_array(gnomon.auto_complete(p.settings), how)));
  END IF;
  UPDATE public.projects x SET settings = x.settings - 'auto_complete' || jsonb_build_object('autoComplete', how)
   WHERE x.workspace_id = p.workspace_id AND x.id = p.id RETURNING * INTO p;
  RETURN QUERY SELECT NULL, p.version, gnomon.auto_complete(p.settings);
END $$;
GRANT EXECUTE ON FUNCTION gnomon.set_auto_complete TO gnomon_web;

-- Keeps the days that have ended of every active sprint of the workspace entered.
CREATE FUNCTION gnomon.snapshot_sprints(until date) RETURNS integer
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(sum(gnomon.keep_days(s.id, least(until, (gnomon.now() AT TIME ZONE coalesce(s.timezone, w.timezone))::date - 1))), 0)::integer
    FROM public.sprints s JOIN public.workspaces w ON w.id = s.workspace_id
   WHERE s.workspace_id = gnomon.workspace() AND s.status = 'active'
$$;

-- Completes the sprints of the workspace entered whose last day is over, where the
-- project's settings say so. Answers how many.
CREATE FUNCTION gnomon.complete_due_sprints() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE due record; s public.sprints; n integer := 0;
BEGIN
  FOR due IN
    SELECT x.id, x.project_id, x.version, gnomon.auto_complete(p.settings) AS how
      FROM public.sprints x
      JOIN public.projects p ON p.workspace_id = x.workspace_id AND p.id = x.project_id AND p.archived_at IS NULL
      JOIN public.workspaces w ON w.id = x.workspace_id
     WHERE x.workspace_id = gnomon.workspace() AND x.status = 'active'
       AND gnomon.auto_complete(p.settings) <> 'off'
       AND gnomon.now() >= (x.end_date + 1)::timestamp AT TIME ZONE coalesce(x.timezone, w.timezone)
     ORDER BY x.id
  LOOP
    PERFORM gnomon.hold_sprints(gnomon.workspace(), due.project_id);
    SELECT * INTO s FROM public.sprints x   -- somebody may have been quicker
     WHERE x.workspace_id = gnomon.workspace() AND x.id = due.id AND x.status = 'active' AND x.version = due.version;
    CONTINUE WHEN NOT FOUND;
    PERFORM gnomon.end_sprint(s, due.how, NULL, NULL);
    n := n + 1;
  END LOOP;
  RETURN n;
END $$;

-- Queues what is due of these jobs, once a day and workspace: after midnight there
-- the days that have ended are kept and added up, and sprints end that end by
-- themselves (asked every hour, so that one put on later is not missed).
CREATE FUNCTION gnomon.enqueue_sprint_jobs(only_kind text) RETURNS integer
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  WITH day AS MATERIALIZED (
    SELECT w.id, w.created_at, w.timezone, (gnomon.now() AT TIME ZONE w.timezone)::date - 1 AS yesterday,
           to_char(gnomon.now() AT TIME ZONE w.timezone, 'YYYY-MM-DD"T"HH24') AS hour
      FROM public.workspaces w
  ), due AS (
    SELECT d.id, 'sprints:snapshot' AS kind, d.yesterday::text AS bucket
      FROM day d WHERE EXISTS (SELECT FROM public.sprints s WHERE s.workspace_id = d.id AND s.status = 'active')
    UNION ALL
    SELECT d.id, 'metrics:aggregate', (d.yesterday - n)::text     -- a week of nights may have been missed
      FROM day d CROSS JOIN generate_series(0, 6) n
     WHERE d.created_at < (d.yesterday - n + 1)::timestamp AT TIME ZONE d.timezone
       AND EXISTS (SELECT FROM public.projects p WHERE p.workspace_id = d.id AND p.archived_at IS NULL)
    UNION ALL
    SELECT d.id, 'sprints:auto_complete', d.hour
      FROM day d
     WHERE EXISTS (SELECT FROM public.sprints s JOIN public.projects p ON p.workspace_id = s.workspace_id AND p.id = s.project_id
                    WHERE s.workspace_id = d.id AND s.status = 'active' AND s.end_date <= d.yesterday AND gnomon.auto_complete(p.settings) <> 'off')
  ), queued AS (
    INSERT INTO public.jobs (workspace_id, queue, kind, payload, once, run_at)
    SELECT id, 'automation', kind, jsonb_build_object('period', bucket), kind || ':' || bucket, pg_catalog.now()
      FROM due WHERE only_kind IS NULL OR kind = only_kind
    ON CONFLICT (workspace_id, once) DO NOTHING
    RETURNING 1)
  SELECT count(*)::integer FROM queued
$$;
GRANT EXECUTE ON FUNCTION gnomon.snapshot_sprints, gnomon.complete_due_sprints, gnomon.aggregate_metrics, gnomon.enqueue_sprint_jobs TO gnomon_worker;

-- True, or refused: what may still change of a sprint that has started or ended.
CREATE FUNCTION gnomon.sprint_may_change(old public.sprints, body jsonb) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF old.status = 'completed' AND body ?| '{start_date,end_date,capacity}' THEN
    PERFORM gnomon.refuse('illegal_state', old.name || ' is completed: its dates and capacity stay as they were.');
  END IF;
  IF old.status = 'active' AND (body ->> 'start_date')::date <> old.start_date THEN
    PERFORM gnomon.refuse('illegal_state', old.name || ' has started: its first day stays as it was.');
  END IF;
  RETURN true;
END $$;
GRANT EXECUTE ON FUNCTION gnomon.sprint_may_change TO gnomon_web;

-- ---- what was finished, and how long it took
-- The days asked for, both included; by default twelve weeks up to today.
CREATE FUNCTION gnomon.period(since date, until date)
RETURNS TABLE (first date, last date, starts timestamptz, ends timestamptz, zone text)
LANGUAGE plpgsql STABLE AS $$
BEGIN
  SELECT w.timezone INTO zone FROM public.workspaces w WHERE w.id = gnomon.workspace();
  last := coalesce(until, (gnomon.now() AT TIME ZONE zone)::date);
  first := coalesce(since, date_trunc('week', last::timestamp)::date - 77);
  IF first > last THEN PERFORM gnomon.refuse('validation_failed', 'Let the period end on or after the day it begins.'); END IF;
  IF first < last - 1100 THEN PERFORM gnomon.refuse('validation_failed', 'Ask for three years at most.'); END IF;
  starts := first::timestamp AT TIME ZONE zone;
  ends := (last + 1)::timestamp AT TIME ZONE zone;
  RETURN NEXT;
END $$;

-- Stories of the project entered that became done in a span and still are. Each
-- counts once, when it was finished last; work on it began when it was first put
-- in progress (NULL: never). Times are as long as they were, nights included.
CREATE FUNCTION gnomon.finished_stories(starts timestamptz, ends timestamptz)
RETURNS TABLE (id uuid, number integer, title text, estimate double precision, created_at timestamptz, started_at timestamptz,
               finished_at timestamptz, cycle_days double precision, lead_days double precision)
LANGUAGE sql STABLE AS $$
  SELECT t.id, t.number, t.title, t.estimate, t.created_at, b.started_at, t.status_since,
         CASE WHEN b.started_at <= t.status_since THEN round((extract(epoch FROM t.status_since - b.started_at) / 86400)::numeric, 2)::double precision END,
         CASE WHEN t.created_at <= t.status_since THEN round((extract(epoch FROM t.status_since - t.created_at) / 86400)::numeric, 2)::double precision END
    FROM stories t
   CROSS JOIN LATERAL (SELECT min(e.created_at) AS started_at FROM events e
                        WHERE e.workspace_id = t.workspace_id AND e.entity_id = t.id
                          AND e.created_at >= t.created_at - interval '1 day' AND e.created_at <= t.status_since   -- the months of its life
                          AND e.changes #>> '{status,1}' = 'in_progress') b
   WHERE t.workspace_id = gnomon.workspace() AND t.project_id = gnomon.project() AND t.status = 'done' AND t.deleted_at IS NULL
     AND t.status_since >= starts AND t.status_since < ends
$$;
GRANT EXECUTE ON FUNCTION gnomon.period, gnomon.finished_stories TO gnomon_web, gnomon_worker;

-- The sprints completed in a period; without its beginning the last twelve.
CREATE FUNCTION gnomon.completed_sprints(since date, until date) RETURNS SETOF sprints LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF since > until THEN PERFORM gnomon.refuse('validation_failed', 'Let the period end on or after the day it begins.'); END IF;
  RETURN QUERY
    SELECT s.*
      FROM sprints s JOIN workspaces w ON w.id = s.workspace_id
     WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.status = 'completed' AND s.completed_at IS NOT NULL
       AND (since IS NULL OR s.completed_at >= since::timestamp AT TIME ZONE w.timezone)
       AND (until IS NULL OR s.completed_at < (until + 1)::timestamp AT TIME ZONE w.timezone)
     ORDER BY s.completed_at DESC, s.id DESC
     LIMIT CASE WHEN since IS NULL THEN 12 ELSE 100 END;
END $$;

-- Stories made and finished in a span, and how long the finished ones took.
CREATE FUNCTION gnomon.flow(starts timestamptz, ends timestamptz)
RETURNS TABLE (finished bigint, points double precision, made bigint, cycle double precision, lead double precision)
LANGUAGE sql STABLE AS $$
  SELECT count(*), gnomon.points(sum(f.estimate)),
         (SELECT count(*) FROM stories t WHERE t.workspace_id = gnomon.workspace() AND t.project_id = gnomon.project() AND t.deleted_at IS NULL
             AND t.created_at >= starts AND t.created_at < ends),
         round((percentile_cont(0.5) WITHIN GROUP (ORDER BY f.cycle_days))::numeric, 2)::double precision,
         round((percentile_cont(0.5) WITHIN GROUP (ORDER BY f.lead_days))::numeric, 2)::double precision
    FROM gnomon.finished_stories(starts, ends) f
$$;

-- What came into a sprint, left it or was estimated anew after it had begun, and
-- by how many points it grew.
CREATE FUNCTION gnomon.scope_changes(of_sprint uuid)
RETURNS TABLE (at timestamptz, what text, story_id uuid, number integer, title text, points double precision)
LANGUAGE sql STABLE AS $$
WITH sprint AS MATERIALIZED (
  SELECT s.id, s.status, s.completed_at, s.completed_rev, least(gnomon.now(), gnomon.as_of(), s.completed_at) AS cut,
         coalesce(s.started_at, s.start_date::timestamp AT TIME ZONE coalesce(s.timezone, w.timezone)) AS began
    FROM asof.sprints s JOIN asof.workspaces w ON w.id = s.workspace_id
   WHERE s.workspace_id = gnomon.workspace() AND s.id = of_sprint AND s.status <> 'planning'
), items AS MATERIALIZED (
  SELECT i.added_at, i.original_estimate, i.final_estimate, i.story_id AS id, i.number, i.title, i.estimate,
         CASE WHEN s.status = 'completed' THEN i.removed_at ELSE least(i.removed_at, i.deleted_at) END AS left_at
    FROM sprint s CROSS JOIN LATERAL gnomon.sprint_stays(s.id) i
)
SELECT i.added_at, 'added', i.id, i.number, i.title, gnomon.points(i.original_estimate) FROM sprint s JOIN items i ON i.added_at > s.began
UNION ALL
SELECT i.left_at, 'removed', i.id, i.number, i.title, -gnomon.points(CASE WHEN s.status = 'completed' THEN i.final_estimate ELSE coalesce(i.final_estimate, i.estimate) END) FROM sprint s JOIN items i ON i.left_at > s.began
UNION ALL
SELECT e.created_at, 'estimated', i.id, i.number, i.title,
       gnomon.points(coalesce((e.changes #>> '{estimate,1}')::double precision, 0) - coalesce((e.changes #>> '{estimate,0}')::double precision, 0))
  FROM sprint s
 CROSS JOIN items i
 CROSS JOIN LATERAL (
   SELECT e.rev, e.created_at, e.changes FROM asof.events e
    WHERE e.workspace_id = gnomon.workspace() AND e.entity_id = i.id AND e.changes ? 'estimate' AND e.action <> 'created'
      AND e.created_at > s.began - interval '1 day'
   OFFSET 0) e
 WHERE e.created_at > greatest(s.began, i.added_at) AND e.created_at <= s.cut AND (s.completed_rev IS NULL OR e.rev <= s.completed_rev)
   AND (i.left_at IS NULL OR e.created_at < i.left_at)
$$;
GRANT EXECUTE ON FUNCTION gnomon.completed_sprints, gnomon.flow, gnomon.scope_changes TO gnomon_web, gnomon_worker;
