-- A small workspace of which every number was worked out by hand; see agents.sh.
-- Story F-n is the n-th row of the list below. All times are London's, in winter.

CREATE TEMP TABLE who (name text PRIMARY KEY, id uuid NOT NULL DEFAULT gnomon.uuid7());
SELECT set_config('gnomon.clock', '2026-09-01 09:00+00', false);
INSERT INTO who (name) VALUES ('Mira'), ('Jon'), ('Priya');
INSERT INTO users (id, name) SELECT id, name FROM who;
INSERT INTO workspaces (id, name, slug, timezone)
VALUES ('00000000-0000-7000-8000-000000000001', 'Fixture', 'fixture', 'Europe/London');
SELECT set_config('gnomon.workspace', '00000000-0000-7000-8000-000000000001', false);
INSERT INTO workspace_members (workspace_id, user_id, role) SELECT gnomon.workspace(), id, 'member' FROM who;
INSERT INTO projects (workspace_id, id, key, name, slug)
VALUES (gnomon.workspace(), '00000000-0000-7000-8000-00000000000a', 'F', 'Fixture', 'fixture');

CREATE FUNCTION pg_temp.story(n integer) RETURNS uuid LANGUAGE sql AS $$
  SELECT id FROM stories WHERE workspace_id = gnomon.workspace() AND number = n $$;
CREATE FUNCTION pg_temp.at(moment text) RETURNS void LANGUAGE sql AS $$
  SELECT set_config('gnomon.clock', '2026-' || moment || '+00', false) $$;
CREATE FUNCTION pg_temp.move(moment text, n integer, new_status text) RETURNS void LANGUAGE sql AS $$
  SELECT pg_temp.at(moment);
  UPDATE stories SET status = new_status WHERE id = pg_temp.story(n) $$;

INSERT INTO stories (workspace_id, project_id, title, status, estimate, assignee_id, due_date)
SELECT gnomon.workspace(), '00000000-0000-7000-8000-00000000000a', s.title, 'ready', s.estimate, w.id, s.due::date
  FROM (VALUES
    (1, 'Take card payments', 5, 'Mira', '2026-11-12'),
    (2, 'Send a receipt', 3, 'Jon', NULL),
    (3, 'Show the order number', 2, 'Priya', NULL),
    (4, 'Refuse expired cards', 5, 'Mira', NULL),
    (5, 'Retry failed payments', 5, 'Mira', NULL),
    (6, 'Explain a refusal', 3, 'Mira', NULL),
    (7, 'Store cards safely', 5, 'Mira', '2026-11-18'),
    (8, 'Pay with a stored card', 3, 'Mira', NULL),
    (9, 'Remove a stored card', 2, 'Mira', NULL),
    (10, 'Rename the pay button', 1, 'Jon', NULL),
    (11, 'Refund in part', 5, 'Priya', NULL),
    (12, 'Translate the errors', NULL, 'Jon', '2026-11-19'),
    (13, 'Gift cards', 4, 'Priya', NULL),
    (14, 'Basket', 20, 'Jon', NULL),
    (15, 'Basket with coupons', 5, 'Jon', NULL),
    (16, 'Catalogue', 30, 'Jon', NULL)) AS s (n, title, estimate, assignee, due)
  JOIN who w ON w.name = s.assignee
 ORDER BY s.n;

-- Two completed sprints: 40 finished 30 points; 41 finished 20 of 25.
INSERT INTO sprints (workspace_id, id, project_id, number, name, start_date, end_date, status, started_at, completed_at)
VALUES (gnomon.workspace(), '00000000-0000-7000-8000-000000000040', '00000000-0000-7000-8000-00000000000a', 40, 'Sprint 40',
        '2026-10-05', '2026-10-16', 'completed', '2026-10-05 09:00+00', '2026-10-16 17:00+00'),
       (gnomon.workspace(), '00000000-0000-7000-8000-000000000041', '00000000-0000-7000-8000-00000000000a', 41, 'Sprint 41',
        '2026-10-19', '2026-11-06', 'completed', '2026-10-19 09:00+00', '2026-11-06 17:00+00');
