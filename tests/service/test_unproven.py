"""Accounts that have failed and never answered harm no request that another can serve."""

from __future__ import annotations

from typing import Any

import pytest

from app import administration
from app.stores.records.audit import Actor
from tests.service.test_verdicts import WELL, refused, send_request
from tests.support.gateway import PoolOfTest
from tests.support.ports import free_port
from tests.support.upstream_client import ScriptedUpstream

NOT_FOUND = {"play": "http_error", "status": 404, "body": {"detail": "Not Found"}}
REFUSED = refused(401, "Incorrect API key provided", code="invalid_api_key")


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
