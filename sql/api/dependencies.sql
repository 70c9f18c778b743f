-- GET /api/v1/projects/{project}/dependencies               list_dependencies
-- What waits for what, oldest first. of: only those with this story or epic at either end.
-- role:   viewer
-- query:  of uuid, type dependency_type[]
-- order:  oldest = d.id uuid asc; newest = d.id uuid desc
-- reply:  200 page of Dependency
SELECT d.id, d.dependency_type AS "dependencyType",
       d.source_type AS "source.type", d.source_id AS "source.id",
       coalesce(p.key || '-' || a.number, 'E-' || f.number) AS "source.key", coalesce(a.title, f.title) AS "source.title",
       coalesce(a.status, f.status) = 'done' AS "source.isDone",
       d.target_type AS "target.type", d.target_id AS "target.id",
       coalesce(p.key || '-' || b.number, 'E-' || g.number) AS "target.key", coalesce(b.title, g.title) AS "target.title",
       coalesce(b.status, g.status) = 'done' AS "target.isDone",
       d.created_at AS "createdAt"
  FROM projects p
 CROSS JOIN LATERAL (SELECT d.* FROM
   {type: (SELECT DISTINCT unnest(:type)) AS type (value) CROSS JOIN LATERAL} (
   SELECT * FROM dependencies d
    WHERE d.workspace_id = gnomon.workspace() AND d.project_id = p.id AND d.removed_at IS NULL
      {of: AND :of IN (d.source_id, d.target_id)} {type: AND d.dependency_type = type.value}
      AND CASE d.source_type WHEN 'story' THEN (SELECT a.deleted_at IS NULL FROM stories a WHERE a.workspace_id = gnomon.workspace() AND a.id = d.source_id)
                             ELSE (SELECT f.deleted_at IS NULL FROM epics f WHERE f.workspace_id = gnomon.workspace() AND f.id = d.source_id) END
      AND CASE d.target_type WHEN 'story' THEN (SELECT b.deleted_at IS NULL FROM stories b WHERE b.workspace_id = gnomon.workspace() AND b.id = d.target_id)
                             ELSE (SELECT g.deleted_at IS NULL FROM epics g WHERE g.workspace_id = gnomon.workspace() AND g.id = d.target_id) END
    {page}) d
   WHERE true {page}) d
  LEFT JOIN stories a ON d.source_type = 'story' AND a.workspace_id = d.workspace_id AND a.id = d.source_id AND a.deleted_at IS NULL
  LEFT JOIN epics f ON d.source_type = 'epic' AND f.workspace_id = d.workspace_id AND f.id = d.source_id AND f.deleted_at IS NULL
  LEFT JOIN stories b ON d.target_type = 'story' AND b.workspace_id = d.workspace_id AND b.id = d.target_id AND b.deleted_at IS NULL
  LEFT JOIN epics g ON d.target_type = 'epic' AND g.workspace_id = d.workspace_id AND g.id = d.target_id AND g.deleted_at IS NULL
 WHERE p.workspace_id = gnomon.workspace() AND p.id = gnomon.project() {page}

-- POST /api/v1/projects/{project}/dependencies             create_dependency
-- Says that one story or epic waits for another: source blocks target, or source requires target.
-- Both are of this project, said by id or key (AC-12, E-3). One that would make something wait for
-- itself is refused, naming the circle; an epic's stories wait as it does.
-- role:   member
-- body:   DependencyCreate
-- reply:  201 Dependency
WITH b AS (
  SELECT * FROM jsonb_to_record(:body) AS b (source_type text, source_id text, target_type text, target_id text, dependency_type text)
), e AS MATERIALIZED (
  SELECT b.dependency_type, s.type AS source_type, s.id AS source_id, t.type AS target_type, t.id AS target_id
    FROM b
    LEFT JOIN LATERAL gnomon.end_said(b.source_id, b.source_type) s ON true
    LEFT JOIN LATERAL gnomon.end_said(b.target_id, b.target_type) t ON true
), good AS MATERIALIZED (
  SELECT gnomon.must(e.source_id IS NOT NULL, '/sourceId: There is no such story or epic in this project.')
     AND gnomon.must(e.target_id IS NOT NULL, '/targetId: There is no such story or epic in this project.')
     AND gnomon.must(e.target_id <> e.source_id, '/targetId: Choose another story; nothing waits for itself.') AS yes
    FROM e
), d AS (
  INSERT INTO dependencies (workspace_id, project_id, source_type, source_id, target_type, target_id, dependency_type)
  SELECT gnomon.workspace(), gnomon.project(), e.source_type, e.source_id, e.target_type, e.target_id, e.dependency_type
    FROM good, e WHERE good.yes
  RETURNING *)
SELECT d.id, d.dependency_type AS "dependencyType",
       d.source_type AS "source.type", d.source_id AS "source.id",
       coalesce(p.key || '-' || a.number, 'E-' || f.number) AS "source.key", coalesce(a.title, f.title) AS "source.title",
       coalesce(a.status, f.status) = 'done' AS "source.isDone",
       d.target_type AS "target.type", d.target_id AS "target.id",
       coalesce(p.key || '-' || t.number, 'E-' || g.number) AS "target.key", coalesce(t.title, g.title) AS "target.title",
       coalesce(t.status, g.status) = 'done' AS "target.isDone",
       d.created_at AS "createdAt"
  FROM d
  JOIN projects p ON p.workspace_id = d.workspace_id AND p.id = d.project_id
  LEFT JOIN stories a ON d.source_type = 'story' AND a.workspace_id = d.workspace_id AND a.id = d.source_id
  LEFT JOIN epics f ON d.source_type = 'epic' AND f.workspace_id = d.workspace_id AND f.id = d.source_id
  LEFT JOIN stories t ON d.target_type = 'story' AND t.workspace_id = d.workspace_id AND t.id = d.target_id
  LEFT JOIN epics g ON d.target_type = 'epic' AND g.workspace_id = d.workspace_id AND g.id = d.target_id

-- DELETE /api/v1/projects/{project}/dependencies/{dependency}     delete_dependency
-- Takes a dependency away; its history stays.
-- role:   member
-- path:   {dependency} uuid
-- reply:  204
UPDATE dependencies d SET removed_at = gnomon.now()
 WHERE d.workspace_id = gnomon.workspace() AND d.project_id = gnomon.project() AND d.id = :dependency AND d.removed_at IS NULL
RETURNING d.id
