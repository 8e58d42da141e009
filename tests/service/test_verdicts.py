"""Accounts are judged by what a response means: what one request, prompt or model meets harms no other."""

from __future__ import annotations

import time
from typing import Any

import pytest

from app.operations import check_pools
from tests.service.test_model_responses import BODIES, CHAT, PATHS
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

PAGE = "<!DOCTYPE html><html><title>Just a moment...</title></html>"
WELL = {"play": "text", "text": "Here."}


def refused(status: int, message: str = "No.", **error: Any) -> dict[str, Any]:
    return {"play": "http_error", "status": status, "body": {"error": {"message": message, **error}}}


def page(status: int) -> dict[str, Any]:
    headers = {"content-type": "text/html"}
    return {"status": status, "headers": headers, "framing": "length", "steps": [{"send": PAGE}]}


def send_request(pool: PoolOfTest, key: str, model: str = "m", **more: Any) -> Any:
    """Each question is a separate conversation, unless a test specifies one."""
    body = {**CHAT, "model": model, "prompt_cache_key": str(time.monotonic_ns()), **more}
    return pool.post(PATHS["chat"], body, key)


def requested(upstream: ScriptedUpstream, account: str = "*") -> int:
    return len([seen for seen in upstream.log(account) if seen.method == "POST"])


def of_accounts(pool: PoolOfTest, upstream: ScriptedUpstream, names: str, **more: Any) -> str:
    """Give *pool* accounts of one letter each, and return a key for them."""
    for name in names:
        pool.account(name, upstream.base_url(name), **more)
    upstream.script(WELL)
    return pool.key()


NO_ACCESS = refused(403, "Project `p` does not have access to model `m`", code="model_not_found")
NOT_VERIFIED = refused(403, "Your organization must be verified to use the model `m`.")
FLAGGED = refused(403, "Your input was flagged by moderation", code=403)
TOO_DEAR = refused(402, "This request requires more credits, or fewer max_tokens.", code=402)


@pytest.mark.parametrize("refusal", [NO_ACCESS, NOT_VERIFIED], ids=["no access", "not verified"])
def test_a_model_that_no_account_may_use(
    pool: PoolOfTest, upstream: ScriptedUpstream, refusal: dict[str, Any]
) -> None:
    """Three accounts answer one 403 each for it; all accounts continue with every other model."""
    key = of_accounts(pool, upstream, "abc")
    upstream.script(refusal, model="m")

    responses = [send_request(pool, key) for _ in range(3)]

    assert {(each.status_code, each.json()["error"]["code"]) for each in responses} == {
        (404, "model_not_found")
    }
    assert pool.states() == dict.fromkeys("abc", "active")
    assert {send_request(pool, key, "n").headers["x-poolgate-account"] for _ in range(6)} == set("abc")


@pytest.mark.parametrize(
    ("refusal", "status"), [(FLAGGED, 403), (TOO_DEAR, 402)], ids=["flagged", "too dear"]
)
def test_a_refusal_of_one_request(
    pool: PoolOfTest, upstream: ScriptedUpstream, refusal: dict[str, Any], status: int
) -> None:
    """The caller receives the upstream's words, no other account is tried, none is harmed."""
    key = of_accounts(pool, upstream, "ab")
    upstream.script(refusal, model="m")

    response = send_request(pool, key)

    assert (response.status_code, response.json()["error"]["message"]) == (
        status,
        refusal["body"]["error"]["message"],
    )
    assert requested(upstream) == 1
    assert send_request(pool, key, "n").status_code == 200
    assert pool.states() == {"a": "active", "b": "active"}


