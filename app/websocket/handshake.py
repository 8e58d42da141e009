"""
The opening handshake of a WebSocket, checked on the WSGI environment of its request.

Source: https://www.rfc-editor.org/rfc/rfc6455#section-4.2
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import Any

from wsproto.extensions import Extension
from wsproto.handshake import server_extensions_handshake
from wsproto.utilities import generate_accept_token

from app.errors import InvalidRequest, MethodNotAllowed, UpgradeRefused
from app.websocket.compression import BoundedDeflate

VERSION = "13"
KEY_BYTES = 16
MIN_WINDOW_BITS = 8  # zlib cannot compress with so few
MAX_OFFERS = 16  # most offers of extensions; browsers send one, some libraries three


def check(environ: dict[str, Any]) -> None:
    """Check the request. Raises InvalidRequest, MethodNotAllowed, UpgradeRefused for other versions."""
    if environ["REQUEST_METHOD"] != "GET":
        raise MethodNotAllowed("A WebSocket handshake is a GET request")
    if environ["SERVER_PROTOCOL"] == "HTTP/1.0":
        raise UpgradeRefused(
            "A WebSocket needs HTTP/1.1, also of a proxy in between; send POST requests otherwise"
        )
    if environ.get("CONTENT_LENGTH") not in (None, "", "0") or "HTTP_TRANSFER_ENCODING" in environ:
        raise InvalidRequest("A WebSocket handshake has no body")
    version = environ.get("HTTP_SEC_WEBSOCKET_VERSION")
    if version is None:
        raise InvalidRequest("A WebSocket handshake needs the header Sec-WebSocket-Version: 13")
    if version.strip() != VERSION:
        raise UpgradeRefused("This gateway speaks version 13 of WebSocket; send POST requests otherwise")
    if not _is_key(environ.get("HTTP_SEC_WEBSOCKET_KEY", "")):
        raise InvalidRequest("A WebSocket handshake needs a Sec-WebSocket-Key of 16 bytes in base64")


def _is_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text.strip(), validate=True)) == KEY_BYTES
    except (ValueError, binascii.Error):
        return False


def accept(
    environ: dict[str, Any], max_message_bytes: int, headers: Iterable[tuple[str, str]]
) -> tuple[bytes, list[Extension]]:
    """Return the response to a handshake that was checked, with *headers*, and the agreed extensions."""
    key = environ["HTTP_SEC_WEBSOCKET_KEY"].strip().encode()
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {generate_accept_token(key).decode()}",
    ]
    extensions, agreed = _agree(environ.get("HTTP_SEC_WEBSOCKET_EXTENSIONS", ""), max_message_bytes)
    if agreed:
        lines.append(f"Sec-WebSocket-Extensions: {agreed}")
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1"), extensions


def _agree(offered: str, max_message_bytes: int) -> tuple[list[Extension], str]:
    """Return the first offer that can be met, as (extensions, value of the response's header)."""
    for offer in offered.split(",")[:MAX_OFFERS]:
        if offer.split(";", 1)[0].strip() == BoundedDeflate.name:
            deflate = BoundedDeflate(max_message_bytes)
            try:
                agreed = server_extensions_handshake([offer.strip()], [deflate])
            except ValueError:  # a parameter that is not a number
                agreed = None
            if agreed and deflate.server_max_window_bits > MIN_WINDOW_BITS:
                return [deflate], agreed.decode()
    return [], ""
