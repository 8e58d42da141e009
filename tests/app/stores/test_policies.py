"""Which account is next: shares by weight, groups, resets, affinity, and who is never chosen."""

from __future__ import annotations

from collections import Counter
from importlib import resources
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.stores import keys
from app.stores.client import make_client
from tests.support.store import CLOCK, STICKY_MS, StoreOfTest

POLICIES = ("balanced", "round_robin", "least_loaded", "ordered", "use_before_reset")
HOUR_MS = 3_600_000
LUA = resources.files("app.stores") / "lua"
PARTS = ("kinds", "keys", "policy", "accounts", "model_rests", "outcomes", "selection")
# Picks ARGV[1] times with ARGV[2] requests open at any time; the oldest ends first.
CHOOSE = """
local now, open = clock(), {}
local policy = redis.call('HGET', POOL, 'policy')
local ask = { model = 'm', wire = '', affinity = '', pin = '' }
local chosen = {}
for n = 1, tonumber(ARGV[1]) do
  local id = pick(ask, now, policy, {})
  take_slot(read_account(id, now), policy)
  chosen[n], open[#open + 1] = id, id
  if #open >= tonumber(ARGV[2]) then free_slot(table.remove(open, 1), policy, now) end
end
return chosen
"""


def choose(store: StoreOfTest, times: int, at_once: int = 1) -> Counter[str]:
    parts = [(LUA / f"{name}.lua").read_text() for name in PARTS]
    script = "\n".join([CLOCK, *parts, CHOOSE])
    return Counter(store.client.eval(script, 1, f"pg:{{{store.pool}}}:", times, at_once))


def spend(store: StoreOfTest, account: str, *windows: tuple[float, int]) -> None:
    """Set the used share of each usage window of *account*, and their resets."""
    held = store.admit(pin=account)
    store.settle(held["id"], {"ok": True, "windows": windows})


class TestShares:
    @pytest.mark.parametrize("at_once", [1, 12])
    @pytest.mark.parametrize("policy", ["balanced", "round_robin", "ordered"])
    def test_follow_weights(self, store: StoreOfTest, policy: str, at_once: int) -> None:
        store.policy(policy)
        weights = {"a": 1, "b": 2, "c": 3, "d": 14}
        for name, weight in weights.items():
            store.account(name, weight=weight)

        shares = choose(store, 10_000, at_once)
        for name, weight in weights.items():
            assert shares[name] == pytest.approx(10_000 * weight / 20, rel=0.05)

    def test_balanced_follows_what_is_left(self, store: StoreOfTest) -> None:
        """Of equal accounts, one with a quarter of its window left gets a quarter of the other's share."""
        store.policy("balanced")
        for name in ("a", "b"):
            store.account(name)
        spend(store, "a", (75.0, store.now + HOUR_MS))

        shares = choose(store, 10_000)
        assert shares["a"] / shares["b"] == pytest.approx(0.25, rel=0.05)

    def test_least_loaded_fills_evenly(self, store: StoreOfTest) -> None:
        """Each account has as many open requests for its weight as every other."""
        store.policy("least_loaded")
        store.account("a")
        store.account("b", weight=3)
        for _ in range(40):
            store.admit()

        assert (store.in_flight("a"), store.in_flight("b")) == (10, 30)

    @pytest.mark.parametrize("policy", ["balanced", "round_robin"])
    def test_new_account_does_not_catch_up(self, store: StoreOfTest, policy: str) -> None:
        """An account that joins or returns gets its share from then on, and does not make up for the past."""
        store.policy(policy)
        for name in ("a", "b", "c"):
            store.account(name)
        store.set_state("c", "paused")
        choose(store, 3000)
        store.account("d")
        store.set_state("c", "active")

        assert choose(store, 4000) == pytest.approx(dict.fromkeys("abcd", 1000), abs=2)

    def test_return_to_a_quiet_offer(self, store: StoreOfTest) -> None:
        """How busy accounts with other models were does not count."""
        store.account("busy", models=("n",))
        for name in ("a", "b"):
            store.account(name, models=("m",))
        for _ in range(50):
            store.settle(store.admit(model="n")["id"])
        store.set_state("a", "paused")
        store.set_state("a", "active")

        assert choose(store, 100) == {"a": 50, "b": 50}


class TestOrdered:
    @pytest.fixture
    def store(self, store: StoreOfTest) -> StoreOfTest:
        store.policy("ordered")
        store.account("a", group=0, cap=2)
        store.account("b", group=1, cap=1)
        store.account("c", group=2, cap=9)
        return store

    def test_overflows(self, store: StoreOfTest) -> None:
        """A group is used only when all groups before it are full."""
        assert [store.admit()["account"] for _ in range(5)] == ["a", "a", "b", "c", "c"]

    def test_returns(self, store: StoreOfTest) -> None:
        """As soon as there is room again, the first group is used again."""
        held = [store.admit() for _ in range(4)]
        store.settle(held[0]["id"])

        assert store.admit()["account"] == "a"


