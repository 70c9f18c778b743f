-- words active_sprint: which = The sprint that is running; path =; query =; this = s.status = 'active'
-- words any_sprint: which = A sprint; path = {sprint} key; query = asOf moment
-- words any_sprint: this = s.deleted_at IS NULL AND {sprint: s.id = :sprint | s.number = :sprint_number}

-- GET /api/v1/projects/{project}/sprints                          list_sprints
-- The project's sprints with their totals, latest first.
-- role:   viewer
-- query:  status sprint_status[]
-- order:  latest = s.start_date date desc, s.id uuid desc; earliest = s.start_date date asc, s.id uuid asc; number = s.number int4 desc
-- reply:  200 page of SprintLine
SELECT s.id, s.number, s.name, s.goal, s.status, s.start_date AS "startDate", s.end_date AS "endDate", s.capacity,
       s.committed_points AS "committedPoints", s.committed_stories AS "committedStories",
       s.started_at AS "startedAt", s.completed_at AS "completedAt", s.version,
       n.stories AS "totals.stories", n.points AS "totals.points", n.done_stories AS "totals.doneStories", n.done_points AS "totals.donePoints",
       n.added_stories AS "totals.addedStories", n.removed_stories AS "totals.removedStories"
  FROM (SELECT * FROM sprints s
         WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
           {status: AND s.status = ANY(:status)}
         {page}) s
 CROSS JOIN LATERAL gnomon.sprint_numbers(s.id) n
 WHERE true {page}

-- POST /api/v1/projects/{project}/sprints                         create_sprint
-- Plans a sprint. Without dates it begins when the latest one is over, on a
-- working day, and lasts as long (two weeks, if it is the first), but not into a
-- weekend; without capacity it has that one's.
-- role:   member
-- body:   SprintCreate
-- reply:  201 Sprint
WITH b AS (
  SELECT * FROM jsonb_to_record(:body) AS b (name text, goal text, start_date date, end_date date, capacity jsonb)
), latest AS (
  SELECT s.end_date, s.end_date - s.start_date AS days, s.capacity
    FROM sprints s
   WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   ORDER BY s.end_date DESC, s.number DESC LIMIT 1
), d AS (
  SELECT b.*, c.first, c.first + coalesce(l.days, 13) AS last, l.capacity AS capacity_before
    FROM b
    JOIN workspaces w ON w.id = gnomon.workspace()
    LEFT JOIN latest l ON true
   CROSS JOIN LATERAL (SELECT greatest(l.end_date + 1, (gnomon.now() AT TIME ZONE w.timezone)::date) AS day) n
   CROSS JOIN LATERAL (SELECT coalesce(b.start_date, n.day + CASE extract(isodow FROM n.day) WHEN 6 THEN 2 WHEN 7 THEN 1 ELSE 0 END) AS first) c
), s AS (
  INSERT INTO sprints (workspace_id, project_id, name, goal, start_date, end_date, capacity)
  SELECT gnomon.workspace(), gnomon.project(), d.name, coalesce(d.goal, ''), d.first,
         gnomon.checked_end(d.first, coalesce(d.end_date, greatest(d.first, d.last - CASE extract(isodow FROM d.last) WHEN 6 THEN 1 WHEN 7 THEN 2 ELSE 0 END))), gnomon.checked_capacity(coalesce(d.capacity, d.capacity_before, '{}'))
    FROM d
  RETURNING *)
SELECT s.id, s.number, s.name, s.goal, s.status, s.start_date AS "startDate", s.end_date AS "endDate", s.capacity,
       s.committed_points AS "committedPoints", s.committed_stories AS "committedStories",
       s.started_at AS "startedAt", s.completed_at AS "completedAt", s.version
  FROM s

-- GET /api/v1/projects/{project}/sprints/settings         get_sprint_settings
-- Whether sprints of the project end by themselves when their last day is over,
-- and where their unfinished stories go then: off, backlog, next or new.
-- role:   viewer
-- reply:  200 SprintSettings
SELECT p.version, gnomon.auto_complete(p.settings) AS "autoComplete"
  FROM projects p WHERE p.workspace_id = gnomon.workspace() AND p.id = gnomon.project()

-- PATCH /api/v1/projects/{project}/sprints/settings    update_sprint_settings
-- The version is the project's.
-- role:   admin
-- body:   SprintSettingsPatch
-- reply:  200 SprintSettings
SELECT o.refused AS "!", o.version, o.auto_complete AS "autoComplete"
  FROM gnomon.set_auto_complete((:body ->> 'version')::integer, :body ->> 'auto_complete') o

