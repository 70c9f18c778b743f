-- What leaves the server: mail, webhooks, notifications.

-- ---- the queue: some kinds only, and failures that are for good
CREATE INDEX jobs_due_kind ON jobs (kind, run_at) WHERE state IN ('queued', 'running');

-- As claim_job of before, but of none of the kinds in `except`.
DROP FUNCTION gnomon.claim_job(text[], text, interval);
CREATE FUNCTION gnomon.claim_job(kinds text[], except_kinds text[], as_worker text, lease interval)
RETURNS TABLE (workspace_id uuid, id uuid, queue text, kind text, payload jsonb, fence bigint, attempts integer)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  UPDATE public.jobs j SET state = 'dead', error = coalesce(j.error, 'the worker was lost'), finished_at = now()
   WHERE (j.workspace_id, j.id) IN (
     SELECT d.workspace_id, d.id FROM public.jobs d
      WHERE d.state = 'running' AND d.lease_until < now() AND d.attempts >= d.max_attempts
        FOR UPDATE SKIP LOCKED);
  UPDATE public.jobs j
     SET state = 'running', fence = j.fence + 1, attempts = j.attempts + 1, worker = as_worker,
         lease_until = clock_timestamp() + lease
   WHERE (j.workspace_id, j.id) = (
     SELECT d.workspace_id, d.id FROM public.jobs d
      WHERE d.state IN ('queued', 'running') AND d.run_at <= now()
        AND (d.state = 'queued' OR d.lease_until < now() AND d.attempts < d.max_attempts)
        AND (kinds IS NULL OR d.kind = ANY (kinds))
        AND (except_kinds IS NULL OR d.kind <> ALL (except_kinds))
      ORDER BY d.run_at
        FOR UPDATE SKIP LOCKED LIMIT 1)
  RETURNING j.workspace_id, j.id, j.queue, j.kind, j.payload, j.fence, j.attempts
$$;

-- Any kind; for tests and operators.
CREATE FUNCTION gnomon.claim_job(kinds text[], as_worker text, lease interval)
RETURNS TABLE (workspace_id uuid, id uuid, queue text, kind text, payload jsonb, fence bigint, attempts integer)
LANGUAGE sql AS $$ SELECT * FROM gnomon.claim_job(kinds, NULL, as_worker, lease) $$;

-- Ends a claim whose failure would only repeat itself.
CREATE FUNCTION gnomon.bury_job(job uuid, with_fence bigint, failure text) RETURNS text
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  UPDATE public.jobs
     SET state = 'dead', finished_at = now(), error = left(failure, 2000), lease_until = NULL
   WHERE id = job AND fence = with_fence AND state = 'running'
  RETURNING state
$$;
GRANT EXECUTE ON FUNCTION gnomon.claim_job(text[], text[], text, interval), gnomon.claim_job(text[], text, interval),
  gnomon.bury_job TO gnomon_worker;

-- ---- mail
-- A mail server that is away for a night must not lose a mail: eight attempts
-- of 30 s · 4^n reach over a day and a half.
CREATE OR REPLACE FUNCTION gnomon.queue_mail(to_user uuid, to_address text, template text, data jsonb) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO public.jobs (workspace_id, queue, kind, payload, max_attempts)
  SELECT w.id, 'notifications', 'mail:send',
         jsonb_build_object('to', to_address, 'user', to_user, 'template', template, 'data', data), 8
    FROM (SELECT coalesce(gnomon.workspace(), (SELECT m.workspace_id FROM public.workspace_members m
                                                WHERE m.user_id = to_user ORDER BY m.joined_at, m.workspace_id LIMIT 1)) AS id) w
   WHERE w.id IS NOT NULL
$$;

