"""Accounts that join a pool or come back to it have the share of the others, however they do so."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from app import administration
from app.stores import keys
from app.stores.records.audit import Actor
from app.wiring import build
from tests.service.test_verdicts import WELL, refused, send_request
from tests.support.gateway import PoolOfTest
from tests.support.issuer_client import Issuer
from tests.support.upstream_client import ScriptedUpstream
from workers import retest

OTHERS = "bc"
REQUESTS = 60
ABSENT = 90  # requests that the others serve meanwhile: enough to give too much to one that makes up for them
ACTOR = Actor("ann", "cli")
Return = Callable[[], Any]
Leave = Callable[[PoolOfTest, ScriptedUpstream], Return]

RESET = {"before": [{"reset": True}]}
SPENT = refused(429, "Used up.", code="usage_limit_reached")
SUSPENDED = refused(403, "Suspended.", code="account_suspended")


def add(pool: PoolOfTest, upstream: ScriptedUpstream, name: str, kind: str = "openai") -> None:
    if kind == "chatgpt":
        home = f"{upstream.root_url(name)}/backend-api"
        pool.account(name, home, kind=kind, chatgpt_account_id=f"{pool.name}-{name}")
    else:
        pool.account(name, upstream.base_url(name), kind=kind)


def serve(pool: PoolOfTest, key: str, number: int) -> Counter[str]:
    """Return which account served how many of *number* conversations."""
    responses = [send_request(pool, key) for _ in range(number)]
    assert {response.status_code for response in responses} == {200}
    return Counter(response.headers["x-poolgate-account"] for response in responses)


def resumed(pool: PoolOfTest, upstream: ScriptedUpstream) -> Return:
    add(pool, upstream, "a")
    accounts = administration.operations(pool.gateway.services, ACTOR).accounts
    accounts.pause(pool.name, "a")
    return lambda: accounts.resume(pool.name, "a")


def added(pool: PoolOfTest, upstream: ScriptedUpstream) -> Return:
    return lambda: add(pool, upstream, "a")


def imported(pool: PoolOfTest, upstream: ScriptedUpstream) -> Return:
    settings = pool.gateway.services.settings
    services = build(replace(settings, chatgpt_base_url=f"{upstream.root_url('a')}/backend-api"))
    with Issuer() as issuer:
        _, tokens = issuer.sign_in(account_id=f"{pool.name}-a", email=f"{pool.name}@example.com")
    return lambda: administration.operations(services, ACTOR).sign_ins.import_auth_json(
        pool.name, "a", tokens.auth_json()
    )


def after_failure(play: dict[str, Any], state: str) -> Leave:
    def leave(pool: PoolOfTest, upstream: ScriptedUpstream) -> Return:
        add(pool, upstream, "a")
        upstream.script(play, WELL, account="a")
        key = pool.key("first")
        while pool.states()["a"] == "active":
            assert send_request(pool, key).status_code == 200
        assert pool.states()["a"] == state
        set_end_of_rest(pool, time.time() + 3600)  # whatever the machine takes until then
        return lambda: set_end_of_rest(pool, 0)

    return leave


def set_end_of_rest(pool: PoolOfTest, at: float) -> None:
    """Let the account rest until *at*, Unix seconds."""
    client: Any = pool.gateway.services.scripts.client
    account = pool.gateway.services.accounts.find(pool.name, "a")
    assert client.zadd(keys.root(pool.name) + "out", {account.id: 1000 * at}, xx=True, ch=True) == 1


def retested(pool: PoolOfTest, upstream: ScriptedUpstream) -> Return:
    after_failure(SUSPENDED, "credential_dead")(pool, upstream)
    upstream.script({"play": "json", "body": {"data": [{"id": "m"}]}}, account="a", path="/v1/models")
    return lambda: retest.run(pool.gateway.services, time.time() + retest.FIRST_SECONDS + 1)


RETURNS: dict[str, Leave] = {
    "resumed": resumed,
    "new": added,
    "imported": imported,
    "recovered": after_failure(RESET, "suspected"),
    "reset": after_failure(SPENT, "window_spent"),
    "retested": retested,
}


@pytest.mark.parametrize("way", RETURNS)
def test_none_has_more_than_twice_its_share(pool: PoolOfTest, upstream: ScriptedUpstream, way: str) -> None:
    upstream.script(WELL)
    for name in OTHERS:
        add(pool, upstream, name, "chatgpt" if way == "imported" else "openai")
    key = pool.key()
    come_back = RETURNS[way](pool, upstream)
    assert "a" not in serve(pool, key, ABSENT)
    come_back()

    served = serve(pool, key, REQUESTS)

    assert set(served) == {"a", *OTHERS}
    assert max(served.values()) <= 2 * REQUESTS / 3, served
    assert served["a"] >= REQUESTS / 6, served
    assert set(pool.states().values()) == {"active"}
