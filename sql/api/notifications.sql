-- GET /api/v1/workspaces/{ws}/notifications                    list_notifications
-- What concerns you: unread first, then by time. Several changes of one thing
-- are one notification, with their number in times.
-- role:   viewer
-- query:  unread bool, kind notification_kind[]
-- order:  unread = n.is_unread~isUnread bool desc, n.latest_at time desc, n.id uuid desc
-- reply:  200 page of Notification
SELECT n.id, gnomon.notification_kind(n.kind) AS kind, n.title, n.text, n.times, n.times > 1 AS "isGrouped", n.entity_type AS "entityType", n.entity_id AS "entityId",
       '/w/' || w.slug || n.path AS path, u.id AS "actor.id", u.name AS "actor.name",
       n.is_unread AS "isUnread", n.latest_at AS "latestAt", n.read_at AS "readAt", n.created_at AS "createdAt"
  FROM (SELECT n.*
          FROM {kind: (SELECT DISTINCT unnest(:kind)) AS kind (value),}
               LATERAL (SELECT * FROM notifications n
                         WHERE n.workspace_id = gnomon.workspace() AND n.user_id = gnomon.actor() AND n.in_app
                           {unread: AND n.is_unread = :unread} {kind: AND gnomon.notification_kind(n.kind) = kind.value}
                         {page}) n
         WHERE true {page}) n
  JOIN workspaces w ON w.id = n.workspace_id
  LEFT JOIN users u ON u.id = n.actor_id
 WHERE true {page}

-- PATCH /api/v1/workspaces/{ws}/notifications/{notification}  update_notification
-- Marks a notification as read, or as unread again.
-- role:   viewer
-- path:   {notification} uuid
-- body:   NotificationPatch
-- reply:  200 Notification
WITH n AS (
  UPDATE notifications n
     SET read_at = CASE WHEN (:body ->> 'is_unread')::boolean THEN NULL ELSE coalesce(n.read_at, gnomon.now()) END
   WHERE n.workspace_id = gnomon.workspace() AND n.user_id = gnomon.actor() AND n.id = :notification AND n.in_app
  RETURNING n.*)
SELECT n.id, gnomon.notification_kind(n.kind) AS kind, n.title, n.text, n.times, n.times > 1 AS "isGrouped", n.entity_type AS "entityType", n.entity_id AS "entityId",
       '/w/' || w.slug || n.path AS path, u.id AS "actor.id", u.name AS "actor.name",
       n.is_unread AS "isUnread", n.latest_at AS "latestAt", n.read_at AS "readAt", n.created_at AS "createdAt"
  FROM n JOIN workspaces w ON w.id = n.workspace_id LEFT JOIN users u ON u.id = n.actor_id

-- POST /api/v1/workspaces/{ws}/notifications/read-all     read_all_notifications
-- Marks all your notifications of the workspace as read.
-- role:   viewer
-- reply:  200 NotificationsRead
WITH n AS (
  UPDATE notifications n SET read_at = gnomon.now()
   WHERE n.workspace_id = gnomon.workspace() AND n.user_id = gnomon.actor() AND n.read_at IS NULL
  RETURNING 1)
SELECT count(*)::integer AS read FROM n

-- GET /api/v1/workspaces/{ws}/notification-preferences    list_notification_preferences
-- How you hear of what in this workspace: in the product, and by mail not at all,
-- at once, or in a digest at 08:00.
-- role:   viewer
-- reply:  200 list of NotificationPreference
SELECT k.kind, coalesce(p.in_app, true) AS "inApp", coalesce(p.mail, 'off') AS mail
  FROM unnest('{assigned,mention,watching,sprint,insight,system}'::text[]) WITH ORDINALITY AS k (kind, place)
  LEFT JOIN notification_preferences p ON p.workspace_id = gnomon.workspace() AND p.user_id = gnomon.actor() AND p.kind = k.kind
 ORDER BY k.place

-- PUT /api/v1/workspaces/{ws}/notification-preferences/{kind}    set_notification_preference
-- role:   viewer
-- path:   {kind} notification_kind
-- body:   NotificationPreferencePut
-- reply:  200 NotificationPreference
INSERT INTO notification_preferences AS p (workspace_id, user_id, kind, in_app, mail)
VALUES (gnomon.workspace(), gnomon.actor(), :kind, (:body ->> 'in_app')::boolean, :body ->> 'mail')
ON CONFLICT (workspace_id, user_id, kind) DO UPDATE SET in_app = excluded.in_app, mail = excluded.mail
RETURNING p.kind, p.in_app AS "inApp", p.mail

-- POST /api/v1/unsubscribe/{link}                                    unsubscribe
-- Stops the mails that the link of a mail names (RFC 8058: mail programs post
-- here). The link is that of the mail; nobody needs to be signed in.
-- role:    public
-- path:    {link} text(1..2000)
-- reply:   204
-- handler: notification_unsubscribe
-- errors:  not_found