-- GET /api/v1/projects/{project}/sprints/active     get_active_sprint   with active_sprint
-- GET /api/v1/projects/{project}/sprints/{sprint}   get_sprint          with any_sprint
-- <which> with its stories, its totals, and who has how much room. What a
-- completed sprint says of points is what it was when it ended.
-- role:   viewer
-- path:   <path>
-- query:  <query>
-- reply:  200 SprintDetail
SELECT s.id, s.number, s.name, s.goal, s.status, s.start_date AS "startDate", s.end_date AS "endDate", s.capacity,
       s.committed_points AS "committedPoints", s.committed_stories AS "committedStories",
       s.started_at AS "startedAt", s.completed_at AS "completedAt", s.version
  FROM asof.sprints s
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND <this>
-- part: totals one
SELECT n.stories, n.points, n.done_stories AS "doneStories", n.done_points AS "donePoints", n.added_stories AS "addedStories",
       n.removed_stories AS "removedStories"
  FROM asof.sprints s CROSS JOIN LATERAL gnomon.sprint_numbers(s.id) n
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND <this>
-- part: items list
SELECT i.story_id AS id, i.number, p.key || '-' || i.number AS key, i.title, i.status, i.priority,
       CASE WHEN s.status = 'completed' THEN i.final_estimate ELSE i.estimate END AS estimate,
       i.original_estimate AS "originalEstimate", i.final_estimate AS "finalEstimate",
       CASE WHEN s.status = 'completed' THEN i.completed_at IS NOT NULL ELSE i.status = 'done' END AS "isDone",
       i.added_at > s.started_at AS "isAdded", i.added_at AS "addedAt", i.completed_at AS "completedAt",
       c.id AS "carriedTo.id", c.number AS "carriedTo.number", c.name AS "carriedTo.name",
       u.id AS "assignee.id", u.name AS "assignee.name"
  FROM asof.sprints s
  JOIN projects p ON p.workspace_id = s.workspace_id AND p.id = s.project_id
 CROSS JOIN LATERAL gnomon.sprint_stays(s.id) i
  LEFT JOIN sprints c ON c.workspace_id = s.workspace_id AND c.id = i.carried_to
  LEFT JOIN users u ON u.id = i.assignee_id
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND <this>
   AND i.removed_at IS NULL AND (i.deleted_at IS NULL OR s.status = 'completed')
 ORDER BY i.number
-- part: people list
SELECT x.id, u.name, x.capacity, x.planned, x.stories, x.planned > x.capacity AS "isOver"
  FROM (SELECT coalesce(k.id, a.id) AS id, coalesce(k.points, 0) AS capacity, gnomon.points(a.points) AS planned, coalesce(a.stories, 0) AS stories
          FROM (SELECT c.key::uuid AS id, c.value::double precision AS points
                  FROM asof.sprints s CROSS JOIN LATERAL jsonb_each_text(s.capacity) c
                 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND <this>) k
          FULL JOIN (SELECT i.assignee_id AS id, sum(CASE WHEN s.status = 'completed' THEN i.final_estimate ELSE i.estimate END) AS points, count(*) AS stories
                       FROM asof.sprints s
                       JOIN LATERAL gnomon.sprint_stays(s.id) i
                         ON i.assignee_id IS NOT NULL AND i.removed_at IS NULL AND (i.deleted_at IS NULL OR s.status = 'completed')
                      WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND <this>
                      GROUP BY i.assignee_id) a ON a.id = k.id) x
  JOIN users u ON u.id = x.id
 ORDER BY u.name, u.id

