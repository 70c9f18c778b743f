-- The work itself: order on the board, tasks, labels, saved filters, and
-- dependencies that cannot go in a circle.

-- What a statement asks of a body beyond its schema; a sentence otherwise.
CREATE FUNCTION gnomon.must(ok boolean, sentence text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  IF ok IS NOT TRUE THEN PERFORM gnomon.refuse('validation_failed', sentence); END IF;
  RETURN true;
END $$;
GRANT EXECUTE ON FUNCTION gnomon.must TO gnomon_web;

-- ---- labels: of a project, or of the whole workspace
CREATE TABLE labels (
  workspace_id uuid NOT NULL REFERENCES workspaces,
  id           uuid NOT NULL DEFAULT gnomon.uuid7(),
  project_id   uuid,                    -- NULL: of every project
  name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 50),
  colour       text COLLATE "C" NOT NULL DEFAULT 'grey'
               CHECK (colour IN ('grey', 'red', 'orange', 'yellow', 'green', 'blue')),
  created_at   timestamptz NOT NULL DEFAULT gnomon.now(),
  updated_at   timestamptz NOT NULL DEFAULT gnomon.now(),
  deleted_at   timestamptz,
  version      integer NOT NULL DEFAULT 1,
  PRIMARY KEY (workspace_id, id),
  FOREIGN KEY (workspace_id, project_id) REFERENCES projects
);
CREATE UNIQUE INDEX labels_name ON labels (workspace_id, coalesce(project_id, workspace_id), lower(name)) WHERE deleted_at IS NULL;
CREATE TRIGGER version BEFORE UPDATE ON labels FOR EACH ROW EXECUTE FUNCTION gnomon.next_version();
SELECT gnomon.track('labels', 'label', 'coalesce(r.project_id, r.workspace_id)', '{project_id,name,colour,deleted_at}');

-- Which story has which label, by label: an index of stories.label_ids, which
-- the triggers below keep. Nobody writes it otherwise.
CREATE TABLE story_labels (
  workspace_id uuid NOT NULL,
  project_id   uuid NOT NULL,
  story_id     uuid NOT NULL,
  label_id     uuid NOT NULL,
  PRIMARY KEY (workspace_id, story_id, label_id),
  FOREIGN KEY (workspace_id, project_id, story_id) REFERENCES stories (workspace_id, project_id, id),
  FOREIGN KEY (workspace_id, label_id) REFERENCES labels
);
CREATE INDEX story_labels_label ON story_labels (workspace_id, label_id, story_id);

-- ---- stories: labels, how many tasks, a place of their own
ALTER TABLE stories
  ADD label_ids       uuid[] NOT NULL DEFAULT '{}',      -- sorted, each once
  ADD task_count      integer NOT NULL DEFAULT 0,        -- kept by a trigger of tasks
  ADD task_done_count integer NOT NULL DEFAULT 0,
  ALTER position DROP DEFAULT;                           -- NULL: behind the last
CREATE INDEX stories_updated ON stories (workspace_id, project_id, updated_at, id) WHERE deleted_at IS NULL;
CREATE INDEX stories_due ON stories (workspace_id, project_id, coalesce(due_date, 'infinity'), id) WHERE deleted_at IS NULL;
-- What is not begun, the ready before the rest.
CREATE INDEX stories_backlog ON stories (workspace_id, project_id, (status <> 'ready'), position, id)
  WHERE deleted_at IS NULL AND status IN ('backlog', 'ready');

-- Priorities in order.
CREATE FUNCTION gnomon.priority_rank(priority text) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT CASE priority WHEN 'low' THEN 1 WHEN 'medium' THEN 2 WHEN 'high' THEN 3 WHEN 'urgent' THEN 4 ELSE 0 END $$;
GRANT EXECUTE ON FUNCTION gnomon.priority_rank TO gnomon_web, gnomon_worker;
CREATE INDEX stories_priority ON stories (workspace_id, project_id, gnomon.priority_rank(priority), id) WHERE deleted_at IS NULL;

-- Places in a column lie 2^20 apart, so that twenty moves into one gap need no
-- other story to move. Behind the last one the story's number is added: two who
-- add at once get two places, with no lock between them.
CREATE FUNCTION gnomon.last_place(of_workspace uuid, of_project uuid, of_status text, of_number integer) RETURNS bigint
LANGUAGE plpgsql AS $$
BEGIN
  RETURN coalesce((SELECT s.position FROM public.stories s
                    WHERE s.workspace_id = of_workspace AND s.project_id = of_project AND s.status = of_status AND s.deleted_at IS NULL
                    ORDER BY s.position DESC LIMIT 1), 0) + 1048576 + of_number % 524288;
END $$;

CREATE FUNCTION gnomon.story_place() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.position := gnomon.last_place(NEW.workspace_id, NEW.project_id, NEW.status, NEW.number);
  RETURN NEW;
END $$;
CREATE TRIGGER place BEFORE INSERT ON stories FOR EACH ROW WHEN (NEW.position IS NULL) EXECUTE FUNCTION gnomon.story_place();

