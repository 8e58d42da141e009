"""What pages that refresh every second read of the accounts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from redis.client import Pipeline

from app.accounts.snapshot import read_current_accounts
from app.stores import keys
from app.stores.scripts import Scripts
from tests.support.store import StoreOfTest


def test_accounts(redis_client: Any) -> None:
    """By name, as they are now, without what is large or secret."""
    store = StoreOfTest(redis_client)
    store.account("b", cap=3, models=("m",))
    store.account("a")
    store.set_state("a", "paused")
    store.key("k")
    store.admit()
    redis_client.hset(keys.account(store.pool, "b"), "errors", "2")
    for name in ("a", "b"):
        secret = {"base_url": "http://x/v1", "wires": "chat", "credential": "sealed", "sign_in": "sealed"}
        redis_client.hset(keys.account(store.pool, name), mapping=secret)

    a, b = read_current_accounts(Scripts(redis_client), store.pool)

    assert (a.name, a.state, a.in_flight) == ("a", "paused", 0)
    assert (b.name, b.state, b.in_flight, b.cap) == ("b", "active", 1, 3)
    assert (b.suspicions, b.stays_in_use, a.stays_in_use) == (2, True, False)
    assert b.protocols == ("chat",)
    assert [(each.models, each.credential, each.signed_in) for each in (a, b)] == [((), "", False)] * 2


def test_whether_they_have_answered(redis_client: Any) -> None:
    """As a read of the whole account finds, although the list of models is not read."""
    store = StoreOfTest(redis_client)
    store.account("listed")
    store.account("new")
    for name in ("listed", "new"):
        redis_client.hset(
            keys.account(store.pool, name), mapping={"base_url": "http://x/v1", "wires": "chat"}
        )
    redis_client.hset(keys.account(store.pool, "listed"), "listed", '["m"]')

    found = read_current_accounts(Scripts(redis_client), store.pool)

    assert [(each.name, each.has_answered, each.listed) for each in found] == [
        ("listed", True, ()),
        ("new", False, ()),
    ]


def test_no_accounts(redis_client: Any) -> None:
    assert read_current_accounts(Scripts(redis_client), "none") == []


def test_it_takes_two_round_trips(redis_client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many accounts there are: every worker with an open page reads them each second."""
    store = StoreOfTest(redis_client)
    for name in "abc":
        store.account(name)
    reads: list[str] = []
    for owner, name in ((type(redis_client), "execute_command"), (Pipeline, "execute")):
        monkeypatch.setattr(owner, name, counted(getattr(owner, name), reads))

    read_current_accounts(Scripts(redis_client), store.pool)

    assert len(reads) == 2


def counted(call: Callable[..., Any], calls: list[str]) -> Callable[..., Any]:
    def counting(*args: Any, **more: Any) -> Any:
        calls.append(call.__name__)
        return call(*args, **more)

    return counting
