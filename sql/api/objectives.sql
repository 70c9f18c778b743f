-- GET /api/v1/workspaces/{ws}/objectives                           list_objectives
-- What the work is for, newest first; q are words, as in the search. progressShare is the mean of the key
-- results by their weights, expectedShare how much of the timeframe is over.
-- role:   viewer
-- query:  status objective_status[], ownerId uuid, teamId uuid, projectId uuid, q text(1..200)
-- order:  newest = o.id uuid desc; ends = o.end_date date asc, o.id uuid asc
-- reply:  200 page of Objective
SELECT o.id, o.number, 'O-' || o.number AS key, o.title, o.description, o.status,
       o.owner_id AS "owner.id", o.owner_name AS "owner.name", o.team_id AS "team.id", o.team_name AS "team.name",
       o.project_id AS "project.id", o.project_key AS "project.key", o.project_name AS "project.name",
       o.start_date AS "startDate", o.end_date AS "endDate", o.progress AS "progressShare", o.expected AS "expectedShare",
       o.key_results AS "keyResultCount", o.created_at AS "createdAt", o.updated_at AS "updatedAt", o.version
  FROM (SELECT o.id, o.end_date
          FROM {status: (SELECT DISTINCT unnest(:status)) AS status (value),}
               LATERAL (SELECT * FROM objectives o
                         WHERE o.workspace_id = gnomon.workspace() AND o.deleted_at IS NULL
                           {status: AND o.status = status.value} {ownerId: AND o.owner_id = :ownerId} {teamId: AND o.team_id = :teamId}
                           {projectId: AND o.project_id = :projectId} {q: AND o.id IN (SELECT f.entity_id FROM gnomon.search(:q, '{objective}') f)}
                         {page}) o
         WHERE true {page}) x
  JOIN objective_lines o ON o.workspace_id = gnomon.workspace() AND o.id = x.id
 WHERE true {page}

-- POST /api/v1/workspaces/{ws}/objectives                          create_objective
-- Adds an objective: of a project when projectId is given, else of the whole
-- workspace. Where it belongs never changes.
-- role:   member
-- body:   ObjectiveCreate
-- reply:  201 Objective
WITH b AS (
  SELECT * FROM jsonb_to_record(:body) AS b (title text, description text, status text, start_date date, end_date date,
    owner_id uuid, team_id uuid, project_id uuid)
), o AS (
  INSERT INTO objectives (workspace_id, project_id, title, description, status, start_date, end_date, owner_id, team_id)
  SELECT gnomon.workspace(), b.project_id, b.title, coalesce(b.description, ''), coalesce(b.status, 'on_track'),
         b.start_date, b.end_date, b.owner_id, b.team_id
    FROM b
  RETURNING *)
SELECT o.id, o.number, 'O-' || o.number AS key, o.title, o.description, o.status,
       u.id AS "owner.id", u.name AS "owner.name", t.id AS "team.id", t.name AS "team.name",
       p.id AS "project.id", p.key AS "project.key", p.name AS "project.name",
       o.start_date AS "startDate", o.end_date AS "endDate", g.progress AS "progressShare",
       gnomon.elapsed(o.start_date, o.end_date, (gnomon.now() AT TIME ZONE w.timezone)::date) AS "expectedShare",
       g.key_results AS "keyResultCount", o.created_at AS "createdAt", o.updated_at AS "updatedAt", o.version
  FROM o
  JOIN workspaces w ON w.id = o.workspace_id
  LEFT JOIN users u ON u.id = o.owner_id
  LEFT JOIN teams t ON t.workspace_id = o.workspace_id AND t.id = o.team_id
  LEFT JOIN projects p ON p.workspace_id = o.workspace_id AND p.id = o.project_id
 CROSS JOIN LATERAL (SELECT count(*) AS key_results, sum(k.weight * gnomon.attained(k.start_value, k.current_value, k.target_value)) / sum(k.weight) AS progress
                       FROM key_results k
                      WHERE k.workspace_id = o.workspace_id AND k.objective_id = o.id AND k.deleted_at IS NULL) g

