"""Open alerts and pending messages of webhooks, in Redis."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from app.stores import keys
from app.stores.records.alerts import Alert, DeliveryOutcome, PendingMessage, read_message
from app.stores.records.webhooks import AlertKind, Webhook, WebhookStatus
from app.stores.scripts import Scripts

CLAIM_MS = 60_000  # longer than the delivery of one message, which takes seconds
MAX_ERROR_CHARS = 200


class AlertRepository:
    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts
        self._client: Any = scripts.client

    def change(self, pool: str, webhook: Webhook, alerts: Sequence[Alert], kinds: Sequence[AlertKind]) -> int:
        """
        Queue a message about what has changed since the last message to *webhook*.

        *alerts* are all of *kinds* that hold now, the most important first. Return the number of changes.
        """
        request = {
            "webhook": webhook.name,
            "id": f"msg_{secrets.token_hex(12)}",
            "kinds": list(kinds),
            "remind_ms": webhook.remind_hours * 3_600_000,
            "alerts": [
                {"key": alert.key, "step": alert.step, "begins": alert.begins, "alert": alert.to_json()}
                for alert in alerts
            ],
        }
        return int(self._scripts.run_raw("change_alerts", pool, request))

    def pending(self, pool: str, name: str) -> PendingMessage | None:
        """Return the oldest message of the webhook *name*. One round trip."""
        pipeline = self._client.pipeline(transaction=False)
        pipeline.lindex(keys.alert_messages(pool, name), 0)
        pipeline.hmget(keys.alert_deliveries(pool, name), "trying", "attempts", "due_ms")
        text, (trying, attempts, due_ms) = pipeline.execute()
        if text is None:
            return None
        message = read_message(text)
        if trying != message.id:
            return PendingMessage(message, 0, 0.0)
        return PendingMessage(message, int(attempts or 0), int(due_ms or 0) / 1000)

    def record(
        self,
        pool: str,
        name: str,
        message_id: str,
        outcome: DeliveryOutcome,
        *,
        error: str = "",
        wait_seconds: float = 0.0,
    ) -> None:
        """Record how an attempt ended; a message that was delivered, or has failed, leaves the queue."""
        request = {
            "webhook": name,
            "id": message_id,
            "outcome": outcome,
            "error": error[:MAX_ERROR_CHARS],
            "wait_ms": int(wait_seconds * 1000),
        }
        self._scripts.run_raw("record_delivery", pool, request)

    def claim(self, pool: str, name: str) -> bool:
        """Return whether this process may deliver to the webhook *name* until `release`, or for CLAIM_MS."""
        return bool(self._client.set(keys.job_claim(pool, "alerts", name), "1", nx=True, px=CLAIM_MS))

    def release(self, pool: str, name: str) -> None:
        self._client.delete(keys.job_claim(pool, "alerts", name))

    def names_with_messages(self, pools: Sequence[str]) -> list[tuple[str, str]]:
        """Return the (pool, webhook) pairs that have pending messages. Two round trips."""
        places = self._places(pools)
        pipeline = self._client.pipeline(transaction=False)
        for pool, name in places:
            pipeline.llen(keys.alert_messages(pool, name))
        lengths = pipeline.execute() if places else []
        return [place for place, length in zip(places, lengths, strict=True) if length]

    def statuses(self, pool: str, names: Sequence[str]) -> dict[str, WebhookStatus]:
        """Return the status of each webhook in *names*. One round trip."""
        found = self._statuses([(pool, name) for name in names])
        return {name: status for (_, name), status in found.items()}

    def all_statuses(self, pools: Sequence[str]) -> dict[tuple[str, str], WebhookStatus]:
        """Return the status of every webhook by (pool, name). Two round trips, one without webhooks."""
        return self._statuses(self._places(pools))

    def _places(self, pools: Sequence[str]) -> list[tuple[str, str]]:
        pipeline = self._client.pipeline(transaction=False)
        for pool in pools:
            pipeline.hkeys(keys.webhooks(pool))
        found = pipeline.execute() if pools else []
        return [(pool, name) for pool, names in zip(pools, found, strict=True) for name in sorted(names)]

    def _statuses(self, places: Sequence[tuple[str, str]]) -> dict[tuple[str, str], WebhookStatus]:
        pipeline = self._client.pipeline(transaction=False)
        for pool, name in places:
            pipeline.hgetall(keys.alert_deliveries(pool, name))
            pipeline.llen(keys.alert_messages(pool, name))
            pipeline.hlen(keys.alerts(pool, name))
        replies = iter(pipeline.execute() if places else [])
        return {
            place: _status(fields, pending, open_alerts)
            for place, fields, pending, open_alerts in zip(places, replies, replies, replies, strict=True)
        }


def _status(fields: Mapping[str, str], pending: int, open_alerts: int) -> WebhookStatus:
    def number(name: str) -> int:
        return int(fields.get(name) or 0)

    return WebhookStatus(
        number("delivered_ms") // 1000,
        number("failed_ms") // 1000,
        fields.get("error", ""),
        number("delivered"),
        number("failed"),
        number("dropped"),
        pending,
        open_alerts,
    )
