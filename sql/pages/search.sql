-- GET /w/{ws}/search                                              show_search
-- What the words are found in. A key that was typed in full leads to its page.
-- role:   viewer
-- page:   search
-- use:    search_workspace as hits
-- query:  q text(1..200), type search_type[]
-- pool:   slow
-- part: totals one
SELECT h."hitCount", h."hitCount" = 1 AS "isOne", h."isPartial",
       CASE WHEN cardinality(h.exact) = 1 THEN (SELECT t.path FROM gnomon.thing(h.kind[1], h.exact[1]) t) END AS "!redirect"
  FROM (SELECT count(*) AS "hitCount", coalesce(bool_or(s.is_partial), false) AS "isPartial",
               array_agg(s.entity_id) FILTER (WHERE s.rank = 2000000) AS exact,
               array_agg(s.entity_type) FILTER (WHERE s.rank = 2000000) AS kind
          FROM gnomon.search({q: :q ||} '', {type: :type ||} '{}') s) h
