"""
`Idempotency-Key`: a repeat of a request receives the response to the first one, and is billed once.

An Idempotency-Key belongs to an API key and an endpoint, for ten minutes after the response. The first
request runs to its end even if its client leaves. The response is recorded as it was sent. A response with an
error status is not recorded, so that a repeat is tried again.
"""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from typing import Any, cast

import orjson
from flask import Flask, Request, Response

from app.api import metrics
from app.api.auth import caller
from app.api.context import current_request, request_globals, services
from app.api.headers import IDEMPOTENCY_KEY, variable_of
from app.errors import ClientGone, GatewayError, InvalidRequest, ModelNotAllowed, WorkerStopping
from app.relay.fallbacks import FallbackChain
from app.relay.recordings import RecordedResponse, RecordingLost, ResponseRecorder
from app.server.client_disconnect import DisconnectWatcher
from app.stores.records.api_keys import ApiKey
from app.upstream.cancellation import Cancellation
from app.yielding import give_way

HEADER = IDEMPOTENCY_KEY
VARIABLE = variable_of(HEADER)
REPLAYED = "idempotent-replayed"  # header of a response that repeats that of an earlier request
MAX_CHARS = 255
PIECE_BYTES = 256 * 1024  # bytes hashed at a time
# Headers that are not recorded: `vary` depends on the page, and `request_ids` adds the ids.
_OWN = frozenset(("vary", "x-request-id", "x-poolgate-request-id"))
_OWN_PREFIX = "access-control-"


class ReplayedResponse(Exception):
    """Raised to end a request with *response*, which an earlier request received."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


def register(app: Flask) -> None:
    app.register_error_handler(ReplayedResponse, lambda replay: replay.response)


def begin(data: bytes) -> None:
    """
    Claim the `Idempotency-Key` of the request with the body *data*, whose response is then recorded.

    Raises ReplayedResponse where a request with this key came first, once that has a response. Raises
    InvalidRequest, IdempotencyKeyReused, NotReplayable, StillRunning, Overloaded, StoreUnavailable, and
    ModelNotAllowed where the API key may not use the model of the response any more.
    """
    recordings = services().recordings
    if recordings is None:
        return
    request, key = current_request(), caller()
    digest, fingerprint = _digest(request, key.id), _fingerprint(request, data)
    while True:
        claim = recordings.claim(key.pool, key.id, digest, fingerprint)
        if isinstance(claim, ResponseRecorder):
            request_globals().scope.recorder = claim
            return
        with suppress(RecordingLost):  # the first request failed, so this one may claim the key
            raise ReplayedResponse(_replay(claim))


def _digest(request: Request, key_id: str) -> str:
    value = request.environ[VARIABLE]
    if not (0 < len(value) <= MAX_CHARS and value.isascii() and value.isprintable()):
        raise InvalidRequest(f"{HEADER} must have 1 to {MAX_CHARS} printable ASCII characters", param=HEADER)
    return hashlib.sha256("\n".join((key_id, request.path.rstrip("/"), value)).encode()).hexdigest()


def _fingerprint(request: Request, data: bytes) -> str:
    """Return the SHA-256 of *data* without the boundary of a form, which SDKs change in a repeat."""
    digest = hashlib.sha256(request.mimetype.encode())
    boundary = request.mimetype_params.get("boundary")
    for part in data.split(boundary.encode()) if boundary else (data,):
        digest.update(b"\n%d\n" % len(part))
        for start in range(0, len(part), PIECE_BYTES):
            digest.update(part[start : start + PIECE_BYTES])
            give_way(len(part))
    return digest.hexdigest()


def _replay(recorded: RecordedResponse) -> Response:
    """Wait for the head of the recorded response; return the response. Raises RecordingLost."""
    recordings = services().recordings
    assert recordings is not None
    cancellation = Cancellation()
    sock: Any = current_request().environ.get("gunicorn.socket")
    with ExitStack() as stack:
        if sock is not None:
            stack.callback(DisconnectWatcher(sock, cancellation.client_gone).stop)
        stack.enter_context(recordings.following(cancellation))
        pieces = recorded.pieces(cancellation, services().settings.limits.total)
        head = orjson.loads(next(pieces))
        _check_permission(caller(), head.get("model", ""), head.get("requested_model", ""))
        response = Response(_sent(pieces), head["status"])
        response.headers.clear()
        response.headers.extend(head["headers"])
        response.headers[REPLAYED] = "true"
        response.call_on_close(stack.pop_all().close)
    state = request_globals()
    state.request_id, state.poolgate_request_id = head["request_id"], head["poolgate_request_id"]
    state.scope.is_replay, state.scope.model = True, head.get("model", "")
    metrics.REPLAYS.inc()
    return response


def _check_permission(key: ApiKey, model: str, requested: str) -> None:
    """
    Raise ModelNotAllowed if *key* may not use *model*, requested as *requested* (''; the same), any more.

    The name of a model route permits all its targets, and nothing else does.
    """
    if not key.models or not model:
        return
    route = services().routes.table(key.pool, key.routes).find(requested) if requested else None
    if route is None:
        if not key.may_use(model):
            raise ModelNotAllowed(model)
    elif not (key.may_use(requested) or key.may_use(route.name)):
        raise ModelNotAllowed(requested)


def _sent(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield *pieces*; a recording that breaks off breaks the connection, so that it never looks complete."""
    try:
        yield from pieces
    except ClientGone:
        return
    except (RecordingLost, GatewayError) as error:
        raise ConnectionResetError(errno.ECONNRESET, "the recording ended") from error


