-- What the handlers of webhooks and notifications do (src/webhook).

-- name: create_webhook
-- A webhook, in the workspace entered; its secret comes after it in the run.
-- args: id uuid, body jsonb
WITH room AS MATERIALIZED (
  SELECT CASE WHEN count(*) >= 50 THEN gnomon.refuse('validation_failed', 'A workspace has at most 50 webhooks. Remove one first.') END
    FROM (SELECT FROM webhooks h WHERE h.workspace_id = gnomon.workspace() AND h.removed_at IS NULL LIMIT 50) h
), h AS (
  INSERT INTO webhooks (workspace_id, id, url, description, event_types, created_by)
  SELECT gnomon.workspace(), :id, b.url, coalesce(b.description, ''), gnomon.event_types(:body -> 'event_types'), gnomon.actor()
    FROM room, jsonb_to_record(:body) AS b (url text, description text)
  RETURNING *
)
SELECT h.id, h.url, h.description, to_jsonb(h.event_types) AS "eventTypes", h.active, h.disabled_reason AS "disabledReason", h.failures,
       h.last_success_at AS "lastSuccessAt", h.created_at AS "createdAt", h.updated_at AS "updatedAt", h.version
  FROM h CROSS JOIN LATERAL (
    SELECT gnomon.audit('webhook.created', 'webhook', h.id, jsonb_build_object('url', jsonb_build_array(NULL, h.url)))) a

-- name: set_webhook_secret
-- A new secret for a webhook of the workspace entered; NULL: there is none.
-- args: webhook uuid, secret text
SELECT gnomon.set_webhook_secret(:webhook, :secret) AS made_at

-- name: audit_webhook_secret
-- Remembers that a secret was made anew.
-- args: webhook uuid
SELECT gnomon.audit('webhook.secret_rotated', 'webhook', h.id)
  FROM webhooks h WHERE h.workspace_id = gnomon.workspace() AND h.id = :webhook AND h.removed_at IS NULL

-- name: fresh_webhook_secret
-- The secret, encrypted; NULL when it may not be shown any more.
-- args: webhook uuid
SELECT secret FROM gnomon.fresh_webhook_secret(:webhook)

-- name: unsubscribe
-- Stops the mails that a sealed link names.
-- args: workspace uuid, user uuid, what text
SELECT gnomon.unsubscribe(:workspace, :user, :what)
