-- GET /w/{ws}/p/{project}/velocity                               show_velocity
-- How much the team gets done, and how long it takes: velocity by sprint, cycle
-- and lead time, throughput by week.
-- role:   viewer
-- query:  from date, to date
-- pool:   slow
-- page:   velocity
-- use:    get_velocity as velocity
-- part: sprints list chart velocity
SELECT s.name AS label, n.committed_points AS committed, n.done_points AS completed, s.number, n.ratio AS "keptShare",
       n.committed_stories AS "committedCount", n.done_stories AS "doneCount"
  FROM gnomon.completed_sprints(coalesce({from: :from,} NULL)::date, coalesce({to: :to,} NULL)::date) s
 CROSS JOIN LATERAL gnomon.sprint_numbers(s.id) n
 ORDER BY s.completed_at, s.id

-- part: weeks list chart bars
SELECT to_char(w.week, 'FMDD Mon') AS label, w.week::date AS day, count(f.id) AS value, gnomon.points(sum(f.estimate)) AS points,
       round((percentile_cont(0.5) WITHIN GROUP (ORDER BY f.cycle_days))::numeric, 1)::double precision AS cycle,
       round((percentile_cont(0.85) WITHIN GROUP (ORDER BY f.cycle_days))::numeric, 1)::double precision AS "cycleMost",
       round((percentile_cont(0.5) WITHIN GROUP (ORDER BY f.lead_days))::numeric, 1)::double precision AS lead,
       'Stories finished per week' AS title, 'week' AS every
  FROM gnomon.period(coalesce({from: :from,} NULL)::date, coalesce({to: :to,} NULL)::date) d
 CROSS JOIN LATERAL generate_series(date_trunc('week', d.first::timestamp), d.last::timestamp, interval '7 days') w (week)
  LEFT JOIN LATERAL gnomon.finished_stories(greatest(d.starts, w.week AT TIME ZONE d.zone), least(d.ends, (w.week + interval '7 days') AT TIME ZONE d.zone)) f ON true
 GROUP BY w.week
 ORDER BY w.week

-- part: flow one
SELECT d.first AS "firstDate", d.last AS "lastDate", count(f.id) AS "storyCount", gnomon.points(sum(f.estimate)) AS points,
       count(f.cycle_days) AS "workedCount", nullif(count(f.id) - count(f.cycle_days), 0) AS "unworkedCount",
       round((percentile_cont(0.5) WITHIN GROUP (ORDER BY f.cycle_days))::numeric, 1)::double precision AS cycle,
       round((percentile_cont(0.85) WITHIN GROUP (ORDER BY f.cycle_days))::numeric, 1)::double precision AS "cycleMost",
       round((percentile_cont(0.5) WITHIN GROUP (ORDER BY f.lead_days))::numeric, 1)::double precision AS lead,
       round((percentile_cont(0.85) WITHIN GROUP (ORDER BY f.lead_days))::numeric, 1)::double precision AS "leadMost",
       round((count(f.id) * 7.0 / (d.last - d.first + 1))::numeric, 1)::double precision AS "aWeek"
  FROM gnomon.period(coalesce({from: :from,} NULL)::date, coalesce({to: :to,} NULL)::date) d LEFT JOIN LATERAL gnomon.finished_stories(d.starts, d.ends) f ON true
 GROUP BY d.first, d.last

-- part: recent list
SELECT p.key || '-' || f.number AS key, f.title, f.finished_at AS "finishedAt", f.cycle_days AS days
  FROM projects p
 CROSS JOIN gnomon.period(coalesce({from: :from,} NULL)::date, coalesce({to: :to,} NULL)::date) d
 CROSS JOIN LATERAL gnomon.finished_stories(d.starts, d.ends) f
 WHERE p.workspace_id = gnomon.workspace() AND p.id = gnomon.project() AND f.cycle_days IS NOT NULL
 ORDER BY f.finished_at DESC, f.id DESC
 LIMIT 20