-- Whoever changes the status without saying where puts the story behind the
-- last of its new column. (A move says so by asking for the next version.)
CREATE OR REPLACE FUNCTION gnomon.story_status_since() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.status_since := gnomon.now();
  IF NEW.position = OLD.position AND NEW.version = OLD.version THEN
    NEW.position := gnomon.last_place(NEW.workspace_id, NEW.project_id, NEW.status, NEW.number);
  END IF;
  RETURN NEW;
END $$;

-- As gnomon.next_version, but that a story was put before or behind another, and
-- that its tasks were counted again, is no edit of it: whoever has its form open
-- shall not be refused for that. A move that says where asks for the next version.
CREATE FUNCTION gnomon.story_version() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE was public.stories := OLD;
BEGIN
  NEW.version := OLD.version;
  NEW.updated_at := OLD.updated_at;
  was.position := NEW.position;
  was.task_count := NEW.task_count;
  was.task_done_count := NEW.task_done_count;
  IF NEW IS DISTINCT FROM was THEN
    NEW.version := OLD.version + 1;
    NEW.updated_at := gnomon.now();
  END IF;
  RETURN NEW;
END $$;
DROP TRIGGER version ON stories;
CREATE TRIGGER version BEFORE UPDATE ON stories FOR EACH ROW EXECUTE FUNCTION gnomon.story_version();

CREATE FUNCTION gnomon.story_labels_sorted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.label_ids := ARRAY(SELECT DISTINCT l FROM unnest(NEW.label_ids) l WHERE l IS NOT NULL ORDER BY l);
  RETURN NEW;
END $$;
CREATE TRIGGER labels_insert BEFORE INSERT ON stories FOR EACH ROW WHEN (NEW.label_ids <> '{}') EXECUTE FUNCTION gnomon.story_labels_sorted();
CREATE TRIGGER labels_update BEFORE UPDATE OF label_ids ON stories FOR EACH ROW
  WHEN (NEW.label_ids IS DISTINCT FROM OLD.label_ids) EXECUTE FUNCTION gnomon.story_labels_sorted();

CREATE FUNCTION gnomon.story_labels_kept() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
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
CREATE TRIGGER kept_insert AFTER INSERT ON stories FOR EACH ROW WHEN (NEW.label_ids <> '{}') EXECUTE FUNCTION gnomon.story_labels_kept();
CREATE TRIGGER kept_update AFTER UPDATE ON stories FOR EACH ROW
  WHEN (NEW.label_ids IS DISTINCT FROM OLD.label_ids) EXECUTE FUNCTION gnomon.story_labels_kept();

-- A board shows its labels' names: a workspace's label that changes is a change
-- of every project that uses it.
CREATE FUNCTION gnomon.label_shown() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  WITH used AS (
    SELECT v.workspace_id, v.scope_id FROM public.revisions v
     WHERE v.workspace_id = NEW.workspace_id
       AND v.scope_id IN (SELECT k.project_id FROM public.story_labels k WHERE k.workspace_id = NEW.workspace_id AND k.label_id = NEW.id)
     ORDER BY v.scope_id FOR NO KEY UPDATE)
  UPDATE public.revisions v SET rev = v.rev + 1 FROM used u WHERE v.workspace_id = u.workspace_id AND v.scope_id = u.scope_id;
  RETURN NULL;
END $$;
CREATE TRIGGER shown AFTER UPDATE ON labels FOR EACH ROW
  WHEN (NEW.project_id IS NULL AND (NEW.name, NEW.colour) IS DISTINCT FROM (OLD.name, OLD.colour)) EXECUTE FUNCTION gnomon.label_shown();

-- A story cannot join an epic that was deleted; the lock makes a deletion under
-- way wait, so that it sees the story.
CREATE FUNCTION gnomon.story_epic() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE gone timestamptz;
BEGIN
  SELECT e.deleted_at INTO gone FROM public.epics e WHERE e.workspace_id = NEW.workspace_id AND e.id = NEW.epic_id FOR SHARE;
  IF gone IS NOT NULL THEN
    PERFORM gnomon.refuse('validation_failed', '/epicId: This epic was deleted. Choose another.');
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER epic_insert BEFORE INSERT ON stories FOR EACH ROW WHEN (NEW.epic_id IS NOT NULL) EXECUTE FUNCTION gnomon.story_epic();
CREATE TRIGGER epic_update BEFORE UPDATE OF epic_id ON stories FOR EACH ROW
  WHEN (NEW.epic_id IS DISTINCT FROM OLD.epic_id AND NEW.epic_id IS NOT NULL) EXECUTE FUNCTION gnomon.story_epic();

SELECT gnomon.retrack('stories', 'story', 'r.project_id',
  '{number,epic_id,title,description,acceptance_criteria,status,priority,position,estimate,confidence,assignee_id,team_id,due_date,ai_suggestions,status_since,label_ids,deleted_at}',
  '{status,epic_id,position}');
SELECT gnomon.remake_asof('stories', 'created_at');

