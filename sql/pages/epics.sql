-- GET /w/{ws}/p/{project}/epics                                   show_epics
-- The epics of a project, in their order, and how far each is.
-- role:   viewer
-- page:   epics
-- use:    list_epics as list
-- part: totals one
SELECT count(*) AS "epicCount", count(*) = 1 AS "isOneEpic", count(*) FILTER (WHERE e.status = 'active') AS "activeCount"
  FROM epics e
 WHERE e.workspace_id = gnomon.workspace() AND e.project_id = gnomon.project() AND e.deleted_at IS NULL

-- part: places list
-- Which stands before and which behind.
SELECT e.id, lag(e.id) OVER w AS "before", lead(e.id) OVER w AS "after", 'E-' || e.number AS key, e.title
  FROM epics e
 WHERE e.workspace_id = gnomon.workspace() AND e.project_id = gnomon.project() AND e.deleted_at IS NULL
WINDOW w AS (ORDER BY e.position, e.id)
 ORDER BY e.position, e.id
 LIMIT 200

-- POST /w/{ws}/p/{project}/epics     form of create_epic, then /w/{ws}/p/{project}/epics/{key}
-- message: The epic is added.
-- page:   show_epics

-- POST /w/{ws}/p/{project}/epics/order     form of reorder_epics, then /w/{ws}/p/{project}/epics
-- message: The order is changed.
-- page:   show_epics

-- GET /w/{ws}/p/{project}/epics/{epic}                            show_epic   with epic
-- An epic, its stories and how far it is.
-- role:   viewer
-- path:   {epic} key(E)
-- page:   epic
SELECT e.id, 'E-' || e.number AS key, e.title, e.description, e.description AS "descriptionMarkdown", e.status, jsonb_build_object(e.status, true) AS "statusIs",
       jsonb_build_object(e.priority, true) AS "priorityIs", initcap(e.priority) AS "priorityName",
       e.ai_generated AS "isDraft", e.created_at AS "createdAt", e.updated_at AS "updatedAt", e.version,
       t.n AS "storyCount", t.n = 1 AS "isOneStory", t.done AS "doneCount", t.points, t.done_points AS "donePoints",
       coalesce(t.done_points / nullif(t.points, 0), t.done::float8 / nullif(t.n, 0), 0)::float8 AS "doneShare"
  FROM epics e
 CROSS JOIN LATERAL (
   SELECT count(*) AS n, count(*) FILTER (WHERE s.status = 'done') AS done, coalesce(sum(s.estimate), 0) AS points,
          coalesce(sum(s.estimate) FILTER (WHERE s.status = 'done'), 0) AS done_points
     FROM stories s WHERE s.workspace_id = gnomon.workspace() AND s.epic_id = e.id AND s.deleted_at IS NULL) t
 WHERE e.workspace_id = gnomon.workspace() AND e.project_id = gnomon.project() AND e.deleted_at IS NULL
   {epic: AND e.id = :epic | AND e.number = :epic_number}

-- part: stories list
SELECT p.key || '-' || s.number AS key, s.title, s.status, s.priority, s.estimate, s.due_date AS "dueDate", u.name AS "assignee.name"
  FROM epics e
  JOIN stories s ON s.workspace_id = e.workspace_id AND s.epic_id = e.id AND s.deleted_at IS NULL
  JOIN projects p ON p.workspace_id = s.workspace_id AND p.id = s.project_id
  LEFT JOIN users u ON u.id = s.assignee_id
 WHERE e.workspace_id = gnomon.workspace() AND e.project_id = gnomon.project() AND e.deleted_at IS NULL
   {epic: AND e.id = :epic | AND e.number = :epic_number}
 ORDER BY array_position('{in_progress,review,ready,backlog,done}', s.status), s.position, s.id
 LIMIT 200

-- part: talk one of show_story

-- part: comments list of show_story

-- POST /w/{ws}/p/{project}/epics/{epic}     form of update_epic, then /w/{ws}/p/{project}/epics/{epic}
-- message: The epic is up to date.
-- path:   {epic} key(E)
-- page:   show_epic

-- POST /w/{ws}/p/{project}/epics/stories     form of create_story, then {next}
-- message: The story is added.

-- GET /w/{ws}/p/{project}/epics/{epic}/delete                     show_delete_epic
-- Asks before an epic is deleted.
-- role:   member
-- path:   {epic} key(E)
-- page:   epic_delete
SELECT 'E-' || e.number AS key, e.title,
       (SELECT count(*) FROM stories s WHERE s.workspace_id = e.workspace_id AND s.epic_id = e.id AND s.deleted_at IS NULL) AS "storyCount"
  FROM epics e
 WHERE e.workspace_id = gnomon.workspace() AND e.project_id = gnomon.project() AND e.deleted_at IS NULL
   {epic: AND e.id = :epic | AND e.number = :epic_number}

-- POST /w/{ws}/p/{project}/epics/{epic}/delete     form of delete_epic, then /w/{ws}/p/{project}/epics
-- message: The epic is deleted.
-- path:   {epic} key(E)

-- GET /w/{ws}/p/{project}/labels                                  show_labels
-- The labels of a project and its workspace, and how many stories have each.
-- role:   viewer
-- page:   labels
-- part: labels list
SELECT l.id, l.name, l.colour, jsonb_build_object(l.colour, true) AS "colourIs", l.project_id IS NULL AS "isForAllProjects", l.version,
       (SELECT count(*) FROM story_labels k JOIN stories s ON s.workspace_id = k.workspace_id AND s.id = k.story_id AND s.deleted_at IS NULL
         WHERE k.workspace_id = l.workspace_id AND k.label_id = l.id AND k.project_id = gnomon.project()) AS "storyCount"
  FROM labels l
 WHERE l.workspace_id = gnomon.workspace() AND coalesce(l.project_id, gnomon.project()) = gnomon.project() AND l.deleted_at IS NULL
 ORDER BY lower(l.name), l.id
 LIMIT 200

-- POST /w/{ws}/p/{project}/labels     form of create_label, then /w/{ws}/p/{project}/labels
-- message: The label is added.
-- page:   show_labels

-- POST /w/{ws}/p/{project}/labels/{label}     form of update_label, then /w/{ws}/p/{project}/labels
-- message: The label is up to date.
-- path:   {label} uuid
-- page:   show_labels

-- GET /w/{ws}/p/{project}/labels/{label}/delete                   show_delete_label
-- Asks before a label is deleted.
-- role:   member
-- path:   {label} uuid
-- page:   label_delete
SELECT l.name, l.colour, l.project_id IS NULL AS "isForAllProjects",
       (SELECT count(*) FROM story_labels k JOIN stories s ON s.workspace_id = k.workspace_id AND s.id = k.story_id AND s.deleted_at IS NULL
         WHERE k.workspace_id = l.workspace_id AND k.label_id = l.id) AS "storyCount"
  FROM labels l
 WHERE l.workspace_id = gnomon.workspace() AND coalesce(l.project_id, gnomon.project()) = gnomon.project() AND l.id = :label AND l.deleted_at IS NULL

-- POST /w/{ws}/p/{project}/labels/{label}/delete     form of delete_label, then /w/{ws}/p/{project}/labels
-- message: The label is deleted.
-- path:   {label} uuid
