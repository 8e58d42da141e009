"""Which accounts a job looks at, and what is kept of it."""

from __future__ import annotations

import gevent
import pytest
from gevent.event import Event

from app.errors import StoreUnavailable, UpstreamUnreachable
from tests.workers.conftest import POOL
from workers.account_jobs import AT_ONCE, AccountJob, look_at_each

NOW = 1_800_000_000.5


def looking(seen, *, wanted=lambda account, now: True, result="ok"):
    def look(services, pool, account, now):
        seen.append((pool, account.name, account.credential, now))
        if isinstance(result, Exception):
            raise result
        return result

    return AccountJob("test", 60, wanted, look)


def test_every_account_of_every_pool(built, add):
    """With its credential, which the list of accounts does not show."""
    add("a")
    built.pools.ensure("other")
    built.accounts.add("other", add("b"))
    seen = []

    look_at_each(built, NOW, looking(seen))

    assert sorted(seen) == [
        (POOL, "a", "sk-a", NOW),
        (POOL, "b", "sk-b", NOW),
        ("other", "b", "sk-b", NOW),
    ]


def test_once_a_period(built, add, next_period):
    add("a")
    seen = []
    look_at_each(built, NOW, looking(seen))
    look_at_each(built, NOW, looking(seen))
    assert len(seen) == 1

    next_period()
    look_at_each(built, NOW, looking(seen))

    assert len(seen) == 2


def test_only_who_is_wanted(built, add):
    add("a")
    add("b")
    seen = []

    look_at_each(built, NOW, looking(seen, wanted=lambda account, now: account.name == "b" and now == NOW))

    assert [name for _, name, *_ in seen] == ["b"]


@pytest.mark.parametrize(
    ("result", "kept"),
    [
        ("ok", "ok"),
        ("held", "held"),
        (UpstreamUnreachable(""), "upstream_unavailable"),
        (KeyError(), "failed"),
    ],
)
def test_what_came_of_it_is_kept(built, add, told, result, kept):
    account = add("a")

    look_at_each(built, NOW, looking([], result=result))

    assert told(account, "test") == {"at": int(NOW), "result": kept}


def test_one_failure_does_not_hide_another_account(built, add):
    for name in "abc":
        add(name)
    seen = []

    look_at_each(built, NOW, looking(seen, result=KeyError()))

    assert len(seen) == 3


def test_a_store_that_is_away_is_waited_out(built, add, told):
    account = add("a")

    look_at_each(built, NOW, looking([], result=StoreUnavailable("away")))

    assert told(account, "test") is None


def test_an_account_that_was_removed_meanwhile_stays_removed(built, add, redis_client):
    account = add("a")

    def remove(services, pool, looked_at, now):
        services.accounts.remove(pool, "a")
        return "ok"

    look_at_each(built, NOW, AccountJob("test", 60, lambda account, now: True, remove))

    assert not [key for key in redis_client.scan_iter("*") if key.endswith(f"a:{account.id}")]


def test_a_few_at_once(built, add):
    for number in range(3 * AT_ONCE):
        add(f"a{number}")
    go, running, most = Event(), [], []

    def look(services, pool, account, now):
        running.append(account)
        most.append(len(running))
        go.wait()
        running.remove(account)
        return "ok"

    job = gevent.spawn(look_at_each, built, NOW, AccountJob("test", 60, lambda account, now: True, look))
    while len(running) < AT_ONCE:
        gevent.sleep(0.001)
    go.set()
    job.get()

    assert (max(most), len(most)) == (AT_ONCE, 3 * AT_ONCE)
