-- The agents' last three weeks: every run their schedules had, queued for the
-- worker to do as of that time. So the feed, the runs and their facts have a
-- past that was computed, not made up.
INSERT INTO jobs (workspace_id, queue, kind, payload, once, run_at)
SELECT c.workspace_id, 'automation', 'agent:' || c.agent_key || ':run',
       jsonb_build_object('trigger', 'schedule', 'period', t.bucket, 'at', t.fires_at),
       'agent:' || c.agent_key || ':' || t.bucket, t.fires_at
  FROM agent_configs c
  JOIN workspaces w ON w.id = c.workspace_id
 CROSS JOIN LATERAL gnomon.cron_times(c.schedule_cron, w.timezone, now() - interval '21 days', now()) t
 WHERE c.enabled AND w.slug IN ('acme', 'northwind')
 ORDER BY t.fires_at
ON CONFLICT (workspace_id, once) DO NOTHING;
