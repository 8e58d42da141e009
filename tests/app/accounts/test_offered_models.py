"""What an API key may use: models of accounts, and model routes with an exact name."""

from __future__ import annotations

from dataclasses import replace

from app.accounts.account import Account
from app.accounts.model_routes import RouteTable
from app.accounts.offered_models import offered_models
from app.stores.records.accounts import AccountState
from app.stores.records.api_keys import ApiKey
from app.stores.records.model_routes import ModelRoute, RouteTarget


def account(name: str, *models: str, kind: str = "openai") -> Account:
    return Account(f"acct_{name}", name, kind, "http://127.0.0.1:1/v1", models=models)


def route(name: str, model: str, *accounts: str) -> ModelRoute:
    return ModelRoute(name, ((RouteTarget(model, accounts=accounts),),))


def names(key: ApiKey, accounts: list[Account], *routes: ModelRoute, demo: bool = False) -> list[str]:
    return [model.name for model in offered_models(key, accounts, RouteTable(routes), demo=demo)]


ALL = ApiKey("key_1", "ann", "default")
MAIN, SPARE = account("main", "m1", "m2"), account("spare", "m3")


def test_models_of_all_accounts_by_name() -> None:
    assert names(ALL, [SPARE, MAIN]) == ["m1", "m2", "m3"]


def test_only_models_and_accounts_that_the_key_may_use() -> None:
    assert names(ApiKey("key_1", "ann", "default", models=("m2", "m9")), [MAIN, SPARE]) == ["m2"]
    assert names(ApiKey("key_1", "ann", "default", accounts=("acct_spare",)), [MAIN, SPARE]) == ["m3"]


def test_a_route_is_offered_where_an_account_offers_its_target() -> None:
    fast, gone = route("fast", "m1"), route("gone", "m9")

    assert names(ALL, [MAIN], fast, gone) == ["fast", "m1", "m2"]
    assert names(ALL, [MAIN, SPARE], route("fast", "m1", "acct_spare")) == ["m1", "m2", "m3"]


def test_a_route_to_a_kind_that_lists_other_names() -> None:
    """Azure lists base models, and a route names a deployment."""
    azure = replace(account("azure", kind="azure"), listed=("m1",))

    assert names(ALL, [azure], route("fast", "deployment")) == ["fast", "m1"]


def test_a_route_to_a_model_that_no_account_lists() -> None:
    """Accounts that may serve other models than they list are tried, so requests for it can be served."""
    listing, without_list = replace(account("main"), listed=("m1",)), account("gpu")

    assert names(ALL, [listing], route("fast", "hidden")) == ["fast", "m1"]
    assert names(ALL, [MAIN, without_list], route("fast", "hidden")) == ["fast", "m1", "m2"]
    assert names(ALL, [MAIN, without_list], route("fast", "hidden", "acct_gpu")) == ["fast", "m1", "m2"]
    assert names(ALL, [MAIN], route("fast", "hidden")) == ["m1", "m2"]
    assert names(
        ALL, [replace(MAIN, models=(), listed=("m1",)), SPARE], route("fast", "m3", "acct_spare")
    ) == [
        "fast",
        "m1",
        "m3",
    ]


def test_a_route_to_a_model_that_other_accounts_list() -> None:
    """An account whose own list lacks it is tried only where no account of the route lists it."""
    listing = replace(account("main"), listed=("m1",))

    assert names(ALL, [listing, SPARE], route("fast", "m3")) == ["fast", "m1", "m3"]
    assert names(ApiKey("key_1", "ann", "default", accounts=("acct_main",)), [listing, SPARE]) == ["m1"]


def test_a_name_of_the_key_that_a_pattern_routes() -> None:
    """Only what the key is given has a name; where nothing offers the target, it is not listed."""
    key = ApiKey("key_1", "ann", "default", models=("gpt-4o", "gpt-4*", "m2"))

    assert names(key, [MAIN], route("gpt-4*", "m1")) == ["gpt-4o", "m2"]
    assert names(key, [MAIN], route("gpt-4*", "m9")) == ["m2"]
    assert names(ALL, [MAIN], route("gpt-4*", "m1")) == ["m1", "m2"]


def test_patterns_of_the_key() -> None:
    key = ApiKey("key_1", "ann", "default", models=("*1", "fa*"))

    assert names(key, [MAIN, SPARE], route("fast", "m3")) == ["fast", "m1"]


def test_a_route_that_has_the_name_of_a_model() -> None:
    """The model of the account is listed, and known to be routed."""
    m1 = route("m1", "m2")

    offered = offered_models(ALL, [MAIN], RouteTable([m1]), demo=False)

    assert [(model.name, model.owned_by, model.route) for model in offered] == [
        ("m1", "openai", m1),
        ("m2", "openai", None),
    ]


def test_simulated_models_only_where_they_answer() -> None:
    demo = account("demo", "demo", kind="demo")

    assert names(ALL, [demo]) == []
    assert names(ALL, [demo], demo=True) == ["demo"]


def test_simulated_models_until_another_account_has_answered() -> None:
    """A first account with a wrong key or address leaves them as they were."""
    demo, main = account("demo", "demo", kind="demo"), account("main", "m1")
    paused = replace(main, has_answered=True, state=AccountState.PAUSED)

    assert names(ALL, [demo, main], demo=True) == ["demo", "m1"]
    assert names(ALL, [demo, paused], demo=True) == ["demo", "m1"]
    assert names(ALL, [demo, replace(main, has_answered=True)], demo=True) == ["m1"]
