-- GET /w/{ws}/p/{project}/sprints                                 show_sprints
-- The sprints of a project, and the form that plans the next one.
-- role:   viewer
-- page:   sprints
-- use:    list_sprints as sprints
-- part: totals one
SELECT count(*) FILTER (WHERE s.status = 'completed') AS "completedCount", count(*) FILTER (WHERE s.status = 'completed') = 1 AS "isOneCompleted",
       count(*) FILTER (WHERE s.status = 'planning') AS "plannedCount", count(*) FILTER (WHERE s.status = 'planning') = 1 AS "isOnePlanned",
       count(*) AS "sprintCount"
  FROM sprints s
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL

-- part: sprint list
-- The active one; none or one row.
SELECT s.number, s.name, c.total, c.remaining, c.story_count AS "storyCount", c.open_count AS "openCount", c.ahead AS "aheadCount", c.ahead = 1 AS "isLastDay",
       c.daily, c.missing, c.is_empty AS "isEmpty", c.is_done AS "isDone", c.is_late AS "isLate",
       c.is_new AS "isNew", c.is_likely_to_miss AS "isLikelyToMiss", c.may_miss AS "mayMiss", c.is_on_course AS "isOnCourse"
  FROM sprints s CROSS JOIN LATERAL gnomon.sprint_course(s.id) c
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.status = 'active'

-- part: next one
-- What the next sprint would be called, and when it would be.
SELECT coalesce(gnomon.next_name(l.name, l.number), 'Sprint 1') AS name, f.first::text AS "first",
       greatest(f.first, e.last - CASE extract(isodow FROM e.last) WHEN 6 THEN 1 WHEN 7 THEN 2 ELSE 0 END)::text AS "last"
  FROM workspaces w
  LEFT JOIN (SELECT s.name, s.number, s.end_date, s.end_date - s.start_date AS days FROM sprints s
              WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
              ORDER BY s.end_date DESC, s.number DESC LIMIT 1) l ON true
 CROSS JOIN LATERAL (SELECT greatest(l.end_date + 1, (gnomon.now() AT TIME ZONE w.timezone)::date) AS day) n
 CROSS JOIN LATERAL (SELECT n.day + CASE extract(isodow FROM n.day) WHEN 6 THEN 2 WHEN 7 THEN 1 ELSE 0 END AS first) f
 CROSS JOIN LATERAL (SELECT f.first + coalesce(l.days, 13) AS last) e
 WHERE w.id = gnomon.workspace()

-- part: ends one
-- How its sprints end.
SELECT p.version, a.how = 'off' AS "isOff", a.how = 'new' AS "isNew", a.how = 'next' AS "isNext", a.how = 'backlog' AS "isBacklog"
  FROM projects p CROSS JOIN LATERAL (SELECT gnomon.auto_complete(p.settings) AS how) a
 WHERE p.workspace_id = gnomon.workspace() AND p.id = gnomon.project()

-- POST /w/{ws}/p/{project}/sprints     form of create_sprint, then /w/{ws}/p/{project}/sprints/{number}
-- message: The sprint is planned. Choose its stories.
-- page:   show_sprints

-- POST /w/{ws}/p/{project}/sprints/settings     form of update_sprint_settings, then /w/{ws}/p/{project}/sprints
-- message: The end of sprints is settled.
-- page:   show_sprints

