-- GET /w/{ws}/notifications                                    show_notifications
-- What concerns you, unread first.
-- role:   viewer
-- page:   notifications
-- use:    list_notifications as notifications
-- part: totals one
SELECT count(*) AS "unreadCount", count(*) = 1 AS "isOneUnread"
  FROM (SELECT FROM notifications n
         WHERE n.workspace_id = gnomon.workspace() AND n.user_id = gnomon.actor() AND n.read_at IS NULL LIMIT 1000) n

-- POST /w/{ws}/notifications/read-all     form of read_all_notifications, then /w/{ws}/notifications
-- message: All notifications are read.
-- page:   show_notifications

-- POST /w/{ws}/notifications/{notification}     form of update_notification, then {next}
-- path:   {notification} uuid
-- page:   show_notifications

-- GET /w/{ws}/notifications/preferences           show_notification_preferences
-- How you hear of what.
-- role:   viewer
-- page:   notification_preferences
-- part: kinds list
SELECT k.kind, k.name, k.what, coalesce(p.in_app, true) AS "isInApp", coalesce(p.mail, 'off') = 'off' AS "isOff",
       p.mail = 'now' AS "isNow", p.mail = 'daily' AS "isDaily"
  FROM (VALUES (1, 'assigned', 'Assigned to you', 'A story, a task, an insight or an objective is given to you.'),
               (2, 'mention', 'Mentions', 'Somebody names you in a comment.'),
               (3, 'watching', 'What you watch', 'Something changes, or somebody comments on it.'),
               (4, 'sprint', 'Sprints', 'A sprint of a project you work in starts or is completed.'),
               (5, 'insight', 'Insights', 'An agent finds something new. Team leads and admins hear of it.'),
               (6, 'system', 'Administration', 'Something needs an admin, such as a webhook that is switched off.')) AS k (place, kind, name, what)
  LEFT JOIN notification_preferences p ON p.workspace_id = gnomon.workspace() AND p.user_id = gnomon.actor() AND p.kind = k.kind
 ORDER BY k.place

-- POST /w/{ws}/notifications/preferences/{kind}     form of set_notification_preference, then /w/{ws}/notifications/preferences
-- message: Your preferences are saved.
-- path:   {kind} notification_kind
-- page:   show_notification_preferences

-- GET /unsubscribe/{link}                                       show_unsubscribe
-- Stops the mails that a mail's link names, with a button.
-- role:    public
-- path:    {link} text(1..2000)
-- page:    unsubscribe
-- handler: notification_show_unsubscribe

-- POST /unsubscribe/{link}     form of unsubscribe, then /unsubscribe/{link}
-- message: You get no more of these mails.
-- path:   {link} text(1..2000)
-- page:   show_unsubscribe
