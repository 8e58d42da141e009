"""
Prices and sizes of models: data (prices.json) and one formula.

Prices are integers, micro-dollars per million tokens; reasoning is billed as output. Every row names its
source and the day of the public list price, in US dollars. A pool may override rows; a model without a
row has no price, which is not the same as free.

Sources: https://developers.openai.com/api/docs/pricing,
https://openai.com/api-priority-processing, and for what an image may cost at each detail
https://developers.openai.com/api/docs/guides/images-vision
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any

import orjson

from app.streaming.usage import Usage

MILLION = 1_000_000
STANDARD, FLEX, PRIORITY = "standard", "flex", "priority"
TIERS = {"default": STANDARD, "standard": STANDARD, "flex": FLEX, "priority": PRIORITY, "fast": PRIORITY}
_DATED = re.compile(r"(.+)-\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True)
class Rates:
    """Micro-dollars per million tokens; a rate that a row lacks is that of ordinary text."""

    input: int
    output: int
    cached_input: int
    cache_write: int
    audio_input: int
    audio_output: int

    @classmethod
    def from_row(cls, row: Mapping[str, int]) -> Rates:
        named = dict.fromkeys(("cached_input", "cache_write", "audio_input"), row["input"])
        return cls(**{**named, "audio_output": row["output"], **row})

    def scaled(self, input_percent: int, output_percent: int) -> Rates:
        """Return these rates in percent; fractions of a micro-dollar per million tokens are rounded up."""
        return Rates(
            **{
                name: -(-getattr(self, name) * (output_percent if "output" in name else input_percent) // 100)
                for name in self.__slots__
            }
        )

    @property
    def max_input(self) -> int:
        return max(self.input, self.cached_input, self.cache_write, self.audio_input)

    @property
    def max_output(self) -> int:
        return max(self.output, self.audio_output)

    def cost(self, usage: Usage) -> int:
        """
        Return the cost of *usage* in millionths of a micro-dollar, not rounded.

        Details may overlap, as cached audio does; where they are more than their total, the most expensive
        ones count first, up to the total.
        """
        cached, written = usage.cached_tokens or 0, usage.cache_write_tokens or 0
        audio_input, audio_output = usage.audio_input_tokens or 0, usage.audio_output_tokens or 0
        plain_input = usage.input_tokens - cached - written - audio_input
        if plain_input < 0:
            parts = (
                (cached, self.cached_input),
                (written, self.cache_write),
                (audio_input, self.audio_input),
            )
            input_cost = _most_expensive_first(parts, usage.input_tokens)
        else:
            input_cost = (
                plain_input * self.input
                + cached * self.cached_input
                + written * self.cache_write
                + audio_input * self.audio_input
            )
        audio_output = min(audio_output, usage.output_tokens)
        return (
            input_cost + (usage.output_tokens - audio_output) * self.output + audio_output * self.audio_output
        )


# The assumed rates of a model without a price under a balanced limit: those of the most expensive model of
# general use. Strict limits never use them; they refuse instead.
CEILING = Rates.from_row({"input": 10_000_000, "output": 50_000_000})


@dataclass(frozen=True, slots=True)
class Price:
    """The price and the sizes of one model; None: not documented."""

    version: str  # version of the price list, for the ledger
    tiers: Mapping[str, Rates]
    long_above: int | None = None  # with more input tokens than this, all tokens of a request cost more
    long_input_percent: int = 100
    long_output_percent: int = 100
    context: int | None = None  # tokens
    max_output: int | None = None  # tokens
    # Maximum tokens per image: detail low, high, any other
    image: tuple[int | None, ...] = (None, None, None)

    @classmethod
    def from_row(cls, row: Mapping[str, Any], version: str) -> Price:
        long = row.get("long", {})
        return cls(
            version=version,
            tiers={tier: Rates.from_row(row[tier]) for tier in (STANDARD, FLEX, PRIORITY) if tier in row},
            long_above=long.get("above"),
            long_input_percent=long.get("input_percent", 100),
            long_output_percent=long.get("output_percent", 100),
            context=row.get("context"),
            max_output=row.get("max_output"),
            image=tuple(row.get("image", (None, None, None))),
        )

    def cost(self, usage: Usage, tier: str | None) -> int:
        """Return the cost of *usage* in micro-dollars, rounded up once."""
        return _micro_dollars(self._rates(TIERS.get(tier or "", STANDARD), usage.input_tokens).cost(usage))

    def split_cost(self, usage: Usage, tier: str | None) -> tuple[int, int]:
        """Return the cost of input and of output in micro-dollars; together they are `cost`."""
        total = self.cost(usage, tier)
        input_cost = self.cost(replace(usage, output_tokens=0, audio_output_tokens=None), tier)
        return input_cost, total - input_cost

    def max_cost(self, input_tokens: int, output_tokens: int, tier: str | None) -> int:
        """
        Return an upper bound in micro-dollars of the cost of so many tokens of any kind.

        Only requests with the tier `default` or `flex` are certainly not billed as `priority`: without a
        tier, the settings of the account at its upstream may choose the most expensive one.
        """
        rates = self._rates(STANDARD, input_tokens)
        input_rate, output_rate = rates.max_input, rates.max_output
        if tier not in ("default", "flex") and PRIORITY in self.tiers:
            rates = self._rates(PRIORITY, input_tokens)
            input_rate = max(input_rate, rates.max_input)
            output_rate = max(output_rate, rates.max_output)
        return _micro_dollars(input_tokens * input_rate + output_tokens * output_rate)

    def _rates(self, tier: str, input_tokens: int) -> Rates:
        """Return the rates of *tier*, or the standard rates if the model does not have that tier."""
        rates = self.tiers.get(tier, self.tiers[STANDARD])
        if self.long_above is None or input_tokens <= self.long_above:
            return rates
        return rates.scaled(self.long_input_percent, self.long_output_percent)


class PriceTable:
    """The shipped rows, overridden by those of one pool."""

    def __init__(self, rows: Mapping[str, Any], version: str) -> None:
        self._rows = rows
        self._version = version
        self._overrides: Mapping[str, Any] = {}
        self._overrides_version = ""
        self._known: dict[str, Price | None] = {}

    def with_overrides(self, rows: Mapping[str, Any], version: str) -> PriceTable:
        """Return this table overridden by a pool's own *rows*."""
        table = PriceTable(self._rows, self._version)
        table._overrides, table._overrides_version = rows, version
        return table

    def find(self, model: str) -> Price | None:
        """Return the price of *model*; a dated name without its own row has the price of its family."""
        if model not in self._known:
            if len(self._known) > 1000:  # callers choose the names
                self._known.clear()
            self._known[model] = self._find(model)
        return self._known[model]

    def _find(self, model: str) -> Price | None:
        for name in (model, family_of(model)):
            for rows, version in ((self._overrides, self._overrides_version), (self._rows, self._version)):
                row = rows.get(name) or _by_folded_name(rows, name)
                if row:
                    return Price.from_row(row, version)
        return None

    def rows(self) -> dict[str, dict[str, Any]]:
        """Return every row by model, as data; a pool's own rows replace the shipped ones."""
        listed = {model: {**row, "version": self._version} for model, row in self._rows.items()}
        return listed | {
            model: {**row, "version": self._overrides_version} for model, row in self._overrides.items()
        }


def family_of(model: str) -> str:
    """Return *model* without the date of a snapshot; *model* itself if it has none."""
    dated = _DATED.fullmatch(model)
    return dated[1] if dated else model


def _by_folded_name(rows: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    """Return the row whose name equals *name* without letter case, which many upstreams ignore."""
    folded = name.lower()
    return next((row for model, row in rows.items() if model.lower() == folded), None)


def ceiling_cost(usage: Usage) -> int:
    """Return the micro-dollars that balanced limits count for *usage* of a model without a price."""
    return _micro_dollars(CEILING.cost(usage))


def load_shipped_prices() -> PriceTable:
    """Return the price table of this release."""
    data = orjson.loads((resources.files("app.limits") / "prices.json").read_bytes())
    return PriceTable(data["models"], data["version"])


def _most_expensive_first(parts: Iterable[tuple[int, int]], tokens: int) -> int:
    """Return the cost of the most expensive *tokens* in *parts*, each (tokens, rate)."""
    cost = 0
    for amount, rate in sorted(parts, key=lambda part: -part[1]):
        counted = min(amount, tokens)
        cost += counted * rate
        tokens -= counted
    return cost


def _micro_dollars(millionths: int) -> int:
    return -(-millionths // MILLION)
