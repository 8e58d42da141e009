"""Find limits that are nearly used up, and strict limits under which no request can be admitted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.limits.bounds import Bounds, ModelSize, compute_bounds
from app.limits.counted_models import counts_model
from app.limits.prices import PriceTable
from app.operations.check_stores import CheckStores
from app.operations.diagnostic import Diagnostic, Level, Subject, pool_option
from app.operations.pool_limits import PoolLimits
from app.operations.stored_accounts import StoredAccount
from app.operations.unpriced_models import (
    ReachableModels,
    known_models,
    refusal_of_unpriced,
)
from app.stores.records.limits import Limit, LimitScope, LimitUnit

NEAR_PERCENT = 90.0
MAX_MODELS = 200  # models of a pool that are tried for a limit until one can be admitted
SMALL = {"messages": [{"role": "user", "content": "Hello"}]}
SMALL_BYTES = 100
SHORT_TOKENS = 16  # an output length that few requests go below
RAISE_LIMIT = "raise the limit"
LIST_LIMITS = {
    Subject.KEY: "key limit list NAME",
    Subject.TEAM: "team limit list NAME",
    Subject.NONE: "pool limit list",
}


def check_usage(pool: str, limits: PoolLimits) -> Iterator[Diagnostic]:
    """Yield the *limits* of *pool* that are used up, or nearly."""
    for name, status in limits.statuses:
        limit, share = status.limit, status.used_percent
        if share < NEAR_PERCENT or limit.unit.is_concurrent:
            continue
        is_full = status.settled >= limit.max
        state = "has reached its limit" if is_full else f"has used {int(share)} % of its limit"
        subject = _subject(name, limit)
        remedy = f"poolgate {LIST_LIMITS[subject]}{pool_option(pool)}"
        yield _LimitFinding(Level.NOTE, f"{state} {limit.label}", remedy).about(pool, subject, name)


def check_strict_limits(
    stores: CheckStores, pool: str, limits: PoolLimits, accounts: Sequence[StoredAccount]
) -> Iterator[Diagnostic]:
    """
    Yield those of *limits* that are strict and refuse every request, or all that set no output length.
    """
    checked = [(name, status.limit) for name, status in limits.statuses if _is_checked(status.limit)]
    if not checked:
        return
    small_requests = _SmallRequests(stores, pool)
    models = known_models(stored.account for stored in accounts)[:MAX_MODELS]
    reachable = ReachableModels((stored.account for stored in accounts), stores.routes.current(pool))
    set_length = f"poolgate key set NAME{pool_option(pool)} --output-tokens N, or raise the limit"
    for name, limit in checked:
        if limit.scope is not LimitScope.KEY:
            for finding in _check_limit(small_requests, limit, models, 0, RAISE_LIMIT):
                yield finding.about(pool, _subject(name, limit), name)
    for key in limits.usable:
        for limit in filter(_is_checked, key.limits):
            allowed = reachable.of(key)[:MAX_MODELS]
            for finding in _check_limit(small_requests, limit, allowed, key.output_tokens, set_length):
                yield finding.about(pool, Subject.KEY, key.name)


def _subject(name: str, limit: Limit) -> Subject:
    """Return what kind of object the owner *name* of *limit* is; '' is the pool."""
    if not name:
        return Subject.NONE
    return Subject.TEAM if limit.scope is LimitScope.TEAM else Subject.KEY


def _is_checked(limit: Limit) -> bool:
    return limit.is_strict and bool(limit.unit.traits.bounds)


class _SmallRequests:
    """The amounts that a short request reserves, by model and output length (0: not set)."""

    def __init__(self, stores: CheckStores, pool: str) -> None:
        self.pool = pool
        self.prices: PriceTable = stores.prices.current(pool)
        self._settings = stores.pools.settings(pool)
        self._known: dict[tuple[str, int], Bounds] = {}

    def reserved(self, model: str, length: int, unit: LimitUnit) -> int | None:
        """Return the amount of *unit* that is reserved, None if it has no upper bound."""
        bounds = self._known.get((model, length))
        if bounds is None:
            body = SMALL | {"model": model} | ({"max_completion_tokens": length} if length else {})
            price, settings = self.prices.find(model), self._settings
            size = ModelSize.from_price(
                price, settings.assumed_context_tokens, settings.assumed_output_tokens
            )
            bounds = self._known[model, length] = compute_bounds("chat", body, SMALL_BYTES, price, size)
        amounts = [bounds.upper_bound.get(name) for name in unit.traits.bounds]
        return None if None in amounts else sum(amount or 0 for amount in amounts)


@dataclass(frozen=True, slots=True)
class _LimitFinding:
    level: Level
    what: str
    remedy: str

    def about(self, pool: str, subject: Subject, name: str) -> Diagnostic:
        """
        Return a diagnostic about the key or team *name* of *pool*; with Subject.NONE, about the pool itself.
        """
        names = (name,) if subject else ()
        return Diagnostic(self.level, pool, self.what, self.remedy, subject, names)


def _check_limit(
    small_requests: _SmallRequests, limit: Limit, models: Sequence[str], length: int, length_remedy: str
) -> Iterator[_LimitFinding]:
    """Check *limit* with a small request for each of *models*; *length* is the default output length."""
    unit = limit.unit
    affected = [model for model in models if counts_model(limit.model, model)]

    def fits(output_length: int) -> bool:
        amounts = (small_requests.reserved(model, output_length, unit) for model in affected)
        return any(amount is not None and amount <= limit.max for amount in amounts)

    if not affected:
        return
    price_remedy = f"poolgate price set MODEL{pool_option(small_requests.pool)}, or make the limit balanced"
    has_price = small_requests.prices.find
    unpriced = [model for model in affected if has_price(model) is None] if unit.is_money else []
    if unpriced and len(unpriced) < len(affected):
        yield _LimitFinding(Level.NOTE, refusal_of_unpriced(limit, unpriced), price_remedy)
    if fits(length):
        return
    refuses = f"its strict limit {limit.label} refuses every request"
    if fits(min(length, SHORT_TOKENS) or SHORT_TOKENS):
        what = f"{refuses} that sets no small output length"
        yield _LimitFinding(Level.NOTE, what, length_remedy)
        return
    amounts = [small_requests.reserved(model, SHORT_TOKENS, unit) for model in affected]
    bounded = [amount for amount in amounts if amount is not None]
    if bounded:
        what = f"{refuses}: a short one reserves {unit.quantity(min(bounded))}"
        yield _LimitFinding(Level.WRONG, what, RAISE_LIMIT)
    elif unit.is_money:
        yield _LimitFinding(Level.WRONG, f"{refuses}: none of the models has a price", price_remedy)
    else:
        command = f"poolgate pool set{pool_option(small_requests.pool)} --assumed-output-tokens N"
        remedy = f"{command}, or make the limit balanced"
        yield _LimitFinding(Level.WRONG, f"{refuses}: the output of no model has a bound", remedy)
