-- GET /api/v1/workspaces/{ws}/insights                           list_insights
-- The insight feed, newest first. q are words, as in the search.
-- role:   viewer
-- query:  state insight_state[], severity severity[], agentKey text(1..64), teamId uuid, assigneeId uuid, projectId uuid, q text(1..100)
-- order:  newest = i.id uuid desc; oldest = i.id uuid asc; severity = gnomon.severity_rank(i.severity)~severityRank int4 desc, i.id uuid desc
-- reply:  200 page of Insight
SELECT i.id, i.number, i.agent_key AS "agentKey", i.insight_type AS "insightType", i.severity, i.confidence,
       i.title, i.body, i.recommendations, i.evidence, jsonb_array_length(i.evidence)::int8 AS "factCount", i.entity_refs AS "entityRefs", i.state,
       gnomon.severity_rank(i.severity) AS "~severityRank",
       u.id AS "owner.id", u.name AS "owner.name", p.id AS "project.id", p.key AS "project.key", p.name AS "project.name",
       r.id AS "run.id", r.number AS "run.number",
       i.created_at AS "createdAt", i.updated_at AS "updatedAt", i.version
  FROM (SELECT i.*
          FROM {state: (SELECT DISTINCT unnest(:state)) AS state (value),} {severity: (SELECT DISTINCT unnest(:severity)) AS severity (value),}
               {teamId: (SELECT id FROM projects WHERE workspace_id = gnomon.workspace() AND team_id = :teamId) AS project,}
               LATERAL (SELECT * FROM agent_insights i
                         WHERE i.workspace_id = gnomon.workspace()
                           {state: AND i.state = state.value} {severity: AND i.severity = severity.value}
                           {agentKey: AND i.agent_key = :agentKey} {assigneeId: AND i.owner_user_id = :assigneeId}
                           {projectId: AND i.project_id = :projectId}
                           {teamId: AND i.project_id = project.id}
                           {q: AND i.id IN (SELECT f.entity_id FROM gnomon.search(:q, '{insight}') f)}
                         {page}) i
         WHERE true {page}) i
  JOIN agent_runs r ON r.workspace_id = i.workspace_id AND r.id = i.agent_run_id
  LEFT JOIN users u ON u.id = i.owner_user_id
  LEFT JOIN projects p ON p.workspace_id = i.workspace_id AND p.id = i.project_id
 WHERE true {page}

-- GET /api/v1/workspaces/{ws}/insights/{insight}                   get_insight
-- role:   viewer
-- path:   {insight} key(I)
-- reply:  200 Insight
SELECT i.id, i.number, i.agent_key AS "agentKey", i.insight_type AS "insightType", i.severity, i.confidence,
       i.title, i.body, i.recommendations, i.evidence, i.entity_refs AS "entityRefs", i.state,
       u.id AS "owner.id", u.name AS "owner.name", p.id AS "project.id", p.key AS "project.key", p.name AS "project.name",
       r.id AS "run.id", r.number AS "run.number",
       i.created_at AS "createdAt", i.updated_at AS "updatedAt", i.version
  FROM agent_insights i
  JOIN agent_runs r ON r.workspace_id = i.workspace_id AND r.id = i.agent_run_id
  LEFT JOIN users u ON u.id = i.owner_user_id
  LEFT JOIN projects p ON p.workspace_id = i.workspace_id AND p.id = i.project_id
 WHERE i.workspace_id = gnomon.workspace() AND {insight: i.id = :insight | i.number = :insight_number}

-- PATCH /api/v1/workspaces/{ws}/insights/{insight}              update_insight
-- Acknowledges, resolves, dismisses or reopens an insight, or gives it an owner.
-- Dismissing one that is owned by somebody else takes an admin.
-- role:   member
-- path:   {insight} key(I)
-- body:   InsightAction
-- counts: INSIGHTS agentKey, severity, state
-- reply:  200 Insight
WITH act AS (
  SELECT * FROM jsonb_to_record(:body) AS b (action text, version integer, owner_id uuid)
), old AS MATERIALIZED (
  SELECT i.* FROM agent_insights i
   WHERE i.workspace_id = gnomon.workspace() AND {insight: i.id = :insight | i.number = :insight_number}
     FOR NO KEY UPDATE
), verdict AS (
  SELECT old.id,
         CASE WHEN old.version <> act.version THEN 'version_conflict'
              WHEN act.action = 'dismiss' AND old.owner_user_id <> gnomon.actor() AND gnomon.rank(m.role) < 3 THEN 'forbidden'
              WHEN act.action = 'assign_owner' AND act.owner_id IS NOT NULL AND NOT EXISTS
                   (SELECT FROM workspace_members o WHERE o.workspace_id = gnomon.workspace() AND o.user_id = act.owner_id)
              THEN 'validation_failed' END AS refused,
         CASE act.action WHEN 'acknowledge' THEN 'acknowledged' WHEN 'resolve' THEN 'resolved' WHEN 'dismiss' THEN 'dismissed'
              WHEN 'reopen' THEN 'open' ELSE old.state END AS state,
         CASE WHEN act.action = 'assign_owner' THEN act.owner_id
              WHEN act.action = 'acknowledge' THEN coalesce(old.owner_user_id, gnomon.actor())
              ELSE old.owner_user_id END AS owner_user_id
    FROM old CROSS JOIN act
    JOIN workspace_members m ON m.workspace_id = gnomon.workspace() AND m.user_id = gnomon.actor()
), new AS (
  UPDATE agent_insights i SET state = v.state, owner_user_id = v.owner_user_id
    FROM verdict v
   WHERE i.workspace_id = gnomon.workspace() AND i.id = v.id AND v.refused IS NULL
  RETURNING i.*
), i AS (
  SELECT NULL AS refused, new.* FROM new
  UNION ALL
  SELECT v.refused, old.* FROM old JOIN verdict v ON v.id = old.id WHERE v.refused IS NOT NULL
)
SELECT i.refused AS "!", i.state <> (SELECT state FROM old) AS "~changed", i.id, i.number, i.agent_key AS "agentKey", i.insight_type AS "insightType", i.severity, i.confidence,
       i.title, i.body, i.recommendations, i.evidence, i.entity_refs AS "entityRefs", i.state,
       u.id AS "owner.id", u.name AS "owner.name", p.id AS "project.id", p.key AS "project.key", p.name AS "project.name",
       r.id AS "run.id", r.number AS "run.number",
       i.created_at AS "createdAt", i.updated_at AS "updatedAt", i.version
  FROM i
  JOIN agent_runs r ON r.workspace_id = i.workspace_id AND r.id = i.agent_run_id
  LEFT JOIN users u ON u.id = i.owner_user_id
  LEFT JOIN projects p ON p.workspace_id = i.workspace_id AND p.id = i.project_id
