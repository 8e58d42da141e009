"""Limits that are nearly used up, and strict limits under which no request could ever be admitted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.accounts.pools import DEFAULT
from app.limits.bounds import Bounds, ModelSize, compute_bounds
from app.limits.prices import PriceTable
from app.operations.check_accounts import StoredAccount
from app.operations.check_stores import CheckStores
from app.operations.diagnostic import Diagnostic, Level, Subject
from app.patterns import matches
from app.stores.records.api_keys import ApiKey
from app.stores.records.limits import Limit, LimitUnit

NEAR_PERCENT = 90.0
MAX_MODELS = 200  # of a pool, tried for each limit; the first that can be admitted ends that
SMALL = {"messages": [{"role": "user", "content": "Hello"}]}
SMALL_BYTES = 100
SHORT_TOKENS = 16  # what hardly any request can do with less than


def used_up(stores: CheckStores, pool: str, api_keys: Sequence[ApiKey]) -> Iterator[Diagnostic]:
    """Yield which limits of *pool* and of its *api_keys* are used up, or nearly."""
    owned = [(key.name, limit) for key in api_keys for limit in key.limits]
    owned += [("", limit) for limit in stores.limits.all(pool)]
    statuses = stores.usage.limit_statuses(pool, [limit for _, limit in owned]) if owned else []
    for (name, limit), status in zip(owned, statuses, strict=True):
        share = status.used_percent
        if share < NEAR_PERCENT or limit.unit.is_concurrent:
            continue
        is_full = status.settled >= limit.max
        begins = "has reached its limit" if is_full else f"has used {int(share)} % of its limit"
        yield _of(Level.NOTE, pool, name, f"{begins} {limit.label}", _remedy(pool, name))


def refusing(
    stores: CheckStores, pool: str, api_keys: Sequence[ApiKey], records: Sequence[StoredAccount]
) -> Iterator[Diagnostic]:
    """Yield which strict limits refuse every request, or every one that names no output length."""
    pool_limits = stores.limits.all(pool)
    if not any(map(_is_checked, [*pool_limits, *(one for key in api_keys for one in key.limits)])):
        return
    small = _SmallRequests(stores, pool)
    models = _models(records)
    for limit in filter(_is_checked, pool_limits):
        yield from _judged(small, pool, "", limit, models, 0)
    for key in api_keys:
        own = [record for record in records if not key.accounts or record.account.id in key.accounts]
        allowed = list(filter(key.may_use, _models(own) if key.accounts else models))
        for limit in filter(_is_checked, key.limits):
            yield from _judged(small, pool, key.name, limit, allowed, key.output_tokens)


def _is_checked(limit: Limit) -> bool:
    return limit.is_strict and bool(limit.unit.traits.bounds)


def _models(records: Sequence[StoredAccount]) -> list[str]:
    """Return the models that accounts are known to serve, MAX_MODELS at most."""
    found: dict[str, None] = {}
    for record in records:
        for model in record.account.models or record.account.listed:
            if "*" not in model:
                found[model] = None
    return list(found)[:MAX_MODELS]


class _SmallRequests:
    """What a short request reserves, by model and by the output length that it names (0: none)."""

    def __init__(self, stores: CheckStores, pool: str) -> None:
        self._prices: PriceTable = stores.prices.current(pool)
        self._settings = stores.pools.settings(pool)
        self._known: dict[tuple[str, int], Bounds] = {}

    def reserves(self, model: str, length: int, unit: LimitUnit) -> int | None:
        """Return how much of *unit* is reserved; None where that has no bound."""
        bounds = self._known.get((model, length))
        if bounds is None:
            body = SMALL | {"model": model} | ({"max_completion_tokens": length} if length else {})
            price, settings = self._prices.find(model), self._settings
            size = ModelSize.from_price(
                price, settings.assumed_context_tokens, settings.assumed_output_tokens
            )
            bounds = self._known[model, length] = compute_bounds("chat", body, SMALL_BYTES, price, size)
        amounts = [bounds.upper_bound.get(name) for name in unit.traits.bounds]
        return None if None in amounts else sum(amount or 0 for amount in amounts)


def _judged(
    small: _SmallRequests, pool: str, name: str, limit: Limit, models: Sequence[str], length: int
) -> Iterator[Diagnostic]:
    pattern, unit, most = limit.model or "*", limit.unit, limit.max
    concerned = [model for model in models if pattern == "*" or matches(pattern, model)]

    def fits(with_length: int) -> bool:
        amounts = (small.reserves(model, with_length, unit) for model in concerned)
        return any(amount is not None and amount <= most for amount in amounts)

    if not concerned or fits(length):
        return
    begins = f"its strict limit {limit.label} refuses every request"
    if fits(min(length, SHORT_TOKENS) or SHORT_TOKENS):
        remedy = "poolgate key set NAME --output-tokens N, or raise the limit" if name else "raise the limit"
        yield _of(Level.NOTE, pool, name, f"{begins} that names no small output length", remedy)
        return
    amounts = [small.reserves(model, SHORT_TOKENS, unit) for model in concerned]
    known = [amount for amount in amounts if amount is not None]
    if known:
        yield _of(
            Level.WRONG,
            pool,
            name,
            f"{begins}: a short one reserves {unit.quantity(min(known))}",
            "raise the limit",
        )
    elif unit.is_money:
        remedy = "poolgate price set MODEL, or make the limit balanced"
        yield _of(Level.WRONG, pool, name, f"{begins}: none of the models has a price", remedy)
    else:
        remedy = "poolgate pool set --assumed-output-tokens N, or make the limit balanced"
        yield _of(Level.WRONG, pool, name, f"{begins}: the output of no model has a bound", remedy)


def _remedy(pool: str, name: str) -> str:
    command = "key limit list NAME" if name else "pool limit list"
    return f"poolgate {command}{_in(pool)}"


def _in(pool: str) -> str:
    return "" if pool == DEFAULT else f" --pool {pool}"


def _of(level: Level, pool: str, name: str, what: str, remedy: str) -> Diagnostic:
    return Diagnostic(level, pool, what, remedy, *((Subject.KEY, (name,)) if name else ()))
