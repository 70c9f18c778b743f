-- Accounts: refresh tokens, API keys, confirmed addresses, second factors, other
-- people's sign-ins, and how long somebody waits who guesses. All of it belongs to
-- a user, and no running role reads a row: the functions below are the only way.

ALTER TABLE users
  ADD email_verified_at timestamptz DEFAULT gnomon.now(),   -- NULL: nobody has shown that the address is theirs
  ADD deleted_at timestamptz;
GRANT SELECT (deleted_at) ON users TO gnomon_web, gnomon_worker;

-- Tokens of mails, and of sign-ins that are half done.
-- What a link carries is the row's id, sealed with the master key: the
-- database alone cannot make one.
CREATE TABLE account_tokens (
  id         uuid PRIMARY KEY DEFAULT gnomon.uuid7(),
  user_id    uuid NOT NULL REFERENCES users ON DELETE CASCADE,
  purpose    text COLLATE "C" NOT NULL CHECK (purpose IN ('verify', 'reset', 'second')),
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  used_at    timestamptz
);
CREATE INDEX account_tokens_user ON account_tokens (user_id, purpose, created_at);
CREATE INDEX account_tokens_age ON account_tokens (expires_at);

-- The second factor: a code from an app that shares a secret with us.
CREATE TABLE second_factors (
  user_id      uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
  secret       text COLLATE "C" NOT NULL,   -- encrypted by the master key
  created_at   timestamptz NOT NULL DEFAULT now(),
  confirmed_at timestamptz,                 -- NULL: not asked for yet
  last_step    bigint NOT NULL DEFAULT 0    -- codes of this time step and before are used
);
CREATE TABLE recovery_codes (
  user_id   uuid NOT NULL REFERENCES users ON DELETE CASCADE,
  code_hash bytea NOT NULL CHECK (length(code_hash) = 32),
  used_at   timestamptz,
  PRIMARY KEY (user_id, code_hash)
);

-- Who somebody is elsewhere (OAuth 2.0, OpenID Connect).
CREATE TABLE identities (
  provider   text COLLATE "C" NOT NULL CHECK (provider IN ('google', 'github', 'oidc')),
  issuer     text COLLATE "C" NOT NULL,
  subject    text COLLATE "C" NOT NULL CHECK (length(subject) BETWEEN 1 AND 255),
  user_id    uuid NOT NULL REFERENCES users ON DELETE CASCADE,
  email      text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (issuer, subject)
);
CREATE INDEX identities_user ON identities (user_id);

-- A key that may only read writes nothing, not even what any user may; and the
-- account itself is for keys that may do everything.
CREATE FUNCTION gnomon.key_may(credential bytea, needed text) RETURNS void
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM public.sessions s
                  WHERE s.token_hash = credential
                    AND array_position('{read,write,admin}'::text[], s.scope) >= array_position('{read,write,admin}'::text[], needed)) THEN
    PERFORM gnomon.refuse('forbidden', 'the key''s scope is too small');
  END IF;
END $$;

-- ---- who guesses waits
-- A row per account and per network that failed. The name is hashed, for it may
-- be that of nobody, or a password typed into the wrong field.
CREATE TABLE sign_in_failures (
  who      bytea PRIMARY KEY CHECK (length(who) = 32),
  failures integer NOT NULL,
  last_at  timestamptz NOT NULL,
  free_at  timestamptz NOT NULL       -- nothing is tried before
);
CREATE INDEX sign_in_failures_age ON sign_in_failures (last_at);

CREATE FUNCTION gnomon.failure_key(what text, whose text) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT sha256(convert_to(what || ':' || lower(whose), 'UTF8')) $$;

