-- Delivery: projects, epics, stories, sprints, dependencies. Rows are archived
-- or marked deleted, never removed. Every editable row has a version.

CREATE TABLE projects (
  workspace_id uuid NOT NULL REFERENCES workspaces,
  id           uuid NOT NULL DEFAULT gnomon.uuid7(),
  key          text COLLATE "C" NOT NULL CHECK (key ~ '^[A-Z][A-Z0-9]{0,9}$'),
  name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 120),
  description  text NOT NULL DEFAULT '' CHECK (length(description) <= 20000),
  slug         text COLLATE "C" NOT NULL CHECK (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
  settings     jsonb NOT NULL DEFAULT '{}',
  team_id      uuid,
  owner_id     uuid,
  created_at   timestamptz NOT NULL DEFAULT gnomon.now(),
  updated_at   timestamptz NOT NULL DEFAULT gnomon.now(),
  archived_at  timestamptz,
  version      integer NOT NULL DEFAULT 1,
  PRIMARY KEY (workspace_id, id),
  UNIQUE (id),                        -- scope anchor, for look-up only
  UNIQUE (workspace_id, key),
  UNIQUE (workspace_id, slug),
  FOREIGN KEY (workspace_id, team_id) REFERENCES teams,
  FOREIGN KEY (workspace_id, owner_id) REFERENCES workspace_members
);

CREATE TABLE epics (
  workspace_id uuid NOT NULL,
  id           uuid NOT NULL DEFAULT gnomon.uuid7(),
  project_id   uuid NOT NULL,
  number       integer NOT NULL,
  title        text NOT NULL CHECK (length(title) BETWEEN 1 AND 300),
  description  text NOT NULL DEFAULT '' CHECK (length(description) <= 100000),
  status       text COLLATE "C" NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'active', 'done')),
  priority     text COLLATE "C" NOT NULL DEFAULT 'medium' CHECK (priority IN ('low', 'medium', 'high', 'urgent')),
  position     bigint NOT NULL DEFAULT 0,
  ai_generated boolean NOT NULL DEFAULT false,
  created_at   timestamptz NOT NULL DEFAULT gnomon.now(),
  updated_at   timestamptz NOT NULL DEFAULT gnomon.now(),
  deleted_at   timestamptz,
  version      integer NOT NULL DEFAULT 1,
  PRIMARY KEY (workspace_id, id),
  UNIQUE (workspace_id, project_id, number),
  UNIQUE (workspace_id, project_id, id),
  FOREIGN KEY (workspace_id, project_id) REFERENCES projects
);

CREATE TABLE stories (
  workspace_id        uuid NOT NULL,
  id                  uuid NOT NULL DEFAULT gnomon.uuid7(),
  project_id          uuid NOT NULL,
  epic_id             uuid,
  number              integer NOT NULL,
  title               text NOT NULL CHECK (length(title) BETWEEN 1 AND 300),
  description         text NOT NULL DEFAULT '' CHECK (length(description) <= 100000),
  acceptance_criteria jsonb NOT NULL DEFAULT '[]',
  status              text COLLATE "C" NOT NULL DEFAULT 'backlog'
                      CHECK (status IN ('backlog', 'ready', 'in_progress', 'review', 'done')),
  priority            text COLLATE "C" NOT NULL DEFAULT 'medium'
                      CHECK (priority IN ('low', 'medium', 'high', 'urgent')),
  position            bigint NOT NULL DEFAULT 0,     -- order within a column, gaps left for moves
  estimate            double precision CHECK (estimate BETWEEN 0 AND 1000),   -- points
  confidence          smallint CHECK (confidence BETWEEN 0 AND 100),
  assignee_id         uuid,
  team_id             uuid,
  due_date            date,
  ai_generated        boolean NOT NULL DEFAULT false,
  ai_suggestions      jsonb,
  status_since        timestamptz NOT NULL DEFAULT gnomon.now(),
  created_at          timestamptz NOT NULL DEFAULT gnomon.now(),
  updated_at          timestamptz NOT NULL DEFAULT gnomon.now(),
  deleted_at          timestamptz,
  version             integer NOT NULL DEFAULT 1,
  PRIMARY KEY (workspace_id, id),
  UNIQUE (workspace_id, project_id, number),
  UNIQUE (workspace_id, project_id, id),
  FOREIGN KEY (workspace_id, project_id) REFERENCES projects,
  FOREIGN KEY (workspace_id, project_id, epic_id) REFERENCES epics (workspace_id, project_id, id),
  FOREIGN KEY (workspace_id, assignee_id) REFERENCES workspace_members,
  FOREIGN KEY (workspace_id, team_id) REFERENCES teams
);
CREATE INDEX stories_board ON stories (workspace_id, project_id, status, position, id) WHERE deleted_at IS NULL;
-- list_stories reaches this by the project it joins, not by gnomon.project(): the
-- planner looks at a setting's value, and a plan made for the project that holds
-- nearly every story would read past all of them for another.
CREATE INDEX stories_newest ON stories (workspace_id, project_id, id) WHERE deleted_at IS NULL;
CREATE INDEX stories_assignee ON stories (workspace_id, assignee_id) WHERE deleted_at IS NULL AND status <> 'done';
CREATE INDEX stories_epic ON stories (workspace_id, epic_id) WHERE deleted_at IS NULL;

