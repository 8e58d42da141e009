"""`poolgate alert`, on a real store."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import contextmanager, suppress

import pytest

from app.stores.records.webhooks import AlertKind, Webhook, WebhookFormat
from tests.support.webhook_receiver import running_receiver

URL = "https://hooks.example/services/secret-path"


def test_a_life(poolgate, services):
    done = poolgate(f"alert add ops {URL} --on account,pool --remind-hours 0 --private")
    added = services.alerting.webhooks.find("default", "ops")
    first, second = done.stdout.splitlines()
    assert first == "Alerts of pool 'default' are sent to 'ops': try poolgate alert test ops"
    assert second.endswith(f"not shown again: {added.secret}")
    assert added == Webhook(
        "ops", URL, on=(AlertKind.ACCOUNT, AlertKind.POOL), secret=added.secret, private=True, remind_hours=0
    )

    (listed,) = json.loads(poolgate("alert list --json").stdout)["data"]
    assert listed["url"] == "https://hooks.example/…"
    assert (listed["signed"], listed["on"], listed["pending"]) == (True, ["account", "pool"], 0)
    shown = poolgate("alert list").stdout
    assert "account,pool" in shown
    assert "secret-path" not in shown
    assert added.secret not in shown

    assert poolgate("alert set ops --on errors --public").stdout == "The webhook 'ops' was changed.\n"
    assert services.alerting.webhooks.find("default", "ops").on == (AlertKind.ERRORS,)
    assert poolgate("alert remove ops --yes").stdout == "The webhook 'ops' was removed.\n"
    assert "No webhooks in pool 'default' yet: " in poolgate("alert list").stderr


def test_secrets_from_variables(poolgate, services):
    done = poolgate(
        "alert add team --url-env HOOK --format slack --secret-env SIGN --json", HOOK=URL, SIGN="s" * 20
    )

    assert "secret" not in json.loads(done.stdout)
    stored = services.alerting.webhooks.find("default", "team")
    assert (stored.url, stored.secret, stored.format) == (URL, "s" * 20, WebhookFormat.SLACK)
    assert json.loads(poolgate(f"alert add b {URL} --json").stdout)["secret"].startswith("whsec_")
    assert poolgate("alert set team --secret-stdin", stdin="t" * 20).exit_code == 0
    assert services.alerting.webhooks.find("default", "team").secret == "t" * 20


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("add ops", "Error: URL is required"),
        ("add ops ftp://x", "Error: URL must be an http or https URL"),
        ("add ops https://h/ --url-env HOOK", "not both"),
        ("add ops https://h/ --on all", "Error: --on must be one of account, limit"),
        ("add ops https://h/ --format xml", "'xml' is not one of"),
        ("add ops https://h/ --secret-env SHORT", "secret must have 16 to 256 bytes"),
        ("add ops https://h/ --remind-hours 1000", "1000 is not in the range"),
        ("add a/b https://h/", "Error: NAME must be"),
        ("set ops", "Nothing to change: give at least one option"),
        ("set ops --on pool", "no webhook named 'ops'"),
        ("test ops", "no webhook named 'ops'"),
        ("remove ops --yes", "no webhook named 'ops'"),
    ],
)
def test_what_cannot_be(poolgate, services, command, why):
    result = poolgate(f"alert {command}", SHORT="short", HOOK=URL)

    assert why in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.exit_code in (1, 2)
    assert services.alerting.webhooks.all("default") == []


def test_test(poolgate, services):
    with running_receiver() as receiver:
        poolgate("alert add ops", receiver.url)
        receiver.statuses = [204, 404, 500]

        done = poolgate("alert test ops")
        assert (done.exit_code, done.stdout) == (0, "'ops' accepted a test message (status 204).\n")
        failed = poolgate("alert test ops")
        assert (failed.exit_code, failed.stdout) == (1, "")
        assert failed.stderr == (
            "'ops' did not accept a test message: The receiver answered with status 404\n"
        )
        as_json = poolgate("alert test ops --json")
        assert (as_json.exit_code, json.loads(as_json.stdout)["delivered"]) == (1, False)
        assert "status 500" in poolgate("alert list").stdout
    assert receiver.received[0].headers["webhook-signature"].startswith("v1,")


def test_a_receiver_that_trickles(poolgate, services, monkeypatch):
    """Each byte of its response comes in time, but the test ends."""
    monkeypatch.setattr("app.operations.webhooks.TEST_SECONDS", 0.3)
    with trickling_server() as port:
        poolgate(f"alert add slow http://127.0.0.1:{port}/ --private")
        began = time.monotonic()

        done = poolgate("alert test slow")

    assert done.exit_code == 1
    assert "did not answer in time" in done.stderr
    assert time.monotonic() - began < 4


@contextmanager
def trickling_server():
    """Yield the port of a server that sends a header forever, byte by byte."""
    stopped = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            connection, _ = server.accept()
            with connection, suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                while not stopped.wait(0.05):
                    connection.sendall(b"x")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            stopped.set()
            thread.join(5)
