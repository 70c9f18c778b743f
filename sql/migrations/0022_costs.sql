-- What is done with every write, and again and again, costs what there is to do
-- and no more.

-- ---- the event log by transaction
-- The follower finds by it what has happened since it looked, the feed what was
-- done at once. Transactions come in order, so new rows go to its right end.
CREATE INDEX events_news ON events (transaction, created_at, rev, entity_id);
DROP INDEX events_transaction;

-- ---- the follower: what has moved, not what there is
-- A scope of which a round left some for the next.
ALTER TABLE event_cursors ADD is_behind boolean NOT NULL DEFAULT false;
CREATE INDEX event_cursors_behind ON event_cursors (workspace_id, scope_id) WHERE is_behind;

-- The scopes with events that one snapshot saw and an earlier one did not: those of
-- the transactions begun between them, and of those that were under way at the
-- first. A number that came from another cluster (a restore, an import) can make a
-- scope one too many, which is looked at for nothing.
CREATE FUNCTION gnomon.moved_scopes(was pg_snapshot, is_ pg_snapshot) RETURNS TABLE (workspace_id uuid, scope_id uuid)
LANGUAGE plpgsql STABLE ROWS 10 SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
  first constant bigint := pg_snapshot_xmax(was)::text::bigint;
  next constant bigint := pg_snapshot_xmax(is_)::text::bigint;
  open constant bigint[] := ARRAY(SELECT x::text::bigint FROM pg_snapshot_xip(was) x);
BEGIN
  RETURN QUERY
    SELECT e.workspace_id, e.scope_id FROM public.events e WHERE e.transaction >= first AND e.transaction < next
    UNION
    SELECT e.workspace_id, e.scope_id FROM public.events e WHERE e.transaction = ANY (open);
END $$;

