-- GET /w/{ws}/p/{project}/board                                   show_board   with board_page
-- The columns of a project, at most 50 cards each; of one column all, when asked.
-- role:   viewer
-- query:  assigneeId uuid(none), epicId uuid(none), labelId uuid[], all story_status[], asOf moment
-- page:   board
-- part: totals one
-- Now from what is counted where it changes; of the past, every story.
SELECT n.active AS "activeCount", n.active = 1 AS "isOneActive", n.n AS "storyCount",
       (SELECT count(*) FROM {asOf: asof.}stories s
         WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
           AND s.status IN ('in_progress', 'review') AND s.status_since < gnomon.now() - interval '5 days') AS "stalledCount",
       (SELECT count(DISTINCT s.id) FROM {asOf: asof.}story_waits w
          JOIN {asOf: asof.}stories s ON s.workspace_id = w.workspace_id AND s.id = w.story_id AND s.status <> 'done' AND s.deleted_at IS NULL
          JOIN {asOf: asof.}stories b ON b.workspace_id = w.workspace_id AND b.id = w.blocker_id AND b.status <> 'done' AND b.deleted_at IS NULL
         WHERE w.workspace_id = gnomon.workspace() AND w.project_id = gnomon.project()) AS "blockedCount"
  FROM (SELECT coalesce(sum(k.stories) FILTER (WHERE k.status IN ('in_progress', 'review')), 0)::bigint AS active, coalesce(sum(k.stories), 0)::bigint AS n
          FROM story_tallies k WHERE k.workspace_id = gnomon.workspace() AND k.project_id = gnomon.project()
        HAVING gnomon.as_of_rev() IS NULL
        UNION ALL
        SELECT count(*) FILTER (WHERE s.status IN ('in_progress', 'review')), count(*)
          FROM {asOf: asof.}stories s
         WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL AND gnomon.as_of_rev() IS NOT NULL
        HAVING gnomon.as_of_rev() IS NOT NULL) n

-- part: columns list
-- targets are the columns a card of this one may move to, the next one first.
SELECT c.status, c.name, s.n AS "storyCount", s.n = 1 AS "isOne",
       nullif(greatest(s.n - {all: CASE WHEN c.status = ANY(:all) THEN 500 ELSE 50 END + 0 *} 50, 0), 0) AS "moreCount",
       s.n > 500 AS "isMoreThanAll",
       round(s.points, 1)::double precision AS points,
       (SELECT jsonb_agg(jsonb_build_object('status', t.status, 'name', t.name) ORDER BY (t.place - c.place + 5) % 5)
          FROM (VALUES (1, 'backlog', 'Backlog'), (2, 'ready', 'Ready'), (3, 'in_progress', 'In progress'), (4, 'review', 'Review'), (5, 'done', 'Done'))
               AS t (place, status, name) WHERE t.status <> c.status) AS targets
  FROM (VALUES (1, 'backlog', 'Backlog'), (2, 'ready', 'Ready'), (3, 'in_progress', 'In progress'), (4, 'review', 'Review'), (5, 'done', 'Done'))
       AS c (place, status, name)
 CROSS JOIN (SELECT gnomon.as_of_rev() IS NULL {assigneeId: AND false | AND false} {epicId: AND false | AND false} {labelId: AND false} AS yes) whole
 CROSS JOIN LATERAL (
   SELECT coalesce(sum(k.stories), 0)::bigint AS n, coalesce(sum(k.points), 0) AS points
     FROM story_tallies k
    WHERE k.workspace_id = gnomon.workspace() AND k.project_id = gnomon.project() AND k.status = c.status
   HAVING whole.yes
   UNION ALL
   SELECT count(*), coalesce(sum(s.estimate), 0)::numeric
     FROM {asOf: asof.}stories s
    WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL AND s.status = c.status AND NOT whole.yes
      {assigneeId: AND s.assignee_id = :assigneeId | AND s.assignee_id IS NULL} {epicId: AND s.epic_id = :epicId | AND s.epic_id IS NULL}
      {labelId: AND EXISTS (SELECT FROM story_labels k WHERE k.workspace_id = gnomon.workspace() AND k.story_id = s.id AND k.label_id = ANY(:labelId))}
   HAVING NOT whole.yes) s
 ORDER BY c.place

