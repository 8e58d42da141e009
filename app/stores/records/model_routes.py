"""Model routes: names that callers use for one or more models of a pool."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypedDict

import orjson

GROUP_PREFIX = "group:"  # `group:<number>` among the accounts of a target: all accounts of that group

Fields = Mapping[str, Any]  # values of `FIELDS` in app/accounts/route_fields.py


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

    def is_lost(self, account_ids: Container[str]) -> bool:
        """Return whether it names only accounts that were removed: *account_ids* are those that exist."""
        is_there = (each in account_ids or each.startswith(GROUP_PREFIX) for each in self.accounts)
        return bool(self.accounts) and not any(is_there)

    def with_accounts_of(self, groups: Mapping[str, Sequence[str]]) -> RouteTarget:
        """Return this target with each group replaced by the ids of its accounts in *groups*."""
        ids = [account for name in self.accounts for account in groups.get(name) or (name,)]
        return replace(self, accounts=tuple(dict.fromkeys(ids)))


@dataclass(frozen=True, slots=True)
class ModelRoute:
    """A route. Its steps are tried in order; the targets of a step share its conversations by weight."""

    name: str  # a name, or a pattern with `*`
    steps: tuple[tuple[RouteTarget, ...], ...]
    defaults: Fields = field(default_factory=dict)  # set where a request does not have the field
    overrides: Fields = field(default_factory=dict)  # set in place of the request's value

    def public(self) -> RouteJson:
        """Return the route in its stored form."""
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

    def lost_models(self, account_ids: Container[str]) -> list[str]:
        """Return the models of the targets that `is_lost`, each once, in order."""
        lost = (target.model for step in self.steps for target in step if target.is_lost(account_ids))
        return list(dict.fromkeys(lost))

    def is_lost(self, account_ids: Container[str]) -> bool:
        """Return whether all its targets are lost, so that requests for it fail."""
        return all(target.is_lost(account_ids) for step in self.steps for target in step)

    def accounts(self) -> set[str]:
        """Return the ids and groups of accounts that the targets name."""
        return {account for step in self.steps for target in step for account in target.accounts}

    @property
    def has_groups(self) -> bool:
        """Whether a target names a group of accounts."""
        return any(name.startswith(GROUP_PREFIX) for name in self.accounts())

    def with_accounts_of(self, groups: Mapping[str, Sequence[str]]) -> ModelRoute:
        """Return this route with groups replaced by ids. An empty group stays, so that no account matches."""
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
    """Return the route *name* from its stored JSON."""
    stored = orjson.loads(text)
    return ModelRoute(
        name,
        tuple(tuple(map(_read_target, step)) for step in stored["steps"]),
        stored.get("defaults") or {},
        stored.get("overrides") or {},
    )


def _read_target(stored: Mapping[str, Any]) -> RouteTarget:
    return RouteTarget(stored["model"], tuple(stored.get("accounts") or ()), stored.get("weight", 1))
