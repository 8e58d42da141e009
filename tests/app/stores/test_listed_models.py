"""A model goes to the accounts that list it; a name that none lists, to any that is not restricted."""

from __future__ import annotations

from collections import Counter
from typing import Any

import orjson
import pytest

from app.accounts.account import MAX_INDEXED, Account
from app.accounts.offered_models import candidates
from app.errors import StoreRefused
from app.stores import keys
from tests.app.stores.test_policies import POLICIES
from tests.support.store import StoreOfTest


@pytest.fixture
def store(redis_client: Any) -> StoreOfTest:
    store = StoreOfTest(redis_client)
    store.key("k")
    for account, *models in (("a", "alpha", "shared"), ("b", "beta", "shared"), ("c", "gamma")):
        store.account(account)
        list_models(store, account, *models)
    return store


def list_models(store: StoreOfTest, account: str, *models: str) -> None:
    fields = {"listed": orjson.dumps(models).decode()}
    store.scripts.run("observe_account", store.pool, orjson.dumps({"account": account, "fields": fields}))


def chosen(store: StoreOfTest, model: str, **more: Any) -> set[str]:
    """Return the accounts that can serve *model*: each is selected, and then left out."""
    found: set[str] = set()
    while "account" in (reply := store.admit(model=model, tried=sorted(found), **more)):
        found.add(reply["account"])
    return found


@pytest.mark.parametrize("policy", POLICIES)
def test_listed_models(store: StoreOfTest, policy: str) -> None:
    store.policy(policy)

    assert chosen(store, "alpha") == {"a"}
    assert chosen(store, "beta") == {"b"}
    assert chosen(store, "shared") == {"a", "b"}


def test_a_model_that_none_lists(store: StoreOfTest) -> None:
    assert chosen(store, "delta") == {"a", "b", "c"}


def test_accounts_whose_models_are_unknown_serve_any(store: StoreOfTest) -> None:
    store.account("silent")
    list_models(store, "c")  # an empty list states nothing

    assert chosen(store, "alpha") == {"a", "silent", "c"}


def test_a_list_that_changes(store: StoreOfTest) -> None:
    """From the next request on; an account with open requests stays as full as it is."""
    store.admit("open", model="alpha")
    list_models(store, "c", "alpha", "gamma")
    assert chosen(store, "alpha") == {"a", "c"}

    list_models(store, "a", "shared")
    assert chosen(store, "alpha") == {"c"}
    assert store.in_flight("a") > 0
    assert (
        not store.names("*listed-*")
        - store.names("*ready:*")
        - store.names("*members:*")
        - store.names("*models:*")
    )


def test_the_account_that_lists_it_is_out(store: StoreOfTest) -> None:
    """Another one would answer with another model."""
    store.set_state("a", "paused")
    assert store.admit(model="alpha")["refused"] == "no_accounts"

    store.set_state("a", "active")
    assert chosen(store, "alpha") == {"a"}


def test_restricted_accounts(store: StoreOfTest) -> None:
    """Those that an operator restricts to a model have it as those that list it."""
    store.account("restricted", models=("alpha",))
    list_models(store, "restricted", "other")

    assert chosen(store, "alpha") == {"a", "restricted"}
    assert chosen(store, "other") == {"a", "b", "c"}
    store.account("restricted")
    assert chosen(store, "other") == {"restricted"}
    assert chosen(store, "alpha") == {"a"}


def test_only_accounts_that_the_request_may_use_are_compared(store: StoreOfTest) -> None:
    store.key("of-b-and-c", accounts=("b", "c"))
    store.key("of-a-and-c", accounts=("a", "c"))

    assert chosen(store, "alpha", key="of-b-and-c") == {"b", "c"}
    assert chosen(store, "alpha", key="of-a-and-c") == {"a"}
    assert chosen(store, "alpha", accounts=["c"]) == {"c"}
    assert chosen(store, "alpha", pin="c") == {"c"}


def test_a_conversation_moves_to_an_account_that_lists_its_model(store: StoreOfTest) -> None:
    store.admit(model="gamma", affinity="conversation")

    assert store.admit(model="alpha", affinity="conversation")["account"] == "a"


def test_kinds_that_have_models_which_they_do_not_list(store: StoreOfTest) -> None:
    store.account("image", kind="chatgpt", wires="r")
    list_models(store, "image", "gpt")

    assert chosen(store, "alpha") == {"a"}
    assert chosen(store, "alpha", unlisted_kinds=["chatgpt"]) == {"a", "image"}


