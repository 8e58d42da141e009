"""The models and model routes that an API key may use, as the accounts of its pool offer them."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from app.accounts.account import Account, demo_serves
from app.accounts.kinds import kind_of
from app.accounts.model_routes import RouteTable
from app.patterns import STAR
from app.stores.records.api_keys import ApiKey
from app.stores.records.model_routes import ModelRoute, RouteTarget

OWNER = "poolgate"  # the owner of model routes in lists


@dataclass(frozen=True, slots=True)
class OfferedModel:
    """A name that requests may use; `created` is in Unix seconds, `route` set where it is a model route."""

    name: str
    owned_by: str
    created: int = 0
    metadata: Mapping[str, Any] | None = None
    route: ModelRoute | None = None


def offered_models(
    key: ApiKey, accounts: Sequence[Account], routes: RouteTable, *, demo: bool
) -> list[OfferedModel]:
    """
    Return what *accounts*, all of a pool, offer to *key*, by name. The first account determines the owner.

    A model route whose name is a pattern offers those names in the models of *key* that it matches, because a
    pattern cannot be requested. *demo* is whether demo accounts answer.
    """
    usable = _usable(key, accounts, demo=demo)
    offered = {model.name: model for model in _of_routes(key, usable, routes)}
    offered |= {model.name: model for model in _of_accounts(key, usable, routes)}
    return [offered[name] for name in sorted(offered)]


def _of_accounts(key: ApiKey, usable: Sequence[Account], routes: RouteTable) -> Iterator[OfferedModel]:
    """Yield the models of each account, those of the first account last."""
    for account in reversed(usable):
        for name in filter(key.may_use, account.offered_models):
            metadata = account.metadata_of(name)
            yield OfferedModel(name, account.owned_by, account.created_at, metadata, routes.exact.get(name))


def _of_routes(key: ApiKey, usable: Sequence[Account], routes: RouteTable) -> Iterator[OfferedModel]:
    named = [*filter(key.may_use, routes.exact), *(name for name in key.models if STAR not in name)]
    for name in dict.fromkeys(named):
        route = routes.find(name)
        if route and any(_tried(usable, target) for target in chain(*route.steps)):
            yield OfferedModel(name, OWNER, route=route)


def _usable(key: ApiKey, accounts: Sequence[Account], *, demo: bool) -> list[Account]:
    """Return those of *accounts* that *key* may use, in any state."""
    demo = demo and demo_serves(accounts)
    return [
        account
        for account in accounts
        if (demo or not kind_of(account).is_simulated) and key.may_use_account(account.id)
    ]


def _tried(usable: Sequence[Account], target: RouteTarget) -> list[Account]:
    """Return those of *usable* among which selection chooses for *target*, whether or not they list it."""
    allowed = [one for one in usable if not target.accounts or one.id in target.accounts]
    return candidates(allowed, target.model)


def candidates(
    accounts: Collection[Account],
    model: str,
    without_model: Container[str] = (),
    unlisted_kinds: Container[str] = (),
) -> list[Account]:
    """
    Return those of *accounts*, all that may serve a request, among which selection chooses for *model*.

    These are the accounts that list it and those whose models are unknown. If none lists it except those
    whose ids are in *without_model*, which were found not to have it, they include those that list others;
    those of *unlisted_kinds* always. Same as `offers_for` in lua/selection.lua.
    """
    is_listed = any(
        account.has_known_models and account.may_have(model) and account.id not in without_model
        for account in accounts
    )
    return [
        account
        for account in accounts
        if account.may_have(model)
        or (not account.models and (not is_listed or account.kind in unlisted_kinds))
    ]