-- ---- tasks: the steps of a story
CREATE TABLE tasks (
  workspace_id uuid NOT NULL,
  id           uuid NOT NULL DEFAULT gnomon.uuid7(),
  project_id   uuid NOT NULL,
  story_id     uuid NOT NULL,
  title        text NOT NULL CHECK (length(title) BETWEEN 1 AND 300),
  description  text NOT NULL DEFAULT '' CHECK (length(description) <= 20000),
  status       text COLLATE "C" NOT NULL DEFAULT 'todo' CHECK (status IN ('todo', 'in_progress', 'done')),
  estimate     double precision CHECK (estimate BETWEEN 0 AND 1000),     -- hours
  position     bigint NOT NULL,
  assignee_id  uuid,
  ai_generated boolean NOT NULL DEFAULT false,
  created_at   timestamptz NOT NULL DEFAULT gnomon.now(),
  updated_at   timestamptz NOT NULL DEFAULT gnomon.now(),
  deleted_at   timestamptz,
  version      integer NOT NULL DEFAULT 1,
  PRIMARY KEY (workspace_id, id),
  FOREIGN KEY (workspace_id, project_id, story_id) REFERENCES stories (workspace_id, project_id, id),
  FOREIGN KEY (workspace_id, assignee_id) REFERENCES workspace_members
);
CREATE INDEX tasks_story ON tasks (workspace_id, story_id, position, id) WHERE deleted_at IS NULL;
CREATE INDEX tasks_project ON tasks (workspace_id, project_id, id) WHERE deleted_at IS NULL;
CREATE INDEX tasks_assignee ON tasks (workspace_id, assignee_id) WHERE deleted_at IS NULL AND status <> 'done';

CREATE FUNCTION gnomon.task_place() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.position := coalesce((SELECT t.position FROM public.tasks t
                             WHERE t.workspace_id = NEW.workspace_id AND t.story_id = NEW.story_id AND t.deleted_at IS NULL
                             ORDER BY t.position DESC LIMIT 1), 0) + 1048576;
  RETURN NEW;
END $$;
CREATE TRIGGER place BEFORE INSERT ON tasks FOR EACH ROW WHEN (NEW.position IS NULL) EXECUTE FUNCTION gnomon.task_place();
CREATE FUNCTION gnomon.task_version() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE was public.tasks := OLD;
BEGIN
  NEW.version := OLD.version;
  NEW.updated_at := OLD.updated_at;
  was.position := NEW.position;
  IF NEW IS DISTINCT FROM was THEN
    NEW.version := OLD.version + 1;
    NEW.updated_at := gnomon.now();
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER version BEFORE UPDATE ON tasks FOR EACH ROW EXECUTE FUNCTION gnomon.task_version();
SELECT gnomon.track('tasks', 'task', 'r.project_id',
  '{story_id,title,description,status,estimate,position,assignee_id,deleted_at}', '{status,position}');
SELECT gnomon.make_asof('tasks', 'created_at');

-- A story's cards show its tasks without reading them. Differences are added,
-- so nobody waits for another's count.
CREATE FUNCTION gnomon.tasks_counted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE public.stories s
     SET task_count = s.task_count + d.n, task_done_count = s.task_done_count + d.done
    FROM (SELECT r.workspace_id, r.story_id, count(*)::integer AS n, (count(*) FILTER (WHERE r.status = 'done'))::integer AS done
            FROM new_rows r WHERE r.deleted_at IS NULL GROUP BY 1, 2) d
   WHERE s.workspace_id = d.workspace_id AND s.id = d.story_id;
  RETURN NULL;
END $$;
CREATE FUNCTION gnomon.tasks_recounted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE public.stories s
     SET task_count = s.task_count + d.n, task_done_count = s.task_done_count + d.done
    FROM (SELECT c.workspace_id, c.story_id, sum(c.n)::integer AS n, coalesce(sum(c.n) FILTER (WHERE c.status = 'done'), 0)::integer AS done
            FROM (SELECT r.workspace_id, r.story_id, r.status, 1 AS n FROM new_rows r WHERE r.deleted_at IS NULL
                  UNION ALL
                  SELECT o.workspace_id, o.story_id, o.status, -1 FROM old_rows o WHERE o.deleted_at IS NULL) c
           GROUP BY 1, 2) d
   WHERE s.workspace_id = d.workspace_id AND s.id = d.story_id AND (d.n, d.done) <> (0, 0);
  RETURN NULL;
END $$;
CREATE TRIGGER counted AFTER INSERT ON tasks REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION gnomon.tasks_counted();
CREATE TRIGGER recounted AFTER UPDATE ON tasks REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION gnomon.tasks_recounted();

-- ---- epics have places, too
ALTER TABLE epics ALTER position DROP DEFAULT;
CREATE INDEX epics_order ON epics (workspace_id, project_id, position, id) WHERE deleted_at IS NULL;
CREATE FUNCTION gnomon.epic_place() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.position := coalesce((SELECT e.position FROM public.epics e
                             WHERE e.workspace_id = NEW.workspace_id AND e.project_id = NEW.project_id AND e.deleted_at IS NULL
                             ORDER BY e.position DESC LIMIT 1), 0) + 1048576 + NEW.number % 524288;
  RETURN NEW;
