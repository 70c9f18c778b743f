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
       b.share AS "usedShare", least(100, b.share * 100)::integer AS "usedPercent", b.share >= 1 AS "isUsedUp",
       c.share AS "callShare", least(100, c.share * 100)::integer AS "callPercent"
  FROM workspaces w
  LEFT JOIN ai_workspace_policies p ON p.workspace_id = w.id
 CROSS JOIN month m
 CROSS JOIN agents a
 CROSS JOIN LATERAL (SELECT (m.tokens_in + m.tokens_out)::double precision / nullif(greatest(p.monthly_token_budget, 0), 0) AS share) b
 CROSS JOIN LATERAL (SELECT m.calls::double precision / nullif(greatest(p.monthly_run_budget, 0), 0) AS share) c
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
SELECT upper(left(d.feature, 1)) || replace(replace(substr(d.feature, 2), '_', ' '), '.', ', ') AS name, sum(d.run_count)::bigint AS "callCount",
       sum(d.input_tokens)::bigint AS "inTokens", sum(d.output_tokens)::bigint AS "outTokens", sum(d.cost_micros)::bigint AS "costMicros",
       sum(d.cost_micros)::double precision / nullif(sum(sum(d.cost_micros)) OVER (), 0) AS "costShare"
  FROM ai_usage_daily d JOIN workspaces w ON w.id = d.workspace_id
 WHERE d.workspace_id = gnomon.workspace()
   AND d.day >= date_trunc('month', gnomon.now() AT TIME ZONE w.timezone)::date
 GROUP BY d.feature
 ORDER BY sum(d.cost_micros) DESC, d.feature
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
