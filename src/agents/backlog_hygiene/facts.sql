-- Backlog hygiene: what is measured about the open stories of a project.
--
-- Open is whatever is not done and not deleted. A story is next when somebody
-- will meet it soon: it is ready or started, or planned in a sprint that is not
-- completed. Ages are calendar days in the workspace's time zone. An update is
-- any change of the story except its place on the board; where the log does not
-- reach back to the story's creation (an import) the creation counts.

-- part: subjects
SELECT p.id, p.name AS label, p.id AS project_id, NULL::uuid AS sprint_id
  FROM asof.projects p
 WHERE p.workspace_id = gnomon.workspace() AND p.archived_at IS NULL
 ORDER BY p.key

-- What the search for near-duplicates reads. The first document of a group is
-- the one to keep, so they come in that order: started before waiting, the
-- complete before the thin, the old before the new.
-- part: documents
-- args: subject uuid
SELECT st.id, st.title, left(st.description, 8000) AS body
  FROM asof.stories st
 WHERE st.workspace_id = gnomon.workspace() AND st.project_id = :subject AND st.status <> 'done' AND st.deleted_at IS NULL
 ORDER BY CASE st.status WHEN 'review' THEN 1 WHEN 'in_progress' THEN 2 WHEN 'ready' THEN 3 ELSE 4 END,
          2 * (st.description !~ '\S')::integer + (st.estimate IS NULL)::integer
            + (st.acceptance_criteria = '[]')::integer + (st.epic_id IS NULL)::integer,
          st.number

-- part: facts
-- args: subject uuid, thresholds jsonb, native jsonb
WITH
project AS MATERIALIZED (
  SELECT p.id, p.key, p.name, w.timezone AS zone, (gnomon.now() AT TIME ZONE w.timezone)::date AS today,
         (:thresholds ->> 'ageDays')::integer AS age_days, (:thresholds ->> 'staleDays')::integer AS stale_days,
         jsonb_build_object('type', 'project', 'id', p.id, 'key', p.key) AS ref
    FROM asof.projects p JOIN asof.workspaces w ON w.id = p.workspace_id
   WHERE p.workspace_id = gnomon.workspace() AND p.id = :subject
),
touched AS MATERIALIZED (
  SELECT e.entity_id AS id, min(e.created_at) AS known_since,
         max(e.created_at) FILTER (WHERE e.action <> 'created' AND e.changes - 'position' <> '{}') AS updated_at
    FROM asof.events e
   WHERE e.workspace_id = gnomon.workspace() AND e.scope_id = :subject AND e.entity_type = 'story'
   GROUP BY e.entity_id
),
planned AS MATERIALIZED (
  SELECT DISTINCT i.story_id AS id
    FROM asof.sprints s JOIN asof.sprint_items i ON i.workspace_id = s.workspace_id AND i.sprint_id = s.id
   WHERE s.workspace_id = gnomon.workspace() AND s.project_id = :subject AND s.status <> 'completed' AND i.removed_at IS NULL
),
story AS MATERIALIZED (
  SELECT st.id, p.key || '-' || st.number AS key, st.number, btrim(st.title) AS title, st.status, st.priority, st.estimate, a.name AS assignee,
         CASE st.priority WHEN 'urgent' THEN 4 WHEN 'high' THEN 3 WHEN 'medium' THEN 2 ELSE 1 END AS rank,
         st.status <> 'backlog' OR n.id IS NOT NULL AS is_next,
         st.status IN ('backlog', 'ready') AND n.id IS NULL AS is_waiting,
         p.today - (st.created_at AT TIME ZONE p.zone)::date AS age,
         p.today - (coalesce(t.updated_at, st.created_at) AT TIME ZONE p.zone)::date AS quiet,
         t.updated_at IS NOT NULL OR t.known_since <= st.created_at + interval '1 day' AS is_known,
         st.estimate IS NULL AS no_estimate, st.description !~ '\S' AS no_description,
         st.acceptance_criteria IN ('[]', '{}', 'null', '""') AS no_criteria, st.epic_id IS NULL AS no_epic,
         jsonb_build_object('type', 'story', 'id', st.id, 'key', p.key || '-' || st.number) AS ref
    FROM project p
    JOIN asof.stories st ON st.workspace_id = gnomon.workspace() AND st.project_id = p.id
    LEFT JOIN asof.people a ON a.workspace_id = st.workspace_id AND a.id = st.assignee_id
    LEFT JOIN touched t ON t.id = st.id
    LEFT JOIN planned n ON n.id = st.id
   WHERE st.status <> 'done' AND st.deleted_at IS NULL
),
flagged AS MATERIALIZED (   -- one row per story and thing to say of it, in the order to look at them
  SELECT k.kind, s.*, k.sort, row_number() OVER (PARTITION BY k.kind ORDER BY s.is_next AND k.kind NOT IN ('old', 'stale') DESC, k.sort DESC, s.number) AS place
    FROM project p, story s CROSS JOIN LATERAL (VALUES
      ('estimate', s.no_estimate AND (:thresholds ->> 'checkEstimate')::boolean, s.rank),
      ('description', s.no_description AND (:thresholds ->> 'checkDescription')::boolean, s.rank),
      ('criteria', s.no_criteria AND (:thresholds ->> 'checkCriteria')::boolean, s.rank),
      ('epic', s.no_epic AND (:thresholds ->> 'checkEpic')::boolean, s.rank),
      ('old', s.is_waiting AND s.age >= p.age_days AND s.quiet >= p.stale_days, s.age),
      ('stale', s.is_waiting AND s.rank >= 3 AND s.quiet >= p.stale_days, s.rank * 100000 + s.quiet)
    ) AS k (kind, applies, sort)
   WHERE k.applies
),
tally AS MATERIALIZED (
  SELECT kind, count(*) AS n, count(*) FILTER (WHERE is_next) AS next, count(*) FILTER (WHERE rank = 4) AS urgent,
         count(*) FILTER (WHERE is_known) AS known
    FROM flagged GROUP BY kind
),
total AS MATERIALIZED (
  SELECT count(*) AS open, count(*) FILTER (WHERE is_waiting) AS waiting,
         percentile_disc(0.5) WITHIN GROUP (ORDER BY age) FILTER (WHERE is_waiting) AS median_age,
         max(age) FILTER (WHERE is_waiting) AS oldest
    FROM story
),

