from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from schemas.responses import INCLUDES, RESPONSES_REQUEST

EXAMPLES = json.loads((Path(__file__).parent / "examples/responses.json").read_text())
MINIMAL = {"model": "gpt-5.2", "input": "hi"}
LOADED = {**MINIMAL, "stream": False}
TEXTS = ["instructions", "conversation", "prompt_cache_key", "service_tier"]
ANYTHING = [
    *["safety_identifier", "prompt_cache_retention", "temperature", "max_output_tokens", "top_p", "metadata"],
    *["user", "prompt_cache_options", "prompt_cache_breakpoint", "client_metadata", "n"],
    *["response_format", "background", "max_tool_calls", "top_logprobs"],
]


@pytest.fixture
def param(refusal):
    return lambda **fields: refusal(RESPONSES_REQUEST, {**MINIMAL, **fields})[0]


class TestDocumentedBodies:
    @pytest.mark.parametrize("body", EXAMPLES)
    def test_it_loads_as_it_is(self, body):
        before = copy.deepcopy(body)

        assert RESPONSES_REQUEST.load(body) == {"stream": False, **body}
        assert body == before


class TestFields:
    @pytest.mark.parametrize(
        ("fields", "values"),
        [
            (["model"], ["x"]),
            (["input"], ["", "hi", [], [{"role": "user", "content": "hi"}]]),
            (TEXTS, ["", "x"]),
            (["parallel_tool_calls", "stream"], [True, False]),
            (["store"], [False]),
            (["reasoning"], [{}, {"effort": "high", "summary": "concise", "context": {"any": 1}}]),
            (["text"], [{}, {"verbosity": "low"}, {"format": {"type": "text"}, "more": 1}]),
            (["include"], [[], list(INCLUDES), [INCLUDES[0], INCLUDES[0]]]),
            (["stream_options"], [{}, {"include_obfuscation": False}]),
            (["tools"], [[], [{"type": "web_search_preview", "filters": {}}], [{"type": "local_shell"}]]),
            (["tool_choice"], ["none", {"type": "function", "name": "f"}]),
            (ANYTHING, [1, "", "x", [], {}, {"a": None}, True, 1.5]),
        ],
    )
    def test_accepted(self, fields, values):
        for field in fields:
            for value in values:
                assert RESPONSES_REQUEST.load({**MINIMAL, field: value}) == {**LOADED, field: value}

    @pytest.mark.parametrize(
        ("fields", "values"),
        [
            (["model"], ["", 5, None, []]),
            (["input"], [5, True, {}, ["hi"], [{"role": "tool", "content": "x"}]]),
            (TEXTS, [5, True, [], {}]),
            (["parallel_tool_calls", "stream", "store"], [0, 1, "false", [], {}]),
            (["store"], [True]),
            (["reasoning", "text"], [5, "high", [], True]),
            (["include"], [5, "reasoning.encrypted_content", {}, ["unheard-of"], [5], [None], [[]]]),
            (["stream_options"], [5, "x", [], True]),
            (["tools"], [5, {}, "web_search"]),
            (["tool_choice"], [5, [], True, "any", {"type": "function"}]),
            (["truncation"], ["auto", "disabled", "", False, 0, {}]),
            (["previous_response_id"], ["resp_1", "", 5, False]),
        ],
    )
    def test_refused(self, param, fields, values):
        for field in fields:
            for value in values:
                assert param(**{field: value}) == field

    @pytest.mark.parametrize("field", sorted({*RESPONSES_REQUEST.fields, *ANYTHING} - {"model", "input"}))
    def test_null_is_absence(self, field):
        assert RESPONSES_REQUEST.load({**MINIMAL, field: None}) == LOADED

    @pytest.mark.parametrize(
        ("fields", "named"),
        [
            ({"reasoning": {"effort": 5}}, "reasoning.effort"),
            ({"reasoning": {"effort": "high", "summary": []}}, "reasoning.summary"),
            ({"text": {"verbosity": True}}, "text.verbosity"),
            ({"text": {"format": "text"}}, "text.format"),
            ({"text": {"format": {"type": "xml"}}}, "text.format"),
            ({"text": {"format": {"type": "json_schema", "schema": {}}}}, "text.format.name"),
            ({"text": {"format": {"type": "json_schema", "name": "n", "strict": 1}}}, "text.format.strict"),
            ({"tools": [{"type": "web_search"}, {"type": "function"}]}, "tools[1]"),
        ],
    )
    def test_inside_an_object(self, param, fields, named):
        assert param(**fields) == named

    def test_nulls_inside_go(self):
        body = {**MINIMAL, "reasoning": {"effort": None}, "text": {"format": None, "verbosity": None}}

        assert RESPONSES_REQUEST.load(body) == {**LOADED, "reasoning": {}, "text": {}}

    @pytest.mark.parametrize(
        "kind",
        ["file_search", "code_interpreter", "computer_use", "computer_use_preview", "image_generation"],
    )
    def test_built_in_tools(self, param, kind):
        assert param(tools=[{"type": kind}]) == "tools"

    def test_a_conversation_and_a_previous_response(self, param):
        assert param(conversation="conv_1", previous_response_id="resp_1") == "previous_response_id"

    def test_the_message_of_a_refusal(self, refusal):
        def fault_message(**fields):
            return refusal(RESPONSES_REQUEST, {**MINIMAL, **fields})[1]

        assert fault_message(store=True) == "store must be false: responses are not stored"
        assert fault_message(truncation="auto") == "truncation must be null or absent: it is not supported"


class TestInputOrMessages:
    HI = [{"role": "user", "content": "hi"}]

    @pytest.mark.parametrize("empty", [{}, {"input": None}, {"input": []}])
    def test_messages_alone(self, empty):
        body = {"model": "gpt", "messages": self.HI, **empty}

        assert RESPONSES_REQUEST.load(body) == {"model": "gpt", "messages": self.HI, "stream": False}

    def test_the_argument_stays(self):
        body = {"model": "gpt", "messages": self.HI, "input": []}

        RESPONSES_REQUEST.load(body)

        assert body["input"] == []

    @pytest.mark.parametrize("given", ["", "hi", [{"role": "user", "content": "hi"}]])
    def test_both(self, refusal, given):
        body = {"model": "gpt", "messages": self.HI, "input": given}

        assert refusal(RESPONSES_REQUEST, body) == (
            "messages",
            "messages must not be given together with input",
        )

    @pytest.mark.parametrize("neither", [{}, {"input": None}, {"messages": None}, {"conversation": "conv_1"}])
    def test_neither(self, refusal, neither):
        assert refusal(RESPONSES_REQUEST, {"model": "gpt", **neither}) == (
            "input",
            "input is required, or messages in its place",
        )

    @pytest.mark.parametrize(
        "messages",
        [
            [],
            "hi",
            {},
            [5],
            [{"role": "function", "content": "x"}],
            [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}],
            [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]}],
            [{"role": "tool", "tool_call_id": "c", "content": "orphan"}],
        ],
    )
    def test_messages_are_checked_as_on_chat(self, refusal, messages):
        body = {"model": "gpt", "messages": messages}

        assert refusal(RESPONSES_REQUEST, body)[0] == "messages"
        assert refusal(RESPONSES_REQUEST, {**body, "input": []})[0] == "messages"

    def test_in_a_conversation_the_call_may_lie_elsewhere(self):
        messages = [{"role": "tool", "tool_call_id": "c", "content": "noon"}]

        body = {"model": "gpt", "messages": messages, "conversation": "conv_1"}

        assert RESPONSES_REQUEST.load(body)["conversation"] == "conv_1"
