"""A refused request is found by the id that its caller got, and counted for its key."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests

from app.limits.limit_syntax import parse_limit
from app.stores import keys
from app.stores.records.operators import NewAdminToken
from app.stores.records.refusals import RefusalEntry
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

CHAT = {"model": "gpt-4.1", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 20}
PATH = "/v1/chat/completions"


def wait_for(look: Callable[[], Any], seconds: float = 10) -> Any:
    """Return what *look* finds: a worker writes refusals within a second, after the response."""
    deadline = time.monotonic() + seconds
    while (found := look()) is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert found is not None
    return found


def recorded(pool: PoolOfTest, response: requests.Response) -> RefusalEntry:
    request_id = response.headers["x-poolgate-request-id"]
    return wait_for(lambda: pool.gateway.services.ledger.refusals.find(pool.name, request_id))


@pytest.fixture
def key(pool: PoolOfTest, upstream: ScriptedUpstream) -> str:
    pool.account("a", upstream.base_url(), models=("gpt-4.1", "gpt-5.2"))
    return pool.key(models=("gpt-4.1", "gpt-9"))


def limit(pool: PoolOfTest, text: str) -> None:
    key_id = pool.gateway.services.api_keys.find(pool.name, "k").id
    pool.gateway.services.limits.add(pool.name, parse_limit(text), key_id)


class TestKinds:
    def check(
        self, pool: PoolOfTest, response: requests.Response, status: int, code: str, model: str
    ) -> RefusalEntry:
        assert (response.status_code, response.json()["error"]["code"]) == (status, code)
        entry = recorded(pool, response)
        assert {name: entry.entry.row[name] for name in ("status", "error", "model", "endpoint")} == {
            "status": status,
            "error": code,
            "model": model,
            "endpoint": PATH,
        }
        assert entry.entry.row["key"] == pool.gateway.services.api_keys.find(pool.name, "k").id
        assert entry.entry.row["message"] == response.json()["error"]["message"][:500]
        assert not pool.rows()
        return entry

    @pytest.mark.parametrize("stream", [False, True])
    def test_limit(self, pool: PoolOfTest, key: str, stream: bool) -> None:
        """The record has the limit as it stood."""
        limit(pool, "1 output_tokens/day")

        response = pool.post(PATH, CHAT | {"stream": stream}, key)
        entry = self.check(pool, response, 429, "rate_limit_exceeded", "gpt-4.1")
        assert entry.entry.row["limit"]["name"] == "1 output token per day"
        assert {name: entry.entry.row["limit"][name] for name in ("why", "settled", "amount")} == {
            "why": "never",
            "settled": 0,
            "amount": 20,
        }

    def test_model_not_permitted(self, pool: PoolOfTest, key: str) -> None:
        response = pool.post(PATH, CHAT | {"model": "gpt-5.2"}, key)
        self.check(pool, response, 403, "model_not_allowed", "gpt-5.2")

    def test_unknown_model(self, pool: PoolOfTest, key: str) -> None:
        response = pool.post(PATH, CHAT | {"model": "gpt-9"}, key)
        self.check(pool, response, 404, "model_not_found", "gpt-9")

    def test_no_account(self, pool: PoolOfTest, key: str) -> None:
        """The record has how the accounts were, and which were unavailable."""
        account = pool.gateway.services.accounts.find(pool.name, "a")
        pool.gateway.services.accounts.pause(pool.name, "a")

        entry = self.check(pool, pool.post(PATH, CHAT, key), 503, "no_accounts", "gpt-4.1")
        assert entry.entry.row["accounts"] == {"states": {"paused": 1}, "total": 1}
        assert [one[:2] for one in entry.unavailable] == [[account.id, "paused"]]

    def test_invalid_body(self, pool: PoolOfTest, key: str) -> None:
        response = pool.post(PATH, CHAT | {"temperature": "hot"}, key)
        entry = self.check(pool, response, 400, "invalid_request_error", "gpt-4.1")
        assert entry.entry.row["param"] == "temperature"

    def test_not_json(self, pool: PoolOfTest, key: str) -> None:
        response = requests.post(
            pool.gateway.url + PATH, data=b"{", headers={"Authorization": f"Bearer {key}"}, timeout=30
        )
        self.check(pool, response, 400, "invalid_request_error", "")

    def test_too_large(self, pool: PoolOfTest, key: str) -> None:
        packed = gzip.compress(bytes(pool.gateway.services.settings.max_body_bytes + 1), 1)
        headers = {"Authorization": f"Bearer {key}", "Content-Encoding": "gzip"}
        response = requests.post(pool.gateway.url + PATH, data=packed, headers=headers, timeout=60)
        self.check(pool, response, 413, "payload_too_large", "")

    def test_before_the_key_is_checked(self, pool: PoolOfTest, key: str) -> None:
        """Sizes and encodings come first; the key is looked up for the record."""
        headers = {"Authorization": f"Bearer {key}", "Content-Encoding": "lzma"}
        response = requests.post(pool.gateway.url + PATH, data=b"x", headers=headers, timeout=30)
        self.check(pool, response, 400, "invalid_request_error", "")


def test_unknown_callers_cause_no_writes(pool: PoolOfTest, key: str) -> None:
    """Neither with a wrong key nor with none; the key that is known is recorded after them."""
    unknown = f"sk-pg-{pool.name}-{'x' * 43}"
    odd = {"Content-Encoding": "lzma"}
    for headers in (odd, odd | {"Authorization": f"Bearer {unknown}"}):
        assert (
            requests.post(pool.gateway.url + PATH, data=b"x", headers=headers, timeout=30).status_code == 400
        )
    assert pool.post(PATH, CHAT, unknown).status_code == 401
    recorded(pool, pool.post(PATH, {}, key))

    assert len(list(pool.gateway.services.ledger.refusals.entries(pool.name))) == 1
    assert pool.gateway.services.ledger.refusals.counts(pool.name, "1h").total == 1


def test_a_storm_is_counted_and_bounded(pool: PoolOfTest, key: str) -> None:
    """Every refusal is counted; of the same one only some are retained in full."""
    headers = {"Authorization": f"Bearer {key}"}
    with requests.Session() as session:
        for _ in range(400):
            session.post(pool.gateway.url + PATH, json={}, headers=headers, timeout=30)

    refusals = pool.gateway.services.ledger.refusals
    wait_for(lambda: refusals.counts(pool.name, "24h").total == 400 or None)
    key_id = pool.gateway.services.api_keys.find(pool.name, "k").id
    assert refusals.counts(pool.name, "24h").by_code(key_id) == [("invalid_request_error", 400)]
    assert len(list(refusals.entries(pool.name))) < 200


def test_a_served_request_leaves_no_refusal(pool: PoolOfTest, key: str) -> None:
    assert pool.post(PATH, CHAT, key).status_code == 200
    pool.wait_for_rows(1)
    client: Any = pool.gateway.services.scripts.client
    assert not client.exists(keys.refusals(pool.name))


def test_found_by_the_admin_api(pool: PoolOfTest, key: str) -> None:
    """By its id, by its status, among the refused, and counted for its key."""
    _, token = pool.gateway.services.operator_stores.admin_tokens.create(
        NewAdminToken(f"{pool.name}-refusals", "test")
    )
    limit(pool, "1 output_tokens/day")
    response = pool.post(PATH, CHAT, key)
    request_id = response.headers["x-poolgate-request-id"]
    recorded(pool, response)

    def get(path: str, **query: str) -> Any:
        found = requests.get(
            f"{pool.gateway.url}/admin/api{path}",
            params={"pool": pool.name} | query,
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
        )
        assert found.status_code == 200, found.text
        return found.json()

    for query in ({"status": "429"}, {"refused": "true"}, {"key": "k"}):
        (row,) = get("/requests", **query)["data"]
        assert (row["id"], row["status"], row["key"]["name"]) == (request_id, 429, "k")
    explained = get(f"/requests/{request_id}")
    assert explained["state"] == "refused"
    assert response.json()["error"]["message"] in explained["outcome"]
    pool.gateway.services.api_keys.change(pool.name, "k", owner="Ann", labels={"env": "prod"})
    for filters in ({"key": "k"}, {"owner": "Ann"}, {"label": "env=prod"}, {"key": "k", "label": "env"}):
        counted = get("/usage/refusals", **filters)
        assert (counted["total"], counted["data"][0]["code"]) == (1, "rate_limit_exceeded")
    for filters in (
        {"owner": "Bob"},
        {"label": "env=test"},
        {"team": "red"},
        {"key": "k", "owner": "Bob"},
    ):
        assert get("/usage/refusals", **filters)["total"] == 0


def test_attempts_are_counted_at_the_account_that_failed(
    pool: PoolOfTest, upstream: ScriptedUpstream
) -> None:
    """Also when another account answered; in the admin API and in the metrics."""
    pool.account("bad", upstream.base_url("bad"))
    pool.account("good", upstream.base_url("good"))
    upstream.script({"play": "http_error", "status": 500}, account="bad")
    upstream.script({"play": "text", "text": "Here."}, account="good")
    key = pool.key()
    for number in range(4):  # conversations of their own, so that both accounts are tried first
        question = [{"role": "user", "content": f"Question {number}"}]
        assert pool.post(PATH, CHAT | {"messages": question}, key).status_code == 200
    pool.wait_for_rows(4)

    by_name = {account.name: account for account in pool.gateway.services.accounts.all(pool.name)}
    bad, good = by_name["bad"], by_name["good"]
    assert (good.attempts, good.failed_attempts, good.failures) == (4, 0, {})
    assert 1 <= bad.attempts == bad.failed_attempts == bad.rescues
    assert bad.failures == {"server_error": bad.attempts}
    text = requests.get(f"{pool.gateway.url}/metrics", timeout=30).text
    labels = f'account="bad",outcome="server_error",pool="{pool.name}"'
    assert f"poolgate_account_attempts_total{{{labels}}} {bad.attempts}.0" in text
    rescued = f'poolgate_account_rescues_total{{account="bad",pool="{pool.name}"}} {bad.rescues}.0'
    assert rescued in text
