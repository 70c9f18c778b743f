-- What things are called, for pages that show ids again (after enter).

-- name: names_of
-- The names of people, teams, epics, sprints, labels and stories with these ids.
-- args: ids uuid[]
SELECT u.id::text, u.name
  FROM workspace_members m JOIN users u ON u.id = m.user_id
 WHERE m.workspace_id = gnomon.workspace() AND m.user_id = ANY(:ids)
UNION ALL SELECT t.id::text, t.name FROM teams t WHERE t.workspace_id = gnomon.workspace() AND t.id = ANY(:ids)
UNION ALL SELECT e.id::text, e.title FROM epics e WHERE e.workspace_id = gnomon.workspace() AND e.id = ANY(:ids)
UNION ALL SELECT s.id::text, s.name FROM sprints s WHERE s.workspace_id = gnomon.workspace() AND s.id = ANY(:ids)
UNION ALL SELECT l.id::text, l.name FROM labels l WHERE l.workspace_id = gnomon.workspace() AND l.id = ANY(:ids)
UNION ALL SELECT s.id::text, s.title FROM stories s WHERE s.workspace_id = gnomon.workspace() AND s.id = ANY(:ids)

-- name: changed_fields
-- What the last n edits of one thing did to its fields: name, what it was before
-- them, what it is now, in words.
-- args: entity uuid, n int4
SELECT gnomon.camel(f.key), coalesce(w.was, ''), coalesce(w.is_, '')
  FROM (SELECT c.key, (array_agg(c.value -> 0 ORDER BY e.rev))[1] AS old, (array_agg(c.value -> 1 ORDER BY e.rev DESC))[1] AS new
          FROM (SELECT e.rev, e.changes FROM events e
                 WHERE e.workspace_id = gnomon.workspace() AND e.entity_id = :entity AND e.action <> 'created'
                   AND e.changes - '{position,status_since}'::text[] <> '{}'
                 ORDER BY e.rev DESC LIMIT :n) e
         CROSS JOIN LATERAL jsonb_each(e.changes) c
         WHERE c.key NOT IN ('position', 'status_since', 'timezone') AND c.key !~ '_at$'
         GROUP BY c.key) f
 CROSS JOIN LATERAL (SELECT max(x.said) FILTER (WHERE x.is_old) AS was, max(x.said) FILTER (WHERE NOT x.is_old) AS is_
    FROM (SELECT v.is_old, CASE jsonb_typeof(v.value)
            WHEN 'array' THEN (SELECT string_agg(i, E'\n') FROM jsonb_array_elements_text(v.value) i)
            WHEN 'object' THEN (SELECT string_agg(concat(coalesce(u.name, k.key), ': ', k.value), E'\n' ORDER BY u.name, k.key)
                                  FROM jsonb_each_text(v.value) k LEFT JOIN users u ON u.id::text = k.key)
            ELSE coalesce(gnomon.name_in(f.key, v.value #>> '{}'), v.value #>> '{}') END AS said
            FROM (VALUES (true, f.old), (false, f.new)) v (is_old, value)) x) w
 WHERE f.old IS DISTINCT FROM f.new
 ORDER BY f.key
