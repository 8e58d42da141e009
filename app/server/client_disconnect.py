"""
Detect a client that disconnects while its request waits for an upstream.

A WSGI server only notices this when it writes, and even the first write after a FIN succeeds. So the event
loop watches the client's socket: without a greenlet, and without reading from it.

A client that closes only its sending side, and still reads (`nc -N`), counts as disconnected: both closings
arrive as the same FIN, and upstreams would go on for clients that left. nginx does the same by default.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from typing import Any

import gevent
from gevent.monkey import get_original

_HUNG_UP = select.POLLRDHUP | select.POLLHUP | select.POLLERR | select.POLLNVAL
_CHECK_AGAIN_SECONDS = 0.25  # while a pipelined request makes the socket readable

_poll: Any = get_original("select", "poll")


class DisconnectWatcher:
    """
    Calls *on_gone* once, from the event loop, when the other side of *sock* closes.

    `stop` must be called before the server gets the socket back: it closes the descriptor, whose
    number is reused.
    """

    def __init__(self, sock: Any, on_gone: Callable[[], None]) -> None:
        self._on_gone = on_gone
        self._descriptor: int = sock.fileno()
        self._loop = gevent.get_hub().loop
        self._readable: Any = self._loop.io(self._descriptor, 1)
        self._again: Any = None  # created only when another check is needed, which is rare
        self._readable.start(self._check)

    def _check(self) -> None:
        if self._gone():
            self.stop()
            self._on_gone()
        elif self._readable.active:
            self._readable.stop()  # it has data of a later request, and would stay readable
            self._again = self._loop.timer(_CHECK_AGAIN_SECONDS, _CHECK_AGAIN_SECONDS)
            self._again.start(self._check)

    def _gone(self) -> bool:
        poll = _poll()
        poll.register(self._descriptor, _HUNG_UP)
        return bool(poll.poll(0))

    def stop(self) -> None:
        """Stop watching; may be called more than once."""
        for watcher in (self._readable, self._again):
            if watcher is not None:
                watcher.stop()
                watcher.close()
