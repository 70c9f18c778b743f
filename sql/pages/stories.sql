-- Lists of the same things stand beside several pages: the first to show one has it.
-- words stories_page: list = stories
-- words backlog_page: list = backlog
-- words board_page:   list = board

-- GET /w/{ws}/p/{project}/stories                                 show_stories   with stories_page
-- All stories of a project as a table.
-- role:   viewer
-- page:   stories
-- use:    list_stories as stories
-- query:  assigneeId uuid(none), epicId uuid(none), sprintId uuid(none), labelId uuid[]
-- part: totals one
SELECT coalesce(sum(k.stories), 0)::bigint AS "storyCount", coalesce(sum(k.stories), 0) = 1 AS "isOneStory",
       coalesce(sum(k.stories) FILTER (WHERE k.status <> 'done'), 0)::bigint AS "openCount",
       coalesce(sum(k.unestimated) FILTER (WHERE k.status <> 'done'), 0)::bigint AS "unsizedCount",
       coalesce(sum(k.unassigned) FILTER (WHERE k.status <> 'done'), 0)::bigint AS "nobodyCount"
  FROM story_tallies k
 WHERE k.workspace_id = gnomon.workspace() AND k.project_id = gnomon.project()

-- part: people list
SELECT u.id, u.name, {assigneeId: u.id = :assigneeId OR | } false AS "isChosen"
  FROM workspace_members m JOIN users u ON u.id = m.user_id
 WHERE m.workspace_id = gnomon.workspace()
 ORDER BY u.name, u.id
 LIMIT 200

-- part: epics list
SELECT e.id, e.title, {epicId: e.id = :epicId OR | } false AS "isChosen"
  FROM epics e
 WHERE e.workspace_id = gnomon.workspace() AND e.project_id = gnomon.project() AND e.deleted_at IS NULL
 ORDER BY e.position, e.id
 LIMIT 200

-- part: labels list
SELECT l.id, l.name, {labelId: l.id = ANY(:labelId) OR} false AS "isChosen"
  FROM labels l
 WHERE l.workspace_id = gnomon.workspace() AND coalesce(l.project_id, gnomon.project()) = gnomon.project() AND l.deleted_at IS NULL
 ORDER BY lower(l.name), l.id
 LIMIT 200

-- part: sprints list
SELECT n.id, n.name, {sprintId: n.id = :sprintId OR | } false AS "isChosen"
  FROM sprints n
 WHERE n.workspace_id = gnomon.workspace() AND n.project_id = gnomon.project() AND n.deleted_at IS NULL
 ORDER BY n.number DESC
 LIMIT 50

-- part: saved list
SELECT f.id, f.name, f.query, f.user_id = gnomon.actor() AS "isMine", f.project_id IS NULL AS "isForAllProjects", f.is_shared AS "isShared", f.version,
       u.name AS "owner.name"
  FROM saved_filters f JOIN users u ON u.id = f.user_id
 WHERE f.workspace_id = gnomon.workspace() AND f.deleted_at IS NULL AND f.list = '<list>' AND coalesce(f.project_id, gnomon.project()) = gnomon.project()
   AND (f.user_id = gnomon.actor() OR f.is_shared)
 ORDER BY f.user_id <> gnomon.actor(), lower(f.name), f.id
 LIMIT 50

-- part: names one
-- What the ids of the filters are called.
SELECT jsonb_object_agg(n.id, n.name) AS map
  FROM (SELECT NULL::uuid AS id, NULL::text AS name WHERE false
        {assigneeId: UNION ALL SELECT u.id, u.name FROM workspace_members m JOIN users u ON u.id = m.user_id WHERE m.workspace_id = gnomon.workspace() AND m.user_id = :assigneeId | }
        {epicId: UNION ALL SELECT e.id, e.title FROM epics e WHERE e.workspace_id = gnomon.workspace() AND e.id = :epicId | }
        {sprintId: UNION ALL SELECT s.id, s.name FROM sprints s WHERE s.workspace_id = gnomon.workspace() AND s.id = :sprintId | }
        {labelId: UNION ALL SELECT l.id, l.name FROM labels l WHERE l.workspace_id = gnomon.workspace() AND l.id = ANY(:labelId)}) n

-- GET /w/{ws}/p/{project}/stories/new                             show_new_story
-- The form for a story.
-- role:   member
-- page:   story_new
-- part: people list of show_stories

-- part: epics list of show_stories

-- part: labels list of show_stories

-- POST /w/{ws}/p/{project}/stories/new     form of create_story, then /w/{ws}/p/{project}/stories/{key}
-- message: The story is on the board.
-- page:   show_new_story

