-- Plans the half year: which story is in which sprint, who does it, and when each
-- act happens. Positions are working days from a sprint's first morning.

CREATE TEMP TABLE demo_sprint (
  project text, place integer, number integer, name text, first date, last date, goal text, id uuid DEFAULT gnomon.uuid7(),
  PRIMARY KEY (project, place)
) ON COMMIT DROP;

-- Eight sprints of three weeks, one after the other. AC's last one ends on the
-- third working day from today (today counted), PL's on the eighth.
INSERT INTO demo_sprint (project, place, number, name, first, last, goal)
SELECT p.key, s.place, p.number + s.place, 'Sprint ' || p.number + s.place,
       pg_temp.workday(e.day - 20, 0), e.day, p.goals[s.place]
  FROM (VALUES
    ('AC', 34, 2, ARRAY['Buyers find parts by number', 'Product pages answer the ten most frequent questions', 'Companies invite their own buyers',
      'Checkout on one page', 'Two-hour slots for Manchester', 'The counter needs no second system', 'Returns without a phone call',
      'Card payments run on our own form for staff orders']),
    ('PL', 10, 7, ARRAY['Staff sign in once', 'Partners page without losing orders', 'Stock changes flow as events', 'One trace from browser to database',
      'A failover we have rehearsed', 'Canary releases for the shop', 'Every backup has been restored',
      'Payments have their own, audited corner'])) AS p (key, number, left_days, goals)
 CROSS JOIN generate_series(1, 8) AS s (place)
 CROSS JOIN LATERAL (SELECT pg_temp.workday(pg_temp.today(), p.left_days) - 21 * (8 - s.place) AS day) e;

CREATE TEMP TABLE demo_act (
  n integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL, who integer, kind text NOT NULL, project text, story integer, sprint integer, value text
) ON COMMIT DROP;

-- A story's stay in a sprint, as the planner below decides it.
CREATE TEMP TABLE demo_stay (
  story integer, project text, sprint integer, added double precision, removed double precision,
  started double precision, review double precision, done double precision, PRIMARY KEY (sprint, story)
) ON COMMIT DROP;

UPDATE demo_story SET
  estimate = coalesce(estimate, CASE WHEN kind IN ('story', 'now') THEN (CASE project WHEN 'AC'
    THEN ARRAY[1, 1, 2, 2, 2, 3, 3, 3, 3, 3, 5, 5, 5, 8] ELSE ARRAY[2, 2, 3, 3, 3, 3, 5, 5, 5, 8] END)
    [1 + floor(pg_temp.roll('estimate' || title) * CASE project WHEN 'AC' THEN 14 ELSE 10 END)::integer] END),
  priority = coalesce(priority, (ARRAY['low', 'low', 'medium', 'medium', 'medium', 'medium', 'medium', 'medium', 'medium', 'high', 'high', 'high', 'high', 'urgent'])
    [1 + floor(pg_temp.roll('priority' || title) * 14)::integer]);

DO $plan$
DECLARE
  p record; k integer; i record; want integer; sum integer; place double precision; length double precision;
  start double precision; finish double precision; into_review double precision; late integer;
