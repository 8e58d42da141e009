"""Texts in columns: East Asian characters are wide, accents may be characters of their own."""

from __future__ import annotations

import pytest

from app.cli.listing import fitted
from app.cli.output import pairs, table
from app.cli.width import cut, pad, width

ACCENT = "e\N{COMBINING ACUTE ACCENT}"


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("", 0),
        ("ann", 3),
        ("é", 1),
        (ACCENT, 1),
        ("山田", 4),
        ("ｱ", 1),
        ("Ａ", 2),
        ("👩", 2),
        ("שלום", 4),
        ("a\N{ZERO WIDTH JOINER}b", 2),
        ("…", 1),
    ],
)
def test_width(text: str, columns: int):
    assert width(text) == columns


def test_pad():
    assert pad("山", 4) == "山  "
    assert pad("山", 4, to_right=True) == "  山"
    assert pad("山田", 2) == "山田"


@pytest.mark.parametrize(
    ("text", "columns", "shown"),
    [
        ("山田", 4, "山田"),
        ("山田太郎", 5, "山田…"),
        ("山田太郎", 4, "山…"),
        ("annabel", 4, "ann…"),
        (f"{ACCENT}{ACCENT}{ACCENT}", 2, f"{ACCENT}…"),
    ],
)
def test_cut(text: str, columns: int, shown: str):
    """It never takes more columns, also where a wide character leaves one of them empty."""
    assert cut(text, columns) == shown


ROWS = [("山田太郎", "x"), ("ann", "y"), (ACCENT, "z")]


@pytest.mark.parametrize("columns", [None, 80])
def test_columns_begin_at_the_same_place(columns: int | None):
    lines = fitted(("NAME", "TEAM"), ROWS, [], columns).splitlines()

    assert {width(line[:-1]) for line in lines[1:]} == {10}
    assert {width(line[: -len("x")]) for line in table(("NAME", "TEAM"), ROWS).splitlines()[1:]} == {10}


def test_a_table_fits_the_terminal():
    lines = fitted(("NAME", "MODEL"), [("ann", "長" * 60), ("bob", "m" * 60)], [], 30).splitlines()

    assert max(map(width, lines)) == 30


def test_pairs():
    assert pairs([("所有者", "x"), ("Team", "y")]).splitlines() == ["所有者  x", "Team    y"]