-- part: stories in columns by status
SELECT s.status AS "~status", p.key || '-' || s.number AS key, s.title, s.version, s.estimate, s.estimate = 1 AS "isOnePoint",
       s.priority = 'urgent' AND s.status <> 'done' AS "isUrgent", s.due_date AS "dueDate",
       s.status <> 'done' AND s.due_date < (gnomon.now() AT TIME ZONE w.timezone)::date AS "isLate",
       u.name AS "assignee.name", b.key AS "blockedBy",
       nullif(s.task_count, 0)::bigint AS "taskCount", s.task_done_count::bigint AS "taskDoneCount",
       CASE WHEN s.label_ids <> '{}' THEN (SELECT jsonb_agg(jsonb_build_object('name', l.name, 'colour', l.colour) ORDER BY lower(l.name), l.id)
          FROM labels l WHERE l.workspace_id = s.workspace_id AND l.id = ANY (s.label_ids)) END AS labels,
       CASE WHEN s.status IN ('in_progress', 'review') AND s.status_since < gnomon.now() - interval '5 days'
            THEN floor(extract(epoch FROM gnomon.now() - s.status_since) / 86400)::bigint END AS "stillCount",
       s.label_ids <> '{}' OR s.status <> 'done' AND (s.priority = 'urgent' OR b.key IS NOT NULL
         OR s.due_date < (gnomon.now() AT TIME ZONE w.timezone)::date
         OR s.status IN ('in_progress', 'review') AND s.status_since < gnomon.now() - interval '5 days') AS "hasMarks"
  FROM projects p
  JOIN workspaces w ON w.id = p.workspace_id
 CROSS JOIN (VALUES (1, 'backlog'), (2, 'ready'), (3, 'in_progress'), (4, 'review'), (5, 'done')) AS c (place, status)
 CROSS JOIN LATERAL (SELECT * FROM {asOf: asof.}stories y
                      WHERE y.workspace_id = p.workspace_id AND y.project_id = p.id AND y.status = c.status AND y.deleted_at IS NULL
                        {assigneeId: AND y.assignee_id = :assigneeId | AND y.assignee_id IS NULL} {epicId: AND y.epic_id = :epicId | AND y.epic_id IS NULL}
                        {labelId: AND EXISTS (SELECT FROM story_labels k WHERE k.workspace_id = gnomon.workspace() AND k.story_id = y.id AND k.label_id = ANY(:labelId))}
                      ORDER BY y.position, y.id LIMIT {all: CASE WHEN c.status = ANY(:all) THEN 500 ELSE 50 END + 0 *} 50) s
  LEFT JOIN users u ON u.id = s.assignee_id
  LEFT JOIN LATERAL (
    SELECT p.key || '-' || o.number AS key
      FROM {asOf: asof.}story_waits v
      JOIN {asOf: asof.}stories o ON o.workspace_id = v.workspace_id AND o.id = v.blocker_id AND o.status <> 'done' AND o.deleted_at IS NULL
     WHERE v.workspace_id = s.workspace_id AND v.story_id = s.id AND s.status <> 'done'
     ORDER BY v.created_at, o.number
     LIMIT 1) b ON true
 WHERE p.workspace_id = gnomon.workspace() AND p.id = gnomon.project()
 ORDER BY c.place, s.position, s.id

-- part: people list of show_stories

-- part: epics list of show_stories

-- part: labels list of show_stories

-- part: saved list of show_stories

-- part: names one of show_stories

-- POST /w/{ws}/p/{project}/board/{story}     form of update_story, then {next}
-- message: The story has moved.
-- path:   {story} key(story)
-- page:   show_board
