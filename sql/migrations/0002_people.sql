-- People, their sessions, and the workspaces they share.
-- users and sessions are global (design: listed by name); everything else is
-- a tenant's.

CREATE TABLE users (
  id            uuid PRIMARY KEY DEFAULT gnomon.uuid7(),
  email         text COLLATE "C" CHECK (length(email) BETWEEN 3 AND 254), -- NULL once the account is deleted
  name          text NOT NULL CHECK (length(name) BETWEEN 1 AND 120),
  avatar        text CHECK (length(avatar) <= 500),
  password_hash text COLLATE "C",     -- argon2id, libsodium's string form
  preferences   jsonb NOT NULL DEFAULT '{}',
  created_at    timestamptz NOT NULL DEFAULT gnomon.now(),
  updated_at    timestamptz NOT NULL DEFAULT gnomon.now()
);
CREATE UNIQUE INDEX users_email ON users (lower(email));

-- A sign-in. The cookie (web) holds a random token of which the hash is kept;
-- an access token (api) names the session by id. Revoking the row ends both.
CREATE TABLE sessions (
  id           uuid PRIMARY KEY DEFAULT gnomon.uuid7(),
  user_id      uuid NOT NULL REFERENCES users ON DELETE CASCADE,
  token_hash   bytea UNIQUE CHECK (length(token_hash) = 32),
  kind         text COLLATE "C" NOT NULL CHECK (kind IN ('web', 'api')),
  user_agent   text NOT NULL DEFAULT '',
  created_at   timestamptz NOT NULL DEFAULT now(),
  expires_at   timestamptz NOT NULL,
  revoked_at   timestamptz
);
CREATE INDEX sessions_user ON sessions (user_id);

CREATE TABLE workspaces (
  id         uuid PRIMARY KEY DEFAULT gnomon.uuid7(),
  name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 120),
  slug       text COLLATE "C" NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
  plan       text COLLATE "C" NOT NULL DEFAULT 'free',
  timezone   text NOT NULL DEFAULT 'UTC',
  created_at timestamptz NOT NULL DEFAULT gnomon.now()
);

CREATE TABLE workspace_members (
  workspace_id uuid NOT NULL REFERENCES workspaces,
  user_id      uuid NOT NULL REFERENCES users,
  role         text COLLATE "C" NOT NULL CHECK (gnomon.rank(role) > 0),
  scopes       text[] NOT NULL DEFAULT '{}' CHECK (scopes <@ '{ops,hr}'),
  joined_at    timestamptz NOT NULL DEFAULT gnomon.now(),
  PRIMARY KEY (workspace_id, user_id)
);
CREATE INDEX workspace_members_user ON workspace_members (user_id);

CREATE TABLE teams (
  workspace_id uuid NOT NULL REFERENCES workspaces,
  id           uuid NOT NULL DEFAULT gnomon.uuid7(),
  name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 120),
  created_at   timestamptz NOT NULL DEFAULT gnomon.now(),
  PRIMARY KEY (workspace_id, id),
  UNIQUE (workspace_id, name)
);

CREATE TABLE team_members (
  workspace_id uuid NOT NULL,
  team_id      uuid NOT NULL,
  user_id      uuid NOT NULL,
  is_lead      boolean NOT NULL DEFAULT false,
  PRIMARY KEY (workspace_id, team_id, user_id),
  FOREIGN KEY (workspace_id, team_id) REFERENCES teams,
  FOREIGN KEY (workspace_id, user_id) REFERENCES workspace_members
);

-- A time zone PostgreSQL does not know would make every schedule fail later.
CREATE FUNCTION gnomon.check_timezone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM now() AT TIME ZONE NEW.timezone;
  RETURN NEW;
EXCEPTION WHEN invalid_parameter_value THEN
  PERFORM gnomon.refuse('validation_failed', 'Choose a time zone of the IANA list, like Europe/London.');
END $$;
CREATE TRIGGER timezone_exists BEFORE INSERT OR UPDATE OF timezone ON workspaces
  FOR EACH ROW EXECUTE FUNCTION gnomon.check_timezone();

-- Row-level security: the second wall behind workspace_id = gnomon.workspace()
-- in every statement. No running process owns a table, so none may skip it.
CREATE FUNCTION gnomon.wall(VARIADIC tables regclass[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE t regclass;
BEGIN
  FOREACH t IN ARRAY tables LOOP
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %s USING (workspace_id = gnomon.workspace())', t);
  END LOOP;
END $$;
SELECT gnomon.wall('workspace_members', 'teams', 'team_members');
ALTER TABLE workspaces ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON workspaces USING (id = gnomon.workspace());

GRANT SELECT (id, name, avatar) ON users TO gnomon_web, gnomon_worker;
GRANT SELECT ON workspaces, workspace_members, teams, team_members TO gnomon_web, gnomon_worker;
