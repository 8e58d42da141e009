"""What an admin token of scope `read` may do: every call of the API, future ones as well."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from app.accounts.account import Account
from app.stores.records.operators import NewAdminToken, TokenScope
from app.wiring import Services

SECRET = "sk-upstream-secret-0123456789"
READS = {"GET", "HEAD", "OPTIONS"}


@pytest.fixture
def reader(app: Flask, services: Services) -> Any:
    _, token = services.operator_stores.admin_tokens.create(
        NewAdminToken("reader", "root", scope=TokenScope.READ)
    )
    services.accounts.add("default", Account("", "main", "openai", "http://up.test", credential=SECRET))
    _, key = services.api_keys.create("default", "main")
    client = app.test_client()

    def send(method: str, path: str) -> Any:
        response = client.open(path, method=method, headers={"Authorization": f"Bearer {token}"})
        assert not [one for one in (SECRET, token, key) if one in response.text], (method, path)
        return response

    return send


def calls(app: Flask) -> list[tuple[str, str]]:
    adapter = app.url_map.bind("gate.test")
    found = []
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith("api."):
            filled = dict.fromkeys(rule.arguments, "main")
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                found.append((method, adapter.build(rule.endpoint, filled, method=method)))
    return found


def stored(client: Any) -> dict[bytes, bytes]:
    """
    Return all keys but the last use of a token, and what reading derives from the ledger.

    Audit entries are included.
    """
    derived = (b":rolls:", b":sum:", b":adm:")
    return {key: client.dump(key) for key in client.scan_iter("*") if not any(one in key for one in derived)}


def test_every_call(app, reader, redis_client):
    before = stored(redis_client.__class__.from_url(_url(redis_client)))
    read = refused = 0
    for method, path in calls(app):
        response = reader(method, path)
        if method in READS:
            assert response.status_code in (200, 404), (method, path, response.text)
            read += 1
        else:
            assert response.status_code == 403, (method, path)
            assert response.json["error"]["code"] == "read_only_token"
            refused += 1
    assert (read > 10, refused > 20) == (True, True)
    assert stored(redis_client.__class__.from_url(_url(redis_client))) == before


def _url(client: Any) -> str:
    return f"unix://{client.connection_pool.connection_kwargs['path']}"
