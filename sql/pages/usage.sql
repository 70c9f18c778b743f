-- GET /w/{ws}/usage                                               show_usage
-- What models cost and what agents did, this month and day by day.
-- role:   viewer
-- page:   usage
-- part: totals one
WITH month AS (
  SELECT coalesce(sum(d.run_count), 0)::bigint AS calls, coalesce(sum(d.cost_micros), 0)::bigint AS cost,
         coalesce(sum(d.input_tokens), 0)::bigint AS tokens_in, coalesce(sum(d.output_tokens), 0)::bigint AS tokens_out
    FROM ai_usage_daily d JOIN workspaces w ON w.id = d.workspace_id
   WHERE d.workspace_id = gnomon.workspace()
     AND d.day >= date_trunc('month', gnomon.now() AT TIME ZONE w.timezone)::date
), agents AS (
  SELECT count(*) AS runs, count(*) FILTER (WHERE r.status = 'succeeded')::double precision / nullif(count(r.completed_at), 0) AS succeeded,
         (percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM r.completed_at - r.started_at)) * 1000)::bigint AS median,
         (max(extract(epoch FROM r.completed_at - r.started_at)) * 1000)::bigint AS longest
    FROM agent_runs r
   WHERE r.workspace_id = gnomon.workspace() AND r.created_at >= gnomon.now() - interval '30 days'
)
SELECT to_char(gnomon.now() AT TIME ZONE w.timezone, 'FMMonth') AS month,
       to_char(date_trunc('month', gnomon.now() AT TIME ZONE w.timezone) + interval '1 month', 'FMDD FMMonth') AS "endsOn",
       m.calls AS "callCount", m.cost AS "costMicros", m.tokens_in + m.tokens_out AS "usedTokens",
       m.tokens_in AS "inTokens", m.tokens_out AS "outTokens",
       a.runs AS "runCount", a.succeeded AS "succeededShare", a.median AS "medianMs", a.longest AS "longestMs",
       coalesce(p.enabled, false) AS "isAiOn", coalesce(p.monthly_token_budget = -1, false) AS "isUnlimited",
       CASE WHEN p.monthly_token_budget > 0 THEN p.monthly_token_budget END AS "budgetTokens",
       CASE WHEN p.monthly_run_budget > 0 THEN p.monthly_run_budget::bigint END AS "callBudgetCount",
       b.share AS "usedShare", least(100, b.share * 100)::integer AS "usedPercent", coalesce(greatest(b.share, c.share, e.share) >= 1, false) AS "isUsedUp",
       c.share AS "callShare", least(100, c.share * 100)::integer AS "callPercent",
       CASE WHEN s.monthly_micros_budget > 0 THEN s.monthly_micros_budget END AS "costBudgetMicros", e.share AS "budgetCostShare", least(100, e.share * 100)::integer AS "costPercent",
       t.reserved_tokens AS "heldTokens", t.reserved_runs AS "heldCount", t.reserved_runs = 1 AS "isOneHeld",
       coalesce(s.is_stopped, false) OR EXISTS (SELECT FROM ai_stops z WHERE z.ended_at IS NULL) AS "isStopped"
  FROM workspaces w
  LEFT JOIN ai_workspace_policies p ON p.workspace_id = w.id
  LEFT JOIN gnomon.ai_policy_of(w.id) s ON true
 CROSS JOIN gnomon.ai_month() t
 CROSS JOIN month m
 CROSS JOIN agents a
 CROSS JOIN LATERAL (SELECT t.spent_tokens::double precision / nullif(greatest(p.monthly_token_budget, 0), 0) AS share) b
 CROSS JOIN LATERAL (SELECT t.spent_runs::double precision / nullif(greatest(p.monthly_run_budget, 0), 0) AS share) c
 CROSS JOIN LATERAL (SELECT t.spent_micros::double precision / nullif(greatest(s.monthly_micros_budget, 0), 0) AS share) e
 WHERE w.id = gnomon.workspace()

