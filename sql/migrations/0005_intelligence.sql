-- What the product adds to the work: policies, agents, runs, insights,
-- notifications. The documented tables have the documented columns (and the
-- number and version every such row has); what we add stands beside them.

CREATE TABLE ai_workspace_policies (
  workspace_id         uuid PRIMARY KEY REFERENCES workspaces,
  enabled              boolean NOT NULL DEFAULT false,
  monthly_token_budget bigint NOT NULL DEFAULT 0,    -- 0: nothing allowed, -1: no limit
  monthly_run_budget   integer NOT NULL DEFAULT 0,
  allowed_features     jsonb NOT NULL DEFAULT '{}',
  created_at           timestamptz NOT NULL DEFAULT gnomon.now(),
  updated_at           timestamptz NOT NULL DEFAULT gnomon.now()
);

CREATE TABLE ai_runs (
  workspace_id  uuid NOT NULL REFERENCES workspaces,
  id            uuid NOT NULL DEFAULT gnomon.uuid7(),
  feature       text COLLATE "C" NOT NULL,
  provider      text COLLATE "C" NOT NULL,
  model         text COLLATE "C" NOT NULL,
  status        text COLLATE "C" NOT NULL DEFAULT 'queued'
                CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
  prompt_id     uuid,
  input_tokens  integer NOT NULL DEFAULT 0,
  output_tokens integer NOT NULL DEFAULT 0,
  cost_micros   bigint NOT NULL DEFAULT 0,
  latency_ms    integer NOT NULL DEFAULT 0,
  error_code    text,
  error_message text,
  started_at    timestamptz,
  completed_at  timestamptz,
  created_at    timestamptz NOT NULL DEFAULT gnomon.now(),
  PRIMARY KEY (workspace_id, id)
);

CREATE TABLE ai_usage_daily (
  workspace_id  uuid NOT NULL REFERENCES workspaces,
  day           date NOT NULL,          -- in the workspace's time zone
  feature       text COLLATE "C" NOT NULL,
  run_count     integer NOT NULL DEFAULT 0,
  input_tokens  bigint NOT NULL DEFAULT 0,
  output_tokens bigint NOT NULL DEFAULT 0,
  cost_micros   bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (workspace_id, day, feature)
);

CREATE TABLE agent_configs (
  workspace_id  uuid NOT NULL REFERENCES workspaces,
  id            uuid NOT NULL DEFAULT gnomon.uuid7(),
  agent_key     text COLLATE "C" NOT NULL,
  enabled       boolean NOT NULL DEFAULT false,
  schedule_cron text NOT NULL,          -- in the workspace's time zone
  thresholds    jsonb NOT NULL DEFAULT '{}',  -- only what differs from the agent's defaults
  delivery      jsonb NOT NULL DEFAULT '{}',
  created_at    timestamptz NOT NULL DEFAULT gnomon.now(),
  updated_at    timestamptz NOT NULL DEFAULT gnomon.now(),
  PRIMARY KEY (workspace_id, id),
  UNIQUE (workspace_id, agent_key)
);

CREATE TABLE agent_runs (
  workspace_id uuid NOT NULL REFERENCES workspaces,
  id           uuid NOT NULL DEFAULT gnomon.uuid7(),
  number       integer NOT NULL,        -- R-4820
  agent_key    text COLLATE "C" NOT NULL,
  status       text COLLATE "C" NOT NULL DEFAULT 'queued'
               CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'partial')),
  trigger_type text COLLATE "C" NOT NULL CHECK (trigger_type IN ('schedule', 'manual', 'event')),
  triggered_by uuid,
  ai_run_id    uuid,
  summary      text,
  stats        jsonb NOT NULL DEFAULT '{}',
  error        text,
  started_at   timestamptz,
  completed_at timestamptz,
  created_at   timestamptz NOT NULL DEFAULT gnomon.now(),
  PRIMARY KEY (workspace_id, id),
  UNIQUE (workspace_id, number),
  FOREIGN KEY (workspace_id, ai_run_id) REFERENCES ai_runs
);
CREATE INDEX agent_runs_newest ON agent_runs (workspace_id, agent_key, id);

