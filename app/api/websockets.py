"""
GET /v1/responses as the handshake of a WebSocket, whose messages are requests of their own.

A client that has to use HTTP receives a 426: it is the only status after which the Codex CLI does so at once.
Source: https://platform.openai.com/docs/guides/websocket-mode
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import structlog
from flask import Flask, Response

from app.api import json_body, metrics
from app.api.auth import caller
from app.api.context import application, current_request, services
from app.api.errors import error_response
from app.api.flask_app import GatewayResponse
from app.config import ANY_ORIGIN
from app.errors import ForgedRequest, NotAnObject, UpgradeRefused
from app.server.upgrades import UpgradedConnection
from app.websocket import handshake
from app.websocket.response import VARIABLE, SocketResponse, WarmUp
from schemas.work_bounds import MAX_CONVERSATION_VALUES

log = structlog.get_logger()

_OF_REQUEST = ("werkzeug.", "flask.")
_NOT_SENT = ("content-type", "content-length")  # headers that a response without body does not have


class UpgradeResponse(GatewayResponse):
    """The response to a handshake. Once the server takes it over, the connection is no longer HTTP."""

    def __init__(self, serve: Callable[[list[tuple[str, str]]], None]) -> None:
        super().__init__(status=101)
        self._serve = serve

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        headers = [(name, value) for name, value in self.headers if name.lower() not in _NOT_SENT]

        def run() -> None:
            self.close()  # the request is over; the connection takes no capacity of requests
            self._serve(headers)

        return UpgradedConnection(run)


def register(app: Flask) -> None:
    app.register_error_handler(WarmUp, _warm_up)


def upgrade() -> Response:
    """Accept a handshake, or refuse it so that clients use HTTP."""
    current, environ, key = services(), current_request().environ, caller()
    current.websockets.check(key.id)
    if "gunicorn.socket" not in environ:
        raise UpgradeRefused("This server cannot upgrade connections; send POST requests")
    _check_origin(environ, current.settings.cors_origins)
    try:
        handshake.check(environ)
    except UpgradeRefused as error:
        response = error_response(error)
        response.headers["Sec-WebSocket-Version"] = handshake.VERSION
        return response
    app = application()

    def serve(headers: list[tuple[str, str]]) -> None:
        for name in [name for name in environ if name.startswith(_OF_REQUEST)]:
            del environ[name]  # the request has ended, and the connection may live for an hour
        metrics.SOCKETS.value += 1
        try:
            summary = current.websockets.serve(environ, key.id, headers, app, _parse)
        finally:
            metrics.SOCKETS.value -= 1
        metrics.observe_socket(summary)
        log.info("websocket_ended", key=key.id, **asdict(summary))

    return UpgradeResponse(serve)


def _check_origin(environ: dict[str, Any], origins: tuple[str, ...]) -> None:
    """Refuse pages that may not call the endpoints, by the origin that browsers send."""
    origin = environ.get("HTTP_ORIGIN")
    if origin is not None and ANY_ORIGIN not in origins and origin not in origins:
        raise ForgedRequest("Pages of this origin may not connect here")


def _parse(message: bytes) -> dict[str, Any]:
    """Return the JSON object in a message. Raises InvalidRequest."""
    parsed = json_body.parse(message, json_body.scan(message, MAX_CONVERSATION_VALUES))
    if not isinstance(parsed, dict):
        raise NotAnObject(parsed)
    return parsed


def _warm_up(warm_up: WarmUp) -> Response:
    """Answer a valid request that generates nothing: it is neither admitted nor billed."""
    response: SocketResponse = current_request().environ[VARIABLE]
    return Response(response.warm_up(warm_up.context))
