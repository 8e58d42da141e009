"""An account that becomes available again receives the same share as the others, in any pool."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.store import StoreOfTest

REQUESTS = 60
PARALLEL = 40
BURST = {"state": "burst_limited", "reason": "429", "wait_ms": 2000, "retest_wait_ms": 2000}
SPENT = {"state": "window_spent", "reason": "usage_limit_reached", "wait_ms": 600_000}
DEAD = {"state": "credential_dead", "reason": "invalid_api_key", "wait_ms": 0, "retest_wait_ms": 0}
SOFT = {"soft": True, "asked": "m", "reason": "cut", "base_ms": 2000, "most_ms": 15_000}


def serve(store: StoreOfTest, number: int, mark: dict[str, Any] | None = None, **more: Any) -> Counter[str]:
    """Serve *number* requests one after the other, a second apart; return who served how many."""
    served: Counter[str] = Counter()
    for _ in range(number):
        reply = store.admit(**more)
        served[reply["account"]] += 1
        store.settle(reply["id"], mark or {"ok": True})
        store.advance(1000)
    return served


def observe(store: StoreOfTest, **more: Any) -> None:
    store.scripts.run_raw("observe_account", store.pool, {"account": "a", **more})


def pause(store: StoreOfTest) -> Callable[[], Any]:
    store.set_state("a", "paused")
    return lambda: store.set_state("a", "active")


def burst(store: StoreOfTest) -> Callable[[], Any]:
    serve(store, 1, BURST, pin="a")
    return lambda: store.advance(2000)


def spent(store: StoreOfTest) -> Callable[[], Any]:
    serve(store, 1, SPENT, pin="a")
    return lambda: observe(store, room=True)


def spent_until_reset(store: StoreOfTest) -> Callable[[], Any]:
    serve(store, 1, SPENT, pin="a")
    return lambda: store.advance(600_000)


def dead(store: StoreOfTest) -> Callable[[], Any]:
    serve(store, 1, DEAD, pin="a")
    return lambda: observe(store, accepted=True)


def suspected(store: StoreOfTest) -> Callable[[], Any]:
    serve(store, 1, SOFT, pin="a")
    return lambda: store.advance(2000)


def removed(store: StoreOfTest) -> Callable[[], Any]:
    store.remove("a")
    return lambda: store.account("a")


RETURNS = (pause, burst, spent, spent_until_reset, dead, suspected, removed)
BYSTANDERS: dict[str, Callable[[StoreOfTest], Any]] = {
    "none": lambda store: None,
    "a demo account": lambda store: store.account("demo", kind="demo"),
    "an account of last resort": lambda store: store.account("last", group=9),
    "an idle one that may serve it": lambda store: store.account("idle", models=("m", "z"), cap=1),
    "one for other models": lambda store: store.account("other", models=("z",)),
    "one of another kind": lambda store: store.account("sign-in", kind="chatgpt", wires="r", models=("z",)),
}


@pytest.mark.parametrize("bystander", BYSTANDERS)
@pytest.mark.parametrize("leave", RETURNS)
@pytest.mark.parametrize("policy", ["balanced", "round_robin", "ordered"])
def test_none_gets_more_than_twice_its_share(
    store: StoreOfTest, policy: str, leave: Callable[[StoreOfTest], Callable[[], Any]], bystander: str
) -> None:
    store.policy(policy)
    for name in "abc":
        store.account(name)
    BYSTANDERS[bystander](store)
    if bystander == "an account of last resort" and policy != "ordered":
        store.set_state("last", "paused")
    serve(store, 30)
    come_back = leave(store)
    serve(store, 90)
    come_back()

    served = serve(store, REQUESTS)

    assert all(served[name] >= 5 for name in "abc"), served
    assert max(served.values()) <= 2 * REQUESTS / len(served), served


@pytest.mark.parametrize("leave", [pause, suspected])
@pytest.mark.parametrize("policy", ["balanced", "round_robin", "least_loaded", "ordered"])
def test_return_while_the_others_stream(
    store: StoreOfTest, policy: str, leave: Callable[[StoreOfTest], Callable[[], Any]]
) -> None:
    """With 40 requests open all the time, it takes its share of the next 40, and of those that are open."""
    store.policy(policy)
    for name in "abcd":
        store.account(name)
    running: deque[str] = deque()

    def serve_in_parallel(number: int) -> Counter[str]:
        served: Counter[str] = Counter()
        for _ in range(number):
            reply = store.admit()
            served[reply["account"]] += 1
            running.append(reply["id"])
            if len(running) > PARALLEL:
                store.settle(running.popleft(), {"ok": True})
            store.advance(100)
        return served

    serve_in_parallel(100)
    come_back = leave(store)
    serve_in_parallel(60)
    come_back()

    for _ in range(3):
        served = serve_in_parallel(PARALLEL)
        assert all(6 <= served[name] <= 15 for name in "abcd"), served
        assert all(6 <= int(store.state(name)["in_flight"]) <= 15 for name in "abcd")


def test_return_while_the_others_are_full(store: StoreOfTest) -> None:
    """Accounts that are full at the moment still determine its share."""
    for name in "bc":
        store.account(name, cap=10)
    serve(store, 200)
    held = [store.admit() for _ in range(20)]
    store.account("a", cap=10)
    for each in held:
        store.settle(each["id"], {"ok": True})

    served = serve(store, REQUESTS)

    assert max(served.values()) <= 2 * REQUESTS / 3, served


def test_failures_of_an_account_that_stayed_give_it_no_more(store: StoreOfTest) -> None:
    """An account that stayed in use has no missed time to make up for."""
    store.account("a")
    store.account("b")
    serve(store, 20)
    before = store.state("a")["pass"]
    for _ in range(3):
        store.settle(store.admit(pin="a")["id"], SOFT | {"asked": "m"})
        if store.state("a")["state"] != "active":
            store.set_state("a", "active")
    assert float(store.state("a")["pass"]) >= float(before) - 1


class TestOrdered:
    @pytest.fixture
    def store(self, store: StoreOfTest) -> StoreOfTest:
        store.policy("ordered")
        store.account("first", group=0)
        store.account("backup", group=1)
        return store

    def test_a_conversation_returns_to_the_better_group(self, store: StoreOfTest) -> None:
        store.set_state("first", "paused")
        assert store.admit(affinity="x")["account"] == "backup"
        store.set_state("first", "active")

        reply = store.admit(affinity="x")
        assert (reply["account"], reply["by"]) == ("first", "policy")
        assert store.admit(affinity="x")["by"] == "affinity"

    def test_it_stays_while_the_better_group_is_out(self, store: StoreOfTest) -> None:
        store.set_state("first", "paused")

        assert [store.admit(affinity="x")["account"] for _ in range(3)] == ["backup"] * 3

    def test_it_stays_within_its_group(self, store: StoreOfTest) -> None:
        store.account("second", group=1)
        store.set_state("first", "paused")
        home = store.admit(affinity="x")["account"]

        assert {store.admit(affinity="x")["account"] for _ in range(6)} == {home}

    def test_one_that_an_account_owns_stays_there(self, store: StoreOfTest) -> None:
        store.set_state("first", "paused")
        held = store.admit(affinity="x")
        settlement = {
            "id": held["id"],
            "mark": {"ok": True},
            "calendar": store.calendar(),
            "ownership": "conv",
        }
        store.scripts.run_raw(
            "settle", store.pool, settlement | {"row": store.row(held["id"], account="backup")}
        )
        store.set_state("first", "active")

        assert store.admit(affinity="x", ownership="conv")["account"] == "backup"

    def test_only_an_account_that_has_the_model_is_better(self, store: StoreOfTest) -> None:
        store.set_state("first", "paused")
        store.admit(affinity="x")
        store.set_state("first", "active")
        store.settle(store.admit(pin="first")["id"], {"model": "m", "why": "missing", "wait_ms": 300_000})

        assert store.admit(affinity="x")["account"] == "backup"
