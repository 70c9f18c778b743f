-- GET /api/v1/workspaces/{ws}/ai/policy                           get_ai_policy
-- Whether models may be called in this workspace, for what, and the budgets of a month, of
-- which 0 allows nothing and -1 has no limit. Months are those of the workspace's time zone.
-- role:   admin
-- reply:  200 AiPolicy
SELECT p.enabled, p.monthly_token_budget AS "monthlyTokenBudget", p.monthly_run_budget AS "monthlyRunBudget",
       p.monthly_micros_budget AS "monthlyCostBudgetMicros", p.allowed_features AS "allowedFeatures", to_jsonb(p.warn_at) AS "warnAt",
       p.run_days AS "runDays", p.is_stopped AS "isStopped", p.stopped_at AS "stoppedAt", u.id AS "stoppedBy.id", u.name AS "stoppedBy.name",
       p.stopped_why AS "stoppedWhy", p.version, p.updated_at AS "updatedAt"
  FROM gnomon.ai_policy_of(gnomon.workspace()) p LEFT JOIN users u ON u.id = p.stopped_by

-- PUT /api/v1/workspaces/{ws}/ai/policy                        update_ai_policy
-- Changes the policy; fields left out keep their value, allowedFeatures is replaced as a
-- whole. Effective for the next call. A budget below what this month has used
-- stops further calls, and takes nothing back. Admins are warned once a month at each
-- percentage of warnAt. Runs older than runDays are forgotten; their sums stay.
-- role:   admin
-- body:   AiPolicyPut
-- reply:  200 AiPolicy
SELECT p.refused AS "!", p.enabled, p.monthly_token_budget AS "monthlyTokenBudget", p.monthly_run_budget AS "monthlyRunBudget",
       p.monthly_micros_budget AS "monthlyCostBudgetMicros", p.allowed_features AS "allowedFeatures", to_jsonb(p.warn_at) AS "warnAt",
       p.run_days AS "runDays", p.is_stopped AS "isStopped", p.stopped_at AS "stoppedAt", u.id AS "stoppedBy.id", u.name AS "stoppedBy.name",
       p.stopped_why AS "stoppedWhy", p.version, p.updated_at AS "updatedAt"
  FROM gnomon.put_ai_policy(:body) p LEFT JOIN users u ON u.id = p.stopped_by

-- PUT /api/v1/workspaces/{ws}/ai/kill-switch                    set_kill_switch
-- Stops every model call of the workspace at once, those under way included, or lets
-- them happen again. The policy stays as it is.
-- role:   admin
-- body:   AiStop
-- reply:  200 AiPolicy
SELECT p.refused AS "!", p.enabled, p.monthly_token_budget AS "monthlyTokenBudget", p.monthly_run_budget AS "monthlyRunBudget",
       p.monthly_micros_budget AS "monthlyCostBudgetMicros", p.allowed_features AS "allowedFeatures", to_jsonb(p.warn_at) AS "warnAt",
       p.run_days AS "runDays", p.is_stopped AS "isStopped", p.stopped_at AS "stoppedAt", u.id AS "stoppedBy.id", u.name AS "stoppedBy.name",
       p.stopped_why AS "stoppedWhy", p.version, p.updated_at AS "updatedAt"
  FROM gnomon.pull_ai_switch((:body ->> 'stop')::boolean, :body ->> 'why') p LEFT JOIN users u ON u.id = p.stopped_by

-- GET /api/v1/workspaces/{ws}/ai/features                      list_ai_features
-- Everything a model can be used for here: whether the policy allows it, budgets of its
-- own, which models answer it, and what it used this month.
-- role:   admin
-- reply:  200 list of AiFeature
SELECT f.key, f.name, f.about, coalesce(p.allowed_features -> f.key = 'true', false) AS "isAllowed",
       coalesce(x.monthly_token_budget, -1) AS "monthlyTokenBudget", coalesce(x.monthly_run_budget, -1) AS "monthlyRunBudget",
       coalesce(x.monthly_micros_budget, -1) AS "monthlyCostBudgetMicros", to_jsonb(coalesce(x.models, '{}')) AS models, p.version,
       coalesce(l.spent_tokens + l.overrun_tokens, 0) AS "usedTokens", coalesce(l.spent_runs, 0) AS "usedRuns",
       coalesce(l.spent_micros + l.overrun_micros, 0) AS "usedCostMicros"
  FROM ai_features f
  JOIN workspaces w ON w.id = gnomon.workspace()
 CROSS JOIN gnomon.ai_policy_of(gnomon.workspace()) p
  LEFT JOIN ai_feature_settings x ON x.workspace_id = gnomon.workspace() AND x.feature = f.key
  LEFT JOIN ai_ledger l ON l.workspace_id = gnomon.workspace() AND l.scope = f.key
                       AND l.month = date_trunc('month', now() AT TIME ZONE w.timezone)::date
 ORDER BY f.place

