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
