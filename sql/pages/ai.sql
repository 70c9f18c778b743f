-- GET /w/{ws}/admin/ai                                           show_ai_policy
-- What models may do in the workspace: the kill switch, budgets, features.
-- role:   admin
-- page:   ai_policy
-- use:    list_ai_features as features
SELECT p.enabled AS "isOn", p.is_stopped AS "isStopped", p.stopped_at AS "stoppedAt", u.name AS "stoppedBy", p.stopped_why AS "stoppedWhy",
       p.monthly_token_budget AS "tokenBudget", p.monthly_run_budget AS "runBudget", p.run_days AS "days", p.version,
       CASE WHEN p.monthly_micros_budget < 0 THEN '-1' ELSE trim_scale(p.monthly_micros_budget / 1000000.0)::text END AS "costBudget",
       50 = ANY (p.warn_at) AS "at50", 80 = ANY (p.warn_at) AS "at80", 90 = ANY (p.warn_at) AS "at90", 100 = ANY (p.warn_at) AS "at100",
       p.monthly_token_budget = 0 OR p.monthly_run_budget = 0 OR p.monthly_micros_budget = 0 AS "isNothing",
       (SELECT count(*) FROM ai_features f WHERE p.allowed_features -> f.key = 'true') AS "allowedCount",
       (SELECT count(*) FROM ai_features f WHERE p.allowed_features -> f.key = 'true') = 1 AS "isOneAllowed",
       EXISTS (SELECT FROM ai_stops s WHERE s.ended_at IS NULL) AS "isStoppedForAll"
  FROM gnomon.ai_policy_of(gnomon.workspace()) p LEFT JOIN users u ON u.id = p.stopped_by

-- part: month one
SELECT to_char(m.month, 'FMMonth') AS name, m.spent_tokens AS "usedTokens", m.reserved_tokens AS "heldTokens", m.spent_runs AS "callCount",
       m.spent_micros AS "costMicros"
  FROM gnomon.ai_month() m

-- part: models list
SELECT DISTINCT ON (m.name) m.name, m.version AS since, (m.config ->> 'inputMicros')::int8 AS "inputMicros", (m.config ->> 'outputMicros')::int8 AS "outputMicros",
       m.config ->> 'source' AS source, CASE WHEN m.config ->> 'source' LIKE 'https://%' THEN m.config ->> 'source' END AS link
  FROM ml_models m WHERE m.config ->> 'kind' = 'llm'
 ORDER BY m.name, m.version DESC
 LIMIT 200

-- POST /w/{ws}/admin/ai     form of update_ai_policy, then /w/{ws}/admin/ai
-- message: The policy is changed. It holds from the next call on.
-- page:   show_ai_policy

-- POST /w/{ws}/admin/ai/kill-switch     form of set_kill_switch, then /w/{ws}/admin/ai
-- message: The kill switch is changed.
-- page:   show_ai_policy

-- POST /w/{ws}/admin/ai/features/{feature}/allow     form of update_ai_feature, then /w/{ws}/admin/ai#features
-- message: The feature is changed. It holds from the next call on.
-- path:   {feature} text(1..64)
-- page:   show_ai_policy

-- GET /w/{ws}/admin/ai/features/{feature}                        show_ai_feature
-- One feature: whether it is allowed, its budgets, its models.
-- role:   admin
-- path:   {feature} text(1..64)
-- page:   ai_feature
SELECT f.key AS "featureName", f.name, f.about, coalesce(p.allowed_features -> f.key = 'true', false) AS "isAllowed",
       coalesce(x.monthly_token_budget, -1) AS "tokenBudget", coalesce(x.monthly_run_budget, -1) AS "runBudget",
       CASE WHEN coalesce(x.monthly_micros_budget, -1) < 0 THEN '-1' ELSE trim_scale(x.monthly_micros_budget / 1000000.0)::text END AS "costBudget",
       array_to_string(coalesce(x.models, '{}'), E'\n') AS "modelLines", p.version
  FROM ai_features f
 CROSS JOIN gnomon.ai_policy_of(gnomon.workspace()) p
  LEFT JOIN ai_feature_settings x ON x.workspace_id = gnomon.workspace() AND x.feature = f.key
 WHERE f.key = :feature

-- part: used one
SELECT to_char(m.month, 'FMMonth') AS name, coalesce(l.spent_tokens + l.overrun_tokens, 0) AS "usedTokens", coalesce(l.spent_runs, 0) AS "callCount",
       coalesce(l.spent_micros + l.overrun_micros, 0) AS "costMicros"
  FROM gnomon.ai_month() m
  LEFT JOIN ai_ledger l ON l.workspace_id = gnomon.workspace() AND l.month = m.month AND l.scope = :feature

-- POST /w/{ws}/admin/ai/features/{feature}     form of update_ai_feature, then /w/{ws}/admin/ai/features/{feature}
-- message: The feature is changed. It holds from the next call on.
-- path:   {feature} text(1..64)
-- page:   show_ai_feature