END $$;
CREATE TRIGGER place BEFORE INSERT ON epics FOR EACH ROW WHEN (NEW.position IS NULL) EXECUTE FUNCTION gnomon.epic_place();

-- ---- saved filters: a list's query under a name
CREATE TABLE saved_filters (
  workspace_id uuid NOT NULL,
  id           uuid NOT NULL DEFAULT gnomon.uuid7(),
  project_id   uuid,                    -- NULL: for every project
  user_id      uuid NOT NULL,
  list         text COLLATE "C" NOT NULL CHECK (list IN ('stories', 'backlog', 'board')),
  name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
  query        text NOT NULL CHECK (length(query) BETWEEN 1 AND 2000),
  is_shared    boolean NOT NULL DEFAULT false,
  created_at   timestamptz NOT NULL DEFAULT gnomon.now(),
  updated_at   timestamptz NOT NULL DEFAULT gnomon.now(),
  deleted_at   timestamptz,
  version      integer NOT NULL DEFAULT 1,
  PRIMARY KEY (workspace_id, id),
  FOREIGN KEY (workspace_id, project_id) REFERENCES projects,
  FOREIGN KEY (workspace_id, user_id) REFERENCES workspace_members
);
CREATE UNIQUE INDEX saved_filters_name ON saved_filters (workspace_id, user_id, coalesce(project_id, workspace_id), list, lower(name)) WHERE deleted_at IS NULL;
CREATE INDEX saved_filters_shared ON saved_filters (workspace_id, list) WHERE deleted_at IS NULL AND is_shared;
CREATE TRIGGER version BEFORE UPDATE ON saved_filters FOR EACH ROW EXECUTE FUNCTION gnomon.next_version();

SELECT gnomon.wall_project('project_id', 'labels', 'story_labels', 'tasks', 'saved_filters');
GRANT SELECT ON labels, story_labels, tasks TO gnomon_web, gnomon_worker;
GRANT SELECT ON saved_filters TO gnomon_web;
GRANT INSERT, UPDATE ON labels, tasks, saved_filters TO gnomon_web;

-- ---- what a story's reply shows of its labels and tasks
CREATE FUNCTION gnomon.labels_of(ids uuid[]) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT coalesce(jsonb_agg(jsonb_build_object('id', l.id, 'name', l.name, 'colour', l.colour) ORDER BY lower(l.name), l.id), '[]')
    FROM public.labels l WHERE l.workspace_id = gnomon.workspace() AND l.id = ANY (ids)
$$;
CREATE FUNCTION gnomon.tasks_of(story uuid) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT coalesce(jsonb_agg(jsonb_build_object('id', t.id, 'title', t.title, 'status', t.status, 'estimate', t.estimate,
                                               'assignee', CASE WHEN u.id IS NOT NULL THEN jsonb_build_object('id', u.id, 'name', u.name) END,
                                               'version', t.version) ORDER BY t.position, t.id), '[]')
    FROM asof.tasks t LEFT JOIN public.users u ON u.id = t.assignee_id   -- as they are, or were
   WHERE t.workspace_id = gnomon.workspace() AND t.story_id = story AND t.deleted_at IS NULL
$$;

-- ---- the order of a column
-- Whoever puts stories into an order holds this lock of the project until the
-- end of the transaction; every statement after it sees what the one before did.
CREATE FUNCTION gnomon.hold_order() RETURNS void LANGUAGE sql AS $$
  SELECT pg_catalog.pg_advisory_xact_lock(hashtextextended('order ' || gnomon.project(), 0))
$$;

-- The id of a story of the project entered, said as id, key or number.
CREATE FUNCTION gnomon.story_said(said text) RETURNS uuid LANGUAGE sql STABLE AS $$
  SELECT s.id FROM public.stories s JOIN public.projects p ON p.workspace_id = s.workspace_id AND p.id = s.project_id
   WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
     AND CASE WHEN said ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$' THEN s.id = said::uuid
              WHEN upper(said) ~ ('^(' || p.key || '-)?[1-9][0-9]{0,8}$') THEN s.number = substring(said FROM '[0-9]+$')::integer
              ELSE false END
$$;

-- Moves a story to a column, an epic, a place in the column. target has status,
-- epic_id, before, after (a story), place (top, bottom); what it does not name
-- stays. The row is the story as it is now; refused says why it did not move.
CREATE FUNCTION gnomon.move_story(of_story uuid, of_version integer, target jsonb)
RETURNS TABLE (refused text, story stories) LANGUAGE plpgsql AS $$
DECLARE
  gap constant bigint := 1048576;
  anchor public.stories;
  said constant text := coalesce(target ->> 'before', target ->> 'after');
  ws constant uuid := gnomon.workspace();
  prj constant uuid := gnomon.project();
  behind boolean;       -- the anchor
  low bigint;           -- the places between which it goes; NULL: no such end
  high bigint;
  goal bigint;
  goal_status text;
  goal_epic uuid;
