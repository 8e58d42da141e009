"""Messages about alerts: as JSON, and as text for Slack and receivers of the same format."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson

from app.formatting import duration
from app.stores.records.alerts import AlertChange, AlertMessage, AlertStatus
from app.stores.records.webhooks import WebhookFormat

MAX_BYTES = 20_000  # of a body: receivers may cut off more, as Standard Webhooks recommends
TEST_TEXT = "This is a test of Poolgate's alerts"
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def message_body(message: AlertMessage, pool: str, form: WebhookFormat) -> bytes:
    """Return the body of *message* in *form*, of at most MAX_BYTES; alerts without room are counted."""
    changes, omitted = list(message.changes), message.omitted
    write = _slack_body if form is WebhookFormat.SLACK else _json_body
    while True:
        body = write(message, pool, changes, omitted)
        if len(body) <= MAX_BYTES or not changes:
            return body
        changes.pop()
        omitted += 1


def _json_body(message: AlertMessage, pool: str, changes: list[AlertChange], omitted: int) -> bytes:
    """Return {type, timestamp, data: {pool, alerts, omitted}}."""
    data: dict[str, Any] = {"pool": pool, "alerts": list(map(_serialize, changes)), "omitted": omitted}
    if not message.changes:
        data["text"] = TEST_TEXT
    kind = "alerts.changed" if message.changes else "alerts.test"
    return orjson.dumps({"type": kind, "timestamp": _moment(message.at), "data": data})


def _serialize(change: AlertChange) -> dict[str, Any]:
    return {
        "key": change.key,
        "kind": change.kind,
        "status": change.status,
        "reminder": change.is_reminder,
        "since": _moment(change.since),
        "text": change.text,
        "details": dict(change.details),
    }


def _slack_body(message: AlertMessage, pool: str, changes: list[AlertChange], omitted: int) -> bytes:
    lines = [_line(change, message.at) for change in changes] or [TEST_TEXT]
    if omitted:
        lines.append(f"and {omitted} more")
    text = "\n".join([f"Poolgate, pool {pool}:", *lines])
    return orjson.dumps({"text": text.translate(_ESCAPES)})


def _line(change: AlertChange, now: int) -> str:
    lasted = duration(now - change.since)
    if change.status is AlertStatus.RESOLVED:
        return f"[resolved] {change.text} (lasted {lasted})"
    return f"[firing] {change.text}" + (f" (since {lasted})" if change.is_reminder else "")


def _moment(unix_seconds: int) -> str:
    return datetime.fromtimestamp(unix_seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
