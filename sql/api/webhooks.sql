-- GET /api/v1/workspaces/{ws}/webhooks                               list_webhooks
-- The workspace's webhooks: addresses that hear of events.
-- role:   admin
-- query:  active bool
-- order:  newest = h.id uuid desc
-- reply:  200 page of Webhook
SELECT h.id, h.url, h.description, to_jsonb(h.event_types) AS "eventTypes", h.active, h.disabled_reason AS "disabledReason", h.failures,
       h.last_success_at AS "lastSuccessAt", h.created_at AS "createdAt", h.updated_at AS "updatedAt", h.version
  FROM webhooks h
 WHERE h.workspace_id = gnomon.workspace() AND h.removed_at IS NULL {active: AND h.active = :active}
 {page}

-- POST /api/v1/workspaces/{ws}/webhooks                            create_webhook
-- Adds a webhook. The reply has its secret, which is shown this once: messages
-- are signed with it as Standard Webhooks describes (headers webhook-id,
-- webhook-timestamp, webhook-signature). A message that is not answered with 2xx
-- within 15 s is sent again after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h and 10 h; 410
-- switches the webhook off. Each message is sent at least once: its webhook-id says
-- whether it was seen before.
-- role:    admin
-- body:    WebhookCreate
-- reply:   201 WebhookWithSecret
-- handler: webhook_create
-- errors:  validation_failed

-- GET /api/v1/workspaces/{ws}/webhooks/{webhook}                      get_webhook
-- role:   admin
-- path:   {webhook} uuid
-- reply:  200 Webhook
SELECT h.id, h.url, h.description, to_jsonb(h.event_types) AS "eventTypes", h.active, h.disabled_reason AS "disabledReason", h.failures,
       h.last_success_at AS "lastSuccessAt", h.created_at AS "createdAt", h.updated_at AS "updatedAt", h.version
  FROM webhooks h
 WHERE h.workspace_id = gnomon.workspace() AND h.id = :webhook AND h.removed_at IS NULL

-- PATCH /api/v1/workspaces/{ws}/webhooks/{webhook}                 update_webhook
-- Changes the fields given. Switched on again, it hears of what happens from
-- then on.
-- role:   admin
-- path:   {webhook} uuid
-- body:   WebhookPatch
-- reply:  200 Webhook
WITH old AS MATERIALIZED (
  SELECT h.* FROM webhooks h
   WHERE h.workspace_id = gnomon.workspace() AND h.id = :webhook AND h.removed_at IS NULL
     FOR NO KEY UPDATE
), new AS (
  UPDATE webhooks h
     SET url = coalesce(:body ->> 'url', h.url), description = coalesce(:body ->> 'description', h.description),
         event_types = CASE WHEN :body ? 'event_types' THEN gnomon.event_types(:body -> 'event_types') ELSE h.event_types END,
         active = coalesce((:body ->> 'active')::boolean, h.active)
    FROM old
   WHERE h.workspace_id = gnomon.workspace() AND h.id = old.id AND old.version = (:body ->> 'version')::integer
  RETURNING h.*
), told AS (
  SELECT gnomon.audit('webhook.changed', 'webhook', new.id, jsonb_strip_nulls(jsonb_build_object(
           'url', CASE WHEN new.url <> old.url THEN jsonb_build_array(old.url, new.url) END,
           'event_types', CASE WHEN new.event_types <> old.event_types THEN jsonb_build_array(old.event_types, new.event_types) END,
           'active', CASE WHEN new.active <> old.active THEN jsonb_build_array(old.active, new.active) END)))
    FROM new, old
), h AS (
  SELECT NULL AS refused, new.* FROM new WHERE (SELECT count(*) FROM told) = 1
  UNION ALL
  SELECT 'version_conflict', old.* FROM old WHERE NOT EXISTS (SELECT FROM new)
)
SELECT h.refused AS "!", h.id, h.url, h.description, to_jsonb(h.event_types) AS "eventTypes", h.active, h.disabled_reason AS "disabledReason",
       h.failures, h.last_success_at AS "lastSuccessAt", h.created_at AS "createdAt", h.updated_at AS "updatedAt", h.version
  FROM h

-- DELETE /api/v1/workspaces/{ws}/webhooks/{webhook}                delete_webhook
-- Removes a webhook; nothing is sent to it any more.
-- role:   admin
-- path:   {webhook} uuid
-- reply:  204
WITH gone AS (
  UPDATE webhooks h SET removed_at = now(), active = false
   WHERE h.workspace_id = gnomon.workspace() AND h.id = :webhook AND h.removed_at IS NULL
  RETURNING h.id, h.url
)
SELECT gone.id, gnomon.audit('webhook.removed', 'webhook', gone.id, jsonb_build_object('url', jsonb_build_array(gone.url, NULL)))::text AS "~told" FROM gone

