"""Hours of a pool whose accounts fail in every way: idle healthy capacity, and requests sent in vain."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from app.stores.client import make_client
from tests.simulation.traffic import Seen, Traffic
from tests.simulation.upstreams import FOR_EVER, HOUR, MINUTE, SECOND, Spell
from tests.support.redis import private_redis
from tests.support.store import START_MS, StoreOfTest

LASTS_MS = 2 * HOUR
ACCOUNTS = {
    "bursts": "openai",
    "spent": "openai",
    "reset-early": "chatgpt",
    "reset-early-unseen": "openai",  # no usage endpoint: an ordinary request finds out
    "overloaded": "openai",
    "dead": "chatgpt",
    "suspended": "openai",
    "flapping": "openai",
    "drifting": "chatgpt",
    "well": "openai",
    "well-too": "chatgpt",
    "well-as-well": "openai",
}
# False alarms in headers: nearly nothing left, while the usage endpoint reports plenty.
DRIFTING = {"x-codex-primary-used-percent": "97", "x-codex-primary-reset-after-seconds": "7200"}

# How late the end of a spell may be noticed, by contract: a burst within ten seconds, an early reset
# within one look where there is a usage endpoint and ten minutes where there is none. To see it
# takes a request that comes by, its response, and a sample.
SEEING_MS = 15 * SECOND
BOUNDS_MS = {
    "burst": 10 * SECOND,
    "spent": 10 * SECOND,
    "early reset": 10 * MINUTE,
    "overloaded": 10 * SECOND,
    "failing": 20 * SECOND,
}
MAX_IDLE_MS = 10 * MINUTE  # of 21 hours in which accounts were well
FLAPPING_ENDS = 75  # minutes after the start
LAST_MINUTES = 30


def at(minutes: float) -> int:
    return START_MS + int(minutes * MINUTE)


def planned(chance: random.Random) -> list[Spell]:
    spells = [
        Spell("spent", "spent", at(5), at(35), reported=at(35)),
        Spell("spent", "spent", at(50), at(52), reported=at(52)),
        Spell("reset-early", "spent", at(10), at(40), reported=at(10 + 5 * 60)),
        Spell("reset-early-unseen", "spent", at(10), at(40), reported=at(10 + 5 * 60)),
        Spell("dead", "dead", at(20)),
        Spell("suspended", "suspended", at(30)),
    ]
    spells += [
        Spell("bursts", "burst", at(minute), at(minute) + chance.randint(2, 9) * SECOND)
        for minute in range(3, 115, 12)
    ]
    spells += [
        Spell("overloaded", "overloaded", at(minute), at(minute + 1), model="big")
        for minute in range(8, 110, 20)
    ]
    spells += [
        Spell("flapping", "failing", at(60) + n * 20 * SECOND, at(60) + (n * 20 + 10) * SECOND)
        for n in range((FLAPPING_ENDS - 60) * 3)
    ]
    return spells


Played = tuple[list[Spell], Seen]


@pytest.fixture(scope="module", params=[1, 2])
def played(request: pytest.FixtureRequest) -> Iterator[Played]:
    with private_redis() as url:
        client = make_client(url, 5.0)
        yield play(StoreOfTest(client), request.param)
        client.close()


def play(store: StoreOfTest, seed: int) -> Played:
    store.key("k")
    for name, kind in ACCOUNTS.items():
        store.account(name, kind=kind)
    chatgpt = {name for name, kind in ACCOUNTS.items() if kind == "chatgpt"}
    spells = planned(random.Random(seed))
    traffic = Traffic(store, spells, chatgpt=chatgpt, headers={"drifting": DRIFTING}, seed=seed)
    return spells, traffic.play(LASTS_MS, last_ms=LAST_MINUTES * MINUTE)


def test_no_client_is_refused(played: Played) -> None:
    assert played[1].refused == 0


def test_the_end_of_each_spell_is_noticed_in_time(played: Played) -> None:
    spells, seen = played
    # one that is followed by the next within seconds is judged with it
    judged = {spell: late for spell, late in seen.back_after_ms.items() if spell.kind != "failing"}
    last_failure = max((spell for spell in spells if spell.kind == "failing"), key=lambda spell: spell.ends)
    judged[last_failure] = seen.back_after_ms[last_failure]

    late = {spell: ms for spell, ms in judged.items() if ms > BOUNDS_MS[spell.name] + SEEING_MS}

    assert late == {}
    for_good = {spell for spell in spells if spell.ends == FOR_EVER}
    assert set(spells) - set(seen.back_after_ms) == for_good


def test_an_early_reset_is_noticed_by_the_next_query(played: Played) -> None:
    _, seen = played
    (looked,) = (ms for spell, ms in seen.back_after_ms.items() if spell.account == "reset-early")

    assert looked <= MINUTE


def test_good_capacity_does_not_idle(played: Played) -> None:
    _, seen = played

    assert sum(seen.idle_ms.values()) <= MAX_IDLE_MS
    assert {account for account in ACCOUNTS if "well" in account or account == "drifting"}.isdisjoint(
        seen.idle_ms
    )


def test_a_recovered_account_has_a_full_share(played: Played) -> None:
    """A usage window reported earlier has no weight after its reset."""
    _, seen = played
    back = {"bursts", "spent", "reset-early-unseen", "flapping", "overloaded"}
    fair = sum(seen.served_last[account] for account in ("well", "well-as-well")) / 2

    assert {account: seen.served_last[account] for account in back} == {
        account: pytest.approx(fair, rel=0.2) for account in back
    }


def test_the_dead_are_left_alone(played: Played) -> None:
    """Once it is known that they are dead, they get nothing; it takes one request to know."""
    _, seen = played

    assert seen.after_death.total() == 0
    assert seen.wasted["dead"] + seen.wasted["suspended"] <= 4


def test_spent_accounts_are_hardly_tried(played: Played) -> None:
    """At most once for each twentieth of a wait, and by those on their way when it began."""
    _, seen = played

    assert seen.wasted["spent"] <= 2 * (20 + 4)
    assert seen.wasted["reset-early-unseen"] <= 3 + 4
