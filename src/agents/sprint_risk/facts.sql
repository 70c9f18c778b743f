-- Sprint risk: what is measured about an active sprint, before any judgement.
--
-- Days are working days (Monday to Friday) of the workspace's time zone. Today
-- counts as still to come: at 08:00 nothing of it has been used. Work is weighed
-- in points where at least half of the stories have an estimate, and counted in
-- stories otherwise; `unit` says which. An update of a story is any change of
-- it except its place on the board.

-- part: subjects
SELECT s.id, p.name || ', ' || s.name AS label, s.project_id, s.id AS sprint_id
  FROM asof.sprints s
  JOIN asof.projects p ON p.workspace_id = s.workspace_id AND p.id = s.project_id
 WHERE s.workspace_id = gnomon.workspace() AND s.status = 'active' AND p.archived_at IS NULL
 ORDER BY p.key, s.id

-- part: facts
-- args: subject uuid, thresholds jsonb, native jsonb
WITH RECURSIVE
sprint AS MATERIALIZED (
  SELECT s.id, s.project_id, p.key AS project_key, s.name, s.start_date, s.end_date, d.today, w.timezone AS zone,
         coalesce(s.started_at, s.start_date::timestamp AT TIME ZONE w.timezone) AS began,
         gnomon.working_days(s.start_date, s.end_date + 1) AS days,
         gnomon.working_days(s.start_date, least(d.today, s.end_date + 1)) AS elapsed,
         gnomon.working_days(greatest(d.today, s.start_date), s.end_date + 1) AS days_left,
         jsonb_build_object('type', 'sprint', 'id', s.id, 'key', s.name) AS ref
    FROM asof.sprints s
    JOIN asof.projects p ON p.workspace_id = s.workspace_id AND p.id = s.project_id
    JOIN asof.workspaces w ON w.id = s.workspace_id
   CROSS JOIN LATERAL (SELECT (gnomon.now() AT TIME ZONE w.timezone)::date AS today) d
   WHERE s.workspace_id = gnomon.workspace() AND s.id = :subject
),
item AS MATERIALIZED (      -- every story that was ever in the sprint
  SELECT st.id, s.project_key || '-' || st.number AS key, st.number, btrim(st.title) AS title, st.status, st.priority,
         st.estimate::numeric AS estimate, i.original_estimate::numeric AS original, st.due_date,
         st.assignee_id, a.name AS assignee, (st.status_since AT TIME ZONE s.zone)::date AS status_day,
         i.added_at, i.added_at > s.began AS late, i.removed_at IS NULL AS here, i.removed_at > s.began AS taken_out,
         jsonb_build_object('type', 'story', 'id', st.id, 'key', s.project_key || '-' || st.number) AS ref
    FROM sprint s
    JOIN asof.sprint_items i ON i.workspace_id = gnomon.workspace() AND i.sprint_id = s.id
    JOIN asof.stories st ON st.workspace_id = i.workspace_id AND st.id = i.story_id
    LEFT JOIN asof.people a ON a.workspace_id = st.workspace_id AND a.id = st.assignee_id
   WHERE st.deleted_at IS NULL
),
unit AS MATERIALIZED (
  SELECT by_points, CASE WHEN by_points THEN 'point' ELSE 'story' END AS one,
         CASE WHEN by_points THEN 'points' ELSE 'stories' END AS many
    FROM (SELECT 2 * count(estimate) >= count(*) AS by_points FROM item WHERE here) c
),
story AS MATERIALIZED (
  SELECT i.*, CASE WHEN u.by_points THEN coalesce(i.estimate, 0) ELSE 1 END AS weight,
         CASE WHEN u.by_points THEN coalesce(i.original, i.estimate, 0) ELSE 1 END AS weight_then,
         i.here AND i.status <> 'done' AS unfinished
    FROM item i, unit u
),

