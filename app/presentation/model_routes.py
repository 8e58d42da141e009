"""Model routes, and what names resolve to, as operators see them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypedDict

from app.accounts.model_routes import RouteTable
from app.accounts.route_syntax import format_step, is_group
from app.presentation.names import Names
from app.stores.records.api_keys import ApiKey
from app.stores.records.model_routes import ModelRoute, RouteTarget


class TargetView(TypedDict):
    """A target of a route; `accounts` are names, empty for any account."""

    model: str
    accounts: list[str]
    weight: int


class RouteView(TypedDict):
    """A route as the admin API shows it; a PUT takes the same fields except the name."""

    name: str
    steps: list[list[TargetView]]
    defaults: Mapping[str, Any]
    overrides: Mapping[str, Any]


class Resolution(TypedDict):
    """
    What a name resolves to: the `route` that applies by `rule` (exact, pattern or model), and its `steps`.

    `shadowed` are the other routes that match; `allowed` is whether the key may use the name.
    """

    name: str
    rule: str
    route: str | None
    steps: list[list[TargetView]]
    defaults: Mapping[str, Any]
    overrides: Mapping[str, Any]
    shadowed: list[str]
    key: str | None
    allowed: bool


def serialize_route(route: ModelRoute, names: Names) -> RouteView:
    """Return *route* with the names of its accounts; a removed account is `<name> (removed)`."""
    return {
        "name": route.name,
        "steps": [[_target(target, names) for target in step] for step in route.steps],
        "defaults": route.defaults,
        "overrides": route.overrides,
    }


def resolve(table: RouteTable, name: str, names: Names, key: ApiKey | None = None) -> Resolution:
    """Return what *name* resolves to for *key*, with only the targets and accounts that it may use."""
    matching = table.matching(name)
    route = matching[0] if matching else None
    steps = route.steps if route else ((RouteTarget(name),),)
    own = key.accounts if key else ()
    usable = [[_usable(target, own) for target in step if _may_serve(target, own)] for step in steps]
    return {
        "name": name,
        "rule": "model" if route is None else "exact" if route.name == name else "pattern",
        "route": route.name if route else None,
        "steps": [[_target(target, names) for target in step] for step in usable if step],
        "defaults": route.defaults if route else {},
        "overrides": route.overrides if route else {},
        "shadowed": [other.name for other in matching[1:]],
        "key": key.name if key else None,
        "allowed": key is None or key.may_use(name) or (route is not None and key.may_use(route.name)),
    }


def step_texts(steps: Sequence[Sequence[Mapping[str, Any]]]) -> list[str]:
    """Return each of *steps*, of a view, as text in the syntax of operators."""
    return list(map(format_step, steps))


def _may_serve(target: RouteTarget, own: Collection[str]) -> bool:
    """Return whether an account of *target* is among *own*, those of a key; empty: all accounts."""
    return not own or not target.accounts or any(account in own for account in target.accounts)


def _usable(target: RouteTarget, own: Sequence[str]) -> RouteTarget:
    """Return *target* with only its accounts among *own*."""
    if not own:
        return target
    accounts = tuple(account for account in target.accounts if account in own) or tuple(own)
    return replace(target, accounts=accounts)


def _target(target: RouteTarget, names: Names) -> TargetView:
    labels = [each if is_group(each) else names.label("account", each) for each in target.accounts]
    return {"model": target.model, "accounts": labels, "weight": target.weight}
