-- People and the outside, mended: tabs that renew at once, what an account is told
-- of itself, invitations of those who may no longer give them, mail and
-- notifications of what somebody may see by then, and a deletion that leaves no
-- name.

-- ---- refresh tokens: at once is no copy
-- The next token follows from the one given (src/auth), so that all who use one at
-- once get the same next one, and the family stays a line. used_at is when the
-- answer had left for certain; whoever asks later, or after the next one was
-- used, has a copy, and the family ends. arrived: when the request came in.
DROP FUNCTION gnomon.rotate_refresh(bytea, bytea, interval, text);
CREATE FUNCTION gnomon.rotate_refresh(given bytea, next bytea, lifetime interval, network text, arrived timestamptz, settles interval)
RETURNS TABLE (outcome text, session_id uuid, user_id uuid)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE t public.refresh_tokens; s public.sessions;
BEGIN
  SELECT * INTO t FROM public.refresh_tokens r WHERE r.token_hash = given FOR UPDATE;
  SELECT * INTO s FROM public.sessions x WHERE x.id = t.session_id FOR NO KEY UPDATE;
  IF s.id IS NULL OR s.revoked_at IS NOT NULL OR s.expires_at <= now() THEN
    RETURN QUERY SELECT 'unknown', NULL::uuid, NULL::uuid;
  ELSIF t.used_at IS NULL THEN
    UPDATE public.refresh_tokens r SET used_at = clock_timestamp() + settles WHERE r.token_hash = given;
    INSERT INTO public.refresh_tokens (token_hash, session_id) VALUES (next, s.id);
    UPDATE public.sessions x SET expires_at = now() + lifetime, last_used_at = now(), last_address = left(network, 64) WHERE x.id = s.id;
    RETURN QUERY SELECT 'renewed', s.id, s.user_id;
  ELSIF arrived <= t.used_at
        AND EXISTS (SELECT FROM public.refresh_tokens r WHERE r.token_hash = next AND r.session_id = s.id AND r.used_at IS NULL) THEN
    RETURN QUERY SELECT 'renewed', s.id, s.user_id;
  ELSE
    UPDATE public.sessions x SET revoked_at = now() WHERE x.id = s.id;
    RETURN QUERY SELECT 'reused', s.id, s.user_id;
  END IF;
END $$;

GRANT EXECUTE ON FUNCTION gnomon.rotate_refresh TO gnomon_web;

-- A key is not a sign-in, however young: who holds an old session may make one.
CREATE OR REPLACE FUNCTION gnomon.my_proof(free integer)
RETURNS TABLE (wait integer, id uuid, email text, name text, password_hash text, is_fresh boolean)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT gnomon.count_try('account', u.email, free), u.id, u.email, u.name, u.password_hash,
         EXISTS (SELECT FROM public.sessions s
                  WHERE s.id = gnomon.session() AND s.kind <> 'key' AND s.created_at > now() - interval '10 minutes')
    FROM public.users u WHERE u.id = gnomon.actor()
$$;

-- What else than the password somebody proves themselves by.
CREATE FUNCTION gnomon.forget_proofs(who uuid) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
  DELETE FROM public.second_factors s WHERE s.user_id = who;
  DELETE FROM public.recovery_codes r WHERE r.user_id = who;
  DELETE FROM public.identities i WHERE i.user_id = who
$$;

