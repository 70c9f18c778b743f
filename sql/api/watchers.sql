-- GET /api/v1/projects/{project}/stories/{story}/watchers       list_story_watchers       with story
-- GET /api/v1/projects/{project}/epics/{epic}/watchers          list_epic_watchers        with epic
-- GET /api/v1/projects/{project}/sprints/{sprint}/watchers      list_sprint_watchers      with sprint
-- GET /api/v1/workspaces/{ws}/objectives/{objective}/watchers   list_objective_watchers   with objective
-- Who watches <a>, in the order they began.
-- role:   viewer
-- path:   {<one>} <key>
-- reply:  200 list of Watcher
SELECT u.id, u.name, w.since
  FROM <all> s
  JOIN watchers w ON w.workspace_id = s.workspace_id AND w.entity_id = s.id
  JOIN users u ON u.id = w.user_id
 WHERE s.workspace_id = gnomon.workspace() <here> AND s.deleted_at IS NULL
   AND {<one>: s.id = :<one> | s.number = :<one>_number}
 ORDER BY w.since, u.id
 LIMIT 200

-- part: <one> needed
SELECT s.id FROM <all> s
 WHERE s.workspace_id = gnomon.workspace() <here> AND s.deleted_at IS NULL
   AND {<one>: s.id = :<one> | s.number = :<one>_number}

-- PUT /api/v1/projects/{project}/stories/{story}/watch       watch_story       with story
-- PUT /api/v1/projects/{project}/epics/{epic}/watch          watch_epic        with epic
-- PUT /api/v1/projects/{project}/sprints/{sprint}/watch      watch_sprint      with sprint
-- PUT /api/v1/workspaces/{ws}/objectives/{objective}/watch   watch_objective   with objective
-- Watches <a>: its changes reach you as notifications.
-- role:   viewer
-- path:   {<one>} <key>
-- reply:  204
SELECT gnomon.watch('<one>', s.id) AS "isWatching"
  FROM <all> s
 WHERE s.workspace_id = gnomon.workspace() <here> AND s.deleted_at IS NULL
   AND {<one>: s.id = :<one> | s.number = :<one>_number}

-- DELETE /api/v1/projects/{project}/stories/{story}/watch       unwatch_story       with story
-- DELETE /api/v1/projects/{project}/epics/{epic}/watch          unwatch_epic        with epic
-- DELETE /api/v1/projects/{project}/sprints/{sprint}/watch      unwatch_sprint      with sprint
-- DELETE /api/v1/workspaces/{ws}/objectives/{objective}/watch   unwatch_objective   with objective
-- Stops watching <a>.
-- role:   viewer
-- path:   {<one>} <key>
-- reply:  204
SELECT gnomon.unwatch(s.id) AS "isWatching"
  FROM <all> s
 WHERE s.workspace_id = gnomon.workspace() <here> AND s.deleted_at IS NULL
   AND {<one>: s.id = :<one> | s.number = :<one>_number}
