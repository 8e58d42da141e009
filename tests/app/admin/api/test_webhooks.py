"""Webhooks in the admin API."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.webhook_receiver import running_receiver

WEBHOOK = {"name": "ops", "url": "https://hooks.example/secret-path", "on": ["pool"]}


def test_a_life(call: Any, refused: Any) -> None:
    added = call("POST", "/webhooks", WEBHOOK)
    assert added.status_code == 201
    assert added.json["secret"].startswith("whsec_")
    assert added.json["url"] == "https://hooks.example/…"

    shown = call("GET", "/webhooks/ops").json
    assert shown == {name: value for name, value in added.json.items() if name != "secret"}
    assert call("GET", "/webhooks").json["data"] == [shown]

    changed = call("PATCH", "/webhooks/ops", {"secret": "", "remind_hours": 0}).json
    assert (changed["signed"], changed["remind_hours"], changed["on"]) == (False, 0, ["pool"])
    assert call("DELETE", "/webhooks/ops").json == {"name": "ops", "deleted": True}
    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/test")):
        assert refused(method, f"/webhooks/ops{path}") == (404, "name")


def test_a_secret_that_is_named_is_not_returned(call: Any) -> None:
    assert "secret" not in call("POST", "/webhooks", WEBHOOK | {"secret": "s" * 20}).json
    slack = call("POST", "/webhooks", WEBHOOK | {"name": "b", "format": "slack"}).json
    assert "secret" not in slack
    assert slack["signed"] is False


def test_a_test(call: Any) -> None:
    with running_receiver() as receiver:
        call("POST", "/webhooks", WEBHOOK | {"url": receiver.url})
        receiver.statuses = [204, 410]

        assert call("POST", "/webhooks/ops/test").json == {"name": "ops", "delivered": True, "error": None}
        failed = call("POST", "/webhooks/ops/test").json
        assert (failed["delivered"], failed["error"]) == (False, "The receiver answered with status 410")
        assert call("GET", "/webhooks/ops").json["error"] == failed["error"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "ops"}, "url"),
        (WEBHOOK | {"url": "http://169.254.169.254/"}, "url"),
        (WEBHOOK | {"on": ["all"]}, "on"),
        (WEBHOOK | {"format": "xml"}, "format"),
        (WEBHOOK | {"secret": "short"}, "secret"),
        (WEBHOOK | {"more": 1}, "more"),
    ],
)
def test_what_cannot_be(refused: Any, body: Any, field: str) -> None:
    assert refused("POST", "/webhooks", body) == (400, field)