-- GET /api/v1/workspaces/{ws}/objectives/{objective}               get_objective
-- role:   viewer
-- path:   {objective} key(O)
-- reply:  200 Objective
SELECT o.id, o.number, 'O-' || o.number AS key, o.title, o.description, o.status,
       o.owner_id AS "owner.id", o.owner_name AS "owner.name", o.team_id AS "team.id", o.team_name AS "team.name",
       o.project_id AS "project.id", o.project_key AS "project.key", o.project_name AS "project.name",
       o.start_date AS "startDate", o.end_date AS "endDate", o.progress AS "progressShare", o.expected AS "expectedShare",
       o.key_results AS "keyResultCount", o.created_at AS "createdAt", o.updated_at AS "updatedAt", o.version
  FROM objective_lines o
 WHERE o.workspace_id = gnomon.workspace() AND {objective: o.id = :objective | o.number = :objective_number}

-- PATCH /api/v1/workspaces/{ws}/objectives/{objective}             update_objective
-- Changes the fields given; a stale version is refused with the current copy.
-- role:   member
-- path:   {objective} key(O)
-- body:   ObjectivePatch
-- reply:  200 Objective
WITH old AS MATERIALIZED (
  SELECT o.* FROM objectives o
   WHERE o.workspace_id = gnomon.workspace() AND o.deleted_at IS NULL AND {objective: o.id = :objective | o.number = :objective_number}
     FOR NO KEY UPDATE
), new AS (
  UPDATE objectives o
     SET (title, description, status, start_date, end_date, owner_id, team_id) =
         (SELECT b.title, b.description, b.status, b.start_date, b.end_date, b.owner_id, b.team_id
            FROM jsonb_populate_record(o, :body - 'version') b)
    FROM old
   WHERE o.workspace_id = gnomon.workspace() AND o.id = old.id AND old.version = (:body ->> 'version')::integer
  RETURNING o.*
), o AS (
  SELECT NULL AS refused, new.* FROM new
  UNION ALL
  SELECT 'version_conflict', old.* FROM old WHERE NOT EXISTS (SELECT FROM new)
)
SELECT o.refused AS "!", o.id, o.number, 'O-' || o.number AS key, o.title, o.description, o.status,
       u.id AS "owner.id", u.name AS "owner.name", t.id AS "team.id", t.name AS "team.name",
       p.id AS "project.id", p.key AS "project.key", p.name AS "project.name",
       o.start_date AS "startDate", o.end_date AS "endDate", g.progress AS "progressShare",
       gnomon.elapsed(o.start_date, o.end_date, (gnomon.now() AT TIME ZONE w.timezone)::date) AS "expectedShare",
       g.key_results AS "keyResultCount", o.created_at AS "createdAt", o.updated_at AS "updatedAt", o.version
  FROM o
  JOIN workspaces w ON w.id = o.workspace_id
  LEFT JOIN users u ON u.id = o.owner_id
  LEFT JOIN teams t ON t.workspace_id = o.workspace_id AND t.id = o.team_id
  LEFT JOIN projects p ON p.workspace_id = o.workspace_id AND p.id = o.project_id
 CROSS JOIN LATERAL (SELECT count(*) AS key_results, sum(k.weight * gnomon.attained(k.start_value, k.current_value, k.target_value)) / sum(k.weight) AS progress
                       FROM key_results k
                      WHERE k.workspace_id = o.workspace_id AND k.objective_id = o.id AND k.deleted_at IS NULL) g

-- DELETE /api/v1/workspaces/{ws}/objectives/{objective}            delete_objective
-- Deletes an objective with its key results. Its history stays.
-- role:   member
-- path:   {objective} key(O)
-- reply:  204
UPDATE objectives o SET deleted_at = gnomon.now()
 WHERE o.workspace_id = gnomon.workspace() AND o.deleted_at IS NULL AND {objective: o.id = :objective | o.number = :objective_number}
RETURNING o.id