class TestUseBeforeReset:
    @pytest.fixture
    def store(self, store: StoreOfTest) -> StoreOfTest:
        store.policy("use_before_reset")
        for name in ("endless", "late", "soon", "spent"):
            store.account(name, cap=2)
        spend(store, "late", (10.0, store.now + 5 * HOUR_MS), (0.0, store.now + 90 * HOUR_MS))
        spend(store, "soon", (99.0, store.now + 2 * HOUR_MS))
        spend(store, "spent", (100.0, store.now + HOUR_MS))
        return store

    def test_soonest_reset_with_quota(self, store: StoreOfTest) -> None:
        """First the account whose quota expires soonest, then those without windows, then spent ones."""
        order = [store.admit()["account"] for _ in range(8)]

        assert order == ["soon"] * 2 + ["late"] * 2 + ["endless"] * 2 + ["spent"] * 2

    def test_alike(self, store: StoreOfTest) -> None:
        """Accounts with the same reset take turns."""
        for name in ("late", "soon", "spent"):
            store.remove(name)
        store.account("endless2")

        assert choose(store, 100) == {"endless": 50, "endless2": 50}


class TestAffinity:
    @pytest.fixture
    def store(self, store: StoreOfTest) -> StoreOfTest:
        for name in "abc":
            store.account(name, cap=5)
        return store

    def test_sticks_while_there_is_room(self, store: StoreOfTest) -> None:
        """A conversation stays at its account, even if others have had fewer requests."""
        held = [store.admit(affinity="x") for _ in range(5)]

        assert {reply["account"] for reply in held} == {"a"}
        assert [reply["by"] for reply in held] == ["policy"] + ["affinity"] * 4

    def test_spills_over_and_stays_there(self, store: StoreOfTest) -> None:
        """The conversation stays at the account of the last turn, whose cache is warm."""
        for _ in range(5):
            store.admit(affinity="x")
        spilt = [store.admit(affinity="x") for _ in range(3)]

        assert {reply["account"] for reply in spilt} == {"b"}

    @pytest.mark.parametrize("gone", ["paused", "removed", "tried", "forbidden", "overloaded", "forgotten"])
    def test_is_a_preference(self, store: StoreOfTest, gone: str) -> None:
        """An account that may not serve is not chosen for the sake of the cache."""
        held = store.admit(affinity="x")
        more: dict[str, Any] = {}
        match gone:
            case "paused":
                store.set_state("a", "paused")
            case "removed":
                store.remove("a")
            case "tried":
                more["tried"] = ["a"]
            case "forbidden":
                store.key("k", accounts=("b",))
            case "overloaded":
                store.settle(held["id"], {"model": "m", "wait_ms": 1000})
            case "forgotten":
                store.advance(STICKY_MS)
                store.client.delete("pg:{t}:aff:x")

        assert store.admit(affinity="x", **more)["account"] == "b"

    def test_pinned(self, store: StoreOfTest) -> None:
        """A conversation that only one account knows is served by that one or not at all."""
        assert store.admit(pin="c")["account"] == "c"
        store.set_state("c", "paused")

        assert store.admit(pin="c")["refused"] == "no_accounts"


NAMES = st.sampled_from("abcdef")


