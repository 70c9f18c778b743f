-- GET /w/{ws}/insights                                            show_insights
-- The insight feed, newest first.
-- role:   viewer
-- page:   insights
-- use:    list_insights as insights
-- query:  agentKey text(1..64), assigneeId uuid
-- part: totals one
SELECT count(*) AS "openCount", count(*) = 1 AS "isOneOpen",
       count(*) FILTER (WHERE i.severity = 'critical') AS "criticalCount",
       count(*) FILTER (WHERE i.severity = 'critical') = 1 AS "isOneCritical",
       count(*) FILTER (WHERE i.severity = 'critical' AND i.owner_user_id IS NULL) AS "orphanCount",
       count(*) FILTER (WHERE i.severity = 'critical' AND i.owner_user_id IS NULL) = 1 AS "isOneOrphan",
       bool_and(i.owner_user_id IS NULL) FILTER (WHERE i.severity = 'critical') AS "areAllOrphans"
  FROM agent_insights i
 WHERE i.workspace_id = gnomon.workspace() AND i.state = 'open'

-- part: agents list
SELECT c.agent_key AS key, upper(left(c.agent_key, 1)) || replace(substr(c.agent_key, 2), '_', ' ') AS name,
       {agentKey: c.agent_key = :agentKey OR} false AS "isChosen", c.enabled AS "isOn",
       CASE WHEN c.enabled THEN gnomon.cron_next(c.schedule_cron, w.timezone, gnomon.now()) END AS "nextAt"
  FROM agent_configs c
  JOIN workspaces w ON w.id = c.workspace_id
 WHERE c.workspace_id = gnomon.workspace()
 ORDER BY name

-- part: owners list
-- Whom the filter may name: everybody who owns an insight.
SELECT DISTINCT u.id, u.name, {assigneeId: u.id = :assigneeId OR} false AS "isChosen"
  FROM agent_insights i JOIN users u ON u.id = i.owner_user_id
 WHERE i.workspace_id = gnomon.workspace()
 ORDER BY u.name
 LIMIT 200

-- GET /w/{ws}/insights/{insight}                                  show_insight
-- One insight with its proof, its history and what can be done about it.
-- role:   viewer
-- path:   {insight} key(I)
-- page:   insight
SELECT i.id, i.number, i.title, i.severity, i.state, i.version, i.confidence,
       upper(left(i.agent_key, 1)) || replace(substr(i.agent_key, 2), '_', ' ') AS "agentName",
       i.insight_type = 'velocity' AS "isForecast",
       i.state = 'open' AS "isOpen", i.state = 'acknowledged' AS "isAcknowledged", i.state IN ('dismissed', 'resolved') AS "isClosed",
       CASE WHEN i.confidence >= 80 THEN 'Likely' WHEN i.confidence >= 50 THEN 'Possible' WHEN i.confidence >= 0 THEN 'Unclear' END AS certainty,
       jsonb_array_length(i.evidence)::bigint AS "factCount", jsonb_array_length(i.evidence) = 1 AS "isOneFact",
       u.id AS "owner.id", u.name AS "owner.name", p.key AS "about.key", p.name AS "about.name",
       r.number AS "run.number", i.created_at AS "createdAt", i.updated_at AS "updatedAt",
       s.origin = 'model' AS "isDraft"
  FROM agent_insights i
  JOIN agent_runs r ON r.workspace_id = i.workspace_id AND r.id = i.agent_run_id
  LEFT JOIN insight_sightings s ON s.workspace_id = i.workspace_id AND s.agent_run_id = i.agent_run_id AND s.insight_id = i.id
  LEFT JOIN users u ON u.id = i.owner_user_id
  LEFT JOIN projects p ON p.workspace_id = i.workspace_id AND p.id = i.project_id
 WHERE i.workspace_id = gnomon.workspace() {insight: AND i.id = :insight | AND i.number = :insight_number}

-- part: words list
-- The text, cut before each mark [n]; n is the place of a fact below. Marks
-- that point at no fact stay as they are.
SELECT CASE WHEN m.n BETWEEN 1 AND jsonb_array_length(i.evidence) THEN m.n END AS n,
       CASE WHEN m.n BETWEEN 1 AND jsonb_array_length(i.evidence)
            THEN regexp_replace(t.text, '^\[\d+\]', '') ELSE t.text END AS text
  FROM agent_insights i
 CROSS JOIN LATERAL regexp_split_to_table(i.body, '(?=\[\d{1,3}\])') WITH ORDINALITY AS t (text, place)
 CROSS JOIN LATERAL (SELECT substring(t.text FROM '^\[(\d{1,3})\]')::integer AS n) m
 WHERE i.workspace_id = gnomon.workspace() {insight: AND i.id = :insight | AND i.number = :insight_number}
 ORDER BY t.place

