"""What surrounds a request: the refusal log, and capacity that is given back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.errors import NoAccounts
from app.relay.context import RequestContext
from tests.support.api import BEARER, FakeServices

URL = "/v1/chat/completions"
BODY: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


def refusing(context: RequestContext) -> Iterator[Any]:
    raise NoAccounts("No account is available")
    yield


def test_an_invalid_request_is_in_the_refusal_log() -> None:
    services = FakeServices()
    response = services.client().post(URL, json={"model": "m"}, headers=BEARER)
    response.close()

    (refusal,) = services.refusals
    assert refusal.id == response.headers["x-poolgate-request-id"]
    assert (refusal.status, refusal.model, refusal.endpoint, refusal.key) == (400, "m", URL, "key_1")
    assert refusal.param == "messages"


def test_so_is_a_refused_admission() -> None:
    services = FakeServices(refusing)
    response = services.client().post(URL, json=BODY, headers=BEARER)
    response.close()

    (refusal,) = services.refusals
    assert refusal.id == response.headers["x-poolgate-request-id"]
    assert (refusal.status, refusal.code) == (503, NoAccounts("x").code)


def test_unknown_callers_are_not() -> None:
    services = FakeServices()
    services.client().post(URL, json=BODY).close()
    services.client().get("/v1/nothing", headers=BEARER).close()

    assert services.refusals == []
