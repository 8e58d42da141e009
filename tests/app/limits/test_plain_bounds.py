"""Bounds of requests that pass through."""

from __future__ import annotations

from typing import Any

import pytest

from app.limits.bounds import REQUEST_OVERHEAD_TOKENS, compute_image_bounds, compute_passthrough_bounds
from app.limits.prices import load_shipped_prices


def test_a_text_is_bounded_by_its_bytes() -> None:
    bounds = compute_passthrough_bounds("embeddings", {"input": "Hello"}, 400, None)

    assert bounds.upper_bound == {"input_tokens": 400 + REQUEST_OVERHEAD_TOKENS, "output_tokens": 0}
    assert (bounds.estimate["input_tokens"], bounds.estimate["output_tokens"]) == (100, 0)


@pytest.mark.parametrize("endpoint", ["audio/transcriptions", "images/edits"])
def test_an_upload_is_not(endpoint: str) -> None:
    assert compute_passthrough_bounds(endpoint, {}, 400, None).upper_bound == {}


@pytest.mark.parametrize(
    ("body", "maximum"),
    [
        ({"max_tokens": 5}, 5),
        ({"max_tokens": 5, "max_output_tokens": 1, "max_completion_tokens": 1}, 5),
        ({"max_tokens": 5, "n": 3, "best_of": 4}, 20),
        ({"max_tokens": 5, "prompt": ["a", "b"]}, 10),
        ({"max_tokens": 5, "prompt": [1, 2, 3]}, 5),
        ({"max_tokens": 5, "prompt": [[1, 2], [3]]}, 10),
    ],
)
def test_completions(body: dict[str, Any], maximum: int) -> None:
    """Every prompt is answered that many times; one prompt may be given as a list of tokens."""
    assert compute_passthrough_bounds("completions", body, 100, None).upper_bound["output_tokens"] == maximum


def test_completions_without_a_length() -> None:
    """OpenAI's API stops after 16 tokens, other servers do not: only the model's maximum is a bound."""
    priced = compute_passthrough_bounds("completions", {}, 100, load_shipped_prices().find("gpt-4o"))

    assert "output_tokens" not in compute_passthrough_bounds("completions", {}, 100, None).upper_bound
    assert priced.upper_bound["output_tokens"] == 16_384


@pytest.mark.parametrize("n", [3, "3"])
@pytest.mark.parametrize("endpoint", ["images/generations", "images/edits"])
def test_each_image_counts(endpoint: str, n: object) -> None:
    """A form has its numbers as text."""
    price = load_shipped_prices().find("gpt-4o")
    one = compute_passthrough_bounds(endpoint, {}, 100, price).upper_bound["output_tokens"]

    assert compute_passthrough_bounds(endpoint, {"n": n}, 100, price).upper_bound["output_tokens"] == 3 * one


def test_a_number_without_sense_bounds_nothing() -> None:
    body = {"max_tokens": 2**63, "n": 2**63}

    assert "output_tokens" not in compute_passthrough_bounds("completions", body, 100, None).upper_bound


def test_an_image_by_a_model_that_calls_a_tool() -> None:
    """The calling model may reason, and nothing bounds the input that the results of its tool add."""
    price = load_shipped_prices().find("gpt-4o")
    bounds = compute_image_bounds("images/generations", {"n": 2}, 100, price, tool_output=1000)

    assert bounds.upper_bound["output_tokens"] == 2 * 16_384
    assert bounds.unenforced == {"output_tokens": 2 * (16_384 + 1000)}
    assert compute_image_bounds("images/edits", {}, 100, None, tool_output=1000).unenforced == {}