INSERT INTO sprint_items (workspace_id, project_id, sprint_id, story_id, completed_at, final_estimate)
VALUES (gnomon.workspace(), '00000000-0000-7000-8000-00000000000a', '00000000-0000-7000-8000-000000000040', pg_temp.story(16), '2026-10-15 12:00+00', 30),
       (gnomon.workspace(), '00000000-0000-7000-8000-00000000000a', '00000000-0000-7000-8000-000000000041', pg_temp.story(14), '2026-11-05 12:00+00', 20),
       (gnomon.workspace(), '00000000-0000-7000-8000-00000000000a', '00000000-0000-7000-8000-000000000041', pg_temp.story(15), NULL, 5);

-- Sprint 42: Monday 9 to Tuesday 24 November; F-1 to F-9, F-12 and F-13 planned.
SELECT pg_temp.at('11-09 09:00');
INSERT INTO sprints (workspace_id, id, project_id, number, name, start_date, end_date, status, started_at)
VALUES (gnomon.workspace(), '00000000-0000-7000-8000-000000000042', '00000000-0000-7000-8000-00000000000a', 42, 'Sprint 42',
        '2026-11-09', '2026-11-24', 'active', '2026-11-09 10:00+00');
INSERT INTO sprint_items (workspace_id, project_id, sprint_id, story_id, original_estimate)
SELECT s.workspace_id, s.project_id, '00000000-0000-7000-8000-000000000042', s.id, s.estimate
  FROM stories s WHERE s.number IN (1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13);

DO $$ BEGIN
  PERFORM pg_temp.move('11-10 09:00', 1, 'in_progress');
  PERFORM pg_temp.move('11-10 10:00', 7, 'in_progress');  -- and nothing since
  PERFORM pg_temp.move('11-11 15:00', 1, 'done');         -- before the five days
  PERFORM pg_temp.at('11-11 16:00');
  INSERT INTO dependencies (workspace_id, project_id, source_id, target_id, dependency_type)
  SELECT gnomon.workspace(), '00000000-0000-7000-8000-00000000000a', pg_temp.story(7), pg_temp.story(8), 'blocks';
  PERFORM pg_temp.move('11-12 09:00', 5, 'in_progress');
  PERFORM pg_temp.move('11-13 11:00', 2, 'done');         -- Friday: the first of the five days
  PERFORM pg_temp.at('11-16 10:00');                      -- Monday: F-10 comes in, F-5 grows
  INSERT INTO sprint_items (workspace_id, project_id, sprint_id, story_id, original_estimate)
  SELECT workspace_id, project_id, '00000000-0000-7000-8000-000000000042', id, estimate FROM stories WHERE number = 10;
  UPDATE stories SET estimate = 8 WHERE id = pg_temp.story(5);
  PERFORM pg_temp.move('11-17 12:00', 3, 'done');
  INSERT INTO sprint_items (workspace_id, project_id, sprint_id, story_id, original_estimate)
  SELECT workspace_id, project_id, '00000000-0000-7000-8000-000000000042', id, estimate FROM stories WHERE number = 11;
  INSERT INTO dependencies (workspace_id, project_id, source_id, target_id, dependency_type)  -- F-9 requires F-8
  SELECT gnomon.workspace(), '00000000-0000-7000-8000-00000000000a', pg_temp.story(9), pg_temp.story(8), 'requires';
  PERFORM pg_temp.move('11-18 09:00', 6, 'review');
  UPDATE stories SET position = 7 WHERE id = pg_temp.story(7);  -- a place on the board is no update
  UPDATE sprint_items SET removed_at = gnomon.now() WHERE story_id = pg_temp.story(13);
  PERFORM pg_temp.move('11-20 07:30', 4, 'done');         -- today: done, but not of the last five days
END $$;