CREATE FUNCTION gnomon.mail_address(of_user uuid) RETURNS TABLE (email text, name text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT u.email, u.name FROM public.users u WHERE u.id = of_user AND u.email IS NOT NULL
$$;
GRANT EXECUTE ON FUNCTION gnomon.mail_address TO gnomon_worker;

-- ---- webhooks: others hear of what happens, signed as Standard Webhooks has it
CREATE TABLE webhooks (
  workspace_id    uuid NOT NULL REFERENCES workspaces,
  id              uuid NOT NULL DEFAULT gnomon.uuid7(),
  url             text NOT NULL CHECK (length(url) BETWEEN 8 AND 2000 AND url ~ '^https?://'),
  description     text NOT NULL DEFAULT '' CHECK (length(description) <= 300),
  -- 'story.moved', 'story.*', '*'
  event_types     text[] NOT NULL CHECK (cardinality(event_types) BETWEEN 1 AND 50),
  active          boolean NOT NULL DEFAULT true,
  disabled_reason text CHECK (length(disabled_reason) <= 500),      -- why it was switched off by itself
  since           timestamptz NOT NULL DEFAULT gnomon.now(),        -- events before it are not delivered
  failures        integer NOT NULL DEFAULT 0,                       -- attempts in a row that failed
  last_success_at timestamptz,
  rests_until     timestamptz,                                      -- it was slow to fail: others go first
  created_by      uuid REFERENCES users,
  created_at      timestamptz NOT NULL DEFAULT gnomon.now(),
  updated_at      timestamptz NOT NULL DEFAULT gnomon.now(),
  removed_at      timestamptz,
  version         integer NOT NULL DEFAULT 1,
  PRIMARY KEY (workspace_id, id)
);

-- Encrypted with the server's master key; the database alone cannot sign. Only
-- functions reach it.
CREATE TABLE webhook_secrets (
  workspace_id uuid NOT NULL,
  webhook_id   uuid NOT NULL,
  secret       text COLLATE "C" NOT NULL,
  made_at      timestamptz NOT NULL DEFAULT pg_catalog.now(),
  -- the one before, which signs as well for a day
  former       text COLLATE "C",
  PRIMARY KEY (workspace_id, webhook_id),
  FOREIGN KEY (workspace_id, webhook_id) REFERENCES webhooks
);

-- A message for one webhook: made with the event, sent until it is taken.
CREATE TABLE webhook_deliveries (
  workspace_id uuid NOT NULL,
  id           uuid NOT NULL DEFAULT gnomon.uuid7(),    -- webhook-id: the same at every attempt
  webhook_id   uuid NOT NULL,
  event_type   text COLLATE "C" NOT NULL,
  rev          bigint NOT NULL DEFAULT 0,               -- first attempts go in this order
  payload      jsonb NOT NULL,
  state        text COLLATE "C" NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'failed')),
  attempts     integer NOT NULL DEFAULT 0,
  status_code  integer,                                 -- of the last attempt; NULL: no answer
  duration_ms  integer,
  error        text CHECK (length(error) <= 500),
  next_try     timestamptz DEFAULT now(),               -- NULL: no further one
  tried_at     timestamptz,
  created_at   timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (workspace_id, id),
  FOREIGN KEY (workspace_id, webhook_id) REFERENCES webhooks
);
CREATE INDEX webhook_deliveries_next ON webhook_deliveries (workspace_id, webhook_id, next_try, rev) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_list ON webhook_deliveries (workspace_id, webhook_id, id);
CREATE INDEX webhook_deliveries_age ON webhook_deliveries (created_at);
CREATE TRIGGER version BEFORE UPDATE OF url, description, event_types, active, removed_at ON webhooks
  FOR EACH ROW EXECUTE FUNCTION gnomon.next_version();
SELECT gnomon.wall('webhooks', 'webhook_secrets', 'webhook_deliveries');
GRANT SELECT, INSERT, UPDATE ON webhooks TO gnomon_web;
GRANT SELECT, INSERT ON webhook_deliveries TO gnomon_web;
GRANT UPDATE (state, attempts, next_try, status_code, duration_ms, error) ON webhook_deliveries TO gnomon_web;
GRANT SELECT ON webhooks, webhook_deliveries TO gnomon_worker;

