"""Responses are recorded in the background, and repeats follow them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from cryptography.fernet import Fernet

from app.errors import (
    ClientGone,
    IdempotencyKeyReused,
    NotReplayable,
    Overloaded,
    StillRunning,
    StoreUnavailable,
    WorkerStopping,
)
from app.relay import recordings
from app.relay.lost_replies import LostReplies
from app.relay.recordings import RecordedResponse, RecordingLost, Recordings, ResponseRecorder
from app.stores import recordings as stored_recordings
from app.stores.recordings import RecordingRepository
from app.stores.records.recordings import RecordedPieces, RecordingId, RecordingState
from app.stores.scripts import Scripts
from app.stores.secrets import Vault
from app.upstream.cancellation import Cancellation


class FlakyStore(RecordingRepository):
    """A store that is away while `is_away`; `writes` counts the writes that it took."""

    is_away = False
    writes = 0

    def record(self, *args: Any, **more: Any) -> RecordingState:
        if self.is_away:
            raise StoreUnavailable("away")
        self.writes += 1
        return super().record(*args, **more)

    def read(self, request: RecordingId, at: int) -> RecordedPieces:
        if self.is_away:
            raise StoreUnavailable("away")
        return super().read(request, at)


@pytest.fixture
def store(redis_client: Any, monkeypatch: pytest.MonkeyPatch) -> FlakyStore:
    monkeypatch.setattr(recordings, "COLLECT_SECONDS", 0.001)
    monkeypatch.setattr(recordings, "RETRY_SECONDS", 0.01)
    return FlakyStore(Scripts(redis_client), Vault((Fernet.generate_key().decode(),)), 30)


@pytest.fixture
def service(store: FlakyStore) -> Recordings:
    return Recordings(store, LostReplies(), lease_seconds=30, renew_seconds=0.02)


def first(service: Recordings, digest: str = "d", fingerprint: str = "f") -> ResponseRecorder:
    recorder = service.claim("p", "k", digest, fingerprint)
    assert isinstance(recorder, ResponseRecorder)
    return recorder


def repeat(service: Recordings, digest: str = "d") -> RecordedResponse:
    recorded = service.claim("p", "k", digest, "f")
    assert isinstance(recorded, RecordedResponse)
    return recorded


def read(recorded: RecordedResponse, head_seconds: float = 10) -> list[bytes]:
    return list(recorded.pieces(Cancellation(), head_seconds))


def test_a_complete_response(service: Recordings) -> None:
    recorder = first(service)
    for piece in (b"head", b"one", b"", b"two"):
        recorder.add(piece)
    recorder.end(is_stored=True)

    head, *body = read(repeat(service))
    assert (head, b"".join(body)) == (b"head", b"onetwo")
    service.flush(5)
    assert not recorder.writer


def test_a_repeat_follows_while_it_runs(service: Recordings) -> None:
    recorder = first(service)
    following = repeat(service).pieces(Cancellation(), 10)
    recorder.add(b"head")
    assert next(following) == b"head"
    recorder.add(b"one")
    assert next(following) == b"one"
    recorder.add(b"two")
    recorder.end(is_stored=True)

    assert list(following) == [b"two"]


def test_a_large_piece_is_written_in_several(service: Recordings) -> None:
    large = bytes(range(256)) * 2048
    recorder = first(service)
    recorder.add(b"head")
    recorder.add(large)
    recorder.end(is_stored=True)

    _, *body = read(repeat(service))
    assert len(body) == 2
    assert b"".join(body) == large


@pytest.mark.parametrize("reason", ["too_large", "key_full", "pool_full"])
def test_a_response_that_is_not_stored(
    store: FlakyStore, service: Recordings, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    """It is too long or there is no room for it, which repeats are informed about."""
    match reason:
        case "too_large":
            monkeypatch.setattr(recordings, "MAX_RESPONSE_BYTES", 10)
        case "key_full":
            monkeypatch.setattr(stored_recordings, "MAX_BYTES", 10)
        case "pool_full":
            monkeypatch.setattr(store, "_max_pool_bytes", 10)
    before = unstored()
    recorder = first(service)
    recorder.add(b"head")
    recorder.add(b"more than ten")
    recorder.end(is_stored=True)
    service.flush(5)

    with pytest.raises(NotReplayable):
        read(repeat(service))
    assert {name: count - before[name] for name, count in unstored().items()} == {
        name: float(name == reason) for name in before
    }


def unstored() -> dict[str, float]:
    """Return the counts of the metric by reason."""
    return {reason: value for (reason,), value in recordings.UNSTORED.values.items()}


def test_a_failed_request_can_be_repeated(service: Recordings) -> None:
    recorder = first(service)
    recorded = repeat(service)
    recorder.end(is_stored=False)
    recorder.end(is_stored=True)  # the first end counts

    with pytest.raises(RecordingLost):
        read(recorded)
    assert isinstance(service.claim("p", "k", "d", "another"), ResponseRecorder)


def test_another_body_is_refused(service: Recordings) -> None:
    first(service)

    with pytest.raises(IdempotencyKeyReused) as caught:
        service.claim("p", "k", "d", "another")

    assert (caught.value.status, caught.value.param) == (422, "Idempotency-Key")


def test_the_claim_is_renewed_while_nothing_arrives(service: Recordings, store: FlakyStore) -> None:
    recorder = first(service)

    wait_until(lambda: store.writes >= 3)

    recorder.end(is_stored=True)
    service.flush(5)


def test_an_outage_of_the_store_loses_nothing(service: Recordings, store: FlakyStore) -> None:
    recorder = first(service)
    recorder.add(b"head")
    wait_until(lambda: store.writes >= 1)
    store.is_away = True
    recorder.add(b"one")
    gevent.sleep(0.03)
    store.is_away = False
    recorder.add(b"two")
    recorder.end(is_stored=True)

    assert b"".join(read(repeat(service))) == b"headonetwo"


class TestRepeatDuringAnOutage:
    @pytest.fixture
    def begun(self, service: Recordings, store: FlakyStore) -> Iterator[bytes]:
        """Return the pieces of a repeat that has received the head, after which the store is away."""
        recorder = first(service)
        recorder.add(b"head")
        pieces = repeat(service).pieces(Cancellation(), 10)
        assert next(pieces) == b"head"
        store.is_away = True
        recorder.add(b"rest")
        recorder.end(is_stored=True)
        return pieces

    def test_it_continues(self, store: FlakyStore, begun: Iterator[bytes]) -> None:
        reader = gevent.spawn(list, begun)
        gevent.sleep(0.05)
        assert not reader.ready()
        store.is_away = False

        assert reader.get(timeout=10) == [b"rest"]

    def test_not_for_ever(self, begun: Iterator[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(recordings, "AWAY_SECONDS", 0.05)

        with pytest.raises(StoreUnavailable):
            next(begun)

    def test_one_that_has_not_begun_is_refused_at_once(self, service: Recordings, store: FlakyStore) -> None:
        first(service)
        waiting = repeat(service)
        store.is_away = True

        with pytest.raises(StoreUnavailable):
            read(waiting)


def test_an_outage_longer_than_the_lease_ends_the_recording(store: FlakyStore) -> None:
    recorder = first(Recordings(store, LostReplies(), lease_seconds=0.03, renew_seconds=0.01))
    store.is_away = True

    recorder.writer.join(5)

    assert not recorder.writer
    recorder.add(b"ignored")
    recorder.end(is_stored=True)


def test_a_claim_whose_reply_is_lost_is_released(store: FlakyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its request is refused, so a repeat must not wait for it."""
    claim, lost_replies = store.claim, LostReplies()
    service = Recordings(store, lost_replies, lease_seconds=30, renew_seconds=0.02)

    def claim_and_lose(*args: Any) -> Any:
        claim(*args)
        raise StoreUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(store, "claim", claim_and_lose)
        with pytest.raises(StoreUnavailable):
            service.claim("p", "k", "d", "f")
    repeat(service)
    lost_replies.flush()

    first(service)


