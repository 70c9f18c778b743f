-- GET /api/v1/projects/{project}/filters                     list_saved_filters
-- The saved filters you have for this project's lists: your own and those shared.
-- role:   viewer
-- query:  list filter_list[]
-- reply:  200 list of SavedFilter
SELECT f.id, f.list, f.name, f.query, f.is_shared AS "isShared", f.project_id IS NULL AS "isForAllProjects", f.user_id = gnomon.actor() AS "isMine",
       u.id AS "owner.id", u.name AS "owner.name", f.version
  FROM saved_filters f JOIN users u ON u.id = f.user_id
 WHERE f.workspace_id = gnomon.workspace() AND f.deleted_at IS NULL AND coalesce(f.project_id, gnomon.project()) = gnomon.project()
   AND (f.user_id = gnomon.actor() OR f.is_shared) {list: AND f.list = ANY(:list)}
 ORDER BY lower(f.name), f.id

-- POST /api/v1/projects/{project}/filters                   create_saved_filter
-- Keeps a list's query under a name: for yourself or shared, for this project or all of them. The
-- query must be one the list takes; where its page was read to is left out.
-- role:   member
-- body:   SavedFilterCreate
-- check:  http_check_saved_query
-- reply:  201 SavedFilter
WITH f AS (
  INSERT INTO saved_filters (workspace_id, project_id, user_id, list, name, query, is_shared)
  SELECT gnomon.workspace(), CASE WHEN b.is_for_all_projects THEN NULL ELSE gnomon.project() END, gnomon.actor(), b.list, b.name, b.query, coalesce(b.is_shared, false)
    FROM jsonb_to_record(:body) AS b (list text, name text, query text, is_shared boolean, is_for_all_projects boolean)
  RETURNING *)
SELECT f.id, f.list, f.name, f.query, f.is_shared AS "isShared", f.project_id IS NULL AS "isForAllProjects", true AS "isMine",
       u.id AS "owner.id", u.name AS "owner.name", f.version
  FROM f JOIN users u ON u.id = f.user_id

-- PATCH /api/v1/projects/{project}/filters/{filter}         update_saved_filter
-- Renames or shares a filter of your own; a stale version is refused with the current copy.
-- role:   member
-- path:   {filter} uuid
-- body:   SavedFilterPatch
-- reply:  200 SavedFilter
WITH old AS MATERIALIZED (
  SELECT f.* FROM saved_filters f
   WHERE f.workspace_id = gnomon.workspace() AND coalesce(f.project_id, gnomon.project()) = gnomon.project() AND f.id = :filter
     AND f.user_id = gnomon.actor() AND f.deleted_at IS NULL
     FOR NO KEY UPDATE
), new AS (
  UPDATE saved_filters f SET (name, is_shared) = (SELECT b.name, b.is_shared FROM jsonb_populate_record(f, :body - 'version') b)
    FROM old
   WHERE f.workspace_id = gnomon.workspace() AND f.id = old.id AND old.version = (:body ->> 'version')::integer
  RETURNING f.*
), f AS (
  SELECT NULL AS refused, new.* FROM new
  UNION ALL
  SELECT 'version_conflict', old.* FROM old WHERE NOT EXISTS (SELECT FROM new)
)
SELECT f.refused AS "!", f.id, f.list, f.name, f.query, f.is_shared AS "isShared", f.project_id IS NULL AS "isForAllProjects", true AS "isMine",
       u.id AS "owner.id", u.name AS "owner.name", f.version
  FROM f JOIN users u ON u.id = f.user_id

-- DELETE /api/v1/projects/{project}/filters/{filter}        delete_saved_filter
-- Deletes a filter of your own.
-- role:   member
-- path:   {filter} uuid
-- reply:  204
UPDATE saved_filters f SET deleted_at = gnomon.now()
 WHERE f.workspace_id = gnomon.workspace() AND coalesce(f.project_id, gnomon.project()) = gnomon.project() AND f.id = :filter
   AND f.user_id = gnomon.actor() AND f.deleted_at IS NULL
RETURNING f.id
