-- Sprint risk: what the facts mean. A pure function of :facts and :thresholds.
--
-- Kinds, and when each is told:
--   pace     the forecast misses missShare of the sprint, or the sprint is over
--   scope    work added after the start is growthShare of what was committed
--   stalled  a started story had no update for quietDays
--   overdue  overdueShare of what was due by now is unfinished
--   blocked  a story waits for another one since blockedDays; one finding for
--            each story the waiting comes from in the end
--   load     one person holds loadRatio times the median, and at least loadMin
-- Severity, by share of the sprint's points: pace is medium, high from 25%, and
-- critical from 40% once five days or fewer are left (before that a sprint has
-- time to turn). blocked is high from 15% and critical from 25% in the last five
-- days. scope is high from 30% growth; stalled when it holds 25% of what
-- remains; overdue from 40% and three stories; load from four times the median.
-- Else medium, and low for a single stalled or late story.
-- Confidence says how much of the data a finding rests on was there, in percent:
--   pace     days the pace was measured / burnDays, times stories with estimate
--   scope, blocked   stories with an estimate, where points are compared
--   load     unfinished stories that somebody is assigned to
--   stalled, overdue 100: they are counted, not estimated
-- args: facts jsonb, thresholds jsonb
WITH
m AS MATERIALIZED (
  SELECT m.*, m."total" AS all_points, m."daysLeft" <= 5 AS is_late,
         CASE WHEN m."unit" = 'stories' THEN 1 ELSE (m."stories" - m."unestimated")::numeric / m."stories" END AS estimated,
         CASE WHEN m."daysLeft" = 0 THEN 2 ELSE 7 END AS cited   -- facts the pace cites before the optional ones
    FROM jsonb_to_record(:facts -> 'metrics') AS m (
      "sprintId" text, "sprint" text, "endDate" date, "today" date, "unitOne" text, "unit" text,
      "daysLeft" integer, "timeShare" numeric, "doneShare" numeric, "stories" integer, "unfinished" integer, "total" numeric,
      "remaining" numeric, "burnDays" integer, "burn" numeric, "canFinish" numeric, "shortfall" numeric, "velocity" numeric,
      "velocitySprints" integer, "unstarted" integer, "unstartedPoints" numeric, "unestimated" integer, "unassigned" integer,
      "committed" numeric, "added" numeric, "addedStories" integer, "removed" numeric, "removedStories" integer, "growth" numeric,
      "due" integer, "overdue" integer, "overdueShare" numeric, "started" integer, "stalled" integer, "stalledPoints" numeric,
      "heldMedian" numeric)
),
t AS MATERIALIZED (
  SELECT * FROM jsonb_to_record(:thresholds) AS t ("burnDays" integer, "missShare" numeric, "quietDays" integer,
    "overdueShare" numeric, "growthShare" numeric, "blockedDays" integer, "loadRatio" numeric, "loadMin" integer)
),
fact AS MATERIALIZED (
  SELECT f.fact, f.place, f.fact ->> 'key' AS key, f.fact #>> '{ref,id}' AS id
    FROM jsonb_array_elements(:facts -> 'facts') WITH ORDINALITY AS f (fact, place)
),
story AS MATERIALIZED (
  SELECT s.*, format('%s “%s”', s.key, s.title) AS name,
         coalesce(s.assignee, 'nobody') AS holder,
         CASE s.priority WHEN 'urgent' THEN 4 WHEN 'high' THEN 3 WHEN 'medium' THEN 2 ELSE 1 END AS rank,
         s.status IN ('backlog', 'ready') AS is_unstarted,
         jsonb_build_object('type', 'story', 'id', s.id, 'key', s.key, 'title', s.title) AS ref
    FROM jsonb_to_recordset(:facts -> 'stories') AS s (
      id text, key text, title text, status text, priority text, points numeric, "assigneeId" text, assignee text,
      "dueDate" date, "quietDays" integer, added boolean, "waitDays" integer, "rootId" text, chain text[])
),
sprint_ref AS (
  SELECT jsonb_build_array(jsonb_build_object('type', 'sprint', 'id', m."sprintId", 'key', m."sprint", 'title', m."sprint")) AS ref FROM m
),

