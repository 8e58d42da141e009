"""Simultaneous requests: exactly as many succeed as there is room for, also when processes crash."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import orjson
import pytest

from tests.support.store import StoreOfTest, limit

ROOT = Path(__file__).parents[3]
RACERS = 100


def race(store: StoreOfTest, admissions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the replies to all *admissions*, which are sent over separate connections at the same moment."""
    start = Barrier(len(admissions))

    def run(admission: dict[str, Any]) -> dict[str, Any]:
        store.client.ping()  # a connection is there before the start
        start.wait()
        return store.scripts.run_json("admit", store.pool, admission)

    with ThreadPoolExecutor(len(admissions)) as threads:
        return list(threads.map(run, admissions))


class TestRace:
    @pytest.mark.parametrize("per", ["none", "minute", "day", "ever"])
    def test_hundred_for_five_slots(self, store: StoreOfTest, per: str) -> None:
        store.account("a", cap=RACERS)
        what = "parallel_requests" if per == "none" else "requests"
        store.key("k", limit("l", what, per, 5))

        replies = race(store, [store.admission() for _ in range(RACERS)])
        assert sum("account" in reply for reply in replies) == 5
        assert {reply["limit"]["id"] for reply in replies if "refused" in reply} == {"l"}

    @pytest.mark.parametrize("narrow", ["key", "team", "pool"])
    @pytest.mark.parametrize("per", ["none", "minute", "month"])
    def test_hundred_under_three_levels_of_limits(self, store: StoreOfTest, narrow: str, per: str) -> None:
        """Whichever level is the tightest: five are admitted, and charged at each."""
        store.account("a", cap=RACERS)
        what = "parallel_requests" if per == "none" else "requests"
        room = {level: 5 if level == narrow else RACERS for level in ("key", "team", "pool")}
        store.key("k", limit("key", what, per, room["key"]), team="red")
        store.key("j", limit("other", what, per, room["key"]), team="red")
        store.team("red", limit("team", what, per, room["team"], scope="team"))
        store.pool_limits(limit("pool", what, per, room["pool"], scope="pool"))

        keys_of_racers = ["k"] * RACERS if narrow == "key" else ["k", "j"] * (RACERS // 2)
        replies = race(store, [store.admission(key=key) for key in keys_of_racers])
        admitted = [reply for reply in replies if "account" in reply]
        assert len(admitted) == 5
        assert {reply["limit"]["id"] for reply in replies if "refused" in reply} == {narrow}
        field = "h" if per == "none" else "q" if per == "minute" else "s"
        unit = 60_000 if per == "minute" else 1
        assert {name: store.counters(name)[field] // unit for name in ("team", "pool")} == {
            "team": 5,
            "pool": 5,
        }

    def test_hundred_of_two_keys_that_change_their_team(self, store: StoreOfTest) -> None:
        """Keys change their team while they race: neither team ever admits more than it has room for."""
        store.account("a", cap=RACERS)
        for team in ("red", "blue"):
            store.team(team, limit(team, "parallel_requests", "none", 5, scope="team"))
        store.key("k", team="red")
        admissions = [store.admission(f"q{number}") for number in range(RACERS)]

        def move(number: int) -> None:
            fields = orjson.dumps({"team": ("red", "blue")[number % 2]})
            assert store.scripts.run("change_key", store.pool, "k", fields) == 1

        with ThreadPoolExecutor(1) as mover:
            moves = [mover.submit(move, number) for number in range(50)]
            replies = race(store, admissions)
            for each in moves:
                each.result()
        move(1)
        replies += [store.admit(f"later{number}") for number in range(RACERS)]
        admitted = [
            (admission["id"], reply)
            for admission, reply in zip(admissions, replies, strict=False)
            if "account" in reply
        ]
        teams = [store.open_request(request_id)["team"] for request_id, _ in admitted]
        assert store.counters("blue")["h"] == 5
        assert all(teams.count(team) <= 5 for team in ("red", "blue"))
        for request_id in store.leases():
            store.settle(request_id)
        assert [store.counters(team).get("h", 0) for team in ("red", "blue")] == [0, 0]

    def test_hundred_for_five_slots_of_accounts(self, store: StoreOfTest) -> None:
        store.account("a", cap=3)
        store.account("b", cap=2)

        replies = race(store, [store.admission() for _ in range(RACERS)])
        assert sorted(reply["account"] for reply in replies if "account" in reply) == [*"aaabb"]

    def test_hundred_copies_of_one_request(self, store: StoreOfTest) -> None:
        """All receive the same reply, and one slot is taken."""
        store.account("a", cap=RACERS)
        replies = race(store, [store.admission("q")] * RACERS)

        assert all(reply == replies[0] for reply in replies)
        assert store.in_flight("a") == 1


@pytest.mark.timeout(60)
def test_crashes() -> None:
    """
    Eight processes send requests, some are killed, Redis is paused and killed: the ledger shows no overshoot.

    The long form: python -m tests.soak.limits --admissions 1000000
    """
    command = [sys.executable, "-m", "tests.soak.limits", "--admissions", "10000", "--kill-every", "0.4"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stdout + run.stderr
