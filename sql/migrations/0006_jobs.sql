-- The queue, and when agents are due. Time zones are arithmetic for SQL alone.

CREATE TABLE jobs (
  workspace_id uuid NOT NULL REFERENCES workspaces,
  id           uuid NOT NULL DEFAULT gnomon.uuid7(),
  queue        text COLLATE "C" NOT NULL CHECK (queue IN ('automation', 'notifications', 'cleanup', 'ai-low')),
  kind         text COLLATE "C" NOT NULL,             -- 'agent:sprint_risk:run'
  payload      jsonb NOT NULL DEFAULT '{}',
  once         text COLLATE "C",                      -- a second job with the same word is not made
  state        text COLLATE "C" NOT NULL DEFAULT 'queued'
               CHECK (state IN ('queued', 'running', 'succeeded', 'dead')),
  run_at       timestamptz NOT NULL DEFAULT gnomon.now(),
  attempts     integer NOT NULL DEFAULT 0,
  max_attempts integer NOT NULL DEFAULT 3,
  fence        bigint NOT NULL DEFAULT 0,             -- grows with every claim
  lease_until  timestamptz,
  worker       text,
  error        text,
  created_at   timestamptz NOT NULL DEFAULT gnomon.now(),
  finished_at  timestamptz,
  PRIMARY KEY (workspace_id, id),
  UNIQUE (workspace_id, once)
);
CREATE INDEX jobs_due ON jobs (run_at) WHERE state IN ('queued', 'running');
CREATE INDEX jobs_dead ON jobs (queue) WHERE state = 'dead';
CREATE INDEX jobs_over ON jobs (finished_at) WHERE state IN ('succeeded', 'dead');
SELECT gnomon.wall('jobs');
GRANT SELECT, INSERT ON jobs TO gnomon_web, gnomon_worker;

-- Takes the next job that is due, or one whose worker let its lease run out.
-- Every claim raises the fence, so what an earlier worker still writes is
-- refused by enter_job. A job that was claimed max_attempts times and never
-- ended is dead. A job whose row is locked is at work, however old its lease.
CREATE FUNCTION gnomon.claim_job(kinds text[], as_worker text, lease interval)
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
      ORDER BY d.run_at
        FOR UPDATE SKIP LOCKED LIMIT 1)
  RETURNING j.workspace_id, j.id, j.queue, j.kind, j.payload, j.fence, j.attempts
$$;

