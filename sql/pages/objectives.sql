-- GET /w/{ws}/objectives                                         show_objectives
-- What the work is for, and how far it has come.
-- role:   viewer
-- page:   objectives
-- use:    list_objectives as objectives
-- query:  ownerId uuid
-- part: totals one
-- Behind: more than a tenth of the way behind the share of days that are over.
SELECT count(*) AS "openCount", count(*) = 1 AS "isOneOpen",
       count(*) FILTER (WHERE o.progress < o.expected - 0.1) AS "behindCount",
       count(*) FILTER (WHERE o.status = 'off_track') AS "offCount",
       q.day::date AS "quarterStart", (q.day + interval '3 months - 1 day')::date AS "quarterEnd"
  FROM workspaces w
 CROSS JOIN LATERAL (SELECT date_trunc('quarter', gnomon.now() AT TIME ZONE w.timezone) AS day) q
  LEFT JOIN objective_lines o ON o.workspace_id = w.id AND o.status NOT IN ('done', 'cancelled')
 WHERE w.id = gnomon.workspace()
 GROUP BY q.day

-- part: people list
SELECT u.id, u.name, {ownerId: u.id = :ownerId OR} false AS "isChosen"
  FROM workspace_members m JOIN users u ON u.id = m.user_id
 WHERE m.workspace_id = gnomon.workspace()
 ORDER BY u.name
 LIMIT 200

-- part: teams list
SELECT t.id, t.name FROM teams t WHERE t.workspace_id = gnomon.workspace() ORDER BY t.name LIMIT 200

-- part: projects list
SELECT p.id, p.name FROM projects p WHERE p.workspace_id = gnomon.workspace() AND p.archived_at IS NULL ORDER BY p.name LIMIT 200

-- POST /w/{ws}/objectives     form of create_objective, then /w/{ws}/objectives/{key}
-- message: The objective is added. Say next how it is measured.
-- page:   show_objectives

-- GET /w/{ws}/objectives/{objective}                             show_objective   with objective
-- An objective: how far its key results have come, and what was reported of them.
-- role:   viewer
-- path:   {objective} key(O)
-- page:   objective
SELECT o.id, 'O-' || o.number AS key, 'O-' || o.number AS "objectiveKey", o.title, o.description AS "descriptionMarkdown", o.status, o.version,
       o.owner_name AS "owner.name", o.team_name AS "team.name", o.project_key AS "project.key", o.project_name AS "project.name",
       o.start_date AS "startDate", o.end_date AS "endDate", o.progress AS "progressShare", o.expected AS "expectedShare",
       o.key_results AS "keyResultCount", o.updated_at AS "updatedAt", o.expected >= 1 AS "isOver",
       o.status IN ('done', 'cancelled') AS "isClosed",
       o.status NOT IN ('done', 'cancelled') AND o.progress < o.expected - 0.1 AS "isBehind"
  FROM objective_lines o
 WHERE o.workspace_id = gnomon.workspace() {objective: AND o.id = :objective | AND o.number = :objective_number}

-- part: keyResults list
SELECT k.id, k.title, k.unit, k.start_value AS "startValue", k.current_value AS "currentValue", k.target_value AS "targetValue",
       k.weight, k.weight <> 1 AS "isWeighed", k.progress AS "progressShare", k.confidence, k.checked_in_at AS "checkedInAt", k.version,
       o.status NOT IN ('done', 'cancelled') AND k.progress < o.expected - 0.1 AS "isBehind"
  FROM objective_lines o
  JOIN key_result_lines k ON k.workspace_id = o.workspace_id AND k.objective_id = o.id
 WHERE o.workspace_id = gnomon.workspace() {objective: AND o.id = :objective | AND o.number = :objective_number}
 ORDER BY k.id
 LIMIT 100

