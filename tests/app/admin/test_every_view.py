"""Rules that hold for every view, including future ones: the tests walk the url_map."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from app.accounts.account import Account
from app.stores.records.operators import NewAdminToken
from app.wiring import Services
from tests.support.admin import OPEN_ENDPOINTS, everything_stored, turn_on_second_factor

UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}
ENDLESS = {"live.stream"}
PARAMS = (
    *("since", "until", "cursor", "status", "key", "account", "model", "refused", "span", "by", "q", "id"),
    *("entry", "who", "action", "pool", "next", "kind", "name", "limit", "top", "after", "at", "of", "trail"),
)
ODD_PARAMS = (
    *(
        "%00",
        "%ff",
        "%ED%A0%80",
        "x" * 3000,
        "0",
        "-1",
        "1e30",
        "NaN",
        "9" * 400,
        "0-0",
        "99999999999999999999-1",
    ),
    *(
        "0001-01-01",
        "1960-01-01T00:00",
        "1970-01-01",
        "9999-12-31",
        "9999-12-31T23:59:59-23:59",
        "é",
        "*",
        "&",
    ),
)
CREDENTIAL, TOKEN = "sk-upstream-secret-0123456789", "refresh-secret-0123456789"


def views(app: Flask, methods: set[str], **values: str) -> Iterator[tuple[str, str]]:
    """Yield (method, path) of every view that needs authentication."""
    adapter = app.url_map.bind("gate.test")
    for rule in app.url_map.iter_rules():
        if rule.endpoint in OPEN_ENDPOINTS | ENDLESS:
            continue
        filled = {name: values.get(name, "1") for name in rule.arguments}
        for method in sorted(rule.methods & methods):
            yield method, adapter.build(rule.endpoint, filled, method=method)


@pytest.fixture
def secrets(services: Services, ann: str) -> list[str]:
    """All secrets of a service that has one of each kind."""
    services.pools.ensure("default")
    accounts = services.accounts
    accounts.add("default", Account("", "main", "openai", "http://up.test", credential=CREDENTIAL))
    accounts.add("default", Account("", "spare", "compatible", "http://up.test", credential=TOKEN))
    key = services.api_keys.create("default", "main")[1]
    token = services.operator_stores.admin_tokens.create(NewAdminToken("main", ann))[1]
    pending = services.operator_stores.operators.begin_second_factor(ann)
    return [CREDENTIAL, TOKEN, key, token, pending, "$argon2", *services.operator_stores.cookie_keys]


def test_nothing_is_changed_without_a_csrf_token(app, inside, redis_client):
    """A session is not enough: a page of another site could use it."""
    views_opened = 0
    for method, path in views(app, UNSAFE):
        response = inside.client.open(path, method=method, base_url="http://gate.test")
        assert response.status_code == 403, (method, path)
        views_opened += 1
    assert views_opened > 40
    assert inside.is_signed_in()


def test_no_secret_is_on_any_page_or_in_any_response(app, inside, secrets):
    shown = 0
    values = {"pool": "default", "name": "main"}
    for _, path in views(app, {"GET"}, **values):
        response = inside.get(path)
        shown += response.status_code == 200
        assert response.status_code in (200, 302, 303, 404), path
        response_text = response.text + str(response.headers)
        assert not [one for one in secrets if one in response_text], path
    assert shown > 40


def test_an_active_second_factor_is_never_shown(app, inside, services, later, redis_client):
    phone, codes = turn_on_second_factor(services, "ann")
    pages = [inside.get(path).text for path in ("/admin/security", "/admin/security/second-factor")]

    assert phone.secret not in "".join(pages)
    assert not any(code in page for code in codes for page in pages)
    assert phone.secret not in everything_stored(redis_client)


def test_odd_queries(app, inside, secrets):
    """Whatever an address has after its `?`, the response is a page or a clear refusal."""
    for number, (_, path) in enumerate(views(app, {"GET"}, pool="default", name="main")):
        for odd in ODD_PARAMS[number % 6 :: 6]:
            names = PARAMS
            response = inside.get(f"{path}?" + "&".join(f"{name}={odd}" for name in names))
            assert response.status_code < 500, (path, names, odd)
    for name in ("since", "until", "cursor", "status", "key"):
        for odd in ODD_PARAMS:
            response = inside.get(f"/admin/p/default/requests?{name}={odd}")
            assert response.status_code < 500, (name, odd)
