"""The opening handshake, on the environment of its request."""

from __future__ import annotations

from typing import Any

import pytest

from app.errors import GatewayError, InvalidRequest, MethodNotAllowed, UpgradeRefused
from app.websocket import handshake

KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def environ(**more: str) -> dict[str, Any]:
    request = {"REQUEST_METHOD": "GET", "SERVER_PROTOCOL": "HTTP/1.1"}
    return {**request, "HTTP_SEC_WEBSOCKET_VERSION": "13", "HTTP_SEC_WEBSOCKET_KEY": KEY, **more}


def accepted(offer: str) -> str:
    """Return the agreed extensions, "" for none."""
    response, extensions = handshake.accept(environ(HTTP_SEC_WEBSOCKET_EXTENSIONS=offer), 1000, ())
    lines = response.decode().split("\r\n")
    agreed = [line.partition(": ")[2] for line in lines if line.startswith("Sec-WebSocket-Extensions")]
    assert bool(extensions) == bool(agreed)
    return agreed[0] if agreed else ""


def test_the_response() -> None:
    """The key is the example of RFC 6455, section 1.3."""
    handshake.check(environ())
    response, extensions = handshake.accept(environ(), 1000, [("x-request-id", "1")])

    assert response == (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nx-request-id: 1\r\n\r\n"
    )
    assert extensions == []


@pytest.mark.parametrize("key", ["", "short", "x" * 24, "dGhlIHNhbXBsZSBub25jZQ", "ü" * 24])
def test_keys_that_are_none(key: str) -> None:
    with pytest.raises(InvalidRequest):
        handshake.check(environ(HTTP_SEC_WEBSOCKET_KEY=key))


@pytest.mark.parametrize(
    ("request_is", "error"),
    [
        ({"REQUEST_METHOD": "HEAD"}, MethodNotAllowed),
        ({"SERVER_PROTOCOL": "HTTP/1.0"}, UpgradeRefused),
        ({"CONTENT_LENGTH": "5"}, InvalidRequest),
        ({"HTTP_TRANSFER_ENCODING": "chunked"}, InvalidRequest),
    ],
)
def test_requests_that_are_not_a_handshake(request_is: dict[str, str], error: type[GatewayError]) -> None:
    """A body would be read as messages; HTTP/1.0 comes from a proxy that cannot upgrade."""
    with pytest.raises(error):
        handshake.check(environ(**request_is))


def test_a_body_of_no_length() -> None:
    handshake.check(environ(CONTENT_LENGTH="0"))


def test_other_versions() -> None:
    with pytest.raises(UpgradeRefused):
        handshake.check(environ(HTTP_SEC_WEBSOCKET_VERSION="8"))


@pytest.mark.parametrize(
    "offer",
    [
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits",
        "x-unknown, permessage-deflate; server_max_window_bits=8, permessage-deflate",
    ],
)
def test_compression_without_contexts(offer: str) -> None:
    agreed = accepted(offer)

    assert agreed.startswith("permessage-deflate; client_no_context_takeover; server_no_context_takeover")


@pytest.mark.parametrize(
    "offer",
    [
        *("", ",;,", "x-webkit-deflate-frame", "permessage-deflate; server_max_window_bits=8"),
        *("permessage-deflate; client_max_window_bits=x", "permessage-deflate; client_max_window_bits=99"),
    ],
)
def test_no_compression(offer: str) -> None:
    assert accepted(offer) == ""
