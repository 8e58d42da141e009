"""
Model routes: which models and accounts may serve a name that a caller uses.

A name means, in this order: the route with exactly this name; the route whose pattern matches it and has
the most characters besides `*`; the model with this name. Targets of routes are models, never routes, so
there are no loops. A process reads the routes of a pool once per change of its routes or its accounts: a
target may name a group of accounts.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence

from app.errors import NotFound
from app.patterns import STAR, matches
from app.stores.accounts import AccountHashes
from app.stores.model_routes import ModelRouteRepository
from app.stores.pool_tables import PoolTables
from app.stores.records.model_routes import ModelRoute, RouteTarget
from app.suggestions import suggestion

MAX_KNOWN = 1000  # names whose route a table caches: callers choose them


class RouteTable:
    """The routes of one pool, in the order in which they apply."""

    def __init__(self, routes: Iterable[ModelRoute]) -> None:
        routes = sorted(routes, key=lambda route: route.name)
        self.exact: Mapping[str, ModelRoute] = {
            route.name: route for route in routes if STAR not in route.name
        }
        self.patterns: Sequence[ModelRoute] = sorted(
            (route for route in routes if STAR in route.name), key=_specificity, reverse=True
        )
        self._known: dict[str, ModelRoute | None] = {}  # name -> the route that applies to it

    def find(self, name: str) -> ModelRoute | None:
        """Return the route that applies to *name*, None if *name* is that of a model."""
        if name not in self._known:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            self._known[name] = self._find(name)
        return self._known[name]

    def _find(self, name: str) -> ModelRoute | None:
        if route := self.exact.get(name):
            return route
        return next((route for route in self.patterns if matches(route.name, name)), None)

    def matching(self, name: str) -> list[ModelRoute]:
        """Return every route that matches *name*, the one that applies first."""
        exact = self.exact.get(name)
        found = [route for route in self.patterns if matches(route.name, name)]
        return found if exact is None else [exact, *found]


class PoolRoutes(PoolTables[RouteTable]):
    """Route tables by pool, cached in this process. One round trip after each change, three with groups."""

    def __init__(self, routes: ModelRouteRepository, accounts: AccountHashes) -> None:
        super().__init__(NO_ROUTES)
        self._routes = routes
        self._accounts = accounts

    def all(self, pool: str) -> Mapping[str, ModelRoute]:
        """Return the routes of *pool* by name, sorted. One round trip."""
        return self._routes.read(pool).routes

    def find(self, pool: str, name: str) -> ModelRoute:
        """Return the route *name* of *pool*. Raises NotFound when there is none."""
        routes = self.all(pool)
        if (route := routes.get(name)) is None:
            message = f"There is no model route '{name[:64]}' in pool '{pool}'{suggestion(name, routes)}"
            raise NotFound(message, param="name")
        return route

    def put(self, pool: str, route: ModelRoute) -> None:
        """Add *route*, or replace the route of that name; takes effect with the next request."""
        self._routes.put(pool, route)

    def add(self, pool: str, route: ModelRoute) -> bool:
        """Add *route* unless there is one of that name; return whether it was added."""
        return self._routes.add(pool, route)

    def remove(self, pool: str, name: str) -> bool:
        """Remove the route *name*; return whether there was one."""
        return self._routes.remove(pool, name)

    def _read(self, pool: str) -> tuple[str, RouteTable]:
        stored = self._routes.read(pool)
        routes = list(stored.routes.values())
        if any(route.has_groups for route in routes):
            groups = self._accounts.groups(pool)
            routes = [route.with_accounts_of(groups) for route in routes]
        return stored.version, RouteTable(routes)


def targets_of(route: ModelRoute, conversation: str) -> list[RouteTarget]:
    """
    Return the targets of *route* in the order in which a request tries them.

    Each step comes in an order that depends on *conversation* alone: a target is first with the
    probability of its weight, and a change of one weight moves no conversation between the others.
    """
    targets: list[RouteTarget] = []
    for number, step in enumerate(route.steps):
        if len(step) == 1:
            targets += step
        else:
            targets += sorted(step, key=lambda target: _rank(target, f"{number}\0{conversation}"))
    return targets


def is_weighted(route: ModelRoute) -> bool:
    """Return whether the targets of *route* depend on the conversation."""
    return len(route.steps) < sum(map(len, route.steps))


def _rank(target: RouteTarget, seed: str) -> float:
    """Return a number that is the lowest within the step with a probability given by the target's weight."""
    identity = "\0".join((seed, target.model, *target.accounts))
    digest = hashlib.blake2b(identity.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    uniform = (int.from_bytes(digest) + 0.5) / 2**64
    return -math.log(uniform) / target.weight


def _specificity(route: ModelRoute) -> tuple[int, int, str]:
    """Return the sort key of a pattern: its characters besides `*`, then the fewest `*`, then its name."""
    stars = route.name.count(STAR)
    return len(route.name) - stars, -stars, route.name


NO_ROUTES = RouteTable(())
