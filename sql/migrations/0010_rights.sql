-- Who may: roles in projects, private projects, API keys, and the audit log
-- that remembers who was allowed what.

-- ---- an API key is a session that lasts and has a name
ALTER TABLE sessions DROP CONSTRAINT sessions_kind_check;
ALTER TABLE sessions
  ADD CHECK (kind IN ('web', 'api', 'key')),
  ADD name text NOT NULL DEFAULT '' CHECK (length(name) <= 120),
  -- the most it may do, whatever its user may: a viewer's, a member's, everything
  ADD scope text COLLATE "C" NOT NULL DEFAULT 'admin' CHECK (scope IN ('read', 'write', 'admin')),
  ADD last_used_at timestamptz,
  ADD last_address text NOT NULL DEFAULT '' CHECK (length(last_address) <= 64);

-- ---- who left keeps the place in history: a member is who has no removed_at
ALTER TABLE workspace_members ADD removed_at timestamptz;

-- ---- roles in a project
CREATE TABLE project_members (
  workspace_id uuid NOT NULL,
  project_id   uuid NOT NULL,
  user_id      uuid NOT NULL,
  role         text COLLATE "C" NOT NULL CHECK (gnomon.rank(role) > 0),
  joined_at    timestamptz NOT NULL DEFAULT gnomon.now(),
  PRIMARY KEY (workspace_id, project_id, user_id),
  FOREIGN KEY (workspace_id, project_id) REFERENCES projects,
  FOREIGN KEY (workspace_id, user_id) REFERENCES workspace_members
);
CREATE INDEX project_members_user ON project_members (user_id);
INSERT INTO project_members (workspace_id, project_id, user_id, role)
SELECT workspace_id, id, owner_id, 'owner' FROM projects WHERE owner_id IS NOT NULL;

-- Only its members and the workspace's admins see a private project.
ALTER TABLE projects ADD is_private boolean NOT NULL DEFAULT false;
CREATE INDEX projects_private ON projects (workspace_id) WHERE is_private;

-- What somebody is in a project: the higher of both roles; in a private one the
-- workspace's role counts only from admin on. NULL: it is not there for them.
CREATE FUNCTION gnomon.role_in(workspace_role text, project_role text, is_private boolean) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT CASE WHEN is_private AND gnomon.rank(workspace_role) < 3 THEN project_role
                  WHEN gnomon.rank(project_role) > gnomon.rank(workspace_role) THEN project_role
                  ELSE workspace_role END $$;

-- The projects of the workspace entered that are not there for who entered.
CREATE FUNCTION gnomon.hidden() RETURNS uuid[] LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT coalesce(nullif(pg_catalog.current_setting('gnomon.hidden', true), ''), '{}')::uuid[] $$;
GRANT EXECUTE ON FUNCTION gnomon.role_in, gnomon.hidden TO gnomon_web, gnomon_stream, gnomon_worker;

