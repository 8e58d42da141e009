"""The usage windows of accounts are queried, and their states take effect."""

from __future__ import annotations

import time

import pytest

from app.accounts.outcomes import outcome_from_error
from app.errors import UpstreamRejected
from tests.support.issuer_client import signed_in
from tests.workers.conftest import POOL
from workers import usage

PATH = "/backend-api/wham/usage"


def response(*used: float, reached: bool = False) -> dict[str, object]:
    windows = [
        {"used_percent": part, "reset_after_seconds": 3600, "limit_window_seconds": 18000} for part in used
    ]
    limit = {"allowed": not reached, "limit_reached": reached}
    body = {"rate_limit": limit | dict(zip(("primary_window", "secondary_window"), windows, strict=False))}
    return {"play": "json", "status": 200, "body": body}


@pytest.fixture
def ann(add):
    return add("ann", "chatgpt", chatgpt_account_id="acc-1")


def now(built):
    return built.accounts.find(POOL, "ann")


def test_windows_are_stored(built, upstream, ann, job_result):
    upstream.script(response(12.5, 80), account="ann", path=PATH)

    usage.run(built, time.time())

    assert now(built).used == (12.5, 80)
    (seen,) = upstream.log("ann")
    assert seen.headers["authorization"] == "Bearer sk-ann"
    assert seen.headers["chatgpt-account-id"] == "acc-1"
    assert job_result(ann, "usage")["result"] == "ok"


def test_what_clients_are_shown_is_stored_separately(built, upstream, ann):
    play = response(5)
    month = {"used_percent": 3, "reset_at": 2_000_000_000, "limit_window_seconds": 2_592_000}
    play["body"]["rate_limit"]["monthly_window"] = month
    purse = {"has_credits": True, "unlimited": False, "balance": "2.5"}
    play["body"] |= {"plan_type": "plus", "credits": purse, "email": "ann@example.com"}
    upstream.script(play, account="ann", path=PATH)

    usage.run(built, time.time())

    (reported,) = built.upstream.metadata.get(POOL, "usage", [ann.id])
    assert reported == {"plan_type": "plus", "credits": purse, "monthly_window": month}


def test_a_spent_window_is_known_before_a_request_meets_it(built, upstream, ann):
    upstream.script(response(10, 100, reached=True), account="ann", path=PATH)

    usage.run(built, time.time())

    account = now(built)
    assert (account.state, account.reason) == ("window_spent", "usage_limit_reached")
    assert account.until_ms / 1000 == pytest.approx(time.time() + 3600, abs=30)


def test_room_again_brings_it_back(built, upstream, ann, next_period):
    upstream.script(response(100, reached=True), response(0), account="ann", path=PATH)
    usage.run(built, time.time())
    next_period()

    usage.run(built, time.time())

    assert (now(built).state, now(built).until_ms) == ("active", 0)


def test_room_does_not_end_other_states(built, upstream, ann):
    error = UpstreamRejected("", status=429, type="", code="rate_limit_exceeded", upstream_status=429)
    built.accounts.observe(POOL, ann.id, {}, outcome=outcome_from_error(error, "m", time.time()))
    upstream.script(response(0), account="ann", path=PATH)

    usage.run(built, time.time())

    assert now(built).state == "burst_limited"


def test_a_refused_token_is_renewed_first(built, upstream, issuer, job_result):
    sign_in, account = signed_in(built, issuer)
    refused = {"play": "json", "status": 401, "body": {"error": {"code": "token_expired"}}}
    upstream.script(refused, response(5), account="ann", path=PATH)

    usage.run(built, time.time())

    assert now(built).used[0] == 5
    assert now(built).rotation == 2
    assert [seen.headers["authorization"] for seen in upstream.log("ann")] == [
        f"Bearer {account.credential}",
        f"Bearer {now(built).credential}",
    ]
    assert issuer.sign_in_state(sign_in)["exchanges"] == 1


@pytest.mark.parametrize(
    ("play", "result"),
    [
        ({"play": "json", "status": 200, "body": []}, "upstream_protocol_error"),
        ({"play": "json", "status": 401, "body": {"error": {"code": "token_expired"}}}, "token_expired"),
        ({"play": "json", "status": 503, "body": {}}, "upstream_error"),
    ],
)
def test_failures_change_only_what_is_reported(built, upstream, ann, job_result, play, result):
    upstream.script(play, account="ann", path=PATH)

    usage.run(built, time.time())

    assert job_result(ann, "usage")["result"] == result
    assert (now(built).state, now(built).used) == ("active", (None, None))


def test_other_kinds_and_paused_accounts_are_not_queried(built, upstream, add, ann):
    add("key")
    built.accounts.pause(POOL, "ann")

    usage.run(built, time.time())

    assert upstream.log() == []
