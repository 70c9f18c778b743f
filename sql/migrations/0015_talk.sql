-- What people say about the work, who follows it, what it is for, and how any of
-- it is found again: comments, watchers, objectives, search.

-- ---- comments
-- On a story, epic, sprint or objective. The body is Markdown. A comment that was
-- deleted stays as a row and is shown nowhere; its earlier words stand in events.
CREATE TABLE comments (
  workspace_id uuid NOT NULL REFERENCES workspaces,
  id           uuid NOT NULL DEFAULT gnomon.uuid7(),
  project_id   uuid,                    -- of the entity; NULL: an objective of the whole workspace
  entity_type  text COLLATE "C" NOT NULL CHECK (entity_type IN ('story', 'epic', 'sprint', 'objective')),
  entity_id    uuid NOT NULL,
  author_id    uuid NOT NULL REFERENCES users,
  body         text NOT NULL CHECK (length(body) BETWEEN 1 AND 20000),
  created_at   timestamptz NOT NULL DEFAULT gnomon.now(),
  updated_at   timestamptz NOT NULL DEFAULT gnomon.now(),
  edited_at    timestamptz,
  deleted_at   timestamptz,
  version      integer NOT NULL DEFAULT 1,
  PRIMARY KEY (workspace_id, id),
  FOREIGN KEY (workspace_id, project_id) REFERENCES projects
);
CREATE INDEX comments_entity ON comments (workspace_id, entity_id, id) WHERE deleted_at IS NULL;

-- Whom a comment names, as found in its body (gnomon.mentioned).
CREATE TABLE comment_mentions (
  workspace_id uuid NOT NULL,
  comment_id   uuid NOT NULL,
  user_id      uuid NOT NULL REFERENCES users,
  project_id   uuid,
  PRIMARY KEY (workspace_id, comment_id, user_id),
  FOREIGN KEY (workspace_id, comment_id) REFERENCES comments
);

-- Who wants to hear of changes to a thing. Whoever makes it, comments on it or is
-- given it watches it; anybody who sees it may, and may stop.
CREATE TABLE watchers (
  workspace_id uuid NOT NULL,
  user_id      uuid NOT NULL,
  entity_type  text COLLATE "C" NOT NULL CHECK (entity_type IN ('story', 'epic', 'sprint', 'objective')),
  entity_id    uuid NOT NULL,
  project_id   uuid,
  since        timestamptz NOT NULL DEFAULT gnomon.now(),
  PRIMARY KEY (workspace_id, entity_id, user_id),
  FOREIGN KEY (workspace_id, user_id) REFERENCES workspace_members ON DELETE CASCADE,
  FOREIGN KEY (workspace_id, project_id) REFERENCES projects
);

-- ---- objectives
-- What the work is for: an objective (O-12), the key results by which it is
-- measured, and what people reported of them.
CREATE TABLE objectives (
  workspace_id uuid NOT NULL REFERENCES workspaces,
  id           uuid NOT NULL DEFAULT gnomon.uuid7(),
  number       integer NOT NULL,
  project_id   uuid,                    -- NULL: of the whole workspace; never changes
  title        text NOT NULL CHECK (length(title) BETWEEN 1 AND 300),
  description  text NOT NULL DEFAULT '' CHECK (length(description) <= 20000),
  owner_id     uuid,
  team_id      uuid,
  status       text COLLATE "C" NOT NULL DEFAULT 'on_track'
               CHECK (status IN ('on_track', 'at_risk', 'off_track', 'done', 'cancelled')),
  start_date   date NOT NULL,
  end_date     date NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT gnomon.now(),
  updated_at   timestamptz NOT NULL DEFAULT gnomon.now(),
  deleted_at   timestamptz,
  version      integer NOT NULL DEFAULT 1,
  PRIMARY KEY (workspace_id, id),
  UNIQUE (workspace_id, number),
  FOREIGN KEY (workspace_id, project_id) REFERENCES projects,
  FOREIGN KEY (workspace_id, owner_id) REFERENCES workspace_members ON DELETE SET NULL (owner_id),
  FOREIGN KEY (workspace_id, team_id) REFERENCES teams ON DELETE SET NULL (team_id),
  CHECK (end_date >= start_date)
);
CREATE INDEX objectives_newest ON objectives (workspace_id, id) WHERE deleted_at IS NULL;
CREATE INDEX objectives_ends ON objectives (workspace_id, end_date, id) WHERE deleted_at IS NULL;

CREATE TABLE key_results (
  workspace_id  uuid NOT NULL,
  id            uuid NOT NULL DEFAULT gnomon.uuid7(),
  objective_id  uuid NOT NULL,
  project_id    uuid,
  title         text NOT NULL CHECK (length(title) BETWEEN 1 AND 300),
  unit          text NOT NULL DEFAULT '' CHECK (length(unit) <= 20),     -- '%', 'ms', 'orders a day'
  direction     text COLLATE "C" NOT NULL CHECK (direction IN ('increase', 'decrease')),
  start_value   double precision NOT NULL CHECK (abs(start_value) <= 1e12),
  current_value double precision NOT NULL CHECK (abs(current_value) <= 1e12),   -- the last check-in's
  target_value  double precision NOT NULL CHECK (abs(target_value) <= 1e12),
  weight        double precision NOT NULL DEFAULT 1 CHECK (weight BETWEEN 0.01 AND 100),
  created_at    timestamptz NOT NULL DEFAULT gnomon.now(),
  updated_at    timestamptz NOT NULL DEFAULT gnomon.now(),
  deleted_at    timestamptz,
  version       integer NOT NULL DEFAULT 1,
  PRIMARY KEY (workspace_id, id),
  FOREIGN KEY (workspace_id, objective_id) REFERENCES objectives,
  CHECK (CASE direction WHEN 'increase' THEN target_value > start_value ELSE target_value < start_value END)
);
CREATE INDEX key_results_objective ON key_results (workspace_id, objective_id, id) WHERE deleted_at IS NULL;