-- GET /api/v1/workspaces/{ws}/objectives/{objective}/key-results   list_key_results
-- By what an objective is measured, in the order they were added.
-- role:   viewer
-- path:   {objective} key(O)
-- order:  oldest = k.id uuid asc; newest = k.id uuid desc
-- reply:  200 page of KeyResult
SELECT k.id, k.title, k.unit, k.direction, k.start_value AS "startValue", k.current_value AS "currentValue",
       k.target_value AS "targetValue", k.weight, k.progress AS "progressShare", k.confidence AS confidence,
       k.checked_in_at AS "checkedInAt", k.created_at AS "createdAt", k.updated_at AS "updatedAt", k.version
  FROM objectives o
  JOIN key_result_lines k ON k.workspace_id = o.workspace_id AND k.objective_id = o.id
 WHERE o.workspace_id = gnomon.workspace() AND o.deleted_at IS NULL AND {objective: o.id = :objective | o.number = :objective_number} {page}

-- part: objective needed
SELECT o.id FROM objectives o
 WHERE o.workspace_id = gnomon.workspace() AND o.deleted_at IS NULL AND {objective: o.id = :objective | o.number = :objective_number}

-- POST /api/v1/workspaces/{ws}/objectives/{objective}/key-results  create_key_result
-- Adds a measure: a number that goes from a start to a target. It stands at the
-- start until somebody checks in.
-- role:   member
-- path:   {objective} key(O)
-- body:   KeyResultCreate
-- reply:  201 KeyResult
WITH b AS (
  SELECT * FROM jsonb_to_record(:body) AS b (title text, unit text, start_value float8, target_value float8, weight float8)
), k AS (
  INSERT INTO key_results (workspace_id, objective_id, title, unit, direction, start_value, current_value, target_value, weight)
  SELECT gnomon.workspace(), o.id, b.title, coalesce(b.unit, ''), CASE WHEN b.target_value < b.start_value THEN 'decrease' ELSE 'increase' END,
         b.start_value, b.start_value, b.target_value, coalesce(b.weight, 1)
    FROM b CROSS JOIN objectives o
   WHERE o.workspace_id = gnomon.workspace() AND o.deleted_at IS NULL AND {objective: o.id = :objective | o.number = :objective_number}
  RETURNING *)
SELECT k.id, k.title, k.unit, k.direction, k.start_value AS "startValue", k.current_value AS "currentValue",
       k.target_value AS "targetValue", k.weight, 0::float8 AS "progressShare", NULL::integer AS confidence,
       NULL::timestamptz AS "checkedInAt", k.created_at AS "createdAt", k.updated_at AS "updatedAt", k.version
  FROM k

-- PATCH /api/v1/workspaces/{ws}/objectives/{objective}/key-results/{keyResult} update_key_result
-- Changes the fields given. Where it stands is said by a check-in, not here.
-- role:   member
-- path:   {objective} key(O), {keyResult} uuid
-- body:   KeyResultPatch
-- reply:  200 KeyResult
WITH old AS MATERIALIZED (
  SELECT k.* FROM objectives o JOIN key_results k ON k.workspace_id = o.workspace_id AND k.objective_id = o.id
   WHERE o.workspace_id = gnomon.workspace() AND o.deleted_at IS NULL AND {objective: o.id = :objective | o.number = :objective_number}
     AND k.id = :keyResult AND k.deleted_at IS NULL
     FOR NO KEY UPDATE OF k
), new AS (
  UPDATE key_results k
     SET (title, unit, start_value, target_value, weight, direction) =
         (SELECT b.title, b.unit, b.start_value, b.target_value, b.weight,
                 CASE WHEN b.target_value < b.start_value THEN 'decrease' ELSE 'increase' END
            FROM jsonb_populate_record(k, :body - 'version') b)
    FROM old
   WHERE k.workspace_id = gnomon.workspace() AND k.id = old.id AND old.version = (:body ->> 'version')::integer
  RETURNING k.*
), k AS (
  SELECT NULL AS refused, new.* FROM new
  UNION ALL
  SELECT 'version_conflict', old.* FROM old WHERE NOT EXISTS (SELECT FROM new)
)
SELECT k.refused AS "!", k.id, k.title, k.unit, k.direction, k.start_value AS "startValue", k.current_value AS "currentValue",
       k.target_value AS "targetValue", k.weight, gnomon.attained(k.start_value, k.current_value, k.target_value) AS "progressShare", c.confidence AS confidence,
       c.created_at AS "checkedInAt", k.created_at AS "createdAt", k.updated_at AS "updatedAt", k.version
  FROM k
  LEFT JOIN LATERAL (SELECT x.confidence, x.created_at FROM check_ins x
                      WHERE x.workspace_id = k.workspace_id AND x.key_result_id = k.id
                      ORDER BY x.created_at DESC, x.id DESC LIMIT 1) c ON true

