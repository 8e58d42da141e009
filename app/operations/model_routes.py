"""Set and remove the model routes of a pool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

from app.accounts.account import Account
from app.accounts.accounts import AccountRepository
from app.accounts.model_routes import PoolRoutes
from app.accounts.route_syntax import is_group
from app.errors import InvalidRequest, NotFound
from app.operations.audit_trail import AuditedOperations, AuditTrail
from app.operations.unlisted_models import lists_model, unlisted_targets
from app.patterns import pattern_error
from app.stores.records.model_routes import ModelRoute, RouteTarget
from app.suggestions import aside
from schemas.bounds import MAX_ROUTES
from schemas.model_routes import KNOWN_VALUES

_ITS_MODELS = "name the models of its steps instead"


class ModelRouteOperations(AuditedOperations):
    def __init__(self, audit: AuditTrail, routes: PoolRoutes, accounts: AccountRepository) -> None:
        super().__init__(audit)
        self._routes = routes
        self._accounts = accounts

    def set(self, pool: str, name: str, fields: Mapping[str, Any]) -> ModelRoute:
        """
        Set the route *name* to the *fields* of a valid RouteInput, whose accounts are names and groups.

        It takes effect with the next request. Raises InvalidRequest for a name that no model can have, for a
        route that means nothing and for too many routes, NotFound for an unknown account.
        """
        route = self._checked_route(pool, name, fields)
        before = self._replaced_route(pool, name)
        with self._audit.change("model.set", pool, name) as change:
            change.before = before.public() if before else None
            self._routes.put(pool, route)
            change.after = route.public()
        return route

    def add(self, pool: str, name: str, fields: Mapping[str, Any]) -> ModelRoute:
        """Like `set` for a new route. Raises InvalidRequest also if a route *name* exists, which stays."""
        route = self._checked_route(pool, name, fields)
        self._replaced_route(pool, name)
        with self._audit.change("model.set", pool, name) as change:
            if not self._routes.add(pool, route):
                raise InvalidRequest(f"A model route named '{name}' exists in pool '{pool}'", param="name")
            change.after = route.public()
        return route

    def find_warnings(self, pool: str, route: ModelRoute) -> list[str]:
        """Return sentences about what is probably a mistake in *route*, which was just set."""
        return route_warnings(route, self._accounts.all(pool), self._routes.all(pool).keys())

    def remove(self, pool: str, name: str) -> None:
        """Remove the route *name*. Raises NotFound if it does not exist."""
        before = self._routes.find(pool, name).public()
        with self._audit.change("model.remove", pool, name) as change:
            change.before = before
            self._routes.remove(pool, name)

    def _checked_route(self, pool: str, name: str, fields: Mapping[str, Any]) -> ModelRoute:
        """Return the route that *fields* describe; create *pool* if it does not exist."""
        if error := pattern_error(name):
            raise InvalidRequest(f"The name of a model route {error}", param="name")
        self._audit.ensure_pool(pool)
        steps = tuple(tuple(self._target(pool, target) for target in step) for step in fields["steps"])
        route = ModelRoute(name, steps, fields["defaults"], fields["overrides"])
        if means_nothing(route, self._accounts.all(pool)):
            message = f"'{name}' would only lead to itself, and no account lists a model of that name"
            raise InvalidRequest(message, param="steps")
        return route

    def _replaced_route(self, pool: str, name: str) -> ModelRoute | None:
        """Return the present route *name*. Raises InvalidRequest if there is none and no room for one."""
        known = self._routes.all(pool)
        if name not in known and len(known) >= MAX_ROUTES:
            raise InvalidRequest(f"A pool has at most {MAX_ROUTES} model routes", param="name")
        return known.get(name)

    def _target(self, pool: str, target: Mapping[str, Any]) -> RouteTarget:
        groups = [name for name in target["accounts"] if is_group(name)]
        names = [name for name in target["accounts"] if not is_group(name)]
        try:
            ids = self._accounts.ids(pool, names)
        except NotFound as error:
            end = "" if error.message.endswith("?") else "."
            message = f"{error.message}{end} If the '@' belongs to the model's name, add an '@' at its end"
            raise NotFound(message, param="steps") from None
        return RouteTarget(target["model"], (*ids, *dict.fromkeys(groups)), target["weight"])


def means_nothing(route: ModelRoute, accounts: Sequence[Account]) -> bool:
    """Return whether *route* only leads to its own name and sets no field, while *accounts* list others."""
    targets = {(target.model, target.accounts) for step in route.steps for target in step}
    if targets != {(route.name, ())} or route.defaults or route.overrides:
        return False
    unlisted = unlisted_targets(route, accounts)
    return bool(unlisted) and not unlisted.silent


def route_warnings(route: ModelRoute, accounts: Sequence[Account], routes: Set[str]) -> list[str]:
    """Return sentences about probable mistakes in *route* of a pool with these *accounts* and *routes*."""
    targets = {target.model for step in route.steps for target in step}
    nested = sorted(
        model
        for model in targets & routes - {route.name}
        if not any(lists_model(account, model) for account in accounts)
    )
    unlisted = unlisted_targets(route, accounts, nested)
    return [
        *(f"'{model}' is itself a model route, and targets are models: {_ITS_MODELS}" for model in nested),
        *([unlisted.sentence("no account that the route may use")] if unlisted else []),
        *value_warnings(route),
    ]


def value_warnings(route: ModelRoute) -> list[str]:
    """Return sentences about values that *route* sets and that no known server accepts."""
    return [
        f"no known server accepts {field} '{value}'{aside(value, known)}: {', '.join(known)}"
        for fields in (route.defaults, route.overrides)
        for field, known in KNOWN_VALUES.items()
        if (value := fields.get(field)) is not None and value not in known
    ]