def test_own_names_of_an_account(store: StoreOfTest) -> None:
    settings = orjson.dumps({"model_names": {"mine": "gamma"}}).decode()
    store.client.hset(keys.account(store.pool, "c"), "settings", settings)
    list_models(store, "c", "gamma", "new")

    assert chosen(store, "mine") == {"c"}


def test_a_simulated_account_does_not_hide_the_others(store: StoreOfTest) -> None:
    store.account("demo", kind="demo", models=("demo",))

    assert chosen(store, "demo") == {"a", "b", "c"}


def test_an_account_that_begins_to_list_a_model_shares_its_requests(store: StoreOfTest) -> None:
    """It neither catches up on what the others have served nor pays for what it has served."""
    list_models(store, "b", "alpha")
    for number in range(60):
        store.admit(f"r{number}", model="alpha")
        store.settle(f"r{number}", model="alpha")
    list_models(store, "c", "alpha")

    shares = Counter(store.admit(model="alpha")["account"] for _ in range(30))
    assert min(shares[account] for account in "abc") >= 8


@pytest.mark.parametrize("more", [{"wire": "c"}, {"kinds": ["openai"]}, {"ineligible_kinds": ["chatgpt"]}])
def test_only_accounts_that_may_serve_the_request_are_compared(store: StoreOfTest, more: Any) -> None:
    store.account("other", kind="chatgpt", wires="r")
    list_models(store, "other", "delta")

    assert chosen(store, "delta") == {"other"}
    assert chosen(store, "delta", **more) == {"a", "b", "c"}


def test_an_account_that_lacks_what_it_lists(store: StoreOfTest) -> None:
    """The others are tried until it is tried again."""
    lacks = {"model": "alpha", "why": "missing", "wait_ms": 300_000}
    store.admit("r", model="alpha")
    store.settle("r", lacks, model="alpha", status=404)
    assert chosen(store, "alpha") == {"b", "c"}

    store.advance(300_001)
    assert chosen(store, "alpha") == {"a"}


def test_kinds_whose_lists_have_other_names(store: StoreOfTest) -> None:
    """Azure lists base models, and requests name deployments."""
    store.account("azure", kind="azure")
    list_models(store, "azure", "alpha-2026-01-01", "beta")

    assert chosen(store, "alpha") == {"a", "azure"}
    assert chosen(store, "beta") == {"b", "azure"}


@pytest.mark.parametrize(("length", "others"), [(MAX_INDEXED, set()), (MAX_INDEXED + 1, {"c"})])
def test_a_list_that_is_too_long_states_nothing(store: StoreOfTest, length: int, others: set[str]) -> None:
    """Selection and the records agree which accounts may serve a model that others list."""
    models = tuple(f"model-{n}" for n in range(length))
    list_models(store, "c", *models)
    accounts = [
        Account(id, id, "openai", "http://up.test", listed=listed)
        for id, listed in {"a": ("alpha", "shared"), "b": ("beta", "shared"), "c": models}.items()
    ]

    for model, listing in (("alpha", {"a"}), ("model-7", {"c"}), ("unknown", {"a", "b", "c"})):
        expected = {account.id for account in candidates(accounts, model)}

        assert chosen(store, model) == expected
        if length == MAX_INDEXED:
            assert expected == listing
    assert chosen(store, "alpha") == {"a"} | others


def test_a_suspicion_at_accounts_that_do_not_list_the_model(store: StoreOfTest) -> None:
    """They serve it for a key that may use no other account, and one of two that fails rests."""
    store.key("of-b-and-c", accounts=("b", "c"))
    failed = {"soft": True, "asked": "alpha", "reason": "server error", "base_ms": 2000, "most_ms": 15_000}
    account = store.admit("r", "of-b-and-c", model="alpha")["account"]
    store.settle("r", failed, key="of-b-and-c", account=account, model="alpha", status=500)

    assert chosen(store, "alpha", key="of-b-and-c") == {"b", "c"} - {account}


@pytest.mark.parametrize("listed", ["", "{", '{"a": 1}', "[1]", "null", 7])
def test_a_list_that_is_none_changes_nothing(store: StoreOfTest, listed: Any) -> None:
    fields = {"listed": listed, "metadata": "{}"}
    with pytest.raises(StoreRefused):
        store.scripts.run("observe_account", store.pool, orjson.dumps({"account": "a", "fields": fields}))

    assert chosen(store, "alpha") == {"a"}
    assert "metadata" not in store.state("a")
