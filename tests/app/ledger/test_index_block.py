"""A block of the index finds what a comparison of its rows finds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ledger.index_block import (
    COST,
    COUNT,
    DURATION,
    IDS,
    at_least,
    decode_positions,
    encode_block,
    encode_numbers,
    equal_to,
    field_name,
    positions_in,
    read_ids,
)
from app.stores.records.ledger import LedgerEntry

NUMBERS = st.lists(st.integers(0, 2**40), min_size=1, max_size=70)


def entry(number: int, **more: Any) -> LedgerEntry:
    row = {"id": f"req_{number}", "key": "k", "account": "a", "model": "m", "status": 200, **more}
    return LedgerEntry(f"{1000 + number}-{number % 3}", row)


def positions(fields: dict[bytes, bytes], *term: str) -> list[int]:
    return sorted(positions_in(decode_positions(fields.get(field_name((term[0], term[1]))))))


@given(NUMBERS, st.integers(0, 2**41))
def test_numbers(numbers: list[int], number: int) -> None:
    column = encode_numbers(numbers)

    for limit in (number, numbers[0]):
        found = list(positions_in(at_least(column, len(numbers), limit)))
        assert found == [place for place, each in reversed(list(enumerate(numbers))) if each >= limit]
        equal = list(positions_in(equal_to(column, len(numbers), [limit, numbers[-1]])))
        assert equal == [
            place for place, each in reversed(list(enumerate(numbers))) if each in (limit, numbers[-1])
        ]


@pytest.mark.parametrize("rare", [0, 1, 7, 40, 99, 100])
def test_sets_of_any_size(rare: int) -> None:
    """Small sets are stored as lists, large ones as bitmaps: at most a bit for each entry."""
    fields = encode_block([entry(n, team="red" if n < rare else "blue") for n in range(100)])

    assert positions(fields, "team", "red") == list(range(rare))
    assert positions(fields, "team", "blue") == list(range(rare, 100))
    assert all(len(value) <= 1 + 13 for name, value in fields.items() if len(name) == 8)


def test_terms() -> None:
    fields = encode_block(
        [
            entry(0, attempts=[{"account": "b"}, {"account": "a"}], status=503, error="upstream_failed"),
            entry(1, source="cache", labels={"env": "prod"}, owner="ann", asked="alias"),
        ]
    )

    for term, found in {
        ("key", "k"): [0, 1],
        ("account", "b"): [],
        ("tried", "b"): [0],
        ("tried", "a"): [0, 1],
        ("status", "failed"): [0],
        ("status", "5xx"): [0],
        ("status", "503"): [0],
        ("status", "ok"): [1],
        ("error", "upstream_failed"): [0],
        ("retried", "True"): [0],
        ("cached", "True"): [1],
        ("label", "env"): [1],
        ("label", "env\0prod"): [1],
        ("owner", "ann"): [1],
        ("requested", "m"): [0],
        ("requested", "alias"): [1],
        ("model", "m"): [0, 1],
        ("owner", "nobody"): [],
    }.items():
        assert positions(fields, *term) == found, term


def test_ids_and_figures() -> None:
    """Unknown figures, and those of corrections, count as zero; a row without any field is no error."""
    rows = [
        entry(0, total_ms=5, cost=2**40),
        entry(1, cost=-7, total_ms=None),
        LedgerEntry("99999999999999-0", {}),
    ]
    fields = encode_block(rows)

    assert fields[COUNT] == b"3"
    assert list(read_ids(fields[IDS], range(3))) == [row.position for row in rows]
    assert at_least(fields[DURATION], 3, 5) == at_least(fields[COST], 3, 1) == 1
