"""Which parts of an answer have been given already."""

from __future__ import annotations

from typing import Any


class SeenParts:
    """
    Remembers parts by where an event says they are.

    Events name a part's item by `output_index`, by `item_id`, or by neither; snapshots of
    the same part may name it otherwise. One match is enough, and a part without a place
    stands for all of them: text shown twice is worse than text from a second source lost.
    """

    def __init__(self) -> None:
        self._positions: set[tuple[Any, Any]] = set()
        self._anywhere = False
        self._last: tuple[Any, Any, Any] | None = None  # deltas come in long runs of the same part

    def mark(self, event: dict[str, Any]) -> bool:
        """Return whether *event* is of another part than the one before it."""
        get = event.get
        position = get("item_id"), get("output_index"), get("content_index", 0)
        if position == self._last:
            return False
        self._last = position
        item_id, output_index, content_index = position
        anchors = {item_id, output_index} - {None}
        self._positions.update((anchor, content_index) for anchor in anchors)
        self._anywhere = self._anywhere or not anchors
        return True

    def forget_last(self) -> None:
        """Let the next event count as one of another part."""
        self._last = None

    def __contains__(self, event: dict[str, Any]) -> bool:
        content_index = event.get("content_index", 0)
        positions = ((event.get("item_id"), content_index), (event.get("output_index"), content_index))
        return self._anywhere or not self._positions.isdisjoint(positions)

    def __bool__(self) -> bool:
        """Return whether anything was given at all."""
        return self._anywhere or bool(self._positions)
