-- GET /w/{ws}/admin/webhooks                                        show_webhooks
-- The workspace's webhooks, and a form for a new one.
-- role:   admin
-- page:   webhooks
-- use:    list_webhooks as webhooks

-- POST /w/{ws}/admin/webhooks     form of create_webhook, then /w/{ws}/admin/webhooks
-- message: The webhook is added. Its secret can be read on its page for ten minutes.
-- page:   show_webhooks

-- GET /w/{ws}/admin/webhooks/{webhook}                               show_webhook
-- A webhook: what it hears of, and its messages.
-- role:   admin
-- path:   {webhook} uuid
-- page:   webhook
-- use:    list_deliveries as deliveries
SELECT h.id, h.url, h.description, array_to_string(h.event_types, ', ') AS "eventTypes", h.active AS "isOn", h.disabled_reason AS "disabledReason",
       h.failures, h.last_success_at AS "lastSuccessAt", h.created_at AS "createdAt", h.version,
       (SELECT f.secret IS NOT NULL FROM gnomon.fresh_webhook_secret(h.id) f) AS "hasFreshSecret"
  FROM webhooks h
 WHERE h.workspace_id = gnomon.workspace() AND h.id = :webhook AND h.removed_at IS NULL

-- POST /w/{ws}/admin/webhooks/{webhook}     form of update_webhook, then /w/{ws}/admin/webhooks/{webhook}
-- message: The webhook is up to date.
-- path:   {webhook} uuid
-- page:   show_webhook

-- POST /w/{ws}/admin/webhooks/{webhook}/test     form of test_webhook, then /w/{ws}/admin/webhooks/{webhook}
-- message: A test message is on its way.
-- path:   {webhook} uuid
-- page:   show_webhook

-- POST /w/{ws}/admin/webhooks/{webhook}/remove     form of delete_webhook, then /w/{ws}/admin/webhooks
-- message: The webhook is removed.
-- path:   {webhook} uuid
-- page:   show_webhook

-- GET /w/{ws}/admin/webhooks/{webhook}/secret                 show_webhook_secret
-- The secret, for ten minutes after it was made.
-- role:    admin
-- path:    {webhook} uuid
-- page:    webhook_secret
-- use:     get_webhook as webhook
-- handler: webhook_show_secret

-- POST /w/{ws}/admin/webhooks/{webhook}/secret     form of rotate_webhook_secret, then /w/{ws}/admin/webhooks/{webhook}/secret
-- message: The webhook has a new secret.
-- path:   {webhook} uuid
-- page:   show_webhook

-- GET /w/{ws}/admin/webhooks/{webhook}/deliveries/{delivery}        show_delivery
-- One message: what it says and how its last attempt went.
-- role:   admin
-- path:   {webhook} uuid, {delivery} uuid
-- page:   delivery
SELECT d.id, d.webhook_id AS "webhook.id", h.url AS "webhook.url", d.event_type AS "eventType", d.state, d.attempts, d.status_code AS "statusCode",
       d.duration_ms::bigint AS "durationMs", d.error, d.next_try AS "nextTryAt", d.tried_at AS "triedAt", d.created_at AS "createdAt",
       jsonb_pretty(d.payload) AS payload, h.active AND h.removed_at IS NULL AS "canReplay"
  FROM webhook_deliveries d JOIN webhooks h ON h.workspace_id = d.workspace_id AND h.id = d.webhook_id
 WHERE d.workspace_id = gnomon.workspace() AND d.webhook_id = :webhook AND d.id = :delivery

-- POST /w/{ws}/admin/webhooks/{webhook}/deliveries/{delivery}/replay     form of replay_delivery, then /w/{ws}/admin/webhooks/{webhook}/deliveries/{delivery}
-- message: The message is sent again.
-- path:   {webhook} uuid, {delivery} uuid
-- page:   show_delivery
