"""What an account of each kind is sent."""

from __future__ import annotations

import copy
from typing import ClassVar

import pytest

from app.accounts.kinds import KINDS
from app.errors import InvalidRequest
from app.translation.requests.carried_state import encode_state
from app.translation.requests.dialects import Dialect
from app.translation.requests.responses_input import normalize_input
from app.translation.requests.upstream_request import upstream_body

BOTH = {"chat", "responses"}
CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
RESPONSES = normalize_input({"model": "m", "input": "hi"})
JSON = {"type": "json_object"}
FULL = {
    **CHAT,
    "temperature": 0.5,
    "max_tokens": 9,
    "stop": ["x"],
    "seed": 1,
    "metadata": {"a": "b"},
    "user": "u",
    "reasoning_effort": "low",
    "stream": False,
    "unheard_of": 1,
}


class TestChatOnChat:
    def test_everything_is_sent(self):
        """An account with the chat protocol receives everything; it streams, with usage."""
        prepared = upstream_body("chat", FULL, Dialect.COMPATIBLE, {"chat"})

        assert prepared.protocol == "chat"
        assert prepared.ignored == []
        assert prepared.body == {**FULL, "stream": True, "stream_options": {"include_usage": True}}

    def test_stream_options_are_preserved(self):
        body = {**CHAT, "stream_options": {"include_usage": False, "include_obfuscation": False}}
        prepared = upstream_body("chat", body, Dialect.OPENAI, BOTH)

        assert prepared.body["stream_options"] == {"include_usage": True, "include_obfuscation": False}

    def test_what_the_gateway_does_itself_stays_here(self):
        prepared = upstream_body("chat", {**CHAT, "fallbacks": ["a/b"]}, Dialect.COMPATIBLE, {"chat"})

        assert "fallbacks" not in prepared.body
        assert prepared.ignored == []

    def test_content_parts_are_not_sent(self):
        """A client may return a message as it received it."""
        before = [*CHAT["messages"], {"role": "assistant", "content": "a", "reasoning_content": "Hm"}]
        returned = [{**message, "content_parts": [{"type": "reference"}]} for message in before]

        prepared = upstream_body("chat", {**CHAT, "messages": returned}, Dialect.COMPATIBLE, {"chat"})

        assert prepared.body["messages"] == before
        assert returned[0]["content_parts"]  # the request is unchanged, for other attempts

    def test_reasoning(self):
        """The chat API has only a field for the effort; other servers receive more."""
        body = {**CHAT, "reasoning": {"effort": "low", "max_tokens": 9}}

        prepared = upstream_body("chat", body, Dialect.OPENAI, BOTH)

        assert (prepared.body["reasoning_effort"], "reasoning" in prepared.body) == ("low", False)
        assert prepared.ignored == ["reasoning"]
        assert upstream_body("chat", body, Dialect.COMPATIBLE, BOTH).body["reasoning"] == body["reasoning"]

    @pytest.mark.parametrize("kind", ["openai", "compatible"])
    @pytest.mark.parametrize(
        ("request_body", "sent"),
        [
            ({"reasoningEffort": "low"}, {"reasoning_effort": "low"}),
            ({"reasoningEffort": "low", "reasoning_effort": "high"}, {"reasoning_effort": "high"}),
            ({"textVerbosity": "low"}, {"verbosity": "low"}),
            ({"promptCacheKey": "p"}, {"prompt_cache_key": "p"}),
            ({"promptCacheKey": "p", "prompt_cache_key": "k"}, {"prompt_cache_key": "k"}),
            (
                {"text": {"verbosity": "low", "format": {"type": "json_object"}}},
                {"verbosity": "low", "response_format": {"type": "json_object"}},
            ),
            (
                {"instructions": "Be brief."},
                {"messages": [{"role": "system", "content": "Be brief."}, *CHAT["messages"]]},
            ),
        ],
    )
    def test_other_clients_words(self, kind, request_body, sent):
        """They are sent in names that chat servers know: OpenAI's responses 400 to others."""
        prepared = upstream_body("chat", {**CHAT, **request_body}, KINDS[kind].dialect, {"chat"})

        least = upstream_body("chat", CHAT, KINDS[kind].dialect, {"chat"}).body
        assert (prepared.body, prepared.ignored) == ({**least, **sent}, [])

    @pytest.mark.parametrize(
        ("field", "value", "effort", "lost"),
        [
            ("thinking", True, "medium", False),
            ("thinking", {"type": "enabled", "budget_tokens": 9}, "medium", True),
            ("thinking", "high", "high", False),
            ("enable_thinking", True, "medium", False),
            ("enable_thinking", False, None, True),
            ("thinking", {"type": "disabled"}, None, True),
            ("thinking", "disabled", None, True),
            ("reasoning", {"effort": "low", "summary": "auto"}, "low", True),
            ("reasoningSummary", "auto", None, True),
            ("include", ["reasoning.encrypted_content"], None, True),
            ("client_metadata", {"a": "b"}, None, True),
        ],
    )
    def test_what_openai_takes_in_part(self, field, value, effort, lost):
        prepared = upstream_body("chat", {**CHAT, field: value}, Dialect.OPENAI, {"chat"})

        assert field not in prepared.body
        assert prepared.body.get("reasoning_effort") == effort
        assert prepared.ignored == ([field] if lost else [])

    @pytest.mark.parametrize(
        ("field", "value"), [("thinking", {"type": "enabled"}), ("enable_thinking", True)]
    )
    def test_what_other_servers_know(self, field, value):
        assert (
            upstream_body("chat", {**CHAT, field: value}, Dialect.COMPATIBLE, {"chat"}).body[field] == value
        )

    @pytest.mark.parametrize("calls", [[None], 7, "x", {"index": 0}, [[]]])
    def test_calls_that_are_none(self, calls):
        """Calls in a message of another role are passed on: the upstream decides about them."""
        messages = [{"role": "system", "content": "x", "tool_calls": calls}]

        assert (
            upstream_body("chat", {**CHAT, "messages": messages}, Dialect.OPENAI, BOTH).body["messages"]
            == messages
        )

    def test_cache_control(self):
        """OpenAI does not know other services' cache hints; who knows what a compatible server knows."""
        part = {"type": "text", "text": "hi"}
        body = {
            "model": "m",
            "messages": [{"role": "user", "content": [{**part, "cache_control": {"type": "ephemeral"}}]}],
            "tools": [
                {"type": "function", "function": {"name": "f"}, "cache_control": {"type": "ephemeral"}}
            ],
            "cache_control": {"type": "ephemeral"},
        }
        sent = upstream_body("chat", body, Dialect.OPENAI, BOTH).body

        assert sent["messages"] == [{"role": "user", "content": [part]}]
        assert sent["tools"] == [{"type": "function", "function": {"name": "f"}}]
        assert "cache_control" not in sent
        assert upstream_body("chat", body, Dialect.OPENAI, BOTH).ignored == ["cache_control"]
        assert upstream_body("chat", body, Dialect.COMPATIBLE, BOTH).body["messages"] == body["messages"]


