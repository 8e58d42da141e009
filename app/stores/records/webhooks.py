"""Webhooks: where alerts of a pool are sent, and the state of their delivery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import orjson


class WebhookFormat(StrEnum):
    """The form of the messages that a webhook receives."""

    JSON = "json"
    SLACK = "slack"


class AlertKind(StrEnum):
    """What an alert is about. Stored in the keys of open alerts, before the first colon."""

    ACCOUNT = "account"  # an account needs attention
    LIMIT = "limit"  # a limit of the pool or of an API key is nearly, or completely, used up
    POOL = "pool"  # no account can serve
    ERRORS = "errors"  # many requests fail
    STORE = "store"  # Redis is away


DEFAULT_REMINDER_HOURS = 24


@dataclass(frozen=True, slots=True)
class Webhook:
    """
    A receiver of alerts.

    Its URL may itself be a credential, so that both it and the secret are encrypted where they are stored.
    """

    name: str
    url: str = field(repr=False)
    format: WebhookFormat = WebhookFormat.JSON
    on: Sequence[AlertKind] = tuple(AlertKind)
    secret: str = field(default="", repr=False)  # '': messages are not signed
    private: bool = False  # whether the name of its host may resolve to a private address
    remind_hours: int = DEFAULT_REMINDER_HOURS  # until an alert that lasts is sent again; 0: never
    former_secret: str = field(default="", repr=False)  # also signs, until receivers have the new one
    former_until: int = 0  # Unix seconds
    is_readable: bool = True  # False: another key encrypted it, and all but its name is unknown


def signing_secrets(webhook: Webhook, now: float) -> list[str]:
    """Return the secrets that sign a message at *now* (Unix seconds), the newest first; [] for none."""
    former = webhook.former_secret if now < webhook.former_until else ""
    return [secret for secret in (webhook.secret, former) if secret]


def write_webhook(webhook: Webhook) -> str:
    """Return the JSON that is encrypted and stored under the name of *webhook*."""
    return orjson.dumps(
        {
            "url": webhook.url,
            "format": webhook.format,
            "on": list(webhook.on),
            "secret": webhook.secret,
            "private": webhook.private,
            "remind_hours": webhook.remind_hours,
            "former_secret": webhook.former_secret,
            "former_until": webhook.former_until,
        }
    ).decode()


def read_webhook(name: str, text: str) -> Webhook:
    """Return the webhook *name* from its decrypted JSON; absent fields have their defaults."""
    stored: dict[str, Any] = orjson.loads(text)
    return Webhook(
        name,
        stored["url"],
        WebhookFormat(stored.get("format", WebhookFormat.JSON)),
        tuple(map(AlertKind, stored.get("on", AlertKind))),
        stored.get("secret", ""),
        bool(stored.get("private", False)),
        int(stored.get("remind_hours", DEFAULT_REMINDER_HOURS)),
        stored.get("former_secret", ""),
        int(stored.get("former_until", 0)),
    )


@dataclass(frozen=True, slots=True)
class WebhookStatus:
    """How deliveries to a webhook went; moments in Unix seconds, 0: never."""

    delivered_at: int = 0
    failed_at: int = 0
    error: str = ""  # of the latest delivery, '' where it did not fail
    delivered: int = 0  # messages, ever
    failed: int = 0  # messages that were given up
    dropped: int = 0  # messages that made room for newer ones
    pending: int = 0
    open_alerts: int = 0
