"""POST /api/v1/openai/chat/completions, whose key comes by HTTP Basic and whose faults go as `detail`."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
import requests

from tests.service.test_model_responses import CHAT, events_of
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

PATH = "/api/v1/openai/chat/completions"
Json = dict[str, Any]


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"}


def post(pool: PoolOfTest, key: str, **change: Any) -> requests.Response:
    return pool.post(PATH, {**CHAT, **change}, headers=basic("", key))


class TestTheKey:
    @pytest.mark.parametrize("user", ["", "ann"])
    def test_as_password(self, pool: PoolOfTest, upstream: ScriptedUpstream, user: str) -> None:
        pool.account("a", upstream.base_url())

        assert pool.post(PATH, CHAT, headers=basic(user, pool.key())).status_code == 200

    @pytest.mark.parametrize("password", ["", "x"])
    def test_as_user_name(self, pool: PoolOfTest, upstream: ScriptedUpstream, password: str) -> None:
        pool.account("a", upstream.base_url())

        assert pool.post(PATH, CHAT, headers=basic(pool.key(), password)).status_code == 200

    @pytest.mark.parametrize("header", ["", "Basic", "Basic !", "Basic dXNlcjpwYXNz", "Bearer x"])
    def test_no_key_is_required(self, pool: PoolOfTest, header: str) -> None:
        response = pool.post(PATH, CHAT, headers={"Authorization": header} if header else {})

        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"].startswith("Basic ")
        assert response.json()["detail"] == response.json()["error"]["message"]
        assert response.json()["error"]["code"] == "invalid_api_key"

    def test_a_bearer_token_is_not_taken(self, pool: PoolOfTest) -> None:
        assert pool.post(PATH, CHAT, pool.key()).status_code == 401


def test_a_response_is_that_of_every_endpoint(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    pool.account("a", upstream.base_url())
    upstream.script({"play": "text", "text": "Good morning."})
    key = pool.key()

    complete = post(pool, key).json()
    streamed = events_of(post(pool, key, stream=True).text)

    assert complete["choices"][0]["message"]["content"] == "Good morning."
    assert streamed[-1] == "[DONE]"
    assert pool.wait_for_rows(2)[0]["endpoint"] == PATH


@pytest.mark.parametrize("wire", ["chat", "responses"])
def test_the_deprecated_function_role(pool: PoolOfTest, upstream: ScriptedUpstream, wire: str) -> None:
    pool.account("a", upstream.base_url(), kind="compatible", protocols=(wire,))
    messages = [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": None, "function_call": {"name": "weather", "arguments": "{}"}},
        {"role": "function", "name": "weather", "content": "sunny"},
    ]

    assert post(pool, pool.key(), messages=messages).status_code == 200

    (seen,) = upstream.wait_for(1)
    assert seen.body is not None
    if wire == "chat":
        assert seen.body["messages"] == messages
    else:
        assert seen.body["input"][-1]["output"] == "sunny"
        assert seen.body["input"][-1]["call_id"] == seen.body["input"][-2]["call_id"]


WRONG: list[tuple[Json, list[Any], str, Json | None]] = [
    ({"messages": None}, ["messages"], "missing", None),
    ({"messages": "hi"}, ["messages"], "list_type", None),
    ({"messages": ["hi"]}, ["messages", 0], "dict_type", None),
    ({"messages": [{"content": "x"}]}, ["messages", 0, "role"], "missing", None),
    (
        {"messages": [{"role": "boss", "content": "x"}]},
        ["messages", 0, "role"],
        "literal_error",
        {"expected": "'developer', 'system', 'user', 'assistant', 'tool' or 'function'"},
    ),
    ({"model": None}, ["model"], "missing", None),
    ({"model": 5}, ["model"], "string_type", None),
    ({"audio": {"voice": "alloy"}}, ["audio", "format"], "missing", None),
    ({"audio": {"format": "wav", "voice": 1}}, ["audio", "voice"], "dict_type", None),
    ({"audio": "loud"}, ["audio"], "dict_type", None),
    ({"frequency_penalty": "low"}, ["frequency_penalty"], "float_parsing", None),
    ({"function_call": {}}, ["function_call", "name"], "missing", None),
    ({"function_call": "f"}, ["function_call"], "literal_error", {"expected": "'none' or 'auto'"}),
    ({"functions": [{"description": "x"}]}, ["functions", 0, "name"], "missing", None),
    ({"logit_bias": {"50256": 1.5}}, ["logit_bias", "50256"], "int_from_float", None),
    ({"logprobs": "maybe"}, ["logprobs"], "bool_parsing", None),
    ({"logprobs": []}, ["logprobs"], "bool_type", None),
    ({"max_completion_tokens": []}, ["max_completion_tokens"], "int_type", None),
    ({"max_tokens": "many"}, ["max_tokens"], "int_parsing", None),
    ({"metadata": {"a": 1}}, ["metadata", "a"], "string_type", None),
    ({"metadata": []}, ["metadata"], "dict_type", None),
    ({"modalities": ["smell"]}, ["modalities", 0], "literal_error", {"expected": "'text' or 'audio'"}),
    ({"n": 0}, ["n"], "greater_than_equal", {"ge": 1}),
    ({"n": 129}, ["n"], "less_than_equal", {"le": 128}),
    ({"prediction": {"content": "x"}}, ["prediction", "type"], "missing", None),
    ({"reasoning_effort": "extreme"}, ["reasoning_effort"], "literal_error", None),
    ({"seed": True}, ["seed"], "int_type", None),
    ({"service_tier": "gold"}, ["service_tier"], "literal_error", None),
    ({"stop": [1]}, ["stop", 0], "string_type", None),
    ({"stream_options": {"include_usage": 5}}, ["stream_options", "include_usage"], "bool_parsing", None),
    ({"tools": {}}, ["tools"], "list_type", None),
    ({"tools": [{"type": "function"}]}, ["tools", 0, "name"], "value_error", None),
    ({"tool_choice": "maybe"}, ["tool_choice"], "literal_error", None),
    ({"top_logprobs": 2}, ["top_logprobs"], "value_error", None),
    (
        {"web_search_options": {"search_context_size": "huge"}},
        ["web_search_options", "search_context_size"],
        "literal_error",
        {"expected": "'low', 'medium' or 'high'"},
    ),
]


@pytest.mark.parametrize(("change", "place", "kind", "context"), WRONG)
def test_what_is_wrong(
    pool: PoolOfTest, change: Json, place: list[Any], kind: str, context: Json | None
) -> None:
    response = post(pool, pool.key(), **change)

    assert response.status_code == 422, response.text
    (found,) = response.json()["detail"]
    assert (found["loc"], found["type"]) == (["body", *place], kind)
    assert found.get("ctx") == context if context else isinstance(found["msg"], str)
    assert response.json()["error"]["message"] == f"{'.'.join(map(str, place))}: {found['msg']}"
    assert response.json()["error"]["param"] == place[0]


def test_all_faults_are_reported_at_once_with_their_values(pool: PoolOfTest) -> None:
    found = post(pool, pool.key(), n=0, temperature="hot", user=7).json()["detail"]

    assert {one["loc"][1]: one["input"] for one in found} == {"n": 0, "temperature": "hot", "user": 7}


def test_numbers_and_flags_may_be_strings(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    pool.account("a", upstream.base_url())

    response = post(pool, pool.key(), max_tokens="5", temperature="0.5", stream="false", seed=2.0)

    (seen,) = upstream.wait_for(1)
    assert seen.body is not None
    assert (seen.body["max_tokens"], seen.body["temperature"], seen.body["seed"]) == (5, 0.5, 2)
    assert response.json()["object"] == "chat.completion"


def test_what_is_no_json(pool: PoolOfTest) -> None:
    url, headers = pool.gateway.url + PATH, basic("", pool.key())
    response = requests.post(url, data=b'{"a": }', headers=headers, timeout=10)

    assert response.status_code == 422
    (found,) = response.json()["detail"]
    assert (found["type"], found["loc"], found["input"]) == ("json_invalid", ["body", 6], {})
    assert found["ctx"]["error"]


def test_other_failures_are_a_text_and_an_envelope(pool: PoolOfTest) -> None:
    response = post(pool, pool.key())

    assert response.status_code == 503
    assert response.json()["detail"] == "No upstream accounts are configured in this pool"
    assert response.json()["error"]["code"] == "no_accounts"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", PATH, 405, "method_not_allowed"),
        ("DELETE", PATH, 405, "method_not_allowed"),
        ("POST", "/api/v1/openai/nothing", 404, "not_found"),
        ("GET", "/api/v1/openai/", 404, "not_found"),
    ],
)
def test_wrong_addresses(pool: PoolOfTest, method: str, path: str, status: int, code: str) -> None:
    """Both kinds of client can read every failure."""
    response = requests.request(method, pool.gateway.url + path, timeout=30)

    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert response.json()["detail"] == response.json()["error"]["message"]


def test_a_body_in_an_unknown_encoding(pool: PoolOfTest) -> None:
    headers = basic("", pool.key()) | {"Content-Encoding": "rot13"}

    response = requests.post(pool.gateway.url + PATH, data=b"{}", headers=headers, timeout=30)

    assert response.status_code == 400
    assert response.json()["detail"] == response.json()["error"]["message"]