class TestChatOnResponses:
    def test_chatgpt(self):
        """The ChatGPT backend receives what it takes and nothing else."""
        prepared = upstream_body("chat", FULL, Dialect.CHATGPT, {"responses"})

        assert prepared.protocol == "responses"
        assert prepared.ignored == ["temperature", "seed", "metadata", "user", "unheard_of"]
        assert prepared.body == {
            "model": "m",
            "instructions": "",
            "input": [{"role": "user", "content": [{"type": "input_text", "text": "hi"}]}],
            "reasoning": {"effort": "low"},
            "store": False,
            "stream": True,
        }

    def test_compatible(self):
        """Another Responses server receives every field of the protocol."""
        prepared = upstream_body("chat", FULL, Dialect.COMPATIBLE, {"responses"})

        assert prepared.ignored == ["seed", "unheard_of"]
        assert prepared.body["temperature"] == 0.5
        assert prepared.body["max_output_tokens"] == 16
        assert prepared.body["metadata"] == {"a": "b"}

    def test_refusals_are_text(self):
        messages = [{"role": "assistant", "content": None, "refusal": "no"}]
        sent = upstream_body("chat", {**CHAT, "messages": messages}, Dialect.CHATGPT, {"responses"}).body

        assert sent["input"] == [{"role": "assistant", "content": [{"type": "output_text", "text": "no"}]}]

    def test_web_search(self):
        """Chat has no search tool, so an account with both protocols receives a Responses request."""
        body = {**CHAT, "tools": [{"type": "web_search_preview"}]}

        assert upstream_body("chat", body, Dialect.OPENAI, BOTH).protocol == "responses"
        assert upstream_body("chat", body, Dialect.OPENAI, BOTH).body["tools"] == [{"type": "web_search"}]
        assert upstream_body("chat", {**body, "n": 2}, Dialect.OPENAI, BOTH).protocol == "chat"
        assert upstream_body("chat", body, Dialect.COMPATIBLE, {"chat"}).protocol == "chat"

    @pytest.mark.parametrize("field", ["n", "logprobs"])
    def test_unfit(self, field):
        """An account that cannot honour the field is not used."""
        with pytest.raises(InvalidRequest) as raised:
            upstream_body("chat", {**CHAT, field: 2}, Dialect.CHATGPT, {"responses"})

        assert raised.value.param == field


