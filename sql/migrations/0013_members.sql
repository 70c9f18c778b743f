-- Members: who belongs to workspaces, projects and teams, how people come in
-- and how they go. Whoever was let in, given a role or shown out stands in the
-- audit log; all of it happens under the lock of the workspace's row, so that two
-- who act at once see each other.

-- ---- who left keeps the place in history
-- What somebody did and is assigned to still names them; a member is who has no
-- removed_at. The wall hides the others from the running roles; functions that act
-- for the owner must say it.
ALTER TABLE workspace_members
  ADD version    integer NOT NULL DEFAULT 1,
  ADD updated_at timestamptz NOT NULL DEFAULT gnomon.now();
ALTER POLICY tenant ON workspace_members USING (workspace_id = gnomon.workspace() AND removed_at IS NULL);
CREATE TRIGGER version BEFORE UPDATE ON workspace_members FOR EACH ROW EXECUTE FUNCTION gnomon.next_version();

ALTER TABLE project_members
  ADD version    integer NOT NULL DEFAULT 1,
  ADD updated_at timestamptz NOT NULL DEFAULT gnomon.now();
CREATE TRIGGER version BEFORE UPDATE ON project_members FOR EACH ROW EXECUTE FUNCTION gnomon.next_version();

ALTER TABLE workspaces
  ADD version    integer NOT NULL DEFAULT 1,
  ADD updated_at timestamptz NOT NULL DEFAULT gnomon.now();
CREATE TRIGGER version BEFORE UPDATE ON workspaces FOR EACH ROW EXECUTE FUNCTION gnomon.next_version();

-- A team that is deleted leaves its name to another.
ALTER TABLE teams
  ADD description text NOT NULL DEFAULT '' CHECK (length(description) <= 2000),
  ADD version     integer NOT NULL DEFAULT 1,
  ADD updated_at  timestamptz NOT NULL DEFAULT gnomon.now(),
  ADD deleted_at  timestamptz,
  DROP CONSTRAINT teams_workspace_id_name_key;
CREATE UNIQUE INDEX teams_name ON teams (workspace_id, lower(name)) WHERE deleted_at IS NULL;
CREATE INDEX team_members_user ON team_members (workspace_id, user_id);
ALTER POLICY tenant ON teams USING (workspace_id = gnomon.workspace() AND deleted_at IS NULL);
CREATE TRIGGER version BEFORE UPDATE ON teams FOR EACH ROW EXECUTE FUNCTION gnomon.next_version();

DROP FUNCTION gnomon.my_workspaces();
CREATE FUNCTION gnomon.my_workspaces()
RETURNS TABLE (id uuid, slug text, name text, plan text, timezone text, role text, created_at timestamptz, version integer)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT w.id, w.slug, w.name, w.plan, w.timezone, m.role, w.created_at, w.version
    FROM public.workspace_members m JOIN public.workspaces w ON w.id = m.workspace_id
   WHERE m.user_id = gnomon.actor() AND m.removed_at IS NULL
$$;
GRANT EXECUTE ON FUNCTION gnomon.my_workspaces TO gnomon_web;

-- Who left is given nothing more to do.
CREATE FUNCTION gnomon.is_member() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE who uuid := (to_jsonb(NEW) ->> TG_ARGV[0])::uuid;
BEGIN
  IF EXISTS (SELECT FROM public.workspace_members m
              WHERE m.workspace_id = NEW.workspace_id AND m.user_id = who AND m.removed_at IS NOT NULL) THEN
    RAISE foreign_key_violation USING MESSAGE = format('%s violates foreign key constraint: its %s left the workspace', TG_TABLE_NAME, TG_ARGV[0]);
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER assignee BEFORE INSERT ON stories FOR EACH ROW
  WHEN (NEW.assignee_id IS NOT NULL) EXECUTE FUNCTION gnomon.is_member('assignee_id');
CREATE TRIGGER new_assignee BEFORE UPDATE OF assignee_id ON stories FOR EACH ROW
  WHEN (NEW.assignee_id IS NOT NULL AND NEW.assignee_id IS DISTINCT FROM OLD.assignee_id) EXECUTE FUNCTION gnomon.is_member('assignee_id');
CREATE TRIGGER seat BEFORE INSERT ON project_members FOR EACH ROW EXECUTE FUNCTION gnomon.is_member('user_id');
CREATE TRIGGER seat BEFORE INSERT ON team_members FOR EACH ROW EXECUTE FUNCTION gnomon.is_member('user_id');

-- Nor is who left told of anything, whoever would tell them.
CREATE FUNCTION gnomon.tell_members() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM public.workspace_members m
              WHERE m.workspace_id = NEW.workspace_id AND m.user_id = NEW.user_id AND m.removed_at IS NOT NULL) THEN
    RETURN NULL;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER a_member BEFORE INSERT ON notifications FOR EACH ROW EXECUTE FUNCTION gnomon.tell_members();

-- A run's packet holds the facts of every project: it is not for those from
-- whom one is hidden.
ALTER POLICY tenant ON agent_packets USING (workspace_id = gnomon.workspace() AND (SELECT gnomon.hidden()) = '{}');

-- ---- what a board shows from outside its project changes its revision, too
CREATE FUNCTION gnomon.bump_named() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  WITH locked AS MATERIALIZED (
    SELECT v.workspace_id, v.scope_id FROM public.revisions v
     WHERE v.workspace_id IN (SELECT m.workspace_id FROM public.workspace_members m WHERE m.user_id = NEW.id)
     ORDER BY v.workspace_id, v.scope_id
       FOR NO KEY UPDATE)
  UPDATE public.revisions v SET rev = v.rev + 1 FROM locked l
   WHERE v.workspace_id = l.workspace_id AND v.scope_id = l.scope_id;
  RETURN NULL;
END $$;
CREATE TRIGGER bump_named AFTER UPDATE OF name ON users FOR EACH ROW
  WHEN (OLD.name IS DISTINCT FROM NEW.name) EXECUTE FUNCTION gnomon.bump_named();

-- Lists of the workspace name projects, and leave out those that are archived.
CREATE FUNCTION gnomon.bump_workspace() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE public.revisions v SET rev = v.rev + 1 WHERE v.workspace_id = NEW.workspace_id AND v.scope_id = NEW.workspace_id;
  RETURN NULL;
END $$;
CREATE TRIGGER bump_workspace AFTER UPDATE OF name, is_private, archived_at ON projects FOR EACH ROW
  WHEN ((OLD.name, OLD.is_private, OLD.archived_at) IS DISTINCT FROM (NEW.name, NEW.is_private, NEW.archived_at))
  EXECUTE FUNCTION gnomon.bump_workspace();

