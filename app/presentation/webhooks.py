"""Webhooks as operators see them: without secrets, and with only the host of their URL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict
from urllib.parse import urlsplit

from app.stores.alerts import AlertRepository
from app.stores.records.webhooks import AlertKind, Webhook, WebhookFormat, WebhookStatus


class WebhookSettings(TypedDict):
    """The settings of a webhook; `url` ends after the host, because the rest may be a secret."""

    name: str
    url: str
    format: WebhookFormat
    on: list[AlertKind]
    signed: bool
    private: bool
    remind_hours: int
    readable: bool


class WebhookView(WebhookSettings):
    """The settings, with the state of the deliveries; times in Unix seconds, 0: never."""

    delivered_at: int
    failed_at: int
    error: str
    delivered: int
    failed: int
    dropped: int
    pending: int
    open_alerts: int


def webhook_settings(webhook: Webhook) -> WebhookSettings:
    """Return the settings of a webhook that may be shown."""
    return {
        "name": webhook.name,
        "url": short_url(webhook.url),
        "format": webhook.format,
        "on": list(webhook.on),
        "signed": bool(webhook.secret),
        "private": webhook.private,
        "remind_hours": webhook.remind_hours,
        "readable": webhook.is_readable,
    }


def webhook_view(webhook: Webhook, status: WebhookStatus) -> WebhookView:
    """Return the settings of a webhook that may be shown, with its status."""
    return {
        **webhook_settings(webhook),
        "delivered_at": status.delivered_at,
        "failed_at": status.failed_at,
        "error": status.error,
        "delivered": status.delivered,
        "failed": status.failed,
        "dropped": status.dropped,
        "pending": status.pending,
        "open_alerts": status.open_alerts,
    }


def webhook_views(alerts: AlertRepository, pool: str, webhooks: list[Webhook]) -> list[WebhookView]:
    """Return the views of *webhooks*. One round trip."""
    statuses: Mapping[str, Any] = alerts.statuses(pool, [webhook.name for webhook in webhooks])
    return [webhook_view(webhook, statuses[webhook.name]) for webhook in webhooks]


def short_url(url: str) -> str:
    """Return the scheme and the host of *url*: `https://hooks.slack.com/…`."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/…" if parts.netloc else ""
