"""Workers as processes send alerts to a webhook: once, however many there are, and signed."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from app.stores import keys
from app.stores.records.webhooks import Webhook
from app.upstream.webhooks import sign
from schemas.webhooks import secret_bytes
from tests.support.gateway import Gateway, background_worker, running_gateway
from tests.support.processes import eventually
from tests.support.redis import private_redis
from tests.support.upstream_client import ScriptedUpstream
from tests.support.webhook_receiver import Received, running_receiver

SECONDS = 90.0  # two runs of the job that finds changes, and one that delivers
SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


def runs(gateway: Gateway, job: str) -> Any:
    return gateway.services.scripts.client.hget(keys.JOB_RUNS, job)


def is_signed(received: Received) -> bool:
    headers = received.headers
    timestamp = int(headers["webhook-timestamp"])
    expected = sign(secret_bytes(SECRET), headers["webhook-id"], timestamp, received.body)
    return headers["webhook-signature"] == expected


def test_two_workers_send_once(tmp_path: Path, upstream: ScriptedUpstream) -> None:
    with ExitStack() as running:
        url = running.enter_context(private_redis())
        gateway = running.enter_context(running_gateway(url, tmp_path, workers=1))
        receiver = running.enter_context(running_receiver())
        pool = gateway.pool()
        client: Any = gateway.services.scripts.client
        account = keys.account(pool.name, pool.account("ann", upstream.base_url("ann")).id)
        gateway.services.alerting.webhooks.add(pool.name, Webhook("ops", receiver.url, secret=SECRET))
        client.hset(account, mapping={"state": "credential_dead", "reason": "invalid_api_key"})

        for _ in range(2):
            running.enter_context(background_worker(gateway))
        assert eventually(lambda: receiver.received, SECONDS)
        first = runs(gateway, "alerts")
        assert eventually(lambda: runs(gateway, "alerts") != first, SECONDS)
        assert [each.alerts() for each in receiver.received] == [
            [("firing", "pool:"), ("firing", "account:ann")]
        ]

        client.hset(account, "state", "active")
        assert eventually(lambda: len(receiver.received) == 2, SECONDS)
        assert receiver.received[1].alerts() == [("resolved", "account:ann"), ("resolved", "pool:")]
        assert all(map(is_signed, receiver.received))
        assert b"sk-ann" not in b"".join(each.body for each in receiver.received)