CREATE TABLE sprints (
  workspace_id uuid NOT NULL,
  id           uuid NOT NULL DEFAULT gnomon.uuid7(),
  project_id   uuid NOT NULL,
  number       integer NOT NULL,
  name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 120),
  goal         text NOT NULL DEFAULT '' CHECK (length(goal) <= 2000),
  start_date   date NOT NULL,
  end_date     date NOT NULL,
  status       text COLLATE "C" NOT NULL DEFAULT 'planning' CHECK (status IN ('planning', 'active', 'completed')),
  capacity     jsonb NOT NULL DEFAULT '{}',          -- {"<user id>": points}
  started_at   timestamptz,
  completed_at timestamptz,
  created_at   timestamptz NOT NULL DEFAULT gnomon.now(),
  updated_at   timestamptz NOT NULL DEFAULT gnomon.now(),
  version      integer NOT NULL DEFAULT 1,
  PRIMARY KEY (workspace_id, id),
  UNIQUE (workspace_id, project_id, number),
  UNIQUE (workspace_id, project_id, id),
  FOREIGN KEY (workspace_id, project_id) REFERENCES projects,
  CHECK (end_date >= start_date)
);
CREATE UNIQUE INDEX sprints_one_active ON sprints (workspace_id, project_id) WHERE status = 'active';

-- A story's stay in a sprint. Added after the start is scope growth; taken out
-- is removed_at. completed_at and final_estimate are stamped when the sprint
-- completes, so a closed sprint's numbers never change.
CREATE TABLE sprint_items (
  workspace_id      uuid NOT NULL,
  id                uuid NOT NULL DEFAULT gnomon.uuid7(),
  project_id        uuid NOT NULL,
  sprint_id         uuid NOT NULL,
  story_id          uuid NOT NULL,
  added_at          timestamptz NOT NULL DEFAULT gnomon.now(),
  completed_at      timestamptz,
  original_estimate double precision,
  final_estimate    double precision,
  removed_at        timestamptz,
  PRIMARY KEY (workspace_id, id),
  UNIQUE (workspace_id, sprint_id, story_id),
  FOREIGN KEY (workspace_id, project_id, sprint_id) REFERENCES sprints (workspace_id, project_id, id),
  FOREIGN KEY (workspace_id, project_id, story_id) REFERENCES stories (workspace_id, project_id, id)
);
CREATE INDEX sprint_items_story ON sprint_items (workspace_id, story_id);

CREATE TABLE dependencies (
  workspace_id    uuid NOT NULL,
  id              uuid NOT NULL DEFAULT gnomon.uuid7(),
  project_id      uuid NOT NULL,
  source_type     text COLLATE "C" NOT NULL DEFAULT 'story' CHECK (source_type IN ('story', 'epic')),
  source_id       uuid NOT NULL,
  target_type     text COLLATE "C" NOT NULL DEFAULT 'story' CHECK (target_type IN ('story', 'epic')),
  target_id       uuid NOT NULL,
  dependency_type text COLLATE "C" NOT NULL CHECK (dependency_type IN ('blocks', 'requires')),
  created_at      timestamptz NOT NULL DEFAULT gnomon.now(),
  removed_at      timestamptz,
  PRIMARY KEY (workspace_id, id),
  FOREIGN KEY (workspace_id, project_id) REFERENCES projects,
  CHECK (source_id <> target_id)
);
CREATE INDEX dependencies_source ON dependencies (workspace_id, source_id) WHERE removed_at IS NULL;
CREATE INDEX dependencies_target ON dependencies (workspace_id, target_id) WHERE removed_at IS NULL;
CREATE INDEX dependencies_project ON dependencies (workspace_id, project_id) WHERE removed_at IS NULL;

-- What foreign keys cannot say of ends that are stories or epics: both are of
-- the dependency's project, whose revision covers them. Rows are never removed
-- and never change their project, so looking once is enough.
CREATE FUNCTION gnomon.dependency_ends() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (SELECT count(*)
        FROM (VALUES (NEW.source_type, NEW.source_id), (NEW.target_type, NEW.target_id)) AS e (type, id)
       WHERE CASE e.type
             WHEN 'story' THEN EXISTS (SELECT FROM public.stories s WHERE s.workspace_id = NEW.workspace_id AND s.project_id = NEW.project_id AND s.id = e.id)
             ELSE EXISTS (SELECT FROM public.epics c WHERE c.workspace_id = NEW.workspace_id AND c.project_id = NEW.project_id AND c.id = e.id) END) < 2 THEN
    RAISE foreign_key_violation USING MESSAGE = 'a dependency violates that both ends are of its project';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER ends BEFORE INSERT OR UPDATE OF workspace_id, project_id, source_type, source_id, target_type, target_id
  ON dependencies FOR EACH ROW EXECUTE FUNCTION gnomon.dependency_ends();