BEGIN
  CREATE TEMP TABLE queue ON COMMIT DROP AS
  SELECT n, project, estimate, title, epic + 3.5 * pg_temp.roll('queue' || title) AS turn, false AS carried, false AS begun
    FROM demo_story WHERE kind = 'story';
  FOR p IN SELECT DISTINCT project, CASE project WHEN 'AC' THEN 43 ELSE 40 END AS velocity FROM demo_sprint ORDER BY project LOOP
    FOR k IN 1..7 LOOP
      want := p.velocity + floor(16 * pg_temp.roll('velocity' || p.project || k))::integer;
      -- Planned: what was carried over, then the next in the queue, a little too much.
      sum := 0;
      FOR i IN SELECT * FROM queue WHERE project = p.project ORDER BY carried DESC, turn LOOP
        EXIT WHEN sum >= want + 2 + 5 * pg_temp.roll('commit' || p.project || k);
        INSERT INTO demo_stay (story, project, sprint, added) VALUES (i.n, p.project, k, 0.03);
        sum := sum + i.estimate;
      END LOOP;
      -- Came in later: up to three; taken out: sometimes one that nobody had begun.
      late := 0;
      FOR i IN SELECT * FROM queue q WHERE project = p.project AND NOT EXISTS (SELECT FROM demo_stay s WHERE s.story = q.n)
                ORDER BY turn LIMIT floor(4 * pg_temp.roll('late' || p.project || k)) LOOP
        late := late + 1;
        INSERT INTO demo_stay (story, project, sprint, added) VALUES (i.n, p.project, k, 1.2 + 2.4 * late + pg_temp.roll('late' || i.title));
      END LOOP;
      IF late > 1 THEN
        UPDATE demo_stay SET removed = 4.3 + 3 * pg_temp.roll('out' || p.project || k)
         WHERE sprint = k AND story = (SELECT s.story FROM demo_stay s JOIN queue q ON q.n = s.story
                WHERE s.project = p.project AND s.sprint = k AND s.added < 1 AND NOT q.carried ORDER BY q.turn DESC LIMIT 1);
      END IF;
      -- Finished: in an order of its own, spread over the days, until the pace is used up.
      sum := 0;
      FOR i IN SELECT q.*, s.added FROM demo_stay s JOIN queue q ON q.n = s.story
                WHERE s.project = p.project AND s.sprint = k AND s.removed IS NULL
                ORDER BY q.carried DESC, pg_temp.roll('order' || q.title) + s.added / 12 LOOP
        place := pg_temp.roll('length' || i.title);
        length := 0.9 + 0.5 * i.estimate + 1.5 * place;
        sum := sum + i.estimate;
        IF sum <= want THEN
          finish := least(14.8, greatest(1.1, 0.8 + 13.4 * (sum::double precision / want) ^ 0.9 + 1.6 * place - 0.8, i.added + 1.2));
          into_review := finish - (0.25 + 0.6 * pg_temp.roll('review' || i.title));
          start := greatest(0.12, i.added + 0.1, finish - length);
          into_review := greatest(into_review, start + 0.2);
          UPDATE demo_stay SET started = CASE WHEN NOT i.begun THEN start END, review = into_review, done = greatest(finish, into_review + 0.2)
           WHERE story = i.n AND sprint = k;
          DELETE FROM queue WHERE n = i.n;
        ELSE
          UPDATE demo_stay SET started = CASE WHEN NOT i.begun THEN 9.5 + 4 * place END WHERE story = i.n AND sprint = k;
          UPDATE queue SET carried = true, begun = true WHERE n = i.n;
        END IF;
      END LOOP;
    END LOOP;
    -- What the last of these left open is finished in the first days of the active one.
    INSERT INTO demo_stay (story, project, sprint, added, review, done)
    SELECT n, project, 8, 0.03, 0.5 + 0.6 * pg_temp.roll('carried' || title), 1.2 + 0.7 * pg_temp.roll('carried' || title)
      FROM queue WHERE project = p.project AND begun;
  END LOOP;
END $plan$;

INSERT INTO demo_stay (story, project, sprint, added, started, review, done)
SELECT s.n, s.project, 8, coalesce(w.added, 0.03), w.started, w.review, w.done
  FROM demo_now w JOIN demo_story s ON s.title = w.title;

-- Who does it: whoever of the team has the least so far in that sprint. Mira has
-- other duties until the last sprint.
DO $people$
DECLARE i record; who integer;
BEGIN
  CREATE TEMP TABLE load ON COMMIT DROP AS
  SELECT s.project, s.place AS sprint, d.place AS person, CASE d.place WHEN 1 THEN 8.0 WHEN 2 THEN 6.0 ELSE 0.0 END AS points
    FROM demo_sprint s JOIN demo_person d ON d.team = CASE s.project WHEN 'AC' THEN 'Web' ELSE 'Platform' END;
  FOR i IN SELECT y.project, y.sprint, st.n, st.title, st.estimate FROM demo_stay y JOIN demo_story st ON st.n = y.story
            WHERE st.kind = 'story' ORDER BY y.sprint, y.project, y.added, st.n LOOP
    SELECT coalesce(st.assignee, (SELECT l.person FROM load l WHERE l.project = i.project AND l.sprint = i.sprint
                                   ORDER BY l.points + 3 * pg_temp.roll(i.title || l.person), l.person LIMIT 1))
      INTO who FROM demo_story st WHERE st.n = i.n;
    UPDATE demo_story SET assignee = who WHERE n = i.n;
    UPDATE load SET points = points + i.estimate WHERE project = i.project AND sprint = i.sprint AND person = who;
  END LOOP;