-- Append-only: a wrong report is followed by a right one.
CREATE TABLE check_ins (
  workspace_id  uuid NOT NULL,
  id            uuid NOT NULL DEFAULT gnomon.uuid7(),
  objective_id  uuid NOT NULL,
  key_result_id uuid NOT NULL,
  project_id    uuid,
  value         double precision NOT NULL CHECK (abs(value) <= 1e12),
  note          text NOT NULL DEFAULT '' CHECK (length(note) <= 2000),
  confidence    smallint NOT NULL CHECK (confidence BETWEEN 0 AND 100),
  author_id     uuid NOT NULL REFERENCES users,
  created_at    timestamptz NOT NULL DEFAULT gnomon.now(),
  PRIMARY KEY (workspace_id, id),
  FOREIGN KEY (workspace_id, objective_id) REFERENCES objectives,
  FOREIGN KEY (workspace_id, key_result_id) REFERENCES key_results
);
CREATE INDEX check_ins_key_result ON check_ins (workspace_id, key_result_id, created_at, id);

-- How much of the way from start to target is done, 0 to 1.
CREATE FUNCTION gnomon.attained(start_value double precision, current_value double precision, target_value double precision)
RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT greatest(0, least(1, (current_value - start_value) / nullif(target_value - start_value, 0))) $$;

-- How much of a timeframe is over at the end of a day, 0 to 1: what progress
-- would be expected by then if it came evenly.
CREATE FUNCTION gnomon.elapsed(start_date date, end_date date, day date)
RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT greatest(0, least(1, (day - start_date + 1)::double precision / (end_date - start_date + 1))) $$;
GRANT EXECUTE ON FUNCTION gnomon.attained, gnomon.elapsed TO gnomon_web, gnomon_worker;

-- ---- what foreign keys cannot say: the project of what stands below something
CREATE FUNCTION gnomon.entity_place() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE found_in uuid;
BEGIN
  CASE NEW.entity_type
  WHEN 'story' THEN SELECT s.project_id INTO STRICT found_in FROM public.stories s WHERE s.workspace_id = NEW.workspace_id AND s.id = NEW.entity_id;
  WHEN 'epic' THEN SELECT e.project_id INTO STRICT found_in FROM public.epics e WHERE e.workspace_id = NEW.workspace_id AND e.id = NEW.entity_id;
  WHEN 'sprint' THEN SELECT s.project_id INTO STRICT found_in FROM public.sprints s WHERE s.workspace_id = NEW.workspace_id AND s.id = NEW.entity_id;
  ELSE SELECT o.project_id INTO STRICT found_in FROM public.objectives o WHERE o.workspace_id = NEW.workspace_id AND o.id = NEW.entity_id;
  END CASE;
  NEW.project_id := found_in;
  RETURN NEW;
EXCEPTION WHEN no_data_found THEN
  RAISE foreign_key_violation USING MESSAGE = format('%s violates that its %s exists', TG_TABLE_NAME, NEW.entity_type);
END $$;
CREATE TRIGGER place BEFORE INSERT ON comments FOR EACH ROW EXECUTE FUNCTION gnomon.entity_place();
CREATE TRIGGER place BEFORE INSERT ON watchers FOR EACH ROW EXECUTE FUNCTION gnomon.entity_place();

CREATE FUNCTION gnomon.key_result_place() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  SELECT o.project_id INTO NEW.project_id FROM public.objectives o
   WHERE o.workspace_id = NEW.workspace_id AND o.id = NEW.objective_id;
  RETURN NEW;
END $$;
CREATE TRIGGER place BEFORE INSERT ON key_results FOR EACH ROW EXECUTE FUNCTION gnomon.key_result_place();

CREATE FUNCTION gnomon.check_in_place() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  SELECT k.objective_id, k.project_id INTO NEW.objective_id, NEW.project_id FROM public.key_results k
   WHERE k.workspace_id = NEW.workspace_id AND k.id = NEW.key_result_id;
  RETURN NEW;
END $$;
CREATE TRIGGER place BEFORE INSERT ON check_ins FOR EACH ROW EXECUTE FUNCTION gnomon.check_in_place();

-- A key result stands where its latest check-in says.
CREATE FUNCTION gnomon.follow_check_in() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE public.key_results k SET current_value = NEW.value
   WHERE k.workspace_id = NEW.workspace_id AND k.id = NEW.key_result_id
     AND NOT EXISTS (SELECT FROM public.check_ins c
                      WHERE c.workspace_id = NEW.workspace_id AND c.key_result_id = NEW.key_result_id
                        AND (c.created_at, c.id) > (NEW.created_at, NEW.id));
  RETURN NULL;
END $$;
CREATE TRIGGER follow AFTER INSERT ON check_ins FOR EACH ROW EXECUTE FUNCTION gnomon.follow_check_in();

CREATE TRIGGER number BEFORE INSERT ON objectives FOR EACH ROW EXECUTE FUNCTION gnomon.number_in_workspace();
CREATE TRIGGER version BEFORE UPDATE ON comments FOR EACH ROW EXECUTE FUNCTION gnomon.next_version();
CREATE TRIGGER version BEFORE UPDATE ON objectives FOR EACH ROW EXECUTE FUNCTION gnomon.next_version();
CREATE TRIGGER version BEFORE UPDATE ON key_results FOR EACH ROW EXECUTE FUNCTION gnomon.next_version();

SELECT gnomon.track('comments', 'comment', 'coalesce(r.project_id, r.workspace_id)',
  '{entity_type,entity_id,body,edited_at,deleted_at}');
SELECT gnomon.track('objectives', 'objective', 'coalesce(r.project_id, r.workspace_id)',
  '{number,title,description,owner_id,team_id,status,start_date,end_date,deleted_at}', '{status}');