-- What is said of single stories, numbered in the order it is cited.
said AS MATERIALIZED (
  SELECT f.key AS kind, s.*, f.fact, row_number() OVER (PARTITION BY f.key ORDER BY f.place) AS n
    FROM fact f JOIN story s ON s.id = f.id
   WHERE f.key IN ('story_quiet', 'story_overdue', 'story_added', 'story_waits')
),

-- What to take out first: nobody has begun it, it matters least, it frees most.
-- Only as much as is too much.
spare AS MATERIALIZED (
  SELECT s.*, sum(s.points) OVER (ORDER BY s.rank, s.points DESC, s.key) - s.points AS before
    FROM story s WHERE s.is_unstarted AND s.points > 0
),

pace AS (
  SELECT 'pace' AS kind, m."sprintId" AS entity, 'velocity' AS insight_type,
         CASE WHEN m."shortfall" >= 0.40 * m.all_points AND m.is_late THEN 'critical'
              WHEN m."shortfall" >= 0.25 * m.all_points THEN 'high' ELSE 'medium' END AS severity,
         round(100 * least(1, m."burnDays"::numeric / t."burnDays") * m.estimated) AS confidence,
         CASE WHEN m."daysLeft" = 0
              THEN format('%s ended on %s with %s open', m."sprint", gnomon.say(m."endDate"),
                          gnomon.say(m."remaining", m."unitOne", m."unit"))
              ELSE format('%s %s miss its goal by about %s', m."sprint",
                          CASE WHEN m."shortfall" >= 0.25 * m.all_points THEN 'is likely to' ELSE 'may' END,
                          gnomon.say(m."shortfall", m."unitOne", m."unit")) END AS title,
         concat_ws(' ',
           CASE WHEN m."daysLeft" = 0
                THEN format('%s of %s remain [1]. %s%% of the %s are done [2].', gnomon.say(m."remaining"),
                            gnomon.say(m."total", m."unitOne", m."unit"), m."doneShare", m."unit")
                ELSE format('At %s a day [1] the remaining %s [2] bring about %s [3].', gnomon.say(m."burn", m."unitOne", m."unit"),
                            gnomon.say(m."daysLeft", 'working day', 'working days'), gnomon.say(m."canFinish", m."unitOne", m."unit"))
                  || format(' %s of %s remain [4], so about %s would be left over [5].', gnomon.say(m."remaining"),
                            gnomon.say(m."total", m."unitOne", m."unit"), gnomon.say(m."shortfall"))
                  || format(' %s%% of the time is used [6] and %s%% of the %s are done [7].', m."timeShare", m."doneShare", m."unit") END,
           CASE WHEN m."unstarted" > 0 THEN format('Nobody has started %s (%s) [%s].', gnomon.say(m."unstarted", 'story', 'stories'),
                                                   gnomon.say(m."unstartedPoints", m."unitOne", m."unit"), m.cited + 1) END,
           CASE WHEN m."velocity" IS NOT NULL AND m."unit" = 'points'
                THEN format('The last %s finished %s on average [%s].', gnomon.say(m."velocitySprints", 'sprint', 'sprints'),
                            gnomon.say(m."velocity", 'point', 'points'),
                            m.cited + 1 + (m."unstarted" > 0)::integer) END) AS body,
         to_jsonb(array_remove(ARRAY[
           (SELECT format('Take out what nobody has started, least important first: %s.',
                          gnomon.say_list(array_agg(format('%s (%s)', p.name, gnomon.say(p.points, m."unitOne", m."unit"))
                                                    ORDER BY p.before, p.key), 6))
              FROM spare p WHERE p.before < m."shortfall" HAVING count(*) > 0),
           (SELECT format('Finish what is in review first: %s.',
                          gnomon.say_list(array_agg(format('%s (%s)', s.key, s.holder) ORDER BY s.points DESC, s.key), 6))
              FROM story s WHERE s.status = 'review' HAVING count(*) > 0),
           CASE WHEN m."daysLeft" = 0 THEN format('Complete %s and carry over what is open.', m."sprint")
                WHEN m."canFinish" > 0 THEN format('Tell those who wait for the goal: about %s by %s.',
                                                   gnomon.say(m."canFinish", 'more ' || m."unitOne", 'more ' || m."unit"),
                                                   gnomon.say(m."endDate"))
                ELSE 'Tell those who wait for the goal that it will be late.' END
         ]::text[], NULL)) AS recommendations,
         gnomon.pick_facts(:facts -> 'facts', VARIADIC
           CASE WHEN m."daysLeft" = 0 THEN '{points_remaining}'::text[]
                ELSE '{burn,days_left,can_finish,points_remaining,shortfall,time_share}' END
           || '{done_share,unstarted,velocity}') AS evidence,
         r.ref || coalesce((SELECT jsonb_agg(p.ref ORDER BY p.before, p.key) FROM spare p WHERE p.before < m."shortfall" AND p.before < 60), '[]')
           AS entity_refs
    FROM m, t, sprint_ref r
   WHERE m."remaining" > 0 AND m."burn" IS NOT NULL
     AND (m."shortfall" >= t."missShare" * m.all_points OR m."daysLeft" = 0)
),

