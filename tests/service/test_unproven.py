"""Accounts that were refused or not reached when they were added harm no request that another can serve."""

from __future__ import annotations

from app import administration
from app.stores.records.audit import Actor
from tests.service.test_verdicts import WELL, refused, send_request
from tests.support.gateway import PoolOfTest
from tests.support.ports import free_port
from tests.support.upstream_client import ScriptedUpstream

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