-- ["story.*"], or "story.*, sprint.moved" as a form sends it.
CREATE FUNCTION gnomon.event_types(given jsonb) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT CASE jsonb_typeof(given)
             WHEN 'array' THEN ARRAY(SELECT DISTINCT t FROM jsonb_array_elements_text(given) t ORDER BY t)
             ELSE ARRAY(SELECT DISTINCT t FROM regexp_split_to_table(given #>> '{}', '[\s,]+') t WHERE t <> '' ORDER BY t) END $$;
GRANT EXECUTE ON FUNCTION gnomon.event_types TO gnomon_web;

-- Switched on again, it begins anew: what happened meanwhile is not sent.
CREATE FUNCTION gnomon.webhook_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.since := gnomon.now();
  NEW.disabled_reason := NULL;
  NEW.failures := 0;
  NEW.rests_until := NULL;
  RETURN NEW;
END $$;
GRANT EXECUTE ON FUNCTION gnomon.webhook_on TO gnomon_web, gnomon_worker;
CREATE TRIGGER switched_on BEFORE UPDATE OF active ON webhooks
  FOR EACH ROW WHEN (NEW.active AND NOT OLD.active) EXECUTE FUNCTION gnomon.webhook_on();

-- A new secret, for a webhook of the workspace entered. Whoever gave the door
-- an admin's credential may.
CREATE FUNCTION gnomon.set_webhook_secret(webhook uuid, encrypted text) RETURNS timestamptz
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO public.webhook_secrets AS s (workspace_id, webhook_id, secret)
  SELECT h.workspace_id, h.id, encrypted FROM public.webhooks h
   WHERE h.workspace_id = gnomon.workspace() AND h.id = webhook AND h.removed_at IS NULL
  ON CONFLICT (workspace_id, webhook_id) DO UPDATE SET former = s.secret, secret = excluded.secret, made_at = now()
  RETURNING made_at
$$;

-- The secret, to be shown, for ten minutes after it was made; then NULL.
CREATE FUNCTION gnomon.fresh_webhook_secret(webhook uuid) RETURNS TABLE (secret text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT CASE WHEN s.made_at > now() - interval '10 minutes' THEN s.secret END
    FROM public.webhook_secrets s JOIN public.webhooks h ON h.workspace_id = s.workspace_id AND h.id = s.webhook_id
   WHERE s.workspace_id = gnomon.workspace() AND s.webhook_id = webhook AND h.removed_at IS NULL
$$;
GRANT EXECUTE ON FUNCTION gnomon.set_webhook_secret, gnomon.fresh_webhook_secret TO gnomon_web;

-- The next message that is due for the webhook of a job; no row: none, or it
-- is switched off or rests.
CREATE FUNCTION gnomon.next_delivery(job uuid, with_fence bigint, webhook uuid)
RETURNS TABLE (id uuid, url text, secret text, former text, payload text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
  PERFORM gnomon.enter_job(job, with_fence);
  RETURN QUERY
    SELECT d.id, h.url, s.secret, CASE WHEN s.made_at > now() - interval '1 day' THEN s.former END, d.payload::text
      FROM public.webhooks h
      JOIN public.webhook_secrets s ON s.workspace_id = h.workspace_id AND s.webhook_id = h.id
      JOIN public.webhook_deliveries d ON d.workspace_id = h.workspace_id AND d.webhook_id = h.id
     WHERE h.workspace_id = gnomon.workspace() AND h.id = webhook AND h.active AND h.removed_at IS NULL
       AND (h.rests_until IS NULL OR h.rests_until <= now())
       AND d.state = 'pending' AND d.next_try <= now()
     ORDER BY d.next_try, d.rev, d.id
     LIMIT 1;
END $$;

-- When the attempt after so many comes; NULL: none (Standard Webhooks: at once,
-- 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 10 h). Up to a tenth later, so that not
-- everything comes back at the same moment.
CREATE FUNCTION gnomon.webhook_retry(attempts integer) RETURNS interval LANGUAGE sql VOLATILE
AS $$ SELECT ('{5 s,5 min,30 min,2 h,5 h,10 h,10 h}'::interval[])[attempts] * (1 + random() / 10) $$;

-- Notes how an attempt went. 2xx is taken; 410 switches the webhook off, as
-- does a message that was refused to the end with no success since it was made. Says whether
-- to go on with the next one.
CREATE FUNCTION gnomon.note_delivery(job uuid, with_fence bigint, delivery uuid, got integer, ms integer, failure text, wait_s integer)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE d public.webhook_deliveries; h public.webhooks; why text; retry interval;
BEGIN
  PERFORM gnomon.enter_job(job, with_fence);
  SELECT * INTO d FROM public.webhook_deliveries x WHERE x.workspace_id = gnomon.workspace() AND x.id = delivery FOR UPDATE;
  IF NOT FOUND OR d.state <> 'pending' THEN RETURN true; END IF;
  SELECT * INTO h FROM public.webhooks x WHERE x.workspace_id = d.workspace_id AND x.id = d.webhook_id FOR UPDATE;
  IF got BETWEEN 200 AND 299 THEN
    UPDATE public.webhook_deliveries x
       SET state = 'delivered', attempts = x.attempts + 1, status_code = got, duration_ms = ms, error = NULL, next_try = NULL, tried_at = now()
     WHERE x.workspace_id = d.workspace_id AND x.id = d.id;
    UPDATE public.webhooks x SET failures = 0, last_success_at = now(), rests_until = NULL
     WHERE x.workspace_id = h.workspace_id AND x.id = h.id;
    RETURN true;
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
         rests_until = CASE WHEN ms > 2000 THEN now() + least(x.failures + 1, 12) * interval '5 s' END
   WHERE x.workspace_id = h.workspace_id AND x.id = h.id;
  IF why IS NOT NULL AND h.active THEN
    UPDATE public.webhooks x SET active = false, disabled_reason = why WHERE x.workspace_id = h.workspace_id AND x.id = h.id;
    PERFORM gnomon.audit('webhook.disabled', 'webhook', h.id, jsonb_build_object('reason', why));
    PERFORM gnomon.tell_admins(h.workspace_id, 'system', 'The webhook to ' || left(h.url, 200) || ' is switched off', why, 'webhook', h.id,
      '/admin/webhooks/' || h.id);
  END IF;
  RETURN why IS NULL AND ms <= 2000;
END $$;
GRANT EXECUTE ON FUNCTION gnomon.next_delivery, gnomon.note_delivery TO gnomon_worker;

-- A job for every webhook that has something due: one row a webhook, queued
-- again and again.
CREATE FUNCTION gnomon.queue_deliveries() RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  WITH due AS (
    SELECT h.workspace_id, h.id AS webhook_id
      FROM public.webhooks h
     WHERE h.active AND h.removed_at IS NULL AND (h.rests_until IS NULL OR h.rests_until <= now())
       AND EXISTS (SELECT FROM public.webhook_deliveries d
                    WHERE d.workspace_id = h.workspace_id AND d.webhook_id = h.id AND d.state = 'pending' AND d.next_try <= now())
  ), queued AS (
    INSERT INTO public.jobs AS j (workspace_id, queue, kind, payload, once, run_at)
    SELECT workspace_id, 'notifications', 'webhook:deliver', jsonb_build_object('webhook', webhook_id), 'webhook:' || webhook_id, now() FROM due
    ON CONFLICT (workspace_id, once) DO UPDATE SET state = 'queued', attempts = 0, run_at = now(), finished_at = NULL, error = NULL
     WHERE j.state IN ('succeeded', 'dead')
    RETURNING 1)
  SELECT count(*) FROM queued
$$;

-- What was delivered or given up on 30 days ago; at most 10,000 go in one call.
CREATE FUNCTION gnomon.forget_deliveries() RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  WITH old AS (
    DELETE FROM public.webhook_deliveries
     WHERE ctid = ANY (ARRAY(SELECT ctid FROM public.webhook_deliveries
                              WHERE created_at < now() - interval '30 days' AND (state <> 'pending' OR created_at < now() - interval '60 days')
                              LIMIT 10000 FOR UPDATE SKIP LOCKED))
    RETURNING 1)
  SELECT count(*) FROM old
$$;
GRANT EXECUTE ON FUNCTION gnomon.queue_deliveries, gnomon.forget_deliveries TO gnomon_worker;

-- ---- notifications: what concerns somebody, once a thing and kind
ALTER TABLE notifications
  ADD text       text NOT NULL DEFAULT '' CHECK (length(text) <= 500),   -- what happened last: 'Ann assigned it to you'
  ADD project_id uuid,
  ADD path       text COLLATE "C",                    -- below /w/<slug>; where it is
  ADD times      integer NOT NULL DEFAULT 1,          -- how often it happened since it was read
  ADD latest_at  timestamptz NOT NULL DEFAULT gnomon.now(),
  ADD actor_id   uuid,                                -- who did it last; NULL: the system
  ADD is_unread  boolean NOT NULL GENERATED ALWAYS AS (read_at IS NULL) STORED,
  ADD in_app     boolean NOT NULL DEFAULT true,       -- false: for mail only
  ADD mail       text COLLATE "C" NOT NULL DEFAULT 'off' CHECK (mail IN ('off', 'now', 'daily')),
  ADD mailed_at  timestamptz;
SELECT gnomon.wall_project('project_id', 'notifications');
CREATE INDEX notifications_inbox ON notifications (workspace_id, user_id, is_unread, latest_at, id) WHERE in_app;
CREATE INDEX notifications_mail_now ON notifications (workspace_id, id) WHERE mail = 'now' AND mailed_at IS NULL;
CREATE INDEX notifications_mail_daily ON notifications (workspace_id, user_id) WHERE mail = 'daily' AND mailed_at IS NULL;

-- How somebody wants to hear of what; no row: in the product, no mail.
CREATE TABLE notification_preferences (
  workspace_id uuid NOT NULL,
  user_id      uuid NOT NULL,
  kind         text COLLATE "C" NOT NULL CHECK (kind IN ('assigned', 'mention', 'watching', 'sprint', 'insight', 'system')),
  in_app       boolean NOT NULL DEFAULT true,
  mail         text COLLATE "C" NOT NULL DEFAULT 'off' CHECK (mail IN ('off', 'now', 'daily')),
  PRIMARY KEY (workspace_id, user_id, kind),
  FOREIGN KEY (workspace_id, user_id) REFERENCES workspace_members ON DELETE CASCADE
);
CREATE INDEX notification_preferences_daily ON notification_preferences (workspace_id) WHERE mail = 'daily';
SELECT gnomon.wall('notification_preferences');
GRANT SELECT, INSERT, UPDATE ON notification_preferences TO gnomon_web;
GRANT SELECT ON notification_preferences TO gnomon_worker;

-- 'insight_worse:high' is a matter of 'insight'.
CREATE FUNCTION gnomon.notification_kind(kind text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT CASE WHEN kind LIKE 'insight%' THEN 'insight' WHEN kind IN ('assigned', 'mention', 'watching', 'sprint') THEN kind ELSE 'system' END $$;
GRANT EXECUTE ON FUNCTION gnomon.notification_kind TO gnomon_web, gnomon_worker;

-- What a thing is called and where it is. Tables that come later are looked at
-- only where there are events of them.
CREATE FUNCTION gnomon.entity(ws uuid, of_type text, of_id uuid, OUT title text, OUT path text, OUT project uuid)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  CASE of_type
  WHEN 'story' THEN
    SELECT p.key || '-' || s.number || ' ' || s.title, '/p/' || p.key || '/stories/' || p.key || '-' || s.number, p.id INTO title, path, project
      FROM public.stories s JOIN public.projects p ON p.workspace_id = s.workspace_id AND p.id = s.project_id
     WHERE s.workspace_id = ws AND s.id = of_id;
  WHEN 'task' THEN
    SELECT t.title, '/p/' || p.key || '/stories/' || p.key || '-' || s.number, p.id INTO title, path, project
      FROM public.tasks t JOIN public.stories s ON s.workspace_id = t.workspace_id AND s.id = t.story_id
      JOIN public.projects p ON p.workspace_id = s.workspace_id AND p.id = s.project_id
     WHERE t.workspace_id = ws AND t.id = of_id;
  WHEN 'epic' THEN
    SELECT e.title, '/p/' || p.key || '/epics/' || e.number, p.id INTO title, path, project
      FROM public.epics e JOIN public.projects p ON p.workspace_id = e.workspace_id AND p.id = e.project_id
     WHERE e.workspace_id = ws AND e.id = of_id;
  WHEN 'sprint' THEN
    SELECT x.name || ' of ' || p.name, '/p/' || p.key || '/sprints/' || x.number, p.id INTO title, path, project
      FROM public.sprints x JOIN public.projects p ON p.workspace_id = x.workspace_id AND p.id = x.project_id
     WHERE x.workspace_id = ws AND x.id = of_id;
  WHEN 'project' THEN
    SELECT p.name, '/p/' || p.key, p.id INTO title, path, project FROM public.projects p WHERE p.workspace_id = ws AND p.id = of_id;
  WHEN 'insight' THEN
    SELECT i.title, '/insights/I-' || i.number, i.project_id INTO title, path, project
      FROM public.agent_insights i WHERE i.workspace_id = ws AND i.id = of_id;
  WHEN 'objective' THEN
    SELECT 'O-' || o.number || ' ' || o.title, '/objectives/O-' || o.number, o.project_id INTO title, path, project
      FROM public.objectives o WHERE o.workspace_id = ws AND o.id = of_id;
  ELSE NULL;
  END CASE;
END $$;

-- A notification as it is made: where it leads, and how its reader wants it.
-- Who wants neither gets none.
CREATE FUNCTION gnomon.notification_made() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE known record; wants record;
BEGIN
  IF NEW.path IS NULL THEN
    SELECT * INTO known FROM gnomon.entity(NEW.workspace_id, NEW.entity_type, NEW.entity_id);
    NEW.path := known.path;
    NEW.project_id := coalesce(NEW.project_id, known.project);
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
CREATE TRIGGER made BEFORE INSERT ON notifications FOR EACH ROW EXECUTE FUNCTION gnomon.notification_made();

-- Tells the admins of a workspace.
CREATE FUNCTION gnomon.tell_admins(ws uuid, of_kind text, of_title text, of_text text, of_type text, of_id uuid, of_path text) RETURNS void
LANGUAGE sql AS $$
  INSERT INTO public.notifications AS n (workspace_id, user_id, kind, title, text, entity_type, entity_id, path)
  SELECT ws, m.user_id, of_kind, of_title, of_text, of_type, of_id, of_path
    FROM public.workspace_members m
   WHERE m.workspace_id = ws AND gnomon.rank(m.role) >= 3
  ON CONFLICT (workspace_id, user_id, kind, entity_id) DO UPDATE
     SET title = excluded.title, text = excluded.text, read_at = NULL, latest_at = excluded.latest_at, mailed_at = NULL,
         times = CASE WHEN n.read_at IS NULL THEN n.times + 1 ELSE 1 END
$$;

-- ---- the follower: the event log is the outbox
-- How far each scope's events were read. Commit order is revision order, so
-- everything above is new and nothing below was missed.
CREATE TABLE event_cursors (
  workspace_id uuid NOT NULL REFERENCES workspaces,
  scope_id     uuid NOT NULL,
  rev          bigint NOT NULL,
  PRIMARY KEY (workspace_id, scope_id)
) WITH (fillfactor = 50);
SELECT gnomon.wall('event_cursors');
INSERT INTO event_cursors (workspace_id, scope_id, rev) SELECT workspace_id, scope_id, rev FROM revisions;

-- What a message says of an event.
CREATE FUNCTION gnomon.webhook_payload(e events) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN jsonb_build_object('type', e.entity_type || '.' || e.action,
           'timestamp', to_char(e.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
           'data', jsonb_build_object(
             'workspace', (SELECT jsonb_build_object('id', w.id, 'slug', w.slug) FROM public.workspaces w WHERE w.id = e.workspace_id),
             'project', (SELECT jsonb_build_object('id', p.id, 'key', p.key) FROM public.projects p WHERE p.workspace_id = e.workspace_id AND p.id = e.scope_id),
             'entityType', e.entity_type, 'entityId', e.entity_id,
             'title', (SELECT n.title FROM gnomon.entity(e.workspace_id, e.entity_type, e.entity_id) n),
             'action', e.action, 'revision', e.rev,
             'changes', (SELECT coalesce(jsonb_object_agg(gnomon.camel(c.key), c.value), '{}') FROM jsonb_each(e.changes) c),
             'actor', (SELECT jsonb_build_object('id', u.id, 'name', u.name) FROM public.users u WHERE u.id = e.actor_id),
             'aiTriggered', e.ai_triggered));
END $$;

-- What an event is, to somebody who watches.
CREATE FUNCTION gnomon.event_in_words(who text, entity_type text, action text, changes jsonb) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT who || ' ' || CASE
    WHEN entity_type = 'comment' THEN 'commented'
    WHEN action = 'created' THEN 'made it'
    WHEN action = 'deleted' THEN 'deleted it'
    WHEN changes #>> '{status,1}' IS NOT NULL THEN 'moved it to ' || replace(changes #>> '{status,1}', '_', ' ')
    ELSE 'changed ' || (SELECT string_agg(replace(regexp_replace(k, '_(ids?)$', ''), '_', ' '), ', ' ORDER BY k)
                          FROM jsonb_object_keys(changes - '{position,status_since,ai_suggestions}'::text[]) k) END
$$;

-- One scope's next events (whole revisions, about `most`): messages for the
-- webhooks that want them, and whom they concern. All of it, and the cursor, in one
-- transaction: whatever dies, nothing is lost and nothing is done twice.
CREATE FUNCTION gnomon.follow_scope(ws uuid, scope uuid, seen bigint, most integer) RETURNS bigint
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
      JOIN public.comments c ON c.workspace_id = ws AND c.id = e.entity_id
      JOIN public.comment_mentions m ON m.workspace_id = ws AND m.comment_id = c.id
     WHERE e.entity_type = 'comment' AND e.action = 'created'
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
           left(gnomon.event_in_words(e.who, e.entity_type, e.action, e.changes), 500)
      FROM e
      LEFT JOIN public.comments c ON e.entity_type = 'comment' AND c.workspace_id = ws AND c.id = e.entity_id
      JOIN public.watchers w ON w.workspace_id = ws AND w.entity_id = coalesce(c.entity_id, e.entity_id) AND w.since <= e.created_at
     WHERE e.changes - '{position,status_since,ai_suggestions}'::text[] <> '{}' AND (e.entity_type <> 'comment' OR e.action = 'created')
       AND NOT EXISTS (SELECT FROM called x WHERE x.user_id = w.user_id AND x.rev = e.rev AND x.entity_id = w.entity_id)
  )
  -- Never of what they did themselves, nor of what is not there for them.
  INSERT INTO public.notifications AS n (workspace_id, user_id, kind, title, text, entity_type, entity_id, project_id, path, times, actor_id)
  SELECT ws, h.user_id, h.kind, left(t.title, 500), h.text, h.entity_type, h.entity_id, t.project, t.path, h.times, h.actor_id
    FROM (SELECT h.user_id, h.kind, h.entity_type, h.entity_id, count(*)::integer AS times,
                 (array_agg(h.text ORDER BY h.rev DESC))[1] AS text, (array_agg(h.actor_id ORDER BY h.rev DESC))[1] AS actor_id
            FROM heard h
           WHERE h.user_id IS DISTINCT FROM h.actor_id
           GROUP BY h.user_id, h.kind, h.entity_type, h.entity_id) h
   CROSS JOIN LATERAL gnomon.entity(ws, h.entity_type, h.entity_id) t
    JOIN public.workspace_members m ON m.workspace_id = ws AND m.user_id = h.user_id
    LEFT JOIN public.projects p ON p.workspace_id = ws AND p.id = t.project
    LEFT JOIN public.project_members pm ON pm.workspace_id = ws AND pm.project_id = p.id AND pm.user_id = h.user_id
   WHERE t.title IS NOT NULL AND (p.id IS NULL OR gnomon.role_in(m.role, pm.role, p.is_private) IS NOT NULL)
  ON CONFLICT (workspace_id, user_id, kind, entity_id) DO UPDATE
     SET title = excluded.title, text = excluded.text, path = excluded.path, actor_id = excluded.actor_id, latest_at = excluded.latest_at,
         in_app = excluded.in_app, mail = excluded.mail,
         times = excluded.times + CASE WHEN n.is_unread THEN n.times ELSE 0 END,
         -- a mail each time, but of what is watched one until it is read
         mailed_at = CASE WHEN n.is_unread AND n.in_app AND n.kind = 'watching' AND n.mail = 'now' THEN n.mailed_at END,
         read_at = excluded.read_at;
  RETURN handled;
END $$;

-- Follows every scope that has moved. `known` is what it returned last: while
-- no transaction has written since, there is nothing to look for.
CREATE FUNCTION gnomon.follow_events(known text, most integer) RETURNS TABLE (snapshot text, handled bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE now_ text := pg_current_snapshot()::text; s record; n bigint := 0; ignored text;
BEGIN
  IF now_ = known AND now_ LIKE '%:' THEN
    RETURN QUERY SELECT now_, 0::bigint;
    RETURN;
  END IF;
  FOR s IN
    SELECT r.workspace_id, r.scope_id, r.rev
      FROM public.revisions r LEFT JOIN public.event_cursors c ON c.workspace_id = r.workspace_id AND c.scope_id = r.scope_id
     WHERE r.rev > coalesce(c.rev, 0)
     LIMIT 20
  LOOP
    ignored := set_config('gnomon.workspace', s.workspace_id::text, true);
    BEGIN
      n := n + gnomon.follow_scope(s.workspace_id, s.scope_id, s.rev, most);
    EXCEPTION WHEN OTHERS THEN   -- one scope must not hold up the others
      RAISE WARNING 'events of % are not followed: % (%)', s.scope_id, SQLERRM, SQLSTATE;
    END;
  END LOOP;
  -- more may be waiting than one round takes
  RETURN QUERY SELECT CASE WHEN n = 0 THEN now_ ELSE '' END, n;
END $$;
GRANT EXECUTE ON FUNCTION gnomon.follow_events TO gnomon_worker;

-- ---- mails of notifications
CREATE FUNCTION gnomon.unsubscribe_link(ws uuid, who uuid, what text) RETURNS jsonb LANGUAGE sql IMMUTABLE
AS $$ SELECT jsonb_build_object('path', '/unsubscribe', 'seal', format('unsubscribe|%s|%s|%s', ws, who, what)) $$;

-- Mails what is wanted at once.
CREATE FUNCTION gnomon.mail_notifications() RETURNS bigint
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

-- The digest of a workspace's day: a mail for each who wants one and has
-- something unread in it. At 08:00 there (gnomon.enqueue_digests).
CREATE FUNCTION gnomon.send_digests(job uuid, with_fence bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE u record; done bigint := 0;
BEGIN
  PERFORM gnomon.enter_job(job, with_fence);
  FOR u IN
    WITH news AS (
      UPDATE public.notifications n SET mailed_at = now()
       WHERE n.workspace_id = gnomon.workspace() AND n.mail = 'daily' AND n.mailed_at IS NULL
      RETURNING n.*)
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

-- Queues the digest of every workspace where somebody wants one and it has
-- struck 08:00 since the last; one that is missed by more than twelve hours is left out.
CREATE FUNCTION gnomon.enqueue_digests() RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  WITH due AS (
    SELECT w.id, w.timezone, gnomon.cron_last('0 8 * * *', w.timezone, gnomon.now()) AS at
      FROM public.workspaces w
     WHERE EXISTS (SELECT FROM public.notification_preferences p WHERE p.workspace_id = w.id AND p.mail = 'daily')
  ), queued AS (
    INSERT INTO public.jobs (workspace_id, queue, kind, payload, once)
    SELECT id, 'notifications', 'notifications:digest', '{}', 'digest:' || to_char(at AT TIME ZONE timezone, 'YYYY-MM-DD')
      FROM due WHERE at > gnomon.now() - interval '12 hours'
    ON CONFLICT (workspace_id, once) DO NOTHING
    RETURNING 1)
  SELECT count(*) FROM queued
$$;

-- Stops a kind of mail, or the digest as a whole, for whom the sealed link names.
CREATE FUNCTION gnomon.unsubscribe(ws uuid, who uuid, what text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  UPDATE public.notification_preferences p SET mail = 'off'
   WHERE p.workspace_id = ws AND p.user_id = who AND CASE WHEN what = 'digest' THEN p.mail = 'daily' ELSE p.kind = what END
$$;

-- What was read 90 days ago, or never in a year; at most 10,000 go in one call.
CREATE INDEX notifications_age ON notifications (latest_at);
CREATE FUNCTION gnomon.forget_notifications() RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  WITH old AS (
    DELETE FROM public.notifications
     WHERE ctid = ANY (ARRAY(SELECT ctid FROM public.notifications
                              WHERE latest_at < now() - interval '90 days' AND (read_at < now() - interval '90 days' OR latest_at < now() - interval '1 year')
                              LIMIT 10000 FOR UPDATE SKIP LOCKED))
    RETURNING 1)
  SELECT count(*) FROM old
$$;
GRANT EXECUTE ON FUNCTION gnomon.mail_notifications, gnomon.send_digests, gnomon.enqueue_digests, gnomon.forget_notifications TO gnomon_worker;
GRANT EXECUTE ON FUNCTION gnomon.unsubscribe TO gnomon_web;
