-- Revisions and events: every state has a name, every change a row.
--
-- A project (or a workspace, for what belongs to no project) has a revision.
-- A statement that changes tracked rows takes the revision's row lock, adds
-- one, and appends an event per changed row. Because the lock is held until
-- commit, commit order is revision order: a reader takes everything above the
-- revision it knows and misses nothing.

CREATE TABLE revisions (
  workspace_id uuid NOT NULL REFERENCES workspaces,
  scope_id     uuid NOT NULL,           -- a project's id, or the workspace's
  rev          bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (workspace_id, scope_id)
) WITH (fillfactor = 50);               -- so that every bump stays on its page

-- False when the reader has this very state: one of the revisions it knows is
-- that of the scope entered. A statement with it as a condition is then not
-- run at all (a one-time filter).
CREATE FUNCTION gnomon.changed(known bigint[]) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT coalesce(nullif(pg_catalog.current_setting('gnomon.rev', true), '')::bigint <> ALL (known), true) $$;
GRANT EXECUTE ON FUNCTION gnomon.changed TO gnomon_web, gnomon_worker;

CREATE TABLE events (
  workspace_id uuid NOT NULL,
  scope_id     uuid NOT NULL,
  rev          bigint NOT NULL,
  entity_type  text COLLATE "C" NOT NULL,
  entity_id    uuid NOT NULL,
  action       text COLLATE "C" NOT NULL CHECK (action IN ('created', 'updated', 'deleted', 'moved')),
  changes      jsonb NOT NULL,          -- {"field": [old, new], …}
  actor_id     uuid,                    -- NULL: the system
  ai_triggered boolean NOT NULL DEFAULT false,
  transaction  bigint NOT NULL,         -- feeds group by it
  created_at   timestamptz NOT NULL,
  PRIMARY KEY (workspace_id, scope_id, rev, entity_id, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX events_entity ON events (workspace_id, entity_id, rev);
CREATE TABLE events_other PARTITION OF events DEFAULT;
-- Partitions are reached through events and its policy; by name, by nobody.
ALTER TABLE events_other ENABLE ROW LEVEL SECURITY;

-- Makes the monthly partitions of a partitioned table that cover a span. What
-- lies in the default partition of a month that comes late moves to its own.
CREATE FUNCTION gnomon.cover(parent regclass, since timestamptz, until timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE m timestamp := date_trunc('month', since AT TIME ZONE 'UTC');
        name text; key text; rest regclass; part text; low timestamptz; high timestamptz;
BEGIN
  SELECT c.relname, a.attname, p.partdefid INTO name, key, rest
    FROM pg_partitioned_table p
    JOIN pg_class c ON c.oid = p.partrelid
    JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
   WHERE p.partrelid = parent;
  WHILE m <= until AT TIME ZONE 'UTC' LOOP
    part := format('%s_%s', name, to_char(m, 'YYYYMM'));
    low := m AT TIME ZONE 'UTC';
    m := m + interval '1 month';
    high := m AT TIME ZONE 'UTC';
    CONTINUE WHEN to_regclass('public.' || part) IS NOT NULL;
    EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', rest);   -- nothing may arrive there meanwhile
    EXECUTE format('CREATE TABLE public.%I (LIKE %s INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', part, parent);
    EXECUTE format('WITH moved AS (DELETE FROM %1$s WHERE %2$I >= %3$L AND %2$I < %4$L RETURNING *) INSERT INTO public.%5$I SELECT * FROM moved',
                   rest, key, low, high, part);
    EXECUTE format('ALTER TABLE %s ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)', parent, part, low, high);
    EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', part);
  END LOOP;
END $$;
GRANT EXECUTE ON FUNCTION gnomon.cover TO gnomon_worker;

-- Numbers people say (AC-311, I-1042): a counter per scope and kind. Never a
-- sequence: a workspace must be able to move to another cluster.
CREATE TABLE counters (
  workspace_id uuid NOT NULL REFERENCES workspaces,
  scope_id     uuid NOT NULL,
  kind         text COLLATE "C" NOT NULL,
  last         integer NOT NULL,
  PRIMARY KEY (workspace_id, scope_id, kind)
) WITH (fillfactor = 50);

-- The next number, or the one given (an import keeps its own) remembered. Only
-- the triggers call it, as the owner: nobody can count for another tenant.
CREATE FUNCTION gnomon.next_number(workspace uuid, scope uuid, what text, given integer) RETURNS integer
LANGUAGE sql AS $$
  INSERT INTO public.counters AS c (workspace_id, scope_id, kind, last)
  VALUES (workspace, scope, what, coalesce(given, 1))
  ON CONFLICT (workspace_id, scope_id, kind)
  DO UPDATE SET last = greatest(c.last + (given IS NULL)::integer, coalesce(given, 0))
  RETURNING coalesce(given, last)
$$;

CREATE FUNCTION gnomon.number_in_project() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  NEW.number := gnomon.next_number(NEW.workspace_id, NEW.project_id, TG_TABLE_NAME, NEW.number);
  RETURN NEW;
END $$;

CREATE FUNCTION gnomon.number_in_workspace() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  NEW.number := gnomon.next_number(NEW.workspace_id, NEW.workspace_id, TG_TABLE_NAME, NEW.number);
  RETURN NEW;
END $$;

-- A new scope begins at revision 0.
CREATE FUNCTION gnomon.new_scope() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO public.revisions (workspace_id, scope_id)
  VALUES (CASE TG_TABLE_NAME WHEN 'workspaces' THEN NEW.id
          ELSE (to_jsonb(NEW) ->> 'workspace_id')::uuid END, NEW.id);
  RETURN NULL;
END $$;
CREATE TRIGGER a_scope AFTER INSERT ON workspaces FOR EACH ROW EXECUTE FUNCTION gnomon.new_scope();

-- The version counts edits of a row, whatever the statement says; updated_at
-- follows the clock. A change of nothing keeps both.
CREATE FUNCTION gnomon.next_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.version := OLD.version;
  NEW.updated_at := OLD.updated_at;
  IF NEW IS DISTINCT FROM OLD THEN
    NEW.version := OLD.version + 1;
    NEW.updated_at := gnomon.now();
  END IF;
  RETURN NEW;
END $$;

-- Generates the two triggers that watch a table. Per table, because naming
-- the columns costs a quarter of comparing whole rows as jsonb.
--   entity   the event's entity_type
--   scope    the expression for the scope, over a row called r
--   fields   the columns whose changes are history
--   moves    those of them whose change is a move rather than an update
CREATE FUNCTION gnomon.track(watched regclass, entity text, scope text, fields text[], moves text[] DEFAULT '{}')
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  body constant text := $body$
CREATE FUNCTION gnomon.%1$I() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
BEGIN
  IF NOT EXISTS (SELECT FROM new_rows) THEN RETURN NULL; END IF;
  WITH changed AS MATERIALIZED (
    SELECT r.workspace_id, %2$s AS scope_id, r.id, %3$s AS action, d.changes
      FROM %4$s
     CROSS JOIN LATERAL (
       SELECT jsonb_object_agg(f.name, f.change) AS changes
         FROM (VALUES %5$s) AS f (name, change)
        WHERE f.change IS NOT NULL) AS d
     WHERE d.changes IS NOT NULL
  ), locked AS MATERIALIZED (   -- in one order, so that two statements over several projects cannot deadlock
    SELECT v.workspace_id, v.scope_id
      FROM public.revisions v
     WHERE (v.workspace_id, v.scope_id) IN (SELECT workspace_id, scope_id FROM changed)
     ORDER BY v.workspace_id, v.scope_id
       FOR NO KEY UPDATE
  ), bumped AS (
    UPDATE public.revisions v SET rev = v.rev + 1
      FROM locked l
     WHERE v.workspace_id = l.workspace_id AND v.scope_id = l.scope_id
    RETURNING v.workspace_id, v.scope_id, v.rev
  )
  INSERT INTO public.events (workspace_id, scope_id, rev, entity_type, entity_id, action, changes,
                             actor_id, ai_triggered, transaction, created_at)
  SELECT c.workspace_id, c.scope_id, b.rev, %6$L, c.id, c.action, c.changes,
         gnomon.actor(), gnomon.ai_triggered(), txid_current(), gnomon.now()
    FROM changed c JOIN bumped b USING (workspace_id, scope_id);
  RETURN NULL;
END $f$
$body$;
  name text := (SELECT relname FROM pg_class WHERE oid = watched);
  gone text := (SELECT attname FROM pg_attribute
                 WHERE attrelid = watched AND attname IN ('deleted_at', 'removed_at'));
  what text := concat(
    CASE WHEN gone IS NOT NULL THEN format(' WHEN r.%1$I IS NOT NULL AND o.%1$I IS NULL THEN ''deleted''', gone) END,
    (SELECT string_agg(format(' WHEN o.%1$I IS DISTINCT FROM r.%1$I THEN ''moved''', m), '') FROM unnest(moves) m));
  created text := 'track_' || name || '_insert';
  updated text := 'track_' || name || '_update';
BEGIN
  EXECUTE format(body, created, scope, '''created''', 'new_rows r',
    (SELECT string_agg(format('(%L, CASE WHEN r.%I IS NOT NULL THEN jsonb_build_array(NULL, r.%I) END)', f, f, f), ', ')
       FROM unnest(fields) f), entity);
  EXECUTE format(body, updated, scope,
    CASE what WHEN '' THEN '''updated''' ELSE 'CASE' || what || ' ELSE ''updated'' END' END,
    'new_rows r JOIN old_rows o ON o.workspace_id = r.workspace_id AND o.id = r.id',
    (SELECT string_agg(format('(%L, CASE WHEN o.%I IS DISTINCT FROM r.%I THEN jsonb_build_array(o.%I, r.%I) END)', f, f, f, f, f), ', ')
       FROM unnest(fields) f), entity);
  EXECUTE format('CREATE TRIGGER track_insert AFTER INSERT ON %s REFERENCING NEW TABLE AS new_rows
                  FOR EACH STATEMENT EXECUTE FUNCTION gnomon.%I()', watched, created);
  EXECUTE format('CREATE TRIGGER track_update AFTER UPDATE ON %s REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
                  FOR EACH STATEMENT EXECUTE FUNCTION gnomon.%I()', watched, updated);
END $$;

-- Idempotency keys: what a keyed write answered, stored with its effect.
CREATE TABLE idempotency_keys (
  workspace_id uuid NOT NULL REFERENCES workspaces,
  user_id      uuid NOT NULL,
  key          text NOT NULL CHECK (length(key) BETWEEN 1 AND 300),
  request      text COLLATE "C" NOT NULL,     -- hash of endpoint, path and body
  status       integer NOT NULL,
  reply        text NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT pg_catalog.now(),
  PRIMARY KEY (workspace_id, user_id, key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

-- Stands before a keyed write: lets it pass the first time, and refuses it
-- while another one with the key is under way, when the key belongs to another
-- request, and (replayed) when it was done before.
CREATE FUNCTION gnomon.once(of_key text, of_request text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE known text;
BEGIN
  IF NOT pg_try_advisory_xact_lock(hashtextextended(concat_ws(' ', gnomon.workspace(), gnomon.actor(), of_key), 0)) THEN
    PERFORM gnomon.refuse('in_flight');
  END IF;
  SELECT k.request INTO known FROM public.idempotency_keys k
   WHERE k.workspace_id = gnomon.workspace() AND k.user_id = gnomon.actor() AND k.key = of_key;
  IF known <> of_request THEN PERFORM gnomon.refuse('idempotency_key_reused'); END IF;
  IF known IS NOT NULL THEN PERFORM gnomon.refuse('replayed'); END IF;
END $$;

CREATE FUNCTION gnomon.remember_once(of_key text, of_request text, of_status integer, of_reply text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO public.idempotency_keys (workspace_id, user_id, key, request, status, reply)
  VALUES (gnomon.workspace(), gnomon.actor(), of_key, of_request, of_status, of_reply)
$$;

CREATE FUNCTION gnomon.recall_once(of_key text) RETURNS TABLE (status integer, reply text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT status, reply FROM public.idempotency_keys
   WHERE workspace_id = gnomon.workspace() AND user_id = gnomon.actor() AND key = of_key
$$;

-- Keys are kept for a day; at most 10,000 go in one call.
CREATE FUNCTION gnomon.forget_once() RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  WITH old AS (
    DELETE FROM public.idempotency_keys
     WHERE ctid = ANY (ARRAY(SELECT ctid FROM public.idempotency_keys WHERE created_at < now() - interval '1 day' LIMIT 10000))
    RETURNING 1)
  SELECT count(*) FROM old
$$;
GRANT EXECUTE ON FUNCTION gnomon.once, gnomon.remember_once, gnomon.recall_once TO gnomon_web;
GRANT EXECUTE ON FUNCTION gnomon.forget_once TO gnomon_worker;
SELECT gnomon.wall('idempotency_keys');

SELECT gnomon.wall('revisions', 'events', 'counters');
GRANT SELECT ON revisions, events TO gnomon_web, gnomon_worker;
GRANT EXECUTE ON FUNCTION gnomon.next_version TO gnomon_web, gnomon_worker;
SELECT gnomon.cover('events', now() - interval '13 months', now() + interval '3 months');
