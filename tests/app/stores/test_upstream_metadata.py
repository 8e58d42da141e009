"""Metadata that upstreams report is stored for a day, by account, with a bounded size."""

from __future__ import annotations

import pytest

from app.stores import keys
from app.stores.scripts import Scripts
from app.stores.upstream_metadata import MAX_BYTES, RETAINED_SECONDS, UpstreamMetadataRepository


@pytest.fixture
def store(redis_client) -> UpstreamMetadataRepository:
    return UpstreamMetadataRepository(Scripts(redis_client))


def test_by_account_in_the_requested_order(store, redis_client):
    store.put("p", "1", "usage", {"plan_type": "plus"})
    store.put("p", "2", "usage", {"plan_type": "pro"})
    store.put("p", "2", "catalogue", {})
    store.put("q", "3", "usage", {})

    assert store.get("p", "usage", ["2", "none", "1"]) == [{"plan_type": "pro"}, {"plan_type": "plus"}]
    assert store.get("p", "usage", []) == []
    assert (
        RETAINED_SECONDS - 60
        < redis_client.ttl(keys.upstream_metadata("p", "1", "usage"))
        <= RETAINED_SECONDS
    )


def test_too_large_values_are_not_stored(store):
    store.put("p", "1", "usage", {"text": "x" * MAX_BYTES})

    assert store.get("p", "usage", ["1"]) == []
