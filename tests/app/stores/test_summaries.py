"""Stored summaries."""

from __future__ import annotations

from typing import Any

import pytest

from app.stores import keys
from app.stores.rollups import HOUR
from app.stores.scripts import Scripts
from app.stores.summaries import MINUTE, MINUTE_RETAINED_SECONDS, SummaryRepository

TEXTS = {"all": '{"":[1]}', "key": '{"k":[1]}'}


@pytest.fixture
def summaries(redis_client: Any) -> SummaryRepository:
    return SummaryRepository(Scripts(redis_client))


def test_of_an_hour(summaries: SummaryRepository) -> None:
    token = summaries.begin("p", HOUR, 3600)
    assert summaries.read("p", HOUR, [3600], "all") == [None]

    summaries.put("p", HOUR, 3600, token, TEXTS)

    assert summaries.read("p", HOUR, [3600, 7200], "key") == [TEXTS["key"], None]


def test_an_entry_that_comes_meanwhile(summaries: SummaryRepository, redis_client: Any) -> None:
    """A late entry removes the summary; one that was begun before is not stored then."""
    token = summaries.begin("p", HOUR, 3600)
    redis_client.delete(keys.summary("p", HOUR, 3600))

    summaries.put("p", HOUR, 3600, token, TEXTS)

    assert summaries.read("p", HOUR, [3600], "all") == [None]


def test_of_a_minute(summaries: SummaryRepository, redis_client: Any) -> None:
    summaries.put_minute("p", 60, TEXTS)

    assert summaries.read("p", MINUTE, [60], "all") == [TEXTS["all"]]
    assert 0 < redis_client.ttl(keys.summary("p", MINUTE, 60)) <= MINUTE_RETAINED_SECONDS