-- GET /w/{ws}/p/{project}/sprints/{sprint}                         show_sprint   with sprint
-- A sprint: whether it keeps its promise, day by day and story by story; while it is
-- a plan, what it could hold.
-- role:   viewer
-- path:   {sprint} key
-- query:  candidates text(1..200), asOf moment
-- page:   sprint
SELECT s.id, s.number, s.name, s.goal, s.status, s.version, s.start_date AS "startDate", s.end_date AS "endDate",
       s.start_date::text AS "first", s.end_date::text AS "last",
       s.started_at AS "startedAt", s.completed_at AS "completedAt",
       s.status = 'planning' AS "isPlan", s.status = 'active' AS "isActive", s.status = 'completed' AS "isCompleted", s.status <> 'completed' AS "isOpen",
       s.status <> 'planning' AS "hasBegun",
       n.points AS total, gnomon.points(n.points - n.done_points) AS remaining, n.done_points AS "donePoints", n.committed_points AS "committedPoints",
       n.stories AS "storyCount", n.stories = 1 AS "isOneStory", n.done_stories AS "doneCount", n.committed_stories AS "committedCount",
       n.added_stories AS "addedCount", n.added_points AS "addedPoints", n.removed_stories AS "removedCount", n.removed_points AS "removedPoints",
       nullif(n.reestimated_points, 0) AS "reestimatedPoints", n.reestimated_points > 0 AS "isGrown", abs(n.reestimated_points) AS "estimatedBy",
       n.unestimated_stories AS "unestimatedCount", n.ratio AS "keptShare",
       n.stories - n.done_stories AS "openCount", n.stories - n.done_stories = 1 AS "isOneOpen", gnomon.points(n.points - n.done_points) AS "openPoints",
       c.ahead AS "aheadCount", c.ahead = 1 AS "isLastDay", c.daily, c.missing,
       c.is_empty AS "isEmpty", c.is_done AS "isDone", c.is_late AS "isLate",
       c.is_new AS "isNew", c.is_likely_to_miss AS "isLikelyToMiss", c.may_miss AS "mayMiss", c.is_on_course AS "isOnCourse",
       r.capacity AS "capacityPoints", n.points > r.capacity AS "isOver", gnomon.points(n.points - r.capacity) AS "overPoints"
  FROM {asOf: asof.}sprints s
 CROSS JOIN LATERAL gnomon.sprint_numbers(s.id) n
 CROSS JOIN LATERAL gnomon.sprint_course(s.id) c
 CROSS JOIN LATERAL (SELECT nullif(sum(k.value::double precision), 0) AS capacity FROM jsonb_each_text(s.capacity) k) r
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   AND {sprint: s.id = :sprint | s.number = :sprint_number}

-- part: burn list chart burndown
SELECT b.day, b.is_today AS "isToday", b.remaining, b.total, b.done, b.ideal, b.scope, b.forecast_low AS "forecastLow", b.forecast_high AS "forecastHigh"
  FROM {asOf: asof.}sprints s CROSS JOIN LATERAL gnomon.burndown(s.id) b
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   AND {sprint: s.id = :sprint | s.number = :sprint_number}
 ORDER BY b.day

-- part: changes list
SELECT c.at AS "doneAt", p.key || '-' || c.number AS key, c.title, c.points > 0 AS "isMore", abs(c.points) AS points,
       CASE c.what WHEN 'added' THEN 'Added' WHEN 'removed' THEN 'Taken out' ELSE 'Estimated anew' END AS what
  FROM {asOf: asof.}sprints s
  JOIN projects p ON p.workspace_id = s.workspace_id AND p.id = s.project_id
 CROSS JOIN LATERAL gnomon.scope_changes(s.id) c
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   AND {sprint: s.id = :sprint | s.number = :sprint_number}
 ORDER BY c.at DESC, c.number, c.what DESC
 LIMIT 100

-- part: items list
SELECT t.number, p.key || '-' || t.number AS key, t.title, u.name AS "assignee.name", s.status = 'completed' AS "isFrozen",
       CASE WHEN s.status = 'completed' THEN i.final_estimate ELSE t.estimate END AS estimate,
       i.original_estimate AS "originalEstimate",
       CASE WHEN s.status = 'completed' THEN CASE WHEN i.completed_at IS NOT NULL THEN 'done' ELSE 'open' END ELSE t.status END AS status,
       CASE WHEN s.status <> 'completed' THEN initcap(left(replace(t.status, '_', ' '), 1)) || substr(replace(t.status, '_', ' '), 2)
            WHEN i.completed_at IS NOT NULL THEN 'Done'
            WHEN c.id IS NOT NULL THEN 'Carried over' ELSE 'Back in the backlog' END AS "statusName",
       c.number AS "carried.number", c.name AS "carried.name", i.added_at > s.started_at AS "isAdded", s.status <> 'completed' AS "isOpen"
  FROM {asOf: asof.}sprints s
  JOIN {asOf: asof.}sprint_items i ON i.workspace_id = s.workspace_id AND i.sprint_id = s.id AND i.removed_at IS NULL
  JOIN {asOf: asof.}stories t ON t.workspace_id = i.workspace_id AND t.id = i.story_id AND (t.deleted_at IS NULL OR s.status = 'completed')
  JOIN projects p ON p.workspace_id = t.workspace_id AND p.id = t.project_id
  LEFT JOIN {asOf: asof.}sprints c ON c.workspace_id = i.workspace_id AND c.id = i.carried_to
  LEFT JOIN users u ON u.id = t.assignee_id
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   AND {sprint: s.id = :sprint | s.number = :sprint_number}
 ORDER BY t.number
 LIMIT 500

