"""Multipart bodies are validated and written again, so that every parser reads them in one way."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from app.api.flask_app import Gateway
from app.api.multipart import Form, read_form
from app.errors import InvalidRequest

APP: Flask = Gateway("test")
FILE = ("audio.wav", b"RIFF", "audio/wav")


def part(disposition: str, data: bytes, *headers: str) -> bytes:
    lines = "\r\n".join([f"Content-Disposition: form-data; {disposition}", *headers])
    return b"--b\r\n%b\r\n\r\n%b\r\n" % (lines.encode(), data)


MODEL = part('name="model"', b"m")
AUDIO = part('name="file"; filename="a.wav"', b"RIFF", "Content-Type: audio/wav")


def read(*parts: bytes, content_type: str = "multipart/form-data; boundary=b") -> Form:
    options: dict[str, Any] = {"method": "POST", "data": b"".join([*parts, b"--b--\r\n"])}
    with APP.test_request_context(content_type=content_type, **options):
        return read_form(10**6)


def test_is_written_again() -> None:
    form = read(MODEL, AUDIO)

    assert form.fields == {"model": "m", "file": "a.wav"}
    boundary = form.content_type.partition("boundary=")[2].encode()
    assert boundary != b"b"
    assert form.body.count(boundary) == 3
    assert b'name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\nRIFF\r\n' in form.body


def test_fallbacks_are_not_forwarded() -> None:
    form = read(MODEL, part('name="fallbacks"', b"n"))

    assert form.fields["fallbacks"] == "n"
    assert b"fallbacks" not in form.body


@pytest.mark.parametrize(
    "parts",
    [
        (MODEL, MODEL),
        (part('name=" Model"', b"m"),),
        (part('name="model"; filename="x"', b"m"),),
        (part('name="a"', b"\xff"),),
        (part('filename="x"', b"m"),),
        (part('name="a"', b"x", "Content-Transfer-Encoding: base64"),),
    ],
)
def test_ambiguous_forms_are_refused(parts: tuple[bytes, ...]) -> None:
    with pytest.raises(InvalidRequest):
        read(*parts)


def test_repeated_names() -> None:
    assert read(part('name="image[]"', b"a"), part('name="image[]"', b"b")).fields == {"image[]": "a"}


def test_another_content_type() -> None:
    with pytest.raises(InvalidRequest):
        read(MODEL, content_type="text/plain")
