-- History that people and programs read: what an event says in words, how the
-- feed finds its rows, and the past by revision.

-- ---- the feed
-- Events of one transaction stand together (a scope's revision stays locked
-- until the transaction ends), so a bulk change is one entry. In a replay, which
-- moves the clock within one transaction, each moment is an entry of its own.
CREATE INDEX events_transaction ON events (workspace_id, scope_id, transaction, created_at, rev, entity_id);
-- The filters of the feed, each in its order.
CREATE INDEX events_actor ON events (workspace_id, scope_id, actor_id, rev, entity_id);
CREATE INDEX events_type ON events (workspace_id, scope_id, entity_type, rev, entity_id);
CREATE INDEX events_action ON events (workspace_id, scope_id, action, rev, entity_id);

-- ---- what things are called
-- What people know an entity by: its key when it has one, its name, and where its
-- page is below /w/{ws}/. PL/pgSQL, because its statements are looked at only when
-- they run: each kind has its table in a migration of its own.
CREATE FUNCTION gnomon.known_as(type text, entity uuid, OUT key text, OUT name text, OUT path text)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
BEGIN
  CASE type
  WHEN 'story' THEN
    SELECT p.key || '-' || s.number, s.title,
           CASE WHEN s.deleted_at IS NULL THEN format('p/%s/stories/%s-%s', p.key, p.key, s.number) END INTO known_as.key, known_as.name, known_as.path
      FROM public.stories s JOIN public.projects p ON p.workspace_id = s.workspace_id AND p.id = s.project_id
     WHERE s.workspace_id = gnomon.workspace() AND s.id = entity;
  WHEN 'project' THEN
    SELECT p.key, p.name, 'p/' || p.key INTO known_as.key, known_as.name, known_as.path
      FROM public.projects p WHERE p.workspace_id = gnomon.workspace() AND p.id = entity;
  WHEN 'epic' THEN
    SELECT e.title INTO known_as.name FROM public.epics e WHERE e.workspace_id = gnomon.workspace() AND e.id = entity;
  WHEN 'sprint' THEN
    SELECT s.name INTO known_as.name FROM public.sprints s WHERE s.workspace_id = gnomon.workspace() AND s.id = entity;
  WHEN 'sprint_item' THEN
    SELECT k.key, k.name, k.path INTO known_as.key, known_as.name, known_as.path
      FROM public.sprint_items i CROSS JOIN LATERAL gnomon.known_as('story', i.story_id) k
     WHERE i.workspace_id = gnomon.workspace() AND i.id = entity;
  WHEN 'dependency' THEN
    SELECT format('%s %s %s', coalesce(a.key, a.name), d.dependency_type, coalesce(b.key, b.name)) INTO known_as.name
      FROM public.dependencies d
     CROSS JOIN LATERAL gnomon.known_as(d.source_type, d.source_id) a
     CROSS JOIN LATERAL gnomon.known_as(d.target_type, d.target_id) b
     WHERE d.workspace_id = gnomon.workspace() AND d.id = entity;
  WHEN 'insight' THEN
    SELECT 'I-' || i.number, i.title, 'insights/I-' || i.number INTO known_as.key, known_as.name, known_as.path
      FROM public.agent_insights i WHERE i.workspace_id = gnomon.workspace() AND i.id = entity;
  ELSE
    NULL;
  END CASE;
  -- Anything else is known by its own history: the title or name it had last.
  IF known_as.name IS NULL THEN
    SELECT coalesce(e.changes #>> '{title,1}', e.changes #>> '{name,1}', e.changes #>> '{agent_key,1}') INTO known_as.name
      FROM public.events e
     WHERE e.workspace_id = gnomon.workspace() AND e.entity_id = entity AND e.entity_type = type
       AND e.changes ?| '{title,name,agent_key}'
     ORDER BY e.rev DESC LIMIT 1;
  END IF;
  known_as.name := coalesce(known_as.name, replace(type, '_', ' '));
END $$;

-- The name of what a field points at; NULL when it points at nothing we name.
CREATE FUNCTION gnomon.name_in(field text, value text) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE k record;
BEGIN
  IF value IS NULL OR field !~ '_id$' OR value !~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN RETURN NULL; END IF;
  CASE field
  WHEN 'epic_id' THEN k := gnomon.known_as('epic', value::uuid);
  WHEN 'sprint_id' THEN k := gnomon.known_as('sprint', value::uuid);
  WHEN 'story_id' THEN k := gnomon.known_as('story', value::uuid);
  WHEN 'project_id' THEN k := gnomon.known_as('project', value::uuid);
  WHEN 'objective_id' THEN k := gnomon.known_as('objective', value::uuid);
  WHEN 'source_id', 'target_id' THEN
    k := gnomon.known_as(CASE WHEN EXISTS (SELECT FROM public.epics e WHERE e.workspace_id = gnomon.workspace() AND e.id = value::uuid)
                              THEN 'epic' ELSE 'story' END, value::uuid);
  WHEN 'team_id' THEN
    RETURN (SELECT t.name FROM public.teams t WHERE t.workspace_id = gnomon.workspace() AND t.id = value::uuid);
  ELSE
    RETURN (SELECT u.name FROM public.users u WHERE u.id = value::uuid);
  END CASE;
  RETURN coalesce(k.key || ' ', '') || k.name;
END $$;

CREATE FUNCTION gnomon.camel(snake text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT lower(left(c.word, 1)) || substr(c.word, 2) FROM (SELECT replace(initcap(replace(snake, '_', ' ')), ' ', '') AS word) c $$;

-- The fields an event changed, with names beside ids:
-- [{"field": "assigneeId", "old": null, "new": "…", "oldName": null, "newName": "Mira Okafor"}, …]
CREATE FUNCTION gnomon.diff(changes jsonb) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT coalesce(jsonb_agg(jsonb_build_object('field', gnomon.camel(c.key), 'old', c.value -> 0, 'new', c.value -> 1)
           || CASE WHEN n.old IS NULL AND n.new IS NULL THEN '{}' ELSE jsonb_build_object('oldName', n.old, 'newName', n.new) END
           ORDER BY c.key), '[]')
    FROM jsonb_each(changes) c
   CROSS JOIN LATERAL (SELECT gnomon.name_in(c.key, c.value ->> 0) AS old, gnomon.name_in(c.key, c.value ->> 1) AS new) n
$$;

-- ---- what an event says
-- What somebody did, as words that follow a name; {it} stands where the entity
-- does: "moved {it} from ready to in progress, gave it to Jon Vale". NULL when
-- nothing changed that anybody would tell. The one home of these sentences.
CREATE FUNCTION gnomon.say_change(type text, entity uuid, action text, changes jsonb) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
  said text[] := '{}'; others text[] := '{}'; f text; was text; is_ text; sprint text; whole text; at integer;
BEGIN
  IF type = 'sprint_item' THEN
    SELECT s.name INTO sprint
      FROM public.sprint_items i JOIN public.sprints s ON s.workspace_id = i.workspace_id AND s.id = i.sprint_id
     WHERE i.workspace_id = gnomon.workspace() AND i.id = entity;
    RETURN CASE WHEN action = 'created' THEN format('added {it} to %s', sprint)
                WHEN action = 'deleted' THEN format('took {it} out of %s', sprint)
                WHEN changes ? 'removed_at' THEN format('put {it} back into %s', sprint)
                WHEN changes ? 'completed_at' OR changes ? 'final_estimate' THEN format('settled {it} in %s', sprint)
                ELSE format('changed the stay of {it} in %s', sprint) END;
  END IF;
  IF action = 'created' THEN
    RETURN CASE type WHEN 'dependency' THEN 'noted that {it}' WHEN 'comment' THEN 'wrote {it}' ELSE 'created {it}' END;
  ELSIF action = 'deleted' THEN
    RETURN CASE type WHEN 'dependency' THEN 'took back that {it}' ELSE 'deleted {it}' END;
  END IF;
  FOR f, was, is_ IN
    SELECT c.key, c.value ->> 0, c.value ->> 1 FROM jsonb_each(changes) c
     ORDER BY array_position('{status,state,archived_at,deleted_at,removed_at,assignee_id,owner_id,owner_user_id,estimate,priority}', c.key), c.key
  LOOP
    CASE f
    WHEN 'status' THEN
      said := said || CASE WHEN type = 'sprint' AND is_ = 'active' THEN 'started {it}'
                           WHEN type = 'sprint' AND is_ = 'completed' THEN 'completed {it}'
                           ELSE format('moved {it} from %s to %s', replace(was, '_', ' '), replace(is_, '_', ' ')) END;
    WHEN 'state' THEN
      said := said || CASE is_ WHEN 'open' THEN 'reopened {it}' ELSE replace(is_, '_', ' ') || ' {it}' END;
    WHEN 'archived_at' THEN
      said := said || CASE WHEN is_ IS NULL THEN 'took {it} out of the archive' ELSE 'archived {it}' END;
    WHEN 'deleted_at', 'removed_at' THEN
      said := said || CASE WHEN is_ IS NULL THEN 'restored {it}' ELSE 'deleted {it}' END;
    WHEN 'assignee_id' THEN
      said := said || CASE WHEN is_ IS NULL THEN format('took {it} from %s', coalesce(gnomon.name_in(f, was), 'somebody'))
                           ELSE format('gave {it} to %s', coalesce(gnomon.name_in(f, is_), 'somebody')) END;
    WHEN 'owner_id', 'owner_user_id' THEN
      said := said || CASE WHEN is_ IS NULL THEN 'left {it} without an owner'
                           ELSE format('made %s the owner of {it}', coalesce(gnomon.name_in(f, is_), 'somebody')) END;
    WHEN 'estimate' THEN
      said := said || CASE WHEN is_ IS NULL THEN 'took the estimate off {it}'
                           WHEN was IS NULL THEN format('estimated {it} at %s', gnomon.say(is_::numeric, 'point', 'points'))
                           ELSE format('changed the estimate of {it} from %s to %s', gnomon.say(was::numeric), gnomon.say(is_::numeric)) END;
    WHEN 'priority', 'severity' THEN
      said := said || format('changed the %s of {it} from %s to %s', f, was, is_);
    WHEN 'due_date' THEN
      said := said || CASE WHEN is_ IS NULL THEN 'took the due date off {it}'
                           ELSE format('set the due date of {it} to %s', to_char(is_::date, 'FMDD FMMonth YYYY')) END;
    WHEN 'start_date', 'end_date' THEN
      said := said || format('moved the %s of {it} to %s', split_part(f, '_', 1), to_char(is_::date, 'FMDD FMMonth YYYY'));
    WHEN 'title', 'name' THEN
      said := said || format('renamed {it} from "%s" to "%s"', was, is_);
    WHEN 'description', 'acceptance_criteria', 'body' THEN
      IF NOT 'edited the text of {it}' = ANY (said) THEN said := said || 'edited the text of {it}'::text; END IF;
    WHEN 'epic_id', 'objective_id' THEN
      said := said || CASE WHEN is_ IS NULL THEN format('took {it} out of %s', coalesce(gnomon.name_in(f, was), 'its ' || split_part(f, '_', 1)))
                           ELSE format('put {it} into %s', coalesce(gnomon.name_in(f, is_), 'an ' || split_part(f, '_', 1))) END;
    WHEN 'team_id' THEN
      said := said || CASE WHEN is_ IS NULL THEN 'took {it} from its team'
                           ELSE format('gave {it} to the team %s', coalesce(gnomon.name_in(f, is_), '')) END;
    WHEN 'is_private' THEN
      said := said || CASE WHEN is_ = 'true' THEN 'made {it} private' ELSE 'opened {it} to the workspace' END;
    WHEN 'enabled' THEN
      said := said || CASE WHEN is_ = 'true' THEN 'switched {it} on' ELSE 'switched {it} off' END;
    WHEN 'position', 'status_since', 'started_at', 'completed_at' THEN
      NULL;                             -- follow from what else was done
    ELSE
      others := others || ('the ' || replace(regexp_replace(f, '_id$', ''), '_', ' '));
    END CASE;
  END LOOP;
  IF cardinality(others) > 0 THEN said := said || format('changed %s of {it}', gnomon.say_list(others)); END IF;
  IF cardinality(said) = 0 THEN
    RETURN CASE WHEN changes ? 'position' THEN 'moved {it} in the order' END;
  END IF;
  whole := gnomon.say_list(said);
  at := position('{it}' IN whole) + 3;
  RETURN left(whole, at) || replace(substr(whole, at + 1), '{it}', 'it');
END $$;

-- What was done to many at once: "reordered 50 stories".
CREATE FUNCTION gnomon.say_many(type text, action text, reorders boolean, n bigint) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
SELECT CASE WHEN type = 'sprint_item' AND action = 'created' THEN 'added'
            WHEN type = 'sprint_item' AND action = 'deleted' THEN 'took out'
            WHEN action = 'moved' AND reorders THEN 'reordered'
            WHEN action = 'updated' THEN 'changed' ELSE action END || ' ' ||
       gnomon.say(n, replace(type, '_', ' '), CASE WHEN type ~ '[^aeiou]y$' THEN regexp_replace(replace(type, '_', ' '), 'y$', 'ies')
                                                   ELSE replace(type, '_', ' ') || 's' END)
$$;

-- Stops with not_found when the project entered has no history of such an entity.
CREATE FUNCTION gnomon.has_history(type text, entity uuid, scope uuid) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM public.events e
                  WHERE e.workspace_id = gnomon.workspace() AND e.entity_id = entity AND e.entity_type = type AND e.scope_id = scope) THEN
    PERFORM gnomon.refuse('not_found', 'no such entity');
  END IF;
  RETURN true;
END $$;

GRANT EXECUTE ON FUNCTION gnomon.known_as, gnomon.name_in, gnomon.camel, gnomon.diff, gnomon.say_change, gnomon.say_many,
  gnomon.has_history TO gnomon_web, gnomon_worker;

-- ---- the past by revision
-- Two changes can share a time, but not a revision: as of revision R is everything
-- that happened in the scope up to R and nothing after it. The views of asof know
-- three ways: the present, gnomon.as_of() (agents, over all projects), and
-- gnomon.as_of_rev() in the project entered.
CREATE FUNCTION gnomon.as_of_rev() RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT nullif(pg_catalog.current_setting('gnomon.as_of_rev', true), '')::bigint $$;
GRANT EXECUTE ON FUNCTION gnomon.as_of_rev TO gnomon_web, gnomon_worker;

-- Turns the transaction to the past of the project entered: a revision, a time
-- (RFC 3339), or, in the zone of the workspace, a day (its end) or a day and time.
-- The clock stands at that moment; the revision is what the document is one of.
CREATE FUNCTION gnomon.look_back(moment text, at_one boolean, OUT rev bigint, OUT at timestamptz) LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  scope constant uuid := coalesce(gnomon.project(), gnomon.workspace());
  newest constant bigint := current_setting('gnomon.rev')::bigint;
  zone constant text := (SELECT w.timezone FROM public.workspaces w WHERE w.id = gnomon.workspace());
  born_rev bigint; born_at timestamptz; ignored text;
BEGIN
  SELECT e.rev, e.created_at INTO born_rev, born_at FROM public.events e
   WHERE e.workspace_id = gnomon.workspace() AND e.scope_id = scope ORDER BY e.rev LIMIT 1;
  IF moment ~ '^\d+$' THEN
    rev := moment::bigint;
    IF rev > newest THEN
      PERFORM gnomon.refuse('validation_failed', format('asOf names revision %s; the newest is %s.', rev, newest));
    END IF;
  ELSE
    at := CASE WHEN moment ~ '^\d{4}-\d\d-\d\d$'
               THEN ((moment::date + 1)::timestamp AT TIME ZONE zone) - interval '1 microsecond'
               WHEN moment ~ '(Z|z|[+-]\d\d:\d\d)$' THEN moment::timestamptz
               ELSE moment::timestamp AT TIME ZONE zone END;
    IF moment ~ '^\d{4}-\d\d-\d\d$' AND moment::date = (now() AT TIME ZONE zone)::date THEN at := now(); END IF;
    IF at > now() THEN PERFORM gnomon.refuse('validation_failed', 'asOf lies in the future.'); END IF;
    SELECT e.rev INTO rev FROM public.events e
     WHERE e.workspace_id = gnomon.workspace() AND e.scope_id = scope AND e.created_at <= at ORDER BY e.rev DESC LIMIT 1;
  END IF;
  IF rev IS NULL OR rev < coalesce(born_rev, 1) THEN
    PERFORM gnomon.refuse('validation_failed', format('asOf lies before the project began: that was revision %s, at %s.',
      coalesce(born_rev, 1), coalesce(to_char(born_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'no time')));
  END IF;
  IF at IS NULL THEN
    SELECT e.created_at INTO at FROM public.events e
     WHERE e.workspace_id = gnomon.workspace() AND e.scope_id = scope AND e.rev = rev LIMIT 1;
  END IF;
  ignored := set_config('gnomon.as_of_rev', rev::text, true);
  ignored := set_config('gnomon.as_of_one', CASE WHEN at_one THEN 'on' ELSE '' END, true);
  ignored := set_config('gnomon.rev', rev::text, true);
  ignored := set_config('gnomon.clock', at::text, true);
END $$;
GRANT EXECUTE ON FUNCTION gnomon.look_back TO gnomon_web;

-- What happened to one entity after the revision: {"f": what each field was before,
-- "n": how many changes, "new": it was made after it}. NULL: nothing.
CREATE FUNCTION gnomon.changed_since(entity uuid) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT jsonb_build_object('f', jsonb_object_agg(c.key, c.value -> 0 ORDER BY e.rev DESC),
                            'n', count(DISTINCT e.rev) FILTER (WHERE e.changes - 'position' <> '{}'), 'new', bool_or(e.action = 'created'))
    FROM public.events e CROSS JOIN LATERAL jsonb_each(e.changes) c
   WHERE e.workspace_id = gnomon.workspace() AND e.entity_id = entity AND e.rev > gnomon.as_of_rev()
  HAVING count(*) > 0
$$;

-- The same of every entity of a type in the project entered, by id: one pass over the
-- events since, and each row finds its own in it. PL/pgSQL, so that it is planned by
-- itself: joined, the planner takes the aggregate for small and computes it per row.
CREATE FUNCTION gnomon.changed_since(type text) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE scope constant uuid := gnomon.project(); since constant bigint := gnomon.as_of_rev();
BEGIN
  RETURN (SELECT jsonb_object_agg(x.entity_id, x.o)
            FROM (SELECT e.entity_id, jsonb_build_object('f', jsonb_object_agg(c.key, c.value -> 0 ORDER BY e.rev DESC),
                                                         'n', count(DISTINCT e.rev) FILTER (WHERE e.changes - 'position' <> '{}'), 'new', bool_or(e.action = 'created')) AS o
                    FROM public.events e CROSS JOIN LATERAL jsonb_each(e.changes) c
                   WHERE e.workspace_id = gnomon.workspace() AND e.scope_id = scope AND e.rev > since AND e.entity_type = type
                   GROUP BY e.entity_id) x);
END $$;

-- Whether what is asked for is one thing (its path ends in a key) rather than lists.
CREATE FUNCTION gnomon.as_of_one() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT pg_catalog.current_setting('gnomon.as_of_one', true) = 'on' $$;
GRANT EXECUTE ON FUNCTION gnomon.changed_since(uuid), gnomon.changed_since(text), gnomon.as_of_one TO gnomon_web, gnomon_worker;

-- As before (0008), with a third branch: the past by revision. version and updated_at
-- are not history; they follow from how often and when it changed; a new place alone
-- is no change (0014).
CREATE OR REPLACE FUNCTION gnomon.make_asof(watched regclass, born text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE name text := (SELECT relname FROM pg_class WHERE oid = watched);
        fixed constant text[] := '{workspace_id,id,project_id,created_at}';
        entity text := (SELECT substring(p.prosrc FROM 'b\.rev, ''([a-z_]+)'', c\.id') FROM pg_proc p
                         WHERE p.pronamespace = 'gnomon'::regnamespace AND p.proname = 'track_' || name || '_insert');
        columns text; counted text;
BEGIN
  SELECT string_agg(format('%s.%I', CASE WHEN attname = ANY (fixed) THEN 't' ELSE 'r' END, attname), ', ' ORDER BY attnum),
         string_agg(CASE attname
           WHEN 'version' THEN 't.version - coalesce((o.o ->> ''n'')::integer, 0) AS version'
           WHEN 'updated_at' THEN 'CASE WHEN o.o IS NULL THEN t.updated_at ELSE (SELECT e.created_at FROM public.events e WHERE e.workspace_id = t.workspace_id AND e.entity_id = t.id AND e.rev <= gnomon.as_of_rev() AND e.changes - ''position'' <> ''{}'' ORDER BY e.rev DESC LIMIT 1) END AS updated_at'
           ELSE format('%s.%I', CASE WHEN attname = ANY (fixed) THEN 't' ELSE 'r' END, attname) END, ', ' ORDER BY attnum)
    INTO columns, counted
    FROM pg_attribute WHERE attrelid = watched AND attnum > 0 AND NOT attisdropped;
  EXECUTE format($v$
    CREATE VIEW asof.%1$I WITH (security_invoker = true) AS
    SELECT t.* FROM public.%1$I t WHERE gnomon.as_of() IS NULL AND gnomon.as_of_rev() IS NULL
    UNION ALL
    SELECT %2$s
      FROM public.%1$I t
     CROSS JOIN LATERAL jsonb_populate_record(t, gnomon.fields_then(t.id, gnomon.as_of())) r
     WHERE gnomon.as_of() IS NOT NULL AND %3$s.%4$I <= gnomon.as_of()
       AND NOT EXISTS (SELECT FROM public.events e
                        WHERE e.workspace_id = t.workspace_id AND e.entity_id = t.id AND e.action = 'created'
                          AND e.created_at > gnomon.as_of())
    UNION ALL
    SELECT %5$s
      FROM public.%1$I t
     CROSS JOIN LATERAL (SELECT CASE WHEN gnomon.as_of_one() THEN gnomon.changed_since(t.id)
                                     ELSE (SELECT gnomon.changed_since(%6$L::text)) -> t.id::text END OFFSET 0) o (o)
     CROSS JOIN LATERAL jsonb_populate_record(t, coalesce(o.o -> 'f', '{}')) r
     WHERE gnomon.as_of_rev() IS NOT NULL AND gnomon.as_of() IS NULL AND (o.o ->> 'new')::boolean IS NOT TRUE $v$,
    name, columns, CASE WHEN born = ANY (fixed) THEN 't' ELSE 'r' END, born, counted, entity);
  EXECUTE format('GRANT SELECT ON asof.%I TO gnomon_web, gnomon_worker', name);
END $$;

-- Every view of the past there is, made anew. A row came to be when it was added, where
-- it says so.
DO $$
DECLARE v record;
BEGIN
  FOR v IN SELECT t.oid::regclass AS watched,
                  CASE WHEN EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attname = 'added_at' AND NOT a.attisdropped)
                       THEN 'added_at' ELSE 'created_at' END AS born
             FROM pg_class p JOIN pg_class t ON t.relname = p.relname AND t.relnamespace = 'public'::regnamespace AND t.relkind = 'r'
            WHERE p.relnamespace = 'asof'::regnamespace AND p.relkind = 'v'
              AND EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = t.oid AND g.tgname = 'track_insert')
            ORDER BY p.oid LOOP
    PERFORM gnomon.remake_asof(v.watched, v.born);
  END LOOP;
END $$;

-- The event log up to the moment.
CREATE OR REPLACE VIEW asof.events WITH (security_invoker = true) AS
SELECT * FROM public.events
 WHERE (gnomon.as_of() IS NULL OR created_at <= gnomon.as_of())
   AND (gnomon.as_of_rev() IS NULL OR scope_id = gnomon.project() AND rev <= gnomon.as_of_rev());

-- Which story waited for which.
CREATE VIEW asof.story_waits WITH (security_invoker = true) AS
SELECT d.workspace_id, d.project_id, d.target_id AS story_id, d.source_id AS blocker_id, d.created_at
  FROM asof.dependencies d
 WHERE d.dependency_type = 'blocks' AND d.source_type = 'story' AND d.target_type = 'story' AND d.removed_at IS NULL
UNION ALL
SELECT d.workspace_id, d.project_id, d.source_id, d.target_id, d.created_at
  FROM asof.dependencies d
 WHERE d.dependency_type = 'requires' AND d.source_type = 'story' AND d.target_type = 'story' AND d.removed_at IS NULL;
GRANT SELECT ON asof.story_waits TO gnomon_web, gnomon_worker;

-- ---- a workspace as a file
-- What gnomonctl export writes and import reads (src/ctl/export.c has the format).
-- These run as whoever operates the database, never as a running process: nobody
-- else may call them. Which tables there are is what the catalog says; what does not
-- travel is named here, with its reason.
CREATE FUNCTION gnomon.left_out() RETURNS TABLE (name text, field text, reason text) LANGUAGE sql IMMUTABLE AS $$
VALUES ('workspaces', 'id', 'the file is of no workspace in particular'),
       ('workspaces', 'slug', 'the address is the choice of whoever imports'),
       ('idempotency_keys', NULL, 'answers to be repeated, kept for a day'),
       ('jobs', NULL, 'work under way belongs to the installation'),
       ('audit_log', 'hash', 'the chain covers the id of the workspace; it is made anew from the entries'),
       ('invitations', NULL, 'links under the seal of the installation'),
       ('webhooks', NULL, 'their secrets, and addresses that would be told twice'),
       ('webhook_secrets', NULL, 'secrets, encrypted with the key of the installation'),
       ('webhook_deliveries', NULL, 'what was sent belongs to the webhooks'),
       ('event_cursors', NULL, 'how far events were told; what is imported counts as told'),
       ('search_entries', NULL, 'words are indexed anew as rows come in')
$$;

CREATE FUNCTION gnomon.export_tables() RETURNS TABLE (name text) LANGUAGE sql STABLE AS $$
  SELECT c.relname::text
    FROM pg_class c
   WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
     AND (c.relname = 'workspaces' OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'workspace_id' AND NOT a.attisdropped))
     AND NOT EXISTS (SELECT FROM gnomon.left_out() l WHERE l.name = c.relname AND l.field IS NULL)
   ORDER BY c.relname <> 'workspaces', c.relname COLLATE "C"
