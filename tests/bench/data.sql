-- What scripts/bench measures on: the workspace "bench" with 100,000 insights,
-- a project of 100,000 stories (BIG), one of 2,000 (MID) and one of 200 (SMALL).
-- Run by a superuser after `gnomonctl user add` made the workspace.
--
-- Only the row triggers that draw the next number are off while rows are made:
-- each draws by an update of one counter, and 100,000 updates of one row in one
-- transaction take minutes. The numbers are given and the counters set, so the
-- result is the same. Events and revisions are made by their triggers.
\set ON_ERROR_STOP on
\set QUIET on
BEGIN;
SELECT id AS ws FROM workspaces WHERE slug = 'bench' \gset
SELECT user_id AS owner FROM workspace_members WHERE workspace_id = :'ws' \gset

INSERT INTO users (email, name)
SELECT format('person%s@bench.example', n), format('Person %s', n) FROM generate_series(1, 20) n;
INSERT INTO workspace_members (workspace_id, user_id, role)
SELECT :'ws', id, 'member' FROM users WHERE email LIKE 'person%@bench.example';
CREATE TEMP TABLE people AS
SELECT user_id, row_number() OVER (ORDER BY user_id) - 1 AS place FROM workspace_members WHERE workspace_id = :'ws';

INSERT INTO projects (workspace_id, key, name, slug, owner_id)
VALUES (:'ws', 'BIG', 'Big project', 'big', :'owner'), (:'ws', 'MID', 'Middling project', 'mid', :'owner'),
       (:'ws', 'SMALL', 'Small project', 'small', :'owner');

ALTER TABLE stories DISABLE TRIGGER number;
INSERT INTO stories (workspace_id, project_id, number, title, description, status, priority, position, estimate,
                     assignee_id, due_date, status_since, created_at, updated_at)
SELECT p.workspace_id, p.id, n, format('Story %s of the %s asks for something', n, lower(p.name)),
       repeat(format('As a reader of story %s I want a sentence here. ', n), 1 + n % 6),
       (ARRAY['backlog', 'ready', 'in_progress', 'review', 'done'])[1 + n % 5],
       (ARRAY['low', 'medium', 'high', 'urgent'])[1 + n % 4], n * bigint '65536', 1 + n % 8, m.user_id,
       CASE WHEN n % 3 = 0 THEN current_date + n % 60 END,
       now() - n % 900 * interval '1 hour', now() - n % 4000 * interval '1 hour', now() - n % 900 * interval '1 hour'
  FROM projects p
 CROSS JOIN LATERAL generate_series(1, CASE p.key WHEN 'BIG' THEN 100000 WHEN 'MID' THEN 2000 ELSE 200 END) n
  LEFT JOIN people m ON m.place = n % 25        -- some have nobody
 WHERE p.workspace_id = :'ws'
 ORDER BY p.key, n;
ALTER TABLE stories ENABLE TRIGGER number;
INSERT INTO counters (workspace_id, scope_id, kind, last)
SELECT workspace_id, project_id, 'stories', max(number) FROM stories WHERE workspace_id = :'ws' GROUP BY 1, 2;

-- Each looks for circles; without statistics that is a walk over all stories.
ANALYZE stories;
ANALYZE epics;
INSERT INTO dependencies (workspace_id, project_id, source_id, target_id, dependency_type)
SELECT a.workspace_id, a.project_id, a.id, b.id, 'blocks'
  FROM stories a JOIN stories b ON b.workspace_id = a.workspace_id AND b.project_id = a.project_id AND b.number = a.number + 7
 WHERE a.workspace_id = :'ws' AND a.number % 20 = 1;

-- Two days of runs and a little of everything. One insight in 10,000 is
-- critical; is high and dismissed; is by the agent "rarely"; is the last
-- person's; the four are different ones.
INSERT INTO agent_runs (workspace_id, agent_key, status, trigger_type, started_at, completed_at)
SELECT :'ws', (ARRAY['sprint_risk', 'backlog_hygiene'])[1 + n % 2], 'succeeded', 'schedule', now(), now()
  FROM generate_series(1, 500) n;
