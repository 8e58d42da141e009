"""What the store may have done although its reply was lost is undone, once, when it answers."""

from __future__ import annotations

import gevent
import pytest
from gevent.event import Event

from app.errors import StoreRefused, StoreUnavailable
from app.relay import lost_replies
from app.relay.lost_replies import LostReplies


class Store:
    """Counts the calls that it answered; it is away for *away* calls."""

    def __init__(self, away: int = 0) -> None:
        self.away = away
        self.undone: list[str] = []
        self.answered = Event()

    def undo(self, name: str) -> None:
        if self.away:
            self.away -= 1
            raise StoreUnavailable("away")
        self.undone.append(name)
        self.answered.set()


def test_in_the_background(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lost_replies, "RETRY_SECONDS", 0.001)
    store, pending = Store(away=3), LostReplies()

    pending.undo(lambda: store.undo("a"))

    assert len(pending) == 1
    assert store.answered.wait(10)
    assert (store.undone, len(pending)) == (["a"], 0)


def test_again_after_all_were_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    store, pending = Store(), LostReplies()
    for name in ("a", "b"):
        store.answered.clear()
        pending.undo(lambda name=name: store.undo(name))  # type: ignore[misc]
        assert store.answered.wait(10)
        gevent.idle()

    assert store.undone == ["a", "b"]


def test_a_flush_stops_where_the_store_is_away() -> None:
    store, pending = Store(away=2), LostReplies()
    for name in ("a", "b", "c"):
        pending.undo(lambda name=name: store.undo(name))  # type: ignore[misc]

    assert pending.flush() == pending.flush() == 3
    assert store.undone == []
    assert pending.flush() == 0
    assert sorted(store.undone) == ["a", "b", "c"]


def test_each_is_undone_once_by_simultaneous_flushes() -> None:
    """One waits for the store while the others run."""
    pending, gate, undone = LostReplies(), Event(), list[int]()

    def undo(number: int) -> None:
        gate.wait(10)
        undone.append(number)

    for number in range(5):
        pending.undo(lambda number=number: undo(number))  # type: ignore[misc]
    flushes = [gevent.spawn(pending.flush) for _ in range(3)]
    gevent.idle()
    gate.set()
    gevent.joinall(flushes, timeout=10)

    assert sorted(undone) == [0, 1, 2, 3, 4]


def test_a_defect_does_not_block_the_others() -> None:
    store, pending = Store(), LostReplies()

    def refuse() -> None:
        raise StoreRefused("a defect")

    pending.undo(refuse)
    pending.undo(lambda: store.undo("b"))

    assert pending.flush() == 0
    assert store.undone == ["b"]


def test_their_number_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lost_replies, "MAX_PENDING", 2)
    store, pending = Store(), LostReplies()
    for name in ("a", "b", "c"):
        pending.undo(lambda name=name: store.undo(name))  # type: ignore[misc]

    assert pending.flush() == 0
    assert store.undone == ["a", "b"]
