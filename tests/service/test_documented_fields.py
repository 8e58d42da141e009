"""
The documents that this service stands in for, field by field.

Each field of a request is sent alone and with all others, and found at the upstream; each of an
answer is sent by some upstream, and found in ours. Endpoints that add fields: `test_fidelity`.
"""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.service.test_basic_chat import basic
from tests.service.test_model_responses import events_of
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

Json = dict[str, Any]

USER: Json = {"role": "user", "content": "Hi", "name": "ann"}
PARAMETERS: Json = {
    "type": "object",
    "description": "Where",
    "required": ["city"],
    "properties": {"city": {"type": "string", "enum": ["Paris"]}},
    "additionalProperties": False,
}
FUNCTION: Json = {"name": "f", "description": "d", "parameters": PARAMETERS, "strict": True}
TOOL: Json = {"type": "function", "function": FUNCTION}
SAMPLING: Json = {
    "temperature": 0.7,
    "top_p": 0.9,
    "presence_penalty": 0.5,
    "frequency_penalty": -0.5,
    "logprobs": True,
    "top_logprobs": 3,
    "seed": 7,
    "n": 1,
    "stop": ["END"],
    "max_tokens": 400,
    "max_completion_tokens": 500,
}
CHAT: Json = {
    "model": "gpt-4.1",
    "messages": [
        {"role": "system", "content": "Be kind."},
        {"role": "developer", "content": [{"type": "text", "text": "Be brief."}]},
        USER,
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "call_0", "type": "function", "function": {"name": "f", "arguments": "{}"}}
            ],
        },
        {"role": "tool", "tool_call_id": "call_0", "content": "sunny"},
    ],
    "tools": [TOOL],
    "tool_choice": {"type": "function", "function": {"name": "f"}},
    "parallel_tool_calls": True,
    "stream": True,
    "stream_options": {"include_usage": True, "include_obfuscation": False},
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "person", "schema": {"type": "object"}, "strict": True},
    },
    **SAMPLING,
}
GATEWAY: Json = {
    "model": "gpt-4o",
    "messages": [{"role": "system", "content": "Be kind."}, USER],
    "temperature": 1,
    "top_p": 0.5,
    "stream": True,
    "logprobs": True,
    "top_logprobs": 2,
    "prompt_cache_key": "k",
    "safety_identifier": "s",
}
BASIC: Json = {
    **CHAT,
    "messages": [*CHAT["messages"], {"role": "function", "name": "f", "content": "sunny"}],
    "audio": {"format": "wav", "voice": "alloy"},
    "function_call": {"name": "f"},
    "functions": [{"name": "f", "description": "d", "parameters": PARAMETERS}],
    "logit_bias": {"50256": -100},
    "metadata": {"a": "b"},
    "modalities": ["text", "audio"],
    "prediction": {"content": "same", "type": "content"},
    "reasoning_effort": "xhigh",
    "service_tier": "scale",
    "store": True,
    "user": "u",
    "web_search_options": {
        "search_context_size": "low",
        "user_location": {
            "approximate": {"city": "Paris", "country": "FR", "region": "IdF", "timezone": "Europe/Paris"},
            "type": "approximate",
        },
    },
}
CITATION: Json = {
    "type": "url_citation",
    "url_citation": {
        "start_index": 0,
        "end_index": 2,
        "title": "T",
        "url": "https://example.com",
        "sources": {"a": 1},
        "type": "page",
    },
}
GRAMMAR: Json = {"type": "grammar", "grammar": {"definition": 'start: "a"', "syntax": "lark"}}
EXTENDED: Json = {
    **CHAT,
    "messages": [
        {"role": "system", "name": "boss", "content": "Be kind."},
        USER,
        {
            "role": "assistant",
            "content": "Hm.",
            "refusal": "no",
            "annotations": [CITATION],
            "tool_calls": CHAT["messages"][3]["tool_calls"],
        },
        {"role": "tool", "tool_call_id": "call_0", "content": "sunny"},
    ],
    "tools": [TOOL, {"type": "custom", "custom": {"name": "g", "description": "d", "format": GRAMMAR}}],
    "logit_bias": {"50256": -100},
    "user": "u",
    "reasoning_effort": "minimal",
    "service_tier": "flex",
}
# What a field is refused without.
WITH: dict[str, Json] = {
    "top_logprobs": {"logprobs": True},
    "function_call": {"functions": BASIC["functions"]},
    "tool_choice": {"tools": [TOOL]},
    "parallel_tool_calls": {"tools": [TOOL]},
    "audio": {"modalities": ["text", "audio"]},
    "stream_options": {"stream": True},
}
CHAT_BLOCKS = {
    "/v1/chat/completions": CHAT,
    "/v1/chat/completions?gateway": GATEWAY,
    "/api/v1/openai/chat/completions": BASIC,
    "/openai/v1/chat/completions": EXTENDED,
    "/openai/chat/completions": EXTENDED,
}