SELECT gnomon.track('key_results', 'key_result', 'coalesce(r.project_id, r.workspace_id)',
  '{objective_id,title,unit,direction,start_value,current_value,target_value,weight,deleted_at}');
SELECT gnomon.track('check_ins', 'check_in', 'coalesce(r.project_id, r.workspace_id)',
  '{objective_id,key_result_id,value,note,confidence}');
SELECT gnomon.make_asof('comments', 'created_at');
SELECT gnomon.make_asof('objectives', 'created_at');
SELECT gnomon.make_asof('key_results', 'created_at');
SELECT gnomon.make_asof('check_ins', 'created_at');

SELECT gnomon.wall_project('project_id', 'comments', 'comment_mentions', 'watchers', 'objectives', 'key_results', 'check_ins');
GRANT SELECT ON comments, comment_mentions, watchers, objectives, key_results, check_ins TO gnomon_web, gnomon_worker;
GRANT INSERT, UPDATE ON comments, objectives, key_results TO gnomon_web;
GRANT INSERT ON watchers, check_ins TO gnomon_web;

-- ---- mentions
-- The members a text names: "@Mira Okafor", "@mira.okafor" or, when only one is
-- called so, "@mira". Only those who see the project are meant. What stands in
-- code, after a letter (an e-mail address), or could be two people stays text.
-- The first 100 are looked at.
CREATE FUNCTION gnomon.mentioned(in_workspace uuid, in_project uuid, body text) RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  WITH pieces AS MATERIALIZED (
    SELECT c.n, lower(c.piece) AS rest, lag(c.piece) OVER (ORDER BY c.n) AS before
      FROM string_to_table(regexp_replace(body, '```.*?(```|$)|`[^`\n]*`', ' ', 'g'), '@') WITH ORDINALITY AS c (piece, n)
     ORDER BY c.n
     LIMIT 101
  ), names AS MATERIALIZED (
    SELECT m.user_id, h.handle
      FROM public.workspace_members m
      JOIN public.users u ON u.id = m.user_id
      LEFT JOIN public.projects p ON p.workspace_id = m.workspace_id AND p.id = in_project
      LEFT JOIN public.project_members pm ON pm.workspace_id = m.workspace_id AND pm.project_id = in_project AND pm.user_id = m.user_id
     CROSS JOIN LATERAL (SELECT DISTINCT handle FROM unnest(ARRAY[lower(u.name), replace(lower(u.name), ' ', '.'),
                           replace(lower(u.name), ' ', ''), split_part(lower(u.name), ' ', 1)]) handle WHERE handle <> '') h
     WHERE m.workspace_id = in_workspace AND m.removed_at IS NULL
       AND gnomon.role_in(m.role, pm.role, coalesce(p.is_private, false)) IS NOT NULL
  ), best AS (
    SELECT p.n, s.user_id, rank() OVER (PARTITION BY p.n ORDER BY length(s.handle) DESC) AS place
      FROM pieces p
      JOIN names s ON starts_with(p.rest, s.handle)
     WHERE p.n > 1 AND p.before !~ '[[:alnum:]_.]$' AND substr(p.rest, length(s.handle) + 1, 1) !~ '[[:alnum:]_]'
  )
  SELECT DISTINCT (array_agg(b.user_id))[1] FROM best b WHERE b.place = 1 GROUP BY b.n HAVING count(DISTINCT b.user_id) = 1
$$;

-- The mentions of a comment follow its body; its author watches what it is on.
CREATE FUNCTION gnomon.comment_people() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE people uuid[] := ARRAY(SELECT gnomon.mentioned(NEW.workspace_id, NEW.project_id, NEW.body));
BEGIN
  INSERT INTO public.comment_mentions (workspace_id, comment_id, user_id, project_id)
  SELECT NEW.workspace_id, NEW.id, who, NEW.project_id FROM unnest(people) who
  ON CONFLICT DO NOTHING;
  IF TG_OP = 'UPDATE' THEN
    DELETE FROM public.comment_mentions m
     WHERE m.workspace_id = NEW.workspace_id AND m.comment_id = NEW.id AND m.user_id <> ALL (people);
  ELSE
    INSERT INTO public.watchers (workspace_id, user_id, entity_type, entity_id)
    SELECT m.workspace_id, m.user_id, NEW.entity_type, NEW.entity_id FROM public.workspace_members m
     WHERE m.workspace_id = NEW.workspace_id AND m.user_id = NEW.author_id AND m.removed_at IS NULL
    ON CONFLICT DO NOTHING;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER people AFTER INSERT OR UPDATE OF body ON comments FOR EACH ROW EXECUTE FUNCTION gnomon.comment_people();

-- Whoever makes a thing, or is given it, watches it.
--   TG_ARGV: the entity's type, and the column of the person it is given to
CREATE FUNCTION gnomon.watch_own() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO public.watchers (workspace_id, user_id, entity_type, entity_id)
  SELECT m.workspace_id, m.user_id, TG_ARGV[0], NEW.id
    FROM public.workspace_members m
   WHERE m.workspace_id = NEW.workspace_id AND m.removed_at IS NULL
     AND m.user_id IN (CASE TG_OP WHEN 'INSERT' THEN gnomon.actor() END, (to_jsonb(NEW) ->> TG_ARGV[1])::uuid)
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
CREATE TRIGGER watch_new AFTER INSERT ON stories FOR EACH ROW
  WHEN (NEW.assignee_id IS NOT NULL OR gnomon.actor() IS NOT NULL) EXECUTE FUNCTION gnomon.watch_own('story', 'assignee_id');
CREATE TRIGGER watch_given AFTER UPDATE OF assignee_id ON stories FOR EACH ROW
  WHEN (NEW.assignee_id IS NOT NULL AND NEW.assignee_id IS DISTINCT FROM OLD.assignee_id) EXECUTE FUNCTION gnomon.watch_own('story', 'assignee_id');
