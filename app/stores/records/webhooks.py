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
    ERRORS = "errors"  # many requests of the pool fail
    STORE = "store"  # Redis is away


DEFAULT_REMINDER_HOURS = 24


@dataclass(frozen=True, slots=True)
class Webhook:
    """
    A receiver of alerts.

    The URL may itself be a credential, so the URL and the secret are both stored encrypted.
    """

    name: str
    url: str = field(repr=False)
    format: WebhookFormat = WebhookFormat.JSON
    on: Sequence[AlertKind] = tuple(AlertKind)
    secret: str = field(default="", repr=False)  # empty: messages are not signed
    private: bool = False  # whether its host may resolve to a private address
    remind_hours: int = DEFAULT_REMINDER_HOURS  # hours until a lasting alert is sent again; 0: never
    former_secret: str = field(default="", repr=False)  # also signs messages until `former_until`
    former_until: int = 0  # Unix seconds
    is_readable: bool = True  # False: it cannot be decrypted, and only its name is known


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
    """The results of deliveries to a webhook; times are Unix seconds, 0: never."""

    delivered_at: int = 0
    failed_at: int = 0
    error: str = ""  # error of the latest delivery, '' if it succeeded
    delivered: int = 0  # number of delivered messages
    failed: int = 0  # number of messages whose delivery was abandoned
    dropped: int = 0  # number of messages dropped to make room for newer ones
    pending: int = 0
    open_alerts: int = 0
