"""A refused credential is tested again in the background, and its account comes back by itself."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from app.accounts.outcomes import outcome_from_error
from app.errors import UpstreamRejected
from app.operations.account_check import AccountChecker
from app.stores import keys
from tests.support import retest_times
from tests.workers.conftest import POOL
from workers import models, retest, usage
from workers.runner import Job, StoreOutage, run_if_due

JOB = Job("retest", retest.EVERY_SECONDS, retest.run)
# when the worker looks, in minutes after the refusal: every minute for an hour, then every five
MINUTES = [*range(60), *range(60, 24 * 60, 5)]

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
    built.accounts.observe(POOL, account.id, {}, outcome=outcome_from_error(error, "m", time.time()))
    return account


@pytest.fixture
def pass_time(redis_client, ann):
    """Move what is stored of the retest so many seconds into the past."""
    return lambda seconds: retest_times.pass_time(redis_client, POOL, ann.id, seconds)


def state(built):
    return built.accounts.find(POOL, "ann").state


def test_comes_back(built, upstream, ann):
    """One ordinary request tests it then; the audit log names what made it available again."""
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


def test_ever_more_rarely(built, upstream, ann, pass_time):
    """After 10 minutes, then each time after as long as it has been out, every six hours in the end."""
    upstream.script(REFUSED, account="ann", path="/v1/models")
    tested = []
    for minute, following in pairwise(MINUTES):
        before = len(upstream.log("ann"))
        run_if_due(JOB, built, StoreOutage())
        if len(upstream.log("ann")) > before:
            tested.append((minute, following - minute))
        assert state(built) == "credential_dead"
        pass_time(60 * (following - minute))

    assert tested[0][0] == 10
    for (minute, _), (later, step) in pairwise(tested):
        planned = 0.9 * min(minute, 360)  # a period ends a little early: see each_account
        assert planned - 0.1 <= later - minute <= planned + step + 0.1
    assert later - minute >= 320
    assert len(tested) <= 10
    assert built.audit.page().entries == []

    upstream.script(LIST, account="ann", path="/v1/models")
    pass_time(6 * 3600)
    run_if_due(JOB, built, StoreOutage())

    assert state(built) == "active"
    assert [entry["action"] for entry in built.audit.page().entries] == ["account.retest"]


def test_two_workers_at_once_test_it_once(built, upstream, ann, pass_time):
    """The second finds the test under way and leaves it alone, even if it runs the job as well."""
    held = {**LIST, "before": [{"gate": "open"}]}
    upstream.script(held, account="ann", path="/v1/models")
    pass_time(601)

    with ThreadPoolExecutor(1) as first:
        running = first.submit(retest.run, built, time.time())
        upstream.wait_for(1, account="ann", gate="open")
        retest.run(built, time.time())
        upstream.release("open")
        running.result(30)

    assert len(upstream.log("ann")) == 1
    assert state(built) == "active"
    assert len(built.audit.page().entries) == 1


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


def unproven(built):
    return built.accounts.find(POOL, "silent").unproven


@pytest.fixture
def silent(add, built):
    """An account that comes last, without a list of models."""
    account = add("silent", models=("m1",))
    built.accounts.observe(POOL, account.id, {}, unanswered="endpoint_missing")
    return account


def test_one_that_comes_last_is_tested_once_an_hour(built, upstream, silent, redis_client, job_result):
    """By a request of the worker; a failure changes nothing."""
    upstream.script({"play": "http_error", "status": 404}, account="silent")

    for seconds in (0, 60):
        retest.run(built, time.time() + seconds)

    assert len(upstream.log("silent")) == 1
    assert unproven(built) == "endpoint_missing"
    assert 3000 < redis_client.ttl(keys.job_claim(POOL, "unproven", silent.id)) <= 3600
    assert job_result(silent, "unproven")["result"] != "ok"
    assert built.audit.page().entries == []


def test_until_it_answers(built, upstream, silent):
    retest.run(built, time.time())

    assert (unproven(built), len(upstream.log("silent"))) == ("", 1)
    (entry,) = built.audit.page().entries
    assert (entry["action"], entry["object"]) == ("account.retest", "silent")
    retest.run(built, time.time())
    assert len(upstream.log("silent")) == 1


def test_a_failed_test_of_an_operator_stays(built, upstream, silent):
    """Also of an account that has answered before, until a request succeeds."""
    built.accounts.observe(POOL, silent.id, {}, answered=True)
    upstream.script({"play": "http_error", "status": 500}, account="silent")
    upstream.script({"play": "http_error", "status": 404}, account="silent", path="/models")
    built.accounts.observe(POOL, silent.id, {}, unanswered="server_error", tested=True)

    retest.run(built, time.time())
    models.run(built, time.time())

    assert unproven(built) == "server_error"


def test_a_request_that_fails_meanwhile_leaves_its_mark(built, upstream, silent, monkeypatch):
    """The result of a test that failed ends nothing, whichever is stored first."""
    upstream.script({"play": "http_error", "status": 500}, account="silent")
    check = AccountChecker.check

    def fail_meanwhile(*arguments):
        built.accounts.observe(POOL, silent.id, {}, unanswered="credential")
        return check(*arguments)

    monkeypatch.setattr(AccountChecker, "check", fail_meanwhile)
    retest.run(built, time.time())

    assert unproven(built) == "credential"


@pytest.mark.parametrize("listed", [(), ("m2",)])
def test_of_an_account_whose_models_are_unknown(built, upstream, add, job_result, listed):
    """It is tested with a model of another account of its pool, as callers' requests go to it."""
    account = add("silent")
    built.accounts.observe(POOL, account.id, {}, unanswered="endpoint_missing")
    built.accounts.list_models(POOL, add("other").id, listed)

    retest.run(built, time.time())

    assert (unproven(built) == "") is bool(listed)
    assert [seen.body["model"] for seen in upstream.log("silent")] == list(listed)
    assert job_result(account, "unproven")["result"] == ("ok" if listed else retest.NO_MODEL)


def test_one_that_is_paused_is_not_tested(built, upstream, silent):
    built.accounts.pause(POOL, "silent")

    retest.run(built, time.time())

    assert upstream.log("silent") == []
