"""Amounts, money and durations read as a person would write them."""

from __future__ import annotations

import pytest

from app import formatting


@pytest.mark.parametrize(
    ("micro_dollars", "text"),
    [
        (0, "$0.00"),
        (5_000_000, "$5.00"),
        (125, "$0.000125"),
        (1_234_567_890_000, "$1,234,567.89"),
        (10, "$0.00001"),
    ],
)
def test_exact_dollars(micro_dollars: int, text: str) -> None:
    assert formatting.exact_dollars(micro_dollars) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.2, "1 s"),
        (59, "59 s"),
        (3600, "1 h"),
        (43_688, "12 h 8 min"),
        (90_061, "1 d 1 h"),
        (-3, "0 s"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert formatting.duration(seconds) == text


@pytest.mark.parametrize(
    ("number", "nouns", "text"),
    [
        (0, ("key",), "0 keys"),
        (1, ("key",), "1 key"),
        (1234, ("key",), "1,234 keys"),
        (2, ("entry", "entries"), "2 entries"),
    ],
)
def test_a_number_with_its_noun(number, nouns, text):
    assert formatting.counted(number, *nouns) == text


def test_natural_order() -> None:
    names = ["key-10", "key-2", "Key-1", "key", "²", "9" * 5000]

    assert sorted(names, key=formatting.natural) == ["9" * 5000, "key", "Key-1", "key-2", "key-10", "²"]
