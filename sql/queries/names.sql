-- What things are called, for pages that show ids again (after enter).

-- name: names_of
-- The names of people, teams, epics, sprints, labels and stories with these ids.
-- args: ids uuid[]
SELECT u.id::text, u.name
  FROM workspace_members m JOIN users u ON u.id = m.user_id
 WHERE m.workspace_id = gnomon.workspace() AND m.user_id = ANY(:ids)
UNION ALL SELECT t.id::text, t.name FROM teams t WHERE t.workspace_id = gnomon.workspace() AND t.id = ANY(:ids)
UNION ALL SELECT e.id::text, e.title FROM epics e WHERE e.workspace_id = gnomon.workspace() AND e.id = ANY(:ids)
UNION ALL SELECT s.id::text, s.name FROM sprints s WHERE s.workspace_id = gnomon.workspace() AND s.id = ANY(:ids)
UNION ALL SELECT l.id::text, l.name FROM labels l WHERE l.workspace_id = gnomon.workspace() AND l.id = ANY(:ids)
UNION ALL SELECT s.id::text, s.title FROM stories s WHERE s.workspace_id = gnomon.workspace() AND s.id = ANY(:ids)
