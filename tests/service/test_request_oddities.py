"""Requests that are odd but can be answered, or refused by name."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.service.test_common_rules import error_of
from tests.service.test_model_responses import PATHS, events_of
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
BASIC = "/api/v1/openai/chat/completions"
EXTENDED = "/openai/v1/chat/completions"


def chatgpt_account(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    pool.account("signed-in", f"{upstream.root_url()}/backend-api", kind="chatgpt", chatgpt_account_id="acc")


@pytest.mark.parametrize("body", [[], "text", 5, None, [CHAT]])
def test_body_that_is_no_object_has_a_detail(pool: PoolOfTest, body: Any) -> None:
    response = requests.post(
        pool.gateway.url + BASIC,
        json=body,
        data="null" if body is None else None,
        headers={"Content-Type": "application/json"},
        auth=("u", pool.key()),
        timeout=20,
    )

    (found,) = response.json()["detail"]
    assert (response.status_code, found["loc"], found["type"]) == (422, ["body"], "dict_type")


@pytest.mark.parametrize("modalities", [{}, {"modalities": ["text"]}])
def test_audio_without_its_modality_has_no_effect(
    pool: PoolOfTest, upstream: ScriptedUpstream, modalities: dict[str, Any]
) -> None:
    """So an account without sound may serve it."""
    chatgpt_account(pool, upstream)
    key = pool.key()
    audio = {"audio": {"format": "wav", "voice": "alloy"}}

    served = pool.post(PATHS["chat"], {**CHAT, **audio, **modalities}, key)
    refused = pool.post(PATHS["chat"], {**CHAT, **audio, "modalities": ["text", "audio"]}, key)

    assert served.status_code == 200
    assert "audio" not in (upstream.log()[0].body or {})
    assert refused.status_code == 400


@pytest.mark.parametrize(
    ("options", "param"),
    [
        (
            {"user_location": {"type": "approximate", "approximate": "Berlin"}},
            "web_search_options.user_location.approximate",
        ),
        ({"user_location": "Berlin"}, "web_search_options.user_location"),
        ("Berlin", "web_search_options"),
    ],
)
def test_search_options_are_checked(pool: PoolOfTest, options: Any, param: str) -> None:
    response = pool.post(PATHS["chat"], {**CHAT, "web_search_options": options}, pool.key())

    assert (response.status_code, error_of(response)["param"]) == (400, param)


@pytest.mark.parametrize(
    ("model", "provider"),
    [("openai/m", "openai"), ("m", "openai"), ("chatgpt/m", "chatgpt"), ("signed-in/m", "openai")],
)
@pytest.mark.parametrize("stream", [False, True])
def test_provider_is_the_one_that_was_named(
    pool: PoolOfTest, upstream: ScriptedUpstream, model: str, provider: str, stream: bool
) -> None:
    """The kind of the account that served it has a field of its own."""
    chatgpt_account(pool, upstream)

    response = pool.post(EXTENDED, {**CHAT, "model": model, "stream": stream}, pool.key())

    reply = (events_of(response.text)[0] if stream else response.json())["extra_fields"]
    assert (reply["provider"], reply["account_kind"]) == (provider, "chatgpt")


def test_account_that_a_key_may_not_use_does_not_exist_for_it(
    pool: PoolOfTest, upstream: ScriptedUpstream
) -> None:
    own_pool = pool.account("mine", upstream.base_url("mine"), models=("m",))
    pool.account("theirs", upstream.base_url("theirs"), models=("m",))
    key = pool.key(accounts=(own_pool.id,))

    there, nowhere = (
        pool.post(EXTENDED, {**CHAT, "model": f"{name}/m"}, key) for name in ("theirs", "nowhere")
    )

    def reply(response: requests.Response, name: str) -> Any:
        return response.status_code, response.text.replace(name, "NAME")

    assert reply(there, "theirs") == reply(nowhere, "nowhere")
    assert pool.post(EXTENDED, {**CHAT, "model": "mine/m"}, key).status_code == 200


@pytest.mark.parametrize("name", [" m", "m ", "m\n", "\u00a0m"])
def test_model_with_spaces_at_either_end(pool: PoolOfTest, upstream: ScriptedUpstream, name: str) -> None:
    """Many upstreams ignore them: the name would pass a limit on the model."""
    pool.account("a", upstream.base_url())
    key = pool.key()

    named = pool.post(PATHS["chat"], {**CHAT, "model": name}, key)
    fallback = pool.post(PATHS["chat"], {**CHAT, "fallbacks": [name]}, key)

    for response in (named, fallback):
        assert response.status_code == 400
        assert "must not begin or end with a space" in response.json()["error"]["message"]
    assert upstream.log() == []


@pytest.mark.parametrize("kind", ["openai", "compatible"])
@pytest.mark.parametrize("stream", [False, True])
def test_tools_in_the_form_of_the_other_protocol(
    pool: PoolOfTest, upstream: ScriptedUpstream, kind: str, stream: bool
) -> None:
    """Whichever account serves it: chat servers refuse the form that some clients send."""
    pool.account("a", upstream.base_url(), kind=kind, protocols=("chat",))
    choice = {"type": "function", "name": "f"}
    body = {**CHAT, "tools": [{**choice, "strict": True}], "tool_choice": choice, "stream": stream}

    response = pool.post(PATHS["chat"], body, pool.key())

    sent = upstream.log()[0].body or {}
    assert (response.status_code, response.headers.get("x-poolgate-ignored")) == (200, None)
    assert sent["tools"] == [{"type": "function", "function": {"name": "f", "strict": True}}]
    assert sent["tool_choice"] == {"type": "function", "function": {"name": "f"}}


@pytest.mark.parametrize("kind", ["openai", "compatible"])
@pytest.mark.parametrize("stream", [False, True])
def test_texts_in_the_form_of_the_other_protocol(
    pool: PoolOfTest, upstream: ScriptedUpstream, kind: str, stream: bool
) -> None:
    pool.account("a", upstream.base_url(), kind=kind, protocols=("chat",))
    content = [{"type": "input_text", "text": "a"}, "b"]
    body = {**CHAT, "messages": [{"role": "user", "content": content}], "stream": stream}

    assert pool.post(PATHS["chat"], body, pool.key()).status_code == 200

    (message,) = (upstream.log()[0].body or {})["messages"]
    assert message["content"] == [{"type": "text", "text": text} for text in "ab"]
