// Webhooks and notifications.
import { lit, sql } from '../lib.mjs'

const hook = () => ({ url: 'https://hooks.example.org/walked', eventTypes: ['story.*'] })
export const bodies = {
	create_webhook: hook,
	update_webhook: () => ({ version: 1, description: 'Walked' }),
	delete_webhook: () => undefined,
	rotate_webhook_secret: () => undefined,
	test_webhook: () => undefined,
	replay_delivery: () => undefined,
	update_notification: () => ({ isUnread: false }),
	read_all_notifications: () => undefined,
	set_notification_preference: () => ({ inApp: true, mail: 'off' }),
	unsubscribe: () => undefined,
}
export function make(t) {
	const [ws, owner] = [lit(t.id), lit(t.owner.id)]
	const webhook = sql(`INSERT INTO webhooks (workspace_id, url, event_types) VALUES (${ws}, 'https://hooks.example.org/', '{story.moved}') RETURNING id`)
	sql(`INSERT INTO webhook_secrets (workspace_id, webhook_id, secret) VALUES (${ws}, ${lit(webhook)}, 'none')`)
	return {
		webhook: { id: webhook },
		delivery: { id: sql(`INSERT INTO webhook_deliveries (workspace_id, webhook_id, event_type, payload, next_try, state)
			VALUES (${ws}, ${lit(webhook)}, 'story.moved', '{}', NULL, 'delivered') RETURNING id`) },
		notification: { id: sql(`INSERT INTO notifications (workspace_id, user_id, kind, title, entity_type, entity_id)
			VALUES (${ws}, ${owner}, 'assigned', 'Walked', 'story', ${lit(t.stories[0].id)}) RETURNING id`) },
		kind: { id: 'watching', none: 'nothing', shared: true },
		link: { id: 'no.link', none: 'nothing', shared: true },
	}
}