-- PATCH /api/v1/projects/{project}/sprints/{sprint}              update_sprint
-- Changes the fields given. capacity is replaced as a whole: points by member.
-- role:   member
-- path:   {sprint} key
-- body:   SprintPatch
-- errors: illegal_state
-- reply:  200 Sprint
WITH old AS MATERIALIZED (
  SELECT s.* FROM sprints s
   WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   AND {sprint: s.id = :sprint | s.number = :sprint_number}
     FOR NO KEY UPDATE
), new AS (
  UPDATE sprints s
     SET (name, goal, start_date, end_date, capacity) =
         (SELECT b.name, b.goal, b.start_date, gnomon.checked_end(b.start_date, b.end_date),
                 CASE WHEN :body ? 'capacity' THEN gnomon.checked_capacity(b.capacity) ELSE s.capacity END
            FROM jsonb_populate_record(s, :body - 'version') b)
    FROM old
   WHERE s.workspace_id = gnomon.workspace() AND s.id = old.id AND old.version = (:body ->> 'version')::integer
     AND gnomon.sprint_may_change(s, :body)
  RETURNING s.*
), s AS (
  SELECT NULL AS refused, new.* FROM new
  UNION ALL
  SELECT 'version_conflict', old.* FROM old WHERE NOT EXISTS (SELECT FROM new)
)
SELECT s.refused AS "!", s.id, s.number, s.name, s.goal, s.status, s.start_date AS "startDate", s.end_date AS "endDate", s.capacity,
       s.committed_points AS "committedPoints", s.committed_stories AS "committedStories",
       s.started_at AS "startedAt", s.completed_at AS "completedAt", s.version
  FROM s

-- DELETE /api/v1/projects/{project}/sprints/{sprint}             delete_sprint
-- Drops a sprint that has not started. Its stories are in no sprint then.
-- role:   member
-- path:   {sprint} key
-- errors: illegal_state
-- reply:  204
SELECT o.refused AS "!", (o.sprint).id FROM gnomon.drop_sprint((SELECT s.id FROM sprints s
          WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND {sprint: s.id = :sprint | s.number = :sprint_number}), NULL) o

-- POST /api/v1/projects/{project}/sprints/{sprint}/start          start_sprint
-- Starts a sprint: what it holds now is what it commits to. A project runs one
-- sprint at a time.
-- role:   member
-- path:   {sprint} key
-- body:   SprintStart
-- errors: illegal_state
-- reply:  200 Sprint
SELECT o.refused AS "!", s.id, s.number, s.name, s.goal, s.status, s.start_date AS "startDate", s.end_date AS "endDate", s.capacity,
       s.committed_points AS "committedPoints", s.committed_stories AS "committedStories",
       s.started_at AS "startedAt", s.completed_at AS "completedAt", s.version
  FROM gnomon.start_sprint((SELECT s.id FROM sprints s
          WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND {sprint: s.id = :sprint | s.number = :sprint_number}), (:body ->> 'version')::integer) o
 CROSS JOIN LATERAL (SELECT (o.sprint).*) s

-- POST /api/v1/projects/{project}/sprints/{sprint}/complete    complete_sprint
-- Ends a sprint. unfinished says where its unfinished stories go: backlog, next (a
-- sprint being planned: nextSprintId, or the first of them) or new (one made for
-- them). Its numbers never change from then on.
-- role:   member
-- path:   {sprint} key
-- body:   SprintComplete
-- errors: illegal_state
-- reply:  200 SprintCompleted
SELECT o.refused AS "!", s.id, s.number, s.name, s.goal, s.status, s.start_date AS "startDate", s.end_date AS "endDate", s.capacity,
       s.committed_points AS "committedPoints", s.committed_stories AS "committedStories",
       s.started_at AS "startedAt", s.completed_at AS "completedAt", s.version
  FROM gnomon.complete_sprint((SELECT s.id FROM sprints s
          WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND {sprint: s.id = :sprint | s.number = :sprint_number}), (:body ->> 'version')::integer,
         :body ->> 'unfinished', (:body ->> 'next_sprint_id')::uuid, :body ->> 'new_sprint_name') o
 CROSS JOIN LATERAL (SELECT (o.sprint).*) s
-- part: totals one
SELECT n.stories, n.points, n.done_stories AS "doneStories", n.done_points AS "donePoints", n.added_stories AS "addedStories",
       n.removed_stories AS "removedStories"
  FROM sprints s CROSS JOIN LATERAL gnomon.sprint_numbers(s.id) n
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   AND {sprint: s.id = :sprint | s.number = :sprint_number}
-- part: carriedTo one
SELECT c.id, c.number, c.name, k.stories
  FROM sprints s
 CROSS JOIN LATERAL (SELECT i.carried_to, count(*) AS stories FROM sprint_items i
                      WHERE i.workspace_id = s.workspace_id AND i.sprint_id = s.id AND i.carried_to IS NOT NULL GROUP BY i.carried_to) k
  JOIN sprints c ON c.workspace_id = s.workspace_id AND c.id = k.carried_to
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   AND {sprint: s.id = :sprint | s.number = :sprint_number}

