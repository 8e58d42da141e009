"""What upstreams tell of their accounts is there for a day, by account, and never large."""

from __future__ import annotations

import pytest

from app.stores import keys
from app.stores.scripts import Scripts
from app.stores.upstream_metadata import KEPT_SECONDS, MAX_BYTES, UpstreamMetadataStore


@pytest.fixture
def store(redis_client) -> UpstreamMetadataStore:
    return UpstreamMetadataStore(Scripts(redis_client))


def test_by_account_in_the_order_asked_for(store, redis_client):
    store.keep("p", "1", "usage", {"plan_type": "plus"})
    store.keep("p", "2", "usage", {"plan_type": "pro"})
    store.keep("p", "2", "catalogue", {})
    store.keep("q", "3", "usage", {})

    assert store.all("p", "usage", ["2", "none", "1"]) == [{"plan_type": "pro"}, {"plan_type": "plus"}]
    assert store.all("p", "usage", []) == []
    assert KEPT_SECONDS - 60 < redis_client.ttl(keys.told("p", "1", "usage")) <= KEPT_SECONDS


def test_what_is_too_large_is_not_kept(store):
    store.keep("p", "1", "usage", {"text": "x" * MAX_BYTES})

    assert store.all("p", "usage", ["1"]) == []
