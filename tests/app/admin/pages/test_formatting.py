from __future__ import annotations

import pytest

from app.admin.pages import formatting
from app.presentation.accounts import NOT_USED_YET


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (None, "–"),
        (0, "0"),
        (7, "7"),
        (0.25, "0.25"),
        (999, "999"),
        (999_600, "1M"),
        (1234, "1.23k"),
        (2.5e6, "2.5M"),
        (3e12, "3T"),
    ],
)
def test_short(number: float | None, expected: str) -> None:
    assert formatting.short(number) == expected


@pytest.mark.parametrize(
    ("micro_dollars", "expected"),
    [
        (None, "–"),
        (0, "$0.00"),
        (5, "<$0.0001"),
        (100, "$0.0001"),
        (1000, "$0.001"),
        (110_000, "$0.11"),
        (523_460, "$0.5235"),
        (999_999, "$1.00"),
        (1_100_000, "$1.10"),
        (1_000_000, "$1.00"),
        (1_234_567_890, "$1,234.57"),
    ],
)
def test_dollars(micro_dollars: int | None, expected: str) -> None:
    assert formatting.dollars(micro_dollars) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, "0 s"), (59, "59 s"), (3600, "1 h"), (18_000, "5 h"), (90_061, "1 d 1 h"), (604_800, "7 d")],
)
def test_span(seconds: float, expected: str) -> None:
    assert formatting.span(seconds).replace("\u202f", " ") == expected


def test_every_state_is_a_word_and_a_shape() -> None:
    assert formatting.FILTERS["state"]("active") == '<span class="state ok">active</span>'
    assert formatting.FILTERS["state"](NOT_USED_YET) == '<span class="state open">not used yet</span>'
    assert formatting.FILTERS["state"]("<b>new_one") == '<span class="state wait">&lt;b&gt;new one</span>'


@pytest.mark.parametrize(
    ("code", "shape"), [(None, "open"), (200, "ok"), (429, "wait"), (499, "off"), (502, "bad"), (599, "bad")]
)
def test_status(code: int | None, shape: str) -> None:
    assert formatting.status(code).shape == shape
