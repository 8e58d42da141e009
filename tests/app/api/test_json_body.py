"""JSON values are counted before parsing, and parsing lets other requests run in between."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api import json_body
from app.api.json_body import MAX_LEVELS, SLICE_BYTES, parse, scan
from app.errors import InvalidRequest, NotJson, PayloadTooLarge
from schemas.work_bounds import MAX_STRING_BYTES, MAX_TEXT_BYTES
from tests.support.heartbeat import longest_turn_ratio

MIB = 1024 * 1024
MAX = 1000
MAX_TURN = 1.5  # times the reference work
TEXTS = st.text() | st.text('"\\,[]{}:a') | st.integers(0, 90).map(lambda n: "ab" * n)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=40,
)


def read(data: bytes, max_values: int = MAX) -> Any:
    return parse(data, scan(data, max_values))


def values_in(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(values_in, inner))


@pytest.fixture
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Apply to some bytes what is otherwise done to megabytes."""
    monkeypatch.setattr(json_body, "SLICE_BYTES", 16)
    monkeypatch.setattr(json_body, "CUT_OUT_FROM_BYTES", 0)


@pytest.mark.usefixtures("small_slices")
class TestSlices:
    @given(JSON, st.booleans())
    def test_the_same_value(self, value: Any, ascii_only: bool) -> None:
        data = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
        try:
            expected = orjson.loads(data)
        except orjson.JSONDecodeError:  # a lone surrogate
            return
        found = json_body._scan_slices(data, 10**6)

        assert parse(data, found) == expected
        assert values_in(expected) <= found.values <= 2 * values_in(expected)
        assert not found.in_string

    @given(st.binary() | st.text('{}[]",:\\ab 01\n', max_size=80).map(str.encode))
    def test_invalid_json_is_invalid_in_slices_too(self, data: bytes) -> None:
        """Skipping a part of a body does not make it well-formed, or malformed."""
        try:
            expected = orjson.loads(data)
        except orjson.JSONDecodeError:
            with pytest.raises(NotJson):
                parse(data, json_body._scan_slices(data, 10**6))
        else:
            assert parse(data, json_body._scan_slices(data, 10**6)) == expected

    def test_a_name_that_is_too_long(self) -> None:
        data = orjson.dumps({"a" * 100: 1})

        with pytest.raises(InvalidRequest, match="name is too long"):
            parse(data, json_body._scan_slices(data, MAX))


@pytest.mark.parametrize(
    ("one", "counts"), [(b"1", 1), (b'"a"', 1), (b'"[,{:"', 1), (b"[]", 2), (b'{"a":1}', 2), (b'"\\",[["', 1)]
)
def test_at_most_so_many_values(one: bytes, counts: int) -> None:
    """The array around them, and each; one that opens counts twice."""
    number = (MAX - 2) // counts
    assert len(read(b"[" + b" " * MAX + b",".join([one] * number) + b"]")) == number

    with pytest.raises(InvalidRequest, match=f"more than {MAX} JSON values"):
        read(b"[" + b" " * MAX + b",".join([one] * (number + 2)) + b"]")


@given(JSON | st.recursive(st.just([]), st.lists, max_leaves=200))
def test_a_body_that_is_not_counted_has_few_values(value: Any) -> None:
    """The shortest body with so many values is counted, in whatever way they are arranged."""
    data = json.dumps(value, separators=(",", ":")).encode("utf-8", "surrogatepass")
    counted = json_body._scan_slices(data, 10**6).values

    with pytest.raises(InvalidRequest, match=f"more than {counted - 1} JSON values"):
        scan(data, counted - 1)


def test_a_body_with_one_level_too_many() -> None:
    assert read(b"[" * MAX_LEVELS + b"]" * MAX_LEVELS)
    with pytest.raises(InvalidRequest, match=f"{MAX_LEVELS} levels"):
        read(b"[" * (MAX_LEVELS + 1) + b"]" * (MAX_LEVELS + 1))


@pytest.mark.parametrize("character", [b"\\n", "é".encode()])
def test_at_most_so_much_text(character: bytes) -> None:
    assert scan(b'"' + character * (MAX_TEXT_BYTES // 2 - 1) + b'"', MAX)
    with pytest.raises(PayloadTooLarge, match="32 MiB of text"):
        scan(b'"' + character * (MAX_TEXT_BYTES // 2) + b'"', MAX)


def test_long_data_is_no_text() -> None:
    data = b'["' + b"A" * (MAX_STRING_BYTES - SLICE_BYTES) + b'","' + b"B" * 20 * MIB + b'"]'

    assert list(map(len, read(data))) == [MAX_STRING_BYTES - SLICE_BYTES, 20 * MIB]
    with pytest.raises(PayloadTooLarge, match="One string"):
        scan(b'"' + b"A" * (MAX_STRING_BYTES + 2 * SLICE_BYTES) + b'"', MAX)


@pytest.mark.parametrize(
    "data",
    [
        b'["' + b"A" * 60 * MIB + b'"]',
        b"[" + b",".join([b'"' + b"A" * 200_000 + b'"'] * 300) + b"]",
        b'["' + b"Hello, world\\n" * (30 * MIB // 14) + b'"]',
        b'["' + b'\\"' * (15 * MIB) + b'"]',
        '["{}"]'.format("€" * (10 * MIB)).encode(),
        b"[" + b",".join(b'{"k%06d":1}' % n for n in range(99_000)) + b"]",
        b"{" + b",".join(b'"k%06d":"x%d"' % (n, n) for n in range(190_000)) + b"}",
        b"[" + b"[]," * (10 * MIB) + b"[]]",
        b"[" + b'"",' * (10 * MIB) + b'""]',
    ],
    ids=[
        "image",
        "images",
        "prose",
        "quotes",
        "wide",
        "objects",
        "fields",
        "arrays",
        "texts",
    ],
)
def test_no_body_takes_a_long_turn(data: bytes) -> None:
    def work() -> None:
        with suppress(InvalidRequest):
            read(data, 200_000)

    assert longest_turn_ratio(work, MAX_TURN) <= MAX_TURN


class TestLongStringsThatAreNotAscii:
    """Each character takes up to four bytes, and they are made in one turn."""

    def body(self, *texts: str) -> bytes:
        return orjson.dumps(list(texts))

    def test_at_the_bound(self) -> None:
        held: list[int] = []
        texts = ["\U0001f600" + "A" * (MAX_TEXT_BYTES // 2 - 100) for _ in range(2)]
        data = self.body(*texts, "A" * MIB)

        assert parse(data, scan(data, MAX), held.append)[:2] == texts
        assert MAX_TEXT_BYTES - 200 <= sum(held) <= MAX_TEXT_BYTES

    def test_past_it(self) -> None:
        data = self.body(*["\U0001f600" + "A" * (MAX_TEXT_BYTES // 2)] * 2)

        with pytest.raises(PayloadTooLarge, match="not ASCII"):
            parse(data, scan(data, MAX))
