"""The model routes of a pool; their version changes with every change."""

from __future__ import annotations

from typing import Any

import pytest

from app.stores import keys
from app.stores.model_routes import ModelRouteRepository
from app.stores.records.model_routes import ModelRoute, RouteTarget, StoredRoutes
from app.stores.records.versions import NONE_SET
from app.stores.scripts import Scripts

FAST = ModelRoute(
    "fast",
    ((RouteTarget("a", weight=9), RouteTarget("b", ("acct_1",))), (RouteTarget("c"),)),
    {"temperature": 0.5},
    {"max_tokens": 10},
)


@pytest.fixture
def routes(redis_client: Any) -> ModelRouteRepository:
    return ModelRouteRepository(Scripts(redis_client))


def test_none(routes: ModelRouteRepository) -> None:
    assert routes.read("p") == StoredRoutes(NONE_SET, {})
    assert not routes.remove("p", "fast")


def test_put_read_and_remove(routes: ModelRouteRepository) -> None:
    routes.put("p", FAST)
    assert routes.read("p") == StoredRoutes("1", {"fast": FAST})
    assert routes.read("q").routes == {}

    replaced = ModelRoute("fast", ((RouteTarget("d"),),))
    routes.put("p", replaced)
    assert routes.read("p") == StoredRoutes("2", {"fast": replaced})

    assert routes.remove("p", "fast")
    assert routes.read("p") == StoredRoutes("3", {})


def test_add_replaces_nothing(routes: ModelRouteRepository) -> None:
    assert routes.add("p", FAST)
    assert not routes.add("p", ModelRoute("fast", ((RouteTarget("d"),),)))
    assert routes.read("p").routes == {"fast": FAST}


def test_a_record_with_only_models(routes: ModelRouteRepository, redis_client: Any) -> None:
    """What a record leaves out has its default."""
    redis_client.hset(keys.routes("p"), "fast", '{"steps": [[{"model": "m"}]]}')

    assert routes.read("p").routes == {"fast": ModelRoute("fast", ((RouteTarget("m"),),))}
