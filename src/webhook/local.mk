# src/webhook: handlers of webhooks and mail subscriptions.
libgnomon_a_SOURCES += src/webhook/webhook_api.c