CREATE TRIGGER watch_new AFTER INSERT ON epics FOR EACH ROW WHEN (gnomon.actor() IS NOT NULL) EXECUTE FUNCTION gnomon.watch_own('epic');
CREATE TRIGGER watch_new AFTER INSERT ON sprints FOR EACH ROW WHEN (gnomon.actor() IS NOT NULL) EXECUTE FUNCTION gnomon.watch_own('sprint');
CREATE TRIGGER watch_new AFTER INSERT ON objectives FOR EACH ROW EXECUTE FUNCTION gnomon.watch_own('objective', 'owner_id');
CREATE TRIGGER watch_given AFTER UPDATE OF owner_id ON objectives FOR EACH ROW
  WHEN (NEW.owner_id IS NOT NULL AND NEW.owner_id IS DISTINCT FROM OLD.owner_id) EXECUTE FUNCTION gnomon.watch_own('objective', 'owner_id');

-- Who leaves the workspace hears of nothing there any more.
CREATE FUNCTION gnomon.forget_watcher() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  DELETE FROM public.watchers w WHERE w.workspace_id = NEW.workspace_id AND w.user_id = NEW.user_id;
  RETURN NULL;
END $$;
CREATE TRIGGER forget_watcher AFTER UPDATE OF removed_at ON workspace_members FOR EACH ROW
  WHEN (NEW.removed_at IS NOT NULL AND OLD.removed_at IS NULL) EXECUTE FUNCTION gnomon.forget_watcher();
CREATE INDEX watchers_user ON watchers (workspace_id, user_id);

-- Who entered watches a thing, or stops. Stopping is forgetting: running roles
-- remove no rows, so this does it, and only their own.
CREATE FUNCTION gnomon.watch(of_type text, of_id uuid) RETURNS boolean LANGUAGE sql AS $$
  INSERT INTO public.watchers (workspace_id, user_id, entity_type, entity_id)
  VALUES (gnomon.workspace(), gnomon.actor(), of_type, of_id)
  ON CONFLICT DO NOTHING;
  SELECT true
$$;
CREATE FUNCTION gnomon.unwatch(of_id uuid) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  DELETE FROM public.watchers w
   WHERE w.workspace_id = gnomon.workspace() AND w.entity_id = of_id AND w.user_id = gnomon.actor();
  SELECT false
$$;
GRANT EXECUTE ON FUNCTION gnomon.watch, gnomon.unwatch TO gnomon_web;

-- ---- what is done with comments, the same on whatever they are
-- A comment as API and pages show it.
CREATE VIEW comment_lines WITH (security_invoker = true) AS
SELECT c.workspace_id, c.entity_type, c.entity_id, c.id, c.author_id, u.name AS author_name, c.body,
       coalesce((SELECT jsonb_agg(jsonb_build_object('id', m.user_id, 'name', n.name) ORDER BY n.name, n.id)
                   FROM public.comment_mentions m JOIN public.users n ON n.id = m.user_id
                  WHERE m.workspace_id = c.workspace_id AND m.comment_id = c.id), '[]') AS mentions,
       c.edited_at, c.created_at, c.updated_at, c.version
  FROM comments c JOIN users u ON u.id = c.author_id
 WHERE c.deleted_at IS NULL;
GRANT SELECT ON comment_lines TO gnomon_web, gnomon_worker;

CREATE FUNCTION gnomon.add_comment(on_type text, on_id uuid, words text) RETURNS SETOF comment_lines
LANGUAGE plpgsql AS $$
DECLARE made uuid;
BEGIN
  IF words !~ '\S' THEN PERFORM gnomon.refuse('validation_failed', 'Write what you want to say.'); END IF;
  INSERT INTO public.comments (workspace_id, entity_type, entity_id, author_id, body)
  VALUES (gnomon.workspace(), on_type, on_id, gnomon.actor(), words) RETURNING comments.id INTO made;
  RETURN QUERY SELECT * FROM public.comment_lines l WHERE l.workspace_id = gnomon.workspace() AND l.id = made;
END $$;

-- New words for one's own comment; refused with the copy in force when the
-- version is another.
CREATE FUNCTION gnomon.edit_comment(on_id uuid, of_comment uuid, words text, seen integer)
RETURNS TABLE (refused text, line comment_lines) LANGUAGE plpgsql AS $$
DECLARE c public.comments;
BEGIN
  SELECT * INTO c FROM public.comments x
   WHERE x.workspace_id = gnomon.workspace() AND x.entity_id = on_id AND x.id = of_comment AND x.deleted_at IS NULL
     FOR NO KEY UPDATE;
  IF NOT FOUND THEN RETURN; END IF;
  IF c.author_id <> gnomon.actor() THEN PERFORM gnomon.refuse('forbidden', 'the author edits a comment'); END IF;
  IF words !~ '\S' THEN PERFORM gnomon.refuse('validation_failed', 'Write what you want to say.'); END IF;
  IF c.version <> seen THEN
    refused := 'version_conflict';
  ELSIF c.body <> words THEN
    UPDATE public.comments x SET body = words, edited_at = gnomon.now()
     WHERE x.workspace_id = c.workspace_id AND x.id = c.id;
  END IF;
  SELECT * INTO line FROM public.comment_lines l WHERE l.workspace_id = c.workspace_id AND l.id = c.id;
  RETURN NEXT;
END $$;

