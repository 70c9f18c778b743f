-- GET /api/v1/workspaces/{ws}/labels                       list_workspace_labels
-- The labels every project of the workspace has.
-- role:   viewer
-- reply:  200 list of Label
SELECT l.id, l.project_id AS "projectId", l.name, l.colour,
       (SELECT count(*) FROM story_labels k JOIN stories s ON s.workspace_id = k.workspace_id AND s.id = k.story_id AND s.deleted_at IS NULL
         WHERE k.workspace_id = l.workspace_id AND k.label_id = l.id) AS "storyCount", l.version
  FROM labels l
 WHERE l.workspace_id = gnomon.workspace() AND l.project_id IS NULL AND l.deleted_at IS NULL
 ORDER BY lower(l.name), l.id

-- POST /api/v1/workspaces/{ws}/labels                     create_workspace_label
-- Adds a label for every project of the workspace.
-- role:   member
-- body:   LabelCreate
-- reply:  201 Label
INSERT INTO labels AS l (workspace_id, project_id, name, colour)
SELECT gnomon.workspace(), NULL, b.name, coalesce(b.colour, 'grey') FROM jsonb_to_record(:body) AS b (name text, colour text)
RETURNING l.id, l.project_id AS "projectId", l.name, l.colour, 0::bigint AS "storyCount", l.version

-- GET /api/v1/projects/{project}/labels                            list_labels
-- The labels the project's stories may have: its own and its workspace's.
-- role:   viewer
-- reply:  200 list of Label
SELECT l.id, l.project_id AS "projectId", l.name, l.colour,
       (SELECT count(*) FROM story_labels k JOIN stories s ON s.workspace_id = k.workspace_id AND s.id = k.story_id AND s.deleted_at IS NULL
         WHERE k.workspace_id = l.workspace_id AND k.label_id = l.id AND k.project_id = gnomon.project()) AS "storyCount", l.version
  FROM labels l
 WHERE l.workspace_id = gnomon.workspace() AND coalesce(l.project_id, gnomon.project()) = gnomon.project() AND l.deleted_at IS NULL
 ORDER BY lower(l.name), l.id

-- POST /api/v1/projects/{project}/labels                          create_label
-- Adds a label for this project.
-- role:   member
-- body:   LabelCreate
-- reply:  201 Label
INSERT INTO labels AS l (workspace_id, project_id, name, colour)
SELECT gnomon.workspace(), gnomon.project(), b.name, coalesce(b.colour, 'grey') FROM jsonb_to_record(:body) AS b (name text, colour text)
RETURNING l.id, l.project_id AS "projectId", l.name, l.colour, 0::bigint AS "storyCount", l.version

-- PATCH /api/v1/projects/{project}/labels/{label}                 update_label
-- Renames or recolours a label of the project, or, as a member of it, of the workspace; a
-- stale version is refused with the current copy.
-- role:   member
-- path:   {label} uuid
-- body:   LabelPatch
-- errors: forbidden
-- reply:  200 Label
WITH old AS MATERIALIZED (
  SELECT l.* FROM gnomon.hold_label(:label) l
), new AS (
  UPDATE labels l SET (name, colour) = (SELECT b.name, b.colour FROM jsonb_populate_record(l, :body - 'version') b)
    FROM old
   WHERE l.workspace_id = gnomon.workspace() AND l.id = old.id AND old.version = (:body ->> 'version')::integer
  RETURNING l.*
), l AS (
  SELECT NULL AS refused, new.* FROM new
  UNION ALL
  SELECT 'version_conflict', old.* FROM old WHERE NOT EXISTS (SELECT FROM new)
)
SELECT l.refused AS "!", l.id, l.project_id AS "projectId", l.name, l.colour,
       (SELECT count(*) FROM story_labels k JOIN stories s ON s.workspace_id = k.workspace_id AND s.id = k.story_id AND s.deleted_at IS NULL
         WHERE k.workspace_id = l.workspace_id AND k.label_id = l.id AND k.project_id = gnomon.project()) AS "storyCount", l.version
  FROM l

-- DELETE /api/v1/projects/{project}/labels/{label}                delete_label
-- Takes a label off every story and away; one of the workspace as a member of it.
-- role:   member
-- path:   {label} uuid
-- errors: forbidden
-- reply:  204
SELECT d AS id FROM gnomon.delete_label(:label) d
