from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.limits.prices import CEILING, PriceTable, Rates, ceiling_cost, load_shipped_prices
from app.streaming.usage import Usage

TABLE = load_shipped_prices()


def used(tokens_in: int, tokens_out: int, **details: int) -> Usage:
    return Usage(tokens_in, tokens_out, tokens_in + tokens_out, **details)


def cost(table: PriceTable, usage: Usage, model: str, tier: str | None = None) -> int:
    price = table.find(model)
    assert price is not None
    return price.cost(usage, tier)


class TestCost:
    @pytest.mark.parametrize(
        ("model", "usage", "tier", "micro_dollars"),
        [
            ("gpt-4o", used(1_000_000, 1_000_000), None, 12_500_000),
            ("gpt-4o", used(1_000_000, 0, cached_tokens=400_000), None, 2_000_000),
            ("gpt-4o", used(1, 0), None, 3),  # 2.5 micro-dollars
            ("gpt-4o", used(1, 1), None, 13),  # 12.5: rounded once, not per kind
            ("gpt-4o", used(0, 0), None, 0),
            ("gpt-4.1", used(1000, 100), "default", 2800),
            ("gpt-4.1", used(1000, 100), "priority", 4900),
            ("gpt-4.1", used(1000, 100), "flex", 2800),  # not sold as flex
            ("gpt-5", used(1000, 100), "flex", 1125),
            ("gpt-5", used(1000, 100, reasoning_tokens=90), None, 2250),  # reasoning is in the output
            ("o3", used(1000, 100), "an unheard-of tier", 2800),
            ("gpt-5.4", used(272_000, 1000), None, 695_000),
            ("gpt-5.4", used(272_001, 1000), None, 1_382_505),  # all tokens, not those above the threshold
            ("gpt-6-astra", used(1000, 0, cache_write_tokens=400), None, 11_000),
            ("gpt-audio", used(1000, 1000, audio_input_tokens=600, audio_output_tokens=1000), None, 84_200),
            ("gpt-audio", used(10, 0, cached_tokens=30), None, 25),  # details that cannot be
        ],
    )
    def test_micro_dollars(self, model: str, usage: Usage, tier: str | None, micro_dollars: int) -> None:
        assert cost(TABLE, usage, model, tier) == micro_dollars

    @pytest.mark.parametrize("tier", [None, "priority"])
    def test_its_sides_add_up(self, tier: str | None) -> None:
        usage = Usage(1001, 99, 1100, cached_tokens=500, audio_output_tokens=7)
        price = load_shipped_prices().find("gpt-4.1")
        assert price is not None

        into, out = price.split_cost(usage, tier)

        assert into + out == price.cost(usage, tier)
        assert into == price.cost(Usage(1001, 0, 1001, cached_tokens=500), tier)

    @given(
        tokens=st.tuples(st.integers(0, 100), st.integers(0, 100)),
        parts=st.tuples(*[st.integers(0, 10**12)] * 4),
        rates=st.tuples(*[st.integers(0, 10**11)] * 6),
    )
    def test_details_never_exceed_the_price_of_the_totals(
        self, tokens: tuple[int, int], parts: tuple[int, ...], rates: tuple[int, ...]
    ) -> None:
        names = ("cached_tokens", "cache_write_tokens", "audio_input_tokens", "audio_output_tokens")
        each = Rates(*rates)

        cost = each.cost(used(*tokens, **dict(zip(names, parts, strict=True))))

        assert 0 <= cost <= tokens[0] * each.max_input + tokens[1] * each.max_output

    @pytest.mark.parametrize(
        ("details", "cost"),
        [
            ({"cached_tokens": 80, "audio_input_tokens": 50}, 50 * 9 + 50 * 1),  # 30 are both
            ({"cached_tokens": 80, "audio_input_tokens": 20}, 80 * 1 + 20 * 9),
            ({"cache_write_tokens": 10**12}, 100 * 3),
        ],
    )
    def test_details_that_overlap(self, details: dict[str, int], cost: int) -> None:
        rates = Rates(input=2, output=4, cached_input=1, cache_write=3, audio_input=9, audio_output=9)

        assert rates.cost(used(100, 0, **details)) == cost

    def test_unknown_model(self) -> None:
        """A missing price is not a price of zero."""
        assert TABLE.find("llama-9") is None
        assert ceiling_cost(used(10, 10)) == 600

    @given(
        st.sampled_from(sorted(TABLE.rows())),
        st.sampled_from([None, "auto", "default", "flex", "priority", "scale"]),
        st.tuples(st.integers(0, 600_000), st.integers(0, 200_000)),
        st.lists(st.integers(0, 100), min_size=4, max_size=4),
        st.sampled_from(["default", "flex", "priority"]),
    )
    def test_most_is_a_bound(
        self, model: str, requested_tier: str | None, tokens: tuple[int, int], shares: list[int], billed: str
    ) -> None:
        """It is a bound for any kind of tokens, and for any tier if the request names none."""
        if requested_tier == "default" and billed == "priority":
            billed = "default"
        if requested_tier == "flex" and billed == "priority":
            billed = "flex"
        tokens_in, tokens_out = tokens
        part = tokens_in // 4
        usage = used(
            tokens_in,
            tokens_out,
            cached_tokens=part * shares[0] // 100,
            cache_write_tokens=part * shares[1] // 100,
            audio_input_tokens=part * shares[2] // 100,
            audio_output_tokens=tokens_out * shares[3] // 100,
        )
        price = TABLE.find(model)
        assert price is not None

        assert price.cost(usage, billed) <= price.max_cost(tokens_in, tokens_out, requested_tier)


