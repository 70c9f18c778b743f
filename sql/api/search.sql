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
SELECT h.entity_type AS type, h.entity_id AS id, t.key, t.title, t.path || CASE WHEN c.id IS NULL THEN '' ELSE '#c-' || c.id END AS path,
       CASE WHEN h.entity_type = 'person' THEN '[]'
            ELSE gnomon.snippet(coalesce(c.body, t.body), {q: :q ||} '') END AS snippet,
       a.id AS "author.id", a.name AS "author.name", h.is_partial AS "isPartial", h.rank AS "~rank", h.entity_id AS "~entityId"
  FROM (SELECT * FROM gnomon.search({q: :q ||} '', {type: :type ||} '{}') h WHERE true {page}) h
  LEFT JOIN comments c ON h.entity_type = 'comment' AND c.workspace_id = gnomon.workspace() AND c.id = h.entity_id
  LEFT JOIN users a ON a.id = c.author_id
  JOIN things t ON t.workspace_id = gnomon.workspace() AND t.type = coalesce(c.entity_type, h.entity_type) AND t.id = coalesce(c.entity_id, h.entity_id)
 WHERE true {page}