CREATE OR REPLACE FUNCTION gnomon.reset_password(token uuid, new_hash text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE person public.users;
BEGIN
  SELECT u.* INTO person FROM public.account_tokens t JOIN public.users u ON u.id = t.user_id
   WHERE t.id = token AND t.purpose = 'reset' AND t.used_at IS NULL AND t.expires_at > now()
     FOR UPDATE OF t FOR NO KEY UPDATE OF u;
  IF NOT FOUND THEN RETURN false; END IF;
  -- whoever made the account for an address that is not theirs does not lock its owner out
  IF person.email_verified_at IS NULL THEN PERFORM gnomon.forget_proofs(person.id); END IF;
  UPDATE public.users u SET password_hash = new_hash, email_verified_at = coalesce(u.email_verified_at, gnomon.now()), updated_at = gnomon.now()
   WHERE u.id = person.id;
  PERFORM gnomon.end_access(person.id, NULL, true);     -- uses the link up, too
  DELETE FROM public.sign_in_failures f WHERE f.who = gnomon.failure_key('account', person.email);
  PERFORM gnomon.audit_account(person.id, 'account.password_reset');
  RETURN true;
END $$;

-- ---- what an account is told of itself
-- Confirm your address, choose a new password: mail that belongs to no workspace. So
-- who is in none gets it, too, and no admin learns that it was asked for. A row is a
-- mail that is still to be sent; whoever sends it claims it for two minutes.
CREATE TABLE account_mails (
  id         uuid PRIMARY KEY DEFAULT gnomon.uuid7(),
  user_id    uuid NOT NULL REFERENCES users ON DELETE CASCADE,
  template   text COLLATE "C" NOT NULL,
  data       jsonb NOT NULL,
  attempts   integer NOT NULL DEFAULT 0,
  next_try   timestamptz NOT NULL DEFAULT now(),
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX account_mails_due ON account_mails (next_try);
CREATE INDEX account_mails_user ON account_mails (user_id);

-- Eight attempts of 30 s · 4^n, as of other mail; one whose worker was lost counts.
CREATE FUNCTION gnomon.claim_account_mail() RETURNS TABLE (id uuid, payload jsonb)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  DELETE FROM public.account_mails m WHERE m.next_try <= now() AND m.attempts >= 8;
  UPDATE public.account_mails m SET attempts = m.attempts + 1, next_try = clock_timestamp() + interval '2 minutes'
   WHERE m.id = (SELECT d.id FROM public.account_mails d WHERE d.next_try <= now() ORDER BY d.next_try FOR UPDATE SKIP LOCKED LIMIT 1)
  RETURNING m.id, jsonb_build_object('user', m.user_id, 'template', m.template, 'data', m.data)
$$;

-- It was sent, or never will be; or it is tried again.
CREATE FUNCTION gnomon.end_account_mail(mail uuid, again boolean) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  DELETE FROM public.account_mails m WHERE m.id = mail AND (NOT again OR m.attempts >= 8);
  UPDATE public.account_mails m SET next_try = now() + interval '30 s' * power(4, m.attempts - 1) * (1 + random() / 4)
   WHERE m.id = mail
$$;
GRANT EXECUTE ON FUNCTION gnomon.claim_account_mail, gnomon.end_account_mail TO gnomon_worker;

-- At most one of a kind a minute goes to an address, and ten a day.
CREATE OR REPLACE FUNCTION gnomon.mail_link(who uuid, for_what text, page text, lifetime interval) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE token uuid; person public.users;
BEGIN
  SELECT * INTO person FROM public.users u WHERE u.id = who AND u.email IS NOT NULL FOR NO KEY UPDATE;
  IF person.id IS NULL
     OR EXISTS (SELECT FROM public.account_tokens t WHERE t.user_id = who AND t.purpose = for_what AND t.created_at > now() - interval '1 minute')
     OR (SELECT count(*) FROM public.account_tokens t WHERE t.user_id = who AND t.purpose = for_what AND t.created_at > now() - interval '1 day') >= 10 THEN
    RETURN;
  END IF;
  INSERT INTO public.account_tokens (user_id, purpose, expires_at) VALUES (who, for_what, now() + lifetime) RETURNING id INTO token;
  INSERT INTO public.account_mails (user_id, template, data)
  VALUES (who, for_what, jsonb_build_object('link', jsonb_build_object('path', page, 'seal', for_what || ':' || token)));
END $$;

-- Mail of a workspace: of the one entered. Without one nothing is sent silently
-- into another's queue.
CREATE OR REPLACE FUNCTION gnomon.queue_mail(to_user uuid, to_address text, template text, data jsonb) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO public.jobs (workspace_id, queue, kind, payload, max_attempts)
  VALUES (gnomon.workspace(), 'notifications', 'mail:send',
          jsonb_build_object('to', to_address, 'user', to_user, 'template', template, 'data', data), 8)
$$;

-- Jobs and mails that wait for longer than ten minutes; for gnomonctl doctor.
CREATE OR REPLACE FUNCTION gnomon.late_jobs() RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT (SELECT count(*) FROM public.jobs WHERE state = 'queued' AND run_at < now() - interval '10 minutes')
       + (SELECT count(*) FROM public.account_mails WHERE next_try < now() - interval '10 minutes')
$$;

-- ---- an account that goes takes its name along
-- What others were told and what waits to be sent names nobody who is gone. Called
-- while the name is still there, and before the person is taken out of workspaces.
CREATE FUNCTION gnomon.forget_person(who uuid) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE person public.users; homes uuid[];
BEGIN
  SELECT * INTO person FROM public.users u WHERE u.id = who;
  homes := ARRAY(SELECT m.workspace_id FROM public.workspace_members m WHERE m.user_id = who);   -- those left, too
  DELETE FROM public.notifications n WHERE n.workspace_id = ANY (homes) AND n.user_id = who;
  UPDATE public.notifications n
     SET text = CASE WHEN starts_with(n.text, person.name || ' ') THEN 'Deleted user' || substr(n.text, length(person.name) + 1)
                     ELSE 'Deleted user changed it' END
   WHERE n.workspace_id = ANY (homes) AND n.actor_id = who;
  UPDATE public.webhook_deliveries d SET payload = jsonb_set(d.payload, '{data,actor,name}', '"Deleted user"')
   WHERE d.workspace_id = ANY (homes) AND d.payload #>> '{data,actor,id}' = who::text;
  UPDATE public.invitations i SET email = 'deleted@example.invalid'
   WHERE i.workspace_id = ANY (homes) AND (i.accepted_by = who OR lower(i.email) = lower(person.email));
  UPDATE public.jobs j SET payload = '{}'
   WHERE j.workspace_id = ANY (homes) AND j.kind = 'mail:send' AND j.state NOT IN ('queued', 'running')
     AND (j.payload ->> 'user' = who::text OR lower(j.payload ->> 'to') = lower(person.email));
  UPDATE public.jobs j SET payload = jsonb_set(j.payload, '{data,inviter}', '"Deleted user"')
   WHERE j.workspace_id = ANY (homes) AND j.kind = 'mail:send' AND j.payload #>> '{data,inviterId}' = who::text;
  DELETE FROM public.jobs j
   WHERE j.workspace_id = ANY (homes) AND j.kind = 'mail:send' AND j.state = 'queued'
     AND (j.payload ->> 'user' = who::text OR lower(j.payload ->> 'to') = lower(person.email));
  DELETE FROM public.idempotency_keys k WHERE k.workspace_id = ANY (homes) AND k.user_id = who;
  DELETE FROM public.account_mails m WHERE m.user_id = who;
END $$;

CREATE OR REPLACE FUNCTION gnomon.delete_me() RETURNS TABLE (slug text, name text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE person uuid := gnomon.actor(); place record; ignored text;
BEGIN
  PERFORM FROM public.workspaces w       -- as whoever changes members does: two last owners do not go at once
    WHERE w.id IN (SELECT m.workspace_id FROM public.workspace_members m WHERE m.user_id = person AND m.removed_at IS NULL)
    ORDER BY w.id FOR UPDATE;
  RETURN QUERY
    SELECT w.slug, w.name
      FROM public.workspace_members m JOIN public.workspaces w ON w.id = m.workspace_id
     WHERE m.user_id = person AND m.role = 'owner' AND m.removed_at IS NULL
       AND EXISTS (SELECT FROM public.workspace_members o
                    WHERE o.workspace_id = m.workspace_id AND o.user_id <> person AND o.removed_at IS NULL)
       AND NOT EXISTS (SELECT FROM public.workspace_members o
                        WHERE o.workspace_id = m.workspace_id AND o.user_id <> person AND o.role = 'owner' AND o.removed_at IS NULL)
     ORDER BY w.name, w.slug;
  IF FOUND THEN RETURN; END IF;
  PERFORM gnomon.forget_person(person);
  UPDATE public.users u
     SET name = 'Deleted user', email = NULL, avatar = NULL, password_hash = NULL, preferences = '{}', email_verified_at = NULL,
         deleted_at = gnomon.now(), updated_at = gnomon.now()
   WHERE u.id = person;
  FOR place IN SELECT m.workspace_id,
                      NOT EXISTS (SELECT FROM public.workspace_members o
                                   WHERE o.workspace_id = m.workspace_id AND o.user_id <> person AND o.removed_at IS NULL) AS is_alone
                 FROM public.workspace_members m
                WHERE m.user_id = person AND m.removed_at IS NULL ORDER BY m.workspace_id LOOP
    ignored := set_config('gnomon.workspace', place.workspace_id::text, true);
    PERFORM gnomon.audit('account.deleted', 'user', person);
    IF place.is_alone THEN
      UPDATE public.workspaces w SET name = 'Closed workspace', slug = 'closed-' || replace(w.id::text, '-', '') WHERE w.id = place.workspace_id;
      UPDATE public.workspace_members m SET removed_at = gnomon.now(), role = 'viewer', scopes = '{}'
       WHERE m.workspace_id = place.workspace_id AND m.user_id = person;
    ELSE
      PERFORM gnomon.remove_member(person);
    END IF;
  END LOOP;
  ignored := set_config('gnomon.workspace', '', true);
  PERFORM gnomon.end_access(person, NULL, true);
  PERFORM gnomon.forget_proofs(person);
  DELETE FROM public.account_tokens t WHERE t.user_id = person;
  UPDATE public.sessions s SET user_agent = '', last_address = '', name = '' WHERE s.user_id = person;
END $$;

-- The chain of the audit log cannot be changed, so it names people by id alone;
-- whoever reads it is told what they are called now (sql/api/audit.sql).
CREATE OR REPLACE FUNCTION gnomon.audit(of_action text, of_type text, of_id uuid, of_details jsonb DEFAULT '{}') RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE entry public.audit_log; before bytea;
BEGIN
  entry := ROW(gnomon.workspace(), gnomon.next_number(gnomon.workspace(), gnomon.workspace(), 'audit_log', NULL),
               gnomon.now(), gnomon.actor(), of_action, of_type, of_id,
               CASE WHEN of_type = 'user' OR of_details ? 'user' THEN of_details - 'name'
                    WHEN of_type = 'invitation' THEN of_details - '{name,email}'::text[]
                    ELSE of_details END, NULL);
  SELECT a.hash INTO before FROM public.audit_log a WHERE a.workspace_id = entry.workspace_id AND a.number = entry.number - 1;
  entry.hash := gnomon.audit_hash(before, entry);
  INSERT INTO public.audit_log SELECT entry.*;
END $$;

-- An entry's details with the names that its ids stand for today.
CREATE FUNCTION gnomon.audit_names(workspace uuid, entity_type text, entity_id uuid, details jsonb) RETURNS jsonb
LANGUAGE sql STABLE AS $$
  SELECT details
      || coalesce((SELECT jsonb_build_object('name', u.name) FROM public.users u
                    WHERE u.id = CASE WHEN entity_type = 'user' THEN entity_id ELSE (details ->> 'user')::uuid END), '{}')
      || coalesce((SELECT jsonb_build_object('email', i.email) FROM public.invitations i
                    WHERE entity_type = 'invitation' AND i.workspace_id = workspace AND i.id = entity_id), '{}')
      || coalesce((SELECT jsonb_build_object('owner', jsonb_agg(coalesce(u.name, o.value) ORDER BY o.place))
                     FROM jsonb_array_elements_text(CASE jsonb_typeof(details -> 'owner') WHEN 'array' THEN details -> 'owner' ELSE '[]' END)
                          WITH ORDINALITY AS o (value, place)
                     LEFT JOIN public.users u ON u.id::text = o.value
                   HAVING count(*) > 0), '{}')
$$;
GRANT EXECUTE ON FUNCTION gnomon.audit_names TO gnomon_web;

-- ---- invitations: what whoever wrote them may give, to who was not shown out since
ALTER TABLE invitations ADD mails integer NOT NULL DEFAULT 1;     -- within a day before sent_at
CREATE INDEX invitations_inviter ON invitations (invited_by, sent_at);

-- Puts the mail into the queue. At most 100 mails a day leave a workspace, and as
-- many a person, however many workspaces they have; one a minute goes to the same
-- address.
CREATE OR REPLACE FUNCTION gnomon.mail_invitation(which uuid, again boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  i record; day timestamptz := gnomon.now() - interval '1 day';
  most integer := 100 + (NOT again)::integer;      -- a new one counts itself
BEGIN
  IF (SELECT coalesce(sum(n.mails), 0) FROM public.invitations n WHERE n.workspace_id = gnomon.workspace() AND n.sent_at > day) >= most
     OR (SELECT coalesce(sum(n.mails), 0) FROM public.invitations n WHERE n.invited_by = gnomon.actor() AND n.sent_at > day) >= most THEN
    PERFORM gnomon.refuse('rate_limited', '100 invitations a day');
  END IF;
  SELECT n.email, n.sent_at, n.role, n.project_role, w.name AS workspace, p.name AS project INTO i
    FROM public.invitations n
    JOIN public.workspaces w ON w.id = n.workspace_id
    LEFT JOIN public.projects p ON p.workspace_id = n.workspace_id AND p.id = n.project_id
   WHERE n.workspace_id = gnomon.workspace() AND n.id = which;
  IF again AND i.sent_at > gnomon.now() - interval '1 minute' THEN PERFORM gnomon.refuse('rate_limited', 'sent a moment ago'); END IF;
  UPDATE public.invitations n
     SET sent_at = gnomon.now(), expires_at = gnomon.now() + interval '7 days', mails = CASE WHEN n.sent_at > day THEN n.mails + again::integer ELSE 1 END
   WHERE n.workspace_id = gnomon.workspace() AND n.id = which;
  PERFORM gnomon.queue_mail(NULL, i.email, 'invitation', jsonb_build_object(
    'link', jsonb_build_object('path', '/invite', 'seal', 'invite:' || which),
    'workspace', i.workspace, 'project', i.project, 'role', coalesce(i.project_role, i.role), 'inviter', gnomon.name_of(gnomon.actor()), 'inviterId', gnomon.actor()));
END $$;

-- Whoever may give less from now on takes back what they gave and could not any more.
CREATE FUNCTION gnomon.take_back() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE public.invitations i SET revoked_at = gnomon.now()
   WHERE i.workspace_id = NEW.workspace_id AND i.invited_by = NEW.user_id AND i.accepted_at IS NULL AND i.revoked_at IS NULL
     AND (gnomon.rank(NEW.role) < 3 OR gnomon.rank(NEW.role) < 4 AND gnomon.rank(i.role) >= gnomon.rank(NEW.role));
  RETURN NULL;
END $$;
CREATE TRIGGER take_back AFTER UPDATE OF role ON workspace_members FOR EACH ROW
  WHEN (gnomon.rank(NEW.role) < gnomon.rank(OLD.role)) EXECUTE FUNCTION gnomon.take_back();

-- Lets the user of a session in. The link was in the invited person's mail, so
-- whoever holds it may use it, with the account they have; but not to come back
-- after being shown out, nor for more than its writer may give by now.
CREATE OR REPLACE FUNCTION gnomon.accept_invitation(which uuid, of_session uuid) RETURNS TABLE (slug text, project_key text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE it public.invitations; who uuid; writer integer; in_project integer; ignored text;
BEGIN
  SELECT s.user_id INTO who FROM public.sessions s WHERE s.id = of_session AND s.revoked_at IS NULL AND s.expires_at > now();
  IF who IS NULL THEN PERFORM gnomon.refuse('unauthenticated'); END IF;
  -- the workspace first, as everybody who changes members: what is read then stays so
  PERFORM FROM public.workspaces w WHERE w.id = (SELECT i.workspace_id FROM public.invitations i WHERE i.id = which) FOR NO KEY UPDATE;
  SELECT * INTO it FROM public.invitations i WHERE i.id = which FOR NO KEY UPDATE;
  SELECT gnomon.rank(m.role), greatest(gnomon.rank(m.role), gnomon.rank(pm.role)) INTO writer, in_project
    FROM public.workspace_members m
    LEFT JOIN public.project_members pm ON pm.workspace_id = m.workspace_id AND pm.project_id = it.project_id AND pm.user_id = m.user_id
   WHERE m.workspace_id = it.workspace_id AND m.user_id = it.invited_by AND m.removed_at IS NULL;
  IF it.id IS NULL OR it.accepted_at IS NOT NULL OR it.revoked_at IS NOT NULL OR it.expires_at <= gnomon.now()
     OR coalesce(writer, 0) < 3 OR writer < 4 AND gnomon.rank(it.role) >= writer
     OR in_project < 4 AND gnomon.rank(it.project_role) >= in_project
     OR EXISTS (SELECT FROM public.workspace_members m
                 WHERE m.workspace_id = it.workspace_id AND m.user_id = who AND m.removed_at > it.sent_at) THEN
    PERFORM gnomon.refuse('invitation_over');
  END IF;
  ignored := set_config('gnomon.actor', who::text, true);
  ignored := set_config('gnomon.workspace', it.workspace_id::text, true);
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

CREATE OR REPLACE FUNCTION gnomon.remove_member(who uuid) RETURNS TABLE (id uuid, name text)
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
                         jsonb_build_object('owner', jsonb_build_array(who, heir)));
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

-- ---- notifications: what somebody may see, when they are told and when they are mailed
-- Whether somebody belongs to a workspace, and a project of it (NULL: any) is there
-- for them.
CREATE FUNCTION gnomon.may_hear(ws uuid, who uuid, of_project uuid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT EXISTS (
    SELECT FROM public.workspace_members m
      LEFT JOIN public.projects p ON p.workspace_id = m.workspace_id AND p.id = of_project
      LEFT JOIN public.project_members pm ON pm.workspace_id = p.workspace_id AND pm.project_id = p.id AND pm.user_id = m.user_id
     WHERE m.workspace_id = ws AND m.user_id = who AND m.removed_at IS NULL
       AND (of_project IS NULL OR gnomon.role_in(m.role, pm.role, p.is_private) IS NOT NULL))
$$;

-- As before, and: of what is not there for them nobody is told, whoever would tell.
CREATE OR REPLACE FUNCTION gnomon.notification_made() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE known record; wants record;
BEGIN
  IF NEW.path IS NULL THEN
    SELECT * INTO known FROM gnomon.entity(NEW.workspace_id, NEW.entity_type, NEW.entity_id);
    NEW.path := known.path;
    NEW.project_id := coalesce(NEW.project_id, known.project);
  END IF;
  -- who never was a member is refused by the foreign key, aloud
  IF NOT gnomon.may_hear(NEW.workspace_id, NEW.user_id, NEW.project_id)
     AND EXISTS (SELECT FROM public.workspace_members m WHERE m.workspace_id = NEW.workspace_id AND m.user_id = NEW.user_id) THEN
    RETURN NULL;
  END IF;
  SELECT p.in_app, p.mail INTO wants FROM public.notification_preferences p
   WHERE p.workspace_id = NEW.workspace_id AND p.user_id = NEW.user_id AND p.kind = gnomon.notification_kind(NEW.kind);
  IF FOUND THEN
    IF NOT wants.in_app AND wants.mail = 'off' THEN RETURN NULL; END IF;
    NEW.in_app := wants.in_app;
    NEW.mail := wants.mail;
    IF NOT wants.in_app THEN NEW.read_at := gnomon.now(); END IF;
  END IF;
  RETURN NEW;
END $$;
DROP TRIGGER a_member ON notifications;     -- may_hear asks that, too
DROP FUNCTION gnomon.tell_members();

-- What is there for somebody no more is not waiting for them either.
CREATE FUNCTION gnomon.hush() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE at jsonb := to_jsonb(OLD); of_project uuid := coalesce(at ->> 'project_id', at ->> 'id')::uuid;
BEGIN
  UPDATE public.notifications n SET read_at = gnomon.now()
   WHERE n.workspace_id = OLD.workspace_id AND n.project_id = of_project AND n.read_at IS NULL
     AND (at ->> 'user_id' IS NULL OR n.user_id = (at ->> 'user_id')::uuid)
     AND NOT gnomon.may_hear(n.workspace_id, n.user_id, n.project_id);
  RETURN NULL;
END $$;
CREATE TRIGGER hush AFTER DELETE ON project_members FOR EACH ROW EXECUTE FUNCTION gnomon.hush();
CREATE TRIGGER hush AFTER UPDATE OF is_private ON projects FOR EACH ROW
  WHEN (NEW.is_private AND NOT OLD.is_private) EXECUTE FUNCTION gnomon.hush();

-- Mails what is wanted at once, and is still there for whom it is.
CREATE OR REPLACE FUNCTION gnomon.mail_notifications() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE n record; done bigint := 0; ignored text;
BEGIN
  FOR n IN
    SELECT x.*, w.slug, w.name AS workspace
      FROM public.notifications x JOIN public.workspaces w ON w.id = x.workspace_id
     WHERE x.mail = 'now' AND x.mailed_at IS NULL
     LIMIT 200 FOR UPDATE OF x SKIP LOCKED
  LOOP
    ignored := set_config('gnomon.workspace', n.workspace_id::text, true);
    UPDATE public.notifications x SET mailed_at = now() WHERE x.workspace_id = n.workspace_id AND x.id = n.id;
    CONTINUE WHEN NOT gnomon.may_hear(n.workspace_id, n.user_id, n.project_id);
    PERFORM gnomon.queue_mail(n.user_id, NULL, 'notification', jsonb_build_object(
      'title', n.title, 'text', nullif(n.text, ''), 'workspace', n.workspace,
      'link', CASE WHEN n.path IS NOT NULL THEN jsonb_build_object('path', '/w/' || n.slug || n.path) END,
      'reason', CASE gnomon.notification_kind(n.kind) WHEN 'assigned' THEN 'it is assigned to you' WHEN 'mention' THEN 'you are mentioned'
                     WHEN 'watching' THEN 'you watch it' WHEN 'sprint' THEN 'you work in the project'
                     WHEN 'insight' THEN 'you lead the team or administer the workspace' ELSE 'you administer the workspace' END,
      'unsubscribe', gnomon.unsubscribe_link(n.workspace_id, n.user_id, gnomon.notification_kind(n.kind))));
    done := done + 1;
  END LOOP;
  RETURN done;
END $$;

-- The digest of a workspace's day: a mail for each who wants one and has something
-- unread in it that is there for them. At 08:00 there (gnomon.enqueue_digests).
CREATE OR REPLACE FUNCTION gnomon.send_digests(job uuid, with_fence bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE u record; done bigint := 0;
BEGIN
  PERFORM gnomon.enter_job(job, with_fence);
  FOR u IN
    WITH due AS (
      UPDATE public.notifications n SET mailed_at = now()
       WHERE n.workspace_id = gnomon.workspace() AND n.mail = 'daily' AND n.mailed_at IS NULL
      RETURNING n.*
    ), news AS MATERIALIZED (
      SELECT n.* FROM due n WHERE gnomon.may_hear(n.workspace_id, n.user_id, n.project_id))
    SELECT n.user_id, w.id AS ws, w.name, w.slug, count(*) AS n,
           (SELECT jsonb_agg(x.item ORDER BY x.at DESC)
              FROM (SELECT jsonb_build_object('title', concat_ws(': ', i.title, nullif(i.text, '')), 'path', '/w/' || w.slug || i.path,
                             'times', CASE WHEN i.times > 1 THEN i.times END) AS item, i.latest_at AS at
                      FROM news i WHERE i.user_id = n.user_id AND (i.is_unread OR NOT i.in_app)
                     ORDER BY i.latest_at DESC LIMIT 30) x) AS items
      FROM news n JOIN public.workspaces w ON w.id = n.workspace_id
     WHERE n.is_unread OR NOT n.in_app
     GROUP BY n.user_id, w.id
  LOOP
    PERFORM gnomon.queue_mail(u.user_id, NULL, 'digest', jsonb_build_object(
      'workspace', u.name, 'countText', CASE u.n WHEN 1 THEN '1 notification' ELSE u.n || ' notifications' END,
      'items', u.items, 'more', nullif(greatest(u.n - 30, 0), 0), 'inbox', '/w/' || u.slug || '/notifications',
      'unsubscribe', gnomon.unsubscribe_link(u.ws, u.user_id, 'digest')));
    done := done + 1;
  END LOOP;
  RETURN done;
END $$;

-- ---- who is named by an edit hears of it, and a story's watchers of its tasks
-- When a comment came to name somebody: with the event that tells them.
ALTER TABLE comment_mentions ADD since timestamptz NOT NULL DEFAULT gnomon.now();

-- What an event is, to somebody who watches. task: its title, when it is of a task.
DROP FUNCTION gnomon.event_in_words(text, text, text, jsonb);
CREATE FUNCTION gnomon.event_in_words(who text, entity_type text, action text, changes jsonb, task text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT who || ' ' || CASE
    WHEN entity_type = 'comment' THEN 'commented'
    WHEN action = 'created' THEN CASE WHEN task IS NULL THEN 'made it' ELSE 'added ' || t.it END
    WHEN action = 'deleted' OR changes #>> '{deleted_at,1}' IS NOT NULL THEN 'deleted ' || t.it
    WHEN changes #>> '{status,1}' IS NOT NULL THEN 'moved ' || t.it || ' to ' || replace(changes #>> '{status,1}', '_', ' ')
    ELSE 'changed ' || (SELECT string_agg(replace(regexp_replace(k, '_(ids?)$', ''), '_', ' '), ', ' ORDER BY k)
                          FROM jsonb_object_keys(changes - '{position,status_since,ai_suggestions}'::text[]) k)
                    || CASE WHEN task IS NULL THEN '' ELSE ' of ' || t.it END END
    FROM (SELECT coalesce('the task ' || task, 'it') AS it) t
$$;

-- One scope's next events (whole revisions, about `most`): messages for the
-- webhooks that want them, and whom they concern. All of it, and the cursor, in one
-- transaction: whatever dies, nothing is lost and nothing is done twice.
CREATE OR REPLACE FUNCTION gnomon.follow_scope(ws uuid, scope uuid, seen bigint, most integer) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE known bigint; upto bigint; handled bigint;
BEGIN
  INSERT INTO public.event_cursors VALUES (ws, scope, 0) ON CONFLICT DO NOTHING;
  SELECT c.rev INTO known FROM public.event_cursors c WHERE c.workspace_id = ws AND c.scope_id = scope FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN RETURN 0; END IF;
  SELECT max(e.rev), count(*) INTO upto, handled
    FROM (SELECT e.rev FROM public.events e WHERE e.workspace_id = ws AND e.scope_id = scope AND e.rev > known
           ORDER BY e.rev LIMIT most) e;
  UPDATE public.event_cursors c SET rev = coalesce(upto, greatest(seen, known)) WHERE c.workspace_id = ws AND c.scope_id = scope;
  IF upto IS NULL THEN RETURN 0; END IF;

  INSERT INTO public.webhook_deliveries (workspace_id, webhook_id, event_type, rev, payload)
  SELECT ws, h.id, e.entity_type || '.' || e.action, e.rev, gnomon.webhook_payload(e)
    FROM public.webhooks h
    JOIN public.events e ON e.workspace_id = ws AND e.scope_id = scope AND e.rev > known AND e.rev <= upto
   WHERE h.workspace_id = ws AND h.active AND h.removed_at IS NULL
     AND e.created_at >= h.since AND e.created_at > now() - interval '7 days'
     AND h.event_types && ARRAY['*', e.entity_type || '.*', e.entity_type || '.' || e.action]
   ORDER BY e.rev;

  -- An event that is a week old concerns nobody any more (an import, a restore).
  WITH e AS MATERIALIZED (
    SELECT e.*, coalesce((SELECT u.name FROM public.users u WHERE u.id = e.actor_id), 'Gnomon') AS who
      FROM public.events e
     WHERE e.workspace_id = ws AND e.scope_id = scope AND e.rev > known AND e.rev <= upto AND e.created_at > now() - interval '7 days'
  ), called AS MATERIALIZED (
    SELECT coalesce(e.changes #>> '{assignee_id,1}', e.changes #>> '{owner_user_id,1}', e.changes #>> '{owner_id,1}')::uuid AS user_id,
           'assigned' AS kind, e.entity_type, e.entity_id, e.rev, e.actor_id, e.who || ' assigned it to you' AS text
      FROM e
     WHERE e.entity_type <> 'project' AND e.changes ?| '{assignee_id,owner_user_id,owner_id}'
    UNION ALL
    SELECT m.user_id, 'mention', c.entity_type, c.entity_id, e.rev, e.actor_id, e.who || ' mentioned you'
      FROM e
      JOIN public.comments c ON c.workspace_id = ws AND c.id = e.entity_id AND c.deleted_at IS NULL
      JOIN public.comment_mentions m ON m.workspace_id = ws AND m.comment_id = c.id AND m.since = e.created_at
     WHERE e.entity_type = 'comment' AND e.changes ? 'body'
    UNION ALL
    SELECT v.user_id, 'sprint', 'sprint', e.entity_id, e.rev, e.actor_id,
           CASE e.changes #>> '{status,1}' WHEN 'active' THEN 'The sprint has started' ELSE 'The sprint is completed' END
      FROM e
     CROSS JOIN LATERAL (
       SELECT pm.user_id FROM public.project_members pm WHERE pm.workspace_id = ws AND pm.project_id = scope
       UNION
       SELECT t.user_id FROM public.projects p JOIN public.team_members t ON t.workspace_id = p.workspace_id AND t.team_id = p.team_id
        WHERE p.workspace_id = ws AND p.id = scope
       UNION
       SELECT s.assignee_id FROM public.sprint_items i JOIN public.stories s ON s.workspace_id = i.workspace_id AND s.id = i.story_id
        WHERE i.workspace_id = ws AND i.sprint_id = e.entity_id AND i.removed_at IS NULL AND s.assignee_id IS NOT NULL) v
     WHERE e.entity_type = 'sprint' AND e.action = 'moved' AND e.changes #>> '{status,1}' IN ('active', 'completed')
  ), heard AS (
    SELECT * FROM called
    UNION ALL
    SELECT w.user_id, 'watching', w.entity_type, w.entity_id, e.rev, e.actor_id,
           left(gnomon.event_in_words(e.who, e.entity_type, e.action, e.changes, k.title), 500)
      FROM e
      LEFT JOIN public.comments c ON e.entity_type = 'comment' AND c.workspace_id = ws AND c.id = e.entity_id
      LEFT JOIN public.tasks k ON e.entity_type = 'task' AND k.workspace_id = ws AND k.id = e.entity_id
      JOIN public.watchers w ON w.workspace_id = ws AND w.entity_id = coalesce(c.entity_id, k.story_id, e.entity_id) AND w.since <= e.created_at
     WHERE e.changes - '{position,status_since,ai_suggestions}'::text[] <> '{}' AND (e.entity_type <> 'comment' OR e.action = 'created')
       AND NOT EXISTS (SELECT FROM called x WHERE x.user_id = w.user_id AND x.rev = e.rev AND x.entity_id IN (w.entity_id, e.entity_id))
  )
  -- Never of what they did themselves; gnomon.notification_made leaves out what is not there for them.
  INSERT INTO public.notifications AS n (workspace_id, user_id, kind, title, text, entity_type, entity_id, project_id, path, times, actor_id)
  SELECT ws, h.user_id, h.kind, left(t.title, 500), h.text, h.entity_type, h.entity_id, t.project, t.path, h.times, h.actor_id
    FROM (SELECT h.user_id, h.kind, h.entity_type, h.entity_id, count(*)::integer AS times,
                 (array_agg(h.text ORDER BY h.rev DESC))[1] AS text, (array_agg(h.actor_id ORDER BY h.rev DESC))[1] AS actor_id
            FROM heard h
           WHERE h.user_id IS DISTINCT FROM h.actor_id
           GROUP BY h.user_id, h.kind, h.entity_type, h.entity_id) h
   CROSS JOIN LATERAL gnomon.entity(ws, h.entity_type, h.entity_id) t
   WHERE t.title IS NOT NULL
  ON CONFLICT (workspace_id, user_id, kind, entity_id) DO UPDATE
     SET title = excluded.title, text = excluded.text, path = excluded.path, actor_id = excluded.actor_id, latest_at = excluded.latest_at,
         in_app = excluded.in_app, mail = excluded.mail,
         times = excluded.times + CASE WHEN n.is_unread THEN n.times ELSE 0 END,
         -- a mail each time, but of what is watched one until it is read
         mailed_at = CASE WHEN n.is_unread AND n.in_app AND n.kind = 'watching' AND n.mail = 'now' THEN n.mailed_at END,
         read_at = excluded.read_at;
  RETURN handled;
END $$;

-- ---- webhooks
-- Notes how an attempt went. 2xx is taken; 410 switches the webhook off, as
-- does a message that was refused to the end with no success since it was made. Whoever is
-- slow to answer, well or not, lets others go first. Says whether to go on with the
-- next one.
CREATE OR REPLACE FUNCTION gnomon.note_delivery(job uuid, with_fence bigint, delivery uuid, got integer, ms integer, failure text, wait_s integer)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE d public.webhook_deliveries; h public.webhooks; why text; retry interval; slow constant integer := 2000;
BEGIN
  PERFORM gnomon.enter_job(job, with_fence);
  SELECT * INTO d FROM public.webhook_deliveries x WHERE x.workspace_id = gnomon.workspace() AND x.id = delivery FOR UPDATE;
  IF NOT FOUND OR d.state <> 'pending' THEN RETURN true; END IF;
  SELECT * INTO h FROM public.webhooks x WHERE x.workspace_id = d.workspace_id AND x.id = d.webhook_id FOR UPDATE;
  IF got BETWEEN 200 AND 299 THEN
    UPDATE public.webhook_deliveries x
       SET state = 'delivered', attempts = x.attempts + 1, status_code = got, duration_ms = ms, error = NULL, next_try = NULL, tried_at = now()
     WHERE x.workspace_id = d.workspace_id AND x.id = d.id;
    UPDATE public.webhooks x
       SET failures = 0, last_success_at = now(), rests_until = CASE WHEN ms > slow THEN now() + make_interval(secs => ms / 1000.0) END
     WHERE x.workspace_id = h.workspace_id AND x.id = h.id;
    RETURN ms <= slow;
  END IF;
  retry := CASE WHEN got IS DISTINCT FROM 410 THEN greatest(gnomon.webhook_retry(d.attempts + 1), make_interval(secs => least(wait_s, 86400))) END;
  IF d.attempts + 1 >= 8 THEN retry := NULL; END IF;
  UPDATE public.webhook_deliveries x
     SET state = CASE WHEN retry IS NULL THEN 'failed' ELSE 'pending' END, attempts = x.attempts + 1, status_code = got,
         duration_ms = ms, error = left(failure, 500), next_try = now() + retry, tried_at = now()
   WHERE x.workspace_id = d.workspace_id AND x.id = d.id;
  why := CASE WHEN got = 410 THEN 'The receiver answered 410 Gone.'
              WHEN retry IS NULL AND (h.last_success_at IS NULL OR h.last_success_at < d.created_at)
              THEN 'A message was not taken in 8 attempts, nor any other since it was made.' END;
  UPDATE public.webhooks x
     SET failures = x.failures + 1,
         rests_until = CASE WHEN ms > slow THEN now() + least(x.failures + 1, 12) * interval '5 s' END
   WHERE x.workspace_id = h.workspace_id AND x.id = h.id;
  IF why IS NOT NULL AND h.active THEN
    UPDATE public.webhooks x SET active = false, disabled_reason = why WHERE x.workspace_id = h.workspace_id AND x.id = h.id;
    PERFORM gnomon.audit('webhook.disabled', 'webhook', h.id, jsonb_build_object('reason', why));
    PERFORM gnomon.tell_admins(h.workspace_id, 'system', 'The webhook to ' || left(h.url, 200) || ' is switched off', why, 'webhook', h.id,
      '/admin/webhooks/' || h.id);
  END IF;
  RETURN why IS NULL AND ms <= slow;
END $$;

-- ---- who signed in, and with what
-- An act on an account stands in the audit log of each workspace it belongs to.
CREATE FUNCTION gnomon.audit_account(who uuid, of_action text, of_details jsonb DEFAULT '{}') RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE here text := current_setting('gnomon.workspace', true); acting text := current_setting('gnomon.actor', true); place uuid; ignored text;
BEGIN
  ignored := set_config('gnomon.actor', who::text, true);
  FOR place IN SELECT m.workspace_id FROM public.workspace_members m WHERE m.user_id = who AND m.removed_at IS NULL ORDER BY m.workspace_id LOOP
    ignored := set_config('gnomon.workspace', place::text, true);
    PERFORM gnomon.audit(of_action, 'user', who, of_details);
  END LOOP;
  ignored := set_config('gnomon.workspace', coalesce(here, ''), true);
  ignored := set_config('gnomon.actor', coalesce(acting, ''), true);
END $$;

-- proof: the hash that a password was just compared with. Where it is another by now,
-- who knew the old password comes too late: no row, and NULL.
DROP FUNCTION gnomon.open_session(uuid, text, bytea, text, interval, text);
CREATE FUNCTION gnomon.open_session(who uuid, as_kind text, cookie bytea, agent text, lifetime interval, network text DEFAULT '',
                                    proof text DEFAULT NULL)
RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE made uuid;
BEGIN
  INSERT INTO public.sessions (user_id, kind, token_hash, user_agent, expires_at, last_address, last_used_at)
  SELECT u.id, as_kind, cookie, left(agent, 300), now() + lifetime, left(network, 64), now()
    FROM public.users u WHERE u.id = who AND u.deleted_at IS NULL AND (proof IS NULL OR u.password_hash = proof)
     FOR SHARE
  RETURNING id INTO made;
  IF made IS NOT NULL THEN
    PERFORM gnomon.audit_account(who, 'account.signed_in', jsonb_build_object('kind', as_kind, 'device', gnomon.device(agent)));
  END IF;
  RETURN made;
END $$;

GRANT EXECUTE ON FUNCTION gnomon.open_session TO gnomon_web;

-- As before; a command of an operator is no sign-in.
CREATE OR REPLACE FUNCTION gnomon.operator_session(workspace_slug text, address text) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE who uuid; made uuid;
BEGIN
  SELECT m.user_id INTO who
    FROM public.workspaces w
    JOIN public.workspace_members m ON m.workspace_id = w.id AND m.removed_at IS NULL
    JOIN public.users u ON u.id = m.user_id
   WHERE w.slug = workspace_slug AND CASE WHEN address = '' THEN m.role = 'owner' ELSE lower(u.email) = lower(address) END
   ORDER BY m.joined_at, m.user_id LIMIT 1;
  IF who IS NULL THEN PERFORM gnomon.refuse('not_found', 'no such workspace or member'); END IF;
  INSERT INTO public.sessions (user_id, kind, user_agent, expires_at, last_used_at)
  VALUES (who, 'api', 'gnomonctl', now() + interval '1 hour', now()) RETURNING id INTO made;
  RETURN made;
END $$;

CREATE OR REPLACE FUNCTION gnomon.end_session(session uuid, is_key boolean) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE ended public.sessions;
BEGIN
  UPDATE public.sessions s SET revoked_at = now()
   WHERE s.id = session AND s.user_id = gnomon.actor() AND (s.kind = 'key') = is_key AND s.revoked_at IS NULL RETURNING * INTO ended;
  IF is_key AND ended.id IS NOT NULL THEN
    PERFORM gnomon.audit_account(gnomon.actor(), 'key.deleted', jsonb_build_object('key', ended.name));
  END IF;
  RETURN ended.id IS NOT NULL;
END $$;

CREATE OR REPLACE FUNCTION gnomon.make_key(hash bytea, named text, with_scope text, days integer)
RETURNS TABLE (id uuid, name text, scope text, created_at timestamptz, last_used_at timestamptz, expires_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
  IF (SELECT count(*) FROM public.sessions s
       WHERE s.user_id = gnomon.actor() AND s.kind = 'key' AND s.revoked_at IS NULL AND s.expires_at > now()) >= 100 THEN
    PERFORM gnomon.refuse('validation_failed', 'You have 100 keys. Delete one first.');
  END IF;
  PERFORM gnomon.audit_account(gnomon.actor(), 'key.created', jsonb_build_object('key', named, 'scope', with_scope));
  RETURN QUERY
    INSERT INTO public.sessions AS s (user_id, kind, token_hash, name, scope, expires_at)
    VALUES (gnomon.actor(), 'key', hash, named, with_scope, coalesce(now() + days * interval '1 day', 'infinity'))
    RETURNING s.id, s.name, s.scope, s.created_at, s.last_used_at, nullif(s.expires_at, 'infinity');
END $$;

CREATE OR REPLACE FUNCTION gnomon.change_password(new_hash text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  UPDATE public.users SET password_hash = new_hash, updated_at = gnomon.now() WHERE id = gnomon.actor();
  SELECT gnomon.end_access(gnomon.actor(), gnomon.session(), false);
  SELECT gnomon.audit_account(gnomon.actor(), 'account.password_changed')
$$;

CREATE OR REPLACE FUNCTION gnomon.confirm_second_factor(step bigint, codes bytea[]) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE public.second_factors f SET confirmed_at = now(), last_step = step
   WHERE f.user_id = gnomon.actor() AND f.confirmed_at IS NULL AND f.last_step < step;
  IF NOT FOUND THEN RETURN false; END IF;
  DELETE FROM public.recovery_codes r WHERE r.user_id = gnomon.actor();
  INSERT INTO public.recovery_codes (user_id, code_hash) SELECT gnomon.actor(), c FROM unnest(codes) c;
  PERFORM gnomon.audit_account(gnomon.actor(), 'account.second_factor_on');
  RETURN true;
END $$;

CREATE OR REPLACE FUNCTION gnomon.new_recovery_codes(codes bytea[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  DELETE FROM public.recovery_codes r WHERE r.user_id = gnomon.actor();
  INSERT INTO public.recovery_codes (user_id, code_hash) SELECT gnomon.actor(), c FROM unnest(codes) c;
  SELECT gnomon.audit_account(gnomon.actor(), 'account.recovery_codes_made')
$$;

CREATE OR REPLACE FUNCTION gnomon.end_second_factor() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  DELETE FROM public.second_factors f WHERE f.user_id = gnomon.actor();
  DELETE FROM public.recovery_codes r WHERE r.user_id = gnomon.actor();
  SELECT gnomon.audit_account(gnomon.actor(), 'account.second_factor_off')
$$;

CREATE OR REPLACE FUNCTION gnomon.audit_says(action text, entity_type text, subject text, details jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE action
    WHEN 'account.signed_in' THEN 'signed in with ' || (details ->> 'device')
    WHEN 'account.password_changed' THEN 'changed their password'
    WHEN 'account.password_reset' THEN 'set a new password by a link in a mail'
    WHEN 'account.second_factor_on' THEN 'turned two-step sign-in on'
    WHEN 'account.second_factor_off' THEN 'turned two-step sign-in off'
    WHEN 'account.recovery_codes_made' THEN 'made new recovery codes'
    WHEN 'account.deleted' THEN 'deleted their account'
    WHEN 'key.created' THEN format('made the API key %s, which may %s', details ->> 'key', CASE details ->> 'scope' WHEN 'admin' THEN 'do everything they may' ELSE details ->> 'scope' END)
    WHEN 'key.deleted' THEN 'deleted the API key ' || (details ->> 'key')
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