-- PUT /api/v1/workspaces/{ws}/ai/features/{feature}           update_ai_feature
-- Allows a feature or forbids it, gives it budgets of its own within those of the
-- workspace, and says which models answer it, in order. Fields left out keep their value.
-- role:   admin
-- path:   {feature} text(1..64)
-- body:   AiFeaturePut
-- reply:  200 AiFeatureSettings
SELECT f.refused AS "!", f.key, f.name, f.about, f.is_allowed AS "isAllowed", f.monthly_token_budget AS "monthlyTokenBudget",
       f.monthly_run_budget AS "monthlyRunBudget", f.monthly_micros_budget AS "monthlyCostBudgetMicros", to_jsonb(f.models) AS models, f.version
  FROM gnomon.put_ai_feature(:feature, :body) f

-- GET /api/v1/workspaces/{ws}/ai/models                          list_ai_models
-- Models whose price is known, in micros of a dollar per million tokens, and where the
-- price is from. A name without a date stands for its dated forms, provider/* for all
-- of a provider; a model that is not here costs as much as the dearest.
-- role:   viewer
-- reply:  200 list of AiModel
SELECT DISTINCT ON (m.name) m.name, m.version AS since, (m.config ->> 'inputMicros')::int8 AS "inputMicros", (m.config ->> 'outputMicros')::int8 AS "outputMicros",
       (m.config ->> 'contextTokens')::int8 AS "contextTokens", (m.config ->> 'maxOutputTokens')::int8 AS "maxOutputTokens", m.config ->> 'source' AS source
  FROM ml_models m
 WHERE m.config ->> 'kind' = 'llm'
 ORDER BY m.name, m.version DESC

-- GET /api/v1/workspaces/{ws}/ai/usage                            get_ai_usage
-- What AI used this month (or from one day to another), by feature, model, project and
-- person, what is left of the budgets, and what was refused. People other than
-- yourself are named to admins only.
-- role:   viewer
-- query:  from date, to date
-- reply:  200 Usage
-- part: policy one
SELECT p.enabled, p.monthly_token_budget AS "monthlyTokenBudget", p.monthly_run_budget AS "monthlyRunBudget"
  FROM ai_workspace_policies p WHERE p.workspace_id = gnomon.workspace()
-- part: totals one
SELECT coalesce(sum(d.run_count), 0)::int8 AS runs, coalesce(sum(d.input_tokens), 0)::int8 AS "inputTokens",
       coalesce(sum(d.output_tokens), 0)::int8 AS "outputTokens", coalesce(sum(d.cost_micros), 0)::int8 AS "costMicros"
  FROM ai_usage_daily d JOIN workspaces w ON w.id = d.workspace_id
 WHERE d.workspace_id = gnomon.workspace()
   AND d.day >= coalesce({from: :from,} date_trunc('month', gnomon.now() AT TIME ZONE w.timezone)::date)
   {to: AND d.day <= :to}
-- part: budget one
SELECT t.month, (t.month + interval '1 month')::date AS "endsOn",
       p.monthly_token_budget AS "tokens.budget", t.spent_tokens AS "tokens.spent", t.reserved_tokens AS "tokens.reserved",
       CASE WHEN p.monthly_token_budget >= 0 THEN greatest(0, p.monthly_token_budget - t.spent_tokens - t.reserved_tokens) END AS "tokens.left",
       p.monthly_run_budget::int8 AS "runs.budget", t.spent_runs AS "runs.spent", t.reserved_runs AS "runs.reserved",
       CASE WHEN p.monthly_run_budget >= 0 THEN greatest(0, p.monthly_run_budget - t.spent_runs - t.reserved_runs) END AS "runs.left",
       p.monthly_micros_budget AS "costMicros.budget", t.spent_micros AS "costMicros.spent", t.reserved_micros AS "costMicros.reserved",
       CASE WHEN p.monthly_micros_budget >= 0 THEN greatest(0, p.monthly_micros_budget - t.spent_micros - t.reserved_micros) END AS "costMicros.left"
  FROM gnomon.ai_month() t CROSS JOIN gnomon.ai_policy_of(gnomon.workspace()) p
-- part: features list
SELECT d.feature, sum(d.run_count)::int8 AS runs, sum(d.input_tokens)::int8 AS "inputTokens",
       sum(d.output_tokens)::int8 AS "outputTokens", sum(d.cost_micros)::int8 AS "costMicros"
  FROM ai_usage_daily d JOIN workspaces w ON w.id = d.workspace_id
 WHERE d.workspace_id = gnomon.workspace()
   AND d.day >= coalesce({from: :from,} date_trunc('month', gnomon.now() AT TIME ZONE w.timezone)::date)
   {to: AND d.day <= :to}
 GROUP BY d.feature ORDER BY d.feature
-- part: models list
SELECT d.provider, d.model, sum(d.run_count)::int8 AS runs, sum(d.input_tokens)::int8 AS "inputTokens",
       sum(d.output_tokens)::int8 AS "outputTokens", sum(d.cost_micros)::int8 AS "costMicros"
  FROM ai_usage_split d JOIN workspaces w ON w.id = d.workspace_id
 WHERE d.workspace_id = gnomon.workspace()
   AND d.day >= coalesce({from: :from,} date_trunc('month', gnomon.now() AT TIME ZONE w.timezone)::date)
   {to: AND d.day <= :to}
 GROUP BY d.provider, d.model ORDER BY sum(d.cost_micros) DESC, d.provider, d.model LIMIT 100
-- part: projects list
SELECT p.id AS "project.id", p.key AS "project.key", p.name AS "project.name", s.runs, s.i AS "inputTokens", s.o AS "outputTokens", s.c AS "costMicros"
  FROM (SELECT d.project_id, sum(d.run_count)::int8 AS runs, sum(d.input_tokens)::int8 AS i, sum(d.output_tokens)::int8 AS o, sum(d.cost_micros)::int8 AS c
          FROM ai_usage_split d JOIN workspaces w ON w.id = d.workspace_id
         WHERE d.workspace_id = gnomon.workspace()
           AND d.day >= coalesce({from: :from,} date_trunc('month', gnomon.now() AT TIME ZONE w.timezone)::date)
           {to: AND d.day <= :to}
         GROUP BY d.project_id) s
  LEFT JOIN projects p ON p.workspace_id = gnomon.workspace() AND p.id = s.project_id
 ORDER BY s.c DESC, p.key LIMIT 100
-- part: users list
SELECT u.id AS "user.id", u.name AS "user.name", s.runs, s.i AS "inputTokens", s.o AS "outputTokens", s.c AS "costMicros"
  FROM (SELECT CASE WHEN gnomon.rank(m.role) >= 3 OR d.user_id = gnomon.actor() THEN d.user_id END AS user_id,
               sum(d.run_count)::int8 AS runs, sum(d.input_tokens)::int8 AS i, sum(d.output_tokens)::int8 AS o, sum(d.cost_micros)::int8 AS c
          FROM ai_usage_split d
          JOIN workspaces w ON w.id = d.workspace_id
          JOIN workspace_members m ON m.workspace_id = d.workspace_id AND m.user_id = gnomon.actor()
         WHERE d.workspace_id = gnomon.workspace()
           AND d.day >= coalesce({from: :from,} date_trunc('month', gnomon.now() AT TIME ZONE w.timezone)::date)
           {to: AND d.day <= :to}
         GROUP BY 1) s
  LEFT JOIN users u ON u.id = s.user_id
 ORDER BY s.c DESC, u.name LIMIT 100
-- part: refusals list
SELECT r.feature, r.reason, sum(r.refused_count)::int8 AS count
  FROM ai_refusals r JOIN workspaces w ON w.id = r.workspace_id
 WHERE r.workspace_id = gnomon.workspace()
   AND r.day >= coalesce({from: :from,} date_trunc('month', gnomon.now() AT TIME ZONE w.timezone)::date)
   {to: AND r.day <= :to}
 GROUP BY r.feature, r.reason ORDER BY sum(r.refused_count) DESC, r.feature, r.reason LIMIT 100