CREATE TEMP TABLE runs AS
SELECT id, agent_key, row_number() OVER (ORDER BY number) - 1 AS place FROM agent_runs WHERE workspace_id = :'ws';

ALTER TABLE agent_insights DISABLE TRIGGER number;
INSERT INTO agent_insights (workspace_id, number, agent_run_id, agent_key, project_id, insight_type, severity, confidence,
                            title, body, recommendations, evidence, entity_refs, state, owner_user_id, created_at, updated_at)
SELECT :'ws', n, r.id, CASE WHEN n % 10000 = 5003 THEN 'rarely' ELSE r.agent_key END,
       CASE WHEN n % 4 > 0 THEN p.id END, (ARRAY['risk', 'velocity', 'blocker', 'hygiene'])[1 + n % 4],
       x.severity, 60 + n % 40, format('Insight %s: something in the sprint is later than it was', n),
       format('%s stories of the sprint have not moved for %s days [1], and what is left needs %s points a day [2]. ', n % 7, n % 9, n % 13)
         || 'At the pace of the last three sprints [3] that is more than the team has done before.',
       '["Talk about the stories that do not move in the next stand-up.", "Take what can wait out of the sprint."]',
       jsonb_build_array(
         jsonb_build_object('id', 'F-1', 'label', 'Stories that have not moved', 'value', n % 7,
                            'ref', jsonb_build_object('type', 'story', 'id', s.id, 'key', 'SMALL-' || s.number)),
         jsonb_build_object('id', 'F-2', 'label', 'Points a day needed', 'value', n % 13),
         jsonb_build_object('id', 'F-3', 'label', 'Points a day done in the last three sprints', 'value', n % 5)),
       jsonb_build_array(jsonb_build_object('type', 'story', 'id', s.id, 'key', 'SMALL-' || s.number, 'title', s.title)),
       x.state, CASE WHEN n % 10000 = 5004 THEN last.user_id ELSE m.user_id END,
       now() - (100000 - n) * interval '1 minute', now() - (100000 - n) * interval '1 minute'
  FROM generate_series(1, 100000) n
 CROSS JOIN LATERAL (
   SELECT CASE WHEN n % 10000 = 5001 THEN 'critical' WHEN n % 10000 = 5002 OR n % 5 = 0 THEN 'high'
               WHEN n % 2 = 0 THEN 'medium' ELSE 'low' END AS severity,
          CASE WHEN n % 10000 = 5002 THEN 'dismissed' WHEN n % 5 = 0 THEN (ARRAY['open', 'acknowledged', 'resolved'])[1 + n % 3]
               ELSE (ARRAY['open', 'resolved', 'dismissed', 'resolved', 'acknowledged'])[1 + n % 5] END AS state) x
  JOIN runs r ON r.place = n % 500
  JOIN projects p ON p.workspace_id = :'ws' AND p.key = (ARRAY['SMALL', 'MID', 'BIG'])[1 + n % 3]
  JOIN stories s ON s.workspace_id = :'ws' AND s.number = 1 + n % 200
                AND s.project_id = (SELECT id FROM projects WHERE workspace_id = :'ws' AND key = 'SMALL')
  LEFT JOIN people m ON m.place = n % 40 AND m.place < 20
 CROSS JOIN (SELECT user_id FROM people ORDER BY place DESC LIMIT 1) last
 ORDER BY n;
ALTER TABLE agent_insights ENABLE TRIGGER number;
INSERT INTO counters (workspace_id, scope_id, kind, last) VALUES (:'ws', :'ws', 'agent_insights', 100000);

\ir sprint.sql

-- What was made here is nobody's news: the worker would tell of 200,000 events.
INSERT INTO event_cursors (workspace_id, scope_id, rev)
SELECT workspace_id, scope_id, rev FROM revisions
ON CONFLICT (workspace_id, scope_id) DO UPDATE SET rev = excluded.rev;
COMMIT;
VACUUM (ANALYZE, FREEZE);
CHECKPOINT;