-- POST /api/v1/workspaces/{ws}/webhooks/{webhook}/secret    rotate_webhook_secret
-- Makes a new secret, which the reply shows this once. For a day messages are signed with
-- the former one as well.
-- role:    admin
-- path:    {webhook} uuid
-- reply:   201 WebhookSecret
-- handler: webhook_rotate
-- errors:  not_found

-- POST /api/v1/workspaces/{ws}/webhooks/{webhook}/test              test_webhook
-- Sends a message of type ping.
-- role:   admin
-- path:   {webhook} uuid
-- reply:  202 WebhookDelivery
WITH h AS (
  SELECT h.* FROM webhooks h WHERE h.workspace_id = gnomon.workspace() AND h.id = :webhook AND h.removed_at IS NULL
), d AS (
  INSERT INTO webhook_deliveries (workspace_id, webhook_id, event_type, payload)
  SELECT h.workspace_id, h.id, 'ping', jsonb_build_object('type', 'ping',
           'timestamp', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
           'data', jsonb_build_object('workspace', (SELECT jsonb_build_object('id', w.id, 'slug', w.slug) FROM workspaces w WHERE w.id = h.workspace_id),
                                      'webhookId', h.id))
    FROM h WHERE h.active
  RETURNING *
)
SELECT CASE WHEN d.id IS NULL THEN 'illegal_state' END AS "!", d.id, h.id AS "webhookId", d.event_type AS "eventType", d.state, d.attempts, d.status_code AS "statusCode",
       d.duration_ms AS "durationMs", d.error, d.next_try AS "nextTry", d.tried_at AS "triedAt", d.created_at AS "createdAt"
  FROM h LEFT JOIN d ON true

-- GET /api/v1/workspaces/{ws}/webhooks/{webhook}/deliveries       list_deliveries
-- The messages of a webhook, newest first. They are kept for 30 days.
-- role:   admin
-- path:   {webhook} uuid
-- query:  state delivery_state[], eventType text(1..100)
-- order:  newest = d.id uuid desc
-- reply:  200 page of WebhookDelivery
SELECT d.id, d.webhook_id AS "webhookId", d.event_type AS "eventType", d.state, d.attempts, d.status_code AS "statusCode",
       d.duration_ms AS "durationMs", d.error, d.next_try AS "nextTry", d.tried_at AS "triedAt", d.created_at AS "createdAt"
  FROM webhook_deliveries d
 WHERE d.workspace_id = gnomon.workspace() AND d.webhook_id = :webhook
   {state: AND d.state = ANY(:state)} {eventType: AND d.event_type = :eventType}
 {page}

-- part: webhook needed
SELECT h.id FROM webhooks h WHERE h.workspace_id = gnomon.workspace() AND h.id = :webhook AND h.removed_at IS NULL

-- GET /api/v1/workspaces/{ws}/webhooks/{webhook}/deliveries/{delivery}    get_delivery
-- One message, with what it says.
-- role:   admin
-- path:   {webhook} uuid, {delivery} uuid
-- reply:  200 WebhookMessage
SELECT d.id, d.webhook_id AS "webhookId", d.event_type AS "eventType", d.state, d.attempts, d.status_code AS "statusCode",
       d.duration_ms AS "durationMs", d.error, d.next_try AS "nextTry", d.tried_at AS "triedAt", d.created_at AS "createdAt", d.payload
  FROM webhook_deliveries d
 WHERE d.workspace_id = gnomon.workspace() AND d.webhook_id = :webhook AND d.id = :delivery
   AND EXISTS (SELECT FROM webhooks h WHERE h.workspace_id = d.workspace_id AND h.id = d.webhook_id AND h.removed_at IS NULL)

-- POST /api/v1/workspaces/{ws}/webhooks/{webhook}/deliveries/{delivery}/replay    replay_delivery
-- Sends a message again, with all its attempts and the same webhook-id.
-- role:   admin
-- path:   {webhook} uuid, {delivery} uuid
-- reply:  202 WebhookDelivery
WITH h AS (
  SELECT h.active, d.* FROM webhooks h JOIN webhook_deliveries d ON d.workspace_id = h.workspace_id AND d.webhook_id = h.id
   WHERE h.workspace_id = gnomon.workspace() AND h.id = :webhook AND h.removed_at IS NULL AND d.id = :delivery
), d AS (
  UPDATE webhook_deliveries d
     SET state = 'pending', attempts = 0, next_try = now(), status_code = NULL, duration_ms = NULL, error = NULL
    FROM h
   WHERE d.workspace_id = gnomon.workspace() AND d.id = h.id AND h.active
  RETURNING d.*
)
SELECT CASE WHEN d.id IS NULL THEN 'illegal_state' END AS "!", h.id, h.webhook_id AS "webhookId", h.event_type AS "eventType",
       coalesce(d.state, h.state) AS state, coalesce(d.attempts, h.attempts) AS attempts, d.status_code AS "statusCode",
       d.duration_ms AS "durationMs", d.error, d.next_try AS "nextTry", d.tried_at AS "triedAt", h.created_at AS "createdAt"
  FROM h LEFT JOIN d ON true
