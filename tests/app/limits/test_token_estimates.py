from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.limits.token_estimates import BY_BYTES, BY_DELTAS, estimate_tokens, max_bytes_for


@given(st.integers(0, 10**9))
def test_what_fits_counts_as_no_more(tokens: int) -> None:
    """A response cut at `max_bytes_for` counts as the allowed tokens; one byte more would exceed them."""
    assert estimate_tokens(max_bytes_for(tokens)) == (tokens, BY_BYTES)
    assert estimate_tokens(max_bytes_for(tokens) + 1) == (tokens + 1, BY_BYTES)


def test_a_stream_of_small_pieces_has_a_token_each() -> None:
    assert estimate_tokens(45, deltas=10) == (10, BY_DELTAS)


def test_large_pieces_are_not_tokens() -> None:
    assert estimate_tokens(400, deltas=10) == (100, BY_BYTES)


def test_nothing_is_nothing() -> None:
    assert estimate_tokens(0, deltas=0) == (0, BY_BYTES)
