"""Connections that stop being HTTP: an application returns an UpgradedConnection in place of a body."""

from __future__ import annotations

from collections.abc import Callable, Iterator


class UpgradedConnection:
    """A connection that `run` serves until it ends. A server without support for it sends an empty body."""

    def __init__(self, run: Callable[[], None]) -> None:
        self.run = run

    def __iter__(self) -> Iterator[bytes]:
        return iter(())