-- The period lock: an agent runs once per period, however many workers race
-- and however often one of them dies (the run is found again and continued).
CREATE TABLE agent_run_periods (
  workspace_id  uuid NOT NULL,
  agent_key     text COLLATE "C" NOT NULL,
  period_bucket text COLLATE "C" NOT NULL,  -- '2026-11-20T08:00' local, or 'manual:<job id>'
  agent_run_id  uuid NOT NULL,
  PRIMARY KEY (workspace_id, agent_key, period_bucket),
  FOREIGN KEY (workspace_id, agent_run_id) REFERENCES agent_runs
);
CREATE INDEX agent_run_periods_run ON agent_run_periods (workspace_id, agent_run_id);

-- The analysis packet: the facts a run was based on, as they were.
CREATE TABLE agent_packets (
  workspace_id uuid NOT NULL,
  agent_run_id uuid NOT NULL,
  facts        jsonb NOT NULL,
  thresholds   jsonb NOT NULL,
  as_of        timestamptz NOT NULL,
  PRIMARY KEY (workspace_id, agent_run_id),
  FOREIGN KEY (workspace_id, agent_run_id) REFERENCES agent_runs
);

CREATE TABLE agent_insights (
  workspace_id    uuid NOT NULL REFERENCES workspaces,
  id              uuid NOT NULL DEFAULT gnomon.uuid7(),
  number          integer NOT NULL,     -- I-1042
  agent_run_id    uuid NOT NULL,        -- the run that saw it last
  agent_key       text COLLATE "C" NOT NULL,
  project_id      uuid,
  sprint_id       uuid,
  insight_type    text COLLATE "C" NOT NULL DEFAULT 'risk'
                  CHECK (insight_type IN ('velocity', 'risk', 'blocker', 'scope_creep', 'hygiene')),
  severity        text COLLATE "C" NOT NULL CHECK (gnomon.severity_rank(severity) > 0),
  confidence      smallint CHECK (confidence BETWEEN 0 AND 100),
  title           text NOT NULL CHECK (length(title) BETWEEN 1 AND 300),
  body            text NOT NULL CHECK (length(body) <= 20000),
  recommendations jsonb NOT NULL DEFAULT '[]',   -- ["…"]
  evidence        jsonb NOT NULL DEFAULT '[]',   -- [{"id":"F-1","label":…,"value":…,"ref":{"type":…,"id":…,"key":…}}]
  entity_refs     jsonb NOT NULL DEFAULT '[]',   -- [{"type":…,"id":…,"key":…,"title":…}]
  state           text COLLATE "C" NOT NULL DEFAULT 'open'
                  CHECK (state IN ('open', 'acknowledged', 'dismissed', 'resolved')),
  owner_user_id   uuid,
  created_at      timestamptz NOT NULL DEFAULT gnomon.now(),
  updated_at      timestamptz NOT NULL DEFAULT gnomon.now(),
  version         integer NOT NULL DEFAULT 1,
  PRIMARY KEY (workspace_id, id),
  UNIQUE (workspace_id, number),
  FOREIGN KEY (workspace_id, agent_run_id) REFERENCES agent_runs,
  FOREIGN KEY (workspace_id, project_id) REFERENCES projects,
  FOREIGN KEY (workspace_id, project_id, sprint_id) REFERENCES sprints (workspace_id, project_id, id),
  FOREIGN KEY (workspace_id, owner_user_id) REFERENCES workspace_members,
  CHECK (jsonb_typeof(evidence) = 'array' AND evidence <> '[]')     -- no fact, no insight
);
-- The filters of the feed and their usual pairs, in the feed's order. A list of states or severities
-- follows them one value at a time (list_insights): with = ANY an index gives no
-- order, and where few match, every insight would be read.
CREATE INDEX agent_insights_open ON agent_insights (workspace_id, state, id);
CREATE INDEX agent_insights_severity ON agent_insights (workspace_id, severity, id);
CREATE INDEX agent_insights_both ON agent_insights (workspace_id, state, severity, id);
CREATE INDEX agent_insights_agent ON agent_insights (workspace_id, agent_key, id);
CREATE INDEX agent_insights_agent_open ON agent_insights (workspace_id, agent_key, state, id);
CREATE INDEX agent_insights_agent_severity ON agent_insights (workspace_id, agent_key, severity, id);
CREATE INDEX agent_insights_owner ON agent_insights (workspace_id, owner_user_id, id);
CREATE INDEX agent_insights_project ON agent_insights (workspace_id, project_id, id);

