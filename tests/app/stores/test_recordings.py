"""Recorded responses: one claim per Idempotency-Key, sealed pieces in order, bounds for each API key."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import pytest
from cryptography.fernet import Fernet

from app.errors import StoreRefused
from app.stores import keys, recordings
from app.stores.recordings import RecordingRepository
from app.stores.records.recordings import Claim, RecordedPieces, RecordingId, RecordingState
from app.stores.scripts import Scripts
from app.stores.secrets import Vault

RUNNING, STORED, TOO_LARGE = RecordingState.RUNNING, RecordingState.STORED, RecordingState.TOO_LARGE
RELEASED, LOST, FULL = RecordingState.RELEASED, RecordingState.LOST, RecordingState.FULL
POOL_FULL = RecordingState.POOL_FULL
LEASE_SECONDS = 30
OVERHEAD = 1024  # of lua/recordings.lua


def vault() -> Vault:
    return Vault((Fernet.generate_key().decode(),))


def request(digest: str = "d", run: str = "1", key: str = "k") -> RecordingId:
    return RecordingId("p", key, digest, run)


@pytest.fixture
def store(redis_client: Any) -> RecordingRepository:
    return RecordingRepository(Scripts(redis_client), vault(), LEASE_SECONDS)


def record_all(store: RecordingRepository, of: RecordingId, *pieces: bytes) -> None:
    """Claim and record a complete response."""
    store.claim(of, "f")
    for at, piece in enumerate(pieces):
        store.record(of, at, piece, RUNNING)
    store.record(of, len(pieces), b"", STORED, ended=True)
    time.sleep(0.002)  # the Redis clock decides which is older


class TestClaim:
    def test_the_first_has_it_and_others_learn_of_it(self, store: RecordingRepository) -> None:
        assert store.claim(request(run="1"), "f") == Claim("1", RUNNING, "f")
        assert store.claim(request(run="2"), "g") == Claim("1", RUNNING, "f")

    def test_a_reply_that_was_lost_changes_nothing(self, store: RecordingRepository) -> None:
        store.claim(request(), "f")

        assert store.claim(request(), "f") == Claim("1", RUNNING, "f")

    def test_one_of_many_wins(self, store: RecordingRepository) -> None:
        with ThreadPoolExecutor(8) as callers:
            runs = callers.map(lambda n: store.claim(request(run=str(n)), "f").run, range(40))

        assert len(set(runs)) == 1

    def test_it_expires_unless_it_is_renewed(self, store: RecordingRepository, redis_client: Any) -> None:
        store.claim(request(), "f")
        redis_client.pexpire(keys.recording("p", "d"), 1)
        time.sleep(0.01)

        assert store.record(request(), 0, b"head", RUNNING) is LOST
        assert store.claim(request(run="2"), "f").run == "2"
        assert store.record(request(run="2"), 0, b"head", RUNNING) is RUNNING
        assert 0 < redis_client.pttl(keys.recording("p", "d")) <= LEASE_SECONDS * 1000

    def test_a_released_one_is_free(self, store: RecordingRepository, redis_client: Any) -> None:
        store.claim(request(), "f")
        store.record(request(), 0, b"head", RUNNING)

        assert store.record(request(), 1, b"", RELEASED, ended=True) is RELEASED
        assert store.claim(request(run="2"), "g") == Claim("2", RUNNING, "g")
        assert store.read(request(), 0) == RecordedPieces(LOST, [])
        assert redis_client.keys("*idem:d:1") == []


class TestPieces:
    def test_they_are_read_from_the_start_or_from_later(self, store: RecordingRepository) -> None:
        record_all(store, request(), b"head", b"\xff\x00", b"end")

        assert store.read(request(), 0) == RecordedPieces(STORED, [b"head", b"\xff\x00", b"end"])
        assert store.read(request(), 2) == RecordedPieces(STORED, [b"end"])
        assert store.read(request(), 3) == RecordedPieces(STORED, [])

    def test_one_that_is_written_again_counts_once(self, store: RecordingRepository) -> None:
        store.claim(request(), "f")
        for _ in range(2):
            assert store.record(request(), 0, b"head", RUNNING) is RUNNING

        assert store.read(request(), 0) == RecordedPieces(RUNNING, [b"head"])

    def test_many_are_read_in_turns(self, store: RecordingRepository) -> None:
        pieces = [b"%d" % n for n in range(recordings.READ_PIECES + 1)]
        record_all(store, request(), *pieces)

        assert store.read(request(), 0).pieces == pieces[:-1]

    def test_they_are_sealed_and_expire(self, store: RecordingRepository, redis_client: Any) -> None:
        record_all(store, request(), b"private")

        (sealed,) = redis_client.lrange(keys.recorded_pieces("p", "d", "1"), 0, -1)
        assert "private" not in sealed
        for name in (keys.recording("p", "d"), keys.recorded_pieces("p", "d", "1")):
            assert 590_000 < redis_client.pttl(name) <= 600_000
        assert all(redis_client.ttl(name) > 0 for name in redis_client.scan_iter("*idem:*"))

    def test_with_another_secret_key_they_cannot_be_replayed(
        self, store: RecordingRepository, redis_client: Any
    ) -> None:
        record_all(store, request(), b"private")

        other = RecordingRepository(Scripts(redis_client), vault(), LEASE_SECONDS)
        assert other.read(request(), 0) == RecordedPieces(TOO_LARGE, [])

    def test_missing_pieces_are_not_a_complete_response(
        self, store: RecordingRepository, redis_client: Any
    ) -> None:
        record_all(store, request(), b"head", b"body")
        redis_client.delete(keys.recorded_pieces("p", "d", "1"))

        assert store.read(request(), 1) == RecordedPieces(LOST, [])

    @pytest.mark.parametrize("left", [0, 1])
    @pytest.mark.parametrize("piece", [b"end", b""])
    def test_pieces_that_a_failover_lost_end_the_claim(
        self, store: RecordingRepository, redis_client: Any, left: int, piece: bytes
    ) -> None:
        """A replica that takes over may lack the newest ones: what comes after them is no response."""
        store.claim(request(), "f")
        for at, each in enumerate((b"head", b"body")):
            store.record(request(), at, each, RUNNING)
        for _ in range(2 - left):
            redis_client.rpop(keys.recorded_pieces("p", "d", "1"))

        assert store.record(request(), 2, piece, STORED, ended=True) is LOST

        assert store.read(request(), 0) == RecordedPieces(LOST, [])
        assert store.claim(request(run="2"), "f").run == "2"
        assert not redis_client.exists(keys.recorded_pieces("p", "d", "1"))

    def test_a_response_that_is_too_large_is_known_without_pieces(
        self, store: RecordingRepository, redis_client: Any
    ) -> None:
        store.claim(request(), "f")
        store.record(request(), 0, b"head", RUNNING)

        assert store.record(request(), 1, b"", TOO_LARGE, ended=True) is TOO_LARGE
        assert store.claim(request(run="2"), "f") == Claim("1", TOO_LARGE, "f")
        assert store.read(request(), 0) == RecordedPieces(TOO_LARGE, [])
        assert redis_client.hgetall(keys.recorded_sizes("p", "k")) == {"total": "0"}


class TestBounds:
    """The oldest complete recording is evicted, never a running one."""

    def stored(self, store: RecordingRepository, digests: str) -> str:
        return "".join(each for each in digests if store.read(request(each), 0).state is STORED)

    def test_their_number(self, store: RecordingRepository, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(recordings, "MAX_RECORDINGS", 3)
        store.claim(request("a"), "f")
        for digest in "bcd":
            record_all(store, request(digest), b"head")

        assert self.stored(store, "abcd") == "cd"
        assert store.claim(request("a", "2"), "f").run == "1"

    def test_of_other_api_keys_none_is_evicted(
        self, store: RecordingRepository, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(recordings, "MAX_RECORDINGS", 1)
        record_all(store, request("a", key="other"), b"head")
        record_all(store, request("b"), b"head")

        assert self.stored(store, "ab") == "ab"

    def test_where_all_are_running_there_is_no_room(
        self, store: RecordingRepository, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(recordings, "MAX_RECORDINGS", 2)
        for digest in "ab":
            store.claim(request(digest), "f")

        assert store.claim(request("c"), "f").state is FULL
        store.record(request("a"), 0, b"", STORED, ended=True)
        assert store.claim(request("c"), "f").state is RUNNING

    def test_their_bytes(
        self, store: RecordingRepository, redis_client: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(recordings, "MAX_BYTES", 1000)
        for digest in "abcd":
            record_all(store, request(digest), b"x" * 200)  # 356 sealed

        assert self.stored(store, "abcd") == "cd"
        sizes = redis_client.hgetall(keys.recorded_sizes("p", "k"))
        assert sizes.pop("total") == str(sum(map(int, sizes.values())))
        assert sorted(sizes) == ["c", "d"]

    def test_one_that_does_not_fit_alone_is_too_large(
        self, store: RecordingRepository, redis_client: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(recordings, "MAX_BYTES", 1000)
        store.claim(request("running"), "f")
        store.claim(request(), "f")

        assert store.record(request(), 0, b"x" * 200, RUNNING) is RUNNING
        assert store.record(request(), 1, b"x" * 800, RUNNING) is TOO_LARGE
        assert store.read(request(), 0) == RecordedPieces(TOO_LARGE, [])
        assert redis_client.hget(keys.recorded_sizes("p", "k"), "total") == "0"
        assert store.claim(request("running", "2"), "f").run == "1"

    def test_what_has_expired_does_not_count(
        self, store: RecordingRepository, redis_client: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        record_all(store, request("a"), b"head")
        redis_client.delete(keys.recording("p", "a"), keys.recorded_pieces("p", "a", "1"))
        redis_client.zadd(keys.recordings("p", "k"), {"a": 1})

        store.claim(request("b"), "f")

        assert redis_client.zrange(keys.recordings("p", "k"), 0, -1) == ["b"]
        assert redis_client.hget(keys.recorded_sizes("p", "k"), "total") == "0"


class TestPoolBound:
    """A bound on the recordings of all keys; when it is reached, nothing is evicted."""

    def small(self, client: Any, max_bytes: int, clock: str = "") -> RecordingRepository:
        scripts = Scripts(client, clock=clock) if clock else Scripts(client)
        return RecordingRepository(scripts, vault(), LEASE_SECONDS, max_bytes)

    def counted(self, client: Any) -> int:
        """Return the counted bytes, which are those that the recordings have."""
        sizes = {name: int(size) for name, size in client.hgetall(keys.pool_recorded_sizes("p")).items()}
        total = sizes.pop("total", 0)
        actual = {}
        for name in client.scan_iter(keys.recording("p", "") + "*:*"):
            digest = name.split(":")[-2]
            if digest not in ("of", "sizes"):
                actual[digest] = OVERHEAD + sum(map(len, client.lrange(name, 0, -1)))
        assert sizes == actual
        assert total == sum(sizes.values())
        return total

    def test_the_request_goes_on_unrecorded(self, redis_client: Any) -> None:
        store = self.small(redis_client, 3000)  # a recording of 200 bytes takes 356 and OVERHEAD
        record_all(store, request("a", key="other"), b"x" * 200)
        record_all(store, request("b"), b"x" * 200)
        store.claim(request("c"), "f")

        assert store.record(request("c"), 0, b"x" * 200, RUNNING) is POOL_FULL
        assert store.record(request("c"), 1, b"x", RUNNING) is TOO_LARGE
        assert store.record(request("c"), 1, b"", STORED, ended=True) is TOO_LARGE
        assert [store.read(request(each), 0).state for each in "abc"] == [STORED, STORED, TOO_LARGE]
        assert store.claim(request("c", "2"), "f") == Claim("1", TOO_LARGE, "f")
        assert self.counted(redis_client) == 2 * (356 + OVERHEAD)

    def test_room_that_becomes_free(self, redis_client: Any) -> None:
        store = self.small(redis_client, 2000)
        record_all(store, request("a"), b"x" * 200)
        store.record(request("a"), 1, b"", RELEASED, ended=True)
        record_all(store, request("b", key="other"), b"x" * 200)

        assert store.read(request("b", key="other"), 0).state is STORED
        assert self.counted(redis_client) == 356 + OVERHEAD

    def test_what_expires_does_not_count(self, redis_client: Any) -> None:
        """Also where the store has deleted all that its key had."""
        now = time.time_ns() // 1_000_000
        earlier = self.small(redis_client, 3000, f"local function clock() return {now} end")
        later = self.small(redis_client, 3000, f"local function clock() return {now + 600_000} end")
        for key in ("one", "two"):
            record_all(earlier, request(key, key=key), b"x" * 200)
        redis_client.delete(keys.recordings("p", "two"), keys.recorded_sizes("p", "two"))
        redis_client.delete(keys.recording("p", "two"))
        earlier.claim(request("c"), "f")
        assert earlier.record(request("c"), 0, b"x" * 200, RUNNING) is POOL_FULL

        later.claim(request("d"), "f")
        assert later.record(request("d"), 0, b"x" * 200, RUNNING) is RUNNING

        redis_client.delete(keys.recorded_pieces("p", "two", "1"))  # it has expired there
        assert self.counted(redis_client) == 356 + OVERHEAD
        assert redis_client.zrange(keys.pool_recordings("p"), 0, -1) == ["k|d"]

    def test_sizes_without_their_recordings(self, redis_client: Any) -> None:
        """Both expire within a millisecond, so one may be missing."""
        store = self.small(redis_client, 2000)
        record_all(store, request("a"), b"x" * 200)
        redis_client.delete(*redis_client.keys("*idem:d:*"), keys.pool_recordings("p"))
        redis_client.delete(keys.recorded_pieces("p", "a", "1"))

        record_all(store, request("b", key="other"), b"x" * 200)

        assert self.counted(redis_client) == 356 + OVERHEAD

    def test_many_at_once(self, redis_client: Any) -> None:
        """Of several keys, with responses of any size, of which some are released or sent again."""
        max_bytes = 40_000
        store = self.small(redis_client, max_bytes)

        def run(number: int) -> tuple[RecordingState, int]:
            one = request(f"d{number % 60}", str(number), key=f"k{number % 5}")
            state = store.claim(one, "f").state
            for at in range(number % 7):
                state = store.record(one, at, b"x" * (number * 37 % 900 + 1), RUNNING)
                if number % 3 == 0:
                    store.record(one, at, b"y", RUNNING)
            store.record(one, number % 7, b"", RELEASED if number % 4 == 0 else STORED, ended=True)
            return state, int(redis_client.hget(keys.pool_recorded_sizes("p"), "total") or 0)

        with ThreadPoolExecutor(8) as callers:
            outcomes = list(callers.map(run, range(240)))

        assert {RUNNING, POOL_FULL, TOO_LARGE} <= {state for state, _ in outcomes}
        assert max(total for _, total in outcomes) <= max_bytes
        assert 0 < self.counted(redis_client) <= max_bytes


@pytest.mark.parametrize("script", ["claim_recording", "record_response"])
@pytest.mark.parametrize("change", [{"digest": 1}, {"run": None}, {"lease_ms": 0}, {"retention_ms": -1}])
def test_odd_arguments_are_refused_before_anything_is_written(
    redis_client: Any, script: str, change: dict[str, Any]
) -> None:
    args: dict[str, Any] = {"key": "k", "digest": "d", "run": "1", "lease_ms": 1000, "retention_ms": 1000}
    args |= {"fingerprint": "f", "max_recordings": 1, "at": 0, "state": "running", "ended": False}
    args |= {"max_bytes": 1, "max_pool_bytes": 1} | change

    with pytest.raises(StoreRefused):
        Scripts(redis_client).run(script, "p", orjson.dumps(args), "piece")

    assert redis_client.keys("*") == []
