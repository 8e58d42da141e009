"""Surrogate pairs that an upstream split between two events are joined."""

from __future__ import annotations

from app.streaming.events import Event
from app.streaming.surrogates import SurrogateJoiner


def texts(events: list[Event]) -> list[str]:
    return [event.payload["delta"] for event in events]


def test_halves_in_consecutive_events_become_one_character() -> None:
    joiner = SurrogateJoiner()

    assert joiner.join([Event({"delta": "a\ud83d"})]) == []
    assert joiner.is_holding
    assert texts(joiner.join([Event({"delta": "\ude00b"})])) == ["a\U0001f600", "b"]
    assert not joiner.is_holding


def test_an_unmatched_half_is_replaced() -> None:
    joiner = SurrogateJoiner()
    joiner.join([Event({"delta": "a\ud83d"})])

    assert texts(joiner.release()) == ["a\ufffd"]
    assert joiner.release() == []


def test_halves_of_different_types_of_event_are_not_joined() -> None:
    joiner = SurrogateJoiner()
    joiner.join([Event({"type": "a", "delta": "\ud83d"})])

    assert texts(joiner.join([Event({"type": "b", "delta": "\ude00"})])) == ["\ufffd", "\ufffd"]


def test_an_event_with_its_bytes_passes_unchanged() -> None:
    event = Event({"delta": "x"}, b'{"delta":"x"}')

    assert SurrogateJoiner().join([event]) == [event]