def test_a_page_of_a_proxy(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """A 403 with a web page, twice: the accounts answer again at once or within seconds."""
    key = of_accounts(pool, upstream, "ab")
    upstream.script(page(403), WELL, account="a")
    upstream.script(page(403), WELL, account="b")

    response = send_request(pool, key)

    assert response.status_code == 502
    assert "credential_dead" not in pool.states().values()
    assert [send_request(pool, key).status_code for _ in range(4)] == [200] * 4


def test_one_request_takes_one_account_out(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """The second that refuses its credential is only suspected, and that is the end of the request."""
    key = of_accounts(pool, upstream, "abcd")
    upstream.script(refused(403, "Suspended.", code="account_suspended"), model="m")

    response = send_request(pool, key)

    assert (response.status_code, response.json()["error"]["code"]) == (502, "upstream_error")
    assert "Suspended." in response.json()["error"]["message"]
    assert requested(upstream) == 2
    assert sorted(pool.states().values()) == ["active", "active", "credential_dead", "suspected"]
    assert send_request(pool, key, "n").status_code == 200


def test_requests_in_short_order_take_one_account_out(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """An upstream whose authentication fails refuses all its accounts; they serve as soon as that is over."""
    for name in "abcd":
        pool.account(name, upstream.base_url("one"))
    key = pool.key()
    upstream.script(refused(401, "Incorrect API key.", code="invalid_api_key"))

    responses = [send_request(pool, key) for _ in range(4)]

    assert {each.status_code for each in responses} <= {502, 503}
    states = list(pool.states().values())
    assert states.count("credential_dead") == 1
    assert set(states) <= {"credential_dead", "suspected", "active"}
    upstream.script(WELL)
    assert [send_request(pool, key).status_code for _ in range(4)] == [200] * 4


def test_requests_of_one_caller_take_one_account_out(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """Although every account, each of another upstream, answers them with 401: others are served."""
    key = of_accounts(pool, upstream, "abcd")
    other_key = pool.key("other")
    upstream.script(refused(401, "Incorrect API key.", code="invalid_api_key"), model="m")

    responses = [(send_request(pool, key), send_request(pool, other_key, "n")) for _ in range(8)]

    assert {odd.status_code for odd, _ in responses} <= {502, 503}
    assert {other.status_code for _, other in responses} == {200}
    assert list(pool.states().values()).count("credential_dead") == 1


@pytest.mark.parametrize(
    "refusal",
    [
        refused(404, "Invalid URL (POST /v1/chat/completions)"),
        refused(405),
        refused(413, "Too large"),
        refused(400, code="unsupported_parameter", param="logit_bias"),
        refused(400, code="organization_restricted"),
    ],
    ids=["404", "405", "413", "parameter", "restricted"],
)
def test_what_one_account_does_not_take(
    pool: PoolOfTest, upstream: ScriptedUpstream, refusal: dict[str, Any]
) -> None:
    """Another account is tried, and both stay well."""
    pool.set(policy="ordered")
    pool.account("a", upstream.base_url("a"), group=0)
    pool.account("b", upstream.base_url("b"), group=1)
    upstream.script(WELL)
    upstream.script(refusal, account="a")

    response = send_request(pool, pool.key())

    assert (response.status_code, response.headers["x-poolgate-account"]) == (200, "b")
    assert pool.states() == {"a": "active", "b": "active"}


@pytest.mark.parametrize("status", [404, 405])
def test_an_endpoint_that_is_missing_for_ever(
    pool: PoolOfTest, upstream: ScriptedUpstream, status: int
) -> None:
    """The account stays active, and the checks report it until it answers."""
    pool.set(policy="ordered")
    pool.account("a", upstream.base_url("a"), group=0)
    pool.account("b", upstream.base_url("b"), group=1)
    upstream.script(WELL)
    upstream.script(refused(status), account="a")
    key = pool.key()

    def reported() -> list[tuple[str, str, str]]:
        found = check_pools.check_pools(pool.gateway.services.doctor._stores, pool.name)
        return [(each.level, each.where, each.what) for each in found]

    assert [send_request(pool, key).status_code for _ in range(5)] == [200] * 5
    pool.wait_for_rows(5)

    how = "404 or 405: its server does not have the endpoint"
    what = f"its latest attempts failed ({how}) 5 times in a row"
    assert reported() == [("note", f"{pool.name}/a", what)]
    assert pool.get("/health/ready").status_code == 200

    upstream.script(WELL, account="a")
    assert send_request(pool, key).status_code == 200
    pool.wait_for_rows(6)
    assert reported() == []


def test_what_two_accounts_do_not_take(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """The caller receives the upstream's words; no third account is tried."""
    key = of_accounts(pool, upstream, "abc")
    upstream.script(refused(400, "No logit_bias here", code="unsupported_parameter", param="logit_bias"))

    response = send_request(pool, key)

    assert (response.status_code, response.json()["error"]["message"]) == (400, "No logit_bias here")
    assert response.json()["error"]["param"] == "logit_bias"
    assert requested(upstream) == 2
    assert set(pool.states().values()) == {"active"}


def test_a_callers_400_is_not_retried(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    key = of_accounts(pool, upstream, "ab")
    upstream.script(refused(400, code="decimal_below_min_value", param="temperature"))

    assert send_request(pool, key).status_code == 400
    assert requested(upstream) == 1


@pytest.mark.parametrize("endpoint", ["chat", "responses"])
@pytest.mark.parametrize("body", [{}, {"detail": "Not Found"}], ids=["empty", "not found"])
def test_an_outage_of_404(pool: PoolOfTest, upstream: ScriptedUpstream, endpoint: str, body: Any) -> None:
    """Every account answers it, none about the model: callers try again, accounts stay well."""
    key = of_accounts(pool, upstream, "ab")
    upstream.script({"play": "json", "status": 404, "body": body})

    response = pool.post(PATHS[endpoint], BODIES[endpoint], key)

    assert response.status_code == 502
    assert response.headers.get("x-should-retry") != "false"
    assert set(pool.states().values()) == {"active"}


def test_text_of_the_caller_proves_nothing(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """A server repeats a value that it refuses: what its caller wrote takes no model from others."""
    key = of_accounts(pool, upstream, "ab")
    echo = refused(400, "Invalid value: 'access to the Model'.", code="invalid_value", param="metadata")
    upstream.script(echo, model="m")

    response = send_request(pool, key, metadata={"a": "Access to the model"})

    assert (response.status_code, response.json()["error"]["message"]) == (
        400,
        "Invalid value: 'access to the Model'.",
    )
    assert requested(upstream) == 2
    upstream.script(WELL, model="m")
    assert send_request(pool, key).status_code == 200


def test_one_request_empties_no_second_account(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """A 402 that names no time may be about the price of this request."""
    key = of_accounts(pool, upstream, "ab")
    upstream.script(refused(402, "This costs more than you have."), model="m")

    response = send_request(pool, key)

    assert (response.status_code, response.json()["error"]["message"]) == (
        402,
        "This costs more than you have.",
    )
    assert sorted(pool.states().values()) == ["active", "payment_required"]


def test_a_resumed_account_is_queried_for_every_model(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    key = of_accounts(pool, upstream, "a")
    upstream.script(NO_ACCESS, model="m")
    assert [send_request(pool, key).status_code for _ in range(2)] == [404, 404]
    upstream.script(WELL, model="m")
    accounts = pool.gateway.services.accounts

    accounts.pause(pool.name, "a")
    accounts.resume(pool.name, "a")

    assert send_request(pool, key).status_code == 200
