-- words cycle: days = cycle_days; since = started_at; sinceName = startedAt; reply = CycleTime
-- words cycle: about = How long finished stories were worked on: from the first time in progress to the last time done
-- words cycle: apart = Stories that were never in progress are counted apart.
-- words lead: days = lead_days; since = created_at; sinceName = createdAt; reply = LeadTime
-- words lead: about = How long finished stories took from being written down to being done; apart =

-- GET /api/v1/projects/{project}/analytics/velocity            get_velocity
-- Points a sprint: what each completed sprint had committed to and what it
-- completed, oldest first, with the mean of the last three. trend compares the
-- last three with the three before them. Without from it is the last twelve.
-- role:   viewer
-- query:  from date, to date
-- reply:  200 Velocity
-- part: items list
SELECT s.id, s.number, s.name, s.start_date AS "startDate", s.end_date AS "endDate", s.completed_at AS "completedAt",
       n.committed_points AS "committedPoints", n.done_points AS "completedPoints",
       n.committed_stories AS "committedStories", n.done_stories AS "completedStories", n.ratio,
       round((avg(n.done_points) OVER (ORDER BY s.completed_at, s.id ROWS 2 PRECEDING))::numeric, 1)::double precision AS "meanOfThree"
  FROM gnomon.completed_sprints(coalesce({from: :from,} NULL)::date, coalesce({to: :to,} NULL)::date) s
 CROSS JOIN LATERAL gnomon.sprint_numbers(s.id) n
 ORDER BY s.completed_at, s.id
-- part: summary one
SELECT count(*) AS sprints, round(avg(v.done)::numeric, 1)::double precision AS "meanPoints",
       round((percentile_cont(0.5) WITHIN GROUP (ORDER BY v.done))::numeric, 1)::double precision AS "medianPoints",
       CASE WHEN sum(v.committed) > 0 THEN round((sum(v.done) / sum(v.committed))::numeric, 4)::double precision END AS ratio,
       round((avg(v.done) FILTER (WHERE v.back <= 3))::numeric, 1)::double precision AS "lastThree",
       round((avg(v.done) FILTER (WHERE v.back BETWEEN 4 AND 6))::numeric, 1)::double precision AS "threeBefore",
       CASE WHEN count(*) < 4 THEN 'unknown'
            WHEN avg(v.done) FILTER (WHERE v.back <= 3) > 1.1 * avg(v.done) FILTER (WHERE v.back BETWEEN 4 AND 6) THEN 'rising'
            WHEN avg(v.done) FILTER (WHERE v.back <= 3) < 0.9 * avg(v.done) FILTER (WHERE v.back BETWEEN 4 AND 6) THEN 'falling'
            ELSE 'steady' END AS trend
  FROM (SELECT n.done_points AS done, n.committed_points AS committed, row_number() OVER (ORDER BY s.completed_at DESC, s.id DESC) AS back
          FROM gnomon.completed_sprints(coalesce({from: :from,} NULL)::date, coalesce({to: :to,} NULL)::date) s
         CROSS JOIN LATERAL gnomon.sprint_numbers(s.id) n) v

-- GET /api/v1/projects/{project}/analytics/cycle-time   get_cycle_time   with cycle
-- GET /api/v1/projects/{project}/analytics/lead-time    get_lead_time    with lead
-- <about>. Half took the median or less, 85 of 100 the p85 or less. <apart>
-- role:   viewer
-- query:  from date, to date
-- pool:   slow
-- reply:  200 <reply>
-- part: summary one
SELECT d.first AS "from", d.last AS "to", count(f.<days>) AS stories, count(f.id) - count(f.<days>) AS "withoutTime",
       round((percentile_cont(0.5) WITHIN GROUP (ORDER BY f.<days>))::numeric, 2)::double precision AS "medianDays",
       round((percentile_cont(0.85) WITHIN GROUP (ORDER BY f.<days>))::numeric, 2)::double precision AS "p85Days",
       round(avg(f.<days>)::numeric, 2)::double precision AS "meanDays"
  FROM gnomon.period(coalesce({from: :from,} NULL)::date, coalesce({to: :to,} NULL)::date) d LEFT JOIN LATERAL gnomon.finished_stories(d.starts, d.ends) f ON true
 GROUP BY d.first, d.last
-- part: weeks list
SELECT w.week::date AS week, count(f.<days>) AS stories,
       round((percentile_cont(0.5) WITHIN GROUP (ORDER BY f.<days>))::numeric, 2)::double precision AS "medianDays",
       round((percentile_cont(0.85) WITHIN GROUP (ORDER BY f.<days>))::numeric, 2)::double precision AS "p85Days"
  FROM gnomon.period(coalesce({from: :from,} NULL)::date, coalesce({to: :to,} NULL)::date) d
 CROSS JOIN LATERAL generate_series(date_trunc('week', d.first::timestamp), d.last::timestamp, interval '7 days') w (week)
  LEFT JOIN LATERAL gnomon.finished_stories(greatest(d.starts, w.week AT TIME ZONE d.zone), least(d.ends, (w.week + interval '7 days') AT TIME ZONE d.zone)) f ON true
 GROUP BY w.week
 ORDER BY w.week