-- Authors delete their own, admins of the project (or the workspace) any.
CREATE FUNCTION gnomon.delete_comment(on_id uuid, of_comment uuid) RETURNS SETOF uuid LANGUAGE plpgsql AS $$
DECLARE c public.comments;
BEGIN
  SELECT * INTO c FROM public.comments x
   WHERE x.workspace_id = gnomon.workspace() AND x.entity_id = on_id AND x.id = of_comment AND x.deleted_at IS NULL
     FOR NO KEY UPDATE;
  IF NOT FOUND THEN RETURN; END IF;
  IF c.author_id <> gnomon.actor() AND NOT EXISTS (
       SELECT FROM public.workspace_members m
         LEFT JOIN public.project_members p ON p.workspace_id = m.workspace_id AND p.project_id = c.project_id AND p.user_id = m.user_id
        WHERE m.workspace_id = c.workspace_id AND m.user_id = gnomon.actor()
          AND greatest(gnomon.rank(m.role), gnomon.rank(p.role)) >= 3) THEN
    PERFORM gnomon.refuse('forbidden', 'the author or an admin deletes a comment');
  END IF;
  UPDATE public.comments x SET deleted_at = gnomon.now() WHERE x.workspace_id = c.workspace_id AND x.id = c.id;
  RETURN NEXT c.id;
END $$;
GRANT EXECUTE ON FUNCTION gnomon.add_comment, gnomon.edit_comment, gnomon.delete_comment TO gnomon_web;

-- ---- what an objective must be, said in sentences
CREATE FUNCTION gnomon.objective_rules() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.end_date < NEW.start_date THEN
    PERFORM gnomon.refuse('validation_failed', 'The end must not be before the start.');
  END IF;
  IF NEW.owner_id IS NOT NULL AND NOT EXISTS (SELECT FROM public.workspace_members m WHERE m.workspace_id = NEW.workspace_id AND m.user_id = NEW.owner_id) THEN
    PERFORM gnomon.refuse('validation_failed', 'The owner must be a member of the workspace.');
  END IF;
  IF NEW.team_id IS NOT NULL AND NOT EXISTS (SELECT FROM public.teams t WHERE t.workspace_id = NEW.workspace_id AND t.id = NEW.team_id) THEN
    PERFORM gnomon.refuse('validation_failed', 'Choose a team of the workspace.');
  END IF;
  IF TG_OP = 'INSERT' AND NEW.project_id IS NOT NULL
     AND NOT EXISTS (SELECT FROM public.projects p WHERE p.workspace_id = NEW.workspace_id AND p.id = NEW.project_id) THEN
    PERFORM gnomon.refuse('validation_failed', 'Choose a project of the workspace.');
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER rules BEFORE INSERT OR UPDATE ON objectives FOR EACH ROW EXECUTE FUNCTION gnomon.objective_rules();

CREATE FUNCTION gnomon.key_result_rules() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.target_value = NEW.start_value OR (NEW.target_value > NEW.start_value) <> (NEW.direction = 'increase') THEN
    PERFORM gnomon.refuse('validation_failed', CASE NEW.direction WHEN 'increase' THEN 'The target must be above the start.'
                                               ELSE 'The target must be below the start.' END);
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER rules BEFORE INSERT OR UPDATE ON key_results FOR EACH ROW EXECUTE FUNCTION gnomon.key_result_rules();

-- Objectives and key results as API and pages show them. Progress is the mean of
-- the key results by their weights, NULL while there are none: a scalar subquery, so
-- that a page of a list computes it for its own rows only.
CREATE VIEW objective_lines WITH (security_invoker = true) AS
SELECT o.*, u.name AS owner_name, t.name AS team_name, p.key AS project_key, p.name AS project_name,
       (SELECT count(*) FROM key_results k
         WHERE k.workspace_id = o.workspace_id AND k.objective_id = o.id AND k.deleted_at IS NULL) AS key_results,
       (SELECT sum(k.weight * gnomon.attained(k.start_value, k.current_value, k.target_value)) / sum(k.weight) FROM key_results k
         WHERE k.workspace_id = o.workspace_id AND k.objective_id = o.id AND k.deleted_at IS NULL) AS progress,
       gnomon.elapsed(o.start_date, o.end_date, (gnomon.now() AT TIME ZONE w.timezone)::date) AS expected
  FROM objectives o
  JOIN workspaces w ON w.id = o.workspace_id
  LEFT JOIN users u ON u.id = o.owner_id
  LEFT JOIN teams t ON t.workspace_id = o.workspace_id AND t.id = o.team_id
  LEFT JOIN projects p ON p.workspace_id = o.workspace_id AND p.id = o.project_id
 WHERE o.deleted_at IS NULL;

CREATE VIEW key_result_lines WITH (security_invoker = true) AS
SELECT k.*, gnomon.attained(k.start_value, k.current_value, k.target_value) AS progress,
       c.confidence, c.created_at AS checked_in_at
  FROM key_results k
  LEFT JOIN LATERAL (SELECT x.confidence, x.created_at FROM check_ins x
                      WHERE x.workspace_id = k.workspace_id AND x.key_result_id = k.id
                      ORDER BY x.created_at DESC, x.id DESC LIMIT 1) c ON true
 WHERE k.deleted_at IS NULL;
GRANT SELECT ON objective_lines, key_result_lines TO gnomon_web, gnomon_worker;

-- ---- search
-- What can be found, as words: a row for everything that has a title, kept by
-- triggers (gnomon.make_searchable). No running role reads it: @@ is not
-- leakproof, so under row-level security it could be no index condition.
-- gnomon.search reads it as its owner, with the tenant and the hidden projects as
-- conditions of its own. The document begins with the workspace and the type as
-- lexemes that no text yields (a blank leads them), so that one GIN index meets
-- tenant, type and words at once, and the work follows the rarest of them.
CREATE TABLE search_entries (
  workspace_id uuid NOT NULL REFERENCES workspaces,
  entity_id    uuid NOT NULL,
  entity_type  text COLLATE "C" NOT NULL,
  project_id   uuid,
  parent_id    uuid,                    -- what it stands on; gone with it
  document     tsvector NOT NULL,
  PRIMARY KEY (workspace_id, entity_id)
);
CREATE INDEX search_entries_document ON search_entries USING gin (document) WITH (gin_pending_list_limit = 256);
SELECT gnomon.wall_project('project_id', 'search_entries');

