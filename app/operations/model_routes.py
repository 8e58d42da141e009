"""Set and remove the model routes of a pool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.accounts.account import Account
from app.accounts.accounts import AccountRepository
from app.accounts.model_routes import PoolRoutes
from app.accounts.route_syntax import is_group
from app.errors import InvalidRequest, NotFound
from app.operations.audit_trail import AuditedOperations, AuditTrail
from app.patterns import pattern_error
from app.stores.records.model_routes import GROUP_PREFIX, ModelRoute, RouteTarget
from schemas.bounds import MAX_ROUTES


def unlisted_targets(route: ModelRoute, accounts: Sequence[Account]) -> list[str]:
    """Return the models of *route* that none of *accounts* which it may use lists, in their order."""
    targets = [target for step in route.steps for target in step]
    usable = {target: [one for one in accounts if _may_use(target, one)] for target in targets}
    missing = [
        target.model
        for target in targets
        if accounts and not any(account.may_have(target.model) for account in usable[target])
    ]
    return list(dict.fromkeys(missing))


def _may_use(target: RouteTarget, account: Account) -> bool:
    """Return whether *target* may be served by *account*: it names it, its group, or no account."""
    names = target.accounts
    return not names or account.id in names or f"{GROUP_PREFIX}{account.group}" in names


class ModelRouteOperations(AuditedOperations):
    def __init__(self, audit: AuditTrail, routes: PoolRoutes, accounts: AccountRepository) -> None:
        super().__init__(audit)
        self._routes = routes
        self._accounts = accounts

    def set(self, pool: str, name: str, fields: Mapping[str, Any]) -> ModelRoute:
        """
        Set the route *name* by the *fields* of a valid RouteInput, whose accounts are names and groups.

        It takes effect with the next request. Raises InvalidRequest for a name that no model has and for
        too many routes, NotFound for an unknown account.
        """
        if error := pattern_error(name):
            raise InvalidRequest(f"The name of a model route {error}", param="name")
        self._audit.ensure_pool(pool)
        steps = tuple(tuple(self._target(pool, target) for target in step) for step in fields["steps"])
        route = ModelRoute(name, steps, fields["defaults"], fields["overrides"])
        known = self._routes.all(pool)
        if name not in known and len(known) >= MAX_ROUTES:
            raise InvalidRequest(f"A pool has at most {MAX_ROUTES} model routes", param="name")
        with self._audit.change("model.set", pool, name) as change:
            change.before = known[name].public() if name in known else None
            self._routes.put(pool, route)
            change.after = route.public()
        return route

    def remove(self, pool: str, name: str) -> None:
        """Remove the route *name*. Raises NotFound when there is none."""
        before = self._routes.find(pool, name).public()
        with self._audit.change("model.remove", pool, name) as change:
            change.before = before
            self._routes.remove(pool, name)

    def _target(self, pool: str, target: Mapping[str, Any]) -> RouteTarget:
        groups = [name for name in target["accounts"] if is_group(name)]
        names = [name for name in target["accounts"] if not is_group(name)]
        try:
            ids = self._accounts.ids(pool, names)
        except NotFound as error:
            message = f"{error.message}; where the '@' is of the model's own name, add an '@' at its end"
            raise NotFound(message, param="steps") from None
        return RouteTarget(target["model"], (*ids, *dict.fromkeys(groups)), target["weight"])
