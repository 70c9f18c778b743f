-- The doors: every request and job enters a tenant through one of these, once,
-- and everything after it in the transaction sees that tenant only.

-- Enters as a user, in a workspace, or in a project.
--   cookie, session   the credential; one of them
--   workspace_key     id or slug; NULL when the path names none
--   project_key       id or key; NULL when the path names none
--   story_prefix      the AC of a path's AC-311; it must be the project's key
--   needed            the rank of the lowest role that may pass (0: any user)
--   with_nav          also gather what a page's navigation shows
-- One row, or GN000 with unauthenticated, not_found, forbidden, ambiguous_key.
-- PL/pgSQL with settings by assignment: a quarter of the cost of LANGUAGE sql.
CREATE FUNCTION gnomon.enter(cookie bytea, session uuid, workspace_key text, project_key text, story_prefix text,
                             needed integer, with_nav boolean)
RETURNS TABLE (user_id uuid, user_name text, session_id uuid, role text,
               workspace_id uuid, workspace_slug text, workspace_name text, timezone text,
               project_id uuid, project_key_ text, project_name text, rev bigint, nav jsonb)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
  ignored text;
  is_id constant text := '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$';
BEGIN
  IF cookie IS NOT NULL THEN
    SELECT s.id, s.user_id, u.name INTO session_id, user_id, user_name
      FROM public.sessions s JOIN public.users u ON u.id = s.user_id
     WHERE s.token_hash = cookie AND s.kind = 'web' AND s.revoked_at IS NULL AND s.expires_at > now();
  ELSE
    SELECT s.id, s.user_id, u.name INTO session_id, user_id, user_name
      FROM public.sessions s JOIN public.users u ON u.id = s.user_id
     WHERE s.id = session AND s.revoked_at IS NULL AND s.expires_at > now();
  END IF;
  IF user_id IS NULL THEN PERFORM gnomon.refuse('unauthenticated'); END IF;
  ignored := set_config('gnomon.actor', user_id::text, true);

  IF workspace_key IS NOT NULL THEN
    IF workspace_key ~ is_id THEN
      SELECT w.id, w.slug, w.name, w.timezone, m.role INTO workspace_id, workspace_slug, workspace_name, timezone, role
        FROM public.workspaces w JOIN public.workspace_members m ON m.workspace_id = w.id AND m.user_id = user_id
       WHERE w.id = workspace_key::uuid;
    ELSE
      SELECT w.id, w.slug, w.name, w.timezone, m.role INTO workspace_id, workspace_slug, workspace_name, timezone, role
        FROM public.workspaces w JOIN public.workspace_members m ON m.workspace_id = w.id AND m.user_id = user_id
       WHERE w.slug = workspace_key;
    END IF;
    IF workspace_id IS NULL THEN PERFORM gnomon.refuse('not_found'); END IF;
    IF project_key IS NOT NULL THEN
      IF project_key ~ is_id THEN
        SELECT p.id, p.key, p.name INTO project_id, project_key_, project_name
          FROM public.projects p WHERE p.workspace_id = workspace_id AND p.id = project_key::uuid;
      ELSE
        SELECT p.id, p.key, p.name INTO project_id, project_key_, project_name
          FROM public.projects p WHERE p.workspace_id = workspace_id AND p.key = upper(project_key);
      END IF;
    END IF;
  ELSIF project_key IS NOT NULL THEN
    IF project_key ~ is_id THEN
      SELECT w.id, w.slug, w.name, w.timezone, m.role, p.id, p.key, p.name
        INTO workspace_id, workspace_slug, workspace_name, timezone, role, project_id, project_key_, project_name
        FROM public.projects p
        JOIN public.workspaces w ON w.id = p.workspace_id
        JOIN public.workspace_members m ON m.workspace_id = w.id AND m.user_id = user_id
       WHERE p.id = project_key::uuid;
    ELSE
      BEGIN
        SELECT w.id, w.slug, w.name, w.timezone, m.role, p.id, p.key, p.name
          INTO STRICT workspace_id, workspace_slug, workspace_name, timezone, role, project_id, project_key_, project_name
          FROM public.workspace_members m
          JOIN public.workspaces w ON w.id = m.workspace_id
          JOIN public.projects p ON p.workspace_id = w.id AND p.key = upper(project_key)
         WHERE m.user_id = user_id;
      EXCEPTION
        WHEN no_data_found THEN NULL;
        WHEN too_many_rows THEN PERFORM gnomon.refuse('ambiguous_key');
      END;
    END IF;
  END IF;
  IF project_key IS NOT NULL AND project_id IS NULL
     OR story_prefix IS NOT NULL AND upper(story_prefix) IS DISTINCT FROM project_key_ THEN
    PERFORM gnomon.refuse('not_found');
  END IF;
  IF gnomon.rank(role) < needed THEN PERFORM gnomon.refuse('forbidden', 'needs a higher role'); END IF;

  ignored := set_config('gnomon.workspace', coalesce(workspace_id::text, ''), true);
  ignored := set_config('gnomon.project', coalesce(project_id::text, ''), true);
  SELECT r.rev INTO rev FROM public.revisions r
   WHERE r.workspace_id = workspace_id AND r.scope_id = coalesce(project_id, workspace_id);
  ignored := set_config('gnomon.rev', coalesce(rev::text, ''), true);
  IF with_nav AND workspace_id IS NOT NULL THEN
    nav := jsonb_build_object(
      'openInsights', (SELECT count(*) FROM (SELECT FROM public.agent_insights i
                         WHERE i.workspace_id = workspace_id AND i.state = 'open' LIMIT 1001) n),
      'projects', (SELECT coalesce(jsonb_agg(jsonb_build_object('key', p.key, 'name', p.name, 'isCurrent', p.id = project_id)
                                             ORDER BY p.key), '[]')
                     FROM (SELECT * FROM public.projects p WHERE p.workspace_id = workspace_id AND p.archived_at IS NULL
                            ORDER BY p.key LIMIT 20) p));
  END IF;
  RETURN NEXT;