-- POST /api/v1/projects/{project}/sprints/{sprint}/items      add_sprint_items
-- Puts stories into a sprint that is not over. One that is in another open sprint
-- moves, and movedFrom says where it was. In a running sprint this is growth of scope.
-- role:   member
-- path:   {sprint} key
-- body:   SprintItems
-- errors: illegal_state
-- reply:  201 list of SprintItemAdded
SELECT t.id, t.number, p.key || '-' || t.number AS key, t.title, t.estimate AS "originalEstimate",
       a.moved_from AS "movedFrom", a.is_new AS "isNew"
  FROM gnomon.add_to_sprint((SELECT s.id FROM sprints s
          WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND {sprint: s.id = :sprint | s.number = :sprint_number}), ARRAY(SELECT x::uuid FROM jsonb_array_elements_text(:body -> 'story_ids') x)) a
  JOIN stories t ON t.workspace_id = gnomon.workspace() AND t.id = a.story_id
  JOIN projects p ON p.workspace_id = t.workspace_id AND p.id = t.project_id
 ORDER BY t.number

-- DELETE /api/v1/projects/{project}/sprints/{sprint}/items/{story}   remove_sprint_item
-- Takes a story out of a sprint that is not over.
-- role:   member
-- path:   {sprint} key, {story} key(story)
-- errors: illegal_state
-- reply:  204
SELECT i.id FROM gnomon.take_from_sprint((SELECT s.id FROM sprints s
          WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND {sprint: s.id = :sprint | s.number = :sprint_number}),
         (SELECT t.id FROM stories t
           WHERE t.workspace_id = gnomon.workspace() AND t.project_id = gnomon.project() AND {story: t.id = :story | t.number = :story_number})) i

-- GET /api/v1/projects/{project}/sprints/{sprint}/burndown      get_burndown
-- The sprint day by day: what was open, done and in it when each day ended, the
-- straight line, how its scope changed, and the forecast of its own pace. A plan
-- that has not begun has no days.
-- role:   viewer
-- path:   {sprint} key
-- reply:  200 Burndown
SELECT s.id, s.number, s.name, s.status, s.start_date AS "startDate", s.end_date AS "endDate", s.committed_points AS "committedPoints"
  FROM asof.sprints s
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   AND {sprint: s.id = :sprint | s.number = :sprint_number}
-- part: days list
SELECT b.day, b.is_today AS "isToday", b.remaining, b.total, b.done, b.stories, b.done_stories AS "doneStories", b.scope, b.ideal,
       b.forecast_low AS "forecastLow", b.forecast_high AS "forecastHigh"
  FROM asof.sprints s CROSS JOIN LATERAL gnomon.burndown(s.id) b
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   AND {sprint: s.id = :sprint | s.number = :sprint_number}
 ORDER BY b.day
-- part: changes list
-- What came in, went out or was estimated anew after the start, in order.
SELECT c.at, c.what, p.key || '-' || c.number AS key, c.title, c.points
  FROM asof.sprints s
  JOIN projects p ON p.workspace_id = s.workspace_id AND p.id = s.project_id
 CROSS JOIN LATERAL gnomon.scope_changes(s.id) c
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   AND {sprint: s.id = :sprint | s.number = :sprint_number}
 ORDER BY c.at, c.number, c.what

-- GET /api/v1/projects/{project}/sprints/{sprint}/metrics  get_sprint_metrics
-- What a sprint promised and what it kept, in points and stories. points is
-- committed + added - removed + reestimated; ratio is done over committed.
-- role:   viewer
-- path:   {sprint} key
-- reply:  200 SprintMetrics
SELECT s.id, s.number, s.name, s.status, n.committed_points AS "committedPoints", n.committed_stories AS "committedStories",
       n.done_points AS "donePoints", n.done_stories AS "doneStories", n.added_points AS "addedPoints", n.added_stories AS "addedStories",
       n.removed_points AS "removedPoints", n.removed_stories AS "removedStories", n.reestimated_points AS "reestimatedPoints",
       n.points, n.stories, n.carried_stories AS "carriedStories", n.unestimated_stories AS "unestimatedStories", n.ratio
  FROM asof.sprints s CROSS JOIN LATERAL gnomon.sprint_numbers(s.id) n
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   AND {sprint: s.id = :sprint | s.number = :sprint_number}
