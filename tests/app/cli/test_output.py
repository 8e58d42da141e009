"""Tables are aligned, and texts of upstreams cannot control a terminal."""

from __future__ import annotations

import pytest

from app.cli.output import table
from app.formatting import moment


def test_words_to_the_left_and_numbers_to_the_right():
    assert table(("NAME", "N", "LAST"), [("a", 5, "x"), ("longer", 1000, "yy")]).splitlines() == [
        "NAME       N  LAST",
        "a          5  x",
        "longer  1000  yy",
    ]


def test_an_empty_cell():
    """`awk` can separate the columns."""
    assert table(("A", "B"), [("", "x")]).splitlines() == ["A  B", "-  x"]


def test_control_characters():
    assert table(("A",), [("\x1b[2J\nb",)]).splitlines() == ["A", "?[2J?b"]


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "1970-01-01 00:00Z"), (1798828200.9, "2027-01-01 18:30Z")]
)
def test_moments(seconds, shown):
    assert moment(seconds) == shown