BEGIN
  PERFORM gnomon.hold_order();
  SELECT * INTO story FROM public.stories s
   WHERE s.workspace_id = ws AND s.project_id = prj AND s.id = of_story AND s.deleted_at IS NULL FOR NO KEY UPDATE;
  IF NOT FOUND THEN RETURN; END IF;
  IF story.version <> of_version THEN
    refused := 'version_conflict';
    RETURN NEXT;
    RETURN;
  END IF;
  goal_status := coalesce(target ->> 'status', story.status);
  goal_epic := CASE WHEN target ? 'epic_id' THEN (target ->> 'epic_id')::uuid ELSE story.epic_id END;
  goal := story.position;
  IF said IS NOT NULL THEN
    SELECT * INTO anchor FROM public.stories s WHERE s.workspace_id = ws AND s.id = gnomon.story_said(said);
    IF anchor.id IS NULL OR anchor.id = story.id OR anchor.status <> goal_status THEN
      PERFORM gnomon.refuse('validation_failed', format('/%s: Choose another story of the same column.',
        CASE WHEN target ? 'before' THEN 'before' ELSE 'after' END));
    END IF;
    behind := NOT target ? 'before';
  ELSIF target ->> 'place' = 'top' OR target ->> 'place' = 'bottom' OR goal_status <> story.status THEN
    behind := coalesce(target ->> 'place', 'bottom') = 'bottom';
    IF behind THEN
      SELECT * INTO anchor FROM public.stories s
       WHERE s.workspace_id = ws AND s.project_id = prj AND s.status = goal_status AND s.deleted_at IS NULL AND s.id <> story.id
       ORDER BY s.position DESC, s.id DESC LIMIT 1;
    ELSE
      SELECT * INTO anchor FROM public.stories s
       WHERE s.workspace_id = ws AND s.project_id = prj AND s.status = goal_status AND s.deleted_at IS NULL AND s.id <> story.id
       ORDER BY s.position, s.id LIMIT 1;
    END IF;
  END IF;
  IF behind AND anchor.id IS NOT NULL THEN
    low := anchor.position;
    SELECT s.position INTO high FROM public.stories s
     WHERE s.workspace_id = ws AND s.project_id = prj AND s.status = goal_status AND s.deleted_at IS NULL AND s.id <> story.id
       AND (s.position, s.id) > (anchor.position, anchor.id) ORDER BY s.position, s.id LIMIT 1;
  ELSIF anchor.id IS NOT NULL THEN
    high := anchor.position;
    SELECT s.position INTO low FROM public.stories s
     WHERE s.workspace_id = ws AND s.project_id = prj AND s.status = goal_status AND s.deleted_at IS NULL AND s.id <> story.id
       AND (s.position, s.id) < (anchor.position, anchor.id) ORDER BY s.position DESC, s.id DESC LIMIT 1;
  END IF;
  IF behind IS NOT NULL AND NOT (story.status = goal_status AND coalesce(story.position > low, true) AND coalesce(story.position < high, true)) THEN
    goal := CASE WHEN low IS NULL AND high IS NULL THEN gap
                 WHEN low IS NULL THEN high - gap
                 WHEN high IS NULL THEN low + gap + story.number % 524288
                 ELSE low + (high - low) / 2 END;
    IF high - low < 2 THEN     -- no room: the whole column gets new places, in its order
      PERFORM FROM public.stories s
        WHERE s.workspace_id = ws AND s.project_id = prj AND s.status = goal_status AND s.deleted_at IS NULL ORDER BY s.id FOR NO KEY UPDATE;
      UPDATE public.stories s
         SET position = n.place * gap, status = goal_status, epic_id = CASE s.id WHEN of_story THEN goal_epic ELSE s.epic_id END,
             version = s.version + (s.id = of_story)::integer
        FROM (SELECT o.id, row_number() OVER (ORDER BY o.position, o.tier, o.id) AS place
                FROM (SELECT c.id, c.position,
                             CASE WHEN (c.position, c.id) < (anchor.position, anchor.id) OR behind AND c.id = anchor.id THEN 0 ELSE 2 END AS tier
                        FROM public.stories c
                       WHERE c.workspace_id = ws AND c.project_id = prj AND c.status = goal_status AND c.deleted_at IS NULL AND c.id <> of_story
                      UNION ALL SELECT of_story, CASE WHEN behind THEN low ELSE high END, 1) o) n
       WHERE s.workspace_id = ws AND s.id = n.id;
      SELECT * INTO story FROM public.stories s WHERE s.workspace_id = ws AND s.id = of_story;
      RETURN NEXT;
      RETURN;
    END IF;
  END IF;
  IF (goal, goal_status, goal_epic) IS DISTINCT FROM (story.position, story.status, story.epic_id) THEN
    UPDATE public.stories s SET position = goal, status = goal_status, epic_id = goal_epic, version = s.version + 1
     WHERE s.workspace_id = ws AND s.id = of_story RETURNING * INTO story;
  END IF;
  RETURN NEXT;