-- Recency.
touched AS (
  SELECT e.entity_id AS id,
         max(e.created_at) FILTER (WHERE e.action <> 'created' AND e.changes - 'position' <> '{}') AS updated_at,
         min(e.created_at) AS known_since
    FROM asof.events e
   WHERE e.workspace_id = gnomon.workspace() AND e.entity_id IN (SELECT id FROM story WHERE unfinished)
   GROUP BY e.entity_id
),
quiet AS MATERIALIZED (
  SELECT t.id, coalesce(t.updated_at, t.known_since) AS updated_at,
         gnomon.working_days((coalesce(t.updated_at, t.known_since) AT TIME ZONE s.zone)::date, s.today) AS days
    FROM touched t, sprint s
),

-- Pace: what was finished on the last full working days, by the day.
pace AS MATERIALIZED (
  SELECT p.days, p.since, w.weight AS finished,
         CASE WHEN p.days > 0 THEN trim_scale(round(w.weight / p.days, 1)) END AS burn
    FROM (SELECT least((:thresholds ->> 'burnDays')::integer, s.elapsed) AS days, (
                   SELECT max(d.day)::date
                     FROM generate_series(s.start_date::timestamp, s.today::timestamp, interval '1 day') AS d (day)
                    WHERE gnomon.working_days(d.day::date, least(s.today, s.end_date + 1))
                          >= least((:thresholds ->> 'burnDays')::integer, s.elapsed)) AS since
            FROM sprint s) p
   CROSS JOIN LATERAL (
         SELECT coalesce(sum(i.weight), 0) AS weight
           FROM story i, sprint s
          WHERE i.here AND i.status = 'done' AND i.status_day >= p.since AND i.status_day < s.today) w
),
past AS MATERIALIZED (      -- the three sprints completed last
  SELECT count(*) AS sprints, trim_scale(round(avg(c.points), 1)) AS velocity
    FROM (SELECT (SELECT coalesce(sum(i.final_estimate::numeric), 0)
                    FROM asof.sprint_items i
                   WHERE i.workspace_id = gnomon.workspace() AND i.sprint_id = o.id
                     AND i.completed_at IS NOT NULL AND i.removed_at IS NULL) AS points
            FROM asof.sprints o JOIN sprint s ON o.project_id = s.project_id
           WHERE o.workspace_id = gnomon.workspace() AND o.status = 'completed' AND o.completed_at IS NOT NULL
           ORDER BY o.completed_at DESC, o.id
           LIMIT 3) c
),

-- Waiting: story B waits for A when A blocks B, or B requires A, and A is not
-- done. The chain follows, from each story, what it has waited for longest.
wait AS MATERIALIZED (
  SELECT DISTINCT ON (e.story) e.story, e.blocker, e.since
    FROM (SELECT CASE d.dependency_type WHEN 'blocks' THEN d.target_id ELSE d.source_id END AS story,
                 CASE d.dependency_type WHEN 'blocks' THEN d.source_id ELSE d.target_id END AS blocker,
                 d.created_at AS since
            FROM sprint s
            JOIN asof.dependencies d ON d.workspace_id = gnomon.workspace() AND d.project_id = s.project_id
           WHERE d.source_type = 'story' AND d.target_type = 'story' AND d.removed_at IS NULL) e
    JOIN asof.stories b ON b.workspace_id = gnomon.workspace() AND b.id = e.blocker
   WHERE b.status <> 'done' AND b.deleted_at IS NULL
   ORDER BY e.story, e.since, b.number
),
walk AS (
  SELECT i.id AS story, w.blocker AS last, ARRAY[w.blocker, i.id] AS path, w.since
    FROM story i JOIN wait w ON w.story = i.id WHERE i.unfinished
  UNION ALL
  SELECT k.story, w.blocker, w.blocker || k.path, k.since
    FROM walk k JOIN wait w ON w.story = k.last
   WHERE w.blocker <> ALL (k.path) AND cardinality(k.path) < 10
),
blocked AS MATERIALIZED (
  SELECT DISTINCT ON (k.story) k.story AS id, k.last AS root,
         gnomon.working_days((greatest(k.since, i.added_at, s.began) AT TIME ZONE s.zone)::date, s.today) AS days,
         (SELECT array_agg(s.project_key || '-' || n.number ORDER BY c.place)
            FROM unnest(k.path) WITH ORDINALITY AS c (id, place)
            JOIN asof.stories n ON n.workspace_id = gnomon.workspace() AND n.id = c.id) AS chain
    FROM walk k JOIN story i ON i.id = k.story AND i.here, sprint s
   ORDER BY k.story, cardinality(k.path) DESC
),
root AS MATERIALIZED (      -- what the waiting comes from in the end
  SELECT st.id, s.project_key || '-' || st.number AS key, st.title, st.status, st.assignee_id, a.name AS assignee,
         EXISTS (SELECT FROM story i WHERE i.id = st.id AND i.here) AS in_sprint,
         r.stories, r.weight, r.days
    FROM sprint s, (SELECT b.root, count(*) AS stories, sum(i.weight) AS weight, max(b.days) AS days
                      FROM blocked b JOIN story i ON i.id = b.id AND i.here GROUP BY b.root) r
    JOIN asof.stories st ON st.workspace_id = gnomon.workspace() AND st.id = r.root
    LEFT JOIN asof.people a ON a.workspace_id = st.workspace_id AND a.id = st.assignee_id
),

