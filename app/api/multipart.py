"""
Multipart bodies: parsed, validated, and written again.

Parsers disagree about ambiguous forms: which of two fields with one name counts, whether a file may
replace a text, what a second `name` in a part's headers means. So the received form is never forwarded;
the upstream receives one with a single reading, the one that was validated.

Sources: https://www.rfc-editor.org/rfc/rfc7578 and
https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import NamedTuple

import orjson
from flask import request
from werkzeug.exceptions import HTTPException
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from app.api.body import read_bytes
from app.api.json_body import check_levels
from app.errors import InvalidRequest
from app.limits.disguised_fields import (
    is_disguised,
    is_disguised_inside,
    nameable,
    without_disguised_inside,
)
from app.translation.requests.images_to_responses import ImageFile
from app.yielding import end_turn

MAX_FIELD_BYTES = 1024 * 1024  # total size of the fields that are not files
MAX_PARTS = 100
MAX_NAME_CHARS = 256
MAX_FILENAME_CHARS = 1024
MAX_TYPE_CHARS = 200
PIECE_BYTES = 256 * 1024  # bytes parsed before other greenlets run
# Fields that the gateway reads: they must not be files
TEXTS = frozenset(("model", "prompt", "stream", "fallbacks"))
# Fields with one value. No parser may read them from a list with another spelling, such as `n[]`.
SINGLE = TEXTS | {"n", "service_tier", "user"}
# Fields that may be repeated, as may every name that ends with `[]`.
REPEATED = frozenset(("image", "include", "timestamp_granularities"))

_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_TYPE = re.compile(r"[\x20-\x7e]+")
_MEMBER = re.compile(r"[^\[\].]+")  # a part of a name such as `extra[member]` or `extra.member`
_NO_ENCODING = ("", "binary", "8bit", "7bit")


class FilePlace(NamedTuple):
    """A file of a form: the name of its field, its type, and its position in the body."""

    name: str
    content_type: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Form:
    """`fields` has texts, and the file names of files; `body` is the form as it is forwarded."""

    fields: dict[str, str]
    body: bytearray
    content_type: str
    dropped: tuple[str, ...] = ()  # names of fields that were left out
    places: tuple[FilePlace, ...] = ()
    model_place: tuple[int, int] | None = None  # start and end of the model's name in `body`

    def files(self) -> tuple[ImageFile, ...]:
        """Return the files in `body`, which must not grow afterwards."""
        body = memoryview(self.body)
        return tuple(
            ImageFile(place.name, place.content_type, body[place.start : place.end]) for place in self.places
        )


def read_form(limit_bytes: int, endpoint: str) -> Form:
    """
    Return the request's form for *endpoint* without disguised fields, see `app.limits.disguised_fields`.

    Raises InvalidRequest, which names the field, or PayloadTooLarge.
    """
    boundary = request.mimetype_params.get("boundary")
    if request.mimetype != "multipart/form-data" or not boundary:
        raise InvalidRequest("The request body must be multipart/form-data")
    try:
        return _Writer(endpoint).form(read_bytes(limit_bytes), boundary.encode())
    except (ValueError, HTTPException):
        raise InvalidRequest("The request body is not well-formed multipart/form-data") from None


class _Writer:
    """Writes each part as it is parsed, so that a large file is copied once."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._dropped: list[str] = []
        self._is_dropped = False  # whether the current part is left out
        self._boundary = secrets.token_hex(16).encode()  # random, so the received form cannot contain it
        self._body = bytearray()
        self._fields: dict[str, str] = {}
        self._names: set[str] = set()
        self._text: list[bytes] | None = None  # text of the current field; None in a file
        self._name = ""
        self._field_bytes = 0
        self._places: list[FilePlace] = []
        self._model_place: tuple[int, int] | None = None
        self._file: tuple[str, int] = ("", 0)  # type and beginning of the current file

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
        dropped, places = nameable(self._dropped), tuple(self._places)
        return Form(self._fields, self._body, content_type, dropped, places, self._model_place)

    def _take(self, decoder: MultipartDecoder) -> None:
        while not isinstance(event := decoder.next_event(), NeedData | Epilogue):
            if isinstance(event, Field | File):
                self._begin(event)
            elif isinstance(event, Data):
                self._continue(event)

    def _begin(self, part: Field | File) -> None:
        name = self._name = _checked_name(part.name)
        if name in self._names and name not in REPEATED and not name.endswith("[]"):
            raise InvalidRequest(f"{name} must be given once", param=name)
        self._names.add(name)
        plain_name = _plain_name(name)
        self._is_dropped = is_disguised(self._endpoint, plain_name) or (
            plain_name != name and plain_name in SINGLE
        )
        if self._is_dropped:
            self._dropped.append(plain_name)
        elif any(map(is_disguised_inside, (members := _MEMBER.findall(name))[1:])):
            self._is_dropped = True
            self._dropped.append(".".join(members))
        encoding = part.headers.get("Content-Transfer-Encoding", "").strip().lower()
        if encoding not in _NO_ENCODING:
            raise InvalidRequest(f"{name} must not have a Content-Transfer-Encoding", param=name)
        if isinstance(part, Field):
            self._text = []
            return
        if name in TEXTS:
            raise InvalidRequest(f"{name} must be a text, not a file", param=name)
        filename = (part.filename or "")[:MAX_FILENAME_CHARS]
        self._text = None
        if self._is_dropped:
            return
        self._fields.setdefault(name, filename or name)
        content_type = _type_of(part)
        self._write_head(name, _quoted("filename", _CONTROL.sub("_", filename)), content_type)
        self._file = content_type, len(self._body)

    def _continue(self, data: Data) -> None:
        if self._text is None:
            if self._is_dropped:
                return
            self._body += data.data
            if not data.more_data:
                self._places.append(FilePlace(self._name, *self._file, len(self._body)))
                self._body += b"\r\n"
            return
        self._field_bytes += len(data.data)
        if self._field_bytes > MAX_FIELD_BYTES:
            raise InvalidRequest("The texts of the form are too long", param=self._name)
        self._text.append(data.data)
        if not data.more_data:
            self._end_field(b"".join(self._text))

    def _end_field(self, data: bytes) -> None:
        if self._is_dropped:
            return
        try:
            self._fields.setdefault(self._name, data.decode())
        except UnicodeDecodeError:
            raise InvalidRequest(f"{self._name} must be UTF-8", param=self._name) from None
        if self._name != "fallbacks":  # only for the gateway
            if data.lstrip()[:1] in (b"{", b"["):
                data = self._without_disguised(data)
            self._write_head(self._name, "", "")
            start = len(self._body)
            self._body += data + b"\r\n"
            if self._name == "model":
                self._model_place = start, start + len(data)

    def _without_disguised(self, data: bytes) -> bytes:
        """Return *data*, the text of a field, without disguised fields if it is JSON."""
        try:
            value = orjson.loads(data)
        except orjson.JSONDecodeError:
            return data
        check_levels(value)
        end_turn()
        cleaned, dropped = without_disguised_inside(self._endpoint, _plain_name(self._name), value)
        self._dropped += dropped
        return orjson.dumps(cleaned) if dropped else data

    def _write_head(self, name: str, filename: str, content_type: str) -> None:
        lines = [
            f"Content-Disposition: form-data; {_quoted('name', name)}{'; ' if filename else ''}{filename}"
        ]
        if content_type:
            lines.append(f"Content-Type: {content_type}")
        head = "\r\n".join(lines).encode()
        self._body += b"--%b\r\n%b\r\n\r\n" % (self._boundary, head)


def _checked_name(name: str | None) -> str:
    """Return *name*. Raises InvalidRequest if a parser may read it as another name."""
    if not name or len(name) > MAX_NAME_CHARS or _CONTROL.search(name):
        raise InvalidRequest("Each part of the form must have a name of printable characters")
    if name != "model" and _plain_name(name).lower() == "model":
        raise InvalidRequest("model must be given once, under this name", param="model")
    return name


def _plain_name(name: str) -> str:
    """Return *name* without the brackets by which some parsers mark a list."""
    return name.partition("[")[0].strip()


def _quoted(parameter: str, value: str) -> str:
    """Return `parameter="value"`, escaped as browsers do and so that all parsers read the same."""
    escaped = value.replace("\\", "%5C").replace('"', "%22")
    return f'{parameter}="{escaped}"'


def _type_of(part: File) -> str:
    given = part.headers.get("Content-Type", "").strip()
    usable = len(given) <= MAX_TYPE_CHARS and _TYPE.fullmatch(given)
    return given if usable else "application/octet-stream"
