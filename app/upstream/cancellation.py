"""
Cancel a request, wherever it waits: on a socket, in a sleep, in a connect.

Any greenlet, or the hub, may cancel; the request ends at its next wait. Nothing is thrown into running
code, so a Redis call or a settlement is never cut in half.
"""

from __future__ import annotations

from collections.abc import Callable

from gevent.event import Event

from app.errors import ClientGone, GatewayError, WorkerStopping


class Cancellation:
    """The state of a request: `error` is None until the request is cancelled, then the reason."""

    __slots__ = ("_event", "callbacks", "error")

    def __init__(self) -> None:
        self.error: GatewayError | None = None
        self._event: Event | None = None  # made by the first sleep: most requests never sleep
        self.callbacks: list[Callable[[], None]] = []

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
        for callback in tuple(self.callbacks):
            callback()

    def check(self) -> None:
        """Raise the reason if the request is cancelled."""
        if self.error is not None:
            raise self.error

    def sleep(self, seconds: float) -> None:
        """Sleep for *seconds*; raise the reason as soon as the request is cancelled."""
        self.check()
        if self._event is None:
            self._event = Event()
        self._event.wait(seconds)
        self.check()

    def interrupting(self, callback: Callable[[], None]) -> _Interruption:
        """Call *callback* if the request is cancelled inside this block. It must not wait for anything."""
        return _Interruption(self, callback)


class _Interruption:
    """The context manager of `interrupting`; a class is faster, and each request uses several."""

    __slots__ = ("_callback", "_cancellation")

    def __init__(self, cancellation: Cancellation, callback: Callable[[], None]) -> None:
        self._cancellation = cancellation
        self._callback = callback

    def __enter__(self) -> None:
        self._cancellation.check()
        self._cancellation.callbacks.append(self._callback)

    def __exit__(self, *_: object) -> None:
        self._cancellation.callbacks.remove(self._callback)