-- Words as they are and by their English stems; of a long text the beginning.
-- "<" begins no tag here: what stands in one is text like all other.
CREATE FUNCTION gnomon.search_document(workspace uuid, entity text, title text, body text) RETURNS tsvector
LANGUAGE sql IMMUTABLE AS $$
  SELECT array_to_tsvector(ARRAY[' ' || workspace, ' ' || entity])
      || setweight(to_tsvector('simple', t.title) || to_tsvector('english', t.title), 'A')
      || setweight(to_tsvector('simple', t.body) || to_tsvector('english', t.body), 'C')
    FROM (SELECT replace(title, '<', ' ') AS title, replace(left(body, 20000), '<', ' ') AS body) t
$$;

-- The words of somebody who searches: all of them, "these in a row", -not this,
-- this or that. The last one may be a beginning.
CREATE FUNCTION gnomon.search_query(words text) RETURNS tsquery
LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN t.last IS NULL THEN websearch_to_tsquery('simple', t.words)
              ELSE websearch_to_tsquery('simple', left(t.words, -length(t.last))) && to_tsquery('simple', t.last || ':*') END
         || websearch_to_tsquery('english', t.words)
    FROM (SELECT w.words, CASE WHEN length(w.words) - length(replace(w.words, '"', '')) IN (0, 2, 4, 6, 8)
                               THEN substring(w.words FROM '(?:^|[\s"])([[:alnum:]]{2,})$') END AS last
            FROM (SELECT btrim(replace(words, '<', ' ')) AS words) w) t
$$;

-- What somebody typed when it is the key of a thing: AC-311, I-1042, O-12.
CREATE FUNCTION gnomon.search_key(words text) RETURNS text[]
LANGUAGE sql IMMUTABLE AS $$ SELECT regexp_match(upper(btrim(words)), '^([A-Z][A-Z0-9]{0,9})-([0-9]{1,9})$') $$;

-- What matches in the workspace entered, among what is not hidden, with a rank: a
-- title weighs more than a body, a key that was typed in full comes first. Of words
-- that match more than 1,000 things not all are ranked, and is_partial says so: those
-- among the newest 5,000, and when these are few, 1,000 of any age. So rare words
-- cost what they match, and common ones no more than that: which they are is what
-- the planner expects of them, for counting them would cost what is to be saved.
--   kinds  types to look for; {}: all
CREATE FUNCTION gnomon.search(words text, kinds text[])
RETURNS TABLE (entity_type text, entity_id uuid, rank integer, is_partial boolean)
LANGUAGE plpgsql ROWS 100 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET client_min_messages = warning AS $$
#variable_conflict use_column
DECLARE
  ws constant uuid := gnomon.workspace();
  hidden constant uuid[] := gnomon.hidden();
  query constant tsquery := gnomon.search_query(words);
  typed constant text[] := gnomon.search_key(words);
  most constant integer := 1000;
  among tsquery;
  plan json;
  found uuid[] := '{}';
  many boolean := false;
