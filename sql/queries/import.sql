-- What gnomonctl import and agent do, all of it after enter.

-- name: operator_session
-- A short session as a member of the workspace ('' is its first owner).
-- args: workspace text, email text
SELECT gnomon.operator_session(:workspace, :email) AS session

-- name: make_project
-- The project with this key, made when it is not there. Enter the workspace.
-- args: key text
WITH made AS (
  INSERT INTO projects (workspace_id, key, name, slug, owner_id)
  VALUES (gnomon.workspace(), :key, :key, lower(:key), gnomon.actor())
  ON CONFLICT (workspace_id, key) DO NOTHING
  RETURNING 1)
SELECT EXISTS (SELECT FROM made) AS made

-- name: import_stories
-- Brings rows of another tracker into the project. A row is known by its key;
-- one that is here already is changed only when update says so, and then only
-- in the fields the file has. Told of each row: was it made, changed or kept, and does
-- it name somebody who is no member. A key like AC-12 keeps its number in the project
-- AC when that is free. A name that is no member's leaves the story unassigned.
-- args: rows jsonb, update bool
WITH r AS MATERIALIZED (
  SELECT r.*, s.story_id, u.id AS person,
         gnomon.uuid7() AS new_id,
         CASE WHEN r.key ~ ('^' || p.key || '-[1-9][0-9]{0,8}$') THEN substring(r.key FROM '[0-9]+$')::integer END AS own_number
    FROM jsonb_to_recordset(:rows) AS r (place integer, key text, title text, description text, status text, priority text,
           estimate float8, due_date date, created_at timestamptz, assignee text)
    JOIN projects p ON p.workspace_id = gnomon.workspace() AND p.id = gnomon.project()
    LEFT JOIN story_sources s ON s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.source_key = r.key
    LEFT JOIN LATERAL (SELECT u.id FROM workspace_members m JOIN users u ON u.id = m.user_id
                        WHERE m.workspace_id = gnomon.workspace() AND lower(u.name) = lower(r.assignee)
                        ORDER BY u.id LIMIT 1) u ON true
), changed AS (
  UPDATE stories s
     SET title = r.title, description = coalesce(r.description, s.description), status = coalesce(r.status, s.status),
         priority = coalesce(r.priority, s.priority), estimate = coalesce(r.estimate, s.estimate),
         due_date = coalesce(r.due_date, s.due_date), assignee_id = coalesce(r.person, s.assignee_id)
    FROM r
   WHERE :update AND s.workspace_id = gnomon.workspace() AND s.id = r.story_id AND s.deleted_at IS NULL
     AND (s.title, s.description, s.status, s.priority, s.estimate, s.due_date, s.assignee_id) IS DISTINCT FROM
         (r.title, coalesce(r.description, s.description), coalesce(r.status, s.status), coalesce(r.priority, s.priority),
          coalesce(r.estimate, s.estimate), coalesce(r.due_date, s.due_date), coalesce(r.person, s.assignee_id))
  RETURNING s.id
), columns AS MATERIALIZED (   -- what comes in stands behind what is there, in the order of the file
  SELECT c.status, gnomon.last_place(gnomon.workspace(), gnomon.project(), c.status, 0) AS place
    FROM unnest('{backlog,ready,in_progress,review,done}'::text[]) c (status)
), made AS (
  INSERT INTO stories (workspace_id, id, project_id, number, title, description, status, priority, estimate, due_date,
                       assignee_id, created_at, position)
  SELECT gnomon.workspace(), r.new_id, gnomon.project(), n.number, r.title, coalesce(r.description, ''),
         coalesce(r.status, 'backlog'), coalesce(r.priority, 'medium'), r.estimate, r.due_date, r.person,
         coalesce(r.created_at, gnomon.now()), c.place + 1048576 * r.place::bigint
    FROM r
    JOIN columns c ON c.status = coalesce(r.status, 'backlog')
   CROSS JOIN LATERAL (SELECT CASE WHEN NOT EXISTS (SELECT FROM stories x WHERE x.workspace_id = gnomon.workspace()
                          AND x.project_id = gnomon.project() AND x.number = r.own_number) THEN r.own_number END AS number) n
   WHERE r.story_id IS NULL
   ORDER BY n.number NULLS LAST, r.place
  RETURNING 1
), remembered AS (
  INSERT INTO story_sources (workspace_id, project_id, source_key, story_id)
  SELECT gnomon.workspace(), gnomon.project(), r.key, r.new_id FROM r WHERE r.story_id IS NULL
)
SELECT r.place, r.key, r.title,
       CASE WHEN r.story_id IS NULL THEN 'made' WHEN r.story_id IN (SELECT id FROM changed) THEN 'changed' ELSE 'kept' END AS outcome,
       r.assignee IS NOT NULL AND r.person IS NULL AS stranger
  FROM r
 ORDER BY r.place

-- name: queue_agent
-- Queues a manual run of an agent; no row: there is no such agent.
-- args: agent text
INSERT INTO jobs (workspace_id, queue, kind, payload)
SELECT c.workspace_id, 'automation', 'agent:' || c.agent_key || ':run',
       jsonb_build_object('trigger', 'manual', 'triggeredBy', gnomon.actor())
  FROM agent_configs c
 WHERE c.workspace_id = gnomon.workspace() AND c.agent_key = :agent
RETURNING id

-- name: job_state
-- How a manual run went.
-- args: job uuid
SELECT j.state, j.error, r.number, r.status, r.summary
  FROM jobs j
  LEFT JOIN agent_run_periods p ON p.workspace_id = j.workspace_id AND p.period_bucket = 'manual:' || j.id
  LEFT JOIN agent_runs r ON r.workspace_id = p.workspace_id AND r.id = p.agent_run_id
 WHERE j.workspace_id = gnomon.workspace() AND j.id = :job
