"""JSON that a strict parser refuses is read, and can be encoded again."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from app.streaming.lenient_json import (
    COUNTED_AT_ONCE_BYTES,
    MAX_CONTAINERS,
    MAX_LENIENT_BYTES,
    MAX_LENIENT_VALUES,
    MAX_LEVELS,
    MAX_MEMBERS,
    MAX_SEPARATORS,
    loads,
    loads_and_compare,
)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'"a\\ud83d"', "a\ufffd"),
        (b'"a\nb"', "a\nb"),
        (b"NaN", None),
        (b"-Infinity", None),
        (b"1e999", None),
        (b'"\xff"', "\ufffd"),
    ],
)
def test_lenient(data: bytes, value: Any) -> None:
    assert loads_and_compare(data) == (value, False)
    orjson.dumps(loads(data))


def test_strict_json_is_reported_as_such() -> None:
    assert loads_and_compare(b'{"a":[1,2.5,null]}') == ({"a": [1, 2.5, None]}, True)


@pytest.mark.parametrize("data", [b"", b"{", b"nonsense", b'{"a":}'])
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        loads(data)


@pytest.mark.parametrize("levels", [MAX_LEVELS + 2, 100_000])
def test_deep_nesting_is_refused(levels: int) -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        loads(b"[" * levels + b" " * 2 * MAX_LEVELS + b"]" * levels)


def _listing(value: bytes, count: int) -> bytes:
    return b"[" + b",".join([value] * count) + b"]"


@pytest.mark.parametrize(
    ("value", "count"),
    [(b"[]", MAX_CONTAINERS - 1), (b'"' + b"a" * 1000 + b'"', 20_000), (b"0.5", 2_000_000)],
)
def test_large_json_is_parsed(value: bytes, count: int) -> None:
    assert len(loads(_listing(value, count))) == count


def test_objects_with_more_members_than_any_response_has_are_refused() -> None:
    members = b",".join(b'"%d":1' % number for number in range(MAX_MEMBERS + 1))
    with pytest.raises(ValueError, match="too many values"):
        loads(b"{%b}" % members)


@pytest.mark.parametrize(("value", "count"), [(b"[]", MAX_CONTAINERS), (b"0", MAX_SEPARATORS + 2)])
def test_json_that_would_delay_other_requests_is_refused(value: bytes, count: int) -> None:
    with pytest.raises(ValueError, match="too many values"):
        loads(_listing(value, count))


@pytest.mark.parametrize(
    "data", [_listing(b"NaN", MAX_LENIENT_VALUES + 1), b'"\xff' + b" " * MAX_LENIENT_BYTES + b'"']
)
def test_only_small_json_is_parsed_leniently(data: bytes) -> None:
    with pytest.raises(ValueError, match="too large"):
        loads(data)


def test_pauses() -> None:
    """Other requests run while large data is counted, and before its depth is checked."""
    pauses: list[None] = []
    data = b'"' + b"a" * (2 * COUNTED_AT_ONCE_BYTES) + b'"'

    assert loads_and_compare(data, lambda: pauses.append(None)) == ("a" * (len(data) - 2), True)
    assert len(pauses) == 4
    loads_and_compare(b'"a"', lambda: pytest.fail("paused for a few bytes"))
