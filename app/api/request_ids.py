"""`x-request-id` on every response: the id that the client sent, else a new one."""

from __future__ import annotations

import re
import secrets
import uuid

from flask import Flask, Response

from app.api.context import current_request, request_globals

_ACCEPTABLE = re.compile(r"[\x21-\x7e]{1,128}")  # printable, and short enough for a log line


def new_request_id() -> str:
    """Return a new id for `x-poolgate-request-id`."""
    return f"req_{secrets.token_hex(12)}"


def register(app: Flask) -> None:
    app.before_request(_receive)
    app.after_request(_send)


def _receive() -> None:
    headers = current_request().headers
    given = headers.get("x-request-id") or headers.get("request-id") or ""
    request_globals().request_id = given if _ACCEPTABLE.fullmatch(given) else str(uuid.uuid4())


def _send(response: Response) -> Response:
    ids = request_globals()
    # `add`, because nothing else sets it
    response.headers.add("x-request-id", ids.get("request_id") or str(uuid.uuid4()))
    if "poolgate_request_id" in ids:
        response.headers.add("x-poolgate-request-id", ids.poolgate_request_id)
    return response
