"""What an admission costs Redis, counted in commands: the same in a small pool and in a large one."""

from __future__ import annotations

from itertools import pairwise

import orjson
import pytest

from tests.support.store import StoreOfTest, limit

POLICIES = ("balanced", "round_robin", "least_loaded", "ordered", "use_before_reset")


def commands(store: StoreOfTest) -> int:
    """Return how many commands Redis has run, including those inside scripts."""
    stats = store.client.info("commandstats")
    return sum(each["calls"] for name, each in stats.items() if name != "cmdstat_info")


def cost(store: StoreOfTest, requests: int = 20) -> int:
    before = commands(store)
    for _ in range(requests):
        store.settle(store.admit(affinity="x", output_tokens=5)["id"], {"ok": True})
    return commands(store) - before


@pytest.mark.parametrize("policy", POLICIES)
def test_does_not_grow_with_the_pool(store: StoreOfTest, policy: str) -> None:
    store.policy(policy)
    store.key("k", *(limit(f"l{n}", "output_tokens", "day", 10**9) for n in range(3)))
    for number in range(10):
        store.account(f"a{number}")
    small = cost(store)
    for number in range(10, 1000):
        store.account(f"a{number}")

    assert cost(store) <= small * 1.2


def test_grows_by_one_command_for_each_list_of_models(store: StoreOfTest) -> None:
    """Accounts with the same models share an index, of which a pick reads the first ones."""
    costs = []
    for number in range(6):
        store.account(f"a{number}")
        fields = {"listed": orjson.dumps(["m", f"own-{number}"]).decode()}
        observed = orjson.dumps({"account": f"a{number}", "fields": fields})
        store.scripts.run("observe_account", store.pool, observed)
        before = commands(store)
        store.admit(model="m")
        costs.append(commands(store) - before)

    assert {later - earlier for earlier, later in pairwise(costs[1:])} == {
        1
    }  # the first one loads the script


def test_does_not_grow_with_keys_teams_and_requests(store: StoreOfTest) -> None:
    """The work of Redis for a request depends only on the request's own key and team."""
    store.team("t", limit("of-team", "requests", "day", 10**9))
    store.key("k", limit("of-key", "output_tokens", "day", 10**9), team="t")
    store.account("a")
    cost(store)  # the first request of an hour makes what others find
    small = cost(store)
    for number in range(1000):
        store.team(f"t{number}", limit(f"of-team-{number}", "requests", "day", 10**9))
        store.key(f"k{number}", limit(f"of-key-{number}", "requests", "day", 10**9), team=f"t{number}")
    for number in range(200):
        store.settle(store.admit(key=f"k{number}", output_tokens=5)["id"], {"ok": True})

    assert cost(store) == small


def test_refusal_does_not_grow_with_the_pool(store: StoreOfTest) -> None:
    """The cost stays the same while all accounts are full and requests are refused repeatedly."""
    costs = []
    for size in (30, 300):
        for number in range(size):
            store.account(f"a{number}", cap=1)
        while "account" in store.admit():
            pass
        assert store.admit()["total"] == size
        before = commands(store)
        assert store.admit()["total"] == size
        costs.append(commands(store) - before)

    assert costs[1] <= costs[0]


def test_a_result_that_is_used_again_counts_its_waits_down(store: StoreOfTest) -> None:
    for number in range(40):
        store.account(f"a{number}", cap=1)
        store.settle(
            store.admit()["id"],
            mark={"state": "burst_limited", "reason": "r", "wait_ms": 5000, "retest_wait_ms": 5000},
        )
    first = store.admit()
    store.set_clock(store.now + 100)
    second = store.admit()

    assert (first["refused"], second["refused"]) == ("no_accounts", "no_accounts")
    assert second["wait_ms"] == first["wait_ms"] - 100
    assert second["rest_ms"] == first["rest_ms"] - 100
