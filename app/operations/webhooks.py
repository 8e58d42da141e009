"""Add, change, remove and test the webhooks of a pool."""

from __future__ import annotations

import secrets
import threading
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from app.errors import InvalidRequest
from app.operations.alert_delivery import DeliveryAttempt, send_message
from app.operations.audit_trail import AuditedOperations, AuditTrail
from app.presentation.webhooks import webhook_settings
from app.stores.alerts import AlertRepository
from app.stores.pool_clock import PoolClock
from app.stores.records.alerts import AlertMessage, DeliveryOutcome
from app.stores.records.webhooks import AlertKind, Webhook, WebhookFormat
from app.stores.webhooks import WebhookRepository
from app.upstream.webhooks import TIMEOUT_SECONDS, WebhookClient
from schemas.webhooks import SECRET_PREFIX

SECRET_BYTES = 32
TEST_SECONDS = TIMEOUT_SECONDS + 0.5  # a little longer than the client's own timeout
OVERLAP_SECONDS = 86_400  # time for receivers to switch to a new secret


class WebhookOperations(AuditedOperations):
    def __init__(
        self,
        audit: AuditTrail,
        webhooks: WebhookRepository,
        alerts: AlertRepository,
        client: WebhookClient,
        clock: PoolClock,
    ) -> None:
        super().__init__(audit)
        self._webhooks = webhooks
        self._alerts = alerts
        self._client = client
        self._clock = clock

    def add(self, pool: str, fields: Mapping[str, Any]) -> Webhook:
        """
        Add a webhook with the *fields* of a valid WebhookInput; return it with its secret.

        For the format json, a secret is generated if none is given. Raises InvalidRequest.
        """
        webhook = _changed(Webhook(fields["name"], fields["url"]), fields)
        if "secret" not in fields and webhook.format is WebhookFormat.JSON:
            webhook = replace(webhook, secret=_new_secret())
        self._audit.ensure_pool(pool)
        with self._audit.change("alert.add", pool, webhook.name) as change:
            self._webhooks.add(pool, webhook)
            change.after = webhook_settings(webhook)
        return webhook

    def change(self, pool: str, name: str, fields: Mapping[str, Any]) -> Webhook:
        """
        Change a webhook by the *fields* of a valid WebhookChange. Raises NotFound, InvalidRequest.

        Messages are also signed with a replaced secret for OVERLAP_SECONDS.
        """
        before = self._webhooks.find(pool, name)
        if not before.is_readable and "url" not in fields:
            raise InvalidRequest("is required: another key encrypted the stored one", param="url")
        after = replace(_changed(before, fields), is_readable=True)
        if before.secret != after.secret:
            until = int(self._clock.now() + OVERLAP_SECONDS) if before.secret and after.secret else 0
            after = replace(after, former_secret=before.secret if until else "", former_until=until)
        with self._audit.change("alert.set", pool, name) as change:
            change.before = webhook_settings(before)
            self._webhooks.put(pool, after)
            change.after = webhook_settings(after)
        return after

    def remove(self, pool: str, name: str) -> None:
        """Remove a webhook, its open alerts and its pending messages. Raises NotFound."""
        before = self._webhooks.find(pool, name)
        with self._audit.change("alert.remove", pool, name) as change:
            change.before = webhook_settings(before)
            self._webhooks.remove(pool, name)

    def test(self, pool: str, name: str) -> DeliveryAttempt:
        """Send a test message to a webhook, and return the result. Raises NotFound."""
        webhook, now = self._webhooks.find(pool, name), self._clock.now()
        message = AlertMessage(f"msg_{secrets.token_hex(12)}", int(now))
        attempt = self._send_within(TEST_SECONDS, pool, webhook, message)
        outcome = DeliveryOutcome.DELIVERED if attempt.is_delivered else DeliveryOutcome.FAILED
        self._alerts.record(pool, name, message.id, outcome, error=attempt.error)
        self._audit.note("alert.test", pool, name, result=attempt.error or "delivered")
        return attempt

    def _send_within(
        self, seconds: float, pool: str, webhook: Webhook, message: AlertMessage
    ) -> DeliveryAttempt:
        """
        Post *message* within *seconds*; after that, the thread ends with its connection.

        The client's own timeout needs greenlets, which commands do not have: a receiver that sends its
        response byte by byte could block them.
        """
        attempts: list[DeliveryAttempt] = []

        def send() -> None:
            attempts.append(send_message(self._client, pool, webhook, message, message.at))

        thread = threading.Thread(target=send, daemon=True)
        thread.start()
        thread.join(seconds)
        return (
            attempts[0]
            if attempts
            else DeliveryAttempt(0, "The receiver did not answer in time", is_temporary=True)
        )


def _changed(webhook: Webhook, fields: Mapping[str, Any]) -> Webhook:
    changes = {name: fields[name] for name in ("url", "secret", "private", "remind_hours") if name in fields}
    if "format" in fields:
        changes["format"] = WebhookFormat(fields["format"])
    if "on" in fields:
        changes["on"] = tuple(kind for kind in AlertKind if kind in fields["on"])
    return replace(webhook, **changes)


def _new_secret() -> str:
    return SECRET_PREFIX + b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