-- The second wall, for what belongs to a project. `project` is an expression.
-- The sub-select makes the list once a statement, not once a row.
CREATE FUNCTION gnomon.wall_project(project text, VARIADIC tables regclass[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE t regclass;
BEGIN
  FOREACH t IN ARRAY tables LOOP
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('DROP POLICY IF EXISTS tenant ON %s', t);
    EXECUTE format('CREATE POLICY tenant ON %s USING (workspace_id = gnomon.workspace() AND (%s <> ALL ((SELECT gnomon.hidden())::uuid[])) IS NOT FALSE)', t, project);
  END LOOP;
END $$;
SELECT gnomon.wall_project('id', 'projects');
SELECT gnomon.wall_project('project_id', 'project_members', 'epics', 'stories', 'sprints', 'sprint_items', 'dependencies',
  'story_sources', 'agent_insights');
SELECT gnomon.wall_project('scope_id', 'events', 'revisions');
GRANT SELECT ON project_members TO gnomon_web, gnomon_worker;

-- Whoever makes a project is its owner.
CREATE FUNCTION gnomon.project_owner() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO public.project_members (workspace_id, project_id, user_id, role)
  VALUES (NEW.workspace_id, NEW.id, NEW.owner_id, 'owner');
  RETURN NULL;
END $$;
CREATE TRIGGER b_owner AFTER INSERT ON projects FOR EACH ROW WHEN (NEW.owner_id IS NOT NULL)
  EXECUTE FUNCTION gnomon.project_owner();

-- A table gets more columns: its history begins to watch them, and its view of the
-- past shows them. Both are made anew.
CREATE FUNCTION gnomon.retrack(watched regclass, entity text, scope text, fields text[], moves text[] DEFAULT '{}')
RETURNS void LANGUAGE plpgsql AS $$
DECLARE name text := (SELECT relname FROM pg_class WHERE oid = watched);
BEGIN
  EXECUTE format('DROP TRIGGER track_insert ON %1$s; DROP TRIGGER track_update ON %1$s;
                  DROP FUNCTION gnomon.%2$I(); DROP FUNCTION gnomon.%3$I()',
                 watched, 'track_' || name || '_insert', 'track_' || name || '_update');
  PERFORM gnomon.track(watched, entity, scope, fields, moves);
END $$;

CREATE FUNCTION gnomon.remake_asof(watched regclass, born text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('DROP VIEW asof.%I', (SELECT relname FROM pg_class WHERE oid = watched));
  PERFORM gnomon.make_asof(watched, born);
END $$;
SELECT gnomon.retrack('projects', 'project', 'r.id',
  '{key,name,description,slug,settings,team_id,owner_id,archived_at,is_private}');
SELECT gnomon.remake_asof('projects', 'created_at');

-- ---- the door, again
DROP FUNCTION gnomon.enter(bytea, uuid, text, text, text, integer, boolean);

-- Enters as a user, in a workspace, or in a project.
--   credential        hash of a cookie or of an API key, or
--   session           the session an access token names
--   workspace_key     id or slug; NULL when the path names none
--   project_key       id or key; NULL when the path names none
--   story_prefix      the AC of a path's AC-311; it must be the project's key
--   needed            the rank of the lowest role that may pass (0: any user)
--   with_nav          also gather what a page's navigation shows
-- One row, or GN000 with unauthenticated, not_found, forbidden, ambiguous_key.
-- PL/pgSQL with settings by assignment: a quarter of the cost of LANGUAGE sql.
CREATE FUNCTION gnomon.enter(credential bytea, session uuid, workspace_key text, project_key text, story_prefix text,
                             needed integer, with_nav boolean)
RETURNS TABLE (user_id uuid, user_name text, session_id uuid, role text, scopes text[],
               workspace_id uuid, workspace_slug text, workspace_name text, timezone text,
               project_id uuid, project_key_ text, project_name text, rev bigint, hides boolean, nav jsonb)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
  ignored text;
  allowed integer;      -- what the credential may do at most, as a rank
  workspace_role text;
  hidden uuid[];
  used timestamptz;
  is_id constant text := '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$';
BEGIN
  IF credential IS NOT NULL THEN
    SELECT s.id, s.user_id, u.name, CASE s.scope WHEN 'read' THEN 1 WHEN 'write' THEN 2 ELSE 4 END, s.last_used_at
      INTO session_id, user_id, user_name, allowed, used
      FROM public.sessions s JOIN public.users u ON u.id = s.user_id
     WHERE s.token_hash = credential AND s.revoked_at IS NULL AND s.expires_at > now();
  ELSE
    SELECT s.id, s.user_id, u.name, 4, s.last_used_at INTO session_id, user_id, user_name, allowed, used
      FROM public.sessions s JOIN public.users u ON u.id = s.user_id
     WHERE s.id = session AND s.kind <> 'key' AND s.revoked_at IS NULL AND s.expires_at > now();
  END IF;
  IF user_id IS NULL THEN PERFORM gnomon.refuse('unauthenticated'); END IF;
  ignored := set_config('gnomon.actor', user_id::text, true);
  ignored := set_config('gnomon.session', session_id::text, true);
  IF used IS NULL OR used < now() - interval '10 minutes' THEN   -- close enough, and reads stay reads
    UPDATE public.sessions s SET last_used_at = now()
     WHERE s.id IN (SELECT l.id FROM public.sessions l WHERE l.id = session_id FOR NO KEY UPDATE SKIP LOCKED);
  END IF;

  IF workspace_key IS NOT NULL THEN
    IF workspace_key ~ is_id THEN
      SELECT w.id, w.slug, w.name, w.timezone, m.role, m.scopes INTO workspace_id, workspace_slug, workspace_name, timezone, workspace_role, scopes
        FROM public.workspaces w JOIN public.workspace_members m ON m.workspace_id = w.id AND m.user_id = user_id AND m.removed_at IS NULL
       WHERE w.id = workspace_key::uuid;
    ELSE
      SELECT w.id, w.slug, w.name, w.timezone, m.role, m.scopes INTO workspace_id, workspace_slug, workspace_name, timezone, workspace_role, scopes
        FROM public.workspaces w JOIN public.workspace_members m ON m.workspace_id = w.id AND m.user_id = user_id AND m.removed_at IS NULL
       WHERE w.slug = workspace_key;
    END IF;
    IF workspace_id IS NULL THEN PERFORM gnomon.refuse('not_found'); END IF;
    role := workspace_role;
    IF project_key IS NOT NULL THEN
      IF project_key ~ is_id THEN
        SELECT p.id, p.key, p.name, gnomon.role_in(workspace_role, pm.role, p.is_private) INTO project_id, project_key_, project_name, role
          FROM public.projects p
          LEFT JOIN public.project_members pm ON pm.workspace_id = p.workspace_id AND pm.project_id = p.id AND pm.user_id = user_id
         WHERE p.workspace_id = workspace_id AND p.id = project_key::uuid;
      ELSE
        SELECT p.id, p.key, p.name, gnomon.role_in(workspace_role, pm.role, p.is_private) INTO project_id, project_key_, project_name, role
          FROM public.projects p
          LEFT JOIN public.project_members pm ON pm.workspace_id = p.workspace_id AND pm.project_id = p.id AND pm.user_id = user_id
         WHERE p.workspace_id = workspace_id AND p.key = upper(project_key);
      END IF;
    END IF;
  ELSIF project_key IS NOT NULL THEN
    IF project_key ~ is_id THEN
      SELECT w.id, w.slug, w.name, w.timezone, m.role, m.scopes, p.id, p.key, p.name, gnomon.role_in(m.role, pm.role, p.is_private)
        INTO workspace_id, workspace_slug, workspace_name, timezone, workspace_role, scopes, project_id, project_key_, project_name, role
        FROM public.projects p
        JOIN public.workspaces w ON w.id = p.workspace_id
        JOIN public.workspace_members m ON m.workspace_id = w.id AND m.user_id = user_id AND m.removed_at IS NULL
        LEFT JOIN public.project_members pm ON pm.workspace_id = p.workspace_id AND pm.project_id = p.id AND pm.user_id = user_id
       WHERE p.id = project_key::uuid;
    ELSE
      BEGIN
        SELECT w.id, w.slug, w.name, w.timezone, m.role, m.scopes, p.id, p.key, p.name, gnomon.role_in(m.role, pm.role, p.is_private)
          INTO STRICT workspace_id, workspace_slug, workspace_name, timezone, workspace_role, scopes, project_id, project_key_, project_name, role
          FROM public.workspace_members m
          JOIN public.workspaces w ON w.id = m.workspace_id
          JOIN public.projects p ON p.workspace_id = w.id AND p.key = upper(project_key)
          LEFT JOIN public.project_members pm ON pm.workspace_id = p.workspace_id AND pm.project_id = p.id AND pm.user_id = user_id
         WHERE m.user_id = user_id AND m.removed_at IS NULL AND gnomon.role_in(m.role, pm.role, p.is_private) IS NOT NULL;
      EXCEPTION
        WHEN no_data_found THEN NULL;
        WHEN too_many_rows THEN PERFORM gnomon.refuse('ambiguous_key');
      END;
    END IF;
  END IF;
  IF project_key IS NOT NULL AND (project_id IS NULL OR role IS NULL)
     OR story_prefix IS NOT NULL AND upper(story_prefix) IS DISTINCT FROM project_key_ THEN
    PERFORM gnomon.refuse('not_found');
  END IF;
  IF least(gnomon.rank(role), allowed) < needed THEN PERFORM gnomon.refuse('forbidden', 'needs a higher role'); END IF;

  ignored := set_config('gnomon.workspace', coalesce(workspace_id::text, ''), true);
  ignored := set_config('gnomon.project', coalesce(project_id::text, ''), true);
  IF gnomon.rank(workspace_role) < 3 THEN
    SELECT array_agg(p.id) INTO hidden
      FROM public.projects p
     WHERE p.workspace_id = workspace_id AND p.is_private
       AND NOT EXISTS (SELECT FROM public.project_members pm
                        WHERE pm.workspace_id = p.workspace_id AND pm.project_id = p.id AND pm.user_id = user_id);
  END IF;
  hides := hidden IS NOT NULL;
  ignored := set_config('gnomon.hidden', coalesce(hidden::text, ''), true);
  SELECT r.rev INTO rev FROM public.revisions r
   WHERE r.workspace_id = workspace_id AND r.scope_id = coalesce(project_id, workspace_id);
  ignored := set_config('gnomon.rev', coalesce(rev::text, ''), true);
  IF with_nav AND workspace_id IS NOT NULL THEN
    nav := jsonb_build_object(
      'isAdmin', gnomon.rank(workspace_role) >= 3,
      'openInsights', (SELECT count(*) FROM (SELECT FROM public.agent_insights i
                         WHERE i.workspace_id = workspace_id AND i.state = 'open'
                           AND (hidden IS NULL OR (i.project_id <> ALL (hidden)) IS NOT FALSE) LIMIT 1001) n),
      'unread', (SELECT count(*) FROM (SELECT FROM public.notifications n
                  WHERE n.workspace_id = workspace_id AND n.user_id = user_id AND n.read_at IS NULL LIMIT 1001) n),
      'projects', (SELECT coalesce(jsonb_agg(jsonb_build_object('key', p.key, 'name', p.name, 'isCurrent', p.id = project_id)
                                             ORDER BY p.key), '[]')
                     FROM (SELECT * FROM public.projects p
                            WHERE p.workspace_id = workspace_id AND p.archived_at IS NULL AND (hidden IS NULL OR p.id <> ALL (hidden))
                            ORDER BY p.key LIMIT 20) p));
  END IF;
  RETURN NEXT;
END $$;
CREATE INDEX notifications_unread ON notifications (workspace_id, user_id, id) WHERE read_at IS NULL;

CREATE OR REPLACE FUNCTION gnomon.my_projects()
RETURNS TABLE (id uuid, workspace_id uuid, workspace_slug text, key text, name text, role text,
               created_at timestamptz, updated_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT p.id, w.id, w.slug, p.key, p.name, gnomon.role_in(m.role, pm.role, p.is_private), p.created_at, p.updated_at
    FROM public.workspace_members m
    JOIN public.workspaces w ON w.id = m.workspace_id
    JOIN public.projects p ON p.workspace_id = w.id AND p.archived_at IS NULL
    LEFT JOIN public.project_members pm ON pm.workspace_id = p.workspace_id AND pm.project_id = p.id AND pm.user_id = m.user_id
   WHERE m.user_id = gnomon.actor() AND m.removed_at IS NULL AND gnomon.role_in(m.role, pm.role, p.is_private) IS NOT NULL
$$;
GRANT EXECUTE ON FUNCTION gnomon.enter TO gnomon_web;

-- The session that was entered by.
CREATE FUNCTION gnomon.session() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT nullif(pg_catalog.current_setting('gnomon.session', true), '')::uuid $$;

-- 0007's, of members who are there.
CREATE OR REPLACE FUNCTION gnomon.operator_session(workspace_slug text, address text) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE who uuid;
BEGIN
  SELECT m.user_id INTO who
    FROM public.workspaces w
    JOIN public.workspace_members m ON m.workspace_id = w.id AND m.removed_at IS NULL
    JOIN public.users u ON u.id = m.user_id
   WHERE w.slug = workspace_slug AND CASE WHEN address = '' THEN m.role = 'owner' ELSE lower(u.email) = lower(address) END
   ORDER BY m.joined_at, m.user_id LIMIT 1;
  IF who IS NULL THEN PERFORM gnomon.refuse('not_found', 'no such workspace or member'); END IF;
  RETURN gnomon.open_session(who, 'api', NULL, 'gnomonctl', interval '1 hour');
END $$;

-- ---- the audit log: who was allowed what, by whom
-- Append-only, and chained: each entry's hash covers the one before, so that
-- none can be changed or taken out unnoticed (gnomonctl audit verify). Entries
-- of a workspace are numbered without gaps.
CREATE TABLE audit_log (
  workspace_id uuid NOT NULL REFERENCES workspaces,
  number       integer NOT NULL,
  at           timestamptz NOT NULL,
  actor_id     uuid,                    -- NULL: the system
  action       text COLLATE "C" NOT NULL CHECK (length(action) BETWEEN 1 AND 100),   -- 'member.role_changed'
  entity_type  text COLLATE "C" NOT NULL,
  entity_id    uuid,
  details      jsonb NOT NULL,          -- {"field": [old, new], …} or what else there is to say
  hash         bytea NOT NULL CHECK (length(hash) = 32),
  PRIMARY KEY (workspace_id, number)
);
SELECT gnomon.wall('audit_log');
GRANT SELECT ON audit_log TO gnomon_web, gnomon_worker;

-- SHA-256 over the hash before (32 zero bytes for the first) and the entry's
-- fields, as the text of a JSON array.
CREATE FUNCTION gnomon.audit_hash(before bytea, entry audit_log) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
  SELECT sha256(coalesce(before, decode(repeat('00', 32), 'hex')) || convert_to(jsonb_build_array(
    entry.workspace_id, entry.number, extract(epoch FROM entry.at), entry.actor_id, entry.action,
    entry.entity_type, entry.entity_id, entry.details)::text, 'UTF8'))
$$;

-- Remembers an act in the workspace entered. The counter's row is locked until
-- the transaction ends, so the chain has one end.
CREATE FUNCTION gnomon.audit(of_action text, of_type text, of_id uuid, of_details jsonb DEFAULT '{}') RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE entry public.audit_log; before bytea;
BEGIN
  entry := ROW(gnomon.workspace(), gnomon.next_number(gnomon.workspace(), gnomon.workspace(), 'audit_log', NULL),
               gnomon.now(), gnomon.actor(), of_action, of_type, of_id, of_details, NULL);
  SELECT a.hash INTO before FROM public.audit_log a WHERE a.workspace_id = entry.workspace_id AND a.number = entry.number - 1;
  entry.hash := gnomon.audit_hash(before, entry);
  INSERT INTO public.audit_log SELECT entry.*;
END $$;
GRANT EXECUTE ON FUNCTION gnomon.audit TO gnomon_web, gnomon_worker;

-- ---- mail leaves through the queue, in the transaction of its cause
-- template: templates/mail/<template>.txt and .html; data: what they show. The
-- workspace is the one entered, or the first of the user it is for.
CREATE FUNCTION gnomon.queue_mail(to_user uuid, to_address text, template text, data jsonb) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO public.jobs (workspace_id, queue, kind, payload)
  SELECT w.id, 'notifications', 'mail:send',
         jsonb_build_object('to', to_address, 'user', to_user, 'template', template, 'data', data)
    FROM (SELECT coalesce(gnomon.workspace(), (SELECT m.workspace_id FROM public.workspace_members m
                                                WHERE m.user_id = to_user AND m.removed_at IS NULL ORDER BY m.joined_at, m.workspace_id LIMIT 1)) AS id) w
   WHERE w.id IS NOT NULL
$$;
GRANT EXECUTE ON FUNCTION gnomon.queue_mail TO gnomon_web, gnomon_worker;
