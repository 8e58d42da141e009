"""Compressed bodies: any members in any pieces, and never a part taken for the whole."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import UpstreamProtocolError
from app.upstream.inflater import MAX_MEMBERS, inflater_for

CONTENTS = st.lists(st.binary(max_size=200), min_size=1, max_size=4)


def inflated(encoding: str, data: bytes, size: int, max_bytes: int = 10_000) -> tuple[bytes, bool, bool]:
    """Return what *data* becomes in pieces of *size*, whether it may end there, and whether it is a bomb."""
    inflater = inflater_for(encoding)
    assert inflater is not None
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    content = b"".join(inflater.inflate(piece, max_bytes) for piece in pieces)
    return content, inflater.is_complete, inflater.is_bomb


@given(CONTENTS, st.integers(1, 50), st.sampled_from([b"", b"\0" * 9, b"rest"]))
def test_members(contents: list[bytes], size: int, rest: bytes) -> None:
    data = b"".join(map(gzip.compress, contents)) + rest

    assert inflated("gzip", data, size) == (b"".join(contents), True, False)


@given(CONTENTS, st.integers(1, 50), st.data())
def test_a_part_of_a_member_is_not_complete(contents: list[bytes], size: int, chance: st.DataObject) -> None:
    """Wherever it is cut: what has arrived is returned."""
    *before, last = map(gzip.compress, contents)
    size_of_part = chance.draw(st.integers(1, len(last) - 1))

    content, is_complete, is_bomb = inflated("x-gzip", b"".join(before) + last[:size_of_part], size)

    assert (is_complete, is_bomb) == (False, False)
    assert b"".join(contents).startswith(content)


@given(st.binary(max_size=200), st.integers(1, 50))
def test_deflate(content: bytes, size: int) -> None:
    data = zlib.compress(content)

    assert inflated("deflate", data, size) == (content, True, False)
    assert not inflated("deflate", data[:-1], size)[1]


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(b"\0" * 20_000),
        gzip.compress(b"\0" * 10_000) + gzip.compress(b"\0"),
        gzip.compress(b"") * (MAX_MEMBERS + 2),
    ],
    ids=["one member", "two members", "many members"],
)
def test_bombs(data: bytes) -> None:
    content, _, is_bomb = inflated("gzip", data, len(data))

    assert is_bomb
    assert len(content) <= 10_000


@pytest.mark.parametrize("encoding", ["", "identity", " Identity "])
def test_none(encoding: str) -> None:
    assert inflater_for(encoding) is None


def test_other_data_and_encodings() -> None:
    with pytest.raises(UpstreamProtocolError, match="could not be decompressed"):
        inflated("gzip", b"data: {}\n\n", 5)
    with pytest.raises(UpstreamProtocolError, match="unknown encoding 'br'"):
        inflater_for("br")