-- ---- time zones by the names of the IANA list, which know of summer time
CREATE OR REPLACE FUNCTION gnomon.check_timezone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM now() AT TIME ZONE NEW.timezone;
  IF NEW.timezone !~ '^([A-Z][A-Za-z_]+(/[A-Za-z0-9_+-]+)+|UTC|GMT)$' THEN RAISE invalid_parameter_value; END IF;
  RETURN NEW;
EXCEPTION WHEN invalid_parameter_value THEN
  PERFORM gnomon.refuse('validation_failed', 'Choose a time zone of the IANA list, like Europe/London.');
END $$;

-- ---- what the functions below share
-- {"field": [old, new]} of the fields that differ, for the audit log.
CREATE FUNCTION gnomon.changed_fields(old jsonb, new jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT coalesce(jsonb_object_agg(n.key, jsonb_build_array(old -> n.key, n.value)), '{}')
    FROM jsonb_each(new) n WHERE n.value IS DISTINCT FROM old -> n.key
$$;

-- Takes the lock under which members change. The rank of whoever acts, in the
-- workspace or (in_project) in the project entered, as it is now.
CREATE FUNCTION gnomon.lock_members(in_project boolean DEFAULT false) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE mine integer;
BEGIN
  PERFORM FROM public.workspaces w WHERE w.id = gnomon.workspace() FOR NO KEY UPDATE;
  SELECT CASE WHEN in_project THEN gnomon.rank(gnomon.role_in(m.role, pm.role, p.is_private)) ELSE gnomon.rank(m.role) END INTO mine
    FROM public.workspace_members m
    LEFT JOIN public.projects p ON p.workspace_id = m.workspace_id AND p.id = gnomon.project()
    LEFT JOIN public.project_members pm ON pm.workspace_id = p.workspace_id AND pm.project_id = p.id AND pm.user_id = m.user_id
   WHERE m.workspace_id = gnomon.workspace() AND m.user_id = gnomon.actor() AND m.removed_at IS NULL;
  IF coalesce(mine, 0) = 0 THEN PERFORM gnomon.refuse('not_found'); END IF;
  RETURN mine;
END $$;

-- Owners may do everything; others change who stands below them, and to what is
-- below them; everybody may step down.
CREATE FUNCTION gnomon.check_rank(mine integer, who uuid, was text, becomes text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF mine < 4 AND NOT (who IS NOT DISTINCT FROM gnomon.actor() AND gnomon.rank(becomes) <= gnomon.rank(was))
     AND NOT (gnomon.rank(was) < mine AND gnomon.rank(becomes) < mine) THEN
    PERFORM gnomon.refuse('forbidden', 'their role is not below yours');
  END IF;
END $$;

CREATE FUNCTION gnomon.name_of(who uuid) RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT u.name FROM public.users u WHERE u.id = who $$;

-- ---- workspaces
CREATE FUNCTION gnomon.make_workspace(body jsonb) RETURNS SETOF workspaces
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE made public.workspaces; ignored text;
BEGIN
  INSERT INTO public.workspaces (name, slug, timezone)
  VALUES (body ->> 'name', body ->> 'slug', coalesce(body ->> 'timezone', 'UTC'))
  ON CONFLICT (slug) DO NOTHING RETURNING * INTO made;
  IF NOT FOUND THEN PERFORM gnomon.refuse('validation_failed', 'This address is taken. Choose another.'); END IF;
  INSERT INTO public.workspace_members (workspace_id, user_id, role) VALUES (made.id, gnomon.actor(), 'owner');
  PERFORM gnomon.seed_workspace(made.id);
  ignored := set_config('gnomon.workspace', made.id::text, true);
  PERFORM gnomon.audit('workspace.created', 'workspace', made.id, jsonb_build_object('name', made.name, 'slug', made.slug, 'timezone', made.timezone));
  RETURN NEXT made;
END $$;

CREATE FUNCTION gnomon.change_workspace(body jsonb)
RETURNS TABLE (refused text, id uuid, slug text, name text, plan text, timezone text, created_at timestamptz, version integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE was public.workspaces; becomes public.workspaces; changes jsonb;
BEGIN
  PERFORM gnomon.lock_members();
  SELECT * INTO was FROM public.workspaces w WHERE w.id = gnomon.workspace();
  IF was.version <> (body ->> 'version')::integer THEN
    RETURN QUERY SELECT 'version_conflict', was.id, was.slug, was.name, was.plan, was.timezone, was.created_at, was.version;
    RETURN;
  END IF;
  UPDATE public.workspaces w SET name = coalesce(body ->> 'name', w.name), timezone = coalesce(body ->> 'timezone', w.timezone)
   WHERE w.id = was.id RETURNING * INTO becomes;
  changes := gnomon.changed_fields(to_jsonb(was) - '{version,updated_at}'::text[], to_jsonb(becomes) - '{version,updated_at}'::text[]);
  IF changes <> '{}' THEN PERFORM gnomon.audit('workspace.changed', 'workspace', was.id, changes); END IF;
  RETURN QUERY SELECT NULL, becomes.id, becomes.slug, becomes.name, becomes.plan, becomes.timezone, becomes.created_at, becomes.version;
END $$;

-- ---- members of a workspace
-- E-mail addresses: whole for oneself, for admins and the scope hr; without the
-- name for the scope ops; for nobody else.
CREATE FUNCTION gnomon.member_addresses() RETURNS TABLE (user_id uuid, email text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT m.user_id, CASE WHEN m.user_id = me.user_id OR gnomon.rank(me.role) >= 3 OR 'hr' = ANY (me.scopes) THEN u.email
                         WHEN 'ops' = ANY (me.scopes) THEN regexp_replace(u.email, '^(.).*@', '\1…@') END
    FROM public.workspace_members me
    JOIN public.workspace_members m ON m.workspace_id = me.workspace_id AND m.removed_at IS NULL
    JOIN public.users u ON u.id = m.user_id
   WHERE me.workspace_id = gnomon.workspace() AND me.user_id = gnomon.actor() AND me.removed_at IS NULL
$$;

CREATE FUNCTION gnomon.check_last_owner(who uuid) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM public.workspace_members m
                  WHERE m.workspace_id = gnomon.workspace() AND m.role = 'owner' AND m.removed_at IS NULL AND m.user_id <> who) THEN
    PERFORM gnomon.refuse('last_owner');
  END IF;
END $$;

CREATE FUNCTION gnomon.change_member(who uuid, body jsonb)
RETURNS TABLE (refused text, id uuid, role text, scopes text[], joined_at timestamptz, version integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  mine integer := gnomon.lock_members();
  was public.workspace_members; becomes public.workspace_members; changes jsonb;
BEGIN
  SELECT * INTO was FROM public.workspace_members m
   WHERE m.workspace_id = gnomon.workspace() AND m.user_id = who AND m.removed_at IS NULL;
  IF NOT FOUND THEN RETURN; END IF;
  IF was.version <> (body ->> 'version')::integer THEN
    RETURN QUERY SELECT 'version_conflict', who, was.role, was.scopes, was.joined_at, was.version;
    RETURN;
  END IF;
  becomes := jsonb_populate_record(was, body - 'version');
  becomes.scopes := ARRAY(SELECT DISTINCT unnest(becomes.scopes) ORDER BY 1);
  PERFORM gnomon.check_rank(mine, who, was.role, becomes.role);
  IF was.role = 'owner' AND becomes.role <> 'owner' THEN PERFORM gnomon.check_last_owner(who); END IF;
  UPDATE public.workspace_members m SET role = becomes.role, scopes = becomes.scopes
   WHERE m.workspace_id = gnomon.workspace() AND m.user_id = who RETURNING * INTO becomes;
  changes := gnomon.changed_fields(jsonb_build_object('role', was.role, 'scopes', was.scopes),
                         jsonb_build_object('role', becomes.role, 'scopes', becomes.scopes));
  IF changes <> '{}' THEN
    PERFORM gnomon.audit(CASE WHEN changes ? 'role' THEN 'member.role_changed' ELSE 'member.scopes_changed' END, 'user', who,
                         changes || jsonb_build_object('name', gnomon.name_of(who)));
  END IF;
  RETURN QUERY SELECT NULL, who, becomes.role, becomes.scopes, becomes.joined_at, becomes.version;
END $$;

-- A project's owner of record is one of its owners.
CREATE FUNCTION gnomon.settle_project_owner(of_project uuid) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
  UPDATE public.projects p SET owner_id = o.user_id
    FROM (SELECT pm.user_id FROM public.project_members pm
           WHERE pm.workspace_id = gnomon.workspace() AND pm.project_id = of_project AND pm.role = 'owner'
           ORDER BY pm.joined_at, pm.user_id LIMIT 1) o
   WHERE p.workspace_id = gnomon.workspace() AND p.id = of_project
     AND NOT EXISTS (SELECT FROM public.project_members pm
                      WHERE pm.workspace_id = p.workspace_id AND pm.project_id = p.id AND pm.user_id = p.owner_id AND pm.role = 'owner')
$$;

-- Takes somebody out, or lets them go. Project roles, places in teams and the
-- invitations they wrote go with them; a project whose only owner they were goes
-- to whoever removes them, or to an owner of the workspace.
CREATE FUNCTION gnomon.remove_member(who uuid) RETURNS TABLE (id uuid, name text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  mine integer := gnomon.lock_members();
  was public.workspace_members; heir uuid; orphan record; projects integer; teams integer;
BEGIN
  SELECT * INTO was FROM public.workspace_members m
   WHERE m.workspace_id = gnomon.workspace() AND m.user_id = who AND m.removed_at IS NULL;
  IF NOT FOUND THEN RETURN; END IF;
  PERFORM gnomon.check_rank(mine, who, was.role, 'viewer');
  IF was.role = 'owner' THEN PERFORM gnomon.check_last_owner(who); END IF;
  SELECT m.user_id INTO heir FROM public.workspace_members m
   WHERE m.workspace_id = gnomon.workspace() AND m.user_id <> who AND m.removed_at IS NULL
   ORDER BY m.user_id = gnomon.actor() DESC, gnomon.rank(m.role) DESC, m.joined_at, m.user_id LIMIT 1;
  FOR orphan IN SELECT p.id, p.key FROM public.projects p
                 WHERE p.workspace_id = gnomon.workspace()
                   AND EXISTS (SELECT FROM public.project_members pm WHERE pm.workspace_id = p.workspace_id AND pm.project_id = p.id AND pm.user_id = who AND pm.role = 'owner')
                   AND NOT EXISTS (SELECT FROM public.project_members pm WHERE pm.workspace_id = p.workspace_id AND pm.project_id = p.id AND pm.user_id <> who AND pm.role = 'owner')
                 ORDER BY p.id LOOP
    INSERT INTO public.project_members AS pm (workspace_id, project_id, user_id, role)
    VALUES (gnomon.workspace(), orphan.id, heir, 'owner')
    ON CONFLICT (workspace_id, project_id, user_id) DO UPDATE SET role = 'owner';
    PERFORM gnomon.audit('project.owner_changed', 'project', orphan.id,
                         jsonb_build_object('owner', jsonb_build_array(gnomon.name_of(who), gnomon.name_of(heir))));
  END LOOP;
  WITH gone AS (DELETE FROM public.project_members pm WHERE pm.workspace_id = gnomon.workspace() AND pm.user_id = who RETURNING pm.project_id)
  SELECT count(*) INTO projects FROM gone;
  PERFORM gnomon.settle_project_owner(p.id) FROM public.projects p
    WHERE p.workspace_id = gnomon.workspace() AND p.owner_id = who;
  WITH gone AS (DELETE FROM public.team_members tm WHERE tm.workspace_id = gnomon.workspace() AND tm.user_id = who RETURNING 1)
  SELECT count(*) INTO teams FROM gone;
  UPDATE public.invitations i SET revoked_at = gnomon.now()
   WHERE i.workspace_id = gnomon.workspace() AND i.invited_by = who AND i.accepted_at IS NULL AND i.revoked_at IS NULL;
  UPDATE public.notifications n SET read_at = gnomon.now()   -- so that no digest tells them
   WHERE n.workspace_id = gnomon.workspace() AND n.user_id = who AND n.read_at IS NULL;
  UPDATE public.workspace_members m SET removed_at = gnomon.now(), role = 'viewer', scopes = '{}'
   WHERE m.workspace_id = gnomon.workspace() AND m.user_id = who;
  PERFORM gnomon.audit(CASE WHEN who = gnomon.actor() THEN 'member.left' ELSE 'member.removed' END, 'user', who,
    jsonb_build_object('name', gnomon.name_of(who), 'role', jsonb_build_array(was.role, NULL), 'projects', projects, 'teams', teams));
  RETURN QUERY SELECT who, gnomon.name_of(who);
END $$;

-- Makes somebody a member, or gives a member more: never less.
CREATE FUNCTION gnomon.let_in(who uuid, as_role text) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO public.workspace_members AS m (workspace_id, user_id, role) VALUES (gnomon.workspace(), who, as_role)
  ON CONFLICT (workspace_id, user_id) DO UPDATE
     SET role = CASE WHEN m.removed_at IS NULL AND gnomon.rank(m.role) > gnomon.rank(excluded.role) THEN m.role ELSE excluded.role END,
         scopes = CASE WHEN m.removed_at IS NULL THEN m.scopes ELSE '{}' END,
         joined_at = CASE WHEN m.removed_at IS NULL THEN m.joined_at ELSE gnomon.now() END,
         removed_at = NULL
$$;

-- ---- members of a project
CREATE FUNCTION gnomon.seat_in_project(who uuid, as_role text)
RETURNS TABLE (id uuid, role text, joined_at timestamptz, version integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE mine integer := gnomon.lock_members(true); made public.project_members;
BEGIN
  PERFORM gnomon.check_rank(mine, NULL, NULL, as_role);
  IF NOT EXISTS (SELECT FROM public.workspace_members m WHERE m.workspace_id = gnomon.workspace() AND m.user_id = who AND m.removed_at IS NULL) THEN
    PERFORM gnomon.refuse('validation_failed', 'This is nobody of the workspace.');
  END IF;
  INSERT INTO public.project_members (workspace_id, project_id, user_id, role)
  VALUES (gnomon.workspace(), gnomon.project(), who, as_role) ON CONFLICT DO NOTHING RETURNING * INTO made;
  IF NOT FOUND THEN PERFORM gnomon.refuse('conflict', 'a member of the project already'); END IF;
  PERFORM gnomon.audit('project.member_added', 'project', gnomon.project(),
    jsonb_build_object('user', who, 'name', gnomon.name_of(who), 'role', jsonb_build_array(NULL, as_role)));
  RETURN QUERY SELECT made.user_id, made.role, made.joined_at, made.version;
END $$;

CREATE FUNCTION gnomon.check_last_project_owner(who uuid) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM public.project_members pm WHERE pm.workspace_id = gnomon.workspace() AND pm.project_id = gnomon.project()
                    AND pm.role = 'owner' AND pm.user_id <> who) THEN
    PERFORM gnomon.refuse('last_owner');
  END IF;
END $$;

CREATE FUNCTION gnomon.change_project_member(who uuid, body jsonb)
RETURNS TABLE (refused text, id uuid, role text, joined_at timestamptz, version integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  mine integer := gnomon.lock_members(true);
  was public.project_members; becomes public.project_members;
BEGIN
  SELECT * INTO was FROM public.project_members pm
   WHERE pm.workspace_id = gnomon.workspace() AND pm.project_id = gnomon.project() AND pm.user_id = who;
  IF NOT FOUND THEN RETURN; END IF;
  IF was.version <> (body ->> 'version')::integer THEN
    RETURN QUERY SELECT 'version_conflict', who, was.role, was.joined_at, was.version;
    RETURN;
  END IF;
  PERFORM gnomon.check_rank(mine, who, was.role, body ->> 'role');
  IF was.role = 'owner' AND body ->> 'role' <> 'owner' THEN PERFORM gnomon.check_last_project_owner(who); END IF;
  UPDATE public.project_members pm SET role = body ->> 'role'
   WHERE pm.workspace_id = gnomon.workspace() AND pm.project_id = gnomon.project() AND pm.user_id = who RETURNING * INTO becomes;
  IF becomes.role <> was.role THEN
    PERFORM gnomon.settle_project_owner(gnomon.project());
    PERFORM gnomon.audit('project.member_role_changed', 'project', gnomon.project(),
      jsonb_build_object('user', who, 'name', gnomon.name_of(who), 'role', jsonb_build_array(was.role, becomes.role)));
  END IF;
  RETURN QUERY SELECT NULL, who, becomes.role, becomes.joined_at, becomes.version;
END $$;

CREATE FUNCTION gnomon.remove_project_member(who uuid) RETURNS TABLE (id uuid, name text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE mine integer := gnomon.lock_members(true); was public.project_members;
BEGIN
  SELECT * INTO was FROM public.project_members pm
   WHERE pm.workspace_id = gnomon.workspace() AND pm.project_id = gnomon.project() AND pm.user_id = who;
  IF NOT FOUND THEN RETURN; END IF;
  PERFORM gnomon.check_rank(mine, who, was.role, 'viewer');
  IF was.role = 'owner' THEN PERFORM gnomon.check_last_project_owner(who); END IF;
  DELETE FROM public.project_members pm
   WHERE pm.workspace_id = gnomon.workspace() AND pm.project_id = gnomon.project() AND pm.user_id = who;
  PERFORM gnomon.settle_project_owner(gnomon.project());
  PERFORM gnomon.audit('project.member_removed', 'project', gnomon.project(),
    jsonb_build_object('user', who, 'name', gnomon.name_of(who), 'role', jsonb_build_array(was.role, NULL)));
  RETURN QUERY SELECT who, gnomon.name_of(who);
END $$;

-- ---- projects
-- Makes a project in a workspace of whoever acts: the one named, or the only one.
CREATE FUNCTION gnomon.make_project(body jsonb) RETURNS SETOF projects
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE ws record; base text; made public.projects; ignored text; named text := coalesce(gnomon.workspace()::text, body ->> 'workspace');
BEGIN
  SELECT w.id, w.role, count(*) OVER () AS n INTO ws
    FROM gnomon.my_workspaces() w WHERE named IS NULL OR named IN (w.id::text, w.slug) LIMIT 1;
  IF ws.id IS NULL THEN PERFORM gnomon.refuse('validation_failed', 'You are in no such workspace.'); END IF;
  IF ws.n > 1 THEN PERFORM gnomon.refuse('validation_failed', 'You are in several workspaces. Name one.'); END IF;
  IF gnomon.rank(ws.role) < 2 THEN PERFORM gnomon.refuse('forbidden', 'needs a higher role'); END IF;
  ignored := set_config('gnomon.workspace', ws.id::text, true);
  base := trim(BOTH '-' FROM left(trim(BOTH '-' FROM regexp_replace(lower(body ->> 'name'), '[^a-z0-9]+', '-', 'g')), 50));
  INSERT INTO public.projects (workspace_id, key, name, description, slug, team_id, is_private, owner_id)
  VALUES (ws.id, body ->> 'key', body ->> 'name', coalesce(body ->> 'description', ''),
          CASE WHEN base = '' THEN lower(body ->> 'key')
               WHEN EXISTS (SELECT FROM public.projects x WHERE x.workspace_id = ws.id AND x.slug = base) THEN concat_ws('-', base, lower(body ->> 'key'))
               ELSE base END,
          (SELECT t.id FROM public.teams t WHERE t.workspace_id = ws.id AND t.id = (body ->> 'team_id')::uuid AND t.deleted_at IS NULL),
          coalesce((body ->> 'is_private')::boolean, false), gnomon.actor())
  RETURNING * INTO made;
  IF body ->> 'team_id' IS NOT NULL AND made.team_id IS NULL THEN PERFORM gnomon.refuse('validation_failed', 'There is no such team.'); END IF;
  PERFORM gnomon.audit('project.created', 'project', made.id,
    jsonb_build_object('key', made.key, 'name', made.name, 'isPrivate', made.is_private));
  RETURN NEXT made;
END $$;

-- The teams of the workspaces of whoever acts, where none was entered.
CREATE FUNCTION gnomon.my_teams() RETURNS TABLE (id uuid, name text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT t.id, t.name FROM public.workspace_members m
    JOIN public.teams t ON t.workspace_id = m.workspace_id AND t.deleted_at IS NULL
   WHERE m.user_id = gnomon.actor() AND m.removed_at IS NULL
$$;

-- ---- invitations
-- A link by mail that lets one person in, once, within a week. The link carries
-- the id under the seal of the installation; nothing secret is kept.
CREATE TABLE invitations (
  workspace_id uuid NOT NULL REFERENCES workspaces,
  id           uuid NOT NULL DEFAULT gnomon.uuid7(),
  email        text COLLATE "C" NOT NULL CHECK (length(email) BETWEEN 3 AND 254),
  role         text COLLATE "C" NOT NULL CHECK (gnomon.rank(role) > 0),         -- in the workspace
  project_id   uuid,
  project_role text COLLATE "C" CHECK (project_role IS NULL OR gnomon.rank(project_role) > 0),
  invited_by   uuid NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT gnomon.now(),
  sent_at      timestamptz NOT NULL DEFAULT gnomon.now(),
  expires_at   timestamptz NOT NULL DEFAULT gnomon.now() + interval '7 days',
  accepted_at  timestamptz,
  accepted_by  uuid,
  revoked_at   timestamptz,
  PRIMARY KEY (workspace_id, id),
  FOREIGN KEY (workspace_id, project_id) REFERENCES projects,
  FOREIGN KEY (workspace_id, invited_by) REFERENCES workspace_members,
  FOREIGN KEY (workspace_id, accepted_by) REFERENCES workspace_members,
  CHECK ((project_id IS NULL) = (project_role IS NULL)),
  CHECK ((accepted_at IS NULL) = (accepted_by IS NULL))
);
CREATE INDEX invitations_id ON invitations (id);
CREATE INDEX invitations_sent ON invitations (workspace_id, sent_at);
CREATE UNIQUE INDEX invitations_open ON invitations (workspace_id, lower(email), coalesce(project_id, workspace_id))
  WHERE accepted_at IS NULL AND revoked_at IS NULL;
SELECT gnomon.wall_project('project_id', 'invitations');
GRANT SELECT ON invitations TO gnomon_web;

-- Puts the mail into the queue. At most 100 a day leave a workspace, and one a
-- minute goes to the same person.
CREATE FUNCTION gnomon.mail_invitation(which uuid, again boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE i record;
BEGIN
  IF (SELECT count(*) FROM (SELECT FROM public.invitations n WHERE n.workspace_id = gnomon.workspace()
                               AND n.sent_at > gnomon.now() - interval '1 day' AND n.id <> which LIMIT 100) n) >= 100 THEN
    PERFORM gnomon.refuse('rate_limited', '100 invitations a day');
  END IF;
  SELECT n.email, n.sent_at, n.role, n.project_role, w.name AS workspace, p.name AS project INTO i
    FROM public.invitations n
    JOIN public.workspaces w ON w.id = n.workspace_id
    LEFT JOIN public.projects p ON p.workspace_id = n.workspace_id AND p.id = n.project_id
   WHERE n.workspace_id = gnomon.workspace() AND n.id = which;
  IF again AND i.sent_at > gnomon.now() - interval '1 minute' THEN PERFORM gnomon.refuse('rate_limited', 'sent a moment ago'); END IF;
  UPDATE public.invitations n SET sent_at = gnomon.now(), expires_at = gnomon.now() + interval '7 days'
   WHERE n.workspace_id = gnomon.workspace() AND n.id = which;
  PERFORM gnomon.queue_mail(NULL, i.email, 'invitation', jsonb_build_object(
    'link', jsonb_build_object('path', '/invite', 'seal', 'invite:' || which),
    'workspace', i.workspace, 'project', i.project, 'role', coalesce(i.project_role, i.role), 'inviter', gnomon.name_of(gnomon.actor())));
END $$;

-- Invites an address to the workspace entered, or with project_role to the
-- project entered. That takes an admin of the workspace. What is answered does not
-- depend on whether the address has an account. Again for the same: the same
-- invitation, sent again.
CREATE FUNCTION gnomon.invite(body jsonb) RETURNS SETOF invitations
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  mine integer := gnomon.lock_members();
  to_project boolean := body ? 'project_role';
  as_role text := coalesce(body ->> 'role', CASE WHEN to_project THEN 'viewer' ELSE 'member' END);
  address text := lower(btrim(body ->> 'email'));
  made public.invitations;
BEGIN
  IF mine < 3 THEN PERFORM gnomon.refuse('forbidden', 'inviting takes an admin of the workspace'); END IF;
  PERFORM gnomon.check_rank(mine, NULL, NULL, as_role);
  IF to_project THEN PERFORM gnomon.check_rank(gnomon.lock_members(true), NULL, NULL, body ->> 'project_role'); END IF;
  IF NOT to_project AND EXISTS (SELECT FROM public.workspace_members m JOIN public.users u ON u.id = m.user_id
                                 WHERE m.workspace_id = gnomon.workspace() AND m.removed_at IS NULL AND lower(u.email) = address) THEN
    PERFORM gnomon.refuse('validation_failed', 'A member of this workspace has this address already.');
  END IF;
  SELECT * INTO made FROM public.invitations i
   WHERE i.workspace_id = gnomon.workspace() AND lower(i.email) = address AND i.accepted_at IS NULL AND i.revoked_at IS NULL
     AND coalesce(i.project_id, i.workspace_id) = CASE WHEN to_project THEN gnomon.project() ELSE gnomon.workspace() END;
  IF FOUND THEN
    PERFORM gnomon.check_rank(mine, NULL, NULL, made.role);
    PERFORM gnomon.mail_invitation(made.id, true);
  ELSE
    INSERT INTO public.invitations (workspace_id, email, role, project_id, project_role, invited_by)
    VALUES (gnomon.workspace(), address, as_role, CASE WHEN to_project THEN gnomon.project() END, body ->> 'project_role', gnomon.actor())
    RETURNING * INTO made;
    PERFORM gnomon.mail_invitation(made.id, false);
  END IF;
  UPDATE public.invitations i SET role = as_role, project_role = body ->> 'project_role', invited_by = gnomon.actor()
   WHERE i.workspace_id = gnomon.workspace() AND i.id = made.id RETURNING * INTO made;
  PERFORM gnomon.audit('invitation.sent', 'invitation', made.id, jsonb_strip_nulls(jsonb_build_object(
    'email', address, 'role', as_role, 'project', gnomon.project(), 'projectRole', made.project_role)));
  RETURN NEXT made;
END $$;

-- Adds somebody of the workspace to the project entered by id, or invites an
-- address to it.
CREATE FUNCTION gnomon.add_to_project(body jsonb)
RETURNS TABLE (id uuid, role text, joined_at timestamptz, version integer, invitation_id uuid, email text, expires_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
  IF body ? 'user_id' THEN
    RETURN QUERY SELECT s.id, s.role, s.joined_at, s.version, NULL::uuid, NULL, NULL::timestamptz
                   FROM gnomon.seat_in_project((body ->> 'user_id')::uuid, body ->> 'role') s;
  ELSE
    RETURN QUERY SELECT NULL::uuid, i.project_role, NULL::timestamptz, NULL::integer, i.id, i.email::text, i.expires_at
                   FROM gnomon.invite(jsonb_build_object('email', body ->> 'email', 'project_role', body ->> 'role')) i;
  END IF;
END $$;

-- Sends an open invitation again (it lasts another week), or takes it back.
CREATE FUNCTION gnomon.change_invitation(which uuid, act text) RETURNS SETOF invitations
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE mine integer := gnomon.lock_members(); it public.invitations;
BEGIN
  SELECT * INTO it FROM public.invitations i WHERE i.workspace_id = gnomon.workspace() AND i.id = which;
  IF NOT FOUND OR it.project_id = ANY (gnomon.hidden()) THEN RETURN; END IF;
  IF it.accepted_at IS NOT NULL OR it.revoked_at IS NOT NULL THEN PERFORM gnomon.refuse('illegal_state', 'accepted or taken back'); END IF;
  PERFORM gnomon.check_rank(mine, NULL, NULL, it.role);
  IF act = 'send' THEN PERFORM gnomon.mail_invitation(which, true);
  ELSE UPDATE public.invitations i SET revoked_at = gnomon.now() WHERE i.workspace_id = gnomon.workspace() AND i.id = which;
  END IF;
  PERFORM gnomon.audit(CASE act WHEN 'send' THEN 'invitation.sent' ELSE 'invitation.revoked' END, 'invitation', which,
    jsonb_build_object('email', it.email, 'role', it.role));
  RETURN QUERY SELECT * FROM public.invitations i WHERE i.workspace_id = gnomon.workspace() AND i.id = which;
END $$;

-- What somebody who holds the link is told, whoever they are. is_known: the
-- address has an account, and signing in is the way.
CREATE FUNCTION gnomon.invitation_of(which uuid, cookie bytea)
RETURNS TABLE (is_open boolean, email text, role text, workspace text, slug text, project text, project_role text, inviter text,
               is_known boolean, me text, my_email text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT i.accepted_at IS NULL AND i.revoked_at IS NULL AND i.expires_at > gnomon.now(), i.email, i.role, w.name, w.slug,
         p.name, i.project_role, u.name, EXISTS (SELECT FROM public.users k WHERE lower(k.email) = lower(i.email)), me.name, me.email
    FROM public.invitations i
    JOIN public.workspaces w ON w.id = i.workspace_id
    JOIN public.users u ON u.id = i.invited_by
    LEFT JOIN public.projects p ON p.workspace_id = i.workspace_id AND p.id = i.project_id
    LEFT JOIN public.sessions s ON s.token_hash = cookie AND s.kind = 'web' AND s.revoked_at IS NULL AND s.expires_at > now()
    LEFT JOIN public.users me ON me.id = s.user_id
   WHERE i.id = which
$$;

-- Lets the user of a session in. The link was in the invited person's mail, so
-- whoever holds it may use it, with the account they have.
CREATE FUNCTION gnomon.accept_invitation(which uuid, of_session uuid) RETURNS TABLE (slug text, project_key text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE it public.invitations; who uuid; ignored text;
BEGIN
  SELECT s.user_id INTO who FROM public.sessions s WHERE s.id = of_session AND s.revoked_at IS NULL AND s.expires_at > now();
  IF who IS NULL THEN PERFORM gnomon.refuse('unauthenticated'); END IF;
  SELECT * INTO it FROM public.invitations i WHERE i.id = which FOR NO KEY UPDATE;
  IF NOT FOUND OR it.accepted_at IS NOT NULL OR it.revoked_at IS NOT NULL OR it.expires_at <= gnomon.now() THEN
    PERFORM gnomon.refuse('invitation_over');
  END IF;
  ignored := set_config('gnomon.actor', who::text, true);
  ignored := set_config('gnomon.workspace', it.workspace_id::text, true);
  PERFORM FROM public.workspaces w WHERE w.id = it.workspace_id FOR NO KEY UPDATE;
  PERFORM gnomon.let_in(who, it.role);
  IF it.project_id IS NOT NULL THEN
    INSERT INTO public.project_members AS pm (workspace_id, project_id, user_id, role)
    VALUES (it.workspace_id, it.project_id, who, it.project_role)
    ON CONFLICT (workspace_id, project_id, user_id) DO UPDATE
       SET role = CASE WHEN gnomon.rank(pm.role) > gnomon.rank(excluded.role) THEN pm.role ELSE excluded.role END;
  END IF;
  UPDATE public.invitations i SET accepted_at = gnomon.now(), accepted_by = who WHERE i.workspace_id = it.workspace_id AND i.id = which;
  PERFORM gnomon.audit('invitation.accepted', 'invitation', which, jsonb_strip_nulls(jsonb_build_object(
    'email', it.email, 'name', gnomon.name_of(who), 'role', it.role, 'project', it.project_id, 'projectRole', it.project_role)));
  RETURN QUERY SELECT w.slug, p.key FROM public.workspaces w
    LEFT JOIN public.projects p ON p.workspace_id = w.id AND p.id = it.project_id WHERE w.id = it.workspace_id;
END $$;

-- The account of somebody invited, with the address invited. No account is made
-- when the invitation is over.
CREATE FUNCTION gnomon.register_invited(which uuid, new_name text, new_hash text) RETURNS TABLE (id uuid)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE address text;
BEGIN
  SELECT i.email INTO address FROM public.invitations i
   WHERE i.id = which AND i.accepted_at IS NULL AND i.revoked_at IS NULL AND i.expires_at > gnomon.now();
  IF NOT FOUND THEN PERFORM gnomon.refuse('invitation_over'); END IF;
  RETURN QUERY SELECT r.id FROM gnomon.register(address, new_name, new_hash) r;
END $$;

-- ---- teams
CREATE FUNCTION gnomon.make_team(body jsonb) RETURNS SETOF teams
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE made public.teams;
BEGIN
  INSERT INTO public.teams (workspace_id, name, description)
  VALUES (gnomon.workspace(), body ->> 'name', coalesce(body ->> 'description', '')) RETURNING * INTO made;
  PERFORM gnomon.audit('team.created', 'team', made.id, jsonb_build_object('name', made.name));
  RETURN NEXT made;
END $$;

CREATE FUNCTION gnomon.change_team(which uuid, body jsonb)
RETURNS TABLE (refused text, id uuid, name text, description text, created_at timestamptz, version integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE was public.teams; becomes public.teams; changes jsonb;
BEGIN
  SELECT * INTO was FROM public.teams t WHERE t.workspace_id = gnomon.workspace() AND t.id = which AND t.deleted_at IS NULL FOR NO KEY UPDATE;
  IF NOT FOUND THEN RETURN; END IF;
  IF was.version <> (body ->> 'version')::integer THEN
    RETURN QUERY SELECT 'version_conflict', was.id, was.name, was.description, was.created_at, was.version;
    RETURN;
  END IF;
  UPDATE public.teams t SET name = coalesce(body ->> 'name', t.name), description = coalesce(body ->> 'description', t.description)
   WHERE t.workspace_id = gnomon.workspace() AND t.id = which RETURNING * INTO becomes;
  changes := gnomon.changed_fields(jsonb_build_object('name', was.name, 'description', was.description),
                         jsonb_build_object('name', becomes.name, 'description', becomes.description));
  IF changes <> '{}' THEN PERFORM gnomon.audit('team.changed', 'team', which, changes); END IF;
  RETURN QUERY SELECT NULL, becomes.id, becomes.name, becomes.description, becomes.created_at, becomes.version;
END $$;

-- Deletes a team: projects and stories it had belong to none.
CREATE FUNCTION gnomon.remove_team(which uuid) RETURNS TABLE (id uuid, name text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE was public.teams; people integer;
BEGIN
  PERFORM gnomon.lock_members();
  UPDATE public.teams t SET deleted_at = gnomon.now()
   WHERE t.workspace_id = gnomon.workspace() AND t.id = which AND t.deleted_at IS NULL RETURNING * INTO was;
  IF NOT FOUND THEN RETURN; END IF;
  UPDATE public.projects p SET team_id = NULL WHERE p.workspace_id = gnomon.workspace() AND p.team_id = which;
  UPDATE public.stories s SET team_id = NULL WHERE s.workspace_id = gnomon.workspace() AND s.team_id = which;
  WITH gone AS (DELETE FROM public.team_members tm WHERE tm.workspace_id = gnomon.workspace() AND tm.team_id = which RETURNING 1)
  SELECT count(*) INTO people FROM gone;
  PERFORM gnomon.audit('team.deleted', 'team', which, jsonb_build_object('name', was.name, 'members', people));
  RETURN QUERY SELECT was.id, was.name;
END $$;

-- Puts somebody into a team, or makes them lead or not.
CREATE FUNCTION gnomon.seat_in_team(which uuid, who uuid, as_lead boolean) RETURNS TABLE (id uuid, is_lead boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE was boolean; team text;
BEGIN
  PERFORM gnomon.lock_members();
  SELECT t.name INTO team FROM public.teams t
   WHERE t.workspace_id = gnomon.workspace() AND t.id = which AND t.deleted_at IS NULL
     AND EXISTS (SELECT FROM public.workspace_members m WHERE m.workspace_id = t.workspace_id AND m.user_id = who AND m.removed_at IS NULL);
  IF NOT FOUND THEN RETURN; END IF;
  SELECT tm.is_lead INTO was FROM public.team_members tm WHERE tm.workspace_id = gnomon.workspace() AND tm.team_id = which AND tm.user_id = who;
  INSERT INTO public.team_members (workspace_id, team_id, user_id, is_lead) VALUES (gnomon.workspace(), which, who, as_lead)
  ON CONFLICT (workspace_id, team_id, user_id) DO UPDATE SET is_lead = excluded.is_lead;
  IF was IS DISTINCT FROM as_lead THEN
    PERFORM gnomon.audit(CASE WHEN was IS NULL THEN 'team.member_added' ELSE 'team.lead_changed' END, 'team', which,
      jsonb_build_object('user', who, 'name', gnomon.name_of(who), 'isLead', jsonb_build_array(was, as_lead)));
  END IF;
  RETURN QUERY SELECT who, as_lead;
END $$;

CREATE FUNCTION gnomon.unseat_from_team(which uuid, who uuid) RETURNS TABLE (id uuid, name text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
  PERFORM gnomon.lock_members();
  DELETE FROM public.team_members tm WHERE tm.workspace_id = gnomon.workspace() AND tm.team_id = which AND tm.user_id = who;
  IF NOT FOUND THEN RETURN; END IF;
  PERFORM gnomon.audit('team.member_removed', 'team', which, jsonb_build_object('user', who, 'name', gnomon.name_of(who)));
  RETURN QUERY SELECT who, gnomon.name_of(who);
END $$;

-- ---- reading the audit log
CREATE INDEX audit_log_action ON audit_log (workspace_id, action, number);
CREATE INDEX audit_log_actor ON audit_log (workspace_id, actor_id, number);
CREATE INDEX audit_log_entity ON audit_log (workspace_id, entity_id, number);

-- What an entry says after the name of whoever did it. subject is the name of
-- what it was done to. Acts that are not listed are said by their own words.
CREATE FUNCTION gnomon.audit_says(action text, entity_type text, subject text, details jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE action
    WHEN 'workspace.created' THEN 'made the workspace ' || (details ->> 'name')
    WHEN 'workspace.changed' THEN 'changed the workspace: ' || f.fields
    WHEN 'member.role_changed' THEN format('changed the role of %s from %s to %s', details ->> 'name', details #>> '{role,0}', details #>> '{role,1}')
    WHEN 'member.scopes_changed' THEN format('changed the data scopes of %s to %s', details ->> 'name', coalesce(nullif(translate(details #>> '{scopes,1}', '[]"', ''), ''), 'none'))
    WHEN 'member.removed' THEN format('removed %s, who was %s', details ->> 'name', details #>> '{role,0}')
    WHEN 'member.left' THEN format('left the workspace as %s', details #>> '{role,0}')
    WHEN 'invitation.sent' THEN format('invited %s as %s', details ->> 'email', coalesce(details ->> 'projectRole', details ->> 'role'))
    WHEN 'invitation.revoked' THEN format('took the invitation of %s back', details ->> 'email')
    WHEN 'invitation.accepted' THEN format('accepted the invitation sent to %s as %s', details ->> 'email', coalesce(details ->> 'projectRole', details ->> 'role'))
    WHEN 'project.created' THEN format('made the %sproject %s', CASE WHEN (details ->> 'isPrivate')::boolean THEN 'private ' ELSE '' END, coalesce(subject, details ->> 'key'))
    WHEN 'project.changed' THEN format('changed the project %s: %s', subject, f.fields)
    WHEN 'project.archived' THEN format('archived the project %s', subject)
    WHEN 'project.restored' THEN format('restored the project %s', subject)
    WHEN 'project.owner_changed' THEN format('gave the project %s from %s to %s', subject, details #>> '{owner,0}', details #>> '{owner,1}')
    WHEN 'project.member_added' THEN format('added %s to the project %s as %s', details ->> 'name', subject, details #>> '{role,1}')
    WHEN 'project.member_role_changed' THEN format('changed the role of %s in the project %s from %s to %s', details ->> 'name', subject, details #>> '{role,0}', details #>> '{role,1}')
    WHEN 'project.member_removed' THEN format('removed %s from the project %s', details ->> 'name', subject)
    WHEN 'agent.configured' THEN format('changed the agent %s: %s', replace(details ->> 'agent', '_', ' '), f.fields)
    WHEN 'team.created' THEN 'made the team ' || (details ->> 'name')
    WHEN 'team.changed' THEN format('changed the team %s: %s', coalesce(subject, details #>> '{name,1}'), f.fields)
    WHEN 'team.deleted' THEN 'deleted the team ' || (details ->> 'name')
    WHEN 'team.member_added' THEN format('put %s into the team %s', details ->> 'name', coalesce(subject, '(deleted)'))
    WHEN 'team.lead_changed' THEN format('made %s %s of the team %s', details ->> 'name', CASE WHEN (details #>> '{isLead,1}')::boolean THEN 'a lead' ELSE 'a plain member' END, coalesce(subject, '(deleted)'))
    WHEN 'team.member_removed' THEN format('took %s out of the team %s', details ->> 'name', coalesce(subject, '(deleted)'))
    ELSE concat_ws(': ', translate(action, '._', '  '), coalesce(subject, details ->> 'name')) END
    FROM (SELECT string_agg(CASE WHEN jsonb_typeof(d.value) <> 'array' THEN NULL
                                 WHEN length(d.value ->> 0) + length(d.value ->> 1) < 100
                                 THEN format('%s from %s to %s', replace(d.key, '_', ' '), d.value ->> 0, d.value ->> 1)
                                 ELSE replace(d.key, '_', ' ') END, ', ' ORDER BY d.key) AS fields
            FROM jsonb_each(CASE jsonb_typeof(details) WHEN 'object' THEN details ELSE '{}' END) d) f
$$;
GRANT EXECUTE ON FUNCTION gnomon.audit_says, gnomon.changed_fields TO gnomon_web;

-- Walks the chain: per workspace how many entries there are, the last hash, and
-- the number of the first that is not what it was when it was written (or is not
-- there). NULL: all is as it was.
CREATE FUNCTION gnomon.audit_verify(of_slug text DEFAULT NULL)
RETURNS TABLE (slug text, entries bigint, head bytea, broken integer, why text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT w.slug, coalesce(c.n, 0), c.head,
         coalesce(c.broken, CASE WHEN coalesce(c.last, 0) <> coalesce(k.last, 0) THEN least(coalesce(c.last, 0), coalesce(k.last, 0)) + 1 END),
         coalesce(c.why, CASE WHEN coalesce(c.last, 0) < coalesce(k.last, 0) THEN 'it is missing'
                              WHEN coalesce(c.last, 0) > coalesce(k.last, 0) THEN 'it was never counted' END)
    FROM public.workspaces w
    LEFT JOIN public.counters k ON k.workspace_id = w.id AND k.scope_id = w.id AND k.kind = 'audit_log'
    LEFT JOIN LATERAL (
      SELECT count(*) AS n, max(a.number) AS last, (array_agg(a.hash ORDER BY a.number DESC))[1] AS head,
             min(a.expected) FILTER (WHERE a.fault IS NOT NULL) AS broken,
             (array_agg(a.fault ORDER BY a.number) FILTER (WHERE a.fault IS NOT NULL))[1] AS why
        FROM (SELECT e.number, e.hash, lag(e.number, 1, 0) OVER o + 1 AS expected,
                     CASE WHEN e.number <> lag(e.number, 1, 0) OVER o + 1 THEN 'it is missing'
                          WHEN e.hash <> gnomon.audit_hash(lag(e.hash) OVER o, e) THEN 'it is not what was written' END AS fault
                FROM public.audit_log e WHERE e.workspace_id = w.id
              WINDOW o AS (ORDER BY e.number)) a) c ON true
   WHERE of_slug IS NULL OR w.slug = of_slug
   ORDER BY w.slug
$$;

-- Whether the ends of all chains hold: for gnomonctl doctor, which must be quick.
CREATE FUNCTION gnomon.audit_heads_broken() RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT count(*)
    FROM public.counters k
    LEFT JOIN public.audit_log a ON a.workspace_id = k.workspace_id AND a.number = k.last
    LEFT JOIN public.audit_log b ON b.workspace_id = k.workspace_id AND b.number = k.last - 1
   WHERE k.kind = 'audit_log'
     AND (a.hash IS DISTINCT FROM gnomon.audit_hash(b.hash, a) OR k.last > 1 AND b.number IS NULL
          OR EXISTS (SELECT FROM public.audit_log x WHERE x.workspace_id = k.workspace_id AND x.number > k.last))
$$;

GRANT EXECUTE ON FUNCTION gnomon.make_workspace, gnomon.change_workspace, gnomon.member_addresses, gnomon.change_member,
  gnomon.remove_member, gnomon.add_to_project, gnomon.change_project_member, gnomon.remove_project_member, gnomon.make_project, gnomon.my_teams,
  gnomon.invite, gnomon.change_invitation, gnomon.invitation_of, gnomon.accept_invitation, gnomon.register_invited,
  gnomon.make_team, gnomon.change_team, gnomon.remove_team, gnomon.seat_in_team, gnomon.unseat_from_team,
  gnomon.audit_heads_broken TO gnomon_web;
