"""Limits that are nearly used up, and strict limits under which no request could ever be admitted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from app.accounts.pools import DEFAULT
from app.accounts.settings import settings_from
from app.formatting import limit_name, quantity
from app.limits.api_keys import ApiKey
from app.limits.bounds import Bounds, ModelSize, bounds_of
from app.limits.prices import PriceTable
from app.operations.check_accounts import Record
from app.operations.diagnostic import KEY, NOTE, WRONG, Finding
from app.patterns import matches
from app.stores import keys
from app.stores.client import store_errors

if TYPE_CHECKING:
    from app.wiring import Services

NEAR_PERCENT = 90.0
MAX_MODELS = 200  # of a pool, tried for each limit; the first that can be admitted ends that
SMALL = {"messages": [{"role": "user", "content": "Hello"}]}
SMALL_BYTES = 100
SHORT_TOKENS = 16  # what hardly any request can do with less than
BOUNDED = ("input_tokens", "output_tokens", "total_tokens", "cost")

Limit = Mapping[str, Any]


def used_up(services: Services, pool: str, api_keys: Sequence[ApiKey]) -> Iterator[Finding]:
    """Yield which limits of *pool* and of its *api_keys* are used up, or nearly."""
    owned = [(key.name, limit) for key in api_keys for limit in key.limits]
    owned += [("", limit) for limit in services.limits.all(pool)]
    gauges = services.usage.gauges(pool, [limit for _, limit in owned]) if owned else []
    for (name, limit), gauge in zip(owned, gauges, strict=True):
        share = 100 * (gauge.settled + gauge.held) / max(int(limit["max"]), 1)
        if share < NEAR_PERCENT or limit["what"] == "parallel_requests":
            continue
        is_full = gauge.settled >= int(limit["max"])
        begins = "has reached its limit" if is_full else f"has used {int(share)} % of its limit"
        yield _of(NOTE, pool, name, f"{begins} {limit_name(limit)}", _remedy(pool, name))


def refusing(
    services: Services, pool: str, api_keys: Sequence[ApiKey], records: Sequence[Record]
) -> Iterator[Finding]:
    """Yield which strict limits refuse every request, or every one that names no output length."""
    pool_limits = services.limits.all(pool)
    if not any(map(_is_checked, [*pool_limits, *(one for key in api_keys for one in key.limits)])):
        return
    small = _SmallRequests(services, pool)
    models = _models(records)
    for limit in filter(_is_checked, pool_limits):
        yield from _judged(small, pool, "", limit, models, 0)
    for key in api_keys:
        own = [record for record in records if not key.accounts or record.account.id in key.accounts]
        allowed = list(filter(key.may_use, _models(own) if key.accounts else models))
        for limit in filter(_is_checked, key.limits):
            yield from _judged(small, pool, key.name, limit, allowed, key.output_tokens)


def _is_checked(limit: Limit) -> bool:
    return limit.get("mode") == "strict" and limit["what"] in BOUNDED


def _models(records: Sequence[Record]) -> list[str]:
    """Return the models that accounts are known to serve, MAX_MODELS at most."""
    found: dict[str, None] = {}
    for record in records:
        for model in record.account.models or record.account.listed:
            if "*" not in model:
                found[model] = None
    return list(found)[:MAX_MODELS]


class _SmallRequests:
    """What a short request reserves, by model and by the output length that it names (0: none)."""

    def __init__(self, services: Services, pool: str) -> None:
        self._prices: PriceTable = services.prices.current(pool)
        with store_errors():
            self._settings = settings_from(services.scripts.client.hget(keys.pool(pool), "settings") or "")
        self._known: dict[tuple[str, int], Bounds] = {}

    def reserves(self, model: str, length: int, what: str) -> int | None:
        """Return how much of *what* is reserved; None where that has no bound."""
        bounds = self._known.get((model, length))
        if bounds is None:
            body = SMALL | {"model": model} | ({"max_completion_tokens": length} if length else {})
            price, settings = self._prices.find(model), self._settings
            size = ModelSize.of(price, settings.assumed_context_tokens, settings.assumed_output_tokens)
            bounds = self._known[model, length] = bounds_of("chat", body, SMALL_BYTES, price, size)
        if what != "total_tokens":
            return bounds.most.get(what)
        dependencies = [bounds.most.get(name) for name in ("input_tokens", "output_tokens")]
        return None if None in dependencies else sum(part or 0 for part in dependencies)


def _judged(
    small: _SmallRequests, pool: str, name: str, limit: Limit, models: Sequence[str], length: int
) -> Iterator[Finding]:
    pattern, what, most = limit.get("model") or "*", limit["what"], int(limit["max"])
    concerned = [model for model in models if pattern == "*" or matches(pattern, model)]

    def fits(with_length: int) -> bool:
        amounts = (small.reserves(model, with_length, what) for model in concerned)
        return any(amount is not None and amount <= most for amount in amounts)

    if not concerned or fits(length):
        return
    begins = f"its strict limit {limit_name(limit)} refuses every request"
    if fits(min(length, SHORT_TOKENS) or SHORT_TOKENS):
        remedy = "poolgate key set NAME --output-tokens N, or raise the limit" if name else "raise the limit"
        yield _of(NOTE, pool, name, f"{begins} that names no small output length", remedy)
        return
    amounts = [small.reserves(model, SHORT_TOKENS, what) for model in concerned]
    known = [amount for amount in amounts if amount is not None]
    if known:
        yield _of(
            WRONG,
            pool,
            name,
            f"{begins}: a short one reserves {quantity(min(known), what)}",
            "raise the limit",
        )
    elif what == "cost":
        remedy = "poolgate price set MODEL, or make the limit balanced"
        yield _of(WRONG, pool, name, f"{begins}: none of the models has a price", remedy)
    else:
        remedy = "poolgate pool set --assumed-output-tokens N, or make the limit balanced"
        yield _of(WRONG, pool, name, f"{begins}: the output of no model has a bound", remedy)


def _remedy(pool: str, name: str) -> str:
    command = "key limit list NAME" if name else "pool limit list"
    return f"poolgate {command}{_in(pool)}"


def _in(pool: str) -> str:
    return "" if pool == DEFAULT else f" --pool {pool}"


def _of(level: str, pool: str, name: str, what: str, remedy: str) -> Finding:
    return Finding(level, pool, what, remedy, *((KEY, (name,)) if name else ()))