END $people$;

-- Leads write and plan; a third of the stories come from others.
CREATE FUNCTION pg_temp.author(project text, title text) RETURNS integer LANGUAGE sql IMMUTABLE AS $$
  SELECT (CASE project WHEN 'AC' THEN ARRAY[1, 3, 3, 3, 4, 5, 6, 3, 1] ELSE ARRAY[2, 7, 7, 7, 8, 9, 2, 7, 7] END)
         [1 + floor(pg_temp.roll('author' || title) * 9)::integer] $$;

-- The life of every story before its first sprint, in working days from the
-- first morning of the project's first sprint (so 0 to 120; the project is thirty
-- working days older).
CREATE TEMP TABLE demo_birth ON COMMIT DROP AS
SELECT s.n, s.project, b.first AS zero, s.title, b.entry, greatest(-29.9, CASE
         WHEN s.kind = 'twin' THEN b.now - 15 - 45 * r.a
         WHEN s.kind = 'now' AND b.added > 0.1 THEN b.entry - 0.04 - 0.3 * r.a
         WHEN s.kind = 'now' THEN b.entry - 3 - 14 * r.a
         WHEN b.entry IS NOT NULL AND b.added > 0.1 AND r.b < 0.6 THEN b.entry - 0.1 - 1.5 * r.a
         WHEN b.entry IS NOT NULL THEN b.entry - 8 - 45 * r.a * r.a
         WHEN s.priority IN ('high', 'urgent') THEN b.now - 28 - 40 * r.a
         WHEN r.b < 0.45 THEN -29 + 25 * r.a
         ELSE b.now - 3 - 90 * r.a END) AS born,
       r.a, r.b, b.now
  FROM demo_story s
 CROSS JOIN LATERAL (SELECT pg_temp.roll('born' || s.title) AS a, pg_temp.roll('born too' || s.title) AS b) r
 CROSS JOIN LATERAL (
   SELECT f.first, 105 + CASE s.project WHEN 'AC' THEN 12 ELSE 7 END AS now, y.added, 15 * (y.sprint - 1) + y.added AS entry
     FROM demo_sprint f LEFT JOIN LATERAL (SELECT sprint, added FROM demo_stay WHERE story = s.n ORDER BY sprint LIMIT 1) y ON true
    WHERE f.project = s.project AND f.place = 1) b;

-- From here on, acts. Sprints are 21 days apart, so working day 15 of one is the
-- first morning of the next.
INSERT INTO demo_act (at, who, kind, project, story, value)
SELECT pg_temp.moment(b.zero, b.born), pg_temp.author(b.project, b.title), 'story', b.project, b.n, NULL FROM demo_birth b;

-- Refined: an estimate, then ready. Stories that never met a sprint are refined
-- now and then, and the most urgent of the queue are ready for the next one.
INSERT INTO demo_act (at, who, kind, project, story, value)
SELECT pg_temp.moment(b.zero, x.at + v.later), CASE b.project WHEN 'AC' THEN 3 ELSE 7 END, v.kind, b.project, b.n, v.value
  FROM demo_birth b JOIN demo_story s USING (n)
 CROSS JOIN LATERAL (SELECT CASE WHEN b.entry IS NULL THEN least(b.now - 0.5, b.born + 1 + 20 * b.b)
                                 ELSE greatest(b.born + 0.01, b.entry - 1 - 5 * b.a) END AS at) x
 CROSS JOIN LATERAL (VALUES (0.0, 'estimate', s.estimate::text),
                            (0.012, 'status', CASE WHEN b.entry IS NOT NULL OR s.kind = 'story' AND b.a < 0.5 THEN 'ready' END)) AS v (later, kind, value)
 WHERE v.value IS NOT NULL AND (b.entry IS NOT NULL OR s.kind = 'twin' OR s.kind = 'story' AND b.b < 0.8);

