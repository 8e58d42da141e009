"""Multipart bodies are validated and written again, so that every parser reads them in one way."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from app.api.flask_app import GatewayApplication
from app.api.multipart import Form, read_form
from app.errors import InvalidRequest

APP: Flask = GatewayApplication("test")
FILE = ("audio.wav", b"RIFF", "audio/wav")


def part(disposition: str, data: bytes, *headers: str) -> bytes:
    lines = "\r\n".join([f"Content-Disposition: form-data; {disposition}", *headers])
    return b"--b\r\n%b\r\n\r\n%b\r\n" % (lines.encode(), data)


MODEL = part('name="model"', b"m")
AUDIO = part('name="file"; filename="a.wav"', b"RIFF", "Content-Type: audio/wav")


def read(*parts: bytes, content_type: str = "multipart/form-data; boundary=b") -> Form:
    options: dict[str, Any] = {"method": "POST", "data": b"".join([*parts, b"--b--\r\n"])}
    with APP.test_request_context(content_type=content_type, **options):
        return read_form(10**6, "audio/transcriptions")


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
    ("name", "text", "sent", "dropped"),
    [
        ("extra_body", b'{"model": "x", "a": 1}', b'{"a":1}', "extra_body.model"),
        ("extra_body", b' [{"a": {"Max_Tokens": 9}}]', b'[{"a":{}}]', "extra_body.a.Max_Tokens"),
        ("options[]", b'{"num_predict": 9}', b"{}", "options.num_predict"),
        ("extra_body[model]", b"x", None, "extra_body.model"),
        ("extra_body[a][Model]", b"x", None, "extra_body.a.Model"),
        ("extra_body.model", b"x", None, "extra_body.model"),
        ("extra_body", b'{"a": 1}', b'{"a": 1}', ""),
        ("extra_body", b"{model: x}", b"{model: x}", ""),
        ("prompt", b'{"model": "x"}', b'{"model": "x"}', ""),
        ("timestamp_granularities[]", b"word", b"word", ""),
    ],
)
def test_disguised_fields(name: str, text: bytes, sent: bytes | None, dropped: str) -> None:
    """Some servers read the JSON in a text, and the members that a name spells, as the body itself."""
    form = read(MODEL, part(f'name="{name}"', text))

    assert form.dropped == ((dropped,) if dropped else ())
    head = b'name="%b"\r\n\r\n' % name.encode()
    assert (head in form.body) == (sent is not None)
    assert sent is None or head + sent + b"\r\n" in form.body


def test_deep_json_in_a_text() -> None:
    with pytest.raises(InvalidRequest, match="nested"):
        read(MODEL, part('name="extra_body"', b'{"a":' * 250 + b"1" + b"}" * 250))


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


def test_files_are_found_in_what_was_written() -> None:
    """Their bytes are those that were sent, wherever they are in the form."""
    image = part('name="image[]"; filename="a.png"', b"\x89PNG\r\n-b", "Content-Type: image/png")
    form = read(image, MODEL, part('name="image[]"; filename="b.png"', b""), AUDIO)

    assert [(file.name, file.content_type, bytes(file.data)) for file in form.files()] == [
        ("image[]", "image/png", b"\x89PNG\r\n-b"),
        ("image[]", "application/octet-stream", b""),
        ("file", "audio/wav", b"RIFF"),
    ]