class TestResponsesOnResponses:
    def test_openai(self):
        """Everything is sent; nothing is stored unless requested."""
        body = {**RESPONSES, "temperature": 1, "truncated": 1, "max_output_tokens": 99, "stream": False}
        prepared = upstream_body("responses", body, Dialect.OPENAI, BOTH)

        assert prepared.protocol == "responses"
        assert prepared.ignored == []
        assert prepared.body == {**body, "store": False, "stream": True}

    def test_chatgpt(self):
        fields = {
            "tools": [],
            "tool_choice": "auto",
            "parallel_tool_calls": True,
            "reasoning": {"effort": "low", "more": 1},
            "text": {"verbosity": "low"},
            "include": ["reasoning.encrypted_content"],
            "prompt_cache_key": "k",
            "client_metadata": {},
            "conversation": "conv_1",
        }
        dropped = {"temperature": 1, "top_p": 1, "max_output_tokens": 9, "metadata": {"a": "b"}, "user": "u"}
        options = {"stream_options": {"include_obfuscation": False, "x": 1}, "service_tier": "fast"}
        prepared = upstream_body(
            "responses", {**RESPONSES, **fields, **dropped, **options}, Dialect.CHATGPT, {"responses"}
        )

        assert prepared.ignored == ["temperature", "top_p", "metadata", "user", "stream_options.x"]
        assert prepared.body == {
            "model": "m",
            "instructions": "",
            "input": RESPONSES["input"],
            **fields,
            "service_tier": "priority",
            "stream_options": {"include_obfuscation": False},
            "store": False,
            "stream": True,
        }


class TestResponsesOnChat:
    def test_compatible(self):
        prepared = upstream_body("responses", {**RESPONSES, "include": ["x"]}, Dialect.COMPATIBLE, {"chat"})

        assert prepared.protocol == "chat"
        assert prepared.ignored == ["include"]
        assert prepared.body == {
            "model": "m",
            "messages": [{"role": "user", "content": "hi"}],
            "stream": True,
            "stream_options": {"include_usage": True},
        }

    @pytest.mark.parametrize("field", ["conversation", "background", "prompt"])
    def test_unfit(self, field):
        with pytest.raises(InvalidRequest) as raised:
            upstream_body("responses", {**RESPONSES, field: "x"}, Dialect.COMPATIBLE, {"chat"})

        assert raised.value.param == field

    def test_a_coding_agent(self):
        """What only Responses upstreams run is left out by name; custom tools become functions."""
        tools = [
            {"type": "function", "name": "shell", "strict": False},
            {"type": "custom", "name": "apply_patch"},
            {"type": "web_search"},
        ]
        body = {**RESPONSES, "tools": tools, "tool_choice": "auto", "max_output_tokens": 9}
        prepared = upstream_body("responses", body, Dialect.COMPATIBLE, {"chat"})

        assert prepared.ignored == ["tools.web_search"]
        assert [tool["type"] for tool in prepared.body["tools"]] == ["function", "function"]
        assert prepared.body["max_tokens"] == 9
        tools = upstream_body("responses", body, Dialect.OPENAI, {"chat"}).body["tools"]
        assert [tool["type"] for tool in tools] == ["function", "custom"]