END $$;

-- Puts stories of one column into the order given: they take each other's
-- places, and nobody else's. All or nothing.
CREATE FUNCTION gnomon.reorder_stories(ids uuid[]) RETURNS SETOF stories LANGUAGE plpgsql AS $$
DECLARE
  ws constant uuid := gnomon.workspace();
  prj constant uuid := gnomon.project();
  places bigint[];
  column_ text;
  n integer;
  lost integer;
BEGIN
  PERFORM gnomon.hold_order();
  PERFORM FROM public.stories s WHERE s.workspace_id = ws AND s.project_id = prj AND s.id = ANY (ids) ORDER BY s.id FOR NO KEY UPDATE;
  SELECT array_agg(s.position ORDER BY s.position, s.id), min(s.status), count(DISTINCT s.status)
    INTO places, column_, n
    FROM public.stories s WHERE s.workspace_id = ws AND s.project_id = prj AND s.id = ANY (ids) AND s.deleted_at IS NULL;
  IF cardinality(places) IS DISTINCT FROM cardinality(ids) THEN
    SELECT g.nth - 1 INTO lost FROM unnest(ids) WITH ORDINALITY AS g (id, nth)
     WHERE NOT EXISTS (SELECT FROM public.stories s WHERE s.workspace_id = ws AND s.project_id = prj AND s.id = g.id AND s.deleted_at IS NULL)
     ORDER BY g.nth LIMIT 1;
    PERFORM gnomon.refuse('validation_failed', format('/ids/%s: There is no such story in this project.', coalesce(lost, 0)));
  END IF;
  IF n <> 1 THEN
    PERFORM gnomon.refuse('validation_failed', '/ids: Stories of one column have an order; these are in several.');
  END IF;
  IF (SELECT count(*) FROM public.stories s
       WHERE s.workspace_id = ws AND s.project_id = prj AND s.status = column_ AND s.deleted_at IS NULL AND s.position = ANY (places))
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

-- The same for epics, of which a project has few: those given first, in this
-- order, on the places they have.
CREATE FUNCTION gnomon.reorder_epics(ids uuid[]) RETURNS SETOF epics LANGUAGE plpgsql AS $$
DECLARE
  ws constant uuid := gnomon.workspace();
  prj constant uuid := gnomon.project();
  lost integer;
BEGIN
  PERFORM gnomon.hold_order();
  PERFORM FROM public.epics e WHERE e.workspace_id = ws AND e.project_id = prj AND e.deleted_at IS NULL ORDER BY e.id FOR NO KEY UPDATE;
  SELECT g.nth - 1 INTO lost FROM unnest(ids) WITH ORDINALITY AS g (id, nth)
   WHERE NOT EXISTS (SELECT FROM public.epics e WHERE e.workspace_id = ws AND e.project_id = prj AND e.id = g.id AND e.deleted_at IS NULL)
   ORDER BY g.nth LIMIT 1;
  IF lost IS NOT NULL THEN
    PERFORM gnomon.refuse('validation_failed', format('/ids/%s: There is no such epic in this project.', lost));
  END IF;
  RETURN QUERY
  WITH slots AS (
    SELECT c.id, row_number() OVER (ORDER BY c.position, c.id) AS rank, c.id = ANY (ids) AS ours
      FROM public.epics c WHERE c.workspace_id = ws AND c.project_id = prj AND c.deleted_at IS NULL
  ), ours AS (
    SELECT s.rank, row_number() OVER (ORDER BY s.rank) AS nth FROM slots s WHERE s.ours
  ), goal AS (
    SELECT g.id, o.rank FROM unnest(ids) WITH ORDINALITY AS g (id, nth) JOIN ours o ON o.nth = g.nth
    UNION ALL SELECT s.id, s.rank FROM slots s WHERE NOT s.ours
  ), places AS (   -- places are kept where no two share one
    SELECT row_number() OVER (ORDER BY c.position, c.id) AS rank, c.position, count(*) OVER (PARTITION BY c.position) > 1 AS is_shared
      FROM public.epics c WHERE c.workspace_id = ws AND c.project_id = prj AND c.deleted_at IS NULL
  ), moved AS (
    UPDATE public.epics e
       SET position = CASE WHEN (SELECT bool_or(is_shared) FROM places) THEN g.rank * 1048576
                           ELSE (SELECT p.position FROM places p WHERE p.rank = g.rank) END
      FROM goal g WHERE e.workspace_id = ws AND e.id = g.id RETURNING e.*)
  SELECT m.* FROM moved m WHERE m.id = ANY (ids) ORDER BY m.position;
END $$;

-- That others were put before it is no edit of an epic, either.
CREATE FUNCTION gnomon.epic_version() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE was public.epics := OLD;
BEGIN
  NEW.version := OLD.version;
  NEW.updated_at := OLD.updated_at;
  was.position := NEW.position;
  IF NEW IS DISTINCT FROM was THEN
    NEW.version := OLD.version + 1;
    NEW.updated_at := gnomon.now();
  END IF;
  RETURN NEW;
