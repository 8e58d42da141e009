"""Accounts tell the truth: what an answer makes of one, how long that is believed, how it ends."""

from __future__ import annotations

from typing import Any

import pytest

from app.accounts.pools import POLICIES
from app.stores import keys
from tests.support.store import StoreOfTest

SOFT = {"soft": True, "reason": "server_error", "base_ms": 1000, "most_ms": 20_000}
BURST = {"state": "burst_limited", "reason": "rate_limit_exceeded", "wait_ms": 2000, "retest_wait_ms": 2000}
SPENT = {
    "state": "window_spent",
    "reason": "usage_limit_reached",
    "wait_ms": 600_000,
}
DEAD = {"state": "credential_dead", "reason": "invalid_api_key", "wait_ms": 0, "retest_wait_ms": 0}
REFUSED = DEAD | {"asked": "m", "base_ms": 2000, "most_ms": 15_000}  # as an upstream's answer is reported
OK = {"ok": True}


def state(store: StoreOfTest, account: str) -> str:
    return str(store.state(account)["state"])


def serve(store: StoreOfTest, account: str, mark: dict[str, Any]) -> None:
    """Let *account* serve a request that ends with *mark*."""
    store.settle(store.admit(pin=account)["id"], mark)


def observe(store: StoreOfTest, account: str, mark: dict[str, Any], *, room: bool = False) -> None:
    """Tell of *account* what a look at its usage endpoint found."""
    store.scripts.run_raw("observe_account", store.pool, {"account": account, "mark": mark, "room": room})


def retest_at(store: StoreOfTest, account: str) -> int:
    return int(store.client.zscore(keys.root(store.pool) + "out", account))


def ready(store: StoreOfTest) -> set[str]:
    """Who may be chosen just now."""
    return set(store.client.zrange(keys.root(store.pool) + "ready:cr:openai:any", 0, -1))


@pytest.fixture
def store(store: StoreOfTest) -> StoreOfTest:
    for number in range(8):
        store.account(f"a{number}", cap=5)
    return store