scope AS (
  SELECT 'scope', m."sprintId", 'scope_creep',
         CASE WHEN m."growth" >= 30 THEN 'high' ELSE 'medium' END,
         round(100 * m.estimated),
         format('%s grew by %s%% after it started', m."sprint", m."growth"),
         concat_ws(' ',
           format('%s (%s) came in [1] on top of %s committed [2].', gnomon.say(m."addedStories", 'story', 'stories'),
                  gnomon.say(m."added", m."unitOne", m."unit"), gnomon.say(m."committed", m."unitOne", m."unit")),
           CASE WHEN m."removedStories" > 0 THEN format('%s (%s) went out [3].', gnomon.say(m."removedStories", 'story', 'stories'),
                                                        gnomon.say(m."removed", m."unitOne", m."unit")) END,
           (SELECT format('%s still open: %s.', CASE WHEN count(*) = m."addedStories" AND count(*) > 1 THEN 'All are'
                                                     WHEN count(*) = 1 THEN 'One is' ELSE gnomon.say(count(*)) || ' are' END,
                          gnomon.say_list(array_agg(format('%s [%s]', s.name, s.n + 2 + (m."removedStories" > 0)::integer) ORDER BY s.n), 5))
              FROM said s WHERE s.kind = 'story_added' HAVING count(*) > 0)),
         to_jsonb(array_remove(ARRAY[
           (SELECT format('Move what came in and is not started to the next sprint, unless it cannot wait: %s.',
                          gnomon.say_list(array_agg(format('%s (%s, %s)', s.key, gnomon.say(s.points, m."unitOne", m."unit"), s.priority)
                                                    ORDER BY s.rank, s.key), 6))
              FROM said s WHERE s.kind = 'story_added' AND s.is_unstarted HAVING count(*) > 0),
           format('For each %s that stays, agree which planned %s goes out.', m."unitOne", m."unitOne")
         ]::text[], NULL)),
         gnomon.pick_facts(:facts -> 'facts', 'scope_added', 'committed', 'scope_removed')
           || coalesce((SELECT jsonb_agg(s.fact ORDER BY s.n) FROM said s WHERE s.kind = 'story_added'), '[]')
           || gnomon.pick_facts(:facts -> 'facts', 'scope_growth'),
         r.ref || coalesce((SELECT jsonb_agg(s.ref ORDER BY s.n) FROM said s WHERE s.kind = 'story_added'), '[]')
    FROM m, t, sprint_ref r
   WHERE m."added" > 0 AND m."growth" >= 100 * t."growthShare"
),

