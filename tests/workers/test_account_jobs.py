"""Which accounts a job examines, and the results that are stored."""

from __future__ import annotations

import gevent
import pytest
from gevent.event import Event

from app.errors import StoreUnavailable, UpstreamUnreachable
from tests.workers.conftest import POOL
from workers.account_jobs import MAX_CONCURRENT, AccountJob, examine_accounts

NOW = 1_800_000_000.5


def make_job(seen, *, is_due=lambda account, now: True, result="ok"):
    def examine(services, pool, account, now):
        seen.append((pool, account.name, account.credential, now))
        if isinstance(result, Exception):
            raise result
        return result

    return AccountJob("test", 60, is_due, examine)


def test_every_account_of_every_pool(built, add):
    """With its credential, which the list of accounts does not show."""
    add("a")
    built.pools.ensure("other")
    built.accounts.add("other", add("b"))
    seen = []

    examine_accounts(built, NOW, make_job(seen))

    assert sorted(seen) == [
        (POOL, "a", "sk-a", NOW),
        (POOL, "b", "sk-b", NOW),
        ("other", "b", "sk-b", NOW),
    ]


def test_once_a_period(built, add, next_period):
    add("a")
    seen = []
    examine_accounts(built, NOW, make_job(seen))
    examine_accounts(built, NOW, make_job(seen))
    assert len(seen) == 1

    next_period()
    examine_accounts(built, NOW, make_job(seen))

    assert len(seen) == 2


def test_only_accounts_that_are_due(built, add):
    add("a")
    add("b")
    seen = []

    examine_accounts(
        built, NOW, make_job(seen, is_due=lambda account, now: account.name == "b" and now == NOW)
    )

    assert [name for _, name, *_ in seen] == ["b"]


@pytest.mark.parametrize(
    ("result", "stored"),
    [
        ("ok", {"result": "ok"}),
        ("held", {"result": "held"}),
        (UpstreamUnreachable(""), {"result": "upstream_unavailable", "failure": "unreachable"}),
        (KeyError(), {"result": "failed"}),
    ],
)
def test_the_result_is_stored(built, add, job_result, result, stored):
    account = add("a")

    examine_accounts(built, NOW, make_job([], result=result))

    assert job_result(account, "test") == {"at": int(NOW), **stored}


def test_one_failure_does_not_hide_another_account(built, add):
    for name in "abc":
        add(name)
    seen = []

    examine_accounts(built, NOW, make_job(seen, result=KeyError()))

    assert len(seen) == 3


def test_a_store_that_is_away_is_waited_out(built, add, job_result):
    account = add("a")

    examine_accounts(built, NOW, make_job([], result=StoreUnavailable("away")))

    assert job_result(account, "test") is None


def test_an_account_that_was_removed_meanwhile_stays_removed(built, add, redis_client):
    account = add("a")

    def remove(services, pool, looked_at, now):
        services.accounts.remove(pool, "a")
        return "ok"

    examine_accounts(built, NOW, AccountJob("test", 60, lambda account, now: True, remove))

    assert not [key for key in redis_client.scan_iter("*") if key.endswith(f"a:{account.id}")]


def test_a_few_at_once(built, add):
    for number in range(3 * MAX_CONCURRENT):
        add(f"a{number}")
    go, running, most = Event(), [], []

    def examine(services, pool, account, now):
        running.append(account)
        most.append(len(running))
        go.wait()
        running.remove(account)
        return "ok"

    job = gevent.spawn(
        examine_accounts, built, NOW, AccountJob("test", 60, lambda account, now: True, examine)
    )
    while len(running) < MAX_CONCURRENT:
        gevent.sleep(0.001)
    go.set()
    job.get()

    assert (max(most), len(most)) == (MAX_CONCURRENT, 3 * MAX_CONCURRENT)
