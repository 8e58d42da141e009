"""The model routes of pools, in Redis."""

from __future__ import annotations

from typing import Any

from app.stores import keys
from app.stores.records.model_routes import NONE_SET, ModelRoute, StoredRoutes, read_route, write_route
from app.stores.scripts import Scripts


class ModelRouteRepository:
    """Routes by pool and name; a change takes effect with the next request."""

    def __init__(self, scripts: Scripts) -> None:
        self._client: Any = scripts.client

    def read(self, pool: str) -> StoredRoutes:
        """Return the routes of *pool*. One round trip."""
        pipeline = self._client.pipeline(transaction=True)
        pipeline.hget(keys.pool(pool), "routes")
        pipeline.hgetall(keys.routes(pool))
        version, routes = pipeline.execute()
        return StoredRoutes(
            version or NONE_SET, {name: read_route(name, text) for name, text in sorted(routes.items())}
        )

    def put(self, pool: str, route: ModelRoute) -> None:
        """Add *route*, or replace the one that has its name."""
        pipeline = self._client.pipeline(transaction=True)
        pipeline.hset(keys.routes(pool), route.name, write_route(route))
        pipeline.hincrby(keys.pool(pool), "routes", 1)
        pipeline.execute()

    def remove(self, pool: str, name: str) -> bool:
        """Remove the route *name*; return whether there was one."""
        pipeline = self._client.pipeline(transaction=True)
        pipeline.hdel(keys.routes(pool), name)
        pipeline.hincrby(keys.pool(pool), "routes", 1)
        removed: int = pipeline.execute()[0]
        return removed > 0
