"""From a validated body to a request context."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask, g

from app.api import request_context
from app.api.request_context import ModelTarget, RawBody, is_usage_included, make_context
from app.errors import InvalidRequest, ModelNotAllowed
from app.relay.context import ModelRequest, RequestContext, ResponseOptions
from app.stores.records.api_keys import ApiKey, CutPolicy

APP = Flask(__name__)
BODY: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


def context_of(
    body: dict[str, Any] = BODY, key: ApiKey | None = None, headers: dict[str, str] | None = None, **more: Any
) -> RequestContext:
    with APP.test_request_context("/v1/chat/completions/", headers=headers, method="POST"):
        g.api_key, g.scope = key or ApiKey("k", "k", "p"), SimpleNamespace(trace=None)
        return make_context("chat", body, 100, ResponseOptions(), **more)


def test_fallbacks_are_contexts_of_their_own() -> None:
    context = context_of(BODY | {"fallbacks": ["n", "o"]})

    assert [each.request.model for each in context.fallbacks] == ["n", "o"]
    assert [each.request_id for each in context.fallbacks] == [f"{context.request_id}-{n}" for n in (1, 2)]
    assert "fallbacks" not in context.request.body
    assert {each.request.requested_model for each in context.fallbacks} == {"m"}
    assert context.request.requested_model == ""


def test_fallbacks_are_made_when_they_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    context = context_of(BODY | {"fallbacks": ["n", "o"]})
    made: list[str] = []
    monkeypatch.setattr(
        request_context, "ModelRequest", lambda *fields: made.append(fields[2]) or ModelRequest(*fields)
    )

    assert (len(context.fallbacks), made) == (2, [])
    assert next(iter(context.fallbacks)).request.model == "n"
    assert made == ["n"]


def test_a_target_constrains_the_accounts() -> None:
    context = context_of(BODY | {"model": "x/m"}, target=lambda name: ModelTarget("m", ("openai",), "acct_1"))

    assert (context.request.model, context.request.requested_model) == ("m", "x/m")
    assert (context.routing.account_kinds, context.routing.account_id) == (("openai",), "acct_1")


@pytest.mark.parametrize("body", [BODY, BODY | {"model": "n", "fallbacks": ["m"]}])
def test_each_model_has_to_be_allowed(body: dict[str, Any]) -> None:
    with pytest.raises(ModelNotAllowed):
        context_of(body, ApiKey("k", "k", "p", models=("n",)))


def test_the_keys_output_cap_applies_where_the_request_names_none() -> None:
    key = ApiKey("k", "k", "p", output_tokens=7)

    assert 7 in context_of(key=key).request.body.values()
    assert context_of(BODY | {"max_tokens": 3}, key).request.body["max_tokens"] == 3
    assert 7 not in context_of(BODY | {"max_tokens": 3}, key).request.body.values()


def test_on_stream_error() -> None:
    assert context_of().options.on_stream_error == CutPolicy.FAIL
    assert context_of(headers={"x-poolgate-on-cut": "Restart"}).options.on_stream_error == CutPolicy.RESTART
    key = ApiKey("k", "k", "p", on_cut="restart")
    assert context_of(key=key).options.on_stream_error == CutPolicy.RESTART
    with pytest.raises(InvalidRequest):
        context_of(headers={"x-poolgate-on-cut": "maybe"})


@pytest.mark.parametrize(("text", "seconds"), [("0", 0.0), (" 2.5 ", 2.5), ("600", 600.0)])
def test_how_long_it_waits_for_an_account(text: str, seconds: float) -> None:
    assert context_of(headers={"x-poolgate-queue-seconds": text}).caller.queue_seconds == seconds


def test_without_a_header_it_waits_as_its_key_allows() -> None:
    assert context_of().caller.queue_seconds is None


@pytest.mark.parametrize("text", ["", "-1", "600.1", "nan", "inf", "soon", "1" * 65, "1,5", "1_0", "٣"])
def test_a_wait_that_cannot_be(text: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        context_of(headers={"x-poolgate-queue-seconds": text})

    assert refused.value.param == "x-poolgate-queue-seconds"
    assert "from 0 to 600" in refused.value.message


def test_a_raw_body_has_no_affinity() -> None:
    """No part of the request is cached upstream."""
    context = context_of(raw=RawBody((b"x",), "audio/wav"))

    assert (context.routing.affinity, context.request.content_type) == ("", "audio/wav")
    assert context_of().routing.affinity


def _forwarded(agent: str) -> Iterator[str]:
    headers = {"User-Agent": agent, "Originator": "codex", "session-id": "s", "Cookie": "a=b"}
    yield from sorted(context_of(headers=headers).caller.headers)


def test_forwarded_headers() -> None:
    """Never cookies or the API key; the originator only with the user agent it belongs to."""
    assert list(_forwarded("codex_cli/1")) == ["Originator", "Session-Id", "User-Agent"]
    assert list(_forwarded("curl/8")) == ["Session-Id"]


@pytest.mark.parametrize(
    ("body", "default", "included"),
    [
        ({"stream": False}, False, True),
        ({"stream": True}, False, False),
        ({"stream": True}, True, True),
        ({"stream": True, "stream_options": {"include_usage": True}}, False, True),
        ({"stream": True, "stream_options": {"include_usage": False}}, True, False),
    ],
)
def test_usage(body: dict[str, Any], *, default: bool, included: bool) -> None:
    assert is_usage_included(body, by_default=default) is included
