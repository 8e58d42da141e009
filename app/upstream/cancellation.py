"""
Cancels a request, wherever it waits: on a socket, in a sleep, in a connect.

It is spoken once, from any greenlet or from the hub, and heard at the next wait. Nothing is
thrown into running code, so a Redis call or a settlement is never cut in half.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gevent.event import Event

from app.errors import ClientGone, GatewayError, WorkerStopping


class Cancellation:
    """`error` is None until the request is cancelled, then the reason."""

    __slots__ = ("_callbacks", "_event", "error")

    def __init__(self) -> None:
        self.error: GatewayError | None = None
        self._event: Event | None = None  # made by the first sleep: most requests never sleep
        self._callbacks: list[Callable[[], None]] = []

    def client_gone(self) -> None:
        self.cancel(ClientGone("The client closed the connection"))

    def worker_stopping(self) -> None:
        self.cancel(WorkerStopping("This gateway process is shutting down; please send the request again"))

    def cancel(self, error: GatewayError) -> None:
        if self.error is not None:
            return
        self.error = error
        if self._event is not None:
            self._event.set()
        for callback in tuple(self._callbacks):
            callback()

    def check(self) -> None:
        """Raise the reason if there is one."""
        if self.error is not None:
            raise self.error

    def sleep(self, seconds: float) -> None:
        """Sleep, or raise the reason as soon as there is one."""
        self.check()
        if self._event is None:
            self._event = Event()
        self._event.wait(seconds)
        self.check()

    @contextmanager
    def interrupting(self, callback: Callable[[], None]) -> Iterator[None]:
        """Call *callback* if the request is cancelled inside this block. It must not wait for anything."""
        self.check()
        self._callbacks.append(callback)
        try:
            yield
        finally:
            self._callbacks.remove(callback)
