"""Accounts that have failed and never answered harm no request that another can serve."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from app import administration
from app.stores.records.audit import Actor
from app.wiring import Services, build
from tests.service.test_verdicts import WELL, refused, send_request
from tests.support.gateway import PoolOfTest
from tests.support.ports import free_port
from tests.support.upstream_client import ScriptedUpstream
from workers import account_jobs, retest

NOT_FOUND = {"play": "http_error", "status": 404, "body": {"detail": "Not Found"}}
REFUSED = refused(401, "Incorrect API key provided", code="invalid_api_key")
REDIRECTED = {"play": "http_error", "status": 302, "headers": {"Location": "http://x/"}, "body": {}}
BROKEN = {
    "401": REFUSED,
    "403": refused(403, "<html>blocked"),
    "404": NOT_FOUND,
    "500": refused(500, "Broken."),
    "302": REDIRECTED,
}
NAMES = ("broken-1", "broken-2", "broken-3")


@pytest.fixture
def worker(pool: PoolOfTest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    monkeypatch.setattr(account_jobs, "JITTER_SECONDS", 0)
    services = build(pool.gateway.services.settings)
    yield services
    services.scripts.client.close()


def add(pool: PoolOfTest, name: str, url: str) -> None:
    accounts = administration.operations(pool.gateway.services, Actor("ann", "cli")).accounts
    fields = {"kind": "compatible", "name": name, "base_url": url}
    accounts.fetch_listing(pool.name, accounts.add(pool.name, fields, credential="sk-x"))


def test_they_come_last(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """One that works serves every request, whatever it is next to."""
    for name in ("refused-1", "refused-2"):
        upstream.script(REFUSED, account=name)
        upstream.script(REFUSED, account=name, path="/models")
        add(pool, name, upstream.base_url(name))
    add(pool, "unreachable", f"http://127.0.0.1:{free_port()}/v1")
    upstream.script(WELL, account="works")
    add(pool, "works", upstream.base_url("works"))
    key = pool.key()

    served = [send_request(pool, key) for _ in range(12)]

    assert [response.status_code for response in served] == [200] * 12
    assert {response.headers["x-poolgate-account"] for response in served} == {"works"}
    assert not [seen for seen in upstream.log("refused-1") if seen.path.endswith("/completions")]
    assert set(pool.states().values()) == {"active"}


def test_a_wrong_base_url(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """Its server answers 404, also for its list of models. A request puts one such account last."""
    for name in ("wrong-1", "wrong-2", "works"):
        for path in ("/models", "/chat/completions"):
            upstream.script(WELL if name == "works" else NOT_FOUND, account=name, path=path)
        add(pool, name, upstream.base_url(name))
    key = pool.key()

    served = [send_request(pool, key) for _ in range(12)]

    assert [response.status_code for response in served] == [200] * 12
    assert {response.headers["x-poolgate-account"] for response in served} == {"works"}
    attempts = [seen.account for seen in upstream.log() if seen.path.endswith("/completions")]
    assert max(attempts.count(name) for name in ("wrong-1", "wrong-2")) <= 2


def test_a_server_without_a_list_has_its_share(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    for name in ("a", "b"):
        upstream.script(NOT_FOUND, account=name, path="/models")
        upstream.script(WELL, account=name)
        add(pool, name, upstream.base_url(name))
    key = pool.key()

    served = [send_request(pool, key).headers["x-poolgate-account"] for _ in range(12)]

    assert sorted(served) == ["a"] * 6 + ["b"] * 6


@pytest.mark.parametrize("order", [("works", "wrong"), ("wrong", "works")])
@pytest.mark.parametrize(
    ("answer", "status"), [(refused(500, "Broken."), 500), (refused(429, "Slow down."), 429)]
)
def test_the_caller_receives_what_the_other_answers(
    pool: PoolOfTest, upstream: ScriptedUpstream, order: tuple[str, str], answer: dict[str, Any], status: int
) -> None:
    """The 404 of a wrong base URL hides nothing, whichever account was tried last."""
    upstream.script(NOT_FOUND, account="wrong")
    upstream.script(answer, account="works")
    for name in order:
        add(pool, name, upstream.base_url(name))
    key = pool.key()

    responses = [send_request(pool, key) for _ in range(2)]

    assert [each.status_code for each in responses] == [status] * 2
    assert answer["body"]["error"]["message"] in responses[0].json()["error"]["message"]


def test_they_are_tried_where_no_other_can_serve(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """A server may refuse to list its models and answer requests; then it has its share from there on."""
    upstream.script(REFUSED, account="a", path="/models")
    upstream.script(WELL, account="a")
    add(pool, "a", upstream.base_url("a"))
    key = pool.key()
    assert send_request(pool, key).status_code == 200

    upstream.script(WELL, account="b")
    add(pool, "b", upstream.base_url("b"))
    assert {send_request(pool, key).headers["x-poolgate-account"] for _ in range(12)} == {"a", "b"}


def received(upstream: ScriptedUpstream, name: str) -> int:
    """Return how many requests the account *name* has received, other than for its models."""
    return sum(seen.path.endswith("/completions") for seen in upstream.log(name))


def statuses(pool: PoolOfTest, key: str, count: int = 40) -> set[int]:
    """Return the statuses of *count* requests, 20 at a time."""
    with ThreadPoolExecutor(20) as threads:
        return set(threads.map(lambda _: send_request(pool, key).status_code, range(count)))


def marked(services: Services, pool: PoolOfTest) -> list[str]:
    """Return the names of the accounts that come last."""
    return [account.name for account in services.accounts.all(pool.name) if account.unproven]


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN)
def test_what_a_worker_tests_costs_callers_nothing(
    pool: PoolOfTest, upstream: ScriptedUpstream, worker: Services, answer: dict[str, Any]
) -> None:
    """It sends one request of its own to each in a period; a failure changes nothing, a success ends it."""
    for name in NAMES:
        upstream.script(answer, account=name)
        upstream.script(answer, account=name, path="/models")
        add(pool, name, upstream.base_url(name))
    upstream.script(WELL, account="works")
    add(pool, "works", upstream.base_url("works"))
    key = pool.key()
    for name in NAMES:
        account = worker.accounts.find(pool.name, name)
        worker.accounts.observe(pool.name, account.id, {}, unanswered="endpoint_missing")
    before = {name: received(upstream, name) for name in NAMES}

    for _ in range(2):
        retest.run(worker, time.time())
        assert statuses(pool, key) == {200}

    assert {name: received(upstream, name) - before[name] for name in NAMES} == dict.fromkeys(NAMES, 1)
    assert marked(worker, pool) == list(NAMES)
    assert set(pool.states().values()) == {"active"}


def test_it_comes_back_where_no_account_has_a_list(
    pool: PoolOfTest, upstream: ScriptedUpstream, worker: Services
) -> None:
    """It is tested with the model of a request that another account answered."""
    for name, answer in (("was-broken", BROKEN["500"]), ("works", WELL)):
        upstream.script(answer, account=name, path="/chat/completions")
        upstream.script(answer if name == "was-broken" else NOT_FOUND, account=name, path="/models")
        add(pool, name, upstream.base_url(name))
    key = pool.key()
    assert statuses(pool, key, 4) == {200}
    assert received(upstream, "was-broken") == 0
    upstream.script(WELL, account="was-broken", path="/chat/completions")
    pool.wait_for_rows(4)

    retest.run(worker, time.time())

    assert marked(worker, pool) == []
    served = {send_request(pool, key).headers["x-poolgate-account"] for _ in range(12)}
    assert served == {"was-broken", "works"}
