-- GET /w/{ws}/p/{project}/backlog                               show_backlog   with backlog_page
-- What is not begun, in the order of the board: the ready first. order=epic groups it by epic.
-- role:   viewer
-- query:  assigneeId uuid(none), epicId uuid(none), sprintId uuid(none), labelId uuid[], priority priority[], q text(1..200)
-- order:  place = (s.status<>'ready')~isBacklog bool asc, s.position int asc, s.id uuid asc; epic = s.epic_place~epicPlace int asc, (s.status<>'ready')~isBacklog bool asc, s.position int asc, s.id uuid asc
-- page:   backlog
-- part: stories list
SELECT s.id, p.key || '-' || s.number AS key, s.title, s.status, s.version, s.estimate, s.priority, s.due_date AS "dueDate",
       u.name AS "assignee.name", s.epic_title AS "epic.title", 'E-' || s.epic_number AS "epic.key", x.name AS "sprint.name",
       nullif(s.task_count, 0)::bigint AS "taskCount", s.task_done_count::bigint AS "taskDoneCount",
       CASE WHEN s.label_ids <> '{}' THEN (SELECT jsonb_agg(jsonb_build_object('name', l.name, 'colour', l.colour) ORDER BY lower(l.name), l.id)
          FROM labels l WHERE l.workspace_id = s.workspace_id AND l.id = ANY (s.label_ids)) END AS labels,
       p.key || '-' || lag(s.number) OVER (PARTITION BY s.status ORDER BY s.position, s.id) AS "before", p.key || '-' || lead(s.number) OVER (PARTITION BY s.status ORDER BY s.position, s.id) AS "after",
       s.status <> 'ready' AS "~isBacklog", s.position AS "~position", s.epic_place AS "~epicPlace"
  FROM projects p
 CROSS JOIN LATERAL (
   SELECT s.* FROM
   {priority: (SELECT DISTINCT unnest(:priority)) AS priority (value) CROSS JOIN LATERAL} (
   SELECT s.*
     FROM (SELECT t.*, e.title AS epic_title, e.number AS epic_number, coalesce(e.position, 9223372036854775807) AS epic_place
             FROM stories t LEFT JOIN epics e ON e.workspace_id = t.workspace_id AND e.id = t.epic_id AND e.deleted_at IS NULL) s
    WHERE s.workspace_id = gnomon.workspace() AND s.project_id = p.id AND s.deleted_at IS NULL AND s.status IN ('backlog', 'ready')
      {priority: AND gnomon.priority_rank(s.priority) = gnomon.priority_rank(priority.value)} {q: AND strpos(lower(s.title), lower(:q)) > 0}
      {assigneeId: AND s.assignee_id = :assigneeId | AND s.assignee_id IS NULL} {epicId: AND s.epic_id = :epicId | AND s.epic_id IS NULL}
      {labelId: AND EXISTS (SELECT FROM story_labels k WHERE k.workspace_id = gnomon.workspace() AND k.story_id = s.id AND k.label_id = ANY(:labelId))}
      {sprintId: AND EXISTS (SELECT FROM sprint_items i WHERE i.workspace_id = gnomon.workspace() AND i.story_id = s.id
                               AND i.sprint_id = :sprintId AND i.removed_at IS NULL)
       | AND NOT EXISTS (SELECT FROM sprint_items i JOIN sprints n ON n.workspace_id = i.workspace_id AND n.id = i.sprint_id AND n.status <> 'completed'
                          WHERE i.workspace_id = gnomon.workspace() AND i.story_id = s.id AND i.removed_at IS NULL)}
    {page}) s
    WHERE true {page}) s
  LEFT JOIN users u ON u.id = s.assignee_id
  LEFT JOIN LATERAL (SELECT n.name FROM sprint_items i JOIN sprints n ON n.workspace_id = i.workspace_id AND n.id = i.sprint_id AND n.status <> 'completed'
                      WHERE i.workspace_id = s.workspace_id AND i.story_id = s.id AND i.removed_at IS NULL
                      ORDER BY n.start_date DESC LIMIT 1) x ON true
 WHERE p.workspace_id = gnomon.workspace() AND p.id = gnomon.project()
 {page}

-- part: totals one
SELECT coalesce(sum(k.stories), 0)::bigint AS "storyCount", coalesce(sum(k.stories), 0) = 1 AS "isOneStory", round(coalesce(sum(k.points), 0), 1)::double precision AS points,
       coalesce(sum(k.stories) FILTER (WHERE k.status = 'ready'), 0)::bigint AS "readyCount",
       round(coalesce(sum(k.points) FILTER (WHERE k.status = 'ready'), 0), 1)::double precision AS "readyPoints",
       coalesce(sum(k.unestimated), 0)::bigint AS "unsizedCount"
  FROM story_tallies k
 WHERE k.workspace_id = gnomon.workspace() AND k.project_id = gnomon.project() AND k.status IN ('backlog', 'ready')

-- part: people list of show_stories

-- part: epics list of show_stories

-- part: labels list of show_stories

-- part: sprints list
-- Those it can be planned into.
SELECT n.id, n.name, {sprintId: n.id = :sprintId OR | } false AS "isChosen"
  FROM sprints n
 WHERE n.workspace_id = gnomon.workspace() AND n.project_id = gnomon.project() AND n.status <> 'completed' AND n.deleted_at IS NULL
 ORDER BY n.number
 LIMIT 50

-- part: saved list of show_stories

-- part: names one of show_stories

-- POST /w/{ws}/p/{project}/backlog     form of update_stories, then {next}
-- message: The chosen stories are up to date.
-- page:   show_backlog

-- POST /w/{ws}/p/{project}/backlog/stories     form of create_story, then {next}
-- message: The story is in the backlog.
-- page:   show_backlog

-- POST /w/{ws}/p/{project}/backlog/{story}/move     form of move_story, then {next}#{story}
-- message: The story has moved.
-- path:   {story} key(story)
-- page:   show_backlog
