"""The reports of upstreams about themselves are used as long as they are true, and no longer."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.service.test_model_responses import CHAT, PATHS
from tests.support.gateway import PoolOfTest, background_worker, running_gateway
from tests.support.processes import eventually
from tests.support.redis import private_redis
from tests.support.upstream_client import ScriptedUpstream

WELL = {"play": "text", "text": "Here."}
USAGE = "/backend-api/wham/usage"
BURST_ENDS_SECONDS = 10.0
LOOK_SECONDS = 60.0


def rejected(status: int, code: str, **more: Any) -> dict[str, Any]:
    return {
        "play": "http_error",
        "status": status,
        "body": {"error": {"message": "No.", "code": code, **more}},
    }


def windows(used: float, *, spent: bool) -> dict[str, Any]:
    window = {"used_percent": used, "reset_after_seconds": 3600, "limit_window_seconds": 18_000}
    limit = {"allowed": not spent, "limit_reached": spent, "primary_window": window}
    return {"play": "json", "status": 200, "body": {"rate_limit": limit}}


@pytest.fixture
def two(pool: PoolOfTest, upstream: ScriptedUpstream) -> PoolOfTest:
    """`bad` goes first, because its group does; both are healthy unless a test changes that."""
    pool.set(policy="ordered")
    pool.account("bad", upstream.base_url("bad"), group=0)
    pool.account("good", upstream.base_url("good"), group=1)
    upstream.script(WELL)
    return pool


def send_request(pool: PoolOfTest, key: str, model: str = "gpt-4.1", **more: Any) -> Any:
    # each question is a separate conversation, unless a test specifies otherwise
    body = {**CHAT, "model": model, "prompt_cache_key": str(time.monotonic_ns()), **more}
    return pool.post(PATHS["chat"], body, key)


def requested(upstream: ScriptedUpstream, account: str) -> int:
    return len([seen for seen in upstream.log(account) if seen.method == "POST"])


@pytest.mark.parametrize(
    "refusal",
    [rejected(401, "invalid_api_key"), rejected(403, "account_suspended"), rejected(401, "token_expired")],
)
def test_dead_credential(two: PoolOfTest, upstream: ScriptedUpstream, refusal: dict[str, Any]) -> None:
    """It is called once, never again, and clients do not notice."""
    upstream.script(refusal, account="bad")
    key = two.key()

    responses = [send_request(two, key) for _ in range(6)]

    assert {response.headers["x-poolgate-account"] for response in responses} == {"good"}
    assert requested(upstream, "bad") == 1
    assert two.states()["bad"] == "credential_dead"


def test_paused_account(two: PoolOfTest, upstream: ScriptedUpstream) -> None:
    two.gateway.services.accounts.pause(two.name, "bad")
    key = two.key()

    assert {send_request(two, key).headers["x-poolgate-account"] for _ in range(6)} == {"good"}
    assert requested(upstream, "bad") == 0


def test_burst_without_a_time(two: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """No client is refused meanwhile, and the account is in use again soon after the burst is over."""
    upstream.script(rejected(429, "rate_limit_exceeded"), WELL, account="bad")
    key = two.key()
    assert send_request(two, key).headers["x-poolgate-account"] == "good"

    until = time.monotonic() + BURST_ENDS_SECONDS
    served = ""
    while served != "bad" and time.monotonic() < until:
        response = send_request(two, key)
        assert response.status_code == 200
        served = response.headers["x-poolgate-account"]

    assert served == "bad"


def test_overloaded_model(two: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """The account's other models continue; and the decision has the reason against this one."""
    upstream.script(rejected(503, "server_is_overloaded"), account="bad", model="gpt-4.1")
    key = two.key()

    assert [send_request(two, key).headers["x-poolgate-account"] for _ in range(2)] == ["good", "good"]
    assert send_request(two, key, "gpt-5.2").headers["x-poolgate-account"] == "bad"
    assert two.states() == {"bad": "active", "good": "active"}
    assert requested(upstream, "bad") == 2
    second = two.wait_for_rows(3)[1]
    candidates = two.gateway.services.ledger.explainer.explain(two.name, second["id"])["choices"][0][
        "candidates"
    ]
    assert (candidates[0]["account"]["name"], candidates[0]["why"]) == ("bad", "overloaded")


def test_early_reset(tmp_path: Path, upstream: ScriptedUpstream) -> None:
    """An account that reports room again is used after the worker's next look, an hour early."""
    with private_redis() as url, running_gateway(url, tmp_path, workers=1) as gateway:
        pool = gateway.pool()
        home = f"{upstream.root_url('ann')}/backend-api"
        pool.account("ann", home, kind="chatgpt", chatgpt_account_id="acc")
        upstream.script(
            rejected(429, "usage_limit_reached", type="usage_limit_reached", resets_in_seconds=3600),
            WELL,
            account="ann",
            path="/responses",
        )
        upstream.script(windows(3, spent=False), account="ann", path=USAGE)
        key = pool.key()
        assert send_request(pool, key).status_code == 429
        assert pool.states() == {"ann": "window_spent"}

        with background_worker(gateway):
            assert eventually(lambda: pool.states() == {"ann": "active"}, seconds=LOOK_SECONDS)

        assert send_request(pool, key).status_code == 200


def test_overlapping_turns_of_one_conversation(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    for name in "abc":
        pool.account(name, upstream.base_url(name))
    upstream.script({**WELL, "before": [{"gate": "open"}]})
    key = pool.key()

    with ThreadPoolExecutor(5) as clients:
        requesting = [clients.submit(send_request, pool, key, prompt_cache_key="talk") for _ in range(5)]
        upstream.wait_for(5)
        upstream.release("open")
        served = {each.result().headers["x-poolgate-account"] for each in requesting}

    assert len(served) == 1


def test_full_account_spills_over(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """A conversation's account that is full is no reason to wait, while another is idle."""
    pool.account("small", upstream.base_url("small"), cap=1)
    pool.account("large", upstream.base_url("large"), cap=9)
    upstream.script({**WELL, "before": [{"gate": "open"}]})
    key = pool.key()

    with ThreadPoolExecutor(6) as clients:
        requesting = [clients.submit(send_request, pool, key, prompt_cache_key=f"t{n % 2}") for n in range(6)]
        upstream.wait_for(6)
        upstream.release("open")
        responses = [each.result() for each in requesting]

    assert {response.status_code for response in responses} == {200}
    served = [response.headers["x-poolgate-account"] for response in responses]
    assert served.count("small") <= 1


def test_drifting_windows(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """Shares follow the headers of responses, down and up again."""
    for name in "ab":
        pool.account(name, upstream.base_url(name))
    reply = {"x-codex-primary-used-percent": "95", "x-codex-primary-reset-after-seconds": "3600"}
    upstream.script({**WELL, "headers": reply}, account="a")
    upstream.script(WELL, account="b")
    key = pool.key()

    before = [send_request(pool, key).headers["x-poolgate-account"] for _ in range(24)].count("a")
    upstream.script({**WELL, "headers": {**reply, "x-codex-primary-used-percent": "0"}}, account="a")
    after = [send_request(pool, key).headers["x-poolgate-account"] for _ in range(60)].count("a")

    assert 1 <= before <= 4
    assert after > 10


def test_conversations_spread_where_affinity_is_off(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    for name in "abc":
        pool.account(name, upstream.base_url(name))
    upstream.script(WELL)
    key = pool.key()
    pool.set(settings='{"affinity_minutes": 0}')

    served = {
        send_request(pool, key, prompt_cache_key="talk").headers["x-poolgate-account"] for _ in range(6)
    }

    assert served == {"a", "b", "c"}