$$;

CREATE FUNCTION gnomon.export_columns(of_table text) RETURNS TABLE (name text, type regtype) LANGUAGE sql STABLE AS $$
  SELECT a.attname::text, a.atttypid::regtype
    FROM pg_attribute a
   WHERE a.attrelid = format('public.%I', of_table)::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
     AND a.attname <> 'workspace_id'
     AND NOT EXISTS (SELECT FROM gnomon.left_out() l WHERE l.name = of_table AND l.field = a.attname)
   ORDER BY a.attnum
$$;

-- Begins an export: gathers the ids that are other ones elsewhere, the workspace's, its
-- projects' (unique in an installation) and people's, and what stands for them in the
-- file: numbers in the order of keys and addresses. An account that was deleted has no
-- address to be found by and keeps its id.
CREATE FUNCTION gnomon.export_begin(slug text) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE ws uuid; t text; c record;
        stand_in constant text := '00000000-0000-8000-%s-%s';
BEGIN
  SELECT w.id INTO ws FROM public.workspaces w WHERE w.slug = slug;
  IF ws IS NULL THEN PERFORM gnomon.refuse('validation_failed', format('There is no workspace %s.', slug)); END IF;
  PERFORM set_config('timezone', 'UTC', true), set_config('gnomon.workspace', ws::text, true);
  CREATE TEMP TABLE export_ids (id uuid PRIMARY KEY, kind text NOT NULL, stand_in uuid NOT NULL, word text, name text) ON COMMIT DROP;
  CREATE TEMP TABLE export_people (id uuid PRIMARY KEY) ON COMMIT DROP;
  CREATE TEMP TABLE export_lines (n bigint PRIMARY KEY, line text NOT NULL) ON COMMIT DROP;
  INSERT INTO export_ids SELECT ws, 'workspace', format(stand_in, '8000', lpad('0', 12, '0'))::uuid, slug;
  INSERT INTO export_ids
  SELECT p.id, 'project', format(stand_in, '8001', lpad(to_hex(row_number() OVER (ORDER BY p.key)), 12, '0'))::uuid, p.key
    FROM public.projects p WHERE p.workspace_id = ws;
  FOR t IN SELECT e.name FROM gnomon.export_tables() e WHERE e.name <> 'workspaces' LOOP
    FOR c IN SELECT x.name, x.type FROM gnomon.export_columns(t) x WHERE x.type IN ('uuid'::regtype, 'jsonb'::regtype) LOOP
      IF c.type = 'uuid'::regtype THEN
        EXECUTE format('INSERT INTO export_people SELECT u.id FROM public.users u WHERE u.id IN (SELECT t.%I FROM public.%I t WHERE t.workspace_id = $1) ON CONFLICT DO NOTHING', c.name, t) USING ws;
      ELSE
        EXECUTE format($q$INSERT INTO export_people SELECT u.id FROM public.users u WHERE u.id IN (
          SELECT m[1]::uuid FROM public.%2$I t CROSS JOIN LATERAL regexp_matches(t.%1$I::text, '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}', 'g') m
           WHERE t.workspace_id = $1) ON CONFLICT DO NOTHING$q$, c.name, t) USING ws;
      END IF;
    END LOOP;
  END LOOP;
  INSERT INTO export_ids
  SELECT u.id, 'person', format(stand_in, '8002', lpad(to_hex(row_number() OVER (ORDER BY lower(u.email) COLLATE "C")), 12, '0'))::uuid, lower(u.email), u.name
    FROM export_people p JOIN public.users u ON u.id = p.id WHERE u.email IS NOT NULL;
  INSERT INTO export_ids
  SELECT u.id, 'person', u.id, NULL, u.name FROM export_people p JOIN public.users u ON u.id = p.id WHERE u.email IS NULL;
