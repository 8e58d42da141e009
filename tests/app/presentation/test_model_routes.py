"""What a name means, for operators."""

from __future__ import annotations

from dataclasses import replace

from app.accounts.model_routes import RouteTable
from app.presentation.model_routes import resolve, serialize_route, step_texts
from app.presentation.names import Names
from app.stores.records.api_keys import ApiKey
from app.stores.records.model_routes import ModelRoute, RouteTarget

NAMES = Names({}, {"acct_1": "gpu1", "acct_2": "gpu2"}, {"acct_9": "old"})
FAST = ModelRoute("fast", ((RouteTarget("a", ("acct_1", "acct_9")),), (RouteTarget("b", ("acct_2",)),)))
TABLE = RouteTable([FAST, ModelRoute("f*", ((RouteTarget("c"),),)), ModelRoute("*", ((RouteTarget("d"),),))])


def key(**more: tuple[str, ...]) -> ApiKey:
    return ApiKey("key_1", "ann", "p", **more)


def test_a_route() -> None:
    """An account that was removed is shown as such, by its name as long as that is known."""
    view = serialize_route(FAST, NAMES)
    unknown = serialize_route(FAST, replace(NAMES, former={}))

    assert step_texts(view["steps"]) == ["a@gpu1,old (removed)", "b@gpu2"]
    assert step_texts(unknown["steps"])[0] == "a@gpu1,acct_9 (removed)"


def test_rules() -> None:
    exact, pattern = (resolve(TABLE, name, NAMES) for name in ("fast", "first"))
    model = resolve(RouteTable([FAST]), "m", NAMES)

    assert (exact["rule"], exact["route"], exact["shadowed"]) == ("exact", "fast", ["f*", "*"])
    assert (pattern["rule"], pattern["route"], pattern["shadowed"]) == ("pattern", "f*", ["*"])
    assert (model["rule"], model["route"], step_texts(model["steps"])) == ("model", None, ["m"])
    assert exact["allowed"]


def test_of_a_key() -> None:
    """Only what the key may use: its permission is that of the name, its accounts restrict each step."""
    found = resolve(TABLE, "fast", NAMES, key(models=("fast",), accounts=("acct_2",)))
    assert (found["allowed"], step_texts(found["steps"])) == (True, ["b@gpu2"])

    assert not resolve(TABLE, "fast", NAMES, key(models=("a",)))["allowed"]
    assert resolve(TABLE, "first", NAMES, key(models=("f*",)))["allowed"]
    any_account = resolve(TABLE, "first", NAMES, key(accounts=("acct_1",)))
    assert step_texts(any_account["steps"]) == ["c@gpu1"]