class TestFind:
    def test_dated_name(self) -> None:
        """A snapshot costs what its family does, unless it has a row of its own."""
        assert TABLE.find("gpt-4.1-2025-04-14") == TABLE.find("gpt-4.1")
        assert TABLE.find("gpt-4o-2024-11-20") == TABLE.find("gpt-4o")
        assert TABLE.find("gpt-4o-2024-05-13") != TABLE.find("gpt-4o")

    @pytest.mark.parametrize("name", ["", "ft:gpt-4o-2024-08-06:org::id", "gpt-4o-2024"])
    def test_near_names(self, name: str) -> None:
        """Other similar names have no price: a fine-tuned model is more expensive than its family."""
        assert TABLE.find(name) is None

    @pytest.mark.parametrize("name", ["GPT-4o", "Gpt-4O-2024-11-20"])
    def test_other_letter_case(self, name: str) -> None:
        """Many upstreams make no difference, and bill the same."""
        assert TABLE.find(name) == TABLE.find("gpt-4o")
        own = TABLE.with_overrides({"GPT-4o": {"standard": {"input": 7, "output": 9}}}, "pool-3")
        assert cost(own, used(1_000_000, 1_000_000), name) == 16

    def test_own_rows_cover(self) -> None:
        own = TABLE.with_overrides(
            {
                "gpt-4o": {"standard": {"input": 7, "output": 9}},
                "llama": {"standard": {"input": 0, "output": 0}},
            },
            "pool-3",
        )

        assert cost(own, used(1_000_000, 1_000_000), "gpt-4o-2024-11-20") == 16
        assert cost(own, used(5, 5), "llama") == 0
        price, untouched = own.find("gpt-4o"), own.find("o3")
        assert price is not None
        assert untouched is not None
        assert (price.version, untouched.version) == ("pool-3", TABLE.rows()["o3"]["version"])

    def test_invented_names_are_not_stored_for_ever(self) -> None:
        table = PriceTable({}, "1")
        for n in range(5000):
            table.find(f"model-{n}")

        assert len(table._known) <= 1001


class TestData:
    @pytest.mark.parametrize("model", sorted(TABLE.rows()))
    def test_row(self, model: str) -> None:
        """Every row has integers, a source and a date, and no price is below cost."""
        row = TABLE.rows()[model]
        standard = row["standard"]

        assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", row["date"])
        assert row["source"]
        assert all(
            isinstance(rate, int)
            for tier in ("standard", "flex", "priority")
            for rate in row.get(tier, {}).values()
        )
        assert standard.get("cached_input", 0) <= standard["input"] <= standard["output"]
        assert (
            row.get("flex", standard)["input"] <= standard["input"] <= row.get("priority", standard)["input"]
        )
        assert 0 < row["max_output"] <= row["context"]

    @pytest.mark.parametrize("model", ["gpt-6-astra", "gpt-5.5", "gpt-5", "gpt-4.1", "gpt-4o", "o3"])
    def test_ceiling(self, model: str) -> None:
        """A model without a price counts at least as much as any model of general use."""
        standard = TABLE.rows()[model]["standard"]

        assert standard["input"] <= CEILING.input
        assert standard["output"] <= CEILING.output