END $$;
DROP TRIGGER version ON epics;
CREATE TRIGGER version BEFORE UPDATE ON epics FOR EACH ROW EXECUTE FUNCTION gnomon.epic_version();

-- Deletes an epic and takes its stories out of it, in one revision. The lock
-- comes first: what joins the epic meanwhile is seen or refused.
CREATE FUNCTION gnomon.delete_epic(of_epic uuid) RETURNS SETOF uuid LANGUAGE plpgsql AS $$
BEGIN
  PERFORM FROM public.epics e
    WHERE e.workspace_id = gnomon.workspace() AND e.project_id = gnomon.project() AND e.id = of_epic AND e.deleted_at IS NULL FOR UPDATE;
  IF NOT FOUND THEN RETURN; END IF;
  PERFORM FROM public.stories s WHERE s.workspace_id = gnomon.workspace() AND s.epic_id = of_epic ORDER BY s.id FOR NO KEY UPDATE;
  RETURN QUERY
  WITH detached AS (
    UPDATE public.stories s SET epic_id = NULL WHERE s.workspace_id = gnomon.workspace() AND s.epic_id = of_epic AND s.deleted_at IS NULL RETURNING 1)
  UPDATE public.epics e SET deleted_at = gnomon.now() WHERE e.workspace_id = gnomon.workspace() AND e.id = of_epic RETURNING e.id;
END $$;

-- Moves a task to a status and a place below its story: before or after another.
CREATE FUNCTION gnomon.move_task(of_task uuid, of_version integer, target jsonb)
RETURNS TABLE (refused text, task tasks) LANGUAGE plpgsql AS $$
DECLARE
  anchor public.tasks;
  ws constant uuid := gnomon.workspace();
  behind constant boolean := target ? 'after';
BEGIN
  PERFORM gnomon.hold_order();
  SELECT * INTO task FROM public.tasks t
   WHERE t.workspace_id = ws AND t.project_id = gnomon.project() AND t.id = of_task AND t.deleted_at IS NULL FOR NO KEY UPDATE;
  IF NOT FOUND THEN RETURN; END IF;
  IF task.version <> of_version THEN
    refused := 'version_conflict';
    RETURN NEXT;
    RETURN;
  END IF;
  IF target ?| '{before,after}' THEN
    SELECT * INTO anchor FROM public.tasks t
     WHERE t.workspace_id = ws AND t.story_id = task.story_id AND t.deleted_at IS NULL AND t.id <> of_task
       AND t.id = coalesce(target ->> 'before', target ->> 'after')::uuid;
    IF anchor.id IS NULL THEN
      PERFORM gnomon.refuse('validation_failed', format('/%s: Choose another task of the same story.', CASE WHEN behind THEN 'after' ELSE 'before' END));
    END IF;
  END IF;
  -- a story has few tasks: their order is made anew
  UPDATE public.tasks t
     SET position = CASE WHEN anchor.id IS NULL THEN t.position ELSE n.place * 1048576 END,
         status = CASE t.id WHEN of_task THEN coalesce(target ->> 'status', t.status) ELSE t.status END
    FROM (SELECT o.id, row_number() OVER (ORDER BY o.position, o.tier, o.id) AS place
            FROM (SELECT c.id, c.position,
                         CASE WHEN (c.position, c.id) < (anchor.position, anchor.id) OR behind AND c.id = anchor.id THEN 0 ELSE 2 END AS tier
                    FROM public.tasks c
                   WHERE c.workspace_id = ws AND c.story_id = task.story_id AND c.deleted_at IS NULL AND c.id <> of_task AND anchor.id IS NOT NULL
                  UNION ALL SELECT of_task, anchor.position, 1) o) n
   WHERE t.workspace_id = ws AND t.id = n.id AND (t.id = of_task OR t.position <> n.place * 1048576);
  SELECT * INTO task FROM public.tasks t WHERE t.workspace_id = ws AND t.id = of_task;
  RETURN NEXT;
END $$;

-- ---- dependencies: nothing waits for itself
CREATE UNIQUE INDEX dependencies_once ON dependencies (workspace_id,
    (CASE dependency_type WHEN 'blocks' THEN target_id ELSE source_id END),
    (CASE dependency_type WHEN 'blocks' THEN source_id ELSE target_id END)) WHERE removed_at IS NULL;

-- What begins or ends when: an epic's stories begin after it may begin, and it
-- ends with the last of them; what waits begins when that it waits for has
-- ended. A dependency is refused when its waiter would have to begin before
-- itself. Nodes are (story or epic, end or begin); the walk goes from the end of
-- the blocker through all that must come before.
CREATE FUNCTION gnomon.dependency_circle() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  waiter constant uuid := CASE NEW.dependency_type WHEN 'blocks' THEN NEW.target_id ELSE NEW.source_id END;
  blocker constant uuid := CASE NEW.dependency_type WHEN 'blocks' THEN NEW.source_id ELSE NEW.target_id END;
  goal constant text := 'begin ' || waiter;
  seen jsonb := jsonb_build_object('end ' || blocker, '');
  edge text[] := ARRAY['end ' || blocker];
  step jsonb;
  at text;
  path text[] := '{}';
  name text;