END $$;

-- Puts the rows of a table in line, in the order of their key as the file has it.
CREATE FUNCTION gnomon.export_stage(of_table text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint;
        own constant text := CASE of_table WHEN 'workspaces' THEN 'id' ELSE 'workspace_id' END;
        columns constant text := (SELECT string_agg(format('t.%I', c.name), ', ') FROM gnomon.export_columns(of_table) c);
        keys constant text := (
          SELECT string_agg(CASE WHEN a.atttypid = 'uuid'::regtype
                                 THEN format('coalesce((SELECT i.stand_in FROM export_ids i WHERE i.id = t.%1$I), t.%1$I)', a.attname)
                                 WHEN a.atttypid = 'text'::regtype THEN format('t.%I COLLATE "C"', a.attname)
                                 ELSE format('t.%I', a.attname) END, ', ' ORDER BY k.place)
            FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY k (attnum, place)
            JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
           WHERE i.indrelid = format('public.%I', of_table)::regclass AND i.indisprimary AND a.attname <> 'workspace_id');
BEGIN
  TRUNCATE export_lines;
  EXECUTE format($q$INSERT INTO export_lines
    SELECT row_number() OVER (ORDER BY %s), jsonb_build_object('t', %L, 'r', (SELECT to_jsonb(x) FROM (SELECT %s) x))::text
      FROM public.%I t WHERE t.%I = gnomon.workspace()$q$, coalesce(keys, '1'), of_table, columns, of_table, own);
  GET DIAGNOSTICS n = ROW_COUNT;
  RETURN n;
END $$;

-- PL/pgSQL, because the temporary tables are there only during an export.
CREATE FUNCTION gnomon.export_page(after bigint) RETURNS TABLE (n bigint, line text) LANGUAGE plpgsql AS $$
BEGIN
  RETURN QUERY SELECT l.n, l.line FROM export_lines l WHERE l.n > after AND l.n <= after + 2000 ORDER BY l.n;
END $$;
CREATE FUNCTION gnomon.export_names() RETURNS TABLE (id uuid, kind text, stand_in uuid, word text, name text) LANGUAGE plpgsql AS $$
BEGIN
  RETURN QUERY SELECT i.id, i.kind, i.stand_in, i.word, i.name FROM export_ids i ORDER BY i.kind DESC, i.stand_in;
END $$;

-- Begins an import: the workspace, made when it is not there, refused when somebody has
-- worked in it. What a new workspace has by itself goes, for the file has its own; so
-- do its members. Triggers do not run from here to the end of the transaction: numbers,
-- versions and history are in the file.
CREATE FUNCTION gnomon.import_begin(slug text) RETURNS uuid LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE ws uuid; t text; taken boolean;
BEGIN
  IF current_setting('is_superuser') <> 'on' THEN
    PERFORM gnomon.refuse('validation_failed', 'To import a workspace, DATABASE_URL must be a superuser''s.');
  END IF;
  PERFORM set_config('timezone', 'UTC', true), set_config('session_replication_role', 'replica', true);
  SELECT w.id INTO ws FROM public.workspaces w WHERE w.slug = slug FOR UPDATE;
  IF ws IS NULL THEN
    INSERT INTO public.workspaces (name, slug) VALUES (slug, slug) RETURNING id INTO ws;
  END IF;
  PERFORM set_config('gnomon.workspace', ws::text, true);
  FOR t IN SELECT e.name FROM gnomon.export_tables() e WHERE e.name <> 'workspaces' LOOP
    EXECUTE format('SELECT EXISTS (SELECT FROM public.%I WHERE workspace_id = $1)', t) INTO taken USING ws;
    IF taken AND t <> ALL ('{workspace_members,ai_workspace_policies,agent_configs,revisions,events,counters,audit_log,notification_preferences}') THEN
      PERFORM gnomon.refuse('validation_failed', format('The workspace %s is not empty: it has %s.', slug, replace(t, '_', ' ')));
    END IF;
    EXECUTE format('DELETE FROM public.%I WHERE workspace_id = $1', t) USING ws;
  END LOOP;
  FOREACH t IN ARRAY '{invitations,event_cursors,search_entries}'::text[] LOOP
    EXECUTE format('DELETE FROM public.%I WHERE workspace_id = $1', t) USING ws;
  END LOOP;
  RETURN ws;
END $$;

-- The id here of what had another one there. People are found by their address; who is
-- not here becomes an account that cannot sign in until its password is reset.
CREATE FUNCTION gnomon.import_id(kind text, was uuid, word text, called text) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE found_id uuid;
BEGIN
  IF kind = 'workspace' THEN RETURN gnomon.workspace(); END IF;
  IF kind = 'project' THEN
    RETURN CASE WHEN EXISTS (SELECT FROM public.projects p WHERE p.id = was) THEN gnomon.uuid7() ELSE was END;
  END IF;
  IF word IS NULL THEN
    INSERT INTO public.users (id, name) VALUES (was, called) ON CONFLICT (id) DO NOTHING;
    RETURN was;
  END IF;
  SELECT u.id INTO found_id FROM public.users u WHERE lower(u.email) = lower(word);
  IF found_id IS NULL THEN
    INSERT INTO public.users (id, email, name)
    VALUES (CASE WHEN EXISTS (SELECT FROM public.users u WHERE u.id = was) THEN gnomon.uuid7() ELSE was END, word, called)
    RETURNING id INTO found_id;
  END IF;
  RETURN found_id;
END $$;

CREATE FUNCTION gnomon.import_rows(to_table text, rows_ jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE columns text; unknown text; entry public.audit_log; before bytea;
BEGIN
  IF NOT EXISTS (SELECT FROM gnomon.export_tables() e WHERE e.name = to_table) THEN
    PERFORM gnomon.refuse('validation_failed', format('The file has a table %s, which this version does not know.', to_table));
  END IF;
  SELECT string_agg(format('%I', k), ', '), string_agg(k, ', ') FILTER (WHERE c.name IS NULL) INTO columns, unknown
    FROM jsonb_object_keys(rows_ -> 0) k LEFT JOIN gnomon.export_columns(to_table) c ON c.name = k;
  IF unknown IS NOT NULL THEN
    PERFORM gnomon.refuse('validation_failed', format('The file has %s of %s, which this version does not know.', unknown, to_table));
  END IF;
  IF to_table = 'workspaces' THEN
    EXECUTE format('UPDATE public.workspaces SET (%1$s) = (SELECT %1$s FROM jsonb_populate_record(NULL::public.workspaces, $1)) WHERE id = gnomon.workspace()', columns)
      USING rows_ -> 0;
  ELSIF to_table = 'audit_log' THEN
    SELECT a.hash INTO before FROM public.audit_log a WHERE a.workspace_id = gnomon.workspace() ORDER BY a.number DESC LIMIT 1;
    FOR entry IN SELECT r.* FROM jsonb_populate_recordset(NULL::public.audit_log, rows_) r ORDER BY r.number LOOP
      entry.workspace_id := gnomon.workspace();
      entry.hash := gnomon.audit_hash(before, entry);
      before := entry.hash;
      INSERT INTO public.audit_log SELECT entry.*;
    END LOOP;
  ELSE
    EXECUTE format('INSERT INTO public.%1$I (workspace_id, %2$s) SELECT gnomon.workspace(), %2$s FROM jsonb_populate_recordset(NULL::public.%1$I, $1)', to_table, columns)
      USING rows_;
  END IF;
END $$;

-- Ends an import: no reference may point at nothing, for nobody has looked so far. What
-- has come in is nobody's news.
CREATE FUNCTION gnomon.import_end() RETURNS void LANGUAGE plpgsql AS $$
DECLARE k record; broken boolean;
BEGIN
  INSERT INTO public.event_cursors (workspace_id, scope_id, rev)
  SELECT r.workspace_id, r.scope_id, r.rev FROM public.revisions r WHERE r.workspace_id = gnomon.workspace();
  FOR k IN
    SELECT f.conrelid::regclass AS t, f.confrelid::regclass AS r, f.conname,
           (SELECT string_agg(format('t.%I = r.%I', a.attname, b.attname), ' AND ')
              FROM unnest(f.conkey, f.confkey) x (here, there)
              JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = x.here
              JOIN pg_attribute b ON b.attrelid = f.confrelid AND b.attnum = x.there) AS joined,
           (SELECT string_agg(format('t.%I IS NOT NULL', a.attname), ' AND ')
              FROM unnest(f.conkey) x JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = x) AS given
      FROM pg_constraint f
      JOIN pg_class c ON c.oid = f.conrelid AND NOT c.relispartition
     WHERE f.contype = 'f' AND c.relname IN (SELECT e.name FROM gnomon.export_tables() e WHERE e.name <> 'workspaces')
  LOOP
    EXECUTE format('SELECT EXISTS (SELECT FROM %s t WHERE t.workspace_id = gnomon.workspace() AND %s AND NOT EXISTS (SELECT FROM %s r WHERE %s))', k.t, k.given, k.r, k.joined)
      INTO broken;
    IF broken THEN PERFORM gnomon.refuse('validation_failed', format('The file is not whole: rows of %s point at nothing (%s).', k.t, k.conname)); END IF;
  END LOOP;
  PERFORM gnomon.cover('public.events', e.first, now()) FROM (SELECT min(created_at) AS first FROM public.events WHERE workspace_id = gnomon.workspace()) e
   WHERE e.first IS NOT NULL;
END $$;

-- Words are indexed whoever writes, an import as well.
DO $$
DECLARE t regclass;
BEGIN
  FOR t IN SELECT g.tgrelid FROM pg_trigger g WHERE g.tgname = 'search_insert' LOOP
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER search_insert', t);
  END LOOP;
END $$;
