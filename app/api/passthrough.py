"""POST /v1/embeddings, /v1/audio/speech and others: requests and responses that pass through unchanged."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import cast

from flask import Blueprint, Response

from app.api.auth import authenticate
from app.api.body import check_size, read_json
from app.api.codex_headers import add_windows
from app.api.context import current_request, services
from app.api.model_responses import Exchange, response_headers, start_exchange
from app.api.multipart import read_form
from app.api.request_context import RawBody, make_context
from app.errors import ClientGone, GatewayError, UpstreamProtocolError
from app.json_writing import write_json
from app.limits.disguised_fields import without_disguised
from app.relay.content_types import EVENTS, is_json, passing_type
from app.relay.context import RequestContext, ResponseOptions
from app.streaming.frames import COMMENT, chat_error
from app.translation.requests.images_to_responses import is_streamed
from app.upstream.responses import NO_CONTENT, essence_of
from schemas.passthrough import FORM_REQUESTS, JSON_REQUESTS, JSON_UPLOADS
from schemas.work_bounds import MAX_PASSTHROUGH_VALUES

bp = Blueprint("plain", __name__)
bp.after_request(add_windows)

UNSTREAMED = ResponseOptions(stream=False)
EVENT_ENDS = (b"\n\n", b"\r\n\r\n")
PieceBatches = Iterator[list[bytes] | None]  # None when a keep-alive is due


@bp.before_request
def admit_caller() -> None:
    check_size(services().settings.max_body_bytes)
    authenticate(is_admitted=True)


def create(endpoint: str) -> Response:
    payload, size = read_json(services().settings.max_body_bytes, MAX_PASSTHROUGH_VALUES)
    schema = JSON_REQUESTS.get(endpoint) or JSON_UPLOADS[endpoint]
    body = schema.load(payload)
    body.pop("fallbacks", None)
    body, dropped = without_disguised(endpoint, body)
    raw = RawBody(write_json(body, size), "application/json", dropped)
    return pass_through(make_context(endpoint, body, size, UNSTREAMED, raw=raw))


def upload(endpoint: str) -> Response:
    if endpoint in JSON_UPLOADS and current_request().is_json:
        return create(endpoint)
    form = read_form(services().settings.max_body_bytes, endpoint)
    fields = {name: value for name, value in form.fields.items() if name != "fallbacks"}
    body = FORM_REQUESTS[endpoint].load(fields)
    files = form.files() if endpoint == "images/edits" else ()
    raw = RawBody([form.body], form.content_type, form.dropped, files, form.model_place)
    return pass_through(make_context(endpoint, body, len(form.body), UNSTREAMED, raw=raw))


def add_rules(blueprint: Blueprint, view: Callable[[str], Response], endpoints: Iterable[str]) -> None:
    """Serve each of *endpoints* by *view*, `create` or `upload`, under the prefix of *blueprint*."""
    for endpoint in endpoints:
        blueprint.add_url_rule(
            f"/{endpoint}",
            endpoint.replace("/", "_"),
            partial(view, endpoint),
            methods=["POST"],
            strict_slashes=False,
        )


add_rules(bp, create, JSON_REQUESTS)
add_rules(bp, upload, FORM_REQUESTS)


def pass_through(context: RequestContext) -> Response:
    """Send *context* through the relay and return its response: JSON in one piece, other content streamed."""
    exchange = start_exchange(context)
    try:
        response = _response_of(exchange)
    except BaseException:
        exchange.close()
        raise
    response.headers.update(response_headers(exchange.chain))
    return response


def _response_of(exchange: Exchange) -> Response:
    arriving = cast(PieceBatches, exchange.events)
    first = _first_pieces(arriving, exchange)
    head = exchange.chain.upstream_head()
    if head is None:
        raise UpstreamProtocolError("No account answered")
    content_type, essence = passing_type(head.headers), essence_of(head.headers)
    if is_json(essence) or head.status in NO_CONTENT:
        deque(arriving, 0)  # read to its end, else the ledger would record that the client left
        exchange.close()
        response = Response(first, head.status, content_type=content_type)
    else:
        pieces = _pieces(exchange, first, is_events=essence == EVENTS)
        response = Response(pieces, head.status, content_type=content_type)
        response.call_on_close(exchange.close)
    if head.status in NO_CONTENT:
        response.headers.pop("Content-Type", None)
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _first_pieces(arriving: PieceBatches, exchange: Exchange) -> bytes:
    """Return the first pieces; a comment if events were requested and a keep-alive is due before them."""
    is_streamed_request = is_streamed(exchange.chain.context.request.body)
    for pieces in arriving:
        if pieces:
            return b"".join(pieces)
        if is_streamed_request and _sends_events(exchange):
            return COMMENT
    return b""


def _sends_events(exchange: Exchange) -> bool:
    head = exchange.chain.upstream_head()
    return head is not None and essence_of(head.headers) == EVENTS


def _pieces(exchange: Exchange, first: bytes, *, is_events: bool) -> Iterator[bytes]:
    """Yield *first* and all further pieces; between events, comments while the upstream is silent."""
    last = first
    try:
        yield first
        for pieces in cast(PieceBatches, exchange.events):
            if pieces:
                if last is COMMENT and not _sends_events(exchange):  # another account has taken over
                    raise UpstreamProtocolError("The upstream did not answer with events")
                last = b"".join(pieces)
                yield last
            elif is_events and last.endswith(EVENT_ENDS):
                last = COMMENT
                yield last
    except ClientGone:
        return
    except GatewayError as error:
        if not is_events:  # a broken connection is the only sign that audio is incomplete
            raise ConnectionResetError(errno.ECONNRESET, error.message) from error
        yield chat_error(error.envelope())
