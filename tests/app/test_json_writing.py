"""Large JSON, written in pieces: the same as in one go, and never for long without a break."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import json_writing
from app.json_writing import PIECE_CHARS, SINGLE_PIECE_BYTES, write_json
from tests.support.heartbeat import longest_turn_ratio

MIB = 1024 * 1024
MAX_TURN = 0.5  # times the reference work

texts = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
)


@given(value=values, piece=st.integers(1, 60))
def test_pieces_equal_a_single_write(value: Any, piece: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_writing, "PIECE_CHARS", piece)
        pieces = write_json(value, SINGLE_PIECE_BYTES + 1)
        in_order = write_json(value, SINGLE_PIECE_BYTES + 1, sort_keys=True)

    assert orjson.loads(b"".join(pieces)) == orjson.loads(orjson.dumps(value))
    assert b"".join(pieces) == orjson.dumps(value)
    assert b"".join(in_order) == orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def test_a_small_value_is_one_piece() -> None:
    assert write_json({"a": 1}, SINGLE_PIECE_BYTES) == [b'{"a":1}']


@pytest.mark.parametrize(
    "value",
    [
        {"a": "x" * 60 * MIB, "b": ["y" * 60 * MIB]},
        {"a": "\U0001f600" * 8 * MIB},
        {"a": "\x01\n" * 8 * MIB},
        [{"role": "user", "content": "слово " * 160} for _ in range(20_000)],
        {str(number): number for number in range(200_000)},
    ],
    ids=["two long", "four bytes a character", "escapes", "many", "fields"],
)
def test_no_turn_is_long(value: Any) -> None:
    pieces: list[bytes] = []

    def work() -> None:
        pieces[:] = write_json(value, 120 * MIB)

    assert longest_turn_ratio(work, MAX_TURN) <= MAX_TURN
    assert max(map(len, pieces)) <= 6 * PIECE_CHARS + 1000
