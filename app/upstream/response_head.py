"""
Read the heads of responses: status and headers.

http.client reads headers as those of an email, with several hundred calls. Nearly all lines are one field
without oddities, and are split here; heads with other lines are left to it.

Source: https://www.rfc-editor.org/rfc/rfc9112#section-5
"""

from __future__ import annotations

import re
from email.parser import Parser
from http import HTTPStatus, client
from http.client import CONTINUE, SWITCHING_PROTOCOLS, HTTPMessage, HTTPResponse, UnknownProtocol
from typing import Any

from schemas.bounds import parse_integer

_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e]*)\r\n")
_WITHOUT_BODY = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)


class PlainHead(HTTPMessage):
    """A head whose fields are ASCII, so they are read without the checks for other characters."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        super().__init__()
        self._headers = fields
        self._payload = ""

    def get(self, name: str, failobj: Any = None) -> Any:
        name = name.lower()
        for field, value in self._headers:
            if field.lower() == name:
                return value
        return failobj

    def items(self) -> list[tuple[str, str]]:
        return self._headers.copy()

    def get_payload(self, *_: Any, **__: Any) -> Any:
        return self._payload


def parse_head(lines: list[bytes]) -> HTTPMessage:
    """Return *lines*, which end with an empty line, as the message that http.client would make."""
    fields = []
    for line in lines[:-1]:
        field = _FIELD.fullmatch(line)
        if field is None:
            return Parser(_class=HTTPMessage).parsestr(b"".join(lines).decode("iso-8859-1"))
        fields.append((field[1].decode("ascii"), field[2].decode("ascii")))
    return PlainHead(fields)


class FinalResponse(HTTPResponse):
    """Skips all informational responses, such as 103 (Early Hints); http.client skips only 100."""

    fp: Any

    def _read_status(self) -> tuple[str, int, str]:
        version, status, reason = super()._read_status()  # type: ignore[misc]
        is_informational = SWITCHING_PROTOCOLS < status < HTTPStatus.OK
        return version, CONTINUE if is_informational else status, reason

    def begin(self) -> None:
        """Read the head, as `HTTPResponse.begin` does."""
        if self.headers is not None:
            return
        read_lines = client._read_headers  # bounds the length and number of lines
        version, status, reason = self._read_status()
        while status == CONTINUE:
            read_lines(self.fp)
            version, status, reason = self._read_status()
        self.code = self.status = status
        self.reason = reason.strip()
        if version in ("HTTP/1.0", "HTTP/0.9"):
            self.version = 10
        elif version.startswith("HTTP/1."):
            self.version = 11
        else:
            raise UnknownProtocol(version)
        self.headers = self.msg = parse_head(read_lines(self.fp))
        self.chunked = (self.headers.get("transfer-encoding") or "").lower() == "chunked"
        if self.chunked:
            self.chunk_left = None
        self.will_close = self._check_close()
        self.length = None if self.chunked else _length(self.headers.get("content-length"))
        if status in _WITHOUT_BODY or status < HTTPStatus.OK or self._method == "HEAD":
            self.length = 0
        self.will_close = self.will_close or (self.length is None and not self.chunked)


def _length(text: str | None) -> int | None:
    """Return the Content-Length in *text*, None if it is not valid."""
    if text and len(text) < 16 and text.isdigit() and text.isascii():
        return int(text)  # nearly all are plain digits
    return parse_integer(text.strip(" \t")) if text else None