BEGIN
  PERFORM pg_catalog.pg_advisory_xact_lock(hashtextextended('waits ' || NEW.project_id, 0));
  WHILE edge <> '{}' AND NOT seen ? goal LOOP
    WITH here AS (
      SELECT e AS node, split_part(e, ' ', 1) AS side, split_part(e, ' ', 2)::uuid AS id FROM unnest(edge) e
    ), needs AS (
      SELECT h.node AS via, 'begin ' || h.id AS node FROM here h WHERE h.side = 'end'
      UNION ALL
      SELECT h.node, 'end ' || s.id FROM here h JOIN public.stories s
          ON s.workspace_id = NEW.workspace_id AND s.epic_id = h.id AND s.deleted_at IS NULL WHERE h.side = 'end'
      UNION ALL
      SELECT h.node, 'begin ' || s.epic_id FROM here h JOIN public.stories s
          ON s.workspace_id = NEW.workspace_id AND s.id = h.id AND s.epic_id IS NOT NULL WHERE h.side = 'begin'
      UNION ALL
      SELECT h.node, 'end ' || d.source_id FROM here h JOIN public.dependencies d
          ON d.workspace_id = NEW.workspace_id AND d.target_id = h.id AND d.dependency_type = 'blocks' AND d.removed_at IS NULL WHERE h.side = 'begin'
      UNION ALL
      SELECT h.node, 'end ' || d.target_id FROM here h JOIN public.dependencies d
          ON d.workspace_id = NEW.workspace_id AND d.source_id = h.id AND d.dependency_type = 'requires' AND d.removed_at IS NULL WHERE h.side = 'begin'
    )
    SELECT jsonb_object_agg(n.node, n.via) INTO step
      FROM (SELECT DISTINCT ON (node) node, via FROM needs WHERE NOT seen ? node ORDER BY node, via) n;
    EXIT WHEN step IS NULL;
    seen := seen || step;
    edge := ARRAY(SELECT jsonb_object_keys(step));
  END LOOP;
  IF NOT seen ? goal THEN RETURN NEW; END IF;
  at := goal;
  WHILE at <> '' LOOP
    SELECT coalesce((SELECT p.key || '-' || s.number FROM public.stories s JOIN public.projects p ON p.workspace_id = s.workspace_id AND p.id = s.project_id
                      WHERE s.workspace_id = NEW.workspace_id AND s.id = split_part(at, ' ', 2)::uuid),
                    (SELECT 'E-' || e.number FROM public.epics e WHERE e.workspace_id = NEW.workspace_id AND e.id = split_part(at, ' ', 2)::uuid)) INTO name;
    IF path = '{}' OR path[1] <> name THEN path := name || path; END IF;
    at := seen ->> at;
  END LOOP;
  IF path[1] <> path[cardinality(path)] THEN path := path[cardinality(path)] || path; END IF;
  PERFORM gnomon.refuse('validation_failed', format('/targetId: This would make a circle: %s.', array_to_string(path, ' → ')));
  RETURN NULL;
END $$;
CREATE TRIGGER waits BEFORE INSERT ON dependencies FOR EACH ROW WHEN (NEW.removed_at IS NULL) EXECUTE FUNCTION gnomon.dependency_circle();

-- What a dependency's end is when it is said as id, AC-12 or E-3.
CREATE FUNCTION gnomon.end_said(said text, as_type text) RETURNS TABLE (type text, id uuid) LANGUAGE sql STABLE AS $$
  SELECT 'story', s.id FROM public.stories s
   WHERE coalesce(as_type, 'story') = 'story' AND s.workspace_id = gnomon.workspace() AND s.id = gnomon.story_said(said)
  UNION ALL
  SELECT 'epic', e.id FROM public.epics e
   WHERE coalesce(as_type, 'epic') = 'epic' AND e.workspace_id = gnomon.workspace() AND e.project_id = gnomon.project() AND e.deleted_at IS NULL
     AND CASE WHEN said ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$' THEN e.id = said::uuid
              WHEN upper(said) ~ '^E-[1-9][0-9]{0,8}$' THEN e.number = substring(said FROM 3)::integer
              ELSE false END
  LIMIT 1
$$;

GRANT EXECUTE ON FUNCTION gnomon.last_place, gnomon.story_place, gnomon.story_version, gnomon.story_labels_sorted, gnomon.story_epic,
  gnomon.task_place, gnomon.task_version, gnomon.epic_place, gnomon.epic_version, gnomon.labels_of, gnomon.tasks_of, gnomon.hold_order, gnomon.story_said,
  gnomon.move_story, gnomon.reorder_stories, gnomon.reorder_epics, gnomon.delete_epic, gnomon.move_task,
  gnomon.dependency_circle, gnomon.end_said TO gnomon_web;
