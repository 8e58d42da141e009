"""Sign-ins are renewed before they expire."""

from __future__ import annotations

import time

import pytest

from tests.support.issuer_client import signed_in
from tests.workers.conftest import POOL
from workers import refresh


@pytest.mark.parametrize(("seconds", "exchanges"), [(-10, 1), (1, 1), (235, 1), (310, 0), (3600, 0)])
def test_five_minutes_ahead(built, issuer, seconds, exchanges):
    sign_in, _ = signed_in(built, issuer, seconds=seconds)

    refresh.run(built, time.time())

    assert issuer.sign_in_state(sign_in)["exchanges"] == exchanges


def test_accounts_that_expire_together_are_spread_over_a_minute(built, issuer):
    now = time.time()
    sign_ins = [signed_in(built, issuer, name=f"a{n}", seconds=270)[0] for n in range(40)]

    refresh.run(built, now)

    assert 0 < sum(issuer.sign_in_state(sign_in)["exchanges"] for sign_in in sign_ins) < 40


def test_the_renewed_token_is_what_requests_send(built, issuer, job_result):
    _, account = signed_in(built, issuer, seconds=1)

    refresh.run(built, time.time())

    renewed = built.accounts.find(POOL, "ann")
    assert renewed.credential != account.credential
    assert renewed.version > account.version
    assert job_result(account, "refresh")["result"] == "ok"


def test_a_dead_sign_in_is_not_refreshed_again(built, issuer, next_period, job_result):
    sign_in, account = signed_in(built, issuer, seconds=1)
    issuer.stage(sign_in, {"status": 401, "body": {"error": {"code": "refresh_token_expired"}}})

    refresh.run(built, time.time())
    assert job_result(account, "refresh")["result"] == "dead"
    next_period()
    refresh.run(built, time.time())

    assert issuer.sign_in_state(sign_in)["exchanges"] == 0


def test_an_access_token_alone_is_left_alone(built, add, job_result):
    account = add("bare", "chatgpt", chatgpt_account_id="acc-1")

    refresh.run(built, time.time())

    assert job_result(account, "refresh") is None
