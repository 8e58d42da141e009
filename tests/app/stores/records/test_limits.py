"""Limits: their stored form and their text; the scripts have the same units and periods."""

from __future__ import annotations

import re
from importlib import resources

import pytest

from app.stores.records.limits import (
    Limit,
    LimitMode,
    LimitScope,
    LimitStatus,
    LimitUnit,
    Period,
    has_strict_output_limit,
)


def limit(unit: str, per: str, maximum: int, **more: str) -> Limit:
    return Limit.from_json({"id": "l", "what": unit, "per": per, "max": maximum, "mode": "strict"} | more)


def table_in(script: str, name: str) -> set[str]:
    """Return the keys of the Lua table *name*, {key = true, …}."""
    text = (resources.files("app.stores") / "lua" / script).read_text()
    match = re.search(rf"local {name} = \{{([^}}]*)\}}", text)
    assert match
    return set(re.findall(r"(\w+) =", match[1]))


class TestScripts:
    def test_units(self) -> None:
        assert table_in("windows.lua", "UNITS") == set(LimitUnit)

    def test_periods(self) -> None:
        assert table_in("windows.lua", "PERIODS") == set(Period)

    def test_rolling_periods(self) -> None:
        assert table_in("windows.lua", "PERIOD_MS") == {period for period in Period if period.is_rolling}


class TestUnits:
    @pytest.mark.parametrize("unit", LimitUnit)
    def test_every_unit_has_its_nouns(self, unit: LimitUnit) -> None:
        assert unit.is_money == (unit.quantity(5_000_000) == "$5.00")
        assert unit.is_money or unit.traits.singular in unit.quantity(1)

    def test_a_request_counts_one(self) -> None:
        assert {unit for unit in LimitUnit if not unit.traits.bounds} == {
            LimitUnit.REQUESTS,
            LimitUnit.PARALLEL_REQUESTS,
        }


class TestLimit:
    @pytest.mark.parametrize("model", [None, "gpt-5*"])
    def test_stored_form(self, model: str | None) -> None:
        stored = {"id": "l", "what": "cost", "per": "day", "max": 5, "mode": "balanced", "scope": "pool"}
        stored |= {"model": model} if model else {}

        parsed = Limit.from_json(stored)

        assert (parsed.unit, parsed.mode, parsed.scope) == (
            LimitUnit.COST,
            LimitMode.BALANCED,
            LimitScope.POOL,
        )
        assert parsed.to_json() == stored
        assert list(parsed.to_json()) == list(stored)

    def test_a_large_number_of_a_script(self) -> None:
        """The scripts write 1e13 as a float."""
        stored = {"id": "l", "what": "requests", "per": "ever", "max": 1e13, "mode": "strict"}

        assert repr(Limit.from_json(stored).max) == "10000000000000"

    @pytest.mark.parametrize(
        ("of", "text"),
        [
            (limit("cost", "month", 5_000_000), "$5.00 per month"),
            (limit("requests", "minute", 1), "1 request per minute"),
            (limit("total_tokens", "ever", 10**6), "1,000,000 tokens in total"),
            (limit("parallel_requests", "none", 20), "20 parallel requests"),
            (limit("output_tokens", "day", 9, model="m*"), "9 output tokens per day for m*"),
        ],
    )
    def test_label(self, of: Limit, text: str) -> None:
        assert of.label == text

    @pytest.mark.parametrize(
        ("of", "counts"),
        [
            (limit("output_tokens", "day", 9), True),
            (limit("cost", "day", 9), True),
            (limit("input_tokens", "day", 9), False),
            (limit("output_tokens", "day", 9, mode="balanced"), False),
        ],
    )
    def test_strict_output_limit(self, of: Limit, counts: bool) -> None:
        assert has_strict_output_limit([of]) is counts


class TestStatus:
    def test_remaining(self) -> None:
        status = LimitStatus(limit("requests", "day", 100), settled=60, held=15, resets_at=None)

        assert (status.remaining, status.used_percent) == (25, 75.0)

    def test_exceeded(self) -> None:
        """A balanced limit may be exceeded; then nothing remains."""
        assert LimitStatus(limit("requests", "day", 100), 120, 0, None).remaining == 0