class TestBelief:
    def test_burst_is_over_when_it_is_over(self, store: StoreOfTest) -> None:
        serve(store, "a0", BURST)
        assert (state(store, "a0"), "a0" in ready(store)) == ("burst_limited", False)
        store.advance(1999)
        store.renew()
        assert state(store, "a0") == "burst_limited"
        store.advance(1)
        store.renew()

        assert (state(store, "a0"), store.state("a0")["probe"]) == ("active", "0")
        assert "a0" in ready(store)

    def test_spent_window_is_tested_with_one_request(self, store: StoreOfTest) -> None:
        """Long before it is said to end; until that request has answered there is no other."""
        serve(store, "a0", SPENT)
        store.advance(30_000)
        tested = store.admit(pin="a0")
        assert (tested["account"], tested["probe"]) == ("a0", True)
        assert store.admit(pin="a0")["refused"] == "no_accounts"

        store.settle(tested["id"], OK)
        held = [store.admit(pin="a0").get("account") for _ in range(6)]
        assert held == ["a0"] * 5 + [None]

    def test_failed_test(self, store: StoreOfTest) -> None:
        serve(store, "a0", SPENT)
        store.advance(30_000)
        serve(store, "a0", SPENT)

        assert (state(store, "a0"), "a0" in ready(store)) == ("window_spent", False)

    @pytest.mark.parametrize("wait_seconds", [5 * 3600, 3600, 600, 100])
    def test_spent_window_is_tested_after_a_twentieth_of_its_wait(
        self, store: StoreOfTest, wait_seconds: int
    ) -> None:
        """So that one which is reset early is found within ten minutes; the last test is at its end."""
        began, ends = store.now, store.now + wait_seconds * 1000
        every = min(600_000, wait_seconds * 1000 // 20)
        told = []
        while store.now < ends:
            serve(store, "a0", {**SPENT, "wait_ms": ends - store.now})
            store.set_clock(retest_at(store, "a0"))
            told.append(store.now)

        assert told == [min(began + n * every, ends) for n in range(1, len(told) + 1)]
        assert len(told) <= wait_seconds * 1000 // every + 1

    def test_being_told_again_does_not_put_off_the_test(self, store: StoreOfTest) -> None:
        serve(store, "a0", SPENT)
        planned = retest_at(store, "a0")
        store.advance(20_000)
        observe(store, "a0", SPENT)

        assert retest_at(store, "a0") == planned

    def test_since_the_first_evidence(self, store: StoreOfTest) -> None:
        """A test that fails does not make it a new story; one that succeeds ends it."""
        serve(store, "a0", SPENT)
        began = store.now
        store.advance(30_000)
        serve(store, "a0", SPENT)
        assert store.state("a0")["since_ms"] == str(began)

        store.advance(60_000)
        serve(store, "a0", OK)
        assert (state(store, "a0"), store.state("a0")["since_ms"]) == ("active", str(store.now))

    def test_room_ends_a_test_as_well(self, store: StoreOfTest) -> None:
        """Who is told that there is room need not wait for a request to come by."""
        serve(store, "a0", SPENT)
        store.advance(30_000)
        store.renew()
        assert store.state("a0")["probe"] == "window_spent"

        observe(store, "a0", {}, room=True)

        assert [store.admit(pin="a0").get("account") for _ in range(5)] == ["a0"] * 5

    @pytest.mark.parametrize("policy", POLICIES)
    def test_next_request_is_the_test(self, store: StoreOfTest, policy: str) -> None:
        """Even of an account that nobody would choose for what it says of its windows."""
        store.policy(policy)
        serve(store, "a0", SPENT | {"windows": [[100, store.now + 3_600_000]]})
        store.advance(30_000)

        assert [store.admit()["account"] == "a0" for _ in range(3)] == [True, False, False]

    def test_test_of_a_later_group_waits_for_its_turn(self, store: StoreOfTest) -> None:
        """Under `ordered` an account of last resort is not asked for the sake of asking."""
        store.policy("ordered")
        store.account("last", group=1)
        serve(store, "last", SPENT)
        store.advance(30_000)

        assert {store.admit()["account"] for _ in range(20)}.isdisjoint({"last"})

    def test_test_that_told_nothing(self, store: StoreOfTest) -> None:
        """The next request is the test then."""
        serve(store, "a0", SPENT)
        store.advance(30_000)
        serve(store, "a0", {})

        assert store.admit(pin="a0")["probe"] is True

    def test_dead_credential_waits_for_a_person(self, store: StoreOfTest) -> None:
        serve(store, "a0", DEAD)
        store.advance(10**9)
        store.renew()

        assert state(store, "a0") == "credential_dead"
        assert store.set_state("a0", "active") == 1
        assert state(store, "a0") == "active"

    def test_an_upstream_that_refuses_every_credential(self, store: StoreOfTest) -> None:
        """Its authentication may fail: each minute takes one account out, others are suspected."""
        for number in range(4):
            serve(store, f"a{number}", REFUSED)
        found = [state(store, f"a{number}") for number in range(4)]
        assert found == ["credential_dead", "suspected", "suspected", "active"]  # of eight, a quarter

        store.advance(59_999)
        serve(store, "a1", REFUSED)  # the test of the suspicion
        assert state(store, "a1") == "suspected"

        store.advance(15_000)
        serve(store, "a1", REFUSED)
        serve(store, "a2", REFUSED)
        assert [state(store, f"a{number}") for number in range(3)] == [
            "credential_dead",
            "credential_dead",
            "suspected",
        ]

    def test_suspected_accounts_of_such_an_upstream_come_back(self, store: StoreOfTest) -> None:
        serve(store, "a0", REFUSED)
        serve(store, "a1", REFUSED)
        store.advance(2000)
        serve(store, "a1", OK)

        assert state(store, "a1") == "active"

    @pytest.mark.parametrize("field", ["kind", "base_url"])
    def test_another_upstream_is_judged_by_itself(self, store: StoreOfTest, field: str) -> None:
        store.client.hset(keys.account(store.pool, "a1"), field, "other")
        serve(store, "a0", REFUSED)
        serve(store, "a1", REFUSED)

        assert [state(store, each) for each in ("a0", "a1")] == ["credential_dead"] * 2

    def test_a_refused_retest_shows_no_new_refusal(self, store: StoreOfTest) -> None:
        """The account stays out, and another one may be refused for itself."""
        serve(store, "a0", REFUSED)
        since = store.state("a0")["since_ms"]
        store.advance(600_000)
        store.scripts.run_raw("observe_account", store.pool, {"account": "a0", "accepted": True})
        serve(store, "a0", REFUSED)
        assert (state(store, "a0"), store.state("a0")["since_ms"]) == ("credential_dead", since)

        serve(store, "a1", REFUSED)
        assert state(store, "a1") == "credential_dead"

    def test_the_same_account_may_be_refused_again(self, store: StoreOfTest) -> None:
        """An operator has resumed it; that it is refused again says nothing new of the upstream."""
        serve(store, "a0", REFUSED)
        store.set_state("a0", "active")
        serve(store, "a0", REFUSED)

        assert state(store, "a0") == "credential_dead"

    @pytest.mark.parametrize("before", ["paused", "credential_dead", "window_spent"])
    def test_stronger_belief_stays(self, store: StoreOfTest, before: str) -> None:
        """A request that began before cannot turn a pause or a spent window into a burst."""
        held = store.admit(pin="a0")
        if before == "paused":
            store.set_state("a0", "paused")
        else:
            serve(store, "a0", DEAD if before == "credential_dead" else SPENT)
        until = store.state("a0")["until_ms"]
        store.settle(held["id"], BURST)

        assert (state(store, "a0"), store.state("a0")["until_ms"]) == (before, until)

    @pytest.mark.parametrize("mark", [OK, {}], ids=["ok", "neutral"])
    def test_good_answer_does_not_bring_back(self, store: StoreOfTest, mark: dict[str, Any]) -> None:
        """A paused account stays paused when a request that it was still serving ends well."""
        held = store.admit(pin="a0")
        store.set_state("a0", "paused")
        store.settle(held["id"], mark)

        assert (state(store, "a0"), store.in_flight("a0")) == ("paused", 0)
        assert "a0" not in ready(store)

    def test_overload_is_of_a_model(self, store: StoreOfTest) -> None:
        serve(store, "a0", {"model": "m", "wait_ms": 5000})

        assert state(store, "a0") == "active"
        assert store.admit(pin="a0")["refused"] == "no_accounts"
        assert store.admit(pin="a0", model="n")["account"] == "a0"
        store.advance(5001)
        assert store.admit(pin="a0")["account"] == "a0"


class TestSuspicion:
    def test_grows_and_is_forgotten(self, store: StoreOfTest) -> None:
        """Twice as long each time, to a most; one good answer clears it."""
        waits = []
        for _ in range(6):
            serve(store, "a0", SOFT)
            waits.append(int(store.state("a0")["until_ms"]) - store.now)
            store.advance(waits[-1])
        assert waits == [1000, 2000, 4000, 8000, 16_000, 20_000]

        serve(store, "a0", OK)
        serve(store, "a0", SOFT)
        assert int(store.state("a0")["until_ms"]) - store.now == 1000

    def test_keeps_out_a_quarter_at_most(self, store: StoreOfTest) -> None:
        for number in range(8):
            serve(store, f"a{number}", SOFT)

        assert [state(store, f"a{n}") for n in range(8)] == ["suspected"] * 2 + ["active"] * 6

    def test_who_is_being_tested_still_counts(self, store: StoreOfTest) -> None:
        """It serves one request at a time: the others have to carry the pool."""
        for number in range(2):
            serve(store, f"a{number}", SOFT)
        store.advance(1000)
        store.renew()
        serve(store, "a7", SOFT)
        assert state(store, "a7") == "active"

        serve(store, "a0", OK)
        serve(store, "a7", SOFT)
        assert state(store, "a7") == "suspected"

    @pytest.mark.parametrize(("accounts", "out"), [(1, 0), (2, 1), (3, 1), (7, 1), (8, 2)])
    def test_small_pools(self, store: StoreOfTest, accounts: int, out: int) -> None:
        """One of few, and never the only one."""
        for number in range(accounts, 8):
            store.remove(f"a{number}")
        for number in range(accounts):
            serve(store, f"a{number}", SOFT)

        assert len(ready(store)) == accounts - out

    def test_never_the_last(self, store: StoreOfTest) -> None:
        """Where all others are out for better reasons, a doubtful account is better than none."""
        for number in range(7):
            store.set_state(f"a{number}", "paused")
        serve(store, "a7", SOFT)

        assert ready(store) == {"a7"}

    def test_never_the_last_beside_one_that_is_being_tested(self, store: StoreOfTest) -> None:
        for number in range(1, 7):
            store.set_state(f"a{number}", "paused")
        serve(store, "a0", SPENT)
        store.advance(30_000)
        tested = store.admit(pin="a0")
        serve(store, "a7", SOFT)

        assert (tested["probe"], ready(store)) == (True, {"a7"})

    def test_of_the_removed_counts_no_more(self, store: StoreOfTest) -> None:
        for number in range(4):
            serve(store, f"a{number}", SOFT)
        store.remove("a0")
        store.remove("a1")
        serve(store, "a7", SOFT)

        assert state(store, "a7") == "suspected"


class TestSlots:
    def test_freed_on_the_account_that_has_it(self, store: StoreOfTest) -> None:
        """A failed attempt moves the request, and its slot, to another account."""
        held = store.admit(pin="a0")
        moved = store.report(held["id"], 1, SOFT, tried=["a0"])

        assert moved["account"] != "a0"
        assert (store.in_flight("a0"), store.in_flight(moved["account"])) == (0, 1)
        assert moved["attempt"] == 2

    def test_report_twice(self, store: StoreOfTest) -> None:
        """A reply lost on the wire is told again: no second mark, no second slot."""
        held = store.admit(pin="a0")
        moved = store.report(held["id"], 1, SOFT, tried=["a0"])

        assert store.report(held["id"], 1, SOFT, tried=["a0"]) == moved
        assert store.state("a0")["errors"] == "1"
        assert sum(store.in_flight(f"a{n}") for n in range(8)) == 1

    def test_same_account_again(self, store: StoreOfTest) -> None:
        """Where there is no other, if the caller may ask the same one once more."""
        for number in range(1, 8):
            store.remove(f"a{number}")
        held = store.admit()
        again = store.report(held["id"], 1, SOFT, tried=["a0"], never=[])

        assert (again["account"], again["by"]) == ("a0", "asked again")
        assert store.in_flight("a0") == 1

    def test_nobody_else(self, store: StoreOfTest) -> None:
        """The request keeps what it holds under limits, but no slot anywhere, until it settles."""
        held = store.admit(pin="a0")
        refused = store.report(held["id"], 1, tried=[f"a{n}" for n in range(8)])

        assert refused["refused"] == "no_accounts"
        assert store.in_flight("a0") == 0
        store.settle(held["id"], SOFT)
        assert (store.in_flight("a0"), store.state("a0").get("errors", "0")) == (0, "0")

    def test_removed_meanwhile(self, store: StoreOfTest) -> None:
        """What a removed account was serving ends in peace, and leaves no trace of it."""
        held = store.admit(pin="a0")
        store.remove("a0")
        store.settle(held["id"], SOFT, account="a0")

        assert store.state("a0") == {}
        assert store.rows()[0]["account"] == "a0"

    def test_lowered_cap(self, store: StoreOfTest) -> None:
        """Open requests end by themselves; nothing new comes until there is room below the new cap."""
        held = [store.admit(pin="a0") for _ in range(3)]
        store.account("a0", cap=2)
        for done, account in zip(held, [None, "a0"], strict=False):
            store.settle(done["id"])
            assert store.admit(pin="a0").get("account") == account

    def test_changed_account_keeps_its_state(self, store: StoreOfTest) -> None:
        serve(store, "a0", SPENT)
        store.account("a0", cap=7, models=("m",))

        assert state(store, "a0") == "window_spent"
        assert store.admit(pin="a0")["refused"] == "no_accounts"


class TestAbsence:
    def test_tells_states_and_the_first_to_come_back(self, store: StoreOfTest) -> None:
        serve(store, "a0", SPENT)
        serve(store, "a1", BURST)
        for number in range(2, 8):
            store.set_state(f"a{number}", "paused")

        refused = store.admit()
        assert refused["states"] == {"window_spent": 1, "burst_limited": 1, "paused": 6}
        assert (refused["total"], refused["wait_ms"]) == (8, 2000)

    def test_all_full(self, store: StoreOfTest) -> None:
        for _ in range(40):
            assert "account" in store.admit()

        refused = store.admit()
        assert (refused["states"], refused["wait_ms"]) == ({"active": 8}, 0)

    def test_empty_pool(self, store: StoreOfTest) -> None:
        for number in range(8):
            store.remove(f"a{number}")

        assert store.admit()["total"] == 0


def test_a_window_that_is_not_told_of_stays(store: StoreOfTest) -> None:
    """An answer that names the secondary window alone says nothing of the primary one."""
    hour, day = store.now + 3_600_000, store.now + 86_400_000
    serve(store, "a0", {"ok": True, "windows": [[90, hour], [10, day]]})

    serve(store, "a0", {"ok": True, "windows": [None, [12, day]]})

    kept = store.state("a0")
    assert [kept[name] for name in ("used_1", "reset_1", "used_2", "reset_2")] == [
        "90",
        str(hour),
        "12",
        str(day),
    ]


class TestProspects:
    """What a refused request is told to hope for within seconds."""

    def test_the_first_rest_to_end(self, store: StoreOfTest) -> None:
        for number in range(8):
            serve(store, f"a{number}", BURST | {"wait_ms": 2000 + number, "retest_wait_ms": 2000 + number})

        refused = store.admit()
        assert (refused["rest_ms"], refused["busy"]) == (2000, 0)

    def test_a_spent_window_is_no_short_rest(self, store: StoreOfTest) -> None:
        """Nor is the test of one, whenever it is due: it will hardly have room."""
        for number in range(8):
            serve(store, f"a{number}", SPENT)

        refused = store.admit()
        assert (refused.get("rest_ms"), refused["busy"]) == (None, 0)

    def test_busy_ones(self, store: StoreOfTest) -> None:
        for _ in range(40):
            assert "account" in store.admit()

        refused = store.admit()
        assert (refused.get("rest_ms"), refused["busy"]) == (None, 8)

    def test_only_of_those_that_could_serve_it(self, store: StoreOfTest) -> None:
        for number in range(8):
            serve(store, f"a{number}", DEAD)
        store.account("other", models=("n",))
        store.settle(store.admit(model="n")["id"], BURST)

        refused = store.admit()
        assert (refused.get("rest_ms"), refused["busy"]) == (None, 0)

    def test_a_resting_model(self, store: StoreOfTest) -> None:
        for number in range(8):
            serve(store, f"a{number}", {"model": "m", "wait_ms": 5000})

        assert store.admit()["rest_ms"] == 5000


def test_key_that_was_removed_meanwhile_gets_no_other_account(store: StoreOfTest) -> None:
    """What it was bound to went with it."""
    for name in ("a", "b"):
        store.account(name)
    lease = store.admit()
    store.scripts.client.delete(keys.api_key(store.pool, "k"))

    reply = store.report(lease["id"], 1, tried=[lease["account"]])

    assert reply["refused"] == "key"
    assert store.in_flight("a") == store.in_flight("b") == 0
    assert store.settle(lease["id"])
    assert store.in_flight("a") == store.in_flight("b") == 0