stalled AS (
  SELECT 'stalled', m."sprintId", 'risk',
         CASE WHEN m."stalledPoints" >= 0.25 * m."remaining" AND m."stalled" > 1 THEN 'high'
              WHEN m."stalled" = 1 THEN 'low' ELSE 'medium' END,
         100,
         CASE WHEN m."stalled" = 1
              THEN (SELECT format('%s has had no update for %s', s.key, gnomon.say(s."quietDays", 'working day', 'working days'))
                      FROM said s WHERE s.kind = 'story_quiet' AND s.n = 1)
              ELSE format('%s started stories in %s had no update for %s', gnomon.say(m."stalled"), m."sprint",
                          gnomon.say(t."quietDays", 'working day', 'working days') || ' or more') END,
         concat_ws(' ',
           format(CASE m."stalled" WHEN 1 THEN '%s of %s does not move [1] and holds %s [2].'
                                   ELSE '%s of %s do not move [1] and hold %s [2].' END, gnomon.say(m."stalled"),
                  gnomon.say(m."started", 'started story', 'started stories'), gnomon.say(m."stalledPoints", m."unitOne", m."unit")),
           (SELECT string_agg(format('%s (%s, %s) has been quiet for %s [%s].', s.name, gnomon.say_status(s.status), s.holder,
                                     gnomon.say(s."quietDays", 'working day', 'working days'), s.n + 2), ' ' ORDER BY s.n)
              FROM said s WHERE s.kind = 'story_quiet' AND s.n <= 6)),
         (SELECT jsonb_agg(a.line ORDER BY a.n)
            FROM (SELECT min(s.n) AS n, CASE WHEN s.assignee IS NULL
                           THEN format('Find somebody for %s.', gnomon.say_list(array_agg(s.key ORDER BY s.n), 6))
                         ELSE format('Ask %s what holds up %s.', s.assignee, gnomon.say_list(array_agg(s.key ORDER BY s.n), 6)) END AS line
                    FROM said s WHERE s.kind = 'story_quiet' GROUP BY s.assignee) a),
         gnomon.pick_facts(:facts -> 'facts', 'stalled', 'stalled_points', 'story_quiet'),
         (SELECT jsonb_agg(s.ref ORDER BY s.n) FROM said s WHERE s.kind = 'story_quiet') || r.ref
    FROM m, t, sprint_ref r
   WHERE m."stalled" > 0
),

overdue AS (
  SELECT 'overdue', m."sprintId", 'risk',
         CASE WHEN m."overdue" = 1 THEN 'low' WHEN m."overdueShare" >= 40 AND m."overdue" > 2 THEN 'high' ELSE 'medium' END,
         100,
         CASE WHEN m."overdue" = 1
              THEN (SELECT format('%s is past its due date', s.key) FROM said s WHERE s.kind = 'story_overdue' AND s.n = 1)
              ELSE format('%s stories in %s are past their due date', gnomon.say(m."overdue"), m."sprint") END,
         concat_ws(' ',
           CASE WHEN m."due" = 1 THEN 'The only story due before today is unfinished [1].'
                ELSE format('%s%% of what was due before today is unfinished [1].', m."overdueShare") END,
           (SELECT string_agg(format('%s (%s, %s) was due on %s [%s].', s.name, gnomon.say_status(s.status), s.holder,
                                     gnomon.say(s."dueDate"), s.n + 1), ' ' ORDER BY s.n)
              FROM said s WHERE s.kind = 'story_overdue' AND s.n <= 6)),
         (SELECT jsonb_agg(a.line ORDER BY a.n)
            FROM (SELECT min(s.n) AS n, CASE WHEN s.assignee IS NULL
                           THEN format('Find somebody for %s, or move the date.', gnomon.say_list(array_agg(s.key ORDER BY s.n), 6))
                         ELSE format('Agree with %s on a new date for %s, or do %s first.', s.assignee,
                                     gnomon.say_list(array_agg(s.key ORDER BY s.n), 6), CASE count(*) WHEN 1 THEN 'it' ELSE 'them' END) END AS line
                    FROM said s WHERE s.kind = 'story_overdue' GROUP BY s.assignee) a),
         gnomon.pick_facts(:facts -> 'facts', 'overdue_share', 'story_overdue', 'overdue'),
         (SELECT jsonb_agg(s.ref ORDER BY s.n) FROM said s WHERE s.kind = 'story_overdue') || r.ref
    FROM m, t, sprint_ref r
   WHERE m."overdue" > 0 AND m."overdueShare" >= 100 * t."overdueShare"
),

