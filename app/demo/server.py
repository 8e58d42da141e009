"""The WSGI application: authentication, routes and responses."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Any, TypedDict
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import gevent
import orjson

from app.demo import chat_format, responses_format
from app.demo.errors import HttpError
from app.demo.request import DemoRequest, parse_chat_request, parse_responses_request
from app.demo.responder import DemoResponse, respond

Json = dict[str, Any]
Content = tuple[str, Iterable[bytes]]  # content type, and bytes: a list, or frames to send one by one

PAUSE_SECONDS = 0.2  # between deltas of a slow response
MODELS = ("demo",)  # the listed models; any other name works as well
LISTED_SINCE = 1767225600  # Unix seconds; a model's `created`
EVENTS = "text/event-stream; charset=utf-8"


def wsgi_application(key: str) -> WSGIApplication:
    """Return the application that serves the clients that send *key*."""

    def serve(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        status = 200
        try:
            if environ.get("HTTP_AUTHORIZATION") != f"Bearer {key}":
                raise HttpError(401, "Incorrect API key provided.", code="invalid_api_key")
            content_type, content = _view(environ["REQUEST_METHOD"], environ["PATH_INFO"])(environ)
        except HttpError as error:
            status = error.status
            content_type, content = _json(error.envelope)
        headers = [
            ("content-type", content_type),
            ("cache-control", "no-cache"),
            ("server", "poolgate-demo"),
            ("x-request-id", _new_id("req_")),
        ]
        start_response(f"{status} {HTTPStatus(status).phrase}", headers)
        return content

    return serve


def _view(method: str, path: str) -> Callable[[WSGIEnvironment], Content]:
    """Return the function that serves *method* on *path*. Raises HttpError 404 or 405."""
    views = {
        "/v1/models": ("GET", _models),
        "/v1/chat/completions": ("POST", _chat),
        "/v1/responses": ("POST", _responses),
    }
    if path not in views:
        raise HttpError(404, f"Invalid URL ({method} {path})")
    allowed, view = views[path]
    if method != allowed:
        raise HttpError(405, f"Not allowed to {method} on {path}")
    return view


def _body(environ: WSGIEnvironment) -> Json:
    """Return the body of a request. Raises HttpError 400 if it is not an object."""
    try:
        value = orjson.loads(environ["wsgi.input"].read())
    except (orjson.JSONDecodeError, OSError):  # OSError: the body was cut short
        raise HttpError(400, "We could not parse the JSON body of your request.") from None
    if not isinstance(value, dict):
        raise HttpError(400, "The JSON body of your request must be an object.")
    return value


def _models(environ: WSGIEnvironment) -> Content:
    data = [
        {"id": name, "object": "model", "created": LISTED_SINCE, "owned_by": "poolgate-demo"}
        for name in MODELS
    ]
    return _json({"object": "list", "data": data})


def _chat(environ: WSGIEnvironment) -> Content:
    body = _body(environ)
    demo_request = parse_chat_request(body)
    demo_response = respond(demo_request)
    details = _response_details(demo_request)
    choices = demo_request.choices
    if body.get("stream") is not True:
        return _unstreamed(
            demo_request, demo_response, chat_format.completion(demo_response, **details, choices=choices)
        )
    options = body.get("stream_options")
    include_usage = isinstance(options, dict) and options.get("include_usage") is True
    chunks = chat_format.chunks(demo_response, **details, choices=choices, include_usage=include_usage)
    frames = (b"data: %b\n\n" % orjson.dumps(item) for item in chunks)
    return EVENTS, _paced(demo_request, frames, last=(b"data: [DONE]\n\n",))


def _responses(environ: WSGIEnvironment) -> Content:
    body = _body(environ)
    demo_request = parse_responses_request(body)
    demo_response = respond(demo_request)
    response = responses_format.initial_response(body, **_response_details(demo_request))
    events = responses_format.events(response, demo_response, new_id=_new_id)
    if body.get("stream") is not True:
        *_, last = events
        return _unstreamed(demo_request, demo_response, last["response"])
    frames = (b"event: %b\ndata: %b\n\n" % (item["type"].encode(), orjson.dumps(item)) for item in events)
    return EVENTS, _paced(demo_request, frames)


def _unstreamed(demo_request: DemoRequest, demo_response: DemoResponse, payload: Any) -> Content:
    if demo_request.slow:
        gevent.sleep(PAUSE_SECONDS * demo_response.usage.output_tokens)
    return _json(payload)


def _paced(demo_request: DemoRequest, frames: Iterable[bytes], last: Iterable[bytes] = ()) -> Iterator[bytes]:
    """Yield *frames*, which the server sends one by one, and *last*."""
    for frame in frames:
        yield frame
        if demo_request.slow and b'"delta"' in frame:
            gevent.sleep(PAUSE_SECONDS)
    yield from last


def _json(payload: Any) -> Content:
    return "application/json", [orjson.dumps(payload)]


class _ResponseDetails(TypedDict):
    model: str
    created_at: int
    new_id: Callable[[str], str]


def _response_details(demo_request: DemoRequest) -> _ResponseDetails:
    return {"model": f"demo/{demo_request.model}", "created_at": int(time.time()), "new_id": _new_id}


def _new_id(prefix: str) -> str:
    return prefix + os.urandom(12).hex()