-- Follows every scope that has moved. `known` is what it returned last: nothing is
-- looked at but what came since, and what it had to leave (has_more). Without it all
-- scopes are compared with their cursors, which finds what was missed: after a
-- start, and now and then. One follows at a time; whoever comes second does nothing.
DROP FUNCTION gnomon.follow_events(text, integer);
CREATE FUNCTION gnomon.follow_events(known text, most integer) RETURNS TABLE (snapshot text, handled bigint, has_more boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  is_ constant pg_snapshot := pg_current_snapshot();
  budget constant bigint := 4 * most;
  n bigint := 0; done bigint; left_some boolean; some_left boolean := false; s record; ignored text;
BEGIN
  IF known = is_::text THEN
    RETURN QUERY SELECT known, n, false;
    RETURN;
  END IF;
  IF NOT pg_try_advisory_xact_lock(hashtextextended('follow events', 0)) THEN
    RETURN QUERY SELECT ''::text, n, false;
    RETURN;
  END IF;
  FOR s IN EXECUTE   -- planned anew: what fits a few scopes does not fit all
    CASE WHEN known = '' THEN
      'SELECT r.workspace_id, r.scope_id, r.rev
         FROM public.revisions r LEFT JOIN public.event_cursors c ON c.workspace_id = r.workspace_id AND c.scope_id = r.scope_id
        WHERE r.rev > coalesce(c.rev, 0) OR c.is_behind ORDER BY random()'
    ELSE
      'SELECT r.workspace_id, r.scope_id, r.rev
         FROM (SELECT m.workspace_id, m.scope_id FROM gnomon.moved_scopes($1::pg_snapshot, $2) m
               UNION SELECT c.workspace_id, c.scope_id FROM public.event_cursors c WHERE c.is_behind) x
         JOIN public.revisions r ON r.workspace_id = x.workspace_id AND r.scope_id = x.scope_id ORDER BY random()'
    END USING nullif(known, ''), is_
  LOOP
    left_some := n >= budget;
    IF NOT left_some THEN
      ignored := set_config('gnomon.workspace', s.workspace_id::text, true);
      BEGIN
        done := gnomon.follow_scope(s.workspace_id, s.scope_id, s.rev, most);
        n := n + done;
        left_some := done >= most;
      EXCEPTION WHEN OTHERS THEN   -- one scope must not hold up the others; it is tried again with all scopes
        RAISE WARNING 'events of % are not followed: % (%)', s.scope_id, SQLERRM, SQLSTATE;
      END;
    END IF;
    some_left := some_left OR left_some;
    INSERT INTO public.event_cursors AS c (workspace_id, scope_id, rev, is_behind) SELECT s.workspace_id, s.scope_id, 0, true WHERE left_some
    ON CONFLICT (workspace_id, scope_id) DO UPDATE SET is_behind = true WHERE NOT c.is_behind;
    UPDATE public.event_cursors c SET is_behind = false
     WHERE c.workspace_id = s.workspace_id AND c.scope_id = s.scope_id AND c.is_behind AND NOT left_some;
  END LOOP;
  RETURN QUERY SELECT is_::text, n, some_left;
END $$;
GRANT EXECUTE ON FUNCTION gnomon.follow_events TO gnomon_worker;

-- As before (0012), from the messages that wait rather than from all webhooks: from
-- one webhook that has some to the next.
CREATE OR REPLACE FUNCTION gnomon.queue_deliveries() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE total bigint;
BEGIN
  WITH RECURSIVE waiting AS (
    (SELECT d.workspace_id, d.webhook_id FROM public.webhook_deliveries d
      WHERE d.state = 'pending' ORDER BY d.workspace_id, d.webhook_id LIMIT 1)
    UNION ALL
    SELECT n.workspace_id, n.webhook_id
      FROM waiting w
     CROSS JOIN LATERAL (
       SELECT d.workspace_id, d.webhook_id FROM public.webhook_deliveries d
        WHERE d.state = 'pending' AND (d.workspace_id, d.webhook_id) > (w.workspace_id, w.webhook_id)
        ORDER BY d.workspace_id, d.webhook_id LIMIT 1) n
  ), due AS (
    SELECT h.workspace_id, h.id AS webhook_id
      FROM waiting w
      JOIN public.webhooks h ON h.workspace_id = w.workspace_id AND h.id = w.webhook_id
     WHERE h.active AND h.removed_at IS NULL AND (h.rests_until IS NULL OR h.rests_until <= now())
       AND EXISTS (SELECT FROM public.webhook_deliveries d
                    WHERE d.workspace_id = h.workspace_id AND d.webhook_id = h.id AND d.state = 'pending' AND d.next_try <= now())
  ), queued AS (
    INSERT INTO public.jobs AS j (workspace_id, queue, kind, payload, once, run_at)
    SELECT workspace_id, 'notifications', 'webhook:deliver', jsonb_build_object('webhook', webhook_id), 'webhook:' || webhook_id, now() FROM due
    ON CONFLICT (workspace_id, once) DO UPDATE SET state = 'queued', attempts = 0, run_at = now(), finished_at = NULL, error = NULL
     WHERE j.state IN ('succeeded', 'dead')
    RETURNING 1)
  SELECT count(*) INTO total FROM queued;
  RETURN total;
END $$;

-- ---- what a story's reply shows
-- As before (0014), in PL/pgSQL: a function in SQL that cannot be inlined is parsed
-- and planned in every statement that calls it, which took a third of a PATCH.
CREATE OR REPLACE FUNCTION gnomon.labels_of(ids uuid[]) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF ids = '{}' THEN RETURN '[]'; END IF;
  RETURN (SELECT coalesce(jsonb_agg(jsonb_build_object('id', l.id, 'name', l.name, 'colour', l.colour) ORDER BY lower(l.name), l.id), '[]')
            FROM public.labels l WHERE l.workspace_id = gnomon.workspace() AND l.id = ANY (ids));
END $$;
CREATE OR REPLACE FUNCTION gnomon.tasks_of(story uuid) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN (SELECT coalesce(jsonb_agg(jsonb_build_object('id', t.id, 'title', t.title, 'status', t.status, 'estimate', t.estimate,
                                                       'assignee', CASE WHEN u.id IS NOT NULL THEN jsonb_build_object('id', u.id, 'name', u.name) END,
                                                       'version', t.version) ORDER BY t.position, t.id), '[]')
            FROM asof.tasks t LEFT JOIN public.users u ON u.id = t.assignee_id   -- as they are, or were
           WHERE t.workspace_id = gnomon.workspace() AND t.story_id = story AND t.deleted_at IS NULL);
END $$;
-- The same of numbers (0003), of which every new story takes one.
CREATE OR REPLACE FUNCTION gnomon.next_number(workspace uuid, scope uuid, what text, given integer) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE n integer;
BEGIN
  INSERT INTO public.counters AS c (workspace_id, scope_id, kind, last)
  VALUES (workspace, scope, what, coalesce(given, 1))
  ON CONFLICT (workspace_id, scope_id, kind)
  DO UPDATE SET last = greatest(c.last + (given IS NULL)::integer, coalesce(given, 0))
  RETURNING coalesce(given, last) INTO n;
  RETURN n;
END $$;

-- ---- an order of many
-- As before (0014), but that each story and each place is looked for by itself: of
-- "= ANY" the planner makes a condition of the index or a filter over the whole
-- column, as it guesses how many there are, and the filter is five hundred times
-- the column. Two of the stories given that share a place are seen, too.
CREATE OR REPLACE FUNCTION gnomon.reorder_stories(ids uuid[]) RETURNS SETOF stories LANGUAGE plpgsql AS $$
DECLARE
  ws constant uuid := gnomon.workspace();
  prj constant uuid := gnomon.project();
  places bigint[];
  column_ text;
  n integer;
  lost integer;
BEGIN
  PERFORM gnomon.hold_order();
  PERFORM FROM (SELECT DISTINCT g.id FROM unnest(ids) AS g (id) ORDER BY g.id) g
    CROSS JOIN LATERAL (SELECT FROM public.stories s WHERE s.workspace_id = ws AND s.project_id = prj AND s.id = g.id FOR NO KEY UPDATE) s;
  SELECT array_agg(s.position ORDER BY s.position, s.id), min(s.status), count(DISTINCT s.status)
    INTO places, column_, n
    FROM (SELECT DISTINCT g.id FROM unnest(ids) AS g (id)) g
   CROSS JOIN LATERAL (SELECT * FROM public.stories s
                        WHERE s.workspace_id = ws AND s.project_id = prj AND s.id = g.id AND s.deleted_at IS NULL OFFSET 0) s;
  IF cardinality(places) IS DISTINCT FROM cardinality(ids) THEN
    SELECT g.nth - 1 INTO lost FROM unnest(ids) WITH ORDINALITY AS g (id, nth)
     WHERE NOT EXISTS (SELECT FROM public.stories s WHERE s.workspace_id = ws AND s.project_id = prj AND s.id = g.id AND s.deleted_at IS NULL)
     ORDER BY g.nth LIMIT 1;
    PERFORM gnomon.refuse('validation_failed', format('/ids/%s: There is no such story in this project.', coalesce(lost, 0)));
  END IF;
  IF n <> 1 THEN
    PERFORM gnomon.refuse('validation_failed', '/ids: Stories of one column have an order; these are in several.');
  END IF;
  IF (SELECT count(*) FROM unnest(places) AS g (place)
       CROSS JOIN LATERAL (SELECT FROM public.stories s
                            WHERE s.workspace_id = ws AND s.project_id = prj AND s.status = column_ AND s.deleted_at IS NULL AND s.position = g.place OFFSET 0) s)
     <> cardinality(ids) THEN     -- two share a place: the whole column gets new ones
    PERFORM FROM public.stories s
      WHERE s.workspace_id = ws AND s.project_id = prj AND s.status = column_ AND s.deleted_at IS NULL ORDER BY s.id FOR NO KEY UPDATE;
    RETURN QUERY
    WITH slots AS (
      SELECT c.id, row_number() OVER (ORDER BY c.position, c.id) * 1048576 AS place, c.id = ANY (ids) AS ours
        FROM public.stories c
       WHERE c.workspace_id = ws AND c.project_id = prj AND c.status = column_ AND c.deleted_at IS NULL
    ), ours AS (
      SELECT s.place, row_number() OVER (ORDER BY s.place) AS nth FROM slots s WHERE s.ours
    ), goal AS (
      SELECT g.id, o.place FROM unnest(ids) WITH ORDINALITY AS g (id, nth) JOIN ours o ON o.nth = g.nth
      UNION ALL SELECT s.id, s.place FROM slots s WHERE NOT s.ours
    ), moved AS (
      UPDATE public.stories s SET position = g.place FROM goal g WHERE s.workspace_id = ws AND s.id = g.id RETURNING s.*)
    SELECT m.* FROM moved m WHERE m.id = ANY (ids) ORDER BY m.position;
    RETURN;
  END IF;
  RETURN QUERY
  WITH moved AS (
    UPDATE public.stories s SET position = g.place
      FROM unnest(ids, places) AS g (id, place) WHERE s.workspace_id = ws AND s.id = g.id RETURNING s.*)
  SELECT m.* FROM moved m ORDER BY m.position;
END $$;

-- ---- the history of an order
-- A new order changes hundreds of places and nothing else: where that is all, the
-- other fields are compared at once, not one by one. Of a table without places the
-- trigger stays as it is.
CREATE FUNCTION gnomon.track_order(updated text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  made constant text := pg_get_functiondef(('gnomon.' || quote_ident(updated))::regproc);
  others constant text[] := ARRAY(SELECT m[1] FROM regexp_matches(made, '\(''(\w+)'', CASE WHEN o\.', 'g') m WHERE m[1] <> 'position');
BEGIN
  IF strpos(made, '(''position'', CASE WHEN o.') = 0 OR strpos(made, 'jsonb_build_object(''position''') > 0 OR others = '{}' THEN RETURN; END IF;
  EXECUTE regexp_replace(regexp_replace(made, 'SELECT jsonb_object_agg\(f\.name, f\.change\) AS changes', format(
            'SELECT CASE WHEN o.position IS DISTINCT FROM r.position AND (%s) IS NOT DISTINCT FROM (%s) THEN jsonb_build_object(''position'', jsonb_build_array(o.position, r.position)) ELSE (SELECT jsonb_object_agg(f.name, f.change)',
            (SELECT string_agg(format('o.%I', f), ', ') FROM unnest(others) f), (SELECT string_agg(format('r.%I', f), ', ') FROM unnest(others) f))),
            'WHERE f\.change IS NOT NULL\) AS d', 'WHERE f.change IS NOT NULL) END AS changes OFFSET 0) AS d');
END $$;
ALTER FUNCTION gnomon.track(regclass, text, text, text[], text[]) RENAME TO track_fields;
CREATE FUNCTION gnomon.track(watched regclass, entity text, scope text, fields text[], moves text[] DEFAULT '{}') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM gnomon.track_fields(watched, entity, scope, fields, moves);
  PERFORM gnomon.track_order('track_' || (SELECT relname FROM pg_class WHERE oid = watched) || '_update');
END $$;
SELECT gnomon.track_order(p.proname) FROM pg_proc p
 WHERE p.pronamespace = 'gnomon'::regnamespace AND p.proname ~ '^track_.*_update$' ORDER BY p.proname;

-- ---- looking at the queue
-- As before (0012), in PL/pgSQL: each lane asks twice a second, and planning it was
-- nine tenths of the answer.
CREATE OR REPLACE FUNCTION gnomon.claim_job(kinds text[], except_kinds text[], as_worker text, lease interval)
RETURNS TABLE (workspace_id uuid, id uuid, queue text, kind text, payload jsonb, fence bigint, attempts integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
  UPDATE public.jobs j SET state = 'dead', error = coalesce(j.error, 'the worker was lost'), finished_at = now()
   WHERE (j.workspace_id, j.id) IN (
     SELECT d.workspace_id, d.id FROM public.jobs d
      WHERE d.state = 'running' AND d.lease_until < now() AND d.attempts >= d.max_attempts
        FOR UPDATE SKIP LOCKED);
  RETURN QUERY
  UPDATE public.jobs j
     SET state = 'running', fence = j.fence + 1, attempts = j.attempts + 1, worker = as_worker,
         lease_until = clock_timestamp() + lease
   WHERE (j.workspace_id, j.id) = (
     SELECT d.workspace_id, d.id FROM public.jobs d
      WHERE d.state IN ('queued', 'running') AND d.run_at <= now()
        AND (d.state = 'queued' OR d.lease_until < now() AND d.attempts < d.max_attempts)
        AND (kinds IS NULL OR d.kind = ANY (kinds))
        AND (except_kinds IS NULL OR d.kind <> ALL (except_kinds))
      ORDER BY d.run_at
        FOR UPDATE SKIP LOCKED LIMIT 1)
  RETURNING j.workspace_id, j.id, j.queue, j.kind, j.payload, j.fence, j.attempts;
END $$;
