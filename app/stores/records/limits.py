"""Limits of API keys, teams and pools, and the traits of each unit that a limit counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NotRequired, TypedDict

from app.errors import InvalidRequest
from app.formatting import count, dollars, exact_dollars
from schemas.bounds import MAX_LIMITS


class LimitUnit(StrEnum):
    """What a limit counts. Stored as `what`; the scripts use the same names (lua/windows.lua)."""

    REQUESTS = "requests"
    INPUT_TOKENS = "input_tokens"
    OUTPUT_TOKENS = "output_tokens"
    TOTAL_TOKENS = "total_tokens"
    COST = "cost"
    PARALLEL_REQUESTS = "parallel_requests"

    @property
    def traits(self) -> UnitTraits:
        return _TRAITS[self]

    @property
    def is_money(self) -> bool:
        """Whether amounts are micro-dollars."""
        return self is LimitUnit.COST

    @property
    def is_concurrent(self) -> bool:
        """Whether the unit is counted at one moment, so that a limit on it has no period."""
        return self is LimitUnit.PARALLEL_REQUESTS

    def amount(self, number: float) -> str:
        """Return the exact *number* without a noun: `$5.000125` or `1,000`."""
        return exact_dollars(number) if self.is_money else count(number)

    def rounded_amount(self, number: float) -> str:
        """Return *number* for tables, where money is rounded as everywhere: `$5.00` or `1,000`."""
        return dollars(number) if self.is_money else count(number)

    def quantity(self, number: float) -> str:
        """Return the exact *number* with its noun: `$5.00`, `1,000 output tokens`, `1 request`."""
        noun = self.traits.singular if number == 1 else self.traits.plural
        return f"{self.amount(number)} {noun}".rstrip()


@dataclass(frozen=True, slots=True)
class UnitTraits:
    """
    How a unit is written, reported and bounded: the one table to extend for a new unit.

    *bounds* are the names of the amounts that bound the unit before a request is sent; an empty tuple means
    that a request counts 1. *header_kind* is the ending of the `x-ratelimit-*` headers that report the unit,
    '' for none. *usage_type* is its `limit_type` in GET /v1/usage.
    """

    singular: str = ""
    plural: str = ""
    bounds: tuple[str, ...] = ()
    counts_output: bool = False  # whether the length of a response counts
    header_kind: str = ""
    usage_type: str = ""
    aliases: tuple[str, ...] = ()  # other names of the unit in the text of a limit


_TRAITS: Mapping[LimitUnit, UnitTraits] = {
    LimitUnit.REQUESTS: UnitTraits("request", "requests", header_kind="requests"),
    LimitUnit.INPUT_TOKENS: UnitTraits(
        "input token", "input tokens", bounds=("input_tokens",), header_kind="tokens"
    ),
    LimitUnit.OUTPUT_TOKENS: UnitTraits(
        "output token", "output tokens", bounds=("output_tokens",), counts_output=True, header_kind="tokens"
    ),
    LimitUnit.TOTAL_TOKENS: UnitTraits(
        "token",
        "tokens",
        bounds=("input_tokens", "output_tokens"),
        counts_output=True,
        header_kind="tokens",
        aliases=("tokens",),
    ),
    LimitUnit.COST: UnitTraits(bounds=("cost",), counts_output=True, usage_type="cost_usd", aliases=("usd",)),
    LimitUnit.PARALLEL_REQUESTS: UnitTraits("parallel request", "parallel requests"),
}

# Computed once, because every request checks it
_OUTPUT_UNITS = tuple(unit for unit in LimitUnit if unit.traits.counts_output)


class Period(StrEnum):
    """The period over which a limit counts. Stored as `per`."""

    NONE = "none"  # no period: the number at one moment, such as parallel requests
    SECOND = "second"
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    EVER = "ever"

    @property
    def is_rolling(self) -> bool:
        """Whether the limit is a leaky bucket; the other periods are windows of the calendar."""
        return self in (Period.SECOND, Period.MINUTE)


class LimitMode(StrEnum):
    """Whether a limit checks a request by its upper bound (strict) or by an estimate (balanced)."""

    STRICT = "strict"
    BALANCED = "balanced"


class LimitScope(StrEnum):
    """Whether one API key, all keys of a team or all keys of a pool share the limit."""

    KEY = "key"
    TEAM = "team"
    POOL = "pool"


class LimitJson(TypedDict):
    """A limit as it is stored and as scripts take it; see Limit."""

    id: str
    what: str
    per: str
    max: int
    mode: str
    scope: str
    model: NotRequired[str]


@dataclass(frozen=True, slots=True)
class Limit:
    """
    A limit of an API key, a team or a pool.

    `max` is in units, of cost in micro-dollars. `model` is a name or a pattern with `*`; None: every
    model. Its counters are stored separately, under its id (lua/windows.lua).
    """

    id: str
    unit: LimitUnit
    period: Period
    max: int
    mode: LimitMode = LimitMode.STRICT
    scope: LimitScope = LimitScope.KEY
    model: str | None = None

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Limit:
        """Return the limit that *stored* describes, in the form of `to_json`."""
        return cls(
            id=stored["id"],
            unit=LimitUnit(stored["what"]),
            period=Period(stored["per"]),
            max=int(stored["max"]),  # scripts may write large numbers as floats
            mode=LimitMode(stored["mode"]),
            scope=LimitScope(stored.get("scope", LimitScope.KEY)),
            model=stored.get("model"),
        )

    def to_json(self) -> LimitJson:
        """Return {id, what, per, max, mode, scope, model?}, as it is stored and as scripts take it."""
        stored: LimitJson = {
            "id": self.id,
            "what": self.unit.value,
            "per": self.period.value,
            "max": self.max,
            "mode": self.mode.value,
            "scope": self.scope.value,
        }
        if self.model:
            stored["model"] = self.model
        return stored

    @property
    def is_strict(self) -> bool:
        return self.mode is LimitMode.STRICT

    @property
    def label(self) -> str:
        """The limit as text, such as `$5.00 per month` or `10 requests per minute for gpt-5*`."""
        name = self.unit.quantity(self.max)
        if self.period is Period.EVER:
            name += " in total"
        elif self.period is not Period.NONE:
            name += f" per {self.period}"
        return f"{name} for {self.model}" if self.model else name

    @property
    def counted(self) -> tuple[LimitUnit, Period, str]:
        """The unit, period and model that the limit counts; '*' for every model."""
        return self.unit, self.period, self.model or "*"

    def is_equal(self, other: Limit) -> bool:
        """Return whether *other* limits the same to the same amount, in the same mode."""
        return (self.counted, self.max, self.mode) == (other.counted, other.max, other.mode)


@dataclass(frozen=True, slots=True)
class LimitStatus:
    """A limit and its current counters; `resets_at` in Unix seconds, None: it does not reset by itself."""

    limit: Limit
    settled: int
    held: int  # reserved by running requests
    resets_at: int | None

    @property
    def remaining(self) -> int:
        return max(0, self.limit.max - self.settled - self.held)

    @property
    def used_percent(self) -> float:
        """The settled and held amounts, in percent of the maximum."""
        return 100 * (self.settled + self.held) / max(self.limit.max, 1)


def limits_from_json(stored: Iterable[Mapping[str, Any]]) -> tuple[Limit, ...]:
    return tuple(map(Limit.from_json, stored))


def limits_to_json(limits: Sequence[Limit]) -> list[LimitJson]:
    return [limit.to_json() for limit in limits]


def checked_limits(limits: Sequence[Limit]) -> Sequence[Limit]:
    """Return *limits* of one owner. Raises InvalidRequest if there are more than an admission may check."""
    if len(limits) > MAX_LIMITS:
        raise InvalidRequest(
            f"A key, a team or a pool has at most {MAX_LIMITS} limits: every request checks all of them",
            param="limit",
        )
    return limits


def has_strict_output_limit(limits: Iterable[Limit]) -> bool:
    """Return whether a strict limit counts how long a response is."""
    return any(limit.mode is LimitMode.STRICT and limit.unit in _OUTPUT_UNITS for limit in limits)