-- part: items list
-- The 200 finished last.
SELECT f.id, f.number, p.key || '-' || f.number AS key, f.title, f.<since> AS "<sinceName>", f.finished_at AS "finishedAt", f.<days> AS days
  FROM projects p
 CROSS JOIN gnomon.period(coalesce({from: :from,} NULL)::date, coalesce({to: :to,} NULL)::date) d
 CROSS JOIN LATERAL gnomon.finished_stories(d.starts, d.ends) f
 WHERE p.workspace_id = gnomon.workspace() AND p.id = gnomon.project() AND f.<days> IS NOT NULL
 ORDER BY f.finished_at DESC, f.id DESC
 LIMIT 200

-- GET /api/v1/projects/{project}/analytics/throughput        get_throughput
-- Stories and points finished, week by week from Monday. A story counts once, in
-- the week it was finished last. The first and last week may be cut by the period.
-- role:   viewer
-- query:  from date, to date
-- pool:   slow
-- reply:  200 Throughput
-- part: summary one
SELECT d.first AS "from", d.last AS "to", count(f.id) AS stories, gnomon.points(sum(f.estimate)) AS points,
       round((count(f.id) * 7.0 / (d.last - d.first + 1))::numeric, 1)::double precision AS "storiesAWeek",
       round((sum(f.estimate) * 7.0 / (d.last - d.first + 1))::numeric, 1)::double precision AS "pointsAWeek"
  FROM gnomon.period(coalesce({from: :from,} NULL)::date, coalesce({to: :to,} NULL)::date) d LEFT JOIN LATERAL gnomon.finished_stories(d.starts, d.ends) f ON true
 GROUP BY d.first, d.last
-- part: items list
SELECT w.week::date AS week, count(f.id) AS stories, gnomon.points(sum(f.estimate)) AS points
  FROM gnomon.period(coalesce({from: :from,} NULL)::date, coalesce({to: :to,} NULL)::date) d
 CROSS JOIN LATERAL generate_series(date_trunc('week', d.first::timestamp), d.last::timestamp, interval '7 days') w (week)
  LEFT JOIN LATERAL gnomon.finished_stories(greatest(d.starts, w.week AT TIME ZONE d.zone), least(d.ends, (w.week + interval '7 days') AT TIME ZONE d.zone)) f ON true
 GROUP BY w.week
 ORDER BY w.week

-- GET /api/v1/projects/{project}/analytics/summary              get_summary
-- The project in counts, and how the period compares with the one as long before
-- it. days are kept by a job each night.
-- role:   viewer
-- query:  from date, to date
-- pool:   slow
-- reply:  200 AnalyticsSummary
-- part: counts one
SELECT n.stories, n.backlog, n.ready, n.active AS "inProgress", n.review, n.done, gnomon.points(n.points::double precision) AS "openPoints", n.unestimated, n.unassigned
  FROM (SELECT coalesce(sum(k.stories), 0)::bigint AS stories,
               coalesce(sum(k.stories) FILTER (WHERE k.status = 'backlog'), 0)::bigint AS backlog,
               coalesce(sum(k.stories) FILTER (WHERE k.status = 'ready'), 0)::bigint AS ready,
               coalesce(sum(k.stories) FILTER (WHERE k.status = 'in_progress'), 0)::bigint AS active,
               coalesce(sum(k.stories) FILTER (WHERE k.status = 'review'), 0)::bigint AS review,
               coalesce(sum(k.stories) FILTER (WHERE k.status = 'done'), 0)::bigint AS done,
               sum(k.points) FILTER (WHERE k.status <> 'done') AS points,
               coalesce(sum(k.unestimated) FILTER (WHERE k.status <> 'done'), 0)::bigint AS unestimated,
               coalesce(sum(k.unassigned) FILTER (WHERE k.status <> 'done'), 0)::bigint AS unassigned
          FROM story_tallies k
         WHERE k.workspace_id = gnomon.workspace() AND k.project_id = gnomon.project()) n
-- part: trends one
SELECT d.first AS "from", d.last AS "to", a.finished AS "finished.now", b.finished AS "finished.before",
       a.points AS "finishedPoints.now", b.points AS "finishedPoints.before", a.made AS "created.now", b.made AS "created.before",
       a.cycle AS "cycleDays.now", b.cycle AS "cycleDays.before", a.lead AS "leadDays.now", b.lead AS "leadDays.before"
  FROM gnomon.period(coalesce({from: :from,} NULL)::date, coalesce({to: :to,} NULL)::date) d
 CROSS JOIN LATERAL gnomon.flow(d.starts, d.ends) a
 CROSS JOIN LATERAL gnomon.flow((d.first - (d.last - d.first + 1))::timestamp AT TIME ZONE d.zone, d.starts) b
-- part: days list
SELECT m.day, m.created, m.finished, m.finished_points AS "finishedPoints", m.backlog, m.ready, m.in_progress AS "inProgress", m.review, m.done,
       m.open_points AS "openPoints"
  FROM gnomon.period(coalesce({from: :from,} NULL)::date, coalesce({to: :to,} NULL)::date) d
  JOIN metrics_daily m ON m.workspace_id = gnomon.workspace() AND m.project_id = gnomon.project() AND m.day BETWEEN d.first AND d.last
 ORDER BY m.day
