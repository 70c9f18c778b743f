-- The gate before every model call, and the ledger behind it.
--
--   ai_begin   kill switch → policy → feature → agent → budget → rate limit; reserves
--   ai_send    before each request to a provider: reserves for the model that will answer
--   ai_end     settles: what was used is spent, the rest of the reservation is free again
--
-- Money cannot leak: spent + reserved <= cap is a CHECK of every row of the ledger, and
-- every change of money happens under the lock of the ledger's row '*' of a workspace
-- and month. What nobody ends is swept when its lease is over.

-- ---- the documented tables, held to what they mean
ALTER TABLE ai_workspace_policies
  ADD CHECK (monthly_token_budget >= -1),
  ADD CHECK (monthly_run_budget >= -1),
  ADD CHECK (jsonb_typeof(allowed_features) = 'object');
REVOKE INSERT, UPDATE ON ai_workspace_policies FROM gnomon_web;   -- put_ai_policy writes it down

-- ---- models, and what they cost
-- The name is provider/model, the version the day from which the entry holds; a name
-- without a date stands for all its dated forms, provider/* for what is not named.
-- Prices are micros of a dollar per million tokens.
CREATE TABLE ml_models (
  id         uuid PRIMARY KEY DEFAULT gnomon.uuid7(),
  name       text COLLATE "C" NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
  version    text COLLATE "C" NOT NULL CHECK (length(version) BETWEEN 1 AND 100),
  config     jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(config) = 'object'),
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (name, version),
  CHECK (config ->> 'kind' IS DISTINCT FROM 'llm' OR (
    (config ->> 'inputMicros')::bigint >= 0 AND (config ->> 'outputMicros')::bigint >= 0
    AND length(config ->> 'source') > 0) IS TRUE)
);
GRANT SELECT ON ml_models TO gnomon_web, gnomon_worker;

INSERT INTO ml_models (name, version, config)
SELECT m.name, m.since::text,
       jsonb_build_object('kind', 'llm', 'inputMicros', m.input, 'outputMicros', m.output, 'contextTokens', m.context,
                          'maxOutputTokens', m.most, 'source', m.source)
  FROM (VALUES
    ('sandbox/*',                     date '2026-01-01',        0,        0,  200000,  16000, 'built in; calls nobody'),
    ('openai/gpt-4o',                 date '2024-10-02',  2500000, 10000000,  128000,  16384, 'https://platform.openai.com/docs/pricing'),
    ('openai/gpt-4o-mini',            date '2024-07-18',   150000,   600000,  128000,  16384, 'https://platform.openai.com/docs/pricing'),
    ('openai/gpt-4.1',                date '2025-04-14',  2000000,  8000000, 1047576,  32768, 'https://platform.openai.com/docs/pricing'),
    ('openai/gpt-4.1-mini',           date '2025-04-14',   400000,  1600000, 1047576,  32768, 'https://platform.openai.com/docs/pricing'),
    ('openai/gpt-4.1-nano',           date '2025-04-14',   100000,   400000, 1047576,  32768, 'https://platform.openai.com/docs/pricing'),
    ('openai/o4-mini',                date '2025-04-16',  1100000,  4400000,  200000, 100000, 'https://platform.openai.com/docs/pricing'),
    ('openai/gpt-5',                  date '2025-08-07',  1250000, 10000000,  400000, 128000, 'https://platform.openai.com/docs/pricing'),
    ('openai/gpt-5-mini',             date '2025-08-07',   250000,  2000000,  400000, 128000, 'https://platform.openai.com/docs/pricing'),
    ('openai/gpt-5-nano',             date '2025-08-07',    50000,   400000,  400000, 128000, 'https://platform.openai.com/docs/pricing'),
    ('openai/text-embedding-3-small', date '2024-01-25',    20000,        0,    8191,      0, 'https://platform.openai.com/docs/pricing'),
    ('openai/text-embedding-3-large', date '2024-01-25',   130000,        0,    8191,      0, 'https://platform.openai.com/docs/pricing'),
    ('anthropic/claude-opus-4',       date '2025-05-22', 15000000, 75000000,  200000,  32000, 'https://platform.claude.com/docs/en/about-claude/pricing'),
    ('anthropic/claude-opus-4-1',     date '2025-08-05', 15000000, 75000000,  200000,  32000, 'https://platform.claude.com/docs/en/about-claude/pricing'),
    ('anthropic/claude-opus-4-5',     date '2025-11-24',  5000000, 25000000,  200000,  64000, 'https://platform.claude.com/docs/en/about-claude/pricing'),
    ('anthropic/claude-sonnet-4',     date '2025-05-22',  3000000, 15000000,  200000,  64000, 'https://platform.claude.com/docs/en/about-claude/pricing'),
    ('anthropic/claude-sonnet-4-5',   date '2025-09-29',  3000000, 15000000,  200000,  64000, 'https://platform.claude.com/docs/en/about-claude/pricing'),
    ('anthropic/claude-haiku-4-5',    date '2025-10-15',  1000000,  5000000,  200000,  64000, 'https://platform.claude.com/docs/en/about-claude/pricing'),
    ('anthropic/claude-3-5-haiku',    date '2024-10-22',   800000,  4000000,  200000,   8192, 'https://platform.claude.com/docs/en/about-claude/pricing')
  ) AS m (name, since, input, output, context, most, source);

-- The entry in force for a model: its own, that of its undated name, that of its
-- provider. One nobody knows costs as much as the dearest there is.
CREATE FUNCTION gnomon.ai_model(of_name text, OUT input_micros bigint, OUT output_micros bigint, OUT context_tokens integer,
                                OUT max_output_tokens integer, OUT is_known boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE c jsonb; n text;
BEGIN
  FOREACH n IN ARRAY ARRAY[of_name, regexp_replace(of_name, '-(\d{4}-\d\d-\d\d|\d{8}|latest)$', ''), split_part(of_name, '/', 1) || '/*'] LOOP
    SELECT m.config INTO c FROM public.ml_models m
     WHERE m.name = n COLLATE "C" AND m.config ->> 'kind' = 'llm' ORDER BY m.version DESC LIMIT 1;
    EXIT WHEN FOUND;
  END LOOP;
  is_known := c IS NOT NULL;
  IF is_known THEN
    input_micros := (c ->> 'inputMicros')::bigint;
    output_micros := (c ->> 'outputMicros')::bigint;
    context_tokens := (c ->> 'contextTokens')::integer;
    max_output_tokens := (c ->> 'maxOutputTokens')::integer;
  ELSE
    SELECT max((m.config ->> 'inputMicros')::bigint), max((m.config ->> 'outputMicros')::bigint) INTO input_micros, output_micros
      FROM public.ml_models m WHERE m.config ->> 'kind' = 'llm';
  END IF;
END $$;

-- Micros, rounded up.
CREATE FUNCTION gnomon.ai_cost(of_name text, input_tokens bigint, output_tokens bigint) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE m record;
BEGIN
  m := gnomon.ai_model(of_name);
  RETURN ceil((input_tokens::numeric * m.input_micros + output_tokens::numeric * m.output_micros) / 1000000)::bigint;
END $$;

-- ---- features: what a model may be used for (requirements U18)
CREATE TABLE ai_features (
  key        text COLLATE "C" PRIMARY KEY CHECK (key ~ '^(agent|ops|chat|predict)\.[a-z_]+$'),
  place      smallint NOT NULL UNIQUE,        -- in lists
  name       text NOT NULL,
  about      text NOT NULL,
  max_tokens integer NOT NULL CHECK (max_tokens > 0),   -- of an answer, where the caller does not say
  within     interval NOT NULL CHECK (within > '0')     -- likewise (U20)
);
GRANT SELECT ON ai_features TO gnomon_web, gnomon_worker;
INSERT INTO ai_features (key, place, name, about, max_tokens, within) VALUES
  ('agent.sprint_risk',       1, 'Sprint risk',        'Words the risks of active sprints.', 4096, '30 s'),
  ('agent.objective_health',  2, 'Objective health',   'Words which objectives are at risk, and why.', 4096, '30 s'),
  ('agent.workload_capacity', 3, 'Workload',           'Words who has too much or too little to do.', 4096, '30 s'),
  ('agent.backlog_hygiene',   4, 'Backlog hygiene',    'Words what the backlog needs to be tidy.', 4096, '30 s'),
  ('agent.weekly_digest',     5, 'Weekly digest',      'Words the week in a short report.', 4096, '30 s'),
  ('agent.spec_to_backlog',   6, 'Backlog from a text', 'Proposes epics and stories for an idea.', 8192, '30 s'),
  ('agent.sprint_planner',    7, 'Sprint planner',     'Proposes what a sprint takes on.', 8192, '30 s'),
  ('agent.project_analyst',   8, 'Project analyst',    'Explains the state of a project on demand.', 8192, '30 s'),
  ('ops.log_summary',         9, 'Log summary',        'Words what a log says.', 4096, '30 s'),
  ('ops.ticket_triage',      10, 'Ticket triage',      'Suggests category and priority of a ticket.', 2048, '30 s'),
  ('ops.changelog',          11, 'Changelog',          'Words the changes of a release.', 4096, '30 s'),
  ('chat.project',           12, 'Project chat',       'Answers questions about a project.', 4096, '60 s'),
  ('chat.general',           13, 'General chat',       'Answers questions about anything.', 4096, '60 s'),
  ('chat.title',             14, 'Titles of chats',    'Names a conversation.', 64, '30 s'),
  ('predict.estimate',       15, 'Estimates',          'Predicts how large a story is.', 256, '3 s'),
  ('predict.priority',       16, 'Priorities',         'Predicts how urgent a story is.', 256, '3 s'),
  ('predict.assignee',       17, 'Assignees',          'Predicts who will do a story.', 256, '3 s'),
  ('predict.category',       18, 'Categories',         'Predicts what kind of work a story is.', 256, '3 s');

-- ---- the policy's other half; no row: the defaults
CREATE TABLE ai_policy_settings (
  workspace_id          uuid PRIMARY KEY REFERENCES workspaces,
  monthly_micros_budget bigint NOT NULL DEFAULT -1 CHECK (monthly_micros_budget >= -1),
  warn_at               smallint[] NOT NULL DEFAULT '{50,80,100}'     -- percent of a budget
                        CHECK (cardinality(warn_at) <= 10 AND 1 <= ALL (warn_at) AND 100 >= ALL (warn_at)),
  payloads              text COLLATE "C" NOT NULL DEFAULT 'none' CHECK (payloads IN ('none', 'redacted', 'full')),
  payload_days          integer NOT NULL DEFAULT 30 CHECK (payload_days BETWEEN 1 AND 3650),
  run_days              integer NOT NULL DEFAULT 395 CHECK (run_days BETWEEN 1 AND 3650),
  tracking_days         integer NOT NULL DEFAULT 90 CHECK (tracking_days BETWEEN 1 AND 90),
  stopped_at            timestamptz,            -- the kill switch; NULL: not pulled
  stopped_by            uuid,
  stopped_why           text NOT NULL DEFAULT '' CHECK (length(stopped_why) <= 500),
  version               integer NOT NULL DEFAULT 1,
  updated_at            timestamptz NOT NULL DEFAULT gnomon.now(),
  CHECK (payload_days <= run_days)              -- what was said goes before what it was
);
CREATE TRIGGER version BEFORE UPDATE ON ai_policy_settings FOR EACH ROW EXECUTE FUNCTION gnomon.next_version();

-- What a feature may use of it, and which models answer it, in order; no row: as the
-- policy and the installation say.
CREATE TABLE ai_feature_settings (
  workspace_id          uuid NOT NULL REFERENCES workspaces,
  feature               text COLLATE "C" NOT NULL,
  monthly_token_budget  bigint NOT NULL DEFAULT -1 CHECK (monthly_token_budget >= -1),
  monthly_run_budget    integer NOT NULL DEFAULT -1 CHECK (monthly_run_budget >= -1),
  monthly_micros_budget bigint NOT NULL DEFAULT -1 CHECK (monthly_micros_budget >= -1),
  models                text[] NOT NULL DEFAULT '{}' CHECK (cardinality(models) <= 10),
  updated_at            timestamptz NOT NULL DEFAULT gnomon.now(),
  PRIMARY KEY (workspace_id, feature)
);

-- The operator's kill switch, for all workspaces: pulled while a row has no end.
CREATE TABLE ai_stops (
  id         uuid PRIMARY KEY DEFAULT gnomon.uuid7(),
  why        text NOT NULL DEFAULT '' CHECK (length(why) <= 500),
  stopped_at timestamptz NOT NULL DEFAULT now(),
  ended_at   timestamptz
);
CREATE UNIQUE INDEX ai_stops_now ON ai_stops ((ended_at IS NULL)) WHERE ended_at IS NULL;
GRANT SELECT ON ai_stops TO gnomon_web, gnomon_worker;

-- ---- the ledger
-- A row per workspace, month (in its time zone, by its first day) and scope: '*', or a
-- feature. A cap of -1 is none. What a provider used beyond its reservation is overrun:
-- outside the CHECK, but it counts against the budget of whoever comes next.
CREATE TABLE ai_ledger (
  workspace_id    uuid NOT NULL REFERENCES workspaces,
  month           date NOT NULL CHECK (extract(day FROM month) = 1),
  scope           text COLLATE "C" NOT NULL,
  cap_tokens      bigint NOT NULL DEFAULT -1,
  cap_runs        bigint NOT NULL DEFAULT -1,
  cap_micros      bigint NOT NULL DEFAULT -1,
  spent_tokens    bigint NOT NULL DEFAULT 0 CHECK (spent_tokens >= 0),
  spent_runs      bigint NOT NULL DEFAULT 0 CHECK (spent_runs >= 0),
  spent_micros    bigint NOT NULL DEFAULT 0 CHECK (spent_micros >= 0),
  reserved_tokens bigint NOT NULL DEFAULT 0 CHECK (reserved_tokens >= 0),
  reserved_runs   bigint NOT NULL DEFAULT 0 CHECK (reserved_runs >= 0),
  reserved_micros bigint NOT NULL DEFAULT 0 CHECK (reserved_micros >= 0),
  overrun_tokens  bigint NOT NULL DEFAULT 0 CHECK (overrun_tokens >= 0),
  overrun_micros  bigint NOT NULL DEFAULT 0 CHECK (overrun_micros >= 0),
  told_tokens     smallint NOT NULL DEFAULT 0,   -- the highest threshold admins were told of
  told_runs       smallint NOT NULL DEFAULT 0,
  told_micros     smallint NOT NULL DEFAULT 0,
  PRIMARY KEY (workspace_id, month, scope),
  CONSTRAINT tokens_within CHECK (cap_tokens = -1 OR spent_tokens + reserved_tokens <= cap_tokens),
  CONSTRAINT runs_within CHECK (cap_runs = -1 OR spent_runs + reserved_runs <= cap_runs),
  CONSTRAINT micros_within CHECK (cap_micros = -1 OR spent_micros + reserved_micros <= cap_micros)
) WITH (fillfactor = 50);

-- A run's account: what it holds, for how long, and how it was settled.
CREATE TABLE ai_reservations (
  workspace_id   uuid NOT NULL,
  run_id         uuid NOT NULL,
  feature        text COLLATE "C" NOT NULL,
  day            date NOT NULL,                 -- when it began, in the workspace's time zone
  month          date NOT NULL,                 -- whose ledger it is in
  user_id        uuid,                          -- who asked; NULL: a schedule
  project_id     uuid,
  parent_id      uuid,                          -- the step before it in a chain
  chain          text[] NOT NULL,               -- provider/model, in the order to be tried
  prompt_tokens  integer NOT NULL CHECK (prompt_tokens >= 0),
  max_tokens     integer NOT NULL CHECK (max_tokens >= 0),
  tokens         bigint NOT NULL,               -- reserved, lost ones included
  micros         bigint NOT NULL,
  lost_tokens    bigint NOT NULL DEFAULT 0,     -- of attempts that may have been billed
  lost_micros    bigint NOT NULL DEFAULT 0,
  attempts       integer NOT NULL DEFAULT 0,
  state          text COLLATE "C" NOT NULL DEFAULT 'held' CHECK (state IN ('held', 'settled', 'swept')),
  fence          bigint NOT NULL DEFAULT 1,
  lease_until    timestamptz NOT NULL,
  sent_at        timestamptz,                   -- when a provider was first reached out to
  over_budget    boolean NOT NULL DEFAULT false,    -- let through while budgets were not enforced
  is_estimated   boolean NOT NULL DEFAULT false,    -- charged in full, for nobody said what it used
  overrun_tokens bigint NOT NULL DEFAULT 0,
  overrun_micros bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (workspace_id, run_id),
  FOREIGN KEY (workspace_id, run_id) REFERENCES ai_runs,
  FOREIGN KEY (workspace_id, user_id) REFERENCES workspace_members,
  FOREIGN KEY (workspace_id, project_id) REFERENCES projects
) WITH (fillfactor = 70);
-- as small as there are calls under way, so that the sweep may read all of it
CREATE INDEX ai_reservations_held ON ai_reservations (workspace_id, lease_until) WHERE state = 'held';
CREATE INDEX ai_reservations_parent ON ai_reservations (workspace_id, parent_id) WHERE parent_id IS NOT NULL;

-- The second roll-up, by all there is to ask for (requirements 001-091). No project and
-- nobody are the nil uuid: what is in a key cannot be NULL.
CREATE TABLE ai_usage_split (
  workspace_id  uuid NOT NULL REFERENCES workspaces,
  day           date NOT NULL,
  feature       text COLLATE "C" NOT NULL,
  provider      text COLLATE "C" NOT NULL,
  model         text COLLATE "C" NOT NULL,
  project_id    uuid NOT NULL,
  user_id       uuid NOT NULL,
  run_count     integer NOT NULL DEFAULT 0,
  failed_count  integer NOT NULL DEFAULT 0,
  input_tokens  bigint NOT NULL DEFAULT 0,
  output_tokens bigint NOT NULL DEFAULT 0,
  cost_micros   bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (workspace_id, day, feature, provider, model, project_id, user_id)
) WITH (fillfactor = 50);

-- What the gate refused, a day and reason.
CREATE TABLE ai_refusals (
  workspace_id  uuid NOT NULL REFERENCES workspaces,
  day           date NOT NULL,
  feature       text COLLATE "C" NOT NULL,
  reason        text COLLATE "C" NOT NULL,
  refused_count integer NOT NULL,
  latest_at     timestamptz NOT NULL,
  PRIMARY KEY (workspace_id, day, feature, reason)
);

-- When somebody last used a kind of feature: as many moments as are allowed a minute.
CREATE TABLE ai_rates (
  workspace_id uuid NOT NULL,
  user_id      uuid NOT NULL,
  class        text COLLATE "C" NOT NULL,
  recent       timestamptz[] NOT NULL DEFAULT '{}',
  PRIMARY KEY (workspace_id, user_id, class),
  FOREIGN KEY (workspace_id, user_id) REFERENCES workspace_members
) WITH (fillfactor = 50);

-- What was sent and answered, where a workspace wants that kept: sealed with a key that
-- is not in the database.
CREATE TABLE ai_payloads (
  workspace_id uuid NOT NULL,
  run_id       uuid NOT NULL,
  part         text COLLATE "C" NOT NULL CHECK (part IN ('request', 'response')),
  sealed       bytea NOT NULL CHECK (length(sealed) <= 4 << 20),
  created_at   timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (workspace_id, run_id, part),
  FOREIGN KEY (workspace_id, run_id) REFERENCES ai_runs
);
CREATE INDEX ai_payloads_age ON ai_payloads (workspace_id, created_at);

SELECT gnomon.wall('ai_policy_settings', 'ai_feature_settings', 'ai_ledger', 'ai_refusals', 'ai_rates', 'ai_payloads');
SELECT gnomon.wall_project('project_id', 'ai_reservations', 'ai_usage_split');
GRANT SELECT ON ai_policy_settings, ai_feature_settings, ai_ledger, ai_reservations, ai_usage_split, ai_refusals TO gnomon_web, gnomon_worker;

-- ---- what the functions below share; nobody else may call these

-- Everything the gate looks at. Not strict about what is missing: no row, no right.
CREATE FUNCTION gnomon.ai_state(ws uuid, of_feature text)
RETURNS TABLE (timezone text, is_stopped boolean, enabled boolean, is_known boolean, is_allowed boolean, agent_on boolean,
               max_tokens integer, within interval, models text[], warn_at smallint[],
               budgets bigint[])     -- tokens, runs, micros; the same of the feature
LANGUAGE sql STABLE AS $$
  SELECT w.timezone, s.stopped_at IS NOT NULL OR EXISTS (SELECT FROM public.ai_stops a WHERE a.ended_at IS NULL), coalesce(p.enabled, false),
         f.key IS NOT NULL, coalesce(p.allowed_features -> of_feature = 'true', false), coalesce(c.enabled, true),
         f.max_tokens, f.within, coalesce(x.models, '{}'), coalesce(s.warn_at, '{50,80,100}'),
         ARRAY[coalesce(p.monthly_token_budget, 0), coalesce(p.monthly_run_budget, 0)::bigint, coalesce(s.monthly_micros_budget, -1),
               coalesce(x.monthly_token_budget, -1), coalesce(x.monthly_run_budget, -1)::bigint, coalesce(x.monthly_micros_budget, -1)]
    FROM public.workspaces w
    LEFT JOIN public.ai_workspace_policies p ON p.workspace_id = w.id
    LEFT JOIN public.ai_policy_settings s ON s.workspace_id = w.id
    LEFT JOIN public.ai_features f ON f.key = of_feature
    LEFT JOIN public.ai_feature_settings x ON x.workspace_id = w.id AND x.feature = of_feature
    LEFT JOIN public.agent_configs c ON c.workspace_id = w.id AND 'agent.' || c.agent_key = of_feature
   WHERE w.id = ws
$$;

-- The rows of a month, made where they are missing, locked in one order: '*' first.
-- Without `make`: only those there are; false when one is missing.
CREATE FUNCTION gnomon.ai_lock(ws uuid, of_month date, of_feature text, make boolean DEFAULT true) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE n integer;
BEGIN
  FOR i IN 1 .. 2 LOOP
    SELECT count(*) INTO n FROM (
      SELECT FROM public.ai_ledger l WHERE l.workspace_id = ws AND l.month = of_month AND l.scope IN ('*', of_feature)
       ORDER BY l.scope FOR NO KEY UPDATE) locked;
    IF n = 1 + (of_feature <> '*')::integer THEN RETURN true; END IF;
    IF NOT make THEN RETURN false; END IF;
    INSERT INTO public.ai_ledger (workspace_id, month, scope) SELECT DISTINCT ws, of_month, s FROM unnest(ARRAY['*', of_feature]) s ORDER BY s
    ON CONFLICT DO NOTHING;
  END LOOP;
  RETURN true;
END $$;

-- Notes a refusal; the first of a day, feature and reason is an entry of the audit log.
CREATE FUNCTION gnomon.ai_note_refusal(ws uuid, on_day date, of_feature text, of_reason text, of_detail text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE n integer;
BEGIN
  INSERT INTO public.ai_refusals AS r (workspace_id, day, feature, reason, refused_count, latest_at)
  VALUES (ws, on_day, of_feature, of_reason, 1, now())
  ON CONFLICT (workspace_id, day, feature, reason) DO UPDATE SET refused_count = r.refused_count + 1, latest_at = excluded.latest_at
  RETURNING r.refused_count INTO n;
  IF n = 1 THEN
    PERFORM gnomon.audit('ai.refused', 'ai_feature', NULL, jsonb_build_object('feature', of_feature, 'reason', of_reason, 'detail', of_detail));
  END IF;
END $$;

-- Tells admins; the same matter again makes the notification unread again.
CREATE FUNCTION gnomon.ai_tell(ws uuid, matter text, of_title text, of_text text) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO public.notifications AS n (workspace_id, user_id, kind, title, text, entity_type, entity_id, path)
  SELECT ws, m.user_id, 'ai_budget', of_title, of_text, 'ai_budget', md5(matter)::uuid, '/usage'
    FROM public.workspace_members m
   WHERE m.workspace_id = ws AND gnomon.rank(m.role) >= 3 AND m.removed_at IS NULL
  ON CONFLICT (workspace_id, user_id, kind, entity_id) DO UPDATE
     SET title = excluded.title, text = excluded.text, read_at = NULL, latest_at = excluded.latest_at, mailed_at = NULL,
         times = CASE WHEN n.read_at IS NULL THEN n.times + 1 ELSE 1 END
$$;

-- Warns once per threshold: of the meters of these rows that passed one. A refusal
-- (of that scope and meter) is the last threshold.
CREATE FUNCTION gnomon.ai_warn(ws uuid, of_month date, of_feature text, refused_scope text DEFAULT NULL, refused_meter text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE r record; g record;
BEGIN
  SELECT * INTO g FROM gnomon.ai_state(ws, of_feature);
  FOR r IN
    SELECT l.scope, m.meter, m.budget, m.used, m.told, p.passed
      FROM public.ai_ledger l
     CROSS JOIN LATERAL (VALUES
       ('tokens', CASE l.scope WHEN '*' THEN g.budgets[1] ELSE g.budgets[4] END, l.spent_tokens + l.overrun_tokens, l.told_tokens),
       ('runs', CASE l.scope WHEN '*' THEN g.budgets[2] ELSE g.budgets[5] END, l.spent_runs, l.told_runs),
       ('micros', CASE l.scope WHEN '*' THEN g.budgets[3] ELSE g.budgets[6] END, l.spent_micros + l.overrun_micros, l.told_micros)
     ) AS m (meter, budget, used, told)
     CROSS JOIN LATERAL (
       SELECT CASE WHEN (l.scope, m.meter) = (refused_scope, refused_meter) THEN 100
                   ELSE (SELECT max(t) FROM unnest(g.warn_at) t WHERE m.used::numeric * 100 >= m.budget::numeric * t) END AS passed) p
     WHERE l.workspace_id = ws AND l.month = of_month AND l.scope IN ('*', of_feature)
       AND m.budget >= 0 AND (m.budget > 0 OR (l.scope, m.meter) = (refused_scope, refused_meter)) AND p.passed > m.told
  LOOP
    UPDATE public.ai_ledger l
       SET told_tokens = CASE r.meter WHEN 'tokens' THEN r.passed ELSE l.told_tokens END,
           told_runs = CASE r.meter WHEN 'runs' THEN r.passed ELSE l.told_runs END,
           told_micros = CASE r.meter WHEN 'micros' THEN r.passed ELSE l.told_micros END
     WHERE l.workspace_id = ws AND l.month = of_month AND l.scope = r.scope;
    PERFORM gnomon.ai_tell(ws, concat_ws(' ', ws, of_month, r.scope, r.meter),
      format(CASE WHEN r.passed >= 100 THEN 'The AI budget of %2$s is used up: %3$s' ELSE '%1$s%% of the AI budget of %2$s is used: %3$s' END,
             r.passed, to_char(of_month, 'FMMonth'),
             CASE r.meter WHEN 'micros' THEN 'cost' WHEN 'runs' THEN 'model calls' ELSE 'tokens' END
             || CASE r.scope WHEN '*' THEN '' ELSE ' of ' || (SELECT f.name FROM public.ai_features f WHERE f.key = r.scope) END),
      CASE WHEN r.passed >= 100 THEN 'Agents go on by rules alone until the month ends or the budget is raised.'
           ELSE 'Agents go on by rules alone when it is used up.' END);
  END LOOP;
END $$;

-- Settles a reservation whose ledger rows are locked. NULL tokens: nobody knows what was
-- used, so what was sent is charged in full. What was never sent is free.
CREATE FUNCTION gnomon.ai_settle(r ai_reservations, as_state text, outcome text, used_input bigint, used_output bigint, used_micros bigint,
                                 latency integer, by_provider text, by_model text, code text, message text)
RETURNS TABLE (input_tokens integer, output_tokens integer, cost_micros bigint, over_tokens bigint, over_micros bigint, is_estimated boolean)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
  nil constant uuid := '00000000-0000-0000-0000-000000000000';
  was_sent constant boolean := r.sent_at IS NOT NULL OR coalesce(used_input, 0) + coalesce(used_output, 0) > 0;
  ran record; all_tokens bigint;
BEGIN
  is_estimated := was_sent AND (used_input IS NULL OR used_output IS NULL);
  SELECT x.provider, x.model, x.started_at INTO ran FROM public.ai_runs x WHERE x.workspace_id = r.workspace_id AND x.id = r.run_id;
  ran.provider := coalesce(by_provider, ran.provider);
  ran.model := coalesce(by_model, ran.model);
  IF is_estimated THEN
    input_tokens := r.prompt_tokens;
    output_tokens := r.max_tokens;
    all_tokens := r.tokens;
    cost_micros := r.micros;
  ELSIF was_sent THEN
    input_tokens := used_input;
    output_tokens := used_output;
    all_tokens := r.lost_tokens + used_input + used_output;
    cost_micros := r.lost_micros + coalesce(used_micros, gnomon.ai_cost(ran.provider || '/' || ran.model, used_input, used_output));
  ELSE
    input_tokens := 0;
    output_tokens := 0;
    all_tokens := 0;
    cost_micros := 0;
  END IF;
  -- of a lost attempt nobody knows which were which: they are input
  input_tokens := all_tokens - output_tokens;
  over_tokens := greatest(0, all_tokens - r.tokens);
  over_micros := greatest(0, cost_micros - r.micros);
  UPDATE public.ai_reservations x
     SET state = as_state, fence = x.fence + (as_state = 'swept')::integer, is_estimated = is_estimated,
         overrun_tokens = over_tokens, overrun_micros = over_micros, sent_at = CASE WHEN was_sent THEN coalesce(x.sent_at, clock_timestamp()) END
   WHERE x.workspace_id = r.workspace_id AND x.run_id = r.run_id;
  UPDATE public.ai_ledger l
     SET reserved_tokens = l.reserved_tokens - r.tokens, reserved_runs = l.reserved_runs - 1, reserved_micros = l.reserved_micros - r.micros,
         spent_tokens = l.spent_tokens + all_tokens - over_tokens, spent_runs = l.spent_runs + was_sent::integer,
         spent_micros = l.spent_micros + cost_micros - over_micros,
         overrun_tokens = l.overrun_tokens + over_tokens, overrun_micros = l.overrun_micros + over_micros
   WHERE l.workspace_id = r.workspace_id AND l.month = r.month AND l.scope IN ('*', r.feature);
  UPDATE public.ai_runs x
     SET status = outcome, provider = ran.provider, model = ran.model, input_tokens = input_tokens, output_tokens = output_tokens,
         cost_micros = cost_micros, error_code = code, error_message = left(message, 2000), completed_at = clock_timestamp(),
         latency_ms = coalesce(latency, least(extract(epoch FROM clock_timestamp() - ran.started_at) * 1000, 2147483647)::integer)
   WHERE x.workspace_id = r.workspace_id AND x.id = r.run_id;
  INSERT INTO public.ai_usage_daily AS d (workspace_id, day, feature, run_count, input_tokens, output_tokens, cost_micros)
  VALUES (r.workspace_id, r.day, r.feature, 1, input_tokens, output_tokens, cost_micros)
  ON CONFLICT (workspace_id, day, feature) DO UPDATE
     SET run_count = d.run_count + 1, input_tokens = d.input_tokens + excluded.input_tokens,
         output_tokens = d.output_tokens + excluded.output_tokens, cost_micros = d.cost_micros + excluded.cost_micros;
  INSERT INTO public.ai_usage_split AS d (workspace_id, day, feature, provider, model, project_id, user_id,
                                          run_count, failed_count, input_tokens, output_tokens, cost_micros)
  VALUES (r.workspace_id, r.day, r.feature, ran.provider, ran.model, coalesce(r.project_id, nil), coalesce(r.user_id, nil),
          1, (outcome = 'failed')::integer, input_tokens, output_tokens, cost_micros)
  ON CONFLICT (workspace_id, day, feature, provider, model, project_id, user_id) DO UPDATE
     SET run_count = d.run_count + 1, failed_count = d.failed_count + excluded.failed_count,
         input_tokens = d.input_tokens + excluded.input_tokens, output_tokens = d.output_tokens + excluded.output_tokens,
         cost_micros = d.cost_micros + excluded.cost_micros;
  IF over_tokens > 0 OR over_micros > 0 THEN
    PERFORM gnomon.ai_tell(r.workspace_id, concat_ws(' ', r.workspace_id, r.month, 'overrun'),
      'A model used more than was set aside for it',
      format('%s used %s tokens more than its reservation. They count against the budget of %s.', ran.model, over_tokens, to_char(r.month, 'FMMonth')));
  END IF;
  PERFORM gnomon.ai_warn(r.workspace_id, r.month, r.feature);
  RETURN NEXT;
END $$;

-- Settles what has run out of its lease in a workspace, of all months or of one; how
-- many there were.
CREATE FUNCTION gnomon.ai_sweep(ws uuid, most integer, of_month date DEFAULT NULL) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE c record; r public.ai_reservations; n integer := 0;
BEGIN
  FOR c IN
    SELECT x.run_id, x.month, x.feature FROM public.ai_reservations x
     WHERE x.workspace_id = ws AND x.state = 'held' AND x.lease_until < clock_timestamp() AND x.month = coalesce(of_month, x.month)
     ORDER BY x.month, x.feature, x.run_id LIMIT most
  LOOP
    PERFORM gnomon.ai_lock(ws, c.month, c.feature);
    SELECT * INTO r FROM public.ai_reservations x
     WHERE x.workspace_id = ws AND x.run_id = c.run_id AND x.state = 'held' AND x.lease_until < clock_timestamp() FOR NO KEY UPDATE;
    CONTINUE WHEN NOT FOUND;
    PERFORM gnomon.ai_settle(r, 'swept', 'failed', NULL, NULL, NULL, NULL, NULL, NULL, 'lease_lost', 'The process that made this call was lost.');
    n := n + 1;
  END LOOP;
  RETURN n;
END $$;

-- The two functions below are the gate's innermost: PL/pgSQL, because a function in SQL is
-- planned anew at each call. budgets: tokens, runs and micros of the workspace, then of
-- the feature.

-- The first budget that a need does not fit into; NULL: it fits.
CREATE FUNCTION gnomon.ai_shortage(ws uuid, of_month date, of_feature text, budgets bigint[], need_tokens bigint, need_runs bigint, need_micros bigint,
                                   OUT scope text, OUT meter text, OUT budget bigint, OUT used bigint, OUT need bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE l record; at integer := 0;
BEGIN
  FOR l IN
    SELECT x.scope, ARRAY[x.spent_tokens + x.reserved_tokens + x.overrun_tokens, x.spent_runs + x.reserved_runs,
                          x.spent_micros + x.reserved_micros + x.overrun_micros] AS used
      FROM public.ai_ledger x WHERE x.workspace_id = ws AND x.month = of_month AND x.scope IN ('*', of_feature) ORDER BY x.scope
  LOOP
    FOR m IN 1 .. 3 LOOP
      budget := budgets[at + m];
      used := l.used[m];
      need := CASE m WHEN 1 THEN need_tokens WHEN 2 THEN need_runs ELSE need_micros END;
      IF budget >= 0 AND need > 0 AND used + need > budget THEN
        scope := l.scope;
        meter := CASE m WHEN 1 THEN 'tokens' WHEN 2 THEN 'runs' ELSE 'micros' END;
        RETURN;
      END IF;
    END LOOP;
    at := 3;
  END LOOP;
END $$;

-- Sets the caps of a month's rows to what the budgets are now, never below what is
-- spent and reserved, and adds to what is reserved.
CREATE FUNCTION gnomon.ai_reserve(ws uuid, of_month date, of_feature text, budgets bigint[], is_capped boolean, add_tokens bigint, add_runs bigint, add_micros bigint)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE public.ai_ledger l
     SET reserved_tokens = l.reserved_tokens + add_tokens,
         reserved_runs = l.reserved_runs + add_runs,
         reserved_micros = l.reserved_micros + add_micros,
         cap_tokens = CASE WHEN NOT is_capped OR b.tokens < 0 THEN -1 ELSE greatest(b.tokens, l.spent_tokens + l.reserved_tokens + add_tokens) END,
         cap_runs = CASE WHEN NOT is_capped OR b.runs < 0 THEN -1 ELSE greatest(b.runs, l.spent_runs + l.reserved_runs + add_runs) END,
         cap_micros = CASE WHEN NOT is_capped OR b.micros < 0 THEN -1 ELSE greatest(b.micros, l.spent_micros + l.reserved_micros + add_micros) END
    FROM (VALUES ('*', budgets[1], budgets[2], budgets[3]),
                 (nullif(of_feature, '*'), budgets[4], budgets[5], budgets[6])) AS b (scope, tokens, runs, micros)
   WHERE l.workspace_id = ws AND l.month = of_month AND l.scope = b.scope COLLATE "C";
END $$;

-- ---- the gate
-- Asks whether a model may be called, in the workspace entered, and reserves what it may
-- use at most. One row: either `refused` is a word of src/base/err.def (ai_disabled,
-- policy_disabled, feature_not_allowed, budget_exceeded, rate_limited; validation_failed
-- where the prompt does not fit the model) with a detail and, where waiting helps, after
-- how many seconds; or the run has begun.
--   of_feature     agent.sprint_risk
--   prompt_tokens  the most the prompt may be
--   most_tokens    the most the answer may be; NULL: as the feature says
--   offers         provider/model, in the order the installation would use them
--   switched_on    APP_AI_ENABLED
--   enforced       APP_AI_BUDGET_ENFORCEMENT; false: what does not fit is flagged
--   within         how long the call may take; NULL: as the feature says
--   on_behalf      for whom, where nobody entered (a job somebody asked for)
-- The lease is twice as long as the call may take. Nothing is sent before ai_send says so.
CREATE FUNCTION gnomon.ai_begin(of_feature text, prompt_tokens integer, most_tokens integer, offers text[], switched_on boolean, enforced boolean,
                                within interval DEFAULT NULL, in_project uuid DEFAULT NULL, on_behalf uuid DEFAULT NULL,
                                of_prompt uuid DEFAULT NULL, parent uuid DEFAULT NULL)
RETURNS TABLE (refused text, detail text, retry_after integer, run uuid, fence bigint, provider text, model text, chain text[],
               max_tokens integer, deadline timestamptz, lease_until timestamptz, reserved_tokens bigint, reserved_micros bigint, over_budget boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
  per_minute constant integer := 10;     -- requirements 002-025
  ws constant uuid := gnomon.workspace();
  g record; m record; short record;
  today date; of_month date; usr uuid; times timestamptz[]; is_locked boolean;
BEGIN
  IF ws IS NULL OR of_feature IS NULL OR NOT prompt_tokens BETWEEN 0 AND 100000000 OR most_tokens NOT BETWEEN 1 AND 10000000 OR within <= '0' THEN
    PERFORM gnomon.refuse('validation_failed', 'ai_begin: no such call');
  END IF;
  -- looked at under the lock, so that nothing passes a switch that was turned off and
  -- committed before; where there is nothing to lock yet, again when there is
  SELECT (now() AT TIME ZONE w.timezone)::date INTO STRICT today FROM public.workspaces w WHERE w.id = ws;
  of_month := date_trunc('month', today)::date;
  is_locked := gnomon.ai_lock(ws, of_month, of_feature, false);
  LOOP
    SELECT * INTO STRICT g FROM gnomon.ai_state(ws, of_feature);
    IF NOT switched_on OR g.is_stopped THEN
      refused := 'ai_disabled';
      detail := CASE WHEN switched_on THEN 'The kill switch is pulled.' ELSE 'APP_AI_ENABLED is false.' END;
    ELSIF NOT g.enabled THEN
      refused := 'policy_disabled';
      detail := 'The policy of the workspace switches AI off.';
    ELSIF NOT g.is_allowed OR NOT g.is_known THEN
      refused := 'feature_not_allowed';
      detail := format('The policy of the workspace does not allow %s.', of_feature);
    ELSIF NOT g.agent_on THEN
      refused := 'feature_not_allowed';
      detail := format('The agent %s is switched off.', substr(of_feature, 7));
    END IF;
    IF refused IS NOT NULL THEN
      IF g.is_known THEN PERFORM gnomon.ai_note_refusal(ws, today, of_feature, refused, detail); END IF;
      RETURN NEXT;
      RETURN;
    END IF;
    EXIT WHEN is_locked;
    is_locked := gnomon.ai_lock(ws, of_month, of_feature);
  END LOOP;

  -- which model: the workspace's list for the feature, of providers there are; else all
  chain := CASE WHEN g.models = '{}' THEN offers
                ELSE ARRAY(SELECT w FROM unnest(g.models) WITH ORDINALITY AS x (w, place)
                            WHERE split_part(w, '/', 1) IN (SELECT split_part(o, '/', 1) FROM unnest(offers) o) ORDER BY place) END;
  IF coalesce(cardinality(chain), 0) = 0 THEN
    refused := 'ai_disabled';
    detail := 'No provider of a model is set up.';
    PERFORM gnomon.ai_note_refusal(ws, today, of_feature, refused, detail);
    RETURN NEXT;
    RETURN;
  END IF;
  provider := split_part(chain[1], '/', 1);
  model := substr(chain[1], length(provider) + 2);
  m := gnomon.ai_model(chain[1]);
  max_tokens := least(coalesce(most_tokens, g.max_tokens), m.max_output_tokens, m.context_tokens - prompt_tokens);
  IF max_tokens < 0 OR max_tokens = 0 AND coalesce(m.max_output_tokens, 1) > 0 THEN
    refused := 'validation_failed';
    detail := format('The prompt may have %s tokens, and %s takes %s.', prompt_tokens, chain[1], m.context_tokens);
    RETURN NEXT;
    RETURN;
  END IF;
  within := coalesce(within, g.within);
  usr := coalesce(gnomon.actor(), on_behalf);
  IF NOT EXISTS (SELECT FROM public.workspace_members x WHERE x.workspace_id = ws AND x.user_id = usr) THEN usr := NULL; END IF;
  IF NOT EXISTS (SELECT FROM public.projects p WHERE p.workspace_id = ws AND p.id = in_project) THEN in_project := NULL; END IF;

  reserved_tokens := prompt_tokens + max_tokens;
  reserved_micros := ceil((prompt_tokens::numeric * m.input_micros + max_tokens::numeric * m.output_micros) / 1000000)::bigint;
  short := gnomon.ai_shortage(ws, of_month, of_feature, g.budgets, reserved_tokens, 1, reserved_micros);
  IF short.scope IS NOT NULL AND gnomon.ai_sweep(ws, 100, of_month) > 0 THEN
    short := gnomon.ai_shortage(ws, of_month, of_feature, g.budgets, reserved_tokens, 1, reserved_micros);
  END IF;
  over_budget := short.scope IS NOT NULL;
  IF over_budget AND enforced THEN
    refused := 'budget_exceeded';
    detail := format('The budget of %s %s%s has %s left, and this needs up to %s.', short.budget, short.meter,
                     CASE short.scope WHEN '*' THEN '' ELSE ' of ' || short.scope END, greatest(0, short.budget - short.used), short.need);
    retry_after := ceil(extract(epoch FROM (of_month + interval '1 month') AT TIME ZONE g.timezone - now()))::integer;
    INSERT INTO public.ai_runs (workspace_id, feature, provider, model, status, prompt_id, error_code, error_message, completed_at, created_at)
    VALUES (ws, of_feature, provider, model, 'failed', of_prompt, refused, detail, now(), now())
    RETURNING id INTO run;
    PERFORM gnomon.ai_note_refusal(ws, today, of_feature, refused, detail);
    PERFORM gnomon.ai_warn(ws, of_month, of_feature, short.scope, short.meter);
    RETURN NEXT;
    RETURN;
  END IF;

  IF gnomon.actor() IS NOT NULL AND usr IS NOT NULL THEN
    INSERT INTO public.ai_rates (workspace_id, user_id, class) VALUES (ws, usr, split_part(of_feature, '.', 1)) ON CONFLICT DO NOTHING;
    SELECT ARRAY(SELECT t FROM unnest(x.recent) t WHERE t > clock_timestamp() - interval '1 minute' ORDER BY t) INTO times
      FROM public.ai_rates x WHERE x.workspace_id = ws AND x.user_id = usr AND x.class = split_part(of_feature, '.', 1) FOR NO KEY UPDATE;
    IF cardinality(times) >= per_minute THEN
      refused := 'rate_limited';
      detail := format('%s calls of a model a minute are allowed.', per_minute);
      retry_after := greatest(1, ceil(extract(epoch FROM times[1 + cardinality(times) - per_minute] + interval '1 minute' - clock_timestamp())))::integer;
      PERFORM gnomon.ai_note_refusal(ws, today, of_feature, refused, detail);
      RETURN NEXT;
      RETURN;
    END IF;
    UPDATE public.ai_rates x SET recent = times || clock_timestamp()
     WHERE x.workspace_id = ws AND x.user_id = usr AND x.class = split_part(of_feature, '.', 1);
  END IF;

  PERFORM gnomon.ai_reserve(ws, of_month, of_feature, g.budgets, enforced, reserved_tokens, 1, reserved_micros);
  deadline := clock_timestamp() + within;
  lease_until := deadline + within;
  fence := 1;
  INSERT INTO public.ai_runs (workspace_id, feature, provider, model, status, prompt_id, started_at, created_at)
  VALUES (ws, of_feature, provider, model, 'running', of_prompt, clock_timestamp(), now())
  RETURNING id INTO run;
  INSERT INTO public.ai_reservations (workspace_id, run_id, feature, day, month, user_id, project_id, parent_id, chain, prompt_tokens, max_tokens,
                                      tokens, micros, lease_until, fence, over_budget)
  VALUES (ws, run, of_feature, today, of_month, usr, in_project,
          (SELECT p.id FROM public.ai_runs p WHERE p.workspace_id = ws AND p.id = parent), chain, prompt_tokens, max_tokens,
          reserved_tokens, reserved_micros, lease_until, fence, over_budget);
  RETURN NEXT;
END $$;

-- Says that a request is about to be sent, to this provider and model: from here on what
-- is lost is charged in full. Before every attempt. The budget is looked at again for the
-- model that will answer, the switches as well. `lost`: the attempt before may have been
-- billed although its answer never came; its price stays charged.
-- One row: refused (ai_disabled, policy_disabled, feature_not_allowed, budget_exceeded,
-- lease_lost; validation_failed where the prompt does not fit the model) or NULL.
CREATE FUNCTION gnomon.ai_send(of_run uuid, with_fence bigint, to_provider text, to_model text, enforced boolean, lost boolean DEFAULT false)
RETURNS TABLE (refused text, detail text, max_tokens integer, deadline timestamptz, reserved_tokens bigint, reserved_micros bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
  ws constant uuid := gnomon.workspace();
  r public.ai_reservations; g record; m record; short record;
BEGIN
  SELECT * INTO r FROM public.ai_reservations x WHERE x.workspace_id = ws AND x.run_id = of_run;
  IF FOUND THEN
    PERFORM gnomon.ai_lock(ws, r.month, r.feature);
    SELECT * INTO r FROM public.ai_reservations x
     WHERE x.workspace_id = ws AND x.run_id = of_run AND x.state = 'held' AND x.fence = with_fence AND x.lease_until > clock_timestamp()
       FOR NO KEY UPDATE;
  END IF;
  IF NOT FOUND THEN
    refused := 'lease_lost';
    detail := 'The run is over.';
    RETURN NEXT;
    RETURN;
  END IF;
  SELECT * INTO g FROM gnomon.ai_state(ws, r.feature);
  refused := CASE WHEN g.is_stopped THEN 'ai_disabled' WHEN NOT g.enabled THEN 'policy_disabled' WHEN NOT g.is_allowed THEN 'feature_not_allowed' END;
  IF refused IS NOT NULL THEN
    detail := 'It was switched off meanwhile.';
    RETURN NEXT;
    RETURN;
  END IF;
  IF lost AND r.sent_at IS NOT NULL THEN
    r.lost_tokens := r.tokens;
    r.lost_micros := r.micros;
  END IF;
  m := gnomon.ai_model(to_provider || '/' || to_model);
  max_tokens := least(r.max_tokens, m.max_output_tokens, m.context_tokens - r.prompt_tokens);
  IF max_tokens < 0 OR max_tokens = 0 AND r.max_tokens > 0 THEN
    refused := 'validation_failed';
    detail := format('The prompt may have %s tokens, and %s takes %s.', r.prompt_tokens, to_model, m.context_tokens);
    RETURN NEXT;
    RETURN;
  END IF;
  reserved_tokens := r.lost_tokens + r.prompt_tokens + max_tokens;
  reserved_micros := r.lost_micros + ceil((r.prompt_tokens::numeric * m.input_micros + max_tokens::numeric * m.output_micros) / 1000000)::bigint;
  short := gnomon.ai_shortage(ws, r.month, r.feature, g.budgets, reserved_tokens - r.tokens, 0, reserved_micros - r.micros);
  IF short.scope IS NOT NULL AND enforced THEN
    refused := 'budget_exceeded';
    detail := format('The budget of %s %s has %s left, and %s needs up to %s more.', short.budget, short.meter,
                     greatest(0, short.budget - short.used), to_model, short.need);
    PERFORM gnomon.ai_note_refusal(ws, r.day, r.feature, refused, detail);
    PERFORM gnomon.ai_warn(ws, r.month, r.feature, short.scope, short.meter);
    RETURN NEXT;
    RETURN;
  END IF;
  PERFORM gnomon.ai_reserve(ws, r.month, r.feature, g.budgets, enforced, reserved_tokens - r.tokens, 0, reserved_micros - r.micros);
  UPDATE public.ai_reservations x
     SET tokens = reserved_tokens, micros = reserved_micros, lost_tokens = r.lost_tokens, lost_micros = r.lost_micros,
         max_tokens = max_tokens, attempts = x.attempts + 1, sent_at = coalesce(x.sent_at, clock_timestamp()),
         over_budget = x.over_budget OR short.scope IS NOT NULL
   WHERE x.workspace_id = ws AND x.run_id = of_run;
  UPDATE public.ai_runs x SET provider = to_provider, model = to_model WHERE x.workspace_id = ws AND x.id = of_run;
  deadline := r.lease_until - (r.lease_until - (SELECT x.started_at FROM public.ai_runs x WHERE x.workspace_id = ws AND x.id = of_run)) / 2;
  RETURN NEXT;
END $$;

-- Whether a call may go on: nothing was switched off, nobody else took it over. For
-- whoever waits for an answer, now and then.
CREATE FUNCTION gnomon.ai_goes_on(of_run uuid, with_fence bigint) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT EXISTS (SELECT FROM public.ai_reservations r CROSS JOIN LATERAL gnomon.ai_state(r.workspace_id, r.feature) g
                  WHERE r.workspace_id = gnomon.workspace() AND r.run_id = of_run AND r.fence = with_fence AND r.state = 'held'
                    AND r.lease_until > clock_timestamp() AND NOT g.is_stopped AND g.enabled AND g.is_allowed)
$$;

-- Ends a call. outcome: succeeded, failed or cancelled. Tokens are what the provider
-- said; 0 and 0 where it surely billed nothing (refused, unreachable); NULL where nobody
-- knows, and then what was sent is charged in full. micros: NULL: at the model's price.
-- The second time it says again what the first one did. A run that was swept is over:
-- lease_lost.
CREATE FUNCTION gnomon.ai_end(of_run uuid, with_fence bigint, outcome text, used_input integer, used_output integer, used_micros bigint,
                              latency_ms integer, by_provider text, by_model text, code text, message text)
RETURNS TABLE (refused text, status text, input_tokens integer, output_tokens integer, cost_micros bigint,
               overrun_tokens bigint, overrun_micros bigint, is_estimated boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
  ws constant uuid := gnomon.workspace();
  r public.ai_reservations; s record;
BEGIN
  IF outcome NOT IN ('succeeded', 'failed', 'cancelled') OR used_input < 0 OR used_output < 0 OR used_micros < 0 OR latency_ms < 0 THEN
    PERFORM gnomon.refuse('validation_failed', 'ai_end: no such outcome');
  END IF;
  SELECT * INTO r FROM public.ai_reservations x WHERE x.workspace_id = ws AND x.run_id = of_run;
  IF FOUND THEN
    PERFORM gnomon.ai_lock(ws, r.month, r.feature);
    SELECT * INTO r FROM public.ai_reservations x WHERE x.workspace_id = ws AND x.run_id = of_run FOR NO KEY UPDATE;
  END IF;
  IF r.run_id IS NULL OR r.fence IS DISTINCT FROM with_fence OR r.state = 'swept' THEN
    refused := 'lease_lost';
    RETURN NEXT;
    RETURN;
  END IF;
  IF r.state = 'held' THEN
    PERFORM gnomon.ai_settle(r, 'settled', outcome, used_input, used_output, used_micros, latency_ms, by_provider, by_model, code, message);
  END IF;
  SELECT x.status, x.input_tokens, x.output_tokens, x.cost_micros, y.overrun_tokens, y.overrun_micros, y.is_estimated
    INTO status, input_tokens, output_tokens, cost_micros, overrun_tokens, overrun_micros, is_estimated
    FROM public.ai_runs x JOIN public.ai_reservations y ON y.workspace_id = x.workspace_id AND y.run_id = x.id
   WHERE x.workspace_id = ws AND x.id = of_run;
  RETURN NEXT;
END $$;

-- Sweeps every workspace that has something to sweep; how many calls there were.
CREATE FUNCTION gnomon.sweep_ai() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE ws uuid; n bigint := 0;
BEGIN
  FOR ws IN
    SELECT DISTINCT x.workspace_id FROM (
      SELECT x.workspace_id FROM public.ai_reservations x
       WHERE x.state = 'held' AND x.lease_until < clock_timestamp() ORDER BY x.lease_until LIMIT 1000) x
     ORDER BY x.workspace_id
  LOOP
    n := n + gnomon.ai_sweep(ws, 1000);
  END LOOP;
  RETURN n;
END $$;

GRANT EXECUTE ON FUNCTION gnomon.ai_begin, gnomon.ai_send, gnomon.ai_end, gnomon.ai_goes_on TO gnomon_web, gnomon_worker;
GRANT EXECUTE ON FUNCTION gnomon.sweep_ai TO gnomon_worker;

-- ---- governance
-- The policy as people read it, whole.
CREATE FUNCTION gnomon.ai_policy_of(ws uuid)
RETURNS TABLE (enabled boolean, monthly_token_budget bigint, monthly_run_budget integer, monthly_micros_budget bigint, allowed_features jsonb,
               warn_at smallint[], payloads text, payload_days integer, run_days integer, tracking_days integer,
               is_stopped boolean, stopped_at timestamptz, stopped_by uuid, stopped_why text, version integer, updated_at timestamptz)
LANGUAGE sql STABLE AS $$
  SELECT p.enabled, p.monthly_token_budget, p.monthly_run_budget, coalesce(s.monthly_micros_budget, -1), p.allowed_features,
         coalesce(s.warn_at, '{50,80,100}'), coalesce(s.payloads, 'none'), coalesce(s.payload_days, 30), coalesce(s.run_days, 395),
         coalesce(s.tracking_days, 90), s.stopped_at IS NOT NULL, s.stopped_at, s.stopped_by, coalesce(s.stopped_why, ''),
         coalesce(s.version, 1), greatest(p.updated_at, s.updated_at)
    FROM public.ai_workspace_policies p LEFT JOIN public.ai_policy_settings s ON s.workspace_id = p.workspace_id
   WHERE p.workspace_id = ws
$$;
GRANT EXECUTE ON FUNCTION gnomon.ai_policy_of TO gnomon_web, gnomon_worker;

-- Locks a workspace's policy, and its money of this month: who changes one waits for the
-- calls that are being let through, and none passes afterwards by what was before.
CREATE FUNCTION gnomon.ai_lock_policy(ws uuid) RETURNS date
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE of_month date;
BEGIN
  SELECT date_trunc('month', now() AT TIME ZONE w.timezone)::date INTO of_month FROM public.workspaces w WHERE w.id = ws;
  PERFORM gnomon.ai_lock(ws, of_month, '*');
  INSERT INTO public.ai_workspace_policies (workspace_id) VALUES (ws) ON CONFLICT DO NOTHING;
  INSERT INTO public.ai_policy_settings (workspace_id) VALUES (ws) ON CONFLICT DO NOTHING;
  PERFORM FROM public.ai_workspace_policies p WHERE p.workspace_id = ws FOR NO KEY UPDATE;
  RETURN of_month;
END $$;

-- After a change of budgets: caps are the larger of the budget and what is spent and
-- reserved, thresholds that are no longer passed can be passed again.
CREATE FUNCTION gnomon.ai_recap(ws uuid, of_month date) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE s text;
BEGIN
  FOR s IN SELECT l.scope FROM public.ai_ledger l WHERE l.workspace_id = ws AND l.month = of_month ORDER BY l.scope LOOP
    PERFORM gnomon.ai_reserve(ws, of_month, s, (SELECT g.budgets FROM gnomon.ai_state(ws, s) g), true, 0, 0, 0);
    UPDATE public.ai_ledger l
       SET told_tokens = least(l.told_tokens, coalesce((SELECT max(t) FROM unnest(g.warn_at) t WHERE (l.spent_tokens + l.overrun_tokens)::numeric * 100 >= b.tokens::numeric * t AND b.tokens > 0), 0)),
           told_runs = least(l.told_runs, coalesce((SELECT max(t) FROM unnest(g.warn_at) t WHERE l.spent_runs::numeric * 100 >= b.runs::numeric * t AND b.runs > 0), 0)),
           told_micros = least(l.told_micros, coalesce((SELECT max(t) FROM unnest(g.warn_at) t WHERE (l.spent_micros + l.overrun_micros)::numeric * 100 >= b.micros::numeric * t AND b.micros > 0), 0))
      FROM gnomon.ai_state(ws, s) g
     CROSS JOIN LATERAL (SELECT CASE s WHEN '*' THEN g.budgets[1] ELSE g.budgets[4] END AS tokens,
                                CASE s WHEN '*' THEN g.budgets[2] ELSE g.budgets[5] END AS runs,
                                CASE s WHEN '*' THEN g.budgets[3] ELSE g.budgets[6] END AS micros) b
     WHERE l.workspace_id = ws AND l.month = of_month AND l.scope = s;
    PERFORM gnomon.ai_warn(ws, of_month, s);
  END LOOP;
END $$;

-- What this month has used so far, in the workspace entered; overrun is spent.
CREATE FUNCTION gnomon.ai_month()
RETURNS TABLE (month date, spent_tokens bigint, reserved_tokens bigint, spent_runs bigint, reserved_runs bigint, spent_micros bigint, reserved_micros bigint)
LANGUAGE sql STABLE AS $$
  SELECT m.month, coalesce(l.spent_tokens + l.overrun_tokens, 0), coalesce(l.reserved_tokens, 0), coalesce(l.spent_runs, 0), coalesce(l.reserved_runs, 0),
         coalesce(l.spent_micros + l.overrun_micros, 0), coalesce(l.reserved_micros, 0)
    FROM public.workspaces w
   CROSS JOIN LATERAL (SELECT date_trunc('month', now() AT TIME ZONE w.timezone)::date AS month) m
    LEFT JOIN public.ai_ledger l ON l.workspace_id = w.id AND l.month = m.month AND l.scope = '*'
   WHERE w.id = gnomon.workspace()
$$;
GRANT EXECUTE ON FUNCTION gnomon.ai_month TO gnomon_web, gnomon_worker;

-- A budget of money comes in micros or in dollars.
CREATE FUNCTION gnomon.ai_body(body jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT (body - '{monthly_cost_budget,monthly_cost_budget_micros}'::text[])
      || CASE WHEN body ? 'monthly_cost_budget_micros' THEN jsonb_build_object('monthly_micros_budget', body -> 'monthly_cost_budget_micros')
              WHEN body ? 'monthly_cost_budget' THEN jsonb_build_object('monthly_micros_budget',
                CASE WHEN (body ->> 'monthly_cost_budget')::numeric < 0 THEN -1 ELSE round((body ->> 'monthly_cost_budget')::numeric * 1000000) END)
              ELSE '{}' END
$$;

-- Changes the fields given of the policy of the workspace entered.
CREATE FUNCTION gnomon.put_ai_policy(body jsonb)
RETURNS TABLE (refused text, enabled boolean, monthly_token_budget bigint, monthly_run_budget integer, monthly_micros_budget bigint, allowed_features jsonb,
               warn_at smallint[], payloads text, payload_days integer, run_days integer, tracking_days integer,
               is_stopped boolean, stopped_at timestamptz, stopped_by uuid, stopped_why text, version integer, updated_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE ws constant uuid := gnomon.workspace(); of_month date; p public.ai_workspace_policies; s public.ai_policy_settings; was jsonb; becomes jsonb; changes jsonb;
        outside constant text[] := '{workspace_id,created_at,updated_at,version,stopped_at,stopped_by,stopped_why}';
BEGIN
  of_month := gnomon.ai_lock_policy(ws);
  SELECT * INTO p FROM public.ai_workspace_policies x WHERE x.workspace_id = ws;
  SELECT * INTO s FROM public.ai_policy_settings x WHERE x.workspace_id = ws FOR NO KEY UPDATE;
  IF (body ->> 'version')::integer <> s.version THEN
    RETURN QUERY SELECT 'version_conflict', x.* FROM gnomon.ai_policy_of(ws) x;
    RETURN;
  END IF;
  IF EXISTS (SELECT FROM jsonb_object_keys(body -> 'allowed_features') k WHERE NOT EXISTS (SELECT FROM public.ai_features f WHERE f.key = k)) THEN
    PERFORM gnomon.refuse('validation_failed', '/allowedFeatures: has a feature that there is not.');
  END IF;
  was := (to_jsonb(p) || to_jsonb(s)) - outside;
  becomes := was || (gnomon.ai_body(body) - outside);
  IF (becomes ->> 'payload_days')::integer > (becomes ->> 'run_days')::integer THEN   -- never longer than the run
    becomes := becomes || jsonb_build_object('payload_days', becomes -> 'run_days');
  END IF;
  changes := gnomon.changed_fields(was, becomes);
  IF changes <> '{}' THEN
    UPDATE public.ai_workspace_policies x
       SET (enabled, monthly_token_budget, monthly_run_budget, allowed_features, updated_at) =
           (SELECT b.enabled, b.monthly_token_budget, b.monthly_run_budget, b.allowed_features, gnomon.now()
              FROM jsonb_populate_record(p, becomes) b)
     WHERE x.workspace_id = ws;
    UPDATE public.ai_policy_settings x
       SET (monthly_micros_budget, warn_at, payloads, payload_days, run_days, tracking_days, updated_at) =
           (SELECT b.monthly_micros_budget, b.warn_at, b.payloads, b.payload_days, b.run_days, b.tracking_days, gnomon.now()
              FROM jsonb_populate_record(s, becomes) b), version = x.version + 1
     WHERE x.workspace_id = ws;
    PERFORM gnomon.ai_recap(ws, of_month);
    PERFORM gnomon.audit('ai.policy_changed', 'ai_policy', ws, changes);
  END IF;
  RETURN QUERY SELECT NULL, x.* FROM gnomon.ai_policy_of(ws) x;
END $$;

-- The same of a feature: whether it is allowed, its budgets, which models answer it.
CREATE FUNCTION gnomon.put_ai_feature(of_feature text, body jsonb)
RETURNS TABLE (refused text, key text, name text, about text, is_allowed boolean, monthly_token_budget bigint, monthly_run_budget integer,
               monthly_micros_budget bigint, models text[], version integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE ws constant uuid := gnomon.workspace(); of_month date; f public.ai_features; s public.ai_policy_settings; x public.ai_feature_settings;
        allowed boolean; was jsonb; becomes jsonb; changes jsonb; now_version integer;
BEGIN
  SELECT * INTO f FROM public.ai_features y WHERE y.key = of_feature;
  IF NOT FOUND THEN RETURN; END IF;
  of_month := gnomon.ai_lock_policy(ws);
  SELECT * INTO s FROM public.ai_policy_settings y WHERE y.workspace_id = ws FOR NO KEY UPDATE;
  SELECT coalesce(y.allowed_features -> of_feature = 'true', false) INTO allowed FROM public.ai_workspace_policies y WHERE y.workspace_id = ws;
  INSERT INTO public.ai_feature_settings (workspace_id, feature) VALUES (ws, of_feature) ON CONFLICT DO NOTHING;
  SELECT * INTO x FROM public.ai_feature_settings y WHERE y.workspace_id = ws AND y.feature = of_feature FOR NO KEY UPDATE;
  was := jsonb_build_object('is_allowed', allowed, 'monthly_token_budget', x.monthly_token_budget, 'monthly_run_budget', x.monthly_run_budget,
                            'monthly_micros_budget', x.monthly_micros_budget, 'models', to_jsonb(x.models));
  IF (body ->> 'version')::integer <> s.version THEN
    RETURN QUERY SELECT 'version_conflict', f.key, f.name, f.about, allowed, x.monthly_token_budget, x.monthly_run_budget, x.monthly_micros_budget, x.models, s.version;
    RETURN;
  END IF;
  becomes := was || (gnomon.ai_body(body) - 'version');
  changes := gnomon.changed_fields(was, becomes);
  now_version := s.version;
  IF changes <> '{}' THEN
    allowed := (becomes ->> 'is_allowed')::boolean;
    UPDATE public.ai_workspace_policies y
       SET allowed_features = y.allowed_features || jsonb_build_object(of_feature, allowed), updated_at = gnomon.now()
     WHERE y.workspace_id = ws;
    x := jsonb_populate_record(x, becomes);
    UPDATE public.ai_feature_settings y
       SET monthly_token_budget = x.monthly_token_budget, monthly_run_budget = x.monthly_run_budget,
           monthly_micros_budget = x.monthly_micros_budget, models = x.models, updated_at = gnomon.now()
     WHERE y.workspace_id = ws AND y.feature = of_feature;
    UPDATE public.ai_policy_settings y SET updated_at = gnomon.now(), version = y.version + 1 WHERE y.workspace_id = ws RETURNING y.version INTO now_version;
    PERFORM gnomon.ai_recap(ws, of_month);
    PERFORM gnomon.audit('ai.feature_changed', 'ai_feature', NULL, changes || jsonb_build_object('feature', of_feature));
  END IF;
  RETURN QUERY SELECT NULL, f.key, f.name, f.about, allowed, x.monthly_token_budget, x.monthly_run_budget, x.monthly_micros_budget, x.models, now_version;
END $$;

-- Pulls the kill switch of the workspace entered, or puts it back. Calls under way end
-- as soon as whoever waits for them looks (ai_goes_on).
CREATE FUNCTION gnomon.pull_ai_switch(stop boolean, why text)
RETURNS TABLE (refused text, enabled boolean, monthly_token_budget bigint, monthly_run_budget integer, monthly_micros_budget bigint, allowed_features jsonb,
               warn_at smallint[], payloads text, payload_days integer, run_days integer, tracking_days integer,
               is_stopped boolean, stopped_at timestamptz, stopped_by uuid, stopped_why text, version integer, updated_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE ws constant uuid := gnomon.workspace();
BEGIN
  PERFORM gnomon.ai_lock_policy(ws);
  UPDATE public.ai_policy_settings x
     SET stopped_at = CASE WHEN stop THEN gnomon.now() END, stopped_by = CASE WHEN stop THEN gnomon.actor() END,
         stopped_why = CASE WHEN stop THEN coalesce(why, '') ELSE '' END, version = x.version + 1
   WHERE x.workspace_id = ws AND (x.stopped_at IS NOT NULL) <> stop;
  IF FOUND THEN
    PERFORM gnomon.audit(CASE WHEN stop THEN 'ai.stopped' ELSE 'ai.resumed' END, 'ai_policy', ws, jsonb_build_object('why', coalesce(why, '')));
  END IF;
  RETURN QUERY SELECT NULL, x.* FROM gnomon.ai_policy_of(ws) x;
END $$;
GRANT EXECUTE ON FUNCTION gnomon.put_ai_policy, gnomon.put_ai_feature, gnomon.pull_ai_switch TO gnomon_web;

-- The operator's, for all workspaces: nobody who runs may call it. True: it was so before.
CREATE FUNCTION gnomon.pull_ai_switch_of_all(stop boolean, why text) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF stop THEN
    INSERT INTO public.ai_stops (why) VALUES (coalesce(why, '')) ON CONFLICT ((ended_at IS NULL)) WHERE ended_at IS NULL DO NOTHING;
  ELSE
    UPDATE public.ai_stops SET ended_at = now() WHERE ended_at IS NULL;
  END IF;
  RETURN NOT FOUND;
END $$;

-- ---- what is kept for how long
-- Payloads go before the runs they belong to; sums, ledger and agents' runs stay. At
-- most 1,000 of a workspace go in one call.
CREATE INDEX ai_runs_age ON ai_runs (workspace_id, created_at);
ALTER TABLE ai_runs SET (fillfactor = 80);           -- an end stays on the page of its beginning
ALTER TABLE ai_usage_daily SET (fillfactor = 50);
CREATE INDEX agent_runs_ai ON agent_runs (workspace_id, ai_run_id) WHERE ai_run_id IS NOT NULL;
CREATE FUNCTION gnomon.forget_ai() RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  DELETE FROM public.ai_payloads x
   USING public.workspaces w LEFT JOIN public.ai_policy_settings s ON s.workspace_id = w.id
   WHERE x.workspace_id = w.id AND x.created_at < now() - make_interval(days => coalesce(s.payload_days, 30));
  WITH old AS MATERIALIZED (
    SELECT w.id AS workspace_id, r.id
      FROM public.workspaces w
      LEFT JOIN public.ai_policy_settings s ON s.workspace_id = w.id
     CROSS JOIN LATERAL (
       SELECT x.id FROM public.ai_runs x
        WHERE x.workspace_id = w.id AND x.created_at < now() - make_interval(days => coalesce(s.run_days, 395)) AND x.completed_at IS NOT NULL
        ORDER BY x.created_at LIMIT 1000) r
  ), payloads AS (
    DELETE FROM public.ai_payloads x USING old o WHERE x.workspace_id = o.workspace_id AND x.run_id = o.id
  ), accounts AS (
    DELETE FROM public.ai_reservations x USING old o WHERE x.workspace_id = o.workspace_id AND x.run_id = o.id
  ), agents AS (
    UPDATE public.agent_runs x SET ai_run_id = NULL FROM old o WHERE x.workspace_id = o.workspace_id AND x.ai_run_id = o.id
  ), runs AS (
    DELETE FROM public.ai_runs x USING old o WHERE x.workspace_id = o.workspace_id AND x.id = o.id RETURNING 1)
  SELECT count(*) FROM runs
$$;
GRANT EXECUTE ON FUNCTION gnomon.forget_ai TO gnomon_worker;

-- ---- the books, audited
-- What does not add up: the ledger of this month and the last against its runs, the
-- roll-ups against each other, and reservations that nobody swept. For whoever
-- operates the database.
CREATE FUNCTION gnomon.check_ai() RETURNS TABLE (slug text, what text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT w.slug, format('the ledger of %s, %s, is not the sum of its runs', to_char(l.month, 'FMMonth YYYY'), l.scope)
    FROM public.ai_ledger l
    JOIN public.workspaces w ON w.id = l.workspace_id
   CROSS JOIN LATERAL (
     SELECT coalesce(sum(r.tokens) FILTER (WHERE r.state = 'held'), 0) AS tokens, coalesce(sum(r.micros) FILTER (WHERE r.state = 'held'), 0) AS micros,
            count(*) FILTER (WHERE r.state = 'held') AS runs,
            coalesce(sum(a.input_tokens::bigint + a.output_tokens) FILTER (WHERE r.state <> 'held'), 0) AS used_tokens,
            coalesce(sum(a.cost_micros) FILTER (WHERE r.state <> 'held'), 0) AS used_micros,
            count(*) FILTER (WHERE r.state <> 'held' AND r.sent_at IS NOT NULL) AS used_runs
       FROM public.ai_reservations r JOIN public.ai_runs a ON a.workspace_id = r.workspace_id AND a.id = r.run_id
      WHERE r.workspace_id = l.workspace_id AND r.month = l.month AND l.scope IN ('*', r.feature)) s
   WHERE l.month >= date_trunc('month', now() - interval '1 month')::date
     AND coalesce((SELECT p.run_days FROM public.ai_policy_settings p WHERE p.workspace_id = l.workspace_id), 395) > 62
     AND (l.reserved_tokens, l.reserved_runs, l.reserved_micros, l.spent_tokens + l.overrun_tokens, l.spent_runs, l.spent_micros + l.overrun_micros)
         IS DISTINCT FROM (s.tokens, s.runs, s.micros, s.used_tokens, s.used_runs, s.used_micros)
  UNION ALL
  SELECT w.slug, format('usage of %s by day and by model differ on %s', coalesce(d.feature, x.feature), coalesce(d.day, x.day))
    FROM (SELECT workspace_id, day, feature, run_count::bigint AS n, input_tokens AS i, output_tokens AS o, cost_micros AS c FROM public.ai_usage_daily
           WHERE day >= now()::date - 62) d
    FULL JOIN (SELECT workspace_id, day, feature, sum(run_count) AS n, sum(input_tokens) AS i, sum(output_tokens) AS o, sum(cost_micros) AS c FROM public.ai_usage_split
                WHERE day >= now()::date - 62 GROUP BY workspace_id, day, feature) x USING (workspace_id, day, feature)
    JOIN public.workspaces w ON w.id = workspace_id
   WHERE (d.n, d.i, d.o, d.c) IS DISTINCT FROM (x.n, x.i, x.o, x.c)
  UNION ALL
  SELECT w.slug, format('%s calls of models are held beyond their lease', count(*))
    FROM public.ai_reservations r JOIN public.workspaces w ON w.id = r.workspace_id
   WHERE r.state = 'held' AND r.lease_until < clock_timestamp() - interval '5 minutes'
   GROUP BY w.slug
$$;

-- ---- what the audit log says of it
ALTER FUNCTION gnomon.audit_says(text, text, text, jsonb) RENAME TO audit_says_before_ai;
CREATE FUNCTION gnomon.audit_says(action text, entity_type text, subject text, details jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE action
    WHEN 'ai.policy_changed' THEN replace(gnomon.audit_says_before_ai('workspace.changed', entity_type, subject, details), 'changed the workspace', 'changed the AI policy')
    WHEN 'ai.feature_changed' THEN replace(gnomon.audit_says_before_ai('workspace.changed', entity_type, subject, details), 'changed the workspace', 'changed the AI feature ' || (details ->> 'feature'))
    WHEN 'ai.stopped' THEN concat_ws(': ', 'pulled the kill switch of AI', nullif(details ->> 'why', ''))
    WHEN 'ai.resumed' THEN concat_ws(': ', 'put the kill switch of AI back', nullif(details ->> 'why', ''))
    WHEN 'ai.refused' THEN format('was refused a model for %s: %s', details ->> 'feature', details ->> 'detail')
    ELSE gnomon.audit_says_before_ai(action, entity_type, subject, details) END
$$;
GRANT EXECUTE ON FUNCTION gnomon.audit_says TO gnomon_web;

-- ---- what travels with a workspace
ALTER FUNCTION gnomon.left_out() RENAME TO left_out_before_ai;
CREATE FUNCTION gnomon.left_out() RETURNS TABLE (name text, field text, reason text) LANGUAGE sql IMMUTABLE AS $$
  SELECT * FROM gnomon.left_out_before_ai()
  UNION ALL VALUES
    ('ai_rates', NULL, 'the last minute'),
    ('ai_payloads', NULL, 'sealed with the key of the installation')
$$;
