"""The probabilities of a text whose beginning is removed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.translation.resume.logprobs import logprobs_after


@given(st.lists(st.text(max_size=3), max_size=5), st.integers(0, 20))
def test_those_of_tokens_after_the_removed_text_are_left(texts: list[str], length: int) -> None:
    entries = [{"token": text, "logprob": -1.0} for text in texts]

    left = logprobs_after(entries, "".join(texts)[:length])

    assert left == entries[len(entries) - len(left) :]
    rest = "".join(texts)[length:]
    assert rest.endswith("".join(entry["token"] for entry in left))
    assert len(rest) - sum(len(entry["token"]) for entry in left) < 3  # of the token that was cut


@pytest.mark.parametrize(("removed", "left"), [("", 3), ("é", 1), ("é!", 0)])
def test_tokens_of_parts_of_a_character(removed: str, left: int) -> None:
    """Their texts are replacements: `bytes` has what they stand for."""
    entries = [
        {"token": "\\xc3", "bytes": [0xC3]},
        {"token": "\\xa9", "bytes": [0xA9]},
        {"token": "!", "bytes": None},
    ]

    assert logprobs_after(entries, removed) == entries[len(entries) - left :]


@pytest.mark.parametrize("entries", [True, "ab", {"token": "a"}, ["ab"], [{}], [{"token": 1, "bytes": 2}]])
def test_entries_that_name_no_tokens(entries: object) -> None:
    """A stream continues whatever its upstream sends as log probabilities."""
    assert logprobs_after(entries, "a") == []
