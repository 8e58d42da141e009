"""An outage of everything an account pool has: the gateway adds little to it. And a rescue stays possible."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.relay.retry_budget import RETRY_FLOOR
from tests.service.test_model_responses import CHAT, PATHS, text_of
from tests.support.gateway import Gateway, PoolOfTest, running_gateway
from tests.support.upstream_client import ScriptedUpstream

WORKERS = 2
REQUESTS, AT_ONCE = 500, 25
FAILS = {"play": "http_error", "status": 500}


@pytest.fixture
def pool(gateway: Gateway) -> PoolOfTest:
    return gateway.pool()


@pytest.fixture(scope="module")
def gateway(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home: Path = tmp_path_factory.mktemp("home")
    with running_gateway(redis_url, home, workers=WORKERS) as running:
        yield running


def requested(pool: PoolOfTest, keys: list[str], number: int, **body: object) -> list[int]:
    """Return the statuses of *number* requests, of the *keys* in turn, some at once."""

    def one(index: int) -> int:
        own = {**CHAT, **body, "prompt_cache_key": str(index)}
        return pool.post(PATHS["chat"], own, keys[index % len(keys)]).status_code

    with ThreadPoolExecutor(AT_ONCE) as clients:
        return list(clients.map(one, range(number)))


@pytest.mark.timeout(240)
def test_an_outage_is_not_multiplied(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    for name in "abcd":
        pool.account(name, upstream.base_url(name))
    upstream.script(FAILS)

    statuses = requested(pool, [pool.key(), pool.key("l")], REQUESTS, fallbacks=["n", "o"])

    assert not set(statuses) & {200, 404}
    assert len(upstream.log()) <= 1.2 * REQUESTS + WORKERS * RETRY_FLOOR
    assert (pool.open_leases(), pool.in_flight()) == (0, 0)


def test_half_of_the_accounts_that_fail_are_not_noticed(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    for name in ("bad", "good"):
        pool.account(name, upstream.base_url(name))
    upstream.script(FAILS, account="bad")

    assert set(requested(pool, [pool.key()], 100)) == {200}


def test_a_single_request_is_rescued(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    pool.set(policy="ordered")
    pool.account("bad", upstream.base_url("bad"))
    pool.account("good", upstream.base_url("good"), group=1)
    upstream.script(FAILS, account="bad")
    upstream.script({"play": "text", "text": "Rescued."}, account="good")

    assert text_of("chat", pool.post(PATHS["chat"], CHAT, pool.key()).json()) == "Rescued."