class Asker:
    def __init__(self, pool: PoolOfTest, upstream: ScriptedUpstream, path: str) -> None:
        pool.account("a", upstream.base_url())
        key = pool.key()
        self._headers = basic("", key) if path.startswith("/api") else {"Authorization": f"Bearer {key}"}
        self._pool, self._upstream, self._path, self._seen = pool, upstream, path, 0

    def send_request(self, body: Json) -> requests.Response:
        return self._pool.post(self._path, body, headers=self._headers)

    def sent(self, body: Json, ignored: str | None = None) -> Json:
        """Return what the upstream was sent for *body*, which is answered without what is *ignored*."""
        response = self.send_request(body)
        assert response.status_code == 200, response.text
        assert response.headers.get("x-poolgate-ignored") == ignored
        seen = self._upstream.log()[self._seen :]
        self._seen += len(seen)
        return seen[0].body or {}


@pytest.fixture
def asker(pool: PoolOfTest, upstream: ScriptedUpstream, path: str) -> Asker:
    return Asker(pool, upstream, path)


def unstreamed(body: Json) -> Json:
    return {name: value for name, value in body.items() if name != "stream_options"} | {"stream": False}


def upstreams(body: Json) -> Json:
    """Return *body* as an upstream of the same protocol has to see it: if it is streamed, with usage."""
    if not body.get("stream"):
        return unstreamed(body)
    return body | {"stream": True, "stream_options": {"include_usage": True} | body.get("stream_options", {})}


@pytest.mark.parametrize("path", CHAT_BLOCKS)
class TestChatRequests:
    def test_each_field_alone(self, asker: Asker, path: str) -> None:
        block = CHAT_BLOCKS[path]
        least = {"model": block["model"], "messages": [USER]}
        for field, value in block.items():
            body = {**least, **WITH.get(field, {}), field: value}
            assert asker.sent(body) == upstreams(body), field

    def test_all_fields_together(self, asker: Asker, path: str) -> None:
        body = CHAT_BLOCKS[path]
        assert asker.sent(body) == upstreams(body)

    def test_the_messages_of_a_response_may_be_sent_back(self, asker: Asker, path: str) -> None:
        """Without what the API does not take: thoughts, and the places that calls had in chunks."""
        (call,) = CHAT["messages"][3]["tool_calls"]
        reply = {"role": "assistant", "content": "Hm.", "tool_calls": [call]}
        thoughts = {"reasoning": "Hm.", "reasoning_details": [{"type": "reasoning.text", "text": "Hm."}]}
        echo = {**reply, **thoughts, "tool_calls": [{**call, "index": 0}]}
        messages = [USER, echo, CHAT["messages"][4]]

        sent = asker.sent(
            {"model": "m", "messages": messages}, "messages.reasoning, messages.reasoning_details"
        )

        assert sent["messages"] == [USER, reply, messages[2]]


HINT: Json = {"type": "ephemeral", "ttl": "1h"}


