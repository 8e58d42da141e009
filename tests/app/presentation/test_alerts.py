"""The bodies of messages about alerts."""

from __future__ import annotations

import orjson

from app.presentation.alerts import MAX_BYTES, message_body
from app.stores.records.alerts import AlertChange, AlertMessage, AlertStatus
from app.stores.records.webhooks import AlertKind, WebhookFormat

AT = 1_774_742_400
JSON, SLACK = WebhookFormat.JSON, WebhookFormat.SLACK


def change(text: str = "The key ann has reached its limit", **more: object) -> AlertChange:
    fields = {"details": {"key": "ann"}} | more
    status = fields.pop("status", AlertStatus.FIRING)
    return AlertChange("limit:l1", AlertKind.LIMIT, status, text, AT - 3600, **fields)  # type: ignore[arg-type]


def test_json() -> None:
    body = orjson.loads(message_body(AlertMessage("m", AT, (change(),), 3), "team", JSON))

    assert body == {
        "type": "alerts.changed",
        "timestamp": "2026-03-29T00:00:00Z",
        "data": {
            "pool": "team",
            "omitted": 3,
            "alerts": [
                {
                    "key": "limit:l1",
                    "kind": "limit",
                    "status": "firing",
                    "reminder": False,
                    "since": "2026-03-28T23:00:00Z",
                    "text": "The key ann has reached its limit",
                    "details": {"key": "ann"},
                }
            ],
        },
    }


def test_slack() -> None:
    changes = (
        change("<!channel> & more"),
        change("b", is_reminder=True),
        change("c", status=AlertStatus.RESOLVED),
    )

    body = orjson.loads(message_body(AlertMessage("m", AT, changes, 2), "team", SLACK))

    assert body == {
        "text": "Poolgate, pool team:\n[firing] &lt;!channel&gt; &amp; more\n[firing] b (since 1 h)\n"
        "[resolved] c (lasted 1 h)\nand 2 more"
    }


def test_a_test() -> None:
    assert orjson.loads(message_body(AlertMessage("m", AT), "p", JSON))["type"] == "alerts.test"
    assert "This is a test" in orjson.loads(message_body(AlertMessage("m", AT), "p", SLACK))["text"]


def test_the_size_is_bounded() -> None:
    """What has no room is counted, also where every letter is escaped."""
    for form, read in ((JSON, lambda body: body["data"]["omitted"]), (SLACK, lambda body: body["text"])):
        body = message_body(AlertMessage("m", AT, (change("<" * 500),) * 40, 1), "p", form)

        assert len(body) <= MAX_BYTES
        omitted = read(orjson.loads(body))
        assert omitted if form is JSON else "more" in omitted
