"""The budget for asking an account again that has just failed."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from contextlib import contextmanager

from app.relay.decisions import REPEATS_FLOOR, REPEATS_SHARE


class Repeats:
    """
    Counts the requests of this process that had to be repeated and are still open.

    Going on to another account costs nothing here: it spreads load where a repeat piles it up.
    """

    def __init__(self, open_requests: Sized) -> None:
        self._open_requests = open_requests
        self._repeating = 0

    def allowed(self) -> bool:
        return self._repeating < max(REPEATS_FLOOR, REPEATS_SHARE * len(self._open_requests))

    @contextmanager
    def one(self) -> Iterator[None]:
        """Count one inside this block."""
        self._repeating += 1
        try:
            yield
        finally:
            self._repeating -= 1