-- GET /w/{ws}/p/{project}/stories/{story}                         show_story   with story
-- A story: what it is, where it stands, what it waits for.
-- role:   viewer
-- path:   {story} key(story)
-- query:  asOf moment
-- page:   story
SELECT s.id, p.key || '-' || s.number AS key, s.title, s.description AS "descriptionMarkdown", s.description, s.status, s.version, s.estimate, s.estimate = 1 AS "isOnePoint",
       c.name AS "statusName", s.status = 'done' AS "isDone", initcap(s.priority) AS "priorityName", jsonb_build_object(s.priority, true) AS "priorityIs",
       s.confidence, s.due_date AS "dueDate",
       s.status <> 'done' AND s.due_date < (gnomon.now() AT TIME ZONE w.timezone)::date AS "isLate",
       s.status_since AS "statusSince", s.created_at AS "createdAt", s.updated_at AS "updatedAt", s.ai_generated AS "isDraft",
       s.task_count::bigint AS "taskCount", s.task_done_count::bigint AS "taskDoneCount", s.task_count = 1 AS "isOneTask",
       (SELECT string_agg(CASE jsonb_typeof(a.item) WHEN 'object' THEN coalesce(a.item ->> 'text', a.item ->> 'title') ELSE a.item #>> '{}' END, E'\n' ORDER BY a.place)
          FROM jsonb_array_elements(s.acceptance_criteria) WITH ORDINALITY AS a (item, place)) AS "criteriaLines",
       (SELECT jsonb_agg(jsonb_build_object('name', l.name, 'colour', l.colour) ORDER BY lower(l.name), l.id)
          FROM labels l WHERE l.workspace_id = s.workspace_id AND l.id = ANY (s.label_ids)) AS labels, s.label_ids <> '{}' AS "hasLabels",
       u.name AS "assignee.name", t.name AS "team.name", e.title AS "epic.title", 'E-' || e.number AS "epic.key", x.name AS "sprint.name", x.number AS "sprint.number", f.source_key AS "sourceKey"
  FROM {asOf: asof.}stories s
  JOIN projects p ON p.workspace_id = s.workspace_id AND p.id = s.project_id
  JOIN workspaces w ON w.id = s.workspace_id
  JOIN (VALUES ('backlog', 'Backlog'), ('ready', 'Ready'), ('in_progress', 'In progress'), ('review', 'Review'), ('done', 'Done'))
       AS c (status, name) ON c.status = s.status
  LEFT JOIN users u ON u.id = s.assignee_id
  LEFT JOIN teams t ON t.workspace_id = s.workspace_id AND t.id = s.team_id
  LEFT JOIN {asOf: asof.}epics e ON e.workspace_id = s.workspace_id AND e.id = s.epic_id AND e.deleted_at IS NULL
  LEFT JOIN story_sources f ON f.workspace_id = s.workspace_id AND f.project_id = s.project_id AND f.story_id = s.id
  LEFT JOIN LATERAL (SELECT n.name, n.number FROM {asOf: asof.}sprint_items i JOIN {asOf: asof.}sprints n ON n.workspace_id = i.workspace_id AND n.id = i.sprint_id
                      WHERE i.workspace_id = s.workspace_id AND i.story_id = s.id AND i.removed_at IS NULL
                      ORDER BY n.start_date DESC LIMIT 1) x ON true
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   {story: AND s.id = :story | AND s.number = :story_number}

-- part: targets list
SELECT c.status, c.name
  FROM {asOf: asof.}stories s
  JOIN (VALUES (1, 'backlog', 'Backlog'), (2, 'ready', 'Ready'), (3, 'in_progress', 'In progress'), (4, 'review', 'Review'), (5, 'done', 'Done'))
       AS c (place, status, name) ON c.status <> s.status
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project()
   {story: AND s.id = :story | AND s.number = :story_number}
 ORDER BY (c.place - array_position('{backlog,ready,in_progress,review,done}', s.status) + 5) % 5

-- part: criteria list
SELECT CASE jsonb_typeof(a.item) WHEN 'object' THEN coalesce(a.item ->> 'text', a.item ->> 'title') ELSE a.item #>> '{}' END AS text
  FROM {asOf: asof.}stories s CROSS JOIN LATERAL jsonb_array_elements(s.acceptance_criteria) WITH ORDINALITY AS a (item, place)
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project()
   {story: AND s.id = :story | AND s.number = :story_number}
 ORDER BY a.place
 LIMIT 100

-- part: links list
-- Open and closed dependencies, in both directions.
SELECT d.id, coalesce(p.key || '-' || o.number, 'E-' || e.number) AS "otherKey", coalesce(o.title, e.title) AS "otherTitle",
       CASE WHEN o.id IS NULL THEN 'epics' ELSE 'stories' END AS place,
       CASE WHEN coalesce(o.status, e.status) = 'done' THEN 'done' ELSE 'open' END AS state,
       CASE WHEN (d.source_id = s.id) = (d.dependency_type = 'blocks') THEN 'Blocks' ELSE 'Waits for' END AS relation
  FROM {asOf: asof.}stories s
  JOIN projects p ON p.workspace_id = s.workspace_id AND p.id = s.project_id
  JOIN {asOf: asof.}dependencies d ON d.workspace_id = s.workspace_id AND d.removed_at IS NULL AND s.id IN (d.source_id, d.target_id)
  LEFT JOIN {asOf: asof.}stories o ON o.workspace_id = d.workspace_id AND o.id = CASE d.source_id WHEN s.id THEN d.target_id ELSE d.source_id END AND o.deleted_at IS NULL
  LEFT JOIN {asOf: asof.}epics e ON e.workspace_id = d.workspace_id AND e.id = CASE d.source_id WHEN s.id THEN d.target_id ELSE d.source_id END AND e.deleted_at IS NULL
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND coalesce(o.id, e.id) IS NOT NULL
   {story: AND s.id = :story | AND s.number = :story_number}
 ORDER BY 6 DESC, o.number, e.number
 LIMIT 50

-- part: insights list
-- Open insights that name it.
SELECT i.number, i.title, i.severity
  FROM {asOf: asof.}stories s
  JOIN agent_insights i ON i.workspace_id = s.workspace_id AND i.state IN ('open', 'acknowledged')
   AND i.entity_refs @> jsonb_build_array(jsonb_build_object('id', s.id)) {asOf: AND false}
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project()
   {story: AND s.id = :story | AND s.number = :story_number}
 ORDER BY gnomon.severity_rank(i.severity) DESC, i.id DESC
 LIMIT 10

-- part: history list
-- The last 50 things done to it, in the words of the feed.
SELECT e.created_at AS "doneAt", coalesce(a.name, 'Gnomon') AS who, replace(t.said, '{it}', 'it') AS what, e.rev AS revision
  FROM {asOf: asof.}stories s
  JOIN events e ON e.workspace_id = s.workspace_id AND e.entity_id = s.id
  LEFT JOIN users a ON a.id = e.actor_id
 CROSS JOIN LATERAL gnomon.say_change(e.entity_type, e.entity_id, e.action, e.changes) t (said)
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project()
   {story: AND s.id = :story | AND s.number = :story_number}
   AND e.changes - '{position,status_since}'::text[] <> '{}' AND t.said IS NOT NULL {asOf: AND e.rev <= gnomon.as_of_rev()}
 ORDER BY e.rev DESC
 LIMIT 50

-- part: talk one
-- Where what is said about it goes, and who watches.
SELECT <path> AS path, '<one>' AS noun, k.n AS "commentCount", nullif(greatest(k.n - 200, 0), 0) AS "moreCount",
       v.n AS "watcherCount", v.mine AS "isWatching"
  FROM {asOf: asof.}<all> s
  JOIN workspaces w ON w.id = s.workspace_id
  LEFT JOIN projects p ON p.workspace_id = s.workspace_id AND p.id = s.project_id
 CROSS JOIN LATERAL (SELECT count(*) AS n FROM comments c WHERE c.workspace_id = s.workspace_id AND c.entity_id = s.id AND c.deleted_at IS NULL) k
 CROSS JOIN LATERAL (SELECT count(*) AS n, coalesce(bool_or(x.user_id = gnomon.actor()), false) AS mine
                       FROM watchers x WHERE x.workspace_id = s.workspace_id AND x.entity_id = s.id) v
 WHERE s.workspace_id = gnomon.workspace() <here> AND s.deleted_at IS NULL
   AND {<one>: s.id = :<one> | s.number = :<one>_number}

-- part: comments list
SELECT c.id, c.author_id AS "author.id", c.author_name AS "author.name", c.body AS "bodyMarkdown", c.version,
       (SELECT string_agg(m.person ->> 'name', ', ') FROM jsonb_array_elements(c.mentions) m (person)) AS names,
       c.edited_at AS "editedAt", c.created_at AS "createdAt",
       c.author_id = gnomon.actor() AS "isMine", c.author_id = gnomon.actor() OR gnomon.rank(r.role) >= 3 AS "mayDelete"
  FROM {asOf: asof.}<all> s
  JOIN comment_lines c ON c.workspace_id = s.workspace_id AND c.entity_id = s.id
  JOIN workspace_members m ON m.workspace_id = s.workspace_id AND m.user_id = gnomon.actor()
  LEFT JOIN project_members q ON q.workspace_id = s.workspace_id AND q.project_id = s.project_id AND q.user_id = m.user_id
 CROSS JOIN LATERAL (SELECT CASE WHEN gnomon.rank(q.role) > gnomon.rank(m.role) THEN q.role ELSE m.role END AS role) r
 WHERE s.workspace_id = gnomon.workspace() <here> AND s.deleted_at IS NULL
   AND {<one>: s.id = :<one> | s.number = :<one>_number} {asOf: AND c.created_at <= gnomon.now()}
 ORDER BY c.id DESC
 LIMIT 200

-- part: people list
SELECT u.id, u.name, u.id = s.assignee_id AS "isChosen"
  FROM stories s
  JOIN workspace_members m ON m.workspace_id = s.workspace_id
  JOIN users u ON u.id = m.user_id
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() {story: AND s.id = :story | AND s.number = :story_number}
 ORDER BY u.name, u.id
 LIMIT 200

-- part: epics list
SELECT e.id, e.title, e.id = s.epic_id AS "isChosen"
  FROM stories s
  JOIN epics e ON e.workspace_id = s.workspace_id AND e.project_id = s.project_id AND e.deleted_at IS NULL
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() {story: AND s.id = :story | AND s.number = :story_number}
 ORDER BY e.position, e.id
 LIMIT 200

-- part: choices list
-- The labels it may have.
SELECT l.id, l.name, l.id = ANY (s.label_ids) AS "isChosen"
  FROM stories s
  JOIN labels l ON l.workspace_id = s.workspace_id AND coalesce(l.project_id, s.project_id) = s.project_id AND l.deleted_at IS NULL
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() {story: AND s.id = :story | AND s.number = :story_number}
 ORDER BY lower(l.name), l.id
 LIMIT 200

-- part: tasks list
SELECT t.id, t.title, t.status, t.status = 'done' AS "isDone", t.version, u.name AS "assignee.name"
  FROM {asOf: asof.}stories s
  JOIN {asOf: asof.}tasks t ON t.workspace_id = s.workspace_id AND t.story_id = s.id AND t.deleted_at IS NULL
  LEFT JOIN users u ON u.id = t.assignee_id
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() {story: AND s.id = :story | AND s.number = :story_number}
 ORDER BY t.position, t.id
 LIMIT 200

-- POST /w/{ws}/p/{project}/stories/{story}     form of update_story, then /w/{ws}/p/{project}/stories/{story}
-- message: The story is up to date.
-- path:   {story} key(story)
-- page:   show_story

-- GET /w/{ws}/p/{project}/stories/{story}/delete                  show_delete_story
-- Asks before a story is deleted.
-- role:   member
-- path:   {story} key(story)
-- page:   story_delete
SELECT p.key || '-' || s.number AS key, s.title, s.task_count::bigint AS "taskCount", s.task_count = 1 AS "isOneTask", x.name AS "sprint.name"
  FROM stories s
  JOIN projects p ON p.workspace_id = s.workspace_id AND p.id = s.project_id
  LEFT JOIN LATERAL (SELECT n.name FROM sprint_items i JOIN sprints n ON n.workspace_id = i.workspace_id AND n.id = i.sprint_id AND n.status <> 'completed'
                      WHERE i.workspace_id = s.workspace_id AND i.story_id = s.id AND i.removed_at IS NULL
                      ORDER BY n.start_date DESC LIMIT 1) x ON true
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   {story: AND s.id = :story | AND s.number = :story_number}

-- POST /w/{ws}/p/{project}/stories/{story}/delete     form of delete_story, then /w/{ws}/p/{project}/stories
-- message: The story is deleted.
-- path:   {story} key(story)

-- POST /w/{ws}/p/{project}/stories/{story}/tasks     form of create_task, then /w/{ws}/p/{project}/stories/{story}#tasks
-- message: The task is added.
-- path:   {story} key(story)
-- page:   show_story

-- POST /w/{ws}/p/{project}/tasks/{task}     form of update_task, then {next}
-- message: The task is up to date.
-- path:   {task} uuid

-- POST /w/{ws}/p/{project}/tasks/{task}/delete     form of delete_task, then {next}
-- message: The task is deleted.
-- path:   {task} uuid

-- POST /w/{ws}/p/{project}/stories/{story}/dependencies     form of create_dependency, then /w/{ws}/p/{project}/stories/{story}#links
-- message: The dependency is added.
-- path:   {story} key(story)
-- page:   show_story

-- POST /w/{ws}/p/{project}/dependencies/{dependency}/delete     form of delete_dependency, then {next}
-- message: The dependency is removed.
-- path:   {dependency} uuid
