"""A new account takes the place of removed accounts of its name in model routes and API keys."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from app.stores import keys
from app.stores.model_routes import ModelRouteRepository
from app.stores.records.model_routes import ModelRoute, RouteTarget
from tests.support.store import StoreOfTest


def route(*accounts: str, model: str = "m") -> ModelRoute:
    return ModelRoute("fast", ((RouteTarget(model, accounts, 3), RouteTarget("n")),), {"temperature": 0.1})


def add(store: StoreOfTest, account_id: str, name: str) -> None:
    """Add an account whose id differs from its name."""
    record = {"id": account_id, "name": name, "offer": "c:openai:any", "weight": 1, "cap": 1}
    store.scripts.run("put_account", store.pool, account_id, name, orjson.dumps(record), "[]")


@pytest.fixture
def routes(store: StoreOfTest) -> ModelRouteRepository:
    return ModelRouteRepository(store.scripts)


def accounts_of(store: StoreOfTest, key: str) -> Any:
    return orjson.loads(store.client.hget(keys.api_key(store.pool, key), "accounts"))


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        (("acct_1",), ("acct_3",)),
        (("acct_2", "acct_1", "group:2"), ("acct_2", "acct_3", "group:2")),
        (("acct_1", "acct_0"), ("acct_3",)),  # two former accounts of this name
        (("acct_2",), ("acct_2",)),
        ((), ()),
    ],
)
def test_it_takes_their_place(
    store: StoreOfTest, routes: ModelRouteRepository, named: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    for account_id in ("acct_0", "acct_1"):
        add(store, account_id, "main")
        store.remove(account_id)
    add(store, "acct_2", "other")
    routes.put(store.pool, route(*named))
    store.key("ann", accounts=named)
    version = routes.read(store.pool).version

    add(store, "acct_3", "main")

    read = routes.read(store.pool)
    assert read.routes["fast"] == route(*expected)
    assert read.version != version
    assert accounts_of(store, "ann") == list(expected)


def test_text_that_looks_like_an_account_stays(store: StoreOfTest, routes: ModelRouteRepository) -> None:
    """Only lists of accounts change."""
    add(store, "acct_1", "main")
    store.remove("acct_1")
    model = 'acct_1 "accounts":["acct_1"]'
    routes.put(store.pool, route("acct_1", model=model))

    add(store, "acct_3", "main")

    assert routes.read(store.pool).routes["fast"] == route("acct_3", model=model)


def test_another_name_or_a_change_takes_no_place(store: StoreOfTest, routes: ModelRouteRepository) -> None:
    add(store, "acct_1", "main")
    add(store, "acct_2", "other")
    store.remove("acct_1")
    routes.put(store.pool, route("acct_1"))

    add(store, "acct_2", "other")
    add(store, "acct_3", "Main")

    assert routes.read(store.pool).routes["fast"] == route("acct_1")


def test_fields_that_a_route_sets_stay(store: StoreOfTest, routes: ModelRouteRepository) -> None:
    """Also if one has the name and the form of a list of accounts."""
    fields = {"metadata": {"accounts": ["a]b", "c"], "more": {"accounts": []}}}
    add(store, "acct_1", "main")
    store.remove("acct_1")
    routes.put(store.pool, ModelRoute("fast", ((RouteTarget("m", ("acct_1",)),),), fields))

    add(store, "acct_3", "main")

    assert routes.read(store.pool).routes["fast"] == ModelRoute(
        "fast", ((RouteTarget("m", ("acct_3",)),),), fields
    )
