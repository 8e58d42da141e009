from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import InvalidRequest
from app.limits.limit_syntax import (
    MAX_AMOUNT,
    MAX_ROLLING,
    PERIODS,
    UNITS,
    format_limit,
    parse_limit,
    readable_limit,
)
from app.stores.records.limits import Limit


def parsed(text: str, **options: Any) -> dict[str, Any]:
    """Return the stored form of what *text* describes, without its id and scope."""
    limit = parse_limit(text, **options).to_json()
    assert limit.pop("id").startswith("lim_")
    assert limit.pop("scope") == "key"
    return limit


class TestParse:
    @pytest.mark.parametrize(
        ("text", "what", "per", "maximum"),
        [
            ("1000000 total_tokens/day", "total_tokens", "day", 1_000_000),
            ("1000000 tokens/day", "total_tokens", "day", 1_000_000),
            ("10 requests/minute", "requests", "minute", 10),
            ("5 usd/month", "cost", "month", 5_000_000),
            ("5.50 cost/month", "cost", "month", 5_500_000),
            ("0.000001 usd/ever", "cost", "ever", 1),
            ("20 parallel_requests", "parallel_requests", "none", 20),
            ("100000 output_tokens/ever", "output_tokens", "ever", 100_000),
            ("  3   requests / second ", "requests", "second", 3),
            ("1e6 input_tokens/week", "input_tokens", "week", 1_000_000),
        ],
    )
    def test_words(self, text: str, what: str, per: str, maximum: int) -> None:
        assert parsed(text) == {"what": what, "per": per, "max": maximum, "mode": "strict"}

    def test_suffixes(self) -> None:
        """A model pattern and a mode in the text have priority over the arguments."""
        assert parsed("5 usd/day for gpt-5* balanced", model="o3", mode="strict") == {
            "what": "cost",
            "per": "day",
            "max": 5_000_000,
            "mode": "balanced",
            "model": "gpt-5*",
        }

    def test_given_alongside(self) -> None:
        limit = parsed("5 usd/day", model="o3", mode="balanced")

        assert (limit["model"], limit["mode"]) == ("o3", "balanced")

    def test_ids_differ(self) -> None:
        assert parse_limit("1 requests/day").id != parse_limit("1 requests/day").id

    @pytest.mark.parametrize(
        ("text", "about"),
        [
            ("", "is not a limit"),
            ("lots", "is not a limit"),
            ("-1 requests/day", "above zero"),
            ("0 requests/day", "above zero"),
            ("1e-99 usd/day", "too fine"),
            ("nan requests/day", "not a number"),
            ("inf requests/day", "not a number"),
            ("1.5 requests/day", "whole numbers"),
            ("0.0000001 usd/day", "six decimals"),
            (f"{MAX_AMOUNT + 1} total_tokens/day", "not a limit"),
            (f"{MAX_AMOUNT + 1} usd/day", r"more than \$10,000,000.00 is not a limit"),
            ("9e99 requests/day", "not a limit"),
            ("9e999999 requests/day", "not a number"),
            ("1_0 requests/day", "not a number"),
            (f"{MAX_ROLLING + 1} requests/minute", "not a limit"),
            ("ten requests/day", "not a number"),
            ("1 apples/day", "cannot be limited"),
            ("1 requests/fortnight", "not a period"),
            ("1 requests", "period is missing"),
            ("1 parallel_requests/day", "leave out"),
        ],
    )
    def test_refused(self, text: str, about: str) -> None:
        with pytest.raises(InvalidRequest, match=about) as caught:
            parse_limit(text)

        assert caught.value.param == "limit"

    def test_unknown_mode(self) -> None:
        with pytest.raises(InvalidRequest, match="strict or balanced"):
            parse_limit("1 requests/day", mode="lax")


@given(
    st.sampled_from(sorted(set(UNITS.values()) - {"parallel_requests"})),
    st.sampled_from(PERIODS),
    st.integers(1, MAX_ROLLING),
    st.sampled_from(["strict", "balanced"]),
    st.sampled_from([None, "gpt-5*", "o3"]),
)
def test_format_is_the_inverse(what: str, per: str, maximum: int, mode: str, model: str | None) -> None:
    limit = {"what": what, "per": per, "max": maximum, "mode": mode} | ({"model": model} if model else {})

    for write in (format_limit, readable_limit):
        assert parsed(write(Limit.from_json({"id": "lim_1"} | limit))) == limit


@pytest.mark.parametrize("amount", ["1,00", "1,0000", ",100", "1000,000", "1,000,", "1,000.5,000"])
def test_separators_elsewhere(amount: str) -> None:
    """A decimal comma must not become a separator of thousands."""
    with pytest.raises(InvalidRequest, match="is not a number"):
        parse_limit(f"{amount} total_tokens/day")