-- part: runDays list chart bars
SELECT to_char(d.day, 'FMDD Mon') AS label, d.day, count(r.id) AS value,
       count(r.id) FILTER (WHERE r.status = 'failed') AS "failedCount",
       coalesce(sum(extract(epoch FROM r.completed_at - r.started_at) * 1000), 0)::bigint AS "totalMs",
       'Agent runs per day' AS title
  FROM workspaces w
 CROSS JOIN LATERAL (SELECT (gnomon.now() AT TIME ZONE w.timezone)::date - n AS day FROM generate_series(0, 29) n) d
  LEFT JOIN agent_runs r ON r.workspace_id = w.id AND r.created_at >= gnomon.now() - interval '31 days'
                        AND (r.created_at AT TIME ZONE w.timezone)::date = d.day
 WHERE w.id = gnomon.workspace()
 GROUP BY d.day ORDER BY d.day

-- part: costDays list chart bars
SELECT to_char(d.day, 'FMDD Mon') AS label, d.day, coalesce(sum(u.cost_micros), 0)::bigint AS value, 'micros' AS unit,
       coalesce(sum(u.cost_micros), 0)::bigint AS "costMicros", coalesce(sum(u.input_tokens + u.output_tokens), 0)::bigint AS "usedTokens",
       'Model cost per day' AS title
  FROM workspaces w
 CROSS JOIN LATERAL (SELECT (gnomon.now() AT TIME ZONE w.timezone)::date - n AS day FROM generate_series(0, 29) n) d
  LEFT JOIN ai_usage_daily u ON u.workspace_id = w.id AND u.day = d.day
 WHERE w.id = gnomon.workspace()
 GROUP BY d.day ORDER BY d.day

-- part: features list
SELECT coalesce(f.name, upper(left(d.feature, 1)) || replace(replace(substr(d.feature, 2), '_', ' '), '.', ', ')) AS name, sum(d.run_count)::bigint AS "callCount",
       sum(d.input_tokens)::bigint AS "inTokens", sum(d.output_tokens)::bigint AS "outTokens", sum(d.cost_micros)::bigint AS "costMicros",
       sum(d.cost_micros)::double precision / nullif(sum(sum(d.cost_micros)) OVER (), 0) AS "costShare"
  FROM ai_usage_daily d JOIN workspaces w ON w.id = d.workspace_id LEFT JOIN ai_features f ON f.key = d.feature
 WHERE d.workspace_id = gnomon.workspace()
   AND d.day >= date_trunc('month', gnomon.now() AT TIME ZONE w.timezone)::date
 GROUP BY d.feature, f.name
 ORDER BY sum(d.cost_micros) DESC, d.feature
 LIMIT 50

-- part: models list
SELECT d.model AS name, d.provider, sum(d.run_count)::bigint AS "callCount", sum(d.failed_count)::bigint AS "failedCount", sum(d.input_tokens)::bigint AS "inTokens",
       sum(d.output_tokens)::bigint AS "outTokens", sum(d.cost_micros)::bigint AS "costMicros"
  FROM ai_usage_split d JOIN workspaces w ON w.id = d.workspace_id
 WHERE d.workspace_id = gnomon.workspace()
   AND d.day >= date_trunc('month', gnomon.now() AT TIME ZONE w.timezone)::date
 GROUP BY d.provider, d.model
 ORDER BY sum(d.cost_micros) DESC, d.model
 LIMIT 50

-- part: usedProjects list
SELECT p.key, coalesce(p.name, 'No project') AS name, s.calls AS "callCount", s.tokens AS "usedTokens", s.cost AS "costMicros"
  FROM (SELECT d.project_id, sum(d.run_count)::bigint AS calls, sum(d.input_tokens + d.output_tokens)::bigint AS tokens, sum(d.cost_micros)::bigint AS cost
          FROM ai_usage_split d JOIN workspaces w ON w.id = d.workspace_id
         WHERE d.workspace_id = gnomon.workspace()
           AND d.day >= date_trunc('month', gnomon.now() AT TIME ZONE w.timezone)::date
         GROUP BY d.project_id) s
  LEFT JOIN projects p ON p.workspace_id = gnomon.workspace() AND p.id = s.project_id
 ORDER BY s.cost DESC, p.key
 LIMIT 50

