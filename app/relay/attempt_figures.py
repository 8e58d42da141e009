"""The figures of a ledger entry that attempts are charged. Costs are in micro-dollars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from app.accounts.kinds import kind_of
from app.limits.prices import Price, ceiling_cost
from app.relay.attempt import Attempt
from app.relay.charges import AttemptCharge, TokenBounds
from app.stores.records.ledger import (
    CHARGED,
    UNREPORTED,
    AttemptRow,
    ChargedName,
    Figures,
    UnreportedName,
    UsageRow,
)
from app.streaming.usage import Usage
from schemas.bounds import MAX_COST

CountedName = ChargedName | Literal["ceiling_cost"] | UnreportedName
COUNTED: tuple[CountedName, ...] = (*CHARGED, "ceiling_cost", *UNREPORTED)  # what limits count
UsageName = Literal[
    "input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens"
]
FIGURES: tuple[UsageName, ...] = get_args(UsageName)


def figures_of(attempt: Attempt, charge: AttemptCharge, price: Price | None) -> Figures:
    """Return *charge* as figures of a ledger entry, at the *price* of the requested model."""
    requested = attempt.context.request.body.get("service_tier")
    tier = attempt.reader.service_tier or requested
    usage = charge.usage
    figures = _cost(attempt, usage, price, tier)
    for name in FIGURES:
        if (amount := getattr(usage, name)) is not None:
            figures[name] = amount
    if tier:
        figures["tier"] = tier
    if charge.upper_bound is None:
        return figures
    figures["counted_by"] = charge.counted_by
    maxima = (*charge.upper_bound, _max_cost(attempt, charge.upper_bound, price, requested))
    for charged, unreported, maximum in zip(CHARGED, UNREPORTED, maxima, strict=True):
        if (beyond := (maximum or 0) - figures.get(charged, 0)) > 0:
            figures[unreported] = beyond
    return figures


def _max_cost(attempt: Attempt, tokens: TokenBounds, price: Price | None, tier: str | None) -> int | None:
    """Return micro-dollars for *tokens*, (input, output); None where one is unbounded or has no price."""
    max_input, max_output = tokens
    if max_input is None or max_output is None or price is None:
        return None
    if kind_of(attempt.account).is_simulated:
        return None
    return price.max_cost(max_input, max_output, tier)


def bound_figures(figures: Figures, earlier: Sequence[AttemptRow]) -> Figures:
    """
    Return *figures* of one attempt, such that with those of *earlier* ones they fit into a ledger entry.

    A large length at a high price is more than the store's numbers hold; `bound_row` bounds the entry.
    """
    bounded = figures.copy()
    for name in COUNTED:
        if name in figures:
            charged = sum(attempt.get(name, 0) for attempt in earlier)
            bounded[name] = min(figures[name], MAX_COST - charged)
    return bounded


def _cost(attempt: Attempt, usage: Usage, price: Price | None, tier: str | None) -> Figures:
    """Return micro-dollars and the price list; without a price, only what a balanced limit is charged."""
    if kind_of(attempt.account).is_simulated:
        return {"cost": 0, "price": attempt.account.kind}
    if price is None:
        return {"ceiling_cost": ceiling_cost(usage), "price": "none"}
    return {"cost": price.cost(usage, tier), "price": price.version}


def add_figures(row: UsageRow, failed: Sequence[AttemptRow]) -> None:
    """Add to *row* what limits count of *failed* attempts; without a price there is no cost."""
    for attempt in failed:
        for name in COUNTED:
            if name in attempt:
                row[name] = row.get(name, 0) + attempt[name]