-- A few estimates and priorities of the backlog, and second thoughts.
INSERT INTO demo_act (at, who, kind, project, story, value)
SELECT pg_temp.moment(b.zero, b.born + 2 + 10 * b.a), pg_temp.author(b.project, b.title || '2'), 'estimate', b.project, b.n,
       (ARRAY[2, 3, 5, 8, 13])[1 + floor(b.a * 5)::integer]::text
  FROM demo_birth b JOIN demo_story s USING (n)
 WHERE s.kind = 'backlog' AND b.b > 0.55 AND b.born + 12 < b.now
UNION ALL
SELECT pg_temp.moment(b.zero, b.now - 1 - 15 * b.a), pg_temp.author(b.project, b.title || '3'), 'priority', b.project, b.n,
       CASE WHEN b.b < 0.5 THEN 'low' ELSE 'medium' END
  FROM demo_birth b JOIN demo_story s USING (n)
 WHERE s.kind = 'backlog' AND s.priority IN ('low', 'medium') AND b.a > 0.6 AND b.born < b.now - 30;

-- Inside the sprints.
INSERT INTO demo_act (at, who, kind, project, story, sprint, value)
SELECT pg_temp.moment(f.first, v.at), v.who, v.kind, y.project, y.story, y.sprint, v.value
  FROM demo_stay y JOIN demo_story s ON s.n = y.story JOIN demo_sprint f ON f.project = y.project AND f.place = y.sprint
 CROSS JOIN LATERAL (SELECT CASE y.project WHEN 'AC' THEN 3 ELSE 7 END AS lead, pg_temp.roll('inside' || s.title || y.sprint) AS a,
                            pg_temp.roll('inside too' || s.title || y.sprint) AS b) r
 CROSS JOIN LATERAL (VALUES
   (CASE WHEN y.added > 0.1 THEN y.added END, r.lead, 'add', NULL),
   (y.removed, r.lead, 'remove', NULL),
   (CASE WHEN s.kind = 'now' OR r.a < 0.6 THEN y.added + 0.02 + 0.02 * r.a WHEN y.started IS NOT NULL THEN y.started - 0.005 END,
    r.lead, 'assign', s.assignee::text),
   (CASE WHEN y.sprint < 8 AND r.b < 0.15 THEN y.added + 0.05 END, r.lead, 'due',
    (pg_temp.workday(f.first, least(14, floor(coalesce(y.done, 12) + 3 * r.a)::integer)))::text),
   (CASE WHEN y.sprint < 8 AND r.b > 0.9 AND y.done - y.started > 2 THEN y.started + 1.1 END, s.assignee, 'estimate',
    (CASE s.estimate WHEN 1 THEN 2 WHEN 2 THEN 3 WHEN 3 THEN 5 WHEN 5 THEN 8 ELSE 5 END)::text),
   (y.started, s.assignee, 'status', 'in_progress'),
   (y.review, s.assignee, 'status', 'review'),
   (CASE WHEN r.a > 0.9 AND y.done - y.review > 0.6 THEN y.review + 0.2 END, r.lead, 'status', 'in_progress'),
   (CASE WHEN r.a > 0.9 AND y.done - y.review > 0.6 THEN y.review + 0.4 END, s.assignee, 'status', 'review'),
   (y.done, CASE WHEN r.b < 0.7 THEN r.lead ELSE s.assignee END, 'status', 'done')
 ) AS v (at, who, kind, value)
 WHERE v.at IS NOT NULL AND (v.value IS NOT NULL OR v.kind IN ('add', 'remove'));