root AS MATERIALIZED (
  SELECT r.*, coalesce(r.assignee, 'nobody') AS holder, f.fact,
         jsonb_build_object('type', 'story', 'id', r.id, 'key', r.key, 'title', r.title) AS ref
    FROM jsonb_to_recordset(:facts -> 'roots') AS r (
      id text, key text, title text, status text, assignee text, "inSprint" boolean, stories integer, points numeric, days integer)
    JOIN fact f ON f.key = 'story_blocks' AND f.id = r.id
   ORDER BY f.place LIMIT 8
),
held AS MATERIALIZED (      -- numbered for each root
  SELECT s.*, row_number() OVER (PARTITION BY s."rootId" ORDER BY s."waitDays" DESC, s.n) AS place
    FROM said s WHERE s.kind = 'story_waits'
),
blocked AS (
  SELECT 'blocked', r.id, 'blocker',
         CASE WHEN r.points >= 0.25 * m.all_points AND m.is_late THEN 'critical'
              WHEN r.points >= 0.15 * m.all_points THEN 'high' ELSE 'medium' END,
         round(100 * m.estimated),
         format('%s holds up %s (%s) in %s', r.key, gnomon.say(r.stories, 'story', 'stories'),
                gnomon.say(r.points, m."unitOne", m."unit"), m."sprint"),
         concat_ws(' ',
           format('%s “%s” is %s with %s, and %s for it [1].', r.key, r.title, gnomon.say_status(r.status), r.holder,
                  CASE r.stories WHEN 1 THEN 'one story waits' ELSE gnomon.say(r.stories) || ' stories wait' END),
           (SELECT string_agg(format('%s (%s) has waited %s [%s]%s.', h.name, h.holder,
                                     gnomon.say(h."waitDays", 'working day', 'working days'), h.place + 1,
                                     CASE WHEN cardinality(h.chain) > 2 THEN ' in the chain ' || array_to_string(h.chain, ' → ') END),
                              ' ' ORDER BY h.place)
              FROM held h WHERE h."rootId" = r.id AND h.place <= 6),
           CASE WHEN NOT r."inSprint" THEN format('%s is not in this sprint.', r.key) END),
         to_jsonb(array_remove(ARRAY[
           CASE WHEN r.assignee IS NULL THEN format('Find somebody for %s today.', r.key)
                ELSE format('Ask %s to finish %s before anything else.', r.assignee, r.key) END,
           CASE WHEN NOT r."inSprint" THEN format('Bring %s into %s, or take what waits for it out.', r.key, m."sprint") END,
           (SELECT format('Until then, give those who wait other work: %s.', gnomon.say_list(array_agg(a.line ORDER BY a.line), 6))
              FROM (SELECT format('%s (%s)', h.assignee, string_agg(h.key, ', ' ORDER BY h.place)) AS line
                      FROM held h WHERE h."rootId" = r.id AND h.assignee IS NOT NULL AND h.assignee IS DISTINCT FROM r.assignee
                     GROUP BY h.assignee) a HAVING count(*) > 0)
         ]::text[], NULL)),
         jsonb_build_array(r.fact)
           || coalesce((SELECT jsonb_agg(h.fact ORDER BY h.place) FROM held h WHERE h."rootId" = r.id), '[]'),
         jsonb_build_array(r.ref) || coalesce((SELECT jsonb_agg(h.ref ORDER BY h.place) FROM held h WHERE h."rootId" = r.id), '[]')
    FROM m, t, root r
   WHERE r.days >= t."blockedDays"
),

