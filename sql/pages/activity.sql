-- GET /w/{ws}/p/{project}/activity                                show_activity
-- What happened in a project, day by day, newest first; what was done at once is
-- one line.
-- role:   viewer
-- page:   activity
-- use:    list_events as events
-- query:  actorId uuid, entityType text(1..40)[]
-- part: latest one
SELECT r.rev AS revision, l.created_at AS "changedAt", u.name AS "actor.name"
  FROM revisions r
  LEFT JOIN LATERAL (SELECT e.created_at, e.actor_id FROM events e
                      WHERE e.workspace_id = r.workspace_id AND e.scope_id = r.scope_id
                      ORDER BY e.rev DESC LIMIT 1) l ON true
  LEFT JOIN users u ON u.id = l.actor_id
 WHERE r.workspace_id = gnomon.workspace() AND r.scope_id = gnomon.project()

-- part: people list
SELECT u.id, u.name, {actorId: u.id = :actorId OR} false AS "isChosen"
  FROM workspace_members m JOIN users u ON u.id = m.user_id
 WHERE m.workspace_id = gnomon.workspace()
 ORDER BY u.name
 LIMIT 200
