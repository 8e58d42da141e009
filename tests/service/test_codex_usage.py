"""Usage of a pool's upstream windows: the endpoint that Codex calls, and headers of responses."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import requests

from tests.service.test_common_rules import error_of
from tests.service.test_model_responses import CHAT, PATHS
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

PATH = "/api/codex/usage"
WHAM = {"plan_type": "plus", "credits": {"has_credits": False, "unlimited": False, "balance": None}}


@pytest.fixture
def resets_at() -> int:
    return int(time.time()) + 3600


@pytest.fixture
def pool(pool: PoolOfTest, upstream: ScriptedUpstream, resets_at: int) -> PoolOfTest:
    """Two ChatGPT accounts, a fifth and two fifths of whose first window are used."""
    accounts = pool.gateway.services.accounts
    for name, used in (("a", 20), ("b", 40)):
        base_url = f"{upstream.root_url(name)}/backend-api"
        account_id = f"acc-{pool.name}-{name}"
        account = pool.account(name, base_url, kind="chatgpt", chatgpt_account_id=account_id)
        window = [used, resets_at * 1000, 18_000]
        accounts.observe(pool.name, account.id, {}, outcome={"windows": [window]})
    return pool


def send_request(pool: PoolOfTest, token: str, account_id: str) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}", "chatgpt-account-id": account_id}
    return requests.get(pool.gateway.url + PATH, headers=headers, timeout=10)


def request_as_a(pool: PoolOfTest, token: str) -> requests.Response:
    """A new account is known within a second on an idle machine."""
    until = time.monotonic() + 20
    while "not known here" in (response := send_request(pool, token, f"acc-{pool.name}-a")).text:
        assert time.monotonic() < until
    return response


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_key_sees_the_pools_usage(pool: PoolOfTest, resets_at: int, slash: str) -> None:
    body = pool.get(PATH + slash, pool.key()).json()

    window = body["rate_limit"].pop("primary_window")
    assert 3500 < window.pop("reset_after_seconds") <= 3600
    assert window == {"used_percent": 30, "limit_window_seconds": 18_000, "reset_at": resets_at}
    assert body["rate_limit"] == {"allowed": True, "limit_reached": False, "secondary_window": None}
    assert (body["plan_type"], body["credits"]) == ("unknown", None)


def test_what_accounts_report(pool: PoolOfTest, resets_at: int) -> None:
    services = pool.gateway.services
    for name, used in (("a", 10), ("b", 30)):
        month = {"used_percent": used, "limit_window_seconds": 2_592_000, "reset_at": resets_at + used}
        purse = {"has_credits": name == "a", "unlimited": False, "balance": "2.5"}
        reply = {"plan_type": "plus", "credits": purse, "monthly_window": month}
        services.upstream.metadata.put(pool.name, services.accounts.find(pool.name, name).id, "usage", reply)

    body = pool.get(PATH, pool.key()).json()

    assert body["plan_type"] == "plus"
    assert body["credits"] == {"has_credits": True, "unlimited": False, "balance": "5"}
    month = body["rate_limit"]["monthly_window"]
    assert 3400 < month.pop("reset_after_seconds") <= 3610
    assert month == {"used_percent": 20, "limit_window_seconds": 2_592_000, "reset_at": resets_at + 10}


def test_a_pool_that_is_spent(pool: PoolOfTest) -> None:
    for name in ("a", "b"):
        pool.gateway.services.accounts.pause(pool.name, name)

    limits = pool.get(PATH, pool.key()).json()["rate_limit"]

    assert (limits["allowed"], limits["limit_reached"]) == (False, True)


class TestKeyOfOneAccount:
    @pytest.fixture
    def key(self, pool: PoolOfTest) -> str:
        return pool.key("bound", accounts=(pool.gateway.services.accounts.find(pool.name, "b").id,))

    def test_sees_its_windows(self, pool: PoolOfTest, key: str, resets_at: int) -> None:
        assert pool.get(PATH, key).json()["rate_limit"]["primary_window"]["used_percent"] == 40
        assert pool.get("/v1/usage", key).json()["account_pool_usage"]["primary"] == {
            "used_percent": 40.0,
            "reset_at": resets_at,
        }

    def test_sees_its_credits(self, pool: PoolOfTest, key: str) -> None:
        services = pool.gateway.services
        for name, balance in (("a", "100"), ("b", "2.5")):
            purse = {"has_credits": True, "unlimited": name == "a", "balance": balance}
            reply = {"plan_type": name, "credits": purse}
            services.upstream.metadata.put(
                pool.name, services.accounts.find(pool.name, name).id, "usage", reply
            )

        body = pool.get(PATH, key).json()

        assert body["credits"] == {"has_credits": True, "unlimited": False, "balance": "2.5"}
        assert body["plan_type"] == "b"

    def test_is_not_allowed_where_its_account_is_out(self, pool: PoolOfTest, key: str) -> None:
        pool.gateway.services.accounts.pause(pool.name, "b")

        assert pool.get(PATH, key).json()["rate_limit"]["allowed"] is False
        assert pool.get(PATH, pool.key("free")).json()["rate_limit"]["allowed"] is True


class TestHidden:
    @pytest.fixture(autouse=True)
    def hidden(self, pool: PoolOfTest) -> None:
        services = pool.gateway.services
        reply = {"plan_type": "pro", "credits": {"has_credits": True, "unlimited": False, "balance": "7"}}
        services.upstream.metadata.put(pool.name, services.accounts.find(pool.name, "a").id, "usage", reply)
        pool.set(settings=json.dumps({"tells_windows": False}))

    def test_key_sees_whether_it_may_go_on(self, pool: PoolOfTest) -> None:
        body = pool.get(PATH, pool.key()).json()

        assert body == {
            "plan_type": "unknown",
            "rate_limit": {
                "allowed": True,
                "limit_reached": False,
                "primary_window": None,
                "secondary_window": None,
            },
            "credits": None,
            "additional_rate_limits": None,
        }

    def test_usage_of_a_key_has_no_windows(self, pool: PoolOfTest) -> None:
        body = pool.get("/v1/usage", pool.key()).json()

        assert (body["upstream_limits"], body["account_pool_usage"]) == ([], None)

    def test_sign_in_sees_its_own_usage(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        upstream.script({"play": "json", "body": WHAM}, path="/wham/usage")

        body = request_as_a(pool, "its-token").json()

        assert (body["plan_type"], body["credits"]) == ("plus", WHAM["credits"])
        assert body["rate_limit"]["primary_window"] is None


class TestSignIn:
    def test_of_an_account_here(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        """The backend decides whether the token is that account's."""
        upstream.script({"play": "json", "body": WHAM}, path="/wham/usage")

        response = request_as_a(pool, "its-token")

        assert response.status_code == 200, response.text
        assert (response.json()["plan_type"], response.json()["credits"]) == ("plus", WHAM["credits"])
        assert response.json()["rate_limit"]["primary_window"]["used_percent"] == 30
        (seen,) = upstream.log()
        assert seen.headers["authorization"] == "Bearer its-token"
        assert seen.headers["chatgpt-account-id"] == f"acc-{pool.name}-a"

    @pytest.mark.parametrize(("refusal", "status"), [(401, 401), (403, 401), (429, 429), (500, 500)])
    def test_that_the_backend_refuses(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, refusal: int, status: int
    ) -> None:
        upstream.script({"play": "http_error", "status": refusal}, path="/wham/usage")

        response = request_as_a(pool, "another")

        assert response.status_code == status

    def test_of_a_stranger(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        response = send_request(pool, "its-token", "acc-stranger")

        assert (response.status_code, error_of(response)["code"]) == (401, "invalid_api_key")
        assert upstream.log() == []


class TestHeaders:
    @pytest.mark.parametrize("body", [CHAT, {"model": "m"}])
    def test_responses_report_it(self, pool: PoolOfTest, resets_at: int, body: dict[str, Any]) -> None:
        """Refusals too, once the key is known; and only what is known."""
        response = pool.post(PATHS["chat"], body, pool.key())

        reply = {name: value for name, value in response.headers.items() if name.startswith("x-codex-")}
        assert reply == {
            "x-codex-primary-used-percent": "30.0",
            "x-codex-primary-window-minutes": "300",
            "x-codex-primary-reset-at": str(resets_at),
        }

    def test_a_pool_may_keep_it_to_itself(self, pool: PoolOfTest) -> None:
        pool.set(settings=json.dumps({"tells_windows": False}))

        response = pool.post(PATHS["chat"], CHAT, pool.key())

        assert not [name for name in response.headers if name.startswith("x-codex-")]

    def test_key_of_one_account_sees_its_window(self, pool: PoolOfTest) -> None:
        """Whichever of two keys came first."""
        account = pool.gateway.services.accounts.find(pool.name, "b")
        bound, free = pool.key("bound", accounts=(account.id,)), pool.key("free")

        used = [
            pool.post(PATHS["chat"], {"model": "m"}, key).headers["x-codex-primary-used-percent"]
            for key in (free, bound, free)
        ]

        assert used == ["30.0", "40.0", "30.0"]

    def test_refused_without_a_key(self, pool: PoolOfTest) -> None:
        response = pool.post(PATHS["chat"], CHAT)

        assert not [name for name in response.headers if name.startswith("x-codex-")]