-- Duplicates, as the native search found them; a story that is open no more
-- leaves its group.
twin AS MATERIALIZED (
  SELECT g.place AS grp, k.id AS keep_id, d.place AS twin, s.*, d.score
    FROM jsonb_array_elements(:native -> 'groups') WITH ORDINALITY AS g (found, place)
    JOIN story k ON k.id = (g.found ->> 'keep')::uuid
   CROSS JOIN LATERAL (SELECT (t.twin ->> 'id')::uuid AS id, round(100 * (t.twin ->> 'score')::numeric) AS score, t.place
                         FROM jsonb_array_elements(g.found -> 'duplicates') WITH ORDINALITY AS t (twin, place)) d
    JOIN story s ON s.id = d.id
),
grp AS MATERIALIZED (
  SELECT t.grp, t.keep_id, count(*) AS twins, min(t.score) AS score,
         row_number() OVER (ORDER BY bool_or(t.is_next) OR k.is_next DESC, min(t.score) DESC, k.number) AS place
    FROM twin t JOIN story k ON k.id = t.keep_id
   GROUP BY t.grp, t.keep_id, k.is_next, k.number
),
listed AS MATERIALIZED (    -- the stories the packet carries
  SELECT id FROM flagged WHERE place <= 20
  UNION SELECT t.id FROM twin t JOIN grp g USING (grp) WHERE g.place <= 30 AND t.twin <= 10
  UNION SELECT g.keep_id FROM grp g WHERE g.place <= 30
),
fact (part, place, key, label, value, unit, source, ref) AS (
  SELECT f.part, 0, f.key, f.label, f.value, f.unit, 'stories', p.ref
    FROM project p, total t CROSS JOIN LATERAL (VALUES
      (1, 'open', gnomon.say(t.open, 'open story', 'open stories'), t.open, 'stories'),
      (2, 'waiting', format('%s waiting in the backlog', gnomon.say(t.waiting, 'story', 'stories')), t.waiting, 'stories'),
      (3, 'median_age', format('Half of them are %s old or older', gnomon.say(t.median_age, 'day', 'days')), t.median_age, 'days'),
      (4, 'oldest_age', format('The oldest is %s old', gnomon.say(t.oldest, 'day', 'days')), t.oldest, 'days')
    ) AS f (part, key, label, value, unit)
  UNION ALL
  SELECT 10 + k.part, 0, 'no_' || k.kind, format('%s of %s without %s', gnomon.say(y.n), gnomon.say(t.open, 'open story', 'open stories'), k.what),
         y.n, 'stories', 'stories', p.ref
    FROM project p, total t, tally y JOIN (VALUES (1, 'estimate', 'an estimate'), (2, 'description', 'a description'),
           (3, 'criteria', 'acceptance criteria'), (4, 'epic', 'an epic')) AS k (part, kind, what) USING (kind)
  UNION ALL
  SELECT 20 + k.part, 0, 'no_' || k.kind || '_next', format('%s of these ready, started or planned', gnomon.say(y.next)),
         nullif(y.next, 0), 'stories', 'stories', p.ref
    FROM project p, tally y JOIN (VALUES (1, 'estimate'), (2, 'description'), (3, 'criteria'), (4, 'epic')) AS k (part, kind) USING (kind)
  UNION ALL
  SELECT 31, 0, 'old', format('%s older than %s, untouched for %s', gnomon.say(y.n, 'story', 'stories'),
                              gnomon.say(p.age_days, 'day', 'days'), gnomon.say(p.stale_days)), y.n, 'stories', 'events', p.ref
    FROM project p, tally y WHERE y.kind = 'old'
  UNION ALL
  SELECT 32, 0, 'stale', format('%s of high or urgent priority untouched for %s or more', gnomon.say(y.n, 'story', 'stories'),
                                gnomon.say(p.stale_days, 'day', 'days')), y.n, 'stories', 'events', p.ref
    FROM project p, tally y WHERE y.kind = 'stale'
  UNION ALL
  SELECT 33, 0, 'duplicate_groups', format('%s that say the same', gnomon.say(count(*), 'group of stories', 'groups of stories')),
         nullif(count(*), 0), 'groups', 'near_duplicates', p.ref
    FROM project p, grp GROUP BY p.ref
  UNION ALL
  SELECT 41, f.place, 'story_old', format('%s is %s old, untouched for %s', f.key, gnomon.say(f.age, 'day', 'days'), gnomon.say(f.quiet)),
         f.age, 'days', 'events', f.ref
    FROM flagged f WHERE f.kind = 'old' AND f.place <= 20
  UNION ALL
  SELECT 42, f.place, 'story_stale', format('%s (%s) untouched for %s', f.key, f.priority, gnomon.say(f.quiet, 'day', 'days')),
         f.quiet, 'days', 'events', f.ref
    FROM flagged f WHERE f.kind = 'stale' AND f.place <= 20
  UNION ALL
  SELECT 50 + g.place, t.twin, 'twin', format('%s is %s%% like %s', t.key, t.score, k.key), t.score, 'percent', 'near_duplicates', t.ref
    FROM grp g JOIN twin t USING (grp) JOIN story k ON k.id = g.keep_id
   WHERE g.place <= 30 AND t.twin <= 10
)
SELECT jsonb_build_object(
  'facts', (SELECT coalesce(jsonb_agg(jsonb_build_object('id', 'F-' || f.n, 'key', f.key, 'label', f.label, 'value', f.value,
                                                         'unit', f.unit, 'source', f.source, 'ref', f.ref) ORDER BY f.n), '[]')
              FROM (SELECT *, row_number() OVER (ORDER BY part, place) AS n FROM fact WHERE value IS NOT NULL) f),
  'metrics', (SELECT jsonb_strip_nulls(jsonb_build_object('projectId', p.id, 'project', p.name, 'key', p.key, 'today', p.today,
      'open', t.open, 'waiting', t.waiting, 'medianAge', t.median_age, 'oldestAge', t.oldest,
      'ageDays', p.age_days, 'staleDays', p.stale_days, 'groups', (SELECT count(*) FROM grp)))
                FROM project p, total t),
  'kinds', (SELECT coalesce(jsonb_agg(jsonb_build_object('kind', y.kind, 'n', y.n, 'next', y.next, 'urgent', y.urgent, 'known', y.known,
      'ids', (SELECT jsonb_agg(f.id ORDER BY f.place) FROM flagged f WHERE f.kind = y.kind AND f.place <= 20)) ORDER BY y.kind), '[]')
              FROM tally y),
  'groups', (SELECT coalesce(jsonb_agg(jsonb_build_object('keep', g.keep_id, 'twins', g.twins, 'score', g.score,
      'ids', (SELECT jsonb_agg(t.id ORDER BY t.twin) FROM twin t WHERE t.grp = g.grp AND t.twin <= 10)) ORDER BY g.place), '[]')
               FROM grp g WHERE g.place <= 30),
  'stories', (SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('id', s.id, 'key', s.key, 'number', s.number, 'title', s.title, 'status', s.status,
      'priority', s.priority, 'points', s.estimate, 'assignee', s.assignee, 'next', s.is_next, 'age', s.age, 'quiet', s.quiet,
      'hasDescription', NOT s.no_description, 'hasCriteria', NOT s.no_criteria, 'hasEpic', NOT s.no_epic)) ORDER BY s.number), '[]')
                FROM story s WHERE s.id IN (SELECT id FROM listed))) AS facts
