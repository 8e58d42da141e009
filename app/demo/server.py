"""The server: connections, authentication, routes and responses."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Any, TypedDict

import gevent
import orjson

from app.demo import chat_format, responses_format
from app.demo.http import LAST_CHUNK, HttpError, Request, chunk, head, json_response, read_request
from app.demo.request import DemoRequest, parse_chat_request, parse_responses_request
from app.demo.responder import Answer, respond

Json = dict[str, Any]

PAUSE_SECONDS = 0.2  # between deltas of a slow answer
MODELS = ("demo",)  # listed; any other name also works
LISTED_SINCE = 1767225600  # Unix seconds; a model's `created`
STREAM = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache",
    "transfer-encoding": "chunked",
}


def connection_handler(key: str) -> Callable[[Any, Any], None]:
    """Return the handler of a StreamServer, called with (socket, address) of each connection."""
    routes: dict[str, dict[str, Callable[[Any, Request], None]]] = {
        "/v1/models": {"GET": _models},
        "/v1/chat/completions": {"POST": _chat},
        "/v1/responses": {"POST": _responses},
    }

    def serve_one(sock: Any, request: Request) -> None:
        try:
            if request.headers.get("authorization") != f"Bearer {key}":
                raise HttpError(401, "Incorrect API key provided.", code="invalid_api_key")
            methods = routes.get(request.path)
            if methods is None:
                raise HttpError(404, f"Invalid URL ({request.method} {request.path})")
            if request.method not in methods:
                raise HttpError(405, f"Not allowed to {request.method} on {request.path}")
            methods[request.method](sock, request)
        except HttpError as error:
            sock.sendall(json_response(error.status, error.envelope, _headers()))

    def serve(sock: Any, address: Any) -> None:
        reader = sock.makefile("rb")
        try:
            while (request := read_request(reader, sock)) is not None:
                serve_one(sock, request)
                if not request.keep_alive:
                    return
        except HttpError as error:
            sock.sendall(json_response(error.status, error.envelope, {**_headers(), "connection": "close"}))
        except OSError:
            return  # the client left; there is nothing to undo
        finally:
            reader.close()

    return serve


def _models(sock: Any, request: Request) -> None:
    data = [
        {"id": name, "object": "model", "created": LISTED_SINCE, "owned_by": "poolgate-demo"}
        for name in MODELS
    ]
    sock.sendall(json_response(200, {"object": "list", "data": data}, _headers()))


def _chat(sock: Any, request: Request) -> None:
    body = request.json()
    demo_request = parse_chat_request(body)
    answer = respond(demo_request)
    details = _response_details(demo_request)
    choices = demo_request.choices
    if body.get("stream") is not True:
        _send_json(sock, demo_request, answer, chat_format.completion(answer, **details, choices=choices))
        return
    options = body.get("stream_options")
    include_usage = isinstance(options, dict) and options.get("include_usage") is True
    frames = (
        b"data: %b\n\n" % orjson.dumps(item)
        for item in chat_format.chunks(answer, **details, choices=choices, include_usage=include_usage)
    )
    _send_stream(sock, demo_request, frames, last=b"data: [DONE]\n\n")


def _responses(sock: Any, request: Request) -> None:
    body = request.json()
    demo_request = parse_responses_request(body)
    answer = respond(demo_request)
    response = responses_format.initial_response(body, **_response_details(demo_request))
    events = responses_format.events(response, answer, new_id=_new_id)
    if body.get("stream") is not True:
        *_, last = events
        _send_json(sock, demo_request, answer, last["response"])
        return
    frames = (b"event: %b\ndata: %b\n\n" % (item["type"].encode(), orjson.dumps(item)) for item in events)
    _send_stream(sock, demo_request, frames)


def _send_json(sock: Any, demo_request: DemoRequest, answer: Answer, payload: Any) -> None:
    if demo_request.slow:
        gevent.sleep(PAUSE_SECONDS * answer.usage.output_tokens)
    sock.sendall(json_response(200, payload, _headers()))


def _send_stream(sock: Any, demo_request: DemoRequest, frames: Iterator[bytes], last: bytes = b"") -> None:
    """Send each frame as a chunk, as soon as it exists."""
    sock.sendall(head(200, {**STREAM, **_headers()}))
    for frame in frames:
        sock.sendall(chunk(frame))
        if demo_request.slow and b'"delta"' in frame:
            gevent.sleep(PAUSE_SECONDS)
    sock.sendall((chunk(last) if last else b"") + LAST_CHUNK)


class _ResponseDetails(TypedDict):
    model: str
    created_at: int
    new_id: Callable[[str], str]


def _response_details(demo_request: DemoRequest) -> _ResponseDetails:
    return {"model": f"demo/{demo_request.model}", "created_at": int(time.time()), "new_id": _new_id}


def _headers() -> dict[str, str]:
    return {"server": "poolgate-demo", "x-request-id": _new_id("req_")}


def _new_id(prefix: str) -> str:
    return prefix + os.urandom(12).hex()
