"""The request fields that limit the length of a response."""

from __future__ import annotations

import pytest

from app.limits.output_lengths import length_bound, requested_lengths, with_length


@pytest.mark.parametrize(
    ("protocol", "body", "lengths"),
    [
        ("chat", {"max_completion_tokens": 5, "max_tokens": 9}, [5, 9]),
        ("chat", {"max_output_tokens": 5}, []),
        ("responses", {"max_output_tokens": 5}, [5]),
        ("completions", {"max_tokens": True}, []),
        ("embeddings", {"max_tokens": 5}, []),
        ("chat", {"max_tokens": 0}, []),
    ],
)
def test_requested_lengths(protocol: str, body: dict[str, object], lengths: list[int]) -> None:
    assert requested_lengths(protocol, body) == lengths
    assert length_bound(protocol, body) == (max(lengths) if lengths else None)


@pytest.mark.parametrize(
    ("protocol", "name", "field"),
    [
        ("chat", None, "max_completion_tokens"),
        ("chat", "max_tokens", "max_tokens"),
        ("responses", None, "max_output_tokens"),
    ],
)
def test_with_length(protocol: str, name: str | None, field: str) -> None:
    assert with_length(protocol, {"model": "m"}, 7, name) == {"model": "m", field: 7}
