-- GET /api/v1/workspaces/{ws}/audit                                 list_audit
-- Who was allowed what, by whom, newest first. Each entry's hash covers the one
-- before it (gnomonctl audit verify). Who is named in details is kept by id, and called as today.
-- role:   admin
-- query:  action text(1..100), actorId uuid, entityType text(1..40), entityId uuid, from date, to date
-- order:  newest = a.number int4 desc; oldest = a.number int4 asc
-- reply:  200 page of AuditEntry
SELECT a.number, a.at, u.id AS "actor.id", u.name AS "actor.name", a.action, a.entity_type AS "entityType", a.entity_id AS "entityId",
       gnomon.audit_says(a.action, a.entity_type, coalesce(p.key || ' ' || p.name, t.name, s.name), d.details) AS says, d.details, encode(a.hash, 'hex') AS hash
  FROM (SELECT * FROM audit_log a
         WHERE a.workspace_id = gnomon.workspace()
           {action: AND a.action = :action} {actorId: AND a.actor_id = :actorId}
           {entityType: AND a.entity_type = :entityType} {entityId: AND a.entity_id = :entityId}
           {from: AND a.at >= (SELECT :from::timestamp AT TIME ZONE w.timezone FROM workspaces w WHERE w.id = gnomon.workspace())}
           {to: AND a.at < (SELECT (:to + 1)::timestamp AT TIME ZONE w.timezone FROM workspaces w WHERE w.id = gnomon.workspace())}
         {page}) a
 CROSS JOIN LATERAL (SELECT gnomon.audit_names(a.workspace_id, a.entity_type, a.entity_id, a.details) AS details) d
  LEFT JOIN users u ON u.id = a.actor_id
  LEFT JOIN users s ON s.id = a.entity_id
  LEFT JOIN projects p ON p.workspace_id = a.workspace_id AND p.id = a.entity_id
  LEFT JOIN teams t ON t.workspace_id = a.workspace_id AND t.id = a.entity_id
 WHERE true {page}