class TestCarriedState:
    def test_to_chat_of_openai(self):
        """The chat API has no place for the reasoning of a call."""
        items = [self.ITEM, {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}]
        prepared = upstream_body("responses", {**RESPONSES, "input": items}, Dialect.OPENAI, {"chat"})

        (message,) = prepared.body["messages"]
        assert (set(message), prepared.ignored) == ({"role", "content", "tool_calls"}, ["input.reasoning"])

    ITEM: ClassVar = {
        "type": "reasoning",
        "content": [{"type": "reasoning_text", "text": "Hm"}],
        "encrypted_content": encode_state({"key": "reasoning"}),
    }

    @pytest.mark.parametrize("dialect", [Dialect.OPENAI, Dialect.CHATGPT])
    def test_to_an_account_that_encrypts_its_own(self, dialect):
        body = {**RESPONSES, "input": [self.ITEM, *RESPONSES["input"]]}
        prepared = upstream_body("responses", body, dialect, {"responses"})

        assert (prepared.body["input"], prepared.ignored) == (RESPONSES["input"], ["input.reasoning"])

    def test_to_another_server(self):
        body = {**RESPONSES, "input": [self.ITEM]}
        (item,) = upstream_body("responses", body, Dialect.COMPATIBLE, {"responses"}).body["input"]

        assert item == {name: value for name, value in self.ITEM.items() if name != "encrypted_content"}


class TestJsonMode:
    SYSTEM = {"role": "system", "content": "Answer in JSON."}

    def sent(self, *messages: dict) -> dict:
        body = {"model": "m", "messages": list(messages), "response_format": JSON}
        return upstream_body("chat", body, Dialect.CHATGPT, {"responses"}).body

    def test_word_only_in_instructions(self):
        """The API requires the word in the input, but our instructions are outside."""
        sent = self.sent(self.SYSTEM, *CHAT["messages"])
        reply = {"role": "developer", "content": [{"type": "input_text", "text": "Answer in JSON."}]}

        assert sent["instructions"] == "Answer in JSON."
        assert sent["input"] == [reply, {"role": "user", "content": [{"type": "input_text", "text": "hi"}]}]

    def test_word_in_the_input(self):
        assert len(self.sent(self.SYSTEM, {"role": "user", "content": "As json."})["input"]) == 1

    def test_word_nowhere(self):
        """Nothing could be added; the upstream's response has the reason."""
        assert len(self.sent(*CHAT["messages"])["input"]) == 1


@pytest.mark.parametrize("kind", ["openai", "compatible", "chatgpt", "demo"])
@pytest.mark.parametrize("wires", [{"chat"}, {"responses"}, BOTH])
@pytest.mark.parametrize("endpoint", ["chat", "responses"])
def test_request_is_not_changed(endpoint, kind, wires):
    if kind == "chatgpt":
        wires = {"responses"}
    body = {**(FULL if endpoint == "chat" else RESPONSES), "tools": [{"type": "function", "name": "f"}]}
    before = copy.deepcopy(body)
    first = upstream_body(endpoint, body, KINDS[kind].dialect, wires)

    assert body == before
    assert upstream_body(endpoint, body, KINDS[kind].dialect, wires) == first
