"""What an account that was just added answers: listed at once, or why not."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest

from app.accounts.account import Account
from app.errors import InvalidRequest
from tests.support.ports import free_port

POOL = "default"
LIST = {"object": "list", "data": [{"id": "m1"}, {"id": "m2"}]}


def play(body: object, status: int = 200) -> dict[str, Any]:
    return {"play": "json", "status": status, "body": body}


@pytest.fixture
def added(services: Any) -> Any:
    services.pools.ensure(POOL)

    def add(base_url: str, kind: str = "compatible", **more: Any) -> Account:
        account = Account("", "main", kind, base_url, credential="sk-x", **more)
        return services.accounts.add(POOL, account)

    return add


def look(services: Any, account: Account, seconds: float = 5.0) -> Any:
    return services.upstream.lister.fetch(POOL, account, seconds)


def test_models_are_listed(services: Any, upstream: Any, added: Any) -> None:
    account = added(upstream.base_url("a"))
    upstream.script(play(LIST), account="a", path="/models")

    found = look(services, account)

    assert (found.ok, found.sentence()) == (True, "reachable, 2 models")
    assert services.accounts.find(POOL, "main").listed == ("m1", "m2")


def test_a_sign_in_has_its_usage_stored_too(services: Any, upstream: Any, added: Any) -> None:
    account = added(f"{upstream.root_url('ann')}/backend-api", "chatgpt", chatgpt_account_id="acc-1")
    window = {"used_percent": 40, "limit_window_seconds": 18_000, "reset_at": int(time.time()) + 900}
    models = {"models": [{"slug": "gpt-5"}]}
    upstream.script(play(models), account="ann", path="/backend-api/codex/models")
    usage = {"plan_type": "plus", "rate_limit": {"primary_window": window}}
    upstream.script(play(usage), account="ann", path="/backend-api/wham/usage")

    found = look(services, account)

    assert found.sentence() == "reachable, 1 model"
    assert services.accounts.find(POOL, "main").used[0] == 40


def test_nothing_listens(services: Any, added: Any) -> None:
    found = look(services, added(f"http://127.0.0.1:{free_port()}/v1"))

    assert (found.code, found.sentence()) == ("upstream_unavailable", "The upstream refused the connection")


def test_a_name_that_does_not_exist(services: Any, added: Any) -> None:
    assert look(services, added("http://nowhere.invalid/v1")).error == (
        "The upstream's host name could not be resolved"
    )


@pytest.mark.parametrize(
    ("reply", "unproven"),
    [
        (play({"error": {"message": "Incorrect API key provided"}}, 401), "credential"),
        (play({"error": {"message": "down"}}, 503), "server_error"),
        (play({"error": {"message": "Missing scopes: api.model.read"}}, 403), ""),
        (play({"error": {"message": "not found"}}, 404), ""),
        (play("no list"), ""),
        (play(LIST), ""),
    ],
)
def test_one_that_does_not_answer_comes_last(
    services: Any, upstream: Any, added: Any, reply: dict[str, Any], unproven: str
) -> None:
    """A server without a list of models, or that does not show it to this key, may answer requests."""
    account = added(upstream.base_url("a"))
    upstream.script(reply, account="a", path="/models")

    look(services, account)

    assert services.accounts.find(POOL, "main").unproven == unproven


def test_a_credential_that_is_refused(services: Any, upstream: Any, added: Any) -> None:
    error = {"error": {"message": "Incorrect API key provided", "type": "invalid_request_error"}}
    upstream.script(play(error, 401), account="a", path="/models")

    found = look(services, added(upstream.base_url("a")))

    assert found.error == "its server refuses the credential (401: Incorrect API key provided)"


@pytest.mark.parametrize(
    ("status", "body", "state"), [(200, LIST, "active"), (404, {}, "active"), (401, {}, "credential_dead")]
)
def test_a_credential_that_was_refused_before(
    services: Any, upstream: Any, added: Any, status: int, body: object, state: str
) -> None:
    """Where the server accepts it now, the account is in use again: its next request tests it."""
    account = added(upstream.base_url("a"))
    dead = {"state": "credential_dead", "reason": "invalid_api_key", "wait_ms": 0, "retest_wait_ms": 0}
    services.accounts.observe(POOL, account.id, {}, outcome=dead)
    upstream.script(play(body, status), account="a", path="/models")

    look(services, services.accounts.find(POOL, "main"))

    assert services.accounts.find(POOL, "main").state == state


def test_a_base_url_without_v1(services: Any, upstream: Any, added: Any) -> None:
    """Pointed out where the list is found one level further down, and only there."""
    root = upstream.root_url("a")
    upstream.script(play({"detail": "Not Found"}, 404), play(LIST), account="a", path="/models")

    found = look(services, added(root))

    assert found.hint == f"{root}/v1/models answers: the base URL probably has to end in /v1"
    assert services.accounts.find(POOL, "main").unproven == "endpoint_missing"
    assert "(404)" in found.sentence()
    assert found.hint in found.sentence()


@pytest.mark.parametrize("body", [[], "text", {"data": "x"}, {"data": []}])
def test_what_is_no_list(services: Any, upstream: Any, added: Any, body: object) -> None:
    upstream.script(play(body), account="a", path="/models")

    found = look(services, added(upstream.base_url("a")))

    assert not found.ok
    assert found.error


def test_a_server_that_never_answers(services: Any, added: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        account = added(f"http://127.0.0.1:{silent.getsockname()[1]}/v1")

        assert look(services, account, seconds=0.3).code == "stream_idle_timeout"


class TestOnlyIfItAnswers:
    FIELDS = {"kind": "compatible", "name": "main"}

    def test_it_does(self, operations: Any, upstream: Any) -> None:
        upstream.script(play(LIST), account="a", path="/models")

        account, found = operations.accounts.add_if_reachable(
            POOL, self.FIELDS | {"base_url": upstream.base_url("a")}
        )

        assert (account.name, found.models) == ("main", 2)

    def test_it_does_not(self, operations: Any, services: Any) -> None:
        fields = self.FIELDS | {"base_url": f"http://127.0.0.1:{free_port()}/v1"}

        with pytest.raises(InvalidRequest, match="not added: The upstream refused the connection"):
            operations.accounts.add_if_reachable(POOL, fields)

        assert services.accounts.all(POOL) == []


def test_a_test_of_an_account_that_listed_nothing(operations: Any, added: Any) -> None:
    """The error is shown, instead of a request for a model's name."""
    added(f"http://127.0.0.1:{free_port()}/v1")

    with pytest.raises(InvalidRequest, match="has listed no models: The upstream refused the connection"):
        operations.accounts.test(POOL, "main")
