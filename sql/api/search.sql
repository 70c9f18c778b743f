-- GET /api/v1/workspaces/{ws}/search                              search_workspace
-- Everything the words are found in, the closest first: all of the words, "these
-- in a row", -not this, this or that; the last one may be a beginning. A key such
-- as AC-311 finds its thing. The snippet is the place where they stand, in pieces
-- of which some match. Of words that match more than 1,000 things only the closest
-- among some of them are given: isPartial says so.
-- role:   viewer
-- query:  q text(1..200), type search_type[]
-- order:  best = h.rank int4 desc, h.entity_id~entityId uuid desc
-- pool:   slow
-- reply:  200 page of SearchHit
SELECT h.entity_type AS type, h.entity_id AS id, t.key, t.title, t.path, gnomon.snippet(t.body, {q: :q ||} '') AS snippet,
       t.author_id AS "author.id", t.author_name AS "author.name", h.is_partial AS "isPartial", h.rank AS "~rank", h.entity_id AS "~entityId"
  FROM (SELECT * FROM gnomon.search({q: :q ||} '', {type: :type ||} '{}') h WHERE true {page}) h
 CROSS JOIN LATERAL gnomon.thing(h.entity_type, h.entity_id) t
 WHERE true {page}
