"""
`app.wsgi`, with a heartbeat.

GET /_longest_turn returns the longest turn since the previous such request, and GET /_reference how long the
reference work takes now: both in seconds of CPU.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from app.wsgi import app as gateway
from tests.support.heartbeat import Heartbeat, reference_seconds


class Measured:
    def __init__(self) -> None:
        self._heartbeat: Heartbeat | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(gateway, name)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if self._heartbeat is None:
            self._heartbeat = Heartbeat()
            self._heartbeat.start()
        if environ["PATH_INFO"] == "/_longest_turn":
            seconds = self._heartbeat.reset()
        elif environ["PATH_INFO"] == "/_reference":
            seconds = reference_seconds()
        else:
            return gateway(environ, start_response)
        body = f"{seconds:.6f}".encode()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]


app = Measured()
