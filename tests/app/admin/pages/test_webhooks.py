"""The page of webhooks."""

from __future__ import annotations

from html import unescape

import pytest

from app.stores.records.webhooks import AlertKind, WebhookFormat
from app.wiring import Services
from tests.app.admin.pages.conftest import POOL, Furnished
from tests.support.admin import Visitor
from tests.support.webhook_receiver import running_receiver

HOME = f"/admin/p/{POOL}/settings/alerts"
FORM = {
    **{"name": "ops", "url": "https://hooks.example/secret-path", "format": "json", "remind_hours": "3"},
    **{"pool": "yes", "store": "yes", "secret": ""},
}


def test_the_secret_is_shown_once(inside: Visitor, services: Services, pool: Furnished) -> None:
    assert "No webhooks" in inside.get(HOME).text

    page = inside.send(HOME, FORM)
    webhook = services.alerting.webhooks.find(POOL, "ops")
    assert page.status_code == 200
    assert webhook.secret in unescape(page.text)
    assert (webhook.on, webhook.remind_hours) == ((AlertKind.POOL, AlertKind.STORE), 3)
    assert not webhook.private

    again = inside.get(HOME).text
    assert "https://hooks.example/…" in again.replace("<wbr>", "")
    assert "nothing sent yet" in again
    assert "secret-path" not in again
    assert webhook.secret not in unescape(again)


def test_slack(inside: Visitor, services: Services, pool: Furnished) -> None:
    sent = inside.send(HOME, FORM | {"format": "slack", "private": "yes"})

    webhook = services.alerting.webhooks.find(POOL, "ops")
    assert sent.status_code == 303
    assert (webhook.format, webhook.secret, webhook.private) == (WebhookFormat.SLACK, "", True)


def test_change(inside: Visitor, services: Services, pool: Furnished) -> None:
    """What is left empty, and is shown nowhere, stays."""
    inside.send(HOME, FORM)
    before = services.alerting.webhooks.find(POOL, "ops")
    page = inside.get(f"{HOME}?name=ops").text
    assert "Change ops" in page
    assert 'value="3"' in page

    changed = {name: value for name, value in FORM.items() if name not in ("name", "url", "store")}
    assert inside.send(f"{HOME}?name=ops", changed | {"remind_hours": "x"}).status_code == 400
    assert inside.send(f"{HOME}?name=ops", changed | {"remind_hours": "0"}).status_code == 303

    after = services.alerting.webhooks.find(POOL, "ops")
    assert (after.url, after.secret) == (before.url, before.secret)
    assert (after.on, after.remind_hours) == ((AlertKind.POOL,), 0)


def test_test_and_remove(inside: Visitor, services: Services, pool: Furnished) -> None:
    with running_receiver() as receiver:
        inside.send(HOME, FORM | {"url": receiver.url, "secret": "s" * 20})
        assert inside.send(HOME, {"do": "test", "name": "ops"}).status_code == 303
        assert "ops accepted a test message, with status 204." in inside.get(HOME).text
        receiver.statuses = [500]
        inside.send(HOME, {"do": "test", "name": "ops"})
        page = inside.get(HOME).text
    assert "ops did not accept a test message: The receiver answered with status 500." in page
    assert "failing" in page

    address = f"{HOME}/remove?name=ops"
    assert f'href="{address}"' in page
    assert "Remove webhook ops?" in inside.get(address).text
    assert len(services.alerting.webhooks.all(POOL)) == 1

    removed = inside.send(address, {})
    assert (removed.status_code, removed.location) == (303, HOME)
    assert services.alerting.webhooks.all(POOL) == []
    assert inside.get(address).status_code == 404


def test_a_name_that_exists(inside: Visitor, services: Services, pool: Furnished) -> None:
    """It is refused: a webhook is changed on its own page only."""
    inside.send(HOME, FORM)

    again = inside.send(HOME, FORM | {"url": "https://other.example/"})

    assert again.status_code == 400
    assert 'id="name-error"' in again.text
    assert services.alerting.webhooks.find(POOL, "ops").url == FORM["url"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "a b"),
        ("url", "ftp://x"),
        ("format", "xml"),
        ("secret", "short"),
        ("remind_hours", "many"),
    ],
)
def test_what_cannot_be(inside: Visitor, services: Services, pool: Furnished, field: str, value: str) -> None:
    response = inside.send(HOME, FORM | {field: value})

    assert response.status_code == 400
    assert f'id="{field}-error"' in response.text
    assert services.alerting.webhooks.all(POOL) == []


def test_no_kind(inside: Visitor, pool: Furnished) -> None:
    response = inside.send(HOME, {name: FORM[name] for name in ("name", "url", "format", "remind_hours")})

    assert response.status_code == 400
    assert 'id="account-error"' in response.text