-- part: facts list
SELECT f.place AS n, f.fact ->> 'id' AS id, f.fact ->> 'label' AS label, f.fact ->> 'value' AS value,
       f.fact #>> '{ref,key}' AS "refKey",
       CASE f.fact #>> '{ref,type}'
            WHEN 'story' THEN format('/w/%s/p/%s/stories/%s', w.slug, split_part(f.fact #>> '{ref,key}', '-', 1), f.fact #>> '{ref,key}')
            WHEN 'sprint' THEN format('/w/%s/p/%s', w.slug, p.key)
            WHEN 'project' THEN format('/w/%s/p/%s', w.slug, f.fact #>> '{ref,key}') END AS href
  FROM agent_insights i
  JOIN workspaces w ON w.id = i.workspace_id
  LEFT JOIN projects p ON p.workspace_id = i.workspace_id AND p.id = i.project_id
 CROSS JOIN LATERAL jsonb_array_elements(i.evidence) WITH ORDINALITY AS f (fact, place)
 WHERE i.workspace_id = gnomon.workspace() {insight: AND i.id = :insight | AND i.number = :insight_number}
 ORDER BY f.place
 LIMIT 200

-- part: advice list
SELECT a.text
  FROM agent_insights i CROSS JOIN LATERAL jsonb_array_elements_text(i.recommendations) WITH ORDINALITY AS a (text, place)
 WHERE i.workspace_id = gnomon.workspace() {insight: AND i.id = :insight | AND i.number = :insight_number}
 ORDER BY a.place

-- part: stories list
-- The stories it is about, as they are now.
SELECT p.key || '-' || s.number AS key, p.key AS "projectKey", s.title, u.name AS assignee,
       CASE s.status WHEN 'in_progress' THEN 'In progress' ELSE initcap(s.status) END AS "statusName", s.status, s.estimate
  FROM agent_insights i
 CROSS JOIN LATERAL jsonb_array_elements(i.entity_refs) WITH ORDINALITY AS r (ref, place)
  JOIN stories s ON s.workspace_id = i.workspace_id AND s.id = (r.ref ->> 'id')::uuid AND r.ref ->> 'type' = 'story'
  JOIN projects p ON p.workspace_id = s.workspace_id AND p.id = s.project_id
  LEFT JOIN users u ON u.id = s.assignee_id
 WHERE i.workspace_id = gnomon.workspace() {insight: AND i.id = :insight | AND i.number = :insight_number}
 ORDER BY r.place
 LIMIT 50

-- part: members list
SELECT m.user_id AS id, u.name, m.user_id = i.owner_user_id AS "isOwner"
  FROM agent_insights i
  JOIN workspace_members m ON m.workspace_id = i.workspace_id AND gnomon.rank(m.role) >= gnomon.rank('member')
  JOIN users u ON u.id = m.user_id
 WHERE i.workspace_id = gnomon.workspace() {insight: AND i.id = :insight | AND i.number = :insight_number}
 ORDER BY u.name
 LIMIT 200

-- part: history list
-- What people and agents did to it, newest first; of the times an agent saw it
-- unchanged, only the last.
SELECT h.at AS "doneAt", h.who, h.what, h.run
  FROM agent_insights i
 CROSS JOIN LATERAL (
   SELECT e.created_at AS at, coalesce(a.name, 'The agent') AS who, NULL::integer AS run,
          CASE WHEN e.action = 'created' THEN 'found it'
               ELSE concat_ws(', ',
                 CASE WHEN e.changes ? 'state' THEN CASE e.changes #>> '{state,1}'
                      WHEN 'open' THEN 'opened it again' WHEN 'acknowledged' THEN 'acknowledged it'
                      WHEN 'dismissed' THEN 'dismissed it' ELSE 'resolved it' END END,
                 CASE WHEN e.changes ? 'owner_user_id' THEN
                      CASE WHEN o.id IS NULL THEN 'took the owner off' WHEN o.id = a.id THEN 'became the owner'
                           ELSE 'made ' || o.name || ' the owner' END END,
                 CASE WHEN e.changes ? 'severity' THEN format('changed the severity from %s to %s', e.changes #>> '{severity,0}', e.changes #>> '{severity,1}') END) END AS what
     FROM events e
     LEFT JOIN users a ON a.id = e.actor_id
     LEFT JOIN users o ON o.id = (e.changes #>> '{owner_user_id,1}')::uuid
    WHERE e.workspace_id = gnomon.workspace() AND e.entity_id = i.id
   UNION ALL
   SELECT r.created_at, 'The agent', r.number,
          CASE s.outcome WHEN 'unchanged' THEN 'saw it again, unchanged, in' WHEN 'updated' THEN 'saw it again and brought it up to date, in'
               ELSE 'saw it again and kept quiet, in' END
     FROM (SELECT s.*, row_number() OVER (PARTITION BY s.outcome ORDER BY s.agent_run_id DESC) AS nth
             FROM insight_sightings s
            WHERE s.workspace_id = gnomon.workspace() AND s.insight_id = i.id AND s.outcome <> 'new') s
    CROSS JOIN LATERAL (SELECT r.created_at, r.number FROM agent_runs r WHERE r.workspace_id = s.workspace_id AND r.id = s.agent_run_id OFFSET 0) r
    WHERE s.outcome = 'updated' OR s.nth = 1) h
 WHERE i.workspace_id = gnomon.workspace() {insight: AND i.id = :insight | AND i.number = :insight_number}
   AND h.what <> ''
 ORDER BY h.at DESC
 LIMIT 50

-- POST /w/{ws}/insights/{insight}     form of update_insight, then /w/{ws}/insights/{insight}
-- message: The insight is up to date.
-- path:   {insight} key(I)
-- page:   show_insight
