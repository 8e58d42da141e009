"""
Join surrogate pairs that an upstream split between two events.

Servers that count UTF-16 units may end one delta with the first half of an emoji and begin the
next with the second. Such an event is held until the next one; an unmatched half becomes
U+FFFD.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.streaming.events import Event
from app.streaming.lenient_json import without_surrogates

Path = tuple[str | int, ...]


class SurrogateJoiner:
    """Joins split pairs; holds at most one event, whose strings end with half a character."""

    def __init__(self) -> None:
        self._held: Event | None = None

    @property
    def is_holding(self) -> bool:
        return self._held is not None

    def join(self, events: list[Event]) -> list[Event]:
        """Return the held event and *events* with complete characters; hold the last event if necessary."""
        out: list[Event] = []
        for event in events:
            if self._held is not None:
                _join(self._held.payload, event)
                out.append(_replaced(self._held))
                self._held = None
            if event.data is None and any(_find_halves(event.payload)):
                self._held = event
            else:
                out.append(_replaced(event))
        return out

    def release(self) -> list[Event]:
        """Return the held event at the end of the stream."""
        held, self._held = self._held, None
        return [] if held is None else [_replaced(held)]


def _replaced(event: Event) -> Event:
    return event if event.data is not None else Event(without_surrogates(event.payload))


def _join(before: dict[str, Any], event: Event) -> None:
    """Move second halves from *event* to the strings in *before* that they complete."""
    after = event.payload
    if before.get("type") != after.get("type"):
        return
    for path in list(_find_halves(before)):
        text = _get(after, path)
        if isinstance(text, str) and "\udc00" <= text[:1] <= "\udfff":
            first = _get(before, path)
            _set(before, path, first[:-1] + _paired(first[-1], text[0]))
            _set(after, path, text[1:])


def _paired(high: str, low: str) -> str:
    return (high + low).encode("utf-16", "surrogatepass").decode("utf-16")


def _find_halves(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the paths of strings in *value* that end with the first half of a pair."""
    if isinstance(value, str):
        if "\ud800" <= value[-1:] <= "\udbff":
            yield path
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _find_halves(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _find_halves(inner, (*path, index))


def _get(value: Any, path: Path) -> Any:
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _set(value: Any, path: Path, text: str) -> None:
    *steps, last = path
    for step in steps:
        value = value[step]
    value[last] = text