-- Opens the tenant of a job for the rest of the transaction. The row stays
-- locked until it ends, so nobody can claim the job between check and commit:
-- the lease need only last until then.
CREATE FUNCTION gnomon.enter_job(job uuid, with_fence bigint) RETURNS TABLE (workspace_id uuid, timezone text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE ws uuid; zone text; ignored text;
BEGIN
  SELECT j.workspace_id, w.timezone INTO ws, zone
    FROM public.jobs j JOIN public.workspaces w ON w.id = j.workspace_id
   WHERE j.id = job AND j.fence = with_fence AND j.state = 'running' AND j.lease_until > clock_timestamp()
     FOR UPDATE OF j;
  IF NOT FOUND THEN PERFORM gnomon.refuse('lease_lost'); END IF;
  ignored := set_config('gnomon.workspace', ws::text, true);
  ignored := set_config('gnomon.project', '', true);
  ignored := set_config('gnomon.actor', '', true);
  RETURN QUERY SELECT ws, zone;
END $$;
CREATE INDEX jobs_id ON jobs (id);

-- Ends a claim: success, or a failure that is tried again after 30 s · 4^n
-- with up to a quarter of jitter, and dead after the last attempt. A worker that
-- was given up on after its last attempt may still say that it was done.
CREATE FUNCTION gnomon.finish_job(job uuid, with_fence bigint, failure text) RETURNS text
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  UPDATE public.jobs
     SET state = CASE WHEN failure IS NULL THEN 'succeeded' WHEN attempts >= max_attempts THEN 'dead' ELSE 'queued' END,
         finished_at = CASE WHEN failure IS NULL OR attempts >= max_attempts THEN now() END,
         run_at = CASE WHEN failure IS NULL THEN run_at
                  ELSE now() + interval '30 s' * power(4, attempts - 1) * (1 + random() / 4) END,
         error = left(failure, 2000), lease_until = NULL
   WHERE id = job AND fence = with_fence AND (state = 'running' OR state = 'dead' AND failure IS NULL)
  RETURNING state
$$;

-- Jobs that succeeded are kept for 30 days, dead ones, which somebody may still want
-- to queue again, for 90; at most 10,000 go in one call.
CREATE FUNCTION gnomon.forget_jobs() RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  WITH old AS (
    DELETE FROM public.jobs
     WHERE ctid = ANY (ARRAY(SELECT ctid FROM public.jobs
                              WHERE state IN ('succeeded', 'dead')
                                AND finished_at < now() - CASE state WHEN 'dead' THEN interval '90 days' ELSE interval '30 days' END
                                AND finished_at < now() - interval '30 days'   -- what the index can find
                              LIMIT 10000 FOR UPDATE SKIP LOCKED))
    RETURNING 1)
  SELECT count(*) FROM old
$$;

-- Sessions are kept for 30 days after they ended; at most 10,000 go in one call.
CREATE INDEX sessions_over ON sessions (least(expires_at, revoked_at));
CREATE FUNCTION gnomon.forget_sessions() RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  WITH old AS (
    DELETE FROM public.sessions
     WHERE ctid = ANY (ARRAY(SELECT ctid FROM public.sessions
                              WHERE least(expires_at, revoked_at) < now() - interval '30 days'
                              LIMIT 10000 FOR UPDATE SKIP LOCKED))
    RETURNING 1)
  SELECT count(*) FROM old
$$;
GRANT EXECUTE ON FUNCTION gnomon.forget_jobs, gnomon.forget_sessions TO gnomon_worker;

-- How many jobs of all workspaces wait, run or are dead, and for how many
-- seconds the oldest that is due has waited: for metrics, hence every pair, even
-- where there is none.
CREATE FUNCTION gnomon.queue_depth() RETURNS TABLE (queue text, state text, jobs bigint, oldest double precision)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  WITH present AS (
    SELECT j.queue, j.state, j.run_at FROM public.jobs j WHERE j.state IN ('queued', 'running')
    UNION ALL
    SELECT j.queue, j.state, NULL FROM public.jobs j WHERE j.state = 'dead')
  SELECT q.queue, s.state, count(p.queue),
         coalesce(extract(epoch FROM now() - min(p.run_at) FILTER (WHERE p.state = 'queued' AND p.run_at <= now())), 0)::double precision
    FROM unnest(ARRAY['automation', 'notifications', 'cleanup', 'ai-low']) q (queue)
   CROSS JOIN unnest(ARRAY['queued', 'running', 'dead']) s (state)
    LEFT JOIN present p ON p.queue = q.queue AND p.state = s.state
   GROUP BY q.queue, s.state
   ORDER BY q.queue, s.state
$$;
GRANT EXECUTE ON FUNCTION gnomon.queue_depth TO gnomon_web, gnomon_worker;

-- One field of a cron expression (POSIX crontab: *, lists, ranges, steps) as
-- the values it stands for; a field that is none of these is refused.
CREATE FUNCTION gnomon.cron_field(field text, low integer, high integer) RETURNS integer[]
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE item text; m text[]; a integer; b integer; step integer; result integer[] := '{}';
BEGIN
  FOREACH item IN ARRAY string_to_array(field, ',') LOOP
    m := regexp_match(item, '^(?:\*|(\d{1,2})(?:-(\d{1,2}))?)(?:/(\d{1,2}))?$');
    IF m IS NULL THEN PERFORM gnomon.refuse('validation_failed', '"' || field || '" is no field of a cron expression here.'); END IF;
    a := coalesce(m[1]::integer, low);
    b := coalesce(m[2]::integer, CASE WHEN m[1] IS NULL OR m[3] IS NOT NULL THEN high ELSE a END);
    step := coalesce(m[3]::integer, 1);
    IF a < low OR b > high OR a > b OR step < 1 THEN
      PERFORM gnomon.refuse('validation_failed', '"' || field || '" is no field of a cron expression here.');
    END IF;
    result := result || ARRAY(SELECT generate_series(a, b, step));
  END LOOP;
  RETURN ARRAY(SELECT DISTINCT v FROM unnest(result) v);   -- or *,*,*,* would cost four times *
END $$;

-- The times an expression fires in a zone, from one instant to another (both
-- included), and as what the clock there shows then: a span's worth of work. When
-- both day fields are restricted either may match, as crontab(5) says. A local time
-- that a clock change skips fires when the clock has jumped, once with the one
-- it falls together with; one that happens twice fires once.
CREATE FUNCTION gnomon.cron_times(expression text, zone text, since timestamptz, until timestamptz)
RETURNS TABLE (fires_at timestamptz, bucket text)
LANGUAGE plpgsql STABLE AS $$
DECLARE f text[] := regexp_split_to_array(btrim(expression), '\s+');
        minutes integer[]; hours integer[]; days integer[]; months integer[]; weekdays integer[];
        low timestamp := since AT TIME ZONE zone - interval '3 hours';   -- no clock change is longer
        high timestamp := until AT TIME ZONE zone + interval '3 hours';
BEGIN
  IF cardinality(f) <> 5 THEN PERFORM gnomon.refuse('validation_failed', 'A cron expression has five fields, like 0 8 * * 1-5.'); END IF;
  minutes := gnomon.cron_field(f[1], 0, 59);
  hours := gnomon.cron_field(f[2], 0, 23);
  days := gnomon.cron_field(f[3], 1, 31);
  months := gnomon.cron_field(f[4], 1, 12);
  weekdays := gnomon.cron_field(f[5], 0, 7);
  IF 7 = ANY (weekdays) THEN weekdays := weekdays || 0; END IF;
  RETURN QUERY
    SELECT DISTINCT t.at, to_char(t.at AT TIME ZONE zone, 'YYYY-MM-DD"T"HH24:MI')
      FROM (SELECT (d.day + make_interval(hours => h, mins => m)) AT TIME ZONE zone AS at
              FROM generate_series(date_trunc('day', low), high, interval '1 day') AS d (day),
                   unnest(hours) h, unnest(minutes) m
             WHERE extract(month FROM d.day)::integer = ANY (months)
               AND CASE WHEN f[3] = '*' OR f[5] = '*'
                   THEN extract(day FROM d.day)::integer = ANY (days) AND extract(dow FROM d.day)::integer = ANY (weekdays)
                   ELSE extract(day FROM d.day)::integer = ANY (days) OR extract(dow FROM d.day)::integer = ANY (weekdays) END
               AND d.day + make_interval(hours => h, mins => m) BETWEEN low AND high) t
     WHERE t.at BETWEEN since AND until
     ORDER BY 1;
END $$;

-- The first time at or after an instant; NULL when there is none within five years
-- (29 February comes), or the schedule or the zone cannot be read: to show when
-- something happens is no place to refuse it. Looks an hour ahead, then further.
CREATE FUNCTION gnomon.cron_next(expression text, zone text, after timestamptz) RETURNS timestamptz
LANGUAGE plpgsql STABLE AS $$
DECLARE span interval; result timestamptz;
BEGIN
  FOREACH span IN ARRAY '{1 hour,1 day,8 days,64 days,400 days,1830 days}'::interval[] LOOP
    SELECT min(t.fires_at) INTO result FROM gnomon.cron_times(expression, zone, after, after + span) t;
    EXIT WHEN result IS NOT NULL;
  END LOOP;
  RETURN result;
EXCEPTION WHEN OTHERS THEN
  RETURN NULL;
END $$;

-- The last time at or before an instant, likewise; one that cannot be read is
-- warned of, because nobody looks.
CREATE FUNCTION gnomon.cron_last(expression text, zone text, before timestamptz) RETURNS timestamptz
LANGUAGE plpgsql STABLE AS $$
DECLARE span interval; result timestamptz;
BEGIN
  FOREACH span IN ARRAY '{1 hour,1 day,8 days,64 days,400 days,1830 days}'::interval[] LOOP
    SELECT max(t.fires_at) INTO result FROM gnomon.cron_times(expression, zone, before - span, before) t;
    EXIT WHEN result IS NOT NULL;
  END LOOP;
  RETURN result;
EXCEPTION WHEN OTHERS THEN
  RAISE WARNING 'schedule "%" in "%" is skipped: %', expression, zone, SQLERRM;
  RETURN NULL;
END $$;

-- The expression, when an agent may have it: it can be read, and fires at most
-- every 15 minutes (two in one hour, or the last of an hour and the first of the
-- next, may not be closer).
CREATE FUNCTION gnomon.checked_schedule(expression text) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE f text[] := regexp_split_to_array(btrim(expression), '\s+'); minutes integer[]; hours integer[];
BEGIN
  PERFORM gnomon.cron_times(expression, 'UTC', gnomon.now(), gnomon.now());   -- refuses what is none
  minutes := gnomon.cron_field(f[1], 0, 59);
  hours := gnomon.cron_field(f[2], 0, 23);
  IF EXISTS (SELECT FROM unnest(minutes) a, unnest(minutes) b
              WHERE b > a AND b - a < 15
                 OR b + 60 - a < 15 AND EXISTS (SELECT FROM unnest(hours) h WHERE (h + 1) % 24 = ANY (hours))) THEN
    PERFORM gnomon.refuse('validation_failed', 'An agent may run every 15 minutes at most.');
  END IF;
  RETURN expression;
END $$;

-- Queues every agent whose latest scheduled time has passed and which has not
-- been queued for it; of several missed times only the latest, and none from
-- more than eight days ago (finished jobs are kept for longer: forget_jobs). Safe
-- to call as often as one likes, by as many as like. NULL means every agent.
CREATE FUNCTION gnomon.enqueue_due_agents(only_agent text) RETURNS integer
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  WITH latest AS MATERIALIZED (
    SELECT c.workspace_id, c.agent_key, c.created_at, w.timezone, gnomon.cron_last(c.schedule_cron, w.timezone, gnomon.now()) AS fires_at
      FROM public.agent_configs c
      JOIN public.workspaces w ON w.id = c.workspace_id
     WHERE c.enabled AND (only_agent IS NULL OR c.agent_key = only_agent)
  ), due AS (
    SELECT workspace_id, agent_key, to_char(fires_at AT TIME ZONE timezone, 'YYYY-MM-DD"T"HH24:MI') AS bucket
      FROM latest
     WHERE fires_at >= created_at AND fires_at >= gnomon.now() - interval '8 days'
  ), queued AS (
    INSERT INTO public.jobs (workspace_id, queue, kind, payload, once)
    SELECT workspace_id, 'automation', 'agent:' || agent_key || ':run',
           jsonb_build_object('period', bucket, 'trigger', 'schedule'),
           'agent:' || agent_key || ':' || bucket
      FROM due
    ON CONFLICT (workspace_id, once) DO NOTHING
    RETURNING 1)
  SELECT count(*)::integer FROM queued
$$;

-- Queues a run of an agent that somebody asks for, or finds the one that was asked
-- for and no worker has begun. One at a time: two who ask together get one run.
-- No row: the workspace entered has no such agent.
CREATE FUNCTION gnomon.ask_for_run(agent text) RETURNS SETOF public.jobs
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(pg_catalog.concat_ws(' ', 'run', gnomon.workspace(), agent), 0));
  RETURN QUERY
    SELECT j.* FROM public.jobs j
     WHERE j.workspace_id = gnomon.workspace() AND j.kind = 'agent:' || agent || ':run'
       AND j.state = 'queued' AND j.payload ->> 'trigger' = 'manual'
     ORDER BY j.run_at LIMIT 1;
  IF NOT FOUND THEN
    RETURN QUERY
      INSERT INTO public.jobs (workspace_id, queue, kind, payload)
      SELECT c.workspace_id, 'automation', 'agent:' || c.agent_key || ':run',
             jsonb_build_object('trigger', 'manual', 'triggeredBy', gnomon.actor())
        FROM public.agent_configs c
       WHERE c.workspace_id = gnomon.workspace() AND c.agent_key = agent
      RETURNING *;
  END IF;
