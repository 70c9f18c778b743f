-- What proved wrong in the work, its sprints and its past: circles, counts of the
-- past, labels that somebody deletes while another gives them, and clocks of
-- transactions that overtake each other.

-- ---- dependencies: nothing waits for itself, however it came about
-- What begins or ends when: an epic's stories begin after it may begin, and it
-- ends with the last of them; what waits begins when that it waits for has
-- ended. Nodes are "end <id>" and "begin <id>" of stories and epics that are not
-- deleted; the walk goes from one through all that must come before. Answers the
-- way to goal in keys, or NULL: there is none.
CREATE FUNCTION gnomon.circle(ws uuid, origin text, goal text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  seen jsonb := jsonb_build_object(origin, '');
  edge text[] := ARRAY[origin];
  step jsonb;
  at text;
  path text[] := '{}';
  name text;
BEGIN
  WHILE edge <> '{}' AND NOT seen ? goal LOOP
    WITH here AS (
      SELECT e AS node, split_part(e, ' ', 1) AS side, split_part(e, ' ', 2)::uuid AS id FROM unnest(edge) e
    ), blockers AS (
      SELECT h.node AS via, w.id
        FROM here h
        JOIN LATERAL (
          SELECT d.source_id AS id FROM public.dependencies d
           WHERE d.workspace_id = ws AND d.target_id = h.id AND d.dependency_type = 'blocks' AND d.removed_at IS NULL
          UNION ALL
          SELECT d.target_id FROM public.dependencies d
           WHERE d.workspace_id = ws AND d.source_id = h.id AND d.dependency_type = 'requires' AND d.removed_at IS NULL) w ON h.side = 'begin'
       WHERE EXISTS (SELECT FROM public.stories s WHERE s.workspace_id = ws AND s.id = w.id AND s.deleted_at IS NULL)
          OR EXISTS (SELECT FROM public.epics e WHERE e.workspace_id = ws AND e.id = w.id AND e.deleted_at IS NULL)
    ), needs AS (
      SELECT h.node AS via, 'begin ' || h.id AS node FROM here h WHERE h.side = 'end'
      UNION ALL
      SELECT h.node, 'end ' || s.id FROM here h JOIN public.stories s
          ON s.workspace_id = ws AND s.epic_id = h.id AND s.deleted_at IS NULL WHERE h.side = 'end'
      UNION ALL
      SELECT h.node, 'begin ' || s.epic_id FROM here h JOIN public.stories s
          ON s.workspace_id = ws AND s.id = h.id AND s.epic_id IS NOT NULL WHERE h.side = 'begin'
      UNION ALL
      SELECT b.via, 'end ' || b.id FROM blockers b
    )
    SELECT jsonb_object_agg(n.node, n.via) INTO step
      FROM (SELECT DISTINCT ON (node) node, via FROM needs WHERE NOT seen ? node ORDER BY node, via) n;
    EXIT WHEN step IS NULL;
    seen := seen || step;
    edge := ARRAY(SELECT jsonb_object_keys(step));
  END LOOP;
  IF NOT seen ? goal THEN RETURN NULL; END IF;
  at := goal;
  WHILE at <> '' LOOP
    SELECT coalesce((SELECT p.key || '-' || s.number FROM public.stories s JOIN public.projects p ON p.workspace_id = s.workspace_id AND p.id = s.project_id
                      WHERE s.workspace_id = ws AND s.id = split_part(at, ' ', 2)::uuid),
                    (SELECT 'E-' || e.number FROM public.epics e WHERE e.workspace_id = ws AND e.id = split_part(at, ' ', 2)::uuid)) INTO name;
    IF path = '{}' OR path[1] <> name THEN path := name || path; END IF;
    at := seen ->> at;
  END LOOP;
  IF path[1] <> path[cardinality(path)] THEN path := path[cardinality(path)] || path; END IF;
  RETURN array_to_string(path, ' → ');
END $$;

-- Whoever adds to what waits for what holds this lock of the project to the end of
-- the transaction, and sees what the one before did.
CREATE FUNCTION gnomon.hold_waits(project uuid) RETURNS void LANGUAGE sql AS $$
  SELECT pg_catalog.pg_advisory_xact_lock(hashtextextended('waits ' || project, 0))
$$;

-- A dependency is refused when its waiter would have to begin before itself.
CREATE OR REPLACE FUNCTION gnomon.dependency_circle() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  waiter constant uuid := CASE NEW.dependency_type WHEN 'blocks' THEN NEW.target_id ELSE NEW.source_id END;
  blocker constant uuid := CASE NEW.dependency_type WHEN 'blocks' THEN NEW.source_id ELSE NEW.target_id END;
  way text;
BEGIN
  PERFORM gnomon.hold_waits(NEW.project_id);
  way := gnomon.circle(NEW.workspace_id, 'end ' || blocker, 'begin ' || waiter);
  IF way IS NOT NULL THEN PERFORM gnomon.refuse('validation_failed', format('/targetId: This would make a circle: %s.', way)); END IF;
  RETURN NEW;
END $$;

-- So is an epic for a story that the epic waits for, or that waits for it.
CREATE FUNCTION gnomon.story_joins() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE way text;
BEGIN
  PERFORM gnomon.hold_waits(NEW.project_id);
  way := coalesce(gnomon.circle(NEW.workspace_id, 'begin ' || NEW.epic_id, 'begin ' || NEW.id),
                  gnomon.circle(NEW.workspace_id, 'end ' || NEW.id, 'end ' || NEW.epic_id));
  IF way IS NOT NULL THEN PERFORM gnomon.refuse('validation_failed', format('/epicId: This would make a circle: %s.', way)); END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER joins AFTER UPDATE OF epic_id ON stories FOR EACH ROW
  WHEN (NEW.epic_id IS DISTINCT FROM OLD.epic_id AND NEW.epic_id IS NOT NULL AND NEW.deleted_at IS NULL) EXECUTE FUNCTION gnomon.story_joins();
GRANT EXECUTE ON FUNCTION gnomon.circle, gnomon.hold_waits, gnomon.story_joins TO gnomon_web;

-- ---- labels
-- A label of the project entered, or of its workspace, held for a change. One of the
-- workspace is shaped by its members: who is one of a project only shapes the project's.
CREATE FUNCTION gnomon.hold_label(of_label uuid) RETURNS SETOF public.labels LANGUAGE plpgsql AS $$
DECLARE l public.labels;
BEGIN
  SELECT * INTO l FROM public.labels x
   WHERE x.workspace_id = gnomon.workspace() AND coalesce(x.project_id, gnomon.project()) = gnomon.project() AND x.id = of_label AND x.deleted_at IS NULL
     FOR NO KEY UPDATE;
  IF NOT FOUND THEN RETURN; END IF;
  IF l.project_id IS NULL AND NOT EXISTS (SELECT FROM public.workspace_members m
                                           WHERE m.workspace_id = l.workspace_id AND m.user_id = gnomon.actor() AND m.removed_at IS NULL
                                             AND gnomon.rank(m.role) >= gnomon.rank('member')) THEN
    PERFORM gnomon.refuse('forbidden', 'members of the workspace shape its labels');
  END IF;
  RETURN NEXT l;
END $$;

-- Takes a label off every story, those included that whoever deletes it does not see.
CREATE FUNCTION gnomon.delete_label(of_label uuid) RETURNS SETOF uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE l public.labels;
BEGIN
  SELECT * INTO l FROM gnomon.hold_label(of_label);
  IF l.id IS NULL THEN RETURN; END IF;
  PERFORM FROM public.story_labels k JOIN public.stories s ON s.workspace_id = k.workspace_id AND s.id = k.story_id
    WHERE k.workspace_id = l.workspace_id AND k.label_id = l.id ORDER BY s.id FOR NO KEY UPDATE OF s;
  UPDATE public.stories s SET label_ids = array_remove(s.label_ids, l.id)
    FROM public.story_labels k
   WHERE k.workspace_id = l.workspace_id AND k.label_id = l.id AND s.workspace_id = k.workspace_id AND s.id = k.story_id;
  UPDATE public.labels x SET deleted_at = gnomon.now() WHERE x.workspace_id = l.workspace_id AND x.id = l.id;
  RETURN NEXT l.id;
END $$;
GRANT EXECUTE ON FUNCTION gnomon.hold_label, gnomon.delete_label TO gnomon_web;

-- As before (0014); the lock makes a story wait for a label's deletion under way.

CREATE OR REPLACE FUNCTION gnomon.story_labels_kept() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM FROM public.labels l
    WHERE l.workspace_id = NEW.workspace_id AND l.id = ANY (NEW.label_ids) AND (TG_OP = 'INSERT' OR l.id <> ALL (OLD.label_ids))
    ORDER BY l.id FOR SHARE;
  IF EXISTS (SELECT FROM unnest(NEW.label_ids) AS g (id)
              WHERE NOT EXISTS (SELECT FROM public.labels l
                                 WHERE l.workspace_id = NEW.workspace_id AND l.id = g.id AND l.deleted_at IS NULL
                                   AND coalesce(l.project_id, NEW.project_id) = NEW.project_id)) THEN
    PERFORM gnomon.refuse('validation_failed', '/labelIds: Choose labels of this project or of its workspace.');
  END IF;
  DELETE FROM public.story_labels k
   WHERE k.workspace_id = NEW.workspace_id AND k.story_id = NEW.id AND k.label_id <> ALL (NEW.label_ids);
  INSERT INTO public.story_labels (workspace_id, project_id, story_id, label_id)
  SELECT NEW.workspace_id, NEW.project_id, NEW.id, l FROM unnest(NEW.label_ids) l
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;

-- ---- who left the workspace is given nothing, and what is refused has a name
-- As before (0013), as the foreign key it stands beside says it.
CREATE OR REPLACE FUNCTION gnomon.is_member() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE who uuid := (to_jsonb(NEW) ->> TG_ARGV[0])::uuid;
BEGIN
  IF EXISTS (SELECT FROM public.workspace_members m
              WHERE m.workspace_id = NEW.workspace_id AND m.user_id = who AND m.removed_at IS NOT NULL) THEN
    RAISE foreign_key_violation USING TABLE = TG_TABLE_NAME, CONSTRAINT = format('%s_workspace_id_%s_fkey', TG_TABLE_NAME, TG_ARGV[0]),
      MESSAGE = format('%s violates foreign key constraint: its %s left the workspace', TG_TABLE_NAME, TG_ARGV[0]);
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER assignee BEFORE INSERT ON tasks FOR EACH ROW
  WHEN (NEW.assignee_id IS NOT NULL) EXECUTE FUNCTION gnomon.is_member('assignee_id');
CREATE TRIGGER new_assignee BEFORE UPDATE OF assignee_id ON tasks FOR EACH ROW
  WHEN (NEW.assignee_id IS NOT NULL AND NEW.assignee_id IS DISTINCT FROM OLD.assignee_id) EXECUTE FUNCTION gnomon.is_member('assignee_id');

-- ---- check-ins
-- A key result stands where its latest check-in says: one that waited for another
-- looks again.
CREATE OR REPLACE FUNCTION gnomon.follow_check_in() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM FROM public.key_results k WHERE k.workspace_id = NEW.workspace_id AND k.id = NEW.key_result_id FOR NO KEY UPDATE;
  UPDATE public.key_results k SET current_value = NEW.value
   WHERE k.workspace_id = NEW.workspace_id AND k.id = NEW.key_result_id
     AND NOT EXISTS (SELECT FROM public.check_ins c
                      WHERE c.workspace_id = NEW.workspace_id AND c.key_result_id = NEW.key_result_id
                        AND (c.created_at, c.id) > (NEW.created_at, NEW.id));
  RETURN NULL;
END $$;

-- ---- sprints
-- A transaction's clock stands where it began. Whoever waited for another to put a
-- story in would start, or end, the sprint before that; so the moment is no earlier
-- than what it covers.
-- As before (0016), but for that.

CREATE OR REPLACE FUNCTION gnomon.start_sprint(of_sprint uuid, seen integer) RETURNS SETOF gnomon.sprint_outcome
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE s public.sprints; other text; zone text;
BEGIN
  PERFORM gnomon.hold_sprints(gnomon.workspace(), gnomon.project());
  SELECT * INTO s FROM public.sprints x
   WHERE x.workspace_id = gnomon.workspace() AND x.project_id = gnomon.project() AND x.id = of_sprint AND x.deleted_at IS NULL;
  IF NOT FOUND THEN RETURN; END IF;
  IF s.version <> seen THEN RETURN NEXT ROW('version_conflict', s)::gnomon.sprint_outcome; RETURN; END IF;
  IF s.status <> 'planning' THEN PERFORM gnomon.refuse('illegal_state', s.name || ' has started already.'); END IF;
  SELECT x.name INTO other FROM public.sprints x
   WHERE x.workspace_id = s.workspace_id AND x.project_id = s.project_id AND x.status = 'active';
  IF FOUND THEN
    PERFORM gnomon.refuse('illegal_state', format('%s is active. Complete it before you start %s.', other, s.name));
  END IF;
  SELECT w.timezone INTO zone FROM public.workspaces w WHERE w.id = s.workspace_id;
  IF s.end_date < (gnomon.now() AT TIME ZONE zone)::date THEN
    PERFORM gnomon.refuse('illegal_state', format('%s was to end on %s. Change its dates before you start it.', s.name, gnomon.say(s.end_date)));
  END IF;
  -- whose story is gone leaves before it counts
  UPDATE public.sprint_items i SET removed_at = gnomon.now()
    FROM public.stories t
   WHERE i.workspace_id = s.workspace_id AND i.sprint_id = s.id AND i.removed_at IS NULL
     AND t.workspace_id = i.workspace_id AND t.id = i.story_id AND t.deleted_at IS NOT NULL;
  PERFORM FROM public.sprint_items i WHERE i.workspace_id = s.workspace_id AND i.sprint_id = s.id AND i.removed_at IS NULL ORDER BY i.id FOR NO KEY UPDATE;
  IF NOT FOUND THEN PERFORM gnomon.refuse('illegal_state', s.name || ' holds no stories. Add some before it starts.'); END IF;
  PERFORM FROM public.revisions r WHERE r.workspace_id = s.workspace_id AND r.scope_id = s.project_id FOR NO KEY UPDATE;
  UPDATE public.sprint_items i SET original_estimate = t.estimate
    FROM public.stories t
   WHERE i.workspace_id = s.workspace_id AND i.sprint_id = s.id AND i.removed_at IS NULL
     AND t.workspace_id = i.workspace_id AND t.id = i.story_id;
  UPDATE public.sprints x
     SET status = 'active', timezone = zone,
         started_at = greatest(gnomon.now(), (SELECT max(i.added_at) FROM public.sprint_items i
                                               WHERE i.workspace_id = s.workspace_id AND i.sprint_id = s.id AND i.removed_at IS NULL)),
         (committed_points, committed_stories) =
           (SELECT gnomon.points(sum(i.original_estimate)), count(*) FROM public.sprint_items i
             WHERE i.workspace_id = s.workspace_id AND i.sprint_id = s.id AND i.removed_at IS NULL)
   WHERE x.workspace_id = s.workspace_id AND x.id = s.id
  RETURNING * INTO s;
  RETURN NEXT ROW(NULL, s)::gnomon.sprint_outcome;
END $$;

CREATE OR REPLACE FUNCTION gnomon.end_sprint(s public.sprints, unfinished text, target uuid, new_name text) RETURNS public.sprints
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE goes_to uuid; at timestamptz := gnomon.now(); known bigint; open integer; first date;
BEGIN
  PERFORM FROM public.sprint_items i WHERE i.workspace_id = s.workspace_id AND i.sprint_id = s.id ORDER BY i.id FOR NO KEY UPDATE;
  SELECT r.rev INTO known FROM public.revisions r WHERE r.workspace_id = s.workspace_id AND r.scope_id = s.project_id FOR NO KEY UPDATE;
  at := greatest(at, (SELECT max(greatest(i.added_at, i.removed_at, t.updated_at))
                        FROM public.sprint_items i JOIN public.stories t ON t.workspace_id = i.workspace_id AND t.id = i.story_id
                       WHERE i.workspace_id = s.workspace_id AND i.sprint_id = s.id));
  SELECT count(*) INTO open
    FROM public.sprint_items i JOIN public.stories t ON t.workspace_id = i.workspace_id AND t.id = i.story_id
   WHERE i.workspace_id = s.workspace_id AND i.sprint_id = s.id AND i.removed_at IS NULL AND t.status <> 'done' AND t.deleted_at IS NULL;
  IF open > 0 AND unfinished IS NULL THEN
    PERFORM gnomon.refuse('validation_failed', format('Say where %s unfinished %s.', open, CASE open WHEN 1 THEN 'story goes' ELSE 'stories go' END));
  END IF;
  IF open > 0 AND unfinished = 'next' THEN
    SELECT x.id INTO goes_to FROM public.sprints x
     WHERE x.workspace_id = s.workspace_id AND x.project_id = s.project_id AND x.status = 'planning' AND x.deleted_at IS NULL
       AND (target IS NULL OR x.id = target)
     ORDER BY x.start_date, x.number LIMIT 1;
    IF NOT FOUND AND target IS NOT NULL THEN
      PERFORM gnomon.refuse('validation_failed', 'Choose a sprint of this project that has not started.');
    END IF;
  END IF;
  IF open > 0 AND unfinished <> 'backlog' AND goes_to IS NULL THEN
    first := greatest(s.end_date, (at AT TIME ZONE coalesce(s.timezone, 'UTC'))::date) + 1;
    first := first + CASE extract(isodow FROM first) WHEN 6 THEN 2 WHEN 7 THEN 1 ELSE 0 END;
    INSERT INTO public.sprints (workspace_id, project_id, name, start_date, end_date, capacity)
    VALUES (s.workspace_id, s.project_id, coalesce(new_name, gnomon.next_name(s.name, s.number)), first, first + (s.end_date - s.start_date), s.capacity)
    RETURNING id INTO goes_to;
  END IF;
  UPDATE public.sprint_items i
     SET removed_at = coalesce(i.removed_at, CASE WHEN t.deleted_at IS NOT NULL THEN least(t.deleted_at, at) END),
         final_estimate = CASE WHEN i.removed_at IS NULL THEN t.estimate ELSE coalesce(i.final_estimate, t.estimate) END,
         completed_at = CASE WHEN i.removed_at IS NULL AND t.deleted_at IS NULL AND t.status = 'done' THEN least(t.status_since, at) END,
         carried_to = CASE WHEN i.removed_at IS NULL AND t.deleted_at IS NULL AND t.status <> 'done' THEN goes_to END
    FROM public.stories t
   WHERE i.workspace_id = s.workspace_id AND i.sprint_id = s.id AND t.workspace_id = i.workspace_id AND t.id = i.story_id;
  IF goes_to IS NOT NULL THEN
    INSERT INTO public.sprint_items (workspace_id, project_id, sprint_id, story_id, added_at, original_estimate)
    SELECT i.workspace_id, i.project_id, goes_to, i.story_id, at, i.final_estimate
      FROM public.sprint_items i
     WHERE i.workspace_id = s.workspace_id AND i.sprint_id = s.id AND i.carried_to = goes_to
     ORDER BY i.story_id
    ON CONFLICT DO NOTHING;
  END IF;
  UPDATE public.sprints x SET status = 'completed', completed_at = at, completed_rev = known
   WHERE x.workspace_id = s.workspace_id AND x.id = s.id
  RETURNING * INTO s;
  PERFORM gnomon.keep_days(s.id, 'infinity');
  RETURN s;
END $$;

-- ---- the past
-- As before (0017); a story's tasks are counted as they were.
CREATE OR REPLACE FUNCTION gnomon.make_asof(watched regclass, born text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE name text := (SELECT relname FROM pg_class WHERE oid = watched);
        fixed constant text[] := '{workspace_id,id,project_id,created_at}';
        entity text := (SELECT substring(p.prosrc FROM 'b\.rev, ''([a-z_]+)'', c\.id') FROM pg_proc p
                         WHERE p.pronamespace = 'gnomon'::regnamespace AND p.proname = 'track_' || name || '_insert');
        columns text; counted text;
        -- what is counted of others, in the past of those
        sums constant jsonb := CASE name WHEN 'stories' THEN jsonb_build_object(
          'task_count', '(SELECT count(*)::integer FROM asof.tasks k WHERE k.workspace_id = t.workspace_id AND k.story_id = t.id AND k.deleted_at IS NULL) AS task_count',
          'task_done_count', '(SELECT count(*)::integer FROM asof.tasks k WHERE k.workspace_id = t.workspace_id AND k.story_id = t.id AND k.deleted_at IS NULL AND k.status = ''done'') AS task_done_count')
          ELSE '{}' END;
BEGIN
  SELECT string_agg(coalesce(sums ->> attname, format('%s.%I', CASE WHEN attname = ANY (fixed) THEN 't' ELSE 'r' END, attname)), ', ' ORDER BY attnum),
         string_agg(coalesce(sums ->> attname, CASE attname
           WHEN 'version' THEN 't.version - coalesce((o.o ->> ''n'')::integer, 0) AS version'
           WHEN 'updated_at' THEN 'CASE WHEN o.o IS NULL THEN t.updated_at ELSE (SELECT e.created_at FROM public.events e WHERE e.workspace_id = t.workspace_id AND e.entity_id = t.id AND e.rev <= gnomon.as_of_rev() AND e.changes - ''position'' <> ''{}'' ORDER BY e.rev DESC LIMIT 1) END AS updated_at'
           ELSE format('%s.%I', CASE WHEN attname = ANY (fixed) THEN 't' ELSE 'r' END, attname) END), ', ' ORDER BY attnum)
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
SELECT gnomon.remake_asof('stories', 'created_at');
