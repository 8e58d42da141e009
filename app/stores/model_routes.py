"""The model routes of pools, in Redis."""

from __future__ import annotations

from app.stores import keys
from app.stores.records.model_routes import ModelRoute, StoredRoutes, read_route, write_route
from app.stores.scripts import Scripts
from app.stores.versioned_hash import VersionedHash


class ModelRouteRepository:
    """Routes by pool and name; a change takes effect with the next request."""

    def __init__(self, scripts: Scripts) -> None:
        self._hash = VersionedHash(scripts, "routes", keys.routes)

    def read(self, pool: str) -> StoredRoutes:
        """Return the routes of *pool*. One round trip."""
        version, routes = self._hash.read(pool)
        return StoredRoutes(version, {name: read_route(name, text) for name, text in sorted(routes.items())})

    def put(self, pool: str, route: ModelRoute) -> None:
        """Add *route*, or replace the route of that name."""
        self._hash.put(pool, route.name, write_route(route))

    def add(self, pool: str, route: ModelRoute) -> bool:
        """Add *route* unless there is one of that name; return whether it was added."""
        return self._hash.add(pool, route.name, write_route(route))

    def remove(self, pool: str, name: str) -> bool:
        """Remove the route *name*; return whether there was one."""
        return self._hash.remove(pool, name)
