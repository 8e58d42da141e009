"""POST /v1/embeddings, /v1/audio/speech and others: what passes to an account, and back, as it is."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Any, cast

from flask import Blueprint, Response

from app.api.answer import Exchange, begun, told
from app.api.auth import authenticate
from app.api.body import check_size, read_json
from app.api.codex_headers import add_windows
from app.api.context import services
from app.api.multipart import read_form
from app.api.request_context import make_call
from app.errors import ClientGone, GatewayError, UpstreamProtocolError
from app.json_writing import write_json
from app.relay.content_types import EVENTS, essence_of, is_json, passing_type
from app.relay.context import RequestContext
from app.streaming.frames import chat_error
from app.upstream.client import NO_CONTENT
from schemas.passthrough import FORM_REQUESTS, JSON_REQUESTS
from schemas.work_bounds import MAX_PASSTHROUGH_VALUES

bp = Blueprint("plain", __name__)
bp.after_request(add_windows)


@bp.before_request
def admit_caller() -> None:
    check_size(services().settings.max_body_bytes)
    authenticate()


def create(endpoint: str) -> Response:
    payload, size = read_json(services().settings.max_body_bytes, MAX_PASSTHROUGH_VALUES)
    body = JSON_REQUESTS[endpoint].load(payload)
    body.pop("fallbacks", None)
    return pass_on(_call(endpoint, body, size, write_json(body, size), "application/json"))


def upload(endpoint: str) -> Response:
    form = read_form(services().settings.max_body_bytes)
    fields = {name: value for name, value in form.fields.items() if name != "fallbacks"}
    body = FORM_REQUESTS[endpoint].load(fields)
    return pass_on(_call(endpoint, body, len(form.body), [form.body], form.content_type))


for _view, _endpoints in ((create, JSON_REQUESTS), (upload, FORM_REQUESTS)):
    for _endpoint in _endpoints:
        bp.add_url_rule(
            f"/{_endpoint}",
            _endpoint.replace("/", "_"),
            partial(_view, _endpoint),
            methods=["POST"],
            strict_slashes=False,
        )


def _call(
    endpoint: str, body: dict[str, Any], size: int, raw: Sequence[bytes | bytearray], content_type: str
) -> RequestContext:
    call = make_call(endpoint, body, size, stream=False, raw=raw, content_type=content_type)
    call.affinity = ""  # nothing of it is cached upstream
    return call


def pass_on(call: RequestContext) -> Response:
    """Send *call* through the relay and return its answer as it comes: JSON whole, all else in pieces."""
    exchange = begun(call)
    try:
        response = _answered(exchange)
    except BaseException:
        exchange.close()
        raise
    response.headers.update(told(exchange.answering))
    return response


def _answered(exchange: Exchange) -> Response:
    arriving = cast(Iterator[list[bytes] | None], exchange.events)  # and None as a tick in silence
    first = b"".join(next(filter(None, arriving), []))
    last = exchange.answering.record.last
    if last is None:
        raise UpstreamProtocolError("No account answered")
    kind, essence = passing_type(last.headers), essence_of(last.headers)
    if is_json(essence) or last.status in NO_CONTENT:
        deque(arriving, 0)  # to its end, or the books would have it that the caller left
        exchange.close()
        response = Response(first, last.status, content_type=kind)
    else:
        pieces = _pieces(exchange, first, essence == EVENTS)
        response = Response(pieces, last.status, content_type=kind)
        response.call_on_close(exchange.close)
    if last.status in NO_CONTENT:
        response.headers.pop("Content-Type", None)
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _pieces(exchange: Exchange, first: bytes, is_events: bool) -> Iterator[bytes]:
    try:
        yield first
        yield from chain.from_iterable(filter(None, cast(Iterator[list[bytes] | None], exchange.events)))
    except ClientGone:
        return
    except GatewayError as error:
        if not is_events:  # breaking the connection is all that tells that a sound is not whole
            raise ConnectionResetError(errno.ECONNRESET, error.message) from error
        yield chat_error(error.envelope())
