"""Roll-ups are read by hour and day, also those from before their starts were stored."""

from __future__ import annotations

from typing import Any

import pytest

from app.stores import keys
from app.stores.rollups import DAY, HOUR, SCAN_COUNT, Figure, RollupRepository


@pytest.fixture
def rollups(redis_client: Any) -> RollupRepository:
    return RollupRepository(redis_client)


def test_starts_are_searched_for_once(rollups: RollupRepository, redis_client: Any) -> None:
    for start in (7200, 3600):
        redis_client.hset(keys.rollup("p", HOUR, start), "k|a|m|requests", 1)
    redis_client.hset(keys.rollup("p", DAY, 0), "k|a|m|requests", 1)
    redis_client.hset(keys.rollup("q", HOUR, 10800), "k|a|m|requests", 1)

    assert rollups.starts("p", HOUR) == [3600, 7200]
    assert rollups.starts("p", DAY) == [0]

    redis_client.hset(keys.rollup("p", HOUR, 10800), "k|a|m|requests", 1)  # without its start
    assert rollups.starts("p", HOUR) == [3600, 7200]


def test_no_rollup(rollups: RollupRepository) -> None:
    assert rollups.starts("p", HOUR) == []
    assert list(rollups.read("p", HOUR, [3600])) == []
    assert rollups.scan("p", HOUR, 3600) == []


def test_the_name_of_a_model_may_contain_the_separator(rollups: RollupRepository, redis_client: Any) -> None:
    redis_client.hset(keys.rollup("p", HOUR, 3600), "k|a|org|model|input_tokens", 5)

    figure = Figure("k", "a", "org|model", "input_tokens", 5)
    assert list(rollups.read("p", HOUR, [3600])) == [figure]
    assert rollups.scan("p", HOUR, 3600) == [figure]


def test_read_in_parts(rollups: RollupRepository, redis_client: Any) -> None:
    """Every figure is returned once, however many parts it takes."""
    count = 3 * SCAN_COUNT
    fields = {f"k|a|m{each}|requests": each for each in range(count)}
    redis_client.hset(keys.rollup("p", HOUR, 3600), mapping=fields)

    figures = rollups.scan("p", HOUR, 3600)

    assert sorted(figure.amount for figure in figures) == list(range(count))


def test_removed_with_its_summary(rollups: RollupRepository, redis_client: Any) -> None:
    for start in (3600, 7200):
        redis_client.hset(keys.rollup("p", HOUR, start), "k|a|m|requests", 1)
        redis_client.hset(keys.summary("p", HOUR, start), "x", 1)
    assert rollups.starts("p", HOUR) == [3600, 7200]

    rollups.remove("p", HOUR, 3600)

    assert rollups.starts("p", HOUR) == [7200]
    assert list(rollups.read("p", HOUR, [3600])) == []
    assert not redis_client.exists(keys.summary("p", HOUR, 3600))
    assert redis_client.exists(keys.summary("p", HOUR, 7200))
