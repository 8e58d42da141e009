"""The tokens and the cost of a request in words."""

from __future__ import annotations

import pytest

from app.presentation.request_usage import cost_text, tokens_text


@pytest.mark.parametrize(
    ("usage", "text"),
    [
        ({"cost": 1_657_000}, "$1.66"),
        ({"cost": 0}, "$0.00"),  # of a free model
        ({"cost": 1_657_000, "waste_cost": 400_000}, "$1.66, of which $0.40 for failed attempts"),
        ({"ceiling_cost": 12, "price": "none"}, "no price"),
    ],
)
def test_cost(usage: dict[str, int], text: str) -> None:
    assert cost_text(usage) == text


@pytest.mark.parametrize(
    ("usage", "text"),
    [
        (
            {"input_tokens": 1200, "output_tokens": 3, "source": "upstream"},
            "1,200 in, 3 out; counted by the upstream",
        ),
        ({"source": "cache"}, "0 in, 0 out; from the response cache"),
        (
            {"output_tokens": 3, "reasoning_tokens": 2, "source": "estimated"},
            "0 in, 3 out (2 reasoning); estimated",
        ),
    ],
)
def test_tokens(usage: dict[str, int], text: str) -> None:
    assert tokens_text(usage) == text