def record_response(response: Response, recorder: ResponseRecorder, chain: FallbackChain | None) -> None:
    """Let *recorder* record *response* to the request that *chain* serves."""
    if response.status_code >= 400:
        recorder.release()
        return
    if response.is_sequence and "Content-Length" not in response.headers:
        response.headers["Content-Length"] = str(len(response.get_data()))
    response.response = RecordedBody(response, recorder, chain)


class RecordedBody:
    """The body of a response that is recorded as it is sent, and to its end if the client leaves."""

    def __init__(self, response: Response, recorder: ResponseRecorder, chain: FallbackChain | None) -> None:
        self._response = response
        self._recorder = recorder
        self._chain = chain
        self._source = cast(Iterable[bytes], response.response)
        self._pieces = iter(self._source)
        self._has_begun = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if not self._has_begun:
            self._has_begun = True
            self._recorder.add(_head(self._response, self._chain))
        try:
            piece = next(self._pieces)
        except StopIteration:
            self._recorder.end(is_stored=self._chain is None or is_stored(self._chain))
            raise
        except BaseException:
            self._recorder.end(is_stored=False)
            raise
        self._recorder.add(piece)
        return piece

    def close(self) -> None:
        """Read and record the rest that the client did not receive."""
        try:
            with suppress(OSError):  # binary data that broke off raises it
                for _ in self:
                    pass
        finally:
            if close := getattr(self._source, "close", None):
                close()


def _head(response: Response, chain: FallbackChain | None) -> bytes:
    """Return what a replay needs besides the body, once all headers are known."""
    request = chain.context.request if chain is not None else None
    headers = [
        (name, value)
        for name, value in response.headers
        if name.lower() not in _OWN and not name.lower().startswith(_OWN_PREFIX)
    ]
    return orjson.dumps(
        {
            "status": response.status_code,
            "model": request.model if request is not None else "",
            "requested_model": request.requested_model if request is not None else "",
            "headers": headers,
            "request_id": response.headers.get("x-request-id", ""),
            "poolgate_request_id": response.headers.get("x-poolgate-request-id", ""),
        }
    )


def is_stored(chain: FallbackChain) -> bool:
    """Return whether the response of *chain*, which has ended, may be returned to repeats."""
    row = chain.ledger_row  # None: refused, perhaps by an error event after a keep-alive
    if row is not None and row["status"] == 200:
        return True
    return chain.has_delivered and (row is None or row.get("error") != WorkerStopping.code)
