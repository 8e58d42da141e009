"""Whether a model route can be served now."""

from __future__ import annotations

from typing import Any

import pytest

from app.accounts.account import Account
from app.presentation.route_serving import serving_now, serving_text
from app.stores.records.accounts import AccountState, ModelRest, ModelState
from app.stores.records.api_keys import ApiKey
from app.stores.records.model_routes import RouteTarget

NOW = 1_800_000_000.0
STEPS = ((RouteTarget("a", ("acct_1",)),), (RouteTarget("b"),))


def account(name: str, state: str = "active", **more: Any) -> Account:
    fields: dict[str, Any] = {"models": ("a", "b"), "has_answered": True, "kind": "openai"} | more
    return Account(f"acct_{name}", name, base_url="http://up.test", state=AccountState(state), **fields)


def text(*accounts: Account) -> str:
    return serving_text(serving_now(STEPS, accounts, {}, NOW))


def test_the_first_target_that_an_account_can_serve() -> None:
    assert text(account("1"), account("2")) == "a at 1"
    assert text(account("1", "paused"), account("3"), account("2")) == "b at 2, 3 (a: 1 is paused)"
    assert text(*map(account, "23456")) == ("b at 2, 3, 4 and 2 more (no account is left for a)")


def test_why_none_can_be_served() -> None:
    """Each target has its reason: no account is left or offers the model, or none that does is available."""
    assert text() == "no: no account is left for a; no account that it may use offers b"
    assert text(account("1", models=("c",))) == "no: no account that it may use offers a, b"
    assert text(account("2", "credential_dead")) == (
        "no: b: 2 is out of use (credential refused); no account is left for a"
    )
    assert text(account("1", in_flight=100)) == "no: a: 1 is full; b: 1 is full"


def test_a_model_that_no_account_lists_is_tried_at_any() -> None:
    """Those whose lists are unknown come before those that list others, as in selection."""
    listing = account("2", models=(), listed=("b",))

    assert (
        text(account("1", models=(), listed=("c",))) == "a at 1 (any account is tried because none lists a)"
    )
    assert text(account("1", models=()), listing) == "a at 1"
    assert text(account("1", "paused", models=(), listed=("b",))) == (
        "no: a: 1 is paused; b: 1 is paused; any account is tried because none lists a"
    )
    assert text(account("1", kind="azure", models=(), listed=("c",))) == "a at 1"


def test_an_account_that_lacks_what_it_lists() -> None:
    """Others are tried until it is tried again."""
    accounts = [account("3", models=(), listed=("b",)), account("4", models=(), listed=("c",))]
    missing = ModelRest("b", ModelState.MISSING, int((NOW + 90) * 1000))

    serving = serving_now(STEPS[1:], accounts, {"acct_3": [missing]}, NOW)

    assert serving["accounts"] == ["4"]


def test_only_accounts_of_the_key() -> None:
    key = ApiKey("key_1", "ann", "default", accounts=("acct_2",))

    serving = serving_now(STEPS, [account("1"), account("2")], {}, NOW, key)

    assert serving_text(serving) == "b at 2 (no account that it may use offers a)"


@pytest.mark.parametrize(
    ("state", "until", "is_served"),
    [
        ("window_spent", NOW + 60, False),
        ("window_spent", NOW - 60, True),
        ("suspected", NOW - 1, True),
        ("suspected", 0, False),
        ("paused", NOW - 60, False),
    ],
)
def test_an_account_that_is_due_back_can_serve(state: str, until: float, is_served: bool) -> None:
    serving = serving_now(STEPS, [account("1", state, until_ms=int(until * 1000))], {}, NOW)

    assert (serving["model"] == "a") is is_served


def test_simulated_accounts_serve_until_another_has_answered() -> None:
    demo = Account("acct_d", "demo", "demo", "http://demo.test", models=("b",))

    assert text(demo).startswith("b at demo")
    assert text(demo, account("2", models=("c",))).startswith("no: ")


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ("missing", "1 does not have it"),
        ("overloaded", "1 is overloaded for it"),
        ("limited", "1 is rate limited for it"),
        ("suspected", "1 failed for it"),
    ],
)
def test_a_model_that_rests_is_passed_over(state: str, why: str) -> None:
    """The next target is named, with the reason; other models of the account are served."""
    rest = ModelRest("a", ModelState(state), int((NOW + 90) * 1000))

    serving = serving_now(STEPS, [account("1")], {"acct_1": [rest]}, NOW)

    assert serving_text(serving) == f"b at 1 (a: {why}, next try in 1 min 30 s)"


def test_no_model_is_left() -> None:
    rests = [ModelRest(model, ModelState.OVERLOADED, int((NOW + 5) * 1000)) for model in "ab"]

    serving = serving_now(STEPS, [account("1")], {"acct_1": rests}, NOW)

    overloaded = "1 is overloaded for it, next try in 5 s"
    assert serving_text(serving) == f"no: a: {overloaded}; b: {overloaded}"