@pytest.mark.parametrize("path", ["/openai/v1/chat/completions", "/openai/chat/completions"])
class TestCompleteBifrostRequest:
    """The block with what only some upstreams know: thoughts, hints, places; and fallbacks."""

    def body(self, **more: Any) -> Json:
        system, user, assistant, tool = EXTENDED["messages"]
        (call,) = assistant["tool_calls"]
        assistant = assistant | {"tool_calls": [{**call, **more.get("call", {})}]} | more.get("message", {})
        tools = [{**TOOL, **more.get("tool", {})}, EXTENDED["tools"][1]]
        return EXTENDED | {"messages": [system, user, assistant, tool], "tools": tools}

    @pytest.mark.parametrize("kind", ["openai", "compatible"])
    def test_sent(self, pool: PoolOfTest, upstream: ScriptedUpstream, path: str, kind: str) -> None:
        """To other servers as it is; to the OpenAI API what that takes, and the rest is named."""
        pool.account("a", upstream.base_url(), kind=kind)
        complete = self.body(call={"index": 0}, message={"reasoning": "Hm."}, tool={"cache_control": HINT})

        response = pool.post(path, {**complete, "fallbacks": ["gpt-5"]}, pool.key())

        assert response.status_code == 200, response.text
        (seen,) = upstream.log()
        known = complete if kind == "compatible" else self.body()
        assert seen.body == upstreams(known)
        ignored = response.headers.get("x-poolgate-ignored")
        assert ignored == (None if kind == "compatible" else "messages.reasoning, cache_control")