-- part: values in keyResults by id chart sparkline
-- Where each one stood, from its start through every check-in; of many the last 100.
SELECT v.id AS "~id", v.value
  FROM objectives o
  JOIN key_results k ON k.workspace_id = o.workspace_id AND k.objective_id = o.id AND k.deleted_at IS NULL
 CROSS JOIN LATERAL (
   SELECT k.id, k.start_value AS value, NULL::timestamptz AS at, NULL::uuid AS nth
   UNION ALL
   (SELECT k.id, c.value, c.created_at, c.id FROM check_ins c
     WHERE c.workspace_id = k.workspace_id AND c.key_result_id = k.id
     ORDER BY c.created_at DESC, c.id DESC LIMIT 100)) v
 WHERE o.workspace_id = gnomon.workspace() AND o.deleted_at IS NULL {objective: AND o.id = :objective | AND o.number = :objective_number}
   AND k.id IN (SELECT x.id FROM key_results x
                 WHERE x.workspace_id = o.workspace_id AND x.objective_id = o.id AND x.deleted_at IS NULL ORDER BY x.id LIMIT 100)
 ORDER BY k.id, v.at NULLS FIRST, v.nth

-- part: checkIns list
SELECT c.created_at AS "checkedAt", k.title, k.unit, c.value, c.confidence, c.note, u.name AS who
  FROM objectives o
  JOIN key_results k ON k.workspace_id = o.workspace_id AND k.objective_id = o.id AND k.deleted_at IS NULL
 CROSS JOIN LATERAL (SELECT * FROM check_ins x WHERE x.workspace_id = k.workspace_id AND x.key_result_id = k.id
                      ORDER BY x.created_at DESC, x.id DESC LIMIT 50) c
  JOIN users u ON u.id = c.author_id
 WHERE o.workspace_id = gnomon.workspace() AND o.deleted_at IS NULL {objective: AND o.id = :objective | AND o.number = :objective_number}
 ORDER BY c.created_at DESC, c.id DESC
 LIMIT 50

-- part: statuses list
SELECT s.status, s.status = o.status AS "isChosen"
  FROM objectives o
 CROSS JOIN unnest('{on_track,at_risk,off_track,done,cancelled}'::text[]) WITH ORDINALITY AS s (status, place)
 WHERE o.workspace_id = gnomon.workspace() AND o.deleted_at IS NULL {objective: AND o.id = :objective | AND o.number = :objective_number}
 ORDER BY s.place

-- part: people list
SELECT u.id, u.name, u.id = o.owner_id AS "isChosen"
  FROM objectives o
  JOIN workspace_members m ON m.workspace_id = o.workspace_id
  JOIN users u ON u.id = m.user_id
 WHERE o.workspace_id = gnomon.workspace() AND o.deleted_at IS NULL {objective: AND o.id = :objective | AND o.number = :objective_number}
 ORDER BY u.name
 LIMIT 200

-- part: talk one of show_story

-- part: comments list of show_story

-- POST /w/{ws}/objectives/{objective}     form of update_objective, then /w/{ws}/objectives/{objective}
-- message: The objective is up to date.
-- path:   {objective} key(O)
-- page:   show_objective

-- POST /w/{ws}/objectives/{objective}/delete     form of delete_objective, then /w/{ws}/objectives
-- message: The objective is deleted.
-- path:   {objective} key(O)
-- page:   show_objective

-- POST /w/{ws}/objectives/{objective}/key-results     form of create_key_result, then /w/{ws}/objectives/{objective}
-- message: The key result is added.
-- path:   {objective} key(O)
-- page:   show_objective

-- POST /w/{ws}/objectives/{objective}/key-results/{keyResult}     form of update_key_result, then /w/{ws}/objectives/{objective}
-- message: The key result is up to date.
-- path:   {objective} key(O), {keyResult} uuid
-- page:   show_objective

-- POST /w/{ws}/objectives/{objective}/key-results/{keyResult}/delete     form of delete_key_result, then /w/{ws}/objectives/{objective}
-- message: The key result is deleted.
-- path:   {objective} key(O), {keyResult} uuid
-- page:   show_objective

-- POST /w/{ws}/objectives/{objective}/key-results/{keyResult}/check-ins     form of create_check_in, then /w/{ws}/objectives/{objective}
-- message: You have checked in.
-- path:   {objective} key(O), {keyResult} uuid
-- page:   show_objective