INSERT INTO demo_act (at, who, kind, project, story, value)
SELECT pg_temp.moment(f.first, v.at), v.who, v.kind, w.project, s.n, v.value
  FROM demo_now w JOIN demo_story s ON s.title = w.title JOIN demo_sprint f ON f.project = w.project AND f.place = 8
 CROSS JOIN LATERAL (VALUES (coalesce(w.added, 0.03) + 0.05, CASE w.project WHEN 'AC' THEN 3 ELSE 7 END, 'due', pg_temp.workday(f.first, w.due)::text),
                            (w.note, w.assignee, 'note', 'Update: ' || (ARRAY['waiting for an answer from the provider.', 'the second half is larger than we thought.',
                               'works in staging, tests follow.', 'one question is open, see the channel.'])[1 + floor(4 * pg_temp.roll('note' || w.title))::integer])) AS v (at, who, kind, value)
 WHERE v.at IS NOT NULL AND v.value IS NOT NULL;

INSERT INTO demo_act (at, who, kind, project, story, value)
SELECT pg_temp.moment(f.first, w.since), CASE a.project WHEN 'AC' THEN 3 ELSE 7 END, 'wait', a.project, a.n, b.n::text
  FROM demo_wait w JOIN demo_story a ON a.title = w.blocker JOIN demo_story b ON b.title = w.blocked
  JOIN demo_sprint f ON f.project = a.project AND f.place = 8;

-- In most earlier sprints something waited too, and went on once it could.
INSERT INTO demo_act (at, who, kind, project, story, value)
SELECT pg_temp.moment(f.first, v.at), CASE f.project WHEN 'AC' THEN 3 ELSE 7 END, v.kind, f.project, p.a, p.b::text
  FROM demo_sprint f
 CROSS JOIN LATERAL (SELECT a.story AS a, b.story AS b, a.done FROM demo_stay a JOIN demo_stay b ON b.project = a.project AND b.sprint = a.sprint
                      WHERE a.project = f.project AND a.sprint = f.place AND a.added < 1 AND b.added < 1 AND b.started > a.done + 0.1
                      ORDER BY pg_temp.roll(a.story || ' ' || b.story) LIMIT 2) p
 CROSS JOIN LATERAL (VALUES (1.4, 'wait'), (p.done + 0.02, 'go')) AS v (at, kind)
 WHERE f.place < 8 AND p.done > 1.5;

-- The sprints themselves. Plans are made the day before; the end is an afternoon.
INSERT INTO demo_act (at, who, kind, project, sprint)
SELECT pg_temp.moment(f.first, v.at), CASE f.project WHEN 'AC' THEN 3 ELSE 7 END, v.kind, f.project, f.place
  FROM demo_sprint f CROSS JOIN (VALUES (-0.6, 'sprint'), (0.03, 'plan'), (0.08, 'start'), (14.97, 'complete')) AS v (at, kind)
 WHERE v.kind <> 'complete' OR f.place < 8;

-- Epics: written first, active with their first started story, done with the last.
INSERT INTO demo_act (at, who, kind, project, sprint, value)
SELECT pg_temp.moment(f.first, -29.95 + 0.002 * e.epic), CASE e.project WHEN 'AC' THEN 1 ELSE 2 END, 'epic', e.project, e.epic, NULL
  FROM demo_epic e JOIN demo_sprint f ON f.project = e.project AND f.place = 1
UNION ALL
SELECT min(a.at), CASE s.project WHEN 'AC' THEN 3 ELSE 7 END, 'epic status', s.project, s.epic, 'active'
  FROM demo_act a JOIN demo_story s ON s.n = a.story
 WHERE a.kind = 'status' AND a.value = 'in_progress' AND s.epic IS NOT NULL GROUP BY s.project, s.epic
UNION ALL
SELECT max(a.at) + interval '20 minutes', CASE s.project WHEN 'AC' THEN 3 ELSE 7 END, 'epic status', s.project, s.epic, 'done'
  FROM demo_story s LEFT JOIN demo_act a ON a.story = s.n AND a.kind = 'status' AND a.value = 'done'
 WHERE s.epic IS NOT NULL GROUP BY s.project, s.epic HAVING bool_and(a.n IS NOT NULL);
