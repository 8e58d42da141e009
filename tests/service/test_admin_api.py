"""The admin API over the real service: what is changed holds for the next request, in every worker."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

import pytest
import requests

import app.admin
from app.stores.records.operators import NewAdminToken
from tests.support.gateway import PoolOfTest

_numbers = count(1)
QUESTION = {"model": "gpt-5", "messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture
def admin(pool: PoolOfTest) -> Any:
    """`admin("POST", "/keys", {…})` in the test's own pool; returns (status, JSON)."""
    _, secret = pool.gateway.services.operator_stores.admin_tokens.create(
        NewAdminToken(f"{pool.name}-{next(_numbers)}", "test")
    )

    def send(method: str, path: str, body: Any = None) -> tuple[int, Any]:
        response = requests.request(
            method,
            f"{pool.gateway.url}/admin/api{path}{'&' if '?' in path else '?'}pool={pool.name}",
            json=body,
            headers={"Authorization": f"Bearer {secret}"},
            timeout=60,
        )
        return response.status_code, response.json()

    return send


def test_what_pages_are_made_with(pool):
    """Files are sent compressed to clients that accept it; to others by the kernel itself."""
    folder = Path(app.admin.__file__).parent / "static"
    for file in folder.iterdir():
        for encoding in ("gzip", "identity"):
            request = {"url": f"{pool.gateway.url}/admin/static/{file.name}", "timeout": 30}
            response = requests.get(**request, headers={"Accept-Encoding": encoding})
            assert (response.status_code, response.content) == (200, file.read_bytes())
            head = requests.head(**request, headers={"Accept-Encoding": encoding})
            assert (head.status_code, head.content) == (200, b"")
            assert head.headers["content-length"] == response.headers["content-length"]
        assert int(head.headers["content-length"]) == file.stat().st_size


def send_request(pool: PoolOfTest, key: str) -> int:
    return pool.post("/v1/chat/completions", QUESTION, key).status_code


def test_a_key_from_its_making_to_its_end(pool, upstream, admin):
    new = {"kind": "openai", "name": "main", "base_url": upstream.base_url("a"), "credential": "sk-a"}
    assert admin("POST", "/accounts", {**new, "models": ["gpt-5"]})[0] == 201
    status, reply = admin("POST", "/accounts/main/test")
    assert (status, reply["ok"], reply["status"]) == (200, True, 200)

    status, made = admin("POST", "/keys", {"name": "ann", "limits": ["100 requests/day"]})
    assert status == 201
    old = made["key"]
    assert send_request(pool, old) == 200
    new_secret = admin("POST", "/keys/ann/rotate", {"overlap_seconds": 3600})[1]["key"]
    assert [send_request(pool, old), send_request(pool, new_secret)] == [200, 200]
    pool.wait_for_rows(3, 30)
    [limit] = admin("GET", "/keys/ann")[1]["limits"]
    assert (limit["settled"], limit["remaining"]) == (3, 97)

    admin("POST", "/keys/ann/rotate", {})
    assert [send_request(pool, old), send_request(pool, new_secret)] == [401, 401]
    rows = admin("GET", "/requests?key=ann&status=ok")[1]["data"]
    assert [row["account"]["name"] for row in rows] == ["main"] * 3
    why = admin("GET", f"/requests/{rows[0]['id']}")[1]
    assert why["choices"][0]["account"]["name"] == "main"
    series = admin("GET", "/usage/series?span=1h&by=key")[1]["data"]
    assert [(one["name"], one["total"]["requests"]) for one in series] == [("ann", 3)]
    actions = [one["action"] for one in admin("GET", "/audit")[1]["data"]]
    assert actions == ["key.rotate", "key.rotate", "key.create", "account.test", "account.add"]


def test_a_paused_account_gets_nothing(pool, upstream, admin):
    new = {"kind": "openai", "name": "main", "base_url": upstream.base_url("a"), "credential": "sk-a"}
    admin("POST", "/accounts", new)
    key = admin("POST", "/keys", {"name": "ann"})[1]["key"]
    admin("POST", "/accounts/main/pause")
    assert send_request(pool, key) == 503

    admin("POST", "/accounts/main/resume")

    assert send_request(pool, key) == 200


class TestBoundsOfLists:
    def test_limits(self, admin: Any) -> None:
        limits = [f"{number} requests/day for m{number}" for number in range(1, 66)]

        for_new = admin("POST", "/keys", {"name": "many", "limits": limits})
        created = admin("POST", "/keys", {"name": "full", "limits": limits[1:]})
        for_full = admin("POST", "/keys/full/limits", {"limit": "5 usd/day"})

        assert (for_new[0], for_new[1]["error"]["param"]) == (400, "limits")
        assert created[0] == 201
        assert (for_full[0], for_full[1]["error"]["param"]) == (400, "limit")
        assert "at most 64 limits" in for_full[1]["error"]["message"]

    @pytest.mark.parametrize("name", [" gpt-5", "gpt-5 "])
    def test_names_of_models(self, admin: Any, name: str) -> None:
        for path, body in (
            ("/keys", {"name": "k", "models": [name]}),
            ("/accounts", {"name": "a", "kind": "openai", "credential": "sk-x", "models": [name]}),
            ("/keys/full/limits", {"limit": "5 usd/day", "model": name}),
        ):
            admin("POST", "/keys", {"name": "full"})
            status, response = admin("POST", path, body)
            assert status == 400, response
            assert "must not begin or end with a space" in response["error"]["message"]
