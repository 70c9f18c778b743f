-- words project_feed:   where = in the project; scope = gnomon.project()
-- words workspace_feed: where = in the workspace outside its projects (agents, and insights that are about none); scope = gnomon.workspace()

-- GET /api/v1/projects/{project}/events   list_events             with project_feed
-- GET /api/v1/workspaces/{ws}/events      list_workspace_events   with workspace_feed
-- What happened <where>, newest first. group=transaction makes one entry,
-- with its count, of what was done at once; transaction shows the events of such
-- an entry. since is a revision: only what came after it.
-- role:   viewer
-- query:  entityType text(1..40)[], action event_action[], actorId uuid, since int(0..9007199254740991), transaction int(1..9007199254740991), group event_group
-- order:  newest = e.rev~revision int desc, e.entity_id uuid desc; oldest = e.rev~revision int asc, e.entity_id uuid asc
-- reply:  200 page of Activity
SELECT e.rev AS revision, e.entity_id AS "~entityId", coalesce({group: g.n,} 1) AS count,
       CASE WHEN s.is_one THEN e.entity_type END AS "entity.type", CASE WHEN s.is_one THEN e.entity_id END AS "entity.id",
       CASE WHEN s.is_one THEN n.key END AS "entity.key", CASE WHEN s.is_one THEN n.name END AS "entity.name",
       CASE WHEN s.is_one THEN n.path END AS "entity.path",
       CASE WHEN s.is_one THEN e.action END AS action, CASE WHEN s.is_one THEN gnomon.diff(e.changes) ELSE '[]' END AS changes,
       CASE WHEN s.is_one THEN replace(t.said, '{it}', coalesce(n.key, n.name)) ELSE {group: g.said ||} '' END AS said,
       CASE WHEN s.is_one THEN split_part(t.said, '{it}', 1) END AS "words.before",
       CASE WHEN s.is_one THEN split_part(t.said, '{it}', 2) END AS "words.after",
       u.id AS "actor.id", u.name AS "actor.name", e.ai_triggered AS "aiTriggered", e.transaction,
       (e.created_at AT TIME ZONE w.timezone)::date AS day, e.created_at AS "createdAt",
       lag((e.created_at AT TIME ZONE w.timezone)::date) OVER (ORDER BY e.rev DESC, e.entity_id DESC)
         IS DISTINCT FROM (e.created_at AT TIME ZONE w.timezone)::date AS "startsDay"
  FROM {entityType: (SELECT DISTINCT x AS type FROM unnest(:entityType) x) ft CROSS JOIN LATERAL}
       {action: (SELECT DISTINCT x AS action FROM unnest(:action) x) fa CROSS JOIN LATERAL} (
    SELECT * FROM events e
     WHERE e.workspace_id = gnomon.workspace() AND e.scope_id = <scope>
       {entityType: AND e.entity_type = ft.type} {action: AND e.action = fa.action} {actorId: AND e.actor_id = :actorId}
       {since: AND e.rev > :since} {transaction: AND e.transaction = :transaction}
       {group: AND NOT EXISTS (
         SELECT FROM events f
          WHERE f.workspace_id = gnomon.workspace() AND f.scope_id = <scope> AND f.transaction = e.transaction AND f.created_at = e.created_at
            AND (f.rev, f.entity_id) < (e.rev, e.entity_id)
            {entityType: AND f.entity_type = ANY(:entityType)} {action: AND f.action = ANY(:action)})}
     {page}) e
  JOIN workspaces w ON w.id = e.workspace_id
  LEFT JOIN users u ON u.id = e.actor_id
 CROSS JOIN LATERAL gnomon.known_as(e.entity_type, e.entity_id) n
 CROSS JOIN LATERAL (SELECT coalesce(gnomon.say_change(e.entity_type, e.entity_id, e.action, e.changes), 'changed {it}') AS said) t
  {group: CROSS JOIN LATERAL (
    SELECT sum(k.n)::bigint AS n, gnomon.say_list(array_agg(CASE WHEN k.n = 1 THEN o.said ELSE gnomon.say_many(k.entity_type, k.action, k.reorders, k.n) END ORDER BY k.rev)) AS said
      FROM (SELECT f.entity_type, f.action, f.changes - '{position,status_since}'::text[] = '{}' AS reorders, count(*) AS n, min(f.rev) AS rev
              FROM events f
             WHERE f.workspace_id = gnomon.workspace() AND f.scope_id = <scope> AND f.transaction = e.transaction AND f.created_at = e.created_at
               {entityType: AND f.entity_type = ANY(:entityType)} {action: AND f.action = ANY(:action)}
             GROUP BY 1, 2, 3) k
      LEFT JOIN LATERAL (
        SELECT replace(coalesce(gnomon.say_change(f.entity_type, f.entity_id, f.action, f.changes), 'changed {it}'), '{it}', coalesce(i.key, i.name)) AS said
          FROM events f CROSS JOIN LATERAL gnomon.known_as(f.entity_type, f.entity_id) i
         WHERE k.n = 1 AND f.workspace_id = gnomon.workspace() AND f.scope_id = <scope> AND f.transaction = e.transaction AND f.created_at = e.created_at
           AND f.rev = k.rev AND f.entity_type = k.entity_type AND f.action = k.action
           AND (f.changes - '{position,status_since}'::text[] = '{}') = k.reorders
         LIMIT 1) o ON true) g}
 CROSS JOIN LATERAL (SELECT coalesce({group: g.n,} 1) = 1 AS is_one) s
 WHERE true {page}
