"""Find models without a price, for which a strict limit of cost refuses every request: probable mistakes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.accounts.account import Account
from app.accounts.accounts import AccountRepository
from app.accounts.model_routes import PoolRoutes, RouteTable
from app.limits.counted_models import counts_model
from app.limits.pool_prices import PoolPrices
from app.limits.prices import PriceTable
from app.operations.unlisted_models import some_names
from app.patterns import STAR
from app.stores.records.api_keys import ApiKey
from app.stores.records.limits import Limit


@dataclass(frozen=True, slots=True)
class ModelStores:
    """The repositories that hold which models a pool serves, under which names and at which prices."""

    accounts: AccountRepository
    routes: PoolRoutes
    prices: PoolPrices


def known_models(accounts: Iterable[Account]) -> list[str]:
    """Return the models that *accounts* are known to serve, without patterns."""
    models = dict.fromkeys(model for account in accounts for model in account.offered_models)
    return [model for model in models if STAR not in model]


class ReachableModels:
    """The known models of *accounts* that keys may request, by their names or by those of *routes*."""

    def __init__(self, accounts: Iterable[Account], routes: RouteTable) -> None:
        self._accounts = {account.id: known_models([account]) for account in accounts}
        self._routes = routes
        self._found: dict[tuple[Sequence[str], Sequence[str]], list[str]] = {}  # many keys have the same

    def of(self, key: ApiKey) -> list[str]:
        restrictions = key.models, key.accounts
        if restrictions not in self._found:
            self._found[restrictions] = self._find(key)
        return self._found[restrictions]

    def _find(self, key: ApiKey) -> list[str]:
        allowed = [models for account_id, models in self._accounts.items() if key.may_use_account(account_id)]
        known = dict.fromkeys(model for models in allowed for model in models)
        if not key.models:
            return list(known)
        named = [route for name, route in self._routes.exact.items() if key.may_use(name)]
        routed = {target.model for route in named for step in route.steps for target in step}
        return [model for model in known if model in routed or key.may_use(model)]


def needs_price(limit: Limit) -> bool:
    """Return whether *limit* refuses requests for models without a price."""
    return limit.unit.is_money and limit.is_strict


def unpriced_models(limit: Limit, models: Iterable[str], prices: PriceTable) -> list[str]:
    """Return those of *models* that *limit* refuses: a strict limit of cost refuses those without a price."""
    if not needs_price(limit):
        return []
    return [model for model in models if counts_model(limit.model, model) and prices.find(model) is None]


def unpriced_limits(limits: Iterable[Limit], models: Sequence[str], prices: PriceTable) -> list[str]:
    """Return sentences about *limits* that refuse requests for some of *models*, each sentence once."""
    found = ((limit, unpriced_models(limit, models, prices)) for limit in limits)
    sentences = (
        f"{refusal_of_unpriced(limit, names)}: set a price, or make it balanced"
        for limit, names in found
        if names
    )
    return list(dict.fromkeys(sentences))


def refusal_of_unpriced(limit: Limit, names: Sequence[str]) -> str:
    """Return that the strict *limit* refuses requests for the models *names*, as a clause."""
    verb = "has" if len(names) == 1 else "have"
    refused = f"refuses every request for {some_names(names)} (429)"
    return f"the strict limit {limit.label} {refused}, which {verb} no price"
