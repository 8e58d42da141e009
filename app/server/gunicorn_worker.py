"""
gunicorn's gevent worker, which refuses malformed requests with the usual error envelope.

Such requests never reach Flask. gunicorn itself would answer in HTML and log the line that it could
not parse, which may contain an API key.
"""

from __future__ import annotations

import errno
import select
import time
from contextlib import suppress
from email.utils import formatdate
from functools import lru_cache, partial
from typing import Any
from weakref import ref

import gevent
import structlog
from gevent.monkey import get_original
from gunicorn import util
from gunicorn.glogging import Logger
from gunicorn.http import errors, wsgi
from gunicorn.http.body import ChunkedReader, LengthReader
from gunicorn.workers import ggevent
from gunicorn.workers.ggevent import GeventWorker

from app.errors import GatewayError, InvalidRequest, NotSupported, internal_error
from app.server.client_connections import DRAIN_BYTES, ClientConnection, linger
from app.server.gunicorn_server import Server, connections
from app.server.http_refusal import response_bytes
from app.server.upgrades import UpgradedConnection
from app.server.wsgi_response import Response

log = structlog.get_logger()

SEND_SECONDS = 1.0  # time limit for sending the response to a malformed request
_OWN_FAULTS = (errors.InvalidResponseHeader, errors.InvalidResponseHeaderName, errors.ConfigurationProblem)

# The first row that matches applies. Source of the statuses: RFC 9110, RFC 6585.
_REFUSALS: tuple[tuple[type[Exception], int, GatewayError], ...] = (
    (errors.LimitRequestLine, 414, InvalidRequest("The address is too long")),
    (errors.LimitRequestHeaders, 431, InvalidRequest("There are too many headers, or one is too long")),
    (errors.ExpectationFailed, 417, InvalidRequest("The only expectation that can be met is 100-continue")),
    (errors.UnsupportedTransferCoding, 501, NotSupported("The only transfer coding supported is chunked")),
    (errors.ParseException, 400, InvalidRequest("This is not a well-formed HTTP/1.1 request")),
)
_FAILURE = internal_error()


class Log(Logger):  # type: ignore[misc]
    """The logger of gunicorn's own messages."""

    def access(self, *_: Any) -> None:
        """Write nothing: the gateway logs requests itself."""


class Worker(GeventWorker):  # type: ignore[misc]
    """The worker of the gateway's web processes."""

    def patch(self) -> None:
        """
        Patch blocking calls for gevent, except `select.poll`.

        urllib3 and redis-py poll an idle connection, without waiting, before they reuse it. gevent's poll
        takes a turn of the event loop for that, behind all other greenlets, four times a request.
        """
        super().patch()
        ggevent.StreamServer = Server
        select.poll = get_original("select", "poll")  # type: ignore[misc]
        util.http_date = _date  # gunicorn would format the date again for each response
        wsgi.Response = Response
        wsgi.WSGIErrorsWrapper = lru_cache(1)(wsgi.WSGIErrorsWrapper)  # it looks up a logger for each request

    def init_process(self) -> None:
        """Cache gunicorn's settings as attributes, because it looks up about thirty in every request."""
        settings = self.cfg.settings.items()
        self.cfg.__dict__.update({name: setting.get() for name, setting in settings})
        super().init_process()

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        connection = ClientConnection(client, connections, self.cfg.keepalive)
        gevent.getcurrent().client_connection = connection
        super().handle(listener, connection, addr)

    def timeout_ctx(self) -> Any:
        """Return the context manager in which gunicorn reads a head."""
        return gevent.getcurrent().client_connection.waiting()

    def is_already_handled(self, response: Any) -> bool:
        """Serve a connection that is no longer HTTP until its end; raises StopIteration after that."""
        if type(response) is UpgradedConnection:
            gevent.getcurrent().client_connection.release()
            response.run()
            raise StopIteration
        return False

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        sock.hold()
        if _has_body(req):
            if req._expected_100_continue:
                req._expected_100_continue = False  # gunicorn would send `100 Continue` before authentication
                req.body = ContinueBody(req.body, sock)
            req.should_close = partial(_should_close, ref(req), sock)  # no cycle
        try:
            super().handle_request(listener_name, req, sock, addr)
        except TimeoutError:  # a client that does not read, which gunicorn would log as an error
            raise ConnectionResetError(errno.ECONNRESET, "the client was too slow") from None
        finally:
            sock.release()

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """
        Send the error for a failure outside the application. The caller closes the connection.

        Source of closing in stages: https://www.rfc-editor.org/rfc/rfc9112#section-9.6
        """
        fitting = ((status, error) for kind, status, error in _REFUSALS if isinstance(exc, kind))
        status, error = next(fitting, (_FAILURE.status, _FAILURE))
        if isinstance(exc, _OWN_FAULTS):
            status, error = _FAILURE.status, _FAILURE
        if error is _FAILURE:
            log.error("unhandled_error", kind=type(exc).__name__, exc_info=exc)
        else:
            log.info("malformed_request", kind=type(exc).__name__)
        with suppress(OSError), gevent.Timeout(SEND_SECONDS, False):
            client.sendall(response_bytes(error, status))
        linger(client)


class ContinueBody:
    """A body whose client waits for `100 Continue`; that is sent when the body is first read."""

    def __init__(self, body: Any, connection: ClientConnection) -> None:
        self._body = body
        self._connection = connection
        self.is_continue_sent = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._body, name)

    def read(self, size: int | None = None) -> bytes:
        self._send_continue()
        data: bytes = self._body.read(size)
        return data

    def readline(self, size: int | None = None) -> bytes:
        self._send_continue()
        line: bytes = self._body.readline(size)
        return line

    def _send_continue(self) -> None:
        if not self.is_continue_sent:
            self.is_continue_sent = True
            self._connection.send_now(b"HTTP/1.1 100 Continue\r\n\r\n")


def _has_body(req: Any) -> bool:
    reader = req.body.reader
    return not isinstance(reader, LengthReader) or reader.length > 0


def _should_close(request: ref[Any], connection: ClientConnection) -> bool:
    """Return whether the connection ends with *request*, as it does if much of the body is unread."""
    req: Any = request()
    if not req.must_close and _has_long_rest(req.body):
        req.must_close = connection.lingers = True
    return bool(type(req).should_close(req))


def _has_long_rest(body: Any) -> bool:
    if isinstance(body, ContinueBody) and not body.is_continue_sent:
        return True  # the client may never send the body
    reader = body.reader
    if isinstance(reader, LengthReader):
        return bool(reader.length > DRAIN_BYTES)
    return isinstance(reader, ChunkedReader) and reader.parser is not None


def _date() -> str:
    return _date_of(int(time.time()))


@lru_cache(1)
def _date_of(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)
