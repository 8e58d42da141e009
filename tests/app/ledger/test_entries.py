"""Stored rows are bounded and can be encoded, whatever their values are."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from app.ledger.entries import bound_row
from schemas.bounds import MAX_COST

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.just("x" * 10_000),
    lambda inner: st.lists(inner, max_size=100) | st.dictionaries(st.text(max_size=9), inner, max_size=9),
    max_leaves=50,
)


@given(st.dictionaries(st.text(max_size=20), anything, max_size=20))
def test_everything_is_bounded(row: dict[str, Any]) -> None:
    bounded = bound_row(row)

    orjson.dumps(bounded, option=orjson.OPT_NON_STR_KEYS)
    _check(bounded)


def test_what_is_right_stays() -> None:
    row = {
        "id": "req_1",
        "cost": 5,
        "attempts": [{"account": "a", "error": None}],
        "source": "upstream",
        "x": -3,
    }
    assert bound_row(row) == row | {"attempts": [{"account": "a"}]}


def _check(value: Any) -> None:
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            _check(inner)
    elif isinstance(value, str):
        assert len(value) <= 256
    else:
        assert -MAX_COST <= value <= MAX_COST