END $$;

-- The workspaces of the user who entered.
CREATE FUNCTION gnomon.my_workspaces()
RETURNS TABLE (id uuid, slug text, name text, plan text, timezone text, role text, created_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT w.id, w.slug, w.name, w.plan, w.timezone, m.role, w.created_at
    FROM public.workspace_members m JOIN public.workspaces w ON w.id = m.workspace_id
   WHERE m.user_id = gnomon.actor()
$$;

CREATE FUNCTION gnomon.my_projects()
RETURNS TABLE (id uuid, workspace_id uuid, workspace_slug text, key text, name text, role text,
               created_at timestamptz, updated_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT p.id, w.id, w.slug, p.key, p.name, m.role, p.created_at, p.updated_at
    FROM public.workspace_members m
    JOIN public.workspaces w ON w.id = m.workspace_id
    JOIN public.projects p ON p.workspace_id = w.id AND p.archived_at IS NULL
   WHERE m.user_id = gnomon.actor()
$$;

CREATE FUNCTION gnomon.me()
RETURNS TABLE (id uuid, email text, name text, avatar text, preferences jsonb, created_at timestamptz, updated_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT id, email, name, avatar, preferences, created_at, updated_at FROM public.users WHERE id = gnomon.actor()
$$;

-- Sign-up: the account and a workspace of its own. The slug is made from the
-- name; a taken one gets a short suffix.
CREATE FUNCTION gnomon.register(new_email text, new_name text, new_hash text)
RETURNS TABLE (id uuid, workspace_slug text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE who uuid; ws uuid; base text; want text;
BEGIN
  INSERT INTO public.users (email, name, password_hash) VALUES (lower(new_email), new_name, new_hash)
  RETURNING users.id INTO who;
  base := trim(BOTH '-' FROM left(trim(BOTH '-' FROM regexp_replace(lower(new_name), '[^a-z0-9]+', '-', 'g')), 50));
  IF base = '' THEN base := 'workspace'; END IF;
  want := base;
  LOOP
    INSERT INTO public.workspaces (name, slug) VALUES (left(new_name || '''s workspace', 120), want)
    ON CONFLICT (slug) DO NOTHING RETURNING workspaces.id INTO ws;
    EXIT WHEN ws IS NOT NULL;
    want := base || '-' || substr(md5(gen_random_uuid()::text), 1, 6);
  END LOOP;
  INSERT INTO public.workspace_members (workspace_id, user_id, role) VALUES (ws, who, 'owner');
  PERFORM gnomon.seed_workspace(ws);
  RETURN QUERY SELECT who, want;
EXCEPTION WHEN unique_violation THEN
  PERFORM gnomon.refuse('conflict', 'e-mail address in use');
END $$;

-- A new workspace starts with everything off (requirements 000-026).
CREATE FUNCTION gnomon.seed_workspace(ws uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO public.ai_workspace_policies (workspace_id) VALUES (ws) ON CONFLICT DO NOTHING;
  INSERT INTO public.agent_configs (workspace_id, agent_key, schedule_cron)
  VALUES (ws, 'sprint_risk', '0 8 * * *'), (ws, 'backlog_hygiene', '0 9 * * 2')
  ON CONFLICT DO NOTHING
$$;

-- What sign-in compares a password with. No row for an unknown address.
CREATE FUNCTION gnomon.password_of(address text) RETURNS TABLE (id uuid, password_hash text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT id, password_hash FROM public.users WHERE lower(email) = lower(address) AND password_hash IS NOT NULL
$$;

CREATE FUNCTION gnomon.open_session(who uuid, as_kind text, cookie bytea, agent text, lifetime interval) RETURNS uuid
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO public.sessions (user_id, kind, token_hash, user_agent, expires_at)
  VALUES (who, as_kind, cookie, left(agent, 300), now() + lifetime) RETURNING id
$$;

-- Ends a session of the user who entered.
CREATE FUNCTION gnomon.close_session(session uuid) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  WITH closed AS (UPDATE public.sessions SET revoked_at = now()
                   WHERE id = session AND user_id = gnomon.actor() AND revoked_at IS NULL RETURNING 1)
  SELECT EXISTS (SELECT FROM closed)
$$;

GRANT EXECUTE ON FUNCTION gnomon.enter, gnomon.my_workspaces, gnomon.my_projects, gnomon.me, gnomon.register,
  gnomon.password_of, gnomon.open_session, gnomon.close_session TO gnomon_web;
GRANT SELECT ON migration_versions TO gnomon_web, gnomon_worker;

-- Jobs that wait for longer than ten minutes; for gnomonctl doctor.
CREATE FUNCTION gnomon.late_jobs() RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT count(*) FROM public.jobs WHERE state = 'queued' AND run_at < now() - interval '10 minutes'
$$;

-- A short session for a command of gnomonctl, as a member of a workspace: the
-- one named by address, or its first owner. Only the database's superuser and
-- gnomon_owner may call it, so a web process cannot become somebody.
CREATE FUNCTION gnomon.operator_session(workspace_slug text, address text) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE who uuid;
BEGIN
  SELECT m.user_id INTO who
    FROM public.workspaces w
    JOIN public.workspace_members m ON m.workspace_id = w.id
    JOIN public.users u ON u.id = m.user_id
   WHERE w.slug = workspace_slug AND CASE WHEN address = '' THEN m.role = 'owner' ELSE lower(u.email) = lower(address) END
   ORDER BY m.joined_at, m.user_id LIMIT 1;
  IF who IS NULL THEN PERFORM gnomon.refuse('not_found', 'no such workspace or member'); END IF;
  RETURN gnomon.open_session(who, 'api', NULL, 'gnomonctl', interval '1 hour');
END $$;
GRANT EXECUTE ON FUNCTION gnomon.late_jobs TO gnomon_web;
