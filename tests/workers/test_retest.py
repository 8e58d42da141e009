"""A refused credential is tested again in the background, and its account comes back by itself."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest

from app.errors import UpstreamRejected
from app.pool.marks import mark_for
from tests.workers.conftest import POOL
from workers import models, retest, usage

REFUSED = {
    "play": "http_error",
    "status": 401,
    "body": {"error": {"code": "invalid_api_key", "message": "No."}},
}
LIST = {"play": "json", "status": 200, "body": {"data": [{"id": "m"}]}}


@pytest.fixture
def ann(add, built):
    account = add("ann")
    error = UpstreamRejected("No.", status=401, type="t", code="invalid_api_key", upstream_status=401)
    built.accounts.observe(POOL, account.id, {}, mark=mark_for(error, "m", time.time()))
    return account


def state(built):
    return built.accounts.find(POOL, "ann").state


def test_comes_back(built, upstream, ann):
    """One ordinary request tests it then; the audit log says who brought it back."""
    upstream.script(LIST, account="ann", path="/v1/models")
    retest.run(built, time.time())
    assert (state(built), upstream.log("ann")) == ("credential_dead", [])

    retest.run(built, time.time() + 601)

    assert state(built) == "active"
    (entry,) = built.audit.page().entries
    assert (entry["who"], entry["via"], entry["action"], entry["object"]) == (
        "background worker",
        "worker",
        "account.retest",
        "ann",
    )


def test_stays_out_while_it_is_refused(built, upstream, ann):
    upstream.script(REFUSED, account="ann", path="/v1/models")

    retest.run(built, time.time() + 601)

    assert state(built) == "credential_dead"
    assert len(upstream.log("ann")) == 1
    assert built.audit.page().entries == []


def test_ever_more_rarely(built, ann):
    """After 10, 20, 40 … minutes, and every six hours in the end."""
    account = built.accounts.find(POOL, "ann")
    began, claimed_until, minutes = account.since_ms / 1000, 0.0, []
    for minute in range(48 * 60):
        now = began + 60 * minute
        if retest._is_due(account, now) and now >= claimed_until:
            minutes.append(minute)
            claimed_until = now + 0.9 * retest._term(account, now)[1]  # as each_account does

    gaps = [later - earlier for earlier, later in pairwise(minutes)]
    assert minutes[0] == 10
    assert gaps == sorted(gaps)
    assert 320 <= gaps[-1] <= 360
    assert len(minutes) <= 16


def test_a_server_without_a_list(built, upstream, ann):
    upstream.script({"play": "http_error", "status": 404}, account="ann", path="/v1/models")

    retest.run(built, time.time() + 601)

    assert state(built) == "active"


@pytest.mark.parametrize("body", [{"error": {"code": "token_invalidated"}}, {}])
@pytest.mark.parametrize("status", [401, 403, 404])
def test_background_queries_take_no_account_out(built, add, upstream, status, body):
    """The endpoints of lists and usage have outages of their own."""
    add("ann", "chatgpt", chatgpt_account_id="acc-1")
    upstream.script(
        {"play": "http_error", "status": status, "body": body}, account="ann", path="/backend-api/*"
    )

    usage.run(built, time.time())
    models.run(built, time.time())

    assert state(built) == "active"


def test_but_an_account_that_is_gone(built, add, upstream):
    add("ann")
    upstream.script(
        {"play": "http_error", "status": 403, "body": {"error": {"code": "account_deactivated"}}},
        account="ann",
        path="/v1/models",
    )

    models.run(built, time.time())

    assert state(built) == "credential_dead"
