"""Messages are delivered over real HTTP: signed, in order, tried three times."""

from __future__ import annotations

import base64
import hmac
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from app.operations import alert_delivery
from app.operations.alert_delivery import RETRY_SECONDS, send_message
from app.stores.records.alerts import Alert, AlertMessage
from app.stores.records.webhooks import AlertKind, Webhook, WebhookFormat, WebhookStatus
from app.upstream.webhooks import sign
from app.wiring import Services
from tests.support.guide import page
from tests.support.webhook_receiver import Receiver, running_receiver

POOL = "default"
SECRET = "a secret of 24 characters"
SPENT = Alert(AlertKind.POOL, "", "No account can serve")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as receiver:
        yield receiver


@pytest.fixture
def webhook(services: Services, receiver: Receiver) -> Webhook:
    services.pools.ensure(POOL)
    webhook = Webhook("ops", receiver.url, secret=SECRET)
    services.alerting.webhooks.add(POOL, webhook)
    return webhook


@pytest.fixture
def queue(services: Services, webhook: Webhook) -> Any:
    """Queue messages, of which each is about the same alert."""

    def queue(number: int) -> None:
        for index in range(number):
            current = [SPENT] if index % 2 == 0 else []
            services.alerting.alerts.change(POOL, webhook, current, tuple(AlertKind))

    return queue


@pytest.fixture
def deliver(services: Services, webhook: Webhook) -> Any:
    """Deliver what is due after *seconds*."""

    def deliver(seconds: float = 0.0) -> int:
        return services.alerting.delivery.deliver(POOL, webhook, services.clock.now() + seconds)

    return deliver


def status(services: Services) -> WebhookStatus:
    return services.alerting.alerts.statuses(POOL, ["ops"])["ops"]


def test_in_order_and_signed(services: Services, receiver: Receiver, queue: Any, deliver: Any) -> None:
    queue(3)

    assert deliver() == 3
    assert [each.alerts() for each in receiver.received] == [
        [(status, "pool:")] for status in ("firing", "resolved", "firing")
    ]
    assert len({each.headers["webhook-id"] for each in receiver.received}) == 3
    for each in receiver.received:
        signed = f"{each.headers['webhook-id']}.{each.headers['webhook-timestamp']}.".encode() + each.body
        digest = hmac.digest(SECRET.encode(), signed, "sha256")
        assert each.headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
    assert abs(services.clock.now() - int(receiver.received[0].headers["webhook-timestamp"])) < 60
    assert deliver() == 0
    assert (status(services).delivered, status(services).pending) == (3, 0)


def test_two_signatures(services: Services, receiver: Receiver) -> None:
    webhook = Webhook("ops", receiver.url, secret=SECRET, former_secret="f" * 16, former_until=1000)

    for now in (999.0, 1000.0):
        send_message(services.alerting.client, POOL, webhook, AlertMessage("m", 0), now)

    both, one = (each.headers["webhook-signature"].split() for each in receiver.received)
    first = sign(SECRET.encode(), "m", 999, receiver.received[0].body)
    assert both == [first, sign(b"f" * 16, "m", 999, receiver.received[0].body)]
    assert len(one) == 1


def test_the_documented_verification(receiver: Receiver, services: Services) -> None:
    """The guide's function accepts what is sent, and nothing else."""
    (text,) = re.findall(r"```python\n(def is_genuine.*?)```", page("alerts"), re.DOTALL)
    names: dict[str, Any] = {"base64": base64, "hmac": hmac, "time": time, "Mapping": Mapping}
    exec(text, names)
    secret = "whsec_" + base64.b64encode(b"s" * 24).decode()
    webhook = Webhook("ops", receiver.url, secret=secret)

    for now in (time.time(), time.time() - 600):
        send_message(services.alerting.client, POOL, webhook, AlertMessage("m", 0), now)

    first, old = receiver.received
    assert names["is_genuine"](secret, first.headers, first.body)
    assert not names["is_genuine"](secret, first.headers, first.body + b" ")
    assert not names["is_genuine"]("whsec_" + "A" * 32, first.headers, first.body)
    assert not names["is_genuine"](secret, old.headers, old.body)
    rotated = {**first.headers, "webhook-signature": f"v1,AAAA {first.headers['webhook-signature']}"}
    assert names["is_genuine"](secret, rotated, first.body)


def test_a_temporary_failure_is_tried_again(
    services: Services, receiver: Receiver, queue: Any, deliver: Any
) -> None:
    """The messages after it wait; a receiver knows it again by its id."""
    queue(2)
    receiver.statuses = [503]

    assert deliver() == 0
    assert status(services).error
    assert deliver() == 0
    assert len(receiver.received) == 1
    assert deliver(RETRY_SECONDS[0] + 1) == 2
    first, again, second = receiver.received
    assert first.headers["webhook-id"] == again.headers["webhook-id"] != second.headers["webhook-id"]
    assert (status(services).delivered, status(services).failed, status(services).pending) == (2, 0, 0)
    assert services.alerting.alerts.pending(POOL, "ops") is None


def test_three_times(services: Services, receiver: Receiver, queue: Any, deliver: Any) -> None:
    queue(2)
    receiver.statuses = [500, 500, 500]

    assert [deliver(seconds) for seconds in (0, 11, 20, 75)] == [0, 0, 0, 2]
    assert [each.alerts() for each in receiver.received] == [[("firing", "pool:")]] * 3 + [
        [("resolved", "pool:")]
    ]
    assert (status(services).delivered, status(services).failed) == (1, 1)


def test_a_permanent_failure(services: Services, receiver: Receiver, queue: Any, deliver: Any) -> None:
    queue(1)
    receiver.statuses = [404]

    assert deliver() == 1
    assert (status(services).failed, status(services).pending) == (1, 0)
    assert status(services).error == "The receiver answered with status 404"


def test_a_receiver_that_requests_a_wait(
    services: Services, receiver: Receiver, queue: Any, deliver: Any
) -> None:
    queue(1)
    receiver.statuses, receiver.headers = [429], {"Retry-After": "4000"}

    assert deliver() == 0
    pending = services.alerting.alerts.pending(POOL, "ops")
    assert pending is not None
    assert 290 < pending.due_at - services.clock.now() <= alert_delivery.MAX_RETRY_SECONDS


def test_a_claim_holds_others_off(services: Services, receiver: Receiver, queue: Any, deliver: Any) -> None:
    queue(1)
    assert services.alerting.alerts.claim(POOL, "ops")
    assert deliver() == 0
    assert receiver.received == []

    services.alerting.alerts.release(POOL, "ops")
    assert deliver() == 1


def test_few_at_a_time(services: Services, receiver: Receiver, queue: Any, deliver: Any) -> None:
    queue(7)

    assert (deliver(), deliver()) == (5, 2)


def test_slack_is_not_signed_without_a_secret(services: Services, receiver: Receiver) -> None:
    webhook = Webhook("slack", receiver.url, WebhookFormat.SLACK)

    attempt = send_message(services.alerting.client, POOL, webhook, AlertMessage("m", 0), 0.0)

    (received,) = receiver.received
    assert (attempt.is_delivered, attempt.status) == (True, 204)
    assert "webhook-signature" not in received.headers
    assert list(received.json()) == ["text"]


def test_one_that_cannot_be_decrypted(services: Services) -> None:
    webhook = Webhook("ops", "", is_readable=False)

    attempt = send_message(services.alerting.client, POOL, webhook, AlertMessage("m", 0), 0.0)

    assert (attempt.is_delivered, attempt.error) == (False, "Its URL was encrypted with another key")