person AS MATERIALIZED (
  SELECT p.*, f.fact, jsonb_build_object('type', 'user', 'id', p.id, 'key', p.name, 'title', p.name) AS ref
    FROM jsonb_to_recordset(:facts -> 'people') AS p (id text, name text, stories integer, points numeric)
    JOIN fact f ON f.key = 'person_holds' AND f.id = p.id
),
lightest AS (SELECT * FROM person ORDER BY stories, points, name LIMIT 2),
load AS (
  SELECT 'load', p.id, 'risk',
         CASE WHEN p.stories >= 4 * greatest(m."heldMedian", 1) THEN 'high' ELSE 'medium' END,
         round(100.0 * (m."unfinished" - m."unassigned") / m."unfinished"),
         format('%s holds %s of %s unfinished stories in %s; the median is %s', p.name, gnomon.say(p.stories),
                gnomon.say(m."unfinished"), m."sprint", gnomon.say(m."heldMedian")),
         concat_ws(' ',
           format('%s holds %s (%s) [1] of %s unfinished [2].', p.name, gnomon.say(p.stories, 'story', 'stories'),
                  gnomon.say(p.points, m."unitOne", m."unit"), gnomon.say(m."unfinished")),
           format('The median of the team is %s [3].', gnomon.say(m."heldMedian")),
           (SELECT string_agg(format('%s holds %s [%s].', l.name, gnomon.say(l.stories), l.n + 3), ' ' ORDER BY l.n)
              FROM (SELECT *, row_number() OVER (ORDER BY stories, points, name) AS n FROM lightest) l WHERE l.id <> p.id)),
         to_jsonb(array_remove(ARRAY[
           (SELECT format('Move what %s has not started to %s: %s.', p.name,
                          (SELECT gnomon.say_list(array_agg(l.name ORDER BY l.stories, l.points, l.name)) FROM lightest l WHERE l.id <> p.id),
                          gnomon.say_list(array_agg(format('%s (%s)', x.name, gnomon.say(x.points, m."unitOne", m."unit"))
                                                    ORDER BY x.rank DESC, x.key), 4))
              FROM (SELECT * FROM story s WHERE s."assigneeId" = p.id AND s.is_unstarted AND s."waitDays" IS NULL
                     ORDER BY s.rank DESC, s.key LIMIT 4) x
            HAVING count(*) > 0),
           format('Agree with %s which one story comes next.', p.name)
         ]::text[], NULL)),
         jsonb_build_array(p.fact) || gnomon.pick_facts(:facts -> 'facts', 'unfinished', 'held_median')
           || coalesce((SELECT jsonb_agg(l.fact ORDER BY l.stories, l.points, l.name) FROM lightest l WHERE l.id <> p.id), '[]'),
         jsonb_build_array(p.ref)
           || coalesce((SELECT jsonb_agg(x.ref ORDER BY x.key)
                          FROM (SELECT * FROM story s WHERE s."assigneeId" = p.id ORDER BY s.key LIMIT 20) x), '[]')
    FROM m, t, person p
   WHERE p.stories >= t."loadMin" AND p.stories >= t."loadRatio" * greatest(m."heldMedian", 1)
)
SELECT format('sprint_risk:%s:%s:%s', f.kind, m."sprintId", f.entity) AS fingerprint, f.insight_type, f.severity,
       f.confidence::integer AS confidence, left(f.title, 300) AS title, f.body, f.recommendations, f.evidence, f.entity_refs
  FROM m, (TABLE pace UNION ALL TABLE scope UNION ALL TABLE stalled UNION ALL TABLE overdue UNION ALL TABLE blocked UNION ALL TABLE load) f
 ORDER BY gnomon.severity_rank(f.severity) DESC, f.kind, f.entity
