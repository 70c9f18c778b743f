-- Backlog hygiene: what the facts mean. A pure function of :facts and
-- :thresholds. Each finding asks for the smallest change that helps, and one
-- finding covers all stories that need the same change.
--
-- Kinds, and when each is told:
--   twins     stories that say the same: one to keep, the others to close; a
--             finding for each of the first `groups`, one for all the others
--   stale     high or urgent stories nobody touched for staleDays
--   no_…      at least missingMin open stories lack an estimate, a description,
--             acceptance criteria, or an epic
--   old       stories older than ageDays that nobody touched for staleDays
-- Severity: stale is high with an urgent story, else medium. twins are medium
-- when one of them is next (somebody may do the work twice), else low. no_… is
-- medium when missingMin of the stories are next, else low; an epic is never
-- more than low. old is medium from a quarter of the backlog, else low.
-- Confidence says how much of the data a finding rests on was there, in percent:
-- for twins how alike the least alike pair is; for stale and old the share of
-- the stories whose whole history is in the log; the rest is counted: 100.
-- args: facts jsonb, thresholds jsonb
WITH
m AS MATERIALIZED (
  SELECT *, jsonb_build_object('type', 'project', 'id', m."projectId", 'key', m."key", 'title', m."project") AS ref
    FROM jsonb_to_record(:facts -> 'metrics') AS m ("projectId" text, "project" text, "key" text, "open" integer, "waiting" integer,
      "medianAge" integer, "ageDays" integer, "staleDays" integer, "groups" integer)
),
t AS MATERIALIZED (
  SELECT * FROM jsonb_to_record(:thresholds) AS t ("missingMin" integer, "groups" integer)
),
fact AS MATERIALIZED (
  SELECT f.fact, f.place, f.fact ->> 'key' AS key, f.fact #>> '{ref,id}' AS id
    FROM jsonb_array_elements(:facts -> 'facts') WITH ORDINALITY AS f (fact, place)
),
story AS MATERIALIZED (
  SELECT s.*, format('%s “%s”', s.key, s.title) AS name,
         jsonb_build_object('type', 'story', 'id', s.id, 'key', s.key, 'title', s.title) AS ref
    FROM jsonb_to_recordset(:facts -> 'stories') AS s (
      id text, key text, number integer, title text, status text, priority text, points numeric, assignee text, next boolean, age integer, quiet integer,
      "hasDescription" boolean, "hasCriteria" boolean, "hasEpic" boolean)
),
kind AS MATERIALIZED (
  SELECT k.*, (SELECT jsonb_agg(s.ref ORDER BY i.place) FROM jsonb_array_elements_text(k.ids) WITH ORDINALITY AS i (id, place)
                 JOIN story s ON s.id = i.id) AS refs
    FROM jsonb_to_recordset(:facts -> 'kinds') AS k (kind text, n integer, next integer, urgent integer, known integer, ids jsonb)
),
shown AS MATERIALIZED (     -- the first stories of a kind, in order
  SELECT k.kind, s.*, i.place
    FROM kind k CROSS JOIN LATERAL jsonb_array_elements_text(k.ids) WITH ORDINALITY AS i (id, place) JOIN story s ON s.id = i.id
),
missing AS (
  SELECT 'no_' || k.kind AS kind, m."projectId" AS entity,
         CASE WHEN k.next >= t."missingMin" AND k.kind <> 'epic' THEN 'medium' ELSE 'low' END AS severity, 100 AS confidence,
         CASE WHEN k.n = m."open" THEN format('No open story in %s has %s', m."project", w.thing)
              ELSE format('%s of %s in %s have no %s', gnomon.say(k.n), gnomon.say(m."open", 'open story', 'open stories'),
                          m."project", w.what) END AS title,
         concat_ws(' ',
           format('%s of %s have no %s [1].', gnomon.say(k.n), gnomon.say(m."open", 'open story', 'open stories'), w.what),
           CASE WHEN k.next > 0 THEN format('%s of these %s next: ready, started or planned in a sprint [2].', gnomon.say(k.next),
                                            CASE k.next WHEN 1 THEN 'is' ELSE 'are' END)
                ELSE 'None of these is next, so it can wait.' END,
           w.why) AS body,
         to_jsonb(array_remove(ARRAY[
           (SELECT format('%s: %s.', CASE WHEN k.next > 0 THEN w.act || ' for what is next' ELSE w.act || ', most important first' END,
                          gnomon.say_list(array_agg(concat(s.name, ' (' || s.assignee || ')') ORDER BY s.place), 5))
              FROM shown s WHERE s.kind = k.kind AND (s.next OR k.next = 0) AND s.place <= 5),
           CASE WHEN k.next > 0 AND k.n > k.next THEN format('Leave the other %s until they come up.', gnomon.say(k.n - k.next)) END,
           CASE WHEN k.n >= 0.95 * m."open" THEN format('If %s works without this, switch the check off (%s).', m."project", w.switch) END
         ]::text[], NULL)) AS recommendations,
         gnomon.pick_facts(:facts -> 'facts', 'no_' || k.kind, 'no_' || k.kind || '_next') AS evidence,
         k.refs || m.ref AS entity_refs, k.next * 10 + k.n AS value
    FROM m, t, kind k JOIN (VALUES
      ('estimate', 'estimate', 'an estimate', 'Add an estimate', 'Forecasts and sprint plans leave them out.', 'checkEstimate'),
      ('description', 'description', 'a description', 'Write two sentences', 'Whoever picks one up has to ask first.', 'checkDescription'),
      ('criteria', 'acceptance criteria', 'acceptance criteria', 'Add acceptance criteria', 'Nobody can tell when such a story is done.', 'checkCriteria'),
      ('epic', 'epic', 'an epic', 'Choose an epic', 'They appear in no epic''s progress.', 'checkEpic')
    ) AS w (kind, what, thing, act, why, switch) USING (kind)
   WHERE k.n >= t."missingMin"
),
stale AS (
  SELECT 'stale', m."projectId", CASE WHEN k.urgent > 0 THEN 'high' ELSE 'medium' END, round(100.0 * k.known / k.n),
         format('%s in %s untouched for %s or more', gnomon.say(k.n, 'high or urgent story', 'high or urgent stories'), m."project",
                gnomon.say(m."staleDays", 'day', 'days')),
         concat_ws(' ',
           format('%s of high or urgent priority %s in no sprint, and nobody touched %s for %s [1].', gnomon.say(k.n, 'story', 'stories'),
                  CASE k.n WHEN 1 THEN 'is' ELSE 'are' END, CASE k.n WHEN 1 THEN 'it' ELSE 'them' END,
                  gnomon.say(m."staleDays", 'day', 'days')),
           (SELECT string_agg(format('%s (%s) has been quiet for %s [%s].', s.name, s.priority, gnomon.say(s.quiet, 'day', 'days'), s.place + 1),
                              ' ' ORDER BY s.place) FROM shown s WHERE s.kind = 'stale' AND s.place <= 5)),
         to_jsonb(array_remove(ARRAY[
           (SELECT format('Plan %s for the next sprint, or make %s medium.', gnomon.say_list(array_agg(s.key ORDER BY s.place), 5),
                          CASE count(*) WHEN 1 THEN 'it' ELSE 'them' END)
              FROM shown s WHERE s.kind = 'stale' AND s.place <= 5),
           (SELECT format('Find an owner for %s.', gnomon.say_list(array_agg(s.key ORDER BY s.place), 5))
              FROM shown s WHERE s.kind = 'stale' AND s.place <= 20 AND s.assignee IS NULL AND s.priority = 'urgent' HAVING count(*) > 0)
         ]::text[], NULL)),
         gnomon.pick_facts(:facts -> 'facts', 'stale', 'story_stale'), k.refs || m.ref, k.urgent * 100 + k.n
    FROM m, kind k WHERE k.kind = 'stale'
),
old AS (
  SELECT 'old', m."projectId", CASE WHEN 4 * k.n >= m."waiting" THEN 'medium' ELSE 'low' END, round(100.0 * k.known / k.n),
         format('%s in %s waiting for %s or more', gnomon.say(k.n, 'backlog story', 'backlog stories'), m."project",
                gnomon.say(m."ageDays", 'day', 'days')),
         concat_ws(' ',
           format('%s are older than %s and untouched for %s [1].', gnomon.say(k.n, 'story', 'stories'),
                  gnomon.say(m."ageDays", 'day', 'days'), gnomon.say(m."staleDays", 'day', 'days')),
           format('%s wait in all [2]; half of them are %s old or older [3].', gnomon.say(m."waiting", 'story', 'stories'),
                  gnomon.say(m."medianAge", 'day', 'days')),
           (SELECT string_agg(format('%s has waited %s [%s].', s.name, gnomon.say(s.age, 'day', 'days'), s.place + 3), ' ' ORDER BY s.place)
              FROM shown s WHERE s.kind = 'old' AND s.place <= 3)),
         (SELECT jsonb_build_array(
             format('Close these, or say in one line why they stay: %s.', gnomon.say_list(array_agg(s.name ORDER BY s.place), 5)))
            FROM shown s WHERE s.kind = 'old' AND s.place <= 5)
           || CASE WHEN k.n > 5 THEN '["Do the next five in a week. Nothing is lost: a closed story can be reopened."]'::jsonb
                   ELSE '["Nothing is lost: a closed story can be reopened."]' END,
         gnomon.pick_facts(:facts -> 'facts', 'old', 'waiting', 'median_age', 'story_old'), k.refs || m.ref, k.n
    FROM m, kind k WHERE k.kind = 'old'
),
grp AS MATERIALIZED (
  SELECT g.*, k.key, k.number, k.name, k.ref, k.status, k.points, k.next, k."hasDescription", k."hasCriteria"
    FROM ROWS FROM (jsonb_to_recordset(:facts -> 'groups') AS (keep text, twins integer, score numeric, ids jsonb))
         WITH ORDINALITY AS g (keep, twins, score, ids, place)
    JOIN story k ON k.id = g.keep
),
twin AS MATERIALIZED (
  SELECT g.place AS grp, i.place, f.fact, (f.fact ->> 'value')::numeric AS score, s.*
    FROM grp g CROSS JOIN LATERAL jsonb_array_elements_text(g.ids) WITH ORDINALITY AS i (id, place)
    JOIN story s ON s.id = i.id
    JOIN fact f ON f.key = 'twin' AND f.id = i.id
),
twins AS (
  SELECT 'twins', g.keep, CASE WHEN g.next OR bool_or(w.next) THEN 'medium' ELSE 'low' END, g.score,
         format('%s %s', gnomon.say_list(g.key || array_agg(w.key ORDER BY w.place), 4),
                CASE WHEN g.score >= 85 THEN 'say the same' ELSE 'seem to say the same' END),
         concat_ws(' ',
           string_agg(format('%s is %s%% like %s [%s].', w.name, w.score, CASE w.place WHEN 1 THEN g.name ELSE g.key END, w.place),
                      ' ' ORDER BY w.place),
           CASE WHEN g.status IN ('in_progress', 'review') THEN format('%s is already %s.', g.key, gnomon.say_status(g.status))
                WHEN g."hasDescription" AND (g.points IS NOT NULL AND bool_or(w.points IS NULL)
                  OR NOT bool_and(w."hasDescription") OR g."hasCriteria" AND NOT bool_and(w."hasCriteria"))
                THEN format('%s says most about the work.', g.key)
                WHEN g.number < min(w.number) THEN format('%s was there first.', g.key) END),
         to_jsonb(array_remove(ARRAY[
           format('Keep %s. Close %s as %s.', g.key, gnomon.say_list(array_agg(w.key ORDER BY w.place)),
                  CASE count(*) WHEN 1 THEN 'a duplicate' ELSE 'duplicates' END),
           CASE WHEN g.points IS NULL AND bool_or(w.points IS NOT NULL)
                THEN format('Take the estimate over from %s first.', (array_agg(w.key ORDER BY w.place) FILTER (WHERE w.points IS NOT NULL))[1]) END,
           CASE WHEN NOT g."hasDescription" AND bool_or(w."hasDescription")
                THEN format('Take the description over from %s first.', (array_agg(w.key ORDER BY w.place) FILTER (WHERE w."hasDescription"))[1]) END,
           CASE WHEN NOT g."hasCriteria" AND bool_or(w."hasCriteria")
                THEN format('Take the acceptance criteria over from %s first.',
                            (array_agg(w.key ORDER BY w.place) FILTER (WHERE w."hasCriteria"))[1]) END
         ]::text[], NULL)),
         jsonb_agg(w.fact ORDER BY w.place), g.ref || jsonb_agg(w.ref ORDER BY w.place), g.score::integer
    FROM t, grp g JOIN twin w ON w.grp = g.place
   WHERE g.place <= t."groups"
   GROUP BY g.keep, g.key, g.number, g.name, g.ref, g.status, g.points, g.next, g."hasDescription", g."hasCriteria", g.score, g.place
),
other AS (
  SELECT 'more_twins', m."projectId", 'low', min(g.score),
         format('%s in %s seem to say the same', gnomon.say(m."groups" - t."groups", 'more group of stories', 'more groups of stories'), m."project"),
         format('%s of stories seem to say the same [1]; the most alike are told one by one. Here are the next: %s.',
                gnomon.say(m."groups", 'group', 'groups'),
                gnomon.say_list(array_agg(format('%s and %s (%s%%)', g.name, (SELECT gnomon.say_list(array_agg(w.key ORDER BY w.place), 3)
                                                                               FROM twin w WHERE w.grp = g.place), g.score) ORDER BY g.place), 8)),
         jsonb_build_array(format('Close the second of each: %s.',
                (SELECT gnomon.say_list(array_agg(w.key ORDER BY w.grp, w.place), 20) FROM twin w WHERE w.grp > t."groups" AND w.place = 1))),
         gnomon.pick_facts(:facts -> 'facts', 'duplicate_groups')
           || (SELECT jsonb_agg(w.fact ORDER BY w.grp, w.place) FROM twin w WHERE w.grp > t."groups" AND w.place = 1),
         jsonb_agg(g.ref ORDER BY g.place) || m.ref, 0
    FROM m, t, grp g
   WHERE g.place > t."groups"
   GROUP BY m."projectId", m."project", m."groups", m.ref, t."groups"
)
SELECT format('backlog_hygiene:%s:%s:%s', f.kind, m."projectId", f.entity) AS fingerprint, 'hygiene' AS insight_type, f.severity,
       f.confidence::integer AS confidence, left(f.title, 300) AS title, f.body, f.recommendations, f.evidence, f.entity_refs
  FROM m, (TABLE missing UNION ALL TABLE stale UNION ALL TABLE old UNION ALL TABLE twins UNION ALL TABLE other) f
 ORDER BY gnomon.severity_rank(f.severity) DESC,
          CASE f.kind WHEN 'stale' THEN 1 WHEN 'twins' THEN 2 WHEN 'more_twins' THEN 3 WHEN 'old' THEN 5 ELSE 4 END,
          f.value DESC, f.kind, f.entity
 LIMIT 20
