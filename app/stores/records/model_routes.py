"""Model routes: names that callers use for one or more models of a pool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypedDict

import orjson

GROUP_PREFIX = "group:"  # + a number: all accounts of that group, among the accounts of a target

Fields = Mapping[str, Any]  # of `FIELDS` in app/accounts/route_fields.py


class TargetJson(TypedDict):
    """A RouteTarget as it is stored; `accounts` are ids and groups."""

    model: str
    accounts: Sequence[str]
    weight: int


class RouteJson(TypedDict):
    """A ModelRoute as it is stored, without its name."""

    steps: Sequence[Sequence[TargetJson]]
    defaults: Fields
    overrides: Fields


@dataclass(frozen=True, slots=True)
class RouteTarget:
    """A model, and the accounts that may serve it, as ids and groups (`group:2`); empty: any."""

    model: str
    accounts: tuple[str, ...] = ()
    weight: int = 1  # its share of the conversations of its step

    def with_accounts_of(self, groups: Mapping[str, Sequence[str]]) -> RouteTarget:
        """Return it with the ids of the accounts of *groups* in the place of their names."""
        ids = [account for name in self.accounts for account in groups.get(name) or (name,)]
        return replace(self, accounts=tuple(dict.fromkeys(ids)))


@dataclass(frozen=True, slots=True)
class ModelRoute:
    """Steps are tried in order; the targets of one step share its conversations by their weights."""

    name: str  # or a pattern, with `*`
    steps: tuple[tuple[RouteTarget, ...], ...]
    defaults: Fields = field(default_factory=dict)  # where a request does not have the field
    overrides: Fields = field(default_factory=dict)  # in place of what a request has

    def public(self) -> RouteJson:
        """Return it as it is stored."""
        return {
            "steps": [
                [
                    {"model": target.model, "accounts": list(target.accounts), "weight": target.weight}
                    for target in step
                ]
                for step in self.steps
            ],
            "defaults": dict(self.defaults),
            "overrides": dict(self.overrides),
        }

    def accounts(self) -> set[str]:
        """Return the ids and groups of all accounts that its targets name."""
        return {account for step in self.steps for target in step for account in target.accounts}

    @property
    def has_groups(self) -> bool:
        """Whether a target names a group of accounts."""
        return any(name.startswith(GROUP_PREFIX) for name in self.accounts())

    def with_accounts_of(self, groups: Mapping[str, Sequence[str]]) -> ModelRoute:
        """Return it with the ids of the accounts of *groups*; an empty group stays, for no account."""
        steps = tuple(tuple(target.with_accounts_of(groups) for target in step) for step in self.steps)
        return replace(self, steps=steps)


@dataclass(frozen=True, slots=True)
class StoredRoutes:
    """The routes of a pool by name; *version* counts their changes."""

    version: str
    routes: Mapping[str, ModelRoute]


def write_route(route: ModelRoute) -> str:
    """Return *route* as JSON."""
    return orjson.dumps(route.public()).decode()


def read_route(name: str, text: str) -> ModelRoute:
    """Return the route *name* of its JSON."""
    stored = orjson.loads(text)
    return ModelRoute(
        name,
        tuple(tuple(map(_read_target, step)) for step in stored["steps"]),
        stored.get("defaults") or {},
        stored.get("overrides") or {},
    )


def _read_target(stored: Mapping[str, Any]) -> RouteTarget:
    return RouteTarget(stored["model"], tuple(stored.get("accounts") or ()), stored.get("weight", 1))
