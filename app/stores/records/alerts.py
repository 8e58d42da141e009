"""Alerts that hold now, and the messages about their changes that are sent to webhooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import orjson

from app.stores.records.webhooks import AlertKind

MAX_TEXT_CHARS = 500


@dataclass(frozen=True, slots=True)
class Alert:
    """
    Something that a person should know, while it lasts.

    `subject` distinguishes alerts of one kind. A change of `step`, such as from 80 to 100 percent, is sent
    again. An alert that does not `begin` only prolongs one that is open. An alert contains no secret.
    """

    kind: AlertKind
    subject: str
    text: str  # one sentence without its full stop
    step: str = ""
    begins: bool = True
    details: Mapping[str, str | int | float | None] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The name of the alert in its pool."""
        return f"{self.kind}:{self.subject}"

    def to_json(self) -> str:
        """Return {kind, text, details}, as a message about the alert contains it."""
        content = {
            "kind": self.kind,
            "text": self.text[:MAX_TEXT_CHARS],
            "details": dict(self.details),
        }
        return orjson.dumps(content).decode()


class AlertStatus(StrEnum):
    """How an alert changed."""

    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class AlertChange:
    """An alert that began, changed its step, lasts or ended; times are Unix seconds."""

    key: str
    kind: AlertKind
    status: AlertStatus
    text: str
    since: int
    details: Mapping[str, Any] = field(default_factory=dict)
    is_reminder: bool = False


@dataclass(frozen=True, slots=True)
class AlertMessage:
    """The message of one delivery; `id` is the same when the delivery is repeated."""

    id: str
    at: int  # Unix seconds
    changes: Sequence[AlertChange] = ()  # empty: a test message
    omitted: int = 0  # number of further changes, for which there was no room


def read_message(text: str) -> AlertMessage:
    """Return the message that lua/change_alerts.lua queued as *text*."""
    stored: dict[str, Any] = orjson.loads(text)
    return AlertMessage(
        stored["id"],
        int(stored["at_ms"]) // 1000,
        tuple(map(_read_change, stored["changes"])),
        int(stored["omitted"]),
    )


def _read_change(stored: Mapping[str, Any]) -> AlertChange:
    alert = orjson.loads(stored["alert"])
    return AlertChange(
        stored["key"],
        AlertKind(alert["kind"]),
        AlertStatus(stored["status"]),
        alert["text"],
        int(stored["since_ms"]) // 1000,
        alert["details"],
        bool(stored["reminder"]),
    )


class DeliveryOutcome(StrEnum):
    """How an attempt to deliver a message ended; lua/record_delivery.lua uses the same names."""

    DELIVERED = "delivered"
    RETRY = "retry"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class PendingMessage:
    """The oldest message of a webhook, and how often its delivery was tried."""

    message: AlertMessage
    attempts: int
    due_at: float  # time of the next attempt, Unix seconds on the store's clock
