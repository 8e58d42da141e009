"""Connections that stop being HTTP: an application returns one in place of a body."""

from __future__ import annotations

from collections.abc import Callable, Iterator


class UpgradedConnection:
    """A connection that `run` serves until its end; a server that does not know it sends an empty body."""

    def __init__(self, run: Callable[[], None]) -> None:
        self.run = run

    def __iter__(self) -> Iterator[bytes]:
        return iter(())
