"""Deliver alert messages to a webhook: one attempt, and the retry or end that follows."""

from __future__ import annotations

from dataclasses import dataclass

from app.errors import OutOfDescriptors, UpstreamError
from app.presentation.alerts import message_body
from app.stores.alerts import AlertRepository
from app.stores.records.alerts import AlertMessage, DeliveryOutcome
from app.stores.records.webhooks import Webhook, signing_secrets
from app.upstream.webhooks import WebhookClient, describe_failure, sign
from schemas.webhooks import secret_bytes

RETRY_SECONDS = (10.0, 60.0)  # before the second and the third attempt, which is the last
MAX_RETRY_SECONDS = 300.0  # the longest wait that a receiver may request
MAX_DELIVERIES = 5  # per claim of a webhook
TEMPORARY = (408, 425, 429)  # 4xx statuses that are worth a retry
UNREADABLE = "Its URL was encrypted with another key"


@dataclass(frozen=True, slots=True)
class DeliveryAttempt:
    """The result of one attempt: the status of the response, 0 if there was none, and the error."""

    status: int
    error: str = ""
    is_temporary: bool = False
    wait_seconds: float = 0.0  # requested by the receiver

    @property
    def is_delivered(self) -> bool:
        return not self.error


def send_message(
    client: WebhookClient, pool: str, webhook: Webhook, message: AlertMessage, now: float
) -> DeliveryAttempt:
    """Post *message* to *webhook*, signed at *now* (Unix seconds). Any status but 2xx is a failure."""
    if not webhook.is_readable:
        return DeliveryAttempt(0, UNREADABLE)
    body = message_body(message, pool, webhook.format)
    headers = {"webhook-id": message.id, "webhook-timestamp": str(int(now))}
    if found := signing_secrets(webhook, now):
        signatures = (sign(secret_bytes(secret), message.id, int(now), body) for secret in found)
        headers["webhook-signature"] = " ".join(signatures)
    try:
        response = client.post(webhook.url, headers, body, may_be_private=webhook.private)
    except (UpstreamError, OutOfDescriptors) as error:
        return DeliveryAttempt(0, describe_failure(error), is_temporary=True)
    if 200 <= response.status < 300:
        return DeliveryAttempt(response.status)
    is_temporary = response.status >= 500 or response.status in TEMPORARY
    error_text = f"The receiver answered with status {response.status}"
    wait = min(response.retry_after_seconds or 0.0, MAX_RETRY_SECONDS)
    return DeliveryAttempt(response.status, error_text, is_temporary, wait)


class AlertDelivery:
    """Delivers the pending messages of webhooks; those of one webhook in order."""

    def __init__(self, alerts: AlertRepository, client: WebhookClient) -> None:
        self._alerts = alerts
        self._client = client

    def deliver(self, pool: str, webhook: Webhook, now: float) -> int:
        """
        Deliver the messages due at *now* (the store's clock); return their number.

        If another process is delivering to the webhook, it delivers none. A failed message is tried again by
        a later call, three times in all. If this process dies between a delivery and its record, the message
        is delivered again with the same id.
        """
        if not self._alerts.claim(pool, webhook.name):
            return 0
        try:
            count = 0
            while count < MAX_DELIVERIES and self._deliver_next(pool, webhook, now):
                count += 1
            return count
        finally:
            self._alerts.release(pool, webhook.name)

    def _deliver_next(self, pool: str, webhook: Webhook, now: float) -> bool:
        """Return whether the oldest message left the queue."""
        pending = self._alerts.pending(pool, webhook.name)
        if pending is None or pending.due_at > now:
            return False
        attempt = send_message(self._client, pool, webhook, pending.message, now)
        outcome, wait = _follow_up(attempt, pending.attempts)
        self._alerts.record(
            pool, webhook.name, pending.message.id, outcome, error=attempt.error, wait_seconds=wait
        )
        return outcome is not DeliveryOutcome.RETRY


def _follow_up(attempt: DeliveryAttempt, earlier_attempts: int) -> tuple[DeliveryOutcome, float]:
    if attempt.is_delivered:
        return DeliveryOutcome.DELIVERED, 0.0
    if not attempt.is_temporary or earlier_attempts >= len(RETRY_SECONDS):
        return DeliveryOutcome.FAILED, 0.0
    return DeliveryOutcome.RETRY, max(RETRY_SECONDS[earlier_attempts], attempt.wait_seconds)
