"""
gunicorn's gevent worker, which refuses what is no HTTP in the same envelope as all else.

Such requests never reach Flask. gunicorn alone would answer them in HTML and log the line it
could not read, in which there may be a key.
"""

from __future__ import annotations

import errno
import select
import socket
import time
import uuid
from contextlib import suppress
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Any

import gevent
import orjson
import structlog
from gevent.monkey import get_original
from gunicorn import util
from gunicorn.glogging import Logger
from gunicorn.http import errors
from gunicorn.workers.ggevent import GeventWorker

from app.errors import GatewayError, InvalidRequest, NotSupported, our_failure
from app.sockets import ClientSocket

log = structlog.get_logger()

LINGER_SECONDS = 1.0

# The first that fits. Source of the statuses: RFC 9110, RFC 6585
_REFUSALS: tuple[tuple[type[Exception], int, GatewayError], ...] = (
    (errors.LimitRequestLine, 414, InvalidRequest("The address is too long")),
    (errors.LimitRequestHeaders, 431, InvalidRequest("The headers are too many, or one of them is too long")),
    (errors.ExpectationFailed, 417, InvalidRequest("The only expectation that can be met is 100-continue")),
    (errors.UnsupportedTransferCoding, 501, NotSupported("The only transfer coding supported is chunked")),
    (errors.ParseException, 400, InvalidRequest("This is not a well-formed HTTP/1.1 request")),
)
_FAILURE = our_failure()


class Log(Logger):  # type: ignore[misc]
    """gunicorn's own messages."""

    def access(self, *_: Any) -> None:
        """Requests are told by the gateway itself; gunicorn would, once any logging is configured."""


class Worker(GeventWorker):  # type: ignore[misc]
    def patch(self) -> None:
        """
        Make waiting a matter of gevent, but for `select.poll`.

        urllib3 and redis-py poll a kept connection before they use it, without waiting. gevent's
        poll takes a turn of the event loop for that: behind all others, four times a request.
        """
        super().patch()
        select.poll = get_original("select", "poll")  # type: ignore[misc]
        util.http_date = _date  # gunicorn writes it anew for each answer

    def init_process(self) -> None:
        """Have gunicorn's settings at hand: it searches for each of some thirty in every request."""
        settings = self.cfg.settings.items()
        self.cfg.__dict__.update({name: setting.get() for name, setting in settings})
        super().init_process()

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        super().handle(listener, ClientSocket(client), addr)

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        sock.hold()
        try:
            super().handle_request(listener_name, req, sock, addr)
        except TimeoutError:  # gunicorn would log a client that takes nothing as a failure of ours
            raise ConnectionResetError(errno.ECONNRESET, "the client was too slow") from None
        finally:
            sock.release()

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """
        Answer what went wrong before the application was asked, or past it. The caller closes.

        Source of closing in stages: https://www.rfc-editor.org/rfc/rfc9112#section-9.6
        """
        fitting = ((status, error) for kind, status, error in _REFUSALS if isinstance(exc, kind))
        status, error = next(fitting, (_FAILURE.status, _FAILURE))
        if error is _FAILURE:
            log.error("unhandled_error", kind=type(exc).__name__, exc_info=exc)
        else:
            log.info("malformed_request", kind=type(exc).__name__)
        with suppress(OSError), gevent.Timeout(LINGER_SECONDS, False):
            client.sendall(_answer(status, error))
            client.shutdown(socket.SHUT_WR)
            while client.recv(65536):
                pass  # bytes left unread would make the close a reset, which can overtake the answer


def _date() -> str:
    return _date_of(int(time.time()))


@lru_cache(1)
def _date_of(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)


def _answer(status: int, error: GatewayError) -> bytes:
    body = orjson.dumps(error.envelope())
    headers = {
        "Connection": "close",
        "Content-Type": "application/json",
        "Content-Length": len(body),
        "x-request-id": uuid.uuid4(),
        **({} if error.retryable else {"x-should-retry": "false"}),
    }
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body