ITEM: Json = {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
FLAT: Json = {"type": "function", **FUNCTION}
RESPONSES: Json = {
    "model": "gpt-4.1",
    "input": [ITEM],
    "instructions": "Be brief.",
    "tools": [FLAT, {"type": "web_search"}],
    "tool_choice": {"type": "function", "name": "f"},
    "parallel_tool_calls": True,
    "reasoning": {"effort": "high", "summary": "concise"},
    "text": {
        "verbosity": "low",
        "format": {"type": "json_schema", "name": "s", "schema": {"type": "object"}, "strict": True},
    },
    "stream": True,
    "include": [
        "code_interpreter_call.outputs",
        "computer_call_output.output.image_url",
        "file_search_call.results",
        "message.input_image.image_url",
        "message.output_text.logprobs",
        "reasoning.encrypted_content",
        "web_search_call.action.sources",
    ],
    "conversation": "conv_1",
    "previous_response_id": None,
    "store": False,
    "truncation": None,
    "prompt_cache_key": "k",
}
REFUSED: Json = {"previous_response_id": "resp_1", "store": True, "truncation": "auto"}


@pytest.mark.parametrize("path", ["/v1/responses"])
class TestResponsesRequests:
    def expected(self, body: Json) -> Json:
        given = {name: value for name, value in body.items() if value is not None}
        return {"store": False, **(given if given.get("stream") else unstreamed(given))}

    def test_each_field_alone(self, asker: Asker) -> None:
        least = {"model": "gpt-4.1", "input": [ITEM]}
        for field, value in RESPONSES.items():
            with_it = {"tools": [FLAT]} if field in ("tool_choice", "parallel_tool_calls") else {}
            body = {**least, **with_it, field: value}
            assert asker.sent(body) == self.expected(body), field

    def test_all_fields_together(self, asker: Asker) -> None:
        assert asker.sent(RESPONSES) == self.expected(RESPONSES)

    @pytest.mark.parametrize("others", [{}, RESPONSES])
    def test_messages_in_place_of_input(self, asker: Asker, others: Json) -> None:
        others = {name: value for name, value in others.items() if name not in ("input", "instructions")}
        messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
        body = {"model": "gpt-4.1", **others}

        sent = asker.sent({**body, "messages": messages})

        assert sent == self.expected({**body, "input": [ITEM], "instructions": "Be brief."})

    @pytest.mark.parametrize("field", REFUSED)
    @pytest.mark.parametrize("others", [{"model": "gpt-4.1", "input": "Hi"}, RESPONSES])
    def test_fields_that_are_refused(self, asker: Asker, field: str, others: Json) -> None:
        response = asker.send_request({**others, field: REFUSED[field]})

        assert (response.status_code, response.json()["error"]["param"]) == (400, field)


def chunk(delta: Json, finish: str | None = None, **more: Any) -> Json:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    frame = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4.1"}
    return {**frame, "choices": [choice], **more}


USAGE: Json = {
    "prompt_tokens": 9,
    "completion_tokens": 5,
    "total_tokens": 14,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 2},
}
CALL: Json = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CONTENT: dict[str, Json] = {
    "stop": {"content": "Hi", "refusal": None},
    "length": {"content": "Hi", "refusal": None},
    "content_filter": {"content": None, "refusal": "I would rather not"},
    "tool_calls": {"content": None, "refusal": None, "tool_calls": [CALL]},
}


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/v1/openai/chat/completions"])
@pytest.mark.parametrize("finish", CONTENT)
class TestChatResponses:
    @pytest.fixture(autouse=True)
    def _scripted(self, upstream: ScriptedUpstream, finish: str) -> None:
        sent_text = {"role": "assistant", **CONTENT[finish]}
        if "tool_calls" in sent_text:
            sent_text["tool_calls"] = [{"index": 0, **CALL}]
        events = [chunk(sent_text), chunk({}, finish), {**chunk({}), "choices": [], "usage": USAGE}]
        upstream.script({"play": "chat_events", "events": events})

    def test_complete(self, asker: Asker, finish: str) -> None:
        response = asker.send_request({"model": "gpt-4.1", "messages": [USER]}).json()

        (choice,) = response["choices"]
        message = {"tool_calls": None, **choice["message"]}
        assert message == {"role": "assistant", "tool_calls": None, **CONTENT[finish]}
        assert (choice["index"], choice["finish_reason"]) == (0, finish)
        assert (response["object"], response["model"], response["usage"]) == (
            "chat.completion",
            "gpt-4.1",
            USAGE,
        )
        assert response["id"]
        assert response["created"]

    def test_streamed(self, asker: Asker, finish: str) -> None:
        body = {"model": "gpt-4.1", "messages": [USER], "stream": True}
        events = events_of(asker.send_request({**body, "stream_options": {"include_usage": True}}).text)

        *sent_text, last, usage, done = events
        assert done == "[DONE]"
        assert {one["object"] for one in events[:-1]} == {"chat.completion.chunk"}
        assert {(one["id"], one["created"], one["model"]) for one in events[:-1]} == {
            (usage["id"], usage["created"], "gpt-4.1")
        }
        deltas = [one["choices"][0]["delta"] for one in sent_text]
        assert [delta["role"] for delta in deltas if delta.get("role")] == ["assistant"]
        for name in ("content", "refusal"):
            assert "".join(delta.get(name) or "" for delta in deltas) == (CONTENT[finish][name] or "")
        calls = [call for delta in deltas for call in delta.get("tool_calls") or ()]
        assert calls == [{"index": 0, **call} for call in CONTENT[finish].get("tool_calls", ())]
        assert {one["choices"][0]["finish_reason"] for one in sent_text} == {None}
        assert last["choices"][0]["finish_reason"] == finish
        assert (usage["choices"], usage["usage"]) == ([], USAGE)


TEXT: Json = {"type": "output_text", "text": "Hi", "annotations": [], "logprobs": []}
REFUSAL: Json = {"type": "refusal", "refusal": "no"}
MESSAGE: Json = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "status": "completed",
    "content": [TEXT, REFUSAL],
}
FUNCTION_CALL: Json = {
    "id": "fc_1",
    "type": "function_call",
    "status": "completed",
    "call_id": "call_1",
    "name": "f",
    "arguments": "{}",
}
SEARCH: Json = {"id": "ws_1", "type": "web_search_call", "status": "completed"}
TOKENS: Json = {
    "input_tokens": 9,
    "input_tokens_details": {"cached_tokens": 4},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 2},
    "total_tokens": 14,
}
BEGUN: Json = {"id": "resp_1", "object": "response", "status": "in_progress", "output": [], "error": None}
ENDED: Json = {
    **BEGUN,
    "status": "completed",
    "output": [SEARCH, MESSAGE, FUNCTION_CALL],
    "usage": TOKENS,
    "incomplete_details": None,
}
CUT: Json = {**ENDED, "status": "incomplete", "incomplete_details": {"reason": "content_filter"}}
FAULT: Json = {"code": "server_error", "message": "It broke", "type": "server_error"}