class TestEligibility:
    @settings(max_examples=60)
    @given(
        policy=st.sampled_from(POLICIES),
        models=st.lists(st.sampled_from([(), ("m",), ("n",), ("m", "n")]), min_size=6, max_size=6),
        wires=st.lists(st.sampled_from(["c", "r", "cr"]), min_size=6, max_size=6),
        paused=st.sets(NAMES),
        tried=st.sets(NAMES),
        full=st.sets(NAMES),
        allowed=st.sets(NAMES),
        wire=st.sampled_from(["", "c", "r"]),
        sticky=st.none() | NAMES,
    )
    def test_chosen_is_eligible(
        self,
        redis_url: str,
        policy: str,
        models: list[tuple[str, ...]],
        wires: list[str],
        paused: set[str],
        tried: set[str],
        full: set[str],
        allowed: set[str],
        wire: str,
        sticky: str | None,
    ) -> None:
        """
        An account is chosen if and only if one is eligible, and then it is an eligible one.

        So taking any candidate away never makes one chosen that may not be.
        """
        client = make_client(redis_url, 5.0)
        client.flushall()
        store = StoreOfTest(client)
        store.policy(policy)
        store.key("any")
        for name, offered, spoken in zip("abcdef", models, wires, strict=True):
            store.account(name, models=offered, wires=spoken, cap=1)
        for name in full:
            store.admit(key="any", pin=name, model=(*models["abcdef".index(name)], "m")[0])
        for name in paused:
            store.set_state(name, "paused")
        if sticky:
            client.set("pg:{t}:aff:x", sticky)
        store.key("k", accounts=tuple(allowed))

        eligible = {
            name
            for name, offered, spoken in zip("abcdef", models, wires, strict=True)
            if name not in paused | tried | full
            and (not offered or "m" in offered)
            and wire in spoken
            and name in (allowed or "abcdef")
        }
        if sticky in eligible:
            reply = store.admit(wire=wire, tried=sorted(tried), affinity="x")
            assert (reply["account"], reply["by"]) == (sticky, "affinity")
            eligible.remove(sticky)
        while eligible:
            eligible.remove(store.admit(wire=wire, tried=sorted(tried))["account"])
        assert store.admit(wire=wire, tried=sorted(tried))["refused"] == "no_accounts"

    def test_demo_accounts_are_for_demos(self, store: StoreOfTest) -> None:
        store.account("d", kind="demo")

        assert store.admit()["refused"] == "no_accounts"
        assert store.admit(demo=True)["refused"] == "no_accounts"
        assert store.admit(demo=True, model="demo-large")["account"] == "d"
        assert store.admit(model="demo-large")["refused"] == "no_accounts"

    @pytest.mark.parametrize("proof", [{"listed": "[]"}, {"attempts": 3, "unanswered": 2}])
    def test_a_pool_in_use_has_no_demo(self, store: StoreOfTest, proof: dict[str, Any]) -> None:
        """Demo accounts serve until another account, if that is in use, has answered."""
        store.account("d", kind="demo")
        store.account("real", models=("m",))
        store.client.hset(keys.account(store.pool, "real"), mapping={"attempts": 2, "unanswered": 2})
        assert store.admit(demo=True, model="demo")["account"] == "d"

        store.client.hset(keys.account(store.pool, "real"), mapping=proof)
        reply = store.admit(demo=True, model="demo")
        assert reply["refused"] == "no_accounts"
        assert reply["seen"] == [["d", False, "simulated, and another account has answered"]]

        store.set_state("real", "paused")
        assert store.admit(demo=True, model="demo")["account"] == "d"

    def test_ineligible_kinds(self, store: StoreOfTest) -> None:
        """They are skipped; and a refusal states whether waiting can help."""
        store.account("k")
        store.set_state("k", "paused")
        store.account("s", kind="chatgpt", wires="r")

        assert store.admit(ineligible_kinds=["compatible"])["account"] == "s"
        assert store.admit(ineligible_kinds=["chatgpt"])["offered"] is True
        assert store.admit(ineligible_kinds=["chatgpt", "openai"])["offered"] is False

    def test_kinds_are_opaque(self, store: StoreOfTest) -> None:
        """A kind may have dashes and digits; a name that is part of another is another kind."""
        store.account("a", kind="azure-2")
        store.account("b", kind="azure")

        assert store.admit(kinds=["azure-2"])["account"] == "a"
        assert store.admit(kinds=["azure"])["account"] == "b"
        assert store.admit(ineligible_kinds=["azure"])["account"] == "a"
        assert store.admit(ineligible_kinds=["azure-2"], wire="r")["account"] == "b"
        assert store.admit(kinds=["azure-2"], wire="c")["account"] == "a"
        assert store.admit(kinds=["zure"])["offered"] is False

    def test_a_pinned_kind_is_opaque(self, store: StoreOfTest) -> None:
        store.account("a", kind="azure-2")

        assert store.admit(pin="a", wire="r")["account"] == "a"
        assert store.admit(pin="a", ineligible_kinds=["azure-2"])["refused"] == "no_accounts"

    def test_an_ineligible_account_is_all_that_a_key_may_use(self, store: StoreOfTest) -> None:
        store.account("s", kind="chatgpt", wires="r")
        store.key("k", accounts=("s",))

        assert store.admit(ineligible_kinds=["chatgpt"])["offered"] is False

    @pytest.mark.parametrize("policy", POLICIES)
    def test_found_behind_many_that_are_not(self, store: StoreOfTest, policy: str) -> None:
        """The account that can serve is found, however many are overloaded."""
        store.policy(policy)
        for number in range(200):
            store.account(f"a{number:03}", cap=1)
        for number in range(199):
            held = store.admit(pin=f"a{number:03}")
            store.settle(held["id"], {"model": "m", "wait_ms": 60_000})
        store.account("a199", cap=1, weight=1, group=9)

        assert store.admit()["account"] == "a199"
        assert store.admit()["refused"] == "no_accounts"