-- Which story waits for which, whatever end the dependency was written from:
-- A blocks B, B requires A. One meaning for API, pages and whoever asks.
CREATE VIEW story_waits WITH (security_invoker = true) AS
SELECT d.workspace_id, d.project_id, d.target_id AS story_id, d.source_id AS blocker_id, d.created_at
  FROM dependencies d
 WHERE d.dependency_type = 'blocks' AND d.source_type = 'story' AND d.target_type = 'story' AND d.removed_at IS NULL
UNION ALL
SELECT d.workspace_id, d.project_id, d.source_id, d.target_id, d.created_at
  FROM dependencies d
 WHERE d.dependency_type = 'requires' AND d.source_type = 'story' AND d.target_type = 'story' AND d.removed_at IS NULL;
GRANT SELECT ON story_waits TO gnomon_web, gnomon_worker;

-- Where an imported story came from: the key of the row in the other system,
-- by which a second import of the same file finds it again.
CREATE TABLE story_sources (
  workspace_id uuid NOT NULL,
  project_id   uuid NOT NULL,
  source_key   text COLLATE "C" NOT NULL CHECK (length(source_key) BETWEEN 1 AND 200),
  story_id     uuid NOT NULL,
  imported_at  timestamptz NOT NULL DEFAULT gnomon.now(),
  PRIMARY KEY (workspace_id, project_id, source_key),
  FOREIGN KEY (workspace_id, project_id, story_id) REFERENCES stories (workspace_id, project_id, id)
);

CREATE FUNCTION gnomon.story_status_since() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.status_since := gnomon.now();
  RETURN NEW;
END $$;
GRANT EXECUTE ON FUNCTION gnomon.story_status_since TO gnomon_web, gnomon_worker;

CREATE TRIGGER a_scope AFTER INSERT ON projects FOR EACH ROW EXECUTE FUNCTION gnomon.new_scope();
CREATE TRIGGER number BEFORE INSERT ON epics FOR EACH ROW EXECUTE FUNCTION gnomon.number_in_project();
CREATE TRIGGER number BEFORE INSERT ON stories FOR EACH ROW EXECUTE FUNCTION gnomon.number_in_project();
CREATE TRIGGER number BEFORE INSERT ON sprints FOR EACH ROW EXECUTE FUNCTION gnomon.number_in_project();
CREATE TRIGGER status_since BEFORE UPDATE OF status ON stories FOR EACH ROW
  WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION gnomon.story_status_since();
CREATE TRIGGER version BEFORE UPDATE ON projects FOR EACH ROW EXECUTE FUNCTION gnomon.next_version();
CREATE TRIGGER version BEFORE UPDATE ON epics FOR EACH ROW EXECUTE FUNCTION gnomon.next_version();
CREATE TRIGGER version BEFORE UPDATE ON stories FOR EACH ROW EXECUTE FUNCTION gnomon.next_version();
CREATE TRIGGER version BEFORE UPDATE ON sprints FOR EACH ROW EXECUTE FUNCTION gnomon.next_version();

SELECT gnomon.track('projects', 'project', 'r.id',
  '{key,name,description,slug,settings,team_id,owner_id,archived_at}');
SELECT gnomon.track('epics', 'epic', 'r.project_id',
  '{number,title,description,status,priority,position,deleted_at}', '{status,position}');
SELECT gnomon.track('stories', 'story', 'r.project_id',
  '{number,epic_id,title,description,acceptance_criteria,status,priority,position,estimate,confidence,assignee_id,team_id,due_date,ai_suggestions,status_since,deleted_at}',
  '{status,epic_id,position}');
SELECT gnomon.track('sprints', 'sprint', 'r.project_id',
  '{number,name,goal,start_date,end_date,status,capacity,started_at,completed_at}', '{status}');
SELECT gnomon.track('sprint_items', 'sprint_item', 'r.project_id',
  '{sprint_id,story_id,added_at,completed_at,original_estimate,final_estimate,removed_at}');
SELECT gnomon.track('dependencies', 'dependency', 'r.project_id',
  '{source_type,source_id,target_type,target_id,dependency_type,removed_at}');

SELECT gnomon.wall('projects', 'epics', 'stories', 'sprints', 'sprint_items', 'dependencies', 'story_sources');
GRANT SELECT ON projects, epics, stories, sprints, sprint_items, dependencies, story_sources TO gnomon_web, gnomon_worker;
GRANT INSERT, UPDATE ON projects, epics, stories, sprints, sprint_items, dependencies, story_sources TO gnomon_web;
