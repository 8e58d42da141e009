"""Who is served first where passwords are hashed; nothing here depends on time."""

from __future__ import annotations

import gevent
import pytest
from gevent.event import Event

from app.errors import Overloaded
from app.operators.hashing_queue import OPERATOR, HashingQueue, Priority

NEVER = 60.0  # seconds; no test waits for its end


class Hall:
    """Two places, and room for four strangers to wait; one hash after another is let end."""

    def __init__(self) -> None:
        self.places = HashingQueue(max_concurrent=2, max_waiting=4)
        self.begun: list[str] = []
        self.refused: list[str] = []
        self._gates: list[Event] = []

    def come(self, name: str, priority: Priority) -> None:
        def run() -> None:
            gate = Event()
            try:
                with self.places.acquire(priority, NEVER):
                    self.begun.append(name)
                    self._gates.append(gate)
                    gate.wait()
            except Overloaded:
                self.refused.append(name)

        gevent.spawn(run)
        gevent.sleep(0)
        gevent.sleep(0)

    def end_one(self) -> None:
        self._gates.pop(0).set()
        for _ in range(3):
            gevent.sleep(0)

    def end_all(self) -> None:
        while self._gates:
            self.end_one()


@pytest.fixture
def hall() -> Hall:
    return Hall()


def test_an_operator_waits_for_one_hash_at_most_however_many_strangers_wait(hall: Hall) -> None:
    for number in range(40):
        hall.come(f"stranger {number}", Priority(is_known=False, attempts=1))
    hall.come("ann", OPERATOR)
    assert hall.begun == ["stranger 0", "stranger 1"]

    hall.end_one()

    assert hall.begun[2:] == ["ann"]


def test_few_strangers_wait_and_the_others_are_refused_at_once(hall: Hall) -> None:
    for number in range(40):
        hall.come(f"{number}", Priority(is_known=False, attempts=1))
    hall.come("ann", OPERATOR)

    assert hall.refused == [f"{number}" for number in range(6, 40)]
    hall.end_all()
    assert hall.begun == ["0", "1", "ann", "2", "3", "4", "5"]


def test_a_network_that_has_tried_often_makes_room_for_one_that_has_not(hall: Hall) -> None:
    for number in range(6):
        hall.come(f"again {number}", Priority(is_known=False, attempts=5))
    hall.come("first time", Priority(is_known=False, attempts=1))

    assert hall.refused == ["again 5"]
    hall.end_one()
    assert hall.begun[-1] == "first time"


def test_a_place_is_given_back_by_what_fails() -> None:
    places = HashingQueue(max_concurrent=1, max_waiting=1)
    for _ in range(3):
        with pytest.raises(KeyError), places.acquire(OPERATOR, NEVER):
            raise KeyError


def test_one_that_waited_too_long_leaves_no_place_behind() -> None:
    places = HashingQueue(max_concurrent=1, max_waiting=1)
    with places.acquire(OPERATOR, NEVER), pytest.raises(Overloaded), places.acquire(OPERATOR, 0.0):
        pass
    with places.acquire(OPERATOR, 0.0):
        pass
