from __future__ import annotations

import time
from typing import Any

import pytest
from cryptography.fernet import Fernet

from app.errors import StoreRefused
from app.relay.response_cache import MAX_BYTES
from app.stores import cached_responses, keys
from app.stores.cached_responses import CachedResponseRepository
from app.stores.scripts import Scripts
from app.stores.secrets import Vault


@pytest.fixture
def store(redis_client: Any) -> CachedResponseRepository:
    return CachedResponseRepository(Scripts(redis_client), Vault((Fernet.generate_key().decode(),)))


def test_stored_values_are_returned(store: CachedResponseRepository) -> None:
    store.put("p", "k", "d", "Grüße", 60)

    assert store.get("p", "d") == "Grüße"
    assert store.get("p", "other") is None
    assert store.get("q", "d") is None


def test_it_is_sealed_and_ends(store: CachedResponseRepository, redis_client: Any) -> None:
    store.put("p", "k", "d", "private", 60)

    assert "private" not in redis_client.get(keys.cached_response("p", "d"))
    assert 0 < redis_client.pttl(keys.cached_response("p", "d")) <= 60_000


def test_a_response_sealed_with_a_removed_key_counts_as_absent(
    store: CachedResponseRepository, redis_client: Any
) -> None:
    store.put("p", "k", "d", "private", 60)

    other = CachedResponseRepository(Scripts(redis_client), Vault((Fernet.generate_key().decode(),)))
    assert other.get("p", "d") is None


class TestRoom:
    """What one key stores is bounded in number and bytes; the oldest makes room."""

    @pytest.fixture(autouse=True)
    def small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(cached_responses, "MAX_RESPONSES", 3)
        monkeypatch.setattr(cached_responses, "MAX_BYTES", 1000)

    def put(self, store: CachedResponseRepository, *digests: str, key: str = "k", text: str = "text") -> None:
        for digest in digests:
            store.put("p", key, digest, text, 60)
            time.sleep(0.002)  # the Redis clock decides which is older

    def stored(self, store: CachedResponseRepository, digests: str) -> str:
        return "".join(digest for digest in digests if store.get("p", digest) is not None)

    def test_of_number(self, store: CachedResponseRepository) -> None:
        self.put(store, *"abc")
        assert self.stored(store, "abcd") == "abc"
        self.put(store, "d")
        assert self.stored(store, "abcd") == "bcd"

    def test_of_bytes(self, store: CachedResponseRepository) -> None:
        """Sealing 200 characters takes some 360 bytes."""
        self.put(store, *"ab", text="x" * 200)
        assert self.stored(store, "abc") == "ab"
        self.put(store, "c", text="x" * 200)
        assert self.stored(store, "abc") == "bc"

    def test_one_that_is_stored_again_counts_once(self, store: CachedResponseRepository) -> None:
        self.put(store, *"abcaaa")
        assert self.stored(store, "abc") == "abc"
        self.put(store, "d")
        assert self.stored(store, "abcd") == "acd"

    def test_one_that_has_expired_takes_none(
        self, store: CachedResponseRepository, redis_client: Any
    ) -> None:
        self.put(store, *"ab")
        store.put("p", "k", "c", "text", 0.001)
        time.sleep(0.01)
        self.put(store, "d")
        assert self.stored(store, "abcd") == "abd"
        assert sorted(redis_client.hkeys(keys.cached_responses("p", "k"))) == ["a", "b", "d"]

    def test_each_key_has_its_own(self, store: CachedResponseRepository) -> None:
        self.put(store, *"abc")
        self.put(store, *"defg", key="other")
        assert self.stored(store, "abcdefg") == "abcefg"

    def test_more_than_all_of_it_is_refused(self, store: CachedResponseRepository, redis_client: Any) -> None:
        self.put(store, "a")
        with pytest.raises(StoreRefused):
            self.put(store, "b", text="x" * 1000)
        assert self.stored(store, "ab") == "a"

    def test_the_index_ends_with_the_last_of_them(
        self, store: CachedResponseRepository, redis_client: Any
    ) -> None:
        store.put("p", "k", "a", "text", 60)
        store.put("p", "k", "b", "text", 5)
        assert 5_000 < redis_client.pttl(keys.cached_responses("p", "k")) <= 60_000


class TestRoomOfAPool:
    """The stored bytes of a pool are bounded; the oldest response of any key is removed first."""

    @pytest.fixture(autouse=True)
    def small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Sealing 200 characters takes 356 bytes, and each response counts 512 more: room for three."""
        monkeypatch.setattr(cached_responses, "MAX_POOL_BYTES", 3 * (356 + 512))

    def put(self, store: CachedResponseRepository, *places: str, seconds: float = 60) -> None:
        """Store a response at each place, a key and a digest."""
        for key, digest in places:
            store.put("p", key, digest, "x" * 200, seconds)
            time.sleep(0.002)  # the Redis clock decides which is older

    def stored(self, store: CachedResponseRepository, digests: str) -> str:
        return "".join(digest for digest in digests if store.get("p", digest) is not None)

    def test_at_the_bound_and_past_it(self, store: CachedResponseRepository, redis_client: Any) -> None:
        self.put(store, "ka", "lb", "mc")
        assert self.stored(store, "abcd") == "abc"
        self.put(store, "nd")
        assert self.stored(store, "abcd") == "bcd"
        assert redis_client.hkeys(keys.cached_responses("p", "k")) == []

    def test_another_pool_has_its_own(self, store: CachedResponseRepository) -> None:
        self.put(store, "ka", "lb", "mc")
        store.put("q", "k", "d", "x" * 200, 60)
        assert self.stored(store, "abc") == "abc"

    def test_one_that_is_stored_again_counts_once(self, store: CachedResponseRepository) -> None:
        self.put(store, "ka", "lb", "mc", "mc", "mc", "ka")
        assert self.stored(store, "abc") == "abc"
        self.put(store, "nd")
        assert self.stored(store, "abcd") == "acd"

    def test_one_that_its_key_evicted_takes_none(
        self, store: CachedResponseRepository, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(cached_responses, "MAX_RESPONSES", 1)
        self.put(store, "ka", "kb", "kc", "kd", "le", "mf")
        assert self.stored(store, "abcdef") == "def"

    def test_the_total_is_counted_again_where_it_is_lost(
        self, store: CachedResponseRepository, redis_client: Any
    ) -> None:
        self.put(store, "ka", "lb", "mc")
        redis_client.delete(keys.root("p") + "ans:bytes")
        self.put(store, "nd")
        assert self.stored(store, "abcd") == "bcd"

    def test_nothing_is_left_once_all_have_expired(
        self, store: CachedResponseRepository, redis_client: Any
    ) -> None:
        self.put(store, "ka", "lb", seconds=0.001)
        time.sleep(0.05)
        assert list(redis_client.scan_iter(keys.root("p") + "ans:*")) == []

    def test_more_than_all_of_it_is_refused(self, store: CachedResponseRepository) -> None:
        self.put(store, "ka")
        with pytest.raises(StoreRefused):
            store.put("p", "k", "b", "x" * 3000, 60)
        assert self.stored(store, "ab") == "a"


def test_the_longest_response_fits_five_times() -> None:
    sealed = Vault((Fernet.generate_key().decode(),)).seal("x" * MAX_BYTES)
    assert 5 * len(sealed) <= cached_responses.MAX_BYTES