-- part: people list
SELECT CASE WHEN u.id = gnomon.actor() THEN u.name || ' (you)' WHEN u.id IS NOT NULL THEN u.name WHEN gnomon.rank(s.role) >= 3 THEN 'Schedules' ELSE 'Schedules and others' END AS name,
       s.calls AS "callCount", s.tokens AS "usedTokens", s.cost AS "costMicros"
  FROM (SELECT CASE WHEN gnomon.rank(m.role) >= 3 OR d.user_id = gnomon.actor() THEN d.user_id END AS user_id, m.role,
               sum(d.run_count)::bigint AS calls, sum(d.input_tokens + d.output_tokens)::bigint AS tokens, sum(d.cost_micros)::bigint AS cost
          FROM ai_usage_split d
          JOIN workspaces w ON w.id = d.workspace_id
          JOIN workspace_members m ON m.workspace_id = d.workspace_id AND m.user_id = gnomon.actor()
         WHERE d.workspace_id = gnomon.workspace()
           AND d.day >= date_trunc('month', gnomon.now() AT TIME ZONE w.timezone)::date
         GROUP BY 1, 2) s
  LEFT JOIN users u ON u.id = s.user_id
 ORDER BY s.cost DESC, name
 LIMIT 50

-- part: refusals list
SELECT coalesce(f.name, r.feature) AS name, sum(r.refused_count)::bigint AS "refusedCount", max(r.latest_at) AS "latestAt",
       CASE r.reason WHEN 'ai_disabled' THEN 'Models are stopped, or none is set up' WHEN 'policy_disabled' THEN 'The policy switches models off'
                     WHEN 'feature_not_allowed' THEN 'The policy does not allow it, or its agent is off' WHEN 'budget_exceeded' THEN 'A budget is used up'
                     WHEN 'rate_limited' THEN 'Too many calls in a minute' ELSE r.reason END AS why
  FROM ai_refusals r JOIN workspaces w ON w.id = r.workspace_id LEFT JOIN ai_features f ON f.key = r.feature
 WHERE r.workspace_id = gnomon.workspace()
   AND r.day >= date_trunc('month', gnomon.now() AT TIME ZONE w.timezone)::date
 GROUP BY f.name, r.feature, r.reason
 ORDER BY sum(r.refused_count) DESC, name, r.reason
 LIMIT 50

-- part: agents list
SELECT c.agent_key AS key, upper(left(c.agent_key, 1)) || replace(substr(c.agent_key, 2), '_', ' ') AS name, c.enabled AS "isOn",
       n.runs AS "runCount", n.succeeded AS "succeededCount", n.failed AS "failedCount", n.median AS "medianMs", n.longest AS "longestMs",
       f.insights AS "insightCount"
  FROM agent_configs c
 CROSS JOIN LATERAL (
   SELECT count(*) AS runs, count(*) FILTER (WHERE r.status = 'succeeded') AS succeeded, count(*) FILTER (WHERE r.status = 'failed') AS failed,
          (percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM r.completed_at - r.started_at)) * 1000)::bigint AS median,
          (max(extract(epoch FROM r.completed_at - r.started_at)) * 1000)::bigint AS longest
     FROM agent_runs r
    WHERE r.workspace_id = c.workspace_id AND r.agent_key = c.agent_key AND r.created_at >= gnomon.now() - interval '30 days') n
 CROSS JOIN LATERAL (
   SELECT count(*) AS insights FROM agent_insights i
    WHERE i.workspace_id = c.workspace_id AND i.agent_key = c.agent_key AND i.created_at >= gnomon.now() - interval '30 days') f
 WHERE c.workspace_id = gnomon.workspace()
 ORDER BY name
