"""POST /openai/v1/chat/completions: provider names, extra fields, and the account that a name means."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from app.relay.context import RequestContext
from app.stores.records.api_keys import ApiKey
from app.streaming.events import Event
from tests.support.api import BEARER, FakeServices

URL = "/openai/v1/chat/completions"
BODY: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
CHUNK = {"object": "chat.completion.chunk", "created": 1, "model": "m"}


def respond(context: RequestContext) -> Iterator[Any]:
    yield [Event({"id": "c", **CHUNK, "choices": [{"index": 0, "delta": {"content": "Hi"}}]})]
    yield [Event({"id": "c", **CHUNK, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})]


def test_extra_fields_name_what_served_the_request() -> None:
    response = FakeServices(respond).client().post(URL, json=BODY, headers=BEARER)

    assert response.json is not None
    extra = response.json["extra_fields"]
    assert (extra["model_requested"], extra["provider"], extra["account_kind"]) == ("m", "openai", "openai")
    assert extra["request_type"] == "chat_completion"


def test_a_provider_is_a_set_of_account_kinds() -> None:
    services = FakeServices(respond)
    services.client().post(URL, json=BODY | {"model": "chatgpt/m"}, headers=BEARER)

    assert services.contexts[0].request.model == "m"
    assert services.contexts[0].routing.account_kinds == ("chatgpt",)


def test_any_other_prefix_is_an_account() -> None:
    services = FakeServices(respond)
    services.client().post(URL, json=BODY | {"model": "main/m"}, headers=BEARER)

    assert services.contexts[0].routing.account_id == "acct_1"


def test_a_prefix_that_names_nothing_belongs_to_the_model() -> None:
    """It is looked up alone: names like it are for operators, and cost as much as the request."""
    services = FakeServices(respond)
    services.client().post(URL, json=BODY | {"model": "meta-llama/m"}, headers=BEARER)

    assert services.contexts[0].request.model == "meta-llama/m"
    assert services.contexts[0].routing.account_id == ""


def test_unless_the_key_may_not_use_it() -> None:
    services = FakeServices(respond, ApiKey("k", "k", "default", accounts=("acct_2",)))
    services.client().post(URL, json=BODY | {"model": "main/m"}, headers=BEARER)

    assert (services.contexts[0].request.model, services.contexts[0].routing.account_id) == ("main/m", "")


@pytest.mark.parametrize(("raw", "status"), [(False, 400), (True, 200)])
def test_raw_requests_are_for_keys_that_may(raw: bool, status: int) -> None:
    services = FakeServices(respond, ApiKey("k", "k", "default", raw=raw))
    headers = BEARER | {"x-bf-send-back-raw-request": "true"}

    assert services.client().post(URL, json=BODY, headers=headers).status_code == status


def test_chunks_are_numbered() -> None:
    response = FakeServices(respond).client().post(URL, json=BODY | {"stream": True}, headers=BEARER)

    assert b'"chunk_index":0' in response.data
    assert b'"chunk_index":1' in response.data
