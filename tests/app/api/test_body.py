"""Bodies are read within their limits, in every encoding."""

from __future__ import annotations

import gzip
import zlib
from io import BytesIO
from typing import Any

import pytest
import zstandard
from flask import Flask, g
from hypothesis import given
from hypothesis import strategies as st

from app.api import body
from app.api.body import check_size, read_bytes, read_json
from app.api.json_body import MAX_LEVELS as MAX_LEVELS
from app.errors import InvalidRequest, PayloadTooLarge
from tests.support.heartbeat import counted_turns

app = Flask(__name__)
LIMIT = 1000
BODY = b'{"model": "m"}'


def encoding_of(value: Any) -> str:
    """Name a case; what packers write holds the time of day, which test processes do not share."""
    return value if isinstance(value, str) else "data"


class Grown:
    """Stands in for the request scope, which reserves memory that the headers did not announce."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def grow(self, size: int) -> None:
        self.sizes.append(size)

    hold = grow


def read(data: bytes, encoding: str = "") -> Any:
    headers = {"Content-Encoding": encoding} if encoding else {}
    with app.test_request_context(method="POST", data=data, headers=headers):
        g.scope = Grown()
        check_size(LIMIT)
        return read_json(LIMIT)


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("", BODY),
        ("identity", BODY),
        ("gzip", gzip.compress(BODY, mtime=0)),
        (" GZIP ,", gzip.compress(BODY, mtime=0)),
        ("deflate", zlib.compress(BODY)),
        ("zstd", zstandard.compress(BODY)),
        ("zstd", zstandard.compress(BODY[:5]) + zstandard.compress(BODY[5:])),
        ("identity, gzip, identity", gzip.compress(BODY, mtime=0)),
    ],
    ids=encoding_of,
)
def test_compressed_bodies_are_decompressed(encoding: str, data: bytes) -> None:
    assert read(data, encoding) == ({"model": "m"}, len(BODY))


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, zstandard.compress])
def test_bodies_that_decompress_to_more_than_the_limit(pack: Any) -> None:
    encoding = {gzip.compress: "gzip", zlib.compress: "deflate"}.get(pack, "zstd")

    assert read(pack(BODY + b" " * (LIMIT - len(BODY))), encoding)[1] == LIMIT
    with pytest.raises(PayloadTooLarge):
        read(pack(BODY + b" " * LIMIT), encoding)


@pytest.mark.parametrize("data", [b" " * (LIMIT + 1), BODY.ljust(LIMIT + 1)])
def test_what_comes_too_large(data: bytes) -> None:
    with pytest.raises(PayloadTooLarge):
        read(data)


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("gzip", BODY),
        ("gzip", gzip.compress(BODY, mtime=0)[:-3]),
        ("gzip", gzip.compress(BODY, mtime=0) + b"more"),
        ("gzip", gzip.compress(BODY, mtime=0) + gzip.compress(b" ", mtime=0)),
        ("deflate", zlib.compress(BODY)[:-6]),
        ("zstd", BODY),
        ("zstd", zstandard.compress(BODY)[:-3]),
        ("zstd", zstandard.compress(BODY) + b"more"),
        ("br", BODY),
    ],
    ids=encoding_of,
)
def test_a_body_not_compressed_as_declared(encoding: str, data: bytes) -> None:
    with pytest.raises(InvalidRequest) as error:
        read(data, encoding)

    assert error.value.status == 400
    assert error.value.param is None


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"1", b"null", b'"{}"', b"{", b'{"a": NaN}', b"\xff", b'{"a": "\\ud800"}']
)
def test_what_is_no_json_object(data: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read(data)


@pytest.mark.parametrize("names", ["gzip, gzip", "zstd, gzip", "gzip, identity, deflate", "gzip," * 500])
def test_more_than_one_encoding(names: str) -> None:
    """Each layer may hold thousands of times what was uploaded, and costs as much work."""
    with pytest.raises(InvalidRequest, match="Content-Encoding may name one encoding"):
        read(gzip.compress(gzip.compress(BODY)), names)


@given(st.binary(max_size=300), st.sampled_from([gzip.compress, zlib.compress, zstandard.compress]))
def test_in_pieces_of_any_size(data: bytes, pack: Any) -> None:
    """However small the steps of decompression are, the full content is returned."""
    encoding = {gzip.compress: "gzip", zlib.compress: "deflate"}.get(pack, "zstd")
    with (
        pytest.MonkeyPatch.context() as patched,
        app.test_request_context(method="POST", data=pack(data), headers={"Content-Encoding": encoding}),
    ):
        patched.setattr(body, "PIECE_BYTES", 7)
        g.scope = Grown()
        assert read_bytes(LIMIT) == data


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, zstandard.compress])
def test_decompression_yields(pack: Any) -> None:
    """Another greenlet runs at every second piece at least."""
    encoding = {gzip.compress: "gzip", zlib.compress: "deflate"}.get(pack, "zstd")
    many = 32 * 1024 * 1024
    packed, headers = pack(bytes(many)), {"Content-Encoding": encoding}
    with counted_turns() as turns, app.test_request_context(method="POST", data=packed, headers=headers):
        g.scope = Grown()
        assert len(read_bytes(many)) == many

    assert turns() >= many // body.PIECE_BYTES // 2


@pytest.mark.parametrize("frame", [zstandard.compress(b""), b"\x50\x2a\x4d\x18\x00\x00\x00\x00"])
def test_frames_without_content_yield(frame: bytes) -> None:
    """A body of megabytes may decompress to nothing, and must let other greenlets run."""
    data = frame * (4 * 1024 * 1024 // len(frame))
    headers = {"Content-Encoding": "zstd"}
    with counted_turns() as turns, app.test_request_context(method="POST", data=data, headers=headers):
        g.scope = Grown()
        assert read_bytes(len(data)) == b""

    assert turns() >= len(data) // body.SLICE_BYTES // 2


def nested(levels: int) -> bytes:
    return b'{"a":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


def test_what_is_nested_too_deeply() -> None:
    assert read(nested(MAX_LEVELS))
    with pytest.raises(InvalidRequest, match="200 levels"):
        read(nested(MAX_LEVELS + 1))


def test_what_breaks_off() -> None:
    environ = {"wsgi.input_terminated": True, "CONTENT_LENGTH": "500"}  # as under gunicorn
    arriving = app.test_request_context(method="POST", input_stream=BytesIO(BODY), environ_overrides=environ)

    with arriving, pytest.raises(InvalidRequest, match="shorter"):
        read_json(LIMIT)


def test_memory_that_the_headers_do_not_announce() -> None:
    """A body in chunks takes it as it arrives, a packed one for what it becomes."""
    packed = gzip.compress(BODY * 20 + b" ", mtime=0)
    environ = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    headers = {"Content-Encoding": "gzip"}
    arriving = app.test_request_context(
        method="POST", input_stream=BytesIO(packed), environ_overrides=environ, headers=headers
    )

    with arriving:
        g.scope = Grown()
        assert len(read_bytes(LIMIT)) == len(BODY) * 20 + 1

        assert sum(g.scope.sizes) == len(BODY) * 20 + 1
        assert g.scope.sizes[0] == len(packed)