-- What a run had to say about an insight. The fingerprint says which risk it
-- is, so that the same one found tomorrow is the same insight again.
CREATE TABLE insight_sightings (
  workspace_id uuid NOT NULL,
  agent_run_id uuid NOT NULL,
  insight_id   uuid NOT NULL,
  fingerprint  text COLLATE "C" NOT NULL,
  origin       text COLLATE "C" NOT NULL CHECK (origin IN ('rules', 'model')),
  outcome      text COLLATE "C" NOT NULL CHECK (outcome IN ('new', 'updated', 'unchanged', 'suppressed')),
  severity     text COLLATE "C" NOT NULL,
  PRIMARY KEY (workspace_id, agent_run_id, insight_id),
  FOREIGN KEY (workspace_id, agent_run_id) REFERENCES agent_runs,
  FOREIGN KEY (workspace_id, insight_id) REFERENCES agent_insights
);
CREATE INDEX insight_sightings_insight ON insight_sightings (workspace_id, insight_id);
CREATE INDEX insight_sightings_fingerprint ON insight_sightings (workspace_id, fingerprint);

CREATE TABLE notifications (
  workspace_id uuid NOT NULL,
  id           uuid NOT NULL DEFAULT gnomon.uuid7(),
  user_id      uuid NOT NULL,
  kind         text COLLATE "C" NOT NULL,
  title        text NOT NULL,
  entity_type  text COLLATE "C" NOT NULL,
  entity_id    uuid NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT gnomon.now(),
  read_at      timestamptz,
  PRIMARY KEY (workspace_id, id),
  UNIQUE (workspace_id, user_id, kind, entity_id),
  FOREIGN KEY (workspace_id, user_id) REFERENCES workspace_members
);

CREATE TRIGGER number BEFORE INSERT ON agent_runs FOR EACH ROW EXECUTE FUNCTION gnomon.number_in_workspace();
CREATE TRIGGER number BEFORE INSERT ON agent_insights FOR EACH ROW EXECUTE FUNCTION gnomon.number_in_workspace();
CREATE TRIGGER version BEFORE UPDATE ON agent_insights FOR EACH ROW EXECUTE FUNCTION gnomon.next_version();

-- Legal moves of an insight (requirements 000-024): open → acknowledged →
-- resolved, dismissal from either, and reopening of what was closed.
CREATE FUNCTION gnomon.insight_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT (OLD.state, NEW.state) IN (('open', 'acknowledged'), ('open', 'dismissed'), ('open', 'resolved'),
      ('acknowledged', 'dismissed'), ('acknowledged', 'resolved'), ('dismissed', 'open'), ('resolved', 'open')) THEN
    PERFORM gnomon.refuse('illegal_state', OLD.state || ' to ' || NEW.state);
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER state_moves BEFORE UPDATE OF state ON agent_insights FOR EACH ROW
  WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION gnomon.insight_move();

SELECT gnomon.track('agent_insights', 'insight', 'coalesce(r.project_id, r.workspace_id)',
  '{number,agent_key,sprint_id,insight_type,severity,confidence,title,body,recommendations,evidence,entity_refs,state,owner_user_id}');
SELECT gnomon.track('agent_configs', 'agent_config', 'r.workspace_id',
  '{agent_key,enabled,schedule_cron,thresholds,delivery}');

SELECT gnomon.wall('ai_workspace_policies', 'ai_runs', 'ai_usage_daily', 'agent_configs', 'agent_runs',
  'agent_run_periods', 'agent_packets', 'agent_insights', 'insight_sightings', 'notifications');
GRANT SELECT ON ai_workspace_policies, ai_runs, ai_usage_daily, agent_configs, agent_runs, agent_run_periods,
  agent_packets, agent_insights, insight_sightings, notifications TO gnomon_web, gnomon_worker;
GRANT INSERT, UPDATE ON agent_configs, ai_workspace_policies TO gnomon_web;
GRANT UPDATE (state, owner_user_id, version, updated_at) ON agent_insights TO gnomon_web;
GRANT UPDATE (read_at) ON notifications TO gnomon_web;
GRANT INSERT, UPDATE ON agent_runs, agent_run_periods, agent_packets, agent_insights, insight_sightings, notifications TO gnomon_worker;
GRANT EXECUTE ON FUNCTION gnomon.insight_move TO gnomon_web, gnomon_worker;
