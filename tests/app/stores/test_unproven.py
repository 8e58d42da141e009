"""An account that has failed and has never answered comes after all others, until it answers."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from app.stores import keys
from tests.app.stores.test_policies import POLICIES
from tests.support.store import StoreOfTest

FAILED = {"soft": True, "asked": "m", "reason": "unreachable", "base_ms": 2000, "most_ms": 15_000}


@pytest.fixture
def store(redis_client: Any) -> StoreOfTest:
    store = StoreOfTest(redis_client)
    store.key("k")
    store.account("refused")
    store.account("works", group=9)
    return store


def observe(store: StoreOfTest, account: str = "refused", **more: Any) -> None:
    store.scripts.run("observe_account", store.pool, orjson.dumps({"account": account, **more}))


def unproven(store: StoreOfTest) -> bool:
    return bool(store.state("refused").get("unproven"))


@pytest.mark.parametrize("policy", POLICIES)
def test_comes_last(store: StoreOfTest, policy: str) -> None:
    """By every policy, and although it is in a better group; it serves where the others are full."""
    store.policy(policy)
    observe(store, unanswered="credential")
    assert {store.admit()["account"] for _ in range(30)} == {"works"}

    store.account("works", group=9, cap=30)
    assert store.admit()["account"] == "refused"


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("outcome", [{}, FAILED], ids=["no consequence", "suspicion"])
def test_a_failed_attempt(store: StoreOfTest, policy: str, outcome: dict[str, Any]) -> None:
    """Counts as a failed test does, from its report on."""
    store.policy(policy)
    store.admit("r", pin="refused")
    reply = store.report("r", 1, outcome | {"unanswered": "endpoint_missing"}, tried=["refused"])
    assert reply["account"] == "works"
    store.advance(20_000)  # a suspicion is over

    assert {store.admit()["account"] for _ in range(30)} == {"works"}
    assert store.state("refused")["unproven"] == "endpoint_missing"


def test_a_failed_attempt_of_one_that_has_answered(store: StoreOfTest) -> None:
    attempts = [{"account": "refused", "wire": "chat"}]
    store.settle(store.admit("r", pin="refused")["id"], {"ok": True}, status=200, attempts=attempts)
    store.settle(store.admit("r2", pin="refused")["id"], {"unanswered": "endpoint_missing"})

    assert not unproven(store)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_conversation_leaves_it(store: StoreOfTest, policy: str) -> None:
    """By every policy, as it leaves a group for a better one; it stays where there is no other."""
    store.policy(policy)
    observe(store, unanswered="credential")
    store.set_state("works", "paused")
    assert store.admit("r1", affinity="c")["account"] == "refused"
    store.settle("r1", FAILED | {"reason": "cut"})
    reply = store.admit("r2", affinity="c")
    assert (reply["account"], reply["by"]) == ("refused", "affinity")
    store.set_state("works", "active")

    assert store.admit("r3", affinity="c")["account"] == "works"


@pytest.mark.parametrize("how", ["answer", "listing", "test", "resume", "change", "sign-in"])
def test_until_it_answers_or_changes(store: StoreOfTest, how: str) -> None:
    """Then it takes its share, without catching up on what it missed."""
    observe(store, unanswered="credential")
    for number in range(20):
        store.settle(store.admit(f"earlier-{number}")["id"], {"ok": True})
    if how == "answer":
        store.settle(store.admit("r", pin="refused")["id"], {"ok": True})
    elif how == "listing":
        observe(store, answered=True)
    elif how == "test":
        observe(store, accepted=True)
    elif how == "resume":
        store.set_state("refused", "active")
    elif how == "change":
        store.account("refused")
    else:
        sign_in = {"account": "refused", "sign_in": "sealed", "expires_ms": 1}
        store.scripts.run("replace_tokens", store.pool, orjson.dumps(sign_in))

    assert not unproven(store)
    chosen = [store.admit()["account"] for _ in range(20)]
    assert 9 <= chosen.count("refused") <= 11


@pytest.mark.parametrize("proof", [{"fields": {"listed": '["m"]'}}, {"answered": True}])
def test_one_that_has_answered(store: StoreOfTest, proof: dict[str, Any]) -> None:
    """A failed query proves nothing against it; a test by an operator does."""
    observe(store, **proof)
    store.settle(
        store.admit("r", pin="refused")["id"],
        {"ok": True},
        status=200,
        attempts=[{"account": "refused", "wire": "chat"}],
    )
    observe(store, unanswered="unreachable")
    assert not unproven(store)

    observe(store, unanswered="credential", tested=True)
    assert unproven(store)


def test_is_not_tested_before_others(store: StoreOfTest) -> None:
    """After it has failed a request, its next one is no more than what the others leave."""
    store.account("third")
    observe(store, unanswered="unreachable")
    store.settle(store.admit("r", pin="refused")["id"], FAILED)
    assert store.state("refused")["state"] == "suspected"
    store.advance(20_000)

    assert "refused" not in {store.admit()["account"] for _ in range(20)}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("accounts", [(), ("refused", "other", "works")])
def test_a_request_tests_one_account(store: StoreOfTest, policy: str, accounts: tuple[str, ...]) -> None:
    """A refused test goes on to an account that works, and to another test where there is none."""
    store.policy(policy)
    store.key("k", accounts=accounts)
    store.account("other")
    refused = {"state": "credential_dead", "reason": "token_expired", "wait_ms": 0, "retest_wait_ms": 0}
    for name in ("refused", "other"):
        store.settle(store.admit(f"r-{name}", pin=name)["id"], refused)
        observe(store, name, accepted=True)

    first = store.admit("r1")["account"]
    assert first in ("refused", "other")
    assert store.report("r1", 1, refused, tried=[first])["account"] == "works"

    store.set_state("works", "paused")
    assert (
        store.report("r1", 2, tried=[first, "works"])["account"]
        == {"refused", "other"}.difference([first]).pop()
    )


@pytest.mark.parametrize(("state", "may_wait"), [("full", True), ("full", False), ("paused", True)])
def test_a_request_that_failed_waits_for_a_full_account(
    store: StoreOfTest, state: str, may_wait: bool
) -> None:
    """It is tried again at the account that failed once; then at that alone for which it need not wait."""
    store.account("works", group=9, cap=1)
    store.admit("open", pin="works")
    if state == "paused":
        store.set_state("works", "paused")
    failed = {"tried": ["refused"], "never": []}

    assert store.admit("r")["account"] == "refused"
    assert store.report("r", 1, **failed)["account"] == "refused"
    reply = store.report("r", 2, tried=["refused", "refused"], never=[], may_wait=may_wait)
    if state == "paused" or not may_wait:
        assert reply["account"] == "refused"
    else:
        assert (reply["refused"], reply["busy"]) == ("no_accounts", 1)
        decisions = store.client.hget(keys.request(store.pool, "r"), "why")
        store.report("r", 2, tried=["refused", "refused"], never=[], may_wait=True)
        assert store.client.hget(keys.request(store.pool, "r"), "why") == decisions  # not one for each poll
        store.settle("open", {"ok": True})
        assert store.report("r", 2, tried=["refused", "refused"], never=[])["account"] == "works"


def test_many_tested_accounts(store: StoreOfTest) -> None:
    """A request that has failed looks for one that is not being tested; its decision has a bounded length."""
    names = [f"tested-{number}" for number in range(60)]
    for name in names:
        store.account(name)
        store.client.hset(keys.account(store.pool, name), "state", "credential_dead")
        observe(store, name, accepted=True)
    first = store.admit("r")["account"]
    assert first in names

    assert store.report("r", 1, tried=[first])["account"] not in names
    _, decision = orjson.loads(f"[{store.client.hget(keys.request(store.pool, 'r'), 'why')}]")
    assert len(decision["seen"]) <= 34


def test_a_wait_in_a_large_pool_is_cheap(store: StoreOfTest) -> None:
    """It examines no more accounts each time in which a request that waits selects again."""
    store.set_state("works", "paused")
    for number in range(300):
        store.account(f"full-{number}", cap=1)
        store.admit(f"open-{number}", pin=f"full-{number}")
    store.admit("r", pin="refused")
    tried = {"tried": ["refused", "refused"], "never": [], "may_wait": True}
    assert store.report("r", 1, **tried)["busy"] == 1

    store.report("r", 1, **tried)
    before = commands(store)
    assert store.report("r", 1, **tried)["busy"] == 1
    assert commands(store) - before < 60


def commands(store: StoreOfTest) -> int:
    """Return the number of commands that the server has executed, those of scripts included."""
    return sum(each["calls"] for each in store.client.info("commandstats").values())


def test_takes_the_place_of_no_other(store: StoreOfTest) -> None:
    """An account that works stays in use on suspicion: what is left has never answered."""
    observe(store, unanswered="unreachable")
    store.settle(store.admit("r")["id"], FAILED | {"reason": "server_error"})

    assert store.state("works")["state"] == "active"