def reply(last: Json) -> list[Json]:
    """Return the events of a response with each kind of item, which *last* ends."""
    part, arguments = {"output_index": 1, "item_id": "msg_1"}, {"output_index": 2, "item_id": "fc_1"}
    events: list[Json] = [
        {"type": "response.created", "response": BEGUN},
        {"type": "response.in_progress", "response": BEGUN},
        {"type": "response.output_item.added", "output_index": 0, "item": SEARCH},
        {"type": "response.output_item.done", "output_index": 0, "item": SEARCH},
        {"type": "response.output_item.added", "output_index": 1, "item": {**MESSAGE, "content": []}},
        {"type": "response.content_part.added", **part, "content_index": 0, "part": {**TEXT, "text": ""}},
        {"type": "response.output_text.delta", **part, "content_index": 0, "delta": "Hi"},
        {
            "type": "response.content_part.added",
            **part,
            "content_index": 1,
            "part": {**REFUSAL, "refusal": ""},
        },
        {"type": "response.refusal.delta", **part, "content_index": 1, "delta": "no"},
        {"type": "response.output_item.done", "output_index": 1, "item": MESSAGE},
        {"type": "response.output_item.added", "output_index": 2, "item": {**FUNCTION_CALL, "arguments": ""}},
        {"type": "response.function_call.delta", "call_id": "call_1", "name": "f", "arguments": "{}"},
        {"type": "response.function_call_arguments.delta", **arguments, "delta": "{}"},
        {"type": "response.output_item.done", "output_index": 2, "item": FUNCTION_CALL},
        last,
    ]
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


ENDS: dict[str, Json] = {
    "completed": {"type": "response.completed", "response": ENDED},
    "incomplete": {"type": "response.incomplete", "response": CUT},
}
FAILURES: dict[str, Json] = {
    "failed": {"type": "response.failed", "response": {**BEGUN, "status": "failed", "error": FAULT}},
    "error": {"type": "error", "error": FAULT},
}


@pytest.mark.parametrize("path", ["/v1/responses"])
class TestResponsesBodies:
    BODY: Json = {"model": "gpt-4.1", "input": "Hi"}

    @pytest.mark.parametrize("end", ENDS)
    def test_complete(self, asker: Asker, upstream: ScriptedUpstream, end: str) -> None:
        upstream.script({"play": "responses_events", "events": reply(ENDS[end])})

        assert asker.send_request(self.BODY).json() == ENDS[end]["response"]

    @pytest.mark.parametrize("end", ENDS)
    def test_streamed(self, asker: Asker, upstream: ScriptedUpstream, end: str) -> None:
        events = reply(ENDS[end])
        upstream.script({"play": "responses_events", "events": events})

        assert events_of(asker.send_request({**self.BODY, "stream": True}).text) == events

    @pytest.mark.parametrize("end", FAILURES)
    def test_failed_in_a_stream(self, asker: Asker, upstream: ScriptedUpstream, end: str) -> None:
        upstream.script({"play": "responses_events", "events": reply(FAILURES[end])})

        last = events_of(asker.send_request({**self.BODY, "stream": True}).text)[-1]

        assert (last["type"], last["response"]["status"]) == ("response.failed", "failed")
        assert last["response"]["id"] == "resp_1"
        error = last["response"]["error"]
        assert (error["code"], error["type"], error["message"]) == (
            "server_error",
            "server_error",
            "It broke",
        )

    @pytest.mark.parametrize("end", FAILURES)
    def test_failed_without_streaming(self, asker: Asker, upstream: ScriptedUpstream, end: str) -> None:
        """Never 200: the failure is the response's status."""
        upstream.script({"play": "responses_events", "events": reply(FAILURES[end])})

        response = asker.send_request(self.BODY)

        assert response.status_code >= 500
        assert {"message", "type", "code"} <= response.json()["error"].keys()