-- Counts a try before it is made, so that many at once are many, and says how
-- many seconds must pass first; 0: go on. The first `free` failures of an hour cost
-- nothing, then 1 s, 2 s, 4 s, … up to 15 minutes. free < 0: never.
CREATE FUNCTION gnomon.count_try(what text, whose text, free integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE key bytea := gnomon.failure_key(what, whose); now_ timestamptz := clock_timestamp(); wait integer;
BEGIN
  IF free < 0 THEN RETURN 0; END IF;
  INSERT INTO public.sign_in_failures AS f (who, failures, last_at, free_at) VALUES (key, 1, now_, now_)
  ON CONFLICT (who) DO UPDATE
     SET failures = CASE WHEN f.last_at < now_ - interval '1 hour' THEN 1 ELSE f.failures + 1 END, last_at = now_,
         free_at = now_ + CASE WHEN f.last_at >= now_ - interval '1 hour' AND f.failures >= free
                          THEN least(power(2, least(f.failures - free, 20)), 900) * interval '1 second' ELSE interval '0' END
   WHERE f.free_at <= now_;
  IF FOUND THEN RETURN 0; END IF;
  SELECT greatest(ceil(extract(epoch FROM f.free_at - now_)), 1)::integer INTO wait FROM public.sign_in_failures f WHERE f.who = key;
  RETURN coalesce(wait, 1);
END $$;

-- The try was good: the account's count goes, the network's loses one.
CREATE FUNCTION gnomon.forget_tries(what text, whose text, network text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  DELETE FROM public.sign_in_failures WHERE who = gnomon.failure_key(what, whose);
  UPDATE public.sign_in_failures SET failures = greatest(failures - 1, 0), free_at = last_at
   WHERE who = gnomon.failure_key('network', network)
$$;

DROP FUNCTION gnomon.password_of(text);
-- What sign-in compares a password with: one row always, all NULL for an unknown
-- address. wait: seconds until the next try may be made, by account or network.
CREATE FUNCTION gnomon.begin_sign_in(address text, network text, free integer, network_free integer)
RETURNS TABLE (wait integer, id uuid, password_hash text, is_verified boolean, has_second_factor boolean, theme text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
    WITH tried AS MATERIALIZED (
      SELECT greatest(gnomon.count_try('account', address, free), gnomon.count_try('network', network, network_free)) AS wait)
    SELECT t.wait, u.id, u.password_hash, u.email_verified_at IS NOT NULL,
           EXISTS (SELECT FROM public.second_factors f WHERE f.user_id = u.id AND f.confirmed_at IS NOT NULL),
           u.preferences ->> 'theme'
      FROM tried t LEFT JOIN public.users u ON lower(u.email) = lower(address) AND u.password_hash IS NOT NULL;
END $$;

-- A hash of an older kind is replaced by one of the same password.
CREATE FUNCTION gnomon.renew_hash(who uuid, old_hash text, new_hash text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  UPDATE public.users SET password_hash = new_hash WHERE id = who AND password_hash = old_hash
$$;

-- ---- sessions and what renews them
DROP FUNCTION gnomon.open_session(uuid, text, bytea, text, interval);
CREATE FUNCTION gnomon.open_session(who uuid, as_kind text, cookie bytea, agent text, lifetime interval, network text DEFAULT '')
RETURNS uuid LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO public.sessions (user_id, kind, token_hash, user_agent, expires_at, last_address, last_used_at)
  SELECT u.id, as_kind, cookie, left(agent, 300), now() + lifetime, left(network, 64), now()
    FROM public.users u WHERE u.id = who AND u.deleted_at IS NULL
  RETURNING id
$$;

-- A session of a program is a family of refresh tokens: each is used once and
-- replaced. One that comes back was copied, and ends the family.
CREATE TABLE refresh_tokens (
  token_hash bytea PRIMARY KEY CHECK (length(token_hash) = 32),
  session_id uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
  created_at timestamptz NOT NULL DEFAULT now(),
  used_at    timestamptz
);
CREATE INDEX refresh_tokens_session ON refresh_tokens (session_id);

CREATE FUNCTION gnomon.add_refresh(session uuid, hash bytea) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO public.refresh_tokens (token_hash, session_id) VALUES (hash, session)
$$;

-- outcome: renewed, unknown (never given, or its session is over), reused.
CREATE FUNCTION gnomon.rotate_refresh(given bytea, next bytea, lifetime interval, network text)
RETURNS TABLE (outcome text, session_id uuid, user_id uuid)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE t public.refresh_tokens; s public.sessions;
BEGIN
  SELECT * INTO t FROM public.refresh_tokens r WHERE r.token_hash = given FOR UPDATE;
  SELECT * INTO s FROM public.sessions x WHERE x.id = t.session_id FOR NO KEY UPDATE;
  IF s.id IS NULL OR s.revoked_at IS NOT NULL OR s.expires_at <= now() THEN
    RETURN QUERY SELECT 'unknown', NULL::uuid, NULL::uuid;
  ELSIF t.used_at IS NOT NULL THEN
    UPDATE public.sessions x SET revoked_at = now() WHERE x.id = s.id;
    RETURN QUERY SELECT 'reused', s.id, s.user_id;
  ELSE
    UPDATE public.refresh_tokens r SET used_at = now() WHERE r.token_hash = given;
    INSERT INTO public.refresh_tokens (token_hash, session_id) VALUES (next, s.id);
    UPDATE public.sessions x SET expires_at = now() + lifetime, last_used_at = now(), last_address = left(network, 64) WHERE x.id = s.id;
    RETURN QUERY SELECT 'renewed', s.id, s.user_id;
  END IF;
END $$;

-- What a user agent calls itself, as people would: 'Firefox on Linux'.
CREATE FUNCTION gnomon.device(agent text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE
    WHEN agent = '' THEN 'Unknown program'
    WHEN agent !~ '^Mozilla/' THEN left(regexp_replace(agent, '[/ (].*$', ''), 60)
    ELSE concat(
      CASE WHEN agent ~ 'Edg' THEN 'Edge' WHEN agent ~ 'OPR/' THEN 'Opera' WHEN agent ~ 'Firefox/|FxiOS' THEN 'Firefox'
           WHEN agent ~ 'Chrome/|CriOS' THEN 'Chrome' WHEN agent ~ 'Safari/' THEN 'Safari' ELSE 'Browser' END,
      CASE WHEN agent ~ 'iPhone' THEN ' on iPhone' WHEN agent ~ 'iPad' THEN ' on iPad' WHEN agent ~ 'Android' THEN ' on Android'
           WHEN agent ~ 'Windows' THEN ' on Windows' WHEN agent ~ 'Mac OS X' THEN ' on macOS' WHEN agent ~ 'CrOS' THEN ' on ChromeOS'
           WHEN agent ~ 'Linux|X11' THEN ' on Linux' ELSE '' END)
  END
$$;

-- The newest 200 sessions of the user who entered that are not over.
CREATE FUNCTION gnomon.my_sessions()
RETURNS TABLE (id uuid, kind text, device text, address text, is_current boolean,
               created_at timestamptz, last_seen_at timestamptz, expires_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT s.id, s.kind, gnomon.device(s.user_agent), s.last_address, s.id = gnomon.session(),
         s.created_at, coalesce(s.last_used_at, s.created_at), s.expires_at
    FROM public.sessions s
   WHERE s.user_id = gnomon.actor() AND s.kind <> 'key' AND s.revoked_at IS NULL AND s.expires_at > now()
   ORDER BY s.id = gnomon.session() DESC, coalesce(s.last_used_at, s.created_at) DESC, s.id DESC
   LIMIT 200
$$;

-- Ends a session, or an API key, of the user who entered; false: there is none.
CREATE FUNCTION gnomon.end_session(session uuid, is_key boolean) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  WITH ended AS (
    UPDATE public.sessions SET revoked_at = now()
     WHERE id = session AND user_id = gnomon.actor() AND (kind = 'key') = is_key AND revoked_at IS NULL RETURNING 1)
  SELECT EXISTS (SELECT FROM ended)
$$;

-- Signs the user who entered out everywhere else. Keys are no sessions: they stay.
CREATE FUNCTION gnomon.end_other_sessions() RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  WITH ended AS (
    UPDATE public.sessions SET revoked_at = now()
     WHERE user_id = gnomon.actor() AND id <> gnomon.session() AND kind <> 'key' AND revoked_at IS NULL RETURNING 1)
  SELECT count(*) FROM ended
$$;

-- ---- API keys
CREATE FUNCTION gnomon.my_keys()
RETURNS TABLE (id uuid, name text, scope text, created_at timestamptz, last_used_at timestamptz, expires_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT s.id, s.name, s.scope, s.created_at, s.last_used_at, nullif(s.expires_at, 'infinity')
    FROM public.sessions s
   WHERE s.user_id = gnomon.actor() AND s.kind = 'key' AND s.revoked_at IS NULL AND s.expires_at > now()
   ORDER BY s.id DESC LIMIT 200
$$;

CREATE FUNCTION gnomon.make_key(hash bytea, named text, with_scope text, days integer)
RETURNS TABLE (id uuid, name text, scope text, created_at timestamptz, last_used_at timestamptz, expires_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
  IF (SELECT count(*) FROM public.sessions s
       WHERE s.user_id = gnomon.actor() AND s.kind = 'key' AND s.revoked_at IS NULL AND s.expires_at > now()) >= 100 THEN
    PERFORM gnomon.refuse('validation_failed', 'You have 100 keys. Delete one first.');
  END IF;
  RETURN QUERY
    INSERT INTO public.sessions AS s (user_id, kind, token_hash, name, scope, expires_at)
    VALUES (gnomon.actor(), 'key', hash, named, with_scope, coalesce(now() + days * interval '1 day', 'infinity'))
    RETURNING s.id, s.name, s.scope, s.created_at, s.last_used_at, nullif(s.expires_at, 'infinity');
END $$;

-- ---- the profile
DROP FUNCTION gnomon.me();
CREATE FUNCTION gnomon.me()
RETURNS TABLE (id uuid, email text, is_verified boolean, name text, avatar text, preferences jsonb, has_password boolean,
               has_second_factor boolean, created_at timestamptz, updated_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT u.id, u.email, u.email_verified_at IS NOT NULL, u.name, u.avatar, u.preferences, u.password_hash IS NOT NULL,
         EXISTS (SELECT FROM public.second_factors f WHERE f.user_id = u.id AND f.confirmed_at IS NOT NULL),
         u.created_at, u.updated_at
    FROM public.users u WHERE u.id = gnomon.actor()
$$;

-- Sparse: what is not named stays; a preference that is null goes.
CREATE FUNCTION gnomon.update_me(body jsonb)
RETURNS TABLE (id uuid, email text, is_verified boolean, name text, avatar text, preferences jsonb, has_password boolean,
               has_second_factor boolean, created_at timestamptz, updated_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE was public.users; new public.users;
BEGIN
  SELECT * INTO was FROM public.users u WHERE u.id = gnomon.actor() FOR NO KEY UPDATE;
  new := jsonb_populate_record(was, body - 'preferences');
  new.preferences := jsonb_strip_nulls(was.preferences || coalesce(body -> 'preferences', '{}'));
  UPDATE public.users u
     SET name = new.name, avatar = new.avatar, preferences = new.preferences, updated_at = gnomon.now()
   WHERE u.id = was.id AND (u.name, u.avatar, u.preferences) IS DISTINCT FROM (new.name, new.avatar, new.preferences);
  RETURN QUERY SELECT m.* FROM gnomon.me() m;
END $$;

-- What a change of the account is proved by: the password, where there is one (with
-- the wait of who guesses), else a sign-in not longer ago than ten minutes.
CREATE FUNCTION gnomon.my_proof(free integer)
RETURNS TABLE (wait integer, id uuid, email text, name text, password_hash text, is_fresh boolean)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT gnomon.count_try('account', u.email, free), u.id, u.email, u.name, u.password_hash,
         EXISTS (SELECT FROM public.sessions s WHERE s.id = gnomon.session() AND s.created_at > now() - interval '10 minutes')
    FROM public.users u WHERE u.id = gnomon.actor()
$$;

-- Ends every session and key of a user, but the one named; what mails and
-- half-finished sign-ins had in hand is worth nothing any more.
CREATE FUNCTION gnomon.end_access(who uuid, but uuid, keys_too boolean) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  UPDATE public.sessions SET revoked_at = now()
   WHERE user_id = who AND id IS DISTINCT FROM but AND (keys_too OR kind <> 'key') AND revoked_at IS NULL;
  UPDATE public.account_tokens SET used_at = now() WHERE user_id = who AND used_at IS NULL AND purpose <> 'verify'
$$;

CREATE FUNCTION gnomon.change_password(new_hash text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  UPDATE public.users SET password_hash = new_hash, updated_at = gnomon.now() WHERE id = gnomon.actor();
  SELECT gnomon.end_access(gnomon.actor(), gnomon.session(), false)
$$;

-- The account goes, its history stays, by nobody in particular. One row per
-- workspace that would lose its last owner while others work in it: then
-- nothing is done. Where nobody else is, the workspace is closed for good. The name
-- goes first, so that what the audit log says of it has none.
CREATE FUNCTION gnomon.delete_me() RETURNS TABLE (slug text, name text)
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
  DELETE FROM public.second_factors f WHERE f.user_id = person;
  DELETE FROM public.recovery_codes r WHERE r.user_id = person;
  DELETE FROM public.identities i WHERE i.user_id = person;
  DELETE FROM public.account_tokens t WHERE t.user_id = person;
  UPDATE public.sessions s SET user_agent = '', last_address = '', name = '' WHERE s.user_id = person;
END $$;

-- ---- links in mails
-- Sends a link; at most one of a kind a minute goes to an address.
CREATE FUNCTION gnomon.mail_link(who uuid, for_what text, page text, lifetime interval) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE token uuid; person public.users;
BEGIN
  SELECT * INTO person FROM public.users u WHERE u.id = who AND u.email IS NOT NULL FOR NO KEY UPDATE;
  IF person.id IS NULL OR EXISTS (SELECT FROM public.account_tokens t WHERE t.user_id = who AND t.purpose = for_what
                                     AND t.created_at > now() - interval '1 minute') THEN
    RETURN;
  END IF;
  INSERT INTO public.account_tokens (user_id, purpose, expires_at) VALUES (who, for_what, now() + lifetime) RETURNING id INTO token;
  PERFORM gnomon.queue_mail(who, person.email, for_what, jsonb_build_object(
    'name', person.name, 'link', jsonb_build_object('path', page, 'seal', for_what || ':' || token)));
END $$;

DROP FUNCTION gnomon.register(text, text, text);
-- Sign-up: the account and a workspace of its own. The slug is made from the
-- name; a taken one gets a short suffix. asks: a mail is sent to confirm the
-- address.
CREATE FUNCTION gnomon.register(new_email text, new_name text, new_hash text, verified boolean DEFAULT true, asks boolean DEFAULT false)
RETURNS TABLE (id uuid, workspace_slug text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE who uuid; ws uuid; base text; want text;
BEGIN
  INSERT INTO public.users (email, name, password_hash, email_verified_at)
  VALUES (lower(new_email), new_name, new_hash, CASE WHEN verified THEN gnomon.now() END)
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
  IF asks THEN PERFORM gnomon.mail_link(who, 'verify', '/verify', interval '3 days'); END IF;
  RETURN QUERY SELECT who, want;
EXCEPTION WHEN unique_violation THEN
  PERFORM gnomon.refuse('conflict', 'e-mail address in use');
END $$;

-- A mail to confirm an address that is not yet, or to choose a new password.
CREATE FUNCTION gnomon.ask_again(address text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT gnomon.mail_link(u.id, 'verify', '/verify', interval '3 days')
    FROM public.users u WHERE lower(u.email) = lower(address) AND u.email_verified_at IS NULL
$$;
CREATE FUNCTION gnomon.forgot_password(address text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT gnomon.mail_link(u.id, 'reset', '/reset', interval '1 hour')
    FROM public.users u WHERE lower(u.email) = lower(address)
$$;

-- The link of the mail came back: the address is theirs. A second click is as
-- good as the first. No row: expired, or never sent.
CREATE FUNCTION gnomon.verify_address(token uuid) RETURNS TABLE (email text)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  WITH used AS (
    UPDATE public.account_tokens t SET used_at = coalesce(t.used_at, now())
     WHERE t.id = token AND t.purpose = 'verify' AND t.expires_at > now() RETURNING t.user_id)
  UPDATE public.users u SET email_verified_at = coalesce(u.email_verified_at, gnomon.now())
    FROM used WHERE u.id = used.user_id AND u.email IS NOT NULL RETURNING u.email
$$;

-- Whose password a link may set; no row: used, expired, or never sent.
CREATE FUNCTION gnomon.reset_of(token uuid) RETURNS TABLE (id uuid, email text, name text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT u.id, u.email, u.name FROM public.account_tokens t JOIN public.users u ON u.id = t.user_id
   WHERE t.id = token AND t.purpose = 'reset' AND t.used_at IS NULL AND t.expires_at > now() AND u.email IS NOT NULL
$$;

-- Uses the link: the password is new, every session and key ends, and who reads
-- the mail has shown that the address is theirs.
CREATE FUNCTION gnomon.reset_password(token uuid, new_hash text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE person uuid;
BEGIN
  UPDATE public.account_tokens t SET used_at = now()
   WHERE t.id = token AND t.purpose = 'reset' AND t.used_at IS NULL AND t.expires_at > now() RETURNING t.user_id INTO person;
  IF person IS NULL THEN RETURN false; END IF;
  UPDATE public.users u SET password_hash = new_hash, email_verified_at = coalesce(u.email_verified_at, gnomon.now()), updated_at = gnomon.now()
   WHERE u.id = person;
  PERFORM gnomon.end_access(person, NULL, true);
  DELETE FROM public.sign_in_failures f
   WHERE f.who = (SELECT gnomon.failure_key('account', u.email) FROM public.users u WHERE u.id = person);
  RETURN true;
END $$;

-- ---- the second factor

-- A row, where the user who entered has one or begins to; counts a try, unless free
-- is below 0.
CREATE FUNCTION gnomon.my_second_factor(free integer)
RETURNS TABLE (wait integer, user_id uuid, secret text, confirmed_at timestamptz, last_step bigint, codes_left bigint)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT gnomon.count_try('second', f.user_id::text, free), f.user_id, f.secret, f.confirmed_at, f.last_step,
         (SELECT count(*) FROM public.recovery_codes r WHERE r.user_id = f.user_id AND r.used_at IS NULL)
    FROM public.second_factors f WHERE f.user_id = gnomon.actor()
$$;

-- Begins anew, unless one is in force; gives the secret that is to be confirmed.
CREATE FUNCTION gnomon.begin_second_factor(new_secret text) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  WITH made AS (
    INSERT INTO public.second_factors AS f (user_id, secret) VALUES (gnomon.actor(), new_secret)
    ON CONFLICT (user_id) DO UPDATE SET secret = excluded.secret, created_at = now(), last_step = 0
     WHERE f.confirmed_at IS NULL RETURNING 1)
  SELECT EXISTS (SELECT FROM made)
$$;

CREATE FUNCTION gnomon.confirm_second_factor(step bigint, codes bytea[]) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE public.second_factors f SET confirmed_at = now(), last_step = step
   WHERE f.user_id = gnomon.actor() AND f.confirmed_at IS NULL AND f.last_step < step;
  IF NOT FOUND THEN RETURN false; END IF;
  PERFORM gnomon.new_recovery_codes(codes);
  RETURN true;
END $$;

CREATE FUNCTION gnomon.new_recovery_codes(codes bytea[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  DELETE FROM public.recovery_codes r WHERE r.user_id = gnomon.actor();
  INSERT INTO public.recovery_codes (user_id, code_hash) SELECT gnomon.actor(), c FROM unnest(codes) c
$$;

CREATE FUNCTION gnomon.end_second_factor() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  DELETE FROM public.second_factors f WHERE f.user_id = gnomon.actor();
  DELETE FROM public.recovery_codes r WHERE r.user_id = gnomon.actor()
$$;

-- The password was right, or another service said who it is: the rest of the
-- sign-in is to follow within ten minutes.
CREATE FUNCTION gnomon.ask_second_factor(who uuid) RETURNS uuid
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO public.account_tokens (user_id, purpose, expires_at) VALUES (who, 'second', now() + interval '10 minutes') RETURNING id
$$;

-- Whose second step a ticket is; counts the try. No row: used or expired.
CREATE FUNCTION gnomon.second_factor_of(ticket uuid, network text, free integer, network_free integer)
RETURNS TABLE (wait integer, id uuid, secret text, last_step bigint, theme text)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT greatest(gnomon.count_try('second', u.id::text, free), gnomon.count_try('network', network, network_free)),
         u.id, f.secret, f.last_step, u.preferences ->> 'theme'
    FROM public.account_tokens t
    JOIN public.users u ON u.id = t.user_id
    JOIN public.second_factors f ON f.user_id = u.id AND f.confirmed_at IS NOT NULL
   WHERE t.id = ticket AND t.purpose = 'second' AND t.used_at IS NULL AND t.expires_at > now()
$$;

-- Uses up a code, of this time step or one for recovery, and its ticket; false:
-- it was used before. Ticket NULL: of the user who entered.
CREATE FUNCTION gnomon.use_code(ticket uuid, who uuid, step bigint, code bytea) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF step IS NOT NULL THEN
    UPDATE public.second_factors f SET last_step = step WHERE f.user_id = who AND f.last_step < step;
  ELSE
    UPDATE public.recovery_codes r SET used_at = now() WHERE r.user_id = who AND r.code_hash = code AND r.used_at IS NULL;
  END IF;
  IF NOT FOUND THEN RETURN false; END IF;
  IF ticket IS NOT NULL THEN
    UPDATE public.account_tokens t SET used_at = now() WHERE t.id = ticket AND t.user_id = who AND t.used_at IS NULL;
    RETURN FOUND;
  END IF;
  RETURN true;
END $$;

-- ---- signing in with another service (OAuth 2.0, OpenID Connect)

-- Where an issuer says its addresses are; read by the worker, once a day.
CREATE TABLE oauth_issuers (
  issuer        text COLLATE "C" PRIMARY KEY,
  authorize_url text NOT NULL,
  token_url     text NOT NULL,
  read_at       timestamptz NOT NULL DEFAULT now()
);

-- One attempt to sign in. It belongs to the browser that began it, takes one
-- code, and gives one session. It knows no workspace, so it is no job: workers
-- claim it here, and once, for a code is exchanged once.
CREATE TABLE oauth_flows (
  id           uuid PRIMARY KEY DEFAULT gnomon.uuid7(),
  provider     text COLLATE "C" NOT NULL,
  issuer       text COLLATE "C" NOT NULL,
  browser      bytea NOT NULL CHECK (length(browser) = 32),
  nonce        text COLLATE "C" NOT NULL,
  verifier     text COLLATE "C" NOT NULL,   -- of PKCE; encrypted, as is the code
  redirect_uri text NOT NULL,
  token_url    text NOT NULL,
  next         text NOT NULL,
  state        text COLLATE "C" NOT NULL DEFAULT 'begun' CHECK (state IN ('begun', 'received', 'running', 'known', 'failed', 'over')),
  code         text,
  user_id      uuid REFERENCES users ON DELETE CASCADE,
  failure      text COLLATE "C",
  created_at   timestamptz NOT NULL DEFAULT now(),
  expires_at   timestamptz NOT NULL DEFAULT now() + interval '10 minutes'
);
CREATE INDEX oauth_flows_received ON oauth_flows (created_at) WHERE state = 'received';
CREATE INDEX oauth_flows_age ON oauth_flows (expires_at);

CREATE FUNCTION gnomon.begin_oauth(with_provider text, of_issuer text, of_browser bytea, with_nonce text, with_verifier text,
                                   back_to text, token_at text, then_to text) RETURNS uuid
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO public.oauth_flows (provider, issuer, browser, nonce, verifier, redirect_uri, token_url, next)
  VALUES (with_provider, of_issuer, of_browser, with_nonce, with_verifier, back_to, token_at, then_to) RETURNING id
$$;

-- The browser is back with a code (NULL: with a refusal). False: not this
-- browser's, not begun here, or a code came before.
CREATE FUNCTION gnomon.receive_oauth(flow uuid, with_provider text, of_browser bytea, with_code text) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  WITH taken AS (
    UPDATE public.oauth_flows f
       SET state = CASE WHEN with_code IS NULL THEN 'failed' ELSE 'received' END, code = with_code,
           failure = CASE WHEN with_code IS NULL THEN 'refused' END
     WHERE f.id = flow AND f.provider = with_provider AND f.browser = of_browser AND f.state = 'begun' AND f.expires_at > now()
    RETURNING 1)
  SELECT EXISTS (SELECT FROM taken)
$$;

CREATE FUNCTION gnomon.claim_oauth()
RETURNS TABLE (id uuid, provider text, issuer text, nonce text, verifier text, redirect_uri text, token_url text, code text)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  UPDATE public.oauth_flows f SET state = 'running'
   WHERE f.id = (SELECT d.id FROM public.oauth_flows d WHERE d.state = 'received' AND d.expires_at > now()
                  ORDER BY d.created_at FOR UPDATE SKIP LOCKED LIMIT 1)
  RETURNING f.id, f.provider, f.issuer, f.nonce, f.verifier, f.redirect_uri, f.token_url, f.code
$$;

CREATE FUNCTION gnomon.fail_oauth(flow uuid, why text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  UPDATE public.oauth_flows f SET state = 'failed', failure = why, code = NULL WHERE f.id = flow AND f.state = 'running'
$$;

-- Who it is: the one linked before; else, only by an address the service has
-- confirmed, the account with it, or a new one. Who made an account for an address
-- and never confirmed it does not keep a way in when its owner comes.
CREATE FUNCTION gnomon.finish_oauth(flow uuid, of_subject text, address text, is_confirmed boolean, called text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE f public.oauth_flows; who uuid; person public.users;
BEGIN
  SELECT * INTO f FROM public.oauth_flows x WHERE x.id = flow AND x.state = 'running' FOR UPDATE;
  IF f.id IS NULL THEN RETURN 'over'; END IF;
  SELECT i.user_id INTO who FROM public.identities i WHERE i.issuer = f.issuer AND i.subject = of_subject;
  IF who IS NULL THEN
    IF NOT coalesce(is_confirmed, false) OR coalesce(address, '') = '' THEN
      PERFORM gnomon.fail_oauth(flow, 'unverified');
      RETURN 'unverified';
    END IF;
    SELECT * INTO person FROM public.users u WHERE lower(u.email) = lower(address) FOR UPDATE;
    who := person.id;
    IF who IS NULL THEN
      SELECT r.id INTO who FROM gnomon.register(address, left(coalesce(nullif(btrim(called), ''), split_part(address, '@', 1)), 120), NULL) r;
    ELSIF person.email_verified_at IS NULL THEN
      UPDATE public.users u SET email_verified_at = gnomon.now(), password_hash = NULL WHERE u.id = who;
      PERFORM gnomon.end_access(who, NULL, true);
      DELETE FROM public.second_factors s WHERE s.user_id = who;
      DELETE FROM public.recovery_codes r WHERE r.user_id = who;
      DELETE FROM public.identities i WHERE i.user_id = who;
    END IF;
    INSERT INTO public.identities (provider, issuer, subject, user_id, email) VALUES (f.provider, f.issuer, of_subject, who, address)
    ON CONFLICT (issuer, subject) DO NOTHING;
  END IF;
  UPDATE public.oauth_flows x SET state = 'known', user_id = who, code = NULL WHERE x.id = flow;
  RETURN 'known';
END $$;

-- How an attempt stands, for the browser that began it; once it is known who it
-- is, the asking ends it.
CREATE FUNCTION gnomon.take_oauth(flow uuid, of_browser bytea)
RETURNS TABLE (state text, user_id uuid, next text, failure text, has_second_factor boolean, theme text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE f public.oauth_flows;
BEGIN
  SELECT * INTO f FROM public.oauth_flows x WHERE x.id = flow AND x.browser = of_browser AND x.expires_at > now() FOR UPDATE;
  IF f.state = 'known' THEN UPDATE public.oauth_flows x SET state = 'over' WHERE x.id = flow; END IF;
  RETURN QUERY
    SELECT f.state, f.user_id, f.next, f.failure,
           EXISTS (SELECT FROM public.second_factors s WHERE s.user_id = f.user_id AND s.confirmed_at IS NOT NULL),
           (SELECT u.preferences ->> 'theme' FROM public.users u WHERE u.id = f.user_id)
     WHERE f.id IS NOT NULL;
END $$;

CREATE FUNCTION gnomon.oauth_issuer(named text) RETURNS TABLE (authorize_url text, token_url text, is_fresh boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT i.authorize_url, i.token_url, i.read_at > now() - interval '1 day' FROM public.oauth_issuers i WHERE i.issuer = named
$$;
CREATE FUNCTION gnomon.remember_issuer(named text, authorize_at text, token_at text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO public.oauth_issuers (issuer, authorize_url, token_url) VALUES (named, authorize_at, token_at)
  ON CONFLICT (issuer) DO UPDATE SET authorize_url = excluded.authorize_url, token_url = excluded.token_url, read_at = now()
$$;

-- ---- what is over goes; at most 10,000 of each in one call
CREATE FUNCTION gnomon.forget_account_tokens() RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  WITH tokens AS (
    DELETE FROM public.account_tokens WHERE ctid = ANY (ARRAY(
      SELECT ctid FROM public.account_tokens WHERE expires_at < now() - interval '30 days' LIMIT 10000)) RETURNING 1),
  flows AS (
    DELETE FROM public.oauth_flows WHERE ctid = ANY (ARRAY(
      SELECT ctid FROM public.oauth_flows WHERE expires_at < now() - interval '1 day' LIMIT 10000)) RETURNING 1),
  failures AS (
    DELETE FROM public.sign_in_failures WHERE ctid = ANY (ARRAY(
      SELECT ctid FROM public.sign_in_failures WHERE last_at < now() - interval '1 day' LIMIT 10000)) RETURNING 1)
  SELECT (SELECT count(*) FROM tokens) + (SELECT count(*) FROM flows) + (SELECT count(*) FROM failures)
$$;

GRANT EXECUTE ON FUNCTION gnomon.session, gnomon.key_may, gnomon.begin_sign_in, gnomon.forget_tries, gnomon.renew_hash,
  gnomon.open_session, gnomon.add_refresh, gnomon.rotate_refresh, gnomon.device, gnomon.my_sessions, gnomon.end_session,
  gnomon.end_other_sessions, gnomon.my_keys, gnomon.make_key, gnomon.me, gnomon.update_me, gnomon.my_proof,
  gnomon.change_password, gnomon.delete_me, gnomon.register, gnomon.ask_again, gnomon.forgot_password, gnomon.verify_address,
  gnomon.reset_of, gnomon.reset_password, gnomon.my_second_factor, gnomon.begin_second_factor, gnomon.confirm_second_factor,
  gnomon.new_recovery_codes, gnomon.end_second_factor, gnomon.ask_second_factor, gnomon.second_factor_of, gnomon.use_code,
  gnomon.begin_oauth, gnomon.receive_oauth, gnomon.take_oauth, gnomon.oauth_issuer TO gnomon_web;
GRANT EXECUTE ON FUNCTION gnomon.claim_oauth, gnomon.fail_oauth, gnomon.finish_oauth, gnomon.oauth_issuer, gnomon.remember_issuer,
  gnomon.forget_account_tokens TO gnomon_worker;
