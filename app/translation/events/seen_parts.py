"""The parts of a response that have been sent."""

from __future__ import annotations

from typing import Any


class SeenParts:
    """
    Remembers parts by the position in their events.

    Events refer to a part's item by `output_index`, `item_id`, or neither; a snapshot of the
    same part may refer to it differently. One match is enough, and a part without a position
    matches every part: repeated text is worse than lost text of a second source.
    """

    def __init__(self) -> None:
        self._positions: set[tuple[Any, Any]] = set()
        self._anywhere = False
        # Saves work: consecutive deltas mostly belong to the same part
        self._last: tuple[Any, Any, Any] | None = None

    def mark(self, event: dict[str, Any]) -> bool:
        """Mark the part of *event* as sent; return whether it differs from that of the last call."""
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
        """Forget which part was marked last, so that the next `mark` returns True."""
        self._last = None

    def __contains__(self, event: dict[str, Any]) -> bool:
        content_index = event.get("content_index", 0)
        positions = ((event.get("item_id"), content_index), (event.get("output_index"), content_index))
        return self._anywhere or not self._positions.isdisjoint(positions)

    def __bool__(self) -> bool:
        """Return whether any part was sent."""
        return self._anywhere or bool(self._positions)