END $$;
GRANT EXECUTE ON FUNCTION gnomon.ask_for_run TO gnomon_web;

-- Queues a dead job again, by hand. No row: not in the workspace entered.
CREATE FUNCTION gnomon.redrive_job(job uuid)
RETURNS TABLE (refused text, id uuid, queue text, kind text, state text, attempts integer, max_attempts integer,
               run_at timestamptz, error text, created_at timestamptz, finished_at timestamptz)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  WITH old AS (
    SELECT j.* FROM public.jobs j WHERE j.workspace_id = gnomon.workspace() AND j.id = job FOR UPDATE
  ), new AS (
    UPDATE public.jobs j SET state = 'queued', attempts = 0, run_at = now(), finished_at = NULL
      FROM old WHERE j.workspace_id = old.workspace_id AND j.id = old.id AND old.state = 'dead'
    RETURNING j.*
  )
  SELECT NULL, id, queue, kind, state, attempts, max_attempts, run_at, error, created_at, finished_at FROM new
  UNION ALL
  SELECT 'illegal_state', id, queue, kind, state, attempts, max_attempts, run_at, error, created_at, finished_at
    FROM old WHERE state <> 'dead'
$$;
GRANT EXECUTE ON FUNCTION gnomon.redrive_job TO gnomon_web;

GRANT EXECUTE ON FUNCTION gnomon.claim_job, gnomon.enter_job, gnomon.finish_job,
  gnomon.enqueue_due_agents TO gnomon_worker;
GRANT EXECUTE ON FUNCTION gnomon.cron_field, gnomon.cron_times, gnomon.cron_next, gnomon.checked_schedule TO gnomon_worker, gnomon_web;