-- Who holds what is unfinished; people of the sprint with nothing left count too.
holder AS MATERIALIZED (
  SELECT assignee_id AS id, assignee AS name, count(*) FILTER (WHERE unfinished) AS stories,
         coalesce(sum(weight) FILTER (WHERE unfinished), 0) AS weight
    FROM story WHERE here AND assignee_id IS NOT NULL
   GROUP BY assignee_id, assignee
),

measured AS MATERIALIZED (
  SELECT s.*, u.*, p.days AS burn_days, p.since AS burn_since, p.burn, h.sprints AS past_sprints, h.velocity, t.*,
         CASE WHEN s.days > 0 THEN round(100.0 * s.elapsed / s.days) END AS time_share,
         CASE WHEN t.total > 0 THEN round(100.0 * (t.total - t.remaining) / t.total) END AS done_share,
         CASE WHEN p.burn IS NOT NULL THEN least(t.remaining, round(p.burn * s.days_left)) END AS can_finish,
         CASE WHEN p.burn IS NOT NULL THEN greatest(0, t.remaining - round(p.burn * s.days_left)) END AS shortfall,
         CASE WHEN t.committed > 0 THEN round(100.0 * t.added / t.committed) END AS growth,
         CASE WHEN t.due > 0 THEN round(100.0 * t.overdue / t.due) END AS overdue_share,
         m.median, m.people
    FROM sprint s, unit u, pace p, past h, (
      SELECT count(*) FILTER (WHERE i.here) AS stories, count(*) FILTER (WHERE i.unfinished) AS unfinished,
             coalesce(sum(i.weight) FILTER (WHERE i.here), 0) AS total,
             coalesce(sum(i.weight) FILTER (WHERE i.unfinished), 0) AS remaining,
             count(*) FILTER (WHERE i.here AND i.estimate IS NULL) AS unestimated,
             count(*) FILTER (WHERE i.unfinished AND i.status IN ('backlog', 'ready')) AS unstarted,
             coalesce(sum(i.weight) FILTER (WHERE i.unfinished AND i.status IN ('backlog', 'ready')), 0) AS unstarted_weight,
             coalesce(sum(i.weight_then) FILTER (WHERE NOT i.late), 0) AS committed,
             count(*) FILTER (WHERE i.late AND i.here) AS added_stories,
             coalesce(sum(i.weight) FILTER (WHERE i.late AND i.here), 0) AS added,
             count(*) FILTER (WHERE i.taken_out) AS removed_stories,
             coalesce(sum(i.weight) FILTER (WHERE i.taken_out), 0) AS removed,
             count(*) FILTER (WHERE i.here AND i.due_date < s.today) AS due,
             count(*) FILTER (WHERE i.unfinished AND i.due_date < s.today) AS overdue,
             count(*) FILTER (WHERE i.unfinished AND i.status IN ('in_progress', 'review')) AS started,
             count(*) FILTER (WHERE i.unfinished AND i.status IN ('in_progress', 'review')
                                AND q.days >= (:thresholds ->> 'quietDays')::integer) AS stalled,
             coalesce(sum(i.weight) FILTER (WHERE i.unfinished AND i.status IN ('in_progress', 'review')
                                AND q.days >= (:thresholds ->> 'quietDays')::integer), 0) AS stalled_weight,
             count(*) FILTER (WHERE i.unfinished AND i.assignee_id IS NULL) AS unassigned,
             (SELECT count(*) FROM blocked) AS blocked
        FROM sprint s, story i LEFT JOIN quiet q ON q.id = i.id) t, (
      SELECT count(*) AS people, percentile_cont(0.5) WITHIN GROUP (ORDER BY stories)::numeric AS median FROM holder) m
),
fact (part, place, key, label, value, unit, source, ref) AS (
  SELECT f.part, 0, f.key, f.label, f.value, f.unit, f.source, m.ref
    FROM measured m CROSS JOIN LATERAL (VALUES
      (1, 'points_remaining', format('%s of %s remain', gnomon.say(m.remaining), gnomon.say(m.total, m.one, m.many)),
          m.remaining, m.many, 'sprint_items'),
      (2, 'days_left', format('%s of %s are left', gnomon.say(m.days_left), gnomon.say(m.days, 'working day', 'working days')),
          m.days_left, 'days', 'sprints'),
      (3, 'burn', format('%s a day finished over the last %s', gnomon.say(m.burn, m.one, m.many),
                         gnomon.say(m.burn_days, 'working day', 'working days')), m.burn, m.many || ' a day', 'events'),
      (4, 'can_finish', format('%s can be finished by %s at that pace', gnomon.say(m.can_finish, m.one, m.many),
                               gnomon.say(m.end_date)), m.can_finish, m.many, 'sprint_items'),
      (5, 'shortfall', format('%s remain beyond that', gnomon.say(m.shortfall, m.one, m.many)), m.shortfall, m.many, 'sprint_items'),
      (6, 'time_share', format('%s%% of the working days are used', m.time_share), m.time_share, 'percent', 'sprints'),
      (7, 'done_share', format('%s%% of the %s are done', m.done_share, m.many), m.done_share, 'percent', 'sprint_items'),
      (8, 'velocity', format('%s on average in the last %s', gnomon.say(m.velocity, 'point', 'points'),
                             gnomon.say(m.past_sprints, 'completed sprint', 'completed sprints')),
          CASE WHEN m.past_sprints > 0 AND m.by_points THEN m.velocity END, 'points', 'sprint_items'),
      (9, 'unstarted', format('%s not started (%s)', gnomon.say(m.unstarted, 'story', 'stories'),
                              gnomon.say(m.unstarted_weight, m.one, m.many)), nullif(m.unstarted, 0), 'stories', 'stories'),
      (10, 'unestimated', format('%s without an estimate', gnomon.say(m.unestimated, 'story', 'stories')),
          nullif(m.unestimated, 0), 'stories', 'stories'),
      (11, 'committed', format('%s committed at the start', gnomon.say(m.committed, m.one, m.many)), m.committed, m.many, 'sprint_items'),
      (12, 'scope_added', format('%s (%s) added after the start', gnomon.say(m.added_stories, 'story', 'stories'),
                                 gnomon.say(m.added, m.one, m.many)), m.added, m.many, 'sprint_items'),
      (13, 'scope_removed', format('%s (%s) taken out after the start', gnomon.say(m.removed_stories, 'story', 'stories'),
                                   gnomon.say(m.removed, m.one, m.many)),
          CASE WHEN m.removed_stories > 0 THEN m.removed END, m.many, 'sprint_items'),
      (14, 'scope_growth', format('The sprint grew by %s%%', m.growth), m.growth, 'percent', 'sprint_items'),
      (15, 'overdue', format('%s of %s due before today unfinished', gnomon.say(m.overdue), gnomon.say(m.due, 'story', 'stories')),
          CASE WHEN m.due > 0 THEN m.overdue END, 'stories', 'stories'),
      (16, 'overdue_share', format('%s%% of what was due is unfinished', m.overdue_share), m.overdue_share, 'percent', 'stories'),
      (17, 'stalled', format('%s of %s started without an update for %s or more', gnomon.say(m.stalled),
                             gnomon.say(m.started, 'story', 'stories'),
                             gnomon.say((:thresholds ->> 'quietDays')::integer, 'working day', 'working days')),
          CASE WHEN m.started > 0 THEN m.stalled END, 'stories', 'events'),
      (18, 'stalled_points', format('%s in stalled stories', gnomon.say(m.stalled_weight, m.one, m.many)),
          CASE WHEN m.stalled > 0 THEN m.stalled_weight END, m.many, 'events'),
      (19, 'blocked', format('%s waiting for another story', gnomon.say(m.blocked, 'unfinished story', 'unfinished stories')),
          m.blocked, 'stories', 'dependencies'),
      (20, 'unfinished', format('%s unfinished in the sprint', gnomon.say(m.unfinished, 'story', 'stories')), m.unfinished, 'stories', 'stories'),
      (21, 'held_median', format('The median of %s is %s', gnomon.say(m.people, 'person', 'people'),
                                 gnomon.say(m.median, 'unfinished story', 'unfinished stories')), m.median, 'stories', 'stories')
    ) AS f (part, key, label, value, unit, source)
  UNION ALL
  SELECT 31, row_number() OVER (ORDER BY q.days DESC, i.number), 'story_quiet',
         format('%s %s, no update for %s', i.key, gnomon.say_status(i.status), gnomon.say(q.days, 'working day', 'working days')),
         q.days, 'days', 'events', i.ref
    FROM story i JOIN quiet q ON q.id = i.id
   WHERE i.unfinished AND i.status IN ('in_progress', 'review') AND q.days >= (:thresholds ->> 'quietDays')::integer
  UNION ALL
  SELECT 32, row_number() OVER (ORDER BY i.due_date, i.number), 'story_overdue',
         format('%s was due on %s', i.key, gnomon.say(i.due_date)),
         gnomon.working_days(i.due_date, s.today), 'days', 'stories', i.ref
    FROM story i, sprint s
   WHERE i.unfinished AND i.due_date < s.today
  UNION ALL
  SELECT 33, row_number() OVER (ORDER BY i.added_at, i.number), 'story_added',
         format('%s (%s) came in on %s', i.key, gnomon.say(i.weight, u.one, u.many),
                gnomon.say((i.added_at AT TIME ZONE s.zone)::date)), i.weight, u.many, 'sprint_items', i.ref
    FROM story i, sprint s, unit u
   WHERE i.late AND i.here
  UNION ALL
  SELECT 34, row_number() OVER (ORDER BY b.days DESC, i.number), 'story_waits',
         format('%s has waited %s for %s', i.key, gnomon.say(b.days, 'working day', 'working days'), b.chain[cardinality(b.chain) - 1]),
         b.days, 'days', 'dependencies', i.ref
    FROM blocked b JOIN story i ON i.id = b.id
  UNION ALL
  SELECT 35, row_number() OVER (ORDER BY r.weight DESC, r.days DESC, r.key), 'story_blocks',
         format('%s holds up %s (%s)', r.key, gnomon.say(r.stories, 'story', 'stories'), gnomon.say(r.weight, u.one, u.many)),
         r.stories, 'stories', 'dependencies', jsonb_build_object('type', 'story', 'id', r.id, 'key', r.key)
    FROM root r, unit u
  UNION ALL
  SELECT 36, row_number() OVER (ORDER BY h.stories DESC, h.name, h.id), 'person_holds',
         format('%s holds %s (%s)', h.name, gnomon.say(h.stories, 'unfinished story', 'unfinished stories'),
                gnomon.say(h.weight, u.one, u.many)),
         h.stories, 'stories', 'stories', jsonb_build_object('type', 'user', 'id', h.id, 'key', h.name)
    FROM holder h, unit u
)
SELECT jsonb_build_object(
  'facts', (SELECT jsonb_agg(jsonb_build_object('id', 'F-' || f.n, 'key', f.key, 'label', f.label, 'value', f.value,
                                                'unit', f.unit, 'source', f.source, 'ref', f.ref) ORDER BY f.n)
              FROM (SELECT *, row_number() OVER (ORDER BY part, place) AS n
                      FROM fact WHERE value IS NOT NULL AND place <= 20) f),
  'metrics', (SELECT jsonb_strip_nulls(jsonb_build_object(
      'sprintId', m.id, 'sprint', m.name, 'endDate', m.end_date, 'today', m.today, 'unitOne', m.one, 'unit', m.many,
      'days', m.days, 'daysElapsed', m.elapsed, 'daysLeft', m.days_left, 'timeShare', m.time_share,
      'stories', m.stories, 'unfinished', m.unfinished, 'total', m.total, 'remaining', m.remaining, 'doneShare', m.done_share,
      'burnDays', m.burn_days, 'burnSince', m.burn_since, 'burn', m.burn, 'canFinish', m.can_finish, 'shortfall', m.shortfall,
      'velocity', m.velocity, 'velocitySprints', m.past_sprints,
      'unstarted', m.unstarted, 'unstartedPoints', m.unstarted_weight, 'unestimated', m.unestimated, 'unassigned', m.unassigned,
      'committed', m.committed, 'added', m.added, 'addedStories', m.added_stories,
      'removed', m.removed, 'removedStories', m.removed_stories, 'growth', m.growth,
      'due', m.due, 'overdue', m.overdue, 'overdueShare', m.overdue_share,
      'started', m.started, 'stalled', m.stalled, 'stalledPoints', m.stalled_weight,
      'blocked', m.blocked, 'people', m.people, 'heldMedian', m.median)) FROM measured m),
  'stories', (SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
      'id', i.id, 'key', i.key, 'title', i.title, 'status', i.status, 'priority', i.priority, 'points', i.weight,
      'assigneeId', i.assignee_id, 'assignee', i.assignee, 'dueDate', CASE WHEN i.due_date < s.today THEN i.due_date END,
      'quietDays', CASE WHEN i.status IN ('in_progress', 'review') THEN q.days END,
      'added', CASE WHEN i.late THEN true END, 'waitDays', b.days, 'rootId', b.root, 'chain', b.chain)) ORDER BY i.number), '[]')
                FROM (SELECT * FROM story WHERE unfinished ORDER BY number LIMIT 100) i
                LEFT JOIN quiet q ON q.id = i.id
                LEFT JOIN blocked b ON b.id = i.id, sprint s),
  'roots', (SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
      'id', r.id, 'key', r.key, 'title', r.title, 'status', r.status, 'assignee', r.assignee, 'inSprint', r.in_sprint,
      'stories', r.stories, 'points', r.weight, 'days', r.days)) ORDER BY r.weight DESC, r.days DESC, r.key), '[]')
              FROM root r),
  'people', (SELECT coalesce(jsonb_agg(jsonb_build_object('id', h.id, 'name', h.name, 'stories', h.stories, 'points', h.weight)
                                       ORDER BY h.stories DESC, h.name, h.id), '[]') FROM holder h)) AS facts
