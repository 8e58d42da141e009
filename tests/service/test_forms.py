"""What is checked of a form is what its upstream reads, whichever parser the upstream has."""

from __future__ import annotations

import email.parser
import email.policy
from io import BytesIO
from typing import Any

import pytest
import python_multipart
import requests
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.exceptions import HTTPException
from werkzeug.formparser import MultiPartParser

from app.api import multipart as forms
from app.errors import InvalidRequest
from tests.service.test_common_rules import error_of
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

Part = tuple[str, str | None, str | None, bytes]  # name, filename, content type, data
PATH = "/v1/images/edits"
BOUNDARY = "sent-by-the-caller"


def encoded(*parts: Part) -> bytes:
    lines = b""
    for name, filename, kind, data in parts:
        head = f'Content-Disposition: form-data; name="{name}"'
        head += f'; filename="{filename}"' if filename is not None else ""
        head += f"\r\nContent-Type: {kind}" if kind else ""
        lines += b"--%b\r\n%b\r\n\r\n%b\r\n" % (BOUNDARY.encode(), head.encode(), data)
    return lines + b"--%b--\r\n" % BOUNDARY.encode()


def rewritten(body: bytes) -> forms.Form:
    return forms._Writer("audio/transcriptions").form(body, BOUNDARY.encode())


def by_werkzeug(form: forms.Form) -> list[Part]:
    """Return files behind fields, as werkzeug reads them."""
    boundary = form.content_type.partition("boundary=")[2].encode()
    parser = MultiPartParser(stream_factory=lambda **_: BytesIO())  # nothing that has to be closed
    fields, files = parser.parse(BytesIO(bytes(form.body)), boundary, len(form.body))
    return [(name, None, None, value.encode()) for name, value in fields.items(multi=True)] + [
        (name, file.filename, file.content_type, file.read()) for name, file in files.items(multi=True)
    ]


def by_email(form: forms.Form) -> list[Part]:
    """Return the parts in order, as the standard library's parser of messages reads them."""
    head = f"Content-Type: {form.content_type}\r\n\r\n".encode()
    message: Any = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + bytes(form.body))
    parts = []
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        kind = part["content-type"]
        parts.append((name, part.get_filename(), str(kind) if kind else None, part.get_payload(decode=True)))
    return parts


def send(pool: PoolOfTest, key: str, *parts: Part) -> requests.Response:
    return requests.post(
        pool.gateway.url + PATH,
        data=encoded(*parts),
        headers={
            "Authorization": f"Bearer {key}",
            "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
        },
        timeout=30,
    )


PROMPT: Part = ("prompt", None, None, b"A cat")
MODEL: Part = ("model", None, None, b"cheap")


@pytest.mark.parametrize(
    ("parts", "param"),
    [
        ((MODEL, ("model", None, None, b"dear")), "model"),
        ((("model", None, None, b"dear"), ("model", "cheap", None, b"x")), "model"),
        ((("model", "cheap", None, b"dear"),), "model"),
        ((MODEL, ("model[]", None, None, b"dear")), "model"),
        ((MODEL, (" Model ", None, None, b"dear")), "model"),
        ((MODEL, PROMPT), "prompt"),
        ((MODEL, ("n", None, None, b"1"), ("n", None, None, b"9")), "n"),
        ((("model", None, None, b"\xff"),), "model"),
    ],
)
def test_ambiguous_forms_are_refused_by_name(
    pool: PoolOfTest, upstream: ScriptedUpstream, parts: tuple[Part, ...], param: str
) -> None:
    pool.account("a", upstream.base_url())

    response = send(pool, pool.key(models=("cheap",)), PROMPT, *parts)

    assert (response.status_code, error_of(response)["param"]) == (400, param)
    assert upstream.log() == []


def test_several_files_survive(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    pool.account("a", upstream.base_url())
    upstream.script({"play": "json", "body": {"data": []}}, path="/images/edits")
    large = bytes(range(256)) * 40_000

    images: tuple[Part, ...] = tuple(("image[]", f"{n}.png", "image/png", large) for n in range(3))
    response = send(pool, pool.key(), MODEL, PROMPT, *images)

    assert response.status_code == 200
    (seen,) = upstream.log()
    assert BOUNDARY not in seen.headers["content-type"]
    assert len(large) * 3 < seen.body_bytes < len(large) * 3 + 2000


def by_python_multipart(form: forms.Form) -> list[Part]:
    """Return files behind fields, as the parser of Starlette's servers reads them."""
    fields: list[Part] = []
    files: list[Part] = []

    def on_field(field: Any) -> None:
        fields.append((field.field_name.decode(), None, None, field.value or b""))

    def on_file(file: Any) -> None:
        file.file_object.seek(0)
        files.append(
            (file.field_name.decode(), file.file_name.decode(), file.content_type, file.file_object.read())
        )

    parser = python_multipart.FormParser(
        "multipart/form-data", on_field, on_file, boundary=form.content_type.partition("boundary=")[2]
    )
    parser.write(bytes(form.body))
    parser.finalize()
    parser.close()
    return fields + files


def test_heads_that_parsers_read_differently_are_written_in_one_way() -> None:
    body = encoded(MODEL).replace(b'name="model"', b'name="other"; name="model"; x="; name=third"')

    form = rewritten(body)

    assert (
        [name for name, *_ in by_email(form)] == [name for name, *_ in by_werkzeug(form)] == list(form.fields)
    )


NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=9
)
SAFE_NAMES = NAMES.filter(lambda name: not set(name) & set('"\\\x85') and name.strip() == name)
FIELDS = SAFE_NAMES.filter(lambda name: not set(name) & set("[]"))  # members of objects may be dropped
PARTS = st.lists(
    st.tuples(
        FIELDS.map(lambda name: f"x{name}[]"),
        st.none() | SAFE_NAMES,
        st.just("image/png"),
        st.binary(max_size=300) | st.just(b"\r\n--sent-by-the-caller--x") | st.just(b"x" * 3000),
    ),
    max_size=4,
)


@settings(max_examples=40, deadline=None)
@given(PARTS)
def test_parsers_agree_on_what_was_written(parts: list[Part]) -> None:
    given_parts = [
        (name, filename, kind, data if filename is not None else data.hex().encode())
        for name, filename, kind, data in parts
        if b"--sent" not in data
    ]
    form = rewritten(encoded(*given_parts))

    expected = [(n, f, k if f is not None else None, d) for n, f, k, d in given_parts]
    assert sorted(by_werkzeug(form), key=repr) == sorted(expected, key=repr)
    assert sorted(by_python_multipart(form), key=repr) == sorted(expected, key=repr)
    for name, filename, _, data in expected:
        head = f'name="{name}"' + (f'; filename="{filename}"' if filename is not None else "")
        assert head.encode() in form.body
        assert data in form.body


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_a_form_or_refused(noise: bytes) -> None:
    app = Flask("t")
    body = encoded(MODEL)[:60] + noise
    with app.test_request_context():
        try:
            form = rewritten(body)
        except (InvalidRequest, ValueError, HTTPException):  # what `read_form` answers with 400
            return
    by_werkzeug(form)
