"""A second response has to begin with the text of the first."""

from __future__ import annotations

import pytest

from app.translation.resume.prefix_match import PrefixMatcher


@pytest.mark.parametrize("pieces", [["hello world"], ["hel", "lo", " world"], list("hello world")])
def test_the_rest_is_returned_once(pieces: list[str]) -> None:
    matcher = PrefixMatcher("hello")

    assert "".join(matcher.remove_prefix(piece) for piece in pieces) == " world"
    assert matcher.matched


def test_a_shorter_text_is_not_matched() -> None:
    matcher = PrefixMatcher("hello")

    assert matcher.remove_prefix("hel") == ""
    assert not matcher.matched


def test_another_text_is_refused() -> None:
    matcher = PrefixMatcher("hello")
    matcher.remove_prefix("he")

    with pytest.raises(ValueError, match="differs"):
        matcher.remove_prefix("y")


def test_no_text_matches_everything() -> None:
    assert PrefixMatcher("").matched
