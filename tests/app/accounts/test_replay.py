"""Policies on recorded and on made-up traffic, by the scripts that serve."""

from __future__ import annotations

import random
from typing import Any

import pytest

from app.accounts.pools import POLICIES
from app.accounts.replay import Member, Replay, Request, Window, requests_from_ledger
from tests.support.store import START_MS, StoreOfTest

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
ACCOUNTS = {
    "a": {"weight": 1, "cap": 3},
    "b": {"weight": 2, "cap": 2, "group": 1},
    "c": {"weight": 3, "cap": 9},
}


def live(
    store: StoreOfTest,
    policy: str,
    chance: random.Random,
    *,
    number: int = 150,
    gap_ms: int = 900,
    takes_ms: int = 4000,
) -> list[dict[str, Any]]:
    """Return the ledger of *number* overlapping requests that a pool really served."""
    store.policy(policy)
    store.key("k")
    for name, more in ACCOUNTS.items():
        store.account(name, **more)
    due: list[tuple[int, str]] = []
    settled: dict[str, int] = {}

    def settle_until(now: int) -> None:
        for end, request_id in sorted(one for one in due if one[0] <= now):
            request = store.open_request(request_id)
            store.set_clock(end)
            row = {"at_ms": int(request["started_ms"]), "account": request["account"]}
            store.settle(request_id, {"ok": True}, output_tokens=chance.randint(200, 1800), **row)
            settled[request_id] = end
        due[:] = [one for one in due if one[0] > now]
        store.set_clock(now)

    for n in range(number):
        settle_until(store.now + chance.randint(1, gap_ms))
        affinity = chance.choice(["", "", "x", "y", "z"])
        reply = store.admit(f"r{n}", affinity=affinity, ttl_ms=HOUR_MS)
        if "account" in reply:
            due.append((store.now + chance.randint(1, takes_ms), f"r{n}"))
    settle_until(store.now + takes_ms)
    return [row | {"settled_ms": settled[row["id"]]} for row in store.rows()]


@pytest.mark.parametrize("policy", POLICIES)
def test_recorded_decisions_are_made_again(redis_client: Any, policy: str) -> None:
    """Account by account: weights, caps, groups and conversations decide as they did."""
    requests = requests_from_ledger(iter(live(StoreOfTest(redis_client), policy, random.Random(7))))
    members = [Member(name, name, **more) for name, more in ACCOUNTS.items()]

    outcome = Replay(redis_client, members, policy).run(requests)

    assert len(requests) > 100
    assert outcome.chosen == [request.account for request in requests]


def made_up(_client: Any, seed: int) -> tuple[list[Member], list[Request]]:
    """Four accounts whose windows reset one after another, under a load that comes in waves."""
    chance, strain = random.Random(seed), (1, 1.5, 2.5)[seed % 3]
    members = [
        Member(name, name, window=Window(chance.randint(80, 120) * 1000, 5 * HOUR_MS, n * 75 * MINUTE_MS))
        for n, name in enumerate("abcd", start=1)
    ]
    requests, now = [], START_MS
    while now < START_MS + 20 * HOUR_MS:
        busy = (now // HOUR_MS) % 5 == seed % 5
        now += int(chance.expovariate(1) * (40_000 if busy else 150_000) / strain)
        tokens = chance.randint(200, 1800)
        requests.append(Request(now, now + chance.randint(500, 20_000), tokens=tokens))
    return members, requests


def as_recorded(client: Any, seed: int) -> tuple[list[Member], list[Request]]:
    """What a pool really served in a day, had its accounts had windows of five hours."""
    ledger = live(
        StoreOfTest(client), "balanced", random.Random(seed), number=700, gap_ms=240_000, takes_ms=20_000
    )
    members = [
        Member(name, name, window=Window(80_000, 5 * HOUR_MS, n * 100 * MINUTE_MS), **more)
        for n, (name, more) in enumerate(ACCOUNTS.items(), start=1)
    ]
    return members, requests_from_ledger(iter(ledger))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("load", [made_up, as_recorded])
def test_quota_is_used_before_it_lapses(redis_client: Any, load: Any, seed: int) -> None:
    """`use_before_reset` refuses no more than taking turns does, and leaves less to lapse."""
    members, requests = load(redis_client, seed)

    turns, before_reset = (
        Replay(redis_client, members, policy).run(requests) for policy in ("round_robin", "use_before_reset")
    )

    print(
        f"{load.__name__} {seed}: lapsed {turns.lapsed_tokens} -> {before_reset.lapsed_tokens} of "
        f"{turns.offered_tokens}; refused {turns.refused} -> {before_reset.refused}"
    )
    assert before_reset.refused <= turns.refused
    assert before_reset.lapsed_tokens < turns.lapsed_tokens


@pytest.mark.parametrize("policy", POLICIES)
def test_conversations_are_served_without_a_refusal(redis_client: Any, policy: str) -> None:
    """A thousand conversations in ten minutes, four at any time, each on one account until it ends."""
    turns_of = [(conversation, turn) for conversation in range(250) for turn in range(3)]
    requests = [
        Request(START_MS + n * 800, START_MS + (n + 1) * 800 - 1, affinity=f"{lane}-{conversation}")
        for n, (conversation, _) in enumerate(turns_of)
        for lane in range(4)
    ]
    assert requests[-1].end_ms - START_MS < 10 * MINUTE_MS
    members = [Member(name, name, cap=2) for name in "abc"]

    outcome = Replay(redis_client, members, policy).run(requests)

    assert outcome.refused == 0
    assert (outcome.turns, outcome.same_account_turns) == (2000, 2000)
