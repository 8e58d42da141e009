"""Which models the playground offers first, and why others cannot be served now."""

from __future__ import annotations

from typing import Any

from app.accounts.account import Account
from app.accounts.model_routes import RouteTable
from app.presentation.model_choices import MAX_EXPLAINED, ModelChoices
from app.stores.records.accounts import AccountState, ModelRest, ModelState
from app.stores.records.api_keys import ApiKey
from app.stores.records.model_routes import ModelRoute, RouteTarget

NOW = 1_800_000_000.0
ANN, BOB = ApiKey("key_1", "ann", "default"), ApiKey("key_2", "bob", "default", accounts=("acct_spare",))
ROUTE = ModelRoute("fast", ((RouteTarget("m1"),),))


def account(name: str, *models: str, state: str = "active", **more: Any) -> Account:
    url = "http://up.test"
    return Account(
        f"acct_{name}",
        name,
        "openai",
        url,
        models=models,
        state=AccountState(state),
        has_answered=True,
        **more,
    )


def choices(*accounts: Account, rests: dict[str, list[ModelRest]] | None = None) -> ModelChoices:
    return ModelChoices(accounts, RouteTable((ROUTE,)), NOW, rests or {})


def test_models_that_can_be_served_come_first() -> None:
    found = choices(account("main", "m1", state="paused"), account("other", "m2")).of(ANN)

    assert found == [
        ("m2", "m2"),
        ("fast", "fast (cannot be served now: m1: main is paused)"),
        ("m1", "m1 (cannot be served now: main is paused)"),
    ]


def test_a_model_that_rests_at_its_only_account() -> None:
    """As an account that answered 404 does not get requests for it for a while."""
    rest = ModelRest("m2", ModelState.MISSING, int((NOW + 300) * 1000))
    main, reason = account("main", "m1", "m2"), "main does not have it, next try in 5 min"

    assert dict(choices(main, rests={"acct_main": [rest]}).of(ANN)) == {
        "fast": "fast",
        "m1": "m1",
        "m2": f"m2 (cannot be served now: {reason})",
    }
    other = account("spare", "m2")
    assert dict(choices(main, other, rests={"acct_main": [rest]}).of(ANN))["m2"] == "m2"


def test_accounts_that_the_key_may_use() -> None:
    accounts = (account("main", "m1"), account("spare", "m1", state="paused"))

    assert dict(choices(*accounts).of(ANN))["m1"] == "m1"
    assert dict(choices(*accounts).of(BOB))["m1"] == "m1 (cannot be served now: spare is paused)"


def test_accounts_that_have_never_answered() -> None:
    main = account("main", "m1", unproven="credential")

    assert dict(choices(main).of(ANN))["m1"] == "m1 (no answer yet: main, credential refused)"
    assert dict(choices(main, account("spare", "m1")).of(ANN))["m1"] == "m1"


def test_the_first_key_with_a_model_that_can_be_served() -> None:
    accounts = (account("main", "m1"), account("spare", "m2", state="paused"))

    assert choices(*accounts).first_served([BOB, ANN]) == ANN
    assert choices(*accounts).first_served([BOB]) == BOB
    assert choices(*accounts).first_served([]) is None


def test_the_number_of_reasons_is_bounded() -> None:
    models = [f"m{number:03}" for number in range(MAX_EXPLAINED + 5)]

    labels = [label for _, label in choices(account("main", *models, state="paused")).of(ANN)]

    assert labels[0] == "m000 (cannot be served now: main is paused)"
    assert labels[-1] == f"{models[-1]} (cannot be served now)"
