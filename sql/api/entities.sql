-- GET /api/v1/projects/{project}/entities/{type}/{entity}/events   list_entity_events
-- The whole history of one entity of the project, with what each change was
-- before and after, and names beside ids.
-- role:   viewer
-- path:   {type} text(1..40), {entity} uuid
-- query:  action event_action[], actorId uuid, since int(0..9007199254740991)
-- order:  newest = e.rev~revision int desc, e.entity_id uuid desc; oldest = e.rev~revision int asc, e.entity_id uuid asc
-- errors: not_found
-- reply:  200 page of EntityEvent
SELECT e.rev AS revision, e.entity_id AS "~entityId", e.entity_type AS "entity.type", e.entity_id AS "entity.id",
       n.key AS "entity.key", n.name AS "entity.name", n.path AS "entity.path", e.action, gnomon.diff(e.changes) AS changes,
       replace(coalesce(gnomon.say_change(e.entity_type, e.entity_id, e.action, e.changes), 'changed {it}'), '{it}', coalesce(n.key, n.name)) AS said,
       u.id AS "actor.id", u.name AS "actor.name", e.ai_triggered AS "aiTriggered", e.transaction, e.created_at AS "createdAt"
  FROM events e
  LEFT JOIN users u ON u.id = e.actor_id
 CROSS JOIN gnomon.known_as(:type, :entity) n
 WHERE e.workspace_id = gnomon.workspace() AND e.entity_id = :entity AND e.scope_id = gnomon.project() AND e.entity_type = :type
   AND gnomon.has_history(:type, :entity, gnomon.project())
   {action: AND e.action = ANY(:action)} {actorId: AND e.actor_id = :actorId} {since: AND e.rev > :since}
 {page}
