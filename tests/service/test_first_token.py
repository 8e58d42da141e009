"""How long a first token may take: by what else there is, by the prompt, and by signs of life."""

from __future__ import annotations

import time

import pytest

from tests.service.test_failover import try_bad_first
from tests.service.test_model_responses import CHAT, PATHS, text_of
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

LIMITS = '{"time_limits": {"*": {"first_progress": 1.5, "headers": 1.5, "connect": 1.0, "total": 30.0}}}'
TEXT = {"play": "text", "text": "At last."}
SILENT = {"before": [{"stall": True}]}


@pytest.fixture
def two(pool: PoolOfTest, upstream: ScriptedUpstream) -> PoolOfTest:
    pool.set(settings=LIMITS)
    pool.account("bad", upstream.base_url("bad"), kind="compatible")
    pool.account("good", upstream.base_url("good"), kind="compatible")
    try_bad_first(pool)
    upstream.script({"play": "text", "text": "From the other."}, account="good")
    return pool


@pytest.mark.parametrize(
    "slow",
    [{**TEXT, "before": [{"sleep": 7.0}]}, {**TEXT, "at": {"start": [{"sleep": 7.0}]}}],
    ids=["headers", "first token"],
)
def test_an_only_account_may_take_its_time(
    pool: PoolOfTest, upstream: ScriptedUpstream, slow: dict[str, object]
) -> None:
    pool.set(settings=LIMITS)
    pool.account("a", upstream.base_url(), kind="compatible")
    upstream.script(slow)

    response = pool.post(PATHS["chat"], CHAT, pool.key())

    assert text_of("chat", response.json()) == "At last."
    assert len(upstream.log()) == 1


def test_an_only_account_that_never_answers_ends_with_the_deadline(
    pool: PoolOfTest, upstream: ScriptedUpstream
) -> None:
    pool.set(settings=LIMITS.replace("30.0", "6.0"))
    pool.account("a", upstream.base_url(), kind="compatible")
    upstream.script(SILENT)

    response = pool.post(PATHS["chat"], CHAT, pool.key())

    assert response.status_code == 502
    assert len(upstream.log()) == 1
    assert (pool.open_leases(), pool.in_flight()) == (0, 0)


def test_a_hung_account_among_several_is_left(two: PoolOfTest, upstream: ScriptedUpstream) -> None:
    upstream.script(SILENT, account="bad")
    began = time.monotonic()

    assert text_of("chat", two.post(PATHS["chat"], CHAT, two.key()).json()) == "From the other."
    assert time.monotonic() - began < 20  # an only account has 30 seconds


def test_a_local_server_has_time_to_read_a_long_prompt(two: PoolOfTest, upstream: ScriptedUpstream) -> None:
    upstream.script({**TEXT, "before": [{"sleep": 6.0}]}, account="bad")
    prompt = "word " * 30_000

    response = two.post(PATHS["chat"], {**CHAT, "messages": [{"role": "user", "content": prompt}]}, two.key())

    assert text_of("chat", response.json()) == "At last."


def test_comments_are_signs_of_life(two: PoolOfTest, upstream: ScriptedUpstream) -> None:
    waits = [step for _ in range(8) for step in ({"sleep": 0.7}, {"send": ": still at work\n\n"})]
    upstream.script({**TEXT, "at": {"start": waits}}, account="bad")

    response = two.post(PATHS["chat"], CHAT, two.key())

    assert text_of("chat", response.json()) == "At last."