def test_too_many_requests_of_a_key_are_refused(service: Recordings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_recordings, "MAX_RECORDINGS", 1)
    first(service, "a")

    with pytest.raises(Overloaded):
        service.claim("p", "k", "b", "f")


class TestWaiting:
    """A repeat waits within bounds."""

    @pytest.fixture
    def waiting(self, service: Recordings) -> Iterator[RecordedResponse]:
        recorder = first(service)
        yield repeat(service)
        recorder.end(is_stored=False)
        service.flush(5)

    def test_for_the_head(self, waiting: RecordedResponse) -> None:
        with pytest.raises(StillRunning):
            read(waiting, head_seconds=0.03)

    def test_its_client_leaves(self, waiting: RecordedResponse) -> None:
        cancellation = Cancellation()
        gevent.spawn_later(0.01, cancellation.client_gone)

        with pytest.raises(ClientGone):
            next(waiting.pieces(cancellation, 10))

    def test_the_worker_stops(self, service: Recordings, waiting: RecordedResponse) -> None:
        cancellation = Cancellation()
        gevent.spawn_later(0.01, service.stop)

        with pytest.raises(WorkerStopping), service.following(cancellation):
            next(waiting.pieces(cancellation, 10))

    def test_too_many_of_one_process(self, service: Recordings, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(recordings, "MAX_FOLLOWING", 1)
        refused = pytest.raises(StillRunning)
        with service.following(Cancellation()), refused, service.following(Cancellation()):
            pass

        with service.following(Cancellation()):
            pass


def wait_until(condition: Callable[[], bool]) -> None:
    with gevent.Timeout(10):
        while not condition():
            gevent.sleep(0.005)