-- part: people list
-- Members with what is planned for them; whoever has neither room nor work comes last.
SELECT u.id, u.name, k.capacity, gnomon.points(a.points) AS planned, coalesce(a.stories, 0) AS "storyCount", coalesce(a.points, 0) > coalesce(k.capacity, 0) AS "isOver",
       gnomon.points(coalesce(a.points, 0) - coalesce(k.capacity, 0)) AS "overPoints"
  FROM {asOf: asof.}sprints s
  JOIN workspace_members m ON m.workspace_id = s.workspace_id
  JOIN users u ON u.id = m.user_id
  LEFT JOIN LATERAL (SELECT (s.capacity ->> u.id::text)::double precision AS capacity) k ON true
  LEFT JOIN LATERAL (
    SELECT sum(CASE WHEN s.status = 'completed' THEN i.final_estimate ELSE t.estimate END) AS points, count(*) AS stories
      FROM {asOf: asof.}sprint_items i
      JOIN {asOf: asof.}stories t ON t.workspace_id = i.workspace_id AND t.id = i.story_id AND (t.deleted_at IS NULL OR s.status = 'completed')
     WHERE i.workspace_id = s.workspace_id AND i.sprint_id = s.id AND i.removed_at IS NULL AND t.assignee_id = u.id) a ON true
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   AND {sprint: s.id = :sprint | s.number = :sprint_number}
   AND (s.status <> 'completed' OR k.capacity IS NOT NULL OR a.stories > 0)
 ORDER BY k.capacity IS NULL AND a.stories = 0, u.name, u.id
 LIMIT 100

-- part: backlog list
-- What the sprint could take in: open stories that are not in it, those in no sprint first.
SELECT t.id, p.key || '-' || t.number AS key, t.title, initcap(t.priority) AS "priorityName", t.estimate, u.name AS "assignee.name", o.name AS "elsewhere"
  FROM {asOf: asof.}sprints s
  JOIN projects p ON p.workspace_id = s.workspace_id AND p.id = s.project_id
  JOIN {asOf: asof.}stories t ON t.workspace_id = s.workspace_id AND t.project_id = s.project_id AND t.deleted_at IS NULL AND t.status IN ('backlog', 'ready', 'in_progress', 'review')
  LEFT JOIN users u ON u.id = t.assignee_id
  LEFT JOIN LATERAL (SELECT x.id, x.name FROM {asOf: asof.}sprint_items i JOIN {asOf: asof.}sprints x ON x.workspace_id = i.workspace_id AND x.id = i.sprint_id AND x.status <> 'completed'
                      WHERE i.workspace_id = t.workspace_id AND i.story_id = t.id AND i.removed_at IS NULL LIMIT 1) o ON true
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL AND s.status <> 'completed'
   AND {sprint: s.id = :sprint | s.number = :sprint_number}
   AND o.id IS DISTINCT FROM s.id
   {candidates: AND strpos(lower(t.title), lower(:candidates)) > 0}
 ORDER BY o.id IS NOT NULL, array_position('{ready,in_progress,review,backlog}', t.status), array_position('{urgent,high,medium,low}', t.priority), t.position, t.number
 LIMIT 50

-- part: talk one of show_story

-- part: comments list of show_story

-- POST /w/{ws}/p/{project}/sprints/{sprint}     form of update_sprint, then /w/{ws}/p/{project}/sprints/{sprint}
-- message: The sprint is up to date.
-- path:   {sprint} key
-- page:   show_sprint

-- POST /w/{ws}/p/{project}/sprints/{sprint}/items     form of add_sprint_items, then /w/{ws}/p/{project}/sprints/{sprint}#stories
-- message: The stories are in the sprint.
-- path:   {sprint} key
-- page:   show_sprint

-- POST /w/{ws}/p/{project}/sprints/{sprint}/items/{story}/remove     form of remove_sprint_item, then /w/{ws}/p/{project}/sprints/{sprint}#stories
-- message: The story is out of the sprint.
-- path:   {sprint} key, {story} key(story)
-- page:   show_sprint

