"""Simultaneous requests: exactly as many succeed as there is room for, also when processes crash."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from tests.support.store import StoreOfTest, limit

ROOT = Path(__file__).parents[3]
RACERS = 100


def race(store: StoreOfTest, admissions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The replies to all *admissions*, each sent over its own connection at the same moment."""
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