BEGIN
  IF ws IS NULL THEN RETURN; END IF;
  IF numnode(query) > 0 THEN
    among := format('''%s''', ' ' || ws)::tsquery && query;
    IF kinds <> '{}' THEN
      among := among && (SELECT string_agg(format('''%s''', ' ' || k), ' | ')::tsquery FROM unnest(kinds) k);
    END IF;
    EXECUTE format('EXPLAIN (FORMAT JSON) SELECT FROM public.search_entries WHERE document @@ %L', among) INTO plan;
    IF (plan #>> '{0,Plan,Plan Rows}')::double precision > 10 * most THEN
      many := true;
      found := ARRAY(SELECT n.entity_id
                       FROM (SELECT * FROM public.search_entries e WHERE e.workspace_id = ws ORDER BY e.entity_id DESC LIMIT 5000) n
                      WHERE n.document @@ among AND (n.project_id <> ALL (hidden)) IS NOT FALSE LIMIT most);
    END IF;
    IF cardinality(found) < most / 10 THEN
      found := found || ARRAY(SELECT e.entity_id FROM public.search_entries e
                               WHERE e.document @@ among AND (e.workspace_id = ws) IS TRUE AND (e.project_id <> ALL (hidden)) IS NOT FALSE
                               LIMIT most + 1);
      many := cardinality(found) > most;
    END IF;
  END IF;
  RETURN QUERY
  SELECT h.type, h.id, max(h.rank), many
    FROM (
      SELECT e.entity_type AS type, e.entity_id AS id,
             least(1e6, ts_rank('{0.05,0.2,0.5,1}', e.document, query, 1) * 1e6)::integer AS rank
        FROM public.search_entries e
       WHERE e.workspace_id = ws AND e.entity_id = ANY (found)
         AND (e.parent_id IS NULL OR EXISTS (SELECT FROM public.search_entries p WHERE p.workspace_id = ws AND p.entity_id = e.parent_id))
      UNION ALL
      SELECT 'person', m.user_id, least(1e6, ts_rank(to_tsvector('simple', u.name), query, 1) * 1e7)::integer
        FROM public.workspace_members m JOIN public.users u ON u.id = m.user_id
       WHERE m.workspace_id = ws AND m.removed_at IS NULL AND (kinds = '{}' OR 'person' = ANY (kinds)) AND to_tsvector('simple', u.name) @@ query
      UNION ALL
      SELECT 'story', s.id, 2000000
        FROM public.projects p JOIN public.stories s ON s.workspace_id = p.workspace_id AND s.project_id = p.id
       WHERE p.workspace_id = ws AND p.key = typed[1] AND s.number = typed[2]::integer AND s.deleted_at IS NULL
         AND p.id <> ALL (hidden) AND (kinds = '{}' OR 'story' = ANY (kinds))
      UNION ALL
      SELECT 'insight', i.id, 2000000
        FROM public.agent_insights i
       WHERE i.workspace_id = ws AND typed[1] = 'I' AND i.number = typed[2]::integer
         AND (i.project_id <> ALL (hidden)) IS NOT FALSE AND (kinds = '{}' OR 'insight' = ANY (kinds))
      UNION ALL
      SELECT 'objective', o.id, 2000000
        FROM public.objectives o
       WHERE o.workspace_id = ws AND typed[1] = 'O' AND o.number = typed[2]::integer AND o.deleted_at IS NULL
         AND (o.project_id <> ALL (hidden)) IS NOT FALSE AND (kinds = '{}' OR 'objective' = ANY (kinds))) h
   GROUP BY h.type, h.id;
END $$;
GRANT EXECUTE ON FUNCTION gnomon.search, gnomon.search_query, gnomon.search_key TO gnomon_web, gnomon_worker;

-- The place of a text where the words stand, as a list of pieces of which some
-- match: [{"text": …, "isMatch": false}, …]. Text only, never markup.
CREATE FUNCTION gnomon.snippet(body text, words text) RETURNS jsonb
LANGUAGE plpgsql STABLE SET client_min_messages = warning AS $$
DECLARE
  query constant tsquery := gnomon.search_query(words);
  plain constant text := replace(translate(left(body, 20000), chr(1) || chr(2) || chr(3), ''), '<', '<' || chr(3));
  marks constant text := format('StartSel=%s, StopSel=%s, MinWords=18, MaxWords=36', chr(1), chr(2));
  line text := ts_headline('simple', plain, query, marks);
BEGIN
  IF strpos(line, chr(1)) = 0 THEN line := ts_headline('english', plain, query, marks); END IF;
  RETURN (
    SELECT coalesce(jsonb_agg(jsonb_build_object('text', p.text, 'isMatch', p.is_match) ORDER BY c.n, p.is_match DESC), '[]')
      FROM string_to_table(regexp_replace(replace(line, chr(3), ''), '\s+', ' ', 'g'), chr(1)) WITH ORDINALITY AS c (piece, n)
     CROSS JOIN LATERAL (VALUES (c.n > 1, CASE WHEN c.n > 1 THEN split_part(c.piece, chr(2), 1) END),
                                (false, CASE WHEN c.n > 1 THEN split_part(c.piece, chr(2), 2) ELSE c.piece END)) AS p (is_match, text)
     WHERE p.text <> '');
END $$;
GRANT EXECUTE ON FUNCTION gnomon.snippet TO gnomon_web, gnomon_worker;

-- Makes the triggers that keep a table's rows in search_entries, and takes in
-- those there are. Title and the rest are expressions over a row called r.
--   columns   those the expressions read: a change of another costs nothing; {}:
--             all, those that come later included
CREATE FUNCTION gnomon.make_searchable(watched regclass, entity text, title text, body text, columns text[],
                                       alive text DEFAULT 'true', parent text DEFAULT 'NULL', project text DEFAULT 'r.project_id')
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  name constant text := 'search_' || (SELECT relname FROM pg_class WHERE oid = watched);
  entry constant text := format('r.workspace_id, r.id, %L, %s, (%s)::uuid, gnomon.search_document(r.workspace_id, %L, %s, %s)',
                                entity, project, parent, entity, title, body);
  row_of constant text := coalesce((SELECT string_agg(format('%%1$s.%I', c), ', ') FROM unnest(columns) c), '%1$s.*');
BEGIN
  EXECUTE format($body$
    CREATE FUNCTION gnomon.%1$I() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
    DECLARE r public.%2$I := NEW;
    BEGIN
      IF %3$s THEN
        INSERT INTO public.search_entries (workspace_id, entity_id, entity_type, project_id, parent_id, document) VALUES (%4$s)
        ON CONFLICT (workspace_id, entity_id) DO UPDATE SET document = excluded.document;
      ELSE
        DELETE FROM public.search_entries e WHERE e.workspace_id = r.workspace_id AND e.entity_id = r.id;
      END IF;
      RETURN NULL;
    END $f$ $body$, name, (SELECT relname FROM pg_class WHERE oid = watched), alive, entry);
  EXECUTE format('CREATE TRIGGER search_insert AFTER INSERT ON %s FOR EACH ROW EXECUTE FUNCTION gnomon.%I()', watched, name);
  EXECUTE format('CREATE TRIGGER search_update AFTER UPDATE ON %s FOR EACH ROW WHEN ((%s) IS DISTINCT FROM (%s)) EXECUTE FUNCTION gnomon.%I()',
                 watched, format(row_of, 'OLD'), format(row_of, 'NEW'), name);
  EXECUTE format('INSERT INTO public.search_entries (workspace_id, entity_id, entity_type, project_id, parent_id, document)
                  SELECT %s FROM %s r WHERE %s', entry, watched, alive);
END $$;
SELECT gnomon.make_searchable('projects', 'project', 'concat_ws('' '', r.key, r.name)', 'r.description', '{key,name,description}', project => 'r.id');
SELECT gnomon.make_searchable('epics', 'epic', 'r.title', 'r.description', '{title,description,deleted_at}', 'r.deleted_at IS NULL');
SELECT gnomon.make_searchable('stories', 'story', 'r.title',
  'concat_ws(E''\n'', r.description, (SELECT string_agg(x #>> ''{}'', E''\n'') FROM jsonb_array_elements(r.acceptance_criteria) x))',
  '{title,description,acceptance_criteria,deleted_at}', 'r.deleted_at IS NULL');
DO $$ BEGIN   -- tasks are younger than search in some databases
  IF to_regclass('public.tasks') IS NOT NULL THEN
    PERFORM gnomon.make_searchable('tasks', 'task', 'r.title', 'r.description', '{title,description,deleted_at}', 'r.deleted_at IS NULL', 'r.story_id');
  END IF;
END $$;
SELECT gnomon.make_searchable('sprints', 'sprint', 'r.name', 'r.goal', '{}', 'to_jsonb(r) ->> ''deleted_at'' IS NULL');
SELECT gnomon.make_searchable('agent_insights', 'insight', 'r.title', 'r.body', '{title,body}');
SELECT gnomon.make_searchable('comments', 'comment', '''''', 'r.body', '{body,deleted_at}', 'r.deleted_at IS NULL', 'r.entity_id');
SELECT gnomon.make_searchable('objectives', 'objective', 'r.title', 'r.description', '{title,description,deleted_at}', 'r.deleted_at IS NULL');
SELECT gnomon.make_searchable('key_results', 'key_result', 'r.title', '''''', '{title,deleted_at}', 'r.deleted_at IS NULL', 'r.objective_id');

-- What a thing is called, what it says, and where it is shown; no row when it is
-- gone or hidden. For one thing at a time (a hit, a notification): a branch for each
-- type, because a union of all would be planned, and read, as a whole.
CREATE FUNCTION gnomon.thing(of_type text, of_id uuid)
RETURNS TABLE (key text, title text, body text, path text, author_id uuid, author_name text)
LANGUAGE plpgsql STABLE ROWS 1 AS $$
#variable_conflict use_column
DECLARE
  ws constant uuid := gnomon.workspace();
  home constant text := '/w/' || (SELECT w.slug FROM public.workspaces w WHERE w.id = ws);
BEGIN
  CASE of_type
  WHEN 'story' THEN
    RETURN QUERY SELECT p.key || '-' || s.number, s.title, s.description, format('%s/p/%s/stories/%s-%s', home, p.key, p.key, s.number), NULL::uuid, NULL::text
      FROM public.stories s JOIN public.projects p ON p.workspace_id = s.workspace_id AND p.id = s.project_id
     WHERE s.workspace_id = ws AND s.id = of_id AND s.deleted_at IS NULL;
  WHEN 'epic' THEN
    RETURN QUERY SELECT 'E-' || e.number, e.title, e.description, format('%s/p/%s/epics/E-%s', home, p.key, e.number), NULL::uuid, NULL::text
      FROM public.epics e JOIN public.projects p ON p.workspace_id = e.workspace_id AND p.id = e.project_id
     WHERE e.workspace_id = ws AND e.id = of_id AND e.deleted_at IS NULL;
  WHEN 'task' THEN
    RETURN QUERY SELECT p.key || '-' || s.number, k.title, k.description, format('%s/p/%s/stories/%s-%s', home, p.key, p.key, s.number), NULL::uuid, NULL::text
      FROM public.tasks k JOIN public.stories s ON s.workspace_id = k.workspace_id AND s.id = k.story_id AND s.deleted_at IS NULL
      JOIN public.projects p ON p.workspace_id = s.workspace_id AND p.id = s.project_id
     WHERE k.workspace_id = ws AND k.id = of_id AND k.deleted_at IS NULL;
  WHEN 'sprint' THEN
    RETURN QUERY SELECT s.number::text, s.name, s.goal, format('%s/p/%s/sprints/%s', home, p.key, s.number), NULL::uuid, NULL::text
      FROM public.sprints s JOIN public.projects p ON p.workspace_id = s.workspace_id AND p.id = s.project_id
     WHERE s.workspace_id = ws AND s.id = of_id AND to_jsonb(s) ->> 'deleted_at' IS NULL;
  WHEN 'project' THEN
    RETURN QUERY SELECT p.key, p.name, p.description, format('%s/p/%s', home, p.key), NULL::uuid, NULL::text
      FROM public.projects p WHERE p.workspace_id = ws AND p.id = of_id;
  WHEN 'insight' THEN
    RETURN QUERY SELECT 'I-' || i.number, i.title, i.body, format('%s/insights/I-%s', home, i.number), NULL::uuid, NULL::text
      FROM public.agent_insights i WHERE i.workspace_id = ws AND i.id = of_id;
  WHEN 'objective' THEN
    RETURN QUERY SELECT 'O-' || o.number, o.title, o.description, format('%s/objectives/O-%s', home, o.number), NULL::uuid, NULL::text
      FROM public.objectives o WHERE o.workspace_id = ws AND o.id = of_id AND o.deleted_at IS NULL;
  WHEN 'key_result' THEN
    RETURN QUERY SELECT 'O-' || o.number, k.title, o.title, format('%s/objectives/O-%s', home, o.number), NULL::uuid, NULL::text
      FROM public.key_results k JOIN public.objectives o ON o.workspace_id = k.workspace_id AND o.id = k.objective_id AND o.deleted_at IS NULL
     WHERE k.workspace_id = ws AND k.id = of_id AND k.deleted_at IS NULL;
  WHEN 'comment' THEN
    RETURN QUERY SELECT t.key, t.title, c.body, t.path || '#c-' || c.id, u.id, u.name
      FROM public.comments c JOIN public.users u ON u.id = c.author_id
     CROSS JOIN LATERAL gnomon.thing(c.entity_type, c.entity_id) t
     WHERE c.workspace_id = ws AND c.id = of_id AND c.deleted_at IS NULL;
  WHEN 'person' THEN
    RETURN QUERY SELECT NULL::text, u.name, ''::text, NULL::text, NULL::uuid, NULL::text
      FROM public.workspace_members m JOIN public.users u ON u.id = m.user_id
     WHERE m.workspace_id = ws AND m.user_id = of_id;
  ELSE RETURN;
  END CASE;
END $$;
GRANT EXECUTE ON FUNCTION gnomon.thing TO gnomon_web, gnomon_worker;
