"""
A multipart body: read, checked, and written again from what was read.

Parsers differ about a form that is not plain: which of two fields of one name counts, whether a
file may stand for a text, what a second `name` in a head means. So what was sent never passes on;
the upstream gets a form that can be read in one way only, the way it was checked.

Sources: https://www.rfc-editor.org/rfc/rfc7578 and
https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

from flask import request
from werkzeug.exceptions import HTTPException
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from app.api.body import read_bytes
from app.errors import InvalidRequest
from app.yielding import end_turn

MAX_FIELD_BYTES = 1024 * 1024  # of all fields that are not files
MAX_PARTS = 100
MAX_NAME_CHARS = 256
MAX_FILENAME_CHARS = 1024
MAX_TYPE_CHARS = 200
PIECE_BYTES = 256 * 1024  # parsed at a time; others get their turn in between
TEXTS = frozenset(("model", "prompt", "stream", "fallbacks"))  # what we read may not be a file
# Fields that may come several times, beside every name that ends with `[]`.
REPEATED = frozenset(("image", "include", "timestamp_granularities"))

_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_TYPE = re.compile(r"[\x20-\x7e]+")
_NO_ENCODING = ("", "binary", "8bit", "7bit")


@dataclass(frozen=True, slots=True)
class Form:
    """`fields` by name, files by the name they were sent with; `body` is the form made from them."""

    fields: dict[str, str]
    body: bytearray
    content_type: str


def read_form(limit_bytes: int) -> Form:
    """Return the request's form. Raises InvalidRequest, which names the field, or PayloadTooLarge."""
    boundary = request.mimetype_params.get("boundary")
    if request.mimetype != "multipart/form-data" or not boundary:
        raise InvalidRequest("The request body must be multipart/form-data")
    try:
        return _Writer().form(read_bytes(limit_bytes), boundary.encode())
    except (ValueError, HTTPException):
        raise InvalidRequest("The request body is not well-formed multipart/form-data") from None


class _Writer:
    """Writes each part as it is parsed, so that no more than one copy of a large file is made."""

    def __init__(self) -> None:
        self._boundary = secrets.token_hex(16).encode()  # nothing that was sent can contain it
        self._body = bytearray()
        self._fields: dict[str, str] = {}
        self._names: set[str] = set()
        self._text: list[bytes] | None = None  # of the field under way; None in a file
        self._name = ""
        self._field_bytes = 0

    def form(self, data: bytes, boundary: bytes) -> Form:
        decoder = MultipartDecoder(boundary, MAX_FIELD_BYTES, max_parts=MAX_PARTS)
        view = memoryview(data)
        for start in range(0, len(data), PIECE_BYTES):
            decoder.receive_data(bytes(view[start : start + PIECE_BYTES]))
            self._take(decoder)
            end_turn()
        decoder.receive_data(None)
        self._take(decoder)
        self._body += b"--%b--\r\n" % self._boundary
        content_type = f"multipart/form-data; boundary={self._boundary.decode()}"
        return Form(self._fields, self._body, content_type)

    def _take(self, decoder: MultipartDecoder) -> None:
        while not isinstance(event := decoder.next_event(), NeedData | Epilogue):
            if isinstance(event, Field | File):
                self._begin(event)
            elif isinstance(event, Data):
                self._go_on(event)

    def _begin(self, part: Field | File) -> None:
        name = self._name = _checked_name(part.name)
        if name in self._names and name not in REPEATED and not name.endswith("[]"):
            raise InvalidRequest(f"{name} must be given once", param=name)
        self._names.add(name)
        encoding = part.headers.get("Content-Transfer-Encoding", "").strip().lower()
        if encoding not in _NO_ENCODING:
            raise InvalidRequest(f"{name} must not have a Content-Transfer-Encoding", param=name)
        if isinstance(part, Field):
            self._text = []
            return
        if name in TEXTS:
            raise InvalidRequest(f"{name} must be a text, not a file", param=name)
        filename = (part.filename or "")[:MAX_FILENAME_CHARS]
        self._fields.setdefault(name, filename or name)
        self._text = None
        self._write_head(name, _quoted("filename", _CONTROL.sub("_", filename)), _type_of(part))

    def _go_on(self, data: Data) -> None:
        if self._text is None:
            self._body += data.data
            if not data.more_data:
                self._body += b"\r\n"
            return
        self._field_bytes += len(data.data)
        if self._field_bytes > MAX_FIELD_BYTES:
            raise InvalidRequest("The texts of the form are too long", param=self._name)
        self._text.append(data.data)
        if not data.more_data:
            self._end_field(b"".join(self._text))

    def _end_field(self, data: bytes) -> None:
        try:
            self._fields.setdefault(self._name, data.decode())
        except UnicodeDecodeError:
            raise InvalidRequest(f"{self._name} must be UTF-8", param=self._name) from None
        if self._name != "fallbacks":  # for us alone
            self._write_head(self._name, "", "")
            self._body += data + b"\r\n"

    def _write_head(self, name: str, filename: str, content_type: str) -> None:
        lines = [
            f"Content-Disposition: form-data; {_quoted('name', name)}{'; ' if filename else ''}{filename}"
        ]
        if content_type:
            lines.append(f"Content-Type: {content_type}")
        head = "\r\n".join(lines).encode()
        self._body += b"--%b\r\n%b\r\n\r\n" % (self._boundary, head)


def _checked_name(name: str | None) -> str:
    """Return *name*. Raises InvalidRequest for one that a parser may take for another."""
    if not name or len(name) > MAX_NAME_CHARS or _CONTROL.search(name):
        raise InvalidRequest("Each part of the form must have a name of printable characters")
    if name != "model" and name.strip().partition("[")[0].strip().lower() == "model":
        raise InvalidRequest("model must be given once, under this name", param="model")
    return name


def _quoted(parameter: str, value: str) -> str:
    """Return `parameter="value"`, escaped as browsers do, and in a way that no parser undoes."""
    escaped = value.replace("\\", "%5C").replace('"', "%22")
    return f'{parameter}="{escaped}"'


def _type_of(part: File) -> str:
    given = part.headers.get("Content-Type", "").strip()
    usable = len(given) <= MAX_TYPE_CHARS and _TYPE.fullmatch(given)
    return given if usable else "application/octet-stream"
