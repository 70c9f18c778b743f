-- What scripts/bench --scale measures on: the workspace "bench" with as many stories
-- as the variable says: a quarter of them in one project (BIG), 2,000 in another
-- (MID), the rest 500 to a project.
--
--   psql -v stories=1000000 -f tests/bench/scale.sql
--
-- Run by a superuser after `gnomonctl user add` made the workspace. Rows are written as
-- the triggers would, without them, and indexes made afterwards: a million stories
-- take two minutes instead of twenty.
\set ON_ERROR_STOP on
\set QUIET on
SET maintenance_work_mem = '512MB';
SET synchronous_commit = off;
BEGIN;
SELECT id AS ws FROM workspaces WHERE slug = 'bench' \gset
SELECT user_id AS owner FROM workspace_members WHERE workspace_id = :'ws' \gset

INSERT INTO users (email, name)
SELECT format('person%s@bench.example', n), format('Person %s', n) FROM generate_series(1, 20) n;
INSERT INTO workspace_members (workspace_id, user_id, role)
SELECT :'ws', id, 'member' FROM users WHERE email LIKE 'person%@bench.example';
CREATE TEMP TABLE people AS
SELECT user_id, row_number() OVER (ORDER BY user_id) - 1 AS place FROM workspace_members WHERE workspace_id = :'ws';

CREATE TEMP TABLE sizes AS
SELECT 'BIG' AS key, :stories / 4 AS stories UNION ALL SELECT 'MID', 2000
UNION ALL
SELECT 'P' || i, least(500, :stories - :stories / 4 - 2000 - (i - 1) * 500)
  FROM generate_series(1, (:stories - :stories / 4 - 2000 + 499) / 500) i;
INSERT INTO projects (workspace_id, key, name, slug, owner_id)
SELECT :'ws', key, 'Project ' || key, lower(key), :'owner' FROM sizes;

-- Indexes that are no constraint's are made at the end.
CREATE TEMP TABLE later AS
SELECT i.indexrelid::regclass::text AS name, replace(pg_get_indexdef(i.indexrelid), ' ON ONLY ', ' ON ') AS made
  FROM pg_index i
 WHERE i.indrelid IN ('stories'::regclass, 'events'::regclass, 'search_entries'::regclass)
   AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid);
DO $$ DECLARE i record; BEGIN FOR i IN SELECT name FROM later LOOP EXECUTE 'DROP INDEX ' || i.name; END LOOP; END $$;
CREATE TEMP TABLE always AS SELECT tgname AS name FROM pg_trigger WHERE tgrelid = 'stories'::regclass AND tgenabled = 'A';
ALTER TABLE stories DISABLE TRIGGER USER;
SET LOCAL session_replication_role = replica;       -- nor are foreign keys looked up

INSERT INTO stories (workspace_id, project_id, number, title, description, status, priority, position, estimate,
                     assignee_id, due_date, status_since, created_at, updated_at)
SELECT p.workspace_id, p.id, n, format('Story %s of %s asks for something', n, p.key),
       repeat('As a reader I want a sentence here. ', 1 + n % 6),
       (ARRAY['backlog', 'ready', 'in_progress', 'review', 'done'])[1 + n % 5],
       (ARRAY['low', 'medium', 'high', 'urgent'])[1 + n % 4], n * bigint '1048576', 1 + n % 8, m.user_id,
       CASE WHEN n % 3 = 0 THEN current_date + n % 60 END, t.at + n % 900 * interval '1 minute', t.at, t.at + n % 900 * interval '1 minute'
  FROM sizes z
  JOIN projects p ON p.workspace_id = :'ws' AND p.key = z.key
 CROSS JOIN LATERAL generate_series(1, z.stories) n
 CROSS JOIN LATERAL (SELECT now() - interval '20 days' - (1 - n::double precision / z.stories) * interval '150 days' AS at) t
  LEFT JOIN people m ON m.place = n % 25        -- some have nobody
 ORDER BY p.key, n;
INSERT INTO counters (workspace_id, scope_id, kind, last)
SELECT workspace_id, project_id, 'stories', max(number) FROM stories WHERE workspace_id = :'ws' GROUP BY 1, 2;

-- Each was made, and moved once. The transactions were before all that are to come.
INSERT INTO events (workspace_id, scope_id, rev, entity_type, entity_id, action, changes, actor_id, transaction, created_at)
SELECT s.workspace_id, s.project_id, 2 * s.number + k, 'story', s.id, CASE k WHEN 0 THEN 'created' ELSE 'moved' END,
       CASE k WHEN 0 THEN jsonb_build_object('title', jsonb_build_array(NULL, s.title), 'number', jsonb_build_array(NULL, s.number))
       ELSE jsonb_build_object('status', jsonb_build_array('backlog', s.status)) END,
       coalesce(s.assignee_id, :'owner'), 2 * s.number + k - 100000000, CASE k WHEN 0 THEN s.created_at ELSE s.status_since END
  FROM stories s CROSS JOIN generate_series(0, 1) k
 WHERE s.workspace_id = :'ws';
UPDATE revisions r SET rev = 2 * z.stories + 1
  FROM sizes z JOIN projects p ON p.workspace_id = :'ws' AND p.key = z.key
 WHERE r.workspace_id = p.workspace_id AND r.scope_id = p.id;

-- Their words: what search_document makes of such a text, and the number.
CREATE TEMP TABLE words AS
SELECT k, gnomon.search_document(:'ws', 'story', 'Story of asks for something', repeat('As a reader I want a sentence here. ', 1 + k)) AS document
  FROM generate_series(0, 5) k;
INSERT INTO search_entries (workspace_id, entity_id, entity_type, project_id, document)
SELECT s.workspace_id, s.id, 'story', s.project_id, w.document || setweight(array_to_tsvector(ARRAY[s.number::text, lower(p.key)]), 'A')
  FROM stories s
  JOIN projects p ON p.workspace_id = s.workspace_id AND p.id = s.project_id
  JOIN words w ON w.k = s.number % 6
 WHERE s.workspace_id = :'ws';

SET LOCAL session_replication_role = origin;
ALTER TABLE stories ENABLE TRIGGER USER;
DO $$ DECLARE t record; BEGIN FOR t IN SELECT name FROM always LOOP EXECUTE 'ALTER TABLE stories ENABLE ALWAYS TRIGGER ' || t.name; END LOOP; END $$;
COMMIT;
DO $$ DECLARE i record; BEGIN FOR i IN SELECT made FROM later LOOP EXECUTE i.made; END LOOP; END $$;
ANALYZE;
BEGIN;
\ir sprint.sql
INSERT INTO event_cursors (workspace_id, scope_id, rev) SELECT workspace_id, scope_id, rev FROM revisions
ON CONFLICT (workspace_id, scope_id) DO UPDATE SET rev = excluded.rev;
COMMIT;
VACUUM (ANALYZE, FREEZE);
CHECKPOINT;