-- DELETE /api/v1/workspaces/{ws}/objectives/{objective}/key-results/{keyResult} delete_key_result
-- Deletes a key result; it counts no longer. Its history stays.
-- role:   member
-- path:   {objective} key(O), {keyResult} uuid
-- reply:  204
UPDATE key_results k SET deleted_at = gnomon.now()
  FROM objectives o
 WHERE o.workspace_id = gnomon.workspace() AND o.deleted_at IS NULL AND {objective: o.id = :objective | o.number = :objective_number}
   AND k.workspace_id = o.workspace_id AND k.objective_id = o.id AND k.id = :keyResult AND k.deleted_at IS NULL
RETURNING k.id

-- GET /api/v1/workspaces/{ws}/objectives/{objective}/key-results/{keyResult}/check-ins list_check_ins
-- What was reported of a key result, newest first.
-- role:   viewer
-- path:   {objective} key(O), {keyResult} uuid
-- order:  newest = c.created_at time desc, c.id uuid desc; oldest = c.created_at time asc, c.id uuid asc
-- reply:  200 page of CheckIn
SELECT c.id, c.value, c.note, c.confidence, u.id AS "author.id", u.name AS "author.name", c.created_at AS "createdAt"
  FROM objectives o
  JOIN key_results k ON k.workspace_id = o.workspace_id AND k.objective_id = o.id AND k.id = :keyResult AND k.deleted_at IS NULL
  JOIN check_ins c ON c.workspace_id = k.workspace_id AND c.key_result_id = k.id
  JOIN users u ON u.id = c.author_id
 WHERE o.workspace_id = gnomon.workspace() AND o.deleted_at IS NULL AND {objective: o.id = :objective | o.number = :objective_number} {page}

-- part: keyResult needed
SELECT k.id FROM objectives o JOIN key_results k ON k.workspace_id = o.workspace_id AND k.objective_id = o.id
 WHERE o.workspace_id = gnomon.workspace() AND o.deleted_at IS NULL AND {objective: o.id = :objective | o.number = :objective_number}
   AND k.id = :keyResult AND k.deleted_at IS NULL

-- POST /api/v1/workspaces/{ws}/objectives/{objective}/key-results/{keyResult}/check-ins create_check_in
-- Reports where a key result stands, and how sure you are, in percent, that its
-- target will be reached. A report is never changed: the next one counts.
-- role:   member
-- path:   {objective} key(O), {keyResult} uuid
-- body:   CheckInCreate
-- reply:  201 CheckIn
WITH b AS (
  SELECT * FROM jsonb_to_record(:body) AS b (value float8, note text, confidence smallint)
), c AS (
  INSERT INTO check_ins (workspace_id, objective_id, key_result_id, value, note, confidence, author_id)
  SELECT gnomon.workspace(), o.id, k.id, b.value, coalesce(b.note, ''), b.confidence, gnomon.actor()
    FROM b CROSS JOIN objectives o
    JOIN key_results k ON k.workspace_id = o.workspace_id AND k.objective_id = o.id AND k.id = :keyResult AND k.deleted_at IS NULL
   WHERE o.workspace_id = gnomon.workspace() AND o.deleted_at IS NULL AND {objective: o.id = :objective | o.number = :objective_number}
  RETURNING *)
SELECT c.id, c.value, c.note, c.confidence, u.id AS "author.id", u.name AS "author.name", c.created_at AS "createdAt"
  FROM c JOIN users u ON u.id = c.author_id
