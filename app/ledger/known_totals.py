"""
Sums over several stored summaries, which a process reuses while none of them changes.

Pages add up a month of every API key. A past day changes only by a late settlement, which removes its
summary; the next summary has another token.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

MAX_CHARS = 4_000_000  # of all totals; one of 500 keys has about 60,000


class KnownTotals:
    """The JSON of totals by what they were added up from, which includes the token of each summary."""

    def __init__(self) -> None:
        self._texts: OrderedDict[Hashable, str] = OrderedDict()  # the one that was used last comes last
        self._chars = 0

    def find(self, origin: Hashable) -> str | None:
        """Return the total of *origin*, None if it is not known."""
        text = self._texts.get(origin)
        if text is not None:
            self._texts.move_to_end(origin)
        return text

    def put(self, origin: Hashable, text: str) -> None:
        """Store the total of *origin*, in place of those that were not used for the longest time."""
        self._chars += len(text) - len(self._texts.pop(origin, ""))
        self._texts[origin] = text
        while self._chars > MAX_CHARS:
            _, oldest = self._texts.popitem(last=False)
            self._chars -= len(oldest)