-- GET /w/{ws}/p/{project}/sprints/{sprint}/start             show_sprint_start
-- What starting the sprint will fix.
-- role:   member
-- path:   {sprint} key
-- page:   sprint_start
SELECT s.number, s.name, s.goal, s.version, s.status = 'planning' AS "isPlan", s.start_date AS "startDate", s.end_date AS "endDate",
       n.stories AS "storyCount", n.stories = 1 AS "isOneStory", n.points AS total, n.unestimated_stories AS "unestimatedCount",
       a.number AS "other.number", a.name AS "other.name", r.capacity AS "capacityPoints", n.points > r.capacity AS "isOver",
       gnomon.points(n.points - r.capacity) AS "overPoints",
       gnomon.working_days(s.start_date, s.end_date + 1)::bigint AS "dayCount"
  FROM sprints s
 CROSS JOIN LATERAL gnomon.sprint_numbers(s.id) n
 CROSS JOIN LATERAL (SELECT nullif(sum(k.value::double precision), 0) AS capacity FROM jsonb_each_text(s.capacity) k) r
  LEFT JOIN sprints a ON a.workspace_id = s.workspace_id AND a.project_id = s.project_id AND a.status = 'active'
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   AND {sprint: s.id = :sprint | s.number = :sprint_number}

-- POST /w/{ws}/p/{project}/sprints/{sprint}/start     form of start_sprint, then /w/{ws}/p/{project}/sprints/{sprint}
-- message: The sprint has started.
-- path:   {sprint} key
-- page:   show_sprint_start

-- GET /w/{ws}/p/{project}/sprints/{sprint}/complete        show_sprint_complete
-- What completing the sprint will change, and where its unfinished stories may go.
-- role:   member
-- path:   {sprint} key
-- page:   sprint_complete
SELECT s.number, s.name, s.version, s.status = 'active' AS "isActive", n.done_stories AS "doneCount", n.done_stories = 1 AS "isOneDone", n.done_points AS "donePoints",
       n.stories - n.done_stories AS "openCount", n.stories - n.done_stories = 1 AS "isOneOpen", gnomon.points(n.points - n.done_points) AS "openPoints",
       n.committed_points AS "committedPoints", n.ratio AS "keptShare", gnomon.next_name(s.name, s.number) AS "nextName"
  FROM sprints s CROSS JOIN LATERAL gnomon.sprint_numbers(s.id) n
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   AND {sprint: s.id = :sprint | s.number = :sprint_number}

-- part: open list
SELECT p.key || '-' || t.number AS key, t.title, t.estimate, u.name AS "assignee.name",
       initcap(left(replace(t.status, '_', ' '), 1)) || substr(replace(t.status, '_', ' '), 2) AS "statusName", t.status
  FROM sprints s
  JOIN sprint_items i ON i.workspace_id = s.workspace_id AND i.sprint_id = s.id AND i.removed_at IS NULL
  JOIN stories t ON t.workspace_id = i.workspace_id AND t.id = i.story_id AND t.deleted_at IS NULL AND t.status <> 'done'
  JOIN projects p ON p.workspace_id = t.workspace_id AND p.id = t.project_id
  LEFT JOIN users u ON u.id = t.assignee_id
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   AND {sprint: s.id = :sprint | s.number = :sprint_number}
 ORDER BY t.number
 LIMIT 200

-- part: plans list
SELECT x.id, x.name, x.start_date AS "startDate", x.end_date AS "endDate"
  FROM sprints x
 WHERE x.workspace_id = gnomon.workspace() AND x.project_id = gnomon.project() AND x.status = 'planning' AND x.deleted_at IS NULL
 ORDER BY x.start_date, x.number
 LIMIT 20

-- POST /w/{ws}/p/{project}/sprints/{sprint}/complete     form of complete_sprint, then /w/{ws}/p/{project}/sprints/{sprint}
-- message: The sprint is completed. Its numbers stay as they are.
-- path:   {sprint} key
-- page:   show_sprint_complete

-- GET /w/{ws}/p/{project}/sprints/{sprint}/delete            show_sprint_delete
-- What dropping the plan will change.
-- role:   member
-- path:   {sprint} key
-- page:   sprint_delete
SELECT s.number, s.name, s.status = 'planning' AS "isPlan", n.stories AS "storyCount", n.stories = 1 AS "isOneStory"
  FROM sprints s CROSS JOIN LATERAL gnomon.sprint_numbers(s.id) n
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   AND {sprint: s.id = :sprint | s.number = :sprint_number}

-- POST /w/{ws}/p/{project}/sprints/{sprint}/delete     form of delete_sprint, then /w/{ws}/p/{project}/sprints
-- message: The sprint is deleted. Its stories are in no sprint.
-- path:   {sprint} key
-- page:   show_sprint_delete
